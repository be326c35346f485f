"""Other volumes and other rents at which another option is recommended, by means and chances, plans taken anew at each."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, takewhile
from typing import Final

import numpy as np

from roi.economics.decision.draws import ASKED_DRAWS
from roi.economics.decision.option_result import CENT, OptionResult
from roi.economics.decision.turning.break_even import rows_of
from roi.economics.decision.turning.curves import LEAST, MOST, POINTS, Curves, ascending
from roi.economics.decision.turning.elsewhere import Elsewhere, Stood
from roi.economics.decision.turning.nearest_turn import BESIDE_A_JUMP, Seen, nearest_turn
from roi.economics.decision.verdict import Verdict
from roi.economics.inputs import Array, Shared, path_of
from roi.economics.paid_units import Provisioned
from roi.facts.case import Case
from roi.facts.fact import Fact

FURTHEST: Final = 100.0
"""Times today's volume, or that part of it, to which it is asked whether another option leads, and to the end of the curves."""
BESIDE: Final = 6
"""Volumes beside a change of plan, the nearest on each side of today's, that are tried too."""
RIVALS: Final = 1.25
"""Times what the leading option costs at the central values, up to which an option's plans are looked at."""
PROBES: Final = 4
"""Volumes between those of `_tried` at which another option is expected to lead, that are tried at most on each side."""
FIRST_DRAWS: Final = 512
"""Draws of ASKED_DRAWS that are looked at first at each volume: where they name today's leader, luck aside, it leads there."""
REQUESTS_PER_DAY: Final = path_of(Shared, "requests_per_day")
RENT: Final = ".usd_per_gpu_hour"
"""End of the path of a plan's rent, and of one that the scenario states."""
RENTS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Times today's rents at which it is asked whether another option leads; an H100 was 4.7 x as dear in 2023 as in late 2025."""
Turn = tuple[float, str, str]
"""The volume, or factor on rents, from which on another option leads; its id; the id of the one that leads further on."""


@dataclass(frozen=True)
class OtherLeaders:
    """Where another option leads than today; each worked out where somebody asks for it, and kept."""

    case: Case
    verdict: Verdict
    options: Sequence[OptionResult]
    """Results of the feasible options at today's values."""
    curves: Curves | None
    """What they cost along volumes; None where no threshold is looked for."""
    _known: dict[object, Elsewhere] = field(default_factory=dict)
    """What `stood_with` was asked of: a page tells what its screen does."""

    def volume(self, *, up: bool, within: float = math.inf) -> Turn | None:
        """As `Comparison.turning_volume` says."""
        today = self.case[REQUESTS_PER_DAY].number()
        furthest = min(max(MOST / today if up else today / LEAST, FURTHEST), within)
        return self._volume([x if up else 1.0 / x for x in takewhile(lambda x: x <= furthest, _tried())])

    def _volume(self, factors: Sequence[float]) -> Turn | None:
        found = self._first_turn(factors, [REQUESTS_PER_DAY, *self._seats])
        if found is None or self._differ(self.verdict.leader, found[1]):
            return None
        factor, there, beyond = found
        return self.case[REQUESTS_PER_DAY].number() * factor, there, there if self._differ(there, beyond) else beyond

    def on_the_way_to(self, requests_per_day: float) -> float | None:
        """As `Comparison.turned_before` says."""
        today = self.case[REQUESTS_PER_DAY].number()
        up, furthest = requests_per_day > today, max(requests_per_day / today, today / requests_per_day)
        if self.leader_at([REQUESTS_PER_DAY, *self._seats], requests_per_day / today) == self.verdict.leader:
            return None
        past = next(x for x in _tried() if x >= furthest)
        found = self.volume(up=up, within=past)  # where the screen tells it, if that is on the way
        if found is not None and math.isclose(found[0], requests_per_day, rel_tol=BESIDE_A_JUMP):
            return requests_per_day  # a search of its own would end a digit beside the one that is told
        if found is None or (found[0] > requests_per_day if up else found[0] < requests_per_day):
            found = self._volume([requests_per_day / today])
        return None if found is None else found[0]

    def _differ(self, id: str, other: str) -> bool:
        return self.curves is not None and self.curves.differ(id, other)

    @property
    def _seats(self) -> list[str]:
        """Paths of the numbers of seats that follow the requests."""
        stay = None if self.curves is None else self.curves.options["stay"]
        if stay is None or stay.provisioned is None or not stay.provisioned.follow_requests:
            return []
        return [path_of(Provisioned, "units", option=stay.id)]

    @cached_property
    def rent(self) -> Turn | None:
        """As `Comparison.turning_rent` says."""
        fleet = next(o.fleet for o in self.options if o.id == self.verdict.leader)
        if fleet is None or fleet.usd_per_gpu_hour <= 0.0:
            return None
        return self._first_turn(RENTS, self._rents)

    def rents_on_the_way_to(self, times: float) -> float | None:
        """As `Comparison.turned_before_rents` says."""
        if times <= 1.0 or self.leader_at(self._rents, times) == self.verdict.leader:
            return None
        found = self.rent
        if found is not None and math.isclose(found[0], times, rel_tol=BESIDE_A_JUMP):
            return times
        if found is None or found[0] > times:
            found = self._first_turn([times], self._rents)
        return None if found is None else found[0]

    @cached_property
    def _rents(self) -> list[str]:
        """Paths of the rents of all plans, those that the scenario states among them."""
        return [path for path in self.case.facts
                if path.endswith(RENT) and (".plans." in path or path.startswith("gpu_rents."))]

    def _first_turn(self, factors: Sequence[float], paths: Sequence[str]) -> Turn | None:
        """The factor on these facts at which another option leads, and which, there and at the first factor tried beyond."""
        leader, known = self.verdict.leader, dict[float, Stood]()

        def ask(times: float, cursory: bool) -> Seen:
            known[times] = self._at(paths, times, cursory=cursory)
            return Seen(known[times].leaders[0] == leader, float(known[times].ahead(leader)))

        if self.curves is None or not factors or paths[0] != REQUESTS_PER_DAY:
            found = nearest_turn(ask, factors)
        else:
            along = _AlongCurves(self.curves, self.verdict, known)
            found = nearest_turn(ask, (*factors, *along.beside_other_plans(factors[-1])), along.expected, PROBES)
        return None if found is None else (found[0], known[found[0]].leaders[0], known[found[1]].leaders[0])

    def leader_at(self, paths: Sequence[str], times: float) -> str:
        """Who leads at so many times these facts, by ASKED_DRAWS at most."""
        return self._at(paths, times).leaders[0]

    def leader_with(self, facts: Mapping[str, Fact]) -> str:
        """Who leads with these facts in the place of the case's, by all draws where the first leave it open."""
        return (self._at_once(facts) or self.stood_with(facts, math.inf)).leaders[0]

    def _at(self, paths: Sequence[str], times: float, *, cursory: bool = False) -> Stood:
        """How options stand there; `cursory` by FIRST_DRAWS alone where these name today's leader, luck aside, and today."""
        facts = {path: _times(self.case[path], times) for path in paths}
        if cursory and times == 1.0:
            return self.stood_with(facts, FIRST_DRAWS)
        return (self._at_once(facts) if cursory else None) or self.stood_with(facts, ASKED_DRAWS)

    def _at_once(self, facts: Mapping[str, Fact]) -> Stood | None:
        """How options stand by FIRST_DRAWS where these name today's leader, luck aside; else None."""
        first = self.stood_with(facts, FIRST_DRAWS)
        return first if set(first.leaders) == {self.verdict.leader} else None

    def stood_with(self, facts: Mapping[str, Fact], draws: float) -> Stood:
        """Who leads with these facts in the place of the case's, of those that may be recommended, by at most so many draws."""
        key = tuple((path, fact.value, fact.low, fact.high) for path, fact in facts.items())
        if key not in self._known:  # with staying, which others are held against, allowed or not
            ids = tuple(dict.fromkeys((*self.verdict.candidates, "stay")))
            self._known[key] = Elsewhere(
                Case(facts={**self.case.facts, **facts}), ids, {o.id: o for o in self.options})
        return self._known[key].stood(draws)


@dataclass(frozen=True)
class _AlongCurves:
    """What curves at the central values tell of volumes at which nobody has compared the options yet."""

    curves: Curves
    verdict: Verdict
    known: Mapping[float, Stood]
    """What comparisons found, by the factor on today's volume."""

    def beside_other_plans(self, furthest: float) -> list[float]:
        """Factors on the volume up to this one, at both sides of which a candidate runs on another plan: the nearest few.

        Along one plan what options save moves little by little, and from one to the next by a jump. Of candidates that cost
        little more there than the leading option at the central values: RIVALS times.
        """
        today, volumes = self.curves.volume, np.geomspace(LEAST, MOST, POINTS)
        low, high = sorted((1.0, furthest))
        near = (volumes > low * today) & (volumes < high * today)
        leading, beside = self._cost(self.verdict.leader, volumes), np.zeros(POINTS, dtype=bool)
        for id in self.verdict.candidates:
            rival = near & (self._cost(id, volumes) <= RIVALS * leading)
            other = np.diff(self.curves.of(id).plans_at(volumes)) != 0
            beside[:-1] |= other & rival[:-1]
            beside[1:] |= other & rival[1:]
        found = [float(volume) / today for volume in volumes[beside]]
        return (found if furthest > 1.0 else found[::-1])[:BESIDE]

    def expected(self, near: float, far: float) -> float | None:
        """A factor on the volume between two at which another option is expected to lead; None where at none.

        What options save at the central values along the curves, and what the draws add to it, a straight line between the
        factors that are known. Of the nearest stretch the factor at which most is saved for each request.
        """
        today = self.curves.volume
        volumes = ascending(np.concatenate([np.geomspace(LEAST, MOST, POINTS), np.array(tuple(self.known)) * today]))
        volumes = volumes[(volumes >= LEAST) & (volumes <= MOST)]
        factors, staying = volumes / today, self._cost("stay", volumes)
        saved = {id: each for id, each in self.known[1.0].saved.items() if id == "stay"}
        for id in self.verdict.candidates:
            at = sorted(x for x in self.known if id in self.known[x].saved and factors[0] <= x <= factors[-1])
            if id != "stay" and at:
                along = staying - self._cost(id, volumes)
                added = np.array([self.known[x].saved[id] for x in at]).T - np.interp(at, factors, along)
                saved[id] = along + np.interp(factors, at, added[0]), along + np.interp(factors, at, added[1])
        ahead = Stood((), saved).ahead(self.verdict.leader)
        behind = np.flatnonzero((ahead < -CENT) & (factors > min(near, far)) & (factors < max(near, far)))
        if not behind.size:
            return None
        stretches = np.split(behind, np.flatnonzero(np.diff(behind) > 1) + 1)
        nearest = stretches[0 if far > near else -1]
        return float(factors[nearest[np.argmin((ahead / factors)[nearest])]])

    def _cost(self, id: str, volumes: Array) -> Array:
        """What an option costs at the central values, as the verdict counts, USD."""
        return np.asarray(self.curves.of(id).at(volumes)[rows_of("pv", self.verdict.counts)])


def _tried() -> Iterator[float]:
    """3, 10, 30 ... without end."""
    return (x for tens in count() for x in (3.0 * 10.0**tens, 10.0 ** (tens + 1)))


def _times(fact: Fact, factor: float) -> Fact:
    """The fact with its value, and its ends where it has some, multiplied."""
    ends = {end: at * factor for end in ("value", "low", "high") if (at := getattr(fact, end)) is not None}
    return fact.model_copy(update=ends)
