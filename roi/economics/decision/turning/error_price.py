"""The price of a wrong answer at which another option is recommended, by means and chances, each hybrid on its floor there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise, product
from typing import Final, NamedTuple

import numpy as np

from roi.economics.decision.draws import Drawn, draw
from roi.economics.decision.evaluation import Choice, choose_plan, evaluate, once_left
from roi.economics.decision.feasibility import binds
from roi.economics.decision.option_result import CENT, OptionResult, Standing
from roi.economics.decision.recommendation import (
    LUCK,
    Added,
    Adds,
    Choices,
    added_to,
    chance_needed,
    choose,
    find_first_move,
    hold_back,
    with_bars,
)
from roi.economics.decision.second_move import left_to
from roi.economics.decision.verdict import Flip, TurningPrice
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.facts.case import Case

BEYOND: Final = 1e-9
"""Share of a price by which its far side is looked at."""
ONE_PRICE: Final = 1e-6
"""Share of a price within which its nearest and its furthest place are one: sums of draws round to less, and bars that move it
at all move it by more."""
HIGHEST: Final = 1e6
"""USD per wrong answer up to which a hybrid's floor is chosen anew; above it the floor stays."""
USD_PER_ERROR: Final = path_of(Shared, "usd_per_error")


def turning_price(
    case: Case, shared: Shared, options: Mapping[str, Option], choices: Mapping[str, Choice],
    results: Mapping[str, OptionResult], chosen: Choices, drawn: Drawn | None, adds: Adds,
) -> TurningPrice:
    """The USD per wrong answer nearest to today's beyond which `choose` has another leader, and which.

    In each draw savings are linear in it as long as floors stay, so that the leader changes where two means cross, where a
    chance crosses what its kind needs, or where a floor changes. A template's value gives way to one that is stated, without a
    spread; another keeps its spread, as a share. The other bars are LUCK standard errors of a chance lower or higher, on the
    same side of today's: n draws at random place a chance p within sqrt(p (1 - p) / n), Sobol' points closer. `adds` tells
    what options add to a first move at today's price.
    """
    today, ids = float(np.asarray(shared.usd_per_error)), chosen.candidates
    each = np.asarray(today)
    if drawn is not None and chosen.counts == "cash":
        each = np.asarray(drawn.facts.get(USD_PER_ERROR, today))
    if today <= 0.0:  # what a wrong answer would cost is seen at $1
        if today < 0.0 or USD_PER_ERROR not in case or case[USD_PER_ERROR].uncertain:
            return TurningPrice(None, None, ())
        dollar, each = case[USD_PER_ERROR].model_copy(update={"value": 1.0}), np.ones(1)
        case = Case(facts={**case.facts, USD_PER_ERROR: dollar})
        drawn = draw(case, ids, choices, drawn.n, drawn.seed) if drawn is not None else None
    floors = {id: _floors(shared, options, id, choices.get(id)) for id in ids}
    priced = _Priced(case, shared, options, choices, results, chosen, drawn, each, floors, adds)
    flip = priced.turn(shared)
    others, now = [flip], priced.counted
    side, at_once = flip[0] - now if flip else 0.0, priced.leader(shared, now)
    for binding, reversible in product((-LUCK, LUCK), repeat=2):
        if drawn is None:
            break
        bars = with_bars(shared, binding, reversible, drawn.n)
        led = priced.leader(bars, now)
        others.append(priced.turn(bars, side) if led == at_once else (now, led))
    told = [to for to in others if to]
    if all(x == now for x, _ in told) and not priced.matters([chosen.leader, *(led for _, led in told)]):
        return TurningPrice(None, None, ())  # whatever the bars, the answers of these cost the same as today's
    ends = _ends(others, now)
    beyond = [led for _, led in told]
    beyond += [priced.beyond(shared, x) for x in ends or () if x]  # an option may lead over a short stretch alone
    return TurningPrice(flip, ends, tuple(dict.fromkeys(id for id in beyond if id != chosen.leader)))


def one_price(near: float, far: float | None) -> bool:
    """True where both ends of a `TurningPrice` are one price, USD: the draws place it."""
    return far is not None and math.isclose(near, far, rel_tol=ONE_PRICE)


@dataclass(frozen=True)
class Row:
    """An option on one of its plans and floors."""

    result: OptionResult
    without: Array
    """What it saves in each draw without wrong answers, USD."""
    slope: Array
    """What it saves more in each draw for each USD that a wrong answer costs, USD."""

    def chance_passes(self, needed: float) -> Array:
        """The prices x > 0 at which the share of the draws with without + slope x > 0 passes `needed`."""
        turns, shares = self._turns
        return turns[np.diff(shares >= needed)]

    @cached_property
    def _turns(self) -> tuple[Array, Array]:
        """The prices x > 0 at which a draw turns, ascending; which share saves before the first of them and after each."""
        without, slope = self.without, self.slope
        turns = np.divide(-without, slope, out=np.zeros(slope.shape), where=slope != 0)
        order = np.argsort(turns)[np.count_nonzero(turns <= 0):]
        positive = np.count_nonzero(without > 0) + np.count_nonzero((without == 0) & (slope > 0))
        return turns[order], np.append(positive, positive + np.cumsum(np.sign(slope[order]))) / slope.size


@dataclass(frozen=True)
class _Priced:
    """What every candidate saves, by the price of a wrong answer."""

    case: Case
    shared: Shared
    options: Mapping[str, Option]
    choices: Mapping[str, Choice]
    results: Mapping[str, OptionResult]
    chosen: Choices
    drawn: Drawn | None
    each: Array
    """USD that a wrong answer costs in the draws of `drawn`."""
    floors: Mapping[str, list[tuple[float, Choice | None]]]
    """By option: from which price on, USD, it takes which plan and floor, ascending from 0."""
    adds: Adds
    rows: dict[tuple[str, Choice | None], Row] = field(default_factory=dict)
    """Rows of options on a plan and floor, as far as worked out so far."""
    following: dict[tuple[str, str], Row | None] = field(default_factory=dict)
    """What an option adds to a first move, as far as worked out so far."""
    standings: dict[float, dict[str, Standing]] = field(default_factory=dict)
    """How each option stands at a price of a wrong answer, USD, as far as worked out so far."""

    @property
    def counted(self) -> float:
        """USD per wrong answer that the verdict rests on: 0 where it counts cash alone."""
        return 0.0 if self.chosen.counts == "cash" else float(np.asarray(self.shared.usd_per_error))

    def turn(self, bars: Shared, side: float = 0.0) -> Flip | None:
        """The price nearest to today's beyond which another option leads than today's, on one `side` of today's or on both."""
        now, nearest = self.counted, math.inf
        found = None
        starts = sorted({start for floors in self.floors.values() for start, _ in floors})
        stretches = [(abs(min(max(now, low), high) - now), low, high) for low, high in pairwise([*starts, math.inf])]
        for off, low, high in sorted(stretches):
            if off >= nearest:
                break
            inside = [each for each in self._crossings(bars, low, high) if low < each[0] < high]
            for x, further in sorted([*inside, (low, 0.0), (high, 0.0)], key=lambda each: abs(each[0] - now)):
                if not 0.0 < x < math.inf or (x - now) * side < 0 or abs(x - now) >= nearest:
                    continue
                led = self.beyond(bars, x, further)
                if led != self.chosen.leader:
                    found, nearest = (float(x), led), abs(x - now)
        return found

    def matters(self, ids: Sequence[str]) -> bool:
        """True where the price moves what one of these saves."""
        rows = self._rows(self.counted)
        return any(bool(np.any(rows[id].slope != 0.0)) for id in ids)

    def beyond(self, bars: Shared, usd_per_error: float, further: float = 0.0) -> str:
        """Who leads at the next price, seen from today's, at least `further` on."""
        further = max(further, usd_per_error * BEYOND)
        return self.leader(bars, max(usd_per_error + (further if usd_per_error > self.counted else -further), 0.0))

    def leader(self, bars: Shared, usd_per_error: float) -> str:
        """Who leads at this price where `bars` asks for these chances."""
        if usd_per_error not in self.standings:
            self.standings[usd_per_error] = {
                id: self._standing(id, row, usd_per_error) for id, row in self._rows(usd_per_error).items()}
        standings = self.standings[usd_per_error]
        chosen = replace(choose(bars, standings, "errors"), counts=self.chosen.counts)

        def adds(id: str, to: str) -> Added | None:
            if usd_per_error == self.counted or (row := self._following(id, to)) is None:
                return self.adds(id, to)
            return Added(row.without + usd_per_error * row.slope, self.drawn is not None)

        return hold_back(bars, self.results, standings, chosen, adds).leader

    @cached_property
    def _first(self) -> str | None:
        """What comes first today, before it is asked what the leading option adds to that."""
        return find_first_move(self.results, choose(self.shared, self.results, self.chosen.counts))

    def _following(self, id: str, to: str) -> Row | None:
        """What the option adds to a first move, in draws in which that reaches the bar, on today's floor."""
        if (id, to) not in self.following:
            self.following[id, to] = self._follows(id, to)
        return self.following[id, to]

    def _follows(self, id: str, to: str) -> Row | None:
        row, all_do, drawn = self._row(id, self.choices.get(id)), np.ones(1, dtype=bool), self.drawn

        def left() -> Array:
            if drawn is None:
                return np.stack(self._central(once_left(self.shared, self.options, to, id)[1], to))
            return np.stack(self._by_draw(left_to(self.case, self.choices, drawn.n, drawn.seed, id=id, to=to), to))

        x = added_to(np.stack((row.without, row.slope)), left, *(
            all_do if drawn is None else drawn.meets[each] for each in (id, to)))
        return None if x is None else Row(row.result, *x)

    def _standing(self, id: str, row: Row, usd_per_error: float) -> Standing:
        r, saved = row.result, row.without + usd_per_error * row.slope
        odds = r.probability_npv_positive if self.drawn is None or id == "stay" else float(np.mean(saved > 0))
        return Standing(
            tested=r.tested, binds=r.binds, expected_npv_usd=float(saved.mean()), expected_cash_npv_usd=r.expected_cash_npv_usd,
            probability_npv_positive=odds, probability_cash_positive=r.probability_cash_positive,
            wrong_share=r.wrong_share,
        )

    def _crossings(self, bars: Shared, low: float, high: float) -> list[tuple[float, float]]:
        """Prices at which today's leader and another have one mean, or a chance is what its kind needs, on the floors there.

        With each how much further on two such means are no longer equal to the cent, of which the fewest wrong answers lead.
        """
        rows = self._rows(low + 1.0 if math.isinf(high) else (low + high) / 2.0)
        means = {id: (float(row.without.mean()), float(row.slope.mean())) for id, row in rows.items()}
        mine, my_slope = means[self.chosen.leader]
        found = [((mine - other) / (slope - my_slope), 2.0 * CENT / abs(slope - my_slope))
                 for other, slope in means.values() if not math.isclose(slope, my_slope)]  # of rounding no two cross
        for row in rows.values() if self.drawn is not None else ():
            found.extend((x, 0.0) for x in row.chance_passes(chance_needed(bars, row.result)))
        for id in rows if self._first is not None else ():
            if rows[id].result.binds and (added := self._following(id, str(self._first))) is not None:
                mean, slope = float(added.without.mean()), float(added.slope.mean())
                found += [(-mean / slope, 0.0)] if slope else []
                found += [(x, 0.0) for x in added.chance_passes(chance_needed(bars, added.result))] if self.drawn else []
        return found

    def _rows(self, usd_per_error: float) -> dict[str, Row]:
        """Every candidate on its plan and floor at this price."""
        there = {id: next(choice for start, choice in reversed(floors) if start <= usd_per_error)
                 for id, floors in self.floors.items()}
        for id, choice in there.items():
            if (id, choice) not in self.rows:
                self.rows[id, choice] = self._row(id, choice)
        return {id: self.rows[id, choice] for id, choice in there.items()}

    def _row(self, id: str, choice: Choice | None) -> Row:
        """The option on this plan and floor, in the draws of the others; at the central values where there are none."""
        result, n = self.results[id], self.drawn.n if self.drawn is not None else 0
        option, drawn = _placed(self.options[id], choice), self.drawn
        if drawn is None:
            return Row(result, *self._central({**self.options, id: option}, id))
        if choice is not None and choice != self.choices.get(id):
            result = replace(result, binds=binds(option))
            drawn = draw(self.case, ("stay", id), {**self.choices, id: choice}, n, drawn.seed)
        return Row(result, *self._by_draw(drawn, id))

    def _central(self, options: Mapping[str, Option], id: str) -> tuple[Array, Array]:
        """What the option saves at the central values without wrong answers, and more for each USD of these."""
        dollar = replace(self.shared, usd_per_error=1.0)
        stay, done = (evaluate(dollar, options[each], options) for each in ("stay", id))
        at_stay, at_done = float(stay.total.errors_pv), float(done.total.errors_pv)
        slope = 0.0 if math.isclose(at_stay, at_done) else at_stay - at_done  # the same answers: rounding is no slope
        return np.array([float(stay.pv_without_errors) - float(done.pv_without_errors)]), np.array([slope])

    def _by_draw(self, drawn: Drawn, id: str) -> tuple[Array, Array]:
        """What the option saves in each draw without wrong answers, and more for each USD of these."""
        errors = drawn.npv[id] - drawn.cash[id]
        known = (self.each > 0) & (np.abs(errors) > CENT)  # the same answers: rounding is no slope
        return drawn.cash[id], np.divide(errors, self.each, out=np.zeros(errors.shape), where=known)


class _Cost(NamedTuple):
    """A plan and floor, and its present value, USD: on cash, and for each USD that a wrong answer costs."""

    choice: Choice
    cash: float
    slope: float


def _floors(
    shared: Shared, options: Mapping[str, Option], id: str, today: Choice | None,
) -> list[tuple[float, Choice | None]]:
    """From which price of a wrong answer on the option takes which plan and floor: a hybrid's change, others' do not."""
    option = options[id]
    if option.kind != "hybrid" or today is None:
        return [(0.0, today)]
    dollar = replace(shared, usd_per_error=1.0)

    def costs(choice: Choice) -> _Cost:
        done = evaluate(dollar, _placed(option, choice), options)
        return _Cost(choice, float(done.pv_without_errors), float(done.total.errors_pv))

    def cheapest(price: float) -> _Cost:
        there = choose_plan(replace(shared, usd_per_error=price, counts="errors"), option, options)
        assert there.plan is not None
        return costs(Choice(option.plans.index(there.plan), there.replicas_fixed))

    def between(low: float, one: _Cost, high: float, other: _Cost) -> None:
        if one.choice == other.choice or other.slope >= one.slope:
            return
        at = min(max((other.cash - one.cash) / (one.slope - other.slope), low), high)
        middle = cheapest(at)
        if middle.choice in (one.choice, other.choice) or middle.cash + at * middle.slope > one.cash + at * one.slope - CENT:
            found.append((at, other.choice))
        else:
            between(low, one, at, middle)
            between(at, middle, high, other)

    now = 0.0 if shared.counts == "cash" else float(np.asarray(shared.usd_per_error))
    at_none, here, at_most = cheapest(0.0), costs(today), cheapest(HIGHEST)
    found: list[tuple[float, Choice | None]] = [(0.0, at_none.choice)]
    between(0.0, at_none, now, here)
    between(now, here, HIGHEST, at_most)
    return found


def _placed(option: Option, choice: Choice | None) -> Option:
    """The option on this plan and floor."""
    if choice is None:
        return option
    fixed = option.replicas_fixed if choice.replicas_fixed is None else choice.replicas_fixed
    return replace(option, plan=option.plans[choice.plan], replicas_fixed=fixed)


def _ends(flips: Sequence[Flip | None], now: float) -> tuple[float, float | None] | None:
    """The nearest and the furthest of the prices; a furthest None where some are none."""
    found = sorted((flip[0] for flip in flips if flip), key=lambda x: abs(x - now))
    return (found[0], found[-1] if None not in flips else None) if found else None
