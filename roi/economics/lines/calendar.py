"""Months: volume, wages, going live and events that recur. Months 1..H are the last axis."""

import numpy as np
from numpy.typing import NDArray

from roi.economics.inputs import Array, Number, Shared
from roi.units import DAYS_PER_MONTH, MONTHS_PER_YEAR

EXACT = 1e-9
"""Months; an event this near to a month end falls on it, float error aside."""


def months(horizon: int) -> Array:
    """The months 1..H, shape (H,)."""
    return np.arange(1, horizon + 1, dtype=np.float64)


def powers(base: Number, exponents: Array) -> Array:
    """`base` to each of the exponents, for a positive base: one logarithm a row; exponent 0 gives exactly 1; broadcasts."""
    return np.asarray(np.exp(np.log(base) * exponents))


def growth_path(annual: Number, horizon: int) -> Array:
    """Growth since today in each month, shape (..., H): (1 + g)^((t - 1)/12), so a month has the level of its start."""
    return powers(1.0 + annual, (months(horizon) - 1.0) / MONTHS_PER_YEAR)


def requests(shared: Shared) -> Array:
    """Requests that are answered in each month, shape (..., H): a day's requests x 365/12 x growth."""
    each_day, growth, horizon = shared.requests_per_day, shared.growth, shared.horizon
    return shared.once("requests", lambda: each_day * DAYS_PER_MONTH * growth_path(growth, horizon))


def billed_requests(shared: Shared) -> Array:
    """Requests as they are billed and load the servers, shape (..., H).

    They hold the part of the gap to the bill that is volume (retries, missing tokens), which every option pays.
    """
    return shared.once("billed requests", lambda: requests(shared) * shared.volume_factor)


def wages(shared: Shared) -> Array:
    """USD of an engineer hour in each month, shape (..., H)."""
    return shared.once("wages", lambda: shared.usd_per_hour * growth_path(shared.wage_growth, shared.horizon))


def live_share(months_to_live: Number, horizon: int) -> Array:
    """Share of each month in which the option runs: 0 before, 1 after, the rest of the month in which it goes live."""
    return np.clip(months(horizon) - months_to_live, 0.0, 1.0)


def incumbent_share(months_to_live: Number, months_in_parallel: Number, horizon: int) -> Array:
    """Share of each month in which the incumbent is still paid: until live, and in parallel after that."""
    return np.clip(months_to_live + months_in_parallel - (months(horizon) - 1.0), 0.0, 1.0)


def events(first: Number, every: Number, horizon: int, since: Number = 0.0, until: Number = np.inf) -> Array:
    """How many events fall at month ends 0..H; shape (..., H + 1).

    Events happen at first, first + every, ... months from today; those before `since` and from `until` on do not count. An
    event is paid at the start of the period that it serves, the last month end before it (floor); none falls at H, since
    what it serves lies beyond the horizon.
    """
    before = np.maximum(np.ceil((since - np.maximum(first, 0.0) - EXACT) / every), 0.0)
    so_far = np.maximum(events_so_far(first, every, horizon, until), before)
    counts = np.empty_like(so_far)
    counts[..., :1] = so_far[..., :1] - before
    np.subtract(so_far[..., 1:], so_far[..., :-1], out=counts[..., 1:])
    counts[..., -1] = 0.0
    return counts


def events_so_far(first: Number, every: Number, horizon: int, until: Number = np.inf) -> Array:
    """How many events fell up to each month end t = 0..H, those at H included; shape (..., H + 1)."""
    ends = np.arange(1.0, horizon + 2.0)
    reached = ends if isinstance(until, float) and until == np.inf else np.minimum(ends, until)
    so_far = (reached - (np.maximum(first, 0.0) + EXACT)) / every
    np.ceil(so_far, out=so_far)
    return np.maximum(so_far, 0.0, out=so_far)


def split(at_ends: Array) -> tuple[NDArray[np.float64], Array]:
    """(upfront, monthly) of amounts at month ends 0..H: shapes (..., 1) and (..., H); a plain row gives a 0-d upfront."""
    upfront = at_ends[..., :1]
    return (upfront if at_ends.ndim > 1 else upfront.reshape(())), at_ends[..., 1:]
