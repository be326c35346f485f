"""Ibis, loaded where it is first used, and the names of its types for annotations.

Ibis is an optional package that takes most of a second to load, and the reports import this room's results without it. So no
file here imports it at the top: `ibis` below stands for the module. To a type checker the names are what they say.
"""

import gc
import sys
import warnings
from typing import TYPE_CHECKING, Any

from roi.errors import MissingExtra

__all__ = ["Backend", "Column", "DuckDB", "Table", "ibis"]


class _AtFirstUse:
    """Gives Ibis's attributes; the first one that is asked for loads it."""

    def __getattr__(self, name: str) -> Any:  # Any: whatever the module holds
        """The module's attribute; MissingExtra where Ibis, or Arrow beside it, is not installed."""
        if "ibis" not in sys.modules:
            _load()
        import ibis

        return getattr(ibis, name)


def _load() -> None:
    """Import Ibis, DuckDB and Arrow without the garbage collector, which walks what they make and frees none of it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        import ibis
        import pyarrow as pa  # noqa: F401 -- part of the extra

        _ = ibis.duckdb
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)  # ibis 12 calls it on DuckDB 2
    except ImportError as error:
        raise MissingExtra("usage", error.name or "ibis-framework") from error
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


if TYPE_CHECKING:
    import ibis
    from ibis.backends import BaseBackend as Backend
    from ibis.backends.duckdb import Backend as DuckDB
    from ibis.expr.types import Table
    from ibis.expr.types import Value as Column
else:
    ibis = _AtFirstUse()
    Backend = Column = DuckDB = Table = Any
