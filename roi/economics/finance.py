"""Present value, payback, return and internal rate, as docs/economics.md defines them. Months are the last axis."""

from functools import lru_cache

import numpy as np

from roi.economics.inputs import Array, Number
from roi.units import MONTHS_PER_YEAR

NOTHING = 1e-9
"""USD below which a flow is nothing."""
ROUNDING = 1e-6
"""USD that counts as zero in a payback, so that rounding does not turn a tie into a loss."""
LARGEST_RATE = 1e9
"""An annual rate above this says only that nothing was invested."""


@lru_cache(maxsize=64)
def discount_factors(annual: float, horizon: int) -> Array:
    """What a dollar of month t = 1..H is worth today, shape (H,), read-only: (1 + R)^(-t/12)."""
    factors = np.asanyarray((1.0 + annual) ** (-np.arange(1, horizon + 1, dtype=np.float64) / MONTHS_PER_YEAR))
    factors.setflags(write=False)
    return factors


def present_value(upfront: Number, monthly: Array, annual_rate: float) -> Number:
    """USD today: upfront + sum over t of monthly_t (1 + R)^(-t/12); shape of `upfront` broadcast with monthly[..., :1]."""
    total = monthly @ discount_factors(annual_rate, monthly.shape[-1])
    return upfront + (total[..., None] if monthly.ndim > 1 else float(total))


def payback(upfront_saving: Number, monthly_saving: Array) -> Array:
    """Months until cumulative savings stay >= 0 to the horizon, linear within the month; inf = never. Shape (...).

    0 where they are never negative.
    """
    return payback_of(upfront_saving, accumulate(np.add, monthly_saving))


def payback_of(upfront_saving: Number, since: Array) -> Array:
    """Months to payback, as `payback`, from what was saved after month 0 up to the month ends 1..H, shape (..., H), USD."""
    horizon = since.shape[-1]
    start = np.asanyarray(upfront_saving, dtype=np.float64)
    if start.shape[:-1] != since.shape[:-1] or not start.ndim:
        start = np.broadcast_to(start, (*since.shape[:-1], 1))
    start = start[..., 0]
    negative = since < (-ROUNDING - start)[..., None]
    small = np.uint8 if horizon < 256 else np.uint16
    last = (negative.view(np.uint8) * np.arange(1, horizon + 1, dtype=small)).max(axis=-1)  # the last month below zero; 0: none
    never = last == horizon
    rows = np.indices(start.shape, sparse=True)
    before = start + np.where(last > 0, since[(*rows, np.maximum(last, 1) - 1)], 0.0)
    after = start + since[(*rows, np.minimum(last, horizon - 1))]
    falls = (last > 0) | (start < -ROUNDING)
    rise = np.where(never | ~falls, 1.0, after - before)
    months = np.where(falls, last + np.clip(-before / rise, 0.0, 1.0), 0.0)
    return np.where(never, np.inf, months)


def accumulate(operation: np.ufunc, monthly: Array) -> Array:
    """Sum, maximum ... of the months up to each, along the last axis; of rows a month at a time, all draws of it at once."""
    if monthly.ndim < 2 or type(monthly) is not np.ndarray:
        return np.asanyarray(operation.accumulate(monthly, axis=-1))
    done = np.empty_like(monthly)
    so_far, *others = done.T
    first, *later = monthly.T
    so_far[...] = first
    for month, total in zip(later, others, strict=True):
        so_far = operation(so_far, month, out=total)
    return done


def payback_status(months: float) -> str:
    """The word for a payback time: immediate, months or never."""
    return "never" if np.isinf(months) else "immediate" if months == 0 else "months"


def return_on_investment(upfront: float, monthly_saving: Array) -> float | None:
    """(undiscounted savings - upfront) / upfront; None at no (or negative) upfront."""
    return float((monthly_saving.sum() - upfront) / upfront) if upfront >= NOTHING else None


RATES = np.concatenate([np.linspace(-3.0, 0.0, 1201), np.linspace(0.0, 12.0, 2401)[1:]])
"""log(1 + monthly rate) at which the present value is looked at: -95% to beyond 100,000-fold a month."""


def internal_rate(upfront_saving: float, monthly_saving: Array) -> float | None:
    """Effective annual rate (1 + m)^12 - 1 at which the flows are worth zero; None where there is none, or several.

    The present value is taken along a fine grid of rates; where it changes sign once, bisection finds the rate. With one
    change of sign in the flows there is one at most (Descartes); with more, two rates closer than 0.5% a month could hide.
    """
    flows = np.concatenate([[upfront_saving], monthly_saving])

    def value(log_rate: float) -> float:
        return float((flows * _worth(np.array([log_rate]), flows.size)).sum())

    if not (np.any(flows > NOTHING) and np.any(flows < -NOTHING)):
        return None
    moved = flows[np.abs(flows) > NOTHING]
    if np.sign(moved[0]) == np.sign(moved[-1]):
        return None  # the present value has the same sign at both ends, so that rates come in pairs
    signs = np.sign(_worth_at_rates(flows.size) @ flows)
    crossings = np.flatnonzero(np.diff(signs[signs != 0.0]))
    if crossings.size != 1:
        return None
    known = RATES[signs != 0.0]
    low, high = float(known[crossings[0]]), float(known[crossings[0] + 1])
    rising = value(low) < 0
    for _ in range(60):
        middle = (low + high) / 2
        if (value(middle) < 0) == rising:
            low = middle
        else:
            high = middle
    annual = float(np.expm1(12.0 * (low + high) / 2))
    return annual if np.isfinite(annual) and annual < LARGEST_RATE else None


def _worth(log_rates: Array, periods: int) -> Array:
    """What a dollar of each period is worth at each log(1 + rate), over that of the period that is worth most."""
    exponent = -np.outer(log_rates, np.arange(periods))
    return np.asanyarray(np.exp(exponent - exponent.max(axis=1, keepdims=True)))


@lru_cache(maxsize=2)
def _worth_at_rates(periods: int) -> Array:
    """What a dollar of each period is worth at each of RATES, which every option's flows are looked at with."""
    return _worth(RATES, periods)
