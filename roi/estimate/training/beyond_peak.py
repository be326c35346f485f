"""What torch's caching allocator holds beyond the allocated peak: pools of side streams, gaps between blocks, a stranded copy.

A free block serves the stream that took it, and no other (CUDACachingAllocator.cpp: BlockComparator sorts by stream). What FSDP
gathers lies in the pool of its unshard stream, and the shards of its gradients in that of its post-backward stream (torch's
fsdp/_runtime_utils.py: _unshard, _post_backward_hook); so does what ZeRO-3 gathers, as overlap_comm is on unless it is told
otherwise (partitioned_param_coordinator.py, __allgather_stream). Neither makes room for activations while it is free: reserved
memory is at least the sum of what each stream holds at its own highest point. Within a pool, gaps between blocks come on top.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from roi.estimate.training.activations import inner_width
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import Setting
from roi.estimate.training.sharding import flat_gradients
from roi.facts.model import Number

LOOSE_DYNAMIC: Final = 0.08
"""Share of what comes and goes within a step that lies in the gaps of segments, beside one fp32 logits tensor: a freed
logits-sized block is cut up by the tensors of backward, and the next large one opens a segment of its own. One rule with and
without checkpointing, so that what reserves rises with what is kept (120 replays: mean error of reserved memory 3.7%, as with
half a tensor without checkpointing; efficiencies.json)."""
LOOSE_CHUNKED: Final = 0.21
"""Share of what comes and goes within a step that lies in gaps with adapters and a loss in chunks, where no logits-sized block
is cut up: what is kept of each layer is cut out of blocks that its MLP freed, and their remainders fit nothing. Times 0.78, the
slack of a unit, it is 0.164: the median of 18 dry runs replayed, three steps long, beside the formula's peak of the day; beside
today's, which has a tensor less, 0.175 (5-95%: 0.11 to 0.24). Six models from 1B to 8B, LoRA on attention over fused norms,
LoRA and QLoRA on all layers under Liger (`python lab/fit_allocator_slack.py --chunked`). No measured row was used; seven of
fms-acceleration on one GPU hold 0.11 to 0.16 by nvidia-smi."""
SIDE_STREAMS: Final = 0.1
"""Share of what comes and goes within a step that FSDP before fully_shard adds to what lies in gaps: blocks that another stream
still uses are not free when they are freed (record_stream; torchtitan on FSDP2: fully_shard needs 7% less of Llama-2-7B on
eight GPUs). In 12 pairs of adapter rows of fms-acceleration, FSDP leaves 0.06 to 0.1 of what comes and goes more in reserve
than one GPU does, by nvidia-smi."""
FLAT_SHARDS: Final = 0.5
"""Share of what comes and goes within a step that lies in gaps in full training under FSDP before fully_shard, all told, where
that is more than one logits tensor: moments are made after the first backward out of the blocks that it freed, in pieces as
large as a unit's shard (FlatParameter), and leave gaps to the activations of the next. At most the moments themselves; none
where they lie outside torch (paged). Median of 480 simulated jobs with a loss in chunks, of six models on 2 to 16 GPUs: gaps
are 0.39 of what comes and goes (5-95%: 0.16 to 0.67), 0.78 units of slack (tests/estimate/test_fsdp_pools.py has the
simulation). No measured row was used."""
STUCK: Final = 0.06
"""Share of what comes and goes within a step that a full card still lacks: where the driver has nothing left, torch gives its
free segments back and asks again (CUDACachingAllocator.cpp, release_cached_blocks), and what lies in the gaps of segments in
use stays. Median of 24 of the grid's dry runs, each replayed on the smallest card on which it runs (0.05 with checkpointing,
0.08 without; 90% 0.39). Of fms-acceleration's rows, which say both, six with 64 to 75 GiB allocated fill a card of 79.2."""


def loose_bytes(plan: TrainingPlan, *, logits: Number, dynamic: Number, moments: Number) -> Number:
    """The unit of slack: what gaps typically hold, bytes; `logits` is one fp32 tensor of them where they are made whole.

    Where the loss's segments are known (`stranded_bytes`) they are no part of it.
    """
    before = plan.sharding == "fsdp" and not plan.fsdp2
    in_chunks = plan.adapter and plan.chunked_loss
    share = (LOOSE_CHUNKED if in_chunks else LOOSE_DYNAMIC) + SIDE_STREAMS * float(before)
    typical = logits * float(not shifts_logits(plan)) + share * dynamic
    return np.maximum(typical, np.minimum(FLAT_SHARDS * dynamic, moments)) if before and not plan.adapter else typical


def shifts_logits(plan: TrainingPlan) -> bool:
    """True where a fused loss is taken over a shifted copy of whole fp32 logits, and no moments are made of what it frees."""
    return plan.kernels == "fused" and plan.loss == "fp32" and plan.adapter and not plan.chunked_head


def stranded_bytes(s: Setting, *, logits: Number, lowered: bool, loss: Number, peak: Number) -> Number:
    """What a fused loss over a shifted copy of whole logits reserves beyond `peak`, bytes; 0 for other losses.

    `logits` is one fp32 tensor of them, `lowered` says that the head makes them in 16 bits, `loss` is the high point of the
    loss. A request of 10 MiB or more has a segment of its own size, and nothing in a layer is as wide as the vocabulary, so
    logits find no room in what a layer's forward freed. Nor do fp32 logits where the 16-bit ones were, so their segment lies
    free. transformers 4.45 shifts by `logits[..., :-1, :].contiguous()` (modeling_llama.py); Unsloth's kernel turns that copy
    into its gradient in place. Before torch's indexing left whole slices out (2.4: TensorIndexing.h, applySlice), the gradient
    goes back through two slices, each of which makes a tensor. The first, as large as the copy, takes the segment of the whole
    logits, so the second, as large as those, finds only the copy's, a row of every sequence too small, and opens a new one.
    Where these rows take less than segments are rounded up by (2 MiB), the copy's may serve after all. With adapters alone:
    full training makes its moments out of such segments.
    """
    if not shifts_logits(s.plan):
        return peak * 0.0
    # under FSDP it serves in the place of blocks that other streams hold up, which SIDE_STREAMS counts
    freed = _forward_freed(s) * float(s.plan.checkpointing and s.plan.sharding == "none")
    return np.maximum(loss + freed + (1.5 if lowered else 1.0) * logits - peak, 0.0)


def _forward_freed(s: Setting) -> Number:
    """What forward of a checkpointed layer needs beside its input and output at its highest, bytes: in its MLP.

    There activation, up and their product stand beside the norm's output (without a gate the activation's input and output); or
    the adapter of the last product takes its input in fp32, drops it, and lowers that to 16 bits.
    """
    plan, h, highest = s.plan, s.model.hidden, np.float64(0.0) * s.tokens
    for k in s.model.mlp:
        made: Number = (3.0 if k.gated else 2.0) * s.made
        if any(x.name == "down_proj" for x in s.adapted(list(k.linears(h)))):
            own = plan.trained_bytes
            made = np.maximum(made, s.made + own * float(s.recast) + (own + 1.0) * s.dropped + 2.0 * float(s.lowered))
        highest = np.maximum(highest, (made * inner_width(k) + s.w * h) * s.tokens)
    return highest


def given_back(reserved: Number, stranded: Number, room: Number) -> Number:
    """What is reserved in the end on a card that has this much room, bytes; `stranded` is part of it.

    Where it does not hold all, the request that fails has the allocator give back its free segments, stranded ones among them
    (CUDACachingAllocator.cpp, release_cached_blocks).
    """
    return np.minimum(np.where(reserved <= room, reserved, reserved - stranded), room)


def pools_bytes(
    plan: TrainingPlan, *, totals: Sequence[Number], gathered: Sequence[Number], aside: Sequence[Number],
) -> Number:
    """What lies free in other streams' pools at the peak, bytes; 0 unless parameters are sharded, by FSDP or ZeRO-3.

    For each moment of a step: what is allocated in all, the parameters gathered, and what a third stream makes: the gradients
    that are reduced, of ZeRO-3 its search for overflow. Under fully_shard gathered parameters are copied into the default
    stream's pool (foreach_all_gather_copy_out) and gradients alone lie apart; micro-steps that accumulate whole gradients make
    them in the default stream.
    """
    peak = _highest(totals)
    if not plan.shards_parameters:
        return peak * 0.0
    whole = flat_gradients(plan) and plan.accumulation > 1
    parts = [(total, parameters * float(not plan.fsdp2), made * float(not whole))
             for total, parameters, made in zip(totals, gathered, aside, strict=True)]
    pools = (_highest([t - p - g for t, p, g in parts]), _highest([p for _, p, _ in parts]), _highest([g for *_, g in parts]))
    return sum(pools, np.float64(0.0)) - peak


def _highest(each: Sequence[Number]) -> Number:
    highest: Number = np.max(np.stack([np.asarray(x, dtype=float) for x in np.broadcast_arrays(*each)]), axis=0)
    return highest
