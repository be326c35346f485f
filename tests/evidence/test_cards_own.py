"""What profiles of a card itself do to serving: timed collectives to tensor parallelism, generation to transformers."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.models.shapes import find_model
from roi.estimate.serving.iteration import kv_bytes_per_gpu, roofline_iteration
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.infer_speed import infer_speeds
from roi.evidence.known_runs import known_runs
from roi.evidence.measured_links import all_over_links, over_links
from roi.evidence.serving_speed import known_ends, on_card
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, InferPoint, InferProfile, LinkRate, MemoryReading
from roi.resolution.plan_capacity import ServingPlan, plan_evidence
from roi.store.profiles.lookup import Store, StoredProfile

L4, H100, LLAMA = find_gpu("L4"), find_gpu("H100-80GB-SXM"), find_model("llama-3.1-8b")
DAY = datetime(2026, 11, 25, tzinfo=UTC)


class Traffic:
    shape = RequestShape(1000.0, 200.0)


def environment(gpu):
    return Environment(device="cuda", gpu=gpu, gpu_name=f"NVIDIA {gpu}", versions={"torch": "2.13"})


def linked(gpu, ranks=2):
    """All collectives: 10 us for 1 KiB, 1 ms more for 1 MiB."""
    link = tuple(LinkRate(collective=kind, ranks=ranks, message_bytes=nbytes, seconds=(s,))
                 for nbytes, s in ((1024, 10e-6), (2**20, 1010e-6)) for kind in ("all-reduce", "all-gather", "reduce-scatter"))
    profile = DeviceProfile(schema="roi.profile/1", started=DAY, environment=environment(gpu), rates=(), link=link)
    return Store((StoredProfile(Path(f"{gpu}/device-2026-11-25.json"), profile),))


def test_a_timed_all_reduce_takes_the_place_of_the_fitted_share_of_the_link():
    """Two ranks send (2^20 - 1,024) bytes of a ring's all-reduce in 1 ms: 1.05 GB/s; over PCIe the latency is the timed one."""
    fitted = on_card(find_engine("vllm"), L4)
    found, name = over_links(fitted, L4, 2, linked("L4"))
    assert name == "device-2026-11-25.json"
    assert float(found.link_efficiency) * L4.link_bytes_per_s == pytest.approx((2**20 - 1024) / 1e-3)
    assert found.collective_latency_s == 10e-6
    assert over_links(fitted, L4, 1, linked("L4")) == (fitted, "")
    assert over_links(fitted, L4, 4, linked("L4")) == (fitted, "")
    assert over_links(fitted, L4, 2, Store()) == (fitted, "")


def test_over_nvlink_the_fitted_latency_of_the_engines_own_kernels_stays():
    fitted = on_card(find_engine("vllm"), H100)
    found, _ = over_links(fitted, H100, 2, linked("H100-80GB-SXM"))
    assert found.collective_latency_s == fitted.collective_latency_s
    assert found.link_efficiency != fitted.link_efficiency


def test_the_closed_form_over_many_plans_takes_the_same():
    cards, degrees, store = [L4, L4, H100], [1, 2, 2], linked("L4")
    fitted = on_card(find_engine("vllm"), cards)
    found = all_over_links(fitted, cards, degrees, store)
    for k, (card, degree) in enumerate(zip(cards, degrees, strict=True)):
        one, _ = over_links(on_card(find_engine("vllm"), card), card, degree, store)
        assert float(np.asarray(found.link_efficiency)[k]) == pytest.approx(float(one.link_efficiency))
        assert float(np.asarray(found.collective_latency_s)[k]) == pytest.approx(float(one.collective_latency_s))
    assert all_over_links(fitted, cards, degrees, Store()) is fitted


def test_a_plan_of_two_cards_is_slower_over_a_slow_link_and_says_whose_it_is():
    plan = ServingPlan(LLAMA, L4, 2, "bf16", "bf16")
    slow, usual = (plan_evidence(known_runs(store), plan, Traffic()) for store in (linked("L4"), Store()))
    assert float(slow.server.iteration.prefill_token_s) > 2.0 * float(usual.server.iteration.prefill_token_s)
    assert slow.source.endswith(", all-reduce as timed in device-2026-11-25.json")


def inferred(factor, *, model="llama-3.1-8b", dtype="bf16"):
    """Decode steps at `factor` of the published time, at batches 1 and 4."""
    engine, points = find_engine("transformers"), []
    for batch in (1, 4):
        step = roofline_iteration(LLAMA, H100, 1, "bf16", 256.0, on_card(engine, H100))
        kv = batch * float(kv_bytes_per_gpu(LLAMA, 528.0, 1, 2.0))
        seconds = factor * float(step.decode_s(batch, kv))
        points.append(InferPoint(adapter="base", batch=batch, prompt_tokens=512, decoded_tokens=32, prefill_s=(0.1,),
                                 decode_s=(seconds,) * 3, memory=MemoryReading()))
    profile = InferProfile(schema="roi.profile/1", started=DAY, environment=environment("H100-80GB-SXM"), model=model,
                           dtype=dtype, rank=16, points=tuple(points))
    return Store((StoredProfile(Path("infer-2026-11-25.json"), profile),))


def test_generation_is_evidence_of_the_engine_transformers_alone():
    """Twice the published time is half the speed, at two loads."""
    engine = find_engine("transformers")
    [found] = infer_speeds(inferred(2.0), engine, H100)
    assert (np.exp(found.log_speed), found.loads, found.plan) == (pytest.approx(0.5), 2, (1.0, "bf16"))
    assert infer_speeds(inferred(2.0), find_engine("vllm"), H100) == []
    assert infer_speeds(inferred(2.0), engine, L4) == []
    assert infer_speeds(inferred(2.0, model="/own/model"), engine, H100) == []
    assert infer_speeds(inferred(2.0, dtype="nf4"), engine, H100) == []


def test_a_plan_of_transformers_moves_and_narrows_by_a_profile_of_generation():
    plan = ServingPlan(LLAMA, H100, 1, "bf16", "bf16", engine="transformers")
    own, plain = (plan_evidence(known_runs(store), plan, Traffic()) for store in (inferred(1.25), Store()))
    assert float(own.server.iteration.step_s) > float(plain.server.iteration.step_s)
    low, high = known_ends(find_engine("transformers"), "H100-80GB-SXM", LLAMA.id, mixture=False)
    assert own.speed.high / own.speed.low < high / low
    assert "with infer-2026-11-25.json (n 1)" in own.source
    vllm = ServingPlan(LLAMA, H100, 1, "bf16", "bf16")
    assert plan_evidence(known_runs(inferred(1.25)), vllm, Traffic()).source == plan_evidence(
        known_runs(Store()), vllm, Traffic()).source
