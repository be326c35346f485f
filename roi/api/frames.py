"""Tables in memory in the place of files: each is written down for the time of one question, as the rooms below read files.

pandas, polars and Arrow tables are taken, and expressions of Ibis. The text of an answer calls the first one `frame-1`.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

from roi.errors import InputError, RoiError, check_type, path_of

TABLES: Final = "a path, or a table of pandas, polars, Arrow or Ibis"
"""What stands for a file."""


class Frame(Protocol):
    """A table in memory: pandas, polars, Arrow and Ibis have this method, by which one reads the other's."""

    def __dataframe__(self, *args: Any, **kwargs: Any) -> Any: ...  # Any: the protocol of data frames, which has no types


Write = Callable[[Any, Path], None]  # Any: a Frame
"""Writes a table to a path that has no ending yet, and may give it one."""


Called = Callable[[str], str]
"""Makes a text call tables by their names, without the folder in which they stood."""


@contextmanager
def written(name: str, given: Sequence[object], write: Write, ending: str) -> Iterator[tuple[tuple[str, ...], Called]]:
    """Paths of what is given, tables written by `write`; and how a text is made to call them by their names.

    Within, errors call them so too. InputError where something is neither a path nor a table.
    """
    with TemporaryDirectory(prefix="roi-frames-") as folder:
        called, paths = partial(_called, f"{folder}{os.sep}"), []
        for number, each in enumerate(given, 1):
            if not hasattr(each, "__dataframe__"):
                check_type(name, each, Path | str, TABLES)
                paths.append(str(path_of(name, each)))
                continue
            path = Path(folder) / f"frame-{number}{ending}"
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what these libraries say of each other's next versions
                    write(each, path)
            except RoiError:
                raise
            except Exception as error:  # of whatever library holds the table
                raise InputError(f"{name}: frame-{number}, a {type(each).__name__}, cannot be read: {error}") from error
            paths.append(str(path))
        try:
            yield tuple(paths), called
        except RoiError as error:
            error.reword(called)
            raise


def _called(folder: str, text: str) -> str:
    return text.replace(folder, "")


def write_parquet(frame: Any, path: Path) -> None:  # Any: a Frame
    """Write the table as Parquet, through Ibis; MissingExtra where that is not installed."""
    from roi.usage.read.lazy_ibis import ibis

    table = frame.to_pyarrow() if hasattr(frame, "to_pyarrow") else frame
    ibis.duckdb.connect().to_parquet(ibis.memtable(table), str(path))


def write_lines(frame: Any, path: Path) -> None:  # Any: a Frame
    """Write the table as JSON lines, an object a row."""
    if hasattr(frame, "write_ndjson"):
        frame.write_ndjson(path)
        return
    table = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    table.to_json(path, orient="records", lines=True, date_format="iso")
