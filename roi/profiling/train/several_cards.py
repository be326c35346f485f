"""A training run on several cards: torchrun starts a process for each; this one watches them and keeps what they measured."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from roi.catalog.cards.gpus import find_gpu
from roi.disk import read_text
from roi.errors import InputError, RoiError
from roi.estimate.training.memory import training_memory
from roi.facts.profiles import TrainPoint, TrainProfile
from roi.profiling.session import Session
from roi.profiling.torchrun import MOST_BYTES, check_ranks, first_failure, run_ranks
from roi.profiling.train.rank_run import PROFILE, RankOrder
from roi.profiling.train.short_run import TrainRequest

OPTIMIZERS: Final = ("adamw", "adamw-foreach")
"""Optimizers whose states follow a sharded parameter."""


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
        said = run_ranks("roi.profiling.train.rank_run", self.folder, order, gpus, self._look)
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
