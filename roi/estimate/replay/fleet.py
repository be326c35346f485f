"""How many replicas, instances and GPUs a load needs.

    replicas  = round up(those whose capacity x (1 - headroom) holds the demand) + spares, at least a minimum
    instances = round up(replicas / replicas an instance holds), since vendors rent instances of some GPUs each

A fixed fleet holds the peak in every hour; one that follows the hours of the day is in hourly_fleet.py. What one replica holds
comes from a replay (load_curve.py); several behind one router hold more each, since they share their bursts (`fleet_capacity`).
Months are the last axis; leading axes (draws, plans) broadcast.

A load curve is 24 hourly means as multiples of the day's mean (last axis, mean 1); `burst` is how far the traffic inside an
hour rises above that hour's mean, so that peak = mean x max(curve) x burst.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.errors import ScenarioError
from roi.numerics.arrays import Array

Number = float | Array

CEIL_TOLERANCE: Final = 1e-9
"""A demand that exceeds whole replicas by less than this share of itself needs no further one.

Without it 0.3 / 0.1 = 2.9999999999999996 and 0.7 / 0.1 = 6.999999999999999 round as wished but 3 x 0.1 / 0.1 =
3.0000000000000004 would rent a fourth replica. At most a billionth of the peak goes unserved.
"""
POOL: Final = 4.0
"""Replicas that `pooling` is measured on."""
LITTLE_FREE: Final = 0.1
"""Share of what a fleet holds below which what is free at the peak is little: so much more load breaks the SLO, and the law
itself rests on replays of 600 requests. Longer ones broke 8 of 11 fleets of one to three replicas (Qwen3-8B on L40S and A100,
three mixes of lengths) that had less, and none of five that had more."""
HOURS: Final = 24
"""Hours of a load curve."""
RANGE_HALVINGS: Final = 60
"""Bisections for the range of the load; 60 are exact to rounding."""
LARGEST_LOG_RANGE: Final = 200.0
"""Natural log of the largest ratio of peak to valley: beyond it, peak_to_mean exceeds 200."""
FLAT: Final = 1e-6
"""Natural log of the ratio of peak to valley below which a day counts as flat."""


@dataclass(frozen=True)
class Fleet:
    """What is rented in each month; arrays (..., months). inf where a replica has no capacity."""

    replicas: Number
    """Replicas that run, spares included; the mean over the day's hours where the fleet follows the load."""
    instances: Number
    """Whole instances rented; the mean over the hours where the fleet follows the load."""
    gpus: Number
    """GPUs paid for: instances x gpus_per_instance."""
    utilisation_mean: Number
    """Mean demand over the capacity of all replicas; above 1 the load cannot be served."""
    utilisation_peak: Number
    """Demand at the peak, after what can wait has moved, over the capacity of all replicas."""
    share_of_day: Number = 1.0
    """Share of the day in which replicas exist that are there for the work alone; 1 for all other fleets."""


def round_up(count: Number) -> Number:
    """The smallest integer that is not below `count`, float error aside (CEIL_TOLERANCE)."""
    less = np.asanyarray(count) * (1.0 - CEIL_TOLERANCE)
    return np.ceil(less, out=_place(less))


def _place(x: Number) -> Array | None:
    """Where the next operation on a number that nobody else holds may leave its result."""
    return x if type(x) is np.ndarray else None


def load_ratio(demand: Number, capacity: Number) -> Number:
    """Demand over capacity; inf where there is no capacity, 0 where there is no demand either."""
    if np.all(np.asanyarray(capacity) > 0.0):
        return np.divide(demand, capacity)[()]
    demand, capacity = np.broadcast_arrays(np.asanyarray(demand), np.asanyarray(capacity))
    none = np.where(demand > 0.0, np.inf, 0.0)
    return np.divide(demand, capacity, out=none, where=capacity > 0.0)[()]


def demand_to_hold(peak_requests_per_s: Number, mean_requests_per_s: Number, can_wait: Number = 0.0) -> Number:
    """Requests/s that a fixed fleet must serve: max((1 - can_wait) x peak, mean); the rest waits for the valleys."""
    return np.maximum((1.0 - np.asanyarray(can_wait)) * peak_requests_per_s, mean_requests_per_s)


def share_within_day(can_wait: Number, waits_hours: float, peak_to_mean: Number, load_curve: Array) -> Number:
    """The share that would ask for as large a fleet if it waited for any hour of its day as `can_wait` does within D hours.

    Of what comes in k hours in a row, all is answered D hours after them at the latest, and what comes in those D hours and
    cannot wait is answered at once. A burst may press the traffic of one hour into 1/burst of it, so a fixed fleet holds

        c = max((1 - w) x peak, 1, max over rows of (its sum + (1 - w) x that of the D hours after) / (k - 1 + 1/burst + D))

    times the mean, which is the least that keeps every deadline, and the share is 1 - c / peak: `demand_to_hold` gives c again.
    From a day on it is `can_wait` itself, at 0 hours nothing, and it never falls as D grows. `load_curve` has the hours as its
    only axis, the rest broadcasts.
    """
    waits = np.asanyarray(can_wait)
    if waits_hours >= HOURS or not np.any(waits > 0.0):
        return can_wait
    total = np.concatenate([[0.0], np.cumsum(np.tile(load_curve, 3))])
    whole, hours = int(waits_hours), np.arange(HOURS)
    within = 1.0 / burst_from_peak(peak_to_mean, load_curve)
    held = np.maximum((1.0 - waits) * peak_to_mean, 1.0)
    for k in range(1, HOURS + 1):
        ends = hours + k + whole
        after = total[ends] - total[hours + k] + (waits_hours - whole) * load_curve[ends % HOURS]
        most = np.max(total[hours + k] - total[hours] + (1.0 - waits)[..., None] * after, axis=-1)
        held = np.maximum(held, most / (k - 1 + within + waits_hours))
    share: Number = np.minimum(waits, np.maximum(1.0 - held / peak_to_mean, 0.0))[()]
    return share


def replicas_needed(
    demand: Number, capacity: Number, headroom: Number = 0.0, spares: Number = 1.0, minimum: Number = 1.0,
    pooling: Number = 1.0,
) -> Number:
    """The fewest replicas whose `fleet_capacity` x (1 - headroom) holds the demand, + spares, at least `minimum`."""
    exact = replicas_to_hold(demand, np.asanyarray(capacity) * (1.0 - np.asanyarray(headroom)), pooling)
    found = round_up(exact)
    if not (isinstance(spares, (int, float)) and spares == 0):
        found = found + spares
    return np.maximum(found, minimum, out=_place(found) if np.ndim(minimum) == 0 else None)[()]


def replicas_to_hold(demand: Number, capacity: Number, pooling: Number = 1.0) -> Number:
    """The number of replicas whose `fleet_capacity` is the demand, before rounding up; inf where one has no capacity.

    With p = pooling and x = demand / capacity, R = x / p from four replicas on; below that
    (2 p - 1) R - (2 p - 2) sqrt(R) = x. Never falls when the demand grows.
    """
    p = np.asanyarray(pooling)
    if np.all(p <= 1.0):
        return load_ratio(demand, capacity)
    first, half = 2.0 * p - 1.0, (p - 1.0) / (2.0 * p - 1.0)
    pooled, most = load_ratio(demand, np.asanyarray(capacity) * first), POOL * p / first
    beyond: Number | None = None  # from POOL replicas on, x / p
    if np.max(pooled) > np.min(most):
        beyond = np.maximum(pooled, most) - most
        beyond *= first / p
        pooled = np.minimum(pooled, most)
    pooled += np.square(half)
    pooled = np.sqrt(pooled, out=_place(pooled))
    pooled += half
    pooled *= pooled
    if beyond is not None:
        pooled += beyond
    return (pooled if np.all(p > 1.0) else np.where(p > 1.0, pooled, load_ratio(demand, capacity)))[()]


def instances_needed(
    replicas: Number, gpus_per_replica: Number, gpus_per_instance: Number, *, across_instances: bool = False,
) -> Number:
    """Whole instances that hold `replicas`; a replica is not split over instances unless `across_instances`.

    replicas per instance = gpus_per_instance // gpus_per_replica; with `across_instances` a larger replica takes
    ceil(gpus_per_replica / gpus_per_instance) instances of its own (the slower network between them is not modelled).
    """
    need, have = np.asanyarray(gpus_per_replica), np.asanyarray(gpus_per_instance)
    if not across_instances and np.any(need > have):
        largest = f"at most {np.min(have):g} GPUs, one instance, hold a replica"
        raise ScenarioError("gpus_per_replica", float(np.max(need)), largest)
    shared = round_up(replicas / np.maximum(np.floor(have / need), 1.0))
    if not np.any(need > have):
        return np.asanyarray(shared)[()]
    return np.where(need > have, replicas * round_up(need / have), shared)[()]


def size_fleet(
    peak_requests_per_s: Number, mean_requests_per_s: Number, capacity_requests_per_s: Number, *,
    gpus_per_replica: Number = 1.0, gpus_per_instance: Number = 1.0, headroom: Number = 0.0, spares: Number = 1.0,
    replicas_minimum: Number = 1.0, can_wait: Number = 0.0, across_instances: bool = False, pooling: Number = 1.0,
) -> Fleet:
    """A fleet that exists for every hour of the month; demands (..., months), everything broadcasts.

    `capacity_requests_per_s` is one replica's at the SLO, `headroom` the share of it kept free (0 to below 1), `pooling`
    what replicas gain behind one router (`fleet_capacity`), `can_wait` the share of requests that may wait for a valley
    (0 to 1). `spares` are added to what the load needs.
    """
    demand = demand_to_hold(peak_requests_per_s, mean_requests_per_s, can_wait)
    replicas = replicas_needed(demand, capacity_requests_per_s, headroom, spares, replicas_minimum, pooling)
    instances = instances_needed(replicas, gpus_per_replica, gpus_per_instance, across_instances=across_instances)
    served = fleet_capacity(replicas, capacity_requests_per_s, pooling)
    return Fleet(
        replicas=replicas, instances=instances, gpus=instances * gpus_per_instance,
        utilisation_mean=load_ratio(mean_requests_per_s, served), utilisation_peak=load_ratio(demand, served),
    )


def fleet_capacity(replicas: Number, capacity: Number, pooling: Number = 1.0) -> Number:
    """Requests/s that replicas behind one router hold in all at the SLO; 0 where one has no capacity.

        capacity x ((2 p - 1) R - (2 p - 2) sqrt(R)) up to POOL replicas,  capacity x p R from there on

    What one replica alone holds, `capacity`, leaves room for the times at which requests crowd. A router evens that out:
    the room that a fleet needs grows with the square root of its size (square-root staffing, Halfin and Whitt 1981), and
    `pooling` p, at least 1, is what each of POOL replicas holds over what one alone does. Beyond POOL the gain goes on
    (30% more at 32 replicas where p is 1.4, nothing where it is 1); it is left out, on the safe side and so that a tighter
    SLO, which lowers both figures, can never give a fleet more capacity.
    """
    replicas, capacity = np.broadcast_arrays(np.asanyarray(replicas), np.asanyarray(capacity))
    alone = np.multiply(replicas, capacity, out=np.zeros_like(replicas, dtype=float), where=capacity > 0.0)
    p, root = np.asanyarray(pooling), np.sqrt(np.clip(replicas, 1.0, POOL))
    held: Number = (alone * (2.0 * p - 1.0 - (2.0 * p - 2.0) / root))[()]
    return held


def peak_from_log_range(log_range: Number) -> Number:
    """Peak over mean of a day whose load is peak x q^(p - 1), given ln q: ln q / (1 - 1/q); 1 where q is 1."""
    x = np.asarray(log_range, dtype=float)
    return np.where(x < FLAT, 1.0 + x / 2.0, x / -np.expm1(-np.maximum(x, FLAT)))


def load_curve_from_peak(peak_to_mean: Number) -> Array:
    """24 hourly multiples with mean 1 for a day whose load peaks at `peak_to_mean` times its mean; shape (..., 24).

    An assumption for users who know only their peak: the load that is not exceeded for a share p of the day is
    peak x q^(p - 1), a straight line in the log, and q follows from mean 1. Each hour is the exact mean of its 24th of
    that curve, so the busiest hour lies below the peak and `burst_from_peak` holds the rest. Hours rise to noon and
    fall to midnight. A load with nights and weekends off has deeper valleys: give its own curve. 1 <= peak_to_mean <= 200.
    """
    peak = np.asarray(peak_to_mean, dtype=float)
    low, high = np.zeros_like(peak), np.full_like(peak, LARGEST_LOG_RANGE)
    for _ in range(RANGE_HALVINGS):
        middle = (low + high) / 2.0
        above = peak_from_log_range(middle) > peak
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    edges = np.exp(np.maximum(low, FLAT)[..., None] * (np.arange(HOURS + 1) / HOURS - 1.0))
    areas = np.diff(edges, axis=-1)
    by_load = np.where(low[..., None] > FLAT, areas / np.mean(areas, axis=-1, keepdims=True), 1.0)
    return np.concatenate([by_load[..., 0::2], by_load[..., ::-2]], axis=-1)


def burst_from_peak(peak_to_mean: Number, load_curve: Array) -> Number:
    """Peak inside the busiest hour over that hour's mean; at least 1 (a curve may be steeper than the stated peak)."""
    busiest: Array = np.asanyarray(np.max(load_curve, axis=-1))
    return np.maximum(peak_to_mean / busiest, 1.0)


def valleys_filled(load_curve: Array, can_wait: float) -> Array:
    """The hours of a day with the share `can_wait` of their sum moved to the quietest, filled to one level; shape (hours,).

    The busiest is then max((1 - can_wait) x busiest, mean), as in `demand_to_hold`.
    """
    now = (1.0 - can_wait) * load_curve
    level = np.min((can_wait * np.sum(load_curve) + np.cumsum(np.sort(now))) / np.arange(1, now.size + 1))
    return np.maximum(now, level)


def spill_share(load_curve: Array, burst: Number, floor_capacity_ratio: Number, can_wait: Number = 0.0) -> Number:
    """Share of requests above the capacity of a floor of replicas, which a hybrid sends to an API; broadcasts.

    `floor_capacity_ratio` c is the floor's capacity over the mean load. Inside an hour all its traffic is taken to
    arrive at `burst` times the hour's rate during 1/burst of the time, which spills the most that such a burst can:

        spill = mean over hours of max(0, m x burst - c) / burst        0 where c >= peak, 1 where c is 0

    which is a function of c / burst alone, straight between the hours' multiples, so that interpolation between them is
    exact. The share w that `can_wait` fills what the rest leaves of the floor, and spills only where a whole day is short:

        spill = max((1 - w) x that of m (1 - w), 1 - c)     0 where c >= max((1 - w) x peak, 1), as in `demand_to_hold`

    `load_curve` has the hours as its only axis; burst, c and w broadcast. Served is 1 - spill. Ignored: with w above 0, what
    spills waits less often than the mean request, and so pays a batch price less often.
    """
    knots = np.concatenate([[0.0], np.sort(load_curve)])
    spilled = np.mean(np.maximum(load_curve[:, None] - knots, 0.0), axis=0)
    held, now = np.asanyarray(floor_capacity_ratio), 1.0 - np.asanyarray(can_wait)
    ratio = np.asanyarray(load_ratio(held, burst * now))
    at_once: Number = np.asanyarray(np.interp(ratio, knots, spilled), order="F" if np.isfortran(ratio) else "C")[()]
    return np.maximum(now * at_once, np.where(now < 1.0, 1.0 - held, 0.0))[()] if np.any(now < 1.0) else at_once
