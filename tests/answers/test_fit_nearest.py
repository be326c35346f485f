"""The plan that `roi fit` names where the one that is asked for does not fit: the nearest, not one far smaller."""

import json
from dataclasses import replace

import pytest
from asked import ask

from roi.estimate.fitting.smaller_plans import changes
from roi.estimate.training.plan import TrainingPlan

pytestmark = pytest.mark.usefixtures("no_profiles")

EIGHT = ("llama-3.1-8b", "--gpu", "RTX-4090", "--method", "qlora")


def fit(*words):
    result = ask("fit", *words, "--as-of", "2026-11-24", "--format", "json")
    assert result.exit_code == 0, result.output
    (line,) = json.loads(result.stdout)["gpus"]
    return line


TORCHTUNE = ("--stack", "torchtune", "--trainer", "plain")
"""A stack that Liger's kernels are not for: what a plan keeps of its batch is its own."""


@pytest.mark.parametrize("asked", ["16", "100"])
def test_the_largest_micro_batch_that_fits_is_named_and_not_the_smallest(asked):
    """As many as fit with what 95 of 100 runs take; one more does not."""
    got = fit(*EIGHT, *TORCHTUNE, "--micro-batch", asked)
    kept = int(got["nearest"].removeprefix("micro-batch "))
    named, more = (fit(*EIGHT, *TORCHTUNE, "--micro-batch", str(n)) for n in (kept, kept + 1))
    assert (got["fits"], named["tight"], named["peak_bytes"]) == (False, False, got["nearest_bytes"])
    assert more["tight"] or more["squeezed"] or not more["fits"]


@pytest.mark.parametrize(("asked", "named", "words"), [
    ("4", "kernels liger", ("--micro-batch", "4", "--kernels", "liger")),
    ("16", "kernels liger with micro-batch 6", ("--micro-batch", "6", "--kernels", "liger")),
])
def test_kernels_that_keep_more_of_the_batch_are_named_with_it(asked, named, words):
    """Without them two rows fit: the logits of each take as much as all the rest of a row."""
    got, same = fit(*EIGHT, "--micro-batch", asked), fit(*EIGHT, *words)
    assert (got["fits"], got["nearest"], got["nearest_tight"]) == (False, named, False)
    assert (same["fits"], same["tight"], same["peak_bytes"]) == (True, False, got["nearest_bytes"])
    more = fit(*EIGHT, "--micro-batch", "7", "--kernels", "liger")
    assert more["tight"] or more["squeezed"] or not more["fits"]


@pytest.mark.parametrize("words", [
    ("llama-3.1-8b", "--gpu", "RTX-4090", "--micro-batch", "8"),
    ("qwen3-8b", "--gpu", "T4", "--method", "qlora", "--micro-batch", "4"),
    ("llama-3.1-70b", "--gpu", "RTX-A6000", "--method", "qlora", "--micro-batch", "8", "--seq", "4096"),
    ("qwen3-8b", "--gpu", "RTX-4080", "--no-checkpointing", "--micro-batch", "4"),
    ("llama-3.1-8b", "--gpu", "RTX-4090", "--method", "full"),
])
def test_nothing_is_named_that_is_what_was_asked_for(words):
    name = fit(*words)["nearest"]
    asked = [*(["checkpointing"] if "--no-checkpointing" not in words else []), *(["QLoRA"] if "qlora" in words else []),
             *(["micro-batch 1"] if "--micro-batch" not in words else []), "full"]
    assert name
    assert not [x for x in asked if x in name], name


def test_checkpointing_is_named_with_the_largest_batch_that_it_keeps():
    """Of 64 rows it keeps more than the one that was named."""
    words = (*EIGHT, *TORCHTUNE, "--micro-batch", "64", "--seq", "1024")
    got = fit(*words, "--no-checkpointing")
    kept = int(got["nearest"].removeprefix("micro-batch ").removesuffix(" + checkpointing"))
    named, more = (fit(*words[:-3], str(n), *words[-2:]) for n in (kept, kept + 1))
    assert (kept > 1, named["tight"], named["peak_bytes"]) == (True, False, got["nearest_bytes"])
    assert more["tight"] or more["squeezed"] or not more["fits"]


def test_the_longest_sequence_that_fits_is_named_and_not_a_half_or_a_quarter():
    """16,384 tokens do not fit and 8,192 do: named is a multiple of 128 between, and 128 more are tight or do not fit."""
    words = ("starcoder2-7b", *EIGHT[1:])
    got = fit(*words, "--seq", "16384")
    longest = int(got["nearest"].removesuffix(" tokens").replace(",", ""))
    assert longest % 128 == 0
    assert 8192 < longest < 16384
    named, more = (fit(*words, "--seq", str(n)) for n in (longest, longest + 128))
    assert (named["fits"], named["tight"], named["peak_bytes"]) == (True, False, got["nearest_bytes"])
    assert more["tight"] or not more["fits"]


def test_kernels_that_never_make_all_logits_come_before_fewer_tokens_where_liger_has_some():
    got, named = fit(*EIGHT, "--seq", "12288"), fit(*EIGHT, "--seq", "12288", "--kernels", "liger")
    assert (got["fits"], got["binds"], got["nearest"]) == (False, "logits", "kernels liger")
    assert (named["fits"], named["peak_bytes"]) == (True, got["nearest_bytes"])


def test_liger_is_refused_for_a_model_that_it_has_no_kernels_for():
    """transformers would train with the class's own and say so in its log alone: less memory was told than it takes."""
    result = ask("fit", "falcon-7b", "--kernels", "liger")
    assert (result.exit_code, result.stderr) == (
        2, "roi: --kernels: liger changes nothing of falcon-7b: Liger 0.8 has no kernels for falcon; take none\n")


def test_where_weights_of_all_gpus_together_are_too_little_the_host_s_memory_is_named():
    words = ("llama-3.1-70b", *EIGHT[1:], "--gpus", "2", "--sharding", "fsdp", "--seq", "512")
    got, named = fit(*words), fit(*words, "--offload")
    assert (got["fits"], got["nearest"]) == (False, "offload to the host's memory")
    assert (named["fits"], named["peak_bytes"]) == (True, got["nearest_bytes"])


@pytest.mark.parametrize(("words", "named", "plan"), [
    (("bloom-7b1", "--gpu", "RTX-3080", "--method", "full"), "QLoRA with paged 8-bit optimizer and 128 tokens",
     ("--method", "qlora", "--optimizer", "paged_adamw_8bit", "--seq", "128")),
    (("starcoder2-15b", "--gpu", "RTX-2080-Ti"), "QLoRA with paged 8-bit optimizer, targets qv and 128 tokens",
     ("--method", "qlora", "--optimizer", "paged_adamw_8bit", "--targets", "qv", "--seq", "128")),
    (("codellama-13b", "--gpu", "RTX-3080", "--method", "dora"), "QLoRA with 384 tokens",
     ("--method", "qlora", "--seq", "384")),
])
def test_fewer_bits_of_states_fewer_targets_and_no_magnitudes_are_tried_before_nothing_is_said_to_fit(words, named, plan):
    """What is named fits when it is asked for, and needs what was said."""
    got, same = fit(*words), fit(*words[:3], *plan)
    assert (got["fits"], got["nearest"]) == (False, named)
    assert (same["fits"], same["peak_bytes"]) == (True, got["nearest_bytes"])


def test_a_model_without_queries_and_values_of_such_names_is_searched_on_attention():
    """MLA's products are q_a_proj and the like: qv matches nothing there, and the message does not offer it."""
    told = " ".join(ask("fit", "deepseek-v3", "--gpu", "H200", "--as-of", "2026-11-24").stdout.split())
    assert "no smaller plan fits, not even paged 8-bit optimizer with targets attention and 128 tokens (" in told
    refused = ask("fit", "deepseek-v3", "--targets", "qv").stderr
    assert "'qv' matches nothing in deepseek-v3; it has attention, all-linear, down_proj" in refused


def test_where_nothing_fits_the_smallest_plan_that_was_tried_is_told():
    """The plan that is named does not fit when it is asked for, and needs what was said."""
    words = ("llama-3.1-70b", "--gpu", "L4")
    smallest = fit(*words, "--method", "qlora", "--optimizer", "paged_adamw_8bit", "--targets", "qv", "--kernels", "liger",
                   "--seq", "128")
    told = " ".join(ask("fit", *words, "--as-of", "2026-11-24").stdout.split())
    assert fit(*words)["nearest"] is None
    assert not smallest["fits"]
    assert ("no smaller plan fits, not even QLoRA with paged 8-bit optimizer, targets qv, kernels liger and 128 tokens"
            f" ({smallest['needed_bytes'] / 2**30:.1f} GiB)") in told


def test_what_is_named_holds_together_and_says_so():
    """"fits: kernels liger, micro-batch 6" read as two ways out."""
    asked = TrainingPlan(micro_batch=8.0)
    assert changes(asked, asked) == ""
    assert changes(asked, replace(asked, kernels="liger")) == "kernels liger"
    assert changes(asked, replace(asked, kernels="liger", micro_batch=6.0)) == "kernels liger with micro-batch 6"
    all_three = replace(asked, method="qlora", kernels="liger", seq=640.0, micro_batch=1.0)
    assert changes(asked, all_three) == "QLoRA with kernels liger, micro-batch 1 and 640 tokens"


@pytest.mark.parametrize("words", [
    ("llama-3.2-1b", "--gpu", "T4", "--dtype", "fp16", "--seq", "8192", "--kernels", "liger"),
    ("llama-3.2-1b", "--gpu", "V100-32GB", "--dtype", "fp16", "--seq", "8192"),
])
def test_two_padded_rows_are_named_where_one_takes_the_kernel_that_keeps_scores(words):
    """32 heads x 8,192 x 8,192 scores in fp32 and their backward take 24 GiB and more on cards without FlashAttention, whose
    memory-efficient kernel takes no grouped heads; a mask makes transformers repeat them, and that kernel serves."""
    got, two = fit(*words), fit(*words, *(() if "--kernels" in words else ("--kernels", "liger")), "--micro-batch", "2")
    assert (got["fits"], two["fits"], two["peak_bytes"]) == (False, True, got["nearest_bytes"])
    assert "micro-batch 2 of unequal lengths, whose mask takes a kernel that keeps no scores" in got["nearest"]
    assert not got["nearest_tight"]


@pytest.mark.parametrize("words", [
    ("llama-3.2-1b", "--gpu", "RTX-3070", "--seq", "16384"), ("llama-3.1-8b", "--gpu", "H100", "--seq", "40960"),
    ("llama-3.1-8b", "--gpu", "RTX-4090", "--seq", "5120"), ("qwen2.5-0.5b", "--gpu", "RTX-3070", "--seq", "8192"),
])
def test_where_one_row_takes_flashattention_two_are_never_named(words):
    got = fit(*words)
    assert not got["fits"]
    assert got["nearest"]
    assert "micro-batch" not in got["nearest"]


def test_of_shorter_sequences_the_plan_that_keeps_more_of_them_is_named():
    """Where activations dominate NF4 is no way out: what its preparation computes in fp32 takes more than 16-bit weights do."""
    words = ("llama-3.1-8b", "--gpu", "H100", "--kernels", "liger")
    got = fit(*words, "--seq", "131072")
    kept = got["nearest"].removesuffix(" tokens").replace(",", "")
    assert (fit(*words, "--seq", kept)["tight"], fit(*words, "--seq", kept, "--method", "qlora")["fits"]) == (False, False)
    assert fit("llama-3.1-8b", "--gpu", "RTX-4090", "--seq", "16384")["nearest"].startswith("QLoRA with")


def test_a_mixture_whose_experts_stay_16_bit_is_sent_to_lora_before_it_loses_their_adapters():
    """Preparation casts them to fp32: in 16 bits half of that, and faster."""
    words = ("qwen3-30b-a3b", "--method", "qlora", "--gpu", "H200", "--seq", "28672", "--kernels", "liger")
    assert fit(*words)["nearest"] == "LoRA"
