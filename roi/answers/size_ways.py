"""Ways to run one plan at today's volume: for the peak, with the hours of the day, with an API above a floor, with waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.answers.size_hours import ALL_DAY, BY_THE_HOUR, FOR_THE_WORK, can_follow, fleet_by_the_hour, least_by_the_hour, runs
from roi.answers.size_plan import SizedPlan, monthly_usd
from roi.economics.decision.evaluation import choose_plan
from roi.economics.inputs import Option, Shared
from roi.economics.lines.api_bill import Service, service
from roi.economics.lines.api_request import without_long
from roi.economics.lines.line import pick
from roi.economics.lines.self_hosting import let_wait, spilled, waiting
from roi.estimate.replay.fleet import HOURS, Fleet, fleet_capacity, instances_needed, size_fleet
from roi.resolution.plan_capacity import FleetPlan
from roi.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, dollars

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
        """Rent and API together, USD a month."""
        return self.rent_usd + self.api_usd


def ways(
    shared: Shared, options: Mapping[str, Option], option: Option, plan: FleetPlan, mean: float, floor: tuple[Way, ...],
) -> tuple[Way, ...]:
    """Each way to run the option's plan, first the scenario's, which `roi compare` pays; `mean` is today's requests/s of all.

    With the `floor` of `least_floor`, on whatever plan it is. USD are this workload's, where others share the fleet.
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
            found.append(followed(FOR_THE_WORK, f"{start} {often}; serving: {{autoscale: true, autoscale_floor: 0}}"))
    paid = runs(shared, option, plan, is_trace=False)
    found.sort(key=lambda each: each.name != paid)
    hybrid = options.get(f"hybrid:{option.system}")
    if hybrid is not None and hybrid.spills_to is not None:
        found += *floor, _api_alone(shared, options[hybrid.spills_to], mean / float(option.workloads))[0]
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


def least_floor(
    shared: Shared, options: Mapping[str, Option], id: str, plans: Sequence[FleetPlan], mean: float, first: FleetPlan,
) -> tuple[Way, ...]:
    """The floor of the option `id`, whose plans these are, on the plan and of the size that `roi compare` would choose.

    Were the load to stay today's, `mean` requests/s of all on the fleet. That never goes below it, above it the API answers. It
    names its card where that is not the `first` plan's. None where the option cannot work.
    """
    if (hybrid := options.get(id)) is None or hybrid.spills_to is None:
        return ()
    chosen = choose_plan(replace(shared, growth=0.0, steps=()), hybrid, options)
    if chosen.infeasible is not None or chosen.plan is None or chosen.replicas_fixed is None:
        return ()
    plan, api = plans[hybrid.plans.index(chosen.plan)], options[hybrid.spills_to]
    floor = float(max(chosen.replicas_fixed, hybrid.replicas_least))
    taken, own = without_long(shared, hybrid), mean / float(hybrid.workloads)
    _, each = _api_alone(taken, api, own)
    held = float(fleet_capacity(floor, plan.capacity.alone.requests_per_s, plan.capacity.pooling))
    spill = float(spilled(taken, hybrid, held * (1.0 - float(hybrid.headroom)) / mean))
    instance = float(plan.offer.gpus_per_instance)
    gpus = float(instances_needed(floor, float(plan.serving.tensor_parallel), instance) * instance)
    same = (plan.serving, plan.offer.vendor) == (first.serving, first.offer.vendor)
    on = "" if same else f" on your {plan.offer.gpu}" if plan.offer.owned is not None else (
        f" on {plan.serving.tensor_parallel} x {plan.offer.gpu}, {plan.offer.vendor}")
    return (Way(
        name=f"floor{on}, the rest to the API", replicas=floor, gpus=gpus, rent_usd=monthly_usd(plan, hybrid, gpus),
        api_usd=spill * own * HOURS_PER_MONTH * SECONDS_PER_HOUR * each, spilled=spill,
        note=f"{api.label} at {dollars(each, 3)} a request; no spare, the API is the failover{_announced(service(taken, api))}",
    ),)
