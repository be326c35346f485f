"""What a replica holds on each GPU: weights, adapters, workspace, and the KV cache that is left.

    KV cache = memory x gpu_memory_utilization - weights / GPUs - adapters - workspace - a shared prefix, once

Each decoding sequence holds the keys and values of its own tokens, so the cache sets how many decode at a time. A plan fits
where one long request (P95 prompt and output) does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.serving.adapter_memory import AdapterSlots, prefix_copies
from roi.estimate.serving.iteration import kv_bytes_per_gpu, kv_element_bytes, per_plan
from roi.estimate.serving.request_shape import RequestShape
from roi.estimate.serving.weight_formats import SIXTEEN_BIT, stack_bytes, weight_bytes
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number
from roi.units import GIB

GPU_MEMORY_UTILISATION: Final = 0.90
"""Share of the device that an engine takes, the default of vLLM's gpu_memory_utilization."""
FIXED_WORKSPACE_BYTES: Final = 1.5 * GIB
"""CUDA context and libraries (about 0.5 GiB), CUDA graphs and collective buffers (0.5 to 1.5 GiB in engine logs)."""
STEP_TOKENS: Final = 8192.0
"""Tokens of the largest step: vLLM's max_num_batched_tokens on data-centre cards."""
HUGE_STEP_TOKENS: Final = 16384.0
"""Tokens of the largest step on cards from HUGE_CARD_BYTES: vLLM's default since 0.28."""
HUGE_CARD_BYTES: Final = 160.0 * GIB
"""Memory from which it takes those (B200, MI300X): vllm-project/vllm PR 51726, 2026-08-11; so in 0.33.0 too."""
SMALL_STEP_TOKENS: Final = 2048.0
"""Tokens of the largest step on cards below LARGE_CARD_BYTES: vLLM's max_num_batched_tokens."""
LARGE_CARD_BYTES: Final = 70.0 * GIB
"""Memory from which vLLM takes the larger steps and more sequences (H100, H200, MI300X); not on an A100 of 80 GB, where
larger steps were measured to be slower (vllm-project/vllm EngineArgs.get_batch_defaults, PR 17885)."""
SEQUENCE_LIMIT: Final = 256.0
"""Sequences that an engine decodes at a time: vLLM's max_num_seqs on cards below LARGE_CARD_BYTES."""
LARGE_SEQUENCE_LIMIT: Final = 1024.0
"""Sequences that an engine decodes at a time: vLLM's max_num_seqs on cards from LARGE_CARD_BYTES."""
LOGIT_BYTES: Final = 4.0
"""Engines sample from fp32 logits, one row a sequence."""


@dataclass(frozen=True)
class EngineHabits:
    """What an engine takes and how it schedules, where that is a setting of it and no speed (catalog: engine_habits.csv)."""

    memory_share: float = GPU_MEMORY_UTILISATION
    """Share of the card that the engine takes in all, or of what weights and workspace leave that it gives to the cache."""
    of_free: bool = False
    """True where the share is one of what is free."""
    uniform_windows: bool = True
    """False where a window that all layers share is no limit to the cache and to attention, unless somebody asks for it."""
    sequence_limit: float | None = None
    """Sequences that it decodes together at most; None: by the card (`default_sequence_limit`)."""
    step_tokens: float | None = None
    """Tokens of the largest step; None: by the card (`default_step_tokens`)."""
    prompts_alone: bool = False
    """True where a step computes prompts or decodes, never both, and prompts go first (`Server.prompts_alone`)."""
    experts_apart: bool = False
    """True where experts in 4 bits are multiplied by kernels of their own, one expert after the other."""
    wgmma: bool = False
    """True where decode attention, and products of few sequences in fp8, are multiplied by tiles of warp groups on cards that
    have them (`TILE_ROWS`, `FEW_ROWS_IN_FP8`). It shows where a card has few FLOPs a byte (H20): known of SGLang alone."""
    reserves: bool = False
    """True where a request waits until the KV of its whole answer fits (`Requests.kv_mean`): TensorRT-LLM and TGI, and those
    that cache as long as asked and cannot evict; vLLM, LMDeploy and DeepSpeed-FastGen take blocks as tokens come, SGLang a
    share of them before."""


VLLM: Final = EngineHabits()
"""Defaults of vLLM's server, from which other engines differ."""


def as_cached(shape: ModelShape, habits: EngineHabits) -> ModelShape:
    """The shape as the engine runs it: without its window where all layers have one and the engine does not use it."""
    if habits.uniform_windows or not all(a.window for a in shape.attention):
        return shape
    return shape.model_copy(update={"attention": tuple(a.model_copy(update={"window": None}) for a in shape.attention)})


@dataclass(frozen=True)
class ReplicaMemory:
    """Bytes on each GPU of a replica; arrays broadcast, one element a plan."""

    device_bytes: Number
    """Memory of the GPU."""
    usable_bytes: Number
    """Part of the GPU's memory that the engine takes."""
    resident_bytes: Number
    """Weights of this GPU."""
    workspace_bytes: Number
    """Context, graphs, activations of the largest step, logits."""
    kv_capacity_bytes: Number
    """What is left for KV cache after the copies of a shared prefix; not below 0."""
    kv_read_bytes: Number
    """KV cache that a step reads for one sequence of mean length, shared prefix included."""
    kv_held_bytes: Number
    """KV cache that one sequence of mean length holds of its own."""
    kv_long_bytes: Number
    """KV cache that a long request (P95 prompt and output) holds at its end."""
    kv_prefix_bytes: Number = 0.0
    """What a copy of the shared prefix takes, which the KV cache has besides."""
    adapter_slots: Number = 0.0
    """Adapters, applied at run time, that it holds at once."""
    adapter_bytes: Number = 0.0
    """Bytes of those adapters' slots on each GPU."""

    @property
    def sequences(self) -> Number:
        """Sequences of mean length whose KV cache fits."""
        return self.kv_capacity_bytes / self.kv_held_bytes

    def shortage(self) -> NDArray[np.str_]:
        """One sentence a plan that says which bytes do not fit; only read where they do not."""
        named = np.vectorize(_shortage, otypes=[str])
        return np.asarray(
            named(self.usable_bytes, self.resident_bytes, self.workspace_bytes, self.kv_long_bytes, self.device_bytes,
                  self.adapter_bytes))


def _shortage(usable: float, resident: float, workspace: float, long: float, device: float, adapters: float) -> str:
    has = f"GPU has {device / GIB:.1f} GiB"
    if resident > usable:
        return f"does not fit: weights need {resident / GIB:.1f} GiB, {has}"
    need = resident + adapters + workspace + long
    beside = f" adapters ({adapters / GIB:.1f} GiB)," if adapters else ""
    return f"does not fit: weights,{beside} workspace and one long request need {need / GIB:.1f} GiB, {has}"


def default_step_tokens(gpu: Gpu | Sequence[Gpu], *, since_0_28: bool = True) -> Number:
    """Tokens of the largest step on this card, or on one card a plan (an array): vLLM's default for a server.

    `since_0_28`: with its third tier; runs that were published until then did not have it.
    """
    def tokens(g: Gpu) -> float:
        if since_0_28 and g.memory_bytes >= HUGE_CARD_BYTES:
            return HUGE_STEP_TOKENS
        return STEP_TOKENS if _large(g) else SMALL_STEP_TOKENS

    return per_plan(gpu, tokens)


def default_sequence_limit(gpu: Gpu | Sequence[Gpu]) -> Number:
    """Sequences that are decoded at a time at most on this card, or on one card a plan: vLLM's default for a server."""
    return per_plan(gpu, lambda g: LARGE_SEQUENCE_LIMIT if _large(g) else SEQUENCE_LIMIT)


def _large(gpu: Gpu) -> bool:
    return gpu.memory_bytes >= LARGE_CARD_BYTES and not gpu.id.startswith("A100")


def activation_bytes(
    shape: ModelShape, tensor_parallel: Number, step_tokens: Number, sequence_limit: Number, *,
    attention_parallel: bool = False,
) -> Number:
    """Bytes of the largest step's live activations on one GPU; broadcasts.

    Per token in 16 bit: four copies of the residual stream (whole on each GPU) and, split over GPUs, gate, up and their
    product in the widest MLP; and fp32 logits of every sequence over the whole vocabulary, which each GPU gathers to sample.
    vLLM's own profile run of Llama-3-8B at 8,192 tokens prints about 1.2 GiB; this gives 1.03 GiB with 256 sequences.

    Experts instead hold a row for each of a token's experts: its input, and gate and up or its output, whichever is wider. With
    attention data parallel (`step_tokens` are one GPU's) every GPU has room for the tokens of all, wherever their experts are
    (getWorkspaceDeviceBufferSizes of TensorRT-LLM's moe_kernels.cu: experts per token x rows, whatever the expert parallelism).
    """
    tp = np.asarray(tensor_parallel, dtype=float)
    gathered, split = (tp, 1.0) if attention_parallel else (1.0, tp)
    dense = max(m.shared_intermediate if m.experts > 1 else m.intermediate for m in shape.mlp)
    token = 4.0 * shape.hidden + 3.0 * dense / split
    for m in shape.mlp:
        if m.experts > 1:
            rows = m.experts_per_token * (shape.hidden + np.maximum(2.0 * m.intermediate / split, shape.hidden))
            token = np.maximum(token, 4.0 * shape.hidden + gathered * rows + (gathered > 1.0) * gathered * 2.0 * shape.hidden)
    return step_tokens * SIXTEEN_BIT * token + sequence_limit * shape.vocab * LOGIT_BYTES


def replica_memory(
    shape: ModelShape, gpu: Gpu | Sequence[Gpu], tensor_parallel: Number, weight_dtype: str | Sequence[str],
    kv_dtype: str | Sequence[str], requests: RequestShape, *, step_tokens: Number = STEP_TOKENS,
    sequence_limit: Number = SEQUENCE_LIMIT, habits: EngineHabits = VLLM, stages: float = 1.0, attention_parallel: bool = False,
    adapters: AdapterSlots | None = None,
) -> ReplicaMemory:
    """Bytes on each GPU of a replica; `gpu` and the formats are one value or one a plan, the rest broadcasts.

    `adapters`: slots of those that are applied at run time, which engines reserve before the cache.

    `stages`: GPUs that hold the layers one after the other. Each of as many batches that are under way has the KV cache of all
    its layers in its share of them, so one GPU's bytes stand for one batch's.

    Ignored: paging waste (half a block of 16 tokens a sequence, under 1% of 1,000), copied KV projections where tp exceeds the
    KV heads, what conversations hold that wait for their user (the hit rate says how often they are still there).
    """
    tp = np.asarray(tensor_parallel, dtype=float)
    device = per_plan(gpu, lambda g: g.memory_bytes)
    element = per_plan(kv_dtype, kv_element_bytes)
    experts = per_plan(weight_dtype, lambda w: stack_bytes(shape, w)[1])
    dense = per_plan(weight_dtype, lambda w: weight_bytes(shape, w)) - experts
    resident = (experts / tp + dense / (1.0 if attention_parallel else tp)) / stages
    workspace = FIXED_WORKSPACE_BYTES + activation_bytes(
        shape, tp, step_tokens, sequence_limit, attention_parallel=attention_parallel)
    taken = device * habits.memory_share
    fixed = resident + workspace
    usable = fixed + (device - fixed) * habits.memory_share if habits.of_free else taken

    def kv(tokens: Number) -> Number:
        return kv_bytes_per_gpu(shape, tokens, tp, element, attention_parallel=attention_parallel)

    room, own, prefix = usable - fixed, kv(requests.own_tokens), kv(requests.shared_tokens)
    slots = 0.0 if adapters is None else adapters.held(room, own, kv(requests.long_tokens), prefix)
    beside = 0.0 if adapters is None else slots * adapters.each_bytes
    copies = prefix_copies(adapters, slots, room, own, prefix)
    return ReplicaMemory(
        device_bytes=device, usable_bytes=usable, resident_bytes=resident, workspace_bytes=workspace,
        kv_capacity_bytes=np.maximum(room - beside - copies * prefix, 0.0), kv_prefix_bytes=prefix,
        kv_read_bytes=kv(requests.shared_tokens + requests.own_tokens), kv_held_bytes=own,
        kv_long_bytes=kv(requests.long_tokens), adapter_slots=slots, adapter_bytes=beside,
    )
