"""Facts of training an adapter oneself: hours of a run, and the cheapest rented card that it fits on."""

from functools import partial

import numpy as np

from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.economics.inputs import Option, Training, TrainingFacts, path_of
from roi.errors import ScenarioError
from roi.estimate.training.plan import Method, TrainingPlan, refusal, trainer_habits
from roi.evidence.known_runs import CheapestRun, DryPeak, KnownRuns, cheapest_run, dry_peak
from roi.evidence.training_speed import evidence_line
from roi.facts.fact import Basis
from roi.facts.model import ModelShape
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.units import GIB

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


def add_training(sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, method: Method, known: KnownRuns) -> None:
    """GPU hours of one run on the rented card that makes it cheapest; infeasible where it fits on none.

    Memory is that of a known dry run where there is one of this plan (the HF Trainer's loop), else the closed form.
    """
    t, mean = s.training, mean_tokens(s)
    longest = float(t.longest_tokens or min(np.ceil(mean * LONGEST_OVER_MEAN), shape.context_tokens))
    if longest > shape.context_tokens:
        raise ScenarioError("training.longest_tokens", longest, f"{shape.id} reads at most {shape.context_tokens} tokens")
    plan = TrainingPlan(
        method=method, rank=float(t.rank), micro_batch=float(t.micro_batch), seq=longest, checkpointing=t.checkpointing,
        trainer="hf", autocast=trainer_habits("hf", "bf16").autocast,
    )
    refused = refusal(shape, plan)
    dry = None if refused else dry_peak(known.store, shape, plan)
    best = None if refused else cheapest_run(s, shape, plan, mean, dry, known)
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
    held = "closed form held to dry runs" if dry is None else _dry_source(dry, plan)
    low, high = (each / GIB for each in best.memory[1:])
    sheet.add(
        f"options.{id}.training.memory_bytes", best.memory[0], "bytes",
        basis=Basis.CALIBRATED if dry is None else Basis.DRY_RUN,
        source=f"peak of the process on {offer.gpu}, {held}; 5-95%: {low:.1f} to {high:.1f} GiB",
        date=None if dry is None else dry[0].profile.started.date(),
    )
    sheet.add(
        path("gpu_hours"), best.gpu_hours, "GPU-hours",
        basis=Basis.MEASURED if best.evidence.level == "profile" else Basis.CALIBRATED,
        source=f"{training_tokens(s):,.0f} tokens at the roofline's step time x fitted efficiency; "
        + evidence_line(best.gpu, best.evidence),
    )
    sheet.add(path_of(Training, "usd_per_gpu_hour", option=id), offer.usd_per_gpu_hour, "USD/GPU-hour", basis=Basis.QUOTED,
              source=f"{offer.vendor} {offer.kind}: {offer.source}", date=offer.date)


def _dry_source(dry: DryPeak, plan: TrainingPlan) -> str:
    """The dry run's name, and whether it was of this size."""
    held = dry[0].profile.plan
    same = (held["micro_batch"], held["seq"]) == (plan.micro_batch, plan.seq)
    return f"dry run {dry[0].name}" + ("" if same else f", between the sizes run, at {plan.seq:,.0f} tokens")


def _add_hours_factor(sheet: FactSheet, run: CheapestRun | None) -> None:
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
