"""Numbers as people read them."""

import pytest

from roi.units import formatted, to_digits


@pytest.mark.parametrize(("x", "up", "shown"), [
    (0.1234, True, 0.13), (0.1234, False, 0.12), (998.0, True, 1000.0), (0.25, True, 0.25), (0.29, True, 0.29),
    (0.29, False, 0.29), (0.0, True, 0.0),
])
def test_two_digits_are_the_next_ones_and_a_number_that_has_two_is_itself(x, up, shown):
    """0.29 / 0.01 is 28.999999999999996 in floating point."""
    assert to_digits(x, up=up) == shown


@pytest.mark.parametrize(("x", "form", "shown"), [
    (0.004, "+.0%", "0%"), (-0.004, "+.0%", "0%"), (0.006, "+.0%", "+1%"), (-0.0, "+,.2f", "0.00"), (-0.4, ",.0f", "0"),
    (-0.6, ",.0f", "-1"), (-100.0, "+,.2f", "-100.00"), (float("inf"), "+.0f", "+inf"), (2e5, "+.0e", "+2e+05"),
])
def test_what_prints_as_nothing_has_no_sign(x, form, shown):
    assert formatted(x, form) == shown
