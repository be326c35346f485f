"""A fact's spread hits its percentiles on every scale, and its mode is the value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import triang

from roi.facts.case import quantile, triangle


@given(st.floats(1e-3, 1e3), st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_the_fifth_and_ninety_fifth_percentile_are_low_and_high(value: float, down: float, up: float) -> None:
    """On the log: low = value / e^down, high = value x e^up, at probabilities 0.05 and 0.95."""
    low, high = value * math.exp(-down), value * math.exp(up)
    if low == high:
        return
    drawn = quantile(np.array([0.05, 0.95]), low, value, high, "USD")
    assert drawn == pytest.approx([low, high], rel=1e-6)


@pytest.mark.parametrize(
    ("low", "value", "high", "unit"),
    [
        (0.2, 0.3, 0.6, "share"),
        (-0.15, -0.1, -0.05, "share"),
        (-0.35, 0.0, 0.55, "1/year"),
        (-1.0, 0.0, 1.0, ""),
        (10.0, 18.0, 32.0, "months"),
        (5.0, 5.0, 9.0, "USD"),
        (5.0, 9.0, 9.0, "USD"),
    ],
)
def test_percentiles_are_hit_on_every_scale_and_draws_rise_with_probability(
    low: float, value: float, high: float, unit: str
) -> None:
    u = np.array([0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999])
    drawn = quantile(u, low, value, high, unit)
    assert drawn[[1, 5]] == pytest.approx([low, high], abs=1e-9)
    assert (np.diff(drawn) > 0).all()


def test_the_mode_is_the_central_value() -> None:
    """Signed quantities: SciPy's triangle with the same ends has its mode at the value and the same quantiles."""
    low, value, high = -2.0, 1.0, 3.0
    a, b = triangle(low, value, high)
    theirs = triang((value - a) / (b - a), loc=a, scale=b - a)
    u = np.linspace(0.01, 0.99, 50)
    assert quantile(u, low, value, high, "") == pytest.approx(theirs.ppf(u), abs=1e-9)
    grid = np.linspace(a, b, 10_001)
    assert grid[np.argmax(theirs.pdf(grid))] == pytest.approx(value, abs=1e-3)


def test_positive_quantities_are_triangular_in_the_log() -> None:
    """1 to 100 about 10: symmetric in the log, so the median is 10 (a triangle on the plain scale has it near 35)."""
    assert float(quantile(np.array([0.5]), 1.0, 10.0, 100.0, "USD")[0]) == pytest.approx(10.0)


def test_rates_are_triangular_in_the_log_of_one_plus_the_rate() -> None:
    """Halving and doubling about 0: ln 0.5 = -ln 2, so the median is no change."""
    assert float(quantile(np.array([0.5]), -0.5, 0.0, 1.0, "1/year")[0]) == pytest.approx(0.0, abs=1e-9)


def test_shares_stay_between_zero_and_one() -> None:
    drawn = quantile(np.array([1e-6, 1 - 1e-6]), 0.0, 0.5, 1.0, "share")
    assert (drawn.min(), drawn.max()) == (0.0, 1.0)
