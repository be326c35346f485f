"""What the machine says of itself without torch: cores, packages, memory of this process."""

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from roi import __version__
from roi.facts.environment import Environment
from roi.units import KIB

PACKAGES: Final = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "trl", "triton", "flash-attn",
                        "liger-kernel", "nvidia-ml-py")
"""Packages whose versions a profile carries."""


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
