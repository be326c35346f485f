"""What one layer keeps for backward, and what backward needs on top, in bytes.

Read off the operators of transformers 5 (RMSNorm, rotary, repeat_kv, SDPA, gated MLP), peft's LoRA and DoRA layers and
bitsandbytes' MatMul4Bit. T = micro-batch x sequence tokens, w = bytes of the residual stream, h = hidden, I = inner width.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.estimate.plan import ATTENTION_INPUTS, DTYPE_BYTES, TrainingPlan, adaptable, resolve_targets
from roi.facts.linear import Linear
from roi.facts.model import Attention, Mlp, ModelShape, Number

SOFT_CAPPED: Final = ("gemma2", "gemma3n", "gemma3n_text", "gemma4", "gemma4_text")
"""Families whose head ends in cap x tanh(logits / cap)."""

OWN_INPUT: Final = ("down_proj", "shared_down_proj", "q_b_proj", "kv_b_proj")
"""Products that alone read their input."""

MIXED_INPUT: Final = ("o_proj", "out_proj")
"""Products that read the output of token mixing."""


@dataclass(frozen=True)
class LayerBytes:
    """One layer's activations."""

    saved: Number
    """Kept for backward, averaged over the layers of the model."""
    peak: Number
    """Kept and transient at the layer's own highest point, recompute included; of the widest layer."""
    transient: Number
    """The part of `peak` above what the same layer keeps."""


@dataclass(frozen=True)
class Setting:
    """The numbers that every formula below uses, broadcast once."""

    model: ModelShape
    plan: TrainingPlan
    targets: frozenset[str]
    tokens: Number
    """micro_batch x seq."""
    pairs: Number
    """micro_batch x seq x seq: elements of one head's scores."""
    masked: Number
    """1 where SDPA gets an explicit mask (a padded batch of more than one sequence), else 0."""
    dropped: Number
    """1 where LoRA dropout is on, else 0."""

    @property
    def w(self) -> float:
        """Bytes of a stream element."""
        return self.plan.stream_bytes

    @property
    def lowered(self) -> bool:
        """True where autocast runs the products of wider tensors in 16 bits, each on a 16-bit copy of its input."""
        return self.plan.autocast and self.plan.adapter and DTYPE_BYTES[self.plan.dtype] < self.plan.trained_bytes

    @property
    def attended(self) -> float:
        """Bytes of a query, key, value or attention output element."""
        return 2.0 if self.lowered else self.w

    @property
    def recast(self) -> bool:
        """True where a target casts its input to the adapter's fp32 and so keeps a copy of its own."""
        return self.plan.adapter and self.w < self.plan.trained_bytes


def read_setting(model: ModelShape, plan: TrainingPlan) -> Setting:
    """The plan's numbers, ready for the formulas."""
    batch, seq = np.asarray(plan.micro_batch, dtype=float), np.asarray(plan.seq, dtype=float)
    targets = resolve_targets(model, plan.targets) if plan.adapter else frozenset()
    masked = np.where((batch > 1.0) & plan.padded & (plan.attention == "sdpa"), 1.0, 0.0)
    dropped = np.where(np.asarray(plan.dropout, dtype=float) > 0.0, 1.0, 0.0)
    return Setting(model, plan, targets, batch * seq, batch * seq * seq, masked, dropped)


def layer_bytes(s: Setting) -> LayerBytes:
    """What one layer keeps and needs; kinds of layers are weighted by their number, the peak takes the widest."""
    m = s.model
    mixing = [(_attention_saved(s, a), a.layers) for a in m.attention]
    mlps = [(_mlp_saved(s, k), k.layers) for k in m.mlp]
    norms = _norm_saved(s)
    saved = norms + _mean(mixing, m.layers) + _mean(mlps, m.layers)
    widest_mixing = _largest([x for x, _ in mixing])
    kept = norms + widest_mixing + _largest([x for x, _ in mlps])
    peak = norms + widest_mixing + _largest([_mlp_peak(s, k) for k in m.mlp])
    if s.plan.attention == "eager":
        peak = np.maximum(peak, norms + widest_mixing + _largest([_eager_transient(s, a) for a in m.attention]))
    if s.plan.weight_decomposed:
        early = [x for a in m.attention for x in a.linears(m.hidden) if _targeted(s, x)]
        late = [x for k in m.mlp for x in k.linears(m.hidden) if _targeted(s, x)]
        peak = np.maximum(peak, norms + widest_mixing + _largest([_merge_bytes(x) for x in early]))
        peak = np.maximum(peak, kept + _largest([_merge_bytes(x) for x in late])) if late else peak
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
    mixing: list[tuple[Number, int]] = [(_int8_inputs(s, list(a.linears(h)), output=True), a.layers) for a in m.attention]
    mlps: list[tuple[Number, int]] = [(_int8_inputs(s, list(k.linears(h))), k.layers) for k in m.mlp]
    return _mean(mixing, m.layers) + _mean(mlps, m.layers)


def _int8_inputs(s: Setting, linears: list[Linear], *, output: bool = False) -> Number:
    """Distinct inputs of int8 products: the norm's output once, and each output or down projection's own.

    The output projection's input is the attention's output, counted where `output` is asked for: without checkpointing the
    attention keeps the same tensor.
    """
    packed = [x for x in linears if adaptable(x)]
    own = sum(x.inputs for x in packed if x.name in OWN_INPUT)
    shared = s.model.hidden * float(any(x.name not in (*OWN_INPUT, *MIXED_INPUT) for x in packed))
    mixed = s.attended * sum(x.inputs for x in packed if x.name in MIXED_INPUT) * float(output)
    return s.tokens * (s.w * (own + shared) + mixed)


def logit_bytes(s: Setting) -> float:
    """Bytes of one logit: the head is fp32 after k-bit preparation, and runs in 16 bits under autocast."""
    return s.attended


def loss_bytes(s: Setting) -> float:
    """Bytes of one logit in the loss's backward: log-softmax, its incoming and its outgoing gradient in fp32.

    A soft-capped head also keeps its tanh.
    """
    return 12.0 + (logit_bytes(s) if s.model.family in SOFT_CAPPED else 0.0)


def lowered_head_bytes(s: Setting) -> float:
    """Bytes of the 16-bit copy of an fp32 head that autocast keeps for backward."""
    return 2.0 * s.model.head_parameters if s.lowered and s.w >= 4.0 else 0.0


def _targeted(s: Setting, linear: Linear) -> bool:
    return adaptable(linear) and linear.name in s.targets


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


def _attention_saved(s: Setting, a: Attention) -> Number:
    """Token mixing: queries, keys, values, output, mask or scores, q/k norms, and the adapters on its projections."""
    h, w, t = s.model.hidden, s.attended, s.tokens
    d, v = a.head_dim, a.value_dim or a.head_dim
    linears = list(a.linears(h))
    if a.kind == "linear":
        saved = 2.0 * w * sum(x.outputs for x in linears) * t
        return saved + _adapter_saved(s, linears, h)
    kv_heads = a.heads if a.kind == "latent" else a.kv_heads
    repeated = 1.0 if s.plan.attention == "eager" else s.masked
    held = repeated * a.heads + (1.0 - repeated) * kv_heads
    saved = w * t * (a.heads * d + held * (d + v))
    if s.plan.attention == "eager":
        # softmax in fp32, and its copy in the compute type where that is not fp32
        saved = saved + s.pairs * a.heads * (4.0 + (w if w < 4.0 else 0.0))
        held = s.plan.int8 and not s.plan.checkpointing
        if not s.plan.adapter or held or (not s.recast and "o_proj" in s.targets):
            saved = saved + w * a.heads * v * t
    else:
        saved = saved + t * a.heads * (w * v + 4.0) + s.masked * s.pairs * w
    if a.kind != "latent" and a.norm_parameters:
        normed = (a.heads + a.kv_heads) * d
        saved = saved + normed * t * (4.0 + (0.0 if s.plan.adapter else s.w))
    if a.kind == "latent":
        saved = saved + 4.0 * t * ((a.q_rank or 0) + (a.kv_rank or 0))
    return saved + _adapter_saved(s, linears, h)


def _adapter_saved(s: Setting, linears: list[Linear], hidden: int) -> Number:
    """Inputs that targets keep for the gradient of A, A's output, and DoRA's two results.

    With a 16-bit stream every target casts its input to fp32 and keeps that copy; with an fp32 stream targets share the
    tensor that they read. Dropout gives every target its own output (fp32) and mask (1 byte). Under autocast every target
    keeps a 16-bit copy of its input, and the 16-bit copies of A and B live with the graph. Without checkpointing the
    inputs of int8 products are kept too, targets or not.
    """
    t, rank, each = s.tokens, np.asarray(s.plan.rank, dtype=float), s.plan.trained_bytes
    on = [x for x in linears if _targeted(s, x)]
    held = _int8_inputs(s, linears) if s.plan.int8 and not s.plan.checkpointing else 0.0
    if not on:
        return held
    own = sum(x.inputs for x in on)
    if s.lowered:
        copies = 2.0 * rank * sum(x.inputs + x.outputs for x in on)
        total = t * (2.0 * own + s.dropped * own + 2.0 * rank * len(on)) + copies
        return total + _decomposed_saved(s, on) + held
    if s.recast:
        undropped: Number = 4.0 * own
    else:
        undropped = s.w * hidden * float(any(x.name in (*ATTENTION_INPUTS, "gate_proj", "up_proj") for x in on))
        undropped += s.w * sum(x.inputs for x in on if x.name in ("down_proj", "q_b_proj", "kv_b_proj"))
    undropped = np.maximum(undropped * (1.0 - s.dropped), held / t)
    total = t * (undropped + (each + 1.0) * own * s.dropped + each * rank * len(on))
    return total + _decomposed_saved(s, on)


def _decomposed_saved(s: Setting, on: list[Linear]) -> Number:
    """DoRA's base and low-rank results; with dropout the base result is computed anew from an fp32 copy of the weight."""
    if not s.plan.weight_decomposed:
        return 0.0
    base = s.w * (1.0 - s.dropped) + 4.0 * s.dropped
    weights = 4.0 * sum(x.inputs * x.outputs for x in on)
    return s.tokens * sum(x.outputs for x in on) * (base + 4.0) + s.dropped * weights


def _inner(k: Mlp) -> float:
    """Inner width that one token passes through."""
    return float(k.intermediate * k.experts_per_token + k.shared_intermediate)


def _mlp_saved(s: Setting, k: Mlp) -> Number:
    """MLP: gate, activation and up (two without a gate); a trained down projection also keeps its input."""
    w, t, inner = s.w, s.tokens, _inner(k)
    width = (3.0 if k.gated else 1.0) * w * inner
    if not s.plan.adapter:
        width += w * inner
    if k.experts > 1:
        # tokens gathered by expert before, and weighted after, the grouped products
        width += 2.0 * w * s.model.hidden * k.experts_per_token
    return width * t + _adapter_saved(s, list(k.linears(s.model.hidden)), s.model.hidden)


def _mlp_peak(s: Setting, k: Mlp) -> Number:
    """MLP at its highest point, what it keeps included: recompute of the last product, or backward of the product.

    Gated backward holds gate, activation, up and the gradients of product, activation and up: 6 w I. With adapters on the
    MLP and a 16-bit stream the fp32 LoRA result and its scaled copy make 14 I, with dropout 17 I (19 I under autocast).
    With NF4, backward of down also holds the dequantised weight beside gate, activation, up, the adapter's gradient (4 w I)
    and the product's 16-bit one. Int8 dequantises to the stream's type, and the product's gradient has it too.
    """
    h, w, t, inner = s.model.hidden, s.w, s.tokens, _inner(k)
    width = (6.0 if k.gated else 3.0) * w * inner
    on = [x for x in k.linears(h) if _targeted(s, x)]
    peak: Number = width * t
    if on and s.recast:
        with_lora = (14.0 if k.gated else 10.0) * inner
        dropped = ((17.0 if k.gated else 13.0) + (2.0 if s.lowered else 0.0)) * inner
        results = (4.0 + 3.0 * w) * h  # the result's fp32 sum, its copies and the residual
        peak = np.maximum(peak, t * (results + with_lora * (1.0 - s.dropped) + dropped * s.dropped))
    peak = peak + _adapter_saved(s, [x for x in k.linears(h) if x.name != "down_proj"], h)
    if s.plan.quantised and k.experts == 1:
        dequantised = DTYPE_BYTES[s.plan.dtype] * h * inner
        peak = np.maximum(peak, (4.0 * w + 2.0) * inner * t + dequantised)
    if s.plan.int8 and k.experts == 1:
        peak = np.maximum(peak, _int8_backward(s, h, inner, targeted=any(x.name == "down_proj" for x in on)))
        if not s.plan.checkpointing:
            peak = peak + w * inner * t  # the down projection's input outlives its backward
    return peak


def _int8_backward(s: Setting, hidden: int, inner: float, *, targeted: bool) -> Number:
    """An int8 product's backward at its highest point: the weight in the stream's type beside what is alive.

    Down: gate, activation, up and the product's gradient (4 w I), a fifth from its adapter. Without an adapter nothing
    there is unpacked, so checkpointing recomputes later: the highest is then up, beside gate and two gradients (3 w I).
    """
    weight = s.w * hidden * inner
    if targeted or not s.plan.checkpointing:
        return (4.0 + float(targeted)) * s.w * inner * s.tokens + weight
    return s.w * (3.0 * inner + hidden) * s.tokens + weight


def _eager_transient(s: Setting, a: Attention) -> Number:
    """Eager attention's backward above what the layer keeps: CUDA's softmax backward materialises gradient x output.

    In fp32: gradient, product and result (12); with a 16-bit stream the result stays 16-bit (4 + 4 + w), less the copy
    of the weights that was freed before.
    """
    if a.kind == "linear":
        return 0.0
    extra = 12.0 if s.w >= 4.0 else 8.0
    return extra * s.pairs * a.heads


def _merge_bytes(linear: Linear) -> float:
    """DoRA's norm of V + s B A: an identity of inputs x inputs, B A, its scaled copy, the weight and the sum, all fp32."""
    return 4.0 * linear.inputs**2 + 16.0 * linear.inputs * linear.outputs
