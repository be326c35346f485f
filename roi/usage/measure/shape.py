"""How the load of a log lies in the week, the day and the minute; and whether one day alone makes its peak."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from itertools import groupby
from math import exp, sqrt
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from roi.numerics.arrays import Array, Ints
from roi.numerics.busiest import RARE, above_chance, busiest_by_chance, shrunk
from roi.usage.measure.aggregate import DAY_S, MINUTE_S, Minutes
from roi.usage.measure.pricing import day_of

DAYS_OF_WEEK: Final = 7
MINUTES_OF_DAY: Final = 1440
MINUTES_OF_QUARTER: Final = 15
QUARTERS_OF_DAY: Final = MINUTES_OF_DAY // MINUTES_OF_QUARTER
LEAST_CALLS: Final = 1.0
"""Calls in a mean minute below which no minute tells of a peak that has not TWICE what chance makes of one; and in a mean hour
below which no hour does."""
TWICE: Final = 2.0
"""One log in 20 has a call or two more in a minute than chance is said to make, where that is a few; none has twice as many."""
LOWER: Final = 0.2
"""Share of the peak by which it is lower without a day, for that day to make it: of five replicas that carry the peak it is
one; below that a fleet that is rented whole is hardly another."""
LEAST_OTHERS: Final = 2
"""Whole days beside the one that is left out: fewer do not show what is usual."""
ENOUGH: Final = 10
"""Calls of a day that do not lie all on the hour by chance, be their times exact to a minute alone."""
LEAST_MOMENTS: Final = 5
"""Moments at which more calls are than soon after, that are rounding and no jobs."""
BEYOND_CHANCE: Final = 4.0
"""Deviations by which so many calls are not there by chance: one set of 30,000."""


@dataclass(frozen=True)
class Exactness:
    """How exact the times of calls are, of those days (UTC) or calls of which they are the least exact."""

    minutes: int = 1
    """15 where they are quarters of an hour, 60 whole hours, 1440 dates, of which no peak within them can be told."""
    of: Literal["", " of some days", " of some calls"] = ""
    """Which times they are where the others are exact."""

    @property
    def told(self) -> str:
        """Says that they are not exact, in words; empty where they are."""
        cut = {15: "quarters of an hour", 60: "whole hours", 1440: "dates"}.get(self.minutes)
        return "" if cut is None else f"times{self.of} are {cut}"


EXACT: Final = Exactness()


@dataclass(frozen=True)
class Shape:
    """How calls spread over time."""

    hourly_weights: tuple[float, ...] | None
    """24 shares of a complete day, midnight UTC first, drawn towards their mean by chance's share; None without one."""
    weekday_weights: tuple[float, ...] | None
    """Mean calls of Monday to Sunday over the mean day's, drawn towards 1 by chance's share; None without a day of each."""
    minute_peak_to_mean: float | None
    """Busiest calendar minute over the mean, quiet minutes counted; None where times are whole hours or dates."""
    busiest_minute: int
    """The busiest minute, the first of several, in minutes since 1970 UTC."""
    hour_peak_to_mean: float | None
    """Busiest clock hour over the mean; None where the log has less than two whole hours, or times are dates."""
    minutes: int
    """Calendar minutes looked at: of the complete days, or from the first call to the last."""
    calls: int
    """Calls in all minutes looked at."""
    calls_per_minute: float
    """Mean calls a minute of a mean day (`Days.mean`): each weekday counts a seventh where all are there."""
    chance_to_mean: float
    """What chance alone makes of the busiest minute at each hour's own rate, over the mean."""
    peak_to_mean: float | None
    """The busiest minute over the mean, chance taken out; None where the calls are too few to tell, or none of
    them is of a whole day: what a mean day has, whose peak it is over, is not known then."""
    exact: Exactness = EXACT
    """How exact the times of the calls are."""
    one_day: "OneDay | None" = None
    """The day that makes the peak, where one does."""

    @property
    def of_no_day(self) -> bool:
        """True where no call is of a whole day, whatever its time says."""
        return self.hourly_weights is None and not self.exact.told


def times(peak_to_mean: float) -> str:
    """A peak over the mean in words: with two decimals below 100."""
    return f"{peak_to_mean:.2f}" if peak_to_mean < 100 else f"{peak_to_mean:,.0f}"


@dataclass(frozen=True)
class OneDay:
    """The day that makes the peak of a log."""

    day: int
    """Day of the busiest minute or hour, in days since 1970 UTC."""
    peak_to_mean: float | None
    """What the peak would be without it; None where the other days have too few calls to tell."""
    others_per_day: float
    """Calls of a mean one of the other whole days: what it was is part of the volume too, and may not come again."""
    only_weekday: bool
    """True where the log has no other whole day of its weekday, so that it may come every week."""

    @property
    def told(self) -> str:
        """The day and what the peak is without it, in words."""
        day, least = day_of(self.day), self.peak_to_mean
        only = f", the only {day:%A} here," if self.only_weekday else ""
        return f"{day}{only} makes it: " + ("the other days have too few calls to tell a peak" if least is None else
                                            f"without that day it is {times(least)}")


def load_shape(minutes: Ints, calls: Ints, complete: Sequence[int], exact: Exactness = EXACT) -> Shape | None:
    """Shape of the load from calls by minute (minutes since 1970, ascending); None without calls.

    `exact` is how exact their times are. Calls of a whole hour lie all in its first minute, so that no minute tells a peak, and
    those of a date in its first hour.
    """
    if not calls.size:
        return None
    found = _shape(minutes, calls, complete)
    if exact.told:
        found = replace(found, exact=exact, minute_peak_to_mean=None, peak_to_mean=None)
    if exact.minutes >= MINUTES_OF_DAY:
        found = replace(found, hour_peak_to_mean=None, hourly_weights=None)
    return replace(found, one_day=_one_day(minutes, calls, complete, found))


def _one_day(minutes: Ints, calls: Ints, complete: Sequence[int], whole: Shape) -> OneDay | None:
    """The day with the busiest minute or hour, without which the peak is lower by LOWER or not told at all; None for none."""
    inside = np.isin(minutes // 1440, np.asarray(complete, dtype=np.int64))
    if whole.peak_to_mean is None or len(complete) <= LEAST_OTHERS or not inside.any():
        return None
    minutes, calls = minutes[inside], calls[inside]
    hours = _whole_hours(minutes, calls, whole=True)
    found = []
    for day in dict.fromkeys((whole.busiest_minute // 1440, (int(minutes[0]) // 60 + int(hours.argmax())) // 24)):
        others = minutes // 1440 != day
        if others.any():
            days = [each for each in complete if each != day]
            rest, only = _shape(minutes[others], calls[others], days).peak_to_mean, all((each - day) % 7 for each in days)
            found.append(OneDay(day=day, peak_to_mean=rest, others_per_day=float(calls[others].sum()) / len(days),
                                only_weekday=only))
    low = min(found, key=lambda each: each.peak_to_mean or 0.0, default=None)
    return low if low is not None and (low.peak_to_mean or 0.0) <= (1.0 - LOWER) * whole.peak_to_mean else None


def _shape(minutes: Ints, calls: Ints, complete: Sequence[int]) -> Shape:
    """Shape of the load of at least one call, as exact as its minutes are taken to be, and without `one_day`."""
    inside = np.isin(minutes // 1440, np.asarray(complete, dtype=np.int64))
    whole = bool(complete) and bool(inside.any())
    if whole:
        minutes, calls = minutes[inside], calls[inside]
    count = len(complete) * 1440 if whole else int(minutes[-1] - minutes[0] + 1)
    weekdays = _by_weekday(minutes, calls, complete) if whole else None
    mean = float(calls.sum()) / count if weekdays is None else weekdays[0] / 1440.0
    hours = _whole_hours(minutes, calls, whole=whole)
    profile = _by_hour(np.bincount(minutes // 60 % 24, weights=calls, minlength=24).astype(float)) if whole else None
    counted = hours.size > 1
    usual, there = np.array([mean * 60.0]), np.array([hours.size])  # calls in each hour of a usual week, how often it came
    if profile is not None and weekdays is not None:
        a_day, of_day, dates = weekdays
        usual = (a_day * of_day[:, None] * (profile / profile.sum())).ravel()
        there = np.repeat(dates, 24)
    hour = float(hours.max()) if counted else mean * 60.0
    top = min(float(usual.max()), hour) if counted else float(usual.max())
    if counted:
        top += above_chance(hour, top, busiest_by_chance(np.minimum(usual, hour), there))
    rates, times = np.unique(hours, return_counts=True) if counted else (np.array([mean * 60.0]), np.array([count / 60.0]))
    chance = busiest_by_chance(rates / 60.0, times * 60.0)
    by_minute = mean >= LEAST_CALLS or calls.max() > TWICE * chance
    peak = top / 60.0
    if by_minute:
        peak = min(peak + above_chance(float(calls.max()), hour / 60.0, chance), float(calls.max()))
    return Shape(
        hourly_weights=None if profile is None else tuple((profile / profile.sum()).tolist()),
        weekday_weights=tuple(weekdays[1].tolist()) if weekdays is not None and weekdays[2].size == DAYS_OF_WEEK else None,
        minute_peak_to_mean=float(calls.max()) / mean, busiest_minute=int(minutes[calls.argmax()]),
        hour_peak_to_mean=hour / (mean * 60.0) if counted else None,
        minutes=count, calls=int(calls.sum()), calls_per_minute=mean, chance_to_mean=chance / mean,
        peak_to_mean=peak / mean if whole and (by_minute or (counted and mean * 60.0 >= LEAST_CALLS)) else None)


def _by_hour(counts: Array) -> Array:
    """Calls of each hour of the day, less chance's share of what differs; none where there are none and chance leaves none out.

    A fleet without a replica in some hours (serving.autoscale_floor: 0) needs one without calls. Were all hours alike, one of
    24 would have none in a share 24 exp(-mean) of logs.
    """
    hours = shrunk(counts)
    hours[(counts == 0) & (24.0 * exp(-float(counts.mean())) <= RARE)] = 0.0
    return np.asarray(hours * (counts.sum() / hours.sum()), dtype=float)


def _by_weekday(minutes: Ints, calls: Ints, complete: Sequence[int]) -> tuple[float, Array, Ints]:
    """Calls of a mean day, those of each weekday over it, less chance's share of what differs, and dates of each.

    From Monday on, those that are there; 1970-01-01 was a Thursday. A mean day is that of `Days.mean`.
    """
    dates = np.bincount((np.asarray(complete) + 3) % DAYS_OF_WEEK, minlength=DAYS_OF_WEEK)
    sums = np.bincount((minutes // 1440 + 3) % DAYS_OF_WEEK, weights=calls, minlength=DAYS_OF_WEEK).astype(float)
    sums, dates = sums[dates > 0], dates[dates > 0]
    raw = sums / dates
    rates = shrunk(sums, dates.astype(float)) if dates.size > 1 else raw
    mean = float(np.mean(raw)) if dates.size == DAYS_OF_WEEK else float(calls.sum()) / len(complete)
    return mean, rates / mean, dates


def _whole_hours(minutes: Ints, calls: Ints, *, whole: bool) -> Ints:
    """Calls of each clock hour that the log covers; without complete days the cut hours at the edges are left out."""
    hours = minutes // 60
    first, last = int(hours[0]), int(hours[-1])
    sums = np.bincount(hours - first, weights=calls, minlength=last - first + 1).astype(np.int64)
    return sums if whole else sums[1:-1]


class Quarter(NamedTuple):
    """A quarter of an hour: its number since 1970 UTC, its calls, those at its very beginning, and those that follow soon."""

    number: int
    calls: int
    even: int
    soon: int


def exactness(minutes: Minutes, zone: str = "UTC") -> Exactness:
    """How exact the times of the calls are: dates, hours or quarters, on every day or on some that have ENOUGH calls, or exact.

    Where they are so on no whole day, those of some calls among others may be (`_rounded_among`). Hours of a place may begin at
    a quarter of one of UTC: so many calls of a day are then all as far into their hour. Where other days are exact, a day whose
    calls lie all at one moment has a job of that time, but for midnight, in UTC or in `zone`.
    """
    if not minutes.minute.size:
        return EXACT
    first, second = (minutes.minute % MINUTES_OF_QUARTER == k for k in (0, 1))
    after = np.where(first, minutes.rows - minutes.even, np.where(second, minutes.even, 0))  # so many within a minute of one
    numbers, at = np.unique(minutes.minute // MINUTES_OF_QUARTER, return_index=True)
    to_seconds = bool(minutes.latest_us.any())
    soon = np.where(first, minutes.soon, 0) if to_seconds else after
    sums = np.add.reduceat([minutes.rows, np.where(first, minutes.even, 0), soon], at, axis=1)
    quarters = [Quarter(*row) for row in zip(numbers.tolist(), *sums.tolist(), strict=True)]
    days = [list(of_day) for _, of_day in groupby(quarters, key=lambda row: row.number // QUARTERS_OF_DAY)]
    whole = [day for day in days if all(row.even == row.calls for row in day)]
    everywhere, place = len(whole) == len(days), ZoneInfo(zone)
    cut = whole if everywhere and all(any(row.number % 4 == 0 for row in day) for day in whole) else [
        day for day in whole
        if sum(row.calls for row in day) >= ENOUGH and (everywhere or len(day) > 1 or _is_midnight(day[0], place))]
    if all(row.calls == len(day) == 1 for day in cut for row in day):  # or none: a call a day may be a job of that hour
        cut_to = _rounded_among([day for day in days if day not in whole], place, to_seconds=to_seconds)
        return Exactness(cut_to, " of some calls") if cut_to else EXACT
    of: Final = "" if everywhere else " of some days"
    if all(len(day) == 1 and _is_midnight(day[0], place) for day in cut):
        return Exactness(1440, of)
    return Exactness(60 if all(len({row.number % 4 for row in day}) == 1 for day in cut) else 15, of)


def _rounded_among(days: Sequence[Sequence[Quarter]], place: ZoneInfo, *, to_seconds: bool) -> int:
    """Minutes to which some calls are rounded among others of their days: 15, 60, or 1440; 0 where none are.

    Of all days together, and of each one where times are exact `to_seconds`: those to a minute lie at a quarter's beginning by
    chance too. A day's busiest moment but midnight is left out, since a job may have it.
    """
    def are(some: Sequence[Sequence[Quarter]], least: int) -> bool:
        return any(_are_rounded(rows, least) for rows in (*(some if to_seconds else ()), [row for day in some for row in day]))

    midnights, others = list[list[Quarter]](), list[list[Quarter]]()
    for day in days:
        midnights.append([row for row in day if _is_midnight(row, place)])
        rest = sorted((row for row in day if not _is_midnight(row, place)), key=lambda row: row.even - row.soon)
        others.append(rest[:-1])
    past = [k for k in range(4) if are([[row for row in day if row.number % 4 == k] for day in others], LEAST_MOMENTS)]
    if past:
        return 60 if len(past) == 1 else 15
    return 1440 if are(midnights, 1 if to_seconds else LEAST_MOMENTS) else 0


def _are_rounded(quarters: Sequence[Quarter], least: int) -> bool:
    """Whether more calls are at the very beginning of these quarters than soon after it, beyond chance, and of most of them.

    Calls of a job, however many, go on after its first moment, and so does chance. What chance makes is reckoned from the
    quarters with fewer.
    """
    more = [row.even - row.soon for row in quarters]
    spread = sum(row.even + row.soon for row in quarters) + 2 * sum(min(each, 0)**2 for each in more)
    return sum(more) >= max(ENOUGH, BEYOND_CHANCE * sqrt(spread)) and sum(each > 0 for each in more) >= least


def _is_midnight(quarter: Quarter, place: ZoneInfo) -> bool:
    """Whether a quarter begins at midnight, in UTC or there."""
    begins = quarter.number * MINUTES_OF_QUARTER * MINUTE_S
    return begins % DAY_S == 0 or datetime.fromtimestamp(begins, place).time() == time()
