"""Calls never count twice: five ways in which they can lie in what is read twice over, each looked for where it shows.

    the same bytes in two files              before anything is read      the later file is left out, and a note says so
    the same row in several exports          once the rows are read       it counts in one of them, and the others are counted
    the same row twice in one export         once the rows are read       it counts once, where it has an id or is a bucket
    the same sums in two kinds of file       once the sums are made       the later file is left out, and a note says so
    some days of them, or in two formats     once the sums are made       the run is refused
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from roi.errors import InputError
from roi.usage.formats.own_columns import IDS as OWN_IDS
from roi.usage.measure.aggregate import Spend, spend_by_day
from roi.usage.measure.pricing import day_of
from roi.usage.read.columns import instant, text, utc
from roi.usage.read.database import rows_of
from roi.usage.read.files import SourceFile
from roi.usage.read.lazy_ibis import Backend, Column, DuckDB, Table, ibis
from roi.usage.read.names_alone import source_shown
from roi.usage.read.raw import LogTable, RawTable, readably
from roi.usage.read.record import FILE, FileOptions, Format

EDGE: Final = 1 << 16
"""Bytes at each end of a file that are compared before all of it is."""
LOOK_FOR_COPIES: Final = 2 << 30
"""Bytes of files up to which rows are compared with one another; beyond, comparing takes more memory than the rest."""
TWICE: Final = "a row that stands in another export too"
AGAIN: Final = "a row that stands in its file before"
IDS: Final = frozenset({*OWN_IDS, "span_id"})
"""Columns that name one call. Without one, two equal calls in two logs may be two calls, and both count."""


def identical_files(files: Iterable[SourceFile]) -> Iterator[tuple[str, str]]:
    """(name of a file, name of an earlier one with the same bytes). Size and both ends are compared before whole contents."""
    alike: dict[tuple[int, bytes], list[SourceFile]] = {}
    for file in files:
        if file.path is None or file.member is not None:
            continue
        try:
            size = file.path.stat().st_size
            if not size or not file.path.is_file():
                continue
            with file.path.open("rb") as stream:
                head = stream.read(EDGE)
                stream.seek(max(size - EDGE, 0))
                edges = size, hashlib.sha256(head + stream.read(EDGE)).digest()
        except OSError as error:
            raise InputError(f"FILES: cannot read {file.shown}: {error.strerror}") from error
        alike.setdefault(edges, []).append(file)
    for group in alike.values():
        seen: dict[str, str] = {}
        for file in group if len(group) > 1 else ():
            assert file.path is not None
            with file.path.open("rb") as stream:
                first = seen.setdefault(hashlib.file_digest(stream, "sha256").hexdigest(), file.shown)
            if first != file.shown:
                yield file.shown, first


@dataclass(frozen=True)
class Copies:
    """Rows that stand in another file too: those of a `key` count in every `file` but these pairs'."""

    pairs: Table
    columns: frozenset[str]
    """Columns, in lower case, that the key is made of."""
    times: Mapping[str, Callable[..., Column]]
    """The `columns` that are compared as moments, however their offset is written, and how a moment is read."""
    once: bool
    """Whether rows with an id stand several times in a file, where each counts once."""


def find_copies(raws: Sequence[RawTable], options: FileOptions, engine: DuckDB, name: str) -> Copies | None:
    """Rows compared with one another, where that is cheap; equal rows of one file count once where they have an id, else all.

    A row that stands in several files counts in that which has it most often, then in the largest. It is known by a hash of
    all columns that the files share, so that no text is held; times are compared as moments. Calls without an id are left out
    where the whole file stands in others; single ones are told and count. `name` is that of a temporary table. How many copies
    there are is added to what could not be read of the first table.
    """
    files = [each for raw in raws for each in raw.files]
    size = sum(file.path.stat().st_size for file in files if file.path is not None)
    columns = ([name.lower() for name in raw.table.columns if not name.startswith("roi ")] for raw in raws)
    shared = frozenset.intersection(*map(frozenset, columns))
    if len(files) == 1 and not shared & IDS:
        return None
    unread = raws[0].unread
    if size > LOOK_FOR_COPIES:
        unread.notes.append(f"{len(files)} files are too large together to look for rows that stand in two of them"
                            if len(files) > 1 else "the file is too large to look for calls that stand in it twice")
        return None
    form = raws[0].found[0].format
    times = dict.fromkeys(_times(raws[0].table, form, options) & shared, instant if form.local_times else utc)
    keys = [t.select(key=_key(t, shared, times), file=t[FILE], named=_named(t, shared), id=text(t, "id").hash())
            for t in (raw.table for raw in raws)]
    every = ibis.union(*keys)
    # how often each row stands in each file
    counted = every.group_by(["key", "file"]).aggregate(rows=every.count(), named=every.named.any(), id=every.id.min())
    by_file = readably(lambda: engine.create_table(name, counted, temp=True), engine, raws)
    if not _any_twice(by_file, engine):
        return None
    by_id = bool(shared & IDS)
    if by_id and shared & IDS == {"id"} and form.own_columns:
        by_id = _of_one_row_each(by_file, engine)
        by_file = by_file.mutate(named=by_file.named & by_id)
    pairs = _lost(by_file)
    if not by_id:
        whole = by_file.group_by("file").aggregate(rows=by_file.rows.sum())
        lost = pairs.group_by("file").aggregate(rows=pairs.rows.sum())
        single = _sum(pairs.rows, engine)
        pairs = pairs.semi_join(lost.semi_join(whole, ["file", "rows"]), "file")
        single -= _sum(pairs.rows, engine)
        if single:
            unread.notes.append(f"{single:,} calls stand in two files alike; without an id they may be different calls, and"
                                " count")
    copied = _sum(pairs.rows, engine)
    unread.add(TWICE, "the later of two exports", copied)
    several = by_file.filter(by_file.named & (by_file.rows > 1)).anti_join(pairs, ["key", "file"])
    again = _sum(several.rows - 1, engine)
    unread.add(AGAIN, "", again)
    return Copies(pairs, shared, times, once=again > 0) if copied or again else None


def _any_twice(by_file: Table, engine: DuckDB) -> bool:
    """Whether a row stands in two files, or one with an id twice in its own; most logs have none, and are asked no more."""
    again = (by_file.named & (by_file.rows > 1)).any()
    (found,) = rows_of(by_file.aggregate(rows=by_file.count(), keys=by_file.key.nunique(), again=again), engine)
    return bool(found["rows"] > found["keys"] or found["again"])


def _of_one_row_each(by_file: Table, engine: DuckDB) -> bool:
    """Whether each `id` is that of rows that are all alike, as a call's is; a customer's has others too."""
    named = by_file.filter(by_file.named)
    (found,) = rows_of(named.aggregate(ids=named.id.nunique(), keys=named.key.nunique()), engine)
    return bool(found["ids"] == found["keys"])


def _sum(column: Column, engine: DuckDB) -> int:
    return int(rows_of(column.sum().name("n").as_table(), engine)[0]["n"] or 0)


def _lost(by_file: Table) -> Table:
    """(key, file, rows) of the rows that count in another file, out of how often each row stands in each file."""
    several = by_file.group_by("key").having(by_file.count() > 1).aggregate(files=by_file.count())
    sizes = by_file.group_by("file").aggregate(size=by_file.rows.sum())
    both = by_file.semi_join(several, "key").inner_join(sizes, "file")
    place = ibis.row_number().over(group_by="key", order_by=[ibis.desc("rows"), ibis.desc("size"), "file"])
    return both.mutate(place=place).filter(lambda t: t.place > 0).select("key", "file", "rows")


def _times(table: Table, form: Format, options: FileOptions) -> frozenset[str]:
    """The columns, in lower case, that the time of a call is read from."""
    import ibis.expr.operations as ops

    at_us = form.fields(form.prepare(table), options).at_us
    return frozenset(each.name.lower() for each in at_us.op().find(ops.Field, filter=ops.Value))


def _key(table: Table, shared: frozenset[str], times: Mapping[str, Callable[..., Column]]) -> Column:
    cells = {name.lower(): table[name].cast("string").strip() for name in table.columns if name.lower() in shared}
    cells |= {name: ibis.coalesce(moment(table, name).cast("string"), cells[name]) for name, moment in times.items()}
    return ibis.struct({name: cells[name].fill_null("") for name in sorted(cells)}).hash()


def _named(table: Table, shared: frozenset[str]) -> Column:
    """True where the row has an id."""
    return reduce(or_, (text(table, name).notnull() for name in sorted(shared & IDS)), ibis.literal(False))


def without_copies(table: Table, copies: Copies | None) -> Table:
    """The raw table without the rows that count in another file, or before in theirs."""
    if copies is None:
        return table
    keyed = table.mutate(roi_key=_key(table, copies.columns, copies.times))
    if copies.once:
        placed = keyed.mutate(roi_place=ibis.row_number().over(group_by=["roi_key", FILE]))
        keyed = placed.filter((placed.roi_place == 0) | ~_named(placed, copies.columns)).drop("roi_place")
    return keyed.anti_join(copies.pairs, [keyed.roi_key == copies.pairs.key, keyed[FILE] == copies.pairs.file])


def refuse_double_counts(kept: Sequence[Spend], tables: Sequence[LogTable], backend: Backend) -> None:
    """Raise InputError where two sources count the same calls; `kept` are the sums by day of all rows that count.

    Two formats that count one model of one provider on the same day count the same calls, most likely. So do files that were
    read in two ways (a CSV and its Parquet, say) and have the same number and the same tokens on a day.
    """
    counted: dict[tuple[str | None, int], tuple[str | None, str]] = {}
    files = {table.format.name: table.files[0].shown for table in reversed(tables)}
    for row in kept:
        if row.day is None:
            continue
        provider, source = counted.setdefault((row.model, row.day), (row.provider, row.source))
        if source != row.source and (provider == row.provider or None in (provider, row.provider)):
            raise InputError(f"FILES: {files.get(source, '')} ({source_shown(source)}) and"
                             f" {files.get(row.source, '')} ({source_shown(row.source)}) both"
                             f" count {row.model} on {day_of(row.day)}; the same calls would count twice: give one of them")
    seen: dict[tuple[object, ...], str] = {}
    for table, sums in _of_formats_read_twice(tables, backend):
        for key in sorted(sums, key=lambda key: key[0] or 0):
            other, shown = seen.setdefault(key, table.files[0].shown), table.files[0].shown
            if other != shown and key[0] is not None and key[4] > 1:
                raise InputError(f"FILES: {other} and {shown} have the same calls on {day_of(key[0])}: the same"
                                 " number and the same tokens; give one of them")


def leave_out_same_tables(tables: Sequence[LogTable], backend: Backend) -> Iterator[tuple[LogTable, LogTable]]:
    """(table to leave out, table that has its calls): those of one format whose sums are alike on every day and of every model.

    One log in two kinds of file (a CSV and its JSON lines) has other columns in each, so that its rows cannot be compared.
    """
    seen: dict[frozenset[Sums], LogTable] = {}
    for table, sums in _of_formats_read_twice(tables, backend):
        first = seen.setdefault(frozenset(sums), table)
        if first is not table and any(key[4] > 1 for key in sums):
            yield table, first


Sums = tuple[int | None, str, str | None, str | None, int, tuple[tuple[str, int], ...]]
"""Day, format, provider, model, rows and tokens; one row alone may be like another by chance."""


def _of_formats_read_twice(tables: Sequence[LogTable], backend: Backend) -> Iterator[tuple[LogTable, set[Sums]]]:
    """The tables of a format that another table is of too, each with its sums."""
    names = [table.format.name for table in tables]
    for table in tables:
        if names.count(table.format.name) > 1:
            yield table, {(row.day, row.source, row.provider, row.model, row.rows, tuple(sorted(row.tokens.items())))
                          for row in spend_by_day(table.records, backend) if row.dropped is None}
