"""A comparison as a workbook with live formulas, made with XlsxWriter.

Summary: what each option costs and returns. Assumptions: every fact that moves the answer, in a named cell. A sheet an option:
its cost lines by month, and below them how they come about. Common: what several options rest on. Checks: the branches that
the engine took at these values, on which the formulas rest.
"""

from datetime import datetime, time
from io import BytesIO
from typing import Any, Final

from roi import __version__
from roi.economics.decision.comparison import Comparison
from roi.errors import InputError, needs
from roi.report.layout.blocks import printable
from roi.report.workbook.assumption_sheets import write_assumptions, write_lists
from roi.report.workbook.layout import CHECKS, COMMON
from roi.report.workbook.option_sheets import write_checks, write_common, write_option
from roi.report.workbook.pen import Pen
from roi.report.workbook.sheets import ASSUMPTIONS, LISTS, SUMMARY, Plan, plan
from roi.report.workbook.summary_sheet import write_summary
from roi.report.workbook.tracing import trace_comparison

MOST: Final = 4_000
"""Options x months of a workbook; each makes about fifteen cells."""
A4: Final = 9


def comparison_workbook(c: Comparison) -> bytes:
    """The workbook of a comparison. InputError where it has too many options; MissingExtra without XlsxWriter."""
    months = int(c.case["horizon_months"].number())
    if len(c.options) * months > MOST:
        raise InputError(f"--xlsx: {len(c.options):,} options over {months} months are too many for a workbook; options x"
                         f" months may be {MOST:,}. Name fewer candidates, or take --csv, which has no such limit")
    with needs("report", "XlsxWriter"):
        import xlsxwriter
    file = BytesIO()
    as_words = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, as_words) as workbook:
        workbook.set_properties({  # no name of a user, and the same bytes for the same comparison
            "title": printable(str(c.case["title"].value))[:200], "comments": f"roi {__version__}",
            "created": datetime.combine(datetime.fromisoformat(str(c.case["as_of"].value)), time())})
        workbook.worksheet_class = _as_they_are(workbook.worksheet_class)
        _write(workbook, plan(c, trace_comparison(c)))
    return file.getvalue()


def _as_they_are(sheet: Any) -> Any:  # Any: XlsxWriter's class, which has no types
    """The class of sheets, which writes formulas as they are: each is else searched for 29 newer functions, none of them ours.

    That is two fifths of what a workbook takes.
    """

    class Sheet(sheet):  # type: ignore[misc]  # a class that is known when it runs
        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:  # noqa: ARG002 -- XlsxWriter's
            return formula.removeprefix("=")

    return Sheet


def _write(workbook: Any, p: Plan) -> None:
    """All sheets, in the order in which they are read."""
    pen = Pen(workbook, p.model.trace.horizon)
    options = {each.name: each for each in p.options}
    sheets = {}
    for name in (SUMMARY, ASSUMPTIONS, *options, COMMON, *([LISTS] if p.lists else []), CHECKS):
        sheet = sheets[name] = workbook.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&8&F, &A&R&8&P of &N")
        sheet.hide_gridlines(2)
        if name in options:
            sheet.set_tab_color("#4472C4")
    write_summary(pen, sheets[SUMMARY], p)
    write_assumptions(pen, sheets[ASSUMPTIONS], p)
    for name, each in options.items():
        write_option(pen, sheets[name], p, each)
    write_common(pen, sheets[COMMON], p)
    if p.lists:
        write_lists(pen, sheets[LISTS], p)
    write_checks(pen, sheets[CHECKS], p)
