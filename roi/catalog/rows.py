"""The catalog's data files: rows of CSV and values of JSON, the newest row on or before a date; and records of the user's."""

import csv
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from roi import disk
from roi.errors import InputError, ScenarioError, not_usable
from roi.facts.records import DatedRow

Row = TypeVar("Row", bound=BaseModel)
AnyDated = TypeVar("AnyDated", bound=DatedRow)
MOST_BYTES: Final = 16 * 2**20
"""Bytes of a record's file at most."""


def read_text(name: str) -> str:
    """The text of `roi/catalog/<name>`."""
    return (files("roi.catalog") / name).read_text(encoding="utf-8")


@cache
def read_json(name: str) -> Any:  # Any: JSON; the caller's records give it types
    """The value that `roi/catalog/<name>` holds, read on the first call; nobody may change it."""
    return json.loads(read_text(name))


def read_rows(name: str, row: type[Row]) -> tuple[Row, ...]:
    """Every row of `roi/catalog/<name>` as a `row`; read on the first call.

    An empty cell means that the field keeps its default. In columns whose field is a tuple, `;` separates price tiers.
    """
    return cast("tuple[Row, ...]", _rows(name, row))


@cache
def _rows(name: str, row: type[BaseModel]) -> tuple[BaseModel, ...]:
    return tuple(parse_row(row, cells) for cells in csv.DictReader(read_text(name).splitlines(), strict=True))


def parse_row(row: type[Row], cells: Mapping[str, str | None]) -> Row:
    """A line of a CSV, by column, as a `row`; its rules are those of `read_rows`."""
    return row.model_validate({k: v.split(";") if k in _tiered(row) else v for k, v in cells.items() if v})


@cache
def _tiered(row: type[BaseModel]) -> set[str]:
    return {name for name, info in row.model_fields.items() if "tuple" in str(info.annotation)}


def read_record(kind: type[Row], path: Path, what: str, holds: str) -> Row:
    """The record in a JSON file of the user's; an InputError that begins with `what` where it `holds` none."""
    try:
        text = disk.read_text(path, MOST_BYTES, f"{what}: ", holds)
        record = kind.model_validate_json(text)
        disk.check_unique(text)
    except disk.GivenTwice as error:
        raise InputError(f"{what}: {path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(f"{what}: {path}: {where}: {not_usable(first)}") from error
    return record


def newest_rows(rows: Iterable[AnyDated], key: Callable[[AnyDated], Hashable], as_of: date) -> tuple[AnyDated, ...]:
    """The newest row dated on or before `as_of` for each key, in the order of the first such row of each."""
    known: dict[Hashable, AnyDated] = {}
    for row in rows:
        held = known.get(key(row))
        if row.date <= as_of and (held is None or row.date >= held.date):
            known[key(row)] = row
    return tuple(known.values())


def priced_rows(rows: tuple[AnyDated, ...], key: Callable[[AnyDated], Hashable], as_of: date) -> tuple[AnyDated, ...]:
    """`newest_rows`, or an error that names the earliest date with a price."""
    found = newest_rows(rows, key, as_of)
    if not found:
        earliest = min(row.date for row in rows)
        raise ScenarioError("as_of", as_of.isoformat(), f"the earliest price in this catalog is of {earliest}")
    return found
