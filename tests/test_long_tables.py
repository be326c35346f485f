"""tests/support/long_tables.py: every row is asked, and every one that fails is named."""

import pytest
from long_tables import MOST_TOLD, every_row


def test_every_row_that_fails_is_named_and_those_after_it_are_asked():
    asked = []

    @every_row("number, square", [(1, 1), (2, 5), (3, 9), (0, 0)])
    def squares(number, square):
        asked.append(number)
        with pytest.raises(ZeroDivisionError):
            _ = 1 / (number * number - square)
        assert number

    with pytest.raises(BaseExceptionGroup, match="2 of 4 rows") as found:
        squares()
    assert asked == [1, 2, 3, 0]
    assert [error.__notes__ for error in found.value.exceptions] == [
        ["row: {'number': 2, 'square': 5}"], ["row: {'number': 0, 'square': 0}"]]


def test_of_many_that_fail_the_first_are_told_and_all_are_counted():
    @every_row("number", range(3 * MOST_TOLD))
    def none(number):
        assert number < 0

    with pytest.raises(BaseExceptionGroup, match=f"{3 * MOST_TOLD} of {3 * MOST_TOLD} rows") as found:
        none()
    assert len(found.value.exceptions) == MOST_TOLD


@every_row("small, large", [(1, 2), (3, 4)])
def test_fixtures_are_given_beside_the_rows(small, large, tmp_path):
    assert small < large
    assert tmp_path.is_dir()
