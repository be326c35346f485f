"""What optimizers hold and allocate beside their parameters, and their names as libraries write them."""

from dataclasses import replace

import numpy as np
import pytest
from long_tables import every_row

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.step.optimizer_time import orthogonal_s
from roi.estimate.training.adapters import base_weight_bytes, trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.optimizers import HELD, named_optimizer, optimizer_state_bytes, optimizer_workspace_bytes
from roi.estimate.training.plan import CHOICES, TrainingPlan
from roi.estimate.training.setting import refusal

LLAMA = find_model("llama-3.2-1b")
FULL = TrainingPlan(method="full", trainer="hf")


def held(optimizer, model=LLAMA, **fields):
    return float(optimizer_state_bytes(model, replace(FULL, optimizer=optimizer, **fields)))


def test_every_optimizer_of_a_plan_has_its_rule():
    assert set(HELD) == set(CHOICES["optimizer"])


@every_row("optimizer, each", [
    ("adamw", 4.0), ("adamw-32bit", 8.0), ("adamw-8bit", 2.03125), ("adamw-4bit", 1.0625), ("paged-adamw", 0.0), ("sgd", 0.0),
    ("sgd-momentum", 2.0), ("lion", 2.0), ("lion-32bit", 4.0), ("lion-8bit", 1.015625), ("paged-lion", 0.0),
    ("paged-lion-8bit", 0.015625),
    ("adam-mini", 2.0), ("sophia", 4.0), ("ademamix", 12.0), ("ademamix-8bit", 3.046875), ("rmsprop", 2.0), ("adagrad", 2.0),
    ("lomo", 0.0),
])
def test_bytes_of_states_of_a_bf16_parameter(optimizer, each):
    """8 bits: 1 + 4 / 256 a state, of which paging leaves the scale; 4 bits: 0.5 + 4 / 128; AdEMAMix has three states;
    own states are as wide as the parameter."""
    assert held(optimizer) == each * LLAMA.parameters


def test_adafactor_keeps_a_row_and_a_column_a_matrix():
    """Llama-3.2-1B, in fp32: 16 layers of q 2,048 + 2,048, k and v 2,048 + 512 each, o 2,048 + 2,048, gate, up and down
    2,048 + 8,192 each; the tied embedding 128,256 + 2,048; 33 norms of 2,048."""
    elements = 16 * (4_096 + 2 * 2_560 + 4_096 + 3 * 10_240) + 130_304 + 33 * 2_048
    assert held("adafactor") == held("adalomo") == 4 * elements
    assert held("adafactor") < 0.002 * held("adamw")


def test_adafactor_s_rows_and_columns_of_an_adapter():
    """Rank 8 on q and v: A 8 + 2,048, B 2,048 + 8 (q) and 512 + 8 (v), 16 layers, fp32."""
    plan = TrainingPlan(method="lora", rank=8.0, targets="qv", optimizer="adafactor")
    assert float(optimizer_state_bytes(LLAMA, plan)) == 4 * 16 * (8 + 2_048 + 2_048 + 8 + 8 + 2_048 + 512 + 8)


def test_muon_has_one_state_for_a_matrix_of_the_layers_and_two_for_the_rest():
    """973,078,528 weights of the layers' products; embedding and norms have AdamW's two moments, in bf16."""
    inside = 16 * 2_048 * (2_048 + 2 * 512 + 2_048 + 3 * 8_192)
    assert inside == 973_078_528
    assert held("muon") == 2 * inside + 4 * (LLAMA.parameters - inside)


def test_muon_s_iterations_take_the_time_of_their_products():
    """A layer's q and o are 2,048 square, k and v 512 x 2,048, the others 2,048 x 8,192: 5 x (4 s^2 l + 2 s^3) each."""
    square, narrow, wide = (5 * (4 * s * s * long + 2 * s**3) for s, long in ((2_048, 2_048), (512, 2_048), (2_048, 8_192)))
    flops = 16 * (2 * square + 2 * narrow + 3 * wide)
    assert orthogonal_s(LLAMA, replace(FULL, optimizer="muon"), 1e12) == pytest.approx(flops / 1e12)
    assert orthogonal_s(LLAMA, FULL, 1e12) == 0.0


def test_apollo_keeps_what_galore_does_without_singular_vectors():
    """Two moments of long side x r and a projector of r x short side; its own update is a copy of the largest gradient."""
    galore, apollo = (replace(FULL, optimizer=name, rank=64.0) for name in ("galore-adamw", "apollo-adamw"))
    assert optimizer_state_bytes(LLAMA, galore) == optimizer_state_bytes(LLAMA, apollo)
    assert float(optimizer_workspace_bytes(LLAMA, apollo)) == 2 * 2 * 128_256 * 2_048
    assert held("apollo-adamw", rank=8.0) < held("apollo-adamw", rank=64.0) < held("adamw")


@pytest.mark.parametrize(("optimizer", "dtype", "states"), [
    ("muon", "bf16", 771_840), ("muon", "fp32", 1_031_680), ("adafactor", "bf16", 23_744), ("adafactor", "fp32", 19_488),
    ("apollo-adamw", "bf16", 602_880), ("apollo-adamw", "fp32", 693_760), ("lion", "bf16", 514_944),
    ("rmsprop", "fp32", 773_888),
])
def test_states_are_those_that_the_optimizers_own_classes_made(optimizer, dtype, states, tiny_llama):
    """Counted after a step of apollo_torch 1.0.3 (r 8), lion_pytorch 0.2.5, torch 2.13 and transformers 5.24 over a Llama of
    3 layers of 64, MLPs of 160, 4 heads over 2, 1,000 entries; its head is untied in bf16 and tied in fp32."""
    plan = TrainingPlan(method="full", optimizer=optimizer, rank=8.0, dtype=dtype)
    assert float(optimizer_state_bytes(tiny_llama(tied=dtype == "fp32"), plan)) == states


@pytest.mark.parametrize(("optimizer", "copies"), [("adamw-foreach", 1), ("rmsprop", 1), ("adagrad", 2), ("sgd-momentum", 0)])
def test_a_multi_tensor_step_allocates_copies_of_all_that_is_trained(optimizer, copies):
    """Storages that stand at once in a step of torch 2.13's class over ten matrices: Adagrad's root and its scaled gradient."""
    found = optimizer_workspace_bytes(LLAMA, replace(FULL, optimizer=optimizer, dtype="fp32"))
    assert float(found) == 4 * copies * LLAMA.parameters


@pytest.mark.parametrize(("optimizer", "copies"), [("lion", 2), ("sophia", 3)])
def test_a_step_by_parameters_allocates_copies_of_the_largest(optimizer, copies):
    """The same of lion_pytorch's update, and of SophiaG's: |m|, h and their quotient. The embedding is 128,256 x 2,048."""
    found = optimizer_workspace_bytes(LLAMA, replace(FULL, optimizer=optimizer, dtype="fp32"))
    assert float(found) == 4 * copies * 128_256 * 2_048


@pytest.fixture
def tiny_llama():
    def make(*, tied):
        small = find_model("llama-2-7b")
        attention = small.attention[0].model_copy(update={"layers": 3, "heads": 4, "kv_heads": 2, "head_dim": 16})
        mlp = small.mlp[0].model_copy(update={"layers": 3, "intermediate": 160})
        changed = {"hidden": 64, "vocab": 1000, "tied": tied, "attention": (attention,), "mlp": (mlp,)}
        return type(small).model_construct(**{**dict(small), **changed})

    return make


@every_row("optimizer", sorted(HELD))
def test_full_training_needs_its_weights_gradients_and_states_at_least(optimizer):
    """In a layer's backward or the step all of them stand; LOMO's gradients go layer by layer."""
    plan = replace(FULL, optimizer=optimizer, rank=64.0)
    gradients = 0.0 if optimizer in ("lomo", "adalomo") else 2.0 * LLAMA.parameters
    least = float(base_weight_bytes(LLAMA, plan)) + gradients + held(optimizer, rank=64.0)
    assert float(training_memory(LLAMA, plan).peak_allocated_bytes) >= least


def test_less_is_kept_from_fp32_states_to_none():
    names = ("adamw-32bit", "adamw", "adamw-8bit", "adamw-4bit", "lion-8bit", "sgd", "lomo")
    peaks = [float(training_memory(LLAMA, replace(FULL, optimizer=name)).peak_allocated_bytes) for name in names]
    assert peaks == sorted(peaks, reverse=True)


def test_states_broadcast_over_rank():
    for name in HELD:
        ranks = np.array([8.0, 64.0])
        plan = replace(FULL, optimizer=name, rank=ranks)
        found = np.broadcast_to(optimizer_state_bytes(LLAMA, plan), 2)
        assert float(found[1]) == held(name, rank=64.0), name
        adapter = TrainingPlan(optimizer=name, rank=ranks)
        if not adapter.projected:
            found = np.broadcast_to(optimizer_state_bytes(LLAMA, adapter), 2)
            assert float(found[1]) == float(optimizer_state_bytes(LLAMA, replace(adapter, rank=64.0))), name
            assert float(found[1]) <= 12.0 * float(trained_parameters(LLAMA, replace(adapter, rank=64.0)))


@pytest.mark.parametrize(("fields", "said"), [
    ({"optimizer": "apollo-adamw", "method": "lora"}, "projects the gradients of trained weights; take method full"),
    ({"optimizer": "lomo", "method": "lora"}, "applies gradients as they come of trained weights; take method full"),
    ({"optimizer": "adalomo", "accumulation": 4}, "accumulation: 4 is not possible with adalomo, which keeps no gradient"),
    ({"optimizer": "adafactor", "sharding": "fsdp",
    "gpus": 8}, "adafactor is not known with sharding fsdp; take none, or adamw-8bit"),
    ({"optimizer": "muon", "method": "lisa", "rank": 2.0}, "muon is not known with method lisa; take adamw"),
])
def test_what_no_rule_counts_is_refused_in_a_sentence(fields, said):
    assert said in refusal(LLAMA, replace(FULL, **fields))


def test_an_elementwise_optimizer_is_sharded_as_adamw_is():
    """One state of Lion in place of AdamW's two, an eighth on each GPU; fp32 as FSDP keeps its shards under autocast."""
    card = find_gpu("H100-80GB-SXM")
    plans = [replace(FULL, optimizer=name, sharding="fsdp", gpus=8, autocast=True) for name in ("adamw-fused", "lion", "sgd")]
    two, one, none = (float(training_memory(LLAMA, plan, card).peak_allocated_bytes) for plan in plans)
    assert two - one == pytest.approx(4 * LLAMA.parameters / 8, rel=0.01)
    assert one > none


@every_row("text, name", [
    ("adamw_torch", "adamw"), ("adamw_hf", "adamw"), ("AdamW", "adamw"), ("torch.optim.Adam", "adamw"),
    ("DecoupledAdamW", "adamw"),
    ("adamw_torch_fused", "adamw-fused"), ("adamw_apex_fused", "adamw-fused"), ("FusedAdam", "adamw-fused"),
    ("schedule_free_adamw", "adamw-foreach"), ("adamw_anyprecision", "adamw-32bit"), ("AnyPrecisionAdamW", "adamw-bf16"),
    ("adamw_bnb_8bit", "adamw-8bit"), ("bnb.optim.AdamW8bit", "adamw-8bit"), ("8-bit Adam", "adamw-8bit"),
    ("AdamWFp8", "adamw-8bit"),
    ("adamw_torch_4bit", "adamw-4bit"), ("paged_adamw_32bit", "paged-adamw"), ("PagedAdamW8bit", "paged-adamw-8bit"),
    ("Lion8bit", "lion-8bit"), ("lion_32bit", "lion-32bit"), ("DecoupledLionW", "lion"), ("decoupled_lionw_8b", "lion-8bit"),
    ("paged_lion_8bit", "paged-lion-8bit"), ("paged_lion_32bit", "paged-lion"), ("Adafactor", "adafactor"), ("SGD", "sgd"),
    ("SGD momentum 0.9", "sgd-momentum"), ("SGD w/o momentum", "sgd"), ("Muon + AdamW", "muon"), ("Adam-mini", "adam-mini"),
    ("SophiaG", "sophia"), ("ademamix_8bit", "ademamix-8bit"), ("RMSprop", "rmsprop"), ("lomo", "lomo"), ("AdaLomo", "adalomo"),
    ("galore_adamw_8bit", "galore-adamw-8bit"), ("GaLoreAdamW", "galore-adamw"), ("apollo_adamw", "apollo-adamw"),
    ("bnb.optim.AdamW", "adamw-32bit"), ("bitsandbytes.optim.PagedAdamW", "paged-adamw"), ("PagedLion32bit", "paged-lion"),
    ("bnb.optim.AdEMAMix32bit", "ademamix"), ("adamw_torch_npu_fused", "adamw-fused"), ("FusedLion", "lion"),
    ("AdamWScheduleFree", "adamw-foreach"), ("schedule_free_sgd", "sgd-momentum"), ("SGD nesterov", "sgd-momentum"),
    ("DecoupledSGDW", "sgd"), ("HF Trainer AdamW + DeepSpeed ZeRO-3", "adamw"), ("lion_pytorch", "lion"),
    ("SingleDeviceMuonWithAuxAdam", "muon"), ("ao_adamw_4bit", "adamw-4bit"), ("distributed_fused_adam", "adamw-fused"),
])
def test_names_as_libraries_write_them(text, name):
    assert named_optimizer(text) == name


@every_row("text", [
    "soap", "shampoo", "lamb", "nadam", "radam", "grokadamw", "q_galore_adamw8bit", "q_apollo", "apollo_mini", "BAdam",
    "signsgd",
    "DeepSpeedCPUAdam", "galore_adafactor", "galore_adamw_layerwise", "rmsprop_bnb", "paged_ademamix_8bit", "prodigy", "came",
    "stable_adamw", "ASGD", "torch.optim.Adamax", "SparseAdam", "OneBitAdam", "adopt_adamw", "optimi_adamw",
    "bnb.optim.SGD8bit", "bnb.optim.RMSprop8bit", "bnb.optim.Adagrad", "paged_adamw_4bit", "sophia_8bit", "foo", "adamx",
    "lionx", "adamlion",
])
def test_a_name_that_holds_another_is_not_taken_for_it(text):
    assert named_optimizer(text) == text
    with pytest.raises(InputError, match="is not one of adamw"):
        replace(FULL, optimizer=text)
