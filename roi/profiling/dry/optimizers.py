"""Optimizers as their states and temporaries: torch's AdamW runs as it is, the others by what their source allocates."""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Sequence
from typing import Final

from torch import nn

from roi.estimate.training.adapters import EIGHT_BIT_BLOCK
from roi.estimate.training.plan import TrainingPlan
from roi.facts.operator import OperatorGroup
from roi.profiling.dry.recorder import Recorder

SMALL_STATE: Final = 4096
"""bitsandbytes/optim/optimizer.py, Optimizer8bit: min_8bit_size; smaller tensors keep fp32 states."""

SMALL_PAGE: Final = 100_000
"""bitsandbytes/optim/optimizer.py, get_state_buffer: tensors below 1e5 elements are not paged."""

CODES: Final = 256
"""Entries of an 8-bit quantisation map, fp32; one signed and one unsigned map a device."""


class Optimizer:
    """The optimizer of a plan over the trained parameters."""

    def __init__(self, plan: TrainingPlan, trained: Sequence[nn.Parameter]) -> None:
        self.plan = plan
        self.trained = list(trained)
        # torch.optim takes its multi-tensor form on CUDA; the HF Trainer asks for the fused one (optim="adamw_torch_fused")
        self.foreach = plan.optimizer == "adamw" and plan.trainer == "plain"
        self.adamw = torch.optim.AdamW(self.trained, foreach=True) if self.foreach else None
        self.held: list[torch.Tensor] = []

    def create_states(self, recorder: Recorder) -> None:
        """Allocate the states, as the first step does."""
        if self.adamw is not None:
            for p in self.trained:
                state = self.adamw.state[p]
                state["step"] = torch.tensor(0.0)
                state["exp_avg"], state["exp_avg_sq"] = torch.empty_like(p), torch.empty_like(p)
                self.held += [state["exp_avg"], state["exp_avg_sq"]]
        else:
            self.held += [torch.empty(size, dtype=kind, device="meta") for size, kind in self._state_sizes()]
        recorder.hold(self.held, f"{self.plan.optimizer} state", "optimizer")

    def step(self, recorder: Recorder) -> None:
        """One update."""
        if self.adamw is not None:
            self.adamw.step()
        else:
            self._note_work(recorder)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for p in self.trained:
            p.grad = None

    def _state_sizes(self) -> list[tuple[int, torch.dtype]]:
        kind = self.plan.optimizer
        if kind in ("adamw", "adamw-bf16"):
            return [(p.numel(), p.dtype if kind == "adamw" else torch.bfloat16) for p in self.trained for _ in range(2)]
        sizes: list[tuple[int, torch.dtype]] = [(CODES, torch.float32)] * 2
        paged = kind.startswith("paged")
        for p in self.trained:
            n = p.numel()
            if n < SMALL_STATE:
                sizes += [(n, torch.float32)] * 2
                continue
            # the block scales are never paged
            sizes += [(-(-n // EIGHT_BIT_BLOCK), torch.float32)] * 2
            if not paged or n < SMALL_PAGE:
                sizes += [(n, torch.uint8)] * 2
        return sizes

    def _note_work(self, recorder: Recorder) -> None:
        """One fused kernel over parameter, gradient and two states, each read and all but the gradient written."""
        parameters = sum(p.numel() * p.element_size() for p in self.trained)
        states = sum(t.numel() * t.element_size() for t in self.held)
        launches = float(-(-len(self.trained) // 48)) if self.plan.optimizer == "adamw" else float(len(self.trained))
        recorder.operators[OperatorGroup(
            name=self.plan.optimizer, kind="elementwise", dtype="fp32", shape=(len(self.trained),), calls=1.0, flops=0.0,
            bytes_read=2.0 * parameters + states, bytes_written=parameters + states, launches=launches, phase="optimizer",
        )] += 1
