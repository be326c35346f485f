"""The time of one engine step: a + b x sequences + c x KV bytes read + d x prefill tokens.

An engine that batches continuously repeats one step: each decoding sequence gets one token, and prompt tokens that wait are
computed beside them. What a step costs follows from what it must read and compute (`Iteration`). A mixture also reads the
experts that its tokens touch, more of them in larger batches. The coefficients come from a roofline with fitted efficiencies
(`roofline_iteration`) or from a profile of the user's own server (serving/step_fit); everything that uses them sees an
`Iteration` and does not know which.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

import numpy as np

from roi.errors import UnknownName
from roi.estimate.serving.efficiencies import Efficiencies
from roi.estimate.serving.routing import Routing, expert_share
from roi.estimate.serving.weight_formats import SIXTEEN_BIT, step_read_bytes, weight_format
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number
from roi.numerics.spreads import expected_maximum

T = TypeVar("T", Gpu, str)

KV_BYTES: Final = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
"""Bytes of one KV cache element by format."""
ALL_REDUCES_PER_LAYER: Final = 2
"""Tensor parallelism sums partial results after attention and after the MLP (Megatron)."""
EXCHANGES_PER_LAYER: Final = 1
"""Exchanges of a layer with attention data parallel: tokens are gathered before experts and outputs scattered after, the bytes
of one all-reduce."""
EIGHT_BIT: Final = ("fp8", "int8")
"""Formats whose inputs are quantised too, or that are unpacked by kernels of their own, outside the product."""
HEADS: Final = ("full", "sliding")
"""Kinds of attention whose norms, where they have any, are of queries and keys."""
MMA_ROWS: Final = 16.0
"""Rows that mma.sync multiplies at a time (m16n8k16), where wgmma multiplies 64: of weights in 4 bits, or in fp8 without its
units, kernels take no more (Marlin, AWQ). On cards without warp groups libraries have tiles of so few too (cuBLAS's
cutlass_80_wmma), for products that more rows would make longer than reading. Were it the most on all of these, also where
reading is the longer, A100s' rows would be further off: fitted so, 9.28 and not 9.03% with the card left out (n = 1,426)."""
FULL_ROWS: Final = 256.0
"""Rows of a dense product from which each further one takes what a prompt's does: they fill the largest tiles of kernels (128
rows, 256 of two SMs on Blackwell), and products then take longer than reading."""
FEW_ROWS_IN_FP8: Final = 2.0 / 3.0
"""Time that products with a few sequences take in fp8, over 16 bits at their own rate: cuBLAS multiplies few rows by mma.sync,
which reaches two thirds of wgmma's rate (`Gpu.warp_groups`), DeepGEMM's kernels of fp8 blocks by wgmma."""
TILE_ROWS: Final = 128.0
"""Rows of queries that FlashAttention-3 multiplies at a time (tile_size_fwd_sm90, heads of 128), those of one KV head put
together and padded: where each has one token, all but its query heads are padding. 128 FLOPs a byte in 16 bits; in fp8 256, at
twice the rate, since queries are cast to the cache's format (SGLang's flashattention_backend)."""
TILED_GROUP: Final = 4.0
"""Query heads of a KV head from which decode attention is computed by such tiles; CUDA cores do fewer (FlashInfer's
should_use_tensor_core). Measured in SGLang 0.4.6 on an H20: 2 heads read the cache at 2.4e12 bytes/s, 4 and 8 at 1.0e12."""
ACTIVATION_PASSES: Final = 12.0
"""Times that a hidden vector is read or written in a layer, whole on every GPU of a tensor-parallel group: two norms read
it and the residual and write both, the products before attention and MLP read it, those after write it."""
EXPERT_LAUNCHES_S: Final = 5e-6
"""Seconds of a step for each expert that a GPU has, or a slice of, where experts in 4 bits have kernels apart: two, each some
2.5 us in a graph even where no token is the expert's (Marlin's of 2024). Qwen3-30B-A3B on an H20 shows 4.1 of it (48 x 128
experts, 32.0 ms a token in 4 bits, 7.3 ms in 16); what such kernels lack in prompts is left out."""
COUNTS: Final = ("expert_share", "request_steps", "overlap", "least_rows", "full_rows", "adapters", "known_adapters")
"""Fields of an iteration that are no seconds."""


@dataclass(frozen=True)
class Iteration:
    """Coefficients of one engine step, in seconds; each broadcasts."""

    step_s: Number
    """a: a step however small: overhead, dense weights read once, all-reduce latency."""
    sequence_s: Number
    """b: each decoding sequence: 2 FLOPs a parameter, per-sequence overhead, all-reduce bytes."""
    kv_byte_s: Number
    """c: each byte of KV cache that one GPU reads."""
    prefill_token_s: Number
    """d: each prompt token that is computed: 2 FLOPs a parameter, attention over the tokens before it, all-reduce bytes."""
    experts_s: Number = 0.0
    """Mixture of experts: seconds of reading every expert once."""
    expert_share: float = 0.0
    """Mixture of experts: share of the experts that one token passes through."""
    request_s: Number = 0.0
    """Seconds before a request's first token outside the steps: no step is longer for it."""
    request_steps: Number = 1.5
    """Steps from a request's arrival to its first token, besides its prefill."""
    overlap: Number = 0.0
    """Share of the shorter of reading and multiplying that the longer hides."""
    read_s: Number = 0.0
    """Part of step_s: reading dense weights."""
    product_s: Number = 0.0
    """Part of sequence_s: matrix products."""
    host_s: Number = 0.0
    """Host time of a step; it takes no less, for the device then waits."""
    host_sequence_s: Number = 0.0
    """Host time that each decoding sequence adds to a step."""
    host_prompt_s: Number = 0.0
    """Host time that prompts in a step, however many, add to it."""
    row_s: Number = 0.0
    """Part of product_s: products with dense matrices."""
    least_rows: Number = 1.0
    """Rows that products with dense matrices take as long as, however few the sequences are."""
    saved_row_s: Number = 0.0
    """Part of row_s that a row saves beyond the first `full_rows`."""
    full_rows: Number = np.inf
    """Rows from which products are as fast as a prompt's."""
    head_s: Number = 0.0
    """Part of step_s: reading the head, which is on the last GPU alone where layers are spread over several."""
    head_sequence_s: Number = 0.0
    """Of sequence_s, its products."""
    adapter_s: Number = 0.0
    """Reading one of the adapters that are applied at run time, but for experts' adapters."""
    adapter_experts_s: Number = 0.0
    """Reading those of one."""
    adapters: Number = 1.0
    """How many there are, all asked alike."""
    known_adapters: Number = 0.0
    """How many the other coefficients were measured with, which have the reading of as many in them."""

    def touched(self, sequences: Number) -> Number:
        """Share of the experts that a step of `sequences` tokens reads (serving/routing)."""
        rate, power = Routing.of(self.expert_share)
        return 1.0 - (1.0 + rate * np.asarray(sequences, dtype=float)) ** -power

    def floor_s(self, sequences: Number) -> Number:
        """Seconds that the host needs for a step that decodes `sequences` sequences."""
        return self.host_s + self.host_sequence_s * np.asarray(sequences, dtype=float)

    def device_s(self, sequences: Number, kv_bytes: Number) -> Number:
        """Seconds that the device needs for that step; the sequences' KV cache is `kv_bytes` in all on each GPU."""
        return self.terms_s(sequences, kv_bytes) + self.padding_s(sequences) - self.hidden_s(sequences, 0.0)

    def terms_s(self, sequences: Number, kv_bytes: Number) -> Number:
        """The sum of the step's terms, with nothing hidden or padded."""
        n = np.asarray(sequences, dtype=float)
        different = differing(self.adapters, n)
        adapter_s = self.adapter_s + self.adapter_experts_s * self.touched(n / np.maximum(different, 1.0))
        return (self.step_s + self.experts_s * self.touched(n) + self.sequence_s * n + self.kv_byte_s * kv_bytes
                + adapter_s * (different - differing(self.known_adapters, n)))

    def padding_s(self, sequences: Number) -> Number:
        """Seconds that multiplying rows without a sequence adds to a step that decodes some, less what reading hides of them.

        Below zero where the sequences are so many that products are as fast as a prompt's.
        Steps with prompts are counted so too, although their rows are no padding: at most a hundredth of such a step.
        """
        n = np.asarray(sequences, dtype=float)
        more = self.row_s * np.maximum(self.least_rows - n, 0.0) * (n > 0.0)
        more = more - self.saved_row_s * np.maximum(n - self.full_rows, 0.0)
        read, own = self.read_s + self.experts_s * self.touched(n), self.product_s * n
        return more - self.overlap * (np.minimum(read, own + more) - np.minimum(read, own))

    def hidden_s(self, sequences: Number, prompt_tokens: Number) -> Number:
        """Seconds of the step in which weights are read while products of others run."""
        read = self.read_s + self.experts_s * self.touched(np.add(sequences, prompt_tokens))
        return self.overlap * np.minimum(read, self.product_s * sequences + self.prefill_token_s * prompt_tokens)

    def decode_s(self, sequences: Number, kv_bytes: Number) -> Number:
        """Seconds of a step that decodes `sequences` sequences and computes no prompt: of device and host, the slower."""
        return np.maximum(self.device_s(sequences, kv_bytes), self.floor_s(sequences))

    def prompts_s(self, prompt_tokens: Number) -> Number:
        """Seconds of a step that computes so many prompt tokens and decodes nobody."""
        return self._prompt_terms_s(prompt_tokens) + self._prompt_apart_s(prompt_tokens)

    def _prompt_terms_s(self, tokens: Number) -> Number:
        return self.step_s + self.experts_s * self.touched(tokens) + self.prefill_token_s * tokens

    def _prompt_apart_s(self, tokens: Number) -> Number:
        terms = self._prompt_terms_s(tokens)
        return np.maximum(terms - self.hidden_s(0.0, tokens), self.host_s + self.host_prompt_s) - terms

    def apart_s(
        self, steps: Number, with_prompts: Number, sequences: Number, kv_bytes: Number, prompt_tokens: Number, *,
        alone: bool = False,
    ) -> Number:
        """Seconds by which `steps` steps differ from the sum of their terms: waits for the host, less reading that is hidden.

        `with_prompts` of them share `prompt_tokens`; all, or where prompts are `alone` all the others, decode `sequences`
        sequences with `kv_bytes` of KV cache: means of the steps that a request has a part in.
        """
        each = prompt_tokens / np.maximum(with_prompts, 1e-9)
        if alone:
            return (self.apart_s(steps - with_prompts, 0.0, sequences, kv_bytes, 0.0)
                    + with_prompts * self._prompt_apart_s(each))
        terms = self.terms_s(sequences, kv_bytes)
        mixed, floor, padding = terms + self.prefill_token_s * each, self.floor_s(sequences), self.padding_s(sequences)
        plain_s = np.maximum(terms + padding - self.hidden_s(sequences, 0.0), floor) - terms
        mixed_s = np.maximum(mixed + padding - self.hidden_s(sequences, each), floor + self.host_prompt_s) - mixed
        return with_prompts * mixed_s + (steps - with_prompts) * plain_s

    def at_speed(self, speed: Number) -> "Iteration":
        """The engine at `speed` times its speed: every coefficient in seconds is divided by it."""
        return replace(self, **{f.name: getattr(self, f.name) / speed for f in fields(self) if f.name not in COUNTS})


def differing(adapters: Number, sequences: Number) -> Number:
    """How many of so many adapters, asked alike, the sequences of a step have on average."""
    others: Number = (1.0 - 1.0 / np.maximum(adapters, 1.0)) ** sequences
    return adapters * (1.0 - others)


def kv_element_bytes(name: str) -> float:
    """Bytes of one KV cache element in the format called `name`; an unknown name is an error."""
    if name not in KV_BYTES:
        raise UnknownName("kv_dtype", name, KV_BYTES, "KV cache format")
    return KV_BYTES[name]


def kv_bytes_per_gpu(
    shape: ModelShape, tokens: Number, tensor_parallel: Number, element_bytes: Number = SIXTEEN_BIT, *,
    attention_parallel: bool = False,
) -> Number:
    """Bytes of KV cache that a sequence of `tokens` tokens holds on each GPU; broadcasts.

    Engines split heads over GPUs and copy them where there are fewer heads than GPUs; MLA's one vector is on every GPU. With
    attention data parallel a sequence is on one GPU alone: an even share of it on each.
    """
    total: Number = 0.0
    for a in shape.attention:
        own = 1 if a.kind == "latent" else a.heads if a.kind == "linear" else a.kv_heads
        heads = np.inf if attention_parallel else float(own)
        total = total + a.cache_elements(tokens) / np.minimum(tensor_parallel, heads)
    return total * element_bytes


def query_group(shape: ModelShape) -> float:
    """Query heads that share a KV head, weighted by what each kind of layer caches.

    Latent attention counts as 1: its kernels read the compressed vector once for all heads. Linear attention keeps no cache.
    """
    cached = [(a, float(a.cache_elements(1.0))) for a in shape.attention if a.kind != "linear"]
    read = sum(elements * (1.0 if a.kind == "latent" else a.heads / a.kv_heads) for a, elements in cached)
    return read / sum(elements for _, elements in cached) if read else 1.0


def per_plan(fact: T | Sequence[T], figure: Callable[[T], Number]) -> Number:
    """`figure` of one GPU or one format's name, or an array of it with one element a plan."""
    return figure(fact) if isinstance(fact, (Gpu, str)) else np.array([figure(one) for one in fact])


def per_pair(gpu: Gpu | Sequence[Gpu], weight_dtype: str | Sequence[str], figure: Callable[[Gpu, str], float]) -> Number:
    """`figure` of a card and a format's name, or an array of it with one element a plan."""
    if isinstance(gpu, Gpu):
        return per_plan(weight_dtype, lambda name: figure(gpu, name))
    if isinstance(weight_dtype, str):
        return per_plan(gpu, lambda card: figure(card, weight_dtype))
    return np.array([figure(card, name) for card, name in zip(gpu, weight_dtype, strict=True)])


def matrix_rate(gpu: Gpu | Sequence[Gpu], weight_dtype: str | Sequence[str], efficiencies: Efficiencies) -> Number:
    """Matrix rate of each plan, FLOP/s, in the format that its weights compute in, narrow ones at what they reach of it."""
    peak, *narrow = (per_pair(gpu, weight_dtype, lambda g, w, k=k: _peak(g, w)[k]) for k in range(4))  # type: ignore[misc]
    longer = (efficiencies.fp8_products, efficiencies.fp4_products, efficiencies.packed_products)
    return peak / (1.0 + sum(here * (each - 1.0) for here, each in zip(narrow, longer, strict=True)))


def _peak(gpu: Gpu, weight_dtype: str) -> tuple[float, float, float, float]:
    """The card's matrix rate for products of this format, and 1.0 where they are fp8, fp4, unpacked at a product's cost.

    That is where the rate takes warp groups, and where the units that unpack are those that multiply (Apple's).
    """
    dtype = weight_format(weight_dtype).rate_on(gpu)
    if dtype == "half":  # accumulated in 16 bits, for which no card takes longer than twice what int8 takes
        slow = gpu.apple and weight_format(weight_dtype).unpacked
        return max((gpu.int8_ops or 0.0) / 2.0, gpu.matrix_flops("fp16")), 0.0, 0.0, float(slow)
    dtype = "fp8" if dtype == "fp4" and gpu.fp4_flops is None else dtype
    dtype = "bf16" if dtype == "fp8" and gpu.fp8_flops is None else dtype
    slow = gpu.warp_groups and weight_format(weight_dtype).unpacked_on(gpu)
    return gpu.matrix_flops(dtype), float(dtype == "fp8"), float(dtype == "fp4"), float(slow)


def roofline_iteration(
    shape: ModelShape, gpu: Gpu | Sequence[Gpu], tensor_parallel: Number, weight_dtype: str | Sequence[str],
    prefill_context: Number, efficiencies: Efficiencies, *, attention_parallel: bool = False, experts_apart: bool = False,
    wgmma: bool = False,
) -> Iteration:
    """Coefficients of an engine step from the roofline and its efficiencies.

    `gpu` and `weight_dtype` are one value or one a plan, `tensor_parallel` a number or an array of plans;
    `prefill_context` is the mean number of tokens before a computed prompt token (cached prefix + half the rest).
    `attention_parallel`: attention on every GPU for its own sequences, experts spread over all (a mixture of experts).
    `experts_apart`: experts in 4 bits have kernels of their own; `wgmma`: it has tiles of warp groups (`EngineHabits`).

        a = overhead + layers x layer overhead + weights / (bandwidth x MBU x tp) + [tp > 1] 2 x layers x latency
        b = 2 x active parameters / (rate x MFU x tp) + overhead of a sequence + all-reduce bytes + activations
        c = (1 + reread x (query heads per KV head - 1)) / (bandwidth x MBU of KV), or as long as tiles multiply
        d = (2 x active without head + attention) / (rate x MFU of prefill x tp) + all-reduce bytes + activations

    A step multiplies `least_rows` rows at least; of mma.sync's no more than while its weights are read, or MMA_ROWS. Terms add,
    but for the share of the shorter of reading weights and multiplying by them that the longer hides, and a step is no shorter
    than the host's (`Iteration`). Nothing is faster than the roofline.
    Ignored: speculative decoding. Layers on one GPU after the other are a matter of the load (`ReplicaPlan.stages`).
    """
    e, tp = efficiencies, np.asarray(tensor_parallel, dtype=float)
    bandwidth, link = per_plan(gpu, lambda g: g.bandwidth_bytes_per_s), per_plan(gpu, lambda g: g.link_bytes_per_s)
    bandwidth = np.minimum(bandwidth, e.read_limit_bytes_per_s)
    rate, rate16 = matrix_rate(gpu, weight_dtype, e), per_plan(gpu, lambda g: g.matrix_flops("bf16"))
    dense = per_plan(weight_dtype, lambda w: step_read_bytes(shape, w)[0])
    experts = per_plan(weight_dtype, lambda w: step_read_bytes(shape, w)[1])
    packed = per_plan(weight_dtype, lambda w: float(weight_format(w).unpacked))
    narrow_experts = per_pair(gpu, weight_dtype, lambda g, w: float(weight_format(w).unpacked_on(g)))
    slower = per_pair(gpu, weight_dtype, lambda g, w: weight_format(w).reading_on(g))
    unpack, unpack_experts = 1.0 + e.unpacking * slower, 1.0 + e.expert_unpacking * narrow_experts
    mixed = per_plan(weight_dtype, lambda w: float(weight_format(w).experts_only))
    sums = (EXCHANGES_PER_LAYER if attention_parallel else ALL_REDUCES_PER_LAYER) * shape.layers
    net = 2.0 * (tp - 1.0) / tp * sums * shape.hidden * SIXTEEN_BIT
    routed = sum(x.active_parameters for x in shape.linears if x.experts > 1)
    plain = mixed / rate16 + (1.0 - mixed) / rate  # s a FLOP of what is no expert
    body, all_dense = (shape.active_parameters - routed - n for n in (shape.head_parameters, 0.0))
    ranks = tp if attention_parallel else 1.0  # each schedules sequences of its own
    width = next((m.experts for m in shape.mlp if m.experts > 1), 1)
    uneven = 1.0 + attention_parallel * e.expert_imbalance * np.sqrt(tp / width) * expected_maximum(tp)
    inner = (body + routed) / shape.hidden  # of the matrices' other sides than the hidden vector; too few of MLA's ranks
    moved = SIXTEEN_BIT * (ACTIVATION_PASSES * shape.layers * shape.hidden / ranks + 2.0 * inner / tp)
    token = net / (link * e.link_efficiency) + e.activation_traffic * moved / (bandwidth * e.decode_mbu)
    products = routed * e.expert_products * uneven / rate
    attention = shape.attention_flops(prefill_context)
    eight, four = (per_pair(gpu, weight_dtype, lambda g, w, to=to: float(weight_format(w).rate_on(g) in to))  # type: ignore[misc]
                   for to in (EIGHT_BIT, ("fp4",)))  # formats to which the inputs of products are quantised too
    layer = e.layer_overhead_s + e.quantise_layer_s * eight + e.quantise4_layer_s * four
    choosing = e.expert_layer_s * sum(m.layers for m in shape.mlp if m.experts > 1)
    choosing = choosing + e.head_norm_s * sum(a.layers for a in shape.attention if a.kind in HEADS and a.norm_parameters)
    latency = e.exchange_latency_s * np.log2(tp) / 3.0 if attention_parallel else e.collective_latency_s
    looped = sum(m.experts * m.layers for m in shape.mlp if m.experts > 1)
    apart = experts_apart * packed * looped / ranks * EXPERT_LAUNCHES_S
    overhead = e.step_overhead_s + shape.layers * layer + choosing + apart + (tp > 1) * sums * latency
    matrices = sum(x.experts * x.layers for x in shape.linears)
    host = e.host_step_s + shape.layers * e.host_layer_s + looped * e.host_expert_s + matrices * e.host_linear_s * per_plan(
        weight_dtype, lambda w: float(w in EIGHT_BIT))
    waits = (looped * e.host_expert_s > 0.0) | (e.host_linear_s * per_plan(weight_dtype, lambda w: float(w == "fp8")) > 0.0)
    waited, host = np.where(waits, host, 0.0)[()], np.where(waits, 0.0, host)[()]
    fp8 = per_pair(gpu, weight_dtype, lambda g, w: float(wgmma and g.warp_groups and weight_format(w).computes_in == "fp8"))
    few = 1.0 + fp8 * (FEW_ROWS_IN_FP8 / e.fp8_products - 1.0)  # power is left where units wait for memory
    widened = per_pair(gpu, weight_dtype, lambda g, w: float(weight_format(w).widened_on(g)))
    group = query_group(shape)
    tiles = per_plan(gpu, lambda g: float(wgmma and g.warp_groups)) * (group >= TILED_GROUP) * TILE_ROWS
    read = unpack * dense / (bandwidth * e.decode_mbu * (1.0 if attention_parallel else tp))
    product = 2.0 * (products + plain * all_dense) / (e.decode_mfu * tp)
    row = 2.0 * plain * all_dense / (e.decode_mfu * tp)
    groups = per_plan(gpu, lambda g: float(g.warp_groups))
    most = np.where(widened, MMA_ROWS, np.where(groups, np.inf, np.maximum(read / (row * ranks), MMA_ROWS)))
    rows = ranks * np.minimum(e.least_rows * few, most)[()]
    return Iteration(
        step_s=overhead + read + waited,
        sequence_s=product + e.sequence_overhead_s / ranks + token + net / e.reduce_bytes_per_s,
        kv_byte_s=np.maximum((1.0 + e.kv_reread * (group - 1.0)) / (bandwidth * e.kv_mbu),
                             tiles * e.attention_products / (rate16 * e.prefill_mfu)),
        prefill_token_s=(2.0 * (products + plain * body) + e.attention_products * attention / rate16) / (
            e.prefill_mfu * tp) + token,
        experts_s=unpack_experts * e.expert_reading * experts / (bandwidth * e.decode_mbu * tp),
        expert_share=expert_share(shape), request_s=e.request_s, request_steps=e.request_steps, least_rows=rows,
        overlap=e.overlap, read_s=read, product_s=product, host_s=host, host_sequence_s=e.host_sequence_s / ranks,
        host_prompt_s=shape.layers * e.host_prompt_layer_s, row_s=row,
        saved_row_s=2.0 * plain * all_dense / tp * np.maximum(1.0 / e.decode_mfu - 1.0 / e.prefill_mfu, 0.0),
        full_rows=FULL_ROWS * ranks,
        head_s=SIXTEEN_BIT * shape.head_parameters / (bandwidth * e.decode_mbu * tp),
        head_sequence_s=2.0 * shape.head_parameters / (rate16 * e.decode_mfu * tp),
    )
