"""Buckets that several exports hold: one day exported while it went on, by the hour and by the day, by key and in all.

Sums of calls are known by whose they are and from when to when they go, not by what they count, which grows until the day is
over. Where two files hold one of them, it counts once, with the larger count, which is the later one of a day that went on.
Where one file of a vendor holds it twice with all counts alike, it counts once. So does what is billed without tokens, whose
count is its money.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Final

from roi.errors import InputError
from roi.usage.duplicates import AGAIN, TWICE
from roi.usage.measure.aggregate import DAY_S
from roi.usage.measure.pricing import day_of
from roi.usage.read.columns import MICRO, bucket_index, in_range
from roi.usage.read.database import rows_of
from roi.usage.read.lazy_ibis import Column, DuckDB, Table, ibis
from roi.usage.read.names_alone import shown
from roi.usage.read.raw import LogTable
from roi.usage.read.record import BUCKET, FILE, NO_TOKENS, PART, SPLIT, TOKENS

GREW: Final = "a bucket that another export holds with a larger count"
COARSER: Final = "a bucket whose time another export holds in longer or shorter buckets"
WIDTHS_US: Final = (DAY_S * MICRO, 3600 * MICRO)
"""Lengths of buckets that shorter ones may lie in, the longest first: vendors export by the minute, the hour and the day."""
TOLERANCE: Final = 1e-9
"""Counts this near to each other, relatively, are the same: sums of money depend on their order."""


@dataclass
class Settled:
    """Tables without what other exports hold too."""

    tables: list[LogTable]
    grew: set[int] = field(default_factory=set)
    """Days, since 1970 UTC, of buckets that two exports hold with different counts: they went on in between. Not of what is
    billed without tokens, whose price may be settled later."""


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
    every = lost.select("bucket", "file", "rows", "day", "model", "counts", "same")
    if nested is not None:
        every = ibis.union(every, nested.select(*every.columns[:-1], same=ibis.literal(2, "int64")))
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
    return Settled([replace(table, records=(own := table.records).anti_join(
                        gone, [own[BUCKET] == gone.bucket, own[FILE] == gone.file])) for table in tables],
                   {row["day"] for row in found if row["same"] == 0 and row["counts"]})


def _each_once(table: LogTable, engine: DuckDB) -> LogTable:
    """The table without buckets that stand in their file before, by their `Format.item` where there is one.

    Costs all count: equal amounts may be of two things. So do the rows of a table of one's own, of which not all is read; a
    note says how many are equal.
    """
    if table.format.grain != "bucket":
        return table
    records = table.records
    kept = records.filter(_billed(records))
    alike = kept.group_by(kept.columns).aggregate(roi_rows=kept.count())
    again = rows_of(alike.aggregate(again=(alike.roi_rows - 1).sum().cast("int64")), engine)[0]["again"]
    if not again:
        return table
    if table.format.own_columns:
        table.unread.notes.append(
            f"{again:,} row{'s stand' if again > 1 else ' stands'} in a file before with the same time, names and counts, and"
            " all count: they may be of two keys; if not, take them out")
        return table
    table.unread.add(AGAIN, "", again)
    return replace(table, records=ibis.union(kept.distinct(), records.filter(~_billed(records))))


def _billed(records: Table) -> Column:
    """True of rows that count or are billed without tokens at some time."""
    return records.dropped.isnull() | ((records.dropped == NO_TOKENS) & in_range(records.at_us))


def _sums(tables: Sequence[LogTable]) -> Table:
    """Rows, and tokens with requests (or money), of each bucket in each file; rows that are not billed are left out."""
    parts = []
    for table in tables:
        t = table.records.filter(_billed(table.records))
        counts = reduce(add, [t[each] for each in TOKENS]) + t.requests.fill_null(0)
        money, of_tokens = t.cost_usd.fill_null(0.0), t.dropped.isnull()
        size = money if table.format.grain == "cost" else ibis.ifelse(of_tokens, counts.cast("float64"), money)
        parts.append(t.select(bucket=t[BUCKET], part=t[PART], split=t[SPLIT].cast("int64"), file=t[FILE],
                              provider=t.provider.fill_null(""), model=t.model.fill_null(""),
                              at=t.at_us, width=t.until_us.fill_null(t.at_us) - t.at_us, counted=size, of_tokens=of_tokens))
    every = ibis.union(*parts)
    grouped = every.group_by(["bucket", "part", "file", "provider", "model", "at", "width"]).aggregate(
        rows=every.count(), size=every.counted.sum(), split=every.split.bit_or(), counts=every.of_tokens.any())
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
