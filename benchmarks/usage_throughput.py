"""`roi usage` on a Parquet log of 20 million calls, against SQL written by hand for the same answers, in DuckDB alone.

Each side is a fresh process, in turn, three times. Printed are the seconds in which the backend answers (both sides ask five
questions with the same answers; ours also checks every row), of wall and of CPU, their ratios, what `roi usage` takes besides
(imports of Ibis and pandas, compiling, prices: the same for any number of rows), and the peak of resident memory. The log is
drawn anew in a temporary folder: a year of calls, three models, twenty tags, a third of them cached.

    python benchmarks/usage_throughput.py [--rows N] [--rounds N]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

LIMIT_RATIO, LIMIT_BYTES = 1.5, 1 << 30
EDGES = (32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288)
CONTEXTS = (8_192, 16_384, 32_768, 40_960, 65_536, 131_072, 262_144)

def steps(count: str, edges: Sequence[int], name: str) -> str:
    """SQL of how many edges, ascending, are below a count."""
    cases = " ".join(f"WHEN {count} <= {edge} THEN {k}" for k, edge in enumerate(edges))
    return f"CASE {cases} ELSE {len(edges)} END {name}"


SIZE_CLASS = steps("input_tokens", EDGES, "size_class")
CONTEXT_CLASS = steps("input_tokens + output_tokens", CONTEXTS, "context_class")
BY_HAND = (
    f"""SELECT epoch(timestamp)::BIGINT // 86400 AS day, provider, model, {SIZE_CLASS}, count(*),
              sum(input_tokens - cached_tokens), sum(cached_tokens), sum(output_tokens), min(timestamp), max(timestamp),
              count(*) FILTER (input_tokens IS NULL OR output_tokens IS NULL OR cached_tokens IS NULL OR model IS NULL
                               OR timestamp IS NULL OR input_tokens < cached_tokens OR output_tokens < 0)
       FROM calls GROUP BY ALL""",  # noqa: S608 -- our own words
    f"""SELECT tag, isodow(timestamp) AS weekday, provider, model, {SIZE_CLASS}, count(*), sum(input_tokens - cached_tokens),
              sum(cached_tokens), sum(output_tokens)
       FROM calls GROUP BY ALL""",  # noqa: S608 -- our own words
    """SELECT epoch_us(timestamp) // 60000000 AS minute, count(*), count(*) FILTER (epoch_us(timestamp) % 60000000 = 0),
              count(*) FILTER (epoch_us(timestamp) % 60000000 BETWEEN 1 AND 10000000), max(epoch_us(timestamp) % 60000000)
       FROM calls WHERE model = 'gpt-6-sol' GROUP BY 1 ORDER BY 1""",
    f"""SELECT floor(ln(greatest(input_tokens, 1)) * 11.541560327111707 + 1e-9)::INT AS input_bin,
              floor(ln(greatest(output_tokens, 1)) * 11.541560327111707 + 1e-9)::INT AS output_bin, {SIZE_CLASS},
              {CONTEXT_CLASS}, count(*), sum(input_tokens), sum(output_tokens), sum(cached_tokens),
              max(CASE WHEN output_tokens > 0 THEN input_tokens + output_tokens ELSE 0 END)
       FROM calls WHERE model = 'gpt-6-sol' GROUP BY ALL""",  # noqa: S608 -- our own words
    """SELECT floor(ln(cached_tokens) * 11.541560327111707 + 1e-9)::INT AS read_bin, count(*), sum(cached_tokens)
       FROM calls WHERE model = 'gpt-6-sol' AND cached_tokens > 0 GROUP BY 1""",
)
"""Spend by day, spend by tag and weekday, minutes, lengths and cached tokens: what the report is made of."""

LOG = """COPY (SELECT TIMESTAMP '2026-01-01' + INTERVAL (i * (31536000000000 // {rows})) MICROSECOND AS timestamp,
    'gpt-6-' || ['sol', 'luna', 'astra'][1 + (hash(i) % 3)::INT] AS model, 'openai' AS provider,
    'task' || (hash(i + 7) % 20) AS tag, (50 + exp(4 + 3 * ((hash(i * 3) % 10000) / 10000.0)))::INT AS input_tokens,
    (5 + exp(1 + 5 * ((hash(i * 5) % 10000) / 10000.0)))::INT AS output_tokens,
    (CASE WHEN hash(i * 11) % 3 = 0 THEN 40 ELSE 0 END)::INT AS cached_tokens
    FROM range({rows}) t(i)) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"""


def by_hand(file: str) -> dict[str, float]:
    """Seconds of the five queries, the answers fetched."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": "640MB", "preserve_insertion_order": False})
    connection.sql(f"CREATE VIEW calls AS SELECT * FROM '{file}'")  # noqa: S608 -- our own file
    clock = Clock()
    for query in BY_HAND:
        with clock:
            connection.sql(query).fetchnumpy()
    return clock.spent()


def by_roi(file: str) -> dict[str, float]:
    """Seconds in which the backend answers, of the whole summary; compiling, which asking repeats, is taken off."""
    from roi.usage.measure import aggregate
    from roi.usage.read.record import FileOptions
    from roi.usage.summary import Question, summarize

    clock, compiling = Clock(), Clock()
    asks = {name: getattr(aggregate, name) for name in ("rows_of", "whole_columns_of")}

    def timed(name: str) -> Callable[[object, object], object]:
        def ask(expression: object, backend: object) -> object:
            with compiling:
                backend.compile(expression)  # type: ignore[attr-defined]  # an Ibis backend
            with clock:
                return asks[name](expression, backend)

        return ask

    for name in asks:
        setattr(aggregate, name, timed(name))
    found = summarize(Question((file,), FileOptions(includes_cache=True), incumbent="openai/gpt-6-sol"))
    assert found.workload is not None
    return {key: clock.spent()[key] - compiling.spent()[key] for key in clock.spent()}


class Clock:
    """Wall and CPU seconds inside its `with` blocks."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()

    def spent(self) -> dict[str, float]:
        """As JSON."""
        return {"s": self.wall, "cpu_s": self.cpu}


def measured(side: str, file: str) -> dict[str, float]:
    """Seconds and peak bytes of one side in a process of its own."""
    words = [sys.executable, __file__, "--side", side, "--file", file]
    answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- this script
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def main() -> None:
    """Print both sides and the ratio; with --side, measure one and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=["roi", "hand"])
    parser.add_argument("--file")
    asked = parser.parse_args()
    if asked.side:
        spent = (by_roi if asked.side == "roi" else by_hand)(asked.file)
        used = resource.getrusage(resource.RUSAGE_SELF)
        besides = used.ru_utime + used.ru_stime - spent["cpu_s"]
        print(json.dumps({**spent, "besides_s": besides, "bytes": used.ru_maxrss * 1024}))
        return
    import duckdb

    with TemporaryDirectory() as folder:
        file = str(Path(folder, "calls.parquet"))
        duckdb.sql(LOG.format(rows=asked.rows, file=file))
        rounds = [(measured("roi", file), measured("hand", file)) for _ in range(asked.rounds)]
    ours, theirs = ([pair[k] for pair in rounds] for k in (0, 1))
    ratio, busy = (statistics.median(a[key] / b[key] for a, b in rounds) for key in ("s", "cpu_s"))
    peak = max(each["bytes"] for each in ours)
    for name, side in (("roi usage", ours), ("SQL by hand", theirs)):
        wall, cpu, besides = (statistics.median(each[key] for each in side) for key in ("s", "cpu_s", "besides_s"))
        print(f"{name:12} {asked.rows:,} rows: median {wall:.2f} s, {cpu:.2f} s of CPU; besides {besides:.2f} s of CPU; peak"
              f" {max(each['bytes'] for each in side) / 2**20:,.0f} MiB")
    print(f"ratio, median of {asked.rounds} pairs: {ratio:.2f} of time, {busy:.2f} of CPU (limit {LIMIT_RATIO}); peak"
          f" {peak / 2**20:,.0f} MiB (limit {LIMIT_BYTES / 2**20:,.0f})")


if __name__ == "__main__":
    main()
