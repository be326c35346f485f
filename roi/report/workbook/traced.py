"""Arrays of nodes that NumPy's functions take like any array, so that the engine runs on them as it is.

Elements are nodes, so that no conversion can lose one in silence: a plain number of a node is refused or kept as fixed, a truth
value is kept as a guard (`node`). `np.asanyarray` keeps these arrays; `np.asarray` gives a plain array of nodes, on which
comparisons decide by value, each a guard.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from roi.report.workbook.node import MONTHS, Node, Trace, where

Objects = NDArray[np.object_]
Out = Any  # whatever NumPy passes and expects

UFUNCS: dict[np.ufunc, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.power: "^", np.negative: "neg", np.exp: "exp",
    np.log: "log", np.sqrt: "sqrt", np.ceil: "ceil", np.floor: "floor", np.maximum: "max", np.minimum: "min", np.greater: ">",
    np.greater_equal: ">=", np.less: "<", np.less_equal: "<=", np.equal: "==", np.not_equal: "!=", np.logical_and: "and",
    np.bitwise_and: "and", np.logical_or: "or", np.bitwise_or: "or", np.logical_not: "not", np.isfinite: "finite",
}
"""The operation that each of NumPy's element by element functions is."""
MANY = {"+": "sum", "max": "max", "min": "min", "and": "and", "or": "or"}
"""The operation that reducing with one is."""


class Traced(np.ndarray):
    """An array of nodes."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Out, out: Out = None, **kw: Out) -> Out:
        if method == "__call__" and any(np.size(each) == 0 for each in inputs):  # no node to trace
            return np.empty(np.broadcast_shapes(*map(np.shape, inputs)), dtype=object).view(Traced) if out is None else out[0]
        trace = _trace_of(inputs)
        if ufunc is np.matmul:
            return np.sum(traced(trace, inputs[0]) * traced(trace, inputs[1]))
        if ufunc is np.square:
            return np.multiply(inputs[0], inputs[0], out=out, **kw)
        if ufunc not in UFUNCS or method not in {"__call__", "reduce", "accumulate"}:
            raise TypeError(f"{ufunc.__name__}.{method} is not traced")
        made = _made(trace, UFUNCS[ufunc], method, [_objects(trace, each) for each in inputs], kw)
        if kw.get("where", True) is not True:
            made = _each(trace, "if", _objects(trace, kw["where"]), made, _objects(trace, out[0]))
        if made.size > 1:
            trace.keep(made)
        elif not (node := cast("Node", made.flat[0])).told:
            node.told = where()
        if out is None:
            return made.view(Traced)
        if out[0].dtype != object:
            raise TypeError(f"{ufunc.__name__} writes nodes into an array of numbers")
        out[0][...] = made
        return out[0]

    def __array_function__(self, func: Out, types: Out, args: Out, kwargs: Out) -> Out:
        if func in FUNCTIONS:
            return FUNCTIONS[func](*args, **kwargs)
        return super().__array_function__(func, types, args, kwargs)

    def any(self, *_: Out, **__: Out) -> Out:
        """True where any node is true: one decision, kept as one guard."""
        return _decided("or", self)

    def all(self, *_: Out, **__: Out) -> Out:
        """True where every node is true: one decision, kept as one guard."""
        return _decided("and", self)

    def mean(self, *args: Out, **kw: Out) -> Out:
        """The mean along an axis."""
        return _mean(self, *args, **kw)

    def __getitem__(self, key: Out) -> Out:
        if isinstance(key, Traced) and key.dtype == object:
            return _looked_up(self, key)
        found: Out = super().__getitem__(key)
        return np.array(found, dtype=object).view(Traced) if isinstance(found, Node) else found


def traced(trace: Trace, value: object) -> Traced:
    """`value`, a number, an array or nodes, as an array of nodes."""
    return _objects(trace, value).view(Traced)


def _trace_of(values: Sequence[object]) -> Trace:
    for value in values:
        if isinstance(value, Node):
            return value.trace
        if isinstance(value, np.ndarray) and value.dtype == object:
            for node in value.flat:
                if isinstance(node, Node):
                    return node.trace
        if isinstance(value, (list, tuple)):
            try:
                return _trace_of(value)
            except TypeError:
                continue
    raise TypeError("no nodes")


def _objects(trace: Trace, value: object) -> Objects:
    """A plain array of nodes; months stand for rows of numbers that rise with them."""
    given = np.asarray(value, dtype=object if isinstance(value, Node) else None)
    made = np.empty(given.shape, dtype=object)
    if given.dtype != object and given.ndim == 1 and (rising := _by_month(trace, given)) is not None:
        made[...] = rising
        return made
    for at in np.ndindex(given.shape):
        made[at] = trace.const(given[at])
    return made


def _by_month(trace: Trace, row: NDArray[Any]) -> list[Node] | None:
    """A row of numbers as its months, + a number, / 12; None where it does not rise by 1 or by 1/12 a month."""
    if row.size not in (trace.horizon, trace.horizon + 1) or row.size < 2 or row.dtype == bool:
        return None
    first = 1 if row.size == trace.horizon else 0
    for per in (1.0, MONTHS):
        offset = round(float(row[0]) * per) - first
        if all((first + k + offset) / per == x for k, x in enumerate(row)):
            months = (trace.make("+" if offset >= 0 else "-", trace.month(first + k), abs(offset)) for k in range(row.size))
            return [trace.make("/", month, per) for month in months]
    return None


def _each(trace: Trace, op: str, *arrays: Objects) -> Objects:
    return np.asarray(np.frompyfunc(lambda *nodes: trace.make(op, *nodes), len(arrays), 1)(*arrays), dtype=object)


def _made(trace: Trace, op: str, method: str, arrays: Sequence[Objects], kw: Mapping[str, Out]) -> Objects:
    if method == "reduce":
        return _reduced(trace, op, arrays[0], kw.get("axis", 0), bool(kw.get("keepdims")))
    if method == "accumulate":
        return _accumulated(trace, op, arrays[0], kw.get("axis", 0))
    return _each(trace, op, *arrays)


def _reduced(trace: Trace, op: str, array: Objects, axis: Out, keepdims: bool) -> Objects:
    if axis is None or isinstance(axis, tuple):
        flat, shape = array.reshape(-1), (1,) * array.ndim if keepdims else ()
        made = np.empty(shape, dtype=object)
        made[...] = trace.make(MANY[op], *flat)
        return made
    moved = np.moveaxis(array, axis, -1)
    made = np.empty(moved.shape[:-1], dtype=object)
    for at in np.ndindex(made.shape):
        made[at] = trace.make(MANY[op], *moved[at])
    return np.expand_dims(made, axis) if keepdims else made


def _accumulated(trace: Trace, op: str, array: Objects, axis: int) -> Objects:
    made = np.moveaxis(array.copy(), axis, -1)
    for k in range(1, made.shape[-1]):
        made[..., k] = _each(trace, op, made[..., k - 1], made[..., k])
    return np.moveaxis(made, -1, axis)


def _decided(op: str, array: Out) -> bool:
    array = np.asarray(array)
    if array.dtype != object:
        return bool(array.any() if op == "or" else array.all())
    trace = _trace_of([array])
    return bool(trace.make(op, *array.reshape(-1)))


def _mean(array: Out, axis: Out = None, keepdims: bool = False, **_: Out) -> Out:
    count = array.size if axis is None else array.shape[axis]
    total: Out = np.sum(array, axis=axis, keepdims=keepdims)
    return total / float(count)


def _where(test: Out, yes: Out, no: Out) -> Traced:
    trace = _trace_of([test, yes, no])
    made = _each(trace, "if", *(_objects(trace, each) for each in (test, yes, no)))
    if made.size > 1:
        trace.keep(made)
    return made.view(Traced)


def _clip(array: Out, low: Out, high: Out, **_: Out) -> Out:
    above = array if low is None or _is_constant(low, -np.inf) else np.maximum(array, low)
    return above if high is None or _is_constant(high, np.inf) else np.minimum(above, high)


def _is_constant(value: Out, number: float) -> bool:
    return isinstance(value, float) and value == number


def _interp(x: Out, at: Out, y: Out) -> Traced:
    trace = _trace_of([x, at, y])
    points = (*_objects(trace, at), *_objects(trace, y))
    return _each(trace, "interp", _objects(trace, x), *(np.array(point, dtype=object) for point in points)).view(Traced)


def _searchsorted(edges: Out, x: Out, side: str = "left") -> Traced:
    """How many edges lie below: strictly for the left side."""
    trace = _trace_of([edges, x])
    xs, op = _objects(trace, x), "<" if side == "left" else "<="
    below = [_each(trace, "if", _each(trace, op, np.array(edge, dtype=object), xs), _one(trace, 1.0), _one(trace, 0.0))
             for edge in _objects(trace, edges)]
    return _each(trace, "sum", *below).view(Traced)


def _one(trace: Trace, number: float) -> Objects:
    return np.array(trace.const(number), dtype=object)


def _looked_up(row: Traced, index: Traced) -> Traced:
    """The entry of `row` at each index, from 0."""
    trace, at = _trace_of([index]), np.asarray(index)
    found = _each(trace, "if", at, at, at)  # a copy
    entries = _objects(trace, np.asarray(row))
    found[...] = entries[-1]
    for k in range(len(entries) - 2, -1, -1):
        found = _each(trace, "if", _each(trace, "<=", at, _one(trace, float(k))), np.array(entries[k], dtype=object), found)
    return found.view(Traced)


def _sort(array: Out, *_: Out, **__: Out) -> Traced:
    """The nodes in the order of their values, each pair of which is a guard."""
    plain = np.asarray(array)
    if plain.ndim != 1:
        raise TypeError("only a row is sorted")
    nodes = sorted(plain, key=lambda node: node.value)
    trace = _trace_of([plain])
    trace.decide(trace.make("and", *(trace.make("<=", a, b) for a, b in pairwise(nodes))))
    return traced(trace, np.array(nodes, dtype=object))


def _broadcast(*arrays: Out, **_: Out) -> list[Traced]:
    """The arrays in one shape, all of nodes."""
    trace = _trace_of(arrays)
    return [cast("Traced", each.view(Traced)) for each in np.broadcast_arrays(*(_objects(trace, a) for a in arrays))]


def _concatenate(arrays: Sequence[Out], axis: int = 0, **_: Out) -> Traced:
    trace = _trace_of(arrays)
    return np.concatenate([_objects(trace, each) for each in arrays], axis=axis).view(Traced)


FUNCTIONS: Mapping[Out, Callable[..., Out]] = {
    np.where: _where,
    np.clip: _clip,
    np.interp: _interp,
    np.searchsorted: _searchsorted,
    np.sort: _sort,
    np.mean: _mean,
    np.any: lambda a, *_, **__: _decided("or", a),
    np.all: lambda a, *_, **__: _decided("and", a),
    np.zeros_like: lambda a, **_: traced(_trace_of([a]), np.zeros(np.shape(a))),
    np.broadcast_arrays: _broadcast,
    np.concatenate: _concatenate,
}
"""NumPy's functions that would look at the nodes themselves."""


def nodes_of(array: object) -> list[Node]:
    """The nodes of an array, in order; of a number none."""
    if not isinstance(array, np.ndarray) or array.dtype != object:
        return []
    return [node for node in array.flat if isinstance(node, Node)]
