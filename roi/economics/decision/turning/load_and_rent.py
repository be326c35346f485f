"""Other volumes and other rents at which another option is recommended, by means and chances, plans taken anew at each."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, takewhile
from typing import Final, NamedTuple

import numpy as np

from roi.economics.decision.draws import ASKED_DRAWS, draw, draws_and_seed
from roi.economics.decision.option_result import CENT, OptionResult, standing
from roi.economics.decision.recommendation import LUCK, chance_needed, choose, value, with_bars
from roi.economics.decision.turning.break_even import rows_of
from roi.economics.decision.turning.curves import LEAST, MOST, POINTS, Curves, ascending
from roi.economics.decision.verdict import Verdict
from roi.economics.decision.weighing import settle, weigh
from roi.economics.inputs import Array, Shared, path_of
from roi.economics.paid_units import Provisioned
from roi.facts.case import Case
from roi.facts.fact import Fact

FURTHEST: Final = 100.0
"""Times today's volume, or that part of it, to which it is asked whether another option leads, and to the end of the curves."""
CLOSE: Final = 1e-3
"""Share of a factor to which it is found where another option comes to lead: three digits."""
TRIES: Final = 10
"""Factors that are tried for it at most: beside a jump, as of another plan, it is then found to about half a percent."""
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


Number = Array | float


class Stood(NamedTuple):
    """Who leads with other facts, and how far the options are from that."""

    leaders: tuple[str, ...]
    """One for each of the bars of the chances that were asked for."""
    saved: Mapping[str, tuple[Number, Number]]
    """By option what it saves on average, USD, and the least of that and of what it saves at its bar: above 0 it is likely."""


@dataclass(frozen=True)
class OtherLeaders:
    """Where another option leads than today; each worked out where somebody asks for it, and kept."""

    case: Case
    verdict: Verdict
    options: Sequence[OptionResult]
    """Results of the feasible options at today's values."""
    curves: Curves | None
    """What they cost along volumes; None where no threshold is looked for."""
    _stood: dict[object, Stood] = field(default_factory=dict)
    """What `stood_with` found, by what it was asked: a page tells what its screen does."""

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
        near, leader, probes = 1.0, self.verdict.leader, PROBES
        known = {near: self._at(paths, near, FIRST_DRAWS)}
        beside = self._beside_other_plans(factors) if paths[0] == REQUESTS_PER_DAY else []
        for times in sorted({*factors, *beside}, key=lambda x: abs(math.log(x))):
            known[times] = self._at(paths, times, ASKED_DRAWS if self._may_turn_at(paths, times) else FIRST_DRAWS)
            far = times if known[times].leaders[0] != leader else None
            while probes and paths[0] == REQUESTS_PER_DAY and (ahead := self._expected(known, near, far or times)):
                probes, known[ahead] = probes - 1, self._at(paths, ahead, ASKED_DRAWS)
                far = ahead if known[ahead].leaders[0] != leader else far
            if far is not None:
                off = abs(math.log(far))
                near = max((x for x in known if abs(math.log(x)) < off), key=lambda x: abs(math.log(x)))
                there = self._narrowed(paths, near, far, known)
                return there, self.leader_at(paths, there), known[far].leaders[0]
            near = times
        return None

    def _narrowed(self, paths: Sequence[str], near: float, far: float, known: Mapping[float, Stood]) -> float:
        """The factor between two, at the nearer of which today's leader leads, from which on it does not, within CLOSE.

        By the line through what both say, a little on the side that is further away; by halves in the logarithm where that does
        not tell, and after a step that left more than half of what the end had said that it replaced, as beside a jump.
        """
        leader = self.verdict.leader
        gaps, slow = [float(_gap(leader, known[x].saved)) for x in (near, far)], False
        for _ in range(TRIES):
            if abs(far - near) <= CLOSE * near:
                break
            middle = math.sqrt(near * far)
            if not slow and math.isfinite(gaps[0] - gaps[1]) and gaps[0] > 0.0 > gaps[1]:
                zero = near + (far - near) * gaps[0] / (gaps[0] - gaps[1])
                zero += math.copysign(CLOSE * zero / 3.0, far - zero - (zero - near))
                middle = min(max(zero, min(near, far)), max(near, far))
            there = self._at(paths, middle, ASKED_DRAWS)
            moved, gap = int(there.leaders[0] != leader), float(_gap(leader, there.saved))
            near, far = (near, middle) if moved else (middle, far)
            slow, gaps[moved] = abs(gap) > abs(gaps[moved]) / 2.0, gap
        return far

    def _beside_other_plans(self, factors: Sequence[float]) -> list[float]:
        """Factors on the volume, as far as these go, at both sides of which a candidate runs on another plan: the nearest few.

        Along one plan what options save moves little by little, and from one to the next by a jump. Of candidates that cost
        little more there than the leading option at the central values: RIVALS times.
        """
        if self.curves is None or not factors:
            return []
        today, row = self.case[REQUESTS_PER_DAY].number(), rows_of("pv", self.verdict.counts)
        ends, volumes = sorted((1.0, factors[-1])), np.geomspace(LEAST, MOST, POINTS)
        leading = self.curves.of(self.verdict.leader).at(volumes)[row]
        inside, beside = (volumes > ends[0] * today) & (volumes < ends[1] * today), np.zeros(POINTS, dtype=bool)
        for id in self.verdict.candidates:
            curve = self.curves.of(id)
            near = inside & (curve.at(volumes)[row] <= RIVALS * leading)
            other = np.diff(curve.plans_at(volumes)) != 0
            beside[:-1] |= other & near[:-1]
            beside[1:] |= other & near[1:]
        found = [float(volume) / today for volume in volumes[beside]]
        return (found if factors[-1] > 1.0 else found[::-1])[:BESIDE]

    def _expected(self, known: Mapping[float, Stood], near: float, far: float) -> float | None:
        """A factor on the volume between two at which another option is expected to lead; None where at none.

        What options save at the central values along the curves, and what the draws add to it, a straight line between the
        factors that are known. Of the nearest stretch the factor at which most is saved for each request.
        """
        if self.curves is None:
            return None
        factors, central = self._along_the_curves(tuple(known))
        saved = dict[str, tuple[Number, Number]]()
        for id, along in central.items():
            at = sorted(x for x in known if id in known[x].saved and factors[0] <= x <= factors[-1])
            if id == "stay" or not at:
                continue
            of = along[np.searchsorted(factors, at)]
            means, levels = (np.array([known[x].saved[id][k] for x in at]) - of for k in (0, 1))
            saved[id] = along + np.interp(factors, at, means), along + np.interp(factors, at, levels)
        if "stay" in known[1.0].saved:
            saved["stay"] = known[1.0].saved["stay"]
        gap = _gap(self.verdict.leader, saved)
        behind = np.flatnonzero((gap < -CENT) & (factors > min(near, far)) & (factors < max(near, far)))
        if not behind.size:
            return None
        stretches = np.split(behind, np.flatnonzero(np.diff(behind) > 1) + 1)
        nearest = stretches[0 if far > near else -1]
        return float(factors[nearest[np.argmin((gap / factors)[nearest])]])

    def _along_the_curves(self, known: tuple[float, ...]) -> tuple[Array, Mapping[str, Array]]:
        """Factors on the volume, those that are known among them; what each candidate saves there at the central values."""
        assert self.curves is not None
        today, row = self.case[REQUESTS_PER_DAY].number(), rows_of("pv", self.verdict.counts)
        factors = ascending(np.concatenate([np.geomspace(LEAST, MOST, POINTS) / today, known]))
        factors = factors[(factors * today >= LEAST) & (factors * today <= MOST)]
        stay = self.curves.of("stay").at(factors * today)[row]
        return factors, {id: stay - self.curves.of(id).at(factors * today)[row] for id in self.verdict.candidates}

    def _may_turn_at(self, paths: Sequence[str], times: float) -> bool:
        """False where FIRST_DRAWS name today's leader whatever the luck of so few in a chance."""
        return any(led != self.verdict.leader for led in self._at(paths, times, FIRST_DRAWS, (-LUCK, 0.0, LUCK)).leaders)

    def leader_at(self, paths: Sequence[str], times: float) -> str:
        """Who leads at so many times these facts, by ASKED_DRAWS at most."""
        return self._at(paths, times, ASKED_DRAWS).leaders[0]

    def _at(self, paths: Sequence[str], times: float, draws: int, lucks: tuple[float, ...] = (0.0,)) -> Stood:
        """How options stand there by so many draws at most, for each of `lucks`."""
        return self.stood_with({path: _times(self.case[path], times) for path in paths}, draws, lucks)

    def stood_with(self, facts: Mapping[str, Fact], draws: float, lucks: tuple[float, ...]) -> Stood:
        """Who leads with these facts in the place of the case's, of those that may be recommended, by at most so many draws.

        Once for each of `lucks`, the standard errors of a chance by which the bars of the chances are moved.
        """
        key = tuple((path, fact.value, fact.low, fact.high) for path, fact in facts.items()), draws, lucks
        if key not in self._stood:
            self._stood[key] = self._stood_in(Case(facts={**self.case.facts, **facts}), draws, lucks)
        return self._stood[key]

    def _stood_in(self, case: Case, draws: float, lucks: tuple[float, ...]) -> Stood:
        ids = tuple(dict.fromkeys((*self.verdict.candidates, "stay")))  # which others are held against, allowed or not
        n, seed = draws_and_seed(case)
        if not n:
            w = weigh(case, ids)
            means = {id: value(r, w.shared.counts) for id, r in w.results.items()}
            return Stood((w.chosen.leader,) * len(lucks), _with_staying(w.shared, {id: (x, x) for id, x in means.items()}))
        shared, options, choices = settle(case, ids)
        live = [id for id in ids if options[id].infeasible is None]
        drawn = draw(case, live, choices, int(min(n, draws)), seed)
        standings = {id: standing(shared, options[id], drawn) for id in live}
        saved = dict[str, tuple[Number, Number]]()
        for id, each in standings.items():
            rank, of = math.ceil(chance_needed(shared, each) * drawn.n), drawn.saved(shared.counts)[id]
            at_bar = float(np.partition(of, drawn.n - rank)[drawn.n - rank]) if rank else math.inf
            saved[id] = value(each, shared.counts), min(value(each, shared.counts), at_bar)
        leaders = (choose(with_bars(shared, luck, luck, drawn.n), standings, shared.counts).leader for luck in lucks)
        return Stood(tuple(leaders), _with_staying(shared, saved))


def _with_staying(shared: Shared, saved: Mapping[str, tuple[Number, Number]]) -> Mapping[str, tuple[Number, Number]]:
    """What each option saves, with staying, always likely; where that is not allowed, without it, all others likely."""
    others = {id: each for id, each in saved.items() if id != "stay"}
    if shared.may_stay or not others:
        return {**others, "stay": (0.0, math.inf)}
    return {id: (mean, math.inf) for id, (mean, _) in others.items()}


def _gap(leader: str, saved: Mapping[str, tuple[Number, Number]]) -> Number:
    """USD by which the option is the likely one that saves most on average, negative where another is; shape as of `saved`."""
    if leader not in saved:
        return -math.inf
    mean, gap = saved[leader]
    for id, (other, likely) in saved.items():
        if id != leader:
            gap = np.minimum(gap, np.maximum(np.negative(likely), np.subtract(mean, other)))
    return gap


def _tried() -> Iterator[float]:
    """3, 10, 30 ... without end."""
    return (x for tens in count() for x in (3.0 * 10.0**tens, 10.0 ** (tens + 1)))


def _times(fact: Fact, factor: float) -> Fact:
    """The fact with its value, and its ends where it has some, multiplied."""
    ends = {end: at * factor for end in ("value", "low", "high") if (at := getattr(fact, end)) is not None}
    return fact.model_copy(update=ends)
