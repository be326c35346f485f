"""What LoRA adapters that an engine applies at run time hold on each GPU, beside the weights of their base, and steps read.

Engines reserve slots before they size the KV cache: vLLM `max_loras` of `max_lora_rank` (vllm/lora/layers/base_linear.py,
create_lora_weights), SGLang `max_loras_per_batch` (python/sglang/srt/lora/mem_pool.py). Other adapters wait in the host's
memory, and only as many differ in a step as there are slots. S-LoRA and LoRAX page those in use, of the same bytes each.
Published throughput with many adapters (`adapter_throughput`) is of cards with room to spare, where it was 0.96 to 1.00 of
that with one: at most those 4% are counted here a second time. It knows no rank; what each adapter's bytes take to read is
added to the step (`reading_adapters`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.estimate.serving.efficiencies import Efficiencies
from roi.estimate.serving.iteration import Iteration, per_plan
from roi.estimate.serving.weight_formats import SIXTEEN_BIT
from roi.estimate.training.adapters import expert_adapter_parameters, target_linears
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number

SLOT_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM's slots may have (MaxLoRARanks in vllm/config/lora.py): an adapter between two takes one of the larger."""
SPLIT_INPUTS: Final = frozenset({"o_proj", "down_proj", "shared_down_proj", "out_proj"})
"""Products whose inputs tensor parallelism splits: A is split and B whole on each GPU; of all others B is split and A whole."""
WHOLE: Final = frozenset({"q_a_proj", "kv_a_proj_with_mqa", "router", "shared_expert_gate"})
"""Products that every GPU computes, and so holds A and B of."""


@dataclass(frozen=True)
class AdapterSlots:
    """Slots for adapters on each GPU of a replica; arrays broadcast, one element a plan."""

    each_bytes: Number
    """Bytes that one slot takes on each GPU."""
    most: Number
    """Slots at most: as stated, else one for each adapter, or for each sequence of a step where they are fewer."""
    stated: bool = False
    experts_part: Number = 0.0
    """Of each_bytes, adapters of experts, of which a step reads those that its tokens pass through."""

    def held(self, room_bytes: Number, sequence_bytes: Number, long_bytes: Number, prefix_bytes: Number = 0.0) -> Number:
        """Slots where this room is left for them and the KV cache, and a mean and a long sequence hold so much of that.

        As stated; else one for each sequence that fits beside them, since no more adapters differ in a step than sequences:
        room / (sequence + slot), rounded down. A long sequence fits beside them, if it does beside one; there is one at least.
        With each slot goes a copy of the shared prefix, whose keys and values the adapter makes its own.
        """
        if self.stated:
            return self.most
        each = np.asanyarray(self.each_bytes + prefix_bytes)
        fitting = np.minimum(room_bytes / (sequence_bytes + each), (room_bytes - long_bytes) / each)
        slots: Number = np.clip(np.floor(fitting), 1.0, self.most)[()]
        return slots


def prefix_copies(
    slots: AdapterSlots | None, held: Number, room_bytes: Number, sequence_bytes: Number, prefix_bytes: Number
) -> Number:
    """Copies of the shared prefix in this room: one, or with adapters at run time one for each of those that a batch holds.

    Keys and values depend on the adapter, so that engines find a prefix only for the same one (vLLM's block hash holds the
    adapter's name, docs.vllm.ai/en/latest/design/prefix_caching). A batch holds no more adapters than sequences: of slots that
    are stated, as many have a copy as sequences with one fit beside them.
    """
    if slots is None:
        return 1.0
    beside = (room_bytes - held * slots.each_bytes) / np.maximum(sequence_bytes + prefix_bytes, 1.0)
    copies: Number = np.clip(np.floor(beside), 1.0, held)[()]
    return copies


def sequences_at_once(slots: Number, adapters: Number) -> Number:
    """Sequences under way on a replica where on average so many slots are taken: -A ln(1 - S / A), all A adapters asked alike.

    Of n sequences A (1 - exp(-n / A)) adapters differ. A request whose adapter has no slot waits until another's sequences have
    ended, while those behind it with a slot go ahead (vLLM's scheduler). Replayed with so many sequences at most, a replica
    keeps the load at which P95 of that wait is a tenth of a request's time, within 8% of a simulation of the slots (8 to 100 of
    them, 20 to 200 adapters; where these are asked as Zipf's law says, slots hold 1.2 to 2.4 times that). No limit where every
    adapter has one; at least 1.
    """
    left = 1.0 - np.minimum(slots / np.maximum(adapters, 1.0), 1.0)
    with np.errstate(divide="ignore"):
        found: Number = np.maximum(np.floor(-adapters * np.log(left)), 1.0)[()]
    return found


def together(slots: Sequence[AdapterSlots | None]) -> AdapterSlots | None:
    """The slots of several plans of one option as one, an element each; None where none has any."""
    found = [each for each in slots if each is not None]
    if not found:
        return None
    each, most, read = (np.array([getattr(one, name) for one in found]) for name in ("each_bytes", "most", "experts_part"))
    return AdapterSlots(each, most, found[0].stated, read)


def reading_adapters(
    step: Iteration, slots: AdapterSlots | None, adapters: int, gpu: Gpu | Sequence[Gpu], efficiencies: Efficiencies, *,
    known: int = 0,
) -> Iteration:
    """The step that also reads each adapter of its sequences once, of so many that are asked alike; as it was where none is.

    The step may have been measured with fewer, `known` of them: then it reads as many more as differ of all than of these.
    Kernels take the tokens of one adapter together, and read its whole slot, whatever rank the adapter has of it (vLLM:
    lora_shrink_op.py, whose grid is of active adapters and N the slots' rank; SGLang's segments). Left out: their products, 2%
    of a prompt's at rank 64 on all linear layers of 8 billion parameters and 8% at 256, and what prompts read beside a step.
    """
    if slots is None or adapters <= known:
        return step
    bandwidth = per_plan(gpu, lambda g: g.bandwidth_bytes_per_s) * efficiencies.decode_mbu
    read_s, part = slots.each_bytes / bandwidth, slots.experts_part
    return replace(step, adapter_s=read_s * (1.0 - part), adapter_experts_s=read_s * part,
                   adapters=float(adapters), known_adapters=float(known))


def slot_rank(rank: int, engine: str) -> int:
    """The rank of the slot that holds an adapter of this rank."""
    return next((each for each in SLOT_RANKS if each >= rank), rank) if engine == "vllm" else rank


def adapter_bytes(shape: ModelShape, rank: Number, tensor_parallel: Number = 1.0, experts: Number = 1.0) -> Number:
    """Bytes on each GPU of one LoRA adapter on all linear layers, in 16 bits, of this share of the experts; broadcasts.

    On one GPU it is 2 bytes for each trained parameter (`trained_parameters`): rank x (inputs + outputs) a product. On several,
    the half of each adapter that faces what is split is split with it, and the other is whole on every GPU: vLLM and SGLang,
    without `fully_sharded_loras`. A base in fewer bits has adapters in 16 all the same (`lora_dtype` auto). Ignored: buffers of
    a step, at most a few hundred MB, and adapters of embedding and head, which all-linear leaves out.
    """
    plan = TrainingPlan(method="lora")
    tp = np.asarray(tensor_parallel, dtype=np.float64)
    sides: Number = np.zeros_like(tp)
    for x in target_linears(shape, plan):
        inputs = x.inputs / tp if x.name in SPLIT_INPUTS else x.inputs
        outputs = x.outputs if x.name in SPLIT_INPUTS | WHOLE else x.outputs / tp
        sides = sides + (inputs + outputs) * x.layers
    sides = sides + experts * expert_adapter_parameters(shape, plan, tp)
    held: Number = np.asanyarray(SIXTEEN_BIT * rank * sides)[()]
    return held
