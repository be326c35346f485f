"""Speed from measured rates and a dry run's operators."""

from dataclasses import replace
from datetime import UTC, datetime
from math import exp, hypot, log
from pathlib import Path

import pytest
from datasheet_device import datasheet_rates

from roi.catalog.cards.gpus import find_gpu, load_gpus, matrix_share
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.estimate.step.rates import device_rates
from roi.estimate.step.roofline import OPERATORS_APART, device_evidence, step_seconds
from roi.estimate.step.step_time import step_time
from roi.estimate.training.plan import TrainingPlan
from roi.evidence import training_speed
from roi.evidence.measured_links import measured_links
from roi.evidence.training_speed import best_product, paced, plan_speed, speed_evidence
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, DryRunProfile, LinkRate, OperatorGroup, Rate
from roi.store.profiles.lookup import Store, StoredProfile, plan_record

LLAMA = find_model("llama-3.1-8b")
MODEL, GPU, PLAN = find_model("qwen2.5-0.5b"), find_gpu("L4"), TrainingPlan()
KNOWN = training_efficiencies().step()
PRODUCT = OperatorGroup(
    name="aten.mm", kind="matrix", dtype="bf16", shape=(2048, 4096, 4096), calls=100.0, flops=2.0 * 2048 * 4096 * 4096,
    bytes_read=50e6, bytes_written=17e6, phase="forward",
)  # fmt: skip


def rate(regime, work, seconds, shape=(4096, 4096, 4096), dtype="bf16", name="mm", unit="FLOP"):
    return Rate(regime=regime, name=name, dtype=dtype, shape=shape, work=work, unit=unit, seconds=(seconds,))


def stored(*rates):
    environment = Environment(device="cuda", gpu="L4", gpu_name="NVIDIA L4", versions={"torch": "2.13"})
    day = datetime(2026, 11, 25, tzinfo=UTC)
    profile = DeviceProfile(schema="roi.profile/1", started=day, environment=environment, rates=rates)
    return StoredProfile(Path("L4/device-2026-11-25.json"), profile)


def dry(operators):
    return DryRunProfile(
        schema="roi.profile/1", started=datetime(2026, 11, 25, tzinfo=UTC), environment=Environment(device="none", versions={}),
        model=MODEL.id, config_hash="x", plan=plan_record(PLAN), trained_parameters=1, allocated_bytes=1.0, reserved_bytes=1.0,
        workspace_bytes=0.0, parts_bytes={"weights": 1.0}, phase="forward", module="", operator="", timeline_bytes=(1.0,),
        timeline_phases=(), operators=operators, wall_s=1.0,
    )  # fmt: skip


def test_the_scaled_closed_form_takes_the_operators_time_at_the_plan_s_size():
    rates = datasheet_rates(GPU)
    found = device_evidence(MODEL, PLAN, GPU, [PRODUCT], rates, KNOWN, "x")
    operators = step_seconds([PRODUCT], rates, float(KNOWN.idle_s)).micro_step_s
    assert float(step_time(MODEL, PLAN, GPU, found.efficiency).micro_step_s) == pytest.approx(operators)
    assert found.low == pytest.approx(found.efficiency.overall / OPERATORS_APART[1])
    assert found.high == pytest.approx(found.efficiency.overall / OPERATORS_APART[0])


def test_another_tuner_has_the_pace_of_its_family_beside_lora_and_that_s_spread_too():
    """A path: 0.88 of LoRA's speed, 5th to 95th percentile 0.67 to 1.05. Independent factors: squares of logarithms add."""
    lora = device_evidence(MODEL, PLAN, GPU, [PRODUCT], datasheet_rates(GPU), KNOWN, "x")
    found, before = paced(lora, TrainingPlan(method="vera")), float(lora.efficiency.overall)
    assert float(found.efficiency.overall) == pytest.approx(0.88 * before)
    assert found.low == pytest.approx(0.88 * before * exp(-hypot(log(before / lora.low), log(0.88 / 0.67))))
    assert found.high == pytest.approx(0.88 * before * exp(hypot(log(lora.high / before), log(1.05 / 0.88))))


def test_measured_rates_with_a_dry_run_outrank_published_runs():
    """A product of 137 GFLOP in 2.75 ms is 50 TFLOP/s; 3 GB copied in 12.5 ms are 240 GB/s."""
    rates = (rate("matrix", 2.0 * 4096**3, 2.75e-3), rate("copy", 3e9, 12.5e-3, (1_500_000_000,), "bf16", "copy", "byte"))
    store = Store(profiles=(stored(*rates),))
    found = plan_speed(MODEL, PLAN, dry((PRODUCT,)), store)(GPU)
    assert (found.level, found.sources) == ("device", ("device-2026-11-25.json",))
    assert device_rates(stored(*rates).profile).bandwidth_bytes_per_s == pytest.approx(240e9, rel=0.01)
    assert plan_speed(MODEL, PLAN, None, store)(GPU).level != "device"
    assert plan_speed(MODEL, PLAN, dry(()), store)(GPU).level != "device"
    assert plan_speed(MODEL, PLAN, dry((PRODUCT,)), store)(find_gpu("H100")).level != "device"


def test_a_device_profile_without_rates_is_passed_over():
    store = Store(profiles=(stored(rate("launch", 1.0, 5e-6, (1,), unit="launch")),))
    assert plan_speed(MODEL, PLAN, dry((PRODUCT,)), store)(GPU).level != "device"


def test_the_best_product_of_a_type_is_the_ceiling_of_mfu():
    """60 and 90 TFLOP/s in bf16; a type or a card without a product has none."""
    found = stored(rate("matrix", 6e13, 1.0), rate("matrix", 9e13, 1.0), rate("copy", 1e15, 1.0))
    store = Store((found,), ())
    assert best_product(store, "L4", "bf16") == (9e13, found.name)
    assert best_product(store, "L4", "fp16") is best_product(store, "H100-80GB-SXM", "bf16") is None


def test_several_cards_send_at_what_was_measured_between_as_many_of_them():
    """10 us, and 1 MiB in 1 ms more: the link of two L4; four of them, and other cards, keep the datasheet's."""
    kinds = ("all-reduce", "all-gather", "reduce-scatter")
    link = tuple(LinkRate(collective=kind, ranks=2, message_bytes=nbytes, seconds=(s,))
                 for nbytes, s in ((1024, 10e-6), (2**20, 1010e-6)) for kind in kinds)
    measured = stored()
    measured = StoredProfile(measured.path, measured.profile.model_copy(update={"link": link}))
    store = Store((measured,), ())
    links, source = measured_links(store, "L4", 2)
    assert source == measured.name
    assert links["all-gather"].latency_s == 10e-6
    assert links["all-gather"].bytes_per_s == pytest.approx(0.5 * (2**20 - 1024) / 1e-3)
    plan = TrainingPlan(method="full", gpus=2, sharding="fsdp")
    with_link, without = (plan_speed(MODEL, plan, None, each)(find_gpu("L4")) for each in (store, Store()))
    assert measured.name in with_link.sources
    assert with_link.efficiency.overall == without.efficiency.overall
    slow, quick = (step_time(MODEL, plan, find_gpu("L4"), each.efficiency) for each in (with_link, without))
    assert slow.link_s > 10.0 * quick.link_s  # 0.5 GB/s against the datasheet's 31.5
    for cards, gpu in ((4, "L4"), (1, "L4"), (2, "H100-80GB-SXM")):
        assert measured_links(store, gpu, cards) == ({}, "")


@pytest.mark.parametrize(("plan", "capped"), [
    (TrainingPlan(method="full", micro_batch=8.0), "RTX-3090"), (TrainingPlan(gpus=8, sharding="fsdp"), "RTX-3090"),
    (TrainingPlan(method="qlora", micro_batch=4.0), "RTX-4090"),
])
def test_the_fast_end_of_a_step_is_no_faster_than_the_peak_of_any_card(plan, capped):
    """Counted by itself: FLOPs over the datasheet's rate, or over the best product that was measured where that is more.

    The centre is that of the runs, and so is the fast end where the peak does not bind.
    """
    fitted, kept = training_speed.fitted_speed(Store()), speed_evidence(Store())
    held = {}
    for gpu in load_gpus():
        found, before = kept(gpu, LLAMA, plan), fitted(gpu, LLAMA, plan)
        step = step_time(LLAMA, plan, gpu, replace(found.efficiency, overall=found.high))
        peak = gpu.matrix_flops("bf16") * max(1.0, matrix_share(gpu))
        assert float(step.flops) / peak <= float(step.micro_step_s - step.link_s) * (1.0 + 1e-9), gpu.id
        assert replace(found, high=before.high) == before
        assert float(found.efficiency.overall) <= found.high <= before.high
        held[gpu.id] = found.high < before.high
    assert held[capped]
    assert not all(held.values())
