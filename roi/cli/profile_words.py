"""Words of the `roi profile` commands: times, lists of numbers, files that must be new; and how they end on a signal."""

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from click.exceptions import Exit

from roi.errors import InputError, UnknownName

if TYPE_CHECKING:
    from roi.profiling.stops import Stops

UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

LONGEST_S: Final = 1e6

MOST_SEQUENCES: Final = 4096
"""Sequences at once: the search for the largest micro-batch ends there too."""


def read_seconds(text: str, field: str) -> float:
    """Seconds that `text` means: 90, 90s, 2m or 1.5h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", text.strip().lower())
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0.0 < seconds <= LONGEST_S:
        raise InputError(f"{field}: {text[:40]!r} is not usable; a time above 0 such as 90s, 2m or 0.5h")
    return seconds


def read_counts(text: str, field: str, most: int | None = None) -> tuple[int, ...]:
    """Whole numbers from 1 (to `most`) with commas, each once, in order; without `most` the model says what is too many."""
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"[1-9]\d{0,17}", word) for word in words):
        raise InputError(f"{field}: {text[:60]!r} is not usable; whole numbers from 1 with commas, for example 1,2,4")
    counts = tuple(sorted({int(word) for word in words}))
    if most is not None and counts[-1] > most:
        raise InputError(f"{field}: {counts[-1]:,} is not usable; at most {most:,}")
    return counts


def check_new(output: Path | None, profiles: Path | None = None) -> None:
    """Raise where --output is there already, or --profiles is no folder: said before the run, not after it."""
    if profiles is not None and profiles.exists() and not profiles.is_dir():
        raise InputError(f"--profiles: {profiles} is not a folder")
    if profiles is not None and not profiles.exists():
        above = next((p for p in profiles.absolute().parents if p.exists()), None)
        if above is not None and not above.is_dir():
            raise InputError(f"--profiles: {profiles} cannot be a folder: {above} is a file")
    if output is not None and os.path.lexists(output):
        raise InputError(f"--output: {output} is there already; profiles are never overwritten")
    check_folder(output)


def check_folder(output: Path | None) -> None:
    """Raise where the folder of --output is not there or takes no files: said before the run, not after it."""
    if output is not None and not output.parent.is_dir():
        raise InputError(f"--output: no folder {output.parent}")
    if output is not None and not os.access(output.parent, os.W_OK):
        raise InputError(f"--output: {output.parent} does not let you write")


def read_names(text: str | None, field: str) -> tuple[str, ...]:
    """Names with commas, each once, in their order; none for no text."""
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name for word in text.split(",") if (name := word.strip())))
    if not names:
        raise InputError(f"{field}: {text[:60]!r} names nothing; names with commas, for example support,sales")
    return names


def leave_if_stopped(stops: "Stops", *, interrupted: bool) -> None:
    """Exit with 130 or 143 where a signal came, also one that came when everything was measured."""
    if interrupted or stops.signal is not None:
        raise Exit(stops.exit_code)


def check_numbers(*named: tuple[str, float | None]) -> None:
    """Raise where an option is nan or inf, which ranges let through."""
    for field, value in named:
        if value is not None and not math.isfinite(value):
            raise InputError(f"{field}: {value} is not usable; a number")


def check_formats(weight_dtype: str | None, kv_dtype: str | None) -> None:
    """Raise where a format is none that an engine stores weights or KV cache in."""
    from roi.estimate.serving.iteration import KV_BYTES, WEIGHT_FORMATS

    for field, name, known in (("--weight-dtype", weight_dtype, WEIGHT_FORMATS), ("--kv-dtype", kv_dtype, KV_BYTES)):
        if name is not None and name not in known:
            raise UnknownName(field, name, known, "format", known)
