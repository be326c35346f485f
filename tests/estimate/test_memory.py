"""Memory of a training step: hand-checked parts, properties and published runs; the dry run's grid is in test_dry_run.py."""

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_tables import every_row

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.step.step_time import StepEfficiency, step_time
from roi.estimate.training.adapters import base_weight_bytes, nf4_bytes_per_weight, trained_parameters
from roi.estimate.training.memory import PHASES, MemoryBreakdown, training_memory
from roi.estimate.training.optimizers import optimizer_state_bytes
from roi.estimate.training.plan import METHODS, TrainingPlan, check_context
from roi.estimate.training.stacks import trainer_habits
from roi.facts.model import ModelShape
from roi.units import GIB

LLAMA = find_model("llama-3.1-8b")
SMALL = find_model("qwen2.5-0.5b")

PLANS = st.builds(
    TrainingPlan,
    method=st.sampled_from(["full", "lora", "rslora", "dora", "qlora", "qdora"]),
    rank=st.integers(1, 256).map(float), targets=st.sampled_from(["all-linear", "attention", "qv"]),
    micro_batch=st.integers(1, 16).map(float), seq=st.integers(64, 8192).map(float),
    checkpointing=st.booleans(), attention=st.sampled_from(["sdpa", "flash", "eager"]),
    optimizer=st.sampled_from(["adamw", "adamw-bf16", "adamw-8bit", "paged-adamw", "paged-adamw-8bit"]),
    dropout=st.sampled_from([0.0, 0.1]), double_quant=st.booleans(), logits_kept=st.booleans(),
    accumulation=st.sampled_from([1, 8]),
)


def peak(plan, model=SMALL):
    return float(training_memory(model, plan).peak_allocated_bytes)


def test_sixteen_bit_weights_of_llama_8b_are_16_06_gb():
    """8,030,261,248 parameters x 2 bytes."""
    assert base_weight_bytes(LLAMA, TrainingPlan()) == pytest.approx(16.06e9, rel=1e-3)


def test_nf4_is_4_127_bits_with_double_quantisation_and_4_5_without():
    """4 + 8 / 64 + 32 / (64 x 256) = 4.127 bits; 4 + 32 / 64 = 4.5 bits."""
    assert 8 * nf4_bytes_per_weight(double_quant=True) == pytest.approx(4.127, abs=5e-4)
    assert 8 * nf4_bytes_per_weight(double_quant=False) == 4.5


def test_rank_16_on_every_linear_layer_of_llama_8b_trains_41_943_040_parameters():
    """16 x 32 layers x (q 8192 + k 5120 + v 5120 + o 8192 + gate, up, down 3 x 18432 = 55296) = 512 x 81920."""
    assert trained_parameters(LLAMA, TrainingPlan(rank=16)) == 41_943_040


def test_qlora_holds_embedding_norms_and_head_in_fp32():
    """Linear layers 6,979,321,856 x 4.127 bits = 3.600 GB; the other 1,050,939,392 x 4 bytes = 4.204 GB."""
    assert base_weight_bytes(LLAMA, TrainingPlan(method="qlora")) == pytest.approx(3.600e9 + 4.204e9, rel=1e-3)


@pytest.mark.parametrize(("optimizer", "each", "paged"), [
    ("adamw", 8.0, 0.0), ("adamw-bf16", 4.0, 0.0), ("adamw-8bit", 2.03125, 0.0), ("paged-adamw", 8.0, 8.0),
    ("paged-adamw-8bit", 2.03125, 2.0),
])
def test_moments_of_an_adapter_take_bytes_by_optimizer(optimizer, each, paged):
    """fp32: 2 x 4; bf16: 2 x 2; 8-bit: 2 x (1 + 4 / 256). Paged are the states, not the scales, of tensors of 100,000 elements
    and more: at rank 16 those as wide as the MLP, 3 x 16 x 14,336 in 32 layers, and at rank 32 all but B of keys and values."""
    small = 32 * 2 * 32 * 1024
    for rank, outside in ((16, 32 * 3 * 16 * 14_336), (32, 2 * 41_943_040 - small)):
        held = optimizer_state_bytes(LLAMA, TrainingPlan(optimizer=optimizer, rank=float(rank)))
        assert held == each * rank / 16 * 41_943_040 - paged * outside


def test_the_loss_chain_takes_14_bytes_a_logit_where_the_loop_keeps_16_bit_logits():
    """2,048 tokens x 128,256 x (2 logits + 4 log-softmax + 4 incoming + 4 gradient)."""
    memory = training_memory(LLAMA, TrainingPlan(logits_kept=True))
    assert PHASES[int(memory.peak_phase)] == "loss"
    assert float(memory.logits_bytes) == 14.0 * 2048 * 128_256


def test_a_trainer_under_autocast_hands_on_and_keeps_fp32_logits_and_a_plain_loop_16_bit_ones():
    """accelerate's convert_outputs_to_fp32: 4 + 12 bytes a logit, over 16-bit logits 4 + 3 x 2; a plain loop keeps 2."""
    plan = TrainingPlan(logits_kept=True, autocast=True, trainer="hf")
    for loss, each in (("fp32", 12.0), ("16bit", 6.0)):
        for trainer, kept in (("hf", 4.0), ("plain", 2.0)):
            memory = training_memory(LLAMA, replace(plan, trainer=trainer, loss=loss))
            assert float(memory.logits_bytes) == (kept + each) * 2048 * 128_256


@pytest.mark.full
@settings(max_examples=200, deadline=None)
@given(PLANS, st.booleans())
def test_parts_sum_to_the_peak_and_the_peak_is_the_highest_phase(plan, int8):
    m = training_memory(SMALL, replace(plan, method="lora-int8") if int8 else plan)
    parts = (m.weights_bytes + m.adapters_bytes + m.gradients_bytes + m.optimizer_bytes + m.activations_bytes
             + m.logits_bytes + m.workspaces_bytes)
    assert float(parts) == pytest.approx(float(m.peak_allocated_bytes), rel=1e-9)
    assert max(float(x) for x in m.phase_bytes) == float(m.peak_allocated_bytes)


@pytest.mark.full
@settings(max_examples=200, deadline=None)
@given(PLANS, st.sampled_from(["rank", "micro_batch", "seq"]), st.sampled_from([1.5, 2.0, 5.0]))
def test_memory_never_falls_as_rank_batch_or_length_rise(plan, field, factor):
    assert peak(replace(plan, **{field: getattr(plan, field) * factor})) >= peak(plan)


@pytest.mark.full
@settings(max_examples=100, deadline=None)
@given(PLANS)
def test_checkpointing_never_needs_more_by_over_one_layer(plan):
    """Checkpointing adds at most its own boundary, mask and a recomputed layer to what it saves."""
    kept = training_memory(SMALL, replace(plan, checkpointing=False))
    saved = training_memory(SMALL, replace(plan, checkpointing=True))
    layer = float(kept.saved_bytes) / SMALL.layers
    assert float(saved.peak_allocated_bytes) <= float(kept.peak_allocated_bytes) + 4.0 * layer


@pytest.mark.parametrize("name", ["qwen2.5-0.5b", "llama-3.1-8b", "mixtral-8x7b", "gemma-2-9b", "deepseek-v2-lite"])
def test_nf4_weights_are_smaller_than_16_bit_ones_in_the_quantised_layers(name):
    model = find_model(name)
    whole = training_memory(model, TrainingPlan(method="lora"))
    packed = training_memory(model, TrainingPlan(method="qlora"))
    assert float(packed.weights_bytes - 2 * packed.preparation_bytes) < float(whole.weights_bytes)


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(PLANS, st.lists(st.tuples(st.integers(1, 64), st.integers(1, 8), st.integers(64, 4096),
                                 st.sampled_from([0.0, 0.1])), min_size=1, max_size=4))
def test_an_array_gives_what_each_scalar_gives(plan, points):
    rank, batch, seq, dropout = (np.array(c, dtype=float) for c in zip(*points, strict=True))
    many = training_memory(SMALL, replace(plan, rank=rank, micro_batch=batch, seq=seq, dropout=dropout), slack=0.1)
    for i in range(len(points)):
        at = replace(plan, rank=rank[i], micro_batch=batch[i], seq=seq[i], dropout=dropout[i])
        one = training_memory(SMALL, at, slack=0.1)
        for f in fields(MemoryBreakdown):
            for a, b in zip(np.atleast_1d(getattr(one, f.name)) if f.name != "phase_bytes" else one.phase_bytes,
                            [getattr(many, f.name)] if f.name != "phase_bytes" else many.phase_bytes, strict=True):
                whole = np.broadcast_to(np.asarray(b, dtype=float), (len(points),))
                assert whole[i] == pytest.approx(float(a), rel=1e-12), f.name


@every_row("name, trainer, method", product(
    ("smollm2-135m", "qwen2.5-0.5b", "tinyllama-1.1b", "llama-3.1-8b", "gemma-2-2b", "mixtral-8x7b"), ("plain", "hf", "trl"),
    METHODS))
def test_reserved_memory_never_falls_where_checkpointing_is_turned_off(name, trainer, method):
    """What is kept instead of recomputed only adds to what comes and goes, and the logits stay what they are."""
    targets = "attention" if method in ("dora", "qdora") else "all-linear"
    habits = trainer_habits(trainer, "bf16")
    batch, seq = (x.ravel() for x in np.meshgrid([1.0, 2.0, 4.0], [128.0, 512.0, 2048.0]))
    plan = TrainingPlan(method=method, targets=targets, micro_batch=batch, seq=seq, trainer=trainer,
                        logits_kept=habits.logits_kept, autocast=habits.autocast)
    on, off = (training_memory(find_model(name), replace(plan, checkpointing=kept), slack=0.78) for kept in (True, False))
    assert np.all(off.reserved_bytes >= on.reserved_bytes)


def test_under_autocast_one_more_rank_keeps_as_output_and_the_16_bit_copies_of_a_and_b():
    """Of 7 targets in 24 layers: 2 bytes x 512 tokens of A's output each, and 2 bytes x (inputs + outputs), 22,912 a layer.

    24 x (512 x 2 x 7 + 2 x 22,912).
    """
    plan = TrainingPlan(method="lora", rank=np.array([16.0, 17.0]), seq=512.0, checkpointing=False, trainer="hf", autocast=True)
    assert np.diff(training_memory(SMALL, plan).saved_bytes) == pytest.approx(1_271_808.0)


def test_rank_stabilised_lora_costs_what_lora_costs():
    assert peak(TrainingPlan(method="rslora")) == peak(TrainingPlan(method="lora"))


def test_gradients_live_through_the_loss_where_steps_accumulate():
    """896-wide Qwen, full, bf16: 494,032,768 parameters x 2 bytes more at the loss."""
    once, often = (training_memory(SMALL, TrainingPlan(method="full", seq=8192, accumulation=n)) for n in (1, 8))
    assert float(often.phase_bytes[1] - once.phase_bytes[1]) == pytest.approx(2.0 * SMALL.parameters)


def test_hopper_gets_larger_cublas_workspaces():
    """2 x 32 MiB instead of 2 x 8.125 MiB."""
    hopper = training_memory(SMALL, TrainingPlan(), find_gpu("H100-80GB-SXM"))
    ampere = training_memory(SMALL, TrainingPlan(), find_gpu("A100-80GB-SXM"))
    assert float(hopper.peak_allocated_bytes - ampere.peak_allocated_bytes) == 2 * (32 - 8.125) * 2**20


@pytest.mark.parametrize(("change", "message"), [
    ({"rank": 0}, "rank: 0 is not usable; at least 1"),
    ({"micro_batch": -1}, "micro_batch: -1"),
    ({"dropout": 1.0}, "dropout: 1.0"),
    ({"method": "qlra"}, "nearest: qlora"),
    ({"optimizer": "adam"}, "nearest: adamw"),
    ({"targets": "qproj"}, "nearest: q_proj"),
])
def test_what_cannot_be_trained_is_refused_with_what_can(change, message):
    with pytest.raises(InputError, match=message):
        training_memory(SMALL, TrainingPlan(**change))


def test_a_sequence_beyond_the_context_is_refused():
    with pytest.raises(InputError, match="at most 32,768"):
        check_context(SMALL, TrainingPlan(seq=40_000))


RTX4080 = [  # can-i-finetune-this (MIT): model, method, micro-batch, tokens, torch max_memory_allocated GiB
    ("qwen2.5-0.5b", "lora", 1, 1024, 3.0324), ("qwen2.5-0.5b", "qlora", 1, 1024, 3.1158),
    ("qwen2.5-0.5b", "qlora", 1, 2048, 5.5220), ("qwen2.5-1.5b", "qlora", 1, 1024, 4.0413),
    ("qwen2.5-1.5b", "qlora", 2, 1024, 6.5311), ("qwen2.5-1.5b", "qlora", 1, 2048, 6.5324),
    ("qwen2.5-1.5b", "qlora", 1, 4096, 11.5068), ("qwen2.5-1.5b", "qlora", 1, 512, 2.7943),
    ("qwen2.5-3b", "qlora", 1, 1024, 5.1719), ("qwen2.5-7b", "qlora", 1, 1024, 10.0023),
]


@pytest.mark.parametrize(("name", "method", "batch", "seq", "measured"), RTX4080)
def test_published_allocated_peaks_come_out_within_one_percent(name, method, batch, seq, measured):
    plan = TrainingPlan(method=method, targets="attention", micro_batch=batch, seq=seq, dropout=0.05, padded=False,
                        optimizer="paged-adamw-8bit", logits_kept=True)
    assert peak(plan, find_model(name)) / GIB == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(("method", "rank", "targets", "measured"), [
    ("lora", 32, "qv", 20.762), ("lora", 64, "qv", 21.012), ("dora", 32, "qv", 22.848),
    ("lora", 10, "gate_proj,up_proj,down_proj", 23.002), ("full", 1, "all-linear", 35.902),
])
def test_peft_benchmark_peaks_come_out_within_five_percent(method, rank, targets, measured):
    """huggingface/peft method_comparison (Apache-2.0), reserved GiB; the longest batch is only known to be <= 768."""
    plan = TrainingPlan(method=method, rank=rank, targets=targets, micro_batch=4, seq=768, checkpointing=False,
                        logits_kept=True)
    assert peak(plan, find_model("llama-3.2-3b")) / GIB == pytest.approx(measured, rel=0.05)


def test_a_fused_product_is_one_target():
    """phi-3.5-mini, rank 16, 32 layers: qkv 3,072 -> 9,216, o 3,072 -> 3,072, gate_up 3,072 -> 16,384, down 8,192 -> 3,072:
    16 x 32 x (12,288 + 6,144 + 19,456 + 11,264) = 512 x 49,152; naming a part of one means the whole."""
    phi = find_model("phi-3.5-mini")
    assert trained_parameters(phi, TrainingPlan(rank=16)) == 512 * 49_152
    assert trained_parameters(phi, TrainingPlan(rank=16, targets="qv")) == 512 * 12_288


def test_every_expert_has_its_own_adapter_and_gate_and_up_share_one_of_twice_the_rank():
    """Mixtral, 32 layers, rank 8. Attention: 8 x (8,192 + 5,120 + 5,120 + 8,192) = 212,992 a layer. Eight experts: 16 x (4,096
    + 28,672) + 8 x (14,336 + 4,096) = 671,744 each. Router: 8 x (4,096 + 8) = 32,832."""
    mixtral = find_model("mixtral-8x7b")
    assert trained_parameters(mixtral, TrainingPlan(rank=8)) == 32 * (212_992 + 8 * 671_744 + 32_832)
    assert trained_parameters(mixtral, TrainingPlan(rank=8, targets="attention")) == 32 * 212_992
    assert trained_parameters(mixtral, TrainingPlan(rank=8, targets="gate_proj,up_proj,down_proj")) == 32 * 8 * 671_744
    assert trained_parameters(find_model("gpt-oss-20b"), TrainingPlan(rank=8)) == 24 * 8 * (6976 + 3392 + 3392 + 6976)


def test_adapted_experts_are_folded_into_their_weights_in_every_layer():
    """Mixtral without checkpointing: 32 layers x 8 experts x 3 x 4,096 x 14,336 x 2 bytes = 90.2 GB beside the weights."""
    mixtral, plan = find_model("mixtral-8x7b"), TrainingPlan(rank=1, seq=1, checkpointing=False)
    kept = float(training_memory(mixtral, plan).saved_bytes)
    assert kept == pytest.approx(32 * 8 * 3 * 4096 * 14_336 * 2, rel=1e-3)


def test_fp32_queries_with_grouped_heads_keep_their_scores():
    """32 layers x 32 heads x 2,048^2 x 4 bytes = 17.2 GB, which a mask, a multi-head model or 16-bit queries do not keep."""
    plan = TrainingPlan(method="qlora", checkpointing=False)
    scores = 32 * 32 * 2048**2 * 4
    kept = float(training_memory(LLAMA, plan).saved_bytes)
    assert kept - float(training_memory(LLAMA, replace(plan, autocast=True)).saved_bytes) > scores
    assert kept - float(training_memory(LLAMA, replace(plan, packed=True)).saved_bytes) > 0.9 * scores
    multi = find_model("llama-2-7b")
    assert float(training_memory(multi, plan).saved_bytes) < kept - 0.9 * scores


@pytest.mark.parametrize(("name", "kept"), [
    ("phi-3.5-mini", 32 * 4 * 512 * 2 * 3_072), ("falcon-7b", 32 * 4 * 512 * (72 - 2 * 70) * 64), ("llama-3.2-1b", 0),
    ("gpt2", 0),
])
def test_scores_of_one_sequence_read_views_of_keys_and_values_and_those_of_several_read_copies(name, kept):
    """fp32, 512 tokens: phi's values keep the product with its queries and keys, 2 x 3,072 wider, in 32 layers; falcon's 71
    heads read one head's keys and values, 64 wide each, and its values keep the product of 73 heads. Llama repeats 8 heads for
    32, and gpt2's views are the whole product.
    """
    one, two = (float(training_memory(find_model(name), TrainingPlan(
        targets="attention", micro_batch=n, seq=512.0, checkpointing=False, dtype="fp32", attention="eager", padded=False,
    )).saved_bytes) for n in (1.0, 2.0))
    assert 2.0 * one - two == pytest.approx(2.0 * kept, abs=1.0)


def test_what_the_blocks_of_a_model_add_keeps_a_mask_of_a_byte_an_element_where_its_configuration_drops_it():
    """Phi-2's resid_pdrop is 0.1: 32 layers x 2 x 1,024 tokens x 2,560 bytes. LitGPT's class reads no dropout."""
    phi = find_model("phi-2")
    undropped = ModelShape.model_validate(phi.model_dump() | {"dropped": ()})
    for stack, masks in (("transformers", 32 * 2 * 1024 * 2560), ("litgpt", 0)):
        plan = TrainingPlan(seq=1024, checkpointing=False, stack=stack)
        kept, without = (float(training_memory(shape, plan).saved_bytes) for shape in (phi, undropped))
        assert kept - without == masks


def test_a_table_for_every_layer_has_two_gradients_where_micro_steps_accumulate():
    """Gemma-4-E4B: 262,144 x 42 x 256 of 2 bytes, once more beside the old one and the head's new gradient, 262,144 x 2,560."""
    plan = TrainingPlan(method="full", micro_batch=1, seq=64, optimizer="adamw-8bit", accumulation=2)
    found = training_memory(find_model("gemma-4-e4b"), plan)
    parameters = find_model("gemma-4-e4b").parameters
    assert float(found.gradients_bytes) == 2 * (parameters + 262_144 * 42 * 256 + 262_144 * 2_560)


def test_logits_behind_a_16_bit_loss_are_turned_to_fp32_when_autocast_has_dropped_its_copies():
    """QLoRA, rank 64: 2,048 x 49,152 logits are 384 MiB in fp32, beside 192 in 16 bits and their log-softmax; or before that
    the adapters' copies, 138 MiB. Forward peaks behind autocast, where loss and all that is kept are alike: it is the loss's.
    """
    plan = TrainingPlan(method="qlora", rank=64.0, micro_batch=4.0, seq=512.0, attention="flash", loss="16bit", trainer="hf",
                        autocast=True)
    forward, loss, _, _ = (float(x) for x in training_memory(find_model("smollm2-1.7b"), plan).phase_bytes)
    assert forward == pytest.approx(loss)


def test_sft_trainer_holds_a_tile_of_logits():
    """4,096 x 32,768 x 2 bytes of tile, 4 x 4,096 x 4,096 of gradient; a whole chain would be 12 x 4,096 x 128,256.

    Autocast still holds its copies of 41,943,040 parameters of adapters, 2 bytes each.
    """
    plan = TrainingPlan(trainer="trl", autocast=True, seq=4096)
    held = training_memory(LLAMA, plan)
    kept = held.saved_bytes + held.weights_bytes + held.adapters_bytes + held.workspaces_bytes
    states = optimizer_state_bytes(LLAMA, plan)
    assert float(held.phase_bytes[1] - kept - states) == 4096 * 32_768 * 2 + 4 * 4096 * 4096 + 2 * 41_943_040


def test_a_window_that_the_sequence_reaches_takes_a_mask():
    """mistral-7b-v0.1, window 4,096, 32 layers, bf16: 4,096^2 x 2 bytes of mask and 24 more heads of keys and values each."""
    v1 = find_model("mistral-7b-v0.1")
    plan = TrainingPlan(seq=4096, checkpointing=False)
    reached, free = (float(training_memory(m, plan).saved_bytes) for m in (v1, find_model("mistral-7b-v0.2")))
    assert reached - free == 32 * (4096**2 * 2 + 2 * 24 * 128 * 4096 * 2)


def test_int8_weights_take_a_byte_and_a_scale_a_row():
    """Packed 6,979,321,856 bytes + 32 layers x 43,008 rows x 4 bytes + the other 1,050,939,392 x 4 bytes.

    Rows of a layer: q 4,096 + k 1,024 + v 1,024 + o 4,096 + gate 14,336 + up 14,336 + down 4,096.
    """
    assert base_weight_bytes(LLAMA, TrainingPlan(method="lora-int8")) == 6_979_321_856 + 32 * 43_008 * 4 + 1_050_939_392 * 4


def test_checkpointing_does_not_free_the_inputs_of_int8_products():
    """32 layers x 2,048 tokens x 4 bytes x (two norms' outputs 2 x 4,096 + attention's output 4,096 + product 14,336)."""
    kept = [float(training_memory(LLAMA, TrainingPlan(method=m)).saved_bytes) for m in ("lora-int8", "qlora")]
    assert kept[0] - kept[1] == 32 * 2048 * 4 * (3 * 4096 + 14_336)


def test_int8_is_dequantised_to_fp32_and_nf4_to_the_compute_type():
    """4,096 x 14,336 x 4 bytes against x 2 bytes."""
    sizes = [float(training_memory(LLAMA, TrainingPlan(method=m)).dequantisation_bytes) for m in ("lora-int8", "qlora", "lora")]
    assert sizes == [4096 * 14_336 * 4, 4096 * 14_336 * 2, 0.0]


@pytest.mark.full
@settings(max_examples=100, deadline=None)
@given(PLANS, st.sampled_from(["rank", "micro_batch", "seq"]))
def test_int8_memory_never_falls_as_rank_batch_or_length_rise(plan, field):
    int8 = replace(plan, method="lora-int8")
    assert peak(replace(int8, **{field: getattr(int8, field) * 2.0})) >= peak(int8)


def test_an_int8_step_runs_forward_in_int8_and_backward_in_fp32():
    """A100: 2 x 6,979,321,856 x 2,048 operations, forward and recompute at 624e12 int8/s, backward at 19.5e12 fp32/s.

    Dequantised once, in backward: byte read, fp32 written, read and written to scale it: 1 + 3 x 4 = 13 bytes a weight.
    """
    card = find_gpu("A100-80GB-SXM")
    ideal = StepEfficiency(1.0, 1.0, 0.0)
    int8, nf4 = (step_time(LLAMA, TrainingPlan(method=m), card, ideal) for m in ("lora-int8", "qlora"))
    once = 2 * 6_979_321_856 * 2048
    expected = 2 * once / 624e12 + once / 19.5e12 - 3 * once / 312e12
    assert float(int8.products_s - nf4.products_s) == pytest.approx(expected)
    assert float(int8.dequantisation_s) == pytest.approx(13 * 6_979_321_856 / card.bandwidth_bytes_per_s)
