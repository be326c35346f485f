"""A dry run as a profile: the peak, what reserves, and the same plan at other sizes, mostly from models of a few layers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from roi import __version__
from roi.catalog.models.configs import ModelConfig
from roi.estimate.allocator.caching_allocator import AllocatorReplay, replay_allocator
from roi.estimate.allocator.tape_peak import TapePeak, read_peak
from roi.estimate.training.memory import workspace_bytes
from roi.estimate.training.plan import TrainingPlan
from roi.facts.environment import Environment
from roi.facts.profiles import DryRunLimit, DryRunProfile, DryRunSearch
from roi.facts.tape import Tape
from roi.profiling.card_kernels import FLASH, CardKernels
from roi.profiling.dry.dry_run import MetaModel, dry_run
from roi.profiling.dry.shape_cache import ShapeCache
from roi.profiling.machine import PACKAGES, package_versions
from roi.profiling.stack import quiet
from roi.store.profiles.lookup import dry_peaks
from roi.store.profiles.plan_record import plan_record

STEPS_REPLAYED: Final = 3
"""Steps that the allocator's model plays: the second finds the holes of the first, the third those of the second."""

Heights = dict[tuple[str, str, str], int]
"""Highest allocation at each place of the step: (phase, operator, module without layer numbers) -> bytes."""
MOST_SEQUENCES: Final = 1024
"""Widest micro-batch of the ladder."""
TRIES: Final = 2
MOST_TRIES: Final = 4
"""Models with all layers that are run for one limit, and where none of them has fitted yet."""


@quiet()
def profile_dry_run(config: ModelConfig, plan: TrainingPlan, *, cards_bytes: Sequence[float], context_tokens: int,
                    kernels: CardKernels = FLASH) -> DryRunProfile:
    """One dry run of the plan, and a ladder of lengths and of micro-batches up to the largest of `cards_bytes`.

    Steps of four: between two of them a peak that bends upwards lies below the straight line. The cuBLAS workspace is
    that of cards before Hopper. `kernels` are the card's; FLASH is right for most.
    """
    workspace, cache = workspace_bytes(None), ShapeCache()
    run = dry_run(config, plan, workspace_bytes=workspace, operators=True, kernels=kernels, cache=cache)
    peak = read_peak(run.tape)
    replay = replay_allocator(run.tape, repeats=STEPS_REPLAYED)
    sizes = tuple(_ladder(config, plan, peak, replay, workspace, cards_bytes, context_tokens, kernels, cache))
    # torch counts a block as handed out, which may be up to 1 MiB larger than asked for
    parts = {**peak.parts_bytes, "rounding": float(max(replay.peak_active_bytes - peak.nbytes, 0))}
    return DryRunProfile(
        schema="roi.profile/1", started=datetime.now(tz=UTC),
        environment=Environment(device="none", versions=package_versions(PACKAGES),
                                commit=__version__),
        model=config.name, config_hash=config.config_hash, plan=plan_record(plan), trained_parameters=run.trained_parameters,
        allocated_bytes=sum(parts.values()), reserved_bytes=float(replay.peak_reserved_bytes), parts_bytes=parts,
        workspace_bytes=workspace,
        phase=peak.block.phase, module=peak.block.module, operator=peak.block.operator, largest=peak.largest,
        timeline_bytes=peak.timeline_bytes, timeline_phases=peak.timeline_phases, operators=run.operators, searched=sizes,
        notes=run.notes + (() if kernels == FLASH else (f"attention: {kernels.attention} kernels, {kernels.source}",)),
        wall_s=max(run.wall_s, 1e-9),
    )


def _ladder(config: ModelConfig, plan: TrainingPlan, peak: TapePeak, replay: AllocatorReplay, workspace: float,
            cards: Sequence[float], context: int, kernels: CardKernels, cache: ShapeCache) -> Iterator[DryRunSearch]:
    """The plan's own size, longer and wider ones until they pass the largest card, smaller ones where a card is too small."""
    seq, batch = int(plan.seq), int(plan.micro_batch)
    own = DryRunSearch(micro_batch=batch, seq=seq, allocated_bytes=max(replay.peak_active_bytes, peak.nbytes),
                       reserved_bytes=replay.peak_reserved_bytes)
    yield own
    layers = LayerLine(config, plan, workspace, own, peak.nbytes, kernels, cache)
    shorter = [(batch, seq // 4)] if seq >= 256 else []
    narrower = [(1, seq)] if batch > 1 else []
    for smaller, larger in (
        (shorter, [(batch, s) for s in _multiplied(seq, context)]),
        (narrower, [(b, seq) for b in _multiplied(batch, MOST_SEQUENCES)]),
    ):
        below = smaller if replay.peak_reserved_bytes > min(cards) else []
        for size in [*below, *larger]:
            found = layers.at(*size)
            yield found
            if found.allocated_bytes > max(cards) and size not in below:
                break


def _multiplied(start: int, limit: int) -> Iterator[int]:
    """start x 4, x 16, ... and the limit itself."""
    value = start
    while value < limit:
        value = min(value * 4, limit)
        yield value


def settle_limits(profile: DryRunProfile, config: ModelConfig, plan: TrainingPlan, rooms: Mapping[str, float],
                  step: int, kernels: CardKernels = FLASH) -> DryRunProfile:
    """The profile with limits of the cards in `rooms` (name: bytes that the plan may reserve), each run with all layers.

    What the ladder promises is run; with that point the ladder promises another size, and that is run too. Every card
    starts from the profile as it is given, so that its limit does not depend on which others are asked for.
    """
    sizes = {(s.micro_batch, s.seq): s for s in profile.searched}
    limits = [limit for limit in profile.limits if limit.gpu not in rooms]
    made: dict[tuple[int, int], DryRunSearch] = {}
    for gpu, room in rooms.items():
        largest = _find_limit(profile, config, plan, room, made, 1, kernels, by_length=False)
        longest = _find_limit(profile, config, plan, room, made, step, kernels, by_length=True)
        limits.append(DryRunLimit(gpu=gpu, largest_micro_batch=largest, longest_seq=longest))
    return profile.model_copy(update={"searched": tuple((sizes | made).values()), "limits": tuple(limits)})


def _find_limit(profile: DryRunProfile, config: ModelConfig, plan: TrainingPlan, room: float,
                made: dict[tuple[int, int], DryRunSearch], step: int, kernels: CardKernels, *, by_length: bool) -> int:
    """The largest of the sizes that were run and fit; 0 = none. What is run is put into `made`, and not run again."""
    own = int(plan.seq) if by_length else int(plan.micro_batch)
    planned = dry_peaks(profile, "")
    start = own if planned.needed(planned.own) <= room else 0
    fitting, failed, found = start, 0, profile
    for tried in range(MOST_TRIES):
        peaks = dry_peaks(found, "")
        size = peaks.longest_seq(room, step) if by_length else peaks.largest_micro_batch(room)
        size = min(size, failed - step) if failed else size
        if size <= fitting or size < 1 or (tried >= TRIES and fitting > start):
            break
        batch, seq = (int(plan.micro_batch), size) if by_length else (size, int(plan.seq))
        if (batch, seq) not in made:
            sized = replace(plan, micro_batch=batch, seq=seq)
            tape = dry_run(config, sized, workspace_bytes=profile.workspace_bytes, kernels=kernels).tape
            made[batch, seq] = _searched(tape, batch, seq)
        one = made[batch, seq]
        kept = (s for s in found.searched if (s.micro_batch, s.seq) != (batch, seq))
        found = found.model_copy(update={"searched": (*kept, one)})
        fitting, failed = (size, failed) if peaks.needed(one) <= room else (fitting, size)
    return fitting


def _searched(tape: Tape, micro_batch: int, seq: int) -> DryRunSearch:
    """Peaks of one size that was run with all layers."""
    replay = replay_allocator(tape, repeats=STEPS_REPLAYED)
    return DryRunSearch(micro_batch=micro_batch, seq=seq, allocated_bytes=replay.peak_active_bytes,
                        reserved_bytes=replay.peak_reserved_bytes)


class LayerLine:
    """The highest allocation at every place of the step is a line in the number of layers, and the peak the highest of them.

    The allocator's slack hardly depends on depth: it is that of the small model, moved by what the whole model's exceeds it
    at the plan's own size. There the lines are checked too; where they miss the whole model by more than 0.1%, or layers
    differ, every size is run with all layers.
    """

    FEW: Final = (1, 2)

    def __init__(self, config: ModelConfig, plan: TrainingPlan, workspace: float, own: DryRunSearch, peak_bytes: int,
                 kernels: CardKernels, cache: ShapeCache) -> None:
        self.config, self.plan, self.workspace, self.kernels, self.cache = config, plan, workspace, kernels, cache
        self._built: dict[int, MetaModel] = {}
        self.layers = int(config.entries.get("num_hidden_layers", 0))
        self.exact, self.slack, self.rounding = False, 0.0, 0.0
        if "layer_types" not in config.entries and self.layers > 4 * self.FEW[1]:
            peak, replay = self._line(own.micro_batch, own.seq)
            self.exact = abs(peak / peak_bytes - 1.0) < 1e-3
            self.slack = own.reserved_bytes - peak_bytes - (replay.peak_reserved_bytes - replay.peak_allocated_bytes)
            self.rounding = own.allocated_bytes - peak_bytes

    def at(self, micro_batch: int, seq: int) -> DryRunSearch:
        """Peaks of the plan at another size."""
        if not self.exact:
            return _searched(self._tape(0, micro_batch, seq), micro_batch, seq)
        peak, replay = self._line(micro_batch, seq)
        slack = max(replay.peak_reserved_bytes - replay.peak_allocated_bytes + self.slack, 0.0)
        return DryRunSearch(micro_batch=micro_batch, seq=seq, allocated_bytes=peak + self.rounding, reserved_bytes=peak + slack,
                            ran=False)

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
            self._built[layers] = MetaModel(self.config._replace(entries=entries), plan, self.kernels, self.cache)
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
