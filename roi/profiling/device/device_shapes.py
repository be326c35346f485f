"""Which operators `roi profile device` times: shapes that occur in training, cut to what the device and the budget allow."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil, prod
from typing import Final, Literal

from roi.estimate.step.rates import BACKWARD_ATTENTION, ELEMENT_BYTES, operand_bytes
from roi.facts.profiles import MEMORY_COPY
from roi.units import GB, MIB

Regime = Literal["matrix", "copy", "dequantise", "attention", "elementwise", "launch"]

TOKENS: Final = (64, 512, 4096, 16384)
"""Rows of a product: tokens of one micro-step."""
LAYERS: Final = (
    (256, 256), (576, 576), (1536, 576), (896, 896), (4864, 896), (2048, 2048), (8192, 2048), (1024, 4096), (4096, 4096),
    (14336, 4096), (4096, 14336), (128256, 4096),
)
"""(outputs, inputs) of layers: a test model, SmolLM2-135M, Qwen2.5-0.5B, Llama-3.2-1B, Llama-3.1-8B with its head."""
RANKS: Final = (8, 16, 64)
ADAPTED: Final = (1024, 4096)
ADAPTED_TOKENS: Final = (512, 4096)
"""Ranks of adapters, widths of layers that carry one, and tokens that pass them."""
ATTENTION_TOKENS: Final = (128, 512, 2048, 8192)
HEAD_DIMS: Final = (64, 128)
WIDTH: Final = 4096
VOCABULARY: Final = 32768
"""Columns of the rows that element-wise operators see, and of the logits in the loss."""
NF4_BYTES: Final = 0.5 + 4.0 / 64.0
"""Bytes of an NF4 weight and its share of a block's fp32 scale."""
ELEMENTWISE_BYTES: Final = {
    # widen (w + 4), square (8), mean (4), scale (8), narrow (4 + w), weight (3 w less the shared read: 2 w)
    "rms_norm": {"bf16": 36.0, "fp16": 36.0, "fp32": 36.0},
    "silu_mul": {"bf16": 10.0, "fp16": 10.0, "fp32": 20.0},  # silu reads and writes, the product reads two and writes one
    "softmax": {"bf16": 6.0, "fp16": 6.0, "fp32": 8.0},  # to fp32 in one kernel
    "cross_entropy": {"fp32": 8.0},  # log-softmax reads and writes every logit; picking the labels reads few
}
"""Bytes that each operator reads and writes for one element."""
CALLS: Final = 8
"""Calls to reckon with for one case: warm-up and timed ones."""
CASE_OVERHEAD_S: Final = 2e-3
"""Making operands and bookkeeping of one case beyond filling memory."""
PLANNED: Final = 0.4
"""Share of the budget that the least number of calls may take; the rest goes to more timed calls, or to a device that others
slow down."""
LONGEST_CALL_S: Final = 0.2
"""No shape that takes longer: three of them would say no more than one does."""
SHORTEST_RUN: Final = 1000
"""Calls of the longest shape that the budget must hold."""
COLD: Final = 2.0
"""Copies of a weight take this many times the last-level cache: in training other layers' weights pass before the same one
comes again."""
BEYOND: Final = 3.0
"""Source and target of a copy of memory are this many times all caches: of twice as much a cache that does not evict strictly
the oldest line still holds some from one call to the next."""
FILL_SLOWDOWN: Final = 4.0
"""Filling operands with numbers over copying them."""


@dataclass(frozen=True)
class Case:
    """One operator at one shape."""

    regime: Regime
    name: str
    dtype: str
    shape: tuple[int, ...]
    work: float
    """FLOP or bytes of one call, as in `Rate`."""
    unit: Literal["FLOP", "byte", "launch"]
    nbytes: float
    """Bytes of operands and results."""


@dataclass(frozen=True)
class Probe:
    """What a first look at the device says; it decides what is worth timing and is not kept."""

    device: str
    flops: Mapping[str, float]
    """Rate of one middle-sized product by dtype, FLOP/s; a type that does not work is absent."""
    bytes_per_s: float
    """Rate of one large copy."""
    cache_bytes: float
    """Size of the last-level cache."""
    memory_bytes: float
    """Memory that operands may take."""
    caches_bytes: float = 0.0
    """Size of all last-level caches that a copy on all cores fills; 0: there is one."""

    def call_s(self, case: Case) -> float:
        """Seconds that one call may take: fused attention and composed operators are reckoned slower than their bound."""
        moving = case.nbytes / self.bytes_per_s
        if case.regime == "attention":
            return max(case.work / (0.25 * self.flops[case.dtype]), moving)
        if case.unit == "FLOP":
            return max(case.work / self.flops[case.dtype], moving)
        return 3.0 * max(case.work, case.nbytes) / self.bytes_per_s

    def cost_s(self, case: Case) -> float:
        """Seconds that measuring the case takes at least."""
        copies = COLD * self.cache_bytes if case.regime in ("matrix", "dequantise") and len(case.shape) < 4 else 0.0
        filling = (FILL_SLOWDOWN * case.nbytes + copies) / self.bytes_per_s
        return CASE_OVERHEAD_S + filling + CALLS * self.call_s(case)


def choose_cases(probe: Probe, budget_s: float) -> tuple[list[Case], int]:
    """Cases in the order in which they are timed, and how many were left out because they take too long or too much.

    Groups of like operators take turns until the budget is spoken for, each with its smallest shape, its largest, the
    second smallest and so on: whoever stops early has something of everything, inside the cache and beyond it. One copy of
    memory may take longer than other shapes: nothing else shows its rate.
    """
    longest_s = min(LONGEST_CALL_S, budget_s / SHORTEST_RUN)
    groups: dict[tuple[str, str], list[Case]] = {}
    known = [case for case in every_case(probe.device, probe.caches_bytes or probe.cache_bytes)
             if case.dtype in probe.flops or case.unit != "FLOP"]
    memory = min((case for case in known if case.name == MEMORY_COPY), key=probe.cost_s, default=None)
    for case in sorted(known, key=probe.cost_s):
        if (probe.call_s(case) <= longest_s or case is memory) and case.nbytes <= probe.memory_bytes:
            groups.setdefault((case.regime, _likeness(case)), []).append(case)
    chosen, spent = [], 0.0
    ends_first = ([group[i // 2] if i % 2 == 0 else group[-1 - i // 2] for i in range(len(group))] for group in groups.values())
    for turn in zip_longest(*ends_first):
        for case in turn:
            cost = probe.cost_s(case) if case else 0.0
            if case and spent + cost <= PLANNED * budget_s:
                chosen.append(case)
                spent += cost
    return chosen, len(known) - len(chosen)


def _likeness(case: Case) -> str:
    """Cases that take turns as one group: adapters' products apart from large ones, types apart where units differ."""
    if case.regime in ("elementwise", "launch"):
        return case.name
    skinny = case.regime == "matrix" and min(case.shape) <= RANKS[-1]
    return f"{case.name} {case.dtype}{' skinny' if skinny else ''}"


def every_case(device: str, caches_bytes: float) -> list[Case]:
    """Every shape once, whether or not the device can run it in reasonable time."""
    return list(dict.fromkeys(_cases(device, caches_bytes)))


def _cases(device: str, caches_bytes: float) -> Iterator[Case]:
    for name in ("device", "host", "host autograd", "host backward"):
        if name != "device" or device == "cuda":
            yield Case("launch", name, "fp32", (1,), 1.0, "launch", 4.0)
    yield from _copies(device, caches_bytes)
    types = ("bf16", "fp32", "fp16", "tf32") if device == "cuda" else ("bf16", "fp32", "fp16")
    for dtype in types:
        yield from (product(dtype, m, n, k) for n, k in LAYERS for m in TOKENS)
        yield from _adapters(dtype)
        yield from (product(dtype, *shape, batch=32) for t in (128, 512, 2048) for shape in ((t, t, 128), (t, 128, t)))
    yield from (product("int8", m, n, k) for n, k in LAYERS for m in TOKENS)
    for n, k in LAYERS[:-1]:
        yield Case("dequantise", "nf4", "nf4", (n, k), n * k * (NF4_BYTES + 2.0), "byte", n * k * (NF4_BYTES + 2.0))
    for dtype in types[:3]:
        yield from _attention(dtype)
        yield from _elementwise(dtype)


def product(dtype: str, m: int, n: int, k: int, batch: int = 1) -> Case:
    """(m, k) x (k, n), `batch` times."""
    shape = (m, n, k) if batch == 1 else (batch, m, n, k)
    nbytes = float(operand_bytes(dtype, batch, m, n, k))
    name = "bmm" if batch > 1 else "int_mm" if dtype == "int8" else "mm"
    return Case("matrix", name, dtype, shape, 2.0 * batch * m * n * k, "FLOP", nbytes)


def _adapters(dtype: str) -> Iterator[Case]:
    """LoRA's products: down to the rank, up from it, and the gradient of a factor (summed over tokens)."""
    for width in ADAPTED:
        for tokens in ADAPTED_TOKENS:
            for rank in RANKS:
                yield product(dtype, tokens, rank, width)
                yield product(dtype, tokens, width, rank)
                yield product(dtype, rank, width, tokens)


def _copies(device: str, caches_bytes: float) -> Iterator[Case]:
    """Copies of a fraction of the last-level caches up to far beyond them; work counts the read and the write."""
    largest = max(16.0 * caches_bytes, 2.0 * GB) if device == "cuda" else max(8.0 * caches_bytes, 0.25 * GB)
    beyond = BEYOND * caches_bytes
    size, sizes = 2**18, {ceil(beyond / 2.0 / MIB) * MIB}
    while size <= largest:
        sizes.add(size)
        size *= 2 if size < 4 * caches_bytes else 4
    for size in sorted(sizes):
        name = MEMORY_COPY if 2.0 * size >= beyond else "copy"
        yield Case("copy", name, "fp32", (size // 4,), 2.0 * size, "byte", 2.0 * size)


def _attention(dtype: str) -> Iterator[Case]:
    """Causal SDPA at a constant number of tokens, forward and backward; half of the scores count."""
    for tokens in ATTENTION_TOKENS:
        for head_dim in HEAD_DIMS:
            for batch, heads in ((1, 8), (max(1, 8192 // tokens), 32)):
                shape = (batch, heads, tokens, head_dim)
                work, nbytes = 2.0 * batch * heads * tokens**2 * head_dim, 4.0 * prod(shape) * ELEMENT_BYTES[dtype]
                yield Case("attention", "sdpa forward", dtype, shape, work, "FLOP", nbytes)
                yield Case("attention", "sdpa backward", dtype, shape, BACKWARD_ATTENTION * work, "FLOP", 2.0 * nbytes)


def _elementwise(dtype: str) -> Iterator[Case]:
    for name, bytes_by_dtype in ELEMENTWISE_BYTES.items():
        for rows in (64, 512, 4096, 16384):
            columns = {"cross_entropy": VOCABULARY, "softmax": 2048}.get(name, WIDTH)
            if dtype in bytes_by_dtype:
                count = rows * columns
                yield Case("elementwise", name, dtype, (rows, columns), bytes_by_dtype[dtype] * count, "byte",
                           4.0 * ELEMENT_BYTES[dtype] * count)
