"""Step time and hours of a training run."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.estimate.step.step_time import StepEfficiency, step_time, training_hours
from roi.estimate.step.work import partition_hooks, step_operators, step_passes
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import Attention, Mlp, ModelShape

ROUND = ModelShape(
    id="round", family="llama", licence="none", context_tokens=4096, hidden=100, vocab=1000, attention=(
        Attention(layers=1, heads=1, kv_heads=1, head_dim=100),), mlp=(Mlp(layers=1, intermediate=200),),
    published_parameters=1, source="by hand", date=date(2026, 1, 1),
)
"""Stack 4 x 100 x 100 + 3 x 100 x 200 = 100,000 weights, head 100,000."""

SLOW = Gpu(
    id="slow", memory_bytes=1e12, bandwidth_bytes_per_s=1e30, fp32_flops=1_201_400.0, fp16_flops=1_201_400.0,
    bf16_flops=1_201_400.0, link_bytes_per_s=1e30, l2_bytes=1, power_w=1, year=2026, source="by hand", date=date(2026, 1, 1),
)
PEAK = StepEfficiency(matrix=1.0, bandwidth=1.0, launch_s=0.0)
KNOWN = training_efficiencies()
QWEN = find_model("qwen-7b")
A100 = find_gpu("A100-80GB-SXM")


def seconds(plan, model=QWEN, gpu=A100):
    return float(step_time(model, plan, gpu, KNOWN.step()).micro_step_s)


def test_full_training_does_six_flops_a_weight_and_token():
    """2 tokens: 6 x 200,000 + attention 2 x 100 x 2 x 1 seen x (1 + 2.5) = 1,201,400 FLOPs a token, 1 s each."""
    step = step_time(ROUND, TrainingPlan(method="full", seq=2, checkpointing=False), SLOW, PEAK)
    assert float(step.flops) == 2 * 1_201_400
    assert float(step.micro_step_s) == pytest.approx(2.0)


def test_hours_are_steps_times_seconds():
    """900 examples x 2 epochs = 1,800 micro-steps x 2 s = 3,600 s; on two GPUs each does 900 of them."""
    plan = TrainingPlan(method="full", seq=2, checkpointing=False)
    assert float(training_hours(ROUND, plan, SLOW, PEAK, 900, 2, 2)) == pytest.approx(1.0)
    assert float(training_hours(ROUND, replace(plan, gpus=2), SLOW, PEAK, 900, 2, 2)) == pytest.approx(0.5)


def test_a_micro_batch_that_is_partly_empty_takes_as_long_as_a_full_one():
    """901 examples in micro-batches of 2 are 451 micro-steps of 4 s, as 902 are."""
    plan = TrainingPlan(method="full", seq=2, checkpointing=False, micro_batch=2, padded=False)
    hours = [float(training_hours(ROUND, plan, SLOW, PEAK, examples, 2, 1)) for examples in (901, 902)]
    assert hours == pytest.approx([451 * 4 / 3600] * 2)


def test_a_frozen_base_needs_two_thirds_of_full_training_and_checkpointing_a_half_more():
    """Matrix FLOPs a weight: full 6, frozen 4, frozen with recompute 6; rank 1 adds little."""
    lora = TrainingPlan(targets="qv", rank=1, seq=2)
    frozen, again, full = (
        float(step_time(ROUND, p, SLOW, PEAK).flops) for p in (
            TrainingPlan(targets="qv", rank=1, seq=2, checkpointing=False), lora,
            TrainingPlan(method="full", seq=2, checkpointing=False))
    )
    assert frozen / full == pytest.approx(2 / 3, rel=0.01)
    assert (again - frozen) / 2 == pytest.approx(2 * 100_000, rel=0.01)  # one more forward of the stack


def test_time_follows_the_mean_and_memory_the_longest():
    short = training_hours(QWEN, TrainingPlan(seq=4096), A100, KNOWN.step(), 1000, 512, 1)
    assert short == training_hours(QWEN, TrainingPlan(seq=1024), A100, KNOWN.step(), 1000, 512, 1)
    assert short < training_hours(QWEN, TrainingPlan(seq=4096), A100, KNOWN.step(), 1000, 4096, 1)


def test_an_array_gives_what_each_scalar_gives():
    seq = np.array([256.0, 1024.0, 4096.0])
    many = step_time(QWEN, TrainingPlan(seq=seq), A100, KNOWN.step()).micro_step_s
    assert list(many) == [pytest.approx(seconds(TrainingPlan(seq=s))) for s in seq]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["full", "lora", "dora", "qlora", "qdora"]), st.integers(64, 4096), st.integers(1, 16))
def test_more_tokens_never_take_less_time(method, seq, batch):
    less = seconds(TrainingPlan(method=method, seq=seq, micro_batch=batch))
    assert seconds(TrainingPlan(method=method, seq=2 * seq, micro_batch=batch)) >= less
    assert seconds(TrainingPlan(method=method, seq=seq, micro_batch=batch + 1)) >= less


@pytest.mark.parametrize("seq", [512, 1024, 2048, 4096])
def test_nf4_slows_down_within_the_published_range(seq):
    """QLoRA over LoRA: 1.05 to 2.5x in the published runs (reference/prices.md), which ran under autocast."""
    lora, qlora = (seconds(TrainingPlan(method=m, seq=seq, autocast=True)) for m in ("lora", "qlora"))
    ratio = qlora / lora
    assert 1.0 <= ratio <= 2.5


def test_dora_is_slower_than_lora():
    """peft, L40S, Llama-3.2-3B, rank 32 on q and v: 141 to 144 ms against 117 to 124 ms, 1.2x."""
    plans = [TrainingPlan(method=m, rank=32, targets="qv", micro_batch=4, seq=210, checkpointing=False)
             for m in ("lora", "dora")]
    lora, dora = (seconds(p, find_model("llama-3.2-3b"), find_gpu("L40S")) for p in plans)
    assert 1.05 <= dora / lora <= 1.6


QWEN_README = [(256, 1.2), (512, 1.5), (1024, 2.8), (2048, 5.2), (4096, 10.1), (8192, 21.3)]
"""Qwen-7B LoRA, one A100-80: tokens, seconds of an optimizer step of 8 micro-steps (QwenLM/Qwen README, Apache-2.0)."""


@pytest.mark.parametrize(("seq", "measured"), QWEN_README)
def test_the_qwen_table_lies_in_the_stated_interval(seq, measured):
    plan = TrainingPlan(rank=64, seq=seq, attention="flash", autocast=True, accumulation=8)
    low, high = KNOWN.overall.spread()
    hours = [float(training_hours(QWEN, plan, A100, replace(KNOWN.step(), overall=x), 8, seq, 1)) for x in (high, low)]
    assert hours[0] * 3600 <= measured <= hours[1] * 3600


def test_two_gpus_take_less_time_but_no_fewer_gpu_hours():
    one, two = (float(training_hours(QWEN, TrainingPlan(gpus=n), A100, KNOWN.step(), 1000, 2048, 1)) for n in (1, 2))
    assert two < one <= 2 * two


def test_zero3_s_hooks_run_three_times_at_every_module_with_parameters():
    """Qwen-1.8B in full: 24 layers of 7 products and 2 norms, embedding, last norm, head: 219 modules x 3 x 0.2 ms = 0.131 s,
    which a short step waits for: what the host takes without them is left."""
    model, card = find_model("qwen-1.8b"), find_gpu("A100-80GB-SXM")
    plan = TrainingPlan(method="full", seq=256.0, sharding="zero3")
    assert partition_hooks(model, plan) == 657
    assert partition_hooks(model, replace(plan, sharding="zero2")) == 0
    alone, hooked = (step_time(model, replace(plan, sharding=way), card, KNOWN.step()).host_s for way in ("zero2", "zero3"))
    assert float(hooked - alone) == pytest.approx(657 * 2e-4)


def test_flash_attention_before_version_2_takes_twice_the_time_of_attention():
    """At 65,536 tokens attention is most of a step; products are the same."""
    model, card = find_model("llama-2-7b"), find_gpu("H100-80GB-SXM")
    plan = TrainingPlan(method="full", seq=65_536.0, attention="flash")
    times = {way: float(step_time(model, replace(plan, attention=way), card, KNOWN.step()).products_s) for way in
             ("flash1", "flash", "flash3")}
    # forward, recompute and backward: 2 + 2.5 times the causal forward, at 35% of 989 TFLOP/s
    attention = float(model.attention_flops(32_768.0)) * 65_536 * 4.5 / (0.35 * 989.4e12)
    assert times["flash1"] - times["flash"] == pytest.approx(attention, rel=1e-3)
    assert times["flash3"] < times["flash"]


def test_selective_checkpoints_recompute_every_second_product_and_no_attention():
    """FLOPs of the stack's products: 2 forward, 4 backward and 1 of 2 again; attention: 1 + 2.5 of its forward."""
    model, card = find_model("llama-2-7b"), find_gpu("H100-80GB-SXM")
    plan = TrainingPlan(method="full", seq=4096.0, checkpoints="selective")
    whole, less = (float(step_time(model, replace(plan, checkpoints=kept), card, KNOWN.step()).flops)
                   for kept in ("inputs", "selective"))
    stack = model.active_parameters - model.head_parameters
    assert whole - less == pytest.approx(4096.0 * (stack + float(model.attention_flops(2048.0))))


def test_fp8_halves_the_layers_products_where_the_card_has_it_and_casts_their_operands():
    """H100: 1,979 against 989 TFLOP/s. Head, attention and passes stay, so a large step is faster by less than two."""
    plan = TrainingPlan(method="full", micro_batch=8.0, seq=4096.0, attention="flash3")
    wide, narrow = (step_time(QWEN, replace(plan, fp8=fp8), find_gpu("H100-80GB-SXM"), KNOWN.step()) for fp8 in (False, True))
    assert 0.5 < float(narrow.products_s / wide.products_s) < 0.75
    assert float(narrow.passes_s) > float(wide.passes_s)
    a100 = [float(step_time(QWEN, replace(plan, fp8=fp8), A100, KNOWN.step()).products_s) for fp8 in (False, True)]
    assert a100[0] == pytest.approx(a100[1])


def test_fused_kernels_read_and_write_less():
    """mpt-760m with RMSNorms, adapters, no checkpoints, T tokens, 2 bytes an element: 48 norms of 1,536 move 36 + 72 bytes an
    element, in one kernel each way 4 + 6; the loss 38 bytes a logit, fused 24. GPT-2's class turns no queries."""
    model = ModelShape.model_construct(**{**dict(find_model("mpt-760m")), "family": "gpt2"})
    plan = TrainingPlan(method="lora", seq=1024.0, checkpointing=False)
    plain, fused = (sum(float(p.calls * p.bytes_each) for p in step_passes(model, replace(plan, kernels=kernels)))
                    for kernels in ("none", "fused"))
    assert plain - fused == pytest.approx(1024 * (48 * 1536 * (108 - 10) + 50_368 * (38 - 24)))


def test_fused_rotary_is_one_launch_each_way():
    """Qwen-7B, 32 layers: 9 launches fewer forward and in recompute, 13 backward; 64 norms 5 and 11. MPT turns nothing, and its
    LayerNorms are one kernel anyhow."""
    def saved(model):
        plan = TrainingPlan(method="full", seq=512.0)
        return float(step_operators(model, plan) - step_operators(model, replace(plan, kernels="fused")))

    assert saved(QWEN) == 32 * (2 * 9 + 13) + 64 * (2 * 5 + 11)
    assert saved(find_model("mpt-760m")) == 0.0


@pytest.mark.parametrize(("fields", "each"), [
    ({}, 26.0),  # fp32 logits of an fp32 head
    ({"autocast": True}, 38.0),  # autocast makes 16-bit logits, the loss widens them
    ({"kbit_prepared": False}, 38.0),
    ({"kbit_prepared": False, "loss": "16bit"}, 13.0),
    ({"loss": "16bit"}, 26.0),  # nothing narrows fp32 logits
])
def test_the_loss_moves_as_many_bytes_a_logit_as_its_logits_are_wide(fields, each):
    plan = TrainingPlan(method="qlora", seq=100.0, **fields)
    logits = 100.0 * QWEN.vocab
    found = [float(p.calls * p.bytes_each) / logits for p in step_passes(QWEN, plan)]
    assert any(moved == pytest.approx(each) for moved in found)


def test_an_offloaded_update_moves_the_bytes_of_all_cards_through_the_hosts_memory():
    """ROUND in bf16: 200,000 parameters and norms x (3 + 8 + 13) x 2 bytes / 60 GB/s, whatever the card and their number."""
    plan = TrainingPlan(method="full", seq=2, gpus=2, sharding="fsdp", offload=True)
    trained = 200_000 + 100_000 + 3 * 100  # stack, head, embedding, norms
    for gpus in (2, 8):
        step = step_time(ROUND, replace(plan, gpus=gpus), SLOW, replace(PEAK, overall=0.5))
        assert float(step.optimizer_s) == pytest.approx(trained * 48 / 6e10)


def test_embedding_and_head_are_updated_in_their_own_width():
    """Adapters of 4 bytes move 96 bytes a parameter, embedding and head of 2 bytes 48: at 1 byte/s, so many seconds."""
    slow = SLOW.model_copy(update={"bandwidth_bytes_per_s": 1.0})
    plain, ends = (float(step_time(ROUND, TrainingPlan(rank=1.0, seq=2, ends=ends), slow, PEAK).optimizer_s)
                   for ends in (False, True))
    adapters = 4 * (100 + 100) + 2 * (100 + 200) + (200 + 100)
    assert plain == pytest.approx(96 * adapters)
    assert ends - plain == pytest.approx(48 * 2 * 1000 * 100)


@pytest.mark.parametrize(("fields", "each"), [
    ({}, 3 * 2 + 21 * 2), ({"optimizer": "adamw-fused"}, 3 * 2 + 7 * 2),
    ({"optimizer": "adamw-fused", "stack": "torchtune"}, 7 * 2),
    ({"optimizer": "adamw-8bit"}, 3 * 2 + 3 * 2 + 4), ({"sharding": "zero2"}, 52),
    ({"sharding": "zero2", "optimizer": "adamw-8bit"}, 24 + 12 + 4), ({"sharding": "zero2", "optimizer": "lion"}, 24 + 17 * 4),
])
def test_an_update_moves_each_operand_as_often_as_its_kernels_read_and_write_it(fields, each):
    """Bytes a parameter in bf16: clipping 3 elements; AdamW over lists 21, in one kernel gradient, parameter and two moments
    twice (7); 8-bit moments a byte each. DeepSpeed: 16-bit gradient to fp32 2 + 4, norm 4, scaled 8, AdamW on fp32
    16 + 12, back to 16 bits 4 + 2."""
    gpu = replace_gpu(memory=1e12, bandwidth=1.0)
    step = step_time(ROUND, TrainingPlan(method="full", seq=2, **fields), gpu, PEAK)
    assert float(step.optimizer_s) == pytest.approx(each * trained_parameters(ROUND, TrainingPlan(method="full")))


@pytest.mark.parametrize(("optimizer", "moments"), [("paged-adamw", 8.0), ("paged-adamw-8bit", 2.0)])
def test_paged_moments_cross_the_bus_twice_where_the_card_has_no_room_for_them(optimizer, moments):
    """In and out at 20 GB/s: 2 x 8 (2) bytes a parameter / 2e10."""
    plan = TrainingPlan(method="full", seq=2, optimizer=optimizer)
    trained = float(trained_parameters(ROUND, plan))
    enough = float(training_memory(ROUND, plan).peak_allocated_bytes) + moments * trained
    fits, lacks = (float(step_time(ROUND, plan, replace_gpu(memory, 1e30), PEAK).optimizer_s)
                   for memory in (enough, enough - 1.0))
    assert fits == pytest.approx(0.0)
    assert lacks == pytest.approx(2 * moments * trained / 2e10)


def test_torch_compile_joins_the_passes_between_products_but_not_with_tritons():
    """One layer, 2 tokens, 16 bits, no checkpointing. Two residuals 2 x 3 w -> 2 x 2 w of 100 elements, five sums of gradients
    3 w -> w, SwiGLU 5 + 9 w -> 3 + 5 w of 200, loss 24 -> 8 bytes of 1,000 logits; norms and rotary as with fused kernels."""
    plan = TrainingPlan(method="full", seq=2, checkpointing=False)

    def moved(**fields):
        return sum(float(p.calls * p.bytes_each) for p in step_passes(ROUND, replace(plan, **fields)))

    fewer = 2 * (100 * 2 * (2 * 1 + 5 * 2) + 200 * 2 * (2 + 4) + 1000 * 16)
    assert moved(kernels="fused") - moved(compiled=True) == pytest.approx(fewer)
    assert moved(kernels="fused") - moved(kernels="fused", compiled=True) == pytest.approx(2 * 200 * 2 * 6)
    assert moved(kernels="fused") - moved(kernels="liger") == pytest.approx(2 * (200 * 2 * 6 + 1000 * 18))


def replace_gpu(memory, bandwidth):
    return SLOW.model_copy(update={"memory_bytes": memory, "bandwidth_bytes_per_s": bandwidth})
