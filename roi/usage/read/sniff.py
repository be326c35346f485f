"""What a file is made of: Parquet, a delimited table with a header, one JSON document, or a JSON document a line.

Standard input is looked at too before it is read: its beginning is kept, and stands before the rest of the stream.
"""

import codecs
import csv
import errno
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from typing import BinaryIO, Final, Literal, cast

from roi.disk import EXCEL, GZIP, SQLITE, GivenTwice, parse_json, stream_of, unpacked
from roi.errors import InputError
from roi.usage.read.archives import DAMAGED_ZIP, message_documents, opened_member
from roi.usage.read.files import SourceFile
from roi.usage.read.record import Document

OF_A_FILE: Final = {errno.EACCES, errno.EIO, errno.EISDIR, errno.EPERM}
"""Errors of the system that are about a file that cannot be read."""
DAMAGED_GZIP: Final = (EOFError, zlib.error, gzip.BadGzipFile, DAMAGED_ZIP)
"""What is raised where a gzip ends early, or is damaged; the same of a ZIP."""
PEEK: Final = 1 << 20
"""Bytes in which the header, or the first JSON document of a line, must end."""
DELIMITERS: Final = (",", ";", "\t", "|")
MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Byte order marks and the encodings that they announce."""
FIRST: Final = 2000
"""Documents by which a file's format is told: what a log begins with need not be a call."""
FIRST_ROWS: Final = 200
"""Rows by which a table's format is told, where its columns alone tell none."""
PAIR, WIDE, MOST_ABOVE = 3, 6, 20
"""Cells of a line of a name and its value, the last of them empty at times; of a header below; and such lines at most."""
OF_MONEY: Final = "credits"
"""The list of a row of Google Cloud's export that says what lowers its cost."""
TAIL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)?\s")
"""Beginning of a line of `aws logs tail`."""
WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of Excel's files, the new and the old ones: a ZIP that is none by its name, and a compound file."""
GLOB: Final = re.compile(r"[*?\[]")
"""What DuckDB would take for a pattern of several names; here a name means one file."""
LONGEST_LINE: Final = 1 << 28
"""Bytes of a first line that is looked at whole, where it is a JSON document longer than PEEK."""
LONGEST_FIELD: Final = 1 << 30
"""Characters of one cell: a prompt may be long, and is skipped whole."""


@dataclass(frozen=True)
class FileShape:
    """What the first bytes of a file show."""

    kind: Literal["parquet", "table", "json", "lines", "sqlite"]
    header: tuple[str, ...] = ()
    """Column names of a table or of Parquet."""
    delimiter: str = ","
    encoding: str = "utf-8"
    firsts: Iterator[Document] = field(default_factory=lambda: iter(()), compare=False)
    """The first JSON documents of a file with one a line, each parsed when it is looked at, and but once; of a table, its first
    rows.
    """
    prefixed: bool = False
    """True where a log's own words (a time, a stream) may stand before the document of a line, and lines without one
    between.
    """
    gzipped: bool = False
    """True where the bytes are gzip, whatever the name says."""
    regular: bool = True
    """False for a table that Python's reader alone takes: lines before the header, or carriage returns as line ends."""
    above: int = 0
    """Lines with something in them above a table's header."""
    named_above: tuple[tuple[str, str], ...] = ()
    """Of those lines that are a name and its value each, both, in order."""
    twice: frozenset[str] = frozenset()
    """Names, in lower case, of more than one column."""


def sniff(file: SourceFile) -> FileShape | None:
    """What the file is; None where it holds nothing, or a header alone. Raises InputError where it is nothing that is read."""
    if file.path is None:
        head, whole, _ = _standard_input()
    else:
        with opened(file) as stream:
            head, whole = read_head(stream, PEEK)
    if not head.strip(b"\x00 \r\n\t"):
        if not whole and len(head) < PEEK:
            raise InputError(f"{file.shown}: a damaged gzip: nothing of it can be read")
        return None
    if head[:4] == b"PAR1":
        return _parquet_shape(file)
    if head.startswith(SQLITE):
        return FileShape("sqlite", firsts=islice(message_documents(file), FIRST))
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)  # whose last characters may be cut
    except UnicodeDecodeError:
        encoding, text = _western(head)
    start = text.lstrip("\ufeff \r\n\t")
    if head.startswith(WORKBOOKS) or start.startswith("<"):
        what = "a page of HTML or XML, as a portal gives it whom nobody signed in to" if start.startswith("<") else (
            "a workbook, whose sheet can be saved as CSV")
        raise InputError(f"{file.shown}: {what}; no table, no JSON and no Parquet")
    if start.startswith(("{", "[")):
        return _json_shape(file, start, encoding, whole=whole)
    tail = TAIL.match(start) is not None and next(_documents_in(start, prefixed=True), None) is not None
    if tail or _text_above_documents(start):
        return FileShape("lines", encoding=encoding, firsts=_documents_in(start, prefixed=tail), prefixed=tail)
    return _table_shape(file, text.lstrip("\ufeff"), encoding, whole=whole)


def _western(head: bytes) -> tuple[str, str]:
    """Encoding and text of what is no UTF-8: Windows-1252, in which spreadsheets save, else Latin-1, which all bytes are."""
    try:
        return "cp1252", head.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1", head.decode("latin-1")


@contextmanager
def opened(file: SourceFile) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed; a missing right, a folder or a device that fails is one sentence."""
    try:
        if file.path is None:
            yield _standard_input()[2]
            return
        if file.member is not None:
            with opened_member(file.path, file.member, file.shown) as raw:
                yield raw
            return
        with file.path.open("rb") as raw:
            yield unpacked(raw, file.shown) if is_gzip(file) else raw
    except OSError as error:
        if error.errno not in OF_A_FILE:  # a damaged gzip is told of by who reads it
            raise
        raise InputError(f"FILES: cannot read {file.shown}: {error.strerror}") from error


def is_gzip(file: SourceFile) -> bool:
    """True where the file's bytes are gzip; standard input is unpacked already."""
    if file.path is None or file.member is not None:
        return False
    with file.path.open("rb") as raw:
        return raw.read(len(GZIP)) == GZIP


def read_head(stream: BinaryIO, size: int) -> tuple[bytes, bool]:
    """Up to `size` bytes, and True where that was everything; what a damaged gzip still gives is taken."""
    head = bytearray()
    try:
        while len(head) < size:
            part = _some(stream, min(size - len(head), 1 << 16))
            if not part:
                return bytes(head), True
            head += part
    except DAMAGED_GZIP:
        pass
    return bytes(head), False


def _some(stream: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes by one read, so that what stands before a damaged place is not lost with it."""
    return cast("io.BufferedReader", stream).read1(size)


@cache
def _standard_input() -> tuple[bytes, bool, BinaryIO]:
    """(up to PEEK bytes of standard input, True where that is everything, the whole of it as a stream), unpacked."""
    if sys.stdin is None:
        raise InputError("FILES: standard input is closed")
    first, _ = read_head(sys.stdin.buffer, len(GZIP))
    stream = _joined(first, sys.stdin.buffer)
    if first == GZIP:
        stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]  # reads alike
    head, whole = read_head(stream, PEEK)
    return head, whole, _joined(head, stream)


def _joined(head: bytes, rest: BinaryIO) -> BinaryIO:
    """What was read already, then the rest of a stream."""
    begun = io.BytesIO(head)
    return stream_of(lambda size: begun.read(size) or _some(rest, size))


def _json_shape(file: SourceFile, text: str, encoding: str, *, whole: bool) -> FileShape:
    """One document a line where the first line is one by itself and more follows; else one document."""
    line, ended, rest = text.partition("\n")
    if not ended and not whole and file.path is not None and text.startswith("{"):
        line, rest = _first_line(file, encoding), ""
    try:
        first = parse_json(line)
    except GivenTwice:  # the reader of lines counts it
        first = json.loads(line)
    except (ValueError, RecursionError):
        return FileShape("json", encoding=encoding)
    if isinstance(first, list):
        return FileShape("json", encoding=encoding)
    if not isinstance(first, dict):
        raise InputError(f"{file.shown}: line 1 is JSON, but no object")
    alone = not rest.strip() and whole
    firsts = chain((first,), _documents_in(rest, prefixed=False))
    return FileShape("json" if alone else "lines", encoding=encoding, firsts=firsts)


def _documents_in(text: str, *, prefixed: bool) -> Iterator[Document]:
    """The first documents of lines of text; what is none is passed over."""
    found = 0
    for line in io.StringIO(text):
        start = line.find("{") if prefixed else 0
        try:
            document = json.loads(line[start:]) if start >= 0 and line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            found += 1
            yield document
        if found == FIRST:
            return


def _text_above_documents(text: str) -> bool:
    """True where a line of words stands above lines of JSON, as AWS writes that its permissions are right.

    Below the header of a table no row is such a line: JSON in a cell stands in quotes, which come first.
    """
    second = next(islice((line for line in io.StringIO(text) if line.strip()), 1, None), "")
    return second.startswith("{") and next(_documents_in(second, prefixed=False), None) is not None


def _first_line(file: SourceFile, encoding: str) -> str:
    with opened(file) as stream:
        try:
            return stream.readline(LONGEST_LINE).decode(encoding, errors="replace").lstrip("\ufeff")
        except DAMAGED_GZIP:
            return ""


def _table_shape(file: SourceFile, text: str, encoding: str, *, whole: bool) -> FileShape | None:
    csv.field_size_limit(LONGEST_FIELD)
    line = next((line for line in text.splitlines() if line.strip()), "")
    told = EXCEL.fullmatch(line.strip(" "))
    if told is not None:
        text = text[text.index(line) + len(line) :]
        line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = told[1] if told is not None else max(DELIMITERS, key=line.count)
    rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(cell.strip() for cell in row))
    try:
        header = [cell.strip() for cell in next(rows)]
    except (StopIteration, csv.Error):
        raise InputError(f"{file.shown}: no header line that can be read") from None
    if "\x00" in line or not all(cell.isprintable() for cell in header):
        raise InputError(f"{file.shown}: neither text nor Parquet")
    if whole and len(header) > 1 and not text[text.index(line) + len(line) :].strip():
        return None
    named, header, below = _below_names(header, rows)
    regular = told is None and not named and "\n" in text and not text[: text.index(line)].strip(" ")
    names = tuple(_told_apart(header))
    twice = frozenset(name.lower() for name, own in zip(header, names, strict=True) if name and name != own)
    return FileShape("table", names, delimiter, encoding, firsts=_rows_in(below, names), gzipped=is_gzip(file), regular=regular,
                     above=int(told is not None) + len(named), named_above=named, twice=twice)


def _below_names(
    header: list[str], rows: Iterator[list[str]],
) -> tuple[tuple[tuple[str, str], ...], list[str], Iterator[list[str]]]:
    """(names and their values above a table, its header, the rows below): Google Cloud's cost table begins so (`Currency,USD`).

    They are taken for that where a header of WIDE names, all of them filled in, follows; else the first line is the header.
    """
    seen = [header]
    while len(seen) <= MOST_ABOVE and len(seen[-1]) <= PAIR and any(seen[-1]) and (row := _next_row(rows)) is not None:
        seen.append([cell.strip() for cell in row])
    if len(seen) > 1 and len(seen[-1]) >= WIDE and all(seen[-1]):
        return tuple((row[0], row[1] if row[1:] else "") for row in seen[:-1]), seen[-1], rows
    return (), header, chain(seen[1:], rows)


def _next_row(rows: Iterator[list[str]]) -> list[str] | None:
    """The next row; None where there is none that can be read."""
    try:
        return next(rows, None)
    except csv.Error:
        return None


def _rows_in(rows: Iterator[list[str]], names: Sequence[str]) -> Iterator[Document]:
    """The first rows of a table by column; none behind the first that cannot be read, which may be cut."""
    try:
        for row in islice(rows, FIRST_ROWS):
            if len(row) == len(names):
                yield dict(zip(names, row, strict=True))
    except csv.Error:
        return


def _told_apart(header: Sequence[str]) -> Iterator[str]:
    """Column names, an empty or repeated one with its place behind it, which no format reads."""
    seen: set[str] = set()
    for place, name in enumerate(header, start=1):
        yield f"{name} (column {place})" if not name or name.lower() in seen else name
        seen.add(name.lower())


def _parquet_shape(file: SourceFile) -> FileShape | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.path is None or file.member is not None:
        where = "standard input" if file.path is None else "inside a ZIP"
        raise InputError(f"FILES: Parquet cannot be read from {where}; save it to a file first")
    try:
        with pq.ParquetFile(file.path) as opened_file:
            rows, names = opened_file.metadata.num_rows, opened_file.schema_arrow.names
    except (pa.ArrowException, OSError):
        raise InputError(f"{file.shown}: a damaged Parquet file: its footer cannot be read") from None
    return FileShape("parquet", tuple(names), firsts=islice(parquet_documents(file), FIRST_ROWS)) if rows else None


def parquet_documents(file: SourceFile) -> Iterator[Document]:
    """The rows of a Parquet file as JSON has them, with structs as objects; lists, as of messages, are not, but OF_MONEY."""
    import duckdb

    path = [GLOB.sub(r"[\g<0>]", str(file.path))]
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        columns = engine.execute("DESCRIBE SELECT * FROM read_parquet(?)", path).fetchall()
        names = ", ".join(f'"{name.replace(chr(34), 2 * chr(34))}"' for name, kind, *_ in columns
                          if not kind.endswith("[]") or name.lower() == OF_MONEY)
        rows = engine.execute(f"SELECT to_json(t)::VARCHAR FROM (SELECT {names} FROM read_parquet(?)) t", path)  # noqa: S608
        while batch := rows.fetchmany(FIRST_ROWS):
            yield from (json.loads(row) for row, in batch)
