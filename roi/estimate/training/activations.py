"""What one layer keeps for backward, and what backward needs on top, in bytes; kinds of layers weighted by their number.

A layer is norms, token mixing and an MLP. Backward needs what each of their operators read or made, so forward keeps

    norms           the input in fp32 (LayerNorm: in the stream's type)
    token mixing    attention.py
    MLP             gate, activation and up (3 w I a token), and the input of a trained down projection
    adapters        adapter_activations.py, on the products of both

unless the layer is checkpointed: then its input alone is kept, and the layer is computed anew when backward reaches it.
T = micro-batch x sequence tokens, w = bytes of the residual stream, h = hidden, I = inner width of the MLP.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.estimate.training.adapter_activations import (
    adapter_saved,
    behind_mlp_peak,
    expert_peak,
    expert_saved,
    folded_bytes,
    int8_backward,
    making_bytes,
    merge_bytes,
    retained_input_bytes,
    whole_tuner_bytes,
)
from roi.estimate.training.attention import (
    attention_saved,
    attention_transient,
    final_norm_saved,
    mask_bytes,
    norm_bytes,
    norm_readers,
)
from roi.estimate.training.peft_methods import PROMPTED, share_trained
from roi.estimate.training.plan import ATTENTION_INPUTS, DTYPE_BYTES
from roi.estimate.training.setting import MIXED_INPUT, POST_NORMED, Setting
from roi.estimate.training.targets import fuse_linears
from roi.facts.model import Linear, Mlp, Number

PARALLEL: Final = ("gpt_neox", "falcon", "phi", "cohere", "cohere2", "gptj", "codegen")
"""Families whose token mixing and MLP read the same stream, side by side."""
WRITTEN_OUT_GELU: Final = ("phi", "gpt2", "gptj", "gpt_neo", "codegen")
"""Families whose activation is gelu_new, eight operators instead of one."""
OWN_GELU: Final = ("bloom",)
"""Families whose GELU is an autograd function of its own: its backward is ten plain operators on the input (BloomGelu)."""
SQUARED_RELU: Final = ("arcee", "jais2", "nanochat", "nemotron", "persimmon")
"""Families whose activation is relu2: the square's backward makes the power, twice that and the product beside both gradients'
inputs (torch's derivatives.yaml, pow_backward)."""
XIELU: Final = ("apertus", "apertus1p5_text")
"""Families whose activation has two branches, which both keep what they made."""
RELU: Final = ("opt",)
"""Families whose activation keeps its output, not its input: the down projection reads the same tensor."""
FROZEN: Final = "prompt_tuning"
"""A method under which no layer has anything of its own."""
INT8_INPUT: Final = 6.0
"""Bytes an element of an int8 product's input while it is quantised: fp16 copy 2, its absolute 2, outliers 1, result 1
(bitsandbytes/backends/cuda/ops.py, int8_vectorwise_quant)."""
INT8_RESULT: Final = 6.0
"""Bytes an element of an int8 product's result beside it: int32 sums 4 and their fp16 form 2 (same file, int8_scaled_mm)."""


@dataclass(frozen=True)
class LayerBytes:
    """Bytes of one layer's activations; they broadcast as the plan's fields do."""

    saved: Number
    """Kept for backward, averaged over the layers of the model."""
    peak: Number
    """Kept and transient at the layer's own highest point, recompute included; of the widest layer."""
    transient: Number
    """The part of `peak` above what the same layer keeps."""
    merging: Number
    """What DoRA's merge, or the making of a tuner's weight, needs in forward above what the layer keeps at its end."""


def layer_bytes(s: Setting) -> LayerBytes:
    """Bytes that one layer keeps and needs; kinds of layers are weighted by their number, the peak takes the widest.

    Where some layers are trained whole and the others frozen, both kinds.
    """
    m = s.model
    if s.plan.method in ("llamapro", "lisa"):
        whole, share = layer_bytes(_as_method(s, "full")), share_trained(s.plan.method, s.plan.rank, m.layers)
        return replace(whole, saved=share * whole.saved + (1.0 - share) * layer_bytes(_as_method(s, FROZEN)).saved)
    mixing = [(attention_saved(s, a), a.layers) for a in m.attention]
    mlps = [(_mlp_saved(s, k), k.layers) for k in m.mlp]
    norms = _norm_saved(s)
    saved = norms + _mean(mixing, m.layers) + _mean(mlps, m.layers) + whole_tuner_bytes(s)
    widest_mixing = _largest([x for x, _ in mixing])
    kept = norms + widest_mixing + _largest([x for x, _ in mlps])
    peak = norms + widest_mixing + _largest([_mlp_peak(s, k) for k in m.mlp])
    scores = _largest([x + attention_transient(s, a) for (x, _), a in zip(mixing, m.attention, strict=True)])
    # then the first norm's input alone is still there, and that of an fp32 stream is the checkpoint itself
    first = norms / max(m.norms_per_layer, 1) * float(not s.plan.checkpointing or s.w < 4.0)
    peak = np.maximum(peak, first + scores)
    peak = np.maximum(peak, behind_mlp_peak(s, kept, s.w * s.tokens * max((inner_width(k) for k in m.mlp), default=0.0)))
    merged = _merge_peak(s, norms, widest_mixing) if s.plan.weight_decomposed else kept + making_bytes(s)
    highest = np.maximum(peak, merged) if s.plan.checkpointing else peak
    return LayerBytes(
        saved=saved, peak=np.maximum(highest, kept), transient=np.maximum(peak - kept, 0.0),
        merging=np.maximum(merged - kept, 0.0),
    )


def kept_bytes(s: Setting, layer: LayerBytes) -> Number:
    """Bytes of activations kept at the end of forward, the last norm included."""
    m = s.model
    if s.plan.checkpointing:
        # a mask built once is an argument of every layer, one byte an element; offloaded inputs pass by, one going, one coming
        layers = min(m.layers, 2) if s.plan.checkpoints == "offloaded" else m.layers
        kept = layers * s.w * m.hidden * s.tokens + m.layers * (retained_input_bytes(s) + _selected_bytes(s))
        return kept + mask_bytes(s) + _outside_saved(s) + final_norm_saved(s) + _rows_copied(s)
    return m.layers * layer.saved - _unreached_bytes(s) + _outside_saved(s) + final_norm_saved(s) + _rows_copied(s)


def _rows_copied(s: Setting) -> float:
    """Bytes of the whole embedding into which trainable tokens put their rows, as a tied head reads it."""
    return s.w * s.model.embedding_parameters * float(s.plan.method == "trainable_tokens" and s.tied)


def _merge_peak(s: Setting, norms: Number, mixing: Number) -> Number:
    """Bytes of the layer at the highest of DoRA's merges, each with what the layer keeps by then.

    The merge of gate and up comes before the activation, that of down beside its input. Callers still hold a 16-bit stream's
    norm output, and in the MLP the stream, where norms keep copies of it.
    """
    h, several = s.model.hidden, max(s.model.norms_per_layer, 1)
    frames = s.w * h * s.tokens * float(s.w < 4.0 and not s.fused_norms)
    highest: list[Number] = []
    for a in s.model.attention:
        on = s.adapted(list(a.linears(h)))
        for n, x in enumerate(on):  # before scores and the second norm are there
            before = adapter_saved(s, on[: n + 1]) + s.attended * sum(y.outputs for y in on[:n]) * s.tokens
            kept = mixing if x.name in MIXED_INPUT else before - norms * (1.0 - 1.0 / several)
            highest.append(frames + kept + merge_bytes(s, x))
    ends = s.plan.checkpointing and several <= 2 and s.model.family not in POST_NORMED and not s.drops("stream")
    for k in s.model.mlp:
        on = s.adapted(list(k.linears(h)))
        for n, x in enumerate(on):
            shared = s.w * float(not s.copied) * (1.0 - s.dropped)  # the input, which the target keeps
            gated = (3.0 if s.plan.kernels == "liger" else 4.0) * s.w  # Liger keeps no activation
            down = (gated if k.gated else _activation_bytes(s, k) + _activated(s)) - shared
            made = {"gate_proj": 0.0, "up_proj": s.w * k.gated}.get(x.name, down)
            merge = merge_bytes(s, x, last=ends and x.name == "down_proj")
            highest.append(mixing + 2.0 * frames + adapter_saved(s, on[: n + 1]) + made * inner_width(k) * s.tokens + merge)
    # recompute begins beside the gradients of the layer's last result, a target's: sum (fp32), base (stream), low-rank (fp32)
    begun = (4.0 + (6.0 if s.w < 4.0 else 0.0)) * h * s.tokens * float(s.plan.checkpointing and "down_proj" in s.targets)
    return norms + begun + _largest(highest)


def _unreached_bytes(s: Setting) -> Number:
    """Bytes that the first layers do not keep, since nothing before the first adapter needs a gradient; 0 for full training.

    That is the layers before the first prompt, copy or adapter behind an MLP; else the first norm; token mixing and the second
    norm too where adapters begin in the MLP; the MLP of a parallel block where they are in token mixing alone; and in a hybrid
    the run of linear layers before the first full one, where only full ones carry adapters.
    """
    m = s.model
    if s.plan.method in ("llama_adapter", "houlsby", "llamapro"):
        a, starts = m.attention[0], {"llama_adapter": float(PROMPTED), "houlsby": 1.0}
        ahead = starts.get(s.plan.method, m.layers / float(np.max(s.plan.rank)) - 1.0)
        # the first prompt reads the queries, nothing else of its layer that comes before it
        prompted = _norm_saved(s) + attention_saved(s, a) - s.attended * s.tokens * a.heads * a.head_dim
        return ahead * layer_bytes(_as_method(s, FROZEN)).saved + prompted * float(s.plan.method == "llama_adapter")
    if not s.plan.targeted or s.plan.ends:
        return 0.0
    norm = (s.w if s.layer_norm else 4.0) * m.hidden * s.tokens
    mixing = [a for a in m.attention if s.adapted(list(a.linears(m.hidden)))]
    inside = [k for k in m.mlp if s.adapted(list(k.linears(m.hidden))) or (k.experts > 1 and any(s.expert_adapters))]
    begins = min(m.attention, key=lambda a: a.kind != "linear")  # a hybrid's linear layers, as dense MLPs, come first
    if inside and begins not in mixing:
        mixed = attention_saved(s, begins)
        dense = (k.layers * (_norm_saved(s) + mixed + _mlp_saved(s, k)) for k in m.mlp[:m.mlp.index(inside[0])])
        return sum(dense, 2.0 * norm + mixed + _ahead_of_adapters(s, inside[0]))
    first = norm + (_mlp_saved(s, m.mlp[0]) if m.family in PARALLEL and not inside else 0.0)
    if {x.name for x in s.adapted(list(begins.linears(m.hidden)))} <= set(MIXED_INPUT) and begins in mixing:
        # nor what attention keeps, but what the output projection's adapter reads
        read = 0.0 if s.copied else s.w * s.tokens * begins.heads * begins.value_width
        first = first + attention_saved(s, begins) - adapter_saved(s, list(begins.linears(m.hidden))) - read
    for a in m.attention:
        if a.kind == "linear" and a not in mixing and not inside:
            before = a.layers // sum(b.layers for b in mixing)
            first = first + before * (_norm_saved(s) + attention_saved(s, a) + _mlp_saved(s, m.mlp[0]))
    return first


def _ahead_of_adapters(s: Setting, k: Mlp) -> Number:
    """Bytes that the first adapted MLP does not keep: what comes before its down projection, where no other carries an adapter.

    Nor does a mixture keep the folded weight that its first adapted product reads, or the results that it weights.
    """
    named = {x.name.removeprefix("shared_") for x in s.adapted(list(k.linears(s.model.hidden)))}
    gate_up, down = folded_bytes(s, k)
    if named - {"down_proj"} or gate_up:
        return gate_up
    weighted = s.w * s.model.hidden * k.experts_per_token * float(k.experts > 1)
    return (_activation_bytes(s, k) * inner_width(k) + weighted) * s.tokens + down


def _outside_saved(s: Setting) -> Number:
    """Bytes that products outside the layers keep: what every layer reads of them, their norm's fp32 input, their adapters.

    That is Gemma 4's projection of the embeddings into an input for each layer (project_per_layer_inputs).
    """
    m = s.model
    width = sum(outputs for _, _, outputs in m.products)
    each = s.w + 4.0 + (0.0 if s.plan.adapter else s.normalised)
    return each * width * s.tokens + adapter_saved(s, [x for x in m.linears if x.name in [name for name, *_ in m.products]])


def later_gradients_bytes(s: Setting) -> float:
    """Bytes of gradients that a dense layer makes after its highest point.

    That is the backward of its MLP, which has the last product's alone; with eager attention the scores', which lack those of
    query, key and value. 0 where weights are frozen, or a gradient is there already (accumulation) or not for long (sharding).
    """
    m, plan = s.model, s.plan
    if plan.method != "full" or plan.reduces_early or plan.accumulation > 1 or plan.applied_in_backward or m.mixture:
        return 0.0
    later = [x for x in m.linears if (x.name in ATTENTION_INPUTS if s.eager else x.name != "down_proj")]
    return plan.trained_bytes * sum(x.parameters for x in later) / m.layers


def _selected_bytes(s: Setting) -> Number:
    """Bytes that selective checkpointing keeps of a layer beside its input, averaged over the layers; 0 without it.

    The products count in the order in which forward calls them: query, key, value, output, gate, up, down; the first is kept,
    the second not, and so on (torchtitan/parallelisms/parallelize_llama.py, _get_custom_policy).
    """
    if s.plan.checkpoints != "selective":
        return 0.0
    m = s.model
    order = [x.outputs for a in m.attention[:1] for x in a.linears(m.hidden)]
    order += [x.outputs for k in m.mlp[:1] for x in k.linears(m.hidden) if x.experts == 1]
    mixed = sum(a.layers * a.heads * (s.attended * a.value_width + 4.0) for a in m.attention if a.kind != "linear")
    return s.tokens * (s.w * sum(order[::2]) + mixed / m.layers)


def inner_width(k: Mlp) -> float:
    """Width of an MLP that one token passes through, shared experts included, elements."""
    return float(k.intermediate * k.experts_per_token + k.shared_intermediate)


def _mlp_saved(s: Setting, k: Mlp) -> Number:
    """Bytes that an MLP keeps: what its activation reads and makes; a trained down projection also keeps its input."""
    w, t = s.w, s.tokens
    linears = list(k.linears(s.model.hidden))
    shared = s.model.family in RELU
    width: Number = _activation_bytes(s, k) * inner_width(k)
    if not s.plan.adapter and not shared:
        width += w * inner_width(k)
    # the output again, as the adapter or int8 product that reads it keeps it
    read = any(x.name == "down_proj" for x in s.adapted(linears)) and not s.copied
    if shared and (read or (s.plan.int8 and not s.plan.checkpointing)):
        width = width - w * inner_width(k) * (1.0 - s.dropped)
    return (width - _norm_again(s, linears)) * t + expert_saved(s, k) + adapter_saved(s, linears)


def _norm_again(s: Setting, linears: list[Linear]) -> Number:
    """Bytes a token of the one norm's output, where an MLP's products keep the tensor that those of token mixing keep too."""
    if s.one_norm and s.plan.int8 and not s.plan.checkpointing:
        return s.w * s.model.hidden
    both = s.targets & set(ATTENTION_INPUTS) and any(x.name in ("gate_proj", "up_proj") for x in s.adapted(linears))
    shared = s.one_norm and both and not s.copied
    return s.w * s.model.hidden * float(bool(shared)) * (1.0 - s.dropped)


def _activation_bytes(s: Setting, k: Mlp) -> float:
    """Bytes kept an element of the inner width: gate, activation and up; without a gate the activation's input alone.

    gelu_new keeps the argument, its half, tanh and 1 + tanh; autocast runs its pow in fp32, and so all but the half
    (transformers/activations.py). xIELU: input, that scaled, expm1, the branch; for a trained scale expm1 less the input.
    gpt-oss: gate and up, the clamped gate, its sigmoid, the product with it, and up + 1 (modeling_gpt_oss.py).
    """
    if _written_out(s):
        return 3.0 * _activated(s) + s.w
    w = s.plan.stream_bytes if k.experts > 1 and not s.plan.split_experts else s.w  # rows are cast to stacked weights
    if s.model.family in XIELU:
        return (3.0 if s.plan.adapter else 4.0) * w + 1.0
    if s.model.family in ("gpt_oss", "minimax_m3_vl_text"):
        return 6.0 * w
    if (s.plan.kernels == "liger" or s.plan.compiled) and k.gated:
        return 2.0 * w  # Liger's SwiGLU keeps gate and up, and computes their product anew (liger_kernel/ops/swiglu.py)
    return (3.0 if k.gated else 1.0) * min(w, s.made)


def _written_out(s: Setting) -> bool:
    return s.model.family in WRITTEN_OUT_GELU and s.plan.stack == "transformers"


def _activated(s: Setting) -> float:
    """Bytes of an element of what the activation makes: fp32 where autocast runs gelu_new's pow in it."""
    return 4.0 if _written_out(s) and s.plan.autocast else s.made


def _mlp_peak(s: Setting, k: Mlp) -> Number:
    """Bytes of an MLP at its highest point, kept ones included: in recompute of its last product, or in backward of it.

    Gated backward holds gate, activation, up and the gradients of product, activation and up: 6 w I; without a gate the
    activation's two gradients stand beside what it keeps, or the two that down and its adapter make and their sum. With
    adapters on the MLP and a 16-bit stream the adapter's fp32 input and its gradient make 8 I more than is kept, with dropout
    11 I (13 I under autocast). With NF4, forward and backward of down also hold the dequantised weight beside what is kept, the
    activation or the adapter's gradient (w I) and the product's 16-bit one. Int8 dequantises to the stream's type, and the
    product's gradient has it too.
    """
    h, t, inner = s.model.hidden, s.tokens, inner_width(k)
    w = s.plan.stream_bytes if k.experts > 1 and not s.plan.split_experts else s.w
    linears = list(k.linears(h))
    on = s.adapted(linears)
    targeted = any(x.name == "down_proj" for x in on)
    liger = s.plan.kernels == "liger" and k.gated  # which keeps gate and up alone
    kept, made = (2.0 if liger else 3.0) * w if k.gated else _activation_bytes(s, k), _activated(s)
    summed = k.gated or _written_out(s) or (targeted and not s.recast)
    width = (kept + (3.0 if summed else 2.0) * made) * inner
    if liger:
        width = _swiglu_width(s, linears, inner, targeted=targeted)
    if s.model.family in (*OWN_GELU, *SQUARED_RELU):
        width = (7.0 if s.model.family in OWN_GELU else 5.0) * w * inner
    peak: Number = width * t
    if on and s.recast:
        own = inner if k.experts == 1 or s.plan.split_experts else float(k.shared_intermediate)  # stacked ones have no product
        with_lora = kept * inner + 8.0 * own
        dropped = with_lora + (3.0 + (2.0 if s.lowered else 0.0)) * own
        results = (4.0 + (3.0 if k.gated else 1.0) * w) * h  # the result's fp32 sum, its copies and the residual
        peak = np.maximum(peak, t * (results + with_lora * (1.0 - s.dropped) + dropped * s.dropped))
        if not s.lowered:  # a fused gate and up: the product, what its adapter makes and that scaled, in fp32
            peak = np.maximum(peak, t * (results + (w + 8.0) * max(x.outputs for x in on)))
    recomputed = adapter_saved(s, [x for x in linears if x.name != "down_proj"]) - _norm_again(s, linears) * t
    peak = peak + recomputed
    if s.plan.quantised and (k.experts == 1 or s.plan.split_experts):
        one = inner if k.experts == 1 else float(max(k.intermediate, k.shared_intermediate))  # experts one after the other
        dequantised = DTYPE_BYTES[s.plan.dtype] * h * one
        results = 2.0 + w + 2.0 * float(s.lowered)  # of the product and its adapter; under autocast the norm's output too
        # without an adapter on down, recompute ends before; Liger's kernel makes its input first, and saves then
        made = made * float(targeted or not s.plan.checkpointing or s.plan.kernels == "liger")
        peak = np.maximum(peak, ((kept + made + 2.0) * inner + results * h) * t + recomputed + dequantised)
        if k.experts == 1:  # a fused gate and up is unpacked whole beside its result, or the gradient of that
            widest = max(x.outputs for x in fuse_linears(s.model, linears))
            begun = w * inner * float(s.plan.checkpointing and not targeted)  # the product's gradient comes first
            peak = np.maximum(peak, (w * widest + begun + results * h) * t + DTYPE_BYTES[s.plan.dtype] * h * widest)
    if s.plan.int8 and k.experts == 1:
        peak = np.maximum(peak, (kept + made + INT8_INPUT) * inner * t + recomputed)
        widest = max(x.outputs for x in fuse_linears(s.model, linears))
        peak = np.maximum(peak, ((INT8_RESULT + w) * widest + (w + 1.0) * h) * t)
        peak = np.maximum(peak, int8_backward(s, h, inner, kept, targeted=targeted))
        if not s.plan.checkpointing:
            peak = peak + w * inner * t  # the down projection's input outlives its backward
    return expert_peak(s, k, _mlp_saved(s, k), peak)


def _swiglu_width(s: Setting, linears: list[Linear], inner: float, *, targeted: bool) -> float:
    """Bytes a token of Liger's SwiGLU at its highest point: gate and up, which become their gradients, and the product.

    Where that is read again, its gradient too; where down's adapter reads it uncast, both gradients and their sum; else the
    norm's output. A fused gate and up stands beside copies of its halves (liger_kernel/transformers/swiglu.py, Phi3's).
    """
    w, summed = s.w, float(targeted and not s.recast)
    again = targeted or not s.plan.adapter or s.plan.quantised
    width = (4.0 + summed) * w * inner if again else 3.0 * w * inner + w * s.model.hidden
    whole = max(x.outputs for x in fuse_linears(s.model, linears)) >= 2.0 * inner
    return max(width, float(whole) * w * (5.0 * inner + s.model.hidden))


def _as_method(s: Setting, method: str) -> Setting:
    return replace(s, plan=replace(s.plan, method=method))


def _mean(parts: list[tuple[Number, int]], layers: int) -> Number:
    return sum((value * count for value, count in parts), np.float64(0.0)) / layers


def _largest(parts: list[Number]) -> Number:
    best: Number = 0.0
    for value in parts:
        best = np.maximum(best, value)
    return best


def _norm_saved(s: Setting) -> Number:
    """Bytes that a layer's norms keep: the input in fp32 (LayerNorm in w), trained ones the normalised copy and the output."""
    m, w = s.model, s.w
    # autocast runs LayerNorm in fp32, on a copy of its own where its input is not
    copied = s.layer_norm and not s.fused_norms and s.plan.autocast and w < 4.0
    inputs = 1 if m.family in PARALLEL and not copied else m.norms_per_layer or 2  # OLMo's two have no parameters
    if s.plan.compiled and not s.layer_norm:
        return (1.0 if s.plan.adapter else 2.0) * w * inputs * m.hidden * s.tokens  # an adapter keeps the output that it reads
    width = (w if s.fused_norms or (s.layer_norm and not s.plan.autocast) else norm_bytes(s)) * inputs
    if not s.plan.adapter:
        read = norm_readers(s) if copied else 1 if s.one_norm else 2
        width += read * w + (0.0 if s.layer_norm or s.fused_norms else s.normalised * m.norms_per_layer)
    if not s.fused_norms and (s.plan.method == "ln_tuning" or (s.plan.method == "llama_adapter_v2" and not m.norm_bias)):
        width += s.normalised * m.norms_per_layer
    width += 2.0 * float(s.drops("stream"))  # a mask of a byte an element of what each block adds
    return width * m.hidden * s.tokens
