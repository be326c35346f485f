"""Rows of files that are read in Python: JSON, standard input, other encodings, and a gzip that is cut short.

Only the columns that a format reads leave this module; a row that cannot be read is counted with its line, and its text is
neither kept nor shown.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

from roi.disk import TOO_MANY_VALUES, UNIQUE, GivenTwice, lines_of, parse_json
from roi.errors import InputError
from roi.usage.formats.json_counts import documents_of
from roi.usage.formats.nested import usage_lost
from roi.usage.read.files import SourceFile
from roi.usage.read.record import LINE, Document, Format
from roi.usage.read.sniff import DAMAGED_GZIP, LONGEST_FIELD, LONGEST_LINE, FileShape, opened

if TYPE_CHECKING:
    from _csv import Reader

WHITE: Final = re.compile(r"[ \t\r\n,\x1e]*")
"""What may stand between two documents."""
WRAPPERS: Final = ("result", "results", "data", "items", "rows", "records", "logs", "events", "calls", "usage", "traces")
"""Keys of answers of APIs under which their rows lie."""
Cells = dict[str, str | None]
NOT_JSON: Final = "a line that is no JSON object"
TOO_DEEP: Final = "a line that is nested too deeply"
GIVEN_TWICE: Final = "a line that gives a key twice"
TOO_FEW: Final = "a line with fewer cells than the header"
TOO_MANY: Final = "a line with more cells than the header"
NOT_CLOSED: Final = "a line of a cell whose quotes do not match"
OF_ANOTHER_KIND: Final = "a usage of another kind than the file's ({}), not read; give such lines in a file of their own"
COUNTED: Final = ('okens"', 'oken_count"', 'okenCount"', '"usage')
"""Parts of the names of counts, one of which a line of a usage has, whatever its kind: most others need not be parsed."""
LARGEST_DOCUMENT: Final = 1 << 28
"""Bytes of one JSON document: it is parsed as a whole, in some four times its size."""


@dataclass
class UnreadRows:
    """Rows that are left out before they become records: by reason how many, and where the first of them is."""

    rows: dict[str, int] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    cut_short: dict[str, int] = field(default_factory=dict)
    """Names of files that end inside a gzip stream, and how many whole lines each has before that."""
    notes: list[str] = field(default_factory=list)
    """Sentences for the reader of the answer."""

    def add(self, reason: str, where: str, rows: int = 1) -> None:
        """Count more rows, the first of them at `where` (file and line)."""
        if rows:
            self.rows[reason] = self.rows.get(reason, 0) + rows
            self.where.setdefault(reason, where)


def table_rows(file: SourceFile, shape: FileShape, form: Format, unread: UnreadRows) -> Iterator[Cells]:
    """Rows of a delimited table, the format's columns alone, and in LINE where they stand."""
    csv.field_size_limit(LONGEST_FIELD)
    with opened(file) as stream:
        reader = csv.reader(_lines(stream, file, shape, unread), delimiter=shape.delimiter, strict=True)
        filled = _filled(reader, file, unread)
        for _ in range(shape.above + 1):
            next(filled)  # the header last, as the shape has it
        prune = _prunes(shape.header, form)
        places = {name.lower(): k for k, name in enumerate(shape.header) if name.lower() in form.columns}
        for line, row in filled:
            if len(row) != len(shape.header):
                unread.add(TOO_FEW if len(row) < len(shape.header) else TOO_MANY, f"{file.shown}, line {line}")
            elif prune:
                whole = dict((*shape.named_above, *zip(shape.header, row, strict=True)))
                yield from ({LINE: str(line), **cells} for cells in document_rows(whole, form))
            else:
                yield {LINE: str(line), **{name: row[k] or None for name, k in places.items()}}


def _filled(reader: "Reader", file: SourceFile, unread: UnreadRows) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, row) of rows with something in them; the others that cannot be read are counted by line."""
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            unread.add(NOT_CLOSED, f"{file.shown}, line {line}", max(reader.line_num + 1 - line, 1))
            continue
        if any(cell.strip() for cell in row):
            yield line, row


def _prunes(header: Sequence[str], form: Format) -> bool:
    """True where the format's `flatten` takes a row of a table as it takes a document, and cuts down its JSON cells."""
    if form.table_by_document:
        return True
    row = dict.fromkeys(header, "0")
    if form.flatten is None or form.recognises is None or not form.recognises(row):
        return False
    return form.needs <= {name.lower() for name in next(form.flatten(row), {})}


def line_rows(file: SourceFile, shape: FileShape, form: Format, unread: UnreadRows) -> Iterator[Cells]:
    """Rows of JSON with one document a line, the format's columns alone."""
    with opened(file) as stream:
        yield from rows_of_documents(_line_documents(stream, file, shape, form, unread), form)


def _line_documents(
    stream: BinaryIO, file: SourceFile, shape: FileShape, form: Format, unread: UnreadRows
) -> Iterator[Document]:
    """The document of each line; lines that cannot be read are counted, those without a count of the format passed over."""
    for number, line in enumerate(_lines(stream, file, shape, unread), start=1):
        if form.markers and not any(marker in line for marker in form.markers):
            own = form.mark and form.mark in line
            if own or not any(part in line for part in COUNTED):
                continue
        if shape.prefixed:
            line = line[line.find("{") :] if "{" in line else ""  # noqa: PLW2901 -- what a log writes before a document goes
        if line.strip():
            where = f"{file.shown}, line {number}"
            document = _line_document(line, where, unread, other_lines=shape.prefixed)
            if document is not None and not is_of_another(document, form, where, unread):
                yield document


def is_of_another(document: Document, form: Format, where: str, unread: UnreadRows) -> bool:
    """True of a document that holds a usage and is none of the format's; it is counted, so that none is lost without a word."""
    if form.recognises is None or form.recognises(document) or (kind := usage_lost(document)) is None:
        return False
    unread.add(OF_ANOTHER_KIND.format(kind), where)
    return True


def _line_document(line: str, where: str, unread: UnreadRows, *, other_lines: bool) -> Document | None:
    """The document of one line; None where it cannot be read, which is counted unless other lines are to be expected."""
    try:
        document = parse_json(line)
        if isinstance(document, dict):
            return document
    except GivenTwice:
        unread.add(GIVEN_TWICE, where)
        return None
    except ValueError:  # no JSON, or a number of more digits than Python reads
        pass
    except RecursionError:
        unread.add(TOO_DEEP, where)
        return None
    if not other_lines:
        unread.add(NOT_JSON, where)
    return None


def document_rows(document: object, form: Format) -> Iterator[Cells]:
    """Rows of one JSON document, the format's columns alone; each item of a list is a document."""
    every = document if isinstance(document, list) else [document]
    return rows_of_documents((each for each in every if isinstance(each, dict)), form)


def rows_of_documents(documents: Iterable[Document], form: Format) -> Iterator[Cells]:
    """Rows of documents, the format's columns alone."""
    if form.session is not None:
        rows = form.session(documents)
    elif form.flatten is not None:
        rows = chain.from_iterable(map(form.flatten, documents))
    else:
        rows = iter(documents)
    columns = form.columns
    for row in rows:
        yield {name.lower(): _cell(value) for name, value in row.items() if name.lower() in columns}


def read_document(file: SourceFile, shape: FileShape) -> object:
    """A file that is one JSON document, parsed; InputError with the line where it is none."""
    with opened(file) as stream:
        try:
            text = stream.read(LARGEST_DOCUMENT + 1)
            if len(text) > LARGEST_DOCUMENT:
                raise InputError(f"{file.shown}: one JSON document of more than {LARGEST_DOCUMENT >> 20} MiB; write one object"
                                 " a line: jq -c '.[]'")
            return _parsed(text.decode(shape.encoding))
        except DAMAGED_GZIP:
            raise InputError(f"{file.shown}: the gzip is cut short, and half a JSON document cannot be read") from None
        except json.JSONDecodeError as error:
            within = error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip())
            cut = "; the file ends there, cut off" if within else ""
            raise InputError(f"{file.shown}: line {error.lineno}: no JSON: {error.msg}{cut}") from None
        except UnicodeDecodeError:
            raise InputError(f"{file.shown}: not {shape.encoding}") from None
        except GivenTwice as error:
            raise InputError(f"{file.shown}: {error}") from None
        except ValueError as error:
            why = TOO_MANY_VALUES if TOO_MANY_VALUES in str(error) else "a number of more digits than can be read"
            raise InputError(f"{file.shown}: {why}") from None
        except RecursionError:
            raise InputError(f"{file.shown}: nested too deeply") from None


def _parsed(text: str) -> object:
    """The document; the list of all where several stand one after the other, what lists of them hold in its place."""
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
    found, place = [], 0
    while (place := WHITE.match(text, place).end()) < len(text):  # type: ignore[union-attr]  # it matches anywhere
        document, place = UNIQUE.raw_decode(text, place)
        found += document if isinstance(document, list) else [document]
    return found


def objects_of(document: object, shown: str) -> list[Document]:
    """The objects of a file: the document itself, or those of a list."""
    found = [item for item in (document if isinstance(document, list) else [document]) if isinstance(item, dict)]
    if not found:
        raise InputError(f"{shown}: JSON, but no object")
    return found


def unwrapped(documents: Sequence[Document]) -> list[Document]:
    """The objects in lists that the documents are wrapped around ({"result": [...]}); none where there is no such list."""
    return [item for document in documents for item in documents_of(document, *WRAPPERS)]


def _lines(stream: BinaryIO, file: SourceFile, shape: FileShape, unread: UnreadRows) -> Iterator[str]:
    """Lines of text; what follows a cut in a gzip is missing, and a last, half line with it."""
    text = io.TextIOWrapper(stream, encoding=shape.encoding, errors="replace", newline="")
    held, whole = None, 0
    try:
        for line in lines_of(text, LONGEST_LINE, file.shown):
            if held is not None:
                yield held
                whole += 1
            held = line
    except DAMAGED_GZIP:
        held = held if held is not None and held.endswith("\n") else None
        unread.cut_short[file.shown] = whole + (held is not None)
    finally:
        if not stream.closed:
            text.detach()
    if held is not None:
        yield held


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()  # half a surrogate is no text
    if isinstance(value, int | float):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return json.dumps(value, separators=(",", ":"))
