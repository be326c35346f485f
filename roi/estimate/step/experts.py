"""What routed experts add to a micro-step where all of a layer are one 3-D parameter: transformers 5, torchtune, torchtitan.

Tokens are sorted by expert; a layer then does two grouped products, gate with up and down, whatever the number of experts.
On Hopper and the data centre's Blackwell, in bf16, a grouped product is one kernel; elsewhere torch multiplies one expert
after the other (aten/src/ATen/native/cuda/GroupedBlas.cpp, _grouped_mm_cuda; ROCm takes that loop too), and waits for the
groups' ends on the host. Liger's function is one Triton kernel a product on every card, and makes the gradient of frozen
weights too (liger_kernel/ops/fused_moe.py). Adapters on experts are folded: peft writes W + B A of the whole layer in every
forward, twice, since torch tries a parametrisation when it registers it (peft/tuners/lora/layer.py, ParamWrapper).

Counted on the dry run's operators (transformers 5.24, peft 0.21, torch 2.13) of Qwen3-MoE and Mixtral. Ignored: the waits,
uneven groups, biases, and how classes that send all tokens through all experts sort and weight them (`stacks.EVERY_EXPERT`).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from roi.estimate.step.work import FURTHER_KERNEL, Pass, Product, stacked_experts, tokens_of
from roi.estimate.training.memory import is_hopper_or_newer
from roi.estimate.training.plan import DTYPE_BYTES, Dtype, TrainingPlan
from roi.estimate.training.setting import runs_fused
from roi.estimate.training.targets import expert_parts
from roi.facts.gpu import Gpu
from roi.facts.model import Mlp, ModelShape, Number

ROUTING_FORWARD: Final = 19.0
"""Operators of one layer's routing forward: scores (7: cast, softmax, top-k, their sum, copy, division, cast), groups (7: sort,
which token, its row and weight, cast, histogram, ends), weighting (1), back in order (3) and the sum over a token's experts."""
ROUTING_BACKWARD: Final = 25.0
"""Operators of one layer's routing backward: the sum's (1), order's (2), weighting's (3), gate and up laid together (1),
weights' and tokens' rows (4), scores' (13), gradients of one input added up (1)."""
FOLDED_FORWARD: Final = 4.0
"""Operators of one folded parameter forward: its factors cast, W + B A twice."""
FOLDED_BACKWARD: Final = 7.0
"""Operators of one folded parameter backward: two products, scaled, cast, and one laid out again."""
ROUTER_ADAPTER: Final = (5.0, 5.0)
"""Operators of the router's adapter, a folded parameter of two dimensions, forward and backward."""


def expert_products(model: ModelShape, plan: TrainingPlan, gpu: Gpu) -> Iterator[Product]:
    """The grouped products of a micro-step, with equal groups, and those of folded adapters over all experts.

    In a loop each expert's product has the device to itself.
    A frozen weight serves forward, recompute and the gradient of its input; its own gradient is made where it is trained, where
    an adapter is folded into it, where its type is not bf16 (transformers' own loop makes both, _grouped_mm_fallback_bwd), and
    by Liger's function.
    """
    again, dtype, tokens = 2.0 if plan.checkpointing else 1.0, _dtype(plan), tokens_of(plan)
    each = DTYPE_BYTES[dtype]
    for k, inputs, outputs, rank, folded in _parameters(model, plan):
        layers, experts, rows = float(k.layers), float(k.experts), tokens * k.experts_per_token / k.experts
        calls, groups = (layers * experts, 1.0) if _in_turn(model, plan, gpu) else (layers, experts)
        read = groups * inputs * outputs * each
        yield Product(calls, rows, outputs, inputs, dtype, read, again, groups)
        yield Product(calls, rows, inputs, outputs, dtype, read, groups=groups)
        if folded or _makes_gradients(model, plan):
            yield Product(calls, outputs, inputs, rows, dtype, read, groups=groups)
        if folded:
            yield Product(layers, outputs, inputs, rank, dtype, rounds=2.0 * again, groups=experts)
            yield Product(layers, outputs, rank, inputs, dtype, groups=experts)
            yield Product(layers, rank, inputs, outputs, dtype, groups=experts)


def expert_passes(model: ModelShape, plan: TrainingPlan) -> Iterator[Pass]:
    """Element-wise passes of routing and of folds.

    Rows of w bytes an element are sent to experts, weighted and sent back: 7 w forward, 12 w backward; gate's and up's
    gradients laid together: 4 w of the inner width. A fold copies W, and its sum reads the copy (its write is the product's).
    """
    again, w, tokens = 2.0 if plan.checkpointing else 1.0, plan.stream_bytes, tokens_of(plan)
    for k in _mixtures(model, plan):
        rows = tokens * k.experts_per_token
        yield Pass(4.0 * k.layers * again, 7.0 / 4.0 * w * rows * model.hidden)
        yield Pass(8.0 * k.layers, 12.0 / 8.0 * w * rows * model.hidden)
        if k.gated:
            yield Pass(float(k.layers), 4.0 * w * rows * k.intermediate)
    for k, inputs, outputs, _, folded in _parameters(model, plan):
        if folded:
            yield Pass(2.0 * k.layers * again, 3.0 * DTYPE_BYTES[_dtype(plan)] * k.experts * inputs * outputs)


def expert_operators(model: ModelShape, plan: TrainingPlan, gpu: Gpu) -> float:
    """Operators that the host launches for the experts in a micro-step.

    A loop's products count one, and for each further one the share of a further kernel: the loop is torch's and runs no Python.
    """
    again, folded = 2.0 if plan.checkpointing else 1.0, float(sum(_folded(model, plan)))
    gradients = 2.0 if _makes_gradients(model, plan) else 1.0 + folded / 2.0
    launched = 0.0
    for k in _mixtures(model, plan):
        grouped = 2.0 * (1.0 + FURTHER_KERNEL * (k.experts - 1.0) * float(_in_turn(model, plan, gpu)))
        ahead, back = ROUTING_FORWARD + grouped, ROUTING_BACKWARD + grouped * gradients
        if folded:
            router = ROUTER_ADAPTER if plan.targets == "all-linear" else (0.0, 0.0)
            ahead, back = ahead + folded * FOLDED_FORWARD + router[0], back + folded * FOLDED_BACKWARD + router[1]
        launched += k.layers * (ahead * again + back)
    return launched


def _mixtures(model: ModelShape, plan: TrainingPlan) -> Iterator[Mlp]:
    return (k for k in model.mlp if k.experts > 1 and stacked_experts(plan))


def _parameters(model: ModelShape, plan: TrainingPlan) -> Iterator[tuple[Mlp, float, float, Number, bool]]:
    """(mixture, inputs, outputs, rank of its adapter, whether it has one) of each 3-D parameter; gate and up are one.

    That one has twice the rank.
    """
    rank, (gate_up, down) = np.asarray(plan.path_rank, dtype=float), _folded(model, plan)
    for k in _mixtures(model, plan):
        fused = 2.0 if k.gated else 1.0
        yield k, float(model.hidden), fused * k.intermediate, fused * rank, gate_up
        yield k, float(k.intermediate), float(model.hidden), rank, down


def _folded(model: ModelShape, plan: TrainingPlan) -> tuple[bool, bool]:
    return expert_parts(model, plan.targets) if plan.targeted else (False, False)


def _makes_gradients(model: ModelShape, plan: TrainingPlan) -> bool:
    """True where backward makes the gradient of all the experts' weights, frozen or not."""
    return not plan.adapter or _dtype(plan) != "bf16" or runs_fused(model, plan)


def _in_turn(model: ModelShape, plan: TrainingPlan, gpu: Gpu) -> bool:
    """True where a grouped product is a loop over the experts."""
    return not runs_fused(model, plan) and (_dtype(plan) != "bf16" or not is_hopper_or_newer(gpu))


def _dtype(plan: TrainingPlan) -> Dtype:
    """The experts' type: not quantised, and fp32 after k-bit preparation."""
    return "fp32" if plan.stream_bytes >= 4.0 else plan.dtype
