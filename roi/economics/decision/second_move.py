"""What follows an API that is to be used first: GPUs that save once it is in use (docs/economics.md, 8.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from roi.economics.decision.draws import Drawn, World, draw, draws_and_seed, percentiles
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
from roi.economics.decision.option_result import OptionResult, Triple
from roi.economics.decision.recommendation import Choices, adds_enough, hold_back, value
from roi.economics.decision.weighing import Weighed
from roi.economics.finance import payback
from roi.economics.inputs import Array, Option, Shared
from roi.facts.case import Case
from roi.numerics.arrays import Flags


@dataclass(frozen=True, kw_only=True)
class SecondMove:
    """Moving on from an API to GPUs once it is in use: a second set-up, its bill until they are live."""

    option: str
    after: str
    """The API: the leading option, or the first move to it."""
    npv_usd: float
    """What that adds to the API: the mean of the draws in which that reaches the bar, else the central value."""
    npv_p10_p50_p90: Triple | None
    """What the move adds in a bad, a middle and a good case of the draws (P10, P50, P90), USD; None without draws."""
    chance: float | None
    """Share of the draws in which the move adds anything; None without draws."""
    payback_months: float
    """Months from today until what it saves on the API has earned its set-up, at the central values; inf = never."""
    payback_cash_months: float
    """Months from today until what it saves in cash on the API has earned its set-up, at the central values; inf = never."""
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
    """What options on GPUs add to an API that is in use."""

    case: Case
    to: str
    """The API."""
    counts: str
    stay: Evaluated
    """Staying on it, at the central values."""
    done: Mapping[str, Evaluated]
    """Options on GPUs that may follow it, at the central values."""
    draws: int
    """Draws that are looked at; 0 for none."""

    @cached_property
    def central(self) -> Mapping[str, float]:
        """What each adds at the central values, USD."""
        return {id: float(self.stay.counted(self.counts)) - float(done.counted(self.counts)) for id, done in self.done.items()}

    @cached_property
    def drawn(self) -> Drawn | None:
        """The draws of the case with the API in use, the same rows as without; None without draws."""
        if not self.draws:
            return None
        choices = choices_of({id: done.option for id, done in self.done.items()})
        seed = draws_and_seed(self.case)[1]
        return draw(self.case, ("stay", self.to, *self.done), choices, self.draws, seed, partial(once_moved, to=self.to))

    @property
    def reached(self) -> Flags:
        """In which draws the API reaches the bar."""
        return np.ones(1, dtype=bool) if self.drawn is None else self.drawn.meets[self.to]

    def added(self, id: str) -> Array:
        """What the option adds in each draw, also where the API misses the bar, else at the central values, USD."""
        return np.array([self.central[id]]) if self.drawn is None else self.drawn.saved(self.counts)[id]

    def adds(self, id: str) -> tuple[float, float | None] | None:
        """As `Adds` says, of draws in which the API reaches the bar; None of what runs no GPUs, or where it never does.

        What adds nothing at the central values adds no more than that.
        """
        if id not in self.done or not self.reached.any():
            return None
        x = self.added(id)[self.reached]
        mean = float(x.mean()) if self.central[id] > 0.0 else min(self.central[id], float(x.mean()))
        return mean, None if self.drawn is None else float(np.mean(x > 0))


def once_in_use(
    case: Case, shared: Shared, options: Mapping[str, Option], counts: str, to: str, among: Sequence[str],
) -> OnceInUse | None:
    """Options on GPUs `among` these once the API `to` is in use, each on its plan there; None where that is no mere API."""
    if not can_be_in_use(options[to]):
        return None
    after, moved = once_moved(shared, options, to)
    plans = [choose_plan(after, moved[id], moved) for id in among if moved[id].self_hosted]
    return OnceInUse(
        case, to, counts, evaluate(after, moved["stay"], moved),
        {plan.id: evaluate(after, plan, moved) for plan in plans if plan.infeasible is None},
        draws_and_seed(case)[0])


def adds(found: OnceInUse | None, id: str) -> tuple[float, float | None] | None:
    """What `OnceInUse.adds` says; None also after what is no mere API."""
    return None if found is None else found.adds(id)


def left_to(
    case: Case, choices: Mapping[str, Choice], n: int, seed: int, *, id: str, to: str, world: World | None = None,
) -> Drawn:
    """What the API `to` saves from the month on in which the option `id` leaves today's model: by so much it adds less to it.

    No GPUs are drawn for it. Besides, what `id` hands on to today's model would be handed to the API: that is not counted.
    """
    def there(shared: Shared, read: Mapping[str, Option]) -> tuple[Shared, dict[str, Option]]:
        return once_left(*((shared, read) if world is None else world(shared, read)), to, id)

    return draw(case, ("stay", to), {id: choices[id]}, n, seed, there, (id,))


def choose_first(case: Case, w: Weighed) -> Choices:
    """The choice of `weigh` after `hold_back`."""
    def added(id: str, to: str) -> tuple[float, float | None] | None:
        return adds(once_in_use(case, w.shared, w.options, w.chosen.counts, to, (id,)), id)

    return hold_back(w.shared, w.results, w.results, w.chosen, added)


def find_second_move(
    found: OnceInUse | None, shared: Shared, results: Mapping[str, OptionResult], among: Sequence[str],
    saved: Mapping[str, Array] | None,
) -> tuple[SecondMove | None, Following | None]:
    """The best of the options on GPUs `among` these that would follow an API in use, likely ones first; what it adds by draw.

    `saved` is what options save against staying in each draw. No move where none saves anything at the central values, or there
    is no mere API. What it adds is left out where it is not likely, and where there are no draws.
    """
    saving = [] if found is None else [id for id, usd in found.central.items() if id in among and usd > 0.0]
    if found is None or not saving or not found.reached.any():
        return None, None
    to, reached, drawn, counts = found.to, found.reached, found.drawn, found.counts
    added, stay = {id: found.added(id) for id in saving}, found.stay
    adds = {id: each for id in saving if (each := found.adds(id)) is not None}
    likely = {id: adds_enough(shared, results[id], *each) for id, each in adds.items()}
    ranked = sorted(saving, key=lambda id: (likely[id], adds[id][0]), reverse=True)
    best, second = ranked[0], next((id for id in ranked[1:] if likely[id]), None)
    x, done = added[best][reached], found.done[best]
    first, monthly = (a - b for a, b in zip(cash_flows(stay), cash_flows(done), strict=True))
    paid = float(stay.total.upfront) - float(done.total.upfront)
    gained = np.where(reached, added[best], _alone(saved, best, ~reached))
    both = gained + (np.array([value(results[to], counts)]) if saved is None else saved[to])
    move = SecondMove(
        option=best, after=to, npv_usd=adds[best][0], npv_p10_p50_p90=None if drawn is None else percentiles(x),
        chance=adds[best][1],
        payback_months=float(payback(paid, stay.total.monthly - done.total.monthly)),
        payback_cash_months=float(payback(float(first), monthly)), likely=likely[best], second=second,
        chance_over_second=None if drawn is None or second is None else float(np.mean(x >= added[second][reached])),
        both_npv_usd=float(both.mean()), both_npv_p10_p50_p90=None if drawn is None else percentiles(both),
    )
    if drawn is None or not move.likely:
        return move, None
    return move, Following(best, to, gained, -paid)


def _alone(saved: Mapping[str, Array] | None, id: str, missed: Flags) -> Array | float:
    """What the option saves against staying in each draw where the API has missed the bar: nothing where that is no saving.

    It is prepared meanwhile, and goes live in the place of today's model.
    """
    if saved is None or not missed.any() or float(saved[id][missed].mean()) <= 0.0:
        return 0.0
    return saved[id]
