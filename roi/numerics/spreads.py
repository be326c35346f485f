"""Ends of intervals: 95th percentiles for intervals from few values, and the spread of a product of independent factors."""

import math
from collections.abc import Iterable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from roi.numerics.arrays import Array

TAIL: Final = 1.6448536269514722
"""95th percentile of the normal distribution."""
T95: Final = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740,
    1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
)  # fmt: skip
"""95th percentile of Student's t for 1 to 30 degrees of freedom; beyond, the first terms of its expansion in 1 / n."""

STEP: Final = 0.02
"""Distance of the points at which the normal distribution is integrated."""
SMALL: Final = 1e-3
"""Where e^z - 1 - z has lost six digits; the series left out is z^4 / 360, 3e-15."""


def student(freedom: float) -> float:
    """95th percentile of Student's t for any degrees of freedom from 2, whole or not: 0.8% low at 4, better beyond.

    Cornish and Fisher's expansion, smooth in `freedom`; `t95` is exact to three digits where the degrees are counted.
    """
    return TAIL * (1.0 + (TAIL**2 + 1.0) / (4.0 * freedom) + (5.0 * TAIL**4 + 16.0 * TAIL**2 + 3.0) / (96.0 * freedom**2))


def t95(freedom: float) -> float:
    """95th percentile of Student's t for counted degrees of freedom, from 1, by the table (scipy is too slow to import)."""
    n = max(int(freedom), 1)
    return T95[n - 1] if n <= len(T95) else 1.6449 + 1.5238 / n + 1.42 / n**2


def ends(values: Iterable[float]) -> tuple[float, float]:
    """5th and 95th percentile of the values, linear between neighbours, as np.quantile has them (which loads masked arrays)."""
    ordered = np.sort(np.fromiter(values, dtype=float))
    low, high = np.interp((0.05 * (ordered.size - 1), 0.95 * (ordered.size - 1)), np.arange(ordered.size), ordered)
    return float(low), float(high)


def expected_maximum(count: ArrayLike) -> Array:
    """Mean of the largest of so many independent standard normal values; broadcasts over counts from 1, for which it is 0.

    The integral of 1 - Phi(x)^n - Phi(-x)^n over positive x, by the trapezoidal rule, whose end terms vanish.
    """
    above = _normal_tail()
    n = np.asarray(count, dtype=float)[..., None]
    left = 1.0 - (1.0 - above) ** n - above**n
    return np.asarray((left.sum(axis=-1) - left[..., 0] / 2.0) * STEP)


@cache
def _normal_tail() -> Array:
    """The chance of a standard normal value above 0, STEP, 2 STEP ... 9."""
    return np.array([math.erfc(x / math.sqrt(2.0)) / 2.0 for x in np.arange(0.0, 9.0, STEP)])


def joint_low(lows: Iterable[ArrayLike]) -> Array:
    """P5 of a product of independent log-normal factors around 1 that have these P5s: squares of logarithms add.

    An end above 1 counts as 1: a factor takes nothing from another's spread.
    """
    return np.asarray(np.exp(-joint_deviation(-np.log(np.asarray(low, dtype=float)) for low in lows)))


def joint_high(highs: Iterable[ArrayLike]) -> Array:
    """P95 of a product of independent log-normal factors around 1 that have these P95s (`joint_low`)."""
    return np.asarray(np.exp(joint_deviation(np.log(np.asarray(high, dtype=float)) for high in highs)))


def joint_deviation(logs: Iterable[ArrayLike]) -> Array:
    """Size of the sum of independent deviations, logarithms: the root of their squares; negative ones count as 0."""
    return np.asarray(np.sqrt(sum(np.square(np.maximum(x, 0.0)) for x in logs)))


def triangle_exponential(below: float, above: float, rates: Array) -> Array:
    """E[exp(s y)] for each s in `rates`, y having the triangular density on [-below, above] with its mode at 0.

    The sides hold below / width and above / width of the mass; side [0, w] gives 2 (e^z - 1 - z) / z^2 at z = s w.
    """
    width = below + above
    if width <= 0:
        return np.ones_like(rates)
    return (below * _side(-below * rates) + above * _side(above * rates)) / width


def _side(z: Array) -> Array:
    """2 (e^z - 1 - z) / z^2; the first terms of its series where z is small, so that no digits cancel."""
    small = np.abs(z) < SMALL
    far = np.where(small, 1.0, z)
    return np.where(small, 1.0 + z / 3.0 + z**2 / 12.0 + z**3 / 60.0, 2.0 * (np.expm1(far) - far) / far**2)
