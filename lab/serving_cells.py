"""Cells of research tables of serving runs that lab/cells does not hold: read by their grammar, else left as they stand.

A cell that cannot be read goes into the canonical table as it was written: `validate` skips the row and says why, and the
others stand. What is read so is what the cell says; what it does not say is marked as assumed, as in lab/cells.
"""

import re
from collections.abc import Mapping
from typing import Final

from roi.catalog.cards.gpus import gpus_named
from roi.catalog.models.shapes import find_model
from roi.errors import RoiError

ENGINES: Final = {
    "vllm": "vllm", "trtllm": "tensorrt-llm", "tensorrtllm": "tensorrt-llm", "sglang": "sglang", "tgi": "tgi",
    "textgenerationinference": "tgi", "lmdeploy": "lmdeploy", "deepspeedmii": "deepspeed-mii", "slora": "s-lora",
    "lorax": "lorax", "llamacpp": "llama.cpp", "ollama": "ollama", "transformers": "transformers", "hf": "transformers",
    "gptfast": "gpt-fast",
}  # fmt: skip
RECENT: Final = {"vllm": (0, 8), "tensorrt-llm": (0, 17), "sglang": (0, 4), "tgi": (3, 0), "lmdeploy": (0, 7)}
"""First release of an engine's present design."""
PACKING: Final = r"[-_ ](awq|gptq|fp8|nvfp4|fp4|w8a8|int4|int8|gguf|instruct|chat|hf)\b.*"
"""What follows a model's name in a cell."""
GGUF: Final = {"q2k": "q2_k", "q3km": "q3_k_m", "q40": "q4_0", "q4km": "q4_k_m", "q4ks": "q4_k_m", "q50": "q5_0",
               "q5km": "q5_k_m", "q5ks": "q5_k_m", "q6k": "q6_k", "q80": "q8_0", "f16": "f16", "bf16": "bf16", "f32": "fp32"}
WEIGHTS: Final = {
    "fp32": "fp32", "bf16": "bf16", "bfloat16": "bf16", "fp16": "fp16", "float16": "fp16", "half": "fp16", "fp8": "fp8",
    "fp8block": "fp8", "int8": "int8", "w8a8": "int8", "int4": "int4", "awq": "int4", "gptq": "int4", "w4a16": "int4",
    "fp4": "nvfp4", "nvfp4": "nvfp4", "mxfp4": "mxfp4",
}  # fmt: skip
SLOS: Final = {  # MLPerf Inference rules v5.1, Server and Interactive (conversational) limits: TTFT and TPOT, ms
    ("llama-2-70b", "server"): (2000, 200), ("llama-2-70b", "interactive"): (450, 40),
    ("llama-3.1-405b", "server"): (6000, 175), ("llama-3.1-405b", "interactive"): (4500, 80),
    ("llama-3.1-8b", "server"): (2000, 100), ("llama-3.1-8b", "interactive"): (500, 30),
    ("mixtral-8x7b", "server"): (2000, 200), ("deepseek-v3", "server"): (2000, 80),
    ("deepseek-v3", "interactive"): (1500, 15), ("gpt-j-6b", "server"): (20000, 20000),
}  # fmt: skip
TOKENS: Final = {  # MLPerf's data sets: mean prompt and output tokens, and their spread
    "llama-2-70b": (294, 294, 0.75), "llama-3.1-405b": (9428, 685, 0.5), "llama-3.1-8b": (778, 128, 0.3),
    "mixtral-8x7b": (400, 145, 0.9), "deepseek-v3": (800, 3886, 0.9), "gpt-j-6b": (778, 69, 0.3),
}  # fmt: skip


def inferred(row: Mapping[str, str], columns: tuple[str, ...]) -> str:
    """What the row's cells of these columns set, read by their grammar; the first as it stands where they have none."""
    reader = READERS.get(columns[0])
    return "" if reader is None else reader(row)


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def raw(column: str, text: str) -> str:
    """The cell as it stands, as one word."""
    return f"{column}={re.sub(r'[^A-Za-z0-9.+/:-]+', '-', text) or 'unstated'}"


def read_model(row: Mapping[str, str]) -> str:
    """The catalog's model of a cell, whose name may end in a packing or begin with a repository; else the cell as it stands."""
    text = row["model"]
    bare = re.sub(PACKING, "", text, flags=re.IGNORECASE)
    for name in (text, bare, text.split(" ")[0]):
        try:
            return f"model={find_model(name).id}"
        except RoiError:
            continue
    return raw("model", text)


def _gpu(row: Mapping[str, str]) -> str:
    text = row["gpu"]
    bare = re.sub(r"\(.*?\)", "", text).strip()
    small = re.sub(r"[ _-]*\d+ ?GB\b", "", bare, flags=re.IGNORECASE)
    for name in (text, bare, small, re.sub(r"^nvidia |_", " ", bare, flags=re.IGNORECASE)):
        cards = gpus_named(name)
        if len(cards) == 1:
            return f"gpu={cards[0].id}"
        if cards:
            return f"gpu={max(cards, key=lambda card: card.memory_bytes).id} assumed+=gpu"
    return raw("gpu", text)


def _engine(row: Mapping[str, str]) -> str:
    word = re.sub(r"(pytorch|backend|server|rocm)$", "", _word(row["engine"]))
    name = ENGINES.get(word) or next((known for key, known in ENGINES.items() if word.startswith(key)), None)
    if name is None:
        return raw("engine", row["engine"])
    version = re.search(r"(\d+)\.(\d+)", row.get("engine_version") or "")
    year = re.match(r"\d{4}", row.get("date") or "")
    if name in RECENT and version and "20" not in version.group(1):
        recent: bool | None = (int(version.group(1)), int(version.group(2))) >= RECENT[name]
    else:
        recent = None if year is None else int(year.group()) >= 2025
    if recent is None:
        return f"engine={name} design=recent assumed+=design"
    return f"engine={name} design={'recent' if recent else '2024'}"


def _precision(row: Mapping[str, str]) -> str:
    text = row["precision"].lower()
    parts = re.match(r"(?:w|gemm) ?([\w.]+)(?:[ _-](awq|gptq))?(?:/kv ?([\w.]+))?", text)
    weight = GGUF.get(_word(text)) or WEIGHTS.get(_word(text))
    cache = None
    if weight is None and parts:
        weight = WEIGHTS.get(_word(parts.group(1))) or GGUF.get(_word(parts.group(1)))
        cache = WEIGHTS.get(_word(parts.group(3) or ""))
    if weight is None:
        weight = next((name for key, name in WEIGHTS.items() if re.search(rf"\b{key}\b", text)), None)
    if weight is None:
        return raw("weight_dtype", row["precision"])
    if "gpt-oss" in row["model"].lower():
        weight = "mxfp4"
    if cache in ("bf16", "fp16", "fp8", "int8"):
        return f"weight_dtype={weight} kv_dtype={cache}"
    llm = _word(row["engine"]).startswith(("trt", "tensorrt"))
    kv = "fp8" if weight in ("fp8", "nvfp4") and (llm or "mlperf" in row["scenario"].lower()) else "bf16"
    return f"weight_dtype={weight} kv_dtype={kv} assumed+=kv_dtype"


def _gpus(row: Mapping[str, str]) -> str:
    tp = row.get("tp")
    try:
        count, _ = float(row.get("n_gpus") or 1.0), float(tp or 1.0)
    except ValueError:
        return raw("tp", tp or "")
    if not tp:
        return f"tp={count:g} replicas=1" + (" assumed+=tp" if count > 1.0 else "")
    return f"tp={float(tp):g} replicas={max(count / float(tp), 1.0):g}"


def _scenario(row: Mapping[str, str]) -> str:  # noqa: PLR0911 -- one line a kind of load
    text = row["scenario"].lower()
    prompts = re.search(r"([\d,]+) (?:requests|prompts)", text)
    rate = (re.search(r"(?:rate|qps)[ =:of]*(\d+(?:\.\d+)?)", text)
            or re.search(r"(\d+(?:\.\d+)?) ?(?:req/s|requests/s|rps|qps)", text))
    sent = f" prompts={prompts.group(1).replace(',', '')}" if prompts else ""
    if "mlperf" in text or "loadgen" in text or "mlperf" in (row.get("source") or "").lower() or "mlcommons" in (
            row.get("source") or "").lower():
        return _mlperf(row, text)
    if "closed" in text or "concurren" in text:
        flying = re.search(r"concurrency[ =:]*(\d+)", text)
        more = f" concurrency={flying.group(1)}" if flying and not row.get("concurrency") else ""
        return f"load=closed{more}{sent}"
    if "static" in text or "single stream" in text or "llama-bench" in text:
        return "load=static"
    if rate and float(rate.group(1)) > 0.0 and "infinite" not in text:
        return f"load=open offered_req_per_s={rate.group(1)}{sent}"
    if re.search(r"offline|infinite|inf\b|throughput|saturat", text):
        return f"load=saturated{sent}"
    if row.get("concurrency"):
        return "load=closed" + sent if re.search(r"server|online|serving", text) else "load=static"
    return raw("load", row["scenario"])


def _mlperf(row: Mapping[str, str], text: str) -> str:
    """MLPerf Inference: Offline has all samples at once for ten minutes; Server and Interactive hold limits of their own."""
    model = read_model(row).removeprefix("model=")
    tokens = TOKENS.get(model)
    spread = "" if tokens is None else f" length_cv={tokens[2]}"
    if tokens is not None and not (row.get("isl") and row.get("osl")):
        spread += f" isl={tokens[0]} osl={tokens[1]} assumed+=lengths"
    if "offline" in text:
        return f"load=saturated{spread}"
    kind = "interactive" if "interactive" in text else "server"
    ttft, tpot = SLOS.get((model, kind), (2000, 200) if kind == "server" else (500, 40))
    return f"load=saturated held_to_slo=true slo_ttft_ms={ttft} slo_tpot_ms={tpot}{spread}"


def _lora(row: Mapping[str, str]) -> str:
    found = re.search(r"unmerged (\d+)", row.get("lora") or "")
    return f"adapters={found.group(1)}" if found else ""


def _statistic(column: str, row: Mapping[str, str]) -> str:
    found = re.search(r"mean|median", (row.get(column) or "").lower())
    return f"{column}={found.group()}" if found else raw(column, row.get(column) or "")


READERS: Final = {
    "model": read_model, "gpu": _gpu, "engine": _engine, "precision": _precision, "n_gpus": _gpus, "scenario": _scenario,
    "lora": _lora, "ttft_stat": lambda row: _statistic("ttft_stat", row), "tpot_stat": lambda row: _statistic("tpot_stat", row),
}  # fmt: skip


def settle_serving(row: Mapping[str, str], found: dict[str, str]) -> None:
    """Set what notes say of how GPUs share the model, and the GGUF format where a cell says no more than 4 bits."""
    notes = row.get("notes") or ""
    try:
        count, tp, shape = float(row.get("n_gpus") or 1.0), float(found.get("tp") or 1.0), find_model(found.get("model", ""))
    except (ValueError, RoiError):
        return  # the row is skipped for it
    stages = re.search(r"\bPP ?= ?(\d+)", notes)
    if stages or "layers split" in notes:
        pp = float(stages.group(1)) if stages else count
        tp = max(count / pp, 1.0)
        found |= {"pp": f"{pp:g}", "tp": f"{tp:g}", "replicas": "1"}
    if "attention data parallel" in notes and tp > 1.0 and shape.mixture:
        found["attention_parallel"] = "true"
    file = GGUF.get(_word(row.get("precision") or ""))
    if file is not None and found.get("engine") in ("llama.cpp", "ollama"):
        found["weight_dtype"] = file
