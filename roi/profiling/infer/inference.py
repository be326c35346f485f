"""`roi profile infer`: prefill and decode of the base model, with an adapter beside it, and with the adapter merged into it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final, Literal, NamedTuple

from roi.errors import RoiError
from roi.facts.environment import Environment
from roi.facts.profiles import InferPoint, InferProfile, MemoryReading
from roi.profiling.host import resident
from roi.profiling.host.nvml import Board, PowerMeter
from roi.profiling.infer.generation import InferPlan, adapt, build, prepare, release, time_generation
from roi.profiling.progress import Silent, Watcher
from roi.profiling.stack import quiet, torch
from roi.profiling.stops import Stops
from roi.profiling.train.limits import ran_out

Stage = Literal["base", "unmerged", "merged"]

STAGES: Final[tuple[Stage, ...]] = ("base", "unmerged", "merged")
"""In this order one model after the other is in memory: the adapter is put on the base, then added into it."""


class InferRun(NamedTuple):
    """What came of it."""

    profile: InferProfile
    interrupted: bool
    """True after Ctrl-C or SIGTERM: the profile holds what was done until then."""


def profile_infer(
    plan: InferPlan, environment: Environment, budget_s: float, board: Board | None = None, watcher: Watcher | None = None,
    stops: Stops | None = None,
) -> InferRun:
    """Raw times of every prefill and decode step; Ctrl-C or the budget ends it early with complete=False.

    The budget is for generating; building comes on top. A third of it goes to each of base, unmerged and merged, a share
    of that to each size; the first size of each is measured whatever it takes. Ctrl-C before the first point is passed on.
    """
    stops = stops or Stops()
    started = datetime.now(tz=UTC)
    work = _Work(plan, environment.device, environment.seed or 0, budget_s, board, watcher or Silent())
    meter = PowerMeter(board)
    meter.start()
    interrupted = False
    try:
        with quiet():
            stops.guard()
            work.run()
        stops.over()
    except KeyboardInterrupt:
        if not work.points:
            raise
        interrupted = True
        work.notes.append(stops.why)
        stops.over()
    finally:
        draw = meter.stop()
    if not work.points:
        raise RoiError(f"nothing was measured: {'; '.join(work.stopped)}")
    clocks = {"sm_clock_hz": draw.sm_clock_hz, "memory_clock_hz": draw.memory_clock_hz}
    return InferRun(InferProfile(
        started=started, environment=environment.model_copy(update=clocks), model=plan.name, dtype=plan.dtype,
        rank=plan.rank, points=tuple(work.points), complete=work.complete and not interrupted, notes=tuple(work.notes),
    ), interrupted)


@dataclass
class _Work:
    """Points as they come in; what is here when a run is interrupted is kept."""

    plan: InferPlan
    device: str
    seed: int
    budget_s: float
    board: Board | None
    watcher: Watcher
    model: Any = None  # Any: transformers' classes are chosen at run time
    points: list[InferPoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """Why what is missing is missing."""

    @property
    def complete(self) -> bool:
        """False where something is missing."""
        return not self.stopped

    def run(self) -> None:
        """Base, unmerged, merged: each is built from the one before and measured at every size."""
        if self.plan.weights is None:
            self.notes.append("weights drawn at random")
        if self.plan.dtype == "nf4":
            self.notes.append("merged: the adapter added into 16-bit weights, as it is served; base and unmerged: NF4")
        for done, stage in enumerate(STAGES):
            self.watcher.update(f"{stage}: building", done / len(STAGES), self.budget_s * (1.0 - done / len(STAGES)))
            try:
                self._stage(stage)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                self._stop(f"{stage}: out of memory while building")
                return
            self._sizes(stage, done)

    def _stage(self, stage: Stage) -> None:
        """Put the model of a stage in the place of the one before."""
        if stage == "base":
            self.model = prepare(build(self.plan, self.device, self.seed))
            if self.plan.dtype == "nf4" and any(p.dim() == 3 for p in self.model.parameters()):
                self.notes.append("experts stay in 16 bits: they are 3-D parameters, which bitsandbytes leaves alone")
            return
        if stage == "merged" and self.plan.dtype == "nf4":
            self.model = None
            release(self.device)
            self.model = prepare(build(self.plan, self.device, self.seed, whole=True))
        if stage == "unmerged" or self.plan.dtype == "nf4":
            self.model = adapt(self.model, self.plan, self.seed)
        if stage == "merged":
            self.model = prepare(self.model.merge_and_unload())

    def _sizes(self, stage: Stage, done: int) -> None:
        """Measure the model at every size, the smallest first, until its third of the budget is spent."""
        sizes = self.plan.sizes
        end = perf_counter() + self.budget_s / len(STAGES)
        for index, (batch, prompt) in enumerate(sizes):
            left_s = end - perf_counter()
            if index and left_s <= 0.0:
                self._stop(f"{stage}: the budget ended before batch {batch} x {prompt:,} tokens")
                return
            share = (done + index / len(sizes)) / len(STAGES)
            later_s = self.budget_s * (len(STAGES) - 1 - done) / len(STAGES)
            self.watcher.update(f"{stage}, {batch} x {prompt:,} tokens", share, max(0.0, left_s) + later_s)
            point = None
            try:
                point = self._point(stage, batch, prompt, left_s / (len(sizes) - index))
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            if point is None:  # outside the block of the error, whose traceback holds the tensors
                release(self.device)
                self._stop(f"{stage}: out of memory at batch {batch} x {prompt:,} tokens")
                return
            self.points.append(point)

    def _point(self, stage: Stage, batch: int, prompt: int, slot_s: float) -> InferPoint:
        source = torch.Generator().manual_seed(self.seed)
        ids = torch.randint(0, int(self.model.config.vocab_size), (batch, prompt), generator=source).to(self.device)
        _forget_peaks(self.device)
        prefill_s, decode_s = time_generation(self.model, ids, self.plan.decode, self.device, slot_s)
        return InferPoint(
            adapter=stage, batch=batch, prompt_tokens=prompt, decoded_tokens=self.plan.decode, prefill_s=prefill_s,
            decode_s=decode_s, memory=_memory(self.device, self.board),
        )

    def _stop(self, why: str) -> None:
        self.stopped.append(why)
        self.notes.append(why)


def _forget_peaks(device: str) -> None:
    resident.reset_peak()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _memory(device: str, board: Board | None) -> MemoryReading:
    if device != "cuda":
        return MemoryReading(process_bytes=resident.peak_bytes())
    return MemoryReading(
        allocated_bytes=torch.cuda.max_memory_allocated(), reserved_bytes=torch.cuda.max_memory_reserved(),
        process_bytes=board.process_bytes() if board else None, device_bytes=board.used_bytes() if board else None,
    )
