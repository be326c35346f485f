"""How intervals of serving speed hold after a profile: loads of a source on a card stand for one, and predict its others.

    python lab/serving_left_in.py lab/tables/serving-1.csv [lab/tables/serving-2.csv ...]

Prints what 90% of the rows need beside SHARED of roi/evidence/own_speed.py, and the interval score of it and its neighbours.
Every row's prior is its prediction with its model left out of the fit (lab/left_out.py), and as wide as for a source that no
fit has seen, which a profile's is: these sources are in the fit, so that it holds more of them than it would of others. A
profile is one load of a plan, or four at the eighths of their size. Rows with adapters at run time are left out: their speed is
another fact.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from left_in import needed, print_left_in
from left_out import read_tables, validate_without_model

from roi.catalog.efficiencies.serving_efficiencies import load_serving_efficiencies
from roi.estimate.accuracy.profile_left_in import LeftIn
from roi.estimate.accuracy.serving_errors import ServingScore
from roi.estimate.accuracy.serving_run import ServingRun
from roi.evidence import own_speed
from roi.evidence.own_speed import PlanSpeed

EACH: Final = 12
"""Rows that one profile predicts, at most, of those that share as much with it: every so-many-th."""


class Load(NamedTuple):
    """A measured row over its prediction."""

    run: ServingRun
    log_speed: float
    half: float

    @property
    def plan(self) -> tuple[float, str]:
        """GPUs of a replica and weight format."""
        return self.run.system.tensor_parallel * self.run.system.stages, self.run.system.weight_dtype

    @property
    def size(self) -> float:
        """What orders loads: tokens in flight."""
        load, system = self.run.load, self.run.system
        return (load.concurrency or load.requests_per_s or 1.0) / system.replicas * (load.input_tokens + load.output_tokens)


def loads_of(runs: Iterable[ServingRun], scores: Iterable[ServingScore]) -> list[Load]:
    """Every run without adapters that states tokens after the first, else its throughput."""
    known, found, new = {run.id: run for run in runs}, {}, float(np.log(load_serving_efficiencies().new_source))
    for score in sorted(scores, key=lambda score: score.quantity != "throughput"):  # a TPOT takes the place of a throughput
        run = known[score.label.id]
        if score.quantity != "ttft" and not score.derived and not run.load.adapters:
            log = float(np.log(score.measured / score.predicted)) * (1.0 if score.quantity == "throughput" else -1.0)
            found[run.id] = Load(run, log, float(np.hypot(own_speed.half_of((score.low, score.high)), new)))
    return list(found.values())


def left_in(loads: Sequence[Load]) -> list[LeftIn]:
    """The rows of every source on a card with an engine, predicted from each profile of theirs."""
    groups: dict[tuple[str, str, str, bool], list[Load]] = defaultdict(list)
    for one in loads:
        groups[one.run.source, one.run.system.gpu.id, one.run.engine, one.run.recent].append(one)
    found: list[LeftIn] = []
    for group in groups.values():
        plans: dict[tuple[str, tuple[float, str]], list[Load]] = defaultdict(list)
        for one in group:
            plans[one.run.system.shape.id, one.plan].append(one)
        for key, alike in plans.items():
            ordered = sorted(alike, key=lambda one: one.size)
            for points in (1, 4) if len(ordered) >= 4 else (1,):
                profile = [ordered[(2 * k + 1) * len(ordered) // (2 * points)] for k in range(points)]
                found += _predicted(key, profile, [one for one in group if one not in profile])
    return found


def _predicted(key: tuple[str, tuple[float, str]], profile: Sequence[Load], rest: Sequence[Load]) -> list[LeftIn]:
    known = [PlanSpeed("profile", *key, float(np.mean([one.log_speed for one in profile])), profile[0].half, len(profile))]
    by_near: dict[str, list[Load]] = defaultdict(list)
    for one in rest:
        same = one.run.system.shape.id == key[0]
        by_near["same plan" if same and one.plan == key[1] else "same model" if same else "another model"].append(one)
    found = []
    for near, rows in by_near.items():
        for one in rows[:: -(-len(rows) // EACH)]:
            ends = float(np.exp(-one.half)), float(np.exp(one.half))
            after = own_speed.own_speed(ends, known, one.run.system.shape.id, one.plan)
            found.append(LeftIn(one.run.source, near, abs(one.log_speed - float(np.log(after.centre))), after.half,
                                abs(one.log_speed), one.half, after.pieces[0].contradicts))
    return found


def main() -> None:
    """Print all of it."""
    table = read_tables([Path(name) for name in sys.argv[1:]])
    loads = loads_of(table.runs, validate_without_model(table).every.scores)
    rows = left_in(loads)
    print(f"{len(loads)} loads, {len(rows)} predictions: 90% need {needed(rows):.2f} half widths")
    print_left_in(lambda: left_in(loads), own_speed)


if __name__ == "__main__":
    main()
