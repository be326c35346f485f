"""What a reader is told, and in which order: the verdict first, then how it comes about, then what it rests on."""

from collections.abc import Sequence

from roi.economics.comparison import Comparison
from roi.report.blocks import Block, Bullets, Heading, Paragraph
from roi.report.cost_tree import cost_tree
from roi.report.findings import break_even, drivers, winner_changes, winner_notes
from roi.report.headline import gates, headline
from roi.report.options_table import infeasible, options_table
from roi.report.scope import excluded, included


def tell(c: Comparison, warnings: Sequence[str], explain: str | None, *, all_options: bool) -> list[Block]:
    """The report on `c`; `explain` is the id of the option whose cost tree is shown, None for the recommended one."""
    shown = explain or c.verdict.recommended
    blocks = [
        *headline(c), *gates(c), *options_table(c, all_options=all_options), *infeasible(c), *cost_tree(c, shown),
        *winner_notes(c, shown), *break_even(c, all_options=all_options), *drivers(c), *winner_changes(c),
    ]
    if warnings:
        blocks += [Heading("Warnings"), Bullets(tuple(warnings))]
    return [*blocks, Heading("Included"), Bullets(tuple(included(c))), Heading("Excluded"), Bullets(tuple(excluded(c))), *_more(c, shown)]


def _more(c: Comparison, shown: str) -> list[Block]:
    other = next((o.id for o in c.options if o.id != shown), shown)
    return [
        Heading("More"),
        Paragraph(f"--explain OPTION shows the cost tree of another option, for example --explain {other}; --all shows every"
                  " option and every break-even; --format json holds every figure and can be compared again."),
    ]
