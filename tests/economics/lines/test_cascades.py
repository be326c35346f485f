"""A cascade pays both models and makes the errors of both: by hand on one request a second."""


import pytest
from quiet_scenario import CASCADE, LUNA, PER_MONTH, STAY, world

from roi.economics.decision.feasibility import meets_bar


def test_in_a_cascade_every_request_pays_the_first_model_and_the_escalated_also_the_second() -> None:
    """25% escalated: 394.20 for all, 0.25 x 10,512 besides; errors 0.75 x 10% + 0.25 x 5% = 8.75%."""
    w = world(quality={"cascade_escalated_share": 0.25, "usd_per_error": 0.01})
    first = w.line(CASCADE, "API input, uncached")[1][0] + w.line(CASCADE, "API output")[1][0]
    assert first == pytest.approx(LUNA)
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][0] == pytest.approx(0.25 * STAY)
    assert w.line(CASCADE, "wrong answers")[1][0] == pytest.approx(PER_MONTH * 0.0875 * 0.01)


def test_escalated_requests_find_the_cache_at_their_own_rate() -> None:
    """2,000 in, all shared; the incumbent caches: half of its own calls hit, none of the escalated ones.
    Escalated call at gpt-5.4: 2,000 x $2.50/M + 100 x $15/M = $0.0065; staying: half at $0.25/M: $0.00425.
    """
    w = world(
        workload={
            "input_tokens": 2000.0,
            "shared_prefix_tokens": 2000.0,
            "cache_hit_rate": 0.5,
            "escalated_cache_hit_rate": 0.0,
        },
        incumbent={"uses_cache": True},
        quality={"cascade_escalated_share": 0.1},
    )
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][0] == pytest.approx(PER_MONTH * 0.1 * 0.0065)
    assert float(w.costed("stay").total.monthly[0]) == pytest.approx(PER_MONTH * 0.00425)


def test_a_cascade_is_held_to_the_bar_with_the_errors_of_both_models() -> None:
    """(1 - e) x 8% kept + e x 5%: 7.4% wrong at e = 0.2, 7.25% at e = 0.25. A bar of 0.927 lets the second pass alone."""
    for share, passes in ((0.2, False), (0.25, True)):
        rates = {"kept_error_rate": {"gpt-6-luna": 0.08}, "escalated_error_rate": {"gpt-6-luna": 0.05}}
        w = world(quality={"bar": 0.927, "cascade_escalated_share": share, **rates})
        assert meets_bar(w.shared, w.options[CASCADE], w.options).all() == passes
