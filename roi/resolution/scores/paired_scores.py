"""What a system that was judged on the incumbent's items has in common with it, and what an evaluation warns of."""

import math
from functools import partial
from typing import Final, NamedTuple

from roi.economics.inputs import path_of
from roi.economics.worked_out import ErrorRate
from roi.errors import ScenarioError
from roi.facts.case import ABOUT, BESIDE, CAUTIONS, CORRELATION, FOLLOWS, GIVEN, ITEMS
from roi.numerics.paired import BY_LUCK, Agreement, Moments, ScorePosterior, Unlike, given_third, on_all_items, unlike_all
from roi.numerics.spreads import TAIL
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.template_facts import score_of
from roi.scenario.scenario import Scenario
from roi.scenario.sections.scores import Paired, Score, ScoreOrNot
from roi.units import formatted

ROUNDED: Final = 0.005
"""How far a score that is written with two digits may be off."""


def largest_pair(s: Scenario) -> Paired | None:
    """The counts against the incumbent on most items, which say of its own score what its bare value does not."""
    pairs = (score.paired for score in s.quality.scores.values() if isinstance(score, Score))
    return max((pair for pair in pairs if pair is not None), key=lambda pair: pair.items, default=None)


class Carried(NamedTuple):
    """A score on all items of the incumbent, of which only some pair."""

    score: ScorePosterior
    correlation: float
    """Correlation of its score with the incumbent's."""
    pairs: int
    alone: tuple[int, int]
    """Items of the incumbent, and of the system, without a partner."""
    unlike: Unlike
    """How unlike all of the incumbent's items the pairs are."""

    @property
    def items(self) -> int:
        """Those on which it counts as judged: none where none of them, or all, are items that the incumbent got right."""
        return 0 if self.unlike.blind else self.pairs


def carry_over(sheet: FactSheet, s: Scenario, score: Score, pair: Paired) -> Carried | None:
    """What the pairs say of a system on all items of the incumbent, by its fact in the sheet; None where all pair."""
    of_base = _items(score_of(s, _base_of(sheet, s)), largest_pair(s) or pair)  # whose bare value is as on the largest pairs
    own = _items(score, pair)
    told = min(own, of_base) if pair.correlation is not None else _items(None, pair)  # counts of parts are no number of items
    pairs = min(told if pair.pairs is None else pair.pairs, own, of_base)
    if pairs == max(own, of_base):
        return None
    path, counts = partial(path_of, ErrorRate, system=_base_of(sheet, s)), _agreement(pair)
    fact, counted = sheet.facts[path("central")], sheet.facts.get(path("central") + ITEMS)
    low, high = (sheet.facts[path(end)].number() if path(end) in sheet.facts else 0.0 for end in ("low", "high"))
    mean, deviation = 1.0 - fact.number(), (high - low) / (2.0 * TAIL)
    if counted is not None:
        deviation = math.sqrt(mean * (1.0 - mean) / (counted.number() + 2.0))  # of a Beta
    share = pairs / of_base
    known = Moments(mean, deviation)
    found, together = on_all_items(known, share, counts)
    return Carried(found, together, pairs, (of_base - pairs, own - pairs), unlike_all(known, share, counts))


def _items(score: ScoreOrNot | None, pair: Paired) -> int:
    """Items that a score rests on: stated, or those of the counts."""
    stated = score.items if isinstance(score, Score) else None
    return stated or round(pair.items) or 1


def tell_pairs(sheet: FactSheet, s: Scenario, system: str, score: Score, pair: Paired, carried: Carried) -> str:
    """How the score of a system comes about that does not share all items with the incumbent; the comparison tells it too."""
    (theirs, own), today, counts, pairs = carried.alone, s.incumbent.model, _agreement(pair), carried.pairs
    points = 100.0 * (counts.n01 - counts.n10) / counts.items
    by = f"{abs(points):.1f} points {'worse' if points < 0 else 'better'}" if round(points, 1) else "as good"
    on = f"{pairs:,} of {today}'s {pairs + theirs:,} items" if theirs else f"all {pairs:,} items of {today}"
    aside = f" ({own:,} more of its own are left aside)" if own else ""
    how = "by the same odds" if carried.unlike.mark is None else "between the same odds and the same shares of either mark"
    rest = f", and {how} on the rest{told_unlike(today, carried.unlike)}" if theirs else ""
    tell_caution(sheet, f"judged on {on}{aside}, {by}{rest}; {100 * score.value:.1f}% of its own", system)
    return f"{formatted(points, '+.1f')} points of {today} on {pairs:,} items of both, {how} on the rest"


def told_unlike(incumbent: str, unlike: Unlike) -> str:
    """Says that the incumbent is better or worse on the pairs than on all its items, in brackets; empty if it may be luck."""
    points, p = f"{100.0 * abs(unlike.off):.1f} points {'better' if unlike.off > 0 else 'worse'}", unlike.p_value
    if points.startswith("0.0") or p >= BY_LUCK:
        return ""
    mark = unlike.mark
    by = "" if mark is None else f"; they hold {mark[0]} that it got {mark[1]}: if chosen by that, judge others too"
    luck = "p < 0.001" if p < 0.0005 else f"p = {p:.3f}"
    return f" ({incumbent} is {points} on the items of both than on all, {luck}: less sure{by})"


def tell_caution(sheet: FactSheet, says: str, about: str | None) -> None:
    """State in the Case what an evaluation warns of: of one system, or of all."""
    number = sum(path.startswith(CAUTIONS) and not path.endswith(ABOUT) for path in sheet.facts)
    sheet.state(f"{CAUTIONS}{number}", says, "the evaluation")
    if about is not None:
        sheet.state(f"{CAUTIONS}{number}{ABOUT}", about, "the evaluation")
    sheet.warnings.append(says if about is None else f"{about}: {says}")


def check_counts(sheet: FactSheet, s: Scenario, system: str, score: Score, pair: Paired) -> None:
    """ScenarioError where paired counts cannot be of the items, or of the right ones, that the two scores state.

    Of items that are graded, weighted or in clusters the counts are of as many plain ones as say as much: of these only the
    share is held against the score, where both scores are of as many items, so that all pair. The bare value of today's model
    is that on the largest pairs, which count in its place.
    """
    today, field, counts = _base_of(sheet, s), f"quality.scores.{system}.paired", _agreement(pair)
    base = score_of(s, today)
    held = [(system, score, counts.other.right)]
    base = Score(value=base) if isinstance(base, float) else base
    bare = isinstance(base, Score) and base.low is None and base.effective_items is None and pair == largest_pair(s)
    if isinstance(base, Score) and (bare or base.items is not None):
        held.append((today, base, counts.incumbent.right))
    parts = pair.correlation is not None or pair.pairs is not None or score.effective_items is not None
    same = len({_items(each, pair) for _, each, _ in held}) == 1 and pair.pairs is None
    for name, each, right in held:
        items, most = counts.items if parts else _items(each, pair), f"at most the items of quality.scores.{name}"
        off = 0.5 + ROUNDED * items
        if pair.pairs is not None and pair.pairs > (each.items or pair.pairs):
            raise ScenarioError(f"{field}.pairs", pair.pairs, f"{most}, {each.items:,}")
        if counts.items > items + off:
            raise ScenarioError(field, counts.items, f"{most}, {items:,}")
        if (same or not parts) and not right - off <= each.value * items <= items - (counts.items - right) + off:
            raise ScenarioError(f"quality.scores.{name}.value", each.value, f"{field} says {right:,.4g} right of"
                                f" {counts.items:,.4g}{'' if items == counts.items else f', of {items:,}'}; to try another"
                                " score, take paired out")


def _base_of(sheet: FactSheet, s: Scenario) -> str:
    """The name whose rate today's model has: its own, or that of the same model under another name."""
    other = sheet.facts.get(path_of(ErrorRate, "same_as", system=s.incumbent.model))
    return s.incumbent.model if other is None else str(other.value)


def _agreement(pair: Paired) -> Agreement:
    return Agreement(pair.both_right, pair.only_incumbent, pair.only_this, pair.both_wrong)


def add_pair(sheet: FactSheet, s: Scenario, system: str, pair: Paired, carried: Carried | None, source: str) -> None:
    """Says that the system's score goes with the incumbent's, and how closely, as far as neither is exact."""
    names = system, _base_of(sheet, s)
    paths = [path_of(ErrorRate, "central", system=name) for name in names]
    lucks = [path_of(ErrorRate, "noise", system=name) for name in names]
    drawn = [path if path + ITEMS in sheet.facts else luck for path, luck in zip(paths, lucks, strict=True)]
    counts = _agreement(pair)
    together = counts.correlation(counts.incumbent, counts.other) if pair.correlation is None else pair.correlation
    if carried is not None:
        sheet.state(path_of(ErrorRate, "with_today", system=system), together, f"{source}: on the items of both")
        together = carried.correlation
    if all(path in sheet.facts and sheet.facts[path].uncertain for path in drawn):
        told = f"{source}: on the items of {s.incumbent.model}"
        if (drawn[0] in lucks) != (drawn[1] in lucks):  # more luck is fewer wrong answers
            together = -together
        sheet.state(drawn[0] + FOLLOWS, drawn[1], told)
        sheet.state(drawn[0] + CORRELATION, together, told)
        first = path_of(ErrorRate, "central", system=system.partition(" > ")[0])
        follows = sheet.facts.get(first + FOLLOWS)
        if pair.with_first is not None and follows is not None and follows.value == drawn[1] and drawn[0] == paths[0]:
            known = given_third(pair.with_first, together, sheet.facts[first + CORRELATION].number())
            sheet.state(drawn[0] + BESIDE, first, told)
            sheet.state(drawn[0] + GIVEN, known, told)
