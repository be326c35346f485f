"""Rows of a user's own tables of training runs: kept among the profiles, and runs of one's own as the points of a profile are.

A file holds each run as it was measured, with its plan: the roofline's time for it is worked out where it is read.
"""

from collections.abc import Iterable, Sequence
from datetime import date as Date
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, PositiveFloat

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.accuracy.measured_run import MeasuredRun
from roi.facts.records import Record
from roi.store.profiles.kept_records import find_records, once, superseded
from roi.store.profiles.lookup import plan_record, read_plan

SCHEMA: Final = "roi.calibration/2"
SUFFIX: Final = ".calibration"
"""Files among the profiles that hold such rows (JSON); not .json, which is a profile."""


class TrainedRow(Record):
    """One measured training run."""

    id: str
    source: str
    """The table and its source, which share software and habits."""
    model: str
    """Name in the catalog."""
    gpu: str
    """Name in the catalog."""
    plan: dict[str, Any]  # Any: JSON, which read_plan checks
    """The plan at the longest sequence."""
    mean_tokens: PositiveFloat
    """Mean tokens of a sequence, padding as the source counts it."""
    tokens_per_s: PositiveFloat
    """Tokens a second of the whole job, all GPUs together."""


class CalibrationFile(Record):
    """Rows of tables, as `roi calibrate TABLE --output` or `--add` keeps them."""

    schema_: Literal["roi.calibration/2"] = Field(SCHEMA, alias="schema")
    date: Date
    """Day on which they were kept."""
    roi: str
    """Version of roi."""
    tables: tuple[str, ...]
    """Names of the tables."""
    rows: tuple[TrainedRow, ...]


def calibration_file(runs: Iterable[tuple[Path, MeasuredRun]], day: Date, version: str) -> CalibrationFile:
    """The runs of tables as a file keeps them, each with its table; of those that state card, mean length and speed."""
    given = list(runs)
    rows = [TrainedRow(id=run.id, source=f"{table.stem}/{run.source}", model=run.model.id, gpu=run.gpu.id,
                       plan=plan_record(run.plan), mean_tokens=run.mean_tokens, tokens_per_s=run.tokens_per_s)
            for table, run in given if run.gpu is not None and run.mean_tokens is not None and run.tokens_per_s is not None]
    return CalibrationFile(schema=SCHEMA, date=day, roi=version, rows=tuple(rows),
                           tables=tuple(dict.fromkeys(table.stem for table, _ in given)))


def find_calibrations(folders: Iterable[Path]) -> tuple[tuple[CalibrationFile, ...], tuple[tuple[Path, str], ...]]:
    """Calibration files (*.calibration) anywhere below the folders, and (file, reason) of those that do not count.

    They cannot be read, or name a model, a card or a plan that this roi does not know. Of files of the same tables the newest
    counts, of one day that of the first folder.
    """
    return find_records(CalibrationFile, folders, SUFFIX, "calibration", "a calibration", _why_not)


def _why_not(file: CalibrationFile, files: Sequence[CalibrationFile]) -> str:
    try:
        for row in file.rows:
            _run(row)
    except InputError as error:
        return f"{error}; roi calibrate --add keeps its table again"
    return superseded(file, (one for one in files if one.tables == file.tables), "tables of the same names")


def own_rows(files: Sequence[CalibrationFile]) -> list[MeasuredRun]:
    """The runs of the files, each once, whatever its id and table."""
    return [_run(row) for rows in once([file.rows for file in files], "id", "source") for row in rows]


def _run(row: TrainedRow) -> MeasuredRun:
    plan, gpu = read_plan(row.plan), find_gpu(row.gpu)
    return MeasuredRun(id=row.id, source=row.source, method=plan.method, gpu_name=gpu.id, model=find_model(row.model),
                       plan=plan, gpu=gpu, mean_tokens=row.mean_tokens, memory_bytes=None, memory_kind="unstated",
                       tokens_per_s=row.tokens_per_s)
