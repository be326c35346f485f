"""How `roi compare` is told: the verdict first, then how it comes about, then what it rests on."""

from collections.abc import Iterable, Sequence

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import FAIL
from roi.report.comparison.findings import break_even, drivers, returns, winner_changes
from roi.report.comparison.options_table import cost_tree, infeasible, options_table
from roi.report.comparison.scope import excluded, included
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.render import render
from roi.report.layout.wording import case_number, figure, option_label, percent


def comparison_text(c: Comparison, warnings: Sequence[str], explain: str | None = None, form: str = "table", *,
                    all_options: bool = False, colour: bool = False, width: int = 80) -> str:
    """The report on `c`; `explain` is the id of the option whose cost tree is shown, None for the recommended one."""
    return render(_tell(c, warnings, explain, all_options=all_options), form, width=width, colour=colour)


def _tell(c: Comparison, warnings: Sequence[str], explain: str | None, *, all_options: bool) -> Iterable[Block]:
    shown = explain or c.verdict.recommended
    yield from _headline(c)
    yield Heading("Gates: can the task be trained at all?")
    yield Table(("answer", "question"), tuple(
        Row((g.status, g.question + ("; rules training out" if g.blocks else "")), strong=g.status == FAIL) for g in c.gates
    ), align="ll")  # fmt: skip
    yield from options_table(c, all_options=all_options)
    yield from infeasible(c)
    yield from cost_tree(c, shown)
    if explain != "stay":
        yield from returns(c, shown)
    yield from break_even(c, all_options=all_options)
    yield from drivers(c)
    yield from winner_changes(c)
    if warnings:
        yield from (Heading("Warnings"), Bullets(tuple(warnings)))
    yield from (Heading("Included"), Bullets(tuple(included(c))), Heading("Excluded"), Bullets(tuple(excluded(c))))
    others = (c.verdict.challenger, c.verdict.recommended, "stay")
    other = next((id for id in others if id is not None and id != shown), shown)
    yield Heading("More")
    yield Bullets((
        f"--explain OPTION: the cost tree of another option, for example {other}",
        "--all: every option and every break-even",
        "--format json: every figure and every fact with its source; roi compare reads it again",
    ))


def _headline(c: Comparison) -> Iterable[Block]:
    """What is decided, the verdict with its reason, and the next step."""
    case = c.case
    rate = percent(case_number(case, "discount_rate_per_year"))
    draws = f"{case['draws'].value:,} draws" if case["draws"].value else "no draws"
    yield Title(str(case["title"].value))
    yield Paragraph(f"as of {case['as_of'].value}; {case['horizon_months'].value} months; {rate} a year; {draws};"
                    f" {figure(case_number(case, 'workload.requests_per_day'))} requests a day to {option_label(case, 'stay')};"
                    " USD before tax")
    yield Heading("Verdict")
    yield Paragraph(c.verdict.sentence, strong=True)
    yield Paragraph(f"Next step: {c.verdict.next_step}")
