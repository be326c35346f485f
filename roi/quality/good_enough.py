"""Is a system good enough: yes, no, or not known yet, by the margin to the incumbent and the bar."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from roi.quality.evaluation_set import EvaluationSet
from roi.quality.measured import SURE, Difference, Measured, SystemScore
from roi.scenario.scenario import Deciding

Word = Literal["yes", "no", "unknown"]
ORDER: Final[tuple[Word, ...]] = ("yes", "unknown", "no")
"""The words as systems are listed by them: first what may be taken."""
TESTED: Final[int] = Deciding().min_items
"""Items below which `roi compare` takes a system for not tested, unless a scenario says otherwise."""


@dataclass(frozen=True, kw_only=True)
class GoodEnough:
    """What is known of one system other than the incumbent."""

    good_enough: Word
    """yes: at least 95% likely within the margin and, where there is a bar, at least 95% likely to reach it. no: at most 5%
    likely of either, also by all of its own items where some of these do not pair. unknown: neither, or yes only because items
    without a score are left out, or where it was judged on none that the incumbent got right, or none that it got wrong."""
    score: SystemScore
    difference: Difference
    more_items: int | None
    """Items to add until it is known, if the means stay; 0: known; None: more than a million, or items without a score are
    what keeps it open."""
    counted_wrong: float | None
    """The score with its items without one counted as wrong, where only their absence makes it good enough."""
    untested: int
    """Items to add until `roi compare` takes it for tested."""

    @property
    def system(self) -> str:
        """Name of the system."""
        return self.difference.system


def judge_systems(found: EvaluationSet, measured: Measured, *, unscored_wrong: bool) -> tuple[GoodEnough, ...]:
    """What is known of each system but the incumbent, those first that are good enough, then those that may be.

    With `unscored_wrong` items without a score are in the marks already, as wrong ones.
    """
    scores = {each.system: each for each in measured.scores}
    unscored = {} if unscored_wrong else dict(zip(found.systems, found.unscored, strict=True))
    judged = [_judge(unscored, measured, each, scores[each.system]) for each in measured.differences]
    return tuple(sorted(judged, key=lambda each: ORDER.index(each.good_enough)))


def _judge(unscored: Mapping[str, int], measured: Measured, difference: Difference, score: SystemScore) -> GoodEnough:
    chances = [difference.not_worse, *(() if score.reaches_bar is None else (score.reaches_bar,))]
    if measured.bar is not None and score.items > difference.pairs:  # no bar is reached by leaving items aside
        chances.append(score.seen.at_least(measured.bar))
    low = min(chances)
    word: Word = "yes" if low >= SURE and not difference.unlike.blind else "no" if low <= 1.0 - SURE else "unknown"
    known = GoodEnough(good_enough=word, score=score, difference=difference, counted_wrong=None,
                       more_items=difference.more_items if word == "unknown" else 0, untested=max(TESTED - difference.pairs, 0))
    if word != "yes" or not unscored.get(score.system):
        return known
    whole, incumbent = (each.counted_wrong(unscored.get(each.system, 0)) for each in (score, measured.scores[0]))
    if (measured.bar is None or whole >= measured.bar) and whole - incumbent >= -measured.margin:
        return known
    return replace(known, good_enough="unknown", more_items=None, counted_wrong=whole)
