"""Remarks on figures far from what is usual: cents typed for dollars, a year's amount for an hour's, a count of 1."""

from math import inf
from typing import Final

from roi.economics.decision.alarms import BILL_OFF
from roi.economics.decision.comparison import Comparison
from roi.economics.inputs import path_of
from roi.economics.lines.line_kind import LineKind
from roi.economics.outlook import bill_at_todays_list
from roi.economics.price_list import Api
from roi.report.comparison.option_figures import option_of
from roi.report.comparison.thresholds import PRICE_OF_ERRORS
from roi.report.layout.wording import case_number, figure, off_list, usd

UNUSUAL: Final = (
    ("own_hardware.usd_per_kwh", 0.0, 1.0, "Power at ${} a kWh: 0.06 to 0.20 is usual"),
    ("people.usd_per_hour", 5.0, inf, "People at ${} an hour: below most minimum wages"),
    ("people.usd_per_hour", 0.0, 1000.0, "People at ${} an hour: above what consultants bill; is it a year's pay?"),
    ("people.wage_growth_per_year", -1.0, 1.0, "Wages that rise by {} a year: 0.08 is 8%"),
    ("workload.peak_to_mean", 0.0, 24.0, "A busiest minute of {} x the mean: as if all of a day came within an hour"),
    ("training.examples", 10.0, inf, "Training examples: {}; vendors refuse fewer than 10"),
)
"""Least and most of what is usual, beyond which a cent was typed for a dollar, or one for many.

The dearest grids ask about $0.5 a kWh, and no diesel generator costs much over 1; most minimum wages are above $5 an hour (7.25
in the USA), and hardly a consultant of any trade bills 1,000; a growth above 1 doubles wages each year, which in USD none does;
OpenAI's guide to fine-tuning asks for ten examples.
"""
LARGEST_DISCOUNT = 0.9
"""Discount on a list beyond which next to nothing is left of it: a share of the list that is paid may be meant."""
DEAR_ERRORS = 1000.0
"""Times today's API bill: whom wrong answers cost so much more than the answers would let people check each of them."""


def unlikely(c: Comparison) -> list[str]:
    """Figures far from what is usual; of rents and prices a token what the resolution found so."""
    told = [f"{words.format(figure(case_number(c.case, path)))} ({path})" for path, least, most, words in UNUSUAL
            if path in c.case and not least <= case_number(c.case, path) <= most]
    told += [str(c.case[path].value) for path in ("prices.unusual",) if path in c.case]
    committed, labels, enough = (case_number(c.case, path, 0.0) for path in (
        "commitment.usd_per_month", "evaluation.labels", "verdict.min_items"))
    if case_number(c.case, "commitment.months", 0.0) > 0 and committed >= BILL_OFF * (billed := bill_at_todays_list(c.case)):
        told.append(f"A commitment of {usd(committed)} a month on a bill of {usd(billed)} (incumbent.committed_usd_per_month)")
    off = case_number(c.case, path_of(Api, "discount", option="stay"), 0.0)
    if not 0.0 <= off <= LARGEST_DISCOUNT:
        told.append(f"Today's model is counted at {off_list(off)} (incumbent.discount)")
    stay, each = option_of(c, "stay"), usd(case_number(c.case, PRICE_OF_ERRORS))
    wrong = stay.errors_monthly_usd
    api = sum(sum(line.monthly_usd) / len(line.monthly_usd) for line in stay.lines if line.kind is LineKind.API)
    if wrong > DEAR_ERRORS * api > 0.0:
        told.append(f"At {each} each, wrong answers cost {usd(wrong)} a month on staying, {figure(wrong / api)} x the API's"
                    f" bill ({PRICE_OF_ERRORS}, USD of one wrong answer)")
    if 0.0 < labels < enough:
        told.append(f"Items of an evaluation: {figure(labels)}; a score of fewer than {figure(enough)} counts as not tested"
                    " (evaluation.labels, verdict.min_items)")
    return told


