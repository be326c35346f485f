"""One (micro-batch, length) of a profile: steps until its share of the budget is spent or memory runs out, and the largest."""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final, NamedTuple

import numpy as np

from roi.errors import RoiError
from roi.facts.profiles import MemoryReading, TrainPoint
from roi.profiling.board import Board, Draw, PowerMeter
from roi.profiling.machine import peak_resident_bytes, reset_peak_resident
from roi.profiling.session import Session, device_failed, ran_out
from roi.profiling.stack import torch
from roi.profiling.train.training_steps import Step, TrainingSetup, free_step_s, run_steps

WARMUP: Final = 3
"""Steps that are no measurement: the first makes the optimizer's states and picks kernels, the second meets the states'
allocations, the third the settled allocator."""
TIMED: Final = 50
"""Timed steps after which a point ends: the median is then known to a fifth of the steps' spread."""
STEADY: Final = 0.03
"""Change over the last third of the steps from which a point is not called steady: a third of the error that is aimed at."""
FREE: Final = 5
"""Steps in a row that are timed together."""
LEAST_TIMED: Final = 3
"""Timed steps that a point has before the FREE steps in a row."""
LEAST_THIRD: Final = 5
"""Steps of a third that says something."""
CEILING: Final = 4096
"""No micro-batch above this is tried."""
TRIAL_STEPS: Final = 2
"""The first step makes the optimizer's states; the second runs with them in place. With states that are kept one will do."""


@dataclass
class PointRun:
    """The steps of one point as they come in; what is here when a run is interrupted is kept."""

    micro_batch: int
    seq: int
    share_s: float
    session: Session
    steps: list[Step] = field(default_factory=list)
    micro_steps: int = 1
    """Micro-steps of each step."""
    compiles: bool = False
    """True where the first step compiles, which no budget counts."""
    drawn: bool = False
    """True where rows are of real lengths."""
    free_s: float | None = None
    """A step where none is waited for."""
    warmup: int = WARMUP
    began_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.meter = PowerMeter(self.session.board)
        self.warmup = WARMUP + self.compiles

    def take(self, step: Step) -> bool:
        """Keep a step; False where the point is done. A loss that is no number is an error: nothing is learned from it."""
        if not math.isfinite(step.loss):
            raise RoiError(f"the loss became {step.loss} at step {len(self.steps) + 1} of micro-batch {self.micro_batch} x "
                           f"{self.seq:,} tokens; fp16 without loss scaling does this, bf16 does not")
        self.steps.append(step)
        if self.compiles and len(self.steps) == 1:
            now = time.monotonic()
            self.session.began_s += now - self.began_s
            self.session.notes.append(f"{self.micro_batch} x {self.seq:,}: its first step took {now - self.began_s:.1f} s with "
                                      "compiling, outside the budget")
            self.began_s = now
            return True
        done, spent_s = len(self.steps), time.monotonic() - self.began_s
        if done == 1 + self.compiles and WARMUP * step.seconds > self.share_s / 3.0:
            self.warmup = done  # steps this slow have no kernel set-up that shows; three would eat the share
        if done == self.warmup:
            self.meter.start()
        if self.session.device == "cuda" and done >= self.warmup + LEAST_TIMED:
            spent_s += (FREE + 1) * step.seconds  # those that nobody waits for come after these
        size = f"{self.micro_batch} x {self.seq:,}"
        self.session.show(f"{size}: step {done}, {1e3 * step.seconds:,.0f} ms, loss {step.loss:.2f}")
        if done > self.warmup and (spent_s >= self.share_s or done >= self.warmup + TIMED):
            return False
        return self.session.left_s > 0.0

    @property
    def usable(self) -> bool:
        """True where there is a step beyond the warm-up."""
        return len(self.steps) > self.warmup

    @property
    def room_s(self) -> float:
        """Seconds that are left of its share, or of the budget; the last step may have overdrawn it by its own length."""
        overdrawn = self.steps[-1].seconds if self.steps else 0.0
        return min(self.share_s - (time.monotonic() - self.began_s) + overdrawn, self.session.left_s)

    @property
    def widest(self) -> int:
        """Tokens of a row of the largest batch."""
        if not self.drawn:
            return self.seq
        return ceil(max(step.slots for step in self.steps) / self.micro_steps / self.micro_batch)

    def point(self, memory: MemoryReading, draw: Draw, predicted_bytes: float | None) -> TrainPoint:
        """The point as a profile keeps it."""
        return TrainPoint(micro_batch=self.micro_batch, seq=self.seq,
                          step_s=tuple(step.seconds / self.micro_steps for step in self.steps),
                          warmup=self.warmup, free_step_s=self.free_s and self.free_s / self.micro_steps,
                          losses=tuple(step.loss for step in self.steps), memory=memory,
                          tokens=tuple(step.tokens / self.micro_steps for step in self.steps) if self.drawn else (),
                          slots=tuple(step.slots / self.micro_steps for step in self.steps) if self.drawn else (),
                          power_w=draw.power_w, energy_j=draw.energy_j,
                          predicted_allocated_bytes=predicted_bytes)


def drift(seconds: Sequence[float]) -> float | None:
    """Change of a step's time over the last third of these steps, as a share of it; None where there is none to speak of.

    The slope of a straight line through them, where it is more than twice its standard error and comes to more than
    STEADY: a card that still warms up, or whose clocks still fall. Fewer than LEAST_THIRD steps say nothing.
    """
    last = np.asarray(seconds[-(len(seconds) // 3):] if len(seconds) >= 3 * LEAST_THIRD else ())
    if last.size == 0:
        return None
    at = np.arange(last.size) - (last.size - 1) / 2.0
    slope = float(at @ last / (at @ at))
    error = float(np.sqrt(np.sum((last - last.mean() - slope * at) ** 2) / (last.size - 2) / (at @ at)))
    share = slope * (last.size - 1) / float(last.mean())
    return share if abs(slope) > 2.0 * error and abs(share) > STEADY else None


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
    """The peaks since `reset_memory`. The caching allocator keeps what it took, so NVML's figure at the end is the peak.

    A device that has failed answers no question any more; torch's own counts are still there.
    """
    if device != "cuda":
        return MemoryReading(process_bytes=peak_resident_bytes())
    used = board.used_bytes() if board else None
    if used is None:
        try:
            free, total = torch.cuda.mem_get_info()
            used = float(total - free)
        except RuntimeError as error:
            if not device_failed(error):
                raise
    return MemoryReading(allocated_bytes=torch.cuda.max_memory_allocated(), reserved_bytes=torch.cuda.max_memory_reserved(),
                         process_bytes=board.process_bytes() if board else None, device_bytes=used,
                         retries=torch.cuda.memory_stats().get("num_alloc_retries", 0))


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
        self.passes = len(modules) * (3 if setup.plan.checkpointing else 2) * setup.plan.accumulation
        self.done = 0
        self.began_s: float | None = None
        """Clock at the first module: a Trainer sets itself up before."""
        self._hooks = [module.register_forward_hook(self._forwards) for module in modules]
        self._hooks.append(modules[0].register_forward_pre_hook(self._begin))

    def stop(self) -> None:
        """Watch no further: the step is done."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _begin(self, *_: Any) -> None:  # Any: what torch hands to hooks
        self.began_s = self.began_s or time.monotonic()

    def _forwards(self, _module: Any, _inputs: Any, output: Any) -> None:  # Any: what torch hands to hooks
        if isinstance(output, torch.Tensor) and output.requires_grad:
            output.register_hook(self._look)
        self._look()

    def _look(self, *_: Any) -> None:
        if not self._hooks:
            return
        self.done += 1
        if self.left_s() <= 0.0:
            now = time.monotonic()
            spent_s = now - (self.began_s or now)
            self.stop()
            raise StepTooLong(max(spent_s * self.passes / self.done, spent_s))


def run_point(setup: TrainingSetup, run: PointRun) -> Draw:
    """Step until the point is done; the power of its timed steps. Power is read to the end even when a step fails.

    On a GPU a few steps follow of which none is waited for, if the budget holds them. StepTooLong where it ends inside the
    first step.
    """
    first = FirstStep(setup, lambda: run.session.left_s)
    if setup.compiled:
        first.stop()  # a hook would part what is compiled
        torch._dynamo.reset()  # each size by itself: beyond a few shapes of one function torch no longer compiles

    def take(step: Step) -> bool:
        first.stop()
        return run.take(step)

    try:
        run_steps(setup, run.micro_batch, run.seq, take)
    finally:
        first.stop()
        draw = run.meter.stop()
    again = not setup.compiled or setup.plan.trainer == "plain"  # another Trainer would compile anew
    if setup.device == "cuda" and again and run.usable and (FREE + 1) * run.steps[-1].seconds < run.room_s:
        run.free_s = free_step_s(setup, run.micro_batch, run.seq, FREE)
    return draw


class Largest(NamedTuple):
    """The end of a search for the largest micro-batch."""

    micro_batch: int
    """The largest micro-batch that ran; 0 where not even one sequence did."""
    proved: bool
    """True where the next one failed (or the ceiling was reached); False where time ran out."""


def recover(setup: TrainingSetup) -> None:
    """Give back what a failed step left: gradients, half-made optimizer states, cached blocks.

    An optimizer that has made a step stays, with its states, as in training: bitsandbytes never gives paged ones back, so that
    a new one each time would leak. Call it outside the except block, where the traceback no longer holds the step's tensors.
    """
    if not setup.stepped:
        setup.optimizer = None
    setup.model.zero_grad(set_to_none=True)
    release(setup.device)


def try_size(setup: TrainingSetup, micro_batch: int, seq: int) -> bool:
    """True where steps of this size run with the optimizer's states in place; afterwards only weights and states differ."""
    done, wanted = 0, 1 if setup.stepped else TRIAL_STEPS

    def count(_: object) -> bool:
        nonlocal done
        done += 1
        return done < wanted

    try:
        run_steps(setup, micro_batch, seq, count, wanted, full=True)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    recover(setup)
    return done == wanted


def largest_micro_batch(fits: Callable[[int], bool], known: int = 0, failed: int | None = None,
                        hurry: Callable[[], bool] = lambda: False, guess: int | None = None) -> Largest:
    """The largest micro-batch that `fits`, which lies from `known` (it ran) to below `failed`.

    From `guess`, in steps that double, until one fits and one fails; without a guess doubled from `known`. Then halved in
    between. A guess that is right takes two trials. `hurry` is asked before each: True ends the search with what it has.
    """
    low, high, step = known, failed if failed is not None else CEILING + 1, 1
    guess = None if guess is None else max(low + 1, min(guess, high - 1))
    bounded, ahead = failed is not None, guess or max(2 * known, 1)
    while high - low > 1:
        if hurry():
            return Largest(low, proved=False)
        middle = ahead if low < ahead < high else (low + high) // 2 if bounded else min(max(2 * low, 1), high - 1)
        if fits(middle):
            low, ahead = middle, middle + step if guess else 2 * middle
        else:
            high, bounded, ahead = middle, True, middle - step if guess and low < guess - step else 0
        step *= 2
    return Largest(low, proved=True)


def room_bytes() -> float:
    """Device memory that torch may reserve: what it holds and what is free."""
    free, _ = torch.cuda.mem_get_info()
    return float(torch.cuda.memory_reserved() + free)


def guess_largest(peaks: Sequence[tuple[int, float]], room_bytes: float, seq: int) -> int | None:
    """The largest micro-batch of this length by the line through measured peaks, (tokens, bytes); None without a line.

    Memory of a training step is a line in its tokens as long as attention keeps nothing of the size tokens x tokens.
    """
    if len({tokens for tokens, _ in peaks}) < 2:
        return None
    (few, low), (many, high) = min(peaks), max(peaks)
    each = (high - low) / (many - few)
    if each <= 0.0:
        return None
    return max(1, min(CEILING, int((room_bytes - low + each * few) / (each * seq))))
