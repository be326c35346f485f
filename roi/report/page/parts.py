"""What an HTML report is made of: sections of blocks, as on a terminal, with pictures and parts that unfold between them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from roi import __version__
from roi.report.layout.blocks import Block, Bullets, Heading, Notes, Paragraph, Table, Title

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


def told(blocks: Iterable[Block], pictures: Mapping[str, Sequence[Part]], first: str = "The answer", foot: str = "",
         facts: tuple[str, ...] = ()) -> Page:
    """A page of what a terminal shows: its title, what stands before the first heading, then a section for each heading.

    `pictures` stand at the end of the section of that name; those of a name that is no heading make a section of their own,
    after the first. `foot` stands behind the version of roi, `facts` below the title. Hints at options of the
    command line are left out.
    """
    title, sections, shown = "", {first: list[Part]()}, first
    sections |= {name: [] for name in pictures if name != first}
    for block in blocks:
        match block:
            case Title(text):
                title = text
            case Heading(text):
                shown = text
                sections.setdefault(shown, [])
            case Notes(items):
                sections[shown].append(Notes(tuple(item for item in items if not item.startswith("--"))))
            case _:
                sections[shown].append(block)
    for name, parts in pictures.items():
        sections[name] = [*sections[name], *parts]
    return Page(title=title, facts=facts, foot=f"roi {__version__}.{foot}", sections=tuple(
        Section(name, tuple(parts), lead=name == first) for name, parts in sections.items() if parts))


Change = Callable[[str], str]
KEPT = {"tone", "align"}
"""Fields whose text is no reader's."""
T = TypeVar("T")


def changed(part: T, change: Change) -> T:
    """The page, or a part of one, with every text in it changed, those inside pictures too."""
    found: Any = part  # Any: of every kind that a page is made of
    if isinstance(part, str):
        found = change(part)
    elif isinstance(part, tuple):
        found = tuple(changed(each, change) for each in part)
    elif isinstance(part, dict):
        found = _texts(part, change)
    elif is_dataclass(part) and not isinstance(part, type):
        told = {f.name: changed(getattr(part, f.name), change) for f in fields(part) if f.name not in KEPT}
        found = replace(part, **told)
    return found  # type: ignore[no-any-return]  # of the kind that came in


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
