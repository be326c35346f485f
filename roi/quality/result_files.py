"""Files of results as documents, one by one: JSON lines, one JSON document, a delimited table, or Inspect's archive."""

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, TextIO, cast

from roi.disk import EXCEL, GZIP, UNIQUE, UTF_16, GivenTwice, files_meant, lines_of, unpacked
from roi.errors import InputError, needs
from roi.quality.json_stream import wanted_values
from roi.quality.result_rows import NOT_JSON, Document, Notes, Source
from roi.scenario.other_files import EVALUATION, USAGE, refuse_other

ENDINGS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".eval")
"""What a folder is searched for, each with .gz too."""
ROWS: Final = frozenset({("*",), ("data", "*"), ("results", "*"), ("results", "results", "*"), ("samples", "*"),
                         ("testCases", "*"), ("testRunData", "testCases", "*")})
"""Where a JSON document has its rows, in one format or the other; the last two are DeepEval's, read with --map."""
BESIDE: Final = frozenset({("eval",), ("status",), ("results", "timestamp")})
"""Where a JSON document has what is read beside its rows."""
KNOWN: Final = "JSON lines or CSV with id, system, score; promptfoo, lm-evaluation-harness samples, Inspect, Langfuse scores"
PEEK: Final = 1 << 22
"""Characters in which the first of several JSON documents must end."""
LONGEST_CELL: Final = 1 << 26
LONGEST_LINE: Final = 1 << 26
"""Characters of a line, and of a cell: an item and what was said of it."""
MOST_STRANGE: Final = 100_000
ZSTANDARD: Final = 93


def find_files(arguments: Sequence[str]) -> list[Path]:
    """The files that paths, folders and globs mean, each once; InputError for an argument that means none.

    Of lm-evaluation-harness's folders the samples are taken: results_*.json hold sums, and name the model.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        paths = files_meant(argument, _usual, ", ".join(ENDINGS), "write what a pipe says into one")
        found.update((path.resolve(), path) for path in paths)
    if not found:
        raise InputError("FILES: none given; name results per item and system, folders or globs")
    return list(found.values())


def _usual(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    sums = path.name.startswith("results_") and path.name.endswith(".json") and "T" in path.name
    return not hidden and not sums and path.name.lower().removesuffix(".gz").endswith(ENDINGS)


@contextmanager
def open_source(path: Path, notes: Notes) -> Iterator[Source]:
    """The file's documents; InputError where it is empty, damaged, or nothing that is read."""
    shown, head = str(path), dict[str, Any]()
    try:
        with path.open("rb") as raw:
            begins = raw.read(2)
            if begins in UTF_16:
                raise InputError(f"{shown}: UTF-16, not UTF-8 text; save it in UTF-8")
            if begins[:1] == b"\0":
                raise InputError(f"{shown}: a zero byte; neither text nor an archive")
            if begins == b"PK":
                with zipfile.ZipFile(path) as archive:
                    yield _begin(shown, head, _archived(archive, shown, head))
                return
        with _text(path) as stream:
            yield _begin(shown, head, _documents(stream, shown, head, notes))
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile):
        raise InputError(f"{shown}: the archive is damaged or cut short") from None
    except UnicodeDecodeError:
        raise InputError(f"{shown}: neither text in UTF-8 nor an archive of Inspect; a spreadsheet saves its table as CSV"
                         " UTF-8") from None
    except OSError as error:
        raise InputError(f"{shown}: cannot be read: {error.strerror}") from None


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        plain: IO[bytes] = unpacked(raw, str(path)) if packed else raw
        yield io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")


def _begin(shown: str, head: Document, rows: Iterator[tuple[str, Document]]) -> Source:
    """The source, read up to its first row; what stands beside the rows goes into `head`."""
    if (first := next(rows, None)) is not None:
        return Source(shown, head, first[1], chain([first], rows))
    if isinstance(head.get("eval"), dict):  # a run of Inspect that ended before its first sample, or kept none
        return Source(shown, head, {}, rows)
    if Path(shown).stat().st_size == 0:
        raise InputError(f"{shown}: empty; results are {KNOWN}")
    refuse_other("", Path(shown), "results of an evaluation", EVALUATION, USAGE)
    raise InputError(f"{shown}: no row of an item in it: empty, or no format that is read ({KNOWN})")


def _documents(stream: TextIO, shown: str, head: Document, notes: Notes) -> Iterator[tuple[str, Document]]:
    """(place, row) of a text file; what stands beside the rows goes into `head`."""
    begun = stream.read(PEEK)
    whole = _Rest(begun, stream, shown)
    start = begun.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[")):
        yield from _table(begun, whole, shown, notes)
    elif _is_lines(start):
        yield from _lines(whole, shown, notes)
    else:
        number = strange = 0
        for path, value in wanted_values(cast("TextIO", whole), ROWS | BESIDE, shown):
            number += path not in BESIDE
            if path in BESIDE:
                head[".".join(path)] = value
            elif isinstance(value, dict):
                yield f"{shown}, row {number}", value
            else:
                notes.drop("a row that is no JSON object", f"{shown}, row {number}")
                strange += 1
                if strange > MOST_STRANGE:
                    raise InputError(f"{shown}: more than {MOST_STRANGE:,} rows that are no JSON objects")


def _is_lines(start: str) -> bool:
    """True where the first line is a JSON object by itself and none of the documents that hold rows."""
    line, _, rest = start.partition("\n")
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        goes_on = line.rstrip().endswith(("[", "{", ",", ":"))  # a document whose rows stand one a line
        return len(line) < PEEK and not goes_on and start.startswith("{") and rest.lstrip().startswith("{")
    names = {path[0] for path in ROWS} | {"eval"}
    holds_rows = any(isinstance(first.get(name), (list, dict)) for name in names) if isinstance(first, dict) else True
    return isinstance(first, dict) and (bool(rest.strip()) or not holds_rows)


class _Rest:
    """A text whose beginning was read already."""

    def __init__(self, head: str, stream: TextIO, shown: str) -> None:
        self.head, self.stream, self.shown = head, stream, shown

    def read(self, size: int) -> str:
        """Up to `size` characters, the beginning whole."""
        head, self.head = self.head, ""
        return head or self.stream.read(size)

    def __iter__(self) -> Iterator[str]:
        """The lines of the file, one by one."""
        last = ""
        for line in io.StringIO(self.head):
            yield from [last] if last else []
            last = line
        lines = lines_of(self.stream, LONGEST_LINE, self.shown)
        yield last if last.endswith("\n") else last + next(lines, "")
        yield from lines


def _lines(text: _Rest, shown: str, notes: Notes) -> Iterator[tuple[str, Document]]:
    decode = UNIQUE.raw_decode  # what json.loads calls, without its checks of each line
    for number, line in enumerate(text, start=1):
        try:
            value, end = decode(line if line[0] == "{" else line.lstrip())
            if end < len(line) - 1 and not line[end:].isspace():
                value = None
        except GivenTwice:
            notes.drop("a line that gives a key twice", f"{shown}, line {number}")
            continue
        except (ValueError, RecursionError):
            value = None
        if value.__class__ is dict:
            yield f"{shown}, line {number}", value
        elif value is None and not line.endswith("\n") and line.lstrip().startswith("{"):
            raise InputError(f"{shown}, line {number}: the JSON is cut short; write the file again, whole")
        elif line.strip():
            notes.drop(NOT_JSON, f"{shown}, line {number}")


def _table(head: str, text: _Rest, shown: str, notes: Notes) -> Iterator[tuple[str, Document]]:
    csv.field_size_limit(LONGEST_CELL)
    line = next((line for line in head.splitlines() if line.strip()), "")
    told = EXCEL.fullmatch(line.strip(" "))
    reader = csv.reader(text, delimiter=max((",", ";", "\t"), key=line.count) if told is None else told[1])
    header: list[str] = []
    try:
        for row in reader:
            place = f"{shown}, line {reader.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if told is not None:
                told = None
                continue
            if not header:
                header = [cell.strip() for cell in row]
                twice = next((name for k, name in enumerate(header) if name and name in header[:k]), None)
                if twice is not None:
                    raise InputError(f"{shown}: two columns are named {twice[:40]}; rename the one that is not meant")
            elif len(row) != len(header):
                notes.drop("a line with more or fewer cells than the header", place)
            else:
                yield place, {name: cell or None for name, cell in zip(header, row, strict=True)}
    except csv.Error:
        raise InputError(f"{shown}: line {reader.line_num}: no table that can be read") from None


def _archived(archive: zipfile.ZipFile, shown: str, head: Document) -> Iterator[tuple[str, Document]]:
    """Header and samples of Inspect's archive: the summaries where they are, which are small, else the samples themselves."""
    names = archive.namelist()
    header = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
    if header is None:
        sheet = "; a workbook's sheet is saved as CSV UTF-8" if "[Content_Types].xml" in names else ""
        raise InputError(f"{shown}: an archive, but none of Inspect: header.json is missing{sheet}")
    if any(each.compress_type == ZSTANDARD for each in archive.infolist()) and not hasattr(zipfile, "ZIP_ZSTANDARD"):
        with needs("quality", "zipfile-zstd"):
            import_module("zipfile_zstd")
    head |= {"eval": {}} if header == "header.json" else {"eval": {}, "status": "started"}
    with archive.open(header) as raw, io.TextIOWrapper(raw, encoding="utf-8") as stream:
        head |= {".".join(path): value for path, value in wanted_values(stream, BESIDE, f"{shown}, {header}")}
    if "summaries.json" in names:
        yield from _members(archive, ["summaries.json"], ("*",), shown)
    else:
        yield from _members(archive, [name for name in names if name.startswith("samples/")], (), shown)


def _members(archive: zipfile.ZipFile, names: list[str], path: tuple[str, ...], shown: str) -> Iterator[tuple[str, Document]]:
    for name in names:
        with archive.open(name) as raw, io.TextIOWrapper(raw, encoding="utf-8") as stream:
            for _, value in wanted_values(stream, frozenset({path}), f"{shown}, {name}"):
                if isinstance(value, dict):
                    yield f"{shown}, {name}", value
