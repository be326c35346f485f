"""Numbers as people read them."""

import pytest

from roi.units import to_digits


@pytest.mark.parametrize(("x", "up", "shown"), [
    (0.1234, True, 0.13), (0.1234, False, 0.12), (998.0, True, 1000.0), (0.25, True, 0.25), (0.29, True, 0.29),
    (0.29, False, 0.29), (0.0, True, 0.0),
])
def test_two_digits_are_the_next_ones_and_a_number_that_has_two_is_itself(x, up, shown):
    """0.29 / 0.01 is 28.999999999999996 in floating point."""
    assert to_digits(x, up=up) == shown
