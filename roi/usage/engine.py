"""The database that aggregates: DuckDB in the process, or any that an Ibis URL names."""

from typing import TYPE_CHECKING, Any

from roi.errors import InputError, MissingExtra, RoiError, UnknownName

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir
    from ibis.backends import BaseBackend
    from ibis.backends.duckdb import Backend as DuckDB

ZONES = {"postgres": "SET TIME ZONE 'UTC'", "duckdb": "SET TimeZone = 'UTC'", "pyspark": "SET TIME ZONE 'UTC'"}
"""How a session is told that times without an offset are UTC, where it has a zone of its own."""

MEMORY_LIMIT = "640MB"
"""DuckDB's own part of the gibibyte that a run may take; Python, Arrow and Ibis take some 250 MB."""


def local_engine(folder: "Path", zone: str = "UTC") -> "DuckDB":
    """DuckDB in memory, for files. What does not fit goes to `folder`: counts and names of groups, never a prompt.

    `zone`: how times without an offset are read. Nothing is fetched from a network.
    """
    ibis = load_ibis()
    backend: DuckDB = ibis.duckdb.connect(
        temp_directory=str(folder), memory_limit=MEMORY_LIMIT, preserve_insertion_order=False,
        autoinstall_known_extensions=False,
    )  # fmt: skip
    try:
        backend.raw_sql("SET enable_progress_bar = false")
        backend.raw_sql(f"SET TimeZone = '{zone}'")
    except Exception:  # noqa: BLE001 -- DuckDB's message lists every zone that it knows
        raise InputError(f"--timezone: {zone[:60]!r} is no zone; for example UTC or Europe/Berlin") from None
    return backend


def remote_engine(url: str) -> "BaseBackend":
    """The backend of an Ibis URL, for example postgres://user@host/database; passwords never reach a message."""
    ibis = load_ibis()
    scheme = url.partition("://")[0]
    try:
        backend: BaseBackend = ibis.connect(url)
    except (ImportError, ModuleNotFoundError) as error:
        raise RoiError(f"--backend: {scheme} needs the package {error.name}: pip install 'ibis-framework[{scheme}]'") from None
    except Exception as error:  # noqa: BLE001 -- each driver has its own
        raise InputError(f"--backend: no connection to {scheme}: {type(error).__name__}") from None
    if scheme in ZONES:
        backend.raw_sql(ZONES[scheme])
    return backend


def remote_table(backend: "BaseBackend", name: str) -> "ir.Table":
    """A table of the backend, by its name or as schema.name; UnknownName with the nearest where there is none."""
    schema, _, table = name.rpartition(".")
    try:
        return backend.table(table, database=schema or None)
    except Exception:  # noqa: BLE001 -- each driver has its own
        raise UnknownName("FILES", name, backend.list_tables(), "table") from None


def load_ibis() -> Any:  # Any: the module
    """Ibis, or one sentence where the extra is missing."""
    try:
        import ibis
        import pyarrow as pa  # noqa: F401 -- part of the extra
    except ImportError as error:
        raise MissingExtra("usage", error.name or "ibis-framework") from error
    return ibis
