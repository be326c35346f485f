"""A comparison as a workbook with live formulas, made with XlsxWriter.

Summary: what each option costs and returns. Assumptions: every fact that moves the answer, in a named cell. A sheet an option:
its cost lines by month, and below them how they come about. Common: what several options rest on. Checks: the branches that
the engine took at these values, and on which the formulas rest.
"""

from datetime import datetime, time
from io import BytesIO
from typing import Any, Final

from roi.economics.decision.comparison import Comparison
from roi.economics.finance import LARGEST_RATE, NOTHING, discount_factors
from roi.errors import InputError, MissingExtra
from roi.report.comparison.advice import advice
from roi.report.comparison.screen import alerts, head
from roi.report.layout.blocks import printable, render
from roi.facts.case import PER_YEAR, SHARE
from roi.report.layout.wording import KINDS, fact_name
from roi.report.workbook.assumptions import Assumption, heading_of
from roi.report.workbook.layout import CHECKS, COMMON, FIRST_MONTH, MONTH_ROW, Row, letters, quoted
from roi.report.workbook.node import Node
from roi.report.workbook.sheets import (
    ASSUMPTIONS,
    FIRST_LINE,
    LIST_VALUE,
    LISTS,
    SUMMARY,
    SUMS,
    OptionSheet,
    Plan,
    fixed,
    plan,
    rows_of,
    starts,
)
from roi.report.workbook.tracing import trace_comparison

MOST_CELLS: Final = 4_000
"""Options x months of a workbook; each makes some hundred cells."""
TOLERANCE: Final = "0.000001"
"""USD that counts as zero in a payback, as in the engine."""
NOT_HELD: Final = "At these assumptions roi would take another branch than the one that these formulas follow: see Checks, and run roi."

Format = Any
"""XlsxWriter's format."""


def comparison_workbook(c: Comparison, version: str) -> bytes:
    """The workbook of a comparison. InputError where it has too many options; MissingExtra without XlsxWriter."""
    months = int(c.case["horizon_months"].number())
    if len(c.options) * months > MOST_CELLS:
        raise InputError(
            f"--xlsx: {len(c.options):,} options over {months} months are too many for a workbook; options x months may be"
            f" {MOST_CELLS:,}. Name fewer candidates, or take --csv, which has no such limit"
        )
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtra("report", "XlsxWriter") from error
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        when = str(c.case["as_of"].value)
        workbook.set_properties({"title": printable(str(c.case["title"].value))[:200], "comments": f"roi {version}",
                                 "created": datetime.combine(datetime.fromisoformat(when), time())})
        Book(workbook, plan(c, trace_comparison(c))).write(version)
    return file.getvalue()


class Book:
    """The sheets as they are written."""

    def __init__(self, workbook: Any, p: Plan) -> None:
        self.workbook, self.plan, self.formats = workbook, p, dict[tuple[tuple[str, object], ...], Format]()
        self.horizon = p.model.trace.horizon
        self.last = letters(FIRST_MONTH + self.horizon)
        """The column of the last month."""

    def write(self, version: str) -> None:
        """All sheets, in the order in which they are read."""
        p = self.plan
        names = [SUMMARY, ASSUMPTIONS, *(each.name for each in p.options), COMMON, *([LISTS] if p.lists else []), CHECKS]
        sheets = {name: self.workbook.add_worksheet(name) for name in names}
        for name, sheet in sheets.items():
            sheet.set_landscape()
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
            sheet.set_footer("&L&8&F, &A&R&8&P of &N")
            sheet.hide_gridlines(2)
            if name in {each.name for each in p.options}:
                sheet.set_tab_color("#4472C4")
        self.summary(sheets[SUMMARY], version)
        self.assumptions(sheets[ASSUMPTIONS])
        for each in p.options:
            self.option(sheets[each.name], each)
        self.common(sheets[COMMON])
        if p.lists:
            self.lists(sheets[LISTS])
        self.checks(sheets[CHECKS])

    def style(self, **kind: object) -> Format:
        """A format, made once."""
        made = {"font_name": "Calibri", "font_size": 10, "valign": "top", **kind}
        key = tuple(sorted(made.items()))
        if key not in self.formats:
            self.formats[key] = self.workbook.add_format(made)
        return self.formats[key]

    @property
    def head(self) -> Format:
        """Of a table's heading."""
        return self.style(bold=True, bottom=1, bg_color="#DDE6F3", text_wrap=True, align="center")

    def text(self, sheet: Any, row: int, column: int, words: str, form: Format | None = None) -> None:
        """Words as words: never a formula, a link or a control character."""
        sheet.write_string(row, column, printable(words)[:32_000], form or self.style())

    # --- one sheet each

    def summary(self, sheet: Any, version: str) -> None:
        """What each option costs and returns, and what a workbook cannot do."""
        p, c = self.plan, self.plan.comparison
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 2, 14)
        sheet.set_column(3, 17, 12)
        self.text(sheet, 0, 0, str(c.case["title"].value), self.style(bold=True, font_size=14))
        row = 1
        for line in render([*head(c)[1:], *alerts(c), *advice(c)], width=150).splitlines():
            if line.strip():
                self.text(sheet, row, 0, line, self.style(bold=line.startswith(BOLD)))
                row += 1
        row += 1
        self.text(sheet, row, 0, "Every option, at the assumptions of this workbook", self.style(bold=True, font_size=12))
        self.text(sheet, row, len(LIVE), "Computed by roi from its draws; they do not follow the cells", self.style(italic=True))
        row += 1
        sheet.set_row(row, 45)
        for k, name in enumerate((*LIVE, *DRAWN)):
            self.text(sheet, row, k, name, self.head)
        for each in p.options:
            row += 1
            self._summary_row(sheet, row, each)
        row += 2
        checks = f"{CHECKS}!$B$4:$B${3 + max(len(p.guards), 1)}"
        sheet.write_formula(row, 0, f'=IF(AND({checks}),"All checks hold: the formulas follow roi.","{NOT_HELD}")',
                            self.style(bold=True), "All checks hold: the formulas follow roi.")
        sheet.conditional_format(row, 0, row, 0, {"type": "text", "criteria": "begins with", "value": "At these",
                                                  "format": self.workbook.add_format({"font_color": "#C00000"})})
        for each in c.infeasible:
            row += 1
            self.text(sheet, row, 0, f"Cannot work: {each.label}: {each.reason}")
        row += 1
        for line in self._limits(version):
            row += 1
            self.text(sheet, row, 0, line, self.style(font_color="#595959"))
        sheet.freeze_panes(1, 1)

    def _summary_row(self, sheet: Any, row: int, each: OptionSheet) -> None:
        o, money, stay = each.result, "#,##0;[Red]-#,##0;0", each.result.id == "stay"
        sheet.write_url(row, 0, f"internal:{quoted(each.name)}!A1", self.style(font_color="#1F4E79", underline=1), printable(o.label))
        self.text(sheet, row, 1, KINDS.get(o.kind, o.kind))
        self.text(sheet, row, 2, "in use" if stay else "tested" if o.tested else "not tested")
        wrong, cash = (f"{quoted(each.name)}!$E${each.line(n) + 1}:${self.last}${each.line(n) + 1}" for n in ("Wrong answers", "Cash"))
        months = f"{quoted(each.name)}!$E${MONTH_ROW + 1}:${self.last}${MONTH_ROW + 1}"
        alone = each.cell("Serves alone from month", 2)
        own, staying = (self._worth(sheet_, "Wrong answers") for sheet_ in (each, self.plan.stay))
        figures: list[tuple[str, object, str]] = [
            (f"={each.cell('Total', FIRST_MONTH)}", o.upfront_usd, money),
            (f'=AVERAGEIF({months},">="&{alone},{cash})', o.cash_monthly_usd, money),
            (f'=AVERAGEIF({months},">="&{alone},{wrong})', o.errors_monthly_usd, money),
            (f"={quoted(each.name)}!$C$3", o.npv_usd, money),
            (f"={quoted(each.name)}!$C$3+{own}-{staying}", o.npv_without_errors_usd, money),
            (f"={each.cell('Payback', 2)}", months_or_never(o.payback_months), "0.0"),
            (f"={each.cell('Payback, cash', 2)}", months_or_never(o.payback_cash_months), "0.0"),
            (self._irr(each), "none" if o.irr is None else o.irr, "0.0%"),
            (f"={each.cell('Total', 2)}", o.tco_usd, money),
        ]
        for k, (formula, value, number) in enumerate(figures, start=3):
            if stay and k in {6, 7, 8, 9, 10}:
                self.text(sheet, row, k, "-", self.style(align="right"))
            else:
                sheet.write_formula(row, k, formula, self.style(num_format=number, align="right"), value)
        drawn = self.style(num_format=money, italic=True, font_color="#595959", align="right")
        share = self.style(num_format="0%", italic=True, font_color="#595959", align="right")
        values = (o.expected_npv_usd if o.npv_p10_p50_p90 else None, *(o.npv_p10_p50_p90 or (None,) * 3),
                  o.probability_npv_positive, o.probability_best)
        for k, (value, form) in enumerate(zip(values, (drawn,) * 4 + (share,) * 2, strict=True), start=len(LIVE)):
            if value is None or stay:
                self.text(sheet, row, k, "-", self.style(align="right"))
            else:
                sheet.write_number(row, k, value, form)

    def _worth(self, each: OptionSheet, name: str) -> str:
        """Present value of one of an option's sums."""
        line = each.line(name) + 1
        return (f"SUMPRODUCT({quoted(each.name)}!$D${line}:${self.last}${line},"
                f"{COMMON}!$D${FIRST_LINE + 1}:${self.last}${FIRST_LINE + 1})")

    def _irr(self, each: OptionSheet) -> str:
        line = each.line("Saving") + 1
        flows = f"{quoted(each.name)}!$D${line}:${self.last}${line}"
        guess = 0.01 if each.result.irr is None else (1.0 + each.result.irr) ** (1.0 / 12.0) - 1.0
        first, last = f"{quoted(each.name)}!$D${line}", f"{quoted(each.name)}!${self.last}${line}"
        there = f"AND(MIN({flows})<-{NOTHING:.9f},MAX({flows})>{NOTHING:.9f},{first}*{last}<=0)"
        rate = f"(1+IRR({flows},{guess:.15g}))^12-1"
        return f'=IF({there},IFERROR(IF({rate}<{LARGEST_RATE:.0f},{rate},"none"),"none"),"none")'

    def _limits(self, version: str) -> list[str]:
        p = self.plan
        plans = [f"{each.result.label}: {each.result.fleet.gpu} at {each.result.fleet.vendor}"
                 + (f", {each.option.replicas_fixed:g} replicas" if isinstance(each.option.replicas_fixed, int) else "")
                 for each in p.options if each.result.fleet is not None]
        held = ", ".join(fixed(p))
        return [
            "What follows the cells: every cost line by month, NPV, payback and IRR. Blue on yellow: assumptions to change. Black: formulas.",
            "Central values: NPV here is that of roi compare --draws 0. Its mean, P10 to P90 and chances come from draws, and stay as computed.",
            "Not recalculated here: which option can work, which is recommended, the cheapest plan and the size of a hybrid's floor."
            + (f" They are fixed as chosen: {'; '.join(plans)}." if plans else ""),
            f"Fixed, since the formulas hold for this value alone: {held}. Change them in the scenario.",
            "What a replay, a catalog or a dry run works out (capacity at the SLO, training hours, memory) is an assumption here;"
            " lengths, models and cards change it in the scenario.",
            f"Made by roi {version} from facts as of {p.comparison.case['as_of'].value}.",
        ]

    def assumptions(self, sheet: Any) -> None:
        """Every fact that moves the answer, in a named cell, with its spread, source and date."""
        p = self.plan
        for column, width in enumerate((46, 58, 15, 12, 12, 14, 11, 70, 11)):
            sheet.set_column(column, column, width)
        self.text(sheet, 0, 0, "Assumptions", self.style(bold=True, font_size=14))
        self.text(sheet, 1, 0, "Change a blue value: every sheet follows. Low and high are the 5th and 95th percentile that roi draws from;"
                               " they move nothing here. The name of a cell is its path with _ for other signs.", self.style(italic=True))
        for k, name in enumerate(("assumption", "path in the case", "value", "low", "high", "unit", "basis", "source", "date")):
            self.text(sheet, 2, k, name, self.head)
        row, group = 3, ""
        for each in p.single:
            if (heading := heading_of(each.path)) != group:
                group = heading
                self.text(sheet, row, 0, group, self.style(bold=True, bg_color="#F2F2F2"))
                for k in range(1, 9):
                    sheet.write_blank(row, k, None, self.style(bg_color="#F2F2F2"))
                row += 1
            self._assumption(sheet, row, each)
            self.workbook.define_name(each.name, f"={ASSUMPTIONS}!$C${row + 1}")
            row += 1
        self.text(sheet, row, 0, "Fixed in this workbook: change them in the scenario", self.style(bold=True, bg_color="#F2F2F2"))
        for path in fixed(p):
            row += 1
            fact = p.comparison.case[path]
            self._assumption(sheet, row, Assumption(None, path, fact_name(path), "", fact, fact.number()))
        sheet.freeze_panes(3, 1)
        sheet.repeat_rows(2)

    def _assumption(self, sheet: Any, row: int, each: Assumption) -> None:
        number = number_format([each.value], each.fact.unit)
        form = {"num_format": number, "align": "right"}
        live = {"font_color": "#0000FF", "bg_color": "#FFFFE5"} if each.node is not None else {}
        self.text(sheet, row, 0, each.label)
        self.text(sheet, row, 1, each.path, self.style(font_color="#595959"))
        sheet.write_number(row, 2, each.value, self.style(**form, **live))
        for k, end in ((3, each.fact.low), (4, each.fact.high)):
            if end is not None:
                sheet.write_number(row, k, end, self.style(**{**form, "num_format": number_format([end], each.fact.unit)}))
        for k, words in ((5, each.fact.unit), (6, each.fact.basis), (7, each.fact.source), (8, str(each.fact.date or ""))):
            self.text(sheet, row, k, words)

    def option(self, sheet: Any, each: OptionSheet) -> None:
        """An option's lines by month, their sums, and how they come about."""
        o, p = each.result, self.plan
        where = "" if o.fleet is None else f"; {o.fleet.gpu} at {o.fleet.vendor}, {o.fleet.weight_dtype}"
        self._months(sheet, o.label, f"{KINDS.get(o.kind, o.kind)} ({o.id}){where}. USD; month 0 is set-up.")
        pv, staying = each.cell("Present value", 2, each.name), p.stay.cell("Present value", 2, each.name)
        money = self.style(num_format="#,##0.00;[Red]-#,##0.00", bold=True)
        self.text(sheet, 2, 0, "NPV against staying, USD", self.style(bold=True))
        sheet.write_formula(2, 2, f"={staying}-{pv}", money, o.npv_usd)
        self.text(sheet, 3, 0, "NPV as roi computed it", self.style(italic=True, font_color="#595959"))
        sheet.write_number(3, 2, o.npv_usd, self.style(num_format="#,##0.00;[Red]-#,##0.00", italic=True, font_color="#595959"))
        for k, ((line, nodes), told) in enumerate(zip(each.lines, o.lines, strict=True)):
            row = FIRST_LINE + k
            self.text(sheet, row, 0, line.name)
            self.text(sheet, row, 1, told.basis, self.style(font_color="#595959"))
            values = (told.upfront_usd, *told.monthly_usd)
            self._total(sheet, row, sum(values))
            for t, node in enumerate(nodes):
                self._cell(sheet, row, FIRST_MONTH + t, p.layout.reference(node, each.name), values[t], "#,##0.00;[Red]-#,##0.00;-")
        self._sums(sheet, each)
        self.text(sheet, each.first_working - 1, 0, "How these figures come about", self.style(bold=True, font_size=12))
        self._workings(sheet, each.name)

    def _sums(self, sheet: Any, each: OptionSheet) -> None:
        """The sums below the lines; payback as the engine defines it, and the first month in which the option serves alone."""
        p, o, first = self.plan, each.result, FIRST_LINE + 1
        errors = [first + k for k, (line, _) in enumerate(each.lines) if line.is_error]
        no_cash = [first + k for k, (line, _) in enumerate(each.lines) if line.no_cash]
        at = {name: each.line(name) + 1 for name in SUMS}
        stay = p.stay

        def staying(name: str, column: str) -> str:
            return f"{'' if stay is each else quoted(stay.name) + '!'}{column}{stay.line(name) + 1}"

        def added(lines: list[int], column: str) -> str:
            return "+".join(f"{column}{line}" for line in lines) or "0"

        def formulas(column: str, before: str | None) -> dict[str, str]:
            gained = f"{column}{at['Saving']}"
            errors_saved = f"{column}{at['Wrong answers']}-{staying('Wrong answers', column)}"
            made = {
                "Total": f"=SUM({column}{first}:{column}{first + len(each.lines) - 1})",
                "Wrong answers": f"={added(errors, column)}", "No cash": f"={added(no_cash, column)}",
                "Cash": f"={column}{at['Total']}-{column}{at['Wrong answers']}-{column}{at['No cash']}",
                "Present value": f"={column}{at['Total']}*{COMMON}!{column}{first}",
                "Staying costs": f"={staying('Total', column)}", "Saving": f"={column}{at['Staying costs']}-{column}{at['Total']}",
                "Cumulative saving": f"={gained}" if before is None else f"={before}{at['Cumulative saving']}+{gained}",
                "Cumulative saving, cash": f"={gained}+{errors_saved}" if before is None else
                f"={before}{at['Cumulative saving, cash']}+{gained}+{errors_saved}",
            }
            if before is not None:
                for name, of in (("Payback", "Cumulative saving"), ("Payback, cash", "Cumulative saving, cash")):
                    was, now = f"{before}{at[of]}", f"{column}{at[of]}"
                    part = f"IF({now}>{was},MIN(-{was}/({now}-{was}),1),1)"
                    made[name] = f"=IF({was}<-{TOLERANCE},{column}${MONTH_ROW + 1}-1+{part},0)"
            return made

        bold = {"bold": True, "top": 1}
        for name in SUMS:
            self.text(sheet, at[name] - 1, 0, name, self.style(**(bold if name == "Total" else {})))
        for t in range(self.horizon + 1):
            column = letters(FIRST_MONTH + t)
            for name, formula in formulas(column, letters(FIRST_MONTH + t - 1) if t else None).items():
                form = self.style(num_format="0.00;-0.00;" if name.startswith("Payback") else "#,##0.00;[Red]-#,##0.00;-",
                                  **(bold if name == "Total" else {}))
                sheet.write_formula(at[name] - 1, FIRST_MONTH + t, formula, form, "")
        for name in ("Total", "Wrong answers", "No cash", "Cash", "Present value", "Staying costs", "Saving"):
            self._total(sheet, at[name] - 1, o.pv_cost_usd if name == "Present value" else o.tco_usd if name == "Total" else None)
        for name, of, value in (("Payback", "Cumulative saving", o.payback_months),
                                ("Payback, cash", "Cumulative saving, cash", o.payback_cash_months)):
            ends = f"${self.last}{at[of]}<-{TOLERANCE}"
            sheet.write_formula(at[name] - 1, 2, f'=IF({ends},"never",MAX(E{at[name]}:{self.last}{at[name]},0))',
                                self.style(num_format="0.0", align="right"), months_or_never(value))
            self.text(sheet, at[name] - 1, 1, "months", self.style(font_color="#595959"))
        live = p.layout.reference(starts(p.model, each.option)[0], each.name)[1:]
        sheet.write_formula(at["Serves alone from month"] - 1, 2, f"=MIN(ROUNDUP({live},0),{self.horizon - 1})+1",
                            self.style(num_format="0"), "")

    def _total(self, sheet: Any, row: int, value: float | None) -> None:
        span = f"=SUM(D{row + 1}:{self.last}{row + 1})"
        sheet.write_formula(row, 2, span, self.style(num_format="#,##0;[Red]-#,##0;-", bold=True), "" if value is None else value)

    def common(self, sheet: Any) -> None:
        """What several options rest on."""
        p = self.plan
        self._months(sheet, "Common", "What several options rest on. In brackets: the engine's function that makes the figure.")
        self.text(sheet, FIRST_LINE, 0, "Discount factor")
        values = (1.0, *discount_factors(p.model.shared.discount_rate, self.horizon))
        for t, node in enumerate(p.discount):
            self._cell(sheet, FIRST_LINE, FIRST_MONTH + t, p.layout.reference(node, COMMON), float(values[t]), "0.0000")
        self._workings(sheet, COMMON)

    def _months(self, sheet: Any, title: str, told: str) -> None:
        """A sheet's title, and the row of months."""
        sheet.set_column(0, 0, 46)
        sheet.set_column(1, 1, 16)
        sheet.set_column(2, 2, 14)
        sheet.set_column(FIRST_MONTH, FIRST_MONTH + self.horizon, 11.5)
        self.text(sheet, 0, 0, title, self.style(bold=True, font_size=14))
        self.text(sheet, 1, 0, told, self.style(italic=True))
        for k, name in enumerate(("month", "", "total")):
            self.text(sheet, MONTH_ROW, k, name, self.head)
        for t in range(self.horizon + 1):
            sheet.write_number(MONTH_ROW, FIRST_MONTH + t, t, self.head)
        sheet.freeze_panes(MONTH_ROW + 1, 1)
        sheet.repeat_rows(MONTH_ROW)
        sheet.repeat_columns(0)

    def _workings(self, sheet: Any, name: str) -> None:
        for row in rows_of(self.plan, name):
            self._working(sheet, row, name)

    def _working(self, sheet: Any, row: Row, name: str) -> None:
        """A row of figures that lines follow from."""
        layout, made_by = self.plan.layout, f"({row.made_by})" if row.made_by else "(working)"
        self.text(sheet, row.at, 0, row.label or made_by, self.style(font_color="#000000" if row.label else "#7F7F7F"))
        number = number_format([float(n.value) for n in row.cells.values()])
        for column, node in row.cells.items():
            own = layout.place.get(node) == (row, column)
            text = layout.formula(node, name) if own else layout.reference(node, name)
            self._cell(sheet, row.at, column, text, node.value, number)

    def _cell(self, sheet: Any, row: int, column: int, formula: str, value: float | bool, number: str) -> None:
        """A formula with its value; a plain number where nothing moves it."""
        form = self.style(num_format=number)
        plain = formula[1:]
        if plain in {"TRUE", "FALSE"}:
            sheet.write_boolean(row, column, plain == "TRUE", form)
        elif plain.replace(".", "", 1).replace("-", "", 1).isdigit():
            sheet.write_number(row, column, float(plain), form)
        else:
            sheet.write_formula(row, column, formula, form, value)

    def lists(self, sheet: Any) -> None:
        """The facts that are lists: one a row."""
        p = self.plan
        for column, width in enumerate((30, 30, 14, 60, 11)):
            sheet.set_column(column, column, width)
        for k, name in enumerate(("list", "path in the case", "unit", "source", "date", "values")):
            self.text(sheet, 0, k, name, self.head)
        for row, (path, nodes) in enumerate(p.lists.items(), start=1):
            fact = p.comparison.case[path]
            for k, words in enumerate((fact_name(path), path, fact.unit, fact.source, str(fact.date or ""))):
                self.text(sheet, row, k, words)
            number = number_format([float(n.value) for n in nodes])
            for k, node in enumerate(nodes):
                sheet.write_number(row, LIST_VALUE + k, float(node.value),
                                   self.style(num_format=number, font_color="#0000FF", bg_color="#FFFFE5"))
        sheet.freeze_panes(1, 1)

    def checks(self, sheet: Any) -> None:
        """The branches on which the formulas rest: each TRUE while roi would take the same one."""
        p = self.plan
        sheet.set_column(0, 0, 90)
        sheet.set_column(1, 1, 10)
        sheet.set_column(2, FIRST_MONTH + self.horizon, 11.5)
        self.text(sheet, 0, 0, "Checks", self.style(bold=True, font_size=14))
        self.text(sheet, 1, 0, "A line that begins or ends, a price tier that is left: where a check is FALSE, roi would add or drop"
                               " something that these formulas do not.", self.style(italic=True))
        for k, name in enumerate(("what the branch follows from (the engine's function)", "holds")):
            self.text(sheet, 2, k, name, self.head)
        for row, (node, wanted, where) in enumerate(p.guards, start=3):
            self.text(sheet, row, 0, f"{facts_behind(node)} ({where})")
            text = p.layout.reference(node, CHECKS)[1:]
            sheet.write_formula(row, 1, f"=NOT(NOT({text}))" if wanted else f"=NOT({text})", self.style(align="center"), True)
        if not p.guards:
            sheet.write_boolean(3, 1, True)
        if self.plan.layout.rows:
            for t in range(self.horizon + 1):
                sheet.write_number(MONTH_ROW, FIRST_MONTH + t, t, self.style(font_color="#7F7F7F"))
        self._workings(sheet, CHECKS)
        sheet.freeze_panes(3, 1)


LIVE: Final = ("option", "kind", "tested", "set-up, USD", "cash a month, USD", "wrong answers a month, USD", "NPV, USD",
               "NPV on cash alone, USD", "payback, months", "payback on cash, months", "IRR a year", "total cost, USD")
DRAWN: Final = ("mean NPV, USD", "P10", "P50", "P90", "chance to beat staying", "chance to be best")
BOLD: Final = ("DO NOW", "STAY", "MEASURE FIRST", "CORRECT FIRST", "THEN", "NOT YET", "ELSE")


def months_or_never(months: float) -> float | str:
    """A payback as the workbook writes it."""
    return "never" if months == float("inf") else months


def number_format(values: list[float], unit: str = "") -> str:
    """A number format that shows what the values hold, without false zeros."""
    if unit in {SHARE, PER_YEAR}:
        return "0.0%" if all(round(x, 3) == x for x in values) else "0.00%"
    size = max((abs(x) for x in values), default=0.0)
    if all(float(x).is_integer() for x in values):
        return "#,##0"
    return "#,##0.00" if size >= 100 else "0.0000" if size >= 0.01 else "0.00E+00"


def facts_behind(node: Node) -> str:
    """The facts that a number follows from, the first few by name."""
    found: dict[str, None] = {}
    seen: set[Node] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if each.op == "fact":
            found[str(each.args[0])] = None
        waiting.extend(each.nodes)
    names = sorted(found)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
