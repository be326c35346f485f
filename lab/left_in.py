"""How rows hold that are predicted after others stood for a profile, and the score of the shares that they have in common."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from types import ModuleType
from unittest.mock import patch

import numpy as np

from roi.estimate.accuracy.profile_left_in import LeftIn, left_in_blocks


def weights(sources: Sequence[str]) -> np.ndarray:
    """One over the root of a source's rows."""
    counts = Counter(sources)
    return np.array([counts[source] ** -0.5 for source in sources])


def percentile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The smallest value with `share` of the weight at or below it."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]) / weight.sum(), share)])


def needed(rows: Sequence[LeftIn]) -> float:
    """Half widths within which 90% of the rows lie, sources by the root of their rows."""
    away = np.array([row.away / row.half for row in rows])
    return percentile(away, weights([row.source for row in rows]), 0.9)


def print_blocks(rows: Sequence[LeftIn]) -> None:
    """Print how rows hold by nearness, and their score."""
    for name, block in left_in_blocks(rows).items():
        print(f"  {name:36s} n {block.n:5d}: {block.coverage:3.0f}% inside ends {block.factor:.2f} apart, without the profile"
              f" {block.coverage_before:3.0f}% inside {block.factor_before:.2f}; median error {block.median_error:.1f}%,"
              f" {block.median_error_before:.1f}%")
    print(f"  score {score(rows):.4f}")


def print_left_in(left_in: Callable[[], Sequence[LeftIn]], held: ModuleType) -> None:
    """Print how `left_in()` holds by nearness, its score, and that of each neighbour of the shares in `held.SHARED`."""
    print_blocks(left_in())
    for one, other in permutations(held.SHARED, 2):
        moved = {**held.SHARED, one: held.SHARED[one] - 0.05, other: held.SHARED[other] + 0.05}
        with patch.object(held, "SHARED", moved):
            print(f"  score {score(left_in()):.4f} with 0.05 of {one} given to {other}")


def score(rows: Sequence[LeftIn]) -> float:
    """Mean interval score in logarithms: the width, and 20 times what lies beyond an end; sources by the root of their rows."""
    each = [2.0 * row.half + 20.0 * max(row.away - row.half, 0.0) for row in rows]
    return float(np.average(each, weights=weights([row.source for row in rows])))
