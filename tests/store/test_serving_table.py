"""Tables of measured serving runs: what a row becomes, what stands in for a blank cell, and why a row is skipped."""

import pytest
from long_tables import every_row
from tables_support import SERVING, read_serving, serving_run_of, write_table

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import engine_habits
from roi.errors import InputError
from roi.estimate.replay.load_curve import Slo
from roi.estimate.serving.weight_formats import weight_bytes
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import serving_table


def defaults(**change):
    return [name for name, _ in serving_run_of(**change).assumed]


@pytest.fixture
def reason(tmp_path):
    def one(**change):
        table = read_serving(tmp_path / "s.csv", change)
        assert table.runs == ()
        return table.skipped[0].reason
    return one


def test_a_full_row_is_a_configuration_without_stand_ins():
    found = serving_run_of()
    assert (found.id, found.source, found.engine, found.recent) == ("lab-7", "lab", "vllm", True)
    assert (found.system.shape.id, found.system.gpu.id) == ("llama-3.1-8b", "H100-80GB-SXM")
    assert (found.system.replicas, found.system.tensor_parallel) == (1.0, 1.0)
    assert (found.system.weight_dtype, found.system.kv_dtype) == ("bf16", "bf16")
    assert (found.load.kind, found.load.concurrency, found.load.input_tokens, found.load.output_tokens) == (
        "closed", 16.0, 1024.0, 256.0)
    assert (found.output_tokens_per_s, found.assumed, found.implausible) == (1000.0, (), "")


@pytest.mark.parametrize(("engine", "design", "family"), [
    ("vllm", "2024", "vllm-2024"), ("vllm", "recent", "vllm"), ("vllm", "rocm-2024", "vllm-rocm-2024"), ("vllm", "", "vllm"),
    ("lorax", "2024", "lorax-2024"),
])
def test_an_engine_and_its_design_name_the_family(engine, design, family):
    found = serving_run_of(engine=engine, design=design)
    assert (found.engine, found.recent) == (family, "2024" not in family)


@pytest.mark.parametrize(("column", "label", "factor"), [
    ("design", "design recent", 1.2), ("weight_dtype", "weight_dtype bf16", 1.3), ("kv_dtype", "kv_dtype bf16", 1.1),
])
def test_a_blank_cell_has_a_stand_in_that_widens(column, label, factor):
    assert serving_run_of(**{column: ""}).assumed == ((label, factor),)


@pytest.mark.parametrize(("weight", "engine", "design", "kv"), [
    ("fp8", "vllm", "recent", "fp8"), ("nvfp4", "vllm", "recent", "fp8"), ("fp8", "vllm", "2024", "bf16"),
    ("fp8", "tensorrt-llm", "2024", "fp8"), ("mxfp4", "vllm", "recent", "bf16"),
])
def test_fp8_weights_keep_16_bit_kv_on_engines_before_2025(weight, engine, design, kv):
    assert serving_run_of(weight_dtype=weight, engine=engine, design=design, kv_dtype="").system.kv_dtype == kv


@pytest.mark.parametrize("engine", ["llama.cpp", "ollama", "transformers"])
def test_engines_that_hold_layers_one_after_the_other_have_so_many_stages(engine):
    """Their several GPUs are no tensor parallelism, and need not divide the heads: as pp says it, in either column."""
    for cells in ({"tp": "3"}, {"tp": "1", "pp": "3"}):
        system = serving_run_of(model="llama-3.1-8b", engine=engine, weight_dtype="bf16", **cells).system
        assert (system.tensor_parallel, system.stages) == (1, 3)
    assert serving_run_of(model="llama-3.1-8b", engine="vllm", tp="2").system.stages == 1


def test_slots_of_llama_cpp_are_set_for_a_closed_load():
    """16 in flight are decoded together, where an open load has the four that llama-server starts with."""
    closed = serving_run_of(engine="llama.cpp", load="closed", concurrency="2000", weight_dtype="q8_0")
    assert closed.system.sequence_limit == 2000
    assert serving_run_of(engine="vllm", load="closed", concurrency="2000").system.sequence_limit is None
    opened = serving_run_of(engine="llama.cpp", load="open", offered_req_per_s="1", weight_dtype="q8_0").system
    assert opened.plan(engine_habits("llama.cpp")).largest_step[0] == 4.0


def test_mxfp4_of_a_dense_model_is_all_of_its_matrices():
    """Llama-3.1-405B on one MI355X: 4.25 bits of 401.7e9 weights and 16 of 2 x 128,256 x 16,384 others: 221.8e9 bytes.
    gpt-oss has it of experts alone."""
    run = serving_run_of(model="llama-3.1-405b", gpu="MI355X", weight_dtype="mxfp4")
    assert weight_bytes(run.system.shape, run.system.weight_dtype) == pytest.approx(221.8e9, rel=1e-3)
    assert serving_run_of(model="gpt-oss-120b", weight_dtype="mxfp4").system.weight_dtype == "mxfp4"


def test_what_the_source_does_not_say_widens_by_its_factor():
    assert serving_run_of(assumed="gpu+lengths").assumed == (("gpu H100-80GB-SXM", 1.2), ("lengths", 1.2))
    assert serving_run_of(assumed="tp", tp="2").assumed == (("tp 2", 1.25),)
    assert serving_run_of(assumed="tp", tp="2", load="static").assumed == (("tp 2", 1.1),)
    assert defaults(weight_dtype="int4") == ["4-bit kernels"]
    assert defaults(weight_dtype="int4", model="qwen3-30b-a3b") == ["4-bit experts"]


@pytest.mark.parametrize(("change", "limit"), [
    ({}, 1024.0), ({"design": "2024"}, 256.0), ({"load": "static", "concurrency": "8"}, 256.0),
    ({"load": "static", "concurrency": "512"}, 512.0), ({"design": "2024", "engine": "tensorrt-llm"}, 2048.0),
    ({"engine": "llama.cpp", "load": "static", "concurrency": "1", "pp": "4"}, 256.0),
    ({"design": "2024", "sequence_limit": "1024"}, 1024.0), ({"load": "static", "sequence_limit": "8"}, 8.0),
])
def test_sequences_together_are_the_engine_s_default_of_its_time(change, limit):
    run = serving_run_of(**change)
    assert run.system.plan(engine_habits(run.engine)).largest_step[0] == limit


def test_loads():
    open_load = serving_run_of(load="open", offered_req_per_s="2.5").load
    assert (open_load.kind, open_load.requests_per_s, open_load.prompts, open_load.concurrency) == ("open", 2.5, 1000.0, None)
    bursts = serving_run_of(load="open", offered_req_per_s="2.5", arrival_cv="4", isl="1024", cached_isl="1000").load
    assert (bursts.arrival_cv, bursts.input_tokens, bursts.computed_tokens) == (4.0, 1024.0, 24.0)
    full = serving_run_of(load="saturated", prompts="200", held_to_slo="true", length_cv="0.5", adapters="4").load
    assert (full.prompts, full.slo, full.length_cv, full.adapters) == (200.0, Slo(2.0, 0.2), 0.5, 4)


def test_a_card_is_taken_by_the_names_that_every_option_takes():
    for name in ("H100", "NVIDIA H100 80GB HBM3", "h100-sxm"):
        assert serving_run_of(gpu=name).system.gpu == find_gpu(name)
    assert serving_run_of(model="Qwen/Qwen3-8B").system.shape.id == "qwen3-8b"


def test_prefill_workers_are_some_of_the_replicas():
    found = serving_run_of(tp="2", replicas="4", prefill_replicas="3").system
    assert (found.replicas, found.prefill_replicas, found.tensor_parallel) == (4.0, 3.0, 2.0)


@every_row("change, told", [
    ({"model": "acme/Rocket"}, "model: 'acme/Rocket'; no model of the catalog"),
    ({"gpu": "A100"}, "gpu: 'A100'; it may be A100-40GB-SXM or A100-40GB-PCIe or A100-80GB-SXM or A100-80GB-PCIe; name one"),
    ({"gpu": "8xH100"}, "gpu: '8xH100'; write H100-80GB-SXM alone, and 8 as tp x pp x replicas"),
    ({"engine": "vLLM"}, "engine: 'vLLM'; none of vllm, tensorrt-llm, sglang"),
    ({"design": "2025"}, "design: '2025'; none of recent, 2024, rocm-2024; nearest: 2024"),
    ({"weight_dtype": "awq"}, "weight_dtype: 'awq'; none of fp32, bf16, fp16, fp8, int8, int4, nvfp4, mxfp4"),
    ({"kv_dtype": "fp4"}, "kv_dtype: 'fp4'; none of bf16, fp16, fp8, int8"),
    ({"pp": "two"}, "pp: 'two'; not a whole number"),
    ({"load": "offline"}, "load: 'offline'; none of static, closed, open, saturated"),
    ({"isl": "~500"}, "isl: '~500'; not a number"), ({"isl": "1,024"}, "isl: '1,024'; not a number; write a decimal point"),
    ({"isl": "0"}, "isl: '0'; it should be greater than or equal to 1"), ({"isl": "128 tokens"}, "not a number"),
    ({"isl": "128", "cached_isl": "128"}, "cached_isl: '128'; less than isl, 128"),
    ({"tp": "3", "model": "llama-3.1-8b"}, "tp: '3'; a divisor of the 32 attention heads, which engines share out evenly"),
    ({"osl": "1", "tpot_ms": "10"}, "tpot_ms: '10'; answers of one token (osl) have no time between tokens"),
    ({"osl": ""}, "osl: ''; blank, and a row needs it"), ({"osl": "1e400"}, "osl: '1e400'; it should be a finite number"),
    ({"concurrency": ""}, "concurrency: ''; blank, and load closed needs it"),
    ({"load": "open"}, "offered_req_per_s: ''; blank, and load open needs it"),
    ({"tp": "TP8"}, "tp: 'TP8'; not a whole number"), ({"ttft_ms": "8,5"}, "ttft_ms: '8,5'; not a number"),
    ({"length_cv": "50"}, "length_cv: '50'; it should be less than or equal to 3"),
    ({"sequence_limit": "3.5"}, "sequence_limit: '3.5'; not a whole number"),
    ({"ttft_stat": "p99"}, "ttft_stat: 'p99'; none of mean, median"),
    ({"tpot_kind": "e2e"}, "tpot_kind: 'e2e'; none of between-tokens, over-all-tokens, end-to-end"),
    ({"adapters": "many"}, "adapters: 'many'; not a whole number"),
    ({"prefill_replicas": "1"}, "prefill_replicas: '1'; less than the 1 replicas, of which some must decode"),
    ({"implausible": "maybe"}, "implausible: 'maybe'; neither true nor false"),
    ({"output_tok_per_s": ""}, "req_per_s: ''; no figure to compare"),
    ({"model": "llama-3.1-70b"}, "tp: '1'; bf16 weights of 131 GiB a GPU are more than one H100-80GB-SXM holds"),
])
def test_a_cell_that_is_not_canonical_skips_its_row_with_column_value_and_what_is_allowed(reason, change, told):
    """70.55e9 parameters of 2 bytes: 131.4 GiB."""
    assert told in reason(**change)


def test_errors_are_told_by_the_ids_of_cards_and_models_however_a_row_names_them(tmp_path):
    """Of a row that is skipped too, so that it is among the rows of its card."""
    table = read_serving(tmp_path / "s.csv", {}, {"gpu": "H100", "model": "Qwen/Qwen3-8B"}, {"gpu": "H100", "tp": "0"})
    assert [label.gpu for label in table.labels] == ["H100-80GB-SXM"] * 3
    assert len(table.skipped) == 1
    assert table.labels[1].model == "qwen3-8b"


def test_skipped_rows_stay_labelled(tmp_path):
    table = read_serving(tmp_path / "s.csv", {}, {"gpu": "TPUv5"})
    assert [label.id for label in table.labels] == ["lab-1", "lab-2"]
    assert [(row.line, row.id) for row in table.skipped] == [(3, "lab-2")]
    assert table.labels[1].quantities == {"throughput"}


@pytest.mark.parametrize("change", [
    {"tpot_ms": "0.008"}, {"ttft_ms": "0.05"}, {"output_tok_per_s": "1e9"}, {"req_per_s": "90000"}, {"implausible": "true"},
])
def test_figures_far_beyond_the_roofline_and_rows_marked_so_stand_apart(tmp_path, change):
    """7.5e9 parameters of 2 bytes over 3.35 TB/s: no step below 4.5 ms. 14e9 FLOP a token, 1,024 tokens: no prompt below 14."""
    table = read_serving(tmp_path / "s.csv", change)
    assert table.runs[0].implausible
    assert table.labels[0].implausible


@pytest.mark.parametrize("change", [{"tpot_ms": "2"}, {"ttft_ms": "5"}, {}])
def test_figures_that_another_precision_or_a_cached_prefix_explain_do_not(change):
    assert not serving_run_of(**change).implausible


def test_figures_against_littles_law_stand_apart():
    """16 in flight: 10 requests/s x (0.1 s + 255 x 8 ms = 2.14 s) is 21.4; with 100 ms between tokens it is 256."""
    plain = {"output_tok_per_s": "", "req_per_s": "10", "ttft_ms": "100"}
    assert not serving_run_of(**plain, tpot_ms="8").implausible
    assert serving_run_of(**plain, tpot_ms="100").implausible


@pytest.mark.parametrize(("base", "told"), [
    ({name: SERVING[name] for name in SERVING if name != "gpu"}, r"has no column 'gpu'"),
    ({name: SERVING[name] for name in SERVING if not name.endswith("per_s")}, "has nothing to compare; one of the columns"),
    ({**SERVING, "input_tokens": "5"}, "has the unknown column 'input_tokens'; nearest: isl;"),
    ({**SERVING, "params_b": "8", "n_gpus": "1", "precision": "fp8", "engine_version": "0.9", "scenario": "closed"},
     "nearest: model, tp, weight_dtype, design, load; .*docs/tables.md says what each holds"),
])
def test_columns_that_make_no_serving_table_are_an_error(tmp_path, base, told):
    with pytest.raises(InputError, match=told):
        serving_table(read_csv(write_table(tmp_path / "s.csv", base, {})))
