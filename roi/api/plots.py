"""The pictures of a comparison as objects that a notebook draws: Vega-Lite, which Jupyter, marimo and VS Code know.

No drawing package is imported to make one. A file of one as a picture needs the extra [report].
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from roi.economics.decision.comparison import Comparison
from roi.economics.outlook import Outlook
from roi.report import charts
from roi.report.charts.savings import outlook_of
from roi.report.charts.style import FRAME

MIME = "application/vnd.vegalite.v5+json"
"""What Jupyter, marimo and VS Code call a Vega-Lite specification of the version that the pictures are written in."""


@dataclass(frozen=True, repr=False)
class Chart:
    """One picture: `spec` is a Vega-Lite specification as a plain dict, its data inside; a notebook draws it.

    What `spec` leaves out is as in the other pictures: the schema, the look, and a width that follows the page.

    Example:
        >>> from roi import compare
        >>> chart = compare(draws=64).plot.probability_best()
        >>> chart
        Chart('...')
        >>> chart.spec["$schema"]
        'https://vega.github.io/schema/vega-lite/v5.json'
    """

    spec: dict[str, Any]  # Any: plain JSON values
    """The Vega-Lite specification."""

    def __post_init__(self) -> None:
        """Fill in what the specification leaves out."""
        object.__setattr__(self, "spec", {**FRAME, **self.spec})

    @property
    def description(self) -> str:
        """What the picture says, in words."""
        return str(self.spec.get("description", ""))

    def __repr__(self) -> str:
        return f"Chart({str(self.spec.get('title', ''))!r})"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """What a notebook asks for: the specification, and words where it draws none."""
        return {MIME: self.spec, "text/plain": f"{self!r}\n{self.description}"}


class Plots:
    """The pictures of one comparison; each method makes a Chart.

    Example:
        >>> from roi import compare
        >>> compare(draws=64).plot.cash().description
        'Cumulative savings against staying by month. ...'
    """

    def __init__(self, comparison: Comparison) -> None:
        """Keep the comparison; nothing is worked out before a picture is asked for."""
        self._comparison = comparison

    def __repr__(self) -> str:
        return f"Plots({', '.join(charts.__all__)})"

    @cached_property
    def _outlook(self) -> Outlook:
        """Savings by month in the draws, worked out once for the pictures that show them."""
        return outlook_of(self._comparison)

    def cash(self) -> Chart:
        """Cumulative savings against staying by month: the central line, the P10 to P90 band, the payback."""
        return Chart(charts.cash(self._comparison, self._outlook))

    def cost_by_line(self) -> Chart:
        """Cost of each option over the horizon, stacked by kind of cost."""
        return Chart(charts.cost_by_line(self._comparison))

    def break_even(self) -> Chart:
        """Cost of a request along the volume: a saw where a fleet takes another GPU; today's volume, and the break-evens."""
        return Chart(charts.break_even(self._comparison))

    def drivers(self) -> Chart:
        """The uncertain facts that move the NPV most, each from its low to its high end."""
        return Chart(charts.drivers(self._comparison))

    def npv(self) -> Chart:
        """The distribution of each option's NPV against staying over the draws."""
        return Chart(charts.npv(self._comparison, self._outlook))

    def probability_best(self) -> Chart:
        """In how many of the draws each option is the best, and in how many it beats staying."""
        return Chart(charts.probability_best(self._comparison))

    def worth(self) -> Chart:
        """What could be measured: what it costs, and what its result is worth."""
        return Chart(charts.worth(self._comparison))
