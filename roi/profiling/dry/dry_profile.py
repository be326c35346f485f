"""A dry run as a profile: the peak, what reserves, and the same plan at other sizes."""

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
from roi.facts.gpu import Gpu
from roi.facts.profiles import DryRunLimit, DryRunProfile, DryRunSearch
from roi.profiling.dry.dry_run import dry_run
from roi.profiling.dry.layer_line import STEPS_REPLAYED, LayerLine
from roi.profiling.host.host_facts import PACKAGES, package_versions
from roi.store.profiles.dry_runs import dry_peaks
from roi.store.profiles.plan_record import plan_record

MOST_SEQUENCES: Final = 1024
"""Widest micro-batch of the ladder."""


def profile_dry_run(
    config: ModelConfig, plan: TrainingPlan, *, cards_bytes: Sequence[float], context_tokens: int, gpu: Gpu | None = None,
    search: bool = True,
) -> DryRunProfile:
    """One dry run of the plan, and with `search` a ladder of lengths and of micro-batches up to the largest of `cards_bytes`.

    Steps of four: between two of them a peak that bends upwards lies below the straight line. `gpu` gives the cuBLAS
    workspace; without one, that of cards before Hopper.
    """
    workspace = workspace_bytes(gpu)
    run = dry_run(config, plan, workspace_bytes=workspace, operators=True)
    peak = read_peak(run.tape)
    replay = replay_allocator(run.tape, repeats=STEPS_REPLAYED)
    sizes = tuple(_ladder(config, plan, peak, replay, workspace, cards_bytes, context_tokens)) if search else ()
    # torch counts a block as handed out, which may be up to 1 MiB larger than asked for
    parts = {**peak.parts_bytes, "rounding": float(max(replay.peak_active_bytes - peak.nbytes, 0))}
    return DryRunProfile(
        schema="roi.profile/1", started=datetime.now(tz=UTC),
        environment=Environment(
            device="none", gpu=gpu.id if gpu else None, versions=package_versions(PACKAGES), commit=__version__,
        ),
        model=config.name, config_hash=config.config_hash, plan=plan_record(plan), trained_parameters=run.trained_parameters,
        allocated_bytes=sum(parts.values()), reserved_bytes=float(replay.peak_reserved_bytes), parts_bytes=parts,
        workspace_bytes=workspace,
        phase=peak.block.phase, module=peak.block.module, operator=peak.block.operator, largest=peak.largest,
        timeline_bytes=peak.timeline_bytes, timeline_phases=peak.timeline_phases, operators=run.operators, searched=sizes,
        notes=run.notes, wall_s=max(run.wall_s, 1e-9),
    )


def _ladder(
    config: ModelConfig, plan: TrainingPlan, peak: TapePeak, replay: AllocatorReplay, workspace: float,
    cards: Sequence[float], context: int,
) -> Iterator[DryRunSearch]:
    """The plan's own size, longer and wider ones until they pass the largest card, smaller ones where a card is too small."""
    seq, batch = int(plan.seq), int(plan.micro_batch)
    own = DryRunSearch(
        micro_batch=batch, seq=seq, allocated_bytes=max(replay.peak_active_bytes, peak.nbytes),
        reserved_bytes=replay.peak_reserved_bytes,
    )
    yield own
    layers = LayerLine(config, plan, workspace, own, peak.nbytes)
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


def settle_limits(
    profile: DryRunProfile, config: ModelConfig, plan: TrainingPlan, rooms: Mapping[str, float], step: int,
) -> DryRunProfile:
    """The profile with limits of the cards in `rooms` (name: bytes that the plan may reserve), each run with the whole model.

    What the ladder promises is run; with that point the ladder promises anew, more or less, and that is run too. Every card
    starts from the profile as it is given, so that its limit does not depend on which others are asked for.
    """
    sizes = {(s.micro_batch, s.seq): s for s in profile.searched}
    limits = [limit for limit in profile.limits if limit.gpu not in rooms]
    made: dict[tuple[int, int], DryRunSearch] = {}
    for gpu, room in rooms.items():
        largest = _settle(profile, config, plan, room, made, 1, by_length=False)
        longest = _settle(profile, config, plan, room, made, step, by_length=True)
        limits.append(DryRunLimit(gpu=gpu, largest_micro_batch=largest, longest_seq=longest))
    return profile.model_copy(update={"searched": tuple((sizes | made).values()), "limits": tuple(limits)})


def _settle(
    profile: DryRunProfile, config: ModelConfig, plan: TrainingPlan, room: float, made: dict[tuple[int, int], DryRunSearch],
    step: int, *, by_length: bool,
) -> int:
    """The largest of the sizes that were run and fit; 0 = none. What is run is put into `made`, and not run again."""
    own = int(plan.seq) if by_length else int(plan.micro_batch)
    start = own if profile.reserved_bytes <= room else 0
    fitting, failed, found = start, 0, profile
    for tried in range(MOST_TRIES):
        peaks = dry_peaks(found, "")
        size = peaks.longest_seq(room, step) if by_length else peaks.largest_micro_batch(room)
        size = min(size, failed - step) if failed else size
        if size <= fitting or size < 1 or (tried >= TRIES and fitting > start):
            break
        batch, seq = (int(plan.micro_batch), size) if by_length else (size, int(plan.seq))
        if (batch, seq) not in made:
            made[batch, seq] = _run(config, replace(plan, micro_batch=batch, seq=seq), profile.workspace_bytes)
        one = made[batch, seq]
        kept = (s for s in found.searched if (s.micro_batch, s.seq) != (batch, seq))
        found = found.model_copy(update={"searched": (*kept, one)})
        fitting, failed = (size, failed) if one.reserved_bytes <= room else (fitting, size)
    return fitting


TRIES: Final = 2
"""Whole models run for one limit,"""

MOST_TRIES: Final = 4
"""and where none of them has fitted yet."""


def _run(config: ModelConfig, plan: TrainingPlan, workspace: float) -> DryRunSearch:
    """One size with the whole model."""
    replay = replay_allocator(dry_run(config, plan, workspace_bytes=workspace).tape, repeats=STEPS_REPLAYED)
    return DryRunSearch(
        micro_batch=int(plan.micro_batch), seq=int(plan.seq), allocated_bytes=replay.peak_active_bytes,
        reserved_bytes=replay.peak_reserved_bytes,
    )
