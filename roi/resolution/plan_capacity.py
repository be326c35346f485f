"""What one plan holds at the SLO: its traffic replayed on one replica and on a few behind a router."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.estimate.replay.engine import Server
from roi.estimate.replay.fleet import POOL
from roi.estimate.replay.load_curve import Capacity, LoadCurve, PlanCapacity, Slo
from roi.estimate.replay.router import Requests
from roi.estimate.replay.traffic import Lengths, as_requests
from roi.estimate.serving.iteration import kv_element_bytes, roofline_iteration
from roi.estimate.serving.replica_memory import default_sequence_limit, default_step_tokens, replica_memory
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.serving_speed import on_card
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

ENGINE: Final = "vllm"
"""The engine whose published efficiencies stand in where the scenario names none and no server was profiled."""

GENERATIONS: Final = 10
"""Requests of a replay over those in flight, at least: it then fills in a tenth of its time and empties in another."""

MOST: Final = 4000
"""Requests of one replica's replay at most."""

REPLAYED_STEPS: Final = 1.5
"""Steps from arrival to first token that the replay itself has: half of the one that runs, and the prompt's own. Engines that
schedule ahead were measured at more; each further one adds a step's time, which TTFT alone sees."""

REPLAYED: Final = 600
"""Requests of one replica's replay: some minutes of a peak, not a stationary hour. With 5,000 of them the capacity is 9% lower
(median of 30 plans, lengths and SLOs; benchmarks/replay_speed.py), since queues have longer to build up."""

POOL_REPLAYED: Final = 800
"""Requests of the replay of POOL replicas, where one takes REPLAYED."""


class Traffic(Protocol):
    """Requests to replay: of a histogram of lengths with Poisson arrivals, or of a trace."""

    @property
    def shape(self) -> RequestShape:
        """Means and spreads of the lengths."""

    def drawn(self, count: int) -> Lengths:
        """About `count` requests."""

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
    engine: str | None = None
    """Whose speed is taken; None = that of any profile, else ENGINE's."""


def published_server(plan: ServingPlan, traffic: Traffic) -> Server:
    """The replica as published efficiencies describe it without adapters; KV in bytes on each GPU.

    A prompt token costs what it does at the mean context: of attention's square only the mean is kept, so that prompts
    far above the mean are somewhat too fast (8B: 5% at 8,192 tokens over 2,048).
    """
    requests, degree = traffic.shape, float(plan.tensor_parallel)
    known = on_card(find_engine(plan.engine or ENGINE), plan.gpu)
    engine = roofline_iteration(plan.shape, plan.gpu, degree, plan.weight_dtype, requests.prefill_context, known)
    tokens, limit = (float(np.asarray(default(plan.gpu))) for default in (default_step_tokens, default_sequence_limit))
    memory = replica_memory(
        plan.shape, plan.gpu, degree, plan.weight_dtype, plan.kv_dtype, requests, step_tokens=tokens, sequence_limit=limit,
    )
    ahead = max(float(engine.request_steps) - REPLAYED_STEPS, 0.0) * float(engine.step_s)
    return Server(
        engine, float(np.asarray(memory.kv_capacity_bytes)), sequence_limit=limit, step_tokens=tokens,
        request_s=float(engine.request_s) + ahead,
    )


def load_curve(plan: ServingPlan, traffic: Traffic, server: Server, replicas: int, count: int) -> LoadCurve:
    """The plan's replicas under about `count` requests of the traffic."""
    drawn, arrivals = traffic.drawn(count), traffic.arrivals(count)
    return LoadCurve(load_of(plan, drawn, arrivals), server, replicas)


def load_of(plan: ServingPlan, drawn: Lengths, arrival_s: NDArray[np.float64]) -> Requests:
    """The requests as a load on the plan's replicas."""
    return as_requests(drawn, arrival_s, plan.shape, plan.tensor_parallel, kv_element_bytes(plan.kv_dtype))


def plan_capacity(
    plan: ServingPlan, traffic: Traffic, server: Server, slo: Slo, speeds: tuple[float, float, float],
) -> PlanCapacity:
    """What the plan holds at these speeds (slow, central, fast) of the engine, 1 = as `server` says."""
    count, (slowest, centre, fastest) = REPLAYED, speeds
    curve = load_curve(plan, traffic, server, 1, count)
    alone = curve.capacity(slo, centre)
    if alone.in_flight * GENERATIONS > count:
        count = int(min(alone.in_flight * GENERATIONS, MOST))
        curve = load_curve(plan, traffic, server, 1, count)
        alone = curve.capacity(slo, centre)
    slow, fast = curve.capacity(slo, slowest), curve.capacity(slo, fastest, alone.rung)
    few = load_curve(plan, traffic, server, int(POOL), count * POOL_REPLAYED // REPLAYED)

    def pooling(one: Capacity, speed: float) -> float:
        """What each of the few holds over one alone."""
        if one.requests_per_s <= 0.0:
            return 1.0
        return max(few.capacity(slo, speed, one.rung).requests_per_s / POOL / one.requests_per_s, 1.0)

    return PlanCapacity(
        alone=alone, slow=slow, fast=fast, pooling=pooling(alone, centre), pooling_slow=pooling(slow, slowest),
        pooling_fast=pooling(fast, fastest),
    )
