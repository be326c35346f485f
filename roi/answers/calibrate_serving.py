"""What rows of a user's own table change of serving speeds: measured over published, kept among the profiles, before and after.

    TABLE.csv --open_table--> serving runs --predict_serving--> speeds --*.served file--> `size`, `compare` --Before and after
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from roi import __version__
from roi.answers.opening import open_runs
from roi.answers.telling import Tell, keep_quiet
from roi.answers.validate import open_table
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.models.shapes import find_model
from roi.disk import replace_in_folder
from roi.errors import InputError
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.serving_errors import SLOWEST, predict_serving, speeds_over, too_slow
from roi.estimate.accuracy.serving_run import ServingRun, is_offline, times_of_roofline
from roi.estimate.serving.weight_formats import WEIGHT_FORMATS, runs_format
from roi.evidence.own_speed import OF_LOAD
from roi.evidence.served_rows import SUFFIX, ServedRow, ServedRows, rows_once, rows_speed, served_text
from roi.evidence.serving_speed import engine_row, serving_evidence
from roi.store.profiles.places import folder_of_rows
from roi.store.tables.serving_table import ServingTable

CLEAR: Final = 1.96
"""Spearman's rho times the root of rows less one from which speed follows load: independent ones are beyond in 5% (normal)."""


@dataclass(frozen=True)
class Trend:
    """How the speed over the published one follows the requests in flight of a replica."""

    fewest: float
    """Requests in flight."""
    speed_fewest: float
    """Speed over the published one with so many, geometric mean of such rows."""
    most: float
    speed_most: float


@dataclass(frozen=True)
class Piece:
    """What the rows of one table did to the interval of one plan on a card with an engine."""

    table: str
    engine: str
    gpu: str
    model: str
    gpus: float
    weight_dtype: str
    """Format of the weights of most of its rows."""
    rows: int
    """Rows of this model in this table."""
    centre: float
    """Speed over the published one, all tables until this one together."""
    before: tuple[float, float]
    """P5 and P95 of the speed over the published one without this table."""
    after: tuple[float, float]
    contradicts: bool
    """True where the rows lie outside of what was known, or leave its interval wider."""
    apart: str
    """The lowest and the highest that tables say, where they contradict each other; else empty."""
    trend: Trend | None
    """None where its rows show none."""


class SlowRow(NamedTuple):
    """A row far below the published speed."""

    id: str
    speed: float
    """Over the published one."""
    why: str
    """What is wrong with it, in words."""


@dataclass(frozen=True)
class AddedRows:
    """The answer of `roi calibrate --add`."""

    written: tuple[Path, ...]
    pieces: tuple[Piece, ...]
    skipped: tuple[tuple[Path, SkippedRow], ...]
    slow: tuple[SlowRow, ...]
    """Rows that are not kept (`too_slow`)."""
    unused: int
    """Rows that state no speed, or are marked implausible."""
    known: int
    """Rows whose figures another table has, too, under whatever id: they count once."""
    replaced: int
    """Rows of tables of these names that counted until now, and are not in these."""
    unplanned: tuple[str, ...]
    """Cards of rows on which no plan is made in any format, as those without matrix cores."""


def add_served_rows(
    tables: Sequence[Path], day: Date, *, profiles: Sequence[Path] = (), strict: bool = False, tell: Tell = keep_quiet,
) -> AddedRows:
    """Keep the tables' rows in the folder of `folder_of_rows`.

    A table of the same name takes the place of the one before. InputError, and nothing is written, where a table is one of
    training runs, or none of its rows says how fast a server is. `tell` hears of files among the profiles that do not count.
    """
    folder = folder_of_rows(tables, profiles)
    opened = [(path, _serving(path, strict=strict)) for path in tables]
    read = [[row for run in table.runs if (row := _row(run)) is not None] for _, table in opened]
    said = [[row for row in rows if isinstance(row, ServedRow)] for rows in read]
    slow = tuple(row for rows in read for row in rows if isinstance(row, SlowRow))
    for path, rows in zip(tables, said, strict=True):
        if not rows:
            raise InputError(f"--add: {path}: nothing to keep, no row states a speed that its hardware can reach, or at least"
                             f" {SLOWEST:g} of the published one")
    names = {path.stem for path in tables}
    kept = open_runs(profiles, tell).rows
    files = [file for file in kept if file.table not in names]
    pieces, written, known = [], [], 0
    for (path, table), rows in zip(opened, said, strict=True):
        flying = {run.id: run.load.concurrency / run.system.replicas for run in table.runs if run.load.concurrency}
        text = served_text(rows, day, __version__, path.stem)
        file = ServedRows.model_validate_json(text)
        new = rows_once([*files, file])[-1]
        known += len(rows) - len(new)
        for engine, gpu, model in dict.fromkeys((r.engine, r.gpu, r.model) for r in new):
            mine = [r for r in new if (r.engine, r.gpu, r.model) == (engine, gpu, model)]
            plan = Counter((r.gpus, r.weight_dtype) for r in mine).most_common(1)[0][0]
            found = rows_speed([*files, file], find_engine(engine), gpu, model, plan, mixture=find_model(model).mixture)
            assert found is not None
            last, before = found.found.pieces[-1], (found.found.before, *((p.low, p.high) for p in found.found.pieces))[-2]
            pieces.append(Piece(table=path.stem, engine=engine, gpu=gpu, model=model, gpus=plan[0], weight_dtype=plan[1],
                                rows=len(mine), centre=found.found.centre, before=before, after=(last.low, last.high),
                                contradicts=last.contradicts, apart=found.found.apart,
                                trend=_trend([(flying[row.id], row.speed) for row in mine if row.id in flying])))
        files.append(file)
        name = f"{path.stem}{SUFFIX}"
        replace_in_folder(folder, {name: text}, "profiles")
        written.append(folder / name)
    skipped = tuple((path, row) for path, table in opened for row in table.skipped)
    unused = sum(len(table.runs) - len(rows) for (_, table), rows in zip(opened, read, strict=True))
    had = [*(file for file in files if file.table in names), *(file for file in kept if file.table in names)]
    replaced = sum(len(rows) for file, rows in zip(had, rows_once(had), strict=True) if file in kept)
    return AddedRows(written=tuple(written), pieces=tuple(pieces), skipped=skipped, slow=slow, unused=unused, known=known,
                     replaced=replaced, unplanned=_unplanned(pieces))


def _trend(rows: Sequence[tuple[float, float]]) -> Trend | None:
    """How speed follows the requests in flight, of rows of both; None where ranks do not, or its ends lie as near as loads do.

    Of independent ranks rho has the variance 1 / (n - 1) (Kendall and Gibbons, Rank correlation methods, 1990).
    """
    if len({load for load, _ in rows}) < 2:
        return None
    (fewest, _), (most, _) = min(rows), max(rows)
    ends = [float(np.exp(np.mean([np.log(speed) for load, speed in rows if load == end]))) for end in (fewest, most)]
    change = float(np.log(ends[1] / ends[0]))
    ranks = [np.sign(np.subtract.outer(x, x)).sum(axis=1) for x in map(np.array, zip(*rows, strict=True))]
    if abs(change) <= OF_LOAD or np.sign(change) * np.corrcoef(*ranks)[0, 1] * (len(rows) - 1) ** 0.5 <= CLEAR:
        return None
    return Trend(fewest, ends[0], most, ends[1])


def _unplanned(pieces: Sequence[Piece]) -> tuple[str, ...]:
    cards = {piece.gpu: (find_model(piece.model), find_gpu(piece.gpu)) for piece in pieces}
    return tuple(id for id, (shape, gpu) in cards.items()
                 if not any(runs_format(shape, gpu, dtype, None) for dtype in WEIGHT_FORMATS))


def _serving(path: Path, *, strict: bool) -> ServingTable:
    table = open_table(path, strict=strict, own=True)
    if not isinstance(table, ServingTable):
        raise InputError(f"--add: {path} is a table of training runs; add it apart from those of serving runs")
    return table


def _row(run: ServingRun) -> ServedRow | SlowRow | None:
    """Measured over published speed: of tokens after the first where the row states it, else of its throughput."""
    speeds = () if run.implausible else speeds_over(run, predict_serving(run, serving_evidence(run)))
    if not speeds:
        return None
    if why := too_slow(speeds):
        return SlowRow(run.id, min(speeds), why)
    (row, _), system = engine_row(run.engine, recent=run.recent, offline=is_offline(run.load)), run.system
    return ServedRow(id=run.id, engine=row.engine, gpu=system.gpu.id, model=system.shape.id, speed=speeds[0],
                     gpus=system.tensor_parallel * system.stages, weight_dtype=system.weight_dtype,
                     of_roofline=times_of_roofline(run))
