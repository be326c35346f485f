"""Files to one table of records: each file is sniffed, its format found, its rows read once and typed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from roi.errors import InputError, UnknownName
from roi.usage.formats.generic import NAMES
from roi.usage.read.copies import Copies, find_copies, without_copies
from roi.usage.read.detect import format_named, of_document, of_header
from roi.usage.read.files import SourceFile
from roi.usage.read.format import Document, Format
from roi.usage.read.raw import Raw, Sniffed, goes_through_duckdb, read_raw, readably, rejected, through_python
from roi.usage.read.record import COLUMNS, Asked
from roi.usage.read.sniff import Shape, opened, read_head, sniff
from roi.usage.read.text_rows import Trouble, document_rows, first_object, read_document

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB


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
    raws: list[Raw] = field(default_factory=list)
    """What the parts were made of."""
    empty: list[str] = field(default_factory=list)
    """Files without a byte."""
    other: list[tuple[str, str]] = field(default_factory=list)
    """(file, why) of those that are no export."""


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
        raws, parts = _stage(list(alike), asked, engine, folder / f"{k}")
        staged.raws += raws
        staged.parts += parts
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


def _sniff(file: SourceFile, formats: Sequence[Format], asked: Asked, named: str | None) -> Sniffed | None:
    shape = sniff(file)
    if shape is None:
        return None
    form = format_named(named, formats) if named else None
    if shape.kind in ("parquet", "table"):
        form = _checked(form, shape, file) if form else of_header(shape.header, formats, file.shown, asked)
        if shape.twice & form.columns:
            name = min(shape.twice & form.columns)
            raise InputError(f"{file.shown}: two columns are named {name}; rename the one that is not meant")
        return Sniffed(file, shape, form, (), shape.gzipped and _cut_short(file))
    if shape.kind == "lines":
        return Sniffed(file, shape, form or of_document(shape.first or {}, formats, file.shown, asked))
    document = read_document(file, shape)
    if document == []:
        return None
    first = first_object(document, file.shown)
    if not first or _says_nothing(first):
        return None
    form = form or of_document(first, formats, file.shown, asked)
    return Sniffed(file, shape, form, tuple(document_rows(document, form)))


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


def _source(found: Sniffed) -> tuple[str, tuple[str, ...]]:
    """Files of one format; tables of one's own with the same columns."""
    return found.format.name, tuple(sorted(found.format.columns)) if found.format.name == "generic" else ()


def _likeness(found: Sniffed) -> tuple[bool, str, str, bool, tuple[str, ...]]:
    """Files that one reader takes together: alike in everything for DuckDB's, of one format for Python's."""
    shape = found.shape
    if goes_through_duckdb(found):
        return True, shape.kind, shape.delimiter, shape.gzipped, shape.header
    return False, "", "", False, ()


def _stage(found: list[Sniffed], asked: Asked, engine: "DuckDB", target: Path) -> tuple[list[Raw], list[Part]]:
    """The files of one format, as records: one part for each way of reading."""
    raws = [read_raw(list(alike), engine, target.with_name(f"{target.name}-{k}.raw.parquet"))
            for k, (_, alike) in enumerate(groupby(sorted(found, key=_likeness), key=_likeness))]
    copies = find_copies(raws, engine, f"roi_keys_{target.name}")
    targets = (target.with_name(f"{target.name}-{k}.parquet") for k in range(len(raws)))
    return raws, [_part(raw, copies, asked, engine, file) for raw, file in zip(raws, targets, strict=True)]


def _part(raw: Raw, copies: "Copies | None", asked: Asked, engine: "DuckDB", target: Path) -> Part:
    form = raw.found[0].format
    records = form.records(without_copies(raw.table, copies), asked)
    if raw.in_place:
        return Part(form, raw.files, records, raw.trouble)
    table = _typed_or_none(records, engine, target, raw)
    if rejected(engine, raw) or table is None:
        python = through_python(raw.found, engine, target.with_suffix(".raw.parquet"))
        return _part(python, copies, asked, engine, target)
    return Part(form, raw.files, table, raw.trouble)


def _typed_or_none(records: "ir.Table", engine: "DuckDB", target: Path, raw: Raw) -> "ir.Table | None":
    """The typed records; None where DuckDB's reader gives up on a table that Python's may read (mixed line ends, for one)."""
    try:
        return _typed(records, engine, target, raw)
    except InputError:
        if raw.again or not goes_through_duckdb(raw.found[0]):
            raise
        return None


def _typed(records: "ir.Table", engine: "DuckDB", target: Path, raw: Raw) -> "ir.Table":
    """The records written as typed Parquet, so that text is parsed once, and a damaged file is found here."""
    readably(lambda: engine.to_parquet(records, target, compression="zstd"), engine, [raw])
    return engine.read_parquet(target)


def together(parts: Iterable[Part]) -> "ir.Table":
    """The records of all parts as one table."""
    import ibis

    tables = [part.table.select(**{name: part.table[name].cast(kind) for name, kind in COLUMNS.items()}) for part in parts]
    return tables[0] if len(tables) == 1 else ibis.union(*tables)
