"""Lines of serving a model oneself: rent, redundancy, platform. Rent is paid for every hour that an instance exists."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from roi.economics.finance import accumulate
from roi.economics.inputs import Array, Number, Option, Plan, Shared
from roi.economics.lines.calendar import Share, committed_share, growth_path, last_month
from roi.economics.lines.hardware import hardware_lines
from roi.economics.lines.line import Along, Line, any_positive, each_month, is_zero, pick, rent_level
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.shared_fleet import alone_on_fleet, fleet_load, of_the_fleet, part_of_fleet
from roi.economics.worked_out import PLATFORM
from roi.estimate.replay.fleet import (
    Fleet,
    burst_from_peak,
    demand_to_hold,
    fleet_capacity,
    instances_needed,
    replicas_needed,
    share_within_day,
    size_fleet,
    spill_share,
)
from roi.estimate.replay.hourly_fleet import either, size_autoscaled_fleet, size_queue_fleet
from roi.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, dollars, formatted


@dataclass(frozen=True)
class FleetMonths:
    """The fleet in each month, shape (..., H) each."""

    bare: Callable[[], Array]
    """Makes `gpus_without_spares`."""
    with_spares: Callable[[], Array]
    """Makes `gpus`."""
    spill: Array
    """Share of requests above the floor's capacity; 0 except for a hybrid."""
    sized: Callable[[], Fleet]
    """Makes `fleet`, which no cost follows from."""
    needed: Number | None = None
    """GPUs without spares as if it ran from today on, by month, or as many in each: one array for fleets that serve alike."""
    spare_gpus: Number | None = None
    """The GPUs of the spares, where they are as many in each month that the option runs."""

    @cached_property
    def gpus_without_spares(self) -> Array:
        """GPUs that hold the load, spares left out."""
        return self.bare()

    @cached_property
    def gpus(self) -> Array:
        """All GPUs of the fleet, spares included."""
        return self.with_spares()

    @cached_property
    def fleet(self) -> Fleet:
        """Replicas, instances and how busy they are."""
        return self.sized()


def let_wait(shared: Shared, option: Option) -> Number:
    """Share of requests that the option's servers answer later, within `Shared.waits_hours`."""
    return shared.can_wait if option.lets_wait else 0.0


def waiting(shared: Shared, option: Option) -> Number:
    """Share of requests that could wait for any valley of the day and ask for as large a fleet, all day, as these do."""
    return within_day(shared) if option.lets_wait else 0.0


def within_day(shared: Shared) -> Number:
    """Share of requests as `waiting` tells it, for servers that let all wait that can."""
    return shared.once_for("within a day", (shared.can_wait, shared.peak_to_mean), lambda: share_within_day(
        shared.can_wait, shared.waits_hours, shared.peak_to_mean, shared.load_curve))


def fleet_months(shared: Shared, option: Option, live: Share) -> FleetMonths:
    """The fleet that each month's own peak needs, from go-live on.

    Capacity is the plan's at the SLO, draws of how far the estimate may be off included. A hybrid runs a fixed number of
    replicas without a spare, since the API is its failover.
    """
    assert option.plan is not None
    plan = option.plan
    mean = fleet_load(shared, option)
    if option.replicas_fixed is not None:
        return _floor_months(shared, option, plan, mean, option.replicas_fixed, live)
    running, spill = live.where_any, np.zeros(shared.horizon)
    if not option.autoscale:
        each, per_replica, demand = plan.gpus_per_instance, plan.gpus_per_replica, _demand(shared, option, mean)
        alone = isinstance(each, float) and each == per_replica  # a replica an instance, and they are whole
        alike = demand, plan.capacity, option.headroom, option.replicas_least, plan.pooling
        replicas = shared.once_for("replicas", alike, lambda: np.asanyarray(replicas_needed(
            demand, plan.capacity, option.headroom, 0, option.replicas_least, plan.pooling)))

        def gpus(replicas: Number) -> Array:
            return np.asanyarray((replicas if alone else instances_needed(replicas, per_replica, each)) * each)

        bare = shared.once_for("GPUs", (replicas, per_replica, each), lambda: gpus(replicas))
        return FleetMonths(
            lambda: running(bare), lambda: running(gpus(replicas + option.spares) if option.spares else bare), spill,
            lambda: _sized(shared, option, plan, mean, option.spares),
            needed=bare if np.all(np.asanyarray(plan.capacity) > 0) else None,
            spare_gpus=option.spares * each if alone else None,
        )

    def gpus_with(spares: int) -> Array:
        alike = (
            mean, plan.capacity, plan.pooling, plan.gpus_per_replica, plan.gpus_per_instance, plan.minimum_months, spares,
            option.headroom, option.replicas_least, option.hardware is None, option.lets_wait, option.startup_hours,
            option.billing_hours, option.autoscale_floor)
        return shared.once_for("GPUs by the hour", alike, lambda: np.asanyarray(
            _sized(shared, option, plan, mean, spares, gpus_alone=True).gpus))

    with_spares = gpus_with(option.spares)
    one_each = np.all(np.floor(np.asanyarray(plan.gpus_per_instance) / plan.gpus_per_replica) <= 1.0)
    beside = one_each and option.autoscale_floor > 0  # a spare is an instance that stands beside the others in every hour
    without = with_spares - option.spares * plan.gpus_per_instance if beside else gpus_with(0)
    with_spares, without = running(with_spares), running(without)
    return FleetMonths(lambda: without, lambda: with_spares, spill, lambda: _sized(shared, option, plan, mean, option.spares))


def _demand(shared: Shared, option: Option, mean: Array) -> Array:
    """Requests/s that the option's fleet must hold in each month, worked out once for all fleets that wait alike."""
    waits = waiting(shared, option)
    alike = waits, mean
    return shared.once_for("demand", alike, lambda: np.asanyarray(mean * demand_to_hold(shared.peak_to_mean, 1.0, waits)))


def _sized(shared: Shared, option: Option, plan: Plan, mean: Array, spares: int, *, gpus_alone: bool = False) -> Fleet:
    """The fleet; only what is rented by the hour, without a commitment, can follow the hours of the day.

    With `gpus_alone` no figure but its GPUs is needed (`size_autoscaled_fleet`).
    """
    least = option.replicas_least + spares
    common: dict[str, Any] = {  # Any: keywords that both functions take
        "gpus_per_replica": plan.gpus_per_replica, "gpus_per_instance": plan.gpus_per_instance, "headroom": option.headroom,
        "spares": spares, "pooling": plan.pooling,
    }  # fmt: skip
    bound = option.hardware is not None or np.asanyarray(plan.minimum_months) > 0
    fixed = size_fleet(mean * shared.peak_to_mean, mean, plan.capacity, replicas_minimum=least,
                       can_wait=waiting(shared, option), **common)
    if not option.autoscale or np.all(bound):
        return fixed
    start, billed = option.startup_hours * SECONDS_PER_HOUR, option.billing_hours * SECONDS_PER_HOUR
    load = mean[..., :1] if np.all(mean == mean[..., :1]) else mean  # months that are alike are worked out once
    hourly = size_autoscaled_fleet(
        load, plan.capacity, shared.load_curve, burst=burst_from_peak(shared.peak_to_mean, shared.load_curve),
        startup_s=start, replicas_minimum=max(option.autoscale_floor + spares, least), can_wait=let_wait(shared, option),
        waits_hours=shared.waits_hours, to_none=option.autoscale_floor == 0, billed_s=billed,
        gpus_alone=gpus_alone, **common,
    )
    if option.autoscale_floor == 0:
        queue = size_queue_fleet(
            load, plan.capacity, startup_s=start, billed_s=billed, load_curve=shared.load_curve, waits_hours=shared.waits_hours,
            **common)
        all_wait = np.asanyarray(let_wait(shared, option)) >= 1.0
        hourly = either(all_wait & (np.asanyarray(queue.gpus) < hourly.gpus), queue, hourly)
    if load is not mean:
        hourly = Fleet(**{name: figure + np.zeros_like(mean) for name, figure in vars(hourly).items()})
    return either(bound, fixed, hourly)


def _floor_months(
    shared: Shared, option: Option, plan: Plan, mean: Array, replicas: Number, live: Share
) -> FleetMonths:
    """The fleet of a hybrid: `replicas` from go-live on, no fewer than asked, as full as may be, and what spills."""
    replicas = np.maximum(replicas, float(option.replicas_least))
    per_instance = np.maximum(np.floor(plan.gpus_per_instance / plan.gpus_per_replica), 1.0)
    instances = np.ceil(replicas / per_instance)
    full = fleet_capacity(replicas, plan.capacity, plan.pooling)
    held = full * (1.0 - option.headroom)
    spill = spilled(shared, option, held / mean)
    needed = instances * plan.gpus_per_instance

    def gpus() -> Array:
        return live.where_any(needed + np.zeros_like(mean))

    def sized() -> Fleet:
        return Fleet(
            replicas=replicas + np.zeros_like(mean), instances=instances + np.zeros_like(mean),
            gpus=np.asanyarray(needed + np.zeros_like(mean)),
            utilisation_mean=mean * (1.0 - spill) / full,
            utilisation_peak=np.minimum(_demand(shared, option, mean), held) / full,
        )

    return FleetMonths(gpus, gpus, np.asanyarray(spill), sized, needed, 0.0)


def spilled(shared: Shared, option: Option, held_over_mean: Number) -> Number:
    """Share of requests above a floor that holds `held_over_mean` of the mean load: by the load curve, or as stated.

    A floor that holds less than the mean of what is not spilled spills the rest too, whatever is stated.
    """
    if option.spill_share is not None:
        return np.maximum(option.spill_share, 1.0 - held_over_mean)
    burst = burst_from_peak(shared.peak_to_mean, shared.load_curve)
    return spill_share(shared.load_curve, burst, held_over_mean, waiting(shared, option))


def fleet_lines(shared: Shared, option: Option, months: FleetMonths, live: Share) -> list[Line]:
    """Rent (or hardware), redundancy and platform from go-live on."""
    assert option.plan is not None
    if option.hardware is not None:
        lines = [part_of_fleet(line, option) for line in hardware_lines(shared, option, option.hardware, months.gpus, live)]
    else:
        lines = _rent_lines(shared, option, option.plan, months, live)
    if any_positive(option.platform_usd):
        paid = 1.0 if alone_on_fleet(option) else 1.0 / option.workloads
        lines.append(Line(
            name="platform", kind=LineKind.PLATFORM, path=each_month(shared), rate=option.platform_usd * paid, share=live,
            facts=tuple(f"platform.{n}_usd_per_month" for n in PLATFORM),
            arithmetic=lambda _: (
                f"{dollars(pick(option.platform_usd))} a month{of_the_fleet(paid)}:"
                " balancer, logs, staging, storage, egress, monitoring, or their total"
            ),
        ))
    return lines


def _rent_lines(shared: Shared, option: Option, plan: Plan, months: FleetMonths, live: Share) -> list[Line]:
    """Rent; while a commitment runs, from go-live on, its rate does not drift and a falling load gives no GPU back.

    The month in which it ends counts by its share: of the rest of it as many GPUs are paid as are needed, at the rent of then.
    """
    drift, free = rent_level(shared), is_zero(plan.minimum_months)
    rate = plan.usd_per_gpu_hour * option.fleet_share * HOURS_PER_MONTH
    price = plan.rent or plan.path + "usd_per_gpu_hour"
    speeds = (plan.speed, plan.adapter_speed) if plan.adapter_speed else (plan.speed,)
    bound = np.zeros(shared.horizon) if free else committed_share(option.months_to_live, plan.minimum_months, shared.horizon)

    def arithmetic(gpus: Number, paid: Number, month: int) -> str:
        moved = pick(paid, month) / pick(gpus, month) if pick(gpus, month) else 1.0
        part = "" if pick(bound, month) in {0.0, 1.0} else f", at the agreed one for {pick(bound, month):.4g} of the month"
        drifted = "" if abs(moved - 1) < 1e-12 else f" x {moved:.4f} {_rents_told(shared, month)}{part}"
        return (
            f"{pick(gpus, month):,.6g} GPU x {dollars(pick(plan.usd_per_gpu_hour))}/GPU-h x {HOURS_PER_MONTH} h"
            f" x {pick(live.whole, month):.4g} of the month{drifted}{of_the_fleet(option.fleet_share)}"
        )

    def line(name: str, facts: tuple[str, ...], gpus: Number, paid: Array | None = None) -> Line:
        """`paid`: GPUs x their rent over today's, where that is not `gpus` x the drift."""
        if paid is not None:
            along = Along(paid, rate, live)
        elif np.shape(gpus)[-1:] != (shared.horizon,):
            along = Along(drift, gpus * rate, live)
        else:
            along = Along(shared.product(np.asanyarray(gpus), drift), rate, live)
        return Line(
            name=name, kind=LineKind.RENT, **along._asdict(), facts=(price, *facts), arithmetic=lambda month: arithmetic(
                live.where_any(gpus), live.where_any(gpus * drift if paid is None else paid), month))

    names = (("GPU rent", (plan.path + "capacity_requests_per_s", *speeds)), ("GPU rent, redundancy", ("serving.spares",)))
    if free:
        bare: Number = months.gpus_without_spares if months.needed is None else months.needed
        spare = months.gpus - bare if months.spare_gpus is None else months.spare_gpus
        return [line(*names[0], bare), *([line(*names[1], spare)] if any_positive(spare) else [])]

    def kept(gpus: Array) -> tuple[Array, Array]:
        """GPUs that are paid, of the month in which the commitment ends on average, and the same x their rent over today's."""
        held, later = bound * accumulate(np.maximum, gpus), (1.0 - bound) * gpus
        return np.asanyarray(held + later), np.asanyarray(held + later * drift)

    (gpus, paid), (bare, paid_bare) = kept(months.gpus), kept(months.gpus_without_spares)
    lines = [line(*names[0], bare, paid_bare)]
    if any_positive(gpus - bare):
        lines.append(line(*names[1], gpus - bare, np.asanyarray(paid - paid_bare)))
    each = np.asanyarray(plan.usd_per_gpu_hour * (bound + (1.0 - bound) * drift))
    return lines + _unused_commitment(shared, option, plan, gpus, each)


def _rents_told(shared: Shared, month: int) -> str:
    """What the central level of rents in a month (index 0 = month 1) is made of: its drift, over the mean of the draws."""
    grown, level = (pick(x, month) for x in (growth_path(shared.rent_drift, shared.horizon), rent_level(shared)))
    if abs(level - grown) < 1e-12:
        return "drift"
    least, most = (formatted(pick(shared.rent_drift + 1.0) * np.exp(x) - 1.0, "+.1%")
                   for x in (-shared.rent_spread[0], shared.rent_spread[1]))
    return (f"({grown:.4g} at the central drift / {grown / level:.4f}, the mean over that where rents drift {least} to"
            f" {most} a year)")


def _unused_commitment(shared: Shared, option: Option, plan: Plan, gpus: Array, rate: Array) -> list[Line]:
    """Rent beyond the horizon, at the last month's rate, paid in the last month: a commitment is paid to its end.

    Or what it costs to end it early, where that is less. Each GPU's commitment runs from the month in which it was added.
    """
    bound = np.asanyarray(plan.minimum_months) > 0
    added = np.diff(accumulate(np.maximum, gpus), axis=-1, prepend=0.0)
    added = np.where(accumulate(np.add, added) == added, added, added * plan.later_bound)
    start = np.maximum(np.arange(shared.horizon, dtype=np.float64), option.months_to_live)
    left = np.maximum(plan.minimum_months - (shared.horizon - start), 0.0) * bound
    owed, each = added * left, np.minimum(left * rate[..., -1:] * HOURS_PER_MONTH, plan.cancel_usd) * option.fleet_share
    if not np.any(owed > 0):
        return []

    def arithmetic(month: int) -> str:
        months = pick(owed.sum(axis=-1, keepdims=True))
        rent = f"{months:,.6g} GPU-months x {dollars(pick(rate, month))}/GPU-h x {HOURS_PER_MONTH} h"
        ends = f", or {dollars(pick(plan.cancel_usd))} a GPU to end it where that is less"
        return rent + (ends if np.isfinite(pick(plan.cancel_usd)) else "") + of_the_fleet(option.fleet_share)

    return [Line(
        name="GPU commitment beyond the horizon", kind=LineKind.RENT_LEFT,
        path=np.asanyarray((added * each).sum(axis=-1, keepdims=True) * last_month(shared.horizon)),
        facts=(plan.path + "minimum_months", plan.path + "cancel_usd"), arithmetic=arithmetic,
    )]
