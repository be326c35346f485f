"""A number as a person writes it: 0.3, or {value: 0.3, low: 0.2, high: 0.5, source: why}."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from roi.errors import FEW, day_meant, nearest
from roi.facts.records import Described, Finite

T = TypeVar("T")


def once(listed: tuple[T, ...]) -> tuple[T, ...]:
    """Each once, where it stands first: what is listed twice is computed once."""
    return tuple(dict.fromkeys(listed))


Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], AfterValidator(once)]
TYPED: Final = re.compile(
    r"(?:~|≈|about |ca\.? )?\$?\s*(?P<digits>\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:[_ ,]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)"
    r"\s*(?P<size>[a-z]+|%)?(?:\s*(?:/|per |a )\s*(?P<each>[a-z]+))?")
"""A number with what people write around it; 5.000,00 is 5000, 1,000 is 1000 and 0,5 is 0.5."""
FOREIGN: Final = re.compile(r"[€£¥₹]|\b(?:aud|cad|chf|cny|eur|euros?|gbp|inr|jpy|pounds?|sek|yen)\b")
"""A currency that is not the dollar."""
IN_USD: Final = "amounts are in USD: convert yours at the rate of a day, and say which in their source"
SIZES: Final = {"": 1.0, "x": 1.0, "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9, "%": 0.01}
UNITS: Final = {"cents": ("usd", 0.01), "usd": ("usd", 1.0), "tokens": ("tokens", 1.0), "requests": ("requests", 1.0)}
"""What people write behind a number, what the name of a field has whose unit that tells, and how many of that unit it is."""
HOUR_S, MONTH_S = 3600.0, 730.0 * 3600.0
TIMES: Final = {
    "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": HOUR_S, "hour": HOUR_S, "d": 24 * HOUR_S,
    "day": 24 * HOUR_S, "y": 12 * MONTH_S, "week": 7 * 24 * HOUR_S, "month": MONTH_S, "year": 12 * MONTH_S,
}  # fmt: skip
"""Seconds of what people write behind a number, one of it; a month is 730 hours."""
OF_TIME: Final = {"_s": 1.0, "hours": HOUR_S, "days": 24 * HOUR_S, "months": MONTH_S, "years": 12 * MONTH_S}
"""What the name of a field has that is a time, and the seconds of its unit."""
MEANT_BY: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
"""What is true or false in other words, which YAML 1.2 reads as text."""
BOUND: Final = re.compile(r"(?:least (?P<least>-[\d.]+) and )?(?:at )?(?:most|to) (?P<most>[\d.]+)$")
"""The upper bound that a message ends with, and before it a lower one that is below 0."""
BELOW_0: Final = ("discount", "_per_year")
"""Ends of the names of fields that are shares or rates, and may be below 0."""
CHOICE: Final = re.compile("'([^']*)'")
"""A choice in pydantic's message on a value that is none of a few."""
PERCENT_MEANT: Final = (0.9, 1.0, 10.0)
"""Upper bounds of shares and of yearly rates: what lies above, from 2 on, and within as percent was meant so."""


class Section(Described):
    """A block of the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Spread(Section):
    """A value with its 5th and 95th percentile."""

    value: Finite
    """The central value."""
    low: Finite | None = None
    """5th percentile; left out = exact."""
    high: Finite | None = None
    """95th percentile; left out = exact."""
    source: str = ""
    """Where the figure comes from."""
    date: Date | None = None
    """When the source said so."""
    basis: Literal["measured"] | None = None
    """measured: as a usage log of every weekday tells it, so that no other week of it need be read; left out = stated."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.low, self.value, self.high)
        return self


def check_order(low: float | None, value: float, high: float | None) -> None:
    """ValueError, which pydantic tells with its field, where one end is given alone or the value lies outside of both."""
    if (low is None) != (high is None):
        raise ValueError("low and high are given together or not at all")
    if low is not None and high is not None and not low <= value <= high:
        raise ValueError(f"low <= value <= high does not hold: {low:g}, {value:g}, {high:g}")


def as_spread(q: float | Spread) -> Spread:
    """The quantity as a Spread; a bare number is exact."""
    return q if isinstance(q, Spread) else Spread(value=q)


def value_of(q: float | Spread) -> float:
    """The central value."""
    return q.value if isinstance(q, Spread) else q


LARGEST, SMALLEST = 1e9, 1e-9
"""The largest number, and the smallest that is divided by: products and quotients of any few stay finite."""


OVER: Final = {True: "greater than", False: "at least"}


@dataclass(frozen=True)
class Within:
    """The bounds of a quantity, which hold for its ends too."""

    least: float
    most: float
    above: bool = False
    """True where `least` itself is out of bounds, and what is nearer to it than SMALLEST."""

    def __call__(self, q: float | Spread) -> float | Spread:
        """The quantity, where it lies within."""
        s, least = as_spread(q), self.least + SMALLEST * self.above
        for x in (s.value, s.low, s.high):
            if x is not None and not least <= x <= self.most:
                bound = f"at least {least:g}" if self.least < x < least else f"{OVER[self.above]} {self.least:g}"
                most = f"{self.most:,.0f}" if self.most >= 1e6 else f"{self.most:g}"
                raise ValueError(f"{x:g} must be {bound} and at most {most}")
        return q


def spread(value: float, low: float, high: float, why: str) -> Any:
    """A default with a spread; `why` becomes its source. Any, since it stands for each of the quantities above."""
    return Spread(value=value, low=low, high=high, source=why)


def unit(name: str) -> Any:
    """Field metadata that says in which unit a quantity is."""
    return Field(json_schema_extra={"unit": name})


def whole(q: float | Spread) -> float | Spread:
    """The quantity, where it and its ends count what has no parts."""
    s = as_spread(q)
    for x in (s.value, s.low, s.high):
        if x is not None and x != int(x):
            raise ValueError(f"{x:g} must be a whole number")
    return q


def moves(ratio: float | Spread) -> float | Spread:
    """A ratio that is not exactly 1, since that changes nothing and is meant otherwise."""
    if as_spread(ratio) == Spread(value=1.0):
        raise ValueError("a ratio of 1 changes nothing: it is over what requests would be without this step, not over today's;"
                         " 0.5 takes back a step of 2")
    return ratio


def whole_part_of_a_day(hours: float) -> float:
    """Hours up to one, or as many as go into a day without a rest."""
    if hours > 1.0 and 24.0 % hours:
        fit = [each for each in (2, 3, 4, 6, 8, 12, 24) if each > hours]
        raise ValueError(f"{hours:g} hours do not go into a day; steps of more than an hour are 2, 3, 4, 6, 8, 12 or 24 hours"
                         f" (the next is {fit[0]})")
    return hours


def zero_alone(q: float | Spread) -> float | Spread:
    """The quantity, where 0 is a choice and no figure: its ends are 0 too, else draws would choose differently."""
    s = as_spread(q)
    if s.value == 0 and s.high:
        raise ValueError(f"0 is a choice of its own and has no spread up to {s.high:g}; state 0 alone, or a value above 0")
    return q


# A quantity is a bare number or a Spread, within bounds that hold for its ends too, and has a unit, which some fields state.
Share = Annotated[float | Spread, AfterValidator(Within(0.0, 1.0))]
Signed = Annotated[float | Spread, AfterValidator(Within(-LARGEST, LARGEST))]
Positive = Annotated[float | Spread, AfterValidator(Within(0.0, LARGEST, above=True))]
NonNegative = Annotated[float | Spread, AfterValidator(Within(0.0, LARGEST))]
AtLeastOne = Annotated[float | Spread, AfterValidator(Within(1.0, 1e4))]
Fraction = Annotated[Share, unit("share")]
Discount = Annotated[float | Spread, AfterValidator(Within(-1.0, 1.0)), unit("share")]
"""Off a price list; below 0 on it, as where a region costs more."""
Headroom = Annotated[float | Spread, AfterValidator(Within(0.0, 0.9)), unit("share")]
PerYear = Annotated[float | Spread, AfterValidator(Within(-0.99, 10.0)), unit("1/year")]
"""Growth or drift, effective annual."""
Months = Annotated[NonNegative, unit("months")]
MonthsAhead = Annotated[float | Spread, AfterValidator(Within(0.0, 1200.0)), unit("months")]
"""From the as-of date on, within a century: a year is no number of months."""
Hours = Annotated[NonNegative, unit("hours")]
Deadline = Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False, json_schema_extra={"unit": "hours"})]
"""Hours within which an answer is wanted, or promised."""
def of_many(value: object, kind: str, message: str, places: Sequence[str]) -> str:
    """The message on a value that is none of some choices; of many the nearest, where any is like it, and what lists all."""
    choices = CHOICE.findall(message) if kind == "literal_error" else []
    if len(choices) <= FEW:
        return message
    near, field = ", ".join(nearest(str(value), choices)), ".".join(each for each in places if not each.isdigit())
    return f"{f'nearest: {near}; ' if near else ''}`roi help {field}` lists all {len(choices)}"


def as_meant(value: object, kind: str, message: str, field: str = "") -> str:
    """What to write for a number as people write it (60k, 60_000, 1,000, 80%, 800ms, 3 years), a day, percent for a share.

    The name of the `field` tells which unit it has.
    """
    if kind.startswith("bool") and (meant := MEANT_BY.get(str(value).lower())) is not None:
        return f"; write {meant}"
    if kind.startswith("date"):
        return day_meant(str(value))
    if kind == "string_type" and type(value) in {int, float, bool}:
        return f'; write "{str(value).lower()}"'
    value = value.get("value") if isinstance(value, dict) and kind == "value_error" else value
    number, size = None, ""
    if kind.startswith(("float", "int")):
        value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
        if told := _no_number(value, field):
            return told
        below = field.endswith(BELOW_0) and str(value).strip().startswith("-")
        number, size = _number_of(str(value).strip().removeprefix("-" * below), field)
        number = -number if below and number is not None else number
        number = None if kind.startswith("int") and number is not None and number % 1 else number
    elif type(value) in {int, float} and not field.endswith("ratio") and (bound := BOUND.search(message)):
        least, most, size, percent = float(bound["least"] or 0.0), float(bound["most"]), "%", float(str(value))
        likely = max(most, 2) <= percent <= 100 * most or 100 * least <= percent <= -2
        number = percent / 100 if most in PERCENT_MEANT and likely else None
    if number is None:
        return ""
    return f"; write {number:.12g}" + (f" for {number * 100:,.12g}%" if size == "%" else "")


def _no_number(value: object, field: str) -> str:
    """What is said of a quantity with a spread where a number is exact, and of an amount in another currency."""
    if isinstance(value, dict) and type(value.get("value")) in {int, float}:
        return f"; it has no spread: write {value['value']:g}, and compare two scenarios of it with roi diff"
    return f"; {IN_USD}" if "usd" in field and FOREIGN.search(str(value).lower()) else ""


def _number_of(text: str, field: str) -> tuple[float | None, str]:
    """(number in the field's unit, size that stands behind it) that a person means; None where the unit is another's.

    A rate is brought from one time to another: 2 per second are 172,800 requests_per_day.
    """
    typed = TYPED.fullmatch(text.strip().lower())
    if typed is None:
        return None, ""
    digits = re.sub(r"\.(?=\d{3})(?=.*,)|[_ ,](?=\d{3})", "", typed["digits"]).replace(",", ".")
    size, each = typed["size"] or "", typed["each"]
    of, factor = UNITS.get(size, ("", SIZES.get(size)))
    if factor is None and (one := _time_of(size)) is not None and each is None:
        of, whole_one = next((item for item in OF_TIME.items() if field.endswith(item[0]) or f"{item[0]}_" in field), ("", 0.0))
        factor = one / whole_one if of else None
    if each is not None and factor is not None:
        beside, of_field = _time_of(each), _time_of(field.rpartition("_per_")[2]) if "_per_" in field else None
        factor = None if beside is None or of_field is None else factor * of_field / beside
    return (None if factor is None or of not in field else float(digits) * factor), size


def _time_of(word: str) -> float | None:
    """Seconds of one of what the word calls, in the singular or the plural."""
    return TIMES.get(word) or TIMES.get(word.removesuffix("s"))
