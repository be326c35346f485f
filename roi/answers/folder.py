"""A folder of scenarios and saved comparisons: each compared as if it stood alone, several at a time, told in the files' order.

    FOLDER --scenario_files--> files --compare_file, in as many processes as asked--> Compared, one a file
"""

import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache as once
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from roi.answers.compare import ComparisonAnswer, compare_file
from roi.answers.opening import open_runs
from roi.errors import InputError, RoiError
from roi.evidence.known_runs import KnownRuns

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""Of scenarios and of saved comparisons."""
AHEAD: Final = 4
"""Files that each process may be ahead of the answer that is read: answers that wait for their turn take memory."""


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
    folder: Path, told: Callable[[ComparisonAnswer], str], *, jobs: int = 1, profiles: Sequence[Path] = (), cache: bool = True,
    **asked: Any,  # Any: the other arguments of `compare_file`
) -> Iterator[Compared]:
    """Each file of the folder, compared with what was `asked`, in the order of their names; made while it is read.

    `told` makes the text of an answer, where it was computed: a function of a module. A file that cannot be compared has its
    error and stops no other. With more than one of `jobs`, as many processes compare files at the same time. What was measured
    is opened once a process, so that what files have in common is worked out once.
    """
    files = scenario_files(folder)
    if jobs == 1:
        runs = open_runs(profiles, cache=cache)
        yield from map(partial(_compared, runs=runs, told=told, asked=asked), files)
        return
    one = partial(_compared_apart, profiles=tuple(profiles), cache=cache, told=told, asked=asked)
    workers = min(jobs, len(files))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts) as pool:
        try:
            yield from _in_order(pool, one, files, AHEAD * workers)
        except BrokenProcessPool as error:
            raise RoiError(f"--jobs {jobs}: a process ended before its answer was there; fewer need less memory") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, one: Callable[[Path], Compared], files: Sequence[Path], most: int
) -> Iterator[Compared]:
    """What `one` makes of each file, in their order, with at most so many begun and not yet read."""
    begun: deque[Future[Compared]] = deque()
    for file in files:
        if len(begun) == most:
            yield begun.popleft().result()
        begun.append(pool.submit(one, file))
    while begun:
        yield begun.popleft().result()


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _compared_apart(file: Path, *, profiles: tuple[Path, ...], cache: bool, **rest: Any) -> Compared:  # Any: as below
    """The same in a process of its own, which is there for one folder."""
    return _compared(file, runs=_opened(profiles, cache), **rest)


@once
def _opened(profiles: tuple[Path, ...], cache: bool) -> KnownRuns:
    return open_runs(profiles, cache=cache)


def _compared(file: Path, *, runs: KnownRuns, told: Callable[[ComparisonAnswer], str], asked: Mapping[str, Any]) -> Compared:
    try:
        return Compared(file.name, told(compare_file(file, runs=runs, **asked)), None)
    except RoiError as error:
        return Compared(file.name, None, str(error))
