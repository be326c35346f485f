"""Lines of serving a model oneself: rent or hardware, redundancy, platform. Rent is paid for every hour an instance exists."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from roi.economics.inputs import PLATFORM, Array, Option, Plan, Shared
from roi.economics.lines.calendar import billed_requests, incumbent_share
from roi.economics.lines.line import Line, pick
from roi.economics.lines.owned_hardware import hardware_lines
from roi.estimate.replay.fleet import Fleet, burst_from_peak, fleet_capacity, size_autoscaled_fleet, size_fleet, spill_share
from roi.units import HOURS_PER_MONTH, SECONDS_PER_HOUR


@dataclass(frozen=True)
class FleetMonths:
    """The fleet in each month, shape (..., H) each."""

    fleet: Fleet
    gpus: Array
    gpus_without_spares: Array
    spill: Array
    """Share of requests above the floor's capacity; 0 except for a hybrid."""


def fleet_months(shared: Shared, option: Option, live: Array) -> FleetMonths:
    """The fleet that each month's own peak needs, from go-live on.

    Capacity is the plan's at the SLO, draws of how far the estimate may be off included. A hybrid runs a fixed number of
    replicas without a spare, since the API is its failover.
    """
    assert option.plan is not None
    plan, mean = option.plan, billed_requests(shared) / (HOURS_PER_MONTH * SECONDS_PER_HOUR)
    if option.replicas_fixed is not None:
        return _floor_months(shared, option, plan, mean, float(option.replicas_fixed or 1))
    sized = _sized(shared, option, plan, mean, option.spares)
    bare = sized if option.spares == 0 else _sized(shared, option, plan, mean, 0)
    running = live > 0
    return FleetMonths(sized, np.where(running, sized.gpus, 0.0), np.where(running, bare.gpus, 0.0), np.zeros(shared.horizon))


def _sized(shared: Shared, option: Option, plan: Plan, mean: Array, spares: int) -> Fleet:
    """The fleet; only what is rented by the hour, without a commitment, can follow the hours of the day."""
    least = option.replicas_least + spares
    common: dict[str, Any] = {  # Any: keywords that both functions take
        "gpus_per_replica": plan.gpus_per_replica, "gpus_per_instance": plan.gpus_per_instance, "headroom": option.headroom,
        "spares": spares, "can_wait": shared.can_wait, "pooling": plan.pooling,
    }  # fmt: skip
    bound = option.hardware is not None or np.asarray(plan.minimum_months) > 0
    fixed = size_fleet(mean * shared.peak_to_mean, mean, plan.capacity, replicas_minimum=least, **common)
    if not option.autoscale or np.all(bound):
        return fixed
    hourly = size_autoscaled_fleet(
        mean, plan.capacity, shared.load_curve, burst=burst_from_peak(shared.peak_to_mean, shared.load_curve),
        startup_s=option.startup_hours * SECONDS_PER_HOUR, replicas_minimum=max(option.autoscale_floor + spares, least),
        **common,
    )
    if not np.any(bound):
        return hourly
    return Fleet(**{f.name: np.where(bound, getattr(fixed, f.name), getattr(hourly, f.name)) for f in fields(Fleet)})


def _floor_months(shared: Shared, option: Option, plan: Plan, mean: Array, replicas: float) -> FleetMonths:
    """The fleet of a hybrid: `replicas` in every month, as full as they may be, and what spills beyond them."""
    per_instance = np.maximum(np.floor(plan.gpus_per_instance / plan.gpus_per_replica), 1.0)
    instances = np.ceil(replicas / per_instance) + np.zeros_like(mean)
    full = fleet_capacity(replicas, plan.capacity, plan.pooling)
    held = full * (1.0 - option.headroom)
    spill = spill_share(shared.load_curve, burst_from_peak(shared.peak_to_mean, shared.load_curve), held / mean)
    fleet = Fleet(
        replicas=replicas + np.zeros_like(mean), instances=instances, gpus=instances * plan.gpus_per_instance,
        utilisation_mean=mean * (1.0 - spill) / full, utilisation_peak=np.minimum(mean * shared.peak_to_mean, held) / full,
    )
    gpus = np.asarray(fleet.gpus)
    return FleetMonths(fleet, gpus, gpus, np.asarray(spill))


def fleet_lines(shared: Shared, option: Option, months: FleetMonths, live: Array) -> list[Line]:
    """Rent (or hardware), redundancy and platform from go-live on."""
    assert option.plan is not None
    if option.hardware is not None:
        lines = hardware_lines(shared, option, option.hardware, months.gpus, live)
    else:
        lines = _rent_lines(shared, option, option.plan, months, live)
    if np.any(np.asarray(option.platform_usd) > 0):
        usd = f"${pick(option.platform_usd):,.6g} a month"
        lines.append(Line(
            name="platform", monthly=np.asarray(live * option.platform_usd),
            facts=tuple(f"platform.{n}_usd_per_month" for n in PLATFORM),
            arithmetic=lambda _: f"{usd}: balancer, logs, staging, storage, egress, monitoring",
        ))
    return lines


def _rent_lines(shared: Shared, option: Option, plan: Plan, months: FleetMonths, live: Array) -> list[Line]:
    drift = np.asarray((1.0 + shared.rent_drift) ** (np.arange(shared.horizon) / 12.0))
    rate = plan.usd_per_gpu_hour * drift * option.fleet_share
    price, speeds = plan.path + "usd_per_gpu_hour", (plan.speed, plan.adapter_speed) if plan.adapter_speed else (plan.speed,)

    def text(gpus: Array) -> Callable[[int], str]:
        def arithmetic(month: int) -> str:
            share, moved = pick(option.fleet_share), pick(drift, month)
            drifted = "" if abs(moved - 1) < 1e-12 else f" x {moved:.4f} drift"
            part = "" if share == 1.0 else f" x {share:.4g} of the fleet"
            return (
                f"{pick(gpus, month):,.6g} GPU x ${pick(plan.usd_per_gpu_hour):,.6g}/GPU-h x {HOURS_PER_MONTH} h"
                f" x {pick(live, month):.4g} of the month{drifted}{part}"
            )

        return arithmetic

    gpus, bare = (_committed(shared, option, plan, g) for g in (months.gpus, months.gpus_without_spares))
    needed, spare = bare * live, (gpus - bare) * live
    lines = [Line(
        name="GPU rent", monthly=np.asarray(needed * rate * HOURS_PER_MONTH), arithmetic=text(bare),
        facts=(price, plan.path + "capacity_requests_per_s", *speeds),
    )]
    if np.any(spare > 0):
        lines.append(Line(
            name="GPU rent, redundancy", monthly=np.asarray(spare * rate * HOURS_PER_MONTH), arithmetic=text(gpus - bare),
            facts=(price, "serving.spares"),
        ))
    return lines + _unused_commitment(shared, option, plan, gpus, np.asarray(rate))


def _committed(shared: Shared, option: Option, plan: Plan, gpus: Array) -> Array:
    """GPUs that are paid: while a commitment runs (from go-live on, `minimum_months`), a falling load gives none back."""
    if not np.any(np.asarray(plan.minimum_months) > 0):
        return gpus
    bound = incumbent_share(option.months_to_live, plan.minimum_months, shared.horizon) > 0
    return np.where(bound, np.maximum.accumulate(gpus, axis=-1), gpus)


def _unused_commitment(shared: Shared, option: Option, plan: Plan, gpus: Array, rate: Array) -> list[Line]:
    """Rent beyond the horizon, at the last month's rate, paid in the last month: a commitment is paid to its end.

    What is owed is GPU-months, shape (..., 1): each GPU's commitment runs from the month in which it was added.
    """
    bound = np.asarray(plan.minimum_months) > 0
    added = np.diff(np.maximum.accumulate(gpus, axis=-1), axis=-1, prepend=0.0)
    start = np.maximum(np.arange(shared.horizon, dtype=np.float64), option.months_to_live)
    left = np.maximum(plan.minimum_months - (shared.horizon - start), 0.0) * bound
    owed = (added * left).sum(axis=-1, keepdims=True)
    if not np.any(owed > 0):
        return []
    last = np.zeros(shared.horizon)
    last[-1] = 1.0
    return [Line(
        name="GPU commitment beyond the horizon", monthly=np.asarray(rate * HOURS_PER_MONTH * owed * last),
        facts=(plan.path + "minimum_months",),
        arithmetic=lambda month: f"{pick(owed):,.6g} GPU-months x ${pick(rate, month):,.6g}/GPU-h x {HOURS_PER_MONTH} h",
    )]
