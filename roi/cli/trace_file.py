"""A trace that a command was given: CSV, or Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roi.store.traces import Trace


def open_trace(path: Path) -> "Trace":
    """The trace; Parquet goes through the usage room, which alone reads it."""
    from roi.store.traces import read_trace

    if path.suffix.lower() in {".parquet", ".pq"}:
        from roi.usage.measure.call_trace import read_parquet_trace

        return read_parquet_trace(path)
    return read_trace(path)
