"""Host memory of this process: its highest resident set since the last reset, and what the machine has left."""

import sys
from pathlib import Path

KIB = 1024


def reset_peak() -> None:
    """Forget the highest resident set so far; where the system cannot (not Linux), peaks only grow."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_bytes() -> float:
    """Highest resident set since `reset_peak`."""
    found = _field(Path("/proc/self/status"), "VmHWM:")
    if found is not None:
        return found
    import resource  # not on Windows, where nothing else here needs it either

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(highest if sys.platform == "darwin" else highest * KIB)


def available_bytes() -> float | None:
    """Memory that a new process could take; None where the system does not say."""
    return _field(Path("/proc/meminfo"), "MemAvailable:")


def _field(file: Path, name: str) -> float | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) * KIB for line in lines if line.startswith(name)), None)
