"""Present value, payback, return and internal rate against numpy-financial, pyxirr and a plain loop."""

import math
from typing import Literal

import numpy as np
import numpy_financial as npf
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from roi.economics.finance import (
    accumulate,
    internal_rate,
    payback,
    payback_status,
    present_value,
    return_on_investment,
)

usd = st.integers(-1_000_000, 1_000_000).map(lambda cents: cents / 100)
flows = st.lists(usd, min_size=1, max_size=60)
rates = st.floats(0.0, 1.0)


@given(usd, flows, rates)
def test_present_value_is_npv_of_numpy_financial_and_pyxirr(upfront: float, monthly: list[float], annual: float) -> None:
    """Month 0 undiscounted, month t at (1 + R)^(-t/12); both libraries take the monthly rate (1 + R)^(1/12) - 1."""
    mine = present_value(upfront, np.array(monthly), annual)
    month = (1.0 + annual) ** (1.0 / 12.0) - 1.0
    scale = sum(abs(x) for x in (upfront, *monthly)) + 1.0
    assert mine == pytest.approx(npf.npv(month, [upfront, *monthly]), abs=1e-9 * scale)
    assert mine == pytest.approx(pyxirr.npv(month, [upfront, *monthly]), abs=1e-9 * scale)


def test_present_value_of_many_rows_is_that_of_each() -> None:
    """Two rows at 0%: 1 + 3 x 2 = 7 and 2 + 3 x 4 = 14."""
    many = present_value(np.array([[1.0], [2.0]]), np.array([[2.0] * 3, [4.0] * 3]), 0.0)
    assert np.asarray(many).ravel().tolist() == [7.0, 14.0]


@pytest.mark.full
@given(st.floats(0.3, 1.8), st.lists(st.integers(100, 10**7).map(lambda c: c / 100), min_size=2, max_size=36))
def test_internal_rate_is_irr_of_numpy_financial_and_pyxirr(price: float, saved: list[float]) -> None:
    """One change of sign (pay first, save later): the rate is unique, and all three agree on it."""
    spent = price * sum(saved)
    mine = internal_rate(-spent, np.array(saved))
    assert mine is not None
    month = (1.0 + mine) ** (1 / 12) - 1.0
    assert month == pytest.approx(pyxirr.irr([-spent, *saved]), rel=1e-6, abs=1e-8)
    assert month == pytest.approx(float(npf.irr([-spent, *saved])), rel=1e-6, abs=1e-8)


def test_internal_rate_is_found_where_the_sign_changes_often_but_one_rate_fits() -> None:
    """-100, then +60, -5, +60, -5, +60: five changes of sign, one real root of the polynomial."""
    flows = [-100.0, 60.0, -5.0, 60.0, -5.0, 60.0]
    roots = [1 / x.real - 1 for x in np.roots(flows[::-1]) if abs(x.imag) < 1e-12 and x.real > 0]

    assert len(roots) == 1
    assert internal_rate(flows[0], np.array(flows[1:])) == pytest.approx((1 + roots[0]) ** 12 - 1)


def test_internal_rate_is_null_where_several_rates_fit() -> None:
    """-100, +230, -132 is zero at 10% and at 20% a month: two answers are no answer. All gains: none."""
    assert internal_rate(-100.0, np.array([230.0, -132.0])) is None
    assert internal_rate(5.0, np.array([5.0, 5.0])) is None
    assert internal_rate(0.0, np.array([0.0, 0.0])) is None


def cumulative_sum_reference(upfront: float, monthly: list[float]) -> float:
    """The first moment after which the running total never is below zero again; linear within a month; inf = never."""
    running = [upfront]
    for saving in monthly:
        running.append(running[-1] + saving)
    below = [t for t, total in enumerate(running) if total < -1e-6]
    if not below:
        return 0.0
    last = below[-1]
    if last == len(monthly):
        return math.inf
    return last + min(-running[last] / (running[last + 1] - running[last]), 1.0)


@given(usd, flows)
def test_payback_is_the_cumulative_sum_reference(upfront: float, monthly: list[float]) -> None:
    assert float(payback(upfront, np.array(monthly))) == pytest.approx(cumulative_sum_reference(upfront, monthly), abs=1e-9)


@pytest.mark.full
@given(st.lists(st.tuples(usd, st.lists(usd, min_size=12, max_size=12)), min_size=1, max_size=8))
def test_payback_of_many_rows_is_that_of_each(rows: list[tuple[float, list[float]]]) -> None:
    many = payback(np.array([[u] for u, _ in rows]), np.array([m for _, m in rows]))
    assert many.tolist() == [float(payback(u, np.array(m))) for u, m in rows]


@pytest.mark.parametrize(
    ("upfront", "monthly", "months"),
    [
        (-100.0, [40.0] * 5, 2.5),  # -100, -60, -20, +20: half way through month 3
        (-100.0, [50.0] * 4, 2.0),  # zero at the end of month 2 counts
        (-100.0, [200.0, -150.0, 100.0, 0.0], 2.5),  # up at +100, dips to -50, back for good half way through month 3
        (-100.0, [200.0, -150.0, 20.0, 20.0], math.inf),  # paid back once, but ends at -10
        (-100.0, [10.0] * 5, math.inf),  # -50 at the horizon
        (0.0, [1.0] * 3, 0.0),  # nothing spent, saves at once
        (50.0, [-10.0] * 5, 0.0),  # never below zero, though it falls to it
        (0.0, [0.0] * 3, 0.0),  # a tie is no loss
        (0.0, [-30.0, 40.0, 0.0], 1.75),  # nothing upfront, yet a month at a loss: 30 / 40 into month 2
    ],
)
def test_payback_by_hand(upfront: float, monthly: list[float], months: float) -> None:
    assert float(payback(upfront, np.array(monthly))) == months


def test_discounted_payback_is_later() -> None:
    """-100 now, 12 x 10: the plain total is zero after 10 months. At 10% a year the sum of 10 x 1.1^(-t/12) for
    t = 1..10 is 95.8 and month 11 adds 9.163, so it takes 10 + 4.2 / 9.163 months.
    """
    saving = np.full(12, 10.0)
    factors = 1.1 ** (-np.arange(1, 13) / 12)
    assert float(payback(-100.0, saving)) == 10.0
    left = 100.0 - float((saving * factors)[:10].sum())
    assert left == pytest.approx(4.2, abs=0.1)
    assert float(payback(-100.0, saving * factors)) == pytest.approx(10.0 + left / float(10.0 * factors[10]))


def test_payback_status_names_the_three_cases() -> None:
    assert [payback_status(x) for x in (0.0, 7.5, math.inf)] == ["immediate", "months", "never"]


def test_return_on_investment_is_null_without_investment() -> None:
    """(150 - 100) / 100 = 50%; nothing or less than nothing spent upfront: null."""
    assert return_on_investment(100.0, np.full(3, 50.0)) == 0.5
    assert return_on_investment(0.0, np.full(3, 50.0)) is None
    assert return_on_investment(5e-324, np.full(3, 50.0)) is None
    assert return_on_investment(-10.0, np.full(3, 50.0)) is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_accumulate_as_each_alone(order: Literal["C", "F"]) -> None:
    rows = np.array([[1.0, -2.0, 4.0], [3.0, 0.5, -1.0]], order=order)
    assert accumulate(np.add, rows).tolist() == [[1.0, -1.0, 3.0], [3.0, 3.5, 2.5]]
    assert accumulate(np.maximum, rows).tolist() == [[1.0, 1.0, 4.0], [3.0, 3.0, 3.0]]
    assert accumulate(np.add, rows[0]).tolist() == [1.0, -1.0, 3.0]
