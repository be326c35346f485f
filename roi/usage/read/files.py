"""Which files the user means: paths, folders, globs and standard input, each once."""

import glob
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roi.errors import InputError

STDIN: Final = "-"

ENDINGS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt", ".log")
"""What a folder is searched for, each with .gz too."""

EDGE: Final = 1 << 16
"""Bytes at each end of a file that are compared before all of it is."""


@dataclass(frozen=True)
class SourceFile:
    """One file to read."""

    path: Path | None
    """None: standard input."""
    shown: str
    """How messages name it."""


def find_files(asked: Sequence[str]) -> tuple[list[SourceFile], list[tuple[str, str]]]:
    """The files that the arguments mean, in order, and (name, why) of those left out as copies of another.

    A folder is searched at every depth for the usual endings, hidden files left out. Raises InputError for an argument that
    means no file.
    """
    found: dict[Path, SourceFile] = {}
    stdin: list[SourceFile] = []
    for argument in asked:
        if argument == STDIN:
            stdin = [SourceFile(None, "standard input")]
            continue
        for path in _meant(argument):
            found.setdefault(path.resolve(), SourceFile(path, str(path)))
    files = [*stdin, *found.values()]
    if not files:
        raise InputError("FILES: none given; name exports, folders or globs, or - for standard input")
    copies = dict(_copies([file for file in files if file.path is not None]))
    return [file for file in files if file.shown not in copies], [
        (name, f"a copy of {other}") for name, other in copies.items()]


def _meant(argument: str) -> list[Path]:
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
        near = _near(path)
        raise InputError(f"FILES: {argument!r} is not there" + (f"; nearest: {near}" if near else ""))
    return matched


def _usual(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return not any(part.startswith(".") for part in path.parts) and name.endswith(ENDINGS)


def _near(path: Path) -> str:
    from roi.errors import nearest

    parent = path.parent if str(path.parent) else Path()
    names = nearest(path.name, [p.name for p in parent.iterdir()], 1) if parent.is_dir() else []
    return str(parent / names[0]) if names else ""


def _copies(files: list[SourceFile]) -> Iterator[tuple[str, str]]:
    """(name, name of the earlier file with the same bytes). Size and both ends are compared before whole contents."""
    groups: dict[tuple[int, bytes], list[SourceFile]] = {}
    for file in files:
        assert file.path is not None
        try:
            if file.path.stat().st_size and file.path.is_file():
                groups.setdefault(_edges(file.path), []).append(file)
        except OSError as error:
            raise InputError(f"FILES: cannot read {file.shown}: {error.strerror}") from error
    for alike in groups.values():
        seen: dict[str, str] = {}
        for file in alike if len(alike) > 1 else ():
            assert file.path is not None
            with file.path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest in seen:
                yield file.shown, seen[digest]
            seen.setdefault(digest, file.shown)


def _edges(path: Path) -> tuple[int, bytes]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(EDGE)
        stream.seek(max(size - EDGE, 0))
        return size, hashlib.sha256(head + stream.read(EDGE)).digest()
