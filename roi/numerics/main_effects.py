"""Outcomes of draws with the main effects of other facts taken out, so that what one fact does stands out of less noise.

Points of a low-discrepancy sequence are spread evenly in each dimension, not in each pair of them: among the draws in one bin
of a fact another may lie in stripes, several times further from its mean than chance would have it, and in both halves of a
bin alike. Its effect then looks like one of the first. Facts are drawn independently of each other, so that an effect of
another fact, whose mean is zero, may be taken off without moving what is expected given the first (a control variate; Strong,
Oakley and Brennan, Medical Decision Making 34, 2014, value information by regressions in the same way). An effect that is a
step, as a date's may be, is no line and no square: taking off what was fitted lays stripes on what had none. What is said of
either table is therefore believed only where the other says it too.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from roi.numerics.arrays import Array, Flags, Ints

RIDGE: Final = 1e-9
"""Mean square that is added to that of each column, so that equal facts, or constant ones, can be solved."""
DRAWS_A_COLUMN: Final = 8
"""Draws for each weight that is fitted, at the least: of fewer the fit explains noise, and what is left looks too sharp."""
DEPENDENT: Final = 0.05
"""Rank correlation with what would be known from which a fact is a part of it: between independent ones it is below 0.01."""


class FactColumns:
    """What each fact's main effect is fitted by: its rank, and the square of that."""

    def __init__(self, facts: Sequence[Array]) -> None:
        """`facts` are of the same draws, each of shape (n,)."""
        self._facts = facts

    def tell(self, draws: int) -> bool:
        """Whether so many draws tell the effects of these facts."""
        return 0 < DRAWS_A_COLUMN * 2 * len(self._facts) <= draws

    def part_of(self, known: Array) -> Flags:
        """Whether the fact of each column is a part of `known`, shape (n,): booleans of shape (2 x facts,)."""
        return np.repeat(np.abs(self._ranks @ _centred(known)) * 12.0 / known.size >= DEPENDENT, 2)

    @cached_property
    def columns(self) -> Array:
        """Rank, from -1/2 to 1/2, and its square, each of mean zero, fact by fact: (2 x facts, n)."""
        squares = np.square(self._ranks)
        pairs = np.stack([self._ranks, squares - squares.mean(axis=1, keepdims=True)], axis=1)
        return pairs.reshape(-1, self._ranks.shape[1])

    @cached_property
    def products(self) -> Array:
        """Products of the columns with each other, as least squares asks for them: (2 x facts, 2 x facts)."""
        found = self.columns @ self.columns.T
        found[np.diag_indices_from(found)] += RIDGE * self.columns.shape[1]
        return found

    @cached_property
    def _ranks(self) -> Array:
        return np.stack([_centred(x) for x in self._facts])


class MainEffects:
    """The part of each outcome that each fact makes by itself, by least squares."""

    def __init__(self, outcomes: Mapping[str, Array], facts: FactColumns | None = None) -> None:
        """`outcomes` by name are of the draws that `facts` are of, each of shape (n,); without facts nothing is taken out."""
        self.outcomes = outcomes
        self._facts = facts

    def table(self, ids: Sequence[str]) -> Array:
        """The outcomes with nothing taken out, (ids, n)."""
        return np.stack([self.outcomes[id] for id in ids])

    def settled(self, ids: Sequence[str], known: Array) -> Array:
        """The outcomes without the main effects of all facts but those that `known`, shape (n,), is made of: (ids, n).

        As they are where the draws are too few to tell the effects.
        """
        if self._facts is None or not self._facts.tell(known.size):
            return self.table(ids)
        (weights, whole), kept = self._fitted, self._facts.part_of(known)
        place = [list(self.outcomes).index(id) for id in ids]
        return np.asarray(self.table(ids) - whole[place] + weights[place][:, kept] @ self._facts.columns[kept])

    @cached_property
    def _fitted(self) -> tuple[Array, Array]:
        """Weights of the columns in each outcome, (outcomes, 2 x facts), and what they add up to, (outcomes, n)."""
        assert self._facts is not None
        facts, table = self._facts, self.table(list(self.outcomes))
        table = table - table.mean(axis=1, keepdims=True)
        weights = np.linalg.solve(facts.products, facts.columns @ table.T).T
        return weights, weights @ facts.columns


def ranks(x: Array) -> Ints:
    """How many of the values, (n,), come before each one in ascending order, (n,); equal ones as they stand."""
    found = np.empty(x.size, dtype=np.int64)
    found[np.argsort(x, kind="stable")] = np.arange(x.size)
    return found


def _centred(x: Array) -> Array:
    return np.asarray((ranks(x) + 0.5) / x.size - 0.5)
