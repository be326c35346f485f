"""What one layer keeps for backward, and what backward needs on top, in bytes; kinds of layers weighted by their number.

Token mixing, MLPs and adapters have files of their own. T = micro-batch x sequence tokens, w = bytes of the residual stream,
h = hidden.
"""

from dataclasses import dataclass

import numpy as np

from roi.estimate.adapter_bytes import int8_inputs, merge_bytes
from roi.estimate.attention_bytes import attention_saved, attention_transient
from roi.estimate.mlp_bytes import mlp_peak, mlp_saved
from roi.estimate.setting import Setting
from roi.facts.model import Number


@dataclass(frozen=True)
class LayerBytes:
    """One layer's activations."""

    saved: Number
    """Kept for backward, averaged over the layers of the model."""
    peak: Number
    """Kept and transient at the layer's own highest point, recompute included; of the widest layer."""
    transient: Number
    """The part of `peak` above what the same layer keeps."""


def layer_bytes(s: Setting) -> LayerBytes:
    """What one layer keeps and needs; kinds of layers are weighted by their number, the peak takes the widest."""
    m = s.model
    mixing = [(attention_saved(s, a), a.layers) for a in m.attention]
    mlps = [(mlp_saved(s, k), k.layers) for k in m.mlp]
    norms = _norm_saved(s)
    saved = norms + _mean(mixing, m.layers) + _mean(mlps, m.layers)
    widest_mixing = _largest([x for x, _ in mixing])
    kept = norms + widest_mixing + _largest([x for x, _ in mlps])
    peak = norms + widest_mixing + _largest([mlp_peak(s, k) for k in m.mlp])
    scores = _largest([x + attention_transient(s, a) for (x, _), a in zip(mixing, m.attention, strict=True)])
    peak = np.maximum(peak, norms + scores)
    if s.plan.weight_decomposed:
        early = [x for a in m.attention for x in s.adapted(list(a.linears(m.hidden)))]
        late = [x for k in m.mlp for x in s.adapted(list(k.linears(m.hidden)))]
        peak = np.maximum(peak, norms + widest_mixing + _largest([merge_bytes(x) for x in early]))
        peak = np.maximum(peak, kept + _largest([merge_bytes(x) for x in late])) if late else peak
    return LayerBytes(saved, np.maximum(peak, kept), np.maximum(peak - kept, 0.0))


def final_norm_saved(s: Setting) -> Number:
    """Bytes that the last norm keeps: its fp32 input; trained norms also their normalised and scaled outputs."""
    trained = 0.0 if s.plan.adapter else 2.0 * s.w
    return (4.0 + trained) * s.model.hidden * s.tokens


def norm_backward_bytes(s: Setting) -> Number:
    """Bytes of RMSNorm's backward: five fp32 tensors of the stream's width (torch's formulas for pow, mean and rsqrt)."""
    return 20.0 * s.model.hidden * s.tokens


def retained_input_bytes(s: Setting) -> Number:
    """Bytes of inputs that one layer's int8 products hold until the whole graph is dropped, averaged over the layers.

    bitsandbytes' MatMul8bitLt keeps its input as an attribute of the autograd node (ctx.tensors), not by save_for_backward:
    non-reentrant checkpointing does not see it, and backward does not free it. 0 for every other method.
    """
    if not s.plan.int8:
        return 0.0
    h, m = s.model.hidden, s.model
    mixing: list[tuple[Number, int]] = [(int8_inputs(s, list(a.linears(h)), output=True), a.layers) for a in m.attention]
    mlps: list[tuple[Number, int]] = [(int8_inputs(s, list(k.linears(h))), k.layers) for k in m.mlp]
    return _mean(mixing, m.layers) + _mean(mlps, m.layers)


def _mean(parts: list[tuple[Number, int]], layers: int) -> Number:
    total: Number = 0.0
    for value, count in parts:
        total = total + value * count
    return total / layers


def _largest(parts: list[Number]) -> Number:
    best: Number = 0.0
    for value in parts:
        best = np.maximum(best, value)
    return best


def _norm_saved(s: Setting) -> Number:
    """Norms: RMSNorm keeps its input in fp32 (LayerNorm in w); trained ones keep the normalised copy and the output."""
    m, w = s.model, s.w
    width = (w if m.norm_bias else 4.0) * m.norms_per_layer
    if not s.plan.adapter:
        width += 2.0 * w + (0.0 if m.norm_bias else w * m.norms_per_layer)
    return width * m.hidden * s.tokens
