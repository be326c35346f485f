"""Measured loads by replay, by hand; one path for a row and a plan; and intervals."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from tables_support import serving_run_of

from roi.catalog.cards.gpus import find_gpu, load_gpus, matrix_share
from roi.catalog.efficiencies.serving_efficiencies import engine_habits, find_engine
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_errors import ServingEvidence, derived_throughput, measured_figures, predict_serving
from roi.estimate.accuracy.serving_run import is_offline, room_spread, run_figures, stated_tpot
from roi.estimate.replay.engine import Server
from roi.estimate.replay.load_curve import LoadCurve, Slo
from roi.estimate.replay.loads import SEED, OperatingFigures, ServingLoad, load_figures, loop_means
from roi.estimate.replay.replica_plan import ReplicaPlan
from roi.estimate.replay.router import Requests
from roi.estimate.replay.traffic import poisson_arrivals
from roi.estimate.serving.efficiencies import PERFECT, Efficiencies
from roi.estimate.serving.iteration import Iteration, query_group, roofline_iteration
from roi.estimate.serving.replica_memory import EngineHabits, activation_bytes
from roi.estimate.serving.request_shape import RequestShape
from roi.estimate.serving.weight_formats import GGUF_BITS, WEIGHT_FORMATS, weight_bytes
from roi.evidence.serving_speed import engine_row, known_ends, on_card, published_engine_speed, reached, serving_evidence
from roi.numerics.least_squares import nnls
from roi.resolution.plan_capacity import ServingPlan, load_of, published_server
from roi.store.tables.serving_table import ServingRow

SERVER = Server(Iteration(step_s=0.010, sequence_s=0.001, kv_byte_s=0.0, prefill_token_s=1e-5), np.inf, sequence_limit=100.0)
"""10 ms + 1 ms a sequence; 10 us a prompt token; 8,192 tokens a step."""

PLAN = ReplicaPlan(find_model("llama-3.1-8b"), find_gpu("H100"), 1.0, "bf16", "bf16")

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


def figures(kind, server=SERVER, plan=PLAN, replicas=1.0, prefill=0.0, speed=1.0, **rest):
    load = ServingLoad(kind, rest.pop("isl", 1000.0), rest.pop("osl", 101.0), **rest)
    return load_figures(load, plan, server, replicas, prefill)(speed)


def by_round(run):
    return run_figures(run, ROUND, engine_habits(run.engine))(1.0)


def test_a_static_batch_is_its_prefill_and_its_steps():
    """Four prompts of 1,000 tokens fit one step: 10 + 40 ms; 100 steps of 14 ms: 1.45 s, 4 / 1.45 requests a second."""
    found = figures("static", concurrency=4.0)
    assert found.requests_per_s == pytest.approx(4 / 1.45)
    assert (found.ttft_s, found.tpot_s) == pytest.approx((0.05, 0.014))


def test_a_batch_that_memory_does_not_hold_runs_in_waves():
    """Two at a time: 10 + 20 ms + 100 x 12 ms = 1.23 s, twice. Mean TTFT (0.03 + 1.26) / 2."""
    found = figures("static", replace(SERVER, sequence_limit=2.0), concurrency=4.0)
    assert found.requests_per_s == pytest.approx(4 / 2.46)
    assert found.ttft_s == pytest.approx((0.03 + 1.26) / 2)


def test_one_request_in_flight_waits_for_nobody():
    """TTFT: a step of 10 ms with 10 ms of prefill. TPOT: a step of 11 ms."""
    found = figures("closed", concurrency=1.0, length_cv=1e-9)
    assert (found.ttft_s, found.tpot_s) == pytest.approx((0.020, 0.011))


def test_what_a_prefix_cache_has_of_a_prompt_is_not_computed():
    """Of 1,000 tokens 600 are found: 10 ms and 4 ms for the others. Tokens/s count all of the prompt."""
    found = figures("closed", concurrency=1.0, length_cv=1e-9, cached_tokens=600.0)
    assert (found.ttft_s, found.tpot_s) == pytest.approx((0.014, 0.011))
    assert found.total_tokens_per_s == pytest.approx(1101.0 * found.requests_per_s)


def test_bursts_wait_for_each_other():
    """At half of what the replica takes."""
    calm, bursts = (figures("open", requests_per_s=4.0, prompts=2000.0, arrival_cv=cv) for cv in (1.0, 4.0))
    assert bursts.ttft_s > 1.5 * calm.ttft_s
    assert bursts.requests_per_s == pytest.approx(calm.requests_per_s, rel=0.02)


def test_a_closed_loop_has_the_requests_that_its_run_sent():
    """As many as are in flight are a burst, and a static batch answers one too; ten for each in flight where none is stated."""
    load = {"concurrency": 40.0, "length_cv": 0.1}
    once, ten = (figures("closed", prompts=40.0 * n, **load) for n in (1.0, 10.0))
    assert once.ttft_s == pytest.approx(figures("static", **load).ttft_s, rel=0.02)  # but for who is in its first step
    assert ten == figures("closed", **load)
    assert ten.ttft_s < figures("closed", prompts=160.0, **load).ttft_s < once.ttft_s
    few = {"concurrency": 8.0, "length_cv": 0.1}
    assert figures("closed", prompts=8.0, **few).ttft_s == pytest.approx(figures("static", **few).ttft_s, rel=0.05)


@pytest.mark.parametrize("held", [1.0, 4.0, 32.0, 99.0])
def test_a_closed_loop_obeys_littles_law(held):
    found = figures("closed", concurrency=held)
    assert found.requests_per_s * (found.ttft_s + 100 * found.tpot_s) == pytest.approx(held, rel=0.01)


def test_equal_answers_of_a_loop_do_not_stay_in_step():
    """Prompts of 1.01 s alone, 100 steps of 10 ms, 20 in flight: each takes the replica 1.01 + 100 / 20 x 0.01 = 1.06 s.

    Out of step it meets the prompts of the 19 others: TPOT 0.01 + 19 x 1.01 / 100 = 0.202 s. TTFT is its own prompt's for nine
    of ten, and half of 20 prompts for the first. In step TPOT is 0.01 s and TTFT 10.6 s. As the run ends fewer are in flight.
    """
    server = Server(Iteration(0.01, 0.0, 0.0, 1e-3), np.inf, step_tokens=1000.0, prompts_alone=True)
    each = np.ones(200)
    load = Requests(0.0 * each, 1000.0 * each, 101.0 * each, 1001.0 * each, each, 1101.0 * each)
    e2e_s, ttft_s, tpot_s = loop_means(load, server, 20)
    assert e2e_s == pytest.approx(20 * 1.06, rel=0.06)
    assert tpot_s == pytest.approx(0.202, rel=0.06)
    assert ttft_s == pytest.approx(0.9 * 1.01 + 0.1 * 10.6, rel=0.02)


def test_requests_beyond_the_slots_wait_in_ttft():
    """With 10 slots the rate is that of 10 decoding, whatever is in flight; the rest of C = rate x (TTFT + 100 TPOT) waits."""
    few = replace(SERVER, sequence_limit=10.0)
    a, b = (figures("closed", few, concurrency=c) for c in (50.0, 100.0))
    assert a.requests_per_s == pytest.approx(b.requests_per_s, rel=0.05)
    assert a.tpot_s == pytest.approx(b.tpot_s, rel=0.02)
    assert b.ttft_s > a.ttft_s + 4.0


def test_a_rate_below_capacity_is_served_and_above_it_is_not():
    """Full: 1 / (0.01 + 100 x 0.11 / 100) = 8.33 requests a second, and a run of 1,000 ends with a server that empties."""
    assert figures("open", requests_per_s=2.0, prompts=1000.0).requests_per_s == pytest.approx(2.0, rel=0.01)
    over = figures("open", requests_per_s=100.0, prompts=1000.0)
    assert 7.5 < over.requests_per_s < 8.4
    assert over.ttft_s == pytest.approx(500 * (1 / 8.33 - 1 / 100), rel=0.1)


def test_a_burst_waits_for_all_prefills_before_it_and_drains_at_the_steps_of_what_is_left():
    """1,000 prompts at 8.33 a second, all there at the start: on average half a run's wait. Endless, none drains."""
    burst, endless = figures("saturated", prompts=1000.0), figures("saturated")
    assert endless.requests_per_s == pytest.approx(1 / (0.010 + 100 * 0.110 / 100), rel=0.02)
    assert burst.requests_per_s < endless.requests_per_s
    assert burst.ttft_s == pytest.approx(0.5 * 1000 / endless.requests_per_s, rel=0.1)


def test_long_tailed_lengths_are_gamma():
    """Deviation 1 is exponential: of 200, one in each slice, the median is ln 2 = 0.693 means, the longest some ln 400."""
    drawn = ServingLoad("saturated", 1e5, 1e6, length_cv=1.0).drawn(200)
    for lengths, mean in ((drawn.uncached_tokens, 1e5), (drawn.output_tokens, 1e6)):
        shares = np.asarray(lengths) / mean
        assert (shares.mean(), shares.std()) == (pytest.approx(1.0, rel=1e-3), pytest.approx(1.0, rel=0.04))
        assert np.median(shares) == pytest.approx(np.log(2.0), rel=0.03)
        assert shares.max() == pytest.approx(np.log(400.0), rel=0.1)


def test_an_slo_binds_how_many_decode_together():
    """TPOT of 50 ms: 40 sequences, less what prefills take between two tokens; without, 100."""
    tight, loose = (figures("saturated", slo=Slo(10.0, tpot)) for tpot in (0.05, 0.5))
    assert tight.requests_per_s < 0.9 * loose.requests_per_s
    assert tight.tpot_s <= 0.05


def test_decode_workers_see_no_prefill():
    """8 in flight over one decode worker: a step of at most 18 ms between tokens, and nothing else."""
    found = figures("closed", replicas=2.0, prefill=1.0, concurrency=8.0)
    assert 0.010 < found.tpot_s <= 0.0181
    assert found.ttft_s >= 0.020


def test_a_prompt_is_computed_before_it_is_decoded():
    """One in flight: 10 ms + 1,000 x 10 us, a step of 10 ms that takes it in, and 100 of 11 ms."""
    alone = figures("closed", replicas=2.0, prefill=1.0, concurrency=1.0, length_cv=1e-9)
    assert (alone.ttft_s, alone.tpot_s) == pytest.approx((0.020 + 0.010, 0.011))
    assert alone.requests_per_s == pytest.approx(1.0 / (0.030 + 100 * 0.011))


@pytest.mark.parametrize(("prefill", "decoding", "most"), [(1.0, 3.0, 1.0), (3.0, 1.0, 3.0)])
def test_workers_of_prompts_bound_a_closed_loop(prefill, decoding, most):
    """8,000 tokens fill a step of 8,192: 10 + 80 ms each. 64 in flight over short answers wait for them: a rate of 1 / 90 ms a
    worker, and by Little's law all that is not decoded is waited for, the first burst too."""
    load = {"concurrency": 64.0, "isl": 8000.0, "osl": 2.0, "length_cv": 1e-9}
    found = figures("closed", replicas=prefill + decoding, prefill=prefill, **load)
    assert found.requests_per_s == pytest.approx(most / 0.090, rel=0.1)
    assert found.ttft_s == pytest.approx(64.0 * 0.090 / most, rel=0.1)


def test_a_run_over_workers_apart_ends_with_its_last_request():
    """16 requests, 8 in flight, of equal length: two rounds of a burst of prompts and 100 steps."""
    load = {"replicas": 2.0, "prefill": 1.0, "concurrency": 8.0, "length_cv": 1e-9}
    once, twice = (figures("closed", **load, prompts=count) for count in (8.0, 16.0))
    assert once.requests_per_s == pytest.approx(8.0 / (0.010 + 8 * 0.010 + 0.010 + 100 * 0.018), rel=0.02)
    assert twice.requests_per_s == pytest.approx(once.requests_per_s, rel=0.02)


def test_replicas_divide_the_load_and_those_beyond_the_requests_stand_idle():
    one, four = figures("closed", concurrency=8.0), figures("closed", replicas=4.0, concurrency=32.0)
    assert four.requests_per_s == pytest.approx(4 * one.requests_per_s)
    assert (four.ttft_s, four.tpot_s) == pytest.approx((one.ttft_s, one.tpot_s))
    assert figures("static", replicas=8.0, concurrency=1.0) == figures("static", concurrency=1.0)


def test_a_speed_is_another_clock():
    for kind, size in (("static", {"concurrency": 4.0}), ("closed", {"concurrency": 4.0}), ("saturated", {"prompts": 300.0})):
        plain, fast = figures(kind, **size), figures(kind, speed=2.0, **size)
        assert fast.requests_per_s == pytest.approx(2 * plain.requests_per_s)
        assert fast.tpot_s == pytest.approx(plain.tpot_s / 2)


def test_stages_hold_the_layers_and_one_request_uses_one_of_them():
    """Four stages serve four batches at the pace of one card; a single one gains by chunks that follow each other alone:
    8 chunks over 4 stages take 11 of 32 turns."""
    staged = replace(PLAN, stages=4.0)
    assert figures("closed", plan=staged, concurrency=4.0).requests_per_s == pytest.approx(
        4 * figures("closed", concurrency=1.0).requests_per_s)
    assert staged.prompt_share(8 * 8192.0, 1.0) == pytest.approx(11 / 32)
    assert staged.prompt_share(8 * 8192.0, 4.0) == 1.0
    one, four = (p.memory(RequestShape(100.0, 100.0)).resident_bytes for p in (PLAN, staged))
    assert one == pytest.approx(4 * four)


def test_a_row_is_predicted_as_size_replays_the_same_plan():
    """An open loop of a published engine: the server, the requests and the replay of `size` give `validate`'s figures."""
    run = serving_run_of(**{**CLOSED_ROW, "load": "open", "concurrency": "", "offered_req_per_s": "3", "prompts": "400",
                            "kv_dtype": "fp8"})
    plan = ServingPlan(run.system.shape, run.system.gpu, 4, "fp8", "fp8", engine="vllm")

    class Traffic:
        shape = run.load.requests

        def drawn(self, count):
            return run.load.drawn(count)

        def arrivals(self, count):
            return poisson_arrivals(count, SEED)

    server = published_server(plan, Traffic())
    known = serving_evidence(run)
    assert server == run.system.plan(known.habits).server(run.load.requests, known.efficiencies)
    curve = LoadCurve(load_of(plan, Traffic().drawn(400), Traffic().arrivals(400)), server)
    sized, row = curve.at(3.0), predict_serving(run, known)
    assert row["tpot"].value == pytest.approx(sized.tpot_p50_s, rel=0.05)
    held = replace(run, load=ServingLoad("saturated", 1024.0, 1024.0, slo=Slo(2.0, 0.05)))
    found = run_figures(held, known.efficiencies, known.habits)(1.0)
    first = LoadCurve(load_of(plan, Traffic().drawn(600), Traffic().arrivals(600)), server).capacity(Slo(2.0, 0.05))
    count = min(max(int(first.in_flight * 10), 600), 4000)
    sized = LoadCurve(load_of(plan, held.load.drawn(count), Traffic().arrivals(count)), server).capacity(Slo(2.0, 0.05))
    assert found.requests_per_s == pytest.approx(sized.requests_per_s)


@pytest.mark.parametrize("model", ["qwen3-32b", "qwen3-30b-a3b"])
def test_the_interval_of_a_row_is_that_of_its_plan(model):
    """Dense and mixture, from a source that no fit has seen, as one's own servers are."""
    run = serving_run_of(**{**CLOSED_ROW, "model": model, "gpu": "H100-80GB-SXM", "source": "mine"})
    path, speed = published_engine_speed(find_engine(run.engine), run.system.gpu.id, model, mixture=run.system.shape.mixture)
    known = serving_evidence(run)
    assert (known.speed_low, known.speed_high) == (speed.low, speed.high)
    assert ("mixture" in path) == (model == "qwen3-30b-a3b")


def test_tpot_as_the_row_defines_it():
    """O = 101, TTFT 37 ms, TPOT 11.1 ms. Over all tokens: 100/101. End to end, lengths uniform within 8 to 512 of mean 260:
    E[1/O] = ln 64 / 504, 2.146 / 260."""
    run, found = serving_run_of(**CLOSED_ROW), OperatingFigures(1.0, 0.037, 0.0111, 101.0, 1000.0)
    assert stated_tpot(replace(run, tpot_kind="over-all-tokens"), found) == pytest.approx(found.tpot_s * 100 / 101)
    assert stated_tpot(replace(run, tpot_kind="end-to-end"), found) == pytest.approx((found.ttft_s + 100 * found.tpot_s) / 101)
    uneven = replace(run, tpot_kind="end-to-end", load=replace(run.load, length_cv=252 / 260 / 3**0.5))
    assert stated_tpot(uneven, found) == pytest.approx(found.ttft_s / 101 * 2.146 + 100 / 101 * found.tpot_s, rel=1e-3)


def test_a_static_row_by_hand():
    """Llama-2-7B, one H100, 128 in and 128 out, alone; measured 0.9326 s.

    Read: (6,607,077,376 + 266,240) x 2 B / (3.35e12 x 0.8) = 4.9308 ms; overhead 1 + 32 x 0.02 = 1.64 ms; step 6.5708.
    A sequence: 2 x 6.607e9 / (989.4e12 x 0.5) = 0.0267 + 0.01 ms. KV: 192 x 524,288 B / (3.35e12 x 0.8) = 0.0376 ms.
    Together 6.6451 ms x 127 = 843.9 ms. Prefill: 6.57 + 128 x (2 x 6.476e9 + 2 x 2 x 32 x 32 x 128 x 64) / 494.7e12 s =
    6.57 + 3.36 ms; 10 ms and 1.5 steps before it. 873.7 ms.
    """
    assert 1.0 / by_round(serving_run_of(**STATIC_ROW)).requests_per_s == pytest.approx(0.8737, rel=2e-3)


def test_a_closed_row_by_hand():
    """Llama-3.1-70B in fp8 on four H200, 16 in flight, 1,024 in and out; measured TTFT 126 ms, TPOT 10.94 ms.

    Read: 68.45e9 x 1 B + 1.052e9 x 2 B = 70.55 GB / (4 x 4.8e12 x 0.8) = 4.593 ms. Overhead: 1 + 80 x 0.02 = 2.6 ms;
    all-reduces 160 x 5 us = 0.8 ms. Sequence: 2 x 69.50e9 / (4 x 1,979e12 x 0.5) = 35.1 us + 10 us + all-reduce bytes
    1.5 x 160 x 8192 x 2 B / (450e9 x 0.5) = 17.5 us. KV: 1,536 x 163,840 B / 4 / (4.8e12 x 0.8) = 16.4 us. 16 of them: 1.26 ms.
    Step 9.26 ms. Prefill: 1,024 x [(2 x 68.45e9 / 1,979e12 + 4 x 80 x 64 x 128 x 512 / 989e12) / 2 + 17.5 us] = 54 ms.
    At 1.6 requests a second TPOT = 9.26 / (1 - 1.6 x 0.054) = 10.1 ms.
    """
    assert by_round(serving_run_of(**CLOSED_ROW)).tpot_s == pytest.approx(0.0101, rel=0.02)


def test_an_engine_that_takes_a_share_of_free_memory_holds_what_one_that_takes_a_share_of_the_card_does_not():
    """Llama-3.1-70B in fp8 on one H100: weights of 70.6 GB of the card's 85.0; 0.9 of the card leaves less than 4 GB."""
    plan = replace(PLAN, shape=find_model("llama-3.1-70b"), weight_dtype="fp8", kv_dtype="fp8")
    card, free = (replace(plan, habits=EngineHabits(0.9, of_free=of), sequence_limit=256.0).memory(RequestShape(128.0, 128.0))
                  for of in (False, True))
    assert card.kv_capacity_bytes < 3e9
    assert free.kv_capacity_bytes == pytest.approx(0.9 * (free.device_bytes - free.resident_bytes - free.workspace_bytes))
    assert free.kv_capacity_bytes > 2 * card.kv_capacity_bytes


def test_a_window_of_all_layers_is_no_limit_to_an_engine_that_ignores_it():
    """Mistral-7B keeps 4,096 of 20,000 tokens; gpt-oss, whose layers differ, is served as it is."""
    mistral = replace(PLAN, shape=find_model("mistral-7b-v0.1"), habits=engine_habits("tensorrt-llm"))
    assert mistral.cached_shape.cache_bytes(20000.0) == pytest.approx(20000 / 4096 * mistral.shape.cache_bytes(20000.0))
    mixed = replace(mistral, shape=find_model("gpt-oss-20b"))
    assert mixed.cached_shape is mixed.shape


@pytest.mark.parametrize(("engine", "alone"), [("sglang", True), ("vllm-2024", True), ("vllm", False), ("tensorrt-llm", False)])
def test_a_plan_schedules_as_its_engine_does(engine, alone):
    """Engines that mix prompts with decodes in a step, and those that compute prompts in steps of their own."""
    plan = replace(PLAN, habits=engine_habits(engine))
    assert plan.server(RequestShape(1000.0, 100.0), ROUND).prompts_alone is alone


def test_attention_parallel_gives_each_sequence_a_gpu_and_each_gpu_the_dense_weights():
    """Qwen3-235B has 4 KV heads: split over 8 GPUs each holds one, twice what a sequence needs."""
    split = replace(PLAN, shape=find_model("qwen3-235b-a22b"), tensor_parallel=8.0, weight_dtype="fp8")
    spread = replace(split, attention_parallel=True)
    shape = RequestShape(1000.0, 1000.0)
    assert split.memory(shape).kv_read_bytes == pytest.approx(2 * spread.memory(shape).kv_read_bytes)
    assert spread.memory(shape).resident_bytes > split.memory(shape).resident_bytes
    assert spread.largest_step[0] == 8 * split.largest_step[0]


def test_each_gpu_of_attention_parallel_schedules_its_own_sequences_and_waits_for_the_fullest_experts():
    """Qwen3-235B on 8 GPUs: 10 us a sequence are 1.25 us; 94 layers x 100 us of exchange; 128 experts whose tokens spread by
    their mean give the fullest GPU 1 + sqrt(8 / 128) x 1.4236, the mean of the largest of 8 normal values, times the mean."""
    plan = replace(PLAN, shape=find_model("qwen3-235b-a22b"), tensor_parallel=8.0, weight_dtype="fp8", attention_parallel=True)

    def step(**changed):
        return plan.iteration(RequestShape(1000.0, 1000.0), replace(ROUND, **changed))

    assert step().sequence_s - step(sequence_overhead_s=0.0).sequence_s == pytest.approx(1e-5 / 8)
    assert step(host_sequence_s=4e-5).host_sequence_s == pytest.approx(5e-6)
    assert step(exchange_latency_s=1e-4).step_s - step().step_s == pytest.approx(94e-4)
    plan = replace(plan, tensor_parallel=2.0)
    assert step(exchange_latency_s=1e-4).step_s - step().step_s == pytest.approx(94e-4 / 3)
    plan = replace(plan, tensor_parallel=8.0)
    uneven, slower = step(expert_imbalance=1.0), step(expert_products=1.0 + 1.4236 / 4.0)
    assert (uneven.sequence_s, uneven.prefill_token_s) == pytest.approx((slower.sequence_s, slower.prefill_token_s), rel=1e-5)
    one = replace(plan, tensor_parallel=1.0).iteration(RequestShape(1000.0, 1000.0), replace(ROUND, expert_imbalance=1.0))
    assert one.sequence_s == replace(plan, tensor_parallel=1.0).iteration(RequestShape(1000.0, 1000.0), ROUND).sequence_s


def test_gpus_of_attention_parallel_have_room_for_the_experts_of_all_tokens():
    """Qwen3-235B, 8 GPUs of 8,192 tokens: in 16 bit 4 x 4,096 of its own, and for each of 65,536 gathered tokens 2 x 4,096 and
    8 rows of 4,096 + max(2 x 1,536, 4,096). Split experts of Mixtral: 2 rows of 4,096 + 2 x 14,336 / 2 a token."""
    qwen, mixtral = find_model("qwen3-235b-a22b"), find_model("mixtral-8x7b")
    spread = activation_bytes(qwen, 8.0, 8192.0, 0.0, attention_parallel=True)
    assert spread == pytest.approx(2 * 8192 * (4 * 4096 + 8 * (2 * 4096 + 8 * 2 * 4096)))
    assert activation_bytes(mixtral, 2.0, 8192.0, 0.0) == pytest.approx(2 * 8192 * (4 * 4096 + 2 * (4096 + 14_336)))


def test_rows_beyond_the_largest_tile_are_multiplied_as_fast_as_a_prompt():
    """At 0.25 of the rate while decoding and 0.5 in prompts each sequence beyond 256 takes half of what one takes below."""
    step = PLAN.iteration(RequestShape(1000.0, 100.0), replace(ROUND, decode_mfu=0.25, sequence_overhead_s=0.0))
    below, above = (float(step.decode_s(n + 50.0, 0.0) - step.decode_s(n, 0.0)) for n in (200.0, 400.0))
    assert above == pytest.approx(below / 2.0)


def test_a_step_is_no_shorter_than_the_host_that_starts_its_kernels():
    """36 layers at 600 us: 21.6 ms, behind which an 8B's reading on an H20 disappears; a 70B's on one does not."""
    slow = replace(ROUND, host_layer_s=6e-4)
    small = replace(PLAN, shape=find_model("qwen3-8b"), gpu=find_gpu("H20"))
    shape = RequestShape(1.0, 2.0)
    assert float(small.iteration(shape, slow).decode_s(1.0, 0.0)) == pytest.approx(36 * 6e-4, rel=0.01)
    large = replace(small, shape=find_model("llama-3-70b"))
    assert float(large.iteration(shape, slow).decode_s(1.0, 0.0)) == pytest.approx(
        float(large.iteration(shape, replace(ROUND, host_layer_s=0.0)).decode_s(1.0, 0.0)), rel=0.3)


def test_a_host_that_waits_for_each_product_hides_nothing_behind_the_device():
    """Qwen3-8B on H20: 36 layers of 7 matrices, 0.1 ms each in 8 bits. int8: the longer of host and device; fp8: both.

    Qwen3-30B-A3B: 48 layers x 128 experts x 80 us = 492 ms, and 48 x 600 us, beside the device's time in bf16 too.
    """
    plan, shape = replace(PLAN, shape=find_model("qwen3-8b"), gpu=find_gpu("H20")), RequestShape(1.0, 2.0)
    slow = replace(ROUND, host_layer_s=6e-4, host_linear_s=1e-4, host_expert_s=8e-5)

    def seconds(model, dtype, engine):
        one = replace(plan, shape=find_model(model), weight_dtype=dtype)
        return float(one.iteration(shape, engine).decode_s(1.0, 0.0))

    host = 36 * 6e-4 + 252 * 1e-4
    assert seconds("qwen3-8b", "int8", slow) == pytest.approx(host, rel=1e-6)
    assert seconds("qwen3-8b", "fp8", slow) == pytest.approx(host + seconds("qwen3-8b", "fp8", ROUND), rel=1e-6)
    experts = 48 * 6e-4 + 48 * 128 * 8e-5
    assert seconds("qwen3-30b-a3b", "bf16", slow) == pytest.approx(experts + seconds("qwen3-30b-a3b", "bf16", ROUND), rel=1e-6)


def test_hosts_of_a_pipeline_schedule_a_batch_of_every_stage_in_a_turn():
    """4 stages: 4 batches take 4 x (2 ms + 10 us a sequence) of each host while one passes them all."""
    host = replace(ROUND, host_step_s=2e-3, host_sequence_s=1e-5)
    step = replace(PLAN, stages=4.0).iteration(RequestShape(1000.0, 100.0), host)
    assert float(step.floor_s(100.0)) == pytest.approx(4 * (2e-3 + 100 * 1e-5))
    unhosted = replace(PLAN, stages=4.0).iteration(RequestShape(1000.0, 100.0), ROUND)  # half of that is waited for
    assert float(step.decode_s(100.0, 0.0) - unhosted.decode_s(100.0, 0.0)) == pytest.approx(2 * (2e-3 + 100 * 1e-5))
    assert float(replace(PLAN, stages=1.0).iteration(RequestShape(1000.0, 100.0), host).floor_s(100.0)) == pytest.approx(3e-3)


def test_a_stream_that_sends_ten_tokens_at_a_time_takes_a_tenth_of_the_host_s_time_for_a_sequence():
    """TensorRT-LLM, 1 ms a step and 10 us a sequence of the host: 100 sequences take 2 ms, and 1.1 where ten go out at once."""
    host = replace(ROUND, host_step_s=1e-3, host_sequence_s=1e-5)
    row = {"engine": "tensorrt-llm", "stream_interval": "10"}
    plan = serving_run_of(**row).system.plan(engine_habits("tensorrt-llm"))
    found = [replace(plan, stream_interval=each).iteration(RequestShape(1000.0, 100.0), host) for each in (1.0, 10.0)]
    assert [float(step.floor_s(100.0)) for step in found] == pytest.approx([2e-3, 1.1e-3])
    assert plan.stream_interval == 10.0
    assert found[0].device_s(100.0, 1e9) == found[1].device_s(100.0, 1e9)


def test_the_last_stage_of_a_pipeline_sets_its_pace():
    """8 stages, a batch on each: the head of Llama-3.1-8B, 525M x 2 bytes at 0.8 x 3.35e12 bytes/s, 0.392 ms, for each of them.

    What a turn takes: 8 x (layers / 8 + head) = layers + 8 heads. One batch alone passes each stage once.
    """
    plan, shape = replace(PLAN, stages=8.0), RequestShape(1000.0, 100.0)
    step = plan.iteration(shape, ROUND)
    full, alone = (plan.loaded(step, 1000.0, batches) for batches in (8.0, 1.0))
    assert full.step_s - step.step_s == pytest.approx(7 * 128_256 * 4096 * 2 / (0.8 * 3.35e12), rel=1e-3)
    assert full.sequence_s - step.sequence_s == pytest.approx(7 * 2 * 128_256 * 4096 / (0.5 * 989e12), rel=1e-2)
    assert (alone.step_s, alone.sequence_s) == (step.step_s, step.sequence_s)


def test_kernels_of_4_bit_weights_multiply_16_rows_and_unpack_experts_by_themselves():
    """A card with few FLOPs a byte shows it (H20): of 64 rows in 16 bits, 16 in 4."""
    plan, tiles = replace(PLAN, gpu=find_gpu("H20")), replace(ROUND, least_rows=64.0, unpacking=0.1, expert_unpacking=0.4)
    step = {dtype: replace(plan, weight_dtype=dtype).iteration(RequestShape(1.0, 2.0), tiles) for dtype in ("bf16", "int4")}
    assert [float(step[dtype].least_rows) for dtype in ("bf16", "int4")] == [64.0, 16.0]
    mixture = replace(plan, shape=find_model("qwen3-30b-a3b"), weight_dtype="int4")
    plain = replace(tiles, expert_unpacking=0.0)
    own, none = (float(mixture.iteration(RequestShape(1.0, 2.0), e).experts_s) for e in (tiles, plain))
    assert own == pytest.approx(1.4 * none)


@pytest.mark.parametrize(("model", "gpu", "engine", "seconds"), [
    ("qwen3-8b", "H20", "sglang", 128 / (0.5 * 148e12)), ("qwen3-30b-a3b", "H20", "sglang", 128 / (0.5 * 148e12)),
    ("qwen3-1.7b", "H20", "sglang", 1 / (0.8 * 4e12)), ("qwen3-8b", "H20", "vllm", 1 / (0.8 * 4e12)),
    ("qwen3-8b", "H100", "sglang", 1 / (0.8 * 3.35e12))])
def test_decode_attention_multiplies_tiles_of_128_rows_where_a_card_has_few_flops_a_byte(model, gpu, engine, seconds):
    """A byte of keys and values takes 128 FLOPs: 1.7 ps on an H20, which reads it in 0.31; on an H100 0.26 of 0.37 ps.

    Groups of 4 and 8 query heads; of 2, as Qwen3-1.7B's, are left to CUDA cores. A byte in fp8 takes 256, at twice the rate.
    """
    plan = replace(PLAN, shape=find_model(model), gpu=find_gpu(gpu), habits=engine_habits(engine))
    found = [float(replace(plan, kv_dtype=kv).iteration(RequestShape(1.0, 2.0), ROUND).kv_byte_s) for kv in ("bf16", "fp8")]
    assert found == pytest.approx([seconds, seconds])


@pytest.mark.parametrize(("gpu", "engine", "rows"), [
    ("H20", "sglang", 64 * 2 / 3 / 1.2), ("H20", "vllm", 64), ("RTX-4090", "sglang", 64)])
def test_few_rows_in_fp8_take_two_thirds_of_those_in_16_bits_with_kernels_of_warp_groups(gpu, engine, rows):
    """Nor does power slow them, which makes products of prompts in fp8 1.2 times as long as at their peak."""
    plan = replace(PLAN, gpu=find_gpu(gpu), habits=engine_habits(engine))
    found = {dtype: replace(plan, weight_dtype=dtype).iteration(
        RequestShape(1.0, 2.0), replace(ROUND, least_rows=64.0, fp8_products=1.2)) for dtype in ("fp8", "bf16")}
    assert {dtype: float(step.least_rows) for dtype, step in found.items()} == pytest.approx({"fp8": rows, "bf16": 64.0})


@pytest.mark.parametrize(("gpu", "longer"), [("H200", 1.4), ("MI300X", 1.4), ("B200", 1.0), ("MI355X", 1.0)])
def test_experts_in_mxfp4_are_unpacked_where_no_unit_multiplies_4_bits(gpu, longer):
    """gpt-oss: reading its experts takes 1.4 times as long; attention in 16 bits does not, and its tiles have 64 rows."""
    oss = replace(PLAN, shape=find_model("gpt-oss-120b"), gpu=find_gpu(gpu), weight_dtype="mxfp4")
    with_it, without = (oss.iteration(RequestShape(1.0, 2.0), replace(
        ROUND, unpacking=share, expert_unpacking=share, least_rows=64.0)) for share in (0.4, 0.0))
    assert float(with_it.experts_s) == pytest.approx(longer * float(without.experts_s))
    assert (with_it.read_s, with_it.least_rows) == (without.read_s, 64.0)


def test_experts_in_4_bits_have_kernels_one_after_the_other_in_engines_of_2024():
    """Qwen3-30B-A3B has 48 layers of 128 experts, 5 us each: 30.72 ms a step; in 16 bits, and with kernels of today, none."""
    requests = RequestShape(1.0, 2048.0)
    def step_s(weights, engine):
        return ReplicaPlan(find_model("qwen3-30b-a3b"), find_gpu("H20"), 1.0, weights, "bf16", habits=engine_habits(engine)
                           ).iteration(requests, ROUND).step_s
    assert step_s("int4", "sglang-2024") - step_s("int4", "sglang") == pytest.approx(48 * 128 * 5e-6)
    assert step_s("bf16", "sglang-2024") == step_s("bf16", "sglang")


@pytest.mark.parametrize(("model", "attention_parallel", "seconds"), [
    ("mixtral-8x7b", False, 32 * 8 * 5e-6), ("mixtral-8x7b", True, 32 * 1 * 5e-6),
    ("deepseek-v3", False, 58 * 256 * 5e-6), ("deepseek-v3", True, 58 * 32 * 5e-6)])
def test_a_gpu_starts_kernels_of_the_experts_that_it_has(model, attention_parallel, seconds):
    """On 8 GPUs: slices of all experts where each is split, an eighth of them whole where they are spread."""
    with_them, without = (float(roofline_iteration(
        find_model(model), find_gpu("H100"), 8.0, "int4", 512.0, ROUND, attention_parallel=attention_parallel,
        experts_apart=apart).step_s) for apart in (True, False))
    assert with_them - without == pytest.approx(seconds)


def test_gguf_formats_take_their_files_bits_for_every_tensor():
    """Llama-3-8B in Q4_K_M is a file of 4.92 GB; its fp16 one of 16.06 GB."""
    shape = find_model("llama-3-8b")
    assert weight_bytes(shape, "q4_k_m") == pytest.approx(4.92e9, rel=0.01)
    assert weight_bytes(shape, "f16") == pytest.approx(16.06e9, rel=0.01)


@pytest.mark.parametrize(("name", "block_bits", "more"), [
    ("q4_0", 4.5, 0.01), ("q4_1", 5.0, 0.01), ("q5_0", 5.5, 0.01), ("q5_1", 6.0, 0.01), ("q8_0", 8.5, 0.01),
    ("iq4_nl", 4.5, 0.02), ("iq4_xs", 4.25, 0.02), ("q4_k_s", 4.5, 0.02), ("q5_k_s", 5.5, 0.01), ("q6_k", 6.5625, 0.001),
    ("iq2_xxs", 2.0625, 0.05), ("iq3_s", 3.4375, 0.03), ("q3_k_s", 3.4375, 0.03),
])
def test_bits_of_a_gguf_format_are_those_of_its_blocks_and_of_a_head_in_q6_k(name, block_bits, more):
    """ggml's blocks: q4_1 packs 32 weights in 20 bytes, 5 bits each; of Llama-3.1-8B the head, 0.525e9 of 8.03e9, is in q6_k.

    q8_0 keeps the head as all else, and iq3_xxs in fewer bits. Mixtures of blocks keep some more
    tensors in wider formats: up to `more` above that.
    """
    shape = find_model("llama-3.1-8b")
    head = shape.head_parameters / shape.parameters
    floor = block_bits + head * max(6.5625 - block_bits, 0.0)
    assert floor * 0.995 < 8.0 * weight_bytes(shape, name) / shape.parameters < floor * (1.0 + more)


def test_no_gguf_format_reads_less_than_one_of_fewer_bits():
    shape, gpu, row = find_model("llama-3.1-8b"), find_gpu("RTX 4090"), engine_row("llama.cpp", recent=True)[0]
    names = sorted(GGUF_BITS, key=lambda name: GGUF_BITS[name])
    steps = [float(roofline_iteration(shape, gpu, 1.0, name, 0.0, on_card(row, gpu)).step_s) for name in names]
    assert steps == sorted(steps)
    assert len(names) == len(set(GGUF_BITS.values())) == 27
    named = get_args(get_args(ServingRow.model_fields["weight_dtype"].annotation)[0])
    assert {*named, "mxfp4-dense"} == set(WEIGHT_FORMATS)


@pytest.mark.parametrize(("engine", "weights"), [
    ("llama.cpp", "q4_k_m"), ("llama.cpp", "f16"), ("vllm", "fp16"), ("other", "int4")])
def test_no_card_is_faster_than_its_roofline_and_none_is_slower_than_one_of_its_kind_that_is_less(engine, weights):
    """GeForce's clocks exceed the datasheet's, and so may its products, by what was measured (RTX 3090: 1.10).

    Of NVIDIA's cards in one generation, where memory and products are both faster, a step takes no longer.
    """
    shape, row = find_model("llama-3.1-8b"), engine_row(engine, recent=True)[0]
    steps = {}
    for gpu in load_gpus():
        best, told = (roofline_iteration(shape, gpu, 1.0, weights, 256.0, known) for known in (PERFECT, on_card(row, gpu)))
        assert 0.0 < float(best.decode_s(1.0, 0.0)) <= float(told.decode_s(1.0, 0.0)) < 10.0, gpu.id
        assert 0.0 < float(best.prefill_token_s) <= float(told.prefill_token_s) * max(matrix_share(gpu), 1.0), gpu.id
        if gpu.id.startswith("RTX-") and not gpu.id.startswith("RTX-A"):
            steps[gpu] = float(told.decode_s(1.0, 0.0))
    for one, slow in steps.items():
        for other, fast in steps.items():
            less = one.bandwidth_bytes_per_s <= other.bandwidth_bytes_per_s and one.fp16_flops <= other.fp16_flops
            assert not less or one.id[4:6] != other.id[4:6] or slow >= fast * 0.98, (one.id, other.id)


def test_efficiencies_broadcast_as_plans_do():
    """Element i of the vectorised coefficients is the scalar one."""
    cards = [find_gpu("H100"), find_gpu("L40S"), find_gpu("MI300X")]
    row = engine_row("vllm", recent=True)[0]
    many = roofline_iteration(PLAN.shape, cards, np.array([1.0, 2.0, 4.0]), ["bf16", "fp8", "fp8"], 500.0, on_card(row, cards))
    for k, (card, tp, dtype) in enumerate(zip(cards, (1.0, 2.0, 4.0), ("bf16", "fp8", "fp8"), strict=True)):
        one = roofline_iteration(PLAN.shape, card, tp, dtype, 500.0, on_card(row, card))
        assert many.step_s[k] == pytest.approx(one.step_s)
        assert many.prefill_token_s[k] == pytest.approx(one.prefill_token_s)


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
    return replace(ServingEvidence(ROUND, EngineHabits(), 0.8, 1.25, 0.5, 2.0), **change)


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


def test_a_load_that_memory_may_not_hold_is_wider_by_what_its_room_may_be_off():
    """Llama-2-70B in fp16 on four A100-40GB: 2 x 80 x 8 x 128 x 2 / 4 bytes a token, 168 MB a request of 2,048. Left are 4.84
    GB of 42.4, 5% of which are 2.12: 16 requests (2.68 GB) lie within 2.72, 17 do not: ln(1 + 2.12 / 4.84) = 0.363 is added.

    On two stages of two cards a request has 336 MB and 4.53 GB are left: a batch of seven on each (2.35 GB) lies within 2.41.
    Of three replicas, one for prompts alone, the others hold all: 14 each (2.35 GB) lie within 4.64 - 2.12, 18 do not.
    """
    def run(load="static", **change):
        return serving_run_of(**{**STATIC_ROW, "model": "llama-2-70b", "gpu": "A100-40GB-SXM", "engine": "tensorrt-llm",
                                 "tp": "4", "isl": "1024", "osl": "1024", "load": load, **change})

    def spread(one):
        return room_spread(one, one.system.plan(engine_habits(one.engine)))

    assert [spread(run(concurrency=n)) for n in ("1", "16", "17", "64")] == pytest.approx([0.0, 0.0, 0.363, 0.363], abs=1e-3)
    assert spread(run(concurrency="34", replicas="34")) == 0.0
    split = [spread(run("closed", concurrency=n, replicas="3", prefill_replicas="1")) for n in ("28", "36")]
    assert split == pytest.approx([0.0, 0.377], abs=1e-3)
    assert [spread(run(concurrency=n, tp="2", pp="2")) for n in ("14", "15")] == pytest.approx([0.0, 0.384], abs=1e-3)
    assert spread(run("saturated", concurrency="", prompts="100")) == 0.0
    known = evidence(habits=engine_habits(run().engine))
    narrow, wide = (predict_serving(run(concurrency=n), known)["throughput"] for n in ("16", "17"))
    more = np.hypot(np.log(known.speed_high), spread(run(concurrency="17")))
    assert wide.high / wide.value == pytest.approx(np.exp(more), rel=1e-3)
    assert narrow.high / narrow.value == pytest.approx(known.speed_high, rel=1e-3)


def test_first_tokens_may_wait_behind_ten_thousand_others_a_second():
    """ln 2 of the evidence and ln 8 of the backlog: sqrt(0.693^2 + 2.079^2) = 2.192, a factor of 8.95 on the late side."""
    row = {**CLOSED_ROW, "model": "llama-3.1-8b", "kv_dtype": "fp8"}
    few, many = (predict_serving(serving_run_of(**{**row, "concurrency": c}), evidence())["ttft"] for c in ("16", "512"))
    assert few.high / few.value == pytest.approx(2.0, rel=1e-3)
    assert many.high / many.value == pytest.approx(8.95, rel=1e-3)
    assert many.low / many.value == pytest.approx(0.5, rel=1e-3)


def test_above_capacity_an_engine_of_2024_may_let_requests_wait_between_tokens():
    """Four times TPOT with what the replay takes for the wait before the first of them: 1,023 more follow."""
    run = serving_run_of(**{**CLOSED_ROW, "kv_dtype": "fp8", "design": "2024", "load": "open", "offered_req_per_s": "50",
                            "prompts": "2000"})
    found = predict_serving(run, evidence())
    assert found["ttft"].value > 10.0
    assert found["tpot"].high == pytest.approx(4.0 * (found["tpot"].value + found["ttft"].value / 1023.0))


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


def test_what_a_fit_has_not_seen_widens_the_interval_and_says_so():
    """Engine and card known; card new; engine new."""
    known = serving_evidence(serving_run_of(**CLOSED_ROW))
    card = serving_evidence(serving_run_of(**{**CLOSED_ROW, "gpu": "L40S"}))
    engine = serving_evidence(serving_run_of(**{**CLOSED_ROW, "engine": "lmdeploy"}))
    assert "rows, H200-141GB-SXM, vllm, this model; interval held " in known.basis
    assert "other cards, vllm" in card.basis
    assert "engine left out" in engine.basis
    assert known.speed_low >= card.speed_low
    assert known.speed_low > engine.speed_low


def test_amd_cards_without_a_fit_lie_half_way_to_the_build_of_2024():
    """P5 on a card that was not seen, times 0.2, and the root of it; cards with runs of their own keep theirs."""
    vllm, early = find_engine("vllm"), find_engine("vllm-2024")
    low, high = known_ends(vllm, "L4", mixture=False)
    assert known_ends(vllm, "MI300X-192GB", mixture=False) == (pytest.approx((0.2 * low) ** 0.5), high)
    assert known_ends(early, "MI300X-192GB", mixture=False) == early.ends("speed", "MI300X-192GB", mixture=False)


def test_bursts_in_an_engines_own_process_are_predicted_by_runs_of_such():
    run = serving_run_of(**{**CLOSED_ROW, "engine": "tensorrt-llm", "load": "saturated", "prompts": "1000", "concurrency": "",
                            "output_tok_per_s": "1000"})
    assert is_offline(run.load)
    assert "tensorrt-llm-offline" in serving_evidence(run).basis


def test_an_unknown_engine_is_taken_by_its_era():
    assert engine_row("lorax-2024", recent=False)[0].engine == "other-2024"
    assert engine_row("brand-new", recent=True)[0].engine == "other"


def test_a_card_reaches_what_people_measured_on_it_relative_to_the_h100():
    """MI300X: 668.4 of 1,307.4 against 794.5 of 989.4: 0.637 of the efficiencies."""
    assert reached(ROUND, find_gpu("MI300X")).decode_mfu == pytest.approx(0.5 * (668.4 / 1307.4) / (794.5 / 989.4), rel=1e-3)


def test_a_card_that_nobody_measured_reaches_what_its_power_allows_and_amds_read_less():
    """RTX A6000: 300 W for 154.8 TFLOP/s, 0.81 x 1.938^0.19 = 0.919; H20: 400 W for 148, 0.978, where 700 W for 989 limit an
    H100 to 0.80; MI300X: 0.9 of the bandwidth that NVIDIA's reach."""
    assert matrix_share(find_gpu("RTX-A6000")) == pytest.approx(0.919, rel=1e-3)
    assert matrix_share(find_gpu("H20-96GB-SXM")) == pytest.approx(0.978, rel=1e-3)
    assert matrix_share(find_gpu("MI355X")) < 0.6
    assert matrix_share(find_gpu("GB200")) == pytest.approx(1939 / 2500)
    found = reached(ROUND, find_gpu("MI300X"))
    assert (found.decode_mbu, found.kv_mbu, reached(ROUND, find_gpu("L4")).decode_mbu) == pytest.approx((0.72, 0.72, 0.8))


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


LOADS = ({"load": "static"}, {"load": "closed"}, {"load": "open", "offered_req_per_s": "3"}, {"load": "saturated"},
         {"load": "saturated", "held_to_slo": "true"}, {"load": "closed", "replicas": "4", "prefill_replicas": "1"},
         {"load": "saturated", "prompts": "200", "length_cv": "1.2"})


@pytest.mark.full
@pytest.mark.parametrize("gpu", ["L4", "A10G", "L40S", "MI300X-192GB", "H200-141GB-SXM", "B200-192GB-SXM", "RTX-4090", "T4"])
@pytest.mark.parametrize("change", LOADS)
def test_every_load_on_every_card_has_finite_ordered_figures(gpu, change):
    """Single tokens, long prompts, models that do not fit, dense and mixtures: 0 < low <= value <= high."""
    for model in ("llama-3.1-70b", "mixtral-8x7b", "llama-3.2-1b"):
        for isl, osl in (("1", "1"), ("512", "128"), ("100000", "2")):
            for tp in (1.0, 8.0):
                row = {"gpu": gpu, "model": model, "isl": isl, "osl": osl, "tp": "32"} | ({"tpot_ms": ""} if osl == "1" else {})
                run = serving_run_of(**{**CLOSED_ROW, "replicas": "8", "concurrency": "64", **change, **row})
                run = replace(run, system=replace(run.system, tensor_parallel=tp))
                for name, found in predict_serving(run, serving_evidence(run)).items():
                    if name == "tpot" and osl == "1" and found.high == 0.0:
                        continue  # nothing follows the only token
                    assert np.isfinite([found.low, found.value, found.high]).all(), row
                    nothing_holds = found.low == 0.0 and "held_to_slo" in change  # nothing is served within the limits
                    assert found.low > 0.0 or nothing_holds, row
                    assert found.low <= found.value * (1 + 1e-9) <= found.high * (1 + 2e-9), row
