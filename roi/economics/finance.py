"""Present value, payback, return and internal rate, as ECONOMICS.md defines them. Months are the last axis."""

import numpy as np

from roi.economics.calendar import discount_factors
from roi.economics.inputs import Array, Number

IMMEDIATE, MONTHS, NEVER, NOT_APPLICABLE = "immediate", "months", "never", "not_applicable"


def present_value(upfront: Number, monthly: Array, annual_rate: float) -> Number:
    """upfront + sum over t of monthly_t (1 + R)^(-t/12); shape of `upfront` broadcast with monthly[..., :1]."""
    total = (monthly * discount_factors(annual_rate, monthly.shape[-1])).sum(axis=-1, keepdims=monthly.ndim > 1)
    return upfront + (total if monthly.ndim > 1 else float(total))


def cumulative(upfront_saving: Number, monthly_saving: Array) -> Array:
    """Savings so far at month ends 0..H, shape (..., H + 1)."""
    start = np.broadcast_to(np.asarray(upfront_saving, dtype=np.float64), (*monthly_saving.shape[:-1], 1))
    return np.concatenate([start, start + np.cumsum(monthly_saving, axis=-1)], axis=-1)


def payback(upfront_saving: Number, monthly_saving: Array, tolerance: float = 1e-6) -> Array:
    """Months until cumulative savings stay >= 0 to the horizon, linear within the month; inf = never. Shape (...).

    0 where they are never negative. `tolerance` USD counts as zero, so that rounding does not turn a tie into a loss.
    """
    total = cumulative(upfront_saving, monthly_saving)
    negative = total < -tolerance
    any_negative = negative.any(axis=-1)
    last = total.shape[-1] - 1 - np.argmax(negative[..., ::-1], axis=-1)
    never = negative[..., -1]
    at = np.minimum(last, total.shape[-1] - 2)[..., None]
    before = np.take_along_axis(total, at, axis=-1)[..., 0]
    after = np.take_along_axis(total, at + 1, axis=-1)[..., 0]
    rise = np.where(never | ~any_negative, 1.0, after - before)
    months = np.where(any_negative, last + np.clip(-before / rise, 0.0, 1.0), 0.0)
    return np.where(never, np.inf, months)


def payback_status(months: float) -> str:
    """immediate, months or never."""
    if np.isinf(months):
        return NEVER
    return IMMEDIATE if months == 0 else MONTHS


def return_on_investment(upfront: float, monthly_saving: Array) -> float | None:
    """(undiscounted savings - upfront) / upfront; None at zero (or negative) upfront."""
    if upfront <= 0:
        return None
    return float((monthly_saving.sum() - upfront) / upfront)


def internal_rate(upfront_saving: float, monthly_saving: Array) -> float | None:
    """Effective annual rate (1 + m)^12 - 1 at which the flows are worth zero; None where undefined or not unique.

    With exactly one change of sign the present value crosses zero once in (-1, inf) (Descartes), and bisection on
    log(1 + m) finds it. With none or several changes there is no rate that means anything.
    """
    flows = np.concatenate([[upfront_saving], monthly_saving])
    signs = np.sign(flows[np.abs(flows) > 1e-9])
    if signs.size == 0 or np.count_nonzero(np.diff(signs)) != 1:
        return None
    periods = np.arange(flows.size)

    def value(log_rate: float) -> float:
        exponent = -log_rate * periods
        return float(np.sum(flows * np.exp(exponent - exponent.max())))

    low, high = -20.0, 20.0
    rising = value(low) < value(high)
    if value(low) * value(high) > 0:
        return None
    for _ in range(200):
        middle = (low + high) / 2
        if (value(middle) < 0) == rising:
            low = middle
        else:
            high = middle
    annual = np.expm1(12.0 * (low + high) / 2)
    return float(annual) if np.isfinite(annual) and annual < 1e9 else None
