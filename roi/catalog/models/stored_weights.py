"""How the weights of a checkpoint are stored: what the quantization_config of its config.json says, or its name."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from roi.catalog.models.shapes import dashed


class StoredWeights(NamedTuple):
    """How a checkpoint's linear layers are packed."""

    method: str
    """quant_method as transformers writes it: bitsandbytes, gptq, awq, fp8, compressed-tensors, mxfp4; empty where none is
    stated."""
    bits: int | None
    """Bits of a weight; None where the file does not say."""
    floats: bool = False
    """True where they are floating-point numbers."""
    double_quant: bool = False
    """True where bitsandbytes quantised the scales too."""
    apart: bool = False
    """True where a file of bitsandbytes leaves modules inside the layers in 16 bits."""

    @property
    def served(self) -> str | None:
        """The format that a server keeps such weights in (roi/estimate/serving/weight_formats.py).

        None where there is none alike: bitsandbytes' and other kernels than GPTQ's and AWQ's (Marlin) have speeds of their own.
        """
        if self.method in ("mxfp4", "nvfp4"):
            return self.method
        if self.method not in ("gptq", "awq", "fp8", "compressed-tensors", "fbgemm_fp8", "modelopt"):
            return None
        return {(8, True): "fp8", (4, True): "nvfp4", (8, False): "int8", (4, False): "int4"}.get((self.bits or 0, self.floats))

    @property
    def told(self) -> str:
        """The method and its bits, in words."""
        return f"{self.bits}-bit {self.method}".strip() if self.bits and str(self.bits) not in self.method else self.method


LARGEST_BITS: Final = 16
FLOATS: Final = {"fp8": 8, "mxfp8": 8, "fbgemm_fp8": 8, "mxfp4": 4, "nvfp4": 4}
"""quant_method of floating-point weights -> their bits."""
UNNAMED: Final = "packing of no named method"
"""Method of a checkpoint whose name says its bits alone."""
NAMES: Final = (
    (r"(?:bnb-4bit|nf4)", StoredWeights("bitsandbytes", 4, double_quant=True)), (r"bnb-8bit", StoredWeights("bitsandbytes", 8)),
    (r"gptq(?:-int8|-8bit)", StoredWeights("gptq", 8)), (r"gptq(?:-\w+)?", StoredWeights("gptq", 4)),
    (r"awq(?:-\w+)?", StoredWeights("awq", 4)), (r"mxfp4", StoredWeights("mxfp4", 4, floats=True)),
    (r"nvfp4", StoredWeights("nvfp4", 4, floats=True)),
    (r"fp8(?:-(?:dynamic|static|block|kv))?", StoredWeights("fp8", 8, floats=True)),
    (r"(?:quantized-)?w4a16", StoredWeights("compressed-tensors", 4)),
    (r"(?:quantized-)?w8a(?:8|16)", StoredWeights("compressed-tensors", 8)), (r"(?:gptq-)?marlin", StoredWeights("gptq", 4)),
    *((rf"{method}(?:-\w+)*", StoredWeights(method, None))
      for method in ("hqq", "aqlm", "eetq", "quanto", "sinq", "torchao", "exl2", "exl3", "mlx", "auto-round", "autoround")),
    (r"i?q[2-8](?:[.-]\w+)*|(?:b?f16-)?gguf", StoredWeights("gguf", None)),
    *((rf"(?:int{bits}|{bits}-?bits?)", StoredWeights(UNNAMED, bits)) for bits in (8, 4)),
)  # fmt: skip
"""How the end of a name tells what packed the weights, the first that fits; unsloth's files of bitsandbytes have their scales
quantised too, and a name that ends in bits alone does not say by which method."""


def stored_by_name(name: str) -> StoredWeights | None:
    """What the end of a model's name says (Llama-3.1-8B-Instruct-AWQ-INT4); None where it names no packing that is known."""
    ending = dashed(name)
    return next((stored for pattern, stored in NAMES if re.search(rf"[-.]{pattern}$", ending)), None)


def stored_weights(entries: Mapping[str, Any]) -> StoredWeights | None:  # Any: JSON
    """What a config.json says in its quantization_config; None where it has none."""
    held = entries.get("quantization_config")
    if not isinstance(held, dict) or not held:
        return None
    method = str(held.get("quant_method") or "").lower()
    four, eight = held.get("load_in_4bit") is True, held.get("load_in_8bit") is True
    if four or eight:  # as transformers tells them, whatever quant_method is (quantizers/auto.py)
        return StoredWeights("bitsandbytes", 4 if four else 8, apart=_apart(held.get("llm_int8_skip_modules")),
                             double_quant=four and held.get("bnb_4bit_use_double_quant") is True)
    if method in FLOATS:
        return StoredWeights(method, FLOATS[method], floats=True)
    if method == "compressed-tensors":
        groups = held.get("config_groups")
        group = next(iter(groups.values()), None) if isinstance(groups, dict) else None
        weights = group.get("weights") if isinstance(group, dict) else None
        weights = weights if isinstance(weights, dict) else {}
        return StoredWeights(method, _bits(weights.get("num_bits")), floats=weights.get("type") == "float")
    if method == "modelopt":
        algorithm = str(held.get("quant_algo") or "").upper()
        return StoredWeights(method, {"FP8": 8, "NVFP4": 4}.get(algorithm), floats=True)
    return StoredWeights(method, _bits(held.get("bits", held.get("w_bit"))))


def _bits(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_BITS else None


def _apart(skipped: object) -> bool:
    """True where modules of layers are among those that bitsandbytes skips; the head, which it never packs, is none."""
    return isinstance(skipped, list) and any(isinstance(name, str) and "layers." in name for name in skipped)
