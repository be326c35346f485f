"""Which GPUs a training plan fits on, what binds where it does not, and the nearest plan that fits.

The process must fit the card: torch's reserved memory + CUDA context <= memory of the card. Reserved memory is that of a dry
run where there is one, else the closed form's (training/memory.py) plus the caching allocator's slack, which a full card cuts
to what it cannot do without (STUCK). The central estimate decides whether the plan fits; one that fits only by it, and not at
the 95th percentile, is called tight, and squeezed where the allocator must give back its cache for it. `room_on` decides, and
`doubt` says which card comes first of several, for `roi fit` and for `roi compare`.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Final, Literal, NamedTuple

import numpy as np

from roi.errors import InputError
from roi.estimate.fitting.distance import plan_ends
from roi.estimate.fitting.dry_peaks import DryPeaks
from roi.estimate.fitting.overhead import Overhead, planned_range, replayed_range
from roi.estimate.fitting.smaller_plans import Family, changes, smaller_plans
from roi.estimate.training.adapters import check_rank
from roi.estimate.training.beyond_peak import STUCK, given_back
from roi.estimate.training.memory import PHASES, MemoryBreakdown, card_kind, on_card, training_memory, workspace_bytes
from roi.estimate.training.plan import TrainingPlan, check_context
from roi.estimate.training.setting import refusal, scores_kept_here
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.numerics.arrays import Array
from roi.units import GIB

MICRO_BATCHES: Final = np.arange(1.0, 1025.0)
"""Micro-batches that the search tries."""
SEQ_STEP: Final = 128
"""Longest sequences are found to this many tokens."""
PARTS: Final = ("weights", "adapters", "gathered", "gradients", "optimizer", "activations", "logits")
"""Parts of the peak that can be the largest, which is the one that binds."""
STUCK_ENDS: Final = (0.0, 0.39)
"""Ends of STUCK: a card may lack nothing, and 90% of the 24 replays lack less than the other, taken for the 95th percentile."""


class Nearest(NamedTuple):
    """The smallest change of plan that fits."""

    name: str
    """Empty where the plan fits itself, or none was found."""
    process_bytes: float
    """Peak of the process under the plan of that name; 0 where there is none."""
    tight: bool
    """True where it fits, but not at the 95th percentile."""
    least: str = ""
    """Where none was found: the changes of the plan that needs least of all that were tried."""
    least_bytes: float = 0.0
    """What the process cannot do without under the plan that `least` names."""


NO_OTHER: Final = Nearest("", 0.0, tight=False)


class Breakdowns:
    """What plans of one model need on cards of each kind (`card_kind`), and which need less, each worked out once."""

    def __init__(self, model: ModelShape) -> None:
        """Nothing is known yet."""
        self.model = model
        self._known: dict[tuple[str, tuple[float, bool]], MemoryBreakdown] = {}
        self._smaller: dict[TrainingPlan, list[Family]] = {}
        self._sized: dict[TrainingPlan, tuple[TrainingPlan, TrainingPlan]] = {}

    def on(self, name: str, plan: TrainingPlan, gpu: Gpu, overhead: Overhead) -> MemoryBreakdown:
        """What the plan, which alone has this name, needs on a card; its numeric fields broadcast."""
        key = name, card_kind(gpu)
        if key not in self._known:
            self._known[key] = training_memory(self.model, plan, gpu)
        return on_card(self._known[key], overhead.slack[0], overhead.context_bytes[0], gpu)

    @cached_property
    def seqs(self) -> Array:
        """Lengths that the search tries, tokens."""
        return np.arange(float(SEQ_STEP), self.model.context_tokens + 1.0, SEQ_STEP)

    def sized(self, plan: TrainingPlan) -> tuple[TrainingPlan, TrainingPlan]:
        """The plan at all micro-batches, and at all lengths, that the search tries."""
        if plan not in self._sized:
            self._sized[plan] = replace(plan, micro_batch=MICRO_BATCHES), replace(plan, seq=self.seqs)
        return self._sized[plan]

    def smaller(self, plan: TrainingPlan) -> list[Family]:
        """Plans that need less than the one that is asked for, without what is refused."""
        if plan not in self._smaller:
            self._smaller[plan] = [each._replace(plans=tuple(x for x in each.plans if not refusal(self.model, x)))
                                   for each in smaller_plans(self.model, plan)]
        return self._smaller[plan]


@dataclass(frozen=True)
class GpuFit:
    """What one plan needs on one GPU, whether it fits, and the nearest plan that does."""

    gpu: Gpu
    memory: MemoryBreakdown
    low_bytes: float
    """Peak of the process, 5th percentile; where the plan is squeezed or does not fit, of what it cannot do without."""
    high_bytes: float
    """Peak of the process, 95th percentile; where the plan is squeezed or does not fit, of what it cannot do without."""
    fits: bool
    """True where the central estimate is at most the card's memory."""
    tight: bool
    """True where it fits, but what it cannot do without does not at its 95th percentile, or it is squeezed."""
    largest_micro_batch: int
    """Largest micro-batch that fits at the plan's sequence; 0 = none."""
    longest_seq: int
    """Longest sequence that fits at the plan's micro-batch, within the model's context; 0 = none."""
    binds: str
    """Largest part of the peak."""
    needed_bytes: float
    """What the process cannot do without on this card, central: the peak, or less where the plan is squeezed."""
    needed_high_bytes: float
    """What the process cannot do without on this card, 95th percentile, which decides what is tight."""
    chance: float
    """Share of the estimates of what the process cannot do without that the card holds, on the lines through its 5th
    percentile, the central one and the 95th."""
    squeezed: bool = False
    """True where it fits, but only as the allocator gives back what it would keep on a larger card."""
    limits_run: bool | None = None
    """Whether the two limits are sizes that were run dry with the whole model; False: they lie between such sizes; None: the
    closed form."""
    formula: tuple[float, float, float] | None = None
    """What the process needs in closed form, bytes (central, 5th and 95th percentile), where memory is a dry run's and their
    intervals do not meet; None elsewhere."""
    search: Callable[[], Nearest] | None = field(default=None, repr=False, compare=False)
    """Looks for the nearest plan that fits; None where this one does."""

    @property
    def run_dry(self) -> bool:
        """True where memory is that of a dry run, False where the closed form's."""
        return self.limits_run is not None

    @cached_property
    def nearest(self) -> Nearest:
        """The nearest plan that fits, looked for when it is first asked for."""
        return NO_OTHER if self.search is None else self.search()


def fit_plan(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, overhead: Overhead, dry: DryPeaks | None = None,
    known: Breakdowns | None = None,
) -> GpuFit:
    """Whether the plan (scalar fields) fits on one GPU, and the search around it; memory from `dry` where there is a dry run.

    A dry run has FlashAttention: where the card lacks it and so keeps scores, memory is that of the closed form all the same.
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
    room, by_run, limits_run = room_on(model, plan, gpu, overhead, memory, dry), None, None
    largest = [partial(_largest, known, name, plan, gpu, overhead) for name in ("micro_batch", "seq")]
    if dry is None or scores_kept_here(model, plan, gpu):
        batch, longest = (formula() for formula in largest)
    else:
        memory = _run_memory(plan, gpu, overhead, dry, memory)
        left = gpu.memory_bytes - overhead.context_bytes[0] - float(memory.peak_allocated_bytes) + dry.own.allocated_bytes
        ran = dry.limits_run(gpu.id, left) if plan.gpus == 1 else None
        batch, longest = ran or (dry.largest_micro_batch(left, largest[0]), dry.longest_seq(left, SEQ_STEP, largest[1]))
        limits_run, by_run = ran is not None, partial(_by_run, plan, gpu, overhead, dry, memory) if dry.batches else None
    parts = [float(getattr(memory, f"{part}_bytes")) for part in PARTS]
    return GpuFit(
        gpu=gpu, memory=memory, **room._asdict(), largest_micro_batch=batch, longest_seq=longest,
        binds=PARTS[int(np.argmax(parts))], limits_run=limits_run,
        search=None if room.fits else partial(_nearest_plan, known, plan, gpu, overhead, by_run),
    )


class Room(NamedTuple):
    """Whether a card has room for a plan: fields of GpuFit, which says what each of them means."""

    low_bytes: float
    high_bytes: float
    needed_bytes: float
    needed_high_bytes: float
    chance: float
    fits: bool
    tight: bool
    squeezed: bool
    formula: tuple[float, float, float] | None = None


SURE, TIGHT, SQUEEZED, TOO_LARGE = range(4)
"""How well a card holds a plan: at the 95th percentile; by the central estimate; only as the allocator gives back its cache;
not at all."""


def doubt(room: GpuFit | Room) -> int:
    """How well the card holds the plan, SURE to TOO_LARGE: of two cards the one with less doubt comes first, at any price."""
    return SURE + room.tight + room.squeezed if room.fits else TOO_LARGE


def doubt_told(room: GpuFit | Room) -> str:
    """How well the card holds the plan (`doubt`), in words; empty where it is sure to."""
    maybe = f"{min(round(10 * room.chance), 9)} chances in 10: only as torch gives its cache back"
    return ("", "tight: not at the 95th percentile", maybe, "does not fit by the estimate of its memory")[doubt(room)]


def room_on(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, overhead: Overhead, closed: MemoryBreakdown, dry: DryPeaks | None = None,
) -> Room:
    """Whether one GPU has room for the plan, in closed form (`on_card`) or, where it ran what this card runs, by a dry run.

    `overhead` is that of the job, collectives included.
    """
    ends = plan_ends(plan, model.family, float(closed.weights_bytes), float(closed.peak_allocated_bytes))
    formula = planned_range(closed, overhead, ends)
    if dry is None or scores_kept_here(model, plan, gpu):
        return _room(gpu, overhead, closed, formula, ends)
    memory = _run_memory(plan, gpu, overhead, dry, closed)
    allocated, unit = float(memory.peak_allocated_bytes), float(closed.loose_bytes)
    reserved = dry.own.reserved_bytes + allocated - dry.own.allocated_bytes
    replayed = replayed_range(allocated, reserved, unit)
    found = _room(gpu, overhead, memory, replayed, plan_ends(plan))
    if formula[1] <= replayed[2] and replayed[1] <= formula[2]:
        return found
    central, low, high = (a + b for a, b in zip(formula, overhead.context_bytes, strict=True))
    return found._replace(formula=(central, low, high))


def apart_told(room: GpuFit | Room) -> str:
    """That dry run and closed form differ by more than their intervals, in words; empty where they do not."""
    if room.formula is None:
        return ""
    central, low, high = (x / GIB for x in room.formula)
    return (f"the dry run and the formula of memory differ by more than their intervals: {room.low_bytes / GIB:,.1f}-"
            f"{room.high_bytes / GIB:,.1f} GiB against {central:,.1f} ({low:,.1f}-{high:,.1f}); one of them does not count this"
            " step as it runs, and a short run says which (roi profile train)")


def _room(
    gpu: Gpu, overhead: Overhead, memory: MemoryBreakdown, reserved: tuple[float, float, float], ends: tuple[float, float],
) -> Room:
    """Whether the card holds what is reserved (central, low, high), or, where it does not, what cannot be done without.

    It is tight where it lacks room for both at the 95th percentile: where the driver has no more, the allocator gives back what
    it holds of freed blocks and asks again. Central estimates that are squeezed so are tight in any case.
    """
    central, low, high = (a + b for a, b in zip(reserved, overhead.context_bytes, strict=True))
    allocated, dynamic = float(memory.peak_allocated_bytes), float(memory.dynamic_bytes)
    least = [allocated * grown + held + share * dynamic for grown, held, share in zip(
        (1.0, *ends), overhead.context_bytes, (STUCK, *STUCK_ENDS), strict=True)]
    card = gpu.memory_bytes
    full, without, needed = central > card, min(central, least[0]), min(high, least[2])
    chance = float(np.interp(card, (least[1], without, max(without, needed)), (0.05, 0.5, 0.95)))
    if full:
        central, low, high = without, least[1], needed
    needed = max(central, needed)
    fits, tight = central <= card, full or needed > card
    return Room(low_bytes=low, high_bytes=max(high, float(memory.process_bytes)), needed_bytes=central,
                needed_high_bytes=needed, chance=chance, fits=fits, tight=fits and tight, squeezed=fits and full)


def _run_memory(plan: TrainingPlan, gpu: Gpu, overhead: Overhead, dry: DryPeaks, closed: MemoryBreakdown) -> MemoryBreakdown:
    """The breakdown with the dry run's peak; replicas add a gradient bucket, newer cards a larger cuBLAS workspace."""
    context = overhead.context_bytes[0]
    more = workspace_bytes(gpu) - dry.workspace_bytes
    bucket = float(closed.adapters_bytes) if plan.gpus > 1 and plan.adapter else 0.0
    allocated, reserved = dry.own.allocated_bytes + more + bucket, dry.own.reserved_bytes + more + bucket
    full = max(gpu.memory_bytes - context, dry.needed(dry.own) + more + bucket)
    reserved = float(given_back(reserved, closed.stranded_bytes, full))
    parts = {name: dry.parts_bytes.get(name, 0.0) for name in (*PARTS, "workspaces")}
    parts["workspaces"] += more + sum(n for name, n in dry.parts_bytes.items() if name not in (*parts, "temporaries"))
    parts["gradients"] += bucket
    parts["optimizer"] += dry.parts_bytes.get("temporaries", 0.0)
    return replace(
        closed, weights_bytes=parts["weights"], adapters_bytes=parts["adapters"], gradients_bytes=parts["gradients"],
        optimizer_bytes=parts["optimizer"], activations_bytes=parts["activations"], logits_bytes=parts["logits"],
        workspaces_bytes=parts["workspaces"], gathered_bytes=0.0, peak_allocated_bytes=allocated,
        peak_phase=PHASES.index(dry.phase), dynamic_bytes=dry.dynamic_bytes, reserved_bytes=reserved, context_bytes=context,
        process_bytes=reserved + context,
    )


def _by_run(
    plan: TrainingPlan, gpu: Gpu, overhead: Overhead, dry: DryPeaks, own: MemoryBreakdown, other: TrainingPlan,
) -> tuple[Room, Nearest]:
    """The plan's run with fewer sequences, judged as its own, whose breakdown is `own`, is."""
    peak, more = dry.at(int(other.micro_batch)), float(own.peak_allocated_bytes) - dry.own.allocated_bytes
    allocated, reserved = (x + more for x in (peak.allocated_bytes, peak.reserved_bytes))
    held = replace(own, peak_allocated_bytes=allocated, dynamic_bytes=dry.moving(peak), process_bytes=0.0)
    unit = float(own.loose_bytes) * float(other.micro_batch) / float(plan.micro_batch)
    room = _room(gpu, overhead, held, replayed_range(allocated, reserved, unit),
                 plan_ends(plan))
    return room, Nearest(changes(plan, other), min(reserved + overhead.context_bytes[0], gpu.memory_bytes), room.tight)


def _largest(known: Breakdowns, name: Literal["micro_batch", "seq"], plan: TrainingPlan, gpu: Gpu, overhead: Overhead) -> int:
    """The largest of the tried values of a field that fits in closed form, 0 where none does; memory rises with the value."""
    sized, tried = known.sized(plan)[name == "seq"], MICRO_BATCHES if name == "micro_batch" else known.seqs
    room = np.asarray(known.on(name, sized, gpu, overhead).process_bytes) <= gpu.memory_bytes
    return int(tried[room][-1]) if bool(room.any()) else 0


class _Found(NamedTuple):
    """A plan of a family that fits, by how much of what was asked for it keeps."""

    whole: bool
    """True at the size that was asked for."""
    sure: bool
    """True where it fits at the 95th percentile."""
    size: float
    near: Nearest

    @property
    def kept(self) -> tuple[bool, bool, float]:
        """What is compared: the whole size comes first, then a smaller one that is sure, then the larger."""
        return self.whole, self.whole or self.sure, self.size


Look = Callable[[TrainingPlan], tuple[Room, Nearest]]
"""Whether a plan has room on a card, and how it is told."""


def _nearest_plan(
    known: Breakdowns, plan: TrainingPlan, gpu: Gpu, overhead: Overhead, by_run: Look | None = None,
) -> Nearest:
    """The smallest change of plan that fits in closed form: of the first family that has one, that of the largest size.

    One for which the allocator keeps its cache comes before all that are squeezed. A smaller size is one that fits at the 95th
    percentile, where one does. `by_run` says what the plan's own dry run makes of fewer sequences, in place of the
    closed form.
    """
    squeezed, tried = list[Nearest](), dict[str, float]()

    def look(other: TrainingPlan) -> tuple[Room, Nearest]:
        name = changes(plan, other)
        memory = known.on(name, other, gpu, overhead)
        room = room_on(known.model, other, gpu, overhead, memory)
        tried[name] = room.needed_bytes
        return room, Nearest(name, float(memory.process_bytes), room.tight)

    def run(other: TrainingPlan) -> tuple[Room, Nearest]:
        """Look at a plan by its dry run, but in closed form where none is or a lone row keeps scores on this card."""
        return look(other) if by_run is None or scores_kept_here(known.model, other, gpu) else by_run(other)

    for family in known.smaller(plan):
        runs = run if family.field == "micro_batch" else look
        found = [each for other in family.plans if (
            each := _largest_of(family, other, runs if other == plan else look, squeezed, whole=other != plan)) is not None]
        if found:
            return max(found, key=lambda each: each.kept).near
    least = min(tried, key=lambda name: tried[name], default="")
    return squeezed[0] if squeezed else NO_OTHER._replace(least=least, least_bytes=tried.get(least, 0.0))


def _largest_of(family: Family, plan: TrainingPlan, look: Look, squeezed: list[Nearest], *, whole: bool) -> _Found | None:
    """The largest size of a family's plan that fits without being squeezed, at the 95th percentile where one does.

    With `whole` at its own size too, where the family has that. One that is squeezed joins `squeezed`, the whole size first.
    """
    own = float(getattr(plan, family.field))
    sizes = [*family.sizes, *([own] if whole and family.field == "micro_batch" else ())]
    lone = 2 if family.field == "micro_batch" else 1  # a row alone has no mask: by other kernels it may need more than two
    first = next((n for n, size in enumerate(sizes[:lone]) if look(family.at(plan, size))[0].fits), None)
    if first is None:
        return None
    fitting = [look(family.at(plan, size)) for size in (sizes[-1], sizes[first])]
    squeezed += [near._replace(tight=True) for room, near in fitting if room.squeezed]
    for most in (SURE, TIGHT):
        rooms = bisect_left(sizes, 1, first, key=lambda x: doubt(look(family.at(plan, x))[0]) > most)
        if rooms > first:
            size = sizes[rooms - 1]
            return _Found(size == own, most == SURE, size, look(family.at(plan, size))[1])
    return None
