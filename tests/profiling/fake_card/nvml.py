"""`pynvml` with one board that answers as a scene tells it to; names and error classes are pynvml's own."""
# ruff: noqa: N802 -- NVML's names

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pynvml as real

UUID: Final = "11111111-2222-3333-4444-555555555555"
TOTAL: Final = 85_520_809_984
HOST_PID: Final = 987_654
"""The number that the host gives our process, where we run in a container."""
SCENES: Final = (
    "vm", "container", "context_first", "hidden", "unsupported", "mismatch", "no_process_memory", "busy", "lost_neighbour",
    "no_library", "old_driver", "no_energy", "mig",
)


class FakeNvml(ModuleType):
    """One board. `opened` tells whether torch has a context on it: processes are listed from then on."""

    def __init__(self, scene: str) -> None:
        super().__init__("pynvml")
        assert scene in SCENES, scene
        for name in dir(real):
            if name.startswith("NVML") or name == "nvmlMemory_v2":
                setattr(self, name, getattr(real, name))
        self.scene, self.began_s = scene, time.perf_counter()
        self.opened = scene == "context_first"
        self.lost = False
        self.throttle = 0

    def open(self) -> None:
        """From here on torch has a context on the board."""
        self.opened = True

    def error(self, code: int) -> Exception:
        return real.NVMLError(code)

    def answer(self, value: Any) -> Any:  # Any: whatever NVML answers
        """The value, unless the board cannot say or has fallen off the bus."""
        if self.lost:
            raise self.error(real.NVML_ERROR_GPU_IS_LOST)
        if self.scene == "unsupported":
            raise self.error(real.NVML_ERROR_NOT_SUPPORTED)
        return value

    def nvmlInit(self) -> None:
        codes = {"no_library": real.NVML_ERROR_LIBRARY_NOT_FOUND, "old_driver": real.NVML_ERROR_LIB_RM_VERSION_MISMATCH}
        if self.scene in codes:
            raise self.error(codes[self.scene])

    def nvmlDeviceGetCount(self) -> int:
        return 2 if self.scene == "lost_neighbour" else 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        if self.scene == "lost_neighbour" and index == 0:
            raise self.error(real.NVML_ERROR_GPU_IS_LOST)
        return "board"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        known = {"mig": f"MIG-{UUID}"}.get(self.scene, f"GPU-{UUID}")
        if uuid != known:
            raise self.error(real.NVML_ERROR_NOT_FOUND)
        return "slice" if self.scene == "mig" else "board"

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return f"MIG-{UUID}" if handle == "slice" else f"GPU-{UUID}"

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> str:
        if handle != "slice":
            raise self.error(real.NVML_ERROR_INVALID_ARGUMENT)
        return "board"

    def nvmlDeviceGetMigMode(self, _: str) -> list[int]:
        return [int(self.scene == "mig")] * 2

    def nvmlDeviceGetComputeRunningProcesses(self, _: str) -> list[Any]:
        if self.scene == "mismatch":
            raise real.NVMLLibraryMismatchError("pyNVML does not match the NVML library")
        others = [SimpleNamespace(pid=4242, usedGpuMemory=3_300_000_000)] if self.scene == "busy" else []
        own = HOST_PID if self.scene in {"container", "context_first"} else os.getpid()
        used = None if self.scene == "no_process_memory" else 1_800_000_000
        mine = [SimpleNamespace(pid=own, usedGpuMemory=used)] if self.opened and self.scene != "hidden" else []
        return self.answer([*others, *mine])

    def nvmlDeviceGetMemoryInfo(self, _: str, version: object = None) -> Any:
        reserve = 600_000_000  # what the driver keeps: in `used` of the first version, apart in the second
        found = {"total": TOTAL, "free": TOTAL - 2_400_000_000, "used": 2_400_000_000 - (reserve if version else 0)}
        return self.answer(SimpleNamespace(**found, **({"reserved": reserve} if version else {})))

    def nvmlSystemGetDriverVersion(self) -> str:
        return self.answer("580.159.04")

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: str) -> int:
        return self.answer(self._whole(handle, 700_000))

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return self.answer(self._whole(handle, 350_000))

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        if self.scene == "no_energy":
            raise self.error(real.NVML_ERROR_NOT_SUPPORTED)
        return self.answer(self._whole(handle, int((time.perf_counter() - self.began_s) * 350_000)))

    def nvmlDeviceGetClockInfo(self, handle: str, which: int) -> int:
        return self.answer(self._whole(handle, {real.NVML_CLOCK_SM: 1980, real.NVML_CLOCK_MEM: 2619}[which]))

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:
        return self.answer(self._whole(handle, self.throttle))

    def nvmlDeviceGetEccMode(self, _: str) -> list[int]:
        return self.answer([1, 1])

    def nvmlDeviceGetTotalEccErrors(self, *_: object) -> int:
        return self.answer(0)

    def _whole(self, handle: str, value: int) -> int:
        """What only a whole board tells, not a slice of one."""
        if handle == "slice":
            raise self.error(real.NVML_ERROR_NOT_SUPPORTED)
        return value


@contextmanager
def nvml_scene(scene: str = "vm") -> Iterator[FakeNvml]:
    """While it lasts, `import pynvml` gives this board."""
    fake = FakeNvml(scene)
    sys.modules["pynvml"] = fake  # not patch.dict, which would forget whatever else is imported meanwhile
    try:
        yield fake
    finally:
        sys.modules["pynvml"] = real
