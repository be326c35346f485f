"""What intervals of training need to hold on rows that nothing of theirs was fitted on: WIDTHS, RECORDS, SHARED, APART.

    python lab/fit_training_intervals.py TABLE.csv [TABLE.csv ...]

Speed (roi/estimate/step/calibration.py): every row is predicted from the groups of all others, with its source, its card or its
model left out. How many half widths it lies away, at the 90th percentile, is the factor. Runs of one's own
(roi/estimate/step/own_runs.py): some rows of a source on a card stand for a profile (profile_left_in), others are predicted;
the interval score of SHARED is printed beside those of its neighbours. Memory (roi/estimate/accuracy/measured_run.py):
percentiles of measured over predicted of rows by what sets them apart (kinds_apart). Sources are weighted by the root of their
rows, so that a long table does not decide alone.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from left_in import needed, percentile, print_left_in, weights

from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.estimate.accuracy.measured_run import (
    APART,
    MeasuredRun,
    NoPrediction,
    kinds_apart,
    memory_predictor,
    timed_run,
)
from roi.estimate.accuracy.profile_left_in import LeftIn, profile_left_in
from roi.estimate.step import calibration, own_runs
from roi.estimate.step.calibration import TimedRun, evidence_for, grouped, scale_group

WAYS: dict[str, Callable[[TimedRun], str]] = {
    "source": lambda run: run.source, "card": lambda run: run.gpu, "model": lambda run: run.model}
PLAIN = dict.fromkeys(calibration.WIDTHS, 1.0)


def distances(runs: Sequence[TimedRun], way: Callable[[TimedRun], str]) -> list[tuple[str, str, float]]:
    """(level, source, half widths that the row lies away) of every row, what it shares with `way` left out."""
    found = []
    for name in dict.fromkeys(map(way, runs)):
        fits = [scale_group(group) for group in grouped(run for run in runs if way(run) != name)]
        for run in (run for run in runs if way(run) == name):
            known = evidence_for(run.gpu, run.layout, fits, training_efficiencies().step())
            if known is not None:
                centre = np.log(known.efficiency.overall)
                found.append((known.level, run.source, abs(run.log_ratio - centre) / (np.log(known.high) - centre)))
    return found


def print_speed(runs: Sequence[TimedRun]) -> None:
    """The factor of each level, and what it gives."""
    asked = {"gpu": ("source", "model"), "layout": ("source", "card", "model"), "all": ("source", "card")}
    for level, ways in asked.items():
        needed, inside = [], []
        for way in ways:
            with patch.object(calibration, "WIDTHS", PLAIN):
                rows = [row for row in distances(runs, WAYS[way]) if row[0] == level]
            if rows:
                away, weight = np.array([row[2] for row in rows]), weights([row[1] for row in rows])
                needed.append(percentile(away, weight, 0.9))
                inside.append(away <= calibration.WIDTHS[level])
        told = np.concatenate(inside)
        print(f"{level:8s} 90% need {', '.join(f'{x:.2f}' for x in needed)} half widths ({', '.join(ways)} left out): mean"
              f" {np.mean(needed):.2f}; at WIDTHS' {calibration.WIDTHS[level]:g}, of {len(told)} rows"
              f" {100 * told.mean():.0f}% lie inside")


def print_own(runs: Sequence[TimedRun]) -> None:
    """The factor that rows after a profile need, how they hold by nearness, the score of the shares and their neighbours."""
    def left_in() -> Sequence[LeftIn]:
        return profile_left_in(runs, training_efficiencies().step())

    print(f"own runs: 90% need {own_runs.OWN_WIDTH * needed(left_in()):.2f} (OWN_WIDTH {own_runs.OWN_WIDTH:g})")
    print_left_in(left_in, own_runs)


def print_memory(runs: Sequence[MeasuredRun]) -> None:
    """The percentiles of measured over predicted of each kind of rows apart, and how they hold on a source left out."""
    predict, rows = memory_predictor(training_efficiencies().overhead()), []
    for run in (run for run in runs if run.memory_bytes is not None):
        found = predict(run)
        if not isinstance(found, NoPrediction):
            rows.append((run.source, run.memory_bytes / found.value, kinds_apart(run)))
    for kind in APART:
        some = [(source, ratio) for source, ratio, kinds in rows if kind in kinds]
        if not some:
            continue
        ratios, sources = np.array([ratio for _, ratio in some]), [source for source, _ in some]
        ends = [percentile(ratios, weights(sources), share) for share in (0.05, 0.95)]
        print(f"memory, {kind}: {ends[0]:.2f} to {ends[1]:.2f}, {len(some)} rows of {len(set(sources))} sources;"
              f" APART has {APART[kind][0]:g} to {APART[kind][1]:g}")
        for source in dict.fromkeys(sources) if len(set(sources)) > 1 else ():
            other = np.array([name != source for name in sources])
            rest = weights([name for name in sources if name != source])
            low, high = (percentile(ratios[other], rest, share) for share in (0.05, 0.95))
            inside = (ratios[~other] >= low) & (ratios[~other] <= high)
            print(f"  without {source:10s} {low:.2f} to {high:.2f}: {100 * inside.mean():3.0f}% of its {len(inside)} rows"
                  " inside")


def main() -> None:
    """Print both."""
    runs = [run for path in sys.argv[1:] for run in open_training_table(Path(path)).runs]
    timed = [timed_run(run, training_efficiencies().step()) for run in runs]
    print_speed([run for run in timed if run is not None])
    print_own([run for run in timed if run is not None])
    print_memory(runs)


if __name__ == "__main__":
    main()
