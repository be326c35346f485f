"""The reports of `roi profile` hold 80 columns on every machine, however fast, slow or large it is."""

from datetime import UTC, datetime

import pytest

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.training.plan import TrainingPlan
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, InferPoint, InferProfile, MemoryReading, Rate, TrainPoint, TrainProfile
from roi.report.profiles.profile_device import device_text
from roi.report.profiles.profile_infer import infer_text
from roi.report.profiles.profile_train import train_text
from roi.store.profiles.plan_record import plan_record

SCALES = [1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e9]
HOST = Environment(device="cuda", gpu_name="NVIDIA " + "H" * 60, driver="580.1", cores=8, threads=8,
                   versions={"torch": "2.13.0+" + "x" * 60})
STARTED = datetime(2026, 11, 25, tzinfo=UTC)
GPU, SHAPE = find_gpu("H100"), find_model("llama-3.1-8b")


def widest(text):
    return max(map(len, text.split("\n")))


@pytest.mark.parametrize("scale", SCALES)
def test_device_rates(scale):
    rates = tuple(
        Rate(regime=regime, name=name, dtype="bf16", shape=(4096, 4096, 4096), work=1e12, unit=unit, seconds=(scale,) * 100_000)
        for regime, name, unit in (("matrix", "mm", "FLOP"), ("copy", "copy", "byte"), ("launch", "host", "launch")))
    assert widest(device_text(DeviceProfile(started=STARTED, environment=HOST, rates=rates), GPU)) <= 80


@pytest.mark.parametrize("scale", SCALES)
def test_inference(scale):
    memory = MemoryReading(allocated_bytes=1e15)
    points = tuple(
        InferPoint(adapter=adapter, batch=4096, prompt_tokens=131_072, decoded_tokens=3, prefill_s=(scale, 99.0 * scale) * 900,
                   decode_s=(scale, 99.0 * scale) * 900, memory=memory) for adapter in ("base", "merged", "unmerged"))
    profile = InferProfile(started=STARTED, environment=HOST, model="m" * 100, dtype="bf16", rank=16, points=points)
    assert widest(infer_text(profile, SHAPE, GPU)) <= 80


@pytest.mark.parametrize("scale", SCALES)
def test_training(scale):
    memory = MemoryReading(allocated_bytes=1e15, reserved_bytes=1e15, process_bytes=1e15, device_bytes=1e15)
    points = tuple(
        TrainPoint(micro_batch=4096, seq=seq, step_s=(scale,) * 10_000, warmup=1, losses=(1e6, 1e-6), memory=memory,
                   power_w=1e5, energy_j=1e12, predicted_allocated_bytes=1e18) for seq in (1, 1024, 131_072))
    profile = TrainProfile(
        started=STARTED, environment=HOST, model="m" * 100, plan=plan_record(TrainingPlan()), weights="w" * 100,
        trained_parameters=10**12, points=points, notes=("n" * 100,))
    assert widest(train_text(profile, SHAPE, GPU, None)) <= 80
