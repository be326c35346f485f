"""What a share of rows inside an interval says where rows of one model are no independent evidence: a beta-binomial.

A model's rows lie on one side together: whether they are inside correlates, by `alike` of each two. Of a group of a few models
a hundred rows then say little more than ten.
"""

import math
from collections.abc import Iterable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRID: Final = np.arange(0.02, 0.8, 0.02)
"""Correlations that are tried."""


@cache
def chances(rows: int, alike: float, share: float = 0.9) -> Array:
    """The chance of 0, 1 ... `rows` rows of one model inside, where `share` of all rows are."""
    a, b = share * (1.0 / alike - 1.0), (1.0 - share) * (1.0 / alike - 1.0)
    k, log = np.arange(rows + 1.0), np.vectorize(math.lgamma)
    logs = log(rows + 1.0) - log(k + 1.0) - log(rows - k + 1.0) + log(k + a) + log(rows - k + b) - log(rows + a + b)
    return np.asarray(np.exp(logs + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)))


def likeness(counts: Iterable[tuple[int, int]]) -> float:
    """The correlation that is likeliest, of GRID, for these models' rows and rows inside."""
    known = list(counts)
    return float(max(GRID, key=lambda alike: sum(math.log(chances(rows, float(alike))[inside]) for rows, inside in known)))


def of_all(rows: Iterable[int], alike: float) -> Array:
    """The chance of 0, 1 ... all rows inside of models with so many rows, where 90% is true."""
    every = np.ones(1)
    for one in rows:
        every = np.convolve(every, chances(one, alike))
    return every


def by_chance(rows: Iterable[int], alike: float) -> tuple[float, float]:
    """Percent inside, at least and at most, that 95 of 100 samples of models with so many rows show where 90% is true."""
    below = np.cumsum(of_all(rows, alike))
    low, high = np.searchsorted(below, (0.025, 0.975))
    return 100.0 * float(low) / (below.size - 1), 100.0 * float(high) / (below.size - 1)
