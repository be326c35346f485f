"""The fleets of one plan: the fewest replicas that hold the SLO, smaller and larger ones beside them, and a day of theirs."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date as Date
from math import inf, isfinite
from typing import Final

import numpy as np

from roi.answers.size_hours import ALL_DAY, FOR_THE_WORK, fleet_by_the_hour, runs
from roi.economics.inputs import Array, Option, Shared
from roi.estimate.replay.capacity_ends import no_wider
from roi.estimate.replay.engine import Server
from roi.estimate.replay.fleet import (
    LITTLE_FREE,
    fleet_capacity,
    instances_needed,
    load_ratio,
    replicas_needed,
    replicas_to_hold,
    valleys_filled,
)
from roi.estimate.replay.load_curve import LoadPoint, Slo, goodput_share, load_point
from roi.estimate.replay.router import replay
from roi.estimate.replay.traffic import day_arrivals
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.measured_range import beyond
from roi.evidence.known_runs import KnownRuns
from roi.facts.fact import Basis
from roi.resolution.plan_capacity import FLEETS_REPLAYED, FleetPlan, Traffic, load_curve, load_of, plan_capacity, plan_evidence
from roi.resolution.request_lengths import ARRIVALS
from roi.units import HOURS_PER_MONTH, SECONDS_PER_DAY

MOST_OF_A_DAY: Final = 300_000
"""Requests of a day that is replayed in full, at most: a second or two."""
MOST_REPLICAS: Final = 500
"""Fleets above this are replayed alone, without smaller and larger ones beside them: the router asks every replica."""
MOST_OF_THE_LAW: Final = 4
"""Times the law's fleet from which on a trace is given up: its bursts, not their number, break the SLO."""
SPREAD_OF_FLEETS: Final = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Fleets of the frontier over the one that the SLO needs."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a fleet must hold."""

    traffic: Traffic
    requests_per_s: float
    """Requests a second at the SLO, before headroom."""
    mean_requests_per_s: float
    slo: Slo
    is_trace: bool
    """True where the traffic is a trace, on which every plan is replayed anew."""


@dataclass(frozen=True)
class FleetPoint:
    """A number of replicas under the peak."""

    replicas: int
    """Replicas that serve; spares are paid, and idle here."""
    instances: int
    gpus: int
    usd_per_month: float
    """Rent, spares included; of cards that are owned power and space."""
    load: LoadPoint
    holds: bool
    """The SLO at the peak."""
    kv_full: float | None
    """Share of the KV cache held in the mean at the peak; None where the engine evicts nothing (`LoadCurve.kv_full`)."""


@dataclass(frozen=True)
class Day:
    """The replicas that serve, over a day with the scenario's hourly shape."""

    load: LoadPoint
    """Percentiles over the day; requests_per_s is its mean."""
    within_slo: float
    """Share of the requests within both limits, each by itself."""
    by_hour_requests_per_s: tuple[float, ...]
    """What is served in each hour, the busiest first: what can wait in the quietest."""


@dataclass(frozen=True, kw_only=True)
class SizedPlan:
    """One plan's fleet."""

    gpu: str
    tensor_parallel: int
    weight_dtype: str
    vendor: str
    rental: str
    usd_per_gpu_hour: float
    """Rent; power and space of a card that is owned."""
    price_days: int
    """Age of the price on the scenario's day."""
    gpus_per_instance: int
    owned: int | None
    """How many of this card are owned; None where it is rented."""
    alone_requests_per_s: float
    """What one replica alone holds at the SLO."""
    pooling: float
    replicas: int
    """Needed at the peak, spares left out."""
    replicas_unbound: int
    """Replicas that the peak needs were serving.replicas_least 1."""
    replicas_exact: float | None
    """Replicas before rounding up, which other requests move by some percent; None for a trace, whose fleets are replayed."""
    replicas_fast: int
    """Replicas with the engine at its fast end (P95)."""
    replicas_slow: int | None
    """Replicas with the engine at its slow end (P5); None where no fleet holds the SLO there."""
    usd_per_month_fast: float
    """USD a month with the engine at its fast end (P95)."""
    usd_per_month_slow: float | None
    spares: int
    utilisation_peak: float
    """Load over what the replicas and spares that run then hold by the law of a fleet, as in `roi compare`: at the peak, or in
    the fullest hour where the fleet follows the load."""
    little_free: bool
    """True where that leaves less than LITTLE_FREE; False for a trace, whose fleets are replayed with what is kept free, and of
    what runs for the hours of work alone."""
    fleet: FleetPoint
    """The replicas needed, at the peak."""
    runs: str
    """When its GPUs exist by the scenario, in the words of its way: ALL_DAY, BY_THE_HOUR or FOR_THE_WORK."""
    gpus_paid: float
    """GPUs, spares included: those of `fleet`, or the mean over the hours in which they exist and those in which not."""
    working: int
    """Replicas at the same time, spares left out: more than are needed where these idle, for the work, for a shorter time."""
    usd_per_month: float
    """What the paid GPUs cost at today's volume, USD a month, as `roi compare` pays them."""
    fleets: tuple[FleetPoint, ...]
    """Smaller and larger fleets, ascending."""
    source: str
    basis: str
    evidence: str
    """What the engine's speed rests on: a profile, or published runs."""
    in_flight: float | None
    """Most requests in flight where a replica holds its capacity, where that is more than `in_flight_measured`; else None."""
    in_flight_measured: float | None
    """Most requests in flight that a profile of this very plan was measured with; None where no such profile is kept."""
    tokens_measured: float | None
    """Mean tokens, prompt and answer, of the longest requests that it was measured with; None where `in_flight_measured` is."""
    measured_by: str | None
    """The command that measures as many as `in_flight`, and such lengths; None where neither is beyond what was measured."""
    beyond_measured: bool
    """True where a replica has more in flight at the peak than `in_flight_measured`, its share of `in_flight` there being more,
    or requests are longer than those of `tokens_measured`."""
    step_tokens: float
    """Tokens of the largest step that is replayed."""
    sequence_limit: float
    """Sequences that are decoded at the same time, at most."""
    adapters: int
    """Different adapters applied at run time; 0 where there are none."""
    adapter_slots: float
    """Adapters, applied at run time, that each GPU holds at once; 0 where there are none."""
    adapter_bytes_per_gpu: float
    """Bytes of each GPU that the adapters' slots take, beside weights and KV cache."""


def size_plan(
    plan: FleetPlan, shared: Shared, option: Option, load: Load, known: KnownRuns, as_of: Date, *, frontier: bool = True,
) -> SizedPlan | None:
    """The plan's fleets under the load; None where a trace breaks the SLO on it. `known` is what the plan was resolved with.

    Without `frontier` its fleets are the one that is needed, and one with a replica less.
    """
    running = runs(shared, option, plan, is_trace=load.is_trace)
    plan = _on_trace(plan, load, known) if load.is_trace else plan
    server, capacity, beyond_it = plan.evidence.server, plan.capacity, plan.evidence.unmeasured
    alone, headroom, least = capacity.alone.requests_per_s, float(option.headroom), option.replicas_least
    if alone <= 0.0:
        return None

    def law(requests_per_s: float, pooling: float, least: int = least) -> int | None:
        return None if requests_per_s <= 0.0 else int(
            replicas_needed(load.requests_per_s, requests_per_s, headroom, 0.0, float(least), pooling))

    def needed(least: int = least) -> int | None:
        asked = law(alone, capacity.pooling, least)
        return asked if asked is None or not load.is_trace else _fewest(plan, server, load, headroom, least, asked)

    replicas = needed()
    slowest, fastest = (law(end.requests_per_s, gain) for end, gain in (
        (capacity.slow, capacity.pooling_slow), (capacity.fast, capacity.pooling_fast)))
    if load.is_trace and replicas is not None:
        slowest, fastest = _ends_on_trace(plan, load, headroom, least, (slowest, fastest))
    if replicas is None or fastest is None:
        return None
    unbound = needed(1) if replicas == least > 1 else replicas
    exact = None if load.is_trace else float(replicas_to_hold(load.requests_per_s, alone * (1.0 - headroom), capacity.pooling))
    shares = SPREAD_OF_FLEETS if frontier and replicas <= MOST_REPLICAS else (1.0,)
    sizes = sorted({max(round(replicas * share), 1) for share in shares} | {replicas, max(replicas - 1, 1)})
    sizes = [size for size in sizes if size <= replicas or _enough(plan, option, size)]
    held = {size: float(fleet_capacity(size, alone, capacity.pooling)) for size in sizes}
    fleets = tuple(_fleet(plan, option, server, load, size, held[size]) for size in sizes)
    slowest = slowest if slowest is not None and _enough(plan, option, slowest) else None

    def paid(replicas: int, alone: float, pooling: float) -> tuple[float, float, int, float]:
        if running == ALL_DAY:
            busy = float(load_ratio(load.requests_per_s, fleet_capacity(replicas + option.spares, alone, pooling)))
            return *_rent(plan, option, replicas)[1:], replicas, busy
        fleet = fleet_by_the_hour(running, shared, option, plan, load.mean_requests_per_s, alone, pooling)
        share = float(fleet.share_of_day)
        working = replicas if share in {0.0, 1.0} else round(float(fleet.replicas) / share) - option.spares
        return float(fleet.gpus), monthly_usd(plan, option, float(fleet.gpus)), working, float(fleet.utilisation_peak)

    gpus_paid, usd_per_month, working, busy = paid(replicas, alone, capacity.pooling)
    usd_fast = paid(fastest, capacity.fast.requests_per_s, capacity.pooling_fast)[1]
    usd_slow = None if slowest is None else paid(slowest, capacity.slow.requests_per_s, capacity.pooling_slow)[1]
    return SizedPlan(
        gpu=plan.offer.gpu, tensor_parallel=plan.serving.tensor_parallel, weight_dtype=plan.serving.weight_dtype,
        vendor=plan.offer.vendor, rental=plan.offer.kind, usd_per_gpu_hour=_usd_per_gpu_hour(plan, option),
        price_days=(as_of - plan.offer.date).days, gpus_per_instance=plan.offer.gpus_per_instance, owned=plan.offer.owned,
        alone_requests_per_s=alone, pooling=capacity.pooling, replicas=replicas, replicas_unbound=unbound or replicas,
        replicas_exact=exact, replicas_fast=fastest, replicas_slow=slowest, runs=running, gpus_paid=gpus_paid, working=working,
        usd_per_month=usd_per_month, usd_per_month_fast=usd_fast, usd_per_month_slow=usd_slow, spares=option.spares,
        utilisation_peak=busy,
        little_free=not load.is_trace and running != FOR_THE_WORK and busy > 1.0 - LITTLE_FREE,
        fleet=fleets[sizes.index(replicas)], fleets=fleets, source=plan.source, basis=plan.evidence.basis.value,
        evidence=plan.evidence.told, in_flight=beyond_it.in_flight if beyond_it is not None and beyond_it.more else None,
        in_flight_measured=measured if isfinite(measured := plan.evidence.measured) else None,
        tokens_measured=plan.evidence.measured_tokens if isfinite(measured) else None,
        measured_by=None if beyond_it is None else beyond_it.command,
        beyond_measured=beyond_it is not None and (beyond_it.longer or busy * beyond_it.in_flight > measured),
        step_tokens=server.step_tokens, sequence_limit=server.sequence_limit,
        adapters=plan.serving.adapters, adapter_slots=plan.evidence.adapter_slots, adapter_bytes_per_gpu=plan.adapter_bytes,
    )


def _on_trace(plan: FleetPlan, load: Load, known: KnownRuns) -> FleetPlan:
    """The plan with what it holds of the trace: what a step takes of a prompt, and what is in flight, go by its calls.

    A capacity that is stated says nothing of a trace's bursts: they are replayed as those of any other plan.
    """
    evidence = plan_evidence(known, plan.serving, load.traffic)
    if plan.evidence.basis is Basis.STATED:
        row = plan.evidence.speed_path.removesuffix(".speed")
        evidence = replace(evidence, source=f"{evidence.source}; {row}.requests_per_s is not taken: a trace is replayed")
    speeds = evidence.ends(speed for _, speed in evidence.spreads)
    capacity = plan_capacity(plan.serving, load.traffic, evidence.server, load.slo, speeds, evidence.unsure_bytes,
                             evidence.measured, evidence.published)
    return replace(plan, speeds=speeds, capacity=capacity, evidence=evidence.held(capacity, plan.serving, load.traffic.shape))


def _ends_on_trace(
    plan: FleetPlan, load: Load, headroom: float, least: int, laws: tuple[int | None, int | None],
) -> list[int | None]:
    """The fewest replicas that hold the trace at the slow and at the fast end of the engine, where the law asks for `laws`.

    With more in flight than were measured the step is what it can be then (`beyond`), to no more than what is published, as in
    `plan_capacity`. Room for KV is at its end with the speed, which is somewhat wide.
    """
    evidence, (slow, _, fast) = plan.evidence, plan.speeds
    server, rooms = evidence.server, plan.capacity.rooms or (evidence.server.kv_capacity,) * 2

    def held(steps: Iterable[Iteration]) -> list[int | None]:
        return [None if law is None else
                _fewest(plan, replace(server, iteration=step, kv_capacity=room), load, headroom, least, law)
                for step, room, law in zip(steps, rooms, laws, strict=True)]

    inside = held(server.iteration.at_speed(speed) for speed in (slow, fast))
    if not isfinite(evidence.measured):
        return inside
    steps = beyond(server.iteration, evidence.measured)
    ends = held(step.at_speed(speed) for step, speed in zip(steps, (slow, fast), strict=True))
    if ends == inside or evidence.published is None:
        return ends
    step, *speeds = evidence.published
    return no_wider(ends, held(step.at_speed(speed) for speed in speeds), inside,
                    lambda replicas: -inf if replicas is None else -replicas)


def _fewest(plan: FleetPlan, server: Server, load: Load, headroom: float, least: int, law: int) -> int | None:
    """The fewest replicas, `least` or more, that hold the SLO on the trace, also with more load by the share of the headroom.

    Between `least` and `law`, what the law of a fleet asks for, which counts no gain of a router beyond four replicas, while
    bursts of a trace are shared by many more. More where even that many break the SLO; None where MOST_OF_THE_LAW times as
    many do.
    """
    more = load.requests_per_s / (1.0 - headroom)

    def holds(replicas: int) -> bool:
        curve = load_curve(plan.serving, load.traffic, server, replicas, 0)
        return curve.at(more).holds(load.slo) and curve.at(load.requests_per_s).holds(load.slo)

    low, high = least - 1, law
    while not holds(high):
        if high >= MOST_OF_THE_LAW * law:
            return None
        low, high = high, 2 * high
    between = range(low + 1, high)
    return low + 1 + bisect_left(between, True, key=holds)


def _fleet(plan: FleetPlan, option: Option, server: Server, load: Load, replicas: int, capacity: float) -> FleetPoint:
    """The replicas under the load, and what they cost with the spares; without an SLO they must answer as much as is asked."""
    count = FLEETS_REPLAYED[min(max(replicas, 2) - 2, len(FLEETS_REPLAYED) - 1)]
    curve = load_curve(plan.serving, load.traffic, server, replicas, count)
    found = curve.at(load.requests_per_s)
    instances, gpus, rent = _rent(plan, option, replicas)
    return FleetPoint(replicas=replicas, instances=instances, gpus=gpus, usd_per_month=rent, load=found,
                      holds=found.holds(load.slo) and (load.slo != Slo() or load.requests_per_s <= capacity),
                      kv_full=curve.kv_full(found))


def _rent(plan: FleetPlan, option: Option, replicas: int) -> tuple[int, int, float]:
    """Instances and GPUs of the replicas and the spares, and USD a month for them."""
    held = plan.offer.gpus_per_instance
    instances = int(instances_needed(replicas + option.spares, float(plan.serving.tensor_parallel), float(held)))
    return instances, instances * held, monthly_usd(plan, option, instances * held)


def _enough(plan: FleetPlan, option: Option, replicas: int) -> bool:
    """False where the replicas and the spares need more cards than are owned."""
    return plan.offer.owned is None or _rent(plan, option, replicas)[1] <= plan.offer.owned


def monthly_usd(plan: FleetPlan, option: Option, gpus: float) -> float:
    """USD a month that the workload pays for this many GPUs: rent, or power and space of those that are owned."""
    if plan.offer.owned is None:
        return float(gpus * plan.offer.usd_per_gpu_hour * option.fleet_share * HOURS_PER_MONTH)
    terms = option.hardware
    powered = max(gpus, plan.offer.owned) if terms is not None and terms.as_a_whole else gpus
    return powered * _usd_per_gpu_hour(plan, option) * HOURS_PER_MONTH / float(option.workloads)


def _usd_per_gpu_hour(plan: FleetPlan, option: Option) -> float:
    """Rent, or power and space of a card that is owned."""
    offer, terms = plan.offer, option.hardware
    if offer.owned is None or terms is None:
        return offer.usd_per_gpu_hour
    kw = (plan.serving.gpu.power_w if offer.watts is None else offer.watts) / 1000.0
    return float(kw * (terms.power_share * terms.pue * terms.usd_per_kwh + terms.colocation_usd_per_kw / HOURS_PER_MONTH))


def replay_day(plan: FleetPlan, load: Load, replicas: int, mean: float, hourly: Array, can_wait: float) -> Day | None:
    """A day of these replicas; None above MOST_OF_A_DAY requests.

    Requests arrive as the hours of the load curve say, and the share that can wait as the plan counts on: in the quietest.
    """
    hourly = valleys_filled(hourly, can_wait)
    count = round(mean * SECONDS_PER_DAY)
    if not 1 <= count <= MOST_OF_A_DAY:
        return None
    requests = load_of(plan.serving, load.traffic.drawn(count), day_arrivals(count, hourly, ARRIVALS))
    found = replay(requests, plan.evidence.server, replicas)
    busy = float(np.mean(found.busy_s)) / SECONDS_PER_DAY  # of the day, not of the time from the first call to the last
    rates = np.sort(hourly / np.mean(hourly) * mean)[::-1]
    return Day(replace(load_point(found, mean), utilisation=busy), goodput_share(found, load.slo), tuple(map(float, rates)))
