"""When a plan's GPUs exist, and how many then: all day, by the hours of the day, or for the hours of work alone."""

from typing import Any, Final

import numpy as np

from roi.economics.inputs import Option, Shared
from roi.economics.lines.self_hosting import let_wait
from roi.estimate.replay.fleet import Fleet, burst_from_peak
from roi.estimate.replay.hourly_fleet import size_autoscaled_fleet, size_queue_fleet
from roi.resolution.plan_capacity import FleetPlan
from roi.units import SECONDS_PER_HOUR

ALL_DAY: Final = "for the peak, all day"
BY_THE_HOUR: Final = "autoscaled by the hour"
FOR_THE_WORK: Final = "for the hours of work alone"


def runs(shared: Shared, option: Option, plan: FleetPlan, *, is_trace: bool) -> str:
    """When the plan's GPUs exist by the scenario, which is what `roi compare` pays for.

    A trace, which has no day, says how many meet its bursts; hours of work follow from its mean rate alone.
    """
    if not option.autoscale or not can_follow(plan):
        return ALL_DAY
    if option.autoscale_floor == 0 and float(let_wait(shared, option)) >= 1.0:
        return FOR_THE_WORK
    return ALL_DAY if is_trace else BY_THE_HOUR


def can_follow(plan: FleetPlan) -> bool:
    """True of what is rented by the hour, without a commitment."""
    return plan.offer.minimum_months == 0 and plan.offer.owned is None


def fleet_by_the_hour(
    name: str, shared: Shared, option: Option, plan: FleetPlan, mean: float, alone: float, pooling: float,
) -> Fleet:
    """The fleet BY_THE_HOUR or FOR_THE_WORK at `mean` requests/s, of which one replica alone holds `alone` at the SLO."""
    common: dict[str, Any] = {  # Any: keywords that both functions take
        "startup_s": option.startup_hours * SECONDS_PER_HOUR, "gpus_per_replica": float(plan.serving.tensor_parallel),
        "gpus_per_instance": float(plan.offer.gpus_per_instance), "headroom": option.headroom, "spares": option.spares,
        "pooling": pooling,
    }  # fmt: skip
    work, billed = name == FOR_THE_WORK, option.billing_hours * SECONDS_PER_HOUR
    hourly = size_autoscaled_fleet(
        np.asarray(mean), alone, shared.load_curve, burst=float(burst_from_peak(shared.peak_to_mean, shared.load_curve)),
        replicas_minimum=least_by_the_hour(option) + option.spares, can_wait=float(let_wait(shared, option)),
        waits_hours=shared.waits_hours, to_none=work or option.autoscale_floor == 0, billed_s=billed, **common)
    if not work:
        return hourly
    queue = size_queue_fleet(mean, alone, billed_s=billed, load_curve=shared.load_curve, waits_hours=shared.waits_hours,
                             **common)
    return min(queue, hourly, key=lambda fleet: float(fleet.gpus))


def least_by_the_hour(option: Option) -> int:
    """Replicas that serve in any hour that has calls, at least, spares left out."""
    return max(option.autoscale_floor, option.replicas_least)
