"""A trace that somebody names: CSV, or Parquet."""

from pathlib import Path

from roi.store.traces import Trace, read_trace


def open_trace(path: Path) -> Trace:
    """The trace in a CSV or Parquet file; Parquet goes through the usage room, which alone reads it."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        from roi.usage.measure.call_trace import read_parquet_trace

        return read_parquet_trace(path)
    return read_trace(path)
