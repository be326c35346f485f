"""Columns of a raw table, whatever their type: text as CSV gives it, or typed as Parquet and databases do.

Each function returns an Ibis expression over one column, or a typed null where the table has no such column, so that a
format's `records` reads the same on a CSV, a Parquet file and a table of a database. Names match in any case.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ibis.expr.types as ir

EPOCH_MS = 100_000_000_000
"""A number of this size or more is milliseconds: as seconds it would lie beyond the year 5138."""

EPOCH_US = 100_000_000_000_000
"""And from here on microseconds."""

EPOCH_NS = 100_000_000_000_000_000
"""And from here on nanoseconds."""

MICRO = 1_000_000

MOST = 2.0**62
"""A number of this size or more is no count, amount or time. Infinity is none either, nor NaN, which is above all numbers."""


def has(table: "ir.Table", *names: str) -> bool:
    """True where the table has a column of one of these names."""
    return find(table, names) is not None


def find(table: "ir.Table", names: Sequence[str]) -> str | None:
    """The table's own spelling of the first of `names` that it has; None where it has none."""
    own = {column.lower(): column for column in table.columns}
    return next((own[name.lower()] for name in names if name.lower() in own), None)


def text(table: "ir.Table", *names: str) -> "ir.StringValue":
    """The first of the named columns as text, empty cells as null."""
    import ibis

    found = find(table, names)
    if found is None:
        return cast("ir.StringValue", ibis.null("string"))
    column = table[found]
    if not column.type().is_string():
        return cast("ir.StringValue", column.cast("string"))
    return cast("ir.StringValue", column.strip().nullif(""))


def whole(table: "ir.Table", *names: str) -> "ir.IntegerValue":
    """The first of the named columns as int64; null where the cell is no whole number, or there is no such column."""
    import ibis

    found = find(table, names)
    if found is None:
        return cast("ir.IntegerValue", ibis.null("int64"))
    if table[found].type().is_integer():
        return cast("ir.IntegerValue", table[found].cast("int64"))
    # By way of a float: asked for an integer, databases make different things of "12.0" and of 12.5.
    number = real(table, found)
    return cast("ir.IntegerValue", ibis.ifelse(number == number.floor(), number, ibis.null("float64")).cast("int64"))


def count(table: "ir.Table", *names: str) -> "ir.IntegerValue":
    """The same, but 0 where the cell is empty or the column absent; text that is no number stays null."""
    import ibis

    if not has(table, *names):
        return cast("ir.IntegerValue", ibis.literal(0, "int64"))
    column = table[cast("str", find(table, names))]
    empty = text(table, *names).isnull() if column.type().is_string() else column.isnull()
    return cast("ir.IntegerValue", ibis.ifelse(empty, 0, whole(table, *names)))


def real(table: "ir.Table", *names: str) -> "ir.FloatingValue":
    """The first of the named columns as float64; null where the cell is no number, or there is no such column."""
    import ibis

    found = find(table, names)
    if found is None:
        return cast("ir.FloatingValue", ibis.null("float64"))
    column = table[found]
    number = column.strip().nullif("").try_cast("float64") if column.type().is_string() else column.cast("float64")
    return cast("ir.FloatingValue", ibis.ifelse(number.abs() < MOST, number, ibis.null("float64")))


def flag(table: "ir.Table", *names: str) -> "ir.BooleanValue":
    """The first of the named columns as a truth value, false where it is absent, empty or another word than true, 1, yes."""
    import ibis

    found = find(table, names)
    if found is None:
        return cast("ir.BooleanValue", ibis.literal(False))
    column = table[found]
    if column.type().is_boolean():
        return cast("ir.BooleanValue", column.fill_null(False))
    return cast("ir.BooleanValue", text(table, *names).lower().isin(("true", "1", "yes", "t")).fill_null(False))


def instant(table: "ir.Table", *names: str) -> "ir.IntegerValue":
    """The first of the named columns as microseconds since 1970 UTC; null where it is no time.

    ISO 8601 with or without an offset (without one: the connection's time zone), or a number of seconds, milliseconds,
    microseconds or nanoseconds since 1970. A column of dates is midnight UTC.
    """
    import ibis

    found = find(table, names)
    if found is None:
        return cast("ir.IntegerValue", ibis.null("int64"))
    column = table[found]
    kind = column.type()
    if kind.is_date() or (kind.is_timestamp() and kind.timezone is None):
        return _micros(column.cast("timestamp"), ibis.literal("1970-01-01T00:00:00").cast("timestamp"))
    if kind.is_timestamp():
        return _micros(column, _zoned_start())
    if kind.is_numeric():
        return _from_epoch(real(table, found))
    stamp = column.strip().nullif("").try_cast("timestamp('UTC')")
    return cast("ir.IntegerValue", ibis.coalesce(_from_epoch(real(table, found)), _micros(stamp, _zoned_start())))


def _micros(stamp: "ir.Value", start: "ir.Value") -> "ir.IntegerValue":
    """Microseconds from `start`: the one difference of times that every backend has."""
    return cast("ir.IntegerValue", stamp.delta(start, unit="microsecond").cast("int64"))


def _zoned_start() -> "ir.Value":
    import ibis

    start: ir.Value = ibis.literal("1970-01-01T00:00:00+00:00").cast("timestamp('UTC')")
    return start


def _from_epoch(number: "ir.Value") -> "ir.IntegerValue":
    import ibis

    size = number.abs()
    micros = ibis.cases((size >= EPOCH_NS, number / 1e3), (size >= EPOCH_US, number), (size >= EPOCH_MS, number * 1e3),
                        else_=number * 1e6)
    return cast("ir.IntegerValue", micros.round().cast("int64"))
