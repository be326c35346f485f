"""Facts of a system (what answers): its error rate, how it tokenises; of an adapter, what its training takes."""

from functools import partial
from typing import NamedTuple

import numpy as np

from roi.catalog.cards.cuda_contexts import training_overhead
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.configs import model_config
from roi.catalog.models.quality_priors import QualityPrior
from roi.catalog.prices.gpu_offers import rental_offers
from roi.economics.inputs import Option, Tokens, Training, TrainingFacts, path_of
from roi.errors import InputError, ScenarioError
from roi.estimate.step.calibration import Evidence, layout_of
from roi.estimate.step.step_time import training_hours
from roi.estimate.training.fitting import REPLAY_ENDS, reserved_range
from roi.estimate.training.memory import training_memory, workspace_bytes
from roi.estimate.training.plan import Method, TrainingPlan, refusal, trainer_habits
from roi.evidence.known_runs import KnownRuns
from roi.evidence.training_speed import evidence_line
from roi.facts.fact import Basis
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.price import RentalKind, RentalOffer
from roi.facts.profiles import DryRunProfile
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.system_scores import add_score
from roi.scenario.demand import Tokens as TokenRatios
from roi.scenario.quantity import value_of
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


LONGEST_OVER_MEAN = 4.0
"""Longest training sequence over the mean where nobody states it: lengths of the bundled trace reach 3.6 times their mean."""


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
    """One run on the card that makes it cheapest."""

    gpu_hours: float
    offer: RentalOffer
    memory: tuple[float, float, float]
    """Bytes of the process: central, 5th and 95th percentile."""
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
    overhead = training_overhead(gpu)
    if dry is not None:
        reserved = dry[1].reserved_bytes + workspace_bytes(gpu) - dry[0].profile.workspace_bytes
        held = (reserved, reserved * REPLAY_ENDS[0], reserved * REPLAY_ENDS[1])
    else:
        held = reserved_range(training_memory(shape, plan, gpu), overhead)
    central, low, high = (a + b for a, b in zip(held, overhead.context_bytes, strict=True))
    return central, low, high


def _cheapest_run(
    s: Scenario, shape: ModelShape, plan: TrainingPlan, mean: float, dry: DryPeak | None, known: KnownRuns,
) -> _CheapestRun | None:
    """The run that costs least over the cards that it fits on, each at its cheapest offer; spot will do for training."""
    wanted, vendors = {find_gpu(g).id for g in s.candidates.gpus}, {v.lower() for v in s.candidates.vendors}
    cheapest: dict[str, RentalOffer] = {}
    for offer in sorted(rental_offers(s.as_of), key=lambda o: o.usd_per_gpu_hour * o.gpus_per_instance):
        # no measured training run on AMD cards stands behind the estimate: only where the user names one
        admitted = offer.gpu in wanted if wanted else not offer.gpu.startswith("MI")
        if admitted and offer.kind is not RentalKind.RESERVED and (not vendors or offer.vendor.lower() in vendors):
            cheapest.setdefault(offer.gpu, offer)
    found = []
    for name, offer in cheapest.items():
        gpu = find_gpu(name)
        memory = _memory(shape, plan, gpu, dry)
        if memory[0] > gpu.memory_bytes:
            continue
        evidence = known.speed(gpu, layout_of(plan))
        examples, epochs = value_of(s.training.examples), value_of(s.training.epochs)
        hours = float(training_hours(shape, plan, gpu, evidence.efficiency, examples, mean, epochs) * plan.gpus)
        hours *= offer.gpus_per_instance  # one GPU trains, but the whole instance is rented
        found.append(_CheapestRun(gpu_hours=hours, offer=offer, memory=memory, gpu=gpu, evidence=evidence))
    return min(found, key=lambda run: run.gpu_hours * run.offer.usd_per_gpu_hour, default=None)


def add_training(sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, method: Method) -> None:
    """GPU hours of one run on the rented card that makes it cheapest; infeasible where it fits on none.

    Memory is that of a known dry run where there is one of this plan (the HF Trainer's loop), else the closed form.
    """
    t, mean = s.training, mean_tokens(s)
    longest = float(t.longest_tokens or min(np.ceil(mean * LONGEST_OVER_MEAN), shape.context_tokens))
    if longest > shape.context_tokens:
        raise ScenarioError("training.longest_tokens", longest, f"{shape.id} reads at most {shape.context_tokens} tokens")
    plan = TrainingPlan(method=method, rank=float(t.rank), micro_batch=float(t.micro_batch), seq=longest,
                        checkpointing=t.checkpointing, trainer="hf", autocast=trainer_habits("hf", "bf16").autocast)
    refused = refusal(shape, plan)
    dry = None if refused else _dry_peak(sheet.known.store, shape, plan)
    best = None if refused else _cheapest_run(s, shape, plan, mean, dry, sheet.known)
    _add_hours_factor(sheet, best)
    if best is None:
        why = (f"{method} of {shape.id} at {longest:,.0f} tokens fits on no single rented GPU;"
               " shorten training.longest_tokens, or use qlora")
        source = "peft" if refused else "memory in closed form" if dry is None else f"dry run {dry[0].name}"
        sheet.state(path_of(Option, "infeasible", option=id), refused or why, source)
        return
    path, offer = partial(path_of, TrainingFacts, option=id), best.offer
    sheet.state(path("vendor_usd"), 0.0, "trained on rented GPUs", "USD")
    sheet.state(f"options.{id}.training.gpu", offer.gpu, "cheapest run among the cards that it fits on")
    held = "closed form held to dry runs"
    if dry is not None:
        ran = dry[0].profile.plan
        same = (ran["micro_batch"], ran["seq"]) == (plan.micro_batch, plan.seq)
        held = f"dry run {dry[0].name}" + ("" if same else f", between the sizes run, at {plan.seq:,.0f} tokens")
    low, high = (each / GIB for each in best.memory[1:])
    sheet.add(f"options.{id}.training.memory_bytes", best.memory[0], "bytes",
              basis=Basis.CALIBRATED if dry is None else Basis.DRY_RUN,
              source=f"peak of the process on {offer.gpu}, {held}; 5-95%: {low:.1f} to {high:.1f} GiB",
              date=None if dry is None else dry[0].profile.started.date())
    sheet.add(
        path("gpu_hours"), best.gpu_hours, "GPU-hours",
        basis=Basis.MEASURED if best.evidence.level == "profile" else Basis.CALIBRATED,
        source=f"{training_tokens(s):,.0f} tokens at the roofline's step time x fitted efficiency; "
        + evidence_line(best.gpu, best.evidence),
    )
    sheet.add(path_of(Training, "usd_per_gpu_hour", option=id), offer.usd_per_gpu_hour, "USD/GPU-hour", basis=Basis.QUOTED,
              source=f"{offer.vendor} {offer.kind}: {offer.source}", date=offer.date)


def _add_hours_factor(sheet: FactSheet, run: _CheapestRun | None) -> None:
    """How far hours may be off: one factor for every run, as wide as the widest of them."""
    path, known = path_of(TrainingFacts, "hours_factor"), training_efficiencies().overall
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
    sheet.add(path, 1.0, "ratio", basis=known.basis, low=least, high=most, source=told)
