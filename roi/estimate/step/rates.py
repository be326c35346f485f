"""How fast a device is, operator by operator: rates read from its profile.

A matrix product (m, k) x (k, n) takes the slower of its arithmetic and of moving its operands:

    arithmetic   2 m n k / (rate of large products x share of the multiprocessors that its tiles keep busy)
    moving       bytes of both operands and the result / bandwidth at that size (small operands stay in the cache)

times the ratio of measured over modelled seconds that products of nearby sizes showed. Attention has a rate of its own;
whatever else an operator does is bound by the bytes that it moves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np

from roi.errors import InputError
from roi.facts.model import Number
from roi.facts.profiles import DeviceProfile, Rate
from roi.numerics.arrays import Array

NEAR: Final = 1e-3
"""Doublings within which a size counts as the measured one."""
ELEMENT_BYTES: Final = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
"""Bytes of one operand element."""
NEAREST_DTYPES: Final = {"fp16": ("bf16",), "bf16": ("fp16", "fp32"), "tf32": ("fp32",), "fp8": ("bf16", "fp16"),
                        "int8": ("bf16", "fp16")}
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
Timed = list[tuple[Rate, float]]
"""Rates of a profile, each with the seconds of one call."""


@dataclass(frozen=True)
class Corrections:
    """Ratios of measured over modelled seconds at measured sizes, carried to the sizes between them.

    Between two sizes the ratio is the average of the logarithms, weighted by distance in doublings ** -4. The fourth power
    keeps an estimate close to its nearest neighbours: kernels are chosen by size, so a far shape says little. Beyond the
    measured sizes the nearest ones hold. Without points the ratio is 1.
    """

    points: tuple[tuple[float, ...], ...] = ()
    """log2 of each measured size."""
    ratios: tuple[float, ...] = ()
    """Measured over modelled seconds."""

    @classmethod
    def of(cls, measured: Iterable[tuple[tuple[float, ...], float]]) -> Self:
        """The table of ratios measured at these sizes, as (sizes, measured over modelled seconds)."""
        rows = list(measured)
        return cls(
            tuple(tuple(float(x) for x in np.log2(np.asarray(sizes, dtype=float))) for sizes, _ in rows),
            tuple(ratio for _, ratio in rows),
        )

    def at(self, *sizes: Number) -> Number:
        """The ratio at `sizes`, one argument for each axis; they broadcast."""
        if not self.points:
            return 1.0
        axes = np.broadcast_arrays(*(np.log2(np.asarray(size, dtype=float)) for size in sizes))
        asked: Array = np.stack(axes, axis=-1)[..., None, :]
        squared = ((asked - np.asarray(self.points)) ** 2).sum(axis=-1)
        weights = 1.0 / (squared + NEAR**2) ** 2
        logs = (weights * np.log(self.ratios)).sum(axis=-1) / weights.sum(axis=-1)
        ratio: Number = np.exp(logs)
        return ratio


@dataclass(frozen=True)
class DeviceRates:
    """Rates of one device; the methods ending in _s return seconds of one call and broadcast.

    On a GPU they hold the kernel's own start and end, as calls back to back show it; on a CPU they leave out the host time
    of the operator, which is added for each.
    """

    source: str
    """What the rates were read from, with the device's name, for error messages."""
    matrix_flops: Mapping[str, float]
    """Rate of large products by dtype, FLOP/s."""
    sizes_bytes: tuple[float, ...]
    """Bytes moved by one call, ascending: where `speeds` holds. Below and above, the end values."""
    speeds_bytes_per_s: tuple[float, ...]
    """Bandwidth at each size; small operands stay in the cache."""
    attention_flops: Mapping[str, float]
    """Rate of fused attention by dtype, forward, FLOP/s; empty: ATTENTION_SHARE of the matrix rate."""
    attention_backward_flops: Mapping[str, float]
    """Rate of fused attention's backward by dtype, FLOP/s; its work is counted as BACKWARD_ATTENTION times the forward
    FLOPs."""
    dequantise_peak_bytes_per_s: float
    """NF4 dequantisation where its operands lie best: its arithmetic bounds it on a CPU, bandwidth on a GPU."""
    kernel_s: float
    """Device time from one tiny kernel to the next where the host runs ahead; 0 on a CPU."""
    launch_s: float
    """Host time of one operator that Python calls and autograd records."""
    backward_launch_s: float
    """Host time of one operator that the autograd engine calls."""
    multiprocessors: int = MULTIPROCESSORS
    """Units that a product is tiled over; 0: no tiles (a CPU)."""
    matrix_corrections: Mapping[str, Corrections] = field(default_factory=dict)
    """Measured over modelled seconds by dtype, over log2 (batch, m, n, k)."""

    def matrix_s(self, m: Number, n: Number, k: Number, dtype: str, batch: Number = 1.0) -> Number:
        """Seconds of `batch` products (m, k) x (k, n): the slower of arithmetic and moving operands, as far as measured.

        Sides below SMALLEST_TILE are padded to it. Tiles fill a share u / (u + p/2) of p multiprocessors for u units of work,
        the mean of u/p over ceil(u/p) waves. Each operand is moved once.
        """
        known = self._known(dtype, self.matrix_flops)
        m, n, k, batch = (np.asarray(x, dtype=float) for x in (m, n, k, batch))
        rows, columns = (np.maximum(x, SMALLEST_TILE) if self.multiprocessors else x for x in (m, n))
        units = batch * np.ceil(m / TILE) * np.ceil(n / TILE) * np.ceil(k / SPLIT_K)
        filled = units / (units + self.multiprocessors / 2.0)
        arithmetic = 2.0 * batch * rows * columns * k / (self.matrix_flops[known] * filled)
        moved = self.bytes_s(operand_bytes(dtype, batch, m, n, k))
        ratio = self.matrix_corrections.get(known, Corrections()).at(batch, m, n, k)
        return np.maximum(arithmetic, moved) * ratio

    def bytes_s(self, nbytes: Number) -> Number:
        """Seconds to read and write `nbytes` in all, as a copy does; interpolated over the logarithm of the size."""
        size = np.maximum(np.asarray(nbytes, dtype=float), 1.0)
        speed = np.exp(np.interp(np.log(size), np.log(self.sizes_bytes), np.log(self.speeds_bytes_per_s)))
        seconds: Number = np.asarray(nbytes, dtype=float) / speed
        return seconds

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """Bandwidth of operands far beyond the cache."""
        return self.speeds_bytes_per_s[-1]

    @property
    def cache_bytes_per_s(self) -> float:
        """Bandwidth of operands that the cache holds: that of the best size."""
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


def operand_bytes(dtype: str, batch: Number, m: Number, n: Number, k: Number) -> Number:
    """Bytes that `batch` products (m, k) x (k, n) read and write where each operand, the result included, is moved once."""
    return ELEMENT_BYTES[dtype] * batch * (m * k + k * n + m * n)


def product_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """(batch, m, n, k) of a product given as (m, n, k) or (batch, m, n, k)."""
    batch, m, n, k = (1, *shape) if len(shape) == 3 else shape
    return batch, m, n, k


def device_rates(profile: DeviceProfile) -> DeviceRates:
    """Rates that a device profile shows: medians of the timed calls; the best shape gives a rate, every shape a correction.

    On a CPU the operator's host time is taken off every call, because estimators add it; of a call at most nine tenths,
    since tiny calls are all overhead and noise must not turn the sign. A profile without a matrix or a copy rate is an
    InputError: nothing can be estimated from it.
    """
    on_gpu = profile.environment.device == "cuda"
    name = profile.environment.gpu or profile.environment.gpu_name or profile.environment.device
    calls = [(rate, float(np.median(rate.seconds))) for rate in profile.rates]
    launch = {rate.name: s for rate, s in reversed(calls) if rate.regime == "launch"}
    host = launch.get("host", 0.0)
    timed = [(rate, max(s - (0.0 if on_gpu else host), 0.1 * s)) for rate, s in calls]
    copies = [(rate, s) for rate, s in timed if rate.regime == "copy"]
    products = _by_dtype(timed, "matrix")
    if not copies or not products:
        lacks = "matrix" if copies else "copy"
        raise InputError(f"profile: that of {name} holds no {lacks} rate; run `roi profile device` again")
    sizes = sorted({rate.work for rate, _ in copies})
    fastest_copy = max(rate.work / s for rate, s in copies)
    dequantise: dict[str, float] = {}  # the best bytes/s of each operator, of which the middle one counts
    for rate, s in timed:
        if rate.regime == "dequantise":
            dequantise[rate.name] = max(dequantise.get(rate.name, 0.0), rate.work / s)
    plain = DeviceRates(
        source=f"device profile of {name}", matrix_flops=_best(products), sizes_bytes=tuple(sizes),
        speeds_bytes_per_s=tuple(float(np.median([r.work / s for r, s in copies if r.work == size])) for size in sizes),
        attention_flops=_best(_by_dtype(timed, "attention", "forward")),
        attention_backward_flops=_best(_by_dtype(timed, "attention", "backward")),
        dequantise_peak_bytes_per_s=float(np.median(list(dequantise.values()))) if dequantise else fastest_copy,
        kernel_s=launch.get("device", 0.0), launch_s=launch.get("host autograd", host),
        backward_launch_s=launch.get("host backward", host), multiprocessors=MULTIPROCESSORS if on_gpu else 0,
    )
    corrections = {}
    for dtype, rates in products.items():
        shapes = [product_shape(rate.shape) for rate, _ in rates]
        modelled = [float(plain.matrix_s(m, n, k, dtype, batch)) for batch, m, n, k in shapes]
        corrections[dtype] = Corrections.of((shape, s / x) for shape, (_, s), x in zip(shapes, rates, modelled, strict=True))
    return replace(plain, matrix_corrections=corrections)


def _by_dtype(timed: Timed, regime: str, name: str = "") -> dict[str, Timed]:
    """The rates of a regime whose name holds `name`, by dtype."""
    found: dict[str, Timed] = {}
    for rate, s in timed:
        if rate.regime == regime and name in rate.name:
            found.setdefault(rate.dtype, []).append((rate, s))
    return found


def _best(by_dtype: Mapping[str, Timed]) -> dict[str, float]:
    return {dtype: max(rate.work / s for rate, s in rates) for dtype, rates in by_dtype.items()}
