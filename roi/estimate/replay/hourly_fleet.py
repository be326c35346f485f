"""How many GPUs a fleet takes that follows the hours of the day, or exists for as long as there is work alone.

Replicas start ahead of the hour that needs them. What can wait goes where replicas are anyway; only what a day is then short
of takes further hours of them. So the fleet never grows with the share that can wait: at a larger share each hour holds no
more of what cannot wait, and the work of the day is the same.
"""

from dataclasses import fields
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.replay.fleet import (
    CEIL_TOLERANCE,
    HOURS,
    POOL,
    Array,
    Fleet,
    Number,
    fleet_capacity,
    instances_needed,
    load_ratio,
    replicas_needed,
    replicas_to_hold,
    round_up,
)
from roi.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

NEGLIGIBLE_START_S: Final = 60.0
"""A replica that starts within a minute follows the hourly curve without running ahead of it."""
SHARES: Final = 20
"""Shares, evenly from 0 on, of which what waits less than a day takes the best that it reaches."""
COUNTS: Final = np.array(sorted({*range(1, 33), *(ceil(32 * 1.05**k) for k in range(1, 280))}), dtype=np.float64)
"""Instances that may work a queue off together where spares stand beside them, and steps of billed time that it may take: all
small numbers, then within 5% of any. They are the same for every load, so that more of it never costs less."""


def smoothed(load_curve: Array, over_hours: float) -> Array:
    """The hours of a day with each one's work spread evenly over itself and what follows of `over_hours`, 1 to 24 of them."""
    weights = np.clip(over_hours - np.arange(HOURS), 0.0, 1.0) / over_hours
    moved = [weight * np.roll(load_curve, k, axis=-1) for k, weight in enumerate(weights) if weight > 0.0]
    return np.asarray(np.sum(moved, axis=0))


def size_autoscaled_fleet(
    mean_requests_per_s: Number, capacity_requests_per_s: Number, load_curve: Array, *, burst: Number = 1.0,
    startup_s: float = 600.0, gpus_per_replica: Number = 1.0, gpus_per_instance: Number = 1.0, headroom: Number = 0.0,
    spares: Number = 1.0, replicas_minimum: Number = 1.0, can_wait: Number = 0.0, pooling: Number = 1.0,
    waits_hours: float = HOURS, to_none: bool = False,
) -> Fleet:
    """A fleet that follows the hours of the day down to a floor of `replicas_minimum`; demands (..., months).

    `load_curve` has 24 multiples of the mean on its last axis (leading axes as the demand's, or none). Each hour holds
    mean x multiple x burst of what cannot wait. Where a start takes more than a minute, an hour also holds what each hour needs
    that begins before a replica started now would serve. Where it has nothing to hold, with `to_none`, no replica exists,
    spares among them. Instances are whole in every hour; the fleet's figures are means over the hours.

    What can wait for a day fills these hours, and the fleet has as many hours of replicas as the work of the day takes
    (`_hours_of_work`), if those are more; or all is answered at once where that takes fewer. Of what waits less (`waits_hours`)
    each hour's is spread evenly over as many, in the share up to `can_wait`, by twentieths, that takes fewest GPUs; of less
    than an hour, that part of it waits. Ignored: minimum billing periods.
    """
    mean = np.asanyarray(mean_requests_per_s)[..., None]
    ahead = ceil(startup_s / SECONDS_PER_HOUR) if startup_s > NEGLIGIBLE_START_S else 0
    each = (capacity_requests_per_s, headroom, spares, replicas_minimum, pooling)
    capacity, *rules = (np.asanyarray(x)[..., None] for x in each)
    takes, holds = np.asanyarray(gpus_per_replica)[..., None], np.asanyarray(gpus_per_instance)[..., None]
    at_once = np.asanyarray(burst)[..., None] * load_curve

    def fleet(over_mean: Array, replicas_least: Number = 0.0, instances_least: Number = 0.0) -> Fleet:
        hourly = mean * over_mean
        replicas = replicas_needed(held := _with_starts(hourly, ahead), capacity, *rules)
        replicas = np.where(held > 0.0, replicas, 0.0) if to_none else replicas
        instances = np.maximum(np.mean(instances_needed(replicas, takes, holds), axis=-1), instances_least)
        busiest = np.max(load_ratio(hourly, fleet_capacity(replicas, capacity, rules[-1])), axis=-1)
        replicas = np.maximum(np.mean(replicas, axis=-1), replicas_least)
        full = load_ratio(mean_requests_per_s, fleet_capacity(replicas, capacity_requests_per_s, pooling))
        return Fleet(replicas=replicas, instances=instances, gpus=instances * gpus_per_instance, utilisation_mean=full,
                     utilisation_peak=np.where(replicas > replicas_least, busiest, np.maximum(busiest, full)))

    found, waits = fleet(at_once), np.asanyarray(can_wait)
    if not np.any(waits > 0.0):
        return found
    if waits_hours >= HOURS:
        work = load_ratio(mean_requests_per_s, np.asanyarray(capacity_requests_per_s) * (1.0 - np.asanyarray(headroom)))
        calls = load_curve if to_none else np.ones(HOURS)
        least = (_hours_of_work(work, calls, ahead, spares, pooling, one) / HOURS for one in (
            1.0, np.maximum(np.floor(np.asanyarray(gpus_per_instance) / gpus_per_replica), 1.0)))
        waiting = fleet((1.0 - waits)[..., None] * at_once, *least)
        return either(np.asanyarray(found.gpus) < waiting.gpus, found, waiting)
    later = smoothed(load_curve, max(waits_hours, 1.0))
    for share in np.arange(1, SHARES + 1) / SHARES:
        if not np.any(reached := waits >= share):
            break
        now = (1.0 - share * min(waits_hours, 1.0)) * at_once
        moved = fleet(now + np.maximum(1.0 - np.mean(now, axis=-1, keepdims=True), 0.0) * later)
        found = either(reached & (np.asanyarray(moved.gpus) < found.gpus), moved, found)
    return found


def _with_starts(hourly: Array, ahead: int) -> Array:
    """The most of each hour and of those in which a replica would serve that starts in it."""
    return np.asarray(np.max([np.roll(hourly, -hours, axis=-1) for hours in range(min(ahead, HOURS - 1) + 1)], axis=0))


def _hours_of_work(
    work: Number, calls: Array, ahead: int, spares: Number, pooling: Number, per_instance: Number,
) -> Number:
    """Hours a day of instances that hold `work`, a day's in replicas that work all day, in the hours that have `calls`.

    As many whole ones for all of these hours as are full, and one more for the hours that are left and its start. R replicas
    together hold at least p R - (p - 1) times what one alone does, p = `pooling`, from one on (`fleet_capacity`).
    """
    hours = np.sum(calls > 0.0, axis=-1)
    exist = np.sum(_with_starts(np.where(calls > 0.0, 1.0, 0.0), ahead), axis=-1)
    finite = np.where(np.isfinite(work), work, 0.0)
    asked = ((HOURS * finite + (np.asanyarray(pooling) - 1.0) * hours) / pooling + spares * hours) / per_instance
    whole = np.floor(asked / hours)
    rest = np.ceil(asked - whole * hours - CEIL_TOLERANCE * asked)
    needed = whole * exist + np.where(rest > 0.0, np.minimum(rest + ahead, exist), 0.0)
    return np.where(np.isfinite(work), np.where(finite > 0.0, needed, 0.0), np.inf)[()]


def either(first: NDArray[np.bool_] | bool, one: Fleet, other: Fleet) -> Fleet:
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
    that wait less than a day are worked off 24 / `waits_hours` times, each with a start, by replicas that hold the busiest of
    so many hours of the `load_curve`.

    Spares idle for as long as the others work, so with spares more of these, for a shorter time, may cost less: b of them and s
    spares take (b + s) (w / b + a) hours, w the work of one and a a start, at least a minute then: least at b = sqrt(s w / a).
    """
    held = np.asanyarray(capacity_requests_per_s) * (1.0 - np.asanyarray(headroom))
    per_instance = np.maximum(np.floor(np.asanyarray(gpus_per_instance) / gpus_per_replica), 1.0)
    within = waits_hours < HOURS and load_curve is not None
    starts = HOURS / waits_hours if within else 1.0
    busiest = float(np.max(smoothed(load_curve, max(waits_hours, 1.0)))) if within and load_curve is not None else 1.0
    standing = bool(np.any(np.asanyarray(spares) > 0))
    start = max(startup_s, NEGLIGIBLE_START_S if standing else 0.0) / SECONDS_PER_DAY
    step, none = billed_s / SECONDS_PER_DAY, np.asanyarray(mean_requests_per_s) <= 0.0

    def instances(load: Number) -> Array:
        replicas = np.maximum(round_up(np.asanyarray(replicas_to_hold(load, held, pooling))), 1.0)
        return np.asanyarray(instances_needed(replicas + spares, gpus_per_replica, gpus_per_instance))

    def share(count: Array) -> Array:
        """Of the day that so many instances run."""
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
