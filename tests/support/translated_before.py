"""SQL of expressions that were translated before in the process: the same expression gives the same text.

The keys are whole expressions, so that a formula which changes is translated anew; Ibis names the tables of files at random,
here each engine counts its own.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest


def translated_once(patch: pytest.MonkeyPatch) -> None:
    """Has DuckDB's backend look first among the expressions that it translated, whose tables are called alike."""
    from ibis.backends.duckdb import Backend

    known: dict[object, str] = {}
    translate = Backend.compile

    def once(engine: Backend, expression: Any, /, **how: Any) -> str:
        name = type(engine.compiler).__name__, repr(how), parts(expression.op())
        if name not in known:
            known[name] = translate(engine, expression, **how)
        return known[name]

    patch.setattr(Backend, "compile", once)
    for kind in ("csv", "json", "parquet"):
        patch.setattr(Backend, f"read_{kind}", counted(getattr(Backend, f"read_{kind}"), kind))


def counted(read: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """The reader, whose tables are numbered engine by engine."""
    def numbered(engine: Any, *files: Any, table_name: str | None = None, **how: Any) -> Any:
        numbers = engine.__dict__.setdefault("numbers", count())
        return read(engine, *files, table_name=table_name or f"read_{kind}_{next(numbers)}", **how)

    return numbered


def parts(op: Any) -> tuple[object, ...]:
    """An expression as its nodes, each a class and what it is made of: other nodes by their number, values with their type."""
    from ibis.backends import BaseBackend
    from ibis.common.grounds import Concrete

    numbers: dict[object, int] = {}
    nodes: list[object] = []

    def part(x: object) -> object:
        if isinstance(x, Concrete):
            if (number := numbers.get(x)) is None:
                nodes.append((type(x), *map(part, x.__args__)))
                number = numbers[x] = len(nodes)
            return number
        if isinstance(x, tuple):
            return tuple(map(part, x))
        if isinstance(x, dict) or hasattr(x, "items"):
            return tuple((key, part(value)) for key, value in x.items())
        return type(x), None if isinstance(x, BaseBackend) else x

    return part(op), *nodes
