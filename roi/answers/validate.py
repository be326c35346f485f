"""How far predictions are from a table of measured runs: open the table, predict every row, score.

The table is one of training runs or one of serving runs (docs/tables.md names the columns of both).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.errors import InputError
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.measured_run import (
    MeasuredRun,
    NoPrediction,
    Prediction,
    Predictor,
    memory_predictor,
    throughput_predictor,
)
from roi.estimate.accuracy.serving_errors import ServingValidation, validate_serving
from roi.estimate.accuracy.training_errors import Validation, validate_runs
from roi.evidence.serving_speed import serving_evidence
from roi.evidence.training_speed import speed_evidence
from roi.store.profiles.lookup import Store
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import ServingRow, ServingTable, serving_table
from roi.store.tables.training_table import TrainingRow, TrainingTable, training_table

CLOSED_FORM: Final = "closed-form"
"""The instrument that needs no torch."""
SHOWN: Final = 3
"""Skipped rows in one message; the others are counted."""
Announce = Callable[[int, int], None]
"""A function of the number of rows that have been run dry so far, and of the most that there may be."""


def validate_table(
    path: Path, instrument: str = CLOSED_FORM, *, strict: bool = False, announce: Announce | None = None,
) -> Validation | ServingValidation:
    """The errors of every prediction for the table at `path`.

    `instrument` predicts memory of training: the closed form, or "dry-run", which takes seconds a row and announces each.
    `strict`: a row that is skipped is an InputError.
    """
    table = open_table(path, strict=strict)
    if isinstance(table, ServingTable):
        if instrument != CLOSED_FORM:
            raise InputError(f"--instrument {instrument}: for memory of training; {path} is a table of serving runs")
        return validate_serving(table.runs, table.labels, table.skipped, serving_evidence)
    known = training_efficiencies()
    speed = throughput_predictor(speed_evidence(Store()))  # the published runs alone, as `roi fit` takes them without profiles
    memory = memory_predictor(known.overhead()) if instrument == CLOSED_FORM else _dry_runs(len(table.runs), announce)
    return validate_runs(table.runs, table.labels, table.skipped, memory, speed, table.second)


def open_table(path: Path, *, strict: bool = False, own: bool = False) -> TrainingTable | ServingTable:
    """The table at `path`, of the kind that knows more of its columns; of as many, with `own`, one of serving runs.

    `own`: rows that are kept as evidence, of which one above the roofline is skipped.
    InputError where no row can be used; `strict`: where any row is skipped.
    """
    rows = read_csv(path)
    table = serving_table(rows, own=own) if _of_serving(rows.columns, wanted=own) else training_table(rows)
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


def is_training_table(path: Path) -> bool:
    """True where more of the columns of the table at `path` are those of training runs."""
    return not _of_serving(read_csv(path).columns, wanted=True)


def _of_serving(columns: Sequence[str], *, wanted: bool) -> bool:
    """True where more of the columns are those of serving runs; of as many, where they are wanted or `engine` is one."""
    serving, training = (sum(name in kind.model_fields for name in columns) for kind in (ServingRow, TrainingRow))
    return serving > training or (serving == training and (wanted or "engine" in columns))


def _dry_runs(total: int, announce: Announce | None) -> Predictor:
    """The predictor that runs each plan dry; rows of the same plan share one run."""
    from roi.profiling.dry.dry_predictor import dry_run_predictor

    predict, seen = dry_run_predictor(training_efficiencies().overhead()), set[str]()

    def predict_and_say(run: MeasuredRun) -> Prediction | NoPrediction:
        seen.add(run.id)
        if announce is not None:
            announce(len(seen), total)
        return predict(run)

    return predict_and_say


def _told(skipped: Iterable[SkippedRow]) -> str:
    """The first skipped rows with line, id, cell and what is allowed, in one line."""
    rows = list(skipped)
    told = "; ".join(f"line {row.line}, row {row.id!r}, {row.reason}" for row in rows[:SHOWN])
    return told + (f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
