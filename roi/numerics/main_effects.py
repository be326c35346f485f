"""Outcomes of draws with the main effects of other facts taken out, so that what one fact does stands out of less noise.

Points of a low-discrepancy sequence are spread evenly in each dimension, not in each pair of them: among the draws in one bin
of a fact another may lie in stripes, several times further from its mean than chance would have it, and in both halves of a
bin alike. Its effect then looks like one of the first. Facts are drawn independently of each other, so that an effect of
another fact, whose mean is zero, may be taken off without moving what is expected given the first (a control variate; Strong,
Oakley and Brennan, Medical Decision Making 34, 2014, value information by regressions in the same way).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEAST_SHARE: Final = 0.01
"""Share of an outcome's variance from which a fact's main effect on it is taken out: the fit of a smaller one adds noise."""
DRAWS_A_FACT: Final = 8
"""Draws for each fact below which nothing is taken out: a fit of two weights a fact would take noise for effects."""
DEPENDENT: Final = 0.05
"""Rank correlation with what would be known from which a fact is a part of it: between independent ones it is below 0.01."""


class MainEffects:
    """The part of each outcome that each fact makes by itself: least squares on its rank and the square of that."""

    def __init__(self, outcomes: Mapping[str, Array], facts: Sequence[Array]) -> None:
        """`outcomes` by name and `facts` are of the same draws, each of shape (n,)."""
        self.outcomes = outcomes
        self._facts = facts

    def table(self, ids: Sequence[str]) -> Array:
        """The outcomes as they are, (ids, n)."""
        return np.stack([self.outcomes[id] for id in ids])

    def settled(self, ids: Sequence[str], known: Array) -> Array:
        """The outcomes without the main effects of all facts but those that `known`, shape (n,), is made of: (ids, n).

        As they are where there are fewer than DRAWS_A_FACT.
        """
        if not self._facts or known.size < DRAWS_A_FACT * len(self._facts):
            return self.table(ids)
        rows, whole = self._fitted
        part = np.abs(self._ranks @ _ranks(known)) * 12.0 / known.size >= DEPENDENT
        place = [list(self.outcomes).index(id) for id in ids]
        kept = np.repeat(part, 2)
        return np.asarray(self.table(ids) - whole[place] + rows[place][:, kept] @ self._columns[kept])

    @cached_property
    def _ranks(self) -> Array:
        """Ranks of the facts' values, from -1/2 to 1/2, (facts, n)."""
        return np.stack([_ranks(x) for x in self._facts])

    @cached_property
    def _columns(self) -> Array:
        """Rank and its square of each fact, each of mean zero, (2 x facts, n)."""
        squares = np.square(self._ranks)
        pairs = np.stack([self._ranks, squares - squares.mean(axis=1, keepdims=True)], axis=1)
        return pairs.reshape(-1, self._ranks.shape[1])

    @cached_property
    def _fitted(self) -> tuple[Array, Array]:
        """Weights of the columns in each outcome, (outcomes, 2 x facts), and what they add up to, (outcomes, n)."""
        table = self.table(list(self.outcomes))
        table = table - table.mean(axis=1, keepdims=True)
        weights = (np.linalg.pinv(self._columns @ self._columns.T, hermitian=True) @ (self._columns @ table.T)).T
        squares = np.square(weights) * np.square(self._columns).mean(axis=1)  # rank and square are uncorrelated
        shares = squares.reshape(len(table), -1, 2).sum(axis=2) / np.maximum(table.var(axis=1), 1e-9)[:, None]
        weights = np.where(np.repeat(shares >= LEAST_SHARE, 2, axis=1), weights, 0.0)
        return weights, weights @ self._columns


def _ranks(x: Array) -> Array:
    ranks = np.empty(x.size)
    ranks[np.argsort(x, kind="stable")] = np.arange(x.size)
    return (ranks + 0.5) / x.size - 0.5
