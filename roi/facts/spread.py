"""Quantiles of a fact's spread: a triangle that holds 5% below `low` and 5% above `high`, its mode at `value`.

Positive quantities are triangular in the log, yearly rates in log(1 + rate), shares and signed quantities on their own scale.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARE = "share"
"""Unit of a quantity that lies in 0..1."""
PER_YEAR = "1/year"
"""Unit of a growth or drift rate, effective annual."""


class Axis(NamedTuple):
    """The scale on which a spread is a triangle, and the bounds that a draw cannot leave."""

    forward: Callable[[float], float]
    """A value on the scale of the triangle."""
    backward: Callable[[Array], Array]
    """The inverse, for arrays."""
    least: float
    most: float = np.inf


def axis(unit: str, low: float) -> Axis:
    """The axis of a fact with this unit whose 5th percentile is `low`."""
    if unit == SHARE:
        return Axis(float, np.asarray, 0.0, 1.0)
    if unit == PER_YEAR:
        return Axis(np.log1p, np.expm1, -1.0) if low > -1 else Axis(float, np.asarray, -1.0)
    if low > 0:
        return Axis(np.log, np.exp, 0.0)
    return Axis(float, np.asarray, 0.0 if low == 0 else -np.inf)


@lru_cache(maxsize=4096)
def triangle(low: float, mode: float, high: float) -> tuple[float, float]:
    """Ends (a, b) of the triangular density with this mode whose 5th and 95th percentiles are low and high.

    With q = (mode - a)/(b - a), the percentiles give (mode - low)/w = q - sqrt(0.05 q) and
    (high - mode)/w = (1-q) - sqrt(0.05 (1-q)), w = b - a. Their ratio rises with q on [0.05, 0.95], so bisection finds q.
    """
    left, right = mode - low, high - mode
    if left + right <= 0:
        return mode, mode
    lower, upper = 0.05, 0.95
    for _ in range(60):
        q = (lower + upper) / 2
        down, up = q - np.sqrt(0.05 * q), (1 - q) - np.sqrt(0.05 * (1 - q))
        if down * right < up * left:
            lower = q
        else:
            upper = q
    q = (lower + upper) / 2
    width = (left + right) / (1 - np.sqrt(0.05 * q) - np.sqrt(0.05 * (1 - q)))
    return mode - q * width, mode + (1 - q) * width


def quantile(u: Array, low: float, value: float, high: float, unit: str) -> Array:
    """The fact's value at the probabilities `u`, same shape; u = 0.05 gives low and u = 0.95 gives high."""
    scale = axis(unit, low)
    mode = float(scale.forward(value))
    a, b = triangle(float(scale.forward(low)), mode, float(scale.forward(high)))
    q = (mode - a) / (b - a)
    rising = a + np.sqrt(u * q) * (b - a)
    falling = b - np.sqrt((1 - u) * (1 - q)) * (b - a)
    drawn = scale.backward(np.where(u < q, rising, falling))
    return np.clip(drawn, scale.least, scale.most)
