"""The base of every record that is read from a file, and what a record that states a figure holds besides."""

import ast
import inspect
from datetime import date as Date
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Described(BaseModel):
    """A record whose fields are described by the docstrings below them.

    They are read from the source when somebody asks for them (help, a JSON schema), not when the class is made: reading them
    takes longer than all else of a class. A field that a subclass states anew keeps the description that it had.
    """

    model_config = ConfigDict(defer_build=True)

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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DatedRow(Record):
    """A figure with the source and the day that it was stated."""

    source: str
    """Page, document or data set that states the figure."""
    date: Date
    """Day on which the source stated it."""
    note: str = ""
    """Anything a reader must know before using the row."""
