"""One measured training run as the estimators take it, and what the closed form predicts for it.

Memory is predicted of the kind that was measured, throughput from the roofline. Habits of a loop that no field of a plan says,
and values that stand in for what is not stated, widen a prediction.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from roi.estimate.step.calibration import Evidence, TimedRun, layout_of
from roi.estimate.step.step_time import StepEfficiency, StepTime, step_time
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.fitting import Overhead
from roi.estimate.training.memory import MemoryBreakdown, training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

MemoryKind = Literal["allocated", "reserved", "process", "unstated"]
"""torch.cuda.max_memory_allocated, max_memory_reserved, NVML or nvidia-smi; unstated: the source does not say."""
Habit = Literal[
    "chunked_loss", "emptied_cache", "variable_lengths", "unprepared", "step_in_backward", "head_adapter", "adapters_16bit",
]

CHUNKED_LOSS: Final = "loss computed in chunks, predicted whole"
"""The loss never holds its fp32 chain for all tokens at once (LitGPT, torchtune): the low end leaves the loss phase out."""
EMPTIED_CACHE: Final = "cache emptied by the loop"
"""The loop calls torch.cuda.empty_cache: freed blocks do not pile up, so the allocator adds little to the peak."""
VARIABLE_LENGTHS: Final = "lengths vary, cache kept"
"""A sequence longer than all before opens new segments while those of shorter ones stay, so the allocator may hold up to as
much again as a step needs; at one fixed length it reuses them."""
UNPREPARED: Final = "no k-bit preparation, predicted with it"
"""What is not quantised stays in 16 bits (LitGPT; peft's prepare_model_for_kbit_training casts it to fp32): the low end has
embedding, head and norms in 16 bits."""
STEP_IN_BACKWARD: Final = "optimizer step inside backward, predicted after it"
"""Each gradient is freed as soon as its parameter is updated (torchtune's optimizer_in_bwd): the low end has no gradients."""
HEAD_ADAPTER: Final = "adapter on the output head left out"
"""The output head carries an adapter too, which a plan's targets do not hold."""
ADAPTERS_16BIT: Final = "16-bit adapters as autocast false"
"""The whole module, adapters included, was cast to 16 bits (Lightning's bf16-true): they are predicted in fp32."""
HABITS: Final[dict[Habit, str]] = {
    "chunked_loss": CHUNKED_LOSS, "emptied_cache": EMPTIED_CACHE, "variable_lengths": VARIABLE_LENGTHS,
    "unprepared": UNPREPARED, "step_in_backward": STEP_IN_BACKWARD, "head_adapter": HEAD_ADAPTER,
    "adapters_16bit": ADAPTERS_16BIT,
}  # fmt: skip
"""Word of a table -> the label that a report shows."""
OTHER_LOOPS: Final = frozenset({CHUNKED_LOSS, VARIABLE_LENGTHS, UNPREPARED, STEP_IN_BACKWARD})
"""Habits of loops that are not the one which the instruments run."""
STACKS_APART: Final = (0.69, 2.34)
"""5th and 95th percentile of measured over predicted memory where the loop is another one, or the figure's kind is not stated:
195 published rows of six sources, weighted by the root of a source's rows. A source left out in turn lies inside for 88% of its
rows (lab/fit_training_intervals.py). Qwen's README and ms-swift alone, which state one nominal configuration (model, card,
length, batch, LoRA, checkpointing, attention), differ by -14% to +70%."""
FORMULA_ERROR: Final = 0.015
"""Distance of the closed form from torch's count: 0.5% from the dry run (90% of 351 grid rows are within 0.32%, of 137 others
within 0.42%), and up to 1% for blocks that the allocator hands out larger than asked (0 to 1.1% on 11 plans replayed)."""


FUSED_ERROR: Final = 0.04
"""How far measured memory may lie below the closed form with fused kernels, whose temporaries are counted as if their operators
ran one by one (42 rows of fms-acceleration lie 0 to 3.3% below)."""


@dataclass(frozen=True)
class MeasuredRun:
    """A row of a table of measurements, or one point of a profile."""

    id: str
    source: str
    """Group that shares software and habits: the id without its number, or the profile's file."""
    method: str
    """Method as the table names it, for grouping."""
    gpu_name: str
    """GPU as the table names it, for grouping."""
    model: ModelShape
    plan: TrainingPlan
    """At the longest sequence: memory follows it."""
    gpu: Gpu | None
    """None where the catalog has no such card: memory is still predicted, time is not."""
    mean_tokens: float | None
    """Mean tokens of a sequence, padding as the source counts it: time follows it. None where unknown."""
    memory_bytes: float | None
    memory_kind: MemoryKind
    tokens_per_s: float | None
    """Of the whole job, all GPUs."""
    out_of_memory: bool = False
    """True where the source says that the run did not fit."""
    assumed: tuple[tuple[str, TrainingPlan], ...] = ()
    """Each default that was used in place of an absent column ("lora_dropout 0"), with the plan of its other value: the
    interval widens by the difference."""


@dataclass(frozen=True)
class Prediction:
    """A figure and its 5th and 95th percentile, in SI units."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class NoPrediction:
    """Why a predictor has no figure for this run."""

    reason: str


Predictor = Callable[[MeasuredRun], Prediction | NoPrediction]
"""Memory (bytes, of the run's kind) or throughput (tokens/s of the whole job) of a run."""


def widen(found: Prediction, others: list[float]) -> Prediction:
    """The prediction with its interval widened by the difference between each default and its other value.

    A default that stands on the wrong side is off by the whole difference, so differences add, each on its own side.
    """
    below = sum(max(found.value - other, 0.0) for other in others)
    above = sum(max(other - found.value, 0.0) for other in others)
    # what a default takes away is bounded by the figure itself
    return Prediction(found.value, max(found.low - below, 0.05 * found.value), found.high + above)


def allow_for_other_stacks(found: Prediction, run: MeasuredRun) -> Prediction:
    """The prediction with the spread of other stacks where the run's loop, or what its figure is, is not known."""
    marks = {label for label, _ in run.assumed}
    if run.memory_kind != "unstated" and not marks & OTHER_LOOPS:
        return found
    below, above = STACKS_APART
    return Prediction(found.value, min(found.low, found.value * below), max(found.high, found.value * above))


def memory_predictor(overhead: Overhead) -> Predictor:
    """Peak memory in bytes: allocated; reserved = with the allocator's slack; process = with the CUDA context too.

    Where the source does not say which of them it measured, the middle one, from the lowest of allocated to the highest
    of process. The 5-95% interval is the formula's own error, the spread of slack and context, and the difference of
    each default to its other value. Habits that no plan says (`marks`) move an end: a loss in chunks has no loss phase at
    the low end, an emptied cache has no slack, varying lengths may double the dynamic part.
    """

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        marks = {label for label, _ in run.assumed}
        slack = overhead.slack
        if EMPTIED_CACHE in marks:
            slack = (0.0, 0.0, slack[0])
        memory = training_memory(run.model, run.plan, run.gpu, slack[0], overhead.context_bytes[0])
        if VARIABLE_LENGTHS in marks:
            slack = (slack[0], slack[1], max(slack[2], float(memory.dynamic_bytes) / max(float(memory.loose_bytes), 1.0)))
        found = _kind_of(memory, run.memory_kind, slack, overhead.context_bytes)
        others = [_central(training_memory(run.model, other, run.gpu, slack[0], overhead.context_bytes[0]), run.memory_kind)
                  for other in _other_plans(run)]
        if CHUNKED_LOSS in marks:
            forward, _, backward, optimizer = (float(x) for x in memory.phase_bytes)
            others.append(found.value - float(memory.peak_allocated_bytes) + max(forward, backward, optimizer))
        if UNPREPARED in marks:
            others.append(found.value - float(memory.preparation_bytes))
        if STEP_IN_BACKWARD in marks:
            others.append(found.value - float(trained_parameters(run.model, run.plan)) * run.plan.trained_bytes)
        return allow_for_other_stacks(widen(found, others), run)

    return predict


def throughput_predictor(evidence: Callable[[Gpu, ModelShape, TrainingPlan], Evidence]) -> Predictor:
    """Tokens/s of the whole job at the mean length, by the evidence for its plan on its card; defaults widen the interval."""

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        if run.gpu is None:
            return NoPrediction(f"gpu: {run.gpu_name!r}; not one card of the catalog, so no rates")
        if run.mean_tokens is None:
            return NoPrediction("seq_len_mean: no number; time follows the mean length")
        found = evidence(run.gpu, run.model, run.plan)
        steps = [_micro_step(run, plan, run.gpu, found.efficiency) for plan in (run.plan, *_other_plans(run))]
        value, *others = (tokens / seconds for tokens, seconds in steps)
        low, high = (value * end / float(found.efficiency.overall) for end in (found.low, found.high))
        return widen(Prediction(value, low, high), others)

    return predict


def _micro_step(run: MeasuredRun, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> tuple[float, float]:
    """Tokens of one micro-step of all GPUs at the run's mean length, and its seconds with its share of the optimizer step."""
    mean = min(run.mean_tokens or float(plan.seq), float(plan.seq))
    step = step_time(run.model, replace(plan, seq=mean), gpu, efficiency)
    return float(step.tokens) * plan.gpus, _with_update(step, plan)


def _with_update(step: StepTime, plan: TrainingPlan) -> float:
    return float(step.micro_step_s) + float(step.optimizer_s + step.synchronisation_s) / plan.accumulation


def theory_s(shape: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> float:
    """The roofline's seconds for one micro-step with its share of the optimizer step, at an overall efficiency of 1."""
    return _with_update(step_time(shape, plan, gpu, replace(efficiency, overall=1.0)), plan)


def _other_plans(run: MeasuredRun) -> list[TrainingPlan]:
    return [plan for _, plan in run.assumed if plan != run.plan]


def _central(memory: MemoryBreakdown, kind: MemoryKind) -> float:
    figures = {
        "allocated": memory.peak_allocated_bytes, "reserved": memory.reserved_bytes, "process": memory.process_bytes,
        "unstated": memory.reserved_bytes,
    }  # fmt: skip
    return float(figures[kind])


def _kind_of(
    memory: MemoryBreakdown, kind: MemoryKind, slack: tuple[float, float, float], context: tuple[float, float, float],
) -> Prediction:
    allocated, loose = float(memory.peak_allocated_bytes), float(memory.loose_bytes)
    low, high = 0.0, 0.0
    if kind in ("reserved", "process"):
        low, high = loose * slack[1], loose * slack[2]
    if kind == "process":
        low, high = low + context[1], high + context[2]
    if kind == "unstated":
        high = loose * slack[2] + context[2]
    above = FORMULA_ERROR * allocated
    below = FUSED_ERROR * allocated if memory.fused else above
    return Prediction(_central(memory, kind), allocated + low - below, allocated + high + above)


def timed_run(run: MeasuredRun, efficiency: StepEfficiency) -> TimedRun | None:
    """The run beside the roofline at its mean length; None where its card, its speed or its mean length is unknown."""
    if run.gpu is None or not run.tokens_per_s or run.mean_tokens is None:
        return None
    tokens, seconds = _micro_step(run, run.plan, run.gpu, replace(efficiency, overall=1.0))
    return TimedRun(id=run.id, source=run.source, gpu=run.gpu.id, layout=layout_of(run.plan), method=run.method,
                    model=run.model.id, measured_s=tokens / run.tokens_per_s, theory_s=seconds)
