"""The facts of serving plans, written into the Case where the records of economics/inputs.py read them."""

from functools import partial

from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.rows import STALE_DAYS
from roi.economics.inputs import Plan, PlanFacts, path_of
from roi.facts.fact import Basis, Fact
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import ENGINE
from roi.resolution.plan_evidence import FleetPlan, published_engine_speed
from roi.scenario.scenario import Scenario


def engine_speed_path(name: str) -> str:
    """Where the spread of the engine's speed stands that `PlanEvidence.speed_name` names."""
    return f"serving.speed.{name}"


def adapter_speed_path(name: str) -> str:
    """Where the spread of an adapters' effect stands (`AdapterEffect.name`)."""
    return f"serving.adapter_speed.{name}"


def add_speed(sheet: FactSheet, path: str, fact: Fact) -> Fact:
    """The fact that the Case has for this speed, this one if none before; its ends are facts of their own, for the draws."""
    sheet.facts.setdefault(path, fact)
    for end, value in (("low", fact.low), ("high", fact.high)):
        sheet.add(f"{path}_{end}", value, fact.unit, basis=fact.basis, source=fact.source, date=fact.date)
    return sheet.facts[path]


def add_published_speeds(sheet: FactSheet, s: Scenario) -> None:
    """How far the roofline may be off: for the cards it was fitted on, for all others, for AMD's."""
    engine = find_engine(s.serving.engine or ENGINE)
    for gpu in (engine.gpus[0], "other GPUs", "MI"):
        name, fact = published_engine_speed(engine, gpu)
        add_speed(sheet, engine_speed_path(name), fact)


def add_plan_facts(sheet: FactSheet, s: Scenario, id: str, number: int, plan: FleetPlan) -> None:
    """The facts of the option's plan with this number: its offer, its speed, and its rates at three speeds of the engine."""
    o, evidence, capacity = plan.offer, plan.evidence, plan.capacity
    path, held = (partial(path_of, record, option=id, plan=number) for record in (Plan, PlanFacts))
    sheet.state(path("gpu"), o.gpu, "catalog")
    sheet.state(path("vendor"), o.vendor, o.source)
    sheet.state(f"options.{id}.plans.{number}.rental", o.kind, o.source)
    sheet.state(path("weight_dtype"), plan.serving.weight_dtype, "scenario serving.weight_dtypes")
    if o.usd_per_gpu > 0:
        price = f"purchase.{o.gpu}.usd_per_gpu"
        sheet.add(price, o.usd_per_gpu, "USD", basis=Basis.PUBLISHED, source=o.source, date=o.date, low=o.low_usd_per_gpu,
                  high=o.high_usd_per_gpu)
        sheet.state(held("price"), price, "catalog")
    else:
        sheet.add(path("usd_per_gpu_hour"), o.usd_per_gpu_hour, "USD/GPU-hour", basis=Basis.QUOTED,
                  source=f"{o.vendor} {o.kind}: {o.source}", date=o.date)
        age = (s.as_of - o.date).days
        if age > STALE_DAYS:
            sheet.warnings.append(f"{o.vendor} {o.gpu} at ${o.usd_per_gpu_hour:g}/h is {age} days old ({o.date})")
    quoted = partial(sheet.add, basis=Basis.QUOTED, source=o.source, date=o.date)
    quoted(path("gpus_per_instance"), o.gpus_per_instance, "GPUs")
    sheet.state(path("gpus_per_replica"), plan.serving.tensor_parallel, "tensor-parallel degree of the plan", "GPUs")
    quoted(path("minimum_months"), float(o.minimum_months), "months")
    gpu = plan.serving.gpu
    sheet.add(path("watts"), gpu.power_w, "W", basis=Basis.PUBLISHED, source=gpu.source, date=gpu.date)
    sheet.state(path("speed"), engine_speed_path(evidence.speed_name), evidence.source)
    if evidence.adapters is not None:
        sheet.state(path("adapter_speed"), adapter_speed_path(evidence.adapters.name), evidence.adapters.spread.source)
    rates = (("", capacity.alone, capacity.pooling), ("slow", capacity.slow, capacity.pooling_slow),
             ("fast", capacity.fast, capacity.pooling_fast))
    for end, alone, _ in rates:
        sheet.add(held(f"{end or 'central'}_requests_per_s"), alone.requests_per_s, "requests/s", basis=evidence.basis,
                  source=plan.source + _at_end(end))
    for end, _, gain in rates:
        sheet.add(held(f"{end or 'central'}_pooling"), gain, "ratio", basis=evidence.basis,
                  source=f"replay of four replicas behind one router: each over one alone{_at_end(end)}")


def _at_end(end: str) -> str:
    return f" at the {end} end of the engine's speed" if end else ""
