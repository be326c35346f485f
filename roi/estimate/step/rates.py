"""Measured over modelled seconds at known sizes, carried to sizes between them.

How fast a device is, operator by operator.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from roi.errors import InputError
from roi.facts.model import Number

NEAR: Final = 1e-3
"""Doublings within which a size counts as the measured one."""


@dataclass(frozen=True)
class Corrections:
    """Ratios at measured sizes; between them an average of their logarithms, weighted by distance in doublings ** -4.

    The fourth power keeps an estimate close to its nearest neighbours: kernels are chosen by size, so a far shape says
    little. Beyond the measured sizes the nearest ones hold. Without points the ratio is 1.
    """

    points: tuple[tuple[float, ...], ...] = ()
    """log2 of each measured size."""
    ratios: tuple[float, ...] = ()
    """Measured over modelled seconds."""

    @classmethod
    def of(cls, measured: Iterable[tuple[tuple[float, ...], float]]) -> Self:
        """From (sizes, ratio) pairs."""
        rows = list(measured)
        return cls(
            tuple(tuple(float(x) for x in np.log2(np.asarray(sizes, dtype=float))) for sizes, _ in rows),
            tuple(ratio for _, ratio in rows),
        )

    def at(self, *sizes: Number) -> Number:
        """Ratio at `sizes`, one for each axis; they broadcast."""
        if not self.points:
            return 1.0
        axes = np.broadcast_arrays(*(np.log2(np.asarray(size, dtype=float)) for size in sizes))
        asked: NDArray[np.float64] = np.stack(axes, axis=-1)[..., None, :]
        squared = ((asked - np.asarray(self.points)) ** 2).sum(axis=-1)
        weights = 1.0 / (squared + NEAR**2) ** 2
        logs = (weights * np.log(self.ratios)).sum(axis=-1) / weights.sum(axis=-1)
        ratio: Number = np.exp(logs)
        return ratio


NONE: Final = Corrections()
"""Nothing measured: the model as it stands."""


ELEMENT_BYTES: Final = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0}
"""Bytes of one operand element."""

NEAREST_DTYPES: Final = {"fp16": ("bf16",), "bf16": ("fp16", "fp32"), "tf32": ("fp32",), "int8": ("bf16", "fp16")}
"""What stands in for a type that was not measured: 16-bit types share one matrix unit at one rate; a card without the type
computes in the wider one."""

TILE: Final = 128
"""Rows and columns of the result that one multiprocessor computes at a time: cuBLAS's large kernels use 128 x 128 to
128 x 256, so a product smaller than multiprocessors x TILE^2 leaves some of them idle (wave quantisation)."""

SMALLEST_TILE: Final = 32
"""Smallest tile side among matrix kernels: a rank-8 adapter still computes 32 columns."""

SPLIT_K: Final = 1024
"""Depth of one slice when a kernel splits the inner dimension to keep more multiprocessors busy; below about a thousand
the partial results cost more to add than they save."""

MULTIPROCESSORS: Final = 100
"""Streaming multiprocessors of a typical card: T4 40, L4 58, A10 72, RTX 4080 76, A100 108, RTX 4090 128, H100 132. The
datasheet figures of the catalog leave the number out; it moves products below one wave only."""

BACKWARD_ATTENTION: Final = 2.5
"""Backward over forward FLOPs of fused attention: five products instead of two, scores recomputed (arXiv 2205.14135)."""

ATTENTION_SHARE: Final = 0.7
"""Fused attention's share of the matrix rate: each score passes the exponential units, which do a 16th to a 64th of the
matrix units' operations, between its two products (arXiv 2307.08691: 0.5 to 0.73 of an A100's peak)."""


@dataclass(frozen=True)
class DeviceRates:
    """Rates of one device; the methods ending in _s return seconds of one call and broadcast.

    On a GPU they hold the kernel's own start and end, as calls back to back show it; on a CPU they leave out the host time
    of the operator, which is added for each.
    """

    source: str
    """device profile, or datasheet, with the device's name."""
    matrix_flops: Mapping[str, float]
    """Rate of large products by dtype, FLOP/s."""
    sizes_bytes: tuple[float, ...]
    """Bytes moved by one call, ascending: where `speeds` holds. Below and above, the end values."""
    speeds_bytes_per_s: tuple[float, ...]
    """Bandwidth at each size; small operands stay in the cache."""
    attention_flops: Mapping[str, float]
    """Rate of fused attention by dtype, forward, FLOP/s; empty: ATTENTION_SHARE of the matrix rate."""
    attention_backward_flops: Mapping[str, float]
    """The same, backward, counted as BACKWARD_ATTENTION times the forward FLOPs."""
    dequantise_peak_bytes_per_s: float
    """NF4 dequantisation where its operands lie best: its arithmetic bounds it on a CPU, bandwidth on a GPU."""
    elementwise_peak_bytes_per_s: float
    """The same for element-wise operators: the middle one of those timed."""
    kernel_s: float
    """Device time from one tiny kernel to the next where the host runs ahead; 0 on a CPU."""
    launch_s: float
    """Host time of one operator that Python calls and autograd records."""
    plain_launch_s: float
    """The same without autograd: inference, the optimizer."""
    backward_launch_s: float
    """Host time of one operator that the autograd engine calls."""
    overlaps: bool = True
    """True where the device works while the host issues the next operators (a GPU); False on a CPU: times add."""
    multiprocessors: int = MULTIPROCESSORS
    """Units that a product is tiled over; 0: no tiles (a CPU)."""
    matrix_corrections: Mapping[str, Corrections] = field(default_factory=dict)
    """Measured over modelled seconds by dtype, over log2 (batch, m, n, k)."""
    attention_corrections: Mapping[str, Corrections] = field(default_factory=dict)
    """The same for attention forward, over log2 (batch x heads, tokens, head_dim)."""
    attention_backward_corrections: Mapping[str, Corrections] = field(default_factory=dict)

    def matrix_s(self, m: Number, n: Number, k: Number, dtype: str, batch: Number = 1.0) -> Number:
        """Seconds of `batch` products (m, k) x (k, n): the slower of arithmetic and moving operands, as far as measured.

        Arithmetic: 2 m n k FLOPs (sides below SMALLEST_TILE padded to it) at the rate of large products, times the share
        of multiprocessors that its tiles fill: u / (u + p/2) for u units of work on p multiprocessors, the mean of
        u/p over ceil(u/p) waves. Moving: each operand once. Then the ratio that near shapes showed.
        """
        known = self._known(dtype, self.matrix_flops)
        m, n, k, batch = (np.asarray(x, dtype=float) for x in (m, n, k, batch))
        rows, columns = (np.maximum(x, SMALLEST_TILE) if self.multiprocessors else x for x in (m, n))
        units = batch * np.ceil(m / TILE) * np.ceil(n / TILE) * np.ceil(k / SPLIT_K)
        filled = units / (units + self.multiprocessors / 2.0)
        arithmetic = 2.0 * batch * rows * columns * k / (self.matrix_flops[known] * filled)
        moved = self.bytes_s(ELEMENT_BYTES[dtype] * batch * (m * k + k * n + m * n))
        ratio = self.matrix_corrections.get(known, NONE).at(batch, m, n, k)
        return np.maximum(arithmetic, moved) * ratio

    def bytes_s(self, nbytes: Number) -> Number:
        """Seconds to read and write `nbytes` in all, as a copy does; interpolated over the logarithm of the size."""
        size = np.maximum(np.asarray(nbytes, dtype=float), 1.0)
        speed = np.exp(np.interp(np.log(size), np.log(self.sizes_bytes), np.log(self.speeds_bytes_per_s)))
        seconds: Number = np.asarray(nbytes, dtype=float) / speed
        return seconds

    def elementwise_s(self, nbytes: Number) -> Number:
        """Seconds of an element-wise operator that reads and writes `nbytes` in all: the slower of moving and arithmetic."""
        seconds: Number = np.maximum(self.bytes_s(nbytes), np.asarray(nbytes) / self.elementwise_peak_bytes_per_s)
        return seconds

    def dequantise_s(self, nbytes: Number) -> Number:
        """Seconds of an NF4 dequantisation that reads and writes `nbytes` in all."""
        seconds: Number = np.maximum(self.bytes_s(nbytes), np.asarray(nbytes) / self.dequantise_peak_bytes_per_s)
        return seconds

    def attention_s(
        self, batch: Number, heads: Number, tokens: Number, head_dim: Number, dtype: str, *, backward: bool = False,
        causal: bool = True,
    ) -> Number:
        """Seconds of fused attention (SDPA) of `tokens` queries on as many keys.

        4 x batch x heads x tokens^2 x head_dim FLOPs, half of that where causal; BACKWARD_ATTENTION times it backward.
        """
        rates = self.attention_backward_flops if backward else self.attention_flops
        table = self.attention_backward_corrections if backward else self.attention_corrections
        rows = np.asarray(batch, dtype=float) * heads
        work = attention_flops(batch, heads, tokens, head_dim, backward=backward, causal=causal)
        if not rates:
            known = self._known(dtype, self.matrix_flops)
            return work / (ATTENTION_SHARE * self.matrix_flops[known])
        known = self._known(dtype, rates)
        return work / rates[known] * table.get(known, NONE).at(rows, tokens, head_dim)

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """Of operands far beyond the cache."""
        return self.speeds_bytes_per_s[-1]

    @property
    def cache_bytes_per_s(self) -> float:
        """Of operands that the cache holds: the best size."""
        return max(self.speeds_bytes_per_s)

    @property
    def cache_bytes(self) -> float:
        """Bytes moved by one call up to which it runs nearer to the cache's speed than to memory's; 0 without a difference."""
        middle = np.sqrt(self.cache_bytes_per_s * self.bandwidth_bytes_per_s)
        fast = [size for size, speed in zip(self.sizes_bytes, self.speeds_bytes_per_s, strict=True) if speed > middle]
        return max(fast, default=0.0)

    @property
    def dequantise_bytes_per_s(self) -> float:
        """Bytes that NF4 dequantisation reads and writes a second, operands in memory."""
        return min(self.dequantise_peak_bytes_per_s, self.bandwidth_bytes_per_s)

    def matrix_flops_per_s(self, dtype: str, shape: tuple[int, ...]) -> float:
        """FLOP/s of one product (m, n, k) or (batch, m, n, k), whatever bounds it."""
        batch, m, n, k = product_shape(shape)
        return 2.0 * batch * m * n * k / float(self.matrix_s(m, n, k, dtype, batch))

    def attention_flops_per_s(self, dtype: str, name: str) -> float:
        """FLOP/s of fused attention where it is long; `name` says backward or not."""
        rates = self.attention_backward_flops if "backward" in name else self.attention_flops
        if not rates:
            return ATTENTION_SHARE * self.matrix_flops[self._known(dtype, self.matrix_flops)]
        return rates[self._known(dtype, rates)]

    def _known(self, dtype: str, rates: Mapping[str, float]) -> str:
        """`dtype`, or the nearest type with a rate."""
        for name in (dtype, *NEAREST_DTYPES.get(dtype, ())):
            if name in rates:
                return name
        raise InputError(f"dtype: {self.source} has no rate for {dtype!r}; it has {', '.join(rates)}")


def product_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """(batch, m, n, k) of a product given as (m, n, k) or (batch, m, n, k)."""
    batch, m, n, k = (1, *shape) if len(shape) == 3 else shape
    return batch, m, n, k


def attention_flops(
    batch: Number, heads: Number, tokens: Number, head_dim: Number, *, backward: bool = False, causal: bool = True,
) -> Number:
    """FLOPs of one call of fused attention; broadcasts."""
    whole = 4.0 * np.asarray(batch, dtype=float) * heads * np.asarray(tokens, dtype=float) ** 2 * head_dim
    work: Number = whole * (0.5 if causal else 1.0) * (BACKWARD_ATTENTION if backward else 1.0)
    return work
