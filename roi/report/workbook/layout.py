"""Which numbers of a traced comparison stand in cells of their own, on which sheet, and the formula of each.

What several options rest on stands on one sheet; what one option alone rests on stands on its own. A number has a cell where a
record of the engine names it, where several others take it, or where a formula would grow too long without. The other numbers
of its array then stand beside it, one month a column.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from roi.report.workbook.node import Node, under

SHORT, LONG, MANY = 34, 180, 6
"""Characters of a formula that may be repeated; that one may have; and operands that it lists singly."""
FIRST_MONTH: Final = 3
"""Column of month 0, from 0: label, made by, total, then the months."""
VALUE: Final = 3
"""Column of a single figure."""
MONTH_ROW: Final = 4
"""Row, from 0, of the months' numbers on every sheet that has months."""
COMMON: Final = "Common"
CHECKS: Final = "Checks"


@dataclass
class Row:
    """Numbers side by side: months, the entries of a list, or one alone."""

    label: str
    made_by: str
    cells: dict[int, Node] = field(default_factory=dict)
    """Nodes of the row's cells by column."""
    sheet: str = ""
    at: int = -1
    """Line of the row on the sheet, from 0."""
    by_month: bool = False


@dataclass
class Layout:
    """Where each number of a comparison stands in the workbook."""

    horizon: int
    facts: dict[Node, str]
    """What a formula calls each fact: a name, or a cell of the sheet of lists."""
    homes: dict[Node, str]
    """The sheet that a number belongs to."""
    lengths: frozenset[int] = frozenset()
    """How long the lists among the facts are; a row of another length than theirs that has one entry a month is by month."""
    rows: list[Row] = field(default_factory=list)
    place: dict[Node, tuple[Row, int]] = field(default_factory=dict)
    """The row and column of each number that has a cell."""
    ranges: dict[tuple[int, ...], tuple[Row, int, int]] = field(default_factory=dict)
    """Row, first and last column of operands that a formula takes as a range."""

    def formula(self, node: Node, sheet: str) -> str:
        """The formula of the node's own cell on `sheet`, with its `=`."""
        return "=" + self._text(node, sheet, 0, own=True)

    def reference(self, node: Node, sheet: str) -> str:
        """The formula of a cell of `sheet` that shows the number: a reference to its cell where it has one."""
        return "=" + self._text(node, sheet, 0)

    def _text(self, node: Node, sheet: str, binding: int, *, own: bool = False) -> str:
        """The node as text, in brackets where its operation binds less than `binding`."""
        if node in self.place and not own:
            return address(*self.place[node], sheet)
        if node.op in LEAVES:
            return self._leaf(node, binding)
        if node.op in LEVELS:
            return self._infix(node, sheet, binding)
        if node.op == "interp":
            return self._interpolated(node, sheet)
        if node.op in {"neg", "ceil"}:
            inner = self._text(node.args[0], sheet, TIGHTEST)
            rounded = f"ROUNDUP({inner},0)" if node.args[0].never_negative else f"(-INT(-{inner}))"
            return f"(-{inner})" if node.op == "neg" else rounded
        return f"{NAMED.get(node.op, node.op.upper())}({self._listed(node, sheet)})"

    def _leaf(self, node: Node, binding: int) -> str:
        if node.op == "fact":
            return self.facts[node]
        if node.op == "month":
            return f"{letters(FIRST_MONTH + int(node.value))}${MONTH_ROW + 1}"
        text = constant(node.value)
        return f"({text})" if text.startswith("-") and binding else text

    def _infix(self, node: Node, sheet: str, binding: int) -> str:
        level, (left, right) = LEVELS[node.op], node.args
        first = self._text(left, sheet, level + (node.op == "^"))
        second = self._text(right, sheet, level + (node.op not in {"+", "*"}))
        text = f"{first}{SIGNS.get(node.op, node.op)}{second}"
        return f"({text})" if level < binding else text

    def _listed(self, node: Node, sheet: str) -> str:
        """The operands of a function, as a range where they stand in a row."""
        if key(node.args) in self.ranges:
            return self._range(node.args, sheet)
        if node.op == "max" and any(n.never_negative for n in node.args):
            return ",".join(self._rounded(each, sheet) for each in node.args)
        return ",".join(self._text(each, sheet, 0) for each in node.args)

    def _rounded(self, node: Node, sheet: str) -> str:
        """An operand of MAX beside one that is never negative: how a negative number is rounded up then does not matter."""
        if node.op == "ceil" and node not in self.place:
            return f"ROUNDUP({self._text(node.args[0], sheet, 0)},0)"
        return self._text(node, sheet, 0)

    def _range(self, nodes: Sequence[Node], sheet: str, *, fixed: bool = False) -> str:
        row, first, last = self.ranges[key(nodes)]
        return f"{address(row, first, sheet, fixed=fixed)}:{address(row, last, row.sheet, fixed=fixed)}"

    def _interpolated(self, node: Node, sheet: str) -> str:
        """The value at x on straight lines between the points of two rows."""
        x, count = self._text(node.args[0], sheet, 0), (len(node.args) - 1) // 2
        xs, ys = (self._range(part, sheet, fixed=True) for part in (node.args[1 : count + 1], node.args[count + 1 :]))
        x = f"MIN(MAX({x},INDEX({xs},1)),INDEX({xs},{count}))"
        k = f"MIN(MATCH({x},{xs},1),{count - 1})"
        rise = f"(INDEX({ys},{k}+1)-INDEX({ys},{k}))/(INDEX({xs},{k}+1)-INDEX({xs},{k}))"
        return f"(INDEX({ys},{k})+({x}-INDEX({xs},{k}))*{rise})"

    def named_row(self, label: str, nodes: Sequence[Node]) -> None:
        """Give these numbers, which the engine's records name, a row; one that already has one keeps it."""
        wanted = [n for n in nodes if n in self.homes]
        if not any(n.nodes and n not in self.place for n in wanted):
            return
        self._add(Row(label, ""), dict(enumerate(nodes)))

    def _add(self, row: Row, entries: dict[int, Node], count: int | None = None) -> Row:
        """Put the entries, by their position in an array, into the columns of a new row."""
        count = len(entries) if count is None else count
        first = VALUE
        by_month = count not in self.lengths or any(n.month >= 0 for n in entries.values())
        if count in (self.horizon, self.horizon + 1) and by_month:
            row.by_month, first = True, FIRST_MONTH + self._begins(entries, count)
        sheets = {self.homes[n] for n in entries.values() if n in self.homes and n.nodes}
        row.sheet = sheets.pop() if len(sheets) == 1 else COMMON
        for k, node in entries.items():
            row.cells[first + k] = node
            if node.nodes and node not in self.place:
                self.place[node] = (row, first + k)
        self.rows.append(row)
        return row

    def _begins(self, entries: dict[int, Node], count: int) -> int:
        """The month of the first entry: that by which most entries stand under the last month that they take."""
        shifts = Counter(node.month - k for k, node in entries.items() if node.month >= 0)
        shift, times = shifts.most_common(1)[0] if shifts else (0, 0)
        if times * 2 > count and 0 <= shift <= self.horizon + 1 - count:
            return shift
        return 1 if count == self.horizon else 0

    def give_cell(self, node: Node) -> None:
        """A cell of its own for the node; the others of its array stand beside it."""
        if node in self.place or not node.nodes:
            return
        if node.home is None:
            self._add(Row("", node.told), {0: node})
            return
        array, made_by = node.trace.arrays[node.home[0]]
        flat, width = list(array.flat), array.shape[-1]
        if array.ndim > 1 and array.shape[0] in (self.horizon, self.horizon + 1):
            mates = {k: flat[k * width + node.home[1] % width] for k in range(array.shape[0])}  # a row an hour
        else:
            start = node.home[1] // width * width
            mates = {k: flat[start + k] for k in range(width)}
        kept = {k: n for k, n in mates.items() if not n.nodes or (n in self.homes and n not in self.place)}
        self._add(Row("", made_by), kept, len(mates))

    def give_range(self, nodes: Sequence[Node]) -> None:
        """A row of cells side by side for operands that a formula takes as a range."""
        if key(nodes) in self.ranges:
            return
        standing = [self.place.get(n) for n in nodes]
        row, column = standing[0] or (None, 0)
        if row is None or any(p is None or p[0] is not row or p[1] != column + k for k, p in enumerate(standing)):
            row = self._add(Row("", ""), dict(enumerate(nodes)))
            column = min(row.cells)
        self.ranges[key(nodes)] = (row, column, column + len(nodes) - 1)


def lay_out(
    horizon: int, facts: dict[Node, str], roots: dict[str, Sequence[Node]], named: Iterable[tuple[str, Sequence[Node]]],
    lengths: Iterable[int],
) -> Layout:
    """A layout of everything that the roots, the numbers that each sheet shows, follow from."""
    homes = sheets_of(roots)
    layout = Layout(horizon, facts, homes, frozenset(lengths))
    for label, nodes in named:
        layout.named_row(label, nodes)
    order = [n for n in next(iter(homes)).trace.known.values() if n in homes]
    uses = counted(homes)
    size: dict[Node, int] = {}
    for node in order:
        size[node] = _room(layout, node, size)
        if len(node.args) > MANY and node.op in {"sum", "max", "min", "and", "or"}:
            layout.give_range(node.args)
            size[node] = 16
        elif node.op == "interp":
            count = (len(node.args) - 1) // 2
            layout.give_range(node.args[1 : count + 1])
            layout.give_range(node.args[count + 1 :])
            layout.give_cell(node.args[0])
            layout.give_cell(node)
        while size[node] > LONG and (inner := [n for n in node.nodes if n.nodes and n not in layout.place]):
            layout.give_cell(max(inner, key=lambda n: size[n]))
            size[node] = _room(layout, node, size)
        if uses[node] > 1 and size[node] > SHORT:
            layout.give_cell(node)
    return layout


def _room(layout: Layout, node: Node, size: dict[Node, int]) -> int:
    """About how many characters the node's formula takes."""
    match node.op:
        case "const":
            return len(constant(node.value))
        case "fact":
            return len(layout.facts[node])
        case "month":
            return 5
    return 6 + sum(9 if n in layout.place else size[n] + 1 for n in node.nodes)


def sheets_of(roots: dict[str, Sequence[Node]]) -> dict[Node, str]:
    """The sheet of every number that the roots follow from: the one that alone needs it, or the common one."""
    found: dict[Node, str] = {}
    for sheet, nodes in roots.items():
        for node in under(nodes):
            found[node] = found.get(node, sheet) if sheet == CHECKS or found.get(node, sheet) == sheet else COMMON
    return found


def counted(homes: dict[Node, str]) -> Counter[Node]:
    """How many others take each number."""
    return Counter(each for node in homes for each in set(node.nodes))


def key(nodes: Sequence[Node]) -> tuple[int, ...]:
    """What tells one row of operands from another."""
    return tuple(id(n) for n in nodes)


LEAVES: Final = {"const", "fact", "month"}
LEVELS: Final = {">": 1, ">=": 1, "<": 1, "<=": 1, "==": 1, "!=": 1, "+": 2, "-": 2, "*": 3, "/": 3, "^": 4}
"""How tightly an operation binds; a spreadsheet's minus sign binds tighter than its power."""
TIGHTEST: Final = 5
SIGNS: Final = {"==": "=", "!=": "<>"}
NAMED: Final = {"log": "LN", "floor": "INT"}
"""Functions that a spreadsheet calls otherwise."""


def constant(value: float | bool) -> str:
    """A number in a formula, to the 15 digits that a spreadsheet keeps."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if value in (float("inf"), float("-inf")):
        return "1E+300" if value > 0 else "-1E+300"
    return f"{value:.15g}".replace("e", "E")


def letters(column: int) -> str:
    """A column's letters: 0 is A."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def address(row: Row, column: int, sheet: str, *, fixed: bool = False) -> str:
    """A cell as a formula on `sheet` writes it; what is one figure, or fixed, does not move when the formula is copied."""
    held = "$" if fixed or not row.by_month else ""
    cell = f"{held}{letters(column)}{'$' if held else ''}{row.at + 1}"
    return cell if row.sheet == sheet else f"{quoted(row.sheet)}!{cell}"


def quoted(sheet: str) -> str:
    """A sheet's name as formulas write it."""
    return sheet if sheet.isalnum() and not sheet[0].isdigit() else "'" + sheet.replace("'", "''") + "'"
