"""What an MLP keeps for backward, and its highest point, in bytes.

T = micro-batch x sequence tokens, w = bytes of the residual stream, h = hidden, I = inner width.
"""

from typing import Final

import numpy as np

from roi.estimate.training.adapter_activations import adapter_saved, expert_factor_bytes, expert_stack_bytes
from roi.estimate.training.plan import DTYPE_BYTES
from roi.estimate.training.setting import Setting
from roi.facts.model import Mlp, Number

WRITTEN_OUT_GELU: Final = ("phi", "gpt2")
"""Families whose activation is gelu_new, five operators instead of one."""

INT8_INPUT: Final = 6.0
"""Bytes an element of an int8 product's input while it is quantised: fp16 copy 2, its absolute 2, outliers 1, result 1
(bitsandbytes/backends/cuda/ops.py, int8_vectorwise_quant)."""


def inner_width(k: Mlp) -> float:
    """Inner width that one token passes through."""
    return float(k.intermediate * k.experts_per_token + k.shared_intermediate)


def mlp_saved(s: Setting, k: Mlp) -> Number:
    """MLP: what the activation keeps; a trained down projection also keeps its input."""
    w, t = s.w, s.tokens
    width = _activation_tensors(s, k) * w * inner_width(k)
    if not s.plan.adapter:
        width += w * inner_width(k)
    return width * t + _expert_saved(s, k) + adapter_saved(s, list(k.linears(s.model.hidden)))


def _activation_tensors(s: Setting, k: Mlp) -> float:
    """Tensors of the inner width: gate, activation and up; without a gate the activation's input alone.

    GELU written out (transformers' NewGELU) keeps the argument, its half, tanh and 1 + tanh. gpt-oss: gate and up, the
    clamped gate, its sigmoid, the product with it, and up + 1 (modeling_gpt_oss.py).
    """
    if s.model.family in WRITTEN_OUT_GELU:
        return 4.0
    if s.model.family == "gpt_oss":
        return 6.0
    return 3.0 if k.gated else 1.0


def _expert_saved(s: Setting, k: Mlp) -> Number:
    """Mixtures: the products' outputs before they are weighted, and where weights get a gradient their inputs.

    Adapters on experts keep the folded weights of the layer's whole stack, and their factors.
    """
    if k.experts == 1:
        return 0.0
    gradients = _weight_gradients(s) or not s.plan.adapter
    width = s.w * s.model.hidden * k.experts_per_token * (1.0 + float(gradients))
    width += s.w * k.intermediate * k.experts_per_token * float(_weight_gradients(s))
    return width * s.tokens + expert_stack_bytes(s, k) * float(s.expert_adapters) + expert_factor_bytes(s, k)


def _weight_gradients(s: Setting) -> bool:
    """True where backward of frozen experts makes the gradient of their weights.

    For adapters on them; and wherever weights are not bf16, since transformers' loop over experts then stands in for torch's
    grouped product and always makes both gradients (integrations/moe.py, _grouped_mm_fallback_bwd).
    """
    return s.plan.adapter and (s.expert_adapters or s.w >= 4.0 or s.plan.dtype != "bf16")


def mlp_peak(s: Setting, k: Mlp) -> Number:
    """MLP at its highest point, what it keeps included: recompute of the last product, or backward of the product.

    Gated backward holds gate, activation, up and the gradients of product, activation and up: 6 w I. With adapters on the
    MLP and a 16-bit stream the fp32 LoRA result and its scaled copy make 14 I, with dropout 17 I (19 I under autocast).
    With NF4, backward of down also holds the dequantised weight beside gate, activation, up, the adapter's gradient (4 w I)
    and the product's 16-bit one. Int8 dequantises to the stream's type, and the product's gradient has it too.
    """
    h, w, t, inner = s.model.hidden, s.w, s.tokens, inner_width(k)
    width = (6.0 if k.gated else 3.0) * w * inner
    linears = list(k.linears(h))
    on = s.adapted(linears)
    peak: Number = width * t
    if on and s.recast:
        with_lora = (14.0 if k.gated else 10.0) * inner
        dropped = ((17.0 if k.gated else 13.0) + (2.0 if s.lowered else 0.0)) * inner
        results = (4.0 + 3.0 * w) * h  # the result's fp32 sum, its copies and the residual
        peak = np.maximum(peak, t * (results + with_lora * (1.0 - s.dropped) + dropped * s.dropped))
    peak = peak + adapter_saved(s, [x for x in linears if x.name != "down_proj"])
    if s.plan.quantised and k.experts == 1:
        dequantised = DTYPE_BYTES[s.plan.dtype] * h * inner
        peak = np.maximum(peak, (4.0 * w + 2.0) * inner * t + dequantised)
    if s.plan.int8 and k.experts == 1:
        recomputed = adapter_saved(s, [x for x in linears if x.name != "down_proj"])
        peak = np.maximum(peak, (4.0 * w + INT8_INPUT) * inner * t + recomputed)
        peak = np.maximum(peak, _int8_backward(s, h, inner, targeted=any(x.name == "down_proj" for x in on)))
        if not s.plan.checkpointing:
            peak = peak + w * inner * t  # the down projection's input outlives its backward
    return np.maximum(peak, _expert_peak(s, k))


def _expert_peak(s: Setting, k: Mlp) -> Number:
    """Backward of experts whose weights get a gradient: of the down projections, then of gate and up, each a whole stack.

    While gate and up have theirs, what the down projections kept is gone.
    """
    if k.experts == 1 or not _weight_gradients(s):
        return 0.0
    stack, first = expert_stack_bytes(s, k), (2.0 if k.gated else 1.0)
    each = stack / (first + 1.0)
    width = s.w * k.experts_per_token * s.tokens
    down = mlp_saved(s, k) + each + (k.intermediate + s.model.hidden) * width
    others = (first * k.intermediate + 2.0 * s.model.hidden) * width
    return np.maximum(down, first * each * (1.0 + float(s.expert_adapters)) + others)


def _int8_backward(s: Setting, hidden: int, inner: float, *, targeted: bool) -> Number:
    """An int8 product's backward at its highest point: the weight in the stream's type beside what is alive.

    Down: gate, activation, up and the product's gradient (4 w I), a fifth from its adapter. Without an adapter nothing
    there is unpacked, so checkpointing recomputes later: the highest is then up, beside gate and two gradients (3 w I).
    """
    weight = s.w * hidden * inner
    if targeted or not s.plan.checkpointing:
        return (4.0 + float(targeted)) * s.w * inner * s.tokens + weight
    return s.w * (3.0 * inner + hidden) * s.tokens + weight
