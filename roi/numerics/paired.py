"""Two systems judged on the same items: what that says of the score of each, and of the difference of both.

A score is a share of right answers, or a mean of marks in [0, 1]. Each true score has a Beta posterior of its own (Jeffreys
prior, half an item right and half an item wrong), and a correlation says how the two go together: what is common to both
cancels in the difference, and neither is more or less sure than it is alone.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from roi.numerics.arrays import Array, Ints
from roi.numerics.beta import beta_cdf, beta_quantile
from roi.numerics.normal import go_with
from roi.numerics.spreads import TAIL, t95

HALF: Final = 0.5
"""Jeffreys prior: half an item each way."""


class Moments(NamedTuple):
    """Mean and standard deviation of a true score."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class ScorePosterior:
    """What is known of one system's score: it was right on `right` items and wrong on `wrong`, whole or in parts."""

    right: float
    wrong: float

    @property
    def share(self) -> float:
        """Share right among the items."""
        return self.right / (self.right + self.wrong)

    @property
    def mean(self) -> float:
        """Mean of the true score, which `roi compare` draws around: half an item more on each side."""
        return (self.right + HALF) / (self.right + self.wrong + 2.0 * HALF)

    @property
    def errors(self) -> "ScorePosterior":
        """What is known of the error rate: the same counts with right and wrong exchanged."""
        return ScorePosterior(self.wrong, self.right)

    @property
    def interval(self) -> tuple[float, float]:
        """5th and 95th percentile of the true score; the share itself is never outside."""
        low, high = self.quantile([0.05, 0.95]).tolist()
        return min(low, self.share), max(high, self.share)

    def quantile(self, p: ArrayLike) -> Array:
        """The score that the truth is below with probability p."""
        return beta_quantile(p, self.right + HALF, self.wrong + HALF)

    @property
    def deviation(self) -> float:
        """Standard deviation of the true score."""
        a, b = self.right + HALF, self.wrong + HALF
        return math.sqrt(a * b / (a + b + 1.0)) / (a + b)

    def at_least(self, bar: float) -> float:
        """Probability that the true score is `bar` or more."""
        return float(1.0 - beta_cdf(bar, self.right + HALF, self.wrong + HALF))


@dataclass(frozen=True)
class CarriedOver(ScorePosterior):
    """What is known of a system's score on all `items` of the incumbent, carried over from those that it was scored on too."""

    items: float

    @property
    def share(self) -> float:
        """Share right, as if that many were counted: the Beta may be worth next to no item, and half of one much to it."""
        return min(max(self.mean + (self.mean - HALF) / self.items, 0.0), 1.0)


@dataclass(frozen=True)
class Agreement:
    """Items by who was right, whole or in parts: first the incumbent (1 right, 0 wrong), then the other system."""

    n11: float
    n10: float
    n01: float
    n00: float

    @property
    def items(self) -> float:
        """Number of items that both systems were scored on."""
        return self.n11 + self.n10 + self.n01 + self.n00

    @property
    def incumbent(self) -> ScorePosterior:
        """The incumbent's score on these items."""
        return ScorePosterior(self.n11 + self.n10, self.n01 + self.n00)

    @property
    def other(self) -> ScorePosterior:
        """The other system's score on these items."""
        return ScorePosterior(self.n11 + self.n01, self.n10 + self.n00)

    @property
    def variance(self) -> float:
        """Variance of the true difference, of a Dirichlet with half an item more in each of the two cells in which both differ.

        Nothing is added to the cells in which they agree. The margins are then Beta posteriors with Jeffreys prior, as where
        each system stands alone, the mean leans to neither side, and no differing item is not taken for certainty.
        """
        n = self.items + 2.0 * HALF
        lost, won = (self.n10 + HALF) / n, (self.n01 + HALF) / n
        return (lost + won - (won - lost) ** 2) / (n + 1.0)

    def correlation(self, incumbent: ScorePosterior, other: ScorePosterior) -> float:
        """Correlation of two true scores that are known thus on these items; -1 to 1.

        var(b - a) = var a + var b - 2 corr dev a dev b, solved for corr.
        """
        a, b = incumbent.deviation, other.deviation
        return min(max((a * a + b * b - self.variance) / (2.0 * a * b), -1.0), 1.0)


@dataclass(frozen=True)
class Pair:
    """What is known of two true scores together."""

    incumbent: ScorePosterior
    other: ScorePosterior
    correlation: float

    def difference(self, points: Array) -> Array:
        """Draws of the other's true score less the incumbent's, shape (n,); points (n, 2), uniform in (0, 1)."""
        other = go_with(points[:, 0], points[:, 1], self.correlation)
        return self.other.quantile(other) - self.incumbent.quantile(points[:, 0])


def on_all_items(base: Moments, share: float, pairs: Agreement) -> tuple[CarriedOver, float]:
    """The other's score on all items of the incumbent, where only some pair, and how it correlates with the incumbent's.

    `base` is the incumbent's true score on all its items, of which `share` are among the pairs. Of these the difference is
    d = (n01 - n10) / (n + 1); where they have no partner it is s d, by the same odds (`_scale_of_the_rest`), so that

        b = a + c d,    c = share + (1 - share) s,    var b = var a + c^2 var d + 2 c r dev a dev d + (b - b")^2 / 2
        r = (var b' - var a' - var d) / (2 dev a' dev d) sqrt(share)

    var d being that of `Agreement`, a' and b' the scores on the pairs, sqrt(share) what a mean over some of the items has in
    common with one over all. b" has the other right as often as on the pairs where the incumbent is right, and where it is
    wrong: the likelihood of monotone missing data (Little and Rubin, Statistical Analysis with Missing Data, 7.2). It holds
    where items lack a partner by what the incumbent got, and odds do where they lack it by how hard they are (on easy pairs
    the incumbent's errors are luck, in which the other does not share). Nothing in the marks tells which; both say the same
    where they lack it by chance. Were either as likely, (b - b")^2 / 2 is the expected square of what b is off by that.

    One mark of which all items pair, or none, is what a choice by the mark leaves, as of all that the incumbent got wrong (a
    suite that is easy throughout leaves it too): the mean is then halfway between both. Of a mark that no pair has, b" has
    half lost, or won; where that is the more usual mark, no more than of the other.

    Where all pair, it is the score on the pairs and `Agreement.correlation`. No item without a partner is more than right or
    less than wrong. It is at least half an item of the pairs away from 0 and 1, and worth an item at least.
    """
    a, b, edge = pairs.incumbent, pairs.other, HALF / (pairs.items + 2.0 * HALF)
    scale = share + (1.0 - share) * _scale_of_the_rest(base, share, pairs) if share < 1.0 else 1.0
    seen = share * b.mean
    mean = min(max(base.mean + scale * (b.mean - a.mean), seen, edge), seen + 1.0 - share, 1.0 - edge)
    spread, apart = math.sqrt(pairs.variance), 0.0
    if share < 1.0:
        rest = min(max((base.mean - share * a.mean) / (1.0 - share), 0.0), 1.0)
        where_right, where_wrong = ScorePosterior(pairs.n11, pairs.n10).mean, ScorePosterior(pairs.n01, pairs.n00).mean
        apart = mean - seen - (1.0 - share) * (rest * where_right + (1.0 - rest) * where_wrong)
        if unlike_all(base, share, pairs).mark is not None:
            lost, won = base.mean * (1.0 - where_right), (1.0 - base.mean) * where_wrong
            if base.mean > HALF:
                lost = lost if a.right else min(lost, won)
            else:
                won = won if a.wrong else min(lost, won)
            mean = min(max((mean + base.mean - lost + won) / 2.0, edge), 1.0 - edge)
    together = (b.deviation**2 - a.deviation**2 - pairs.variance) / (2.0 * a.deviation * spread)
    shared = min(max(together, -1.0), 1.0) * math.sqrt(share) * base.deviation * spread * scale
    variance = base.deviation**2 + scale**2 * pairs.variance + 2.0 * shared + apart**2 / 2.0
    least = max(HALF / min(mean, 1.0 - mean), 1.0 + 2.0 * HALF)  # at the edge all pairs right, or wrong
    weight = max(mean * (1.0 - mean) / variance - 1.0, least)
    found = CarriedOver(mean * weight - HALF, (1.0 - mean) * weight - HALF, pairs.items / share if share else math.inf)
    goes = 0.0 if base.deviation == 0.0 else (base.deviation**2 + shared) / (base.deviation * math.sqrt(variance))
    return found, min(max(goes, -1.0), 1.0)


BY_LUCK: Final = 0.05
"""Least p-value with which pairs are not told to be unlike the rest."""


class Unlike(NamedTuple):
    """How unlike all items of the incumbent those are that pair."""

    off: float
    """How much better it is on the pairs than on all, as far as chance does not explain it; 0 where it is luck."""
    held: tuple[float, float]
    """Items right and wrong of the incumbent that pair."""
    others: tuple[float, float]
    """Items right and wrong of the incumbent that do not pair."""

    @property
    def p_value(self) -> float:
        """Fisher's exact test, two-sided, of the incumbent's share right on items that pair against that on the others."""
        right, wrong, *rest = (max(round(count), 0) for count in (*self.held, *self.others))
        return exact_fisher(right, wrong, rest[0], rest[1])

    @property
    def mark(self) -> tuple[str, str] | None:
        """Where all or none of the items with one mark pair: which of both, and the mark; None where neither is so."""
        for mark, held, other in zip(("right", "wrong"), self.held, self.others, strict=True):
            if min(held, abs(other)) < HALF <= max(held, other):
                return "all" if held >= HALF else "none", mark
        return None

    @property
    def blind(self) -> bool:
        """True where no item with one mark pairs, and hardly by luck: what the other system does on such items is a guess."""
        return self.mark is not None and self.mark[0] == "none" and self.p_value < BY_LUCK


def unlike_all(base: Moments, share: float, pairs: Agreement) -> Unlike:
    """How unlike all items of the incumbent, on which its true score is `base`, the `share` of them is that pairs.

    All are as many, right or wrong, as leave it that unsure, of an exact one as many as the pairs are that share of: where
    marks are graded the pairs say more of a difference than of a score. Of a share drawn by chance the difference has the
    variance v = base (1 - base) (1 - share) / n. What exceeds it is kept, the difference x (1 - v / difference^2), if anything
    (positive part of James and Stein's estimate).
    """
    a, plain = pairs.incumbent, base.mean * (1.0 - base.mean)
    n = max(plain / base.deviation**2 - 2.0, 1.0) * share if base.deviation and share else pairs.items
    items = n / share if share else math.inf
    off, chance = a.mean - base.mean, plain * (1.0 - share) / n
    held, count = (n * a.share, n * a.errors.share), items + 2.0 * HALF
    others = base.mean * count - HALF - held[0], (1.0 - base.mean) * count - HALF - held[1]
    return Unlike(off * max(1.0 - chance / off**2, 0.0) if off else 0.0, held, others)


def _scale_of_the_rest(base: Moments, share: float, pairs: Agreement) -> float:
    """The difference of both scores on the items without a partner over the one on the pairs, at the same ratio of their odds.

    Scores end at 0 and 1: 50 points from 25% to 75% are 4 from 95%. With a" and b" on the pairs (`Unlike.off` from base) and
    a on the rest it is a (1 - a) / (a" (1 - b") (1 - a) + a b" (1 - a")); 1 where the pairs are neither easier nor harder.
    """
    off, edge = unlike_all(base, share, pairs).off, HALF / (pairs.items + 2.0 * HALF)
    held, rest = base.mean + off, min(max(base.mean - off * share / (1.0 - share), edge), 1.0 - edge)
    right, wrong = pairs.other.mean * pairs.incumbent.errors.mean, pairs.other.errors.mean * pairs.incumbent.mean
    then = held * right / ((1.0 - held) * wrong + held * right)
    return rest * (1.0 - rest) / (held * (1.0 - then) * (1.0 - rest) + rest * then * (1.0 - held))


def given_third(together: float, first: float, second: float) -> float:
    """Partial correlation of two scores whose correlations with a third are `first` and `second`; -1 to 1."""
    rest = math.sqrt(max((1.0 - first**2) * (1.0 - second**2), 0.0))
    return min(max((together - first * second) / rest, -1.0), 1.0) if rest else 0.0


def exact_mcnemar(lost: int, won: int) -> float:
    """Two-sided p-value of `lost` against `won` discordant items if each were as likely to go either way (binomial, 1/2)."""
    n, few = lost + won, min(lost, won)
    log_terms = (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2) for k in range(few + 1))
    return min(2.0 * math.fsum(map(math.exp, log_terms)), 1.0)


def exact_fisher(right: int, wrong: int, others_right: int, others_wrong: int) -> float:
    """Two-sided p-value of as many right here and there if which are here were chance: of all tables that are no likelier.

    Of a table that is more than 40 standard deviations away it is 0.
    """
    here, rights, n = right + wrong, right + others_right, right + wrong + others_right + others_wrong
    middle = here * rights / max(n, 1)
    reach = 40.0 * math.sqrt(middle * (1.0 - rights / max(n, 1))) + 1.0
    if abs(right - middle) > reach:
        return 0.0
    least, most = max(0, here + rights - n, math.floor(middle - reach)), min(here, rights, math.ceil(middle + reach))
    k = np.arange(least, most, dtype=float)  # each against the next
    logs = np.concatenate([[0.0], np.cumsum(np.log((rights - k) * (here - k) / ((k + 1.0) * (n - rights - here + k + 1.0))))])
    often = np.exp(logs - logs.max())
    return float(often[often <= often[right - least] * (1.0 + 1e-7)].sum() / often.sum())


def score_posterior(marks: Array, weights: Array, clusters: Ints) -> ScorePosterior:
    """What marks in [0, 1] say of the score, one an item; all (n,). Items of one cluster are drawn together.

    Right and wrong items are counted where each item is 0 or 1, alone in its cluster, and weighs the same. Else the share is
    the weighted mean, and the items are as many as would tell it as exactly (`worth_items`): a Beta of the same variance stays
    in [0, 1] where a normal or a t would not, and is the first rule again where nothing is graded, weighted or clustered.
    """
    share = float(np.average(marks, weights=weights))
    n = len(marks) * worth_items(marks, share * (1.0 - share), weights, clusters)
    return ScorePosterior(n * share, n * (1.0 - share))


def agreement(incumbent: Array, other: Array, weights: Array, clusters: Ints) -> Agreement:
    """What marks of two systems on the same items say of their difference; all (n,).

    A graded pair (a, b) counts as min(a, b) right on both, a - b or b - a on one, the rest on neither, so that both means come
    out. The counts are scaled to as many items as would tell the difference as exactly (`worth_items`).
    """
    total = float(weights.sum())
    both, either = float(weights @ np.minimum(incumbent, other)), float(weights @ np.maximum(incumbent, other))
    lost, won = (float(weights @ np.maximum(x - y, 0.0)) for x, y in ((incumbent, other), (other, incumbent)))
    variance = (lost + won) / total - ((won - lost) / total) ** 2
    scale = len(weights) / total * worth_items(other - incumbent, variance, weights, clusters)
    return Agreement(scale * both, scale * lost, scale * won, scale * (total - either))


def worth_items(values: Array, plain_variance: float, weights: Array, clusters: Ints) -> float:
    """What an item is worth, in items that are right or wrong, alone and of equal weight: 1 where all are so; (n,) each.

    The ratio of the variance that the mean of n such items would have to the variance between clusters (Kish's design effect,
    upside down), lower by (1.645 / t)^2 for the degrees of freedom of g clusters. One cluster more that varies as plainly as
    such items do keeps it finite where all clusters agree. Few wrong items on light weights make the variance between them look
    less than it is: it counts as no less than if marks knew nothing of weights and clusters, sum w^2 x the variance of a mark.
    Where plain items would not vary at all, as many clusters count as Kish makes of their weights.
    """
    n, names = len(values), np.unique(clusters, return_inverse=True)[1]
    g = int(names.max()) + 1
    plain = g == n and bool((weights == weights[0]).all()) and bool((values == np.rint(values)).all())
    if plain:
        return 1.0
    w = weights / weights.sum()
    heavy = np.bincount(names, weights=w)
    if plain_variance <= 0.0 or g == 1:
        return 1.0 / (n * float(heavy @ heavy))
    off = values - w @ values
    together = np.bincount(names, weights=w * off)
    between = g / (g - 1.0) * float(together @ together)
    between = max((g * between + plain_variance / n) / (g + 1.0), float(w @ w) * float(w @ off**2))
    return float(plain_variance / n / between * (TAIL / t95(g - 1)) ** 2)
