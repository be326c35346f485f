"""Tables of serving runs: what a row becomes, what stands in for a blank, and why a row is left out."""

import pytest
from roi.store.tables.row_fields import Unusable

from roi.catalog.models.shapes import find_model
from roi.store.tables.serving_table import serving_run, serving_table

ROW = {
    "id": "lab-7", "date": "2025-06", "model": "meta-llama/Llama-3.1-8B-Instruct", "params_b": "8.03", "gpu": "H100-SXM",
    "n_gpus": "1", "tp": "1", "precision": "w bf16/kv bf16", "engine": "vLLM", "engine_version": "0.9.1",
    "scenario": "closed loop", "isl": "1024", "osl": "256", "concurrency": "16", "output_tok_per_s": "1000",
}  # fmt: skip


def run(**change):
    return serving_run({**ROW, **change})


def defaults(**change):
    return [name for name, _ in run(**change).assumed]


def test_a_full_row_is_a_configuration_without_defaults():
    found = run()
    assert (found.id, found.source, found.engine, found.recent) == ("lab-7", "lab", "vllm", True)
    assert (found.system.shape.id, found.system.gpu.id) == ("llama-3.1-8b", "H100-80GB-SXM")
    assert (found.system.replicas, found.system.tensor_parallel) == (1.0, 1.0)
    assert (found.system.weight_dtype, found.system.kv_dtype) == ("bf16", "bf16")
    assert (found.load.kind, found.load.concurrency, found.load.input_tokens, found.load.output_tokens) == (
        "closed", 16.0, 1024.0, 256.0)
    assert found.assumed == ()


@pytest.mark.parametrize(("engine", "version", "date", "family"), [
    ("vLLM", "0.6.1", "", "vllm-2024"), ("vllm", "0.8.0", "", "vllm"), ("vLLM", "main 2024-12 (V0)", "", "vllm-2024"),
    ("vLLM", "V1 reference PR", "2024-12", "vllm"), ("vLLM", "", "2024-11", "vllm-2024"),
    ("trtllm", "1.0.0rc3", "", "tensorrt-llm"),
    ("TensorRT-LLM", "0.11.0", "", "tensorrt-llm-2024"), ("SGLang (PD disagg)", "latest 2025-09", "", "sglang"),
    ("LoRAX", "LoRAX", "2024-03-15", "lorax-2024"), ("vLLM-packed (S-LoRA baseline)", "2023-11", "", "vllm-2024"),
   ("S-LoRA", "2023-11", "", "s-lora-2024"),
    ("text-generation-inference", "3.1.0", "", "tgi"),
    ("Deepspeed-MII", "", "2024-10", "deepspeed-mii-2024"),
])  # fmt: skip
def test_engines_are_told_apart_by_name_version_and_date(engine, version, date, family):
    assert run(engine=engine, engine_version=version, date=date).engine == family


def test_an_engine_without_version_or_date_is_taken_as_recent_and_widens():
    assert defaults(engine_version="", date="") == ["recent engine"]


@pytest.mark.parametrize(("version", "precision", "family"), [
    ("0.6.1", "fp16", "vllm-rocm-2024"), ("0.6.4", "fp16", "vllm-2024"), ("0.6.1", "fp8", "vllm-2024"),
    ("0.9.0", "fp16", "vllm"),
])  # fmt: skip
def test_only_the_early_16_bit_build_on_amd_has_its_own_fit(version, precision, family):
    assert run(gpu="MI300X", engine_version=version, precision=precision).engine == family


@pytest.mark.parametrize(("precision", "model", "weight", "kv"), [
    ("w fp16/kv fp16", "Llama-3-8B", "fp16", "fp16"), ("gemm nan/kv n.s.", "Llama-3-8B", "bf16", "bf16"),
    ("gemm fp8_block/kv n.s.", "Llama-3-8B", "fp8", "fp8"), ("gemm nvfp4/kv n.s.", "openai/gpt-oss-120b", "mxfp4", "bf16"),
    ("w int4 AWQ", "Llama-3-8B", "int4", "bf16"), ("", "Qwen2.5-72B-Instruct-AWQ", "int4", "bf16"),
    ("mxfp4", "Llama-3-8B", "nvfp4", "fp8"), ("w8a8", "Llama-3-8B", "int8", "bf16"), ("fp8/kv fp8", "Llama-3-8B", "fp8", "fp8"),
])  # fmt: skip
def test_number_formats(precision, model, weight, kv):
    found = run(precision=precision, model=model, params_b="").system
    assert (found.weight_dtype, found.kv_dtype) == (weight, kv)


@pytest.mark.parametrize(("precision", "weight", "kv"), [
    ("hqq 4-bit", "int4", "bf16"), ("gptq-8bit", "int8", "bf16"), ("w4afp8", "int4", "bf16"), ("W4A16 (GPTQ)", "int4", "bf16"),
    ("fp8-dynamic", "fp8", "fp8"), ("AWQ, fp16", "int4", "bf16"), ("unquantized", "bf16", "bf16"), ("16-bit", "bf16", "bf16"),
    ("bf16, fp8 KV cache", "bf16", "fp8"), ("w bf16 / kv float16", "bf16", "fp16"), ("q4_k_m", "int4", "bf16"),
])  # fmt: skip
def test_a_word_that_says_its_bits_is_a_known_format(precision, weight, kv):
    found = run(precision=precision).system
    assert (found.weight_dtype, found.kv_dtype) == (weight, kv)
    assert "precision bf16" not in defaults(precision=precision)


@pytest.mark.parametrize(("precision", "told"), [
    ("hqq", "no known number format (known: fp32, bf16, fp16, fp8"), ("mixed", "no known number format (nearest: mxfp4)"),
    ("fp6", "no known number format (nearest: fp16, fp8"), ("gptq-int3", "no known number format (nearest: int8, int4)"),
    ("Q5_K_M", "no known number format"), ("gguf", "no known number format"), ("quantized", "no known number format"),
    ("bf16/kv fp4", "no known format of the KV cache; known: bf16, fp16, fp8, int8"),
])  # fmt: skip
def test_an_unknown_format_skips_the_row_with_the_nearest_known_ones(precision, told):
    for model in ("Llama-3.1-8B", "openai/gpt-oss-20b"):
        with pytest.raises(Unusable) as reason:
            run(precision=precision, model=model, params_b="")
        assert str(reason.value).startswith(f"precision: {precision!r}; {told}")


def test_a_format_that_only_the_models_name_says_is_checked_too():
    with pytest.raises(Unusable, match=r"^model: 'Llama-3\.1-8B-GGUF'; no known number format"):
        run(precision="", model="Llama-3.1-8B-GGUF")


def test_a_blank_format_is_16_bit_and_widens():
    assert [defaults(precision=text)[0] for text in ("", "n.s.", "auto", "nan")] == ["precision bf16"] * 4


def test_fp8_weights_keep_16_bit_kv_on_engines_before_2025():
    assert run(precision="fp8", engine_version="0.5.3").system.kv_dtype == "bf16"
    assert run(precision="fp8", engine="TensorRT-LLM", engine_version="0.11").system.kv_dtype == "fp8"


@pytest.mark.parametrize(("scenario", "concurrency", "kind"), [
    ("static batch, offline", "16", "static"), ("offline static", "16", "static"), ("single stream", "1", "static"),
    ("closed loop batch 16.0", "16", "closed"), ("P:D 1:3 concurrency 32", "32", "closed"), ("16 users", "", "closed"),
    ("server QPS 16", "", "open"), ("Poisson rate 2.5 cv 1 dur 300s", "", "open"),
    ("server QPS inf, ShareGPT 1000", "", "saturated"),
    ("Offline", "", "saturated"), ("max throughput", "", "saturated"), ("Server", "", "saturated"), ("", "8", "closed"),
    ("weekend run", "", "saturated"),
])  # fmt: skip
def test_kinds_of_load(scenario, concurrency, kind):
    assert run(scenario=scenario, concurrency=concurrency).load.kind == kind


def test_rates_prompts_and_slos_are_read_from_the_scenario():
    assert run(scenario="rate 2.5 dur 300s", concurrency="").load.requests_per_s == 2.5
    assert run(scenario="rate 2.5 dur 300s", concurrency="").load.prompts == 750.0
    assert run(scenario="offline ShareGPT 200 prompts", concurrency="").load.prompts == 200.0
    assert run(scenario="Interactive", concurrency="").load.held_to_slo
    assert "scenario offline" in defaults(scenario="weekend run", concurrency="")


def test_gpus_beyond_the_tensor_parallel_ones_are_replicas():
    assert (run(n_gpus="8", tp="2").system.replicas, run(n_gpus="8", tp="2").system.tensor_parallel) == (4.0, 2.0)


def test_a_blank_tp_is_all_gpus_for_a_batch_and_the_fewest_that_leave_half_for_kv_otherwise():
    """Llama-2-70B in fp8 weighs 69.5 GB: more than half of 0.9 x 85 GB on one H100, less on two; 8 GPUs are 4 replicas."""
    large = {"model": "llama2-70b-99", "params_b": "70", "n_gpus": "8", "tp": "", "precision": "fp8"}
    assert run(**large, scenario="static batch").system.tensor_parallel == 8.0
    offline = run(**large, scenario="Offline", concurrency="")
    assert (offline.system.tensor_parallel, offline.system.replicas) == (2.0, 4.0)
    assert "tp 2" in [name for name, _ in offline.assumed]


def test_counts_beside_names_are_read():
    """Eight H100 in replicas of two."""
    found = run(gpu="8xH100", n_gpus="", tp="TP2").system
    assert (found.gpu.id, found.replicas, found.tensor_parallel) == ("H100-80GB-SXM", 4.0, 2.0)
    assert run(gpu="NVIDIA L40S x2", n_gpus="", tp="2").system.replicas == 1.0


@pytest.mark.parametrize(("change", "told"), [
    ({"n_gpus": "1", "tp": "16"}, "tp: '16'; more than n_gpus, 1"),
    ({"n_gpus": "6", "tp": "4"}, "n_gpus: '6'; not a multiple of tp, 4"),
    ({"gpu": "8xH100", "n_gpus": "4"}, "n_gpus: '4'; the column gpu says 8"),
    ({"model": "Llama-3.1-70B", "params_b": ""},
     "tp: '1'; bf16 weights of 131 GiB a GPU are more than one H100-80GB-SXM holds"),
])  # fmt: skip
def test_gpus_that_make_no_whole_replicas_or_do_not_hold_the_weights_are_skipped(change, told):
    """70.55e9 parameters of 2 bytes: 131.4 GiB."""
    with pytest.raises(Unusable) as reason:
        run(**change)
    assert str(reason.value) == told


def test_a_blank_tp_divides_the_gpus():
    """Llama-3.1-70B in bf16 leaves half of four H100 to the KV cache, but six in fours are none: one replica of six."""
    found = run(model="Llama-3.1-70B", params_b="", n_gpus="6", tp="", scenario="Offline", concurrency="").system
    assert (found.tensor_parallel, found.replicas) == (6.0, 1.0)


def test_the_x_of_a_cards_name_is_no_count():
    found = run(gpu="rtx 4090", n_gpus="", tp="").system
    assert (found.gpu.id, found.replicas) == ("RTX-4090", 1.0)


def test_prefill_and_decode_workers_share_the_gpus():
    found = run(scenario="P:D 3:1 concurrency 32", n_gpus="8", tp="2").system
    assert (found.replicas, found.prefill_replicas, found.tensor_parallel) == (4.0, 3.0, 2.0)


def test_lengths_come_from_the_rates_where_the_columns_are_blank():
    """1,000 output tokens/s at 5 requests/s: 200 tokens; (1,600 - 1,000) / 5 = 120 prompt tokens."""
    found = run(isl="", osl="", req_per_s="5", total_tok_per_s="1600").load
    assert (found.input_tokens, found.output_tokens) == (120.0, 200.0)


def test_sharegpt_has_known_lengths_and_widens():
    found = run(isl="", osl="", scenario="server QPS 2, ShareGPT 1000", concurrency="")
    assert (found.load.input_tokens, found.load.output_tokens) == (215.2, 198.0)
    assert "isl, osl of ShareGPT" in [name for name, _ in found.assumed]


def test_a_uniform_range_of_lengths_has_its_spread():
    """8 to 512: half-width 252 over mean 260, over sqrt 3 = 0.5596."""
    assert run(notes="isl/osl nominal midpoints of ranges [8, 512] [8, 512]").load.length_cv == pytest.approx(0.5596, abs=1e-4)


def test_a_name_of_several_cards_is_the_usual_one_and_widens():
    found = run(gpu="A100")
    assert found.system.gpu.id == "A100-80GB-SXM"
    assert found.assumed == (("gpu A100-80GB-SXM", 1.2),)


@pytest.mark.parametrize(("name", "id"), [
    ("llama2-70b-interactive-99", "llama-2-70b"), ("llama-3-70B tp4", "llama-3-70b"), ("Llama-3.1-405B-FP8", "llama-3.1-405b"),
    ("nvidia/Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"), ("Meta-Llama-3-8B", "llama-3-8b"), ("gptj-99", "gpt-j-6b"),
    ("Llama-3-8B (fine-tune)", "llama-3-8b"), ("lmsys/vicuna-7b-v1.5", "llama-2-7b"),
    ("Mistral-7B-OpenOrca", "mistral-7b-v0.1"), ("deepseek-ai/DeepSeek-R1-0528", "deepseek-v3"),
])  # fmt: skip
def test_spellings_of_models(name, id):
    assert run(model=name, params_b="", gpu="MI300X", n_gpus="8", tp="8").system.shape.id == id


def test_an_unknown_model_of_known_size_is_predicted_by_the_nearest_dense_one_brought_to_its_size():
    found = run(model="acme/Rocket-9B", params_b="9.2")
    assert found.system.shape.parameters == pytest.approx(9.2e9, rel=1e-3)
    assert any("in place of the model" in name for name, _ in found.assumed)
    mixture = run(model="acme/Rocket-8x9B", params_b="60", gpu="MI300X").system.shape
    assert mixture.mlp[0].experts > 1
    assert mixture.parameters == pytest.approx(60e9, rel=1e-2)


@pytest.mark.parametrize(("change", "told"), [
    ({"model": "acme/Rocket", "params_b": ""}, "model: 'acme/Rocket'; not in the catalog"),
    ({"gpu": "TPUv5"}, "gpu: 'TPUv5'; not in the catalog"), ({"gpu": "n.s."}, "gpu: 'n.s.'; not in the catalog"),
    ({"isl": "about 500"}, "isl: 'about 500'; not a number of tokens (an estimate)"),
    ({"osl": ""}, "osl: ''; empty, and a configuration needs it"),
    ({"scenario": "closed loop", "concurrency": ""}, "concurrency: ''; empty, and a batch or a closed loop needs it"),
    ({"output_tok_per_s": ""}, "req_per_s: ''; no figure to compare"),
    ({"output_tok_per_s": "", "ttft_ms": "5", "scenario": "a run", "concurrency": ""}, "scenario: 'a run'; no static batch"),
])  # fmt: skip
def test_a_row_that_no_configuration_expresses_says_column_and_value(change, told):
    with pytest.raises(Unusable) as reason:
        run(**change)
    assert str(reason.value).startswith(told)


def test_skipped_rows_stay_labelled():
    table = serving_table([ROW, {**ROW, "id": "lab-8", "gpu": "TPUv5"}])
    assert [label.id for label in table.labels] == ["lab-7", "lab-8"]
    assert [id for id, _ in table.skipped] == ["lab-8"]
    assert table.labels[1].quantities == {"throughput"}


def test_rows_with_numbers_for_ids_are_of_their_stated_source():
    assert [run(id="17", source=text).source for text in ("acme/bench runs.csv", "")] == ["acme/bench", "unstated"]
    assert run(id="anl-1302", source="argonne").source == "anl"


def test_unmerged_adapters_are_counted():
    texts = {"none": 0, "merged": 0, "unmerged 0 adapters": 0, "n/a": 0, "unmerged 4 max-loras rank 8": 4, "32 adapters": 32,
             "unmerged": 1, "not merged": 1, "rank 16": 1}
    assert {text: run(lora=text).load.adapters for text in texts} == texts


def test_llama_3_and_3_1_are_one_architecture():
    from roi.estimate.accuracy.serving_left_out import same_model

    assert same_model(run()) == same_model(run(model="Llama-3-8B"))
    assert find_model("llama-3-8b").id != find_model("llama-3.1-8b").id
