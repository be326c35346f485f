"""Rates of a card that nobody measured, from its datasheet: what the roofline's grid and the tests hold products against."""

from typing import Final

from roi.estimate.step.rates import MULTIPROCESSORS, DeviceRates
from roi.facts.gpu import Gpu

CACHE_SPEED: Final = 3.0
"""Last-level cache over memory bandwidth: 2 (H100) to 5 (RTX 4090) in published read benchmarks of NVIDIA cards."""

CACHE_SHARE: Final = 0.5
"""Share of the cache that the operands of one operator find: A100 and H100 split it in two halves that hold copies of each
other's lines, and on smaller cards the next operator's results push out what the last one left."""


def datasheet_rates(
    gpu: Gpu, *, matrix: float = 1.0, bandwidth: float = 1.0, kernel_s: float = 0.0, launch_s: float = 0.0,
    multiprocessors: int = MULTIPROCESSORS,
) -> DeviceRates:
    """Rates of the card: its datasheet, times the shares that the caller knows (1: theory, no time is shorter).

    What the datasheet implies for shapes is in: idle multiprocessors, skinny products bound by bandwidth, operands that fit
    the cache.
    """
    dtypes = {name: gpu.matrix_flops(name) * matrix for name in ("fp32", "fp16", "bf16", "int8")}
    tf32 = gpu.tf32_flops or gpu.fp32_flops
    slow = gpu.bandwidth_bytes_per_s * bandwidth
    kept = gpu.l2_bytes * CACHE_SHARE
    return DeviceRates(
        source=f"datasheet of {gpu.id}", matrix_flops=dtypes | {"tf32": tf32 * matrix},
        sizes_bytes=(kept, 4.0 * kept), speeds_bytes_per_s=(CACHE_SPEED * slow, slow),
        attention_flops={}, attention_backward_flops={}, dequantise_peak_bytes_per_s=CACHE_SPEED * slow,
        kernel_s=kernel_s, launch_s=launch_s, backward_launch_s=launch_s, multiprocessors=multiprocessors,
    )
