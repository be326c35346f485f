"""Two systems on the same items: McNemar against scipy, intervals against a bootstrap of the items and against known truths."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest
from scipy import stats

from roi.numerics import beta, normal
from roi.numerics.normal import go_with, normal_cdf, normal_quantile
from roi.numerics.paired import (
    Agreement,
    Pair,
    ScorePosterior,
    agreement,
    exact_fisher,
    exact_mcnemar,
    given_third,
    score_posterior,
    worth_items,
)
from roi.numerics.sequence import sobol
from roi.numerics.spreads import T95, TAIL

POINTS = sobol(0, 4096, 2, 1)
TRUTHS = [(0.88, 0.03, 0.05), (0.70, 0.10, 0.10), (0.90, 0.06, 0.01)]
"""(both right, the incumbent alone, the other alone): scores 0.91 and 0.93, 0.80 and 0.80, 0.96 and 0.91."""


@pytest.fixture(autouse=True, scope="module")
def _looked_up_once() -> Iterator[None]:
    """Thousands of pairs are drawn by the same points, and by counts that come again: both are looked up in tables once."""
    of_bytes = lru_cache(maxsize=4)(lambda shape, content: normal_quantile(np.frombuffer(content).reshape(shape)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normal, "normal_quantile", lambda p: of_bytes(np.shape(p), np.asarray(p, dtype=float).tobytes()))
        patch.setattr(beta, "_table", lru_cache(maxsize=512)(beta._table.__wrapped__))
        yield


def alone(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and clusters of n items that stand alone."""
    return np.ones(n), np.arange(n)


def marks_of(n11: int, n10: int, n01: int, n00: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([1.0, 1.0, 0.0, 0.0], [n11, n10, n01, n00]), np.repeat([1.0, 0.0, 1.0, 0.0], [n11, n10, n01, n00])


def pair_of(agree: Agreement) -> Pair:
    """Of items that are right or wrong."""
    return Pair(agree.incumbent, agree.other, agree.correlation(agree.incumbent, agree.other))


def graded_pair(a: np.ndarray, b: np.ndarray, weights: np.ndarray, clusters: np.ndarray) -> Pair:
    """Of marks, each score with its own posterior."""
    base, other = (score_posterior(marks, weights, clusters) for marks in (a, b))
    return Pair(base, other, agreement(a, b, weights, clusters).correlation(base, other))


def interval(pair: Pair) -> tuple[float, float]:
    low, high = np.quantile(pair.difference(POINTS), (0.05, 0.95))
    return float(low), float(high)


def test_the_normal_distribution_is_scipys() -> None:
    x = np.linspace(-4.0, 4.0, 9973)
    assert normal_cdf(x) == pytest.approx(stats.norm.cdf(x), abs=2e-7)
    assert normal_quantile(stats.norm.cdf(x)) == pytest.approx(x, abs=3e-6)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_what_goes_with_another_is_uniform_by_itself_and_as_close_as_said(correlation: float) -> None:
    found = go_with(POINTS[:, 0], POINTS[:, 1], correlation)
    assert np.sort(found) == pytest.approx((np.arange(4096) + 0.5) / 4096, abs=0.012)
    assert np.corrcoef(normal_quantile(POINTS[:, 0]), normal_quantile(found))[0, 1] == pytest.approx(correlation, abs=0.01)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (3, 3), (2, 11), (25, 41), (480, 520)])
def test_mcnemar_is_scipys_binomial_test(lost: int, won: int) -> None:
    exact = stats.binomtest(lost, lost + won, 0.5).pvalue if lost + won else 1.0
    assert exact_mcnemar(lost, won) == pytest.approx(exact, abs=1e-12)


def test_mcnemar_by_hand() -> None:
    """1 lost, 5 won: 2 x (1 + 6) / 64 = 14/64."""
    assert exact_mcnemar(1, 5) == pytest.approx(14 / 64)


@pytest.mark.parametrize("table", [(3, 1, 1, 3), (240, 60, 300, 0), (60, 240, 299, 1), (0, 0, 5, 5), (40, 9, 200, 60)])
def test_fishers_test_is_scipys(table: tuple[int, int, int, int]) -> None:
    """By hand: 3 and 1 against 1 and 3 are 2 x (16 + 1) / 70."""
    assert exact_fisher(3, 1, 1, 3) == pytest.approx(34 / 70)
    assert exact_fisher(*table) == pytest.approx(stats.fisher_exact([table[:2], table[2:]]).pvalue, rel=1e-6, abs=1e-300)


def test_fishers_test_of_many_items_is_quick() -> None:
    table = (20_010_000, 19_990_000, 30_000_000, 30_000_000)
    assert exact_fisher(*table) == pytest.approx(stats.chi2_contingency([table[:2], table[2:]]).pvalue, rel=1e-3)
    assert exact_fisher(30_000_000, 10_000_000, 20_000_000, 40_000_000) == 0.0


def test_right_and_wrong_items_are_counted_with_jeffreys_prior() -> None:
    """279 of 300 right: Beta(279.5, 21.5). One item, right: Beta(1.5, 0.5), where the prior rules."""
    known = score_posterior(np.repeat([1.0, 0.0], [279, 21]), *alone(300))
    assert known == ScorePosterior(pytest.approx(279), pytest.approx(21))
    assert known.interval == pytest.approx(stats.beta.ppf([0.05, 0.95], 279.5, 21.5), abs=1e-5)
    assert known.at_least(0.9) == pytest.approx(stats.beta.sf(0.9, 279.5, 21.5), abs=1e-6)
    assert known.deviation == pytest.approx(stats.beta.std(279.5, 21.5))
    one = score_posterior(np.ones(1), *alone(1))
    assert one.at_least(0.9) == pytest.approx(stats.beta.sf(0.9, 1.5, 0.5), abs=1e-6)


def test_ten_copies_of_each_item_in_a_cluster_say_as_much_as_the_item() -> None:
    """200 items, 10 rows each, all of a cluster alike: worth 1/10 a row, less for the degrees of freedom, one more cluster.

    g = 200, s^2 = v x 200/199 x 10 a row: (200 x 10.0503 + 1) / 201 = 10.0052; 1 / 10.0052 x (1.6449/1.6525)^2 = 0.0990.
    """
    items = np.repeat([1.0, 0.0], [160, 40])
    rows, clusters = np.repeat(items, 10), np.repeat(np.arange(200), 10)
    worth = worth_items(rows, 0.16, np.ones(2000), clusters)
    assert worth == pytest.approx(0.0990, abs=2e-4)
    assert score_posterior(rows, np.ones(2000), clusters).interval == pytest.approx(
        score_posterior(items, *alone(200)).interval, abs=1e-3)


def test_two_clusters_are_two_items_with_one_degree_of_freedom() -> None:
    """Marks 1 1 0 0 in two clusters: s^2 = v x 2/1 x 2 = 4v; (2 x 4v + v) / 3 = 3v; 1/3 x (1.6449 / 6.314)^2."""
    worth = worth_items(np.array([1.0, 1.0, 0.0, 0.0]), 0.25, np.ones(4), np.array([0, 0, 1, 1]))
    assert worth == pytest.approx((TAIL / T95[0]) ** 2 / 3.0)


def test_weights_count_as_kish_says() -> None:
    """Half of the weight on 100 items, half on 300: (sum w)^2 / sum w^2 = (100 x 3 + 300)^2 / (100 x 9 + 300) = 300 of 400."""
    rng = np.random.default_rng(3)
    marks, weights = (rng.random(400) < 0.7).astype(float), np.repeat([3.0, 1.0], [100, 300])
    share = float(np.average(marks, weights=weights))
    assert 400 * worth_items(marks, share * (1 - share), weights, np.arange(400)) == pytest.approx(300, rel=0.1)


def test_right_items_of_unequal_weight_are_as_few_as_kish_says() -> None:
    """Weights 9, 1 ... 1 of 12 items, 20 in all: 20^2 / (81 + 11) = 4.35, where all are right and where a light one is wrong.

    Its squares, 0.0475^2 + (9 x 0.0025)^2 + 10 x 0.0025^2 = 0.0028, are a quarter of the variance 0.0475 / 4.35.
    """
    weights, marks = np.array([9.0, *[1.0] * 11]), np.ones(12)
    assert 12 * worth_items(marks, 0.0, weights, np.arange(12)) == pytest.approx(400 / 92)
    marks[-1] = 0.0
    assert 12 * worth_items(marks, 0.0475, weights, np.arange(12)) == pytest.approx(400 / 92 * (TAIL / T95[10]) ** 2)


def test_90_percent_intervals_of_weighted_items_hold_the_truth() -> None:
    """Weights of a log-normal with a deviation of 1, as of requests: few wrong items are light ones more often than not."""
    rng = np.random.default_rng(6)
    held = []
    for _ in range(200):
        known = score_posterior((rng.random(60) < 0.9) * 1.0, rng.lognormal(0.0, 1.0, 60), np.arange(60))
        held.append(known.interval[0] <= 0.9 <= known.interval[1])
    assert 0.87 <= np.mean(held) <= 0.96


def test_a_graded_pair_keeps_both_means_and_is_surer_than_right_and_wrong() -> None:
    rng = np.random.default_rng(5)
    a = rng.beta(8, 2, 300)
    b = np.clip(a + rng.normal(0.01, 0.05, 300), 0, 1)
    agree = agreement(a, b, *alone(300))
    n = agree.n11 + agree.n10 + agree.n01 + agree.n00
    assert agree.incumbent.share == pytest.approx(a.mean())
    assert (agree.n11 + agree.n01) / n == pytest.approx(b.mean())
    assert n > 900
    low, high = interval(graded_pair(a, b, *alone(300)))
    means = [(b - a)[rng.integers(0, 300, 300)].mean() for _ in range(4000)]
    assert [low, high] == pytest.approx(np.quantile(means, (0.05, 0.95)), abs=0.0025)


@pytest.mark.parametrize("counts", [(264, 9, 15, 12), (210, 30, 30, 30), (85, 3, 7, 5)])
def test_paired_intervals_are_those_of_a_bootstrap_of_the_items(counts: tuple[int, int, int, int]) -> None:
    """With n = 300 and 100: the ends agree within a fifth of the interval's half width (the prior, and whole items)."""
    a, b = marks_of(*counts)
    n, rng = len(a), np.random.default_rng(7)
    means = [(b - a)[rng.integers(0, n, n)].mean() for _ in range(4000)]
    low, high = np.quantile(means, (0.05, 0.95))
    assert list(interval(graded_pair(a, b, *alone(n)))) == pytest.approx([low, high], abs=(high - low) / 10)


def test_a_bootstrap_of_clusters_agrees_too() -> None:
    """60 conversations of 5 turns, whose luck is shared: twice as wide as items alone would be."""
    rng = np.random.default_rng(9)
    hard = np.repeat(rng.random(60) < 0.3, 5)
    a = (rng.random(300) < np.where(hard, 0.5, 0.98)).astype(float)
    b = np.where(hard, (rng.random(300) < 0.9).astype(float), a)
    clusters = np.repeat(np.arange(60), 5)
    totals = np.bincount(clusters, weights=b - a)
    means = [totals[rng.integers(0, 60, 60)].sum() / 300 for _ in range(4000)]
    low, high = np.quantile(means, (0.05, 0.95))
    found = interval(graded_pair(a, b, np.ones(300), clusters))
    assert list(found) == pytest.approx([low, high], abs=(high - low) / 8)
    plain = interval(graded_pair(a, b, *alone(300)))
    assert found[1] - found[0] > 1.2 * (plain[1] - plain[0])


def test_pairing_narrows_the_difference_of_two_scores() -> None:
    """300 items, 93% against 91%. Apart: sqrt(0.93 x 0.07 / 300 + 0.91 x 0.09 / 300) = 0.0221.

    On the same items, of which 9 + 15 differ (lost, won): sqrt((24/300 - 0.02^2) / 300) = 0.0163; the prior adds a little.
    """
    paired = pair_of(Agreement(264, 9, 15, 12))
    assert paired.difference(POINTS).std() == pytest.approx(0.0165, abs=0.0004)
    apart = pair_of(Agreement(0.91 * 0.93 * 300, 0.91 * 0.07 * 300, 0.09 * 0.93 * 300, 0.09 * 0.07 * 300))
    assert apart.difference(POINTS).std() == pytest.approx(0.0221, abs=0.0004)


@pytest.mark.parametrize("counts", [(264, 9, 15, 12), (110, 2, 4, 4), (0, 5, 5, 0), (120, 0, 0, 0), (114, 0, 0, 6)])
def test_neither_score_is_more_or_less_sure_for_being_paired(counts: tuple[int, int, int, int]) -> None:
    """The other's draws have the Beta of its own counts; with the incumbent's, their difference the Dirichlet's variance.

    264, 9, 15, 12 and half an item on each of 9 and 15, of 301: (25 / 301 - (6 / 301)^2) / 302 = 0.01654^2.
    """
    agree = Agreement(*map(float, counts))
    pair = pair_of(agree)
    other = pair.difference(POINTS) + agree.incumbent.quantile(POINTS[:, 0])
    n = sum(counts)
    alone_beta = stats.beta(counts[0] + counts[2] + 0.5, counts[1] + counts[3] + 0.5)
    assert np.quantile(other, [0.1, 0.5, 0.9]) == pytest.approx(alone_beta.ppf([0.1, 0.5, 0.9]), abs=0.06 * alone_beta.std())
    lost, won = ((each + 0.5) / (n + 1) for each in counts[1:3])
    by_hand = ((lost + won - (won - lost) ** 2) / (n + 2)) ** 0.5
    assert pair.difference(POINTS).std() == pytest.approx(by_hand, rel=0.04)
    if counts == (264, 9, 15, 12):
        assert by_hand == pytest.approx(0.01654, abs=1e-5)


def test_equal_counts_lean_to_neither_side() -> None:
    """0 lost and 0 won of 120: the mean difference was 0.24 points against the candidate."""
    for counts in ((114, 0, 0, 6), (60, 0, 0, 60), (210, 10, 10, 10)):
        assert pair_of(Agreement(*map(float, counts))).difference(POINTS).mean() == pytest.approx(0.0, abs=2e-4)


def test_a_shift_that_all_items_share_is_as_sure_as_the_shift() -> None:
    """Perfect correlation: marks 0.01 higher on every item, themselves 0.5 to 0.9. No correlation: the roots of both add."""
    rng = np.random.default_rng(4)
    a = rng.uniform(0.5, 0.9, 200)
    low, high = interval(graded_pair(a, a + 0.01, *alone(200)))
    assert low <= 0.01 <= high
    assert high - low < 0.005
    b = rng.uniform(0.5, 0.9, 200)
    apart = graded_pair(a, b, *alone(200)).difference(POINTS).std()
    assert apart == pytest.approx(np.hypot(a.std(), b.std()) / 200**0.5, rel=0.12)


def coverage(n: int, truth: tuple[float, float, float], sets: int) -> float:
    """Share of simulated sets whose 90% interval holds the true difference."""
    both, lost, won = truth
    drawn = np.random.default_rng(n).multinomial(n, [both, lost, won, 1 - both - lost - won], size=sets)
    counts, times = np.unique(drawn, axis=0, return_counts=True)
    ends = [interval(pair_of(Agreement(*map(float, each)))) for each in counts]
    return float(np.average([low <= won - lost <= high for low, high in ends], weights=times))


def test_90_percent_intervals_hold_the_truth_in_300_simulated_sets() -> None:
    assert 0.84 <= coverage(100, TRUTHS[0], 300) <= 0.96


@pytest.mark.full
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("n", [100, 300])
def test_90_percent_intervals_hold_the_truth_in_1000_simulated_sets(n: int, truth: tuple[float, float, float]) -> None:
    assert 0.86 <= coverage(n, truth, 1000) <= 0.94


@pytest.mark.full
def test_90_percent_intervals_hold_the_truth_where_items_come_in_clusters() -> None:
    """40 clusters of 5: the share of the time that the other is better differs by cluster, Beta(2, 2) around the truth of 0."""
    rng, held = np.random.default_rng(11), []
    clusters = np.repeat(np.arange(40), 5)
    for _ in range(1000):
        better = np.repeat(rng.beta(2, 2, 40), 5)
        differ = rng.random(200) < 0.4
        won = differ & (rng.random(200) < better)
        a = np.where(differ, ~won, rng.random(200) < 0.8).astype(float)
        b = np.where(differ, won, a).astype(float)
        low, high = interval(graded_pair(a, b, np.ones(200), clusters))
        held.append(low <= 0.0 <= high)
    assert 0.86 <= np.mean(held) <= 0.94


FIVE_STEPS = np.array([0.02, 0.05, 0.13, 0.35, 0.45]), np.array([0.03, 0.06, 0.15, 0.34, 0.42])
"""Chances of the grades 0, 1/4, 1/2, 3/4 and 1 of two systems: means 0.79 and 0.765."""


@pytest.mark.full
@pytest.mark.parametrize("together", [0.0, 0.6, 0.95])
@pytest.mark.parametrize(("n", "sets"), [(40, 500), (120, 500), (1000, 200)])
def test_90_percent_intervals_of_grades_hold_the_truth(n: int, sets: int, together: float) -> None:
    """Grades of two systems cut from normal values of this correlation; the difference, and the score by itself."""
    rng, held = np.random.default_rng(13), []
    cuts = [stats.norm.ppf(np.cumsum(each)[:-1]) for each in FIVE_STEPS]
    means = [float(each @ np.arange(5.0)) / 4.0 for each in FIVE_STEPS]
    for _ in range(sets):
        common = rng.normal(size=n)
        a, b = (np.searchsorted(cut, together**0.5 * common + (1 - together) ** 0.5 * rng.normal(size=n)) / 4 for cut in cuts)
        pair = graded_pair(a, b, *alone(n))
        low, high = interval(pair)
        least, most = pair.other.interval
        held.append((low <= means[1] - means[0] <= high, least <= means[1] <= most))
    error = 3 * (0.9 * 0.1 / sets) ** 0.5
    assert np.mean(held, axis=0) == pytest.approx([0.9, 0.9], abs=error + 0.02)


def test_what_two_have_in_common_beyond_a_third() -> None:
    """(0.6 - 0.5 x 0.4) / sqrt(0.75 x 0.84) = 0.504; beyond what says all nothing is left."""
    assert given_third(0.6, 0.5, 0.4) == pytest.approx(0.504, abs=1e-3)
    assert given_third(0.2, 0.5, 0.4) == pytest.approx(0.0)
    assert (given_third(0.6, 1.0, 0.6), given_third(0.9, 0.1, -0.9)) == (0.0, 1.0)
