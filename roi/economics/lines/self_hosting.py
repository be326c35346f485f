"""Lines of serving a model oneself: rent or hardware, redundancy, platform. Rent is paid for every hour an instance exists."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypedDict

import numpy as np

from roi.economics.inputs import PLATFORM, Array, Number, Option, Plan, Shared
from roi.economics.lines.calendar import billed_requests, incumbent_share
from roi.economics.lines.line import Line, pick
from roi.economics.lines.owned_hardware import hardware_lines
from roi.estimate.replay.day_load import burst_from_peak, spill_share
from roi.estimate.replay.fleet import Fleet, fleet_capacity, size_autoscaled_fleet, size_fleet
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
    capacity = plan.capacity
    if option.replicas_fixed is not None:
        return _floor_months(shared, option, plan, mean, capacity)
    sized = _sized(shared, option, plan, mean, capacity, option.spares)
    bare = sized if option.spares == 0 else _sized(shared, option, plan, mean, capacity, 0)
    running = live > 0
    return FleetMonths(sized, np.where(running, sized.gpus, 0.0), np.where(running, bare.gpus, 0.0), np.zeros(shared.horizon))


class _Sizing(TypedDict):
    gpus_per_replica: Number
    gpus_per_instance: Number
    headroom: Number
    spares: Number
    can_wait: Number
    pooling: Number


def _sized(shared: Shared, option: Option, plan: Plan, mean: Array, capacity: Number, spares: int) -> Fleet:
    """The fleet; only what is rented by the hour, without a commitment, can follow the hours of the day."""
    least = option.replicas_least + spares
    common: _Sizing = {
        "gpus_per_replica": plan.gpus_per_replica,
        "gpus_per_instance": plan.gpus_per_instance,
        "headroom": option.headroom,
        "spares": spares,
        "can_wait": shared.can_wait,
        "pooling": plan.pooling,
    }
    peak = mean * shared.peak_to_mean
    bound = option.hardware is not None or np.asarray(plan.minimum_months) > 0
    if not option.autoscale or np.all(bound):
        return size_fleet(peak, mean, capacity, replicas_minimum=least, **common)
    hourly = size_autoscaled_fleet(
        mean,
        capacity,
        shared.load_curve,
        burst=burst_from_peak(shared.peak_to_mean, shared.load_curve),
        startup_s=option.startup_hours * SECONDS_PER_HOUR,
        replicas_minimum=max(option.autoscale_floor + spares, least),
        **common,
    )
    if not np.any(bound):
        return hourly
    fixed = size_fleet(peak, mean, capacity, replicas_minimum=least, **common)
    return Fleet(*(np.where(bound, getattr(fixed, f.name), getattr(hourly, f.name)) for f in fields(Fleet)))


def _floor_months(shared: Shared, option: Option, plan: Plan, mean: Array, capacity: Number) -> FleetMonths:
    replicas = float(option.replicas_fixed or 1)
    per_instance = np.maximum(np.floor(plan.gpus_per_instance / plan.gpus_per_replica), 1.0)
    instances = np.ceil(replicas / per_instance) + np.zeros_like(mean)
    full = fleet_capacity(replicas, capacity, plan.pooling)
    held = full * (1.0 - option.headroom)
    burst = burst_from_peak(shared.peak_to_mean, shared.load_curve)
    spill = spill_share(shared.load_curve, burst, held / mean)
    served = mean * (1.0 - spill)
    peak = np.minimum(mean * shared.peak_to_mean, held)
    fleet = Fleet(
        replicas=replicas + np.zeros_like(mean),
        instances=instances,
        gpus=instances * plan.gpus_per_instance,
        utilisation_mean=served / full,
        utilisation_peak=peak / full,
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
        lines.append(
            Line(
                "platform",
                np.asarray(live * option.platform_usd),
                0.0,
                tuple(f"platform.{n}_usd_per_month" for n in PLATFORM),
                lambda month: (
                    f"${pick(option.platform_usd, 0):,.6g} a month: balancer, logs, staging, storage, egress, monitoring"
                ),
            )
        )
    if np.any(np.asarray(option.hosting_usd) > 0):
        lines.append(hosting_line(option, live))
    return lines


def hosting_line(option: Option, live: Array) -> Line:
    """A vendor's monthly fee for holding or hosting the model."""
    return Line(
        "vendor hosting fee",
        np.asarray(live * option.hosting_usd),
        0.0,
        (f"options.{option.id}.hosting_usd_per_month",),
        lambda month: f"${pick(option.hosting_usd, 0):,.6g} a month",
    )


def _rent_lines(shared: Shared, option: Option, plan: Plan, months: FleetMonths, live: Array) -> list[Line]:
    drift = np.asarray((1.0 + shared.rent_drift) ** (np.arange(shared.horizon) / 12.0))
    rate = plan.usd_per_gpu_hour * drift * option.fleet_share
    facts = (
        plan.path + "usd_per_gpu_hour",
        plan.path + "capacity_requests_per_s",
        plan.speed,
        *([plan.adapter_speed] if plan.adapter_speed else []),
    )

    def text(gpus: Array) -> Callable[[int], str]:
        def arithmetic(month: int) -> str:
            share = pick(option.fleet_share, 0)
            moved = "" if abs(pick(drift, month) - 1) < 1e-12 else f" x {pick(drift, month):.4f} drift"
            part = "" if share == 1.0 else f" x {share:.4g} of the fleet"
            return (
                f"{pick(gpus, month):,.6g} GPU x ${pick(plan.usd_per_gpu_hour, 0):,.6g}/GPU-h x {HOURS_PER_MONTH} h"
                f" x {pick(live, month):.4g} of the month{moved}{part}"
            )

        return arithmetic

    gpus, bare = (_committed(shared, option, plan, g) for g in (months.gpus, months.gpus_without_spares))
    needed, spare = bare * live, (gpus - bare) * live
    lines = [Line("GPU rent", np.asarray(needed * rate * HOURS_PER_MONTH), 0.0, facts, text(bare))]
    if np.any(spare > 0):
        lines.append(
            Line(
                "GPU rent, redundancy",
                np.asarray(spare * rate * HOURS_PER_MONTH),
                0.0,
                (plan.path + "usd_per_gpu_hour", "serving.spares"),
                text(gpus - bare),
            )
        )
    if np.any(np.asarray(plan.minimum_months) > 0):
        owed = _owed_beyond(shared, option, plan, gpus)
        if np.any(owed > 0):
            lines.append(_unused_commitment(shared, np.asarray(rate), owed, plan))
    return lines


def _committed(shared: Shared, option: Option, plan: Plan, gpus: Array) -> Array:
    """GPUs that are paid: while a commitment runs (from go-live on, `minimum_months`), a falling load gives none back."""
    if not np.any(np.asarray(plan.minimum_months) > 0):
        return gpus
    bound = incumbent_share(option.months_to_live, plan.minimum_months, shared.horizon) > 0
    return np.where(bound, np.maximum.accumulate(gpus, axis=-1), gpus)


def _owed_beyond(shared: Shared, option: Option, plan: Plan, gpus: Array) -> Array:
    """GPU-months of commitments beyond the horizon, shape (..., 1): each GPU's from the month in which it was added."""
    added = np.diff(np.maximum.accumulate(gpus, axis=-1), axis=-1, prepend=0.0)
    start = np.maximum(np.arange(shared.horizon, dtype=np.float64), option.months_to_live)
    left = np.maximum(plan.minimum_months - (shared.horizon - start), 0.0) * (np.asarray(plan.minimum_months) > 0)
    return np.asarray((added * left).sum(axis=-1, keepdims=True))


def _unused_commitment(shared: Shared, rate: Array, owed: Array, plan: Plan) -> Line:
    """Rent beyond the horizon, at the last month's rate, paid in the last month: a commitment is paid to its end."""
    last = np.zeros(shared.horizon)
    last[-1] = 1.0

    def arithmetic(month: int) -> str:
        return f"{pick(owed, 0):,.6g} GPU-months x ${pick(rate, month):,.6g}/GPU-h x {HOURS_PER_MONTH} h"

    monthly = np.asarray(rate * HOURS_PER_MONTH * owed * last)
    return Line("GPU commitment beyond the horizon", monthly, 0.0, (plan.path + "minimum_months",), arithmetic)
