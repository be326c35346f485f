"""Serving plans: every GPU, tensor-parallel degree and weight format at once, each with its capacity and its facts."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import METAL, engine_habits, find_engine
from roi.catalog.models.shapes import find_model
from roi.catalog.prices.gpu_offers import Offer, Offers, rented_offers
from roi.economics.inputs import Array, Option, path_of
from roi.errors import UnknownName
from roi.estimate.replay.load_curve import Capacity, PlanCapacity, Slo
from roi.estimate.serving.adapter_memory import reading_adapters, sequences_at_once, together
from roi.estimate.serving.capacity import ServingCapacity, serving_capacity
from roi.estimate.serving.iteration import roofline_iteration
from roi.estimate.serving.replica_memory import as_cached, default_sequence_limit, default_step_tokens, replica_memory
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.known_runs import KnownRuns
from roi.evidence.measured_links import all_over_links
from roi.evidence.serving_speed import on_card, published_engine_speed, published_speed
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.found_plans import CHEAPEST, FoundPlan, Replica, as_tried, cheapest_plans
from roi.resolution.plan_capacity import ENGINE, FleetPlan, PlanEvidence, ServingPlan, plan_capacity, plan_evidence, slo_of
from roi.resolution.plan_facts import add_plan_facts
from roi.resolution.refused_plans import LATENCY, NO_FIT, held_at_once, why_none_holds
from roi.resolution.request_lengths import SystemLengths, option_lengths, send_on, too_long
from roi.resolution.weight_choice import WeightChoice, weight_choice
from roi.scenario.quantity import as_spread, value_of
from roi.scenario.scenario import Scenario, model_part, tuned
from roi.scenario.sections.supply import StatedCapacity
from roi.store.profiles.loading import Store

Grid = list[tuple[Gpu, int, str]]

SMALL = (NO_FIT, "KV memory", "a replica needs")
"""Words in the reason why no plan holds where memory is what lacks."""


def add_plans(
    sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, system: str, offers: Offers, *, shared_adapters: bool,
    long_to: str | None = None,
) -> None:
    """The plans of an option, as records and as facts; infeasible, with the limit that binds, where no plan holds the SLO.

    None are looked for where it is infeasible already. Where no card has room for the longest requests, those go to the API of
    the option `long_to`, no more of them than must.
    """
    if path_of(Option, "infeasible", option=id) in sheet.facts:
        return
    choice = weight_choice(s, shape, system, tuned=shared_adapters)
    lengths = option_lengths(sheet.facts, id, system)
    plans, why_none, source = _find_plans(sheet, s, choice, system, offers, lengths)
    if not plans and long_to is not None and any(word in why_none for word in SMALL):
        plans, longest = _find_for_shorter(sheet, s, choice, system, offers, lengths)
        if plans:
            send_on(sheet, id, system, longest, long_to, "the longest that a replica on these cards holds", of_context=False)
            lengths = lengths.within(longest)
    if plans:
        sheet.plans[id] = plans
        remark = choice.remark(dict.fromkeys(plan.serving.weight_dtype for plan in plans))
        said = (f"serving weights of {system}: {remark}" if remark else "",
                too_long(sheet.known, plans, system, lengths))
        sheet.warnings += [each for each in said if each and each not in sheet.warnings]
    else:
        sheet.state(path_of(Option, "infeasible", option=id), why_none, source)
    for number, plan in enumerate(plans):
        add_plan_facts(sheet, s, id, number, plan, choice)


def _find_for_shorter(
    sheet: FactSheet, s: Scenario, choice: WeightChoice, system: str, offers: Offers, lengths: SystemLengths,
) -> tuple[tuple[FleetPlan, ...], float]:
    """The plans that hold requests of the most tokens that any holds, and these; none where not the shortest bin fits.

    By halves: what holds longer requests holds shorter ones.
    """
    limits = np.unique(lengths.whole_tokens)[:-1]

    def found(number: int) -> tuple[tuple[FleetPlan, ...], float]:
        longest = float(limits[number])
        return _find_plans(sheet, s, choice, system, offers, lengths.within(longest))[0], longest

    held = found(0) if limits.size else ((), 0.0)
    low, high = 0, limits.size if held[0] else 0
    while high - low > 1:
        middle = (low + high) // 2
        tried = found(middle)
        low, high, held = (middle, high, tried) if tried[0] else (low, middle, held)
    return held


def _find_plans(
    sheet: FactSheet, s: Scenario, choice: WeightChoice, system: str, offers: Offers, lengths: SystemLengths,
) -> tuple[tuple[FleetPlan, ...], str, str]:
    """The cheapest plans that hold the SLO, replayed or as stated; where none does, why, and who says so."""
    if not offers:
        if s.cards:
            return (), "serving.tensor_parallel names no replica as small as the cards that are owned", "scenario"
        if any(find_gpu(name).apple for name in s.candidates.gpus):
            return (), "nobody rents Apple's GPUs out; own_hardware says what one costs", "catalog"
        return (), "none of these GPUs has a purchase price in the catalog", "catalog"
    found, why_none = _candidates(s, sheet.known, choice, system, lengths, offers)
    tried = dict[Replica, FleetPlan]()
    while found:
        chosen = _with_measured(sheet, cheapest_plans(sheet, found), found)
        new = [each for each in chosen if each.replica not in tried]
        first = [each for each in new if each in chosen[:CHEAPEST]]
        for each in {each.replica: each for each in first or new}.values():
            tried[each.replica] = _fleet_plan(sheet, s, choice, each, lengths)
        found = as_tried(found, tried)
        if not first and all(tried[each.replica].capacity.alone.requests_per_s > 0 for each in new):
            break
    if refused := [plan for plan in tried.values() if plan.capacity.alone.requests_per_s <= 0] if not found else []:
        why_none = min(why_none_holds(each.serving, lengths, each.evidence.server, slo_of(s), each.capacity.alone.binding)
                       for each in refused).told
    known = [each for each in found if each.pooling is not None]
    chosen = _with_measured(sheet, cheapest_plans(sheet, known, most=None), known) if known else []
    held = tuple(replace(tried[each.replica], offer=each.offer) for each in chosen)
    for plan in held:
        _add_speeds(sheet, plan)
    return held, why_none, "serving plans, in closed form and replayed"


def why_no_plan(s: Scenario, known: KnownRuns, facts: Mapping[str, Fact], option: Option, gpu: str) -> str:
    """Why an option of the Case has no plan on a rented card of this name: what binds, or that others are never dearer."""
    sheet, offers = FactSheet(known), tuple(offer for offer in rented_offers(s) if offer.gpu == gpu)
    sheet.facts.update(facts)
    if not offers:
        return "no vendor of the scenario rents it"
    choice = weight_choice(s, find_model(option.system.partition("+")[0]), option.system, tuned="+" in option.system)
    plans, why, _ = _find_plans(sheet, s, choice, option.system, offers, option_lengths(facts, option.id, option.system))
    return "another card is never dearer" if plans else why


def _serving_plan(choice: WeightChoice, gpu: Gpu, gpus: int, dtype: str) -> ServingPlan:
    serving = choice.serving
    return ServingPlan(shape=choice.shape, gpu=gpu, tensor_parallel=gpus, weight_dtype=dtype, kv_dtype=serving.kv_dtype,
                       adapters=choice.adapters, slots=choice.slots(gpu, gpus), engine=METAL if gpu.apple else serving.engine)


def _candidates(
    s: Scenario, known: KnownRuns, choice: WeightChoice, system: str, lengths: SystemLengths, offers: Offers,
) -> tuple[list[FoundPlan], str]:
    """Every plan that may hold the SLO, as stated or by the closed form; and why there is none, if none does."""
    stated, gpus = _stated_capacities(s, system), {o.gpu: find_gpu(o.gpu) for o in offers}
    found = [FoundPlan(held, tp, choice.asked(gpus[gpu_id])[0], value_of(row.requests_per_s), number)
             for (gpu_id, tp), (number, row) in stated.items() for o in offers if o.gpu == gpu_id and (held := o.holding(tp))]
    known_cards = {gpu_id for gpu_id, _ in stated}
    grid: Grid = [(gpu, tp, dtype) for gpu in gpus.values() if gpu.id not in known_cards for tp in choice.replicas(gpu)
                  for dtype in choice.running(gpu)]
    if not grid:
        too_large = "no instance of these offers is as large as a replica of serving.capacities"
        return found, too_large if known_cards & set(gpus) else choice.why_none_runs(gpus)
    key = ("closed form", choice.shape, lengths.key, tuple((gpu.id, tp, dtype) for gpu, tp, dtype in grid), s.serving.engine,
           s.serving.kv_dtype, slo_of(s), choice.adapters, choice.rank if choice.adapters else 0, s.serving.adapter_slots)
    result = known.once(key, partial(_closed_form, s, choice, lengths.shape, grid, known.store))
    rates = np.atleast_1d(np.asarray(result.requests_per_s, dtype=np.float64))
    found += [FoundPlan(held, tp, dtype, float(rates[k])) for k, (gpu, tp, dtype) in enumerate(grid) if rates[k] > 0
              for o in offers if o.gpu == gpu.id and (held := o.holding(tp))]
    told = "" if found else _too_small(grid, rates, np.atleast_1d(result.binding), offers)
    if found or told:
        return found, told and told + held_at_once(_serving_plan(choice, *grid[0]), lengths)
    k = _nearest(slo_of(s), grid, result)
    plan, binding = _serving_plan(choice, *grid[k]), str(np.atleast_1d(result.binding)[k])
    return found, why_none_holds(plan, lengths, _evidence(known, plan, lengths).server, slo_of(s), binding).told


def _stated_capacities(s: Scenario, system: str) -> dict[tuple[str, int], tuple[int, StatedCapacity]]:
    """The rows of `serving.capacities` for this system, with their numbers, by card and cards of a replica.

    A row of the system itself (model+method) goes before those of its base model on that card.
    """
    name = system.lower()
    rows = [(number, row) for number, row in enumerate(s.serving.capacities)
            if row.model.lower() in {name, name.partition("+")[0]}]
    own = {find_gpu(row.gpu).id for _, row in rows if row.model.lower() == name}
    return {(find_gpu(row.gpu).id, row.gpus): (number, row) for number, row in rows
            if row.model.lower() == name or find_gpu(row.gpu).id not in own}


def check_capacities(s: Scenario, offers: Offers) -> None:
    """Every row of `serving.capacities` names a system that is served on GPUs, or its base, and a card that can be had."""
    c = s.candidates
    systems = [tuned(name, method) for name in c.self_hosted for method in c.methods]
    systems += [tuned(model_part(name), "tuned") for name in c.hosted_adapters]
    models = {name.lower() for each in (*systems, *c.self_hosted) for name in (each, each.partition("+")[0])}
    for number, row in enumerate(s.serving.capacities):
        field = f"serving.capacities.{number}"
        if row.model.lower() not in models:
            raise UnknownName(f"{field}.model", row.model, models, "model among the candidates that are served on GPUs")
        gpu = find_gpu(row.gpu, f"{field}.gpu", "gpus").id
        if gpu not in {o.gpu for o in offers}:
            raise UnknownName(f"{field}.gpu", gpu, {o.gpu for o in offers}, "card among those that the candidates can have")


def _as_stated(
    sheet: FactSheet, s: Scenario, offer: Offer, plan: ServingPlan, lengths: SystemLengths, number: int,
) -> FleetPlan:
    """The plan with the capacity that the scenario states; the server beside it is the estimated one."""
    row, path = s.serving.capacities[number], f"serving.capacities.{number}"
    q = as_spread(row.requests_per_s)
    ends = 1.0 if q.low is None else q.low / q.value, 1.0, 1.0 if q.high is None else q.high / q.value
    source = f"{q.source or f'scenario {path}'}: stated, not replayed; the SLO is not checked"
    low, high = (None, None) if ends[0] == ends[2] else (ends[0], ends[2])
    speed = Fact(value=1.0, low=low, high=high, unit="ratio", basis=Basis.STATED, source=source, date=q.date)
    server = _evidence(sheet.known, plan, lengths).server
    evidence = PlanEvidence(server=server, speed_path=f"{path}.speed", speed=speed, profiled=False, basis=Basis.STATED,
                            source=source)
    slow, alone, fast = (Capacity(end * q.value, "as stated") for end in ends)
    capacity = PlanCapacity(alone=alone, slow=slow, fast=fast, pooling=row.pooling, pooling_slow=row.pooling,
                            pooling_fast=row.pooling)
    return FleetPlan(offer=offer, serving=plan, evidence=evidence, speeds=ends, capacity=capacity)


def _with_measured(sheet: FactSheet, chosen: list[FoundPlan], found: list[FoundPlan]) -> list[FoundPlan]:
    """The chosen plans, and the cheapest on cards whose server was profiled: published speeds may have passed them over."""
    servers = {each.offer.gpu: sheet.known.servers(each.offer.gpu) for each in found}
    for _, passed in servers.values():
        sheet.warnings += [f"profile {name} says nothing of serving speed: {reason}" for name, reason in passed]
    measured = [each for each in found if servers[each.offer.gpu][0]]
    return list(dict.fromkeys([*chosen, *(cheapest_plans(sheet, measured)[:2] if measured else [])]))


def _fleet_plan(sheet: FactSheet, s: Scenario, choice: WeightChoice, found: FoundPlan, lengths: SystemLengths) -> FleetPlan:
    """The plan with its capacity, as stated or replayed."""
    serving = _serving_plan(choice, find_gpu(found.offer.gpu), found.gpus, found.dtype)
    if found.stated is not None:
        return _as_stated(sheet, s, found.offer, serving, lengths, found.stated)
    return _replayed(sheet, s, found.offer, serving, lengths)


def _replayed(sheet: FactSheet, s: Scenario, offer: Offer, plan: ServingPlan, lengths: SystemLengths) -> FleetPlan:
    """The plan with its capacity, which is replayed once for all options, vendors and scenarios that share the replica."""
    evidence = _evidence(sheet.known, plan, lengths)
    speeds = evidence.ends(sheet.facts.get(path, speed) for path, speed in evidence.spreads)
    replayed, key = sheet.known.replayed, (plan, lengths.key, evidence.speed_path, slo_of(s), speeds)
    if key not in replayed:
        kept = sheet.known.kept
        inputs = plan, lengths, evidence.server, slo_of(s), speeds, evidence.unsure_bytes, evidence.measured, evidence.published
        found = None if kept is None else kept.find(*inputs)
        replayed[key] = found or plan_capacity(*inputs)
        if kept is not None and found is None:
            kept.keep(replayed[key], *inputs)
    return FleetPlan(offer=offer, serving=plan, evidence=evidence.held(replayed[key], plan, lengths.shape),
                     speeds=speeds, capacity=replayed[key])


def _add_speeds(sheet: FactSheet, plan: FleetPlan) -> None:
    """The speeds that the plan's capacity rests on, with their ends."""
    evidence, serving = plan.evidence, plan.serving
    for path, speed in evidence.spreads:
        sheet.with_ends(path, speed)
    if evidence.profiled:
        what = f"{serving.shape.id} {serving.weight_dtype} on {serving.tensor_parallel} x {serving.gpu.id}"
        load, basis, measure = evidence.unmeasured, evidence.speed.basis.value, ""
        if load is not None and load.longer:  # as many as at its limit need not be in flight at the peak
            basis, measure = f"{basis}, and drawn out beyond", f"; {load.command} measures it"
        sheet.warnings.append(f"serving speed of {what} is {basis}: {evidence.told}{measure}")


def _evidence(known: KnownRuns, plan: ServingPlan, lengths: SystemLengths) -> PlanEvidence:
    """The best evidence for the plan, found once with these runs: every option and every vendor that has it asks."""
    return known.once(("plan evidence", plan, lengths.key), partial(plan_evidence, known, plan, lengths))


def _closed_form(
    s: Scenario, choice: WeightChoice, requests: RequestShape, grid: Grid, store: Store,
) -> ServingCapacity:
    """What each plan of the grid holds, in closed form; those on Apple's GPUs apart, whose engine is another."""
    cards, degrees, dtypes = [g for g, _, _ in grid], np.array([float(tp) for _, tp, _ in grid]), [d for _, _, d in grid]
    order = np.argsort([card.apple for card in cards], kind="stable")
    if cards[order[-1]].apple and not cards[order[0]].apple:
        parts = [[grid[k] for k in order if grid[k][0].apple == apple] for apple in (False, True)]
        held = [_closed_form(s, choice, requests, part, store) for part in parts]
        return ServingCapacity(*(np.concatenate([np.broadcast_to(getattr(one, field.name), len(part)) for one, part in zip(
            held, parts, strict=True)])[np.argsort(order)] for field in fields(ServingCapacity)))
    engine = METAL if cards[0].apple else s.serving.engine or ENGINE
    known, habits = on_card(find_engine(engine), cards), engine_habits(engine)
    known = all_over_links(known, cards, [tp for _, tp, _ in grid], store)
    tokens, limit = habits.step_tokens or default_step_tokens(cards), habits.sequence_limit or default_sequence_limit(cards)
    slo, cached, slots = slo_of(s), as_cached(choice.shape, habits), [choice.slots(gpu, tp) for gpu, tp, _ in grid]
    memory = replica_memory(cached, cards, degrees, dtypes, s.serving.kv_dtype, requests, step_tokens=tokens,
                            sequence_limit=limit, habits=habits, adapters=together(slots))
    limit = np.minimum(limit, sequences_at_once(memory.adapter_slots, choice.adapters)) if choice.adapters else limit
    step = roofline_iteration(cached, cards, degrees, dtypes, requests.prefill_context, known,
                              experts_apart=habits.experts_apart, wgmma=habits.wgmma)
    step = reading_adapters(step.at_speed(published_speed(choice.adapters)), together(slots), choice.adapters, cards, known)
    return serving_capacity(
        requests, step, memory, sequence_limit=limit, step_tokens=tokens, prompts_alone=habits.prompts_alone,
        ttft_p95_s=None if slo == Slo() else slo.ttft_p95_s, tpot_s=None if slo == Slo() else slo.tpot_p95_s,
    )


def _too_small(grid: Grid, rates: Array, binding: Array, offers: Offers) -> str:
    """Where plans hold, but on more GPUs than an instance or a server of these offers has; what fewer miss, be it latency."""
    if not (holding := [(tp, gpu.id) for (gpu, tp, _), rate in zip(grid, rates, strict=True) if rate > 0]):
        return ""
    tp, gpu = min(holding)
    o = max((o.holding(o.gpus_at_most) or o for o in offers if o.gpu == gpu), key=lambda o: o.gpus_per_instance)
    said = "" if o.stated is None else f" (gpu_rents.{o.stated}.gpus_per_instance)"
    has = (f"instance; the largest that these vendors rent has {o.gpus_per_instance}{said}" if o.kind != "owned" else
           f"server; you own {o.owned}" if o.owned is not None and o.owned < tp else
           f"server; own_hardware.gpus_per_server is {o.gpus_per_instance}")
    most = max((n for card, n, _ in grid if card.id == gpu and n <= min(o.gpus_per_instance, o.owned or n)), default=0)
    fewer = {str(why) for (card, n, _), why in zip(grid, binding, strict=True) if (card.id, n) == (gpu, most)}
    late = " or ".join(f"workload.{each.lower()}_p95_s" for each in LATENCY if each in fewer)
    return f"a replica needs {tp} x {gpu} in one {has}" + (f", too slow for {late}" if late else "")


def _nearest(slo: Slo, grid: Grid, result: ServingCapacity) -> int:
    """The plan of the grid that comes nearest to the SLO in closed form: the fastest, or where memory binds the largest."""
    late, ttft, tpot = (np.broadcast_to(x, len(grid)) for x in (np.isin(result.binding, LATENCY), result.ttft_s, result.tpot_s))
    strain = np.where(late, np.maximum(ttft / slo.ttft_p95_s, tpot / slo.tpot_p95_s), np.inf)
    return min(range(len(grid)), key=lambda k: (strain[k], -grid[k][0].memory_bytes * grid[k][1]))


def add_published_speeds(sheet: FactSheet, s: Scenario) -> None:
    """How far the roofline may be off: for the cards it was fitted on, for all others, for AMD's."""
    engine = find_engine(s.serving.engine or ENGINE)
    for gpu in (engine.gpus[0], "other GPUs", "MI"):
        sheet.with_ends(*published_engine_speed(engine, gpu, mixture=False))
