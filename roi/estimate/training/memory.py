"""Peak memory of one training step on one GPU in closed form, phase by phase.

What torch has allocated at a moment is what is resident (weights, adapters, Adam's moments, workspaces) and what comes and
goes within the step. The peak is the highest of these phases, with T = tokens of a micro-batch and V = vocabulary:

    forward     resident + kept activations (+ DoRA's merge of the last layer)
    loss        resident + kept + T x V x (kept logits + 12 bytes): log-softmax, its gradient and the incoming one, fp32
    backward    resident + kept or checkpoints + the working layer + gradients so far: in the last layer, in the first layer,
                and at the embedding
    optimizer   resident + gradients + temporaries (sqrt(v) of torch's multi-tensor AdamW)

What a layer keeps for backward stands in activations.py, what is trained and stored in adapters.py, what is spread over
several GPUs in sharding.py. On top of the peak come the caching allocator's slack (reserved memory) and the CUDA context.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from roi.estimate.training.activations import LayerBytes, kept_bytes, later_gradients_bytes, layer_bytes
from roi.estimate.training.adapter_activations import cached_copies_bytes, retained_input_bytes
from roi.estimate.training.adapters import kbit_preparation_bytes, largest_dequantised_bytes, unpacked_bytes
from roi.estimate.training.attention import final_norm_saved, norm_backward_bytes, scores_made
from roi.estimate.training.beyond_peak import STUCK, given_back, loose_bytes, pools_bytes, stranded_bytes
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import Setting, has_flash, read_setting
from roi.estimate.training.sharding import GatheredTensors, flat_gradients, gathered_tensors, held_states, layers_recomputed
from roi.estimate.training.stacks import built_model
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number
from roi.numerics.arrays import Array, Places
from roi.units import GIB, MIB

PHASES: Final = ("forward", "loss", "backward", "optimizer")
"""Where the peak can lie."""
CUBLAS_WORKSPACE_BYTES: Final = 2 * 8.125 * MIB
"""torch gives each cuBLAS handle :4096:2:16:8 = 8.125 MiB; forward and the autograd thread have one each."""
CUBLAS_WORKSPACE_HOPPER_BYTES: Final = 2 * 32.0 * MIB
"""Bytes of both workspaces from compute capability 9.0 on: torch takes 32 MiB a handle (NVIDIA's advice for Hopper)."""
SOFT_CAPPED: Final = (
    "beam", "gemma2", "gemma3n", "gemma3n_text", "gemma4", "gemma4_text", "gemma4_unified_text", "nanochat", "recurrent_gemma",
    "vaultgemma")
"""Families whose head ends in cap x tanh(logits / cap)."""
FUSED_LOSS_BYTES: Final = 8.0
"""Bytes a logit of a fused cross entropy over whole logits: transformers' fp32 copy, which the kernel turns into its gradient,
and the gradient of the slice that shifted it (unsloth/kernels/cross_entropy_loss.py; modeling_llama.py of 4.45). In six pairs
of rows of fms-acceleration memory rises by 8.0 bytes a logit beside what the layers keep."""
TILE_TOKENS: Final = 4096.0
"""Tokens of a tile of TRL's fused head (trl/kernels/chunked_logprob.py, TOKEN_CHUNK_SIZE)."""
TILE_VOCAB: Final = 32768.0
"""Rows of the head in a tile (trl/trainer/utils.py, add_fused_lm_head)."""
LITGPT_CHUNK: Final = 128.0
"""Tokens of a sequence whose loss LitGPT takes at a time (litgpt/utils.py, chunked_cross_entropy)."""
TORCHTUNE_CHUNKS: Final = 8.0
"""Chunks of torchtune's loss (modules/loss/ce_chunked_output_loss.py, num_output_chunks)."""
CONTEXT_BYTES: Final = 0.45 * GIB
"""CUDA context and loaded kernels of torch, cuBLAS and bitsandbytes: 0.3 to 0.6 GiB by card and driver, outside torch."""


@dataclass(frozen=True)
class MemoryBreakdown:
    """Bytes of one GPU; the parts are those alive at the peak and sum to `peak_allocated_bytes`."""

    weights_bytes: Number
    """Base model, scales of NF4 or int8 included; one GPU's part where parameters are sharded."""
    adapters_bytes: Number
    """Adapter parameters (fp32 unless a sharding engine casts them)."""
    gathered_bytes: Number
    """Whole parameters of the layers in work, gathered from all GPUs; 0 unless parameters are sharded."""
    gradients_bytes: Number
    """Gradients alive at the peak."""
    optimizer_bytes: Number
    """Adam's moments, DeepSpeed's fp32 copy of what is trained, and in the optimizer phase the step's temporaries."""
    activations_bytes: Number
    """Activations alive at the peak: kept for backward, checkpoints, and the working layer's transients."""
    logits_bytes: Number
    """Logits, log-softmax and their gradients alive at the peak."""
    workspaces_bytes: Number
    """cuBLAS workspaces inside torch's allocator."""
    peak_allocated_bytes: Number
    """What torch.cuda.max_memory_allocated reports."""
    peak_phase: Number
    """Index into PHASES."""
    phase_bytes: tuple[Number, Number, Number, Number]
    """The highest point of each phase."""
    preparation_bytes: Number
    """Part of the weights: the cast of embedding, norms and head to fp32 by k-bit preparation."""
    dequantisation_bytes: Number
    """The largest dequantised weight, part of backward's transients."""
    loose_bytes: Number
    """What gaps between the caching allocator's blocks typically hold: the unit of `slack`."""
    pools_bytes: Number
    """What lies free at the peak in the pools of FSDP's or ZeRO-3's streams (beyond_peak.py)."""
    stranded_bytes: Number
    """What a fused loss over whole logits leaves without use (beyond_peak.py); a full card takes it back."""
    sliced_bytes: Number
    """Part of `stranded_bytes` that is left only by a torch that takes a gradient back through two slices."""
    dynamic_bytes: Number
    """Part of the peak that comes and goes within a step: gradients, activations, logits, temporaries."""
    saved_bytes: Number
    """Activations kept at the end of forward."""
    reserved_bytes: Number
    """What torch.cuda.max_memory_reserved reports: the peak, `pools_bytes`, `stranded_bytes`, and freed blocks too small to
    use. Above what the card has only where the plan does not fit it."""
    context_bytes: Number
    """CUDA context and kernels, outside torch."""
    process_bytes: Number
    """reserved + context: what nvidia-smi shows."""

    @property
    def beyond_bytes(self) -> tuple[Number, Number]:
        """What is reserved beyond the peak: pools of other streams, as far as the card has room for them, and slack."""
        beyond = self.reserved_bytes - self.peak_allocated_bytes
        return np.minimum(self.pools_bytes, beyond), np.maximum(beyond - self.pools_bytes, 0.0)


def workspace_bytes(gpu: Gpu | None) -> float:
    """cuBLAS workspaces that torch allocates on this card; the older cards' where no card is given."""
    return CUBLAS_WORKSPACE_HOPPER_BYTES if gpu is not None and is_hopper_or_newer(gpu) else CUBLAS_WORKSPACE_BYTES


def is_hopper_or_newer(gpu: Gpu) -> bool:
    """True for cards of compute capability 9.0 and later, data-centre ones by their names."""
    return gpu.id.upper().startswith(("H100", "H200", "H800", "H20", "GH", "B200", "B300", "GB"))


def card_kind(gpu: Gpu | None) -> tuple[float, bool]:
    """All that memory depends on of a card, but for its context: cards of one kind have one breakdown (`on_card`)."""
    return workspace_bytes(gpu), has_flash(gpu)


def on_card(memory: MemoryBreakdown, slack: Number, context: Number, gpu: Gpu | None = None) -> MemoryBreakdown:
    """The breakdown with this slack and context, as `training_memory` makes it with them: no more slack than the card has."""
    reserved = memory.peak_allocated_bytes + memory.pools_bytes + memory.stranded_bytes + np.multiply(memory.loose_bytes, slack)
    if gpu is not None:
        needed = memory.peak_allocated_bytes + STUCK * memory.dynamic_bytes
        reserved = given_back(reserved, memory.stranded_bytes, np.maximum(needed, gpu.memory_bytes - context))
    every = np.zeros_like(memory.peak_allocated_bytes)
    return replace(memory, reserved_bytes=reserved, context_bytes=every + context, process_bytes=reserved + context)


def training_memory(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu | None = None, slack: Number = 0.0, context: Number = CONTEXT_BYTES,
) -> MemoryBreakdown:
    """Peak memory of one training step on one GPU, bytes; every numeric field of the plan broadcasts.

    It is that of a step that finds the optimizer's state in place. With sharding the resident states are one GPU's part, and
    gathered parameters and unreduced gradients come on top in each phase. `slack` is (reserved - allocated) over
    `loose_bytes`: weights and moments are never freed, so they leave no holes (efficiencies.json has its value).

    Not modelled: int8's outlier columns, evaluation and loading peaks. Checkpointing is non-reentrant, as in transformers 5.
    """
    model = built_model(model, plan)
    s = read_setting(model.unrolled, plan, gpu)
    layer = layer_bytes(s)
    held, gathered = held_states(model, plan, float(plan.gpus)), gathered_tensors(model, plan)
    gradients, bucket = held.gradients_bytes, held.buckets_bytes
    if plan.applied_in_backward:  # a layer's gradients are applied and freed before the next one's come
        gradients = gradients / model.layers
        held = replace(held, update_bytes=held.update_bytes / (model.layers if plan.multi_tensor else 1.0))
    workspace = workspace_bytes(gpu)
    carried = gradients if plan.accumulation > 1 else gradients * 0.0
    stepping = Live(gradients, _retained(s) * float(plan.logits_kept), _kept_logits(s), temporaries=held.update_bytes)
    phases = [
        _forward(s, layer, gathered, carried), _loss(s, layer, gathered, carried), _backward_last(s, layer, gathered, carried),
        _backward_first(s, layer, gathered, gradients), _backward_embedding(s, gathered, gradients),
        stepping, stepping._replace(temporaries=held.checked_bytes),
    ]
    weights, adapters, moments = held.weights_bytes, held.adapters_bytes, held.moments_bytes
    resident = weights + adapters + moments + workspace + bucket
    totals = np.broadcast_arrays(*[resident + sum(p, np.float64(0.0)) for p in phases])
    stacked = np.stack([np.asarray(x, dtype=float) for x in totals])
    best = np.argmax(stacked, axis=0)
    live = Live(*(_choose(best, parts) for parts in zip(*phases, strict=True)))
    peak = stacked.max(axis=0)
    dynamic = peak - resident
    logits = 4.0 * s.tokens * model.vocab * float(plan.whole_logits)
    loose = loose_bytes(plan, logits=logits, dynamic=dynamic, moments=moments)
    stranded = stranded_bytes(s, logits=logits, lowered=_logit_bytes(s) < 4.0, loss=stacked[1], peak=peak)
    aside = (*[carried] * 3, *[gradients] * 4) if plan.sharding == "fsdp" else (*[0.0] * 6, held.checked_bytes)
    pools = pools_bytes(plan, totals=totals, gathered=[p.gathered for p in phases], aside=aside)
    every = np.zeros_like(peak)
    return on_card(MemoryBreakdown(
        weights_bytes=every + weights, adapters_bytes=every + adapters, gathered_bytes=live.gathered,
        gradients_bytes=live.gradients + bucket, optimizer_bytes=every + moments + live.temporaries,
        activations_bytes=live.activations, logits_bytes=live.logits, workspaces_bytes=every + workspace,
        peak_allocated_bytes=peak, peak_phase=np.asarray([0, 1, 2, 2, 2, 3, 3])[best],
        phase_bytes=(stacked[0], stacked[1], stacked[2:5].max(axis=0), stacked[5:].max(axis=0)),
        preparation_bytes=every + kbit_preparation_bytes(model, plan), process_bytes=peak,
        dequantisation_bytes=every + largest_dequantised_bytes(model, plan),
        loose_bytes=loose, pools_bytes=pools, stranded_bytes=stranded, sliced_bytes=np.minimum(stranded, logits),
        dynamic_bytes=dynamic, saved_bytes=every + kept_bytes(s, layer), reserved_bytes=peak, context_bytes=every,
    ), slack, context, gpu)


class Live(NamedTuple):
    """Bytes alive at the highest point of a phase, beyond what is resident."""

    gradients: Number
    activations: Number
    logits: Number
    temporaries: Number = 0.0
    """Bytes of the optimizer's temporaries."""
    gathered: Number = 0.0
    """Parameters of the layers in work, where they are sharded."""


def _retained(s: Setting) -> Number:
    """Bytes of the inputs of int8 products, all layers: they live as long as the loss."""
    return s.model.layers * retained_input_bytes(s)


def _gradient(s: Setting, parameters: float) -> float:
    """Bytes of the gradient of so many parameters of embedding or head; 0 where they are frozen."""
    if s.plan.adapter:
        return parameters * s.plan.stream_bytes * float(s.plan.ends)
    return parameters * s.plan.trained_bytes


def _forward(s: Setting, layer: LayerBytes, gathered: GatheredTensors, carried: Number) -> Live:
    """Live as forward ends, where autocast drops its copies and a kept output the graph of the one before with int8's inputs.

    That is the last micro-step's or step's. Or in its last layer: in DoRA's merge, or at scores beside that graph.
    """
    merging = float(s.plan.weight_decomposed and not s.plan.checkpointing) * layer.merging
    again = s.plan.logits_kept and s.held_graphs != 1
    held = float(again and (s.keeps_inputs or s.plan.accumulation > 1)) * _kept_logits(s)
    made = np.maximum(_logits_made(s), scores_made(s) * float(s.keeps_inputs and again and s.plan.checkpointing))
    merged = np.maximum(merging - _lowered_head(s), 0.0)
    logits: Number = held + (held if s.held_graphs else np.maximum(made - merged, 0.0))  # of the end or merge, the higher
    if s.plan.stack == "litgpt" and s.plan.quantised:
        # the packed head, unpacked for a chunk, beside the 16-bit logits of the chunks before
        logits = np.maximum(logits, _kept_logits(s) * float(again) + _unpacked_head(s) + 2.0 * s.tokens * s.model.vocab)
    parameters = gathered.last_bytes if s.plan.weight_decomposed else gathered.loss_bytes
    kept = kept_bytes(s, layer) + cached_copies_bytes(s) + np.maximum(_lowered_head(s) - merging, 0.0)
    return Live(carried, kept + merging + _retained(s) * float(again), logits, gathered=parameters)


def _logits_made(s: Setting) -> Number:
    """Bytes of logits at the end of forward: a cap's tanh, as made, in fp32, and log-softmax; 0 for a loss in chunks."""
    each, wide, every = _logit_bytes(s), s.plan.loss == "fp32", s.tokens * s.model.vocab * float(s.plan.whole_logits)
    both = each + 4.0 + 4.0 * float(each < 4.0) if wide else 2.0 * each
    if s.plan.kernels == "fused":  # which has no log-softmax
        both = FUSED_LOSS_BYTES if wide else each
    handed_on = 4.0 * every * float(s.plan.hands_on_fp32 and not wide)  # made when autocast has dropped its copies
    return (both + _capped_bytes(s)) * every + np.maximum(handed_on - cached_copies_bytes(s), 0.0)


def _lowered_head(s: Setting) -> float:
    """Bytes of autocast's 16-bit copy of a head in fp32, which backward keeps."""
    return 2.0 * s.model.head_parameters if s.lowered and s.plan.stream_bytes >= 4.0 else 0.0


def _loss(s: Setting, layer: LayerBytes, gathered: GatheredTensors, carried: Number) -> Live:
    """Live at the loss: what forward kept, log-softmax with its incoming and outgoing gradient in fp32, and the kept logits.

    A soft-capped head also keeps its tanh, and autocast a 16-bit copy of an fp32 head. TRL's head instead holds one tile of
    logits (with 16-bit copies of the head's rows and of its input where those are fp32), the fp32 gradient of its input, and
    where the head is trained its gradient in fp32 and in the head's type.
    """
    chunked = s.plan.chunked_head or s.plan.chunked_loss  # within forward
    m, kept = s.model, kept_bytes(s, layer) + cached_copies_bytes(s) * float(chunked)
    if s.plan.chunked_head:
        rows = np.minimum(s.tokens, TILE_TOKENS)
        narrow = 2.0 if s.plan.autocast else s.w
        copied = TILE_VOCAB * float(narrow < s.plan.stream_bytes) + rows * float(narrow < s.w)
        tile = narrow * (TILE_VOCAB * rows + m.hidden * copied)
        head = _gradient(s, m.head_parameters) + 4.0 * m.head_parameters * float(not s.plan.adapter or s.plan.ends)
        return Live(carried + head, kept, tile + 4.0 * m.hidden * s.tokens, gathered=gathered.loss_bytes)
    kept, capped = kept + _lowered_head(s), _capped_bytes(s)
    if s.plan.chunked_loss:
        # as many chunks as the vocabulary is wider than the stream, so that one chunk's logits are as large as its input
        # (liger_kernel/ops/fused_linear_cross_entropy.py); its fp32 form and gradient, and the gradient of the head's input
        rows = np.minimum(s.tokens, np.maximum(s.tokens * m.hidden / m.vocab, 1.0))
        head = _gradient(s, m.head_parameters)
        part = (12.0 + capped) * rows * m.vocab + s.w * m.hidden * s.tokens
        return Live(carried + head, kept, part, gathered=gathered.loss_bytes)
    if s.plan.loss == "split":
        # whole logits beside all log-softmaxes, and the two gradients of a chunk, in fp32
        rows = np.minimum(LITGPT_CHUNK * s.batch, s.tokens) if s.plan.stack == "litgpt" else s.tokens / TORCHTUNE_CHUNKS
        wide, each = (0.0, 2.0) if s.plan.compiled else (4.0, 8.0)
        chain = (_logit_bytes(s) + wide + capped) * s.tokens * m.vocab + each * rows * m.vocab
        if s.plan.stack == "litgpt" and s.plan.quantised:
            # backward of the head, chunk by chunk, when every chunk's loss has its gradient, in 16 bits
            chain = np.maximum(chain, _kept_logits(s) + (2.0 + capped) * s.tokens * m.vocab + _unpacked_head(s))
        # torchtune's head goes chunk by chunk too: a chunk's gradient of a trained one is added to that of those before it
        head = 2.0 * _gradient(s, m.head_parameters) * float(s.plan.stack == "torchtune")
        return Live(carried + head, kept, chain, gathered=gathered.loss_bytes)
    # log-softmax with the incoming and the outgoing gradient; a fused kernel writes the gradient over what it read
    each = 3.0 * (_logit_bytes(s) if s.plan.loss == "16bit" else 4.0)
    handed_on = 4.0 * float(s.plan.hands_on_fp32 and not s.plan.logits_kept)
    each = max(each, 2.0 * _logit_bytes(s) + handed_on) if s.plan.loss == "16bit" else each
    if s.plan.kernels == "fused":
        each = FUSED_LOSS_BYTES
        if s.plan.loss == "16bit":  # the logits, which the kernel keeps, and their gradient, or before it the output in fp32
            shared = float(s.plan.logits_kept and not s.plan.hands_on_fp32)
            each = _logit_bytes(s) + max(_logit_bytes(s) * (1.0 - shared), handed_on)
    chain = (each + capped) * s.tokens * m.vocab + _kept_logits(s)
    return Live(carried, kept, chain, gathered=gathered.loss_bytes)


def _unpacked_head(s: Setting) -> float:
    """Bytes of LitGPT's packed head while a product needs it.

    Lightning packs weights from fp16 (BitsandbytesPrecision, torch.half), so they unpack to fp16 and are cast to bf16.
    """
    return (4.0 if s.plan.dtype == "bf16" else 2.0) * s.model.head_parameters


def _backward_last(s: Setting, layer: LayerBytes, gathered: GatheredTensors, carried: Number) -> Live:
    """Live in backward of the last layer (or its norm): everything is still kept, and the head's gradient is there."""
    stream = s.w * s.model.hidden * s.tokens
    # without checkpointing what the last norm kept is gone when the layer's own backward begins
    own = np.maximum(layer.transient - final_norm_saved(s), norm_backward_bytes(s))
    working = _recomputed(s, layer) if s.plan.checkpointing else own
    if flat_gradients(s.plan):
        # a unit's gradients are joined into the flat one's when its activations are gone: the higher of the two
        working = np.maximum(working - gathered.layer_gradients_bytes, 0.0)
    # a tied head's new gradient waits for the embedding's, an untied one's joins the old at once
    head = _gradient(s, s.model.head_parameters) if s.tied or not s.plan.adds_to_old else 0.0
    # a fused norm keeps its input as it is, and the first one's is the checkpoint
    twice = stream * layers_recomputed(s.plan) * float(s.fused_norms)
    kept = kept_bytes(s, layer) - (final_norm_saved(s) + twice) * float(s.plan.checkpointing)
    unreduced = carried + head + gathered.layer_gradients_bytes
    return Live(unreduced, kept + working + stream, _kept_logits(s), gathered=gathered.last_bytes)


def _backward_first(s: Setting, layer: LayerBytes, gathered: GatheredTensors, gradients: Number) -> Live:
    """Live in backward of the first layer: every gradient is there but an untied embedding's and those the layer still makes.

    Of fsdp in the second, while the first is gathered: the gradients of both are not reduced yet.
    """
    over = s.plan.shards if s.plan.reduces_early else 1.0
    waiting: Number = 0.0 if s.tied else _gradient(s, s.model.embedding_parameters) / over
    if s.plan.sharding == "fsdp":
        waiting = waiting + gathered.layer_gradients_bytes / s.plan.shards
    waiting = waiting + later_gradients_bytes(s)
    stream = s.w * s.model.hidden * s.tokens
    others = stream + _retained(s) - retained_input_bytes(s) * float(not s.plan.checkpointing)
    unreduced = gathered.layer_gradients_bytes + gathered.root_gradients_bytes
    if s.plan.adds_to_old and s.tied:
        unreduced = unreduced + _gradient(s, s.model.head_parameters)
    working = np.maximum(_recomputed(s, layer) - gathered.layer_gradients_bytes * float(flat_gradients(s.plan)), 0.0)
    return Live(gradients - waiting + unreduced, working + others, _kept_logits(s), gathered=gathered.first_bytes)


def _recomputed(s: Setting, layer: LayerBytes) -> Number:
    """Bytes of what backward has recomputed at its highest point."""
    return layer.peak * layers_recomputed(s.plan) + unpacked_bytes(s.model, s.plan)


def _backward_embedding(s: Setting, gathered: GatheredTensors, gradients: Number) -> Live:
    """Live in backward of the embedding: a dense gradient of its size; a tied model sums it with the head's into a third.

    Where micro-steps accumulate, all of them stand beside the old one; before, that of a table for every layer (Gemma) did.
    """
    again, embedding = float(s.plan.adds_to_old), _gradient(s, s.model.embedding_parameters)
    table = again * _gradient(s, float(s.model.vocab * sum(outputs for _, _, outputs in s.model.products)))
    new = 2.0 + again if s.tied else max(again, float(s.plan.reduces_early or s.plan.applied_in_backward))
    unreduced = max(new * embedding, float(s.tied) * embedding + table) + gathered.root_gradients_bytes
    activations = s.w * s.model.hidden * s.tokens + _retained(s)
    return Live(gradients + unreduced, activations, _kept_logits(s), gathered=gathered.embedding_bytes)


def _choose(best: Places, parts: tuple[Number, ...]) -> Number:
    """The element of `parts` that belongs to the highest phase, for each plan."""
    spread = np.stack([np.broadcast_to(np.asarray(p, dtype=np.float64), best.shape) for p in parts])
    chosen: Array = np.take_along_axis(spread, best[np.newaxis], axis=0)[0]
    return chosen


def _logit_bytes(s: Setting) -> float:
    """Bytes of one logit: the head is fp32 after k-bit preparation, and runs in 16 bits under autocast.

    Lightning's Fabric turns what a module returns to fp32 (HalfPrecision.convert_output).
    """
    if s.plan.stack == "litgpt":
        return 4.0
    return 2.0 if s.lowered else s.w


def _capped_bytes(s: Setting) -> float:
    """Bytes of the tanh of one logit, which backward of a soft-capped head reads; fused kernels cap fp32 ones."""
    wide = s.plan.kernels == "fused" and s.plan.loss == "fp32"
    return (4.0 if wide else _logit_bytes(s)) * float(s.model.family in SOFT_CAPPED)


def _kept_logits(s: Setting) -> Number:
    """Bytes of logits that a loop holds through backward, as they are handed on; a head that works in chunks hands on none."""
    wide = s.plan.hands_on_fp32 or (s.plan.kernels == "fused" and s.plan.loss == "fp32")
    held = float(s.plan.logits_kept and not s.plan.chunked_loss)
    return (4.0 if wide else _logit_bytes(s)) * s.tokens * s.model.vocab * held
