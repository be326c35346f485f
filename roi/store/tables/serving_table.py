"""A table of measured serving runs (one row a run) as the estimators take it, and why rows are left out."""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from roi.catalog.efficiencies.serving_efficiencies import serving_family
from roi.errors import InputError
from roi.estimate.accuracy.serving_bounds import beyond_roofline
from roi.estimate.accuracy.serving_errors import ServingLabel
from roi.estimate.accuracy.serving_run import ServingLoad, ServingRun, ServingSystem
from roi.estimate.serving.iteration import weight_bytes
from roi.estimate.serving.replica_memory import SEQUENCE_LIMIT
from roi.facts.gpu import Gpu
from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.serving_cells import BLANKS, check_commas, comma_doubt, readable_number, stated_number, stated_year
from roi.store.tables.serving_heads import TRAINING
from roi.store.tables.serving_plausibility import marked_implausible
from roi.store.tables.serving_row_formats import row_formats
from roi.store.tables.serving_row_layout import named_card, row_card, row_gpus, row_layout
from roi.store.tables.serving_row_lengths import length_words, row_length_cv, row_lengths
from roi.store.tables.serving_row_loads import LoadWords, row_load
from roi.store.tables.serving_row_models import STAND_IN_SPREAD, RowModel, row_model
from roi.store.tables.serving_row_names import Engine, is_percentile, row_adapters, row_engine, tpot_kind
from roi.store.tables.table_files import check_heads, table_rows
from roi.units import GIB

IDENTITY = ("id", "model", "gpu", "engine", "isl", "osl")
"""Columns that a table of serving runs has."""

FIGURES = ("req_per_s", "output_tok_per_s", "total_tok_per_s", "ttft_ms", "tpot_ms")
"""Columns of which it has one."""

STATISTICS = {"ttft_ms": "ttft_stat", "tpot_ms": "tpot_stat"}
"""Figures -> the column that says which statistic they are."""

NO_MEAN = "a percentile, and means are predicted"

DEFAULT_PROMPTS = 1000.0
"""Requests of an open run that does not say: the default of vLLM's benchmark script, which most published runs use."""

GUESSED_SPREAD = 1.5
"""A load that nothing describes, or that is described twice, may be anything up to all that the server gives."""

LARGE_LIMIT = 1024.0
"""vLLM's max_num_seqs since V1 on data-centre cards; TensorRT-LLM's max_batch_size is 2,048."""

UNDATED_SPREAD = 1.2
"""An engine without version or date may be of either design: 2024's took 1.1 to 1.4 times the step."""

INT4_SPREAD = 1.25
"""No run with weight-only 4 bits was fitted; their kernels unpack as they read."""


class ServingTable(NamedTuple):
    """What a table holds."""

    runs: tuple[ServingRun, ...]
    skipped: tuple[tuple[str, str], ...]
    """(id, reason) of rows that became no configuration; the reason begins with column and value."""
    labels: tuple[ServingLabel, ...]
    """All rows."""
    unread: tuple[tuple[str, str], ...] = ()
    """(id, reason) of figures of used rows that are no mean."""


def read_serving_rows(path: Path) -> ServingTable:
    """The runs of the CSV at `path`; InputError where it is no table of serving runs."""
    return serving_table(table_rows(path, check_serving))


LEAST_HEADS = 2
"""Columns of serving runs alone that a table of them has at least."""


def is_serving(heads: list[str]) -> bool:
    """True for the heads of a table of serving runs, whole or not: training has neither an engine nor request lengths."""
    if any(name in heads for name in TRAINING):
        return False
    return sum(name in heads for name in ("engine", "isl", "osl", *FIGURES[3:])) >= LEAST_HEADS


def check_serving(path: Path, heads: list[str]) -> None:
    """Raise where the heads are not those of a table of serving runs."""
    check_heads(path, heads, IDENTITY[1:])
    if not any(name in heads for name in FIGURES):
        raise InputError(f"TABLE: {path} has nothing to compare; one of the columns {', '.join(FIGURES)} is needed")


def serving_table(rows: list[dict[str, str]]) -> ServingTable:
    """The runs of a table's rows, in its order, and what could not be read; a row that is skipped costs no other."""
    runs, skipped, labels = [], [], []
    doubt = comma_doubt(rows)
    for row in rows:
        label = serving_label(row)
        try:
            check_commas(row, doubt)
            runs.append(serving_run(row))
            label = label._replace(implausible=runs[-1].implausible)
        except Unusable as reason:
            skipped.append((cell(row, "id"), str(reason)))
        labels.append(label)
    left = dict(skipped)
    unread = [(cell(row, "id"), _no_mean(row, column)) for row in rows for column in STATISTICS if cell(row, "id") not in left
              and _no_mean(row, column)]
    return ServingTable(tuple(runs), tuple(skipped), tuple(labels), tuple(unread))


def serving_label(row: Row) -> ServingLabel:
    """What the row is called by and states."""
    stated = {name for name, columns in (("throughput", FIGURES[:3]), ("ttft", FIGURES[3:4]), ("tpot", FIGURES[4:]))
              if any(readable_number(row, column) is not None and not _no_mean(row, column) for column in columns)}
    gpu = named_card(cell(row, "gpu"))
    engine = row_engine(row, gpu)
    return ServingLabel(
        cell(row, "id"), _source(row), gpu.id if gpu else cell(row, "gpu") or "unstated",
        serving_family(engine.name, recent=engine.recent, early_rocm=engine.early_rocm), cell(row, "model"),
        frozenset(stated), marked_implausible(row),
    )  # fmt: skip


def _source(row: Row) -> str:
    """The id's first word ("anl-1302": anl); the source column's first word where the id is a number alone."""
    word = re.sub(r"\d+$", "", re.split(r"[-_.#\s]", cell(row, "id"))[0])
    return word or (cell(row, "source").split() or ["unstated"])[0]


def serving_run(row: Row) -> ServingRun:
    """One row as a run; raises Unusable with column and value where a cell is not certain or no configuration expresses it."""
    assumed: list[tuple[str, float]] = []
    figures = _figures(row)
    model = row_model(row)
    words = row_load(row)
    gpu = row_card(row, assumed)
    engine = row_engine(row, gpu)
    assumed += _unread_date(row, engine)
    weight, kv, formats = row_formats(row, model.shape, engine)
    tp, replicas = row_layout(row, model.shape, gpu, weight, assumed, one_batch=words.kind == "static")
    load = _load(row, words, assumed)
    prefill = 0.0
    if words.split is not None:
        workers = sum(words.split)
        tp, replicas, prefill = max((row_gpus(row) or workers * tp) / workers, 1.0), workers, words.split[0]
    _check_fits(row, model, gpu, weight, tp)
    found = ServingRun(
        id=cell(row, "id"), source=_source(row),
        system=ServingSystem(model.shape, gpu, replicas, tp, weight, kv, _sequence_limit(engine, load), prefill),
        load=load, engine=serving_family(engine.name, recent=engine.recent, early_rocm=engine.early_rocm), recent=engine.recent,
        requests_per_s=figures["req_per_s"], output_tokens_per_s=figures["output_tok_per_s"],
        total_tokens_per_s=figures["total_tok_per_s"],
        ttft_s=_milliseconds(figures["ttft_ms"]), tpot_s=_milliseconds(figures["tpot_ms"]),
        tpot_kind=tpot_kind(cell(row, "tpot_stat")),
        assumed=(*assumed, *formats, *_widened(weight, model, engine)),
    )  # fmt: skip
    return replace(found, implausible=marked_implausible(row) or beyond_roofline(found))


def _unread_date(row: Row, engine: Engine) -> list[tuple[str, float]]:
    """A note where the date has no year and the version tells the engine's design; Unusable where only the date would."""
    if cell(row, "date").lower() in BLANKS or stated_year(row) is not None:
        return []
    if not engine.dated:
        raise Unusable("date", cell(row, "date"), "no year in it, and no engine_version; write 2025-06-30")
    return [("engine_version in place of an unread date", 1.0)]


def _figures(row: Row) -> dict[str, float | None]:
    """What the row measured, by column, without percentiles; Unusable where nothing is left."""
    figures = {column: stated_number(row, column) for column in FIGURES}
    percentiles = [column for column in STATISTICS if figures[column] is not None and _no_mean(row, column)]
    means = {column: None if column in percentiles else value for column, value in figures.items()}
    if percentiles and not any(means.values()):
        statistic = STATISTICS[percentiles[0]]
        raise Unusable(statistic, cell(row, statistic), NO_MEAN)
    if not any(means.values()):
        raise Unusable("req_per_s", "", "no figure to compare: no throughput, no TTFT, no TPOT")
    return means


def _no_mean(row: Row, column: str) -> str:
    """Why the figure is none that is predicted: it is a percentile; else empty."""
    statistic = STATISTICS.get(column, "")
    stated = readable_number(row, column) is not None and is_percentile(cell(row, statistic))
    return f"{statistic}: {cell(row, statistic)!r}; {NO_MEAN}" if stated else ""


def _check_fits(row: Row, model: RowModel, gpu: Gpu, weight: str, tp: float) -> None:
    """Raise where the weights alone are more than the GPUs of a replica hold: it did not run that way."""
    needed = weight_bytes(model.shape, weight) / tp
    if needed > gpu.memory_bytes:
        raise Unusable("tp" if cell(row, "tp") else "n_gpus", cell(row, "tp") or cell(row, "n_gpus"),
                       f"{weight} weights of {needed / GIB:,.0f} GiB a GPU are more than one {gpu.id} holds")


def _sequence_limit(engine: Engine, load: ServingLoad) -> float:
    """Sequences together at most: vLLM's default of the time, unless who measured had it set.

    A static batch is set as large as it is; throughput runs and TensorRT-LLM engines are built for what memory holds.
    """
    if load.kind == "static":
        return max(load.concurrency or 1.0, SEQUENCE_LIMIT)
    return LARGE_LIMIT if engine.recent or engine.name == "tensorrt-llm" or load.kind == "saturated" else SEQUENCE_LIMIT


def _widened(weight: str, model: RowModel, engine: Engine) -> list[tuple[str, float]]:
    """What a row leaves open besides its blank columns."""
    out = [(f"{model.shape.id} in place of the model", STAND_IN_SPREAD)] if model.stand_in else []
    if not engine.dated:
        out.append(("recent engine", UNDATED_SPREAD))
    return [*out, ("4-bit kernels", INT4_SPREAD)] if weight == "int4" else out


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else value / 1e3


def _load(row: Row, words: LoadWords, assumed: list[tuple[str, float]]) -> ServingLoad:
    isl, osl = row_lengths(row, assumed)
    if words.guessed:
        assumed.append(("scenario offline", GUESSED_SPREAD))
    if words.contradicted:
        assumed.append(("concurrency of the column, not the scenario's", GUESSED_SPREAD))
    duration = re.search(r"dur(?:ation)?\D{0,3}(\d+)\s*s", length_words(row))
    prompts = words.prompts
    if prompts is None and words.rate is not None:
        prompts = (words.rate * float(duration.group(1)) if duration else 0.0) or DEFAULT_PROMPTS
    return ServingLoad(words.kind, isl, osl, row_length_cv(row), words.concurrency, words.rate, prompts, words.held_to_slo,
                       row_adapters(row))
