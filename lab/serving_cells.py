"""Cells of research tables of serving runs that lab/cells does not hold: read by their grammar, else left as they stand.

A cell that cannot be read goes into the canonical table as it was written: `validate` skips the row and says why, and the
others stand. What is read so is what the cell says; what it does not say is marked as assumed, as in lab/cells.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from roi.catalog.cards.gpus import find_gpu, gpus_named
from roi.catalog.models.shapes import find_model, without_endings
from roi.errors import RoiError
from roi.estimate.serving.weight_formats import GGUF_BITS, IN_TURN, weight_bytes
from roi.facts.model import ModelShape
from roi.store.tables.serving_table import RATES

SHORT: Final = 4
"""Letters of an engine's name that are looked for as a word of their own only."""
ROCM_LAST: Final = (0, 6, 1)
"""vLLM's last release of its first design on AMD's cards."""
CONTAINERS: Final = 20
"""Major versions above this are years."""
FIRST_RECENT: Final = 2025
"""Year from which a release without a version is of the present design."""

ENGINES: Final = {
    "vllm": "vllm", "tensorrtllm": "tensorrt-llm", "trtllm": "tensorrt-llm", "tensorrt": "tensorrt-llm", "trt": "tensorrt-llm",
    "nim": "tensorrt-llm", "triton": "tensorrt-llm", "sglang": "sglang", "tgi": "tgi", "textgenerationinference": "tgi",
    "lmdeploy": "lmdeploy", "turbomind": "lmdeploy", "deepspeedmii": "deepspeed-mii", "mii": "deepspeed-mii",
    "fastgen": "deepspeed-mii", "slora": "s-lora", "lorax": "lorax", "llamacpp": "llama.cpp", "llamabench": "llama.cpp",
    "llamaserver": "llama.cpp", "llamacli": "llama.cpp", "llamabatchedbench": "llama.cpp", "ggml": "llama.cpp",
    "llamafile": "llama.cpp", "koboldcpp": "llama.cpp", "lmstudio": "llama.cpp", "ollama": "ollama",
    "transformers": "transformers", "huggingface": "transformers", "hf": "transformers", "autoawq": "transformers",
    "autogptq": "transformers", "gptqmodel": "transformers", "bitsandbytes": "transformers", "gptfast": "gpt-fast",
}  # fmt: skip
"""What a word of a cell begins with; of several the first, of those at one place the longest. NIM and Triton serve a
TensorRT-LLM engine where they say no other. An engine with none of these is `other`."""
WEAK: Final = ("hf", "huggingface", "nim", "triton", "tensorrt", "trt")
"""Of these, makers, shells and libraries, which give way to an engine that stands beside them."""
GUESSED: Final = ("nim", "triton", "tensorrt", "trt", "koboldcpp", "lmstudio", "llamafile")
"""Of these, what stands for an engine that the cell does not name."""
RECENT: Final = {"vllm": (0, 8), "tensorrt-llm": (0, 17), "sglang": (0, 4), "tgi": (3, 0), "lmdeploy": (0, 7)}
"""First release of an engine's present design."""
OF_2023: Final = re.compile(r"(?<![\d.])v?0\.[5-7](?!\d)|2023-\d\d")
"""TensorRT-LLM's releases of 2023: of that design the fit has those of 2024, whose kernels of grouped heads are others (0.10.0
has XQA for Llama-2-70B on Hopper)."""
COMPILED: Final = re.compile(r"torch[. ]?compile|static (?:kv )?cache|reduce-overhead|max-autotune|cuda ?graph")
"""transformers whose decoding is a compiled graph over a cache of fixed size, as gpt-fast's is: no host starts its kernels."""
TOLD_TO_SHARE: Final = (
    r"(?:-sm|split[ -]mode)[ =]*row|row[ -]split|(?<!not )tensor[ -]parallel|tp_plan|replica|instances|data parallel")
SINGLE: Final = (*IN_TURN, "gpt-fast")
"""Engines that people time with one request, where they say of no other number."""
SPECULATIVE: Final = re.compile(
    r"(?<!no )(?<!without )(?<!w/o )(?<!non-)\b"
    r"(?:eagle[ -]?[123]?|medusa|mtp|speculat\w*|spec[ -]dec\w*|draft (?:model|tokens?))\b"
    r"(?!(?: decoding)?[ :=]*(?:off|none|no|0|disabled|false|not used)\b)")
"""Decoding with drafts, unless it is said to be off."""
ATTENTION_PARALLEL: Final = re.compile(
    r"attention[ -](?:data[ -]parallel\w*|dp)\b|\bdp[ -]attention|\badp\b|\bdep ?\d+|\bdp ?=? ?\d+ ?[+,/ ] ?ep")
PER_GPU: Final = r"[ -]?(?:per|/)[ -]?gpu\b(?![ -]?h)"
SPEED_OF_EACH: Final = (
    rf"(?:throughput|tok\w*(?:(?:/| per )s(?:ec(?:ond)?)?)?|tps|output){PER_GPU}|per[ -]gpu (?:\w+ )?(?:throughput|tok|tps)")
BATCH_OF_EACH: Final = rf"(?:batch(?: size)?|bs|concurrency)[ =:]*\d+{PER_GPU}"
TURNED: Final = r"multipl|convert|derived|[x×*] ?(?:\d|n_?gpus)"
"""What says of figures of one GPU that they have been turned into those of all."""
NOMINAL: Final = {"1024": "921.6", "8192": "7372.8"}
"""Lengths that InferenceX (InferenceMAX) names, and the mean of what it draws: evenly, 0.8 to 1.0 of them (lab/misread.md)."""
FLYING: Final = re.compile(
    r"concurren\w*[ =:]*(\d+)|(\d+) (?:parallel )?(?:concurrent|users|clients|streams|slots)|users[ =:]*(\d+)|\bnp[ =]*(\d+)")
BATCH: Final = re.compile(r"(?:batch(?: size)?|bs|\bnpl)[ =:]*(\d+)")
FILLED: Final = 0.6
"""Share of a replica's memory that weights take at most where nothing but throughput counts: engines leave a tenth unused, and
the third that is left holds the cache, without which batches are small."""
SUBMITTED_SEQUENCES: Final = 1024
"""max_num_seqs of MLPerf's submissions on vLLM, which set it by hand (Krai's of v5.0 with vLLM 0.6.4: 1,024; of v5.1 with
0.9.2: 1,232 and 2,401), where vLLM's own of those years is 256. A replica of one card seldom holds as many."""
UNSTATED: Final = (
    "", "ns", "na", "nan", "none", "unknown", "unspecified", "unstated", "notstated", "default", "auto", "native", "mixed")
"""A cell that says nothing, as one word."""
PACKING: Final = r"[-_ ](awq|gptq|fp8|nvfp4|mxfp4|fp4|w8a8|int4|int8|gguf|instruct|chat|hf|(?:ud-)?i?q\d)(?=[-_ ]|$).*"
"""What follows a model's name in a cell."""
VARIANTS: Final = r"-(?:interactive|server|offline|datacenter|edge|99(?:\.9)?)$"
"""Endings of MLPerf's benchmarks: how it is run, and the accuracy that it keeps."""
ALIKE: Final = {
    "mistral-7b": "mistral-7b-v0.3", "llama-8b": "llama-3.1-8b", "llama-70b": "llama-3.1-70b", "vicuna-7b": "llama-2-7b",
    "vicuna-13b": "llama-2-13b",
}
"""Names of several models that differ in vocabulary or window alone: the one that stands in."""
DISTILLED: Final = {
    "1.5b": "deepseek-r1-distill-qwen-1.5b", "7b": "deepseek-r1-distill-qwen-7b", "8b": "deepseek-r1-distill-llama-8b",
    "14b": "deepseek-r1-distill-qwen-14b", "32b": "deepseek-r1-distill-qwen-32b", "70b": "deepseek-r1-distill-llama-70b",
    "671b": "deepseek-r1",
}  # fmt: skip
"""ollama's tags of deepseek-r1, all but one of which are of models trained on its answers."""
GGUF: Final = {**{re.sub(r"_", "", name): name for name in GGUF_BITS}, "f16": "f16", "bf16": "bf16", "f32": "fp32",
               "allf32": "fp32", "q4km": "q4_k_m", "q4k": "q4_k_m", "q5k": "q5_k_m", "q3k": "q3_k_m", "q4kxl": "q4_k_m",
               "q5kxl": "q5_k_m", "q3kxl": "q3_k_m", "q2kxl": "q2_k", "q6kxl": "q6_k", "q8kxl": "q8_0", "q2km": "q2_k",
               "q80xl": "q8_0", "q6kl": "q6_k", "q4kl": "q4_k_m", "q5kl": "q5_k_m", "q2kl": "q2_k"}
"""Formats of GGUF files as one word. Q4_K alone is what llama.cpp makes of it; _L and _XL are repackers', near their _M."""
LARGER: Final = re.compile(r"q\dk(?:xl|l)$(?<!q3kl)|q80xl")
"""Repackers' mixtures, of which each has its own."""
MIXTURE: Final = {"small": "s", "medium": "m", "large": "l"}
"""llama-bench prints Q4_K - Medium."""
WEIGHTS: Final = {
    "fp32": "fp32", "bf16": "bf16", "bfloat16": "bf16", "fp16": "fp16", "float16": "fp16", "half": "fp16", "fp8": "fp8",
    "fp8block": "fp8", "w8a8fp8": "fp8", "fp8e4m3": "fp8", "float8": "fp8", "int8": "int8", "w8a8": "int8", "w8a16": "int8",
    "int4": "int4", "awq": "int4", "gptq": "int4", "w4a16": "int4", "w4a8": "int4", "fp4": "nvfp4", "nvfp4": "nvfp4",
    "mxfp4": "mxfp4", "mxfp8": "fp8", "f16": "fp16", "16bit": "bf16", "tf32": "fp32",
}  # fmt: skip
METHODS: Final = r"\b(?:int[2-8]|fp6|w\d+a\d+|gptq|awq|marlin|rtn|smoothquant|torchao|int)\w*"
"""Ways of quantisation that are read by their bits."""
OTHERS: Final = (
    r"bnb|bitsandbytes|nf4|llm\.int8|hqq|aqlm|eetq|quanto|exl[23]|spqr|quip|omniquant|\d ?-?bits?\b|bpw|q\df16|fp6|int[2356]")
"""Of these, those with kernels or scales of their own, which none of the catalog's formats is."""
NATIVE: Final = {"gpt-oss": "mxfp4", "deepseek-v3": "fp8", "kimi-k2": "fp8"}
"""Formats that models are published in, where nothing else is said."""
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


def number(row: Mapping[str, str], column: str) -> str:
    """What a cell of figures sets that is no plain number: its thousands, unit, or that it says nothing; else as it stands."""
    text = row[column].strip().lower()
    if _word(text) in (*UNSTATED, "inf", "infinite", "unlimited") or not re.search(r"\d", text):
        return ""
    units = r"(ms|s|sec|seconds|k|tokens?|toks?|(?:tok(?:en)?s?|reqs?|requests?)/s)?"
    plain = re.fullmatch(rf"[~≈]?\s*(\d[\d,]*(?:\.\d+)?|\d*\.\d+)\s*{units}", text)
    ends = re.fullmatch(r"(\d+) ?(?:-|–|to) ?(\d+)", text) if column in ("isl", "osl") else None
    if ends is not None:
        return f"{column}={(float(ends[1]) + float(ends[2])) / 2.0:g} assumed+=lengths"
    if plain is None:
        return raw(column, row[column])
    value, unit = float(plain[1].replace(",", "")), plain[2] or ""
    if unit == "k":
        return f"{column}={value * 1024.0:g} assumed+=lengths" if column in ("isl", "osl") else f"{column}={value * 1e3:g}"
    return f"{column}={value * (1e3 if column.endswith('_ms') and unit in ('s', 'sec', 'seconds') else 1.0):.10g}"


def date(text: str) -> str:
    """What a cell sets that is no ISO date: its year and month where both stand in it, else its year, else nothing."""
    year = re.search(r"(?<!\d)20\d\d(?!\d)", text)
    if year is None:
        return ""
    named = re.search(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", text.lower())
    month = re.search(r"20\d\d[-/.](\d\d?)(?!\d)|(?<!\d)(\d\d?)[-/.]20\d\d", text)
    if named:
        return f"date={year.group()}-{'janfebmaraprmayjunjulaugsepoctnovdec'.index(named.group()) // 3 + 1:02d}"
    found = int(month[1] or month[2]) if month else 0
    return f"date={year.group()}-{found:02d}" if 1 <= found <= 12 else f"date={year.group()}"


def read_model(row: Mapping[str, str]) -> str:
    """The catalog's model of a cell, whose name may end in a packing or begin with a repository; else the cell as it stands."""
    text = row["model"]
    bare = re.sub(PACKING, "", text, flags=re.IGNORECASE)
    spoken = re.sub(r"\(.*?\)| mostly\b.*", "", bare).strip()
    bench = re.sub(r"(?i)^(qwen3|qwen2)moe ", r"\1-", spoken).replace("B.A", "B-A")
    bench = re.sub(r"(?i)^phi([34]) \d+B$", lambda found: {"3": "phi-3-mini", "4": "phi-4"}[found[1]], bench)
    mlperf = _without(VARIANTS, text.strip())
    told = re.sub(r"(?i)\b(llama) (\d+B) v(\d)\b", r"\1 \3 \2", re.sub(r"(?i)(?<=llama )v(?=\d)", "", spoken))
    tag = re.sub(r"(?i)^deepseek-r1:(\d.*)$", lambda found: DISTILLED.get(found[1].lower(), text), spoken)
    for name in dict.fromkeys((text, bare, spoken, bench, mlperf, told, tag, text.split(" ")[0])):
        try:
            return f"model={find_model(name).id}"
        except RoiError:
            continue
    for name in without_endings(re.sub(r"^.*/", "", spoken)):
        if name in ALIKE:
            return f"model={ALIKE[name]} assumed+=model"
    return raw("model", text)


def _without(pattern: str, text: str) -> str:
    while (shorter := re.sub(pattern, "", text, flags=re.IGNORECASE)) != text:
        text = shorter
    return text


def _gpu(row: Mapping[str, str]) -> str:
    """The card that a cell names; one that stands in where several have the name, or none of the name has the memory."""
    text = re.sub(r"^\s*\d+ ?[x×*] ?|\s*[x×*] ?\d+\s*$", "", row["gpu"])
    bare = re.sub(r"\(.*?\)", "", text).strip()
    small = re.sub(r"[ _-]*\d+ ?G(?:i?B)?\b", "", bare, flags=re.IGNORECASE)
    system = re.sub(r"_(?:aarch64|x86_64).*$", "", bare).rpartition("_")[2]  # MLPerf: the node, the card, the host's processor
    parted = re.sub(r"-(?:NPS\d-SPX|O)(?=-)", "", system)  # AMD's: how the card is parted
    for name in dict.fromkeys((text, bare, parted, small)):
        cards = gpus_named(name)
        if len(cards) == 1 and name != small:
            return f"gpu={cards[0].id}"
        if cards:
            known = len(cards) == 1 and small == bare
            return f"gpu={max(cards, key=lambda card: card.memory_bytes).id}" + ("" if known else " assumed+=gpu")
    return raw("gpu", row["gpu"])


def _engine(row: Mapping[str, str]) -> str:
    key = _engine_word(row)
    name = ENGINES.get(key, "other")
    design = _design(name, row)
    if name == "transformers" and COMPILED.search(_told(row)):
        name, design = "gpt-fast", None
    fitted = name != "tensorrt-llm" or not OF_2023.search(f"{row.get('engine_version') or ''} {row.get('date') or ''}")
    told = "" if fitted and design and name != "other" and key not in GUESSED else " assumed+=design"
    return f"engine={name} design={design or 'recent'}{told}"


def _engine_word(row: Mapping[str, str]) -> str:
    """The key of ENGINES that the cell names; empty where it names none."""
    words = re.findall(r"[a-z0-9]+", row["engine"].lower())
    starts = ["".join(words[place:]) for place in range(len(words))]
    places = [(key in WEAK, place, -len(key), key) for place, rest in enumerate(starts) for key in ENGINES
              if (rest.startswith(key) if len(key) > SHORT else words[place] == key)]
    return min(places)[3] if places else ""


def _design(name: str, row: Mapping[str, str]) -> str | None:
    """The design of the engine's release, by its version, else by its year; None where neither is stated.

    A version of what stands for an engine (TensorRT 10.2, NIM 1.8) is not the engine's.
    """
    told = f"{row.get('engine_version') or ''} {row['engine']}".lower()
    stated = re.sub(r"(?:rocm|cuda|mlperf|inference|ubuntu|torch|tensorrt|trt|py)[ -]?v?\d+(?:\.\d+)*|\bcu\d+\b", "", told)
    version = re.search(r"(?<![\d.])(\d{1,2})\.(\d+)(?:\.(\d+))?", stated)
    year = re.match(r"\d{4}", row.get("date") or "") or re.search(r"20\d\d", f"{stated} {row.get('date') or ''}")
    if version and int(version[1]) > CONTAINERS:  # Triton's 24.07 is of July 2024
        return "recent" if 2000 + int(version[1]) >= FIRST_RECENT else "2024"
    version = None if _engine_word(row) in GUESSED else version
    generation = re.search(r"\bv([01])\b(?!\.)", stated)
    if name == "vllm" and generation:
        return "recent" if generation[1] == "1" else "2024"
    if name in RECENT and version:
        release = int(version[1]), int(version[2]), int(version[3] or 0)
        if name == "vllm" and release <= ROCM_LAST and any(card.amd for card in gpus_named(row["gpu"])) and (
                _precision(row).startswith(("weight_dtype=bf16", "weight_dtype=fp16"))):
            return "rocm-2024"
        return "recent" if release >= RECENT[name] else "2024"
    return None if year is None else "recent" if int(year.group()) >= FIRST_RECENT else "2024"


def gguf(text: str) -> str | None:
    """The format of a GGUF file, as llama.cpp names it, prints it or a repacker does; None where it is none."""
    known = re.sub(r"^(?:gguf|ud|mostly)[ :_-]+|[ _.-]*(?:gguf|imatrix|\d+(?:\.\d+)? bpw|\(.*\))\s*$", "", text.strip().lower())
    mixed = re.sub(r"[ _]+-[ _]+(small|medium|large)", lambda found: MIXTURE[found[1]], known)
    return GGUF.get("iq3m" if re.match(r"iq3_s mix", known) else _word(re.sub(r" - .*| moe$", "", mixed)))


def _precision(row: Mapping[str, str]) -> str:
    """Formats of weights and KV cache. What quantises in a way of its own is taken for the format of as many bits."""
    text = row["precision"].lower()
    stated = re.search(r"(fp8|int8|fp16|bf16)[ _-]*kv|kv(?:[ _-]?cache)?[ _:=-]*(fp8|int8|fp16|bf16)", text)
    parts = re.match(r"(?:w|gemm) ([^/]*)(?:/ ?kv ([\w.]+))?", text)
    cache = WEIGHTS.get(_word(parts[2] or "")) if parts else None
    text = parts[1] if parts else text.replace(stated.group(), " ") if stated else text
    weight, guessed = gguf(text) or WEIGHTS.get(_word(text)), ""
    if weight is None and _word(text) in UNSTATED:
        weight, guessed = _unstated(row), "" if parts else " assumed+=weight_dtype"
    own = " assumed+=weight_dtype" if re.search(OTHERS, text) else ""
    bits = re.search(r"(\d+(?:\.\d+)?)[ -]?(?:bits?\b|bpw)|(?:int|w|q|nf|fp)[ -]?(\d)", text)
    if weight is None and bits and (own or re.search(METHODS, text)) and not re.search("fp[48]", text):
        weight, guessed = _of_bits(float(bits[1] or bits[2])), own
    if weight is None:  # the first that is named, but what numbers w8a8 and w4a8 are of stands beside them
        places = [(key.startswith(("w4a", "w8a")), found.start(), name) for key, name in WEIGHTS.items()
                  if (found := re.search(rf"(?<![a-z0-9]){key}(?![a-z0-9])", text))]
        four = re.search(r"(?<![a-z0-9])w4a(?:8|16)", text) and "fp4" not in text
        weight = "int4" if four else min(places)[2] if places else None
    if weight is None and (own or re.search(METHODS, text)):
        weight, guessed = "int4", " assumed+=weight_dtype"
    if weight is None:
        return raw("weight_dtype", row["precision"])
    if LARGER.search(_word(text)):
        guessed = " assumed+=weight_dtype"
    if "gpt-oss" in row["model"].lower():
        weight = "mxfp4"
    cache = (stated[1] or stated[2]) if stated else cache
    if cache in ("bf16", "fp16", "fp8", "int8"):
        return f"weight_dtype={weight} kv_dtype={cache}{guessed}"
    asked = _runs_on(row, ("tensorrt-llm",)) or _of_mlperf(row) or "fp8-kv" in row["model"].lower()
    kv = "fp8" if weight in ("fp8", "nvfp4") and asked else "bf16"
    return f"weight_dtype={weight} kv_dtype={kv}{guessed} assumed+=kv_dtype"


def _unstated(row: Mapping[str, str]) -> str:
    """The format that stands in: what the model's name ends in, else what it is published in, else 16 bits."""
    name = row["model"].lower()
    ending = re.search(PACKING, name)
    packed = [WEIGHTS.get(_word(word)) or gguf(word) for word in re.split(r"[-: ]", ending.group() if ending else "") if word]
    bits = re.search(r"(?:int|w|q|nf)(\d)", ending.group()) if ending else None
    found = next((each for each in packed if each), None)
    if found == "int4" and bits:
        return _of_bits(float(bits[1]))
    native = next((form for key, form in NATIVE.items() if key in f"{name} {read_model(row)}"), None)
    # what ollama's library has under a name, and llama.cpp takes where it is told none
    return found or native or ("q4_k_m" if _runs_on(row, ("llama.cpp", "ollama")) else "bf16")


def _of_bits(bits: float) -> str:
    """The format of as many bits: 16, 8 and 4 have their own, and between them stand the GGUF formats."""
    own = {16.0: "bf16", 0.0: "fp16", 8.0: "int8", 4.0: "int4"}
    return own.get(bits) or min(GGUF_BITS, key=lambda name: abs(GGUF_BITS[name] - bits))


def _count(row: Mapping[str, str]) -> float:
    """GPUs of the row: the first number of the cell, else of the card's (8x H100), or one."""
    stated = re.search(r"\d+", row.get("n_gpus") or "") or re.match(r"\s*(\d+) ?[x×*]", row["gpu"])
    stated = stated or re.search(r"(?<=[x×*])\s*\d+\s*$", row["gpu"])
    return max(float(stated.group().strip(" x×*")), 1.0) if stated else 1.0


def _gpus(row: Mapping[str, str]) -> str:
    count, tp = _count(row), row.get("tp") or ""
    if _word(tp) in UNSTATED:
        return f"tp={count:g} replicas=1" + (" assumed+=tp" if count > 1.0 else "")
    apart = re.search(r"p:d (\d+):(\d+)", row["scenario"].lower())
    if apart:  # workers that compute prompts, and those that decode, of as many GPUs each
        prefill, every = float(apart[1]), float(apart[1]) + float(apart[2])
        return f"tp={count / every:g} replicas={every:g} prefill_replicas={prefill:g}"
    tp = re.sub(r"(?i)\b[dt]ep ?(?=\d)|^dp ?=? ?(?=\d+ ?[+,/ ] ?ep)", "tp", tp)
    degree = re.search(r"(?:tp ?=? ?|^)0*([1-9]\d*)(?:\.0+)?(?![\d.])", tp.lower())
    stages = re.search(r"pp ?=? ?([1-9]\d*)", tp.lower())
    if degree is None:
        return f"tp=1 replicas={count:g}" if re.fullmatch(rf"dp ?=? ?{count:g}", tp.lower()) else raw("tp", tp)
    pp = float(stages[1]) if stages else 1.0
    held = f"tp={float(degree[1]):g} replicas={max(count / float(degree[1]) / pp, 1.0):g}"
    return held + (f" pp={pp:g}" if stages else "")


def _scenario(row: Mapping[str, str]) -> str:  # noqa: PLR0911 -- one line a kind of load
    text = row["scenario"].lower()
    prompts = re.search(r"([\d,]+) (?:requests|prompts)", text)
    rate = (re.search(r"(?:rate|qps)[ =:of]*(\d+(?:\.\d+)?)", text)
            or re.search(r"(\d+(?:\.\d+)?) ?(?:req/s|requests/s|rps|qps)", text))
    sent = f" prompts={prompts.group(1).replace(',', '')}" if prompts else ""
    known = _mlperf(row, text) if _of_mlperf(row) else _llama_bench(row, text) or _alone(row, text)
    if known:
        return known
    flying, batch = FLYING.search(text), BATCH.search(text)
    held = next((each for found in (flying, batch) if found for each in found.groups() if each), None)
    more = f" concurrency={held}" if held and not row.get("concurrency") else ""
    if flying or "closed" in text or "concurren" in text:
        return f"load=closed{more}{sent}"
    if "static" in text or "single stream" in text:
        return f"load=static{more}"
    if rate and float(rate.group(1)) > 0.0 and "infinite" not in text:
        return f"load=open offered_req_per_s={rate.group(1)}{sent}"
    if re.search(r"offline|infinite|inf\b|throughput|saturat", text) and not batch:
        return f"load=saturated{sent}"
    if batch:
        return f"load=static{more}"
    if row.get("concurrency"):
        return "load=closed" + sent if re.search(r"server|online|serving", text) else "load=static"
    if _word(text) in UNSTATED or re.search(r"sharegpt|max\b|peak|batch|benchmark|decode|generation", text):
        return f"load=saturated{sent} assumed+=load" if any(row.get(name) for name in RATES) else raw("load", row["scenario"])
    return raw("load", row["scenario"])


def _told(row: Mapping[str, str]) -> str:
    """All that a row says of how it was run, in small letters."""
    names = ("scenario", "engine", "engine_version", "precision", "tp", "notes")
    return " ; ".join((row.get(name) or "").lower() for name in names)


def _of_mlperf(row: Mapping[str, str]) -> bool:
    return re.search("mlperf|loadgen|mlcommons", f"{row['scenario']} {row.get('source') or ''}".lower()) is not None


def _runs_on(row: Mapping[str, str], engines: Sequence[str]) -> bool:
    return ENGINES.get(_engine_word(row)) in engines


def _llama_bench(row: Mapping[str, str], text: str) -> str:
    """llama-bench: one sequence; pp512 times a prompt, tg128 an answer to none, @ d4096 either behind a cache."""
    prompt, answer, depth = (re.search(pattern, text) for pattern in (
        r"\bpp ?(\d{2,})|-p (\d{2,})", r"\btg ?(\d{2,})|-n (\d{2,})", r"@ ?d ?(\d+)"))
    if not (_runs_on(row, ("llama.cpp", "ollama")) and re.search(r"llama-?bench|\b(?:pp|tg) ?\d{2,}", text)):
        return ""
    cached = float(depth[1]) if depth else 0.0
    lengths = {"isl": cached + float(prompt[1] or prompt[2]) if prompt else cached + 1.0,
               "osl": float(answer[1] or answer[2]) if answer else 1.0}
    blank = [name for name in lengths if (prompt or answer) and row.get(name) in (None, "", "0")]
    told = "".join(f" {name}={lengths[name]:g}" for name in blank)
    return "load=static concurrency=1" + told + (f" cached_isl={cached:g}" if cached else "")


def _alone(row: Mapping[str, str], text: str) -> str:
    """One request at a time, where the scenario says so or where it says of no other number and the engine's users have one."""
    if row.get("concurrency") or FLYING.search(text) or BATCH.search(text):
        return ""
    if re.search(r"\b(?:single|one)[ -]?(?:stream|request|user|sequence|prompt|batch)\b", text):
        return "load=static concurrency=1"
    several = re.search(r"batch|rate|qps|rps|req|prompts|concurren|closed|users|\d seq", text)
    return "load=static concurrency=1 assumed+=load" if _runs_on(row, SINGLE) and not several else ""


def _mlperf(row: Mapping[str, str], text: str) -> str:
    """MLPerf Inference: Offline has all samples at once for ten minutes; Server and Interactive hold limits of their own."""
    model = read_model(row).removeprefix("model=").partition(" ")[0]
    tokens = TOKENS.get(model)
    spread = "" if tokens is None else f" length_cv={tokens[2]}"
    if tokens is not None and not (row.get("isl") and row.get("osl")):
        spread += f" isl={tokens[0]} osl={tokens[1]} assumed+=lengths"
    if _runs_on(row, ("vllm",)):
        spread += f" sequence_limit={SUBMITTED_SEQUENCES}"
    if "offline" in text:
        return f"load=saturated{spread}"
    if re.search(r"single[ -]?stream", text):
        return f"load=static concurrency=1{spread}"
    kind = "interactive" if "interactive" in text + row["model"].lower() else "server"
    ttft, tpot = SLOS.get((model, kind), (2000, 200) if kind == "server" else (500, 40))
    return f"load=saturated held_to_slo=true slo_ttft_ms={ttft} slo_tpot_ms={tpot}{spread}"


def _lora(row: Mapping[str, str]) -> str:
    found = re.search(r"unmerged (\d+)|^(\d+) adapters?", row.get("lora") or "")
    return f"adapters={found[1] or found[2]}" if found else ""


def _statistic(quantity: str, row: Mapping[str, str]) -> str:
    """Mean or median; a percentile, which is not predicted, takes the figure away where the row has others."""
    column = f"{quantity}_stat"
    text = (row.get(column) or "").lower()
    found = re.search(r"mean|median|p50\b|average|avg", text)
    if found and column == "tpot_stat" and re.search(r"e2e|end.to.end|normali[sz]ed", text):
        return f"{column}={'median' if found.group() in ('median', 'p50') else 'mean'} tpot_kind=end-to-end"
    if found:
        return f"{column}={'median' if found.group() in ('median', 'p50') else 'mean'}"
    if _word(text) in UNSTATED:
        return ""
    others = any(row.get(name) for name in (*RATES, *({"ttft_ms", "tpot_ms"} - {f"{quantity}_ms"})))
    return f"{quantity}_ms= {column}=" if others else raw(column, text)


READERS: Final = {
    "model": read_model, "gpu": _gpu, "engine": _engine, "precision": _precision, "n_gpus": _gpus, "scenario": _scenario,
    "lora": _lora, "ttft_stat": lambda row: _statistic("ttft", row), "tpot_stat": lambda row: _statistic("tpot", row),
}  # fmt: skip


def settle_serving(row: Mapping[str, str], found: dict[str, str]) -> None:
    """Set what follows from several cells: how GPUs share the model, figures of one GPU, lengths, and the GGUF format.

    Tokens that a draft proposes are in no configuration, nor are prompts on servers apart whose number is not said: the row is
    skipped.
    """
    told, source = _told(row), (row.get("source") or "").lower()
    if found.get("load") == "static" and not found.get("concurrency") and "single stream" in row["scenario"].lower():
        found["concurrency"] = "1"
    found |= {name: "1" for name in ("isl", "osl") if found.get(name) == "0"}
    if re.search("inferencex|inferencemax", source):
        found |= {name: NOMINAL[found[name]] for name in ("isl", "osl") if found.get(name) in NOMINAL}
    if SPECULATIVE.search(told):
        found["engine"] = f"{found.get('engine', '')}-with-speculative-decoding"
    if re.search(r"(?<!no )(?<!non-)\bdisagg|\bpd[ -]disagg", told) and not found.get("prefill_replicas"):
        found["prefill_replicas"] = "unstated"
    try:
        count, tp, shape = _count(row), float(found.get("tp") or 1.0), find_model(found.get("model", ""))
        _of_each_gpu(told, found, count)
    except (ValueError, RoiError):
        return  # the row is skipped for it
    stages = re.search(r"\bPP ?= ?(\d+)", row.get("notes") or "")
    in_turn = found.get("engine") in IN_TURN and count > 1.0 and not re.search(TOLD_TO_SHARE, told)
    if stages or "layers split" in told or in_turn:
        pp = float(stages.group(1)) if stages else count
        tp = max(count / pp, 1.0)
        found |= {"pp": f"{pp:g}", "tp": f"{tp:g}", "replicas": "1"}
    if ATTENTION_PARALLEL.search(told) and tp > 1.0 and shape.mixture:
        found["attention_parallel"] = "true"
    if _of_mlperf(row) and not row.get("tp") and tp == count > 1.0:
        least = _fewest(found, shape, count)
        found |= {"tp": f"{least:g}", "replicas": f"{count / least:g}"}
    file = gguf(row.get("precision") or "")
    if file is not None and found.get("engine") in ("llama.cpp", "ollama"):
        found["weight_dtype"] = file


def _of_each_gpu(told: str, found: dict[str, str], count: float) -> None:
    """Turn figures and batches that are told of one GPU into those of all."""
    rates = RATES if re.search(SPEED_OF_EACH, told) and not re.search(TURNED, told) else ()
    batch = ("concurrency",) if re.search(BATCH_OF_EACH, told) else ()
    found |= {name: f"{count * float(found[name]):.10g}" for name in (*rates, *batch) if found.get(name)}


def _fewest(found: Mapping[str, str], shape: ModelShape, count: float) -> float:
    """GPUs of a replica that MLPerf's tables do not state: the fewest, by twos, on which weights leave room for a batch."""
    weights = weight_bytes(shape, found.get("weight_dtype", "bf16"))
    least, memory = 1.0, find_gpu(found["gpu"]).memory_bytes
    while least < count and weights > FILLED * least * memory:
        least *= 2.0
    return min(least, count)
