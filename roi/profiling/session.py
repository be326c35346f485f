"""One measured run on the device at hand: its device and environment, its budget, who watches it, and what ends it early."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from roi import __version__
from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.errors import InputError, RoiError
from roi.facts.environment import Environment
from roi.facts.profiles import ProbeProfile
from roi.profiling.board import Board, Draw, open_board
from roi.profiling.card_kernels import CAUSAL, attention_by_rule
from roi.profiling.machine import PACKAGES, available_bytes, cpu_name, load_average, package_versions, usable_cores
from roi.profiling.progress import Watcher
from roi.profiling.stack import quiet, torch
from roi.profiling.stops import Stops
from roi.store.profiles.loading import load_profiles
from roi.store.profiles.places import folders_beside
from roi.units import GIB

ALLOCATOR: Final = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""Variables that set the caching allocator up; the second is the older name."""
OUT_OF_MEMORY: Final = (
    "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "can't allocate memory", "not enough memory",
)
"""How errors that are no torch.OutOfMemoryError say it: cuBLAS (its handle wants memory too), cuDNN, bitsandbytes, the CPU."""
DEVICE_FAILED: Final = ("CUDA error", "CUDA driver error", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error", "NCCL error")
"""How errors of the device say so where they are no torch.AcceleratorError. They stay: every later call raises them again."""
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
    failure: str | None = None
    """What ended the run early although it had measured something, for people; None where nothing did."""
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

    @property
    def cut(self) -> bool:
        """True where a signal or a failure ended the run."""
        return self.interrupted or self.failure is not None

    def measure(self, work: Callable[[], None], anything: Callable[[], object]) -> None:
        """Do `work`; what it measured until a signal or a failure of the device is kept. The budget begins here.

        A signal, or a failure, before `anything()` was measured is passed on.
        """
        self.began_s = time.monotonic()
        try:
            with quiet():
                self.stops.guard()
                work()
        except KeyboardInterrupt:
            if not anything():
                raise
            self.interrupted = True
            self.notes.append(self.stops.why)
        except (RuntimeError, RoiError) as error:
            said = RoiError(f"the device failed: {first_line(error)}") if device_failed(error) else error
            if not anything():
                raise said from error
            self.failure = str(said) if isinstance(said, RoiError) else f"{type(said).__name__}: {first_line(said)}"
            self.notes.append(self.failure)
        self.stops.finish()

    def environment_under_load(self, draw: Draw | None) -> Environment:
        """The environment with the clocks that were read during the run, and what slowed them."""
        if draw is None:
            return self.environment
        return self.environment.model_copy(update={
            "sm_clock_hz": draw.sm_clock_hz, "memory_clock_hz": draw.memory_clock_hz, "slowed": draw.slowed})


def ran_out(error: BaseException) -> bool:
    """True where an error means that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in OUT_OF_MEMORY)


def device_failed(error: BaseException) -> bool:
    """True where an error is one of the device that no later call recovers from."""
    if "no kernel image" in str(error):
        return False  # one operator has no code for this card; the others go on
    sticky = getattr(torch, "AcceleratorError", ())
    told = isinstance(error, RuntimeError) and any(sign in str(error) for sign in DEVICE_FAILED)
    return not ran_out(error) and (isinstance(error, sticky) or told)


def first_line(error: BaseException) -> str:
    """What an error says first, at most 200 signs."""
    return " ".join((str(error).strip().splitlines() or [type(error).__name__])[0].split())[:200]


def open_session(device: str, seed: int, budget_s: float, *, force: bool, notes: Sequence[str] = (),
                 profiles: Path | None = None) -> Session:
    """A session on `device`; an InputError where other processes use the GPU. Call before the first tensor goes there.

    What was probed on the card, as the usual folders of profiles and `profiles` have it, is part of its environment.
    """
    board, shared = claim_board(device, force=force)
    environment = with_probe(read_environment(device, seed, board), profiles)
    return Session(environment, budget_s, board, opening_notes=(*notes, *shared))


def with_probe(environment: Environment, profiles: Path | None) -> Environment:
    """The environment with the newest answers of this card under this driver and these versions of torch and cuDNN."""
    if environment.device != "cuda":
        return environment
    for stored in load_profiles(folders_beside(profiles), kinds={"probe"}).profiles:
        if isinstance(stored.profile, ProbeProfile) and _same_stack(stored.profile.environment, environment):
            answers = stored.profile.answers
            attention = answers.attention.get(CAUSAL, environment.attention)
            return environment.model_copy(update={"probe": answers, "attention": attention})
    return environment


def _same_stack(one: Environment, other: Environment) -> bool:
    same = all(getattr(one, name) == getattr(other, name) for name in ("gpu_name", "driver", "cuda", "cudnn", "mig"))
    return same and one.versions.get("torch") == other.versions.get("torch")


def pick_device(asked: str | None) -> str:
    """`cuda` or `cpu`: what was asked for if it is there; without a wish the GPU if there is one."""
    with quiet():  # a broken driver warns here, and is told below
        found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        why = unusable_gpu()
        raise InputError(f"--device cuda: this torch ({torch.__version__}) sees no GPU{f' ({why})' if why else ''}; "
                         "--device cpu runs a small model")
    if asked is None and not found and os.environ.get("CUDA_VISIBLE_DEVICES") != "" and (why := unusable_gpu()):
        raise InputError(f"--device: there is a GPU, but torch cannot use it: {why}; mend that, or --device cpu")
    return asked or ("cuda" if found else "cpu")


def unusable_gpu(devices: Path = Path("/dev")) -> str | None:
    """Why torch sees no GPU although the machine has one of NVIDIA's; None where the machine has none."""
    if not any(devices.glob("nvidia[0-9]*")):
        return None
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built for the CPU"
    try:
        with quiet():
            torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return first_line(error)
    return "it lists no device"


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


def claim_board(device: str, *, force: bool = False, index: int | None = None) -> tuple[Board | None, tuple[str, ...]]:
    """(NVML's view of the GPU, notes); an InputError where other processes use it. Call before the first tensor.

    The current GPU, unless `index` says which one.

    NVML is asked before torch opens the device: in a container it counts in the host's process numbers, and this process
    would look like another.
    """
    if device != "cuda":
        return None, ()
    unknown = "power, process memory and other users of the GPU are not known"
    opened = torch.cuda.is_initialized()
    uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device() if index is None else index).uuid)
    try:
        board = open_board(uuid)
    except RoiError as error:
        return None, (f"{error}: {unknown}",)
    others = board.others(opened=opened)
    if others and not force:
        raise InputError(f"--device cuda: the GPU is used by {', '.join(others)}, which would spoil the times; "
                         "stop them, choose another with CUDA_VISIBLE_DEVICES, or --force")
    notes = [f"the GPU was shared with {', '.join(others)}"] if others else []
    if board.ecc_errors():
        notes.append(f"the GPU's memory has had {board.ecc_errors()} errors that were not corrected")
    if board.sliced:
        notes.append("a slice of a card (MIG): power and clocks are the whole card's, and left out")
    return board, tuple(notes)


def read_environment(device: str, seed: int, board: Board | None) -> Environment:
    """The machine and the software as they are now; clocks are read under load and come later."""
    on_card: dict[str, Any] = {}  # Any: fields of the record, which checks them
    if device == "cuda":
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        capability, cudnn = (properties.major, properties.minor), torch.backends.cudnn.version()
        on_card = {
            "gpu": catalog_gpu(properties.name, properties.total_memory), "gpu_name": properties.name,
            "gpu_memory_bytes": float(properties.total_memory), "cuda": torch.version.cuda, "capability": capability,
            "cudnn": None if cudnn is None else str(cudnn), "tf32": torch.get_float32_matmul_precision() != "highest",
            "attention": attention_by_rule(capability, torch.__version__, cudnn, os.environ),
            "allocator": next((os.environ[name][:200] for name in ALLOCATOR if name in os.environ), None),
        }
    if board is not None:
        on_card |= {"driver": board.driver(), "power_limit_w": board.power_limit_w(), "ecc": board.ecc(), "mig": board.sliced}
    return Environment(device="cuda" if device == "cuda" else "cpu", **{"gpu_name": cpu_name(), **on_card},
                       cores=usable_cores(), threads=torch.get_num_threads(), load_average=load_average(),
                       versions=package_versions(PACKAGES), seed=seed, commit=f"roi {__version__}")


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
