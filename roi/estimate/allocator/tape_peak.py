"""Where most of a tape is allocated at once, which tensors are alive there, and how allocation moves over the step."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from roi.facts.tape import Block, Tape

SLICES: Final = 200
"""Points of the timeline."""
LARGEST: Final = 12
"""Groups of equal blocks that a report names."""


@dataclass(frozen=True)
class TapePeak:
    """The highest point of a training step."""

    nbytes: int
    """Bytes that are allocated there, in blocks of 512."""
    block: Block
    """The allocation that reaches it: operator, module, phase."""
    parts_bytes: dict[str, float]
    """Bytes alive there by part; they sum to `nbytes`."""
    largest: tuple[tuple[str, str, float], ...]
    """(operator and how many, module with layer numbers as N, bytes) of the largest groups that the step itself made."""
    resident_bytes: int
    """Bytes held before the step begins: weights, adapters, states, workspaces."""
    timeline_bytes: tuple[float, ...]
    """Highest allocation in equal slices of the step's events."""
    timeline_phases: tuple[tuple[str, int], ...]
    """(phase, slice where it begins)."""


def read_peak(tape: Tape) -> TapePeak:
    """The first point of the tape at which most bytes are allocated, and the timeline of its last step."""
    live = tape.live_bytes
    top = int(np.argmax(live))
    start = dict(tape.phase_starts)["step"]
    alive: set[int] = set()  # indices of the blocks that are allocated after the event `top`
    for number in tape.events[: top + 1].tolist():
        if number > 0:
            alive.add(number - 1)
        else:
            alive.discard(-number - 1)
    parts: Counter[str] = Counter()
    groups: Counter[tuple[str, str, int]] = Counter()  # equal blocks that the step made
    for index in alive:
        block = tape.blocks[index]
        size = -(-block.nbytes // 512) * 512
        parts[block.part] += size
        if block.phase != "load":
            groups[block.operator, re.sub(r"\.\d+(?=\.|$)", ".N", block.module), size] += 1
    ranked = sorted(groups.items(), key=lambda item: -item[0][2] * item[1])[:LARGEST]
    largest = tuple(
        (operator if count == 1 else f"{count} x {operator}", module, float(size * count))
        for (operator, module, size), count in ranked
    )
    step = live[start:]
    edges = np.unique(np.linspace(0, len(step), min(SLICES, len(step)) + 1).astype(int))
    heights = tuple(float(step[a:b].max()) for a, b in pairwise(edges.tolist()))
    phases = tuple(
        (name, int(np.searchsorted(edges, index - start, side="right") - 1))
        for name, index in tape.phase_starts if name != "step" and start <= index < len(live)
    )
    return TapePeak(
        nbytes=int(live[top]), block=tape.blocks[abs(int(tape.events[top])) - 1], parts_bytes=dict(parts), largest=largest,
        resident_bytes=int(live[start - 1]), timeline_bytes=heights, timeline_phases=phases,
    )

