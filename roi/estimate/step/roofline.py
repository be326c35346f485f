"""Time of a training step from its operators: a dry run's list over the measured rates of a device.

A dry run lists every operator of a step with its FLOPs and bytes, a device profile says what the device reaches in each
regime. An operator takes the longest of three times (the roofline of that operator, and its launch):

    max(FLOPs / rate of its shape, bytes / bandwidth, kernels x shortest kernel)

The device's sum over all operators and the host's sum of launches hide behind each other over the whole step, so the step
takes the larger of the two. The answer is used as a scale of the closed form (step_time), which carries it to other lengths.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from roi.estimate.step.calibration import Evidence
from roi.estimate.step.rates import DeviceRates
from roi.estimate.step.step_time import StepEfficiency, step_time
from roi.estimate.step.work import FURTHER_KERNEL
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.profiles import OperatorGroup

OPERATORS_APART: Final = (0.79, 1.28)
"""5th and 95th percentile of measured over summed operator times. No profile of a step beside one of its device is at hand:
this is the span of the only three comparisons that are known (Llama-3.2-3B on an L40S at datasheet rates: LoRA -16%, DoRA
-22%, full +27%), for measured rates an assumption on the wide side."""


@dataclass(frozen=True)
class StepSeconds:
    """Seconds of one micro-step and of one optimizer step, by what bounds them; host and device overlap."""

    matrix_s: float
    """Matrix products of the micro-step."""
    attention_s: float
    """Fused attention."""
    elementwise_s: float
    """Element-wise operators, reductions and copies."""
    dequantise_s: float
    """4-bit or int8 weights to 16 bits."""
    host_s: float
    """Launching the micro-step's operators."""
    micro_step_s: float
    """max(device, host) + idle: the queue of launches is long, so one hides the other over the whole step, not one by one."""
    optimizer_s: float
    """Seconds of one optimizer step: of device and host, the slower, without `idle_s`."""


def operator_seconds(group: OperatorGroup, rates: DeviceRates) -> float:
    """Device seconds of one call: the slowest of arithmetic, bytes, and the shortest kernel.

    Products: weights and activations from device memory (a weight is not met
    again before the next pass). Others: bytes, at the cache's rate where all operands of the call fit in it, since
    the operator before has just written them. Ignored: reuse between operators that together exceed the cache.
    """
    moved = group.bytes_read + group.bytes_written
    floor = group.launches * rates.kernel_s
    if group.kind in ("matrix", "attention"):
        arithmetic = 0.0
        if group.flops and group.kind == "matrix":
            arithmetic = group.flops / rates.matrix_flops_per_s(group.dtype, group.shape)
        elif group.flops:
            arithmetic = group.flops / rates.attention_flops_per_s(group.dtype, group.name)
        return max(arithmetic, moved / rates.bandwidth_bytes_per_s, floor)
    if group.kind == "dequantise":
        return max(moved / rates.dequantise_bytes_per_s, floor)
    speed = rates.cache_bytes_per_s if moved <= rates.cache_bytes else rates.bandwidth_bytes_per_s
    return max(moved / speed, floor)


def step_seconds(groups: Iterable[OperatorGroup], rates: DeviceRates, idle_s: float = 0.0) -> StepSeconds:
    """Seconds of the micro-step and of the optimizer step of a dry run's operator list.

    Host time counts operators, not kernels: an operator of several kernels pays Python and the dispatcher once, its
    further kernels about a quarter (4 us of 15, PyTorch's own launch against an operator). Layers that are recomputed in
    backward are called by Python as in forward. `idle_s` is the time in which host and device wait for each other.
    """
    groups = tuple(groups)
    again = _recomputed(groups)
    device = dict.fromkeys(("matrix", "attention", "elementwise", "dequantise"), 0.0)
    host = optimizer_device = optimizer_host = 0.0
    for group in groups:
        seconds = group.calls * operator_seconds(group, rates)
        by_autograd = group.calls - again.get(_key(group), 0.0) if group.phase == "backward" else 0.0
        called = max(by_autograd, 0.0) * rates.backward_launch_s + min(group.calls, group.calls - by_autograd) * rates.launch_s
        launching = called * (1.0 + FURTHER_KERNEL * max(group.launches - 1.0, 0.0)) if group.launches else 0.0
        if group.phase == "optimizer":
            optimizer_device, optimizer_host = optimizer_device + seconds, optimizer_host + launching
            continue
        host += launching
        device["elementwise" if group.kind == "copy" else group.kind] += seconds
    return StepSeconds(
        matrix_s=device["matrix"], attention_s=device["attention"], elementwise_s=device["elementwise"],
        dequantise_s=device["dequantise"], host_s=host, micro_step_s=max(sum(device.values()), host) + idle_s,
        optimizer_s=max(optimizer_device, optimizer_host),
    )


def _key(group: OperatorGroup) -> tuple[str, str, tuple[int, ...]]:
    return group.name, group.dtype, group.shape


def _recomputed(groups: tuple[OperatorGroup, ...]) -> dict[tuple[str, str, tuple[int, ...]], float]:
    """Number of calls of each forward operator, where backward runs forward attention again; empty without recompute."""
    again = any(g.kind == "attention" and g.phase == "backward" and "backward" not in g.name for g in groups)
    calls: dict[tuple[str, str, tuple[int, ...]], float] = {}
    for group in groups if again else ():
        if group.phase == "forward":
            calls[_key(group)] = calls.get(_key(group), 0.0) + group.calls
    return calls


def device_evidence(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, operators: Iterable[OperatorGroup], rates: DeviceRates,
    efficiency: StepEfficiency, source: str,
) -> Evidence:
    """The scale at which the closed form gives the operators' time at the plan's own size.

    Other lengths then follow the closed form, which is held to operator sums over a grid of plans.
    """
    found = step_seconds(operators, rates, float(efficiency.idle_s))
    theory = step_time(model, plan, gpu, replace(efficiency, overall=1.0))
    overall = float(theory.micro_step_s) / found.micro_step_s
    low, high = (overall / apart for apart in reversed(OPERATORS_APART))
    return Evidence(efficiency=replace(efficiency, overall=overall), low=low, high=high, level="device", n=1, sources=(source,))
