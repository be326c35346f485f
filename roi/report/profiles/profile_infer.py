"""How `roi profile infer` is told: prefill and decode by size, and what an unmerged adapter costs."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from roi.estimate.training.targets import adaptable
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.profiles import InferPoint, InferProfile
from roi.report.layout.blocks import Block, Gap, Row, Table
from roi.report.layout.wording import from_to
from roi.report.profiles.shared_remarks import cautions, kept_blocks, profile_text
from roi.units import GIB

SCHEMA = "roi.infer/1"
HEADS = ("batch", "prompt", "adapter", "n", "prefill", "TPOT ms", "5-95%", "decode", "GiB")
RATIO_HEADS = ("seconds", "batch", "prompt", "ratio", "5-95%")
UNREST = 1.25
"""Ratio of a merged model's steps to the base's from which the machine was not at rest: both run the same operators."""
STORED_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "nf4": 0.516}
"""Bytes that a weight takes; NF4 with double quantisation: (4 + 8 / 64 + 32 / 16384) / 8."""


@dataclass(frozen=True)
class InferLine:
    """What the timed steps of one point come to, in SI units."""

    batch: int
    prompt_tokens: int
    adapter: str
    prefills: int
    decodes: int
    prefill_tokens_per_s: float
    """Prompt tokens of the whole batch over the median prefill."""
    tpot_s: float
    """The median decode step: the seconds until each sequence's next token."""
    tpot_p05_s: float
    tpot_p95_s: float
    decode_tokens_per_s: float
    """Tokens of the whole batch over the median decode step."""
    memory_bytes: float | None
    """What torch allocated on a GPU, else the highest resident set of the process."""


@dataclass(frozen=True)
class RatioLine:
    """How much longer a step takes with the adapter in one state than in another, at the same size."""

    what: str
    """The kind of step, prefill or decode."""
    batch: int
    prompt_tokens: int
    over: str
    """The two states of the adapter: unmerged/merged or merged/base."""
    ratio: float
    """The ratio of the medians."""
    low: float
    """The 5th percentile of the ratios of every pair of timed steps."""
    high: float
    """The 95th percentile of the same ratios."""


def infer_lines(profile: InferProfile) -> list[InferLine]:
    """One line for each point, ordered by size."""
    order = ("base", "merged", "unmerged")
    lines = []
    for p in sorted(profile.points, key=lambda p: (p.batch, p.prompt_tokens, order.index(p.adapter))):
        tpot, low, high = (float(x) for x in np.percentile(p.decode_s, (50, 5, 95)))
        lines.append(InferLine(
            batch=p.batch, prompt_tokens=p.prompt_tokens, adapter=p.adapter, prefills=len(p.prefill_s), decodes=len(p.decode_s),
            prefill_tokens_per_s=p.batch * p.prompt_tokens / float(np.median(p.prefill_s)), tpot_s=tpot, tpot_p05_s=low,
            tpot_p95_s=high, decode_tokens_per_s=p.batch / tpot,
            memory_bytes=p.memory.process_bytes if p.memory.allocated_bytes is None else p.memory.allocated_bytes))
    return lines


def ratio_lines(profile: InferProfile) -> list[RatioLine]:
    """The ratios of unmerged over merged, and of merged over base, at every size at which both were timed."""
    by_size: dict[tuple[int, int], dict[str, InferPoint]] = {}
    for point in profile.points:
        by_size.setdefault((point.batch, point.prompt_tokens), {})[point.adapter] = point
    lines = []
    for (batch, prompt), found in sorted(by_size.items()):
        for above, below in (("unmerged", "merged"), ("merged", "base")):
            if above in found and below in found:
                a, b = found[above], found[below]
                for what, timed in (("prefill", (a.prefill_s, b.prefill_s)), ("decode", (a.decode_s, b.decode_s))):
                    lines.append(RatioLine(what, batch, prompt, f"{above}/{below}", *step_ratio(*timed)))
    return lines


def step_ratio(above: Iterable[float], below: Iterable[float]) -> tuple[float, float, float]:
    """The ratio of the medians, and the 5th and 95th percentile of the ratios of all pairs of steps."""
    a, b = np.asarray(list(above)), np.asarray(list(below))
    low, high = np.percentile((a[:, None] / b[None, :]).ravel(), (5, 95))
    return float(np.median(a) / np.median(b)), float(low), float(high)


def infer_text(profile: InferProfile, shape: ModelShape | None, gpu: Gpu | None, path: Path | None = None) -> str:
    """The report for a terminal, no line wider than 80 columns but the one with the file's name."""
    title = f"{profile.model}, {profile.dtype}, adapter r{profile.rank} on all linear layers"
    tables: list[Block] = [Table(HEADS, tuple(Row((
        str(line.batch), f"{line.prompt_tokens:,}", line.adapter, f"{line.prefills}/{line.decodes}",
        f"{line.prefill_tokens_per_s:,.0f}", _ms(line.tpot_s), from_to(_ms(line.tpot_p05_s), _ms(line.tpot_p95_s), "-"),
        f"{line.decode_tokens_per_s:,.0f}", "-" if line.memory_bytes is None else f"{line.memory_bytes / GIB:.2f}",
    )) for line in infer_lines(profile)), align="")]
    ratios = tuple(
        Row((f"{r.what} {r.over}", str(r.batch), f"{r.prompt_tokens:,}", f"{r.ratio:.2f}",
             from_to(f"{r.low:.2f}", f"{r.high:.2f}", "-")))
        for r in ratio_lines(profile) if r.what == "decode" or r.over == "unmerged/merged")
    if ratios:
        tables += [Gap(), Table(RATIO_HEADS, ratios)]
    return profile_text([title], tables, _remarks(profile, shape, gpu), kept_blocks(path))


def infer_json(profile: InferProfile, shape: ModelShape | None, gpu: Gpu | None, path: Path | None = None) -> str:
    """The profile as JSON text, SI units; every timed step is in the profile's file."""
    return json.dumps({
        "schema": SCHEMA, "started": profile.started.isoformat(), "complete": profile.complete, "model": profile.model,
        "dtype": profile.dtype, "rank": profile.rank, "environment": profile.environment.model_dump(mode="json"),
        "points": [asdict(line) for line in infer_lines(profile)], "ratios": [asdict(line) for line in ratio_lines(profile)],
        "theory": {"tpot_s": tpot_floor_s(profile.dtype, shape, gpu)} if shape and gpu else None,
        "notes": profile.notes, "file": str(path) if path else None,
    }, indent=1, allow_nan=False)


def tpot_floor_s(dtype: str, shape: ModelShape, gpu: Gpu) -> float:
    """Seconds to read the active weights once at the datasheet's bandwidth: no decode step of a small batch is shorter.

    NF4 applies to the layers that bitsandbytes holds; the head, routers and experts stay 16 bits. The KV cache is left out.
    """
    wide = STORED_BYTES["bf16"] if dtype == "nf4" else STORED_BYTES[dtype]
    stack = sum(x.active_parameters * (STORED_BYTES[dtype] if adaptable(x) else wide) for x in shape.linears)
    return (stack + shape.head_parameters * wide) / gpu.bandwidth_bytes_per_s


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.4g}" if seconds < 1.0 else f"{seconds * 1e3:,.0f}"


def _remarks(profile: InferProfile, shape: ModelShape | None, gpu: Gpu | None) -> list[str]:
    texts = list(profile.notes)
    if shape and gpu:
        floor = tpot_floor_s(profile.dtype, shape, gpu)
        texts.append(f"theory: TPOT at least {floor * 1e3:.3g} ms, the base's weights read once at {gpu.id}'s bandwidth")
    texts += [f"batch {r.batch} x {r.prompt_tokens:,}: {r.what} of the merged model took {r.ratio:.2f} times the base's, whose"
              " operators are the same: the machine was not at rest, measure again" for r in ratio_lines(profile)
              if r.over == "merged/base" and profile.dtype != "nf4" and (r.low > UNREST or r.high < 1.0 / UNREST)]
    texts += cautions(profile, "these times are too long")
    texts.append("prefill, decode: tokens/s of the whole batch, by medians; n: timed prefills/decode steps; ratio: of medians,"
                 " 5-95% of every pair of steps; plain transformers, one step at a time: a server batches and is faster")
    return texts
