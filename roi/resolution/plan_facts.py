"""The facts of a serving plan: its offer, its cards, the speed that it rests on, its rates at three speeds of the engine."""

from functools import partial

from roi.catalog.prices.gpu_offers import Offer
from roi.economics.inputs import Plan, path_of
from roi.economics.worked_out import PlanFacts
from roi.facts.fact import STALE_DAYS, Basis
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import FleetPlan, PlanEvidence
from roi.resolution.weight_choice import WeightChoice
from roi.scenario.scenario import Scenario
from roi.units import dollars


def _add_card_facts(sheet: FactSheet, id: str, number: int, o: Offer) -> None:
    """What a card costs that is bought; of an owned one what it would fetch, what a new one costs, how many there are."""
    new = f"purchase.{o.gpu}.usd_per_gpu"
    prices = [("price", new if o.owned is None else f"own_hardware.resale_usd_per_gpu.{o.gpu}", o)]
    if o.replacement is not None:
        prices.append(("replacement", new, o.replacement))
    for name, price, card in prices:
        sheet.add(price, card.usd_per_gpu, "USD", basis=card.basis, source=card.source, date=card.date,
                  low=card.low_usd_per_gpu, high=card.high_usd_per_gpu)
        sheet.state(path_of(PlanFacts, name, option=id, plan=number), price, card.source)
    if o.usd_per_new_gpu is not None:
        sheet.state(path_of(Plan, "usd_per_new_gpu", option=id, plan=number), o.usd_per_new_gpu, f"a new {o.gpu}", "USD")
    if o.owned is not None:
        count = path_of(Plan, "gpus_owned", option=id, plan=number)
        sheet.state(count, o.owned, f"scenario own_hardware.cards: {o.gpu}", "GPUs")


def add_plan_facts(sheet: FactSheet, s: Scenario, id: str, number: int, plan: FleetPlan, choice: WeightChoice) -> None:
    """The facts of the option's plan with this number: its offer, its speed, and its rates at three speeds of the engine."""
    o, serving, evidence, capacity = plan.offer, plan.serving, plan.evidence, plan.capacity
    path, held = (partial(path_of, record, option=id, plan=number) for record in (Plan, PlanFacts))
    sheet.state(path("gpu"), o.gpu, "catalog")
    sheet.state(path("vendor"), o.vendor, o.source)
    sheet.state(f"options.{id}.plans.{number}.rental", o.kind, o.source)
    sheet.state(path("weight_dtype"), serving.weight_dtype, choice.source(serving.weight_dtype))
    if o.kind == "owned":
        _add_card_facts(sheet, id, number, o)
    elif o.stated is not None:
        rent = f"gpu_rents.{o.stated}.usd_per_gpu_hour"
        sheet.quantity(rent, s.gpu_rents[o.stated].usd_per_gpu_hour, "USD/GPU-hour", stated=True, source=f"scenario {rent}")
        sheet.state(path("rent"), rent, o.source)
    else:
        sheet.add(path("usd_per_gpu_hour"), o.usd_per_gpu_hour, "USD/GPU-hour", basis=o.basis,
                  source=f"{o.vendor} {o.kind}: {o.source}", date=o.date)
        if (age := (s.as_of - o.date).days) > STALE_DAYS:
            sheet.warnings.append(f"{o.vendor} {o.gpu} at {dollars(o.usd_per_gpu_hour)}/h is {age} days old ({o.date})")
    terms = Basis.STATED if o.stated is not None or o.owned is not None else Basis.QUOTED
    quoted = partial(sheet.add, basis=terms, source=o.source, date=o.date)
    quoted(path("gpus_per_instance"), o.gpus_per_instance, "GPUs")
    sheet.state(path("gpus_per_replica"), serving.tensor_parallel, "tensor-parallel degree of the plan", "GPUs")
    quoted(path("minimum_months"), float(o.minimum_months), "months")
    for name, value, unit in (("cancel_usd", o.cancel_usd, "USD"), ("later_bound", None if o.later_gpus_bound else 0.0, "")):
        if value is not None:
            quoted(path(name), value, unit)
    gpu, board = serving.gpu, partial(sheet.add, path("watts"), unit="W")
    board(gpu.power_w, basis=Basis.PUBLISHED, source=gpu.source, date=gpu.date) if o.watts is None else board(
        o.watts, basis=Basis.STATED, source="scenario own_hardware.watts_per_gpu")
    sheet.state(path("speed"), evidence.speed_path, evidence.told)
    if evidence.adapters is not None:
        sheet.state(path("adapter_speed"), evidence.adapters.path, evidence.adapters.spread.source)
        own, told = f"options.{id}.plans.{number}", choice.told(evidence.adapter_slots)
        sheet.state(f"{own}.adapter_slots", evidence.adapter_slots, told, "slots")
        sheet.state(f"{own}.adapter_bytes_per_gpu", plan.adapter_bytes, told, "B")
    _add_unmeasured(sheet, f"options.{id}.plans.{number}", evidence)
    rates = (("", capacity.alone, capacity.pooling), ("slow", capacity.slow, capacity.pooling_slow),
             ("fast", capacity.fast, capacity.pooling_fast))
    room = " and of its room for KV" if capacity.rooms else ""
    ends = {end: f" at the {end} end of the engine's speed{room}" if end else "" for end, _, _ in rates}
    rested = partial(sheet.add, basis=evidence.basis, date=evidence.speed.date)
    for end, alone, _ in rates:
        rested(held(f"{end or 'central'}_requests_per_s"), alone.requests_per_s, "requests/s", source=plan.source + ends[end])
    for end, _, gain in rates:
        replayed = f"replay of four replicas behind one router: each over one alone{ends[end]}"
        rested(held(f"{end or 'central'}_pooling"), gain, "ratio",
               source=plan.source if evidence.basis is Basis.STATED else replayed)


def _add_unmeasured(sheet: FactSheet, plan: str, evidence: PlanEvidence) -> None:
    """What the plan at this path has that its server was not measured with, and what measures it."""
    if (load := evidence.unmeasured) is not None:
        for name, figure in load.figures.items():
            sheet.state(f"{plan}.{name}", figure, evidence.speed.source, "tokens" if "tokens" in name else "requests")
        sheet.state(f"{plan}.measured_by", load.command, evidence.speed.source)
