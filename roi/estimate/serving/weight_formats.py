"""How engines store the matrices of a model: bytes of a parameter by format, and what a step reads of a model."""

from dataclasses import dataclass
from typing import Final

from roi.errors import UnknownName
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

SIXTEEN_BIT: Final = 2.0
"""Bytes of an activation, and of a weight that quantisation leaves alone."""


@dataclass(frozen=True)
class WeightFormat:
    """How engines store the matrices of a model; embedding, head, router and norms stay 16 bit."""

    bytes_per_parameter: float
    computes_in: str
    """The matrix rate that its products run at (`Gpu.matrix_flops`); weight-only formats compute in 16 bit."""
    experts_only: bool = False
    """True where attention and dense matrices stay 16 bit."""
    everything: bool = False
    """True where embedding and head are quantised too (GGUF); the bytes are then the mean over all parameters."""
    unpacked: bool = False
    """True where kernels unpack the weights as they read them."""
    with_fp4: str | None = None
    """Where it is another rate on cards that multiply 4-bit numbers: which."""

    def rate_on(self, gpu: Gpu) -> str:
        """The matrix rate that its products run at on this card."""
        return self.computes_in if self.with_fp4 is None or gpu.fp4_flops is None else self.with_fp4


WEIGHT_FORMATS: Final = {
    "fp32": WeightFormat(4.0, "fp32"),
    "bf16": WeightFormat(2.0, "bf16"),
    "fp16": WeightFormat(2.0, "fp16"),
    "fp8": WeightFormat(1.0, "fp8"),  # scales a tensor, a channel or a 128 x 128 block: under 0.1%
    "int8": WeightFormat(1.0, "int8"),
    # AWQ and GPTQ, groups of 32 to 128: 4 bit + (16 bit scale + 4 bit zero) a group
    "int4": WeightFormat(0.53, "bf16", unpacked=True),
    "nvfp4": WeightFormat(0.5625, "fp4"),  # 4 bit + an 8 bit scale for 16 weights
    # gpt-oss: 4 bit + an 8 bit scale for 32 weights; cards with fp4 multiply them by inputs in mxfp8, at the rate of fp8
    # (TensorRT-LLM's and FlashInfer's w4a8 kernels of 2025), others compute in 16 bits
    "mxfp4": WeightFormat(0.53125, "bf16", experts_only=True, with_fp4="fp8"),
    # llama.cpp's tools/quantize README: bits a weight of Llama-3.1-8B files, all tensors together (2026-11-26)
    "q2_k": WeightFormat(3.16 / 8, "half", everything=True, unpacked=True),
    "q3_k_m": WeightFormat(4.00 / 8, "half", everything=True, unpacked=True),
    "q4_0": WeightFormat(4.66 / 8, "half", everything=True, unpacked=True),
    "q4_k_m": WeightFormat(4.89 / 8, "half", everything=True, unpacked=True),
    "q5_0": WeightFormat(5.60 / 8, "half", everything=True, unpacked=True),
    "q5_k_m": WeightFormat(5.70 / 8, "half", everything=True, unpacked=True),
    "q6_k": WeightFormat(6.56 / 8, "half", everything=True, unpacked=True),
    "f16": WeightFormat(2.0, "half", everything=True),
    "q8_0": WeightFormat(8.50 / 8, "half", everything=True, unpacked=True),
}
"""Weight formats by name."""


def weight_format(name: str) -> WeightFormat:
    """The weight format called `name`; an unknown name is an error."""
    if name not in WEIGHT_FORMATS:
        raise UnknownName("weight_dtype", name, WEIGHT_FORMATS, "weight format")
    return WEIGHT_FORMATS[name]


def wide_bytes(weight_dtype: str) -> float:
    """Bytes of a parameter of embedding, head and norms."""
    form = weight_format(weight_dtype)
    return form.bytes_per_parameter if form.everything else max(form.bytes_per_parameter, SIXTEEN_BIT)


def stack_bytes(shape: ModelShape, weight_dtype: str) -> tuple[float, float]:
    """Bytes of the matrices of all layers, dense ones and experts. Routers stay 16 bit."""
    form, wide = weight_format(weight_dtype), wide_bytes(weight_dtype)
    dense = sum(
        x.parameters * (wide if form.experts_only or x.name == "router" else form.bytes_per_parameter)
        for x in shape.linears if x.experts == 1
    )
    experts = sum(x.parameters * form.bytes_per_parameter for x in shape.linears if x.experts > 1)
    return dense, experts


def weight_bytes(shape: ModelShape, weight_dtype: str) -> float:
    """Bytes of all weights in memory: quantised stack, and 16 bit embedding, head (once if tied), norms and extras."""
    stack = sum(stack_bytes(shape, weight_dtype))
    rest = shape.parameters - sum(x.parameters for x in shape.linears)
    return stack + rest * wide_bytes(weight_dtype)


def step_read_bytes(shape: ModelShape, weight_dtype: str) -> tuple[float, float]:
    """Bytes of weights that a decode step always reads, and those it reads besides if every expert is touched.

    The embedding is a look-up of a few rows; the head is read in full, tied or not.
    """
    dense, experts = stack_bytes(shape, weight_dtype)
    rest = shape.head_parameters + shape.norm_parameters + shape.extra_active_parameters
    return dense + rest * wide_bytes(weight_dtype), experts
