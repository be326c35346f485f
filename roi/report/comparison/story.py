"""The top of the report: what is decided, the verdict with its reason, the next cheap step, the gates.

What a reader is told, and in which order: the verdict first, then how it comes about, then what it rests on.

The comparison on a terminal, 80 columns or more.
"""

from collections.abc import Sequence

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import FAIL
from roi.report.comparison.cost_tree import cost_tree
from roi.report.comparison.findings import break_even, drivers, returns, winner_changes
from roi.report.comparison.options_table import infeasible, options_table
from roi.report.comparison.scope import excluded, included
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.render_text import render_text
from roi.report.layout.wording import figure, option_label, percent


def headline(c: Comparison) -> list[Block]:
    """Title, frame, verdict, next step."""
    case = c.case
    requests, rate = case["workload.requests_per_day"].value, case["discount_rate_per_year"].value
    assert isinstance(requests, (int, float))
    assert isinstance(rate, (int, float))
    draws = f"{case['draws'].value:,} draws" if case["draws"].value else "no draws"
    frame = (f"as of {case['as_of'].value}; {case['horizon_months'].value} months; {percent(rate)} a year; {draws};"
             f" {figure(requests)} requests a day to {option_label(case, 'stay')}; USD before tax")
    return [
        Title(str(case["title"].value)), Paragraph(frame), Heading("Verdict"), Paragraph(c.verdict.sentence, strong=True),
        Paragraph(f"Next step: {c.verdict.next_step}"),
    ]


def gates(c: Comparison) -> list[Block]:
    """The gates with pass, fail or unknown."""
    rows = tuple(
        Row((g.status, g.question + ("; rules training out" if g.blocks else "")), strong=g.status == FAIL) for g in c.gates)
    return [Heading("Gates: can the task be trained at all?"), Table(("answer", "question"), rows, left=2)]


def tell(c: Comparison, warnings: Sequence[str], explain: str | None, *, all_options: bool) -> list[Block]:
    """The report on `c`; `explain` is the id of the option whose cost tree is shown, None for the recommended one."""
    shown = explain or c.verdict.recommended
    blocks = [
        *headline(c), *gates(c), *options_table(c, all_options=all_options), *infeasible(c), *cost_tree(c, shown),
        *(returns(c, shown) if explain != "stay" else ()), *break_even(c, all_options=all_options),
        *drivers(c), *winner_changes(c),
    ]
    if warnings:
        blocks += [Heading("Warnings"), Bullets(tuple(warnings))]
    blocks += [Heading("Included"), Bullets(tuple(included(c))), Heading("Excluded"), Bullets(tuple(excluded(c)))]
    return [*blocks, *_more(c, shown)]


def _more(c: Comparison, shown: str) -> list[Block]:
    others = [c.verdict.challenger, c.verdict.recommended, "stay"]
    other = next((id for id in others if id is not None and id != shown), shown)
    return [Heading("More"), Bullets((
        f"--explain OPTION: the cost tree of another option, for example {other}",
        "--all: every option and every break-even",
        "--format json: every figure and every fact with its source; roi compare reads it again",
    ))]


def comparison_text(c: Comparison, warnings: Sequence[str], explain: str | None = None, *, all_options: bool = False,
                    colour: bool = False, width: int = 80) -> str:
    """The report as text, no line longer than `width`."""
    return render_text(tell(c, warnings, explain, all_options=all_options), width=width, colour=colour)
