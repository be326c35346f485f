"""Facts of a system (what answers): its error rate, how it tokenises; of an adapter, what its training takes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date as Date
from functools import partial
from itertools import count
from typing import NamedTuple

import numpy as np

from roi.catalog.cards.cuda_contexts import training_overhead
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.configs import model_config
from roi.catalog.models.quality_priors import QualityPrior
from roi.catalog.prices.gpu_offers import Offer, Offers, rents
from roi.economics.inputs import HOURS_FACTOR, Option, Plan, Tokens, Training, path_of
from roi.economics.worked_out import TrainingFacts
from roi.errors import InputError, ScenarioError
from roi.estimate.fitting.overhead import planned_range, replayed_range
from roi.estimate.step.calibration import Evidence
from roi.estimate.step.step_time import training_hours
from roi.estimate.training.adapters import rank_bound
from roi.estimate.training.memory import training_memory, workspace_bytes
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import refusal
from roi.estimate.training.stacks import trainer_habits
from roi.evidence.known_runs import KnownRuns
from roi.evidence.training_speed import evidence_line
from roi.facts.fact import Basis
from roi.facts.gpu import AMD, Gpu, is_apple
from roi.facts.model import ModelShape
from roi.facts.profiles import DryRunProfile
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.system_scores import add_score
from roi.scenario.demand import Tokens as TokenRatios
from roi.scenario.quantity import as_spread, value_of
from roi.scenario.scenario import Scenario
from roi.store.profiles.lookup import PeakBytes, Store, StoredProfile, find_dry_peak
from roi.units import GIB

TOKEN_RATIO = (1.0, 0.9, 1.15)
"""Another vocabulary splits English text within 10 to 15% of the incumbent's count; code and other languages vary more."""


def add_system(sheet: FactSheet, s: Scenario, system: str, prior: QualityPrior | None) -> None:
    """The facts of a system, unless it has them already; `prior` says what to expect where nobody judged its answers."""
    path = partial(path_of, Tokens, system=system)
    if path("ratio") in sheet.facts:
        return
    tokens, incumbent = s.tokens.get(system) or TokenRatios(), system == s.incumbent.model
    stated = f"scenario tokens.{system}"
    if tokens.ratio is not None or incumbent:
        sheet.quantity(path("ratio"), 1.0 if tokens.ratio is None else tokens.ratio, "ratio", stated=True, source=stated)
    else:
        value, low, high = TOKEN_RATIO
        sheet.add(path("ratio"), value, "ratio", basis=Basis.ASSUMED, low=low, high=high,
                  source="another tokenizer, English text: within 10 to 15% of the incumbent's")
    if tokens.prompt_tokens_after_tuning is not None:
        sheet.quantity(path("prefix_tokens"), tokens.prompt_tokens_after_tuning, "tokens", stated=True, source=stated)
    sheet.quantity(path("output_ratio"), 1.0 if tokens.output_ratio is None else tokens.output_ratio, "ratio",
                   stated=tokens.output_ratio is not None,
                   source=stated if tokens.output_ratio else "as terse as the incumbent")
    reasons = "reasoning_tokens" in tokens.model_fields_set
    sheet.quantity(path("reasoning_tokens"), tokens.reasoning_tokens, "tokens", stated=reasons,
                   source=stated if reasons else f"{stated} says nothing: none counted")
    if system in s.quality.escalated and not incumbent:
        sheet.quantity(f"systems.{system}.escalated_share", s.quality.escalated[system], "share", stated=True,
                       source=f"scenario quality.escalated.{system}")
    add_score(sheet, s, system, prior)


LIGHTER = ("lora", "qlora")
"""Methods that may take less, the faster first; which one does depends on the model: QLoRA's fp32 copies of experts can be
most of a mixture."""
LONGEST_OVER_MEAN = 4.0
"""Longest training sequence over the mean where nobody states it: lengths of the bundled trace reach 3.6 times their mean."""
LONGEST_OVER_CELL = 2.0
"""At most this times the largest cell of `workload.lengths`: a cell holds a mean, and its own lengths spread around that."""
LENGTH_STEP = 128.0
"""Tokens to which the longest sequence that fits is found."""


def mean_tokens(s: Scenario) -> float:
    """Tokens of one training example: stated, or the workload's mean request."""
    if s.training.tokens_per_example is not None:
        return value_of(s.training.tokens_per_example)
    w = s.workload
    if w.lengths is not None:
        return sum(b.share * (b.input_tokens + b.output_tokens) for b in w.lengths)
    assert w.input_tokens is not None
    assert w.output_tokens is not None
    return value_of(w.input_tokens) + value_of(w.output_tokens)


def training_tokens(s: Scenario) -> float:
    """Tokens of one run: examples x tokens x epochs."""
    return value_of(s.training.examples) * mean_tokens(s) * value_of(s.training.epochs)


class _CheapestRun(NamedTuple):
    """One run on the card, or the owned cards, that make it cheapest."""

    plan: TrainingPlan
    gpu_hours: float
    offer: Offer
    memory: tuple[float, float, float]
    """Bytes of the process on one card: central, 5th and 95th percentile."""
    gpu: Gpu
    evidence: Evidence
    """What its speed rests on."""


DryPeak = tuple[StoredProfile[DryRunProfile], PeakBytes]


def _dry_peak(store: Store, shape: ModelShape, plan: TrainingPlan) -> DryPeak | None:
    """The stored dry run of this plan, with its peak; None where there is none, or no class that could have run it."""
    try:
        config = model_config(shape)
    except InputError:
        return None
    return find_dry_peak(store, shape.id, plan, config.config_hash)


def _memory(shape: ModelShape, plan: TrainingPlan, gpu: Gpu, dry: DryPeak | None) -> tuple[float, float, float]:
    """Bytes of the process on this card: central, 5th and 95th percentile."""
    overhead, memory = training_overhead(gpu).with_collectives(plan), training_memory(shape, plan, gpu)
    if dry is not None:
        more = workspace_bytes(gpu) - dry[0].profile.workspace_bytes
        held = replayed_range(dry[1].allocated_bytes + more, dry[1].reserved_bytes + more, float(memory.loose_bytes))
    else:
        held = planned_range(memory, overhead, plan)
    central, low, high = (a + b for a, b in zip(held, overhead.context_bytes, strict=True))
    return central, low, high


def _sharded(shape: ModelShape, plan: TrainingPlan, gpu: Gpu, most: int) -> TrainingPlan:
    """The plan over the fewest of 2 to `most` such cards that hold it with FSDP, at the 95th percentile where as many do.

    As it is where no number does, or what is trained cannot be split. Each card more takes more GPU-hours: it gathers too.
    """
    if plan.int8 or refusal(shape, replace(plan, sharding="fsdp", gpus=2)):
        return plan
    jobs = [replace(plan, sharding="fsdp", gpus=n) for n in range(2, most + 1)]
    peaks = [_memory(shape, job, gpu, None) for job in jobs]
    held = (job for end in (2, 0) for job, peak in zip(jobs, peaks, strict=True) if peak[end] <= gpu.memory_bytes)
    return next(held, plan)


def _training_cards(s: Scenario, own: Offers) -> list[dict[str, Offer]]:
    """Cards to train on, each at its cheapest offer: the option's own, which cost no rent, and rented ones where none will do.

    No list price with a commitment is taken, but a rent that the user states is; spot will do for training.
    """
    t, vendors = s.training, {v.lower() for v in s.candidates.vendors}
    named = {t.gpu: "training.gpu"} if t.gpu is not None else dict.fromkeys(s.candidates.gpus, "candidates.gpus")
    wanted = {gpu.id for name, field in named.items() if not (gpu := find_gpu(name, field)).apple}
    if t.gpu is not None and not wanted:
        raise ScenarioError("training.gpu", t.gpu, "training is not estimated on Apple's GPUs: name a card with CUDA or ROCm")
    free = {o.gpu: o._replace(gpus_per_instance=1, basis=Basis.STATED, source="the cards are there; their power is not counted")
            for o in own if (t.gpu is None or o.gpu in wanted) and not is_apple(o.gpu)}
    cheapest: dict[str, Offer] = {}
    for offer in sorted(rents(s), key=lambda o: o.usd_per_gpu_hour * o.gpus_per_instance):
        # no measured training run on AMD cards stands behind the estimate: only where the user names one
        admitted = offer.gpu in wanted if wanted else not offer.gpu.startswith(AMD)
        unbound = offer.minimum_months == 0 or offer.stated is not None
        if admitted and unbound and (offer.vendor.lower() in vendors if vendors else not offer.index):
            cheapest.setdefault(offer.gpu, offer)
    if t.gpu is not None and not cheapest and not free:
        told = "no vendor of the scenario rents it without a commitment; state your rent in gpu_rents"
        raise ScenarioError("training.gpu", t.gpu, told)
    return [free, cheapest]


def _cheapest_run(
    s: Scenario, shape: ModelShape, asked: TrainingPlan, mean: float, dry: DryPeak | None, known: KnownRuns,
    cards: dict[str, Offer], most: int = 1,
) -> _CheapestRun | None:
    """The run that costs least over the cards that it fits on, the shortest where none has a rent; None where it fits on none.

    With `most`, on several of a card that is owned, as many as there are and one server holds at most.
    A stated number of GPU-hours is that of any card; where the card is stated too, its memory is not looked at.
    """
    t, found = s.training, []
    for name, offer in cards.items():
        gpu = find_gpu(name)
        plan = asked if most == 1 else _sharded(shape, asked, gpu, min(most, offer.owned or 1))
        memory = _memory(shape, plan, gpu, dry if plan.gpus == 1 else None)
        if memory[0] > gpu.memory_bytes and (t.gpu is None or t.gpu_hours is None):
            continue
        evidence = known.speed(gpu, shape, replace(plan, seq=min(mean, float(plan.seq))))
        if t.gpu_hours is not None:
            hours = value_of(t.gpu_hours)
        else:
            examples, epochs = value_of(t.examples), value_of(t.epochs)
            make = partial(training_hours, shape, plan, gpu, evidence.efficiency, examples, mean, epochs)
            hours = float(known.once(("training hours", shape, plan, gpu.id, examples, mean, epochs), make) * plan.gpus)
            hours *= offer.gpus_per_instance  # one GPU trains, but the whole instance is rented
        found.append(_CheapestRun(plan=plan, gpu_hours=hours, offer=offer, memory=memory, gpu=gpu, evidence=evidence))
    return min(found, key=lambda run: (run.gpu_hours * run.offer.usd_per_gpu_hour, run.gpu_hours), default=None)


def add_training(sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, method: str, own: Offers = ()) -> None:
    """GPU hours of one run on the card that makes it cheapest; infeasible where it fits on none.

    One of `own` where it fits, else several of them, else one that is rented.
    Memory is that of a known dry run where there is one of this plan (the HF Trainer's loop), else the closed form. Where only
    the default of the longest sequence fits on no card, the longest that does is taken, with a warning.
    """
    t, mean = s.training, mean_tokens(s)
    if t.usd_per_gpu_hour is not None:
        _stated_training(sheet, s, id)
        return
    longest, (mine, rented) = _longest_tokens(s, shape, mean), _training_cards(s, own)
    places = ((mine, 1), (mine, s.own_hardware.gpus_per_server), (rented, 1))

    def run_at(tokens: float) -> tuple[TrainingPlan, str | None, DryPeak | None, _CheapestRun | None]:
        plan = TrainingPlan(method=method, rank=float(t.rank), micro_batch=float(t.micro_batch), seq=tokens,
                            checkpointing=t.checkpointing, trainer="hf", autocast=trainer_habits("hf", "bf16").autocast)
        most = rank_bound(shape, plan)
        wide = f"training.rank {t.rank:,} is above {most:,.0f}, the full rank of the widest target" if t.rank > most else ""
        if refused := wide or refusal(shape, plan):
            return plan, refused, None, None
        dry = _dry_peak(sheet.known.store, shape, plan)
        found = (_cheapest_run(s, shape, plan, mean, dry, sheet.known, *cards) for cards in places)
        return plan, None, dry, next((run for run in found if run is not None), None)

    plan, refused, dry, best = run_at(longest)
    if best is None and refused is None and t.longest_tokens is None and run_at(np.ceil(mean))[3] is not None:
        fits, asked = float(np.ceil(mean)), longest
        while longest - fits > LENGTH_STEP:
            middle = float(np.floor((fits + longest) / 2.0))
            fits, longest = (middle, longest) if run_at(middle)[3] is not None else (fits, middle)
        longest = fits
        plan, refused, dry, best = run_at(longest)
        on = "one GPU" if best is None or best.plan.gpus == 1 else f"{best.plan.gpus} GPUs"
        sheet.warnings.append(f"{method} of {shape.id}: sequences of {longest:,.0f} tokens are the longest that fit on {on},"
                              f" {asked:,.0f} were taken; if examples are longer, cut them, or state training.longest_tokens")
    if t.gpu_hours is None:
        _add_hours_factor(sheet, method, best)
    if best is None:
        where = ("no single rented GPU" if t.gpu is None else f"no single {find_gpu(t.gpu).id}") + _nor_on_several(s, mine)
        short = float(np.ceil(mean))  # to which a length that is not stated is cut without being told
        way = _what_fits(shape, plan if t.longest_tokens is not None else replace(plan, seq=short), short,
                         [find_gpu(name) for cards in (mine, rented) for name in cards])
        why = f"{method} of {shape.id} at {longest:,.0f} tokens fits on {where}; {way}state training.gpu and gpu_hours"
        source = "peft" if refused else "memory in closed form" if dry is None else f"dry run {dry[0].name}"
        sheet.state(path_of(Option, "infeasible", option=id), refused or why, source)
        return
    path, offer = partial(path_of, TrainingFacts, option=id), best.offer
    sheet.state(path("vendor_usd"), 0.0, "trained on GPUs", "USD")
    _add_card(sheet, s, id, shape, best, mean, dry, mine)
    _stated_hours(sheet, s, id)
    sheet.add(
        path("gpu_hours"), best.gpu_hours, "GPU-hours",
        basis=Basis.MEASURED if best.evidence.level == "profile" else Basis.CALIBRATED,
        source=f"{training_tokens(s):,.0f} tokens at the roofline's step time x fitted efficiency; "
        + evidence_line(best.gpu, best.evidence), date=_fitted_on(sheet, best),
    )
    sheet.add(path_of(Training, "usd_per_gpu_hour", option=id), offer.usd_per_gpu_hour, "USD/GPU-hour", basis=offer.basis,
              source=f"{offer.vendor} {offer.kind}: {offer.source}", date=offer.date)


def _add_card(
    sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, run: _CheapestRun, mean: float, dry: DryPeak | None,
    mine: dict[str, Offer],
) -> None:
    """On which card the run is, or on how many of one, why on none of `mine` or on several, and its memory on each."""
    plan, card, gpus = run.plan, run.offer.gpu, run.plan.gpus
    chosen = "cheapest run among the cards that it fits on" if s.training.gpu is None else "scenario training.gpu"
    if mine and (gpus > 1 or run.offer not in mine.values()):
        way = _what_fits(shape, replace(plan, gpus=1, sharding="none"), float(np.ceil(mean)), [find_gpu(name) for name in mine])
        nor = _nor_on_several(s, mine) if gpus == 1 else f": FSDP over {gpus} takes {run.gpu_hours / gpus:,.3g} h a run"
        way = f"{': ' if gpus == 1 else ', or '}{way.removesuffix(', or ')}" if way else ""
        chosen += f"; a run at {plan.seq:,.0f} tokens fits on no single card of yours{nor}{way}"
    sheet.state(f"options.{id}.training.gpu", card, chosen)
    if gpus > 1:
        _add_several(sheet, s, id, run)
    held = "closed form held to dry runs"
    if dry is not None and gpus == 1:
        ran = dry[0].profile.plan
        same = (ran["micro_batch"], ran["seq"]) == (plan.micro_batch, plan.seq)
        held = f"dry run {dry[0].name}" + ("" if same else f", between the sizes run, at {plan.seq:,.0f} tokens")
    low, high = (each / GIB for each in run.memory[1:])
    where = card if gpus == 1 else f"each of {gpus} x {card}"
    sheet.add(f"options.{id}.training.memory_bytes", run.memory[0], "bytes",
              basis=Basis.CALIBRATED if dry is None or gpus > 1 else Basis.DRY_RUN,
              source=f"peak of the process on {where}, {held}; 5-95%: {low:.1f} to {high:.1f} GiB",
              date=None if dry is None or gpus > 1 else dry[0].profile.started.date())


def _nor_on_several(s: Scenario, mine: dict[str, Offer]) -> str:
    """What is told of several owned cards where the run fits on none of them either; empty where one is all that there is."""
    most = max((min(o.owned or 1, s.own_hardware.gpus_per_server) for o in mine.values()), default=1)
    return f", nor over {most} with FSDP" if most > 1 else ""


def _add_several(sheet: FactSheet, s: Scenario, id: str, run: _CheapestRun) -> None:
    """How many owned cards a run takes; where the adapter is trained again, plans on this card keep as many for it."""
    gpus, told = run.plan.gpus, f"the fewest of your {run.offer.owned} that hold it with FSDP"
    sheet.state(f"options.{id}.training.gpus", gpus, told, "GPUs")
    for number in count() if s.training.retrain_every_months is not None else ():
        card = sheet.facts.get(path_of(Plan, "gpu", option=id, plan=number))
        if card is None:
            return
        if card.value == run.offer.gpu:
            path = path_of(Plan, "gpus_to_train", option=id, plan=number)
            sheet.state(path, gpus, f"a retraining takes {told}", "GPUs")


def _what_fits(shape: ModelShape, plan: TrainingPlan, shortest: float, gpus: Sequence[Gpu]) -> str:
    """What fits on one of the cards in the plan's place, before the last resort: a shorter sequence or a lighter method."""
    short, others = replace(plan, seq=shortest), [name for name in LIGHTER if name != plan.method]
    tried = {"shorten training.longest_tokens": short, **{f"use {name}": replace(plan, method=name) for name in others}}
    tried |= {f"use {name} and shorten training.longest_tokens": replace(short, method=name) for name in others}
    way = next((told for told, other in tried.items() if other != plan and not refusal(shape, other)
                and any(_memory(shape, other, gpu, None)[0] <= gpu.memory_bytes for gpu in gpus)), "")
    return f"{way}, or " if way else ""


def _fitted_on(sheet: FactSheet, run: _CheapestRun | None) -> Date | None:
    """The day of the newest profile that the run's speed rests on; else that of the fit of published runs."""
    known, behind = sheet.known.store.profiles, set() if run is None else set(run.evidence.sources)
    days = (each.profile.started.date() for each in known if run is not None and f"{each.name} on {run.gpu.id}" in behind)
    return max(days, default=training_efficiencies().overall.date)


def _stated_hours(sheet: FactSheet, s: Scenario, id: str) -> None:
    """The GPU-hours of a run that the scenario states, if it does; their spread is one fact for all adapters."""
    if s.training.gpu_hours is None:
        return
    q, stated, path = as_spread(s.training.gpu_hours), "scenario training.gpu_hours", partial(path_of, TrainingFacts, option=id)
    ends = [None if end is None or q.low == q.high else end / q.value for end in (q.low, q.high)]
    sheet.add(HOURS_FACTOR, 1.0, "ratio", basis=Basis.STATED, source=q.source or stated, date=q.date, low=ends[0], high=ends[1])
    sheet.add(path("gpu_hours"), q.value, "GPU-hours", basis=Basis.STATED, source=q.source or stated, date=q.date)


def _stated_training(sheet: FactSheet, s: Scenario, id: str) -> None:
    """A run whose hours and price the scenario states: no card is looked for, no memory checked."""
    sheet.state(path_of(TrainingFacts, "vendor_usd", option=id), 0.0, "trained on GPUs", "USD")
    _stated_hours(sheet, s, id)
    sheet.field("training.usd_per_gpu_hour", s.training, "usd_per_gpu_hour", "training")


def _longest_tokens(s: Scenario, shape: ModelShape, mean: float) -> float:
    """Tokens of the longest training sequence: stated, or by the lengths, else by their mean; at most the model's context."""
    t, w = s.training, s.workload
    if t.longest_tokens is not None:
        if t.longest_tokens > shape.context_tokens:
            most = f"{shape.id} reads at most {shape.context_tokens} tokens"
            raise ScenarioError("training.longest_tokens", t.longest_tokens, most)
        if t.longest_tokens < np.floor(mean):
            raise ScenarioError("training.longest_tokens", t.longest_tokens, f"at least the mean example, {mean:,.0f} tokens")
        return float(t.longest_tokens)
    longest = min(float(np.ceil(mean * LONGEST_OVER_MEAN)), float(shape.context_tokens))
    if w.lengths is not None and t.tokens_per_example is None:
        longest = min(longest, float(np.ceil(LONGEST_OVER_CELL * max(b.input_tokens + b.output_tokens for b in w.lengths))))
    return longest


def _add_hours_factor(sheet: FactSheet, method: str, run: _CheapestRun | None) -> None:
    """How far hours may be off: one factor for every run of a method, as wide as the widest of them.

    Methods are drawn apart: what one's kernels cost says little of another's.
    """
    path, known = path_of(TrainingFacts, "hours_factor", method=method), training_efficiencies().overall
    low, high = known.spread()
    central, source = known.number(), known.source
    if run is not None:
        low, high, central = run.evidence.low, run.evidence.high, float(run.evidence.efficiency.overall)
        source = evidence_line(run.gpu, run.evidence)
    before = sheet.facts.get(path)
    least, most = min(central / high, 1.0), max(central / low, 1.0)
    if before is not None and before.low is not None and before.high is not None:
        if before.low <= least and most <= before.high:
            return
        least, most = min(least, before.low), max(most, before.high)
        del sheet.facts[path]
    told = f"hours of a run against the roofline: {source}"
    sheet.add(path, 1.0, "ratio", basis=known.basis, low=least, high=most, source=told, date=_fitted_on(sheet, run))
