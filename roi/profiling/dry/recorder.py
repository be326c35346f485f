"""A dispatch mode that writes down every storage of a step, when it comes and goes, and the work of every operator.

CUDA's kernels allocate and free buffers inside one operator, which a tensor without storage does not show: RULES has them, each
with its source.
"""

from roi.profiling.stack import torch

# isort: split
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from roi.facts.profiles import OperatorGroup
from roi.facts.tape import Block, Tape
from roi.profiling.card_kernels import FLASH, CardKernels
from roi.profiling.dry.operator_work import describe, is_view, tensors_of
from roi.profiling.dry.shape_cache import ShapeCache, writes_over

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


def _attention_backward(args: tuple[Any, ...], kernels: CardKernels = FLASH) -> list[float]:
    """Accumulators of the fused kernels' backward.

    FlashAttention-2 (csrc/flash_attn/flash_api.cpp, mha_bwd): dq in fp32, rounded up; one fp32 sum a row; keys' and
    values' gradients for every query head where heads are grouped. cuDNN (cudnn-frontend, CompositeSDPABackwardNode):
    the same without rounding, dQ_accum, softmax_sum, dK_fullhead and dV_fullhead, also with a mask. Memory-efficient
    attention (aten/src/ATen/native/transformers/cuda/attention_backward.cu): one fp32 sum a row.
    """
    query, key, mask = args[1], args[2], args[6]
    batch, heads, tokens, dim = query.shape
    if kernels.attention == "cudnn" and takes_cudnn(query):
        whole = 0.0 if key.shape[1] == heads else 2.0 * batch * key.shape[2] * heads * dim * key.element_size()
        plain = [4.0 * batch * heads * tokens * dim, 4.0 * batch * heads * tokens, whole]
        return [n * kernels.hidden_ratio for n in plain]
    rows = -(-tokens // TOKEN_STEP) * TOKEN_STEP
    sums = 4.0 * batch * heads * rows
    if mask is not None or query.dtype == torch.float32 or dim > 256:
        return [sums]
    expanded = 0.0 if key.shape[1] == heads else 2.0 * batch * tokens * heads * dim * key.element_size()
    accumulated = 4.0 * batch * heads * rows * (-(-dim // HEAD_DIM_STEP) * HEAD_DIM_STEP)
    return [n * kernels.hidden_ratio for n in (accumulated, sums, expanded)]


def takes_cudnn(query: torch.Tensor) -> bool:
    """True where cuDNN's attention takes such queries: 16-bit types, a head dimension that is a multiple of 8, at most 128.

    sdp_utils.cpp, check_cudnn_tensor_shapes; up to 256 on some cards, which FlashAttention then serves with the same buffers.
    """
    return query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] % 8 == 0 and query.shape[-1] <= 128


RULES: Final[dict[str, Callable[[tuple[Any, ...]], list[float]]]] = {
    "aten._softmax_backward_data.default": _softmax_backward,
    "bitsandbytes.gemm_4bit.default": _gemm_4bit,
    "bitsandbytes.int8_vectorwise_quant.default": _int8_quantise,
    "bitsandbytes.int8_scaled_mm.default": _int8_product,
    "roi.attention_backward.default": _attention_backward,
}
"""Operator -> buffers. The cuBLAS workspace is one block for the whole step: roi.estimate.training.memory.workspace_bytes."""


def hidden_bytes(name: str, args: tuple[Any, ...], kernels: CardKernels = FLASH) -> list[int]:
    """Bytes of the buffers that the operator `name` holds while it runs on CUDA, one each."""
    rule = RULES.get(name)
    if rule is None:
        return []
    found = _attention_backward(args, kernels) if rule is _attention_backward else rule(args)
    return [int(n) for n in found if n > 0]


@dataclass(frozen=True, slots=True)
class Operator:
    """What is looked up of an operator once."""

    name: str
    view: bool
    runs: bool
    """True where it runs whenever it is called: a view, or one that writes otherwise than over its first argument."""
    hides: bool
    """True where CUDA's kernel holds buffers that are not seen here."""

    @classmethod
    def of(cls, func: Any) -> "Operator":  # Any: torch's own
        """The Operator of one that torch dispatches."""
        name, writes = str(func), func._schema.is_mutable
        view = func.is_view and not writes
        return cls(name, view, view or (writes and not writes_over(func)), name in RULES)


@dataclass
class Work:
    """Operators that do the same work."""

    group: OperatorGroup
    calls: int = 0


class Recorder(TorchDispatchMode):
    """Meta tensors in, a Tape out. Storages on other devices (optimizer step counters) are on the host and left out."""

    def __init__(self, parts: Callable[[str, str, str, Sequence[Any]], str], kernels: CardKernels = FLASH,
                 device: str = "meta", cache: ShapeCache | None = None) -> None:
        """`parts(operator, module, phase, arguments)` says what an allocation counts as in a breakdown. Any: the operator's."""
        super().__init__()
        self.parts, self.kernels, self.device = parts, kernels, device
        self.phase = "load"
        self.blocks: list[Block] = []
        self.events: list[int] = []
        self.marks: list[tuple[str, int]] = []
        self.work: dict[OperatorGroup, Work] = {}
        self.timed = False
        self.cache = cache or ShapeCache()
        self._operators: dict[int, Operator] = {}
        self._described: dict[Hashable, list[Work]] = {}
        self._alive: dict[int, tuple[int, object]] = {}
        """Address of a storage -> number of its block, and what sees the storage go."""
        self._modules: list[str] = []
        self._modules_of_nodes: dict[int, tuple[str, str]] = {}

    def begin(self, phase: str) -> None:
        """Count what is allocated from here on to `phase`."""
        self.phase = phase
        self.marks.append((phase, len(self.events)))

    def hold(self, tensors: Sequence[torch.Tensor], operator: str, part: str) -> None:
        """Count storages of tensors that exist already."""
        for tensor in tensors:
            storage = self._storage(tensor)
            if tensor.device.type == self.device and storage._cdata not in self._alive:
                self._add(storage, operator, self._place()[0], part)

    def relabel_gradient(self, parameter: torch.Tensor) -> None:
        """Count the gradient of a parameter as one; a parameter that this step did not reach has none."""
        if parameter.grad is None:
            return
        held = self._alive.get(parameter.grad.untyped_storage()._cdata)
        if held is not None:
            self.blocks[held[0]] = self.blocks[held[0]]._replace(part="gradients")

    def allocate(self, nbytes: int, operator: str, part: str) -> int:
        """Note a block that no tensor stands for, and return its number for `release`."""
        return self._note(nbytes, operator, self._place()[0], part)

    def _note(self, nbytes: int, operator: str, module: str, part: str) -> int:
        self.blocks.append(Block(nbytes, operator, module, self.phase, part))
        self.events.append(len(self.blocks))
        return len(self.blocks) - 1

    def release(self, index: int) -> None:
        """Note that a block is free again."""
        self.events.append(-(index + 1))

    def tape(self) -> Tape:
        """The tape of what was recorded so far."""
        return Tape(tuple(self.blocks), np.asarray(self.events, dtype=np.int64), tuple(self.marks))

    @contextmanager
    def following(self, names: Mapping[nn.Module, str]) -> Iterator[None]:
        """Know which of the named modules runs.

        A stack heals itself: recomputation leaves modules by exceptions, which nothing here waits for.
        """
        call = nn.Module.__call__

        def named_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:  # Any: a module's own
            name = names.get(module)
            if name is None:
                return call(module, *args, **kwargs)
            self._enter(name)
            result = call(module, *args, **kwargs)
            self._leave(name)
            return result

        with patch.object(nn.Module, "__call__", named_call):  # hooks would send every call the long way round
            yield

    def _enter(self, name: str) -> None:
        while self._modules and not name.startswith(self._modules[-1] + "."):
            self._modules.pop()
        self._modules.append(name)

    def _leave(self, name: str) -> None:
        if self._modules and self._modules[-1] == name:
            self._modules.pop()

    def _place(self) -> tuple[str, str]:
        """(module, phase) that an operator belongs to; in backward, those of the forward that made the running node."""
        if self.phase == "backward" and not torch.is_grad_enabled():
            node = torch._C._current_autograd_node()
            if node is not None:
                return self._modules_of_nodes.get(node._sequence_nr(), ("", "backward"))
        return (self._modules[-1] if self._modules else "", self.phase)

    def _add(self, storage: torch.UntypedStorage, operator: str, module: str, part: str) -> None:
        key = storage._cdata
        index = self._note(storage.nbytes(), operator, module, part)
        self._alive[key] = index, weakref.ref(storage, partial(self._drop, key))

    def _storage(self, tensor: torch.Tensor) -> torch.UntypedStorage:
        return tensor.untyped_storage()

    def _drop(self, key: int, _: object = None) -> None:
        held = self._alive.pop(key, None)
        if held is not None:
            self.release(held[0])

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No step is compiled here; torch would otherwise switch its compiler off and on around every operator."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None,  # Any: torch's own
    ) -> Any:
        kwargs = kwargs or {}
        operator = self._operators.get(id(func))
        if operator is None:
            operator = self._operators[id(func)] = Operator.of(func)
        name = operator.name
        module, phase = place = self._place()
        if self.phase != "backward" and torch.is_grad_enabled():
            self._modules_of_nodes[torch._C._autograd._get_sequence_nr() - 1] = place
        hidden = [] if not operator.hides else [
            self._note(n, f"{name} (CUDA)", module, "workspaces") for n in hidden_bytes(name, args, self.kernels)
        ]
        # what runs every time needs a key only for the work that it does, and a view on the card does none
        timed = self.timed and not (operator.view and args[0].is_meta)
        key = self.cache.key(func, args, kwargs) if timed or not operator.runs else None
        result = self.cache.call(key, func, args, kwargs)
        outputs = [result] if isinstance(result, torch.Tensor) else [
            x for x in tree_leaves(result) if isinstance(x, torch.Tensor)
        ]
        for leaf in outputs:
            storage = self._storage(leaf)
            if storage._cdata not in self._alive and leaf.device.type == self.device:
                self._add(storage, name, module, self.parts(name, module, phase, args))
        for index in hidden:
            self.release(index)
        if timed:
            self._time(key, func, args, outputs)
        return result

    def _time(self, key: Hashable, func: Any, args: tuple[Any, ...], outputs: list[torch.Tensor]) -> None:  # Any: torch's own
        """Count the operator's work, worked out once for arguments of the same shapes that share storages alike."""
        alike: Hashable = None
        if key is not None:
            storages = [x.untyped_storage() for x in tensors_of(args)]
            own = [storage._cdata for storage in storages]
            apart = len(set(own)) == len(own)
            alike = (key, self.phase, None if apart else tuple(map(own.index, own)), *[each.nbytes() for each in storages])
        work = self._described.get(alike)
        if work is None:
            work = [] if is_view(func, args, outputs) else [self.counted(g) for g in describe(func, args, outputs, self.phase)]
            if alike is not None:
                self._described[alike] = work
        for each in work:
            each.calls += 1

    def counted(self, group: OperatorGroup) -> Work:
        """How often this work was done so far, to be counted on."""
        return self.work.setdefault(group, Work(group))
