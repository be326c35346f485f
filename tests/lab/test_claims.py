"""docs/claims.md shows what the program computes now, and its prose agrees with its numbers."""

from dataclasses import replace

import pytest
from claims.claim import count_verdict
from claims.scenarios import ADAPTER, best_untrained, option, requests_for, solve
from claims.serving import CENTRAL_MIX, MIXES, SIZED, api_usd, capacity, full_load_usd
from claims.sharding import SEVENTY, sharded
from claims.training import BASE, LENGTHS, hours, process_bytes
from render_claims import PAGE, claims, page

from roi.catalog.models.shapes import find_model
from roi.estimate.training.adapters import base_weight_bytes, trained_parameters
from roi.estimate.training.plan import TrainingPlan
from roi.units import GB, GIB

pytestmark = pytest.mark.full


FOUR_O = api_usd("openai", "gpt-4o")


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make claims`"


def test_every_claim_has_a_verdict_and_all_its_parts() -> None:
    for claim in claims():
        assert claim.verdict in {"holds", "holds in part", "fails"}
        assert all((claim.quote, claim.reading, claim.tables, claim.holds, claim.fails, claim.evidence, claim.left_out))


def test_no_line_of_the_page_is_wider_than_112_columns() -> None:
    assert max(map(len, page().splitlines())) <= 112


def test_verdicts_count_rows() -> None:
    assert [count_verdict(x) for x in ([True, True], [True, False], [False, False])] == ["holds", "holds in part", "fails"]


def test_a_token_of_gpt_4o_costs_4_dollars_23() -> None:
    """(1,000 x 2.50 + 300 x 10) / 1,300 = 5,500 / 1,300 = 4.2308 USD/Mtok."""
    assert pytest.approx(5500 / 1300) == FOUR_O


def test_full_load_cost_is_rent_over_tokens() -> None:
    """At r requests/s of 1,300 tokens, $3.60/h is $0.001 a second: 0.001 / (1,300 r) a token."""
    rate = float(capacity(CENTRAL_MIX).requests_per_s)
    assert full_load_usd(CENTRAL_MIX, 3.6) == pytest.approx(0.001 / (1300 * rate) * 1e6)


def test_fifty_times_needs_over_two_fifths_of_load_on_a_runpod_h100() -> None:
    full = full_load_usd(CENTRAL_MIX, 3.99)
    assert 50 * full / FOUR_O == pytest.approx(0.449, abs=0.01)
    assert FOUR_O * SIZED / full < 50 < FOUR_O * 0.5 / full


def test_serving_is_within_a_factor_of_1_7_of_the_published_h100_costs() -> None:
    """Silybench, H100 fp8 vLLM at $2.69/h: 0.023, 0.10 and 0.056 USD/Mtok at full load."""
    for mix, published in ((MIXES[0], 0.023), (MIXES[2], 0.10), (MIXES[3], 0.056)):
        assert 1 / 1.7 < full_load_usd(mix, 2.69) / published < 1.7


def test_weights_alone_of_a_7b_are_13_5_gb() -> None:
    """6,738,415,616 parameters x 2 bytes = 13.48 GB; LoRA at micro-batch 1 and 2,048 tokens adds 2 to 4 GB."""
    weights = base_weight_bytes(find_model("llama-2-7b"), BASE)
    assert weights / GB == pytest.approx(13.477, abs=0.001)
    assert 14 < process_bytes("llama-2-7b", replace(BASE, seq=2048.0)) / GB < weights / GB + 4


def test_memory_of_qwen_7b_is_within_8_percent_of_its_readme() -> None:
    """LoRA r64 at 256, 512, 1,024 and 2,048 tokens: 20.1, 20.4, 21.5, 23.8 GB; which memory was read is not stated."""
    for tokens, measured in zip(LENGTHS, (20.1, 20.4, 21.5, 23.8), strict=True):
        assert process_bytes("qwen-7b", replace(BASE, rank=64.0, seq=tokens)) / GB == pytest.approx(measured, rel=0.08)


def test_hours_of_qwen_7b_hold_the_readme_in_their_interval() -> None:
    """0.78, 1.46 and 2.71 h for 3 x 5,000 examples at 512, 1,024 and 2,048 tokens on an A100-80."""
    for tokens, measured in zip(LENGTHS[1:], (0.78, 1.46, 2.71), strict=True):
        _, short, long = hours("qwen-7b", replace(BASE, rank=64.0), tokens, 3.0)
        assert short < measured < long


def test_llama_65b_has_the_weights_of_its_shape() -> None:
    """NF4 with double quantisation: 64,760,053,760 linear weights x 0.51587 bytes, the rest (525,606,912) in fp32."""
    linear = 80 * (4 * 8192**2 + 3 * 8192 * 22016)
    rest = 65_285_660_672 - linear
    packed = linear * (0.5 + (1 + 4 / 256) / 64) + 4 * rest
    assert base_weight_bytes(find_model("llama-65b"), replace(BASE, method="qlora")) == pytest.approx(packed)


def test_eight_ranks_hold_an_eighth_of_the_states() -> None:
    """70.55e9 parameters x 16 bytes / 8 = 141.1 GB = 131.4 GiB; x 8 bytes / 8 = 65.7 GiB."""
    full = TrainingPlan(method="full")
    count = find_model(SEVENTY).parameters
    assert sharded(replace(full, dtype="fp32"), 8).states == pytest.approx(count * 16 / 8)
    assert sharded(full, 8).states / GIB == pytest.approx(65.7, abs=0.1)


def test_trained_share_of_a_7b_at_rank_16_on_q_and_v_is_an_eighth_of_a_percent() -> None:
    """32 layers x 2 matrices x 16 x (4,096 + 4,096) = 8,388,608 of 6,738,415,616 = 0.1245%."""
    shape = find_model("llama-2-7b")
    assert trained_parameters(shape, TrainingPlan(rank=16.0, targets="qv")) == 8_388_608
    assert 8_388_608 / shape.parameters == pytest.approx(0.001245, abs=1e-6)


def test_5000_dollars_pay_back_in_60_days_only_without_staff() -> None:
    """$5,000 / (1,300 x 4.2308e-6) / (365/12) = 29,888 requests a day."""
    volume = requests_for(5000.0, FOUR_O, CENTRAL_MIX)
    assert volume == pytest.approx(29_888, abs=1)
    sixty = 60 / (365 / 12)
    alone, staffed = (solve(case, "gpt-4o", volume, CENTRAL_MIX) for case in ("one replica, no staff", "spare + 0.3 FTE"))
    assert option(alone, ADAPTER).payback_months < sixty < option(staffed, ADAPTER).payback_months
    assert all(best_untrained(a).pv_cost_usd < option(a, ADAPTER).pv_cost_usd for a in (alone, staffed))
