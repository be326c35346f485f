"""A canonical table of measured runs from a research table, whose cells hold what people wrote.

    python lab/canonical.py train_runs.csv --output lab/tables/training-1.csv

What a cell means is data and never guessed. lab/cells/training.csv and serving.csv look it up: `columns` names one to four
columns of the research table, `cell_1` to `cell_4` hold their cells as written ("*": whatever stands there), and `sets` the
canonical columns: name=value, or name+=word for a column of several words (assumed, habits). Every group of columns is looked
up in every row, the groups in the file's order; a cell that the file does not know is read by its grammar
(lab/serving_cells.py, lab/training_cells.py), and stands as it is where that does not reach it.
Numbers and dates are copied; where such a cell is none, it is looked up and read too. lab/cells/rows.csv sets what notes
alone say, row by row, and says why; what it takes away again is name-=word, or name= of a whole cell. lab/cells/notes.csv
sets what a phrase of the notes says. Memory that a source prints as GB, and does not say that it divided by 2^30, is in
decimal gigabytes (peak_mem_unit=GB) and turned.
"""

import argparse
import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import serving_cells
import training_cells

from roi.errors import InputError
from roi.store.tables.serving_table import ServingRow
from roi.store.tables.training_table import TrainingRow
from roi.units import GIB

CELLS = Path(__file__).parent / "cells"

TRAINING_NUMBERS = (
    "n_gpus", "rank", "micro_batch", "grad_accum", "seq_len_max", "seq_len_mean", "peak_mem_gib", "peak_mem_reserved_gib",
    "peak_mem_process_gib", "tokens_per_s", "trainable_params",
)  # fmt: skip
SERVING_NUMBERS = (
    "isl", "osl", "concurrency", "req_per_s", "output_tok_per_s", "total_tok_per_s", "ttft_ms", "tpot_ms",
)  # fmt: skip
"""Columns whose cells are copied."""

VERSIONS = ("torch", "transformers")
"""Packages whose version the column framework_version names."""

NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")
ISO_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")

SOURCES = {"unslothctx": "unslothai/unsloth"}
"""Groups of rows under another name than their ids begin with."""

Row = dict[str, str]
Table = dict[tuple[str, ...], dict[tuple[str, ...], str]]


class Kind(NamedTuple):
    """A kind of table."""

    columns: tuple[str, ...]
    """Canonical columns, in their order."""
    numbers: tuple[str, ...]
    date: str
    """Its column of dates."""
    known: Table
    """Columns -> their cells -> what they set."""
    notes: tuple[tuple[str, str], ...] = ()
    """Phrases of the notes, in any case -> what they set, in the file's order."""


def read_cells(name: str) -> Table:
    """The file's lookups: columns -> cells -> what they set."""
    found: Table = {}
    for row in read_rows(CELLS / f"{name}.csv"):
        columns = tuple(row["columns"].split("+"))
        cells = tuple(row[f"cell_{place}"] for place in range(1, len(columns) + 1))
        if cells in found.setdefault(columns, {}):
            raise InputError(f"lab/cells/{name}.csv: {'+'.join(columns)}: {cells} stands there twice")
        found[columns][cells] = row["sets"]
    return found


def read_notes() -> tuple[tuple[str, str], ...]:
    """Phrases of the notes of training rows, and what they set."""
    return tuple((row["phrase"], row["sets"]) for row in read_rows(CELLS / "notes.csv"))


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kind_of(rows: Sequence[Row]) -> Kind:
    """Training or serving, by the columns."""
    if "engine" in rows[0]:
        return Kind(tuple(ServingRow.model_fields), SERVING_NUMBERS, "date", read_cells("serving"))
    return Kind(tuple(TrainingRow.model_fields), TRAINING_NUMBERS, "source_date", read_cells("training"), read_notes())


def canonical_rows(rows: Sequence[Row]) -> list[Row]:
    """Every row of a research table under the canonical columns."""
    kind, own = kind_of(rows), {row["id"]: row["sets"] for row in read_rows(CELLS / "rows.csv")}
    return [canonical_row(row, kind, own.get(row["id"], "")) for row in rows]


def canonical_row(row: Row, kind: Kind, own: str = "") -> Row:
    """One row under the canonical columns; InputError where a cell is not known. `own` is what rows.csv sets for it."""
    found = {"id": row["id"], "source": source_of(row), "reference": row["source"]}
    for column in filter(row.get, (*kind.numbers, kind.date)):
        text, known = row[column], kind.known.get((column,), {})
        if (ISO_DATE if column == kind.date else NUMBER).fullmatch(text):
            found["date" if column == kind.date else column] = text
        elif (text,) in known:
            apply(found, look_up(row, (column,), known))
        elif "engine" in row:
            apply(found, serving_cells.date(text) if column == kind.date else serving_cells.number(row, column))
        else:
            apply(found, training_cells.number(row, column))
    for columns, known in kind.known.items():
        if columns[0] not in (*kind.numbers, kind.date) or len(columns) > 1:
            apply(found, meaning(row, columns, known))
    for phrase, sets in kind.notes:
        if phrase.lower() in (row.get("notes") or "").lower():
            apply(found, sets)
    apply(found, own)
    if "method" in row:
        settle_training(row, found)
    else:
        serving_cells.settle_serving(row, found)
    return {column: found.get(column, "") for column in kind.columns}


def meaning(row: Row, columns: tuple[str, ...], known: dict[tuple[str, ...], str]) -> str:
    """What cells set: as the file says, else as their grammar does."""
    try:
        return look_up(row, columns, known)
    except InputError:
        return serving_cells.inferred(row, columns) if "engine" in row else training_cells.inferred(row, columns)


def source_of(row: Row) -> str:
    """The row's group: of training the id without its number (litgpt-hub-001), of serving its first word (xjd2-007: xjd)."""
    word = row["id"].rpartition("-")[0] if "method" in row else re.sub(r"\d+$", "", row["id"].split("-")[0])
    return SOURCES.get(word, word)


def look_up(row: Row, columns: tuple[str, ...], known: dict[tuple[str, ...], str]) -> str:
    """What the row's cells of these columns set; InputError with row, column and value where they are not known."""
    cells = tuple(row.get(column) or "" for column in columns)
    patterns = [cells, *((*cells[:place], "*", *cells[place + 1:]) for place in reversed(range(len(cells))))]
    for pattern in patterns:
        if pattern in known:
            return known[pattern]
    told = ", ".join(f"{column}: {cell!r}" for column, cell in zip(columns, cells, strict=True))
    raise InputError(f"row {row['id']!r}, {told}; lab/cells does not know it: read it and add a line")


def apply(found: Row, sets: str) -> None:
    """Set what a line of the data says."""
    for part in sets.split():
        match = re.fullmatch(r"(\w+)([+-]?)=(\S*)", part)
        if match is None:
            raise InputError(f"lab/cells: {part!r} is none of name=value, name+=word, name-=word")
        name, sign, value = match.groups()
        words = [word for word in found.get(name, "").split("+") if word]
        if sign == "+":
            value = "+".join(dict.fromkeys((*words, *value.split("+"))))
        elif sign == "-":
            value = "+".join(word for word in words if word not in value.split("+"))
        found[name] = value


def settle_training(row: Row, found: Row) -> None:
    """Set what follows from two cells: tokens/s from samples/s and the mean length, GiB from GB, blanks of full training."""
    if found.pop("peak_mem_unit", "GiB") == "GB" and "peak_mem_gib" in found:
        found["peak_mem_gib"] = f"{float(found['peak_mem_gib']) * 1e9 / GIB:.4g}"
    if "tokens_per_s" not in found and row["samples_per_s"] and "seq_len_mean" in found:
        found["tokens_per_s"] = repr(float(row["samples_per_s"]) * float(found["seq_len_mean"]))
    for package in VERSIONS:
        version = re.search(rf"\b{package} (\d+(?:\.\d+)*)", row.get("framework_version") or "")
        if version is not None:
            found[package] = version[1]
    if row["peak_mem_gib"] or found.get("tokens_per_s"):
        found.pop("fits", None)  # a verdict is for rows without figures
    if found.pop("peak_mem_of", "") == "all" and "peak_mem_gib" in found and found["n_gpus"].isdigit():
        found["peak_mem_gib"] = f"{float(found['peak_mem_gib']) / int(found['n_gpus']):.4g}"
    projection = found.pop("rank", "") if found["method"] == "full" else ""
    method = row["method"].lower()
    inside = re.search(r"apollo|adalomo|lomo\b", method)
    if inside is not None and found["method"] == "full":
        found["optimizer"] = "apollo-adamw" if inside.group() == "apollo" else inside.group()
    galore = re.search(r"galore(\d*)", method)
    if galore is not None and found["method"].startswith("full"):
        # ms-swift's words; it calls Q-GaLore's 8-bit optimizer quantize
        projection = galore[1] or ("" if "full:galore" in method else projection)  # whose rank is LoRA's default
        small = "+quantize" in row["notes"] or re.search(r"8.?bit", method) or found.get("optimizer", "").endswith("8bit")
        found["optimizer"] = "galore-adamw-8bit" if small else "galore-adamw"
    if found.get("optimizer", "").startswith(("galore", "apollo")):
        # 128 is the default of ms-swift (galore_rank) and of the HF Trainer (trainer_optimizer.py); APOLLO-Mini's is 1
        named = re.search(r"\br ?= ?(\d+)", method)
        mini = "mini" in method + row["optimizer"].lower()
        found["rank"] = projection or (named[1] if named else "1" if mini else "128")


def write_table(rows: Iterable[Row], path: Path | None) -> None:
    """Write the rows to a file, or to stdout."""
    every = list(rows)
    text = io.StringIO()
    out = csv.DictWriter(text, list(every[0]), lineterminator="\n")
    out.writeheader()
    out.writerows(every)
    if path is None:
        sys.stdout.write(text.getvalue())
    else:
        path.write_text(text.getvalue(), encoding="utf-8")


def main() -> None:
    """Print or write the canonical table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    try:
        write_table(canonical_rows(read_rows(asked.table)), asked.output)
    except InputError as error:
        raise SystemExit(f"canonical: {error}") from None


if __name__ == "__main__":
    main()
