"""The parts that a report is made of; a terminal and Markdown show the same ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Title:
    """The first line."""

    text: str


@dataclass(frozen=True)
class Heading:
    """The name of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Text that wraps at words."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list, one item a line or more."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Cells of a table; `detail` stands below them."""

    cells: tuple[str, ...]
    detail: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under heads. A head may have two lines. Cells are as wide as they need; the first column takes what is left."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    left: int = 1
    """Columns aligned left; the others are figures, aligned right."""
    tree: bool = False
    """Drawn as branches whose detail is arithmetic; the last row is the total."""


Block = Title | Heading | Paragraph | Bullets | Table
