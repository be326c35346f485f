"""`roi profile device`: achieved rates of a GPU or a CPU, timed operator by operator within a budget.

Each operator is a call without arguments, its operands made beforehand.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from math import ceil, prod
from pathlib import Path
from time import perf_counter
from typing import Final

from roi.errors import RoiError
from roi.estimate.training.adapters import NF4_BLOCK
from roi.facts.profiles import DeviceProfile, Rate
from roi.profiling.board import Draw, PowerMeter
from roi.profiling.device.device_shapes import COLD, Case, Probe, choose_cases, product
from roi.profiling.session import Session, device_failed, first_line, ran_out
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import torch
from roi.units import GIB

Call = Callable[[], object]

functional = torch.nn.functional

DTYPES: Final = {
    "fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8,
}
CHAIN: Final = 100
"""Tiny operators in one timed chain."""
MOST_COPIES: Final = 32
DRAWN: Final = 2**20
"""Numbers drawn for an operand; larger ones repeat them. Random bits matter: switching them costs power, and clocks follow."""
SHORTEST_S: Final = {"cuda": 200e-6, "cpu": 20e-6}
"""Shorter samples hold several calls: recording an event takes a GPU about a microsecond, perf_counter a CPU a tenth of one."""
WARM_UP: Final = 2
"""Calls before the first timed one: the first loads kernels and allocates, the second finds the clocks up."""
LEAST: Final = 3
MOST: Final = 40
"""Timed samples of one call, at least and at most."""
LOOK: Final = 64
"""Kernels of the first look at how long a call takes."""
QUEUE: Final = 900
"""Kernels issued ahead of the device: CUDA's launch queue holds about a thousand, and a host that finds it full waits."""
KERNELS: Final = 8
"""Kernels of one call at most: a norm has seven."""
CYCLES_PER_S: Final = 2.5e9
"""Above every GPU clock: a wait given in cycles then lasts at least as long as meant."""
LONGEST_WAIT_S: Final = 0.1
"""Seconds that the device waits at most for a host that issues: 900 kernels at 20 us take a fifth of it."""
ISSUES: Final = 3
"""Calls issued to learn how long the host takes for one; the quickest counts, since a host stumbles."""
CACHE_BYTES: Final = 32 * 2**20
"""Last-level cache of a host that does not say: the share of one core complex in current server chips."""
PROBE_SHAPE: Final = {"cuda": (2048, 4096, 4096), "cpu": (64, 512, 512)}
"""(m, n, k) that is large enough to show the rate of a type and small enough for the slowest one."""
SHORTEST_SLOT_S: Final = 0.02
"""Every case gets this much: quick ones then have forty samples."""
PROBE_COPY: Final = {"cuda": 2**28, "cpu": 2**26}
"""Bytes of the copy that shows the bandwidth."""


class Operands:
    """Makes operands on one device from one seed."""

    def __init__(self, device: str, cache_bytes: float, seed: int = 0) -> None:
        self.device = device
        self.cache_bytes = cache_bytes
        self.generator = torch.Generator(device=device).manual_seed(seed)

    def normal(self, *shape: int, dtype: str = "fp32") -> torch.Tensor:
        """Standard normal numbers; int8: whole numbers from -127 to 127."""
        count = prod(shape)
        drawn = min(count, DRAWN)
        if dtype == "int8":
            block = torch.randint(-127, 128, (drawn,), generator=self.generator, device=self.device, dtype=torch.int8)
        else:
            block = torch.randn(drawn, generator=self.generator, device=self.device).to(DTYPES[dtype])
        return block.repeat(ceil(count / drawn))[:count].view(*shape)

    def in_turn(self, first: torch.Tensor) -> Iterator[torch.Tensor]:
        """`first` and copies of it, endlessly, so that none is found in the cache."""
        copies = min(MOST_COPIES, max(1, ceil(COLD * self.cache_bytes / first.nbytes)))
        return cycle([first, *(first.clone() for _ in range(copies - 1))])


def build_call(case: Case, operands: Operands) -> Call:
    """The call of one case; its operands live as long as the call."""
    if case.regime == "copy":
        source = operands.normal(*case.shape)
        target = torch.empty_like(source)
        return lambda: target.copy_(source)
    builders: dict[str, Callable[[Case, Operands], Call]] = {
        "matrix": _matrix, "dequantise": _dequantise, "attention": _attention, "elementwise": _elementwise,
    }
    return builders[case.regime](case, operands)


@contextmanager
def matrix_precision(dtype: str) -> Iterator[None]:
    """fp32 products on CUDA in full precision, or on tensor cores for tf32; restored afterwards."""
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32" if dtype == "tf32" else "ieee"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def _matrix(case: Case, operands: Operands) -> Call:
    """x W^T as a linear layer computes it: the weight lies (outputs, inputs)."""
    if len(case.shape) == 4:
        batch, m, n, k = case.shape
        left, right = operands.normal(batch, m, k, dtype=case.dtype), operands.normal(batch, n, k, dtype=case.dtype)
        return lambda: torch.bmm(left, right.transpose(1, 2))
    m, n, k = case.shape
    inputs, weights = operands.normal(m, k, dtype=case.dtype), operands.in_turn(operands.normal(n, k, dtype=case.dtype))
    if case.dtype == "int8":
        return lambda: torch._int_mm(inputs, next(weights).t())  # torch's only int8 product
    return lambda: torch.mm(inputs, next(weights).t())


def _dequantise(case: Case, operands: Operands) -> Call:
    """A block is drawn and quantised, a larger weight repeats it: quantising takes a CPU longer than all the timing."""
    count = prod(case.shape)
    drawn = operands.normal(min(count, DRAWN), dtype="bf16")
    packed, state = bnb.functional.quantize_4bit(drawn, blocksize=NF4_BLOCK, quant_type="nf4")
    times = ceil(count / drawn.numel())
    packed = packed.flatten().repeat(times)[: count // 2].view(-1, 1)
    state.absmax = state.absmax.repeat(times)[: count // NF4_BLOCK]
    state.shape = torch.Size(case.shape)
    turn = operands.in_turn(packed)
    return lambda: bnb.functional.dequantize_4bit(next(turn), state)


def _attention(case: Case, operands: Operands) -> Call:
    query, key, value = (operands.normal(*case.shape, dtype=case.dtype) for _ in range(3))
    if case.name == "sdpa forward":
        return torch.no_grad()(lambda: functional.scaled_dot_product_attention(query, key, value, is_causal=True))
    inputs = tuple(x.requires_grad_() for x in (query, key, value))
    out = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    gradient = operands.normal(*case.shape, dtype=case.dtype)
    return lambda: torch.autograd.grad(out, inputs, gradient, retain_graph=True)


def _elementwise(case: Case, operands: Operands) -> Call:
    rows, columns = case.shape
    x = operands.normal(rows, columns, dtype=case.dtype)
    if case.name == "rms_norm":
        weight = operands.normal(columns, dtype=case.dtype)
        return torch.no_grad()(lambda: _rms_norm(x, weight))
    if case.name == "silu_mul":
        up = operands.normal(rows, columns, dtype=case.dtype)
        return torch.no_grad()(lambda: functional.silu(x) * up)
    if case.name == "softmax":
        return torch.no_grad()(lambda: functional.softmax(x, dim=-1, dtype=torch.float32))
    labels = torch.randint(0, columns, (rows,), generator=operands.generator, device=operands.device)
    return torch.no_grad()(lambda: functional.cross_entropy(x, labels))


def _rms_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The operators of transformers' RMSNorm modules."""
    wide = x.to(torch.float32)
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
    return weight * scaled.to(x.dtype)


def build_chain(name: str, operands: Operands) -> tuple[Call, Call]:
    """(what is done before each sample, the timed call): CHAIN tiny operators, or their backward pass."""
    x = torch.zeros(1, device=operands.device, requires_grad=name in ("host autograd", "host backward"))
    if name == "host backward":
        ends: list[torch.Tensor] = []

        def forward() -> None:
            ends[:] = [_chain(x)]

        return forward, lambda: torch.autograd.grad(ends[0], x)
    return lambda: None, lambda: _chain(x)


def _chain(x: torch.Tensor) -> torch.Tensor:
    for _ in range(CHAIN):
        x = x * 1.0
    return x


def time_call(call: Call, device: str, slot_s: float, kernels: int = KERNELS) -> tuple[float, ...]:
    """Seconds of one call in each sample after warm-up; as many samples as fit into `slot_s` seconds, LEAST to MOST.

    CUDA: device events around each sample while the host runs ahead, so that launching does not show; without a wait
    between calls, as in a training step; `kernels` of one call, at most. CPU: perf_counter around each sample.
    """
    for _ in range(WARM_UP):
        call()
    # by events on a GPU: a single call, synchronised, is mostly host, and samples sized by it would be too short
    look = [_elapsed(call, 1, device)] if device == "cpu" else _between_events(call, max(1, LOOK // kernels), 1)
    single = max(*look, 1e-7)
    calls = max(1, min(QUEUE // kernels, ceil(SHORTEST_S[device] / single)))
    count = max(LEAST, min(MOST, int(slot_s / (single * calls))))
    if device == "cpu":
        return tuple(_elapsed(call, calls, device) / calls for _ in range(count))
    seconds: list[float] = []
    while len(seconds) < count:
        seconds += _between_events(call, calls, min(count - len(seconds), max(1, QUEUE // (calls * kernels))))
    return tuple(seconds)


def _elapsed(call: Call, calls: int, device: str) -> float:
    """Seconds of so many calls, on a device that is done before and after."""
    synchronise(device)
    start = perf_counter()
    for _ in range(calls):
        call()
    synchronise(device)
    return perf_counter() - start


def _between_events(call: Call, calls: int, samples: int) -> list[float]:
    """Seconds of one call in each sample, by events; the device waits first until the host has issued everything."""
    issues = []
    for _ in range(ISSUES):
        synchronise("cuda")
        start = perf_counter()
        call()
        issues.append(perf_counter() - start)  # what the host takes to issue one call
    synchronise("cuda")
    events = [torch.cuda.Event(enable_timing=True) for _ in range(samples + 1)]
    wait = int(min(2.0 * min(issues) * calls * samples, LONGEST_WAIT_S) * CYCLES_PER_S)
    torch.cuda._sleep(wait)  # torch offers no other wait on the device
    events[0].record()
    for after in events[1:]:
        for _ in range(calls):
            call()
        after.record()
    synchronise("cuda")
    return [before.elapsed_time(after) / 1e3 / calls for before, after in pairwise(events)]


def synchronise(device: str) -> None:
    """Wait until the device has done what was issued."""
    if device == "cuda":
        torch.cuda.synchronize()


def profile_device(session: Session) -> DeviceProfile:
    """Rates of the session's device, every timed call kept; Ctrl-C or the budget ends it early with complete=False.

    The first shape is measured whatever it takes. Ctrl-C before anything is timed is passed on.
    """
    timing = _Timing(session)
    session.measure(timing.run, lambda: timing.rates)
    if not timing.rates:
        raise RoiError(f"nothing was measured: {'; '.join(session.notes) or 'no shape suits this device'}")
    environment = session.environment_under_load(timing.draw)
    return DeviceProfile(started=session.started, environment=environment, rates=tuple(timing.rates),
                         complete=timing.complete and not session.cut, notes=session.all_notes)


@dataclass
class _Timing:
    """Rates as they come in; what is here when a run is interrupted is kept."""

    session: Session
    rates: list[Rate] = field(default_factory=list)
    complete: bool = True
    draw: Draw | None = None
    """Clocks while cases were timed, the first look at the device left out."""

    def run(self) -> None:
        """Probe the device, choose the cases, and time one after the other."""
        session, meter = self.session, PowerMeter(self.session.board)
        probe, unsupported = probe_device(session.device, session.seed)
        cases, omitted = choose_cases(probe, session.budget_s)
        session.notes += unsupported
        if omitted:
            session.notes.append(f"{omitted} shapes left out: too large, or too slow for a budget of {session.budget_s:g} s")
        meter.start()
        try:
            self._time(cases, probe)
        finally:
            self.draw = meter.stop()

    def _time(self, cases: Sequence[Case], probe: Probe) -> None:
        session = self.session
        operands = Operands(session.device, probe.cache_bytes, session.seed)
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
    caches = _caches_bytes(device)
    memory = torch.cuda.mem_get_info()[0] / 2.0 if device == "cuda" else _host_bytes()
    operands = Operands(device, 0.0, seed)
    notes, flops = [], {}
    for dtype in DTYPES:
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
    if seconds is None:
        raise RoiError(f"the device copies no fp32 numbers: this torch ({torch.__version__}) has no kernels for it")
    return Probe(device, flops, copy.work / seconds, max(caches), memory, sum(caches)), notes


def _first_look(case: Case, operands: Operands) -> float | None:
    """Shortest of LEAST calls; None where torch has no kernel for the type."""
    try:
        with matrix_precision(case.dtype):
            return min(time_call(build_call(case, operands), operands.device, 0.0))
    except (RuntimeError, NotImplementedError) as error:
        if device_failed(error):
            raise
        return None


def _measure(case: Case, operands: Operands, slot_s: float, notes: list[str]) -> Rate | None:
    """The timed rate; None with a note where memory does not suffice or the operator has no kernel here."""
    try:
        with matrix_precision(case.dtype):
            seconds = _chained(case.name, operands, slot_s) if case.regime == "launch" else (
                time_call(build_call(case, operands), operands.device, slot_s))
    except (RuntimeError, NotImplementedError) as error:
        if device_failed(error):
            raise
        notes.append(f"{case.name} {case.dtype} {case.shape}: {'out of memory' if ran_out(error) else first_line(error)[:120]}")
        return None
    if operands.device == "cuda":
        torch.cuda.empty_cache()  # the next case needs blocks of other sizes
    return Rate(regime=case.regime, name=case.name, dtype=case.dtype, shape=case.shape, work=case.work, unit=case.unit,
                seconds=seconds)


def _chained(name: str, operands: Operands, slot_s: float) -> tuple[float, ...]:
    """Seconds of one tiny operator in a chain: on the device behind a host that runs ahead, or on the host alone."""
    before, call = build_chain(name, operands)
    if name == "device":
        return tuple(s / CHAIN for s in time_call(call, operands.device, slot_s, CHAIN))
    samples: list[float] = []
    end = perf_counter() + slot_s
    while len(samples) < LEAST + 1 or (perf_counter() < end and len(samples) <= MOST):
        before()
        synchronise(operands.device)
        start = perf_counter()
        call()
        samples.append((perf_counter() - start) / CHAIN)
        synchronise(operands.device)
    return tuple(samples[1:])  # the first one is warm-up


def _host_bytes() -> float:
    """Memory of a host that operands may take: an eighth of what is free, since others work there too, and a GiB at least."""
    with contextlib.suppress(OSError, ValueError):  # of systems that do not count free pages
        return max(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 8.0, float(GIB))
    return float(GIB)


def _caches_bytes(device: str, cores: Path = Path("/sys/devices/system/cpu")) -> list[float]:
    """Every last-level cache; on a Linux host one for each group of cores that share one, as the cores say."""
    if device == "cuda":
        return [float(torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size)]
    found: dict[str, float] = {}
    for core in cores.glob("cpu[0-9]*"):
        sizes = {}
        for index in (core / "cache").glob("index*"):
            with contextlib.suppress(OSError, ValueError):
                size = float((index / "size").read_text(encoding="ascii").strip().removesuffix("K")) * 1024.0
                sizes[size] = (index / "shared_cpu_list").read_text(encoding="ascii").strip()
        if sizes:
            found[sizes[max(sizes)]] = max(sizes)
    return list(found.values()) or [float(CACHE_BYTES)]
