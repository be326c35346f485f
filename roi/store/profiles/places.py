"""Where profiles are searched: the folders, in order, and the files below them. Reading what they hold is `loading`."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from roi.catalog.user_data import data_folder
from roi.errors import InputError, nearest_file

MOST_FOLDERS: Final = 5_000
"""Folders that are searched at most below one: a link to the root of a machine would be searched for hours."""


def profile_folders(given: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Folders that hold profiles, in the order in which they are searched; those that are not there are left out.

    `given` (--profiles) come first and must exist; then ./profiles, the user's data folder, and what came with roi.
    """
    for folder in given:
        if not folder.is_dir():
            missing = f"no folder {folder}{nearest_file(folder, folders=True)}"
            parent = "the current folder, ." if folder.parent == Path() else folder.parent
            beside = f"{folder} is not a folder; give the one that it lies in, {parent}"
            raise InputError(f"--profiles: {beside if folder.exists() else missing}")
    usual = (Path("profiles"), user_folder(), shipped_folder())
    distinct: dict[Path, Path] = {}
    for folder in (*given, *(folder for folder in usual if folder.is_dir())):
        distinct.setdefault(folder.resolve(), folder)
    return tuple(distinct.values())


def folders_beside(new: Path | None) -> tuple[Path, ...]:
    """`profile_folders`, first among them the folder that a new profile goes into, where it is there already."""
    return profile_folders([new] if new is not None and new.is_dir() else [])


def folder_of_rows(tables: Sequence[Path], given: Sequence[Path]) -> Path:
    """Where `roi calibrate --add` keeps rows: in the first of `given` (--profiles), else ./profiles, else the user's folder.

    InputError where two tables have one name: a file holds the rows of each.
    """
    if len({path.stem for path in tables}) < len(tables):
        raise InputError("--add: two tables of one name; a row counts once")
    return given[0] if given else Path("profiles") if Path("profiles").is_dir() else user_folder()


def user_folder() -> Path:
    """The user's own profiles, in the data folder of the platform; it may not exist yet."""
    return data_folder() / "profiles"


def shipped_folder() -> Path:
    """The profiles that came with roi: roi/_profiles of a wheel (setup.py puts them there), profiles/ of a checkout."""
    package = Path(__file__).parents[2]
    shipped, checkout = package / "_profiles", package.parent
    return checkout / "profiles" if not shipped.is_dir() and (checkout / "pyproject.toml").is_file() else shipped


def files_below(folder: Path, suffix: str, damaged: list[tuple[Path, str]]) -> Iterator[Path]:
    """Every file of this suffix below the folder, links followed once, hidden names left out; `damaged` gets closed folders."""
    visited: set[str] = set()

    def closed(error: OSError) -> None:
        damaged.append((Path(error.filename), f"cannot be read: {error.strerror}"))

    for here, inner, names in os.walk(folder, onerror=closed, followlinks=True):
        real = os.path.realpath(here)
        if len(visited) >= MOST_FOLDERS:
            damaged.append((Path(here), f"and what follows is not searched: {folder} holds more than {MOST_FOLDERS:,} folders"))
            return
        inner[:] = [] if real in visited else sorted(name for name in inner if not name.startswith("."))
        if real not in visited:
            yield from (Path(here, name) for name in sorted(names) if name.endswith(suffix) and not name.startswith("."))
        visited.add(real)
