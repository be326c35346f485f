"""What a file is made of: Parquet, a delimited table with a header, one JSON document, or a JSON document a line."""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from roi.errors import InputError
from roi.usage.files import SourceFile
from roi.usage.format import Document
from roi.usage.stdin import read_stdin

Kind = Literal["parquet", "table", "json", "lines"]

PEEK: Final = 1 << 20
"""Bytes in which the header, or the first JSON document of a line, must end."""

DELIMITERS: Final = (",", ";", "\t", "|")

MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Byte order marks and the encodings that they announce."""

LONGEST_FIELD: Final = 1 << 30
"""Characters of one cell: a prompt may be long, and is skipped whole."""


@dataclass(frozen=True)
class Shape:
    """What the first bytes of a file show."""

    kind: Kind
    header: tuple[str, ...] = ()
    """Column names of a table or of Parquet."""
    delimiter: str = ","
    encoding: str = "utf-8"
    first: Document | None = None
    """The first JSON document of a file with one a line."""


def sniff(file: SourceFile) -> Shape | None:
    """What the file is; None where it is empty. Raises InputError where it is nothing that is read."""
    if file.path is None:
        head, whole, _ = read_stdin(PEEK)
    else:
        with opened(file) as stream:
            head, whole = read_head(stream, PEEK)
    if not head.strip(b"\x00 \r\n\t"):
        return None
    if head[:4] == b"PAR1":
        return Shape("parquet", _parquet_header(file))
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")
    text = _decoded(head, encoding)
    if text is None:
        encoding, text = "latin-1", head.decode("latin-1")
    start = text.lstrip("\ufeff \r\n\t")
    if start.startswith(("{", "[")):
        return _json_shape(file, start, encoding, whole=whole)
    return _table_shape(file, text.lstrip("\ufeff"), encoding)


@contextmanager
def opened(file: SourceFile) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed; a missing right or a folder is one sentence."""
    try:
        if file.path is None:
            yield read_stdin(PEEK)[2]
            return
        with file.path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream: BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]  # reads alike
            yield stream
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(f"FILES: cannot read {file.shown}: {error.strerror}") from error


def read_head(stream: BinaryIO, size: int) -> tuple[bytes, bool]:
    """Up to `size` bytes, and True where that was everything; what a truncated gzip still gives is taken."""
    parts: list[bytes] = []
    try:
        while sum(map(len, parts)) < size:
            part = stream.read(min(size, 1 << 16))
            if not part:
                return b"".join(parts), True
            parts.append(part)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b"".join(parts), False
    return b"".join(parts), False


def _decoded(head: bytes, encoding: str) -> str | None:
    """The text, its last characters perhaps cut; None where the bytes are not of this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


def _json_shape(file: SourceFile, text: str, encoding: str, *, whole: bool) -> Shape:
    """One document a line where the first line is one by itself and more follows; else one document."""
    line, _, rest = text.partition("\n")
    try:
        first = json.loads(line)
    except json.JSONDecodeError:
        return Shape("json", encoding=encoding)
    if not isinstance(first, dict):
        if isinstance(first, list):
            return Shape("json", encoding=encoding)
        raise InputError(f"{file.shown}: line 1 is JSON, but no object")
    alone = not rest.strip() and whole
    return Shape("json" if alone else "lines", encoding=encoding, first=first)


def _table_shape(file: SourceFile, text: str, encoding: str) -> Shape:
    csv.field_size_limit(LONGEST_FIELD)
    line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=line.count)
    try:
        header = next(row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row))
    except (StopIteration, csv.Error):
        raise InputError(f"{file.shown}: no header line that can be read") from None
    if "\x00" in line or not all(cell.isprintable() for cell in header):
        raise InputError(f"{file.shown}: neither text nor Parquet")
    return Shape("table", tuple(cell.strip() for cell in header), delimiter, encoding)


def _parquet_header(file: SourceFile) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.path is None:
        raise InputError("FILES: Parquet cannot be read from standard input; save it to a file first")
    try:
        return tuple(pq.read_schema(file.path).names)
    except (pa.ArrowException, OSError):
        raise InputError(f"{file.shown}: a damaged Parquet file: its footer cannot be read") from None
