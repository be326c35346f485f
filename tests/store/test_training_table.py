"""Tables of measured training runs: what a row becomes, what stands in for a blank cell, and why a row is skipped."""

import pytest
from long_tables import every_row
from tables_support import TRAINING, read_training, training_runs

from roi.errors import InputError
from roi.estimate.accuracy.measured_run import HABITS
from roi.estimate.training.adapters import packed_parameters
from roi.estimate.training.memory import training_memory
from roi.store.tables.canonical_row import UnusableCell
from roi.store.tables.csv_table import read_csv
from roi.store.tables.training_table import TrainingRow, training_table
from roi.units import GIB


def run(**change):
    return training_runs(**change)[0]


@pytest.fixture
def skipped(tmp_path):
    def one(**change):
        table = read_training(tmp_path / "t.csv", change)
        assert table.runs == ()
        return table.skipped[0]
    return one


def names(found):
    return [name for name, _ in found.assumed]


def test_a_full_row_becomes_its_plan():
    """3.5 GiB = 3.5 x 2^30 bytes; 4 micro-steps an update."""
    found = run()
    plan = found.plan
    assert (found.source, found.method, found.gpu_name, found.model.id) == ("own", "lora", "RTX-4080", "qwen2.5-0.5b")
    assert (plan.method, plan.rank, plan.targets) == ("lora", 16.0, ("q_proj", "v_proj"))
    assert (plan.micro_batch, plan.seq) == (2.0, 1024.0)
    assert (plan.checkpointing, plan.dtype, plan.attention, plan.optimizer) == (True, "bf16", "sdpa", "adamw")
    assert (plan.trainer, plan.logits_kept, plan.autocast, plan.padded, plan.packed) == ("hf", False, True, True, False)
    assert (plan.accumulation, plan.gpus, plan.sharding) == (4, 1, "none")
    assert (found.mean_tokens, found.memory_bytes, found.memory_kind) == (512.0, 3.5 * GIB, "allocated")
    assert (found.tokens_per_s, found.out_of_memory, found.gpu.id) == (1000.0, False, "RTX-4080")
    assert found.assumed == ()


NAMED = "full, lora, rslora, dora, qlora, qdora, lora-int8, llama_adapter, llama_adapter_v2, houlsby, llamapro, lisa"


@pytest.mark.parametrize(("column", "label", "field", "used", "other"), [
    ("lora_dropout", "lora_dropout 0", "dropout", 0.0, 0.05), ("logits_kept", "logits_kept false", "logits_kept", False, True),
    ("autocast", "autocast true", "autocast", True, False), ("optimizer", "optimizer adamw", "optimizer", "adamw",
                                                             "paged-adamw-8bit"),
    ("base_dtype", "base_dtype bf16", "dtype", "bf16", "fp16"), ("attention_impl", "attention_impl sdpa", "attention", "sdpa",
                                                                 "eager"),
    ("gradient_checkpointing", "gradient_checkpointing false", "checkpointing", False, True),
])
def test_a_blank_cell_has_a_stand_in_which_is_named_with_the_plan_of_its_other_value(column, label, field, used, other):
    found = run(**{column: ""})
    assert names(found) == [label]
    assert getattr(found.plan, field) == used
    assert getattr(found.assumed[0][1], field) == other


@pytest.mark.parametrize(("change", "label", "field", "other"), [
    ({"assumed": "lora_dropout", "lora_dropout": "0.05"}, "lora_dropout 0.05", "dropout", 0.0),
    ({"assumed": "optimizer_states"}, "optimizer_states adamw", "optimizer", "adamw-bf16"),
    ({"assumed": "gradient_checkpointing"}, "gradient_checkpointing true", "checkpointing", False),
    ({"assumed": "logits_kept", "logits_kept": "true"}, "logits_kept true", "logits_kept", False),
])
def test_a_cell_that_the_source_does_not_state_is_named_and_widens_too(change, label, field, other):
    found = run(**change)
    assert names(found) == [label]
    assert getattr(found.assumed[0][1], field) == other


def test_full_training_has_no_dropout_and_a_plain_loop_no_autocast_to_be_unsure_of():
    assert names(run(method="full", rank="", target_modules="", lora_dropout="", base_dtype="bf16")) == []
    assert names(run(trainer="plain", autocast="")) == []


@pytest.mark.parametrize(("quant", "method", "plan_method"), [
    ("nf4", "lora", "qlora"), ("nf4", "qlora", "qlora"), ("nf4", "dora", "qdora"), ("none", "rslora", "rslora"),
    ("int8", "lora", "lora-int8"), ("int8", "lora-int8", "lora-int8"),
])
def test_the_base_decides_the_plan_s_method(quant, method, plan_method):
    assert run(method=method, quant=quant).plan.method == plan_method


NEEDED = {
    "full": ("none",), "lora": ("none", "nf4", "int8"), "rslora": ("none", "nf4"), "dora": ("none", "nf4"),
    "qlora": ("nf4", "int8"), "qdora": ("nf4",), "lora-int8": ("int8",),
}  # fmt: skip
"""Method -> the bases that it runs on."""


@pytest.mark.parametrize("quant", ["none", "nf4", "int8"])
@pytest.mark.parametrize("method", NEEDED)
def test_a_method_over_another_base_names_the_bases_that_it_needs(method, quant):
    change = {"rank": "", "target_modules": "", "lora_dropout": ""} if method == "full" else {}
    if quant in NEEDED[method]:
        assert run(method=method, quant=quant, **change).method == method
        return
    with pytest.raises(UnusableCell, match=f"^{method} needs {' or '.join(NEEDED[method])}$"):
        run(method=method, quant=quant, **change)


def test_the_column_quant_says_which_base_each_method_needs():
    told = " ".join(TrainingRow.model_fields["quant"].description.split())
    assert "full needs none; lora needs none, nf4 or int8; rslora and dora need none or nf4" in told
    assert "qlora needs nf4 or int8; qdora needs nf4; lora-int8 needs int8" in told


def test_qlora_without_a_word_on_its_scales_takes_double_quantisation():
    found = run(method="qlora", quant="nf4")
    assert found.plan.double_quant
    assert names(found) == ["double_quant true"]
    assert not run(method="qlora", quant="nf4", double_quant="false").plan.double_quant


@pytest.mark.parametrize(("quant", "on"), [("none", False), ("nf4", True)])
def test_unstated_checkpointing_is_on_where_k_bit_preparation_turns_it_on(quant, on):
    assert run(gradient_checkpointing="", method="lora", quant=quant, double_quant="true").plan.checkpointing is on


def test_deepspeed_runs_its_own_adam_at_every_stage_however_old_the_row_is():
    for sharding, optimizer in (("none", "adamw-foreach"), ("zero1", "adamw"), ("zero2", "adamw"), ("zero3", "adamw")):
        found = run(method="full", rank="", target_modules="", trainer="hf", date="2024-04-30", sharding=sharding, n_gpus="8")
        assert found.plan.optimizer == optimizer, sharding


def test_errors_are_told_by_the_id_of_a_card_however_a_row_names_it(tmp_path):
    again = {"gpu": "NVIDIA GeForce RTX 4080"}
    table = read_training(tmp_path / "t.csv", {}, again, {"gpu": ""}, {**again, "method": "peft:xlora"})
    assert [label.gpu for label in table.labels] == ["RTX-4080", "RTX-4080", "unstated", "RTX-4080"]


def test_other_kinds_of_memory_that_a_row_states_are_runs_of_their_own(tmp_path):
    """3.5 GiB allocated, 4.0 reserved."""
    table = read_training(tmp_path / "t.csv", {"peak_mem_reserved_gib": "4.0"},
                          {"peak_mem_kind": "reserved", "peak_mem_reserved_gib": "3.5"})
    assert [(run.id, run.memory_kind, run.memory_bytes) for run in table.second] == [("own-1", "reserved", 4.0 * GIB)]
    assert [label.second for label in table.labels] == [("reserved",), ()]


@pytest.mark.parametrize("habit", HABITS)
def test_habits_that_no_column_says_are_marks_of_the_run(habit):
    assert names(run(habits=habit)) == [HABITS[habit]]


def test_an_adapter_on_the_head_is_left_out_and_said():
    """TinyLlama, hidden 2,048, vocabulary 32,000: rank 8 on q and v of 22 layers trains 8 x 22 x (4,096 + 2,304) = 1,126,400;
    the head's adapter 8 x 34,048 = 272,384 more, which is 24.18%."""
    found = run(model="tinyllama-1.1b", rank="8", habits="head_adapter")
    assert dict(found.assumed)["adapter on the output head left out"].rank == pytest.approx(8 * (1 + 272_384 / 1_126_400))


def test_adapters_of_16_bits_are_a_plan_of_their_own():
    assert run(habits="adapters_16bit").plan.trained_bytes == 2.0
    assert run().plan.trained_bytes == 4.0


@pytest.mark.parametrize(("text", "targets"), [
    ("all-linear", "all-linear"), ("attention", "attention"), ("q_proj + v_proj", ("q_proj", "v_proj")),
])
def test_targets(text, targets):
    assert run(target_modules=text).plan.targets == targets


def test_an_unknown_card_does_not_skip_the_row():
    found = run(gpu="")
    assert found.gpu is None
    assert found.memory_bytes == 3.5 * GIB


@pytest.mark.parametrize(("fits", "failed"), [("false", True), ("true", False)])
def test_a_row_may_say_whether_it_fitted_and_nothing_else(fits, failed):
    found = run(peak_mem_gib="", tokens_per_s="", fits=fits)
    assert (found.out_of_memory, found.memory_bytes, found.tokens_per_s) == (failed, None, None)


@every_row("change, words", [
    ({"micro_batch": "unknown"}, "micro_batch: 'unknown'; not a whole number"),
    ({"micro_batch": ""}, "micro_batch: ''; blank, and a row needs it"),
    ({"micro_batch": "1.5"}, "micro_batch: '1.5'; not a whole number"),
    ({"micro_batch": "100000"}, "micro_batch: '100000'; it should be less than or equal to 65536"),
    ({"rank": "unknown"}, "rank: 'unknown'; not a whole number"),
    ({"rank": ""}, "rank: ''; blank, and an adapter needs it"),
    ({"seq_len_max": "<=768"}, "seq_len_max: '<=768'; not a whole number"),
    ({"peak_mem_gib": "3,5"}, "peak_mem_gib: '3,5'; not a number"),
    ({"peak_mem_gib": "-3"}, "peak_mem_gib: '-3'; it should be greater than 0"),
    ({"tokens_per_s": "0"}, "tokens_per_s: '0'; it should be greater than 0"),
    ({"tokens_per_s": "nan"}, "tokens_per_s: 'nan'; it should be a finite number"),
    ({"tokens_per_s": "fast"}, "tokens_per_s: 'fast'; not a number"),
    ({"peak_mem_kind": "nvidia-smi"}, "peak_mem_kind: 'nvidia-smi'; none of allocated, reserved, process, unstated"),
    ({"method": "full:lisa"}, f"method: 'full:lisa'; none of {NAMED}; nearest: lisa"),
    ({"method": "full", "optimizer": "galore-adamw", "rank": ""}, "rank: ''; blank, and GaLore needs it"),
    ({"optimizer": "galore-adamw"}, "optimizer: 'galore-adamw'; optimizer: galore-adamw projects the gradients of trained"),
    ({"method": "full", "rank": "", "target_modules": "", "optimizer": "muon", "sharding": "fsdp", "n_gpus": "8"},
     "optimizer: 'muon'; optimizer: muon is not known with sharding fsdp; take none, or adamw-8bit"),
    ({"method": "houlsby", "rank": "", "trainable_params": "5"}, "no size of houlsby trains as many; 1 trains"),
    ({"method": "llamapro", "rank": "", "trainable_params": str(7 * 14_912_384)},
     "trainable_params: '104386688'; rank: llamapro is not possible with 7 new layers on the 24 of qwen2.5-0.5b; take 6"),
    ({"method": "houlsby", "quant": "nf4"}, "quant: 'nf4'; houlsby is counted on a base that is not quantised"),
    ({"method": "peft:ia4"}, "method: 'peft:ia4'; none of peft's tuners that are counted; nearest: peft:ia3"),
    ({"method": "peft:ia3", "quant": "nf4"}, "quant: 'nf4'; peft:ia3 is counted on a base that is not quantised"),
    ({"method": "peft:prompt_tuning", "rank": ""}, "rank: ''; blank, and neither are trainable_params stated"),
    ({"method": "LoRA"}, f"method: 'LoRA'; none of {NAMED}; nearest: lora"),
    ({"quant": "awq-int4"},
     "quant: 'awq-int4'; none of none, nf4, int8, gptq-int2, gptq-int3, gptq-int4, gptq-int8; nearest: gptq-int4"),
    ({"method": "qlora", "quant": ""}, "quant: ''; qlora needs nf4 or int8"),
    ({"method": "qlora", "quant": "none"}, "quant: 'none'; qlora needs nf4 or int8"),
    ({"method": "full", "quant": "nf4"}, "quant: 'nf4'; full needs none"),
    ({"model": "Qwen2.5-0.5B-Instruct-AWQ"}, "no model of the catalog; nearest: qwen2.5-0.5b"),
    ({"gpu": "RTX 4081"}, "gpu: 'RTX 4081'; no GPU of the catalog; nearest: "),
    ({"gpu": "8 x RTX 4080"}, "gpu: '8 x RTX 4080'; write RTX-4080 alone, and 8 as n_gpus"),
    ({"target_modules": "q_proj+wq"}, "target_modules: 'q_proj+wq'; qwen2.5-0.5b has no target 'wq'; it has attention, qv"),
    ({"model": "kimi-k2-0905", "target_modules": "qv"}, "target_modules: 'qv'; 'qv' matches nothing in kimi-k2-0905"),
    ({"target_modules": ""}, "target_modules: ''; blank, and an adapter needs it"),
    ({"trainable_params": "500000"}, "trainable_params: '500000'; lora of this rank and targets trains 1,081,344"),
    ({"optimizer": "soap"}, "optimizer: 'soap'; none of adamw, adamw-foreach, adamw-fused, adamw-bf16, adamw-8bit, paged-"),
    ({"base_dtype": "fp4"}, "base_dtype: 'fp4'; none of bf16, fp16, fp32, fp8, mxfp8"),
    ({"attention_impl": "flash_attention_2"},
     "none of sdpa, sdpa-flash, sdpa-cudnn, sdpa-efficient, sdpa-math, flash, flash1, flash3, eager; nearest: "),
    ({"attention_impl": "flash", "base_dtype": "fp32"}, "attention_impl: 'flash'; 'flash' is not usable with dtype: 'fp32'"),
    ({"gradient_checkpointing": "yes"}, "gradient_checkpointing: 'yes'; none of true, false, selective, offload"),
    ({"gradient_checkpointing": "1"}, "gradient_checkpointing: '1'; none of true, false, selective, offload"),
    ({"lora_dropout": "1.5"}, "lora_dropout: '1.5'; it should be less than 1"),
    ({"trainer": "keras"}, "trainer: 'keras'; none of plain, hf, trl"),
    ({"sharding": "hsdp"}, "sharding: 'hsdp'; none of none, zero1, zero2, zero3, fsdp, cpu-offload"),
    ({"sharding": "fsdp"}, "sharding: 'fsdp'"),
    ({"assumed": "gpu"}, "assumed: 'gpu'; none of lora_dropout, logits_kept"),
    ({"date": "2999-01"}, "date: '2999-01'; after today, 20"),
    ({"date": "April 2024"}, "date: 'April 2024'; not a date such as 2024-04-30, 2024-04 or 2024"),
    ({"date": "2024-02-31"}, "date: '2024-02-31'; no day of the calendar"),
    ({"seq_len_mean": "0.5"}, "seq_len_mean: '0.5'; it should be greater than or equal to 1"),
    ({"seq_len_mean": "1025"}, "seq_len_mean: '1025'; above seq_len_max, 1,024 tokens"),
    ({"torch": "2.8+cu128"}, "torch: '2.8+cu128'; not a version such as 2.8 or 5.24.1"),
    ({"peak_mem_gib": "", "tokens_per_s": ""}, "no figure to compare"),
    ({"rank": "1000"}, "rank: '1000'; at most 896, the full rank of the widest target of qwen2.5-0.5b"),
    ({"seq_len_max": "2000000"}, "more than 32 times the context of qwen2.5-0.5b, 32,768 tokens"),
    ({"peak_mem_gib": "1e30"}, "peak_mem_gib: '1e30'; no card holds more than 288 GiB"),
    ({"tokens_per_s": "1e30"}, "tokens_per_s: '1e30'; 1 x RTX-4080 do at most 54,278, their peak over"),
    ({"tokens_per_s": "40000", "method": "full", "rank": "", "target_modules": ""}, "1 x RTX-4080 do at most 36,185, their"),
])
def test_a_cell_that_is_not_canonical_skips_its_row_with_column_value_and_what_is_allowed(skipped, change, words):
    """Rank 16 on q (896 + 896) and v (896 + 128) of 24 layers: 16 x 24 x 2,816 = 1,081,344. An RTX 4080 does 97.5e12 FLOP/s;
    x 1.1 over 4 x 493,988,864 parameters that is 54,278 tokens/s, and over 6 x of full training 36,185."""
    found = skipped(**change)
    assert words in found.reason
    assert (found.line, found.id) == (2, "own-1")


@pytest.mark.parametrize("count", ["1081344", "1090000"])
def test_a_trained_count_within_one_percent_agrees(count):
    """1,090,000 / 1,081,344 = 1.008."""
    assert run(trainable_params=count).plan.rank == 16


def test_a_trained_count_of_fused_modules_agrees():
    """Qwen-7B, rank 8 on c_attn: 8 x 32 x (4,096 + 12,288) = 4,194,304, where three adapters would train 6,291,456."""
    found = run(model="qwen-7b", rank="8", target_modules="q_proj+k_proj+v_proj", trainable_params="4194304")
    assert found.plan.targets == ("q_proj", "k_proj", "v_proj")


def test_several_gpus_that_share_nothing_must_each_hold_the_weights(skipped):
    """Qwen-72B in bf16 is 135 GiB: two A100 of 80 GB hold no replica each; of Llama-2-7B (12.6 GiB) they do; and one card that
    ran out of memory is a row like any other."""
    huge = {"model": "qwen-72b", "gpu": "A100-80GB-SXM", "peak_mem_gib": "", "tokens_per_s": "", "fits": "false"}
    told = "n_gpus: '2'; the weights alone, 135 GiB, are more than one A100-80GB-SXM holds"
    assert skipped(**huge, n_gpus="2").reason.startswith(told)
    assert run(**huge).out_of_memory
    assert run(model="llama-2-7b", gpu="A100-80GB-SXM", n_gpus="2").plan.gpus == 2


def test_skipped_rows_still_say_what_they_state(tmp_path):
    table = read_training(tmp_path / "t.csv", {}, {"method": "peft:xlora", "tokens_per_s": ""})
    assert (len(table.labels), len(table.runs), len(table.skipped)) == (2, 1, 1)
    assert [(label.method, label.memory, label.throughput) for label in table.labels] == [
        ("lora", True, True), ("peft:xlora", True, False)]


@pytest.mark.parametrize(("cells", "method", "size"), [
    ({"method": "peft:bone", "rank": "8"}, "miss", 8.0),
    ({"method": "peft:prompt_tuning", "rank": "", "target_modules": "", "trainable_params": str(200 * 896)},
     "prompt_tuning", 200.0),
    ({"method": "peft:adalora", "rank": "8", "trainable_params": str(24 * 12 * (896 + 896 + 1 + 896 + 128 + 1))},
     "adalora", 12.0),
    ({"method": "llama_adapter", "quant": "nf4", "rank": "", "stack": "litgpt", "target_modules": "",
      "trainable_params": str(22 * (10 * 896 + 14))}, "llama_adapter", 10.0),
])
def test_a_tuner_is_read_by_its_name_and_sized_by_what_it_trains(tmp_path, cells, method, size):
    """Qwen2.5-0.5B: hidden 896, 24 layers, 14 heads, query 896 and value 128 wide; AdaLoRA starts at init_r, prunes to the
    rank."""
    plan = read_training(tmp_path / "t.csv", {"model": "qwen2.5-0.5b", "target_modules": "q_proj+v_proj", **cells}).runs[0].plan
    assert (plan.method, plan.rank) == (method, size)


def test_a_row_of_adamss_states_its_rank_and_its_trained_parameters_tell_the_subspaces(tmp_path):
    """Qwen2.5-0.5B, query 896 and value 128 wide, 24 layers: 24 x (2 x 32 x 100 + 896 + 128); without a count peft's 5."""
    cells = {"model": "qwen2.5-0.5b", "target_modules": "q_proj+v_proj", "method": "peft:adamss", "rank": "100"}
    plans = [read_training(tmp_path / "t.csv", {**cells, "trainable_params": count}).runs[0].plan
             for count in (str(24 * (6_400 + 1_024)), "")]
    assert [(plan.rank, plan.subspaces) for plan in plans] == [(100.0, 32.0), (100.0, 5.0)]


def test_absent_optional_columns_are_stand_ins(tmp_path):
    needed = ("id", "model", "gpu", "method", "rank", "target_modules", "micro_batch", "seq_len_max", "peak_mem_gib")
    path = tmp_path / "t.csv"
    path.write_text(",".join(needed) + "\n" + ",".join(TRAINING[name] for name in needed) + "\n")
    found = training_table(read_csv(path)).runs[0]
    assert (found.plan.optimizer, found.plan.attention, found.plan.dtype, found.plan.gpus) == ("adamw", "sdpa", "bf16", 1)
    assert {"optimizer adamw", "attention_impl sdpa", "base_dtype bf16"} <= set(names(found))
    assert found.memory_kind == "unstated"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("micro_batch,", "microbatch,", "has the unknown column 'microbatch'; nearest: micro_batch"),
    ("micro_batch", "notes", "has the unknown column 'notes'"),
    ("attention_impl,optimizer", "attention_impl,attention_impl", "the column 'attention_impl' twice"),
])
def test_columns_that_are_not_canonical_are_an_error(tmp_path, old, new, message):
    path = tmp_path / "t.csv"
    read_training(path, {})
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        training_table(read_csv(path))


def test_a_column_that_is_needed_and_missing_is_an_error(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,model,method\na,qwen2.5-0.5b,full\n")
    with pytest.raises(InputError, match=r"has no column 'micro_batch' \(and seq_len_max\); its columns: id, model, method"):
        training_table(read_csv(path))


def test_a_row_before_flash_attention_2_ran_the_kernels_before_it():
    assert run(attention_impl="flash", date="2023-06-30").plan.attention == "flash1"
    assert run(attention_impl="flash", date="2023-07-17").plan.attention == "flash"
    assert run(attention_impl="flash", date="").plan.attention == "flash"


def test_a_stack_fills_the_cells_that_are_blank_with_its_defaults_of_the_day():
    """torchtune's recipes: the fused AdamW since August 2024, the loss in chunks since September, no dropout."""
    blank = {"stack": "torchtune", "trainer": "plain", "logits_kept": "", "autocast": "", "lora_dropout": "",
             "optimizer": "adamw", "assumed": ""}
    newer, older = (run(**blank, date=day).plan for day in ("2024-11-18", "2024-05-09"))
    assert (newer.optimizer, newer.loss, newer.dropout, newer.logits_kept) == ("adamw-fused", "split", 0.0, False)
    assert (older.optimizer, older.loss) == ("adamw", "fp32")
    assert run(**blank, date="2024-11-18").assumed == ()
    litgpt = run(**{**blank, "stack": "litgpt", "loss": "chunked"}, date="2024-09").plan
    assert (litgpt.loss, litgpt.dropout, litgpt.held_graphs) == ("split", 0.05, 2)


def test_gptq_of_eight_bits_holds_four_bits_more_a_packed_weight_and_nothing_of_bitsandbytes():
    four, eight = (run(method="qlora", quant=quant) for quant in ("gptq-int4", "gptq-int8"))
    packed = packed_parameters(eight.model, eight.plan)
    held = [training_memory(each.model, each.plan).peak_allocated_bytes for each in (four, eight)]
    assert not eight.plan.int8
    assert held[1] - held[0] == pytest.approx(0.5 * packed * (1 + 1 / 128), rel=1e-9)  # a zero point a group has the bits too


@pytest.mark.parametrize("quant", ["gptq-int4", "gptq-int8"])
def test_gptq_cannot_be_split(skipped, quant):
    assert "packed integers cannot be split" in skipped(method="qlora", quant=quant, sharding="fsdp", n_gpus="2").reason


def test_gptq_is_predicted_as_as_many_bits_and_says_so():
    found = run(method="qlora", quant="gptq-int4")
    assert (found.plan.method, found.plan.gptq, found.plan.prepared) == ("qlora", 4, False)
    assert any("GPTQ" in label for label, _ in found.assumed)


@pytest.mark.parametrize("model", ["mine", "/somewhere/mine"])
def test_a_row_of_a_folder_s_model_says_what_reads_that(skipped, tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert "a folder's or file's model" in (why := skipped(model=model).why)
    assert "roi profile train" in why


@pytest.mark.parametrize("model", ["x" * 300, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 200])
def test_a_model_s_name_that_is_longer_than_a_file_s_in_bytes_is_one_that_the_catalog_lacks(skipped, model):
    assert "no model of the catalog" in skipped(model=model).why
