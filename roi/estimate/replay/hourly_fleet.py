"""How many GPUs a fleet takes that follows the hours of the day, or exists for as long as there is work alone.

Replicas start ahead of the hour that needs them. What can wait goes where replicas are anyway; only what a day is then short
of takes further hours of them. So the fleet never grows with the share that can wait: at a larger share each hour holds no
more of what cannot wait, and the work of the day is the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, fields
from functools import partial, reduce
from math import ceil
from typing import Final

import numpy as np

from roi.estimate.replay.fleet import (
    CEIL_TOLERANCE,
    HOURS,
    POOL,
    Fleet,
    Number,
    demand_to_hold,
    fleet_capacity,
    instances_needed,
    load_ratio,
    replicas_needed,
    replicas_to_hold,
    round_up,
    share_within_day,
)
from roi.numerics.arrays import Array, Flags
from roi.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

NEGLIGIBLE_START_S: Final = 60.0
"""A replica that starts within a minute follows the hourly curve without running ahead of it."""
DEADLINES: Final = (1, 3, 9)
"""Hours over which what waits is spread: those that are no longer than it may wait. Eight such and twice the shares save half a
percent of GPUs on average over random days."""
SHARES: Final = tuple(k / 10 for k in range(1, 11))
"""Shares of all requests that are so spread: those that are no more than may wait."""
STARTS: Final = (1, 2, 3, 4, 6, 8, 12, *(24 * 2**k for k in range(8)))
"""How often a day a queue may be worked off, evenly."""
MANY: Final = 4096
"""Demands from which on a day of them is worked out hour by hour."""
WORTH_APART: Final = 0.4
"""Share of many demands up to which those that may take fewer instances are worked out apart: what is common to a draw is then
each demand's own, which takes twice as long."""
COUNTS: Final = np.array(sorted({*range(1, 33), *(ceil(32 * 1.05**k) for k in range(1, 280))}), dtype=np.float64)
"""Instances that may work a queue off together where spares stand beside them, and steps of billed time that it may take: all
small numbers, then within 5% of any. They are the same for every load, so that more of it never costs less."""

Multiples = tuple[Flags, Array]
"""Where a spread of what waits is allowed, and the multiples of the mean load that each hour then holds."""


def smoothed(load_curve: Array, over_hours: float) -> Array:
    """The hours of a day with each one's work spread evenly over itself and what follows of `over_hours`, 1 to 24 of them."""
    weights = np.clip(over_hours - np.arange(HOURS), 0.0, 1.0) / over_hours
    moved = [weight * np.roll(load_curve, k, axis=-1) for k, weight in enumerate(weights) if weight > 0.0]
    return np.asarray(np.sum(moved, axis=0))


@dataclass(frozen=True)
class _Hours:
    """What holds a load in an hour; arrays have the hours as their last axis, of one element."""

    load: Array
    """The mean load over what one replica holds, which none at work may be."""
    spares: Array
    minimum: Array
    pooling: Array
    takes: Array
    """GPUs a replica."""
    holds: Array
    """GPUs an instance."""
    _: KW_ONLY
    step: int
    first: int
    to_none: bool

    @property
    def per_instance(self) -> Array:
        """Replicas that an instance holds."""
        return np.maximum(np.floor(self.holds / self.takes), 1.0)

    def serving(self, over_mean: Array) -> tuple[Array, Array]:
        """Replicas and instances that each hour needs, its load being `over_mean` times the mean; hours on the last axis."""
        load = self.load if np.all(np.isfinite(self.load)) else np.where(over_mean > 0.0, self.load, 0.0)
        held = load * over_mean
        replicas = np.asanyarray(replicas_needed(held, 1.0, 0.0, self.spares, self.minimum, self.pooling))
        replicas = np.where(held > 0.0, replicas, 0.0) if self.to_none else replicas
        alone = np.all(self.per_instance == 1.0)
        return replicas, replicas if alone else np.asanyarray(instances_needed(replicas, self.takes, self.holds))

    def fewest(self, held: Array) -> Array:
        """No more instances than `paid` of these multiples, in the mean over the hours: replicas in parts, or as few as may be.

        None holds more than `pooling` times what one alone does, and an hour with a load has one, the spares and the minimum.
        """
        there = np.mean(held > 0.0, axis=-1) if self.to_none else np.ones(held.shape[:-1])
        load, spares, pooling, each = (x[..., 0] for x in (self.load, self.spares, self.pooling, self.per_instance))
        in_parts = np.mean(held, axis=-1) / np.maximum(pooling, 1.0) * load + spares * there
        one = np.maximum(self.minimum, self.spares + 1.0 * self.to_none)
        least = np.asanyarray(instances_needed(one, self.takes, self.holds))
        return np.asarray(np.maximum(in_parts / each * (1.0 - 4.0 * CEIL_TOLERANCE), least[..., 0] * there))

    def paid(self, held: Array) -> Array:
        """Instances that are paid, in the mean over the hours, each of which holds these multiples (`_with_starts`)."""
        return self.of_hours(*self.apart(held))

    def apart(self, held: Array) -> tuple[Array, list[int]]:
        """Hours that differ in some draw, on the last axis, and how many each stands for; with `to_none` none without load.

        In whole steps their order counts: then all of them.
        """
        if self.step > 1:
            return held, [1] * HOURS
        alike = defaultdict[bytes, list[int]](list)
        for n, hour in enumerate(np.moveaxis(held, -1, 0)):
            alike[hour.tobytes()].append(n)
        kept = {each[0]: len(each) for each in alike.values() if not self.to_none or np.any(held[..., each[0]] > 0.0)}
        return held[..., list(kept)], list(kept.values())

    def of_hours(self, held: Array, often: list[int]) -> Array:
        """What is `paid` of hours told apart; of many draws hour by hour, so that a cache holds them."""
        some = 1 if np.size(self.load) > MANY else max(len(often), 1)
        each = (self.serving(held[..., hour : hour + some])[1] for hour in range(0, len(often), some))
        instances = [one for hours in each for one in np.moveaxis(hours, -1, 0)]
        if self.step > 1:
            return _paid(instances, self.step, self.first)
        return np.asanyarray(sum(count * one for count, one in zip(often, instances, strict=True)) / HOURS)

    def less(self, held: Array, least: Array, reached: Flags) -> tuple[Flags, Array]:
        """Whether, where `reached`, fewer instances are paid than `least`, and how many are paid there.

        Where `least` are no more than the `fewest`, nothing takes less; of many draws only the others are worked out.
        """
        may = reached & (least > self.fewest(held))
        if not np.any(may):
            return may, least
        if least.size <= MANY or np.mean(may) > WORTH_APART:
            taken = self.paid(held)
        else:
            taken, (day, often) = least.copy(), self.apart(held)
            day = day if day.ndim == 1 else np.broadcast_to(day, (*least.shape, len(often)))[may]
            some = (x if x.size == 1 else np.broadcast_to(x, (*least.shape, 1))[may] for x in (
                self.load, self.spares, self.minimum, self.pooling, self.takes, self.holds))
            taken[may] = _Hours(*some, step=self.step, first=self.first, to_none=self.to_none).of_hours(day, often)
        return may & (taken < least), taken


def size_autoscaled_fleet(
    mean_requests_per_s: Number, capacity_requests_per_s: Number, load_curve: Array, *, burst: Number = 1.0,
    startup_s: float = 600.0, gpus_per_replica: Number = 1.0, gpus_per_instance: Number = 1.0, headroom: Number = 0.0,
    spares: Number = 1.0, replicas_minimum: Number = 1.0, can_wait: Number = 0.0, pooling: Number = 1.0,
    waits_hours: float = HOURS, to_none: bool = False, billed_s: float = 0.0, gpus_alone: bool = False,
) -> Fleet:
    """A fleet that follows the hours of the day down to a floor of `replicas_minimum`; demands (..., months).

    `load_curve` has 24 multiples of the mean on its last axis (leading axes as the demand's, or none; none where requests
    wait). Each hour holds mean x multiple x burst of what cannot wait. Where a start takes more than a minute, an hour also
    holds what each hour needs that begins before a replica started now would serve. Where it has nothing to hold, with
    `to_none`, no replica exists, spares among them. Instances are whole in every hour, and what is started is paid for whole
    steps of `billed_s`, where these are longer than an hour (a whole part of a day); the fleet's figures are means over the
    hours, replicas those that serve.

    What can wait for a day fills these hours, and the fleet has as many hours of replicas as the work of the day takes
    (`_hours_of_work`), if those are more. Of what waits less (`waits_hours`) each hour's is spread evenly over a time of
    `DEADLINES` that is no longer, in a share of `SHARES` that is no larger; or a level holds all of it, all day. Of these, and
    of answering all at once, the one that takes fewest GPUs is taken, so that neither a larger share nor a longer time ever
    takes more. Of less than an hour, that part of it waits.

    With `gpus_alone`, which takes half the time, replicas are all that the instances hold, and the utilisations the mean's or
    above: no cost follows from them.
    """
    mean = np.asanyarray(mean_requests_per_s)[..., None]
    ahead = ceil(startup_s / SECONDS_PER_HOUR) if startup_s > NEGLIGIBLE_START_S else 0
    held = np.asanyarray(capacity_requests_per_s)[..., None] * (1.0 - np.asanyarray(headroom)[..., None])
    each = (spares, replicas_minimum, pooling, gpus_per_replica, gpus_per_instance)
    at_once = np.asanyarray(burst)[..., None] * load_curve
    hours = _Hours(
        np.asanyarray(load_ratio(mean, held)), *(np.asanyarray(x)[..., None] for x in each), to_none=to_none,
        step=max(ceil(billed_s / SECONDS_PER_HOUR), 1),
        first=int(np.argmin(np.mean(np.reshape(_with_starts(load_curve, ahead), (-1, HOURS)), axis=0))))

    def fleet(over_mean: Array, instances: Array, replicas_least: Number = 0.0) -> Fleet:
        if gpus_alone:
            replicas, busiest = instances * hours.per_instance[..., 0], np.zeros_like(instances)
        else:
            serving = hours.serving(_with_starts(over_mean, ahead))[0]
            alone = np.asanyarray(capacity_requests_per_s)[..., None]
            busiest = np.max(load_ratio(mean * over_mean, fleet_capacity(serving, alone, hours.pooling)), axis=-1)
            replicas = np.maximum(np.mean(serving, axis=-1), replicas_least)
        full = load_ratio(mean_requests_per_s, fleet_capacity(replicas, capacity_requests_per_s, pooling))
        return Fleet(replicas=replicas, instances=instances, gpus=instances * gpus_per_instance, utilisation_mean=full,
                     utilisation_peak=np.where(replicas > replicas_least, busiest, np.maximum(busiest, full)))

    waits = np.asanyarray(can_wait)
    best, least = at_once, hours.paid(_with_starts(at_once, ahead))
    if not np.any(waits > 0.0):
        return fleet(at_once, least)
    for reached, over_mean, held_then in _least_of(_spread(waits, waits_hours, load_curve, at_once), ahead, hours.step):
        less, taken = hours.less(held_then, least, reached)
        best = best if gpus_alone else np.where(less[..., None], over_mean, best)
        least = np.where(less, taken, least)
    found = fleet(best, least)
    if waits_hours < HOURS:
        return found
    now = (1.0 - waits)[..., None] * at_once
    fewest = hours.paid(_with_starts(now, ahead))
    for calls in (load_curve, np.ones(HOURS)) if to_none else (np.ones(HOURS),):
        replicas, instances = (_hours_of_work(hours.load[..., 0], calls, ahead, spares, pooling, one, hours.step) / HOURS
                               for one in (1.0, hours.per_instance[..., 0]))
        waiting = fleet(now, np.maximum(fewest, instances), replicas)
        found = either(np.asanyarray(found.gpus) <= waiting.gpus, found, waiting)
    return found


def _spread(can_wait: Array, waits_hours: float, load_curve: Array, at_once: Array) -> Iterator[Multiples]:
    """Multiples of the mean that each hour may hold, with where so much may wait, in an order that does not depend on it.

    Those of a longer time, or a larger share, are those of a shorter one, or a smaller, and more.
    """
    peak = np.max(at_once, axis=-1)
    level = demand_to_hold(peak, 1.0, share_within_day(can_wait, waits_hours, peak, load_curve))
    yield can_wait > 0.0, np.asanyarray(level)[..., None] + np.zeros(HOURS)
    reached_in_time = can_wait * min(waits_hours, 1.0)
    for hours in DEADLINES:
        if hours > max(waits_hours, 1.0):
            return
        later = smoothed(load_curve, hours)
        for share in SHARES:
            if not np.any(reached := reached_in_time >= share):
                break
            now = (1.0 - share) * at_once
            yield reached, now + np.maximum(1.0 - np.mean(now, axis=-1, keepdims=True), 0.0) * later


def _least_of(tried: Iterable[Multiples], ahead: int, step: int) -> list[tuple[Flags, Array, Array]]:
    """The days of which no other takes less whatever the load, and what their hours hold with starts.

    Each, sorted by load, is in some hour of some draw below every other that is reached where it is. What is paid in whole
    steps depends on the order of the hours: all of these.
    """
    days = [(reached, over_mean, _with_starts(over_mean, ahead)) for reached, over_mean in tried]
    if step > 1:
        return days
    ranked = [np.sort(held) for _, _, held in days]

    def no_more(one: int, other: int) -> bool:
        """Whether one day takes no more than the other wherever that is reached."""
        return bool(np.all(days[one][0] >= days[other][0]) and np.all(ranked[one] * (1.0 - CEIL_TOLERANCE) <= ranked[other]))

    least: list[int] = []
    for n in range(len(days)):
        if not any(no_more(other, n) for other in least):
            least = [other for other in least if not no_more(n, other)] + [n]
    return [days[n] for n in least]


def _paid(instances: list[Array], step: int, first: int) -> Array:
    """Instances that are paid in the mean over the hours: those that serve, and to the end of the `step` of hours each began.

    One is started where those that are paid are too few, hour by hour from the `first` on, and none is kept into the next day:
    the fewest steps that cover these hours.
    """
    if step == 1:
        return np.asanyarray(sum(instances) / HOURS)
    started: list[Array] = []
    for now in (*instances[first:], *instances[:first]):
        running = sum(started[max(len(started) - step + 1, 0) :], start=np.zeros_like(now))
        started.append(np.maximum(now - np.where(np.isfinite(running), running, 0.0), 0.0))
    paid: Array = np.minimum(step * np.asanyarray(sum(started)), HOURS * np.max(instances, axis=0)) / HOURS
    return paid


def _with_starts(hourly: Array, ahead: int) -> Array:
    """The most of each hour and of those in which a replica would serve that starts in it."""
    return np.asarray(np.max([np.roll(hourly, -hours, axis=-1) for hours in range(min(ahead, HOURS - 1) + 1)], axis=0))


def _hours_of_work(
    work: Number, calls: Array, ahead: int, spares: Number, pooling: Number, per_instance: Number, step: int,
) -> Number:
    """Hours a day of instances that hold `work`, a day's in replicas that work all day, in the hours that have `calls`.

    As many whole ones for all of these hours as are full, and one more for the hours that are left and its start. R replicas
    together hold at least p R - (p - 1) times what one alone does, p = `pooling`, from one on (`fleet_capacity`), and what is
    no more than one holds takes one for a part of the time.
    """
    hours = np.sum(calls > 0.0, axis=-1)
    there = _with_starts(np.where(calls > 0.0, 1.0, 0.0), ahead)
    first = int(np.argmin(np.mean(np.reshape(there, (-1, HOURS)), axis=0)))
    exist = HOURS * _paid(list(np.moveaxis(there, -1, 0)), step, first)
    finite = np.where(np.isfinite(work), work, 0.0)
    of_one = HOURS * finite
    asked = (np.minimum(of_one, (of_one + (np.asanyarray(pooling) - 1.0) * hours) / pooling) + spares * hours) / per_instance
    whole = np.floor(asked / hours)
    rest = np.ceil(asked - whole * hours - CEIL_TOLERANCE * asked)
    needed = whole * exist + np.where(rest > 0.0, np.minimum(np.ceil((rest + ahead) / step) * step, exist), 0.0)
    return np.where(np.isfinite(work), np.where(finite > 0.0, needed, 0.0), np.inf)[()]


def either(first: Flags | bool, one: Fleet, other: Fleet) -> Fleet:
    """The figures of one fleet where `first` is true, else those of the other."""
    if not np.any(first):
        return other
    return Fleet(**{f.name: np.where(first, getattr(one, f.name), getattr(other, f.name)) for f in fields(Fleet)})


def size_queue_fleet(
    mean_requests_per_s: Number, capacity_requests_per_s: Number, *, startup_s: float = 600.0, gpus_per_replica: Number = 1.0,
    gpus_per_instance: Number = 1.0, headroom: Number = 0.0, spares: Number = 1.0, pooling: Number = 1.0, billed_s: float = 0.0,
    load_curve: Array | None = None, waits_hours: float = HOURS,
) -> Fleet:
    """A fleet for requests that all wait: it works a day's off, and exists for those hours and its start alone.

    As many replicas as the mean load needs, rounded up, and all others that their instances hold, since these are paid too,
    run for that load / what they hold of the day, and start once; with the start no longer than the day. Where rent is
    billed in steps of `billed_s` the time is rounded up to whole ones. The fleet's figures are means over the day. Requests
    that wait less than a day are worked off more often, each time with a start, by replicas that hold the busiest hours
    between two starts of the `load_curve`: as often as takes fewest GPUs, of `STARTS` of which none is further from the next
    than the time that they may wait.

    Spares idle for as long as the others work, so with spares more of these, for a shorter time, may cost less: b of them and s
    spares take (b + s) (w / b + a) hours, w the work of one and a a start, at least a minute then: least at b = sqrt(s w / a).
    """
    one = partial(
        _queue_fleet, mean_requests_per_s, capacity_requests_per_s, startup_s=startup_s, gpus_per_replica=gpus_per_replica,
        gpus_per_instance=gpus_per_instance, headroom=headroom, spares=spares, pooling=pooling, billed_s=billed_s)
    if load_curve is None:
        return one(starts=1, busiest=1.0)
    often: list[int] = []
    even = billed_s <= 0.0 and not np.any(np.asanyarray(pooling) > 1.0)
    for starts in STARTS:
        # twice as often takes no less, as many more starts and no quieter hours between them, but where billed time is rounded
        # up to steps, or where the more replicas that these hours need each hold more
        in_time = starts * waits_hours >= HOURS * (1.0 - CEIL_TOLERANCE)
        if in_time and not (even and any(starts % fewer == 0 for fewer in often)):
            often.append(starts)
            if starts >= HOURS and starts * billed_s >= SECONDS_PER_DAY:
                break  # all day is billed, and no hours between two starts are quieter, as where it starts more often
    busiest = [float(np.max(smoothed(load_curve, max(HOURS / starts, 1.0)))) for starts in often or [STARTS[-1]]]
    fleets = [one(starts=starts, busiest=most) for starts, most in zip(often or [STARTS[-1]], busiest, strict=True)]
    return reduce(lambda least, other: either(np.asanyarray(least.gpus) <= other.gpus, least, other), fleets)


def _queue_fleet(
    mean_requests_per_s: Number, capacity_requests_per_s: Number, *, startup_s: float, gpus_per_replica: Number,
    gpus_per_instance: Number, headroom: Number, spares: Number, pooling: Number, billed_s: float, starts: int, busiest: float,
) -> Fleet:
    """A fleet started `starts` times a day; the busiest hours between two starts have `busiest` times the mean load."""
    held = np.asanyarray(capacity_requests_per_s) * (1.0 - np.asanyarray(headroom))
    per_instance = np.maximum(np.floor(np.asanyarray(gpus_per_instance) / gpus_per_replica), 1.0)
    standing = bool(np.any(np.asanyarray(spares) > 0))
    start = max(startup_s, NEGLIGIBLE_START_S if standing else 0.0) / SECONDS_PER_DAY
    step, none = billed_s / SECONDS_PER_DAY, np.asanyarray(mean_requests_per_s) <= 0.0

    def instances(load: Number) -> Array:
        replicas = np.maximum(round_up(np.asanyarray(replicas_to_hold(load, held, pooling))), 1.0)
        return np.asanyarray(instances_needed(replicas + spares, gpus_per_replica, gpus_per_instance))

    def share(count: Array) -> Array:
        """Share of the day that so many instances run."""
        each = load_ratio(mean_requests_per_s, fleet_capacity(count * per_instance - spares, held, pooling)) / starts + start
        each = np.asanyarray(round_up(each / step) * step if step > 0.0 else each)
        return np.where(none, 0.0, np.minimum(each * starts, 1.0))

    least = instances(mean_requests_per_s * busiest)
    if not standing:
        best, day = least, share(least)
    elif step > 0.0:
        best, day = least, np.where(none, 0.0, np.ones_like(least))
        for time in COUNTS[COUNTS * step * starts < 1.0] * step:
            if time > start:
                tried = np.maximum(instances(mean_requests_per_s / ((time - start) * starts)), least)
                best, day = _lesser(best, day, tried, np.where(none, 0.0, time * starts))
    else:
        known = np.searchsorted(COUNTS, least)
        work = load_ratio(mean_requests_per_s, held) / np.asanyarray(pooling) / starts
        most = (np.sqrt(np.where(np.isfinite(work), spares * work / start, 0.0)) + spares) / per_instance
        best = COUNTS[np.minimum(known, COUNTS.size - 1)]
        day = share(best)
        few = range(int(POOL + np.max(spares)))  # among which what replicas share makes more than one least possible
        for nth in (*few, np.searchsorted(COUNTS, most) - 1, np.searchsorted(COUNTS, most)):
            tried = COUNTS[np.clip(np.maximum(nth, known), 0, COUNTS.size - 1)]
            best, day = _lesser(best, day, tried, share(tried))
        best = np.where(least > COUNTS[-1], least, best)
    replicas = best * per_instance
    full = load_ratio(mean_requests_per_s, fleet_capacity(replicas, capacity_requests_per_s, pooling))
    busy = full / np.where(day > 0.0, day, 1.0)
    return Fleet(replicas=(replicas * day)[()], instances=(best * day)[()], gpus=(best * day * gpus_per_instance)[()],
                 utilisation_mean=busy[()], utilisation_peak=busy[()], share_of_day=day[()])


def _lesser(count: Array, day: Array, other: Array, other_day: Array) -> tuple[Array, Array]:
    """Instances, and their share of the day, whose product is the lesser."""
    less = other * other_day < count * day
    return np.where(less, other, count), np.where(less, other_day, day)
