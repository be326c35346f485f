"""Triton kernels that stand in for a class's operators, as they allocate: Liger's, and those of Unsloth and fms-acceleration.

None of them runs without a GPU, so each is an operator here that makes the tensors which its source makes: RMSNorm keeps its
input and a figure a row, a gated product keeps gate and up and writes their gradients over them, stacked experts are one
function, and the loss either works on 16-bit logits or never makes them all (liger_kernel/ops: rms_norm.py, swiglu.py,
geglu.py, fused_moe.py, fused_linear_cross_entropy.py, cross_entropy.py; unsloth/kernels: rms_layernorm.py,
cross_entropy_loss.py).
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from torch import Tensor, nn

from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import LIGER_EXPERTS, LIGER_HEAD_NORMS

GATED: Final = ("silu", "swish", "SiLU", "SiLUActivation", "gelu_pytorch_tanh", "GELUTanh", "PytorchGELUTanh")
"""Activations that the fused product knows: LigerSwiGLUMLP's and LigerGEGLUMLP's."""

HEAD_NORMS: Final = ("q_norm", "k_norm", "query_layernorm", "key_layernorm")
"""What families call the norms of queries and keys."""


class RowNorm(torch.autograd.Function):
    """RMSNorm in one kernel: the output, and the reciprocal root of every row in fp32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # Any: torch's own
        """Keep the input and the figure a row."""
        rows = torch.empty(x.shape[:-1], dtype=torch.float32, device=x.device)
        ctx.save_for_backward(x, weight, rows)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The incoming gradient is written over; a trained weight's is summed from fp32 parts."""
        _, weight, _ = ctx.saved_tensors
        return gradients[0], torch.empty_like(weight) if ctx.needs_input_grad[1] else None


class GatedProduct(torch.autograd.Function):
    """silu(gate) x up in one kernel: neither the activation nor the product's parts are kept."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:  # Any: torch's own
        """Keep gate and up."""
        ctx.save_for_backward(gate, up)
        return torch.empty_like(gate)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        """Give both gradients, written over gate and up."""
        return ctx.saved_tensors


class RoutedExperts(torch.autograd.Function):
    """All experts of a layer in one: rows sent to them, both products, and the sum over a token's experts."""

    @staticmethod
    def forward(  # Any: torch's own
        ctx: Any, x: Tensor, gate_up: Tensor, down: Tensor, experts: Tensor, shares: Tensor,
    ) -> Tensor:
        """Keep the input, gate and up; the product and the rows that come back are freed."""
        rows, width = experts.numel(), down.shape[-1]
        kept = x.new_empty((rows, 2 * width))
        _ = x.new_empty((rows, width)), x.new_empty((rows, x.shape[-1]))
        ctx.save_for_backward(x, gate_up, down, kept, shares.flatten())
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        """Gradients of all that it read, of frozen weights too; nothing that it makes goes before the end."""
        x, gate_up, down, kept, shares = ctx.saved_tensors
        made = torch.empty_like(kept), x.new_empty((kept.shape[0], down.shape[-1]))
        of_down, rows = torch.empty_like(down), x.new_empty((kept.shape[0], x.shape[-1]))
        of_x, of_gate_up = torch.empty_like(x), torch.empty_like(gate_up)
        del made, rows
        return of_x, of_gate_up, of_down, None, torch.empty_like(shares).view(x.shape[0], -1)


class LossOverLogits(torch.autograd.Function):
    """Cross entropy whose gradient is written over the logits, or beside them."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, over: bool) -> Tensor:  # Any: torch's own, which passes no keywords
        """A loss and a log-sum of every row in fp32."""
        rows = torch.empty(logits.shape[:-1], dtype=torch.float32, device=logits.device)
        ctx.save_for_backward(logits)
        ctx.over = over
        return rows.sum()

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        """The gradient, where the logits were, or in a tensor of its own."""
        logits = ctx.saved_tensors[0]
        return logits if ctx.over else torch.empty_like(logits), None


class LossInChunks(torch.autograd.Function):
    """Head and cross entropy together, a chunk of tokens at a time; gradients are made in forward.

    As many chunks as the vocabulary is wider than the stream, so that one chunk's logits are about as large as its input.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor) -> Tensor:  # Any: torch's own
        """Each chunk's logits, their fp32 form and gradient; the gradient of the input, and of a trained head.

        Autocast lowers both operands of a product; without it a head of another type is cast to the stream's.
        """
        stream = hidden.reshape(-1, hidden.shape[-1])
        tokens, width = stream.shape
        chunks = -(-weight.shape[0] // width)
        rows = 1 << max(-(-tokens // chunks) - 1, 0).bit_length()
        ctx.gradient = torch.empty_like(hidden)
        ctx.head = torch.empty_like(weight) if ctx.needs_input_grad[1] else None
        losses = torch.empty(tokens, dtype=torch.float32, device=hidden.device)
        apart = not torch.is_autocast_enabled("cuda")
        for start in range(0, tokens, rows):
            part = stream[start: start + rows]
            logits = part @ (weight.to(part.dtype) if apart else weight).t()
            gradient = logits.float().to(logits.dtype)
            _ = gradient @ (weight.to(part.dtype) if apart else weight)
            del logits, gradient
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        """Give the gradients that forward made."""
        gradient, head = ctx.gradient, ctx.head
        ctx.gradient = ctx.head = None
        return gradient, head


def fuse_kernels(model: Any, plan: TrainingPlan) -> None:  # Any: a PreTrainedModel or a PeftModel
    """Norms of the model as one kernel each, and with Liger its gated products and stacked experts."""
    if plan.kernels == "none":
        return
    whole = plan.kernels != "liger" or model.config.model_type in LIGER_HEAD_NORMS
    for name, module in model.named_modules():
        if type(module).__name__.endswith("RMSNorm") and isinstance(getattr(module, "weight", None), nn.Parameter):
            if whole or not name.endswith(HEAD_NORMS):
                module.forward = partial(_norm, module)
        elif plan.kernels == "liger" and hasattr(module, "down_proj"):
            act = getattr(module, "act_fn", getattr(module, "activation_fn", None))
            if not (type(act).__name__ in GATED or getattr(act, "__name__", "") in GATED):
                continue
            if isinstance(module.down_proj, nn.Module):
                module.forward = partial(_gated if hasattr(module, "gate_proj") else _halved, module)
            elif model.config.model_type in LIGER_EXPERTS:
                module.forward = partial(_routed, module)


def _norm(module: Any, x: Tensor, *_: object, **__: object) -> Tensor:  # Any: the class's own norm
    return RowNorm.apply(x, module.weight)  # type: ignore[no-any-return]


def _gated(module: Any, x: Tensor) -> Tensor:  # Any: the class's own MLP
    return module.down_proj(GatedProduct.apply(module.gate_proj(x), module.up_proj(x)))  # type: ignore[no-any-return]


def _halved(module: Any, x: Tensor) -> Tensor:  # Any: the class's own MLP
    """Gate and up are halves of one product, which the kernel copies (ensure_contiguous) while forward still holds it."""
    gate, up = module.gate_up_proj(x).chunk(2, dim=-1)
    return module.down_proj(GatedProduct.apply(gate.contiguous(), up.contiguous()))  # type: ignore[no-any-return]


def _routed(module: Any, x: Tensor, experts: Tensor, shares: Tensor) -> Tensor:  # Any: the class's own experts
    rows = x.reshape(-1, x.shape[-1])
    return RoutedExperts.apply(rows, module.gate_up_proj, module.down_proj, experts, shares).view(x.shape)  # type: ignore[no-any-return]


@contextmanager
def fused_loss(model: Any, plan: TrainingPlan) -> Iterator[None]:  # Any: a PreTrainedModel or a PeftModel
    """While it lasts, the model's loss is the plan's: over 16-bit logits, by one kernel, or in chunks with the head."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = inner.get_output_embeddings()
    with ExitStack() as stack:
        if head is not None and plan.chunked_loss:
            stack.enter_context(patch.object(head, "forward", lambda hidden: hidden))
            _put(stack, inner, lambda logits, *_, **__: LossInChunks.apply(logits, head.weight))
        elif plan.kernels == "fused" and plan.loss == "16bit":
            _put(stack, inner, lambda logits, *_, **__: LossOverLogits.apply(logits, False))
        elif plan.kernels == "fused":
            # modeling_llama.py of transformers 4.45: logits are made fp32 at the head, and a slice of them shifts them
            if head is not None:
                made = head.forward
                stack.enter_context(patch.object(head, "forward", lambda hidden: made(hidden).float()))
            _put(stack, inner, lambda logits, *_, **__: LossOverLogits.apply(_shifted(logits), True))
        elif plan.loss == "16bit":
            _put(stack, inner, _narrow_loss)
        yield


def _shifted(logits: Tensor) -> Tensor:
    """A copy of all rows but each sequence's last, as `logits[..., :-1, :].contiguous()` makes it in torch 2.4.

    Its indexing took a slice of whole rows too, which torch leaves out today (TensorIndexing.h, applySlice): backward makes the
    gradient of each (roi/estimate/training/beyond_peak.py, stranded_bytes).
    """
    rows = torch.ops.aten.slice.Tensor(logits, 1, 0, -1)
    copy: Tensor = torch.ops.aten.slice.Tensor(rows, 2, 0, torch.iinfo(torch.int64).max).contiguous()
    return copy


def _put(stack: ExitStack, inner: Any, loss: Callable[..., Tensor]) -> None:  # Any: a PreTrainedModel
    before = getattr(inner, "_loss_function", None)
    inner._loss_function = loss
    stack.callback(lambda: setattr(inner, "_loss_function", before))


def _narrow_loss(logits: Tensor, labels: Tensor, vocab_size: int, **_: object) -> Tensor:
    """Cross entropy over the logits in their own type, labels shifted."""
    shifted = nn.functional.pad(labels, (0, 1), value=-100)[..., 1:].reshape(-1)
    # past autocast's list, which has the loss in fp32
    loss: Any = torch._C._nn.cross_entropy_loss  # Any: its stub lacks the number form of the reduction
    return loss(logits.view(-1, vocab_size), shifted, None, 1, -100, 0.0)  # type: ignore[no-any-return]
