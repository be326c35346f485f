"""A change of figures shared out among its causes, so that the parts add up: Shapley values, or along an order and its reverse.

The causes are numbered, and grouped. `value` gives the figures with some of the causes moved from A to B and the others not;
nothing moved is A, everything moved is B.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial, fsum

import numpy as np

from roi.economics.inputs import Array

Value = Callable[[frozenset[int]], Array]
"""The figures, shape (k,), with these causes moved."""
FEW = 400
"""Steps from one set of causes to another that are worth taking for Shapley values: some seconds at most."""
SHAPLEY, ORDERED = "shapley", "ordered"


@dataclass(frozen=True)
class Attribution:
    """What each cause did to each figure; the parts of a figure add up to its change."""

    parts: Array
    """Shape (causes, figures), in the unit of the figures."""
    method: str
    """shapley: of groups, over all orders of them; within a group the mean of its order and the reverse. ordered: the mean of
    the one order of all causes and its reverse.
    """


def attribute(groups: Sequence[Sequence[int]], value: Value) -> Attribution:
    """The change from A to B shared out among the causes 0..m-1, which `groups` hold, in an order that is stated.

    A group's part is its Shapley value (Shapley 1953): the mean of what moving it does over all orders of the groups. Within
    the group what each cause does is taken one after the other, in their order and in the reverse, and averaged over the same
    sets of other groups (an Owen value over two orders). Where that takes more than FEW steps, the same is done along one
    order of all causes and its reverse. Both ways the parts add up to the change, and those from B to A are the same with the
    other sign, to the last bit.
    """
    held = [tuple(group) for group in groups if group]
    count = sum(map(len, held))
    cached: dict[frozenset[int], Array] = {}

    def at(moved: frozenset[int]) -> Array:
        if moved not in cached:
            cached[moved] = np.asarray(value(moved), dtype=np.float64)
        return cached[moved]

    steps = sum(2 * len(group) for group in held) * 2 ** max(len(held) - 1, 0)
    method = SHAPLEY if steps <= FEW else ORDERED
    walks = _by_group(held) if method == SHAPLEY else (
        _both_ways(1.0, frozenset(), tuple(cause for group in held for cause in group)))
    terms: list[list[Array]] = [[] for _ in range(count)]
    for weight, start, order in walks:
        moved, before = start, at(start)
        for cause in order:
            moved = moved | {cause}
            after = at(moved)
            terms[cause].append(weight * (after - before))
            before = after
    figures = at(frozenset()).shape[0]
    # fsum rounds once, whatever the order of its terms, so that A against B mirrors B against A
    parts = [[fsum(float(term[k]) for term in each) for k in range(figures)] for each in terms]
    return Attribution(np.array(parts, dtype=np.float64).reshape(count, figures), method)


def _by_group(groups: Sequence[tuple[int, ...]]) -> Iterator[tuple[float, frozenset[int], tuple[int, ...]]]:
    """Weight, causes that are moved already, and the causes of one group in the order in which they move next."""
    n = len(groups)
    for k, group in enumerate(groups):
        others = [*groups[:k], *groups[k + 1 :]]
        for size in range(n):
            weight = factorial(size) * factorial(n - 1 - size) / factorial(n)
            for chosen in combinations(others, size):
                yield from _both_ways(weight, frozenset(c for each in chosen for c in each), group)


def _both_ways(
    weight: float, start: frozenset[int], order: tuple[int, ...]
) -> Iterator[tuple[float, frozenset[int], tuple[int, ...]]]:
    yield weight / 2, start, order
    yield weight / 2, start, order[::-1]


def in_cents(parts: Sequence[float], total: int) -> list[int]:
    """The parts, USD, in whole cents that add up to `total` cents: the largest remainders are rounded the other way.

    With all signs turned the result is the same with its signs turned. A part that is nothing to a thousandth of a cent stays
    0, unless all are.
    """
    exact = [100.0 * part for part in parts]
    cents = [round(x) for x in exact]
    left = total - sum(cents)
    sign = 1 if left > 0 else -1
    may = [k for k, x in enumerate(exact) if abs(x) > 1e-3] or list(range(len(exact)))
    by_remainder = sorted(may, key=lambda k: (-sign * (exact[k] - cents[k]), k))
    for step in range(abs(left)):
        cents[by_remainder[step % len(by_remainder)]] += sign
    return cents
