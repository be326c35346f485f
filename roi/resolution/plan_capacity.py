"""One serving plan: what its speed rests on, with its spread, and what it holds at the SLO, its traffic replayed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import exp, inf
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from roi.catalog.efficiencies.serving_efficiencies import engine_habits, find_engine
from roi.catalog.prices.gpu_offers import Offer
from roi.estimate.replay.capacity_ends import at_once, by_rate, joined, no_wider
from roi.estimate.replay.engine import Server
from roi.estimate.replay.fleet import POOL
from roi.estimate.replay.load_curve import REPLAYED, Capacity, LoadCurve, PlanCapacity, Slo, more_replayed
from roi.estimate.replay.replica_plan import ReplicaPlan
from roi.estimate.replay.router import Requests
from roi.estimate.replay.traffic import Lengths
from roi.estimate.serving.adapter_memory import AdapterSlots, prefix_copies, reading_adapters, sequences_at_once
from roi.estimate.serving.capacity import reading_share
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.measured_range import beyond
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.infer_speed import infer_speeds
from roi.evidence.known_runs import KnownRuns
from roi.evidence.measured_links import measured_links, over_links
from roi.evidence.measured_servers import Served, find_served, kv_token_bytes
from roi.evidence.served_rows import rows_speed
from roi.evidence.serving_speed import AdapterEffect, adapter_effect, on_card, published_engine_speed, reading_spread, slug
from roi.evidence.unmeasured_load import UnmeasuredLoad, profile_command
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.numerics.spreads import joint_high, joint_low
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.store.profiles.loading import Store
from roi.units import GIB

ENGINE: Final = "vllm"
"""The engine whose published efficiencies stand in where the scenario names none and no server was profiled."""
FLEETS_REPLAYED: Final = range(1200, 6001, 600)
"""Requests of the replays of fleets of two replicas, of three, and so on; those of ten are enough for larger ones."""
POOL_REPLAYED: Final = 800
"""Requests of the replay of POOL replicas, where one takes REPLAYED."""


def slo_of(s: Scenario) -> Slo:
    """The scenario's SLO; none where everything can wait."""
    if value_of(s.workload.can_wait_share) >= 1.0:
        return Slo()
    return Slo(**s.workload.slo_s)


class Traffic(Protocol):
    """Requests to replay: of a histogram of lengths with Poisson arrivals, or of a trace."""

    @property
    def shape(self) -> RequestShape:
        """Means and spreads of the lengths."""

    def drawn(self, count: int) -> Lengths:
        """Lengths of about `count` requests."""

    def arrivals(self, count: int) -> NDArray[np.float64]:
        """When they arrive at a mean rate of 1 a second."""


@dataclass(frozen=True)
class ServingPlan:
    """A model in one format on one replica's GPUs."""

    shape: ModelShape
    gpu: Gpu
    tensor_parallel: int
    weight_dtype: str
    kv_dtype: str
    adapters: int = 0
    """Different ones applied at run time; 0 = none, or merged into the weights."""
    slots: AdapterSlots | None = None
    """Slots for adapters on each GPU; None where there are none."""
    engine: str | None = None
    """Engine whose speed is taken; None = that of any profile, else ENGINE's. On Apple's GPUs METAL."""

    @property
    def slot_bytes(self) -> float:
        """What one of its slots takes of each GPU; 0 where it has none."""
        return 0.0 if self.slots is None else float(self.slots.each_bytes)


def replica_plan(plan: ServingPlan) -> ReplicaPlan:
    """The plan's replica as every estimate of serving takes it."""
    return ReplicaPlan(
        shape=plan.shape, gpu=plan.gpu, tensor_parallel=float(plan.tensor_parallel), weight_dtype=plan.weight_dtype,
        kv_dtype=plan.kv_dtype, habits=engine_habits(plan.engine or ENGINE), adapters=plan.slots)


def published_server(plan: ServingPlan, traffic: Traffic, store: Store | None = None) -> Server:
    """The replica as published efficiencies describe it without adapters, over links that `store` has timed; KV in bytes."""
    known = on_card(find_engine(plan.engine or ENGINE), plan.gpu)
    if store is not None:
        known, _ = over_links(known, plan.gpu, plan.tensor_parallel, store)
    return replica_plan(plan).server(traffic.shape, known)


def load_curve(
    plan: ServingPlan, traffic: Traffic, server: Server, replicas: int, count: int, rungs_of: Server | None = None,
) -> LoadCurve:
    """The plan's replicas under about `count` requests of the traffic, at the rates of another server where one is given."""
    drawn, arrivals = traffic.drawn(count), traffic.arrivals(count)
    return LoadCurve(load_of(plan, drawn, arrivals), server, replicas, rungs_of)


def load_of(plan: ServingPlan, drawn: Lengths, arrival_s: NDArray[np.float64]) -> Requests:
    """The requests as a load on the plan's replicas."""
    return replica_plan(plan).requests(drawn, arrival_s)


def plan_capacity(
    plan: ServingPlan, traffic: Traffic, server: Server, slo: Slo, speeds: tuple[float, float, float],
    unsure_bytes: float = 0.0, measured: float = inf, published: tuple[Iteration, float, float] | None = None,
) -> PlanCapacity:
    """What the plan holds at these speeds (slow, central, fast) of the engine, 1 = as `server` says.

    Nothing where a replica is too small for any of the REPLAYED requests, since an option is paid for answering all. Of
    the larger numbers that fleets replay some may be longer still, about one in REPLAYED; those count as slow (`LoadPoint`).
    Where its room for KV may bind, that may be off by `unsure_bytes` on each GPU: what so much less or more of it holds joins
    the ends, squares of logarithms added. So does what the step can be with more than `measured` requests in flight (`beyond`),
    where it comes to more: to no more than the step as it is `published` at the ends of its speed, where that is given.

    Where steps read adapters, all this is of a replica that reads none, times `reading_share`, which is within 1% of what
    replays say in the mean (3% at the slow end). Replays themselves would hide it: what POOL replicas hold in one scatters by
    4% with the rates that it is asked for, by 15% where a handful are in flight, and dozens of adapters take no more.
    """
    count, (slowest, centre, fastest) = REPLAYED, speeds
    reading, server = server, replace(server, iteration=replace(server.iteration, adapter_s=0.0, adapter_experts_s=0.0))
    pace = replace(server, kv_capacity=np.inf) if plan.adapters else None
    curve = load_curve(plan, traffic, server, 1, count, pace)
    if not curve.all_fit:
        none = Capacity(0.0, "KV memory")
        return PlanCapacity(alone=none, slow=none, fast=none, pooling=1.0, pooling_slow=1.0, pooling_fast=1.0)
    alone = curve.capacity(slo, centre)
    if (more := more_replayed(alone.in_flight)) is not None:
        count, curve = more, load_curve(plan, traffic, server, 1, more, pace)
        alone = curve.capacity(slo, centre)
    slow, fast = curve.capacity(slo, slowest), curve.capacity(slo, fastest, alone.rung)

    def pooling(server: Server, *known: tuple[Capacity, float]) -> list[float]:
        """What each of POOL such servers holds over one alone that holds so much at a speed."""
        few = load_curve(plan, traffic, server, int(POOL), count * POOL_REPLAYED // REPLAYED, pace)
        return [1.0 if one.requests_per_s <= 0.0 else
                max(few.capacity(slo, speed, one.rung).requests_per_s / POOL / one.requests_per_s, 1.0) for one, speed in known]

    gain, *gains = pooling(server, (alone, centre), (slow, slowest), (fast, fastest))
    ends = list(zip((slow, fast), gains, strict=True))

    def join(servers: Iterable[Server]) -> None:
        for k, (held, joint) in enumerate(zip(servers, (joint_low, joint_high), strict=True)):
            other = load_curve(plan, traffic, held, 1, count, pace).capacity(slo, centre, alone.rung)
            [several] = pooling(held, (other, centre))
            ends[k] = joined((alone, gain), ends[k], (other, several), joint)

    if rooms := curve.near_room(alone.in_flight, unsure_bytes):
        join(replace(server, kv_capacity=room) for room in rooms)
    if at_once(alone, server) > measured:
        inside = list(ends)
        join(replace(server, iteration=step) for step in beyond(server.iteration, measured))
        if published is not None:
            step, *at = published
            known = replace(server, iteration=step)
            curve = load_curve(plan, traffic, known, 1, count, pace)
            held = [curve.capacity(slo, speed, alone.rung) for speed in at]
            gains = pooling(known, *zip(held, at, strict=True))
            ends = no_wider(ends, list(zip(held, gains, strict=True)), inside, by_rate)
    (slow, gain_slow), (fast, gain_fast) = ends
    if reading != server:
        shares = reading_share(
            traffic.shape, reading.iteration, replica_plan(plan).memory(traffic.shape), ttft_p95_s=slo.ttft_p95_s,
            tpot_s=slo.tpot_p95_s, sequence_limit=reading.sequence_limit, step_tokens=reading.step_tokens,
            prompts_alone=reading.prompts_alone, speed=np.array([centre, slowest, fastest]))
        alone, slow, fast = (replace(one, requests_per_s=one.requests_per_s * float(share))
                             for one, share in zip((alone, slow, fast), shares, strict=True))
    return PlanCapacity(alone=alone, slow=slow, fast=fast, pooling=gain, pooling_slow=gain_slow, pooling_fast=gain_fast,
                        rooms=rooms)


@dataclass(frozen=True)
class PlanEvidence:
    """The replica that a plan is replayed with, and how far its speed may be off."""

    server: Server
    speed_path: str
    """Path of the speed in the Case: ends in fitted, elsewhere or amd for published runs, else in the profiles' names; and then
    in -attention where no run had such, in -reading and the card where its limit is another's, in -pcie where none crossed its
    links."""
    speed: Fact
    """1 with the spread of the engine's speed."""
    profiled: bool
    """True where a profile of the user's own server gives the speed, or rows of the user's own table."""
    basis: Basis
    source: str
    """What the step time rests on, for the capacity's source."""
    unsure_bytes: float = 0.0
    """Bytes by which its room for KV may be off on each GPU; 0 where its server told it."""
    further: float = 0.0
    """What lengths unlike those measured add to the half of the speed's interval, a logarithm whose square adds."""
    measured: float = inf
    """Most requests that its own server was measured with in flight; inf where the speed is not such a profile's."""
    published: tuple[Iteration, float, float] | None = None
    """The step as it is published, and the ends of its speed; None where what was measured contradicts it, or nothing was."""
    measured_tokens: float = inf
    """Mean tokens of the longest requests that it was measured with; inf where `measured` is."""
    unmeasured: UnmeasuredLoad | None = None
    """The load where it holds its capacity; None where it is within `measured` and its requests within `measured_tokens`."""
    adapters: AdapterEffect | None = None
    """What adapters applied at run time do to the speed, which the server's step has already; None where there are none."""
    adapter_slots: float = 0.0
    """Adapters that each GPU holds at once, which the server's room for KV is without."""

    @property
    def told(self) -> str:
        """What the step time rests on, and how far beyond that the plan is."""
        return self.source + ("" if self.unmeasured is None else self.unmeasured.told)

    def ends(self, spreads: Iterable[Fact]) -> tuple[float, float, float]:
        """Slow end, centre (1) and fast end of these speeds together, at the lengths that are asked for."""
        facts = list(spreads)
        low = joint_low([*(fact.low or 1.0 for fact in facts), exp(-self.further)])
        high = joint_high([*(fact.high or 1.0 for fact in facts), exp(self.further)])
        return float(low), 1.0, float(high)

    def held(self, capacity: PlanCapacity, plan: ServingPlan, requests: RequestShape) -> "PlanEvidence":
        """The evidence that says so where the plan at its capacity is beyond what its server was measured with."""
        if capacity.alone.requests_per_s <= 0.0:
            return self
        most = at_once(capacity.alone, self.server)
        low, high = (end.requests_per_s / capacity.alone.requests_per_s for end in (capacity.slow, capacity.fast))
        load = UnmeasuredLoad(
            in_flight=most, in_flight_measured=self.measured, low=low, high=high,
            tokens=float(requests.cached_tokens + requests.uncached_tokens + requests.output_tokens),
            tokens_measured=self.measured_tokens,
            command=profile_command(plan.gpu.id, plan.tensor_parallel, plan.weight_dtype, requests, most))
        return replace(self, unmeasured=load) if load.figures else self

    @property
    def spreads(self) -> tuple[tuple[str, Fact], ...]:
        """Speeds of engine and adapters with their spreads, each with its path in the Case."""
        engine = self.speed_path, self.speed
        return (engine,) if self.adapters is None else (engine, (self.adapters.path, self.adapters.spread))


@dataclass(frozen=True)
class FleetPlan:
    """One way to serve an option: an offer of GPUs, a replica on them, what its speed rests on, what it holds at the SLO."""

    offer: Offer
    serving: ServingPlan
    evidence: PlanEvidence
    speeds: tuple[float, float, float]
    """The slow end, the centre (1) and the fast end of the speed of engine and adapters together."""
    capacity: PlanCapacity

    @property
    def adapter_bytes(self) -> float:
        """What adapters at run time take of each GPU."""
        return self.evidence.adapter_slots * self.serving.slot_bytes

    @property
    def source(self) -> str:
        """What the capacity rests on."""
        if self.evidence.basis is Basis.STATED:
            return self.evidence.source
        s = self.serving
        replica = f"{s.shape.id} {s.weight_dtype} on {s.tensor_parallel} x {s.gpu.id}"
        return f"replay of {replica}, one replica, {self.evidence.told}; {self.capacity.alone.binding} binds"


def plan_evidence(known: KnownRuns, plan: ServingPlan, traffic: Traffic) -> PlanEvidence:
    """The best evidence for this plan: a profile of a server on its card, else published runs."""
    base = published_server(plan, traffic, known.store)
    served = find_served(known.servers(plan.gpu.id)[0], plan.shape, plan.tensor_parallel, plan.weight_dtype, plan.kv_dtype,
                         prefill_context=float(traffic.shape.prefill_context), engine=plan.engine, rows=known.rows)
    engine = find_engine(plan.engine or ENGINE)
    asked = float(plan.tensor_parallel), plan.weight_dtype
    rows = rows_speed(known.rows, engine, plan.gpu.id, plan.shape.id, asked,
                      infer_speeds(known.store, engine, plan.gpu), mixture=plan.shape.mixture) if served is None else None
    which = f"{slug(plan.gpu.id)}-{slug(plan.shape.id)}-{plan.tensor_parallel}-{slug(plan.weight_dtype)}"
    if rows is not None:
        centre = rows.found.centre
        server = replace(base, iteration=base.iteration.at_speed(centre), request_s=base.request_s / centre)
        path = f"serving.speed.rows-{which}"
        found = PlanEvidence(server=server, speed_path=path, speed=rows.spread, profiled=True, basis=rows.spread.basis,
                             source=rows.spread.source)
    elif served is None:
        path, speed = published_engine_speed(engine, plan.gpu.id, plan.shape.id, mixture=plan.shape.mixture)
        name = "several engines" if engine.engine == "other" else engine.engine
        source = (f"roofline with fitted efficiencies ({name}; nearest: {engine.nearest(plan.gpu.id, plan.shape.id)};"
                  f" {engine.record(plan.gpu.id, plan.shape.id)})")
        basis = Basis.CALIBRATED if engine.known(plan.gpu.id) in engine.gpus else Basis.PUBLISHED
        found = PlanEvidence(server=base, speed_path=path, speed=speed, profiled=False, basis=basis, source=source)
    else:
        measured = served.speed.basis is Basis.MEASURED  # by the newest, whose server's older ones go with it
        name = slug("-".join(name.removesuffix(".json") for name in served.profiles[: 1 if measured else None]))
        name = name if measured else f"{name}-{which}"
        server, speed = _measured(base, served, plan, traffic), served.speed
        found = PlanEvidence(server=server, speed_path=f"serving.speed.{name}", speed=speed, profiled=True, basis=speed.basis,
                             source=speed.source)
    _, timed = measured_links(known.store, plan.gpu.id, plan.tensor_parallel)
    replica, shown = replica_plan(plan), rows.found if rows is not None else served
    if (shown is None or not shown.of_model) and (attention := replica.attention_spread):
        found = _wider(found, attention, "attention", "attention of which no fit has a run: roi profile serve measures it")
    if not found.profiled and (reading := reading_spread(engine, plan.gpu)):
        found = _wider(found, reading, f"reading-{slug(plan.gpu.id)}", "a limit of reading that was fitted on another card")
    if served is None and timed:
        found = replace(found, source=f"{found.source}, all-reduce as timed in {timed}")
    elif (shown is None or not shown.as_many) and (link := replica.link_spread):
        found = _wider(found, link, "pcie", "all-reduces over PCIe, which no fit has: roi profile device --link times them")
    if served is None or served.kv_capacity_tokens is None:
        found = replace(found, unsure_bytes=replica.unsure_bytes)
    if served is not None and served.server is not None and served.server.fit.measured is not None:
        further = served.server.further(traffic.shape, float(replica.memory(traffic.shape).kv_read_bytes))
        span = served.server.fit.measured
        ends = None if plan.adapters else served.server.published
        step = published_server(replace(plan, engine=served.server.published_as), traffic, known.store).iteration
        found = replace(found, further=further, measured=span.in_flight, measured_tokens=span.context_tokens,
                        published=None if ends is None else (step, *ends))
    return _with_adapters(found, plan, traffic, served) if plan.adapters else found


def _wider(found: PlanEvidence, by: float, suffix: str, why: str) -> PlanEvidence:
    """The evidence with what it has nothing of, a logarithm: squares add, as in `predict_serving`.

    Of links: what plans of another number of GPUs have shown, these excepted, says nothing of it. One of as many has crossed
    the same: conditional on it, links in common, the whole is 0 to 6% wider than without what they add, and 4 to 39% narrower
    than with all of it (published halves of 0.37 to 0.8; shares as in own_speed).
    """
    speed = found.speed
    low, high = joint_low((speed.low or 1.0, exp(-by))), joint_high((speed.high or 1.0, exp(by)))
    return replace(found, speed_path=f"{found.speed_path}-{suffix}", speed=speed.model_copy(
        update={"low": float(low), "high": float(high), "source": f"{speed.source}; {why}"}))


def _with_adapters(found: PlanEvidence, plan: ServingPlan, traffic: Traffic, served: Served | None) -> PlanEvidence:
    """The evidence with the adapters that the plan applies at run time."""
    slots = _slots(plan, traffic, served)
    effect = adapter_effect(plan.adapters, served.adapters if served else (), served.adapters_of if served else "")
    limit = min(found.server.sequence_limit, float(sequences_at_once(slots, plan.adapters)))
    known, fitted = effect.spread.basis, on_card(find_engine(plan.engine or ENGINE), plan.gpu)
    step, reading = found.server.iteration.at_speed(effect.speed), (plan.slots, plan.adapters, plan.gpu, fitted)
    server = replace(found.server, iteration=reading_adapters(step, *reading, known=effect.known), sequence_limit=limit)
    how = known.value if known == Basis.MEASURED else f"{known.value}; roi profile serve --adapters measures it"
    source = (f"{found.source}, {plan.adapters} adapter{'s' if plan.adapters > 1 else ''} at run time at {effect.speed:.2f} of"
              f" its speed{' less the time to read them' * (plan.adapters > effect.known)} ({how}),"
              f" {slots:,.0f} at once in {slots * plan.slot_bytes / GIB:.1f} GiB of each GPU")
    basis = found.basis if known == Basis.MEASURED else Basis.PUBLISHED
    return replace(found, server=server, source=source, basis=basis, adapters=effect, adapter_slots=slots)


def _room(plan: ServingPlan, served: Served) -> float | None:
    """Bytes on each GPU that a server told its KV cache and its adapters' slots take; None where it told nothing.

    A profile with adapters was of a server that had as many slots as it loaded of them, at least.
    """
    if served.kv_capacity_tokens is None:
        return None
    cache = served.kv_capacity_tokens * kv_token_bytes(plan.shape, plan.tensor_parallel, plan.kv_dtype)
    loaded = max((a.adapters for a in served.adapters if served.adapters_of in served.profiles), default=0)
    return cache + loaded * plan.slot_bytes


def _slots(plan: ServingPlan, traffic: Traffic, served: Served | None) -> float:
    """Adapters that each GPU holds at once: in the room that a server told, else in what the plan's memory leaves."""
    memory = replica_plan(plan).memory(traffic.shape)
    room = None if served is None else _room(plan, served)
    if plan.slots is None or room is None:
        return float(memory.adapter_slots)
    return float(plan.slots.held(room, memory.kv_held_bytes, memory.kv_long_bytes, memory.kv_prefix_bytes))


def _measured(base: Server, served: Served, plan: ServingPlan, traffic: Traffic) -> Server:
    """The replica with the measured step; KV capacity, chunk size and slots as its server showed, where it did.

    What the plan's adapters and copies of a shared prefix take comes off the room that the server told. Where no request met an
    idle server, the profile leaves out what a request takes outside the steps; TTFT is short of it.
    """
    capacity, room = base.kv_capacity, _room(plan, served)
    if room is not None:
        slots, memory = _slots(plan, traffic, served), replica_plan(plan).memory(traffic.shape)
        copies = prefix_copies(plan.slots, slots, room, memory.kv_held_bytes, memory.kv_prefix_bytes)
        capacity = max(float(room - slots * plan.slot_bytes - copies * memory.kv_prefix_bytes), 0.0)
    tokens = served.step_tokens or base.step_tokens
    limit = min(served.sequence_limit or base.sequence_limit, tokens)
    return replace(base, iteration=served.iteration, kv_capacity=capacity, sequence_limit=limit,
                   step_tokens=tokens, request_s=served.request_s or 0.0, prompts_alone=served.prompts_alone)
