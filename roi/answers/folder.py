"""A folder of scenarios and saved comparisons: each compared as if it stood alone, told in the order of the files' names.

    FOLDER --scenario_files--> files --compare_file--> Compared, one a file
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from roi.answers.compare import ComparisonAnswer, compare_file
from roi.answers.opening import open_runs
from roi.errors import InputError, RoiError

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""Endings of the files that are scenarios or saved comparisons."""


@dataclass(frozen=True)
class Compared:
    """What became of one file: either its answer as text, or why there is none."""

    file: str
    """The file's name in the folder."""
    text: str | None
    error: str | None


def scenario_files(folder: Path) -> list[Path]:
    """Scenarios and saved comparisons in the folder itself, by name; InputError where there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"{folder}: holds no scenario; files end in {', '.join(sorted(SUFFIXES))}")
    return found


def compare_folder(
    folder: Path, told: Callable[[ComparisonAnswer], str], *, profiles: Sequence[Path] = (), cache: bool = True,
    **asked: Any,  # Any: the other arguments of `compare_file`
) -> Iterator[Compared]:
    """Each file of the folder, compared with what was `asked`, in the order of their names; made while it is read.

    `told` makes the text of an answer. A file that cannot be compared has its error and stops no other. What was measured is
    opened once, so that what files have in common is worked out once.
    """
    runs = open_runs(profiles, cache=cache)
    for file in scenario_files(folder):
        try:
            yield Compared(file.name, told(compare_file(file, runs=runs, **asked)), None)
        except RoiError as error:
            yield Compared(file.name, None, str(error))
