"""What CUDA does otherwise than tensors without storage: attention, dropout and softmax by kernels of its own, and autocast.

aten/src/ATen/autocast_mode.h holds CUDA's lists of functions that run in 16 bits or in fp32; the CPU's differ, and meta tensors
have none. Buffers that a kernel hides inside one operator are in recorder.py.
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers.integrations import moe
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import AttentionInterface

from roi.profiling.card_kernels import FLASH, CardKernels
from roi.profiling.dry.recorder import takes_cudnn

CALLS_FLASH: Final = ("gemma2", "gpt_oss")
"""Families that have no SDPA (soft-capped scores, sinks) and call FlashAttention as others do."""

_LIBRARY = torch.library.Library("roi", "DEF")
_LIBRARY.define("attention_forward(Tensor q, Tensor k, Tensor v, Tensor? mask) -> (Tensor, Tensor)")
_LIBRARY.define("attention_backward(Tensor g, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Tensor? mask)"
                " -> (Tensor, Tensor, Tensor)")


def _forward(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Output in (batch, tokens, heads, dim) order behind the usual view, and one fp32 log-sum a row, as both kernels do."""
    del k, mask
    batch, heads, tokens, _ = q.shape
    out = torch.empty((batch, tokens, heads, v.shape[-1]), dtype=q.dtype, device=q.device).transpose(1, 2)
    return out, torch.empty((batch, heads, tokens), dtype=torch.float32, device=q.device)


def _backward(g: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor,
              mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values, laid out as their arguments."""
    del g, out, lse, mask
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


_LIBRARY.impl("attention_forward", _forward, "Meta")
_LIBRARY.impl("attention_backward", _backward, "Meta")


class FusedAttention(torch.autograd.Function):
    """FlashAttention-2 or memory-efficient attention: nothing of size tokens x tokens is kept."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:  # Any: torch's own
        """Keep the arguments, the output and the row sums."""
        out, lse = torch.ops.roi.attention_forward(q, k, v, mask)
        ctx.save_for_backward(q, k, v, out, lse, mask)
        return out  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Gradients of queries, keys and values; None for the mask."""
        return (*torch.ops.roi.attention_backward(gradients[0], *ctx.saved_tensors), None)


def choose_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, *, grouped: bool,
                     kernels: CardKernels = FLASH, kernel: str = "sdpa") -> str:
    """fused or math: what torch's SDPA takes on CUDA, or what `kernel` pins (a plan's attention).

    aten/src/ATen/native/transformers/cuda/sdp_utils.cpp: FlashAttention takes 16-bit types without a mask, head dimensions
    up to 256, and grouped heads; memory-efficient attention takes fp32 and masks, but not grouped heads; cuDNN, where the
    card prefers it, takes 16-bit types with masks and grouped heads, and dropout of whole sixteenths; else the math path. Both
    others draw the dropped scores anew from a seed (the CPU's rule, check_for_dropout in sdp_utils_cpp.h, is not CUDA's).
    """
    if kernel == "sdpa-math":
        return "math"
    cudnn = kernels.attention == "cudnn" and kernel in {"sdpa", "sdpa-cudnn"}
    if cudnn and takes_cudnn(q) and q.shape[-1] == v.shape[-1] and (16.0 * dropout).is_integer():
        return "fused"
    flash = mask is None and q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] <= 256 and q.shape[-1] == v.shape[-1]
    efficient = not (grouped and q.shape[1] != k.shape[1])
    return "fused" if flash or efficient else "math"


def attention_on_cuda(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
                      is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
                      kernels: CardKernels = FLASH, kernel: str = "sdpa") -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention` as CUDA would run it, on tensors without storage."""
    if torch.is_autocast_enabled("cuda"):  # scaled_dot_product_attention is on autocast's 16-bit list
        query, key, value = (x.to(torch.get_autocast_dtype("cuda")) for x in (query, key, value))
    path = choose_attention(query, key, value, attn_mask, dropout_p, grouped=enable_gqa, kernels=kernels, kernel=kernel)
    if path == "math":
        return torch.ops.aten._scaled_dot_product_attention_math(  # type: ignore[no-any-return]
            query, key, value, attn_mask, dropout_p, is_causal, None, scale=scale, enable_gqa=enable_gqa,
        )[0]
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # sdp::convert_boolean_attn_mask: the kernel wants an additive mask in the query's type
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(attn_mask.logical_not(), float("-inf"))
    return FusedAttention.apply(query, key, value, attn_mask)  # type: ignore[no-any-return]


def flash_on_cuda(dtype: torch.dtype, query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object) -> Tensor:
    """FlashAttention-2 called by name: 16-bit copies of wider tensors, no mask."""
    query, key, value = (x.to(dtype) if x.dtype == torch.float32 else x for x in (query, key, value))
    return FusedAttention.apply(query, key, value, None)  # type: ignore[no-any-return]


def _through_sdpa(*args: Any, softcap: float | None = None, s_aux: Tensor | None = None, **kwargs: Any) -> Any:  # Any: theirs
    """What comes before and behind the kernel, which takes soft caps and sinks too."""
    del softcap, s_aux
    return sdpa_attention_forward(*args, **kwargs)


def dropout_on_cuda(input: Tensor, p: float, train: bool) -> Tensor:  # noqa: A002 -- torch's name
    """`aten::dropout`, which SDPA's math path calls too, by the fused kernel: a mask of one byte an element is kept.

    aten/src/ATen/native/Dropout.cpp, dropout: native_dropout where the tensor is on CUDA.
    """
    return torch.native_dropout(input, p, True)[0] if train and p > 0 else input


def softmax_on_cuda(
    input: Tensor,  # noqa: A002 -- torch's name, which callers may use
    dim: int | None = None, _stacklevel: int = 3, dtype: torch.dtype | None = None,
) -> Tensor:
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
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:  # Any: torch's own
        """Compute, and keep only the fp32 result for backward."""
        result = torch.ops.aten._softmax(x, dim, True)
        ctx.save_for_backward(result)
        ctx.dim = dim
        return result  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The fp16 gradient; the kernel's product of gradient and result is in `hidden_bytes`."""
        (result,) = ctx.saved_tensors
        return torch.ops.aten._softmax_backward_data(gradients[0], result, ctx.dim, torch.float16), None


@contextmanager
def cuda_kernels(
    flash: torch.dtype | None = None, kernels: CardKernels = FLASH, kernel: str = "sdpa",
) -> Iterator[None]:
    """While it lasts, attention, dropout and softmax run as CUDA would run them.

    `flash` is the 16-bit type in which FlashAttention is called where it is asked for by name: transformers hands it copies of
    wider tensors (integrations/flash_attention.py, target_dtype).
    """
    attend = partial(attention_on_cuda, kernels=kernels, kernel=kernel) if flash is None else partial(flash_on_cuda, flash)
    ways = {} if flash is None else {"sdpa": _through_sdpa}
    with (
        torch.library._scoped_library("aten", "IMPL") as operators,
        patch.dict(AttentionInterface._global_mapping, ways),
        patch.object(torch.nn.functional, "scaled_dot_product_attention", attend),
        patch.object(torch.nn.functional, "softmax", softmax_on_cuda),
        # CUDA's grouped product serves bf16 experts alone (_grouped_mm_cuda); else there is a loop over the experts
        patch.object(moe, "_can_use_grouped_mm", lambda _x, weight, _offsets: weight.dtype == torch.bfloat16),
    ):
        operators.impl("dropout", dropout_on_cuda, "AutogradMeta")
        yield


LOWER: Final = frozenset({
    torch.nn.functional.linear, torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.mm, torch.bmm, torch.addmm,
    torch.baddbmm, Tensor.mm, Tensor.bmm, Tensor.addmm, Tensor.baddbmm, torch.nn.functional.conv1d, torch.conv1d, torch.einsum,
    torch.linalg.multi_dot,
})
"""AT_FORALL_LOWER_PRECISION_FP, as far as language models use it; attention is lowered where it is replaced."""
UPPER: Final = frozenset({
    torch.softmax, torch.nn.functional.softmax, torch.log_softmax, torch.nn.functional.log_softmax, torch.pow, Tensor.pow,
    torch.rsqrt, torch.exp, torch.log, torch.nn.functional.layer_norm, torch.nn.functional.cross_entropy, torch.sum,
    Tensor.sum, torch.cumsum, Tensor.cumsum, torch.norm, torch.linalg.vector_norm, torch.cosine_similarity,
    torch.nn.functional.nll_loss, torch.nn.functional.rms_norm,
})
"""AT_FORALL_FP32, as far as language models use it."""
CAST: Final = LOWER | UPPER


class CudaAutocast(TorchFunctionMode):
    """Casts arguments as autocast does; fp32 leaves with a gradient that are no views are cast once and kept (cached_cast)."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.cache: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None,  # Any: torch's own
    ) -> Any:
        kwargs = kwargs or {}
        if func not in CAST or not torch.is_autocast_enabled("cuda"):
            return func(*args, **kwargs)
        if func in UPPER and kwargs.get("dtype") is not None:
            return func(*args, **kwargs)
        cast = self._lower if func in LOWER else self._raise
        return func(*[_over(x, cast) for x in args], **{name: _over(x, cast) for name, x in kwargs.items()})

    def _lower(self, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            return x
        if not (x.requires_grad and x.is_leaf) or x._is_view():
            return x.to(self.dtype)
        if id(x) not in self.cache:
            self.cache[id(x)] = x.to(self.dtype)
        return self.cache[id(x)]

    def _raise(self, x: Tensor) -> Tensor:
        return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _over(x: Any, cast: Callable[[Tensor], Tensor]) -> Any:  # Any: an argument of torch's
    """The argument with its tensors cast, those of a list too."""
    if isinstance(x, Tensor):
        return cast(x)
    return type(x)(_over(each, cast) for each in x) if type(x) in (list, tuple) else x


@contextmanager
def lowered(dtype: torch.dtype) -> Iterator[None]:
    """What `torch.autocast("cuda", dtype)` does, entered once however often it is nested."""
    if torch.is_autocast_enabled("cuda"):
        yield
        return
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", dtype)
    try:
        with CudaAutocast(dtype):
            yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)


def recompute_lowered(model: nn.Module, dtype: torch.dtype) -> None:
    """Let every checkpointed layer recompute under autocast, as torch.utils.checkpoint restores it on CUDA."""
    module: Any  # Any: layers get the function as an attribute
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", None) is True and hasattr(module, "_gradient_checkpointing_func"):
            module._gradient_checkpointing_func = partial(_checkpoint_lowered, module._gradient_checkpointing_func, dtype)


def _checkpoint_lowered(  # Any: torch's own
    checkpoint: Callable[..., Any], dtype: torch.dtype, function: Callable[..., Any], *args: Any, **kwargs: Any,
) -> Any:
    return checkpoint(lowered(dtype)(function), *args, **kwargs)


@contextmanager
def meta_asks_cuda() -> Iterator[None]:
    """While it lasts, code that asks for the autocast state of a tensor's device is answered with CUDA's."""
    enabled, dtype = torch.is_autocast_enabled, torch.get_autocast_dtype

    def is_enabled(device: str = "cuda") -> bool:
        return enabled("cuda" if device == "meta" else device)

    def get_dtype(device: str) -> torch.dtype:
        return dtype("cuda" if device == "meta" else device)

    @contextmanager
    def autocast(device_type: str, *, enabled: bool = True, **_: object) -> Iterator[None]:
        before = is_enabled(device_type)
        torch.set_autocast_enabled("cuda", before and enabled)
        try:
            yield
        finally:
            torch.set_autocast_enabled("cuda", before)

    with (
        patch.object(torch, "is_autocast_enabled", is_enabled), patch.object(torch, "get_autocast_dtype", get_dtype),
        patch.object(torch, "autocast", autocast),
    ):
        yield
