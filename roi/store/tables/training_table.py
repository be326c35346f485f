"""A table of measured training runs (one row a run) as the estimators take it, and why rows are left out."""

import re
from pathlib import Path
from typing import NamedTuple

from roi.catalog.cards.gpus import load_gpus
from roi.estimate.accuracy.measured_run import MeasuredRun
from roi.estimate.accuracy.training_errors import RowLabel
from roi.estimate.training.plan import TrainingPlan
from roi.facts.model import ModelShape
from roi.store.tables.row_fields import Row, Unusable, cell, full_length, known_number, measured_number, memory_kind
from roi.store.tables.row_names import table_gpu, table_model
from roi.store.tables.row_plan import row_plan
from roi.store.tables.table_files import check_heads, table_rows
from roi.units import GIB

REQUIRED = (
    "id", "model", "gpu", "method", "rank", "target_modules", "quant", "micro_batch", "seq_len_max",
    "gradient_checkpointing", "peak_mem_gib", "peak_mem_kind", "tokens_per_s",
)  # fmt: skip
"""Columns without which no plan can be made or nothing can be compared."""

SECOND = {"reserved": "peak_mem_reserved_gib", "process": "peak_mem_process_gib"}
"""Columns of memory beside the headline's, by kind."""

SPEEDS = ("tokens_per_s", "samples_per_s")
"""Columns of speed, in the order in which they are read."""

POSITIVE = (
    "params_b", "n_gpus", "rank", "micro_batch", "grad_accum", "seq_len_max", "seq_len_mean", "peak_mem_gib",
    "peak_mem_reserved_gib", "peak_mem_process_gib", "tokens_per_s", "samples_per_s", "step_s", "train_hours",
    "trainable_params",
)  # fmt: skip
"""Columns whose numbers are above 0."""


class RowTable(NamedTuple):
    """What a table holds."""

    runs: tuple[MeasuredRun, ...]
    """Rows that became a configuration."""
    skipped: tuple[tuple[str, str], ...]
    """(id, reason) of the others; the reason begins with column and value."""
    rows: int
    """All rows."""
    labels: tuple[RowLabel, ...]
    """What every row states, the skipped ones included."""
    second: tuple[MeasuredRun, ...]
    """The same runs with the other kinds of memory that their rows state beside the headline's."""
    unread: tuple[tuple[str, str], ...]
    """(id, reason) of used rows whose speed is text that is no number; the reason begins with column and value."""


def read_measured_rows(path: Path) -> RowTable:
    """The runs of the CSV at `path`, in its order; InputError where it is no such table.

    Columns are those of `roi validate --help`; more are allowed. Rows that no plan expresses are skipped, each with the
    column and the value that decided it.
    """
    return row_table(table_rows(path, check_training))


def check_training(path: Path, heads: list[str]) -> None:
    """Raise where the heads are not those of a table of training runs."""
    check_heads(path, heads, REQUIRED)


def row_table(rows: list[dict[str, str]]) -> RowTable:
    """The runs of a table's rows; its columns are known to be there."""
    runs, skipped, labels, second, unread = [], [], [], [], []
    for row in rows:
        for column in POSITIVE:
            known_number(row, column)  # a figure of 0 or below is an error of the table, whatever becomes of the row
        labels.append(_label(row))
        try:
            runs.append(measured_run(row))
            second += [measured_run({**row, "peak_mem_gib": cell(row, SECOND[kind]), "peak_mem_kind": kind})
                       for kind in labels[-1].second]
            unread += [(cell(row, "id"), reason) for column in SPEEDS if (reason := _no_number(row, column))]
        except Unusable as reason:
            skipped.append((cell(row, "id"), str(reason)))
    return RowTable(tuple(runs), tuple(skipped), len(rows), tuple(labels), tuple(second), tuple(unread))


def _no_number(row: Row, column: str) -> str:
    """Why the cell is no figure; empty where it is one, or is empty."""
    try:
        measured_number(row, column)
    except Unusable as reason:
        return str(reason)
    return ""


def measured_run(row: Row) -> MeasuredRun:
    """One row as a run; raises Unusable with column and value where no plan expresses it or it states no figure."""
    model = table_model(cell(row, "model"))
    plan, assumed = row_plan(row, model)
    peak = measured_number(row, "peak_mem_gib")
    failed = _out_of_memory(row)
    mean = known_number(row, "seq_len_mean")
    if mean is None and full_length(cell(row, "packing")):
        mean = float(plan.seq)
    speed = _tokens_per_s(row)
    _check_figures(row, model, plan, peak, speed)
    if peak is None and speed is None and not failed and "fit" not in cell(row, "peak_mem_kind").lower():
        raise Unusable("peak_mem_gib", "", "no figure to compare: no memory, no tokens/s, no out-of-memory")
    return MeasuredRun(
        cell(row, "id"), _source(row), cell(row, "method").lower(), cell(row, "gpu"), model, plan,
        table_gpu(cell(row, "gpu")), mean, None if peak is None else peak * GIB, memory_kind(cell(row, "peak_mem_kind")),
        speed, failed, assumed,
    )  # fmt: skip


def _check_figures(row: Row, model: ModelShape, plan: TrainingPlan, peak: float | None, speed: float | None) -> None:
    """Raise where a figure is beyond any card: more GiB than one holds, more tokens/s than its peak rate multiplies forward."""
    holds = max(card.memory_bytes for card in load_gpus()) / GIB
    if peak is not None and peak > holds:
        raise Unusable("peak_mem_gib", cell(row, "peak_mem_gib"), f"no card holds more than {holds:,.0f} GiB; it is GiB of one"
                       " GPU")
    most = plan.gpus * max(card.matrix_flops("fp4") for card in load_gpus()) / (2.0 * model.active_parameters)
    if speed is not None and speed > most:
        raise Unusable("tokens_per_s", cell(row, "tokens_per_s") or cell(row, "samples_per_s"), f"at most {most:,.0f}, the peak"
                       " rate of the fastest card over a forward pass alone")


def _tokens_per_s(row: Row) -> float | None:
    """Tokens/s of the whole job: as stated, else samples/s x a numeric mean length; never from step_s alone."""
    stated = known_number(row, "tokens_per_s")
    samples, mean = known_number(row, "samples_per_s"), known_number(row, "seq_len_mean")
    return stated if stated is not None else samples * mean if samples and mean else None


def _out_of_memory(row: Row) -> bool:
    kind = cell(row, "peak_mem_kind").lower()
    said = kind.startswith(("oom", "out of memory")) or "out of memory" in cell(row, "notes").lower()
    return said and not cell(row, "peak_mem_gib")


def _source(row: Row) -> str:
    """The id without its number ("peft-001": peft); the source column's first word where the id has none."""
    bare = re.sub(r"[-_.#]\d+$", "", cell(row, "id"))
    return bare if bare != cell(row, "id") else (cell(row, "source").split() or [bare])[0]


def _label(row: Row) -> RowLabel:
    kind = memory_kind(cell(row, "peak_mem_kind"))
    return RowLabel(
        cell(row, "id"), _source(row), cell(row, "method").lower() or "unstated", cell(row, "gpu") or "unstated",
        kind, known_number(row, "peak_mem_gib") is not None, _tokens_per_s(row) is not None,
        tuple(other for other, column in SECOND.items() if other != kind and known_number(row, column) is not None),
    )  # fmt: skip
