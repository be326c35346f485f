"""A short real training run: built, stepped through its points, and told as a profile."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil, sqrt
from time import perf_counter
from typing import Final, NamedTuple

from roi.errors import RoiError
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.memory import training_memory
from roi.facts.environment import Environment
from roi.facts.profiles import TrainPoint, TrainProfile
from roi.profiling.host.nvml import Board, Draw, PowerMeter
from roi.profiling.progress import Watcher
from roi.profiling.stack import quiet
from roi.profiling.stops import Stops
from roi.profiling.train.adapter import prepare_training, trained_count
from roi.profiling.train.build import ATTENTION, build_model, load_model, quantised_layers
from roi.profiling.train.first_step import StepTooLong
from roi.profiling.train.limits import Largest, largest_micro_batch, ran_out, recover, try_size
from roi.profiling.train.train_point import Budget, PointRun, read_memory, reset_memory, run_point
from roi.profiling.train.train_request import TrainRequest
from roi.profiling.train.training_loop import Rig
from roi.store.profiles.plan_record import plan_record

SEARCH_SHARE: Final = 0.25
"""Part of the budget that the search for the largest micro-batch may take."""

ENOUGH: Final = 3.0
"""Steps that a budget must hold for one measurement: a slow first one, a timed one, and one to spare."""


class TrainRun(NamedTuple):
    """What came of it."""

    profile: TrainProfile
    interrupted: bool
    """True after Ctrl-C or SIGTERM: the profile holds what was done until then."""


def profile_train(request: TrainRequest, environment: Environment, board: Board | None, watcher: Watcher,
                  stops: Stops | None = None) -> TrainRun:
    """The profile of a run: build the model, step through the points, search the largest micro-batch.

    The budget is for stepping; building comes on top. It is divided over the points (see `_share`).
    Ctrl-C, or a budget that ends, keeps what was measured and marks the profile as incomplete. Where nothing was measured,
    Ctrl-C is passed on, and anything else is a RoiError that says why.
    """
    stops = stops or Stops()
    with quiet():
        started, began_s = datetime.now(tz=UTC), perf_counter()
        rig, notes = _make_rig(request, watcher)
        notes.append(f"built in {perf_counter() - began_s:.1f} s, outside the budget")
        work = _Work(request, rig, board, watcher, notes)
        interrupted = False
        try:
            stops.guard()
            work.run()
            stops.over()
        except KeyboardInterrupt:
            if not work.measured:
                raise
            interrupted = True
            notes.append(stops.why)
            stops.over()
    if not work.measured:
        raise RoiError(work.why_nothing())
    return TrainRun(TrainProfile(
        started=started, environment=environment.model_copy(update=work.clocks()), model=request.model,
        plan=plan_record(rig.plan), weights="random" if request.weights is None else str(request.weights),
        trained_parameters=trained_count(rig.model), points=tuple(work.points), largest_micro_batch=work.largest,
        budget_s=request.budget_s, complete=work.complete and not interrupted, notes=tuple(notes),
    ), interrupted)


def _make_rig(request: TrainRequest, watcher: Watcher) -> tuple[Rig, list[str]]:
    """The model on its device, ready to train, and what a reader of the times must know about it."""
    plan = request.plan
    watcher.say(f"building {request.model}: {plan.method}, {plan.dtype}, on {request.device}")
    try:
        if request.weights is None:
            base = build_model(request.config, plan, request.device, request.seed)
        else:
            base = load_model(request.weights, plan, request.device)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        way = "" if plan.quantised else "; --method qlora stores it in 4 bits"
        raise RoiError(f"out of memory while {request.model} was built on {request.device}{way}") from error
    notes = []
    if base.config._attn_implementation != ATTENTION[plan.attention]:
        plan = replace(plan, attention="eager")
        notes.append(f"this class has no {request.plan.attention} attention; eager ran")
    if (plan.quantised or plan.method == "lora-int8") and not quantised_layers(base):
        notes.append("bitsandbytes found no layer to quantise in this class; the base stayed whole")
    fused = request.shape.module_names if request.shape else ()
    model = prepare_training(base, plan, fused)
    if request.shape is not None:
        counted, wanted = trained_count(model), int(trained_parameters(request.shape, plan))
        if counted != wanted:  # peft reaches fused experts and routers of some classes
            notes.append(f"{counted:,} parameters train, the closed form counts {wanted:,}")
    return Rig(model, plan, request.device, int(base.config.get_text_config().vocab_size), seed=request.seed), notes


def _share(waiting: Sequence[tuple[int, int]]) -> float:
    """Part of the time left that the first of these points may take: as the square root of its tokens.

    Between equal seconds, which leave long steps too few, and equal steps, which leave short ones no seconds.
    """
    weights = [sqrt(micro_batch * seq) for micro_batch, seq in waiting]
    return weights[0] / sum(weights)


class _Work:
    """The run as it goes, so that an interrupt finds what is done."""

    def __init__(self, request: TrainRequest, rig: Rig, board: Board | None, watcher: Watcher, notes: list[str]) -> None:
        self.request, self.rig, self.board, self.watcher, self.notes = request, rig, board, watcher, notes
        self.points: list[TrainPoint] = []
        self.largest: dict[str, int] = {}
        self.draws: list[Draw] = []
        self.failed: dict[int, int] = {}
        """Smallest micro-batch that ran out of memory, by length."""
        self.ended: list[str] = []
        """What the budget cut off."""
        self.step_s: float | None = None
        """A step of the smallest size, as far as it is known when the budget ends before a measurement."""

    @property
    def complete(self) -> bool:
        """False where the budget ended it early."""
        return not self.ended

    @property
    def measured(self) -> bool:
        """True where there is something to keep: times of a size, or that one ran in the search."""
        return bool(self.points) or any(self.largest.values())

    def why_nothing(self) -> str:
        """Why nothing was measured, and what would do; one sentence."""
        if not self.ended:
            return "nothing was measured: " + "; ".join(f"{b} x {seq:,} ran out of memory" for seq, b in self.failed.items())
        wanted = ceil(max(ENOUGH * (self.step_s or 0.0), 2.0 * self.request.budget_s))
        return (f"--budget: {self.request.budget_s:g} s is too short, nothing was measured: {self.ended[0]}; "
                f"--budget {wanted}s would do for that size")

    def run(self) -> None:
        """Points from few tokens to many, then the search."""
        searches = self.request.find_largest and self.request.device == "cuda"
        budget = Budget(self.request.budget_s)
        self.budget = budget
        waiting = sorted(self.request.points, key=lambda point: (point[0] * point[1], point[0]))
        stepping_s = self.request.budget_s * (1.0 - SEARCH_SHARE * searches)
        for i, (micro_batch, seq) in enumerate(waiting):
            left_s = stepping_s - (budget.seconds - budget.left_s)
            if left_s <= 0.0 and i:
                self._ended(f"the budget ended before {len(waiting) - i} of {len(waiting)} points")
                break
            if micro_batch >= self.failed.get(seq, micro_batch + 1):
                self.notes.append(f"{micro_batch} x {seq:,}: left out, {self.failed[seq]} x {seq:,} ran out of memory")
                continue
            self._measure(micro_batch, seq, left_s * _share(waiting[i:]))
        if searches:
            self._search()
        elif self.request.device == "cpu":
            self.notes.append("largest micro-batch: not searched on a CPU, where running out of memory ends other programs")

    def clocks(self) -> dict[str, float | None]:
        """Clocks under load, of the last point that read them."""
        read = [d for d in self.draws if d.sm_clock_hz is not None]
        return {"sm_clock_hz": read[-1].sm_clock_hz, "memory_clock_hz": read[-1].memory_clock_hz} if read else {}

    def _measure(self, micro_batch: int, seq: int, share_s: float) -> None:
        device = self.rig.device
        reset_memory(device)
        run = PointRun(micro_batch, seq, share_s, self.budget, PowerMeter(self.board), self.watcher)
        draw: Draw | None = None
        too_long_s: float | None = None
        try:
            draw = run_point(self.rig, run)
        except KeyboardInterrupt:
            self._keep(run, Draw(None, None, None, None))
            raise
        except StepTooLong as error:
            too_long_s = error.step_s
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        if too_long_s is not None:
            recover(self.rig)
            self.step_s = self.step_s or too_long_s
            self._ended(f"{micro_batch} x {seq:,}: the budget ended inside the first step")
            return
        if draw is None:  # outside the except block, where the traceback would hold the step's tensors
            recover(self.rig)
            self.failed[seq] = min(micro_batch, self.failed.get(seq, micro_batch))
            self.notes.append(f"{micro_batch} x {seq:,}: out of memory")
            return
        self.draws.append(draw)
        self._keep(run, draw)

    def _keep(self, run: PointRun, draw: Draw) -> None:
        if run.usable:
            memory = read_memory(self.rig.device, self.board)
            self.points.append(run.point(memory, draw, self._predicted(run.micro_batch, run.seq)))
        if self.budget.left_s <= 0.0 and not run.usable:
            self.step_s = self.step_s or max(step.seconds for step in run.steps)
            self._ended(f"{run.micro_batch} x {run.seq:,}: the budget ended in its warm-up")

    def _predicted(self, micro_batch: int, seq: int) -> float | None:
        if self.request.shape is None:
            return None
        plan = replace(self.rig.plan, micro_batch=micro_batch, seq=seq)
        return float(training_memory(self.request.shape, plan, self.request.gpu).peak_allocated_bytes)

    def _search(self) -> None:
        """Largest micro-batch of each length, short lengths first."""
        for seq in sorted({seq for _, seq in self.request.points}):
            ran = max((p.micro_batch for p in self.points if p.seq == seq), default=0)
            recover(self.rig)
            found = self._search_length(seq, ran)
            if found.proved:
                self.largest[str(seq)] = found.micro_batch
            else:
                self._ended(f"largest micro-batch at {seq:,} tokens: at least {found.micro_batch}, the budget ended there")

    def _search_length(self, seq: int, ran: int) -> Largest:
        def fits(micro_batch: int) -> bool:
            left_s = max(self.budget.left_s, 0.0)
            self.watcher.update(f"largest micro-batch at {seq:,}: {micro_batch}?", 1.0 - left_s / self.budget.seconds, left_s)
            return try_size(self.rig, micro_batch, seq)

        return largest_micro_batch(fits, ran, self.failed.get(seq), lambda: self.budget.left_s <= 0.0)

    def _ended(self, note: str) -> None:
        self.notes.append(note)
        self.ended.append(note)
