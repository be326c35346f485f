"""What adapters, int8 products and routed experts of one layer keep for backward, in bytes.

An adapter adds B(A x) to a frozen product W x. The gradient of A needs x, that of B needs A x: an input of the target's width
and `rank` elements a token. How wide x is stored, and whether targets share it, follows from the types that the plan mixes.

Read off peft's LoRA, DoRA and ParamWrapper layers and bitsandbytes' MatMul8bitLt.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from roi.estimate.training.peft_methods import PROMPTED, Tuner
from roi.estimate.training.plan import ATTENTION_INPUTS, DTYPE_BYTES
from roi.estimate.training.setting import EVERY_EXPERT, FP32_ROUTER, MIXED_INPUT, OWN_INPUT, POST_NORMED, Setting
from roi.estimate.training.targets import adaptable, in_mlp
from roi.facts.model import Linear, Mlp, Number

SHARED_FIRST: Final = ("qwen", "ernie4_5_moe", "hunyuan")
"""Families, by their names' beginnings, that run their shared experts before the routed ones, so that backward reaches them
last (modeling_qwen2_moe.py, Qwen2MoeSparseMoeBlock)."""


def adapter_saved(s: Setting, linears: list[Linear]) -> Number:
    """Bytes that targets keep: their inputs for the gradient of A, A's output, and DoRA's two results.

    With a 16-bit stream every target casts its input to fp32 and keeps that copy; with an fp32 stream targets share the
    tensor that they read. Dropout gives every target its own output (fp32) and mask (1 byte). Under autocast every target
    keeps a 16-bit copy of its input, and the 16-bit copies of A and B live with the graph. Without checkpointing the
    inputs of int8 products are kept too, targets or not.
    """
    t, rank, each = s.tokens, np.asarray(s.plan.rank, dtype=float), s.plan.trained_bytes
    on = s.adapted(linears)
    if s.plan.tuner is not None and s.plan.targeted:
        return _tuner_saved(s, s.plan.tuner, on)
    held = int8_inputs(s, linears) if s.keeps_inputs and not s.plan.checkpointing else 0.0
    if not on:
        return held
    own = sum(x.inputs for x in on)
    if s.lowered and s.copied:
        shared = _shared_output(s, on) * (1.0 - s.dropped)
        total = t * (2.0 * (own - shared) + s.dropped * own + 2.0 * rank * len(on)) + copied_bytes(s, on)
        return total + decomposed_saved(s, on) + held
    each = 2.0 if s.lowered else each
    if s.recast:
        undropped: Number = each * own
    else:
        hidden = s.model.hidden
        readers = (x.active for x in on if x.name in (*ATTENTION_INPUTS, "gate_proj", "up_proj"))
        undropped = s.w * hidden * max(readers, default=0)  # each expert of its own rows
        undropped += s.w * sum(x.inputs for x in on if x.name in OWN_INPUT)
        undropped += each * sum(x.inputs for x in on if x.name in MIXED_INPUT) * float(s.flash_lowered)
    undropped = np.maximum(undropped * (1.0 - s.dropped), held / t)
    total = t * (undropped + (each + 1.0) * own * s.dropped + each * rank * len(on)) + copied_bytes(s, on)
    return total + decomposed_saved(s, on)


def copied_bytes(s: Setting, on: list[Linear]) -> Number:
    """Bytes of the 16-bit copies of A and B that autocast makes of fp32 adapters."""
    if not s.lowered or s.plan.trained_bytes <= 2.0:
        return 0.0
    return 2.0 * np.asarray(s.plan.rank, dtype=float) * sum((x.inputs + x.outputs) * x.experts / x.active for x in on)


def cached_copies_bytes(s: Setting) -> Number:
    """Bytes of adapters' 16-bit copies that autocast caches to the loss, its context's end, under checkpointing; all layers.

    Without it they are the graph's (`adapter_saved`). Of other tuners than LoRA's kin those behind an MLP alone are counted.
    """
    m, h = s.model, s.model.hidden
    if not s.plan.checkpointing:
        return 0.0
    if s.plan.method == "houlsby":
        return m.layers * _bottleneck_copies(s)
    if not s.plan.targeted or s.plan.tuner is not None:
        return 0.0
    kinds = [(a.layers, list(a.linears(h))) for a in m.attention] + [(k.layers, list(k.linears(h))) for k in m.mlp]
    return sum((layers * copied_bytes(s, s.adapted(linears)) for layers, linears in kinds), np.float64(0.0))


def _bottleneck_copies(s: Setting) -> Number:
    """Bytes of the 16-bit copies of one layer's adapter behind its MLP, two products and their biases, under autocast."""
    size, h = np.asarray(s.plan.rank, dtype=float), float(s.model.hidden)
    copied: Number = 2.0 * float(s.lowered) * (2.0 * size * h + size + h)
    return copied


def _tuner_saved(s: Setting, tuner: Tuner, on: list[Linear]) -> Number:
    """Bytes that the targets of a tuner other than LoRA's keep: their inputs, and what it makes of outputs and weights.

    IA3 scales the input of an MLP's products, in its own
    fp32 copy, and the output of attention's.
    """
    size = np.asarray(s.plan.rank, dtype=float)
    each = _kept_bytes(s, tuner)
    reads = {"weight": "stream" if s.lowered else "own"}.get(tuner.reads, tuner.reads)
    before = [x for x in on if s.plan.method == "ia3" and in_mlp(x)]
    after = [x for x in on if x not in before]
    sides = [(x.inputs, x.outputs, size) for x in on]
    kept = sum((tuner.kept(*x) for x in sides), np.float64(0.0))
    kept = kept + s.tokens * (sum(x.outputs for x in after) * tuner.outputs + len(on) * size * tuner.ranks)
    if tuner.moves == "base":
        kept = kept + float(s.plan.trainer == "plain") * sum((tuner.moved(*x) + tuner.moved_once(*x) for x in sides), 0.0)
    elif s.plan.trainer != "plain" and s.w >= 4.0:  # what is on the card in its type needs no copy
        kept = kept - sum((tuner.moved(*x) for x in sides), np.float64(0.0))
    kept = each * kept + 2.0 * float(s.lowered) * sum((tuner.copied(*x) for x in sides), np.float64(0.0))
    kept = kept + 4.0 * float(not s.lowered and s.w < 4.0) * sum((tuner.widened(*x) for x in sides), np.float64(0.0))
    kept = kept + sum((4.0 * tuner.words(*x) for x in sides), np.float64(0.0))
    if DTYPE_BYTES[s.plan.dtype] < 4.0:
        kept = kept + sum((2.0 * tuner.narrowed(*x) for x in sides), np.float64(0.0))
    kept = kept + 2.0 * float(s.lowered) * s.tokens * len(on) * size * tuner.wide_ranks
    if reads == "own":
        return kept + adapter_saved(replace(s, plan=replace(s.plan, method="lora", rank=1.0)), on)
    inputs = 4.0 * sum(x.inputs for x in (on if reads == "fp32" else before))
    if reads in ("least", "made"):
        inputs = each * sum(min(x.inputs, x.outputs) if reads == "least" else x.inputs for x in on)
    if reads == "stream" or (reads in ("fp32", "least") and s.w >= 4.0 and not s.lowered):  # no copy is made of an fp32 stream
        narrowed = [x for x in on if reads == "least" and x.outputs < x.inputs]
        read = [x for x in on if x not in narrowed]
        first = any(x.name in (*ATTENTION_INPUTS, "gate_proj", "up_proj") for x in read)
        inputs = s.w * (s.model.hidden * float(first) + sum(x.inputs for x in read if x.name in OWN_INPUT))
        inputs = inputs + each * sum(x.outputs for x in narrowed)
    return kept + s.tokens * inputs


def _kept_bytes(s: Setting, tuner: Tuner) -> float:
    """Bytes of an element that the tuner keeps: under autocast what the adapter's type would hold is 16 bits wide."""
    return {"base": s.w, "fp32": 4.0}.get(tuner.stays, 2.0 if s.lowered else s.plan.trained_bytes)


def making_bytes(s: Setting) -> Number:
    """Bytes above what a layer keeps while its last target's weight is made; 0 where nothing is counted of it.

    HRA: forward's identity, a reflection's factor and result and the one before it (peft/tuners/hra/layer.py). FourierFT: the
    spectrum in fp32, and a complex copy and result of its transform (fourierft/layer.py). Or while a target's backward runs
    (`turning`), that of the last one being over. Others: a few percent of a low peak.
    """
    tuner, size = s.plan.tuner, np.asarray(s.plan.rank, dtype=float)
    made: Number = 0.0 * size
    if tuner is None or not s.plan.targeted:
        return made
    on = s.adapted(list(s.model.linears))
    last = [x for x in on if x.name == "down_proj"]
    for x in on if any(tuner.turning) else ():
        gone = 0.0 if x in last else _tuner_saved(s, tuner, last)  # of the last target, whose backward is over
        made = np.maximum(made, s.tokens * (tuner.turning[0] * x.inputs + tuner.turning[1] * x.outputs) - gone)
    for x in on:
        result: Number = _kept_bytes(s, tuner) * x.inputs * x.outputs
        result = result + 4.0 * float(not s.lowered and s.w < 4.0) * tuner.widened(x.inputs, x.outputs, size)
        made = np.maximum(made, 4.0 * tuner.making(x.inputs, x.outputs, size) - result)
    return made


def whole_tuner_bytes(s: Setting) -> Number:
    """Bytes that a tuner without targets keeps of a layer beside what the layer keeps without it.

    A prefix lengthens keys and values as attention keeps them, and a loop that keeps its output keeps their cache; an
    adaption prompt keeps the queries again and its own scores, in fp32 and twice in the stream's type. LitGPT's prompt keeps
    what its fused attention makes, with a log-sum a row; version 2 also what every scale reads. An adapter behind the MLP
    keeps its input in its own type, and its GELU's input and result, or 16-bit copies of all it has under autocast.
    """
    size = np.asarray(s.plan.rank, dtype=float)
    kinds = [a for a in s.model.attention if a.kind != "linear"]
    layers = s.model.layers
    if s.plan.method == "prefix_tuning":
        heads = ((a, a.heads if np.any(s.repeated(a)) else a.kv_heads) for a in kinds)
        longer = sum(a.layers * each * (a.head_dim + a.value_width) for a, each in heads)
        each = sum(a.layers * a.kv_heads * (a.head_dim + a.value_width) for a in kinds)
        cached = each * (s.tokens + s.batch * size) * float(s.plan.logits_kept)
        return (s.batch * size * longer + cached) * s.attended / layers
    if s.plan.method == "adaption_prompt":
        return s.tokens * sum(a.layers * a.heads * (s.w * a.head_dim + size * (4.0 + 2.0 * s.w)) for a in kinds) / layers
    if s.plan.method in ("llama_adapter", "llama_adapter_v2"):
        made = (1.0 - PROMPTED / layers) * sum(a.layers * a.heads * (s.w * a.value_width + 4.0) for a in kinds) / layers
        scaled = s.w * sum(x.outputs * x.layers * x.active for x in s.model.linears) / layers
        return s.tokens * (made + scaled * float(s.plan.method == "llama_adapter_v2")) + 0.0 * size
    if s.plan.method == "houlsby":
        kept = (2.0 if s.lowered else s.plan.trained_bytes) * (s.model.hidden + 2.0 * size)
        return s.tokens * kept + _bottleneck_copies(s)
    return 0.0 * size


def behind_mlp_peak(s: Setting, kept: Number, product: Number) -> Number:
    """Bytes as recompute reaches an adapter behind an MLP, beside what the layer keeps; 0 where none is, or nothing recomputed.

    The adapter's backward asks for what it reads when the gradient of its sum is there, in the adapter's type. So the layer is
    computed anew beside that: the norm's output, the MLP's last product with what it reads (`product`), or when that is gone
    its result with the cast to the adapter's type, which under autocast is not what is kept.
    """
    if s.plan.method != "houlsby" or not s.plan.checkpointing:
        return 0.0
    stream, wide = s.w * s.model.hidden * s.tokens, s.plan.trained_bytes * float(s.recast) * s.model.hidden * s.tokens
    behind = stream * float(s.recast) + wide * float(s.lowered) + whole_tuner_bytes(s)
    return kept + stream + wide + np.maximum(product + stream, behind)


def _shared_output(s: Setting, on: list[Linear]) -> int:
    """Width of the attention's 16-bit output, where the adapter reads the tensor that fused attention keeps anyhow.

    Under autocast peft casts no input of a bitsandbytes layer (peft/tuners/lora/bnb.py, requires_conversion). A gate comes
    between (Qwen3-Next), and linear attention's output is normed.
    """
    packed = (s.plan.quantised or s.plan.int8) and not s.eager and not any(a.gated for a in s.model.attention)
    return sum(x.inputs for x in on if x.name == "o_proj") * int(packed)


def expert_stack_bytes(s: Setting, k: Mlp) -> float:
    """Bytes of all experts' weights of one layer, or of their gradient."""
    return s.plan.stream_bytes * sum(x.inputs * x.outputs * x.experts for x in k.linears(s.model.hidden) if x.experts > 1)


def folded_bytes(s: Setting, k: Mlp) -> tuple[float, float]:
    """Bytes of the experts' gate and up, and of their down projections, with adapters folded in; 0 where they have none.

    peft adds W and the low-rank product of adapted experts by one baddbmm over the whole stack in every forward, which
    backward keeps (peft/tuners/lora/layer.py, _LoraFactorsProxy).
    """
    each, (gate_up, down) = expert_stack_bytes(s, k) / (3.0 if k.gated else 2.0), s.expert_adapters
    return (2.0 if k.gated else 1.0) * each * float(gate_up), each * float(down)


def expert_factor_bytes(s: Setting, k: Mlp) -> Number:
    """Bytes of copies of the experts' A and B in the weights' type, which the sum with W keeps; 0 where both are fp32."""
    w = s.plan.stream_bytes
    if k.experts == 1 or w >= s.plan.trained_bytes:
        return 0.0
    gate_up, down = s.expert_adapters
    fused = (2.0 if k.gated else 1.0) * (s.model.hidden + (2.0 if k.gated else 1.0) * k.intermediate) * float(gate_up)
    return w * np.asarray(s.plan.rank, dtype=float) * k.experts * (fused + (k.intermediate + s.model.hidden) * float(down))


def router_input_bytes(s: Setting, k: Mlp) -> float:
    """Bytes a token of the fp32 input that a trained router keeps, or of autocast's 16-bit copy; 0 where others keep it."""
    trained = not s.plan.adapter or (any(s.expert_adapters) and s.plan.targets == "all-linear")
    # of an fp32 stream it is the norm's output, which trained and int8 products beside the router keep
    shared = (s.plan.int8 or not s.plan.adapter) and s.w >= 4.0 and not s.plan.autocast
    if k.experts == 1 or s.model.family not in FP32_ROUTER or shared or not trained:
        return 0.0
    return (2.0 if s.plan.autocast else 4.0) * s.model.hidden


def expert_saved(s: Setting, k: Mlp) -> Number:
    """Bytes that a mixture keeps on top: its products' outputs before they are weighted, inputs of trained weights.

    Adapters on experts keep the folded weights of the layer's whole stack, and their factors.
    """
    if k.experts == 1:
        return 0.0
    if s.fused_experts:  # gate and up, and the norm's output, which a trained router keeps too
        width = s.w * s.model.hidden * float(s.plan.adapter)
        return width * s.tokens + sum(folded_bytes(s, k)) + expert_factor_bytes(s, k)
    gate_up, down = _weight_gradients(s)
    w = s.plan.stream_bytes  # of the weights, to which rows are cast
    width = router_input_bytes(s, k) + w * s.model.hidden * k.experts_per_token * (1.0 + float(gate_up))
    width += w * k.intermediate * k.experts_per_token * float(down and s.plan.adapter)  # others count it with the activation
    copied: Number = 0.0
    if s.model.family in EVERY_EXPERT and s.lowered and s.plan.stream_bytes >= 4.0:
        # one batched product of fp32 weights: autocast's 16-bit copies of the stack, and results in 16 bits
        copied = 2.0 / s.w * expert_stack_bytes(s, k) - (s.w - 2.0) * 3.0 * k.intermediate * k.experts_per_token * s.tokens
    return width * s.tokens + sum(folded_bytes(s, k)) + expert_factor_bytes(s, k) + copied


def _weight_gradients(s: Setting) -> tuple[bool, bool]:
    """Whether backward makes gradients of the weights of the experts' gate and up, and of their down projections.

    Of trained and adapted ones; and of all wherever weights are not bf16, since transformers' loop over experts then stands in
    for torch's grouped product and always makes both gradients (integrations/moe.py, _grouped_mm_fallback_bwd).
    """
    looped = (s.plan.stream_bytes >= 4.0 or s.plan.dtype != "bf16") and s.model.family not in EVERY_EXPERT
    gate_up, down = s.expert_adapters
    every = not s.plan.adapter or (looped and not s.plan.split_experts)
    return gate_up or every, down or every


def expert_peak(s: Setting, k: Mlp, kept: Number, gated: Number) -> Number:
    """Bytes of an MLP with stacked experts at the highest moment of recompute and backward; `gated` where it has none.

    The weighted results are put in the tokens' order beside the rows sent to experts, and autocast sums a copy in fp32. Then
    their gradient is put in the experts' order: a copy, zeros and the result, as wide as the scores, and multiplied twice, for
    one more copy in the stream's type where the results are still kept. Where weights get a gradient, all down projections of
    the layer have theirs, then the activation its own (`gated`: beside all that the MLP needs there), and all gates and ups,
    when what the first kept is gone. Those of full training are counted with all others, unless they are to be added to older
    ones. Liger's one function makes the gradients of gate and up, the weighted product, those of the rows sent to experts and
    of their sum, and both weights', frozen ones too, and holds all to its end (liger_kernel/ops/fused_moe.py,
    LigerFusedMoEFunction). `kept`: by the MLP.
    """
    if k.experts == 1 or s.plan.split_experts or s.model.family in EVERY_EXPERT:
        return gated
    stack, first = expert_stack_bytes(s, k), (2.0 if k.gated else 1.0)
    each, w, h = stack / (first + 1.0), s.plan.stream_bytes, s.model.hidden
    width = w * k.experts_per_token * s.tokens
    counted, gate_up = not s.plan.adapter and not s.plan.adds_to_old, folded_bytes(s, k)[0]
    if s.fused_experts:
        summed = s.w * h * s.tokens
        made = (3.0 * k.intermediate + h) * width + summed
        others = summed + gate_up
        return np.maximum(gated, stack * float(not counted) + np.maximum(kept + made, others))
    gradients, wide = _weight_gradients(s), s.fp32_scores
    weighted: Number = (6.0 + float(not s.plan.checkpointing) if wide and w < 4.0 else 3.0) * h * width
    # recompute ends before the sum, unless a shared expert's gate or product comes behind it
    if s.plan.autocast and w < 4.0 and not wide and (k.shared_intermediate or not s.plan.checkpointing):
        weighted = np.maximum(weighted, (4.0 - float(gradients[0])) * h * width + (4.0 + s.w) * h * s.tokens)
    peak = np.maximum(kept + weighted - stack * float(counted), gated - first * each * float(counted))
    if gradients[1]:
        made = kept + (k.intermediate + h) * width + each * float(not counted) - first * each * float(counted)
        peak = np.maximum(peak, made)
    if gradients[0]:
        others = (first * k.intermediate + 2.0 * h) * width + first * each * float(not counted) + gate_up
        others = others + 3.0 * w * k.shared_intermediate * s.tokens * float(s.model.family.startswith(SHARED_FIRST))
        peak = np.maximum(peak, others)
    return peak


def int8_inputs(s: Setting, linears: list[Linear], *, output: bool = False) -> Number:
    """Bytes of the distinct inputs of int8 products: the norm's output once, and each output or down projection's own.

    The output projection's input is the attention's output, counted where `output` is asked for: without checkpointing the
    attention keeps the same tensor.
    """
    packed = [x for x in linears if adaptable(x, split=s.plan.split_experts)]
    own = sum(x.inputs for x in packed if x.name in OWN_INPUT)
    shared = s.model.hidden * float(any(x.name not in (*OWN_INPUT, *MIXED_INPUT) for x in packed))
    if s.held_graphs and s.one_norm and any(x.name == "down_proj" for x in packed):
        shared = 0.0  # the norm's output, which attention reads too
    mixed = s.attended * sum(x.inputs for x in packed if x.name in MIXED_INPUT) * float(output)
    return s.tokens * (s.w * (own + shared) + mixed)


def int8_backward(s: Setting, hidden: int, inner: float, kept: float, *, targeted: bool) -> Number:
    """Bytes of an int8 product's backward at its highest point: the weight in the stream's type beside what is alive.

    Down: what is `kept` an element and the product's gradient (w I), another from its adapter. Without an adapter nothing
    there is unpacked, so checkpointing recomputes later: the highest is then up, beside gate and two gradients (3 w I).
    """
    weight = s.w * hidden * inner
    if targeted or not s.plan.checkpointing:
        return (kept + (1.0 + float(targeted)) * s.w) * inner * s.tokens + weight
    return s.w * (3.0 * inner + hidden) * s.tokens + weight


def retained_input_bytes(s: Setting) -> Number:
    """Bytes of inputs that one layer's int8 products hold until the whole graph is dropped, averaged over the layers.

    bitsandbytes' MatMul8bitLt keeps its input as an attribute of the node (ctx.tensors), not by save_for_backward, so neither
    non-reentrant checkpointing nor backward frees it; one norm's output counts once. So did 4-bit ones once (`held_graphs`).
    """
    if not s.keeps_inputs:
        return 0.0
    h, m = s.model.hidden, s.model
    every = [a.layers * int8_inputs(s, list(a.linears(h)), output=True) for a in m.attention]
    every += [k.layers * int8_inputs(s, list(k.linears(h))) for k in m.mlp]
    # counted elsewhere: the one norm's output by attention, an input that is the layer's own by its checkpoint
    again = (s.one_norm and s.plan.int8) or (m.family in POST_NORMED and s.plan.checkpointing)
    return sum(every, np.float64(0.0)) / m.layers - s.w * h * s.tokens * float(again)


def decomposed_saved(s: Setting, on: list[Linear]) -> Number:
    """Bytes of DoRA's base and low-rank results; with dropout the base result is computed anew from a copy of the weight."""
    if not s.plan.weight_decomposed:
        return 0.0
    result = 2.0 if s.lowered else s.plan.trained_bytes
    # a base product has the type of what it reads: attention's output is 16-bit under autocast
    plain = sum(x.outputs * (s.attended if x.name in MIXED_INPUT else s.made) for x in on)
    outputs = sum(x.outputs for x in on)
    copied = s.plan.quantised or s.lowered or s.plan.dtype != "fp32"
    weights = result * sum(x.inputs * x.outputs for x in on) * float(copied)
    base = plain * (1.0 - s.dropped) + result * outputs * s.dropped
    return s.tokens * (base + result * outputs) + s.dropped * weights


def merge_bytes(s: Setting, x: Linear, *, last: bool = False) -> Number:
    """Bytes of DoRA's merge above what a target keeps (`decomposed_saved`) at the highest of three moments.

    B A is made by a product with an identity of inputs x inputs, which its graph holds to the end of the function: in the
    adapter's type, under autocast a 16-bit copy, beside the identity itself for that product. Then the norm of V + s B A: B A,
    its scaled copy and the sum in the input's type, and a copy of V in it where it is stored otherwise; the target's low-rank
    result is still to come, so is autocast's copy of its input, and with dropout its base result. Last the result where tokens
    are many: magnitude x base, magnitude x low-rank and their sum in fp32, beside V and B A (peft/tuners/lora/dora.py);
    recompute ends at the first of them in the layer's `last` product, since it keeps nothing more. All the while the function
    holds its input, and with dropout the one before it, where backward keeps neither.
    """
    weight, own = x.inputs * x.outputs, s.plan.trained_bytes
    lowered = s.lowered and own > 2.0
    identity = (2.0 if lowered else own) * x.inputs**2
    wide = max(own, s.w)
    copied = wide * float(s.plan.quantised or (s.plan.dtype != "fp32" and wide > 2.0))
    result = 2.0 if s.lowered else own
    to_come = result * x.outputs * s.tokens * (1.0 + s.dropped)
    to_come = to_come + s.dropped * result * weight * float(s.plan.quantised or s.lowered or s.plan.dtype != "fp32")
    to_come = to_come + 2.0 * float(s.lowered and s.copied) * (x.inputs - _shared_output(s, [x])) * s.tokens
    product = float(lowered) * (own * x.inputs**2 + 2.0 * weight)
    norm = np.maximum((3.0 * wide + copied) * weight, product) - to_come
    results = ((4.0 if last else 12.0) + s.w * s.dropped) * x.outputs * s.tokens + (wide + copied) * weight
    cast = float(s.lowered and not s.plan.quantised)
    inputs = 4.0 * x.inputs * s.tokens * (cast + s.dropped * float(s.lowered or s.recast))
    highest: Number = np.maximum(norm, results)
    return identity + highest + inputs
