"""Figures and facts in the words of the reader."""

import math
import re

import pytest

from roi.disk import packaged_rows
from roi.facts.fact import Basis, Fact
from roi.report.layout.wording import (
    chance,
    fact_name,
    fact_range,
    figure,
    money_of,
    months,
    number_of,
    percent,
    quantity,
    requests,
    told_apart,
    usd,
)
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario


@pytest.mark.parametrize(("x", "words"), [
    (1234.4, "$1,234"), (-56.7, "-$57"), (0.42, "$0.42"), (0.0020, "$0.002"), (0.715, "$0.715"), (0.0, "$0"), (9.999, "$10"),
    (-1e-12, "$0"), (-0.0, "$0"),
])
def test_usd_is_rounded_as_people_write_it(x: float, words: str) -> None:
    assert usd(x) == words


def test_figures_have_three_digits() -> None:
    assert [figure(x) for x in (24336.2, 0.3512, 1.0, 999.6, 1e6, 0.0)] == ["24,300", "0.351", "1", "1,000", "1,000,000", "0"]


def test_tokens_of_a_prompt_below_ten_thousand_are_told_whole() -> None:
    """1,024 is no 1,020; from 10,000 on, and of anything else than tokens, three digits stand as before."""
    told = [quantity(x, "tokens") for x in (1024.0, 9999.0, 12_345.0, 512.0, 56.78)]
    assert told == ["1,024", "9,999", "12,300", "512", "56.8"]
    assert quantity(1024.0, "requests") == "1,020 requests"
    fact = Fact(value=1500.0, low=1024.0, high=2049.4, unit="tokens", basis=Basis.ASSUMED, source="test")
    assert fact_range(fact) == "1,024 to 2,049"


def test_shares_and_chances_never_round_to_none_or_all() -> None:
    assert [percent(x) for x in (0.0, 0.129, 0.1, 1.0, 0.0001, 5.0)] == ["0%", "12.9%", "10%", "100%", "<0.1%", "500%"]
    assert [chance(x) for x in (None, 0.0, 0.001, 0.5, 0.999, 1.0)] == ["-", "0%", "<1%", "50%", ">99%", "100%"]


def test_months_and_requests_name_their_ends() -> None:
    assert [months(x, 36) for x in (0.0, 12.34, 36.0, math.inf)] == ["at once", "12.3", "36.0", "never"]
    assert [requests(x) for x in (None, 0.0, 24336.0)] == ["never", "any", "24,300"]


def test_money_of_a_table_shares_one_unit_of_at_most_nine_characters() -> None:
    assert money_of([5.0, -0.004])(-0.004) == "0.00"
    for most, unit in ((99.0, "USD"), (9_999_999.0, "USD"), (4.2e9, "kUSD"), (7e12, "MUSD"), (4e18, "tn USD")):
        money = money_of([most])
        assert money.unit == unit
        assert len(money(most)) <= 9
    assert money_of([11_837_007.0], below=1e9)(4_250.0) == "4,250"


@pytest.mark.parametrize(("path", "name"), [
    ("workload.requests_per_day", "requests a day"),
    ("drift.gpu_rent_per_year", "GPU rent drift"),
    ("vendors.openai/gpt-4.1.first_end_months", "end of openai/gpt-4.1"),
    ("systems.qwen3-8b+lora.error_rate", "error rate of qwen3-8b+lora"),
    ("changes.api.setup_hours", "set-up hours, another API model"),
    ("platform.load_balancer_usd_per_month", "platform: load_balancer"),
    ("some.new_fact", "new fact (some)"),
])
def test_facts_have_names(path: str, name: str) -> None:
    assert fact_name(path) == name


def test_every_pattern_finds_the_part_of_a_path_that_its_words_hold() -> None:
    rows = packaged_rows("report/layout/fact_names.csv")
    assert [path for path, _ in rows if "(" in path and re.compile(path).groups != 1] == []


@pytest.mark.parametrize("hosted", [
    "[qwen3-8b]", pytest.param("[gpt-oss-20b, mixtral-8x7b, qwen3-30b-a3b, qwen3-8b]", marks=pytest.mark.slow)])
def test_every_fact_of_dense_models_and_of_mixtures_has_a_name_and_every_uncertain_one_its_own(hosted: str) -> None:
    case = resolve(load_scenario(overrides=(f"candidates.self_hosted={hosted}",))).case
    assert all(map(fact_name, case.facts))
    names = [fact_name(path) for path in case.uncertain]
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.endswith(")") and "(tuned)" not in name and name != "power overhead (PUE)"]


@pytest.mark.parametrize(("low", "high", "unit", "words"), [
    (0.05, 0.5, "share", "5% to 50%"), (-0.2, 0.4, "1/year", "-20% to +40%/year"), (16.0, 100.0, "hours", "16 to 100 hours"),
    (70.0, 150.0, "USD/hour", "$70 to $150/hour"), (0.4, 1.6, "ratio", "0.4 to 1.6"),
])
def test_ranges_are_told_in_their_unit(low: float, high: float, unit: str, words: str) -> None:
    fact = Fact(value=(low + high) / 2, low=low, high=high, unit=unit, basis=Basis.ASSUMED, source="test")
    assert fact_range(fact) == words


@pytest.mark.parametrize(("words", "x", "y", "told"), [
    (percent, 0.05981, 0.06, ("5.98%", "6%")), (percent, 0.06, 0.08, ("6%", "8%")), (percent, 0.06, 0.06, ("6%", "6%")),
    (percent, 0.79996, 0.8, ("79.996%", "80%")), (percent, 0.0001, 0.0003, ("0.01%", "0.03%")),
    (requests, 76_120.0, 76_100.0, ("76,120", "76,100")), (usd, 12.34, 12.0, ("$12.34", "$12.00")),
    (figure, 1.0004, 1.0, ("1.0004", "1")),
])
def test_numbers_that_are_compared_print_with_the_digits_that_tell_them_apart(words, x, y, told):
    assert told_apart(words, x, y) == told


@pytest.mark.parametrize(("count", "told"), [
    (1, "1 day"), (1.0, "1 day"), (0, "0 days"), (2400, "2,400 days"), (1.5, "1.5 days"), (2_000_000.0, "2,000,000 days"),
])
def test_a_number_and_what_it_counts_agree(count, told):
    assert number_of(count, "day") == told


@pytest.mark.parametrize(("low", "high", "words"), [
    (0.10, 0.12, "$0.10 to $0.12/hour"), (0.1001, 0.1002, "$0.10/hour"), (-0.001, 0.001, "-$0.001 to $0.001/hour"),
    (-1e-12, 0.0, "$0/hour"),
])
def test_a_range_whose_ends_print_alike_is_one_value(low, high, words):
    fact = Fact(value=low, unit="USD/hour", basis=Basis.STATED, source="s", low=low, high=high)
    assert fact_range(fact) == words
