"""Work that waits some hours and no day: the least fleet that keeps its deadline, by hand, at the limits, and as it grows."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from roi.estimate.replay.fleet import (
    burst_from_peak,
    demand_to_hold,
    load_curve_from_peak,
    share_within_day,
    size_fleet,
    spill_share,
)
from roi.estimate.replay.hourly_fleet import size_autoscaled_fleet, size_queue_fleet, smoothed

OFFICE = np.array([0.0] * 8 + [3.0] * 8 + [0.0] * 8)
"""All of a day in eight hours, at three times the mean."""
CURVES = st.lists(st.floats(0.0, 10.0), min_size=24, max_size=24).filter(lambda x: sum(x) > 1.0).map(
    lambda x: np.array(x) / np.mean(x))


def held(can_wait: float, hours: float, peak: float, curve: np.ndarray) -> float:
    """What a fleet holds all day, over the mean."""
    share = share_within_day(can_wait, hours, peak, curve)
    return float(demand_to_hold(peak, 1.0, share))


def test_a_day_of_eight_hours_with_eight_hours_of_time_is_worked_off_in_sixteen() -> None:
    """24 of work in 16 hours: 1.5 x the mean, in place of 3 at once or 1 by the end of the day. With 4 hours: 24 in 12: 2."""
    assert held(1.0, 8.0, 3.0, OFFICE) == pytest.approx(1.5)
    assert held(1.0, 4.0, 3.0, OFFICE) == pytest.approx(2.0)
    assert held(1.0, 16.0, 3.0, OFFICE) == pytest.approx(1.0)
    assert share_within_day(1.0, 8.0, 3.0, OFFICE) == pytest.approx(0.5)


def test_what_cannot_wait_goes_first_in_the_hours_after_too() -> None:
    """Half waits: 1.5 of each office hour at once. Of all that comes from 8 to 16, 24, what is left is done by 24: 1.5 holds
    both. Where the sixteen other hours have 0.3 (office 2.4), half of those eight hours' 2.4 goes first: (19.2 + 1.2) / 16.
    """
    assert held(0.5, 8.0, 3.0, OFFICE) == pytest.approx(1.5)
    quieter = np.where(OFFICE > 0.0, 2.4, 0.3)
    assert held(0.8, 8.0, 2.4, quieter) == pytest.approx((19.2 + 0.2 * 2.4) / 16)


def test_a_burst_within_an_hour_counts_where_the_deadline_is_shorter() -> None:
    """A peak of 6 in an hour of 3: its work comes within half an hour, and has one more half hour: 3 / 1 = 3, not 6."""
    lone = np.array([3.0, *[21.0 / 23.0] * 23])
    assert held(1.0, 0.5, 6.0, lone) == pytest.approx(3.0)


@pytest.mark.parametrize("hours", [24.0, 30.0, 1000.0])
def test_a_day_or_more_changes_nothing(hours: float) -> None:
    assert share_within_day(0.6, hours, 3.0, OFFICE) == 0.6
    for curve, peak in ((OFFICE, 4.0), (load_curve_from_peak(3.0), 3.0)):
        burst = float(burst_from_peak(peak, curve))
        usual, other = (size_autoscaled_fleet(7.0, 1.0, curve, burst=burst, can_wait=0.6, **more) for more in (
            {}, {"waits_hours": hours}))
        assert usual == other


@given(CURVES, st.floats(0.0, 1.0), st.floats(1.0, 3.0))
def test_just_below_a_day_the_fleet_is_that_of_a_day(curve: np.ndarray, can_wait: float, burst: float) -> None:
    peak = burst * float(curve.max())
    assert held(can_wait, 24.0 - 1e-9, peak, curve) == pytest.approx(float(demand_to_hold(peak, 1.0, can_wait)), rel=1e-6)
    for c in (0.3, 0.9, 1.0, 1.7):
        now = spill_share(curve, burst, c, share_within_day(can_wait, 24.0 - 1e-9, peak, curve))
        assert now == pytest.approx(spill_share(curve, burst, c, can_wait), abs=1e-6)


@given(CURVES, st.floats(0.0, 1.0), st.floats(1.0, 3.0))
def test_without_time_nothing_waits(curve: np.ndarray, can_wait: float, burst: float) -> None:
    peak = burst * float(curve.max())
    assert held(can_wait, 1e-9, peak, curve) == pytest.approx(peak, rel=1e-6)
    hourly, at_once = (size_autoscaled_fleet(1e4, 1.0, curve, burst=burst, can_wait=w, waits_hours=1e-9, spares=0.0,
                                             replicas_minimum=0.0).gpus for w in (can_wait, 0.0))
    assert hourly == pytest.approx(at_once, rel=1e-3)


@given(CURVES, st.floats(0.0, 1.0), st.floats(1.0, 3.0), st.floats(0.01, 30.0), st.floats(0.0, 10.0))
def test_more_time_never_needs_more(curve: np.ndarray, can_wait: float, burst: float, hours: float, more: float) -> None:
    peak = burst * float(curve.max())
    short, long = (held(can_wait, h, peak, curve) for h in (hours, hours + more))
    assert long <= short * (1 + 1e-9)
    assert long >= 1.0 - 1e-9
    assert short <= peak * (1 + 1e-9)


def test_it_is_the_same_for_many_draws_as_for_each() -> None:
    peak, waits = np.array([[3.0], [4.0], [6.0]]), np.array([[0.2], [0.7], [1.0]])
    together = np.asarray(share_within_day(waits, 5.0, peak, OFFICE))
    assert together.shape == (3, 1)
    assert together.ravel() == pytest.approx([share_within_day(float(w), 5.0, float(p), OFFICE)
                                              for p, w in zip(peak[:, 0], waits[:, 0], strict=True)])


def test_each_hours_work_is_spread_over_the_hours_that_it_may_take() -> None:
    """3 an hour for eight: with two hours 1.5 first and after them; with 2.5: 1.2, 2.4, 3, ... and 1.8, 0.6 after."""
    assert smoothed(OFFICE, 1.0).tolist() == OFFICE.tolist()
    assert smoothed(OFFICE, 2.0)[7:18].tolist() == [0.0, 1.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.5, 0.0]
    assert smoothed(OFFICE, 2.5)[8:18] == pytest.approx([1.2, 2.4, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.8, 0.6])
    assert smoothed(OFFICE, 24.0) == pytest.approx(np.ones(24))


def test_a_queue_is_worked_off_as_often_as_its_deadline_asks() -> None:
    """10/s in the mean, 10 a replica, three busy ones for the hours at 3 x: a third of the day in all, and three starts of
    0.48 hours: 3 x 0.02 of a day. By whole hours each start's 2.67 + 0.48 become 4: half of the day.
    """
    found = size_queue_fleet(10.0, 10.0, startup_s=1728.0, spares=0.0, load_curve=OFFICE, waits_hours=8.0)
    assert found.gpus == pytest.approx(3 * (1 / 3 + 0.06))
    billed = size_queue_fleet(10.0, 10.0, startup_s=1728.0, spares=0.0, load_curve=OFFICE, waits_hours=8.0, billed_s=3600.0)
    assert billed.gpus == pytest.approx(3 * 0.5)
    assert size_queue_fleet(10.0, 10.0, startup_s=1728.0, spares=0.0) == size_queue_fleet(
        10.0, 10.0, startup_s=1728.0, spares=0.0, load_curve=OFFICE, waits_hours=24.0)


def test_a_fleet_of_that_size_keeps_every_deadline_hour_by_hour() -> None:
    """Waiting work first come, first served, by what is left of a constant fleet, for five days of random hours: none late."""
    rng = np.random.default_rng(7)
    for _ in range(40):
        curve = rng.gamma(0.5, 1.0, 24)
        curve, waits, hours = curve / curve.mean(), rng.uniform(0.2, 1.0), int(rng.integers(1, 20))
        c = held(waits, float(hours), float(curve.max()), curve)
        queue: list[list[float]] = []
        late = 0.0
        for hour in range(120):
            queue.append([float(hour), waits * curve[hour % 24]])
            left = c - (1.0 - waits) * curve[hour % 24]
            for item in queue:
                done = min(left, item[1])
                left, item[1] = left - done, item[1] - done
            queue = [item for item in queue if item[1] > 1e-9]
            late = max(late, *(hour - item[0] - hours for item in queue), 0.0) if queue else late
        assert late == 0.0


DEADLINES = (0.01, 0.3, 1.0, 1.7, 2.0, 3.5, 5.0, 8.0, 9.0, 12.0, 17.0, 23.9, 24.0, 48.0)


@pytest.mark.full
@example(np.array([0.0] * 19 + [8.0, 0.0, 0.0, 0.0, 16.0]), 0.0, 1.0, 1.0, 1.0, 0, 0.0, 1.0, False, 1.0)
@settings(max_examples=25)
@given(CURVES, st.floats(0.0, 1.0), st.floats(1.0, 3.0), st.floats(0.05, 60.0), st.floats(1.0, 1.5), st.integers(0, 2),
       st.sampled_from([0.0, 600.0, 9000.0]), st.sampled_from([0.0, 1.0, 4.0, 24.0]), st.booleans(),
       st.sampled_from([1.0, 4.0]))
def test_a_longer_deadline_never_takes_more_gpus_nor_following_the_hours_more_than_all_day(
    curve: np.ndarray, can_wait: float, burst: float, mean: float, pooling: float, spares: int, startup_s: float, billed: float,
    to_none: bool, instance: float,
) -> None:
    """A plan that answers within two hours answers within twelve; and one for all day is one that follows the hours."""
    rules = {"pooling": pooling, "spares": float(spares), "gpus_per_instance": instance}
    loads, peak = np.array([mean, mean * 1.3]), burst * float(curve.max())
    hourly, queue, all_day = [], [], []
    for hours in DEADLINES:
        more = {**rules, "startup_s": startup_s, "billed_s": billed * 3600.0, "load_curve": curve, "waits_hours": hours}
        hourly.append(size_autoscaled_fleet(loads, 1.0, burst=burst, can_wait=can_wait, to_none=to_none, **more).gpus)
        queue.append(size_queue_fleet(loads, 1.0, **more).gpus)
        waits = share_within_day(can_wait, hours, peak, curve)
        all_day.append(size_fleet(loads * peak, loads, 1.0, can_wait=waits, **rules).gpus)
    for fleets in (hourly, queue):
        assert np.all(np.diff(np.array(fleets), axis=0) <= 1e-9 * np.array(fleets)[:-1])
    assert np.all(np.array(hourly) <= np.array(all_day) * (1 + 1e-9))


def test_of_many_draws_each_takes_what_it_takes_alone() -> None:
    """Where nothing takes less than the floor no way of waiting is tried, nor one that is above another at every load."""
    rng = np.random.default_rng(9)
    curve = load_curve_from_peak(3.0)
    for waits, hours, spares, least, instance, to_none in (
        (0.5, 24.0, 1, 2, 1.0, False), (1.0, 12.0, 0, 1, 4.0, False), (0.35, 2.0, 2, 0, 1.0, False),
        (1.0, 9.0, 1, 1, 1.0, True),
    ):
        capacity, pooling = np.exp(rng.normal(size=(50, 1))), rng.uniform(1.0, 1.8, (50, 1))
        capacity[3] = 0.0
        mean = np.exp(rng.normal(size=(50, 1))) * np.linspace(1.0, 2.0, 24)
        rules = {"burst": 1.1, "can_wait": waits, "waits_hours": hours, "spares": spares, "replicas_minimum": least,
                 "gpus_per_instance": instance, "to_none": to_none}
        together = size_autoscaled_fleet(mean, capacity, curve, pooling=pooling, gpus_alone=True, **rules)
        alone = [size_autoscaled_fleet(m, c, curve, pooling=p, **rules).gpus
                 for m, c, p in zip(mean, capacity, pooling, strict=True)]
        assert np.asarray(together.gpus) == pytest.approx(np.array(alone))


def test_two_peaks_an_hour_apart_are_not_smeared_into_the_nights_replicas() -> None:
    """2 in one hour of four, 2/3 in the others: of 3/s, 6 and 2. All may wait two hours: each 6 over two hours and 2 over two
    are 4, 4, 2, 2 and so 12 for four hours, as 3 all day; half an hour ahead each holds the next's: 4, 4, 2, 4. A level of 3 is
    the least, and no longer deadline takes more.
    """
    curve = np.tile([2.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0], 6)
    for hours in (3.0, 4.0, 8.0, 12.0, 24.0):
        found = size_autoscaled_fleet(3.0, 1.0, curve, can_wait=1.0, waits_hours=hours, spares=0.0, startup_s=1800.0)
        assert found.gpus == pytest.approx(3.0)


def test_what_is_started_is_paid_for_whole_steps() -> None:
    """One all day and three for eight hours: 24 + 3 x 8 = 48 hours. In steps of six hours these three are paid for twelve, 60;
    of eight and four, which eight hours fill, still 48; of a day 4 x 24. Started an hour ahead, nine hours: three of four, 60.
    """
    curve = np.where(OFFICE > 0.0, 2.0, 0.5)
    for step, ahead, hours in ((0.0, 0.0, 48.0), (1.0, 0.0, 48.0), (6.0, 0.0, 60.0), (8.0, 0.0, 48.0), (4.0, 0.0, 48.0),
                               (24.0, 0.0, 96.0), (4.0, 600.0, 60.0), (1.0, 600.0, 51.0)):
        found = size_autoscaled_fleet(2.0, 1.0, curve, spares=0.0, startup_s=ahead, billed_s=step * 3600.0)
        assert found.gpus == pytest.approx(hours / 24), (step, ahead)
