"""One (micro-batch, length) of a profile: steps until its share of the budget is spent or memory runs out, and the largest."""

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from roi.errors import RoiError
from roi.facts.profiles import MemoryReading, TrainPoint
from roi.profiling.machine import Board, Draw, PowerMeter, peak_resident_bytes, reset_peak_resident
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.train.training_steps import Step, TrainingSetup, run_steps

WARMUP: Final = 3
"""Steps that are no measurement: the first makes the optimizer's states and picks kernels, the second meets the states'
allocations, the third the settled allocator."""
TIMED: Final = 50
"""Timed steps after which a point ends: the median is then known to a fifth of the steps' spread."""
CEILING: Final = 4096
"""No micro-batch above this is tried."""
TRIAL_STEPS: Final = 2
"""The first step makes the optimizer's states; the second runs with them in place."""
SIGNS: Final = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "can't allocate memory", "not enough memory")
"""How errors that are no torch.OutOfMemoryError say it: cuBLAS, bitsandbytes, the CPU's allocator."""


@dataclass
class PointRun:
    """The steps of one point as they come in; what is here when a run is interrupted is kept."""

    micro_batch: int
    seq: int
    share_s: float
    session: Session
    steps: list[Step] = field(default_factory=list)
    warmup: int = WARMUP
    began_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.meter = PowerMeter(self.session.board)

    def take(self, step: Step) -> bool:
        """Keep a step; False where the point is done. A loss that is no number is an error: nothing is learned from it."""
        if not math.isfinite(step.loss):
            raise RoiError(f"the loss became {step.loss} at step {len(self.steps) + 1} of micro-batch {self.micro_batch} x "
                           f"{self.seq:,} tokens; fp16 without loss scaling does this, bf16 does not")
        self.steps.append(step)
        done, spent_s = len(self.steps), time.monotonic() - self.began_s
        if done == 1 and WARMUP * step.seconds > self.share_s / 3.0:
            self.warmup = 1  # steps this slow have no kernel set-up that shows; three would eat the share
        if done == self.warmup:
            self.meter.start()
        size = f"{self.micro_batch} x {self.seq:,}"
        self.session.show(f"{size}: step {done}, {1e3 * step.seconds:,.0f} ms, loss {step.loss:.2f}")
        if done > self.warmup and (spent_s >= self.share_s or done >= self.warmup + TIMED):
            return False
        return self.session.left_s > 0.0

    @property
    def usable(self) -> bool:
        """True where there is a step beyond the warm-up."""
        return len(self.steps) > self.warmup

    def point(self, memory: MemoryReading, draw: Draw, predicted_bytes: float | None) -> TrainPoint:
        """The point as a profile keeps it."""
        return TrainPoint(micro_batch=self.micro_batch, seq=self.seq, step_s=tuple(step.seconds for step in self.steps),
                          warmup=self.warmup, losses=tuple(step.loss for step in self.steps), memory=memory,
                          power_w=draw.power_w, energy_j=draw.energy_j, predicted_allocated_bytes=predicted_bytes)


def release(device: str) -> None:
    """Give memory back that no name holds any more."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def reset_memory(device: str) -> None:
    """Begin a new peak; what the last point left in cycles goes first."""
    release(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        reset_peak_resident()


def read_memory(device: str, board: Board | None) -> MemoryReading:
    """The peaks since `reset_memory`. The caching allocator keeps what it took, so NVML's figure at the end is the peak."""
    if device != "cuda":
        return MemoryReading(process_bytes=peak_resident_bytes())
    free, total = torch.cuda.mem_get_info()
    used = board.used_bytes() if board else None
    return MemoryReading(allocated_bytes=torch.cuda.max_memory_allocated(), reserved_bytes=torch.cuda.max_memory_reserved(),
                         process_bytes=board.process_bytes() if board else None,
                         device_bytes=float(total - free) if used is None else used)


class StepTooLong(RoiError):
    """The budget ended inside a step."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        """What the whole step would have taken, by the modules that were done."""
        super().__init__("the budget ended inside a step")


def computing_leaves(model: Any) -> list[Any]:  # Any: transformers' classes are chosen at run time
    """The modules without parts that compute something: no empty containers, such as peft keeps beside its factors."""
    nothing = torch.nn.Module.forward
    return [m for m in model.modules() if not any(True for _ in m.children()) and type(m).forward is not nothing]


class FirstStep:
    """Looks at the clock whenever a module is done, forwards, recomputed or backwards, until it is told that the step is over.

    Its hooks cost a microsecond or two each and see the first step alone, which is warm-up and never counted. A product that
    is under way is not broken off: the step ends when it is done.
    """

    def __init__(self, setup: TrainingSetup, left_s: Callable[[], float]) -> None:
        self.left_s = left_s
        modules = computing_leaves(setup.model)
        # each runs forwards once and backwards once, and with checkpointing forwards once more
        self.passes = len(modules) * (3 if setup.plan.checkpointing else 2)
        self.done = 0
        self.began_s = time.monotonic()
        self._hooks = [module.register_forward_hook(self._forwards) for module in modules]

    def stop(self) -> None:
        """Watch no further: the step is done."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _forwards(self, _module: Any, _inputs: Any, output: Any) -> None:  # Any: what torch hands to hooks
        if isinstance(output, torch.Tensor) and output.requires_grad:
            output.register_hook(self._look)
        self._look()

    def _look(self, *_: Any) -> None:
        if not self._hooks:
            return
        self.done += 1
        if self.left_s() <= 0.0:
            spent_s = time.monotonic() - self.began_s
            self.stop()
            raise StepTooLong(max(spent_s * self.passes / self.done, spent_s))


def run_point(setup: TrainingSetup, run: PointRun) -> Draw:
    """Step until the point is done; the power of its timed steps. Power is read to the end even when a step fails.

    StepTooLong where the budget ends inside the first step.
    """
    first = FirstStep(setup, lambda: run.session.left_s)

    def take(step: Step) -> bool:
        first.stop()
        return run.take(step)

    try:
        run_steps(setup, run.micro_batch, run.seq, take)
    finally:
        first.stop()
        draw = run.meter.stop()
    return draw


class Largest(NamedTuple):
    """The end of a search for the largest micro-batch."""

    micro_batch: int
    """The largest micro-batch that ran; 0 where not even one sequence did."""
    proved: bool
    """True where the next one failed (or the ceiling was reached); False where time ran out."""


def ran_out(error: BaseException) -> bool:
    """True where an error means that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def recover(setup: TrainingSetup) -> None:
    """Give back what a failed step left: gradients, half-made optimizer states, cached blocks.

    Call it outside the except block, where the traceback no longer holds the step's tensors.
    """
    setup.optimizer = None
    setup.model.zero_grad(set_to_none=True)
    release(setup.device)


def try_size(setup: TrainingSetup, micro_batch: int, seq: int) -> bool:
    """True where two steps of this size run; afterwards the setup is as before, but for its weights."""
    done = 0

    def count(_: object) -> bool:
        nonlocal done
        done += 1
        return done < TRIAL_STEPS

    try:
        run_steps(setup, micro_batch, seq, count, TRIAL_STEPS)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    recover(setup)
    return done == TRIAL_STEPS


def largest_micro_batch(fits: Callable[[int], bool], known: int = 0, failed: int | None = None,
                        hurry: Callable[[], bool] = lambda: False) -> Largest:
    """The largest micro-batch that `fits`: doubled from `known` (which ran) until one fails, then halved in between.

    `failed`: one that is known to fail. `hurry` is asked before each trial: True ends the search with what it has.
    """
    low, high = known, failed if failed is not None else CEILING + 1
    while high - low > 1:
        if hurry():
            return Largest(low, proved=False)
        ahead = max(2 * low, 1)
        middle = ahead if failed is None and ahead < high else (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = failed = middle
    return Largest(low, proved=True)
