"""The normal distribution on arrays, without scipy, and pairs of uniform values that go together as normal ones do."""

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from roi.numerics.arrays import Array

REACH: Final = 8.0
"""Standard deviations beyond which nothing lies that counts: 6e-16."""
POINTS: Final = 8001
"""Points of the table, at steps of 0.002: the straight lines between them are within 2e-7 of a probability, and within 3e-6 of
a quantile up to 4 deviations."""


def normal_cdf(x: ArrayLike) -> Array:
    """Probability that a standard normal value is at most x; x of any shape."""
    return np.asarray(np.interp(np.asarray(x, dtype=float), *_table()))


def normal_quantile(p: ArrayLike) -> Array:
    """The x below which a standard normal value lies with probability p; p of any shape, in (0, 1)."""
    x, probability = _table()
    return np.asarray(np.interp(np.asarray(p, dtype=float), probability, x))


def go_with(base: ArrayLike, own: ArrayLike, correlation: float) -> Array:
    """Uniform values that go with those of `base` by a normal copula of this correlation, -1 to 1; of the shape of both.

    `base` and `own` are independent and uniform in (0, 1). With correlation 1 it is `base` again, with 0 `own`. Each result
    is uniform by itself, so that what is drawn by it has the distribution that it has alone (Nelsen, An Introduction to
    Copulas, 2006, 2.3).
    """
    rest = math.sqrt(max(1.0 - correlation**2, 0.0))
    return normal_cdf(correlation * normal_quantile(base) + rest * normal_quantile(own))


@cache
def _table() -> tuple[Array, Array]:
    """Points from -REACH to REACH, and the probability below each, rising."""
    x = np.linspace(-REACH, REACH, POINTS)
    return x, np.array([math.erfc(-each / math.sqrt(2.0)) / 2.0 for each in x.tolist()])
