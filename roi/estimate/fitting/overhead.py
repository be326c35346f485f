"""What a training process holds beyond the allocated peak of its tensors: the allocator's slack, the CUDA context, NCCL."""

from dataclasses import dataclass, replace
from typing import Final

from roi.estimate.training.memory import MemoryBreakdown
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.sharding import has_collectives
from roi.units import GIB

REPLAY_ENDS: Final = (0.95, 1.07)
"""5th and 95th percentile of measured over replayed reserved memory: the order of allocation while a model loads is not
recorded, and there is one source of equal lengths to hold the replay to (11 rows of train_runs.csv, RTX 4080: measured
0.95 to 1.07 of the replay)."""
COLLECTIVES_BYTES: Final = (0.75 * GIB, 0.5 * GIB, 1.0 * GIB)
"""NCCL's kernels and channels outside torch's allocator, central, low and high: torch's out-of-memory messages in jobs on
several GPUs show 0.5 to 1 GiB more of the process than in jobs on one (cards/cuda_contexts.py)."""
SLACK_OF_PEAK: Final = (0.09, 0.12)
"""How far below and above the closed form reserved memory may lie, as a share of the allocated peak: 5th and 95th percentile
over 120 replays of the grid's dry runs. A plan with hardly any logits has a narrow unit of slack, one with many a wide one, so
the narrower of this and of the slack's own spread holds."""


@dataclass(frozen=True)
class Overhead:
    """Memory beyond torch's allocated peak: central, low (5th) and high (95th percentile)."""

    slack: tuple[float, float, float]
    """(reserved - allocated) / what the allocator typically holds beyond the peak (MemoryBreakdown.loose_bytes)."""
    context_bytes: tuple[float, float, float]
    """CUDA context, bytes."""

    def with_collectives(self, plan: TrainingPlan) -> "Overhead":
        """The overhead of a job under this plan: with what NCCL holds, where it is used."""
        if not has_collectives(plan):
            return self
        central, low, high = (a + b for a, b in zip(self.context_bytes, COLLECTIVES_BYTES, strict=True))
        return replace(self, context_bytes=(central, low, high))


def reserved_range(memory: MemoryBreakdown, overhead: Overhead) -> tuple[float, float, float]:
    """Reserved bytes in closed form: central, 5th and 95th percentile."""
    allocated, loose = float(memory.peak_allocated_bytes), float(memory.loose_bytes)
    central, low, high = (allocated + loose * slack for slack in overhead.slack)
    below, above = SLACK_OF_PEAK
    return central, max(low, central - below * allocated, allocated), min(high, central + above * allocated)


def replayed_range(allocated: float, reserved: float) -> tuple[float, float, float]:
    """Reserved bytes by a dry run: central, 5th and 95th percentile; never less than is allocated, which it knows."""
    return reserved, max(reserved * REPLAY_ENDS[0], min(allocated, reserved)), reserved * REPLAY_ENDS[1]
