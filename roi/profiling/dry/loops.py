"""Forward and loss as a plain loop, the HF Trainer and TRL's SFTTrainer run them; they differ in what outlives the loss."""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from torch import nn

from roi.errors import MissingExtra
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.profiling.dry.autocast import lowered
from roi.profiling.train.real_model import DTYPES


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
    if lowers(plan):
        # accelerate wraps the forward by convert_outputs_to_fp32 (accelerate/accelerator.py, prepare_model)
        output = type(output)(loss=output.loss.float(), logits=output.logits.float())
    return output.loss, output if plan.logits_kept else None


def lowers(plan: TrainingPlan) -> bool:
    """True where forward runs under autocast to 16 bits."""
    return plan.autocast and DTYPE_BYTES[plan.dtype] < 4.0


def fuse_head(model: Any, plan: TrainingPlan) -> None:  # Any: a PreTrainedModel or a PeftModel
    """TRL's chunked head, added as SFTTrainer does."""
    if not plan.chunked_head:
        return
    try:
        from trl.trainer.utils import add_fused_lm_head
    except ImportError as error:
        raise MissingExtra("trl", "trl") from error
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

    def nothing(*_: object, **__: object) -> None:
        """A kernel that works in place."""

    folded: Callable[..., None] = nothing
    names = [name for name in ("_forward_tile", "_backward_tile", "_addmm_fp32") if hasattr(chunked_logprob, name)]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(patch.object(chunked_logprob, name, folded))
        yield
