"""One measured run on the device at hand: its device and environment, its budget, who watches it, and what ends it early."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from roi import __version__
from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.errors import InputError, RoiError
from roi.facts.environment import Environment
from roi.profiling.machine import (
    PACKAGES,
    Board,
    Draw,
    PowerMeter,
    available_bytes,
    cpu_name,
    load_average,
    open_boards,
    package_versions,
    usable_cores,
)
from roi.profiling.progress import Watcher
from roi.profiling.stack import quiet, torch
from roi.profiling.stops import Stops
from roi.units import GIB

DEVICES: Final = ("cuda", "cpu")
LARGE_ON_CPU: Final = 1e9
"""Parameters above which one step on a CPU takes minutes (6 FLOP a parameter and token, at most 1e11 FLOP/s a core)."""


@dataclass
class Session:
    """A run on one device, from its opening to the profile that is made of it."""

    environment: Environment
    budget_s: float
    board: Board | None = None
    """NVML's view of the GPU; None on a CPU and where NVML does not answer."""
    opening_notes: tuple[str, ...] = ()
    """What is known of the model and the device before the run; a profile's notes begin with it."""
    watcher: Watcher = field(default_factory=Watcher)
    stops: Stops = field(default_factory=Stops)
    notes: list[str] = field(default_factory=list)
    """What a reader of the profile must know of the run."""
    interrupted: bool = False
    """True after Ctrl-C or SIGTERM: the profile then holds what was done until that moment."""
    started: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    began_s: float = field(default_factory=time.monotonic)
    """Clock at which the budget began; `measure` begins it anew."""

    @property
    def left_s(self) -> float:
        """Seconds of the budget that are left; negative when it is overdrawn."""
        return self.budget_s - (time.monotonic() - self.began_s)

    def show(self, text: str) -> None:
        """Show what is going on, with the share of the budget that is spent."""
        left_s = max(self.left_s, 0.0)
        self.watcher.update(text, 1.0 - left_s / self.budget_s, left_s)

    @property
    def device(self) -> str:
        """`cuda` or `cpu`."""
        return self.environment.device

    @property
    def seed(self) -> int:
        """Seed of weights, tokens and operands."""
        return self.environment.seed or 0

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Notes of the profile, those of the opening first."""
        return (*self.opening_notes, *self.notes)

    def measure(self, work: Callable[[], None], anything: Callable[[], object], *, metered: bool = True) -> Draw:
        """Power and clocks while `work` ran, or what was done of it until Ctrl-C or SIGTERM. The budget begins here.

        A signal before `anything()` was measured is passed on. Without `metered` the board is left to whoever runs inside.
        """
        meter = PowerMeter(self.board if metered else None)
        meter.start()
        self.began_s = time.monotonic()
        try:
            with quiet():
                self.stops.guard()
                work()
            self.stops.finish()
        except KeyboardInterrupt:
            if not anything():
                raise
            self.interrupted = True
            self.notes.append(self.stops.why)
            self.stops.finish()
        finally:
            draw = meter.stop()
        return draw

    def environment_under_load(self, draw: Draw | None) -> Environment:
        """The environment with the clocks that were read during the run."""
        if draw is None:
            return self.environment
        clocks = {"sm_clock_hz": draw.sm_clock_hz, "memory_clock_hz": draw.memory_clock_hz}
        return self.environment.model_copy(update=clocks)


def open_session(device: str, seed: int, budget_s: float, *, force: bool = False, notes: Sequence[str] = ()) -> Session:
    """A session on `device`; an InputError where other processes use the GPU. Call before the first tensor goes there."""
    board, shared = claim_board(device, force=force)
    return Session(read_environment(device, seed, board), budget_s, board, opening_notes=(*notes, *shared))


def pick_device(asked: str | None) -> str:
    """`cuda` or `cpu`: what was asked for if it is there; without a wish the GPU if there is one."""
    if asked is not None and asked not in DEVICES:
        raise InputError(f"--device: {asked[:40]!r} is not one of {', '.join(DEVICES)}")
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise InputError(f"--device cuda: this torch ({torch.__version__}) sees no GPU; --device cpu runs a small model")
    return asked or ("cuda" if found else "cpu")


def check_weights_fit(model: str, count: int, needed_bytes: float, device: str, *, shrunk: bool, slow: str, works: str,
                      way: str = "") -> None:
    """Raise where a model of `count` parameters is too large for the device, or for a CPU's patience unless it is `shrunk`.

    `slow`, `works` and `way` are words of the message: what would take minutes, what a tiny model does instead, a way out.
    """
    if device == "cpu" and count > LARGE_ON_CPU and not shrunk:
        raise InputError(f"--device cpu: {model} has {count / 1e9:.2f}e9 parameters, and {slow}; --layers 2 --shrink 8 makes a "
                         f"small model of it (the profile says so), and without MODEL a tiny one {works}")
    on_gpu = device == "cuda"
    room = float(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory) if on_gpu else available_bytes()
    if room is not None and needed_bytes > room:
        raise InputError(f"MODEL: the weights of {model} take {needed_bytes / GIB:.1f} GiB, {room / GIB:.1f} are there{way}")


def claim_board(device: str, *, force: bool = False) -> tuple[Board | None, tuple[str, ...]]:
    """(NVML's view of the GPU, notes); an InputError where other processes use it. Call before the first tensor.

    NVML is asked before torch opens the device: in a container it counts in the host's process numbers, and this process
    would look like another.
    """
    if device != "cuda":
        return None, ()
    unknown = "power, process memory and other users of the GPU are not known"
    try:
        boards = open_boards()
    except RoiError as error:
        return None, (f"{error}: {unknown}",)
    uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
    board = boards.get(uuid.removeprefix("GPU-"))
    if board is None:  # a MIG slice is no board of its own
        return None, (f"NVML lists no GPU {uuid}: {unknown}",)
    others = board.others()
    if others and not force:
        raise InputError(f"--device cuda: the GPU is used by {', '.join(others)}, which would spoil the times; "
                         "stop them, choose another with CUDA_VISIBLE_DEVICES, or --force")
    return board, (f"the GPU was shared with {', '.join(others)}",) if others else ()


def read_environment(device: str, seed: int, board: Board | None = None) -> Environment:
    """The machine and the software as they are now; clocks are read under load and come later."""
    on_gpu = device == "cuda"
    properties = torch.cuda.get_device_properties(torch.cuda.current_device()) if on_gpu else None
    return Environment(device="cuda" if on_gpu else "cpu",
                       gpu=catalog_gpu(properties.name, properties.total_memory) if properties else None,
                       gpu_name=properties.name if properties else cpu_name(),
                       gpu_memory_bytes=float(properties.total_memory) if properties else None,
                       driver=board.driver() if board else None, cuda=torch.version.cuda,
                       power_limit_w=board.power_limit_w() if board else None, cores=usable_cores(),
                       threads=torch.get_num_threads(), load_average=load_average(), versions=package_versions(PACKAGES),
                       seed=seed, commit=f"roi {__version__}")


def catalog_gpu(name: str, memory_bytes: float) -> str | None:
    """The catalog's id of the card that the driver names; memory decides between cards of one name; else None.

    Drivers report up to 1% more or less than the catalog; cards of one name differ by a factor of two.
    """
    try:
        found = find_gpu(name)
    except InputError:
        plain = name.lower().replace("nvidia", "").strip()
        near = [g for g in load_gpus() if any(plain == alias.lower() for alias in g.aliases)
                and abs(g.memory_bytes / memory_bytes - 1.0) < 0.05]
        return near[0].id if len(near) == 1 else None
    return found.id if abs(found.memory_bytes / memory_bytes - 1.0) < 0.05 else None
