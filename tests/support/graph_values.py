"""The numbers of a graph of nodes, worked out again at other values of its facts, many at once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roi.report.workbook.node import Node, Trace, under

Column = NDArray[Any]
OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power, "neg": np.negative, "exp": np.exp,
    "log": np.log, "sqrt": np.sqrt, "ceil": np.ceil, "floor": np.floor, ">": np.greater, ">=": np.greater_equal, "<": np.less,
    "<=": np.less_equal, "==": np.equal, "!=": np.not_equal, "not": np.logical_not, "if": np.where,
    "max": lambda *a: np.max(np.broadcast_arrays(*a), axis=0), "min": lambda *a: np.min(np.broadcast_arrays(*a), axis=0),
    "sum": lambda *a: sum(a), "and": lambda *a: np.all(np.broadcast_arrays(*a), axis=0),
    "or": lambda *a: np.any(np.broadcast_arrays(*a), axis=0),
}  # fmt: skip


def graph_values(trace: Trace, roots: Iterable[Node], facts: Mapping[Node, Column]) -> dict[Node, Column]:
    """The value of every node under the roots, one entry a column of `facts`, which says the facts that change."""
    wanted, count = under(roots), max((len(x) for x in facts.values()), default=1)
    found: dict[Node, Column] = {}
    for node in trace.known.values():
        if node not in wanted:
            continue
        if not node.nodes:
            value = facts.get(node, node.value)
        elif node.op == "interp":
            value = _interpolated([np.broadcast_to(found[each], count) for each in node.nodes])
        else:
            value = OPERATIONS[node.op](*(found[each] for each in node.nodes))
        found[node] = np.broadcast_to(value, count)
    return found


def _interpolated(parts: list[Column]) -> Column:
    n = (len(parts) - 1) // 2
    at, y = np.array(parts[1 : n + 1]), np.array(parts[n + 1 :])
    return np.array([np.interp(x, at[:, k], y[:, k]) for k, x in enumerate(parts[0])])
