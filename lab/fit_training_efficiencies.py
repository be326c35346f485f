"""The figures of efficiencies.json that rows of measured training runs decide: `overall`, and what backs `idle_s`.

    python lab/fit_training_efficiencies.py TABLE.csv [TABLE.csv ...]

TABLE is a canonical table (lab/tables/training-1.csv, training-2.csv). `overall`: the median over sources of each source's
median of roofline over measured time; its 5th and 95th percentile are those of measured over predicted speed with the row's
own source left out; rows of tensor and pipeline parallelism are none of these. The grid shows the scatter within sources
(median distance from the source's scale) under other launch and idle times; it is flat, so both were taken inside their
published or assumed range and not fitted.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.estimate.accuracy.measured_run import MeasuredRun, timed_run
from roi.estimate.accuracy.training_left_out import leave_out
from roi.estimate.step.calibration import TimedRun, grouped, log_ratios
from roi.estimate.step.step_time import StepEfficiency

LAUNCHES_S = (8e-6, 1e-5, 1.2e-5, 1.5e-5)
IDLES_S = (0.0, 0.01, 0.02, 0.03, 0.04)
FEWEST = 6
"""Runs of a group that enter the grid."""


def main() -> None:
    """Print the fit."""
    runs = [run for path in sys.argv[1:] for run in open_training_table(Path(path)).runs]
    known = training_efficiencies().step()
    timed = _timed(runs, known)
    by_source: dict[str, list[float]] = {}
    for run in timed:
        by_source.setdefault(run.source, []).append(run.log_ratio)
    scales = {source: float(np.median(logs)) for source, logs in by_source.items()}
    overall = float(np.exp(np.median(list(scales.values()))))
    left = leave_out(timed, known, "source")["all"]
    print(f"overall {overall:.3f}, low {overall * left.low_ratio:.3f}, high {overall * left.high_ratio:.3f}, n {left.n}")
    print(f"  source left out: median error {left.median_error:.1f}%, 5-95% {left.low_ratio:.3f} to {left.high_ratio:.3f}")
    gpu = leave_out(timed, known, "gpu")["all"]
    print(f"  GPU left out: median error {gpu.median_error:.1f}%, 5-95% {gpu.low_ratio:.3f} to {gpu.high_ratio:.3f}")
    for source, scale in scales.items():
        print(f"  {source:10s} {np.exp(scale):.2f} (n {len(by_source[source])})")
    print("scatter within groups on one GPU, percent: launch us, idle ms")
    alone = [run for run in runs if run.plan.gpus == 1]
    for launch_s in LAUNCHES_S:
        for idle_s in IDLES_S:
            found = _scatter(_timed(alone, replace(known, launch_s=launch_s, idle_s=idle_s)))
            told = "  ".join(f"{name} {100 * value:.1f}" for name, value in found.items())
            print(f"  {1e6 * launch_s:4.0f} {1e3 * idle_s:4.0f}  mean {100 * np.mean(list(found.values())):.1f}  {told}")


def _timed(runs: tuple[MeasuredRun, ...] | list[MeasuredRun], efficiency: StepEfficiency) -> list[TimedRun]:
    found = [timed_run(run, efficiency) for run in runs]
    return [run for run in found if run is not None]


def _scatter(runs: list[TimedRun]) -> dict[str, float]:
    """Median distance from the group's scale, in logarithms, by source."""
    found = {}
    for group in grouped(runs):
        if len(group) >= FEWEST:
            logs = log_ratios(group)
            found[group[0].source] = float(np.median(np.abs(logs - np.median(logs))))
    return found


if __name__ == "__main__":
    main()
