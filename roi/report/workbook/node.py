"""A number that remembers how it came about: its value today, and the operation and numbers that it was made of.

The engine's own functions, called with nodes in place of floats, leave a graph that a spreadsheet can hold as formulas. A
branch that the engine takes by a node's value is kept as a guard: the graph holds as long as every guard does.
"""

import inspect
import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, NamedTuple, cast

import numpy as np

Scalar = float | bool

BELOW_ZERO: Final = frozenset({"-", "neg", "log"})
"""Operations whose result may be negative though nothing in them is."""
MONTHS: Final = 12.0
TOLD: Final = "pick"
"""The engine's function that takes numbers for the words beside a line, from which nothing follows."""


def _divided(a: float, b: float) -> float:
    return a / b if b else math.copysign(math.inf, a) if a else math.nan


def _power(a: float, b: float) -> float:
    try:
        return float(a**b)
    except (OverflowError, ZeroDivisionError):
        return math.inf


def _interpolated(x: float, *rest: float) -> float:
    """The value at `x` on straight lines between points, given as all their x (rising) and then all their y."""
    n = len(rest) // 2
    at, y = rest[:n], rest[n:]
    if x <= at[0]:
        return y[0]
    for k in range(1, n):
        if x <= at[k]:
            return y[k - 1] + (x - at[k - 1]) * _divided(y[k] - y[k - 1], at[k] - at[k - 1])
    return y[-1]


def _operators(op: str) -> "tuple[Callable[[Node, object], Node], Callable[[Node, object], Node]]":
    """What Python calls for `op` with a node on its left, and with one on its right alone."""
    return lambda node, other: node.trace.make(op, node, other), lambda node, other: node.trace.make(op, other, node)


class Node:
    """One number, and how it follows from others. `op`: of OPERATIONS, or const, month (its number) or fact (its place)."""

    __slots__ = ("args", "home", "month", "never_negative", "op", "told", "trace", "value")

    def __init__(self, trace: "Trace", op: str, args: tuple[Any, ...], value: Scalar) -> None:
        self.trace, self.op, self.args, self.value = trace, op, args, value
        self.told = ""
        self.home: tuple[int, int] | None = None
        """The array that it first stood in, and where."""
        nodes = [a for a in args if isinstance(a, Node)]
        self.month: int = args[0] if op == "month" else max((a.month for a in nodes), default=-1)
        """The last month whose number it takes; -1 where it is the same in every month."""
        self.never_negative: bool = self._never_negative(nodes)

    def _never_negative(self, nodes: list["Node"]) -> bool:
        if self.op in {"const", "month"}:
            return bool(self.value >= 0)
        if self.op == "-":
            a, b = nodes
            return a.op == "const" and a.value == 1.0 and b.op == "fact" and b.told == "share"
        if self.op == "max":
            return any(n.never_negative for n in nodes)
        if self.op == "if":
            return all(n.never_negative for n in nodes[1:])
        return self.op in {"exp", "sqrt"} or (self.op not in BELOW_ZERO and all(n.never_negative for n in nodes))

    @property
    def nodes(self) -> tuple["Node", ...]:
        """The nodes that it is made of."""
        return () if self.op in {"const", "month", "fact"} else self.args

    def __repr__(self) -> str:
        return f"Node({self.op}, {self.value!r})"

    def __bool__(self) -> bool:
        return self.trace.decide(self)

    def __float__(self) -> float:
        return self.trace.fix(self)

    __add__, __radd__ = _operators("+")
    __sub__, __rsub__ = _operators("-")
    __mul__, __rmul__ = _operators("*")
    __truediv__, __rtruediv__ = _operators("/")
    __pow__, __rpow__ = _operators("^")
    __gt__ = _operators(">")[0]
    __ge__ = _operators(">=")[0]
    __lt__ = _operators("<")[0]
    __le__ = _operators("<=")[0]

    def __neg__(self) -> "Node":
        return self.trace.make("neg", self)

    __hash__ = object.__hash__


Simplify = Callable[["Trace", str, tuple[Node, ...]], Node | None]
"""Gives a simpler node that is always equal, or None."""


def _is(node: Node, number: float) -> bool:
    return node.op == "const" and node.value == number


def _added(trace: "Trace", op: str, args: tuple[Node, ...]) -> Node | None:
    left = tuple(a for a in args if not _is(a, 0.0))
    if len(left) == len(args):
        return None
    return trace.const(0.0) if not left else left[0] if len(left) == 1 else trace.make(op, *left)


def _multiplied(trace: "Trace", _: str, args: tuple[Node, ...]) -> Node | None:
    first, second = args
    if _is(first, 0.0) or _is(second, 0.0):
        return trace.const(0.0)
    return second if _is(first, 1.0) else first if _is(second, 1.0) else None


def _limited(_: "Trace", op: str, args: tuple[Node, ...]) -> Node | None:
    """One that is no limit, and a limit that is there twice."""
    idle = -math.inf if op == "max" else math.inf
    left = tuple(dict.fromkeys(a for a in args if not _is(a, idle)))
    return left[0] if len(left) == 1 else None


def _compared(trace: "Trace", _: str, args: tuple[Node, ...]) -> Node | None:
    return trace.const(True) if args[0] is args[1] else None


def _chosen(_: "Trace", __: str, args: tuple[Node, ...]) -> Node | None:
    test, yes, no = args
    return (yes if test.value else no) if test.op == "const" else yes if yes is no else None


def _decisive(trace: "Trace", op: str, args: tuple[Node, ...]) -> Node | None:
    """What is left of a row of conditions, some of which are known."""
    ends = op == "or"
    if any(a.op == "const" and bool(a.value) is ends for a in args):
        return trace.const(ends)
    left = tuple(dict.fromkeys(a for a in args if a.op != "const"))
    return None if len(left) == len(args) else trace.make(op, *left)


def _powers(trace: "Trace", _: str, args: tuple[Node, ...]) -> Node | None:
    """e to a sum of logarithms, each times something, as a product of powers."""
    exponent = args[0]
    if exponent.op == "log":
        return exponent.nodes[0]
    if exponent.op == "+":
        parts = [_powers(trace, "exp", (each,)) for each in exponent.nodes]
        return None if parts[0] is None or parts[1] is None else trace.make("*", *parts)
    for logarithm, times in (exponent.nodes, exponent.nodes[::-1]) if exponent.op == "*" else ():
        if logarithm.op == "log":
            return trace.make("^", logarithm.nodes[0], times)
    return None


class Operation(NamedTuple):
    """What an operation gives for numbers, and for nodes a simpler one."""

    value: Callable[..., Scalar]
    simpler: Simplify = lambda *_: None


OPERATIONS: Final[dict[str, Operation]] = {
    "+": Operation(operator.add, _added),
    "-": Operation(operator.sub, lambda trace, _, args: (
        args[0] if _is(args[1], 0.0) else trace.const(0.0) if args[0] is args[1] else None)),
    "*": Operation(operator.mul, _multiplied),
    "/": Operation(_divided, lambda trace, _, args: (
        args[0] if _is(args[1], 1.0) else trace.const(0.0) if _is(args[0], 0.0) else None)),
    "^": Operation(_power, lambda trace, _, args: (
        args[0] if _is(args[1], 1.0) else trace.const(1.0) if _is(args[1], 0.0) else None)),
    "neg": Operation(operator.neg),
    "exp": Operation(lambda a: math.exp(a) if a < 709 else math.inf, _powers),
    "log": Operation(lambda a: math.log(a) if a > 0 else -math.inf if a == 0 else math.nan),
    "sqrt": Operation(lambda a: math.sqrt(a) if a >= 0 else math.nan),
    "ceil": Operation(lambda a: float(math.ceil(a)) if math.isfinite(a) else a),
    "floor": Operation(lambda a: float(math.floor(a)) if math.isfinite(a) else a),
    "max": Operation(max, _limited),
    "min": Operation(min, _limited),
    "sum": Operation(lambda *a: math.fsum(a), _added),
    ">": Operation(operator.gt),
    ">=": Operation(operator.ge, _compared),
    "<": Operation(operator.lt),
    "<=": Operation(operator.le, _compared),
    "==": Operation(operator.eq, _compared),
    "!=": Operation(operator.ne),
    "and": Operation(lambda *a: all(a), _decisive),
    "or": Operation(lambda *a: any(a), _decisive),
    "not": Operation(operator.not_),
    "if": Operation(lambda test, a, b: a if test else b, _chosen),
    "interp": Operation(_interpolated),
    "finite": Operation(math.isfinite, lambda trace, _, args: trace.const(math.isfinite(args[0].value))),
}


@dataclass
class Trace:
    """All nodes of one tracing; equal operations on equal nodes are one node."""

    horizon: int
    guards: dict[Node, tuple[bool, str]] = field(default_factory=dict)
    """A node whose value decided a branch: which way, and in which of the engine's functions."""
    fixed: dict[Node, str] = field(default_factory=dict)
    """Facts that the engine took as plain numbers (sizes, counts), and where: the graph holds for their value alone."""
    known: dict[tuple[object, ...], Node] = field(default_factory=dict)
    arrays: list[tuple[Any, str]] = field(default_factory=list)
    """The arrays that the engine made of nodes, and the function that made each."""

    def _once(self, key: tuple[object, ...], op: str, args: tuple[Any, ...], value: Scalar) -> Node:
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = Node(self, op, args, value)
        return found

    def const(self, value: object) -> Node:
        """A number that no fact moves."""
        if isinstance(value, Node):
            return value
        number: Scalar = bool(value) if isinstance(value, (bool, np.bool_)) else float(cast("float", value))
        return self._once(("const", type(number), number), "const", (number,), number)

    def month(self, number: int) -> Node:
        """The number of a month, as it stands above its column."""
        return self._once(("month", number), "month", (number,), float(number))

    def fact(self, path: str, index: int | None, value: float, unit: str) -> Node:
        """The fact at a path of the Case, or one entry of it."""
        node = self._once(("fact", path, index), "fact", (path, index), float(value))
        node.told, node.never_negative = unit, value >= 0 and unit != "1/year"
        return node

    def make(self, op: str, *given: object) -> Node:
        """The node of `op` on these nodes or numbers; what changes nothing (x + 0, x * 1) makes no node."""
        args = tuple(self.const(a) for a in given)
        if all(a.op == "const" for a in args):
            return self.const(OPERATIONS[op].value(*(a.value for a in args)))
        alone = len(args) == 1 and op in {"sum", "max", "min", "and", "or"}
        simpler = args[0] if alone else OPERATIONS[op].simpler(self, op, args)
        if simpler is not None:
            return simpler
        key = (op, *(id(a) for a in args))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = Node(self, op, args, OPERATIONS[op].value(*(a.value for a in args)))
        return found

    def keep(self, array: Any) -> None:  # Any: an array of nodes
        """Remember an array and what its nodes are made of, so that they can stand in a row together."""
        for k, node in enumerate(array.flat):
            if node.nodes and node.home is None:
                node.home = (len(self.arrays), k)
        self.arrays.append((array.copy(), where()))  # the engine may work on in the same place
        ops = {node.op for node in array.flat if node.nodes}
        for n in range(max((len(node.nodes) for node in array.flat), default=0)):
            inner = [node.nodes[n] if n < len(node.nodes) else node for node in array.flat]
            if len(ops) == 1 and len({node for node in inner if node.nodes and node.home is None}) > 1:
                made = array.copy()
                made.flat[:] = inner
                self.keep(made)

    def decide(self, node: Node) -> bool:
        """The branch that the engine takes by the node's value, kept as a guard."""
        if node.op != "const":
            self.guards.setdefault(node, (bool(node.value), where()))
        return bool(node.value)

    def fix(self, node: Node) -> float:
        """The plain number that the engine asks for: a constant's; a fact's, which is then fixed; else a TypeError."""
        by = where()
        if by != TOLD and node.op == "fact":
            self.fixed.setdefault(node, by)
        elif by != TOLD and node.op != "const":
            raise TypeError(f"{by} takes a plain number of what follows from facts ({node.op})")
        return float(node.value)


def under(roots: Iterable[Node]) -> set[Node]:
    """The nodes, and all that they follow from."""
    found: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(node.nodes)
    return found


def where() -> str:
    """The function of the engine that is at work."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        path = PurePath(frame.f_code.co_filename)
        name = frame.f_code.co_name
        if {"economics", "replay"} & set(path.parts) and not name.startswith("<"):
            return name
        frame = frame.f_back
    return ""
