"""What NVML says about one GPU: who uses it, memory of this process, clocks, power, energy."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import Any, Final

from roi.errors import MissingExtra, RoiError
from roi.units import GIB

SAMPLE_S: Final = 0.05
"""Seconds between two readings of the power; boards refresh it every 20 to 100 ms."""


@dataclass(frozen=True)
class Draw:
    """Power and energy between `start` and `stop`; None where the board does not say."""

    power_w: float | None
    energy_j: float | None
    sm_clock_hz: float | None
    """Median clock of the multiprocessors during the run."""
    memory_clock_hz: float | None


class Board:
    """One GPU as NVML sees it. Open it before the first tensor goes there: what runs on it then belongs to others."""

    def __init__(self, nvml: Any, handle: Any) -> None:  # Any: pynvml is untyped
        self.nvml, self.handle = nvml, handle
        self.before = self._processes()

    def others(self) -> list[str]:
        """Compute processes that are not this one, for people: `process 4242 (3.1 GiB)`."""
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
        """Device memory in use, all processes and the driver's own."""
        memory = self._ask(self.nvml.nvmlDeviceGetMemoryInfo)
        return None if memory is None else float(memory.used)

    def driver(self) -> str | None:
        """Version of the driver."""
        try:
            said = self.nvml.nvmlSystemGetDriverVersion()
        except self.nvml.NVMLError:
            return None
        return said.decode() if isinstance(said, bytes) else str(said)

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
        except self.nvml.NVMLError:
            return None


class PowerMeter:
    """Reads power and clocks in the background between `start` and `stop`; without a board it says None."""

    def __init__(self, board: Board | None) -> None:
        self.board = board
        self._ended = threading.Event()
        self._watts: list[float] = []
        self._clocks: list[float] = []
        self._thread: threading.Thread | None = None
        self._began_s = 0.0
        self._began_j: float | None = None

    def start(self) -> None:
        """Begin to read, anew where it had begun."""
        self.stop()
        if self.board is None:
            return
        self._watts, self._clocks, self._ended = [], [], threading.Event()
        self._began_s, self._began_j = time.perf_counter(), self.board.energy_j()
        self._thread = threading.Thread(target=self._watch, args=(self.board, self._ended), daemon=True)
        self._thread.start()

    def stop(self) -> Draw:
        """Mean power and energy since `start`: the board's energy counter, else power integrated over time."""
        if self.board is None or self._thread is None:
            return Draw(None, None, None, None)
        seconds = time.perf_counter() - self._began_s
        ended_j = self.board.energy_j()
        self._ended.set()
        self._thread.join()
        self._thread = None
        if self._began_j is not None and ended_j is not None:
            joules: float | None = ended_j - self._began_j
        else:
            joules = sum(self._watts) / len(self._watts) * seconds if self._watts else None
        power = None if joules is None else joules / seconds
        return Draw(power, joules, median(self._clocks) if self._clocks else None, self.board.memory_clock_hz())

    def _watch(self, board: Board, ended: threading.Event) -> None:
        while True:
            watts, clock = board.power_w(), board.sm_clock_hz()
            if watts is not None:
                self._watts.append(watts)
            if clock is not None:
                self._clocks.append(clock)
            if ended.wait(SAMPLE_S):
                return


def open_boards() -> dict[str, Board]:
    """Every GPU by its UUID (as torch gives it); a RoiError says why NVML does not answer."""
    try:
        pynvml: Any = import_module("pynvml")  # Any: untyped
    except ModuleNotFoundError as error:
        raise MissingExtra("profile", "nvidia-ml-py") from error
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        uuids = (pynvml.nvmlDeviceGetUUID(handle) for handle in handles)
        names = [(uuid.decode() if isinstance(uuid, bytes) else uuid).removeprefix("GPU-") for uuid in uuids]
        return {name: Board(pynvml, handle) for name, handle in zip(names, handles, strict=True)}
    except pynvml.NVMLError as error:
        raise RoiError(f"NVML does not answer: {error}") from error
