"""A short real training run: what cannot run is said first; then a model is built, stepped, and told as a profile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from math import ceil, sqrt
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from roi.catalog.cards.gpus import find_gpu
from roi.errors import RoiError
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.facts.profiles import TrainPoint, TrainProfile
from roi.profiling.board import NO_DRAW, Draw
from roi.profiling.model_to_build import ModelToBuild
from roi.profiling.session import Session, ran_out
from roi.profiling.stack import quiet, torch
from roi.profiling.train import real_model, train_point
from roi.profiling.train.fused import apply_liger
from roi.profiling.train.real_model import ATTENTION, trained_count
from roi.profiling.train.train_point import PointRun, StepTooLong
from roi.profiling.train.training_steps import TrainingSetup
from roi.store.profiles.plan_record import plan_record
from roi.units import formatted

if TYPE_CHECKING:
    from roi.profiling.train.ranks import Ranks

SEARCH_SHARE: Final = 0.25
"""Part of the budget that is kept for the search for the largest micro-batch, until measured sizes say what it takes."""
MOST_OF_SEARCH: Final = 0.65
"""Part of the budget that the search for the largest micro-batch gets at most; four steps of each size come first."""
LEAST_STEPS: Final = train_point.WARMUP + 1
"""Steps of a point that is measured at all."""
TRIALS: Final = 2
"""Sizes that a search tries where the line holds: one that fits, one that does not."""
SPARE: Final = 1.8
"""Time that is kept for the search over what two trials take: the line may be some sequences off, each a trial more."""
FAR_OFF: Final = 1.1
"""A size so far above the line through measured peaks is not tried: where it ran out, its first step would be lost."""
ENOUGH: Final = 3.0
"""Steps that a budget must hold for one measurement: a slow first one, a timed one, and one to spare."""


@dataclass(frozen=True)
class TrainRequest:
    """The model, the plan and the sizes to train."""

    model: ModelToBuild
    plan: TrainingPlan
    points: tuple[tuple[int, int], ...]
    """Sizes, each (micro-batch, tokens of a sequence)."""
    find_largest: bool = True
    """Search the largest micro-batch too (on a GPU)."""
    compiled: bool = False
    """Steps run under torch.compile."""
    lengths: tuple[int, ...] = ()
    """Tokens of real examples, which batches are made of; none: every row is full."""


def profile_train(request: TrainRequest, session: Session) -> TrainProfile:
    """The profile of a run: build the model, step through the points, search the largest micro-batch.

    The budget is for stepping; building comes on top. It is divided over the points (see `share`).
    Ctrl-C, or a budget that ends, keeps what was measured and marks the profile as incomplete. Where nothing was measured,
    Ctrl-C is passed on, and anything else is a RoiError that says why.
    """
    began_s = perf_counter()
    with quiet():
        setup = set_up(request, session)
    session.notes.append(f"built in {perf_counter() - began_s:.1f} s, outside the budget")
    stepping = _Stepping(request, setup, session)
    session.measure(stepping.run, lambda: stepping.measured)
    if not stepping.measured:
        raise RoiError(stepping.why_nothing())
    session.notes += stepping.enough()
    profile = train_profile(request, setup, session, stepping.points, stepping.last_draw,
                            complete=not (stepping.ended or session.cut))
    return profile.model_copy(update={"largest_micro_batch": stepping.largest})


def train_profile(request: TrainRequest, setup: TrainingSetup, session: Session, points: Iterable[TrainPoint],
                  draw: Draw | None, *, complete: bool) -> TrainProfile:
    """The profile of these points; `draw` is that of the last one that read clocks."""
    return TrainProfile(
        started=session.started, environment=session.environment_under_load(draw), model=request.model.name,
        config=None if request.model.listed or request.model.shrunk else request.model.config,
        plan=plan_record(setup.plan), weights="random" if request.model.weights is None else str(request.model.weights),
        trained_parameters=trained_count(setup.model), compiled=request.compiled, lengths=length_shares(request.lengths),
        points=tuple(points), budget_s=session.budget_s, complete=complete, notes=session.all_notes)


def set_up(request: TrainRequest, session: Session, ranks: "Ranks | None" = None) -> TrainingSetup:
    """The model on its device, ready to train, spread over the ranks where there are several.

    The session notes what a reader of the times must know about it.
    """
    plan, device = request.plan, session.device
    base = _build_base(request, session)
    if base.config._attn_implementation != ATTENTION[plan.attention]:
        plan = replace(plan, attention="eager")
        session.notes.append(f"this class has no {request.plan.attention} attention; eager ran")
    if (plan.quantised or plan.int8) and not real_model.quantised_layers(base):
        session.notes.append("bitsandbytes found no layer to quantise in this class; the base stayed whole")
    fused = request.model.shape.module_names if request.model.shape else ()
    model = real_model.prepare_training(base, plan, fused)
    if request.model.shape is not None:
        counted, wanted = trained_count(model), int(trained_parameters(request.model.shape, plan))
        if counted != wanted:  # peft reaches fused experts and routers of some classes
            session.notes.append(f"{counted:,} parameters train, the closed form counts {wanted:,}")
    vocab = int(base.config.get_text_config().vocab_size)
    if ranks is not None:
        model = ranks.spread(model, plan)
    if request.compiled and plan.trainer == "plain":  # a Trainer compiles by itself
        model = torch.compile(model, dynamic=False)
    return TrainingSetup(model, plan, device, vocab, seed=session.seed, ranks=ranks, compiled=request.compiled,
                         lengths=request.lengths)


def _build_base(request: TrainRequest, session: Session) -> Any:  # Any: transformers' classes are chosen at run time
    """The model without its adapter, with the plan's kernels; a RoiError where memory runs out."""
    plan, device = request.plan, session.device
    session.watcher.say(f"building {request.model.name}: {plan.method}, {plan.dtype}, on {device}")
    try:
        if request.model.weights is None:
            base = real_model.build_model(request.model.config, plan, device, session.seed)
        else:
            base = real_model.load_model(request.model.weights, plan, device)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        way = "" if plan.quantised else "; --method qlora stores it in 4 bits"
        raise RoiError(f"out of memory while {request.model.name} was built on {device}{way}") from error
    if plan.kernels == "liger":
        apply_liger(base)
    return base


def share(waiting: Sequence[tuple[int, int]]) -> float:
    """Part of the time left that the first of these points may take: as the square root of its tokens.

    Between equal seconds, which leave long steps too few, and equal steps, which leave short ones no seconds.
    """
    weights = [sqrt(micro_batch * seq) for micro_batch, seq in waiting]
    return weights[0] / sum(weights)


def length_shares(lengths: Sequence[int]) -> tuple[int, ...]:
    """Percentiles 0, 10, ... 100 of the lengths: what a profile keeps of them; empty for none."""
    ordered = sorted(lengths)
    return tuple(ordered[round(share * (len(ordered) - 1) / 10)] for share in range(11)) if ordered else ()


class _Stepping:
    """Points as they come in; what is here when a run is interrupted is kept."""

    def __init__(self, request: TrainRequest, setup: TrainingSetup, session: Session) -> None:
        self.request, self.setup, self.session, self.notes = request, setup, session, session.notes
        self.gpu = find_gpu(session.environment.gpu) if session.environment.gpu else None
        self.points: list[TrainPoint] = []
        self.largest: dict[str, int] = {}
        self.last_draw: Draw | None = None
        """Power and clocks of the last point that read clocks."""
        self.failed: dict[int, int] = {}
        """Smallest micro-batch that ran out of memory, by length."""
        self.ended: list[str] = []
        """Notes on what the budget cut off; empty where all was measured."""
        self.step_s: float | None = None
        """A step of the smallest size, as far as it is known when the budget ends before a measurement."""
        self.said = False

    @property
    def measured(self) -> bool:
        """True where there is something to keep: times of a size, or that one ran in the search."""
        return bool(self.points) or any(self.largest.values())

    def why_nothing(self) -> str:
        """Why nothing was measured, and what would do; one sentence."""
        if not self.ended:
            return "nothing was measured: " + "; ".join(f"{b} x {seq:,} ran out of memory" for seq, b in self.failed.items())
        wanted = ceil(max(ENOUGH * (self.step_s or 0.0), 2.0 * self.session.budget_s))
        return (f"--budget: {self.session.budget_s:g} s is too short, nothing was measured: {self.ended[0]}; "
                f"--budget {wanted}s would do for that size")

    def enough(self) -> list[str]:
        """A note that sizes ended before their share of the budget did, where some did; else none."""
        full = sum(len(point.step_s) >= point.warmup + train_point.TIMED for point in self.points)
        told = f"{full} of {len(self.points)} sizes ended at {train_point.TIMED} timed steps, enough for a median"
        return [f"{told}; more --budget gives them no more"] if full else []

    def run(self) -> None:
        """Points from few tokens to many, then the search."""
        compiled = self.request.compiled
        searches = self.request.find_largest and self.session.device == "cuda" and not compiled
        waiting = sorted(self.request.points, key=lambda point: (point[0] * point[1], point[0]))
        for i, (micro_batch, seq) in enumerate(waiting):
            left_s = self._stepping_s(waiting[i:], searches=searches)
            if left_s <= 0.0 and i:
                self._ended(f"the budget ended before {len(waiting) - i} of {len(waiting)} points")
                break
            if micro_batch >= self.failed.get(seq, micro_batch + 1):
                self.notes.append(f"{micro_batch} x {seq:,}: left out, {self.failed[seq]} x {seq:,} ran out of memory")
                continue
            guess = self._guess(seq) if searches else None
            if guess is not None and micro_batch > FAR_OFF * guess:
                self.notes.append(f"{micro_batch} x {seq:,}: left out, by the line through measured peaks {guess} fit")
                continue
            if self.points:
                self._say_what_fits(waiting[i:], left_s)
            self._measure(micro_batch, seq, left_s * share(waiting[i:]))
        if searches:
            self._search()
        elif compiled:
            self.notes.append("largest micro-batch: not searched with --compile, which compiles each size anew")
        elif self.session.device == "cpu":
            self.notes.append("largest micro-batch: not searched on a CPU, where running out of memory ends other programs")

    def _say_what_fits(self, waiting: Sequence[tuple[int, int]], left_s: float) -> None:
        """Say once which points the budget will not hold, as soon as measured steps tell it."""
        needed = [LEAST_STEPS * self._step_s(b * seq) for b, seq in waiting]
        fit = sum(total <= left_s for total in accumulate(needed))
        if fit < len(waiting) and not self.said:
            self.said = True
            self.session.watcher.warn(f"--budget: {fit} of the {len(waiting)} sizes that are left fit into {left_s:.0f} s "
                                      "whole; the others are measured as far as it goes, and left out beyond. "
                                      f"--budget {ceil(self.session.budget_s + sum(needed) - left_s)}s would hold all")

    def _stepping_s(self, waiting: Sequence[tuple[int, int]], *, searches: bool) -> float:
        """Seconds that the sizes still waiting have: what the search leaves, or what a few steps of each take."""
        left_s = self.session.left_s
        if not searches:
            return left_s
        least_s = sum(LEAST_STEPS * self._step_s(b * seq) for b, seq in waiting) if self.points else 0.0
        return max(left_s - self._search_s(), min(left_s, least_s))

    def _search_s(self) -> float:
        """Seconds that are kept for the search: what it takes by the lines through measured sizes, else a share."""
        guesses = [(self._guess(seq), seq) for seq in {seq for _, seq in self.request.points}]
        known = [SPARE * self._trials_s(guess * seq) for guess, seq in guesses if guess is not None]
        return min(sum(known), MOST_OF_SEARCH * self.session.budget_s) if known else SEARCH_SHARE * self.session.budget_s

    def _trials_s(self, tokens: int) -> float:
        """Seconds of the trials of one length; the one that fits takes a second step where an optimizer is made for each."""
        steps = TRIALS + (not self.setup.stepped) * (train_point.TRIAL_STEPS - 1)
        return steps * self._step_s(tokens) * self.setup.plan.accumulation

    def _guess(self, seq: int) -> int | None:
        peaks = [(p.micro_batch * p.seq, p.memory.reserved_bytes) for p in self.points if p.memory.reserved_bytes]
        return train_point.guess_largest(peaks, train_point.room_bytes(), seq) if peaks else None

    def _step_s(self, tokens: int) -> float:
        """Seconds of a step of so many tokens, by the line through the measured ones; in proportion to one alone."""
        known = sorted((p.micro_batch * p.seq, median(p.step_s[p.warmup:])) for p in self.points)
        (few, short), (many, long) = known[0], known[-1]
        if many == few:
            return long * tokens / many
        each = max((long - short) / (many - few), 0.0)
        return max(short + each * (tokens - few), 0.0)

    def _measure(self, micro_batch: int, seq: int, share_s: float) -> None:
        train_point.reset_memory(self.setup.device)
        run = PointRun(micro_batch, seq, share_s, self.session, micro_steps=self.setup.plan.accumulation,
                       compiles=self.setup.compiled, drawn=bool(self.setup.lengths))
        draw: Draw | None = None
        too_long_s: float | None = None
        try:
            draw = train_point.run_point(self.setup, run)
        except StepTooLong as error:
            too_long_s = error.step_s
        except (KeyboardInterrupt, RuntimeError, MemoryError, RoiError) as error:
            if not ran_out(error):
                self._keep(run, NO_DRAW)
                raise
        if too_long_s is not None:
            train_point.recover(self.setup)
            self.step_s = self.step_s or too_long_s
            self._ended(f"{micro_batch} x {seq:,}: the budget ended inside the first step")
            return
        if draw is None:  # outside the except block, where the traceback would hold the step's tensors
            train_point.recover(self.setup)
            self.failed[seq] = min(micro_batch, self.failed.get(seq, micro_batch))
            self.notes.append(f"{micro_batch} x {seq:,}: out of memory")
            return
        if draw.sm_clock_hz is not None:
            self.last_draw = draw
        self._keep(run, draw)

    def _keep(self, run: PointRun, draw: Draw) -> None:
        if run.usable:
            shape, plan = self.request.model.shape, replace(self.setup.plan, micro_batch=run.micro_batch, seq=run.widest)
            predicted = None
            if shape is not None and not self.setup.compiled:  # the closed form knows no compiled step
                predicted = float(training_memory(shape, plan, self.gpu).peak_allocated_bytes)
            memory = train_point.read_memory(self.setup.device, self.session.board)
            self.points.append(run.point(memory, draw, predicted))
            change = train_point.drift([step.seconds / max(step.slots, 1) for step in run.steps[run.warmup:]])
            if change is not None:
                self.notes.append(f"{run.micro_batch} x {run.seq:,}: not steady, a step's time changed by "
                                  f"{formatted(change, '+.0%')} over the last third; a longer --budget measures what lasts")
        if self.session.left_s <= 0.0 and run.steps and not run.usable:
            self.step_s = self.step_s or max(step.seconds for step in run.steps)
            self._ended(f"{run.micro_batch} x {run.seq:,}: the budget ended in its warm-up")

    def _search(self) -> None:
        """Largest micro-batch of each length, short lengths first."""
        for seq in sorted({seq for _, seq in self.request.points}):
            ran = max((p.micro_batch for p in self.points if p.seq == seq), default=0)
            train_point.recover(self.setup)
            guess = self._guess(seq)
            needed_s = 0.0 if guess is None else self._trials_s(guess * seq)
            if needed_s > max(self.session.left_s, 0.0):
                self._ended(f"largest micro-batch at {seq:,} tokens: about {guess} by the line through measured "
                            f"peaks, not tried: it takes {needed_s:.0f} s, {max(self.session.left_s, 0.0):.0f} are left")
                self.session.watcher.warn(self.ended[-1])
                continue
            found = train_point.largest_micro_batch(
                partial(self._fits, seq), ran, self.failed.get(seq), lambda: self.session.left_s <= 0.0, guess)
            if found.proved:
                self.largest[str(seq)] = found.micro_batch
            else:
                self._ended(f"largest micro-batch at {seq:,} tokens: at least {found.micro_batch}, the budget ended there")

    def _fits(self, seq: int, micro_batch: int) -> bool:
        self.session.show(f"largest micro-batch at {seq:,}: {micro_batch}?")
        return train_point.try_size(self.setup, micro_batch, seq)

    def _ended(self, note: str) -> None:
        self.notes.append(note)
        self.ended.append(note)
