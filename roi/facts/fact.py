"""One number (or name, or list) that the answer rests on, with its source and its spread; and the base of every record."""

import ast
import inspect
from datetime import date as Date
from enum import StrEnum
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = bool | int | Finite | str | None | tuple[Finite, ...]


class Described(BaseModel):
    """A record whose fields are described by the docstrings below them.

    They are read from the source when somebody asks for them (help, a JSON schema), not when the class is made: reading them
    takes longer than all else of a class. A field that a subclass states anew keeps the description that it had.
    """

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """The description of each field that has one, by name."""
        records = [each for each in reversed(cls.__mro__) if issubclass(each, Described) and each is not Described]
        return {name: text for each in records for name, text in _docstrings(each).items()}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> "JsonSchemaValue":
        """The record's JSON schema, its fields described."""
        made, told = handler(schema), cls.descriptions()
        fields = handler.resolve_ref_schema(made).get("properties", {})
        for name, info in cls.model_fields.items():
            field = fields.get(info.alias or name, fields.get(name))
            if field is not None and name in told:
                field.setdefault("description", told[name])
        return made


@cache
def _docstrings(record: type) -> dict[str, str]:
    """The string below each annotated name in the body of the class."""
    (body,) = ast.parse(dedent(inspect.getsource(record))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in pairwise(body.body):
        if (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found


class Record(Described):
    """What is read from a file: frozen, without unknown fields or NaN; a field's docstring is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class DatedRow(Record):
    """A figure with the source and the day that it was stated."""

    source: str
    """Page, document or data set that states the figure."""
    date: Date
    """Day on which the source stated it."""
    note: str = ""
    """Anything a reader must know before using the row."""


class Basis(StrEnum):
    """Where a figure comes from, best evidence first."""

    MEASURED = "measured"
    CALIBRATED = "calibrated"
    DRY_RUN = "dry run"
    QUOTED = "quoted"
    STATED = "stated"
    PUBLISHED = "published"
    ASSUMED = "assumed"
    TEMPLATE = "template"
    """What a template guessed and nobody changed: an assumption that the user has not looked at."""

    @property
    def rank(self) -> int:
        """Position in the order above; a line of cost is as good as its worst fact."""
        return list(Basis).index(self)


class Fact(Record):
    """A value with its spread, unit and source.

    `low` and `high` are the 5th and 95th percentiles; both None means that the value is taken as exact. Names, flags and
    lists carry no spread.
    """

    value: Value
    """The central value, in `unit`."""
    low: Finite | None = None
    """5th percentile."""
    high: Finite | None = None
    """95th percentile."""
    unit: str = ""
    """SI or USD unit, for example USD/Mtok; empty for names, flags and counts."""
    basis: Basis
    """measured, calibrated, dry run, quoted, stated, published, assumed or template."""
    source: str
    """Who says so: a file, a page, the scenario's field, or the reason for an assumption."""
    date: Date | None = None
    """When the source said so."""

    @model_validator(mode="after")
    def _spread_holds_the_value(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high are given together or not at all")
        if self.low is not None and self.high is not None:
            if isinstance(self.value, (str, bool, tuple)) or self.value is None:
                raise ValueError("only a number has a low and a high")
            if not self.low <= self.value <= self.high:
                raise ValueError(f"low <= value <= high does not hold: {self.low}, {self.value}, {self.high}")
        return self

    def number(self) -> float:
        """The central value, of a fact that is a number."""
        assert isinstance(self.value, (int, float)), self.source
        return float(self.value)

    def spread(self) -> tuple[float, float]:
        """5th and 95th percentile; the value twice where it has none."""
        return (self.number(), self.number()) if self.low is None or self.high is None else (self.low, self.high)

    @property
    def uncertain(self) -> bool:
        """True where low and high differ."""
        return self.low is not None and self.low != self.high
