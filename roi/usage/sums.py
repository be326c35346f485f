"""Rows of a table of one's own that are sums of a time, where no column says until when, or of how many requests.

A spreadsheet has a row for each month of an invoice, and a time alone to tell it by. What nobody can have called one by one is
a sum; what may be either stays as its columns say, and a note tells what it is taken for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from roi.clock import today
from roi.usage.read.columns import MICRO
from roi.usage.read.database import rows_of, zone_of
from roi.usage.read.lazy_ibis import Column, DuckDB, Table, ibis
from roi.usage.read.raw import LogTable
from roi.usage.read.record import EMPTY_CALL, HOUR_US

MOST_PERIODS: Final = 1200
"""Times of sums, or rows of calls, up to which it is asked whether they are of weeks or months: a century of months."""
MOSTLY_EMPTY: Final = 0.25
"""Share of the days up to which those that have a sum are few: less than two a week."""
FEWEST_WEEKS: Final = 3
"""Dates a week apart that make a table one of weeks; two may be any two days."""
LONGEST_PROMPT: Final = 10_000_000
"""Input tokens above which nothing is a call: the longest context that a model is offered with (Llama 4 Scout)."""
KEYS: Final = ("at_us", "provider", "model", "group", "batch", "tier")
"""Columns in which two sums of one table differ."""


def with_ends(tables: Sequence[LogTable], engine: DuckDB, *, stated: bool = False) -> list[LogTable]:
    """The tables of one format, in which sums without an end end where the next begins, or with the period that they name.

    `stated`: the user says how many requests a day there are, so that rows which do not count them are sums.
    """
    form = tables[0].format
    if form.name != "generic" or form.grain == "cost":
        return list(tables)
    kept = [table.records.filter(table.records.dropped.isnull()) for table in tables]
    every = [each.select(*KEYS, "until_us", prompt=each.uncached_input + each.cache_read + each.cache_write) for each in kept]
    rows = ibis.union(*every)
    zone, times = ZoneInfo(zone_of(engine)), rows.select("at_us", "until_us")
    found = rows_of(times.limit(MOST_PERIODS), engine)  # which tell most logs of calls, and are all of a small one
    if len(found) == MOST_PERIODS and _on_the_hour(_moments(found, zone)):
        found = rows_of(times.distinct().limit(MOST_PERIODS + 1), engine)
    starts = _moments(found, zone)
    if not found or len(found) > MOST_PERIODS or not _on_the_hour(starts):
        return list(tables)
    ended = any(row["until_us"] is not None for row in found)
    if form.grain == "call":
        return _uncounted(tables, rows, starts, engine, ended=ended, stated=stated)
    return list(tables) if ended or any(map(_clock, starts)) else _counted(tables, starts)


def _counted(tables: Sequence[LogTable], starts: Sequence[datetime]) -> list[LogTable]:
    """Sums that count requests: of weeks or months where all begin one after the other, else of single days.

    A job of the first days of months alone has the same mean day so. Without ends they would be sums of single days, and the
    log would end with the first day of the last one.
    """
    called, ends = _periods([start.date() for start in starts])
    if ends:
        tables[0].unread.notes.append(
            f"no column says when a row ends; their times are a {called} apart, so that each is the sum of its {called}, the"
            f" last until {ends[-1] - timedelta(days=1)}: else --map until=COLUMN, which holds the first day after it")
        return [replace(table, records=table.records.mutate(until_us=_until(table.records, starts, ends))) for table in tables]
    if len(starts) == 1 or len(starts) <= ((starts[-1] - starts[0]).days + 1) * MOSTLY_EMPTY:
        tables[0].unread.notes.append(
            f"no column says when a row ends: each is the sum of its own day, {starts[0].date()}"
            + f" to {starts[-1].date()} ({len(starts)} days)" * (len(starts) > 1)
            + "; if they are sums of longer times, --map until=COLUMN, which holds the first day after each")
    return list(tables)


def _uncounted(
    tables: Sequence[LogTable], rows: Table, starts: Sequence[datetime], engine: DuckDB, *, ended: bool, stated: bool,
) -> list[LogTable]:
    """Rows that count no requests: calls, one each, or sums of the month, week, day or hour that is their time.

    They are sums where their times are names of periods, or dates a month or a week apart; where they are dates and one of them
    has more input than any call; and where the user says how many requests there are, and they are dates or hours.
    """
    by_hour = any(map(_clock, starts))
    called, ends = ("", []) if ended or by_hour else _periods([start.date() for start in starts])
    if ended:
        called = "month, quarter or week"
    elif by_hour:
        called = "hour" if stated else ""
    elif not called:
        of = rows_of(rows.aggregate(rows=rows.count(), most=rows.prompt.max()), engine)[0]
        called = "day" if stated or of["most"] > LONGEST_PROMPT else ""
        kinds = rows.select(*KEYS).distinct()
        if not called and len(starts) > 1 and rows_of(kinds.aggregate(n=kinds.count()), engine)[0]["n"] == of["rows"]:
            tables[0].unread.notes.append(
                "no column counts requests and times are days, so that each row is one call: if they are sums of a day,"
                " --requests-per-day N says how many requests a mean one has, or --map requests=COLUMN")
    if not called:
        return list(tables)
    tables[0].unread.notes.append(f"no column counts requests: each row is the sum of its {called}" + (
        "" if stated else "; --requests-per-day N says how many requests a mean day has, or --map requests=COLUMN"))
    return [replace(table, records=_summed(
        table.records, _until(table.records, starts, ends) if ends else table.records.at_us + HOUR_US if by_hour and not ended
        else table.records.until_us, every=not ended)) for table in tables]


def _summed(records: Table, until: Column, *, every: bool) -> Table:
    """The records as sums until then, of requests that nobody counted; not `every` one, but those that end.

    A sum without a token is one of nothing, and no call that is empty.
    """
    is_sum = ibis.literal(True) if every else until.notnull()
    empty = is_sum & (records.dropped == EMPTY_CALL).fill_null(False)
    return records.mutate(
        until_us=until, kind=ibis.ifelse(is_sum, "bucket", records.kind),
        requests=ibis.ifelse(is_sum, ibis.null("int64"), records.requests),
        dropped=ibis.ifelse(empty, ibis.null("string"), records.dropped))


def _until(records: Table, starts: Sequence[datetime], ends: Sequence[date]) -> Column:
    """The end of each record, by its start."""
    edges = [[int(each.timestamp()) * MICRO for each in (start, datetime.combine(end, time(), start.tzinfo))]
             for start, end in zip(starts, ends, strict=True)]
    return ibis.cases(*((records.at_us == at, end) for at, end in edges), else_=records.at_us).cast("int64")


def _moments(rows: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> list[datetime]:  # Any: cells
    """The times of the rows, each once, ascending; in UTC where all are midnights there, as days are that have no clock."""
    days = all(row["at_us"] % (24 * HOUR_US) == 0 for row in rows)
    return sorted({datetime.fromtimestamp(row["at_us"] / MICRO, UTC if days else zone) for row in rows})


def _on_the_hour(moments: Sequence[datetime]) -> bool:
    """True where none has a minute or a second."""
    return not any(moment.minute or moment.second or moment.microsecond for moment in moments)


def _clock(moment: datetime) -> bool:
    """True where it has a time of day."""
    return moment.time() != time()


def _periods(days: Sequence[date]) -> tuple[str, list[date]]:
    """(month or week, the day after the last of each) where these days, ascending, begin one after the other; else empty."""
    months = [(day.replace(day=1) + timedelta(days=32)).replace(day=1) for day in days]
    weeks = [day + timedelta(days=7) for day in days]
    for called, least, ends in (("month", 2, months), ("week", FEWEST_WEEKS, weeks)):
        if len(days) >= least and ends[:-1] == [*days[1:]] and (called == "week" or days[0].day == 1):
            over = max(today(), days[-1]) + timedelta(days=1)
            return called, [*ends[:-1], min(ends[-1], over)]
    return "", []
