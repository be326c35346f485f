"""One number (or name, or list) that the answer rests on, with its source and its spread; and the base of every record."""

from datetime import date as Date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = bool | int | Finite | str | None | tuple[Finite, ...]


class Record(BaseModel):
    """What is read from a file: frozen, without unknown fields or NaN.

    Pydantic does not read the fields' docstrings (the scenario's and the tables' are in their JSON schemas; these are in none):
    it would parse the source of every class at each start, 0.1 s of `roi compare`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
