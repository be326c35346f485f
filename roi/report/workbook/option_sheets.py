"""The sheets of months: an option's cost lines, their sums and how they come about; what options share; the checks."""

from itertools import accumulate, pairwise
from math import ceil
from typing import Any

from roi.economics.finance import ROUNDING, discount_factors
from roi.errors import first_of
from roi.report.layout.wording import kind_name
from roi.report.workbook.layout import CHECKS, COMMON, FIRST_MONTH, MONTH_ROW, letters, quoted
from roi.report.workbook.node import Node, under
from roi.report.workbook.pen import CENTS, GREY, HEAD, Pen, number_format
from roi.report.workbook.sheets import FIRST_LINE, SUMS, OptionSheet, Plan, starts

EXACT = 6
"""Decimal places of a difference of USD: what lies below is a sum's rounding, which would show as -0.00."""
TOLERANCE = f"{ROUNDING:f}"
HELPER = ";;;"
"""The format of what one cell alone looks up: nothing is shown."""
NAMED = 4
"""Facts that a check names."""


def write_option(pen: Pen, sheet: Any, p: Plan, each: OptionSheet) -> None:
    """An option's lines by month, their sums, and how they come about."""
    o = each.result
    where = "" if o.fleet is None else f"; {o.fleet.gpu} at {o.fleet.vendor}, {o.fleet.weight_dtype}"
    pen.months(sheet, o.label, f"{kind_name(o.kind)} ({o.id}){where}. USD; month 0 is set-up.")
    pv, staying = each.cell("Present value", 2, each.name), p.stay.cell("Present value", 2, each.name)
    pen.text(sheet, 2, 0, "NPV against staying, USD", bold=True)
    pen.cell(sheet, 2, 2, f"={staying}-{pv}", o.npv_usd, num_format=CENTS, bold=True)
    pen.text(sheet, 3, 0, "the same as roi computed it", italic=True, **GREY)
    sheet.write_number(3, 2, o.npv_usd, pen.style(num_format=CENTS, italic=True, **GREY))
    for row, ((line, nodes), told) in enumerate(zip(each.lines, o.lines, strict=True), start=FIRST_LINE):
        values = (told.upfront_usd, *told.monthly_usd)
        pen.text(sheet, row, 0, line.name)
        pen.text(sheet, row, 1, told.basis, **GREY)
        _total(pen, sheet, row, sum(values))
        for t, node in enumerate(nodes):
            pen.cell(sheet, row, FIRST_MONTH + t, p.layout.reference(node, each.name), values[t], num_format=CENTS)
    _sums(pen, sheet, p, each)
    pen.text(sheet, each.first_working - 1, 0, "How these figures come about", bold=True, font_size=12)
    _workings(pen, sheet, p, each.name)


def _sums(pen: Pen, sheet: Any, p: Plan, each: OptionSheet) -> None:
    """The sums below the lines; payback as the engine defines it, and the first month in which the option serves alone."""
    o, at = each.result, {name: each.line(name) + 1 for name in SUMS}
    values = _values(p, each)
    for name in SUMS:
        strong = {"bold": True, "top": 1} if name == "Total" else {}
        pen.text(sheet, at[name] - 1, 0, name, **strong)
        for t in range(pen.horizon + 1):
            formula = _formulas(p, each, letters(FIRST_MONTH + t), letters(FIRST_MONTH + t - 1) if t else "").get(name)
            if formula is not None:
                number = HELPER if name.startswith("Payback") else CENTS
                pen.cell(sheet, at[name] - 1, FIRST_MONTH + t, formula, values[name][t], num_format=number, **strong)
        if name in TOTALLED:
            _total(pen, sheet, at[name] - 1, sum(values[name]))
    for (name, of), months in zip(PAYBACKS.items(), (o.payback_months, o.payback_cash_months), strict=True):
        formula = f'=IF(${pen.last}{at[of]}<-{TOLERANCE},"never",MAX(E{at[name]}:{pen.last}{at[name]},0))'
        pen.cell(sheet, at[name] - 1, 2, formula, months_or_never(months), num_format="0.0", align="right", bold=True)
        pen.text(sheet, at[name] - 1, 1, "months", **GREY)
    live = starts(p.model, each.option)
    alone = f"=MIN(ROUNDUP({p.layout.reference(live, each.name)[1:]},0),{pen.horizon - 1})+1"
    month = min(ceil(live.value), pen.horizon - 1) + 1
    pen.cell(sheet, at["Serves alone from month"] - 1, 2, alone, month, num_format="0", bold=True)


TOTALLED = frozenset({"Total", "Wrong answers", "No cash", "Cash", "Present value", "Staying costs", "Saving"})
"""Sums whose months are added up."""
PAYBACKS = {"Payback": "Cumulative saving", "Payback, cash": "Cumulative saving, cash"}
"""Each payback, and the sum of which it is."""


def _formulas(p: Plan, each: OptionSheet, column: str, before: str) -> dict[str, str]:
    """The formulas of the sums in one column; `before` is the column of the month before, empty for month 0."""
    first, stay = FIRST_LINE + 1, p.stay
    at = {name: f"{column}{each.line(name) + 1}" for name in SUMS}
    was = {name: f"{before}{each.line(name) + 1}" for name in SUMS}

    def staying(name: str) -> str:
        return f"{'' if stay is each else quoted(stay.name) + '!'}{column}{stay.line(name) + 1}"

    def added(wanted: str) -> str:
        return "+".join(f"{column}{first + k}" for k, (line, _) in enumerate(each.lines) if getattr(line, wanted)) or "0"

    made = {
        "Total": f"=SUM({column}{first}:{column}{first + len(each.lines) - 1})",
        "Wrong answers": f"={added('is_error')}",
        "No cash": f"={added('no_cash')}",
        "Cash": f"=ROUND({at['Total']}-{at['Wrong answers']}-{at['No cash']},{EXACT})",
        "Present value": f"={at['Total']}*{COMMON}!{column}{first}",
        "Staying costs": f"={staying('Total')}",
        "Saving": f"=ROUND({at['Staying costs']}-{at['Total']},{EXACT})",
        "Cumulative saving": f"={at['Saving']}",
        "Cumulative saving, cash": f"=ROUND({staying('Cash')}-{at['Cash']},{EXACT})",
    }
    if before:
        for name, of in PAYBACKS.items():
            made[of] = f"=ROUND({was[of]}+{made[of][1:]},{EXACT})"
            part = f"IF({at[of]}>{was[of]},MIN(-{was[of]}/({at[of]}-{was[of]}),1),1)"
            made[name] = f"=IF({was[of]}<-{TOLERANCE},{column}${MONTH_ROW + 1}-1+{part},0)"
    return made


def _values(p: Plan, each: OptionSheet) -> dict[str, list[float]]:
    """The sums as they are now, by month end 0..H, for readers that do not calculate."""

    def added(sheet: OptionSheet, wanted: str = "") -> list[float]:
        lines = [(told.upfront_usd, *told.monthly_usd) for (line, _), told in zip(sheet.lines, sheet.result.lines, strict=True)
                 if not wanted or getattr(line, wanted)]
        return [sum(month) for month in zip(*lines, strict=True)] or [0.0] * (p.model.trace.horizon + 1)

    total, wrong, no_cash = added(each), added(each, "is_error"), added(each, "no_cash")
    staying, staying_wrong = added(p.stay), added(p.stay, "is_error")
    factors = (1.0, *discount_factors(p.model.shared.discount_rate, p.model.trace.horizon).tolist())
    saving = [a - b for a, b in zip(staying, total, strict=True)]
    in_cash = [s + a + n - b for s, a, n, b in zip(saving, wrong, no_cash, staying_wrong, strict=True)]
    saved = {"Cumulative saving": list(accumulate(saving)), "Cumulative saving, cash": list(accumulate(in_cash))}
    return {
        "Total": total,
        "Wrong answers": wrong,
        "No cash": no_cash,
        "Cash": [a - b - c for a, b, c in zip(total, wrong, no_cash, strict=True)],
        "Present value": [a * b for a, b in zip(total, factors, strict=True)],
        "Staying costs": staying,
        "Saving": saving,
        **saved,
        **{name: _paid_back(saved[of]) for name, of in PAYBACKS.items()},
    }


def _paid_back(cumulative: list[float]) -> list[float]:
    """In each month that follows a negative one: the moment at which a straight line reaches zero, at most its end."""
    made = [0.0]
    for t, (was, now) in enumerate(pairwise(cumulative)):
        made.append(t + (min(-was / (now - was), 1.0) if now > was else 1.0) if was < -ROUNDING else 0.0)
    return made


def months_or_never(months: float) -> float | str:
    """A payback as the workbook writes it."""
    return "never" if months == float("inf") else months


def _total(pen: Pen, sheet: Any, row: int, value: float) -> None:
    pen.cell(sheet, row, 2, f"=SUM(D{row + 1}:{pen.last}{row + 1})", value, num_format="#,##0;[Red]-#,##0;-", bold=True)


def write_common(pen: Pen, sheet: Any, p: Plan) -> None:
    """What several options rest on."""
    pen.months(sheet, "Common", "What several options rest on. In brackets: the engine's function that makes the figure.")
    pen.text(sheet, FIRST_LINE, 0, "Discount factor")
    factors = (1.0, *discount_factors(p.model.shared.discount_rate, pen.horizon).tolist())
    for t, node in enumerate(p.discount):
        pen.cell(sheet, FIRST_LINE, FIRST_MONTH + t, p.layout.reference(node, COMMON), factors[t], num_format="0.0000")
    _workings(pen, sheet, p, COMMON)


def write_checks(pen: Pen, sheet: Any, p: Plan) -> None:
    """The branches on which the formulas rest: each TRUE while roi would take the same one."""
    told = "A line that begins or ends, a price tier that is left: where a check is FALSE, roi takes another branch."
    pen.months(sheet, "Checks", told)
    pen.text(sheet, MONTH_ROW, 1, "holds", **HEAD)
    sheet.set_column(0, 0, 90)
    for row, (node, wanted, where) in enumerate(p.guards, start=FIRST_LINE):
        pen.text(sheet, row, 0, f"{facts_behind(node)} ({where})")
        text = p.layout.reference(node, CHECKS)[1:]
        pen.cell(sheet, row, 1, f"=NOT(NOT({text}))" if wanted else f"=NOT({text})", True, align="center")
    _workings(pen, sheet, p, CHECKS)


def facts_behind(node: Node) -> str:
    """The facts that a number follows from, the first few by name."""
    return first_of(sorted({str(each.args[0]) for each in under([node]) if each.op == "fact"}), NAMED)


def _workings(pen: Pen, sheet: Any, p: Plan, name: str) -> None:
    """The rows of figures that lines follow from."""
    for row in (each for each in p.layout.rows if each.sheet == name):
        made_by = f"({row.made_by})" if row.made_by else "(working)"
        pen.text(sheet, row.at, 0, row.label or made_by, **({} if row.label else GREY))
        number = number_format([float(n.value) for n in row.cells.values()])
        for column, node in row.cells.items():
            own = p.layout.place.get(node) == (row, column)
            text = p.layout.formula(node, name) if own else p.layout.reference(node, name)
            pen.cell(sheet, row.at, column, text, node.value, num_format=number)
