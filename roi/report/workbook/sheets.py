"""The sheets of one comparison's workbook, planned: which lines each option's sheet shows, and where its own figures stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.inputs import Option, Shared, path_of
from roi.economics.lines.api_bill import Service
from roi.economics.lines.api_request import RequestCost
from roi.economics.lines.line import Line
from roi.report.workbook.assumptions import Assumption, assumptions, sheet_names
from roi.report.workbook.layout import CHECKS, COMMON, MONTH_ROW, Layout, lay_out, letters, quoted
from roi.report.workbook.node import MONTHS, Node, under
from roi.report.workbook.traced import nodes_of
from roi.report.workbook.tracing import Model

SUMMARY: Final = "Summary"
ASSUMPTIONS: Final = "Assumptions"
LISTS: Final = "Lists"
OWN: Final = (SUMMARY, ASSUMPTIONS, LISTS, COMMON, CHECKS)
FIRST_LINE: Final = MONTH_ROW + 1
LIST_VALUE: Final = 5
"""Column of the first entry on the sheet of lists: label, path, unit, source, date stand before it."""
COST: Final = {
    "input_usd": "USD of uncached input", "cache_read_usd": "USD of cache reads", "cache_write_usd": "USD of cache writes",
    "output_usd": "USD of output", "batch_usd": "USD through batch", "batched": "share through batch",
}
"""Figures of a mean request that have a name on the sheets."""
MEMO: Final = {
    "requests": "Requests answered", "billed requests": "Requests billed", "wages": "USD of an engineer hour",
    "usd of errors": "USD if every answer were wrong", "mean of rents": "Mean of rents over today's",
}


@dataclass(frozen=True)
class OptionSheet:
    """One option's lines, as nodes by month end 0..H."""

    result: OptionResult
    option: Option
    name: str
    lines: tuple[tuple[Line, list[Node]], ...]

    def line(self, name: str) -> int:
        """The row, from 0, of one of the sums below the lines."""
        return FIRST_LINE + len(self.lines) + SUMS.index(name)

    def cell(self, name: str, column: int, sheet: str = "") -> str:
        """The cell of one of the sums, as a formula on `sheet` writes it."""
        at = f"${letters(column)}${self.line(name) + 1}"
        return at if sheet == self.name else f"{quoted(self.name)}!{at}"

    @property
    def first_working(self) -> int:
        """The row below the sums."""
        return FIRST_LINE + len(self.lines) + len(SUMS) + 2


SUMS: Final = (
    "Total", "Wrong answers", "No cash", "Cash", "Present value", "Staying costs", "Saving", "Cumulative saving",
    "Cumulative saving, cash", "Payback", "Payback, cash", "Serves alone from month",
)
"""The sums below the lines of each option."""


@dataclass(frozen=True)
class Plan:
    """Everything that the workbook shows, each thing at its place."""

    comparison: Comparison
    model: Model
    options: tuple[OptionSheet, ...]
    single: list[Assumption]
    lists: dict[str, list[Node]]
    layout: Layout
    discount: list[Node]
    """What a dollar of month ends 0..H is worth today."""
    guards: list[tuple[Node, bool, str]]
    """What decided a branch, which way, and in which of the engine's functions."""

    @property
    def stay(self) -> OptionSheet:
        """The sheet of staying."""
        return next(each for each in self.options if each.result.id == "stay")


def plan(c: Comparison, model: Model) -> Plan:
    """The workbook of a comparison."""
    names = sheet_names((o.label for o in c.options), OWN)
    sheets = tuple(
        OptionSheet(o, model.options[o.id], name, tuple((line, at_ends(model, line)) for line in model.costs[o.id].lines))
        for o, name in zip(c.options, names, strict=True)
    )
    roots: dict[str, Sequence[Node]] = {
        each.name: [*(n for _, nodes in each.lines for n in nodes), starts(model, each.option)] for each in sheets
    }
    discount = discounts(model, c)
    roots[COMMON] = discount
    rows = list(named(model))  # before the guards are read: a fleet is sized when it is first asked for, and decides branches
    roots[CHECKS] = list(model.trace.guards)
    used = {node for node in under(chain(*roots.values())) if node.op == "fact"}
    single, lists = assumptions(model.trace, c.case, used)
    facts = {each.node: each.name for each in single if each.node is not None}
    for line, nodes in enumerate(lists.values(), start=1):
        facts |= {node: f"{LISTS}!${letters(LIST_VALUE + k)}${line + 1}" for k, node in enumerate(nodes)}
    layout = lay_out(model.trace.horizon, facts, roots, rows, map(len, lists.values()))
    guards = [(node, wanted, where) for node, (wanted, where) in model.trace.guards.items()]
    _tell_lines(sheets, layout)
    placed = Plan(c, model, sheets, single, lists, layout, discount, guards)
    _place(placed)
    return placed


FIXED_ELSEWHERE: Final = ("verdict.", "quality.bar", "discount_rate_per_year")
"""Beginnings of facts that no cost line takes as a plain number."""


def fixed(p: Plan) -> list[str]:
    """Paths of the facts that the formulas hold for one value of alone: sizes, counts, and a drift of rents with a spread."""
    paths = [node.args[0] for node in p.model.trace.fixed]
    drift = path_of(Shared, "rent_drift")
    paths += [drift] if p.comparison.case[drift].uncertain else []
    return [path for path in paths if not path.startswith(FIXED_ELSEWHERE) and not path.endswith(".items")]


def _tell_lines(sheets: Sequence[OptionSheet], layout: Layout) -> None:
    """Beside the function that made a row without a name, the cost line that alone rests on it."""
    lines: dict[Node, set[str]] = {}
    for each in sheets:
        for line, nodes in each.lines:
            for node in under(nodes):
                lines.setdefault(node, set()).add(line.name)
    for row in layout.rows:
        told = set().union(*(lines.get(node, ()) for node in row.cells.values() if node.nodes))
        if not row.label and len(told) == 1:
            row.made_by = f"{row.made_by}: {told.pop()}".removeprefix(": ")


def _place(p: Plan) -> None:
    """A line on its sheet for every row of the layout: by month first, then single figures, then lists."""
    after = {each.name: each.first_working for each in p.options}
    after |= {COMMON: FIRST_LINE + 1, CHECKS: FIRST_LINE + len(p.guards) + 1}
    for row in sorted(p.layout.rows, key=lambda r: (not r.by_month, len(r.cells) > 1, not r.label)):
        row.at = after[row.sheet]
        after[row.sheet] += 1


def discounts(model: Model, c: Comparison) -> list[Node]:
    """(1 + R)^(-t/12) for t = 0..H."""
    trace, path = model.trace, path_of(Shared, "discount_rate")
    rate = trace.make("+", 1.0, trace.fact(path, None, c.case[path].number(), c.case[path].unit))
    return [trace.make("^", rate, trace.make("/", trace.make("neg", trace.month(t)), MONTHS)) for t in range(trace.horizon + 1)]


def at_ends(model: Model, line: Line) -> list[Node]:
    """USD of a line at month ends 0..H."""
    monthly = np.broadcast_to(np.asarray(line.monthly), (model.trace.horizon,))
    return [model.trace.const(x) for x in (np.asarray(line.upfront).reshape(-1)[0], *monthly)]


def starts(model: Model, option: Option) -> Node:
    """Months until it serves alone."""
    return model.trace.const(np.asarray(option.months_kept).reshape(-1)[0])


def named(model: Model) -> Iterator[tuple[str, list[Node]]]:
    """What the engine's records name, as rows: the shared months, each model's price and request, each fleet."""
    for key, made in model.shared.memo.items():
        if isinstance(key, str) and key in MEMO:
            yield MEMO[key], nodes_of(made)
        elif isinstance(made, Service):
            yield from _service(made)
        elif isinstance(made, Shared):
            yield "Mean input tokens", nodes_of(made.input_tokens)
            yield "Mean output tokens", nodes_of(made.output_tokens)
    for id, costs in model.costs.items():
        label = model.options[id].label
        if costs.fleet is not None:
            yield f"Replicas, {label}", nodes_of(costs.fleet.fleet.replicas)
            yield f"Instances, {label}", nodes_of(costs.fleet.fleet.instances)
            yield f"GPUs, {label}", nodes_of(costs.fleet.gpus)
            yield f"GPUs without spares, {label}", nodes_of(costs.fleet.gpus_without_spares)
            yield f"Share that spills, {label}", nodes_of(costs.fleet.spill)
        yield f"Share of wrong answers, {label}", nodes_of(costs.wrong)


def _service(service: Service) -> Iterator[tuple[str, list[Node]]]:
    label = service.option.label
    apart = ", announced lists apart" if service.steps else ""
    yield f"Price over today's list{apart}, {label}", nodes_of(service.price)
    yield f"Errors over today's, {label}", nodes_of(service.errors)
    cost: RequestCost = service.cost
    for name, words in COST.items():
        yield f"Mean request, {words}, {label}", nodes_of(getattr(cost, name))
