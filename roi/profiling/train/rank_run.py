"""One process of a job on several cards: `python -m roi.profiling.train.rank_run FOLDER`, started by torchrun.

Rank 0 writes the profile into FOLDER whenever a size is done, so that what was measured outlives a job that hangs or dies. A
rank that fails writes why.
"""

import sys
import time
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from roi.disk import replace_file
from roi.facts.profiles import RankPoint, TrainPoint
from roi.profiling.board import Draw, open_board
from roi.profiling.session import Session, read_environment
from roi.profiling.stack import torch
from roi.profiling.torchrun import read_order
from roi.profiling.train import train_point
from roi.profiling.train.ranks import Ranks, run_as_rank
from roi.profiling.train.short_run import TrainRequest, set_up, share, train_profile
from roi.profiling.train.train_point import PointRun
from roi.profiling.train.training_steps import Step, TrainingSetup, run_steps

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
