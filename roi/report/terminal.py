"""The comparison on a terminal, 80 columns or more."""

from collections.abc import Sequence

from roi.economics.comparison import Comparison
from roi.report.render_text import render_text
from roi.report.story import tell


def comparison_text(c: Comparison, warnings: Sequence[str], explain: str | None = None, *, all_options: bool = False,
                    colour: bool = False, width: int = 80) -> str:
    """The report as text, no line longer than `width`."""
    return render_text(tell(c, warnings, explain, all_options=all_options), width=width, colour=colour)
