"""Ways to run one plan at today's volume: for the peak, with the hours of the day, with an API above a floor, with waiting."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.economics.inputs import Option, Plan, Shared
from roi.economics.lines.api_bill import service
from roi.economics.reading import read_option
from roi.estimate.replay.day_load import burst_from_peak, spill_share
from roi.estimate.replay.fleet import (
    Fleet,
    fleet_capacity,
    instances_needed,
    replicas_needed,
    size_autoscaled_fleet,
    size_fleet,
)
from roi.facts.case import Case
from roi.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

FLOORS: Final = 64
"""Floors that a spill is tried with, at most."""

MIGHT_WAIT: Final = 0.5
"""Share of requests of the what-if where the scenario lets none wait."""


@dataclass(frozen=True)
class Way:
    """One way to run the plan, USD a month at today's volume."""

    name: str
    replicas: float
    """Spares included; the mean over the hours where the fleet follows the load."""
    gpus: float
    rent_usd: float
    api_usd: float
    spilled: float
    """Share of the requests that goes to the API."""
    note: str

    @property
    def usd(self) -> float:
        """Rent and API together."""
        return self.rent_usd + self.api_usd


def ways(case: Case, shared: Shared, option: Option, plan: Plan, mean: float) -> tuple[Way, ...]:
    """Each way that the scenario allows; `mean` is today's requests/s."""
    peak = float(mean * shared.peak_to_mean)
    burst = float(burst_from_peak(shared.peak_to_mean, shared.load_curve))

    def rent(gpus: float) -> float:
        return float(gpus * plan.usd_per_gpu_hour * option.fleet_share * HOURS_PER_MONTH)

    def way(name: str, fleet: Fleet, note: str) -> Way:
        return Way(name, float(fleet.replicas), float(fleet.gpus), rent(float(fleet.gpus)), 0.0, 0.0, note)

    def fixed(can_wait: float) -> Fleet:
        return size_fleet(
            peak, mean, plan.capacity, gpus_per_replica=plan.gpus_per_replica, gpus_per_instance=plan.gpus_per_instance,
            headroom=option.headroom, spares=option.spares, replicas_minimum=option.replicas_least + option.spares,
            can_wait=can_wait, pooling=plan.pooling,
        )

    waits = float(shared.can_wait)
    found = [way("for the peak, all day", fixed(waits), f"{option.spares:g} spare{'' if option.spares == 1 else 's'}")]
    if not np.any(np.asarray(plan.minimum_months) > 0):
        hourly = size_autoscaled_fleet(
            np.asarray(mean), plan.capacity, shared.load_curve, burst=burst, startup_s=option.startup_hours * SECONDS_PER_HOUR,
            gpus_per_replica=plan.gpus_per_replica, gpus_per_instance=plan.gpus_per_instance, headroom=option.headroom,
            spares=option.spares, replicas_minimum=max(option.autoscale_floor, option.replicas_least) + option.spares,
            can_wait=waits, pooling=plan.pooling,
        )
        start = f"{option.startup_hours * 60:g} min to start, at least {option.autoscale_floor}, spares on top"
        found.append(way("autoscaled by the hour", hourly, start))
    found += _spilling(case, shared, option, plan, mean, burst, rent)
    if waits == 0.0:
        share = f"if {MIGHT_WAIT:.0%} could wait for a valley"
        found.append(way(share, fixed(MIGHT_WAIT), "workload.can_wait_share is 0"))
    return tuple(found)


def _spilling(
    case: Case, shared: Shared, option: Option, plan: Plan, mean: float, burst: float, rent: Callable[[float], float],
) -> list[Way]:
    """The cheapest floor below which the fleet never goes and above which an API answers; none where the Case has no hybrid."""
    hybrid = f"hybrid:{option.system}"
    if f"options.{hybrid}.spills_to" not in case:
        return []
    values, target = case.values(), str(case[f"options.{hybrid}.spills_to"].value)
    api = service(shared, read_option(values, target, shared))
    each = float(np.asarray(api.cost.usd * np.ravel(api.price)[0]).ravel()[0])
    peak = float(mean * shared.peak_to_mean)
    most = int(replicas_needed(peak, plan.capacity, option.headroom, 0.0, 1.0, plan.pooling))
    tried = []
    for floor in sorted(set(np.geomspace(1, max(most, 1), FLOORS).round().astype(int).tolist())):
        held = float(fleet_capacity(floor, plan.capacity, plan.pooling)) * (1.0 - float(option.headroom))
        spill = float(spill_share(shared.load_curve, burst, held / mean))
        gpus = float(instances_needed(floor, plan.gpus_per_replica, plan.gpus_per_instance) * plan.gpus_per_instance)
        usd = spill * mean * HOURS_PER_MONTH * SECONDS_PER_HOUR * each
        note = f"{api.option.label} at ${each:.3g} a request; no spare, the API is the failover"
        tried.append(Way("floor, the rest to the API", float(floor), gpus, rent(gpus), usd, spill, note))
    alone = mean * HOURS_PER_MONTH * SECONDS_PER_HOUR * each
    return [min(tried, key=lambda w: w.usd), Way("all of it to the API", 0.0, 0.0, 0.0, alone, 1.0, api.option.label)]

