"""One measured training run as the estimators take it, and what a predictor says of it.

Also the habits of a loop that no field of a plan says, and how they and the values that stand in widen a prediction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

MemoryKind = Literal["allocated", "reserved", "process", "unstated"]
"""torch.cuda.max_memory_allocated, max_memory_reserved, NVML or nvidia-smi; unstated: the source does not say."""


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

Habit = Literal[
    "chunked_loss", "emptied_cache", "variable_lengths", "unprepared", "step_in_backward", "head_adapter", "adapters_16bit",
]

HABITS: Final[dict[Habit, str]] = {
    "chunked_loss": CHUNKED_LOSS, "emptied_cache": EMPTIED_CACHE, "variable_lengths": VARIABLE_LENGTHS,
    "unprepared": UNPREPARED, "step_in_backward": STEP_IN_BACKWARD, "head_adapter": HEAD_ADAPTER,
    "adapters_16bit": ADAPTERS_16BIT,
}  # fmt: skip
"""Word of a table -> the label that a report shows."""
LOOSE: Final = frozenset({CHUNKED_LOSS, VARIABLE_LENGTHS, UNPREPARED, STEP_IN_BACKWARD})
"""Marks of loops that are not the one which the instruments run."""
STACKS_APART: Final = (0.86, 1.70)
"""Memory of one nominal configuration on another stack: Qwen's README and ms-swift state the same model, card, length, batch,
LoRA, checkpointing and attention, and differ by -14% to +70% (1.8B, 7B and 14B at 2,048 and 8,192 tokens)."""


def loosen(found: Prediction, run: MeasuredRun) -> Prediction:
    """The prediction with the spread of other stacks where the run's loop, or what its figure is, is not known."""
    marks = {label for label, _ in run.assumed}
    if run.memory_kind != "unstated" and not marks & LOOSE:
        return found
    below, above = STACKS_APART
    return Prediction(found.value, found.low * below, max(found.high, found.value * above))
