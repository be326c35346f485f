"""The points: Sobol' numbers, balanced in every dimension, the same for ever."""

import numpy as np
import pytest
from scipy.stats import qmc

from roi.numerics.sequence import BITS, MAX_DIMENSIONS, sobol

HALF_A_CELL = 2.0 ** -(BITS + 1)


@pytest.mark.parametrize("dimensions", [1, 2, 17, 80, MAX_DIMENSIONS])
def test_unscrambled_points_are_scipys_in_the_middle_of_their_cells(dimensions: int) -> None:
    """SciPy gives the lower corner of a cell of width 2^-30; here its centre, so that no point is 0."""
    theirs = qmc.Sobol(dimensions, scramble=False, bits=BITS).random(512)
    assert np.array_equal(sobol(0, 512, dimensions, None), theirs + HALF_A_CELL)


@pytest.mark.parametrize("seed", [0, 1, 2**63])
@pytest.mark.parametrize("power", [1, 4, 8, 11])
def test_every_power_of_two_is_balanced_in_every_dimension(seed: int, power: int) -> None:
    """2^k points: one in each of the 2^k equal intervals of every dimension, scrambled or not."""
    n = 2**power
    points = sobol(0, n, 60, seed)
    cells = np.sort(np.floor(points * n).astype(int), axis=0)
    assert np.array_equal(cells, np.repeat(np.arange(n)[:, None], 60, axis=1))


def test_points_lie_inside_the_open_interval() -> None:
    points = sobol(0, 4096, 40, 7)
    assert points.min() > 0.0
    assert points.max() < 1.0


def test_a_longer_run_extends_a_shorter_one() -> None:
    """Chunks are the same points, whatever their size; and more dimensions leave the first ones as they are."""
    whole = sobol(0, 1000, 9, 5)
    assert np.array_equal(np.vstack([sobol(0, 300, 9, 5), sobol(300, 1000, 9, 5)]), whole)


def test_seeds_differ_and_repeat() -> None:
    assert np.array_equal(sobol(0, 64, 5, 3), sobol(0, 64, 5, 3))
    assert not np.array_equal(sobol(0, 64, 5, 3), sobol(0, 64, 5, 4))


def test_no_two_dimensions_move_together() -> None:
    """Means of u v over 4096 points: 1/4 within 0.01 for every pair of the first 60 dimensions (uncorrelated)."""
    points = sobol(0, 4096, 60, 1)
    product = points.T @ points / 4096
    assert np.abs(product[~np.eye(60, dtype=bool)] - 0.25).max() < 0.01


def test_too_many_facts_are_refused() -> None:
    with pytest.raises(ValueError, match=f"has {MAX_DIMENSIONS} dimensions"):
        sobol(0, 1, MAX_DIMENSIONS + 1, None)


def test_a_further_dimension_leaves_those_before_it() -> None:
    assert np.array_equal(sobol(3, 64, 6, 7)[:, :5], sobol(3, 64, 5, 7))
