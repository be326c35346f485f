"""Percentiles for intervals from few values against SciPy; the ends of a product of independent factors by hand."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from roi.numerics.spreads import TAIL, expected_maximum, joint_deviation, student, t95, triangle_exponential


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


@pytest.mark.parametrize(("below", "above"), [(1.0, 1.0), (0.6, 0.0), (0.0, 0.7), (0.9, 0.3), (1e-4, 2e-4)])
def test_the_mean_of_an_exponential_over_a_triangle_is_that_of_numerical_integration(below: float, above: float) -> None:
    """scipy's quad over both sides of the mode, for powers from a month to ten years, falling and rising."""
    width = below + above

    def density(y: float) -> float:
        side = below if y < 0 else above
        return 2.0 / width * (1.0 - abs(y) / side)

    rates = np.array([-2.0, 1e-6, 1 / 12, 1.0, 3.0, 10.0])
    found = triangle_exponential(below, above, rates)
    for s, mean in zip(rates, found, strict=True):
        sides = [quad(lambda y: density(y) * np.exp(s * y), a, b, epsabs=0, epsrel=1e-12)[0]  # noqa: B023
                 for a, b in ((-below, 0.0), (0.0, above)) if a < b]  # fmt: skip
        assert mean == pytest.approx(sum(sides), rel=1e-11)


def test_an_exact_quantity_has_a_mean_of_one() -> None:
    assert triangle_exponential(0.0, 0.0, np.array([0.0, 1.0, 9.0])).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.full
def test_the_mean_of_the_largest_of_normal_values_is_exact_for_few_and_a_simulations_for_many():
    """1 / sqrt(pi) of two, 1.5 / sqrt(pi) of three; 200,000 draws of 8 and of 72, whose deviation is below 0.6."""
    assert expected_maximum([1.0, 2.0, 3.0]) == pytest.approx([0.0, 1.0 / np.sqrt(np.pi), 1.5 / np.sqrt(np.pi)], abs=1e-12)
    draws = np.random.default_rng(0).standard_normal((200_000, 72))
    for count in (8, 72):
        assert float(expected_maximum(count)) == pytest.approx(draws[:, :count].max(axis=1).mean(), abs=4 * 0.6 / np.sqrt(2e5))
