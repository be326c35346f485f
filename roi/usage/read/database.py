"""The database that aggregates: DuckDB in the process, or any that an Ibis URL names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import available_timezones

import numpy as np

from roi.errors import ALIKE, InputError, UnknownName, nearest, needs
from roi.numerics.arrays import Ints
from roi.usage.read.lazy_ibis import Backend, DuckDB, Table, ibis

ZONES = {"postgres": "SET TIME ZONE 'UTC'", "duckdb": "SET TimeZone = 'UTC'", "pyspark": "SET TIME ZONE 'UTC'"}
"""How a session is told that times without an offset are UTC, where it has a zone of its own."""
DAY = (
    r"((19|20|21)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"|((19|20|21)(0[48]|[2468][048]|[13579][26])|2000)-02-29)"
)
"""A day that there is."""
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?( ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?))?"
CASTABLE = {
    "integer": r"^[+-]?[0-9]{1,18}$", "floating": r"^[+-]?([0-9]{1,99}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$",
    "date": f"^{DAY}$", "timestamp": f"^{DAY}([T ]{CLOCK})?$",
}  # fmt: skip
"""Text that Postgres can cast, by kind of type, as regular expressions: no NaN, no `tomorrow`, no 30 February."""
SCHEMES = ("postgres", "postgresql", "pyspark", "duckdb", "bigquery", "snowflake", "databricks", "clickhouse", "trino",
           "athena", "mysql")
"""Beginnings of an Ibis URL. Postgres (two names), Spark and DuckDB are tested, the next two compiled in tests; the others are
Ibis's word alone."""
OURS = ("builtins", "roi", "numpy")
"""Where errors come from that are no database's: they are answered elsewhere, or a bug."""
MEMORY_LIMIT = "640MB"
"""DuckDB's own part of the gibibyte that a run may take; Python, Arrow and Ibis take some 250 MB."""


def local_engine(folder: Path, zone: str = "UTC") -> DuckDB:
    """DuckDB in memory, for files. What does not fit goes to `folder`: counts and names of groups, never a prompt.

    `zone`: how times without an offset are read. Nothing is fetched from a network. MissingExtra where DuckDB is not installed.
    """
    with needs("usage", "duckdb"):
        import duckdb

    try:
        backend = ibis.duckdb.connect(
            temp_directory=str(folder), memory_limit=MEMORY_LIMIT, preserve_insertion_order=False,
            autoinstall_known_extensions=False, enable_geoparquet_conversion=False)  # Ibis does not know DuckDB's geometries
    except duckdb.OutOfMemoryException:
        raise MemoryError from None
    with suppress(Exception):  # refused in Jupyter without ipywidgets, where no bar is drawn anyhow
        backend.raw_sql("SET enable_progress_bar = false")
    try:
        backend.raw_sql(f"SET TimeZone = '{zone}'")
    except Exception:  # noqa: BLE001 -- DuckDB's message lists every zone that it knows
        by_city = {each.rpartition("/")[2]: each for each in sorted(available_timezones())}
        near = nearest(zone.strip().rpartition("/")[2], by_city, 1, ALIKE)
        example = f"nearest: {by_city[near[0]]}" if near else "for example UTC or Europe/Berlin"
        raise InputError(f"--timezone: {zone[:60]!r} is no zone; {example}") from None
    backend.compiler = _step_by_step(backend.compiler)
    return backend


def _step_by_step(compiler: Any) -> Any:  # Any: Ibis's compiler of DuckDB, which has no types
    """The compiler, which leaves each step a SELECT of its own: DuckDB's planner joins them anyhow.

    Merging them is two fifths of the calls that Python makes for a Langfuse export.
    """

    class StepByStep(type(compiler)):  # type: ignore[misc]  # a class that is known when it runs
        SIMPLE_OPS: dict[Any, str] = {}  # noqa: RUF012 -- Ibis makes methods of them once more; the parent has them

        def translate(self, op: Any, *, params: Any) -> Any:  # Any: trees of Ibis and sqlglot
            merged, ibis.options.sql.fuse_selects = ibis.options.sql.fuse_selects, False
            try:
                return super().translate(op, params=params)
            finally:
                ibis.options.sql.fuse_selects = merged

    return StepByStep()


@contextmanager
def progress_told(engine: DuckDB, what: str, status: Callable[[str], None] | None, every_s: float = 0.5) -> Iterator[None]:
    """`status` hears every half second how much of the query that runs is done, as DuckDB estimates it; None: nobody hears."""
    if status is None:
        yield
        return
    with suppress(Exception):  # as above
        engine.raw_sql("SET enable_progress_bar_print = false")
        engine.raw_sql("SET enable_progress_bar = true")
    ended = Event()

    def tell() -> None:
        while not ended.wait(every_s):
            done = engine.con.query_progress()
            if 0.0 < done <= 100.0:  # -1 where nothing runs
                status(f"{what}: {done:.0f}% of this step")

    watch = Thread(target=tell, daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def rows_of(expression: Table, backend: Backend) -> list[dict[str, Any]]:  # Any: cells
    """What a backend gives for a table's expression, as a list of rows.

    DuckDB is asked for it directly: Ibis's way loads pandas and Arrow's functions, a third of a second of CPU. A relation of
    DuckDB's (`sql`) would plan each query twice, once for its columns and once for its rows.
    """
    if backend.name != "duckdb":
        rows: list[dict[str, Any]] = backend.to_pyarrow(expression).to_pylist()
        return rows
    found = backend.con.execute(backend.compile(expression))
    return [dict(zip(expression.columns, row, strict=True)) for row in found.fetchall()]


def whole_columns_of(expression: Table, backend: Backend) -> list[Ints]:
    """What a backend gives for a table of integers, column by column: its rows may be half a million."""
    if backend.name != "duckdb":
        rows = rows_of(expression, backend)
        return [np.array([row[name] for row in rows], dtype=np.int64) for name in expression.columns]
    found = backend.con.execute(backend.compile(expression)).fetchnumpy()
    return [np.asarray(found[name], dtype=np.int64) for name in expression.columns]


def zone_of(engine: DuckDB) -> str:
    """The zone in which the engine reads times without an offset."""
    return str(engine.raw_sql("SELECT current_setting('TimeZone')").fetchall()[0][0])


def as_utc(table: Table, zone: str) -> Table:
    """A table of files with its typed times in UTC and without a zone; those that have none are read in `zone`, the engine's.

    DuckDB's difference of zoned times takes twenty times as long as that of plain ones.
    """
    zoned = [name for name, kind in table.schema().items() if kind.is_timestamp() and (kind.timezone or zone != "UTC")]
    if not zoned:
        return table
    epoch_us, make_timestamp = _of_moments()
    return table.mutate(**{name: make_timestamp(epoch_us(table[name].cast("timestamp('UTC')"))) for name in zoned})


@cache
def _of_moments() -> tuple[Any, Any]:  # Any: functions of Ibis's that make a column of a column
    """DuckDB's epoch_us and make_timestamp, which Ibis does not know."""
    @ibis.udf.scalar.builtin(name="epoch_us", signature=((ibis.dtype("timestamp('UTC')"),), ibis.dtype("int64")))
    def epoch_us(stamp):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 -- a name of DuckDB's, without a body
        ...

    @ibis.udf.scalar.builtin(name="make_timestamp", signature=((ibis.dtype("int64"),), ibis.dtype("timestamp")))
    def make_timestamp(micros):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 -- the same
        ...

    return epoch_us, make_timestamp


def remote_engine(url: str) -> Backend:
    """The backend of an Ibis URL, for example postgres://user@host/database; passwords never reach a message."""
    connect = ibis.connect  # which says where Ibis is not installed
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise UnknownName("--backend", scheme, SCHEMES, "scheme", SCHEMES)
    if "@" in url and "@" not in (url.partition("://")[2] + "/").replace("?", "/").replace("#", "/").partition("/")[0]:
        raise InputError("--backend: signs of a password that would end a URL's host are written in percent: "
                         "/ as %2F, ? as %3F, # as %23")
    path = url.partition("://")[2].partition("?")[0]
    if scheme == "duckdb" and not Path(path).is_file():
        raise InputError(f"--backend: no DuckDB file {path or '(none named)'}; duckdb:///absolute/path.ddb, or duckdb://relative.ddb")
    try:
        backend: Backend = connect(url)
    except (ImportError, ModuleNotFoundError):
        extra = scheme.replace("postgresql", "postgres")
        raise InputError(f"--backend: {scheme} needs its driver: pip install 'ibis-framework[{extra}]'") from None
    except Exception as error:  # noqa: BLE001 -- each driver has its own
        raise InputError(f"--backend: no connection to {scheme}: {_why(error)}") from None
    if scheme in ZONES:
        backend.raw_sql(ZONES[scheme])
    if backend.name == "postgres":
        backend.compiler = _with_try_cast(backend.compiler)
    elif backend.name == "pyspark":
        backend.compiler = _with_json_text(backend.compiler)
    return backend


def _with_try_cast(compiler: Any) -> Any:  # Any: Ibis's compiler of Postgres, which has no types
    """The compiler with a cast that gives null: Postgres has none, and Ibis writes CAST, which fails on any other word.

    Booleans are cast by way of 32-bit integers, the only ones that Postgres makes of them.
    """

    class TryCast(type(compiler)):  # type: ignore[misc]  # a class that is known when it runs
        SIMPLE_OPS: dict[Any, str] = {}  # noqa: RUF012 -- Ibis makes methods of them once more; the parent has them

        def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802 -- Ibis's name; Any: sqlglot's trees
            pattern = next((each for kind, each in CASTABLE.items() if getattr(to, f"is_{kind}")()), None)
            if pattern is None or not op.arg.dtype.is_string():
                return self.visit_Cast(op, arg=arg, to=to)
            return self.if_(self.f.regexp_like(arg, pattern), self.visit_Cast(op, arg=arg, to=to), self.cast(None, to))

        def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802 -- as above
            if op.arg.dtype.is_boolean() and to.is_integer():
                arg = self.cast(arg, ibis.dtype("int32"))
            return super().visit_Cast(op, arg=arg, to=to)

    return TryCast()


def _with_json_text(compiler: Any) -> Any:  # Any: as above
    """The compiler for JSON in text, as Spark holds it: Ibis writes it as JSON once more, and parses words without quotes."""

    class JSONText(type(compiler)):  # type: ignore[misc]  # as above
        SIMPLE_OPS: dict[Any, str] = {}  # noqa: RUF012 -- Ibis makes methods of them, over those below; the parent has them

        def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802 -- as above
            return arg if to.is_json() and op.arg.dtype.is_string() else super().visit_TryCast(op, arg=arg, to=to)

        def visit_UnwrapJSONString(self, op: Any, *, arg: Any) -> Any:  # noqa: ARG002, N802 -- get_json_object has unwrapped it
            return arg

    return JSONText()


def remote_table(backend: Backend, name: str) -> Table:
    """A table of the backend, by its name or as schema.name; UnknownName with the nearest where there is none."""
    schema, _, table = name.rpartition(".")
    try:
        return backend.table(table, database=schema or None)
    except Exception as error:  # noqa: BLE001 -- each driver has its own
        if getattr(error, "sqlstate", None):  # what Postgres says itself; of a table that is not there Ibis speaks
            raise InputError(f"FILES: {name[:80]!r} cannot be looked up: {_why(error)}") from None
        raise UnknownName("FILES", name, _tables(backend), "table") from None


def _tables(backend: Backend) -> list[str]:
    """Names of its tables; none where the driver cannot list them."""
    try:
        return list(backend.list_tables())
    except Exception:  # noqa: BLE001 -- each driver has its own, and the names are a help alone
        return []


@contextmanager
def refusals_told(url: str) -> Iterator[None]:
    """An InputError where the database of this URL refuses what is asked of it: no right to read, a time limit, a lost line."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] in OURS:
            raise
        raise InputError(f"--backend: {url.partition('://')[0]} refuses the table's rows: {_why(error)}") from None


def _why(error: Exception) -> str:
    """What the driver says, where it can hold neither a cell nor a password; else the kind of error.

    Postgres quotes values in data exceptions (SQLSTATE 22) alone, and names host, user, database and tables elsewhere; DuckDB
    names the file that it cannot open.
    """
    kind, state = type(error), getattr(error, "sqlstate", None) or ""
    driver = kind.__module__.partition(".")[0].lstrip("_")
    if (driver != "psycopg" or state.startswith("22")) and (driver, kind.__name__) != ("duckdb", "IOException"):
        return kind.__name__
    said = str(error.diag.message_primary if state else error)  # type: ignore[attr-defined]  # of every error of psycopg's
    return said.partition("\n")[0].removeprefix("connection failed: ")[:300] or kind.__name__
