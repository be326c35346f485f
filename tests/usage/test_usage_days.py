"""Which days a log covers, and how its load lies in day and week."""

from dataclasses import replace

import numpy as np
import pytest

from roi.numerics.busiest import busiest_by_chance
from roi.usage.measure.aggregate import SUMS, Spend
from roi.usage.measure.days import HOUR_US, complete_days
from roi.usage.measure.pricing import day_of
from roi.usage.measure.scenario_part import _load
from roi.usage.measure.shape import OneDay, load_shape
from roi.usage.read.columns import DAY_US

MONDAY = 20_731
"""2026-10-05, a Monday, in days since 1970."""


def spend(day, first_us, last_us, kind="call", tokens=100):
    return Spend(
        day=day, kind=kind, source="x", provider="openai", model="m", batch=False, tier=None, size_class=0, long_context=False,
        costed=False, dropped=None, rows=1, requests=1, tokens=dict.fromkeys(SUMS, 0) | {"output": tokens}, cost_usd=0.0,
        first_us=first_us, last_us=last_us,
    )  # fmt: skip


def calls(first_us, last_us):
    """A log of calls from one moment to another, a sum a day."""
    days = range(first_us // DAY_US, last_us // DAY_US + 1)
    return [spend(day, max(first_us, day * DAY_US), min(last_us, (day + 1) * DAY_US - 1)) for day in days]


def test_a_log_of_calls_loses_the_days_that_it_does_not_cover_whole():
    """From Monday 05:10 to Thursday 23:30: Monday begins late; Thursday's last hour is there."""
    first, last = MONDAY * DAY_US + 5 * HOUR_US + HOUR_US // 6, (MONDAY + 3) * DAY_US + 23 * HOUR_US + HOUR_US // 2
    found = complete_days(calls(first, last))
    assert found is not None
    assert found.complete == (MONDAY + 1, MONDAY + 2, MONDAY + 3)
    assert found.left_out == ((MONDAY, "begins at 05:10"),)


def test_a_log_of_an_hour_covers_no_day():
    found = complete_days(calls(MONDAY * DAY_US + 18 * HOUR_US, MONDAY * DAY_US + 19 * HOUR_US))
    assert found is not None
    assert found.complete == ()
    assert found.left_out == ((MONDAY, "is covered from 18:00 to 19:00 alone"),)


def worked(days, *hours, every=10, off=()):
    """Times in minutes since 1970: a call each `every` minutes of the hours (of a day, from and to), on days from MONDAY on."""
    return np.array([day * 1440 + minute for day in range(MONDAY, MONDAY + days) if (day - MONDAY) % 7 not in off
                     for a, b in hours for minute in range(int(a * 60) + 3, int(b * 60), every)])


def summed(minutes):
    """The sums by day of calls at these minutes."""
    found = []
    for day in dict.fromkeys(minutes // 1440):
        own = minutes[minutes // 1440 == day] * 60_000_000
        found.append(replace(spend(int(day), int(own.min()), int(own.max())), rows=own.size, requests=own.size))
    return found


WEEKEND = (5, 6)
SERVICES = {
    "day and night": worked(28, (0, 24)), "a working day": worked(28, (8, 18), off=WEEKEND),
    "one that is a seventh of it on Saturdays": np.sort(np.append(
        worked(28, (8, 18), off=WEEKEND), worked(28, (10, 14), every=28, off=(0, 1, 2, 3, 4, 6)))),
    "a job by night": worked(28, (2, 2.4), every=1),
    "a job by night and a working day": worked(28, (2, 2.5), (8, 18), off=WEEKEND),
    "a working day in Auckland": worked(28, (0, 6), (20, 24), off=WEEKEND),
}


@pytest.mark.parametrize("service", [
    *list(SERVICES)[::2], *(pytest.param(each, marks=pytest.mark.full) for each in list(SERVICES)[1::2])])
def test_a_log_cut_at_any_moment_tells_the_mean_day_of_the_whole_one(service):
    """Every two hours of four weeks as a beginning, an end as many hours before the last: no day counts that lacks an hour.

    Where a day of each weekday is left, the mean day is the whole log's within 3%: an hour of ten on one working day in five,
    at both ends, would be 4%.
    """
    minutes = SERVICES[service]
    of_day, whole, told = {day: int(np.sum(minutes // 1440 == day)) for day in minutes // 1440}, minutes.size / 28, 0
    for cut in range(0, 12 * 1440, 115):
        for kept in (minutes[minutes >= MONDAY * 1440 + cut], minutes[minutes < (MONDAY + 28) * 1440 - cut],
                     minutes[(minutes >= MONDAY * 1440 + cut) & (minutes < (MONDAY + 28) * 1440 - cut)]):
            days = complete_days(summed(kept))
            there = {row.day: row.requests for row in summed(kept)}
            lacks = [of_day.get(day, 0) - there.get(day, 0) for day in days.complete]
            assert max(lacks) <= 6, (cut, day_of(days.first))
            if days.by_weekday:
                told += 1
                assert days.mean((day, calls) for day, calls in there.items()) == pytest.approx(whole, rel=0.03), cut
    assert told > 300


@pytest.mark.parametrize(("hours", "days", "cut", "left_out"), [
    (((8, 18),), 12, (0, 0), []), (((8, 18),), 12, (11.5, 0), ["begins at 11:33"]),
    (((8, 18),), 12, (0, 12), ["ends at 11:53"]),
    (((8, 18),), 2, (0, 0), []), (((8, 18),), 2, (12, 0), ["begins at 12:03"]), (((8, 18),), 2, (0, 12), ["ends at 11:53"]),
    (((8, 18),), 1, (0, 0), ["is covered from 08:03 to 17:53 alone"]), (((0, 24),), 1, (0, 0), []),
    (((2, 2.5),), 5, (0, 12), []), (((2, 2.5),), 5, (8, 0), []), (((0, 24),), 5, (0, 12), ["ends at 11:53"]),
])  # fmt: skip
def test_an_edge_is_whole_where_it_begins_and_ends_as_days_beside_it_do(hours, days, cut, left_out):
    """Weekends off. A job of the night is over when a log ends at noon; of one day alone nobody knows what is usual."""
    minutes = worked(days, *hours, off=WEEKEND)
    first, last = minutes[0] // 1440 * 1440 + cut[0] * 60, (minutes[-1] // 1440 + 1) * 1440 - cut[1] * 60
    found = complete_days(summed(minutes[(minutes >= first) & (minutes < last)]))
    assert [why for _, why in found.left_out] == left_out
    assert len(found.complete) == found.last - found.first + 1 - len(left_out)


def test_the_days_beside_an_edge_tell_and_not_those_of_years_ago():
    """A service that began in working hours and runs by night too for six weeks: one that ends at 18:00 is cut."""
    minutes = np.append(worked(100, (8, 18)), worked(42, (0, 24)) + 100 * 1440)
    found = complete_days(summed(minutes[minutes < minutes[-1] // 1440 * 1440 + 18 * 60]))
    assert found.left_out == ((MONDAY + 141, "ends at 17:53"),)
    assert found.lost == ((MONDAY + 141, pytest.approx(0.25, abs=0.01)),)


def test_a_mean_day_is_a_seventh_of_a_mean_week():
    """Two weeks of work from Monday to Friday: 10 days of 60 calls among 12 are 5 a week, 42.9 a day and not 50.

    Without a weekend nobody knows what it has: five days of 60 are 60; nor of which days a sum of a week is.
    """
    rows = summed(worked(12, (8, 18), off=WEEKEND))
    sums, days = [(row.day, row.requests) for row in rows], complete_days(rows)
    assert (len(days.complete), days.mean(sums)) == (12, pytest.approx(60 * 5 / 7))
    assert replace(days, spanned=True).mean(sums) == pytest.approx(50)
    assert complete_days(rows[:5]).mean(sums[:5]) == 60.0
    assert replace(days, complete=()).mean(sums) == 0


def test_a_quiet_day_inside_counts():
    """Nothing on Wednesday is a fact about Wednesday."""
    rows = [*calls(MONDAY * DAY_US, MONDAY * DAY_US + 86_399_000_000),
            *calls((MONDAY + 2) * DAY_US, (MONDAY + 2) * DAY_US + 86_399_000_000)]
    found = complete_days(rows)
    assert found is not None
    assert found.complete == (MONDAY, MONDAY + 1, MONDAY + 2)


def test_daily_buckets_count_whole_but_a_last_one_that_looks_cut():
    """Seven days of 1,000 tokens, then one of 300: below half of the smallest before it."""
    days = [spend(day, day * DAY_US, (day + 1) * DAY_US, "bucket", 1000) for day in range(MONDAY, MONDAY + 7)]
    whole = complete_days(days)
    assert whole is not None
    assert whole.complete == tuple(range(MONDAY, MONDAY + 7))
    found = complete_days([*days, spend(MONDAY + 7, (MONDAY + 7) * DAY_US, (MONDAY + 8) * DAY_US, "bucket", 300)])
    assert found is not None
    assert found.complete == whole.complete
    assert found.left_out == ((MONDAY + 7, "looks cut off: 30% of the smallest of the days before it"),)


def test_no_row_no_days():
    assert complete_days([]) is None
    assert complete_days([replace(spend(1, 1, 1), first_us=None)]) is None


def test_peak_over_mean_counts_quiet_minutes():
    """10 calls in minute 0, 2 in minute 3: mean of four minutes is 3, so the peak is 10 / 3."""
    shape = load_shape(np.array([0, 3]), np.array([10, 2]), ())
    assert shape is not None
    assert (shape.minutes, shape.calls_per_minute) == (4, 3.0)
    assert shape.minute_peak_to_mean == pytest.approx(10 / 3)
    assert shape.hourly_weights is None


def test_hours_and_weekdays_of_whole_days():
    """A week with 10,000 calls an hour, 20,000 from 12:00 to 13:00, and twice as many on Sunday.

    A weekday has 25 x 10,000 calls, Sunday 50: 200 in all, mean 200 / 7 a day; 12:00 has 2 x 8 of 200, another hour 8: so
    many that chance has no part in them. The busiest hour is Sunday's noon, 4, over 200 / 168.
    """
    minutes, counts = [], []
    for day in range(7):
        for hour in range(24):
            minutes.append((MONDAY + day) * 1440 + hour * 60)
            counts.append(10_000 * (2 if hour == 12 else 1) * (2 if day == 6 else 1))
    shape = load_shape(np.array(minutes), np.array(counts), range(MONDAY, MONDAY + 7))
    assert shape is not None
    assert shape.hourly_weights == pytest.approx([8 / 200] * 12 + [16 / 200] + [8 / 200] * 11, rel=2e-3)
    assert shape.weekday_weights == pytest.approx([25 * 7 / 200] * 6 + [50 * 7 / 200], rel=2e-3)
    assert shape.hour_peak_to_mean == pytest.approx(4 / (200 / 168))
    assert shape.minutes == 7 * 1440


def test_hours_without_a_call_have_none_where_chance_does_not_leave_them_out():
    """60 calls on each of four days, ten an hour of 24 on average, and none in 14; five calls in one tell nothing of 23."""
    minutes = worked(4, (8, 18))
    for at, hours in ((minutes, 14), (minutes[:5], 0)):
        shape = load_shape(at, np.ones(at.size, dtype=np.int64), range(MONDAY, MONDAY + 4))
        assert shape is not None
        assert shape.hourly_weights is not None
        assert (shape.hourly_weights.count(0.0), sum(shape.hourly_weights)) == (hours, pytest.approx(1.0))


def test_where_calls_are_rare_no_minute_tells_of_a_peak():
    """One call a minute of every hour: the busiest minute is 60 times the mean by chance alone, the hour 1."""
    minutes = np.array([MONDAY * 1440 + 60 * hour for hour in range(24)])
    shape = load_shape(minutes, np.ones(24, dtype=np.int64), (MONDAY,))
    assert shape is not None
    assert shape.minute_peak_to_mean == pytest.approx(60.0)
    assert shape.peak_to_mean == pytest.approx(1.0)


@pytest.mark.parametrize("complete", [(), (MONDAY - 1, MONDAY - 2)])
@pytest.mark.parametrize("minutes", [1, 3, 120, 300])
def test_no_part_of_a_day_tells_the_peak_over_a_mean_day(minutes, complete):
    """Ten calls a minute of 10:00 to 12:00 and none at any other hour are a peak of 12; the same all day long are one of 1.

    Nor do days that are whole where none of the calls is on them.
    """
    shape = load_shape(MONDAY * 1440 + 600 + np.arange(minutes), np.full(minutes, 10), complete)
    assert shape is not None
    assert (shape.minute_peak_to_mean, shape.peak_to_mean, shape.of_no_day) == (1.0, None, True)


def test_where_even_hours_have_less_than_a_call_no_peak_is_told():
    """150 calls in 59 days are 0.11 an hour: three of them in one hour would be a peak of 28, of chance alone."""
    minutes = MONDAY * 1440 + np.arange(148) * 570
    minutes, counts = np.append(minutes, minutes[-1] + 3), np.append(np.ones(148, dtype=np.int64), 2)
    shape = load_shape(minutes, counts, range(MONDAY, MONDAY + 59))
    assert shape is not None
    assert (shape.calls, shape.hour_peak_to_mean) == (150, pytest.approx(3 / (150 / 59 / 24), rel=1e-3))
    assert shape.peak_to_mean is None


@pytest.mark.parametrize(("a_day", "highest", "peak", "within"), [
    (300, 1.0, 1.0, 0.12), (3_000, 1.0, 1.0, 0.05), (60_000, 1.0, 1.0, 0.05), (3_000, 2.0, 2.0, 0.08), (60_000, 2.0, 2.0, 0.03),
])
def test_chance_is_no_part_of_the_peak(a_day, highest, peak, within):
    """Two weeks of calls that come at random around a rate that is even, or goes up to twice its mean: median of 15 logs.

    The busiest minute itself is 4.8 times the mean at 3,000 a day of an even rate, 1.7 at 60,000.
    """
    random, found = np.random.default_rng(7), []
    for _ in range(15):
        at = np.arange(14 * 1440)
        calls = random.poisson(a_day / 1440 * (1.0 + (highest - 1.0) * np.sin(at / 1440 * 2 * np.pi)))
        shape = load_shape(at[calls > 0] + MONDAY * 1440, calls[calls > 0], range(MONDAY, MONDAY + 14))
        assert shape is not None
        assert shape.peak_to_mean is not None
        found.append(shape.peak_to_mean)
    assert np.median(found) == pytest.approx(peak, rel=within)


@pytest.mark.parametrize(("an_hour", "drawn", "within"), [(42, True, 0.1), (420, True, 0.04), (120, False, 0.001)])
def test_the_hours_of_a_working_day_are_the_peak_of_a_week_without_weekends(an_hour, drawn, within):
    """Ten hours of five days a week: 168 / 50 = 3.36 times the mean, where the busiest hour of a mean day is 2.4.

    Median of 15 logs of four weeks that come at random, and of one with as many calls in each minute of work.
    """
    random, at = np.random.default_rng(11), np.arange(28 * 1440)
    busy, found = (at // 1440 % 7 < 5) & (at // 60 % 24 >= 8) & (at // 60 % 24 < 18), []
    for _ in range(15 if drawn else 1):
        calls = random.poisson(an_hour / 60 * busy) if drawn else an_hour // 60 * busy
        shape = load_shape(at[calls > 0] + MONDAY * 1440, calls[calls > 0], range(MONDAY, MONDAY + 28))
        assert shape is not None
        assert shape.peak_to_mean is not None
        found.append(shape.peak_to_mean)
    assert np.median(found) == pytest.approx(3.36, rel=within)


def test_the_peak_that_is_written_is_no_lower_than_the_busiest_hour_that_is():
    """Both are less what chance makes of them, each by itself: 2.647 and 2.659, which a scenario would refuse."""
    hours = np.repeat([0.03] * 8 + [0.2] * 8 + [0.03] * 8, 60)
    drawn = np.random.default_rng(8).poisson(np.tile(hours, 9))
    minutes = np.flatnonzero(drawn)
    shape = load_shape(minutes + MONDAY * 1440, drawn[minutes], range(MONDAY, MONDAY + 9))
    assert shape.peak_to_mean < 24 * max(shape.hourly_weights)
    written = dict(_load(shape, "a log"))
    assert written["peak_to_mean"]["value"] == pytest.approx(max(written["hourly_weights"]), rel=1e-4)


def test_a_burst_that_chance_does_not_explain_is_the_peak():
    """2 a minute and once 40 of them: 20 times the mean, of which chance takes less than one."""
    calls = np.full(1440, 2)
    calls[700] = 40
    shape = load_shape(np.arange(1440) + MONDAY * 1440, calls, (MONDAY,))
    assert shape is not None
    assert shape.minute_peak_to_mean == pytest.approx(40 / (2918 / 1440))
    assert shape.peak_to_mean == pytest.approx(shape.minute_peak_to_mean, rel=0.06)


def test_a_nightly_job_is_a_peak_however_few_calls_a_day_there_are():
    """500 calls at one minute of each day: 1,440 times the mean, although a mean minute has a third of a call."""
    shape = load_shape(np.array([(MONDAY + day) * 1440 + 120 for day in range(5)]), np.full(5, 500), range(MONDAY, MONDAY + 5))
    assert shape is not None
    assert shape.peak_to_mean == pytest.approx(1440.0, rel=0.01)


def test_the_day_that_makes_the_peak_is_told_with_the_peak_of_the_others():
    """2 calls a minute for 14 days, and on the 9th night 3,000 in one minute: the others have a mean and a peak of 2."""
    at, calls = np.arange(14 * 1440), np.full(14 * 1440, 2)
    calls[8 * 1440 + 120] = 3000
    shape = load_shape(at + MONDAY * 1440, calls, range(MONDAY, MONDAY + 14))
    assert shape is not None
    assert shape.peak_to_mean == pytest.approx(3000 / (2 + 2998 / 20_160), rel=0.01)
    assert shape.one_day == OneDay(day=MONDAY + 8, peak_to_mean=pytest.approx(1.0), others_per_day=2880.0, only_weekday=False)
    calls[3 * 1440 + 120] = 2600  # a second night: without the first the peak is lower by an eighth
    again = load_shape(at + MONDAY * 1440, calls, range(MONDAY, MONDAY + 14))
    assert again is not None
    assert again.one_day is None


def test_a_day_that_may_come_every_week_is_told_as_the_only_one_of_its_kind():
    """Seven days of 100 calls an hour, but 300 on Friday: without it no hour stands out."""
    at, counts = np.arange(7 * 24) * 60, np.full(7 * 24, 100)
    counts[4 * 24:5 * 24] = 300
    shape = load_shape(at + MONDAY * 1440, counts, range(MONDAY, MONDAY + 7))
    assert shape is not None
    assert shape.one_day is not None
    assert (shape.one_day.day, shape.one_day.only_weekday) == (MONDAY + 4, True)
    short = load_shape(at[72:120] + MONDAY * 1440, counts[72:120], range(MONDAY + 3, MONDAY + 5))
    assert short is not None
    assert short.one_day is None, "one other day does not show what is usual"


def test_where_the_other_days_have_too_few_calls_the_peak_without_the_day_is_not_known():
    """500 calls at once among 28 days of three calls each, which tell no peak by themselves."""
    at = np.sort(np.append(np.arange(84) * 480, 10 * 1440 + 7))
    shape = load_shape(at + MONDAY * 1440, np.where(at == 10 * 1440 + 7, 500, 1), range(MONDAY, MONDAY + 28))
    assert shape is not None
    assert shape.one_day == OneDay(day=MONDAY + 10, peak_to_mean=None, others_per_day=3.0, only_weekday=False)


@pytest.mark.parametrize("a_day", [100, 1_000])
def test_of_an_even_rate_weekdays_differ_by_less_than_chance_makes_them(a_day):
    """59 days drawn at an even rate, nine Mondays to Wednesdays and eight of the others: 40 logs.

    The means of weekdays differ by sqrt(6 / 7 / calls of a weekday): of 100 a day by 3.2%. Drawn together less than half is
    left, and seldom is there a day that makes the peak.
    """
    random, weights, raw, days = np.random.default_rng(11), [], [], np.arange(59 * 1440) // 1440
    told = 0
    for _ in range(40):
        calls = random.poisson(a_day / 1440, days.size)
        at = np.flatnonzero(calls)
        shape = load_shape(at + MONDAY * 1440, calls[at], range(MONDAY, MONDAY + 59))
        assert shape is not None
        assert shape.weekday_weights is not None
        weights.append(shape.weekday_weights)
        raw.append(np.bincount(days % 7, weights=calls) / np.bincount(np.arange(59) % 7) / (calls.sum() / 59))
        told += shape.one_day is not None
    assert np.std(raw) == pytest.approx((6 / 59 / a_day) ** 0.5, rel=0.2)
    assert np.std(weights) < 0.5 * np.std(raw)
    assert told <= 3


def test_a_weekday_without_a_whole_day_leaves_the_week_untold():
    """Seven whole days, two of them Mondays and none a Sunday: what Sundays have is not known."""
    whole = (*range(MONDAY, MONDAY + 6), MONDAY + 7)
    at = np.array([day * 1440 + 60 * hour for day in whole for hour in range(24)])
    shape = load_shape(at, np.full(at.size, 50), whole)
    assert shape is not None
    assert shape.weekday_weights is None


def test_what_chance_makes_of_the_busiest_is_what_drawn_logs_show():
    """The 95th percentile of the busiest minute of 400 drawn logs, an interval's rates being even or of two kinds."""
    random = np.random.default_rng(3)
    for rates, intervals in (([2.08], [20160]), ([500.0], [1440]), ([0.3, 4.0], [5000, 900])):
        drawn = [max(int(random.poisson(rate, count).max()) for rate, count in zip(rates, intervals, strict=True))
                 for _ in range(400)]
        assert busiest_by_chance(rates, intervals) == pytest.approx(np.quantile(drawn, 0.95), abs=1.0 + 0.01 * rates[0])
    assert busiest_by_chance([0.0], [10]) == 0
