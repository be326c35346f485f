"""What a measurement is worth, against sums over its outcomes by hand and by scipy."""

import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from roi.economics.decision.measuring.trials import ITEMS
from roi.facts.case import counted_quantile
from roi.numerics.main_effects import MainEffects
from roi.numerics.sequence import sobol
from roi.numerics.value_of_information import (
    BINS,
    Bins,
    best_row,
    binomial,
    gain_of_knowing,
    items_behind,
    most_to_know,
    noise_that_leaves,
    numbers_wrong,
    one_way,
    over,
    repeated,
)

RIGHT, WRONG = 36.5, 3.5
"""4 wrong of 40 items, Jeffreys: the error rate is Beta(3.5, 36.5), 8.75% on average."""
USD, LEVEL = 100_000.0, 0.09
"""Option a gains USD x (LEVEL - error rate): +$250 on average; staying gains nothing."""


def two_options(noise: float, n: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """The error rate in each draw, and what staying and a gain there; noise in USD is that of other facts."""
    points = sobol(0, n, 2, 7)
    rate = counted_quantile(points[:, 0], WRONG / (RIGHT + WRONG), RIGHT + WRONG - 1.0)
    return rate, np.stack([np.zeros(n), USD * (LEVEL - rate) + noise * (points[:, 1] - 0.5)])


def worth(rate: np.ndarray, table: np.ndarray, chances: np.ndarray | None) -> tuple[float, float]:
    bins = Bins.of(rate)
    assert bins is not None
    mean, error = bins.gains(table, over(bins.policies(bins.means(table), chances), best_row(table)))
    return float(mean), float(error)


def by_items(rate: np.ndarray, table: np.ndarray, items: int) -> tuple[float, float]:
    bins = Bins.of(rate)
    assert bins is not None
    return worth(rate, table, binomial(bins.centres, items))


def exactly(items: int) -> float:
    """The sum over all numbers k of wrong answers, Beta-binomial: a is taken where the mean (3.5 + k) / (40 + items) allows."""
    k = np.arange(items + 1)
    gain = USD * (LEVEL - (WRONG + k) / (RIGHT + WRONG + items))
    return float(stats.betabinom(items, WRONG, RIGHT).pmf(k) @ np.maximum(gain, 0.0) - USD * (LEVEL - 0.0875))


@pytest.mark.parametrize("items", [25, 100, 400, 1600])
@pytest.mark.parametrize("noise", [0.0, 3000.0])
def test_the_worth_of_items_is_the_sum_over_their_outcomes(items: int, noise: float) -> None:
    """A Beta prior and two options whose gain is linear in the rate: the preposterior analysis in closed form."""
    found, error = by_items(*two_options(noise), items)
    assert found == pytest.approx(exactly(items), abs=2.0 * error + 0.02 * exactly(items))


def test_the_worth_of_items_rises_and_tends_to_that_of_the_rate_itself() -> None:
    """E[max(LEVEL - rate, 0)] over the Beta: $100,000 x (0.09 F(0.09; 3.5, 36.5) - 0.0875 F(0.09; 4.5, 36.5)), less $250."""
    below = LEVEL * stats.beta(WRONG, RIGHT).cdf(LEVEL) - 0.0875 * stats.beta(WRONG + 1, RIGHT).cdf(LEVEL)
    rate, table = two_options(3000.0)
    known, error = worth(rate, table, None)
    assert known == pytest.approx(USD * (below - (LEVEL - 0.0875)), abs=2.0 * error)
    curve = [by_items(rate, table, items)[0] for items in ITEMS]
    assert all(b >= a - 0.1 * error for a, b in itertools.pairwise(curve))
    assert max(curve) <= known + 0.1 * error
    assert curve[-1] == pytest.approx(known, rel=0.03)


@pytest.mark.parametrize("items", [25, 100, 400])
def test_an_option_that_a_result_must_let_through_is_worth_the_sum_over_the_results_that_do(items: int) -> None:
    """Option a counts where at most 8% of all items are wrong, 4 of 40 so far: it is chosen at such k whose mean is above 0."""
    rate, table = two_options(0.0)
    k = np.arange(items + 1)
    gain = USD * (LEVEL - (WRONG + k) / (RIGHT + WRONG + items))
    lets = (4 + k) / (40 + items) <= 0.08
    exact = float(stats.betabinom(items, WRONG, RIGHT).pmf(k) @ np.where(lets, np.maximum(gain, 0.0), 0.0))
    bins = Bins.of(rate)
    assert bins is not None
    wrong = numbers_wrong(bins.centres, items)
    barred = np.stack([np.zeros(wrong.size, dtype=bool), (4 + wrong) / (40 + items) > 0.08])
    policies = bins.policies(bins.means(table), binomial(bins.centres, items), barred)
    found, error = bins.gains(table, over(policies, 0))
    assert found == pytest.approx(exact, abs=2.0 * error + 0.02 * exact)


def test_gains_are_the_mean_over_the_draws_of_what_is_chosen_in_each_cell() -> None:
    """Three options, each chosen so often in each cell, worked out draw by draw; and always the first one, which gains nothing.

    A mean within its own standard error is zero.
    """
    rng = np.random.default_rng(1)
    known, table = rng.random(1001), 1e5 * rng.standard_normal((3, 1001)) + np.array([[0.0], [3e4], [0.0]])
    bins = Bins.of(known, 0.3)
    assert bins is not None
    often = rng.dirichlet([1.0, 1.0, 1.0], (BINS, 2)).transpose(2, 0, 1)
    only = np.zeros_like(often)
    only[0] = 1.0
    shift = rng.random((2, BINS, 2))
    means, errors = bins.gains(table, over(np.stack([often, only]), 0), np.stack([shift[0], np.zeros((BINS, 2))]))
    each = (often.reshape(3, -1)[:, bins.cell] * table).sum(axis=0) - table[0] + shift[0].reshape(-1)[bins.cell]
    error = each.std() / np.sqrt(each.size)
    assert errors == pytest.approx([error, 0.0], rel=1e-12)
    assert means == pytest.approx([each.mean() if each.mean() > error else 0.0, 0.0], rel=1e-9)
    assert means[0] > 0.0


def test_no_fact_is_worth_more_than_all_of_them() -> None:
    """In half of the draws a saves 6, in half it loses 4: +1 on average. Who knows all takes 6 and 0 by turns: 3, 2 more."""
    a = np.tile([6.0, -4.0], 64)
    assert most_to_know({"stay": np.zeros(128), "a": a}, ["stay", "a"]) == 2.0
    assert most_to_know({"stay": np.zeros(128), "a": a}, ["stay"], ["a"]) == 3.0
    assert gain_of_knowing(MainEffects({"stay": np.zeros(128), "a": a}), a, ["stay", "a"]) <= 2.0


def test_the_items_behind_draws_of_a_rate_are_those_of_its_beta() -> None:
    assert items_behind(two_options(0.0)[0]) == pytest.approx(RIGHT + WRONG, rel=0.02)


def test_a_result_has_the_chances_of_the_binomial_and_a_repeated_one_those_of_the_normal() -> None:
    rates = np.array([0.02, 0.5])
    assert binomial(rates, 20)[:15] == pytest.approx(stats.binom(20, rates).pmf(np.arange(15)[:, None]), abs=1e-9)
    assert binomial(np.array([0.0, 1.0]), 5).argmax(axis=0).tolist() == [0, 5]
    chances = repeated(np.array([1.0, 2.0]), 0.1)
    assert chances.sum(axis=0) == pytest.approx([1.0, 1.0])
    near = chances[:, 0]
    assert np.abs(np.arange(near.size) - near.argmax())[near > near.max() * np.exp(-0.5) * 0.99].max() == 3  # one deviation


def test_a_measurement_that_leaves_a_spread_is_worth_what_the_rest_of_it_is() -> None:
    """Noise of 0.375 leaves 0.3 of 0.5: 1 / 0.09 = 1 / 0.25 + 1 / 0.140625. An option that gains a normal x of mean 0 and
    deviation 1 is taken where what x is expected to be is above 0; that has the deviation sqrt(1 - s^2), and the mean of its
    positive part is that over sqrt(2 pi): 0.8 x 0.399 where s = 0.6 is left, nothing where all is, and 0.399, the worth of
    knowing x, where next to nothing is."""
    assert noise_that_leaves(0.3, 0.5) == pytest.approx(0.375)
    x = stats.norm.ppf((np.arange(4096) + 0.5) / 4096.0)
    bins = Bins.of(np.exp(x))
    assert bins is not None
    for left, share in ((0.05, 1.0), (0.6, 0.8), (0.8, 0.6), (1.0, 0.0), (2.0, 0.0)):
        found, _ = worth(np.exp(x), np.stack([np.zeros(4096), x]), repeated(bins.centres, noise_that_leaves(left, 1.0)))
        assert found == pytest.approx(share / np.sqrt(2.0 * np.pi), rel=0.01, abs=1e-9)


def test_too_few_draws_tell_nothing() -> None:
    assert Bins.of(np.zeros(2 * BINS - 1)) is None


def test_values_that_go_one_way_are_those_of_scipy_and_what_goes_up_and_down_is_levelled() -> None:
    """1, 3, 2 with 2 weighing twice: 1, then (3 + 2 x 2) / 3. By turns 1 and 0: between the ends the mean."""
    assert one_way(np.array([1.0, 3.0, 2.0]), np.array([1.0, 1.0, 2.0])) == pytest.approx([1.0, 7 / 3, 7 / 3])
    assert one_way(np.tile([1.0, 0.0], 8), np.ones(16)) == pytest.approx([1.0, *[0.5] * 14, 0.0])
    rng = np.random.default_rng(3)
    for slope in (-0.1, 0.1):
        values, weights = slope * np.arange(32) + rng.normal(size=32), rng.uniform(0.5, 2.0, 32)
        fitted = optimize.isotonic_regression(values, weights=weights, increasing=slope > 0).x
        assert one_way(values, weights) == pytest.approx(fitted)
