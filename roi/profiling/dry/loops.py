"""Forward, loss and optimizer as a plain loop, the HF Trainer and TRL's SFTTrainer run them, on tensors without storage.

The loops differ in what outlives the loss. torch's AdamW runs as it is, other optimizers by what their source allocates.
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, Final
from unittest.mock import patch

from torch import nn

from roi.errors import needs
from roi.estimate.training.adapters import EIGHT_BIT_BLOCK
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.facts.profiles import OperatorGroup
from roi.profiling.dry.cuda_on_meta import lowered
from roi.profiling.dry.recorder import Recorder
from roi.profiling.train.real_model import DTYPES

SMALL_STATE: Final = 4096
SMALL_PAGE: Final = 100_000
"""bitsandbytes/optim/optimizer.py: smaller tensors keep fp32 states (min_8bit_size), or are not paged (get_state_buffer)."""
CODES: Final = 256
"""Entries of an 8-bit quantisation map, fp32; one signed and one unsigned map a device."""


def forward_and_loss(model: nn.Module, plan: TrainingPlan, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, object]:
    """(loss, what the loop keeps alive through backward)."""
    context = lowered(DTYPES[plan.dtype]) if lowers(plan) else nullcontext()
    if plan.chunked_head:
        with context:
            output = model(**inputs, fused_lm_head=True)
            count = output.label_mask.sum().clamp(min=1)
            loss = (-output.log_probs).sum() / count
            _ = output.entropy.detach().sum(), output.is_top1.sum()  # SFTTrainer logs both
        return loss, None
    with context:
        output = model(**inputs)
    if plan.hands_on_fp32:
        output = type(output)(loss=output.loss.float(), logits=output.logits.float())
    return output.loss, output if plan.logits_kept else None


def lowers(plan: TrainingPlan) -> bool:
    """True where forward runs under autocast to 16 bits."""
    return plan.autocast and DTYPE_BYTES[plan.dtype] < 4.0


def fuse_head(model: Any, plan: TrainingPlan) -> None:  # Any: a PreTrainedModel or a PeftModel
    """TRL's chunked head, added as SFTTrainer does."""
    if not plan.chunked_head:
        return
    with needs("trl", "trl"):
        from trl.trainer.utils import add_fused_lm_head
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    add_fused_lm_head(inner, outputs=("log_probs", "entropy", "is_top1"))


@contextmanager
def triton_tiles(plan: TrainingPlan) -> Iterator[None]:
    """TRL folds each tile of logits by a Triton kernel on CUDA, and adds its gradients by addmm with an fp32 result.

    Neither allocates anything (trl/kernels/chunked_logprob.py: _forward_kernel, _backward_kernel, _addmm_fp32); what stands in
    for them elsewhere does.
    """
    if not plan.chunked_head:
        yield
        return
    from trl.kernels import chunked_logprob

    with ExitStack() as stack:
        for name in ("_forward_tile", "_backward_tile", "_addmm_fp32"):
            if hasattr(chunked_logprob, name):
                stack.enter_context(patch.object(chunked_logprob, name, lambda *_, **__: None))  # it works in place
        yield


class Optimizer:
    """The optimizer of a plan over the trained parameters."""

    def __init__(self, plan: TrainingPlan, trained: Sequence[nn.Parameter]) -> None:
        self.plan = plan
        self.trained = list(trained)
        # torch.optim takes its multi-tensor form on CUDA; the HF Trainer asks for the fused one (optim="adamw_torch_fused")
        own = plan.multi_tensor
        self.adamw = torch.optim.AdamW(self.trained, foreach=True) if own else None
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
        """One update: torch's own, or a fused kernel that reads parameters, gradients, states and writes all but gradients."""
        if self.adamw is not None:
            self.adamw.step()
            return
        parameters = sum(p.numel() * p.element_size() for p in self.trained)
        states = sum(t.numel() * t.element_size() for t in self.held)
        launches = float(-(-len(self.trained) // 48)) if self.plan.optimizer.startswith("adamw") else float(len(self.trained))
        recorder.counted(OperatorGroup(name=self.plan.optimizer, kind="elementwise", dtype="fp32", shape=(len(self.trained),),
                                       calls=1.0, flops=0.0, bytes_read=2.0 * parameters + states,
                                       bytes_written=parameters + states, launches=launches, phase="optimizer")).calls += 1

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for p in self.trained:
            p.grad = None

    def _state_sizes(self) -> list[tuple[int, torch.dtype]]:
        kind = self.plan.optimizer
        if kind in ("adamw", "adamw-fused", "adamw-bf16"):
            return [(p.numel(), torch.bfloat16 if kind == "adamw-bf16" else p.dtype) for p in self.trained for _ in range(2)]
        if kind == "paged-adamw":
            return [(p.numel(), torch.float32) for p in self.trained if p.numel() < SMALL_PAGE for _ in range(2)]
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
