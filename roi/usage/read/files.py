"""Which files the user means: paths, folders, globs and standard input, each once."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roi.errors import InputError, nearest_file

STDIN: Final = "-"
ENDINGS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt", ".log")
"""What a folder is searched for, each with .gz too."""


@dataclass(frozen=True)
class SourceFile:
    """One file to read."""

    path: Path | None
    """None: standard input."""
    shown: str
    """How messages name it."""


def find_files(arguments: Sequence[str]) -> list[SourceFile]:
    """The files that the arguments mean, in order and each once.

    A folder is searched at every depth for the usual endings, hidden files left out. Raises InputError for an argument that
    means no file.
    """
    found: dict[Path, SourceFile] = {}
    stdin: list[SourceFile] = []
    for argument in arguments:
        if argument == STDIN:
            stdin = [SourceFile(None, "standard input")]
            continue
        for path in _paths(argument):
            found.setdefault(path.resolve(), SourceFile(path, str(path)))
    if not stdin and not found:
        raise InputError("FILES: none given; name exports, folders or globs, or - for standard input")
    return [*stdin, *found.values()]


def _paths(argument: str) -> list[Path]:
    """The files that one argument means."""
    path = Path(argument)
    if not argument.strip():
        raise InputError("FILES: '' names no file; a dot is the folder at hand")
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file() and _usual(p.relative_to(path)))
        if not inside:
            raise InputError(f"FILES: {argument!r} is a folder without {', '.join(ENDINGS)} or .gz files")
        return inside
    if path.is_file():
        return [path]
    if path.exists():  # it would be read twice
        raise InputError(f"FILES: {argument!r} is no file; for a pipe give - and what it says as standard input")
    matched = sorted(Path(p) for p in glob.glob(argument, recursive=True) if Path(p).is_file())  # noqa: PTH207 -- absolute globs
    if not matched:
        raise InputError(f"FILES: {argument!r} is not there{nearest_file(path)}")
    return matched


def _usual(path: Path) -> bool:
    """True for a file that is not hidden and has one of the endings."""
    name = path.name.lower().removesuffix(".gz")
    return not any(part.startswith(".") for part in path.parts) and name.endswith(ENDINGS)
