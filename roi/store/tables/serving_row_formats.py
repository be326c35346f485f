"""Number formats of weights and KV cache as tables of serving runs write them."""

import re

from roi.errors import nearest
from roi.estimate.serving.iteration import KV_BYTES, WEIGHT_FORMATS
from roi.facts.model import ModelShape
from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.serving_row_names import Engine

FORMATS = (
    (r"mxfp4", "mxfp4"), (r"nvfp4|fp4", "nvfp4"),
    (r"int4|\bw4(a\w+)?|(?<![\d.])4(\.0)?[- ]?b(it|pw)|\b4[- ]?bits|q4|nf4", "int4"),
    (r"fp8|float8|e4m3|e5m2|w8a8-?fp", "fp8"), (r"int8|w8a8|w8a16|(?<![\d.])8(\.0)?[- ]?b(it|pw)|q8", "int8"),
    (r"awq|gptq|bnb|bitsandbytes|marlin", "int4"), (r"smoothquant", "int8"),
    (r"bf16|bfloat16|(?<!\d)16[- ]?bit|full[- ]precision|unquanti|(not?|un)[- ]quanti", "bf16"),
    (r"fp16|float16|\bf16\b|half", "fp16"), (r"(?<!t)fp32|float32|\bf32\b", "fp32"),
)  # fmt: skip
"""Words -> a name of WEIGHT_FORMATS; the first that occurs decides: bits that are said before makers' names, narrow before wide
("AWQ, fp16" has 16-bit activations)."""

OTHER_WIDTHS = re.compile(
    r"(?<![\d.])([123567]|1\.58|[2-7]\.(?!0)\d+)[- ]?b(it|pw)s?\b|\bi?q[123567]-|int[123567]\b|fp6|\bw[123567]a\d"
)
"""Words of widths that no format of WEIGHT_FORMATS has."""

OTHER_MAKERS = re.compile(r"aqlm|quip|\bhqq|\bexl[23]|\beetq|gguf|tf32|(?<!un)(?<!no )(?<!not )(?<!non-)quanti[sz]ed")
"""Words of packings of several widths: unknown, but beside a width that is said ("hqq 4-bit")."""

NEIGHBOURS = ("bf16", "fp16", "fp32", "fp8", "int8", "int4", "nvfp4", "mxfp4", "awq", "gptq", "w4a16", "w8a8", "w8a16", "nf4")
"""Names that an error offers where they look like the cell."""

KV_FORMATS = (
    (r"fp8|float8|e4m3|e5m2", "fp8"), (r"int8|8[- ]?bit", "int8"), (r"bf16|bfloat16|16[- ]?bit", "bf16"),
    (r"fp16|float16|half", "fp16"),
)  # fmt: skip
"""Words -> a name of KV_BYTES."""

KV_BEFORE = re.compile(r"(bf16|fp16|fp8(?:-e\dm\d)?|int8)[\s-]*kv(?:[\s-]*cache)?\W*$")
"""A KV format that stands before its word: "bf16, fp8 KV cache"."""

UNSAID = re.compile(
    r"\b(nan|n\.s\.?|none|auto|default|native|gemm|weights?|w|dtype|precision|model|cache|unknown|unstated"
    r"|not (stated|reported)|tbd|n/a|na)(?!\w)|\W"
)
"""Words around a format, and for one that is not said."""


def row_formats(row: Row, shape: ModelShape, engine: Engine) -> tuple[str, str, list[tuple[str, float]]]:
    """Weight format, KV format, and what was taken by default with the factor by which it may be off.

    gpt-oss is published in MXFP4 whatever the label says. Engines keep KV in 16 bits unless told; recipes for fp8 and fp4 of
    2025 tell them fp8, and TensorRT-LLM's quantisation does so by default. Halving KV or not is 1.1 on most rows. A word that
    names no known format is Unusable: its bytes decide the answer.
    """
    weights, kv = _parts(cell(row, "precision").lower().replace("_", "-"))
    assumed: list[tuple[str, float]] = []
    weight = _weight(weights, row)
    if shape.id.startswith("gpt-oss"):
        weight = "mxfp4"
    if weight == "mxfp4" and all(mlp.experts == 1 for mlp in shape.mlp):
        weight = "nvfp4"  # of a dense model all matrices are 4 bit; block scales of 32 or 16 weights differ by 6%
    if not weight:
        weight = "bf16"
        if "gemm nan" not in weights:  # products that are not quantised
            assumed.append(("precision bf16", 1.3))
    stated = _named(KV_FORMATS, kv)
    if not stated and UNSAID.sub("", kv):
        raise Unusable("precision", cell(row, "precision"), f"no known format of the KV cache; known: {', '.join(KV_BYTES)}")
    if not stated:
        told = weight in ("fp8", "nvfp4") and (engine.recent or engine.name == "tensorrt-llm")
        stated = "fp8" if told else "bf16"
        assumed.append((f"kv {stated}", 1.1))
    return weight, stated, assumed


def _parts(text: str) -> tuple[str, str]:
    """What the cell says of the weights and of the KV cache."""
    before = KV_BEFORE.search(text)
    if before:
        return text[:before.start()], before.group(1)
    weights, _, kv = text.partition("/kv") if "/kv" in text else text.partition("kv")
    return weights, kv


def _weight(weights: str, row: Row) -> str:
    """A name of WEIGHT_FORMATS; empty where neither the cell nor the model's name says one; Unusable where it is unknown."""
    model = cell(row, "model").lower().replace("_", "-")
    found = _named(FORMATS, f"{weights} {model}")
    for column, text in (("precision", weights), ("model", model)):
        odd = OTHER_WIDTHS.search(text)
        if odd is None and (not found or WEIGHT_FORMATS[found].bytes_per_parameter >= 2.0):
            odd = OTHER_MAKERS.search(text)
        if odd:
            raise _unknown(column, cell(row, column), odd.group(0))
    if not found and UNSAID.sub("", weights):
        raise _unknown("precision", cell(row, "precision"), weights.strip())
    return found


def _unknown(column: str, value: str, word: str) -> Unusable:
    near = nearest(word, NEIGHBOURS)
    names = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(WEIGHT_FORMATS)}"
    return Unusable(column, value, f"no known number format ({names})")


def _named(formats: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for words, name in formats if re.search(words, text)), "")
