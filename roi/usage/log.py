"""Files to one log: each file is sniffed, its format found, its rows read once, counted once, and typed as records."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Final

from roi.errors import InputError, UnknownName
from roi.scenario.other_files import SCENARIO, known_by_keys
from roi.scenario.yaml import read_yaml
from roi.usage.buckets import settle_buckets
from roi.usage.duplicates import Copies, find_copies, identical_files, leave_out_same_tables, without_copies
from roi.usage.formats.generic import kinds_told
from roi.usage.formats.own_columns import NAMES
from roi.usage.measure.aggregate import constants
from roi.usage.read.columns import bucket_index, in_range, may_name_periods
from roi.usage.read.database import progress_told, rows_of
from roi.usage.read.detect import format_named, names_told, of_documents, of_header
from roi.usage.read.files import SourceFile
from roi.usage.read.lazy_ibis import Backend, DuckDB, Table, ibis
from roi.usage.read.names_alone import names_shown
from roi.usage.read.pages import lacks_pages, pages_of
from roi.usage.read.raw import LogTable, RawTable, SniffedFile, read_in_python, read_raw, readably, rejected
from roi.usage.read.record import CODE, COLUMNS, PAID_IN, Document, FileOptions, Format
from roi.usage.read.sniff import DAMAGED_GZIP, FIRST, opened, sniff
from roi.usage.read.text_rows import UnreadRows, document_rows, is_of_another, objects_of, read_document, unwrapped
from roi.usage.sums import with_ends

EMPTY_OPENAI: Final = frozenset({"start_time", "end_time", "start_time_iso", "end_time_iso"})
"""Columns of an OpenAI dashboard export of a time without a call: buckets alone."""


@dataclass
class Log:
    """Everything that was read, and what was not."""

    tables: list[LogTable] = field(default_factory=list)
    raws: list[RawTable] = field(default_factory=list)
    """What the tables were made of."""
    empty: list[str] = field(default_factory=list)
    """Names of files without a row."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """(file, why) of copies of others, then of those that are no export."""
    unmapped: list[str] = field(default_factory=list)
    """Names of files that lack a column of --map, which others have, and are read by their own names."""
    grew: set[int] = field(default_factory=set)
    """Days, since 1970 UTC, that went on between two exports."""
    paid: set[tuple[str, int, bool]] = field(default_factory=set)
    """Where rates are stated, (currency, day since 1970 UTC, whether they count) of the rows that have a cost."""

    @property
    def records(self) -> Table:
        """The records of all tables as one."""
        return ibis.union(*(typed if typed.schema() == ibis.schema(COLUMNS) else
                            typed.select(**{name: typed[name].cast(kind) for name, kind in COLUMNS.items()})
                            for typed in (each.records for each in self.tables)))


def read_log(
    files: Sequence[SourceFile], formats: Sequence[Format], options: FileOptions, engine: DuckDB, folder: Path, *,
    named: str | None = None, strict: bool = False, stated: bool = False, status: Callable[[str], None] | None = None,
) -> Log:
    """The log that the files hold, its records in `folder`; `named` is the format that the user says.

    `stated`: the user says how many requests a day there are, which rows that are sums may not.

    A file that is no export is left out and said so, or refuses the run where `strict` holds or it is the only one. One that
    lacks the columns which the user names for others is read by its own names.
    """
    _check_names(named, formats, options)
    copies = dict(identical_files(files))
    files = [file for file in files if file.shown not in copies]
    log = Log()
    known, others = _known(files, formats, options, log, named=named, strict=strict, status=status)
    log.left_out = [*((name, f"a copy of {other}") for name, other in copies.items()), *others]
    for k, (_, alike) in enumerate(groupby(sorted(known, key=_source), key=_source)):
        _read_source(list(alike), log, options, engine, folder / f"{k}", status, stated=stated)
    for table, first in list(leave_out_same_tables(log.tables, engine)):
        log.tables = [each for each in log.tables if each is not table]
        log.left_out += [(each.shown, f"the same calls as in {first.files[0].shown}") for each in table.files]
    if others and not log.tables:
        raise InputError("; ".join(f"{name}: {why}" for name, why in others[:3]))
    if strict:
        _check_complete(log)
    if not log.tables:
        raise InputError(f"FILES: nothing to read; empty: {', '.join(log.empty[:5])}")
    return log


def _known(
    files: Sequence[SourceFile], formats: Sequence[Format], options: FileOptions, log: Log, *, named: str | None, strict: bool,
    status: Callable[[str], None] | None,
) -> tuple[list[SniffedFile], list[tuple[str, str]]]:
    """The files that have a format, and (name, why) of the others; the log gets the names of empty and unmapped ones."""
    known, failed, others = list[SniffedFile](), list[tuple[SourceFile, InputError]](), list[tuple[str, str]]()
    for k, file in enumerate(files, start=1):
        if status is not None:
            status(f"looking at file {k:,} of {len(files):,}")
        try:
            found = _sniffed(file, formats, options, named)
        except InputError as error:
            failed.append((file, error))
            continue
        if found is None:
            log.empty.append(file.shown)
        else:
            known.append(found)
    for file, why in failed:
        with suppress(InputError):
            if known and options.columns and (own := _sniffed(file, formats, replace(options, columns=()), named)) is not None:
                known.append(own)
                log.unmapped.append(file.shown)
                continue
        if strict or len(files) == 1:
            raise why
        others.append((file.shown, str(why).removeprefix(f"{file.shown}: ")))
    return known, others


def _check_names(named: str | None, formats: Sequence[Format], options: FileOptions) -> None:
    """Raise for a name that fits no file whatever is in it."""
    if named is not None:
        format_named(named, formats, options)
    kinds = [what for what, _ in options.columns]
    for what in kinds:
        if what not in NAMES:
            raise UnknownName("--map", what, NAMES, "kind of column")
        if kinds.count(what) > 1:
            raise InputError(f"--map: {what!r} is given twice; a kind has one column")


def _check_complete(log: Log) -> None:
    """Raise where a file is empty or cut short: rows may be missing, and no count says how many."""
    cut = [name for table in log.tables for name in table.unread.cut_short]
    if cut:
        raise InputError(f"--strict: {cut[0]} ends inside its gzip stream, or is damaged there")
    if log.empty:
        raise InputError(f"--strict: {log.empty[0]} is empty")


def _sniffed(file: SourceFile, formats: Sequence[Format], options: FileOptions, named: str | None) -> SniffedFile | None:
    """The file with its shape and format; None where it is empty."""
    if file.path is not None and file.path.suffix.lower() in (".yaml", ".yml"):
        other = known_by_keys(read_yaml(file.path, "an export of usage has rows, of calls or of sums")) or SCENARIO
        raise InputError(f"{file.path}: YAML is {other.what} and no usage export: {other.reading(file.path)}")
    shape = sniff(file)
    if shape is None or {name.lower() for name in shape.header} == EMPTY_OPENAI:
        return None
    form = format_named(named, formats, options) if named else None
    if shape.kind in ("parquet", "table"):
        missing = sorted(form.needs - {column.lower() for column in shape.header}) if form else []
        if form and missing:
            raise InputError(f"{file.shown}: {form.name} needs the columns {', '.join(missing)}; it has"
                             f" {names_told(shape.header, formats, 'columns')}")
        form = form or of_header(shape.header, formats, file.shown, options, shape.firsts)
        if shape.twice & form.columns:
            name = min(shape.twice & form.columns)
            raise InputError(f"{file.shown}: two columns are named {name}; rename the one that is not meant")
        return SniffedFile(file, replace(shape, firsts=iter(())), form, cut_short=shape.gzipped and _cut_short(file))
    if shape.kind in ("lines", "sqlite"):
        form = form or of_documents(shape.firsts, formats, file.shown, options)
        return SniffedFile(file, replace(shape, firsts=iter(())), form)
    document = read_document(file, shape)
    if document == []:
        return None
    documents = objects_of(document, file.shown)
    buckets = documents[0].get("data")  # none of which has results, in a page of an API without a row
    if not documents[0] or (isinstance(buckets, list) and all(isinstance(x, dict) and x.get("results") == [] for x in buckets)):
        return None
    if form is None:
        form, documents = _of_documents(documents, formats, file.shown, options)
    unread = UnreadRows()
    own = [each for k, each in enumerate(documents, start=1)
           if not is_of_another(each, form, f"{file.shown}, object {k}", unread)]
    return SniffedFile(file, shape, form, tuple(document_rows(own, form)), unread=unread, pages=pages_of(documents))


def _of_documents(
    documents: list[Document], formats: Sequence[Format], shown: str, options: FileOptions,
) -> tuple[Format, list[Document]]:
    """(format, documents) of a file that is JSON as a whole; of the rows inside where only they have a format."""
    try:
        return of_documents(documents[:FIRST], formats, shown, options), documents
    except UnknownName:
        raise
    except InputError:
        inside = unwrapped(documents)
        if not inside:
            raise
        return of_documents(inside[:FIRST], formats, shown, options), inside


def _cut_short(file: SourceFile) -> bool:
    """True where a gzip ends before its end: DuckDB would refuse all of it."""
    with opened(file) as stream:
        try:
            while stream.read(1 << 24):
                pass
        except DAMAGED_GZIP:
            return True
    return False


def with_periods(form: Format, table: Table, records: Table, options: FileOptions, backend: Backend) -> Table:
    """The records of a table that is read where it lies, its times as names of months and the like where one is no moment."""
    again = _names_periods(form, table, records, options, backend)
    return form.records(table, replace(options, periods=True)) if again else records


def _names_periods(form: Format, table: Table, records: Table, options: FileOptions, backend: Backend) -> bool:
    """True where a time of a table of one's own is no moment of a call, and its column may name months, quarters and weeks."""
    return not options.periods and may_name_periods(table, form.period) and bool(
        rows_of(records.filter(~in_range(records.at_us)).select("at_us").limit(1), backend))


def paid_in(records: Table, options: FileOptions, backend: Backend) -> Iterator[tuple[str, int, bool]]:
    """`Log.paid` of records, nothing where no rate is stated; what is no code of a currency is not shown."""
    if not options.rates:
        return
    records = records if PAID_IN in records.columns else records.mutate(**{PAID_IN: ibis.literal("USD")})
    costs = records.filter(in_range(records.at_us) & (records.cost_usd.notnull() | (records.other_money > 0)))
    told = costs.select(paid=costs[PAID_IN], day=bucket_index(costs.at_us, 86_400), counts=costs.dropped.isnull()).distinct()
    for each in rows_of(told, backend):
        code = each["paid"] or "USD"
        if len(code) == CODE and code.isascii() and code.isalpha():
            yield code, each["day"], each["counts"]


def _source(found: SniffedFile) -> tuple[str, tuple[str, ...]]:
    """What files of one format have alike; for tables of one's own, the same columns."""
    return found.format.name, tuple(sorted(found.format.columns)) if found.format.name == "generic" else ()


def _likeness(found: SniffedFile) -> tuple[bool, str, str, bool, tuple[str, ...]]:
    """What files have alike that one reader takes at once: everything for DuckDB's, the format for Python's."""
    of = found.shape
    return (True, of.kind, of.delimiter, of.gzipped, of.header) if found.suits_duckdb else (False, "", "", False, ())


def _read_source(found: Sequence[SniffedFile], log: Log, options: FileOptions, engine: DuckDB, target: Path,
                 status: Callable[[str], None] | None = None, *, stated: bool = False) -> None:
    """Add the files of one format to the log: one table for each way of reading, without rows that stand in two of them.

    Where DuckDB's reader gives up while copies are looked for, Python reads the tables of text in its place. Rows that are
    calls are compared as they are; buckets by what they are sums of, once they are records.
    """
    if status is not None:
        status(f"reading {len(found):,} file{'s' * (len(found) > 1)}: {found[0].format.title}")
    raws = [read_raw(list(alike), engine, target.with_name(f"{target.name}-{k}.raw.parquet"), status)
            for k, (_, alike) in enumerate(groupby(sorted(found, key=_likeness), key=_likeness))]
    keys = f"roi_keys_{target.name}"
    calls = found[0].format.grain == "call" and found[0].format.once is None
    try:
        copies = find_copies(raws, options, engine, keys) if calls else None
    except (InputError, MemoryError):  # its rows are too long for it, or a quote is left open
        tables = [raw for raw in raws if raw.by_csv_reader]
        if not tables:
            raise
        rejected(engine, tables[0])  # DuckDB's notes on this reading go: Python's reader counts for itself
        raws = [read_in_python(raw.found, engine, target.with_name(f"{target.name}-{k}.again.parquet"))
                if raw.by_csv_reader else raw for k, raw in enumerate(raws)]
        copies = find_copies(raws, options, engine, f"{keys}_again")
    raws[0].unread.notes += (told for raw in raws for told in kinds_told(raw.table, engine))
    pages = [each.pages for each in found]
    raws[0].unread.notes += [f"{each.file.shown} says that there are more pages (has_more), which are not here: what they hold"
                             " is missing" for each in found if lacks_pages(each.pages, pages)]
    with progress_told(engine, f"reading {found[0].format.title}", status):
        typed = [_records(raw, copies, options, engine, target.with_name(f"{target.name}-{k}.parquet"))
                 for k, raw in enumerate(raws)]
    log.raws += [raw for _, raw in typed]
    every = [table for table, _ in typed]
    log.paid |= {each for table in every for each in paid_in(table.records, options, engine)}
    settled = readably(lambda: settle_buckets(with_ends(every, engine, stated=stated), engine, f"roi_buckets_{target.name}"),
                       engine, raws)
    log.tables += settled.tables
    log.grew |= settled.grew


def _records(
    raw: RawTable, copies: Copies | None, options: FileOptions, engine: DuckDB, target: Path,
) -> tuple[LogTable, RawTable]:
    """The records of one raw table, written as typed Parquet, so that text is parsed once, and a damaged file is found here.

    With them the raw table that they are of: Python's where DuckDB's reader gives up (mixed line ends, for one), or leaves out
    more lines than it notes. A table of one's own in which a time is no moment is looked at again for names of months and the
    like.
    """
    form = raw.found[0].format
    records = form.records(without_copies(raw.table, copies), options)
    if raw.in_place:
        read = readably(lambda: with_periods(form, raw.table, records, options, engine), engine, [raw])
        return LogTable(form, raw.files, read, raw.unread), raw
    same = constants(records)
    records = names_shown(records, options.model, same)
    gave_up, of_copies = False, deepcopy(raw.unread)
    try:
        readably(lambda: engine.to_parquet(records, target, compression="zstd"), engine, [raw])
    except (InputError, MemoryError):
        if not raw.by_csv_reader:
            raise
        gave_up = True
    if rejected(engine, raw) or gave_up:
        again = read_in_python(raw.found, engine, target.with_suffix(".raw.parquet"), of_copies)
        return _records(again, copies, options, engine, target)
    written = engine.read_parquet(target)
    if _names_periods(form, raw.table, written, options, engine):
        again = replace(raw, unread=of_copies)
        return _records(again, copies, replace(options, periods=True), engine, target.with_suffix(".periods.parquet"))
    # what is the same in every row need not be read
    known = {name: ibis.null(COLUMNS[name]) if value is None else ibis.literal(value).cast(COLUMNS[name])
             for name, value in same.items() if name in COLUMNS}
    return LogTable(form, raw.files, written.mutate(**known), raw.unread), replace(raw, periods=options.periods)
