"""What an HTML report is made of: sections of blocks, as on a terminal, with pictures and parts that unfold between them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from roi.report.layout.blocks import (
    Block,
    Bullets,
    Gap,
    Heading,
    Labelled,
    Notes,
    Paragraph,
    Row,
    Table,
    Title,
    Verbatim,
)

Spec = dict[str, Any]  # Any: plain JSON values


@dataclass(frozen=True)
class Picture:
    """A Vega-Lite specification, how to read it, and its figures as a table."""

    spec: Spec
    note: str
    figures: Table | None = None


@dataclass(frozen=True)
class Unfolded:
    """Parts behind one line, which unfold when it is chosen."""

    summary: str
    parts: "tuple[Part, ...]"


@dataclass(frozen=True)
class Copied:
    """Text that is copied as it stands, such as a scenario."""

    text: str


Part = Block | Picture | Unfolded | Copied


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    heading: str
    parts: tuple[Part, ...]
    lead: bool = False
    """True for what stands before everything else, on the first screen."""


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    facts: tuple[str, ...]
    """What stands below the title: day, horizon, how it is counted."""
    sections: tuple[Section, ...]
    foot: str
    """How the report was made."""


Change = Callable[[str], str]


def changed(page: Page, change: Change) -> Page:
    """The page with every text in it changed, those inside pictures too."""
    return Page(title=change(page.title), facts=tuple(map(change, page.facts)), foot=change(page.foot), sections=tuple(
        replace(s, heading=change(s.heading), parts=tuple(_part(part, change) for part in s.parts)) for s in page.sections))


def _part(part: Part, change: Change) -> Part:
    match part:
        case Title(text) | Heading(text):
            return replace(part, text=change(text))
        case Paragraph(text):
            return replace(part, text=change(text))
        case Copied(text):
            return Copied(change(text))
        case Bullets(items):
            return Bullets(tuple(map(change, items)))
        case Notes(items):
            return Notes(tuple(map(change, items)))
        case Labelled(label, items):
            return replace(part, label=change(label), items=tuple(map(change, items)))
        case Verbatim(lines):
            return Verbatim(tuple(map(change, lines)))
        case Table():
            return _table(part, change)
        case Picture(spec, note, figures):
            return Picture(_texts(spec, change), change(note), None if figures is None else _table(figures, change))
        case Unfolded(summary, parts):
            return replace(part, summary=change(summary), parts=tuple(_part(each, change) for each in parts))
        case Gap():
            return part


def _table(table: Table, change: Change) -> Table:
    rows = tuple(Row(tuple(map(change, row.cells)), detail=change(row.detail), strong=row.strong, tone=row.tone)
                 for row in table.rows)
    return replace(table, heads=tuple(map(change, table.heads)), rows=rows)


TEXTS = ("values", "domain", "title", "description")
"""Keys of a specification below which text is for readers; elsewhere it is Vega-Lite's own."""


def _texts(x: Any, change: Change, read: bool = False) -> Any:  # Any: a JSON value
    if isinstance(x, str):
        return change(x) if read else x
    if isinstance(x, dict):
        return {key: _texts(value, change, read or key in TEXTS) for key, value in x.items()}
    return [_texts(value, change, read) for value in x] if isinstance(x, list) else x


MOST_ROWS = 150
"""Rows of a table, and items of a list, that a page holds."""


def limited(page: Page) -> Page:
    """The page with long tables and lists cut, and the number of rows that are left out said below each."""
    return replace(page, sections=tuple(replace(s, parts=_cut(s.parts)) for s in page.sections))


def _cut(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    found: list[Part] = []
    for part in parts:
        match part:
            case Table() if len(part.rows) > MOST_ROWS:
                found += [replace(part, rows=part.rows[:MOST_ROWS]), Paragraph(_left_out(len(part.rows)))]
            case Bullets(items) if len(items) > MOST_ROWS:
                found += [Bullets(items[:MOST_ROWS]), Paragraph(_left_out(len(items)))]
            case Unfolded():
                found.append(replace(part, parts=_cut(part.parts)))
            case _:
                found.append(part)
    return tuple(found)


def _left_out(count: int) -> str:
    return f"{count - MOST_ROWS:,} more are left out here; --format json holds all {count:,}."
