"""One line of cost: what it is, what it costs month by month, and how to redo it by hand; and the months it runs along.

Volume, wages, going live and events that recur are worked out by month; months 1..H are the last axis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from roi.economics.finance import discount_factors, present_value
from roi.economics.inputs import Array, Number, Shared
from roi.economics.lines.calendar import Falls, Path, Share, Stepped, by_month, growth_path, live_share, months, whole
from roi.economics.lines.line_kind import LineKind
from roi.numerics.spreads import triangle_exponential
from roi.units import DAYS_PER_MONTH, HOURS_PER_MONTH, MONTHS_PER_YEAR, SECONDS_PER_HOUR

Arithmetic = Callable[[int], str]
"""Month index (0 = month 1; -1, asked of a line with an upfront alone, = month 0) -> the product that gives its figure then."""


@dataclass(frozen=True)
class Hours:
    """Engineer hours in a line, which cost no cash where they are paid anyway."""

    when: str
    """set-up: paid at month end 0; running: at 1..H, for the month that ends; event: at 0..H-1, in the month that begins."""
    often: Callable[[], Array]
    """Makes how often hours are paid at each month end that `when` names."""
    each: Number
    """Engineer hours, each time that they are paid."""
    usd_each: Number
    """USD an hour, at the same month ends."""


class Words(NamedTuple):
    """Arithmetic that is the same in every month, or of which only its maker knows whether it is."""

    make: Callable[[], Arithmetic | str]


class Along(NamedTuple):
    """What is paid along a path over months: rate x path x share."""

    path: Path
    """What it runs along in months 1..H, shape (H,) or (n, H). What shares the array is added as rates."""
    rate: Number = 1.0
    """USD at a month end for each unit of the path; 0 where all is paid in month 0."""
    share: Share | None = None
    """The part of each month for which it is paid, where it is not the whole."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is paid for one thing: rate x path. Costs are positive; a residual value is the one negative line."""

    name: str
    kind: LineKind
    path: Path
    rate: Number = 1.0
    share: Share | None = None
    """The part of each month for which it is paid, as in `Along`."""
    also: tuple[Along, ...] = ()
    """Other paths that it runs along besides."""
    upfront: Number = 0.0
    """USD at month 0, float or (n, 1)."""
    falls: Falls | None = None
    """What it costs besides at single month ends of single draws."""
    facts: tuple[str, ...]
    """Paths of the facts that the line rests on, the shared ones included."""
    arithmetic: "Arithmetic | Words"
    """How the figure follows from the facts, at the central values; words are made where somebody reads them."""
    by_unit: bool = False
    """True of the fee of units or seats in use, whoever pays them: no record of calls tells it."""
    no_cash: bool = False
    """True for what is given up and not paid: cards that are owned and could be sold."""
    hours: Hours | None = None
    """Engineer hours in the line's figures, where it has any."""
    paid_anyway: tuple[Number, Array] | None = None
    """USD in month 0 and at month ends 1..H of hours that the line leaves out because they are paid anyway."""

    @property
    def is_error(self) -> bool:
        """True for the cost of wrong answers, which NPV is printed with and without."""
        return self.kind is LineKind.ERRORS

    @cached_property
    def told(self) -> Arithmetic | str:
        """Its arithmetic: by month, or the same text for all of them."""
        return self.arithmetic.make() if isinstance(self.arithmetic, Words) else self.arithmetic

    @property
    def along(self) -> tuple[Along, ...]:
        """All paths that the line runs along."""
        return Along(self.path, self.rate, self.share), *self.also

    @cached_property
    def monthly(self) -> Array:
        """USD at month ends 1..H, shape (H,) or (n, H)."""
        first, *others = ((whole(path) if share is None else whole(path) * share.whole) * rate
                          for path, rate, share in self.along)
        total = np.asanyarray(sum(others, first))
        return total if self.falls is None else total + self.falls.monthly


SUMMED = 12 * 4096
"""Numbers that all lines of an option are added up for at once, some months of all draws: 384 KiB stay in the near cache."""


@dataclass(frozen=True)
class Totals:
    """The sum of an option's lines."""

    monthly: Array
    upfront: Number
    errors_pv: Number
    """Present value of the wrong answers in it, USD."""

    @classmethod
    def of(cls, lines: Sequence[Line], shared: Shared) -> "Totals":
        """The sum of these lines; one row a draw where any of them has rows."""
        wrong, others = ([line for line in lines if line.is_error == wanted] for wanted in (True, False))
        upfront: Number = sum((line.upfront for line in lines), 0.0)
        rows = _rows(lines, upfront)
        if not rows:
            worth = sum((present_value(line.upfront, line.monthly, shared.discount_rate) for line in wrong), 0.0)
            return cls(sum((line.monthly for line in lines), np.zeros(shared.horizon)), float(np.asanyarray(upfront)), worth)
        factors, errors_pv = discount_factors(shared.discount_rate, shared.horizon), np.zeros(rows)
        monthly = np.empty((shared.horizon, rows)).T
        first, then = (_by_share(shared, some) for some in (wrong, others))
        step = max(SUMMED // rows, 1)
        rooms = np.empty((2, step, rows)).transpose(0, 2, 1)
        for start in range(0, shared.horizon, step):
            total = monthly[:, start : start + step]
            _add_all(total, start, first, rooms, fresh=True)
            errors_pv += total @ factors[start : start + step]
            _add_all(total, start, then, rooms, fresh=not first)
        for line in lines:
            if line.falls is not None:
                line.falls.add_to(monthly)
        return cls(monthly, upfront + np.zeros((rows, 1)), errors_pv[:, None])


def _rows(lines: Sequence[Line], upfront: Number) -> int:
    """How many rows any of these lines has; 0 where all are plain months."""
    found = [upfront, *(line.falls.usd.T for line in lines if line.falls is not None)]
    for path, rate, share in (each for line in lines for each in line.along):
        found += [path.levels.T if isinstance(path, Stepped) else path, rate, 0.0 if share is None else share.early]
    return max((len(x) for x in found if isinstance(x, np.ndarray) and x.ndim > 1), default=0)


_Rates = list[tuple[Path | None, Number]]
"""Paths, each once with the sum of the rates along it; None: as much in every month."""


def _by_share(shared: Shared, lines: Sequence[Line]) -> list[tuple[Share, _Rates]]:
    """What these lines run along, by the share of the months in which it is paid: first those that are paid to the end."""
    found: dict[Share, dict[int, tuple[Path, Number]]] = {}
    for path, rate, share in (each for line in lines for each in line.along):
        if not (isinstance(rate, float) and rate == 0.0):
            paths = found.setdefault(always(shared) if share is None else share, {})
            paths[id(path)] = path, rate + paths[id(path)][1] if id(path) in paths else rate
    same = each_month(shared)
    return [(share, [(None if path is same else path, rate) for path, rate in found[share].values()])
            for share in sorted(found, key=lambda share: -share.after)]


def _add_all(total: Array, start: int, alike: Sequence[tuple[Share, _Rates]], rooms: Array, *, fresh: bool) -> None:
    """Adds to `total`, rows of the months from `start` on, what is paid in them; a `fresh` total holds nothing yet.

    `rooms` hold such rows on the way.
    """
    if fresh and not alike:
        total[...] = 0.0
    for k, (share, paths) in enumerate(alike):
        new = fresh and k == 0
        before = min(max(share.early.shape[-1] - start, 0), total.shape[1])
        if before:
            part = total[:, :before] if new else rooms[0, :, :before]
            _add(part, start, paths, rooms[1], fresh=True)
            part *= share.early[..., start : start + before]
            if not new:
                total[:, :before] += part
        if before < total.shape[1]:
            if share.after:
                _add(total[:, before:], start + before, paths, rooms[1], fresh=new)
            elif new:
                total[:, before:] = 0.0


def _add(total: Array, start: int, paths: _Rates, room: Array, *, fresh: bool) -> None:
    """Adds to `total` what runs along these paths in the whole of its months, the first of which is `start`."""
    months = slice(start, start + total.shape[1])
    for k, (path, rate) in enumerate(paths):
        by_month = isinstance(rate, np.ndarray) and rate.shape[-1] > 1
        if isinstance(path, Stepped) and not by_month:
            path.add_to(total, start, rate, None if fresh and k == 0 else room[:, 0])
            continue
        each = rate[..., months] if isinstance(rate, np.ndarray) and by_month else rate
        part: Number = 1.0 if path is None else whole(path)[..., months]
        if fresh and k == 0:
            np.multiply(part, each, out=total)
        elif path is None:
            total += each
        elif isinstance(rate, float) and rate == 1.0:
            total += part
        else:
            total += np.multiply(part, each, out=room[:, : total.shape[1]])


def pick(x: Number | Array, month: int = 0) -> float:
    """The central figure of `x` in a month (index 0 = month 1); scalars and single rows are the same in every month."""
    row = np.asarray(x, dtype=np.float64)
    while row.ndim > 1:
        row = row[0]
    return float(row[month]) if row.size > 1 else float(row.reshape(-1)[0])


def any_positive(x: Number) -> bool:
    """True where the number, or any of its rows, is above zero."""
    if isinstance(x, float):
        return x > 0
    return bool((x > 0).any()) if type(x) is np.ndarray else bool(np.any(np.asanyarray(x) > 0))


def is_zero(x: Number) -> bool:
    """True where the number, or each of its rows, is zero; never of a workbook's cell, which may change."""
    return x == 0.0 if isinstance(x, float) else type(x) is np.ndarray and not x.any()


def rent_level(shared: Shared) -> Array:
    """GPU rent over today's in each month, shape (..., H): drift whose mean level is that of its central rate.

    level(t) = (1 + g)^t / E[((1 + g) / (1 + g0))^t], t in years since month 1, g0 the central drift, so that the spread of g
    alone moves no mean.
    """
    years = (months(shared.horizon) - 1.0) / MONTHS_PER_YEAR
    mean = shared.once("mean of rents", lambda: triangle_exponential(*shared.rent_spread, years))
    return shared.once("level of rents", lambda: np.asanyarray(growth_path(shared.rent_drift, shared.horizon) / mean))


def requests(shared: Shared) -> Array:
    """Requests that are answered in each month, shape (..., H): a day's requests x 365/12 x growth x steps."""

    def made() -> Array:
        volume = shared.requests_per_day * DAYS_PER_MONTH * growth_path(shared.growth, shared.horizon)
        for month, ratio in shared.steps:
            volume = volume * np.where(months(shared.horizon) >= month, ratio, 1.0)
        return np.asanyarray(volume)

    return shared.once("requests", made)


@dataclass(frozen=True)
class FarVolume:
    """The month, from 1 on, whose requests are furthest from today's by their ratio, and how many times today's they are."""

    month: int
    times: float
    fields: tuple[str, ...]
    """Fields of the workload that bring that: steps, growth_per_year."""


def far_volume(shared: Shared) -> FarVolume | None:
    """The first month whose requests are furthest from today's, central values; None where none has twice or half as many.

    Growth and `workload.steps` together. A volume that is told, of a fleet or of a threshold, is today's: the load passes one
    that lies within this range although today's stays.
    """
    over = requests(shared) / (shared.requests_per_day * DAYS_PER_MONTH)
    far = np.round(np.abs(np.log2(over)), 9)
    month = int(np.argmax(far))
    fields = ("steps",) * bool(shared.steps) + ("growth_per_year",) * bool(np.any(shared.growth))
    return FarVolume(month + 1, float(over[month]), fields) if far[month] >= 1.0 else None


def billed_requests(shared: Shared) -> Array:
    """Requests as they are billed and load the servers, shape (..., H).

    They hold the part of the gap to the bill that is volume (retries, missing tokens), which every option pays.
    """
    factor, asked = shared.volume_factor, requests(shared)
    same = isinstance(factor, float) and factor == 1.0
    return shared.once("billed requests", lambda: asked if same else np.asanyarray(asked * factor))


def mean_load(shared: Shared) -> Array:
    """Requests/s that are billed on the mean of each month, shape (..., H)."""
    return shared.once("mean load", lambda: np.asanyarray(billed_requests(shared) / (HOURS_PER_MONTH * SECONDS_PER_HOUR)))


def usd_of_errors(shared: Shared) -> Array:
    """USD in each month if every answer were wrong, shape (..., H)."""
    return shared.once("usd of errors", lambda: requests(shared) * shared.usd_per_error)


def wages(shared: Shared) -> Array:
    """USD of an engineer hour in each month, shape (..., H)."""
    return shared.once("wages", lambda: by_month(
        np.multiply, shared.usd_per_hour, growth_path(shared.wage_growth, shared.horizon)))


def each_month(shared: Shared) -> Array:
    """The path of what is as much in every month: ones, shape (H,)."""
    return shared.once("each month", lambda: np.ones(shared.horizon))


def nothing_monthly(shared: Shared) -> Array:
    """The path of what is paid in month 0 alone: zeros, shape (H,)."""
    return shared.once("nothing", lambda: np.zeros(shared.horizon))


def live_months(shared: Shared, months_to_live: Number) -> Share:
    """Share of each month in which an option runs, worked out once for all options that go live then."""
    return shared.once_for("live", (months_to_live,), lambda: live_share(months_to_live, shared.horizon))


def always(shared: Shared) -> Share:
    """The whole of every month."""
    return shared.once("always", lambda: Share(np.ones(0), 1.0, shared.horizon))
