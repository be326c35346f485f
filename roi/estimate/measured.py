"""One measured training run as the estimators take it: which model, which plan, and what was seen."""

from dataclasses import dataclass
from typing import Literal

from roi.estimate.plan import TrainingPlan
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
