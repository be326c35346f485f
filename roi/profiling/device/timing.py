"""Seconds of one call on a GPU or a CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from time import perf_counter
from typing import Final

from roi.profiling.stack import torch

Call = Callable[[], object]

SHORTEST_S: Final = 20e-6
"""Shorter calls are timed several at once: events resolve about half a microsecond, perf_counter costs a tenth of one."""

WARM_UP: Final = 2
"""Calls before the first timed one: the first loads kernels and allocates, the second finds the clocks up."""

LEAST: Final = 3
"""Timed samples at least."""

MOST: Final = 40

QUEUE: Final = 900
"""Kernels issued ahead of the device: CUDA's launch queue holds about a thousand, and a host that finds it full waits."""

KERNELS: Final = 8
"""Kernels of one call at most: a norm has seven."""

CYCLES_PER_S: Final = 2.5e9
"""Above every GPU clock: a wait given in cycles then lasts at least as long as meant."""


@dataclass(frozen=True)
class Samples:
    """Timed samples of one call."""

    seconds: tuple[float, ...]
    """Seconds of one call: each sample's time over its calls."""
    calls: int
    """Calls in one sample."""


def time_call(call: Call, device: str, slot_s: float, kernels: int = KERNELS) -> Samples:
    """Samples of `call` after warm-up, as many as fit into `slot_s` seconds, LEAST to MOST.

    CUDA: device events around each sample while the host runs ahead, so that launching does not show; without a wait
    between calls, as in a training step; `kernels` of one call, at most. CPU: perf_counter around each sample.
    """
    single = _warm_up(call, device)
    calls = max(1, min(QUEUE // kernels, ceil(SHORTEST_S / single)))
    count = max(LEAST, min(MOST, int(slot_s / (single * calls))))
    if device == "cpu":
        return Samples(tuple(_elapsed(call, calls) / calls for _ in range(count)), calls)
    seconds: list[float] = []
    while len(seconds) < count:
        seconds += _between_events(call, calls, min(count - len(seconds), max(1, QUEUE // (calls * kernels))))
    return Samples(tuple(seconds), calls)


def _warm_up(call: Call, device: str) -> float:
    """Seconds of one call after the warm-up."""
    for _ in range(WARM_UP):
        call()
    synchronise(device)
    start = perf_counter()
    call()
    synchronise(device)
    return max(perf_counter() - start, 1e-7)


def _elapsed(call: Call, calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        call()
    return perf_counter() - start


def _between_events(call: Call, calls: int, samples: int) -> list[float]:
    """Seconds of one call in each sample, by events; the device waits first until the host has issued everything."""
    issue_s = _issue_s(call)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(samples + 1)]
    wait = int(2.0 * issue_s * calls * samples * CYCLES_PER_S)
    torch.cuda._sleep(wait)  # torch offers no other wait on the device
    events[0].record()
    for after in events[1:]:
        for _ in range(calls):
            call()
        after.record()
    synchronise("cuda")
    return [before.elapsed_time(after) / 1e3 / calls for before, after in pairwise(events)]


def _issue_s(call: Call) -> float:
    """Seconds that the host takes to issue one call."""
    synchronise("cuda")
    start = perf_counter()
    call()
    issued = perf_counter() - start
    synchronise("cuda")
    return issued


def synchronise(device: str) -> None:
    """Wait until the device has done what was issued."""
    if device == "cuda":
        torch.cuda.synchronize()
