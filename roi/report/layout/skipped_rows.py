"""The rows of a table that could not be used, as every report on a table tells them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from roi.errors import first_of
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.report.layout.blocks import Block, Bullets, Heading

Skipped = Sequence[tuple[Path, SkippedRow]]
"""(table, row) of rows that could not be used."""
FEW = 3
"""Up to this many rows with one reason are named one by one."""


def skipped_json(skipped: Skipped) -> list[dict[str, object]]:
    """Each row's table, place and reason, for JSON."""
    return [{"table": path.name, "id": row.id, "line": row.line, "column": row.column, "reason": row.reason}
            for path, row in skipped]


def skipped_told(title: str, skipped: Skipped) -> Iterable[Block]:
    """The reasons with their rows; where several tables have such rows, each row's table too."""
    several = len({path for path, _ in skipped}) > 1
    return reasons_told(title, [
        (f"{path.name}, {place_of(row)}" if several else place_of(row), row.reason) for path, row in skipped])


def place_of(row: SkippedRow) -> str:
    """Line and id of a skipped row."""
    return f"line {row.line}, row {row.id!r}"


def reasons_told(title: str, reasons: Sequence[tuple[str, str]]) -> Iterable[Block]:
    """Their number, and the `reason_lines` of reasons, (where the row stands, why); nothing where there are none."""
    if reasons:
        yield Heading(f"{title}: {len(reasons)}")
        yield Bullets(reason_lines(reasons))


def reason_lines(reasons: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The reasons without their values, each with its rows: all where they are few, else the first and some values."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for place, reason in reasons:
        value = re.search(r": ('.*?'|\".*?\"); ", reason)
        why = reason if value is None else f"{reason[:value.start()]}: {reason[value.end():]}"
        why = re.sub(r"; nearest: .*| \(nearest: .*\)", "", why)
        why = re.sub(r" trains [\d,]+", " trains another number", why)
        cell = "" if value is None else "(blank)" if value.group(1) == "''" else value.group(1)
        groups[why].append((place, cell))
    rows = []
    for why, found in sorted(groups.items(), key=lambda x: -len(x[1])):
        if len(found) <= FEW:
            told = "; ".join(place + (f": {value[:60]}" if value else "") for place, value in found)
            rows.append(f"{len(found)}: {why} ({told})")
            continue
        distinct = [value for value in dict.fromkeys(value for _, value in found) if value]
        shown = f"; {first_of([x[:60] for x in distinct], 3)}" if distinct else ""
        rows.append(f"{len(found)}: {why} (first: {found[0][0]}{shown})")
    return tuple(rows)
