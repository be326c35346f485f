"""Non-negative least squares for few columns."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def nnls(matrix: Array, target: Array) -> Array:
    """The x >= 0 that minimises |matrix x - target|: Lawson and Hanson's active sets on the normal equations.

    matrix (n, k) with k of about ten, target (n,) -> (k,). Columns are scaled to one length first, so that seconds and shares
    can stand side by side. Ends after 3k exchanges at the latest; on a tie the last point is within rounding of the answer.
    """
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    gram, moment = (matrix / scale).T @ (matrix / scale), (matrix / scale).T @ target
    k = len(moment)
    x, free = np.zeros(k), np.zeros(k, dtype=bool)
    tolerance = 1e-12 * max(float(np.abs(moment).max(initial=0.0)), 1e-300)
    for _ in range(3 * k):
        gradient = np.where(free, -np.inf, moment - gram @ x)
        if gradient.max(initial=-np.inf) <= tolerance:
            break
        free[int(gradient.argmax())] = True
        x = _within(gram, moment, x, free)
    answer: Array = x / scale
    return answer


def _within(gram: Array, moment: Array, x: Array, free: NDArray[np.bool_]) -> Array:
    """The least squares point of the free columns; those that it would make negative are held at 0 one after the other."""
    while True:
        step = np.zeros_like(x)
        step[free] = np.linalg.lstsq(gram[np.ix_(free, free)], moment[free], rcond=None)[0]
        if not free.any() or step[free].min() > 0.0:
            return step
        blocked = free & (step <= 0.0)
        share = np.min(x[blocked] / np.maximum(x[blocked] - step[blocked], 1e-300))
        x = x + share * (step - x)
        free &= x > 1e-14
        x = np.where(free, x, 0.0)
