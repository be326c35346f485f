"""What one micro-step does: its matrix products, its element-wise passes and the operators that the host launches.

A product (m, k) x (k, n) is 2 m n k FLOPs. For T tokens every frozen weight is used twice, in forward and for the gradient of
its input, once more where layers are recomputed, and once more for its own gradient where it is trained; an adapter's pair of
products is done twice forward and four times backward. Element-wise kernels move bytes and compute next to nothing.

Counted on transformers 5 and peft's LoRA layer in eager PyTorch, operator by operator (docs: the dry run prints them), for
the shapes of a decoder. Every numeric field of the plan broadcasts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.estimate.training.adapters import target_linears
from roi.estimate.training.attention import UNROTATED
from roi.estimate.training.peft_methods import share_trained
from roi.estimate.training.plan import DTYPE_BYTES, Dtype, TrainingPlan
from roi.estimate.training.setting import UNBIASED
from roi.estimate.training.targets import adaptable, fuse_linears
from roi.facts.model import Linear, ModelShape, Number

FORWARD_OPERATORS: Final = 36.0
"""Operators of one layer's forward beside its products: two norms (12), rotary (10), attention with its copies and mask (6),
residuals (2), activation (2), casts and copies (4)."""
BACKWARD_OPERATORS: Final = 58.0
"""Operators of one layer's backward beside its products: norms (24), rotary (14), gradients of one input added up (5),
attention and its copies (5), activation (3), sums of broadcast operands and copies (7)."""
SHARED_INPUTS: Final = 5.0
"""Gradients added up on the residual stream in one layer: query, key and value, gate and up, and both residuals."""
INT8_INPUT_BYTES: Final = 17.0
"""Bytes per input element of an int8 product: cast to fp16 (4 + 2), magnitude (4), compared with the threshold (3), any (1),
quantised (3)."""
INT8_OUTPUT_BYTES: Final = 16.0
"""Bytes per output element: int32 written and read (8), fp16 written and read (4), fp32 written (4)."""
INT8_OPERATORS: Final = 13.0
"""Operators of one int8 product beside the product: casts, magnitude, comparison, two any and their sync, quantisation,
dequantisation, bias."""
TARGET_OPERATORS: Final = (6.0, 9.0)
"""Operators of a target's path beside its product, forward and backward: two products, casts, scaling and the addition."""
FURTHER_KERNEL: Final = 0.25
"""Host time of an operator's second and later kernels over that of the operator."""


@dataclass(frozen=True)
class Product:
    """`calls` equal products (m, k) x (k, n) of `dtype`."""

    calls: Number
    m: Number
    n: Number
    k: Number
    dtype: str
    weight_bytes: float = 0.0
    """Bytes of a frozen or trained weight that the call reads from device memory, whatever the cache holds."""
    rounds: float = 1.0
    """Times a micro-step does all calls: forward, recompute, gradients."""
    groups: Number = 1.0
    """Products of this shape in one call, whose tiles fill the device together."""

    @property
    def flops(self) -> Number:
        """FLOPs of all calls and rounds."""
        return 2.0 * self.calls * self.m * self.n * self.k * self.rounds * self.groups


@dataclass(frozen=True)
class Pass:
    """Element-wise kernels that each read and write `bytes_each` in all."""

    calls: Number
    bytes_each: Number


FP8_CAST_BYTES: Final = 4.0
"""Bytes moved to cast one element of an operand to fp8: read in 16 bits, written twice, once transposed, since Hopper's fp8
products take rows of both operands alone (transformer_engine/pytorch/module/linear.py, fp8_cast_transpose_fused)."""


def step_products(model: ModelShape, plan: TrainingPlan) -> Iterator[Product]:
    """Every product of a micro-step; attention apart, and experts that are one parameter (step/experts.py).

    A weight serves forward, its recompute where layers are checkpointed (every second one where it is selective), and the
    gradient of its input; a trained one also the gradient of itself. Experts that are modules are products of their own over
    their share of the tokens. Int8 weights multiply in int8 forward, and dequantised in the stream's type backward (fp32
    after k-bit preparation, autocast or not).
    """
    tokens = tokens_of(plan)
    again = (1.5 if plan.checkpoints == "selective" else 2.0) if plan.checkpointing else 1.0
    each = DTYPE_BYTES[plan.dtype]
    wide = "fp32" if plan.stream_bytes >= 4.0 else plan.dtype
    trained = float(np.max(share_trained(plan.method, plan.rank, model.layers)))
    for x in unstacked(model, plan):
        packed = plan.int8 and adaptable(x, split=plan.split_experts)
        rows = tokens * x.active / x.experts
        weights = float(x.inputs * x.outputs)
        calls = float(x.layers * x.experts)
        own = "fp8" if plan.fp8 else plan.dtype
        ahead, back = ("int8", wide) if packed else (own, own)
        yield Product(calls, rows, float(x.outputs), float(x.inputs), ahead, weights * (1.0 if packed else each), again)
        yield Product(calls, rows, float(x.inputs), float(x.outputs), back, weights * (plan.stream_bytes if packed else each))
        if trained > 0.0:
            yield Product(calls * trained, float(x.outputs), float(x.inputs), rows, own, weights * each)
    head = unlowered_dtype(plan)
    read = model.vocab * model.hidden * DTYPE_BYTES[head]
    yield Product(1.0, tokens, float(model.vocab), float(model.hidden), head, read)
    yield Product(1.0, tokens, float(model.hidden), float(model.vocab), head, read)
    if not plan.adapter or plan.ends:
        yield Product(1.0, float(model.vocab), float(model.hidden), tokens, head, read)
    yield from _adapter_products(model, plan, tokens, again)


def _adapter_products(model: ModelShape, plan: TrainingPlan, tokens: Number, again: float) -> Iterator[Product]:
    """Every product of the adapters: two a target forward, four backward; DoRA also multiplies B A out on an identity."""
    rank = np.asarray(plan.path_rank, dtype=float)
    wide = adapter_dtype(plan)
    for x in target_linears(model, plan):
        calls, inputs, outputs = float(x.layers), float(x.inputs), float(x.outputs)
        yield Product(calls, tokens, rank, inputs, wide, rounds=again)
        yield Product(calls, tokens, outputs, rank, wide, rounds=again)
        yield Product(calls, tokens, rank, outputs, wide)
        yield Product(calls, tokens, inputs, rank, wide)
        yield Product(calls, outputs, rank, tokens, wide)
        yield Product(calls, rank, inputs, tokens, wide)
        if plan.weight_decomposed:
            yield Product(calls, inputs, rank, inputs, wide, rounds=again)
            yield Product(calls, inputs, outputs, rank, wide, rounds=again)


def unlowered_dtype(plan: TrainingPlan) -> Dtype:
    """The type of attention's products, the output head's and its logits: fp32 after k-bit preparation without autocast."""
    return "fp32" if plan.prepared and not plan.autocast else plan.dtype


def adapter_dtype(plan: TrainingPlan) -> str:
    """The type of the adapters' products: fp32 as peft holds them, `dtype` under autocast or where an engine casts them."""
    return plan.dtype if plan.autocast or plan.trained_bytes < 4.0 else "fp32"


def step_passes(model: ModelShape, plan: TrainingPlan) -> Iterator[Pass]:
    """Every element-wise pass of a micro-step, the loss included; DoRA's norm, dequantisation and optimizer apart.

    Bytes an element of the residual stream (w = its bytes): a norm reads and writes 28 + 4 w forward in six kernels and
    twice that backward in twelve, in one kernel 2 w and 3 w; rotary 12 w a query and key element each way in ten, in one 2 w;
    a residual 3 w; the activation and its product 5 w forward, 9 w backward, in one kernel 3 w and 5 w, an ungated one 2 w and
    3 w. torch.compile makes one kernel of all that lies between two products, but for Triton's, which it does not see into: a
    sum costs what it reads besides, w, and the stream after a residual is written, w.
    """
    tokens, w = tokens_of(plan), plan.stream_bytes
    again = 2.0 if plan.checkpointing else 1.0
    stream = tokens * model.hidden
    for calls, width in _norms(model):
        if one_kernel_norms(model, plan):
            yield Pass(calls * again, 2.0 * w * tokens * width)
            yield Pass(calls, 3.0 * w * tokens * width)
            continue
        yield Pass(6.0 * calls * again, (28.0 + 4.0 * w) / 6.0 * tokens * width)
        yield Pass(12.0 * calls, (56.0 + 8.0 * w) / 12.0 * tokens * width)
        if not plan.adapter:
            yield Pass(2.0 * calls, 2.0 * w * tokens * width)  # the norm's own gradient: a product, then a sum
    summed, added = (2.0, 1.0) if _joined(plan) else (3.0, 3.0)
    yield Pass(model.layers * 2.0 * again, summed * w * stream)
    yield Pass(model.layers * SHARED_INPUTS, added * w * stream)
    yield from _mixing_passes(model, plan, tokens, again)
    kernels, each = _loss_passes(plan)
    yield Pass(kernels, each / kernels * tokens * model.vocab)
    if not plan.adapter:
        yield from _own_gradient_passes(model, plan)
    yield from _adapter_passes(model, plan, tokens, again)
    if plan.int8 or (plan.quantised and plan.prepared):
        yield from _cast_passes(model, plan, tokens, again)
    for x in fuse_linears(model, model.linears) if plan.fp8 else ():
        calls, rows = float(x.layers * x.experts), tokens * x.active / x.experts
        yield Pass(calls * again, FP8_CAST_BYTES * rows * x.inputs)
        yield Pass(calls * again, FP8_CAST_BYTES * x.inputs * x.outputs)
        yield Pass(calls, FP8_CAST_BYTES * rows * x.outputs)


def one_kernel_norms(model: ModelShape, plan: TrainingPlan) -> bool:
    """True where a norm is one kernel each way: torch's LayerNorm, and fused RMSNorms."""
    return model.norm_bias or model.family in UNBIASED or plan.fused


def _joined(plan: TrainingPlan) -> bool:
    """True where torch.compile joins the passes between products into one kernel."""
    return plan.compiled and plan.kernels == "none"


def _loss_passes(plan: TrainingPlan) -> tuple[float, float]:
    """(kernels, bytes a logit) of the cross entropy, forward and backward.

    fp32 logits 26 (log-softmax 8, its backward 18), made from 16-bit ones and back 12 more; over 16-bit ones half of the 26.
    One kernel that reads a logit, and later reads it and writes its gradient: 3 w, with the fp32 copy 12 more; torch.compile's
    reads it twice forward, for the maximum and the sum, and copies nothing: 4 w. Logits that the
    head makes in fp32 stay so, whatever the loss: nothing narrows them (transformers/loss/loss_utils.py: logits.float()).
    """
    narrow = DTYPE_BYTES[unlowered_dtype(plan)] < 4.0
    if _joined(plan):
        return 2.0, 8.0 if narrow else 16.0
    if plan.chunked_loss or plan.chunked_head:
        return 2.0, 6.0 if narrow else 12.0
    wide = plan.loss != "16bit" or not narrow
    each = (12.0 if wide else 6.0) if plan.fused else (26.0 if wide else 13.0)
    return (2.0 if plan.fused else 4.0) + 2.0 * float(narrow and wide), each + 12.0 * float(narrow and wide)


def _mixing_passes(model: ModelShape, plan: TrainingPlan, tokens: Number, again: float) -> Iterator[Pass]:
    """Passes of rotary, of the attention's result laid out again, of the activation, and of tokens sent to experts and back."""
    w = plan.stream_bytes
    for a in model.attention:
        if a.kind != "linear":
            turned = tokens * (a.heads + a.kv_heads) * a.head_dim
            if model.family not in UNROTATED:
                kernels, each = (1.0, 2.0) if plan.fused else (10.0, 12.0)
                yield Pass(kernels * a.layers * (again + 1.0), each / kernels * w * turned)
            yield Pass(2.0 * a.layers * (again + 1.0), 2.0 * w * tokens * a.heads * a.value_width)
    for k in model.mlp:
        inner = tokens * (k.intermediate * k.experts_per_token + k.shared_intermediate)
        if k.gated and (plan.compiled or plan.kernels == "liger"):
            yield Pass(k.layers * again, 3.0 * w * inner)
            yield Pass(k.layers, 5.0 * w * inner)
        else:
            ahead, back = (2.0, 3.0) if k.gated else (1.0, 1.0)
            yield Pass(ahead * k.layers * again, (2.5 if k.gated else 2.0) * w * inner)
            yield Pass(back * k.layers, 3.0 * w * inner)
        if k.experts > 1 and not stacked_experts(plan):
            yield Pass(2.0 * k.layers * (again + 1.0), 2.0 * w * tokens * model.hidden * k.experts_per_token)


def _own_gradient_passes(model: ModelShape, plan: TrainingPlan) -> Iterator[Pass]:
    """Passes over gradients of trained weights: the embedding's is dense, and a tied one is added to the head's.

    With accumulation each gradient is added to what the micro-steps before left.
    """
    w = plan.trained_bytes
    yield Pass(1.0, (5.0 if model.tied else 2.0) * w * model.vocab * model.hidden)
    if plan.accumulation > 1:
        products = sum(x.layers * (1 if stacked_experts(plan) else x.experts) for x in model.linears)
        weights = sum(x.inputs * x.outputs * x.layers * x.experts for x in model.linears)
        yield Pass(float(products), 3.0 * w * (weights / products))


def _adapter_passes(model: ModelShape, plan: TrainingPlan, tokens: Number, again: float) -> Iterator[Pass]:
    """Passes of each target: casts, dropout, scaling and the addition.

    peft casts the input to the adapter's type (6 an element) and autocast casts it back for the product (6) together with
    the weights; the scaled result is added in the wider type and cast back (fp32: 24 an output element; 16-bit: 10). Compiled,
    16-bit adapters have their result read, and their two gradients written and read, by kernels that run in any case.
    """
    fp32_input = plan.trained_bytes >= 4.0
    fp32_products = adapter_dtype(plan) == "fp32"
    dropped = np.where(np.asarray(plan.dropout, dtype=float) > 0.0, 9.0 if fp32_input else 5.0, 0.0)
    kernels = np.where(dropped > 0.0, 1.0, 0.0)
    casts = (1.0 if fp32_products else 2.0) if fp32_input else 0.0
    for x in target_linears(model, plan):
        calls, into, out = float(x.layers), tokens * x.inputs, tokens * x.outputs
        if _joined(plan) and not fp32_input and not plan.weight_decomposed:
            yield Pass(calls * again, plan.trained_bytes * (out + np.where(dropped > 0.0, 2.5 * into, 0.0)))
            yield Pass(calls, plan.trained_bytes * (into + out + np.where(dropped > 0.0, into, 0.0)))
            continue
        if casts:
            yield Pass(calls * casts * (again + 1.0), 6.0 * into)
        yield Pass(calls * kernels * (again + 1.0), dropped * into)
        yield Pass(calls, 6.0 * into)
        yield Pass(calls * again * (3.0 if fp32_products else 2.0), (8.0 if fp32_products else 5.0) * out)
        yield Pass(calls * (3.0 if fp32_products else 1.0), (6.7 if fp32_products else 4.0) * out)
        if fp32_input and not fp32_products:
            yield Pass(calls * 2.0 * (again + 1.0), 3.0 * np.asarray(plan.path_rank, dtype=float) * (x.inputs + x.outputs))
        if plan.weight_decomposed:
            yield Pass(calls * 6.0 * again, 8.0 * out)
            yield Pass(calls * 8.0, 8.0 * out)


def decomposition_passes(model: ModelShape, plan: TrainingPlan) -> Iterator[Pass]:
    """Passes of DoRA's norm of the merged weight, once a forward whatever the tokens.

    The weight is widened (6 bytes an element), B A scaled (8), both added (12), squared and summed (4); the identity of the
    input's width is written (4).
    """
    again = 2.0 if plan.checkpointing else 1.0
    for x in target_linears(model, plan) if plan.weight_decomposed else ():
        yield Pass(3.0 * x.layers * again, 10.0 * x.inputs * x.outputs)
        yield Pass(x.layers * again, 4.0 * float(x.inputs) ** 2)


def _cast_passes(model: ModelShape, plan: TrainingPlan, tokens: Number, again: float) -> Iterator[Pass]:
    """Passes of the casts around bitsandbytes' products, which run in `dtype` or int8.

    NF4: input and result are cast from and to the fp32 stream, and the result copied.
    """
    if plan.int8:
        for x in model.linears:
            if adaptable(x, split=plan.split_experts):
                yield Pass(x.layers * again * 6.0, INT8_INPUT_BYTES / 6.0 * tokens * x.inputs)
                yield Pass(x.layers * again * 3.0, INT8_OUTPUT_BYTES / 3.0 * tokens * x.outputs)
        return
    for x in model.linears:
        if adaptable(x, split=plan.split_experts):
            yield Pass(x.layers * (again + 1.0), 6.0 * tokens * x.inputs)
            yield Pass(x.layers * (again + 1.0), 6.0 * tokens * x.outputs)
    for x in target_linears(model, plan):
        yield Pass(x.layers * again, 8.0 * tokens * x.outputs)


def step_operators(model: ModelShape, plan: TrainingPlan) -> Number:
    """Number of operators that the host launches in a micro-step, experts that are one parameter apart (step/experts.py).

    The loss and the embedding are left out (some thirty). A target adds TARGET_OPERATORS (2 more each under autocast, one with
    dropout; DoRA 12 and 10); an NF4 product dequantises in two kernels and casts (4).
    """
    again = 2.0 if plan.checkpointing else 1.0
    norms = sum(calls for calls, _ in _norms(model)) - 2.0 * model.layers  # two a layer are in the counts below
    forward = model.layers * FORWARD_OPERATORS + 6.0 * norms
    backward = model.layers * BACKWARD_OPERATORS + 12.0 * norms
    if one_kernel_norms(model, plan):
        every = sum(calls for calls, _ in _norms(model))
        forward, backward = forward - 5.0 * every, backward - 11.0 * every
    if model.family in UNROTATED:
        forward, backward = forward - 10.0 * model.layers, backward - 14.0 * model.layers
    elif plan.fused:
        forward, backward = forward - 9.0 * model.layers, backward - 13.0 * model.layers
    products = float(sum(x.layers * x.experts for x in unstacked(model, plan)))
    targets = float(sum(x.layers for x in target_linears(model, plan)))
    under = 2.0 if plan.autocast and plan.trained_bytes >= 4.0 else 0.0
    dropped = np.where(np.asarray(plan.dropout, dtype=float) > 0.0, 1.0, 0.0)
    dora = (12.0, 10.0) if plan.weight_decomposed else (0.0, 0.0)
    path = [targets * (each + under + dropped + more) for each, more in zip(TARGET_OPERATORS, dora, strict=True)]
    packed = (4.0 if plan.quantised else INT8_OPERATORS if plan.int8 else 0.0) * sum(
        x.layers * x.experts for x in model.linears if adaptable(x, split=plan.split_experts))
    ahead = forward + products + packed + path[0]
    unpacking = packed if plan.quantised else 0.3 * packed  # int8: the weight is dequantised (4), nothing is quantised
    back = backward + products * (1.0 if plan.adapter else 2.0) + unpacking + path[1]
    return ahead * again + back


def partition_hooks(model: ModelShape, plan: TrainingPlan) -> float:
    """Times that ZeRO-3's hooks run in a micro-step: at every module with parameters, in forward, recompute and backward."""
    if plan.sharding != "zero3":
        return 0.0
    modules = sum(x.layers * (x.experts if plan.split_experts else 1) for x in model.linears)
    adapters = 2.0 * sum(x.layers for x in target_linears(model, plan))
    return (modules + model.norms_per_layer * model.layers + 3.0 + adapters) * (3.0 if plan.checkpointing else 2.0)


def _norms(model: ModelShape) -> Iterator[tuple[float, float]]:
    """Pairs (number of norms, elements of a token in each): of the stream, and of queries and keys where a model has them."""
    yield float(model.layers * model.norms_per_layer), float(model.hidden)
    for a in model.attention:
        if a.kind in ("full", "sliding") and a.norm_parameters:
            yield float(a.layers), float(a.heads * a.head_dim)
            yield float(a.layers), float(a.kv_heads * a.head_dim)


def tokens_of(plan: TrainingPlan) -> Number:
    """Tokens of a micro-step."""
    tokens: Number = np.asarray(plan.micro_batch, dtype=float) * np.asarray(plan.seq, dtype=float)
    return tokens


def stacked_experts(plan: TrainingPlan) -> bool:
    """True where a layer's experts are one 3-D parameter, not modules one after the other (transformers before 5, LitGPT)."""
    return not plan.split_experts and plan.stack != "litgpt"


def unstacked(model: ModelShape, plan: TrainingPlan) -> Iterator[Linear]:
    """The stack's products that are called one by one."""
    return (x for x in model.linears if x.experts == 1 or not stacked_experts(plan))
