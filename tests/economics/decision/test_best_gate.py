"""What a gate that nobody measured could be worth at most: by hand."""

from typing import Any

import pytest

from roi.economics.decision.comparison import Comparison, compare
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

CASCADE = "cascade:openai/gpt-6-luna"
UNMEASURED: dict[str, Any] = {"bar": 0.9, "usd_per_error": 0.05, "scores": {"gpt-6-sol": 0.94, "gpt-6-luna": 0.86},
                              "escalated": {"gpt-6-luna": 0.2}}


def gate(draws: int, **quality: Any) -> Comparison:
    """2,433,333.33 requests a month at $0.0055 and $0.000275, discounted at 0, 10 months, live at once, no model ends."""
    return compare(resolve(check_scenario({
        "as_of": "2026-11-24", "horizon_months": 10, "discount_rate": 0, "draws": draws, "quality": {**UNMEASURED, **quality},
        "workload": {"requests_per_day": 80000, "growth_per_year": 0, "input_tokens": 1500, "output_tokens": 250},
        "incumbent": {"provider": "openai", "model": "gpt-6-sol"}, "tokens": {"gpt-6-luna": {"ratio": 1}},
        "people": {"setup_hours": {"cascade": 0}, "run_hours_per_month": {"cascade": 0}},
        "evaluation": {"labels": 0, "usd": 0}, "timing": {"months_to_live": {"cascade": 0}, "months_in_parallel": 0},
        "drift": {"model_life_months": 240}, "candidates": {"cascade_first": ["openai/gpt-6-luna"]},
    })).case)


def test_the_best_gate_hands_on_first_what_the_first_model_gets_wrong() -> None:
    """The 14% that are wrong are among the 20% handed on: 0.2 x 0.06 = 1.2% are wrong in the
    end. Cash 0.0055 - 0.000275 - 0.2 x 0.0055 = $0.004125, errors (0.06 - 0.012) x 0.05 = $0.0024 a request: $158,775 in all.
    A share of 0.1 leaves 4% of the first's and 0.6% of the second's. Were a quarter of what is handed on measured wrong, 5%.
    """
    best = gate(0).best_gate(CASCADE)
    assert best is not None
    assert best.error_rate == pytest.approx(0.012)
    assert best.npv_usd == pytest.approx(10 * 2_433_333.333 * 0.006525, abs=1.0)
    tenth = gate(0, escalated={"gpt-6-luna": 0.1}).best_gate(CASCADE)
    assert tenth is not None
    assert tenth.error_rate == pytest.approx(0.046)
    harder = gate(0, escalated_error_rate={"gpt-6-luna": 0.25}).best_gate(CASCADE)
    assert harder is not None
    assert harder.error_rate == pytest.approx(0.05)


def test_a_gate_that_was_measured_has_no_other_at_best() -> None:
    measured = gate(0, kept_error_rate={"gpt-6-luna": 0.14}, escalated_error_rate={"gpt-6-luna": 0.06})
    assert measured.best_gate(CASCADE) is None
    assert measured.best_gate("stay") is None
