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
ZIP: Final = ".zip"
LARGEST_ZIP: Final = 1 << 33
"""Bytes of all files in a ZIP together, unpacked, as it says itself; more is never read out of it."""
MOST_MEMBERS: Final = 10_000


@dataclass(frozen=True)
class SourceFile:
    """One file to read."""

    path: Path | None
    """None: standard input."""
    shown: str
    """How messages name it."""
    member: str | None = None
    """Name inside the ZIP that `path` is; None: the file itself."""


def find_files(arguments: Sequence[str]) -> list[SourceFile]:
    """The files that the arguments mean, in order and each once.

    A folder is searched at every depth for the usual endings, hidden files left out. Raises InputError for an argument that
    means no file.
    """
    found: dict[tuple[Path, str | None], SourceFile] = {}
    stdin: list[SourceFile] = []
    for argument in arguments:
        if argument == STDIN:
            stdin = [SourceFile(None, "standard input")]
            continue
        for path in _paths(argument):
            for file in _inside(path):
                found.setdefault((path.resolve() if path.exists() else path, file.member), file)
    if not stdin and not found:
        raise InputError("FILES: none given; name exports, folders or globs, or - for standard input")
    return [*stdin, *found.values()]


def _inside(path: Path) -> list[SourceFile]:
    """The file, or the members of a ZIP; InputError where they are too many or too large to be read."""
    if path.suffix.lower() != ZIP:
        return [SourceFile(path, str(path))]
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and _usual(Path(each.filename))
                       and not each.filename.startswith("__MACOSX")]
    except (zipfile.BadZipFile, OSError):
        raise InputError(f"{path}: a damaged ZIP: its list of files cannot be read") from None
    size = sum(each.file_size for each in members)
    if size > LARGEST_ZIP or len(members) > MOST_MEMBERS:
        raise InputError(f"{path}: a ZIP of {len(members):,} files and {size / 2**30:,.1f} GiB; unpack it, or give a smaller"
                         f" one (at most {MOST_MEMBERS:,} files and {LARGEST_ZIP >> 30} GiB)")
    if not members:
        raise InputError(f"{path}: a ZIP without {', '.join(ENDINGS)} or .gz files")
    return [SourceFile(path, f"{path}/{each.filename}", each.filename) for each in sorted(members, key=lambda x: x.filename)]


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
    return not any(part.startswith(".") for part in path.parts) and name.endswith((*ENDINGS, ZIP))
