"""How the load of a log varies from day to day, and grows from week to week."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from roi.numerics.spreads import t95
from roi.scenario.quantity import LARGEST
from roi.units import formatted
from roi.usage.measure.days import Days

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
WEEKEND: Final = {2: "Saturdays", 3: "Sundays"}
"""Days since 1970 modulo 7: that began on a Thursday."""
ALIKE: Final = 1e-9
"""Spread of a mean day, as a share, that is rounding."""
LEAST_FREE: Final = 7
"""Days more than weekdays from which on each weekday has its own mean; below, working days share one, and weekends one."""


@dataclass(frozen=True)
class MeanDay:
    """Requests of a mean day, with their 5th and 95th percentile as far as the log's days tell them."""

    value: float
    low: float
    high: float
    every_weekday: bool
    """True where each weekday has a whole day, so that another week of the log would tell the same, by chance apart."""
    why: str = ""
    """What spreads it; empty where all days are alike and none of a week is missing, or where nothing is known."""

    def of_part(self, a_day: float) -> "MeanDay":
        """That of some of these calls, `a_day` on a mean day, which vary as all do."""
        times = a_day / self.value if self.value else 0.0
        return replace(self, value=a_day, low=self.low * times, high=min(self.high * times, LARGEST))

    def stated(self, days: str, *, always: bool) -> object:
        """The field of a scenario: a number alone where nothing spreads it, unless its `days` are to be told `always`."""
        if not self.why:
            return {"value": round(self.value, 3), "source": f"usage: {days}"} if always else round(self.value, 3)
        told: dict[str, Any] = {name: round(getattr(self, name), 3) for name in ("value", "low", "high")}
        return {**told, "source": f"usage: {days}, {self.why}", **({"basis": "measured"} if self.every_weekday else {})}


def mean_day(volume: Mapping[int, float], days: Days, value: float) -> MeanDay:
    """How far the mean day of all weeks may lie from `value`, that of the complete days, whose requests are `volume`.

    Two things spread it, in quadrature. Days vary: Student's interval of the mean, from what is left beside each weekday's own
    mean (in a short log: that of working days, or of weekends), its days cut to n (1 - r) / (1 + r) where neighbours go
    together (r > 0), as in `trend`. And where weekdays are not there, working days are as those that are, a day of the weekend
    has anything from no call to a working day's. Nothing is told of a log of weekends alone, or of sums over several days.
    """
    seen = Counter(day % 7 for day in days.complete)
    if value <= 0.0 or days.spanned or not seen.keys() - WEEKEND.keys():
        return MeanDay(value, value, value, every_weekday=False)
    wide = _sampling(volume, days, seen) / value
    had = defaultdict[int, float](float)
    for day in days.complete:
        had[day % 7] += volume.get(day, 0.0) / seen[day % 7]
    working = [had[k] for k in seen.keys() - WEEKEND.keys()]
    open_days = [WEEKEND[k] for k in sorted(WEEKEND.keys() - seen.keys())]
    usual = sum(working) / len(working)
    least = (sum(had.values()) + (5 - len(working)) * usual) / 7.0
    most = least + len(open_days) * usual / 7.0
    down, up = (float(np.hypot(wide, np.log(end / value))) for end in (min(least, value), max(most, value)))
    why = ("by how its days vary" if wide else "",
           f"other working days are as {'these' if working[1:] else 'this one'}" if len(working) < 5 else "",
           f"{' and '.join(open_days)}, not in it, may have from no call to as many as a working day" if open_days else "")
    return MeanDay(value, value * float(np.exp(-down)), min(value * float(np.exp(up)), LARGEST), every_weekday=len(seen) == 7,
                   why="; ".join(filter(None, why)) if down + up > ALIKE else "")


def _sampling(volume: Mapping[int, float], days: Days, seen: Mapping[int, int]) -> float:
    """Half of the 90% interval of the mean day by how days vary; 0 where there are too few to tell."""
    ordered = sorted(days.complete)
    each = len(ordered) - len(seen) >= LEAST_FREE
    kinds = [day % 7 if each else day % 7 in WEEKEND for day in ordered]
    y, free = np.array([volume.get(day, 0.0) for day in ordered]), len(ordered) - len(set(kinds))
    if free < 1:
        return 0.0
    mean_of = {k: float(y[[each == k for each in kinds]].mean()) for k in set(kinds)}
    rest = y - np.array([mean_of[k] for k in kinds])
    spread = float(rest @ rest)
    beside = np.diff(ordered) == 1
    r = max(float((rest[1:] * rest[:-1])[beside].sum()) / spread, 0.0) if spread > 0 else 0.0
    part = (1.0 - r) / (1.0 + r)
    share = sum(1.0 / (49.0 * n) for n in seen.values()) if days.by_weekday else 1.0 / len(ordered)
    return t95(free * part) * float(np.sqrt(spread / free / part * share))


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
