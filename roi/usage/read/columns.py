"""Columns of a raw table, whatever their type: text as CSV gives it, or typed as Parquet and databases do.

Each function returns an Ibis expression over one column, or a typed null where the table has no such column, so that a
format's fields read the same on a CSV, a Parquet file and a table of a database. Names match in any case.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from roi.clock import today
from roi.usage.read.lazy_ibis import Column, Table, ibis

EPOCH_MS: Final = 100_000_000_000
"""A number of this size or more is milliseconds: as seconds it would lie beyond the year 5138."""
EPOCH_US: Final = 100_000_000_000_000
"""Numbers from here on are microseconds since 1970."""
EPOCH_NS: Final = 100_000_000_000_000_000
"""Numbers from here on are nanoseconds since 1970."""
MICRO: Final = 1_000_000
DAY_US: Final = 86_400 * MICRO
"""Microseconds of a second, and of a day."""
FIRST_US: Final = 946_684_800_000_000
"""2000-01-01 UTC: what lies before, or from 2100 on, is no time of a call but another number."""
LAST_US: Final = 4_102_444_800_000_000
MOST: Final = 2.0**62
"""A number above this is no amount or time. Infinity is none either, nor NaN, which is above all numbers."""
MOST_COUNTED: Final = 2**53
"""A count beyond this is none: up to here a float64 holds all whole numbers, and the counts of a row add up within an int64."""
DOLLARS: Final = r"^(\$|[Uu][Ss][Dd]) *| *(\$|[Uu][Ss][Dd])$"
YES: Final = ("true", "1", "1.0", "yes", "t")
NO: Final = ("false", "0", "0.0", "no", "f")
NO_OFFSET: Final = r"^[0-9-]+[ T][0-9:.]+$"
YEAR_LAST: Final = (
    r"^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})"
    r"(?:,? +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?:\.[0-9]+)? *([AaPp][Mm])?)?$"
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
APART: Final = r" +(Z|[+-][0-9]{2}:?[0-9]{2})( [A-Z]{2,5}| [+-][0-9]{2,4})?$"
"""An offset apart from its clock, as Snowflake and Go write it, whose zone may follow: DuckDB reads no such time."""


MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
                 "december")  # fmt: skip
SHORT: Final = "month, short year"
NAMED: Final = f"{'|'.join(f'{each}|{each[:3]}' for each in MONTHS)}|sept"
PERIODS: Final = {
    "month": (r"^([0-9]{4})[-/]([0-9]{1,2})$", 1, 2), "month of two digits": (r"^(20[0-9]{2})[.]?(0[1-9]|1[0-2])$", 1, 2),
    "month, year last": (r"^([0-9]{1,2})[-/.]([0-9]{4})$", 2, 1), "month by name": (rf"^({NAMED})[., -]+([0-9]{{4}})$", 2, 1),
    SHORT: (rf"^({NAMED})[-']([0-9]{{2}})$", 2, 1),
    "quarter": (r"^([0-9]{4})[ -]?q([1-4])$", 1, 2), "quarter first": (r"^q([1-4])[ /-]?([0-9]{4})$", 2, 1),
    "week": (r"^([0-9]{4})-?w([0-9]{1,2})$", 1, 2),
}  # fmt: skip
"""Names of a time that is no moment, in lower case, and which of their parts is the year and which counts within it: 2026-10,
202610 (`invoice.month` of Google's billing export), 10/2026, 10.2026, Oct 2026, 2026-Q3, and weeks of ISO 8601; and Oct-26, as
Excel writes a month, whose days it writes 26-Oct (`with_periods` tells when it may be a day for all that)."""
STARTS, ENDS = "roi period begins", "roi period ends"
FIRST_SHORT: Final = 20
"""The first year of a century that two digits may say: no log of calls of a language model is older."""
MOST_YEARS: Final = 3
"""Years between the first and the last month of a table that writes them with two digits."""


def find(table: Table, *names: str) -> str | None:
    """The table's own spelling of the first of `names` that it has; None where it has none."""
    own = {column.lower(): column for column in table.columns}
    return next((own[name.lower()] for name in names if name.lower() in own), None)


def first(table: Table, *names: str) -> Column | None:
    """The first of the named columns as it is; None where the table has none of them."""
    found = find(table, *names)
    return None if found is None else table[found]


def text(table: Table, *names: str) -> Column:
    """The first of the named columns as text, empty cells as null."""
    column = first(table, *names)
    if column is None:
        return ibis.null("string")
    return column.strip().nullif("") if column.type().is_string() else column.cast("string")


def whole(table: Table, *names: str) -> Column:
    """The first of the named columns as int64; null where the cell is no whole number, or there is no such column.

    Text such as 20.000 is none: its point may group digits (`roi.errors.grouped`).
    """
    column = first(table, *names)
    if column is None:
        return ibis.null("int64")
    if column.type().is_integer():
        return counted(column)
    # By way of a float: asked for an integer, databases make different things of "12.0" and of 12.5.
    number = _float(column)
    known = (number.abs() <= MOST_COUNTED) & (number == number.floor())
    if column.type().is_string():
        known &= ~(column.strip().endswith(".000") & number.between(1.0, 999.0))
    return ibis.ifelse(known, number, ibis.null("float64")).cast("int64")


def counted(number: Column) -> Column:
    """The number as int64; null where it is too large for a count."""
    kind = number.type()
    if kind.is_integer() and kind.bounds.upper <= MOST_COUNTED:  # none of its numbers is; to compare each takes DuckDB longer
        return number.cast("int64")
    return ibis.ifelse(number.between(-MOST_COUNTED, MOST_COUNTED), number, ibis.null(number.type())).cast("int64")


def made_anew(table: Table, **columns: Callable[[Column], Column]) -> Table:
    """The table with columns made of what they were, in the step that gave it where that took each of them as it was.

    A step of its own names every column once more, at each look at the query: a fifth of what a short log takes.
    """
    import ibis.expr.operations as ops

    made = table.op()
    if isinstance(made, ops.Project) and all(isinstance(made.values[name], ops.Field | ops.Literal) for name in columns):
        anew = {name: make(made.values[name].to_expr()).op() for name, make in columns.items()}
        return ops.Project(made.parent, {**made.values, **anew}).to_expr()
    return table.mutate(**{name: make(table[name]) for name, make in columns.items()})


def count(table: Table, *names: str) -> Column:
    """The first of the named columns as int64: 0 where empty or absent, null where text is no number."""
    column = first(table, *names)
    if column is None:
        return ibis.literal(0, "int64")
    empty = text(table, *names).isnull() if column.type().is_string() else column.isnull()
    return ibis.ifelse(empty, 0, whole(table, *names))


def zero(count: Column) -> bool:
    """True where a count is 0 whatever the row says, as one is that a table has no column for."""
    import ibis.expr.operations as ops

    made = count.op()
    return isinstance(made, ops.Literal) and made.value == 0


def real(table: Table, *names: str) -> Column:
    """The first of the named columns as float64; null where the cell is no number, or there is no such column."""
    column = first(table, *names)
    return ibis.null("float64") if column is None else bounded(_float(column))


def dollars(table: Table, *names: str) -> Column:
    """The first of the named columns as float64, read from text such as $12.50 or 12.50 USD too; null where it is no number."""
    column = first(table, *names)
    if column is None or not column.type().is_string():
        return real(table, *names)
    bare = column.strip().re_replace(DOLLARS, "")
    return ibis.coalesce(real(table, *names), bounded(bare.nullif("").try_cast("float64")))


def _float(column: Column) -> Column:
    return column.strip().nullif("").try_cast("float64") if column.type().is_string() else column.cast("float64")


def unread(table: Table, *names: str, kind: Callable[..., Column] = real) -> Column:
    """True where one of the named columns holds something that is no number; with `kind` whole, that is no whole one."""
    there = [name for name in names if find(table, name)]
    cells = [text(table, name).lower().nullif("null").notnull() & kind(table, name).isnull() for name in there]
    return reduce(or_, cells, ibis.literal(False))


def bounded(number: Column) -> Column:
    """The float64; null where it is no amount or time."""
    return ibis.ifelse(number.abs() <= MOST, number, ibis.null("float64"))


def flag(table: Table, *names: str) -> Column:
    """The first of the named columns as a truth value, false where it is absent, empty or another word than YES."""
    column = first(table, *names)
    if column is None:
        return ibis.literal(False)
    if column.type().is_boolean():
        return column.fill_null(False)
    return text(table, *names).lower().isin(YES).fill_null(False)


def service(tier: Column | None, usual: Sequence[str], batch: Column | bool = False) -> dict[str, Any]:  # Any: values of Fields
    """The Fields batch and tier by the word for a tier, in lower case: batch is a column of its own, and `usual` are none."""
    if tier is None:
        return {"batch": batch}
    return {"batch": (tier == "batch").fill_null(False) | batch, "tier": tier.isin(("batch", *usual)).ifelse(None, tier)}


def faster_or_inside(tier: Column | None, speed: Column, place: Column) -> Column:
    """Anthropic's tier: fast comes before a service tier, and that before inference in the US alone, `us-only`."""
    inside = (place.lower() == "us").ifelse("us-only", ibis.null("string"))
    return (speed.lower() == "fast").ifelse("fast", inside if tier is None else ibis.coalesce(tier, inside))


def no_flag(table: Table, name: str) -> Column:
    """True where the column holds another word than YES and NO."""
    return text(table, name).lower().notin((*YES, *NO)).fill_null(False)


def instant(table: Table, *names: str) -> Column:
    """The first of the named columns as microseconds since 1970 UTC; null where it is no time.

    ISO 8601 with or without an offset (without one: the connection's time zone), or a number of seconds, milliseconds,
    microseconds or nanoseconds since 1970. A date without a clock is midnight UTC in every zone: it names a day.
    """
    column = first(table, *names)
    if column is None:
        return ibis.null("int64")
    kind = column.type()
    if kind.is_date() or (kind.is_timestamp() and kind.timezone is None):
        return _micros(column.cast("timestamp"), ibis.literal("1970-01-01T00:00:00").cast("timestamp"))
    if kind.is_timestamp() or kind.is_unknown():  # DuckDB's nanoseconds with a zone, of pandas, have no name in Ibis
        return _zoned_micros(column) if kind.is_timestamp() else _time_in(column)
    if kind.is_numeric():
        return _from_epoch(column)
    if not kind.is_string():  # a time of day, a duration, a list
        return ibis.null("int64")
    words = column.strip().re_replace(APART, r"\1").nullif("")
    told = ibis.ifelse(words.re_search(DATE), words.concat(" 00:00:00+00:00"), words)
    return ibis.coalesce(_from_epoch(column), _time_in(told))


def utc(table: Table, *names: str) -> Column:
    """Microseconds since 1970 UTC, as `instant`, but a time without an offset is UTC whatever the connection's time zone."""
    column = first(table, *names)
    if column is None or not column.type().is_string():
        return instant(table, *names)
    words = column.strip()
    zoned = ibis.cases((words.re_search(NO_OFFSET), words.concat("+00:00")),
                       (words.re_search(DATE), words.concat(" 00:00:00+00:00")), else_=ibis.null("string"))
    return ibis.coalesce(_time_in(zoned), instant(table, *names))


def year_last_instant(table: Table, *columns: str, day_first: bool) -> Column:
    """Microseconds since 1970 UTC, as `instant`, of text such as 10/5/2026, 10.05.2026 13:45 or 10/5/2026 1:45:00 PM too."""
    column = first(table, *columns)
    if column is None or not column.type().is_string():
        return instant(table, *columns)
    words = column.strip()
    names = (*(("day", "month") if day_first else ("month", "day")), "year", "h", "m", "s", "half")
    part = {name: words.re_extract(YEAR_LAST, k).nullif("") for k, name in enumerate(names, start=1)}
    hour = part["h"].cast("int64").fill_null(0)
    half = part["half"].upper()
    hour = ibis.cases((half == "PM", hour % 12 + 12), (half == "AM", hour % 12), else_=hour).cast("string").lpad(2, "0")
    day = part["year"].concat("-", part["month"].lpad(2, "0"), "-", part["day"].lpad(2, "0"))
    clock = hour.concat(":", part["m"].fill_null("00"), ":", part["s"].fill_null("00"),
                        ibis.ifelse(part["h"].isnull(), "+00:00", ""))
    told = ibis.ifelse(words.re_search(YEAR_LAST), day.concat(" ", clock), ibis.null("string"))
    return ibis.coalesce(_time_in(told), instant(table, *columns))


def with_periods(table: Table, name: str) -> Table:
    """The table with STARTS and ENDS, microseconds since 1970 UTC, of the month, quarter or week that a cell names (PERIODS).

    It begins and ends at midnight UTC. One that is not over ends with today. Oct-26 is a month where
    no cell is of a later year, nor are cells more than MOST_YEARS apart, nor all of one month and several years: else they are
    days. Null where a cell names none. Each step is a table of its own: in one expression each cell would be read a hundred
    times.
    """
    column = first(table, name)
    if column is None or not may_name_periods(table, name):
        return table.mutate(**dict.fromkeys((STARTS, ENDS), ibis.null("int64")))
    words, none = column.cast("string").strip().lower(), ibis.null("int64")
    part = {f"roi {kind}, {what}": words.re_extract(form, k).nullif("")
            for kind, (form, *places) in PERIODS.items() for what, k in zip(("year", "of it"), places, strict=True)}
    read = table.mutate(**part)
    year = {kind: read[f"roi {kind}, year"].cast("int64") for kind in PERIODS}
    of_it = {kind: read[f"roi {kind}, of it"] for kind in PERIODS}
    numbered = (of_it[kind].cast("int64") for kind in ("month", "month of two digits", "month, year last"))
    spelled = ibis.coalesce(of_it["month by name"], of_it[SHORT])
    by_name = ibis.literal("".join(each[:3] for each in MONTHS)).find(spelled.left(3)) / 3 + 1
    read = read.mutate(
        roi_month=ibis.coalesce(*numbered, ibis.ifelse(spelled.isnull(), none, by_name.cast("int64"))),
        roi_quarter=ibis.coalesce(of_it["quarter"], of_it["quarter first"]).cast("int64"), roi_week=of_it["week"].cast("int64"),
        roi_year=ibis.coalesce(*(each for kind, each in year.items() if kind != SHORT)), roi_short=year[SHORT])
    of_short = ibis.ifelse(read.roi_short.isnull(), none, read.roi_month)
    years, months = (each.max().over() - each.min().over() for each in (read.roi_short, of_short))
    read = read.mutate(roi_years=years, roi_months=months, roi_latest=read.roi_short.max().over())
    is_year = (read.roi_short >= FIRST_SHORT) & (read.roi_latest <= today().year % 100) & (read.roi_years <= MOST_YEARS) & (
        (read.roi_years == 0) | (read.roi_months > 0))
    read = read.mutate(roi_year=ibis.coalesce(read.roi_year, ibis.ifelse(is_year, read.roi_short + 2000, none)))
    month = ibis.ifelse(read.roi_month.between(1, 12), read.roi_month - 1, none)
    read = read.mutate(roi_first=read.roi_year * 12 + ibis.coalesce(month, (read.roi_quarter - 1) * 3),
                       roi_monday=_first_monday(read.roi_year) + 7 * (read.roi_week - 1))
    whole_week = (read.roi_monday >= _first_monday(read.roi_year)) & (read.roi_monday < _first_monday(read.roi_year + 1))
    read = read.mutate(roi_monday=ibis.ifelse(whole_week, read.roi_monday, none),
                       roi_after=read.roi_first + ibis.ifelse(read.roi_quarter.isnull(), 1, 3))
    tomorrow = _midnight(ibis.literal((today() - date(1970, 1, 1) + timedelta(days=1)).days))
    read = read.mutate(roi_from=ibis.coalesce(_month(read.roi_first), _midnight(read.roi_monday)), roi_tomorrow=tomorrow,
                       roi_until=ibis.coalesce(_month(read.roi_after), _midnight(read.roi_monday + 7)))
    goes_on = (read.roi_from < read.roi_tomorrow) & (read.roi_until > read.roi_tomorrow)
    return read.select(*table.columns, **{STARTS: read.roi_from, ENDS: ibis.ifelse(goes_on, read.roi_tomorrow, read.roi_until)})


def may_name_periods(table: Table, name: str) -> bool:
    """True where a column's type leaves room for names of months and the like."""
    column = first(table, name)
    return column is not None and (column.type().is_string() or column.type().is_integer())


def _month(number: Column) -> Column:
    """Microseconds at which a month begins, counted from the year 0 on."""
    year, month = (number / 12).floor().cast("int64").cast("string"), (number % 12 + 1).cast("string").lpad(2, "0")
    return _time_in(year.concat("-", month, "-01 00:00:00+00:00"))


def _first_monday(year: Column) -> Column:
    """The Monday of a year's first week, which has the 4th of January, as days since 1970; from 1970 to 2099."""
    fourth = (year - 1970) * 365 + ((year - 1969) / 4).floor().cast("int64") + 3
    return fourth - (fourth + 3) % 7


def _midnight(day: Column) -> Column:
    """Microseconds at which a day, counted from 1970 on, begins."""
    words = (ibis.literal("1970-01-01").cast("date") + day.as_interval("D")).cast("string").left(10)
    return _time_in(words.concat(" 00:00:00+00:00"))


def _micros(stamp: Column, start: Column) -> Column:
    """Microseconds from `start`: the one difference of times that every backend has."""
    return stamp.delta(start, unit="microsecond").cast("int64")


def _zoned_micros(stamp: Column) -> Column:
    return _micros(stamp, ibis.literal("1970-01-01T00:00:00+00:00").cast("timestamp('UTC')"))


def _time_in(words: Column) -> Column:
    """Microseconds since 1970 UTC of the time that a text says; null where the database reads none in it."""
    return _zoned_micros(words.try_cast("timestamp('UTC')"))


def _from_epoch(column: Column) -> Column:
    number = _float(column)
    size = number.abs()
    over = ibis.ifelse(size >= EPOCH_NS, 1e3, 1.0)
    times = ibis.cases((size >= EPOCH_US, 1.0), (size >= EPOCH_MS, 1e3), else_=1e6)
    return (bounded(number) / over * times).round().cast("int64")


def in_range(micros: Column) -> Column:
    """True of a moment that may be one of a call; false where there is none."""
    return micros.between(FIRST_US, LAST_US - 1).fill_null(False)


def bucket_index(micros: Column, length_s: int) -> Column:
    """Number of the bucket of `length_s` seconds since 1970 UTC in which a moment lies, as int64."""
    return (micros.cast("float64") / (float(MICRO) * length_s)).floor().cast("int64")


def when(micros: Column, kind: str) -> Column:
    """The day, its month or weekday, or the hour of the day, UTC: words that sort by time, but for weekdays."""
    if kind == "hour":
        return (bucket_index(micros, 3600) % 24).cast("string").lpad(2, "0").concat(":00")
    days = bucket_index(micros, 86_400)
    if kind == "weekday":
        since_monday = (days + 3) % 7  # 1970-01-01 was a Thursday
        return ibis.cases(*((since_monday == k, name) for k, name in enumerate(WEEKDAYS)), else_=ibis.null("string"))
    day = (ibis.literal("1970-01-01").cast("date") + days.as_interval("D")).cast("string")
    return day.left(7 if kind == "month" else 10)
