"""API prices against genai-prices itself, and how dated prices are chosen."""

import subprocess
import sys
from datetime import UTC, date, datetime, time
from itertools import product

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from long_tables import every_row

from roi.catalog.prices import api_prices
from roi.catalog.prices.api_prices import find_api_price, genai_model, model_names, provider_names
from roi.catalog.prices.vendors import cache_minimum, retirement
from roi.catalog.rows import read_rows
from roi.errors import ScenarioError, UnknownName
from roi.facts.fact import STALE_DAYS
from roi.facts.price import CacheMinimum, InstanceSize, RentalOffer, Retirement

DAY = date(2026, 11, 24)
OUTPUT = 500
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-6-luna"),
    ("openai", "o3"),
    ("openai", "ft:gpt-4o-2024-08-06"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-5-5"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("google", "gemini-3.1-pro-preview"),
    ("google", "gemini-4-argon"),
    ("groq", "llama-3.1-8b-instant"),
    ("groq", "openai/gpt-oss-20b"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct"),
    ("deepseek", "deepseek-v4-flash"),
    ("mistral", "mistral-small-latest"),
    ("x-ai", "grok-4.3"),
    ("aws", "meta.llama3-3-70b-instruct-v1:0"),
    ("azure", "gpt-4o"),
]
LENGTHS = (1_000, 99_999, 100_000, 100_001, 199_999, 200_000, 200_001, 272_000, 272_001, 900_000)
WHOLE_CALLS = list(product(MODELS, LENGTHS))


def oracle(provider, model, day, *, batch=False, **tokens):
    """USD of one call, straight from genai-prices."""
    found = calc_price(
        Usage(**tokens),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.combine(day, time(12), UTC),
        price_context={"processing": "batch"} if batch else None,
    )
    return float(found.total_price)


def usd(price, length, *parts):
    """USD of one call: each part is (rates by tier, tokens); the tier is the last edge strictly below the input tokens."""
    tier = max(i for i, edge in enumerate(price.edges_tokens) if edge < length)
    return sum(rates[tier] * tokens for rates, tokens in parts) / 1e6


@every_row("name, length", WHOLE_CALLS)
def test_rates_times_tokens_equal_genai_prices_for_a_plain_call(name, length):
    price = find_api_price(*name, DAY)
    mine = usd(price, length, (price.input_usd_per_mtok, length), (price.output_usd_per_mtok, OUTPUT))
    assert mine == pytest.approx(oracle(*name, DAY, input_tokens=length, output_tokens=OUTPUT), abs=1e-9)


@every_row("name, length", WHOLE_CALLS)
def test_rates_times_tokens_equal_genai_prices_for_a_cache_hit_and_a_write(name, length):
    """A third of the input is the prefix: read from the cache, or written to it."""
    price, prefix = find_api_price(*name, DAY), length // 3
    rest = ((price.input_usd_per_mtok, length - prefix), (price.output_usd_per_mtok, OUTPUT))
    tokens = {"input_tokens": length, "output_tokens": OUTPUT}
    if price.cache_read_usd_per_mtok is not None:
        hit = usd(price, length, *rest, (price.cache_read_usd_per_mtok, prefix))
        assert hit == pytest.approx(oracle(*name, DAY, cache_read_tokens=prefix, **tokens), abs=1e-9)
    write = price.cache_write_usd_per_mtok or price.input_usd_per_mtok
    missed = usd(price, length, *rest, (write, prefix))
    assert missed == pytest.approx(oracle(*name, DAY, cache_write_tokens=prefix, **tokens), abs=1e-9)


@every_row("name, length", WHOLE_CALLS)
def test_rates_times_tokens_equal_genai_prices_in_batch(name, length):
    """Without a batch variant genai-prices answers with the standard price; here the batch rates are None instead."""
    price, prefix = find_api_price(*name, DAY), length // 3
    tokens = {"input_tokens": length, "output_tokens": OUTPUT}
    plain = oracle(*name, DAY, batch=True, **tokens)
    if price.batch_input_usd_per_mtok is None:
        assert price.batch_output_usd_per_mtok is None
        assert plain == pytest.approx(oracle(*name, DAY, **tokens), abs=1e-12)
        return
    assert price.batch_output_usd_per_mtok is not None
    output = (price.batch_output_usd_per_mtok, OUTPUT)
    assert usd(price, length, (price.batch_input_usd_per_mtok, length), output) == pytest.approx(plain, abs=1e-9)
    if price.batch_cache_read_usd_per_mtok is not None:
        rest = ((price.batch_input_usd_per_mtok, length - prefix), output)
        hit = usd(price, length, *rest, (price.batch_cache_read_usd_per_mtok, prefix))
        write = price.batch_cache_write_usd_per_mtok or price.batch_input_usd_per_mtok
        missed = usd(price, length, *rest, (write, prefix))
        assert hit == pytest.approx(oracle(*name, DAY, batch=True, cache_read_tokens=prefix, **tokens), abs=1e-9)
        assert missed == pytest.approx(oracle(*name, DAY, batch=True, cache_write_tokens=prefix, **tokens), abs=1e-9)


def test_the_long_context_tier_of_gpt_5_4_starts_above_272000_tokens():
    """272,000 x $2.50/M = $0.68; one token more pays $5/M for all of them: 272,001 x 5 / 1e6 = $1.360005."""
    price = find_api_price("openai", "gpt-5.4", DAY)
    assert price.edges_tokens == (0, 272_000)
    assert usd(price, 272_000, (price.input_usd_per_mtok, 272_000)) == pytest.approx(0.68)
    assert usd(price, 272_001, (price.input_usd_per_mtok, 272_001)) == pytest.approx(1.360005)


@pytest.mark.parametrize(
    ("name", "before", "after", "rates"),
    [
        (("openai", "o3"), date(2025, 6, 9), date(2025, 6, 10), (10, 2)),
        (("openai", "gpt-5.6-sol"), date(2026, 8, 20), date(2026, 8, 21), (5, 4)),
        (("google", "gemini-4-argon"), date(2026, 11, 30), date(2026, 12, 1), (2, 4)),
    ],
)
def test_a_price_that_changed_is_the_one_of_the_day(name, before, after, rates):
    assert find_api_price(*name, before).input_usd_per_mtok[0] == rates[0]
    assert find_api_price(*name, after).input_usd_per_mtok[0] == rates[1]


def test_an_announced_change_is_known_from_the_day_on_which_it_was_announced():
    """genai-prices 0.2.3 (2026-11-10) holds gemini-4-argon's doubling of 2026-12-01."""
    assert find_api_price("google", "gemini-4-argon", DAY).changes_on == date(2026, 12, 1)
    assert find_api_price("google", "gemini-4-argon", date(2026, 11, 9)).changes_on is None
    assert find_api_price("google", "gemini-4-argon", date(2026, 12, 2)).changes_on is None


def test_batch_and_cache_combine_only_where_the_provider_says_so():
    """Anthropic halves cached input too: haiku 5.5 reads at 0.01, in batch at 0.005, and writes at 0.125 and 0.0625.

    OpenAI's batch table lists no cached rate for gpt-4o, and groq bills cached batch input as batch input.
    """
    haiku = find_api_price("anthropic", "claude-haiku-5-5", DAY)
    assert haiku.batch_cache_read_usd_per_mtok == (0.005, 0.025)
    assert haiku.batch_cache_write_usd_per_mtok == (0.0625, 0.3125)
    assert find_api_price("openai", "gpt-4o", DAY).batch_cache_read_usd_per_mtok is None
    assert find_api_price("groq", "openai/gpt-oss-20b", DAY).batch_cache_read_usd_per_mtok is None


def test_batch_costs_what_was_first_listed_before_any_list_has_it():
    """gpt-6-sol: 1 and 5 in batch from 2026-10-14, and the standard price did not move. The note says which day's it is."""
    before, first = (find_api_price("openai", "gpt-6-sol", date(2026, *day)) for day in ((9, 1), (10, 14)))
    assert before.batch_input_usd_per_mtok == first.batch_input_usd_per_mtok == (1.0, 2.0)
    assert before.batch_output_usd_per_mtok == first.batch_output_usd_per_mtok == (5.0, 7.5)
    assert "batch prices as they were first listed, on 2026-10-14" in before.note
    assert "first listed" not in first.note
    never = find_api_price("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", date(2026, 9, 1))
    assert never.batch_input_usd_per_mtok is None


def test_a_rate_that_the_batch_variant_omits_keeps_the_standard_one():
    """Gemini 2.5 Pro: batch halves 1.25 to 0.625; cached tokens stay at 0.125."""
    price = find_api_price("google", "gemini-2.5-pro", DAY)
    assert price.batch_input_usd_per_mtok == (0.625, 1.25)
    assert price.batch_cache_read_usd_per_mtok == price.cache_read_usd_per_mtok == (0.125, 0.25)


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-4o", 1024),
        ("anthropic", "claude-haiku-4-5", 4096),
        ("anthropic", "claude-haiku-5-5", 512),
        ("anthropic", "claude-sonnet-5", 1024),
        ("anthropic", "claude-sonnet-5-5", 512),
        ("anthropic", "claude-opus-4-7", 2048),
        ("google", "gemini-2.5-flash", 2048),
        ("google", "gemini-3.8-flash", 4096),
        ("deepseek", "deepseek-v4-flash", 64),
    ],
)
def test_the_shortest_cached_prefix_is_the_providers(provider, model, tokens):
    rule = cache_minimum(provider, model)
    assert rule is not None
    assert rule.minimum_tokens == tokens
    assert find_api_price(provider, model, DAY).cache_minimum_tokens == tokens


def test_a_model_without_a_cache_has_no_minimum_and_an_unread_provider_says_assumed():
    assert find_api_price("groq", "llama-3.1-8b-instant", DAY).cache_minimum_tokens is None
    assumed = find_api_price("fireworks", "gpt-oss-20b", DAY)
    assert assumed.cache_minimum_tokens == 1024
    assert "shortest cached prefix assumed" in assumed.note


@pytest.mark.parametrize(
    ("spelled", "provider", "model"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("together/meta-llama/Llama-3.3-70B-Instruct-Turbo", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
        ("gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("gpt-4o-mini-2024-07-18", "openai", "gpt-4o-mini"),
        ("deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct", "deepinfra", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
        ("ft:gpt-4.1-mini-2025-04-14:acme::x1", "openai", "ft:gpt-4.1-mini-2025-04-14"),
    ],
)
def test_a_model_is_found_by_the_name_that_its_users_write(spelled, provider, model):
    price = find_api_price(None, spelled, DAY)
    assert (price.provider, price.model) == (provider, model)
    assert find_api_price(price.provider, price.model, DAY).input_usd_per_mtok == price.input_usd_per_mtok


@pytest.mark.parametrize("spelled", ["antropic/claude-haiku-5-5", "zzz/claude-haiku-5-5"])
def test_a_provider_that_nobody_knows_is_no_part_of_a_name(spelled):
    """genai-prices finds claude-haiku-5-5 by the end of the name, and named google's."""
    with pytest.raises(UnknownName, match=r"nearest: .*claude-haiku-5-5"):
        find_api_price(None, spelled, DAY)


def test_hosted_rows_fill_what_genai_prices_lacks():
    """DeepInfra Llama 3.1 8B Turbo: 1M in + 1M out = 0.02 + 0.04 = $0.06; no batch and no cache are known."""
    price = find_api_price("deepinfra", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", DAY)
    assert price.input_usd_per_mtok[0] + price.output_usd_per_mtok[0] == pytest.approx(0.06)
    assert price.batch_input_usd_per_mtok is None
    assert price.cache_read_usd_per_mtok is None
    with pytest.raises(ScenarioError, match=r"as_of.*earliest price of deepinfra/.* is of 2026-11-20"):
        find_api_price("deepinfra", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", date(2026, 11, 1))


def test_a_name_that_several_providers_have_must_be_completed():
    with pytest.raises(ScenarioError, match=r"incumbent: 'claude-haiku-5-5'.*anthropic/claude-haiku-5-5, .*google/"):
        find_api_price(None, "claude-haiku-5-5", DAY, "incumbent")


@pytest.mark.parametrize(
    ("provider", "model", "message"),
    [
        ("opnai", "gpt-4o", "unknown provider 'opnai'; nearest: openai"),
        ("openai", "gpt-4oo", "unknown model at openai: 'gpt-4oo'; nearest: gpt-4o"),
        (None, "gpt-4o-minii", "unknown model 'gpt-4o-minii'; nearest: openai/gpt-4o-mini"),
        ("aws", "gpt-6-solxyz", "unknown model at aws: 'gpt-6-solxyz'; nearest: global.openai.gpt-6-sol"),
        ("aws", "us.amazon.nova-lite-v1:0-mini", "unknown model at aws: .*; nearest: .*amazon.nova-lite-v1:0"),
        ("openai", "gpt-6-soll", "unknown model at openai: 'gpt-6-soll'; nearest: gpt-6-sol"),
        ("anthropic", "claude-haiku-4-5-mini", "unknown model at anthropic: .*; nearest: claude-haiku-4-5"),
        ("google", "gemini-1.5-flash-8b", "unknown model at google: 'gemini-1.5-flash-8b'; nearest: gemini-flash-1.5-8b"),
        ("deepseek", "deepseek-r1-distill-qwen-32b", "unknown model at deepseek: 'deepseek-r1-distill-qwen-32b'"),
        ("openai", "ft:gpt-4.1-mini", "unknown model at openai: .*; nearest: ft:gpt-4.1-mini-2025-04-14, "),
        ("azure", "our-o4-mini", "unknown model at azure: 'our-o4-mini'; nearest: o4-mini"),
        (None, "claude-opus-4-6-fast", "unknown model 'claude-opus-4-6-fast'; nearest: .*claude-opus-4-6"),
    ],
)
def test_an_unknown_name_offers_the_nearest(provider, model, message):
    with pytest.raises(UnknownName, match=message):
        find_api_price(provider, model, DAY)


@every_row("provider, spelled, listed", [
    ("aws", "us.openai.gpt-6-sol", "regional.openai.gpt-6-sol"),
    ("aws", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
     "regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("aws", "amazon.nova-lite-v1:0:24k", "amazon.nova-lite-v1:0"),
    ("aws", "claude-opus-4-5-20251101", "regional.anthropic.claude-opus-4-5-v1:0"),
    ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
    ("anthropic", "claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
    ("anthropic", "claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
    ("anthropic", "claude-4.6-opus-high-thinking", "claude-opus-4-6"),
    ("anthropic", "claude-2.1", "claude-2"),
    ("google", "claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"),
    ("google", "publishers/anthropic/models/claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    ("google", "publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
    ("google", "models/gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
    ("google", "gemini-2.0-flash-001", "gemini-2.0-flash"),
    ("google", "gemini-2.5-flash-native-audio-preview-12-2025", "gemini-live-2.5-flash"),
    ("google", "gemini-live-2.5-flash-preview-native-audio-09-2025", "gemini-live-2.5-flash"),
    ("azure", "gpt-4o-mini-2024-07-18.ft-0f1c2d", "gpt-4o-mini-2024-07-18.ft-"),
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme:tags:Ab12Cd", "ft:gpt-4o-mini"),
    ("openai", "gpt-4.5-preview-2025-02-27", "gpt-4.5-preview"),
    ("mistral", "magistral-medium-2506", "magistral-medium"),
    ("deepseek", "deepseek-r1-0528", "deepseek-reasoner"),
])
def test_what_vendors_put_around_a_name_makes_no_other_model(provider, spelled, listed):
    """Captured names: the vendors' lists of models, and the request logs of genai-prices' own tests."""
    found = genai_model(provider, spelled)
    assert found is not None
    assert found.id == listed


@pytest.mark.parametrize(("spelled", "listed"), [
    ("anthropic.claude-sonnet-4-5", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("global.anthropic.claude-sonnet-4-5", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("amazon.nova-2-lite", "regional.amazon.nova-2-lite-v1:0"),
    ("anthropic.claude-3-5-sonnet-v2", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("mistral.mistral-large", "mistral.mistral-large-2402-v1:0"),
    ("mistral.mistral-large-2407", None),
    ("anthropic.claude-sonnet", None),
])
def test_a_name_of_bedrock_without_its_revision_is_the_one_that_is_listed(spelled, listed):
    """Both of Claude 3.5 Sonnet have one price; Mistral Large of 2407 had half that of 2402."""
    found = genai_model("aws", spelled)
    assert (found and found.id) == listed


@pytest.mark.parametrize(("provider", "other"), [
    ("aws", "mistral.mistral-7b-instruct-v1:2"), ("aws", "nvidia.nemotron-nano-9b-v3"), ("anthropic", "claude-v4"),
    ("openrouter", "amazon/nova-lite-v2"), ("openrouter", "kwaipilot/kat-coder-pro-v3"), ("groq", "whisper-large-v4"),
])
def test_another_version_than_is_listed_is_another_model(provider, other):
    assert genai_model(provider, other) is None


@pytest.mark.full
def test_every_listed_name_means_its_model_and_no_longer_one_of_another_name():
    """2,268 names; one with -foo added is known nowhere, one with -mini or -pro only where the sources write just that."""
    listed = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]
    assert len(listed) > 2000
    assert [pair for pair in listed if genai_model(*pair) is None] == []
    assert [pair for pair in listed if genai_model(pair[0], f"{pair[1]}-foo") is not None] == []
    longer = [(provider, f"{name}-{end}") for provider, name in listed for end in ("mini", "pro")]
    taken = [(name.lower(), found) for provider, name in longer if (found := genai_model(provider, name)) is not None]
    assert [name for name, found in taken if f"'{name}'" not in f"'{found.id}' {found.match}".lower()] == []


def test_a_model_without_a_token_price_is_an_error_not_zero():
    with pytest.raises(ScenarioError, match="no price per input and output token"):
        find_api_price("openrouter", "qwen/qwq-32b:free", DAY)
    with pytest.raises(ScenarioError, match="no price per input and output token"):
        find_api_price("openai", "text-embedding-3-small", DAY)


def test_an_embedding_models_input_price_is_named_with_what_to_write():
    """$0.02 a million tokens in, none out; of a model that is free the fields are named, and no price."""
    with pytest.raises(ScenarioError, match=r"state a price, as apis=\{openai/text-embedding-3-small: \{input_usd_per_mtok:"
                                            r" 0.02, output_usd_per_mtok: 0\}\}"):
        find_api_price("openai", "text-embedding-3-small", DAY)
    with pytest.raises(ScenarioError, match=r"\{openrouter/qwen/qwq-32b:free: \{input_usd_per_mtok: USD,"):
        find_api_price("openrouter", "qwen/qwq-32b:free", DAY)


@pytest.mark.parametrize("name", ["gpt-4o-transcribe", "gpt-4o-mini-tts", "gpt-realtime-2", "chatgpt-image-latest"])
def test_a_model_of_speech_or_images_is_not_priced_as_one_of_text(name):
    """gpt-4o-transcribe: $2.50 a million tokens of text, $6 of speech; by the former alone it passed for a text model."""
    with pytest.raises(ScenarioError, match="its tokens are not those of text"):
        find_api_price("openai", name, DAY)


def test_a_fee_per_request_is_not_left_out_in_silence():
    """Perplexity's sonar takes $12 per 1,000 requests: 1,000 tokens in and 500 out would look nine times too cheap."""
    with pytest.raises(ScenarioError, match="12 USD per 1000 requests besides tokens"):
        find_api_price("perplexity", "sonar", DAY)


def test_no_price_of_the_catalog_is_zero_and_every_one_says_where_it_comes_from():
    priced = 0
    for provider in provider_names():
        for model in model_names(provider):
            try:
                price = find_api_price(provider, model, DAY)
            except ScenarioError:
                continue
            priced += 1
            assert min(price.input_usd_per_mtok) > 0, model
            assert price.source
            assert price.date <= DAY
    assert priced > 1900


def test_deprecated_models_and_hourly_prices_carry_a_note():
    assert "12:00 UTC" in find_api_price("deepseek", "deepseek-v4-flash", DAY).note
    assert "deprecated" in find_api_price("avian", "Meta-Llama-3.3-70B-Instruct", DAY).note
    assert "maker's list price" in find_api_price("azure", "gpt-4o", DAY).note


def test_a_price_older_than_90_days_is_stale():
    """genai-prices 0.2.3 is of 2026-11-10: 14 days old on 2026-11-24, 91 on 2027-02-09."""
    assert (DAY - find_api_price("openai", "gpt-4o", DAY).date).days == 14
    later = date(2027, 2, 9)
    assert (later - find_api_price("openai", "gpt-4o", later).date).days == 91 > STALE_DAYS
    earlier = date(2026, 9, 1)
    assert (earlier - find_api_price("openai", "gpt-4o", earlier).date).days == 0


def test_a_retirement_is_known_from_its_announcement_on():
    """OpenAI said on 2026-05-07 that gpt-4o ends on 2027-01-14."""
    assert retirement("openai", "gpt-4o", date(2026, 5, 6)) is None
    known = retirement("openai", "gpt-4o-2024-08-06", date(2026, 5, 7))
    assert known is not None
    assert known.retires_on == date(2027, 1, 14)
    tuned = retirement("openai", "ft:gpt-4.1-mini-2025-04-14:acme::x1", DAY)
    assert tuned is not None
    assert tuned.retires_on == date(2027, 1, 14)
    assert retirement("openai", "gpt-6-luna", DAY) is None


def test_an_end_that_has_passed_is_known_whenever_it_was_read():
    """o4-mini ended on 2026-10-23; the date was read in a file of 2026-11-20."""
    assert retirement("openai", "o4-mini", date(2026, 10, 22)) is None
    assert retirement("openai", "o4-mini", date(2026, 10, 23)) is not None


def test_rows_about_vendors_have_a_source_and_a_date():
    sizes = read_rows("prices/instance_sizes.csv", InstanceSize)
    assert {row.vendor for row in sizes} <= {row.vendor for row in read_rows("prices/rentals.csv", RentalOffer)}
    rows = (*read_rows("prices/retirements.csv", Retirement), *read_rows("prices/cache_minimums.csv", CacheMinimum), *sizes)
    assert len(rows) > 40
    assert all(row.source and row.date.year > 2020 for row in rows)


def test_importing_the_catalog_does_not_import_genai_prices():
    code = "import roi.catalog.prices.api_prices, sys; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_are_found_as_by_asking_every_rule_and_names_that_none_has_without_asking_any(monkeypatch):
    """Every twentieth model of genai-prices at every provider, as it is and as vendors write it."""
    every = list(api_prices._providers().values())
    names = [each for p in every for m in p.models for each in (m.id, f"models/{m.id}-20260812", f"eu.{m.id.upper()}@latest")]

    def by_rules(provider, name):
        bare = api_prices.MODELS_PATH.sub("", name)
        found = provider.find_model(bare, all_providers=every)
        meant = () if found is None else {api_prices._without_around(x) for x in (found.id, *api_prices._texts(found.match))}
        return found if api_prices._without_around(bare) in meant else None

    for name in names[::61]:
        assert [api_prices._found_model(p, name, every) for p in every] == [by_rules(p, name) for p in every]
    monkeypatch.setattr(type(every[0]), "find_model", None)
    assert api_prices.sellers_of("in-house-model-4711") == []


def test_a_context_is_not_known_where_longer_calls_have_a_price_of_their_own() -> None:
    """claude-sonnet-4-5 is listed with 200,000 tokens of context and with a price above 200,000 of input."""
    assert find_api_price("anthropic", "claude-sonnet-4-5", date(2026, 11, 24)).context_tokens is None
    assert find_api_price("anthropic", "claude-haiku-5-5", date(2026, 11, 24)).context_tokens == 1_000_000
