"""Step time as a fixed part and a part per token, through the points of a training profile, where such a line holds."""

from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from roi.facts.profile import TrainPoint

LEAST_SIZES: Final = 3
"""Through two sizes a line always goes: it says nothing about a third."""

FURTHEST_OFF: Final = 0.2
"""A line that misses a measured step by more is not shown: products round tokens up to tiles of 64 to 256, so steps of a quiet
device leave the line by up to a fifth; further off it is noise, or a cache that overflowed."""


class StepLine(NamedTuple):
    """step = fixed + per_token x tokens, through the medians of the points."""

    fixed_s: float
    per_token_s: float
    worst_error: float
    """Largest |line / median - 1|."""


def timed_steps(point: TrainPoint) -> tuple[float, ...]:
    """Seconds of the steps after the warm-up."""
    return point.step_s[point.warmup :]


def step_line(points: Sequence[TrainPoint]) -> StepLine | None:
    """The line through the points' medians that is smallest in relative squares; None with fewer than LEAST_SIZES sizes.

    Relative, because the steps differ by orders of magnitude and the short ones hold the fixed part. Neither part is below 0:
    where one would be, the best line without it.
    """
    tokens = np.asarray([float(p.micro_batch * p.seq) for p in points])
    seconds = np.asarray([median(timed_steps(p)) for p in points])
    if len(set(tokens.tolist())) < LEAST_SIZES:
        return None
    system = np.stack([1.0 / seconds, tokens / seconds], axis=1)
    both = np.linalg.lstsq(system, np.ones_like(seconds))[0]
    alone = system.sum(axis=0) / (system * system).sum(axis=0)  # least squares with one of the two parts
    ways = [both] if (both >= 0.0).all() else [np.asarray([alone[0], 0.0]), np.asarray([0.0, alone[1]])]
    fixed, slope = min(ways, key=lambda way: float(((system @ way - 1.0) ** 2).sum()))
    errors = np.abs((fixed + slope * tokens) / seconds - 1.0)
    return StepLine(float(fixed), float(slope), float(errors.max()))


def step_remark(points: Sequence[TrainPoint]) -> str:
    """The line in words, or why there is none; empty without points."""
    if not points:
        return ""
    line, sizes = step_line(points), len({p.micro_batch * p.seq for p in points})
    if line is None:
        return f"step time by tokens: no line through {sizes} size{'s' if sizes > 1 else ''}; it wants {LEAST_SIZES} at least"
    if line.worst_error > FURTHEST_OFF:
        return (f"step time by tokens: no line holds; the best one misses a median by {100.0 * line.worst_error:.0f}%"
                f" (at most {100.0 * FURTHEST_OFF:.0f}%)")
    parts = [f"{1e3 * line.fixed_s:,.2f} ms"] if line.fixed_s else []
    parts += [f"{1e6 * line.per_token_s:,.3f} us x tokens"] if line.per_token_s else []
    return f"step = {' + '.join(parts)}, through {len(points)} medians, the worst {100.0 * line.worst_error:.0f}% off"
