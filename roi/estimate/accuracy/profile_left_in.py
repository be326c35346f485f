"""How intervals after a profile hold: rows of a source on a card stand for a profile, and its other rows are predicted.

A profile is the one to three rows at the quartiles of step time of one model and method. What the source's other groups say is
left out of the published side, so that the prior has not seen its software.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from roi.estimate.step.calibration import Evidence, TimedRun, evidence_for, grouped, scale_group
from roi.estimate.step.own_runs import Asked, nothing_published, with_own_runs
from roi.estimate.step.step_time import StepEfficiency


class LeftIn(NamedTuple):
    """One row beside its prediction, in logarithms of speed."""

    source: str
    near: str
    """What it shares with the profile."""
    away: float
    """Distance of the measured speed from its prediction."""
    half: float
    """Half of the 90% interval of the prediction."""
    away_before: float
    """Distance of the measured speed from its prediction without the profile."""
    half_before: float
    contradicts: bool
    """True where the profile lies outside of the interval without it."""


@dataclass(frozen=True)
class LeftInBlock:
    """Rows that share as much with their profile."""

    n: int
    coverage: float
    """Percent of the rows inside the 90% interval."""
    coverage_before: float
    """Percent of the rows inside the 90% interval without the profile."""
    factor: float
    """Mean width of the interval, as its upper over its lower end (geometric)."""
    factor_before: float
    median_error: float
    """Median of |predicted / measured - 1|, percent."""
    median_error_before: float


def profile_left_in(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> list[LeftIn]:
    """Every row of every group, predicted from each profile of its group that does not hold it."""
    found: list[LeftIn] = []
    for source in dict.fromkeys(run.source for run in runs):
        others = [scale_group(group) for group in grouped(run for run in runs if run.source != source)]
        for group in grouped(run for run in runs if run.source == source):
            like = group[0]
            prior = evidence_for(like.gpu, like.layout, others, efficiency, pcie=like.pcie) or nothing_published(efficiency)
            for profile in _profiles(group):
                found += [_row(run, profile, prior) for run in group if run not in profile]
    return found


def _profiles(group: Sequence[TimedRun]) -> Iterable[list[TimedRun]]:
    configurations: dict[tuple[str, str], list[TimedRun]] = {}
    for run in group:
        configurations.setdefault((run.model, run.method), []).append(run)
    for alike in configurations.values():
        ordered, n = sorted(alike, key=lambda run: run.theory_s), len(alike)
        yield list(dict.fromkeys(ordered[k] for k in (n // 4, n // 2, 3 * n // 4)))


def _row(run: TimedRun, profile: Sequence[TimedRun], prior: Evidence) -> LeftIn:
    found = with_own_runs(prior, profile, Asked(run.method, run.model, run.theory_s, run.size))
    shared = [name for name in ("model", "method") if getattr(run, name) == getattr(profile[0], name)]
    centres = [float(np.log(float(each.efficiency.overall))) for each in (found, prior)]
    halves = [float(np.log(each.high / each.low)) / 2.0 for each in (found, prior)]
    return LeftIn(source=run.source, near=f"same {' and '.join(shared)}" if shared else "another model and method",
                  away=abs(run.log_ratio - centres[0]), half=halves[0], away_before=abs(run.log_ratio - centres[1]),
                  half_before=halves[1], contradicts=any(piece.contradicts for piece in found.pieces))


def left_in_blocks(rows: Sequence[LeftIn]) -> dict[str, LeftInBlock]:
    """Blocks of rows by what they share with their profile, then of those whose profile contradicts the prior, and of all."""
    parts = {near: [row for row in rows if row.near == near] for near in sorted({row.near for row in rows})}
    parts |= {"profile outside the interval before": [row for row in rows if row.contradicts], "all": list(rows)}
    return {name: _block(part) for name, part in parts.items() if part}


def _block(rows: Sequence[LeftIn]) -> LeftInBlock:
    away, half, away_before, half_before = np.array(
        [(row.away, row.half, row.away_before, row.half_before) for row in rows], dtype=float).T
    return LeftInBlock(
        n=len(rows), coverage=100.0 * float(np.mean(away <= half)),
        coverage_before=100.0 * float(np.mean(away_before <= half_before)),
        factor=float(np.exp(2.0 * np.mean(half))), factor_before=float(np.exp(2.0 * np.mean(half_before))),
        median_error=100.0 * float(np.median(np.expm1(away))),
        median_error_before=100.0 * float(np.median(np.expm1(away_before))))
