"""Files to one table of records: each file is sniffed, its format found, its rows staged as Parquet, no prompt among them.

A delimited table goes through DuckDB's reader in one pass, Parquet is read where it lies, everything else is read in Python.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from roi.errors import InputError, UnknownName
from roi.usage.detect import format_named, of_document, of_header
from roi.usage.engine import as_micros, zone_of
from roi.usage.files import SourceFile
from roi.usage.format import Document, Format
from roi.usage.formats.generic import NAMES
from roi.usage.record import COLUMNS, Asked
from roi.usage.sniff import Shape, opened, sniff
from roi.usage.stdin import read_head
from roi.usage.text_rows import (
    NOT_CLOSED,
    TOO_FEW,
    TOO_MANY,
    Cells,
    Trouble,
    document_rows,
    first_object,
    line_rows,
    read_document,
    table_rows,
)  # fmt: skip

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB

T = TypeVar("T")

BATCH: Final = 100_000
"""Rows that Python gathers before they are written."""

LOOK_FOR_COPIES: Final = 2 << 30
"""Bytes of files up to which rows are compared with one another; beyond, comparing takes more memory than the rest."""

TWICE: Final = "a row that stands in another export too"

IDS: Final = frozenset({"id", "request_id", "requestid", "response_id", "span_id", "generation_id"})
"""Columns that name one call. Without one, two equal calls in two logs may be two calls, and both count."""

FILE: Final = "roi file of this row"
"""Column that says in which file a raw row stands."""

GLOB: Final = re.compile(r"[*?\[]")
"""What DuckDB would take for a pattern of several names; here a name means one file."""

NUMBER: Final = re.compile(r"\s*[-+]?[0-9_.,]+([eE][-+]?[0-9]+)?\s*")
"""What may be written of a column of tokens: where the cells of a row are shifted, a prompt may stand there."""

LONGEST_ROW: Final = 1 << 26
"""Bytes of one row of a table, its prompts included; the buffer of DuckDB's reader, of which each thread holds one."""

REJECTS: Final = {
    "CAST": "a cell that cannot be read", "TOO MANY COLUMNS": TOO_MANY, "MISSING COLUMNS": TOO_FEW,
    "UNQUOTED VALUE": NOT_CLOSED, "LINE SIZE OVER MAXIMUM": "a line that is too long",
    "INVALID ENCODING": "text that is not UTF-8",
}  # fmt: skip
"""DuckDB's kinds of rejected lines, in words; its messages quote the line, which may hold a prompt, and are not shown."""

MOST_REJECTS: Final = 1000
"""Rejected cells of a file that DuckDB notes, each with its whole line in memory; a file with more is read in Python."""


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
    rows: tuple[Cells, ...] = ()
    """Of a file that is one JSON document; its prompts are gone."""
    cut_short: bool = False


def stage(
    files: Sequence[SourceFile], formats: Sequence[Format], asked: Asked, engine: "DuckDB", folder: Path, *,
    named: str | None = None, strict: bool = False,
) -> Staged:
    """Records of all files; `named` is the format that the user says.

    A file that is no export is left out and said so, or refuses the run where `strict` holds or it is the only one.
    """
    _check_asked(named, formats, asked)
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
    for k, (_, alike) in enumerate(groupby(sorted(known, key=_source), key=_source)):
        staged.parts += _stage(list(alike), asked, engine, folder / f"{k}")
    if staged.other and not staged.parts:
        raise InputError("; ".join(f"{name}: {why}" for name, why in staged.other[:3]))
    if strict:
        _check_whole(staged)
    return staged


def _check_asked(named: str | None, formats: Sequence[Format], asked: Asked) -> None:
    """Raise for a name that fits no file whatever is in it."""
    if named:
        format_named(named, formats)
    kinds = [what for what, _ in asked.columns]
    for what in kinds:
        if what not in NAMES:
            raise UnknownName("--map", what, NAMES, "kind of column")
        if kinds.count(what) > 1:
            raise InputError(f"--map: {what!r} is given twice; a kind has one column")


def _check_whole(staged: Staged) -> None:
    """Raise where a file is empty or cut short: rows may be missing, and no count says how many."""
    cut = [name for part in staged.parts for name in part.trouble.cut_short]
    if cut:
        raise InputError(f"--strict: {cut[0]} ends inside its gzip stream, or is damaged there")
    if staged.empty:
        raise InputError(f"--strict: {staged.empty[0]} is empty")


def _sniff(file: SourceFile, formats: Sequence[Format], asked: Asked, named: str | None) -> _Sniffed | None:
    shape = sniff(file)
    if shape is None:
        return None
    form = format_named(named, formats) if named else None
    if shape.kind in ("parquet", "table"):
        form = _checked(form, shape, file) if form else of_header(shape.header, formats, file.shown, asked)
        if shape.twice & form.columns:
            name = min(shape.twice & form.columns)
            raise InputError(f"{file.shown}: two columns are named {name}; rename the one that is not meant")
        return _Sniffed(file, shape, form, (), shape.gzipped and _cut_short(file))
    if shape.kind == "lines":
        return _Sniffed(file, shape, form or of_document(shape.first or {}, formats, file.shown, asked))
    document = read_document(file, shape)
    if document == []:
        return None
    first = first_object(document, file.shown)
    if not first or _says_nothing(first):
        return None
    form = form or of_document(first, formats, file.shown, asked)
    return _Sniffed(file, shape, form, tuple(document_rows(document, form)))


def _says_nothing(page: Document) -> bool:
    """True for a page of an API without a row: no bucket, or buckets without results."""
    data = page.get("data")
    return isinstance(data, list) and all(isinstance(item, dict) and item.get("results") == [] for item in data)


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


def _source(found: _Sniffed) -> tuple[str, tuple[str, ...]]:
    """Files of one format; tables of one's own with the same columns."""
    return found.format.name, tuple(sorted(found.format.columns)) if found.format.name == "generic" else ()


def _likeness(found: _Sniffed) -> tuple[bool, str, str, bool, tuple[str, ...]]:
    """Files that one reader takes together: alike in everything for DuckDB's, of one format for Python's."""
    shape = found.shape
    return (True, shape.kind, shape.delimiter, shape.gzipped, shape.header) if _fast(found) else (False, "", "", False, ())


def _fast(found: _Sniffed) -> bool:
    shape = found.shape
    return (shape.kind in ("parquet", "table") and shape.encoding.startswith("utf-8") and shape.regular
            and found.file.path is not None and not found.cut_short)


@dataclass(frozen=True)
class _Raw:
    """Files that are read together, as the format's columns and FILE."""

    found: tuple[_Sniffed, ...]
    table: "ir.Table"
    trouble: Trouble

    @property
    def files(self) -> tuple[SourceFile, ...]:
        return tuple(each.file for each in self.found)


def _stage(found: list[_Sniffed], asked: Asked, engine: "DuckDB", target: Path) -> list[Part]:
    """The files of one format, as records: one part for each way of reading."""
    raws = [_raw(list(alike), engine, target.with_name(f"{target.name}-{k}.raw.parquet"))
            for k, (_, alike) in enumerate(groupby(sorted(found, key=_likeness), key=_likeness))]
    copies = _copies(raws, engine, f"roi_keys_{target.name}")
    return [_part(raw, copies, asked, engine, target.with_name(f"{target.name}-{k}.parquet")) for k, raw in enumerate(raws)]


def _part(raw: _Raw, copies: "Copies | None", asked: Asked, engine: "DuckDB", target: Path) -> Part:
    form = raw.found[0].format
    table = _typed(form.records(_without(raw.table, copies), asked), engine, target, raw)
    if _rejected(engine, raw):
        python = _python(raw.found, engine, target.with_suffix(".raw.parquet"))
        return _part(python, copies, asked, engine, target)
    return Part(form, raw.files, table, raw.trouble)


def _raw(found: list[_Sniffed], engine: "DuckDB", target: Path) -> _Raw:
    if not _fast(found[0]):
        return _python(tuple(found), engine, target)
    paths = [GLOB.sub(r"[\g<0>]", str(each.file.path)) for each in found]
    if found[0].shape.kind == "parquet":
        zone = zone_of(engine) if found[0].format.local_times else "UTC"
        table = as_micros(engine.read_parquet(paths, filename=FILE, hive_partitioning=False), zone)
    else:
        table = _table(found[0].shape, paths, engine)
    return _Raw(tuple(found), wanted(table, found[0].format, FILE), Trouble())


def wanted(raw: "ir.Table", form: Format, *more: str) -> "ir.Table":
    """The format's columns, and those that are named besides; no other is ever read."""
    return raw.select(*[column for column in raw.columns if column.lower() in form.columns or column in more])


def _table(shape: Shape, paths: list[str], engine: "DuckDB") -> "ir.Table":
    return engine.read_csv(
        paths, columns=dict.fromkeys(shape.header, "string"), auto_detect=False, header=True, delim=shape.delimiter,
        quote='"', escape='"', store_rejects=True, rejects_limit=MOST_REJECTS, max_line_size=LONGEST_ROW,
        buffer_size=LONGEST_ROW, compression="gzip" if shape.gzipped else "none", filename=FILE,
        hive_partitioning=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Copies:
    """Rows that stand in another file too: those of a `key` count in every `file` but these pairs'."""

    pairs: "ir.Table"
    columns: frozenset[str]
    """Columns, in lower case, that the key is made of."""


def _copies(raws: list[_Raw], engine: "DuckDB", name: str) -> Copies | None:
    """Rows of several files compared with one another, where looking is cheap; equal rows of one file all count.

    A row that stands in several files counts in that which has it most often, then in the largest. It is known by a hash of
    all columns that the files share, so that no text is held. Calls without an id are left out where the whole file stands
    in others; single ones are told and count.
    """
    files = [each for raw in raws for each in raw.files]
    size = sum(file.path.stat().st_size for file in files if file.path is not None)
    if len(files) == 1:
        return None
    trouble = raws[0].trouble
    if size > LOOK_FOR_COPIES:
        trouble.notes.append(f"{len(files)} files are too large together to look for rows that stand in two of them")
        return None
    shared = frozenset.intersection(*(frozenset(c.lower() for c in raw.table.columns if c != FILE) for raw in raws))
    by_file = _readably(lambda: _keys(raws, shared, engine, name), engine, raws)
    pairs = _lost(by_file)
    form = raws[0].found[0].format
    if form.grain == "call" and not shared & IDS:
        whole = by_file.group_by("file").aggregate(rows=by_file.rows.sum())
        lost = pairs.group_by("file").aggregate(rows=pairs.rows.sum())
        single = _sum(pairs.rows, engine)
        pairs = pairs.semi_join(lost.semi_join(whole, ["file", "rows"]), "file")
        single -= _sum(pairs.rows, engine)
        if single:
            trouble.notes.append(f"{single:,} calls stand in two files alike; without an id they may be different calls, and"
                                 " count")
    copied = _sum(pairs.rows, engine)
    trouble.add(TWICE, "the later of two exports", copied)
    return Copies(pairs, shared) if copied else None


def _sum(column: "ir.Value", engine: "DuckDB") -> int:
    return int(engine.to_pyarrow(column.sum()).as_py() or 0)


def _keys(raws: list[_Raw], shared: frozenset[str], engine: "DuckDB", name: str) -> "ir.Table":
    """(key, file, rows): how often each row stands in each file."""
    import ibis

    keys = [raw.table.select(key=_key(raw.table, shared), file=raw.table[FILE]) for raw in raws]
    every = keys[0] if len(keys) == 1 else ibis.union(*keys)
    return engine.create_table(name, every.group_by(["key", "file"]).aggregate(rows=every.count()), temp=True)


def _lost(by_file: "ir.Table") -> "ir.Table":
    """(key, file, rows) of the rows that count in another file."""
    import ibis

    several = by_file.group_by("key").having(by_file.count() > 1).aggregate(files=by_file.count())
    sizes = by_file.group_by("file").aggregate(size=by_file.rows.sum())
    both = by_file.semi_join(several, "key").inner_join(sizes, "file")
    place = ibis.row_number().over(group_by="key", order_by=[ibis.desc("rows"), ibis.desc("size"), "file"])
    return both.mutate(place=place).filter(lambda t: t.place > 0).select("key", "file", "rows")


def _key(table: "ir.Table", shared: frozenset[str]) -> "ir.Value":
    import ibis

    names = sorted((column for column in table.columns if column.lower() in shared), key=str.lower)
    return ibis.struct({name.lower(): table[name].cast("string").strip().fill_null("") for name in names}).hash()


def _without(table: "ir.Table", copies: Copies | None) -> "ir.Table":
    if copies is None:
        return table
    keyed = table.mutate(roi_key=_key(table, copies.columns))
    return keyed.anti_join(copies.pairs, [keyed.roi_key == copies.pairs.key, keyed[FILE] == copies.pairs.file])


def _rejected(engine: "DuckDB", raw: _Raw) -> bool:
    """What DuckDB's reader left out, noted; True where a file has more of it than DuckDB notes, and nothing is noted here.

    Its tables hold whole lines, are in memory, and are emptied here. A line is counted from the bytes before it, since DuckDB
    counts rows.
    """
    names = {row[0] for row in engine.raw_sql("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()}
    if "reject_errors" not in names:
        return False
    most = engine.raw_sql("SELECT max(n) FROM (SELECT count(*) AS n FROM reject_errors GROUP BY scan_id, file_id)").fetchone()
    rows = engine.raw_sql(
        "SELECT error_type, sum(lines), arg_min(file_path, (file_path, start)), arg_min(start, (file_path, start)) FROM (SELECT"
        " error_type, file_path, line_byte_position AS start, CASE error_type WHEN 'UNQUOTED VALUE' THEN"
        " greatest(max(len(rtrim(csv_line, chr(10))) - len(replace(rtrim(csv_line, chr(10)), chr(10), ''))), 0) + 1 ELSE 1 END"
        " AS lines FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY 1, 2, 3) GROUP BY 1").fetchall()
    engine.raw_sql("DROP TABLE reject_errors; DROP TABLE reject_scans")
    if most and (most[0] or 0) >= MOST_REJECTS:
        return True
    for kind, lines, path, start in rows:
        file = next((file for file in raw.files if str(file.path) == path), raw.files[0])
        raw.trouble.add(REJECTS.get(kind, "a line that cannot be read"), f"{file.shown}, line {_line_at(file, start)}", lines)
    return False


def _line_at(file: SourceFile, position: int) -> int:
    """The line, from 1, of a byte of the text."""
    line, left = 1, position
    with opened(file) as stream:
        while left > 0 and (part := stream.read(min(left, 1 << 24))):
            line += part.count(b"\n")
            left -= len(part)
    return line


def _python(found: tuple[_Sniffed, ...], engine: "DuckDB", target: Path) -> _Raw:
    trouble = Trouble()
    return _Raw(found, engine.read_parquet(_through_python(found, target, trouble)), trouble)


def _through_python(found: Sequence[_Sniffed], target: Path, trouble: Trouble) -> Path:
    """The format's columns as text, written batch by batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sorted(set().union(*(_names(each) for each in found)))
    schema = pa.schema([(name, pa.string()) for name in (*names, FILE)])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for each in found:
            for batch in _batches(_rows(each, trouble)):
                columns = {name: [row.get(name) for row in batch] for name in names}
                for name in names:
                    if "token" in name:
                        columns[name] = [x if x is None or NUMBER.fullmatch(x) else "no number" for x in columns[name]]
                writer.write_table(pa.table({**columns, FILE: [each.file.shown] * len(batch)}, schema=schema))
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
    return iter(found.rows)


def _batches(rows: Iterator[Cells]) -> Iterator[list[Cells]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _typed(records: "ir.Table", engine: "DuckDB", target: Path, raw: _Raw) -> "ir.Table":
    """The records written as typed Parquet, so that text is parsed once, and a damaged file is found here."""
    _readably(lambda: engine.to_parquet(records, target, compression="zstd"), engine, [raw])
    return engine.read_parquet(target)


def _readably(act: Callable[[], T], engine: "DuckDB", raws: list[_Raw]) -> T:
    """What `act` gives; InputError with the file that cannot be read where DuckDB stops."""
    import duckdb

    try:
        return act()
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except duckdb.Error as error:  # its message may quote a prompt
        files = [(file, raw) for raw in raws for file in raw.files]
        shown = next((file.shown for file, raw in files if not _readable(file, engine, raw)), files[0][0].shown)
        raise InputError(f"{shown}: the table cannot be read, perhaps damaged: {type(error).__name__}") from None


def _readable(file: SourceFile, engine: "DuckDB", raw: _Raw) -> bool:
    """False for a Parquet file whose columns cannot be read."""
    import duckdb

    if raw.found[0].shape.kind != "parquet":
        return True
    table = wanted(engine.read_parquet(GLOB.sub(r"[\g<0>]", str(file.path))), raw.found[0].format)
    try:
        engine.to_pyarrow(table.aggregate(**{name: table[name].hash().max() for name in table.columns}))
    except duckdb.Error:
        return False
    return True


def together(parts: Iterable[Part]) -> "ir.Table":
    """The records of all parts as one table."""
    import ibis

    tables = [part.table.select(**{name: part.table[name].cast(kind) for name, kind in COLUMNS.items()}) for part in parts]
    return tables[0] if len(tables) == 1 else ibis.union(*tables)
