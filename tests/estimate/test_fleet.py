"""Replicas, instances, GPUs and rent: figures by hand, whole numbers, and the load curve behind a hybrid."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.errors import ScenarioError
from roi.estimate.replay.fleet import (
    burst_from_peak,
    demand_to_hold,
    load_curve_from_peak,
    load_ratio,
    size_fleet,
    spill_share,
    valleys_filled,
)
from roi.estimate.replay.hourly_fleet import STARTS, _Hours, _with_starts, size_autoscaled_fleet, size_queue_fleet

FLAT = np.ones(24)
DAY_AND_NIGHT = np.repeat([1.5, 0.5], 12)


def test_replicas_are_whole_and_spares_come_on_top() -> None:
    """Peak 10/s, 3/s a replica, 1/4 kept free: 10 / 2.25 = 4.44 -> 5, + 1 spare = 6; mean use 4.5 / 18 = 1/4."""
    fleet = size_fleet(10.0, 4.5, 3.0, headroom=0.25)
    assert (fleet.replicas, fleet.gpus) == (6.0, 6.0)
    assert fleet.utilisation_mean == pytest.approx(0.25)
    assert fleet.utilisation_peak == pytest.approx(10 / 18)


@pytest.mark.parametrize(("peak", "capacity", "replicas"), [(0.3, 0.1, 3), (3 * 0.1, 0.1, 3), (0.7, 0.1, 7), (0.31, 0.1, 4)])
def test_float_error_rents_no_replica(peak: float, capacity: float, replicas: int) -> None:
    """3 x 0.1 / 0.1 = 3.0000000000000004 is three replicas; 3.1 is four."""
    assert size_fleet(peak, peak, capacity, spares=0.0).replicas == replicas


def test_what_can_wait_fills_the_valleys() -> None:
    """Peak 10, mean 5: half may wait -> max(5, 5) = 5 -> 5 replicas of 1/s; 0.2 -> 8; all -> still the mean, 5."""
    found = size_fleet(10.0, 5.0, 1.0, spares=0.0, can_wait=np.array([0.0, 0.2, 0.5, 1.0])).replicas
    assert found.tolist() == [10.0, 8.0, 5.0, 5.0]  # type: ignore[union-attr]


def test_what_can_wait_moves_to_the_quietest_hours_of_a_day() -> None:
    """Of 4 + 2 + 1 + 1 a quarter waits: 3 + 1.5 + 0.75 + 0.75, and 2 fill the last three to 5 / 3; of all, each has a mean."""
    day = np.array([1.0, 4.0, 2.0, 1.0])
    assert valleys_filled(day, 0.25) == pytest.approx([5 / 3, 3, 5 / 3, 5 / 3])
    assert valleys_filled(day, 0.0) == pytest.approx(day)
    assert valleys_filled(day, 1.0) == pytest.approx([2, 2, 2, 2])
    for share in (0.1, 0.4, 0.7):
        filled = valleys_filled(day, share)
        assert np.sum(filled) == pytest.approx(8)
        assert np.max(filled) == pytest.approx(demand_to_hold(4.0, 2.0, share))


def test_instances_are_whole_and_hold_whole_replicas() -> None:
    """5 replicas of 3 GPUs in instances of 8: 2 fit in one, so 3 instances, 24 GPUs, though 15 would do."""
    fleet = size_fleet(5.0, 5.0, 1.0, spares=0.0, gpus_per_replica=3.0, gpus_per_instance=8.0)
    assert (fleet.instances, fleet.gpus) == (3.0, 24.0)


def test_a_replica_larger_than_an_instance_needs_the_flag() -> None:
    """16 GPUs a replica, 8 an instance: an error, or 2 instances each: 3 x 2 x 8 = 48 GPUs."""
    sizes: dict[str, Any] = {"gpus_per_replica": 16.0, "gpus_per_instance": 8.0, "spares": 0.0}
    with pytest.raises(ScenarioError, match=r"gpus_per_replica: 16\.0 is not usable; at most 8 GPUs"):
        size_fleet(3.0, 3.0, 1.0, **sizes)
    assert size_fleet(3.0, 3.0, 1.0, across_instances=True, **sizes).gpus == 48.0


def test_halving_the_load_at_fixed_replicas_changes_no_gpu_that_is_paid_for() -> None:
    """10 -> 9.5/s at 3/s a replica: 4 replicas, and as many GPUs, both times; use falls, what is rented does not.

    Half of it, 5/s, is two replicas, unless a minimum of four stands: then the GPUs are the same and use is halved.
    """
    full, less, half = (size_fleet(peak, peak / 2, 3.0, spares=0.0, replicas_minimum=4.0) for peak in (10.0, 9.5, 5.0))
    assert full.gpus == less.gpus == half.gpus == 4.0
    assert half.utilisation_mean == pytest.approx(full.utilisation_mean / 2)


def test_no_capacity_is_an_endless_fleet_and_no_load_is_the_minimum() -> None:
    assert size_fleet(1.0, 1.0, 0.0).replicas == np.inf
    idle = size_fleet(0.0, 0.0, 2.0, replicas_minimum=2.0)
    assert (idle.replicas, idle.utilisation_mean) == (2.0, 0.0)


@given(
    load=st.floats(0, 1e4), more=st.floats(1, 10), capacity=st.floats(0.01, 100), can_wait=st.floats(0, 1),
    headroom=st.floats(0, 0.9), gpus=st.sampled_from([1.0, 2.0, 4.0, 8.0]),
)
def test_more_load_never_lowers_the_fleet_and_the_fleet_holds_it(
    load: float, more: float, capacity: float, can_wait: float, headroom: float, gpus: float,
) -> None:
    rules: dict[str, Any] = {"can_wait": can_wait, "headroom": headroom, "gpus_per_replica": gpus, "gpus_per_instance": 8.0}
    small, large = (size_fleet(x, x / 2, capacity, **rules) for x in (load, load * more))
    assert large.replicas >= small.replicas
    assert large.gpus >= small.gpus
    assert large.utilisation_peak <= 1.0 - headroom + 1e-9


def test_draws_and_months_at_once_equal_each_alone() -> None:
    """2 draws x 3 months of demand, a capacity for each draw."""
    peak, capacity = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([[0.7], [1.3]])
    many, followed = size_fleet(peak, peak / 2, capacity), size_autoscaled_fleet(peak / 2, capacity, DAY_AND_NIGHT, burst=1.3)
    for i in range(2):
        for j in range(3):
            one = size_fleet(peak[i, j], peak[i, j] / 2, capacity[i, 0])
            hourly = size_autoscaled_fleet(peak[i, j] / 2, capacity[i, 0], DAY_AND_NIGHT, burst=1.3)
            for name in vars(one):
                for all_of_them, alone in ((many, one), (followed, hourly)):
                    assert np.broadcast_to(getattr(all_of_them, name), peak.shape)[i, j] == getattr(alone, name), name


def test_autoscaling_holds_the_next_hour_where_starting_takes_time() -> None:
    """Mean 4/s: 6/s for 12 hours, 2/s for 12, 1/s a replica, no spare: (12 x 6 + 12 x 2) / 24 = 4 replicas.

    With a start of 10 minutes the hour before the day holds 6 too: (13 x 6 + 11 x 2) / 24 = 4.1667; 2 hours: 4.3333.
    """
    for startup_s, replicas in ((0.0, 4.0), (600.0, 100 / 24), (7200.0, 104 / 24)):
        fleet = size_autoscaled_fleet(4.0, 1.0, DAY_AND_NIGHT, startup_s=startup_s, spares=0.0)
        assert fleet.replicas == pytest.approx(replicas)
    assert size_autoscaled_fleet(4.0, 1.0, DAY_AND_NIGHT, startup_s=0.0, spares=0.0).utilisation_peak == pytest.approx(1.0)


def test_autoscaling_keeps_its_floor_and_a_flat_day_is_the_fixed_fleet() -> None:
    """Floor 3: (12 x 6 + 12 x 3) / 24 = 4.5."""
    floor = size_autoscaled_fleet(4.0, 1.0, DAY_AND_NIGHT, startup_s=0.0, spares=0.0, replicas_minimum=3.0)
    assert floor.replicas == 4.5
    assert size_autoscaled_fleet(4.0, 1.0, FLAT) == size_fleet(4.0, 4.0, 1.0)


def test_spill_by_hand() -> None:
    """Hours at 1.5 and 0.5 of the mean, floor 1.0: half the hours spill 0.5, so 0.25 of the requests.

    With burst 2 the day arrives at 3 for half the time: (3 - 1) / 2 = 1 of 1.5; at night 1 - 1 = 0. Mean 0.5.
    """
    assert spill_share(DAY_AND_NIGHT, 1.0, 1.0) == pytest.approx(0.25)
    assert spill_share(DAY_AND_NIGHT, 2.0, 1.0) == pytest.approx(0.5)


def test_what_can_wait_spills_only_where_the_day_is_short() -> None:
    """Hours at 1.5 and 0.5 of the mean. All can wait: a floor of the mean spills nothing, one of 0.75 a quarter.

    Half can wait: at once come 0.75 and 0.25. A floor of 0.5 spills half of 0.25 of them, 0.125, but a day holds no more
    than 0.5, so 0.5 spills. Bursts of 4, at once up to 3 for a quarter of the time: a floor of 1 spills (3 - 1) / 4 of the
    day hours and none at night, 0.25; the demand to hold is max(0.5 x 1.5 x 4, 1) = 3, and a floor of 3 spills nothing.
    """
    assert spill_share(DAY_AND_NIGHT, 1.0, np.array([1.0, 0.75, 0.0]), 1.0).tolist() == [0.0, 0.25, 1.0]  # type: ignore[union-attr]
    assert spill_share(DAY_AND_NIGHT, 1.0, 0.5, 0.5) == pytest.approx(0.5)
    assert spill_share(DAY_AND_NIGHT, 4.0, np.array([1.0, 3.0]), 0.5) == pytest.approx([0.25, 0.0])


@given(peak=st.floats(1, 50), burst=st.floats(1, 5), floor=st.floats(0, 100), wait=st.floats(0, 1))
def test_a_floor_that_holds_the_demand_of_a_fixed_fleet_spills_nothing(
    peak: float, burst: float, floor: float, wait: float,
) -> None:
    """And more that can wait never spills more."""
    curve = load_curve_from_peak(peak)
    demand = float(demand_to_hold(float(np.max(curve)) * burst, 1.0, wait))
    assert spill_share(curve, burst, demand * (1 + 1e-12), wait) == pytest.approx(0.0, abs=1e-12)
    assert spill_share(curve, burst, floor, wait) <= spill_share(curve, burst, floor) + 1e-12


@given(peak=st.floats(1, 50), burst=st.floats(1, 5), floor=st.floats(0, 100))
def test_served_and_spilled_are_everything(peak: float, burst: float, floor: float) -> None:
    """Served: the lesser of traffic and floor while it arrives. Nothing spills where the floor holds the peak."""
    curve = load_curve_from_peak(peak)
    served = np.mean(np.minimum(curve * burst, floor) / burst)
    spilled = spill_share(curve, burst, floor)
    assert served + spilled == pytest.approx(1.0)
    assert spill_share(curve, burst, 0.0) == pytest.approx(1.0)
    assert spill_share(curve, burst, np.max(curve) * burst) == pytest.approx(0.0, abs=1e-15)
    assert spill_share(curve, burst, floor + 1.0) <= spilled


@given(peak=st.floats(1, 100))
def test_a_day_made_from_its_peak_has_mean_one_and_reaches_the_peak_with_its_burst(peak: float) -> None:
    curve = load_curve_from_peak(peak)
    assert curve.shape == (24,)
    assert np.mean(curve) == pytest.approx(1.0)
    assert np.max(curve) <= peak * (1 + 1e-6)
    assert np.max(curve) * burst_from_peak(peak, curve) == pytest.approx(peak, rel=1e-6)


def test_a_flat_day_is_flat_and_a_range_of_e_peaks_at_its_mean_by_hand() -> None:
    """ln q = 1: peak / mean = 1 / (1 - 1/e) = 1.5820; the busiest 24th: 24 x (1 - e^(-1/24)) x 1.5820 = 1.5495."""
    assert np.all(load_curve_from_peak(1.0) == 1.0)
    peak = 1 / (1 - np.exp(-1.0))
    assert np.max(load_curve_from_peak(peak)) == pytest.approx(24 * (1 - np.exp(-1 / 24)) * peak)


def test_days_of_many_draws_come_at_once() -> None:
    peaks = np.array([[1.5, 2.0], [3.0, 4.0]])
    many = load_curve_from_peak(peaks)
    assert many.shape == (2, 2, 24)
    assert many[1, 0] == pytest.approx(load_curve_from_peak(3.0))


def test_a_queue_is_worked_off_by_as_many_as_its_mean_needs_and_they_start_once() -> None:
    """2 requests/s of which one replica holds 8: 6 hours a day, and half an hour to start, of one GPU: 6.5 / 24.

    9 requests/s are 1.125 replicas: two for 13.5 hours and the half, 28 of 48 GPU-hours.
    """
    one = size_queue_fleet(2.0, 8.0, startup_s=1800.0, spares=0.0)
    assert (one.replicas, one.gpus) == (pytest.approx(6.5 / 24), pytest.approx(6.5 / 24))
    assert one.utilisation_mean == one.utilisation_peak == pytest.approx(0.25 / (6.5 / 24))
    two = size_queue_fleet(9.0, 8.0, startup_s=1800.0, spares=0.0)
    assert two.gpus == pytest.approx(2 * 14.0 / 24)


def test_a_spare_of_a_queue_idles_as_short_as_is_cheapest() -> None:
    """27 hours of one replica, half an hour to start: two and a spare 3 x 14 = 42 hours; 7 = sqrt(27 / 0.5) and one 8 x 4.36 =
    34.86, which no other number beats. By whole hours: 27 / 3.5 is 8 and one for four, 36, 27 / 4.5 is 6 and one for five.

    Without time to start a minute counts: 40 and a spare, 41 x (27 / 40 + 1 / 60). More work never takes less.
    """
    rules = {"spares": 1.0, "startup_s": 1800.0}
    each = [(b + 1) * (27.0 / b + 0.5) for b in range(1, 40)]
    assert size_queue_fleet(9.0, 8.0, **rules).gpus == pytest.approx(min(each) / 24)
    assert min(each) == pytest.approx(34.857, abs=1e-3)
    assert size_queue_fleet(9.0, 8.0, billed_s=3600.0, **rules).gpus == pytest.approx(35.0 / 24)
    assert size_queue_fleet(9.0, 8.0, spares=1.0, startup_s=0.0).gpus * 24 == pytest.approx(41 * (27 / 40 + 1 / 60), rel=1e-3)
    for billed, pooling in ((0.0, 1.0), (0.0, 1.4), (900.0, 1.0), (3600.0, 1.4)):
        gpus = size_queue_fleet(np.geomspace(1e-3, 3e4, 4000), 8.0, billed_s=billed, pooling=pooling, **rules).gpus
        assert np.all(np.diff(gpus) >= -1e-9 * gpus[1:])  # type: ignore[index]


def test_a_queue_is_worked_off_by_all_that_a_paid_instance_holds() -> None:
    """6 requests/s of which one replica of 2 GPUs holds 8 take it 18 hours; an instance of 4 GPUs holds two, which take 9.

    With the half hour 9.5 hours of 4 GPUs. With a spare four instances are the cheapest: seven work, 18 / 7 hours and the half.
    18 requests/s take three, so two instances and four replicas: 13.5 hours and the half of 8 GPUs, no less than for 16, which
    fill one instance all day.
    """
    rules = {"startup_s": 1800.0, "gpus_per_replica": 2.0, "gpus_per_instance": 4.0}
    assert size_queue_fleet(6.0, 8.0, spares=0.0, **rules).gpus == pytest.approx(4 * 9.5 / 24)
    assert size_queue_fleet(6.0, 8.0, spares=1.0, **rules).gpus == pytest.approx(16 * (18 / 7 + 0.5) / 24)
    assert size_queue_fleet(18.0, 8.0, spares=0.0, **rules).gpus == pytest.approx(8 * 14.0 / 24)
    gpus = size_queue_fleet(np.linspace(0.1, 100.0, 400), 8.0, spares=0.0, **rules).gpus
    assert np.all(np.diff(gpus) >= -1e-12)


def test_a_queue_of_a_little_work_takes_a_little_time_however_much_replicas_share_bursts() -> None:
    """0.08 requests/s of which one replica alone holds 8: a hundredth of the day; what four share concerns no replica alone.

    13 requests/s take two, which hold 16 x (2 - 1 / sqrt(2)) = 20.69 where pooling is 1.5: 0.628 of the day.
    """
    assert size_queue_fleet(0.08, 8.0, startup_s=0.0, spares=0.0, pooling=1.5).gpus == pytest.approx(0.01)
    two = size_queue_fleet(13.0, 8.0, startup_s=0.0, spares=0.0, pooling=1.5)
    assert two.gpus == pytest.approx(2 * 13.0 / (16.0 * (2.0 - 1.0 / 2.0**0.5)))


def test_a_queue_never_takes_more_than_the_day_and_none_where_nothing_is_asked() -> None:
    """7.9 of 8 requests/s are 23.7 hours: with a start of an hour the whole day, as a fleet that always exists."""
    assert size_queue_fleet(7.9, 8.0, startup_s=3600.0, spares=0.0).gpus == 1.0
    assert size_queue_fleet(0.0, 8.0, startup_s=3600.0, spares=1.0).gpus == 0.0


@pytest.mark.parametrize("pooling", [1.0, 1.4])
def test_a_queue_costs_no_more_than_the_fixed_fleet_that_waits_and_each_element_is_as_alone(pooling: float) -> None:
    loads = np.array([0.01, 0.5, 3.9, 8.0, 25.0, 100.0])
    rules = {"headroom": 0.2, "spares": 1.0, "pooling": pooling}
    queue = size_queue_fleet(loads, 8.0, startup_s=900.0, gpus_per_replica=2.0, gpus_per_instance=4.0, **rules)
    fixed = size_fleet(3 * loads, loads, 8.0, can_wait=1.0, gpus_per_replica=2.0, gpus_per_instance=4.0, **rules)
    assert np.all(queue.gpus <= fixed.gpus)
    alone = [size_queue_fleet(x, 8.0, startup_s=900.0, gpus_per_replica=2.0, gpus_per_instance=4.0, **rules) for x in loads]
    for name in ("replicas", "instances", "gpus", "utilisation_mean", "utilisation_peak"):
        assert getattr(queue, name) == pytest.approx([getattr(each, name) for each in alone])


def test_a_fleet_of_nothing_is_as_full_as_what_it_is_asked_for() -> None:
    """No capacity: full beyond measure where anything is asked, empty where nothing is."""
    assert load_ratio(np.array([0.0, 3.0, 3.0]), np.array([0.0, 0.0, 2.0])).tolist() == [0.0, np.inf, 1.5]


def test_what_can_wait_fills_the_hours_that_replicas_have_and_takes_more_only_where_the_day_is_short() -> None:
    """Mean 4/s, 6 by day and 2 by night, with a burst of 2 12 and 4: 192 hours of replicas at once. Half waits: 96, which the
    work fills; all but an eighth waits: 24 are there, and the day's work takes 96. 4.1/s are 98.4: four all day and one for 2.4
    hours, three, and the hour that it starts in.
    """
    rules = {"burst": 2.0, "spares": 0.0, "startup_s": 0.0}
    for share, hours in ((0.0, 192.0), (0.5, 96.0), (0.25, 144.0), (0.875, 96.0), (1.0, 96.0)):
        assert size_autoscaled_fleet(4.0, 1.0, DAY_AND_NIGHT, can_wait=share, **rules).gpus == pytest.approx(hours / 24)
    for spares in (0.0, 1.0):
        late = {**rules, "spares": spares, "startup_s": 600.0, "can_wait": 0.875}
        assert size_autoscaled_fleet(4.1, 1.0, DAY_AND_NIGHT, **late).gpus == pytest.approx((96 + 3 + 1) / 24 + spares)


def test_work_that_one_replica_holds_takes_its_hours_however_much_replicas_share_bursts() -> None:
    """A tenth of a day's capacity by day, all of which waits: 2.4 hours, billed as three. Pooling is of two and more."""
    for pooling in (1.0, 1.5):
        waiting = size_autoscaled_fleet(0.1, 1.0, DAY_AND_NIGHT, can_wait=1.0, startup_s=0.0, spares=0.0, pooling=pooling,
                                        replicas_minimum=0.0, to_none=True)
        assert waiting.gpus == pytest.approx(3 / 24)


SHARES = np.linspace(0.0, 1.0, 201)


@pytest.mark.full
@given(
    curve=st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), min_size=24, max_size=24).filter(lambda x: sum(x) > 1.0),
    mean=st.floats(0.01, 60.0), burst=st.floats(1.0, 4.0), pooling=st.floats(1.0, 1.6), spares=st.integers(0, 3),
    instance=st.sampled_from([1.0, 3.0]), startup_s=st.sampled_from([0.0, 600.0, 9000.0]), to_none=st.booleans(),
    waits=st.sampled_from([0.4, 5.5, 24.0, 72.0]), billed=st.sampled_from([0.0, 2.0, 8.0, 24.0]),
)
def test_more_work_that_can_wait_never_takes_more_gpus(
    curve: list[float], mean: float, burst: float, pooling: float, spares: int, instance: float, startup_s: float,
    to_none: bool, waits: float, billed: float,
) -> None:
    """Nor does more load at any share; and where all waits, as a queue or by the hour, whichever is less."""
    day = np.array(curve) / np.mean(curve)
    rules: dict[str, Any] = {"startup_s": startup_s, "spares": float(spares), "gpus_per_instance": instance, "pooling": pooling,
                             "waits_hours": waits, "billed_s": billed * 3600.0}
    hourly = {**rules, "burst": burst, "to_none": to_none, "replicas_minimum": float(spares) + (not to_none)}
    gpus = np.asarray(size_autoscaled_fleet(mean + 0.0 * SHARES, 1.0, day, can_wait=SHARES, **hourly).gpus)
    assert np.all(np.diff(gpus) <= EXACT * gpus[:-1])
    queue = float(size_queue_fleet(mean, 1.0, load_curve=day, **rules).gpus)
    assert min(queue, gpus[-1]) <= gpus[-2] * (1.0 + EXACT)
    loads = mean * np.geomspace(0.5, 2.0, 101)
    for share in (0.3, 0.95, 1.0):
        more = np.asarray(size_autoscaled_fleet(loads, 1.0, day, can_wait=share, **hourly).gpus)
        assert np.all(np.diff(more) >= -EXACT * more[1:])


EXACT = 1e-9


@pytest.mark.parametrize("floor", [0.0, 1.0])
def test_being_allowed_to_wait_takes_no_more_gpus(floor: float) -> None:
    """What waits is spread over the day, which would keep replicas in hours that are empty otherwise: then it does not wait."""
    curve = np.where(np.arange(24) % 24 >= 14, 2.4, 0.0)  # ten hours of calls
    for wait in (0.2, 0.5, 0.9, 1.0):
        for mean in (0.05, 3.0, 40.0):
            common = {"startup_s": 600.0, "replicas_minimum": floor, "spares": 1.0, "to_none": floor == 0.0}
            waits, at_once = (size_autoscaled_fleet(mean, 1.0, curve, can_wait=share, **common) for share in (wait, 0.0))
            assert waits.gpus <= at_once.gpus
    small = size_autoscaled_fleet(0.05, 1.0, curve, can_wait=0.5, startup_s=600.0, replicas_minimum=1.0, to_none=True)
    assert small.gpus == pytest.approx(2.0 * 11 / 24)  # a replica and its spare for ten hours, started one ahead


def test_no_day_takes_fewer_instances_than_the_bound_that_spares_counting_it_hour_by_hour() -> None:
    """What is skipped as no better must be no better: 300 random fleets, in a draw and in forty, with and without spares."""
    rng = np.random.default_rng(11)
    for _ in range(300):
        n = int(rng.choice([1, 40]))
        curve = rng.choice([0.0, 0.3, 1.0, 2.5], (n, 24) if rng.random() < 0.5 else 24)
        takes = float(rng.choice([1, 2]))
        hours = _Hours(
            rng.uniform(0.01, 9.0, (n, 1)), *(np.array([x]) for x in (
                float(rng.integers(0, 3)), float(rng.integers(0, 4)), float(rng.uniform(1.0, 1.3)), takes,
                takes * float(rng.choice([1, 4])))),
            step=int(rng.choice([1, 1, 4])), first=0, to_none=bool(rng.random() < 0.5))
        held = _with_starts(curve, int(rng.integers(0, 3)))
        paid, fewest = np.broadcast_arrays(hours.paid(held), hours.fewest(held))
        assert np.all(fewest <= paid + 1e-12)
        one_by_one = np.mean([hours.serving(held[..., h : h + 1])[1][..., 0] for h in range(24)], axis=0)
        if hours.step == 1:
            assert paid == pytest.approx(one_by_one, rel=1e-12)


def test_days_that_are_left_out_in_draws_take_no_less_than_those_that_are_tried() -> None:
    """Forty draws of burst, share that waits and load, 60 times: each draw of all alone takes what it takes among the others.

    Alone, its burst is no array, and other days are left out than of many draws.
    """
    rng = np.random.default_rng(5)
    for _ in range(60):
        curve = rng.choice([0.0, 0.3, 1.0, 2.5], 24)
        curve *= 24.0 / max(curve.sum(), 0.1)
        rules = {"startup_s": float(rng.choice([30.0, 600.0, 5400.0])), "spares": float(rng.integers(0, 3)),
                 "to_none": bool(rng.random() < 0.5), "waits_hours": float(rng.choice([0.5, 2.0, 8.0, 24.0])),
                 "gpus_alone": True, "replicas_minimum": 0.0}
        mean, burst, pooling = rng.uniform(0.05, 9.0, (40, 3)), rng.uniform(1.0, 2.0, (40, 1)), rng.uniform(1.0, 1.4, (40, 1))
        waits = 1.0 if rng.random() < 0.5 else rng.uniform(0.0, 1.0, (40, 1))
        found = size_autoscaled_fleet(mean, 1.0, curve, burst=burst, can_wait=waits, pooling=pooling, **rules).gpus
        for k in range(0, 40, 8):
            share = waits if isinstance(waits, float) else float(waits[k, 0])
            alone = size_autoscaled_fleet(mean[k], 1.0, curve, burst=float(burst[k, 0]), can_wait=share,
                                          pooling=float(pooling[k, 0]), **rules).gpus
            assert np.asarray(found)[k] == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("billed_s", [3600.0, 4 * 3600.0])
def test_more_starts_than_one_an_hour_that_is_billed_whole_take_no_less(billed_s: float, monkeypatch) -> None:
    """From 24 starts a day on each hour is billed anyway; each of STARTS tried alone takes no less than all of them."""
    curve = np.where(np.arange(24) < 8, 3.0, 0.0)
    rules = {"billed_s": billed_s, "spares": 1.0, "pooling": 1.3, "load_curve": curve, "waits_hours": 8.0}
    mean = np.geomspace(0.05, 40.0, 60)
    least = np.asarray(size_queue_fleet(mean, 1.0, **rules).gpus)
    alone = []
    for starts in STARTS[2:]:
        monkeypatch.setattr("roi.estimate.replay.hourly_fleet.STARTS", (starts,))
        alone.append(np.asarray(size_queue_fleet(mean, 1.0, **rules).gpus))
    assert least == pytest.approx(np.min(alone, axis=0), rel=1e-12)
