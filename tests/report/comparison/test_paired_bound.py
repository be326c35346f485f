"""The result of an evaluation beside today's model that turns the advice, in a sentence that can be read."""

import pytest

from roi.report.comparison.findings import _beside_todays


@pytest.mark.parametrize(("most", "leads", "told"), [
    (5, True, "stops winning if more than 5 more of its answers are wrong"),
    (1, True, "stops winning if more than 1 more of its answers are wrong"),
    (0, True, "stops winning if any more of its answers are wrong"),
    (-1, True, "stops winning unless at least 1 fewer of its answers are wrong"),
    (-1_400, True, "stops winning unless at least 1,400 fewer of its answers are wrong"),
    (5, False, "wins if at most 5 more of its answers are wrong"),
    (0, False, "wins if no more of its answers are wrong"),
    (-3, False, "wins if at least 3 fewer of its answers are wrong"),
])
def test_the_bound_reads_at_0_1_and_many(most: int, told: str, *, leads: bool) -> None:
    """It was "if fewer than 1 fewer of its answers are wrong"."""
    said = _beside_todays(most, "of its answers", -0.005, leads=leads)
    assert said == f" It {told} than of today's model (so far 0.5 of 100 fewer)."


@pytest.mark.parametrize(("apart", "told"), [(-0.00998, "1 of 100 fewer"), (0.123456, "12.3 of 100 more"), (0.0001, "as many")])
def test_what_was_seen_so_far_has_no_more_digits_than_items(apart: float, told: str) -> None:
    assert _beside_todays(1, "of its answers", apart, leads=False).endswith(f"(so far {told}).")
