"""One line of cost: what it is, what it costs month by month, and how to redo it by hand; and the months it runs along.

Volume, wages, going live and events that recur are worked out by month; months 1..H are the last axis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.economics.inputs import Array, Number, Shared
from roi.numerics.spreads import triangle_exponential
from roi.units import DAYS_PER_MONTH, MONTHS_PER_YEAR

Arithmetic = Callable[[int], str]
"""Month index (0 = month 1) -> the product that gives the line's figure in that month."""


@dataclass(frozen=True)
class Hours:
    """Engineer hours in a line, which cost no cash where they are paid anyway."""

    when: str
    """set-up: paid at month end 0; running: at 1..H, for the month that ends; event: at 0..H-1, in the month that begins."""
    count: Array
    """How often at each of these month ends."""
    each: Number
    """Hours each time."""
    usd_each: Number
    """USD an hour, at the same month ends."""


class Words(NamedTuple):
    """Arithmetic that is the same in every month, or of which only its maker knows whether it is."""

    make: Callable[[], Arithmetic | str]


class Along(NamedTuple):
    """What is paid along a path over months: rate x path x share."""

    path: Array
    """What it runs along in months 1..H, shape (H,) or (n, H). What shares the array is added as rates."""
    rate: Number = 1.0
    """USD at a month end for each unit of the path; 0 where all is paid in month 0."""
    share: Array | None = None
    """The part of each month for which it is paid, shape (..., H), where it is not the whole: `settle` says of many shares
    from where on they stay the same, so that only the months before take a multiplication."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is paid for one thing: rate x path. Costs are positive; a residual value is the one negative line."""

    name: str
    path: Array
    rate: Number = 1.0
    share: Array | None = None
    """As `Along` has them."""
    also: tuple[Along, ...] = ()
    """Other paths that it runs along besides."""
    upfront: Number = 0.0
    """USD at month 0, float or (n, 1)."""
    facts: tuple[str, ...]
    """Paths of the facts that the line rests on, the shared ones included."""
    arithmetic: "Arithmetic | Words"
    """How the figure follows from the facts, at the central values; words are made where somebody reads them."""
    is_error: bool = False
    """True for the cost of wrong answers, which NPV is printed with and without."""
    no_cash: bool = False
    """True for what is given up and not paid: cards that are owned and could be sold."""
    existing_staff: bool = False
    """True for hours that an older Case says are paid anyway; they are counted all the same."""
    hours: Hours | None = None
    """Engineer hours in the line's figures, where it has any."""
    paid_anyway: tuple[Number, Array] | None = None
    """USD in month 0 and at month ends 1..H of hours that the line leaves out because they are paid anyway."""

    @cached_property
    def told(self) -> Arithmetic | str:
        """Its arithmetic: by month, or the same text for all of them."""
        return self.arithmetic.make() if isinstance(self.arithmetic, Words) else self.arithmetic

    @property
    def along(self) -> tuple[Along, ...]:
        """All that it runs along."""
        return Along(self.path, self.rate, self.share), *self.also

    @cached_property
    def monthly(self) -> Array:
        """USD at month ends 1..H, shape (H,) or (n, H)."""
        first, *others = ((path if share is None else path * share) * rate for path, rate, share in self.along)
        return np.asanyarray(sum(others, first))


SUMMED = 2**15
"""Numbers that all lines of an option are added up for at once, some months of all draws: 256 KiB stay in the near cache."""


@dataclass(frozen=True)
class Totals:
    """The sum of an option's lines."""

    monthly: Array
    upfront: Number

    @classmethod
    def of(cls, lines: Sequence[Line], shared: Shared) -> "Totals":
        """The sum of these lines; one row a draw where any of them has rows."""
        along = [each for line in lines for each in line.along]
        arrays = [a for each in along for a in each if isinstance(a, np.ndarray)]
        arrays += [line.upfront for line in lines if isinstance(line.upfront, np.ndarray)]
        rows = max((a.shape[0] for a in arrays if a.ndim > 1), default=0)
        upfront: Number = sum((line.upfront for line in lines), np.zeros((rows, 1)) if rows else 0.0)
        if not rows:
            return cls(sum((line.monthly for line in lines), np.zeros(shared.horizon)), float(np.asanyarray(upfront)))
        paid = [(rate, *each) for path, rate, share in rates_along_paths(along) for each in paid_months(shared, path, share)]
        monthly = np.zeros((shared.horizon, rows)).T
        step = max(SUMMED // rows, 1)
        product = np.empty((step, rows)).T
        for start in range(0, shared.horizon, step):
            for rate, months, path in paid:
                first, last = max(start, months.start), min(start + step, months.stop)
                if first < last:
                    part, total = path[..., first - months.start : last - months.start], monthly[:, first:last]
                    if path.ndim == 1 and (path == 1.0).all():
                        total += rate
                    elif isinstance(rate, float) and rate == 1.0:
                        total += part
                    else:
                        total += np.multiply(part, rate, out=product[:, : last - first])
        return cls(monthly, upfront)


def rates_along_paths(along: Sequence[Along]) -> list[Along]:
    """Each path, with its share, once, and the sum of the rates along it."""
    found: dict[tuple[int, int], Along] = {}
    for each in along:
        if isinstance(each.rate, float) and each.rate == 0.0:
            continue
        key = id(each.path), id(each.share)
        known = found.get(key)
        found[key] = each if known is None else known._replace(rate=known.rate + each.rate)
    return list(found.values())


def settle(shared: Shared, share: Array, after: float, *numbers: Number) -> Array:
    """`share` itself, kept as one that is `after`, 0 or 1, in every month that begins after all these numbers of months."""
    shared.memo["settles", id(share)] = share, after, numbers
    return share


def settled(shared: Shared, share: Array) -> tuple[int, float]:
    """The first month (0 = month 1) from which on `share` is the same for all draws, and what it is then.

    A share of which nothing is known settles at the horizon.
    """
    after, numbers = _settling(shared, share)
    turn = shared.once(("turn", id(share)), lambda: min(max(float(np.max(x)) for x in numbers), shared.horizon))
    return ceil(turn), after


def _settling(shared: Shared, share: Array) -> tuple[float, tuple[Number, ...]]:
    """What `settle` was told of this share."""
    _, after, numbers = shared.memo.get(("settles", id(share)), (share, 0.0, (np.inf,)))
    return after, numbers


def paid_months(shared: Shared, path: Array, share: Array | None) -> list[tuple[slice, Array]]:
    """Path x share: months, and what it is in them; months without any are left out."""
    if share is None:
        return [(slice(0, shared.horizon), path)]

    def made() -> list[tuple[slice, Array]]:
        turn, after = settled(shared, share)
        before = [] if turn == 0 else [(slice(0, turn), path[..., :turn] * share[..., :turn])]
        return before if after == 0.0 else [*before, (slice(turn, shared.horizon), path[..., turn:])]

    return shared.once_for("paid", (path, share), made)


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


EXACT = 1e-9
"""Months; an event this near to a month end falls on it, float error aside."""


def months(horizon: int) -> Array:
    """The months 1..H, shape (H,)."""
    return np.arange(1, horizon + 1, dtype=np.float64)


def by_month(operation: np.ufunc, one: Number, other: Number) -> Array:
    """`operation` of a number and a row of months, shape (..., H).

    Of a column of draws a month's draws lie side by side in memory, and so they do in all that follows from it: sums along
    months, and differences of neighbours, then run over draws, several times as fast as along 36 months.
    """
    plain = type(one) is np.ndarray and type(other) is np.ndarray
    return np.asanyarray(operation(one, other, order="F") if plain else operation(one, other))


def powers(base: Number, exponents: Array) -> Array:
    """`base` to each of the exponents, for a positive base: one logarithm a row; exponent 0 gives exactly 1; broadcasts."""
    return np.asanyarray(np.exp(by_month(np.multiply, np.log(base), exponents)))


def growth_path(annual: Number, horizon: int) -> Array:
    """Growth since today in each month, shape (..., H): (1 + g)^((t - 1)/12), so a month has the level of its start."""
    return powers(1.0 + annual, (months(horizon) - 1.0) / MONTHS_PER_YEAR)


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


def billed_requests(shared: Shared) -> Array:
    """Requests as they are billed and load the servers, shape (..., H).

    They hold the part of the gap to the bill that is volume (retries, missing tokens), which every option pays.
    """
    return shared.once("billed requests", lambda: requests(shared) * shared.volume_factor)


def usd_of_errors(shared: Shared) -> Array:
    """USD in each month if every answer were wrong, shape (..., H)."""
    return shared.once("usd of errors", lambda: requests(shared) * shared.usd_per_error)


def wages(shared: Shared) -> Array:
    """USD of an engineer hour in each month, shape (..., H)."""
    return shared.once("wages", lambda: by_month(
        np.multiply, shared.usd_per_hour, growth_path(shared.wage_growth, shared.horizon)))


def nothing_monthly(shared: Shared) -> Array:
    """The path of what is paid in month 0 alone: zeros, shape (H,)."""
    return shared.once("nothing", lambda: np.zeros(shared.horizon))


def live_months(shared: Shared, months_to_live: Number) -> Array:
    """Share of each month in which an option runs, worked out once for all options that go live then."""
    return shared.once_for("live", (months_to_live,), lambda: settle(
        shared, live_share(months_to_live, shared.horizon), 1.0, months_to_live))


def always(shared: Shared) -> Array:
    """The whole of every month, shape (H,)."""
    return shared.once("always", lambda: settle(shared, np.ones(shared.horizon), 1.0, 0.0))


def clipped(share: Array) -> Array:
    """A share within 0 and 1, in its own place where it is plain numbers."""
    return np.clip(share, 0.0, 1.0, out=share) if type(share) is np.ndarray and share.ndim > 1 else np.clip(share, 0.0, 1.0)


def not_kept(shared: Shared, kept: Array) -> Array:
    """Share of each month in which the incumbent's answers are no longer used, where it is paid in `kept`."""
    return shared.once_for("not kept", (kept,), lambda: settle(
        shared, np.asanyarray(1.0 - kept), 1.0, *_settling(shared, kept)[1]))


def alone_months(shared: Shared, live: Array, kept: Array) -> Array:
    """Share of each month in which the option serves alone: live, and the incumbent not kept."""
    later = not_kept(shared, kept)
    return shared.once_for("alone", (live, later), lambda: settle(
        shared, np.asanyarray(live * later), 1.0, *_settling(shared, live)[1], *_settling(shared, later)[1]))


def live_share(months_to_live: Number, horizon: int) -> Array:
    """Share of each month in which the option runs: 0 before, 1 after, the rest of the month in which it goes live."""
    return clipped(by_month(np.subtract, months(horizon), months_to_live))


def incumbent_share(months_to_live: Number, months_in_parallel: Number, horizon: int) -> Array:
    """Share of each month in which the incumbent is still paid: until live, and in parallel after that."""
    return clipped(by_month(np.subtract, months_to_live + months_in_parallel, months(horizon) - 1.0))


def events(
    first: Number, every: Number, horizon: int, since: Number = 0.0, until: Number = np.inf, so_far: Array | None = None
) -> Array:
    """How many events fall at month ends 0..H; shape (..., H + 1).

    Events happen at first, first + every, ... months from today; those before `since` and from `until` on do not count. An
    event is paid at the start of the period that it serves, the last month end before it (floor); none falls at H, since
    what it serves lies beyond the horizon. `so_far` is what `events_so_far` says of them, where that is known.
    """
    so_far = events_so_far(first, every, horizon, until) if so_far is None else so_far
    before: Number = 0.0
    if not (isinstance(since, float) and since <= 0.0):
        before = np.maximum(np.ceil((since - np.maximum(first, 0.0) - EXACT) / every), 0.0)
    if type(so_far) is np.ndarray and so_far.ndim > 1:
        return _counted(so_far, np.reshape(before, -1))
    so_far = by_month(np.maximum, so_far, before)
    counts = np.empty_like(so_far)
    counts[..., :1] = so_far[..., :1] - before
    np.subtract(so_far[..., 1:], so_far[..., :-1], out=counts[..., 1:])
    counts[..., -1] = 0.0
    return counts


def _counted(so_far: Array, before: Array) -> Array:
    """The same for rows of months, a month at a time, so that what a month needs is at hand."""
    counts, past = np.zeros(so_far.shape[::-1]), before
    for reached, count in zip(so_far.T[:-1], counts, strict=False):
        now = np.maximum(reached, before)
        np.subtract(now, past, out=count)
        past = now
    return counts.T


def events_so_far(first: Number, every: Number, horizon: int, until: Number = np.inf) -> Array:
    """How many events fell up to each month end t = 0..H, those at H included; shape (..., H + 1)."""
    ends = np.arange(1.0, horizon + 2.0)
    reached = ends if isinstance(until, float) and until == np.inf else by_month(np.minimum, ends, until)
    so_far = by_month(np.subtract, by_month(np.divide, reached, every), (np.maximum(first, 0.0) + EXACT) / every)
    np.ceil(so_far, out=so_far)
    return np.maximum(so_far, 0.0, out=so_far)


def split(at_ends: Array) -> tuple[NDArray[np.float64], Array]:
    """(upfront, monthly) of amounts at month ends 0..H: shapes (..., 1) and (..., H); a plain row gives a 0-d upfront."""
    upfront = at_ends[..., :1]
    return (upfront if at_ends.ndim > 1 else upfront.reshape(())), at_ends[..., 1:]
