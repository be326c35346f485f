"""Percentiles for intervals from few values against SciPy; the ends of a product of independent factors by hand."""

import numpy as np
import pytest
from scipy import stats

from roi.numerics.spreads import TAIL, joint_deviation, student, t95


@pytest.mark.parametrize("freedom", [1, 2, 5, 30, 31, 60, 1000])
def test_the_table_of_students_t_is_scipys_to_three_digits(freedom):
    assert t95(freedom) == pytest.approx(stats.t.ppf(0.95, freedom), abs=1e-3)


@pytest.mark.parametrize(("freedom", "off"), [(2.0, 0.12), (4.0, 0.02), (6.5, 0.01), (30.0, 1e-3)])
def test_the_expansion_of_students_t_is_near_and_low_where_degrees_are_few(freedom, off):
    exact = stats.t.ppf(0.95, freedom)
    assert exact * (1.0 - off) < student(freedom) < exact


def test_both_end_at_the_normal_distribution():
    assert stats.norm.ppf(0.95) == pytest.approx(TAIL, abs=1e-12)
    assert [student(1e9), t95(1e9)] == pytest.approx([TAIL, TAIL], abs=1e-4)


def test_independent_deviations_add_as_squares_and_negative_ones_count_as_nothing():
    """3 and 4 make 5, whatever lies the other way; columns are added one by one."""
    assert float(joint_deviation([3.0, 4.0, -9.0])) == 5.0
    assert joint_deviation([np.array([3.0, 5.0]), np.array([4.0, 12.0])]).tolist() == [5.0, 13.0]
