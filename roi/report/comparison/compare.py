"""How `roi compare` is told: one screen; with --explain how one option's figures come about; with --full all of it."""

from collections.abc import Sequence

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import FAIL
from roi.report.comparison.advice import advice
from roi.report.comparison.alerts import alerts
from roi.report.comparison.findings import break_even, drivers, measurable, returns, winner_changes
from roi.report.comparison.options_table import cost_tree, infeasible, options_table
from roi.report.comparison.scope import excluded, included
from roi.report.comparison.screen import head, screen
from roi.report.layout.blocks import Block, Bullets, Heading, Row, Table, render


def comparison_text(c: Comparison, warnings: Sequence[str], explain: str | None = None, form: str = "table", *,
                    full: bool = False, colour: bool = False, width: int = 80) -> str:
    """The screen; with `explain`, an option's id, its cost tree and what it returns; with `full` every option and fact."""
    if full:
        blocks = [*head(c), *alerts(c), *_everything(c, warnings, explain or c.verdict.leader)]
    elif explain is not None:
        blocks = [*head(c), *explained(c, explain)]
    else:
        return screen(c, warnings, form, width=width, colour=colour)
    return render(blocks, form, width=width, colour=colour)


def explained(c: Comparison, id: str) -> list[Block]:
    """How an option's figures come about, what it returns and from which volume on it wins."""
    return [*(advice(c) if c.verdict.recommended is None else ()), *cost_tree(c, id), *returns(c, id), *break_even(c, only=id)]


def _everything(c: Comparison, warnings: Sequence[str], shown: str) -> list[Block]:
    """The verdict first, then how it comes about, then what it rests on."""
    gates = tuple(Row((g.status, g.question + ("; rules training out" if g.blocks else "")), strong=g.status == FAIL)
                  for g in c.gates)
    return [
        Heading("Verdict"), *advice(c),
        Heading("Gates: can the task be trained at all?"), Table(("answer", "question"), gates, align="ll"),
        *options_table(c), *infeasible(c), *cost_tree(c, shown), *returns(c, shown), *break_even(c), *measurable(c),
        *drivers(c), *winner_changes(c), *((Heading("Warnings"), Bullets(tuple(warnings))) if warnings else ()),
        Heading("Included"), Bullets(tuple(included(c))), Heading("Excluded"), Bullets(tuple(excluded(c))),
        Heading("More"), Bullets((
            "--explain OPTION: the cost tree of another option, by its id, its kind or the start of its name",
            "--format json: every figure and every fact with its source; roi compare reads it again",
        )),
    ]
