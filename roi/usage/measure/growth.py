"""Growth of the volume with its interval, from weekly totals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.numerics.spreads import t95

LEAST_WEEKS: Final = 6
"""Weeks below which no trend is stated: a year is read off a line through a ninth of it, with four degrees of freedom."""
WEEKS_PER_YEAR: Final = 365.0 / 7.0
UNKNOWN_CHANGE: Final = (0.223, 0.336)
"""How far growth may depart from what is reckoned with, down and up, in the log: the spread that a scenario assumes without
any trend (-20% to +40% a year). It is added in quadrature, since a past trend is no promise."""
HORIZON_WEEKS: Final = 3.0 * WEEKS_PER_YEAR
"""Weeks over which a scenario takes growth to be the same, its usual horizon."""


@dataclass(frozen=True)
class Growth:
    """Effective annual growth, with its 5th and 95th percentile."""

    value: float
    """The past trend, were it to go on."""
    low: float
    high: float
    weeks: int
    ahead: tuple[float, float, float]
    """(value, low, high) to reckon with over three years: a trend is taken to go on for as long as it has been seen, then to
    stop; it may stop at once, or go on for twice as long. Nine weeks of 1% a week are 9% in all, not 68% a year for ever."""


def trend(volume: Mapping[int, float], complete: Sequence[int]) -> Growth | None:
    """Growth a year from the volume by day, over whole weeks counted back from the last complete day.

    A straight line through the logs of weekly totals. The slope's interval is Student's, with the number of weeks cut to
    n (1 - r) / (1 + r) where neighbouring residuals are correlated (r > 0).
    None where there are too few weeks, or one is empty.
    """
    if not complete:
        return None
    weeks = len(complete) // 7
    days = complete[len(complete) - 7 * weeks :]
    if weeks < LEAST_WEEKS or days[-1] - days[0] + 1 != 7 * weeks:
        return None
    totals = np.array([sum(volume.get(day, 0.0) for day in days[7 * k : 7 * k + 7]) for k in range(weeks)])
    if np.any(totals <= 0):
        return None
    x = np.arange(weeks) - (weeks - 1) / 2.0
    y = np.log(totals)
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    spread = float(rest @ rest)
    r = max(float(rest[1:] @ rest[:-1]) / spread, 0.0) if spread > 0 else 0.0
    effective = max(weeks * (1.0 - r) / (1.0 + r), 3.0)
    error = float(np.sqrt(spread / max(effective - 2.0, 1.0) / (x @ x)))
    wide = t95(effective - 2.0) * error * WEEKS_PER_YEAR
    a_year = slope * WEEKS_PER_YEAR
    part = min(weeks / HORIZON_WEEKS, 1.0)
    down, up = (float(np.hypot(np.hypot(wide, a_year) * part, change)) for change in UNKNOWN_CHANGE)
    value, low, high, ahead, least, most = (float(np.expm1(x)) for x in (
        a_year, a_year - wide, a_year + wide, a_year * part, a_year * part - down, a_year * part + up))
    return Growth(value=value, low=low, high=high, weeks=weeks, ahead=(ahead, least, most))
