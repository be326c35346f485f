"""What an evaluation says of each system: its score, its difference to the incumbent on the same items, how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.errors import InputError
from roi.numerics.paired import (
    Agreement,
    Moments,
    Pair,
    ScorePosterior,
    Unlike,
    agreement,
    exact_mcnemar,
    on_all_items,
    score_posterior,
    unlike_all,
)
from roi.numerics.sequence import sobol
from roi.numerics.spreads import TAIL
from roi.quality.evaluation_set import EvaluationSet
from roi.quality.formats.langfuse_scores import LANGFUSE

Floats = NDArray[np.float64]
POWER: Final = 0.8416212335729143
"""80th percentile of the normal distribution: the chance that a difference of the smallest size is found."""
SURE: Final = 0.95
"""A question is settled where the answer is at least this likely; the 90% interval then lies on one side."""
MOST_ITEMS: Final = 1_000_000
TRACES: Final = ("; an experiment of Langfuse makes a trace for each item and run: add a column dataset_item_id, which its API"
                 " names beside each trace (datasetItemId of dataset-run-items, experimentItemId of experiment-items)")
DRAWS: Final = 4096
SEED: Final = 1


@dataclass(frozen=True, kw_only=True)
class SystemScore:
    """One system by itself."""

    system: str
    items: int
    seen: ScorePosterior
    """Posterior of its score on these items."""
    posterior: ScorePosterior
    """Posterior of its score on all items of the incumbent (`on_all_items`), where only some pair; else as `seen`."""
    reaches_bar: float | None
    """Probability that the true score is the bar or more; None without a bar."""

    def counted_wrong(self, unscored: int) -> float:
        """The score if so many items without one were wrong, each weighing as the mean of the others."""
        return self.seen.share * self.items / (self.items + unscored)


class Span(NamedTuple):
    """A difference of two true scores and its 90% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One system against the incumbent, on the items of both."""

    system: str
    pairs: int
    on_pairs: Span
    """Its mean mark less the incumbent's, on the pairs."""
    on_all: Span
    """Its mean mark less the incumbent's, on all of the incumbent's items, if only some pair; the margin is held against it."""
    lost: int
    """Items on which the incumbent is better."""
    won: int
    """Items on which the system is better."""
    p_value: float
    """Exact McNemar p-value on lost and won items; where items are clustered, on the clusters, each one of the two ways."""
    not_worse: float
    """Probability that it is worse by at most the margin."""
    smallest: float
    """Smallest true difference that a set like this shows: 90% interval clear of 0 with a chance of 80%."""
    more_items: int | None
    """Items beyond these until margin and bar are both cleared, or one is missed, if the means stay; 0: settled; None: more
    than MOST_ITEMS."""
    agreement: Agreement
    correlation: float
    """Correlation of the two true scores on the pairs."""
    unlike: Unlike
    """How unlike all items of the incumbent the pairs are."""


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """What a first model keeps and hands on, and how wrong either is; each with its posterior."""

    first: str
    second: str
    escalated: ScorePosterior
    """Share of requests that is handed on."""
    kept_error_rate: ScorePosterior | None
    """Share wrong of what the first model keeps; None where it keeps nothing."""
    escalated_error_rate: ScorePosterior | None
    """Share of the second model's answers that are wrong where it is handed an item; None where it is handed none."""
    with_first: float | None
    """Correlation of its true score with the first model's; None where these are not on the same items."""
    no_answer: int
    """Items handed on that the second model was not judged on: left out."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that the set says."""

    incumbent: str | None
    """None where one system is alone, and nobody says that it is paid today."""
    bar: float | None
    margin: float
    scores: tuple[SystemScore, ...]
    """Scores of all systems, the incumbent's first."""
    differences: tuple[Difference, ...]
    cascades: tuple[Cascade, ...]
    apart: dict[str, str]
    """Systems of which no item is the incumbent's, so that they have no difference, with a sentence on it."""

    @property
    def alone(self) -> bool:
        """Whether there is one system, so that nothing is compared."""
        return len(self.scores) == 1

    @property
    def items_to_bar(self) -> int | None:
        """Items to add until it is known whether the first system reaches the bar, if the mean stays.

        0: it is known; None: there is no bar, or they are more than MOST_ITEMS.
        """
        first = self.scores[0]
        if self.bar is None or first.reaches_bar is None:
            return None
        return _more_items(first.items, first.seen.share - self.bar, first.seen.deviation, first.reaches_bar)


def measure(found: EvaluationSet, incumbent: str | None, bar: float | None, margin: float) -> Measured:
    """Every system's score, and its difference to the incumbent; InputError where no item of any is common to both.

    Without an incumbent the first system, which is the only one, stands alone.
    """
    base = 0 if incumbent is None else found.place(incumbent, "--incumbent")
    scores = [_score(found, k, bar) for k in range(len(found.systems))]
    others = [k for k in range(len(found.systems)) if k != base]
    points, there = sobol(0, DRAWS, 2, SEED), ~np.isnan(found.marks)
    apart = {found.systems[k]: _told_apart(found, base, k) for k in others if not (there[base] & there[k]).any()}
    if others and len(apart) == len(others):
        langfuse = any(title == LANGFUSE.title for _, title, _ in found.notes.sources)
        raise InputError(f"FILES: {next(iter(apart.values()))}{TRACES * langfuse}")
    judged = {k: _against(found, base, k, scores, points, bar, margin) for k in others if found.systems[k] not in apart}
    return Measured(
        incumbent=incumbent, bar=bar, margin=margin, cascades=(), apart=apart,
        scores=(scores[base], *(judged[k][0] if k in judged else scores[k] for k in others)),
        differences=tuple(difference for _, difference in judged.values()))


def _told_apart(found: EvaluationSet, base: int, k: int) -> str:
    """Says that no item of two systems is the same, with one of each, which may look alike."""
    judged = [np.flatnonzero(~np.isnan(found.marks[each])) for each in (k, base)]
    own, theirs = (found.items[int(each[0])][:40] for each in judged)
    return (f"0 of {len(judged[0]):,} item{'s' * (len(judged[0]) > 1)} of {found.systems[k][:80]} pair with the"
            f" {len(judged[1]):,} of {found.systems[base][:80]}: their ids differ ({own!r} there, {theirs!r} here)")


def with_cascades(found: EvaluationSet, pairs: Sequence[tuple[str, str]]) -> tuple[EvaluationSet, tuple[Cascade, ...]]:
    """The set with a system "FIRST > SECOND" for each pair, marked by who answers each item, and what is kept and handed on.

    InputError where nothing says which items the first model hands on, or no item can be marked.
    """
    cascades = []
    for first, second in pairs:
        a, b = found.place(first, "--cascade"), found.place(second, "--cascade")
        handed = found.escalated[a]
        if np.isnan(handed).all():
            raise InputError(f"--cascade: no row of {first} says whether it was escalated; a column escalated (true, false)")
        kept_marks, handed_marks = found.marks[a], found.marks[b]
        marks = np.where(handed > 0, np.where(handed < 1, (1 - handed) * kept_marks, 0.0) + handed * handed_marks, kept_marks)
        marks = np.where(np.isnan(handed), np.nan, marks)
        judged = ~np.isnan(marks)
        if not judged.any():
            raise InputError(f"--cascade: no item that {first} hands on was judged for {second} (the ids do not match)")
        same = bool((judged == ~np.isnan(kept_marks)).all())
        flagged = ~np.isnan(handed) & ~np.isnan(kept_marks)
        cascades.append(Cascade(
            first=first, second=second, escalated=_posterior(found, np.where(flagged, handed, np.nan)),
            kept_error_rate=_part(found, kept_marks, 1.0 - handed), escalated_error_rate=_part(found, handed_marks, handed),
            with_first=_together(found, kept_marks, marks) if same else None, no_answer=int((flagged & ~judged).sum())))
        found = replace(found, systems=(*found.systems, f"{first} > {second}"), marks=np.vstack([found.marks, marks]),
                        escalated=np.vstack([found.escalated, np.full(len(marks), np.nan)]), unscored=(*found.unscored, 0))
    return found, tuple(cascades)


def _together(found: EvaluationSet, marks: Floats, others: Floats) -> float:
    """Correlation of the true scores behind two systems' marks on the same items."""
    judged = ~np.isnan(marks)
    both = agreement(marks[judged], others[judged], found.weights[judged], found.clusters[judged])
    return both.correlation(_posterior(found, marks), _posterior(found, others))


def _part(found: EvaluationSet, marks: Floats, share: Floats) -> ScorePosterior | None:
    """The error rate on the part of the items that is kept, or handed on; None where it has none."""
    inside = ~np.isnan(share) & (share > 0) & ~np.isnan(marks)
    if not inside.any():
        return None
    return score_posterior(marks[inside], found.weights[inside] * share[inside], found.clusters[inside]).errors


def _posterior(found: EvaluationSet, marks: Floats) -> ScorePosterior:
    judged = ~np.isnan(marks)
    return score_posterior(marks[judged], found.weights[judged], found.clusters[judged])


def _score(found: EvaluationSet, k: int, bar: float | None) -> SystemScore:
    judged = ~np.isnan(found.marks[k])
    posterior = _posterior(found, found.marks[k])
    return SystemScore(system=found.systems[k], items=int(judged.sum()), seen=posterior, posterior=posterior,
                       reaches_bar=None if bar is None else posterior.at_least(bar))


def _against(
    found: EvaluationSet, base: int, k: int, scores: Sequence[SystemScore], points: Floats, bar: float | None, margin: float,
) -> tuple[SystemScore, Difference]:
    """The score of a system on the incumbent's items, and its difference on those of both."""
    own, incumbent = scores[k], scores[base]
    both = ~np.isnan(found.marks[base]) & ~np.isnan(found.marks[k])
    pairs = int(both.sum())
    a, b, weights, clusters = (each[both] for each in (found.marks[base], found.marks[k], found.weights, found.clusters))
    agree = agreement(a, b, weights, clusters)
    on_pairs, own_on_pairs = (each.seen if each.items == pairs else score_posterior(marks, weights, clusters)
                              for each, marks in ((incumbent, a), (own, b)))
    share, goes, known = pairs / incumbent.items, 0.0, Moments(incumbent.seen.mean, incumbent.seen.deviation)
    if pairs < max(own.items, incumbent.items):
        posterior, goes = on_all_items(known, share, agree)
        own = replace(own, posterior=posterior, reaches_bar=None if bar is None else posterior.at_least(bar))
    together = Pair(on_pairs, own_on_pairs, agree.correlation(on_pairs, own_on_pairs))
    draws = together.difference(points)
    on_all = on_both = _span(float(np.average(b - a, weights=weights)), draws)
    smallest = (TAIL + POWER) * float(draws.std())
    if share < 1.0:
        draws = Pair(incumbent.seen, own.posterior, goes).difference(points)
        on_all = _span(own.posterior.share - incumbent.seen.share, draws)
    spread, not_worse = float(draws.std()), float((draws >= -margin).mean())
    better = (b - a).round(12)  # 0.3 - 0.2 - 0.1 is 0
    off = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=weights * better).round(12)
    gap = on_all.value + margin
    more = [(gap, _more_items(pairs, gap, spread, not_worse))]
    if bar is not None and own.reaches_bar is not None:
        gap = own.posterior.share - bar
        more.append((gap, _more_items(pairs, gap, own.posterior.deviation, own.reaches_bar)))
    return own, Difference(
        system=own.system, pairs=pairs, on_pairs=on_both, on_all=on_all,
        lost=int((better < 0).sum()), won=int((better > 0).sum()),
        p_value=exact_mcnemar(int((off < 0).sum()), int((off > 0).sum())), not_worse=not_worse,
        smallest=smallest, agreement=agree, correlation=together.correlation, more_items=_until_known(more),
        unlike=unlike_all(known, share, agree))


def _span(value: float, draws: Floats) -> Span:
    """The value and the 90% interval of the draws, which holds it."""
    low, high = np.quantile(draws, (0.05, 0.95)).tolist()
    return Span(value, min(low, value), max(high, value))


def _until_known(more: Sequence[tuple[float, int | None]]) -> int | None:
    """Items until both edges are cleared, or one is missed; of each the distance of the mean from it, and its own items."""
    missed = [items for gap, items in more if gap < 0 and items is not None]
    known = [items for _, items in more if items is not None]
    return min(missed) if missed else max(known) if len(known) == len(more) else None


def _more_items(n: int, gap: float, spread: float, probability: float) -> int | None:
    """Items beyond n until a mean that stays `gap` from the edge is clear of it; the spread falls with the root of n."""
    if max(probability, 1.0 - probability) >= SURE:
        return 0
    needed = n * (TAIL * spread / gap) ** 2 if gap else math.inf
    return None if needed - n > MOST_ITEMS else max(math.ceil(needed - n), 1)
