"""Measured training runs beside the roofline's time, and the errors of one group's scale on its runs left out."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.accuracy.measured_run import MeasuredRun
from roi.estimate.step.calibration import GroupFit, TimedRun, layout_of, log_ratios, scale_group
from roi.estimate.step.step_time import StepEfficiency, step_time

SUBSETS: Final = 2000
"""Most choices of three runs that are averaged; beyond, every so-many-th is taken."""


def timed_run(run: MeasuredRun, efficiency: StepEfficiency) -> TimedRun | None:
    """The run beside the roofline at its mean length; None where its card, its speed or its mean length is unknown."""
    if run.gpu is None or not run.tokens_per_s or run.mean_tokens is None:
        return None
    plan = replace(run.plan, seq=min(run.mean_tokens, float(run.plan.seq)))
    step = step_time(run.model, plan, run.gpu, replace(efficiency, overall=1.0))
    updates = float(step.optimizer_s + step.synchronisation_s) / plan.accumulation
    measured = float(step.tokens) * plan.gpus / run.tokens_per_s
    return TimedRun(
        id=run.id, source=run.source, gpu=run.gpu.id, layout=layout_of(plan), method=run.method, measured_s=measured,
        theory_s=float(step.micro_step_s) + updates,
    )


def fit_group(runs: Sequence[TimedRun]) -> GroupFit:
    """The scale of one group and its errors on runs of the group that it has not seen."""
    logs = log_ratios(runs)
    apart = [float(np.median(np.delete(logs, i))) - logs[i] for i in range(len(logs)) if len(logs) > 1]
    return replace(
        scale_group(runs), left_out=median_error(np.asarray(apart)) if apart else None, from_three=_from_three(logs),
        from_first_three=_rest(logs, (0, 1, 2)),
    )


def median_error(logs: NDArray[np.float64]) -> float:
    """Median of |ratio - 1| over logarithms of ratios, percent."""
    return 100.0 * float(np.median(np.abs(np.expm1(logs))))


def _from_three(logs: NDArray[np.float64]) -> float | None:
    """Median error of the rest, averaged over the choices of three."""
    if len(logs) < 4:
        return None
    step = max(1, comb(len(logs), 3) // SUBSETS)
    chosen = (three for i, three in enumerate(combinations(range(len(logs)), 3)) if i % step == 0)
    return float(np.mean([_rest(logs, three) for three in chosen]))


def _rest(logs: NDArray[np.float64], chosen: tuple[int, ...]) -> float | None:
    """Median error of the others from the mean scale of the chosen, percent."""
    if len(logs) <= len(chosen):
        return None
    # log(predicted speed / measured): the speed is the measured one's at the scale of its own
    return median_error(float(np.mean(logs[list(chosen)])) - np.delete(logs, list(chosen)))
