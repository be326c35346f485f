"""Formats of weights: what is published or asked for, where card and engine run it."""

from dataclasses import replace

import pytest

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.catalog.models.stored_weights import stored_by_name
from roi.estimate.serving.iteration import roofline_iteration
from roi.estimate.serving.plausibility import PERFECT
from roi.estimate.serving.weight_formats import weight_bytes
from roi.resolution.resolution import resolve
from roi.resolution.weight_choice import DTYPES, WeightChoice
from roi.scenario.file import load_scenario
from roi.scenario.sections.supply import Serving

GIB = 2**30


def choice(model="gpt-oss-120b", adapters=0, merged=False, **serving):
    return WeightChoice(serving=Serving(**serving), shape=find_model(model), adapters=adapters, merged=merged)


def test_what_gpt_oss_weighs_is_what_its_model_card_says():
    """arXiv 2508.10925 table 1: checkpoints of 60.8 and 12.8 GiB; biases of experts, 16 bit there, are 0.1% of it."""
    for model, gib in (("gpt-oss-120b", 60.8), ("gpt-oss-20b", 12.8)):
        assert weight_bytes(find_model(model), "mxfp4") / GIB == pytest.approx(gib, rel=0.002)


def test_a_step_of_one_sequence_reads_what_is_always_read_and_four_of_128_experts():
    """3.0968 GB + 60.935 GB / 32 = 5.0011 GB at 3.35 TB/s: 1.4928 ms."""
    step = roofline_iteration(find_model("gpt-oss-120b"), find_gpu("H100"), 1, "mxfp4", 0.0, PERFECT)
    assert float(step.step_s) + float(step.experts_s) * 4 / 128 == pytest.approx(1.4928e-3, rel=1e-4)


@pytest.mark.parametrize(("card", "rows"), [("A10G", 16.0), ("RTX-3090", 16.0), ("L4", 64.0), ("H100", 64.0)])
def test_fp8_without_its_units_is_multiplied_by_kernels_of_few_rows(card, rows):
    """Marlin's tiles have 16 rows, whatever it unpacks: one sequence waits for its weights, not for products of 64 rows.

    llama-3.1-8b on an A10G reads 8.03 GB at 600 GB/s: 13.4 ms; 64 rows at 70e12 FLOP/s are 13.7 more, 16 are 3.4.
    """
    shape, gpu = find_model("llama-3.1-8b"), find_gpu(card)
    engine = replace(PERFECT, least_rows=64.0)
    fp8, int4, wide = (roofline_iteration(shape, gpu, 1, w, 0.0, engine) for w in ("fp8", "int4", "bf16"))
    assert (fp8.least_rows, int4.least_rows, wide.least_rows) == (rows, 16.0, 64.0)
    assert fp8.decode_s(1.0, 0.0) < 0.75 * wide.decode_s(1.0, 0.0)


@pytest.mark.parametrize(("card", "ms"), [("RTX-3090", 16.04), ("A100-80GB-SXM", 7.36), ("H20", 12.98), ("GTX-1080", 54.13)])
def test_padded_rows_multiply_no_longer_than_weights_are_read_where_tiles_have_few_rows(card, ms):
    """llama-3.1-8b in bf16: 15.01 GB and 15.01e9 FLOPs a row, 64 rows at half of a card's rate, behind reading.

    An RTX 3090 reads 16.04 ms; 64 rows are 27.1, so that kernels take 37. An A100 reads 7.36, and 64 rows are 6.2. An H20's
    wgmma has no smaller tile: 64 rows take 12.98, reading 3.75. Of a GTX 1080's 3.38 ms a row 16 are more than its 46.9.
    """
    engine = replace(PERFECT, least_rows=64.0, decode_mfu=0.5, overlap=1.0)
    step = roofline_iteration(find_model("llama-3.1-8b"), find_gpu(card), 1, "bf16", 0.0, engine)
    assert float(step.decode_s(1.0, 0.0)) == pytest.approx(ms / 1000.0, rel=1e-3)


@pytest.mark.parametrize(("card", "runs"), [
    ("P100-16GB-PCIe", False), ("GTX-1080-Ti", False), ("MI50-32GB", False), ("V100-32GB-SXM", True), ("T4", True)])
def test_no_engine_runs_on_cards_without_matrix_cores(card, runs):
    """vLLM needs compute capability 7.0, that of a V100; no row of a table says what others reach on a P100."""
    found = choice("llama-3.1-8b", weight_dtypes=("int4",))
    assert bool(found.running(find_gpu(card))) == runs
    assert runs or found.why_none_runs({card: find_gpu(card)}).endswith(f"on none of {card}; it runs there in no format")


@pytest.mark.parametrize("card", ["V100-32GB-SXM", "T4"])
def test_cards_without_bf16_run_fp16_where_it_is_asked_for(card):
    asked, usual = choice("llama-3.1-8b", weight_dtypes=("fp16", "bf16")), choice("llama-3.1-8b")
    assert asked.running(find_gpu(card)) == ("fp16",)
    assert usual.why_none_runs({card: find_gpu(card)}).endswith("; it runs there in fp16, int8, int4 (serving.weight_dtypes)")


@pytest.mark.parametrize(("engine", "cards", "others"), [
    (None, "A100-80GB-SXM L4 H100 H20 B200 RTX-PRO-6000-SE MI300X MI355X", "T4 MI210-64GB"),
    ("vllm", "A100-80GB-SXM H200 GB200 MI325X", "V100-32GB-SXM"),
    ("sglang", "H100 GH200 B200 MI355X", "A100-80GB-SXM L40S MI300X"),
    ("tensorrt-llm", "H100 H200 B200 RTX-5090", "A100-80GB-SXM L40S"),
    ("lmdeploy", "V100-32GB-SXM H100", "MI300X"),
    ("tgi", "", "H100 B200"),
])
def test_gpt_oss_is_served_as_it_is_published_where_that_runs_else_in_bf16(engine, cards, others):
    each = choice(engine=engine)
    assert {each.asked(find_gpu(card)) for card in cards.split()} <= {("mxfp4",)}
    assert {each.asked(find_gpu(card)) for card in others.split()} == {("bf16",)}
    assert {each.running(find_gpu(card)) for card in cards.split()} <= {("mxfp4",)}


def test_adapters_go_beside_four_bit_experts_with_vllms_marlin_and_are_merged_into_16_bits():
    h100, mi300x = find_gpu("H100"), find_gpu("MI300X")
    assert choice(adapters=4).running(h100) == ("mxfp4",)
    assert choice(adapters=4, engine="sglang").running(h100) == choice(adapters=4).running(mi300x) == ("bf16",)
    assert choice(merged=True).running(h100) == choice("qwen3-8b").running(h100) == ("bf16", "fp8")
    assert choice(merged=True).source("mxfp4") == choice().source("fp8") == "scenario serving.weight_dtypes"
    assert choice().source("mxfp4").startswith("published in mxfp4: ")
    assert choice().remark(["mxfp4", "fp8"]) == "published in mxfp4; fp8 is a conversion, yours or another's"
    assert "16-bit copy, not into mxfp4, then converted to fp8;" in choice(merged=True).remark(["bf16", "fp8"])
    assert not choice("qwen3-8b").remark(["fp8"]) + choice().remark(["mxfp4"])


def test_four_bit_floats_that_are_asked_for_need_experts_or_fp4_units():
    asked = choice(weight_dtypes=DTYPES)
    assert asked.running(find_gpu("B200")) == DTYPES
    assert asked.running(find_gpu("H100")) == asked.running(find_gpu("MI355X")) == DTYPES[:-1]
    assert choice("qwen3-8b", weight_dtypes=DTYPES).running(find_gpu("B200")) == (*DTYPES[:5], "nvfp4")
    assert choice(weight_dtypes=DTYPES, adapters=2).running(find_gpu("B200")) == DTYPES[:-1]


def test_one_h100_serves_gpt_oss_120b_and_a_card_too_old_names_what_runs():
    """Option by option: the base as it is published, with the source; nvfp4 of it on an H100 is nowhere."""
    asked = ("candidates.self_hosted=[gpt-oss-120b]", "candidates.methods=[]", "candidates.gpus=[H100]",
             "serving.tensor_parallel=[1]", "candidates.hosted_adapters=[]", "candidates.vendor_tuned=[]")
    found = resolve(load_scenario(None, asked))
    plans = found.plans["self-hosted-base:gpt-oss-120b"]
    assert {(plan.serving.gpu.id, plan.serving.tensor_parallel, plan.serving.weight_dtype) for plan in plans} == {
        ("H100-80GB-SXM", 1, "mxfp4")}
    path = "options.self-hosted-base:gpt-oss-120b.plans.0.weight_dtype"
    assert found.case.facts[path].source.startswith("published in mxfp4: ")
    assert "H100-80GB-SXM, vllm, this model" in plans[0].evidence.source
    none = resolve(load_scenario(None, (*asked, "serving.weight_dtypes=[nvfp4]")))
    why = none.case.facts["options.self-hosted-base:gpt-oss-120b.infeasible"].value
    assert why == ("vllm runs gpt-oss-120b in nvfp4 on none of H100-80GB-SXM; it runs there in bf16, fp16, fp8, int8, int4,"
                   " mxfp4 (serving.weight_dtypes)")


def test_a_checkpoint_that_is_named_is_served_as_it_is_packed_and_merged_into_16_bits():
    """bf16 and fp8 of a model whose name says -AWQ-INT4 were planned without a word."""
    name, h100 = "llama-3.1-70b-instruct-awq-int4", find_gpu("H100")
    named = {"shape": find_model(name), "named": stored_by_name(name)}
    each = WeightChoice(serving=Serving(), **named)
    assert each.running(h100) == ("int4",)
    assert each.source("int4") == "published in int4: by the name of the model"
    assert WeightChoice(serving=Serving(weight_dtypes=("fp8",)), **named).running(h100) == ("fp8",)
    assert WeightChoice(serving=Serving(), merged=True, **named).running(h100) == ("bf16", "fp8")
    bnb = WeightChoice(serving=Serving(), shape=find_model("llama-3-8b"), named=stored_by_name("unsloth/llama-3-8b-bnb-4bit"))
    assert bnb.running(h100) == ("bf16", "fp8")
    assert bnb.remark(("fp8",)).startswith("its name says 4-bit bitsandbytes")
