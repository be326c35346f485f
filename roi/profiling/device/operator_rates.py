"""`roi profile device`: achieved rates of a GPU or a CPU, timed operator by operator within a budget."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from roi.errors import RoiError
from roi.facts.profiles import DeviceProfile, Rate
from roi.profiling.device import device_calls as calls
from roi.profiling.device.device_shapes import Case, Probe, choose_cases, product
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.units import GIB

CACHE_BYTES: Final = 32 * 2**20
"""Last-level cache of a host that does not say: the share of one core complex in current server chips."""
PROBE_SHAPE: Final = {"cuda": (2048, 4096, 4096), "cpu": (64, 512, 512)}
"""(m, n, k) that is large enough to show the rate of a type and small enough for the slowest one."""
SHORTEST_SLOT_S: Final = 0.02
"""Every case gets this much: quick ones then have forty samples."""
PROBE_COPY: Final = {"cuda": 2**28, "cpu": 2**26}
"""Bytes of the copy that shows the bandwidth."""


def profile_device(session: Session) -> DeviceProfile:
    """Rates of the session's device, every timed call kept; Ctrl-C or the budget ends it early with complete=False.

    The first shape is measured whatever it takes. Ctrl-C before anything is timed is passed on.
    """
    timing = _Timing(session)
    draw = session.measure(timing.run, lambda: timing.rates)
    if not timing.rates:
        raise RoiError(f"nothing was measured: {'; '.join(session.notes) or 'no shape suits this device'}")
    return DeviceProfile(
        started=session.started, environment=session.environment_under_load(draw), rates=tuple(timing.rates),
        complete=timing.complete and not session.interrupted, notes=session.all_notes,
    )


@dataclass
class _Timing:
    """Rates as they come in; what is here when a run is interrupted is kept."""

    session: Session
    rates: list[Rate] = field(default_factory=list)
    complete: bool = True

    def run(self) -> None:
        """Probe the device, choose the cases, and time one after the other."""
        session = self.session
        probe, unsupported = probe_device(session.device, session.seed)
        cases, omitted = choose_cases(probe, session.budget_s)
        session.notes += unsupported
        if omitted:
            session.notes.append(f"{omitted} shapes left out: too large, or too slow for a budget of {session.budget_s:g} s")
        operands = calls.Operands(session.device, probe.cache_bytes, session.seed)
        costs = [probe.cost_s(case) for case in cases]
        for done, case in enumerate(cases):
            left_s = session.left_s
            if left_s <= 0.0 and self.rates:
                self.complete = False
                session.notes.append(f"the budget ended before {len(cases) - done} of {len(cases)} shapes")
                return
            session.watcher.update(f"{case.name} {case.dtype}", done / len(cases), max(left_s, 0.0))
            slot_s = max(SHORTEST_SLOT_S, left_s * costs[done] / sum(costs[done:]))
            rate = _measure(case, operands, slot_s, session.notes)
            if rate is not None:
                self.rates.append(rate)


def probe_device(device: str, seed: int = 0) -> tuple[Probe, list[str]]:
    """A first look at the device, and a note for each type that it does not compute in."""
    cache = _cache_bytes(device)
    memory = torch.cuda.mem_get_info()[0] / 2.0 if device == "cuda" else float(GIB)  # half; others work on a host too
    operands = calls.Operands(device, 0.0, seed)
    notes, flops = [], {}
    for dtype in calls.DTYPES:
        if dtype == "tf32" and device == "cpu":
            continue
        case = product(dtype, *PROBE_SHAPE[device])
        seconds = _first_look(case, operands)
        if seconds is None:
            notes.append(f"{dtype}: no matrix product on this device")
        else:
            flops[dtype] = case.work / seconds
    size = PROBE_COPY[device]
    copy = Case("copy", "copy", "fp32", (size // 4,), 2.0 * size, "byte", 2.0 * size)
    seconds = _first_look(copy, operands)
    assert seconds is not None, "a copy of fp32 numbers works everywhere"
    return Probe(device, flops, copy.work / seconds, cache, memory), notes


def _first_look(case: Case, operands: calls.Operands) -> float | None:
    """Shortest of LEAST calls; None where torch has no kernel for the type."""
    try:
        with calls.matrix_precision(case.dtype):
            return min(calls.time_call(calls.build_call(case, operands), operands.device, 0.0))
    except (RuntimeError, NotImplementedError):
        return None


def _measure(case: Case, operands: calls.Operands, slot_s: float, notes: list[str]) -> Rate | None:
    """The timed rate; None with a note where memory does not suffice or the operator has no kernel here."""
    try:
        with calls.matrix_precision(case.dtype):
            seconds = _chained(case.name, operands, slot_s) if case.regime == "launch" else (
                calls.time_call(calls.build_call(case, operands), operands.device, slot_s))
    except torch.OutOfMemoryError:
        notes.append(f"{case.name} {case.dtype} {case.shape}: out of memory")
        return None
    except (RuntimeError, NotImplementedError) as error:
        notes.append(f"{case.name} {case.dtype} {case.shape}: {str(error).splitlines()[0][:120]}")
        return None
    finally:
        if operands.device == "cuda":
            torch.cuda.empty_cache()  # the next case needs blocks of other sizes
    return Rate(
        regime=case.regime, name=case.name, dtype=case.dtype, shape=case.shape, work=case.work, unit=case.unit, seconds=seconds,
    )


def _chained(name: str, operands: calls.Operands, slot_s: float) -> tuple[float, ...]:
    """Seconds of one tiny operator in a chain: on the device behind a host that runs ahead, or on the host alone."""
    before, call = calls.build_chain(name, operands)
    if name == "device":
        return tuple(s / calls.CHAIN for s in calls.time_call(call, operands.device, slot_s, calls.CHAIN))
    samples: list[float] = []
    end = perf_counter() + slot_s
    while len(samples) < calls.LEAST + 1 or (perf_counter() < end and len(samples) <= calls.MOST):
        before()
        calls.synchronise(operands.device)
        start = perf_counter()
        call()
        samples.append((perf_counter() - start) / calls.CHAIN)
        calls.synchronise(operands.device)
    return tuple(samples[1:])  # the first one is warm-up


def _cache_bytes(device: str) -> float:
    """Last-level cache; on a Linux host the largest that the first core sees."""
    if device == "cuda":
        return float(torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size)
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        with contextlib.suppress(OSError, ValueError):
            sizes.append(float(file.read_text(encoding="ascii").strip().removesuffix("K")) * 1024.0)
    return max(sizes, default=float(CACHE_BYTES))
