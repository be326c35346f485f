"""Errors of a calibration on runs that it has not seen: of the same group, one run, one source, or one GPU left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Final, Literal

import numpy as np

from roi.estimate.accuracy.profile_left_in import LeftInBlock, left_in_blocks, profile_left_in
from roi.estimate.step.calibration import ONE_GPU, GroupFit, TimedRun, evidence_for, grouped, log_ratios, scale_group
from roi.estimate.step.own_runs import Asked, nothing_published, with_own_runs
from roi.estimate.step.step_time import StepEfficiency
from roi.numerics.arrays import Array

SUBSETS: Final = 2000
"""Most choices of three runs that are averaged; beyond, every so-many-th is taken."""


def fit_group(runs: Sequence[TimedRun]) -> GroupFit:
    """The scale of one group and its errors on runs of the group that it has not seen."""
    logs = log_ratios(runs)
    apart = [float(np.median(np.delete(logs, i))) - logs[i] for i in range(len(logs)) if len(logs) > 1]
    return replace(
        scale_group(runs), left_out=median_error(np.asarray(apart)) if apart else None, from_three=_from_three(logs),
        from_first_three=_rest(logs, (0, 1, 2)),
    )


def median_error(logs: Array) -> float:
    """Median of |ratio - 1| over logarithms of ratios, percent."""
    return 100.0 * float(np.median(np.abs(np.expm1(logs))))


def _from_three(logs: Array) -> float | None:
    """Median error of the rest, averaged over the choices of three."""
    if len(logs) < 4:
        return None
    step = max(1, comb(len(logs), 3) // SUBSETS)
    chosen = (three for i, three in enumerate(combinations(range(len(logs)), 3)) if i % step == 0)
    return float(np.mean([_rest(logs, three) for three in chosen]))


def _rest(logs: Array, chosen: tuple[int, ...]) -> float | None:
    """Median error of the others from the mean scale of the chosen, percent."""
    if len(logs) <= len(chosen):
        return None
    # log(predicted speed / measured): the speed is the measured one's at the scale of its own
    return median_error(float(np.mean(logs[list(chosen)])) - np.delete(logs, list(chosen)))


@dataclass(frozen=True)
class LeftOut:
    """Errors over the runs that were left out in turn."""

    n: int
    median_error: float
    """Median of |predicted / measured - 1| of tokens/s, percent."""
    low_ratio: float
    """5th percentile of measured / predicted tokens/s."""
    high_ratio: float
    """95th percentile of measured / predicted tokens/s."""
    coverage: float
    """Percent of runs inside the stated 90% interval."""


def leave_one_out(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> LeftOut | None:
    """Each run from the others of its group, as runs of one's own, over other sources. None where no group has two runs."""
    found = []
    for group in grouped(runs):
        others = [run for run in runs if run.source != group[0].source]
        for run in group if len(group) > 1 else ():
            rest = [x for x in group if x is not run]
            found.append(_against(run, others, efficiency, rest))
    return _summary(found)


def leave_out(runs: Sequence[TimedRun], efficiency: StepEfficiency, by: Literal["source", "gpu"]) -> dict[str, LeftOut]:
    """Each source from all the others (on the same GPU where there are any), or each GPU from all the others; and "all"."""
    found: dict[str, list[tuple[float, float] | None]] = {}
    for name in dict.fromkeys(getattr(run, by) for run in runs):
        rest = [run for run in runs if getattr(run, by) != name]
        found[name] = [_against(run, rest, efficiency) for run in runs if getattr(run, by) == name]
    found["all"] = [error for errors in found.values() for error in errors]
    summaries = {name: _summary(errors) for name, errors in found.items()}
    return {name: summary for name, summary in summaries.items() if summary is not None}


def _against(
    run: TimedRun, rest: Sequence[TimedRun], efficiency: StepEfficiency, own: Sequence[TimedRun] = (),
) -> tuple[float, float] | None:
    """(log(measured / predicted) of the speed, half of the stated interval); None where the rest says nothing."""
    groups = [scale_group(group) for group in grouped(rest)]
    found = evidence_for(run.gpu, run.layout, groups, efficiency, pcie=run.pcie)
    if own:
        found = with_own_runs(found or nothing_published(efficiency), own, Asked(run.method, run.model, run.theory_s, run.size))
    if found is None:
        return None
    centre = float(np.log(found.efficiency.overall))
    return run.log_ratio - centre, float(np.log(found.high)) - centre


def _summary(errors: Sequence[tuple[float, float] | None]) -> LeftOut | None:
    known = [error for error in errors if error is not None]
    if not known:
        return None
    apart, half = np.asarray(known).T
    low, high = np.exp(np.percentile(apart, [5.0, 95.0]))
    return LeftOut(n=len(apart), median_error=median_error(-apart), low_ratio=float(low), high_ratio=float(high),
                   coverage=100.0 * float(np.mean(np.abs(apart) <= half)))


@dataclass(frozen=True)
class AfterProfile:
    """Errors of the runs that a short profile of their card and source has not seen: one scale from three of them."""

    n: int
    quartiles: float
    """Median error, percent, where the three are those at the quartiles of the roofline's step time: a profile's points are
    chosen, and lie within what is run."""
    any_three: float
    """Median error, percent, over every choice of three, each run counted alike."""


def after_profile(groups: Iterable[Sequence[TimedRun]]) -> AfterProfile | None:
    """Errors of all groups of four runs or more, pooled; None where there is none."""
    chosen: list[Array] = []
    apart: list[Array] = []
    weights: list[Array] = []
    for group in groups:
        count = len(group)
        if count < 4:
            continue
        logs = np.array([run.log_ratio for run in sorted(group, key=lambda run: run.theory_s)])
        chosen.append(_unseen(logs, (count // 4, count // 2, 3 * count // 4)))
        logs.sort()
        below = np.arange(count)
        above = count - 1 - below
        middle, other = np.nonzero(~np.eye(count, dtype=bool))
        apart.append(np.abs(np.expm1(logs[middle] - logs[other])))
        # of the choices whose median is `middle`, one below and one above it, those without `other`
        without = np.where(other < middle, (below[middle] - 1) * above[middle], below[middle] * (above[middle] - 1))
        weights.append(without * (count / comb(count, 3) / (count - 3)))
    if not chosen:
        return None
    errors, counts = np.concatenate(apart), np.concatenate(weights)
    order = np.argsort(errors)
    half = np.searchsorted(np.cumsum(counts[order]), counts.sum() / 2.0)
    unseen = np.concatenate(chosen)
    return AfterProfile(len(unseen), median_error(unseen), 100.0 * float(errors[order][half]))


def _unseen(logs: Array, three: tuple[int, ...]) -> Array:
    """log(predicted / measured speed) of the others, at the median scale of the three."""
    found: Array = np.median(logs[list(three)]) - np.delete(logs, list(three))
    return found


@dataclass(frozen=True)
class Calibration:
    """What runs say of the roofline."""

    runs: tuple[TimedRun, ...]
    groups: tuple[GroupFit, ...]
    """Fits of the runs of each GPU, source and layout."""
    pairs: tuple[GroupFit, ...]
    """Fits of the runs of each GPU and source, whatever their layout (`layout` is then "all")."""
    after_profile: dict[str, AfterProfile | None]
    """One scale for a GPU and source: where one GPU runs, for each layout by itself, and one for all layouts together."""
    run_left_out: LeftOut | None
    source_left_out: dict[str, LeftOut]
    gpu_left_out: dict[str, LeftOut]
    profile_left_in: dict[str, LeftInBlock]
    """Some rows as a profile, the others of their source on their card predicted with it, by what both share."""


def fit_calibration(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> Calibration:
    """Fits of every group, and their errors on runs, sources and GPUs left out."""
    pairs: dict[tuple[str, str], list[TimedRun]] = {}
    for run in runs:
        pairs.setdefault((run.gpu, run.source), []).append(replace(run, layout="all"))
    return Calibration(
        runs=tuple(runs), groups=tuple(fit_group(group) for group in grouped(runs)),
        pairs=tuple(fit_group(group) for group in pairs.values()),
        after_profile={
            "runs on one GPU": after_profile(grouped([run for run in runs if run.layout == ONE_GPU])),
            "each layout by itself": after_profile(grouped(runs)), "all layouts together": after_profile(pairs.values())},
        run_left_out=leave_one_out(runs, efficiency), source_left_out=leave_out(runs, efficiency, "source"),
        gpu_left_out=leave_out(runs, efficiency, "gpu"),
        profile_left_in=left_in_blocks(profile_left_in(runs, efficiency)),
    )
