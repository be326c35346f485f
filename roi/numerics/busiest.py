"""How high a load goes: its busiest hour and minute, less what chance alone makes of them.

Calls that come at random (Poisson) have a busiest minute at an even rate too: at 2 a minute one of 10 within two weeks. A
server is sized for a random stream at the peak, so chance that the peak held would count twice. Deviations that do not depend
on each other add as squares: of what the busiest lies above the usual rate, chance's part is taken out so. In a log of many
calls, or with bursts that chance does not explain, nothing is left to take.
"""

from bisect import bisect_left
from math import exp, lgamma, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from roi.numerics.arrays import Array

RARE: Final = 0.05
"""Share of logs in which chance makes a busier interval than `busiest_by_chance` says."""
FAR: Final = 10.0
"""Deviations below the highest rate at which no interval is the busiest."""


def busiest_by_chance(rates: ArrayLike, intervals: ArrayLike) -> int:
    """The most calls that chance makes of one of `intervals[j]` intervals with `rates[j]` on average; more in one log of 20.

    Both of shape (n,).
    """
    rate, times = np.asarray(rates, dtype=float), np.asarray(intervals, dtype=float)
    most = float(rate.max(initial=0.0))
    near = rate > max(most - FAR * sqrt(most), 0.0)
    rate, times = rate[near], times[near]

    def rare(k: int) -> bool:
        return float(times @ np.log1p(-np.minimum(_more_than(k, rate), 1.0 - 1e-16))) >= log(1.0 - RARE)

    low, high = int(most) - 1, int(most + 4.0 * sqrt(most))
    while not rare(high):
        low, high = high, 2 * high - low + 1
    between = range(low + 1, high)
    return low + 1 + bisect_left(between, True, key=rare)


def _more_than(k: int, rate: Array) -> Array:
    """P(more than k) of Poisson counts with these means, k at least the whole part of each mean: its series from k + 1 on."""
    first = np.array([exp((k + 1.0) * log(r) - r - lgamma(k + 2.0)) for r in rate.tolist()])
    further = k + 2.0 + np.arange(int(FAR * sqrt(k + 1.0)) + 30.0)
    return np.asarray(first * (1.0 + np.cumprod(rate[:, None] / further, axis=1).sum(axis=1)), dtype=float)


def above_chance(most: float, usual: float, by_chance: float) -> float:
    """By how much `most` exceeds `usual`, where chance alone makes `by_chance` of it; 0 where that is all."""
    return sqrt(max((most - usual) ** 2 - (by_chance - usual) ** 2, 0.0)) if most > usual else 0.0


def shrunk(counts: Array, times: Array | None = None) -> Array:
    """Rates drawn towards their mean by chance's share of their variance (James and Stein), none by more than its deviation.

    `counts[j]` is of `times[j]` intervals, one where none are given. Of a Poisson count the variance is the mean. That no rate
    moves by more than one deviation keeps an hour that stands out (Efron and Morris, limited translation). Shape (n,), at
    least two; the sum of what is counted stays.
    """
    over = np.ones_like(counts) if times is None else times
    rates, mean = counts / over, float(counts.sum() / over.sum())
    deviation, variance = np.sqrt(mean / over), float(rates.var(ddof=1))
    real = max(1.0 - float(np.mean(deviation**2)) / variance, 0.0) if variance > 0.0 else 0.0
    moved = np.clip(mean + real * (rates - mean), rates - deviation, rates + deviation)
    return np.asarray(moved * (float(counts.sum()) / float((moved * over).sum())), dtype=float)
