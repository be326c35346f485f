"""What one GPU of a sharded job holds, gathers and sends: ZeRO and FSDP in closed form.

States that live between uses are divided by the number of GPUs; on top come unsharded tensors for a moment: the parameters
of the layers in work and the gradients that are not reduced yet. P = parameters, N = GPUs.

    zero1   P + gradients + (fp32 copy of what is trained + moments) / N
    zero2   P + (gradients + fp32 copy of what is trained + moments) / N
    zero3   (P + gradients + fp32 copy + moments) / N + the module in work, what is prefetched and what is soon used again
    fsdp    (P + gradients + moments) / N + the root unit (embedding, last norm, head) + two layers

Each GPU works on its own micro-batch: activations are not divided. Read off DeepSpeed's stage_1_and_2.py, stage3.py and
partitioned_param_coordinator.py, and torch's fsdp/_runtime_utils.py and _fully_shard; stage 1 with its default, overlap_comm
off, so that gradients are reduced after backward.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np

from roi.estimate.training.adapters import (
    base_weight_bytes,
    end_parameters,
    nf4_bytes_per_weight,
    packed_parameters,
    trained_parameters,
)
from roi.estimate.training.optimizers import HELD, optimizer_state_bytes, optimizer_workspace_bytes, state_bytes_each
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.estimate.training.targets import adaptable
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number
from roi.facts.profiles import Collective, LinkRate
from roi.units import MIB

ZERO2_BUCKET: Final = 2e8
"""Numbers in a bucket of gradients of ZeRO-2 (reduce_bucket_size), of which overlap_comm takes two (stage_1_and_2.py,
ipg_buffer), whatever is trained: as in the configuration that transformers documents; DeepSpeed's own default is 5e8. ZeRO-3's
is auto there, hidden^2."""
DDP_BUCKET_BYTES: Final = 25.0 * MIB
"""DistributedDataParallel's bucket_cap_mb."""
FSDP_LAYERS: Final = 2.0
"""Gathered layers alive at once: the one in work and the one prefetched (torch's rate limiter lets two all-gathers run)."""
FSDP_ADAPTER_LAYERS: Final = 2.0
"""Recomputed layers alive in backward under FSDP with adapters in the Trainers, whose checkpointing lies inside the FSDP unit
(transformers warns of it: training_args.py, fsdp_config activation_checkpointing): a frozen layer has no gradient whose arrival
releases it. 12 rows of fms-acceleration lie 15 to 30% above one layer and 2 to 3% below two; fsdp_qlora's loop, which wraps
layers from outside, holds one (allocated 8.28 and 9.16 GiB, tests/estimate/test_sharding.py)."""
REUSE_PARAMETERS: Final = 1e9
"""DeepSpeed's stage3_max_reuse_distance: parameters used again within so many others stay gathered."""
SUB_GROUP_PARAMETERS: Final = 1e9
"""DeepSpeed's sub_group_size: ZeRO-3 updates so many parameters at a time."""
HOST_BYTES_PER_S: Final = 2e10
"""What a GPU copies from the host's memory a second: PCIe 4.0 has 32 GB/s in 16 lanes, and two cards of a workstation share."""
HOST_MEMORY_BYTES_PER_S: Final = 6e10
"""What the host's memory moves a second for an optimizer that runs there: two channels of a workstation have 51 GB/s
(DDR4-3200) to 77 (DDR5-4800). torch's Adam takes 1.4 to 1.5 s a billion fp32 parameters on a server (arXiv 2101.06840, table
4), 84 bytes each in 21 reads and writes: as much."""
HOST_SPREAD: Final = 2.0
"""Factor from both of these down to their 5th and up to their 95th percentile: PCIe 3.0 has 16 GB/s in 16 lanes and 5.0 has 64,
two channels of DDR4-2666 have 43 GB/s and eight of DDR4-3200 have 205."""
CHECKED_BYTES: Final = 3.0
"""Bytes a gradient while ZeRO-3 looks for infinite ones, as it does in fp16 (until November 2023 in bf16 too): torch.isinf
makes |x| and a boolean of all that a GPU holds at once (stage3.py, has_overflow: isinf(grad_partitions_flat_buffer)), in the
stream that reduces them."""
PREFETCH_SHARE: Final = 0.9
"""transformers sets stage3_prefetch_bucket_size: auto to 0.9 x hidden^2 elements, and reduce_bucket_size to hidden^2."""


@dataclass(frozen=True)
class HeldStates:
    """Bytes that one GPU holds for the whole step."""

    weights_bytes: Number
    """Base weights; NF4's scales are no parameters, so every GPU holds all of them."""
    adapters_bytes: Number
    """Adapters as the products see them."""
    moments_bytes: Number
    """Adam's moments, and DeepSpeed's fp32 copy of what is trained."""
    gradients_bytes: Number
    """Gradients after reduction."""
    update_bytes: Number
    """Temporaries of the optimizer step."""
    buckets_bytes: Number
    """Buffers that gradients are reduced in."""
    checked_bytes: Number = 0.0
    """Temporaries of the search for overflow before the step."""


@dataclass(frozen=True)
class GatheredTensors:
    """Bytes of unsharded tensors that a GPU holds for a moment: gathered parameters, gradients that are not reduced yet."""

    loss_bytes: Number = 0.0
    """Parameters at the loss."""
    last_bytes: Number = 0.0
    """Parameters in the last layer's backward."""
    first_bytes: Number = 0.0
    """Parameters in the first layer's backward."""
    embedding_bytes: Number = 0.0
    """Parameters in the embedding's backward."""
    layer_gradients_bytes: Number = 0.0
    """Gradients of the layers in work that are not reduced yet."""
    root_gradients_bytes: Number = 0.0
    """The head's gradient, where it waits for the embedding's: in FSDP's root unit, and wherever the two are tied."""


def held_states(model: ModelShape, plan: TrainingPlan, gpus: Number) -> HeldStates:
    """What one of `gpus` GPUs holds between uses, bytes; broadcasts over rank and gpus.

    Without sharding: everything, and beyond one GPU the bucket of DistributedDataParallel, as large as the gradients.
    DeepSpeed keeps an fp32 copy of what is trained (ZeRO-3 of what is in 16 bits) and its moments in fp32, and casts a gradient
    to fp32 to update (ZeRO-3 a sub-group at a time). FSDP under autocast holds its shard of what is trained in fp32, gradients
    and moments too, and casts what it gathers (mixed precision); without, everything stays in the model's dtype.
    Gradients are reduced in every micro-step; a loop that accumulates under no_sync() holds them unsharded instead.
    """
    trained = trained_parameters(model, plan)
    weights = base_weight_bytes(model, plan)
    states = optimizer_state_bytes(model, plan)
    update = optimizer_workspace_bytes(model, plan)
    gradients = trained * plan.trained_bytes
    adapters = gradients if plan.adapter and plan.method != "llamapro" else trained * 0.0  # whose layers are the model's own
    whole = layer_unit_bytes(model, plan) * model.layers + 0.0 * gradients if plan.adapter else gradients
    if plan.sharding == "none":
        ends = plan.stream_bytes * end_parameters(model, plan)
        gradients = gradients + ends
        bucket = np.where(np.asarray(gpus) > 1.0, gradients, 0.0)
        return HeldStates(
            weights_bytes=weights, adapters_bytes=adapters + ends,
            moments_bytes=states + state_bytes_each(plan, plan.stream_bytes) * end_parameters(model, plan),
            gradients_bytes=gradients, update_bytes=update + ends * float(plan.multi_tensor), buckets_bytes=bucket,
        )
    share = 1.0 / np.asarray(gpus, dtype=float)
    # what is trained in 16 bits has an fp32 home beside, or instead of, the 16-bit one that products see
    wide = plan.trained_bytes < 4.0 and (plan.sharding != "fsdp" or plan.autocast)
    grown = 4.0 / plan.trained_bytes if wide else 1.0
    plain = HELD[plan.optimizer].own > 0.0
    moments, temporaries = (x * (grown if plain else 1.0) for x in (states, update))
    if plan.offload:  # ZeRO-2 keeps the parameters that it computes with, and buckets
        zero, computes = 0.0 * gradients, plan.sharding == "zero2"
        small = np.minimum(float(model.hidden) ** 2, trained) * float(plan.sharding == "zero3")
        return HeldStates(weights_bytes=(weights if computes else _whole_scales(model, plan)) + zero,
                          adapters_bytes=adapters if computes else zero, moments_bytes=zero, gradients_bytes=zero,
                          update_bytes=zero, buckets_bytes=2.0 * plan.trained_bytes * (small + ZERO2_BUCKET * float(computes)))
    if plan.sharding == "fsdp":
        weights = weights * (1.0 if plan.adapter else grown)
        return HeldStates(
            weights_bytes=_sharded_weights(model, plan, weights, share), adapters_bytes=adapters * grown * share,
            moments_bytes=moments * share, update_bytes=temporaries * share, buckets_bytes=0.0,
            gradients_bytes=whole if flat_gradients(plan) and plan.accumulation > 1 else gradients * grown * share,
        )
    # stages 1 and 2 clone what they update in fp32 too (stage_1_and_2.py, single_partition_of_fp32_groups), stage 3 does not
    copy = 4.0 * trained if wide or plan.sharding != "zero3" else 0.0 * trained
    part = trained * share
    at_once = np.minimum(part, SUB_GROUP_PARAMETERS) if plan.sharding == "zero3" else part
    fraction = at_once / np.where(part > 0.0, part, 1.0)
    temporaries = temporaries * share * fraction
    # a gradient is flattened (a copy) and cast to fp32; its 16-bit parts go before the update starts
    flat = plan.trained_bytes * at_once
    apart = np.maximum(flat, temporaries) if plan.sharding != "zero3" else temporaries
    widened = 4.0 * at_once + np.maximum(flat, temporaries - flat) if wide else apart
    if plan.sharding == "zero1":  # whole gradients go when each GPU has copied its part; one bucket, since nothing overlaps
        return HeldStates(
            weights_bytes=weights, adapters_bytes=adapters, moments_bytes=(moments + copy) * share, gradients_bytes=gradients,
            update_bytes=np.maximum(widened - gradients * (1.0 - share), 0.0), buckets_bytes=plan.trained_bytes * ZERO2_BUCKET)
    parameters = plan.sharding == "zero3"
    held = np.minimum(float(model.hidden) ** 2, trained) if parameters else ZERO2_BUCKET
    return HeldStates(
        weights_bytes=_sharded_weights(model, plan, weights, share) if parameters else weights,
        adapters_bytes=adapters * share if parameters else adapters, moments_bytes=(moments + copy) * share,
        gradients_bytes=gradients * share, update_bytes=widened, buckets_bytes=2.0 * plan.trained_bytes * held,
        checked_bytes=CHECKED_BYTES * part * float(parameters and plan.dtype == "fp16"),
    )


def host_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes of the host's memory that an offloaded job holds at least, over all its GPUs; broadcasts over rank.

    What its GPUs would hold together, but for the parameters that ZeRO-2 computes with; DeepSpeed's gradients are fp32 there.
    Of full training with Adam 16 bytes a parameter with ZeRO-2 and 18 with ZeRO-3, as DeepSpeed's own estimators count
    (estimate_zero2_model_states_mem_needs, estimate_zero3_...). They ask for half as much again for buffers: left out here.
    """
    whole = held_states(model, replace(plan, offload=False, gpus=max(plan.gpus, 2), accumulation=1), 1.0)
    parameters = whole.weights_bytes - _whole_scales(model, plan) + whole.adapters_bytes
    wide = 4.0 * trained_parameters(model, plan) if plan.sharding != "fsdp" else whole.gradients_bytes
    return (0.0 if plan.sharding == "zero2" else parameters) + whole.moments_bytes + wide


def layers_recomputed(plan: TrainingPlan) -> float:
    """Recomputed layers alive at once in backward."""
    two = plan.checkpointing and plan.adapter and plan.sharding == "fsdp" and plan.trainer != "plain"
    return FSDP_ADAPTER_LAYERS if two else 1.0


def has_collectives(plan: TrainingPlan) -> bool:
    """True where GPUs exchange tensors through NCCL; DeepSpeed sets it up on one GPU too."""
    return plan.gpus > 1 or plan.sharding != "none"


def flat_gradients(plan: TrainingPlan) -> bool:
    """True where FSDP's gradients are of whole flat parameters, frozen weights beside adapters included.

    Lightning's strategy wraps blocks with use_orig_params; where micro-steps accumulate under no_sync() each GPU keeps them
    unsharded (torch/distributed/fsdp/_flat_param.py, prepare_gradient_for_backward). peft's policy wraps adapters apart.
    """
    return plan.stack == "litgpt" and plan.sharding == "fsdp"


def gathered_tensors(model: ModelShape, plan: TrainingPlan) -> GatheredTensors:
    """Parameters gathered, and gradients not yet reduced, at four moments of a step, bytes.

    fsdp: the root unit stays gathered from the first forward to the end of backward (it is not resharded after forward); one
    whose embedding and head are units of their own has the last norm alone; in
    backward the layer in work and the prefetched one are gathered; a layer's gradients wait for their reduction beside the
    next one's. zero3: modules are gathered one by one, ahead by the prefetch bucket, and stay where they are used again
    within the reuse distance: the head and the last layers at the loss, a layer between recompute and backward; one GPU has
    them whole and gathers none (partition_parameters.py, NoGatherHandle).
    zero2: a layer's gradients wait until their bucket is full.
    """
    trained = trained_parameters(model, plan)
    if not plan.reduces_early:
        return GatheredTensors()
    b = DTYPE_BYTES[plan.dtype]
    unit = layer_unit_bytes(model, plan)
    adapters = trained / model.layers * plan.trained_bytes if plan.adapter else 0.0 * trained
    layer = unit + adapters
    waiting = adapters if plan.adapter and not flat_gradients(plan) else layer
    head, embedding = b * model.head_parameters, b * model.embedding_parameters
    summed = head + 0.0 * trained if model.tied and not plan.adapter else 0.0 * trained
    whole = plan.gpus < 2 and not plan.offload and plan.sharding == "zero3"
    if plan.sharding == "zero2" or whole:
        return GatheredTensors(layer_gradients_bytes=waiting, root_gradients_bytes=summed)
    if plan.sharding == "fsdp":
        root = root_unit_bytes(model, plan) + 0.0 * trained
        both = FSDP_LAYERS * layer
        kept = 0.0 * trained if plan.adapter else head + 0.0 * trained
        if ends_apart(model, plan):
            return GatheredTensors(loss_bytes=head, last_bytes=both, first_bytes=both, embedding_bytes=embedding,
                                   layer_gradients_bytes=FSDP_LAYERS * waiting)
        return GatheredTensors(
            loss_bytes=root, last_bytes=root + both, first_bytes=root + both, embedding_bytes=root,
            layer_gradients_bytes=FSDP_LAYERS * waiting, root_gradients_bytes=kept,
        )
    ahead = PREFETCH_SHARE * b * float(model.hidden) ** 2
    passes = 3.0 if plan.checkpointing else 2.0  # uses that count into the distance: forward, recompute, backward
    window = b * max(REUSE_PARAMETERS - 2.0 * model.head_parameters, 0.0) / passes
    reused = np.minimum(np.maximum(window, layer), layer * model.layers)
    return GatheredTensors(
        loss_bytes=head + reused, last_bytes=head + np.maximum(reused, layer + ahead), first_bytes=layer + ahead,
        embedding_bytes=embedding + 0.0 * trained, layer_gradients_bytes=waiting, root_gradients_bytes=summed,
    )


def layer_unit_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes of the largest decoder layer when gathered; NF4 is gathered packed, half a byte a weight."""
    b = DTYPE_BYTES[plan.dtype]
    parts = [[list(a.linears(model.hidden)) for a in model.attention], [list(k.linears(model.hidden)) for k in model.mlp]]
    total = 0.0
    for kinds in parts:
        total += max((sum(
            (0.5 if plan.quantised and adaptable(x, split=plan.split_experts) else b) * x.inputs * x.outputs * x.experts
            for x in linears
        ) for linears in kinds), default=0.0)  # a Mamba model has no MLP
    return total + b * model.norms_per_layer * model.hidden


def root_unit_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes of FSDP's root unit when gathered: embedding, head (once where tied), last norm, and what no layer holds.

    Without the ends that are units of their own.
    """
    ends = 0 if ends_apart(model, plan) else model.embedding_parameters + (0 if model.tied else model.head_parameters)
    extra = model.extra_parameters + sum(i * o for _, i, o in model.products) + model.positions * model.hidden + model.hidden
    return DTYPE_BYTES[plan.dtype] * (ends + extra)


def ends_apart(model: ModelShape, plan: TrainingPlan) -> bool:
    """True where embedding and head are FSDP units of their own; a tied weight has one place, the root."""
    return plan.ends_apart and not model.tied


def gathered_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes of all parameters as an all-gather moves them; NF4 packed, its scales stay."""
    b = DTYPE_BYTES[plan.dtype]
    packed = packed_parameters(model, plan) if plan.quantised else 0
    adapters = trained_parameters(model, plan) * plan.trained_bytes if plan.adapter else 0.0
    return 0.5 * packed + b * (model.parameters - packed) + adapters


@dataclass(frozen=True)
class LinkSpeed:
    """What a collective takes between the cards of a machine: its latency, and the bytes that a rank of the ring sends."""

    latency_s: Number
    bytes_per_s: Number


Links = Mapping[Collective, LinkSpeed]


def link_speeds(rates: Iterable[LinkRate]) -> Links:
    """Measured speeds by collective: the smallest message shows the latency, what the largest takes beyond it the bandwidth.

    Empty where not every collective was timed at two sizes, or a large message took no longer than a small one.
    """
    by_collective: dict[Collective, list[LinkRate]] = {}
    for rate in rates:
        by_collective.setdefault(rate.collective, []).append(rate)
    found: dict[Collective, LinkSpeed] = {}
    for collective, timed in by_collective.items():
        small, large = (pick(timed, key=lambda rate: rate.message_bytes) for pick in (min, max))
        beyond_s = large.typical_s - small.typical_s
        if beyond_s > 0.0:
            found[collective] = LinkSpeed(small.typical_s, (large.ring_bytes - small.ring_bytes) / beyond_s)
    return found if len(found) == len(get_args(Collective)) else {}


def datasheet_links(gpu: Gpu, reached: Number = 1.0) -> Links:
    """Collectives at this share of the datasheet's bandwidth, without latency."""
    speed = LinkSpeed(0.0, gpu.link_bytes_per_s * reached)
    return dict.fromkeys(get_args(Collective), speed)


def link_seconds(model: ModelShape, plan: TrainingPlan, links: Links, host: Number = 1.0) -> tuple[Number, Number]:
    """Seconds on the GPU-to-GPU link: of every micro-step, and of every optimizer step; `host`: share of HOST_BYTES_PER_S.

    A ring moves bytes x (N - 1) / N for an all-gather or a reduce-scatter, twice that for an all-reduce
    (arXiv 1910.02054, section 7). zero3 and fsdp gather all parameters in forward and again in backward (recompute uses
    the second) and scatter the gradients; zero2 scatters the gradients, and gathers what was updated once a step;
    replicas and zero1 all-reduce the gradients once a step. Root unit of fsdp: gathered once: it alone keeps what it gathered
    through forward (torch's fully_shard: reshard_after_forward is False for the root where it is not given; FSDP of before:
    _post_forward_reshard frees no root); embedding and head as units of their own are gathered for both ways, like layers.
    Each collective has its latency: DDP reduces in buckets of 25 MiB, FSDP takes a layer at a time, DeepSpeed scatters in
    buckets of hidden^2 numbers, and ZeRO-3 gathers at least a layer at a time.
    """
    trained = trained_parameters(model, plan)
    gradients = trained * plan.trained_bytes + plan.stream_bytes * end_parameters(model, plan)
    share = (plan.gpus - 1) / plan.gpus

    def takes(collective: Collective, nbytes: Number, calls: Number) -> Number:
        link = links[collective]
        rounds = 2.0 if collective == "all-reduce" else 1.0
        return calls * link.latency_s + rounds * share * nbytes / link.bytes_per_s

    scatters, copied = np.ceil(trained / float(model.hidden) ** 2), HOST_BYTES_PER_S * np.asarray(host)
    match plan.sharding:
        case "none":
            return 0.0 * trained, takes("all-reduce", gradients, np.ceil(gradients / DDP_BUCKET_BYTES))
        case "zero1":
            return 0.0 * trained, takes("all-reduce", gradients, scatters) + takes("all-gather", gradients, 1.0)
        case "zero2":
            # a GPU's part goes to the host, and what is updated comes back
            host = (gradients / plan.gpus / copied) if plan.offload else 0.0
            return takes("reduce-scatter", gradients, scatters) + host, takes("all-gather", gradients, 1.0) + host
        case "fsdp":
            twice = 2.0 * gathered_bytes(model, plan) - root_unit_bytes(model, plan)
            inner = model.layers + (2.0 if ends_apart(model, plan) else 0.0)
            units = model.layers if plan.adapter else inner + 1.0  # those with gradients; adapters leave ends and root without
            gathers = takes("all-gather", twice, 2.0 * inner + 1.0)
            if plan.offload:  # each gather begins with a copy of the shard, and ends with one of what it gives
                gathers = gathers + (twice + gradients) / plan.gpus / copied
            return gathers + takes("reduce-scatter", gradients, units), 0.0 * trained
        case "zero3":
            twice = 2.0 * gathered_bytes(model, plan)
            gathers = takes("all-gather", twice, 2.0 * model.layers)
            if plan.offload:
                gathers = gathers + (twice + gradients) / plan.gpus / copied
            return gathers + takes("reduce-scatter", gradients, scatters), 0.0 * trained
    raise ValueError(f"no communication for sharding {plan.sharding!r}")


def _sharded_weights(model: ModelShape, plan: TrainingPlan, weights: Number, share: Number) -> Number:
    """The part of the base weights on one GPU."""
    scales = _whole_scales(model, plan)
    return (weights - scales) * share + scales


def _whole_scales(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes of NF4's scales that every GPU holds whole: bitsandbytes' belong to no parameter.

    torchao's are part of torchtune's NF4Tensor, which FSDP splits with its scales (torchao/dtypes/nf4tensor.py).
    """
    if not plan.quantised or plan.stack == "torchtune":
        return 0.0
    return packed_parameters(model, plan) * (nf4_bytes_per_weight(double_quant=plan.double_quant) - 0.5)
