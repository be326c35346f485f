"""Lines of serving a model oneself: rent, or hardware of one's own, redundancy, platform.

Rent is paid for every hour that an instance exists; what is owned costs its purchase, installation, power, space and
replacement, less what the cards still fetch at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import numpy as np

from roi.economics.finance import accumulate
from roi.economics.inputs import PLATFORM, Array, Hardware, Number, Option, Plan, Shared
from roi.economics.lines.calendar import Share, by_month, has_rows, incumbent_share, powers
from roi.economics.lines.line import (
    Along,
    Arithmetic,
    Line,
    Words,
    any_positive,
    billed_requests,
    each_month,
    is_zero,
    pick,
    rent_level,
)
from roi.economics.lines.line_kind import LineKind
from roi.estimate.replay.fleet import (
    Fleet,
    burst_from_peak,
    demand_to_hold,
    fleet_capacity,
    instances_needed,
    replicas_needed,
    size_autoscaled_fleet,
    size_fleet,
    spill_share,
)
from roi.units import HOURS_PER_MONTH, MONTHS_PER_YEAR, SECONDS_PER_HOUR


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
        """Those that hold the load."""
        return self.bare()

    @cached_property
    def gpus(self) -> Array:
        """All of them, spares included."""
        return self.with_spares()

    @cached_property
    def fleet(self) -> Fleet:
        """Replicas, instances and how busy they are."""
        return self.sized()


def waiting(shared: Shared, option: Option) -> Number:
    """Share of requests that the option's servers leave for the valleys."""
    return shared.can_wait if option.lets_wait else 0.0


def fleet_months(shared: Shared, option: Option, live: Share) -> FleetMonths:
    """The fleet that each month's own peak needs, from go-live on.

    Capacity is the plan's at the SLO, draws of how far the estimate may be off included. A hybrid runs a fixed number of
    replicas without a spare, since the API is its failover.
    """
    assert option.plan is not None
    plan = option.plan
    mean = shared.once("mean load", lambda: np.asanyarray(billed_requests(shared) / (HOURS_PER_MONTH * SECONDS_PER_HOUR)))
    if option.replicas_fixed is not None:
        return _floor_months(shared, option, plan, mean, option.replicas_fixed)
    running, spill = partial(_running, live), np.zeros(shared.horizon)
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
    sized = _sized(shared, option, plan, mean, option.spares)
    fewer = sized if option.spares == 0 else _sized(shared, option, plan, mean, 0)
    with_spares, bare = (running(np.asanyarray(each.gpus)) for each in (sized, fewer))
    return FleetMonths(lambda: bare, lambda: with_spares, spill, lambda: sized)


def _running(live: Share, gpus: Number) -> Array:
    """The GPUs of the months in which the option runs, shape (..., H)."""
    return live.where_any(gpus)


def _demand(shared: Shared, option: Option, mean: Array) -> Array:
    """Requests/s that the option's fleet must hold in each month, worked out once for all fleets that wait alike."""
    waits = waiting(shared, option)
    return shared.once_for("demand", (waits,), lambda: np.asanyarray(mean * demand_to_hold(shared.peak_to_mean, 1.0, waits)))


def _sized(shared: Shared, option: Option, plan: Plan, mean: Array, spares: int) -> Fleet:
    """The fleet; only what is rented by the hour, without a commitment, can follow the hours of the day."""
    least = option.replicas_least + spares
    common: dict[str, Any] = {  # Any: keywords that both functions take
        "gpus_per_replica": plan.gpus_per_replica, "gpus_per_instance": plan.gpus_per_instance, "headroom": option.headroom,
        "spares": spares, "can_wait": waiting(shared, option), "pooling": plan.pooling,
    }  # fmt: skip
    bound = option.hardware is not None or np.asanyarray(plan.minimum_months) > 0
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


def _floor_months(shared: Shared, option: Option, plan: Plan, mean: Array, replicas: Number) -> FleetMonths:
    """The fleet of a hybrid: `replicas` in every month, as full as they may be, and what spills beyond them."""
    per_instance = np.maximum(np.floor(plan.gpus_per_instance / plan.gpus_per_replica), 1.0)
    instances = np.ceil(replicas / per_instance)
    full = fleet_capacity(replicas, plan.capacity, plan.pooling)
    held = full * (1.0 - option.headroom)
    spill = spilled(shared, option, held / mean)
    needed = instances * plan.gpus_per_instance

    def gpus() -> Array:
        return np.asanyarray(needed + np.zeros_like(mean))

    def sized() -> Fleet:
        return Fleet(
            replicas=replicas + np.zeros_like(mean), instances=instances + np.zeros_like(mean), gpus=gpus(),
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
        lines = hardware_lines(shared, option, option.hardware, months.gpus, live)
    else:
        lines = _rent_lines(shared, option, option.plan, months, live)
    if any_positive(option.platform_usd):
        lines.append(Line(
            name="platform", kind=LineKind.PLATFORM, path=each_month(shared), rate=option.platform_usd, share=live,
            facts=tuple(f"platform.{n}_usd_per_month" for n in PLATFORM),
            arithmetic=lambda _: (
                f"${pick(option.platform_usd):,.6g} a month:"
                " balancer, logs, staging, storage, egress, monitoring, or their total"
            ),
        ))
    return lines


def _rent_lines(shared: Shared, option: Option, plan: Plan, months: FleetMonths, live: Share) -> list[Line]:
    """Rent; while a commitment runs, from go-live on, its rate does not drift and a falling load gives no GPU back."""
    drift, free = rent_level(shared), is_zero(plan.minimum_months)
    needed, spare = (months.needed, months.spare_gpus) if free else (None, None)
    bare: Number = months.gpus_without_spares if needed is None else needed
    if not free:
        bound = incumbent_share(option.months_to_live, plan.minimum_months, shared.horizon).whole > 0
        bound &= np.asanyarray(plan.minimum_months) > 0
        drift = np.where(bound, 1.0, drift)
        gpus, bare = (np.where(bound, accumulate(np.maximum, g), g) for g in (months.gpus, months.gpus_without_spares))
        spare = gpus - bare
    elif spare is None:
        spare = months.gpus - bare
    rate = plan.usd_per_gpu_hour * option.fleet_share * HOURS_PER_MONTH
    price = plan.rent or plan.path + "usd_per_gpu_hour"
    speeds = (plan.speed, plan.adapter_speed) if plan.adapter_speed else (plan.speed,)

    def arithmetic(gpus: Number, month: int) -> str:
        share, moved = pick(option.fleet_share), pick(drift, month)
        drifted = "" if abs(moved - 1) < 1e-12 else f" x {moved:.4f} drift"
        part = "" if share == 1.0 else f" x {share:.4g} of the fleet"
        return (
            f"{pick(gpus, month):,.6g} GPU x ${pick(plan.usd_per_gpu_hour):,.6g}/GPU-h x {HOURS_PER_MONTH} h"
            f" x {pick(live.whole, month):.4g} of the month{drifted}{part}"
        )

    def line(name: str, facts: tuple[str, ...], gpus: Number) -> Line:
        steady = np.shape(gpus)[-1:] != (shared.horizon,)
        along = Along(drift, gpus * rate, live) if steady else Along(shared.product(np.asanyarray(gpus), drift), rate, live)
        return Line(name=name, kind=LineKind.RENT, **along._asdict(), facts=(price, *facts),
                    arithmetic=lambda month: arithmetic(_running(live, gpus), month))

    lines = [line("GPU rent", (plan.path + "capacity_requests_per_s", *speeds), bare)]
    if any_positive(spare):
        lines.append(line("GPU rent, redundancy", ("serving.spares",), spare))
    if free:
        return lines
    each = np.asanyarray(plan.usd_per_gpu_hour * drift * option.fleet_share)
    return lines + _unused_commitment(shared, option, plan, np.asanyarray(bare + spare), each)


def _unused_commitment(shared: Shared, option: Option, plan: Plan, gpus: Array, rate: Array) -> list[Line]:
    """Rent beyond the horizon, at the last month's rate, paid in the last month: a commitment is paid to its end.

    Or what it costs to end it early, where that is less. Each GPU's commitment runs from the month in which it was added.
    """
    bound = np.asanyarray(plan.minimum_months) > 0
    added = np.diff(accumulate(np.maximum, gpus), axis=-1, prepend=0.0)
    added = np.where(accumulate(np.add, added) == added, added, added * plan.later_bound)
    start = np.maximum(np.arange(shared.horizon, dtype=np.float64), option.months_to_live)
    left = np.maximum(plan.minimum_months - (shared.horizon - start), 0.0) * bound
    owed, each = added * left, np.minimum(left * rate[..., -1:] * HOURS_PER_MONTH, plan.cancel_usd)
    if not np.any(owed > 0):
        return []
    last = np.zeros(shared.horizon)
    last[-1] = 1.0

    def arithmetic(month: int) -> str:
        months = pick(owed.sum(axis=-1, keepdims=True))
        rent = f"{months:,.6g} GPU-months x ${pick(rate, month):,.6g}/GPU-h x {HOURS_PER_MONTH} h"
        ends = f", or ${pick(plan.cancel_usd):,.6g} a GPU to end it where that is less"
        return rent + (ends if np.isfinite(pick(plan.cancel_usd)) else "")

    return [Line(
        name="GPU commitment beyond the horizon", kind=LineKind.RENT_LEFT,
        path=np.asanyarray((added * each).sum(axis=-1, keepdims=True) * last),
        facts=(plan.path + "minimum_months", plan.path + "cancel_usd"), arithmetic=arithmetic,
    )]


def purchases(there: Array, life_months: int) -> Array:
    """GPUs bought at month ends 0..H-1 so that those `there`, which never are fewer, (..., H) exist: what is new or worn out.

    Bought at the end of the month before it serves; replaced `life_months` later; a shrinking fleet sells nothing early.
    """
    bought = np.array(there, order="K")
    bought[..., 1:] -= there[..., :-1]
    for month in range(life_months, bought.shape[-1]):
        bought[..., month] += bought[..., month - life_months]
    return bought


def hardware_lines(shared: Shared, option: Option, terms: Hardware, gpus: Array, live: Share) -> list[Line]:
    """Lines of an owned fleet with `gpus` in use, shape (..., H); the first fleet is paid in month 0, when it is ordered.

    Cards that are there already are not bought: as many as are ever used cost in month 0 what selling them would bring.
    """
    assert option.plan is not None
    plan = option.plan
    there = bool(np.all(np.isfinite(plan.gpus_owned)))
    kept = _kept_ready(shared, plan, terms, gpus, there=there)
    most = accumulate(np.maximum, kept)
    bought = purchases(most, terms.life_months) * (1.0 + terms.spare_share)
    price = plan.usd_per_gpu + terms.host_usd
    later = np.zeros_like(bought)
    np.multiply(bought[..., 1:], most[..., :-1] > 0.0, out=later[..., :-1])
    ordered = bought.sum(axis=-1, keepdims=True) - later.sum(axis=-1, keepdims=True)
    first = ordered if bought.ndim > 1 else ordered[0]
    months, left = _left_of_purchases(shared.horizon, terms, bought)
    powered_gpus, apart = kept if terms.as_a_whole else gpus, any_positive(terms.usd_per_kwh)

    def bought_for(gpus: float) -> str:
        usd = f"${pick(plan.usd_per_gpu):,.6g}"
        each = f"{usd} that selling one would bring" if there else f"({usd} + ${pick(terms.host_usd):,.6g} host)"
        return f"{gpus:,.6g} GPU x {each}"

    def paid(month: int) -> str:
        return bought_for(pick(later, month)) if pick(later, month) else f"month 0: {bought_for(pick(ordered))}"

    def all_paid() -> Arithmetic | str:
        more = any(pick(later, month) for month in range(shared.horizon))
        return paid if more else bought_for(pick(ordered))

    def installed() -> Arithmetic | str:
        more, share = all_paid(), f" x {pick(terms.install_share):.4g}"
        return f"{more}{share}" if isinstance(more, str) else lambda month: f"{paid(month)}{share}"

    def sold(month: int) -> str:
        some = pick(price, month) != 0.0  # a card that would fetch nothing has nothing left
        in_month = pick(months, month) * pick(left) if some else 0.0
        each = bought_for(in_month).partition(" GPU x ")[2]
        return f"{in_month:,.6g} of a GPU's price is left x {each}, at {pick(terms.kept_per_year):.4g} kept a year"

    def kw(month: int) -> float:
        return pick(powered_gpus, month) * pick(live.whole, month) * pick(plan.watts) / 1000.0

    def powered(month: int) -> str:
        return (
            f"{kw(month):,.6g} kW x {pick(terms.power_share):.4g} x PUE {pick(terms.pue):.4g}"
            f" x {HOURS_PER_MONTH} h x ${pick(terms.usd_per_kwh):.4g}/kWh"
        )

    def facts(*names: str) -> tuple[str, ...]:
        return tuple(f"own_hardware.{name}" for name in names)

    prices = (f"purchase.{plan.gpu}.usd_per_gpu", *facts("host_usd_per_gpu"))
    if there:
        prices = facts(f"resale_usd_per_gpu.{plan.gpu}")
    installation = Line(
        name="hardware, installation", kind=LineKind.HARDWARE, path=later, rate=price * terms.install_share,
        upfront=first * price * terms.install_share, facts=facts("install_share"),
        arithmetic=Words(installed),
    )
    return [
        Line(
            name="own cards, not sold (no cash)" if there else "hardware, purchase and replacement",
            kind=LineKind.HARDWARE, path=later, rate=price, upfront=first * price, facts=prices, arithmetic=Words(all_paid),
            no_cash=there,
        ),
        *([] if there else [installation]),
        Line(
            name="electricity" if apart else "electricity, included in colocation", kind=LineKind.HARDWARE,
            path=powered_gpus, share=live,
            rate=plan.watts / 1000.0 * terms.power_share * terms.pue * HOURS_PER_MONTH * terms.usd_per_kwh,
            facts=facts("usd_per_kwh", "pue", "power_share"), arithmetic=powered,
        ),
        Line(
            name="colocation", kind=LineKind.HARDWARE, path=powered_gpus, share=live,
            rate=plan.watts / 1000.0 * terms.colocation_usd_per_kw,
            facts=facts("colocation_usd_per_kw_month"),
            arithmetic=lambda month: f"{kw(month):,.6g} kW x ${pick(terms.colocation_usd_per_kw):,.6g}/kW"
            f"{'' if apart else ', power included'}",
        ),
        Line(name="hardware, resale", kind=LineKind.HARDWARE, path=months, rate=-price * left,
             facts=facts("value_kept_per_year"), arithmetic=sold, no_cash=there),
    ]


def _kept_ready(shared: Shared, plan: Plan, terms: Hardware, gpus: Array, *, there: bool) -> Array:
    """GPUs that are there in each month: those in use; as many as are ever used, where they are owned or come as a whole.

    Of cards that are owned as many stay as a retraining takes, or all of them where they come as a whole.
    """
    if not (there or terms.as_a_whole):
        return gpus
    most = by_month(np.multiply, np.max(gpus, axis=-1, keepdims=True), np.ones(shared.horizon))
    return np.maximum(most, plan.gpus_owned if terms.as_a_whole else plan.gpus_to_train) if there else most


def _left_of_purchases(horizon: int, terms: Hardware, bought: Array) -> tuple[Array, Number]:
    """GPUs' worth that is sold: by month, shape (..., H), times what is the same in all months.

    What is worn out is sold as it is replaced, the rest at the horizon, at its age.
    """
    worn = max(horizon - terms.life_months + 1, 0)  # bought in so many months, they are worn out by the horizon
    ages = (horizon - np.arange(worn, horizon)) / MONTHS_PER_YEAR
    kept, quick = terms.kept_per_year, has_rows(terms.kept_per_year) and bool(np.all(terms.kept_per_year > 0.0))
    left = bought[..., worn:] * (powers(kept, ages) if quick else by_month(np.power, kept, ages))
    at_horizon = left.sum(axis=-1, keepdims=True)
    if not worn:
        last = np.zeros(horizon)
        last[-1] = 1.0
        return last, at_horizon
    sold = np.zeros_like(bought, shape=np.broadcast_shapes(bought.shape, np.shape(terms.kept_per_year)))
    sold[..., horizon - worn :] = bought[..., :worn] * terms.kept_per_year ** (terms.life_months / MONTHS_PER_YEAR)
    sold[..., -1:] += at_horizon
    return sold, 1.0
