"""What measurements say of a value that they are correlated with: the conditional of a multivariate t distribution."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.numerics.spreads import student

Array = NDArray[np.float64]
FREEDOM: Final = 4.0
"""Degrees of freedom of a prior: values that its scale counts for, so that five more can move it as much as it holds."""


@dataclass(frozen=True)
class Conditional:
    """A value after measurements."""

    shift: float
    """From the prior's centre."""
    half: float
    """Half of its 90% interval."""
    contradicts: bool
    """True where the median measurement lies outside the prior's 90% interval. The interval may then be the wider one."""


def averaged(
    keys: Sequence[Hashable], measured: Array, counts: Array, own: float, half: float,
) -> tuple[list[int], Array, Array]:
    """Measurements of the same thing (equal `keys`) as one: the first index, mean and noise (share of variance) of each.

    `measured` and `counts`, shape (n,), are values and how many each is the mean of; `own` is the noise of a single one, `half`
    the prior's 90% half width. A mean of k has own / k. Where repeats scatter more than `own` allows, their scatter is taken:
    sum c (y - mean)^2 / (repeats - 1) of one, over k.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    means, noise = [], []
    for of in groups.values():
        mean = float(np.average(measured[of], weights=counts[of]))
        one = float(counts[of] @ (measured[of] - mean) ** 2) / max(len(of) - 1, 1) * (student(FREEDOM) / half) ** 2
        means.append(mean)
        noise.append(max(own, one) / float(counts[of].sum()))
    return [of[0] for of in groups.values()], np.array(means), np.array(noise)


def conditional(half: float, measured: Array, among: Array, own: Array | float, to_asked: Array) -> Conditional:
    """What `measured`, shape (n,), distances from the prior's centre, say of a value whose prior is 0 +- `half` (90%).

    In shares of the prior's variance: `among`, shape (n, n), is what the measurements have in common with each other and
    themselves, `own` what each has by itself, `to_asked`, shape (n,), what each has in common with the value. All come of one
    Student process with FREEDOM degrees of freedom, so that with K = among + own and k = to_asked

        shift = k' K^-1 y,    scale^2 = s^2 (1 - k' K^-1 k) (FREEDOM + y' K^-1 y / s^2) / (FREEDOM + n)

    Measurements of the same thing are one (`averaged`), else each counts in n as if it told of the scale anew. One that is
    noisier than the prior counts by the prior's variance over its own, in n and in y; endless noise says nothing. Measurements
    near the value leave little of the prior, those far from it leave it as it is; several that scatter make less certain than
    several that agree. The half width is at most the prior's unless they contradict it: to have measured as well does not make
    less certain. Source: Shah, Wilson, Ghahramani, Student-t processes, AISTATS 2014, lemma 3.
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
    left = max(1.0 - float(to_asked @ weights), 0.0) * (FREEDOM + surprise) / (FREEDOM + n)
    found, contradicts = student(FREEDOM + n) * scale * float(np.sqrt(left)), abs(float(np.median(weighed))) > half
    return Conditional(float(measured @ weights), found if contradicts else min(found, half), contradicts)
