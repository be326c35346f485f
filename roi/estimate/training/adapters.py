"""What a training run stores and trains, in closed form: base weights and adapters.

    LoRA        rank x (inputs + outputs) trained parameters a target; DoRA one more an output
    NF4         half a byte a weight, and a scale for each 64 of them: 4.127 bits with double quantisation
    int8        one byte a weight, and an fp32 scale a row
"""

from typing import Final

import numpy as np

from roi.errors import InputError
from roi.estimate.training.peft_methods import whole_parameters
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.estimate.training.targets import adaptable, expert_parts, fuse_linears, in_mlp, resolve_targets, trains_experts
from roi.facts.model import Linear, ModelShape, Number

GPTQ_GROUP: Final = 128
"""Weights that share a scale, AutoGPTQ's default and that of the published checkpoints."""
NF4_BLOCK: Final = 64
"""Weights that share one scale (bitsandbytes' blocksize)."""
DOUBLE_QUANT_BLOCK: Final = 256
"""Scales that share one second-level scale."""
EIGHT_BIT_BLOCK: Final = 256
"""Elements of an 8-bit optimizer state that share one fp32 scale."""


def target_linears(model: ModelShape, plan: TrainingPlan) -> tuple[Linear, ...]:
    """The matrix products that carry an adapter, fused ones as one, experts apart; empty for full fine-tuning."""
    if not plan.targeted:
        return ()
    names = resolve_targets(model, plan.targets, split=plan.split_experts)
    return tuple(x for x in fuse_linears(model, model.linears) if adaptable(x, split=plan.split_experts) and x.name in names)


def largest_rank(model: ModelShape, plan: TrainingPlan) -> int:
    """The largest rank that any target gains from: the full rank of the widest one, which is the smaller side of its weight.

    peft takes any rank, and narrow targets beside wide ones (a head of keys, a gate) are usual, so theirs is no limit.
    """
    sides = [min(site.inputs, site.outputs) for site in target_linears(model, plan)]
    if plan.adapter and not plan.split_experts and trains_experts(model, plan.targets):
        sides += [min(model.hidden, k.intermediate) for k in model.mlp if k.experts > 1]
    return max(sides, default=model.hidden)


def rank_bound(model: ModelShape, plan: TrainingPlan) -> float:
    """The largest usable rank: `largest_rank`; infinite where the rank is ignored, or is a number of tokens or frequencies.

    That of GaLore's projection is the short side of the widest product.
    """
    if plan.projected:
        return max((min(x.inputs, x.outputs) for x in projected_linears(model)), default=np.inf)
    bounded = plan.adapter if plan.tuner is None else plan.targeted and plan.tuner.size not in ("", "n_frequency")
    return largest_rank(model, plan) if bounded else np.inf


def check_rank(model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where the adapter's rank, or the size that its tuner has instead, is above the full rank of every target."""
    most = rank_bound(model, plan)
    if np.any(np.asarray(plan.rank, dtype=float) > most):
        raise InputError(f"rank: {plan.rank:,} is not usable; at most {most:,}, the full rank of the widest target of"
                         f" {model.id}")


def expert_adapter_parameters(model: ModelShape, plan: TrainingPlan, split: Number = 1.0) -> Number:
    """Parameters of adapters on experts and routers for rank 1; 0 where experts carry none.

    `split`: GPUs over which the width of each expert is split.

    Each expert has its own A and B. Gate and up are one parameter, to which peft gives twice the rank: the block diagonal
    that two adapters would need (peft/utils/transformers_weight_conversion.py, PeftConcatenate).
    """
    if plan.split_experts or not (plan.adapter and trains_experts(model, plan.targets)):
        return 0.0
    total: Number = 0.0
    gate_up, down = (float(adapted) for adapted in expert_parts(model, plan.targets))
    for k in model.mlp:
        if k.experts > 1:
            width = k.intermediate / split
            each = 2.0 * gate_up * (model.hidden + 2.0 * width) + down * (width + model.hidden)
            total = total + k.layers * k.experts * each
            total = total + k.layers * (model.hidden + k.experts) * int(plan.targets == "all-linear" and k.router == "router")
    return total


def trained_parameters(model: ModelShape, plan: TrainingPlan) -> Number:
    """Parameters that get a gradient; broadcasts over rank.

    LoRA: rank x (inputs + outputs) a target (arXiv 2106.09685, section 4.1). DoRA adds one magnitude an output
    (arXiv 2402.09353, section 4.1). rsLoRA changes the scale alone. Full: every parameter. Others: peft_methods.py.
    """
    if plan.method == "full":
        return float(model.parameters)
    rank = np.asarray(plan.rank, dtype=float)
    sites, tuner = target_linears(model, plan), plan.tuner
    if tuner is not None and not plan.targeted:
        return whole_parameters(model, plan.method, rank)
    if tuner is not None:
        # IA3 scales what an MLP's products read
        turned = plan.method == "ia3"
        sides = [(x.layers, *((x.outputs, x.inputs) if turned and in_mlp(x) else (x.inputs, x.outputs))) for x in sites]
        own = (layers * tuner.trained(i, o, rank) + tuner.shared(i, o, rank) for layers, i, o in sides)
        return sum(own, np.float64(tuner.once))
    each = float(sum((s.inputs + s.outputs) * s.layers * s.experts for s in sites))
    total = rank * (each + expert_adapter_parameters(model, plan))
    if plan.weight_decomposed:
        total = total + float(sum(s.outputs * s.layers * s.experts for s in sites))
    return total


def end_parameters(model: ModelShape, plan: TrainingPlan) -> float:
    """Parameters of embedding and head where both are trained beside adapters, else 0; peft keeps the frozen ones as well.

    Where the model ties them, each has a copy of its own all the same (peft's ModulesToSaveWrapper).
    """
    return float(model.embedding_parameters + model.head_parameters) if plan.ends else 0.0


def nf4_bytes_per_weight(*, double_quant: bool) -> float:
    """Bytes of one NF4 weight with its scales: 4.127 bits with double quantisation, else 4.5 bits.

    Half a byte, and one scale per 64 weights: fp32, or with double quantisation one byte plus an fp32 scale per 256
    scales (arXiv 2305.14314, section 3).
    """
    scale = 1.0 + 4.0 / DOUBLE_QUANT_BLOCK if double_quant else 4.0
    return 0.5 + scale / NF4_BLOCK


def packed_parameters(model: ModelShape, plan: TrainingPlan) -> int:
    """Weights that the plan's quantisation packs; LitGPT's takes the head too (Fabric's BitsandbytesPrecision)."""
    head = model.vocab * model.hidden if plan.stack == "litgpt" and plan.quantised else 0
    return quantised_parameters(model, split=plan.split_experts) + head


def quantised_parameters(model: ModelShape, *, split: bool = False) -> int:
    """Weights that bitsandbytes quantises: linear layers of the stack, without head, biases and, unless `split`, experts."""
    return sum(s.inputs * s.outputs * s.layers * s.experts for s in model.linears if adaptable(s, split=split))


def base_weight_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes of the base model on the device.

    NF4 holds the linear layers in 4 bits, int8 in 8 with one fp32 scale a row of each weight (Int8Params.SCB), GPTQ in 2, 3, 4
    or 8 with a 16-bit scale and a zero point a group (auto_gptq/nn_modules/qlinear/qlinear_cuda.py); what is left is fp32
    after peft's prepare_model_for_kbit_training. GPT-Neo's layers, and GPT-BigCode once, also hold a causal mask of all
    positions, a byte an element.
    """
    masks = {"gpt_neo": model.layers, "gpt_bigcode": 1}.get(model.family, 0) * model.positions**2
    if not (plan.quantised or plan.int8):
        return model.parameters * DTYPE_BYTES[plan.dtype] + masks + tuner_frozen_bytes(model, plan)
    packed = packed_parameters(model, plan)
    left = (model.parameters - packed) * plan.stream_bytes + masks
    if plan.int8:
        held = (s for s in model.linears if adaptable(s, split=plan.split_experts))
        scales = 4.0 * sum(s.outputs * s.layers * s.experts for s in held)
        return packed + scales + left
    if plan.gptq:
        each = plan.gptq / 8.0
        return packed * each * (1.0 + 1.0 / GPTQ_GROUP) + 2.0 * packed / GPTQ_GROUP + left
    return packed * nf4_bytes_per_weight(double_quant=plan.double_quant) + left


def tuner_frozen_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes of what a tuner holds frozen on the card beside the base's weights; what a Trainer moves there is part of it."""
    tuner = plan.tuner
    if tuner is None:
        return 0.0
    size = np.asarray(plan.rank, dtype=float)
    each = float(plan.trainer != "plain") * moved_bytes_each(plan)
    sides = [(x.layers, (x.inputs, x.outputs, size)) for x in target_linears(model, plan)]
    own = (n * (4.0 * tuner.frozen(*x) + each * tuner.moved(*x)) + each * tuner.moved_once(*x) for n, x in sides)
    return sum(own, np.float64(0.0))


def moved_bytes_each(plan: TrainingPlan) -> float:
    """Bytes of an element that a tuner leaves on the host."""
    return DTYPE_BYTES[plan.dtype] if plan.tuner is not None and plan.tuner.moves == "base" else 4.0


def kbit_preparation_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes that the cast of embedding, norms and head to fp32 adds to the weights (part of `base_weight_bytes`)."""
    if not plan.prepared:
        return 0.0
    return (model.parameters - packed_parameters(model, plan)) * (4.0 - DTYPE_BYTES[plan.dtype])


def projected_linears(model: ModelShape) -> list[Linear]:
    """The products whose gradients GaLore projects: the stack's own (nn.Linear), as the checkpoint holds them."""
    return [x for x in fuse_linears(model, model.linears) if adaptable(x)]


def largest_dequantised_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes of the largest quantised weight after dequantisation: NF4 to the compute type, int8 to the stream's.

    0 where the base is not quantised.
    """
    if not (plan.quantised or plan.int8):
        return 0.0
    sizes = [x.inputs * x.outputs for x in model.linears if adaptable(x, split=plan.split_experts)]
    return (plan.stream_bytes if plan.int8 else DTYPE_BYTES[plan.dtype]) * max(sizes, default=0)


def unpacked_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes of a layer's GPTQ weights while backward needs it; 0 for others.

    Unpacked ones, kept since torch multiplies by them, and what the largest takes on the way: an int32 and two int8 tensors
    (auto_gptq/nn_modules/qlinear/qlinear_cuda.py, forward).
    """
    if not plan.gptq:
        return 0.0
    kept = DTYPE_BYTES[plan.dtype] * packed_parameters(model, plan) / model.layers
    return kept + 6.0 * max(x.inputs * x.outputs for x in model.linears)
