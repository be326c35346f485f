"""What rows of a user's own table say of a server's speed: kept among the profiles, and taken where no profile of one is.

A file holds measured over published speed of each row; on its card, with its engine, each moves what is published for a plan by
what both have in common (own_speed).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date as Date
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies, engine_habits, find_engine
from roi.catalog.models.shapes import known_model
from roi.errors import InputError
from roi.estimate.accuracy.serving_run import ABOVE, ServingRun, ServingSystem, run_figures
from roi.estimate.replay.loads import ServingLoad
from roi.evidence.own_speed import OwnSpeed, PlanSpeed, half_of, own_speed
from roi.evidence.serving_speed import known_ends, on_card
from roi.facts.fact import Basis, Fact
from roi.facts.records import Record
from roi.store.profiles.kept_records import figures_digest, find_records, once, record_text, superseded

SCHEMA: Final = "roi.served-rows/1"
SUFFIX: Final = ".served"
"""Files among the profiles that hold rows (JSON); not .json, which is a profile."""
LOAD: Final = ServingLoad("static", 1000.0, 200.0, concurrency=32.0)
"""What plans are asked for, to tell whether their published speed is still the same."""


class ServedRow(Record):
    """One measured serving run beside what is published for it."""

    id: str
    engine: str
    """Name in the catalog."""
    gpu: str
    model: str
    speed: PositiveFloat
    """Measured over published speed."""
    gpus: PositiveFloat
    """GPUs of one replica."""
    weight_dtype: str
    of_roofline: PositiveFloat
    """Measured speed over the roofline's, which no engine betters."""


class ServedRows(Record):
    """Rows of one table, as `roi calibrate --add` keeps them."""

    schema_: Literal["roi.served-rows/1"] = Field(SCHEMA, alias="schema")
    date: Date
    roi: str
    """Version of roi."""
    published: str
    """Digest of the published speeds that the rows stand against."""
    table: str
    """Name of the table."""
    rows: tuple[ServedRow, ...]


@dataclass(frozen=True)
class RowsSpeed:
    """The speed of a plan over the published one."""

    found: OwnSpeed
    spread: Fact
    """1 with the ends over the centre."""


def served_text(rows: Sequence[ServedRow], day: Date, version: str, table: str) -> str:
    """The rows as the text of a file."""
    return record_text(ServedRows(
        schema=SCHEMA, date=day, roi=version, published=_published(rows), table=table, rows=tuple(rows)))


def _published(rows: Sequence[ServedRow]) -> str:
    """Of the speeds that are published for the rows' plans, whatever they follow from: efficiencies, rules, card, model."""
    plans = sorted({(row.engine, row.gpu, row.model, row.gpus, row.weight_dtype) for row in rows})
    return figures_digest([[*plan, _figures(*plan)] for plan in plans])


def _figures(engine: str, gpu_id: str, model_id: str, gpus: float, weight_dtype: str) -> object:
    """What the plan does under LOAD, to four digits; of a model that this catalog does not have, the engine's efficiencies."""
    try:
        known, shape, gpu = find_engine(engine), known_model(model_id), find_gpu(gpu_id)
        if shape is None:
            return asdict(known.on(gpu_id))
        system = ServingSystem(
            shape=shape, gpu=gpu, tensor_parallel=gpus, weight_dtype=weight_dtype, kv_dtype="bf16", replicas=1.0)
        run = ServingRun(id="", source="", system=system, load=LOAD, engine=engine)
        found = run_figures(run, on_card(known, gpu), engine_habits(engine.removesuffix("-offline")))(1.0)
    except InputError:  # an engine, a card or a format of another roi
        return None
    return [f"{figure:.4g}" for figure in (found.requests_per_s, found.ttft_s, found.tpot_s)]


def find_served_rows(folders: Iterable[Path]) -> tuple[tuple[ServedRows, ...], tuple[tuple[Path, str], ...]]:
    """Files of rows (*.served) anywhere below the folders, and (file, reason) of those that cannot be read or are stale.

    A refit, or another rule, moves what their speeds are over: a file of before would be off by as much, and count beside its
    table added again.
    Of files of one table the newest counts, of one day that of the first folder: where it was added again.
    """
    return find_records(ServedRows, folders, SUFFIX, "served rows", "served rows", _stale)


def _stale(file: ServedRows, files: Sequence[ServedRows]) -> str:
    again = f": roi calibrate --add {file.table}.csv adds it again"
    above = [f"{row.id} {row.of_roofline:.3g} x" for row in file.rows if row.of_roofline > 1.0 + ABOVE]
    if above:
        return f"rows above the roofline, which no engine reaches: {', '.join(above)}"
    if file.published != _published(file.rows):
        return f"added before the published speeds changed{again}"
    return superseded(file, (one for one in files if one.table == file.table), "a table of the same name")


def rows_once(files: Sequence[ServedRows]) -> list[tuple[ServedRow, ...]]:
    """The rows of each file that none before it has, whatever their id."""
    return once([file.rows for file in files], "id")


def row_speeds(files: Sequence[ServedRows], engine: EngineEfficiencies, gpu_id: str) -> list[PlanSpeed]:
    """The rows with this engine on this card, each once and over what is published for its own model."""
    return [PlanSpeed(source=file.table, model=row.model, log_speed=float(np.log(row.speed)),
                      plan=(row.gpus, row.weight_dtype),
                      half=half_of(known_ends(engine, gpu_id, row.model, mixture=_mixture(row.model))))
            for file, rows in zip(files, rows_once(files), strict=True) for row in rows
            if (row.engine, row.gpu) == (engine.engine, gpu_id)]


def _mixture(model_id: str) -> bool:
    """Whether it is a mixture of experts; True, the wider interval, of a model that this catalog does not have."""
    shape = known_model(model_id)
    return shape is None or shape.mixture


def rows_speed(
    files: Sequence[ServedRows], engine: EngineEfficiencies, gpu_id: str, model_id: str, plan: tuple[float, str] | None = None,
    others: Sequence[PlanSpeed] = (), *, mixture: bool,
) -> RowsSpeed | None:
    """What rows with this engine on this card, and `others` of it, say of a plan (GPUs of a replica, weight format).

    None where there are none.
    """
    mine = [*row_speeds(files, engine, gpu_id), *others]
    if not mine:
        return None
    found = own_speed(known_ends(engine, gpu_id, model_id, mixture=mixture), mine, model_id, plan)
    same, models = sum(one.model == model_id for one in mine), {one.model for one in mine} - {model_id}
    rest = f"{len(mine) - same} of {len(models)} other model{'' if len(models) == 1 else 's'}"
    of = ", ".join([*([f"{same} of this model"] if same else []), *([rest] if models else [])])
    source = (f"published {engine.engine} step at {found.centre:.2f} of its speed, by measurements, {of}, on {gpu_id};"
              f" {found.told}")
    return RowsSpeed(found, Fact(
        value=1.0, low=float(np.exp(-found.half)), high=float(np.exp(found.half)), unit="ratio", basis=Basis.CALIBRATED,
        source=source, date=max((file.date for file in files if any(row.gpu == gpu_id for row in file.rows)), default=None)))
