"""What the screen tells of a load that falls until what is advised costs more than staying."""

from typing import Any

import pytest

from roi.economics.decision.comparison import compare
from roi.report.comparison.remarks.volume import moved_volume
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario


def told(growth: float, **option: Any) -> str:
    """3,650,000 requests a month at $0.0055, $20,075, and one GPU at $4 an hour, $2,920, that holds any of the volumes."""
    return " ".join(moved_volume(compare(resolve(check_scenario({
        "as_of": "2026-11-24", "horizon_months": 24, "discount_rate": 0, "draws": 0, "quality": {"scores": {"qwen3-8b": 0.95}},
        "workload": {"requests_per_day": 120000, "growth_per_year": growth, "input_tokens": 1500, "output_tokens": 250},
        "incumbent": {"provider": "openai", "model": "gpt-6-sol"},
        "people": {"setup_hours": {"self_hosted": 0}, "run_hours_per_month": {"self_hosted": 0}},
        "timing": {"months_to_live": {"self_hosted": 0}, "months_in_parallel": 0}, "platform": {"total": 0},
        "serving": {"spares": 0, "capacities": [{"model": "qwen3-8b", "gpu": "h100-sxm", "requests_per_s": 100}]},
        "gpu_rents": [{"gpu": "h100-sxm", "vendor": "Ours", "usd_per_gpu_hour": 4}], "drift": {
            "model_life_months": 240, "gpu_rent_per_year": 0},
        "candidates": {"self_hosted": ["qwen3-8b"], "methods": [], "hybrid": False, "gpus": ["h100-sxm"], "vendors": ["Ours"]},
        **option,
    })).case)))


def test_from_when_on_what_is_advised_costs_more_than_staying_is_told_with_the_volume() -> None:
    """A fall of 75% a year: 20,075 x 0.25^((t - 1) / 12) is $3,160 in month 17, $2,815 in 18; from then on 2,920 less it."""
    more = sum(2920 - 20075 * 0.25 ** ((t - 1) / 12) for t in range(18, 25))
    assert more == pytest.approx(6123.11, abs=0.01)
    said = told(-0.75)
    assert said.endswith("as much. From month 18 on qwen3-8b self-hosted costs more than staying, by $6,123 to the end"
                         " (undiscounted)")


def test_nothing_is_told_where_it_stays_cheaper_or_is_not_advised() -> None:
    """A fall of 50% leaves $5,317 in month 24, above $2,920. With 10,000 hours of set-up, $1M, staying is advised."""
    assert told(-0.5).endswith("and change as much")
    assert told(-0.75, options={"self-hosted-base:qwen3-8b": {"setup_hours": 10_000}}).endswith("and change as much")
