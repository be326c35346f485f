"""Tokens that were spent at the list price of their day, and the list against what was paid."""

from datetime import date

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price

from roi.answers.usage import answer_usage
from roi.catalog.prices.token_rates import price_or_reason, token_rates
from roi.usage.measure.aggregate import SUMS, Spend
from roi.usage.measure.days import Days
from roi.usage.measure.pricing import day_of, price_spend
from roi.usage.measure.reconcile import reconcile
from roi.usage.read.columns import DAY_US
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize

DAY = (date(2026, 10, 20) - date(1970, 1, 1)).days


def spend(**over):
    tokens = dict.fromkeys(SUMS, 0) | over.pop("tokens", {})
    fields = {
        "day": DAY, "kind": "call", "source": "x", "provider": "openai", "model": "gpt-6-sol", "batch": False, "tier": None,
        "size_class": 0, "long_context": None, "costed": False, "dropped": None, "rows": 1, "requests": 1, "cost_usd": 0.0,
        "first_us": 0, "last_us": 0,
    }  # fmt: skip
    return Spend(**{**fields, **over}, tokens=tokens)


def priced(**over):
    return price_spend([spend(**over)])[0]


def test_standard_batch_and_flex_by_hand():
    """gpt-6-sol, 2026-10-20: 2 USD in, 0.2 read, 2.5 written, 10 out a million; batch and flex half of each.

    1M + 1M + 1M + 1M tokens: 2 + 0.2 + 2.5 + 10 = 14.7.
    """
    tokens = dict.fromkeys(("uncached_input", "cache_read", "cache_write", "output"), 1_000_000)
    assert priced(tokens=tokens).list_usd == pytest.approx(14.7)
    assert priced(tokens=tokens, batch=True).list_usd == pytest.approx(7.35)
    assert priced(tokens=tokens, tier="flex-tier").list_usd == pytest.approx(7.35)
    assert priced(tokens=tokens, tier="incentivized-tier").list_usd == 0.0


def test_writes_that_are_kept_an_hour_cost_more():
    """claude-opus-5: 6.25 USD a million written for five minutes, 10 for an hour: 0.4M + 0.6M = 2.5 + 6 = 8.5."""
    found = priced(provider="anthropic", model="claude-opus-5", tokens={"cache_write": 1_000_000, "cache_write_1h": 600_000})
    assert found.list_usd == pytest.approx(8.5)


def test_calls_above_an_edge_pay_the_next_tier_and_buckets_say_that_they_do_not_tell():
    """Size class 7 is above 272,000 (see test_usage_sums): 4 USD a million in, not 2."""
    tokens = {"uncached_input": 1_000_000}
    assert priced(tokens=tokens, size_class=7).list_usd == pytest.approx(4.0)
    assert priced(tokens=tokens, size_class=6).list_usd == pytest.approx(2.0)
    bucket = priced(tokens=tokens, kind="bucket", size_class=None)
    assert bucket.list_usd == pytest.approx(2.0)
    assert bucket.note == "calls above 272,000 input tokens cost more; a bucket does not tell them apart"
    few = priced(tokens=tokens, kind="bucket", size_class=None, requests=1000)  # 1,000 tokens each: far from any edge
    assert (few.list_usd, few.note) == (pytest.approx(2.0), "")
    assert priced(tokens=tokens, kind="bucket", size_class=None, requests=50).note == bucket.note  # 20,000 each
    assert priced(tokens=tokens, kind="bucket", size_class=None, long_context=True).list_usd == pytest.approx(4.0)
    told = priced(tokens=tokens, kind="bucket", size_class=None, long_context=False)
    assert (told.list_usd, told.note) == (pytest.approx(2.0), "")


def test_the_upper_bound_of_tokens_that_may_be_cached_is_what_the_other_reading_costs(tmp_path):
    """Of 150,000, 195,000 and 250,000 tokens in, 10,000 more may be cached: the second alone passes the edge of 200,000."""
    log = tmp_path / "log.csv"
    rows = "".join(f"2026-11-02T00:0{k}:00Z,gemini-2.5-pro,google,{given},0,10000\n" for k, given in enumerate((
        150_000, 195_000, 250_000)))
    log.write_text(f"time,model,provider,input_tokens,output_tokens,cached_tokens\n{rows}", encoding="utf-8")
    either, beside = (summarize(Question(files=(str(log),), options=FileOptions(includes_cache=said))).priced
                      for said in (None, False))
    assert sum(each.list_high_usd or 0.0 for each in either) == pytest.approx(sum(each.list_usd or 0.0 for each in beside))


@pytest.mark.parametrize(("provider", "model"), [
    ("openai", "gpt-4o-mini-2024-07-18"), ("openai", "gpt-6-luna"), ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-flash"),
])
def test_one_call_costs_what_genai_prices_says(provider, model):
    """Its `input_tokens` hold everything: 10,000 = 7,000 + 2,000 read + 1,000 written."""
    from datetime import UTC, datetime

    rates = token_rates(provider, model, date(2026, 10, 20))
    ours = rates.usd(0, uncached_input=7000, cache_read=2000, cache_write=1000, cache_write_1h=0, output=300)
    listed = calc_price(
        ListedUsage(input_tokens=10_000, cache_read_tokens=2000, cache_write_tokens=1000, output_tokens=300), model,
        provider_id=provider, genai_request_timestamp=datetime(2026, 10, 20, 12, tzinfo=UTC))
    assert ours == pytest.approx(float(listed.total_price), rel=1e-9)


def test_tokens_that_may_count_twice_give_an_upper_bound():
    """600 tokens of 1,000 may or may not be inside the input: 400 x 2 + 600 x 0.2, or 1,000 x 2 + 600 x 0.2, a million."""
    found = priced(tokens={"uncached_input": 400, "cache_read": 600, "perhaps_cached": 600})
    assert found.list_usd == pytest.approx((400 * 2 + 600 * 0.2) / 1e6)
    assert found.list_high_usd == pytest.approx((1000 * 2 + 600 * 0.2) / 1e6)


def test_an_unknown_model_has_no_price_and_a_reason():
    found = priced(model="no-such-model", tokens={"output": 5})
    assert found.list_usd is None
    assert found.usd is None
    assert "no-such-model" in found.note
    assert "no model" in priced(model=None).note
    assert isinstance(price_or_reason("nobody", "gpt-6-sol", date(2026, 10, 20)), str)


def test_days_count_from_1970():
    assert day_of(0) == date(1970, 1, 1)
    assert day_of(DAY) == date(2026, 10, 20)


def test_the_same_rows_give_the_price_part_of_the_gap():
    """Reported 1.5 against 2.0 at list: x 0.75, all of it price."""
    rows = price_spend([spend(tokens={"uncached_input": 1_000_000}, costed=True, cost_usd=1.5)])
    [found] = reconcile(rows, (), None, None)
    assert (found.basis, found.factor, found.price_factor, found.volume_factor) == ("calls", 0.75, 0.75, 1.0)
    assert found.far


def test_sums_of_a_month_are_of_all_its_days():
    """October's sum of 31 days, and the sum of its first day beside it: 31 days, none of them twice."""
    month = {"first_us": DAY * DAY_US, "last_us": (DAY + 31) * DAY_US}
    rows = price_spend([spend(day=DAY, kind="bucket", tokens={"uncached_input": 1_000_000}, costed=True, cost_usd=1.5, **ends)
                        for ends in (month, {**month, "last_us": (DAY + 1) * DAY_US})])
    [found] = reconcile(rows, (), None, None)
    assert found.days == 31


def test_costs_of_about_a_hundred_times_list_may_be_cents():
    """2.0 at list: 190 to 210 are 95 to 105 times that, and nothing beyond."""
    def asks(cost_usd: float) -> bool:
        rows = price_spend([spend(tokens={"uncached_input": 1_000_000}, costed=True, cost_usd=cost_usd)])
        return reconcile(rows, (), None, None)[0].may_be_cents

    assert [asks(usd) for usd in (189.0, 190.0, 200.0, 210.0, 211.0)] == [False, True, True, True, False]


def test_a_cost_export_is_compared_on_the_days_that_both_have():
    """2 USD a day at list on two days; paid 3 on the first of them and 5 on a third: 3 against 2."""
    rows = price_spend([spend(day=day, tokens={"uncached_input": 1_000_000}) for day in (DAY, DAY + 1)])
    costs = [spend(day=day, kind="cost", model=None, costed=True, cost_usd=usd) for day, usd in ((DAY, 3.0), (DAY + 2, 5.0))]
    [found] = reconcile(rows, costs, None, None)
    assert (found.basis, found.list_usd, found.actual_usd, found.days) == ("costs", 2.0, 3.0, 1)
    assert found.price_factor is None


def test_a_bill_is_compared_with_a_month_of_mean_days():
    """2 USD a complete day x 365/12 days = 60.83; the incomplete day is left out. Bill 73: x 1.2."""
    rows = price_spend([spend(day=day, tokens={"uncached_input": 1_000_000}) for day in (DAY, DAY + 1, DAY + 2)])
    days = Days(first=DAY, last=DAY + 2, complete=(DAY, DAY + 1), left_out=((DAY + 2, "ends at noon"),))
    [found] = reconcile(rows, (), 73.0, days)
    assert found.list_usd == pytest.approx(2 * 365 / 12)
    assert found.factor == pytest.approx(1.2)
    assert reconcile(rows, (), 73.0, None) == []


OWN_TERMS = """\
as_of: 2026-10-05
workload: {requests_per_day: 100, input_tokens: 900, output_tokens: 8}
incumbent: {provider: openai, model: gpt-6-luna, discount: 0.5}
apis:
  openai/gpt-5: {input_usd_per_mtok: 1.0, announced: [{from_date: 2026-10-06, price_ratio: 0.5}]}
  anthropic/claude-haiku-4-5: {discount: 0.2}
  acme/own-model: {input_usd_per_mtok: 2.0, output_usd_per_mtok: 4.0}
"""


def test_what_a_scenario_says_of_an_api_is_its_price_here_too(tmp_path):
    """A million in and a million out each. Public: gpt-5 1.25 + 10 = 11.25, haiku 1 + 5 = 6, gpt-4o 2.5 + 10 = 12.50.

    By the terms: gpt-5 1 + 10 = 11 on the 5th, and from the 6th on, under the name of its snapshot, half of what is stated and
    the list of that day, which did not move: 0.5 + 10 = 10.50; haiku 20% off: 4.80; own-model, which no list has, 2 + 4 = 6.
    They say nothing of gpt-4o, nor of gpt-5 at another provider.
    """
    log, scenario = tmp_path / "log.csv", tmp_path / "s.yaml"
    scenario.write_text(OWN_TERMS, encoding="utf-8")
    rows = ("5T10:00:00Z,openai,gpt-5,11", "6T10:00:00Z,openai,gpt-5-2025-08-07,10.5", "6T11:00:00Z,,claude-haiku-4-5,4.8",
            "6T12:00:00Z,,own-model,6", "6T13:00:00Z,openai,gpt-4o,12.5", "6T14:00:00Z,azure,gpt-5,11.25")
    lines = [f"2026-10-0{when},{provider},{model},1000000,1000000,{cost}"
             for when, provider, model, cost in (row.split(",") for row in rows)]
    log.write_text("\n".join(("time,provider,model,input_tokens,output_tokens,cost", *lines)) + "\n", encoding="utf-8")
    answer = answer_usage(Question(files=(str(log),), options=FileOptions(), incumbent="own-model"),
                          scenario=scenario, most=0, with_part=True)
    assert "provider: acme\n" in (answer.part or "")
    found = answer.spent
    assert [each.list_usd for each in found.priced] == pytest.approx([each.spend.cost_usd for each in found.priced])
    assert {each.provider: each.factor for each in found.reconciliations} == pytest.approx(
        dict.fromkeys(("openai", "anthropic", "azure", None), 1.0))
    told = next(note for note in found.notes if "--scenario" in note)
    assert told == (
        "the list price is by the terms of --scenario, on every day: claude-haiku-4-5 $4.80 ($6.00 at the public list),"
        " gpt-5-2025-08-07 $10.50 ($11.25 at the public list), openai/gpt-5 $11.00 ($11.25 at the public list), own-model"
        " $6.00 (no public price is known)")
