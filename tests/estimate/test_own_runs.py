"""Runs of one's own over published ones: never wider, narrower the nearer, and said where they contradict."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi.estimate.accuracy.profile_left_in import left_in_blocks, profile_left_in
from roi.estimate.step.calibration import ONE_GPU, Evidence, TimedRun
from roi.estimate.step.own_runs import SHARED, Asked, in_common, pooled, with_own_runs
from roi.estimate.step.step_time import StepEfficiency
from roi.numerics.conditional import FREEDOM, averaged, conditional
from roi.numerics.spreads import student

SIZE = (1.0, 512.0, 1.0)
EFFICIENCY = StepEfficiency(0.7, 0.85, 1e-5, overall=1.0)
PUBLISHED = Evidence(efficiency=EFFICIENCY, low=0.5, high=2.0, level="gpu", n=9, sources=("others",))


def run(ratio, *, method="lora", model="small", theory_s=1.0, source="mine.json"):
    return TimedRun("a", source, "L4", ONE_GPU, method, model, theory_s / ratio, theory_s, size=SIZE)


def width(evidence):
    return np.log(evidence.high / evidence.low)


def test_one_value_is_the_bivariate_student_conditional():
    """0.7 shared, 0.3 its own, 0.6 in common, distance 0.2, scale 0.1: shift 0.12; of the variance (1 - 0.36) is left, times
    (4 + 4) / 5."""
    half = 0.1 * student(FREEDOM)
    found = conditional(half, np.array([0.2]), np.array([[0.7]]), 0.3, np.array([0.6]))
    assert found.shift == pytest.approx(0.12)
    assert found.half == pytest.approx(student(5.0) * 0.1 * (0.64 * 8.0 / 5.0) ** 0.5)
    assert not found.contradicts


def test_a_value_that_shares_nothing_moves_nothing_and_tells_the_scale_alone():
    """At 0.7 of the scale s = 0.3 / t4: left of the variance is (4 + 0.5) / 5, and t5 is less than t4."""
    found = conditional(0.3, np.array([0.7 * 0.3 / student(4.0)]), np.zeros((1, 1)), 1.0, np.zeros(1))
    assert (found.shift, found.half) == (0.0, pytest.approx(0.3 * student(5.0) / student(4.0) * (4.49 / 5.0) ** 0.5))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.69, 0.69), min_size=1, max_size=5), st.sampled_from(["lora", "full"]), st.floats(0.01, 100.0))
def test_what_does_not_contradict_never_widens(logs, method, theory_s):
    """The published interval is ln 2 = 0.693 to each side; a profile inside it adds, whatever is asked."""
    found = with_own_runs(PUBLISHED, [run(float(np.exp(x)), theory_s=1.0 + k) for k, x in enumerate(logs)],
                          Asked(method, "other", theory_s))
    assert width(found) <= width(PUBLISHED) + 1e-12
    assert found.before == (0.5, 2.0)


def test_the_nearer_the_configuration_the_narrower():
    """Same step, same method at a far size, another method and model there: the same profile of two points."""
    runs = [run(0.9), run(0.9, theory_s=1.5)]
    asked = (Asked("lora", "small", 1.2), Asked("lora", "small", 12.0), Asked("lora", "large", 12.0),
             Asked("full", "large", 12.0))
    widths = [width(with_own_runs(PUBLISHED, runs, one)) for one in asked]
    assert widths == sorted(widths)
    assert widths[0] < 0.65 * width(PUBLISHED)


def test_more_points_that_agree_narrow_and_ones_that_scatter_do_not():
    asked = Asked("lora", "small", 1.0, SIZE)
    one, four, scattered = ([run(x) for x in group] for group in ([0.9], [0.9] * 4, [0.55, 1.5, 0.6, 1.4]))
    assert width(with_own_runs(PUBLISHED, four, asked)) < width(with_own_runs(PUBLISHED, one, asked))
    assert width(with_own_runs(PUBLISHED, scattered, asked)) > width(with_own_runs(PUBLISHED, one, asked))


def test_beyond_the_prior_the_scale_is_the_measurement_s():
    """Twice the half width, half of it shared: the shift is half of it, and the scale grows by the surprise (2 t4)^2."""
    found = conditional(1.0, np.array([2.0]), np.array([[0.5]]), 0.5, np.array([0.5]))
    assert found.contradicts
    assert found.shift == pytest.approx(1.0)
    left = 0.75 * (FREEDOM + (2.0 * student(FREEDOM)) ** 2) / (FREEDOM + 1.0)
    assert found.half == pytest.approx(student(FREEDOM + 1.0) / student(FREEDOM) * left**0.5)


def test_what_contradicts_of_another_method_widens_and_moves_a_little():
    """Loops that page with one method need not with the next: four points at a fifth of the published speed."""
    found = with_own_runs(PUBLISHED, [run(0.2)] * 4, Asked("full", "small", 1.0))
    assert 0.75 < float(found.efficiency.overall) < 0.9
    assert found.low < 0.25
    assert found.high > PUBLISHED.high


def test_a_profile_outside_the_published_interval_is_said_to_contradict_it_and_moves_it_most_of_the_way():
    """Four points at a fifth of the published speed, whose interval ends at a half."""
    found = with_own_runs(PUBLISHED, [run(0.2)] * 4, Asked("lora", "small", 1.0, SIZE))
    assert [piece.contradicts for piece in found.pieces] == [True]
    assert 0.2 < float(found.efficiency.overall) < 0.26
    assert found.low < 0.2 < found.high


def test_every_source_says_what_it_did():
    runs = [run(0.9, source="a.json"), run(0.9, source="b.json"), run(0.95, source="b.json")]
    found = with_own_runs(PUBLISHED, runs, Asked("lora", "small", 1.0, SIZE))
    first, second = found.pieces
    assert (first.source, first.n, second.source, second.n) == ("a.json", 1, "b.json", 2)
    assert width(PUBLISHED) > width(first) > width(second)
    assert (second.low, second.high) == (found.low, found.high)
    assert found.n == 3


@pytest.mark.parametrize("repeats", [2, 10, 1000])
def test_a_run_repeated_is_one_measurement_with_less_noise(repeats):
    """At the published centre 0.95 is shared and 0.05 / k its own, so 1 - 0.95^2 / (0.95 + 0.05 / k) is left, times 4 / 5: the
    one observation that it is. In the limit 0.05 is left; for another model (0.5 in common) 1 - 0.5^2 / 0.95."""
    for asked, common in ((Asked("lora", "small", 1.0, SIZE), 0.95), (Asked("lora", "other", 1.0, SIZE), 0.5)):
        once, often = (width(with_own_runs(PUBLISHED, [run(1.0)] * k, asked)) for k in (1, repeats))
        left = (1.0 - common**2 / (0.95 + 0.05 / repeats)) / (1.0 - common**2)
        assert often / once == pytest.approx(left**0.5)
        assert often / once >= ((1.0 - common**2 / 0.95) / (1.0 - common**2)) ** 0.5


def test_a_run_of_the_very_plan_stands_nearly_for_itself():
    """0.95 of the variance is in common with a run of the same plan, 0.75 with one of other lengths that takes as long."""
    for measured in (0.25, 0.7, 1.4):
        for size, share in ((SIZE, 0.95), ((1.0, 256.0, 1.0), 0.75)):
            found = with_own_runs(PUBLISHED, [run(measured)], Asked("lora", "small", 1.0, size))
            assert found.efficiency.overall == pytest.approx(measured**share)


def test_repeats_in_two_profiles_and_of_several_configurations_are_one_each():
    """Which file a repeat is in changes nothing; ten of each of two sizes are two measurements, wider than ten sizes."""
    asked = Asked("lora", "small", 1.0, SIZE)
    together = with_own_runs(PUBLISHED, [run(0.9), run(0.9)], asked)
    apart = with_own_runs(PUBLISHED, [run(0.9), run(0.9, source="other.json")], asked)
    assert (apart.low, apart.high) == (pytest.approx(together.low), pytest.approx(together.high))
    two = with_own_runs(PUBLISHED, [run(0.9, theory_s=size) for size in (1.0, 3.0)] * 5, Asked("full", "other", 9.0))
    ten = with_own_runs(PUBLISHED, [run(0.9, theory_s=1.0 + k) for k in range(10)], Asked("full", "other", 9.0))
    assert width(two) > width(ten)


def test_repeats_are_averaged_by_what_they_are_means_of_and_their_scatter_is_kept():
    """1 and 4 of one and two: 3, noise 0.3 / 3, or their scatter 1 (1 - 3)^2 + 2 (4 - 3)^2 = 6 of one, over s^2 and 3."""
    values, counts = np.array([1.0, 7.0, 4.0]), np.array([1.0, 1.0, 2.0])
    found = averaged(["a", "b", "a"], "iii", values, counts, 0.3, 100.0)
    assert (found.firsts, list(found.means)) == ([0, 1], [pytest.approx(3.0), 7.0])
    assert found.noise == pytest.approx([0.1, 0.3])
    scattered = averaged(["a", "b", "a"], "iii", values, counts, 0.3, 2.0 * student(FREEDOM))
    assert scattered.noise == pytest.approx([6.0 / 4.0 / 3.0, 0.3])
    assert (found.between, scattered.between) == (0.0, 0.0)


def test_sources_that_lie_apart_differ_by_a_variance_that_more_of_their_rows_do_not_average_out():
    """Scale 1, noise 0.5: -1 and 1 have w = 2, so (2 + 2 - 1) / (4 - 8 / 4) = 1.5 between them by DerSimonian and Laird, one
    value beside four: 0.3. Their mean has half of it and of the noise, and half in common with what one of them measured."""
    once = averaged("xx", "ab", np.array([-1.0, 1.0]), np.ones(2), 0.5, student(FREEDOM))
    assert [once.between, *once.means, *once.noise] == pytest.approx([0.3, 0.0, 0.25])
    beside = averaged("xxy", "aba", np.array([-1.0, 1.0, 0.0]), np.ones(3), 0.5, student(FREEDOM))
    assert beside.shared == pytest.approx(np.array([[0.15, 0.15], [0.15, 0.3]]))
    often = averaged("x" * 200, "ab" * 100, np.array([-1.0, 1.0] * 100), np.ones(200), 0.5, student(FREEDOM))
    assert often.between == pytest.approx((2.0 - 0.005) / 5.0)
    near = averaged("xx", "ab", np.array([-0.4, 0.4]), np.ones(2), 0.5, student(FREEDOM))
    assert [near.between, *near.noise] == pytest.approx([0.0, 0.25])


def test_no_measurement_is_without_noise():
    """Where what is published leaves nothing to a load of its own, two that agree are one value, told at 3% of the prior."""
    found = averaged("xx", "ab", np.array([0.5, 0.5]), np.ones(2), 0.0, student(FREEDOM))
    assert [found.between, *found.means, *found.noise] == pytest.approx([0.0, 0.5, 5e-4])


def test_profiles_of_one_configuration_that_contradict_each_other_are_less_sure_than_either():
    one, other = ([run(ratio, source=f"{ratio}.json")] * 6 for ratio in (0.75, 1.5))
    alone, both = (with_own_runs(PUBLISHED, runs, Asked("lora", "small", 1.0, SIZE)) for runs in (one, [*one, *other]))
    assert width(both) > 1.5 * width(alone)
    assert both.low < 0.75
    assert both.high > 1.5
    assert [piece.contradicts for piece in both.pieces] == [False, True]


def test_no_measurement_leaves_the_prior():
    found = conditional(0.3, np.zeros(0), np.zeros((0, 0)), 0.2, np.zeros(0))
    assert (found.shift, found.half, found.contradicts) == (0.0, 0.3, False)


@pytest.mark.parametrize("noise", [np.inf, 1e14])
@pytest.mark.parametrize("measured", [0.1, 3.0])
def test_endless_noise_leaves_the_prior_and_other_measurements_as_they_were(noise, measured):
    """In the limit, wherever it was measured: neither centre, width nor scale moves, nor does it contradict."""
    found = conditional(0.3, np.array([measured]), np.array([[0.8]]), noise, np.array([0.6]))
    assert (found.shift, found.half) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.3))
    assert not found.contradicts
    alone = conditional(0.3, np.array([0.1]), np.array([[0.8]]), 0.2, np.array([0.6]))
    beside = conditional(0.3, np.array([0.1, measured]), np.full((2, 2), 0.8), np.array([0.2, noise]), np.full(2, 0.6))
    assert (beside.shift, beside.half) == (pytest.approx(alone.shift), pytest.approx(alone.half))


def test_what_two_runs_share_is_less_than_all():
    same = in_common([run(1.0)], [run(1.0)])[0, 0]
    assert same == pytest.approx(sum(SHARED.values()))
    assert same < 1.0


def test_an_operator_sum_is_weighted_with_runs_by_precision():
    """Halves ln 2 and ln 2 around 1 and 1.21: half of the precision each, the geometric mean 1.1, halves over root 2."""
    rates = replace(PUBLISHED, efficiency=replace(EFFICIENCY, overall=1.21), low=0.605, high=2.42, level="device", n=1,
                    sources=("device.json",))
    found = pooled(PUBLISHED, rates)
    assert float(found.efficiency.overall) == pytest.approx(1.1)
    assert width(found) == pytest.approx(width(PUBLISHED) / 2**0.5)
    assert (found.level, found.before, found.sources) == ("device", (0.5, 2.0), ("device.json",))


def test_an_operator_sum_far_from_a_profile_is_passed_over_and_said_so():
    profiled = with_own_runs(PUBLISHED, [run(1.0)] * 4, Asked("lora", "small", 1.0, SIZE))
    rates = replace(PUBLISHED, efficiency=replace(EFFICIENCY, overall=9.0), low=8.0, high=10.0, level="device", n=1,
                    sources=("device.json",))
    found = pooled(profiled, rates)
    assert (found.low, found.high) == (pytest.approx(profiled.low), pytest.approx(profiled.high))
    assert [piece.contradicts for piece in found.pieces] == [False, True]


def test_rows_of_a_source_stand_for_its_profile():
    """Two configurations of four and one runs: the first's three at the quartiles predict its first and the other, and back."""
    runs = [*(run(0.9, theory_s=k, source="a") for k in (1.0, 2.0, 3.0, 4.0)), run(0.9, method="full", source="a"),
            run(1.2, source="b"), run(0.9, source="c")]
    rows = profile_left_in(runs, EFFICIENCY)
    assert sorted(row.near for row in rows) == ["same model"] * 5 + ["same model and method"]
    blocks = left_in_blocks(rows)
    assert blocks["all"].n == 6
    assert blocks["all"].factor < blocks["all"].factor_before
    assert blocks["same model and method"].median_error < blocks["same model and method"].median_error_before
    assert 0.8 * blocks["same model"].median_error_before < blocks["same model"].median_error
