"""Peak memory of one plan at the sizes that were run dry, and what it says of sizes between them.

A dry run takes seconds, so a plan is run at its own size, at a ladder of sequence lengths and at a ladder of micro-batches.
Between two sizes of a ladder memory is taken on a straight line, which gives the largest micro-batch and the longest sequence
that fit a card.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class DryPeak:
    """What a dry run of one size allocates and reserves at its peak, cuBLAS workspaces included."""

    micro_batch: int
    seq: int
    allocated_bytes: float
    reserved_bytes: float


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
    """By card: (largest micro-batch, longest sequence) that were run with the whole model."""

    def largest_micro_batch(self, room_bytes: float) -> int:
        """Most sequences of the plan's length whose reserved memory is at most `room_bytes`; 0 = none."""
        return self._largest([(p.micro_batch, p.reserved_bytes) for p in self.ladder if p.seq == self.own.seq], room_bytes, 1)

    def reserved_at(self, micro_batch: int) -> float:
        """Reserved bytes at the plan's length, on the line through the ladder."""
        points = dict(sorted((p.micro_batch, p.reserved_bytes) for p in self.ladder if p.seq == self.own.seq))
        return float(np.interp(micro_batch, list(points), list(points.values())))

    def longest_seq(self, room_bytes: float, step: int) -> int:
        """Longest sequence at the plan's micro-batch, in multiples of `step` tokens or the ladder's end; 0 = none."""
        points = [(p.seq, p.reserved_bytes) for p in self.ladder if p.micro_batch == self.own.micro_batch]
        return self._largest(points, room_bytes, step)

    @staticmethod
    def _largest(points: list[tuple[int, float]], room: float, step: int) -> int:
        """The largest size on the line through the points, sorted by size, that stays within `room`.

        Below the smallest point the line of the two smallest goes on: towards zero tokens memory falls to what is
        resident, and a peak that bends upwards lies above that line, so a little too much may be promised there.
        """
        known = sorted(dict(points).items())
        sizes, heights = np.array([p[0] for p in known], dtype=float), np.array([p[1] for p in known])
        if len(known) == 1:
            return int(sizes[0]) if heights[0] <= room else 0
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
