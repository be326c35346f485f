"""How unsure a plan's capacity is: links that no fit has, and room for KV that no server has told, as `validate` has both."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from step_simulator import DESIGN, Truth, simulate
from tables_support import serving_run_of

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine, load_serving_efficiencies
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_errors import predict_serving
from roi.estimate.replay import load_curve
from roi.estimate.replay.load_curve import Slo
from roi.estimate.replay.traffic import Lengths, poisson_arrivals
from roi.estimate.serving.adapter_memory import AdapterSlots
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.known_runs import known_runs
from roi.evidence.served_rows import ServedRow, ServedRows
from roi.evidence.serving_speed import serving_evidence
from roi.facts.environment import Environment
from roi.facts.fact import Basis
from roi.facts.profiles import DeviceProfile, LinkRate
from roi.report.layout.wording import fact_name
from roi.resolution.plan_capacity import ServingPlan, load_of, plan_capacity, plan_evidence, published_server, replica_plan
from roi.store.profiles.loading import Store, StoredProfile

LLAMA = find_model("llama-3.1-8b")
L40S = ServingPlan(LLAMA, find_gpu("L40S"), 2, "fp8", "fp8", engine="vllm")
SPEEDS = (0.8, 1.0, 1.25)


class Traffic:
    """Equal requests: 10 tokens in, 1,001 out."""

    shape = RequestShape(10.0, 1001.0)

    def __init__(self, prompt=10.0, output=1001.0):
        self.tokens = prompt, output
        self.shape = RequestShape(prompt, output)

    def drawn(self, count):
        prompt, output = self.tokens
        return Lengths(np.full(count, prompt), np.full(count, output), np.zeros(count))

    def arrivals(self, count):
        return poisson_arrivals(count, 7)


def ends(found):
    return found.speed.low, found.speed.high


def timed(ranks):
    """Collectives between L40S: 10 us for 1 KiB, 1 ms more for 1 MiB."""
    link = tuple(LinkRate(collective=kind, ranks=ranks, message_bytes=nbytes, seconds=(s,))
                 for nbytes, s in ((1024, 10e-6), (2**20, 1010e-6)) for kind in ("all-reduce", "all-gather", "reduce-scatter"))
    cards = Environment(device="cuda", gpu="L40S", gpu_name="NVIDIA L40S", versions={})
    profile = DeviceProfile(schema="roi.profile/1", started=datetime(2026, 11, 25, tzinfo=UTC), environment=cards, rates=(),
                            link=link)
    return Store((StoredProfile(Path("L40S/device-2026-11-25.json"), profile),))


def rows(gpus, gpu="L40S", model="qwen3-8b"):
    row = ServedRow(id="r", engine="vllm", gpu=gpu, model=model, speed=1.0, gpus=gpus, weight_dtype="fp8", of_roofline=0.5)
    return ServedRows(schema="roi.served-rows/1", date=date(2026, 11, 26), roi="0", published="", table="mine", rows=(row,))


def served(gpus, **fields):
    """A server of qwen3-8b on so many L40S."""
    profile = simulate(Truth(a=12e-3), model="qwen3-8b", gpu="L40S", gpus=gpus, weight_dtype="fp8", kv_dtype="fp8",
                       engine="vllm", **fields)
    return Store((StoredProfile(Path("L40S/qwen3-8b/serve-2026-11-25.json"), profile),))


def test_a_plan_over_pcie_is_as_unsure_as_a_row_of_it():
    """ln 1.3 = 0.2624 is added, by squares, to the published half: a static batch runs at the speed, so its ends are the
    speed's. One card, and cards with NVLink, have the published speed alone."""
    row = {"gpu": "L40S", "tp": "2", "weight_dtype": "fp8", "kv_dtype": "fp8", "load": "static", "concurrency": "1",
           "source": "mine"}
    run = serving_run_of(**row)
    published = find_engine("vllm").speed("L40S", LLAMA.id, mixture=False).high
    found = plan_evidence(known_runs(), L40S, Traffic())
    assert run.system.shape is LLAMA
    assert np.log(ends(found)) == pytest.approx(np.array([-1.0, 1.0]) * np.hypot(np.log(published), 0.2624), rel=1e-3)
    judged = predict_serving(run, serving_evidence(run))["throughput"]
    assert (judged.low / judged.value, judged.high / judged.value) == pytest.approx(ends(found))
    assert found.speed_path.endswith("-pcie")
    assert fact_name(found.speed_path).endswith(", over PCIe")
    for other in (replace(L40S, tensor_parallel=1), replace(L40S, gpu=find_gpu("H100-80GB-SXM"))):
        assert not plan_evidence(known_runs(), other, Traffic()).speed_path.endswith("-pcie")


def test_attention_that_no_fit_has_seen_is_as_unsure_as_a_row_of_it():
    """DeepSeek-V3's is latent in all layers: a factor of 2, squares of logarithms added. Of Qwen3-Next three layers in four
    have linear attention: 1.75. Rows of the model itself have it in what they show. Models of the fits have neither."""
    plan = replace(L40S, shape=find_model("deepseek-v3"), gpu=find_gpu("H200-141GB-SXM"), tensor_parallel=8)
    found, published = plan_evidence(known_runs(), plan, Traffic()), find_engine("vllm").speed(
        plan.gpu.id, plan.shape.id, mixture=True).high
    assert np.log(ends(found)) == pytest.approx(np.array([-1.0, 1.0]) * np.hypot(np.log(published), np.log(2.0)), rel=1e-3)
    assert fact_name(found.speed_path).endswith(", its attention in no fit")
    row = {"gpu": plan.gpu.id, "tp": "8", "weight_dtype": "fp8", "kv_dtype": "fp8", "load": "static", "concurrency": "1",
           "source": "mine", "model": "deepseek-v3"}
    run = serving_run_of(**row)
    judged = predict_serving(run, serving_evidence(run))["throughput"]
    assert (judged.low / judged.value, judged.high / judged.value) == pytest.approx(ends(found))
    assert replica_plan(replace(plan, shape=find_model("qwen3-next-80b-a3b"))).attention_spread == pytest.approx(np.log(1.75))
    own = rows(8, gpu=plan.gpu.id, model=plan.shape.id)
    assert "attention" not in plan_evidence(known_runs(rows=(own,)), plan, Traffic()).speed_path
    fitted = {model for each in load_serving_efficiencies().engines for model in each.models}
    assert all(replica_plan(replace(plan, shape=find_model(model))).attention_spread == 0.0 for model in fitted)


def test_links_that_were_timed_or_that_a_measured_plan_has_crossed_add_nothing():
    """Rows and a server of one card say nothing of links; of two cards they have crossed them, whatever their model."""
    one, two = (plan_evidence(known_runs(timed(ranks)), L40S, Traffic()) for ranks in (4, 2))
    assert one.speed_path == f"{two.speed_path}-pcie"
    assert "all-reduce as timed in" in two.source
    assert "all-reduce as timed in" not in one.source
    for gpus in (1, 2):
        for known in (known_runs(rows=(rows(gpus),)), known_runs(served(gpus))):
            found = plan_evidence(known, L40S, Traffic())
            assert (found.basis, found.speed_path.endswith("-pcie")) == (Basis.CALIBRATED, gpus == 1)
    measured = plan_evidence(known_runs(served(2)), replace(L40S, shape=find_model("qwen3-8b")), Traffic())
    assert (measured.basis, measured.speed_path.endswith("-pcie")) == (Basis.MEASURED, False)


def test_room_that_a_server_told_is_sure():
    """5% of the card's memory else."""
    plan = replace(L40S, shape=find_model("qwen3-8b"))
    told, silent = (plan_evidence(known_runs(served(2, **fields)), plan, Traffic()) for fields in (
        {"kv_capacity_tokens": 400_000}, {}))
    other = plan_evidence(known_runs(served(2, kv_capacity_tokens=400_000)), L40S, Traffic())
    assert [found.unsure_bytes for found in (told, silent, other)] == [0.0, *[0.05 * L40S.gpu.memory_bytes] * 2]


def test_adapters_take_their_slots_from_the_room_that_a_server_told():
    """Eight of 100 MB, of a server that was measured without adapters; 300 of 500 MB leave what a sequence needs for each."""
    plan = replace(L40S, shape=find_model("qwen3-8b"), adapters=8, slots=AdapterSlots(1e8, 8.0))
    known = known_runs(served(2, kv_capacity_tokens=400_000))
    without, eight = (plan_evidence(known, each, Traffic()) for each in (replace(plan, adapters=0, slots=None), plan))
    assert without.server.kv_capacity - eight.server.kv_capacity == pytest.approx(8e8)
    assert (without.adapter_slots, eight.adapter_slots) == (0.0, 8.0)
    many = plan_evidence(known, replace(plan, adapters=300, slots=AdapterSlots(5e8, 300.0)), Traffic())
    sequence = float(replica_plan(plan).memory(Traffic().shape).kv_held_bytes)
    assert many.adapter_slots == np.floor(without.server.kv_capacity / (5e8 + sequence))
    assert f", {many.adapter_slots:,.0f} at once in " in many.source


def test_adapters_of_a_large_rank_take_the_time_of_reading_them():
    """And not the published share of the speed alone, which is of ranks 8 to 64: a step is no shorter than its bytes take."""
    plan = replace(L40S, shape=find_model("qwen3-8b"), adapters=64, slots=AdapterSlots(1.4e9, 64.0))
    steps = [plan_evidence(known_runs(), each, Traffic()).server.iteration for each in (
        replace(plan, slots=AdapterSlots(1e3, 64.0)), plan)]
    few, many = (float(step.decode_s(64.0, 0.0)) for step in steps)
    different = 64.0 * (1.0 - (63.0 / 64.0) ** 64)
    assert many - few >= different * 1.4e9 / L40S.gpu.bandwidth_bytes_per_s
    assert float(steps[1].decode_s(1.0, 0.0)) - float(steps[0].decode_s(1.0, 0.0)) < 0.03 * (many - few)


def test_more_adapters_never_hold_more():
    """Poisson arrivals of prompts of 800 tokens, answers of 150: each rank 16, 84 MB, of steps of some 40 ms at 5 in flight."""
    def held(several):
        plan = ServingPlan(LLAMA, find_gpu("L40S"), 1, "bf16", "bf16", several, AdapterSlots(84e6, several), "vllm")
        found = plan_capacity(plan, Traffic(800.0, 150.0), plan_evidence(known_runs(), plan, Traffic(800.0, 150.0)).server,
                              Slo(2.0, 0.05), (0.63, 1.0, 1.43))
        ends = zip((found.slow, found.alone, found.fast), (found.pooling_slow, found.pooling, found.pooling_fast), strict=True)
        return [one.requests_per_s * gain for one, gain in ends]

    rates = np.array([held(several) for several in (1, 2, 4, 8, 16, 32)])
    assert np.all(np.diff(rates, axis=0) < 0.0)
    assert np.all(rates[-1] > 0.8 * rates[0])


def test_a_server_that_had_adapters_loaded_told_what_they_left():
    """It loaded one, unmerged, so that one of eight is in what it told already."""
    loads = (*DESIGN, *(replace(load, adapter="unmerged", speed=0.6) for load in DESIGN))
    plan = replace(L40S, shape=find_model("qwen3-8b"), adapters=8, slots=AdapterSlots(1e8, 8.0))
    told, bare = (plan_evidence(known_runs(served(2, kv_capacity_tokens=400_000, loads=each)), plan, Traffic())
                  for each in (loads, DESIGN))
    assert told.server.kv_capacity - bare.server.kv_capacity == pytest.approx(1e8)


def server_for(requests, limit=256.0, plan=L40S):
    """Steps of 10 ms whatever they hold, and room for so many requests; and what one of them holds."""
    server = published_server(plan, Traffic())
    one = float(load_of(plan, Traffic().drawn(1), np.zeros(1)).kv_held[0])
    step = Iteration(step_s=0.01, sequence_s=0.0, kv_byte_s=0.0, prefill_token_s=0.0)
    return replace(server, iteration=step, kv_capacity=requests * one, sequence_limit=limit, request_s=0.0), one


def test_what_less_and_more_room_hold_joins_the_ends_of_the_speed():
    """Room for 4.5 requests of 1,000 steps of 10 ms holds 0.45 a second. One less and one more: factors of 3.5 / 4.5 and
    5.5 / 4.5, logs -0.2513 and 0.2007; with ln 1.25 = 0.2231 by squares 0.3361 and 0.3001: 0.3216 and 0.6075 a second."""
    plan = replace(L40S, engine="tensorrt-llm")  # which waits for all of it
    server, one = server_for(4.5, plan=plan)
    plain, found = (plan_capacity(plan, Traffic(), server, Slo(), SPEEDS, unsure) for unsure in (0.0, one))
    assert [each.requests_per_s for each in (plain.slow, plain.alone, plain.fast)] == pytest.approx([0.36, 0.45, 0.5625])
    assert found.alone == plain.alone
    assert (plain.rooms is not None, found.rooms is not None) == (False, True)
    assert [each.requests_per_s for each in (found.slow, found.fast)] == pytest.approx([0.3216, 0.6075], rel=1e-3)
    assert (found.pooling_slow, found.pooling_fast) == pytest.approx((1.0, 1.0))


@pytest.mark.full
def test_a_step_that_was_measured_with_fewer_in_flight_joins_the_ends_by_what_it_can_be():
    """16 requests of 1,000 steps of 10 ms: 1.6 a second. Measured to 4, at worst 16 take four steps, 0.4: ln 4 = 1.386, with
    ln 1.25 by squares 1.404, so 0.393. At best all is as the line has it, since a sequence adds nothing: 2.0, the speed's end.
    Published at 0.5 to 2 times the speed it is no less than 0.8; and an end of the speed stays where it is."""
    plan = replace(L40S, engine="tensorrt-llm")
    server, _ = server_for(64.0, limit=16.0, plan=plan)
    published = (server.iteration, 0.5, 2.0), (server.iteration, 0.9, 1.1)
    plain, same, found, *known = (plan_capacity(plan, Traffic(), server, Slo(), SPEEDS, 0.0, *each) for each in (
        (), (16.0,), (4.0,), *((4.0, each) for each in published)))
    assert plain == same
    assert [each.requests_per_s for each in (found.slow, found.alone, found.fast)] == pytest.approx([0.393, 1.6, 2.0], rel=1e-3)
    assert [each.slow.requests_per_s for each in known] == pytest.approx([0.8, 1.28])
    assert [each.fast.requests_per_s for each in known] == pytest.approx([2.0, 2.0])


@pytest.mark.full
def test_a_plan_says_how_far_beyond_its_profile_it_is():
    """Measured to 32 in flight and 2,048 tokens with an answer of 64; ten thousand tokens are told worse than five hundred."""
    plan = replace(L40S, shape=find_model("qwen3-8b"), tensor_parallel=1)
    known = known_runs(served(1, kv_capacity_tokens=400_000))
    near, far = (plan_evidence(known, plan, Traffic(*each)) for each in ((500.0, 100.0), (10_000.0, 100.0)))
    assert near.measured == far.measured == 32.0
    assert near.further < 0.02
    assert far.ends([far.speed])[0] < 0.97 * near.ends([near.speed])[0]
    held = plan_capacity(plan, Traffic(500.0, 100.0), near.server, Slo(), SPEEDS)
    asked = held, plan, Traffic(500.0, 100.0).shape
    told = near.held(*asked)
    load = told.unmeasured
    assert load.in_flight > load.in_flight_measured == 32.0
    assert (load.low, load.high) == (held.slow.requests_per_s / held.alone.requests_per_s,
                                     held.fast.requests_per_s / held.alone.requests_per_s)  # fmt: skip
    assert f"; a replica at its limit holds up to {load.in_flight:,.0f} in flight, measured to 32: beyond," in told.told
    assert replace(near, measured=1e9).held(*asked).unmeasured is None
    longer = replace(far, measured=1e9).held(held, plan, Traffic(10_000.0, 100.0).shape)
    assert longer.told.startswith(f"{far.source}; requests of 10,100 tokens, measured to 2,")
    assert "--input-tokens 1250,10000 --output-tokens 100" in longer.unmeasured.command


def test_there_is_no_less_room_than_for_the_longest_request():
    """1.2 requests less half of one would hold none: one at a time, 1 / 1.2 of the rate, and with ln 1.25 exp(-0.2880)."""
    server, one = server_for(1.2)
    found = plan_capacity(L40S, Traffic(), server, Slo(), SPEEDS, 0.5 * one)
    assert found.slow.requests_per_s / found.alone.requests_per_s == pytest.approx(0.7498, rel=1e-3)


def test_several_servers_with_less_room_share_their_bursts_more():
    """Under an SLO one of 3.5 requests holds less of its rate than one of 4.5, and four behind a router gain more."""
    server, one = server_for(4.5)
    plain, found = (plan_capacity(L40S, Traffic(), server, Slo(ttft_p95_s=2.0), SPEEDS, unsure) for unsure in (0.0, one))
    assert found.slow.requests_per_s < 0.9 * plain.slow.requests_per_s
    assert found.fast.requests_per_s > 1.02 * plain.fast.requests_per_s
    assert found.pooling_slow > plain.pooling_slow > 1.0
    assert found.slow.requests_per_s * found.pooling_slow < 0.95 * plain.slow.requests_per_s * plain.pooling_slow


def test_room_that_is_far_from_full_costs_no_replay(monkeypatch):
    """32 requests at a time in the room of 64: 31 would do."""
    counted, real = [], load_curve.replay
    monkeypatch.setattr(load_curve, "replay", lambda *args: counted.append(1) or real(*args))
    server, one = server_for(64.0, limit=32.0)
    plain = plan_capacity(L40S, Traffic(), server, Slo(2.0, 0.05), SPEEDS), len(counted)
    counted.clear()
    assert (plan_capacity(L40S, Traffic(), server, Slo(2.0, 0.05), SPEEDS, 31.0 * one), len(counted)) == plain


def test_a_plan_whose_weights_fill_the_card_is_no_surer_than_a_row_of_it():
    """Llama-2-70B in fp16 on four A100-40GB has 4.84 GB for KV, and 2.12 may be off: ln(1 + 2.12 / 4.84) = 0.363 of a row."""
    run = serving_run_of(model="llama-2-70b", gpu="A100-40GB-SXM", engine="tensorrt-llm", tp="4", weight_dtype="bf16",
                         kv_dtype="bf16", isl="1024", osl="1024", concurrency="64", load="static", source="mine")
    plan = ServingPlan(run.system.shape, run.system.gpu, 4, "bf16", "bf16", engine="tensorrt-llm")
    traffic = Traffic(1024.0, 1024.0)
    known, found = serving_evidence(run), plan_evidence(known_runs(), plan, traffic)
    judged = predict_serving(run, known)["throughput"]
    assert np.log(judged.high / judged.value) == pytest.approx(np.hypot(np.log(known.speed_high), 0.363), rel=1e-3)
    speeds = found.speed.low, 1.0, found.speed.high
    held = plan_capacity(plan, traffic, found.server, Slo(5.0, 0.1), speeds, found.unsure_bytes)
    assert held.slow.requests_per_s / held.alone.requests_per_s < judged.low / judged.value
    assert held.fast.requests_per_s / held.alone.requests_per_s > 0.97 * judged.high / judged.value
