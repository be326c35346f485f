"""How the load of a day spreads over its hours, and what share of it lies above a fixed number of replicas.

A load curve is 24 hourly means as multiples of the day's mean (last axis, mean 1); `burst` is how far the traffic
inside an hour rises above that hour's mean, so that peak = mean x max(curve) x burst.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.facts.model import Number

Array = NDArray[np.float64]

HOURS: Final = 24
"""Hours of a load curve."""
RANGE_HALVINGS: Final = 60
"""Bisections for the range of the load; 60 are exact to rounding."""
LARGEST_LOG_RANGE: Final = 200.0
"""Natural log of the largest ratio of peak to valley: beyond it, peak_to_mean exceeds 200."""


def peak_from_log_range(log_range: Number) -> Number:
    """Peak over mean of a day whose load is peak x q^(p - 1), given ln q: ln q / (1 - 1/q); 1 where q is 1."""
    x = np.asarray(log_range, dtype=float)
    return np.where(x < 1e-6, 1.0 + x / 2.0, x / -np.expm1(-np.maximum(x, 1e-6)))


def load_curve_from_peak(peak_to_mean: Number) -> Array:
    """24 hourly multiples with mean 1 for a day whose load peaks at `peak_to_mean` times its mean; shape (..., 24).

    An assumption for users who know only their peak: the load that is not exceeded for a share p of the day is
    peak x q^(p - 1), a straight line in the log, and q follows from mean 1. Each hour is the exact mean of its 24th of
    that curve, so the busiest hour lies below the peak and `burst_from_peak` holds the rest. Hours rise to noon and
    fall to midnight. A load with nights and weekends off has deeper valleys: give its own curve. 1 <= peak_to_mean <= 200.
    """
    peak = np.asarray(peak_to_mean, dtype=float)
    low, high = np.zeros_like(peak), np.full_like(peak, LARGEST_LOG_RANGE)
    for _ in range(RANGE_HALVINGS):
        middle = (low + high) / 2.0
        above = peak_from_log_range(middle) > peak
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    edges = np.exp(np.maximum(low, 1e-6)[..., None] * (np.arange(HOURS + 1) / HOURS - 1.0))
    areas = np.diff(edges, axis=-1)
    by_load = areas / np.mean(areas, axis=-1, keepdims=True)
    return np.concatenate([by_load[..., 0::2], by_load[..., ::-2]], axis=-1)


def burst_from_peak(peak_to_mean: Number, load_curve: Array) -> Number:
    """Peak inside the busiest hour over that hour's mean; at least 1 (a curve may be steeper than the stated peak)."""
    busiest = np.asarray(np.max(load_curve, axis=-1), dtype=float)
    return np.maximum(peak_to_mean / busiest, 1.0)


def spill_share(load_curve: Array, burst: Number, floor_capacity_ratio: Number) -> Number:
    """Share of requests above the capacity of a floor of replicas, which a hybrid sends to an API; broadcasts.

    `floor_capacity_ratio` c is the floor's capacity over the mean load. Inside an hour all its traffic is taken to
    arrive at `burst` times the hour's rate during 1/burst of the time, which spills the most that such a burst can:

        spill = mean over hours of max(0, m x burst - c) / burst        0 where c >= peak, 1 where c is 0

    which is a function of c / burst alone, straight between the hours' multiples, so that interpolation between them is
    exact. `load_curve` has the hours as its only axis; burst and c broadcast. Served is 1 - spill.
    """
    knots = np.concatenate([[0.0], np.sort(load_curve)])
    spilled = np.mean(np.maximum(load_curve[:, None] - knots, 0.0), axis=0)
    return np.asarray(np.interp(np.asarray(floor_capacity_ratio, dtype=float) / burst, knots, spilled))[()]
