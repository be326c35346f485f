"""Numbers as people read them."""

import pytest

from roi.units import dollars, formatted, to_digits


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


@pytest.mark.parametrize(("x", "digits", "shown"), [
    (0.1, 6, "$0.10"), (1.5, 6, "$1.50"), (12.34, 3, "$12.34"), (2.0, 6, "$2"), (0.0375, 6, "$0.0375"), (1e-5, 6, "$1e-05"),
    (1566.0, 6, "$1,566"), (1234.5, 6, "$1,234.50"), (12_345.678, 6, "$12,345.68"), (0.0, 6, "$0"),
    (1_234_567.8, 6, "$1,234,568"), (999_999.7, 6, "$1,000,000"),
])
def test_an_amount_with_a_decimal_has_its_cents(x, digits, shown):
    assert dollars(x, digits) == shown
