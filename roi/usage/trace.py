"""Arrivals and lengths of calls as Parquet, for a replay: seconds since the first call, input and output tokens."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from roi.errors import InputError
from roi.usage.columns import MICRO

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB


def write_trace(calls: "ir.Table", engine: "DuckDB", target: Path) -> None:
    """Write arrival_s (float64, from 0, ascending), input_tokens, cached_tokens and output_tokens (int64) to `target`.

    `calls` are records of kind call that count. Cached tokens are part of the input. Raises InputError where there is no call.
    """
    import duckdb

    kept = calls.filter(calls.kind == "call")
    first = engine.to_pyarrow(kept.at_us.min()).as_py()
    if first is None:
        raise InputError("--trace: no row is a call; buckets do not tell when their calls arrived")
    trace = kept.select(
        arrival_s=(kept.at_us - first) / float(MICRO),
        input_tokens=kept.uncached_input + kept.cache_read + kept.cache_write,
        cached_tokens=kept.cache_read, output_tokens=kept.output,
    ).order_by(["arrival_s", "input_tokens", "output_tokens"])  # fmt: skip
    part = target.with_name(f".roi-{os.urandom(4).hex()}.part")
    try:
        engine.to_parquet(trace, part, compression="zstd")
        part.replace(target)
    except (OSError, duckdb.Error) as error:
        raise InputError(f"--trace: cannot write {target}: {type(error).__name__}") from None
    finally:
        part.unlink(missing_ok=True)
