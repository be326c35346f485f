"""Serving plans: every GPU, tensor-parallel degree and weight format at once, each with its capacity at the SLO."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.prices.gpu_offers import Offer, Offers
from roi.catalog.rows import STALE_DAYS, price_age_days
from roi.estimate.replay.load_curve import PlanCapacity, Slo
from roi.estimate.serving.capacity import ServingCapacity, serving_capacity
from roi.estimate.serving.iteration import roofline_iteration
from roi.estimate.serving.replica_memory import default_sequence_limit, default_step_tokens, replica_memory
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.adapter_speed import published_speed
from roi.evidence.known_runs import KnownRuns
from roi.evidence.serving_speed import on_card
from roi.facts.fact import Basis
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.numerics.spreads import joint_high, joint_low
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import ENGINE, ServingPlan, plan_capacity
from roi.resolution.plan_evidence import PlanEvidence, adapters_path, add_speed, plan_evidence
from roi.resolution.request_lengths import SystemLengths, system_lengths
from roi.scenario.quantity import value_of
from roi.scenario.schema import Scenario
from roi.units import HOURS_PER_MONTH, SECONDS_PER_DAY

Array = NDArray[np.float64]
Grid = list[tuple[Gpu, int, str]]

MOST_PLANS = 6
"""Plans of one option that go into the Case, the cheapest at today's volume first."""

NVIDIA_ONLY = "tensorrt-llm"
"""An engine that is written in CUDA alone."""

WRITE_OFF_HOURS = 48 * HOURS_PER_MONTH
"""Hours over which a bought card's price is spread to rank plans; the comparison itself writes nothing off."""


class _Found(NamedTuple):
    offer: Offer
    gpus: int
    dtype: str
    capacity: float
    """Requests/s of the closed form, which ranks plans; those that are kept are replayed."""


def add_plans(
    sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, system: str, offers: Offers, known: KnownRuns, *,
    shared_adapters: bool,
) -> None:
    """The plans of an option, as facts; infeasible, with the limit that binds, where no plan holds the SLO."""
    if not offers:
        sheet.name(f"options.{id}.infeasible", "none of these GPUs has a purchase price in the catalog", "catalog")
        return
    lengths = system_lengths(sheet.facts, system)
    requests = lengths.shape
    gpus = {o.gpu: find_gpu(o.gpu) for o in offers}
    grid: Grid = [
        (gpus[g], tp, dtype)
        for g in gpus
        for tp in s.serving.tensor_parallel
        for dtype in s.serving.weight_dtypes
        if _runs(gpus[g], dtype, s.serving.engine)
    ]
    if not grid:
        dtypes, engine = ", ".join(s.serving.weight_dtypes), s.serving.engine
        why = f"none of {', '.join(gpus)} computes in {dtypes}; add fp16 to serving.weight_dtypes"
        if engine == NVIDIA_ONLY and all(g.startswith("MI") for g in gpus):
            why = f"{engine} runs on none of {', '.join(gpus)}; name another serving.engine or an NVIDIA GPU"
        sheet.name(f"options.{id}.infeasible", why, "catalog")
        return
    adapters = adapters_applied(s) if shared_adapters else 0
    result = _capacity(s, shape, requests, grid, published_speed(adapters))
    rates = _row(result.requests_per_s)
    found = [
        _Found(o, tp, dtype, float(rates[k]))
        for k, (gpu, tp, dtype) in enumerate(grid)
        if rates[k] > 0
        for o in offers
        if o.gpu == gpu.id and o.gpus_per_instance >= tp
    ]
    held: list[tuple[_Found, PlanEvidence, PlanCapacity]] = []
    while found and not held:
        chosen = _with_measured(sheet, _cheapest(sheet, found), found, known)
        for plan in chosen:
            gpu, kv, engine = gpus[plan.offer.gpu], s.serving.kv_dtype, s.serving.engine
            serving = ServingPlan(shape, gpu, plan.gpus, plan.dtype, kv, adapters, engine)
            evidence, capacity = _replayed(sheet, s, serving, lengths, known)
            if capacity.alone.requests_per_s > 0:
                held.append((plan, evidence, capacity))
        tried = {(plan.offer.gpu, plan.gpus, plan.dtype) for plan in chosen}
        found = [plan for plan in found if (plan.offer.gpu, plan.gpus, plan.dtype) not in tried]
    if not held:
        why = _too_small(grid, rates, offers) or _why_not(s, grid, result)
        sheet.name(f"options.{id}.infeasible", why, "replay of the serving plans")
        return
    for k, (plan, evidence, capacity) in enumerate(held):
        _add_plan(sheet, s, f"options.{id}.plans.{k}.", plan, evidence, capacity, shape, gpus[plan.offer.gpu])


def _with_measured(sheet: FactSheet, chosen: list[_Found], found: list[_Found], known: KnownRuns) -> list[_Found]:
    """The chosen plans, and the cheapest on cards whose server was profiled: published speeds may have passed them over."""
    servers = {plan.offer.gpu: known.servers(plan.offer.gpu) for plan in found}
    for _, passed in servers.values():
        sheet.warnings += [f"profile {name} says nothing of serving speed: {reason}" for name, reason in passed]
    measured = [plan for plan in found if servers[plan.offer.gpu][0]]
    return list(dict.fromkeys([*chosen, *(_cheapest(sheet, measured)[:2] if measured else [])]))


def _replayed(
    sheet: FactSheet, s: Scenario, plan: ServingPlan, lengths: SystemLengths, known: KnownRuns,
) -> tuple[PlanEvidence, PlanCapacity]:
    """The plan's capacity with what it rests on, replayed once for all options and vendors that share it."""
    evidence, fact = plan_evidence(known, plan, lengths)
    if fact is not None:
        add_speed(sheet, evidence.speed_path, fact)
        what = f"{plan.shape.id} {plan.weight_dtype} on {plan.tensor_parallel} x {plan.gpu.id}"
        sheet.warnings.append(f"serving speed of {what} is {fact.basis.value}: {fact.source}")
    spreads = [sheet.facts[evidence.speed_path]]
    if evidence.adapters is not None:
        path = adapters_path(evidence.adapters)
        add_speed(sheet, path, evidence.adapters.spread)
        spreads.append(sheet.facts[path])
    speeds = float(joint_low(f.low or 1.0 for f in spreads)), 1.0, float(joint_high(f.high or 1.0 for f in spreads))
    key = (*plan.key, lengths.key, evidence.speed_path)
    if key not in sheet.replayed:
        sheet.replayed[key] = plan_capacity(plan, lengths, evidence.server, slo_of(s), speeds)
    return evidence, sheet.replayed[key]


def adapters_applied(s: Scenario) -> int:
    """Adapters that tuned systems apply at run time; 0 where one is merged."""
    return s.serving.adapters_on_base if s.serving.adapters == "shared" else 0


def slo_of(s: Scenario) -> Slo:
    """The scenario's SLO; none where everything can wait."""
    if value_of(s.workload.can_wait_share) >= 1.0:
        return Slo()
    return Slo(value_of(s.workload.ttft_p95_s), value_of(s.workload.tpot_p95_s))


def _row(x: object) -> Array:
    return np.atleast_1d(np.asarray(x, dtype=np.float64))


def _capacity(s: Scenario, shape: ModelShape, requests: RequestShape, grid: Grid, speed: float | Array) -> ServingCapacity:
    cards, degrees, dtypes = [g for g, _, _ in grid], np.array([float(tp) for _, tp, _ in grid]), [d for _, _, d in grid]
    known = on_card(find_engine(s.serving.engine or ENGINE), cards)
    iteration = roofline_iteration(shape, cards, degrees, dtypes, requests.prefill_context, known)
    tokens, limit = default_step_tokens(cards), default_sequence_limit(cards)
    memory = replica_memory(
        shape, cards, degrees, dtypes, s.serving.kv_dtype, requests, step_tokens=tokens, sequence_limit=limit,
    )
    no_slo = value_of(s.workload.can_wait_share) >= 1.0
    return serving_capacity(
        requests,
        iteration,
        memory,
        speed=speed,
        sequence_limit=limit,
        step_tokens=tokens,
        ttft_p95_s=None if no_slo else value_of(s.workload.ttft_p95_s),
        tpot_s=None if no_slo else value_of(s.workload.tpot_p95_s),
    )


def _runs(gpu: Gpu, dtype: str, engine: str | None) -> bool:
    """False where no kernel exists: bf16 itself, and weight-only fp8 (Marlin), which needs Ampere, the generation with bf16."""
    if engine == NVIDIA_ONLY and gpu.id.startswith("MI"):
        return False
    return dtype not in {"fp8", "bf16"} or gpu.bf16_flops is not None


def _too_small(grid: Grid, rates: Array, offers: Offers) -> str | None:
    """Where plans hold, but on more GPUs than an instance of these offers has."""
    holding = [(tp, gpu.id) for (gpu, tp, _), rate in zip(grid, rates, strict=True) if rate > 0]
    if not holding:
        return None
    tp, gpu = min(holding)
    most = max((o.gpus_per_instance for o in offers if o.gpu == gpu), default=0)
    return f"a replica needs {tp} x {gpu} in one instance; the largest that these vendors rent has {most}"


def _why_not(s: Scenario, grid: Grid, result: ServingCapacity) -> str:
    """The limit that binds on the largest plan, and what would have to change."""
    largest = int(np.argmax([g.memory_bytes * tp for g, tp, _ in grid]))
    binding = str(np.atleast_1d(result.binding)[largest])
    gpu, tp, dtype = grid[largest]
    change = {
        "TTFT": f"ttft_p95_s {value_of(s.workload.ttft_p95_s):g} s is too short",
        "TPOT": f"tpot_p95_s {value_of(s.workload.tpot_p95_s):g} s is too short",
    }.get(binding, binding)
    return f"no plan holds; the largest, {tp} x {gpu.id} {dtype}: {change}"


def _cheapest(sheet: FactSheet, found: list[_Found]) -> list[_Found]:
    """At most MOST_PLANS plans, none of which another beats in rent and capacity alike.

    Half by rent at today's peak, then by rent per request at scale, and the smallest instance.
    """
    rpd, peak = sheet.facts["workload.requests_per_day"].value, sheet.facts["workload.peak_to_mean"].value
    assert isinstance(rpd, (int, float))
    assert isinstance(peak, (int, float))
    size = np.array([p.offer.gpus_per_instance for p in found], dtype=np.float64)
    hourly = np.array([p.offer.usd_per_gpu_hour + p.offer.usd_per_gpu / WRITE_OFF_HOURS for p in found]) * size
    capacity = np.array([p.capacity for p in found])
    held = capacity * (size // np.array([p.gpus for p in found]))
    bound = np.array([p.offer.minimum_months for p in found])
    no_worse = (
        (hourly[:, None] <= hourly) & (held[:, None] >= held) & (capacity[:, None] >= capacity) & (bound[:, None] <= bound)
    )
    better = no_worse & ((hourly[:, None] < hourly) | (held[:, None] > held))
    unbeaten = np.flatnonzero(~better.any(axis=0))
    rent = hourly * np.ceil(rpd / SECONDS_PER_DAY * peak / held + 1.0)
    by_rent = unbeaten[np.lexsort((hourly[unbeaten], rent[unbeaten]))]
    by_scale = unbeaten[np.argsort((hourly / held)[unbeaten], kind="stable")]
    smallest = unbeaten[np.argmin(hourly[unbeaten])]
    half = MOST_PLANS // 2
    first = [*by_rent[:half], *by_scale[:2], smallest, *by_rent[half:]]
    return [found[k] for k in dict.fromkeys(int(k) for k in first)][:MOST_PLANS]


def _add_plan(
    sheet: FactSheet, s: Scenario, own: str, plan: _Found, evidence: PlanEvidence, capacity: PlanCapacity, shape: ModelShape,
    gpu: Gpu,
) -> None:
    o = plan.offer
    sheet.name(own + "gpu", o.gpu, "catalog")
    sheet.name(own + "vendor", o.vendor, o.source)
    sheet.name(own + "rental", o.kind, o.source)
    sheet.name(own + "weight_dtype", plan.dtype, "scenario serving.weight_dtypes")
    basis = Basis.QUOTED
    if o.usd_per_gpu > 0:
        path = f"purchase.{o.gpu}.usd_per_gpu"
        sheet.add(
            path,
            o.usd_per_gpu,
            "USD",
            basis=Basis.PUBLISHED,
            source=o.source,
            date=o.date,
            low=o.low_usd_per_gpu,
            high=o.high_usd_per_gpu,
        )
        sheet.name(own + "price", path, "catalog")
    else:
        sheet.add(
            own + "usd_per_gpu_hour",
            o.usd_per_gpu_hour,
            "USD/GPU-hour",
            basis=basis,
            source=f"{o.vendor} {o.kind}: {o.source}",
            date=o.date,
        )
        age = price_age_days(o, s.as_of)
        if age > STALE_DAYS:
            sheet.warnings.append(f"{o.vendor} {o.gpu} at ${o.usd_per_gpu_hour:g}/h is {age} days old ({o.date})")
    sheet.add(own + "gpus_per_instance", o.gpus_per_instance, "GPUs", basis=basis, source=o.source, date=o.date)
    sheet.add(own + "gpus_per_replica", plan.gpus, "GPUs", basis=Basis.STATED, source="tensor-parallel degree of the plan")
    sheet.add(own + "minimum_months", float(o.minimum_months), "months", basis=basis, source=o.source, date=o.date)
    sheet.add(own + "watts", gpu.power_w, "W", basis=Basis.PUBLISHED, source=gpu.source, date=gpu.date)
    sheet.name(own + "speed", evidence.speed_path, evidence.source)
    if evidence.adapters is not None:
        sheet.name(own + "adapter_speed", adapters_path(evidence.adapters), evidence.adapters.spread.source)
    basis = evidence.basis
    source = (
        f"replay of {shape.id} {plan.dtype} on {plan.gpus} x {o.gpu}, one replica, {evidence.source};"
        f" {capacity.alone.binding} binds"
    )
    each = (("", capacity.alone), ("_slow", capacity.slow), ("_fast", capacity.fast))
    for name, held in each:
        ends = f" at the {name[1:]} end of the engine's speed" if name else ""
        sheet.add(f"{own}capacity{name}_requests_per_s", held.requests_per_s, "requests/s", basis=basis, source=source + ends)
    four = "replay of four replicas behind one router: each over one alone"
    for name, gain in (("", capacity.pooling), ("_slow", capacity.pooling_slow), ("_fast", capacity.pooling_fast)):
        ends = f" at the {name[1:]} end of the engine's speed" if name else ""
        sheet.add(f"{own}pooling{name}", gain, "ratio", basis=basis, source=four + ends)
