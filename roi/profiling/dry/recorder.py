"""A dispatch mode that writes down every storage of a step, when it comes and goes, and the work of every operator.

CUDA's kernels allocate and free buffers inside one operator, which a tensor without storage does not show: RULES has them, each
with its source.
"""

from roi.profiling.stack import torch

# isort: split
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from roi.facts.profiles import OperatorGroup
from roi.facts.tape import Block, Tape
from roi.profiling.dry.operator_work import describe, is_view

HEAD_DIM_STEP: Final = 32
TOKEN_STEP: Final = 128
"""FlashAttention-2 rounds head dimension and tokens of its accumulator up to these (csrc/flash_attn/flash_api.cpp, mha_bwd)."""


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


def hidden_bytes(name: str, args: tuple[Any, ...]) -> list[int]:
    """Bytes of the buffers that the operator `name` holds while it runs on CUDA, one each."""
    rule = RULES.get(name)
    return [] if rule is None else [int(n) for n in rule(args) if n > 0]


class Recorder(TorchDispatchMode):
    """Meta tensors in, a Tape out. Storages on other devices (optimizer step counters) are on the host and left out."""

    def __init__(self, parts: Callable[[str, str, str, Sequence[Any]], str]) -> None:
        """`parts(operator, module, phase, arguments)` says what an allocation counts as in a breakdown. Any: the operator's."""
        super().__init__()
        self.parts = parts
        self.phase = "load"
        self.blocks: list[Block] = []
        self.events: list[int] = []
        self.marks: list[tuple[str, int]] = []
        self.operators: Counter[OperatorGroup] = Counter()
        self.timed = False
        self._alive: dict[int, int] = {}
        self._modules: list[str] = []
        self._modules_of_nodes: dict[int, tuple[str, str]] = {}

    def begin(self, phase: str) -> None:
        """From here on allocations belong to `phase`."""
        self.phase = phase
        self.marks.append((phase, len(self.events)))

    def hold(self, tensors: Sequence[torch.Tensor], operator: str, part: str) -> None:
        """Count storages of tensors that exist already."""
        for tensor in tensors:
            self._add(tensor, operator, part)

    def relabel(self, tensor: torch.Tensor, part: str) -> None:
        """Count a living tensor as `part`, for example once it is known to be a gradient."""
        index = self._alive.get(tensor.untyped_storage()._cdata)
        if index is not None:
            block = self.blocks[index]
            self.blocks[index] = Block(block.nbytes, block.operator, block.module, block.phase, part)

    def allocate(self, nbytes: int, operator: str, part: str) -> int:
        """Note a block that no tensor stands for, and return its number for `release`."""
        self.blocks.append(Block(nbytes, operator, self._place()[0], self.phase, part))
        self.events.append(len(self.blocks))
        return len(self.blocks) - 1

    def release(self, index: int) -> None:
        """Note that a block is free again."""
        self.events.append(-(index + 1))

    def tape(self) -> Tape:
        """The tape of what was recorded so far."""
        return Tape(tuple(self.blocks), np.asarray(self.events, dtype=np.int64), tuple(self.marks))

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Know which module runs. A stack heals itself: recomputation leaves modules by exceptions, without a post-hook."""
        handles = []
        for name, module in model.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(partial(self._enter, name)))
                handles.append(module.register_forward_hook(partial(self._leave, name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, *_: object) -> None:
        while self._modules and not name.startswith(self._modules[-1] + "."):
            self._modules.pop()
        self._modules.append(name)

    def _leave(self, name: str, *_: object) -> None:
        if self._modules and self._modules[-1] == name:
            self._modules.pop()

    def _place(self) -> tuple[str, str]:
        """(module, phase) that an operator belongs to; in backward, those of the forward that made the running node."""
        if self.phase == "backward" and not torch.is_grad_enabled():
            node = torch._C._current_autograd_node()
            if node is not None:
                return self._modules_of_nodes.get(node._sequence_nr(), ("", "backward"))
        return (self._modules[-1] if self._modules else "", self.phase)

    def _add(self, tensor: torch.Tensor, operator: str, part: str) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if tensor.device.type != "meta" or key in self._alive:
            return
        index = self.allocate(storage.nbytes(), operator, part)
        self._alive[key] = index
        weakref.finalize(storage, self._drop, key, index)

    def _drop(self, key: int, index: int) -> None:
        if self._alive.pop(key, None) is not None:
            self.release(index)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None,  # Any: torch's own
    ) -> Any:
        name = str(func)
        module, phase = self._place()
        if torch.is_grad_enabled() and self.phase != "backward":
            self._modules_of_nodes[torch._C._autograd._get_sequence_nr() - 1] = (module, self.phase)
        part = self.parts(name, module, phase, args)
        hidden = [self.allocate(n, f"{name} (CUDA)", "workspaces") for n in hidden_bytes(name, args)]
        result = func(*args, **(kwargs or {}))
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        for leaf in outputs:
            self._add(leaf, name, part)
        for index in hidden:
            self.release(index)
        if self.timed and not is_view(func, args, outputs):
            for group in describe(func, args, outputs, self.phase):
                self.operators[group] += 1
        return result
