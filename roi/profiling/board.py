"""One GPU through NVML: who uses it, the memory of this process, clocks, what slows them, power and energy.

A lost board, a slice of one (MIG) and a driver that does not match are no crash: a question without an answer says None.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Final

from roi.errors import MissingExtra, RoiError
from roi.units import GIB

SAMPLE_S: Final = 0.05
"""Seconds between two readings of the power; boards refresh it every 20 to 100 ms."""
LEAST_S: Final = 1.0
"""Energy of a shorter window is not told: the counter is refreshed ten times a second, and power is a mean over a second."""
SLOWED: Final = {0x4: "power limit", 0x8: "hardware slowdown", 0x20: "temperature (driver)", 0x40: "temperature (hardware)",
                 0x80: "power brake"}
"""NVML's bits for why clocks are below what was asked (nvml.h, nvmlClocksEventReason...); idle and user settings are none."""
PREFIXES: Final = ("GPU-", "MIG-")
_BEFORE_TORCH: Final[dict[str, dict[int, int | None]]] = {}
"""Compute processes of each board by UUID, as they were before torch was imported."""


@dataclass(frozen=True)
class Draw:
    """What a board said between `start` and `stop`; None where it does not say."""

    power_w: float | None
    energy_j: float | None
    sm_clock_hz: float | None
    """Median clock of the multiprocessors during the run."""
    memory_clock_hz: float | None
    slowed: tuple[str, ...] = ()
    """What held the clocks down at any reading."""


NO_DRAW: Final = Draw(None, None, None, None)


class Board:
    """One GPU as NVML sees it. Open it before the first tensor goes there: what runs on it then belongs to others."""

    def __init__(self, nvml: Any, handle: Any, before: dict[int, int | None] | None = None, *, sliced: bool = False) -> None:
        self.nvml, self.handle, self.sliced = nvml, handle, sliced  # Any: pynvml is untyped
        self.before = self._processes() if before is None else before

    def others(self, *, opened: bool = False) -> list[str]:
        """Compute processes that are not this one, for people: `process 4242 (3.1 GiB)`.

        `opened`: this process had a context on the device before anybody looked. In a container, where it goes by the host's
        number, one process alone is then taken for this one.
        """
        if opened and os.getpid() not in self.before and len(self.before) == 1:
            return []
        return [f"process {pid}" + (f" ({used / GIB:.1f} GiB)" if used else "")
                for pid, used in sorted(self.before.items()) if pid != os.getpid()]

    def process_bytes(self) -> float | None:
        """Device memory of this process, CUDA context included; None where the driver does not say.

        In a container NVML counts in the host's process numbers: then the one process that was not there before is ours.
        """
        now = self._processes()
        new = [pid for pid in now if pid not in self.before]
        mine = os.getpid() if os.getpid() in now else new[0] if len(new) == 1 else None
        return None if mine is None or now[mine] is None else float(now[mine] or 0)

    def used_bytes(self) -> float | None:
        """Device memory in use by all processes; what the driver keeps for itself is not in it where NVML tells it apart."""
        second = getattr(self.nvml, "nvmlMemory_v2", None)
        memory = None if second is None else self._ask(self.nvml.nvmlDeviceGetMemoryInfo, second)
        memory = memory or self._ask(self.nvml.nvmlDeviceGetMemoryInfo)
        return None if memory is None else float(memory.used)

    def driver(self) -> str | None:
        """Version of the driver."""
        try:
            said = self.nvml.nvmlSystemGetDriverVersion()
        except self.nvml.NVMLError:
            return None
        return said.decode() if isinstance(said, bytes) else str(said)

    def ecc(self) -> bool | None:
        """True where memory corrects its errors."""
        mode = self._ask(self.nvml.nvmlDeviceGetEccMode)
        return None if mode is None else bool(mode[0])

    def ecc_errors(self) -> int | None:
        """Errors since the driver was loaded that were not corrected."""
        return self._ask(self.nvml.nvmlDeviceGetTotalEccErrors, 1, 0)  # type: ignore[no-any-return] # uncorrected, volatile

    def slowed(self) -> int:
        """Bits of SLOWED that hold now."""
        return int(self._ask(self.nvml.nvmlDeviceGetCurrentClocksEventReasons) or 0)

    def power_limit_w(self) -> float | None:
        """Power limit that the board enforces."""
        return self._scaled(1e-3, self.nvml.nvmlDeviceGetEnforcedPowerLimit)

    def power_w(self) -> float | None:
        """Power that the board draws now."""
        return self._scaled(1e-3, self.nvml.nvmlDeviceGetPowerUsage)

    def energy_j(self) -> float | None:
        """Energy since the driver was loaded; None before Volta."""
        return self._scaled(1e-3, self.nvml.nvmlDeviceGetTotalEnergyConsumption)

    def sm_clock_hz(self) -> float | None:
        """Clock of the multiprocessors now."""
        return self._scaled(1e6, self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_SM)

    def memory_clock_hz(self) -> float | None:
        """Clock of the memory now."""
        return self._scaled(1e6, self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_MEM)

    def _processes(self) -> dict[int, int | None]:
        found = self._ask(self.nvml.nvmlDeviceGetComputeRunningProcesses) or []
        return {int(p.pid): p.usedGpuMemory for p in found}

    def _scaled(self, factor: float, question: Callable[..., Any], *more: Any) -> float | None:  # Any: pynvml is untyped
        value = self._ask(question, *more)
        return None if value is None else float(value) * factor

    def _ask(self, question: Callable[..., Any], *more: Any) -> Any:  # Any: pynvml is untyped
        """The answer, or None where this board or driver has none."""
        try:
            return question(self.handle, *more)
        except _errors(self.nvml):
            return None


class PowerMeter:
    """Reads power and clocks in the background between `start` and `stop`; without a board it says None."""

    def __init__(self, board: Board | None) -> None:
        self.board = board
        self._ended = threading.Event()
        self._watts: list[float] = []
        self._clocks: list[float] = []
        self._slowed = 0
        self._thread: threading.Thread | None = None
        self._began_s = 0.0
        self._began_j: float | None = None

    def start(self) -> None:
        """Begin to read, anew where it had begun."""
        self.stop()
        if self.board is None:
            return
        self._watts, self._clocks, self._slowed, self._ended = [], [], 0, threading.Event()
        self._began_s, self._began_j = time.perf_counter(), self.board.energy_j()
        self._thread = threading.Thread(target=self._watch, args=(self.board, self._ended), daemon=True)
        self._thread.start()

    def stop(self) -> Draw:
        """Mean power and energy since `start`: the board's energy counter, else power over time; clocks, and what slowed them.

        Power and energy of less than LEAST_S are None.
        """
        if self.board is None or self._thread is None:
            return NO_DRAW
        seconds, ended_j = time.perf_counter() - self._began_s, self.board.energy_j()
        self._ended.set()
        self._thread.join()
        self._thread = None
        joules: float | None = None
        if seconds >= LEAST_S and self._began_j is not None and ended_j is not None:
            joules = ended_j - self._began_j
        elif seconds >= LEAST_S and self._watts:
            joules = sum(self._watts) / len(self._watts) * seconds
        why = tuple(words for bit, words in SLOWED.items() if self._slowed & bit)
        return Draw(None if joules is None else joules / seconds, joules, median(self._clocks) if self._clocks else None,
                    self.board.memory_clock_hz(), why)

    def _watch(self, board: Board, ended: threading.Event) -> None:
        while True:
            watts, clock = board.power_w(), board.sm_clock_hz()
            self._slowed |= board.slowed()
            if watts is not None:
                self._watts.append(watts)
            if clock is not None:
                self._clocks.append(clock)
            if ended.wait(SAMPLE_S):
                return


def open_board(uuid: str) -> Board:
    """The GPU (or slice of one) with this UUID as torch gives it; a RoiError says why NVML does not show it."""
    nvml, plain = _nvml(), uuid
    for prefix in PREFIXES:
        plain = plain.removeprefix(prefix)
    for prefix in PREFIXES:
        try:
            handle = nvml.nvmlDeviceGetHandleByUUID(f"{prefix}{plain}")
        except _errors(nvml):
            continue
        return Board(nvml, handle, _BEFORE_TORCH.get(plain), sliced=prefix == "MIG-")
    raise RoiError(f"NVML lists no GPU {plain}")


def no_driver(devices: Path = Path("/dev")) -> bool:
    """True where torch will surely see no GPU, which is known before it is imported: a Mac, or no driver has a file there.

    They are NVIDIA's (of Jetsons nvhost and nvmap), AMD's (kfd) and Windows' in WSL (dxg); on Windows itself nobody knows.
    """
    there = any(any(devices.glob(name)) for name in ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg"))
    return sys.platform == "darwin" or (sys.platform == "linux" and not there)


def look_before_torch() -> None:
    """Remember who uses which board; called before torch, whose import may open a context that looks like another user.

    In a container NVML counts in the host's process numbers, so that this process would not know itself.
    """
    try:
        nvml = _nvml()
        count = nvml.nvmlDeviceGetCount()
    except Exception:  # noqa: BLE001 -- no driver, no NVML, whatever it is: `open_board` says it to whom it matters
        return
    for index in range(count):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid = nvml.nvmlDeviceGetUUID(handle)
        except _errors(nvml):
            continue  # a board that fell off the bus is no reason to lose the others
        name = uuid.decode() if isinstance(uuid, bytes) else str(uuid)
        _BEFORE_TORCH[name.removeprefix("GPU-")] = Board(nvml, handle).before


def _nvml() -> Any:  # Any: untyped
    """pynvml, started; a RoiError says why it does not answer."""
    try:
        nvml: Any = import_module("pynvml")
    except ModuleNotFoundError as error:
        raise MissingExtra("profile", "nvidia-ml-py") from error
    try:
        nvml.nvmlInit()
    except _errors(nvml) as error:
        raise RoiError(f"NVML does not answer: {error}") from error
    return nvml


def _errors(nvml: Any) -> tuple[type[Exception], ...]:
    """What NVML raises; a library that does not match its Python package is no NVMLError."""
    return (nvml.NVMLError, *([nvml.NVMLLibraryMismatchError] if hasattr(nvml, "NVMLLibraryMismatchError") else []))
