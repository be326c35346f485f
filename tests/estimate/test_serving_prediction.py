"""Operating points of measured loads by hand, and intervals."""

from dataclasses import replace

import numpy as np
import pytest
from tables_support import serving_run_of

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_errors import ServingEvidence, derived_throughput, measured_figures, predict_serving
from roi.estimate.accuracy.serving_loads import (
    closed_figures,
    disaggregated_figures,
    open_figures,
    operating_figures,
    saturated_figures,
    stated_tpot,
    static_figures,
    system_figures,
)
from roi.estimate.accuracy.serving_run import Replica, ServingLoad, ServingSystem
from roi.estimate.serving.iteration import Efficiencies, Iteration, query_group
from roi.evidence.serving_speed import engine_row, reached, serving_evidence
from roi.numerics.least_squares import nnls

STEP = Iteration(step_s=0.010, sequence_s=0.001, kv_byte_s=0.0, prefill_token_s=1e-5, request_s=0.005, request_steps=2.0)
"""10 ms + 1 ms a sequence; 10 us a prompt token."""

REPLICA = Replica(STEP, 0.0, slots=100.0, mean_slots=100.0, step_tokens=8192.0)

ROUND = Efficiencies(
    decode_mbu=0.8, kv_mbu=0.8, decode_mfu=0.5, prefill_mfu=0.5, step_overhead_s=1e-3, layer_overhead_s=2e-5,
    sequence_overhead_s=1e-5, collective_latency_s=5e-6, link_efficiency=0.5, request_s=0.01, request_steps=3.0,
)  # fmt: skip

STATIC_ROW = {
    "id": "anl-1473", "model": "llama-2-7b", "gpu": "H100-80GB-SXM", "engine": "vllm", "design": "2024", "weight_dtype": "fp16",
    "kv_dtype": "fp16", "load": "static", "isl": "128", "osl": "128", "concurrency": "1", "req_per_s": "1.07222",
    "output_tok_per_s": "137.24",
}  # fmt: skip

CLOSED_ROW = {
    "id": "sil-860", "model": "llama-3.1-70b", "gpu": "H200-141GB-SXM", "tp": "4", "weight_dtype": "fp8", "kv_dtype": "",
    "isl": "1024", "osl": "1024", "concurrency": "16", "output_tok_per_s": "", "ttft_ms": "126.211", "tpot_ms": "10.9372",
}  # fmt: skip


def load(kind, **rest):
    return ServingLoad(kind, rest.pop("isl", 1000.0), rest.pop("osl", 101.0), **rest)


def test_a_static_batch_is_its_prefill_and_its_steps():
    """Four prompts of 1,000 tokens fit one step: 10 + 40 ms; 100 steps of 14 ms: 1.45 s, 4 / 1.45 requests a second."""
    found = static_figures(load("static", concurrency=4.0), REPLICA)
    assert found.requests_per_s == pytest.approx(4 / 1.45)
    assert (found.ttft_s, found.tpot_s) == pytest.approx((0.05, 0.014))


def test_a_batch_that_memory_does_not_hold_runs_in_waves():
    """Two at a time: 10 + 20 ms + 100 x 12 ms = 1.23 s, twice. Mean TTFT (0.03 + 1.26) / 2."""
    found = static_figures(load("static", concurrency=4.0), replace(REPLICA, slots=2.0))
    assert found.requests_per_s == pytest.approx(4 / 2.46)
    assert found.ttft_s == pytest.approx((0.03 + 1.26) / 2)


def test_prompts_beyond_one_step_cost_further_steps():
    """Ten prompts of 1,000 tokens in steps of 4,000: 3 steps of 10 ms and 100 ms."""
    found = static_figures(load("static", concurrency=10.0), replace(REPLICA, step_tokens=4000.0))
    assert found.ttft_s == pytest.approx(0.13)


@pytest.mark.parametrize("held", [1.0, 4.0, 32.0, 99.0])
def test_a_closed_loop_obeys_littles_law(held):
    found = closed_figures(load("closed", concurrency=held), REPLICA)
    assert found.requests_per_s * (found.ttft_s + 100 * found.tpot_s) == pytest.approx(held, rel=1e-6)


def test_one_request_in_flight_waits_for_nobody():
    """TTFT: 5 ms of HTTP, 2 steps of 11 ms, 10 ms of prefill. TPOT: a step, over 1 - rate x prefill."""
    found = closed_figures(load("closed", concurrency=1.0), REPLICA)
    rate = 1.0 / (0.037 + 100 * found.tpot_s)
    assert found.ttft_s == pytest.approx(0.037, rel=1e-6)
    assert found.tpot_s == pytest.approx(0.011 / (1.0 - rate * 0.010), rel=1e-3)


def test_requests_beyond_the_slots_wait_in_ttft():
    """With 10 slots the rate is that of 10 decoding, whatever is in flight; the rest of C = rate x (TTFT + 100 TPOT) waits."""
    few = replace(REPLICA, mean_slots=10.0)
    a, b = (closed_figures(load("closed", concurrency=c), few) for c in (50.0, 100.0))
    assert a.requests_per_s == pytest.approx(b.requests_per_s)
    assert a.tpot_s == pytest.approx(b.tpot_s)
    assert b.ttft_s - a.ttft_s == pytest.approx(50.0 / a.requests_per_s)


def test_a_rate_below_capacity_is_served_and_above_it_is_not():
    """Full: 1 / (0.01 + 100 x 0.11 / 100) = 8.33 requests a second. At 100 a second, 1,000 requests queue for
    500 x (1 / 8.33 - 1 / 100) = 55 s on average, and sqrt(1,000) / 8.33 = 3.8 s by chance. The last of them takes 101 tokens
    of (120 + 11) / 2 ms, 6.6 s: 1,000 / (120 + 6.6) = 7.90 a second."""
    assert open_figures(load("open", requests_per_s=2.0), REPLICA).requests_per_s == 2.0
    over = open_figures(load("open", requests_per_s=100.0, prompts=1000.0), REPLICA)
    assert over.requests_per_s == pytest.approx(7.90, rel=0.002)
    assert over.ttft_s == pytest.approx(58.8, rel=0.01)


def test_throughput_and_waiting_never_fall_as_the_rate_grows():
    """But for the last request's decoding, which is a little slower on a server that was full: 1%."""
    found = [open_figures(load("open", requests_per_s=r, prompts=500.0), REPLICA) for r in np.linspace(0.5, 20, 60)]
    assert (np.diff(np.log([f.requests_per_s for f in found])) > -0.01).all()
    assert (np.diff(np.log([f.ttft_s for f in found])) > -0.01).all()


def test_a_saturated_run_drains_at_its_end():
    """Endless: 8.33 requests a second. Of 1,000 prompts the last 100 drain: 100 x (10 + 101 x 1) ms + 101 x 11 ms = 12.2 s."""
    endless = saturated_figures(load("saturated"), REPLICA)
    assert endless.requests_per_s == pytest.approx(1 / (0.010 + 100 * 0.110 / 100))
    finite = saturated_figures(load("saturated", prompts=1000.0), REPLICA)
    assert 1000 / finite.requests_per_s == pytest.approx(900 / endless.requests_per_s + 12.2, rel=0.01)


def test_an_slo_takes_a_tenth_of_the_saturated_rate():
    full, held = (saturated_figures(load("saturated", held_to_slo=slo), REPLICA) for slo in (False, True))
    assert held.requests_per_s == pytest.approx(0.9 * full.requests_per_s)
    assert held.ttft_s < 10.0


def test_decode_workers_see_no_prefill():
    """8 in flight over one decode worker: a step of at most 18 ms between tokens, and nothing else."""
    found = disaggregated_figures(load("closed", concurrency=8.0), REPLICA, 1.0, 1.0)
    assert found.requests_per_s * (found.ttft_s + 100 * found.tpot_s) == pytest.approx(8.0, rel=1e-3)
    assert 0.017 < found.tpot_s <= 0.018


def test_replicas_divide_the_load():
    system = ServingSystem(find_model("llama-3.1-8b"), find_gpu("H100"), 4.0, 1.0, "bf16", "bf16")
    one = closed_figures(load("closed", concurrency=8.0), REPLICA)
    four = system_figures(load("closed", concurrency=32.0), system, REPLICA)
    assert four.requests_per_s == pytest.approx(4 * one.requests_per_s)
    assert (four.ttft_s, four.tpot_s) == pytest.approx((one.ttft_s, one.tpot_s))


def test_tpot_as_the_row_defines_it():
    """O = 101, TTFT 37 ms, TPOT 11.1 ms. Over all tokens: 100/101. End to end, lengths uniform within 8 to 512 of mean 260:
    E[1/O] = ln 64 / 504, 2.146 / 260."""
    run = serving_run_of(**CLOSED_ROW)
    found = closed_figures(load("closed", concurrency=1.0), REPLICA)
    assert stated_tpot(replace(run, tpot_kind="over-all-tokens"), found) == pytest.approx(found.tpot_s * 100 / 101)
    assert stated_tpot(replace(run, tpot_kind="end-to-end"), found) == pytest.approx((found.ttft_s + 100 * found.tpot_s) / 101)
    uneven = replace(run, tpot_kind="end-to-end", load=replace(run.load, length_cv=252 / 260 / 3**0.5))
    assert stated_tpot(uneven, found) == pytest.approx(found.ttft_s / 101 * 2.146 + 100 / 101 * found.tpot_s, rel=1e-3)


def test_a_static_row_by_hand():
    """Llama-2-7B, one H100, 128 in and 128 out, alone; measured 0.9326 s.

    Read: (6,607,077,376 + 266,240) x 2 B / (3.35e12 x 0.8) = 4.9308 ms; overhead 1 + 32 x 0.02 = 1.64 ms; step 6.5708.
    A sequence: 2 x 6.607e9 / (989.4e12 x 0.5) = 0.0267 + 0.01 ms. KV: 192 x 524,288 B / (3.35e12 x 0.8) = 0.0376 ms.
    Together 6.6451 ms x 127 = 843.9 ms. Prefill: 6.57 + 128 x (2 x 6.476e9 + 2 x 2 x 32 x 32 x 128 x 64) / 494.7e12 s =
    6.57 + 3.36 ms. 853.9 ms.
    """
    found = operating_figures(serving_run_of(**STATIC_ROW), ROUND)
    assert 1.0 / found.requests_per_s == pytest.approx(0.8539, rel=2e-3)


def test_a_closed_row_by_hand():
    """Llama-3.1-70B in fp8 on four H200, 16 in flight, 1,024 in and out; measured TTFT 126 ms, TPOT 10.94 ms.

    Read: 68.45e9 x 1 B + 1.052e9 x 2 B = 70.55 GB / (4 x 4.8e12 x 0.8) = 4.593 ms. Overhead: 1 + 80 x 0.02 = 2.6 ms;
    all-reduces 160 x 5 us = 0.8 ms. Sequence: 2 x 69.50e9 / (4 x 1,979e12 x 0.5) = 35.1 us + 10 us + all-reduce bytes
    1.5 x 160 x 8192 x 2 B / (450e9 x 0.5) = 17.5 us. KV: 1,536 x 163,840 B / 4 / (4.8e12 x 0.8) = 16.4 us. 16 of them: 1.26 ms.
    Step 9.26 ms. Prefill: 1,024 x [(2 x 68.45e9 / 1,979e12 + 4 x 80 x 64 x 128 x 512 / 989e12) / 2 + 17.5 us] = 54 ms.
    At 1.6 requests a second TPOT = 9.26 / (1 - 1.6 x 0.054) = 10.1 ms.
    """
    found = operating_figures(serving_run_of(**CLOSED_ROW), ROUND)
    assert found.tpot_s == pytest.approx(0.0101, rel=0.01)


def test_nnls_keeps_zeros_where_less_would_fit_better():
    """x + 2 y = -1, 3, 5 on (1,0), (0,1), (1,1): least squares has x < 0; with x = 0, y = (3 + 5) / 2 = 4."""
    assert nnls(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([-4.0, 3.0, 5.0])) == pytest.approx([0.0, 4.0])


def test_nnls_is_least_squares_where_that_is_positive():
    matrix = np.random.default_rng(5).uniform(0.1, 1.0, (40, 6)) * np.array([1.0, 1e-6, 1e3, 1.0, 1.0, 1.0])
    truth = np.array([2.0, 3e6, 1e-3, 0.5, 4.0, 1.0])
    assert nnls(matrix, matrix @ truth) == pytest.approx(truth, rel=1e-6)


def test_query_groups():
    """Llama-3.1-8B: 32 query heads on 8 KV heads; Llama-2-7B: 32 on 32; DeepSeek's latent attention reads one vector."""
    assert [query_group(find_model(m)) for m in ("llama-3.1-8b", "llama-2-7b", "deepseek-v3")] == [4.0, 1.0, 1.0]


def evidence(**change):
    return replace(ServingEvidence(ROUND, 0.8, 1.25, 0.5, 2.0), **change)


def test_the_ends_are_operating_points_at_the_ends_of_the_speed():
    run = serving_run_of(**STATIC_ROW)
    found = predict_serving(run, evidence())["throughput"]
    assert (found.low / found.value, found.high / found.value) == pytest.approx((0.8, 1.25))


def test_an_open_loop_below_its_capacity_has_a_certain_throughput():
    run = serving_run_of(**{**CLOSED_ROW, "load": "open", "offered_req_per_s": "0.5"})
    found = predict_serving(run, evidence())
    assert found["throughput"].high / found["throughput"].low < 1.05
    assert found["tpot"].high / found["tpot"].low > 1.3


def test_defaults_widen_by_the_square_root_of_the_sum_of_squares():
    """Of logarithms: ln 1.25 = 0.223 with ln 1.2 = 0.182 and ln 1.1 = 0.095 is 0.303: a factor of 1.354."""
    run = replace(serving_run_of(**STATIC_ROW), assumed=(("tp 1", 1.2), ("kv bf16", 1.1)))
    found = predict_serving(run, evidence())["throughput"]
    assert found.high / found.value == pytest.approx(1.354, rel=1e-3)


def test_unmerged_adapters_slow_the_engine():
    run = serving_run_of(**{**STATIC_ROW, "adapters": "4"})
    plain, shared = (predict_serving(r, serving_evidence(r))["throughput"] for r in (serving_run_of(**STATIC_ROW), run))
    assert shared.value / plain.value == pytest.approx(0.9)
    assert shared.low / shared.value < plain.low / plain.value


def test_pcie_and_several_nodes_widen():
    one = serving_run_of(**{**STATIC_ROW, "gpu": "L4"})
    two = serving_run_of(**{**STATIC_ROW, "gpu": "L4", "tp": "2"})
    assert two.system.tensor_parallel == 2.0
    ratio = [p.low / p.value for p in (predict_serving(r, evidence())["throughput"] for r in (one, two))]
    assert ratio[1] < ratio[0]


def test_what_a_fit_has_not_seen_widens_the_interval():
    """Engine and card known; card new; engine new; AMD new."""
    known = serving_evidence(serving_run_of(**CLOSED_ROW))
    card = serving_evidence(serving_run_of(**{**CLOSED_ROW, "gpu": "L40S"}))
    engine = serving_evidence(serving_run_of(**{**CLOSED_ROW, "engine": "lmdeploy"}))
    amd = serving_evidence(serving_run_of(**{**CLOSED_ROW, "gpu": "MI300X-192GB"}))
    assert known.basis == "vllm, model left out"
    assert card.basis == "vllm, card left out"
    assert engine.basis == "other, engine left out"
    assert known.speed_low > card.speed_low >= amd.speed_low
    assert known.speed_low > engine.speed_low


def test_an_unknown_engine_is_taken_by_its_era():
    assert engine_row("lorax-2024", recent=False)[0].engine == "other-2024"
    assert engine_row("brand-new", recent=True)[0].engine == "other"


def test_a_card_reaches_what_people_measured_on_it_relative_to_the_h100():
    """MI300X: 668.4 of 1,307.4 against 794.5 of 989.4: 0.637 of the efficiencies. Not beyond 1."""
    assert reached(ROUND, find_gpu("MI300X")).decode_mfu == pytest.approx(0.5 * (668.4 / 1307.4) / (794.5 / 989.4), rel=1e-3)
    assert reached(replace(ROUND, prefill_mfu=0.9), find_gpu("RTX-4090")).prefill_mfu == 1.0


def test_throughput_is_of_the_kind_that_the_row_states():
    run = serving_run_of(**STATIC_ROW)
    assert measured_figures(run) == {"throughput": 137.24}
    requests = replace(run, output_tokens_per_s=None)
    assert measured_figures(requests) == {"throughput": 1.07222}
    assert predict_serving(requests, evidence())["throughput"].value == pytest.approx(
        predict_serving(run, evidence())["throughput"].value / 128)


def test_littles_law_gives_what_a_closed_loop_does_not_state():
    """16 x 1,024 / (0.126211 + 1,023 x 0.0109372) = 1,448 output tokens a second."""
    assert derived_throughput(serving_run_of(**CLOSED_ROW)) == pytest.approx(1448.0, rel=1e-3)
    assert derived_throughput(serving_run_of(**STATIC_ROW)) is None


@pytest.mark.parametrize("kind", ["static", "closed"])
def test_replicas_beyond_the_requests_in_flight_stand_idle(kind):
    run = serving_run_of(**CLOSED_ROW)
    eight, one = (replace(run.system, replicas=n) for n in (8.0, 1.0))
    alone = load(kind, concurrency=1.0)
    assert system_figures(alone, eight, REPLICA) == system_figures(alone, one, REPLICA)



LOADS = ({"load": "static"}, {"load": "closed"}, {"load": "open", "offered_req_per_s": "3"}, {"load": "saturated"},
         {"load": "saturated", "held_to_slo": "true"}, {"load": "closed", "replicas": "4", "prefill_replicas": "1"},
         {"load": "saturated", "prompts": "200", "length_cv": "1.2"})


@pytest.mark.parametrize("gpu", ["L4", "A10G", "L40S", "MI300X-192GB", "H200-141GB-SXM", "B200-192GB-SXM", "RTX-4090", "T4"])
@pytest.mark.parametrize("change", LOADS)
def test_every_load_on_every_card_has_finite_ordered_figures(gpu, change):
    """Single tokens, long prompts, models that do not fit, dense and mixtures: 0 < low <= value <= high."""
    for model in ("llama-3.1-70b", "mixtral-8x7b", "llama-3.2-1b"):
        for isl, osl in (("1", "1"), ("512", "128"), ("100000", "2")):
            for tp in (1.0, 8.0):
                row = {"gpu": gpu, "model": model, "isl": isl, "osl": osl, "tp": "32"}
                run = serving_run_of(**{**CLOSED_ROW, "replicas": "8", "concurrency": "64", **change, **row})
                run = replace(run, system=replace(run.system, tensor_parallel=tp))
                for found in predict_serving(run, serving_evidence(run)).values():
                    assert np.isfinite([found.low, found.value, found.high]).all(), row
                    assert 0.0 < found.low <= found.value * (1 + 1e-9) <= found.high * (1 + 2e-9), row
