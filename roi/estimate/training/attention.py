"""What token mixing keeps for backward, and what its backward needs on top, in bytes.

Fused attention (FlashAttention, memory-efficient SDPA) keeps queries, keys, values and output, and a log-sum a row: bytes in
proportion to the tokens. Eager attention and SDPA's math path also keep the scores of every pair of tokens, and their backward
holds three more copies of them in fp32 for a moment: bytes in proportion to the square of the sequence.

Read off transformers 5 (rotary, repeat_kv, SDPA and eager attention) and torch's three SDPA paths on CUDA.
"""

from typing import Final

import numpy as np

from roi.estimate.training.adapter_activations import adapter_saved
from roi.estimate.training.plan import ATTENTION_INPUTS
from roi.estimate.training.setting import MIXED_INPUT, Setting
from roi.estimate.training.targets import fuse_linears
from roi.facts.model import Attention, Number

DELTA_CHUNK: Final = 64.0
"""Tokens of a chunk of the gated delta rule (chunk_size)."""
UNROTATED: Final = ("gpt2", "mpt", "gpt_bigcode")
"""Families that turn neither queries nor keys: all three are views of the fused product, which is kept once."""
ALL_VIEWS: Final = (*UNROTATED, "bloom")
"""Families whose own attention reads queries and keys as views of the fused product too."""
WIDENED: Final = ("gptj", "gpt_neo", "codegen")
"""Families whose own attention turns queries and keys to fp32, of which autocast's product makes 16-bit copies again."""
NAMED_SOFTMAX: Final = ("gpt_oss", "mimo_v2_flash")
"""Families whose softmax names the stream's type, in which it stays under autocast (autocast_mode.h, fp32_set_opt_dtype)."""
NARROW_SOFTMAX: Final = (*NAMED_SOFTMAX, "gpt2", "gpt_neox_japanese")
"""Families whose softmax runs in the stream's type; those that name no type autocast makes fp32."""
SCORES_AGAIN: Final = ("gemma2", "vaultgemma", "granite_swa", "granitemoe_swa")
"""Families that keep scores once more, in the stream's type: what a soft cap's tanh or a sink's logsumexp reads."""
BARE_NORMS: Final = ("nanochat",)
"""Families that normalise queries and keys without a scale."""
CENTRED: Final = ("cohere", "cohere2")
"""Families whose norm is LayerNorm written out: it keeps its centred input twice, for the variance and for the product."""
VALUE_NORMS: Final = ("gemma3n", "gemma4")
"""Families, by their names' beginnings, that also normalise values, without a scale."""


def attention_saved(s: Setting, a: Attention) -> Number:
    """Bytes that token mixing keeps: queries, keys, values, output, mask or scores, q/k norms, adapters on its projections."""
    w, t = s.attended, s.tokens
    linears = list(a.linears(s.model.hidden))
    if a.kind == "linear":
        return _linear_saved(s, a) + adapter_saved(s, linears)
    if s.eager:
        capped = w if s.model.family in SCORES_AGAIN else 0.0
        widened = 2.0 * (4.0 - w) * a.heads * a.head_dim * float(s.model.family in WIDENED and not s.plan.autocast)
        saved = _scores_saved(s, a, w, sum(_softmax_bytes(s)) + capped) + t * widened
    else:
        scored = s.scored(a)
        saved = scored * _scores_saved(s, a, 4.0, 4.0 + _math_dropped_bytes(s)) + (1.0 - scored) * _fused_saved(s, a)
    if a.kind != "latent" and (a.norm_parameters or s.model.family in BARE_NORMS):
        keys = _fresh(a) * a.kv_heads * a.head_dim
        both = a.heads * a.head_dim + keys
        read = s.w if s.fused_head_norms else norm_bytes(s) + (0.0 if s.plan.adapter else s.normalised)
        values = keys * float(s.model.family.startswith(VALUE_NORMS))
        saved = saved + t * (read * both + norm_bytes(s) * values)
    # of a layer's own input (Gemma 4): GELU's input and result, and the product that a trained projection reads
    gate = sum(x.outputs for x in linears if x.name == "per_layer_input_gate")
    saved = saved + s.w * t * gate * (2.0 if s.plan.adapter else 3.0)
    if a.gated:  # the gate's sigmoid; of an fp32 stream also the gate, a view of the product whose query the norm keeps uncast
        read = _output_read(s, "o_proj")  # what the gate makes of the output
        saved = saved + s.w * t * a.heads * a.value_width * (1.0 + float(s.w >= 4.0) + float(read))
    if a.kind == "latent":  # norms of both ranks; trained ones also scale, and the projections behind them read what they make
        trained = 0.0 if s.plan.adapter else s.normalised + w
        saved = saved + (norm_bytes(s) + trained) * t * ((a.q_rank or 0) + (a.kv_rank or 0))
    return saved + adapter_saved(s, linears)


def norm_bytes(s: Setting) -> float:
    """Bytes that a norm of several operators keeps of an element: its fp32 input."""
    return 8.0 if s.model.family in CENTRED else 4.0


def final_norm_saved(s: Setting) -> Number:
    """Bytes that the last norm keeps: its fp32 input; trained norms also their normalised and scaled outputs.

    LLaMA-Adapter v2 has a scale on the head too, which reads the logits.
    """
    trained = s.w * float(s.plan.ends) if s.plan.adapter else s.w + s.normalised
    if s.plan.method == "llama_adapter_v2":
        trained = s.normalised * float(not s.model.norm_bias) + s.w * s.model.vocab / s.model.hidden
    return (4.0 + trained) * s.model.hidden * s.tokens


def norm_backward_bytes(s: Setting) -> Number:
    """Bytes of RMSNorm's backward: five fp32 tensors of the stream's width (torch's formulas for pow, mean and rsqrt)."""
    return 20.0 * s.model.hidden * s.tokens


def norm_readers(s: Setting) -> int:
    """Products of a layer that read a norm's output: each on a 16-bit copy of its own where autocast makes that fp32."""
    linears = [*s.model.attention[0].linears(s.model.hidden), *s.model.mlp[0].linears(s.model.hidden)]
    return sum(x.name in (*ATTENTION_INPUTS, "gate_proj", "up_proj") for x in fuse_linears(s.model, linears))


def _fresh(a: Attention) -> float:
    """Share of the kind's layers that make keys and values of their own."""
    return 1.0 - a.kv_reused_layers / a.layers


def attention_transient(s: Setting, a: Attention) -> Number:
    """Bytes of the backward of materialised scores above what the layer keeps; 0 for fused attention.

    What the output projection's adapter kept has gone by then, but for inputs that int8 holds.
    CUDA's softmax backward makes gradient x output: gradient, product and result in fp32 (12), less the copy of the weights
    in the compute type that was freed before. From fp16 to fp32 softmax is one kernel, so its result is fp16 (SoftMax.cpp,
    half_to_float).
    """
    if a.kind == "linear":
        return s.pairs * 0.0
    behind = [x for x in a.linears(s.model.hidden) if x.name in MIXED_INPUT]
    gone = adapter_saved(s, behind) * float(not s.keeps_inputs)
    if s.eager:
        softmax, beside = _softmax_bytes(s)
        fused = 2.0 if softmax > s.attended and s.plan.dtype == "fp16" else 0.0
        # gone when the product with them has its gradients
        values = s.attended * s.tokens * (a.heads * a.value_width + _viewed_width(s, a))
        return (3.0 * softmax - beside - fused) * s.pairs * a.heads - values - gone
    highest = (12.0 - _math_dropped_bytes(s)) * s.pairs * a.heads
    return s.scored(a) * (highest - 4.0 * s.tokens * _viewed_width(s, a) - gone)


def scores_made(s: Setting) -> Number:
    """Bytes of fp32 scores beside each other while forward makes a layer's: the product, and what a mask or softmax makes."""
    most: Number = 0.0
    for a in (a for a in s.model.attention if a.kind != "linear"):
        most = np.maximum(most, 8.0 * a.heads * (1.0 if s.eager else s.scored(a)))
    return s.pairs * most


def _linear_saved(s: Setting, a: Attention) -> Number:
    """Bytes of the chunked gated delta rule as torch runs it without the flash-linear-attention package, in fp32.

    Fourteen tensors of a head's width (padded and scaled queries, keys and values, the triangular solutions, each chunk's new
    values, the gated norm), five of a chunk's width a token (decay and scores inside a chunk), a state a chunk; in the stream's
    type the convolution's input and output and the norm's result (modeling_qwen3_next.py, torch_chunk_gated_delta_rule).
    Autocast runs the convolution and the chunks' products on 16-bit copies, and a sequence keeps two fp32 states fewer. Of an
    fp32 stream nothing is cast, so queries, keys and both products with beta are not contiguous and copied when they are cut
    in chunks, and where heads are not repeated the convolution's activation stays, of which queries and keys are views.
    """
    inner, normed = a.heads * a.head_dim, s.w * a.heads * a.value_width
    heads = 14.0 * a.head_dim + 5.0 * DELTA_CHUNK + a.head_dim * a.value_width / DELTA_CHUNK
    each = 4.0 * a.heads * heads + 2.0 * (2.0 if s.plan.autocast else s.w) * a.conv_width + normed
    each += (11.0 if s.plan.autocast else 16.0 * float(s.w >= 4.0)) * inner
    each += 4.0 * (a.conv_width - 2.0 * inner) * float(s.w >= 4.0 and a.kv_heads == a.heads)
    # what a trained norm scales, and the output projection's input
    each += normed * (float(not s.plan.adapter) + float(_output_read(s, "out_proj")))
    return s.tokens * each - 8.0 * float(s.plan.autocast) * s.batch * inner * a.value_width


def _output_read(s: Setting, name: str) -> bool:
    """True where the product of this name keeps its input as it is: full training, an adapter that casts nothing, int8."""
    uncast = name in s.targets and not s.copied
    return not s.plan.adapter or uncast or (s.plan.int8 and not s.plan.checkpointing)


def _softmax_bytes(s: Setting) -> tuple[float, float]:
    """Bytes kept for each score of eager attention: softmax's result, and what is made of it.

    That is a copy in the compute type, or dropout's mask and result.
    """
    w = s.attended
    softmax = s.w if s.model.family in (NAMED_SOFTMAX if s.plan.autocast else NARROW_SOFTMAX) else 4.0
    if s.drops("scores"):
        return softmax, 1.0 + w
    return softmax, w if w < softmax else 0.0


def _math_dropped_bytes(s: Setting) -> float:
    """Bytes a score that SDPA's math path keeps of dropout: a mask of one byte, and the fp32 result that values multiply.

    Both are gone when softmax's backward begins (attention.cpp, _scaled_dot_product_attention_math; Dropout.cpp).
    """
    return 5.0 * float(s.drops("scores"))


def _scores_saved(s: Setting, a: Attention, w: float, pair: float) -> Number:
    """Bytes of queries, repeated keys and values, scores at `pair` bytes each, and of the output where it is read.

    The output projection alone reads the output: full fine-tuning, an adapter on it that shares the tensor, int8.
    """
    d, v, t = a.head_dim, a.value_width, s.tokens
    saved = w * t * (a.heads * (2.0 * d + v) + _viewed_width(s, a)) + s.pairs * a.heads * pair
    output = s.attended * a.heads * v * t
    if not s.plan.adapter or (s.plan.int8 and not s.plan.checkpointing):
        return saved + output
    shared = "o_proj" in s.targets and not s.copied
    return saved + output * float(shared) * (1.0 - s.dropped)


def _viewed_width(s: Setting, a: Attention) -> Number:
    """Width that scores keep alive beside each head's own keys and values where a batch is one sequence, or below 0 do not.

    The product over heads then reads views, and copies them of several sequences: of values in the stream's type, which are
    part of a wider product; of one head's keys and values for all, unless torch's math path repeats them.
    """
    kv_heads = a.heads if a.kind == "latent" else a.kv_heads
    single = np.where(np.asarray(s.batch) == 1.0, 1.0, 0.0)
    if kv_heads == 1 < a.heads:
        shared = (1.0 - a.heads) * (a.head_dim + a.value_width) * (1.0 if s.eager else s.repeated(a))
        turned = float(s.eager and s.model.family not in UNROTATED)  # whose queries do not keep the product themselves
        return (shared + turned * (_value_width(s, a) - a.value_width)) * single
    cast = not s.eager and s.attended < 4.0  # the math path runs in fp32
    if kv_heads < a.heads or cast or (s.eager and s.model.family in ALL_VIEWS):
        return 0.0 * single
    return (_value_width(s, a) - a.heads * a.value_width) * single


def _fused_saved(s: Setting, a: Attention) -> Number:
    """Bytes that fused attention keeps: queries, keys, values and output, a log-sum a row, and the additive mask of a layer.

    Repeated keys and values are copies (`Setting.repeated`). The value of a fused projection is a view: the product's
    whole output lives as long as it does.
    """
    w, t, d, v = s.attended, s.tokens, a.head_dim, a.value_width
    masked = s.masked(a)
    kv_heads = a.heads if a.kind == "latent" else a.kv_heads
    # one head is repeated by a view, which autocast's copy for the kernel writes out; it copies reused ones in every layer
    cast = s.plan.autocast and s.w >= 4.0
    repeated = s.repeated(a) * float(kv_heads < a.heads and (kv_heads > 1 or cast))
    value = _value_width(s, a)
    keys_values = repeated * a.heads * (d + v) + (1.0 - repeated) * (kv_heads * d + value) * (1.0 if cast else _fresh(a))
    apart = a.heads * d + keys_values
    if s.model.family in UNROTATED and value > kv_heads * v:
        apart = np.minimum(apart, value)
    fused = w * t * apart + t * a.heads * (w * v + 4.0) + masked * s.pairs * w
    return fused + t * _padded_adapter_bytes(s, a)


def _padded_adapter_bytes(s: Setting, a: Attention) -> float:
    """Bytes a token that LitGPT's adapters on some of query, key and value keep; 0 where all three carry one.

    torch's index_copy, which spreads their outputs over the fused product's, keeps its source (litgpt/lora.py, zero_pad;
    torch's derivatives.yaml).
    """
    if s.plan.stack != "litgpt" or not s.plan.targeted:
        return 0.0
    widths = {x.name: x.outputs for x in a.linears(s.model.hidden) if x.name in ("q_proj", "k_proj", "v_proj")}
    asked = widths.keys() & s.asked
    return s.plan.trained_bytes * sum(widths[name] for name in asked) * float(0 < len(asked) < len(widths))


def _value_width(s: Setting, a: Attention) -> int:
    """Width of the tensor that keeps the values alive: their own, or a fused product's whole output in the same type."""
    if a.kind == "latent":  # kv_b_proj makes the keys' part without positions too, which is copied out of it
        return a.heads * (a.value_width + (a.head_dim - a.rope_dim) * int(s.attended == s.w))
    fused = {x.name: x.outputs for x in fuse_linears(s.model, list(a.linears(s.model.hidden)))}
    copied = s.model.family == "codegen" and s.plan.stack == "transformers"  # out of the product in groups of four devices
    is_view = "q_proj" in fused and "v_proj" not in fused and not a.shared_kv and s.attended == s.w and not copied
    return fused["q_proj"] if is_view else a.kv_heads * a.value_width


def mask_bytes(s: Setting) -> Number:
    """Bytes of masks that all layers share: booleans, one byte a pair; eager attention's additive one in the stream's type.

    Windows have one of their own.
    """
    kinds = {(a.kind, a.window): a for a in s.model.attention if a.kind != "linear"}
    if s.eager:
        return s.w * s.pairs * float(len(kinds))
    return sum((s.masked(a) for a in kinds.values()), np.float64(0.0)) * s.pairs
