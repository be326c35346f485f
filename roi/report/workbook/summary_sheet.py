"""The first sheet: the verdict's words, what each option costs and returns, and what a workbook cannot do."""

from typing import Any

from roi import __version__
from roi.economics.decision.recommendation import chance
from roi.economics.finance import LARGEST_RATE, NOTHING
from roi.report.comparison.advice import advice
from roi.report.comparison.option_figures import compared_with, counted, drawn, month_of, npv_of, quality
from roi.report.comparison.remarks.alerts import alerts
from roi.report.comparison.screen import head
from roi.report.layout.blocks import printable, render
from roi.report.layout.wording import kind_name, number_of
from roi.report.workbook.assumption_sheets import CHANGED
from roi.report.workbook.layout import CHECKS, COMMON, FIRST_MONTH, MONTH_ROW, quoted
from roi.report.workbook.option_sheets import months_or_never
from roi.report.workbook.pen import GREY, MONEY, Pen
from roi.report.workbook.sheets import FIRST_LINE, OptionSheet, Plan, fixed

LIVE = (
    "option", "kind", "tested", "set-up, USD", "cash a month, USD", "wrong answers a month, USD", "NPV with wrong answers, USD",
    "NPV without wrong answers, USD", "payback with wrong answers, months", "payback on cash, months",
    "IRR a year, with wrong answers", "total cost, USD",
)
DRAWN = ("mean NPV, {}, USD", "P10, {}", "P50, {}", "P90, {}", "chance to beat staying, {}", "chance to be best, {}")
"""Labels of the figures over the draws; the braces hold what the verdict counts."""
LINE, IN_A_LINE = 13.5, 10
"""Points of a line of text, and characters that surely fit in one of a narrow column."""
AGAINST = range(6, 11)
"""Columns that compare with staying, and are empty for it."""
HOLD = "All checks hold: the formulas follow roi, but for what the notes below keep as it is."
KEPT = (
    "All checks hold, but {} changed: which option is recommended, the plans, floors and fleets are kept as roi chose them"
    " before, and roi compare at these values may choose better ones."
)
"""Where values were changed; {} is how many."""
WORDS = "What roi said at the assumptions as it had them; these words follow no cell."
SINCE = "Since changed: {}. The words below are of the assumptions as roi had them: roi compare says them anew."
BROKEN = "At these assumptions roi takes another branch than these formulas: see the sheet Checks, and run roi with them."


def write_summary(pen: Pen, sheet: Any, p: Plan) -> None:
    """The summary; its figures are formulas, those that follow from draws, where there are any, are numbers, and said to be."""
    c = p.comparison
    heads = DRAWN if drawn(c) else ()
    last = len(LIVE) + len(heads) - 1
    for column, width in ((0, 31), (1, 19), (2, 10)):
        sheet.set_column(column, column, width)
    sheet.set_column(3, last, 11)
    pen.title(sheet, str(c.case["title"].value))
    pen.cell(sheet, 1, 0, f'=IF({CHANGED}=0,"{WORDS}",{_with_count(SINCE)})', WORDS, italic=True, **GREY)
    row = 2
    for line in render([*head(c)[1:], *alerts(c), *advice(c)], width=150).splitlines():
        if line.strip():
            pen.text(sheet, row, 0, line, bold=line[0].isupper() and line[:3].isupper())
            row += 1
    row += 1
    pen.text(sheet, row, 0, "Every option, at the assumptions of this workbook", bold=True, font_size=12)
    if heads:
        pen.text(sheet, row, len(LIVE), "Computed by roi from its draws; they do not follow the cells", italic=True, **GREY)
    row += 1
    shown = (*LIVE, *(each.format(counted(c)) for each in heads))
    sheet.set_row(row, LINE * max(-(-len(name) // IN_A_LINE) for name in shown))
    pen.heads(sheet, row, shown)
    for each in p.options:
        row += 1
        _live(pen, sheet, p, row, each)
        if heads:
            _drawn(pen, sheet, p, row, each)
    row += 2
    checks = f"{CHECKS}!$B${FIRST_LINE + 1}:$B${FIRST_LINE + max(len(p.guards), 1)}"
    held = f'IF({CHANGED}=0,"{HOLD}",{_with_count(KEPT)})'
    pen.cell(sheet, row, 0, f'=IF(AND({checks}),{held},"{BROKEN}")', HOLD, bold=True)
    red = pen.workbook.add_format({"font_color": "#C00000"})
    for at, words in ((row, BROKEN), (row, KEPT), (1, SINCE)):
        begins = {"type": "text", "criteria": "begins with", "value": words.partition(" {}")[0][:20], "format": red}
        sheet.conditional_format(at, 0, at, 0, begins)
    for option in c.infeasible:
        row += 1
        pen.text(sheet, row, 0, f"Cannot work: {option.label}: {option.reason}")
    row += 1
    for line in _limits(p):
        row += 1
        sheet.merge_range(row, 0, row, last, "", pen.style(text_wrap=True, **GREY))
        pen.text(sheet, row, 0, line, text_wrap=True, **GREY)
        sheet.set_row(row, LINE * -(-len(line) // (200 if heads else 140)))
    sheet.print_area(0, 0, row, last)
    sheet.freeze_panes(1, 1)


def _with_count(words: str) -> str:
    """The words as a formula, with how many values were changed in place of the braces."""
    before, after = words.split("{}")
    return f'"{before}"&{CHANGED}&IF({CHANGED}=1," value"," values")&"{after}"'


def _live(pen: Pen, sheet: Any, p: Plan, row: int, each: OptionSheet) -> None:
    """The figures of an option that follow the cells."""
    o, stay, name = each.result, each.result.id == "stay", quoted(each.name)
    sheet.write_url(row, 0, f"internal:{name}!A1", pen.style(font_color="#1F4E79", underline=1), printable(o.label))
    pen.text(sheet, row, 1, kind_name(o.kind))
    pen.text(sheet, row, 2, quality(p.comparison, o))
    months = f"{name}!$E${MONTH_ROW + 1}:${pen.last}${MONTH_ROW + 1}"
    beside = compared_with(p.comparison) if stay else None  # as in the verdict's words above, and on the screen
    whose = next((x for x in p.options if beside is not None and x.result.id == beside.id), each)
    alone = whose.cell("Serves alone from month", 2)
    npv, (cash, errors) = f"{name}!$C$3", month_of(p.comparison, o)
    wrong, staying_wrong = (_worth(pen, sheet_, "Wrong answers") for sheet_ in (each, p.stay))

    def mean(of: str) -> str:
        return f'=AVERAGEIF({months},">="&{alone},{name}!$E${each.line(of) + 1}:${pen.last}${each.line(of) + 1})'

    figures: tuple[tuple[str, float | str, str], ...] = (
        (f"={each.cell('Total', FIRST_MONTH)}", o.upfront_usd, MONEY),
        (mean("Cash"), cash, MONEY),
        (mean("Wrong answers"), errors, MONEY),
        (f"={npv}", o.npv_usd, MONEY),
        (f"={npv}+{wrong}-{staying_wrong}", o.npv_without_errors_usd, MONEY),
        (f"={each.cell('Payback', 2)}", months_or_never(o.payback_months), "0.0"),
        (f"={each.cell('Payback, cash', 2)}", months_or_never(o.payback_cash_months), "0.0"),
        (_irr(pen, each), "none" if o.irr is None else o.irr, "#,##0%"),
        (f"={each.cell('Total', 2)}", o.tco_usd, MONEY),
    )
    for k, (formula, value, number) in enumerate(figures, start=3):
        if stay and k in AGAINST:
            pen.text(sheet, row, k, "-", align="right")
        else:
            pen.cell(sheet, row, k, formula, value, num_format=number, align="right")


def _drawn(pen: Pen, sheet: Any, p: Plan, row: int, each: OptionSheet) -> None:
    """The figures of an option that follow from draws, as numbers: on what the verdict counts, as its words above them."""
    o = each.result
    mean, spread = npv_of(p.comparison, o)
    odds = chance(o, p.comparison.verdict.counts)
    values = (mean if spread else None, *(spread or (None,) * 3), odds, o.probability_best)
    for k, value in enumerate(values, start=len(LIVE)):
        if value is None or o.id == "stay":
            pen.text(sheet, row, k, "-", align="right", **GREY)
        else:
            number = MONEY if k < len(LIVE) + 4 else "0%"
            sheet.write_number(row, k, value, pen.style(num_format=number, italic=True, align="right", **GREY))


def _worth(pen: Pen, each: OptionSheet, name: str) -> str:
    """Present value of one of an option's sums."""
    at, factors = each.line(name) + 1, FIRST_LINE + 1
    return f"SUMPRODUCT({quoted(each.name)}!$D${at}:${pen.last}${at},{COMMON}!$D${factors}:${pen.last}${factors})"


def _irr(pen: Pen, each: OptionSheet) -> str:
    """The internal rate, sought from the one that roi found, then from a gain and from a loss.

    None where the savings, first to last, do not change sign.
    """
    at, name = each.line("Saving") + 1, quoted(each.name)
    flows, first, last = f"{name}!$D${at}:${pen.last}${at}", f"{name}!$D${at}", f"{name}!${pen.last}${at}"
    guess = 0.01 if each.result.irr is None else (1.0 + each.result.irr) ** (1.0 / 12.0) - 1.0
    there = f"AND(MIN({flows})<-{NOTHING:.9f},MAX({flows})>{NOTHING:.9f},{first}*{last}<=0)"
    sought = f"IRR({flows},{guess:.15g})"
    for other in (0.2, -0.05):
        sought = f"IFERROR({sought},IRR({flows},{other}))"
    rate = f"(1+{sought})^12-1"
    return f'=IF({there},IFERROR(IF({rate}<{LARGEST_RATE:.0f},{rate},"none"),"none"),"none")'


def _limits(p: Plan) -> list[str]:
    """What follows the cells and what does not."""
    plans = [f"{each.result.label} on {each.result.fleet.gpu} at {each.result.fleet.vendor}"
             + (f", floor of {number_of(float(n), 'replica')}" if (n := each.option.replicas_fixed) is not None else "")
             for each in p.options if each.result.fleet is not None]
    chosen = f" They are fixed as chosen: {'; '.join(plans)}." if plans else ""
    sure = ("Its mean, P10 to P90 and chances come from draws and stay as they were computed." if drawn(p.comparison) else
            "There are no draws: nothing says how sure it is.")
    return [
        ("What follows the cells: every cost line by month, NPV, payback, IRR, fleets in whole replicas and instances. Blue on"
         " yellow: assumptions to change. Black: formulas. Grey italic: computed by roi."),
        f"NPV here is at the central values, as by roi compare --draws 0. {sure}",
        ("Not recalculated: which options can work, which one is recommended, the cheapest plan of each, a hybrid's floor."
         f"{chosen}"),
        f"Fixed, because the formulas hold for this value alone: {', '.join(fixed(p))}.",
        ("What a replay, the catalog or a dry run works out from the scenario (capacity at the SLO, training hours, the load"
         " curve of a stated peak, a stated bill over the estimate) is an assumption here and does not follow: change lengths,"
         " models, cards, peaks, and requests beside a stated bill, in the scenario."),
        f"Made by roi {__version__} from facts as of {p.comparison.case['as_of'].value}.",
    ]
