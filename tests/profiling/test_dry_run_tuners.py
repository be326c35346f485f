"""Tuners beside LoRA: the closed form is held to dry runs of peft's own classes, of other packages' to such as are built here.

vblora and the tuners of UNBUILT are held to real steps (test_tuners_with_values.py), waveft and lora_fa by nothing but the
measured rows of peft's own comparison (lab/tables/training-1.csv).
"""

import copy
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftType
from torch import nn

from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.training.adapters import trained_parameters, tuner_frozen_bytes
from roi.estimate.training.memory import training_memory
from roi.estimate.training.peft_methods import TUNERS
from roi.estimate.training.plan import UNRUN, TrainingPlan
from roi.profiling.dry import dry_run as dry
from roi.profiling.dry.dry_run import dry_run

torch.set_num_threads(1)

GUIDE = Path(__file__).parents[2] / "docs" / "measure.md"
MODEL = "smollm2-135m"
SIZES = {"fourierft": 300.0, "waveft": 300.0, "boft": 4.0, "c3a": 64.0, "vera": 64.0, "pvera": 64.0, "hra": 2.0}
UNBUILT = ("adamss", "frod", "shira")
"""Tuners that read values of the weights when they are built."""
UNSTEPPED = ("vblora", "waveft")
"""Tuners whose step reads values."""
LOOPS = {
    "plain": {"micro_batch": 4.0, "seq": 384.0, "checkpointing": False, "kernels": "liger"},
    "autocast": {"micro_batch": 4.0, "seq": 384.0, "checkpointing": False, "kernels": "liger",
                 "trainer": "hf", "autocast": True},
}
"""Loops whose peak lies in backward, where every byte that a layer keeps counts: the loss is taken in chunks."""
LOOSE = {"prefix_tuning": 0.04, "trainable_tokens": 0.07}
"""Bounds of the tuners whose formula counts the largest of their tensors alone."""


def planned(method, loop, targets="all-linear"):
    return TrainingPlan(method=method, rank=SIZES.get(method, 16.0), targets=targets, **LOOPS[loop])


def held(method, loop):
    plan, model = planned(method, loop), find_model(MODEL)
    memory, run = training_memory(model, plan), dry_run(model_config(model), plan, workspace_bytes=0)
    peak = float(memory.peak_allocated_bytes - memory.workspaces_bytes)
    return peak / max(run.tape.live_bytes) - 1.0, float(trained_parameters(model, plan)), run.trained_parameters


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("method", [name for name, its in TUNERS.items() if its.built and name not in (*UNBUILT, *UNSTEPPED)])
def test_a_tuner_is_held_to_peft_s_own_class(method, loop):
    """Peaks of a small model, where adapters are a large part of it."""
    error, counted, trained = held(method, loop)
    assert counted == trained
    assert abs(error) <= LOOSE.get(method, 0.03)


@pytest.mark.full
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("method", "size"), [("adalora", 16.0), ("c3a", 64.0), ("deft", 16.0), ("oft", 16.0)])
def test_what_a_tuner_s_backward_holds_is_counted_when_a_layer_is_computed_anew(method, size, loop):
    """They were 13, 7, 5 and 3% of the peak too low."""
    model, plan = find_model(MODEL), replace(planned(method, loop), rank=size, checkpointing=True)
    memory, run = training_memory(model, plan), dry_run(model_config(model), plan, workspace_bytes=0)
    assert float(memory.peak_allocated_bytes - memory.workspaces_bytes) == pytest.approx(max(run.tape.live_bytes), rel=0.02)


@pytest.mark.full
@pytest.mark.parametrize(("method", "size"), [("c3a", 64.0), ("peanut", 16.0), ("randlora", 16.0)])
def test_a_base_in_fp32_is_read_without_copies(method, size):
    """They were 17, 15 and 8% of the peak too high."""
    model, plan = find_model(MODEL), replace(planned(method, "plain"), rank=size, dtype="fp32")
    memory, run = training_memory(model, plan), dry_run(model_config(model), plan, workspace_bytes=0)
    assert float(memory.peak_allocated_bytes - memory.workspaces_bytes) == pytest.approx(max(run.tape.live_bytes), rel=0.02)


@pytest.mark.full
@pytest.mark.parametrize(("method", "size", "loop"), [
    ("hra", 8.0, "plain"), pytest.param("hra", 2.0, "autocast", marks=pytest.mark.full),
    *[pytest.param("fourierft", 300.0, loop, marks=pytest.mark.full) for loop in LOOPS],
])
def test_what_a_tuner_makes_on_the_way_to_its_weight_is_counted_when_a_layer_is_computed_anew(method, size, loop):
    """A layer's last target is the widest: HRA's was 7% and FourierFT's 4% of the peak."""
    model = find_model(MODEL)
    plan = replace(planned(method, loop), rank=size, micro_batch=1.0, seq=128.0, checkpointing=True)
    memory, run = training_memory(model, plan), dry_run(model_config(model), plan, workspace_bytes=0)
    assert float(memory.peak_allocated_bytes - memory.workspaces_bytes) == pytest.approx(max(run.tape.live_bytes), rel=0.005)


@pytest.mark.parametrize("method", UNBUILT)
def test_a_tuner_that_needs_values_is_refused_in_one_sentence(method):
    with pytest.raises(InputError, match="without values; leave --dry-run out"):
        dry_run(model_config(find_model(MODEL)), planned(method, "autocast"), workspace_bytes=0)


@pytest.mark.parametrize(("loop", "where"), [("plain", ("cpu", 4)), ("autocast", ("meta", 4 * 576**2))])
def test_the_permutations_of_boft_take_no_memory_and_a_trainer_moves_them_to_the_card(loop, where):
    """Of qwen3-8b they are 36 layers of 6 x 4,096^2 and 12,288^2 numbers of 4 bytes: 36 GB, here 30 layers of 4 x 576^2."""
    model, plan = find_model(MODEL), planned("boft", loop, "attention")
    held = [each for name, each in dry.build_skeleton(model_config(model), plan).named_buffers() if name.endswith("boft_P")]
    assert {(each.shape[-1], each.device.type, each.untyped_storage().nbytes()) for each in held} == {(576, *where)}
    assert tuner_frozen_bytes(model, plan) == float(loop == "autocast") * 30 * 4 * 4 * 576**2


@pytest.mark.full
@pytest.mark.parametrize("targets", ["all-linear", "attention", ("down_proj",)])
def test_ia3_scales_the_input_of_gpt2_s_last_product_alone(targets):
    """Both of a layer's last products are called c_proj: attention's output is scaled, the input of the MLP's."""
    plan, gpt2 = TrainingPlan(method="ia3", targets=targets, micro_batch=1.0, seq=16.0), find_model("gpt2")
    assert dry_run(model_config(gpt2), plan, workspace_bytes=0).trained_parameters == trained_parameters(gpt2, plan)


class Bottleneck(nn.Module):
    """The adapter of ms-swift behind an MLP."""

    def __init__(self, width, size):
        super().__init__()
        self.down, self.up = nn.Linear(width, size, device="meta"), nn.Linear(size, width, device="meta")

    def forward(self, x):
        wide = x.to(self.down.weight.dtype)
        made = self.up(nn.functional.gelu(self.down(wide)))
        return (wide.to(made.dtype) + made).to(x.dtype)


def partly_trained(build, config, plan):
    """The model of full training with what the method freezes, copies or adds."""
    model, size = build(config, replace(plan, method="full")), int(plan.rank)
    layers = model.model.layers
    for layer in layers[:-size] if plan.method == "lisa" else ():
        layer.requires_grad_(False)
    if plan.method != "lisa":
        model.requires_grad_(False)
    if plan.method == "houlsby":
        for layer in layers:
            layer.mlp.adapter = Bottleneck(model.config.hidden_size, size)
            layer.mlp.register_forward_hook(lambda mlp, _, out: out + mlp.adapter(out))
    if plan.method == "llamapro":
        copies = [copy.deepcopy(layer).requires_grad_(True) for layer in layers]
        held = [(layer, copied) if not (n + 1) % (len(layers) // size) else (layer,)
                for n, (layer, copied) in enumerate(zip(layers, copies, strict=True))]
        model.model.layers = nn.ModuleList([layer for group in held for layer in group])
        model.config.num_hidden_layers = model.model.config.num_hidden_layers = len(model.model.layers)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("loop", [*LOOPS, "checkpointed", "whole loss"])
@pytest.mark.parametrize(("method", "size"), [("houlsby", 64.0), ("llamapro", 5.0), ("lisa", 2.0)])
def test_a_method_of_another_package_is_held_to_its_modules(monkeypatch, method, size, loop):
    """30 layers, of which llamapro copies every sixth; of LISA's the last two stand for any."""
    build = dry.build_skeleton
    monkeypatch.setattr(dry, "build_skeleton", lambda config, plan: partly_trained(build, config, plan))
    monkeypatch.setitem(UNRUN, "method", ())
    monkeypatch.setitem(LOOPS, "checkpointed", {**LOOPS["autocast"], "checkpointing": True})
    monkeypatch.setitem(LOOPS, "whole loss", {**LOOPS["autocast"], "kernels": "none", "accumulation": 4})
    monkeypatch.setitem(SIZES, method, size)
    error, counted, trained = held(method, loop)
    assert counted == trained
    assert abs(error) <= 0.01


def test_the_guide_names_the_types_of_peft_that_an_instrument_lacks():
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    (_, _, _, of_dry_run, *_), (_, unknown, *_) = (x.split("|") for x in lines if " of peft" in x.partition(" | ")[0])
    assert {*re.findall(r"\w+", of_dry_run.partition("not")[2])} == {*UNBUILT, *UNSTEPPED}
    of_peft = {each.value.lower() for each in PeftType} - {*TUNERS, "lora"}
    assert {*re.findall(r"\w+", unknown.partition("--method")[2].partition(" of ")[0])} == of_peft
