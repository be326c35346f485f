"""The result of an evaluation from which on the rule of the verdict recommends what was evaluated (docs/economics.md, 8.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np

from roi.economics.decision.draws import ASKED_DRAWS, Drawn, draw, saved_below_bar
from roi.economics.decision.evaluation import Evaluated, choices_of
from roi.economics.decision.feasibility import binds
from roi.economics.decision.measuring.trials import answers, deviation_beside
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.option_result import OptionResult, Standing
from roi.economics.decision.recommendation import Added, added_to, choose, hold_back
from roi.economics.decision.second_move import left_to
from roi.economics.decision.verdict import WinningResult
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.economics.lines.option_lines import with_error_rate
from roi.economics.worked_out import ErrorRate
from roi.facts.case import FOLLOWS, Case
from roi.numerics.arrays import Flags
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
    at = _AtRate(case, shared, options, drawn, counts, subject, n)

    begun = np.asarray(central["stay"].total.upfront)
    first = {id: np.asarray(begun - central[id].total.upfront).reshape(-1) for id in moved}
    drawn_too = tuple(dict.fromkeys(("stay", *moved)))
    none, some = (draw(case, drawn_too, choices_of(options), n, drawn.seed, partial(at.world, rate)).saved(counts)
                  for rate in (0.0, TRIED))
    today, own = drawn.wrong["stay"][:n], drawn.wrong[e.option][:n]
    known = own - today if e.paired else own
    place = (ranks(known) + 0.5) / n
    apart = deviation_beside(today, own, subject.with_today) / np.sqrt(items) * normal_quantile(place) if e.paired else place

    def rates(wrong: int) -> Array:
        if e.paired:
            return np.clip(today + wrong / items + apart, 0.0, 1.0)
        return beta_quantile(apart, wrong + HALF, items - wrong + HALF)

    def saved_at(id: str, rate: Array) -> Array:
        saved = drawn.saved(counts)[id][:n]
        if id in moved and id != "stay":
            saved = none[id] + (some[id] - none[id]) / TRIED * rate
            if not options[id].keeps_model:
                saved = np.where(at.reached(id, rate), saved, saved_below_bar(shared, first[id], saved))
        return saved

    def standing(id: str, rate: Array) -> Standing:
        saved = saved_at(id, rate)
        mean, often = float(saved.mean()), float(np.mean(saved > 0))
        return Standing(
            tested=True, binds=binds(options[id]), expected_npv_usd=mean, expected_cash_npv_usd=mean,
            probability_npv_positive=often, probability_cash_positive=often,
            wrong_share=float((rate if id in judged else drawn.wrong[id]).mean()))

    def wins(wrong: int) -> bool:
        rate = rates(wrong)
        standings = {id: standing(id, rate) for id in ids}
        return hold_back(shared, results, standings, choose(shared, standings, counts), lambda id, to: at.adds(
            id, to, rate, saved_at(id, rate))).leader in judged

    lowest = -int(items * today.mean()) if e.paired else 0
    highest = int((1.0 - shared.quality_bar) * items + 1e-9) + lowest if not subject.keeps_model else items + lowest
    found = _last(wins, lowest, highest)
    return WinningResult(None if found is None else found / items, items)


@dataclass(frozen=True)
class _AtRate:
    """The case with what is judged at another error rate, all other facts as they are drawn."""

    case: Case
    shared: Shared
    options: Mapping[str, Option]
    drawn: Drawn
    counts: str
    subject: Option
    """The option that is judged; whatever answers as that does has its rate."""
    n: int
    """Draws that are looked at."""
    known: dict[tuple[str, str], list[Array]] = field(default_factory=dict)
    """What a first move saves once an option is live, as far as worked out: at no error rate, and at TRIED, USD."""

    def world(self, rate: float, shared: Shared, read: Mapping[str, Option]) -> tuple[Shared, dict[str, Option]]:
        """What is judged at this rate, whatever the bar."""
        return replace(shared, quality_bar=0.0), {
            id: with_error_rate(o, rate) if answers(o) == answers(self.subject) else o for id, o in read.items()}

    def reached(self, id: str, rate: Array) -> Flags:
        """In which draws the option reaches the bar."""
        judged = answers(self.options[id]) == answers(self.subject)
        return 1.0 - rate >= self.shared.quality_bar if judged else self.drawn.meets[id][: self.n]

    def adds(self, id: str, to: str, rate: Array, saved: Array) -> Added | None:
        """As `Adds` says, of an option that so much is `saved` by in the place of today's model."""
        x = added_to(saved, lambda: self.left(id, to, rate), self.reached(id, rate), self.reached(to, rate))
        return None if x is None else Added(x)

    def left(self, id: str, to: str, rate: Array) -> Array:
        """What `left_to` says of each draw."""
        if (id, to) not in self.known:
            kept = choices_of({each: self.options[each] for each in (id, to)})
            self.known[id, to] = [left_to(self.case, kept, self.n, self.drawn.seed, id=id, to=to, world=partial(
                self.world, each)).saved(self.counts)[to] for each in (0.0, TRIED)]
        none, some = self.known[id, to]
        return none + (some - none) / TRIED * rate


def _last(wins: Callable[[int], bool], low: int, high: int) -> int | None:
    """The last number from `low` to `high` that wins, where all below it do; None where none does."""
    if not wins(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if wins(middle) else (low, middle - 1)
    return low
