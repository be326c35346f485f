"""Which GPUs a training plan fits on, what binds where it does not, and the nearest plan that fits.

The process must fit the card: torch's reserved memory + CUDA context <= memory of the card. Reserved memory is that of a dry
run where there is one, else the closed form's (memory.py) plus the caching allocator's slack, which a full card cuts to what it
cannot do without (STUCK). The central estimate decides whether the plan fits; one that fits only by it, and not at the 95th
percentile, is called tight, and squeezed where the allocator must give back its cache for it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.errors import InputError
from roi.estimate.training.adapters import check_rank
from roi.estimate.training.memory import PHASES, STUCK, MemoryBreakdown, card_kind, on_card, training_memory, workspace_bytes
from roi.estimate.training.plan import TrainingPlan, check_context
from roi.estimate.training.setting import refusal
from roi.estimate.training.sharding import has_collectives
from roi.estimate.training.targets import trains_experts
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.profiles import DryRunSearch
from roi.units import GIB

MICRO_BATCHES: Final = np.arange(1.0, 1025.0)
"""Micro-batches that the search tries."""
LEAST_PROJECTED: Final = 4
"""Lowest rank of GaLore's projection that its authors train with (arXiv 2403.03507, table 4)."""
SEQ_STEP: Final = 128
"""Longest sequences are found to this many tokens."""
PARTS: Final = ("weights", "adapters", "gathered", "gradients", "optimizer", "activations", "logits")
"""Parts of the peak that can be the largest, which is the one that binds."""
REPLAY_ENDS: Final = (0.95, 1.07)
"""5th and 95th percentile of measured over replayed reserved memory: the order of allocation while a model loads is not
recorded, and there is one source of equal lengths to hold the replay to (11 rows of train_runs.csv, RTX 4080: measured
0.95 to 1.07 of the replay)."""
COLLECTIVES_BYTES: Final = (0.75 * GIB, 0.5 * GIB, 1.0 * GIB)
"""NCCL's kernels and channels outside torch's allocator, central, low and high: torch's out-of-memory messages in jobs on
several GPUs show 0.5 to 1 GiB more of the process than in jobs on one (cards/cuda_contexts.py)."""
STUCK_ENDS: Final = (0.0, 0.39)
"""Ends of STUCK: a card may lack nothing, and 90% of the 24 replays lack less than the other, taken for the 95th percentile."""
SLACK_OF_PEAK: Final = (0.09, 0.12)
"""How far below and above the closed form reserved memory may lie, as a share of the allocated peak: 5th and 95th percentile
over 120 replays of the grid's dry runs. A plan with hardly any logits has a narrow unit of slack, one with many a wide one, so
the narrower of this and of the slack's own spread holds."""


@dataclass(frozen=True)
class DryPeak:
    """What a dry run of one size allocates and reserves at its peak, cuBLAS workspaces included."""

    micro_batch: int
    seq: int
    allocated_bytes: float
    reserved_bytes: float
    ran: bool = True
    """False where models of a few layers say it."""


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
    """By card: (largest micro-batch, longest sequence) that were run with the whole model, and fit by the rule of that day."""

    @property
    def dynamic_bytes(self) -> float:
        """Part of the own peak that comes and goes within a step, as of MemoryBreakdown."""
        return (sum(self.parts_bytes.get(name, 0.0) for name in ("gradients", "activations", "logits", "temporaries"))
                + max(self.parts_bytes.get("workspaces", 0.0) - self.workspace_bytes, 0.0))

    def needed(self, peak: DryPeak | DryRunSearch) -> float:
        """What a full card must reserve at this size, bytes: the peak and STUCK of what comes and goes."""
        resident = self.own.allocated_bytes - self.dynamic_bytes
        return min(peak.reserved_bytes, peak.allocated_bytes + STUCK * max(peak.allocated_bytes - resident, 0.0))

    def limits_run(self, gpu: str, room_bytes: float) -> tuple[int, int] | None:
        """The limits that were run for the card, as long as they are the largest sizes that were run and have room today."""
        fitting = [(p.micro_batch, p.seq) for p in self.ladder if p.ran and self.needed(p) <= room_bytes]
        today = (max((batch for batch, seq in fitting if seq == self.own.seq), default=0),
                 max((seq for batch, seq in fitting if batch == self.own.micro_batch), default=0))
        return today if self.limits.get(gpu) == today else None

    def largest_micro_batch(self, room_bytes: float) -> int:
        """Most sequences of the plan's length that need at most `room_bytes`; 0 = none."""
        return self._largest([(p.micro_batch, self.needed(p)) for p in self.ladder if p.seq == self.own.seq], room_bytes, 1)

    def reserved_at(self, micro_batch: int) -> float:
        """Reserved bytes at the plan's length, on the line through the ladder."""
        points = dict(sorted((p.micro_batch, p.reserved_bytes) for p in self.ladder if p.seq == self.own.seq))
        return float(np.interp(micro_batch, list(points), list(points.values())))

    def longest_seq(self, room_bytes: float, step: int) -> int:
        """Longest sequence at the plan's micro-batch, in multiples of `step` tokens or the ladder's end; 0 = none."""
        points = [(p.seq, self.needed(p)) for p in self.ladder if p.micro_batch == self.own.micro_batch]
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


class Nearest(NamedTuple):
    """The smallest change of plan that fits."""

    name: str
    """Empty where the plan fits itself, or none was found."""
    process_bytes: float
    """Peak of the process under that plan; 0 where there is none."""
    tight: bool
    """True where it fits, but not at the 95th percentile."""


NO_OTHER: Final = Nearest("", 0.0, tight=False)


class Breakdowns:
    """What plans of one model need on cards of each kind (`card_kind`), each worked out once."""

    def __init__(self, model: ModelShape) -> None:
        """Nothing is known yet."""
        self.model = model
        self._known: dict[tuple[str, tuple[float, bool]], MemoryBreakdown] = {}

    def on(self, name: str, plan: TrainingPlan, gpu: Gpu, overhead: Overhead) -> MemoryBreakdown:
        """What the plan, which alone has this name, needs on a card; its numeric fields broadcast."""
        key = name, card_kind(gpu)
        if key not in self._known:
            self._known[key] = training_memory(self.model, plan, gpu)
        return on_card(self._known[key], overhead.slack[0], overhead.context_bytes[0], gpu)


@dataclass(frozen=True)
class GpuFit:
    """What one plan needs on one GPU, whether it fits, and the nearest plan that does."""

    gpu: Gpu
    memory: MemoryBreakdown
    low_bytes: float
    """Peak of the process, 5th percentile; where the plan is squeezed or does not fit, of what it cannot do without."""
    high_bytes: float
    """The same, 95th percentile."""
    fits: bool
    """True where the central estimate is at most the card's memory."""
    tight: bool
    """True where it fits, but the high estimate does not."""
    largest_micro_batch: int
    """Largest micro-batch that fits at the plan's sequence; 0 = none."""
    longest_seq: int
    """Longest sequence that fits at the plan's micro-batch, within the model's context; 0 = none."""
    binds: str
    """Largest part of the peak."""
    needed_bytes: float
    """What the process cannot do without on this card, central: the peak, or less where the plan is squeezed."""
    chance: float
    """Share of the estimates that the card holds, on the lines through the 5th percentile, the central one and the 95th."""
    squeezed: bool = False
    """True where it fits, but only as the allocator gives back what it would keep on a larger card."""
    limits_run: bool | None = None
    """Whether the two limits are sizes that were run dry with the whole model; False: they lie between such sizes; None: the
    closed form."""
    search: Callable[[], Nearest] | None = field(default=None, repr=False, compare=False)
    """Looks for the nearest plan that fits; None where this one does."""

    @cached_property
    def nearest(self) -> Nearest:
        """The nearest plan that fits, looked for when it is first asked for."""
        return NO_OTHER if self.search is None else self.search()


def fit_plan(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, overhead: Overhead, dry: DryPeaks | None = None,
    known: Breakdowns | None = None,
) -> GpuFit:
    """Whether the plan (scalar fields) fits on one GPU, and the search around it; memory from `dry` where there is a dry run.

    The nearest smaller plan is always searched in closed form, which is held to dry runs. `known` is what was worked out for
    other cards of this model and plan.
    """
    check_context(model, plan)
    check_rank(model, plan)
    refused = refusal(model, plan)
    if refused:
        raise InputError(refused)
    known, overhead = known or Breakdowns(model), overhead.with_collectives(plan)
    memory = known.on("", plan, gpu, overhead)
    if dry is not None:
        return _fit_dry(known, plan, gpu, overhead, dry, memory)
    parts = [float(getattr(memory, f"{part}_bytes")) for part in PARTS]
    room = _room(gpu, overhead, memory, reserved_range(memory, overhead))
    seqs = np.arange(float(SEQ_STEP), model.context_tokens + 1.0, SEQ_STEP)
    batches, lengths = replace(plan, micro_batch=MICRO_BATCHES), replace(plan, seq=seqs)
    return GpuFit(
        gpu=gpu, memory=memory, **room._asdict(),
        largest_micro_batch=_largest(known.on("micro-batches", batches, gpu, overhead), MICRO_BATCHES, gpu),
        longest_seq=_largest(known.on("lengths", lengths, gpu, overhead), seqs, gpu),
        binds=PARTS[int(np.argmax(parts))],
        search=None if room.fits else partial(_nearest_plan, known, plan, gpu, overhead),
    )


class _Room(NamedTuple):
    """Fields of GpuFit that say whether a plan has room."""

    low_bytes: float
    high_bytes: float
    needed_bytes: float
    chance: float
    fits: bool
    tight: bool
    squeezed: bool


def _room(gpu: Gpu, overhead: Overhead, memory: MemoryBreakdown, reserved: tuple[float, float, float]) -> _Room:
    """Whether the card holds what is reserved (central, low, high), or, where it does not, what cannot be done without."""
    central, low, high = (a + b for a, b in zip(reserved, overhead.context_bytes, strict=True))
    card, tight = gpu.memory_bytes, high > gpu.memory_bytes
    full = central > card
    if full:
        allocated, dynamic = float(memory.peak_allocated_bytes), float(memory.dynamic_bytes)
        least = [allocated + held + share * dynamic
                 for held, share in zip(overhead.context_bytes, (STUCK, *STUCK_ENDS), strict=True)]
        central, low, high = min(central, least[0]), least[1], min(high, least[2])
    chance = float(np.interp(card, (low, central, high), (0.05, 0.5, 0.95)))
    fits = central <= card
    return _Room(low, max(high, float(memory.process_bytes)), central, chance, fits, fits and tight, fits and full)


def _fit_dry(
    known: Breakdowns, plan: TrainingPlan, gpu: Gpu, overhead: Overhead, dry: DryPeaks, closed: MemoryBreakdown,
) -> GpuFit:
    """The fit with the dry run's peak; replicas add a gradient bucket, newer cards a larger cuBLAS workspace."""
    context, _, most = overhead.context_bytes
    more = workspace_bytes(gpu) - dry.workspace_bytes
    bucket = float(closed.adapters_bytes) if plan.gpus > 1 and plan.adapter else 0.0
    allocated, reserved = dry.own.allocated_bytes + more + bucket, dry.own.reserved_bytes + more + bucket
    reserved = min(reserved, max(gpu.memory_bytes - context, dry.needed(dry.own) + more + bucket))
    parts = {name: dry.parts_bytes.get(name, 0.0) for name in (*PARTS, "workspaces")}
    parts["workspaces"] += more + sum(n for name, n in dry.parts_bytes.items() if name not in (*parts, "temporaries"))
    parts["gradients"] += bucket
    parts["optimizer"] += dry.parts_bytes.get("temporaries", 0.0)
    memory = replace(
        closed, weights_bytes=parts["weights"], adapters_bytes=parts["adapters"], gradients_bytes=parts["gradients"],
        optimizer_bytes=parts["optimizer"], activations_bytes=parts["activations"], logits_bytes=parts["logits"],
        workspaces_bytes=parts["workspaces"], gathered_bytes=0.0, peak_allocated_bytes=allocated,
        peak_phase=PHASES.index(dry.phase), dynamic_bytes=dry.dynamic_bytes, reserved_bytes=reserved, context_bytes=context,
        process_bytes=reserved + context,
    )
    fit = _room(gpu, overhead, memory, replayed_range(allocated, dry.own.reserved_bytes + more + bucket))
    room = gpu.memory_bytes - context - more - bucket
    ran = dry.limits_run(gpu.id, room) if plan.gpus == 1 else None
    batch, longest = ran or (dry.largest_micro_batch(room), dry.longest_seq(room, SEQ_STEP))
    search: Callable[[], Nearest] | None = None
    if not fit.fits and batch >= 1:
        wanted = dry.reserved_at(batch) + more + bucket
        search = partial(Nearest, f"micro-batch {batch}", min(wanted + context, gpu.memory_bytes),
                         wanted * REPLAY_ENDS[1] + most > gpu.memory_bytes)
    elif not fit.fits:
        search = partial(_nearest_plan, known, plan, gpu, overhead, skip="micro-batch")
    return GpuFit(
        gpu=gpu, memory=memory, **fit._asdict(), largest_micro_batch=batch, longest_seq=longest,
        binds=PARTS[int(np.argmax([parts[name] for name in PARTS]))], limits_run=ran is not None, search=search,
    )


def _largest(memory: MemoryBreakdown, tried: NDArray[np.float64], gpu: Gpu) -> int:
    """The largest of the tried values whose memory fits, 0 where none does; memory rises with the value."""
    room = np.asarray(memory.process_bytes) <= gpu.memory_bytes
    return int(tried[room][-1]) if bool(room.any()) else 0


def _nearest_plan(known: Breakdowns, plan: TrainingPlan, gpu: Gpu, overhead: Overhead, skip: str = "no plan") -> Nearest:
    """The smallest change of plan that fits in closed form.

    One for which the allocator keeps its cache comes before all that are squeezed. Names that begin with `skip` are left out.
    """
    squeezed = NO_OTHER
    for name, other in _smaller_plans(known.model, plan):
        if name.startswith(skip) or refusal(known.model, other):
            continue
        memory = known.on(name, other, gpu, overhead)
        room = _room(gpu, overhead, memory, reserved_range(memory, overhead))
        if room.fits and not room.squeezed:
            return Nearest(name, float(memory.process_bytes), room.tight)
        if room.fits and not squeezed.name:
            squeezed = Nearest(name, float(memory.process_bytes), tight=True)
    return squeezed


def _smaller_plans(model: ModelShape, plan: TrainingPlan) -> Iterator[tuple[str, TrainingPlan]]:
    """Plans that need less, from the smallest change to the largest."""
    kept = "inputs" if plan.checkpoints == "selective" else plan.checkpoints
    thrifty = replace(plan, micro_batch=1.0, checkpointing=True, checkpoints=kept)
    if not plan.checkpointing or kept != plan.checkpoints:
        name = "checkpoints of inputs alone" if plan.checkpointing else "checkpointing"
        yield name, replace(plan, checkpointing=True, checkpoints=kept)
    if plan.micro_batch > 1:
        yield "micro-batch 1", replace(plan, micro_batch=1.0)
        if not plan.checkpointing:
            yield "micro-batch 1 + checkpointing", thrifty
    if plan.adapter and trains_experts(model, plan.targets):
        yield "targets attention", replace(plan, targets="attention")
    if plan.prepared and model.mixture:
        # k-bit preparation casts experts, which stay unquantised, to fp32
        yield "LoRA", replace(plan, method="lora")
        yield "LoRA, targets attention, micro-batch 1", replace(thrifty, method="lora", targets="attention")
    yield from _lower_ranks(plan)
    own, usual, asked, least = "", TrainingPlan(), plan, thrifty
    if plan.projected or (plan.tuner is not None and plan.tuner.size != "r"):  # their size is no adapter's rank
        own = f" of rank {usual.rank:g}"
        optimizer = usual.optimizer if plan.projected else plan.optimizer  # GaLore projects whole weights' gradients alone
        plan, thrifty = (replace(each, optimizer=optimizer, rank=usual.rank) for each in (plan, thrifty))
    if not plan.adapter:
        if plan.optimizer in ("adamw", "adamw-foreach"):
            yield "full, 8-bit optimizer, micro-batch 1", replace(thrifty, optimizer="adamw-8bit")
        if plan.optimizer in ("adamw", "adamw-foreach", "adamw-8bit"):
            yield "full, paged 8-bit optimizer, micro-batch 1", replace(thrifty, optimizer="paged-adamw-8bit")
        yield f"LoRA{own}", replace(plan, method="lora")
        yield f"LoRA{own}, micro-batch 1", replace(thrifty, method="lora")
    yield from _quantised_plans(plan, thrifty, own)
    plain = not asked.adapter or (asked.prepared and model.mixture)
    yield from _shorter_plans(model, asked, replace(thrifty, method="lora") if plain else least, f"LoRA{own}, " * plain)


def _lower_ranks(plan: TrainingPlan) -> Iterator[tuple[str, TrainingPlan]]:
    """GaLore's projection to half the rank, and so on."""
    rank = float(plan.rank) / 2.0
    while plan.projected and rank >= LEAST_PROJECTED:
        yield f"rank {np.floor(rank):,.0f}", replace(plan, rank=np.floor(rank))
        rank /= 2.0


def _quantised_plans(plan: TrainingPlan, thrifty: TrainingPlan, own: str) -> Iterator[tuple[str, TrainingPlan]]:
    """An adapter on an NF4 base, then on ever shorter sequences."""
    quantised: TrainingPlan = replace(thrifty, method="qdora" if plan.weight_decomposed else "qlora")
    name = f"{'QDoRA' if plan.weight_decomposed else 'QLoRA'}{own}"
    if not plan.quantised:
        yield name, replace(plan, method=quantised.method)
        yield f"{name}, micro-batch 1 + checkpointing", quantised
    seq = float(plan.seq) / 2.0
    while seq >= SEQ_STEP:
        yield f"{name}, micro-batch 1, {seq:,.0f} tokens", replace(quantised, seq=float(np.floor(seq)))
        seq /= 2.0


def _shorter_plans(model: ModelShape, plan: TrainingPlan, least: TrainingPlan, name: str) -> Iterator[tuple[str, TrainingPlan]]:
    """`least`, which keeps the base's type, on ever shorter sequences: NF4 saves little where experts stay unquantised."""
    also = ", micro-batch 1" * (plan.micro_batch > 1) + ", checkpointing" * (not plan.checkpointing)
    seq = float(plan.seq) / 2.0
    while seq >= SEQ_STEP:
        shorter = replace(least, seq=float(np.floor(seq)))
        yield f"{name}{shorter.seq:,.0f} tokens{also}", shorter
        if least.targeted and trains_experts(model, least.targets):
            yield f"{name}{shorter.seq:,.0f} tokens, targets attention{also}", replace(shorter, targets="attention")
        seq /= 2.0
