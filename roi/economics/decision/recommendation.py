"""The rule of the verdict: which option the figures recommend, out of which, by means and chances (docs/economics.md, 8)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from roi.economics.decision.option_result import CENT, OptionResult, Standing
from roi.economics.inputs import Array, Shared
from roi.numerics.arrays import Flags

LUCK: Final = 2.0
"""Standard errors of a chance by which its bar is moved, to see what the draws do not tell: 95% of normal luck."""


@dataclass(frozen=True)
class Added:
    """What an option adds to a first move that is carried out."""

    usd: Array
    """In each draw in which the first move reaches the bar, else at the central values, USD; shape (n,)."""
    drawn: bool = True
    """False where these are the central values."""
    most_usd: float = math.inf
    """What the mean is at most: what adds nothing at the central values adds no more than that."""

    @property
    def mean_usd(self) -> float:
        """What it adds on average, USD."""
        return min(float(self.usd.mean()), self.most_usd)

    @property
    def chance(self) -> float | None:
        """Share of the draws in which it adds anything; None without draws."""
        return float(np.mean(self.usd > 0)) if self.drawn else None

    def likely(self, shared: Shared, result: OptionResult | Standing) -> bool:
        """Whether that is above zero on average, and in as many draws as 8.3 asks of the option."""
        return self.mean_usd > 0 and (self.chance is None or self.chance >= chance_needed(shared, result))


Adds = Callable[[str, str], Added | None]
"""What an option, by its id, adds to a first move, by its id; None where that never reaches the bar."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Which option the figures recommend, and out of which."""

    leader: str
    counts: str
    candidates: tuple[str, ...]
    likely: tuple[str, ...]
    held: Mapping[str, float | None] = field(default_factory=dict)
    """What would lead but for what it adds to its first move: in which share of the draws it adds anything."""


def value(result: OptionResult | Standing, counts: str) -> float:
    """The expected NPV that the verdict ranks by, USD."""
    return result.expected_cash_npv_usd if counts == "cash" else result.expected_npv_usd


def nearness(result: OptionResult, counts: str) -> tuple[bool, float]:
    """What orders options by how near each is to be worth it: those with an expected NPV above zero by that, then the others.

    These by the central value: where going on loses, the mean is the higher the likelier a test fails, after which only set-up
    is lost.
    """
    expected = value(result, counts)
    central = result.npv_without_errors_usd if counts == "cash" else result.npv_usd
    return expected > 0, expected if expected > 0 else central


def chance(result: OptionResult | Standing, counts: str) -> float | None:
    """The chance to beat staying that the verdict asks for; None without draws."""
    return result.probability_cash_positive if counts == "cash" else result.probability_npv_positive


def chance_needed(shared: Shared, result: OptionResult | Standing) -> float:
    """The share of the draws in which the option must beat staying to be likely."""
    return shared.min_chance if result.binds else shared.min_chance_reversible


def with_bars(shared: Shared, binding: float, reversible: float, n: int) -> Shared:
    """The bars of the chances of both kinds moved by so many standard errors of a chance over n draws."""

    def moved(bar: float, errors: float) -> float:
        return bar + errors * math.sqrt(bar * (1.0 - bar) / n)

    return replace(shared, min_chance=moved(shared.min_chance, binding),
                   min_chance_reversible=moved(shared.min_chance_reversible, reversible))


def may_be_chosen(shared: Shared, tested: Iterable[str]) -> tuple[str, ...]:
    """The tested options that may be recommended: staying, where it is not allowed, only for want of any other."""
    return tuple(id for id in tested if id != "stay" or shared.may_stay) or ("stay",)


def choose(shared: Shared, results: Mapping[str, OptionResult | Standing], counts: str) -> Choices:
    """The likely candidate with the highest expected NPV; staying where none is above zero.

    Of those that are equal to the cent the one with the fewest wrong answers, then the first: staying, then what changes least.
    Where staying is not allowed every other candidate is likely, since its odds against staying decide nothing.
    """
    candidates = may_be_chosen(shared, (id for id, r in results.items() if r.tested))
    likely = tuple(id for id in candidates if id == "stay" or not shared.may_stay or _likely(shared, results[id], counts))
    return Choices(leader=_leader(results, counts, likely), counts=counts, candidates=candidates, likely=likely)


def _leader(results: Mapping[str, OptionResult | Standing], counts: str, likely: Sequence[str]) -> str:
    most = max(value(results[id], counts) for id in likely)
    equal = (id for id in likely if value(results[id], counts) >= most - CENT)
    return min(equal, key=lambda id: results[id].wrong_share)


def find_first_move(
    results: Mapping[str, OptionResult], chosen: Choices, standings: Mapping[str, OptionResult | Standing] | None = None,
) -> str | None:
    """The best likely option that comes before the leading one; None where none does, or today's `results` lack the leader.

    By `standings`, where these are others.

    That is what can be undone and has paid back when the leader, which cannot, is live: else its set-up is lost.
    """
    leader, counts = results.get(chosen.leader), chosen.counts
    if leader is None:
        return None

    def comes_first(r: OptionResult) -> bool:
        paid = r.payback_cash_months if counts == "cash" else r.payback_months
        return leader.binds and not r.binds and r.id != "stay" and paid <= leader.months_to_live

    return best_of(results if standings is None else standings, counts, [
        id for id in chosen.likely if id in results and comes_first(results[id])])


def best_of(results: Mapping[str, OptionResult | Standing], counts: str, ids: Sequence[str]) -> str | None:
    """The option of `ids` with the highest expected NPV; None of none."""
    return max(ids, key=lambda id: value(results[id], counts), default=None)


def hold_back(
    shared: Shared, results: Mapping[str, OptionResult], standings: Mapping[str, OptionResult | Standing], chosen: Choices,
    adds: Adds,
) -> Choices:
    """The choice without a leader of which it is not likely that it adds to its first move (docs/economics.md, 8.3).

    What comes first needs no set-up of the leader, which may be prepared once that is likely to bring more than it costs. What
    leads then is the best of the other likely options, by `standings`; `results` say what comes first, as today.
    """
    while (first := find_first_move(results, chosen, standings)) is not None:
        added = adds(chosen.leader, first)
        if added is None or added.likely(shared, standings[chosen.leader]):
            break
        likely = tuple(id for id in chosen.likely if id != chosen.leader)
        chosen = replace(chosen, leader=_leader(standings, chosen.counts, likely), likely=likely,
                         held={**chosen.held, chosen.leader: added.chance})
    return chosen


def added_to(saved: Array, left: Callable[[], Array], meets: Flags, reached: Flags) -> Array | None:
    """What an option adds to a first move by what both save alone, USD; None where the first never has `reached` the bar.

    What the option `saved` in the place of today's model, less what the first move would save once that is `left` to it, in
    draws in which the option `meets` the bar; of the draws in which the first does. Shapes (..., n).
    """
    return (saved - np.where(meets, left(), 0.0))[..., reached] if reached.any() else None


def _likely(shared: Shared, result: OptionResult | Standing, counts: str) -> bool:
    found = chance(result, counts)
    return value(result, counts) > 0 and (found is None or found >= chance_needed(shared, result))
