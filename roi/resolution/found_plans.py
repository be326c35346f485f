"""Plans that may hold the SLO by the closed form, and the few of them that are worth a replay."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.prices.gpu_offers import Offer
from roi.economics.inputs import Array, Option, path_of
from roi.economics.lines.line import mean_load
from roi.economics.lines.self_hosting import within_day
from roi.economics.reading import NO_BILL, read_shared
from roi.estimate.replay.fleet import demand_to_hold, instances_needed, replicas_needed
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import FleetPlan
from roi.units import HOURS_PER_MONTH, MONTHS_PER_YEAR

LARGER = (3.0, 10.0, 30.0)
"""Multiples of today's volume at which the cheapest plan is kept too."""
CHEAPEST = 2
"""Plans, those with the least cost over the horizon, that are replayed before any other is looked at."""
MOST_PLANS = 9
"""Plans of one option that are chosen for a replay at a time, the cheapest over the horizon first."""

Replica = tuple[str, int, str]
"""A card, how many of it, and the format of the weights: what a replay depends on, whoever rents the card."""


class FoundPlan(NamedTuple):
    """An offer that a replica fits on."""

    offer: Offer
    gpus: int
    """GPUs of one replica: its tensor-parallel degree."""
    dtype: str
    capacity: float
    """Requests/s of one replica: of the closed form until it is replayed."""
    stated: int | None = None
    """Number of the row of `serving.capacities` that states its capacity, which is then not replayed."""
    pooling: float | None = None
    """What each of several replicas holds over one alone; None until it is replayed: the closed form knows no bursts."""

    @property
    def replica(self) -> Replica:
        """The card that a replica of the plan runs on, how many of them, and the format of its weights."""
        return self.offer.gpu, self.gpus, self.dtype


def as_tried(found: list[FoundPlan], tried: Mapping[Replica, FleetPlan]) -> list[FoundPlan]:
    """The plans with what their replicas hold, where it is known, and without those that hold nothing."""
    known = [each._replace(capacity=plan.capacity.alone.requests_per_s, pooling=plan.capacity.pooling)
             if (plan := tried.get(each.replica)) else each for each in found]
    return [each for each in known if each.capacity > 0]


def cheapest_plans(sheet: FactSheet, found: list[FoundPlan], most: int | None = MOST_PLANS) -> list[FoundPlan]:
    """At most so many plans, none of which another beats in cost, power of cards that are owned, and capacity alike.

    The CHEAPEST over the horizon, of each card that is owned the one that draws least (what it would sell for is no bill), the
    lowest of each larger volume (a break-even lies there, and a plan that is missing there would move it), per request at scale
    the best of four cards and terms, the smallest instance, and more of the first. What the closed form says of a plan, mostly
    too much, beats nothing that was replayed.
    """
    size = np.array([p.offer.gpus_per_instance for p in found], dtype=np.float64)
    hourly = np.array([_usd_per_gpu_hour(sheet, p.offer) for p in found]) * size
    owned = [_watts(p.offer) if p.offer.owned is not None else 0.0 for p in found]
    power, capacity = np.array(owned) * size, np.array([p.capacity for p in found])
    known, pooling = np.array([p.pooling is not None for p in found]), np.array([p.pooling or 1.0 for p in found])
    gpus = np.array([float(p.gpus) for p in found])
    replicas, pooled = size // gpus, capacity * pooling
    held = pooled * replicas
    bound = np.array([p.offer.minimum_months for p in found])
    no_worse = ((hourly[:, None] <= hourly) & (bound[:, None] <= bound) & (power[:, None] <= power)
                & (replicas[:, None] >= replicas) & (capacity[:, None] >= capacity) & (pooled[:, None] >= pooled)
                & (known[:, None] | ~known))
    better = no_worse & ((hourly[:, None] < hourly) | (held[:, None] > held) | (power[:, None] < power))
    unbeaten = np.flatnonzero(~better.any(axis=0))
    headroom, spares, least = (sheet.facts[f"serving.{name}"].number() for name in ("headroom", "spares", "replicas_least"))

    def by_cost(loads: Array, hourly: Array = hourly) -> list[int]:
        """The plans by what their fleets cost in the mean of these loads, the smaller instance first."""
        needed = replicas_needed(loads, capacity[unbeaten, None], headroom, spares, least + spares, pooling[unbeaten, None])
        usd = hourly[unbeaten] * np.mean(instances_needed(needed, gpus[unbeaten, None], size[unbeaten, None]), axis=-1)
        return [int(k) for k in unbeaten[np.lexsort((hourly[unbeaten], usd))]]

    loads = _loads(sheet)
    cheapest = by_cost(loads)
    drawing = {found[k].offer.gpu: k for k in reversed(by_cost(loads, power)) if power[k] > 0}
    by_scale = unbeaten[np.argsort((hourly / held)[unbeaten], kind="stable")]
    smallest = unbeaten[np.argmin(hourly[unbeaten])]
    kinds = {(found[k].offer.gpu, found[k].offer.minimum_months > 0): int(k) for k in reversed(by_scale)}  # the best of each
    scale = [k for k in map(int, by_scale) if k in kinds.values()]
    larger = [by_cost(loads[:1] * times)[0] for times in LARGER]
    first = [*cheapest[:CHEAPEST], *drawing.values(), *larger, *scale[:4], smallest, *cheapest[CHEAPEST:]]
    return [found[k] for k in dict.fromkeys(int(k) for k in first)][:most]


def _loads(sheet: FactSheet) -> NDArray[np.float64]:
    """Requests/s that a fleet must hold in each month, but for the gap to the bill, which is known once there are options."""
    shared = read_shared({**sheet.case().values(), **NO_BILL})
    workloads = sheet.facts.get(path_of(Option, "workloads"))
    mean = mean_load(shared) * (1.0 if workloads is None else workloads.number())
    return np.asanyarray(demand_to_hold(mean * shared.peak_to_mean, mean, within_day(shared)))


def _watts(offer: Offer) -> float:
    return offer.watts or find_gpu(offer.gpu).power_w


def _usd_per_gpu_hour(sheet: FactSheet, offer: Offer) -> float:
    """Rent; of a card of one's own what it and its server lose over the horizon, installation, power and space.

    A replacement within the horizon is left out.
    """
    if offer.kind != "owned":
        return offer.usd_per_gpu_hour
    host, install, kept, share, pue, usd_per_kwh, colocation = (sheet.facts[f"own_hardware.{name}"].number() for name in (
        "host_usd_per_gpu", "install_share", "value_kept_per_year", "power_share", "pue", "usd_per_kwh",
        "colocation_usd_per_kw_month"))
    horizon = sheet.facts["horizon_months"].number()
    left: float = kept ** (horizon / MONTHS_PER_YEAR)
    lost = (offer.usd_per_gpu + host) * (1.0 + install - left) / horizon / HOURS_PER_MONTH
    return lost + _watts(offer) / 1000.0 * (share * pue * usd_per_kwh + colocation / HOURS_PER_MONTH)
