"""What wrong answers cost: by hand on one request a second."""

import pytest
from quiet_scenario import CHEAPER, LUNA, NONE, STAY, case_of, world

from roi.economics.decision.comparison import compare


def test_wrong_answers_cost_requests_times_rate_times_usd() -> None:
    """2,628,000 x 5% x $0.01 = $1,314 for staying; 10% for the cheaper model; until live the incumbent's rate."""
    w = world(quality={"usd_per_error": 0.01}, timing={"months_to_live": {**NONE, "api": 1.0}})
    assert w.line("stay", "wrong answers")[1][0] == pytest.approx(1314.0)
    assert w.line(CHEAPER, "wrong answers")[1][:2] == pytest.approx([1314.0, 2628.0])


def test_npv_is_given_with_and_without_wrong_answers() -> None:
    """They differ by the PV of the difference in wrong answers: 24 x (2,628 - 1,314) at 0%."""
    c = compare(case_of(discount_rate=0.0, quality={"usd_per_error": 0.01}))
    option = next(o for o in c.options if o.id == CHEAPER)
    assert option.npv_without_errors_usd == pytest.approx(24 * (STAY - LUNA) - 400.0)
    assert option.npv_usd == pytest.approx(24 * (STAY - LUNA) - 400.0 - 24 * 1314.0)
