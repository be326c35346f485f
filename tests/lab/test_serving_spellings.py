"""Cells of serving tables in many people's spelling: what the grammar of lab/serving_cells.py makes of them."""

import pytest
from canonical import canonical_rows
from long_tables import every_row

ROW = {
    "id": "own-1", "source": "someone's README", "date": "2025-03", "model": "Llama-3.1-8B-Instruct", "params_b": "8",
    "n_gpus": "1", "gpu": "NVIDIA H100 80GB HBM3", "tp": "1", "precision": "bf16", "engine": "vLLM",
    "engine_version": "0.8.2", "lora": "none",
    "scenario": "closed loop", "isl": "1024", "osl": "256", "concurrency": "32", "output_tok_per_s": "900", "notes": "",
}  # fmt: skip

FORMATS = """
bf16 = BF16; bfloat16; bf16 (default); gemm nan/kv n.s.
fp16 = FP16; float16; half; fp16/bf16; F16/F16
fp32 = FP32; tf32; F32; all F32
fp8 = FP8; fp8 (e4m3); FP8 W8A8; w8a8-fp8; fp8 dynamic; fp8 per-tensor; fp8_e4m3fn; w8a8_fp8; mxfp8
int8 = INT8; int8 weight-only; w8a16; W8A8 INT8; SmoothQuant W8A8; GPTQ-Int8; w gptq-int8/kv bf16
int8 * = bnb int8; LLM.int8(); bitsandbytes 8-bit; EETQ int8; GPTQ 8bit; 8bit
int4 = INT4; AWQ; int4 AWQ; AWQ-INT4; GPTQ; GPTQ-Int4; w4a16; W4A16 g128; w4a8; torchao int4; W4A8KV4
int4 = W4A8 AWQ (INT4-FP8); int4-awq
int4 * = nf4; bnb nf4; NF4 double quant; 4-bit (bitsandbytes); bnb-4bit; 4bit; HQQ; quanto int4; EXL2 4.0bpw; q4f16_1
nvfp4 = FP4; NVFP4; NVFP4/FP8 KV; W4A4 NVFP4
mxfp4 = mxfp4; MXFP4 MoE
f16 = F16
q4_k_m = Q4_K_M; q4_k_m; Q4_K - Medium; Q4_K; gguf Q4_K_M; Q4_K_M (imatrix)
q4_k_m * = UD-Q4_K_XL; Q4_K_L; exl2 5.0 bpw
q4_k_s = Q4_K_S; Q4_K - Small
q5_k_s = Q5_K_S; Q5_K - Small
q3_k_l = Q3_K_L; Q3_K - Large
q3_k_s = Q3_K_S
q2_k = Q2_K; Q2_K - Medium
q2_k_s * = gptq 3-bit; exl3 3.0bpw
q4_0 = Q4_0; mostly Q4_0
q4_1 = Q4_1
q5_1 = Q5_1
q8_0 = Q8_0
q6_k = Q6_K
iq4_xs = IQ4_XS; IQ4_XS - 4.25 bpw
iq4_nl = IQ4_NL; IQ4_NL - 4.5 bpw
iq2_xxs = IQ2_XXS; IQ2_XXS - 2.0625 bpw
iq2_m = UD-IQ2_M
iq3_m = IQ3_M; IQ3_S mix - 3.66 bpw
iq3_s = IQ3_S
iq1_s * = AQLM 2bit
bf16 * = n.s.; unknown; auto; mixed"""
ENGINES = """
vllm 2024 = vLLM 0.6.3.post1; vLLM V0 0.8; vllm v0.5.4
vllm recent = vLLM (V1) 0.9.0; vLLM 0.8; Red Hat vLLM; vLLM rocm6.3.1_0.8.5_py3.12; rocm/vllm rocm6.4_ubuntu22.04
sglang recent = SGLang 0.4.1; sglang 0.5.3
sglang 2024 = sglang v0.3.0
tensorrt-llm 2024 = TensorRT-LLM 0.13.0; Triton + TensorRT-LLM 24.07
tensorrt-llm recent = TRT-LLM (PyTorch backend) 1.0.0rc4; TensorRT LLM 0.20; NVIDIA TensorRT-LLM MLPerf v4.0
tensorrt-llm recent * = NVIDIA NIM 1.3; Triton
tgi 2024 = TGI 2.2.0; Text Generation Inference 1.4
tgi recent = HF TGI 3.0
lmdeploy 2024 = LMDeploy 0.5.0
lmdeploy recent = TurboMind
deepspeed-mii recent = DeepSpeed-MII 0.2; DeepSpeed-FastGen
transformers recent = HF Transformers 4.40; transformers (sdpa); Hugging Face; AutoAWQ 0.2
llama.cpp recent = llama.cpp b4567; llama.cpp (CUDA); llama-bench; llama-cpp-python 0.2.7; ik_llama.cpp
llama.cpp recent = llama-server; llama.cpp build b6096
llama.cpp recent * = LM Studio 0.3; KoboldCpp 1.70
ollama recent = Ollama 0.3.12
gpt-fast recent = gpt-fast
gpt-fast recent * = transformers (torch.compile, static cache)
other recent * = exllamav2 0.1.8; MLC-LLM; ktransformers 0.2.1; OpenVINO 2024.3; MLX; CTranslate2; n.s."""
LOADS = """
static c8 = static batch, batch 8; batch size 8; bs=8; benchmark_latency.py batch 8
static c1 = single stream; latency test, batch 1; single request; MLPerf v5.1 SingleStream
closed c16 = 16 parallel slots; llama-server -np 16
closed c16 = closed loop, concurrency 16; 16 concurrent users; 16 users; concurrency=16; genai-perf concurrency 16
open r4 = online serving, request rate 4; server, 4 req/s; QPS=4; benchmark_serving.py --request-rate 4
saturated = offline; max throughput; ShareGPT, rate inf; saturation; MLPerf v5.0 Offline; decode throughput
saturated p1000 = offline inference, 1000 prompts; offline, 1,000 requests
saturated * = ShareGPT; n.s."""
MODELS = """
llama-2-70b = llama2-70b-99; llama2-70b-99.9; llama2-70b-interactive-99.9; Llama 2 70B Chat
llama-3.1-8b = llama3.1-8b-datacenter; llama3.1-8b-edge; meta-llama/Meta-Llama-3.1-8B-Instruct; Hermes-3-Llama-3.1-8B
llama-3.1-70b = amd/Llama-3.1-70B-Instruct-FP8-KV; Llama-3.1-Nemotron-70B-Instruct
llama-3.1-8b * = llama 8B; Llama 8B Q4_K_M
llama-7b = llama 7B mostly Q4_0
llama-2-7b = LLaMA 7B v2; LLaMA v2 7B
llama-3.3-70b = Llama v3.3 70B
llama-3.1-405b = Llama v3.1 405B FP8
gpt-oss-20b = gpt-oss 20B MXFP4 MoE
qwen2.5-14b = deepseek-r1:14b
deepseek-v3 = deepseek-r1:671b; DeepSeek R1 0528
gpt-j-6b = GPT-J; GPT-J 6B; gptj-99; gptj-99.9
mixtral-8x7b = mixtral-8x7b-99; Mixtral 8x7B Instruct
mistral-7b-v0.3 * = Mistral-7B; Mistral 7B Instruct; mistral-7b-awq
llama-2-7b * = Vicuna-7B
qwen3-30b-a3b = qwen3moe 30B.A3B; Qwen3 30B A3B
nemotron-4-340b = Nemotron-4-340B; nvidia/Nemotron-4-340B-Instruct
codellama-70b = CodeLlama-70B-Instruct
Llama-3-3-Nemotron-Super-49B-v1 = Llama-3_3-Nemotron-Super-49B-v1"""
CARDS = """
H100-80GB-SXM = 8x H100; 8xH100 SXM; H100 x8; NVIDIA H100-SXM-80GB
GH200-96GB = NVIDIA GH200-GraceHopper-Superchip_GH200-96GB_aarch64x1
GB200-192GB = GB200-NVL72_GB200-186GB_aarch64x4
MI325X-256GB = AMD Instinct MI325X-NPS1-SPX-256GB-1000W
RTX-PRO-6000-SE = RTX 6000 Pro Blackwell Server Edition
A100-80GB-SXM * = A100; 4×A100; NVIDIA A100
A10G = A10G (g5.xlarge)
RTX-2080-Ti * = RTX 2080 Ti 22GB
RTX-4090 * = RTX 4090 48GB
H20-96GB-SXM * = H20 141GB
RTX-4060-Ti-16GB * = RTX 4060 Ti
RTX-4060-Ti-8GB = RTX 4060 Ti 8GB
RTX-4090-Laptop = RTX 4090 Laptop
Jetson-AGX-Orin-64GB = Jetson AGX Orin 64GB"""


def cells(column, text, **change):
    return canonical_rows([ROW | change | {column: text}])[0]


def cases(table):
    """Expected words, whether something stands in, and one spelling, of each line and spelling."""
    lines = [line.partition(" = ") for line in table.strip().splitlines()]
    return [(meant.removesuffix(" *"), meant.endswith(" *"), each) for meant, _, told in lines for each in told.split("; ")]


@every_row("meant, stands_in, text", cases(ENGINES))
def test_engines_and_their_releases(meant, stands_in, text):
    """A last word with a digit is the version's cell."""
    name, _, version = text.rpartition(" ")
    apart = bool(name) and any(sign.isdigit() for sign in version) and "(" not in version
    row = cells("engine", name if apart else text, engine_version=version if apart else "")
    assert (f"{row['engine']} {row['design']}", "design" in row["assumed"].split("+")) == (meant, stands_in)


@every_row("meant, stands_in, text", cases(LOADS))
def test_loads(meant, stands_in, text):
    row = cells("scenario", text, concurrency="")
    sizes = (("c", "concurrency"), ("r", "offered_req_per_s"), ("p", "prompts"))
    told = " ".join([row["load"], *(f"{word}{row[column]}" for word, column in sizes if row[column])])
    assert (told, "load" in row["assumed"].split("+")) == (meant, stands_in)


@every_row("column, canonical, meant, stands_in, text", [
    (*columns, *case) for *columns, table in (
        ("precision", "weight_dtype", FORMATS), ("model", "model", MODELS), ("gpu", "gpu", CARDS)) for case in cases(table)])
def test_formats_of_weights_models_and_cards(column, canonical, meant, stands_in, text):
    row = cells(column, text)
    assert (row[canonical], canonical in row["assumed"].split("+")) == (meant, stands_in)


@pytest.mark.parametrize(("model", "weights"), [
    ("Qwen2.5-32B-Instruct-AWQ", "int4"), ("Qwen2.5-72B-Instruct-GPTQ-Int8", "int8"), ("Llama-3.1-70B-Instruct-FP8", "fp8"),
    ("nvidia/DeepSeek-R1-FP4", "nvfp4"), ("DeepSeek-R1", "fp8"), ("gpt-oss-120b", "mxfp4"),
    ("llama3.1:8b-instruct-q4_K_M", "q4_k_m"), ("Llama-3.1-8B", "bf16"), ("llama3.1:8b", "q4_k_m"),
])
def test_a_format_that_no_cell_states_is_that_of_the_checkpoint_and_is_marked(model, weights):
    """ollama's tags without a format are of Q4_K_M."""
    row = cells("model", model, precision="n.s.", engine="Ollama" if ":" in model else "vLLM")
    assert (row["weight_dtype"], row["assumed"]) == (weights, "weight_dtype+kv_dtype")


@pytest.mark.parametrize(("column", "text", "expected"), [
    ("isl", "1,024", "1024"), ("isl", "1k", "1024"), ("isl", "~500", "500"), ("isl", "128-256", "192"), ("osl", "n.s.", ""),
    ("concurrency", "1k", "1000"), ("output_tok_per_s", "1,234.5", "1234.5"), ("output_tok_per_s", "1234 tok/s", "1234"),
    ("isl", "many 2", "many-2"), ("isl", "long", ""),
])
def test_figures_with_units_and_thousands(column, text, expected):
    assert cells(column, text)[column] == expected


@pytest.mark.parametrize(("figure", "stat", "rate", "expected"), [
    ("123 ms", "mean", "900", ("123", "mean")), ("1.2 s", "avg", "900", ("1200", "mean")),
    ("22.5ms", "p50", "", ("22.5", "median")),
    ("99", "p99", "900", ("", "")), ("99", "p99", "", ("99", "p99")),
])
def test_a_percentile_takes_its_figure_away_where_the_row_has_others(figure, stat, rate, expected):
    """Percentiles are not predicted: `validate` skips a row that has no other figure, and says so."""
    row = cells("ttft_ms", figure, ttft_stat=stat, output_tok_per_s=rate)
    assert (row["ttft_ms"], row["ttft_stat"]) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("May 2024", "2024-05"), ("2024/05/12", "2024-05"), ("05/2024", "2024-05"), ("2024-Q3", "2024"), ("last year", ""),
])
def test_dates(text, expected):
    assert cells("date", text)["date"] == expected


@pytest.mark.parametrize(("tp", "gpus", "expected"), [
    ("TP8", "8", ("8", "1", "")), ("tp=4", "8", ("4", "2", "")), ("TP4PP2", "8", ("4", "1", "2")),
    ("1", "8x", ("1", "8", "")),
    ("DP8", "8", ("1", "8", "")), ("n.s.", "4", ("4", "1", "")), ("tp8 ep8", "8", ("8", "1", "")),
    ("TP0", "8", ("TP0", "", "")), ("8.0", "8", ("8", "1", "")), ("DEP8", "8", ("8", "1", "")), ("TEP4", "8", ("4", "2", "")),
    ("2", "8", ("2", "4", "")),
])
def test_how_gpus_share_a_model(tp, gpus, expected):
    row = cells("tp", tp, n_gpus=gpus)
    assert (row["tp"], row["replicas"], row["pp"]) == expected


@pytest.mark.parametrize(("change", "expected"), [
    ({"gpu": "8x H100", "tp": "8"}, "tp=8 replicas=1"), ({"gpu": "H100-SXM-80GBx8", "tp": "2"}, "tp=2 replicas=4"),
    ({"n_gpus": "8", "tp": "2", "scenario": "P:D 1:3 concurrency 32"}, "tp=2 replicas=4 prefill_replicas=1"),
    ({"n_gpus": "8", "tp": "2", "scenario": "P:D 1:1 concurrency 32"}, "tp=4 replicas=2 prefill_replicas=1"),
    ({"n_gpus": "2", "tp": "", "engine": "llama.cpp"}, "tp=1 pp=2 replicas=1"),
    ({"n_gpus": "2", "tp": "1", "engine": "transformers"}, "tp=1 pp=2 replicas=1"),
    ({"n_gpus": "2", "tp": "2", "engine": "llama.cpp", "notes": "-sm row"}, "tp=2 replicas=1"),
    ({"n_gpus": "8", "tp": "DEP8", "model": "DeepSeek-R1"}, "tp=8 attention_parallel=true replicas=1"),
    ({"n_gpus": "8", "tp": "8", "model": "DeepSeek-R1", "notes": "dp attention"}, "tp=8 attention_parallel=true replicas=1"),
])
def test_gpus_are_counted_by_what_several_cells_say_of_them(change, expected):
    row = cells("id", "own-1", **{"n_gpus": ""} | change)
    names = ("tp", "pp", "attention_parallel", "replicas", "prefill_replicas")
    assert " ".join(f"{name}={row[name]}" for name in names if row[name]) == expected


@pytest.mark.parametrize(("model", "gpu", "precision", "expected"), [
    ("llama2-70b-99", "NVIDIA H200-SXM-141GB", "FP8", ("1", "8")), ("llama2-70b-99", "NVIDIA H100-SXM-80GB", "FP8", ("2", "4")),
    ("llama3.1-405b", "NVIDIA H200-SXM-141GB", "FP8", ("8", "1")), ("mixtral-8x7b", "NVIDIA L40S", "FP8", ("2", "4")),
])
def test_mlperf_s_replicas_are_as_small_as_weights_and_a_batch_allow(model, gpu, precision, expected):
    """Weights of 70, 70, 406 and 47 GB beside 141, 80, 141 and 48 GB a GPU, 0.6 of which they may fill."""
    row = cells("model", model, gpu=gpu, precision=precision, n_gpus="8", tp="", scenario="MLPerf v5.0 Offline", concurrency="")
    assert ((row["tp"], row["replicas"]), "tp" in row["assumed"].split("+")) == (expected, True)


@pytest.mark.parametrize(("version", "date", "guessed"), [
    ("0.5.0", "2023-11", True), ("v0.6.1", "", True), ("0.7", "2024-01", True), ("", "2023-10", True),
    ("0.10", "2024-06", False), ("0.16", "2024-12", False), ("1.0.5", "2025-07", False),
])
def test_tensorrt_llm_s_releases_of_2023_are_no_design_of_which_a_fit_has_runs(version, date, guessed):
    row = cells("engine", "TensorRT-LLM", engine_version=version, date=date)
    assert ("design" in row["assumed"].split("+")) == guessed


@pytest.mark.parametrize(("scenario", "expected"), [
    ("llama-bench tg128", "isl=1 osl=128 concurrency=1"), ("pp512", "isl=512 osl=1 concurrency=1"),
    ("llama-bench -p 2048 -n 0 -b 2048 -ub 512 -ngl 99", "isl=2048 osl=1 concurrency=1"),
    ("tg128 @ d4096", "isl=4097 cached_isl=4096 osl=128 concurrency=1"),
])
def test_llama_bench_runs_one_sequence_of_the_lengths_in_its_name(scenario, expected):
    row = cells("scenario", scenario, engine="llama.cpp", isl="", osl="", concurrency="")
    assert row["load"] == "static"
    assert " ".join(f"{name}={row[name]}" for name in ("isl", "cached_isl", "osl", "concurrency") if row[name]) == expected


@pytest.mark.parametrize(("scenario", "expected"), [
    ("text generation", ("static", "1", True)), ("single batch", ("static", "1", False)), ("", ("static", "1", True)),
    ("batched generation", ("saturated", "", True)), ("16 concurrent users", ("closed", "16", False)),
])
def test_what_people_run_alone_is_one_request_at_a_time_where_they_tell_of_no_number(scenario, expected):
    row = cells("scenario", scenario, engine="llama.cpp", concurrency="")
    assert (row["load"], row["concurrency"], "load" in row["assumed"].split("+")) == expected


@pytest.mark.parametrize(("notes", "rate", "batch"), [
    ("throughput per GPU", "7200", "32"), ("tokens/s/GPU as printed", "7200", "32"), ("tok/s/GPU x 8 GPUs", "900", "32"),
    ("batch 32 per GPU", "900", "256"), ("USD of tokens per GPU-hour", "900", "32"), ("total output throughput", "900", "32"),
])
def test_figures_of_one_gpu_are_turned_into_those_of_all(notes, rate, batch):
    row = cells("notes", notes, n_gpus="8", tp="8")
    assert (row["output_tok_per_s"], row["concurrency"]) == (rate, batch)


@pytest.mark.parametrize(("notes", "column", "expected"), [
    ("MTP 2 steps", "engine", "vllm-with-speculative-decoding"), ("Eagle3", "engine", "vllm-with-speculative-decoding"),
    ("no speculative decoding", "engine", "vllm"), ("MTP off", "engine", "vllm"), ("without MTP", "engine", "vllm"),
    ("PD disaggregation", "prefill_replicas", "unstated"), ("non-disaggregated", "prefill_replicas", ""),
])
def test_what_no_configuration_expresses_is_left_for_validate_to_skip(notes, column, expected):
    assert cells("notes", notes)[column] == expected


def test_inferencex_draws_nine_tenths_of_the_lengths_that_it_names():
    row = cells("source", "SemiAnalysisAI/InferenceMAX", isl="1024", osl="8192")
    assert (row["isl"], row["osl"]) == ("921.6", "7372.8")


def test_a_version_of_tensorrt_or_of_nim_is_not_its_engine_s():
    """TensorRT 9.3 and NIM 1.0 of 2024 ran TensorRT-LLM 0.8 and 0.10, before the present design (0.17)."""
    asked = (
        ("TensorRT 9.3.0, CUDA 12.2", ""), ("TensorRT", "10.2.0"), ("NIM", "1.0"), ("TensorRT 10.2, TensorRT-LLM 0.17", ""))
    read = [cells("engine", engine, engine_version=version, date="2024-06") for engine, version in asked]
    assert [row["design"] for row in read] == ["2024", "2024", "2024", "recent"]


def test_amd_s_first_builds_of_vllm_are_of_their_own_design_in_16_bits():
    def design(version, precision):
        return cells("engine", "ROCm vLLM", engine_version=version, precision=precision, gpu="AMD Instinct MI300X")["design"]

    assert [design("0.6.1", "fp16"), design("0.6.1", "fp8"), design("0.6.2", "fp16"), design("0.8.5", "fp16")] == [
        "rocm-2024", "2024", "2024", "recent"]
