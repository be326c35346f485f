"""Cells of a table of measured runs, read one by one: numbers, number formats, memory kinds, attention, optimizers.

Each reader takes the cell as the table writes it and returns the word that a plan uses. What no plan can express raises
`Unusable`, which skips the row with the column and the value as its reason.
"""

import math
import re
from collections.abc import Mapping

from roi.errors import InputError
from roi.estimate.accuracy.measured_run import MemoryKind
from roi.estimate.training.plan import Attend, Dtype, Optimizer, Sharding, Trainer

Row = Mapping[str, str]


class Unusable(Exception):
    """A cell that no plan expresses; the message is the reason for which the row is skipped."""

    def __init__(self, column: str, value: str, why: str) -> None:
        super().__init__(f"{column}: {value!r}; {why}")


def cell(row: Row, column: str) -> str:
    """The cell without outer blanks; empty where the column is absent."""
    return (row.get(column) or "").strip()


def measured_number(row: Row, column: str) -> float | None:
    """The number in a cell, None where it is empty; text that is no number makes the row unusable.

    Zero, negative and infinite figures are an InputError: nothing was measured that way.
    """
    text = cell(row, column)
    if not text:
        return None
    try:
        value = float(text.replace("_", "x"))
    except ValueError:
        raise Unusable(column, text, "not a number") from None
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"row {cell(row, 'id')!r}, {column}: {text} is not usable; a finite number above 0")
    return value


def known_number(row: Row, column: str) -> float | None:
    """The number in a cell, None where it is empty or is text ("unknown (Alpaca)")."""
    try:
        return measured_number(row, column)
    except Unusable:
        return None


def needed_number(row: Row, column: str) -> float:
    """The number in a cell that a plan cannot do without."""
    value = measured_number(row, column)
    if value is None:
        raise Unusable(column, "", "empty, and the plan needs it")
    return value


def longest_sequence(row: Row) -> float:
    """Tokens of `seq_len_max`; "<=768" is a cap and is taken at the cap."""
    bare = cell(row, "seq_len_max").removeprefix("<=").removeprefix("≤").strip()
    return needed_number({**row, "seq_len_max": bare}, "seq_len_max")


def flag(row: Row, column: str) -> bool | None:
    """True or False of a yes/no cell, None where it is empty."""
    text = cell(row, column).lower()
    if not text:
        return None
    first = re.split(r"[^a-z0-9]+", text)[0]
    if first in ("true", "yes", "1", "on"):
        return True
    if first in ("false", "no", "0", "off", "none"):
        return False
    raise Unusable(column, cell(row, column), "neither true nor false")


def memory_kind(text: str) -> MemoryKind:
    """What the peak's figure is; unstated where the source does not say."""
    lower = text.lower()
    if "reserved" in lower:
        return "reserved"
    if "allocated" in lower or "active" in lower:
        return "allocated"
    if "nvidia-smi" in lower or "nvml" in lower or lower == "process":
        return "process"
    return "unstated"


def base_dtype(text: str) -> Dtype | None:
    """Storage of the base weights and compute type; None where the cell is empty."""
    lower = text.lower()
    if not lower or lower == "none":
        return None
    if "fp8" in lower or "fp4" in lower or "float8" in lower:
        raise Unusable("base_dtype", text, "none of bf16, fp16, fp32")
    if re.search(r"fp32 weights|^(fp|float)_?32", lower):
        return "fp32"
    if "bf16" in lower or "bfloat16" in lower:
        return "bf16"
    if "fp16" in lower or "float16" in lower or lower == "half":
        return "fp16"
    raise Unusable("base_dtype", text, "none of bf16, fp16, fp32")


def quantisation(text: str) -> tuple[int, bool | None]:
    """Bits of the base's linear layers (16: not quantised), and whether the scales are quantised too (None: not said).

    bitsandbytes only: GPTQ and torchao have other kernels and layouts.
    """
    lower = text.lower()
    if lower in ("", "none", "no", "false"):
        return 16, None
    if any(other in lower for other in ("gptq", "torchao", "awq", "hqq", "aqlm", "eetq", "gguf", "fp4", "fp8")):
        raise Unusable("quant", text, "not bitsandbytes 4-bit")
    if "8bit" in lower or "8-bit" in lower or "int8" in lower:
        return 8, None
    if "nf4" in lower or "4bit" in lower or "4-bit" in lower or "int4" in lower:
        single = any(word in lower for word in ("single", "no double", "without double"))
        return 4, bool(re.search(r"double|[-_ .]dq\b", lower)) and not single
    raise Unusable("quant", text, "not bitsandbytes 4-bit")


def attention(text: str) -> Attend | None:
    """Attention implementation; None where the cell is empty.

    cuDNN's and TransformerEngine's keep what FlashAttention keeps.
    """
    lower = text.lower()
    if not lower or lower.startswith("unknown"):
        return None
    if "eager" in lower or "not flash" in lower:
        return "eager"
    if "sdpa" in lower or "mem_eff" in lower or "xformers" in lower:
        return "sdpa"
    if "flash" in lower or "cudnn" in lower or "transformerengine" in lower or lower in ("fa2", "te", "fa3"):
        return "flash"
    raise Unusable("attention_impl", text, "none of sdpa, flash, eager")


def optimizer(text: str, method: str) -> Optimizer | None:
    """Optimizer and the form of its states; None where the cell does not say ("recipe default").

    "PagedAdamW8bit for full; AdamW for LoRA" is read for the row's method. Paged states of any width lie outside torch's
    allocator, so paged 32-bit AdamW takes the place of the paged 8-bit one.
    """
    own = "full" if method == "full" else "lora"
    clauses = [part for part in re.split(r"[;()]", text.lower()) if part.strip().endswith(f"for {own}")]
    lower = re.sub(r"[\s_-]", "", clauses[0] if clauses else text.lower())
    if not lower or lower.startswith(("recipedefault", "unknown")):
        return None
    if "adam" not in lower or "adamax" in lower or "adammini" in lower:
        raise Unusable("optimizer", text, "not AdamW")
    if "paged" in lower:
        return "paged-adamw-8bit"
    if "8bit" in lower:
        return "adamw-8bit"
    return "adamw-bf16" if "bf16" in lower else "adamw"


def checkpointing(text: str) -> bool | None:
    """True where activations are recomputed; None where the cell does not say."""
    lower = text.lower()
    if "offload" in lower and not lower.startswith(("not stated", "unknown", "false")):
        raise Unusable("gradient_checkpointing", text, "activations in host memory, which no plan expresses")
    if "if really" in lower:
        raise Unusable("gradient_checkpointing", text, "neither true nor false")
    if not lower or lower.startswith(("unknown", "not stated")):
        return True if "recipe default true" in lower else None
    if lower.startswith("recipe default true"):
        return True
    return flag({"gradient_checkpointing": text}, "gradient_checkpointing")


def sharding(gpus: int, *texts: str) -> Sharding:
    """What is spread over the GPUs, from what optimizer, framework and notes say; "none" on one GPU."""
    said = " ".join(texts).lower()
    if gpus == 1 or "ddp-like" in said:
        return "none"
    if re.search(r"zero[-\s]?3", said):
        return "zero3"
    if re.search(r"zero[-\s]?2", said):
        return "zero2"
    # torchtune's recipes for several GPUs are FSDP and nothing else
    return "fsdp" if "fsdp" in said or "full_shard" in said or "torchtune" in said else "none"


def trainer(framework: str) -> Trainer:
    """Whose loop the framework runs: plain, hf or trl."""
    lower = framework.lower()
    if "trl" in lower or "sfttrainer" in lower:
        return "trl"
    hf = ("ms-swift", "llama-factory", "axolotl", "hf peft", "seq2seqtrainer")  # built on the HF Trainer
    return "hf" if re.search(r"\btrainer\b", lower) or any(name in lower for name in hf) else "plain"


def packs(packing: str) -> bool:
    """True where a row of the batch holds several examples."""
    return packing.lower().startswith(("yes", "packed", "true"))


def full_length(packing: str) -> bool:
    """True where every sequence has the longest length."""
    lower = packing.lower()
    return packs(lower) or any(word in lower for word in ("full", "of that length", "padded to max", "fixed"))
