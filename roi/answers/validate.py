"""How far predictions are from a table of measured runs: open the table, predict every row, score.

The table is one of training runs or one of serving runs (docs/tables.md names the columns of both).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.errors import InputError
from roi.estimate.accuracy.closed_form import memory_predictor, throughput_predictor
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.measured_run import Predictor
from roi.estimate.accuracy.serving_errors import ServingValidation, validate_serving
from roi.estimate.accuracy.training_errors import Validation, validate_runs
from roi.evidence.serving_speed import serving_evidence
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import ServingTable, serving_table
from roi.store.tables.training_table import TrainingTable, training_table

SHOWN: Final = 3
"""Skipped rows in one message; the others are counted."""


def validate(path: Path, memory: Predictor | None = None, *, strict: bool = False) -> Validation | ServingValidation:
    """The errors of every prediction for the table at `path`.

    `memory` predicts the memory of training in place of the closed form. `strict`: a row that is skipped is an InputError.
    """
    table = open_table(path, strict=strict)
    if isinstance(table, ServingTable):
        if memory is not None:
            raise InputError(f"--instrument: for memory of training; {path} is a table of serving runs")
        return validate_serving(table.runs, table.labels, table.skipped, serving_evidence)
    known = training_efficiencies()
    speed = throughput_predictor(known.step(), known.overall.spread())
    return validate_runs(
        table.runs, table.labels, table.skipped, memory or memory_predictor(known.overhead()), speed, table.second)


def open_table(path: Path, *, strict: bool = False) -> TrainingTable | ServingTable:
    """The table at `path`, of either kind: one with a column `engine` is of serving runs.

    InputError where no row can be used; `strict`: where any row is skipped.
    """
    rows = read_csv(path)
    table = serving_table(rows) if "engine" in rows.columns else training_table(rows)
    if strict and table.skipped:
        raise InputError(f"TABLE: {path}: {len(table.skipped)} of {len(rows.rows)} rows cannot be used; {_told(table.skipped)}")
    if not table.runs:
        raise InputError(f"TABLE: {path}: no row of {len(rows.rows)} could be used; {_told(table.skipped)}")
    return table


def open_training_table(path: Path, *, strict: bool = False) -> TrainingTable:
    """The table of training runs at `path`; InputError where it is none."""
    table = open_table(path, strict=strict)
    if isinstance(table, ServingTable):
        raise InputError(f"TABLE: {path} is a table of serving runs, and training runs are needed")
    return table


def _told(skipped: Iterable[SkippedRow]) -> str:
    """The first skipped rows with line, id, cell and what is allowed, in one line."""
    rows = list(skipped)
    told = "; ".join(f"line {row.line}, row {row.id!r}, {row.reason}" for row in rows[:SHOWN])
    return told + (f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
