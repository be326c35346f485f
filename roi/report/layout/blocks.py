"""The parts that a report is made of. Every report builds them, and roi.report.layout.render shows them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Title:
    """The first line of a report."""

    text: str


@dataclass(frozen=True)
class Heading:
    """The name of a section; an empty line stands above it."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Text that wraps between words."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list whose items have a mark each."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Notes:
    """Remarks below a table, without marks: the second line of a remark and those after it are indented."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Verbatim:
    """Lines that are shown as they stand, however long: a figure, or a path that is copied."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Gap:
    """An empty line on the terminal; Markdown parts its blocks by itself."""


@dataclass(frozen=True)
class Row:
    """Cells of a table, the last ones empty where there are fewer than heads; `detail` stands below them."""

    cells: tuple[str, ...]
    detail: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under heads. Columns are as wide as they need; the first one takes what is left."""

    heads: tuple[str, ...]
    """A head may have two lines."""
    rows: tuple[Row, ...]
    align: str = "l"
    """l or r for each column, from the first one on; columns beyond the last letter are aligned right."""
    widths: tuple[int, ...] = ()
    """Least widths of the columns, from the first one on."""
    bare: bool = False
    """True where a terminal shows no heads."""
    tree: bool = False
    """True where rows are drawn as branches whose detail is arithmetic, and the last row is the total."""


Block = Title | Heading | Paragraph | Bullets | Notes | Verbatim | Gap | Table
