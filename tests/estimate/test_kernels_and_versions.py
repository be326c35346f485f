"""Memory that depends on software: AdamW's form, fused kernels, experts of transformers 4, the kernel behind SDPA."""

from dataclasses import replace
from datetime import date

import pytest

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.fitting.gpu_fit import fit_plan
from roi.estimate.fitting.overhead import Overhead, reserved_range
from roi.estimate.training.adapters import base_weight_bytes, quantised_parameters, trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import read_setting, refusal
from roi.facts.model import Attention, Mlp, ModelShape
from roi.units import GIB

LLAMA = find_model("llama-3-8b")
PACKED = TrainingPlan(method="lora", rank=16.0, targets=("q_proj", "k_proj", "v_proj", "o_proj"), micro_batch=4.0, seq=4096.0,
                      attention="flash", dropout=0.1, autocast=True, packed=True, trainer="hf", kernels="fused")


def allocated(plan, model=LLAMA, card="A100-80GB-SXM"):
    return float(training_memory(model, plan, find_gpu(card)).peak_allocated_bytes) / GIB


@pytest.mark.parametrize(("measured", "plan"), [
    (35.059, PACKED),
    (54.964, replace(PACKED, micro_batch=8.0)),
    (69.001, replace(PACKED, method="qlora", kbit_prepared=False, loss="chunked", micro_batch=32.0)),
    (25.387, replace(PACKED, method="qlora", kbit_prepared=False)),
    (29.435, replace(PACKED, gpus=2, sharding="fsdp")),
    (74.802, replace(PACKED, method="full", dropout=0.0, optimizer="adamw-foreach")),
    (74.804, replace(PACKED, method="full", dropout=0.0, optimizer="adamw-foreach", gpus=2, sharding="fsdp")),
])
def test_fused_kernels_need_what_was_measured(measured, plan):
    """Rows fmskf-004, 005, fmskfl-014, fmskf-009, 018, 001, 015: Llama-3-8B on A100, torch 2.4.1, transformers 4.45.2."""
    assert allocated(plan) == pytest.approx(measured, rel=0.003)


@pytest.mark.parametrize(("measured", "batch"), [(23.195, 4.0), (47.396, 16.0)])
def test_lora_with_a_loss_in_chunks_needs_a_tensor_of_the_stream_less_than_was_measured(measured, batch):
    """fmskfl-006 and 008: the dry run lacks it too, and QLoRA's rows have none."""
    lacking = batch * 4096 * 4096 * 2 / GIB
    assert allocated(replace(PACKED, loss="chunked", micro_batch=batch)) + lacking == pytest.approx(measured, rel=0.002)


def test_adapters_under_fsdp_hold_two_recomputed_layers():
    """fmskfl-020, 022, 027 and 042: 16 sequences within 0.6%, 4 within 1.5%; with one layer it would be 18.4 and 42.6 GiB."""
    plan = replace(PACKED, loss="chunked", gpus=2, sharding="fsdp")
    assert allocated(plan) == pytest.approx(21.778, rel=0.015)
    plan = replace(plan, micro_batch=16.0)
    assert allocated(plan) == pytest.approx(57.228, rel=0.006)
    for gpus, measured in ((2, 51.694), (4, 50.393)):
        quantised = replace(plan, method="qlora", kbit_prepared=False, gpus=gpus)
        assert allocated(quantised) == pytest.approx(measured, rel=0.006)


def test_the_multi_tensor_adamw_holds_one_more_copy_of_what_is_trained():
    """8,030,261,248 parameters of two bytes, where the optimizer step is the peak."""
    fused = replace(PACKED, method="full", dropout=0.0)
    listed = replace(fused, optimizer="adamw-foreach")
    steps = [float(training_memory(LLAMA, plan).phase_bytes[3]) for plan in (listed, fused)]
    assert steps[0] - steps[1] == 2 * 8_030_261_248


@pytest.mark.parametrize(("autocast", "spared"), [(False, 12 - 6), (True, 12 - 8)])
def test_a_loss_over_16_bit_logits_takes_half_of_its_chain_and_a_copy_in_fp32_under_autocast(autocast, spared):
    """T x V x 6 bytes less, 16,384 tokens and 128,256 rows; accelerate hands out fp32 logits of autocast, 2 bytes more."""
    plan = replace(PACKED, kernels="none", attention="sdpa", packed=False, padded=False, autocast=autocast)
    wide, narrow = (float(training_memory(LLAMA, replace(plan, loss=loss)).phase_bytes[1]) for loss in ("fp32", "16bit"))
    assert wide - narrow == 16_384 * 128_256 * spared


def test_experts_of_transformers_4_are_quantised():
    """Mixtral: 32 layers x 8 experts x 3 x 4096 x 14336 weights are NF4 instead of fp32."""
    mixtral = find_model("mixtral-8x7b")
    experts = 32 * 8 * 3 * 4096 * 14336
    assert quantised_parameters(mixtral, split=True) - quantised_parameters(mixtral) == experts
    plan = TrainingPlan(method="qlora", targets="attention")
    assert base_weight_bytes(mixtral, plan) - base_weight_bytes(mixtral, replace(plan, split_experts=True)) == pytest.approx(
        experts * (4.0 - 0.5 - (1 + 4 / 256) / 64))


@pytest.mark.parametrize(("dtype", "more"), [
    ("bf16", 2 * 4 * (256 + 256 + 512 + 3 * 8)), ("fp32", 2 * 4 * (256 + 512 + 3 * 8)),
])
def test_experts_of_transformers_4_carry_an_adapter_each_and_keep_the_rows_of_those_that_a_token_passes(dtype, more):
    """Counted on transformers 4.57.1 and peft on a CPU, by what autograd saves: 256 wide, 8 experts of 512, 2 a token, rank 8.

    A token and layer keep 8,384 bytes more than with adapters on attention alone, in fp32 6,336: twice the inputs of w1, w3 and
    w2 in fp32 (of an fp32 stream w1 and w3 share theirs) and 3 x 8 numbers that A makes.
    """
    shape = ModelShape(
        id="small", family="mixtral", licence="none", context_tokens=4096, hidden=256, vocab=512, published_parameters=1,
        attention=(Attention(layers=4, heads=8, kv_heads=2, head_dim=32),), source="by hand", date=date(2026, 1, 1),
        mlp=(Mlp(layers=4, intermediate=512, experts=8, experts_per_token=2),),
    )
    plan = TrainingPlan(rank=8, seq=1024, checkpointing=False, split_experts=True, dtype=dtype)
    on, off = (training_memory(shape, replace(plan, targets=targets)).saved_bytes for targets in ("all-linear", "attention"))
    assert float(on - off) == 4 * 1024 * more
    assert float(trained_parameters(shape, plan)) == 4 * (13_312 + 8 * 3 * 8 * (256 + 512))


def test_a_card_without_flashattention_keeps_the_scores_of_grouped_heads_unless_there_is_a_mask():
    """T4: no mask leaves the heads grouped, which only FlashAttention and the math path take; an A100 keeps none."""
    plan = TrainingPlan(method="lora", dtype="fp16", seq=2048.0)
    a = LLAMA.attention[0]
    scored = {card: float(read_setting(LLAMA, plan, find_gpu(card)).scored(a)) for card in ("T4", "A100-80GB-SXM")}
    assert scored == {"T4": 1.0, "A100-80GB-SXM": 0.0}
    padded = replace(plan, micro_batch=2.0)
    assert float(read_setting(LLAMA, padded, find_gpu("T4")).scored(a)) == 0.0
    assert float(read_setting(LLAMA, replace(plan, attention="sdpa-math")).scored(a)) == 1.0


@pytest.mark.parametrize(("attention", "batch", "told"), [
    ("sdpa-efficient", 1.0, "no kernel for the grouped heads of llama-3-8b without a mask"),
    ("sdpa-flash", 2.0, "no kernel for a mask"),
])
def test_a_pinned_kernel_that_would_not_run_is_refused(attention, batch, told):
    plan = TrainingPlan(method="lora", attention=attention, micro_batch=batch)
    assert told in refusal(LLAMA, plan)
    with pytest.raises(InputError, match="take sdpa"):
        fit_plan(LLAMA, plan, find_gpu("H100"), Overhead((0.0,) * 3, (0.0,) * 3))


@pytest.mark.parametrize("change", [{"kernels": "liger"}, {"loss": "chunked"}])
def test_a_head_that_works_in_chunks_makes_no_logits_that_a_loop_could_keep(change):
    """2 x 2,048 x 128,256 logits in 16 bits were counted in a plain loop, 0.98 GiB."""
    plan = TrainingPlan(seq=2048, micro_batch=2, logits_kept=True, **change)
    kept, freed = (training_memory(LLAMA, replace(plan, logits_kept=held)) for held in (True, False))
    assert float(kept.peak_allocated_bytes) == float(freed.peak_allocated_bytes)


def test_liger_needs_less_than_fused_and_fused_less_than_none():
    plan = replace(PACKED, targets="all-linear")
    liger, fused, none = (allocated(replace(plan, kernels=kernels)) for kernels in ("liger", "fused", "none"))
    assert liger < fused < none


def test_a_full_card_cuts_the_allocator_s_slack_to_what_it_cannot_do_without():
    """fms-acceleration's row of full training: 74.8 GiB allocated, 75.9 of the process, on a card of 79.2; a large one has
    the slack of the replays besides."""
    plan = replace(PACKED, method="full", dropout=0.0, optimizer="adamw-foreach")
    small, large = (training_memory(LLAMA, plan, find_gpu(card), 0.78, 0.45 * GIB)
                    for card in ("A100-80GB-SXM", "H200-141GB-SXM"))
    assert float(small.process_bytes) == find_gpu("A100-80GB-SXM").memory_bytes
    assert float(large.reserved_bytes) == pytest.approx(float(large.peak_allocated_bytes + 0.78 * large.loose_bytes))
    tight = training_memory(LLAMA, replace(plan, micro_batch=8.0), find_gpu("A100-80GB-SXM"), 0.78, 0.45 * GIB)
    needed = float(tight.peak_allocated_bytes) + 0.06 * float(tight.dynamic_bytes)
    assert float(tight.reserved_bytes) == pytest.approx(needed)
    assert needed + 0.45 * GIB > find_gpu("A100-80GB-SXM").memory_bytes


def test_a_fused_loss_over_whole_logits_strands_the_segments_that_its_gradient_cannot_use():
    """Llama-3-8B, LoRA, 4 x 4,096 tokens: 16,384 x 128,256 logits, 7.83 GiB in fp32 and 3.91 in 16 bits, both reserved beyond
    the two tensors of the loss, and beside what forward of a layer freed: activation, up, product (14,336 wide) and the norm's
    output (4,096), 16 bits each. A full card takes them back: 8 sequences on 80 GB. Liger never makes them, and full training
    makes its moments of them. Today's torch takes the second slice's fp32 tensor for none: the low end has the rest."""
    plan, memory = PACKED, training_memory(LLAMA, PACKED)
    logits, freed = 4.0 * 16_384 * 128_256, 2.0 * 16_384 * (3 * 14_336 + 4_096)
    beyond = memory.peak_allocated_bytes + memory.stranded_bytes - memory.phase_bytes[1]
    assert float(beyond) == 1.5 * logits + freed
    overhead = training_efficiencies().overhead()
    _, low, _ = reserved_range(memory, overhead)
    tight = 0.985 * float(memory.peak_allocated_bytes) + overhead.slack[1] * float(memory.loose_bytes)
    assert low == pytest.approx(tight + float(memory.stranded_bytes) - logits)
    assert float(memory.loose_bytes) == pytest.approx(0.08 * float(memory.dynamic_bytes))
    for other in (replace(plan, kernels="liger"), replace(plan, method="full", dropout=0.0)):
        assert float(training_memory(LLAMA, other).stranded_bytes) == 0.0
    double = replace(plan, micro_batch=8.0)
    full, any_card = (training_memory(LLAMA, double, card, 0.78) for card in (find_gpu("A100-80GB-SXM"), None))
    assert float(any_card.reserved_bytes - full.reserved_bytes) == float(full.stranded_bytes)


def test_fsdp_of_before_fully_shard_holds_a_tenth_of_what_comes_and_goes_besides():
    before, after = (training_memory(LLAMA, replace(PACKED, gpus=2, sharding="fsdp", fsdp2=new)) for new in (False, True))
    assert float(before.loose_bytes - after.loose_bytes) == pytest.approx(0.1 * float(after.dynamic_bytes))


@pytest.mark.parametrize(("autocast", "kept"), [(False, 4 * 2), (True, 4 + 2 + 4 + 4)])
def test_gelu_new_keeps_its_argument_its_half_tanh_and_one_more(autocast, kept):
    """gpt2, adapters on attention alone: 12 layers of 1,024 tokens and 3,072 inner elements. gelu_new takes four tensors of the
    stream's type; autocast takes pow in fp32, so all but the half are fp32. One operator (gelu) takes its argument."""
    plan = TrainingPlan(method="lora", targets="attention", seq=1024.0, checkpointing=False, autocast=autocast)
    one = ModelShape.model_construct(**{**dict(find_model("gpt2")), "family": "gpt_bigcode"})
    saved = [float(training_memory(model, plan).saved_bytes) for model in (find_model("gpt2"), one)]
    assert saved[0] - saved[1] == 12 * 1024 * 3072 * (kept - 2)


def test_a_class_whose_linear_layers_are_its_own_is_not_quantised():
    """transformers 5 asks for nn.Linear itself, those before for a subclass too; LitGPT has layers of its own."""
    falcon, plan = find_model("falcon-7b"), TrainingPlan(method="qlora")
    assert "quantises nothing of falcon-7b in transformers 5" in refusal(falcon, plan)
    for other in (replace(plan, split_experts=True), replace(plan, stack="litgpt"), replace(plan, method="lora")):
        assert not refusal(falcon, other)


def test_gpt2_and_mpt_keep_one_product_of_query_key_and_value():
    """Nothing turns queries or keys: 3 h of 2 bytes a token and layer, not 5 h. Two LayerNorms without a bias keep 2 bytes
    where Llama's keep 4 and a copy of 2."""
    plan = TrainingPlan(method="full", seq=1024.0, checkpointing=False, attention="flash")
    saved = float(training_memory(find_model("mpt-760m"), plan).saved_bytes)
    rotary = ModelShape.model_construct(**{**dict(find_model("mpt-760m")), "family": "llama"})
    assert float(training_memory(rotary, plan).saved_bytes) - saved == 24 * 1024 * 1536 * (2 * 2 + 2 * 4)


def test_a_compiled_layer_keeps_what_its_products_read_and_make():
    """Llama-2-7B in full, a token of a layer, 2 bytes each: the input and the output of two norms (4 h), query, key, value and
    attention's output (4 h) with 32 log-sums of 4 bytes, gate, up and their product (3 x 11,008); the last norm 4 + 2 + 2 h."""
    plan = TrainingPlan(method="full", seq=1024.0, checkpointing=False, compiled=True)
    layer = 2 * (8 * 4096 + 3 * 11_008) + 32 * 4
    assert float(training_memory(find_model("llama-2-7b"), plan).saved_bytes) == 1024 * (32 * layer + 8 * 4096)
