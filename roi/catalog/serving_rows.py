"""A table of measured serving runs (one row a run) as the estimators take it, and why rows are left out."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from roi.catalog.gpus import find_gpu
from roi.catalog.row_fields import Row, Unusable, cell, known_number, measured_number
from roi.catalog.row_names import table_gpu
from roi.catalog.serving_efficiencies import serving_family
from roi.catalog.serving_row_models import STAND_IN_SPREAD, RowModel, row_model
from roi.catalog.serving_row_names import (
    SHAREGPT,
    SHAREGPT_CV,
    Engine,
    LoadWords,
    row_adapters,
    row_concurrency,
    row_engine,
    row_formats,
    row_load,
    tpot_kind,
)
from roi.catalog.table_files import check_heads, table_rows
from roi.errors import InputError
from roi.estimate.iteration import weight_bytes
from roi.estimate.serving_memory import GPU_MEMORY_UTILISATION, SEQUENCE_LIMIT
from roi.estimate.serving_run import ServingLoad, ServingRun, ServingSystem
from roi.estimate.serving_validation import ServingLabel
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

IDENTITY = ("id", "model", "gpu", "engine", "isl", "osl")
"""Columns that a table of serving runs has."""

FIGURES = ("req_per_s", "output_tok_per_s", "total_tok_per_s", "ttft_ms", "tpot_ms")
"""Columns of which it has one."""

POSITIVE = ("params_b", "n_gpus", "tp", "isl", "osl", "concurrency", *FIGURES)
"""Columns whose numbers are above 0."""

COMMON = {"A100": ("A100-80GB-SXM", 1.2), "A100 PCIe": ("A100-80GB-PCIe", 1.2), "V100": ("V100-32GB-SXM", 1.05)}
"""Names that several cards carry -> the usual one, and the factor by which another would differ (1,555 to 2,039 GB/s)."""

HELD_SHARE = 0.5
"""Where tp is blank, the fewest GPUs on which weights take at most this share: the rest must hold the KV cache of a batch."""

REAL_LENGTHS_CV = 0.9
"""Spread of lengths where a table gives a mean of real text (OpenOrca, ShareGPT); synthetic loads have none."""

DEFAULT_PROMPTS = 1000.0
"""Requests of an open run that does not say: the default of vLLM's benchmark script, which most published runs use."""


GUESSED_SPREAD = 1.5
"""A load that nothing describes may be anything up to all that the server gives."""

BLANKS = ("n.s.", "n/a", "nan", "none", "unknown", "-")
"""Words for an empty cell."""

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


def read_serving_rows(path: Path) -> ServingTable:
    """The runs of the CSV at `path`; InputError where it is no table of serving runs."""
    return serving_table(table_rows(path, check_serving))


def is_serving(heads: list[str]) -> bool:
    """True for the heads of a table of serving runs, whole or not: training has neither an engine nor request lengths."""
    return "engine" in heads and any(name in heads for name in ("isl", "osl", *FIGURES[3:]))


def check_serving(path: Path, heads: list[str]) -> None:
    """Raise where the heads are not those of a table of serving runs."""
    check_heads(path, heads, IDENTITY)
    if not any(name in heads for name in FIGURES):
        raise InputError(f"TABLE: {path} has nothing to compare; one of the columns {', '.join(FIGURES)} is needed")


def serving_table(rows: list[dict[str, str]]) -> ServingTable:
    """The runs of a table's rows, in its order, and what could not be read."""
    runs, skipped, labels = [], [], []
    for row in rows:
        for column in POSITIVE:
            known_number(row, column)  # a figure of 0 or below is an error of the table, whatever becomes of the row
        labels.append(serving_label(row))
        try:
            runs.append(serving_run(row))
        except Unusable as reason:
            skipped.append((cell(row, "id"), str(reason)))
    return ServingTable(tuple(runs), tuple(skipped), tuple(labels))


def serving_label(row: Row) -> ServingLabel:
    """What the row is called by and states."""
    stated = {name for name, columns in (("throughput", FIGURES[:3]), ("ttft", FIGURES[3:4]), ("tpot", FIGURES[4:]))
              if any(known_number(row, column) is not None for column in columns)}
    gpu = _card(cell(row, "gpu"))
    engine = row_engine(row, gpu)
    return ServingLabel(
        cell(row, "id"), _source(row), gpu.id if gpu else cell(row, "gpu") or "unstated",
        serving_family(engine.name, recent=engine.recent, early_rocm=engine.early_rocm), cell(row, "model"),
        frozenset(stated), _implausible(row),
    )  # fmt: skip


COUNTED = re.compile(r"^(\d+)\s*x\s*(?=[A-Za-z])|\s*x\s*(\d+)$")
"""A card's name with how many of it: "8xH100", "H100 x8"."""


@cache
def _card(text: str) -> Gpu | None:
    return table_gpu(text) or table_gpu(COUNTED.sub("", text))


def _count(row: Row, column: str) -> float | None:
    """The number in a cell, with letters or without ("TP8", "tp=4"); None where it has none."""
    found = re.search(r"\d+", cell(row, column))
    return known_number(row, column) or (None if found is None else float(found.group(0)) or None)


def _gpus(row: Row) -> float | None:
    """GPUs of the whole system: the column, else the number before or behind the card's name."""
    found = COUNTED.search(cell(row, "gpu"))
    return _count(row, "n_gpus") or (None if found is None else float(found.group(1) or found.group(2)))


LITTLE = 5.0
"""Factor between the requests in flight that a row states and its rate x latency, from which one of its figures must be
another's or of another unit: means against medians, ramps and spread lengths make less than 2."""


def _implausible(row: Row) -> bool:
    """True where the source's reader marked the row, or where its own figures break Little's law."""
    return "IMPLAUSIBLE" in cell(row, "notes") or _breaks_littles_law(row)


def _breaks_littles_law(row: Row) -> bool:
    """True where requests/s x (TTFT + (output - 1) x TPOT) is far from the concurrency; False where a figure is missing."""
    names = ("osl", "concurrency", "ttft_ms", "tpot_ms", "req_per_s", "output_tok_per_s")
    output, stated, ttft, tpot, rate, tokens = (known_number(row, name) for name in names)
    if output is None or stated is None or ttft is None or tpot is None or (rate is None and tokens is None):
        return False
    each_s = (ttft + max(output - 1.0, 0.0) * tpot) / 1e3
    found = (rate if rate is not None else (tokens or 0.0) / output) * each_s
    return not stated / LITTLE <= found <= stated * LITTLE


def _source(row: Row) -> str:
    """The id's first word ("anl-1302": anl)."""
    return re.sub(r"\d+$", "", re.split(r"[-_.#\s]", cell(row, "id"))[0]) or cell(row, "id")


def serving_run(row: Row) -> ServingRun:
    """One row as a run; raises Unusable with column and value where no configuration expresses it."""
    assumed: list[tuple[str, float]] = []
    figures = {column: known_number(row, column) for column in FIGURES}
    if not any(figures.values()):
        raise Unusable("req_per_s", "", "no figure to compare: no throughput, no TTFT, no TPOT")
    model = row_model(row)
    words = row_load(row)
    gpu = _gpu(row, assumed)
    engine = row_engine(row, gpu)
    weight, kv, formats = row_formats(row, model.shape, engine)
    tp, replicas = _layout(row, model.shape, gpu, weight, words, assumed)
    load = _load(row, words, figures, assumed)
    prefill = 0.0
    if words.split is not None:
        workers = sum(words.split)
        tp, replicas, prefill = max((_gpus(row) or workers * tp) / workers, 1.0), workers, words.split[0]
    return ServingRun(
        id=cell(row, "id"), source=_source(row),
        system=ServingSystem(model.shape, gpu, replicas, tp, weight, kv, _sequence_limit(engine, load), prefill),
        load=load, engine=serving_family(engine.name, recent=engine.recent, early_rocm=engine.early_rocm), recent=engine.recent,
        requests_per_s=figures["req_per_s"], output_tokens_per_s=figures["output_tok_per_s"],
        total_tokens_per_s=figures["total_tok_per_s"],
        ttft_s=_milliseconds(figures["ttft_ms"]), tpot_s=_milliseconds(figures["tpot_ms"]),
        tpot_kind=tpot_kind(cell(row, "tpot_stat")), implausible=_implausible(row),
        assumed=(*assumed, *formats, *_widened(weight, model, engine)),
    )  # fmt: skip


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


def _gpu(row: Row, assumed: list[tuple[str, float]]) -> Gpu:
    text = cell(row, "gpu")
    found = _card(text)
    if found is not None:
        return found
    bare = re.sub(r"(?i)nvidia|[-_]?sxm\d?|\(.*?\)", " ", COUNTED.sub("", text)).strip().upper()
    name, spread = COMMON.get("A100 PCIe" if re.search("(?i)a100.*pcie", text) else bare, ("", 1.0))
    if not name:
        raise _no_card(text)
    assumed.append((f"gpu {name}", spread))
    return find_gpu(name)


def _no_card(text: str) -> Unusable:
    try:
        find_gpu(text)
    except InputError as error:
        return Unusable("gpu", text, f"not in the catalog ({str(error).partition('; ')[2]})")
    return Unusable("gpu", text, "names several cards")


def _layout(
    row: Row, shape: ModelShape, gpu: Gpu, weight: str, words: LoadWords, assumed: list[tuple[str, float]],
) -> tuple[float, float]:
    """Tensor-parallel GPUs of a replica, and replicas."""
    tp, gpus = _count(row, "tp"), _gpus(row)
    if tp is not None:
        return tp, max((gpus or tp) / tp, 1.0)
    if gpus is None or gpus == 1:
        if gpus is None:
            assumed.append(("n_gpus 1", 1.1))
        return 1.0, 1.0
    if words.kind == "static":
        assumed.append((f"tp {gpus:g}", 1.1))
        return gpus, 1.0
    held = gpu.memory_bytes * GPU_MEMORY_UTILISATION * HELD_SHARE
    fewest = 1.0
    while fewest < gpus and weight_bytes(shape, weight) / fewest > held:
        fewest *= 2.0
    fewest = min(fewest, gpus)
    assumed.append((f"tp {fewest:g}", 1.25))
    return fewest, max(gpus / fewest, 1.0)


def _load(
    row: Row, words: LoadWords, figures: dict[str, float | None], assumed: list[tuple[str, float]],
) -> ServingLoad:
    text = f"{cell(row, 'scenario')} {cell(row, 'notes')}".lower()
    isl, osl = _lengths(row, text, figures, assumed)
    concurrency = row_concurrency(row)
    if words.guessed:
        assumed.append(("scenario offline", GUESSED_SPREAD))
    nominal = re.search(r"ranges? \[(\d+), (\d+)\]", text)
    real = re.search(r"sharegpt|orca|mlperf|lmsys|conversation", text)
    cv = 0.0
    if nominal:
        low, high = float(nominal.group(1)), float(nominal.group(2))
        cv = (high - low) / (high + low) / 3.0**0.5  # a uniform draw
    elif real:
        cv = SHAREGPT_CV if "sharegpt" in text else REAL_LENGTHS_CV
    duration = re.search(r"dur(?:ation)?\D{0,3}(\d+)\s*s", text)
    prompts = words.prompts
    if prompts is None and words.rate is not None:
        prompts = words.rate * float(duration.group(1)) if duration else DEFAULT_PROMPTS
    return ServingLoad(
        words.kind, isl, max(osl, 1.0), cv, concurrency if words.kind in ("static", "closed") else None, words.rate, prompts,
        words.held_to_slo, row_adapters(row),
    )


def _lengths(
    row: Row, text: str, figures: dict[str, float | None], assumed: list[tuple[str, float]],
) -> tuple[float, float]:
    """Mean prompt and output tokens: as stated, else from the ratios of the rates, else ShareGPT's where it is named."""
    isl, osl = (None if cell(row, name).lower() in BLANKS else measured_number(row, name) for name in ("isl", "osl"))
    requests, output, total = figures["req_per_s"], figures["output_tok_per_s"], figures["total_tok_per_s"]
    if osl is None and requests and output:
        osl = output / requests
    if isl is None and requests and output and total and total > output:
        isl = (total - output) / requests
    if (isl is None or osl is None) and "sharegpt" in text:
        assumed.append(("isl, osl of ShareGPT", 1.2))
        isl, osl = isl or SHAREGPT[0], osl or SHAREGPT[1]
    if isl is None or osl is None:
        raise Unusable("isl" if isl is None else "osl", "", "empty, and a configuration needs it")
    return isl, osl
