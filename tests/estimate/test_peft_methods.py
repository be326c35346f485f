"""Tuners beside LoRA, peft's and others', and GaLore: counts that their sources print, and what plans refuse."""

from dataclasses import replace

import numpy as np
import pytest
from long_tables import every_row

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.accuracy.measured_run import theory_s
from roi.estimate.step.step_time import step_time, step_work
from roi.estimate.step.tuner_work import fetched_bytes, tuner_work
from roi.estimate.training.adapter_activations import behind_mlp_peak
from roi.estimate.training.adapters import check_rank, trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.optimizers import optimizer_state_bytes, optimizer_workspace_bytes
from roi.estimate.training.peft_methods import TUNERS
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import read_setting, refusal
from roi.estimate.training.stacks import built_model
from roi.evidence.training_speed import PACES, speed_evidence
from roi.store.profiles.lookup import Store

MODEL = find_model("llama-3.2-3b")
PRINTED = {
    ("adaption_prompt", 100): 8_601_628, ("bat", 64): 7_340_032, ("boft", 4): 802_816,
    ("c3a", 64): 5_505_024, ("deft", 32): 9_175_040,
    ("delora", 32): 9_175_096, ("fourierft", 1000): 56_000, ("frod", 1): 5_456_808, ("glora", 8): 4_587_520,
    ("gralora", 32): 9_175_040, ("hira", 32): 9_175_040, ("ln_tuning", 1): 175_104, ("loha", 32): 18_350_080,
    ("lokr", 32): 279_552, ("lora_fa", 32): 3_670_016, ("miss", 64): 7_340_032, ("oft", 32): 8_171_520,
    ("p_tuning", 20): 28_382_208, ("peanut", 32): 7_340_032, ("prefix_tuning", 200): 11_468_800,
    ("prompt_tuning", 200): 614_400, ("psoft", 256): 1_856_512, ("pvera", 256): 143_360, ("randlora", 32): 9_289_728,
    ("shira", 32): 9_175_040, ("tinylora", 64): 3_584, ("trainable_tokens", 2): 6_144, ("unilora", 32): 256,
    ("vblora", 4): 1_212_416, ("vera", 256): 129_024, ("waveft", 5000): 280_000,
}
"""Trained parameters of Llama-3.2-3B on query and value (huggingface/peft, method_comparison/MetaMathQA/results)."""


OTHERS = {
    ("llama_adapter", 10, "llama-2-7b"): 1_229_760, ("llama_adapter", 10, "stablelm-base-alpha-3b"): 573_888,
    ("llama_adapter_v2", 10, "llama-2-7b"): 4_279_744, ("llama_adapter_v2", 10, "stablelm-base-alpha-3b"): 2_125_248,
    ("llama_adapter_v2", 10, "llama-3.1-8b"): 4_505_024, ("llama_adapter_v2", 10, "gemma-2-9b"): 5_949_568,
    ("llama_adapter_v2", 10, "mixtral-8x7b"): 18_993_088, ("llama_adapter_v2", 10, "falcon-7b"): 3_839_186,
    ("houlsby", 128, "qwen-7b"): 33_689_600, ("llamapro", 4, "qwen-7b"): 809_582_592,
}
"""Trained parameters of methods that are not peft's: LitGPT's resource tables and classes (litgpt 0.5.13 on meta; Gemma 2's
norms behind attention and MLP stay frozen), and ms-swift's Benchmark.md, which rounds to 100."""


def plan(method, **fields):
    return TrainingPlan(**{"method": method, "targets": "qv", "checkpointing": False, **fields})


@every_row("method, size", PRINTED)
def test_counts_are_those_that_peft_prints(method, size):
    assert float(trained_parameters(MODEL, plan(method, rank=float(size)))) == PRINTED[method, size]


def test_each_subspace_of_adamss_trains_a_row_of_its_rank():
    """32 subspaces of rank 100 of a query and a value (3,072 and 1,024 outputs) of 28 layers: peft prints 293,888."""
    assert float(trained_parameters(MODEL, plan("adamss", rank=100.0, subspaces=32.0))) == 293_888 == 28 * (6_400 + 4_096)
    assert float(trained_parameters(MODEL, plan("adamss", rank=100.0))) == 28 * (2 * 5 * 100 + 4_096)


@pytest.mark.parametrize(("method", "size", "model"), OTHERS)
def test_counts_of_other_packages_are_those_that_they_print(method, size, model):
    assert float(trained_parameters(find_model(model), plan(method, rank=float(size)))) == OTHERS[method, size, model]


def test_lisa_trains_embedding_head_last_norm_and_so_many_layers():
    """Qwen-7B: two tables of 151,936 x 4,096, a norm, and layers of 202,395,648; all 32 are full training."""
    qwen = find_model("qwen-7b")
    assert float(trained_parameters(qwen, plan("lisa", rank=2.0))) == 2 * 151_936 * 4_096 + 4_096 + 2 * 202_395_648
    assert float(trained_parameters(qwen, plan("lisa", rank=32.0))) == qwen.parameters


def test_new_layers_are_counted_once_and_make_the_model_deeper():
    """8 layers of Qwen-7B's 32, in bf16, and a checkpoint of 2,048 x 4,096 x 2 bytes for each."""
    four, eight = (training_memory(find_model("qwen-7b"), plan("llamapro", rank=n, checkpointing=True)) for n in (4.0, 8.0))
    assert float(eight.weights_bytes - four.weights_bytes) == 4 * 202_395_648 * 2
    assert float(eight.adapters_bytes) == 0.0
    assert float(eight.saved_bytes - four.saved_bytes) == 4 * 2_048 * 4_096 * 2


@pytest.mark.parametrize(("model", "rank", "dtype", "held"), [
    ("smollm2-135m", 16.0, "fp32", 259_582_464), ("smollm2-135m", 64.0, "bf16", 179_004_672),
    ("smollm2-135m", 1000.0, "bf16", 642_016_512), ("pythia-160m", 64.0, "bf16", 342_583_296),
])
def test_galore_s_moments_and_projectors_are_those_of_its_own_optimizer(model, rank, dtype, held):
    """What galore_torch 1.0 held after a step over the layers' linear weights and, unprojected, all others."""
    galore = plan("full", optimizer="galore-adamw", rank=rank, dtype=dtype)
    assert float(optimizer_state_bytes(find_model(model), galore)) == held


def test_galore_projects_the_short_side():
    """Pythia-160M, r 64, 8 bits: a layer's 768 x 2,304, 768 x 768 and twice 768 x 3,072; what is left is 77,240,832.

    Long sides times r, 12 layers: (2,304 + 768 + 2 x 3,072) x 64 x 12 = 7,077,888; short ones: 4 x 768 x 64 x 12 x 2 bytes.
    """
    pythia, small = find_model("pythia-160m"), plan("full", optimizer="galore-adamw-8bit", rank=64.0)
    left = pythia.parameters - 12 * 768 * (2_304 + 768 + 2 * 3_072)
    assert float(optimizer_state_bytes(pythia, small)) == 2 * (1 + 4 / 256) * (left + 7_077_888) + 2 * 4 * 768 * 64 * 12
    assert float(optimizer_workspace_bytes(pythia, small)) == 4 * (2 * 768 * 3_072 + 768 * 768)


@pytest.mark.parametrize(("method", "model", "seq", "quant", "measured_gib"), [
    ("llama_adapter", "llama-2-7b", 1304.0, None, 18.608), ("llama_adapter_v2", "llama-2-7b", 1304.0, None, 23.758),
    ("llama_adapter", "stablelm-base-alpha-3b", 1034.0, None, 8.475),
    ("llama_adapter_v2", "stablelm-base-alpha-3b", 1034.0, None, 9.974),
    ("llama_adapter", "llama-2-7b", 1304.0, "nf4", 11.53), ("llama_adapter_v2", "llama-2-7b", 1304.0, "nf4", 16.745),
])
def test_litgpt_s_adapters_take_what_its_resource_tables_say(method, model, seq, quant, measured_gib):
    """NF4 lies 3% low, as LitGPT's LoRA on NF4 does (docs/accuracy.md)."""
    lit = plan(method, rank=10.0, stack="litgpt", seq=seq, nf4=quant == "nf4", optimizer="adamw-bf16", loss="split",
               logits_kept=True, padded=False, accumulation=128, held_graphs=1)
    peak = float(training_memory(find_model(model), lit, find_gpu("A100-40GB-SXM")).peak_allocated_bytes) / 2**30
    assert peak == pytest.approx(measured_gib, rel=0.031 if quant else 0.008)


def test_miss_that_forms_the_weight_keeps_a_copy_of_it_and_the_sum():
    """Two fp32 tensors of a query (3,072 x 3,072) and a value (3,072 x 1,024), and their inputs in fp32, less MiSS's sums over
    blocks of 64 (fp32, 64 a token), 28 layers. peft's runs reserve 23.465 and 18.879 GiB (method_comparison, July 2026)."""
    bat, miss = (training_memory(MODEL, plan(method, rank=64.0, seq=768.0, micro_batch=4.0)) for method in ("bat", "miss"))
    weights, inputs, sums = 8 * (3_072 * 3_072 + 3_072 * 1_024), 4 * 4 * 768 * 2 * 3_072, 4 * 4 * 768 * 2 * 64
    assert float(bat.saved_bytes - miss.saved_bytes) == pytest.approx(28 * (weights + inputs - sums), rel=1e-3)
    assert float(bat.peak_allocated_bytes - miss.peak_allocated_bytes) / 2**30 == pytest.approx(23.465 - 18.879, rel=0.03)


@pytest.mark.parametrize(("autocast", "product", "beside"), [
    (True, 8_192, 8 * 3_072 + 256), (True, 16_384, 2 * 16_384 + 2 * 3_072), (False, 4_096, 6 * 3_072 + 512),
])
def test_a_layer_is_computed_anew_beside_the_gradient_that_an_adapter_behind_its_mlp_waits_with(autocast, product, beside):
    """Llama-3.2-3B, 1,024 tokens in bf16, width 64. A token: the norm's output 2 x 3,072 and the gradient in fp32 4 x 3,072.

    Then the MLP's result (2 x 3,072), its cast (4 x 3,072), which autocast casts back (2 x 3,072), and GELU's input and result
    (2 x 64 each, 4 x 64 without autocast); or the last product's result and what it reads, where that is more. Autocast also
    copies 2 x 64 x 3,072 weights and 64 + 3,072 biases to 16 bits.
    """
    bottleneck = plan("houlsby", rank=64.0, seq=1024.0, micro_batch=1.0, autocast=autocast, checkpointing=True)
    copies = 2 * (2 * 64 * 3_072 + 64 + 3_072) if beside == 8 * 3_072 + 256 else 0
    found = behind_mlp_peak(read_setting(MODEL, bottleneck), 0.0, 2.0 * product * 1_024)
    assert float(found) == 1_024 * (6 * 3_072 + beside) + copies
    assert float(behind_mlp_peak(read_setting(MODEL, replace(bottleneck, checkpointing=False)), 0.0, 0.0)) == 0.0


def test_ln_tuning_trains_biases_of_norms_and_the_last_norm_where_there_is_one():
    """gpt2: 12 layers of two norms and a last one, 768 scales and 768 biases each."""
    gpt2 = find_model("gpt2")
    assert float(trained_parameters(gpt2, plan("ln_tuning"))) == (12 * 2 + 1) * 2 * 768 == 38_400
    ends = gpt2.model_copy(update={"final_norm": False})
    assert float(trained_parameters(ends, plan("ln_tuning"))) == 12 * 2 * 2 * 768


@pytest.mark.parametrize(("method", "size"), [("oft", 3072.0), ("vera", 256.0), ("waveft", 1e4), ("fourierft", 1e4),
                                              ("prompt_tuning", 1e4), ("ia3", 1e4)])
def test_a_size_is_bounded_where_it_is_a_rank_or_a_block(method, size):
    """Query, the widest target, is 3,072 x 3,072; frequencies and virtual tokens may be more, and IA3 has no size."""
    check_rank(MODEL, plan(method, rank=size))
    if size < 1e4:
        with pytest.raises(InputError, match="rank: 100,000 is not usable; at most 3,072"):
            check_rank(MODEL, plan(method, rank=100_000))


@pytest.mark.parametrize(("method", "rank", "told"), [
    ("boft", 5.0, "rank: 5 does not divide the 3,072 inputs of q_proj, as boft needs; 4 does"),
    ("c3a", 1536.0, "rank: 1536 does not divide the 1,024 outputs of k_proj, as c3a needs; 1024 does"),
    ("boft", 48.0, ""), ("oft", 5.0, "")])
def test_blocks_that_do_not_divide_are_refused_with_the_nearest_that_do(method, rank, told):
    """BOFT cuts inputs, C3A both sides: 3,072 and 1,024 in common 1,024. OFT takes the nearest divisor by itself."""
    assert refusal(MODEL, plan(method, rank=rank, targets=("k_proj", "q_proj"))) == told


def test_oft_takes_the_nearest_number_of_blocks_that_divides():
    """5 blocks of 3,072 are 4 of 768 (6 are as near, but more): 4 x 768 x 767 / 2 a target of a query, 28 of them."""
    assert float(trained_parameters(MODEL, plan("oft", rank=5.0, targets=("q_proj",)))) == 28 * 4 * 768 * 767 / 2


def test_ia3_scales_what_an_mlp_s_products_read_and_what_attention_s_give():
    """28 layers: outputs of key and value 1,024 each, input of down 8,192; with all seven products 630,784 are printed."""
    default = plan("ia3", targets=("k_proj", "v_proj", "down_proj"))
    assert float(trained_parameters(MODEL, default)) == 28 * (1024 + 1024 + 8192) == 286_720
    assert float(trained_parameters(MODEL, plan("ia3", targets="all-linear"))) == 630_784


def test_a_weight_made_whole_is_kept_beside_what_lora_keeps():
    """fp32, query 3072 x 3072 and value 1024 x 3072 of 28 layers: 4 x 352,321,536 bytes; the rest of HiRA is LoRA's."""
    lora, hira = (float(training_memory(MODEL, plan(name, rank=1.0)).saved_bytes) for name in ("lora", "hira"))
    assert hira - lora == pytest.approx(4 * 28 * (3072 * 3072 + 1024 * 3072), rel=0.002)


@pytest.mark.parametrize(("model", "layers", "new"), [
    ("gemma-2-2b", 26, 1), ("gpt-oss-20b", 24, 1), ("gpt-oss-20b", 24, 3), ("llama-4-maverick", 48, 3)])
def test_llamapro_adds_as_many_layers_as_it_says_where_kinds_alternate(model, layers, new):
    """Of 13 sliding and 13 full layers (12 and 12) one more is half of each kind; halves are not rounded apart."""
    built = built_model(find_model(model), plan("llamapro", rank=float(new)))
    assert [sum(kind.layers for kind in kinds) for kinds in (built.attention, built.mlp)] == [layers + new] * 2
    assert all(mlp.experts_per_token == mlp.experts for mlp in built.mlp) == (model != "gpt-oss-20b")  # Llama 4: every expert


def test_a_model_without_a_third_layer_has_no_prompt_of_llama_adapter():
    for name in ("llama_adapter", "llama_adapter_v2"):
        assert refusal(find_model("llama-68m"), plan(name, stack="litgpt")) == (
            f"method: {name} is not possible on the 2 layers of llama-68m; its prompts begin after them")


def test_galore_s_rank_is_at_most_the_short_side_of_the_widest_product():
    galore = plan("full", optimizer="galore-adamw")
    check_rank(MODEL, replace(galore, rank=3072.0))
    with pytest.raises(InputError, match=r"rank: 3,073\.0 is not usable; at most 3,072"):
        check_rank(MODEL, replace(galore, rank=3073.0))


def test_virtual_tokens_lengthen_the_sequence():
    longer, as_long = (float(training_memory(MODEL, plan("prompt_tuning", rank=virtual, seq=seq)).activations_bytes)
                       for virtual, seq in ((200.0, 768.0), (1.0, 967.0)))
    assert longer == pytest.approx(as_long)


@pytest.mark.parametrize(("fields", "said"), [
    ({"method": "prefix_tuning", "checkpointing": True}, "not possible with checkpointing"),
    ({"method": "ia3", "dropout": 0.1}, "not known with dropout 0.1; take 0.0"),
    ({"method": "loha", "sharding": "fsdp", "gpus": 2}, "not known with sharding fsdp; take none"),
    ({"method": "llama_adapter"}, "not known with stack transformers; take litgpt"),
    ({"method": "llamapro", "rank": 3.0}, "3 new layers on the 28 of llama-3.2-3b; take 2"),
    ({"method": "lisa", "rank": 29.0}, "29 layers; llama-3.2-3b has 28"),
    ({"method": "lora", "optimizer": "galore-adamw"}, "projects the gradients of trained weights; take method full"),
    ({"method": "full", "optimizer": "galore-adamw-8bit", "sharding": "zero2", "gpus": 2}, "not known with sharding zero2"),
])
def test_what_no_formula_knows_is_refused_in_a_sentence(fields, said):
    assert said in refusal(MODEL, plan(**fields))


def test_an_unknown_method_names_the_nearest_tuner():
    with pytest.raises(InputError, match="nearest: ia3"):
        plan("ia4")


def test_speed_is_lora_s_at_the_pace_of_the_tuner_s_family_and_wider():
    card, speed = find_gpu("L40S"), speed_evidence(Store())
    lora, loha = speed(card, MODEL, plan("lora")), speed(card, MODEL, plan("loha"))
    assert loha.efficiency.overall == pytest.approx(PACES["weight"][0] * lora.efficiency.overall)
    assert loha.high / loha.low > lora.high / lora.low
    assert loha.level == "tuner"


def counted(method, x, tokens=840.0, rank=16.0, **fields):
    """(FLOPs by type, bytes, kernels) of a tuner's work on one product of Llama-3.2-3B in one layer, without checkpointing."""
    one = MODEL.model_copy(update={"layers": 1})
    asked = plan(method, rank=rank, targets=(x,), micro_batch=1.0, seq=tokens, trainer="plain", **fields)
    products, passes = tuner_work(one, asked)
    flops = {}
    for each in products:
        flops[each.dtype] = flops.get(each.dtype, 0.0) + float(each.flops) / 28.0
    return flops, sum(float(each.calls * each.bytes_each) for each in passes) / 28.0, sum(float(p.calls) for p in passes) / 28.0


def test_what_a_tuner_makes_of_weights_takes_as_long_whatever_the_tokens():
    """By hand, of q_proj, n = 3,072 wide both ways. BOFT: 2 x 3 products of n^3, 22 bytes an element, a kernel a block of 4,
    and every token turned, once forward and twice backward. HRA: 28 and 44 bytes an element a reflection, 2 x 2 products."""
    n = 3072.0
    boft, hra = (counted(method, "q_proj", rank=4.0) for method in ("boft", "hra"))
    assert boft[0] == {"bf16": pytest.approx(2 * 3 * 2 * n**3 + 3 * 2 * 840 * n**2)}
    assert boft[1:] == (pytest.approx(22 * n**2), pytest.approx(3 + 1 + n / 4))
    assert hra[0] == {"fp32": pytest.approx(2 * 2 * 2 * n**3 + 3 * 2 * 840 * n**2)}
    assert hra[1:] == (pytest.approx((28 + 44) * 4 * n**2), (4 + 7) * 4)
    lowered = counted("hra", "q_proj", rank=4.0, autocast=True)
    assert lowered[0] == {"bf16": pytest.approx(2 * 2 * 2 * n**3 + 2 * 840 * n**2)}
    assert lowered[1:] == (pytest.approx((28 + 48) * 4 * n**2), (5 + 9) * 4)
    asked = plan("boft", rank=4.0, targets=("q_proj",), trainer="plain")
    assert fetched_bytes(MODEL, asked) == 28 * 4 * n**2
    assert fetched_bytes(MODEL, replace(asked, trainer="hf", checkpointing=True)) == fetched_bytes(MODEL, plan("hra")) == 0.0
    assert tuner_work(MODEL, plan("lora")) == tuner_work(MODEL, plan("miss")) == ([], [])


def test_the_host_launches_what_a_tuner_makes_of_weights_too():
    """HRA of rank 8 without checkpointing: 11 kernels a reflection, 2 x 2 products, one forward and two backward of the tokens
    in fp32 beside a bf16 base; LoRA's path, 6 and 9 operators, is counted with the step. A small model waits for it."""
    small, card, known = find_model("qwen3-0.6b"), find_gpu("H100-80GB-SXM"), training_efficiencies().step()
    lora, hra = (step_time(small, plan(m, rank=8.0, checkpointing=False), card, known) for m in ("lora", "hra"))
    targets = 28 * 2
    assert hra.host_s - lora.host_s == pytest.approx(targets * (8 * 11 + 2 * 2 + 3 - 6 - 9) * known.launch_s)
    assert hra.micro_step_s > hra.host_s
    boft, path = ([step_work(small, plan(m, rank=4.0, targets=("q_proj",), checkpointing=on)).operators for on in (False, True)]
                  for m in ("boft", "lora"))
    assert boft[0] - path[0] == pytest.approx(28 * (3 * 2 + 3 + 1 + 3 + 256 / 4 - 15))
    assert boft[1] - path[1] == pytest.approx(28 * (3 * 3 + 2 * 3 + 1 + 4 + 2 * 256 / 4 - 21))
    same = [step_work(small, plan(m)).operators for m in ("lora", "shira", "vera")]
    assert same[0] == same[1] == same[2]


@pytest.mark.parametrize(("method", "bytes_each", "factors"), [
    ("fourierft", 64 + 56, 0), ("hira", 10 + 10, 3), ("lokr", 12 + 32, 0), ("loha", 20 + 32, 8), ("peanut", 14 + 8, 5),
    ("waveft", 33 + 96, 0)])
def test_a_change_of_the_weight_is_made_and_multiplied_with_every_token(method, bytes_each, factors):
    """v_proj, 3,072 x 1,024: passes over its elements, products of factors of rank 16, a product forward and two backward."""
    weight = 3072 * 1024
    flops, moved, _ = counted(method, "v_proj")
    assert flops == {"fp32": pytest.approx(2 * (factors * 16 + 3 * 840) * weight)}
    assert moved == pytest.approx(bytes_each * weight)


def test_a_weight_that_takes_the_base_s_place_has_its_gradient_beside_the_base_s_products():
    """SHiRA's sum is bf16 as the base is; MiSS's bat and the base's type differ in fp32, not under autocast."""
    weight = 2 * 840 * 3072 * 1024
    assert counted("shira", "v_proj")[0] == counted("bat", "v_proj", autocast=True)[0] == {"bf16": pytest.approx(weight)}
    assert counted("bat", "v_proj")[0] == {"fp32": pytest.approx(3 * weight)}


def test_oft_turns_blocks_and_randlora_multiplies_with_full_bases():
    """OFT: 9 products of a block of 192 of q_proj's 3,072 inputs, 3 a token; RandLoRA: i x m and m x o twice, m x m once."""
    oft, randlora = counted("oft", "q_proj"), counted("randlora", "v_proj")
    assert oft[0] == {"fp32": pytest.approx(2 * 9 * 3072 * 192**2 + 3 * 2 * 840 * 3072 * 192)}
    assert oft[1] == pytest.approx((74 + 123) * 3072 * 192)
    assert randlora[0] == {"fp32": pytest.approx(2 * 840 * 1024 * (2 * (3072 + 1024) + 1024))}


def test_c3a_multiplies_complex_blocks_and_frod_twice_as_wide_as_its_inputs():
    """C3A of blocks of 64: 4 real products of 48 x 16 at each of 64 frequencies, three times. FRoD: 2 x 2 + 1 of 3,072 wide."""
    assert counted("c3a", "v_proj", rank=64.0)[0] == {"fp32": pytest.approx(3 * 4 * 2 * 840 * 3072 * 1024 / 64)}
    assert counted("c3a", "v_proj", rank=64.0)[1] == pytest.approx((32 + 37) * 840 * 1024)
    assert counted("frod", "v_proj", rank=1.0)[0] == {"bf16": pytest.approx(5 * 2 * 840 * 3072**2)}


def test_frod_s_product_between_is_sparse_on_an_fp32_base():
    """1% of 3,072 x 3,072: forward and backward 0.01 of a dense product, its gradient as dense; two more beside it.

    On the host wait 3,072 x 3,072 and 3,072 x 1,024 elements of v_proj, in the base's type, for every forward of a plain loop.
    """
    wide = 2 * 840 * 3072**2
    assert counted("frod", "v_proj", rank=1.0, dtype="fp32")[0] == {"fp32": pytest.approx((2 + 2 * 0.01 + 1) * wide)}
    asked = plan("frod", rank=1.0, targets=("v_proj",), trainer="plain")
    assert float(fetched_bytes(MODEL, asked)) == 28 * 2 * (3072 * 3072 + 3072 * 1024)
    assert float(fetched_bytes(MODEL, replace(asked, dtype="fp32", checkpointing=True))) == 28 * 2 * 4 * 3072 * (3072 + 1024)


@pytest.mark.parametrize(("subspaces", "dtype", "forward", "backward"), [
    (1.0, "bf16", 10, 9), (5.0, "bf16", 26, 37), (8.0, "bf16", 38, 58), (8.0, "fp32", 21, 42)])
def test_adamss_launches_a_few_kernels_a_subspace(subspaces, dtype, forward, backward):
    """Operators of peft's layer beyond the base's product, views apart, on a CPU; with checkpointing forward's come twice.

    v_proj, 840 tokens, rank 16: the projection twice 2 x 840 x 16 x 3,072 FLOPs, the subspaces three times 2 x 840 x (16 each
    and 1,024 in all).
    """
    small, targets = find_model("qwen3-0.6b"), ("q_proj",)
    asked = [plan("adamss", targets=targets, subspaces=subspaces, dtype=dtype, checkpointing=on) for on in (False, True)]
    found = [step_work(small, x).operators - step_work(small, replace(x, method="lora")).operators for x in asked]
    assert found[0] == pytest.approx(28 * (forward + backward - 15))
    assert found[1] == pytest.approx(28 * (2 * forward + backward - 21))
    flops, _, _ = counted("adamss", "v_proj", subspaces=subspaces, dtype=dtype)
    assert flops == {dtype: pytest.approx(2 * 840 * (2 * 16 * 3072 + 3 * (16 * subspaces + 1024)))}


def test_an_optimizer_step_takes_host_time_for_every_tensor_of_adamss():
    """Query and value of 28 layers in 32 subspaces: 56 x 2 x 32 tensors, of which 56 pairs are in the fit of LoRA's runs."""
    work, known = step_work(MODEL, plan("adamss", rank=100.0, subspaces=32.0)), training_efficiencies().step()
    assert float(work.updates) == 56 * 2 * 31
    steps = [step_time(MODEL, plan("adamss", rank=100.0, subspaces=n), find_gpu("L40S"), known) for n in (32.0, 1.0)]
    more = 56 * 2 * 31 * known.launch_s / known.overall
    assert float(steps[0].optimizer_s - steps[1].optimizer_s) == pytest.approx(more, rel=1e-3)
    assert float(step_work(MODEL, plan("lora")).updates) == 0.0


@pytest.mark.parametrize(("checkpointing", "forwards"), [(False, 1), (True, 2)])
def test_vblora_makes_the_device_wait_where_the_host_reads_a_value_of_every_target(checkpointing, forwards):
    """56 targets: 13 operators forward and 17 backward beside LoRA's; 16 of forward's come one by one to an idle device, and
    backward's 17 + 18 kernels take the shortest time. The counts are peft's own (test_tuners_with_values.py)."""
    work, usual = (step_work(MODEL, plan(method, rank=4.0, checkpointing=checkpointing)) for method in ("vblora", "lora"))
    assert float(work.operators - usual.operators) == 56 * (13 * forwards + 17)
    assert float(work.unhidden) == 56 * 16 * forwards
    assert usual.unhidden == 0.0
    known, gpu = training_efficiencies().step(), find_gpu("L40S")
    asked, other = (replace(plan(method, rank=4.0, checkpointing=checkpointing), seq=8192.0) for method in ("vblora", "lora"))
    slower = step_time(MODEL, asked, gpu, known).micro_step_s - step_time(MODEL, other, gpu, known).micro_step_s
    assert float(slower * known.overall) == pytest.approx(56 * (35 * known.kernel_s + 16 * forwards * known.launch_s))


def test_osf_s_path_is_twice_its_rank_and_gradients_are_projected_where_peft_keeps_the_hooks():
    """Query of 3,072 x 3,072 in fp32, rank 128: a path of 256, and both factors turned twice by 3,072 x 128 x 128.

    Down, 8,192 inputs and 3,072 outputs: the factor of the inputs off 2,944 frozen directions, that of the outputs as before.
    peft's cast of a 16-bit base's factors to fp32 loses the hooks.
    """
    asked = plan("osf", rank=128.0)
    assert asked.path_rank == 256.0
    assert counted("osf", "q_proj", rank=128.0, dtype="fp32")[0] == {"fp32": pytest.approx(2 * 2 * 2 * 3072 * 128**2)}
    down = 2 * 2 * 128 * (8192 * 2944 + 3072 * 128)
    assert counted("osf", "down_proj", rank=128.0, dtype="fp32")[0] == {"fp32": pytest.approx(down)}
    assert counted("osf", "down_proj", rank=128.0, adapters_16bit=True)[0] == {"bf16": pytest.approx(down)}
    assert counted("osf", "down_proj", rank=128.0) == ({}, 0.0, 0.0)


def test_what_tuners_make_of_weights_explains_their_published_speed():
    """On an L40S, query and value of Llama-3.2-3B: tokens a second of peft's comparison (peft-006 and others), each within a
    quarter of its interval's middle, BOFT within a half."""
    card, known = find_gpu("L40S"), training_efficiencies().step()
    rows = ("boft", 4, 1265.7), ("loha", 32, 4402.0), ("fourierft", 1000, 3997.0), ("shira", 32, 6893.0)
    for method, size, measured in rows:
        asked = plan(method, rank=float(size), micro_batch=4.0, seq=210.0, trainer="plain")
        speed, theory = speed_evidence(Store())(card, MODEL, asked), theory_s(MODEL, asked, card, known)
        low, middle, high = (840.0 / theory * each for each in (speed.low, speed.efficiency.overall, speed.high))
        assert low < measured < high
        assert middle == pytest.approx(measured, rel=0.5 if method == "boft" else 0.25)


def test_every_tuner_broadcasts_over_its_size():
    sizes, card, known = np.array([4.0, 8.0]), find_gpu("L40S"), training_efficiencies().step()
    for method in (name for name, its in TUNERS.items() if its.stack == "transformers"):
        many, one = (np.broadcast_to(step_time(MODEL, plan(method, rank=r), card, known).micro_step_s, 2) for r in (sizes, 8.0))
        assert many[1] == pytest.approx(one[1], rel=1e-12), method
    for method in TUNERS:
        counts = np.broadcast_to(trained_parameters(MODEL, plan(method, rank=sizes)), 2)
        assert float(counts[1]) == float(trained_parameters(MODEL, plan(method, rank=8.0))), method
