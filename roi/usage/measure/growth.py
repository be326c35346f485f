"""How the load of a log grows from week to week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.numerics.spreads import t95
from roi.units import formatted

LEAST_WEEKS: Final = 6
"""Weeks below which no trend is stated: a year is read off a line through a ninth of it, with four degrees of freedom."""
WEEKS_PER_YEAR: Final = 365.0 / 7.0
UNKNOWN_CHANGE: Final = (0.223, 0.336)
"""How far growth may depart from what is reckoned with, down and up, in the log: the spread that a scenario assumes without
any trend (-20% to +40% a year). It is added in quadrature, since a past trend is no promise."""
MOST_FALL, MOST_RISE = -0.99, 10.0
"""The least and the most growth a year that a scenario takes."""
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

    @property
    def stated(self) -> tuple[float, float, float]:
        """`ahead` within what a scenario takes."""
        value, low, high = (min(max(each, MOST_FALL), MOST_RISE) for each in self.ahead)
        return value, low, high


def growth_told(a_year: float) -> str:
    """An annual growth in words: in percent below tenfold, then as a multiple, of which beyond a thousand nobody plans."""
    times = 1.0 + a_year
    return formatted(a_year, "+.0%") if times < 10 else f"x {times:,.0f}" if times < 1000 else "above x 1,000"


def whole_weeks(complete: Sequence[int]) -> list[int]:
    """Weeks before the one that ends with the last whole day, of those whose days are all whole; the latest, 0, last."""
    days = set(complete)
    return [k for k in range(len(range(complete[0], complete[-1] + 1)) // 7 - 1, -1, -1)
            if all(complete[-1] - 7 * k - d in days for d in range(7))] if complete else []


def trend(volume: Mapping[int, float], complete: Sequence[int]) -> Growth | None:
    """Growth a year from the volume by day, over whole weeks counted back from the last complete day.

    A straight line through the logs of weekly totals, those of weeks that are covered whole. The slope's interval is
    Student's, with the number of weeks cut to n (1 - r) / (1 + r) where neighbouring residuals are correlated (r > 0).
    None where there are too few weeks, or one is empty.
    """
    at = whole_weeks(complete)
    totals = np.array([sum(volume.get(complete[-1] - 7 * k - d, 0.0) for d in range(7)) for k in at])
    if len(at) < LEAST_WEEKS or np.any(totals <= 0):
        return None
    weeks = len(at)
    x = np.mean(at) - np.array(at)
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
