"""What one layer keeps for backward, and what backward needs on top, in bytes; kinds of layers weighted by their number.

Token mixing, MLPs and adapters have files of their own. T = micro-batch x sequence tokens, w = bytes of the residual stream,
h = hidden.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.estimate.training.adapter_activations import adapter_saved, int8_inputs, merge_bytes
from roi.estimate.training.attention import attention_saved, attention_transient
from roi.estimate.training.mlp import inner_width, mlp_peak, mlp_saved
from roi.estimate.training.setting import Setting
from roi.facts.model import Number

PARALLEL: Final = ("gpt_neox", "falcon", "phi", "cohere")
"""Families whose token mixing and MLP read the same stream, side by side."""


@dataclass(frozen=True)
class LayerBytes:
    """One layer's activations."""

    saved: Number
    """Kept for backward, averaged over the layers of the model."""
    peak: Number
    """Kept and transient at the layer's own highest point, recompute included; of the widest layer."""
    transient: Number
    """The part of `peak` above what the same layer keeps."""
    merging: Number
    """What DoRA's merge in forward needs above what the layer keeps at its end."""


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
    merged = _merge_peak(s, norms, widest_mixing)
    highest = np.maximum(peak, merged) if s.plan.checkpointing else peak
    return LayerBytes(saved, np.maximum(highest, kept), np.maximum(peak - kept, 0.0), np.maximum(merged - kept, 0.0))


def _merge_peak(s: Setting, norms: Number, mixing: Number) -> Number:
    """The layer at the highest of DoRA's merges, each with what the layer keeps by then; 0 without DoRA.

    The merge of gate and up comes before the activation, that of down beside its input.
    """
    if not s.plan.weight_decomposed:
        return s.tokens * 0.0
    h = s.model.hidden
    early = [x for a in s.model.attention for x in s.adapted(list(a.linears(h)))]
    highest = [mixing + merge_bytes(s, x) for x in early]
    for k in s.model.mlp:
        on = s.adapted(list(k.linears(h)))
        for n, x in enumerate(on):
            made = {"gate_proj": 0.0, "up_proj": 1.0 * k.gated}.get(x.name, 4.0 if k.gated else 2.0)
            before = adapter_saved(s, on[: n + 1])
            highest.append(mixing + before + made * s.w * inner_width(k) * s.tokens + merge_bytes(s, x))
    # checkpointing recomputes when backward first asks, beside the fp32 gradients of the last target's result
    begun = (4.0 + (4.0 if s.w < 4.0 else 0.0)) * h * s.tokens * float(s.plan.checkpointing)
    return norms + begun + _largest(highest)


def unreached_bytes(s: Setting) -> Number:
    """What the first layers do not keep where the embedding's output needs no gradient: nothing before the first adapter.

    That is the first norm; token mixing and the second norm too where adapters begin in the MLP; the MLP of a parallel block
    where they are in token mixing alone; and in a hybrid the run of linear layers before the first full one, where only full
    ones carry adapters.
    """
    m = s.model
    if not s.plan.adapter:
        return 0.0
    norm = (s.w if m.norm_bias else 4.0) * m.hidden * s.tokens
    mixing = [a for a in m.attention if s.adapted(list(a.linears(m.hidden)))]
    inside = any(s.adapted(list(k.linears(m.hidden))) for k in m.mlp) or s.expert_adapters
    if not mixing:
        return 2.0 * norm + attention_saved(s, m.attention[0])
    first = norm + (mlp_saved(s, m.mlp[0]) if m.family in PARALLEL and not inside else 0.0)
    for a in m.attention:
        if a.kind == "linear" and a not in mixing and not inside:
            before = a.layers // sum(b.layers for b in mixing)
            first = first + before * (_norm_saved(s) + attention_saved(s, a) + mlp_saved(s, m.mlp[0]))
    return first


def final_norm_saved(s: Setting) -> Number:
    """Bytes that the last norm keeps: its fp32 input; trained norms also their normalised and scaled outputs."""
    trained = 0.0 if s.plan.adapter else s.w + s.normalised
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
    inputs = 1 if m.family in PARALLEL else m.norms_per_layer
    # autocast runs LayerNorm in fp32, on a copy where its input is not
    width = (w if m.norm_bias and not s.plan.autocast else 4.0) * inputs
    if not s.plan.adapter:
        width += 2.0 * w + (0.0 if m.norm_bias else s.normalised * m.norms_per_layer)
    return width * m.hidden * s.tokens
