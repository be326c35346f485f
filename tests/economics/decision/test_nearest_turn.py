"""The search for the nearest place at which what holds holds no more, by functions whose turns are known."""

import math

import pytest

from roi.economics.decision.turning.nearest_turn import Seen, nearest_turn


@pytest.mark.parametrize(("turns", "before", "after"), [
    (1.1, 100.0, 1.0), (4.0, 100.0, 1.0), (4.0, 1.0, 10_000.0), (9.5, 1.0, 100.0), (0.9, 100.0, 1.0), (0.25, 1.0, 10_000.0),
])
def test_beside_a_jump_the_place_is_found_too(turns: float, before: float, after: float) -> None:
    """It is so much ahead up to there, and behind from there on: a line between two places tells not where."""

    def ask(x: float, _: bool) -> Seen:
        holds = x < turns if turns > 1.0 else x > turns
        return Seen(holds, before if holds else -after)

    found = nearest_turn(ask, [3.0, 10.0] if turns > 1.0 else [1.0 / 3.0, 0.1])
    assert found is not None
    assert found[0] == pytest.approx(turns, rel=0.005)


def test_on_a_straight_line_the_place_is_found_in_a_few_steps() -> None:
    """6 - x is 5 at 1, 3 at 3 and -4 at 10: zero at 6, to 0.1%, in three more than the places themselves at most."""
    asked = list[float]()
    found = nearest_turn(lambda x, _: Seen(bool(asked.append(x)) or x < 6.0, 6.0 - x), [3.0, 10.0])
    assert found == (pytest.approx(6.0, rel=1e-3), 10.0)
    assert len(asked) <= 6


def test_where_no_distance_is_known_it_is_found_by_halves() -> None:
    """From 3 to 10 ten halves leave a ratio of 10/3 to the power of 1/1,024: 0.12%."""
    asked = list[float]()
    found = nearest_turn(lambda x, _: Seen(bool(asked.append(x)) or x < 7.0, math.inf if x < 7.0 else -math.inf), [3.0, 10.0])
    assert found == (pytest.approx(7.0, rel=1.3e-3), 10.0)
    assert len(asked) == 13


def test_a_stretch_between_two_places_is_found_where_it_is_expected_and_not_otherwise() -> None:
    """It turns from 4 to 5 alone, of which the places 3 and 10 say nothing; one probe at 4.5 does."""

    def ask(x: float, _: bool) -> Seen:
        return Seen(not 4.0 < x < 5.0, abs(x - 4.5) - 0.5)

    assert nearest_turn(ask, [3.0, 10.0]) is None
    found = nearest_turn(ask, [3.0, 10.0], lambda near, far: 4.5 if near < 4.5 < far else None, 1)
    assert found == (pytest.approx(4.0, rel=1e-3), 4.5)


def test_what_is_expected_is_asked_no_more_often_than_is_allowed() -> None:
    """An expectation that is always wrong costs two probes, and the places."""
    asked = list[float]()
    found = nearest_turn(lambda x, _: Seen(asked.append(x) is None, 1.0), [3.0], lambda near, far: math.sqrt(near * far), 2)
    assert found is None
    assert asked == [1.0, 3.0, math.sqrt(3.0), math.sqrt(3.0)]
