"""The user's own prices: CSV files in the data folder that are read beside the catalog's, and the text of new ones.

<data folder>/prices/ holds rentals.csv, hosted.csv and purchase.csv (what `roi prices add` wrote, or a hand), and files with a
date in their name (what `roi prices refresh` wrote). Their columns are those of the catalog's files of these names.
"""

import csv
import os
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, wraps
from io import StringIO
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

from pydantic import ValidationError

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.rows import parse_row, read_rows
from roi.catalog.user_data import prices_folder
from roi.disk import read_text
from roi.errors import InputError, ScenarioError, allowed
from roi.facts.price import ApiPrice, PurchasePrice, RentalOffer
from roi.facts.records import DatedRow
from roi.scenario.quantity import LARGEST, SMALLEST

NAMES: Final[dict[type[DatedRow], str]] = {RentalOffer: "rentals", PurchasePrice: "purchase", ApiPrice: "hosted"}
"""The file of each kind of price, without .csv."""
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SIZE_LIMIT: Final = 16 * 2**20
"""Bytes; every model of genai-prices takes about one MiB."""

Row = TypeVar("Row", bound=DatedRow)
P = ParamSpec("P")
T = TypeVar("T")
File = tuple[str, int, int]
"""Path, time of change in ns, and size: as long as they are the same, so are the rows."""


def own_files(kind: type[DatedRow]) -> tuple[File, ...]:
    """The user's files of this kind of price; by date, and last what was added by hand, which wins on the same day."""
    name = NAMES[kind]
    try:
        with os.scandir(prices_folder()) as entries:
            found = [e for e in entries if e.name == f"{name}.csv" or re.fullmatch(rf"{name}-[\w-]+\.csv", e.name)]
            found.sort(key=lambda e: (e.name == f"{name}.csv", e.name))
            return tuple((e.path, e.stat().st_mtime_ns, e.stat().st_size) for e in found)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise InputError(f"your prices: {prices_folder()} cannot be read: {error.strerror}") from error


def own_rows(kind: type[Row]) -> tuple[Row, ...]:
    """The user's rows of this kind, in the order of `own_files`; the source of each names its file."""
    return tuple(cast("Row", row) for file in own_files(kind) for row in _rows(kind, file))


def price_rows(kind: type[Row]) -> tuple[Row, ...]:
    """The catalog's rows of this kind, then the user's."""
    return (*read_rows(f"prices/{NAMES[kind]}.csv", kind), *own_rows(kind))


def cached_with_own(kind: type[DatedRow], size: int | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator: a cache of `size` answers, each of which holds while the user's files of this kind stay as they are."""
    def decorate(ask: Callable[P, T]) -> Callable[P, T]:
        @lru_cache(maxsize=size)
        def kept(_: tuple[File, ...], *args: P.args, **named: P.kwargs) -> T:
            return ask(*args, **named)

        @wraps(ask)
        def asked(*args: P.args, **named: P.kwargs) -> T:
            return kept(own_files(kind), *args, **named)  # type: ignore[arg-type]  # a cached function takes hashable values

        return asked

    return decorate


@cache
def _rows(kind: type[DatedRow], file: File) -> tuple[DatedRow, ...]:
    path = Path(file[0])
    try:
        table = csv.DictReader(StringIO(read_text(path, SIZE_LIMIT, holds="a file of prices"), newline=""), strict=True)
        names = table.fieldnames or ()
        twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
        if twice is not None:
            raise InputError(f"{path}, line 1: two columns are called {twice[:40]!r}")
        rows = [_row(kind, cells, f"{path}, line {table.line_num}") for cells in table]
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV: {error}") from None
    return tuple(row.model_copy(update={"source": f"{row.source} (yours: {path.name})"}) for row in rows)


def _row(kind: type[DatedRow], cells: dict[str | Any, Any], where: str) -> DatedRow:  # Any: as in _checked
    """The row in these cells; an InputError where it cannot be used says how to go on."""
    try:
        return _checked(kind, cells, where)
    except InputError as error:  # as no ScenarioError, which callers take for a price that the catalog has not
        raise InputError(f"{error}; correct that line, or remove it") from None


def _checked(kind: type[DatedRow], cells: dict[str | Any, Any], where: str) -> DatedRow:  # Any: None where cells are too many
    """The row in these cells with the catalog's id of its card; InputError names line, column and value."""
    if None in cells:
        raise InputError(f"{where}: more cells than the first line has columns")
    if cells.get("date") and not DAY.fullmatch(cells["date"]):  # pydantic takes seconds since 1970 too
        raise ScenarioError(f"{where}: date", cells["date"], "a day such as 2026-11-24")
    try:
        row = parse_row(kind, cells)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
        column = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise InputError(f"{where}: unknown column {column[:40]!r}; there are {', '.join(columns(kind))}") from None
        raise ScenarioError(f"{where}: {column}", cells.get(column) or "", allowed(first)) from None
    check_amounts(row, f"{where}: ")
    if isinstance(row, ApiPrice):
        tiers = len(row.edges_tokens)
        for column, value in row:
            if column.endswith("_usd_per_mtok") and value is not None and len(value) != tiers:
                raise InputError(f"{where}: {column} has {len(value)} rates, edges_tokens {tiers}; one for each tier")
        return row
    gpu = getattr(row, "gpu")  # noqa: B009 - rents and purchases have one
    return row.model_copy(update={"gpu": find_gpu(gpu, f"{where}: gpu").id})


def check_amounts(row: DatedRow, where: str = "") -> None:
    """ScenarioError where a number of the row is beyond those of a scenario: what is computed with it would not be finite."""
    for column, value in row:
        for x in value if isinstance(value, tuple) else (value,):
            if isinstance(x, int | float) and x and not SMALLEST <= abs(x) <= LARGEST:
                raise ScenarioError(f"{where}{column}", x, f"from {SMALLEST:g} to {LARGEST:g}")


def columns(kind: type[DatedRow]) -> list[str]:
    """The columns of a file: what is priced and its price, then source, date and note."""
    own = [name for name in kind.model_fields if name not in DatedRow.model_fields]
    return [*own, *DatedRow.model_fields]


def csv_text(kind: type[DatedRow], rows: Iterable[DatedRow], before: str = "") -> str:
    """The text of a file: that of `before`, and then these rows. A column that no row needs is left out of a new file."""
    table = csv.DictReader(StringIO(before.removeprefix("\ufeff"), newline=""))
    kept, added = list(table), [_cells(row) for row in rows]
    heads = list(table.fieldnames or ())
    optional = {name for name, field in kind.model_fields.items() if not field.is_required() and name != "note"}
    heads += [c for c in columns(kind) if c not in heads and (c not in optional or any(row[c] for row in added))]
    out = StringIO(newline="")
    writer = csv.DictWriter(out, heads, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows([*kept, *added])
    return out.getvalue()


def _cells(row: DatedRow) -> dict[str, str]:
    """Each field as its cell: empty for a default that is no number, `;` between the rates of tiers."""
    fields = type(row).model_fields
    usual = {name for name, value in row if value == fields[name].default and (value is False or not isinstance(value, int))}
    return {name: "" if name in usual else _cell(value) for name, value in row}


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return ";".join(map(_cell, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
