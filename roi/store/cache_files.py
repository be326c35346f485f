"""Files that save time, kept in the user's cache folder: each is named by a digest of all that it follows from.

A file that is damaged, foreign or not there is no error: what it held is made again, and the answer is the same. Nobody but
the user may read them: a Case holds rates and wages.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

import numpy as np

from roi import IMPORTED_AT
from roi.disk import read_text, replace_file
from roi.errors import RoiError

MOST_LISTED: Final = 20_000
"""Files below one folder; what rests on more is not kept."""
PACKAGES: Final = ("genai_prices", "pydantic", "yaml")
"""What a scenario is read, checked and priced with."""
CLOCKS_S: Final = 2.0
"""Seconds by which the clock of a file system may be behind, or rounded down."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_as_imported(state: os.stat_result) -> None:
    """ValueError where a file of the program changed after this process imported roi: what runs may be older than the file.

    A notebook whose kernel runs on after an upgrade computes by the old code, and no name of a kept file may say otherwise.
    """
    if state.st_ctime > IMPORTED_AT - CLOCKS_S:
        raise ValueError("the program changed after it was imported")


def program() -> str:
    """What roi and the packages that it resolves with are; OSError or ValueError where that cannot be told."""
    found = [f"{sys.version} {np.__version__}"]
    places = [Path(__file__).parents[1]]
    for name in PACKAGES:
        spec = PathFinder.find_spec(name)
        places += [Path(each) for each in (spec.submodule_search_locations if spec else None) or ()]
    for place in places:
        found += [str(place), *stamps(place, imported=True)]
    return "\0".join(found)


def stamps(folder: Path, *, imported: bool = False) -> tuple[str, ...]:
    """Path, size and times of every file below the folder, by name; none where it is not there. ValueError for too many.

    Those of a program that is `imported` must be what runs: ValueError where one changed since.
    """
    found: list[str] = []
    for each in _below(str(folder)) if folder.is_dir() else ():
        state = each.stat()
        if imported:
            _check_as_imported(state)
        found.append(f"{each.path} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}")
        if len(found) > MOST_LISTED:
            raise ValueError(folder)
    return tuple(found)


def _below(folder: str) -> Iterator["os.DirEntry[str]"]:
    """The files below a folder, hidden ones and bytecode left out."""
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _below(entry.path)
        else:
            yield entry


@dataclass(frozen=True)
class KeptFiles:
    """A folder of files of at most so many bytes, and at most so many of them: beyond that the older half goes.

    Each is a line with the digest of what follows, which is JSON.
    """

    folder: Path
    """Where the files are. The folder is made when something is kept; in one that cannot be written nothing is."""
    most_bytes: int
    most_files: int

    def text(self, name: str) -> str | None:
        """What was kept under this name; None where something else, or nothing, can be read there. A link is not followed."""
        path = self.folder / f"{name}.json"
        if path.is_symlink() or not path.is_file():
            return None
        with contextlib.suppress(RoiError):
            digest, _, text = read_text(path, self.most_bytes).partition("\n")
            return text if digest == _digest(text) else None
        return None

    def keep(self, name: str, text: str) -> None:
        """Put the text where the next run finds it, whole or not at all; the digest before it tells of damage."""
        path, whole = self.folder / f"{name}.json", f"{_digest(text)}\n{text}"
        if path.is_symlink() or len(whole.encode()) > self.most_bytes:
            return
        with contextlib.suppress(OSError, RoiError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(path, whole, "cache", private=True)
            self._forget()

    def _forget(self) -> None:
        """Remove the older half where there are too many; another process may have removed some meanwhile."""
        kept = [path for path in self.folder.iterdir() if path.suffix == ".json"]
        if len(kept) <= self.most_files:
            return
        for path in sorted(kept, key=lambda each: each.stat().st_mtime)[: len(kept) // 2]:
            path.unlink(missing_ok=True)
