"""What a serving plan's speed rests on: a profile of the user's server, else published runs, each with its spread."""

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies, find_engine
from roi.catalog.prices.gpu_offers import Offer
from roi.estimate.replay.engine import Server
from roi.estimate.replay.load_curve import PlanCapacity
from roi.evidence.adapter_speed import AdapterEffect, adapter_effect
from roi.evidence.known_runs import KnownRuns
from roi.evidence.measured_servers import Served, find_served, kv_token_bytes
from roi.evidence.serving_speed import AMD_LOW
from roi.facts.fact import Basis, Fact
from roi.resolution.plan_capacity import ENGINE, ServingPlan, Traffic, published_server

AMD_SOURCE: Final = (
    "no fitted run of a recent engine on AMD: half way from the early ROCm build of 2024-10 (LLM-Inference-Bench, MI300X,"
    " 0.2 of NVIDIA's share of the roofline) to other unseen cards"
)
"""What the P5 of the engine's speed on AMD cards rests on."""


@dataclass(frozen=True)
class PlanEvidence:
    """The replica that a plan is replayed with, and how far its speed may be off."""

    server: Server
    speed_name: str
    """Which speed fact of the Case holds: fitted, elsewhere or amd for published runs, else the profiles' names."""
    speed: Fact
    """1 with the spread of the engine's speed."""
    profiled: bool
    """True where a profile of the user's own server gives the speed."""
    basis: Basis
    source: str
    """For the capacity's source: what the step time rests on."""
    adapters: AdapterEffect | None = None
    """Of those that are applied at run time; the server's step has it already."""


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
    def source(self) -> str:
        """What the capacity rests on."""
        s = self.serving
        replica = f"{s.shape.id} {s.weight_dtype} on {s.tensor_parallel} x {s.gpu.id}"
        return f"replay of {replica}, one replica, {self.evidence.source}; {self.capacity.alone.binding} binds"


def plan_evidence(known: KnownRuns, plan: ServingPlan, traffic: Traffic) -> PlanEvidence:
    """The best evidence for this plan: a profile of a server on its card, else published runs."""
    base = published_server(plan, traffic)
    served = find_served(
        known.servers(plan.gpu.id)[0], plan.shape, plan.tensor_parallel, plan.weight_dtype, plan.kv_dtype,
        prefill_context=float(traffic.shape.prefill_context), engine=plan.engine,
    )
    if served is None:
        engine = find_engine(plan.engine or ENGINE)
        name, speed = published_engine_speed(engine, plan.gpu.id)
        source = f"roofline with fitted efficiencies ({'several engines' if engine.engine == 'other' else engine.engine})"
        basis = Basis.CALIBRATED if name == "fitted" else Basis.PUBLISHED
        found = PlanEvidence(server=base, speed_name=name, speed=speed, profiled=False, basis=basis, source=source)
    else:
        name = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(name.removesuffix(".json") for name in served.profiles)).strip("-")
        server, speed = _measured(base, served, plan), served.speed
        found = PlanEvidence(
            server=server, speed_name=name, speed=speed, profiled=True, basis=speed.basis, source=speed.source,
        )
    return _with_adapters(found, plan, served) if plan.adapters else found


def published_engine_speed(engine: EngineEfficiencies, gpu_id: str) -> tuple[str, Fact]:
    """The engine's published speed on this card: a name (fitted, amd, elsewhere), and 1 with its spread."""
    if gpu_id in engine.gpus:
        return "fitted", engine.speed(engine.gpus[0])
    elsewhere = engine.speed("other GPUs")
    if gpu_id.startswith("MI"):
        return "amd", elsewhere.model_copy(update={"low": AMD_LOW, "source": AMD_SOURCE})
    return "elsewhere", elsewhere


def _with_adapters(found: PlanEvidence, plan: ServingPlan, served: Served | None) -> PlanEvidence:
    """The evidence with the adapters that the plan applies at run time."""
    effect = adapter_effect(plan.adapters, served.adapters if served else (), served.adapters_of if served else "")
    server = replace(found.server, iteration=found.server.iteration.at_speed(effect.speed))
    word = "adapter" if plan.adapters == 1 else "adapters"
    known = effect.spread.basis
    how = known.value if known == Basis.MEASURED else f"{known.value}; roi profile serve --adapters measures it"
    source = f"{found.source}, {plan.adapters} {word} at run time at {effect.speed:.2f} of its speed ({how})"
    basis = found.basis if known == Basis.MEASURED else Basis.PUBLISHED
    return replace(found, server=server, source=source, basis=basis, adapters=effect)


def _measured(base: Server, served: Served, plan: ServingPlan) -> Server:
    """The replica with the measured step; KV capacity, chunk size and slots as its server showed, where it did.

    Where no request met an idle server, the profile leaves out what a request takes outside the steps; TTFT is short of it.
    """
    capacity = base.kv_capacity
    if served.kv_capacity_tokens is not None:
        capacity = served.kv_capacity_tokens * kv_token_bytes(plan.shape, plan.tensor_parallel, plan.kv_dtype)
    tokens = served.step_tokens or base.step_tokens
    limit = min(served.sequence_limit or base.sequence_limit, tokens)
    return replace(
        base, iteration=served.iteration, kv_capacity=float(np.asarray(capacity)), sequence_limit=limit,
        step_tokens=tokens, request_s=served.request_s or 0.0,
    )
