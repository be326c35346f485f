"""How far predictions are off on runs of which something was left out of the fit: models, cards, engines.

    python lab/left_out.py lab/tables/serving-1.csv --left-out model [--format table|json]

Prints `roi validate`'s report with every row predicted by a fit of the table's other models, within its engine; the same
architecture under another name is left out with it. Counted as a whole are groups of a GPU and an engine with at least three
models, the judged ones; the JSON lists the others too.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from efficiency_fit import StepEquation, equations_of, fit_efficiencies
from numpy.typing import NDArray

from roi.answers.validate import open_table
from roi.errors import RoiError
from roi.estimate.accuracy.serving_errors import ServingEvidence, ServingLabel, ServingValidation, validate_serving
from roi.estimate.accuracy.serving_loads import operating_figures
from roi.estimate.accuracy.serving_run import OperatingFigures, ServingRun
from roi.estimate.serving.iteration import Efficiencies
from roi.evidence.serving_speed import engine_row, evidence_from
from roi.report.validate import serving_validation_json, serving_validation_text
from roi.store.tables.serving_table import ServingTable

Array = NDArray[np.float64]

FEWEST: Final = 30
"""Equations below which ten coefficients are not fitted."""

FULL_ROWS: Final = 20
"""Rows of a (card, engine) from which it weighs as much as any other in the quantiles; fewer weigh by their number."""

JUDGED_MODELS: Final = 3
"""Models of a (card, engine) group from which leaving one out is a test: with fewer, the group says little of the rest."""

EVIDENCE: Final = (
    "Each row is predicted by a fit of this table's other models, within its engine. Counted are the rows of groups of a GPU"
    f" and an engine with at least {JUDGED_MODELS} models."
)

Key = Callable[[ServingRun], Hashable]


@dataclass(frozen=True)
class LeftOut:
    """Measured over predicted, on runs that the fit has not seen."""

    runs: tuple[ServingRun, ...]
    speed: Array
    """Requests a second of a static batch; one over TPOT of a closed loop, whose queue is predicted too."""
    ttft: Array
    """Measured over predicted TTFT; NaN where the run states none."""


def same_model(run: ServingRun) -> Hashable:
    """What names one architecture and size, whatever the release: Llama-3-8B and Llama-3.1-8B are one."""
    shape = run.system.shape
    return (shape.hidden, shape.layers, shape.vocab, shape.parameters)


def same_card(run: ServingRun) -> Hashable:
    """The card."""
    return run.system.gpu.id


def same_engine(run: ServingRun) -> Hashable:
    """The engine family."""
    return run.engine


def leave_out(runs: Sequence[ServingRun], pool: Sequence[ServingRun], *keys: Key) -> LeftOut:
    """Every run of `runs`, predicted from those of `pool` that differ from it in each of `keys`."""
    mine, rest = equations_of(runs), equations_of(pool)
    groups: dict[tuple[Hashable, ...], list[StepEquation]] = defaultdict(list)
    for equation in mine:
        groups[tuple(key(equation.run) for key in keys)].append(equation)
    told: list[ServingRun] = []
    speed: list[float] = []
    ttft: list[float] = []
    for values, members in groups.items():
        seen = [e for e in rest if all(key(e.run) != value for key, value in zip(keys, values, strict=True))]
        if len(seen) < FEWEST:
            continue
        engine = fit_efficiencies(seen)
        for run in (e.run for e in members):
            figures = operating_figures(run, engine)
            told.append(run)
            speed.append(_speed_ratio(run, figures))
            ttft.append(float("nan") if run.ttft_s is None else run.ttft_s / figures.ttft_s)
    return LeftOut(tuple(told), np.array(speed), np.array(ttft))


def _speed_ratio(run: ServingRun, figures: OperatingFigures) -> float:
    if run.tpot_s is not None:
        return figures.tpot_s / run.tpot_s
    return (run.requests_per_s or float("nan")) / figures.requests_per_s


def balanced_quantiles(ratios: Array, runs: Sequence[ServingRun], *at: float) -> tuple[float, ...]:
    """Quantiles of the ratios with every (card, engine) of FULL_ROWS rows and more weighing the same; NaN is left out."""
    known = np.isfinite(ratios)
    names = [(same_card(run), same_engine(run)) for run in runs]
    counts = {name: sum(1 for n, k in zip(names, known, strict=True) if n == name and k) for name in set(names)}
    weights = np.array([1.0 / max(counts[n], FULL_ROWS) if k else 0.0 for n, k in zip(names, known, strict=True)])[known]
    values = np.log(ratios[known])
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) - weights[order] / 2.0
    return tuple(float(q) for q in np.exp(np.interp(np.array(at) * weights.sum(), reached, values[order])))


def leave_models_out(
    runs: Sequence[ServingRun], pool_of: Callable[[ServingRun], str],
) -> dict[tuple[str, Hashable], Efficiencies]:
    """(pool, model) -> efficiencies fitted on the pool's other models; absent where too few runs are left.

    `pool_of` names the engine family whose runs are fitted together for a run, or "other", "other-2024" for all of an era.
    """
    equations = equations_of(runs)
    out: dict[tuple[str, Hashable], Efficiencies] = {}
    for pool, model in {(pool_of(run), same_model(run)) for run in runs}:
        rest = [e for e in equations if same_model(e.run) != model and _in_pool(e.run, pool)]
        if len(rest) >= FEWEST:
            out[pool, model] = fit_efficiencies(rest)
    return out


def _in_pool(run: ServingRun, pool: str) -> bool:
    if pool in ("other", "other-2024"):
        return run.recent == (pool == "other") and "rocm" not in run.engine
    return run.engine == pool


def without_its_model(runs: Sequence[ServingRun]) -> Callable[[ServingRun], ServingEvidence | None]:
    """Evidence from a fit of `runs` themselves: of the run's engine family, its own model left out.

    None where too few runs are left. The spread is the catalog's for the engine. A run's model is its architecture and size:
    Llama-3-8B is left out with Llama-3.1-8B.
    """
    def pool_of(run: ServingRun) -> str:
        row, own = engine_row(run.engine, recent=run.recent)
        return run.engine if own else row.engine

    fits = leave_models_out([run for run in runs if not run.implausible], pool_of)

    def evidence(run: ServingRun) -> ServingEvidence | None:
        found = fits.get((pool_of(run), same_model(run)))
        row, own = engine_row(run.engine, recent=run.recent)
        return None if found is None else evidence_from(run, row, found, own=own)

    return evidence


def judged_groups(runs: Iterable[ServingRun], labels: dict[str, ServingLabel]) -> frozenset[str]:
    """The groups of a card and an engine with runs of at least JUDGED_MODELS models."""
    models: dict[str, set[Hashable]] = defaultdict(set)
    for run in runs:
        if not run.implausible:
            models[labels[run.id].group].add(same_model(run))
    return frozenset(group for group, found in models.items() if len(found) >= JUDGED_MODELS)


@dataclass(frozen=True)
class LeftOutAnswer:
    """A table's rows, each predicted without its model."""

    every: ServingValidation
    """Over all groups."""
    counted: ServingValidation
    """Over the judged groups alone."""
    judged: frozenset[str]

    def json(self) -> dict[str, Any]:  # Any: the JSON of `roi validate`
        """`roi validate`'s JSON of the judged groups, with all groups listed and all rows told."""
        every, counted = (json.loads(serving_validation_json(found)) for found in (self.every, self.counted))
        groups = {name: {**block, "judged": name in self.judged} for name, block in every["by"]["group"].items()}
        return {**every, "left_out": "model", **{name: counted[name] for name in ("throughput", "tpot", "ttft", "derived")},
                "by": {**counted["by"], "group": groups}}


def validate_without_model(table: ServingTable) -> LeftOutAnswer:
    """Every run of the table predicted from a fit of the table's other models."""
    evidence = without_its_model(table.runs)
    judged = judged_groups(table.runs, {label.id: label for label in table.labels})
    labels = [label for label in table.labels if label.group in judged]
    inside = {label.id for label in labels}
    return LeftOutAnswer(
        every=validate_serving(table.runs, table.labels, table.skipped, evidence),
        counted=validate_serving([run for run in table.runs if run.id in inside], labels,
                                 [row for row in table.skipped if row.id in inside], evidence),
        judged=judged,
    )  # fmt: skip


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="canonical table of serving runs")
    parser.add_argument("--left-out", choices=["model"], default="model", help="what is left out of each row's fit")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    asked = parser.parse_args()
    try:
        table = open_table(asked.table)
    except RoiError as error:
        raise SystemExit(f"left_out: {error}") from None
    if not isinstance(table, ServingTable):
        raise SystemExit(f"left_out: {asked.table} is a table of training runs, whose fits `roi calibrate` leaves out in turn")
    found = validate_without_model(table)
    told = json.dumps(found.json(), indent=1) if asked.format == "json" else serving_validation_text(
        found.counted, evidence=EVIDENCE)
    print(told)


if __name__ == "__main__":
    main()
