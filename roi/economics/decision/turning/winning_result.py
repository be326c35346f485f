"""The result of an evaluation from which on the rule of the verdict recommends what was evaluated (docs/economics.md, 8.4)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np

from roi.economics.decision.draws import ASKED_DRAWS, Drawn, draw, saved_below_bar
from roi.economics.decision.evaluation import Evaluated, choices_of, once_moved
from roi.economics.decision.feasibility import binds
from roi.economics.decision.measuring.trials import answers, deviation_beside
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.option_result import OptionResult, Standing
from roi.economics.decision.recommendation import choose, find_first_move, hold_back
from roi.economics.decision.second_move import once_in_use
from roi.economics.decision.verdict import WinningResult
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.economics.lines.option_lines import with_error_rate
from roi.economics.worked_out import ErrorRate
from roi.facts.case import FOLLOWS, Case
from roi.numerics.beta import beta_quantile
from roi.numerics.main_effects import ranks
from roi.numerics.normal import normal_quantile
from roi.numerics.paired import HALF

TRIED: Final = 0.1
"""Error rate, besides none, at which savings are worked out: they are linear between and beyond, and no rate is above 1."""


def winning_result(
    case: Case, shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], drawn: Drawn,
    candidates: tuple[str, ...], counts: str, results: Mapping[str, OptionResult], e: Experiment,
) -> WinningResult | None:
    """The worst result, in whole items, after which an option that answers as that of `e` is recommended.

    None of what is no evaluation, or of too few items to be a test.

    The result takes the place of the score, as it does in the scenario: alone it is pooled with what was counted before, and
    leaves a Beta; beside today's model with pairs that were judged before, and leaves how much more is wrong normal with the
    variance of so many (`deviation_beside`). Each draw has its place among the others kept, and all other facts. Savings are
    linear in the rate, so that two rates tell those of each draw; what the rule then says of their means and chances is tried
    in turn. Set-up, lost in draws below the bar, is that of the `central` values.
    """
    subject, n = options[e.option], min(drawn.n, ASKED_DRAWS)
    by_gate = subject.kept_error is not None and subject.end_to_end_error is None  # its items are parts, none judged end to end
    held = int(np.max(subject.items or 0)) if subject.evaluated and not by_gate else 0
    rate_path = path_of(ErrorRate, "central", system=subject.system)
    pooled = held if not e.paired or (rate_path + FOLLOWS in case and subject.with_today is None) else 0
    items = (e.items or 0) + pooled
    if e.kind != "evaluate" or not items or (held + items - pooled < shared.min_items and subject.items is not None):
        return None
    ids = tuple(dict.fromkeys(("stay", *candidates, e.option)))
    judged = [id for id in ids if answers(options[id]) == answers(subject)]
    moved = [id for id in ids if id in judged or "stay" in judged or {
        options[id].spills_to, options[id].long_to, options[id].escalates_to} & {*judged} - {"stay"}]

    seed, met = drawn.seed, drawn.meets

    def at_rate(rate: float) -> Callable[[Shared, Mapping[str, Option]], tuple[Shared, dict[str, Option]]]:
        def world(shared: Shared, read: Mapping[str, Option]) -> tuple[Shared, dict[str, Option]]:
            return replace(shared, quality_bar=0.0), {
                id: with_error_rate(o, rate) if answers(o) == answers(subject) else o for id, o in read.items()}

        return world

    def savings_at(rate: float) -> Mapping[str, Array]:
        return draw(case, tuple(dict.fromkeys(("stay", *moved))), choices_of(options), n, seed, at_rate(rate)).saved(counts)

    begun = np.asarray(central["stay"].total.upfront)
    first = {id: np.asarray(begun - central[id].total.upfront).reshape(-1) for id in moved}
    none, some = savings_at(0.0), savings_at(TRIED)
    today, own = drawn.wrong["stay"][:n], drawn.wrong[e.option][:n]
    known = own - today if e.paired else own
    place = (ranks(known) + 0.5) / n
    apart = deviation_beside(today, own, subject.with_today) / np.sqrt(items) * normal_quantile(place) if e.paired else place

    def rates(wrong: int) -> Array:
        if e.paired:
            return np.clip(today + wrong / items + apart, 0.0, 1.0)
        return beta_quantile(apart, wrong + HALF, items - wrong + HALF)

    def standing(id: str, rate: Array) -> Standing:
        saved = drawn.saved(counts)[id][:n]
        if id in moved and id != "stay":
            saved = none[id] + (some[id] - none[id]) / TRIED * rate
            reached = 1.0 - rate >= shared.quality_bar if id in judged else drawn.meets[id][:n]
            if not options[id].keeps_model:
                saved = np.where(reached, saved, saved_below_bar(shared, first[id], saved))
        mean, often = float(saved.mean()), float(np.mean(saved > 0))
        return Standing(
            tested=True, binds=binds(options[id]), expected_npv_usd=mean, expected_cash_npv_usd=mean,
            probability_npv_positive=often, probability_cash_positive=often,
            wrong_share=float((rate if id in judged else drawn.wrong[id]).mean()))

    @cache
    def once_moved_at(at: float, id: str, to: str) -> tuple[Array, Array] | None:
        """What it adds once the API is in use and what is judged errs at that rate, whatever the bar, and its set-up."""
        found = once_in_use(case, shared, options, counts, to, (id,))
        if found is None or id not in found.done:
            return None

        def world(shared: Shared, read: Mapping[str, Option]) -> tuple[Shared, dict[str, Option]]:
            return once_moved(*at_rate(at)(shared, read), to)

        drawn = draw(case, ("stay", to, id), choices_of({id: found.done[id].option}), n, seed, world)
        spent = found.stay.total.upfront - found.done[id].total.upfront
        return drawn.saved(counts)[id], np.asarray(spent).reshape(-1)

    def adds(id: str, to: str, rate: Array) -> tuple[float, float] | None:
        none, some = once_moved_at(0.0, id, to), once_moved_at(TRIED, id, to)
        in_use, own = (1.0 - rate >= shared.quality_bar if x in judged else met[x][:n] for x in (to, id))
        if none is None or some is None or not in_use.any():
            return None
        saved = none[0] + (some[0] - none[0]) / TRIED * rate
        saved = np.where(own, saved, saved_below_bar(replace(shared, may_stay=True), none[1], saved))[in_use]
        return float(saved.mean()), float(np.mean(saved > 0))

    def wins(wrong: int) -> bool:
        rate = rates(wrong)
        standings = {id: standing(id, rate) for id in ids}
        chosen = choose(shared, standings, counts)
        if chosen.leader not in results:
            return chosen.leader in judged
        first = find_first_move(results, replace(chosen, likely=tuple(id for id in chosen.likely if id in results)), standings)
        return hold_back(shared, standings, chosen, first, lambda id, to: adds(id, to, rate)).leader in judged

    lowest = -int(items * today.mean()) if e.paired else 0
    highest = int((1.0 - shared.quality_bar) * items + 1e-9) + lowest if not subject.keeps_model else items + lowest
    found = _last(wins, lowest, highest)
    return WinningResult(None if found is None else found / items, items)


def _last(wins: Callable[[int], bool], low: int, high: int) -> int | None:
    """The last number from `low` to `high` that wins, where all below it do; None where none does."""
    if not wins(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if wins(middle) else (low, middle - 1)
    return low
