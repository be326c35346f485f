"""The closed form as a predictor: memory of the kind that was measured, and throughput from the roofline."""

from dataclasses import replace
from typing import Final

from roi.estimate.accuracy.measured_run import (
    CHUNKED_LOSS,
    EMPTIED_CACHE,
    STEP_IN_BACKWARD,
    UNPREPARED,
    VARIABLE_LENGTHS,
    MeasuredRun,
    MemoryKind,
    NoPrediction,
    Prediction,
    Predictor,
    loosen,
    widen,
)
from roi.estimate.step.step_time import StepEfficiency, step_time
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.fitting import Overhead
from roi.estimate.training.memory import MemoryBreakdown, training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu

FORMULA_ERROR: Final = 0.015
"""Distance of the closed form from torch's count: 0.5% from the dry run (90% of 351 grid rows are within 0.32%, of 137 others
within 0.42%), and up to 1% for blocks that the allocator hands out larger than asked (0 to 1.1% on 11 plans replayed)."""


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
        return loosen(widen(found, others), run)

    return predict


def throughput_predictor(efficiency: StepEfficiency, overall_spread: tuple[float, float]) -> Predictor:
    """Tokens/s of the whole job at the mean length; the interval is the spread of the overall efficiency and of defaults."""

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        if run.gpu is None:
            return NoPrediction(f"gpu: {run.gpu_name!r}; not one card of the catalog, so no rates")
        if run.mean_tokens is None:
            return NoPrediction("seq_len_mean: no number; time follows the mean length")
        value = tokens_per_s(run, run.plan, run.gpu, efficiency)
        low, high = (value * end / float(efficiency.overall) for end in overall_spread)
        return widen(Prediction(value, low, high), [tokens_per_s(run, p, run.gpu, efficiency) for p in _other_plans(run)])

    return predict


def tokens_per_s(run: MeasuredRun, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> float:
    """Tokens/s of all GPUs under `plan` at the run's mean length."""
    mean = min(run.mean_tokens or float(plan.seq), float(plan.seq))
    step = step_time(run.model, replace(plan, seq=mean), gpu, efficiency)
    seconds = float(step.micro_step_s) + float(step.optimizer_s + step.synchronisation_s) / plan.accumulation
    return float(step.tokens) * plan.gpus / seconds


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
    error = FORMULA_ERROR * allocated
    return Prediction(_central(memory, kind), allocated + low - error, allocated + high + error)
