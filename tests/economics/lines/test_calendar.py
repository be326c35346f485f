"""Months: when things recur, when options go live, what a level is in month t."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.economics.lines.calendar import (
    Falls,
    Happened,
    Stepped,
    events,
    events_so_far,
    growth_path,
    incumbent_share,
    live_share,
    powers,
    split,
)


def fired(first: float, every: float, horizon: int) -> list[int]:
    """Month ends at which something happens, as often as it happens."""
    counts = events(first, every, horizon)
    return [month for month, n in enumerate(counts) for _ in range(int(n))]


def test_retraining_months_by_hand() -> None:
    """First after 8 months, every 6, 36 months: 8, 14, 20, 26, 32; 38 is beyond."""
    assert fired(8, 6, 36) == [8, 14, 20, 26, 32]


def test_nothing_is_paid_in_the_last_month() -> None:
    """Every 12 from 12: 12 and 24; what falls at 36 would serve months beyond the horizon."""
    assert fired(12, 12, 36) == [12, 24]
    assert fired(36, 12, 36) == []
    assert fired(35, 12, 36) == [35]


def test_an_event_within_a_month_is_paid_at_the_start_of_that_month() -> None:
    """A model that ends after 1.7 months is replaced at month end 1: month 2 pays for the successor. 0.4: in set-up."""
    assert fired(1.7, 18, 36) == [1, 19]
    assert fired(0.4, 100, 36) == [0]


def test_several_events_can_fall_into_one_month() -> None:
    """Every half month from 1: 1, 1.5, 2, 2.5 before month 3."""
    assert fired(1.0, 0.5, 3) == [1, 1, 2, 2]


def test_a_very_long_life_does_not_move_the_first_end() -> None:
    """An announced end after 2.9 months holds, however long the successors live."""
    for life in (24.0, 1e4, 1e9):
        assert fired(2.9999, life, 12) == [2]


@given(st.floats(0.0, 50.0), st.floats(0.3, 40.0), st.integers(1, 48))
def test_events_are_those_of_a_plain_loop(first: float, every: float, horizon: int) -> None:
    """first, first + every, ... below the horizon, each at the month end before it."""
    expected = np.zeros(horizon + 1)
    k = 0
    while (when := first + k * every) < horizon:
        if abs(when - round(when)) < 1e-6 and when != round(when):
            return  # a draw that lies on a month end within rounding may fall on either side
        expected[int(when)] += 1
        k += 1
    assert events(first, every, horizon).tolist() == expected.tolist()


def test_events_of_many_rows_are_those_of_each() -> None:
    first, every = np.array([[8.0], [1.7], [40.0]]), np.array([[6.0], [18.0], [6.0]])
    many = events(first, every, 36)
    for row, (f, e) in enumerate(zip(first.ravel(), every.ravel(), strict=True)):
        assert many[row].tolist() == events(float(f), float(e), 36).tolist()


def test_events_kept_one_by_one_are_those_of_each_row() -> None:
    """Each event costs $1 at month 0, $2 at month end 1, ..., so that counts x (month end + 1) is what falls at each month end.

    Rows: from today on; from 14 months on, at which one falls, so that the one at 8 is out; until 26, at which one falls, so
    that this one and 32 are out; twice a month; none in 36 months.
    """
    first, every = np.array([[8.0], [8.0], [8.0], [0.2], [40.0]]), np.array([[6.0], [6.0], [6.0], [0.5], [6.0]])
    since, until = np.array([[0.0], [14.0], [0.0], [0.0], [0.0]]), np.array([[99.0], [99.0], [26.0], [1.4], [99.0]])
    assert Happened.of(first, every, 36) is None  # 72 events of a draw, more than months
    every[3] = 1.0
    happened = Happened.of(first, every, 36)
    assert happened is not None
    falls = Falls(happened, happened.ends + 1.0, happened.counted(since, until))
    numbers = zip(*(x.ravel().tolist() for x in (first, every, since, until)), strict=True)
    each = [events(f, e, 36, s, u) for f, e, s, u in numbers]
    assert [np.flatnonzero(row).tolist() for row in each[:3]] == [[8, 14, 20, 26, 32], [14, 20, 26, 32], [8, 14, 20]]
    expected = np.array(each) * np.arange(1.0, 38.0)
    assert falls.monthly.tolist() == expected[:, 1:].tolist()
    assert np.ravel(falls.upfront).tolist() == expected[:, 0].tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]
    so_far = np.array([events_so_far(f, e, 36)[:-1] for f, e in zip(first.ravel(), every.ravel(), strict=True)])
    levels = np.add.outer(np.arange(len(happened.when) + 1.0), np.arange(5) / 8.0)  # another one for each draw
    expected = so_far + np.arange(5)[:, None] / 8.0
    assert Stepped(happened, levels).whole.tolist() == expected.tolist()
    for times in (np.arange(36.0), np.arange(180.0).reshape(5, 36)):
        assert Stepped(happened, levels, times).whole.tolist() == (expected * times).tolist()
        for rate in (2.0, np.arange(1.0, 6.0)[:, None]):
            total = np.ones((7, 5)).T
            Stepped(happened, levels, times).add_to(total, 9, rate, np.empty(5))
            assert total.tolist() == (1.0 + (expected * rate * times)[:, 9:16]).tolist()


def test_shares_of_months_differ_in_the_first_alone() -> None:
    """Live after 1.25 months, the incumbent paid for half a month more: 1, 0.75 of month 2, none. Alone: 0, 0.25, 1."""
    live, kept = live_share(1.25, 4), incumbent_share(1.25, 0.5, 4)
    assert [len(share.early) for share in (live, kept)] == [2, 2]
    assert kept.whole.tolist() == [1.0, 0.75, 0.0, 0.0]
    assert kept.rest.whole.tolist() == [0.0, 0.25, 1.0, 1.0]
    rows = live_share(np.array([[1.25], [3.0]]), 4)
    assert rows.early.shape == (2, 3)
    assert rows.whole.tolist() == [[0.0, 0.75, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]]


def test_a_path_is_kept_in_the_months_of_which_there_is_a_part() -> None:
    """Live after 1.25 and 3 months: the path from month 2 and from month 4 on, of rows of draws as of one row."""
    rows, path = live_share(np.array([[1.25], [3.0]]), 4), np.arange(1.0, 9.0).reshape(2, 4)
    assert rows.where_any(path).tolist() == [[0.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 8.0]]
    assert rows.where_any(path[:1]).tolist() == [[0.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 4.0]]
    assert live_share(1.25, 4).where_any(path).tolist() == [[0.0, 2.0, 3.0, 4.0], [0.0, 6.0, 7.0, 8.0]]


def test_events_so_far_are_the_running_total() -> None:
    """At 2, 5, 8 months: none by month end 1, one by 2, two by 5."""
    assert events_so_far(2.0, 3.0, 6).tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0]


def test_going_live_within_a_month_takes_the_rest_of_it() -> None:
    """Live after 1.25 months: none of month 1, 75% of month 2, all of month 3."""
    assert live_share(1.25, 3).whole.tolist() == [0.0, 0.75, 1.0]
    assert live_share(0.0, 3).whole.tolist() == [1.0, 1.0, 1.0]


def test_the_incumbent_is_paid_until_live_and_in_parallel() -> None:
    """Live after 1.25 months without parallel: 100%, 25%, 0: together always one. With one month more: 100%, 100%, 25%."""
    assert incumbent_share(1.25, 0.0, 3).whole.tolist() == [1.0, 0.25, 0.0]
    assert (incumbent_share(1.25, 0.0, 3).whole + live_share(1.25, 3).whole).tolist() == [1.0, 1.0, 1.0]
    assert incumbent_share(1.25, 1.0, 3).whole.tolist() == [1.0, 1.0, 0.25]


def test_a_parallel_month_pays_both() -> None:
    """Live after 1 month, 1 month in parallel: in month 2 both are paid in full."""
    assert live_share(1.0, 3).whole[1] + incumbent_share(1.0, 1.0, 3).whole[1] == 2.0


def test_growth_leaves_month_one_at_todays_level() -> None:
    """44% a year: month 1 at 1, month 7 at 1.2, month 13 at 1.44."""
    assert growth_path(0.44, 13)[[0, 6, 12]] == pytest.approx([1.0, 1.2, 1.44])
    assert growth_path(0.0, 5).tolist() == [1.0] * 5


def test_powers_are_exact_where_nothing_has_happened() -> None:
    assert powers(0.7, np.array([0.0, 1.0, 2.0])) == pytest.approx([1.0, 0.7, 0.49])
    assert powers(0.7, np.zeros(3)).tolist() == [1.0] * 3


def test_month_zero_is_upfront() -> None:
    upfront, monthly = split(np.array([5.0, 1.0, 2.0]))
    assert (float(upfront), monthly.tolist()) == (5.0, [1.0, 2.0])
