"""Errors of a calibration on runs that it has not seen: one run, one source, or one GPU left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from roi.estimate.calibration import GroupFit, TimedRun, evidence_for, fit_group, grouped, median_error, scale_group
from roi.estimate.steptime import StepEfficiency


@dataclass(frozen=True)
class LeftOut:
    """Errors over the runs that were left out in turn."""

    n: int
    median_error: float
    """Median of |predicted / measured - 1| of tokens/s, percent."""
    low_ratio: float
    """5th percentile of measured / predicted tokens/s."""
    high_ratio: float
    """95th percentile."""
    coverage: float
    """Percent of runs inside the stated 90% interval."""


def leave_one_out(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> LeftOut | None:
    """Each run from the others of its group: what a profile of one's own gives. None where no group has two runs."""
    found = []
    for group in grouped(runs):
        others = [run for run in runs if run not in group]
        for run in group if len(group) > 1 else ():
            rest = [x for x in group if x is not run]
            found.append(_against(run, [*rest, *others], efficiency, (run.source,)))
    return _summary(found)


def leave_source_out(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> dict[str, LeftOut]:
    """Each source from all the others (on the same GPU where there are any), and "all" of them."""
    return _leave_out(runs, efficiency, lambda run: run.source)


def leave_gpu_out(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> dict[str, LeftOut]:
    """Each GPU from all the others, and "all" of them."""
    return _leave_out(runs, efficiency, lambda run: run.gpu)


def _leave_out(runs: Sequence[TimedRun], efficiency: StepEfficiency, key: Callable[[TimedRun], str]) -> dict[str, LeftOut]:
    found: dict[str, list[tuple[float, float] | None]] = {}
    for name in dict.fromkeys(key(run) for run in runs):
        rest = [run for run in runs if key(run) != name]
        found[name] = [_against(run, rest, efficiency) for run in runs if key(run) == name]
    found["all"] = [error for errors in found.values() for error in errors]
    summaries = {name: _summary(errors) for name, errors in found.items()}
    return {name: summary for name, summary in summaries.items() if summary is not None}


def _against(
    run: TimedRun, rest: Sequence[TimedRun], efficiency: StepEfficiency, own: Sequence[str] = (),
) -> tuple[float, float] | None:
    """(log(measured / predicted) of the speed, half of the stated interval); None where the rest says nothing."""
    fits = [scale_group(group) for group in grouped(rest)]
    found = evidence_for(run.gpu, run.layout, fits, efficiency, own)
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
    return LeftOut(len(apart), median_error(-apart), float(low), float(high), 100.0 * float(np.mean(np.abs(apart) <= half)))


@dataclass(frozen=True)
class Calibration:
    """What runs say of the roofline."""

    runs: tuple[TimedRun, ...]
    groups: tuple[GroupFit, ...]
    """By GPU, source and layout."""
    pairs: tuple[GroupFit, ...]
    """By GPU and source, whatever the layout (`layout` is then "all")."""
    run_left_out: LeftOut | None
    source_left_out: dict[str, LeftOut]
    gpu_left_out: dict[str, LeftOut]


def calibrate(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> Calibration:
    """Fits of every group, and their errors on runs, sources and GPUs left out."""
    pairs: dict[tuple[str, str], list[TimedRun]] = {}
    for run in runs:
        pairs.setdefault((run.gpu, run.source), []).append(replace(run, layout="all"))
    return Calibration(
        tuple(runs), tuple(fit_group(group) for group in grouped(runs)), tuple(fit_group(group) for group in pairs.values()),
        leave_one_out(runs, efficiency), leave_source_out(runs, efficiency), leave_gpu_out(runs, efficiency),
    )
