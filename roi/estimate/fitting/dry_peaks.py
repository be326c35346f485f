"""What a plan's dry run needs, and by it the largest batch and the longest sequence that a card holds."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from roi.estimate.training.beyond_peak import STUCK
from roi.facts.profiles import DryRunSearch


@dataclass(frozen=True)
class DryPeak:
    """What a dry run of one size allocates and reserves at its peak, cuBLAS workspaces included."""

    micro_batch: int
    seq: int
    allocated_bytes: float
    reserved_bytes: float
    ran: bool = True
    """False where models of a few layers say it, or the line between two sizes."""


@dataclass(frozen=True)
class DryPeaks:
    """A plan's own size first, then a ladder of lengths and one of micro-batches."""

    own: DryPeak
    ladder: tuple[DryPeak, ...]
    parts_bytes: dict[str, float]
    """What is alive at the own peak, by part."""
    phase: str
    workspace_bytes: float
    """cuBLAS workspace that is part of every figure."""
    source: str
    """The profile's name."""
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)
    """(Largest micro-batch, longest sequence) by card: those that were run with the whole model, and fit by the rule of that
    day."""

    @property
    def dynamic_bytes(self) -> float:
        """Part of the own peak that comes and goes within a step, as of MemoryBreakdown."""
        return (sum(self.parts_bytes.get(name, 0.0) for name in ("gradients", "activations", "logits", "temporaries"))
                + max(self.parts_bytes.get("workspaces", 0.0) - self.workspace_bytes, 0.0))

    def sized(self, micro_batch: int, seq: int) -> "DryPeaks | None":
        """Peaks of the plan at another size, linear between the sizes that were run dry; None outside them.

        One of the two must be a size that was run. Where both would do, the micro-batch is interpolated: memory is a straight
        line in it, while eager attention grows with the square of the length (the chord then lies above the curve: on the
        safe side). Reserved memory moves in steps of 2 to 20 MiB, which the line cuts through. What the size has more is told
        as activations and logits.
        """
        known = (self.own, *self.ladder)
        same_seq = {p.micro_batch: p for p in known if p.seq == seq}
        same_batch = {p.seq: p for p in known if p.micro_batch == micro_batch}
        for line, x in ((same_seq, micro_batch), (same_batch, seq)):
            if line and min(line) <= x <= max(line):
                allocated, reserved = _between(line, x)
                break
        else:
            return None
        parts = dict(self.parts_bytes)
        moved = [name for name in ("activations", "logits") if parts.get(name)] or ["activations"]
        before = sum(parts.get(name, 0.0) for name in moved)
        for name in moved:
            share = parts[name] / before if before else 1.0
            parts[name] = parts.get(name, 0.0) + share * (allocated - self.own.allocated_bytes)
        own = DryPeak(micro_batch, seq, allocated, reserved, ran=False)
        size = f"{micro_batch} x " * (micro_batch != self.own.micro_batch) + f"{seq:,} tokens"
        return replace(self, own=own, ladder=(*self.ladder, own), parts_bytes=parts, limits={},
                       source=f"{self.source}, between the sizes run, at {size}")

    @property
    def batches(self) -> dict[int, DryPeak]:
        """The peak of each micro-batch of the plan's length; empty where there is one alone."""
        found = {p.micro_batch: p for p in self.ladder if p.seq == self.own.seq}
        return found if len(found) > 1 else {}

    def needed(self, peak: DryPeak | DryRunSearch) -> float:
        """What a full card must reserve at this size, bytes: the peak and STUCK of what comes and goes."""
        return min(peak.reserved_bytes, peak.allocated_bytes + STUCK * self.moving(peak))

    def moving(self, peak: DryPeak | DryRunSearch) -> float:
        """What comes and goes within a step of this size, bytes."""
        return max(peak.allocated_bytes - self.own.allocated_bytes + self.dynamic_bytes, 0.0)

    def limits_run(self, gpu: str, room_bytes: float) -> tuple[int, int] | None:
        """The limits that were run for the card, as long as they are the largest sizes that were run and have room today."""
        fitting = [(p.micro_batch, p.seq) for p in self.ladder if p.ran and self.needed(p) <= room_bytes]
        today = (max((batch for batch, seq in fitting if seq == self.own.seq), default=0),
                 max((seq for batch, seq in fitting if batch == self.own.micro_batch), default=0))
        return today if self.limits.get(gpu) == today else None

    def largest_micro_batch(self, room_bytes: float, formula: Callable[[], int] = int) -> int:
        """Most sequences of the plan's length that need at most `room_bytes`; 0 = none.

        `formula` finds how many the closed form has, which says it where one size of that length is known.
        """
        points = [(p.micro_batch, self.needed(p)) for p in self.ladder if p.seq == self.own.seq]
        return self._largest(points, room_bytes, 1, formula)

    def at(self, micro_batch: int) -> DryPeak:
        """The peak of so many sequences of the plan's length, on the line through the ladder."""
        return DryPeak(micro_batch, self.own.seq, *_between(self.batches, micro_batch), ran=micro_batch in self.batches)

    def longest_seq(self, room_bytes: float, step: int, formula: Callable[[], int] = int) -> int:
        """Longest sequence at the plan's micro-batch, in multiples of `step` tokens or the ladder's end; 0 = none."""
        points = [(p.seq, self.needed(p)) for p in self.ladder if p.micro_batch == self.own.micro_batch]
        return self._largest(points, room_bytes, step, formula)

    @staticmethod
    def _largest(points: list[tuple[int, float]], room: float, step: int, formula: Callable[[], int]) -> int:
        """The largest size on the line through the points, sorted by size, that stays within `room`.

        Below the smallest point the line of the two smallest goes on: towards zero tokens memory falls to what is
        resident, and a peak that bends upwards lies above that line, so a little too much may be promised there.
        """
        known = sorted(dict(points).items())
        sizes, heights = np.array([p[0] for p in known], dtype=float), np.array([p[1] for p in known])
        if len(known) == 1:
            own = int(sizes[0])
            return max(own, formula()) if heights[0] <= room else min((own - 1) // step * step, formula())
        if heights[-1] <= room:
            return int(sizes[-1])
        if heights[0] > room:
            slope = (heights[1] - heights[0]) / (sizes[1] - sizes[0])
            guess = sizes[0] - (heights[0] - room) / slope if slope > 0.0 else 0.0
        else:
            above = int(np.argmax(heights > room))
            share = (room - heights[above - 1]) / (heights[above] - heights[above - 1])
            guess = sizes[above - 1] + share * (sizes[above] - sizes[above - 1])
        exact = [int(size) for size, height in known if height <= room]
        return max([int(guess // step) * step, *exact, 0])


def _between(peaks: dict[int, DryPeak], size: int) -> tuple[float, float]:
    """Bytes allocated and reserved at this size, on the line through the known ones."""
    sizes = sorted(peaks)
    allocated, reserved = ([getattr(peaks[x], name) for x in sizes] for name in ("allocated_bytes", "reserved_bytes"))
    return float(np.interp(size, sizes, allocated)), float(np.interp(size, sizes, reserved))
