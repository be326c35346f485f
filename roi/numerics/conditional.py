"""What measurements say of a value that they are correlated with: the conditional of a multivariate t distribution."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from roi.numerics.arrays import Array
from roi.numerics.spreads import student

FREEDOM: Final = 4.0
"""Degrees of freedom of a prior: values that its scale counts for, so that five more can move it as much as it holds."""

LEAST_NOISE: Final = 1e-3
"""Least variance of one measurement, as a share of the prior's: 3% of its scale, so that no measurement is without noise."""
WIDER: Final = 1.02
"""Factor by which an interval may widen after another measurement; where it widens more, that one contradicts it."""


@dataclass(frozen=True)
class Conditional:
    """What measurements leave of a value that had a prior: where it lies, and how surely."""

    shift: float
    """How far the measurements move the value from the prior's centre."""
    half: float
    """Half of the value's 90% interval."""
    contradicts: bool
    """True where the median measurement lies outside the prior's 90% interval. The interval may then be the wider one."""


class Averaged(NamedTuple):
    """Measurements of the same thing as one (`averaged`); variances are shares of the prior's."""

    firsts: list[int]
    """Index of the first measurement of each thing."""
    means: Array
    noise: Array
    """Variance of each mean by the scatter within its sources, a share of the prior's variance, shape (n,)."""
    between: float
    """Variance between sources; it is not averaged out: who asks has one of them, or another."""
    shared: Array
    """What the means have in common, shape (n, n), by `between` of the sources that are in both."""


def averaged(
    keys: Sequence[Hashable], sources: Sequence[Hashable], measured: Array, counts: Array, own: float, half: float,
) -> Averaged:
    """Measurements of the same thing (equal `keys`) as one, with a random effect for each of the `sources`.

    `measured` and `counts`, shape (n,), are values and how many each is the mean of; `own` is the noise of a single one, `half`
    the prior's 90% half width. A source's mean of k has v = own / k. Where repeats in a source scatter more than `own` allows,
    their scatter is taken: sum c (y - mean)^2 / (repeats - sources) of one, over k. Where sources of the same things lie
    further apart than v allows, the variance between them is that of DerSimonian and Laird (Controlled Clinical Trials 7,
    1986), pooled over things:

        (sum w (y - mean)^2 - f) / sum (sum w - sum w^2 / sum w),    w = 1 / v,    f = sum (sources - 1)

    It counts as f values, beside the FREEDOM of a prior that knows of no difference: times f / (f + FREEDOM).
    """
    groups: dict[Hashable, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    columns, unit = {name: k for k, name in enumerate(dict.fromkeys(sources))}, (student(FREEDOM) / half) ** 2
    of, (count, mean) = np.array([columns[source] for source in sources]), np.zeros((2, len(groups), len(columns)))
    one = np.zeros((len(groups), 1))
    for k, group in enumerate(groups.values()):
        count[k] = np.bincount(of[group], counts[group], len(columns))
        mean[k] = np.bincount(of[group], counts[group] * measured[group], len(columns)) / np.maximum(count[k], 1.0)
        scatter = float(counts[group] @ (measured[group] - mean[k, of[group]]) ** 2) * unit
        one[k] = max(own, scatter / max(len(group) - int(np.count_nonzero(count[k])), 1), LEAST_NOISE)
    weight, between = count / one, 0.0
    total, apart = weight.sum(axis=1, keepdims=True), np.count_nonzero(count) - len(groups)
    if apart:
        squares = float((weight * (mean - (weight * mean).sum(axis=1, keepdims=True) / total) ** 2).sum()) * unit
        between = max(squares - apart, 0.0) / float((weight * (1.0 - weight / total)).sum()) * apart / (apart + FREEDOM)
    share = weight / (1.0 + weight * between)
    share /= share.sum(axis=1, keepdims=True)
    noise = (share**2 * one / np.maximum(count, 1.0)).sum(axis=1)
    return Averaged([group[0] for group in groups.values()], (share * mean).sum(axis=1), noise, between,
                    between * share @ share.T)


def conditional(
    half: float, measured: Array, among: Array, own: Array | float, to_asked: Array, beside: float = 0.0,
) -> Conditional:
    """What `measured`, shape (n,), distances from the prior's centre, say of a value whose prior is 0 +- `half` (90%).

    In shares of the prior's variance: `among`, shape (n, n), is what the measurements have in common with each other and
    themselves, `own` what each has by itself, `to_asked`, shape (n,), what each has in common with the value, `beside` what the
    value has more than the prior: by which sources differ (`Averaged.between`). All come of one Student process with FREEDOM
    degrees of freedom, so that with K = among + own and k = to_asked

        shift = k' K^-1 y,    scale^2 = s^2 (1 + beside - k' K^-1 k) (FREEDOM + y' K^-1 y / s^2) / (FREEDOM + n)

    Measurements of the same thing are one (`averaged`), else each counts in n as if it told of the scale anew. One that is
    noisier than the prior counts by the prior's variance over its own, in n and in y; endless noise says nothing. Measurements
    near the value leave little of the prior, those far from it leave it as it is; several that scatter make less certain than
    several that agree. The half width is at most the prior's, with what is beside it, unless they contradict it: to have
    measured as well does not make less certain. Source: Shah, Wilson, Ghahramani, Student-t processes, AISTATS 2014, lemma 3.
    """
    noise = np.broadcast_to(np.asarray(own, dtype=np.float64), measured.shape)
    told = np.isfinite(noise)
    if not told.any():
        return Conditional(0.0, half, False)
    measured, noise, among, to_asked = measured[told], noise[told], among[np.ix_(told, told)], to_asked[told]
    covariance = among + np.diag(noise)
    counted = np.minimum(1.0 / np.diag(covariance), 1.0)
    n, scale, weighed = float(counted.sum()), half / student(FREEDOM), np.sqrt(counted) * measured
    weights = np.linalg.solve(covariance, to_asked)
    surprise = float(weighed @ np.linalg.solve(covariance, weighed)) / scale**2
    left = max(1.0 + beside - float(to_asked @ weights), 0.0) * (FREEDOM + surprise) / (FREEDOM + n)
    found, contradicts = student(FREEDOM + n) * scale * float(np.sqrt(left)), abs(float(np.median(weighed))) > half
    most = half * (1.0 + beside) ** 0.5
    return Conditional(float(measured @ weights), found if contradicts else min(found, most), contradicts)
