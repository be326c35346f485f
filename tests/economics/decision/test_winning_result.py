"""The result that a test must have is the one that the verdict then takes: fed back as a score, one wrong answer turns it."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from quiet_scenario import CHEAPER, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.turning.winning_result import winning_result
from roi.economics.decision.weighing import weigh
from roi.report.comparison.findings import wins_at

NAMES = "both_right", "only_incumbent", "only_this", "both_wrong"


def told(luna: dict[str, Any], usd_per_error: float, bar: float = 0.0, today: dict[str, Any] | float = 0.96) -> Comparison:
    """gpt-6-luna, which saves $10,118 a month less 2,628,000 x what more is wrong, against staying."""
    return compare(case_of(
        draws=4096, candidates={"cascade_first": [], "self_hosted": []},
        quality={"scores": {"gpt-5.4": today, "gpt-6-luna": luna}, "usd_per_error": usd_per_error, "bar": bar},
    ), thresholds=False)  # fmt: skip


def paired(both: float, lost: float, won: float, neither: float, usd_per_error: float) -> Comparison:
    """Both on the same items, so many right on both, on gpt-5.4 alone, on luna alone, on none."""
    n = both + lost + won + neither
    pairs = dict(zip(NAMES, (both, lost, won, neither), strict=True))
    luna = {"value": (both + won) / n, "items": round(n), "paired": pairs}
    return told(luna, usd_per_error, today={"value": (both + lost) / n, "items": round(n)})


@pytest.mark.parametrize(("usd_per_error", "bar"), [(0.10, 0.0), (0.10, 0.9), pytest.param(0.15, 0.0, marks=pytest.mark.full)])
def test_one_wrong_answer_more_than_is_told_leaves_the_advice_as_it_was(usd_per_error: float, bar: float) -> None:
    """Items are pooled with the 200 that were judged before; the mean alone would let more be wrong than the chance of 60%."""
    v = told({"value": 0.92, "items": 200}, usd_per_error, bar).verdict
    assert v.leader == "stay"
    assert v.then is not None
    assert v.then.items is not None
    assert v.wins_at_error_rate is not None
    assert v.wins_on_items == v.then.items + 200
    most = round(v.wins_at_error_rate * v.wins_on_items)
    for wrong, leader in ((most, CHEAPER), (most + 1, "stay")):
        fed = told({"value": 1.0 - wrong / v.wins_on_items, "items": v.wins_on_items}, usd_per_error, bar)
        assert fed.verdict.leader == leader
    even = 0.04 + 10_118.0 / 2_628_000.0 / usd_per_error
    assert most / v.wins_on_items < even - 0.001


@pytest.mark.full
def test_of_what_is_advised_already_one_wrong_answer_more_than_is_told_ends_the_advice() -> None:
    """7 of 120 were wrong, against 4% of today's: a test may show that it is more. The screen says the last that does not."""
    c = told({"value": 113 / 120, "items": 120}, 0.15)
    v = c.verdict
    assert v.leader == CHEAPER
    e = v.measure_first or v.then
    assert e is not None
    assert (e.option, e.kind, e.paired) == (CHEAPER, "evaluate", False)
    assert v.wins_at_error_rate is not None
    assert v.wins_on_items == (e.items or 0) + 120
    most = round(v.wins_at_error_rate * v.wins_on_items)
    for wrong, leader in ((most, CHEAPER), (most + 1, "stay")):
        assert told({"value": 1.0 - wrong / v.wins_on_items, "items": v.wins_on_items}, 0.15).verdict.leader == leader
    rates = [f"{100 * rate:.3g}%" for rate in (most / v.wins_on_items, c.leader.quality.error_rate)]
    assert wins_at(c, e) == (f" It stops winning if more than {most} of its answers to all {v.wins_on_items} items then judged"
                             f" are wrong, {rates[0]} (so far: {rates[1]}).")


def test_beside_todays_model_two_wrong_answers_either_way_turn_the_advice() -> None:
    """Pairs of which 8% differ, as of the 200 judged before, at $0.13 each: within what a normal law and a Beta differ by."""
    c = paired(180, 12, 4, 4, 0.13)
    v = c.verdict
    assert v.leader == "stay"
    assert v.then is not None
    assert v.then.paired
    assert v.wins_at_error_rate is not None
    assert v.wins_on_items == (v.then.items or 0) + 200
    n, today = v.wins_on_items, next(o for o in c.options if o.id == "stay").quality.error_rate
    more, differ, wrong = (v.wins_at_error_rate - today) * n, 0.08 * n, 0.04 * n
    for off, leader in ((-2.0, CHEAPER), (2.0, "stay")):
        won = (differ - more - off) / 2.0
        lost = won + more + off
        assert paired(n - lost - wrong, lost, won, wrong - won, 0.13).verdict.leader == leader


def test_where_even_no_wrong_answer_pays_no_result_wins() -> None:
    """$10,118 a month for 24 months do not pay 2,600 h x $100, nor do today's 4% at $0.001; a quote has no rate."""
    case = case_of(draws=1024, candidates={"cascade_first": [], "self_hosted": []}, people={"setup_hours": {"api": 2_600.0}},
                   quality={"scores": {"gpt-5.4": 0.96, "gpt-6-luna": {"value": 0.9, "items": 50}}, "usd_per_error": 0.001})
    w = weigh(case)
    assert w.drawn is not None
    e = Experiment(kind="evaluate", option=CHEAPER, cost_usd=0.0, months=0.0, worth_usd=0.0, net_usd=0.0, first_net_usd=0.0,
                   evppi_usd=0.0, error_usd=0.0, items=400)
    asked = partial(winning_result, case, w.shared, w.options, w.central, w.drawn, w.chosen.candidates, "errors", w.results)
    assert asked(e) == (None, 450)
    assert asked(replace(e, kind="quote")) is None
    assert asked(replace(e, items=25)) is None  # of 75 items nothing is recommended
