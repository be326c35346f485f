"""What a training process holds beyond the allocated peak of its tensors: the allocator's slack, the CUDA context, NCCL."""

from dataclasses import dataclass, replace
from typing import Final

from roi.estimate.fitting.distance import FORMULA_ERROR
from roi.estimate.training.memory import MemoryBreakdown
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.sharding import has_collectives
from roi.units import GIB

REPLAY_ENDS: Final = (0.95, 1.07)
"""5th and 95th percentile of measured over replayed reserved memory where the unit of slack is small: the order of allocation
while a model loads is not recorded (11 runs on an RTX 4080: 0.95 to 1.07; 10 of fms-acceleration with a loss in chunks: 0.99 to
1.03)."""
REPLAY_UNITS: Final = (0.3, 0.9)
"""Units of slack that measured reserved memory lies below and above the replayed, where that is more than REPLAY_ENDS: of 25
measured runs of equal lengths on one GPU, of two sources, 90% lie so. What a kernel or a step of another order leaves between
blocks has the size of the logits."""
COLLECTIVES_BYTES: Final = (0.75 * GIB, 0.5 * GIB, 1.0 * GIB)
"""NCCL's kernels and channels outside torch's allocator, central, low and high: torch's out-of-memory messages in jobs on
several GPUs show 0.5 to 1 GiB more of the process than in jobs on one (efficiencies/cuda_contexts.py)."""
SLACK_OF_PEAK: Final = 0.12
"""How far above the closed form reserved memory may lie, as a share of the allocated peak: 95th percentile over 120 replays of
the grid's dry runs. A plan with hardly any logits has a narrow unit of slack, of which real runs hold several."""
LARGEST_SLACK: Final = 1.65
"""Units of slack that a run holds at most where the unit is large: of 62 measured figures of equal lengths whose unit is a
tenth of the peak or more, of five sources, 5% hold more, and of 68 since the unit of a loss in chunks grew 5% more than 1.58
(tests/estimate/test_overhead.py); of 45 such replays, three steps long, 5% hold more than 1.4: what many steps leave between
blocks comes on top."""


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
    """Reserved bytes in closed form: central, 5th and 95th percentile, the formula's own error included.

    What a fused loss strands whatever the version of torch counts at the low end too, unless a full card takes it back.
    """
    allocated, loose, held, stranded, sliced = (float(x) for x in (
        memory.peak_allocated_bytes, memory.loose_bytes, memory.pools_bytes, memory.stranded_bytes, memory.sliced_bytes))
    central, low, high = (allocated + held + loose * slack for slack in overhead.slack)
    most, error = max(allocated + held + LARGEST_SLACK * loose, central + SLACK_OF_PEAK * allocated), FORMULA_ERROR * allocated
    sure = stranded - sliced if float(memory.reserved_bytes) > central + 0.5 * stranded else 0.0
    return central + stranded, low - error + sure, min(high, most) + error + stranded


def planned_range(
    memory: MemoryBreakdown, overhead: Overhead, ends: tuple[float, float],
) -> tuple[float, float, float]:
    """Reserved bytes as `roi fit` and `roi compare` reckon: `reserved_range`, widened to these `ends` (`plan_ends`)."""
    central, low, high = reserved_range(memory, overhead)
    return central, min(low, central * ends[0]), max(high, central * ends[1])


def replayed_range(allocated: float, reserved: float, unit: float) -> tuple[float, float, float]:
    """Reserved bytes by a dry run: central, 5th and 95th percentile; never less than is allocated, which it knows.

    `unit` is the unit of slack (MemoryBreakdown.loose_bytes).
    """
    low = min(reserved * REPLAY_ENDS[0], reserved - REPLAY_UNITS[0] * unit)
    return reserved, max(low, min(allocated, reserved)), max(reserved * REPLAY_ENDS[1], reserved + REPLAY_UNITS[1] * unit)
