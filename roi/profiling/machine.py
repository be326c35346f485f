"""What the machine says of itself without torch: cores, packages, memory of this process."""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from roi import __version__
from roi.facts.environment import Environment
from roi.units import KIB

PACKAGES: Final = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "trl", "triton", "flash-attn",
                        "liger-kernel", "nvidia-ml-py")
"""Packages whose versions a profile carries."""
CUDNN_FROM: Final = 91_501
"""Oldest cuDNN whose attention torch prefers: above 9.15.0."""
TORCH_FROM: Final = (2, 11)
"""Torch releases from here on prefer cuDNN on these cards and are built for a cuDNN that is new enough."""
CUDNN_CARDS: Final = ((9, 0), (10, 0))
"""Compute capability of H100, H200, GH200 and of B200, GB200."""


def attention_by_rule(capability: tuple[int, int], torch_version: str, cudnn: int | None, variables: Mapping[str, str]) -> str:
    """cudnn or flash, whichever torch tries first for 16-bit attention; below compute capability 8.0 efficient.

    aten/src/ATen/native/transformers/cuda/sdp_utils.cpp, check_prefer_cudnn_attention and priority_order.
    """
    release = tuple(int(part) for part in re.findall(r"\d+", torch_version)[:2])
    new = release >= TORCH_FROM and cudnn is not None and cudnn >= CUDNN_FROM
    if new and capability in CUDNN_CARDS and variables.get("TORCH_CUDNN_SDPA_DEPRIORITIZED", "0") in {"", "0"}:
        return "cudnn"
    return "flash" if capability >= (8, 0) else "efficient"


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
