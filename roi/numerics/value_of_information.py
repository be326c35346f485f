"""What knowing a fact, or a measurement of it, is worth: the gain in the best mean over every option that could then be chosen.

The draws are sorted by what would be known and cut into bins. In each bin, or for each result that a measurement may have, the
best option is chosen on one half of the draws and paid for on the other, so that noise earns nothing. A result is not drawn:
its chance in each bin is known, so that nothing is nested and the worth is smooth in the size of the measurement.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Self

import numpy as np

from roi.numerics.arrays import Array, Flags, Ints
from roi.numerics.main_effects import MainEffects, ranks

BINS: Final = 32
"""Bins of what would be known: 4,096 draws leave 128 a bin, 64 in each half."""
REACH: Final = 6.0
"""Standard deviations of a result beyond which it is left out: one in 10^9."""


def gain_of_knowing(
    saved: MainEffects, known: Array, candidates: Sequence[str], eligible: Collection[str] = (), edge: float | None = None,
) -> float:
    """USD that knowing `known`, shape (n,), could be worth at most before moving; never below zero, zero within its own noise.

    `saved` is what each option saves in each draw. `candidates` may be chosen in any case, `eligible` only once this is known;
    `edge` is where an option begins to miss the bar (`bar_edge`). Where the outcomes without the main effects of other facts
    tell it with a smaller standard error, it is the smaller of what they say and of what is said as they are.
    """
    bins = Bins.of(known, edge)
    if bins is None:
        return 0.0
    ids = (*candidates, *eligible)

    def gain(table: Array) -> tuple[float, float]:
        base, means = best_row(table[: len(candidates)]), bins.means(table)
        if np.all(means.argmax(axis=0) == base):
            return 0.0, 0.0
        found, error = bins.gains(table, over(bins.policies(means, None), base))
        return float(found), float(error)

    plain, noise = gain(saved.table(ids))
    if plain == 0.0:  # the smaller of two is no less
        return 0.0
    settled, less = gain(saved.settled(ids, known))
    return min(plain, settled) if less < noise else plain


def most_to_know(saved: Mapping[str, Array], candidates: Sequence[str], eligible: Collection[str] = ()) -> float:
    """USD that knowing all facts together could be worth: no single one, and no rule by which to choose, is worth more."""
    table = np.stack([saved[id] for id in (*candidates, *eligible)])
    return float((table.max(axis=0) - table[best_row(table[: len(candidates)])]).mean())


def bar_edge(known: Array, wrong: Iterable[Array], bar: float) -> float | None:
    """Value of `known` up to which some option meets (or misses) the bar and beyond which it does not; None without one.

    `wrong` are the options' error rates in the same draws. What an option is worth jumps there: no bin should hold both sides.
    """
    for rates in wrong:
        misses = 1.0 - rates < bar
        if not misses.any() or misses.all():
            continue
        bad, good = known[misses], known[~misses]
        if bad.max() < good.min():
            return float(bad.max())
        if good.max() < bad.min():
            return float(good.max())
    return None


def best_row(table: Array) -> int:
    """Number of the row of `table`, shape (options, n), with the highest mean; the first of equals."""
    return int(np.argmax(table.mean(axis=1)))


def over(policies: Array, row: int) -> Array:
    """How much more often each option is chosen than where that of this row always is, (..., options, bins, halves)."""
    more = policies.copy()
    more[..., row, :, :] -= 1.0
    return more


@dataclass(frozen=True)
class Bins:
    """Draws sorted by what would be known, in bins of which each has two halves."""

    cell: Ints
    """2 x bin + half of each draw, shape (n,)."""
    counts: Array
    """Draws of each cell."""
    centres: Array
    """Mean of what would be known in each bin."""
    first_above: int
    """The first bin above the edge; 0 where there is none."""

    @classmethod
    def of(cls, known: Array, edge: float | None = None) -> Self | None:
        """The bins, none of which lies on both sides of `edge`; None where there are too few draws."""
        n = known.size
        if n < 2 * BINS:
            return None
        rank = ranks(known)
        below = 0 if edge is None else int((known <= edge).sum())
        if min(below, n - below) < 2 or n < 2 * BINS + 2:
            below = 0
        left = 0 if below == 0 else min(max(round(BINS * below / n), 1), BINS - 1, below // 2)
        left = max(left, BINS - (n - below) // 2)
        above = left + (rank - below) * (BINS - left) // (n - below)
        cell = np.where(rank < below, rank * left // max(below, 1), above) * 2 + rank % 2
        counts = np.bincount(cell, minlength=2 * BINS).astype(float)
        sums = np.bincount(cell, weights=known, minlength=2 * BINS)
        return cls(cell.astype(np.int64), counts, sums.reshape(BINS, 2).sum(axis=1) / counts.reshape(BINS, 2).sum(axis=1), left)

    def means(self, table: Array) -> Array:
        """Mean of each row of `table`, shape (options, n), in each cell: shape (options, bins, halves)."""
        sums = [np.bincount(self.cell, weights=row, minlength=self.counts.size) for row in table]
        return (np.stack(sums) / self.counts).reshape(len(table), BINS, 2)

    def policies(self, means: Array, likelihood: Array | None, barred: Flags | None = None) -> Array:
        """How often each option is chosen in each cell, shape (..., options, bins, halves), by what the *other* half shows.

        `means` has that shape. `likelihood` is the chance of each result in each bin, shape (results, bins); `barred` says
        which options may not be chosen at which result, shape (options, results). Without a likelihood the bin itself is
        known: an option's mean there is taken together with half of each neighbour's, which quiets noise.
        """
        shown = np.moveaxis(means[..., ::-1], -1, -3)  # (..., halves, options, bins)
        options = np.arange(shown.shape[-2])[:, None]
        if likelihood is None:
            right = self._left(shown[..., ::-1], mirrored=True)[..., ::-1]
            best = np.argmax(self._left(shown) + 2.0 * shown + right, axis=-2)
            found = (best[..., None, :] == options).astype(float)
        else:
            weights = self.counts.reshape(BINS, 2).sum(axis=1)
            sums = (shown * weights) @ likelihood.T
            best = np.argmax(sums if barred is None else np.where(barred, -np.inf, sums), axis=-2)
            found = (best[..., None, :] == options).astype(float) @ likelihood
            found /= found.sum(axis=-2, keepdims=True)  # what is always chosen is chosen exactly once
        return np.moveaxis(found, -3, -1)

    def _left(self, shown: Array, *, mirrored: bool = False) -> Array:
        """Mean in the next bin to the left, a bin's own in the first and across the edge; `mirrored`: bins from the right."""
        edge = BINS - self.first_above if mirrored else self.first_above
        found = np.concatenate([shown[..., :1], shown[..., :-1]], axis=-1)
        if 0 < edge < BINS:
            found[..., edge] = shown[..., edge]
        return found

    def gains(self, table: Array, weights: Array, shift: Array | float = 0.0) -> tuple[Array, Array]:
        """Mean of weighted outcomes, 0 where its own standard error is larger, and that standard error; each of shape (...).

        `weights` (..., options, bins, halves) say how much of each row of `table` (options, n) counts in each cell, where
        `shift` (..., bins, halves) is added.
        """
        place, held = self._members
        cells = self.counts.size
        rows = weights.reshape(-1, len(table), cells).transpose(2, 0, 1) @ table[:, place].transpose(1, 0, 2)
        rows += np.broadcast_to(shift, (*weights.shape[:-3], BINS, 2)).reshape(-1, cells).T[..., None]
        rows *= held[:, None, :]
        n = table.shape[1]
        mean = rows.sum(axis=(0, 2)) / n
        rows -= mean[:, None]
        rows *= held[:, None, :]
        error = np.sqrt(np.einsum("cgm,cgm->g", rows, rows)) / n
        shape = weights.shape[:-3]
        return np.where(mean > error, mean, 0.0).reshape(shape), error.reshape(shape)

    @cached_property
    def _members(self) -> tuple[Ints, Flags]:
        """The draws of each cell, and which of them are there: cells are filled up to the size of the largest."""
        counts = self.counts.astype(np.int64)
        order = np.argsort(self.cell.astype(np.uint8), kind="stable")
        column = np.arange(counts.max())
        place = (counts.cumsum() - counts)[:, None] + column
        return order[np.minimum(place, self.cell.size - 1)], column < counts[:, None]


def one_way(values: Array, weights: Array) -> Array:
    """The values, (n,), that only rise or only fall and lie nearest to these by weighted squares: adjacent violators pooled.

    They fall where the values fall with their place on the whole, and else rise. What has no bearing on the place is levelled.
    """
    place = np.arange(values.size)
    falls = float(np.cov(place, values, aweights=weights)[0, 1]) < 0
    pools = list[tuple[float, float, int]]()
    for value, weight in zip(*((x[::-1] if falls else x).tolist() for x in (values, weights)), strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (a, left, m), (b, right, n) = pools[-2:]
            pools[-2:] = [((a * left + b * right) / (left + right), left + right, m + n)]
    found = np.repeat([value for value, _, _ in pools], [n for _, _, n in pools])
    return np.asarray(found[::-1] if falls else found, dtype=np.float64)


@cache
def _log_factorials(n: int) -> Array:
    return np.concatenate(([0.0], np.log(np.arange(1.0, n + 1.0)).cumsum()))


def numbers_wrong(rates: Array, items: int) -> Ints:
    """The numbers of wrong answers among so many items that have a chance worth counting at some rate: (numbers,)."""
    p = np.clip(rates, 1e-9, 1.0 - 1e-9)
    reach = REACH * np.sqrt(items * p * (1.0 - p)) + REACH
    least, most = max(int((items * p - reach).min()), 0), min(int((items * p + reach).max()) + 1, items)
    return np.arange(least, most + 1)


def binomial(rates: Array, items: int) -> Array:
    """Chances of each of these numbers of wrong answers at each rate: (numbers, rates)."""
    p = np.clip(rates, 1e-9, 1.0 - 1e-9)
    wrong, logs = numbers_wrong(rates, items), _log_factorials(items)
    ways = logs[items] - logs[wrong] - logs[items - wrong]
    chance = np.exp(ways[:, None] + wrong[:, None] * np.log(p) + (items - wrong)[:, None] * np.log1p(-p))
    return np.asarray(chance / chance.sum(axis=0))


def differences(values: Array, deviation: float) -> Array:
    """The chance of each result of a measurement at each value, its noise normal with this deviation: (results, values)."""
    results = np.arange(values.min() - REACH * deviation, values.max() + REACH * deviation, deviation / 3.0)
    chance = np.exp(-(((results[:, None] - values) / deviation) ** 2) / 2.0)
    return np.asarray(chance / chance.sum(axis=0))


def items_behind(rates: Array) -> float:
    """Items, right or wrong, that would leave an error rate as uncertain as these draws of it are (n,); a Beta's n."""
    mean, variance = float(rates.mean()), float(rates.var())
    return max(mean * (1.0 - mean) / variance - 1.0, 0.0) if variance > 0 else 0.0


def repeated(values: Array, deviation: float) -> Array:
    """The chance of each result of a measurement at each value, its noise normal in the log: (results, values).

    Of endless noise there is one result, which tells nothing.
    """
    return differences(np.log(values), deviation) if np.isfinite(deviation) else np.ones((1, values.size))


def noise_that_leaves(left: float, before: float) -> float:
    """Deviation of the noise of a measurement that leaves the deviation `left` of a normal value that had `before`.

    Precisions add, 1 / left^2 = 1 / before^2 + 1 / noise^2, so that what the result is expected to be has the variance
    before^2 - left^2. Endless where no less is left than there was.
    """
    return left * before / float(np.sqrt(before**2 - left**2)) if left < before else np.inf
