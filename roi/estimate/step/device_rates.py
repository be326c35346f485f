"""The rates of a device: read from its profile, or from its datasheet where nothing was measured."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from roi.errors import InputError
from roi.estimate.step.rates import MULTIPROCESSORS, Corrections, DeviceRates, product_shape
from roi.facts.gpu import Gpu
from roi.facts.profiles import DeviceProfile, Rate

__all__ = ["DeviceRates", "datasheet_rates", "device_rates"]

CACHE_SPEED: Final = 3.0
"""Last-level cache over memory bandwidth: 2 (H100) to 5 (RTX 4090) in published read benchmarks of NVIDIA cards."""

CACHE_SHARE: Final = 0.5
"""Share of the cache that the operands of one operator find: A100 and H100 split it in two halves that hold copies of each
other's lines, and on smaller cards the next operator's results push out what the last one left."""


def datasheet_rates(
    gpu: Gpu, *, matrix: float = 1.0, bandwidth: float = 1.0, kernel_s: float = 0.0, launch_s: float = 0.0,
    multiprocessors: int = MULTIPROCESSORS,
) -> DeviceRates:
    """Rates of a card nobody measured: its datasheet, times the shares that the caller knows (1: theory, no time is shorter).

    Kept apart from shares on purpose: a calibration fits them against this. What the datasheet implies for shapes is in:
    idle multiprocessors, skinny products bound by bandwidth, operands that fit the cache.
    """
    dtypes = {name: gpu.matrix_flops(name) * matrix for name in ("fp32", "fp16", "bf16", "int8")}
    tf32 = gpu.tf32_flops or gpu.fp32_flops
    slow = gpu.bandwidth_bytes_per_s * bandwidth
    kept = gpu.l2_bytes * CACHE_SHARE
    return DeviceRates(
        source=f"datasheet of {gpu.id}", matrix_flops=dtypes | {"tf32": tf32 * matrix},
        sizes_bytes=(kept, 4.0 * kept), speeds_bytes_per_s=(CACHE_SPEED * slow, slow),
        attention_flops={}, attention_backward_flops={},
        dequantise_peak_bytes_per_s=CACHE_SPEED * slow, elementwise_peak_bytes_per_s=CACHE_SPEED * slow,
        kernel_s=kernel_s, launch_s=launch_s, plain_launch_s=launch_s, backward_launch_s=launch_s,
        multiprocessors=multiprocessors,
    )


def device_rates(profile: DeviceProfile) -> DeviceRates:
    """Rates that a device profile shows: medians of the timed calls; the best shape gives a rate, every shape a correction.

    On a CPU the operator's host time is taken off every call, because estimators add it.
    A profile without a matrix or a copy rate is an InputError: nothing can be estimated from it.
    """
    on_gpu = profile.environment.device == "cuda"
    name = profile.environment.gpu or profile.environment.gpu_name or profile.environment.device
    host = _launch(profile, "host", 0.0)
    timed = _Timed(profile, 0.0 if on_gpu else host)
    products, copies = timed.by_dtype("matrix"), timed.of("copy")
    if not copies or not products:
        lacks = "matrix" if copies else "copy"
        raise InputError(f"profile: that of {name} holds no {lacks} rate; run `roi profile device` again")
    forward, backward = timed.by_dtype("attention", "forward"), timed.by_dtype("attention", "backward")
    plain = DeviceRates(
        source=f"device profile of {name}", matrix_flops=_best(products),
        sizes_bytes=tuple(work for work, _ in _bandwidth(copies)),
        speeds_bytes_per_s=tuple(speed for _, speed in _bandwidth(copies)),
        attention_flops=_best(forward), attention_backward_flops=_best(backward),
        dequantise_peak_bytes_per_s=_peak(timed.of("dequantise"), copies),
        elementwise_peak_bytes_per_s=_peak(timed.of("elementwise"), copies), kernel_s=_launch(profile, "device", 0.0),
        launch_s=_launch(profile, "host autograd", host), plain_launch_s=host,
        backward_launch_s=_launch(profile, "host backward", host),
        overlaps=on_gpu, multiprocessors=MULTIPROCESSORS if on_gpu else 0,
    )
    return replace(
        plain,
        matrix_corrections={dtype: _product_corrections(plain, rates) for dtype, rates in products.items()},
        attention_corrections={dtype: _attention_corrections(plain, rates) for dtype, rates in forward.items()},
        attention_backward_corrections={
            dtype: _attention_corrections(plain, rates, backward=True) for dtype, rates in backward.items()
        },
    )


class _Timed:
    """Rates of a profile with the seconds of one call, its own cost taken off."""

    def __init__(self, profile: DeviceProfile, call_s: float) -> None:
        self.rates = [(rate, _without(_median(rate.seconds), call_s)) for rate in profile.rates]

    def of(self, regime: str, name: str = "") -> list[tuple[Rate, float]]:
        return [(rate, s) for rate, s in self.rates if rate.regime == regime and name in rate.name]

    def by_dtype(self, regime: str, name: str = "") -> dict[str, list[tuple[Rate, float]]]:
        found = self.of(regime, name)
        return {dtype: [(r, s) for r, s in found if r.dtype == dtype] for dtype in {r.dtype: None for r, _ in found}}


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


def _without(call: float, overhead: float) -> float:
    """Seconds less the overhead, at least a tenth of them: tiny calls are all overhead, and noise must not turn the sign."""
    return max(call - overhead, 0.1 * call)


def _best(by_dtype: Mapping[str, list[tuple[Rate, float]]]) -> dict[str, float]:
    return {dtype: max(rate.work / s for rate, s in rates) for dtype, rates in by_dtype.items()}


def _bandwidth(copies: list[tuple[Rate, float]]) -> list[tuple[float, float]]:
    """(bytes of one call, bytes/s), ascending; of equal sizes the median."""
    sizes = sorted({rate.work for rate, _ in copies})
    return [(size, _median(rate.work / s for rate, s in copies if rate.work == size)) for size in sizes]


def _peak(rates: list[tuple[Rate, float]], copies: list[tuple[Rate, float]]) -> float:
    """The best bytes/s of each operator, the middle one of them; what copies reach where none was timed."""
    best: dict[str, float] = {}
    for rate, s in rates:
        best[rate.name] = max(best.get(rate.name, 0.0), rate.work / s)
    return _median(best.values()) if best else max(rate.work / s for rate, s in copies)


def _launch(profile: DeviceProfile, name: str, otherwise: float) -> float:
    found = [_median(rate.seconds) for rate in profile.rates if rate.regime == "launch" and rate.name == name]
    return found[0] if found else otherwise


def _product_corrections(plain: DeviceRates, rates: Iterable[tuple[Rate, float]]) -> Corrections:
    def one(rate: Rate, s: float) -> tuple[tuple[float, ...], float]:
        batch, m, n, k = product_shape(rate.shape)
        return (batch, m, n, k), s / float(plain.matrix_s(m, n, k, rate.dtype, batch))

    return Corrections.of(one(rate, s) for rate, s in rates)


def _attention_corrections(
    plain: DeviceRates, rates: Iterable[tuple[Rate, float]], *, backward: bool = False,
) -> Corrections:
    def one(rate: Rate, s: float) -> tuple[tuple[float, ...], float]:
        batch, heads, tokens, head_dim = rate.shape
        modelled = plain.attention_s(batch, heads, tokens, head_dim, rate.dtype, backward=backward)
        return (batch * heads, tokens, head_dim), s / float(modelled)

    return Corrections.of(one(rate, s) for rate, s in rates)
