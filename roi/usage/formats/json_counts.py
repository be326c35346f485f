"""Counts from JSON columns and documents, and the pages of APIs that hold them.

A JSON column may be text (CSV), JSON (a database), or a struct or map (Parquet). Only numbers are taken out of it, and words
that a format compares with its own; a JSON document is cut down to them before anything of it is written to disk.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from itertools import chain
from operator import or_
from typing import Final

from roi.usage.read.columns import counted, first
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import Document

WHOLE: Final = r"^-?[0-9]+(\.0+)?$"
"""A whole number as JSON writes it, quoted (ClickHouse quotes 64 bits) or as a float."""
LONGEST_LITERAL: Final = 1 << 12
"""Characters of a text that is read as Python writes an object: a usage is that short."""
FROM_PYTHON: Final = (
    (r"""'([^'"\\]*)'|"([^"\\]*)"|'([^'\\]|\\.)*'|"([^"\\]|\\.)*\"""", r'"\1\2"'),
    *((rf"([:,\[]) *{word}", rf"\1{name}") for word, name in (("None", "null"), ("True", "true"), ("False", "false"))))
"""What Python, and so pandas, writes otherwise than JSON, and what stands there in JSON: regular expressions that Python and
databases read alike. A text with quotes of both kinds, or with a backslash, becomes an empty one.
"""
NO_NUMBER: Final = "no number"
"""What stands in the place of a count that is none: its row is left out and named, and no text of the file is kept."""
Path = tuple[str, ...]
"""Keys from the outer object to a count."""


def json_of(table: Table, *names: str) -> Column | None:
    """The first of the named columns as JSON, as `object_of` reads it, null where the cell is none; None without a column."""
    column = first(table, *names)
    if column is None or column.type().is_json():
        return column
    if not column.type().is_string():
        return column.cast("json")
    cell = column.strip().nullif("")
    words = ibis.ifelse(cell.left(1).isin(("{", "[")) & (cell.length() <= LONGEST_LITERAL), cell, ibis.null("string"))
    for python, name in FROM_PYTHON:
        words = words.re_replace(python, name)
    return ibis.coalesce(cell.try_cast("json"), words.try_cast("json"))


def _words_at(document: Column, path: Path) -> Column:
    """What stands under these keys as text, without quotes."""
    item = document
    for key in path:
        item = item[key]
    return item.cast("string").replace('"', "")


def _count_of(words: Column) -> Column:
    """The count that the words are, as int64: 0 where there is none or null, null where it is something else."""
    number = counted(words.re_search(WHOLE).ifelse(words.try_cast("float64"), ibis.null("float64")))
    return (words.isnull() | (words == "null")).ifelse(0, number)


def largest(*counts: Column) -> Column:
    """The largest; null where one cannot be read, and the least where one is below 0: GREATEST alone passes over both."""
    if len(counts) == 1:
        return counts[0]
    unread, least = reduce(or_, (each.isnull() for each in counts)), ibis.least(*counts)
    return ibis.cases((unread, ibis.null("int64")), (least < 0, least), else_=ibis.greatest(*counts))


def with_counts(table: Table, columns: Sequence[str], counts: Mapping[str, Sequence[Path]]) -> Table:
    """The table with a column for each of `counts`, out of the first of the named JSON columns.

    The document, its cells and their counts are columns of steps of their own, which are subqueries, so that SQL names what is
    used again, and does not repeat how it is parsed.
    """
    document, own = json_of(table, *columns), table.columns
    if document is None:
        return table.mutate(**{name: ibis.literal(0, "int64") for name in counts})
    cells = {f"roi cell {name} {k}": path for name, paths in counts.items() for k, path in enumerate(paths)}
    parsed = table.mutate(roi_document=document)
    words = parsed.mutate(**{name: _words_at(parsed.roi_document, path) for name, path in cells.items()})
    read = words.mutate(**{name: _count_of(words[name]) for name in cells})
    each = {name: largest(*(read[f"roi cell {name} {k}"] for k in range(len(paths)))) for name, paths in counts.items()}
    return read.select(*own, **each).view()


def object_of(value: object) -> object:
    """The value, parsed where it is JSON text, or short and an object or a list as Python writes it; None for other text."""
    if not isinstance(value, str):
        return value
    words = value.strip()
    as_python = words[:1] in ("{", "[") and len(words) <= LONGEST_LITERAL
    for replaced in ((), FROM_PYTHON) if as_python else ((),):
        for python, name in replaced:
            words = re.sub(python, name, words)
        with suppress(ValueError, RecursionError):  # the second where it is nested too deeply
            parsed: object = json.loads(words)
            return parsed
    return None


def documents_of(document: Document, *keys: str) -> list[Document]:
    """The objects in a list under the first of `keys` that holds one."""
    held: list[object] = next((document[key] for key in keys if isinstance(document.get(key), list)), [])
    return [each for each in held if isinstance(each, dict)]


def count_cell(value: object) -> object:
    """The cell of a count: a number, also as text (OTLP writes 64 bits so); None where it is absent; else NO_NUMBER."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = isinstance(value, str) and value.isdigit()
    return value if number or text else None if value in (None, "") else NO_NUMBER


def count_at(document: object, path: Path) -> object:
    """The cell of the count under these keys."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return count_cell(document)


def amount(value: object) -> float | None:
    """A number as JSON has it; None for anything else, so that no text stands in its place."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def pruned(value: object, counts: Mapping[str, Sequence[Path]]) -> Document:
    """The object with nothing but the cells of these counts; {} where it is no object, or text that is no JSON."""
    found = object_of(value)
    kept: Document = {}
    for path in chain.from_iterable(counts.values()):
        if (cell := count_at(found, path)) is not None:
            place = kept
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = cell
    return kept


def items_of(document: Document) -> Iterator[Document]:
    """The objects of an API's page ({"data": [...]}), or the document itself."""
    data = document.get("data")
    if isinstance(data, list):
        yield from (item for item in data if isinstance(item, dict))
    else:
        yield document


def nested(document: Document, name: str) -> Document:
    """The object under a key; an empty one where something else is there."""
    inner = document.get(name)
    return inner if isinstance(inner, dict) else {}


def scalars(item: Document, columns: frozenset[str]) -> Document:
    """The item's values under these names (in lower case), objects and lists left out."""
    return {key: value for key, value in item.items() if key.lower() in columns and not isinstance(value, dict | list)}


def has_keys(keys: frozenset[str], document: Document) -> bool:
    """True where the document, or the first object of its page, has these keys (in lower case) in any case."""
    first = next(items_of(document), {})
    return keys <= {key.lower() for key in first}


def buckets(document: Document, *times: str) -> Iterator[tuple[Document, list[Document]]]:
    """(times, results) of each bucket of a page of a usage or cost API.

    A bucket alone, as pages joined by hand have it, is one too. `times` are the keys of its beginning and its end.
    """
    data = document.get("data", [document])
    for bucket in data if isinstance(data, list) else ():
        if isinstance(bucket, dict) and "results" in bucket and (times[0] in bucket or bucket.get("object") == "bucket"):
            results = bucket["results"] if isinstance(bucket["results"], list) else []
            yield {name: bucket.get(name) for name in times}, [each for each in results if isinstance(each, dict)]


def result_rows(document: Document, *times: str) -> Iterator[tuple[Document, Document]]:
    """(times of its bucket, result) for each result; a bucket without results has an empty one."""
    for when, results in buckets(document, *times):
        for result in results or [{}]:
            yield when, result
