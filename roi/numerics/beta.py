"""The Beta distribution by numerical integration: its cumulative distribution and its quantiles, without scipy.

In t = logit(x) the density is proportional to exp(a ln x + b ln (1 - x)): smooth, with one peak, and falling off at least
exponentially on both sides for every a, b > 0. The trapezoidal rule with its first end correction (Euler and Maclaurin) is
then exact to far below what is asked here. Between two points the density is taken as linear: probabilities are
within 1e-6 of the exact ones, quantiles within 1e-5.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from roi.numerics.arrays import Array

POINTS: Final = 3001
FALL: Final = 30.0
"""Where the density has fallen below its peak by this much (natural logarithm: 1e-13), the range ends."""


def beta_cdf(x: ArrayLike, a: float, b: float) -> Array:
    """Probability that a Beta(a, b) is at most x; x of any shape, in [0, 1]."""
    t, density, cumulative = _table(a, b)
    x = np.asarray(x, dtype=float)
    with np.errstate(divide="ignore"):
        logit = np.clip(np.log(x) - np.log1p(-x), t[0], t[-1])
    k = np.clip(np.searchsorted(t, logit) - 1, 0, POINTS - 2)
    beyond, slope = logit - t[k], (density[k + 1] - density[k]) / (t[1] - t[0])
    return np.asarray(np.clip(cumulative[k] + density[k] * beyond + slope * beyond**2 / 2.0, 0.0, 1.0))


def beta_quantile(p: ArrayLike, a: float, b: float) -> Array:
    """The x below which a Beta(a, b) lies with probability p; p of any shape, in (0, 1)."""
    t, density, cumulative = _table(a, b)
    p = np.asarray(p, dtype=float)
    k = np.clip(np.searchsorted(cumulative, p) - 1, 0, POINTS - 2)
    above, slope = p - cumulative[k], (density[k + 1] - density[k]) / (t[1] - t[0])
    root = np.sqrt(np.maximum(density[k] ** 2 + 2.0 * slope * above, 0.0))
    beyond = np.clip(2.0 * above / np.maximum(density[k] + root, 1e-300), 0.0, t[1] - t[0])
    return np.asarray(1.0 / (1.0 + np.exp(-(t[k] + beyond))))


@lru_cache(maxsize=64)
def _table(a: float, b: float) -> tuple[Array, Array, Array]:
    """Points t = logit(x), the density of t there, and the cumulative distribution, rising from 0 to 1."""
    peak = float(np.log(a / b))
    height = float(_log_density(peak, a, b))
    t = np.linspace(_end(peak, height, a, b, -1.0), _end(peak, height, a, b, 1.0), POINTS)
    step = t[1] - t[0]
    density = np.exp(_log_density(t, a, b) - height)
    slope = density * (a - (a + b) / (1.0 + np.exp(-t)))
    steps = (density[1:] + density[:-1]) / 2.0 * step - step**2 / 12.0 * np.diff(slope)
    cumulative = np.concatenate(([0.0], np.maximum(steps, 0.0).cumsum()))
    return t, density / cumulative[-1], cumulative / cumulative[-1]


def _log_density(t: ArrayLike, a: float, b: float) -> Array:
    """Logarithm of the density of t, but for a constant: -a ln (1 + e^-t) - b ln (1 + e^t)."""
    return np.asarray(-a * np.logaddexp(0.0, -np.asarray(t)) - b * np.logaddexp(0.0, t))


def _end(peak: float, height: float, a: float, b: float, side: float) -> float:
    """Where the density has fallen by FALL, to the left (side -1) or to the right (1) of its peak."""
    near, far = 0.0, 1.0
    while height - _log_density(peak + side * far, a, b) < FALL:
        near, far = far, 2.0 * far
    for _ in range(20):
        middle = (near + far) / 2.0
        fallen = bool(height - _log_density(peak + side * middle, a, b) >= FALL)
        near, far = (near, middle) if fallen else (middle, far)
    return float(peak + side * far)
