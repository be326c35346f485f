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


@pytest.mark.parametrize(("sold", "made"), [
    ("global.anthropic.claude-sonnet-5-5", "claude-sonnet-5-5"), ("anthropic/claude-haiku-4.5", "claude-haiku-4-5"),
    ("regional.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"), ("claude-opus-4-1@20250805", "claude-opus-4-1"),
    ("us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4"), ("global.openai.gpt-6.1-sol", "gpt-6.1-sol"),
    ("gpt-6-luna-2026-09-22", "gpt-6-luna"), ("openrouter/openai/gpt-6-sol-20260922", "openai/gpt-6-sol"),
    ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"), ("o3-2025-04-16", "o3"),
])  # fmt: skip
def test_a_closed_model_is_the_same_at_the_cloud_that_resells_it_and_by_the_day_of_its_release(sold: str, made: str) -> None:
    assert same_weights(sold, made)
    assert same_weights(made, sold)


@pytest.mark.parametrize(("name", "other"), [
    ("regional.anthropic.claude-3-5-sonnet-20240620-v1:0", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("gpt-4o", "gpt-4o-2024-05-13"), ("gpt-5.2-chat-20251211", "gpt-5.2-chat-20260210"), ("gpt-5.2-2025-12-11", "gpt-5.1"),
    ("claude-opus-4.6-fast", "claude-opus-4-6"), ("gpt-6-sol+tuned", "gpt-6-sol"),
    ("claude-sonnet-5", "claude-sonnet-5-5"), ("gpt-5.4", "gpt-5.4-mini"), ("gpt-6-luna > gpt-6-sol", "gpt-6-sol"),
    ("gpt-6-luna > openai/gpt-6-sol", "openai/gpt-6-sol"),
    ("ft:gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"), ("some-model-70b", "some-model-70b"), ("gpt-oss-20b", "gpt-oss-120b"),
])  # fmt: skip
def test_another_release_size_or_tuning_is_another_model(name: str, other: str) -> None:
    assert not same_weights(name, other)
