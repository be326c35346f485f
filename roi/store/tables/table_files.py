"""A CSV of measured runs as rows of text, whatever was measured and whichever program wrote it."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from roi.errors import InputError, nearest
from roi.store.tables.row_fields import cell

Rename = Callable[[Iterable[str]], list[str]]

Check = Callable[[Path, list[str]], None]
"""Raises where a table's heads are not those wanted."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between cells; the one that cuts the head into the most cells does."""

COMMA_NUMBER = re.compile(r"[+-]?[\d.]*\d,\d[\d.,]*")
"""A cell that is a number with a comma in it."""

PROSE = ("id", "source", "notes")
"""Columns whose commas mean nothing."""

SHOWN_HEADS = 8
"""Columns that a message lists."""


def table_rows(path: Path, check: Check, rename: Rename = list) -> list[dict[str, str]]:
    """The table's rows as dictionaries under heads in small letters, "_" for blanks; what is no table is an InputError.

    `rename` gives the heads the names that are known here. Rows without a column of ids are numbered. Separators are those of
    SEPARATORS. Beside semicolons a comma in a number is a decimal comma or a thousands separator, by
    the country of whose program wrote it: an error, since a length of 1,024 would be off by a thousand.
    """
    text = _text(path)
    separator = _separator(text)
    lines = _lines(path, text, separator)
    if not lines:
        raise InputError(f"TABLE: {path} is empty")
    heads = rename(re.sub(r"[\s_-]+", "_", name.strip().lower()) for name in lines[0])
    check(path, heads)
    _check_twice(path, heads)
    if len(lines) == 1:
        raise InputError(f"TABLE: {path} has a head but no rows")
    for line in lines[1:]:
        if len(line) != len(heads):
            raise InputError(f"TABLE: {path}, row {line[0][:40]!r}: {len(line)} cells under {len(heads)} columns, separated by"
                             f" {SEPARATORS[separator]}; a cell that holds one needs quotes")
    rows = [dict(zip(heads, line, strict=True)) for line in lines[1:]]
    if "id" not in heads:
        rows = [{"id": f"row {number}", **row} for number, row in enumerate(rows, 1)]
    if separator == ";":
        _check_commas(path, rows)
    _check_ids(path, [cell(row, "id") for row in rows])
    return rows


def check_heads(path: Path, heads: list[str], required: tuple[str, ...]) -> None:
    """Raise where a required column is missing, with the nearest that the file has, else with those that it has."""
    missing = [name for name in required if name not in heads]
    if missing:
        near = nearest(missing[0], heads, 1)
        more = ", ..." if len(heads) > SHOWN_HEADS else ""
        hint = f"; nearest in the file: {near[0]}" if near else f"; its columns: {', '.join(heads[:SHOWN_HEADS])[:200]}{more}"
        others = f" (and {', '.join(missing[1:])})" if missing[1:] else ""
        raise InputError(f"TABLE: {path} has no column {missing[0]!r}{others}{hint}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"TABLE: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"TABLE: {path} is not UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from error


def _separator(text: str) -> str:
    head = next((line for line in text.splitlines() if line.strip() and not _told(line)), "")
    return max(SEPARATORS, key=lambda each: len(next(csv.reader([head], delimiter=each), [])))


def _told(line: str) -> bool:
    """True for Excel's own first line, "sep=;", which is no row."""
    return re.fullmatch(r"(?i)\W?sep=.\W*", line.strip()) is not None


def _lines(path: Path, text: str, separator: str) -> list[list[str]]:
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"TABLE: {path} is not CSV: {error}") from error
    lines = [line for line in lines if any(part.strip() for part in line)]
    return lines[1:] if lines and _told(separator.join(lines[0])) else lines


def _check_commas(path: Path, rows: list[dict[str, str]]) -> None:
    found = [(cell(row, "id"), name, cell(row, name)) for row in rows for name in row
             if name not in PROSE and COMMA_NUMBER.fullmatch(cell(row, name))]
    if found:
        id, name, value = found[0]
        raise InputError(
            f"TABLE: {path} is separated by semicolons and has commas in numbers (cells: {len(found)}; row {id!r}, {name}:"
            f" {value!r}); a decimal comma or a thousands separator? Save it with decimal points and without separators")


def _check_twice(path: Path, heads: list[str]) -> None:
    twice = [name for name in heads if name and heads.count(name) > 1]
    if twice:
        raise InputError(f"TABLE: {path} has the column {twice[0]!r} twice")


def _check_ids(path: Path, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, id in enumerate(ids, start=1):
        if not id:
            raise InputError(f"TABLE: {path}, row {number}: the id is empty")
        if id in seen:
            raise InputError(f"TABLE: {path}: the id {id!r} occurs twice; one row a run")
        seen.add(id)
