"""A table of measured runs: how a row becomes a configuration, and why rows are left out."""

import csv

import pytest
from roi.store.tables.row_names import table_gpu, table_model

from roi.errors import InputError
from roi.estimate.accuracy.measured_run import CHUNKED_LOSS, EMPTIED_CACHE, STEP_IN_BACKWARD, UNPREPARED, VARIABLE_LENGTHS
from roi.store.tables.training_table import read_measured_rows
from roi.units import GIB

BASE = {
    "id": "own-001", "source": "a log", "model": "Qwen/Qwen2.5-0.5B-Instruct", "params_b": "0.494", "gpu": "RTX 4080",
    "n_gpus": "1", "method": "lora", "rank": "16", "target_modules": "q_proj+v_proj", "base_dtype": "bf16", "quant": "none",
    "micro_batch": "2", "grad_accum": "4", "seq_len_max": "1024", "seq_len_mean": "512", "packing": "no",
    "gradient_checkpointing": "true", "attention_impl": "sdpa", "optimizer": "adamw_torch",
    "framework": "HF Trainer", "peak_mem_gib": "3.5", "peak_mem_kind": "torch max_memory_allocated", "tokens_per_s": "1000",
    "samples_per_s": "", "step_s": "", "trainable_params": "", "notes": "",
}


def write(path, *changes):
    rows = [BASE | {"id": f"own-{k:03d}"} | change for k, change in enumerate(changes, start=1)]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, heads, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.fixture
def read(tmp_path):
    return lambda *changes: read_measured_rows(write(tmp_path / "t.csv", *changes))


@pytest.fixture
def run(read):
    def one(**change):
        table = read(change)
        assert table.skipped == ()
        return table.runs[0]
    return one


@pytest.fixture
def reason(read):
    def one(**change):
        table = read(change)
        assert table.runs == ()
        return table.skipped[0][1]
    return one


def names(found):
    return [name for name, _ in found.assumed]


def test_a_full_row_becomes_its_plan(run):
    """3.5 GiB = 3.5 x 2^30 bytes; 4 micro-steps an update; the HF Trainer lets the logits go and runs autocast."""
    found = run()
    plan = found.plan
    assert (found.source, found.method, found.gpu_name, found.model.id) == ("own", "lora", "RTX 4080", "qwen2.5-0.5b")
    assert (plan.method, plan.rank, plan.targets) == ("lora", 16.0, ("q_proj", "v_proj"))
    assert (plan.micro_batch, plan.seq) == (2.0, 1024.0)
    assert (plan.checkpointing, plan.dtype, plan.attention, plan.optimizer) == (True, "bf16", "sdpa", "adamw")
    assert (plan.trainer, plan.logits_kept, plan.autocast, plan.padded, plan.packed) == ("hf", False, True, True, False)
    assert (plan.accumulation, plan.gpus, plan.sharding) == (4, 1, "none")
    assert (found.mean_tokens, found.memory_bytes, found.memory_kind) == (512.0, 3.5 * GIB, "allocated")
    assert (found.tokens_per_s, found.out_of_memory, found.gpu.id) == (1000.0, False, "RTX-4080")


def test_each_default_is_named_with_the_plan_of_its_other_value(run):
    found = run()
    assert names(found) == ["lora_dropout 0", "logits_kept false", "autocast true", "optimizer states adamw"]
    others = dict(found.assumed)
    assert others["lora_dropout 0"].dropout == 0.05
    assert others["logits_kept false"].logits_kept is True
    assert others["autocast true"].autocast is False
    assert others["optimizer states adamw"].optimizer == "adamw-bf16"


def test_columns_that_are_given_replace_defaults(run):
    found = run(lora_dropout="0.1", logits_kept="true", autocast="false", optimizer_state_dtype="bf16", packed="true",
                padded="no")
    assert names(found) == []
    assert (found.plan.dropout, found.plan.logits_kept, found.plan.autocast) == (0.1, True, False)
    assert (found.plan.optimizer, found.plan.packed, found.plan.padded) == ("adamw-bf16", True, False)


@pytest.mark.parametrize(("framework", "trainer", "kept", "cast", "dropout"), [
    ("transformers+peft custom loop", "plain", True, False, 0.0),
    ("transformers+peft (canifinetune bench)", "plain", True, False, 0.05),
    ("TRL SFTTrainer", "trl", True, True, 0.0),
    ("Qwen finetune.py (HF Trainer+peft)", "hf", False, True, 0.0),
    ("ms-swift", "hf", False, True, 0.0),
    ("torchtune", "plain", False, False, 0.0),
])
def test_the_framework_decides_what_its_loop_does(run, framework, trainer, kept, cast, dropout):
    plan = run(framework=framework).plan
    assert (plan.trainer, plan.logits_kept, plan.autocast, plan.dropout) == (trainer, kept, cast, dropout)


def test_a_stated_trainer_says_whether_logits_are_kept(run):
    found = run(framework="", trainer="trl")
    assert (found.plan.trainer, found.plan.logits_kept) == ("trl", True)
    assert "logits_kept true" not in names(found)


@pytest.mark.parametrize(("quant", "method", "double"), [
    ("nf4_double_quant", "qlora", True), ("bnb.nf4-dq", "qlora", True),
    ("nf4", "qlora", False), ("bnb nf4", "qlora", False), ("bnb.nf4", "qlora", False),
    ("bnb 4bit", "qlora", False), ("int4 (bnb)", "qlora", False),
])
def test_names_of_quantisation(run, quant, method, double):
    plan = run(method="qlora", quant=quant).plan
    assert (plan.method, plan.double_quant) == (method, double)


@pytest.mark.parametrize(("method", "quant", "plan_method"), [
    ("lora", "bnb.nf4", "qlora"), ("dora", "nf4", "qdora"), ("rslora", "none", "rslora"), ("lora", "int8", "lora-int8"),
])
def test_the_base_decides_the_plan_s_method(run, method, quant, plan_method):
    assert run(method=method, quant=quant).plan.method == plan_method


def test_a_column_of_its_own_says_whether_scales_are_quantised(run):
    assert run(method="qlora", quant="nf4", double_quant="true").plan.double_quant


def test_other_kinds_of_memory_that_a_row_states_are_runs_of_their_own(read):
    """3.5 GiB allocated, 4.0 reserved."""
    table = read({"peak_mem_reserved_gib": "4.0"}, {"peak_mem_kind": "reserved", "peak_mem_reserved_gib": "3.5"})
    assert [(run.id, run.memory_kind, run.memory_bytes) for run in table.second] == [("own-001", "reserved", 4.0 * GIB)]
    assert [label.second for label in table.labels] == [("reserved",), ()]


def test_qlora_without_a_word_on_its_scales_takes_double_quantisation_as_a_default(run):
    found = run(method="qlora", quant="")
    assert found.plan.double_quant
    assert "double quantisation true" in names(found)


@pytest.mark.parametrize(("text", "kind"), [
    ("torch max_memory_reserved GiB", "reserved"), ("torch max_memory_allocated/1e9", "allocated"),
    ("torchtune peak memory active GiB", "allocated"), ("nvidia-smi", "process"), ("NVML of the process", "process"),
    ('"peak GPU memory (GB)", API not stated', "unstated"), ("", "unstated"),
])
def test_memory_kinds(run, text, kind):
    assert run(peak_mem_kind=text).memory_kind == kind


def test_a_length_with_a_sign_is_a_cap_and_taken_at_the_cap(run):
    assert run(seq_len_max="<=768").plan.seq == 768.0


@pytest.mark.parametrize(("change", "speed"), [
    ({"tokens_per_s": "1500", "samples_per_s": "9"}, 1500.0),
    ({"tokens_per_s": "", "samples_per_s": "3", "seq_len_mean": "200"}, 600.0),
    ({"tokens_per_s": "", "samples_per_s": "3", "seq_len_mean": "unknown (a)"}, None),
    ({"tokens_per_s": "", "samples_per_s": "", "step_s": "0.5"}, None),
])
def test_tokens_per_second_are_stated_or_samples_times_the_mean_never_a_step(run, change, speed):
    """3 samples/s x 200 tokens = 600."""
    assert run(**change).tokens_per_s == speed


def test_full_length_data_has_its_length_as_mean_and_no_padding_mask(run):
    found = run(seq_len_mean="", packing="synthetic full length")
    assert found.mean_tokens == 1024.0
    assert not found.plan.padded
    assert run(packing="yes").plan.packed


@pytest.mark.parametrize(("text", "optimizer"), [
    ("paged_adamw_8bit", "paged-adamw-8bit"), ("PagedAdamW bnb", "paged-adamw-8bit"), ("adamw_bnb_8bit", "adamw-8bit"),
    ("torch AdamW (states in bf16 for bf16-true params)", "adamw-bf16"), ("AdamW", "adamw"),
    ("recipe default (PagedAdamW8bit for full; AdamW for LoRA)", "adamw"),
])
def test_names_of_optimizers(run, text, optimizer):
    assert run(optimizer=text).plan.optimizer == optimizer


def test_adapters_of_a_module_that_is_16_bit_as_a_whole_have_16_bit_states(run):
    found = run(base_dtype="bf16-true", framework="litgpt")
    assert (found.plan.optimizer, found.plan.autocast, found.plan.padded) == ("adamw-bf16", False, False)
    assert dict(found.assumed)["16-bit adapters as autocast false"].autocast
    assert CHUNKED_LOSS in names(found)


@pytest.mark.parametrize(("text", "on"), [
    ("true (finetune/*.sh scripts)", True), ("false", False), ("recipe default true", True),
    ("not stated (recipe default true; one row looks otherwise)", True),
])
def test_checkpointing_in_words(run, text, on):
    assert run(gradient_checkpointing=text).plan.checkpointing is on


@pytest.mark.parametrize(("method", "quant", "on"), [("lora", "none", False), ("qlora", "nf4", True)])
def test_unknown_checkpointing_is_on_where_k_bit_preparation_turns_it_on(run, method, quant, on):
    found = run(gradient_checkpointing="unknown", method=method, quant=quant)
    assert found.plan.checkpointing is on
    assert dict(found.assumed)[f"gradient_checkpointing {str(on).lower()}"].checkpointing is not on


@pytest.mark.parametrize(("text", "attention"), [
    ("sdpa (transformers default)", "sdpa"), ("flash_attention_2", "flash"), ("sdpa/flash", "sdpa"),
    ("not flash (eager code)", "eager"), ("TE/cuDNN fused", "flash"), ("TransformerEngine", "flash"),
])
def test_names_of_attention(run, text, attention):
    assert run(attention_impl=text).plan.attention == attention


@pytest.mark.parametrize(("gpus", "change", "sharding"), [
    ("2", {"framework": "x (FSDP FULL_SHARD)"}, "fsdp"), ("2", {"notes": "FSDP full_shard sharding; cpu_offload=0;"}, "fsdp"),
    ("4", {"optimizer": "AdamW + DeepSpeed ZeRO-3"}, "zero3"), ("4", {"notes": "ZeRO-2"}, "zero2"),
    ("2", {"framework": "FSDP", "notes": "DDP-like sharding"}, "none"), ("2", {}, "none"),
    ("1", {"optimizer": "AdamW + DeepSpeed ZeRO-3"}, "none"), ("2", {"sharding": "zero2"}, "zero2"),
])
def test_what_is_spread_over_the_gpus(run, gpus, change, sharding):
    plan = run(n_gpus=gpus, **change).plan
    assert (plan.gpus, plan.sharding) == (int(gpus), sharding)


@pytest.mark.parametrize(("change", "mark"), [
    ({"peak_mem_kind": "max_memory_reserved; empty_cache every 10 steps"}, EMPTIED_CACHE),
    ({"peak_mem_kind": "max_memory_reserved"}, VARIABLE_LENGTHS),
    ({"framework": "litgpt", "method": "qlora", "quant": "bnb.nf4"}, UNPREPARED),
    ({"framework": "lit-gpt"}, CHUNKED_LOSS), ({"notes": "compile, chunked CE"}, CHUNKED_LOSS),
    ({"method": "full", "optimizer": "AdamW in bwd"}, STEP_IN_BACKWARD),
])
def test_habits_that_no_plan_says_are_marked(run, change, mark):
    assert mark in names(run(**change))


@pytest.mark.parametrize("change", [
    {"peak_mem_kind": "max_memory_reserved", "packing": "full length"}, {"peak_mem_kind": "max_memory_allocated"},
])
def test_one_length_or_allocated_memory_has_no_mark_of_varying_lengths(run, change):
    assert VARIABLE_LENGTHS not in names(run(**change))


@pytest.mark.parametrize(("text", "targets"), [
    ("query+value", ("q_proj", "v_proj")), ("peft default q_proj+v_proj", ("q_proj", "v_proj")),
    ("k+q+v+up+down+gate", ("k_proj", "q_proj", "v_proj", "up_proj", "down_proj", "gate_proj")),
    ("DEFAULT(c_attn / family default qkv)", ("q_proj", "k_proj", "v_proj")),
    ("linear_qkv+linear_proj (NVIDIA train.py)", ("q_proj", "k_proj", "v_proj", "o_proj")),
    ("q_proj+v_proj+output_proj+mlp", ("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")),
    ("all linear (trainable 4.0e7)", "all-linear"), ("*_proj (all linear)", "all-linear"), ("all-linear", "all-linear"),
])
def test_names_of_targets(run, text, targets):
    assert run(target_modules=text).plan.targets == targets


def test_fused_modules_stand_for_what_they_hold(run):
    """Qwen's c_attn is q, k and v; c_proj is both the attention's and the MLP's output; w2 gates, w1 does not."""
    plan = run(model="Qwen-7B", params_b="7.721", target_modules="c_attn+c_proj+w1+w2").plan
    assert plan.targets == ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj", "up_proj", "gate_proj")


def test_an_adapter_on_the_head_is_left_out_and_said(run):
    """TinyLlama, hidden 2,048, vocabulary 32,000: rank 8 on q and v of 22 layers trains 8 x 22 x (4,096 + 2,304) = 1,126,400;
    the head's adapter 8 x 34,048 = 272,384 more, which is 24.18%."""
    found = run(model="TinyLlama-1.1B", params_b="1.1", rank="8", target_modules="query+value+head")
    assert found.plan.targets == ("q_proj", "v_proj")
    other = dict(found.assumed)["adapter on the output head left out"]
    assert other.rank == pytest.approx(8 * (1 + 272_384 / 1_126_400))


@pytest.mark.parametrize(("text", "id"), [
    ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2.5-0.5b"), ("Llama-3.2-3B", "llama-3.2-3b"), ("Baichuan2-7B", "baichuan2-7b"),
    ("ChatGLM3-6B", "chatglm3-6b"), ("Zephyr-7B", "mistral-7b-v0.1"), ("Qwen-1.8B", "qwen-1.8b"), ("phi-1.5", "phi-1.5"),
    ("meta-llama/Llama-2-7b-chat-hf", "llama-2-7b"), ("unsloth/Qwen2.5-7B-Instruct-bnb-4bit", "qwen2.5-7b"),
    ("Phi-3-mini-4k", "phi-3-mini"), ("OpenLLaMA-7B", "openllama-7b"), ("TinyLlama-1.1B", "tinyllama-1.1b"),
])
def test_models_by_the_names_that_tables_use(text, id):
    assert table_model(text).id == id


@pytest.mark.parametrize(("text", "id"), [
    ("A100-SXM4-80GB", "A100-80GB-SXM"), ("A100-80GB", "A100-80GB-SXM"), ("A100 40GB SXM", "A100-40GB-SXM"),
    ("L40S", "L40S"), ("A10G 24GB", "A10G"), ("RTX 4080", "RTX-4080"), ("RTX 3090 (280W)", "RTX-3090"),
    ("DGX-H100 80GB", "H100-80GB-SXM"), ("H100-SXM5-80GB", "H100-80GB-SXM"), ("H200-SXM5-141GB", "H200-141GB-SXM"),
    ("Blackwell GPU (B200-SXM-180GB)", "B200-192GB-SXM"), ("AMD Instinct MI300X 192GB HBM3", "MI300X-192GB"),
    ("A6000 Ada 48GB", "RTX-6000-Ada"), ("A5000 24GB", "RTX-A5000"), ("V100 16GB", "V100-16GB-SXM"),
])
def test_cards_by_the_names_that_tables_use(text, id):
    assert table_gpu(text).id == id


@pytest.mark.parametrize("text", ["A100", "unknown single GPU", "RTX 4090 48GB", "24 GB VRAM", ""])
def test_a_card_that_may_be_several_or_none_is_no_card(text):
    assert table_gpu(text) is None


def test_an_unknown_card_does_not_skip_the_row(run):
    found = run(gpu="A100")
    assert found.gpu is None
    assert found.memory_bytes == 3.5 * GIB


@pytest.mark.parametrize(("change", "words"), [
    ({"micro_batch": "unknown (config)"}, "micro_batch: 'unknown (config)'; not a number"),
    ({"micro_batch": ""}, "micro_batch: ''; empty"),
    ({"rank": "unknown"}, "rank: 'unknown'; not a number"),
    ({"seq_len_max": "unknown"}, "seq_len_max: 'unknown'; not a number"),
    ({"peak_mem_gib": "3,5"}, "peak_mem_gib: '3,5'; not a number"),
    ({"method": "peft:ia3"}, "method: 'peft:ia3'; none of full, lora"),
    ({"method": "full:galore128"}, "method: 'full:galore128'"),
    ({"method": "qlora", "quant": "gptq-int4 (not bnb)"}, "quant: 'gptq-int4 (not bnb)'; not bitsandbytes 4-bit"),
    ({"method": "qlora", "quant": "torchao nf4"}, "not bitsandbytes 4-bit"),
    ({"method": "qlora", "quant": "none"}, "qlora needs a quantised base"),
    ({"method": "full", "quant": "nf4"}, "full over 4-bit weights"),
    ({"model": "sshleifer/tiny-gpt2"}, "model: 'sshleifer/tiny-gpt2'; not in the catalog (nearest:"),
    ({"params_b": "7.6"}, "params_b: '7.6'; qwen2.5-0.5b has 0.494"),
    ({"target_modules": "c_attn+wq"}, "qwen2.5-0.5b has no wq"),
    ({"target_modules": ""}, "target_modules: ''"),
    ({"target_modules": "q_proj + full wte,lm_head"}, "whole modules are trained"),
    ({"trainable_params": "500000"}, "trainable_params: '500000'; lora of this rank and targets trains 1,081,344"),
    ({"optimizer": "lora-fa"}, "optimizer: 'lora-fa'; not AdamW"),
    ({"base_dtype": "FP8"}, "base_dtype: 'FP8'"),
    ({"attention_impl": "ring"}, "attention_impl: 'ring'; none of sdpa, flash, eager"),
    ({"gradient_checkpointing": "true+offload"}, "activations in host memory"),
    ({"gradient_checkpointing": "sometimes"}, "gradient_checkpointing: 'sometimes'; neither true nor false"),
    ({"notes": "FSDP; cpu_offload=1;"}, "notes: 'cpu_offload=1'"),
    ({"notes": "model-parallel over 2 GPUs"}, "notes: 'model-parallel'"),
    ({"notes": "TP=2 FSDP2"}, "layers are split over GPUs"),
    ({"lora_dropout": "1.5"}, "lora_dropout: '1.5'"),
    ({"trainer": "keras"}, "trainer: 'keras'; none of plain, hf, trl"),
    ({"sharding": "zero3"}, "sharding: 'zero3'"),
    ({"peak_mem_gib": "", "tokens_per_s": ""}, "no figure to compare"),
])
def test_what_no_plan_expresses_is_skipped_with_the_column_and_the_value(reason, change, words):
    """Rank 16 on q (896 + 896) and v (896 + 128) of 24 layers: 16 x 24 x 2,816 = 1,081,344."""
    assert words in reason(**change)


@pytest.mark.parametrize("count", ["1081344", "1090000"])
def test_a_trained_count_within_one_percent_agrees(run, count):
    """1,090,000 / 1,081,344 = 1.008."""
    assert run(trainable_params=count).plan.rank == 16


def test_a_trained_count_of_fused_modules_agrees(run):
    """Qwen-7B, rank 8 on c_attn: 8 x 32 x (4,096 + 12,288) = 4,194,304, where three adapters would train 6,291,456."""
    found = run(model="Qwen-7B", params_b="7.721", rank="8", target_modules="c_attn", trainable_params="4194304")
    assert found.plan.targets == ("q_proj", "k_proj", "v_proj")


@pytest.mark.parametrize("change", [
    {"peak_mem_gib": "", "peak_mem_kind": "OOM", "tokens_per_s": ""},
    {"peak_mem_gib": "", "notes": "OUT OF MEMORY; 1000 samples", "tokens_per_s": ""},
])
def test_out_of_memory_is_a_run_without_a_figure(run, change):
    found = run(**change)
    assert found.out_of_memory
    assert found.memory_bytes is None


def test_skipped_rows_still_say_what_they_state(read):
    table = read({}, {"method": "peft:vera", "tokens_per_s": ""})
    assert (table.rows, len(table.runs), len(table.skipped)) == (2, 1, 1)
    assert [(label.method, label.memory, label.throughput) for label in table.labels] == [
        ("lora", True, True), ("peft:vera", True, False)]


def test_more_columns_are_allowed_and_absent_optional_ones_are_defaults(tmp_path):
    needed = ("id", "model", "gpu", "method", "rank", "target_modules", "quant", "micro_batch", "seq_len_max",
              "gradient_checkpointing", "peak_mem_gib", "peak_mem_kind", "tokens_per_s")
    path = tmp_path / "t.csv"
    path.write_text(",".join([*needed, "mood"]) + "\n" + ",".join([*(BASE[name] for name in needed), "good"]) + "\n")
    found = read_measured_rows(path).runs[0]
    assert (found.plan.optimizer, found.plan.attention, found.plan.dtype, found.plan.gpus) == ("adamw", "sdpa", "bf16", 1)
    assert {"optimizer adamw", "attention_impl sdpa", "base_dtype bf16"} <= set(names(found))


@pytest.mark.parametrize(("text", "message"), [
    ("", "is empty"), ("\n\n", "is empty"), ("id,model\n", "has no column 'gpu'"),
    ("hello world", "has no column 'id'"),
])
def test_a_file_that_is_no_such_table_is_an_error(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_measured_rows(path)


def edit(tmp_path, old, new, *changes):
    path = write(tmp_path / "t.csv", *(changes or [{}]))
    path.write_text(path.read_text().replace(old, new))
    return path


@pytest.mark.parametrize(("old", "new", "message"), [
    ("micro_batch,", "microbatch,", "no column 'micro_batch'; nearest in the file: microbatch"),
    ("source,", "id,", "the column 'id' twice"),
    ("own-001,a log", "own-001,a log,more", "28 cells under 27 columns"),
    ("own-001", "", "row 1: the id is empty"),
])
def test_damaged_tables_are_named(tmp_path, old, new, message):
    path = edit(tmp_path, old, new)
    with pytest.raises(InputError, match=message):
        read_measured_rows(path)


def test_a_head_without_rows_is_an_error(tmp_path):
    path = write(tmp_path / "t.csv", {})
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match="no rows"):
        read_measured_rows(path)


def test_the_same_id_twice_is_an_error(tmp_path):
    with pytest.raises(InputError, match="'own-001' occurs twice"):
        read_measured_rows(write(tmp_path / "t.csv", {}, {"id": "own-001"}))


@pytest.mark.parametrize(("column", "value"), [
    ("peak_mem_gib", "-3"), ("tokens_per_s", "0"), ("peak_mem_gib", "nan"), ("micro_batch", "-1"), ("samples_per_s", "inf"),
])
def test_figures_that_nobody_can_measure_are_errors(tmp_path, column, value):
    with pytest.raises(InputError, match=f"row 'own-001', {column}: {value}"):
        read_measured_rows(write(tmp_path / "t.csv", {column: value}))


def test_another_encoding_is_an_error_and_a_byte_order_mark_is_not(tmp_path):
    path = write(tmp_path / "t.csv", {"notes": "größer"})
    text = path.read_text(encoding="utf-8")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_measured_rows(path)
    path.write_bytes(text.encode("utf-8-sig"))
    assert len(read_measured_rows(path).runs) == 1


def test_a_missing_file_and_a_directory_are_errors(tmp_path):
    for path in (tmp_path / "no.csv", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            read_measured_rows(path)


def test_the_source_is_the_id_without_its_number_else_the_source_column(run):
    assert run(id="litgpt-hub-043").source == "litgpt-hub"
    assert run(id="morning", source="lab notebook").source == "lab"


@pytest.mark.parametrize(("change", "told"), [
    ({"rank": "1e30"}, "rank: '1e30'; at most 896, the full rank of the widest target of qwen2.5-0.5b"),
    ({"micro_batch": "1.5"}, "micro_batch: '1.5'; not a whole number"),
    ({"micro_batch": "1e20"}, "micro_batch: '1e+20'; 1e+20 is not usable; at most 65,536"),
    ({"seq_len_max": "2000000"}, "seq_len_max: '2000000'; more than 32 times the context of qwen2.5-0.5b, 32,768 tokens"),
    ({"peak_mem_gib": "1e30"}, "peak_mem_gib: '1e30'; no card holds more than 288 GiB"),
    ({"tokens_per_s": "1e30"}, "tokens_per_s: '1e30'; at most 15,182,528, the peak rate of the fastest card"),
])
def test_a_figure_beyond_any_model_or_card_is_skipped_with_the_limit(reason, change, told):
    """15.0e15 FLOP/s (GB300, fp4) over 2 x 494M parameters = 15.2M tokens/s."""
    assert told in reason(**change)


def test_several_gpus_that_share_nothing_must_each_hold_the_weights(reason, run):
    """Qwen-72B in bf16 is 135 GiB: two A100 of 80 GB hold no replica each, whether notes say how it was split or not; of
    Llama-2-7B (12.6 GiB) they do; and one card that ran out of memory is a row like any other."""
    huge = {"model": "Qwen-72B", "params_b": "72.29", "gpu": "A100-80GB", "target_modules": "c_attn", "peak_mem_gib": "",
            "tokens_per_s": "", "notes": "OUT OF MEMORY"}
    told = "n_gpus: '2'; the weights alone, 135 GiB, are more than one A100-80GB-SXM holds"
    assert reason(**huge, n_gpus="2").startswith(told)
    split = huge | {"notes": "model-parallel over 2 GPUs; OUT OF MEMORY"}
    assert reason(**split, n_gpus="2").startswith("notes: 'model-parallel'")
    assert run(**huge).out_of_memory
    assert run(model="Llama-2-7B", params_b="6.74", gpu="A100-80GB", n_gpus="2").plan.gpus == 2


@pytest.mark.parametrize(("notes", "found"), [
    ("PagedAdamW bnb", "paged-adamw-8bit"), ("step +8bit AdamW; compile", "adamw-8bit"), ("experiment adamss/llama", "adamw"),
    ("CPU offload", "adamw"),
])
def test_an_optimizer_that_the_column_leaves_open_is_read_from_the_notes(run, notes, found):
    assert run(optimizer="recipe default", notes=notes.replace("CPU offload", "")).plan.optimizer == found
    assert run(optimizer="AdamW", notes=notes.replace("CPU offload", "")).plan.optimizer == "adamw"


def test_a_speed_in_words_does_not_lose_the_row_s_memory(read):
    found = read({"tokens_per_s": "fast"})
    assert (len(found.runs), found.unread) == (1, (("own-001", "tokens_per_s: 'fast'; not a number"),))
