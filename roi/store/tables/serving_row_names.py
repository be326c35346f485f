"""Engines, statistics and adapters as tables of serving runs write them."""

import re
from typing import NamedTuple

from roi.estimate.accuracy.serving_run import TpotKind
from roi.facts.gpu import Gpu
from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.serving_cells import BLANKS, stated_year

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

NARROW = r"fp8|fp4|int8|int4|awq|gptq|w4|w8|[48]-?bit"
"""Words of weight formats below 16 bits."""


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
    written = re.search(r"20\d\d", version)
    year = stated_year(row) or (None if written is None else int(written.group(0)))
    return Engine(name, year is None or year >= RECENT_YEAR, dated=year is not None)



def tpot_kind(text: str) -> TpotKind:
    """How the row's TPOT is defined; between tokens where it does not say, as most load generators count it."""
    lower = text.lower()
    if re.search(r"e2e|end.to.end|latency\s*/\s*(output )?token", lower):
        return "end to end"
    return "over all tokens" if re.search(r"all tokens|guidellm|/\s*output", lower) else "between tokens"


def is_percentile(text: str) -> bool:
    """True for a statistic that is neither mean nor median ("p99"): no figure that is predicted."""
    return any(float(next(part for part in found if part)) != 50.0
               for found in re.findall(r"\bp\s?(\d\d(?:\.\d+)?)|(\d\d(?:\.\d+)?)\s*(?:th|%)", text.lower()))


ADAPTERS = re.compile(
    r"(\d+)\s*(?:unmerged )?(?:adapters?|(?:max-)?loras?)\b|unmerged\s+(\d+)|^(\d+)$|(?:adapters|loras)\W{0,2}(\d+)"
)
"""A number of adapters; ranks are none."""


def row_adapters(row: Row) -> int:
    """Unmerged LoRA adapters of a row: 0 for none and for merged ones; 1 where the number is not said."""
    text = re.sub(r"\b(?:not|non|un)[- ]?merged", "unmerged", cell(row, "lora").lower())
    if text in BLANKS or ("unmerged" not in text and re.search(r"none|merged|^no\b|^0$|false|^off$|without", text)):
        return 0
    found = ADAPTERS.search(text)
    if found is None and not re.search(r"lora|adapter|unmerged|rank|^(yes|true|on)\b", text):
        raise Unusable("lora", cell(row, "lora"), "neither none, merged nor a number of adapters")
    return 1 if found is None else int(next(part for part in found.groups() if part))
