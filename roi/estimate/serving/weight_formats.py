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
    """The rate that products run at on cards that multiply 4-bit numbers; None: `computes_in` there too."""

    plain: bool = False
    """True where a block of such weights has one scale and each is whole in its bits (GGUF's q4_0 and q8_0). The kernels of
    Apple's GPUs then unpack by a mask, for inputs that are scaled beforehand, while K-quants unpack scales of 6 bits too."""

    def reading_on(self, gpu: Gpu) -> float:
        """1.0 where unpacking adds to the time of reading dense matrices on this card, else 0.0."""
        return float(self.unpacked and not (self.plain and gpu.apple))

    def rate_on(self, gpu: Gpu) -> str:
        """Name of the matrix rate at which products with such weights run on this card (`Gpu.matrix_flops`)."""
        return self.computes_in if self.with_fp4 is None or gpu.fp4_flops is None else self.with_fp4

    def widened_on(self, gpu: Gpu) -> bool:
        """True where kernels on this card make 16-bit numbers of weights: of 4 bits, of fp8 and fp4 without units for fp8."""
        return self.unpacked or (self.computes_in in ("fp8", "fp4") and gpu.fp8_flops is None)

    def unpacked_on(self, gpu: Gpu) -> bool:
        """True where kernels on this card unpack the weights: mxfp4 too, without units for 4-bit numbers."""
        return self.unpacked or (self.with_fp4 is not None and gpu.fp4_flops is None)


OF_GGUF: Final = ("llama.cpp", "ollama")
"""Engines of GGUF files, which run on every card, and alone on Apple's."""
IN_TURN: Final = (*OF_GGUF, "transformers")
"""Engines that give several GPUs the layers one after the other where they are told nothing else (--split-mode, device_map)."""
GGUF_BITS: Final = {
    "iq1_s": 2.0042, "iq1_m": 2.1460, "iq2_xxs": 2.3824, "iq2_xs": 2.5882, "iq2_s": 2.7403, "iq2_m": 2.9294,
    "q2_k_s": 2.9697, "q2_k": 3.16, "iq3_xxs": 3.2548, "iq3_xs": 3.4977, "q3_k_s": 3.6429, "iq3_s": 3.6606, "iq3_m": 3.7628,
    "q3_k_m": 4.00, "q3_k_l": 4.2979, "iq4_xs": 4.4597, "q4_0": 4.66, "q4_k_s": 4.6672, "iq4_nl": 4.6818, "q4_k_m": 4.89,
    "q4_1": 5.11, "q5_k_s": 5.5704, "q5_0": 5.60, "q5_k_m": 5.70, "q5_1": 6.04, "q6_k": 6.56, "q8_0": 8.50,
}  # fmt: skip
"""Bits a weight of Llama-3.1-8B files by their format, all tensors together: a format's file mixes the block formats.

llama.cpp's tools/quantize README (2026-11-26, 2026-11-28); of q4_1 and q5_1 the sizes that llama-quantize prints, 4.78 and 5.65
GiB of 8.03e9 weights. Models with a larger share of embedding and head differ by some percent.
"""
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
    # of dense models, as AMD's Quark and llm-compressor write it: inputs too are multiplied in 4 bits, by units that do
    # (CompressedTensorsW4A4Mxfp4 of vLLM 0.25)
    "mxfp4-dense": WeightFormat(0.53125, "fp4"),
    "f16": WeightFormat(2.0, "half", everything=True),
    **{name: WeightFormat(bits / 8.0, "half", everything=True, unpacked=True, plain=name in ("q4_0", "q8_0"))
       for name, bits in GGUF_BITS.items()},
}
"""Weight formats by name."""


def weight_format(name: str) -> WeightFormat:
    """The weight format called `name`; an unknown name is an error."""
    if name not in WEIGHT_FORMATS:
        raise UnknownName("weight_dtype", name, WEIGHT_FORMATS, "weight format")
    return WEIGHT_FORMATS[name]


def stored_as(shape: ModelShape, weight_dtype: str) -> str:
    """The weight format that a name means of this model: a dense one has no experts that mxfp4 could be of alone."""
    return "mxfp4-dense" if weight_dtype == "mxfp4" and not shape.mixture else weight_dtype


def runs_format(shape: ModelShape, gpu: Gpu, dtype: str, engine: str | None, *, adapters: bool = False) -> bool:
    """False where no kernel exists for a model's weights in this format, None being vLLM; `adapters` are applied at run time.

    No engine but OF_GGUF's runs on cards without matrix cores: vLLM's CUDA needs compute capability 7.0, its ROCm lists none.
    bf16 itself, and weight-only fp8 (Marlin), need Ampere, the generation with bf16. nvfp4 is NVIDIA's, for its fp4 units
    (vLLM, SGLang, TensorRT-LLM); beside adapters vLLM multiplies it in 16 bit (issue 42629), so it gains nothing there.
    OF_GGUF's run GGUF files and nothing else, those that they are estimated with merged adapters alone; None is one of them on
    Apple's GPUs.
    """
    in_gguf = dtype == "f16" or dtype in GGUF_BITS
    if in_gguf or engine in OF_GGUF or gpu.apple:
        return in_gguf and (engine in OF_GGUF or (engine is None and gpu.apple)) and not adapters
    if not gpu.matrix_cores:
        return False
    if engine == "tensorrt-llm" and gpu.amd:
        return False
    if dtype == "nvfp4":
        return gpu.fp4_flops is not None and not gpu.amd and not adapters and engine not in {"tgi", "lmdeploy"}
    if dtype == "mxfp4":
        return shape.mixture and _runs_mxfp4(gpu, engine, adapters=adapters)
    return dtype not in {"fp8", "bf16"} or gpu.bf16_flops is not None


def _runs_mxfp4(gpu: Gpu, engine: str | None, *, adapters: bool) -> bool:
    """Where experts in mxfp4 run.

    vLLM (its GPT-OSS recipe): Marlin from Ampere on, Triton on Hopper, FlashInfer on Blackwell, AMD from MI300X on; adapters
    beside them with Marlin alone (pull 30598), so not on AMD. SGLang: Hopper and Blackwell (pull 8822), AMD with fp4 units
    (pulls 13929 and 17190 for MI300X were closed). TensorRT-LLM: Hopper and Blackwell (its deployment guide). LMDeploy: NVIDIA
    from V100 on (its news of 2025-09). TGI: none known. Marlin multiplies in 16 bit on Blackwell too: prompts beside adapters
    are taken as faster there than they are.
    """
    if engine == "tgi" or (adapters and (gpu.amd or engine in {"sglang", "tensorrt-llm", "lmdeploy"})):
        return False
    if engine in {"sglang", "tensorrt-llm"}:
        return gpu.fp4_flops is not None or gpu.id.startswith(("H", "GH"))
    if engine == "lmdeploy":
        return not gpu.amd
    return (gpu.fp8_flops if gpu.amd else gpu.bf16_flops) is not None


def wide_bytes(weight_dtype: str) -> float:
    """Bytes of a parameter of embedding, head and norms."""
    form = weight_format(weight_dtype)
    return form.bytes_per_parameter if form.everything else max(form.bytes_per_parameter, SIXTEEN_BIT)


def stack_bytes(shape: ModelShape, weight_dtype: str) -> tuple[float, float]:
    """Bytes of the matrices of all layers, dense ones and experts. Routers stay 16 bit."""
    form, wide = weight_format(weight_dtype), wide_bytes(weight_dtype)
    dense = sum(
        x.parameters * (wide if form.experts_only or x.name.startswith("router") else form.bytes_per_parameter)
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
