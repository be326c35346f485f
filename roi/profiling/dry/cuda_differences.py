"""What CUDA's kernels do and a tensor without storage does not show: one table, each entry with its source.

`hidden_bytes` gives buffers that a kernel allocates and frees inside one operator. Kernels that CUDA replaces altogether
(attention, dropout) are in cuda_kernels.py.
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Callable
from typing import Any, Final

HEAD_DIM_STEP: Final = 32
"""FlashAttention-2 rounds the head dimension of its accumulator up to this (csrc/flash_attn/flash_api.cpp, mha_bwd)."""

TOKEN_STEP: Final = 128
"""and the tokens to this."""


def hidden_bytes(name: str, args: tuple[Any, ...]) -> list[int]:
    """Bytes of the buffers that the operator `name` holds while it runs on CUDA, one each."""
    rule = RULES.get(name)
    return [] if rule is None else [int(n) for n in rule(args) if n > 0]


def _softmax_backward(args: tuple[Any, ...]) -> list[float]:
    """host_softmax_backward is given grad * output: a product of the gradient's size in the wider type.

    aten/src/ATen/native/cuda/SoftMax.cu, softmax_backward_cuda_out: `Tensor tmp = grad * output;`
    """
    gradient, output = args[0], args[1]
    return [gradient.numel() * max(gradient.element_size(), output.element_size())]


def _gemm_4bit(args: tuple[Any, ...]) -> list[float]:
    """Above 1,536 rows (fewer on most cards) the fused kernel gives way to dequantise + linear.

    bitsandbytes/backends/cuda/ops.py, gemm_4bit and _gemm_4bit_use_custom_cuda: the weight in the input's type, and where
    scales are quantised too, their fp32 copy while the weight is made. Older releases (< 0.49) always dequantise. Fewer
    rows need no buffer on some cards; then this is too high by one weight of one layer.
    """
    a, shape, blocksize = args[0], args[2], args[4]
    n = shape[0] * shape[1]
    return [n * a.element_size(), 4.0 * n / blocksize]


def _int8_quantise(args: tuple[Any, ...]) -> list[float]:
    """Looking for outlier columns: the absolute values, and the comparison with the threshold.

    bitsandbytes/backends/cuda/ops.py, int8_vectorwise_quant: `outliers = A.abs() >= threshold`, threshold 6.0 by default.
    """
    return [args[0].numel() * float(args[0].element_size()), float(args[0].numel())]


def _int8_product(args: tuple[Any, ...]) -> list[float]:
    """The int32 product, and its fp16 form where the result has another type (int8_mm_dequant)."""
    rows, columns = args[0].numel() // args[0].shape[-1], args[1].shape[0]
    return [4.0 * rows * columns, 2.0 * rows * columns]


def _attention_backward(args: tuple[Any, ...]) -> list[float]:
    """Accumulators of the fused kernels' backward.

    FlashAttention-2 (csrc/flash_attn/flash_api.cpp, mha_bwd): dq in fp32, rounded up; one fp32 sum a row; keys' and
    values' gradients for every query head where heads are grouped. Memory-efficient attention
    (aten/src/ATen/native/transformers/cuda/attention_backward.cu): one fp32 sum a row.
    """
    query, key, mask = args[1], args[2], args[6]
    batch, heads, tokens, dim = query.shape
    rows = -(-tokens // TOKEN_STEP) * TOKEN_STEP
    sums = 4.0 * batch * heads * rows
    if mask is not None or query.dtype == torch.float32 or dim > 256:
        return [sums]
    expanded = 0.0 if key.shape[1] == heads else 2.0 * batch * tokens * heads * dim * key.element_size()
    return [4.0 * batch * heads * rows * (-(-dim // HEAD_DIM_STEP) * HEAD_DIM_STEP), sums, expanded]


RULES: Final[dict[str, Callable[[tuple[Any, ...]], list[float]]]] = {
    "aten._softmax_backward_data.default": _softmax_backward,
    "bitsandbytes.gemm_4bit.default": _gemm_4bit,
    "bitsandbytes.int8_vectorwise_quant.default": _int8_quantise,
    "bitsandbytes.int8_scaled_mm.default": _int8_product,
    "roi.attention_backward.default": _attention_backward,
}
"""Operator -> buffers. The cuBLAS workspace is one block for the whole step: roi.estimate.training.memory.workspace_bytes."""
