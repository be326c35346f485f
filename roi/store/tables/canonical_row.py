"""What the rows of both kinds of tables share: how a cell is checked, and what is said of one that is not canonical."""

from collections.abc import Callable
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from roi import clock
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import known_model, load_models, why_none
from roi.errors import ScenarioError, UnknownName, allowed, nearest, nearest_told
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.store.tables.csv_table import CsvTable, TextRow

MOST_COUNTED: Final = 2**53
LONGEST_NAME: Final = 255
"""Bytes of a name up to which it may be that of a file."""


class UnusableCell(Exception):
    """A cell that is canonical by itself, but that no plan or configuration expresses beside the row's others."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


def _model_id(name: str) -> str:
    """The id of a model by any of the catalog's own names; of other spellings an error, since they may tell a packing."""
    if (why := why_none(name)) is not None:
        raise ValueError(why)
    if (found := known_model(name, exact=True)) is not None:
        return found.id
    if name.startswith(("/", "./", "../", "~")) or (len(name.encode()) <= LONGEST_NAME and Path(name).exists()):
        raise ValueError("a folder's or file's model, which tables do not open; give the catalog's name of the model that it"
                         " was made of, or take a profile of it: `roi profile train`, then `roi calibrate`")
    meant = known_model(name)
    ids = [model.id for model in load_models()]
    hint = ", ".join(nearest(name, ids) if meant is None else [meant.id])
    raise ValueError(f"no model of the catalog; {f'nearest: {hint}' if hint else f'none of {len(ids)} is like it'}")


def card_id(counted: str) -> AfterValidator:
    """What makes the id of a card of any of its names; `counted` are the columns that say how many there are."""

    def found(name: str) -> str:
        try:
            return find_gpu(name, counted=counted).id
        except ScenarioError as error:
            raise ValueError(error.allowed) from None
        except UnknownName as error:
            raise ValueError(f"no GPU of the catalog{error.offered}") from None

    return AfterValidator(found)


def _come(day: str) -> str:
    """The date, its year and month, or its year, where that is one and has begun."""
    try:
        Date.fromisoformat(day + "-01-01"[len(day) - 4:])
    except ValueError:
        raise ValueError("no day of the calendar") from None
    if day > (today := clock.today().isoformat()):
        raise ValueError(f"after today, {today}")
    return day


class CanonicalRow(BaseModel):
    """What every row of a canonical table has: who it is, and where its figures were published."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    """Name of the row, once in a table; without such a column its line."""
    source: Annotated[str, Field(max_length=200)] = "own"
    """Name of the group of rows that share software and habits; errors are shown by it."""
    reference: str | None = None
    """Where the figures were published: repository or page, file, commit."""
    date: Annotated[str, Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$"), AfterValidator(_come)] | None = None
    """When they were published: an ISO date, or its year and month, or its year."""
    model: Annotated[str, AfterValidator(_model_id)]
    """Model, by its id or another of its names in the catalog."""


def _boolean(cell: object) -> object:
    """True and False of the words true and false in any case, and nothing else: 1 and yes are no canonical words."""
    return {"true": True, "false": False}.get(cell.lower(), f"{cell}!") if isinstance(cell, str) else cell


def _counted(number: int) -> int:
    """The number, where a float64 holds it and all below."""
    if number > MOST_COUNTED:
        raise ValueError(f"at most {MOST_COUNTED:,}")
    return number


Flag = Annotated[bool, BeforeValidator(_boolean)]
Lower: Final = BeforeValidator(lambda cell: cell.lower() if isinstance(cell, str) else cell)
"""Reads a cell in lower case, for a word that may be written in any."""
Several: Final = BeforeValidator(
    lambda cell: tuple(part.strip() for part in cell.split("+")) if isinstance(cell, str) else cell)
"""Reads a cell that joins words by "+" as a tuple of them."""
Whole = Annotated[int, Field(gt=0), AfterValidator(_counted)]
Positive = Annotated[float, Field(gt=0)]
R = TypeVar("R", bound=CanonicalRow)
T = TypeVar("T")


def read_rows(kind: type[R], table: CsvTable, convert: Callable[[R], T]) -> dict[str, T | SkippedRow]:
    """Id -> what `convert` makes of the row, or why it is skipped; InputError where the columns are not those of the kind."""
    known = kind.model_fields
    table.check_columns(known, [name for name, field in known.items() if field.is_required() and name != "id"])
    return {row.id: _read_row(kind, row, convert) for row in table.rows}


def _read_row(kind: type[R], row: TextRow, convert: Callable[[R], T]) -> T | SkippedRow:
    """What `convert` makes of the row's cells, or the first cell that is not canonical."""
    try:
        return convert(kind.model_validate({"id": row.id, **row.cells}))
    except ValidationError as error:
        first = error.errors()[0]
        column, why = str(first["loc"][0]), _allowed(first)
    except UnusableCell as error:
        column, why = error.column, str(error)
    return SkippedRow(line=row.line, id=row.id, column=column, value=row.cells.get(column, ""), why=why)


def _allowed(error: ErrorDetails) -> str:
    """What the column takes, and of an enumerated one the word nearest to the cell."""
    if error["type"] == "missing":
        return "blank, and a row needs it"
    if error["type"] == "literal_error":
        known = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"none of {', '.join(known)}{nearest_told(str(error['input']), known, 1)}"
    plain = {
        "float_parsing": "not a number", "int_parsing": "not a whole number", "int_from_float": "not a whole number",
        "bool_parsing": "neither true nor false", "string_pattern_mismatch": "not a date such as 2024-04-30, 2024-04 or 2024"
        if error["loc"] == ("date",) else "not a version such as 2.8 or 5.24.1",
    }  # fmt: skip
    commas = error["type"] in ("float_parsing", "int_parsing") and "," in str(error["input"])
    return plain.get(error["type"], allowed(error)) + ("; write a decimal point and no comma" if commas else "")
