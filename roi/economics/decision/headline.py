"""The sentence of a verdict: what is recommended and why, or why nothing is."""

from collections.abc import Mapping, Sequence

import numpy as np

from roi.economics.decision.alarms import Alarm
from roi.economics.decision.draws import Drawn
from roi.economics.decision.measuring.worth import Following
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import chance, nearness, value
from roi.economics.finance import payback_status
from roi.economics.inputs import Option
from roi.units import dollars, to_digits, whole_percent


def withheld(standing: Sequence[Alarm]) -> str:
    """The headline where alarms that nobody accepted withhold the verdict: each with its field, and how it is accepted."""
    told = "; ".join(f"{a.field}: {a.told}" for a in standing)
    names = ", ".join(a.name for a in standing if a.may_be_meant)
    return f"No verdict: {told}.{f' If it is meant, write accept: [{names}].' if names else ''}"


def changing(
    results: Mapping[str, OptionResult], counts: str, leader: str, steps: Sequence[str], drawn: Drawn | None,
    following: Following | None, below: float | None,
) -> str:
    """The headline of a change: its steps, what they save together and how often; else what the leading option does at once."""
    winner, first = results[leader], results[steps[0]]
    saved, odds = value(winner, counts), chance(winner, counts)
    if following is not None and drawn is not None:
        both = following.both(drawn.saved(counts))
        saved, odds = float(both.mean()), float(np.mean(both > 0))
    where = "" if below is None else f" while a wrong answer costs less than about {dollars(to_digits(below, up=False))}"
    words = {"immediate": "at once", "never": "not within the horizon"}
    paid = words.get(payback_status(first.payback_cash_months), f"after {first.payback_cash_months:.1f} months")
    often = "" if odds is None else f", beats staying in {whole_percent(odds)} of the draws"
    what = f"Change to {', then to '.join(results[id].label for id in steps)}{where}: "
    saves = f"{_npv(odds)} {_usd(saved)} against staying"
    if len(steps) > 1 and following is None:
        return f"{what}at once {saves}{often}; the first pays back on cash {paid}."
    return f"{what}{saves}, {'the first ' if len(steps) > 1 else ''}pays back on cash {paid}{often}."


def staying(results: Mapping[str, OptionResult], counts: str, challenger: str | None) -> str:
    """The headline of staying: what the nearest other option lacks."""
    if challenger is None:
        only = len(results) == 1
        return "Stay: no candidate is named that could work." if only else "Stay: no other option is feasible."
    r = results[challenger]
    odds = chance(r, counts)
    if value(r, counts) <= 0:
        _, nearest = nearness(r, counts)
        mean = f", an expected one of {_usd(value(r, counts))}" if odds is not None else ""
        return f"Stay: the nearest alternative, {r.label}, has a central NPV of {_usd(nearest)}{mean}."
    npv = f"{'a' if odds is None else 'an'} {_npv(odds)} of {_usd(value(r, counts))}"
    if not r.tested:
        return f"Stay for now: {r.label} would have {npv}, but nobody has tested its quality on this task."
    return f"Stay for now: {r.label} has {npv}, but beats staying in only {whole_percent(odds or 0.0)} of the draws."


def _npv(odds: float | None) -> str:
    """What a sentence calls the NPV that the verdict ranks by, of an option with this chance to beat staying."""
    return "expected NPV" if odds is not None else "central NPV"


def endings(options: Mapping[str, Option], recommended: str) -> str:
    """A reminder that the present model, or the recommended one, has an announced end."""
    told, stay, chosen = "", options["stay"], options[recommended]
    if stay.retires_on is not None:
        told = f" {stay.vendor} ends on {stay.retires_on}, so a move is due in any case."
    if chosen.retires_on is not None and chosen.vendor != stay.vendor:
        told += f" {chosen.vendor} ends on {chosen.retires_on}, so a second move is due by then."
    return told


def _usd(x: float) -> str:
    """Whole dollars, for sentences."""
    return f"-${-x:,.0f}" if x < 0 else f"${x:,.0f}"
