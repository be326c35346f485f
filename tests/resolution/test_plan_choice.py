"""Which plans an option keeps: those that are cheapest today, and those that are cheapest where it breaks even."""

from typing import Any

import pytest

from roi.economics.decision.comparison import compare
from roi.errors import ScenarioError
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

HYBRID = "hybrid:qwen3-8b+lora"
ALONE = (
    "draws=0", "candidates.hosted_models=[]", "candidates.cascade_first=[]", "candidates.vendor_tuned=[]",
    "candidates.hosted_adapters=[]", "candidates.base=false", "candidates.own_hardware=false",
)  # fmt: skip


def crossings(*overrides: str) -> dict[tuple[str, str, str], Any]:
    c = compare(resolve(load_scenario(overrides=(*ALONE, *overrides))).case)
    return {(b.baseline, b.basis, b.counts): b.stays for b in c.break_even if b.option == HYBRID}


@pytest.mark.full
def test_where_an_option_breaks_even_does_not_depend_on_todays_volume() -> None:
    """The plan that is cheapest at a million requests a day is kept at 100,000 too."""
    small, large = crossings("workload.requests_per_day=100000"), crossings("workload.requests_per_day=1400000")
    assert any(stays is not None and stays > 1e6 for stays in small.values())
    for key, stays in small.items():
        if key[0] != "recommended":
            assert stays == (None if large[key] is None else pytest.approx(large[key], rel=0.01)), key


def test_an_adapter_that_a_vendor_prices_later_names_the_first_day_with_a_price() -> None:
    asked = ("as_of=2026-10-01", "candidates.vendor_tuned=[]", "candidates.hosted_models=[]",
             "candidates.hosted_adapters=[fireworks/qwen3-4b]")
    told = r"as_of: .* the earliest price of tuning fireworks/qwen3-4b is of 2026-1.* out of candidates.hosted_adapters"
    with pytest.raises(ScenarioError, match=told):
        resolve(load_scenario(None, asked))
