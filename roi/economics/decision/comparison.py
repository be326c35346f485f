"""The spine: compare(case) -> Comparison. Reads no file, clock or environment; the Case names its own draws.

central values ──▶ who may win ──▶ plans chosen ──▶ lines, totals, NPV, payback of every option
                                                ──▶ draws: the same rows for all ──▶ chances, P10/P50/P90, drivers
                                                ──▶ break-even along volumes      ──▶ the verdict
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

from roi.economics.decision.alarms import NOWHERE_TO_GO, Alarm, read_alarms
from roi.economics.decision.drivers import Driver, find_drivers
from roi.economics.decision.evaluation import Choice, evaluate, mean_cash, read_all
from roi.economics.decision.feasibility import Gate, can_fail, read_gates, score_of
from roi.economics.decision.measuring.best_gate import BestGate, best_gate
from roi.economics.decision.measuring.trials import unpaid
from roi.economics.decision.measuring.worth import Experiment, experiments
from roi.economics.decision.option_result import InfeasibleOption, OptionResult, infeasible_result
from roi.economics.decision.recommendation import find_first_move, hold_back, value
from roi.economics.decision.second_move import SecondMove, find_second_move, once_in_use
from roi.economics.decision.starts import Start, better_later, spared_by_waiting, when_to_start
from roi.economics.decision.turning.api_timing import timings
from roi.economics.decision.turning.break_even import BreakEven
from roi.economics.decision.turning.curves import Curves
from roi.economics.decision.turning.elsewhere import Stood
from roi.economics.decision.turning.error_price import USD_PER_ERROR, turning_price
from roi.economics.decision.turning.load_and_rent import OtherLeaders, Turn
from roi.economics.decision.turning.signposts import Signpost, Thresholds
from roi.economics.decision.turning.successor_price import SuccessorTurn, successor_turns
from roi.economics.decision.turning.winning_result import winning_result
from roi.economics.decision.verdict import Verdict, decide
from roi.economics.decision.weighing import SurerPlan, surer_plan, weigh
from roi.economics.inputs import Shared, path_of
from roi.economics.lines.line_kind import LineKind
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact


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
    """The leading option where it follows a first move; else what would follow the leading one, likely ones first: options on
    GPUs after an API, and what was held back. None where none saves anything at the central values."""
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
    def signposts_once_in_use(self) -> tuple[Signpost, ...]:
        """What would bring the best option on GPUs to follow the leading one, an API, or undo its following a first move."""
        return self.thresholds.once_in_use if self.thresholds else ()

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

    @property
    def led_usd(self) -> float:
        """Mean NPV against staying of what the figures recommend, on what the verdict counts."""
        return 0.0 if self.verdict.leader == "stay" else value(self.leader, self.verdict.counts)

    def leader_at(self, values: Mapping[str, float], *, like: str | None = None) -> str:
        """Id of the option that the figures would recommend were these facts the numbers, as `stood_at` says."""
        return self._other_leaders.leader_with(self._with(values, like))

    def stood_at(self, values: Mapping[str, float], *, like: str | None = None) -> Stood:
        """How options would stand were these facts the numbers, of those that may be recommended, in the draws of the case.

        Facts that the case does not hold are `like` another.
        """
        return self._other_leaders.stood_with(self._with(values, like), math.inf)

    def _with(self, values: Mapping[str, float], like: str | None) -> dict[str, Fact]:
        return {path: self.case[path if path in self.case else like or path].model_copy(
            update={"value": value, "low": None, "high": None}) for path, value in values.items()}

    def stands_at_price(self, usd_per_error: float) -> bool:
        """True where today's option is recommended at this price of a wrong answer, luck of the draws aside, all else as today.

        The price has today's spread, as a share, where it is counted today; else, and at none, it is exact.
        """
        today = self.case[USD_PER_ERROR]
        ends = ("low", "high") if self.verdict.counts != "cash" and min(today.number(), usd_per_error) > 0.0 else ()
        moved = {end: x and x * usd_per_error / today.number() for end in ends for x in [getattr(today, end)]}
        fact = today.model_copy(update={"low": None, "high": None, **moved, "value": usd_per_error, "basis": Basis.STATED})
        return {*self._other_leaders.stood_with({USD_PER_ERROR: fact}, math.inf).leaders} == {self.verdict.leader}

    @cached_property
    def _other_leaders(self) -> OtherLeaders:
        return OtherLeaders(self.case, self.verdict, self.options, self._curves)

    @property
    def _curves(self) -> Curves | None:
        return None if self.thresholds is None else self.thresholds.curves

    def turning_volume(self, *, up: bool, within: float = math.inf) -> Turn | None:
        """Requests a day above today's, or below it, from which on another option is recommended, by means and chances.

        With it the ids of that option, and of the one that leads at the nearest of the volumes tried beyond it.

        None where at none of the volumes tried: 3, 10, 30 ... times today's or those parts of it, to the end of the curves and
        `within` that at most, and between them beside a change of plan and where another option is expected to lead; to 0.1%.
        Options take their plans anew at each volume, and today's spread of the volume grows with it. A fleet grows by whole
        replicas, and a chance goes up and down with it: it is the first such volume, and further on the advice may turn again.
        """
        return self._other_leaders.volume(up=up, within=within)

    def turned_before(self, requests_per_day: float) -> float | None:
        """The volume on the way to this one from which on another option is recommended, all else as today.

        None where this volume has today's. Who is recommended there is asked first, and then where, as `turning_volume` does.
        """
        return self._other_leaders.on_the_way_to(requests_per_day)

    @property
    def turning_rent(self) -> Turn | None:
        """Times today's rents of GPUs, all moving alike, from which on another option is recommended, by means and chances.

        With it the ids of that option, and of the one that leads at the nearest of the factors tried beyond it: RENTS. None
        where at none of these, or where the leading option rents no GPUs. Plans are taken anew at each.
        """
        return self._other_leaders.rent

    @cached_property
    def successor_turns(self) -> tuple[SuccessorTurn, ...]:
        """At which prices of what follows today's model, were that known, another option is recommended, within its spread.

        None where today's model has no known end within the horizon, where somebody stated the price, or where no threshold is
        looked for; else two at most.
        """
        return () if self.thresholds is None else successor_turns(self._other_leaders)

    def turned_before_rents(self, times: float) -> float | None:
        """The factor on today's rents of GPUs, on the way up to this one, from which on another option is recommended.

        All rents move alike. None where at this one today's option is, or rents are no higher. Who is recommended there is
        asked first, and then where, as `turning_rent` does.
        """
        return self._other_leaders.rents_on_the_way_to(times)

    def cash_at_mean_rents(self, id: str) -> float | None:
        """Cash of a mean month once the option serves alone, USD, were rents at their mean level; None where it rents none.

        At the central values the level is below its mean, as many as are above it being further off.
        """
        curves = self._curves
        if curves is None or (option := curves.options[id]).plan is None or option.hardware is not None:
            return None
        return mean_cash(evaluate(replace(curves.shared, rent_spread=(0.0, 0.0)), option, curves.options))

    def surer_plan(self, id: str) -> SurerPlan | None:
        """The plan on which an option saves more on average than on its own, which is the cheapest at the central values."""
        return None if (curves := self._curves) is None else surer_plan(self.case, curves.shared, curves.options, id)

    def best_gate(self, id: str) -> BestGate | None:
        """What a cascade could bring with the best gate; None where it was measured, or no threshold is looked for."""
        return None if (curves := self._curves) is None else best_gate(curves.shared, curves.options, id, self.verdict.counts)

    @cached_property
    def open_gates(self) -> Mapping[str, BestGate]:
        """What each gate that nobody measured could bring, by cascade; of those that could bring more than what is advised.

        And whose first model somebody scored, and that reach the bar so.
        """
        bar = self.case["quality.bar"].number()
        firsts = {o.id: self.case[f"options.{o.id}.system"].value for o in self.options if not o.tested}
        found = {id: best for id, first in firsts.items() if self.case[f"systems.{first}.evaluated"].value
                 and (best := self.best_gate(id)) is not None}
        return {id: best for id, best in found.items() if best.npv_usd > self.led_usd and best.error_rate <= 1.0 - bar}

    def spared_by_waiting(self, id: str, months: int, counts: str) -> LineKind | None:
        """What of an option's cost a start so many months later spares most of; None where no threshold is looked for."""
        curves = self._curves
        return None if curves is None else spared_by_waiting(curves.shared, curves.options, id, months, counts)

    @cached_property
    def start(self) -> Start | None:
        """When a tested option had best go live, where staying leads and it saves more then than any at once; else None."""
        v, curves = self.verdict, self._curves
        if curves is None or v.leader != "stay":
            return None
        ids = [id for id in v.candidates if not curves.options[id].keeps_model]
        found = when_to_start(self.case, curves.shared, curves.options, ids)
        return found if found and found.npv_usd > max(value(o, v.counts) for o in self.options if o.tested) else None


def compare(case: Case, *, thresholds: bool = True) -> Comparison:
    """The comparison of all options of `case`. Pure: the same case gives the same answer, to the cent.

    Without `thresholds` no break-even and no signpost is looked for; all else is the same.
    """
    w = weigh(case)
    shared, options, choices, below = w.shared, w.options, w.choices, w.below
    central, drawn, results, chosen = w.central, w.drawn, w.results, w.chosen
    counts = chosen.counts
    measured: tuple[Experiment, ...] = ()
    winning = None
    price = path_of(Shared, "usd_per_error")
    fails = can_fail(shared, shared.usd_per_error if drawn is None else drawn.facts.get(price, shared.usd_per_error), counts)
    in_use = cache(partial(once_in_use, case, w, among=chosen.candidates))
    adds = cache(lambda id, to: None if (found := in_use(to)) is None else found.adds(id))
    chosen = hold_back(shared, results, results, chosen, adds)
    first = find_first_move(results, chosen)
    after = in_use(first or chosen.leader)
    move, following = find_second_move(
        after, (chosen.leader,) if first is not None else () if after is None else tuple({**after.done, **chosen.held}))
    if drawn is not None:
        measurable = {**central, **{id: evaluate(shared, options[id], options) for id in below}}
        measured = experiments(shared, options, measurable, drawn, chosen.candidates,
                               chosen.leader if following is None else following.after, counts, following)
        winning = partial(winning_result, case, shared, options, measurable, drawn, chosen.candidates, counts, results)
    if chosen.leader != "stay":
        steps = [id for id in (first, chosen.leader) if id is not None]
        measured = (*measured, *timings(case, shared, options, central, results, steps, chosen.likely))
    values = case.values()
    alarms = read_alarms(values)
    if chosen.leader == "stay" and not shared.may_stay:
        alarms = (*alarms, NOWHERE_TO_GO)
    verdict = decide(shared, results, options, central, chosen=chosen, drawn=drawn, measured=measured, alarms=alarms,
                     turning=turning_price(case, shared, options, choices, results, chosen, drawn, adds), following=following,
                     winning=winning)
    target = verdict.leader if verdict.leader != "stay" else verdict.challenger
    drivers: tuple[Driver, ...] = ()
    if drawn is not None and target is not None:
        unproven = {id: options[id] for id in (*results, *below) if id not in (*verdict.candidates, "stay")} if fails else {}
        drivers = find_drivers(case, drawn, target, choices, verdict.candidates, unproven, counts, following,
                               unpaid(case.uncertain, (central[id] for id in ("stay", *verdict.candidates))))
    return Comparison(
        case=case, verdict=verdict, alarms=alarms, gates=read_gates(values), experiments=measured,
        second_move=move, options=tuple(results.values()),
        can_fail=fails,
        infeasible=tuple(infeasible_result(o, options["stay"], score_of(o, options) if o.below_bar else None, drawn)
                         for o in options.values() if o.infeasible is not None),
        drivers=drivers, driver_option=target if drivers else None,
        reconciled_option=target, reconciled_npv_usd=_reconciled(case, choices, target, counts),
        better_later=better_later(shared, options, central[verdict.leader]),
        thresholds=Thresholds(Curves(shared, options), results, w.untrained, verdict)
        if thresholds and len(results) > 1 else None,
    )


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
