"""Buckets that several exports hold: one day exported while it went on, by the hour and by the day, by key and in all.

Sums of calls are known by whose they are and from when to when they go, not by what they count, which grows until the day is
over. Where two files hold one of them, it counts once, with the larger count, which is the later one of a day that went on.
Where one file holds it twice with all counts alike, it counts once. A table of one's own whose rows are sums of weeks or months
may not say when they end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import add
from typing import Final
from zoneinfo import ZoneInfo

from roi.clock import today
from roi.errors import InputError
from roi.usage.duplicates import AGAIN, TWICE
from roi.usage.measure.aggregate import DAY_S
from roi.usage.measure.pricing import day_of
from roi.usage.read.columns import MICRO
from roi.usage.read.database import rows_of, zone_of
from roi.usage.read.lazy_ibis import DuckDB, Table, ibis
from roi.usage.read.names_alone import shown
from roi.usage.read.raw import LogTable
from roi.usage.read.record import BUCKET, FILE, PART, SPLIT, TOKENS, bucket_index

GREW: Final = "a bucket that another export holds with a larger count"
COARSER: Final = "a bucket whose time another export holds in longer or shorter buckets"
WIDTHS_US: Final = (DAY_S * MICRO, 3600 * MICRO)
"""Lengths of buckets that shorter ones may lie in, the longest first: vendors export by the minute, the hour and the day."""
TOLERANCE: Final = 1e-9
"""Counts this near to each other, relatively, are the same: sums of money depend on their order."""


MOST_PERIODS: Final = 1200
"""Times of sums, or rows of calls, up to which it is asked whether they are of weeks or months: a century of months."""
MOSTLY_EMPTY: Final = 0.25
"""Share of the days up to which those that have a sum are few: less than two a week."""
FEWEST_WEEKS: Final = 3
"""Dates a week apart that make a table one of weeks; two may be any two days."""


@dataclass
class Settled:
    """Tables without what other exports hold too."""

    tables: list[LogTable]
    grew: set[int] = field(default_factory=set)
    """Days, since 1970 UTC, of buckets that two exports hold with different counts: they went on in between."""


def with_ends(tables: Sequence[LogTable], engine: DuckDB) -> list[LogTable]:
    """The tables of one format, in which sums of weeks or months end where the next begins, if no column says where they do.

    Such are the rows of a table of one's own that counts requests where all of its times are midnights of the first days of
    months, two at least, or a week apart, three at least, and none between is missing. The last is over by today. A job of
    those days alone has the same mean day so. Without ends they would be sums of single days, and the log would end with the
    first day of the last one. Where they are of other days, which may be sums of longer times or of those days, and where no
    column counts requests, so that each row is a call, a note says so.
    """
    form = tables[0].format
    if form.name != "generic" or form.grain not in {"bucket", "call"}:
        return list(tables)
    times = [table.records.filter(table.records.dropped.isnull()).select("at_us", "until_us") for table in tables]
    every = times[0] if len(times) == 1 else ibis.union(*times)
    found = rows_of((every if form.grain == "call" else every.distinct()).limit(MOST_PERIODS + 1), engine)
    zone = ZoneInfo(zone_of(engine))
    starts = sorted({datetime.fromtimestamp(row["at_us"] / MICRO, zone) for row in found})
    if len(found) > MOST_PERIODS or any(row["until_us"] is not None for row in found) or any(map(_clock, starts)):
        return list(tables)
    called, ends = _periods([start.date() for start in starts])
    if form.grain == "call":
        if called:
            tables[0].unread.notes.append(
                f"no column counts requests, so that each row is one call; their times are a {called} apart: if they are sums,"
                " name the column of their requests, --map requests=COLUMN")
        return list(tables)
    if not ends:
        if len(starts) == 1 or (starts and len(starts) <= ((starts[-1] - starts[0]).days + 1) * MOSTLY_EMPTY):
            tables[0].unread.notes.append(
                f"no column says when a row ends: each is the sum of its own day, {starts[0].date()}"
                + f" to {starts[-1].date()} ({len(starts)} days)" * (len(starts) > 1)
                + "; if they are sums of longer times, --map until=COLUMN, which holds the first day after each")
        return list(tables)
    tables[0].unread.notes.append(
        f"no column says when a row ends; their times are a {called} apart, so that each is the sum of its {called}, the last"
        f" until {ends[-1] - timedelta(days=1)}: else --map until=COLUMN, which holds the first day after it")
    edges = [[int(each.timestamp()) * MICRO for each in (start, datetime.combine(end, time(), zone))]
             for start, end in zip(starts, ends, strict=True)]
    return [replace(table, records=table.records.mutate(
        until_us=ibis.cases(*((table.records.at_us == at, end) for at, end in edges), else_=table.records.at_us).cast("int64")))
        for table in tables]


def _clock(moment: datetime) -> bool:
    """True where it has a time of day."""
    return moment.time() != time()


def _periods(days: Sequence[date]) -> tuple[str, list[date]]:
    """(month or week, the day after the last of each) where these days, ascending, begin one after the other; else empty."""
    for called, least, after in (("month", 2, _a_month_on), ("week", FEWEST_WEEKS, _a_week_on)):
        ends = [after(day) for day in days]
        if len(days) >= least and ends[:-1] == [*days[1:]] and (called == "week" or days[0].day == 1):
            over = max(today(), days[-1]) + timedelta(days=1)
            return called, [*ends[:-1], min(ends[-1], over)]
    return "", []


def _a_month_on(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _a_week_on(day: date) -> date:
    return day + timedelta(days=7)


def settle_buckets(tables: Sequence[LogTable], engine: DuckDB, name: str) -> Settled:
    """The tables of one format with each bucket once, where several files hold it; what is left out is counted as unread.

    `name` is that of a temporary table. Raises InputError where two exports count the same model on a day and one of them alone
    is split by key, project or the like: which of its parts the other holds is not known.
    """
    files = [file for table in tables for file in table.files]
    if tables[0].format.grain == "call":
        return Settled(list(tables))
    tables = [_each_once(table, engine) for table in tables]
    if len(files) == 1:
        return Settled(tables)
    sums = engine.create_table(f"{name}_sums", _sums(tables), temp=True)
    _refuse_other_splits(tables, sums, engine)
    once = sums.mutate(place=ibis.row_number().over(group_by="bucket", order_by=[ibis.desc("size"), ibis.desc("file")]),
                       most=sums["size"].max().over(group_by="bucket"))
    once = engine.create_table(f"{name}_once", once, temp=True)
    lost = once.filter(once.place > 0).mutate(same=(once["size"] >= once.most - once.most.abs() * TOLERANCE).cast("int64"))
    kept = once.filter(once.place == 0)
    nested = _in_other_widths(kept, engine, name)
    every = lost.select("bucket", "file", "rows", "day", "model", "same")
    if nested is not None:
        every = ibis.union(every, nested.select("bucket", "file", "rows", "day", "model", same=ibis.literal(2, "int64")))
    found = rows_of(every.order_by("day", "model"), engine)
    if not found:
        return Settled(list(tables))
    gone = engine.create_table(f"{name}_gone", every.select("bucket", "file"), temp=True)
    unread = tables[0].unread
    for kind, reason in ((1, TWICE), (0, GREW), (2, COARSER)):
        unread.add(reason, "", sum(row["rows"] for row in found if row["same"] == kind))
    changed = [row for row in found if row["same"] != 1]
    if changed:
        several, first = len(changed) > 1, changed[0]
        what = f"{shown(first['model']) or tables[0].format.title} on {day_of(first['day'])}"
        unread.notes.append(
            f"{len(changed):,} bucket{'s' * several} (first: {what}) {'stand' if several else 'stands'} in several exports"
            " with different counts or lengths; each counts once, with the larger count. If they are different calls, give a"
            " column or an export that tells them apart")
    return Settled([replace(table, records=_without(table.records, gone)) for table in tables],
                   {row["day"] for row in found if row["same"] == 0})


def _each_once(table: LogTable, engine: DuckDB) -> LogTable:
    """The table without buckets that stand in their file before.

    Costs all count: equal amounts may be of two things. So may the rows of a table of one's own, of which not all is read.
    """
    if table.format.grain != "bucket" or table.format.name == "generic":
        return table
    records = table.records
    kept = records.filter(records.dropped.isnull())
    once = kept.distinct()
    sums = rows_of(kept.aggregate(n=kept.count()).cross_join(once.aggregate(once=once.count())), engine)[0]
    if sums["n"] == sums["once"]:
        return table
    table.unread.add(AGAIN, "", sums["n"] - sums["once"])
    return replace(table, records=ibis.union(once, records.filter(records.dropped.notnull())))


def _without(records: Table, gone: Table) -> Table:
    return records.anti_join(gone, [records[BUCKET] == gone.bucket, records[FILE] == gone.file])


def _sums(tables: Sequence[LogTable]) -> Table:
    """Rows, and tokens with requests (or money), of each bucket in each file; rows that do not count are left out."""
    parts = []
    for table in tables:
        t = table.records.filter(table.records.dropped.isnull())
        counts = reduce(add, [t[each] for each in TOKENS]) + t.requests.fill_null(0)
        size = t.cost_usd if table.format.grain == "cost" else counts.cast("float64")
        parts.append(t.select(bucket=t[BUCKET], part=t[PART], split=t[SPLIT].cast("int64"), file=t[FILE],
                              provider=t.provider.fill_null(""), model=t.model.fill_null(""),
                              at=t.at_us, width=t.until_us.fill_null(t.at_us) - t.at_us, counted=size))
    every = parts[0] if len(parts) == 1 else ibis.union(*parts)
    grouped = every.group_by(["bucket", "part", "file", "provider", "model", "at", "width"]).aggregate(
        rows=every.count(), size=every.counted.sum(), split=every.split.bit_or())
    return grouped.mutate(day=bucket_index(grouped["at"], DAY_S))


def _in_other_widths(kept: Table, engine: DuckDB, name: str) -> Table | None:
    """Buckets to leave out since other files hold their time in buckets of another length; None where there are none."""
    gone: Table | None = None
    for k, wide in enumerate(WIDTHS_US):
        left = kept if gone is None else kept.anti_join(gone, ["bucket", "file"])
        left = left.filter(left.width <= wide).mutate(span=(left["at"].cast("float64") / wide).floor().cast("int64"))
        long = left.filter(left.width == wide)
        short = left.filter((left.width < wide) & (left.width > 0))
        if not rows_of(long.limit(1), engine) or not rows_of(short.limit(1), engine):
            continue
        longs = long.group_by(["part", "span"]).aggregate(of_long=long["size"].sum(), long_file=long.file.max())
        apart = short.inner_join(longs, ["part", "span"]).filter(lambda t: t.file != t.long_file)
        sums = apart.group_by(["part", "span"]).aggregate(of_short=apart["size"].sum(), of_long=apart.of_long.max())
        finer = sums.mutate(fine=sums.of_short >= sums.of_long * (1.0 - TOLERANCE))
        lost = ibis.union(
            long.semi_join(finer.filter(finer.fine), ["part", "span"]).select(*kept.columns),
            apart.semi_join(finer.filter(~finer.fine), ["part", "span"]).select(*kept.columns))
        lost = engine.create_table(f"{name}_wide{k}", lost, temp=True)
        gone = lost if gone is None else ibis.union(gone, lost)
    return gone


def _refuse_other_splits(tables: Sequence[LogTable], sums: Table, engine: DuckDB) -> None:
    """Raise InputError where one model's day stands in two files of which one alone is split by some column."""
    names = tables[0].format.split_by
    if not names:
        return
    files = sums.group_by("file").aggregate(bits=sums.split.bit_or())
    found = {row["file"]: row["bits"] for row in rows_of(files, engine)}
    if len(set(found.values())) < 2:
        return
    same = ["provider", "day"] if tables[0].format.grain == "cost" else ["provider", "model", "day"]
    days = sums.group_by(["file", *same]).aggregate(what=sums.model.max())
    both = days.inner_join(days.view(), same).filter(lambda t: t.file < t.file_right)
    for row in rows_of(both.order_by("day", "file", "file_right"), engine):
        other = found[row["file"]] ^ found[row["file_right"]]
        if other:
            column = next(each for k, each in enumerate(names) if other >> k & 1)
            what = f"{shown(row['what']) or 'the cost'} on {day_of(row['day'])}"
            raise InputError(f"FILES: {row['file']} and {row['file_right']} both count {what}, one of them split by {column}"
                             " and one not; the same calls would count twice: give one of them")
