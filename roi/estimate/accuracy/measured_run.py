"""One measured training run as the estimators take it, and what the closed form predicts for it.

Memory is predicted of the kind that was measured, throughput from the roofline. Habits of a loop that no field of a plan says,
and values that stand in for what is not stated, widen a prediction.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from roi.estimate.fitting.distance import FORMULA_ERROR, Apart, distance, plan_apart
from roi.estimate.fitting.overhead import Overhead, reserved_range
from roi.estimate.step.calibration import Evidence, TimedRun, layout_of, size_of, step_at_ends
from roi.estimate.step.step_time import StepEfficiency, StepTime, step_time
from roi.estimate.training.memory import MemoryBreakdown, training_memory
from roi.estimate.training.peft_methods import share_trained
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.stacks import last_part
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number

MemoryKind = Literal["allocated", "reserved", "process", "unstated"]
"""torch.cuda.max_memory_allocated, max_memory_reserved, NVML or nvidia-smi; unstated: the source does not say."""
Habit = Literal[
    "chunked_loss", "emptied_cache", "variable_lengths", "unprepared", "step_in_backward", "head_adapter", "adapters_16bit",
    "compiled", "ends_apart",
]

CHUNKED_LOSS: Final = "loss computed in chunks, predicted whole"
"""The loss never holds its fp32 chain for all tokens at once (LitGPT, torchtune): the low end is that of such a loss."""
EMPTIED_CACHE: Final = "cache emptied by the loop"
"""The loop calls torch.cuda.empty_cache: freed blocks do not pile up, so the allocator adds little to the peak."""
VARIABLE_LENGTHS: Final = "lengths vary, cache kept"
"""A sequence longer than all before opens new segments while those of shorter ones stay, so the allocator may hold up to as
much again as a step needs; at one fixed length it reuses them."""
LOSS_CHAIN_BYTES: Final = 12.0
"""Bytes a logit of the loss: log-softmax and two gradients in fp32."""
VARIED_CHAIN: Final = 3.23
"""Reserved memory of lengths that vary, beyond the tall point of a step, in bytes of its loss chain: each record length makes
new segments for logits that no cached one holds, and best fit cuts the cached ones up. Median of 20 replays of five plans with
checkpointing (5-95% 1.27 to 5.84, all 1.23 to 6.65) through the model of torch's allocator, 30 and 100 steps of lengths drawn
evenly between 100 and 2,048 tokens, sizes between two dry runs on a line: `python lab/fit_varied_lengths.py`. What forward
keeps adds nothing that can be told from zero: eight replays without checkpointing have -1.82 to 1.31 of it besides."""
UNPREPARED: Final = "no k-bit preparation, predicted with it"
"""What is not quantised stays in 16 bits (LitGPT; peft's prepare_model_for_kbit_training casts it to fp32): the low end has
embedding, head and norms in 16 bits."""
GPTQ: Final = "GPTQ, unpacked by torch's operators as AutoGPTQ does"
"""Other kernels unpack a weight without the tensors in between; nothing of the model is cast to fp32 (peft/utils/other.py,
prepare_model_for_kbit_training)."""
SLOWEST_STEP: Final = 0.1
"""Share of the roofline's speed below which a row of one's own is of another unit, or waited for something else than its cards:
half of what the slowest of 307 published rows has, 0.199 (FSDP between two desktop cards); on one GPU it has 0.400."""
HABITS: Final[dict[Habit, str]] = {
    "chunked_loss": CHUNKED_LOSS, "emptied_cache": EMPTIED_CACHE, "variable_lengths": VARIABLE_LENGTHS,
    "unprepared": UNPREPARED,
    "step_in_backward": "optimizer step inside backward",  # each gradient is freed as its parameter is updated
    "head_adapter": "adapter on the output head left out", "adapters_16bit": "16-bit adapters",
    "compiled": "torch.compile",  # what a compiled layer keeps is a choice of the compiler
    "ends_apart": "embedding and head sharded apart",  # FSDP gathers them as units (torchtune's custom_sharded_layers)
}  # fmt: skip
"""Word of a table -> the label that a report shows; `TrainingRow.habits` says what each means."""


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
    """The plan at the longest sequence: memory follows it."""
    gpu: Gpu | None
    """None where the catalog has no such card: memory is still predicted, time is not."""
    mean_tokens: float | None
    """Mean tokens of a sequence, padding as the source counts it: time follows it. None where unknown."""
    memory_bytes: float | None
    memory_kind: MemoryKind
    tokens_per_s: float | None
    """Tokens a second of the whole job, all GPUs together."""
    out_of_memory: bool = False
    """True where the source says that the run did not fit."""
    parts: int = 1
    """GPUs that hold the layers in turn, of which one works at a time (device_map): memory is that of the last."""
    split: bool = False
    """True under tensor or pipeline parallelism: speed is predicted as that of replicas, memory is not."""
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


def kinds_apart(run: MeasuredRun) -> frozenset[Apart]:
    """Why the run's figure may lie apart from the closed form: its kind or lengths, loop, stack, sharding, compilation."""
    marks = {label for label, _ in run.assumed}
    found: dict[Apart, bool] = {
        "unstated": run.memory_kind == "unstated", "varied": VARIABLE_LENGTHS in marks and run.memory_kind != "allocated",
        "other loop": bool(marks & {CHUNKED_LOSS, UNPREPARED, GPTQ}),
    }  # fmt: skip
    return plan_apart(run.plan) | {name for name, holds in found.items() if holds}


def allow_for_other_stacks(found: Prediction, run: MeasuredRun) -> Prediction:
    """The prediction with the spread of rows like it, where its figure, loop or stack is not what the formula counts."""
    apart = float(np.exp(distance(run.plan, kinds_apart(run))))
    return Prediction(found.value, min(found.low, found.value / apart), max(found.high, found.value * apart))


def memory_predictor(overhead: Overhead) -> Predictor:
    """Peak memory in bytes: allocated; reserved = with the allocator's slack; process = with the CUDA context too.

    Where the source does not say which of them it measured, process, which nvidia-smi shows. The 5-95% interval is the
    formula's own error, the spread of slack and context, and the difference of each default to its other value. Habits that
    no plan says (`marks`) move an end: a loss in chunks is one at the low end, an emptied cache has no slack,
    varying lengths leave segments behind.
    """

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        if run.split:
            return NoPrediction("sharding: products or layers split over GPUs, and no column says over how many")
        model = run.model if run.parts == 1 else last_part(run.model, run.parts)
        marks = {label for label, _ in run.assumed}
        held = overhead.with_collectives(run.plan)
        if EMPTIED_CACHE in marks:
            held = replace(held, slack=(0.0, 0.0, held.slack[0]))
        slack, context = held.slack[0], held.context_bytes[0]
        memory = training_memory(model, run.plan, run.gpu, slack, context)
        found = _kind_of(memory, run.memory_kind, held)
        if VARIABLE_LENGTHS in marks:
            found = of_varying_lengths(run, memory, found)
        own = _central(memory, run.memory_kind)
        others = [found.value - own + _central(training_memory(model, other, run.gpu, slack, context),
                                               run.memory_kind)
                  for other in _other_plans(run)]
        if CHUNKED_LOSS in marks:
            chunked = training_memory(model, replace(run.plan, loss="chunked"), run.gpu)
            others.append(found.value - float(memory.peak_allocated_bytes - chunked.peak_allocated_bytes))
        if UNPREPARED in marks:
            others.append(found.value - float(memory.preparation_bytes))
        return allow_for_other_stacks(widen(found, others), run)

    return predict


def of_varying_lengths(run: MeasuredRun, memory: MemoryBreakdown, found: Prediction) -> Prediction:
    """The prediction where lengths vary: reserved memory has segments of shorter steps, allocated the longest that came.

    No more than the card holds: where the driver has none left, the allocator gives its cache back and asks again.
    """
    allocated, phases = float(memory.peak_allocated_bytes), [float(x) for x in memory.phase_bytes]
    resident, saved = allocated - float(memory.dynamic_bytes), float(memory.saved_bytes)
    if run.memory_kind == "allocated":
        return Prediction(found.value, min(found.low, max(resident, phases[-1])), found.high)
    logits = float(run.plan.micro_batch * run.plan.seq) * run.model.vocab
    chain = max(min(phases[1] - resident - saved, LOSS_CHAIN_BYTES * logits), 0.0)
    tall = max(phases[0], phases[1])
    central = tall + VARIED_CHAIN * chain
    rest = found.value - float(memory.reserved_bytes)  # the context, where the kind counts it
    most = max(float("inf") if run.gpu is None else run.gpu.memory_bytes, found.value)
    value = min(max(found.value, central + rest), most)
    return Prediction(value, value, value)  # the spread is that of APART


def throughput_predictor(evidence: Callable[[Gpu, ModelShape, TrainingPlan], Evidence]) -> Predictor:
    """Tokens/s of the whole job at the mean length, by the evidence for its plan on its card; defaults widen the interval."""

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        if run.gpu is None:
            return NoPrediction(f"gpu: {run.gpu_name!r}; not one card of the catalog, so no rates")
        if run.mean_tokens is None:
            return NoPrediction("seq_len_mean: no number; time follows the mean length")
        plan = at_mean(run, run.plan)
        found = evidence(run.gpu, run.model, plan)
        ends = step_at_ends(run.model, plan, run.gpu, found)
        seconds = _with_update(ends, plan, plan.gpus if run.split else 1)
        value, low, high = (float(x) for x in np.asarray(ends.tokens * plan.gpus / seconds))
        others = [_micro_step(run, other, run.gpu, found.efficiency) for other in _other_plans(run)]
        return widen(Prediction(value, low, high), [tokens / other_s for tokens, other_s in others])

    return predict


def at_mean(run: MeasuredRun, plan: TrainingPlan) -> TrainingPlan:
    """The plan with sequences of the run's mean length."""
    return replace(plan, seq=min(run.mean_tokens or float(plan.seq), float(plan.seq)))


def _micro_step(run: MeasuredRun, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> tuple[float, float]:
    """Tokens of one micro-step of all GPUs at the run's mean length, and its seconds with its share of the optimizer step."""
    step = step_time(run.model, at_mean(run, plan), gpu, efficiency)
    return float(step.tokens) * plan.gpus, float(_with_update(step, plan, plan.gpus if run.split else 1))


def _with_update(step: StepTime, plan: TrainingPlan, parts: int = 1) -> Number:
    """Seconds of a micro-step with its share of the optimizer step; each of `parts` GPUs updates its own parameters."""
    return step.micro_step_s + (step.optimizer_s + step.synchronisation_s) / plan.accumulation / parts


def theory_s(shape: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> float:
    """The roofline's seconds for one micro-step with its share of the optimizer step, at an overall efficiency of 1."""
    return float(_with_update(step_time(shape, plan, gpu, replace(efficiency, overall=1.0)), plan))


def _other_plans(run: MeasuredRun) -> list[TrainingPlan]:
    return [plan for _, plan in run.assumed if plan != run.plan]


def _central(memory: MemoryBreakdown, kind: MemoryKind) -> float:
    figures = {
        "allocated": memory.peak_allocated_bytes, "reserved": memory.reserved_bytes, "process": memory.process_bytes,
        "unstated": memory.process_bytes,
    }  # fmt: skip
    return float(figures[kind])


def _kind_of(memory: MemoryBreakdown, kind: MemoryKind, overhead: Overhead) -> Prediction:
    value = _central(memory, kind)
    if kind == "unstated":  # the spread is that of APART
        return Prediction(value, value, value)
    if kind == "allocated":
        return Prediction(value, (1.0 - FORMULA_ERROR) * value, (1.0 + FORMULA_ERROR) * value)
    _, low, high = reserved_range(memory, overhead)
    _, least, most = overhead.context_bytes if kind == "process" else (0.0, 0.0, 0.0)
    return Prediction(value, low + least, high + most)


def timed_run(run: MeasuredRun, efficiency: StepEfficiency, *, tuners: bool = False) -> TimedRun | None:
    """The run beside the roofline at its mean length; None where card, speed or mean length is unknown, or the run is split.

    The scale of a split run would be that of collectives, which the roofline does not count; that of a tuner beside LoRA is its
    own, and counts with `tuners` alone.
    """
    if run.gpu is None or not run.tokens_per_s or run.mean_tokens is None or run.split or (run.plan.tuner and not tuners):
        return None
    tokens, seconds = _micro_step(run, run.plan, run.gpu, replace(efficiency, overall=1.0))
    return TimedRun(id=run.id, source=run.source, gpu=run.gpu.id, layout=layout_of(run.plan), method=run.method,
                    model=run.model.id, measured_s=tokens / run.tokens_per_s, theory_s=seconds, pcie=run.gpu.pcie,
                    size=size_of(run.plan))


def peak_tokens_per_s(model: ModelShape, plan: TrainingPlan, cards: Iterable[Gpu]) -> float:
    """Tokens/s at the dense peak of the fastest of `cards`, one GPU: no training is faster.

    Two FLOPs a token for each active weight of the matrices in forward and again for the gradient of its input, and for that of
    itself where it is trained. Left out: attention, recompute, adapters, all that is no product.
    """
    fastest = "fp8" if plan.fp8 else "int8" if plan.int8 else "bf16"
    weights = sum(linear.active_parameters for linear in model.linears) + model.head_parameters
    each = 4.0 + 2.0 * float(np.max(share_trained(plan.method, plan.rank, model.layers)))
    return max(card.matrix_flops(fastest) for card in cards) / (each * weights)
