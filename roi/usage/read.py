"""Files to one table of records: each file is sniffed, its format found, its rows staged as Parquet, no prompt among them.

A delimited table goes through DuckDB's reader in one pass, Parquet is read where it lies, everything else is read in Python.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roi.errors import InputError
from roi.usage.detect import format_named, of_document, of_header
from roi.usage.files import SourceFile
from roi.usage.format import Format
from roi.usage.record import COLUMNS, Asked
from roi.usage.sniff import Shape, opened, read_head, sniff
from roi.usage.text_rows import Cells, Trouble, document_rows, first_object, line_rows, read_document, table_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB

BATCH: Final = 100_000
"""Rows that Python gathers before they are written."""

LOOK_FOR_COPIES: Final = 2 << 30
"""Bytes of files up to which rows are compared with one another; beyond, comparing takes more memory than the rest."""

TWICE: Final = "a row that stands in another export too"

REJECTS: Final = {
    "CAST": "a cell that cannot be read", "TOO MANY COLUMNS": "a line with more cells than the header",
    "MISSING COLUMNS": "a line with fewer cells than the header", "UNQUOTED VALUE": "a cell whose quotes do not close",
    "LINE SIZE OVER MAXIMUM": "a line that is too long", "INVALID ENCODING": "text that is not UTF-8",
}  # fmt: skip
"""DuckDB's kinds of rejected lines, in words; its messages quote the line, which may hold a prompt, and are not shown."""


@dataclass(frozen=True)
class Part:
    """One file, or several alike, as records."""

    format: Format
    files: tuple[SourceFile, ...]
    table: "ir.Table"
    trouble: Trouble


@dataclass
class Staged:
    """Everything that was read."""

    parts: list[Part] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    """Files without a byte."""
    other: list[tuple[str, str]] = field(default_factory=list)
    """(file, why) of those that are no export."""


@dataclass(frozen=True)
class _Sniffed:
    file: SourceFile
    shape: Shape
    format: Format
    document: object = None
    cut_short: bool = False


def stage(
    files: Sequence[SourceFile], formats: Sequence[Format], asked: Asked, engine: "DuckDB", folder: Path, *,
    named: str | None = None, strict: bool = False,
) -> Staged:
    """Records of all files; `named` is the format that the user says.

    A file that is no export is left out and said so, or refuses the run where `strict` holds or it is the only one.
    """
    staged, known = Staged(), []
    for file in files:
        try:
            found = _sniff(file, formats, asked, named)
        except InputError as error:
            if strict or len(files) == 1:
                raise
            staged.other.append((file.shown, str(error).removeprefix(f"{file.shown}: ")))
            continue
        if found is None:
            staged.empty.append(file.shown)
        else:
            known.append(found)
    for k, (_, alike) in enumerate(groupby(sorted(known, key=_likeness), key=_likeness)):
        staged.parts.append(_stage(list(alike), asked, engine, folder / f"{k}"))
    if staged.other and not staged.parts:
        raise InputError("; ".join(f"{name}: {why}" for name, why in staged.other[:3]))
    return staged


def _sniff(file: SourceFile, formats: Sequence[Format], asked: Asked, named: str | None) -> _Sniffed | None:
    shape = sniff(file)
    if shape is None:
        return None
    form = format_named(named, formats) if named else None
    document: object = None
    if shape.kind in ("parquet", "table"):
        form = _checked(form, shape, file) if form else of_header(shape.header, formats, file.shown, asked)
    elif shape.kind == "lines":
        form = form or of_document(shape.first or {}, formats, file.shown, asked)
    else:
        document = read_document(file, shape)
        form = form or of_document(first_object(document, file.shown), formats, file.shown, asked)
    return _Sniffed(file, shape, form, document, shape.kind == "table" and file.gzipped and _cut_short(file))


def _checked(form: Format, shape: Shape, file: SourceFile) -> Format:
    missing = sorted(form.needs - {column.lower() for column in shape.header})
    if missing:
        raise InputError(f"{file.shown}: {form.name} needs the columns {', '.join(missing)}; there are"
                         f" {', '.join(shape.header[:12])}")
    return form


def _cut_short(file: SourceFile) -> bool:
    """True where a gzip ends before its end: DuckDB would refuse all of it."""
    with opened(file) as stream:
        while True:
            head, whole = read_head(stream, 1 << 24)
            if whole:
                return False
            if len(head) < 1 << 24:
                return True


def _likeness(found: _Sniffed) -> tuple[str, bool, str, str, tuple[str, ...]]:
    """Files that one reader takes together: alike in everything for DuckDB's, of one format for Python's."""
    fast = _fast(found)
    return found.format.name, fast, *((found.shape.kind, found.shape.delimiter, found.shape.header) if fast else ("", "", ()))


def _fast(found: _Sniffed) -> bool:
    return (found.shape.kind in ("parquet", "table") and found.shape.encoding.startswith("utf-8")
            and found.file.path is not None and not found.cut_short)


def _stage(found: list[_Sniffed], asked: Asked, engine: "DuckDB", target: Path) -> Part:
    form, trouble = found[0].format, Trouble()
    files = tuple(each.file for each in found)
    if not _fast(found[0]):
        raw = engine.read_parquet(_through_python(found, target.with_suffix(".raw.parquet"), trouble))
    elif found[0].shape.kind == "parquet":
        raw = wanted(engine.read_parquet([str(file.path) for file in files]), form)
        raw = _once(raw, files, engine, trouble)
        return Part(form, files, form.records(raw, asked), trouble)
    else:
        raw = wanted(_table(found, engine), form)
    table = _typed(form.records(_once(raw, files, engine, trouble), asked), engine, target.with_suffix(".parquet"), files)
    _rejected(engine, files, trouble)
    return Part(form, files, table, trouble)


def wanted(raw: "ir.Table", form: Format) -> "ir.Table":
    """The format's columns; no other is ever read."""
    return raw.select(*[column for column in raw.columns if column.lower() in form.columns])


def _table(found: list[_Sniffed], engine: "DuckDB") -> "ir.Table":
    shape = found[0].shape
    return engine.read_csv(
        [str(each.file.path) for each in found], columns=dict.fromkeys(shape.header, "string"), auto_detect=False,
        header=True, delim=shape.delimiter, quote='"', escape='"', store_rejects=True, rejects_limit=0,
        max_line_size=1 << 26,
    )  # fmt: skip


def _once(raw: "ir.Table", files: tuple[SourceFile, ...], engine: "DuckDB", trouble: Trouble) -> "ir.Table":
    """Rows that stand in several exports taken once, where looking is cheap: a row is known by its keys, time and counts."""
    size = sum(file.path.stat().st_size for file in files if file.path is not None)
    if len(files) == 1 or size > LOOK_FOR_COPIES:
        return raw
    once = raw.distinct()
    sides = [engine.to_pyarrow(table.count()).as_py() for table in (raw, once)]
    trouble.add(TWICE, "the later of two exports", sides[0] - sides[1])
    return once


def _rejected(engine: "DuckDB", files: tuple[SourceFile, ...], trouble: Trouble) -> None:
    """What DuckDB's reader left out; its tables live as long as the engine, and are emptied."""
    names = {row[0] for row in engine.raw_sql("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()}
    if "reject_errors" not in names:
        return
    rows = engine.raw_sql(
        "SELECT error_type, min(line), count(DISTINCT (file_path, line)), arg_min(file_path, line) FROM reject_errors"
        " JOIN reject_scans USING (scan_id, file_id) GROUP BY 1")
    for kind, line, count, path in rows.fetchall():
        shown = next((file.shown for file in files if str(file.path) == path), files[0].shown)
        trouble.add(REJECTS.get(kind, "a line that cannot be read"), f"{shown}, line {line}", count)
    engine.raw_sql("DROP TABLE reject_errors; DROP TABLE reject_scans")


def _through_python(found: list[_Sniffed], target: Path, trouble: Trouble) -> Path:
    """The format's columns as text, written batch by batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sorted(set().union(*(_names(each) for each in found)))
    schema = pa.schema([(name, pa.string()) for name in names])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for each in found:
            for batch in _batches(_rows(each, trouble)):
                writer.write_table(pa.table({name: [row.get(name) for row in batch] for name in names}, schema=schema))
    return target


def _names(found: _Sniffed) -> frozenset[str]:
    if found.shape.kind == "table":
        return frozenset(column.lower() for column in found.shape.header) & found.format.columns
    return found.format.columns


def _rows(found: _Sniffed, trouble: Trouble) -> Iterator[Cells]:
    if found.shape.kind == "table":
        return table_rows(found.file, found.shape, found.format, trouble)
    if found.shape.kind == "lines":
        return line_rows(found.file, found.shape, found.format, trouble)
    return document_rows(found.document, found.format)


def _batches(rows: Iterator[Cells]) -> Iterator[list[Cells]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _typed(records: "ir.Table", engine: "DuckDB", target: Path, files: tuple[SourceFile, ...]) -> "ir.Table":
    """The records written as typed Parquet, so that text is parsed once."""
    import duckdb

    try:
        engine.to_parquet(records, target, compression="zstd")
    except duckdb.Error as error:  # its message may quote a prompt
        raise InputError(f"{files[0].shown}: the table cannot be read: {type(error).__name__}") from None
    return engine.read_parquet(target)


def together(parts: Iterable[Part]) -> "ir.Table":
    """The records of all parts as one table."""
    import ibis

    tables = [part.table.select(**{name: part.table[name].cast(kind) for name, kind in COLUMNS.items()}) for part in parts]
    return tables[0] if len(tables) == 1 else ibis.union(*tables)
