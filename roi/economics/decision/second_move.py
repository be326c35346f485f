"""What follows an API that is to be used first: GPUs that save once it is in use (docs/economics.md, 8.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.draws import Drawn, draw, draws_and_seed, percentiles
from roi.economics.decision.evaluation import (
    Evaluated,
    can_be_in_use,
    cash_flows,
    choices_of,
    choose_plan,
    evaluate,
    once_moved,
)
from roi.economics.decision.measuring.worth import Following
from roi.economics.decision.option_result import OptionResult, Triple
from roi.economics.decision.recommendation import chance_needed, value
from roi.economics.finance import payback
from roi.economics.inputs import Array, Option, Shared
from roi.facts.case import Case


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


def find_second_move(
    case: Case, shared: Shared, options: Mapping[str, Option], results: Mapping[str, OptionResult], counts: str, to: str,
    among: Sequence[str], saved: Mapping[str, Array] | None,
) -> tuple[SecondMove | None, Following | None]:
    """The best of the options on GPUs `among` these that would follow the API `to`, likely ones first; what it adds by draw.

    `saved` is what options save against staying in each draw. No move where none saves anything at the central values, or `to`
    is no mere API. What it adds is left out where it is not likely, and where there are no draws.
    """
    if not can_be_in_use(options[to]):
        return None, None
    after, moved = once_moved(shared, options, to)
    stay, saving = evaluate(after, moved["stay"], moved), dict[str, Evaluated]()
    for id in among:
        plan = choose_plan(after, moved[id], moved) if moved[id].self_hosted else moved[id]
        if plan.self_hosted and plan.infeasible is None:
            done = evaluate(after, plan, moved)
            if float(stay.counted(counts)) > float(done.counted(counts)):
                saving[id] = done
    if not saving:
        return None, None
    drawn = _drawn(case, to, saving)
    reached = np.ones(1, dtype=bool) if drawn is None else drawn.meets[to]
    added: dict[str, Array] = {id: np.array([float(stay.counted(counts)) - float(done.counted(counts))]) if drawn is None else
                               drawn.saved(counts)[id] for id, done in saving.items()}
    if not reached.any():
        return None, None

    def likely(id: str) -> bool:
        x = added[id][reached]
        return float(x.mean()) > 0 and (drawn is None or float(np.mean(x > 0)) >= chance_needed(shared, results[id]))

    ranked = sorted(saving, key=lambda id: (likely(id), float(added[id][reached].mean())), reverse=True)
    best, second = ranked[0], next((id for id in ranked[1:] if likely(id)), None)
    x, done = added[best][reached], saving[best]
    first, monthly = (a - b for a, b in zip(cash_flows(stay), cash_flows(done), strict=True))
    paid = float(stay.total.upfront) - float(done.total.upfront)
    gained = np.where(reached, added[best], _alone(saved, best, ~reached))
    both = gained + (np.array([value(results[to], counts)]) if saved is None else saved[to])
    move = SecondMove(
        option=best, after=to, npv_usd=float(x.mean()), npv_p10_p50_p90=None if drawn is None else percentiles(x),
        chance=None if drawn is None else float(np.mean(x > 0)),
        payback_months=float(payback(paid, stay.total.monthly - done.total.monthly)),
        payback_cash_months=float(payback(float(first), monthly)), likely=likely(best), second=second,
        chance_over_second=None if drawn is None or second is None else float(np.mean(x >= added[second][reached])),
        both_npv_usd=float(both.mean()), both_npv_p10_p50_p90=None if drawn is None else percentiles(both),
    )
    if drawn is None or not move.likely:
        return move, None
    return move, Following(best, to, gained, -paid)


def _alone(saved: Mapping[str, Array] | None, id: str, missed: NDArray[np.bool_]) -> Array | float:
    """What the option saves against staying in each draw where the API has missed the bar: nothing where that is no saving.

    It is prepared meanwhile, and goes live in the place of today's model.
    """
    if saved is None or not missed.any() or float(saved[id][missed].mean()) <= 0.0:
        return 0.0
    return saved[id]


def _drawn(case: Case, to: str, saving: Mapping[str, Evaluated]) -> Drawn | None:
    """The draws of the case with the API in use, the same rows as without; None without draws."""
    n, seed = draws_and_seed(case)
    if not n:
        return None
    choices = choices_of({id: done.option for id, done in saving.items()})
    return draw(case, ("stay", to, *saving), choices, n, seed, partial(once_moved, to=to))
