"""The Beta distribution against scipy, and where it is known in closed form."""

import numpy as np
import pytest
from scipy import stats

from roi.numerics.beta import beta_cdf, beta_quantile

SHAPES = [(0.5, 0.5), (0.5, 5.5), (9.5, 0.5), (0.5, 300.5), (3.0, 1.5), (50.5, 50.5), (279.5, 21.5), (100_000.5, 2000.5)]


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_quantiles_and_probabilities_are_those_of_scipy(a: float, b: float) -> None:
    p = (np.arange(2000) + 0.5) / 2000
    exact = stats.beta.ppf(p, a, b)
    assert np.abs(beta_quantile(p, a, b) - exact).max() < 1e-5
    assert np.abs(beta_cdf(exact, a, b) - p).max() < 1e-6


def test_the_ends_are_0_and_1_and_the_uniform_is_itself() -> None:
    assert beta_cdf([0.0, 1.0], 3.5, 0.5).tolist() == [0.0, 1.0]
    x = np.linspace(0.01, 0.99, 99)
    assert beta_cdf(x, 1.0, 1.0) == pytest.approx(x, abs=1e-6)
    assert beta_quantile(x, 1.0, 1.0) == pytest.approx(x, abs=1e-6)


def test_beta_2_1_has_the_square_as_its_distribution() -> None:
    assert beta_cdf(0.6, 2.0, 1.0) == pytest.approx(0.36, abs=1e-6)
    assert beta_quantile(0.81, 2.0, 1.0) == pytest.approx(0.9, abs=1e-6)
