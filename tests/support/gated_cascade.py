"""A cascade at list prices with a share that it hands on, and its gate as the tests state it."""

from collections.abc import Sequence
from typing import Any

from roi.economics.decision.comparison import Comparison, compare
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

UNMEASURED: dict[str, Any] = {"bar": 0.9, "usd_per_error": 0.05, "scores": {"gpt-6-sol": 0.94, "gpt-6-luna": 0.86},
                              "escalated": {"gpt-6-luna": 0.2}}


def gate(draws: int, accept: Sequence[str] = (), **quality: Any) -> Comparison:
    """2,433,333.33 requests a month at $0.0055 and $0.000275, discounted at 0, 10 months, live at once, no model ends."""
    return compare(resolve(check_scenario({
        "as_of": "2026-11-24", "horizon_months": 10, "discount_rate": 0, "draws": draws, "quality": {**UNMEASURED, **quality},
        "workload": {"requests_per_day": 80000, "growth_per_year": 0, "input_tokens": 1500, "output_tokens": 250},
        "incumbent": {"provider": "openai", "model": "gpt-6-sol"}, "tokens": {"gpt-6-luna": {"ratio": 1}},
        "people": {"setup_hours": {"cascade": 0}, "run_hours_per_month": {"cascade": 0}},
        "evaluation": {"labels": 0, "usd": 0}, "timing": {"months_to_live": {"cascade": 0}, "months_in_parallel": 0},
        "accept": [*accept], "drift": {"model_life_months": 240}, "candidates": {"cascade_first": ["openai/gpt-6-luna"]},
    })).case)
