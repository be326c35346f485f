"""Training steps, timed: one batch of random tokens, again and again, through a plain loop or a Trainer."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

from roi.estimate.training.plan import TrainingPlan
from roi.profiling.stack import known_warnings, torch
from roi.profiling.train.adamw import make_optimizer
from roi.profiling.train.build import DTYPES

LEARNING_RATE: Final = 1e-4
"""Usual for adapters; the time of a step does not depend on it."""


@dataclass(frozen=True)
class Step:
    """One micro-step with its optimizer step."""

    seconds: float
    """Forward, loss, backward and optimizer."""
    loss: float
    """Before the update."""


OnStep = Callable[[Step], bool]
"""Takes a finished step; False ends the run."""


@dataclass
class Rig:
    """A model that is ready to train on a device."""

    model: Any  # Any: transformers' classes are chosen at run time
    plan: TrainingPlan
    device: str
    vocab: int
    """Token ids are drawn below this."""
    learning_rate: float = LEARNING_RATE
    seed: int = 0
    optimizer: torch.optim.Optimizer | None = None
    """Of the plain loop; Trainers make their own. None until the first run."""


def run_steps(rig: Rig, micro_batch: int, seq: int, on_step: OnStep, limit: int = 1000) -> None:
    """Train on one batch until `on_step` says stop, or `limit` steps.

    All sequences are full, and every step sees the same tokens: time and memory do not depend on which, and a loss that
    falls shows that it trains.
    """
    tokens = draw_tokens(rig, micro_batch, seq)
    with known_warnings():
        if rig.plan.trainer == "plain":
            _run_plain(rig, tokens, on_step, limit)
            return
        from roi.profiling.train.trainers import run_trainer  # it imports this module

        run_trainer(rig, tokens, on_step, limit)


def draw_tokens(rig: Rig, micro_batch: int, seq: int) -> torch.Tensor:
    """Shape (micro_batch, seq): token ids, the same for the same seed."""
    source = torch.Generator().manual_seed(rig.seed)
    return torch.randint(0, rig.vocab, (micro_batch, seq), generator=source)


class Stopwatch:
    """Seconds between `start` and `stop`: CUDA events on an idle device, else the clock."""

    def __init__(self, device: str) -> None:
        self.on_gpu = device == "cuda"
        self.began_s = 0.0
        self.events: tuple[Any, Any] | None = None

    def start(self) -> None:
        """Begin; waits for what the device still has to do."""
        if self.on_gpu:
            torch.cuda.synchronize()
            event: Any = torch.cuda.Event  # Any: torch leaves it untyped
            self.events = (event(enable_timing=True), event(enable_timing=True))
            self.events[0].record()
        self.began_s = time.perf_counter()

    def stop(self) -> float:
        """Seconds since `start`; waits until the device is done."""
        if self.events is None:
            return time.perf_counter() - self.began_s
        begin, end = self.events
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3


def _run_plain(rig: Rig, tokens: torch.Tensor, on_step: OnStep, limit: int) -> None:
    plan, tokens = rig.plan, tokens.to(rig.device)
    if rig.optimizer is None:
        rig.optimizer = make_optimizer((p for p in rig.model.parameters() if p.requires_grad), plan, rig.learning_rate)
    lowers = plan.autocast and plan.dtype != "fp32"
    watch = Stopwatch(rig.device)
    for _ in range(limit):
        watch.start()
        with torch.autocast(rig.device, DTYPES[plan.dtype]) if lowers else nullcontext():
            output = rig.model(input_ids=tokens, labels=tokens)
        loss = output.loss
        if not plan.logits_kept:
            del output
        loss.backward()
        rig.optimizer.step()
        rig.optimizer.zero_grad(set_to_none=True)
        if not on_step(Step(watch.stop(), float(loss.item()))):
            return
