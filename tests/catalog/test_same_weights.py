"""Which names stand for the same released weights."""

import pytest

from roi.catalog.models.same_weights import same_weights, weights_of


@pytest.mark.parametrize(("host", "catalog"), [
    ("llama-v3p1-8b-instruct", "llama-3.1-8b"), ("accounts/fireworks/models/llama-v3p1-8b-instruct", "llama-3.1-8b"),
    ("llama-3.1-8b-instant", "llama-3.1-8b"), ("meta.llama3-1-8b-instruct-v1:0", "llama-3.1-8b"),
    ("@cf/meta/llama-3.1-8b-instruct-fp8-fast", "llama-3.1-8b"), ("databricks-meta-llama-3-1-8b-instruct", "llama-3.1-8b"),
    ("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "llama-3.1-8b"), ("llama3-8b-8192", "llama-3-8b"),
    ("Meta-Llama-3.3-70B-Instruct", "llama-3.3-70b"), ("llama-3.3-70b-versatile", "llama-3.3-70b"),
    ("Qwen/Qwen3-235B-A22B", "qwen3-235b"), ("qwen.qwen3-32b-v1:0", "qwen3-32b"), ("openai/gpt-oss-120b", "gpt-oss-120b"),
    ("mistral.mistral-7b-instruct-v0:2", "mistralai/Mistral-7B-Instruct-v0.2"), ("qwen2p5-7b-instruct", "qwen2.5-7b"),
])  # fmt: skip
def test_a_hosts_name_stands_for_the_catalogs_weights(host: str, catalog: str) -> None:
    assert same_weights(host, catalog)
    assert same_weights(catalog, host)


@pytest.mark.parametrize(("name", "other"), [
    ("deepseek-r1-distill-llama-8b", "llama-3.1-8b"), ("NousResearch/Hermes-3-Llama-3.1-8B", "llama-3.1-8b"),
    ("llama-3.1-8b-base", "llama-3.1-8b"), ("Qwen/Qwen3-235B-A22B-Thinking-2507", "Qwen/Qwen3-235B-A22B-Instruct-2507"),
    ("moonshotai/kimi-k2-instruct-0905", "kimi-k2"), ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3-30b-a3b"),
    ("llama-3.1-70b", "llama-3.3-70b"), ("mistral.mistral-7b-instruct-v0:2", "mistral-7b-v0.3"),
    ("phi-4-reasoning-plus", "phi-4"), ("llama-3.1-8b+lora", "llama-3.1-8b"), ("llama-3.1-8b > gpt-5.4", "llama-3.1-8b"),
])  # fmt: skip
def test_another_training_of_a_shape_is_another_model(name: str, other: str) -> None:
    assert not same_weights(name, other)


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-3.5-turbo", "claude-sonnet-5-5", "some-model-70b"])
def test_what_the_catalog_knows_no_open_model_by_has_no_weights_here(name: str) -> None:
    assert weights_of(name) is None
    assert not same_weights(name, name)
