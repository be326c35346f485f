"""Which doubts and figures a screen without room for all keeps."""

from roi.economics.decision.comparison import compare
from roi.report.comparison.screen import comparison_text
from roi.report.layout.wording import short_usd
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, parse_yaml

FULL = """
as_of: 2026-12-01
draws: 1024
title: Content classification, 2M a day, own H100s
workload: {requests_per_day: {value: 2000000, low: 1700000, high: 2300000}, growth_per_year: {value: 0.15, low: 0, high: 0.3},
  input_tokens: 700, output_tokens: 5, shared_prefix_tokens: 450, cache_hit_rate: 0.95, can_wait_share: 0.4, ttft_p95_s: 0.8}
incumbent: {provider: openai, model: gpt-5.4-nano, uses_cache: true, batch_share: 0, bill_usd_per_month: 9300}
gates: {vendor_allows_training_on_outputs: "no"}
quality:
  bar: 0.92
  usd_per_error: {value: 0.004, low: 0.002, high: 0.01}
  scores:
    gpt-5.4-nano: {value: 0.95, items: 2000}
    gpt-6-luna: {value: 0.955, items: 2000}
    qwen3-4b+lora: {value: 0.953, items: 2000}
    qwen3-4b: {value: 0.88, items: 2000}
training: {examples: 8000, labels_from: people}
candidates: {api_models: [openai/gpt-6-luna], self_hosted: [qwen3-4b]}
"""


def test_a_full_screen_keeps_the_end_of_todays_model_and_what_the_advice_brings() -> None:
    """A timing first, a change, a paired test, a fleet that is not likely yet: the known end and the NPV stand all the same.

    That a gate is no is no doubt where it is stated that people label, and no other doubt gives way to it.
    """
    c = compare(resolve(check_scenario(parse_yaml(FULL, "a"))).case)
    text = comparison_text(c, ("one", "two"))
    assert text.count("\n") < 40
    flat = " ".join(text.split())
    assert c.verdict.leader == "cheaper-api:openai/gpt-6-luna"
    assert "! openai/gpt-5.4-nano ends on 2027-04-01: a move is due in any case" in flat
    assert "! The prompt cache that is on holds nothing" in flat
    assert f"NPV, wrong answers counted: mean {short_usd(c.leader.expected_npv_usd)}, bad case" in flat
    assert "gate is no" not in flat
    default = resolve(check_scenario(parse_yaml(FULL.replace(", labels_from: people", ""), "a"))).case
    assert "training stands only if people label" in comparison_text(compare(default), (), full=True)
