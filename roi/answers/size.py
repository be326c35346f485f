"""How many replicas the scenario's peak needs, replayed: each plan's fleet, ways to run it, and cost against latency."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.answers.size_ways import Way, ways
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.economics.inputs import Array, Option, Plan, Shared
from roi.economics.reading import read_option, read_shared
from roi.errors import InputError, UnknownName
from roi.estimate.replay.engine import Server
from roi.estimate.replay.fleet import demand_to_hold, instances_needed, replicas_needed, replicas_to_hold
from roi.estimate.replay.load_curve import LoadPoint, Slo, goodput_share, load_point
from roi.estimate.replay.router import replay
from roi.estimate.replay.traffic import day_arrivals
from roi.evidence.known_runs import KnownRuns
from roi.facts.case import Case
from roi.numerics.spreads import joint_high, joint_low
from roi.resolution.plan_capacity import ServingPlan, Traffic, load_curve, load_of, plan_capacity
from roi.resolution.plan_evidence import plan_evidence
from roi.resolution.plans import adapters_applied, slo_of
from roi.resolution.request_lengths import ARRIVALS, system_lengths
from roi.scenario.schema import Scenario
from roi.store.traces import Trace
from roi.units import HOURS_PER_MONTH, SECONDS_PER_DAY

KINDS: Final = ("self-hosted-adapter", "self-hosted-base")
"""Options that run a fleet of their own, the tuned one first."""

MOST_REPLAYED: Final = 6000
"""Requests of a fleet's replay at most: 600 a replica up to ten replicas."""

EACH_REPLAYED: Final = 600
"""Requests of a fleet's replay for each replica."""

MOST_OF_A_DAY: Final = 300_000
"""Requests of a day that is replayed whole, at most: a second or two."""

MOST_REPLICAS: Final = 500
"""Fleets above this are replayed alone, without smaller and larger ones beside them: the router asks every replica."""

MOST_OF_THE_LAW: Final = 4
"""Times the law's fleet from which on a trace is given up: its bursts, not their number, break the SLO."""

SPREAD_OF_FLEETS: Final = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Fleets of the frontier over the one that the SLO needs."""


@dataclass(frozen=True)
class Recorded:
    """A trace as it was recorded, and how much faster it is replayed."""

    calls: int
    span_s: float
    times: float


@dataclass(frozen=True)
class FleetPoint:
    """A number of replicas under the peak."""

    replicas: int
    """That serve; spares are paid, and idle here."""
    instances: int
    gpus: int
    usd_per_month: float
    """Rent, spares included."""
    load: LoadPoint
    holds: bool
    """The SLO at the peak."""


@dataclass(frozen=True)
class Day:
    """The replicas that serve, over a day with the scenario's hourly shape."""

    load: LoadPoint
    """Percentiles over the day; requests_per_s is its mean."""
    within_slo: float
    """Share of the requests within both limits, each by itself."""


@dataclass(frozen=True)
class SizedPlan:
    """One plan's fleet."""

    gpu: str
    tensor_parallel: int
    weight_dtype: str
    vendor: str
    rental: str
    usd_per_gpu_hour: float
    alone_requests_per_s: float
    """What one replica alone holds at the SLO."""
    pooling: float
    replicas: int
    """Needed at the peak, spares left out."""
    replicas_exact: float | None
    """The same before rounding up, which other requests move by some percent; None for a trace, whose fleets are replayed."""
    replicas_fast: int
    """The same with the engine at its fast end (P95)."""
    replicas_slow: int | None
    """At its slow end (P5); None where no fleet holds the SLO there."""
    spares: int
    fleet: FleetPoint
    """The replicas needed, at the peak."""
    fleets: tuple[FleetPoint, ...]
    """Smaller and larger ones, ascending."""
    source: str
    basis: str
    evidence: str
    """What the engine's speed rests on: a profile, or published runs."""
    step_tokens: float
    """Tokens of the largest step that is replayed."""
    sequence_limit: float
    """Sequences that are decoded together at most."""


@dataclass(frozen=True)
class Sizing:
    """The answer of `roi size`."""

    title: str
    system: str
    option: str
    mean_requests_per_s: float
    peak_requests_per_s: float
    """What must hold the SLO, before headroom: the peak, or the trace's mean rate where its own bursts are replayed."""
    headroom: float
    fleet_share: float
    """Share of the rent that this workload pays; below 1 where several adapters share the base."""
    slo: Slo
    prompt_tokens: float
    cached_tokens: float
    output_tokens: float
    trace: Recorded | None
    """The trace that is replayed; None for the scenario's traffic."""
    plans: tuple[SizedPlan, ...]
    """Cheapest first."""
    day: Day | None
    """The cheapest plan's; None for a trace, or where a day has more than MOST_OF_A_DAY requests."""
    ways: tuple[Way, ...]
    """Of the cheapest plan: fixed, autoscaled, with spill, with requests that wait."""


def size_service(
    s: Scenario, case: Case, known: KnownRuns, model: str | None = None, trace: Trace | None = None, times: float = 1.0,
    say: Callable[[str], None] | None = None,
) -> Sizing:
    """The fleets of one self-hosted option of the Case, at today's volume and central values.

    `known` is what the Case was resolved with. `model` is a system of the Case (qwen3-8b+lora) or a model of
    candidates.self_hosted; None is the first. With a trace its own arrivals and lengths are replayed, `times` as fast; else
    Poisson arrivals of the scenario's lengths at its peak. `say` is told which plan is being replayed.
    InputError where no plan holds the SLO.
    """
    values = case.values()
    shared = read_shared(values)
    option = _option(case, model, shared)
    if option.infeasible is not None:
        raise InputError(f"{option.system}: {option.infeasible}")
    traffic: Traffic = system_lengths(case.facts, option.system)
    mean = float(shared.requests_per_day * shared.volume_factor) / SECONDS_PER_DAY
    demand = float(demand_to_hold(mean * shared.peak_to_mean, mean, shared.can_wait))
    recorded = None
    if trace is not None:
        own = f"systems.{option.system}."
        seen = trace.seen_as(*(_number(values[own + name]) for name in ("token_ratio", "output_ratio", "reasoning_tokens")))
        recorded = Recorded(trace.arrival_s.size, float(trace.arrival_s[-1]), times)
        traffic = seen.at(times)
        mean = demand = trace.requests_per_s * times
    slo, adapters = slo_of(s), adapters_applied(s) if option.trains else 0
    sized = []
    model_shape = find_model(option.system.partition("+")[0])
    for k, plan in enumerate(option.plans):
        degree = int(_number(plan.gpus_per_replica))
        if say is not None:
            say(f"replaying {degree} x {plan.gpu} {plan.weight_dtype}, plan {k + 1} of {len(option.plans)}")
        kv, engine = s.serving.kv_dtype, s.serving.engine
        serving = ServingPlan(model_shape, find_gpu(plan.gpu), degree, plan.weight_dtype, kv, adapters, engine)
        planned = _Planned(option, plan, serving, plan_evidence(known, serving, traffic)[0].server, traffic, slo, demand)
        found = _sized(case, f"options.{option.id}.plans.{k}.", planned, replayed=trace is not None)
        if found is not None:
            sized.append((found, planned))
    if not sized:
        raise InputError(f"{option.system}: no plan holds the SLO on this trace")
    sized.sort(key=lambda each: each[0].fleet.usd_per_month)
    shape = traffic.shape
    return Sizing(
        str(case["title"].value), option.system, option.id, mean, demand, float(option.headroom), float(option.fleet_share),
        slo, float(shape.uncached_tokens + shape.cached_tokens), float(shape.cached_tokens), float(shape.output_tokens),
        recorded, tuple(found for found, _ in sized),
        None if trace is not None else _day(sized[0][1], sized[0][0].replicas, mean, shared.load_curve),
        () if trace is not None else ways(case, shared, option, sized[0][1].plan, mean),
    )


def _option(case: Case, model: str | None, shared: Shared) -> Option:
    """The option that is asked for, by its own name or else by its model's, or the first that some plan holds."""
    ids = [id for kind in KINDS for id in case.options if case[f"options.{id}.kind"].value == kind]
    if not ids:
        raise InputError("candidates.self_hosted: names no model; `roi size` sizes a model that you serve yourself")
    options = [read_option(case.values(), id, shared) for id in ids]
    if model is None:
        return next((o for o in options if o.infeasible is None), options[0])
    named = [o for o in options if o.system.lower() == model.lower()]
    if named:
        return named[0]
    found = [o for o in options if o.system.lower().partition("+")[0] == model.lower()]
    if not found:
        names = [o.system for o in options]
        raise UnknownName("--model", model, names, "self-hosted system of the scenario", names)
    return next((o for o in found if o.infeasible is None), found[0])


@dataclass(frozen=True)
class _Planned:
    """What sizing a plan takes."""

    option: Option
    plan: Plan
    serving: ServingPlan
    server: Server
    traffic: Traffic
    slo: Slo
    demand: float


def _sized(case: Case, path: str, p: _Planned, *, replayed: bool) -> SizedPlan | None:
    """The plan's fleets; None where the traffic that is replayed anew breaks the SLO on it."""
    facts = [str(case[path + name].value) for name in ("speed", "adapter_speed") if path + name in case.facts]
    lows, highs = ([_number(case[fact + end].value) for fact in facts] for end in ("_low", "_high"))
    ends = float(joint_low(lows)), 1.0, float(joint_high(highs))
    names = ("capacity_slow", "capacity", "capacity_fast")
    slow, alone, fast = (float(_number(case[f"{path}{name}_requests_per_s"].value)) for name in names)
    names = ("pooling_slow", "pooling", "pooling_fast")
    gain_slow, pooling, gain_fast = (float(_number(case[path + name].value)) for name in names)
    if replayed:
        found = plan_capacity(p.serving, p.traffic, p.server, p.slo, ends)
        slow, alone, fast = (c.requests_per_s for c in (found.slow, found.alone, found.fast))
        gain_slow, pooling, gain_fast = found.pooling_slow, found.pooling, found.pooling_fast
    if alone <= 0.0:
        return None
    headroom, least = p.option.headroom, float(p.option.replicas_least)

    def needed(capacity: float, gain: float, speed: float) -> int | None:
        if capacity <= 0.0:
            return None
        law = int(replicas_needed(p.demand, capacity, headroom, 0.0, least, gain))
        return _fewest(p, law, int(least), speed) if replayed else law

    replicas, fastest = needed(alone, pooling, ends[1]), needed(fast, gain_fast, ends[2])
    if replicas is None or fastest is None:
        return None
    exact = None if replayed else float(replicas_to_hold(p.demand, alone * (1.0 - float(headroom)), pooling))
    shares = SPREAD_OF_FLEETS if replicas <= MOST_REPLICAS else (1.0,)
    sizes = sorted({max(round(replicas * share), 1) for share in shares} | {replicas, max(replicas - 1, 1)})
    fleets = tuple(_fleet(p, n) for n in sizes)
    capacity = case[path + "capacity_requests_per_s"]
    return SizedPlan(
        p.plan.gpu, p.serving.tensor_parallel, p.plan.weight_dtype, p.plan.vendor, str(case[path + "rental"].value),
        float(p.plan.usd_per_gpu_hour), alone, pooling, replicas, exact, fastest,
        needed(slow, gain_slow, ends[0]),
        int(p.option.spares), fleets[sizes.index(replicas)], fleets, capacity.source, capacity.basis.value,
        case[path + "speed"].source, p.server.step_tokens, p.server.sequence_limit,
    )


def _fewest(p: _Planned, law: int, least: int, speed: float) -> int | None:
    """The fewest replicas, `least` of them or more, that hold the SLO on the trace with the headroom's share more of it.

    Between `least` and what the law of a fleet asks for, which counts no gain of a router beyond four replicas, while bursts of
    a trace are shared by many more. More where even that many break the SLO; None where MOST_OF_THE_LAW times as many do.
    """
    faster = replace(p.server, iteration=p.server.iteration.at_speed(speed))
    more = p.demand / (1.0 - float(p.option.headroom))

    def holds(replicas: int) -> bool:
        curve = load_curve(p.serving, p.traffic, faster, replicas, 0)
        return curve.at(more).holds(p.slo) and curve.at(p.demand).holds(p.slo)

    low, high = least - 1, law
    while not holds(high):
        if high >= MOST_OF_THE_LAW * law:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _fleet(p: _Planned, replicas: int) -> FleetPoint:
    """The replicas under the demand, and what they cost with the spares."""
    count = min(EACH_REPLAYED * max(replicas, 2), MOST_REPLAYED)
    load = load_curve(p.serving, p.traffic, p.server, replicas, count).at(p.demand)
    each, held = float(p.plan.gpus_per_replica), float(p.plan.gpus_per_instance)
    instances = int(instances_needed(replicas + p.option.spares, each, held))
    gpus = int(instances * held)
    rent = float(gpus * p.plan.usd_per_gpu_hour * p.option.fleet_share * HOURS_PER_MONTH)
    return FleetPoint(replicas, instances, gpus, rent, load, load.holds(p.slo))


def _day(p: _Planned, replicas: int, mean: float, hourly: Array) -> Day | None:
    """A day of these replicas, its requests arriving as the hours of the load curve say."""
    count = round(mean * SECONDS_PER_DAY)
    if not 1 <= count <= MOST_OF_A_DAY:
        return None
    load = load_of(p.serving, p.traffic.drawn(count), day_arrivals(count, hourly, ARRIVALS))
    found = replay(load, p.server, replicas)
    busy = float(np.mean(found.busy_s)) / SECONDS_PER_DAY  # of the day, not of the time from the first call to the last
    return Day(replace(load_point(found, mean), utilisation=busy), goodput_share(found, p.slo))


def _number(value: object) -> float:
    assert isinstance(value, (int, float, np.ndarray))
    return float(value)
