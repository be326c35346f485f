"""Measured servers become the step of a plan: of the same plan as measured, of another at the speed that was measured."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from step_simulator import DESIGN, HOLD_OUT, Load, Noise, Truth, simulate

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import engine_habits, find_engine
from roi.catalog.models.shapes import find_model
from roi.estimate.replay.held_out import held_out
from roi.estimate.replay.replica_plan import ReplicaPlan
from roi.estimate.serving.iteration import roofline_iteration
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence import measured_servers as measured_servers_module
from roi.evidence.measured_servers import NO_GPU, find_served, fit_serve, kv_token_bytes, measured_servers, unused
from roi.evidence.serving_speed import on_card
from roi.facts.fact import Basis
from roi.store.profiles.lookup import load_profiles, save_profile

LLAMA, H100 = find_model("llama-3.1-8b"), find_gpu("H100-80GB-SXM")
STATED = {"model": "llama-3.1-8b", "gpu": "H100-80GB-SXM", "weight_dtype": "bf16", "engine": "vllm"}


def stored(folder: Path, *profiles):
    for profile in profiles:
        save_profile(profile, folder)
    return load_profiles([folder])


@pytest.mark.full
def test_the_newest_profile_of_the_same_plan_is_the_step_as_measured(tmp_path):
    """c of 0.2 us a token over 131,072 bytes a token = 1.53e-12 s a byte."""
    old = simulate(Truth(a=12e-3), **STATED, started=datetime(2026, 11, 1, tzinfo=UTC))
    new = simulate(Truth(a=8e-3), **STATED, started=datetime(2026, 11, 20, tzinfo=UTC))
    servers, passed = measured_servers(stored(tmp_path, old, new), "H100-80GB-SXM")
    assert (len(servers), passed) == (2, ())
    served = find_served(servers, LLAMA, 1, "bf16", prefill_context=500.0)
    assert served.iteration.step_s == pytest.approx(8e-3, rel=0.02)
    assert served.iteration.kv_byte_s == pytest.approx(0.2e-6 / 131072, rel=0.1)
    assert served.request_s == pytest.approx(4.3e-3, rel=0.15)
    assert served.speed.basis == Basis.MEASURED
    assert 0.85 < served.speed.low < 1.0 < served.speed.high < 1.15
    assert "2026-11-20" in served.profiles[0]
    assert " with up to 32 in flight, at " in served.speed.source  # beyond that the step is drawn out, and not measured


def test_another_plan_on_the_card_takes_of_the_speed_of_the_profile_what_both_have_in_common(tmp_path):
    """A server at 0.4 of vLLM's published speed for its model: another format of it is nearly as slow, another model less."""
    known = find_engine("vllm").efficiencies
    base = roofline_iteration(LLAMA, H100, 1, "bf16", 500.0, known).at_speed(0.4)
    token = kv_token_bytes(LLAMA, 1, "bf16")
    truth = Truth(
        a=float(base.step_s), b=float(base.sequence_s), c=float(base.kv_byte_s) * token, d=float(base.prefill_token_s)
    )
    servers, _ = measured_servers(stored(tmp_path, simulate(truth, **STATED)), "H100")
    other = find_model("qwen3-14b")
    kept = []
    for model in (LLAMA, other):
        served = find_served(servers, model, 1, "fp8", prefill_context=500.0)
        published = roofline_iteration(model, H100, 1, "fp8", 500.0, known)
        kept.append(float(published.step_s / served.iteration.step_s))
        assert served.speed.basis == Basis.CALIBRATED
        assert "which contradicts what was known" in served.speed.source
    assert 0.4 < kept[0] < kept[1] < 0.6
    assert find_served(servers, other, 1, "fp8", prefill_context=500.0, engine="sglang") is None
    assert find_served((), other, 1, "fp8", prefill_context=500.0) is None


@pytest.mark.parametrize(("engine", "model", "weights"), [
    ("vllm-2024", "qwen3-30b-a3b", "int4"), ("tensorrt-llm", "mistral-7b-v0.1", "fp8")])
def test_another_plan_has_the_published_step_of_its_engine_with_its_habits(tmp_path, engine, model, weights):
    """48 x 128 experts in 4 bits have kernels of their own in vLLM of 2024, 30.7 ms a step; TensorRT-LLM uses no window."""
    servers, _ = measured_servers(stored(tmp_path, simulate(Truth(a=12e-3), **{**STATED, "engine": engine})), "H100")
    shape, requests = find_model(model), RequestShape(12_000.0, 100.0)
    found = find_served(servers, shape, 1, weights, prefill_context=float(requests.prefill_context)).iteration
    plan = ReplicaPlan(shape, H100, 1.0, weights, "bf16", habits=engine_habits(engine))
    known = plan.iteration(requests, on_card(find_engine(engine), H100))
    speed = known.kv_byte_s / found.kv_byte_s
    assert (known.step_s / found.step_s, known.prefill_token_s / found.prefill_token_s) == pytest.approx((speed, speed))
    assert (known.step_s > 0.0307) == (model == "qwen3-30b-a3b")


def test_a_profile_counts_the_context_that_its_engine_reads(tmp_path):
    """Mistral's window is 4,096 tokens and TensorRT-LLM uses none: 1 us for each token that it reads, not 2 for each within."""
    loads = [Load(given, 64, at_once, requests=16) for given in (64, 8_000, 16_000) for at_once in (1, 8)]
    stated = {**STATED, "engine": "tensorrt-llm", "model": "mistral-7b-v0.1"}
    servers, _ = measured_servers(stored(tmp_path, simulate(Truth(c=1e-6), loads=loads, **stated)), "H100")
    step = find_served(servers, find_model("mistral-7b-v0.1"), 1, "bf16", prefill_context=8_000.0).iteration
    assert step.kv_byte_s * 131072 == pytest.approx(1e-6, rel=0.05)


@pytest.mark.parametrize(("engine", "reserves"), [
    (None, False), ("vllm", False), ("sglang", False), ("unheard-of", False), ("tgi-2024", True), ("tensorrt-llm", True),
    ("transformers", True), ("gpt-fast", True), ("llama.cpp", True), ("ollama", True)])
def test_what_is_held_out_is_replayed_with_the_admission_of_its_engine(monkeypatch, engine, reserves):
    """Engines that evict take the cache as tokens come; those that cannot wait until all of an answer fits."""
    told = []
    monkeypatch.setattr(measured_servers_module, "held_out", lambda *_, reserved: told.append(reserved) or ())
    fit_serve(simulate(loads=DESIGN[:2], **{**STATED, "engine": engine}))
    assert told == [reserves]


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME names the data folder on Linux alone")
def test_a_processor_that_is_a_card_of_ones_own_needs_the_format_of_its_weights_as_any_card(tmp_path, monkeypatch):
    """Without it nothing is taken from the profile, and that is told where the profile is made, and not of other processors."""
    profile = simulate(**{**STATED, "gpu": "cpu", "weight_dtype": None})
    assert unused(profile, fit_serve(profile).fit) == (NO_GPU,)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "roi").mkdir()
    card = H100.model_dump(mode="json") | {"id": "cpu", "aliases": []}
    (tmp_path / "roi" / "gpus.json").write_text(json.dumps({"gpus": [card]}))
    assert unused(profile, fit_serve(profile).fit) == ("no format of the weights (--weight-dtype)",)


def test_profiles_that_say_too_little_are_named_with_the_reason(tmp_path):
    unnamed = simulate(**{**STATED, "weight_dtype": None})
    cut = simulate(**STATED, complete=False, started=datetime(2026, 11, 2, tzinfo=UTC))
    foreign = simulate(**{**STATED, "model": "house-model"}, loads=(*DESIGN, HOLD_OUT))
    servers, passed = measured_servers(stored(tmp_path, unnamed, cut, foreign), "H100-80GB-SXM")
    assert servers == ()
    told = " ".join(reason for _, reason in passed)
    assert "--weight-dtype" in told
    assert "incomplete" in told
    assert "unknown model 'house-model'" in told


@pytest.mark.full
def test_most_loads_that_a_profile_has_not_seen_lie_in_its_interval_where_the_pace_changes_from_load_to_load(tmp_path):
    """Of further loads at paces 10% apart (standard deviation; 6.5% is usual) 85% lie in it.

    Six closed loops and an open one a profile, as `roi profile serve` makes them; here 100 further loads.
    """
    loads = (*(Load(prompt, answer, n, requests=12) for n, prompt, answer in (
        (1, 32, 24), (1, 256, 48), (4, 32, 48), (4, 256, 24), (8, 32, 24), (8, 256, 48))), Load(91, 34, None, 5.0, 24))
    truth, inside = Truth(a=20e-3, b=0.2e-3, c=1e-6, d=300e-6, request_s=10e-3), []
    for seed in range(50):
        pace = np.exp(0.1 * np.random.default_rng(seed + 1000).normal(size=9))
        paced = [replace(load, speed=speed) for load, speed in zip((*loads, *loads[-1:] * 2), pace, strict=True)]
        made = [simulate(truth, Noise(0.05, 0.02), s, part, **STATED)
                for s, part in ((seed, paced[:7]), (seed + 500, [*paced[:6], *paced[7:]]))]
        [server], _ = measured_servers(stored(tmp_path / str(seed), made[0]), "H100")
        inside += [abs(np.log1p(one.errors[0])) <= server.half_log_speed for one in held_out(made[1], server.fit)]
    assert len(inside) == 100
    assert sum(inside) >= 80
