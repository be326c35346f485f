"""Non-negative weighted least squares of a few columns, with intervals from parts left out, and which columns look alike."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.numerics.arrays import Array, Flags
from roi.numerics.spreads import student


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


def _within(gram: Array, moment: Array, x: Array, free: Flags) -> Array:
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


HUBER: Final = 2.0
"""Residuals beyond this many standard deviations weigh less, 1 / distance (Huber 1964); 5% of normal ones do."""
ROUNDS: Final = 12
"""Reweighting rounds; weights move by under 1% after six."""
LEAST_SCATTER: Final = 1e-4
"""Relative; below it a timer's own grain would decide the weights."""
LEAST_FREEDOM: Final = 2.0
"""Degrees of freedom below which the expansion of Student's factor no longer holds."""
PRIOR_ROWS: Final = 8.0
"""Rows that the scatter of all points counts for beside a point's own: eight know theirs to about a quarter."""
LIKE: Final = 30.0
"""Condition index from which columns harm each other (Belsley, Kuh and Welsch 1980)."""
SHARE: Final = 0.5
"""Share of a coefficient's variance, in directions beyond LIKE, from which its column harms others (Belsley, Kuh and Welsch
1980)."""
SAME: Final = 1e3
"""Condition index from which columns are one: noise of 0.1% in the rows makes 100% in a coefficient."""


@dataclass(frozen=True)
class LinearFit:
    """The fitted coefficients, one a column, and how well the rows tell them."""

    values: Array
    covariance: Array
    """Covariance of the coefficients without their bounds, from blocks left out and points off the line, shape (k, k)."""
    pulls: Array
    """The coefficients' covariance from each block alone, where rows scatter equally, shape (blocks, k, k)."""
    residuals: Array
    """Fitted over measured - 1, one a row."""
    misfit: float
    """Sum over the rows of log(scatter of the row's kind): less by 3.3 is better at 1% (likelihood ratio, one more fact)."""
    point_scatter: float
    """Standard deviation of the points' mean relative residuals that noise within points does not explain."""
    condition: float
    """Largest over smallest singular value of the weighted columns at unit length."""
    alike: tuple[int, ...]
    """Columns that the rows cannot tell apart; empty where the condition is below LIKE."""

    def half_width(self, combination: Array) -> float:
        """Half of the 90% interval of combination . coefficients.

        Student's factor has the degrees of freedom of the parts that matter to it: (sum l)^2 / sum l^2 - 1 with l a part's
        share of its variance (Carter, Schnepel and Steigerwald 2017), so a coefficient that rests on two points is wide.
        """
        shares = np.einsum("i,gij,j->g", combination, self.pulls, combination)
        freedom = float(np.sum(shares) ** 2 / max(float(np.sum(np.square(shares))), 1e-300)) - 1.0
        variance = float(combination @ self.covariance @ combination)
        return student(max(freedom, LEAST_FREEDOM)) * float(np.sqrt(max(variance, 0.0)))


def linear_fit(
    columns: Array, seconds: Array, kind: Array, block: Array, point: Array, least: Array | None = None,
) -> LinearFit:
    """The coefficients of seconds = columns @ x, x >= `least` (k,), else 0; `columns` is (rows, k), the rest (rows,).

    Noise is taken as proportional to the fitted time, with a scatter of its own for each `kind` of row. The interval of
    a coefficient rests on two things: how the fit moves when each `block` is left out (so noise that lasts within a
    block counts once), and how far whole points lie from the line beyond that, since a step is not quite a straight
    line. Scaled to unit columns, so units do not matter.
    """
    scale = np.sqrt(np.mean(np.square(columns / seconds[:, None]), axis=0))
    x = columns / scale
    floor = np.zeros(x.shape[1]) if least is None else least * scale
    weights = 1.0 / seconds
    fitted, values, scatter = seconds, np.zeros(x.shape[1]), np.ones_like(seconds)
    for _ in range(ROUNDS):
        weighted = x * weights[:, None]
        values = floor + nnls(weighted, seconds * weights - weighted @ floor)
        fitted = np.maximum(x @ values, 0.05 * seconds)  # a row that the first rounds explain badly keeps a weight
        relative = seconds / fitted - 1.0
        scatter = _scatter(relative, kind, point)
        weights = np.sqrt(np.minimum(1.0, HUBER * scatter / np.maximum(np.abs(relative), 1e-12))) / (scatter * fitted)
    relative = seconds / fitted - 1.0
    weighted, target = x * weights[:, None], seconds * weights
    inside = _left_out(weighted, target, block)
    most = HUBER * scatter
    extra, point_scatter = _between(weighted, np.clip(relative, -most, most), fitted * weights, point, block)
    condition, alike = _alike(weighted)
    return LinearFit(
        values=values / scale, covariance=(inside + extra) / np.outer(scale, scale),
        pulls=_pulls(weighted, block) / np.multiply.outer(scale, scale), residuals=fitted / seconds - 1.0,
        misfit=_misfit(relative, kind), point_scatter=point_scatter, condition=condition, alike=alike,
    )


def _scatter(relative: Array, kind: Array, point: Array) -> Array:
    """Standard deviation of the relative residuals around each row, from the median of their sizes.

    That of the row's kind in its point, where the kind's own counts for PRIOR_ROWS rows: a clock's noise is a larger
    share of short times, and the few rows of a point know their scatter badly.
    """
    found = np.empty_like(relative)
    for which in np.unique(kind):
        rows = kind == which
        typical = np.median(np.abs(relative[rows]))
        for p in np.unique(point[rows]):
            own = rows & (point == p)
            n = np.count_nonzero(own)
            squares = n * np.median(np.abs(relative[own])) ** 2 + PRIOR_ROWS * typical**2
            found[own] = np.sqrt(squares / (n + PRIOR_ROWS))
    return np.maximum(found / 0.6745, LEAST_SCATTER)  # 0.6745: the median of a normal distribution's sizes


def _left_out(weighted: Array, target: Array, block: Array) -> Array:
    """Covariance from leaving out each block in turn: (G - 1) / G x the sum of squared moves (jackknife)."""
    gram, moment = weighted.T @ weighted, weighted.T @ target
    moved = []
    blocks = np.unique(block)
    for one in blocks:
        rows = block == one
        g, m = gram - weighted[rows].T @ weighted[rows], moment - weighted[rows].T @ target[rows]
        moved.append(np.linalg.lstsq(g, m, rcond=None)[0])
    away = np.asarray(moved) - np.mean(moved, axis=0)
    return np.asarray(away.T @ away * (blocks.size - 1.0) / blocks.size)


def _misfit(relative: Array, kind: Array) -> float:
    sizes = [np.abs(relative[kind == which]) for which in np.unique(kind)]
    return float(sum(s.size * np.log(max(np.mean(np.minimum(s, HUBER * 2.0 * np.median(s))), LEAST_SCATTER)) for s in sizes))


def _pulls(weighted: Array, block: Array) -> Array:
    """Inverse x the block's products x inverse, for each block; shape (blocks, k, k)."""
    inverse = np.linalg.pinv(weighted.T @ weighted)
    return np.array([inverse @ weighted[block == b].T @ weighted[block == b] @ inverse for b in np.unique(block)])


def _between(weighted: Array, relative: Array, per_share: Array, point: Array, block: Array) -> tuple[Array, float]:
    """(covariance, scatter) of shifts common to the rows of a point: the step is not quite linear in its columns.

    `per_share` is the weighted time of a row: what a shift by a share of 1 adds to its residual. The scatter is that of
    the points' mean residuals, less what the scatter of the blocks within points makes of them, over the part of a
    point's shift that the line does not follow.
    """
    points, where = np.unique(point, return_inverse=True)
    inverse = np.linalg.pinv(weighted.T @ weighted)
    shift = np.where(where[:, None] == np.arange(points.size), per_share[:, None], 0.0)
    left = (shift - weighted @ (inverse @ (weighted.T @ shift))) / per_share[:, None]
    counts = np.bincount(where)[:, None]
    means = np.array([np.bincount(where, column) for column in (*left.T, relative)]).T / counts
    kept = float(np.sum(np.square(means[:, :-1]))) / points.size
    noise = float(np.mean([_of_mean(relative[where == p], block[where == p]) for p in range(points.size)]))
    variance = max(float(np.mean(np.square(means[:, -1]))) - noise, 0.0) / max(kept, 1.0 / points.size)
    pull = inverse @ (weighted.T @ shift)
    return pull @ pull.T * variance, float(np.sqrt(variance))


def _of_mean(values: Array, block: Array) -> float:
    """Variance of the mean of values whose noise lasts within a block; 0 for a single block."""
    means = np.array([values[block == b].mean() for b in np.unique(block)])
    return float(np.var(means, ddof=1)) / means.size if means.size > 1 else 0.0


def _alike(weighted: Array) -> tuple[float, tuple[int, ...]]:
    """(condition index, columns with most of their variance in the weakest direction)."""
    unit = weighted / np.maximum(np.linalg.norm(weighted, axis=0), 1e-300)
    _, singular, directions = np.linalg.svd(unit, full_matrices=False)
    singular = np.maximum(singular, 1e-12 * singular[0])
    parts = np.square(directions / singular[:, None])
    condition = float(singular[0] / singular[-1])
    if condition < LIKE:
        return condition, ()
    weak = singular < singular[0] / LIKE
    shares = parts[weak].sum(axis=0) / parts.sum(axis=0)
    return condition, tuple(int(i) for i in np.flatnonzero(shares > SHARE))
