"""A CSV of measured runs as rows of text: which program wrote it does not matter, its columns do."""

import csv
import io
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from roi.disk import read_text
from roi.errors import InputError, first_of, nearest
from roi.scenario.other_files import USAGE, refuse_no_text, refuse_other, what_it_is

SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between cells; the one that cuts the head into the most cells does."""
MOST_BYTES: Final = 64 * 2**20
"""Size of a table above which it is not read: the largest public one has 1.3 MB."""
MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 1_000
LONGEST_CELL: Final = 1 << 17
"""Rows, columns and characters of a cell above which it is not read: cells of a letter take fifty times their text."""
MOST_NAMED: Final = 5
"""Unknown columns that are named."""
NO_TABLES: Final = (".yaml", ".yml", ".json")
ALIKE: Final = 0.45
"""How alike a column and an unknown one are at least, so that "a" is not taken for "rank"."""
MEANT: Final = {
    "params_b": "model", "precision": "weight_dtype", "n_gpus": "tp", "engine_version": "design", "scenario": "load",
    "lora": "adapters", "input_tokens": "isl", "output_tokens": "osl", "source_date": "date", "packing": "packed",
    "framework": "trainer",
}  # fmt: skip
"""Other names of columns, which no spelling is like, as collected tables have them: the column that holds it."""
TOLD: Final = re.compile(r"(?i)\W?sep=.\W*")
"""The first line that Excel writes, "sep=;", which is no row."""


class TextRow(NamedTuple):
    """One row before its cells are checked."""

    line: int
    """Line of the file, the head being line 1."""
    cells: dict[str, str]
    """Column -> cell without outer blanks; blank cells are left out."""

    @property
    def id(self) -> str:
        """The row's id; its line where the table has no ids."""
        return self.cells.get("id", f"line {self.line}")


class CsvTable(NamedTuple):
    """A table's columns and rows."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[TextRow, ...]

    def check_columns(self, known: Iterable[str], needed: Iterable[str]) -> None:
        """Raise where the table has a column that is not known, or lacks one that is needed, naming the nearest one."""
        names = list(known)
        unknown = [column for column in self.columns if column not in names]
        if unknown:
            if len(unknown) + 1 >= len(self.columns):  # a model is named in records and results too
                refuse_other("TABLE: ", self.path, "table of runs")
            told = first_of([repr(each[:80]) for each in unknown], MOST_NAMED)
            near = dict.fromkeys(like for each in unknown[:MOST_NAMED] for like in (
                [MEANT[each]] if MEANT.get(each) in names else nearest(each, names, 1, ALIKE)))
            raise InputError(f"TABLE: {self.path} has the unknown column{'s' * (len(unknown) > 1)} {told}"
                             f"{'; nearest: ' * bool(near)}{', '.join(near)}; `roi schema --of training-table` and `--of"
                             " serving-table` list them all, docs/tables.md says what each holds")
        missing = [name for name in needed if name not in self.columns]
        if missing:
            others = f" (and {', '.join(missing[1:])})" if missing[1:] else ""
            raise InputError(f"TABLE: {self.path} has no column {missing[0]!r}{others}; its columns:"
                             f" {', '.join(self.columns)[:200]}")


def read_csv(path: Path) -> CsvTable:
    """The table at `path`, its heads in small letters with "_" for blanks; what is no table is an InputError."""
    lines, separator = _filled_lines(path)
    columns = tuple(re.sub(r"[\s_-]+", "_", name.strip().lower()) for name in lines[0][1])
    if "gpu" not in columns:  # which runs have, and evaluations have not
        refuse_other("TABLE: ", path, "table of runs", USAGE)  # counts of tokens are columns of both
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise InputError(f"TABLE: {path} has the column {twice[0]!r} twice")
    if len(lines) == 1:
        raise InputError(f"TABLE: {path} has a head but no rows")
    for number, line in lines[1:]:
        if len(line) != len(columns):
            raise InputError(f"TABLE: {path}, line {number}: {len(line)} cells under {len(columns)} columns, separated by"
                             f" {SEPARATORS[separator]}; a cell that holds one needs quotes")
    rows = tuple(TextRow(number, {name: cell.strip() for name, cell in zip(columns, line, strict=True) if cell.strip()})
                 for number, line in lines[1:])
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.id, row.line)
        if first != row.line:
            raise InputError(f"TABLE: {path}: the id {row.id!r} occurs twice, in lines {first} and {row.line}; one row a run")
    return CsvTable(path, columns, rows)


def _filled_lines(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """(Number, cells) of the lines that hold something, the head first, and what parts their cells."""
    if path.suffix.lower() in NO_TABLES and path.is_file():
        other = what_it_is(path)
        reads = f"; {other.what}: {other.reading(path)}" if other else ""
        raise InputError(f"TABLE: {path} is {path.suffix[1:].upper()}, no table; one is a CSV with a row a run{reads}")
    refuse_no_text("TABLE: ", path, "table of runs")
    text = read_text(path, MOST_BYTES, "TABLE: ", "a table")
    head = next((line for line in text.splitlines() if line.strip() and not TOLD.fullmatch(line.strip())), "")
    csv.field_size_limit(LONGEST_CELL)
    try:
        separator = max(SEPARATORS, key=lambda each: len(next(csv.reader([head], delimiter=each), [])))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        filled = ((reader.line_num, line) for line in reader if any(part.strip() for part in line))
        lines = list(islice(filled, MOST_ROWS + 2))
    except csv.Error as error:
        raise InputError(f"TABLE: {path} is not CSV: {error}") from error
    if lines and TOLD.fullmatch(separator.join(lines[0][1]).strip()):
        lines = lines[1:]
    if not lines:
        raise InputError(f"TABLE: {path} is empty")
    if len(lines) > MOST_ROWS + 1 or len(lines[0][1]) > MOST_COLUMNS:
        raise InputError(f"TABLE: {path} is too large; a table has at most {MOST_ROWS:,} rows of {MOST_COLUMNS:,} columns")
    return lines, separator
