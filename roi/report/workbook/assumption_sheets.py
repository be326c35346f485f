"""The sheets of the facts: one a line in a named cell, with its spread, source and date; and the facts that are lists."""

from typing import Any

from roi.report.layout.wording import fact_name
from roi.report.workbook.assumptions import Assumption, heading_of
from roi.report.workbook.pen import GREY, INPUT, Pen, number_format
from roi.report.workbook.sheets import ASSUMPTIONS, LIST_VALUE, Plan, fixed

HEADS = ("assumption", "path in the case", "value", "low", "high", "unit", "basis", "source", "date", "as roi\nhad it")
TOLD = (
    "Change a blue value: every sheet follows. Low and high are the 5th and 95th percentile that roi draws from; they move"
    " nothing here. A cell's name is its path with _ for every other sign."
)
VALUE, HAD = 2, 9
"""The columns of the value, and of the one with which roi computed what does not follow the cells."""
WIDTHS = (40, 46, 13, 10, 10, 13, 10, 60, 11, 11)
CHANGED = f"{ASSUMPTIONS}!$J$2"
"""How many values were changed since."""


def write_assumptions(pen: Pen, sheet: Any, p: Plan) -> None:
    """Every fact that moves the answer; then those that the formulas hold for one value of alone."""
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    pen.title(sheet, "Assumptions", TOLD)
    pen.heads(sheet, 2, HEADS)
    row, group = 2, ""
    for each in p.single:
        if (heading := heading_of(each.path)) != group:
            row, group = _heading(pen, sheet, row + 1, heading), heading
        row += 1
        _write(pen, sheet, row, each)
        pen.workbook.define_name(each.name, f"={ASSUMPTIONS}!$C${row + 1}")
    row = _heading(pen, sheet, row + 1, "Fixed in this workbook: change them in the scenario")
    for path in fixed(p):
        row += 1
        fact = p.comparison.case[path]
        _write(pen, sheet, row, Assumption(None, path, fact_name(path), "", fact, fact.number()))
    pen.text(sheet, 1, HAD - 1, "changed:", align="right", **GREY)
    pen.cell(sheet, 1, HAD, f"=SUMPRODUCT((C4:C{row + 1}<>J4:J{row + 1})*1)", 0.0, num_format="0", **GREY)
    sheet.freeze_panes(3, 1)
    sheet.repeat_rows(2)
    sheet.autofilter(2, 0, row, len(HEADS) - 1)


def _heading(pen: Pen, sheet: Any, row: int, words: str) -> int:
    for k in range(len(HEADS)):
        pen.text(sheet, row, k, words if k == 0 else "", bold=True, bg_color="#F2F2F2")
    return row


def _write(pen: Pen, sheet: Any, row: int, each: Assumption) -> None:
    fact, live = each.fact, INPUT if each.node is not None else {}
    pen.text(sheet, row, 0, each.label, text_wrap=True)
    entry = f"[{each.node.args[1]}]" if each.node is not None and isinstance(fact.value, tuple) else ""
    pen.text(sheet, row, 1, each.path + entry, text_wrap=True, **GREY)
    for k, x in ((VALUE, each.value), (3, fact.low), (4, fact.high), (HAD, each.value)):
        if x is not None:
            kind = live if k == VALUE else GREY if k == HAD else {}
            form = {"num_format": number_format([x], fact.unit), "align": "right", **kind}
            sheet.write_number(row, k, x, pen.style(**form))
    for k, words in ((5, fact.unit), (6, fact.basis), (7, fact.source), (8, str(fact.date or ""))):
        pen.text(sheet, row, k, words, text_wrap=True, align="left", indent=1)


def write_lists(pen: Pen, sheet: Any, p: Plan) -> None:
    """The facts that are lists: one a row."""
    for column, width in enumerate((26, 26, 12, 50, 11)):
        sheet.set_column(column, column, width)
    pen.heads(sheet, 0, ("list", *HEADS[1:2], "unit", "source", "date", "values"))
    for row, (path, nodes) in enumerate(p.lists.items(), start=1):
        fact = p.comparison.case[path]
        for k, words in enumerate((fact_name(path), path, fact.unit, fact.source, str(fact.date or ""))):
            pen.text(sheet, row, k, words, text_wrap=True)
        number = number_format([float(n.value) for n in nodes])
        for k, node in enumerate(nodes):
            sheet.write_number(row, LIST_VALUE + k, float(node.value), pen.style(num_format=number, **INPUT))
    sheet.freeze_panes(1, 1)
    sheet.fit_to_pages(2, 0)
