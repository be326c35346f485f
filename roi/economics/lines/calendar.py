"""Months: levels that grow, shares of months, and events that recur. Months 1..H are the last axis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from roi.economics.inputs import Array, Number, Shared
from roi.units import MONTHS_PER_YEAR

EXACT = 1e-9
"""Months; an event this near to a month end falls on it, float error aside."""


def months(horizon: int) -> Array:
    """The months 1..H, shape (H,)."""
    return np.arange(1, horizon + 1, dtype=np.float64)


def last_month(horizon: int) -> Array:
    """1 in month H, 0 before, shape (H,)."""
    return np.asarray(months(horizon) == horizon, dtype=np.float64)


def by_month(operation: np.ufunc, one: Number, other: Number) -> Array:
    """`operation` of a number and a row of months, shape (..., H).

    Of a column of draws a month's draws lie side by side in memory, and so they do in all that follows from it: sums along
    months, and differences of neighbours, then run over draws, several times as fast as along 36 months.
    """
    plain = type(one) is np.ndarray and type(other) is np.ndarray
    return np.asanyarray(operation(one, other, order="F") if plain else operation(one, other))


def has_rows(x: Number) -> bool:
    """True of plain numbers with one row a draw."""
    return type(x) is np.ndarray and x.ndim > 1


def powers(base: Number, exponents: Array) -> Array:
    """`base` to each of the exponents, for a positive base: one logarithm a row; exponent 0 gives exactly 1; broadcasts."""
    found = by_month(np.multiply, np.log(base), exponents)
    return np.asanyarray(np.exp(found, out=found if has_rows(found) else None))


def growth_path(annual: Number, horizon: int) -> Array:
    """Growth since today in each month, shape (..., H): (1 + g)^((t - 1)/12), so a month has the level of its start."""
    return powers(1.0 + annual, (months(horizon) - 1.0) / MONTHS_PER_YEAR)


@dataclass(frozen=True, eq=False)
class Share:
    """The part of each month for which something is paid: it differs in the first months alone."""

    early: Array
    """The part of each of the first T months, shape (T,) or (n, T)."""
    after: float
    """The part of every later month, 0 or 1."""
    horizon: int

    def first(self, count: int) -> Array:
        """The part of each of the first `count` months, shape (..., count)."""
        known = self.early.shape[-1]
        if count <= known:
            return self.early[..., :count]
        found = np.full((count, *self.early.shape[:-1]), self.after).T
        found[..., :known] = self.early
        return found

    @cached_property
    def whole(self) -> Array:
        """The part of every month, shape (..., H)."""
        return self.first(self.horizon)

    @cached_property
    def rest(self) -> "Share":
        """What is left of each month."""
        return Share(np.asanyarray(1.0 - self.early), 1.0 - self.after, self.horizon)

    def where_any(self, path: Number) -> Array:
        """The path in months of which there is a part, 0 in the others, shape (..., H)."""
        early = self.early
        if not (self.after and has_rows(path) and has_rows(early) and np.shape(path) == (len(early), self.horizon)):
            return np.where(self.whole > 0, path, 0.0)
        found = np.array(path, order="K")
        np.copyto(found[:, : early.shape[1]], 0.0, where=early <= 0.0)
        return found


def live_share(months_to_live: Number, horizon: int) -> Share:
    """Share of each month in which the option runs: 0 before, 1 after, the rest of the month in which it goes live."""
    return _share(months_to_live, 1.0, horizon, lambda number: by_month(np.subtract, number, months_to_live))


def incumbent_share(months_to_live: Number, months_in_parallel: Number, horizon: int) -> Share:
    """Share of each month in which the incumbent is still paid: until live, and in parallel after that."""
    left = months_to_live + months_in_parallel
    return _share(left, 0.0, horizon, lambda number: by_month(np.subtract, left, number - 1.0))


def committed_share(months_to_live: Number, minimum_months: Number, horizon: int) -> Array:
    """Share of each month until the end of a commitment that runs from go-live on, shape (..., H); 0 without one."""
    return np.asanyarray(incumbent_share(months_to_live, minimum_months, horizon).whole * (np.asanyarray(minimum_months) > 0))


def _share(until: Number, after: float, horizon: int, of: Callable[[Array], Array]) -> Share:
    """What `of` makes of the months, kept within 0 and 1, which is `after` in each that begins when `until` months are over."""
    plain = isinstance(until, float) or type(until) is np.ndarray
    turn = min(max(ceil(np.max(until)), 0), horizon) if plain else horizon
    return Share(np.asanyarray(np.clip(of(months(turn)), 0.0, 1.0)), after, horizon)


def events(first: Number, every: Number, horizon: int, since: Number = 0.0, until: Number = np.inf) -> Array:
    """How many events fall at month ends 0..H; shape (..., H + 1).

    Events happen at first, first + every, ... months from today; those before `since` and from `until` on do not count. An
    event is paid at the start of the period that it serves, the last month end before it (floor); none falls at H, since
    what it serves lies beyond the horizon.
    """
    before: Number = 0.0
    if not (isinstance(since, float) and since <= 0.0):
        before = np.maximum(np.ceil((since - np.maximum(first, 0.0) - EXACT) / every), 0.0)
    so_far = by_month(np.maximum, events_so_far(first, every, horizon, until), before)
    counts = np.empty_like(so_far)
    counts[..., :1] = so_far[..., :1] - before
    np.subtract(so_far[..., 1:], so_far[..., :-1], out=counts[..., 1:])
    counts[..., -1] = 0.0
    return counts


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


@dataclass(frozen=True)
class Happened:
    """The events of many draws, one by one: of most draws a few in the whole horizon, where a row of months is mostly zeros."""

    when: Array
    """Months from today, shape (K, n): the first, second ... event of each draw."""
    ends: NDArray[np.intp]
    """The month end at which each is paid; H and later: beyond the horizon."""
    horizon: int

    @classmethod
    def of(cls, first: Number, every: Number, horizon: int) -> "Happened | None":
        """The events of `events`; None where they are alike in all rows, and where there are more of them than months."""
        if not has_rows(first):
            return None
        start, each = np.reshape(np.maximum(first, 0.0), -1), np.reshape(every, -1)
        if max(start.size, each.size) == 1:
            return None
        most = np.max((horizon - EXACT - start) / each)
        if most > horizon:
            return None
        when = start + np.arange(max(ceil(most), 0))[:, None] * each
        return cls(when, np.minimum(when + EXACT, horizon).astype(np.intp), horizon)

    def counted(self, since: Number = 0.0, until: Number = np.inf) -> NDArray[np.bool_]:
        """Which of them fall within the horizon, and from `since` to `until` months; shape (K, n)."""
        found = self.ends < self.horizon
        if not (isinstance(since, float) and since <= 0.0):
            found &= self.when >= np.reshape(since, -1) - EXACT
        if not (isinstance(until, float) and until == np.inf):
            found &= self.when < np.reshape(until, -1) - EXACT
        return np.asarray(found)

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Where the month that ends with each stands in months x draws, laid end to end; month 1 for those at 0."""
        rows = self.ends.shape[1]
        return np.asarray((np.maximum(self.ends, 1) - 1) * rows + np.arange(rows))

    @cached_property
    def in_order(self) -> tuple[NDArray[np.intp], NDArray[np.intp], list[int]]:
        """The events by month end: the draw of each, its place in K x n laid end to end, how many fell before each end."""
        ends = self.ends.astype(np.int16).reshape(-1)  # sixteen bits are sorted without comparing
        order = ends.argsort(kind="stable")
        before = np.searchsorted(ends[order], np.arange(self.horizon + 1)).tolist()
        return order % self.ends.shape[1], order, before


@dataclass(frozen=True, eq=False)
class Stepped:
    """A path over months that each event of a draw moves to another level; its months are made where they are added up."""

    happened: Happened
    levels: Array
    """After 0, 1, ... events, shape (K + 1, n)."""
    times: Array | None = None
    """What they are multiplied by in each month, shape (H,) or (n, H)."""

    @cached_property
    def _then(self) -> Array:
        """The level from each event on, in the order of the events."""
        return np.asarray(self.levels[1:].reshape(-1)[self.happened.in_order[1]])

    @cached_property
    def whole(self) -> Array:
        """The path's value in every month, shape (n, H)."""
        found = np.empty((self.happened.horizon, self.levels.shape[1])).T
        self.add_to(found)
        return found

    def add_to(self, total: Array, start: int = 0, rate: Number = 1.0, room: Array | None = None) -> None:
        """Adds `rate` x the months from `start` on to `total`, shape (n, months). Without `room`, puts them there.

        `rate` is the same in every month; a month is made in `room`, shape (n,). A month after the other, so that only what
        changes is looked up.
        """
        who, _, before = self.happened.in_order
        who, each = who[: before[start + total.shape[1]]], np.reshape(rate, -1)
        now, then = self.levels[0] * each, self._then[: len(who)] * (each if each.size == 1 else each[who])
        for month, row in enumerate(total.T, start):
            since = 0 if month == start else before[month]
            if since < before[month + 1]:
                now[who[since : before[month + 1]]] = then[since : before[month + 1]]
            made = row if room is None else room
            if self.times is None:
                made[...] = now
            else:
                np.multiply(self.times.T[month], now, out=made)
            if room is not None:
                np.add(row, room, out=row)


Path = Array | Stepped
"""What a line runs along."""


def whole(path: Path) -> Array:
    """A path's value in every month, shape (H,) or (n, H)."""
    return path.whole if isinstance(path, Stepped) else path


def happened(shared: Shared, first: Number, every: Number) -> Happened | None:
    """`Happened.of`, worked out once for all that recurs then."""
    return shared.once_for("happened", (first, every), lambda: Happened.of(first, every, shared.horizon))


class Falls:
    """USD at single month ends of single draws."""

    def __init__(self, happened: Happened, usd: Array, counted: NDArray[np.bool_]) -> None:
        self.happened, self.usd = happened, np.where(counted, usd, 0.0)
        self.upfront: Number = 0.0
        at_start = happened.ends == 0
        if at_start.any():
            self.upfront = np.where(at_start, self.usd, 0.0).sum(axis=0)[:, None]
            self.usd[at_start] = 0.0

    def add_to(self, monthly: Array) -> Array:
        """Adds them to rows of months that lie month by month in memory, shape (n, H), and returns those."""
        flat = monthly.T.reshape(-1)
        for places, usd in zip(self.happened.places, self.usd, strict=True):
            flat[places] += usd
        return monthly

    @property
    def monthly(self) -> Array:
        """USD at month ends 1..H, shape (n, H)."""
        return self.add_to(np.zeros((self.happened.horizon, self.usd.shape[1])).T)
