"""SQL that was asked for before in the process: an expression of Ibis gives the same while its tables have the same names.

Ibis takes half of what a small file takes, and most tests of usage ask the same few questions of small files. It names what it
reads at random; here the tables of an engine are numbered, and every engine in memory is the same database to Ibis.
"""

from collections import OrderedDict
from itertools import count
from typing import Any

import pytest

MOST = 64
"""Expressions that are held, each with the engine that it was of."""


def compile_once(patch: pytest.MonkeyPatch) -> None:
    """Has DuckDB's backend of Ibis look among its last answers."""
    from ibis.backends.duckdb import Backend

    known = OrderedDict[Any, str]()
    compiled, read_csv, read_parquet = Backend.compile, Backend.read_csv, Backend.read_parquet

    def compile_(self, expression, /, **asked):
        name = expression.op(), type(self.compiler).__qualname__, tuple(sorted(asked.items()))
        known[name] = known.pop(name, None) or compiled(self, expression, **asked)
        if len(known) > MOST:
            known.popitem(last=False)
        return known[name]

    def numbered(read):
        def named(self, paths, /, **asked):
            names = vars(self).setdefault("table_numbers", count())
            return read(self, paths, **{"table_name": f"ibis_read_{next(names)}", **asked})

        return named

    patch.setattr(Backend, "compile", compile_)
    patch.setattr(Backend, "read_csv", numbered(read_csv))
    patch.setattr(Backend, "read_parquet", numbered(read_parquet))
    patch.setattr(Backend, "db_identity", "in memory")
