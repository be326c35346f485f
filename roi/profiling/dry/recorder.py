"""A dispatch mode that writes down every storage of a step, when it comes and goes, and the work of every operator."""

from roi.profiling.stack import torch

# isort: split
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from roi.facts.operator import OperatorGroup
from roi.facts.tape import Block, Tape
from roi.profiling.dry.cuda_differences import hidden_bytes
from roi.profiling.dry.operator_work import describe, is_view


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
        """Count tensors that exist already."""
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
        self.blocks.append(Block(nbytes, operator, self.module, self.phase, part))
        self.events.append(len(self.blocks))
        return len(self.blocks) - 1

    def release(self, index: int) -> None:
        """Note that a block is free again."""
        self.events.append(-(index + 1))

    @property
    def module(self) -> str:
        """The module that runs; in backward the one whose forward made the running node."""
        return self._place()[0]

    def tape(self) -> Tape:
        """What was recorded so far."""
        return Tape(tuple(self.blocks), np.asarray(self.events, dtype=np.int64), tuple(self.marks))

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Know which module runs. A stack heals itself: recomputation leaves modules by exceptions, without a post-hook."""
        handles = []
        for name, module in model.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(self._enter(name)))
                handles.append(module.register_forward_hook(self._leave(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Callable[..., None]:
        def enter(*_: object) -> None:
            while self._modules and not name.startswith(self._modules[-1] + "."):
                self._modules.pop()
            self._modules.append(name)

        return enter

    def _leave(self, name: str) -> Callable[..., None]:
        def leave(*_: object) -> None:
            if self._modules and self._modules[-1] == name:
                self._modules.pop()

        return leave

    def _place(self) -> tuple[str, str]:
        """(module, phase of the forward that an operator belongs to)."""
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
