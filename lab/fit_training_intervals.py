"""What intervals of training need to hold on rows that nothing of theirs was fitted on: WIDTH, RECORDS, SHARED, APART, UNSEEN.

    python lab/fit_training_intervals.py TABLE.csv [TABLE.csv ...]

Speed (roi/estimate/step/calibration.py): every row is predicted from the groups of all others, with its source, its card or its
model left out. How many half widths it lies away, at the 90th percentile, is the factor; what is left out weighs alike,
however many rows it has, since the next card is one more card and not one more row of a known one. Runs of one's own
(roi/estimate/step/own_runs.py): some rows of a source on a card stand for a profile (profile_left_in), others are predicted;
the interval score of SHARED is printed beside those of its neighbours. Memory (roi/estimate/accuracy/measured_run.py):
how far measured lies from predicted, by what sets rows apart (kinds_apart), and with each source left out. Where no group is
left out as a whole, sources are weighted by the root of their rows, so that a long table does not decide alone.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from left_in import needed, percentile, print_left_in, weights
from numpy.typing import NDArray

from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.estimate.accuracy.measured_run import (
    MeasuredRun,
    NoPrediction,
    Prediction,
    kinds_apart,
    memory_predictor,
    throughput_predictor,
    timed_run,
)
from roi.estimate.accuracy.profile_left_in import LeftIn, profile_left_in
from roi.estimate.fitting.distance import APART, TUNER, UNSEEN, Apart
from roi.estimate.step import calibration, own_runs
from roi.estimate.step.calibration import TimedRun, evidence_for, grouped, scale_group
from roi.evidence.training_speed import PACES, speed_evidence
from roi.numerics.spreads import joint_deviation, t95
from roi.store.profiles.lookup import Store

APART_PRIOR = 3.0
"""What all rows that lie apart count for beside a kind's own: as much as nine rows of one source."""
WAYS: dict[str, Callable[[TimedRun], str]] = {
    "source": lambda run: run.source, "card": lambda run: run.gpu, "model": lambda run: run.model}


class Distance(NamedTuple):
    """A row beside an interval that has not seen what it shares with others."""

    level: str
    left_out: str
    """The source, the card or the model that it was left out with."""
    half_widths: float
    """How many half widths of WIDTH 1 it lies away."""


def distances(runs: Sequence[TimedRun], way: Callable[[TimedRun], str]) -> list[Distance]:
    """Every row, what it shares with `way` left out."""
    found = []
    for name in dict.fromkeys(map(way, runs)):
        fits = [scale_group(group) for group in grouped(run for run in runs if way(run) != name)]
        for run in (run for run in runs if way(run) == name):
            known = evidence_for(run.gpu, run.layout, fits, training_efficiencies().step(), pcie=run.pcie)
            if known is not None:
                centre = np.log(known.efficiency.overall)
                half = (np.log(known.high) - centre) / calibration.WIDTH
                found.append(Distance(known.level, name, abs(run.log_ratio - centre) / half))
    return found


def needed_factor(rows: Sequence[Distance]) -> float:
    """Half widths of WIDTH 1 within which 90% lie of a source, a card or a model that is left out, each weighing alike."""
    count = Counter(row.left_out for row in rows)
    return percentile(np.array([row.half_widths for row in rows]), np.array([1.0 / count[row.left_out] for row in rows]), 0.9)


def print_speed(runs: Sequence[TimedRun]) -> None:
    """The factor that each way of leaving out needs, and how WIDTH holds by it, by level and by what is left out."""
    every = []
    for name, way in WAYS.items():
        rows = distances(runs, way)
        every += rows
        held = {unit: inside(row for row in rows if row.left_out == unit) for unit in Counter(row.left_out for row in rows)}
        alike = np.mean([share for _, share in held.values()])
        print(f"{name} left out: 90% need {needed_factor(rows):.3f} half widths; at WIDTH's {calibration.WIDTH:g}"
              f" {inside(rows)[1]:.1f}% of {len(rows)} rows lie inside, {alike:.1f}% with each {name} alike: "
              + ", ".join(f"{unit} {share:.0f}% of {n}" for unit, (n, share) in held.items()))
    for level in dict.fromkeys(row.level for row in every):
        n, share = inside(row for row in every if row.level == level)
        print(f"  {level}: {share:.0f}% of {n} rows inside; RECORDS has {calibration.RECORDS[level]}")


def inside(rows: Iterable[Distance]) -> tuple[int, float]:
    """How many rows, and the percent of them inside."""
    held = [row.half_widths <= calibration.WIDTH for row in rows]
    return len(held), 100.0 * float(np.mean(held))


def print_own(runs: Sequence[TimedRun]) -> None:
    """The factor that rows after a profile need, how they hold by nearness, the score of the shares and their neighbours."""
    def left_in() -> Sequence[LeftIn]:
        return profile_left_in(runs, training_efficiencies().step())

    print(f"own runs: 90% need {needed(left_in()):.2f} half widths")
    print_left_in(left_in, own_runs)


class Away(NamedTuple):
    """A row whose memory may lie apart from the closed form."""

    source: str
    apart: float
    """Distance of measured from predicted memory, in logarithms."""
    kinds: frozenset[Apart]


def print_memory(runs: Sequence[MeasuredRun]) -> None:
    """The distance that each kind of rows apart needs, and how such distances hold on a source left out of them."""
    predict, rows = memory_predictor(training_efficiencies().overhead()), []
    for run in (run for run in runs if run.memory_bytes is not None and run.plan.tuner is None):
        found = predict(run)
        if not isinstance(found, NoPrediction):
            rows.append((run, float(np.log(run.memory_bytes / found.value))))
    apart = [Away(run.source, abs(log), kinds) for run, log in rows if (kinds := kinds_apart(run))]
    for kind, distance in needed_apart(apart).items():
        print(f"memory, {kind}: {distance:.3f}; APART has {APART[kind]:g}")
    inside = []
    for source in dict.fromkeys(row.source for row in apart):
        needed_then = needed_apart([row for row in apart if row.source != source])
        own = [row for row in apart if row.source == source]
        held = [row.apart <= max(needed_then[kind] for kind in row.kinds) for row in own]
        inside += held
        print(f"  without {source:10s} {100 * np.mean(held):3.0f}% of its {len(held)} rows inside")
    print(f"  of all {len(inside)}: {100 * np.mean(inside):.0f}%")
    plain: dict[str, list[float]] = {}
    for run, log in rows:
        if run.memory_kind == "allocated" and not kinds_apart(run):
            plain.setdefault(run.source, []).append(log)
    medians = {source: float(np.median(logs)) for source, logs in plain.items()}
    n, middle = len(medians), float(np.mean(np.square(list(medians.values()))))
    between = t95(n) * np.sqrt(middle * (1.0 + 1.0 / n))
    within = np.quantile([abs(log - medians[source]) for source, logs in plain.items() for log in logs], 0.9)
    print(f"memory, an unseen source: medians {', '.join(f'{x:.3f}' for x in medians.values())}: 90% of one more within"
          f" {between:.3f}, of its rows within {within:.3f} of it; UNSEEN {UNSEEN:g}")


def print_tuners(runs: Sequence[MeasuredRun]) -> None:
    """What peft's other tuners need, methods weighted by the root of their rows, and how it holds on a method left out."""
    own = [run for run in runs if run.plan.tuner is not None]
    memory, speed = memory_predictor(training_efficiencies().overhead()), throughput_predictor(speed_evidence(Store()))
    away = [(run, abs(float(np.log(run.memory_bytes / found.value)))) for run in own
            if run.memory_bytes and isinstance(found := memory(run), Prediction)]
    held = [log <= percentile(*_by_method([x for x in away if x[0].method != run.method]), 0.9) for run, log in away]
    need, share = percentile(*_by_method(away), 0.9), 100 * np.mean(held)
    print(f"memory, tuners: {need:.3f}; TUNER has {TUNER:g}; {share:.0f}% of {len(away)} rows inside, their method left out")
    paces = [(run, float(np.log(run.tokens_per_s / found.value * PACES[run.plan.tuner.family][0]))) for run in own
             if run.tokens_per_s and run.plan.tuner
             and isinstance(found := speed(run), Prediction)]
    for family, told in PACES.items():
        kind = [x for x in paces if x[0].plan.tuner and x[0].plan.tuner.family == family]
        ends = [float(np.exp(percentile(*_by_method(kind), q))) for q in (0.5, 0.05, 0.95)]
        print(f"speed, {family}: {ends[0]:.2f} ({ends[1]:.2f} to {ends[2]:.2f}), {len(kind)} rows; PACES has {told}")
    held = []
    for run, log in paces:
        others = [x for x in paces if x[0].method != run.method and x[0].plan.tuner and run.plan.tuner
                  and x[0].plan.tuner.family == run.plan.tuner.family]
        low, middle, high = (percentile(*_by_method(others), q) for q in (0.05, 0.5, 0.95))
        found = speed(replace(run, plan=replace(run.plan, method="lora", rank=16.0)))
        if isinstance(found, Prediction):
            below = joint_deviation((np.log(found.value / found.low), middle - low))
            above = joint_deviation((np.log(found.high / found.value), high - middle))
            held.append(-below <= log - middle <= above)
    print(f"speed, tuners: {100 * np.mean(held):.0f}% of {len(held)} rows inside, their method left out; RECORDS has"
          f" {calibration.RECORDS['tuner']}")


def _by_method(rows: Sequence[tuple[MeasuredRun, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The figures of some rows, and their weights."""
    return np.array([x for _, x in rows]), weights([run.method for run, _ in rows])


def needed_apart(rows: Sequence[Away]) -> dict[Apart, float]:
    """The distance within which 90% of the rows of a kind lie, all rows apart beside them with APART_PRIOR's weight."""
    every = weights([row.source for row in rows])
    found = {}
    for kind in APART:
        own = [row for row in rows if kind in row.kinds]
        weight = np.concatenate([weights([row.source for row in own]), APART_PRIOR * every / every.sum()])
        found[kind] = percentile(np.array([row.apart for row in [*own, *rows]]), weight, 0.9)
    return found


def main() -> None:
    """Print both."""
    runs = [run for path in sys.argv[1:] for run in open_training_table(Path(path)).runs]
    timed = [timed_run(run, training_efficiencies().step()) for run in runs]
    print_speed([run for run in timed if run is not None])
    print_own([run for run in timed if run is not None])
    print_memory(runs)
    print_tuners(runs)


if __name__ == "__main__":
    main()
