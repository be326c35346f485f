"""What follows a first move: GPUs once an API is in use, or what leads once what comes first is (docs/economics.md, 8.7)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from roi.economics.decision.draws import Drawn, World, draw, percentiles
from roi.economics.decision.evaluation import (
    Choice,
    Evaluated,
    can_be_in_use,
    cash_flows,
    choices_of,
    choose_plan,
    evaluate,
    once_left,
    once_moved,
)
from roi.economics.decision.measuring.worth import Following
from roi.economics.decision.option_result import Triple
from roi.economics.decision.recommendation import Added, Choices, hold_back, value
from roi.economics.decision.weighing import Weighed
from roi.economics.finance import payback
from roi.economics.inputs import Array, Option, Shared
from roi.facts.case import Case
from roi.numerics.arrays import Flags


@dataclass(frozen=True, kw_only=True)
class SecondMove:
    """Moving on from a first move once it is in use: a second set-up, what the first costs until the second is live."""

    option: str
    after: str
    """What it follows: the leading option, or its first move."""
    npv_usd: float
    """What that adds to it: the mean of the draws in which that reaches the bar, else the central value."""
    npv_p10_p50_p90: Triple | None
    """What the move adds in a bad, a middle and a good case of the draws (P10, P50, P90), USD; None without draws."""
    chance: float | None
    """Share of the draws in which the move adds anything; None without draws."""
    upfront_usd: float
    """Its set-up in cash, USD, with the hours that are paid anyway and that the first move has taken."""
    payback_months: float
    """Months from today until what it saves on what it follows has earned its set-up, at the central values; inf = never."""
    payback_cash_months: float
    """Months from today until what it saves in cash on that has earned its set-up, at the central values; inf = never."""
    likely: bool
    """Whether the mean is above zero, and the chance what is asked of such an option against staying."""
    second: str | None
    """The best of the others that are likely to add something."""
    chance_over_second: float | None
    """Share of the draws in which the option adds no less than that."""
    both_npv_usd: float
    """What both moves save against staying: the mean of all draws, else the central value."""
    both_npv_p10_p50_p90: Triple | None


@dataclass(frozen=True)
class OnceInUse:
    """What options add to a first move that is in use."""

    case: Case
    w: Weighed
    to: str
    """The first move."""
    stay: Evaluated | None
    """Staying on it, at the central values; None where it is no mere API."""
    done: Mapping[str, Evaluated]
    """Options on GPUs that may follow a mere API, each on its plan there, at the central values."""

    def central(self, id: str) -> tuple[Evaluated, Evaluated]:
        """Keeping to the first move, as far as the option bears on it, and the option that follows, at the central values."""
        if self.stay is not None and id in self.done:
            return self.stay, self.done[id]
        shared, options = once_left(self.w.shared, self.w.options, self.to, id)
        return evaluate(shared, options[self.to], options), self.w.central[id]

    @cached_property
    def drawn(self) -> Drawn | None:
        """The draws of the case with the API in use, the same rows as without; None without draws."""
        if (alone := self.w.drawn) is None:
            return None
        choices = choices_of({id: done.option for id, done in self.done.items()})
        return draw(self.case, ("stay", *self.done), choices, alone.n, alone.seed, partial(once_moved, to=self.to), (self.to,))

    @property
    def reached(self) -> Flags:
        """In which draws the first move reaches the bar."""
        return np.ones(1, dtype=bool) if self.w.drawn is None else self.w.drawn.meets[self.to]

    def added(self, id: str) -> Array:
        """What the option adds in each draw, also where the first move misses the bar, else at the central values, USD."""
        counts, alone = self.w.chosen.counts, self.w.drawn
        if alone is None:
            first, done = self.central(id)
            return np.array([float(first.counted(counts)) - float(done.counted(counts))])
        if id in self.done and self.drawn is not None:
            return self.drawn.saved(counts)[id]
        left = left_to(self.case, self.w.choices, alone.n, alone.seed, id=id, to=self.to).saved(counts)[self.to]
        return alone.saved(counts)[id] - np.where(alone.meets[id], left, 0.0)

    def adds(self, id: str) -> Added | None:
        """What it adds in draws in which the first move reaches the bar; None where that never does."""
        if not self.reached.any():
            return None
        first, done = (float(each.counted(self.w.chosen.counts)) for each in self.central(id))
        return Added(self.added(id)[self.reached], self.w.drawn is not None, math.inf if first > done else first - done)


def once_in_use(case: Case, w: Weighed, to: str, among: Sequence[str]) -> OnceInUse | None:
    """What options add to the first move `to`: those on GPUs `among` these take their plan anew where it is a mere API.

    None of staying, which is no move.
    """
    if to == "stay":
        return None
    if not can_be_in_use(w.options[to]):
        return OnceInUse(case, w, to, None, {})
    after, moved = once_moved(w.shared, w.options, to)
    plans = [choose_plan(after, moved[id], moved) for id in among if moved[id].self_hosted]
    return OnceInUse(case, w, to, evaluate(after, moved["stay"], moved),
                     {plan.id: evaluate(after, plan, moved) for plan in plans if plan.infeasible is None})


def left_to(
    case: Case, choices: Mapping[str, Choice], n: int, seed: int, *, id: str, to: str, world: World | None = None,
) -> Drawn:
    """What the first move `to` saves from the month on in which the option `id` leaves today's model: it adds so much less.

    No GPUs of `id` are drawn for it. Besides, what `id` hands on to today's model would be handed to the first: not counted.
    """
    def there(shared: Shared, read: Mapping[str, Option]) -> tuple[Shared, dict[str, Option]]:
        return once_left(*((shared, read) if world is None else world(shared, read)), to, id)

    return draw(case, ("stay", to), {each: choices[each] for each in (id, to) if each in choices}, n, seed, there, (id,))


def choose_first(case: Case, w: Weighed) -> Choices:
    """The choice of `weigh` after `hold_back`."""
    def adds(id: str, to: str) -> Added | None:
        return None if (found := once_in_use(case, w, to, (id,))) is None else found.adds(id)

    return hold_back(w.shared, w.results, w.results, w.chosen, adds)


def find_second_move(found: OnceInUse | None, among: Sequence[str]) -> tuple[SecondMove | None, Following | None]:
    """The best of the options `among` these that would follow a first move, likely ones first; what it adds by draw.

    No move where none saves anything at the central values. What it adds is left out where it is not likely, and where there
    are no draws.
    """
    if found is None or not found.reached.any():
        return None, None
    w, to, reached, counts = found.w, found.to, found.reached, found.w.chosen.counts
    central = {id: found.central(id) for id in among}
    adds = {id: added for id, (first, done) in central.items()
            if float(first.counted(counts)) > float(done.counted(counts)) and (added := found.adds(id)) is not None}
    if not adds:
        return None, None
    likely = {id: added.likely(w.shared, w.results[id]) for id, added in adds.items()}
    ranked = sorted(adds, key=lambda id: (likely[id], adds[id].mean_usd), reverse=True)
    best, second = ranked[0], next((id for id in ranked[1:] if likely[id]), None)
    added, (stay, done), drawn = adds[best], central[best], w.drawn is not None
    first, monthly = (a - b for a, b in zip(cash_flows(stay), cash_flows(done), strict=True))
    paid = float(stay.total.upfront) - float(done.total.upfront)
    saved = None if w.drawn is None else w.drawn.saved(counts)
    gained = np.where(reached, found.added(best), _alone(saved, best, ~reached))
    both = gained + (np.array([value(w.results[to], counts)]) if saved is None else saved[to])
    move = SecondMove(
        option=best, after=to, npv_usd=added.mean_usd, npv_p10_p50_p90=percentiles(added.usd) if drawn else None,
        chance=added.chance, upfront_usd=-float(first),
        payback_months=float(payback(paid, stay.total.monthly - done.total.monthly)),
        payback_cash_months=float(payback(float(first), monthly)), likely=likely[best], second=second,
        chance_over_second=float(np.mean(added.usd >= adds[second].usd)) if drawn and second is not None else None,
        both_npv_usd=float(both.mean()), both_npv_p10_p50_p90=percentiles(both) if drawn else None,
    )
    return move, Following(best, to, gained, -paid) if drawn and move.likely else None


def _alone(saved: Mapping[str, Array] | None, id: str, missed: Flags) -> Array | float:
    """What the option saves against staying in each draw where the API has missed the bar: nothing where that is no saving.

    It is prepared meanwhile, and goes live in the place of today's model.
    """
    if saved is None or not missed.any() or float(saved[id][missed].mean()) <= 0.0:
        return 0.0
    return saved[id]
