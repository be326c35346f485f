"""How far measured training steps lie from the roofline, and what that says of steps nobody measured.

A group is the runs of one source (a profile, or a table's source) on one GPU: the same software and habits. Within a group
one scale carries over; between groups of one GPU and between GPUs it scatters, which the intervals show.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from roi.errors import InputError
from roi.estimate.measured import MeasuredRun
from roi.estimate.plan import TrainingPlan
from roi.estimate.steptime import StepEfficiency, step_time
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number

Level = Literal["group", "gpu", "all"]
"""Which evidence stands behind a scale: runs of the same source and GPU, other sources on that GPU, or all GPUs."""

PRIOR_RUNS: Final = 4.0
"""Runs that the pooled scatter counts for where a group is small: with three runs of its own a group's scatter is known to a
factor of two only."""

TAIL: Final = 1.6448536269514722
"""95th percentile of the normal distribution; see `spread`."""

SUBSETS: Final = 2000
"""Most choices of three runs that are averaged; beyond, every so-many-th is taken."""


@dataclass(frozen=True)
class TimedRun:
    """A measured run beside the roofline's time for it."""

    id: str
    source: str
    """The profile's file, or the table's source."""
    gpu: str
    """Name in the catalog."""
    method: str
    measured_s: float
    """Seconds of one micro-step, its share of the optimizer step included."""
    theory_s: float
    """The roofline's, at an overall efficiency of 1."""

    @property
    def log_ratio(self) -> float:
        """log(roofline / measured): the overall efficiency of this run."""
        return float(np.log(self.theory_s / self.measured_s))


@dataclass(frozen=True)
class GroupFit:
    """One source on one GPU."""

    source: str
    gpu: str
    ids: tuple[str, ...]
    overall: float
    """Roofline time over measured time, median of the runs."""
    log_scatter: float
    """Standard deviation of log(roofline / measured) around it."""
    left_out: float | None
    """Median error of each run from the scale of the others, percent; None for a single run."""
    from_three: float | None
    """Median error of the rest from the scale of three runs, averaged over the choices of three, percent."""
    from_first_three: float | None
    """The same with the first three in the table's order."""


@dataclass(frozen=True)
class Evidence:
    """The scale that holds for a GPU, and how well it is known."""

    efficiency: StepEfficiency
    """Its `overall` is the scale."""
    low: float
    """5th percentile of `overall`."""
    high: float
    """95th percentile."""
    level: Level
    n: int
    """Runs behind the scale."""
    sources: tuple[str, ...]
    """Groups behind it."""


@dataclass(frozen=True)
class CalibratedStep:
    """Seconds of one micro-step."""

    central: Number
    low: Number
    """5th percentile."""
    high: Number
    """95th percentile."""
    level: Level
    sources: tuple[str, ...]


def timed_run(run: MeasuredRun, efficiency: StepEfficiency) -> TimedRun | None:
    """The run beside the roofline at its mean length; None where its card, its speed or its mean length is unknown."""
    if run.gpu is None or not run.tokens_per_s or run.mean_tokens is None:
        return None
    mean = min(run.mean_tokens, float(run.plan.seq))
    plan = replace(run.plan, seq=mean)
    step = step_time(run.model, plan, run.gpu, replace(efficiency, overall=1.0))
    updates = float(step.optimizer_s + step.synchronisation_s) / plan.accumulation
    measured = float(step.tokens) * plan.gpus / run.tokens_per_s
    return TimedRun(run.id, run.source, run.gpu.id, run.method, measured, float(step.micro_step_s) + updates)


def grouped(runs: Iterable[TimedRun]) -> dict[tuple[str, str], tuple[TimedRun, ...]]:
    """Runs by (GPU, source), in their order."""
    found: dict[tuple[str, str], tuple[TimedRun, ...]] = {}
    for run in runs:
        found[run.gpu, run.source] = (*found.get((run.gpu, run.source), ()), run)
    return found


def fit_group(runs: Sequence[TimedRun]) -> GroupFit:
    """The scale of one group and its errors. The median of the logarithms: one run that paged or spilled does not move it."""
    if not runs:
        raise InputError("calibration: no runs to fit")
    logs = _logs(runs)
    centre = float(np.median(logs))
    return GroupFit(
        source=runs[0].source, gpu=runs[0].gpu, ids=tuple(r.id for r in runs), overall=float(np.exp(centre)),
        log_scatter=float(np.sqrt(np.mean((logs - centre) ** 2))),
        left_out=_percent(float(np.median(np.abs(np.expm1(_left_out(logs)))))) if len(runs) > 1 else None,
        from_three=_from_three(logs), from_first_three=_rest(logs, (0, 1, 2)),
    )


def pooled_scatter(groups: Iterable[Sequence[TimedRun]]) -> float:
    """Typical scatter within a group, of log(roofline / measured): the median over groups of three runs or more.

    0.25 where there is none: what the sources in reference tables show at most for one card and one code.
    """
    found = [fit_group(runs).log_scatter for runs in groups if len(runs) >= 3]
    return float(np.median(found)) if found else 0.25


def spread(logs: NDArray[np.float64], centre: float, pooled: float, prior: float = PRIOR_RUNS) -> float:
    """Half-width of the 90% interval of one more value, in logarithms.

    Variance: the values' own around the centre, with the pooled one counted for `prior` more; times (1 + 1 / n) for the
    centre's own error; times Student's factor for n - 1 + prior degrees of freedom (Cornish-Fisher, to 1% from 3 on).
    """
    n = len(logs)
    freedom = max(n - 1.0, 0.0) + prior
    variance = (float(np.sum((logs - centre) ** 2)) + prior * pooled**2) / freedom
    student = TAIL * (1.0 + (TAIL**2 + 1.0) / (4.0 * freedom) + (5.0 * TAIL**4 + 16.0 * TAIL**2 + 3.0) / (96.0 * freedom**2))
    return float(student * np.sqrt(variance * (1.0 + 1.0 / max(n, 1))))


def evidence_for(
    gpu: str, runs: Iterable[TimedRun], efficiency: StepEfficiency, own: Iterable[str] = (),
) -> Evidence | None:
    """The best evidence for a GPU: runs of `own` sources on it, else other sources on it, else all GPUs; None without runs.

    Each group counts once between groups: many rows of one source say nothing of another. The interval is that of one more
    run (own), of one more group's run (the same GPU), or of a run on a GPU that nobody measured.
    """
    groups = grouped(runs)
    mine = set(own)
    within = pooled_scatter(groups.values())
    here = {key: found for key, found in groups.items() if key[0] == gpu}
    exact = [found for (_, source), found in here.items() if source in mine]
    if exact:
        chosen = [run for found in exact for run in found]
        logs = _logs(chosen)
        centre = float(np.median(logs))
        return _evidence(efficiency, centre, spread(logs, centre, within), "group", exact)
    for level, found in (("gpu", here), ("all", groups)):
        if found:
            centre, half = _between(list(found.values()), within, _between_scatter(groups))
            return _evidence(efficiency, centre, half, "gpu" if level == "gpu" else "all", list(found.values()))
    return None


def calibrated_step(model: ModelShape, plan: TrainingPlan, gpu: Gpu, evidence: Evidence) -> CalibratedStep:
    """Seconds of one micro-step under the evidence, with their 5th and 95th percentile; broadcasts as `step_time` does."""
    central, low, high = (
        step_time(model, plan, gpu, replace(evidence.efficiency, overall=x)).micro_step_s
        for x in (evidence.efficiency.overall, evidence.high, evidence.low)
    )
    return CalibratedStep(central, low, high, evidence.level, evidence.sources)


@dataclass(frozen=True)
class LeftOut:
    """Errors where whole groups are left out."""

    n: int
    median_error: float
    """Median over runs of |predicted / measured - 1|, percent."""
    low_ratio: float
    """5th percentile of measured / predicted tokens/s."""
    high_ratio: float
    """95th percentile."""
    coverage: float
    """Percent of runs inside the stated 90% interval."""


def leave_one_out(runs: Iterable[TimedRun], efficiency: StepEfficiency) -> LeftOut | None:
    """Each run from the others of its group: what a profile of one's own gives. None where no group has two runs."""
    groups = grouped(runs)
    within = pooled_scatter(groups.values())
    errors, halves = [], []
    for found in groups.values():
        logs = _logs(found)
        for i in range(len(logs) if len(logs) > 1 else 0):
            rest = np.delete(logs, i)
            centre = float(np.median(rest))
            errors.append(logs[i] - centre)
            halves.append(spread(rest, centre, within))
    return _summary(errors, halves)


def leave_source_out(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> dict[str, LeftOut]:
    """Each source from all the others (the same GPU where there is one), by source and "all"."""
    return _leave_out(runs, efficiency, lambda run: run.source)


def leave_gpu_out(runs: Sequence[TimedRun], efficiency: StepEfficiency) -> dict[str, LeftOut]:
    """Each GPU from all the others, by GPU and "all"."""
    return _leave_out(runs, efficiency, lambda run: run.gpu)


def _leave_out(runs: Sequence[TimedRun], efficiency: StepEfficiency, key: Callable[[TimedRun], str]) -> dict[str, LeftOut]:
    errors: dict[str, list[float]] = {}
    halves: dict[str, list[float]] = {}
    for name in dict.fromkeys(key(run) for run in runs):
        rest = [run for run in runs if key(run) != name]
        for run in (run for run in runs if key(run) == name):
            found = evidence_for(run.gpu, rest, efficiency)
            if found is not None:
                centre = float(np.log(found.efficiency.overall))
                errors.setdefault(name, []).append(run.log_ratio - centre)
                halves.setdefault(name, []).append(float(np.log(found.high)) - centre)
    table = {name: _summary(errors[name], halves[name]) for name in errors}
    table["all"] = _summary([e for x in errors.values() for e in x], [h for x in halves.values() for h in x])
    return {name: block for name, block in table.items() if block is not None}


def _summary(errors: Sequence[float], halves: Sequence[float]) -> LeftOut | None:
    if not errors:
        return None
    # an efficiency above the predicted one is a speed above the predicted speed
    e, h = np.asarray(errors), np.asarray(halves)
    low, high = np.exp(np.percentile(e, [5.0, 95.0]))
    return LeftOut(len(e), _percent(float(np.median(np.abs(np.expm1(-e))))), float(low), float(high),
                   _percent(float(np.mean(np.abs(e) <= h))))


def _evidence(
    efficiency: StepEfficiency, centre: float, half: float, level: Level, groups: Sequence[Sequence[TimedRun]],
) -> Evidence:
    return Evidence(
        replace(efficiency, overall=float(np.exp(centre))), float(np.exp(centre - half)), float(np.exp(centre + half)), level,
        sum(len(runs) for runs in groups), tuple(f"{runs[0].source} on {runs[0].gpu}" for runs in groups),
    )


def _between(groups: Sequence[Sequence[TimedRun]], within: float, across: float) -> tuple[float, float]:
    """Centre of the groups' scales, each counted once, and the half-width for a run of one more group."""
    scales = np.asarray([float(np.median(_logs(runs))) for runs in groups])
    centre = float(np.median(scales))
    own = spread(scales, centre, across)
    return centre, float(np.hypot(own, TAIL * within))


def _between_scatter(groups: Mapping[tuple[str, str], Sequence[TimedRun]]) -> float:
    """Standard deviation of the groups' scales; 0.3 where there is one group (what the published sources show)."""
    scales = np.asarray([float(np.median(_logs(runs))) for runs in groups.values()])
    return float(np.std(scales)) if len(scales) > 1 else 0.3


def _logs(runs: Sequence[TimedRun]) -> NDArray[np.float64]:
    return np.asarray([run.log_ratio for run in runs])


def _left_out(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(predicted speed / measured) of each value from the median of the others."""
    return np.asarray([float(np.median(np.delete(logs, i))) - logs[i] for i in range(len(logs))])


def _from_three(logs: NDArray[np.float64]) -> float | None:
    """Median error of the rest, averaged over the choices of three."""
    if len(logs) < 4:
        return None
    step = max(1, comb(len(logs), 3) // SUBSETS)
    errors = [_rest(logs, three) for i, three in enumerate(combinations(range(len(logs)), 3)) if i % step == 0]
    return float(np.mean([x for x in errors if x is not None]))


def _rest(logs: NDArray[np.float64], chosen: tuple[int, ...]) -> float | None:
    """Median error of the others from the scale of the chosen, percent."""
    if len(logs) <= len(chosen):
        return None
    scale = float(np.mean(logs[list(chosen)]))
    return _percent(float(np.median(np.abs(np.expm1(scale - np.delete(logs, list(chosen)))))))


def _percent(share: float) -> float:
    return 100.0 * share
