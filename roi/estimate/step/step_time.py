"""Time of one training micro-step on one GPU, and the hours of a run: a roofline in closed form.

A micro-step is forward, loss and backward of micro_batch x seq tokens. Each piece of its work (step/work.py and experts.py)
takes what bounds it, and the device does one after the other while the host launches the next:

    micro-step = (max(device, host) + idle) / overall efficiency + link
    device     = products + attention + element-wise passes + dequantisation + DoRA's norm + copies from the host
                 + launches that it waits for
    product    = the longest of FLOPs / matrix rate, bytes / bandwidth, the weight's bytes / bandwidth, the shortest kernel
    pass       = the longer of bytes / bandwidth (twice as fast inside the cache) and the shortest kernel
    host       = operators x launch time + ZeRO-3's hooks
    run        = micro-steps x micro-step + updates x (optimizer + synchronisation)

The efficiencies are shares of the datasheet's figures that come from profiles or published runs (`StepEfficiency`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from roi.estimate.step.experts import expert_operators, expert_passes, expert_products
from roi.estimate.step.optimizer_time import orthogonal_s, paging_s, update_s
from roi.estimate.step.rates import BACKWARD_ATTENTION, ELEMENT_BYTES, SMALLEST_TILE, TILE
from roi.estimate.step.tuner_work import (
    fetched_bytes,
    tuner_operators,
    tuner_work,
    unhidden_operators,
    update_operators,
)
from roi.estimate.step.work import (
    Pass,
    Product,
    decomposition_passes,
    partition_hooks,
    step_operators,
    step_passes,
    step_products,
    tokens_of,
    unlowered_dtype,
)
from roi.estimate.training.adapters import NF4_BLOCK, nf4_bytes_per_weight, packed_parameters
from roi.estimate.training.memory import is_hopper_or_newer
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.estimate.training.setting import read_setting
from roi.estimate.training.sharding import HOST_BYTES_PER_S, Links, LinkSpeed, datasheet_links, link_seconds
from roi.estimate.training.stacks import built_model
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number
from roi.facts.profiles import Collective
from roi.numerics.arrays import Array
from roi.units import SECONDS_PER_HOUR

MASKED_ATTENTION: Final = 2.0
"""Work of SDPA under a padding or packing mask over causal attention: the kernel that takes a mask skips no masked block."""
FLASH2_ON_HOPPER: Final = 0.35
"""Share of the datasheet's matrix rate that FlashAttention-2 reaches on Hopper, whose tensor cores want instructions that it
does not issue (arXiv 2407.08608, FlashAttention-3: 35% on H100)."""
FLASH1_OF_FLASH2: Final = 0.5
"""Speed of FlashAttention before version 2, and of Triton's kernel of that time, over version 2's (arXiv 2307.08691: version
2 is around twice as fast; 25 to 40% of an A100's peak against 50 to 73%)."""
EAGER_SCORE_BYTES: Final = 50.0
"""Bytes per score of eager attention, forward and backward: product, mask, softmax in fp32 and casts (22), the same again
with gradients (28)."""
MATH_FORWARD_BYTES: Final = 30.0
"""Bytes per score of SDPA's math path, one forward in fp32: the mask added (8), softmax (8), and the look for rows without any
key (aten's _safe_softmax: compare 5, reduce 1, choose 8). The products' own reads and writes are hidden behind their
arithmetic."""
MATH_BACKWARD_BYTES: Final = 24.0
"""Bytes per score of its backward: gradient times softmax (12), and softmax's own kernel (12)."""
GPTQ_BYTES: Final = 20.5
"""Bytes moved to unpack one GPTQ weight by torch's operators: read (0.5), shifted as int32 (4), made int8 (5), masked (2), zero
points taken off (2), scaled to 16 bits (3), laid out again (4) (auto_gptq/nn_modules/qlinear/qlinear_cuda.py, forward)."""
ZERO3_HOOK_S: Final = 2e-4
"""Host time of DeepSpeed's hooks at one module with parameters, once: what ZeRO-3 does there in Python is to look for the
parameters in its trace, wait for their gather, start the next ones and mark what may go
(runtime/zero/partitioned_param_coordinator.py, fetch_sub_module and release_sub_module). Of three rows of the Qwen README
(1.8B in full at 256 to 1,024 tokens on one GPU, where nothing is sent): 0.26 s a micro-step, three passes over 218 modules,
and 0.09 s without the hooks. Judged on the rows of 7B and 72B on two and four GPUs."""
FP32_SHARE: Final = 0.75
"""Most of the fp32 rate outside tensor cores that products reach (cuBLAS on an RTX A6000: 23 of 30 TFLOP/s at its clock,
siboehm.com/articles/22/CUDA-MMM); torch leaves TF32 off."""
TILE_S: Final = 6e-7
"""Time of a wave of tiles in which nothing is multiplied: its first operands come from memory, its result goes there. By this
narrow models fall behind wide ones: of an H100's tile 7% at 1,536 deep, 1% at 8,192. From XLA's table of measured bf16
products (xla/service/gpu/model/matmul_interpolator_data.h, H100): five of 8 to 31 waves and 1,024 or 2,048 deep take 0.5 to
0.75 us a wave more than at the best rate, half a wave and a launch of 3 us counted. A latency: alike at like clocks."""
CACHED_SHARE: Final = 0.25
"""Share of the last-level cache that the bytes of one pass may fill and still be met there: A100 and H100 keep two copies of
a line, one in each half, and saved activations and weights pass through between two passes."""
CACHE_GAIN: Final = 2.0
"""Speed of passes in the cache over memory: what they read is there, what they write goes to memory, half of the bytes."""


@dataclass(frozen=True)
class StepEfficiency:
    """Shares of the datasheet's rates that a step reaches, and times that it pays besides.

    Values come from a profile or from the catalog's efficiencies, never from here; each broadcasts.
    """

    matrix: Number
    """Share of the datasheet's matrix rate that the best large product reaches, where `matrix_of` does not name the card."""
    bandwidth: Number
    """Share of the datasheet's memory bandwidth that element-wise passes reach."""
    launch_s: Number
    """Host time of one operator, s."""
    overall: Number = 1.0
    """Roofline time over measured time: what is left after the others."""
    attention: Number = 1.0
    """Share of the matrix rate of large products that fused attention reaches."""
    kernel_s: Number = 0.0
    """Shortest time of one kernel on the device, s."""
    idle_s: Number = 0.0
    """Once a micro-step: host and device wait for each other (batch made and sent, loss read, launches queue up again), s."""
    multiprocessors: Number = 0.0
    """Units that a product's tiles fill; 0: products of any shape reach the best rate."""
    links: Mapping[Collective, LinkSpeed] = field(default_factory=dict)
    """Measured collectives between the plan's cards; empty: the datasheet's link at the share of `bandwidth`."""
    matrix_of: Mapping[str, float] = field(default_factory=dict)
    """The share of single cards, by their name in the catalog: power limits and clocks set it, from 0.5 to 1.1."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one micro-step (forward, loss, backward) and of one optimizer step on one GPU; parts may overlap."""

    products_s: Number
    """Matrix products and attention."""
    passes_s: Number
    """Element-wise passes: norms, rotary, activation, adapters' casts, loss."""
    dequantisation_s: Number
    """NF4 to 16 bits, or in backward int8 to the stream's type, and reading the result again."""
    host_s: Number
    """Operator launches; they hide behind the device where it is slower."""
    optimizer_s: Number
    """One optimizer step."""
    synchronisation_s: Number
    """All-reduce of the replicas' gradients, or ZeRO-2's gather of what was updated, once an optimizer step."""
    link_s: Number
    """Gathers of sharded parameters and scatters of gradients in one micro-step."""
    micro_step_s: Number
    """(max(device, host) + idle) / overall efficiency + link."""
    flops: Number
    """Arithmetic of one micro-step, recompute included."""
    tokens: Number
    """Tokens of one micro-step."""


@dataclass(frozen=True)
class StepWork:
    """What a plan's micro-step does on any card; routed experts' part follows the card."""

    run: ModelShape
    """The model as it is built, layer by layer."""
    products: tuple[Product, ...]
    passes: tuple[Pass, ...]
    merged: tuple[Pass, ...]
    """Passes over weights that a decomposition makes."""
    operators: Number
    """Launches."""
    fetched_bytes: Number = 0.0
    """Bytes that come from the host."""
    unhidden: Number = 0.0
    """Launches that the device waits for."""
    updates: Number = 0.0
    """Host time of an optimizer step, in operators, beyond what is in the fit."""


def step_work(model: ModelShape, plan: TrainingPlan) -> StepWork:
    """The work that `step_time` times; where many cards are timed, they share it."""
    run = (model if plan.stack == "litgpt" and plan.method != "llamapro" else built_model(model, plan)).unrolled
    products, passes = tuner_work(run, plan)
    return StepWork(run=run, products=(*step_products(run, plan), *products), passes=(*step_passes(run, plan), *passes),
                    merged=tuple(decomposition_passes(run, plan)), fetched_bytes=fetched_bytes(run, plan),
                    unhidden=unhidden_operators(run, plan), updates=update_operators(run, plan),
                    operators=step_operators(run, plan) + tuner_operators(run, plan, products, passes))


def step_time(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency, work: StepWork | None = None,
    host_rates: Number = 1.0,
) -> StepTime:
    """Time of one micro-step of micro_batch x seq tokens; every numeric field broadcasts. `work` is that of model and plan.

    `host_rates` is the share of the assumed rates of the host's memory and of its link to each card (training/sharding).

    products: 2 FLOPs a weight and token forward; backward 2x for full training, 1x for a frozen base (the gradient of
    its input alone); the stack once more with checkpointing. Adapters: 1 forward, 2 backward, in fp32 as peft holds
    them (under autocast in dtype). Causal attention sees half of the sequence on average; its backward is 2.5x its forward.
    link: added, not hidden. On two RTX 4090 full sharding took 0.52 s more a micro-step than replicas, which is what its
    gathers need at the datasheet's PCIe (Llama-2-7B LoRA, fsdp_qlora's benchmarks): collectives run on the same
    multiprocessors and memory as the products.
    Not modelled: fused adapters and residuals, logging, evaluation, padding waste.
    """
    tokens = tokens_of(plan)
    zero = 0.0 * tokens
    work = work or step_work(model, plan)
    run, all_products = work.run, [*work.products, *expert_products(work.run, plan, gpu)]
    products = _products_s(all_products, gpu, efficiency) + zero
    attention_flops, attention = _attention(run, plan, gpu, efficiency, tokens)
    elementwise = _passes_s([*work.passes, *expert_passes(run, plan)], gpu, efficiency) + zero
    merged = _passes_s(work.merged, gpu, efficiency) + zero
    bandwidth = gpu.bandwidth_bytes_per_s * efficiency.bandwidth
    rounds = 3.0 if plan.checkpointing else 2.0
    dequantised = _dequantised_bytes(run, plan) * (1.0 if plan.int8 else rounds) / bandwidth + zero
    operators = work.operators + expert_operators(run, plan, gpu)
    host = operators * efficiency.launch_s + partition_hooks(run, plan) * ZERO3_HOOK_S + zero
    fetched = work.fetched_bytes / (HOST_BYTES_PER_S * np.asarray(host_rates))
    device = products + attention + elementwise + merged + dequantised + fetched + work.unhidden * efficiency.launch_s
    optimizer = update_s(model, plan, bandwidth) / (host_rates if plan.offload else efficiency.overall)
    optimizer = optimizer + work.updates * efficiency.launch_s / efficiency.overall
    turned = orthogonal_s(model, plan, _matrix_rate(gpu, efficiency, "bf16")) / efficiency.overall
    each_micro_step, each_step = link_seconds(model, plan, links_of(plan, gpu, efficiency), host_rates)
    link = each_micro_step + zero
    return StepTime(
        products_s=products + attention, passes_s=elementwise, dequantisation_s=dequantised, host_s=host,
        optimizer_s=optimizer + turned + paging_s(model, plan, gpu) / host_rates, synchronisation_s=each_step, link_s=link,
        micro_step_s=(np.maximum(device, host) + efficiency.idle_s) / efficiency.overall + link,
        flops=sum((p.flops for p in all_products), start=zero) + attention_flops, tokens=tokens,
    )


def links_of(plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency) -> Links:
    """Collectives between the plan's cards: as measured, else the datasheet's link at the share of `bandwidth`."""
    measured = efficiency.links if plan.gpus > 1 else {}
    return measured or datasheet_links(gpu, efficiency.bandwidth)


def training_hours(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency, examples: Number,
    tokens_per_example: Number, epochs: Number,
) -> Number:
    """Wall-clock hours of a run over `examples` of `tokens_per_example` tokens on average; broadcasts.

    A micro-step is timed at the mean length, capped by plan.seq (longer ones are cut); plan.seq sets the memory.
    micro-steps = ceil(examples / (micro_batch x gpus)) x epochs; the last one of an epoch may be partly empty.
    Ignored: padding of a batch to its longest member (none at micro-batch 1 or sorted lengths, up to the ratio of longest
    to mean otherwise), loading, evaluation and checkpoints: minutes, billed as set-up elsewhere.
    """
    mean = np.minimum(np.asarray(tokens_per_example, dtype=float), plan.seq)
    return hours_of(step_time(model, replace(plan, seq=mean), gpu, efficiency), plan, examples, epochs)


def hours_of(step: StepTime, plan: TrainingPlan, examples: Number, epochs: Number) -> Number:
    """The hours of `training_hours`, of steps that are timed at the examples' mean length."""
    share = np.asarray(plan.micro_batch, dtype=float) * plan.gpus
    micro_steps = np.ceil(np.asarray(examples, dtype=float) / share) * epochs
    updates = np.ceil(micro_steps / plan.accumulation)
    seconds = micro_steps * step.micro_step_s + updates * (step.optimizer_s + step.synchronisation_s)
    hours: Number = seconds / SECONDS_PER_HOUR
    return hours


def _matrix_rate(gpu: Gpu, efficiency: StepEfficiency, dtype: str) -> Number:
    """FLOP/s of the best large product."""
    share = efficiency.matrix_of.get(gpu.id, efficiency.matrix)
    if dtype == "fp32":
        share = np.where(np.asarray(efficiency.multiprocessors) > 0.0, np.minimum(share, FP32_SHARE), share)
    return gpu.matrix_flops(dtype) * share


def _products_s(work: Sequence[Product], gpu: Gpu, efficiency: StepEfficiency) -> Number:
    """Seconds of all calls and rounds of all products.

    A product of t tiles of 128 x 128 on n multiprocessors takes ceil(t / n) waves, t / n + 1/2 on average, so its
    arithmetic takes 1 + n / (2 t) times as long as at the best rate, and TILE_S a wave; sides below a tile still fill one.
    """
    rates = {dtype: _matrix_rate(gpu, efficiency, dtype) for dtype in {p.dtype for p in work}}
    m, n, k, times, groups, weight_bytes, each, rate = _side_by_side(
        efficiency, [p.m for p in work], [p.n for p in work], [p.k for p in work], [p.calls * p.rounds for p in work],
        [p.groups for p in work], [p.weight_bytes for p in work], [ELEMENT_BYTES[p.dtype] for p in work],
        [rates[p.dtype] for p in work])
    units = np.asarray(efficiency.multiprocessors, dtype=float)
    least = np.where(units > 0.0, float(SMALLEST_TILE), 0.0)
    tiles = groups * np.maximum(m / TILE, 1.0) * np.maximum(n / TILE, 1.0)
    padded = 2.0 * groups * np.maximum(m, least) * np.maximum(n, least) * k
    waves = np.where(units > 0.0, tiles / np.maximum(units, 1.0) + 0.5, 0.0)
    arithmetic = padded / rate * (1.0 + units / (2.0 * tiles)) + waves * TILE_S
    moved = _bytes_s(each * groups * (m * k + k * n + m * n), gpu, efficiency)
    weight = weight_bytes / (gpu.bandwidth_bytes_per_s * efficiency.bandwidth)
    longest = np.maximum(np.maximum(arithmetic, moved), np.maximum(weight, efficiency.kernel_s))
    return _in_turn(times * longest)


def _side_by_side(efficiency: StepEfficiency, *columns: Sequence[Number]) -> list[Array]:
    """Each column as one array, its pieces along a first axis; the axes behind it broadcast, with the efficiencies' too."""
    made: list[Array] = []
    for column in columns:
        try:
            made.append(np.array(column, dtype=float))
        except ValueError:  # numbers beside arrays
            made.append(np.stack(np.broadcast_arrays(*column)).astype(float))
    shares = (efficiency.matrix, efficiency.bandwidth, efficiency.kernel_s, efficiency.multiprocessors)
    rank = max(*(a.ndim for a in made), *(1 + np.ndim(share) for share in shares))
    return [a.reshape(len(a), *(1,) * (rank - a.ndim), *a.shape[1:]) for a in made]


def _attention(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency, tokens: Number,
) -> tuple[Number, Number]:
    """FLOPs of token mixing that count as work, and its seconds; fp32 after k-bit preparation unless autocast casts it."""
    seq = np.asarray(plan.seq, dtype=float)
    forwards = 2.0 if plan.checkpointing and plan.checkpoints != "selective" else 1.0
    flops = model.attention_flops(seq / 2.0) * tokens * (forwards + BACKWARD_ATTENTION)
    bandwidth = gpu.bandwidth_bytes_per_s * efficiency.bandwidth
    rate = _matrix_rate(gpu, efficiency, unlowered_dtype(plan))
    setting = read_setting(model, plan, gpu)
    mixing = [a for a in model.attention if a.kind != "linear"]
    heads = float(sum(a.layers * a.heads for a in mixing))
    # eager attention and SDPA's math path compute every score and write it to memory
    unskipped = 2.0 * flops * (forwards + 2.0) / (forwards + BACKWARD_ATTENTION)
    if setting.eager:
        passes = EAGER_SCORE_BYTES + 22.0 * (forwards - 1.0)
        return flops, unskipped / rate + heads * tokens * seq * passes / bandwidth
    masked = (setting.padded > 0.0) & plan.sdpa
    reached = efficiency.attention * rate
    if is_hopper_or_newer(gpu) and plan.attention not in ("flash3", "sdpa-cudnn"):
        reached = np.minimum(reached, FLASH2_ON_HOPPER * gpu.matrix_flops(plan.dtype))
    if plan.attention == "flash1":
        reached = reached * FLASH1_OF_FLASH2
    fused = flops * np.where(masked, MASKED_ATTENTION, 1.0) / reached
    scored: Number = sum((a.layers * a.heads * setting.scored(a) for a in mixing), start=np.float64(0.0))
    if not np.any(scored):
        return flops, fused
    passes = MATH_FORWARD_BYTES * forwards + MATH_BACKWARD_BYTES
    math = unskipped * scored / heads / rate + scored * tokens * seq * passes / bandwidth
    return flops, fused * (1.0 - scored / heads) + math


def _passes_s(passes: Iterable[Pass], gpu: Gpu, efficiency: StepEfficiency) -> Number:
    """Seconds of all calls of all passes."""
    work = list(passes)
    calls, bytes_each = _side_by_side(efficiency, [p.calls for p in work], [p.bytes_each for p in work])
    return _in_turn(calls * np.maximum(_bytes_s(bytes_each, gpu, efficiency), efficiency.kernel_s))


def _in_turn(pieces: Array) -> Number:
    """The sum over the first axis, one piece added to the other: the same to the last bit for one plan and for many."""
    total: Number = np.add.accumulate(pieces, axis=0)[-1] if len(pieces) else np.zeros(pieces.shape[1:])
    return total


def _bytes_s(nbytes: Number, gpu: Gpu, efficiency: StepEfficiency) -> Number:
    """Seconds to read and write `nbytes` in one pass.

    At CACHE_GAIN times the bandwidth up to CACHED_SHARE of the cache, at the bandwidth from four times that on, between
    them on a line in logarithms.
    """
    size = np.maximum(np.asarray(nbytes, dtype=float), 1.0)
    kept = gpu.l2_bytes * CACHED_SHARE
    gain = np.interp(np.log(size), [np.log(kept), np.log(4.0 * kept)], [np.log(CACHE_GAIN), 0.0])
    seconds: Number = np.asarray(nbytes, dtype=float) / (gpu.bandwidth_bytes_per_s * efficiency.bandwidth * np.exp(gain))
    return seconds


def _dequantised_bytes(model: ModelShape, plan: TrainingPlan) -> float:
    """Bytes moved to dequantise every weight once (reading the result is the product's).

    Int8: read (1), written in the stream's type w, read and written once more to scale it: 1 + 3 w.
    """
    if plan.gptq:
        return GPTQ_BYTES * packed_parameters(model, plan)
    if plan.int8:
        return (1.0 + 3.0 * plan.stream_bytes) * packed_parameters(model, plan)
    if not plan.quantised:
        return 0.0
    each = nf4_bytes_per_weight(double_quant=plan.double_quant) + DTYPE_BYTES[plan.dtype] + (8.0 / NF4_BLOCK)
    return each * packed_parameters(model, plan)
