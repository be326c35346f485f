"""What does a training plan need, on which GPU does it fit, how long does it take and what does it cost?

    MODEL --choose_model--> shape --plan_on_stored--> the plan that its checkpoint admits
          --memory_evidence--> a dry run's peaks, else the closed form
          --plan_speed--> what each card's speed rests on --fit_plan--> a line for every GPU
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date as Date
from math import inf
from pathlib import Path
from typing import Final

import numpy as np

from roi.answers.fit_memory import memory_evidence
from roi.answers.fit_stored import plan_on_stored
from roi.answers.telling import Tell, keep_quiet, tell_left_out
from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.catalog.efficiencies.cuda_contexts import training_overhead
from roi.catalog.models.config_shapes import choose_model
from roi.catalog.prices.gpu_offers import rental_offers
from roi.errors import InputError
from roi.estimate.fitting.dry_peaks import DryPeaks
from roi.estimate.fitting.gpu_fit import Breakdowns, GpuFit, doubt, fit_plan
from roi.estimate.step.calibration import Evidence, step_at_ends
from roi.estimate.step.step_time import StepWork, hours_of, links_of, step_work
from roi.estimate.training.adapters import end_parameters, trained_parameters
from roi.estimate.training.plan import Sharding, TrainingPlan
from roi.estimate.training.setting import STACKED_BEFORE, refusal
from roi.estimate.training.targets import apart_from_ends, usual_targets
from roi.evidence.trained_rows import find_calibrations
from roi.evidence.training_speed import best_product, plan_speed
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.price import RentalKind, RentalOffer
from roi.facts.profiles import DryRunProfile
from roi.store.profiles.lookup import Store, load_profiles, profile_folders
from roi.units import MTOK, SECONDS_PER_HOUR

LIMITS: Final = (("examples", 1.0, 1e12), ("tokens_per_example", 1.0, 1e8), ("epochs", 0.001, 10_000.0))
"""Fields of a training set with their least and largest values: 1e12 examples of ten tokens are more than all text."""


AMPERE_KERNELS: Final[dict[str, str]] = {
    "flash": "FlashAttention-2", "flash3": "FlashAttention-3", "sdpa-flash": "SDPA's FlashAttention",
    "sdpa-cudnn": "cuDNN's attention",
}
"""Kernels of attention that a card without bf16 units lacks (torch's sdp_utils.cpp; transformers asks FlashAttention-3's)."""
FP16: Final = "no bf16 units: use --dtype fp16"
"""Note of a card that cannot compute in the plan's bf16."""
SPLITS: Final[tuple[Sharding, ...]] = ("fsdp", "zero3")
"""Ways to spread the weights too, the usual one first."""


@dataclass(frozen=True)
class TrainingSet:
    """What is trained on."""

    examples: float
    """Examples of one epoch."""
    tokens_per_example: float
    """Mean tokens of one example."""
    epochs: float
    """Passes over the examples."""

    def __post_init__(self) -> None:
        for field, least, most in LIMITS:
            value = getattr(self, field)
            if not least <= value <= most:
                raise InputError(f"{field}: {value:g} is not usable; from {least:g} to {most:,.0f}")
        if self.examples % 1.0:
            raise InputError(f"examples: {self.examples:g} is not usable; a whole number")


@dataclass(frozen=True, kw_only=True)
class GpuLine:
    """One GPU of the report; figures that were not asked for, or that no offer gives, are None."""

    fit: GpuFit
    tokens_per_s: float
    """Tokens a second of the job, at the plan's sequence (the training set's mean where given and rows are not packed)."""
    tokens_per_s_range: tuple[float, float]
    """5th and 95th percentile of the tokens a second."""
    hours: tuple[float, float, float] | None = None
    """Hours of wall clock that the job takes: central, 5th and 95th percentile."""
    usd: tuple[float, float, float] | None = None
    """Rent of whole instances for `hours`, USD: central, 5th and 95th percentile."""
    offer: RentalOffer | None
    """Cheapest on-demand offer of the GPU; None where there is none."""
    paid_gpus: int | None
    """GPUs of the whole instances that are rented."""
    usd_per_mtok: float | None
    """Rent while a million tokens are trained, which ranks cards where hours were not asked for."""
    note: str
    """What memory and time do not say."""
    evidence: Evidence
    """What the speed rests on."""
    link_share: float = 0.0
    """Share of the time in which cards exchange tensors, which no work hides."""
    link_bytes_per_s: float | None = None
    """What a card sends a second meanwhile; None for one card."""
    ceiling: tuple[float, str] | None = None
    """(The best matrix product of the plan's type measured on this card, over the datasheet's rate; the device profile)."""

    @property
    def cost(self) -> tuple[float, float, float]:
        """USD of the run, or of a million tokens where hours were not asked for: central, least, most; inf without an offer."""
        if self.usd is not None or self.usd_per_mtok is None:
            return self.usd or (inf, inf, inf)
        slow, fast = (self.usd_per_mtok * self.tokens_per_s / x for x in self.tokens_per_s_range)
        return self.usd_per_mtok, fast, slow


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """The answer of `roi fit`: a model, a plan and a line for every GPU."""

    model: ModelShape
    plan: TrainingPlan
    trained_parameters: float
    training_set: TrainingSet | None
    lines: tuple[GpuLine, ...]
    """One line for each GPU: those on which the plan fits first, cheapest (else smallest) first."""
    dry: DryPeaks | None
    """Peaks of the dry run that memory comes from; None: the closed form."""
    dry_run: DryRunProfile | None
    """The dry run that memory is taken from; None where the plan's size lies between those that it ran."""
    kept: str
    """What became of a dry run that was made now; else empty."""
    as_of: Date | None
    """Day whose prices are taken."""
    unquantised: "FitReport | None" = None
    """The report without quantisation, closed form, where QLoRA leaves experts as they are and this is cheaper; else None."""
    stored: str = ""
    """How the weights that were named are packed, and what training makes of that; empty where they are not."""
    sharded: "FitReport | None" = None
    """The report for the model split over the GPUs, in closed form, where it fits so and no card holds it whole; else None."""

    @property
    def usable(self) -> tuple[GpuLine, ...]:
        """The cards that the plan fits on and whose number formats it needs, cheapest first; those without an offer last."""
        return tuple(sorted((x for x in self.lines if x.fit.fits and not x.note), key=lambda x: x.cost[0]))

    @property
    def recommended(self) -> GpuLine | None:
        """The cheapest card on which the plan fits at the 95th percentile too, else centrally; None where it fits on none."""
        return min(self.usable, key=lambda x: (x.offer is None, doubt(x.fit)), default=None)


def fit_model(
    model: str, plan: TrainingPlan, *, gpus: str = "all", data: TrainingSet | None = None, day: Date, run_dry: bool = False,
    profiles: Sequence[Path] = (), tell: Tell = keep_quiet, cut: bool = False,
) -> FitReport:
    """The plan for the model on the GPUs (names with commas, or all), at the prices of the day.

    `run_dry` runs the real training step on tensors without storage now, and keeps it in the first of `profiles`; else a dry
    run of this plan among the profiles says what memory it needs, else the closed form. With `cut` nobody asked for the plan's
    length: a model of a shorter context takes that, and `tell` hears it.
    """
    _refuse_scenario(Path(model))
    chosen = choose_model(model)
    shape, cards = chosen.shape, [name for name in gpus.split(",") if name.strip()]
    if not cards:
        raise InputError(f"--gpu: {gpus!r} names no card; all, or names with commas")
    named = [] if gpus == "all" else [find_gpu(name, "--gpu", "--gpus") for name in cards]
    if no := next((name for name, gpu in zip(cards, named, strict=False) if gpu.apple), None):
        raise InputError(f"--gpu: {no!r}: training is not estimated on Apple's GPUs; name a card with CUDA or ROCm."
                         " `roi size` says what such a Mac serves")
    named = list({gpu.id: gpu for gpu in named}.values())
    if plan.split_experts and not (shape.mixture and shape.family not in STACKED_BEFORE):
        why = "the experts of {} are one parameter before transformers 5 too" if shape.mixture else "{} has no experts"
        raise InputError(f"split_experts: {why.format(shape.id)}; leave it out")
    plan, told = plan_on_stored(plan, chosen.stored, model)
    targets, ends = apart_from_ends(shape, plan.targets) if plan.targeted else (plan.targets, False)
    plan = replace(plan, targets=usual_targets(shape, targets), ends=ends or plan.ends)
    if cut and shape.context_tokens < plan.seq:
        tell(f"sequences are of {shape.context_tokens:,} tokens, all that {shape.id} takes; without --seq they are of"
             f" {plan.seq:,.0f}")
        if data is not None and data.tokens_per_example == plan.seq:
            data = replace(data, tokens_per_example=float(shape.context_tokens))
        plan = replace(plan, seq=shape.context_tokens)
    if data is not None and data.tokens_per_example > plan.seq and not plan.packed:
        raise InputError(f"tokens_per_example: {data.tokens_per_example:g} is above --seq {plan.seq:g}: longer examples would"
                         " be cut; raise --seq")
    folders = profile_folders([folder for folder in profiles if folder.exists() or not run_dry])
    store = load_profiles(folders, kinds={"dry-run", "probe"}, model=shape.id)
    trained, (calibrations, unread) = load_profiles(folders, kinds={"train", "device"}), find_calibrations(folders)
    tell_left_out((*store.damaged, *trained.damaged, *unread), tell)
    folder = profiles[0] if profiles else None
    peaks, dry_run, kept = memory_evidence(chosen, plan, named, store, run_dry=run_dry, folder=folder)
    offers = rental_offers(day)

    def report(plan: TrainingPlan, peaks: DryPeaks | None = None, dry_run: DryRunProfile | None = None) -> FitReport:
        known = Breakdowns(shape)
        fits = [fit_plan(shape, plan, gpu, training_overhead(gpu), peaks, known) for gpu in named or load_gpus()]
        timed = plan if data is None or plan.packed else replace(plan, seq=min(data.tokens_per_example, float(plan.seq)))
        speed, work = plan_speed(shape, timed, dry_run, trained, calibrations), step_work(shape, timed)
        lines = [replace(_line(shape, timed, work, fit, speed(fit.gpu), offers, data),
                         ceiling=_ceiling(trained, fit.gpu, plan.dtype)) for fit in fits]
        lines.sort(key=lambda x: (not x.fit.fits, x.usd[0] if x.usd else float("inf"), x.fit.gpu.memory_bytes, x.fit.gpu.id))
        built = None if dry_run is None else dry_run.trained_parameters
        count = float(trained_parameters(shape, plan) + end_parameters(shape, plan) if built is None else built)
        return FitReport(model=shape, plan=plan, trained_parameters=count, training_set=data, lines=tuple(lines), dry=peaks,
                         dry_run=dry_run if peaks and peaks.own.ran else None, kept=kept, as_of=day, stored=told)

    found, other = report(plan, peaks, dry_run), replace(plan, method="dora" if plan.weight_decomposed else "lora")
    if plan.gpus > 1 and plan.sharding == "none" and not found.usable:
        reports = (report(each) for each in _splits(plan) if not refusal(shape, each))
        found = replace(found, sharded=next((each for each in reports if each.usable), None))
    if not (plan.prepared and shape.mixture) or plan.split_experts or chosen.stored is not None or refusal(shape, other):
        return found
    usual, best = report(other), found.recommended
    cheaper = usual.recommended is not None and (best is None or usual.recommended.cost[0] < best.cost[0])
    return replace(found, unquantised=usual if cheaper else None)


def _splits(plan: TrainingPlan) -> Iterable[TrainingPlan]:
    """The plan with its weights spread over the GPUs, in every way that can be: packed integers in none."""
    for sharding in SPLITS:
        with suppress(InputError):
            yield replace(plan, sharding=sharding)


def _ceiling(store: Store, gpu: Gpu, dtype: str) -> tuple[float, str] | None:
    found, rate = best_product(store, gpu.id, dtype), gpu.matrix_flops(dtype)
    return None if found is None or not rate else (found[0] / rate, found[1])


def _refuse_scenario(path: Path) -> None:
    """Raise where a YAML file is given in the place of a model, with the models that it names where it is a scenario."""
    if path.suffix.lower() not in {".yaml", ".yml"} or not path.is_file():
        return
    from roi.scenario.file import load_scenario  # a fifth of the command's time, for a mistake

    try:
        named = load_scenario(path).candidates.self_hosted
    except InputError:
        named = ()
    its = f"one of its candidates.self_hosted, {', '.join(named)}" if named else "a name of the catalog"
    raise InputError(f"MODEL: {path} is YAML, as a scenario is; roi fit takes a model: {its}, or the path of a config.json")


def _line(
    model: ModelShape, plan: TrainingPlan, work: StepWork, fit: GpuFit, evidence: Evidence, offers: Iterable[RentalOffer],
    data: TrainingSet | None,
) -> GpuLine:
    """What is told of one GPU: speed, and where a training set is known hours and rent; sequences of the plan are its mean.

    Packed rows are full: as many as its tokens fill.
    """
    gpu, efficiency = fit.gpu, evidence.efficiency
    step = step_at_ends(model, plan, gpu, evidence, work)
    seconds = step.micro_step_s + (step.optimizer_s + step.synchronisation_s) / plan.accumulation
    linked = (step.link_s + step.synchronisation_s / plan.accumulation) / seconds
    sends = links_of(plan, gpu, efficiency)["all-gather"].bytes_per_s
    tokens_per_s, slowest, fastest = (float(x) for x in np.asarray(step.tokens * plan.gpus / seconds))
    on_demand = [o for o in offers if o.gpu == gpu.id and o.kind == RentalKind.ON_DEMAND and o.minimum_months == 0
                 and not o.index]
    offer = min(on_demand, key=lambda o: _usd_per_hour(o, plan.gpus), default=None)
    note = FP16 if plan.dtype == "bf16" and gpu.bf16_flops is None else ""
    if gpu.bf16_flops is None and (kernel := AMPERE_KERNELS.get(plan.attention)):
        note = f"{kernel} needs Ampere or newer" + (f"; {note}" if note else "")
    rent = None if offer is None else _usd_per_hour(offer, plan.gpus)
    line = GpuLine(
        fit=fit, tokens_per_s=tokens_per_s, tokens_per_s_range=(slowest, fastest), offer=offer,
        note=note, evidence=evidence, link_share=float(np.ravel(linked)[0]),
        link_bytes_per_s=None if plan.gpus == 1 else float(np.ravel(sends)[0]),
        paid_gpus=None if offer is None else _paid_gpus(offer, plan.gpus),
        usd_per_mtok=None if rent is None else rent / SECONDS_PER_HOUR / tokens_per_s * MTOK,
    )  # fmt: skip
    if data is None:
        return line
    rows = data.examples * data.tokens_per_example / float(plan.seq) if plan.packed else data.examples
    mid, long, short = (float(x) for x in np.asarray(hours_of(step, plan, rows, data.epochs)))
    return replace(line, hours=(mid, short, long), usd=None if rent is None else (rent * mid, rent * short, rent * long))


def _usd_per_hour(offer: RentalOffer, gpus: int) -> float:
    """Rent of enough whole instances for `gpus` GPUs."""
    return _paid_gpus(offer, gpus) * offer.usd_per_gpu_hour


def _paid_gpus(offer: RentalOffer, gpus: int) -> int:
    """GPUs of the fewest whole instances that hold `gpus`."""
    return -(-gpus // offer.gpus_per_instance) * offer.gpus_per_instance
