"""Second calls by the days of a month."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from roi.answers.track_parallel import Days, days_by_role, handed_on, second_calls

FIRST = (date(2026, 12, 1) - date(1970, 1, 1)).days


def days(*spans: tuple[int, float, float]) -> Days:
    """Days from December 2026 on: how many, with how many calls of the own model and of the others, half on Sundays."""
    calls = [pair for count, *pair in spans for _ in range(count)]
    part = [0.5 if (FIRST + k) % 7 == 3 else 1.0 for k in range(len(calls))]
    return {FIRST + k: (own * x, other * x) for k, ((own, other), x) in enumerate(zip(calls, part, strict=True))}


@pytest.mark.parametrize(("spans", "least"), [
    ([(14, 0, 100), (17, 99, 100)], 16 * 99),
    ([(14, 0, 100), (17, 50, 50)], None),
    ([(31, 99, 100)], None),
    ([(31, 99, 100), (7, 100, 0)], 29 * 99),
    ([(14, 0, 100), (17, 10, 100)], 0.0),
], ids=["17 days of both, 2 of them Sundays", "split in halves", "no other day", "others in the month after", "a tenth is new"])
def test_days_on_which_both_models_have_as_many_calls_as_one_alone_are_second_calls(
    spans: list[tuple[int, float, float]], least: float | None,
) -> None:
    """December 2026 has four Sundays, with half the calls; the 17 days from the 15th on hold two of them (20 and 27)."""
    most, found = second_calls(days(*spans), "2026-12")
    assert most == pytest.approx(sum(min(x) for day, x in days(*spans).items() if day < FIRST + 31))
    assert found is None if not least else found == pytest.approx(least)


def test_a_month_with_rows_that_count_no_calls_tells_no_second_ones_and_the_next_one_does() -> None:
    """Of 31 days of December one row has no calls; in January 5 calls of both models on a day."""
    rows: Any = {
        month: [(role, SimpleNamespace(spend=SimpleNamespace(day=FIRST + day, requests=calls))) for role in ("own", "other")]
        for month, day, calls in (("2026-12", 0, None), ("2027-01", 31, 5))}
    found = days_by_role(rows)
    assert (second_calls(found, "2026-12"), second_calls(found, "2027-01")) == ((None, None), (5, None))


@pytest.mark.parametrize(("spans", "share"), [
    ([(10, 0, 100), (21, 100, 40)], 0.4),
    ([(10, 0, 100), (10, 100, 100), (11, 100, 20)], 0.2),
    ([(10, 0, 100), (7, 30, 70), (14, 100, 20)], 0.2),
    ([(31, 100, 40)], None),
    ([(31, 0, 100), (31, 100, 40)], None),
    ([(10, 0, 100), (21, 100, 100)], None),
], ids=["live on the 11th", "in parallel for ten days", "30% for a week", "on the first", "in January", "in parallel since"])
def test_what_is_handed_on_is_told_by_the_last_days_of_the_month_of_going_live(
    spans: list[tuple[int, float, float]], share: float | None,
) -> None:
    """Calls of the other models over the own model's, without days before it answers and those of both for each request."""
    assert handed_on(days(*spans), "2026-12") == (None if share is None else pytest.approx(share))
