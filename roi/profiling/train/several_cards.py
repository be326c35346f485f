"""A training run on several cards: torchrun starts a process for each; this one watches them and keeps what they measured.

The processes are ended with this one, however it ends. Nothing leaves the machine: they meet on its loopback interface.
"""

import json
import os
import pickle
import re
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from roi.catalog.cards.gpus import find_gpu
from roi.disk import read_text, replace_file
from roi.errors import InputError, RoiError
from roi.estimate.training.memory import training_memory
from roi.facts.profiles import TrainPoint, TrainProfile
from roi.profiling.child import Child
from roi.profiling.machine import usable_cores
from roi.profiling.session import Session, claim_board
from roi.profiling.stack import torch
from roi.profiling.train.rank_run import FAILED, ORDER, PROFILE, RankOrder
from roi.profiling.train.short_run import TrainRequest

LOOPBACK: Final = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
"""Where the processes of one machine meet, unless these variables say otherwise: its name need not resolve."""
OPTIMIZERS: Final = ("adamw", "adamw-foreach")
"""Those whose states follow a sharded parameter."""
LOOK_S: Final = 0.2
MOST_BYTES: Final = 64 * 2**20
MOST_RANKS_ON_CPU: Final = 8
ROOT_CAUSE: Final = re.compile(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", re.DOTALL)
"""How torchrun tells which process failed first."""


def check_cards(request: TrainRequest, device: str, *, force: bool) -> None:
    """Raise an InputError, one sentence, where this plan does not run on so many cards here."""
    plan, asked = request.plan, f"--gpus {request.plan.gpus}"
    if plan.trainer != "plain":
        raise InputError(f"--trainer {plan.trainer}: several cards run the plain loop; leave it out, or --gpus 1")
    if plan.sharding not in ("none", "fsdp"):
        raise InputError(f"--sharding {plan.sharding}: what runs here is none (a replica each, DDP) and fsdp")
    if plan.sharding == "fsdp":
        if plan.quantised or plan.int8:
            raise InputError(f"--sharding fsdp: bitsandbytes' layers of method {plan.method} are not sharded; none, or lora")
        if plan.optimizer not in OPTIMIZERS:
            raise InputError(f"--optimizer {plan.optimizer}: sharded parameters take {' or '.join(OPTIMIZERS)} here")
        if plan.autocast:
            raise InputError("--autocast: sharded parameters run in their own type here; --no-autocast")
    there = torch.cuda.device_count() if device == "cuda" else MOST_RANKS_ON_CPU
    if plan.gpus > there:
        what = f"{there} GPU{'s are' if there != 1 else ' is'} there" if device == "cuda" else f"at most {there} on a CPU"
        raise InputError(f"{asked}: {what}")
    if device == "cuda":
        for index in range(1, plan.gpus):
            claim_board(device, force=force, index=index)
    _check_loopback()


def _check_loopback() -> None:
    """Raise where the processes could not meet: a machine, or a container, whose loopback interface is down."""
    names = {name for _, name in socket.if_nameindex()}
    for variable, usual in LOOPBACK.items():
        name = os.environ.get(variable, usual)
        if name.lstrip("^=").split(",")[0] not in names:
            raise InputError(f"{variable}: no network interface {name!r}; there are {', '.join(sorted(names)) or 'none'}")
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 5.0):
            return
    except OSError as error:
        raise InputError(f"--gpus: the processes of several cards meet on the loopback network interface, which is down "
                         f"({error.strerror}); ip link set lo up") from error


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
        replace_file(self.folder / ORDER, pickle.dumps(order), "--gpus")
        gpus, began_s = int(self.request.plan.gpus), time.monotonic()
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (usable_cores() or 1) // gpus))
        settings = {**LOOPBACK, "OMP_NUM_THREADS": threads, "TORCH_CPP_LOG_LEVEL": "ERROR"}
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}", "-m",
                   "roi.profiling.train.rank_run", str(self.folder)]
        environment = {name: os.environ.get(name, value) for name, value in settings.items()}
        try:
            with Child(command, self.folder / "log", environment) as child:
                while child.exit_code is None:
                    profile = self._read()
                    done = 0 if profile is None else len(profile.points)
                    self.session.show(f"{gpus} ranks: {done} of {len(self.request.points)} sizes done")
                    time.sleep(LOOK_S)
                code, said = child.exit_code, child.last_lines(60)
        finally:
            self.profile = self._read()
        self.session.notes.append(f"{gpus} ranks, {time.monotonic() - began_s:.0f} s with their start")
        if code:
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

    def _read(self) -> TrainProfile | None:
        file = self.folder / PROFILE
        return TrainProfile.model_validate_json(read_text(file, MOST_BYTES)) if file.exists() else None

    def _explain(self, log: list[str]) -> None:
        """Raise, or note where memory ran out, why the processes ended: the first that failed has the word."""
        files = [self.folder / FAILED.format(rank) for rank in ("?", *range(int(self.request.plan.gpus)))]
        said: list[dict[str, Any]] = [json.loads(read_text(file, MOST_BYTES)) for file in files if file.exists()]
        first = min(said, key=lambda one: float(one["at"]), default=None)
        cause = ROOT_CAUSE.search("\n".join(log))
        if cause is not None and not any(one["rank"] == cause[1] for one in said):
            number = int(cause[2])
            how = f"was ended by signal {-number}" if number < 0 else f"ended with exit code {number}"
            raise RoiError(f"rank {cause[1]} {how}; the other ranks were ended too")
        if first is None:
            raise RoiError(f"the ranks ended: {log[-1] if log else 'they said nothing'}")
        if first["memory"]:
            self.short = True
            self.session.notes.append(f"rank {first['rank']} ran out of memory; larger sizes were not tried")
            if self.profile is not None:
                return
        raise RoiError(f"rank {first['rank']}: {first['said']}")

