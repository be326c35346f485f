"""The spine: compare(case) -> Comparison. Reads no file, clock or environment; the Case names its own draws.

central values ──▶ who may win ──▶ plans chosen ──▶ lines, totals, NPV, payback of every option
                                                ──▶ draws: the same rows for all ──▶ chances, P10/P50/P90, drivers
                                                ──▶ break-even along volumes      ──▶ the verdict
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count, takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.alarms import Alarm, read_alarms
from roi.economics.decision.break_even import BreakEven, rows_of
from roi.economics.decision.curves import LEAST, MOST, POINTS, Curves
from roi.economics.decision.draws import Drawn, draw, probability_best, when_to_start
from roi.economics.decision.drivers import Driver, find_drivers
from roi.economics.decision.evaluation import (
    Choice,
    Evaluated,
    Start,
    better_later,
    choices_of,
    choose_plan,
    evaluate,
    live_later,
    read_all,
)  # fmt: skip
from roi.economics.decision.feasibility import Gate, can_fail, read_gates, rule_out, score_of, tells_quality, tested
from roi.economics.decision.measuring.worth import Experiment, experiments
from roi.economics.decision.option_result import (
    InfeasibleOption,
    OptionResult,
    infeasible_result,
    mean_cash,
    option_result,
    standing,
)  # fmt: skip
from roi.economics.decision.second_move import SecondMove, find_second_move
from roi.economics.decision.signposts import Signpost, Thresholds
from roi.economics.decision.turning_price import turning_price
from roi.economics.decision.verdict import LUCK, Choices, Verdict, choose, decide, find_first_move, value, with_bars
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.economics.reading import number
from roi.facts.case import Case
from roi.facts.fact import Fact

FURTHEST: Final = 100.0
"""Times today's volume, or that part of it, to which it is asked whether another option leads, and to the end of the curves."""
HALVINGS: Final = 6
"""Of the stretch in which that turns: to 2% of a volume."""
ASKED_DRAWS: Final = 4096
"""Draws, the first ones, for each such question: as many as a comparison has if nothing is said, so that both agree."""
FIRST_DRAWS: Final = 512
"""Of those, for a first look at each volume: where they name today's leader, luck aside, it is taken to lead there."""
REQUESTS_PER_DAY: Final = path_of(Shared, "requests_per_day")
RENT: Final = ".usd_per_gpu_hour"
"""End of the path of a plan's rent, and of one that the scenario states."""
RENTS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Times today's rents at which it is asked whether another option leads; an H100 was 4.7 x as dear in 2023 as in late 2025."""
Turn = tuple[float, str, str]
"""Where another option leads, and which, there and further on."""


@dataclass(frozen=True)
class Comparison:
    """The answer. Everything in it follows from `case` alone."""

    case: Case
    """Every fact that the answer rests on, by path, each with value, spread, unit and source."""
    verdict: Verdict
    alarms: tuple[Alarm, ...]
    """What cannot be true in the Case, or was meant and is accepted."""
    gates: tuple[Gate, ...]
    """Questions that decide whether the task can be trained at all, each with its answer: yes, no or unknown."""
    options: tuple[OptionResult, ...]
    """Feasible options, in the Case's order."""
    infeasible: tuple[InfeasibleOption, ...]
    """Options that cannot work, each with its reason."""
    can_fail: bool
    """False where neither a bar nor a price of wrong answers could make an option fail, whatever a test finds."""
    experiments: tuple[Experiment, ...]
    """What could be measured, the highest net value after the recommendation first."""
    second_move: SecondMove | None
    """The best of the tested options on GPUs that would follow the leading one, an API, likely ones first; the leading one
    where it follows a first move. None where none saves anything at the central values, or what it follows is no mere API."""
    drivers: tuple[Driver, ...]
    """The uncertain facts that move an option's NPV, those that move it most first."""
    driver_option: str | None
    """The option whose NPV the drivers move."""
    reconciled_option: str | None
    """The option that `reconciled_npv_usd` belongs to: the leading one, the challenger where that is staying."""
    reconciled_npv_usd: tuple[float, float] | None
    """Its NPV if the gap to the bill is all price, and if it is all volume; None without a gap."""
    better_later: tuple[int, float] | None
    """Months by which the leading option had better go live later, at most 12, and the NPV in USD that this adds on what the
    verdict counts, at the central values; None where at once is best."""
    thresholds: Thresholds | None = field(repr=False, compare=False)
    """Break-evens and signposts, worked out where they are asked for; None where none are looked for, or all is staying."""

    @cached_property
    def _led(self) -> dict[object, tuple[str, ...]]:
        """What `_leaders_with` found, by what it was asked."""
        return {}

    @property
    def break_even(self) -> tuple[BreakEven, ...]:
        """From how many requests a day the best option of each kind wins."""
        return self.thresholds.break_even if self.thresholds else ()

    @property
    def break_even_requests_per_day(self) -> float | None:
        """Best self-hosted option against the best untrained one, present value, from where on it wins for good."""
        return self.thresholds.headline if self.thresholds else None

    @property
    def signposts(self) -> tuple[Signpost, ...]:
        """What would undo the leading option, or bring the challenger or the best self-hosted option before it."""
        return self.thresholds.all_signposts if self.thresholds else ()

    @property
    def probability_best_by_kind(self) -> dict[str, float] | None:
        """Share of draws in which an option of each kind saves most, of those that may be recommended; None without draws."""
        sums: dict[str, float] = {}
        for o in self.options:
            if o.probability_best is not None:
                sums[o.kind] = sums.get(o.kind, 0.0) + o.probability_best
        return sums or None

    @property
    def leader(self) -> OptionResult:
        """The option that the figures recommend, alarms aside."""
        return next(o for o in self.options if o.id == self.verdict.leader)

    def leader_at(self, values: Mapping[str, float], *, like: str | None = None) -> str:
        """Id of the option that the figures would recommend were these facts the numbers, of those that may be recommended.

        Facts that the case does not hold are `like` another.
        """
        facts = {path: self.case[path if path in self.case else like or path].model_copy(
            update={"value": value, "low": None, "high": None}) for path, value in values.items()}
        return self._leaders_with(facts, math.inf, (0.0,))[0]

    def turning_volume(self, *, up: bool, within: float = math.inf) -> Turn | None:
        """Requests a day above today's, or below it, from which on another option is recommended, by means and chances.

        With it the ids of that option, and of the one that leads at the nearest of the volumes tried beyond it.

        None where at none of the volumes tried: 3, 10, 30 ... times today's or those parts of it, to the end of the curves and
        `within` that at most, and between two of them where at the central values an option is ahead that is at neither.
        Options take their plans anew at each volume, and today's spread of the volume grows with it. A fleet grows by whole
        replicas, and a chance goes up and down with it: it is the first such volume, and further on the advice may turn again.
        """
        today = self.case[REQUESTS_PER_DAY].number()
        furthest = min(max(MOST / today if up else today / LEAST, FURTHEST), within)
        tried = (x for tens in count() for x in (3.0 * 10.0**tens, 10.0 ** (tens + 1)))
        factors = (x if up else 1.0 / x for x in takewhile(lambda x: x <= furthest, tried))
        found = self._first_turn(self._with_those_ahead(factors), [REQUESTS_PER_DAY])
        return None if found is None else (today * found[0], *found[1:])

    @cached_property
    def turning_rent(self) -> Turn | None:
        """Times today's rents of GPUs, all moving alike, from which on another option is recommended, by means and chances.

        With it the ids of that option, and of the one that leads at the nearest of the factors tried beyond it: RENTS. None
        where at none of these, or where the leading option rents no GPUs. Plans are taken anew at each.
        """
        fleet = self.leader.fleet
        if fleet is None or fleet.usd_per_gpu_hour <= 0.0:
            return None
        rents = [path for path in self.case.facts
                 if path.endswith(RENT) and (".plans." in path or path.startswith("gpu_rents."))]
        return self._first_turn(RENTS, rents)

    def cash_at_mean_rents(self, id: str) -> float | None:
        """Cash of a mean month once the option serves alone, USD, were rents at their mean level; None where it rents none.

        At the central values the level is below its mean, as many as are above it being further off.
        """
        curves = None if self.thresholds is None else self.thresholds.curves
        if curves is None or (option := curves.options[id]).plan is None or option.hardware is not None:
            return None
        return mean_cash(evaluate(replace(curves.shared, rent_spread=(0.0, 0.0)), option, curves.options))

    @cached_property
    def start(self) -> Start | None:
        """When a tested option had best go live, where staying leads and it saves more then than any at once; else None."""
        v, curves = self.verdict, None if self.thresholds is None else self.thresholds.curves
        if curves is None or v.leader != "stay":
            return None
        ids = [id for id in v.candidates if not curves.options[id].keeps_model]
        n, seed = (int(self.case[name].number()) for name in ("draws", "seed"))
        found = when_to_start(self.case, curves.shared, curves.options, ids, min(n, ASKED_DRAWS), seed)
        return found if found and found.npv_usd > max(value(o, v.counts) for o in self.options if o.tested) else None

    def _first_turn(self, factors: Iterable[float], paths: Sequence[str]) -> Turn | None:
        """The factor on these facts at which another option leads, and which, there and at the first factor tried beyond."""
        before, leader = 1.0, self.verdict.leader
        for times in factors:
            if self._may_turn_at(paths, times) and (beyond := self._leader_at(paths, times)) != leader:
                break
            before = times
        else:
            return None
        led = beyond
        for _ in range(HALVINGS):
            middle = math.sqrt(before * times)
            if (there := self._leader_at(paths, middle)) == leader:
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
        if self.thresholds is None:
            return volumes, np.zeros(volumes.size, dtype=np.intp), np.zeros(volumes.size)
        row = rows_of("pv", v.counts)
        ids = dict.fromkeys((v.leader, *v.candidates))
        costs = np.stack([self.thresholds.curves.of(id).at(volumes)[row] for id in ids])
        return volumes, costs.argmin(axis=0), (costs[0] - costs.min(axis=0)) / np.maximum(np.abs(costs[0]), 1.0)

    def _may_turn_at(self, paths: Sequence[str], times: float) -> bool:
        """False where FIRST_DRAWS name today's leader whatever the luck of so few in a chance."""
        return any(led != self.verdict.leader for led in self._leaders_at(paths, times, FIRST_DRAWS, (-LUCK, 0.0, LUCK)))

    def _leader_at(self, paths: Sequence[str], times: float) -> str:
        """Who leads at so many times these facts, by ASKED_DRAWS at most."""
        return self._leaders_at(paths, times, ASKED_DRAWS, (0.0,))[0]

    def _leaders_at(self, paths: Sequence[str], times: float, draws: int, lucks: tuple[float, ...]) -> tuple[str, ...]:
        """Who leads there by so many draws at most, for each of `lucks`."""
        return self._leaders_with({path: _times(self.case[path], times) for path in paths}, draws, lucks)

    def _leaders_with(self, facts: Mapping[str, Fact], draws: float, lucks: tuple[float, ...]) -> tuple[str, ...]:
        """Who leads with these facts in the place of the case's, of those that may be recommended, by at most so many draws.

        For each of `lucks`, the standard errors of a chance by which its bar is moved. Kept: a page tells what its screen does.
        """
        key = tuple((path, fact.value, fact.low, fact.high) for path, fact in facts.items()), draws, lucks
        if key not in self._led:
            self._led[key] = tuple(self._leaders_of(Case(facts={**self.case.facts, **facts}), draws, lucks))
        return self._led[key]

    def _leaders_of(self, case: Case, draws: float, lucks: tuple[float, ...]) -> Iterator[str]:
        candidates = self.verdict.candidates
        n, seed = (int(self.case[name].number()) for name in ("draws", "seed"))
        if not n or not case.uncertain:
            yield weigh(case, candidates).chosen.leader
            return
        shared, options, choices = settle(case, candidates)
        live = [id for id in candidates if options[id].infeasible is None]
        drawn = draw(case, live, choices, int(min(n, draws)), seed)
        standings = {id: standing(shared, options[id], drawn) for id in live}
        for luck in lucks:
            yield choose(with_bars(shared, luck, luck, drawn.n), standings, shared.counts).leader


def _times(fact: Fact, factor: float) -> Fact:
    """The fact with its value, and its ends where it has some, multiplied."""
    ends = {end: at * factor for end in ("value", "low", "high") if (at := getattr(fact, end)) is not None}
    return fact.model_copy(update=ends)


@dataclass(frozen=True)
class Weighed:
    """What a Case says of every option, and which one it recommends, alarms aside."""

    shared: Shared
    options: Mapping[str, Option]
    choices: Mapping[str, Choice]
    below: tuple[str, ...]
    """Options whose score alone rules them out, where more items may show otherwise."""
    untrained: tuple[str, ...]
    """Options that train nothing and are tested."""
    central: Mapping[str, Evaluated]
    """Feasible options at the central values."""
    drawn: Drawn | None
    results: Mapping[str, OptionResult]
    chosen: Choices


def weigh(case: Case, among: Collection[str] | None = None) -> Weighed:
    """Every option (of `among`) costed, at the central values and over the draws, and the one that the figures recommend."""
    values = case.values()
    shared, options, choices = settle(case, among or ())

    live = [id for id, o in options.items() if o.infeasible is None and (among is None or id in among)]
    below = [id for id, o in options.items() if o.below_bar and any(tells_quality(path, o) for path in case.uncertain)]
    untrained = [id for id in live if not options[id].trains and tested(shared, options[id])]
    central = {id: evaluate(shared, options[id], options) for id in live}
    n, seed = (int(float(number(values[name], name))) for name in ("draws", "seed"))
    drawn = draw(case, [*live, *below], choices, n, seed) if n and case.uncertain else None
    best: dict[str, float] = {}
    if drawn is not None:
        best = probability_best(drawn.saved(shared.counts), [id for id in live if tested(shared, options[id])])
    results = {
        id: option_result(
            case, shared, central, id, untrained, drawn=drawn, chance=best.get(id),
            delay_usd=0.0 if id == "stay" else float(live_later(shared, options, id, 1).pv) - float(central[id].pv),
        )
        for id in live
    }
    return Weighed(shared, options, choices, tuple(below), tuple(untrained), central, drawn, results,
                   choose(shared, results, shared.counts))


def compare(case: Case, *, thresholds: bool = True) -> Comparison:
    """The comparison of all options of `case`. Pure: the same case gives the same answer, to the cent.

    Without `thresholds` no break-even and no signpost is looked for; all else is the same.
    """
    w = weigh(case)
    shared, options, choices, below = w.shared, w.options, w.choices, w.below
    central, drawn, results, chosen = w.central, w.drawn, w.results, w.chosen
    counts = chosen.counts
    measured: tuple[Experiment, ...] = ()
    price = path_of(Shared, "usd_per_error")
    fails = can_fail(shared, shared.usd_per_error if drawn is None else drawn.facts.get(price, shared.usd_per_error), counts)
    first = find_first_move(results, chosen)
    move, following = find_second_move(case, shared, options, results, counts, first or chosen.leader,
                                       chosen.candidates if first is None else (chosen.leader,),
                                       None if drawn is None else drawn.saved(counts))
    if drawn is not None:
        measurable = {**central, **{id: evaluate(shared, options[id], options) for id in below}}
        measured = experiments(shared, measurable, drawn, chosen.candidates,
                               chosen.leader if following is None else following.after, counts, following)
    values = case.values()
    alarms = read_alarms(values)
    verdict = decide(shared, results, options, central, chosen=chosen, drawn=drawn, measured=measured, alarms=alarms,
                     turning=turning_price(case, shared, options, choices, results, chosen, drawn), following=following)
    target = verdict.leader if verdict.leader != "stay" else verdict.challenger
    drivers: tuple[Driver, ...] = ()
    if drawn is not None and target is not None:
        unproven = {id: options[id] for id in (*results, *below) if id not in verdict.candidates} if fails else {}
        drivers = find_drivers(case, drawn, target, choices, verdict.candidates, unproven, counts, following)
    return Comparison(
        case=case, verdict=verdict, alarms=alarms, gates=read_gates(values), experiments=measured,
        second_move=move, options=tuple(results.values()),
        can_fail=fails,
        infeasible=tuple(infeasible_result(o, options["stay"], score_of(o, options) if o.below_bar else None)
                         for o in options.values() if o.infeasible is not None),
        drivers=drivers, driver_option=target if drivers else None,
        reconciled_option=target, reconciled_npv_usd=_reconciled(case, choices, target, counts),
        better_later=better_later(shared, options, central[verdict.leader]),
        thresholds=Thresholds(Curves(shared, options), results, w.untrained, verdict)
        if thresholds and len(results) > 1 else None,
    )


def settle(case: Case, ids: Collection[str] = ()) -> tuple[Shared, dict[str, Option], dict[str, Choice]]:
    """The shared record, and every option on the plan that it is cheapest on at the central values, or ruled out.

    With `ids` those options, and what they hand on to, in place of all.
    """
    values = case.values()
    shared, options = read_all(case, values, ids=tuple(ids))
    options = rule_out(shared, options, read_gates(values))
    options = {id: choose_plan(shared, option, options) for id, option in options.items()}
    return shared, options, choices_of(options)


def _reconciled(case: Case, choices: Mapping[str, Choice], id: str | None, counts: str) -> tuple[float, float] | None:
    """NPV at both ends of the split of the reconciliation factor into price and volume, on what the verdict counts."""
    values = case.values()
    if values.get("reconciliation.factor") in (None, 1, 1.0) or id is None:
        return None

    def npv(volume_share: float) -> float:
        shared, options = read_all(case, {**values, "reconciliation.volume_share": volume_share}, choices, (id,))
        stay, done = (evaluate(shared, options[each], options) for each in ("stay", id))
        return float(stay.counted(counts) - done.counted(counts))

    return npv(0.0), npv(1.0)
