"""Engines, number formats and loads as tables of serving runs write them."""

import re
from typing import NamedTuple

from roi.catalog.row_fields import Row, Unusable, cell, known_number
from roi.estimate.iteration import KV_BYTES, WEIGHT_FORMATS
from roi.estimate.serving_run import LoadKind, TpotKind
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

ENGINES = (
    ("vllm", r"vllm"), ("tensorrt-llm", r"tensor-?rt|trt|\bnim\b"), ("sglang", r"sgl"), ("deepspeed-mii", r"deepspeed|\bmii\b"),
    ("s-lora", r"s-?lora"), ("lorax", r"lorax"), ("tgi", r"tgi|text-generation-inference"), ("lmdeploy", r"lmdeploy|turbomind"),
    ("llama.cpp", r"llama\.?cpp|gguf"), ("ollama", r"ollama"), ("transformers", r"transformers|hugging ?face"),
)  # fmt: skip
"""Engine -> the words by which tables name it; the first that occurs decides ("vLLM-packed (S-LoRA baseline)" is vLLM)."""

FIRST_RECENT = {"vllm": (0, 8), "tensorrt-llm": (0, 17), "sglang": (0, 4), "tgi": (3, 0), "lmdeploy": (0, 7)}
"""First release of an engine's present design: vLLM 0.8 runs V1 by default; the others are the releases about the turn of
2024 to 2025, when overlapped schedulers became the default."""

LAST_EARLY_ROCM = (0, 6, 1)
"""The release of vLLM that was fitted on MI300X (LLM-Inference-Bench, 2024-10)."""

YEAR_RELEASES = 20
"""Releases from here on are named by their year (Triton containers: 24.08)."""

RECENT_YEAR = 2025
"""Without a version, runs from this year on are taken as the present design."""

SHAREGPT = (215.2, 198.0)
"""Mean prompt and output tokens of the ShareGPT sample (1,000 requests, seed 0) that vLLM's benchmark script draws."""

SHAREGPT_CV = 1.2
"""Standard deviation over mean of that sample's lengths: it is cut at 1,024 prompt tokens and 2,048 together."""

RATES = ("req_per_s", "output_tok_per_s", "total_tok_per_s")
"""Columns of throughput."""

NARROW = r"fp8|fp4|int8|int4|awq|gptq|w4|w8|[48]-?bit"
"""Words of weight formats below 16 bits."""

NUMBER = r"(\d+(?:\.\d+)?)"


class Engine(NamedTuple):
    """An engine as a table's row tells it."""

    name: str
    """A name of ENGINES, or the table's own in lower case."""
    recent: bool
    """True for releases of the present design."""
    dated: bool
    """False where neither version nor date says so."""
    early_rocm: bool = False
    """True for vLLM on AMD up to the release whose runs were fitted, before AMD's kernels for few rows."""


class LoadWords(NamedTuple):
    """What the scenario's text says of the load."""

    kind: LoadKind
    rate: float | None = None
    """Offered requests a second."""
    prompts: float | None = None
    """Requests of the whole run."""
    held_to_slo: bool = False
    """True where the figure is the most that kept an SLO (MLPerf Server and Interactive)."""
    guessed: bool = False
    """True where nothing says what the load was, and a throughput is taken as all that the server gives."""
    split: tuple[float, float] | None = None
    """Prompt and decode workers of a disaggregated server."""


def row_engine(row: Row, gpu: Gpu | None) -> Engine:
    """Engine and era of a row, from the columns engine, engine_version and date; early_rocm needs the card."""
    found = _engine(row)
    narrow = re.search(NARROW, cell(row, "precision").lower())  # ran on other kernels, and no run with them was fitted
    early = found.name == "vllm" and not found.recent and not narrow and gpu is not None and gpu.id.startswith("MI")
    release = _release(row)
    until = release <= LAST_EARLY_ROCM if release else bool(re.match(r"20(2[0-3]|24-(0\d|10))", cell(row, "date")))
    return found._replace(early_rocm=early and until)


def _release(row: Row) -> tuple[int, int, int] | None:
    found = re.search(r"(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?", f"{cell(row, 'engine_version')} {cell(row, 'engine')}".lower())
    return None if found is None else (int(found.group(1)), int(found.group(2)), int(found.group(3) or 0))


def _engine(row: Row) -> Engine:
    text = cell(row, "engine").lower()
    name = next((name for name, words in ENGINES if re.search(words, text)), re.sub(r"\s*\(.*?\)", "", text) or "unstated")
    version = f"{cell(row, 'engine_version').lower()} {text}"
    if re.search(r"\bv0\b", version):
        return Engine(name, recent=False, dated=True)
    if re.search(r"\bv1\b", version):
        return Engine(name, recent=True, dated=True)
    release = _release(row)
    if release and release[0] >= YEAR_RELEASES:
        return Engine(name, 2000 + release[0] >= RECENT_YEAR, dated=True)
    if release and name in FIRST_RECENT:
        return Engine(name, release[:2] >= FIRST_RECENT[name], dated=True)
    year = re.search(r"20\d\d", f"{cell(row, 'date')} {version}")
    return Engine(name, year is None or int(year.group(0)) >= RECENT_YEAR, dated=year is not None)


def row_formats(row: Row, shape: ModelShape, engine: Engine) -> tuple[str, str, list[tuple[str, float]]]:
    """Weight format, KV format, and what was taken by default with the factor by which it may be off.

    gpt-oss is published in MXFP4 whatever the label says. Engines keep KV in 16 bits unless told; recipes for fp8 and fp4 of
    2025 tell them fp8, and TensorRT-LLM's quantisation does so by default. Halving KV or not is 1.1 on most rows.
    """
    text = cell(row, "precision").lower()
    weights, _, kv = text.partition("/kv") if "/kv" in text else text.partition("kv")
    assumed: list[tuple[str, float]] = []
    weight = "mxfp4" if shape.id.startswith("gpt-oss") else _weight_format(f"{weights} {cell(row, 'model').lower()}")
    if weight == "mxfp4" and all(mlp.experts == 1 for mlp in shape.mlp):
        weight = "nvfp4"  # of a dense model all matrices are 4 bit; block scales of 32 or 16 weights differ by 6%
    if not weight:
        weight = "bf16"
        if not re.search(r"nan", weights):
            assumed.append(("precision bf16", 1.3))
    stated = next((name for name in KV_BYTES if name in kv), "")
    if not stated:
        told = weight in ("fp8", "nvfp4") and (engine.recent or engine.name == "tensorrt-llm")
        stated = "fp8" if told else "bf16"
        assumed.append((f"kv {stated}", 1.1))
    return weight, stated, assumed


def _weight_format(text: str) -> str:
    """A name of WEIGHT_FORMATS; empty where the text names none."""
    for word, name in (
        (r"mxfp4", "mxfp4"), (r"nvfp4|fp4", "nvfp4"), (r"fp8|float8|e4m3|w8a8-?fp", "fp8"),
        (r"awq|gptq|int4|w4a16|w4a8|4-?bit|q4|nf4|bnb|marlin", "int4"), (r"int8|w8a8|w8a16|8-?bit|q8|smoothquant", "int8"),
        (r"bf16|bfloat16", "bf16"), (r"fp16|float16|half", "fp16"), (r"fp32|float32", "fp32"),
    ):  # fmt: skip
        if re.search(word, text):
            assert name in WEIGHT_FORMATS
            return name
    return ""


def row_concurrency(row: Row) -> float | None:
    """Requests in flight or in the batch: the column, else a number that the scenario gives; None where neither does."""
    stated = known_number(row, "concurrency")
    words = (rf"(?:concurrency|batch(?: size)?|bs|users|clients|streams)[ =:]{{0,3}}{NUMBER}"
             rf"|{NUMBER}\s*(?:users|clients|concurrent)")
    return stated if stated is not None else _after(words, cell(row, "scenario").lower()) or None


def row_load(row: Row) -> LoadWords:
    """The kind of load that the scenario names; from the concurrency where it names none."""
    text = cell(row, "scenario").lower()
    prompts = _after(rf"{NUMBER}\s*(?:prompts|requests)|sharegpt\D{{0,3}}{NUMBER}|num[-_ ]prompts\D{{0,3}}{NUMBER}", text)
    split = re.search(rf"p\s*:\s*d\s*{NUMBER}\s*:\s*{NUMBER}", text)
    workers = None if split is None else (float(split.group(1)), float(split.group(2)))
    rate = _after(rf"(?:qps|rate|rps|req/s)[^\d\s]*\s*{NUMBER}|{NUMBER}\s*(?:qps|rps|req/s|requests?/s)", text)
    held = row_concurrency(row) is not None
    offline = re.search(r"\boffline\b", text)
    if re.search(r"(?:qps|rate|rps)\W*inf", text):
        return LoadWords("saturated", None, prompts)
    if rate is not None and not re.search(r"closed|static", text):
        return LoadWords("open", rate, prompts)
    if held and (re.search(r"static|latency test|single[- ]stream|one[- ]batch", text) or (offline and prompts is None)):
        return LoadWords("static")
    if held and not offline:
        return LoadWords("closed", split=workers)
    return _unheld(text, prompts, throughput=any(known_number(row, column) is not None for column in RATES))


def _unheld(text: str, prompts: float | None, *, throughput: bool) -> LoadWords:
    """The load of a row that states neither a number in flight nor a rate."""
    if re.search(r"closed|static|single[- ]stream", text):
        raise Unusable("concurrency", "", "empty, and a batch or a closed loop needs it")
    if re.search(r"\b(server|interactive)\b", text):
        return LoadWords("saturated", None, prompts, held_to_slo=True)
    known = re.search(r"offline|saturat|throughput|max|peak|burst|batch|sharegpt", text) is not None
    if known or throughput:
        return LoadWords("saturated", None, prompts, guessed=not known)
    raise Unusable("scenario", text, "no static batch, closed loop, rate or offline run, and no concurrency")


def _after(pattern: str, text: str) -> float | None:
    found = re.search(pattern, text)
    return None if found is None else float(next(part for part in found.groups() if part is not None))


def tpot_kind(text: str) -> TpotKind:
    """How the row's TPOT is defined; between tokens where it does not say, as most load generators count it."""
    lower = text.lower()
    if re.search(r"e2e|end.to.end|latency\s*/\s*(output )?token", lower):
        return "end to end"
    return "over all tokens" if re.search(r"all tokens|guidellm|/\s*output", lower) else "between tokens"


def row_adapters(row: Row) -> int:
    """Unmerged LoRA adapters of a row: 0 for none and for merged ones; 1 where the number is not said."""
    text = cell(row, "lora").lower()
    if not text or ("unmerged" not in text and re.search(r"none|merged|^no\b|^0$|false", text)):
        return 0
    found = re.search(r"(\d+)\s*(?:adapters?|max-loras)?", text)
    return int(found.group(1)) if found else 1
