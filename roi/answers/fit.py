"""One plan on many GPUs: memory, hours and rent, as the `fit` command shows them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from typing import Final

from roi.errors import InputError
from roi.estimate.step.calibration import Evidence
from roi.estimate.step.step_time import step_time, training_hours
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.dry_peaks import DryPeaks
from roi.estimate.training.fitting import GpuFit, Overhead, fit_plan
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.price import RentalKind, RentalOffer

LIMITS: Final = (("examples", 1.0, 1e12), ("tokens_per_example", 1.0, 1e8), ("epochs", 0.001, 10_000.0))
"""Fields of a training set with their least and largest values: 1e12 examples of ten tokens are more than all text."""


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


@dataclass(frozen=True)
class GpuLine:
    """One GPU of the report; figures that were not asked for, or that no offer gives, are None."""

    fit: GpuFit
    tokens_per_s: float
    """Of the job, at the plan's sequence (the training set's mean where given)."""
    hours: tuple[float, float, float] | None
    """Wall clock: central, 5th and 95th percentile."""
    usd: tuple[float, float, float] | None
    """Rent of whole instances for those hours."""
    offer: RentalOffer | None
    """Cheapest on-demand offer."""
    note: str
    """What memory and time do not say."""
    evidence: Evidence
    """What the speed rests on."""


@dataclass(frozen=True)
class FitReport:
    """A model, a plan and a line for every GPU."""

    model: ModelShape
    plan: TrainingPlan
    trained_parameters: float
    training_set: TrainingSet | None
    lines: tuple[GpuLine, ...]
    dry: DryPeaks | None = None
    """Where memory comes from a dry run."""
    as_of: Date | None = None
    """Day of the prices."""


def report_fit(
    model: ModelShape, plan: TrainingPlan, gpus: Sequence[Gpu], overhead: Callable[[Gpu], Overhead],
    speed: Callable[[Gpu], Evidence], offers: Iterable[RentalOffer], training_set: TrainingSet | None,
    dry: DryPeaks | None = None, as_of: Date | None = None, trained: int | None = None,
) -> FitReport:
    """The plan on every GPU; those on which it fits come first, cheapest (else smallest) first.

    `speed` says what each card's training speed rests on; `trained` is the count of a model that was built, which goes before
    the formula's.
    """
    known = list(offers)
    fits = [fit_plan(model, plan, gpu, overhead(gpu), dry) for gpu in gpus]
    lines = [_line(model, plan, fit, speed(fit.gpu), known, training_set) for fit in fits]
    lines.sort(key=lambda x: (not x.fit.fits, x.usd[0] if x.usd else float("inf"), x.fit.gpu.memory_bytes, x.fit.gpu.id))
    count = float(trained_parameters(model, plan)) if trained is None else float(trained)
    return FitReport(model, plan, count, training_set, tuple(lines), dry, as_of)


def _line(
    model: ModelShape, plan: TrainingPlan, fit: GpuFit, evidence: Evidence, offers: list[RentalOffer],
    data: TrainingSet | None,
) -> GpuLine:
    gpu, efficiency = fit.gpu, evidence.efficiency
    timed = plan if data is None else replace(plan, seq=min(data.tokens_per_example, float(plan.seq)))
    step = step_time(model, timed, gpu, efficiency)
    seconds = step.micro_step_s + (step.optimizer_s + step.synchronisation_s) / plan.accumulation
    speed = float(step.tokens * plan.gpus / seconds)
    offer = _cheapest(offers, gpu, plan.gpus)
    note = "no bf16 units: use --dtype fp16" if plan.dtype == "bf16" and gpu.bf16_flops is None else ""
    if plan.attention == "flash" and gpu.bf16_flops is None:
        note = "FlashAttention-2 needs Ampere or newer" + (f"; {note}" if note else "")
    if data is None:
        return GpuLine(fit, speed, None, None, offer, note, evidence)
    mid, short, long = (
        float(training_hours(model, plan, gpu, replace(efficiency, overall=x), data.examples, data.tokens_per_example,
                             data.epochs))
        for x in (efficiency.overall, evidence.high, evidence.low)
    )
    if offer is None:
        return GpuLine(fit, speed, (mid, short, long), None, None, note, evidence)
    rent = _usd_per_hour(offer, plan.gpus)
    return GpuLine(fit, speed, (mid, short, long), (rent * mid, rent * short, rent * long), offer, note,
                   evidence)


def _cheapest(offers: list[RentalOffer], gpu: Gpu, gpus: int) -> RentalOffer | None:
    """The on-demand offer with the lowest rent for `gpus` GPUs, whole instances."""
    fitting = [o for o in offers if o.gpu == gpu.id and o.kind == RentalKind.ON_DEMAND and o.minimum_months == 0]
    return min(fitting, key=lambda o: _usd_per_hour(o, gpus), default=None)


def _usd_per_hour(offer: RentalOffer, gpus: int) -> float:
    """Rent of enough whole instances for `gpus` GPUs."""
    instances = -(-gpus // offer.gpus_per_instance)
    return instances * offer.gpus_per_instance * offer.usd_per_gpu_hour
