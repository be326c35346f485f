"""The machine that runs this process, as far as it is known without torch."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from roi import __version__
from roi.facts.environment import Environment


def client_environment(seed: int) -> Environment:
    """The machine that sends a load: no tensors lie here; `seed` is that of its prompts and arrivals."""
    return Environment(
        device="none", gpu_name=cpu_name(), cores=usable_cores(), load_average=load_average(), versions=package_versions(()),
        seed=seed, commit=f"roi {__version__}",
    )


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
    """Cores that this process may use."""
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
