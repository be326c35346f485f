"""Remarks on the quality bar: who misses it, as was measured, and how likely what is advised does."""

from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import InfeasibleOption
from roi.economics.decision.recommendation import chance
from roi.economics.option_kinds import KEEPS_MODEL
from roi.errors import first_of
from roi.report.comparison.option_figures import mean_npv, npv_of, option_of
from roi.report.comparison.remarks.stated import NAMED
from roi.report.layout.wording import case_number, duration, option_label, percent, short_usd, told_apart, usd
from roi.report.layout.wording import chance as share

SELDOM: Final = 0.9
"""Share of the draws in which what is advised reaches the bar up to which that comes before the advice: in one of ten, as in a
bad case, it does not."""


def may_miss(c: Comparison) -> list[str]:
    """Says that what is advised often misses the bar, and what moving before it is evaluated brings all the same."""
    o, good = c.leader, c.leader.probability_good_enough
    if c.verdict.leader == "stay" or good is None or good > SELDOM:
        return []
    odds = chance(o, c.verdict.counts)
    loses = "" if odds is None else f", and costs more than staying in {share(1.0 - odds)}"
    bar = percent(case_number(c.case, "quality.bar"))
    told = f"{o.label} misses the bar of {bar} in {share(1.0 - good)} of the draws{loses}"
    e = c.verdict.then
    if c.verdict.measure_first is not None or e is None or (e.option, e.kind) != (o.id, "evaluate") or e.first_net_usd <= 0:
        return [told]
    return [(f"{told}. Evaluating it before the change ({usd(e.cost_usd)}, {duration(e.months)}) is worth"
             f" {short_usd(e.first_net_usd)} on average, after it {short_usd(e.net_usd)}: each month saves meanwhile")]


def incumbent_misses(c: Comparison) -> list[str]:
    """Says that today's model is below the bar that others are held to; where it is advised anyway, what reaching it takes."""
    bar, right = case_number(c.case, "quality.bar"), 1.0 - option_of(c, "stay").quality.error_rate
    if right >= bar:
        return []
    reach = [o for o in c.options if o.kind not in KEEPS_MODEL and o.tested]
    best = max(reach, key=lambda o: npv_of(c, o)[0]) if reach and c.leader.kind in KEEPS_MODEL else None
    told = "{0} itself misses the bar: {2} right, {1} asked (quality.bar); what keeps it is not held to it".format(
        option_of(c, "stay").label, *told_apart(percent, bar, right))
    npv = "" if best is None else f"{mean_npv(c)} {short_usd(npv_of(c, best)[0])}"
    return [told if best is None else f"{told}. Of what reaches it, {best.label} does best: {npv}"]


def below_bar(c: Comparison) -> list[str]:
    """The systems whose measured score misses the bar, the best first, each named by the first option that it answers in."""
    first, bar = dict[str, tuple[float, str]](), case_number(c.case, "quality.bar")
    for o in c.infeasible:
        if o.score is not None:
            system = str(c.case[f"options.{o.id}.system"].value)
            right = f"{o.label} ({told_apart(percent, o.score, bar)[0]} right{_on_some(c, o)})"
            first.setdefault(system, (o.score, right))
    named = [told for _, told in sorted(first.values(), reverse=True)]
    return [f"Out, below the bar of {percent(bar)} (quality.bar): {first_of(named, NAMED)}"] if named else []


def blind_gate(c: Comparison) -> list[str]:
    """Says what the best gate of a cascade would bring, where nobody measured it and it could bring more than the advice.

    Of several cascades the one that could bring most.
    """
    if not c.open_gates:
        return []
    id, best = max(c.open_gates.items(), key=lambda each: each[1].npv_usd)
    o = option_of(c, id)
    first = str(c.case[f"options.{o.id}.system"].value)
    wrong, at_best = told_apart(percent, o.quality.wrong_rate, best.error_rate)
    share_on, most = percent(o.quality.share_escalated), short_usd(best.npv_usd)
    return [(f"Nobody measured the gate of {o.label}, and it counts as blind: {wrong} wrong. The best gate that hands on"
             f" {share_on} leaves {at_best}, NPV at most {most} at the central values (quality.kept_error_rate.{first})")]


def _on_some(c: Comparison, o: InfeasibleOption) -> str:
    """How many of today's items a score rests on, how likely it reaches the bar and what settles that.

    Empty where on all, and where no draw reaches the bar: nothing is open then.
    """
    system = next(str(c.case[path].value) for name in ("end_to_end", "system") if (path := f"options.{o.id}.{name}") in c.case)
    others = int(case_number(c.case, f"systems.{system}.labelled_items", 0.0))
    items = int(case_number(c.case, f"systems.{system}.items", 0.0))
    if not others or not items or not o.probability_good_enough:
        return ""
    return (f" by {items:,} of {option_label(c.case, 'stay')}'s {items + others:,} items, {share(o.probability_good_enough)} to"
            f" reach it: judge it on the other {others:,}, which have their labels")
