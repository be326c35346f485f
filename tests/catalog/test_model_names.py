"""Names of models as people and tables write them: what is understood, and what is near and yet another model."""

from collections import defaultdict

import pytest
from long_tables import every_row

from roi.catalog.models.shapes import find_model, key, load_models, names, without_endings
from roi.errors import ScenarioError, UnknownName


@every_row(
    "typed, model_id",
    [
        ("llama3-70b", "llama-3-70b"),
        ("Llama 3.1 8B", "llama-3.1-8b"),
        ("llama2-70b-chat", "llama-2-70b"),
        ("llama3.1:8b-instruct-q4_K_M", "llama-3.1-8b"),
        ("Llama-3_3-70B", "llama-3.3-70b"),
        ("llama-3-1-70b-instruct", "llama-3.1-70b"),
        ("qwen2-5-72b", "qwen2.5-72b"),
        ("gemma2-9b", "gemma-2-9b"),
        ("falcon40b", "falcon-40b"),
        ("neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "llama-3.1-8b"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b"),
        ("hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", "llama-3.1-70b"),
        ("amd/Llama-3.1-405B-Instruct-FP8-KV", "llama-3.1-405b"),
        ("amd/gpt-oss-120b-w-mxfp4-a-fp8", "gpt-oss-120b"),
        ("gpt-oss-20b-mxfp4", "gpt-oss-20b"),
        ("nvidia/DeepSeek-R1-FP4", "deepseek-v3"),
        ("nvidia/DeepSeek-R1-0528-FP4-v2", "deepseek-v3"),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8", "qwen2.5-72b"),
        ("Qwen3-32B-FP8-Static-PerTensor", "qwen3-32b"),
        ("TheBloke/Mistral-7B-Instruct-v0.2-GPTQ", "mistral-7b-v0.2"),
        ("google/gemma-3-27b-it-qat-q4_0-gguf", "gemma-3-27b"),
        ("ibm-granite/granite-3.0-2b-base-fp8", "granite-3.0-2b-base"),
        ("qwen3-coder-480b", "qwen3-coder-480b-a35b"),
        ("Qwen3-235B-FP8", "qwen3-235b-a22b"),
    ],
)
def test_separators_owners_packings_and_trainings_do_not_matter(typed, model_id):
    assert find_model(typed).id == model_id


@every_row(
    "name",
    [
        "llama-370b", "Llama-3-18B", "llama-3.1-80b", "llama-3.2-8b", "Qwen-27B", "Qwen3-7B", "Mixtral-8x8B", "opt-13",
        "mistral-7b", "command-r", "deepseek-v3.2", "DeepSeek-V2.5", "kimi-k3", "Kimi-K2.5", "glm-4.5v", "Yi-34B-200K",
        "Qwen3-30B-A22B", "Qwen2.5-VL-7B-Instruct", "Llama-3.2-11B-Vision-Instruct",
        "DeepSeek-R1-Distill-Qwen-8B", "Llama-7B (pruned)", "Llama-3.1-8B-Instruct-pruned", "gpt-oss-20b-eagle3",
        "Llama-3.3-70B-Instruct-speculator", "Qwen2.5-Math-72B", "qwen3", "70b", "fp8", "/",
    ],
)  # fmt: skip
def test_no_name_is_taken_for_another_size_generation_or_variant(name):
    with pytest.raises(UnknownName):
        find_model(name)


@pytest.mark.parametrize("name", [
    "nvidia/Llama-3_1-Nemotron-51B-Instruct", "Llama-3_3-Nemotron-Super-49B-v1", "Llama-3.1-Nemotron-Ultra-253B"])
def test_a_model_of_layers_that_no_shape_expresses_is_refused_with_that_reason(name):
    with pytest.raises(ScenarioError, match="differ in width and some have no attention"):
        find_model(name)


@pytest.mark.parametrize("name", [
    "answerdotai/ModernBERT-large", "bert-base-uncased", "deberta-v3-base", "FacebookAI/xlm-roberta-large", "setfit",
    "sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-m3", "intfloat/e5-large"])
def test_an_encoder_is_refused_with_what_to_state_of_it_and_not_with_models_that_write(name):
    with pytest.raises(ScenarioError, match=r"an encoder writes no tokens.* an API of your own .*docs/start\.md"):
        find_model(name)


def test_no_two_models_share_a_name_in_any_spelling():
    held = defaultdict(set)
    for model in load_models():
        for name in names(model):
            held[key(name)].add(model.id)
    assert {name: models for name, models in held.items() if len(models) > 1} == {}


def test_every_name_of_the_catalog_finds_its_own_model_in_other_spellings_too():
    """Spaces or underscores for dashes; no point of a version turns into another version."""
    for model in load_models():
        for name in names(model):
            assert find_model(name).id == model.id
            assert find_model(f"{name}-AWQ").id == model.id
            assert find_model(name.upper().replace("-", " ")).id == model.id


@pytest.mark.parametrize("path", ["./models/llama-3.1-8b", "/data/llama-3.1-8b", "a/b/llama-3.1-8b", "../llama-3.1-8b"])
def test_a_path_is_no_owner_and_a_name(path):
    with pytest.raises(UnknownName):
        find_model(path)


def test_the_model_of_a_profile_is_known_by_the_catalog_s_own_names_alone():
    """A profile's "runs/gpt2" is a folder, whatever it holds; "openai-community/gpt2" is a name of the catalog."""
    assert find_model("openai-community/GPT2", exact=True).id == "gpt2"
    for name in ("runs/gpt2", "gpt2-awq"):
        with pytest.raises(UnknownName):
            find_model(name, exact=True)


def test_endings_come_off_one_by_one():
    assert without_endings("A-7B-Chat-GPTQ-Int4") == ["a-7b-chat-gptq-int4", "a-7b-chat-gptq", "a-7b-chat", "a-7b"]


@pytest.mark.parametrize(("name", "context_tokens"), [
    ("qwen3-30b-a3b", 40_960), ("Qwen/Qwen3-30B-A3B", 40_960), ("Qwen/Qwen3-30B-A3B-Instruct-2507", 262_144),
    ("qwen3-coder-30b-a3b", 262_144), ("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", 262_144), ("qwen3-coder-30b", 262_144),
    ("Qwen3-4B-Instruct-2507", 262_144), ("qwen3-4b", 40_960), ("Qwen/Qwen3-235B-A22B-Thinking-2507", 262_144),
])
def test_a_release_of_the_same_shape_has_the_context_of_its_own(name: str, context_tokens: int) -> None:
    """The 2507 and Coder releases take 262,144 tokens: with 40,960 no long prompt could be served, "self-hosting, none"."""
    assert find_model(name).context_tokens == context_tokens
