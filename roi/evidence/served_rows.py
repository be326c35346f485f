"""What rows of a user's own table say of a server's speed: kept among the profiles, and taken where no profile of one is.

A file holds measured over published speed of each row. On a card, with an engine, rows of a plan's own model say its speed;
else each other model's median is one value. The interval is that of one more value: few rows leave the published spread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies
from roi.estimate.step.calibration import half_width
from roi.evidence.serving_speed import known_ends
from roi.facts.fact import Basis, Fact, Record
from roi.numerics.spreads import TAIL
from roi.store.profiles.kept_records import find_records, read_record, record_text

SCHEMA: Final = "roi.served-rows/1"
SUFFIX: Final = ".served"
"""Files among the profiles that hold rows (JSON); not .json, which is a profile."""


class ServedRow(Record):
    """One measured run."""

    id: str
    engine: str
    """Name in the catalog."""
    gpu: str
    model: str
    speed: PositiveFloat
    """Measured over published."""


class ServedRows(Record):
    """Rows of one table, as `roi calibrate --add` keeps them."""

    schema_: Literal["roi.served-rows/1"] = Field(SCHEMA, alias="schema")
    date: Date
    roi: str
    """Version of roi: the published speeds that the rows stand against."""
    table: str
    """Name of the table."""
    rows: tuple[ServedRow, ...]


@dataclass(frozen=True)
class RowsSpeed:
    """The speed of a plan over the published one."""

    centre: float
    spread: Fact
    """1 with the ends over the centre."""


def read_served(path: Path) -> ServedRows:
    """The rows in the file at `path`; InputError where it holds none."""
    return read_record(ServedRows, path, "served rows", "served rows")


def served_text(rows: Sequence[ServedRow], day: Date, version: str, table: str) -> str:
    """The rows as the text of a file."""
    return record_text(ServedRows(schema=SCHEMA, date=day, roi=version, table=table, rows=tuple(rows)))


def find_served_rows(folders: Iterable[Path]) -> tuple[tuple[ServedRows, ...], tuple[tuple[Path, str], ...]]:
    """Files of rows (*.served) anywhere below the folders, and (file, reason) of those that cannot be read."""
    return find_records(read_served, folders, SUFFIX)


def rows_speed(files: Sequence[ServedRows], engine: EngineEfficiencies, gpu_id: str, model_id: str) -> RowsSpeed | None:
    """What rows with this engine on this card say of a model; None where there are none.

    Rows of the model itself are repeats of one plan at other loads; where there are none, every other model is one value, with
    the spread between models as it is published until they show their own.
    """
    mine = [(file, row) for file in files for row in file.rows if (row.engine, row.gpu) == (engine.engine, gpu_id)]
    if not mine:
        return None
    same = [row.speed for _, row in mine if row.model == model_id]
    by_model = {row.model: [r.speed for _, r in mine if r.model == row.model] for _, row in mine}
    logs = np.log(same or [float(np.median(speeds)) for speeds in by_model.values()])
    centre = float(np.median(logs))
    low, high = known_ends(engine, gpu_id, model_id)
    if same:
        near = engine.same_ends(gpu_id)
        low, high = max(low, near[0]), min(high, near[1])
    half = half_width(logs.size, float(np.sum(np.square(logs - centre))), float(np.log(high / low)) / (2.0 * TAIL))
    tables = ", ".join(dict.fromkeys(file.table for file, _ in mine))
    others = f"{len(by_model)} other model{'' if len(by_model) == 1 else 's'}"
    of = f"{len(same)} rows, this model" if same else f"{len(mine)} rows, {others}"
    source = f"published {engine.engine} step at {np.exp(centre):.2f} of its speed, by {of} on {gpu_id} in {tables}"
    return RowsSpeed(float(np.exp(centre)), Fact(
        value=1.0, low=float(np.exp(-half)), high=float(np.exp(half)), unit="ratio", basis=Basis.CALIBRATED, source=source,
        date=max(file.date for file, _ in mine)))
