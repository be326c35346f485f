"""torch.autocast on CUDA for tensors without storage: which functions run in 16 bits, which in fp32, and the weight cache.

aten/src/ATen/autocast_mode.h holds CUDA's lists; the CPU's differ, and meta tensors have none.
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final
from unittest.mock import patch

from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

LOWER: Final = frozenset({
    torch.nn.functional.linear, torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.mm, torch.bmm, torch.addmm,
    torch.baddbmm, torch.nn.functional.conv1d, torch.conv1d, torch.einsum, torch.linalg.multi_dot,
})
"""AT_FORALL_LOWER_PRECISION_FP, as far as language models use it; attention is lowered where it is replaced."""

UPPER: Final = frozenset({
    torch.softmax, torch.nn.functional.softmax, torch.log_softmax, torch.nn.functional.log_softmax, torch.pow, torch.Tensor.pow,
    torch.rsqrt, torch.exp, torch.log, torch.nn.functional.layer_norm, torch.nn.functional.cross_entropy, torch.sum,
    torch.Tensor.sum, torch.cumsum, torch.Tensor.cumsum, torch.norm, torch.linalg.vector_norm, torch.cosine_similarity,
    torch.nn.functional.nll_loss, torch.nn.functional.rms_norm,
})
"""AT_FORALL_FP32, likewise."""


class CudaAutocast(TorchFunctionMode):
    """Casts arguments as autocast does; fp32 leaves that need a gradient are cast once and kept (cached_cast)."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.cache: dict[int, torch.Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None,  # Any: torch's own
    ) -> Any:
        kwargs = kwargs or {}
        if not torch.is_autocast_enabled("cuda"):
            return func(*args, **kwargs)
        if func in LOWER:
            args, kwargs = tree_map(self._lower, args), tree_map(self._lower, kwargs)
        elif func in UPPER and kwargs.get("dtype") is None:
            args, kwargs = tree_map(self._raise, args), tree_map(self._raise, kwargs)
        return func(*args, **kwargs)

    def _lower(self, x: object) -> object:
        if not isinstance(x, torch.Tensor) or x.dtype != torch.float32:
            return x
        if not (x.requires_grad and x.is_leaf):
            return x.to(self.dtype)
        key = id(x)
        if key not in self.cache:
            self.cache[key] = x.to(self.dtype)
        return self.cache[key]

    def _raise(self, x: object) -> object:
        return x.float() if isinstance(x, torch.Tensor) and x.dtype in (torch.bfloat16, torch.float16) else x


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
            module._gradient_checkpointing_func = _lowering(module._gradient_checkpointing_func, dtype)


def _lowering(checkpoint: Callable[..., Any], dtype: torch.dtype) -> Callable[..., Any]:  # Any: torch's own
    @wraps(checkpoint)
    def under_autocast(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def body(*inner: Any, **named: Any) -> Any:
            with lowered(dtype):
                return function(*inner, **named)

        return checkpoint(body, *args, **kwargs)

    return under_autocast


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
