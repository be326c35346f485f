"""Other volumes and other rents at which another option is recommended, by means and chances, plans taken anew at each."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.draws import ASKED_DRAWS, draw, draws_and_seed
from roi.economics.decision.option_result import OptionResult, standing
from roi.economics.decision.recommendation import LUCK, choose, with_bars
from roi.economics.decision.turning.break_even import rows_of
from roi.economics.decision.turning.curves import LEAST, MOST, POINTS, Curves
from roi.economics.decision.verdict import Verdict
from roi.economics.decision.weighing import settle, weigh
from roi.economics.inputs import Array, Shared, path_of
from roi.economics.paid_units import Provisioned
from roi.facts.case import Case
from roi.facts.fact import Fact

FURTHEST: Final = 100.0
"""Times today's volume, or that part of it, to which it is asked whether another option leads, and to the end of the curves."""
HALVINGS: Final = 6
"""How often the stretch in which the leader changes is halved: to 2% of a volume."""
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
    _led: dict[object, tuple[str, ...]] = field(default_factory=dict)
    """What `leaders_with` found, by what it was asked: a page tells what its screen does."""

    def volume(self, *, up: bool, within: float = math.inf) -> Turn | None:
        """As `Comparison.turning_volume` says."""
        today = self.case[REQUESTS_PER_DAY].number()
        furthest = min(max(MOST / today if up else today / LEAST, FURTHEST), within)
        factors = (x if up else 1.0 / x for x in takewhile(lambda x: x <= furthest, _tried()))
        found = self._first_turn(self._with_those_ahead(factors), [REQUESTS_PER_DAY, *self._seats])
        if found is None:
            return None
        factor, there, beyond = found
        if self._differ(self.verdict.leader, there):
            return None
        return today * factor, there, there if self._differ(there, beyond) else beyond

    def on_the_way_to(self, requests_per_day: float) -> float | None:
        """As `Comparison.turned_before` says."""
        today = self.case[REQUESTS_PER_DAY].number()
        up, furthest = requests_per_day > today, max(requests_per_day / today, today / requests_per_day)
        *between, there = (x if up else 1.0 / x for x in (*takewhile(lambda x: x < furthest, _tried()), furthest))
        paths = [REQUESTS_PER_DAY, *self._seats]
        if not self._may_turn_at(paths, there) or self.leader_at(paths, there) == self.verdict.leader:
            return None
        found = self._first_turn([*between, there], paths)
        return None if found is None or self._differ(self.verdict.leader, found[1]) else today * found[0]

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
        rents = [path for path in self.case.facts
                 if path.endswith(RENT) and (".plans." in path or path.startswith("gpu_rents."))]
        return self._first_turn(RENTS, rents)

    def _first_turn(self, factors: Iterable[float], paths: Sequence[str]) -> Turn | None:
        """The factor on these facts at which another option leads, and which, there and at the first factor tried beyond."""
        before, leader = 1.0, self.verdict.leader
        for times in factors:
            if self._may_turn_at(paths, times) and (beyond := self.leader_at(paths, times)) != leader:
                break
            before = times
        else:
            return None
        led = beyond
        for _ in range(HALVINGS):
            middle = math.sqrt(before * times)
            if (there := self.leader_at(paths, middle)) == leader:
                before = middle
            else:
                times, led = middle, there
        return times, led, beyond

    def _with_those_ahead(self, factors: Iterable[float]) -> Iterator[float]:
        """The factors; between two of them those at which another option is ahead that is so at neither, one of each stretch.

        Of those that may be recommended, at the central values; that where it is ahead by most of what the leading one costs.
        """
        today, before = self.case[REQUESTS_PER_DAY].number(), 1.0
        tried, best, ahead = self._along_the_curves
        for times in factors:
            low, high = sorted((before * today, times * today))
            between = (tried > low) & (tried < high) & (ahead > 0.0)
            for end in (low, high):
                between &= best != best[min(int(np.searchsorted(tried, end)), best.size - 1)]
            at = np.flatnonzero(between)
            stretches = [s[ahead[s].argmax()] for s in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if s.size]
            yield from (float(tried[k]) / today for k in (stretches if times > before else reversed(stretches)))
            yield times
            before = times

    @cached_property
    def _along_the_curves(self) -> tuple[Array, NDArray[np.intp], Array]:
        """Volumes; which option costs least at each, at the central values, 0 the leading one; by which share of its cost."""
        v, volumes = self.verdict, np.geomspace(LEAST, MOST, POINTS)
        if self.curves is None:
            return volumes, np.zeros(volumes.size, dtype=np.intp), np.zeros(volumes.size)
        row = rows_of("pv", v.counts)
        ids = dict.fromkeys((v.leader, *v.candidates))
        costs = np.stack([self.curves.of(id).at(volumes)[row] for id in ids])
        return volumes, costs.argmin(axis=0), (costs[0] - costs.min(axis=0)) / np.maximum(np.abs(costs[0]), 1.0)

    def _may_turn_at(self, paths: Sequence[str], times: float) -> bool:
        """False where FIRST_DRAWS name today's leader whatever the luck of so few in a chance."""
        return any(led != self.verdict.leader for led in self._leaders_at(paths, times, FIRST_DRAWS, (-LUCK, 0.0, LUCK)))

    def leader_at(self, paths: Sequence[str], times: float) -> str:
        """Who leads at so many times these facts, by ASKED_DRAWS at most."""
        return self._leaders_at(paths, times, ASKED_DRAWS, (0.0,))[0]

    def _leaders_at(self, paths: Sequence[str], times: float, draws: int, lucks: tuple[float, ...]) -> tuple[str, ...]:
        """Who leads there by so many draws at most, for each of `lucks`."""
        return self.leaders_with({path: _times(self.case[path], times) for path in paths}, draws, lucks)

    def leaders_with(self, facts: Mapping[str, Fact], draws: float, lucks: tuple[float, ...]) -> tuple[str, ...]:
        """Who leads with these facts in the place of the case's, of those that may be recommended, by at most so many draws.

        Once for each of `lucks`, the standard errors of a chance by which the bars of the chances are moved.
        """
        key = tuple((path, fact.value, fact.low, fact.high) for path, fact in facts.items()), draws, lucks
        if key not in self._led:
            self._led[key] = tuple(self._leaders_of(Case(facts={**self.case.facts, **facts}), draws, lucks))
        return self._led[key]

    def _leaders_of(self, case: Case, draws: float, lucks: tuple[float, ...]) -> Iterator[str]:
        ids = tuple(dict.fromkeys((*self.verdict.candidates, "stay")))  # which others are held against, allowed or not
        n, seed = draws_and_seed(case)
        if not n:
            yield weigh(case, ids).chosen.leader
            return
        shared, options, choices = settle(case, ids)
        live = [id for id in ids if options[id].infeasible is None]
        drawn = draw(case, live, choices, int(min(n, draws)), seed)
        standings = {id: standing(shared, options[id], drawn) for id in live}
        for luck in lucks:
            yield choose(with_bars(shared, luck, luck, drawn.n), standings, shared.counts).leader


def _tried() -> Iterator[float]:
    """3, 10, 30 ... without end."""
    return (x for tens in count() for x in (3.0 * 10.0**tens, 10.0 ** (tens + 1)))


def _times(fact: Fact, factor: float) -> Fact:
    """The fact with its value, and its ends where it has some, multiplied."""
    ends = {end: at * factor for end in ("value", "low", "high") if (at := getattr(fact, end)) is not None}
    return fact.model_copy(update=ends)
