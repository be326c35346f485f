"""What one plan holds at the SLO: its traffic replayed on one replica and on a few behind a router."""

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.catalog.request_lengths import SystemLengths
from roi.estimate.engine_replica import Server
from roi.estimate.iteration import Efficiencies, kv_element_bytes, roofline_iteration
from roi.estimate.load_curve import LoadCurve, PlanCapacity, Slo
from roi.estimate.replay import Requests
from roi.estimate.serving_memory import replica_memory
from roi.estimate.traffic import Lengths, as_requests, poisson_arrivals
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

REPLAYED: Final = 600
"""Requests of a replay of one replica: its capacity scatters by 4% over seeds (Azure code lengths), 5,000 by 1.5%."""

POOL: Final = 4
"""Replicas from which the gain of a router is taken; square-root staffing then holds within 5% at 2 and at 8."""

POOL_REPLAYED: Final = 1000
"""Requests of their replay."""

ARRIVALS: Final = 7
"""Seed of the arrivals."""


@dataclass(frozen=True)
class ServingPlan:
    """A model in one format on one replica's GPUs."""

    shape: ModelShape
    gpu: Gpu
    tensor_parallel: int
    weight_dtype: str
    kv_dtype: str


def roofline_server(plan: ServingPlan, lengths: SystemLengths, efficiencies: Efficiencies) -> Server:
    """The replica as published efficiencies describe it; KV in bytes on each GPU.

    A prompt token costs what it does at the mean context: of attention's square only the mean is kept, so that prompts
    far above the mean are somewhat too fast (8B: 5% at 8,192 tokens over 2,048).
    """
    requests = lengths.shape
    engine = roofline_iteration(
        plan.shape, plan.gpu, float(plan.tensor_parallel), plan.weight_dtype, requests.prefill_context, efficiencies,
    )
    memory = replica_memory(plan.shape, plan.gpu, float(plan.tensor_parallel), plan.weight_dtype, plan.kv_dtype, requests)
    return Server(engine, float(np.asarray(memory.kv_capacity_bytes)))


def load_curve(plan: ServingPlan, lengths: SystemLengths, server: Server, replicas: int, count: int) -> LoadCurve:
    """The plan's replicas under Poisson arrivals of `count` of the workload's requests."""
    drawn, arrivals = lengths.drawn(count), poisson_arrivals(count, ARRIVALS)
    return LoadCurve(partial(_at_rate, plan, drawn, arrivals), server, replicas)


def _at_rate(plan: ServingPlan, drawn: Lengths, arrivals: NDArray[np.float64], rate: float) -> Requests:
    return as_requests(drawn, arrivals / rate, plan.shape, plan.tensor_parallel, kv_element_bytes(plan.kv_dtype))


def plan_capacity(
    plan: ServingPlan, lengths: SystemLengths, server: Server, slo: Slo, speeds: tuple[float, float, float],
) -> PlanCapacity:
    """What the plan holds at these speeds (slow, central, fast) of the engine, 1 = as `server` says.

    The gain of a router comes from POOL replicas: with square-root staffing, what POOL hold each is
    p - (p - 1) / sqrt(POOL) of one alone.
    """
    curve = load_curve(plan, lengths, server, 1, REPLAYED)
    slow = curve.capacity(slo, speeds[0])
    alone = curve.capacity(slo, speeds[1], slow.rung if slow.requests_per_s else None)
    fast = curve.capacity(slo, speeds[2], alone.rung)
    if alone.requests_per_s <= 0.0:
        return PlanCapacity(alone, slow, fast, 1.0)
    few = load_curve(plan, lengths, server, POOL, POOL_REPLAYED).capacity(slo, speeds[1], alone.rung)
    each = few.requests_per_s / POOL / alone.requests_per_s
    share = 1.0 / np.sqrt(POOL)
    most = curve.saturated_requests_per_s * speeds[1] / alone.requests_per_s
    return PlanCapacity(alone, slow, fast, float(np.clip((each - share) / (1.0 - share), 1.0, max(most, 1.0))))

