"""What a serving plan's speed rests on: a profile of the user's server, else published runs, each with its spread."""

import re
from dataclasses import dataclass, replace

import numpy as np

from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.estimate.replay.engine import Server
from roi.evidence.adapter_speed import AdapterEffect, adapter_effect
from roi.evidence.known_runs import KnownRuns
from roi.evidence.measured_servers import Served, find_served, kv_token_bytes
from roi.facts.fact import Basis, Fact
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import ENGINE, ServingPlan, Traffic, published_server


@dataclass(frozen=True)
class PlanEvidence:
    """The replica that a plan is replayed with, and the fact that says how far its speed may be off."""

    server: Server
    speed_path: str
    basis: Basis
    source: str
    """For the capacity's source: what the step time rests on."""
    adapters: AdapterEffect | None = None
    """Of those that are applied at run time; the server's step has it already."""


def plan_evidence(known: KnownRuns, plan: ServingPlan, traffic: Traffic) -> tuple[PlanEvidence, Fact | None]:
    """The best evidence for this plan, and its speed as a fact where a profile gives it (None: the published classes')."""
    base = published_server(plan, traffic)
    served = find_served(
        known.servers(plan.gpu.id)[0], plan.shape, plan.tensor_parallel, plan.weight_dtype, plan.kv_dtype,
        prefill_context=float(traffic.shape.prefill_context), engine=plan.engine,
    )
    if served is None:
        engine = find_engine(plan.engine or ENGINE)
        fitted = plan.gpu.id in engine.gpus
        path = f"serving.speed.{speed_class(plan.gpu.id, fitted=fitted)}"
        basis = Basis.CALIBRATED if fitted else Basis.PUBLISHED
        source = f"roofline with fitted efficiencies ({'several engines' if engine.engine == 'other' else engine.engine})"
        return _adapted(PlanEvidence(base, path, basis, source), plan, None), None
    server, speed = _measured(base, served, plan), served.speed
    return _adapted(PlanEvidence(server, f"serving.speed.{_slug(served)}", speed.basis, speed.source), plan, served), speed


def _adapted(found: PlanEvidence, plan: ServingPlan, served: Served | None) -> PlanEvidence:
    """With the adapters that the plan applies at run time."""
    if not plan.adapters:
        return found
    effect = adapter_effect(plan.adapters, served.adapters if served else (), served.adapters_of if served else "")
    server = replace(found.server, iteration=found.server.iteration.at_speed(effect.speed))
    word = "adapter" if plan.adapters == 1 else "adapters"
    known = effect.spread.basis
    how = known.value if known == Basis.MEASURED else f"{known.value}; roi profile serve --adapters measures it"
    source = f"{found.source}, {plan.adapters} {word} at run time at {effect.speed:.2f} of its speed ({how})"
    basis = found.basis if known == Basis.MEASURED else Basis.PUBLISHED
    return replace(found, server=server, source=source, basis=basis, adapters=effect)


def adapters_path(effect: AdapterEffect) -> str:
    """Where the spread of an adapters' effect stands in the Case."""
    return f"serving.adapter_speed.{effect.name}"


def add_speed(sheet: FactSheet, path: str, fact: Fact) -> None:
    """The fact of an engine's speed, with its ends as facts of their own: a drawn speed is placed between them."""
    sheet.facts.setdefault(path, fact)
    for end, value in (("low", fact.low), ("high", fact.high)):
        sheet.add(f"{path}_{end}", value, fact.unit, basis=fact.basis, source=fact.source, date=fact.date)


def speed_class(gpu: str, *, fitted: bool) -> str:
    """Which of the engine's published speed facts holds on this card."""
    return "fitted" if fitted else "amd" if gpu.startswith("MI") else "elsewhere"


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


def _slug(served: Served) -> str:
    """A path's last word for these profiles."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(name.removesuffix(".json") for name in served.profiles)).strip("-")
