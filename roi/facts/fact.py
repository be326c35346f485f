"""One number (or name, or list) that the answer rests on, with its source and its spread. Plain Python: the engine reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date
from enum import StrEnum
from math import isfinite
from typing import Any, ClassVar, Self

Value = bool | int | float | str | None | tuple[float, ...]

OWN_VENDOR = "own"
"""Vendor of cards that are there already."""
STALE_DAYS = 90
"""A price older than this many days on the scenario's date is reported as stale: rents moved 30% in less (H100, 2026)."""


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


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A value with its spread, unit and source; ValueError where they do not go together.

    `low` and `high` are the 5th and 95th percentiles; both None means that the value is taken as exact. Names, flags and
    lists carry no spread.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}  # Any: pydantic's own
    """How a fact of a file is checked (TypeAdapter)."""

    value: Value
    """The central value, in `unit`."""
    low: float | None = None
    """5th percentile of the value."""
    high: float | None = None
    """95th percentile of the value."""
    unit: str = ""
    """SI or USD unit, for example USD/Mtok; empty for names, flags and counts."""
    basis: Basis
    """measured, calibrated, dry run, quoted, stated, published, assumed or template."""
    source: str
    """Who says so: a file, a page, the scenario's field, or the reason for an assumption."""
    date: Date | None = None
    """When the source said so."""

    def __post_init__(self) -> None:
        """Numbers become Python's own, so that they are printed and written alike."""
        value, low, high = self.value, self.low, self.high
        if type(value) not in PLAIN:
            value = _plain(value)
            object.__setattr__(self, "value", value)
        if type(self.basis) is not Basis:
            object.__setattr__(self, "basis", Basis(self.basis))
        if value.__class__ is float and not isfinite(value):
            raise ValueError(f"value: {value} is not finite")
        if low is None and high is None:
            return
        if low is None or high is None:
            raise ValueError("low and high are given together or not at all")
        if isinstance(value, (str, bool, tuple)) or value is None:
            raise ValueError("only a number has a low and a high")
        low, high = float(low), float(high)
        if not low <= value <= high or not isfinite(high - low):
            raise ValueError(f"low <= value <= high does not hold: {low}, {value}, {high}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:  # Any: the fields' types
        """A fact with the fields of `update` in place of this one's, which are not checked; called as pydantic's own."""
        made = object.__new__(type(self))
        made.__dict__.update({**self.__dict__, **update})
        return made

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

    def plain(self) -> dict[str, Any]:  # Any: plain JSON values
        """The fact as JSON has it."""
        return {
            "value": list(self.value) if isinstance(self.value, tuple) else self.value, "low": self.low, "high": self.high,
            "unit": self.unit, "basis": self.basis.value, "source": self.source,
            "date": None if self.date is None else self.date.isoformat(),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Fact":  # Any: plain JSON values
        """The fact that `plain` gave; KeyError, TypeError or ValueError for anything else."""
        day = plain["date"]
        return cls(**{**plain, "date": None if day is None else Date.fromisoformat(day)})


def guessed(fact: Fact) -> bool:
    """True where the fact is assumed, by the program or in the user's own words; what a template guessed is told apart."""
    return fact.basis is Basis.ASSUMED or (fact.basis is not Basis.TEMPLATE and fact.source.lower().startswith("assumed"))


PLAIN = frozenset({bool, int, float, str, type(None)})


def _plain(value: Any) -> Value:  # Any: also NumPy's numbers, and lists
    """The value as Python's own number, or a tuple of them."""
    if isinstance(value, (tuple, list)):
        numbers = tuple(map(float, value))
        if not all(map(isfinite, numbers)):
            raise ValueError("value: not all of it is finite")
        return numbers
    if isinstance(value, str):
        return str(value)
    return float(value) if isinstance(value, float) else int(value)
