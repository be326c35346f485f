"""At which price of what follows today's model another option is recommended, were that price known: by means and chances."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from roi.economics.decision.turning.elsewhere import Stood
from roi.economics.decision.turning.load_and_rent import OtherLeaders
from roi.economics.decision.turning.nearest_turn import Seen, narrowed
from roi.economics.inputs import Option, Shared, path_of
from roi.facts.case import Case
from roi.facts.fact import guessed

USUAL = path_of(Shared, "successor_price_ratio")


@dataclass(frozen=True)
class SuccessorTurn:
    """A price of today's model's successor from which on another option is recommended."""

    direction: str
    """The side of it on which that is recommended: above or below."""
    price_ratio: float
    """That price over today's model's own then."""
    option: str
    """Id of what is recommended there, beside the turn."""


def is_open(case: Case) -> bool:
    """True where today's model has a known end within the horizon, and nobody stated the price of what follows it."""
    today = case["options.stay.vendor"].value
    life, stated = (path_of(Option, name, vendor=today) for name in ("life_first", "first_price_ratio"))
    ends = life in case and not guessed(case[life]) and case[life].number() < case["horizon_months"].number()
    return ends and stated not in case and USUAL in case and case[USUAL].uncertain


def successor_turns(others: OtherLeaders) -> tuple[SuccessorTurn, ...]:
    """The prices within the spread of a successor's (P5 to P95) between which today's advice holds; none on a side without one.

    Each is taken as known, as a scenario states it, all else as today; to three digits. Nothing where no such price is open, or
    where today's advice holds at neither end of the spread nor at its value: it then rests on the spread itself.
    """
    case, leader = others.case, others.verdict.leader
    if not is_open(case):
        return ()
    path = path_of(Option, "first_price_ratio", vendor=case["options.stay.vendor"].value)

    @cache
    def stood(ratio: float) -> Stood:
        known = {path: case[USUAL].model_copy(update={"value": ratio, "low": None, "high": None})}
        return others.stood_with(known, math.inf)

    def ask(ratio: float, _: bool) -> Seen:
        s = stood(ratio)
        return Seen(s.leaders[0] == leader, float(s.ahead(leader)))

    (low, high), value = case[USUAL].spread(), case[USUAL].number()
    found = list[SuccessorTurn]()
    for ends in pairwise((low, value, high)):
        seen = [ask(end, True) for end in ends]
        if seen[0].holds is not seen[1].holds:
            (near, here), (far, there) = sorted(zip(ends, seen, strict=True), key=lambda each: not each[1].holds)
            at = narrowed(ask, (near, far), (here.ahead, there.ahead))
            found.append(SuccessorTurn("above" if far > near else "below", at, stood(at).leaders[0]))
    return tuple(found)
