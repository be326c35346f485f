"""Words of what was off: the month whose share of calls is told."""

from types import SimpleNamespace
from typing import Any

import pytest

from roi.economics.tracking.month_figures import LIVE, ROUTING
from roi.report.track_causes import over_forecast


def told(months_to_live: float, *own_shares: float) -> dict[str, float | None]:
    """What of the forecast is said of a cascade that was to keep none, a third and 80% of the calls of three months."""
    came = [SimpleNamespace(own_share=x, handed_on=None) for x in own_shares]
    answer: Any = SimpleNamespace(
        option="cascade:x", comparison=SimpleNamespace(
            options=[SimpleNamespace(id="cascade:x", kind="cascade", months_to_live=months_to_live)]),
        months=[SimpleNamespace(month=name) for name in ("2026-12", "2027-01", "2027-02")],
        tracked=SimpleNamespace(came=came, planned_share=(0.0, 1 / 3, 0.8)))
    return {fact: over_forecast(answer, SimpleNamespace(fact=fact, factor=1.0)) for fact in (ROUTING, LIVE)}  # type: ignore[arg-type]


def test_the_share_that_is_escalated_is_told_of_a_month_in_which_the_option_is_live() -> None:
    """Live a month late, 74.6% of the calls stayed where 80% were planned; going live is told by the month that was missed."""
    assert told(1.0, 0.0, 0.0, 0.746) == {ROUTING: 0.746 / 0.8, LIVE: 0.0}


def test_when_a_cascade_went_live_is_told_of_the_month_of_both_models_and_not_by_what_is_escalated_later() -> None:
    """Live half a day early: 34% of January's calls in place of 1/3; February's 75.8% of 80% is what was escalated."""
    assert told(1.5, 0.0, 0.34, 0.758) == pytest.approx({ROUTING: 0.758 / 0.8, LIVE: 0.34 * 3})
