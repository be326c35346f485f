"""What an option pays an API in a year, against genai-prices times volume: to 1e-9, before growth, drift and discount."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from genai_prices import Usage, calc_price

from roi.catalog.prices.vendors import cache_minimum
from roi.economics.decision.evaluation import Evaluated, evaluate, read_all
from roi.economics.inputs import Tokens
from roi.economics.lines.api_request import request_cost
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUESTS = 1000.0
YEAR = 365.0
MODELS = (
    "openai/gpt-6-luna",
    "openai/gpt-5.4",
    "openai/o3",
    "anthropic/claude-haiku-5-5",
    "anthropic/claude-sonnet-5-5",
    "anthropic/claude-haiku-4-5",
    "google/gemini-3.1-pro-preview",
    "groq/openai/gpt-oss-20b",
    "groq/llama-3.1-8b-instant",
    "mistral/mistral-small-latest",
    "deepseek/deepseek-v4-flash",
)
NONE = dict.fromkeys(
    ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware"), 0.0
)

Bins = list[tuple[int, int, float]]


def year(bins: Bins, paid: str = "openai/gpt-5.4", **blocks: Any) -> dict[str, Evaluated]:
    """Twelve months in which nothing moves and every option is live from the first day."""
    provider, _, model = paid.partition("/")
    data: dict[str, Any] = {
        "as_of": "2026-11-24",
        "horizon_months": 12,
        "discount_rate": 0.0,
        "draws": 0,
        "workload": {
            "requests_per_day": REQUESTS,
            "growth_per_year": 0.0,
            "lengths": [{"input_tokens": i, "output_tokens": o, "share": s} for i, o, s in bins],
            **blocks.pop("workload", {}),
        },
        "incumbent": {"provider": provider, "model": model, **blocks.pop("incumbent", {})},
        "timing": {"months_to_live": NONE, "months_in_parallel": 0.0},
        "drift": {"model_life_months": 1200.0},
        "candidates": {"api_models": [m for m in MODELS if m != paid], "by_length": False},
        **blocks,
    }
    case = resolve(check_scenario(data)).case
    shared, options = read_all(case, case.values())
    return {id: evaluate(shared, option, options) for id, option in options.items()}


def api_lines(c: dict[str, Evaluated], option: str) -> dict[str, float]:
    """What the API bills in the year, by line."""
    return {line.name: float(line.monthly.sum()) for line in c[option].costs.lines if line.name.startswith("API ")}


def api_usd(c: dict[str, Evaluated], option: str) -> float:
    """What the API bills in the year, all its lines."""
    return sum(api_lines(c, option).values())


def call(name: str, *, batch: bool = False, **tokens: int) -> float:
    """USD of one call, straight from genai-prices."""
    provider, _, model = name.partition("/")
    context = {"processing": "batch"} if batch else None
    found = calc_price(Usage(**tokens), model, provider_id=provider, genai_request_timestamp=NOON, price_context=context)
    return float(found.total_price)


def rates(name: str, *, batch: bool) -> set[str]:
    """Which rates genai-prices holds for this model."""
    provider, _, model = name.partition("/")
    context = {"processing": "batch"} if batch else None
    found = calc_price(Usage(input_tokens=1), model, provider_id=provider, genai_request_timestamp=NOON, price_context=context)
    prices = found.model.get_prices(NOON, context)
    return {key for key in ("cache_read_mtok", "cache_write_mtok") if getattr(prices, key) is not None}


def has_batch(name: str) -> bool:
    return call(name, batch=True, input_tokens=1000, output_tokens=1000) < call(name, input_tokens=1000, output_tokens=1000)


def reference(name: str, bins: Bins, *, prefix: int = 0, hit: float = 0.0, wait: float = 0.0, cache: bool = True) -> float:
    """USD a year: for every bin the cheaper of plain and cached, and for what can wait the cheaper of that and batch."""
    provider, _, model = name.partition("/")
    rule = cache_minimum(provider, model)

    def cheapest(total: int, output: int, *, batch: bool) -> float:
        found = call(name, batch=batch, input_tokens=total, output_tokens=output)
        own = rates(name, batch=batch)
        if not cache or "cache_read_mtok" not in own or rule is None or min(prefix, total) < rule.minimum_tokens:
            return found
        if prefix == 0 or (batch and not rule.combines_with_batch):
            return found
        cut = min(prefix, total)
        hits = call(name, batch=batch, input_tokens=total, output_tokens=output, cache_read_tokens=cut)
        written = {"cache_write_tokens": cut} if "cache_write_mtok" in own else {}
        misses = call(name, batch=batch, input_tokens=total, output_tokens=output, **written)
        return min(found, hit * hits + (1 - hit) * misses)

    each = 0.0
    for total, output, share in bins:
        now = cheapest(total, output, batch=False)
        later = min(now, cheapest(total, output, batch=True)) if wait and has_batch(name) else now
        each += share * ((1 - wait) * now + wait * later)
    return REQUESTS * YEAR * each


def agrees(c: dict[str, Evaluated], incumbent: str, bins: Bins, **how: Any) -> None:
    """Every API option of the comparison, against the reference."""
    for name in MODELS:
        if name != incumbent:
            expected = reference(name, bins, **how)
            assert api_usd(c, f"cheaper-api:{name}") == pytest.approx(expected, rel=1e-9), name


def test_plain_by_hand() -> None:
    """1,000 requests a day x 365 x (1,000 x $2.50/M + 100 x $15/M = $0.004) = $1,460 a year at gpt-5.4."""
    c = year([(1000, 100, 1.0)])
    assert api_usd(c, "stay") == pytest.approx(1460.0, rel=1e-12)


@pytest.mark.parametrize("incumbent", MODELS[:6])
def test_staying_costs_list_price_times_volume(incumbent: str) -> None:
    bins = [(700, 30, 0.25), (2000, 200, 0.75)]
    assert api_usd(year(bins, incumbent), "stay") == pytest.approx(reference(incumbent, bins, cache=False), rel=1e-9)


def test_every_plain_api_option_costs_list_price_times_volume() -> None:
    bins = [(700, 30, 0.25), (2000, 200, 0.75)]
    agrees(year(bins), "openai/gpt-5.4", bins)


@pytest.mark.parametrize("hit", [0.0, 0.2, 0.9, 1.0])
def test_cached_hits_and_written_misses_are_weighted(hit: float) -> None:
    """A hit reads the prefix; a miss writes it where writing has a price (Anthropic, gpt-6) and pays input elsewhere."""
    bins = [(5000, 100, 0.5), (9000, 300, 0.5)]
    c = year(bins, workload={"shared_prefix_tokens": 4500.0, "cache_hit_rate": hit}, incumbent={"uses_cache": True})
    agrees(c, "openai/gpt-5.4", bins, prefix=4500, hit=hit)
    expected = reference("openai/gpt-5.4", bins, prefix=4500, hit=hit)
    assert api_usd(c, "stay") == pytest.approx(expected, rel=1e-9)


def test_a_cache_write_costs_more_than_input_by_hand() -> None:
    """claude-sonnet-5-5, 10,000 in of which 8,000 shared, 75% hits, 100 out: 0.75 x 8,000 x $0.10/M = $0.0006 read,
    0.25 x 8,000 x $2.50/M = $0.005 written, 2,000 x $2/M = $0.004, 100 x $10/M = $0.001: $0.0106 a request.
    """
    c = year([(10_000, 100, 1.0)], workload={"shared_prefix_tokens": 8000.0, "cache_hit_rate": 0.75})
    by_name = api_lines(c, "cheaper-api:anthropic/claude-sonnet-5-5")
    calls = REQUESTS * YEAR
    assert by_name["API input, cache read"] == pytest.approx(calls * 0.0006)
    assert by_name["API input, cache write"] == pytest.approx(calls * 0.005)
    assert by_name["API input, uncached"] == pytest.approx(calls * 0.004)
    assert by_name["API output"] == pytest.approx(calls * 0.001)


def test_a_prefix_below_the_minimum_is_not_cached() -> None:
    """1,023 shared tokens: below OpenAI's 1,024, above the 512 of claude-haiku-5-5; 1,024 is enough."""
    bins = [(2000, 100, 1.0)]
    for prefix in (1023, 1024):
        c = year(
            bins,
            workload={"shared_prefix_tokens": float(prefix), "cache_hit_rate": 1.0},
            incumbent={"uses_cache": True},
        )
        agrees(c, "openai/gpt-5.4", bins, prefix=prefix, hit=1.0)
        assert ("API input, cache read" in api_lines(c, "stay")) == (prefix == 1024)


def test_a_request_shorter_than_the_prefix_is_all_prefix() -> None:
    """Bins of 1,200 and 6,000 tokens, 5,000 shared: the short one caches 1,200, the long one 5,000."""
    bins = [(1200, 50, 0.5), (6000, 50, 0.5)]
    c = year(bins, workload={"shared_prefix_tokens": 5000.0, "cache_hit_rate": 0.8})
    agrees(c, "openai/gpt-5.4", bins, prefix=5000, hit=0.8)


def test_a_cache_that_costs_more_than_it_saves_is_left_off() -> None:
    """Sonnet: 5% hits: 0.05 x $0.10 + 0.95 x $2.50 = $2.38/M > $2/M: nothing is cached."""
    bins = [(5000, 100, 1.0)]
    c = year(bins, workload={"shared_prefix_tokens": 4000.0, "cache_hit_rate": 0.05})
    assert set(api_lines(c, "cheaper-api:anthropic/claude-sonnet-5-5")) == {"API input, uncached", "API output"}
    agrees(c, "openai/gpt-5.4", bins, prefix=4000, hit=0.05)


@pytest.mark.parametrize("wait", [0.3, 1.0])
def test_what_can_wait_pays_the_batch_price(wait: float) -> None:
    bins = [(700, 30, 0.25), (2000, 200, 0.75)]
    c = year(bins, workload={"can_wait_share": wait}, incumbent={"batch_share": wait})
    agrees(c, "openai/gpt-5.4", bins, wait=wait)
    assert api_usd(c, "stay") == pytest.approx(reference("openai/gpt-5.4", bins, wait=wait, cache=False), rel=1e-9)


@pytest.mark.parametrize("hit", [0.5, 0.95])
def test_the_cheaper_of_batch_and_cache_is_taken_for_each_request(hit: float) -> None:
    """Where batch and cache do not combine (o3, groq), a request whose input is nearly all cached is cheaper at once."""
    bins = [(6000, 1, 0.5), (6000, 3000, 0.5)]
    c = year(bins, workload={"shared_prefix_tokens": 5900.0, "cache_hit_rate": hit, "can_wait_share": 0.5})
    agrees(c, "openai/gpt-5.4", bins, prefix=5900, hit=hit, wait=0.5)


def test_cache_against_batch_by_hand() -> None:
    """o3 (in $2, cached $0.50, out $8; batch half, no cached rate), 6,000 in, all cached on a hit, 1 or 3,000 out:
    short: cached 6,000 x $0.50/M + $0.000008 = $0.003008 < batch $0.006004; long: $0.003 + $0.024 = $0.027 > batch
    $0.006 + $0.012 = $0.018. Half each, all can wait: ($0.003008 + $0.018) / 2.
    """
    bins = [(6000, 1, 0.5), (6000, 3000, 0.5)]
    c = year(bins, workload={"shared_prefix_tokens": 6000.0, "cache_hit_rate": 1.0, "can_wait_share": 1.0})
    assert api_usd(c, "cheaper-api:openai/o3") == pytest.approx(REQUESTS * YEAR * (0.003008 + 0.018) / 2)


def test_the_tier_is_a_cliff_at_which_each_request_falls_by_itself() -> None:
    """claude-haiku-5-5: up to 100,000 tokens $0.10 in and $0.50 out, above it $0.50 and $2.50, for the whole call."""
    bins = [(100_000, 100, 0.5), (100_001, 100, 0.5)]
    c = year(bins)
    by_hand = 0.5 * (0.01 + 0.00005) + 0.5 * (100_001 * 0.5e-6 + 0.00025)
    assert api_usd(c, "cheaper-api:anthropic/claude-haiku-5-5") == pytest.approx(REQUESTS * YEAR * by_hand)
    agrees(c, "openai/gpt-5.4", bins)


def test_tiers_hold_for_cache_and_batch_prices_too() -> None:
    bins = [(50_000, 500, 0.4), (150_000, 800, 0.3), (272_000, 10, 0.2), (272_001, 10, 0.1)]
    c = year(
        bins,
        workload={"shared_prefix_tokens": 40_000.0, "cache_hit_rate": 0.7, "can_wait_share": 0.4},
        incumbent={"uses_cache": True, "batch_share": 0.4},
    )
    agrees(c, "openai/gpt-5.4", bins, prefix=40_000, hit=0.7, wait=0.4)
    expected = reference("openai/gpt-5.4", bins, prefix=40_000, hit=0.7, wait=0.4)
    assert api_usd(c, "stay") == pytest.approx(expected, rel=1e-9)


def test_switching_cache_and_batch_on_is_the_same_api_with_both() -> None:
    bins = [(6000, 200, 1.0)]
    c = year(bins, workload={"shared_prefix_tokens": 5000.0, "cache_hit_rate": 0.8, "can_wait_share": 0.4})
    assert api_usd(c, "stay") == pytest.approx(reference("openai/gpt-5.4", bins, cache=False), rel=1e-9)
    expected = reference("openai/gpt-5.4", bins, prefix=5000, hit=0.8, wait=0.4)
    assert api_usd(c, "cache-batch") == pytest.approx(expected, rel=1e-9)


def test_what_goes_through_batch_today_still_does_when_the_cache_is_switched_on() -> None:
    """40% in batch today and no share named that could wait besides: caching must not take batch away."""
    bins = [(6000, 200, 1.0)]
    c = year(bins, workload={"shared_prefix_tokens": 5000.0, "cache_hit_rate": 0.8}, incumbent={"batch_share": 0.4})
    expected = reference("openai/gpt-5.4", bins, prefix=5000, hit=0.8, wait=0.4)
    assert api_usd(c, "cache-batch") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("discount", [0.2, -0.1])
def test_a_discount_is_the_incumbents_alone(discount: float) -> None:
    """20% off: 0.8 of the list price for staying, all of it elsewhere; 1.1 where a region costs a tenth more."""
    bins = [(1000, 100, 1.0)]
    c = year(bins, incumbent={"discount": discount})
    assert api_usd(c, "stay") == pytest.approx((1 - discount) * 1460.0)
    agrees(c, "openai/gpt-5.4", bins)


def test_tokens_of_another_tokenizer_by_hand() -> None:
    """Ratio 1.5, twice as verbose, 50 reasoning tokens: 1,000 in -> 1,500; 100 out -> 100 x 1.5 x 2 + 50 = 350.
    At claude-sonnet-5-5: 1,500 x $2/M + 350 x $10/M = $0.0065.
    """
    c = year(
        [(1000, 100, 1.0)],
        tokens={"claude-sonnet-5-5": {"ratio": 1.5, "output_ratio": 2.0, "reasoning_tokens": 50.0}},
    )
    assert api_usd(c, "cheaper-api:anthropic/claude-sonnet-5-5") == pytest.approx(REQUESTS * YEAR * 0.0065)


def test_a_tuned_prompt_drops_only_the_prefix_that_a_request_has() -> None:
    """1,000 shared tokens of which tuning keeps none; requests of 500 (all prefix) and 1,500 tokens: 0 and 500 remain, 250
    on average. The mean request (1,000, all prefix) would have none left.
    """
    case = resolve(
        check_scenario(
            {
                "as_of": "2026-11-24",
                "draws": 0,
                "workload": {
                    "requests_per_day": 1.0,
                    "shared_prefix_tokens": 1000.0,
                    "lengths": [
                        {"input_tokens": 500, "output_tokens": 10, "share": 0.5},
                        {"input_tokens": 1500, "output_tokens": 10, "share": 0.5},
                    ],
                },
                "incumbent": {"provider": "openai", "model": "gpt-5.4"},
            }
        )
    ).case
    shared, options = read_all(case, case.values())
    api = options["stay"].api
    assert api is not None
    cost = request_cost(shared, Tokens(prefix_tokens=0.0), api, 0.0)
    assert float(np.asarray(cost.input_tokens)) == pytest.approx(250.0)
    batch = request_cost(shared, Tokens(), replace(api, batch_share=1.0), 0.0)
    assert float(np.asarray(batch.batch_tokens)) == pytest.approx(1000.0 + 10.0)  # of input and output
