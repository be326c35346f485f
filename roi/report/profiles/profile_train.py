"""How `roi profile train` is told: step times and the line through them, memory beside its prediction, power."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from roi.estimate.step.step_time import StepEfficiency, step_time
from roi.estimate.training.plan import TrainingPlan
from roi.evidence.training_speed import why_unread
from roi.facts.environment import Environment
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.profiles import TrainPoint, TrainProfile
from roi.numerics.least_squares import nnls
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table
from roi.report.profiles.shared_remarks import cautions, kept_blocks, profile_text
from roi.report.training.fit_words import method_words
from roi.store.profiles.folders import canonical_gpu
from roi.store.profiles.plan_record import read_plan
from roi.units import GIB, formatted

TIME_HEADS = ("batch", "tokens", "steps", "median ms", "min ms", "tokens/s", "MFU", "loss", "W", "J/token")
MEMORY_HEADS = ("batch", "tokens", "allocated", "predicted", "error", "reserved", "process", "device")
RANK_HEADS = ("batch", "tokens", "rank", "median ms", "alone ms", "exposed", "allocated", "reserved", "process", "W")
LEAST_SIZES: Final = 3
"""Sizes that a line needs: through two of them one always goes, and says nothing about a third."""
FURTHEST_OFF: Final = 0.2
"""A line that misses a measured step by more is not shown: products round tokens up to tiles of 64 to 256, so steps of a quiet
device leave the line by up to a fifth; further off it is noise, or a cache that overflowed."""


class StepLine(NamedTuple):
    """A line through the median step times of the points: step = fixed + per_token x tokens."""

    fixed_s: float
    per_token_s: float
    worst_error: float
    """The largest |line / median - 1| of the points."""


def step_line(points: Sequence[TrainPoint]) -> StepLine | None:
    """The line through the points' medians that is smallest in relative squares; None with fewer than LEAST_SIZES sizes.

    Relative, because the steps differ by orders of magnitude and the short ones hold the fixed part. Neither part is below 0.
    """
    tokens = np.asarray([float(p.mean_slots) for p in points])
    seconds = np.asarray([p.typical_s for p in points])
    if len(set(tokens.tolist())) < LEAST_SIZES:
        return None
    system = np.stack([1.0 / seconds, tokens / seconds], axis=1)
    fixed, slope = nnls(system, np.ones_like(seconds))
    errors = np.abs((fixed + slope * tokens) / seconds - 1.0)
    return StepLine(float(fixed), float(slope), float(errors.max()))


def step_remark(points: Sequence[TrainPoint]) -> str:
    """The words for the line through the points (at least one), or why there is none."""
    line, sizes = step_line(points), len({p.micro_batch * p.seq for p in points})
    if line is None:
        return f"step time by tokens: no line through {sizes} size{'s' if sizes > 1 else ''}; it wants {LEAST_SIZES} at least"
    if line.worst_error > FURTHEST_OFF:
        return (f"step time by tokens: no line holds; the best one misses a median by {100.0 * line.worst_error:.0f}%"
                f" (at most {100.0 * FURTHEST_OFF:.0f}%)")
    parts = [f"{1e3 * line.fixed_s:,.2f} ms"] if line.fixed_s else []
    parts += [f"{1e6 * line.per_token_s:,.3f} us x tokens"] if line.per_token_s else []
    return f"step = {' + '.join(parts)}, through {len(points)} medians, the worst {100.0 * line.worst_error:.0f}% off"


def train_text(profile: TrainProfile, shape: ModelShape | None, gpu: Gpu | None, file: Path | None,
               reached: tuple[float, str] | None = None) -> str:
    """The report, no line but the one with the file's name wider than 80 columns. `shape` and `gpu`, where known, give MFU.

    `reached`: (FLOP/s of the best matrix product of the plan's type on this card, the device profile that says so): no step
    has a higher MFU than that.
    """
    plan = read_plan(profile.plan)
    times = tuple(_time_row(p, plan, shape, gpu) for p in profile.points)
    tables: list[Block] = [
        Table(TIME_HEADS, times, align=""), Gap(),
        Paragraph("peak memory, GiB"), Table(MEMORY_HEADS, tuple(map(_memory_row, profile.points)), align=""),
    ] if times else [Paragraph("no point was measured")]
    ranks = tuple(_rank_row(p, rank) for p in profile.points for rank in range(len(p.ranks)))
    if ranks:
        tables += [Gap(), Paragraph(f"{plan.gpus} ranks, {'fully sharded' if plan.sharding == 'fsdp' else 'a replica each'}; "
                                    "peak memory, GiB"), Table(RANK_HEADS, ranks, align="")]
    after = (Notes((_next(profile),)), *kept_blocks(file)) if times and file is not None else kept_blocks(file)
    return profile_text(_title(profile, plan), tables, _remarks(profile, plan, shape, gpu, reached), after)


def _next(profile: TrainProfile) -> str:
    """What reads the profile from now on, as it is typed, or why nothing does."""
    if why := why_unread(profile):
        return f"next: nothing reads it: {why}"
    card = canonical_gpu(profile.environment)
    return f"next: roi fit MODEL --gpu {card} and roi compare take their speed there from it; roi calibrate: by how much"


def train_json(profile: TrainProfile) -> str:
    """The profile itself as JSON."""
    return profile.model_dump_json(by_alias=True, indent=1)


def utilisation(point: TrainPoint, plan: TrainingPlan, shape: ModelShape, gpu: Gpu) -> float:
    """MFU: arithmetic of forward and backward on examples, without recompute, over the step's time at the dense rate."""
    once = replace(plan, micro_batch=float(point.micro_batch), seq=point.mean_tokens / point.micro_batch, checkpointing=False)
    flops = float(step_time(shape, once, gpu, StepEfficiency(1.0, 1.0, 0.0)).flops)
    return flops / point.typical_s / gpu.matrix_flops(plan.dtype)


def _title(profile: TrainProfile, plan: TrainingPlan) -> list[str]:
    how = (f"{plan.dtype}{' autocast' if plan.autocast else ''}, {plan.attention}, {plan.optimizer}, "
           f"{'' if plan.kernels == 'none' else f'{plan.kernels} kernels, '}{'compiled, ' if profile.compiled else ''}"
           f"{'' if plan.checkpointing else 'no '}checkpointing, {plan.trainer} loop"
           f"{f', {plan.accumulation} micro-steps a step' if plan.accumulation > 1 else ''}; weights {profile.weights}")
    return [f"{profile.model}: {method_words(plan)}, {profile.trained_parameters:,} trained parameters", how,
            _machine(profile.environment)]


def _machine(e: Environment) -> str:
    parts = (
        e.gpu or e.gpu_name or e.device, f"{e.threads} threads" if e.device == "cpu" else "",
        f"{e.sm_clock_hz / 1e6:,.0f} MHz" if e.sm_clock_hz else "",
        f"limit {e.power_limit_w:.0f} W" if e.power_limit_w else "", f"driver {e.driver}" if e.driver else "",
        f"load {e.load_average[0]:.1f}" if e.load_average else "", f"torch {e.versions.get('torch', '?')}",
    )
    return ", ".join(part for part in parts if part)


def _time_row(point: TrainPoint, plan: TrainingPlan, shape: ModelShape | None, gpu: Gpu | None) -> Row:
    seconds, tokens = point.timed_s, point.mean_tokens
    middle = point.typical_s
    mfu = f"{100.0 * utilisation(point, plan, shape, gpu):.0f}%" if shape and gpu else "-"
    joules = "-" if point.energy_j is None else f"{point.energy_j / (tokens * len(seconds) * plan.accumulation):.2g}"
    loss = f"{point.losses[0]:.2f}>{point.losses[-1]:.2f}" if point.losses else "-"
    return Row((
        f"{point.micro_batch}", f"{point.seq:,}", f"{len(seconds)}", f"{1e3 * middle:,.1f}", f"{1e3 * min(seconds):,.1f}",
        f"{tokens / middle:,.0f}", mfu, loss, "-" if point.power_w is None else f"{point.power_w:.0f}", joules,
    ))


def _memory_row(p: TrainPoint) -> Row:
    m, predicted = p.memory, p.predicted_allocated_bytes
    error = formatted(predicted / m.allocated_bytes - 1.0, "+.1%") if predicted and m.allocated_bytes else "-"
    return Row((f"{p.micro_batch}", f"{p.seq:,}", _gib(m.allocated_bytes), _gib(predicted), error, _gib(m.reserved_bytes),
                _gib(m.process_bytes), _gib(m.device_bytes)))


def exposed(point: TrainPoint, rank: int) -> float | None:
    """Share of a rank's step that is communication which no computation hides; None where it was not measured."""
    one = point.ranks[rank]
    return None if not one.alone_s else max(0.0, 1.0 - median(one.alone_s) / median(one.step_s[point.warmup:]))


def _rank_row(point: TrainPoint, rank: int) -> Row:
    one, share = point.ranks[rank], exposed(point, rank)
    return Row((
        f"{point.micro_batch}", f"{point.seq:,}", f"{rank}", f"{1e3 * median(one.step_s[point.warmup:]):,.1f}",
        f"{1e3 * median(one.alone_s):,.1f}" if one.alone_s else "-", "-" if share is None else f"{100.0 * share:.0f}%",
        _gib(one.memory.allocated_bytes), _gib(one.memory.reserved_bytes), _gib(one.memory.process_bytes),
        "-" if one.power_w is None else f"{one.power_w:.0f}",
    ))


def _remarks(profile: TrainProfile, plan: TrainingPlan, shape: ModelShape | None, gpu: Gpu | None,
             reached: tuple[float, str] | None) -> list[str]:
    texts = [step_remark(profile.points)] if profile.points else []
    if profile.largest_micro_batch:
        found = "; ".join(f"{int(seq):,} tokens: {batch}" for seq, batch in profile.largest_micro_batch.items())
        texts.append(f"largest micro-batch that ran: {found}")
    if any(p.ranks for p in profile.points):
        texts.append("alone: steps in which nothing is sent; exposed: the part of a step that is communication which no "
                     "computation hides. A rank has one row of figures above, tokens/s and batch are those of one rank")
    texts += _way_remarks(profile, plan)
    free = [(p, p.free_step_s / p.typical_s - 1.0) for p in profile.points if p.free_step_s is not None]
    if free:
        texts.append("steps that are not waited for: "
                     + "; ".join(f"{p.micro_batch} x {p.seq:,} {formatted(change, '+.0%')}" for p, change in free))
    retried = [f"{p.micro_batch} x {p.seq:,}" for p in profile.points if p.memory.retries]
    if retried:
        texts.append(f"the allocator gave its cache back and tried again by {', '.join(retried)}: slower than need be")
    if profile.environment.slowed:
        texts.append(f"clocks were held down by: {', '.join(profile.environment.slowed)}")
    if shape and gpu and profile.points:
        texts.append(_mfu_remark(plan, gpu, reached))
    if profile.environment.device == "cpu" and profile.points:
        texts.append("process: highest resident set")
        if any(p.predicted_allocated_bytes for p in profile.points):
            texts[-1] += ". predicted: the closed form for a GPU; a CPU's memory does not follow it"
    return [*texts, *profile.notes, *cautions(profile, "these times are too long")]


def _mfu_remark(plan: TrainingPlan, gpu: Gpu, reached: tuple[float, str] | None) -> str:
    peak = gpu.matrix_flops(plan.dtype)
    most = "" if reached is None else f"; at most {100.0 * reached[0] / peak:.0f}%, the best product here ({reached[1]})"
    return f"MFU: forward and backward without recompute, over {peak / 1e12:,.0f} TFLOP/s ({gpu.id}, datasheet){most}"


def _way_remarks(profile: TrainProfile, plan: TrainingPlan) -> list[str]:
    """What steps under a compiler, and rows of real lengths, have of their own."""
    texts = ["predicted: nothing, the closed form knows no compiled step"] if profile.compiled else []
    return [*texts, _length_remark(profile, plan)] if profile.lengths else texts


def _length_remark(profile: TrainProfile, plan: TrainingPlan) -> str:
    """The words for the examples that rows were made of, and how much of each size was padding."""
    least, middle, most = (profile.lengths[at] for at in (0, 5, 10))
    filled = "; ".join(f"{p.micro_batch} x {p.seq:,} {100.0 * (1.0 - p.mean_tokens / p.mean_slots):.0f}%"
                       for p in profile.points)
    return (f"examples of {least:,} to {most:,} tokens, half of them up to {middle:,}, {'packed' if plan.packed else 'padded'};"
            f" tokens: the most a row may have; ms: the mean; padding, {filled} of what is computed, is not in tokens/s")


def _gib(value: float | None) -> str:
    return "-" if value is None else f"{value / GIB:.2f}" if value >= 0.1 * GIB else f"{value / GIB:.3f}"
