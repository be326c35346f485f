"""SQL of expressions that are built alike is compiled by Ibis once a session, by the first worker that asks.

Alike: the same operations over the same columns and values, whatever the names that Ibis drew for the tables of files. It draws
them anew for every file that is read; those of today are put into the SQL that was kept.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DRAWN = re.compile(r"ibis_[a-z_]+_[a-z0-9]{26}")
"""A name that Ibis made."""


def compiled_once(engine: Any) -> Any:
    """The engine, its `compile` looking first into what all workers keep."""
    folder = Path(os.environ["ROI_TESTS_SHARED"]) / "compiled"
    compile_anew: Callable[..., str] = engine.compile

    def kept(expression: Any, /, **words: Any) -> str:
        if any(word is not None for word in words.values()):
            return compile_anew(expression, **words)
        digest, names = structure_of(expression.op())
        file = folder / digest
        if file.is_file():
            sql, before = json.loads(file.read_text(encoding="utf-8"))
            now = dict(zip(before, names, strict=True))
            return DRAWN.sub(lambda found: now[found[0]], sql)
        sql = compile_anew(expression)
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{digest}.{os.getpid()}"
        beside.write_text(json.dumps([sql, names]), encoding="utf-8")
        beside.replace(file)
        return sql

    engine.compile = kept
    return engine


def structure_of(root: Any) -> tuple[str, list[str]]:
    """(a digest of all that the SQL follows from, the drawn names of tables in the order in which they are met)."""
    walk = _Walk()
    walk.visit(root)
    return walk.digest.hexdigest(), list(walk.names)


class _Walk:
    """Writes an expression down, what an operation is made of before the operation."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.names: dict[str, int] = {}
        """Those that Ibis drew."""
        self._nodes: dict[Any, int] = {}
        self._views: dict[tuple[type, int], int] = {}
        """Ibis counts views of one table up through the process."""

    def visit(self, node: Any) -> None:
        if node in self._nodes:
            return
        for child in node.__children__:
            self.visit(child)
        kind = f"{node.__func_name__} {node.dtype!r}" if hasattr(node, "__func_name__") else f"{type(node)}"
        pieces = [self._argument(node, name, value) for name, value in zip(node.__argnames__, node.__args__, strict=True)]
        self.digest.update(f"{kind} {' '.join(pieces)}\n".encode("utf-8", "backslashreplace"))
        self._nodes[node] = len(self._nodes)

    def _argument(self, node: Any, name: str, value: Any) -> str:
        if name == "source":  # the connection
            return type(value).__module__
        if name == "identifier":
            return f"view {self._views.setdefault((type(node), value), len(self._views))}"
        return self._piece(value)

    def _piece(self, value: Any) -> str:
        if isinstance(value, str):
            return f"drawn {self.names.setdefault(value, len(self.names))}" if DRAWN.fullmatch(value) else repr(value)
        if isinstance(value, (tuple, list)):
            return f"[{', '.join(map(self._piece, value))}]"
        if hasattr(value, "__argnames__") and value in self._nodes:
            return f"node {self._nodes[value]}"
        if hasattr(value, "items"):
            return f"{{{', '.join(f'{name!r}: {self._piece(item)}' for name, item in value.items())}}}"
        return f"{type(value).__name__} {value!r}"
