"""A training run on several cards: torchrun starts a process for each; one watches them and keeps what they measured.

Each is `python -m roi.profiling.train.several_cards FOLDER`. Rank 0 writes the profile into FOLDER whenever a size is done, so
that what was measured outlives a job that hangs or dies. A rank that fails writes why.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from roi.catalog.cards.gpus import find_gpu
from roi.disk import read_text, replace_file
from roi.errors import InputError, RoiError
from roi.estimate.training.memory import training_memory
from roi.facts.profiles import RankPoint, TrainPoint, TrainProfile
from roi.profiling.board import Draw, open_board
from roi.profiling.session import Session, read_environment
from roi.profiling.stack import torch
from roi.profiling.torchrun import MOST_BYTES, check_ranks, first_failure, read_order, run_ranks
from roi.profiling.train import train_point
from roi.profiling.train.ranks import Ranks, run_as_rank
from roi.profiling.train.short_run import TrainRequest, set_up, share, train_profile
from roi.profiling.train.train_point import PointRun
from roi.profiling.train.training_steps import Step, TrainingSetup, run_steps

OPTIMIZERS: Final = ("adamw", "adamw-foreach")
"""Optimizers whose states follow a sharded parameter."""
PROFILE: Final = "profile.json"
ALONE: Final = 5
"""Steps without communication."""
ALONE_SHARE: Final = 0.2
"""Part of the budget that is kept for the steps without communication."""


class RankOrder(NamedTuple):
    """What every rank is to do."""

    request: TrainRequest
    device: str
    seed: int
    budget_s: float


def check_cards(request: TrainRequest, device: str, *, force: bool) -> None:
    """Raise an InputError, one sentence, where this plan does not run on so many cards here."""
    plan = request.plan
    if plan.trainer != "plain":
        raise InputError(f"--trainer {plan.trainer}: several cards run the plain loop; leave it out, or --gpus 1")
    if request.compiled or request.lengths:
        raise InputError(f"{'--compile' if request.compiled else '--lengths'}: is for one card here; leave it out, or --gpus 1")
    if plan.accumulation > 1:
        raise InputError(f"--accumulation {plan.accumulation}: several cards step after every micro-step here; leave it out")
    if plan.sharding not in ("none", "fsdp"):
        raise InputError(f"--sharding {plan.sharding}: what runs here is none (a replica each, DDP) and fsdp")
    if plan.sharding == "fsdp":
        if plan.quantised or plan.int8:
            raise InputError(f"--sharding fsdp: bitsandbytes' layers of method {plan.method} are not sharded; none, or lora")
        if plan.optimizer not in OPTIMIZERS:
            raise InputError(f"--optimizer {plan.optimizer}: sharded parameters take {' or '.join(OPTIMIZERS)} here")
        if plan.autocast:
            raise InputError("--autocast: sharded parameters run in their own type here; --no-autocast")
    check_ranks(int(plan.gpus), device, force=force)


def profile_cards(request: TrainRequest, session: Session) -> TrainProfile:
    """The profile of a run on `request.plan.gpus` cards.

    Ctrl-C, a rank that dies, or one that runs out of memory ends all; sizes that were done are kept, the profile is marked as
    incomplete. Where none was done, it is an error that says why.
    """
    with tempfile.TemporaryDirectory(prefix="roi-ranks-") as name:
        job = _Job(request, session, Path(name))
        session.measure(job.run, lambda: job.profile)
    if job.profile is None:
        raise RoiError(f"nothing was measured: {'; '.join(session.notes) or 'the ranks ended without a word'}")
    profile = job.profile
    return profile.model_copy(update={
        "started": session.started, "points": tuple(map(job.predicted, profile.points)),
        "complete": profile.complete and not session.cut and not job.short,
        "notes": (*session.opening_notes, *profile.notes, *session.notes)})


class _Job:
    """The processes of one run, and what is known of it."""

    def __init__(self, request: TrainRequest, session: Session, folder: Path) -> None:
        self.request, self.session, self.folder = request, session, folder
        self.profile: TrainProfile | None = None
        self.short = False
        """True where memory ran out before all sizes were done."""

    def run(self) -> None:
        """Start the processes and wait for them; what they measured is in `profile` afterwards, also after a signal."""
        order = RankOrder(self.request, self.session.device, self.session.seed, self.session.budget_s)
        gpus, began_s = int(self.request.plan.gpus), time.monotonic()
        said = run_ranks("roi.profiling.train.several_cards", self.folder, order, gpus, self._look)
        self.session.notes.append(f"{gpus} ranks, {time.monotonic() - began_s:.0f} s with their start")
        if said is not None:
            self._explain(said)

    def predicted(self, point: TrainPoint) -> TrainPoint:
        """The point with the closed form's memory of one rank."""
        shape = self.request.model.shape
        if shape is None:
            return point
        gpu = find_gpu(self.session.environment.gpu) if self.session.environment.gpu else None
        plan = replace(self.request.plan, micro_batch=point.micro_batch, seq=point.seq)
        return point.model_copy(update={
            "predicted_allocated_bytes": float(training_memory(shape, plan, gpu).peak_allocated_bytes)})

    def _look(self) -> None:
        """Read what is measured so far, and show how much it is."""
        if (file := self.folder / PROFILE).exists():
            self.profile = TrainProfile.model_validate_json(read_text(file, MOST_BYTES))
        done, ranks = 0 if self.profile is None else len(self.profile.points), self.request.plan.gpus
        self.session.show(f"{ranks:.0f} ranks: {done} of {len(self.request.points)} sizes done")

    def _explain(self, log: list[str]) -> None:
        """Raise, or note where memory ran out, why the processes ended: the first that failed has the word."""
        first = first_failure(self.folder, int(self.request.plan.gpus), log)
        if first.memory:
            self.short = True
            self.session.notes.append(f"rank {first.rank} ran out of memory; larger sizes were not tried")
            if self.profile is not None:
                return
        raise RoiError(f"rank {first.rank}: {first.said}")


class _Measured(NamedTuple):
    """A size that is done, before the steps alone."""

    run: PointRun
    draw: Draw
    readings: list[RankPoint]


def main(folder: Path) -> int:
    """Do what the order in `folder` says; the exit code."""
    order: RankOrder = read_order(folder)
    return run_as_rank(order.device, folder, lambda ranks: _Rank(order, ranks, folder).run())


class _Rank:
    """The sizes one after the other, as every rank goes through them."""

    def __init__(self, order: RankOrder, ranks: Ranks, folder: Path) -> None:
        self.order, self.ranks, self.folder = order, ranks, folder
        board = None
        if order.device == "cuda":
            board = open_board(str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid))
        self.session = Session(read_environment(order.device, order.seed, board), order.budget_s, board)
        self.done: list[_Measured] = []
        self.complete = True

    def run(self) -> None:
        """All sizes, then each once more without communication: such steps let replicas drift apart."""
        setup = set_up(self.order.request, self.session, self.ranks)
        self.session.began_s = time.monotonic()
        waiting = sorted(self.order.request.points, key=lambda point: (point[0] * point[1], point[0]))
        for i, (micro_batch, seq) in enumerate(waiting):
            left_s = self.session.left_s - ALONE_SHARE * self.session.budget_s
            if not self.ranks.agree(left_s > 0.0 or not self.done)[0]:
                self._ended(f"the budget ended before {len(waiting) - i} of {len(waiting)} points")
                break
            self._measure(setup, micro_batch, seq, left_s * share(waiting[i:]))
            self._keep(setup)
        for number in range(len(self.done)):
            if not self._alone(setup, number):
                break
            self._keep(setup)
        self._keep(setup)

    def _measure(self, setup: TrainingSetup, micro_batch: int, seq: int, share_s: float) -> None:
        train_point.reset_memory(setup.device)
        run = PointRun(micro_batch, seq, share_s, self.session)

        def take(step: Step) -> bool:
            _, loss = self.ranks.agree(True, step.loss)
            return self.ranks.agree(run.take(Step(step.seconds, loss)))[0]

        try:
            run_steps(setup, micro_batch, seq, take)
        finally:
            draw = run.meter.stop()
        memory = train_point.read_memory(setup.device, self.session.board)
        own = RankPoint(step_s=tuple(step.seconds for step in run.steps), memory=memory, power_w=draw.power_w)
        readings = self.ranks.gather(own)
        if self.ranks.agree(run.usable)[0]:
            self.done.append(_Measured(run, draw, readings))
        else:
            self._ended(f"{micro_batch} x {seq:,}: the budget ended in its warm-up")

    def _alone(self, setup: TrainingSetup, number: int) -> bool:
        """Measure steps without communication of one size; False where the budget does not hold them."""
        run, draw, readings = self.done[number]
        needed_s = (ALONE + 1) * median(step.seconds for step in run.steps)
        if not self.ranks.agree(needed_s < self.session.left_s)[0]:
            self._ended(f"{run.micro_batch} x {run.seq:,}: the budget ended before its steps without communication")
            return False
        seconds: list[float] = []

        def take(step: Step) -> bool:
            seconds.append(step.seconds)
            return len(seconds) <= ALONE

        with self.ranks.alone(setup.model):
            run_steps(setup, run.micro_batch, run.seq, take)
        every = self.ranks.gather(tuple(seconds[1:]))
        told = [one.model_copy(update={"alone_s": alone}) for one, alone in zip(readings, every, strict=True)]
        self.done[number] = _Measured(run, draw, told)
        return True

    def _ended(self, note: str) -> None:
        self.complete = False
        self.session.notes.append(note)

    def _keep(self, setup: TrainingSetup) -> None:
        """Rank 0 writes the profile so far."""
        if self.ranks.rank or not self.done:
            return
        last = next((one.draw for one in reversed(self.done) if one.draw.sm_clock_hz is not None), None)
        profile = train_profile(self.order.request, setup, self.session, map(self._point, self.done), last,
                                complete=self.complete)
        replace_file(self.folder / PROFILE, profile.model_dump_json(by_alias=True))

    def _point(self, one: _Measured) -> TrainPoint:
        return one.run.point(one.readings[0].memory, one.draw, None).model_copy(update={"ranks": tuple(one.readings)})


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
