"""Values inside of other values, by a path with dots: the usage of an answer within a line of one's own log.

A document is read as if its nested objects were columns: `usage.prompt_tokens`, as pandas' json_normalize calls them too. Only
paths to numbers, short words and truth values are columns; a text as long as a prompt is none, and lists are not entered.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from roi.usage.formats.json_counts import documents_of, object_of
from roi.usage.read.record import LONGEST_NAME, Document

DEEPEST: Final = 5
"""Keys of a path."""
RESOURCE_SPANS: Final = ("resourceSpans", "resource_spans")
SCOPE_SPANS: Final = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
"""Keys of OTLP's spans by resource, and within one by scope."""
WRAPPED: Final = 3
"""Objects and lists that may lie around an OTLP export, as {"run": {"exports": [...]}}, or {"trace": ...} of Tempo."""
MAY_BE_TEXT: Final = ("input", "output")
"""Keys of counts, or of a prompt and its answer."""
LONGEST: Final = 120
"""Characters of a word; what is longer is a text."""
GIVEN: Final = re.compile(r"(usage|tokens)[^.]*\.(input|prompt)$|tokens?_in$|(input|prompt|context|prefill|request)[^.]*token")
MADE: Final = re.compile(r"(usage|tokens)[^.]*\.(output|completion)$|tokens?_out$"
                         r"|(output|completion|candidates|generated|decode|response)[^.]*token")
LIMIT: Final = re.compile(r"max|limit|budget|price|cost")
"""What a path in lower case is like: GIVEN that of the count of an input, MADE that of an output, LIMIT that of no count."""


def columns_of(documents: Iterable[Document]) -> tuple[str, ...]:
    """The keys of documents whose values are no objects or lists, then the paths to numbers and words inside of others.

    A path is a column where one document has a number or a word there; one with a longer text is none.
    """
    flat: dict[str, None] = {}
    inside: dict[str, bool] = {}
    for document in documents:
        flat.update(dict.fromkeys(key for key, value in document.items() if _is_flat(key, value)))
        for path, value in _paths(document):
            inside[path] = inside.get(path, True) and (not isinstance(value, str) or len(value) <= LONGEST)
    return (*flat, *(path for path, short in inside.items() if short and path not in flat))


def _paths(document: Document, before: str = "", depth: int = 1) -> Iterator[tuple[str, object]]:
    """(path, value) of what lies inside the document's objects."""
    for key, value in document.items():
        path = f"{before}{key}"
        if isinstance(value, dict) and depth < DEEPEST:
            yield from _paths(value, f"{path}.", depth + 1)
        elif before and value is not None and not isinstance(value, dict | list):
            yield path, value


def values_of(document: Document) -> Document:
    """The document's numbers, words and truth values under their names or paths, in lower case.

    A text under `input` or `output` is a prompt or an answer, and what is longer than a word inside of others is a text:
    neither is here.
    """
    found: Document = {}
    nested = False
    for key, value in document.items():
        if isinstance(value, dict):
            nested = True
        elif value is not None and value != "" and _is_flat(key, value):
            found[key.lower()] = value
    for path, value in _paths(document) if nested else ():
        if not isinstance(value, str) or 0 < len(value) <= LONGEST:
            found.setdefault(path.lower(), value)
    return found


def usage_kind(document: Document) -> str | None:
    """The name of the input's count where a document holds a usage, of whatever tool; None where it holds none."""
    flat = ((key, value) for key, value in document.items() if not isinstance(value, dict))
    counts = [path for path, value in chain(flat, _paths(document)) if isinstance(value, int | float)
              and not isinstance(value, bool) and value > 0 and not LIMIT.search(path.lower())]
    given = next((path for path in counts if GIVEN.search(path.lower())), None)
    made = any(MADE.search(path.lower()) for path in counts)
    return given.rpartition(".")[2][:LONGEST_NAME] if given is not None and made else None


def span_groups(document: Document, deep: int = WRAPPED) -> list[Document]:
    """OTLP's spans by resource: those of an export, that of one resource, or what lies in a document around exports.

    Lists and objects are entered, `deep` of them, where the document has no usage of its own, which spans may repeat. What a
    list holds is told by its first object.
    """
    if documents_of(document, *SCOPE_SPANS):
        return [document]
    if groups := documents_of(document, *RESOURCE_SPANS):
        return groups
    if not deep or usage_kind(document) is not None:
        return []
    found = list[Document]()
    for value in document.values():
        held = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
        if held and span_groups(held[0], deep - 1):
            found += chain.from_iterable(span_groups(each, deep - 1) for each in held)
    return found


def _count_tokens(groups: Iterable[Document]) -> bool:
    """True where a span has an attribute of tokens."""
    spans = (span for group in groups for scope in documents_of(group, *SCOPE_SPANS) for span in documents_of(scope, "spans"))
    return any("token" in str(each.get("key")) for span in spans for each in documents_of(span, "attributes"))


def usage_lost(document: Document) -> str | None:
    """How a usage is called that a document holds, in names of its own or in OTLP's spans; None where it holds none."""
    return usage_kind(document) or ("spans of OpenTelemetry" if _count_tokens(span_groups(document)) else None)


def _is_flat(key: str, value: object) -> bool:
    """True where a value is no object or list, and no text under a key that may be a count's."""
    return not isinstance(value, dict | list) and not (
        key.lower() in MAY_BE_TEXT and isinstance(value, str) and not value.isdigit())


def opened_cells(row: Document) -> Document:
    """A row of a table with its cells of JSON parsed, those that hold an object; None where one begins like it and is none."""
    parsed = {name: object_of(cell) for name, cell in row.items() if isinstance(cell, str) and cell.lstrip().startswith("{")}
    return row | {name: found if isinstance(found, dict) else None for name, found in parsed.items()}
