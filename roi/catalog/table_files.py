"""A CSV of measured runs as rows of text, whatever was measured."""

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path

from roi.catalog.row_fields import cell
from roi.errors import InputError, nearest

Check = Callable[[Path, list[str]], None]
"""Raises where a table's heads are not those wanted."""


def table_rows(path: Path, check: Check) -> list[dict[str, str]]:
    """The table's rows as dictionaries; whatever is no table of runs is an InputError that names the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"TABLE: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"TABLE: {path} is not UTF-8 text (byte {error.start}); save it as CSV in UTF-8") from error
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"TABLE: {path} is not CSV: {error}") from error
    lines = [line for line in lines if any(part.strip() for part in line)]
    if not lines:
        raise InputError(f"TABLE: {path} is empty")
    heads = [name.strip() for name in lines[0]]
    check(path, heads)
    _check_twice(path, heads)
    if len(lines) == 1:
        raise InputError(f"TABLE: {path} has a head but no rows")
    for line in lines[1:]:
        if len(line) != len(heads):
            raise InputError(f"TABLE: {path}, row {line[0][:40]!r}: {len(line)} cells under {len(heads)} columns")
    rows = [dict(zip(heads, line, strict=True)) for line in lines[1:]]
    _check_ids(path, [cell(row, "id") for row in rows])
    return rows


def check_heads(path: Path, heads: list[str], required: tuple[str, ...]) -> None:
    """Raise where a required column is missing, with the nearest that the file has."""
    missing = [name for name in required if name not in heads]
    if missing:
        near = nearest(missing[0], heads, 1)
        hint = f"; nearest in the file: {near[0]}" if near else ""
        others = f" (and {', '.join(missing[1:])})" if missing[1:] else ""
        raise InputError(f"TABLE: {path} has no column {missing[0]!r}{others}{hint}")


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
