"""The same expressions give the same answer on DuckDB, Postgres and Spark; for BigQuery and Snowflake they compile.

The marked tests start a Postgres server and a local Spark of their own. Cents and tokens of 5,000 rows must agree to the last
integer; floats to 1e-9, as a database adds them in its own order.
"""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.expr import operations as ops

from roi.report.usage.spend_json import usage_json
from roi.usage import summary
from roi.usage.formats import FORMATS
from roi.usage.measure import aggregate
from roi.usage.measure.shape import exactness
from roi.usage.read.database import remote_engine, remote_table
from roi.usage.read.detect import of_header
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question

ROWS = 5_000


def STARTS(test: Any) -> Any:  # noqa: N802 -- reads as a mark
    """A test that starts servers; their drivers keep sockets to the end, and Ibis on PySpark calls pandas in its old ways."""
    quiet = ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning", "pandas.errors.Pandas4Warning")
    return pytest.mark.backend(pytest.mark.filterwarnings(*(f"ignore::{each}" for each in quiet))(test))


MODELS = [
    *[("openai", "gpt-5-mini")] * 46, ("OpenAI", "gpt-5.2"), ("anthropic", "claude-sonnet-4-5"), (None, "local"),
    ("openai", ""),
]  # fmt: skip
TAGS = ("support", "Support", "søk", "a'b", "", None)

# -- one data set -----------------------------------------------------------------------------------------------------


def moments(random: Random) -> list[datetime | None]:
    """60 days over the changes to summer time of 2026, with the edges of minutes, days and the two changes, a moment before
    1970, and no time at all."""
    start = datetime(2026, 2, 20, tzinfo=UTC)
    micro = timedelta(microseconds=1)
    edges = [start + timedelta(days=k) for k in range(61)]
    edges += [datetime(2026, 3, 8, hour, tzinfo=UTC) for hour in (1, 2, 6, 7, 8)]
    edges += [datetime(2026, 3, 29, hour, tzinfo=UTC) for hour in (0, 1, 2)]
    edges += [start + timedelta(minutes=random.randrange(86_400)) for _ in range(100)]
    found: list[datetime | None] = [edge + step for edge in edges for step in (-micro, 0 * micro, micro)]
    found += [None, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)]
    return found + [start + timedelta(microseconds=random.randrange(60 * 86_400_000_000)) for _ in range(ROWS - len(found))]


def size(random: Random, most: int) -> int | None:
    """A token count: a power of two or one beside it, 0, anything, or none."""
    power = 2 ** random.randrange(most)
    return random.choice([power, power - 1, power + 1, 0, *[random.randrange(2**most)] * 6])


def typed_calls() -> pa.Table:
    """Calls as a database holds them."""
    random = Random(7)  # noqa: S311 -- a data set, no secret
    rows = []
    for at in moments(random):
        provider, model = random.choice(MODELS)
        total, output = size(random, 20), size(random, 14)
        cached = random.choice([None, 0, total // 3, total, 2 ** random.randrange(10)])
        if at is None or at.year < 2026 or random.random() < 0.01:
            output = random.choice([None, -1])
        rows.append({
            "Timestamp": at, "provider": provider, "model": model, "tag": random.choice(TAGS), "input_tokens": total,
            "output_tokens": output, "cached_tokens": cached, "cost_usd": random.choice([None, 0.0, random.random() / 10]),
            "batch": random.choice([True, False, False, None]),
        })  # fmt: skip
    schema = pa.schema([
        ("Timestamp", pa.timestamp("us", tz="UTC")), *[(name, pa.string()) for name in ("provider", "model", "tag")],
        *[(name, pa.int64()) for name in ("input_tokens", "output_tokens", "cached_tokens")], ("cost_usd", pa.float64()),
        ("batch", pa.bool_()),
    ])  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


def text_calls() -> pa.Table:
    """The same as text, times in several spellings, some cells that are no number."""
    random = Random(8)  # noqa: S311 -- a data set, no secret
    rows = []
    for row in typed_calls().to_pylist():
        words = {name: None if value is None else str(value) for name, value in row.items()}
        words["Timestamp"] = spelled(row["Timestamp"], random)
        for name in ("input_tokens", "output_tokens", "cached_tokens", "cost_usd"):
            if random.random() < 0.02:
                words[name] = random.choice(["", " ", "n/a", "12.5", "1e3", "-", "0x1F", "nan", "inf", "99999999999999999999"])
            elif row[name] is not None and name != "cost_usd" and random.random() < 0.1:
                words[name] = random.choice([f" {row[name]} ", f"{row[name]}.0", f"+{row[name]}" if row[name] >= 0 else "-2"])
        words["batch"] = random.choice(["true", "True", "1", "yes", "no", "0", "", None])
        rows.append(words)
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in rows[0]]))


def spelled(at: datetime | None, random: Random) -> str | None:
    if at is None:
        return random.choice([None, "", "yesterday", "2026-02-30T00:00:00Z", "2026-13-01", "25:00"])
    micros = round(at.timestamp() * 1e6) if at.year > 1970 else -1
    return random.choice([
        at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), at.strftime("%Y-%m-%d %H:%M:%S.%f"), at.isoformat(),
        (at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.%f+02:00"),
        (at - timedelta(hours=5, minutes=30)).strftime("%Y-%m-%d %H:%M:%S.%f-05:30"),
        at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d"), str(micros // 1_000_000), str(micros // 1000),
        str(micros), str(micros * 1000), f"{micros // 1_000_000}.{micros % 1_000_000:06d}",
    ])  # fmt: skip


def naive_calls() -> pa.Table:
    """Typed, with times of no zone (UTC), counts as floats, as pandas leaves a column with a gap, and decimals."""
    table = typed_calls().slice(0, 1500)
    def put(name: str, column: Any) -> None:
        nonlocal table
        table = table.set_column(table.column_names.index(name), name, column)
    put("Timestamp", table["Timestamp"].cast(pa.timestamp("us")))
    put("input_tokens", table["input_tokens"].cast(pa.float64()))
    put("output_tokens", table["output_tokens"].cast(pa.decimal128(38, 0)))
    put("cached_tokens", table["cached_tokens"].cast(pa.int32()))
    put("cost_usd", table["cost_usd"].cast(pa.decimal128(38, 9), safe=False))
    return table.drop_columns(["batch"])


def openai_buckets() -> pa.Table:
    """Hours of the OpenAI dashboard's CSV in a database: seconds since 1970 and counts."""
    random = Random(9)  # noqa: S311 -- a data set, no secret
    rows = []
    for hour in range(24 * 40):
        start = 1_772_000_000 // 3600 * 3600 + hour * 3600
        total = random.randrange(10**7)
        rows.append({
            "start_time": start, "end_time": start + 3600,
            "model": random.choice(["gpt-5-mini", "gpt-5-mini", "gpt-5.2", None]),
            "num_model_requests": random.choice([random.randrange(1000), None]), "input_tokens": random.choice([total, None]),
            "input_cached_tokens": total // random.choice([1, 2, 3]), "output_tokens": random.randrange(10**6),
            "batch": random.choice([True, False, None]), "service_tier": random.choice(["default", "priority", None]),
            "project_id": f"proj_{random.randrange(5)}",
        })  # fmt: skip
    return pa.Table.from_pylist(rows)


def daily_costs() -> pa.Table:
    """FOCUS rows with dates, of which a day is midnight UTC."""
    random = Random(10)  # noqa: S311 -- a data set, no secret
    first = datetime(2026, 2, 20, tzinfo=UTC)
    rows = [{
        "ChargePeriodStart": (first + timedelta(days=k)).date(), "ChargePeriodEnd": (first + timedelta(days=k + 1)).date(),
        "EffectiveCost": random.random(), "BillingCurrency": random.choice(["USD", "USD", "EUR", None]),
        "ChargeCategory": random.choice(["Usage", "Purchase", "Tax", None]),
        "ServiceCategory": random.choice(["AI and Machine Learning", "Compute"]),
        "ServiceName": random.choice(["Claude (Amazon Bedrock Edition)", "Amazon SageMaker"]),
        "ProviderName": "Amazon Web Services",
    } for k in range(60) for _ in range(4)]  # fmt: skip
    return pa.Table.from_pylist(rows)


def spend_logs() -> pa.Table:
    """LiteLLM's table of calls; metadata and tags are JSON, here as text."""
    random = Random(11)  # noqa: S311 -- a data set, no secret
    rows = []
    for row in typed_calls().to_pylist()[:2000]:
        total, cached = row["input_tokens"], row["cached_tokens"] or 0
        held = random.choice([
            {"usage_object": {"prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": None}},
            {"additional_usage_values": {"cache_read_input_tokens": cached, "cache_creation_input_tokens": 3}},
            {"status": "failure"}, {}, {"usage_object": None},
        ])  # fmt: skip
        rows.append({
            "request_id": f"{len(rows)}", "startTime": row["Timestamp"] and row["Timestamp"].replace(tzinfo=None),
            "model": random.choice(["openai/gpt-5-mini", "gpt-5-mini"]),
            "custom_llm_provider": random.choice(["openai", "openai", "azure_ai", "bedrock_converse"]),
            "call_type": random.choice(["acompletion", "completion", "aembedding", None]), "prompt_tokens": total,
            "completion_tokens": row["output_tokens"], "spend": row["cost_usd"] or 0.0,
            "metadata": random.choice([json.dumps(held), json.dumps(held), None]),
            "cache_hit": random.choice(["False", "True", "", None]),
            "request_tags": random.choice(['["team-a"]', '["User-Agent: curl", "x"]', "[]", None]),
            "api_key": f"key-{random.randrange(3)}", "end_user": random.choice(["", "u1", None]), "user": "u0", "status": None,
        })  # fmt: skip
    schema = pa.schema([(name, {"prompt_tokens": pa.int32(), "completion_tokens": pa.int32(), "spend": pa.float64(),
                                "startTime": pa.timestamp("us")}.get(name, pa.string())) for name in rows[0]])  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


TABLES = {
    "typed_calls": typed_calls, "text_calls": text_calls, "naive_calls": naive_calls, "openai_buckets": openai_buckets,
    "daily_costs": daily_costs, "spend_logs": spend_logs,
}  # fmt: skip

JSON_COLUMNS = ("metadata", "request_tags")

# -- servers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Every table as Parquet."""
    found = tmp_path_factory.mktemp("backends")
    for name, made in TABLES.items():
        pq.write_table(made(), found / f"{name}.parquet")
    return found


@pytest.fixture(scope="module")
def duckdb_url(folder) -> str:
    connection = ibis.duckdb.connect(folder / "log.duckdb")
    for name in TABLES:
        connection.create_table(name, connection.read_parquet(folder / f"{name}.parquet"))
    connection.disconnect()
    return f"duckdb://{folder / 'log.duckdb'}"


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres: the newest of Debian's, or where they are on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="module")
def postgres_url(folder, tmp_path_factory) -> Iterator[str]:
    """A server of its own on a free port, in a folder that is removed; root lends it to nobody, as Postgres refuses root."""
    pytest.importorskip("psycopg", reason="pip install 'ibis-framework[postgres]'")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres server: apt-get install postgresql")
    home = Path("/tmp") / f"roi-postgres-{os.getpid()}"  # noqa: S108 -- pytest's own folders let no other user in
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    user = "nobody" if os.getuid() == 0 else None
    if user:
        shutil.chown(home, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run([programs / "initdb", "-D", home / "data", "-U", "roi", "--auth=trust", "--encoding=UTF8", "--locale=C",
                    "--no-sync"], check=True, capture_output=True, cwd=home, user=user)
    with (tmp_path_factory.mktemp("postgres") / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", home / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1",
             "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "timezone=America/New_York"],
            stdout=log, stderr=log, cwd=home, user=user)  # fmt: skip
        try:
            url = f"postgres://roi@127.0.0.1:{port}/postgres"
            fill_postgres(url, folder, server)
            yield url
        finally:
            server.terminate()
            server.wait(30)
            shutil.rmtree(home, ignore_errors=True)


def fill_postgres(url: str, folder: Path, server: "subprocess.Popen[bytes]") -> None:
    import psycopg

    for _ in range(100):
        assert server.poll() is None, "Postgres ended"
        try:
            connection = psycopg.connect(url, autocommit=True)
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    else:
        raise AssertionError("Postgres does not answer")
    kinds = {"int64": "bigint", "int32": "integer", "double": "double precision", "string": "text", "bool": "boolean",
             "timestamp[us]": "timestamp", "timestamp[us, tz=UTC]": "timestamptz", "date32[day]": "date",
             "decimal128(38, 0)": "numeric(38, 0)", "decimal128(38, 9)": "numeric(38, 9)"}  # fmt: skip
    with connection:
        for name in TABLES:
            table = pq.read_table(folder / f"{name}.parquet")
            columns = ", ".join(f'"{field.name}" {"jsonb" if field.name in JSON_COLUMNS else kinds[str(field.type)]}'
                                for field in table.schema)
            connection.execute(f'CREATE TABLE "{name}" ({columns})')
            with connection.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
                for row in table.to_pylist():
                    copy.write_row(list(row.values()))


@pytest.fixture(scope="module")
def spark_url(folder) -> Iterator[str]:
    """Spark in this process's own Java, on two cores; `pyspark://` finds the session that runs."""
    pytest.importorskip("pyspark", reason="pip install 'pyspark>=4.0,<4.1'")
    if shutil.which("java") is None:
        pytest.skip("no Java: apt-get install openjdk-17-jre-headless")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2").config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false").config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "America/New_York").getOrCreate()
    )  # fmt: skip
    session.sparkContext.setLogLevel("ERROR")
    for name in TABLES:
        session.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
    yield "pyspark://"
    session.stop()


# -- what is compared -------------------------------------------------------------------------------------------------

QUESTIONS = {
    "typed_calls": FileOptions(), "text_calls": FileOptions(includes_cache=True),
    "naive_calls": FileOptions(includes_cache=False, provider="openai"),
    "openai_buckets": FileOptions(group_by="project"), "daily_costs": FileOptions(), "spend_logs": FileOptions(),
}  # fmt: skip


INCUMBENT = {
    "typed_calls": "openai/gpt-5-mini", "text_calls": "openai/gpt-5-mini", "naive_calls": "openai/gpt-5-mini",
    "openai_buckets": "gpt-5-mini", "spend_logs": "openai/gpt-5-mini",
}  # fmt: skip


def answers(url: str, name: str) -> dict[str, Any]:
    """Every result that a backend gives for a table, in an order of its own values."""
    options = QUESTIONS[name]
    backend = remote_engine(url)
    raw = remote_table(backend, name)
    form = of_header(raw.columns, FORMATS, name, options)
    records = form.records(summary.wanted(raw, form), options)
    kept = records.filter(records.dropped.isnull() & (records.kind == "call"))
    minutes = aggregate.minute_counts(kept, backend)
    columns = {name: column.tolist() for name, column in asdict(minutes).items()}
    found = {
        "records": backend.to_pyarrow(records).to_pylist(),
        "spend_by_day": [asdict(row) for row in aggregate.spend_by_day(records, backend)],
        "spend_by_group": [asdict(row) for row in aggregate.spend_by_group(records, backend)],
        "largest two groups": [asdict(row) for row in aggregate.spend_by_group(records, backend, most=2)],
        "minute_counts": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        "exactness": [asdict(exactness(minutes))],
        "length_cells": [asdict(cell) for cell in aggregate.length_cells(kept, backend)],
        "read_cells": [asdict(cell) for cell in aggregate.read_cells(kept, backend)],
    }  # fmt: skip
    found = {what: sorted(rows, key=rank) for what, rows in found.items()}
    question = Question((name,), options, backend=url, bill_usd_per_month=100.0, incumbent=INCUMBENT.get(name))
    usage = summary.summarize(question)
    return found | {"usage": json.loads(usage_json(usage))}


def rank(row: dict[str, Any]) -> str:
    """Sorts rows alike on every backend: floats by nine digits, so that the last one may differ."""
    return json.dumps(row, sort_keys=True, default=str) if not any(isinstance(x, float) for x in row.values()) else json.dumps(
        {name: f"{x:.9g}" if isinstance(x, float) else x for name, x in row.items()}, sort_keys=True, default=str)


def differences(here: Any, there: Any, path: str = "") -> Iterator[str]:
    """Where two answers differ: in the type of a value, in an integer or text at all, in a float by more than 1e-9."""
    if isinstance(here, dict) and isinstance(there, dict):
        if list(here) != list(there):
            yield f"{path}: keys {list(here)} and {list(there)}"
        for key in here.keys() & there.keys():
            yield from differences(here[key], there[key], f"{path}.{key}")
    elif isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield f"{path}: {len(here)} and {len(there)} of them"
        for k, pair in enumerate(zip(here, there, strict=False)):
            yield from differences(*pair, f"{path}[{k}]")
    elif isinstance(here, float) and isinstance(there, float):
        if not math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{path}: {here} and {there}"
    elif type(here) is not type(there) or here != there:
        yield f"{path}: {here!r} and {there!r}"


@pytest.fixture(scope="module")
def duckdb_answers(duckdb_url) -> dict[str, dict[str, Any]]:
    return {name: answers(duckdb_url, name) for name in TABLES}


@STARTS
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("server", ["postgres_url", "spark_url"])
def test_a_database_gives_every_record_sum_and_histogram_that_duckdb_gives(server, name, duckdb_answers, request):
    there = answers(request.getfixturevalue(server), name)
    for what, here in duckdb_answers[name].items():
        found = list(differences(here, there[what], what))
        assert not found, f"{len(found)} differences: {found[:5]}"


@STARTS
def test_the_data_set_holds_what_can_go_wrong(duckdb_answers):
    """So that agreement says something: rows that count, each reason, several days, groups, bins and a workload."""
    found = duckdb_answers["typed_calls"]
    reasons = {row["dropped"] for row in found["records"]}
    assert {None, "a token count that cannot be read", "a negative token count", "no time that can be read"} <= reasons
    assert len({row["day"] for row in found["spend_by_day"]}) > 60
    assert -1 in {row["day"] for row in found["spend_by_day"]}
    assert {row["group"] for row in found["spend_by_group"]} == {None, "support", "Support", "søk", "a'b"}
    assert len(found["length_cells"]) > 500
    assert found["usage"]["workload"]["lengths"] is not None
    assert found["usage"]["reconciliation"] is not None
    read = {name: rows["records"][0]["source"] for name, rows in duckdb_answers.items()}
    assert [read[name] for name in ("naive_calls", "openai_buckets", "daily_costs", "spend_logs")] == [
        "generic", "openai-csv", "focus", "litellm-spendlogs"]


# -- compiled only ----------------------------------------------------------------------------------------------------


class Compiled:
    """Stands for a backend: keeps the SQL of a dialect for what it is asked, and answers one row."""

    name = "compiled"

    def __init__(self, dialect: str):
        self.dialect = dialect
        self.sql: list[str] = []
        self.reductions: set[type] = set()

    def to_pyarrow(self, expression: Any) -> pa.Table:
        self.sql.append(str(ibis.to_sql(expression, dialect=self.dialect, pretty=False)))
        self.reductions |= {type(node) for node in expression.op().find(ops.Reduction)}
        schema = expression.schema().to_pyarrow()
        return pa.Table.from_pylist([{field.name: "a" if pa.types.is_string(field.type) else None for field in schema}], schema)


TYPED = {
    "openai-csv": {"start_time": "int64", "end_time": "int64", "num_model_requests": "int64", "input_tokens": "int64",
                   "input_cached_tokens": "int64", "input_uncached_tokens": "int64", "output_tokens": "int64",
                   "batch": "boolean", "model": "string", "project_id": "string"},
    "generic": {"timestamp": "timestamp('UTC')", "input_tokens": "int32", "output_tokens": "decimal(38, 0)",
                "cached_tokens": "float64", "model": "string", "provider": "string", "tag": "string", "cost": "decimal(38, 9)"},
    "generic, times without a zone": {"time": "timestamp", "input_tokens": "int64", "output_tokens": "int64"},
    "generic, days": {"date": "date", "input_tokens": "int64", "output_tokens": "int64", "requests": "int64"},
    "bedrock-log": {"timestamp": "timestamp('UTC')", "modelid": "string", "inputtokencount": "int64",
                    "outputtokencount": "int64", "cachereadinputtokencount": "int64", "cachewriteinputtokencount": "int64",
                    "accountid": "string", "errorcode": "string"},
    "litellm-spendlogs": {"startTime": "timestamp", "prompt_tokens": "int32", "completion_tokens": "int32", "model": "string",
                          "spend": "float64", "metadata": "json", "request_tags": "json", "custom_llm_provider": "string"},
    "focus": {"EffectiveCost": "decimal(38, 9)", "BillingCurrency": "string", "ChargeCategory": "string",
              "ChargePeriodStart": "timestamp", "ServiceCategory": "string", "ServiceName": "string"},
}  # fmt: skip

TEXT = {f"{form.name} as text": dict.fromkeys(sorted(form.columns), "string") for form in FORMATS}

ALL_FOUR = {*TYPED, "anthropic-csv as text", "langfuse as text"}
"""Formats of which every question is compiled; of all others the two that take every column of the record."""

ALLOWED = {ops.CountStar, ops.Count, ops.Sum, ops.Min, ops.Max}

FORBIDDEN = ("APPROX", "QUANTILE", "PERCENTILE", "MEDIAN", "HLL", "NTILE")


@pytest.mark.full
@pytest.mark.parametrize("name", [*TYPED, *TEXT])
@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_every_question_compiles_to_counts_sums_and_extremes(dialect, name):
    table = ibis.table((TYPED | TEXT)[name], name="log")
    form = of_header(table.columns, FORMATS, "log", FileOptions())
    records = form.records(summary.wanted(table, form), FileOptions())
    backend = Compiled(dialect)
    aggregate.spend_by_day(records, backend)
    aggregate.spend_by_group(records, backend)
    if name in ALL_FOUR:
        aggregate.length_cells(records, backend)
        aggregate.read_cells(records, backend)
        backend.to_pyarrow(asked(aggregate.minute_counts, records, "minute", "calls", "rows", "even", "soon", "latest_us"))
    groups = aggregate.constants(records).get("group", "") is not None  # where the format has none, none are asked for
    assert len(backend.sql) == (4 if name in ALL_FOUR else 1) + groups
    assert backend.reductions <= ALLOWED, backend.reductions - ALLOWED
    for sql in backend.sql:
        assert not [word for word in FORBIDDEN if re.search(rf"{word}\w*\(", sql.upper())]


def asked(question: Any, records: Any, *columns: str) -> Any:
    """The expression of a question to which a null, the answer here, would be none; zeros in these columns are."""
    class Kept(Compiled):
        def to_pyarrow(self, expression: Any) -> pa.Table:
            self.expression = expression
            return pa.table({column: np.zeros(1, np.int64) for column in columns})

    kept = Kept("duckdb")
    question(records, kept)
    return kept.expression
