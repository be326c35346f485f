"""Time of one training micro-step on one GPU: a roofline over its products, its element-wise passes and its launches."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.estimate.adapters import NF4_BLOCK, nf4_bytes_per_weight, target_linears, trained_parameters
from roi.estimate.plan import TrainingPlan, adaptable
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number

BACKWARD_ATTENTION: Final = 2.5
"""Backward over forward FLOPs of fused attention: five products instead of two, scores recomputed (arXiv 2205.14135)."""

DORA_MERGE_BYTES: Final = 30.0
"""Bytes per weight of DoRA's norm: 16-bit weight read and widened (6), B A written and read (8), scaled (8), summed (12),
less what fuses; fp32."""

BASE_LAUNCHES: Final = 34
"""Kernels of one layer's forward: two norms (12), rotary (10), attention (2), residuals (2), activation (2), copies (6)."""


@dataclass(frozen=True)
class StepEfficiency:
    """Achieved over theoretical; values come from a profile or from the catalog's efficiencies, never from here."""

    matrix: Number
    """Share of the datasheet's matrix rate that large products reach."""
    bandwidth: Number
    """Share of the datasheet's memory bandwidth that element-wise passes reach."""
    launch_s: Number
    """Host time of one operator, s."""
    overall: Number = 1.0
    """Roofline time over measured time: what is left after the three above."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one micro-step (forward, loss, backward) and of one optimizer step on one GPU; parts may overlap."""

    products_s: Number
    """Matrix products and attention."""
    passes_s: Number
    """Element-wise passes: norms, rotary, activation, adapters' casts, loss."""
    dequantisation_s: Number
    """NF4 to 16 bits, and reading the result again."""
    decomposition_s: Number
    """DoRA's norm of the merged weight."""
    host_s: Number
    """Operator launches; they hide behind the device where it is slower."""
    optimizer_s: Number
    """One optimizer step."""
    synchronisation_s: Number
    """All-reduce of the gradients over the GPUs of a data-parallel job, once an optimizer step."""
    micro_step_s: Number
    """max(device, host) / overall efficiency."""
    flops: Number
    """Arithmetic of one micro-step, recompute included."""
    tokens: Number
    """Tokens of one micro-step."""


def step_time(model: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> StepTime:
    """Time of one micro-step of micro_batch x seq tokens; every numeric field broadcasts.

    products: 2 FLOPs a weight and token forward; backward 2x for full training, 1x for a frozen base (the gradient of
    its input alone); the stack once more with checkpointing. Adapters: 1 forward, 2 backward, in fp32 as peft holds
    them (under autocast in dtype). Causal attention sees half of the sequence on average; its backward is 2.5x its
    forward. Each product also reads its weight; the slower of arithmetic and reading counts.
    passes: bytes of each element-wise operator, backward 2x forward.
    Not modelled: L2 reuse, kernel shapes, compiled or fused kernels, data loading, logging, evaluation, padding waste.
    """
    tokens = np.asarray(plan.micro_batch, dtype=float) * np.asarray(plan.seq, dtype=float)
    rounds = 3.0 if plan.checkpointing else 2.0
    rate = gpu.matrix_flops(plan.dtype) * efficiency.matrix
    wide = rate if plan.autocast else gpu.matrix_flops("fp32") * efficiency.matrix
    bandwidth = gpu.bandwidth_bytes_per_s * efficiency.bandwidth
    stack = float(sum(x.inputs * x.outputs * x.layers * x.active for x in model.linears))
    passes = rounds if plan.adapter else rounds + 1.0
    stack_flops = 2.0 * stack * tokens * passes
    stack_read = sum(x.inputs * x.outputs * x.layers * x.experts for x in model.linears) * plan.weight_bytes * passes
    head_flops = 2.0 * model.vocab * model.hidden * tokens * (2.0 if plan.adapter else 3.0)
    adapter_flops = 2.0 * trained_parameters(model, plan) * tokens * (rounds + 1.0) if plan.adapter else 0.0
    seen = np.asarray(plan.seq, dtype=float) / 2.0
    attention_flops = model.attention_flops(seen) * tokens * (rounds - 1.0 + BACKWARD_ATTENTION)
    head_rate = wide if plan.quantised else rate
    products = (
        np.maximum(stack_flops / rate, stack_read / bandwidth) + head_flops / head_rate
        + adapter_flops / wide + attention_flops / (wide if plan.quantised else rate)
    )
    elementwise = _pass_bytes(model, plan) * tokens * (rounds + 1.0) + _loss_bytes(plan) * tokens * model.vocab
    dequantised = _dequantised_bytes(model, plan) * rounds
    merged = _merge_bytes(model, plan) * (rounds - 1.0)
    host = _launches(model, plan) * (rounds + 1.0) * efficiency.launch_s
    device = products + (elementwise + dequantised + merged) / bandwidth
    trained = trained_parameters(model, plan)
    optimizer = trained * _update_bytes(plan) / bandwidth
    ring = 2.0 * (plan.gpus - 1) / plan.gpus
    return StepTime(
        products_s=products, passes_s=elementwise / bandwidth, dequantisation_s=dequantised / bandwidth + 0.0 * tokens,
        decomposition_s=merged / bandwidth + 0.0 * tokens, host_s=host + 0.0 * tokens,
        optimizer_s=optimizer / efficiency.overall,
        synchronisation_s=ring * trained * plan.trained_bytes / gpu.link_bytes_per_s / efficiency.bandwidth,
        micro_step_s=np.maximum(device, host) / efficiency.overall,
        flops=stack_flops + head_flops + adapter_flops + attention_flops, tokens=tokens,
    )


def _update_bytes(plan: TrainingPlan) -> float:
    """Bytes that one optimizer step moves for one trained parameter.

    torch's multi-tensor AdamW goes over the parameters in eight passes, 21 reads and writes of an element; bitsandbytes
    does it in one: gradient, parameter twice, and two one-byte moments twice.
    """
    if plan.optimizer in ("adamw", "adamw-bf16"):
        moments = plan.trained_bytes if plan.optimizer == "adamw" else 2.0
        return 8.0 * plan.trained_bytes + 13.0 * moments
    return 3.0 * plan.trained_bytes + 4.0


def _pass_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes that the element-wise operators of one forward move for one token, all layers.

    A norm reads and writes nine times (36 bytes an element at 16 bits), rotary 12 w a query and key element, a residual
    3 w, the activation and its product 5 w, an adapter's cast 6 an input and its result 26 an output.
    """
    w, h = plan.stream_bytes, model.hidden
    total: Number = model.layers * h * (model.norms_per_layer * (28.0 + 4.0 * w) + 6.0 * w)
    for a in model.attention:
        if a.kind != "linear":
            total = total + a.layers * 12.0 * w * (a.heads + a.kv_heads) * a.head_dim
    for k in model.mlp:
        inner = k.intermediate * k.experts_per_token + k.shared_intermediate
        total = total + k.layers * 5.0 * w * inner
        if k.experts > 1:
            total = total + k.layers * 4.0 * w * h * k.experts_per_token
    for x in target_linears(model, plan):
        dora = 40.0 if plan.weight_decomposed else 0.0
        dropout = np.where(np.asarray(plan.dropout, dtype=float) > 0.0, 9.0, 0.0)
        total = total + x.layers * (x.inputs * (6.0 + dropout) + x.outputs * (26.0 + dora))
    if plan.quantised:
        # results go from the compute type to the fp32 stream and are cloned for the adapter
        total = total + 14.0 * sum(x.outputs * x.layers for x in model.linears if adaptable(x))
    return total


def _loss_bytes(plan: TrainingPlan) -> float:
    """Bytes moved for one logit: cast (6), log-softmax (12), its backward (4 + 12), casts and products' reads (8)."""
    return 42.0 if plan.stream_bytes < 4.0 else 36.0


def _dequantised_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes moved to dequantise every NF4 weight once and read the result in the product."""
    if not plan.quantised:
        return 0.0
    each = nf4_bytes_per_weight(double_quant=plan.double_quant) + 2.0 * plan.weight_bytes + (8.0 / NF4_BLOCK)
    return each * sum(x.inputs * x.outputs * x.layers for x in model.linears if adaptable(x))


def _merge_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes moved by DoRA's norms in one forward: an identity of the input's width, and B A and the weight in fp32."""
    if not plan.weight_decomposed:
        return 0.0
    return float(sum(
        x.layers * (8.0 * x.inputs**2 + DORA_MERGE_BYTES * x.inputs * x.outputs) for x in target_linears(model, plan)
    ))


def _launches(model: ModelShape, plan: TrainingPlan) -> float:
    """Operators of one forward."""
    products = sum(x.layers for x in model.linears)
    adapters = sum(x.layers for x in target_linears(model, plan)) * (18.0 if plan.weight_decomposed else 6.0)
    quantised = 4.0 * sum(x.layers for x in model.linears if adaptable(x)) if plan.quantised else 0.0
    return model.layers * BASE_LAUNCHES + products + adapters + quantised
