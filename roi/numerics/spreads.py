"""Independent factors of one figure, each with its own ends: the ends of their product."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def joint_low(lows: Iterable[ArrayLike]) -> NDArray[np.float64]:
    """P5 of a product of independent log-normal factors around 1 that have these P5s: squares of logarithms add.

    An end above 1 counts as 1: a factor takes nothing from another's spread.
    """
    return np.asarray(np.exp(-together(-np.log(np.asarray(low, dtype=float)) for low in lows)))


def joint_high(highs: Iterable[ArrayLike]) -> NDArray[np.float64]:
    """P95 of the same, from the factors' P95s."""
    return np.asarray(np.exp(together(np.log(np.asarray(high, dtype=float)) for high in highs)))


def together(logs: Iterable[ArrayLike]) -> NDArray[np.float64]:
    """Size of the sum of independent deviations, logarithms: the root of their squares; negative ones count as 0."""
    return np.asarray(np.sqrt(sum(np.square(np.maximum(x, 0.0)) for x in logs)))
