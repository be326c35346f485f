"""Growth from weekly totals, against scipy's line and Student's t."""

import numpy as np
import pytest
from scipy import stats

from roi.scenario.quantity import PerYear
from roi.usage.measure.days import Days
from roi.usage.measure.growth import MOST_FALL, MOST_RISE, UNKNOWN_CHANGE, WEEKS_PER_YEAR, growth_told, mean_day, t95, trend

START = 20_000


def volume(weeks, per_week, noise=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return {START + d: 100.0 * per_week ** (d // 7) * np.exp(noise * rng.normal()) for d in range(7 * weeks)}


@pytest.mark.parametrize("freedom", [1, 2, 5, 10, 30, 31, 60, 200])
def test_t_is_scipys(freedom):
    assert t95(freedom) == pytest.approx(stats.t.ppf(0.95, freedom), abs=2e-3)


def test_a_clean_trend_is_found_exactly():
    """1% a week: e^(52.14 ln 1.01) - 1 = 68.0% a year, without scatter and so without an interval."""
    found = trend(volume(20, 1.01), range(START, START + 140))
    assert found is not None
    assert found.value == pytest.approx(1.01**WEEKS_PER_YEAR - 1, rel=1e-9)
    assert found.value == pytest.approx(0.680, abs=5e-4)
    assert found.low == pytest.approx(found.value) == found.high


def test_a_trend_is_reckoned_with_for_as_long_as_it_was_seen():
    """20 weeks of 1% go on for 20 more: 1.01^20 = 22.0% in three years, 1.01^(20/3) - 1 = 6.86% a year.

    The interval holds the trend stopping at once (0 a year) and going on for 40 weeks (14.2%), and the assumed change.
    """
    found = trend(volume(20, 1.01), range(START, START + 140))
    assert found is not None
    value, low, high = found.ahead
    assert value == pytest.approx(1.01 ** (20 / 3) - 1, rel=1e-9)
    part = 20 / 3 * np.log(1.01)
    assert np.log1p(high) == pytest.approx(part + np.hypot(part, UNKNOWN_CHANGE[1]))
    assert np.log1p(low) == pytest.approx(part - np.hypot(part, UNKNOWN_CHANGE[0]))


def test_three_years_of_a_trend_go_on_for_three_years():
    found = trend(volume(160, 1.002), range(START, START + 7 * 160))
    assert found is not None
    assert found.ahead[0] == pytest.approx(found.value)


def test_slope_and_interval_are_those_of_a_regression():
    """Residuals of this seed are not positively correlated, so no weeks are taken off."""
    daily = volume(30, 1.005, noise=0.3, seed=3)
    totals = np.array([sum(daily[START + 7 * k + d] for d in range(7)) for k in range(30)])
    line = stats.linregress(np.arange(30), np.log(totals))
    rest = np.log(totals) - line.intercept - line.slope * np.arange(30)
    r = max(float(rest[1:] @ rest[:-1] / (rest @ rest)), 0.0)
    n = 30 * (1 - r) / (1 + r)
    error = line.stderr * np.sqrt(28 / (n - 2))
    wide = stats.t.ppf(0.95, int(n - 2)) * error * WEEKS_PER_YEAR
    found = trend(daily, range(START, START + 210))
    assert found is not None
    assert np.log1p(found.value) == pytest.approx(line.slope * WEEKS_PER_YEAR, rel=1e-9)
    assert np.log1p(found.high) - np.log1p(found.value) == pytest.approx(wide, rel=1e-3)


def test_too_few_weeks_or_an_empty_one_tell_no_trend():
    assert trend(volume(5, 1.0), range(START, START + 35)) is None
    assert trend({}, ()) is None
    empty = volume(8, 1.0)
    for d in range(7):
        empty[START + 14 + d] = 0.0
    assert trend(empty, range(START, START + 56)) is None


def test_weeks_are_counted_back_from_the_last_day():
    """44 days: six whole weeks, the first two days left out, whatever lies in them."""
    daily = volume(7, 1.0)
    odd = daily | {START: 1e9, START + 1: 1e9}
    assert trend(odd, range(START, START + 44)) == trend(daily, range(START, START + 44))


def test_what_a_scenario_takes_is_what_its_field_allows_and_a_large_growth_is_a_multiple():
    """+1,200,000% is 12,001 times; 900% is ten."""
    [within] = [mark.func for mark in PerYear.__metadata__ if hasattr(mark, "func")]
    assert (within.least, within.most) == (MOST_FALL, MOST_RISE)
    assert [growth_told(x) for x in (-0.05, 0.0, 8.99, 9.0, 11.0, 12_000.0, float("inf"))] == [
        "-5%", "0%", "+899%", "x 10", "x 12", "above x 1,000", "above x 1,000"]


def whole(*days):
    return Days(first=days[0], last=days[-1], complete=days, left_out=())


MONDAY = 20_003 - 20_003 % 7 + 4
"""Days since 1970, a Thursday, that are 4 modulo 7 are Mondays."""


def test_a_weekend_that_is_not_there_has_anything_from_no_call_to_a_working_days():
    """100 on each working day: 500 / 7 where weekends rest. On all seven: nothing spreads it, a number alone."""
    found = mean_day(dict.fromkeys(range(MONDAY, MONDAY + 5), 100.0), whole(*range(MONDAY, MONDAY + 5)), 100.0)
    assert (found.low, found.high, found.every_weekday) == (pytest.approx(500 / 7), pytest.approx(100.0), False)
    assert found.why == "Saturdays and Sundays, not in it, may have from no call to as many as a working day"
    assert "basis" not in found.stated("5 whole days", always=False)
    week = mean_day(dict.fromkeys(range(MONDAY, MONDAY + 7), 100.0), whole(*range(MONDAY, MONDAY + 7)), 100.0)
    assert (week.why, week.every_weekday, week.stated("7 whole days", always=False)) == ("", True, 100.0)


def test_working_days_that_are_not_there_are_as_those_that_are():
    """A Saturday and a Sunday of 10 and a Monday of 100: their mean is 40, that of a week (5 x 100 + 20) / 7 = 74.29."""
    days = (MONDAY - 2, MONDAY - 1, MONDAY)
    found = mean_day(dict(zip(days, (10.0, 10.0, 100.0), strict=True)), whole(*days), 40.0)
    assert (found.low, found.high) == (pytest.approx(40.0), pytest.approx(520 / 7))
    assert found.why == "other working days are as this one"


def test_of_weekends_alone_or_sums_over_days_nothing_is_told():
    for days in (whole(MONDAY - 2, MONDAY - 1), Days(MONDAY, MONDAY + 8, tuple(range(MONDAY, MONDAY + 9)), (), spanned=True)):
        found = mean_day({MONDAY - 2: 30.0, MONDAY - 1: 10.0, MONDAY: 20.0}, days, 20.0)
        assert (found.low, found.high, found.why, found.every_weekday) == (20.0, 20.0, "", False)


def test_days_that_vary_spread_their_mean_as_students_interval_does():
    """Three weeks, each weekday's own mean taken off: 21 - 7 = 14 degrees of freedom, s^2 / 21 of the mean's variance."""
    rng = np.random.default_rng(5)
    days = range(MONDAY, MONDAY + 21)
    y = 200.0 + 100.0 * (np.arange(21) % 7 < 5) + 30.0 * np.tile([1.0, -1.0, 0.0], 7) + rng.normal(size=21)
    rest = y - np.tile(y.reshape(3, 7).mean(axis=0), 3)
    assert rest[1:] @ rest[:-1] < 0  # neighbours do not go together: all 21 days count
    wide = stats.t.ppf(0.95, 14) * np.sqrt(rest @ rest / 14 / 21) / y.mean()
    found = mean_day(dict(zip(days, y, strict=True)), whole(*days), y.mean())
    assert found.low == pytest.approx(y.mean() * np.exp(-wide), rel=1e-4)
    assert found.high == pytest.approx(y.mean() * np.exp(wide), rel=1e-4)
    assert found.stated("21 whole days", always=False)["basis"] == "measured"


@pytest.mark.parametrize(("weeks", "correlation"), [(1, 0.0), (2, 0.0), (4, 0.0), (8, 0.4)])
def test_nine_in_ten_of_such_intervals_hold_the_mean_day(weeks, correlation):
    """Working days of 300 and weekends of 60, each times e^N(0, 0.2): of 400 logs, 86% to 99% hold the true mean.

    A week is judged by what is left beside the mean of its working days and that of its weekend.
    """
    rng, days, level = np.random.default_rng(weeks), range(MONDAY, MONDAY + 7 * weeks), np.where(np.arange(7) < 5, 300.0, 60.0)
    true, held = level.mean() * np.exp(0.02), 0
    for _ in range(400):
        noise = rng.normal(size=7 * weeks)
        for k in range(1, 7 * weeks):
            noise[k] = correlation * noise[k - 1] + np.sqrt(1 - correlation**2) * noise[k]
        y = np.tile(level, weeks) * np.exp(0.2 * noise)
        found = mean_day(dict(zip(days, y, strict=True)), whole(*days), y.mean())
        held += found.low <= true <= found.high
    assert 0.86 <= held / 400 <= 0.99
