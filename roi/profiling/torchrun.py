"""The processes of a job on several cards, one a card: torchrun starts them, and the first that failed says why they ended.

They are ended with this process, however it ends. Nothing leaves the machine: they meet on its loopback interface.
"""

import json
import os
import pickle
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from roi.disk import read_text, replace_file
from roi.errors import InputError, RoiError
from roi.profiling.child import Child
from roi.profiling.machine import usable_cores
from roi.profiling.session import claim_board
from roi.profiling.stack import torch

LOOPBACK: Final = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
"""Where the processes of one machine meet, unless these variables say otherwise: its name need not resolve."""
ORDER: Final = "order.pickle"
"""Where every rank finds what it is to do."""
LOOK_S: Final = 0.2
FAILED: Final = "rank-{}.json"
"""Where a rank that fails says why."""
MOST_BYTES: Final = 64 * 2**20
MOST_RANKS_ON_CPU: Final = 8
ROOT_CAUSE: Final = re.compile(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", re.DOTALL)
"""How torchrun tells which process failed first."""


class Failure(NamedTuple):
    """What the rank that failed first said."""

    rank: str
    said: str
    memory: bool
    """True where it ran out of memory."""


def check_ranks(gpus: int, device: str, *, force: bool) -> None:
    """Raise an InputError where so many processes do not run here: too few cards, one in use, no network interface."""
    there = torch.cuda.device_count() if device == "cuda" else MOST_RANKS_ON_CPU
    if gpus > there:
        what = f"{there} GPU{'s are' if there != 1 else ' is'} there" if device == "cuda" else f"at most {there} on a CPU"
        raise InputError(f"--gpus {gpus}: {what}")
    if device == "cuda":
        for index in range(1, gpus):
            claim_board(device, force=force, index=index)
    check_loopback()


def check_loopback() -> None:
    """Raise an InputError where the processes could not meet: a machine, or a container, whose loopback interface is down."""
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


def read_order(folder: Path) -> Any:  # Any: what `run_ranks` was given
    """What this rank is to do."""
    return pickle.loads((folder / ORDER).read_bytes())  # noqa: S301 -- our own, in a folder of mode 0700


def run_ranks(module: str, folder: Path, order: object, ranks: int, look: Callable[[], None]) -> list[str] | None:
    """What the processes said last where they failed; None where `ranks` processes of `module` did what is ordered.

    `look` is called while they run, and when they have ended, also by a signal. They get `folder` as their argument, and leave
    there what they have.
    """
    replace_file(folder / ORDER, pickle.dumps(order), "--gpus")
    try:
        with _started(module, folder, ranks) as child:
            while child.exit_code is None:
                look()
                time.sleep(LOOK_S)
            return child.last_lines(60) if child.exit_code else None
    finally:
        look()


def _started(module: str, folder: Path, ranks: int) -> Child:
    """The processes; their output is in the folder's file `log`."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (usable_cores() or 1) // ranks))
    settings = {**LOOPBACK, "OMP_NUM_THREADS": threads, "TORCH_CPP_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "-m", module,
               str(folder)]
    return Child(command, folder / "log", {name: os.environ.get(name, value) for name, value in settings.items()})


def first_failure(folder: Path, ranks: int, log: Sequence[str]) -> Failure:
    """What the rank that failed first said; a RoiError where it ended without a word. `log` is the end of torchrun's."""
    files = [folder / FAILED.format(rank) for rank in ("?", *range(ranks))]
    said: list[dict[str, Any]] = [json.loads(read_text(file, MOST_BYTES)) for file in files if file.exists()]
    first = min(said, key=lambda one: float(one["at"]), default=None)
    cause = ROOT_CAUSE.search("\n".join(log))
    if cause is not None and not any(one["rank"] == cause[1] for one in said):
        number = int(cause[2])
        how = f"was ended by signal {-number}" if number < 0 else f"ended with exit code {number}"
        raise RoiError(f"rank {cause[1]} {how}; the other ranks were ended too")
    if first is None:
        raise RoiError(f"the ranks ended: {log[-1] if log else 'they said nothing'}")
    return Failure(first["rank"], first["said"], bool(first["memory"]))
