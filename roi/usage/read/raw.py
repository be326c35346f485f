"""Files as raw tables: the columns that a format reads, and in which file a row stands; no prompt among them.

A delimited table goes through DuckDB's reader in one pass, Parquet is read where it lies, everything else is read in Python.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from roi.disk import replace_file
from roi.errors import InputError
from roi.usage.read.archives import message_documents
from roi.usage.read.database import as_utc, rows_of, zone_of
from roi.usage.read.files import SourceFile
from roi.usage.read.lazy_ibis import DuckDB, Table
from roi.usage.read.names_alone import shown
from roi.usage.read.pages import NO_PAGES, Pages
from roi.usage.read.record import FILE, LINE, FileOptions, Format
from roi.usage.read.sniff import GLOB, FileShape, opened, parquet_documents
from roi.usage.read.text_rows import NOT_CLOSED, TOO_FEW, TOO_MANY, Cells, UnreadRows, line_rows, rows_of_documents, table_rows

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
BATCH: Final = 50_000
"""Rows that Python gathers before they are written."""
NUMBER: Final = re.compile(r"\s*[-+]?[0-9_.,]+([eE][-+]?[0-9]+)?\s*")
"""What may be written of a column of tokens: where the cells of a row are shifted, a prompt may stand there."""
LONGEST_ROW: Final = 1 << 26
"""Bytes of one row of a table, its prompts included; the buffer of DuckDB's reader, of which each thread holds one."""
AS_WRITTEN: Final = {
    "auto_detect": False, "quote": '"', "escape": '"', "max_line_size": LONGEST_ROW, "buffer_size": LONGEST_ROW,
}  # fmt: skip
"""What DuckDB's reader of text is told of every table: nothing is guessed."""
REJECTS: Final = {
    "CAST": "a cell that cannot be read", "TOO MANY COLUMNS": TOO_MANY, "MISSING COLUMNS": TOO_FEW,
    "UNQUOTED VALUE": NOT_CLOSED, "LINE SIZE OVER MAXIMUM": "a line that is too long",
    "INVALID ENCODING": "text that is not UTF-8",
}  # fmt: skip
"""DuckDB's kinds of rejected lines, in words; its messages quote the line, which may hold a prompt, and are not shown."""
MOST_REJECTS: Final = 1000
"""Rejected cells of a file that DuckDB notes, each with its whole line in memory; a file with more is read in Python."""


@dataclass(frozen=True)
class SniffedFile:
    """A file, what it is made of, and its format."""

    file: SourceFile
    shape: FileShape
    format: Format
    rows: tuple[Cells, ...] = ()
    """Raw rows of a file that is one JSON document; its prompts are gone."""
    unread: UnreadRows = field(default_factory=UnreadRows)
    """What was left out of a file that is one JSON document when it was looked at."""
    cut_short: bool = False
    """True where its gzip is cut short."""
    pages: Pages = NO_PAGES
    """Pages of an API that a file which is one JSON document holds."""

    @property
    def suits_duckdb(self) -> bool:
        """True for Parquet, and for tables whose text DuckDB's reader takes as it is; the others are read in Python."""
        return (self.shape.kind in ("parquet", "table") and not self.format.table_by_document
                and self.shape.encoding.startswith("utf-8") and self.shape.regular
                and self.file.path is not None and self.file.member is None and not self.cut_short)


@dataclass(frozen=True)
class RawTable:
    """Files that are read together, as the format's columns and FILE."""

    found: tuple[SniffedFile, ...]
    table: Table
    unread: UnreadRows
    in_python: bool = False
    """True where Python read it, and no other reader is left to try."""
    periods: bool = True
    """Whether its times are read as names of months and the like too (`FileOptions.periods`); True too where they may be."""

    @property
    def in_place(self) -> bool:
        """True for Parquet that is typed as it lies; text is parsed once and written as typed Parquet."""
        return self.found[0].shape.kind == "parquet" and not self.in_python

    @property
    def by_csv_reader(self) -> bool:
        """True where DuckDB's reader of text read it, which gives up on some tables that Python reads."""
        return not (self.in_python or self.in_place)

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files, in the order in which they were given."""
        return tuple(each.file for each in self.found)


@dataclass(frozen=True)
class LogTable:
    """One file, or several alike, as records."""

    format: Format
    files: tuple[SourceFile, ...]
    records: Table
    unread: UnreadRows


def read_raw(
    found: Sequence[SniffedFile], engine: DuckDB, target: Path, status: Callable[[str], None] | None = None,
) -> RawTable:
    """Files that are alike as one raw table; what is read in Python is written to `target` first."""
    shape, form = found[0].shape, found[0].format
    if not found[0].suits_duckdb:
        return read_in_python(found, engine, target, status=status)
    paths = [GLOB.sub(r"[\g<0>]", str(each.file.path)) for each in found]
    if shape.kind == "parquet":
        import duckdb

        zone = zone_of(engine) if form.local_times else "UTC"
        try:
            table = as_utc(engine.read_parquet(paths, filename=FILE, hive_partitioning=False), zone)
        except duckdb.Error as error:  # pyarrow reads footers that DuckDB does not
            raise _unreadable(found, engine, error) from None
    else:
        table = engine.read_csv(
            paths, columns=dict.fromkeys(shape.header, "string"), header=True, delim=shape.delimiter, store_rejects=True,
            rejects_limit=MOST_REJECTS, compression="gzip" if shape.gzipped else "none", filename=FILE,
            hive_partitioning=False, **AS_WRITTEN)
    return RawTable(tuple(found), wanted(table, form, FILE), UnreadRows())


def wanted(raw: Table, form: Format, *more: str) -> Table:
    """The format's columns, and those that are named besides; no other is ever read."""
    return raw.select(*[column for column in raw.columns if column.lower() in form.columns or column in more])


def rejected(engine: DuckDB, raw: RawTable) -> bool:
    """Whether a file has more rejected lines than DuckDB notes; where none has, they are counted as unread.

    DuckDB's tables of them hold whole lines, are in memory, and are emptied here. The number of a line is counted from the
    bytes before it, since DuckDB counts rows.
    """
    names = {row[0] for row in engine.raw_sql("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()}
    if "reject_errors" not in names:
        return False
    counted = engine.raw_sql("SELECT count(*) AS n FROM reject_errors GROUP BY scan_id, file_id").fetchall()
    rows = [] if not counted else engine.raw_sql(
        "SELECT error_type, sum(lines), arg_min(file_path, (file_path, start)), arg_min(start, (file_path, start)) FROM (SELECT"
        " error_type, file_path, line_byte_position AS start, CASE error_type WHEN 'UNQUOTED VALUE' THEN"
        " greatest(max(len(trim(csv_line, chr(10))) - len(replace(trim(csv_line, chr(10)), chr(10), ''))), 0) + 1 ELSE 1 END"
        " AS lines FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY 1, 2, 3) GROUP BY 1").fetchall()
    engine.raw_sql("DROP TABLE reject_errors; DROP TABLE reject_scans")
    if any(lines >= MOST_REJECTS for (lines,) in counted):
        return True
    for kind, lines, path, start in rows:
        file = next((file for file in raw.files if str(file.path) == path), raw.files[0])
        raw.unread.add(REJECTS.get(kind, "a line that cannot be read"), f"{file.shown}, line {_line_at(file, start)}", lines)
    return False


def _line_at(file: SourceFile, position: int) -> int:
    """The line, from 1, of a byte of the text."""
    line, left = 1, position
    with opened(file) as stream:
        while left > 0 and (part := stream.read(min(left, 1 << 24))):
            line += part.count(b"\n")
            left -= len(part)
    return line


def read_in_python(
    found: Sequence[SniffedFile], engine: DuckDB, target: Path, unread: UnreadRows | None = None,
    status: Callable[[str], None] | None = None,
) -> RawTable:
    """The raw table of `read_raw`, read in Python whatever the files are: columns as text, written batch by batch.

    `unread` is what is known of rows left out before this reading; its own are added. `status` hears of each batch.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    unread = unread or UnreadRows()
    names = sorted(set().union(*(_columns(each) for each in found)))
    schema = pa.schema([(name, pa.large_string()) for name in (*names, FILE)])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        rows = ((each.file.shown, row) for each in found for row in _rows(each, unread))
        done = 0
        while batch := list(islice(rows, BATCH)):
            texts = [_texts(_kept(name, [row.get(name) for _, row in batch])) for name in names]
            texts.append(_texts([file for file, _ in batch]))
            writer.write_table(pa.Table.from_arrays(texts, schema=schema))
            done += len(batch)
            if status is not None:
                status(f"{done:,} rows read: {found[0].format.title}")
    return RawTable(tuple(found), engine.read_parquet(target), unread, in_python=True)


def _texts(cells: Sequence[str | None]) -> "pa.LargeStringArray":
    """The cells as an array of Arrow's; `pa.array` loads pandas first, a fifth of a second, to see whether they are its own."""
    import pyarrow as pa

    texts = [b"" if cell is None else cell.encode() for cell in cells]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    there = np.packbits([cell is not None for cell in cells], bitorder="little")
    return pa.LargeStringArray.from_buffers(len(cells), *map(pa.py_buffer, (ends, b"".join(texts), there)))


def _kept(name: str, cells: list[str | None]) -> list[str | None]:
    """A column's cells without what may be a prompt where those of a row are shifted."""
    if "token" in name:
        return [x if x is None or NUMBER.fullmatch(x) else "no number" for x in cells]
    return [shown(x and x.strip()) for x in cells] if "model" in name else cells


def first_dropped(
    raw: RawTable, reasons: set[str], options: FileOptions, engine: DuckDB,
) -> dict[str, tuple[str, Cells]]:
    """(file and line, cells) of the first row left out for each of the reasons, among the first BATCH of tables of text.

    They are read again, since DuckDB's reader of text tells no lines.
    """
    if raw.in_place:
        return dict(_first_in_place(raw, reasons, options, engine))
    texts = [each for each in raw.found if each.shape.kind == "table" and each.file.path is not None]
    rows = ((each.file.shown, row) for each in texts for row in _rows(each, UnreadRows()))
    if not reasons or not (batch := list(islice(rows, BATCH))):
        return {}
    names = sorted(set().union(*map(_columns, texts)))
    columns = [_kept(name, [row.get(name) for _, row in batch]) for name in names]
    with TemporaryDirectory(prefix="roi-usage-") as folder:  # a file, since DuckDB loads pandas to look at what is in memory
        target, cells = Path(folder, "looked_at.csv"), StringIO()
        csv.writer(cells).writerows(zip(*columns, range(len(batch)), strict=True))
        replace_file(target, cells.getvalue())
        table = engine.read_csv(target, columns={**dict.fromkeys(names, "string"), LINE: "int64"}, header=False, delim=",",
                                **AS_WRITTEN)
        firsts = _firsts(raw.found[0].format.records(table, options), reasons, engine)
    found = ((each["dropped"], *batch[each["first"]]) for each in firsts)
    return {reason: (f"{file}, line {row[LINE]}", row) for reason, file, row in found}


def _first_in_place(
    raw: RawTable, reasons: set[str], options: FileOptions, engine: DuckDB,
) -> Iterator[tuple[str, tuple[str, Cells]]]:
    """(reason, (file and row, cells)) of the same among the first BATCH rows of the first file of Parquet."""
    form, file = raw.found[0].format, raw.files[0]
    numbered = engine.read_parquet(GLOB.sub(r"[\g<0>]", str(file.path)), file_row_number=True, hive_partitioning=False)
    numbered = as_utc(numbered.rename({LINE: "file_row_number"}), zone_of(engine) if form.local_times else "UTC")
    table = wanted(numbered, form, LINE).filter(lambda t: t[LINE] < BATCH)
    for each in _firsts(form.records(table, options), reasons, engine) if reasons else ():
        (cells,) = rows_of(table.filter(table[LINE] == each["first"]).drop(LINE), engine)
        texts = {name.lower(): None if cell is None else str(cell) for name, cell in cells.items()}
        kept = {name: _kept(name, [cell])[0] for name, cell in texts.items()}
        yield each["dropped"], (f"{file.shown}, row {each['first'] + 1}", kept)


def _firsts(records: Table, reasons: set[str], engine: DuckDB) -> list[dict[str, Any]]:  # Any: cells
    """The first row that is left out for each of the reasons."""
    left_out = records.filter(records.dropped.isin(reasons))
    return rows_of(left_out.group_by("dropped").agg(first=left_out[LINE].min()), engine)


def _columns(found: SniffedFile) -> frozenset[str]:
    """The format's columns that the file may have: those of a table's header, any of JSON."""
    if found.shape.kind == "table" and not found.format.table_by_document:
        return frozenset(column.lower() for column in found.shape.header) & found.format.columns
    return found.format.columns


def _rows(found: SniffedFile, unread: UnreadRows) -> Iterator[Cells]:
    if found.shape.kind == "json":
        for reason, rows in found.unread.rows.items():
            unread.add(reason, found.unread.where[reason], rows)
        return iter(found.rows)
    if found.shape.kind in ("sqlite", "parquet"):
        documents = message_documents if found.shape.kind == "sqlite" else parquet_documents
        return rows_of_documents(documents(found.file), found.format)
    read = table_rows if found.shape.kind == "table" else line_rows
    return read(found.file, found.shape, found.format, unread)


def readably(act: Callable[[], T], engine: DuckDB, raws: Sequence[RawTable]) -> T:
    """What `act` gives; InputError with the file that cannot be read where DuckDB stops."""
    import duckdb

    try:
        return act()
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except duckdb.Error as error:
        raise _unreadable([each for raw in raws for each in raw.found], engine, error) from None


def _unreadable(found: Sequence[SniffedFile], engine: DuckDB, error: Exception) -> Exception:
    """What tells which of the files DuckDB cannot read; its own message may quote a prompt. MemoryError where it is full."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return MemoryError()
    shown = next((each.file.shown for each in found if not _readable(each, engine)), found[0].file.shown)
    return InputError(f"{shown}: the table cannot be read, perhaps damaged: {type(error).__name__}")


def _readable(found: SniffedFile, engine: DuckDB) -> bool:
    """False for a Parquet file whose columns cannot be read."""
    import duckdb

    if found.shape.kind != "parquet" or not found.suits_duckdb:
        return True
    try:
        table = wanted(engine.read_parquet(GLOB.sub(r"[\g<0>]", str(found.file.path))), found.format)
        rows_of(table.aggregate(**{name: table[name].hash().max() for name in table.columns}), engine)
    except duckdb.Error:
        return False
    return True
