"""Which files the user means: paths, folders, globs and standard input, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roi.disk import files_meant
from roi.errors import InputError

STDIN: Final = "-"
ENDINGS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt", ".log")
"""What a folder is searched for, each with .gz too."""
ZIP: Final = ".zip"
LARGEST_ZIP: Final = 1 << 33
"""Bytes of all files in a ZIP together, unpacked, as it says itself; more is never read out of it."""
MOST_MEMBERS: Final = 10_000
HOLDS: Final = f"{', '.join(ENDINGS)} or .gz files"


@dataclass(frozen=True)
class SourceFile:
    """One file to read."""

    path: Path | None
    """Path of the file; None: standard input."""
    shown: str
    """Name of the file in messages."""
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
        for path in files_meant(argument, _usual, HOLDS, "for a pipe give - and what it says as standard input"):
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
        raise InputError(f"{path}: a ZIP without {HOLDS}")
    return [SourceFile(path, f"{path}/{each.filename}", each.filename) for each in sorted(members, key=lambda x: x.filename)]


def _usual(path: Path) -> bool:
    """True for a file that is not hidden and has one of the endings."""
    name = path.name.lower().removesuffix(".gz")
    return not any(part.startswith(".") for part in path.parts) and name.endswith((*ENDINGS, ZIP))
