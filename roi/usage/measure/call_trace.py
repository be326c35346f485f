"""Arrivals and lengths of calls as CSV or Parquet, for a replay: written, and Parquet read again."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from roi.disk import pieces_of, replace_file
from roi.errors import InputError, RoiError, needs
from roi.store.traces import Trace, trace_of, traced_from
from roi.usage.measure.aggregate import minute_counts
from roi.usage.measure.shape import exactness
from roi.usage.read.columns import MICRO
from roi.usage.read.database import rows_of
from roi.usage.read.lazy_ibis import DuckDB, Table

COLUMNS = ("arrival_s", "input_tokens", "output_tokens", "cached_tokens")
ENDINGS = (".csv", ".parquet")


def check_ending(target: Path) -> None:
    """InputError where the name of a trace to write says neither CSV nor Parquet; a device has no ending, and gets Parquet."""
    if target.suffix.lower() not in ENDINGS and (target.is_file() or not target.exists()):
        raise InputError(f"--trace: {target} is not usable; a name that ends in {' or '.join(ENDINGS)}")


def write_trace(calls: Table, engine: DuckDB, target: Path) -> None:
    """Write arrival_s (float64, from 0, ascending), input_tokens, cached_tokens and output_tokens (int64) to `target`.

    CSV where its name ends in .csv, else Parquet.
    `calls` are records of kind call that count. Cached tokens are part of the input. Raises InputError where there is no call,
    and where their times are whole hours or dates: a replay would have all calls of one arrive at once.
    """
    import duckdb

    kept = calls.filter(calls.kind == "call")
    first = rows_of(kept.aggregate(first=kept.at_us.min()), engine)[0]["first"]
    if first is None:
        raise InputError("--trace: no row is a call; buckets do not tell when their calls arrived")
    if cut := exactness(minute_counts(kept, engine)).told:
        raise InputError(f"--trace: {cut}, which do not tell when within them calls arrived")
    trace = kept.select(
        arrival_s=(kept.at_us - first) / float(MICRO),
        input_tokens=kept.uncached_input + kept.cache_read + kept.cache_write,
        cached_tokens=kept.cache_read, output_tokens=kept.output,
    ).order_by(["arrival_s", "input_tokens", "output_tokens"])  # fmt: skip
    with TemporaryDirectory(prefix="roi-usage-") as folder:
        made = Path(folder) / "trace"
        try:
            if target.suffix.lower() == ".csv":
                engine.to_csv(trace, made)
            else:
                engine.to_parquet(trace, made, compression="zstd")
        except (OSError, duckdb.Error) as error:
            raise RoiError(f"--trace: cannot be made: {type(error).__name__}") from None
        replace_file(target, pieces_of(made), "--trace")


def read_parquet_trace(path: Path, field: str = "--trace") -> Trace:
    """The trace in a Parquet file with the columns that `write_trace` writes; cached_tokens may be absent."""
    with needs("usage", "DuckDB, to read Parquet"):
        import duckdb
    if not path.is_file():
        raise InputError(f"{field}: no file {path}")
    try:
        rows = duckdb.connect().read_parquet(str(path))
        lacking = [name for name in COLUMNS[:3] if name not in rows.columns]
        if lacking:
            raise InputError(f"{field}: {path} has no column {lacking[0]}; it has {', '.join(rows.columns)[:200]}"
                             + traced_from(path))
        cached = "cached_tokens" if "cached_tokens" in rows.columns else "0"
        table = rows.project(f"arrival_s, input_tokens, output_tokens, {cached} as cached_tokens").fetchnumpy()
    except duckdb.Error as error:
        raise InputError(f"{field}: {path} is no Parquet file that can be read: {str(error).splitlines()[0]}") from None
    columns = [np.ma.filled(np.ma.asarray(table[name], dtype=np.float64), np.nan) for name in COLUMNS]
    if any(not np.all(np.isfinite(column)) or np.any(column < 0) for column in columns):
        raise InputError(f"{field}: {path} holds a time or a number of tokens that is missing or below 0")
    return trace_of(np.stack(columns, axis=1), f"{field}: {path}")
