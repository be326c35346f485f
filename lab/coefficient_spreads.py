"""How far a run may be off since the coefficients of its fit are uncertain, and what intervals would gain by it.

    python lab/coefficient_spreads.py lab/tables/serving-1.csv lab/tables/serving-2.csv

A fit has priors, log errors of size NOISE, and a base that is itself uncertain. Near its optimum the logs of its coefficients
have the covariance S = (sum w J J' + P)^-1, J being how a run's log speed moves with them (Laplace's approximation), and
another run's log speed the variance J S J' for it. That is large where a run asks for what the fit has not seen: experts with
none fitted, a number of GPUs, a format, single streams of an engine known by its batches. Prints, for runs with a set-up, a
model and a card left out, how errors grow with it, and the interval score (lab/serving_spreads.py) where each interval has
its root times so much besides, squares added.

Where set-ups are left out the score is 2.2% lower at 1 time the root (90% of bootstraps: 0.9 to 3.6) and 2.7% at TAIL (-0.4 to
5.9), where models are 4.2% (2.9 to 5.5) and 5.8% (2.3 to 10.1), where cards are 1.1% higher both (-9 to 11): only 15 cards.
With models left out 92% of TensorRT-LLM's bursts lie inside at TAIL, not 80, by narrower intervals (half 0.29, not 0.33), and
with the H20 left out 94% of SGLang's single streams, not 53. More cells hold above 95% (9 of 18, for 5), none below 80%.
A source that no fit has seen then adds a factor of 1.24 or 1.14 besides, not 1.36: most of what its rows needed was what the
fits left open (SGLang on the H20: 92 or 100% of its source inside, not 69).

It is in no interval yet: plan and load decide it, as they decide what links add (`unsure_of`, `_over_pcie`), and the catalog
would hold a covariance of 37 coefficients for each engine and card (of 8 directions a run in twenty has a third of its root).
No replay is needed: one step of mean lengths, with as many sequences as the load sends or the memory holds, has 0.98 to 1.05 of
the root (5th to 95th percentile), and the scores move by -2.9, -5.4 and +0.8% at TAIL.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

import numpy as np
from efficiency_fit import EFFECTIVE, NOISE, Work, fitted_times, priors_of, same_shape, thinned
from fit_serving_efficiencies import (
    FEWEST,
    card_width,
    engine_of,
    group_of,
    in_folds,
    misses_of,
    of,
    read_works,
    same_card,
    spreads_from,
)
from numpy.typing import NDArray
from serving_spreads import (
    ALIKE,
    JUDGED_ROWS,
    LEVELS,
    WITHIN,
    Cluster,
    Key,
    Miss,
    Spreads,
    clusters,
    publisher,
    same_cell,
    source_lines,
)

from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.estimate.serving.efficiencies import Efficiencies
from roi.numerics.spreads import TAIL

Array = NDArray[np.float64]
NAMES: Final = [field.name for field in fields(Efficiencies)]
FIXED: Final = 1e-6
"""Spread of a log of what an engine has no prior of."""
SAMPLES: Final = 4000
"""Of what is left out together."""
PARTS: Final = 6
"""Of the runs, by their variance."""


class Coefficients:
    """How runs move with the coefficients at which the catalog predicts them, and what is left of these without some."""

    def __init__(self, works: Sequence[Work]) -> None:
        self.works, self.slopes = works, {work.run.id: slopes(work) for work in works}
        self.found: dict[Hashable, Array] = {}

    def variance(self, work: Work, key: Key) -> float:
        """Of a run's log speed without those that `key` leaves out with it."""
        gradient = self.slopes[work.run.id][speed_of(work)][1]
        return float(gradient @ self.left_of(engine_of(work.run), work.run.system.gpu.id, key, key(work.run)) @ gradient)

    def left_of(self, name: str, gpu: str | None, key: Key, left_out: Hashable) -> Array:
        """The covariance of an engine's coefficients, on a card or on all; its base's uncertainty is handed on."""
        asked = name, gpu, key, left_out
        if asked not in self.found:
            group, rows = group_of(name), [work for work in of(self.works, group_of(name)) if key(work.run) != left_out]
            if gpu is None:
                base = None if group.base is None else find_engine(group.base).efficiencies
                above = np.zeros((len(NAMES),) * 2) if group.base is None else self.left_of(group.base, None, key, left_out)
                self.found[asked] = self.around(rows, precision(group.families[0], base, 1.0), above)
            else:
                here, above = [work for work in rows if work.run.system.gpu.id == gpu], self.left_of(name, None, key, left_out)
                own = precision(group.families[0], find_engine(name).efficiencies, card_width(here))
                self.found[asked] = self.around(here, own, above) if len(here) >= FEWEST else above
        return self.found[asked]

    def around(self, rows: Sequence[Work], prior: Array, above: Array) -> Array:
        """S = (sum w J J' + P)^-1, and S P above P S, for the fit moves by S P of what its prior's middle does."""
        kept = thinned(rows)
        alike = Counter(map(piece, kept))
        gram = np.diag(prior)
        for work in kept:
            for name in fitted_times(work):
                error, gradient = self.slopes[work.run.id][name]
                weight = min(1.0, EFFECTIVE / alike[piece(work)]) / max(abs(error) / NOISE, 1.0)
                gram = gram + weight / NOISE**2 * np.outer(gradient, gradient)
        own = np.linalg.inv(gram)
        moved = own * prior
        return np.asarray(own + moved @ above @ moved.T)


def piece(work: Work) -> Hashable:
    """What a fit counts as EFFECTIVE rows at most."""
    return same_shape(work.run), work.run.system.gpu.id, work.run.engine


def precision(family: str, base: Efficiencies | None, width: float) -> Array:
    """One over the variance of each coefficient's prior."""
    priors = priors_of(family, base, max(width, FIXED))
    return np.array([(priors[name].spread if name in priors else FIXED) ** -2.0 for name in NAMES])


def slopes(work: Work) -> dict[str, tuple[float, Array]]:
    """Each time of a run -> log of predicted over measured, and how it moves with the log of each coefficient."""
    known = asdict(find_engine(engine_of(work.run)).on(work.run.system.gpu.id))
    moved = np.log(np.maximum([float(known[name]) for name in NAMES], 1e-12))
    moved = np.concatenate([moved[None], moved + 1e-3 * np.eye(len(NAMES))])
    times = work.predicted(Efficiencies(**{name: np.exp(moved[:, k]) for k, name in enumerate(NAMES)}))
    logs = {name: np.log(np.broadcast_to(times[name], len(moved)) / seconds) for name, seconds in work.seconds.items()}
    return {name: (float(each[0]), (each[1:] - each[0]) / 1e-3) for name, each in logs.items()}


def speed_of(work: Work) -> str:
    """The time that stands for a run's speed (`miss_of`)."""
    return "tpot" if "tpot" in work.seconds else "pace"


def variances(works: Sequence[Work], misses: Mapping[str, Sequence[Miss]]) -> dict[str, dict[str, float]]:
    """Level, or source -> run -> the variance of its log speed by a fit that has not seen what is new about it.

    Slopes and weights are taken at the catalog's coefficients, which have seen every run: how times move is no error of theirs.
    """
    known = Coefficients(works)
    keys: dict[str, Key] = {"same": in_folds(works), "model": same_shape, "elsewhere": same_card, "source": publisher}
    return {level: {miss.work.run.id: known.variance(miss.work, key) for miss in misses[level]
                    if level in (miss.level, "source") and np.isfinite(miss.speed)} for level, key in keys.items()}


def with_coefficients(
    misses: Mapping[str, Sequence[Miss]], found: Mapping[str, Mapping[str, float]], times: float,
) -> dict[str, list[Miss]]:
    """The misses, of whose errors `times` the root of the variance is no other run's."""
    return {name: [miss._replace(besides=times * found.get(name, {}).get(miss.work.run.id, 0.0) ** 0.5) for miss in each]
            for name, each in misses.items()}


def tried(spreads: Spreads, misses: Sequence[Miss], level: str) -> dict[Cluster, tuple[Array, Array, Array]]:
    """Each cluster's errors, half widths with what is besides, and interval scores."""
    unit = same_cell if level == "same" else same_shape
    members: dict[Cluster, list[Miss]] = defaultdict(list)
    for miss in misses:
        for one in clusters([miss], "speed", unit) if miss.level == level else ():
            members[one].append(miss)
    out = {}
    for one, half in spreads.left_out(level, "speed").items():
        errors = clusters([miss._replace(besides=0.0) for miss in members[one]], "speed", unit)[one]
        whole = np.hypot(half, [miss.besides for miss in members[one]])
        out[one] = errors, whole, 2.0 * whole + 20.0 * np.maximum(errors - whole, 0.0)
    return out


def lines(works: Sequence[Work], misses: Mapping[str, list[Miss]], each: Iterable[float] = (1.0, TAIL)) -> list[str]:
    """How errors grow with the variance, and the scores with so many times its root besides."""
    found, draw = variances(works, misses), np.random.default_rng(0)
    out = [f"root of the variance -> 90% of errors below, by sixths (%); {', '.join(LEVELS)}:"]
    for level in LEVELS:
        pairs = np.array([(found[level][miss.work.run.id] ** 0.5, abs(miss.speed)) for miss in misses[level]
                          if miss.work.run.id in found[level] and miss.level == level])
        parts = np.array_split(pairs[np.argsort(pairs[:, 0])], PARTS)
        out.append(", ".join(f"{100 * part[:, 0].mean():.1f} -> {100 * np.quantile(part[:, 1], 0.9):.0f}" for part in parts))
    none: dict[str, dict[Hashable, float]] = {}
    for times in (0.0, *each):
        mine = with_coefficients(misses, found, times)
        spreads = spreads_from(mine)
        out += ["", f"{times:.2f} times the root; a new source adds a factor of {np.exp(spreads.source):.2f}", "",
                "| left out | score | against none, 90% of samples | in 90% | mean half | cells | 85-95% |",
                "|:--|--:|:--|--:|--:|--:|--:|"]
        for level in LEVELS:
            scored = tried(spreads, mine[level], level)
            sums: dict[Hashable, float] = defaultdict(float)
            cells: dict[Hashable, list[Array]] = defaultdict(list)
            for one, (errors, halves, scores) in scored.items():
                sums[ALIKE[level](one)] += float(scores.sum())
                cells[one.gpu, one.engine].append(errors <= halves)
            pairs = np.array([(none.setdefault(level, sums)[key], total) for key, total in sums.items()])
            drawn = pairs[draw.integers(0, len(pairs), (SAMPLES, len(pairs)))].sum(axis=1)
            low, high = 100.0 * np.quantile(drawn[:, 1] / drawn[:, 0] - 1.0, (0.05, 0.95))
            change = 100.0 * (pairs[:, 1].sum() / pairs[:, 0].sum() - 1.0)
            inside = [float(np.concatenate(cell).mean()) for cell in cells.values() if sum(map(len, cell)) >= JUDGED_ROWS]
            errors, halves, scores = (np.concatenate([one[k] for one in scored.values()]) for k in range(3))
            out.append(f"| {level} | {scores.mean():.3f} | {change:.1f}% ({low:.1f} to {high:.1f}) |"
                       f" {100 * np.mean(errors <= halves):.1f} | {halves.mean():.2f} | {len(inside)} |"
                       f" {sum(WITHIN[0] <= share <= WITHIN[1] for share in inside)} |")
        out += ["", *source_lines(spreads.needs)]
    return out


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    works = read_works(parser.parse_args().tables)
    print("\n".join(lines(works, misses_of(works))))


if __name__ == "__main__":
    main()
