"""Pictures of a comparison: each function takes it and returns a Vega-Lite specification as a plain dict, its data inline.

No drawing package is needed to make one; a notebook, the HTML report and vl-convert show it. An option has the same colour in
every picture. `description` says in a sentence what the picture says.
"""

from roi.report.charts.chances import npv, probability_best
from roi.report.charts.measuring import drivers, worth
from roi.report.charts.savings import cash
from roi.report.charts.spending import cost_by_line
from roi.report.charts.volume_curve import break_even

__all__ = ["break_even", "cash", "cost_by_line", "drivers", "npv", "probability_best", "worth"]
