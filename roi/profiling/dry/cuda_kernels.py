"""Operators that CUDA runs by kernels of its own, put in their place while a step is recorded: attention, dropout, softmax."""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from torch import nn
from transformers.integrations import moe

_LIBRARY = torch.library.Library("roi", "DEF")
_LIBRARY.define("attention_forward(Tensor q, Tensor k, Tensor v, Tensor? mask) -> (Tensor, Tensor)")
_LIBRARY.define(
    "attention_backward(Tensor g, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Tensor? mask)"
    " -> (Tensor, Tensor, Tensor)",
)


def _forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output in (batch, tokens, heads, dim) order behind the usual view, and one fp32 log-sum a row, as both kernels do."""
    del k, mask
    batch, heads, tokens, _ = q.shape
    out = torch.empty((batch, tokens, heads, v.shape[-1]), dtype=q.dtype, device=q.device).transpose(1, 2)
    return out, torch.empty((batch, heads, tokens), dtype=torch.float32, device=q.device)


def _backward(
    g: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, out: torch.Tensor, lse: torch.Tensor,
    mask: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of queries, keys and values, laid out as their arguments."""
    del g, out, lse, mask
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


_LIBRARY.impl("attention_forward", _forward, "Meta")
_LIBRARY.impl("attention_backward", _backward, "Meta")


class FusedAttention(torch.autograd.Function):
    """FlashAttention-2 or memory-efficient attention: nothing of size tokens x tokens is kept."""

    @staticmethod
    def forward(
        ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None,  # Any: torch's own
    ) -> torch.Tensor:
        """Keep the arguments, the output and the row sums."""
        out, lse = torch.ops.roi.attention_forward(q, k, v, mask)
        ctx.save_for_backward(q, k, v, out, lse, mask)
        return out  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Gradients of queries, keys and values; None for the mask."""
        return (*torch.ops.roi.attention_backward(gradients[0], *ctx.saved_tensors), None)


def choose_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, dropout: float, *, grouped: bool,
) -> str:
    """fused or math: what torch's SDPA takes on CUDA.

    aten/src/ATen/native/transformers/cuda/sdp_utils.cpp: FlashAttention takes 16-bit types without a mask, head dimensions
    up to 256, and grouped heads; memory-efficient attention takes fp32 and masks, but not grouped heads; else the math path.
    """
    flash = mask is None and q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] <= 256 and q.shape[-1] == v.shape[-1]
    if flash:
        return "fused"
    efficient = not (grouped and q.shape[1] != k.shape[1]) and dropout == 0.0
    return "fused" if efficient else "math"


def attention_on_cuda(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> torch.Tensor:
    """`torch.nn.functional.scaled_dot_product_attention` as CUDA would run it, on tensors without storage."""
    if torch.is_autocast_enabled("cuda"):  # scaled_dot_product_attention is on autocast's 16-bit list
        query, key, value = (x.to(torch.get_autocast_dtype("cuda")) for x in (query, key, value))
    if choose_attention(query, key, value, attn_mask, dropout_p, grouped=enable_gqa) == "math":
        return torch.ops.aten._scaled_dot_product_attention_math(  # type: ignore[no-any-return]
            query, key, value, attn_mask, dropout_p, is_causal, None, scale=scale, enable_gqa=enable_gqa,
        )[0]
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # sdp::convert_boolean_attn_mask: the kernel wants an additive mask in the query's type
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(attn_mask.logical_not(), float("-inf"))
    return FusedAttention.apply(query, key, value, attn_mask)  # type: ignore[no-any-return]


def flash_on_cuda(
    dtype: torch.dtype, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: object, **__: object,
) -> torch.Tensor:
    """FlashAttention-2 called by name: 16-bit copies of wider tensors, no mask."""
    query, key, value = (x.to(dtype) if x.dtype == torch.float32 else x for x in (query, key, value))
    return FusedAttention.apply(query, key, value, None)  # type: ignore[no-any-return]


def dropout_on_cuda(self: nn.Dropout, x: torch.Tensor) -> torch.Tensor:
    """`nn.Dropout.forward` by the fused kernel: a mask of one byte an element is kept.

    aten/src/ATen/native/Dropout.cpp, dropout: native_dropout where the tensor is on CUDA.
    """
    if not self.training or self.p == 0:
        return x
    return torch.native_dropout(x, self.p, True)[0]


def functional_dropout_on_cuda(
    input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False,  # noqa: A002 -- torch's names
) -> torch.Tensor:
    """`torch.nn.functional.dropout` by the same kernel."""
    del inplace
    return torch.native_dropout(input, p, True)[0] if training and p > 0 else input


def softmax_on_cuda(
    input: torch.Tensor,  # noqa: A002 -- torch's name, which callers may use
    dim: int | None = None, _stacklevel: int = 3, dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """`torch.nn.functional.softmax`: fp16 to fp32 is one kernel, whose gradient is fp16 again; other types are cast first.

    aten/src/ATen/native/SoftMax.cpp, softmax: half_to_float where the input is Half on CUDA and the result Float.
    """
    del _stacklevel
    if input.dtype == torch.float16 and dtype == torch.float32 and dim is not None:
        return HalfSoftmax.apply(input, dim)  # type: ignore[no-any-return]
    return torch.softmax(input, -1 if dim is None else dim, dtype=dtype)


class HalfSoftmax(torch.autograd.Function):
    """Softmax of an fp16 tensor in fp32."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, dim: int) -> torch.Tensor:  # Any: torch's own
        """Keep the fp32 result alone."""
        result = torch.ops.aten._softmax(x, dim, True)
        ctx.save_for_backward(result)
        ctx.dim = dim
        return result  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The fp16 gradient; the kernel's product of gradient and result is in cuda_differences."""
        (result,) = ctx.saved_tensors
        return torch.ops.aten._softmax_backward_data(gradients[0], result, ctx.dim, torch.float16), None


def takes_grouped_product(x: torch.Tensor, weight: torch.Tensor, offsets: torch.Tensor) -> bool:
    """True where CUDA's grouped product serves the experts: bf16 alone (_grouped_mm_cuda); else a loop over the experts."""
    del x, offsets
    return weight.dtype == torch.bfloat16


@contextmanager
def cuda_kernels(flash: torch.dtype | None = None) -> Iterator[None]:
    """While it lasts, attention, dropout and softmax run as CUDA would run them.

    `flash` is the 16-bit type in which FlashAttention is called where it is asked for by name: transformers hands it copies of
    wider tensors (integrations/flash_attention.py, target_dtype).
    """
    attend = attention_on_cuda if flash is None else partial(flash_on_cuda, flash)
    with (
        patch.object(torch.nn.functional, "scaled_dot_product_attention", attend),
        patch.object(torch.nn.functional, "softmax", softmax_on_cuda),
        patch.object(torch.nn.functional, "dropout", functional_dropout_on_cuda),
        patch.object(nn.Dropout, "forward", dropout_on_cuda),
        patch.object(moe, "_can_use_grouped_mm", takes_grouped_product),
    ):
        yield
