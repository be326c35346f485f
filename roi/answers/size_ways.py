"""Ways to run one plan at today's volume: for the peak, with the hours of the day, with an API above a floor, with waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.answers.size_hours import (
    ALL_DAY,
    BY_THE_HOUR,
    FOR_THE_WORK,
    can_follow,
    fleet_by_the_hour,
    least_by_the_hour,
    runs,
)
from roi.answers.size_plan import SizedPlan, monthly_usd
from roi.economics.inputs import Option, Shared
from roi.economics.lines.api_bill import Service, service
from roi.economics.lines.line import pick
from roi.economics.lines.self_hosting import let_wait, spilled, waiting
from roi.estimate.replay.fleet import (
    HOURS,
    Fleet,
    demand_to_hold,
    fleet_capacity,
    instances_needed,
    replicas_needed,
    size_fleet,
)
from roi.resolution.plan_capacity import FleetPlan
from roi.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

FLOORS: Final = 64
"""Floors that a spill is tried with, at most."""
MIGHT_WAIT: Final = 0.5
"""Share of requests of the what-if where the scenario lets none wait."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to run the plan, USD a month at today's volume."""

    name: str
    replicas: float
    """Spares included; the mean over the hours where the fleet follows the load."""
    gpus: float
    rent_usd: float
    api_usd: float = 0.0
    spilled: float = 0.0
    """Share of the requests that goes to the API."""
    note: str

    @property
    def usd(self) -> float:
        """Rent and API together."""
        return self.rent_usd + self.api_usd


def ways(shared: Shared, options: Mapping[str, Option], option: Option, plan: FleetPlan, mean: float) -> tuple[Way, ...]:
    """Each way to run the option's plan, first the scenario's, which `roi compare` pays; `mean` is today's requests/s of all.

    USD are this workload's, where others share the fleet.
    """
    peak, waits = float(mean * shared.peak_to_mean), float(waiting(shared, option))
    alone, pooling, spares = plan.capacity.alone.requests_per_s, plan.capacity.pooling, option.spares

    def way(name: str, fleet: Fleet, note: str) -> Way:
        gpus, replicas = float(fleet.gpus), float(fleet.replicas)
        return Way(name=name, replicas=replicas, gpus=gpus, rent_usd=monthly_usd(plan, option, gpus), note=note)

    def fixed(can_wait: float) -> Fleet:
        return size_fleet(
            peak, mean, alone, replicas_minimum=option.replicas_least + spares, can_wait=can_wait, pooling=pooling,
            gpus_per_replica=float(plan.serving.tensor_parallel), gpus_per_instance=float(plan.offer.gpus_per_instance),
            headroom=option.headroom, spares=spares)

    def followed(name: str, note: str) -> Way:
        return way(name, fleet_by_the_hour(name, shared, option, plan, mean, alone, pooling), note)

    found = [way(ALL_DAY, fixed(waits), f"{spares:g} spare{'' if spares == 1 else 's'}")]
    if can_follow(plan):
        start = f"{option.startup_hours * 60:g} min to start"
        none = ", none in hours without calls" if option.autoscale_floor == 0 else ""
        found.append(followed(BY_THE_HOUR, f"{start}, at least {least_by_the_hour(option)}, spares on top{none}"))
        if let_wait(shared, option) >= 1.0 and shared.waits_hours > option.startup_hours:
            times = HOURS / shared.waits_hours
            often = "once a day" if times <= 1.0 else f"{times:.3g} times a day"
            found.append(followed(FOR_THE_WORK, f"{start} {often}; serving.autoscale_floor: 0"))
    paid = runs(shared, option, plan, is_trace=False)
    found.sort(key=lambda each: each.name != paid)
    hybrid = options.get(f"hybrid:{option.system}")
    if hybrid is not None and hybrid.spills_to is not None:
        api = options[hybrid.spills_to]
        found += _floor(shared, option, plan, api, mean), _api_alone(shared, api, mean / float(option.workloads))[0]
    if let_wait(shared, option) == 0.0:
        share = f"if {MIGHT_WAIT:.0%} could wait for a valley"
        found.append(way(share, fixed(MIGHT_WAIT), "workload.can_wait_share is 0"))
    return tuple(found)


def ways_on_trace(shared: Shared, options: Mapping[str, Option], system: str, best: SizedPlan, mean: float) -> tuple[Way, ...]:
    """The fleet that meets a trace's bursts and, where some option spills to an API, that API alone; `mean` is its requests/s.

    Both for a month at the trace's rate; a fleet by the hour or with a floor would need the trace's day. First that for the
    hours of work, where the scenario pays for those alone.
    """
    spares = f"{best.spares} spare{'' if best.spares == 1 else 's'}"
    found = [Way(name="for the trace's bursts, all day", replicas=float(best.replicas + best.spares),
                 gpus=float(best.fleet.gpus), rent_usd=best.fleet.usd_per_month, note=spares)]
    if best.runs == FOR_THE_WORK:
        found.insert(0, Way(name=best.runs, replicas=(best.replicas + best.spares) * best.gpus_paid / best.fleet.gpus,
                            gpus=best.gpus_paid, rent_usd=best.usd_per_month, note=spares))
    hybrid = options.get(f"hybrid:{system}")
    if hybrid is not None and hybrid.spills_to is not None:
        found.append(_api_alone(shared, options[hybrid.spills_to], mean)[0])
    return tuple(found)


def _api_alone(shared: Shared, api: Option, mean: float) -> tuple[Way, float]:
    """Every request to the API, and USD of one."""
    priced = service(shared, api)
    each = float(np.asarray(priced.cost.usd * np.ravel(priced.price)[0]).ravel()[0])
    batched = float(np.ravel(priced.cost.batched)[0])
    note = priced.option.label + (f"; {batched:.0%} of the requests in batch" if batched else "") + _announced(priced)
    return Way(name="all of it to the API", replicas=0.0, gpus=0.0, rent_usd=0.0,
               api_usd=mean * HOURS_PER_MONTH * SECONDS_PER_HOUR * each, spilled=1.0, note=note), each


def _announced(priced: Service) -> str:
    """What its vendor has announced that a request will cost, over today's price, which is what a month is counted at."""
    assert priced.option.api is not None
    today = pick(priced.cost.usd)
    told = zip(priced.option.api.announced, priced.steps, strict=True)
    return "".join(f"; {pick(cost.usd) / today:.3g} x that price in {pick(later.from_months):.1f} months, announced"
                   for later, (_, cost) in told if today)


def own_floor(
    shared: Shared, options: Mapping[str, Option], own: Option | None, plans: Sequence[FleetPlan], mean: float,
) -> tuple[Way, ...]:
    """The cheapest floor on cards that are owned, be they enough for the peak and a spare or not; none without an API."""
    hybrid = None if own is None else options.get(f"hybrid:{own.system}")
    if own is None or hybrid is None or hybrid.spills_to is None:
        return ()
    floors = [replace(_floor(shared, own, plan, options[hybrid.spills_to], mean),
                      name=f"floor on your {plan.offer.gpu}, the rest to the API")
              for plan in plans if plan.capacity.alone.requests_per_s > 0.0 and _held(plan) >= own.replicas_least]
    return (min(floors, key=lambda way: way.usd),) if floors else ()


def _held(plan: FleetPlan) -> int:
    """Replicas that cards that are owned hold, in whole servers."""
    owned, server = plan.offer.owned or 0, plan.offer.gpus_per_instance
    return owned // server * (server // plan.serving.tensor_parallel)


def _floor(shared: Shared, option: Option, plan: FleetPlan, api: Option, mean: float) -> Way:
    """The cheapest floor, no less than asked, below which the fleet never goes and above which the API answers."""
    own = mean / float(option.workloads)
    _, each = _api_alone(shared, api, own)
    alone, pooling = plan.capacity.alone.requests_per_s, plan.capacity.pooling
    replica, instance = float(plan.serving.tensor_parallel), float(plan.offer.gpus_per_instance)
    demand = demand_to_hold(mean * shared.peak_to_mean, mean, waiting(shared, option))
    most = int(replicas_needed(demand, alone, option.headroom, 0.0, 1.0, pooling))
    if plan.offer.owned is not None:
        most = min(most, _held(plan))
    least, tried = option.replicas_least, []
    for floor in sorted(set(np.geomspace(least, max(most, least), FLOORS).round().astype(int).tolist())):
        held = float(fleet_capacity(floor, alone, pooling)) * (1.0 - float(option.headroom))
        spill = float(spilled(shared, option, held / mean))
        gpus = float(instances_needed(floor, replica, instance) * instance)
        tried.append(Way(
            name="floor, the rest to the API", replicas=float(floor), gpus=gpus, rent_usd=monthly_usd(plan, option, gpus),
            api_usd=spill * own * HOURS_PER_MONTH * SECONDS_PER_HOUR * each, spilled=spill,
            note=f"{api.label} at ${each:.3g} a request; no spare, the API is the failover{_announced(service(shared, api))}",
        ))  # fmt: skip
    return min(tried, key=lambda w: w.usd)
