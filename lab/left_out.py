"""How far predictions are off on runs of which the model was left out of the fit, and cards and engines.

    python lab/left_out.py lab/tables/serving-1.csv [lab/tables/serving-2.csv ...] [--format table|json]

Prints `roi validate`'s report with every row predicted, by replay, from a fit of the tables' other models, within its engine,
its interval without its model too; the same architecture under another name is left out with it. Counted as a whole are groups
of a GPU and an engine with at least three models, the judged ones; the JSON lists the others too.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from by_chance import by_chance, likeness
from efficiency_fit import Work, same_shape, works_of
from fit_serving_efficiencies import Fits, ends_of, engine_of, inferred, misses_of, settled, spreads_from
from serving_spreads import Miss, Spreads

from roi.answers.validate import open_table
from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies
from roi.errors import RoiError
from roi.estimate.accuracy.serving_errors import (
    ServingEvidence,
    ServingLabel,
    ServingScore,
    ServingValidation,
    validate_serving,
)
from roi.estimate.accuracy.serving_run import ServingRun, is_offline
from roi.evidence.serving_speed import engine_row, evidence_from, reached
from roi.report.layout.blocks import render
from roi.report.validate import serving_validation_blocks, serving_validation_json
from roi.store.tables.serving_table import ServingTable

JUDGED_MODELS: Final = 3
"""Models of a (card, engine) group from which leaving one out is a test: with fewer, the group says little of the rest."""

EVIDENCE: Final = (
    "Each row is predicted by a fit of these tables' other models, within its engine, and its interval has not seen its model."
    f" Counted are the rows of groups of a GPU and an engine with at least {JUDGED_MODELS} models."
)


def without_its_model(
    works: Sequence[Work], misses: dict[str, list[Miss]] | None = None,
) -> Callable[[ServingRun], ServingEvidence | None]:
    """Evidence from `works` without the run's own model, in the fit and in the spread; None where nothing else speaks for it.

    A model is its architecture and size: Llama-3-8B is left out with Llama-3.1-8B. Of the fit it is left out within the engine:
    a base of several engines keeps what others did with it. The spread is that of a model that no engine was seen with, out of
    `misses` (`misses_of(works)`, where they are not at hand).
    """
    misses = misses_of(works) if misses is None else misses
    known: dict[tuple[str, Hashable], tuple[Fits, EngineEfficiencies]] = {}
    spreads: dict[Hashable, Spreads] = {}

    def evidence(run: ServingRun) -> ServingEvidence | None:
        (row, own), model = engine_row(run.engine, recent=run.recent, offline=is_offline(run.load)), same_shape(run)
        if model not in spreads:
            spreads[model] = spreads_from({name: [miss for miss in each if same_shape(miss.work.run) != model]
                                           for name, each in misses.items()})
        if (row.engine, model) not in known:
            rest = Fits([work for work in works if same_shape(work.run) != model or engine_of(work.run) != row.engine])
            known[row.engine, model] = rest, row.model_copy(update=ends_of(row.engine, rest, spreads[model]))
        fits, unseen = known[row.engine, model]
        fit = fits.on(row.engine, run.system.gpu.id)
        if fit is None:
            return None
        return evidence_from(run, unseen, reached(fit, run.system.gpu), own=own, model="")

    return evidence


def judged_groups(runs: Iterable[ServingRun], labels: dict[str, ServingLabel]) -> frozenset[str]:
    """The groups of a card and an engine with runs of at least JUDGED_MODELS models."""
    models: dict[str, set[Hashable]] = defaultdict(set)
    for run in runs:
        if not run.implausible:
            models[labels[run.id].group].add(same_shape(run))
    return frozenset(group for group, found in models.items() if len(found) >= JUDGED_MODELS)


@dataclass(frozen=True)
class LeftOutAnswer:
    """A table's rows, each predicted without its model."""

    every: ServingValidation
    """Over all groups."""
    counted: ServingValidation
    """Over the judged groups alone."""
    judged: frozenset[str]
    by_chance: dict[str, dict[str, tuple[int, float, float]]]
    """Source, or GPU and engine, or all -> quantity -> models, and percent inside that 95 of 100 samples of them show where 90%
    is true."""

    def json(self) -> dict[str, Any]:  # Any: the JSON of `roi validate`
        """`roi validate`'s JSON of the judged groups, with all groups listed and all rows told."""
        every, counted = (json.loads(serving_validation_json(found)) for found in (self.every, self.counted))
        groups = {name: {**block, "judged": name in self.judged} for name, block in every["by"]["group"].items()}
        return {**every, "left_out": "model", "by_chance": self.by_chance,
                **{name: counted[name] for name in ("throughput", "tpot", "ttft", "derived")},
                "by": {**counted["by"], "group": groups}}


def joined_tables(tables: Sequence[ServingTable]) -> ServingTable:
    """Several tables as one."""
    return ServingTable(tuple(r for t in tables for r in t.runs), tuple(s for t in tables for s in t.skipped),
                        tuple(label for t in tables for label in t.labels))


def validate_without_model(
    table: ServingTable, works: Sequence[Work] | None = None, misses: dict[str, list[Miss]] | None = None,
) -> LeftOutAnswer:
    """Every run of the table predicted from a fit of its other models; `works` of its runs and their `misses` where known."""
    skipped = inferred()
    known = settled(works_of(run for run in table.runs if run.id not in skipped)) if works is None else works
    evidence = without_its_model(known, misses)
    judged = judged_groups(table.runs, {label.id: label for label in table.labels})
    labels = [label for label in table.labels if label.group in judged]
    inside = {label.id for label in labels}
    counted = validate_serving([run for run in table.runs if run.id in inside], labels,
                               [row for row in table.skipped if row.id in inside], evidence)
    return LeftOutAnswer(
        every=validate_serving(table.runs, table.labels, table.skipped, evidence),
        counted=counted, judged=judged, by_chance=ranges(counted.scores, {run.id: same_shape(run) for run in table.runs}),
    )  # fmt: skip


def ranges(scores: Sequence[ServingScore], models: dict[str, Hashable]) -> dict[str, dict[str, tuple[int, float, float]]]:
    """LeftOutAnswer's `by_chance`: rows of a model on a card and engine are as alike as those of all groups together show."""
    held: dict[tuple[str, str, Hashable], list[bool]] = defaultdict(list)
    for score in scores:
        for name in (score.label.group, score.label.source, "all"):
            held[name, score.quantity, models[score.label.id]].append(score.low <= score.measured <= score.high)
    groups = {score.label.group for score in scores}
    alike = likeness((len(each), sum(each)) for (name, *_), each in held.items() if name in groups)
    rows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (name, quantity, _), each in held.items():
        rows[name][quantity].append(len(each))
    return {name: {quantity: (len(each), *by_chance(each, alike)) for quantity, each in found.items()}
            for name, found in rows.items()}


def read_tables(paths: Sequence[Path]) -> ServingTable:
    """The tables of serving runs at these paths, as one."""
    found = []
    for path in paths:
        table = open_table(path)
        if not isinstance(table, ServingTable):
            raise SystemExit(f"left_out: {path} is a table of training runs, whose fits `roi calibrate` leaves out in turn")
        found.append(table)
    return joined_tables(found)


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path, help="canonical tables of serving runs")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    asked = parser.parse_args()
    try:
        found = validate_without_model(read_tables(asked.tables))
    except RoiError as error:
        raise SystemExit(f"left_out: {error}") from None
    told = json.dumps(found.json(), indent=1) if asked.format == "json" else render(
        serving_validation_blocks(found.counted, EVIDENCE))
    print(told)


if __name__ == "__main__":
    main()
