"""Which format a file is: by the names of its columns, or by the keys of its JSON."""

from collections.abc import Sequence

from roi.errors import InputError, UnknownName, nearest
from roi.usage.format import Document, Format
from roi.usage.formats.generic import generic_format
from roi.usage.record import Asked

SHOWN = 8
"""Column names in a message."""


def format_named(name: str, formats: Sequence[Format]) -> Format:
    """The format with this name; UnknownName with the nearest."""
    for form in formats:
        if form.name == name:
            return form
    raise UnknownName("--from", name, [form.name for form in formats], "format")


def of_header(header: Sequence[str], formats: Sequence[Format], shown: str, asked: Asked) -> Format:
    """The format of a table with these columns: of those that it satisfies, the one that needs the most.

    What the user mapped comes first, a table of one's own last. Raises InputError where there is none, with the format that
    comes nearest and what it misses.
    """
    generic = generic_format(asked, tuple(header))
    if asked.columns and generic is not None:
        return generic
    own = {column.lower() for column in header}
    fitting = sorted((form for form in formats if form.needs and form.needs <= own), key=lambda form: -len(form.needs))
    if fitting:
        return fitting[0]
    if generic is not None:
        return generic
    tables = [form for form in formats if form.needs]
    best = max(tables, key=lambda form: len(form.needs & own) / len(form.needs))
    near = ""
    if 2 * len(best.needs & own) >= len(best.needs):
        missing = []
        for name in sorted(best.needs - own):
            alike = nearest(name, sorted(own - best.columns), 1)
            missing.append(name + (f" (renamed to {alike[0]}?)" if alike else ""))
        near = f"; nearest: {best.name}, which also has {', '.join(missing)}"
    names = ", ".join(header[:SHOWN]) + (f" and {len(header) - SHOWN} more" if len(header) > SHOWN else "")
    raise InputError(
        f"{shown}: no known export has these columns: {names}{near}; for your own table name the columns:"
        " --map time=COLUMN --map input=COLUMN --map output=COLUMN")


def of_document(document: Document, formats: Sequence[Format], shown: str, asked: Asked) -> Format:
    """The format of a JSON document; raises InputError with its keys where there is none."""
    flat = [key for key, value in document.items() if not isinstance(value, dict | list)]
    generic = generic_format(asked, tuple(flat))
    if asked.columns and generic is not None:
        return generic
    for form in formats:
        if form.recognises is not None and form.recognises(document):
            return form
    fitting = sorted((form for form in formats if form.needs and form.flatten is None
                      and form.needs <= {key.lower() for key in flat}), key=lambda form: -len(form.needs))
    if fitting:
        return fitting[0]
    if generic is not None:
        return generic
    keys = ", ".join(str(key)[:40] for key in list(document)[:SHOWN])
    raise InputError(f"{shown}: no known export has these keys: {keys}; for your own table name the columns:"
                     " --map time=COLUMN --map input=COLUMN --map output=COLUMN")
