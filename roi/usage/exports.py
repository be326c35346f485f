"""Which days a log's files cover, and which lie between files and are of none.

Exports of two formats may lie apart, and so may several of one format: a person exports a month, or some months. A program that
writes a log begins a file by the clock, each hour, day or week, or for each session; where nothing is called it writes none, so
that days without a file are days without a call. One that begins a file by its size goes on with it once calls come again: its
file spans the time without any. So files of one format are taken for exports where half of them and more span a week and more,
and days are of no file where none spans them. A log that begins a file each month looks the same: of a month without a file it
is not known whether it had calls, and a note says how it is counted.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from roi.usage.log import Log
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.days import (
    FEW_A_DAY,
    LEAST_GONE,
    QUIET,
    Days,
    Part,
    complete_days,
    days_of,
    days_there,
    lost_days,
    silent_days,
)
from roi.usage.measure.pricing import total_requests
from roi.usage.read.columns import DAY_US, in_range, with_periods
from roi.usage.read.database import rows_of
from roi.usage.read.lazy_ibis import DuckDB, ibis
from roi.usage.read.raw import RawTable, readably, rejected
from roi.usage.read.record import FILE, FileOptions
from roi.usage.read.text_rows import UnreadRows

EXPORT_US: Final = 7 * DAY_US
"""Time from its first row to the end of its last from which on a file is an export: calls of a week lie less than that apart,
whatever a log's files are begun by, and a week of buckets just so."""
Span = tuple[int, int]
"""First and last day, since 1970 UTC."""


def log_days(
    every: Sequence[Spend], grew: AbstractSet[int] = frozenset(), exports: Mapping[str, Sequence[Span]] = MappingProxyType({}),
) -> Days | None:
    """Days that a log covers whole, and which of them have no row although their weekday has; `every`: dropped rows too.

    Where files end LEAST_GONE days and more before others begin, as two exports of two months do, the days between are of no
    file: each time is judged by itself. Files of one format are one, but for those whose times are among `exports`.
    """
    kept = [row for row in every if row.dropped is None and row.kind != "cost"]
    parts = _apart(kept, exports)
    if len(parts) < 2:
        return _days_of(every, grew)
    of_part = {part: [row for row in every if _part_of(row, parts) == part] for part in parts}
    judged = {part: days for part, rows in of_part.items() if (days := _days_of(rows, grew))}
    found = [*judged.values()]
    return Days(
        found[0].first, found[-1].last, tuple(day for each in found for day in each.complete),
        tuple(gone for each in found for gone in each.left_out), tuple(low for each in found for low in each.lost),
        silent=tuple(day for each in found for day in each.silent), spanned=any(each.spanned for each in found),
        unseen=tuple(day for a, b in pairwise(found) for day in range(a.last + 1, b.first)),
        parts=tuple(Part(part.sources, each.first, each.last) for part, each in judged.items()))


def _apart(kept: Sequence[Spend], exports: Mapping[str, Sequence[Span]]) -> list[Part]:
    """The times of files, those together between which fewer than LEAST_GONE days lie; the earliest first."""
    ends = defaultdict[str, set[int]](set)
    for row in kept:
        ends[row.source] |= {*days_of(row)[:1], *days_of(row)[-1:]}
    spans = {source: exports.get(source, [(min(days), max(days))]) for source, days in ends.items() if days}
    parts: list[Part] = []
    for first, last, source in sorted((*span, source) for source, of_it in spans.items() for span in of_it):
        if parts and first - parts[-1].last <= LEAST_GONE:
            before = parts.pop()
            parts.append(Part(before.sources | {source}, before.first, max(before.last, last)))
        else:
            parts.append(Part(frozenset({source}), first, last))
    return parts


def _part_of(row: Spend, parts: Sequence[Part]) -> Part | None:
    """The part that a row's day is in, or a later one of its format; None where its format has none."""
    own = [part for part in parts if row.source in part.sources]
    return next((part for part in own if (row.day or 0) <= part.last), own[-1] if own else None)


def _days_of(every: Sequence[Spend], grew: AbstractSet[int]) -> Days | None:
    """`log_days` of files that do not lie apart."""
    kept = [row for row in every if row.dropped is None and row.kind != "cost"]
    days, requests = complete_days(kept, grew, lost_days(every)), total_requests(kept)
    if days is None or (requests is not None and requests < FEW_A_DAY * len(days_there(kept))):
        return days
    silent = silent_days([row for row in every if row.kind != "cost"], QUIET)
    return replace(days, silent=tuple(filter(set(days.complete).__contains__, silent)))


def exports_of(log: Log, every: Sequence[Spend], options: FileOptions, engine: DuckDB) -> dict[str, list[Span]]:
    """By format, the days of each file, where its files are exports; the formats alone that have a time without calls.

    `every` are the log's sums by day. A file's time is that of all its rows, those too that count in another file or are of
    buckets without a call; they are read once more for it, which only such logs have to pay for. None where a file is empty:
    it may be the export of those days.
    """
    found: dict[str, list[Span]] = {}
    for source in {row.source for row in every if row.dropped is None and row.kind != "cost"} if not log.empty else ():
        there = sorted(days_there([row for row in every if row.source == source and row.dropped is None]))
        raws = [raw for raw in log.raws if raw.found[0].format.name == source]
        if sum(len(raw.found) for raw in raws) < 2 or all(b - a <= LEAST_GONE for a, b in pairwise(there)):
            continue
        files = [file for raw in raws for file in _times(raw, options, engine)]
        if files and 2 * sum(file["until"] - file["first"] >= EXPORT_US for file in files) >= len(files):
            found[source] = [(file["first"] // DAY_US, file["last"] // DAY_US) for file in files]
    return found


def _times(raw: RawTable, options: FileOptions, engine: DuckDB) -> list[dict[str, int]]:
    """Of each file that has a row with a time: `first`, `last` and `until`, in microseconds since 1970 UTC.

    Its first row begins at `first`; at `last` is its last call, or the last moment of its last bucket, which ends at `until`.
    """
    form = raw.found[0].format
    table = form.prepare(raw.table)
    table = with_periods(table, form.period) if raw.periods and form.period else table
    fields = form.fields(table, replace(options, periods=raw.periods))
    until = fields.at_us if fields.until_us is None else fields.until_us.fill_null(fields.at_us)
    times = table.select(file=table[FILE], at_us=fields.at_us, until_us=until)
    times = times.filter(in_range(times.at_us))
    last = ibis.greatest(times.until_us - 1, times.at_us)
    sums = times.group_by("file").aggregate(first=times.at_us.min(), last=last.max(), until=times.until_us.max())
    found = readably(lambda: rows_of(sums, engine), engine, [raw])
    rejected(engine, replace(raw, unread=UnreadRows()))  # DuckDB's notes on this reading go: its rows are counted
    return found
