"""The long tables of a comparison as CSV (RFC 4180, UTF-8): options, months, lines, facts, drivers.

A text that a spreadsheet would take for a formula, because it begins with = + - @, a tab or a return, stands behind an
apostrophe (owasp.org, CSV injection); numbers are written as they are. Nothing stands for a figure that does not apply, inf for
a payback that is never reached.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.facts.fact import Value
from roi.report.comparison.tables import TABLES, LongTable, table
from roi.report.layout.blocks import printable

ROWS: Final = 10_000
"""Rows that are put together before they are handed on."""
TABLE_FILES: Final = tuple(f"{name}.csv" for name in TABLES)
FORMULA: Final = re.compile(r"[=+\-@\t\r]")
"""What a text begins with that a spreadsheet may take for a formula."""


def csv_files(c: Comparison) -> dict[str, Iterator[str]]:
    """Name of each file, options.csv and so on, and its text in parts."""
    return {f"{name}.csv": _parts(table(c, name)) for name in TABLES}


def _parts(found: LongTable) -> Iterator[str]:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(found.columns)
    for count, row in enumerate(found.rows, start=1):
        writer.writerow([cell(value) for value in row])
        if count % ROWS == 0:
            yield file.getvalue()
            file.seek(0)
            file.truncate()
    yield file.getvalue()


def cell(value: Value) -> str | int | float | None:
    """A value as a CSV cell holds it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, tuple):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    return "'" + printable(value) if FORMULA.match(value) else printable(value)
