"""What a reader is told, and in which order: the verdict first, then how it comes about, then what it rests on."""

from collections.abc import Sequence

from roi.economics.comparison import Comparison
from roi.report.blocks import Block, Bullets, Heading
from roi.report.cost_tree import cost_tree
from roi.report.findings import break_even, drivers, returns, winner_changes
from roi.report.headline import gates, headline
from roi.report.options_table import infeasible, options_table
from roi.report.scope import excluded, included


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
