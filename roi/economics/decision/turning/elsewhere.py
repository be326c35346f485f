"""How the options that may be recommended stand with other facts than today's: who leads, and how far each is from that."""

import math
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from roi.economics.decision.draws import Drawn, draw, draws_and_seed
from roi.economics.decision.evaluation import Choice
from roi.economics.decision.option_result import OptionResult, standing
from roi.economics.decision.recommendation import (
    LUCK,
    Added,
    added_to,
    chance,
    chance_needed,
    choose,
    find_first_move,
    hold_back,
    value,
    with_bars,
)
from roi.economics.decision.second_move import choose_first, left_to
from roi.economics.decision.weighing import settle, weigh
from roi.economics.inputs import Array, Option, Shared
from roi.facts.case import Case

Number = Array | float


class Stood(NamedTuple):
    """Who leads, and how far the options are from that."""

    leaders: tuple[str, ...]
    """By the draws that were looked at, and were all bars LUCK standard errors of a chance lower, or higher."""
    saved: Mapping[str, tuple[Number, Number]]
    """By option what it saves on average, USD, and the least of that and of what it saves at its bar: above 0 it is likely."""
    chances: Mapping[str, float] = {}
    """By option the share of the draws in which it beats staying; nothing without draws."""

    def ahead(self, leader: str) -> Number:
        """USD by which it is the likely option that saves most on average, negative where another is; shape as of `saved`."""
        if leader not in self.saved:
            return -math.inf
        mean, ahead = self.saved[leader]
        for id, (other, likely) in self.saved.items():
            if id != leader:
                ahead = np.minimum(ahead, np.maximum(np.negative(likely), np.subtract(mean, other)))
        return ahead


class Elsewhere:
    """A case with other facts than in `results`; its options take their plans once, and are drawn as often as is asked."""

    def __init__(self, case: Case, ids: Sequence[str], results: Mapping[str, OptionResult]) -> None:
        self.case, self.ids, self.results, self._stood = case, ids, results, dict[int, Stood]()

    def stood(self, draws: float) -> Stood:
        """How the options stand by at most so many of the draws that the case asks for."""
        asked, seed = draws_and_seed(self.case)
        n = int(min(asked, draws))
        if n not in self._stood:
            self._stood[n] = self._drawn(n, seed) if n else self._central()
        return self._stood[n]

    @cached_property
    def _settled(self) -> tuple[Shared, dict[str, Option], dict[str, Choice]]:
        return settle(self.case, self.ids)

    def _drawn(self, n: int, seed: int) -> Stood:
        shared, options, choices = self._settled
        live = [id for id in self.ids if options[id].infeasible is None]
        drawn = draw(self.case, live, choices, n, seed)
        standings = {id: standing(shared, options[id], drawn) for id in live}
        saved = dict[str, tuple[Number, Number]]()
        for id, each in standings.items():
            at_bar = _at_bar(drawn.saved(shared.counts)[id], chance_needed(shared, each))
            saved[id] = value(each, shared.counts), min(value(each, shared.counts), at_bar)
        bars = (shared, *(with_bars(shared, luck, luck, n) for luck in (-LUCK, LUCK)))
        chances = {id: odds for id, each in standings.items() if (odds := chance(each, shared.counts)) is not None}
        after = cache(lambda id, to: self._after(drawn, id, to))
        leaders = tuple(  # what adds too seldom to its first move held back; what comes first has paid back as it has today
            hold_back(each, self.results, standings, choose(each, standings, each.counts), after).leader for each in bars)
        raw = choose(shared, standings, shared.counts)
        first = find_first_move(self.results, raw, standings)
        if first is not None and (x := after(raw.leader, first)) is not None:
            mean, least = saved[raw.leader]
            saved[raw.leader] = mean, min(least, x.mean_usd, _at_bar(x.usd, chance_needed(shared, standings[raw.leader])))
        return Stood(leaders, with_staying(shared, saved), chances)

    def _after(self, drawn: Drawn, id: str, to: str) -> Added | None:
        """What an option adds to a first move; None where that never reaches the bar."""
        shared, _, choices = self._settled

        def left() -> Array:
            return left_to(self.case, choices, drawn.n, drawn.seed, id=id, to=to).saved(shared.counts)[to]

        x = added_to(drawn.saved(shared.counts)[id], left, drawn.meets[id], drawn.meets[to])
        return None if x is None else Added(x)

    def _central(self) -> Stood:
        w = weigh(self.case, self.ids)
        means = {id: value(r, w.shared.counts) for id, r in w.results.items()}
        return Stood((choose_first(self.case, w).leader,), with_staying(w.shared, {id: (x, x) for id, x in means.items()}))


def _at_bar(saved: Array, needed: float) -> float:
    """The most, USD, that is saved in such a share of the draws."""
    rank = math.ceil(needed * saved.size)
    return float(np.partition(saved, saved.size - rank)[saved.size - rank]) if rank else math.inf


def with_staying(shared: Shared, saved: Mapping[str, tuple[Number, Number]]) -> Mapping[str, tuple[Number, Number]]:
    """What each option saves, with staying, always likely; where that is not allowed, without it, all others likely."""
    others = {id: each for id, each in saved.items() if id != "stay"}
    if shared.may_stay or not others:
        return {**others, "stay": (0.0, math.inf)}
    return {id: (mean, math.inf) for id, (mean, _) in others.items()}
