"""SQL of expressions that DuckDB was asked before in the process: Ibis's compiler makes the same of the same expression.

An expression is known by what it is made of, from its tables up, with every literal and its type; not by the engine that holds
them. Tables that are read from files are numbered in each engine, where Ibis draws a name.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest


def compiled_once(patch: pytest.MonkeyPatch) -> None:
    """Have Ibis's backend of DuckDB look among what it compiled before."""
    from ibis.backends.duckdb import Backend

    known: dict[Any, str] = {}
    compiled = Backend.compile

    def compile_once(self: Any, expr: Any, /, **how: Any) -> str:
        if any(how.values()):
            return compiled(self, expr, **how)
        key = type(self.compiler).__qualname__, made_of(expr.op())
        if key not in known:
            known[key] = compiled(self, expr)
        return known[key]

    patch.setattr(Backend, "compile", compile_once)
    for name in ("read_csv", "read_parquet"):
        patch.setattr(Backend, name, _numbered(getattr(Backend, name), name))


def _numbered(read: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def read_as(self: Any, *files: Any, table_name: str | None = None, **how: Any) -> Any:
        numbers = self.__dict__.setdefault("_tests_numbers", count())
        return read(self, *files, table_name=table_name or f"ibis_{kind}_{next(numbers)}", **how)

    return read_as


def made_of(op: Any) -> tuple[Any, ...]:
    """The nodes of an operation, each with its class and what it holds; a node that stands elsewhere as its number."""
    from ibis.backends import BaseBackend
    from ibis.common.graph import Node

    numbers: dict[int, int] = {}
    nodes: list[Any] = []

    def told(part: Any) -> Any:
        if isinstance(part, Node):
            if (number := numbers.get(id(part))) is None:
                nodes.append((type(part), *[told(each) for each in part.args]))
                number = numbers[id(part)] = len(nodes)
            return number, Node
        if isinstance(part, tuple | list):
            return tuple([told(each) for each in part])
        if isinstance(part, dict):
            return tuple([(name, told(each)) for name, each in part.items()])
        if isinstance(part, BaseBackend):
            return BaseBackend
        return type(part), part

    told(op)
    return tuple(nodes)
