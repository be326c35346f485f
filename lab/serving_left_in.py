"""How intervals of serving speed hold after a profile: loads of a source on a card stand for one, and predict its others.

    python lab/serving_left_in.py lab/tables/serving-1.csv [lab/tables/serving-2.csv ...]

Prints what 90% of the rows need beside SHARED of roi/evidence/own_speed.py, and the interval score of it and its neighbours.
Every row's prior is its prediction with all of its publisher left out, of the fits and of the half widths: a profile's source
is one that no fit has seen. A profile is one load of a plan, or four at the eighths of their size. Open loops, and rows with
adapters at run time or an SLO, are in no fit and not here. Then the same of two sources of one plan, by how far they lie apart,
and of a few rows of one model as `calibrate --add` takes them.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from fit_serving_efficiencies import misses_of, read_works, spreads_from
from left_in import needed, print_blocks, print_left_in
from serving_spreads import Miss, publisher

from roi.catalog.efficiencies.serving_efficiencies import load_serving_efficiencies
from roi.estimate.accuracy.profile_left_in import LeftIn
from roi.estimate.accuracy.serving_run import ServingRun
from roi.evidence import own_speed
from roi.evidence.own_speed import PlanSpeed

EACH: Final = 12
"""Rows that one profile predicts, at most, of those that share as much with it: every so-many-th."""
TABLES: Final = (1, 2, 3, 6)
"""Rows of a table of one's own."""
DRAWN: Final = 6
"""Tables that are drawn of so many of a group's rows."""
APART: Final = {"up to 10% apart": 0.1, "10 to 20%": 0.2, "20 to 40%": 0.4, "more than 40%": np.inf}
"""How far two sources lie apart, at most, in logarithms."""


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


def loads_of(misses: dict[str, list[Miss]]) -> list[Load]:
    """Every run that states tokens after the first, else its throughput, over its prediction without its publisher.

    `misses` are those of `misses_of`.
    """
    found, new = [], float(np.log(load_serving_efficiencies().new_source))
    for source in dict.fromkeys(publisher(miss.work.run) for miss in misses["source"]):
        spreads = spreads_from({name: [miss for miss in each if publisher(miss.work.run) != source]
                                for name, each in misses.items()})
        for miss in misses["source"]:
            if publisher(miss.work.run) == source and np.isfinite(miss.speed):
                mixture = miss.work.run.system.shape.mixture
                known = spreads.other["speed", mixture] if miss.level == "other" else spreads.half(
                    miss.level, "speed", miss.engine, miss.work.run.system.gpu.id, mixture=mixture)
                found.append(Load(miss.work.run, miss.speed, float(np.hypot(known, new))))
    return found


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
                profile = spaced(ordered, points)
                found += _predicted(key, profile, [one for one in group if one not in profile])
    return found


def spaced(ordered: Sequence[Load], points: int) -> list[Load]:
    """So many of them, evenly; all where there are no more."""
    points = min(points, len(ordered))
    return [ordered[(2 * k + 1) * len(ordered) // (2 * points)] for k in range(points)]


def two_left_in(loads: Sequence[Load]) -> list[LeftIn]:
    """The rows of two sources of one plan with one engine, as many of either, predicted from up to four loads of each.

    They are on different cards, which stand for what makes two servers differ: hardly a plan was measured twice on one.
    """
    plans: dict[tuple[str, bool, str, tuple[float, str]], dict[tuple[str, str], list[Load]]] = defaultdict(
        lambda: defaultdict(list))
    for one in loads:
        system = one.run.system
        plans[one.run.engine, one.run.recent, system.shape.id, one.plan][one.run.source, system.gpu.id].append(one)
    found: list[LeftIn] = []
    for (*_, model, plan), sources in plans.items():
        for pair in combinations([sorted(each, key=lambda one: one.size) for each in sources.values()], 2):
            profiles = [spaced(each, 4 if len(each) > 4 else 1) for each in pair]
            rests = [[one for one in each if one not in profile] for each, profile in zip(pair, profiles, strict=True)]
            known = [PlanSpeed(str(k), model, plan, one.log_speed, one.half) for k in (0, 1) for one in profiles[k]]
            first, second = (float(np.mean([one.log_speed for one in profile])) for profile in profiles)
            near = next(name for name, most in APART.items() if abs(first - second) <= most)
            rows = min(*map(len, rests), EACH // 2)
            found += [_row(one, known, near) for rest in rests for one in (spaced(rest, rows) if rows else [])]
    return found


def rows_left_in(loads: Sequence[Load]) -> list[LeftIn]:
    """Rows of a source, a model, a card and an engine, predicted from a few others of them, each by itself as in a table."""
    groups: dict[tuple[str, str, str, str, bool], list[Load]] = defaultdict(list)
    for one in loads:
        groups[one.run.source, one.run.system.shape.id, one.run.system.gpu.id, one.run.engine, one.run.recent].append(one)
    draw, found = np.random.default_rng(7), list[LeftIn]()
    for count in TABLES:
        for group in (each for each in groups.values() if len(each) > count):
            for _ in range(DRAWN):
                order = [group[k] for k in draw.permutation(len(group))]
                known = [PlanSpeed("table", one.run.system.shape.id, one.plan, *one[1:]) for one in order[:count]]
                found += [_row(one, known, f"{count} of its rows") for one in order[count : count + EACH]]
    return found


def _row(one: Load, known: Sequence[PlanSpeed], near: str) -> LeftIn:
    ends = float(np.exp(-one.half)), float(np.exp(one.half))
    after = own_speed.own_speed(ends, known, one.run.system.shape.id, one.plan)
    return LeftIn(one.run.source, near, abs(one.log_speed - float(np.log(after.centre))), after.half, abs(one.log_speed),
                  one.half, after.pieces[0].contradicts)


def _predicted(key: tuple[str, tuple[float, str]], profile: Sequence[Load], rest: Sequence[Load]) -> list[LeftIn]:
    known = [PlanSpeed("profile", *key, float(np.mean([one.log_speed for one in profile])), profile[0].half, len(profile))]
    by_near: dict[str, list[Load]] = defaultdict(list)
    for one in rest:
        same = one.run.system.shape.id == key[0]
        by_near["same plan" if same and one.plan == key[1] else "same model" if same else "another model"].append(one)
    found = []
    for near, rows in by_near.items():
        found += [_row(one, known, near) for one in rows[:: -(-len(rows) // EACH)]]
    return found


def main() -> None:
    """Print all of it."""
    loads = loads_of(misses_of(read_works([Path(name) for name in sys.argv[1:]])))
    rows = left_in(loads)
    print(f"{len(loads)} loads, {len(rows)} predictions: 90% need {needed(rows):.2f} half widths")
    print_left_in(lambda: left_in(loads), own_speed)
    print("two sources of one plan")
    print_blocks(two_left_in(loads))
    print("a few rows of one model")
    print_blocks(rows_left_in(loads))


if __name__ == "__main__":
    main()
