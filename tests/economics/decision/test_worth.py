"""What knowing more is worth, and which experiment pays: by hand, and against nested averages."""

from typing import Any

import numpy as np
import pytest
from quiet_scenario import CHEAPER, NONE, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.knowing import gain_of_knowing
from roi.numerics.sequence import sobol


def test_knowing_a_fact_is_worth_what_it_would_let_one_avoid() -> None:
    """a gains 10 while x is low and loses 6 while it is high: +2 on average. Who knows x stays when it is high: +5."""
    x = np.repeat([0.0, 1.0], 32)
    found = {"stay": np.zeros(64), "a": np.where(x == 0, 10.0, -6.0)}
    assert gain_of_knowing(found, x, ["stay", "a"]) == pytest.approx(3.0)


def test_an_option_that_nobody_tested_counts_once_the_fact_is_known() -> None:
    """b may be chosen only once x is known: +20 while x is low. Without x: a, +2. With it: 20 and 0 by turns, 10, 8 more."""
    x = np.repeat([0.0, 1.0], 32)
    found = {"stay": np.zeros(64), "a": np.full(64, 2.0), "b": np.where(x == 0, 20.0, -50.0)}
    assert gain_of_knowing(found, x, ["stay", "a"]) == 0.0
    assert gain_of_knowing(found, x, ["stay", "a"], ["b"]) == pytest.approx((20.0 + 2.0) / 2 - 2.0)


def test_a_fact_that_moves_nothing_is_worth_nothing_however_noisy_the_options_are() -> None:
    """Two options of equal mean and large spread: the best of each bin is noise, and noise earns nothing."""
    points = sobol(0, 4096, 4, 3)
    npv = {"stay": np.zeros(4096), "a": 1e6 * (points[:, 0] - 0.5), "b": 1e6 * (points[:, 1] - 0.5)}
    for known in (points[:, 2], points[:, 3]):
        assert gain_of_knowing(npv, known, ["stay", "a", "b"]) == 0.0


def test_the_worth_of_a_fact_agrees_with_the_integral() -> None:
    """NPV of a is 100 (x - 0.4) plus noise, x uniform: E[max(0, .)] = 100 x 0.6^2 / 2 = 18, less the mean of 10: 8."""
    points = sobol(0, 4096, 2, 5)
    a = 100.0 * (points[:, 0] - 0.4) + 50.0 * (points[:, 1] - 0.5)
    found = {"stay": np.zeros(4096), "a": a}
    assert gain_of_knowing(found, points[:, 0], ["stay", "a"]) == pytest.approx(8.0, rel=0.05)


def untested(**changes: Any) -> Comparison:
    """gpt-6-luna, which nobody tested, saves $10,118 a month; each wrong answer costs 10 cents."""
    quality = {"scores": {"gpt-5.4": 0.95}, "usd_per_error": 0.10, "bar": 0.0}
    only = {"cascade_first": [], "self_hosted": []}
    return compare(case_of(**{"draws": 1024, "quality": quality, "candidates": only, **changes}))


def by_items(items: float) -> Comparison:
    """The same with an evaluation of so many items, for $100."""
    return untested(evaluation={"usd": 100.0, "labels": items, "usd_per_label": 0.0})


def test_an_untested_option_is_worth_evaluating_and_the_cost_is_that_of_one_evaluation() -> None:
    """$100 + 300 labels x $1 = $400; worth what choosing between luna and staying after 300 items gains over staying."""
    c = untested()
    assert c.verdict.recommended == "stay"
    best = c.experiments[0]
    assert (best.kind, best.option, best.cost_usd) == ("evaluate", CHEAPER, pytest.approx(400.0))
    assert best.worth_usd > 0
    assert best.net_usd == pytest.approx(best.worth_usd - 400.0)
    assert c.verdict.then == best
    assert c.verdict.measure_first is None  # staying is no move: nothing is put off


def test_more_items_are_worth_more_and_never_more_than_knowing_the_rate() -> None:
    worth = [by_items(n).experiments[0].worth_usd for n in (5.0, 2000.0)]
    exact = next(d for d in by_items(5.0).drivers if "error_rate" in d.path)
    assert worth[0] < worth[1] <= (exact.worth_knowing_usd + 100.0) * 1.02  # the evaluation itself is not paid twice


def test_nothing_is_worth_measuring_where_everything_is_known() -> None:
    c = compare(case_of(draws=256, candidates={"cascade_first": [], "self_hosted": []},
                        quality={"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}}))
    assert c.verdict.then is None


def rivals(hours: float, months: float) -> Comparison:
    """gpt-5.2 is tested and saves $2,234 a month; gpt-6-luna, untested, may save $10,118. A change takes so many hours."""
    return compare(case_of(
        draws=1024, quality={"scores": {"gpt-5.4": 0.95, "gpt-5.2": 0.95}, "usd_per_error": 0.05},
        candidates={"api_models": ["openai/gpt-5.2", "openai/gpt-6-luna"], "cascade_first": [], "self_hosted": []},
        people={"setup_hours": {**NONE, "api": hours}}, evaluation={"usd": 400.0, "labels": 300.0, "usd_per_label": 0.0,
                                                                    "months": months},
    ))  # fmt: skip


def test_one_measures_first_where_a_move_costs_more_than_the_delay() -> None:
    """400 h x $100 for a model that is likely to be left again, against a week of $2,216 a month."""
    c = rivals(400.0, 0.25)
    assert c.verdict.measure_first is not None
    first = c.verdict.measure_first
    assert (first.kind, first.option) == ("evaluate", CHEAPER)
    assert c.verdict.recommended == "cheaper-api:openai/gpt-5.2"
    assert first.first_net_usd - first.net_usd == pytest.approx(40_400.0 - first.months * 2216.0, rel=0.2)


def test_one_moves_first_where_the_delay_costs_more_than_the_move() -> None:
    """Two months of $2,216 against a move that takes no hours: change now, measure then, and move on if it is better."""
    c = rivals(0.0, 2.0)
    assert c.verdict.measure_first is None
    assert c.verdict.then is not None
    assert c.verdict.then.option == CHEAPER
