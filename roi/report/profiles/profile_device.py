"""How `roi profile device` is told: achieved rates beside the datasheet's, on a terminal or as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import get_args

from roi.estimate.step.rates import product_shape
from roi.facts.environment import Environment
from roi.facts.gpu import Gpu
from roi.facts.profiles import MEMORY_COPY, Collective, DeviceProfile, LinkRate, Rate
from roi.report.layout.blocks import Block, Row, Table
from roi.report.profiles.shared_remarks import cautions, kept_blocks, profile_text
from roi.units import KIB, MIB

SCHEMA = "roi.device/1"
HEADS = ("regime", "dtype", "n", "best", "typical", "theory", "best/theory")
COLLECTIVES = get_args(Collective)
LINK_HEADS = ("message", *(head for name in COLLECTIVES for head in (f"{name}\nus", "\nGB/s")))
SKINNY = 64
"""A product with a side up to this one counts as skinny: adapters, and decoding in small batches."""


@dataclass(frozen=True)
class RateLine:
    """The rates of one group of like operators, in FLOP/s or bytes/s; of a launch, its seconds."""

    regime: str
    name: str
    dtype: str
    unit: str
    """The unit of the rates: FLOP/s, byte/s or s."""
    shapes: int
    calls: int
    """How many samples of all shapes were timed."""
    best: float
    """The best of the shapes' medians; the shortest sample of a launch."""
    typical: float
    """The median of the shapes' medians."""
    theory: float | None
    """The datasheet's figure; None on a CPU, for launches, and for cards that the catalog lacks."""


def rate_lines(profile: DeviceProfile, gpu: Gpu | None) -> list[RateLine]:
    """One line for each group of like operators."""
    groups: dict[tuple[str, str, str], list[Rate]] = {}
    for rate in profile.rates:
        batch, *sides = product_shape(rate.shape) if rate.regime == "matrix" else (0,)
        name = f"{rate.name} skinny" if batch == 1 and min(sides) <= SKINNY else rate.name
        groups.setdefault((rate.regime, name, rate.dtype), []).append(rate)
    order = ("matrix", "attention", "copy", "dequantise", "elementwise", "launch")
    keys = sorted(groups, key=lambda key: (order.index(key[0]), *key[1:]))
    return [_line(*key, groups[key], gpu) for key in keys]


def device_text(profile: DeviceProfile, gpu: Gpu | None, path: Path | None = None) -> str:
    """The report for a terminal, no line wider than 80 columns but the one with the file's name."""
    tables: list[Block] = []
    if profile.rates:
        tables.append(Table(HEADS, tuple(Row(_cells(line)) for line in rate_lines(profile, gpu)), align="ll"))
    if profile.link:
        sizes = dict.fromkeys(rate.message_bytes for rate in profile.link)
        rows = tuple(Row(_link_cells(size, [r for r in profile.link if r.message_bytes == size])) for size in sizes)
        tables.append(Table(LINK_HEADS, rows, align="r"))
    return profile_text([_title(profile.environment)], tables, _remarks(profile, gpu), kept_blocks(path))


def device_json(profile: DeviceProfile, gpu: Gpu | None, path: Path | None = None) -> str:
    """The profile as JSON text, SI units; every timed call is in the profile's file."""
    return json.dumps({
        "schema": SCHEMA, "started": profile.started.isoformat(), "complete": profile.complete,
        "environment": profile.environment.model_dump(mode="json"), "gpu": gpu.id if gpu else None,
        "rates": [asdict(line) for line in rate_lines(profile, gpu)],
        "link": [{"collective": rate.collective, "ranks": rate.ranks, "message_bytes": rate.message_bytes, "s": rate.typical_s,
                  "bus_bytes_per_s": rate.ring_bytes / rate.typical_s} for rate in profile.link],
        "notes": profile.notes, "file": str(path) if path else None,
    }, indent=1, allow_nan=False)


def _line(regime: str, name: str, dtype: str, rates: list[Rate], gpu: Gpu | None) -> RateLine:
    seconds = [s for rate in rates for s in rate.seconds]
    speeds = [rate.work / median(rate.seconds) for rate in rates]
    launch, theory = regime == "launch", None
    if gpu and not launch:  # memory bandwidth, or the dense matrix rate of the type
        theory = (gpu.bandwidth_bytes_per_s if rates[0].unit == "byte"
                  else gpu.tf32_flops if dtype == "tf32" else gpu.matrix_flops(dtype))
    return RateLine(
        regime=regime, name=name, dtype=dtype, unit="s" if launch else f"{rates[0].unit}/s", shapes=len(rates), theory=theory,
        calls=len(seconds), best=min(seconds) if launch else max(speeds), typical=median(seconds if launch else speeds))


def _cells(line: RateLine) -> tuple[str, ...]:
    large = ("TFLOP/s", 1e12) if line.best >= 1e12 else ("GFLOP/s", 1e9)
    unit, scale = {"FLOP/s": large, "byte/s": ("GB/s", 1e9)}.get(line.unit, ("us", 1e-6))
    rates = ("-" if x is None else f"{x / scale:,.0f}" if x / scale >= 1000 else f"{x / scale:.3g}"
             for x in (line.best, line.typical, line.theory))
    ratio = "-" if line.theory is None else f"{line.best / line.theory:.2f}"
    name = f"{line.regime} {line.name}" if line.regime in ("dequantise", "launch") else line.name
    name += ", cached" * (name == "copy")  # beside those of memory, a line of their own
    return f"{name}, {unit}", line.dtype, f"{line.shapes}/{line.calls}", *rates, ratio


def _link_cells(nbytes: int, rates: list[LinkRate]) -> tuple[str, ...]:
    """The message, then time and bandwidth of each collective."""
    cells = [f"{nbytes / MIB:,.0f} MiB" if nbytes >= MIB else f"{nbytes / KIB:,.0f} KiB"]
    for name in COLLECTIVES:
        rate = next((r for r in rates if r.collective == name), None)
        if rate is None:
            cells += ["-", "-"]
        else:
            cells += [f"{rate.typical_s * 1e6:,.0f}", f"{rate.ring_bytes / rate.typical_s / 1e9:.3g}"]
    return tuple(cells)


def _of_memory(profile: DeviceProfile) -> bool:
    return any(rate.name == MEMORY_COPY for rate in profile.rates)


def _title(e: Environment) -> str:
    facts: list[str] = [e.gpu_name or e.device]
    if e.device == "cuda":
        facts += [f"driver {e.driver}" if e.driver else "", f"CUDA {e.cuda}" if e.cuda else "",
                  f"{e.sm_clock_hz / 1e6:,.0f} MHz under load" if e.sm_clock_hz else "",
                  f"limit {e.power_limit_w:.0f} W" if e.power_limit_w else ""]
    else:
        facts += [f"{e.threads} of {e.cores} cores used" if e.threads and e.cores else ""]
    facts += [f"torch {e.versions['torch']}" if "torch" in e.versions else "",
              f"load {e.load_average[0]:.1f}" if e.load_average else ""]
    return ", ".join(fact for fact in facts if fact)


def _remarks(profile: DeviceProfile, gpu: Gpu | None) -> list[str]:
    texts = [*profile.notes, *cautions(profile, "these rates are too low")]
    if profile.link:
        datasheet = f" Datasheet: {gpu.link_bytes_per_s / 1e9:,.0f} GB/s ({gpu.id})." if gpu else ""
        texts.append(f"{profile.link[0].ranks} ranks. us: median of the timed calls, each of the rank that took longest. GB/s: "
                     "what every rank of a ring sends, (N - 1)/N of the message, for an all-reduce twice that. The smallest "
                     f"message shows the latency.{datasheet}")
    if not profile.rates:
        return texts
    beyond = ("a memory copy moves at least three times what all last-level caches hold" if _of_memory(profile) else
              "no copy beyond the caches was timed, so that the rate of memory is not known: --budget, or free memory")
    texts.append(f"n: shapes/timed samples. best, typical: largest and median of the shapes' median rates. skinny: a side of at"
                 f" most {SKINNY}. Element-wise operators that fit the cache run above memory bandwidth, and so do copies,"
                 f" cached; {beyond}.")
    if gpu:
        texts.append(f"theory: {gpu.id}, dense matrix rate or memory bandwidth ({gpu.source})")
    return texts
