"""What the machine says of itself without torch: cores, packages, memory of this process; and through NVML one GPU.

NVML tells who uses the GPU, how much of its memory this process holds, its clocks, its power and its energy.
"""

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

from roi import __version__
from roi.errors import MissingExtra, RoiError
from roi.facts.environment import Environment
from roi.units import GIB

PACKAGES: Final = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "trl", "triton", "flash-attn", "nvidia-ml-py")
"""Packages whose versions a profile carries."""
KIB: Final = 1024
SAMPLE_S: Final = 0.05
"""Seconds between two readings of the power; boards refresh it every 20 to 100 ms."""


def client_environment(seed: int) -> Environment:
    """The machine that sends a load: no tensors lie here; `seed` is that of its prompts and arrivals."""
    return Environment(device="none", gpu_name=cpu_name(), cores=usable_cores(), load_average=load_average(),
                       versions=package_versions(()), seed=seed, commit=f"roi {__version__}")


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python, of roi and of these packages, as far as installed."""
    found = {"python": platform.python_version(), "roi": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def usable_cores() -> int | None:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def load_average() -> tuple[float, float, float] | None:
    """Host load over 1, 5 and 15 minutes; None where the system does not tell."""
    return os.getloadavg() if hasattr(os, "getloadavg") else None


def cpu_name() -> str | None:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine() or None)


def reset_peak_resident() -> None:
    """Forget this process's highest resident set so far; where the system cannot (not Linux), peaks only grow."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_resident_bytes() -> float:
    """Highest resident set of this process since `reset_peak_resident`."""
    found = _field_bytes(Path("/proc/self/status"), "VmHWM:")
    if found is not None:
        return found
    import resource  # not on Windows, where nothing else here needs it either

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(highest if sys.platform == "darwin" else highest * KIB)


def available_bytes() -> float | None:
    """Memory that a new process could take; None where the system does not say."""
    return _field_bytes(Path("/proc/meminfo"), "MemAvailable:")


def _field_bytes(file: Path, name: str) -> float | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) * KIB for line in lines if line.startswith(name)), None)


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
