"""Rows of files that are read in Python: JSON, standard input, other encodings, and a gzip that is cut short.

Only the columns that a format reads leave this module; a row that cannot be read is counted with its line, and its text is
neither kept nor shown.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from roi.errors import InputError
from roi.usage.files import SourceFile
from roi.usage.format import Document, Format
from roi.usage.sniff import LONGEST_FIELD, Shape, opened

Cells = dict[str, str | None]

NOT_JSON: Final = "a line that is no JSON object"
TOO_FEW: Final = "a line with another number of cells than the header"


@dataclass
class Trouble:
    """What could not be read, by reason: how many rows, and where the first of them is."""

    rows: dict[str, int] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    cut_short: list[str] = field(default_factory=list)
    """Files that end inside a gzip stream."""

    def add(self, reason: str, where: str, rows: int = 1) -> None:
        """More rows, the first of them at `where` (file and line)."""
        if rows:
            self.rows[reason] = self.rows.get(reason, 0) + rows
            self.where.setdefault(reason, where)


def table_rows(file: SourceFile, shape: Shape, form: Format, trouble: Trouble) -> Iterator[Cells]:
    """Rows of a delimited table, the format's columns alone."""
    csv.field_size_limit(LONGEST_FIELD)
    with opened(file) as stream:
        reader = csv.reader(_lines(stream, file, shape, trouble), delimiter=shape.delimiter)
        filled = (row for row in reader if any(cell.strip() for cell in row))
        header = [name.strip().lstrip("\ufeff").lower() for name in next(filled)]
        places = {name: k for k, name in enumerate(header) if name in form.columns}
        for row in filled:
            if len(row) != len(header):
                trouble.add(TOO_FEW, f"{file.shown}, line {reader.line_num}")
                continue
            yield {name: row[k] or None for name, k in places.items()}


def line_rows(file: SourceFile, shape: Shape, form: Format, trouble: Trouble) -> Iterator[Cells]:
    """Rows of JSON with one document a line, the format's columns alone."""
    with opened(file) as stream:
        for number, line in enumerate(_lines(stream, file, shape, trouble), start=1):
            if line.strip():
                yield from _of_line(line, f"{file.shown}, line {number}", form, trouble)


def _of_line(line: str, where: str, form: Format, trouble: Trouble) -> Iterator[Cells]:
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        trouble.add(NOT_JSON, where)
        return
    yield from document_rows(document, form)


def document_rows(document: object, form: Format) -> Iterator[Cells]:
    """Rows of one JSON document, the format's columns alone; a list is a document an item."""
    if isinstance(document, list):
        for item in document:
            if isinstance(item, dict):
                yield from document_rows(item, form)
        return
    if not isinstance(document, dict):
        return
    rows = form.flatten(document) if form.flatten is not None else iter([document])
    for row in rows:
        yield {name.lower(): _cell(value) for name, value in row.items() if name.lower() in form.columns}


def read_document(file: SourceFile, shape: Shape) -> object:
    """A file that is one JSON document, parsed; InputError with the line where it is none."""
    with opened(file) as stream:
        try:
            return json.loads(stream.read().decode(shape.encoding))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InputError(f"{file.shown}: the gzip is cut short, and half a JSON document cannot be read") from None
        except json.JSONDecodeError as error:
            raise InputError(f"{file.shown}: line {error.lineno}: no JSON: {error.msg}") from None
        except UnicodeDecodeError:
            raise InputError(f"{file.shown}: not {shape.encoding}") from None


def first_object(document: object, shown: str) -> Document:
    """What tells the format of a document: itself, or the first object of a list."""
    found = next((item for item in document if isinstance(item, dict)), {}) if isinstance(document, list) else document
    if not isinstance(found, dict):
        raise InputError(f"{shown}: JSON, but no object")
    return found


def _lines(stream: BinaryIO, file: SourceFile, shape: Shape, trouble: Trouble) -> Iterator[str]:
    """Lines of text; what follows a cut in a gzip is missing, and the last, half line with it."""
    text = io.TextIOWrapper(stream, encoding=shape.encoding, errors="replace", newline="")
    held = None
    try:
        for line in text:
            if held is not None:
                yield held
            held = line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        trouble.cut_short.append(file.shown)
        return
    finally:
        text.detach()
    if held is not None:
        yield held


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return json.dumps(value, separators=(",", ":"))
