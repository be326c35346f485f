"""Peaks of a plan at other sizes, from models of a few layers."""

import re
from dataclasses import replace
from typing import Final

from roi.catalog.models.configs import ModelConfig
from roi.estimate.allocator.caching_allocator import AllocatorReplay, replay_allocator
from roi.estimate.training.plan import TrainingPlan
from roi.facts.profiles import DryRunSearch
from roi.facts.tape import Tape
from roi.profiling.dry.dry_run import Rehearsal

STEPS_REPLAYED: Final = 3
"""Steps that the allocator's model plays: the second finds the holes of the first, the third those of the second."""

Heights = dict[tuple[str, str, str], int]
"""Highest allocation at each place of the step: (phase, operator, module without layer numbers) -> bytes."""


class LayerLine:
    """The highest allocation at every place of the step is a line in the number of layers, and the peak the highest of them.

    The allocator's slack hardly depends on depth: it is that of the small model, moved by what the whole model's exceeds it
    at the plan's own size. There the lines are checked too; where they miss the whole model by more than 0.1%, or layers
    differ, every size is run with all layers.
    """

    FEW: Final = (1, 2)

    def __init__(self, config: ModelConfig, plan: TrainingPlan, workspace: float, own: DryRunSearch, peak_bytes: int) -> None:
        self.config, self.plan, self.workspace = config, plan, workspace
        self._built: dict[int, Rehearsal] = {}
        self.layers = int(config.entries.get("num_hidden_layers", 0))
        self.exact, self.slack, self.rounding = False, 0.0, 0.0
        if "layer_types" not in config.entries and self.layers > 4 * self.FEW[1]:
            peak, replay = self._line(own.micro_batch, own.seq)
            self.exact = abs(peak / peak_bytes - 1.0) < 1e-3
            self.slack = own.reserved_bytes - peak_bytes - (replay.peak_reserved_bytes - replay.peak_allocated_bytes)
            self.rounding = own.allocated_bytes - peak_bytes

    def at(self, micro_batch: int, seq: int) -> DryRunSearch:
        """Peaks at another size."""
        if not self.exact:
            replay = replay_allocator(self._tape(0, micro_batch, seq), repeats=STEPS_REPLAYED)
            return DryRunSearch(
                micro_batch=micro_batch, seq=seq, allocated_bytes=replay.peak_active_bytes,
                reserved_bytes=replay.peak_reserved_bytes,
            )
        peak, replay = self._line(micro_batch, seq)
        slack = max(replay.peak_reserved_bytes - replay.peak_allocated_bytes + self.slack, 0.0)
        return DryRunSearch(
            micro_batch=micro_batch, seq=seq, allocated_bytes=peak + self.rounding, reserved_bytes=peak + slack, ran=False,
        )

    def _line(self, micro_batch: int, seq: int) -> tuple[float, AllocatorReplay]:
        """(peak of the whole model, replay of the deeper small one)."""
        few, more = self.FEW
        tapes = [self._tape(n, micro_batch, seq) for n in self.FEW]
        low, high = (place_heights(tape) for tape in tapes)
        ahead = (self.layers - more) / (more - few)
        peak = max(height + (height - low.get(place, height)) * ahead for place, height in high.items())
        return peak, replay_allocator(tapes[1], repeats=STEPS_REPLAYED)

    def _tape(self, layers: int, micro_batch: int, seq: int) -> Tape:
        plan = replace(self.plan, micro_batch=micro_batch, seq=seq)
        if layers not in self._built:
            entries = {**self.config.entries, "num_hidden_layers": layers} if layers else self.config.entries
            self._built[layers] = Rehearsal(self.config._replace(entries=entries), plan)
        return self._built[layers].run(plan, self.workspace).tape


def place_heights(tape: Tape) -> Heights:
    """The highest allocation at each place of the step."""
    found: Heights = {}
    patterns: dict[str, str] = {}
    for event, height in zip(tape.events.tolist(), tape.live_bytes.tolist(), strict=True):
        if event < 0:
            continue
        block = tape.blocks[event - 1]
        if block.phase == "load":
            continue
        pattern = patterns.setdefault(block.module, re.sub(r"\.\d+(?=\.|$)", ".N", block.module))
        place = (block.phase, block.operator, pattern)
        if height > found.get(place, 0):
            found[place] = height
    return found
