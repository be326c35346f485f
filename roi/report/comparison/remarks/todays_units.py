"""Remarks on units or seats that are paid today in place of tokens: more load than they hold, a commitment that is over."""

from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.lines.calendar import EXACT
from roi.economics.lines.line_kind import LineKind
from roi.report.comparison.option_figures import option_of
from roi.report.layout.wording import case_number, figure, percent
from roi.units import SECONDS_PER_DAY

TODAY: Final = "options.stay.provisioned."
LITTLE: Final = 0.5
"""Share of the mean load below which whoever pays for units in place of tokens hardly means what one is said to hold."""
IDLE: Final = 0.1
"""Share of the units that the peak takes below which the same is asked: nobody buys ten times what the highest load takes."""


def paid_by_unit(c: Comparison) -> bool:
    """True where units or seats are paid today."""
    return f"{TODAY}units" in c.case


def of_todays_units(c: Comparison) -> list[str]:
    """What to ask of the units or seats that are paid today: what they hold, and until when they are owed."""
    return [*_full(c), *_end_at_once(c)]


def _end_at_once(c: Comparison) -> list[str]:
    """Says that today's fee is taken to end with the change that is advised, since nobody says how long it is owed."""
    if not paid_by_unit(c) or c.leader.id == "stay" or "left out" not in c.case[f"{TODAY}committed_months"].source:
        return []
    before, after = (sum(line.monthly_usd[-1] for line in o.lines if line.kind is LineKind.PROVISIONED)
                     for o in (option_of(c, "stay"), c.leader))
    if after >= before:
        return []
    name, field = ("seats", "seats") if f"{TODAY}seats" in c.case else ("units", "provisioned_throughput")
    return [(f"Today's {name} are taken to end with any month, and what is owed of them after the change is in no figure: until"
             f" when are they (incumbent.{field}.committed_until)?")]


def _full(c: Comparison) -> list[str]:
    """Says that today's peak takes more units than are paid, where nothing spills over: they are counted as just full.

    Where it does, that they hold less than half of the mean load, though they are paid; and that the peak takes next to none.
    """
    if not paid_by_unit(c) or f"{TODAY}seats" in c.case:
        return []
    if f"{TODAY}peak_utilization" in c.case:
        return _idle(case_number(c.case, f"{TODAY}peak_utilization"), "peak_utilization")
    of_day, peak, each, paid = (case_number(c.case, path) for path in (
        f"{TODAY}of_requests_per_day", "workload.peak_to_mean", f"{TODAY}requests_per_s", f"{TODAY}units"))
    mean = of_day / SECONDS_PER_DAY
    peak *= mean
    if c.case[f"{TODAY}spills_over"].value:
        return [] if paid * each >= LITTLE * mean else [
            (f"Today's units hold {figure(paid * each)} of {figure(mean)} requests a second, the mean; all others are billed by"
             " the token: is that what they hold (incumbent.provisioned_throughput.requests_per_s)?")]
    if peak / each <= paid * (1.0 + EXACT):
        return _idle(peak / each / paid, "requests_per_s")
    told = f"Today's peak is {figure(peak / each / paid)} x what today's units hold as stated"
    asked = "is it spills_over: true, or another requests_per_s or workload.peak_to_mean?"
    return [f"{told}, and they answer it, so they are counted as full: {asked}"]


def _idle(taken: float, field: str) -> list[str]:
    """Says that today's peak takes few of today's units, on which every option with fewer of them rests."""
    if taken >= IDLE:
        return []
    return [(f"Today's peak takes {percent(taken)} of today's units, as stated: is that what is in use"
             f" (incumbent.provisioned_throughput.{field})?")]
