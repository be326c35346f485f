"""The catalog of model shapes: counts against published ones, KV cache by hand, names."""

from collections import Counter

import numpy as np
import pytest
from long_tables import every_row

from roi.catalog.models.shapes import find_model, load_models
from roi.errors import UnknownName, names_with, nearest
from roi.estimate.serving.weight_formats import step_read_bytes
from roi.facts.model import ModelShape

ROWS = load_models()
MOE = [m for m in ROWS if m.published_active_parameters]


def by_id(model: ModelShape) -> str:
    return model.id


@every_row("model", ROWS)
def test_the_parameters_of_the_shape_are_the_published_ones(model: ModelShape) -> None:
    assert model.parameters == model.published_parameters


@every_row("model", MOE)
def test_active_parameters_agree_with_the_publisher(model: ModelShape) -> None:
    """Publishers count without head and embedding, with the head (OpenAI), or with both (Qwen, Mistral).

    The nearest of the three lies within 3 % of the published figure, or within half of its last digit (an A3B may be
    2.5 to 3.5 billion).
    """
    published = model.published_active_parameters
    assert published
    head, active = model.head_parameters, model.active_parameters
    error = min(abs(count - published) for count in (active - head, active, active + model.embedding_parameters))
    last_digit = 10 ** (len(str(published)) - len(str(published).rstrip("0")))
    assert error <= max(0.03 * published, last_digit / 2)


@every_row("model", [m for m in ROWS if m not in MOE])
def test_a_dense_token_multiplies_with_everything_but_the_embedding_and_the_norms(model: ModelShape) -> None:
    unused = model.embedding_parameters + model.positions * model.hidden + model.norm_parameters
    if model.tied:
        unused -= model.head_parameters
    extra = model.extra_parameters - model.extra_active_parameters
    assert model.active_parameters == model.parameters - unused - extra


def test_products_beside_the_known_ones_are_multiplied_with_and_read_too() -> None:
    """A configuration may have some: 7 of its 10 more parameters; in bf16 their 14 bytes are read at each step."""
    plain = find_model("qwen3-4b")
    more = ModelShape.model_validate(plain.model_dump() | {"extra_parameters": 10, "extra_active_parameters": 7})
    assert (more.parameters - plain.parameters, more.active_parameters - plain.active_parameters) == (10, 7)
    assert step_read_bytes(more, "bf16")[0] - step_read_bytes(plain, "bf16")[0] == 14.0


def test_every_mixture_of_experts_states_its_active_parameters() -> None:
    assert {m.id for m in ROWS if any(part.experts > 1 for part in m.mlp)} == {m.id for m in MOE}


def test_llama_31_8b_has_8_030_261_248_parameters() -> None:
    """Layer: 2 x 4096 x 4096 + 2 x 4096 x 1024 + 3 x 4096 x 14336 + 2 x 4096 = 218,112,000; 32 layers,
    2 x 128256 x 4096 embedding and head, 4096 final norm: 6,979,584,000 + 1,050,673,152 + 4,096.
    """
    assert find_model("llama-3.1-8b").parameters == 8_030_261_248


def test_llama_31_8b_keeps_128_kib_of_cache_a_token() -> None:
    """32 layers x 8 heads x (128 + 128) x 2 bytes = 131,072 bytes; in 8 bits half of it."""
    model = find_model("meta-llama/Llama-3.1-8B-Instruct")
    assert model.cache_bytes(1) == 131_072
    assert model.cache_bytes(1000, 1.0) == 65_536_000


def test_windows_cap_the_cache_of_gpt_oss() -> None:
    """A layer keeps 8 heads x (64 + 64) x 2 bytes = 2,048 bytes a token. 12 full layers keep 1,000 tokens, 12 sliding
    ones 128: 2,048 x (12 x 1,000 + 12 x 128) = 27,721,728 bytes.
    """
    model = find_model("gpt-oss-20b")
    assert model.cache_bytes(1000) == 27_721_728
    assert model.cache_bytes(100) == 2_048 * 24 * 100


def test_latent_attention_keeps_one_vector_a_token() -> None:
    """DeepSeek-V3: 61 layers x (512 + 64) x 2 bytes = 70,272 bytes."""
    assert find_model("deepseek-ai/DeepSeek-V3").cache_bytes(1) == 70_272


def test_linear_layers_keep_a_state_of_fixed_size() -> None:
    """Qwen3-Next: 12 full layers x 2 heads x (256 + 256) x 2 bytes = 24,576 bytes a token.

    36 linear layers: state 32 heads x 128 x 128 x 4 bytes = 2,097,152; convolution (4 - 1) tokens x
    (2 x 16 + 32) heads x 128 x 2 bytes = 49,152; 36 x 2,146,304 = 77,266,944 bytes whatever the length.
    An 8-bit cache halves all but the float32 state.
    """
    model = find_model("qwen3-next-80b-a3b")
    assert model.cache_bytes(0) == 77_266_944
    assert model.cache_bytes(1000) == 77_266_944 + 24_576_000
    assert model.cache_bytes(1000, 1.0) == 36 * (2_097_152 + 24_576) + 12_288_000


def test_shared_layers_of_gemma_4_e2b_keep_nothing() -> None:
    """15 of 35 layers own a cache: 12 sliding x (256 + 256) x 2 bytes and 3 full x (512 + 512) x 2 bytes, one head."""
    assert find_model("gemma-4-e2b").cache_bytes(1) == 12 * 1_024 + 3 * 2_048


def test_heads_that_differ_from_layer_to_layer_add_up() -> None:
    """DeciLM: (7 x 4 + 14 x 2 + 11 x 1) = 67 heads x (128 + 128) x 2 bytes = 34,304 bytes a token."""
    assert find_model("decilm-7b").cache_bytes(1) == 34_304


def test_attention_flops_of_one_token_by_hand() -> None:
    """llama-3.1-8b: 2 x 32 layers x 32 heads x (128 + 128) x 1,000 tokens = 524,288,000.

    qwen3-next adds 7 x 36 layers x 32 x 128 x 128 = 132,120,576 to 2 x 12 x 16 x 512 x 1,000 = 196,608,000.
    """
    assert find_model("llama-3.1-8b").attention_flops(1000) == 524_288_000
    assert find_model("qwen3-next-80b-a3b").attention_flops(1000) == 132_120_576 + 196_608_000


@every_row("model", ROWS)
def test_an_array_of_lengths_gives_the_cache_and_the_flops_of_each(model: ModelShape) -> None:
    tokens = np.array([1.0, 100.0, 5000.0])
    for figure in (model.cache_bytes, model.attention_flops):
        assert np.array_equal(figure(tokens), np.array([figure(t) for t in tokens.tolist()]))


@every_row("model", ROWS)
def test_other_module_names_refer_to_products_that_the_model_has(model: ModelShape) -> None:
    products = {linear.name for linear in model.linears}
    parts = [part for _, *parts in model.module_names for part in parts]
    assert set(parts) <= products
    assert max(Counter(parts).values(), default=1) == 1


def test_a_model_is_found_by_id_by_hub_name_and_without_the_owner_in_any_case() -> None:
    for name in ("qwen3-8b", "Qwen/Qwen3-8B", "QWEN3-8B-Base", " qwen/qwen3-8b "):
        assert find_model(name).id == "qwen3-8b"


def test_a_four_bit_repacking_is_found_under_its_own_name() -> None:
    assert find_model("unsloth/mistral-7b-bnb-4bit").id == "mistral-7b-v0.1"
    assert find_model("Llama-3.2-1B-Instruct-unsloth-bnb-4bit").id == "llama-3.2-1b"


def test_the_small_r1_distillation_has_a_head_of_its_own() -> None:
    """Qwen2.5-Math-1.5B ties it: 1,543,714,304 + 151,936 x 1,536 = 1,777,088,000. The 7B and its base both have one."""
    assert find_model("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B").parameters == 1_777_088_000
    assert find_model("Qwen/Qwen2.5-Math-1.5B").parameters == 1_777_088_000 - 151_936 * 1_536
    assert find_model("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B").parameters == find_model("Qwen/Qwen2.5-Math-7B").parameters


def test_names_that_differ_in_a_version_or_share_a_word_are_near() -> None:
    """A version is a wildcard, so that the sizes are; letters alone would offer llama-7b and llama-68m before llama-3.1-8b."""
    llamas = ["llama-7b", "llama-68m", "llama-3-8b", "llama-3.1-8b", "llama-3.1-70b"]
    assert nearest("llama-8b", llamas)[:2] == ["llama-3-8b", "llama-3.1-8b"]
    assert nearest("llama-3.5-70b", llamas)[0] == "llama-3.1-70b"
    fields = ["provider", "model", "seats", "uses_cache", "writes_cache", "batch_hours", "batch_share"]
    assert nearest("uses_batch", fields) == ["uses_cache", "batch_hours", "batch_share"]
    assert nearest("uses_cash", fields) == ["uses_cache", "writes_cache", "seats"]
    assert nearest("xyz_batch", fields, cutoff=0.99) == []


def test_names_that_have_in_them_what_was_written_are_offered_before_those_that_look_like_it() -> None:
    """Where it begins a word first, then the shortest; a version may be left out. Three letters are in too many."""
    known = ["codellama-70b", "meta-llama/llama-3.1-70b-instruct", "llama-3-70b", "lama71", "claude-haiku-4.5", "H100-80GB-SXM"]
    assert names_with("llama70", known) == ["llama-3-70b", "meta-llama/llama-3.1-70b-instruct", "codellama-70b"]
    assert names_with("Haiku_45", known) == ["claude-haiku-4.5"]
    assert (names_with("H.100", known), names_with("70b", known)) == (["H100-80GB-SXM"], [])
    with pytest.raises(UnknownName, match=r"nearest: llama-3-70b, meta-llama/llama-3.1-70b-instruct, codellama-70b$"):
        raise UnknownName("model", "llama70", known, "model")
    with pytest.raises(UnknownName, match=r"nearest: a-mini, b-mini, c-mini and 2 more have it in them$"):
        raise UnknownName("model", "mini", [f"{letter}-mini" for letter in "edcba"], "model")


def test_an_unknown_model_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"serving\.model: unknown model 'lama-3.1-8b'; nearest: llama-3.1-8b"):
        find_model("lama-3.1-8b", "serving.model")


def test_the_catalog_holds_small_to_405b_and_every_kind_of_mixing() -> None:
    assert len(ROWS) >= 50
    assert min(m.parameters for m in ROWS) < 200e6
    assert max(m.parameters for m in ROWS) > 405e9
    assert {a.kind for m in ROWS for a in m.attention} == {"full", "sliding", "latent", "linear"}


def test_ids_are_lower_case_and_every_row_names_its_source() -> None:
    for model in ROWS:
        assert model.id == model.id.lower()
        assert model.source
        assert model.licence
