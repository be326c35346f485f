"""A folder of scenarios and saved comparisons: each compared as if it stood alone, several at a time, told in the files' order.

    FOLDER --scenario_files--> files --compare_file, in as many processes as asked--> Compared, one a file
"""

import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from roi.answers.compare import ComparisonAnswer, compare_file
from roi.errors import InputError, RoiError

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""Of scenarios and of saved comparisons."""


@dataclass(frozen=True)
class Compared:
    """What became of one file: either its answer as text, or why there is none."""

    file: str
    """Its name in the folder."""
    text: str | None
    error: str | None


def scenario_files(folder: Path) -> list[Path]:
    """Scenarios and saved comparisons in the folder itself, by name; InputError where there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"{folder}: holds no scenario; files end in {', '.join(sorted(SUFFIXES))}")
    return found


def compare_folder(
    folder: Path, told: Callable[[ComparisonAnswer], str], *, jobs: int = 1, **asked: Any  # Any: arguments of `compare_file`
) -> Iterator[Compared]:
    """Each file of the folder, compared with what was `asked`, in the order of their names; made while it is read.

    `told` makes the text of an answer, where it was computed: a function of a module. A file that cannot be compared has its
    error and stops no other. With more than one of `jobs`, as many processes compare files at the same time.
    """
    one, files = partial(_compared, told=told, asked=asked), scenario_files(folder)
    if jobs == 1:
        yield from map(one, files)
        return
    workers = min(jobs, len(files))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts) as pool:
        try:
            yield from pool.map(one, files)
        except BrokenProcessPool as error:
            raise RoiError(f"--jobs {jobs}: a process ended before its answer was there; fewer need less memory") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _compared(file: Path, *, told: Callable[[ComparisonAnswer], str], asked: Mapping[str, Any]) -> Compared:
    try:
        return Compared(file.name, told(compare_file(file, **asked, one_of_many=True)), None)
    except RoiError as error:
        return Compared(file.name, None, str(error))
