"""The parts that a report is made of, and how they are shown: as text for a terminal, or as GitHub Markdown.

On a terminal no line is longer than the width, whatever the figures, but for Verbatim ones.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import TextWrapper

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
TONES = {"": "", "good": "\x1b[32m", "doubt": "\x1b[33m", "alarm": "\x1b[31m"}
"""Colours of what is recommended, of what nobody tested, and of what must be corrected."""


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
class Labelled:
    """Sentences behind a short label in the margin, each on lines of its own."""

    label: str
    items: tuple[str, ...]
    tone: str = ""
    """A name of TONES for the first sentence."""
    margin: int = 8
    """Columns that the label takes."""


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
    tone: str = ""


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
    cut: bool = False
    """True where a name that is longer than the first column is shortened, so that each row takes one line; not where it could
    then be another's."""
    beside: tuple[str, ...] = ()
    """Names without a row, which a shortened one must not be taken for."""


NO_BREAK = "\u00a0"
ARROW = re.compile(r"\d\S* ([^\W\d]\S*) -> \S+ \1|\S+(?: -> \S+)+")
"""A value, or more, and what it becomes; a unit of one word that both have belongs to it."""
CUT, SHORTEST = "...", 3
"""What stands for the end of a word that is cut, and how many of its letters are left at least."""
Block = Title | Heading | Paragraph | Bullets | Notes | Labelled | Verbatim | Gap | Table


def render(blocks: Iterable[Block], form: str = "table", *, width: int = 80, colour: bool = False) -> str:
    """The report in one of the forms of `--format`: "table" for a terminal, or "markdown"."""
    return render_markdown(blocks) if form == "markdown" else render_text(blocks, width=width, colour=colour)


def render_text(blocks: Iterable[Block], *, width: int, colour: bool) -> str:
    """The blocks below each other: aligned columns, bold text only with `colour`."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Title(text) | Heading(text):
                above = [""] if isinstance(block, Heading) else []
                lines += [*above, *(_paint(line, colour, strong=True) for line in wrap(text, width))]
            case Paragraph(text, strong):
                lines += [_paint(line, colour, strong=strong) for line in wrap(text, width)]
            case Bullets(items):
                lines += [line for item in items for line in wrap(item, width, "  - ", "    ")]
            case Notes(items):
                lines += [line for item in items for line in wrap(item, width, "", "  ")]
            case Labelled():
                lines += _labelled(block, width, colour)
            case Verbatim(shown):
                lines += [printable(line) for line in shown]
            case Gap():
                lines.append("")
            case Table():
                lines += _table(block, width, colour)
    return "\n".join(line.rstrip() for line in lines)


def wrap(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    """Lines of at most `width`, broken between words alone: a command or a name that is copied keeps its hyphens.

    An arrow stands on one line with the values on both its sides; text that is copied from a terminal has plain spaces.
    """
    text = unbroken(printable(text), width - max(len(first), len(later)))
    return [line.replace(NO_BREAK, " ") for line in TextWrapper(width, first, later, break_on_hyphens=False).wrap(text)]


def unbroken(text: str, most: int = 40) -> str:
    """The text, no line of which ends or begins with an arrow: no-break spaces between values of at most `most` characters.

    40 are half a line of a terminal: longer pairs would leave most of a line empty.
    """
    return ARROW.sub(lambda found: found[0].replace(" ", NO_BREAK) if len(found[0]) <= most else found[0], text)


def printable(text: str) -> str:
    """The text on one line, without the control characters that a saved file may hold."""
    return "".join(ch if ch.isprintable() else " " for ch in text)


def shortened(text: str, width: int, *, keep_kind: bool = False) -> str:
    """The text in at most `width` characters: its longest word is cut at its end, or before "+lora", then the next.

    Models, whose names have digits, are cut before words that say what kind of option it is, the first one wholly if need be.
    """
    words = text.split(" ")
    while (over := len(" ".join(words)) - width) > 0:
        names = [k for k, word in enumerate(words) if re.search(r"\d", word)] or range(len(words))
        k = max(names, key=lambda k: len(words[k].removesuffix(CUT)))
        stem, plus, kind = words[k].rpartition("+") if keep_kind and words[k].find("+") > 0 else (words[k], "", "")
        kept = max(len(stem) - over - len(CUT), SHORTEST - len(plus))
        if stem.endswith(CUT) or kept + len(CUT) >= len(stem):
            name = re.search(r"\S*\d\S*(?= )", text)
            before, after = (text[:name.start()], CUT + text[name.end() + 1:]) if name else ("", text)
            left = width - len(before + after)
            return f"{before}{name[0][:left]}{after}" if name and left >= 0 else text[: max(width - len(CUT), 0)] + CUT
        words[k] = stem[:kept] + CUT + plus + kind
    return " ".join(words)


def _labelled(block: Labelled, width: int, colour: bool) -> list[str]:
    """The first sentence beside the label, the others below it, all indented alike."""
    lead, margin = block.label.ljust(block.margin), " " * block.margin
    lead = lead if lead.endswith(" ") else lead + "  "
    first, *others = block.items
    return [*(_paint(line, colour, tone=block.tone) for line in wrap(first, width, lead, margin)),
            *(line for item in others for line in wrap(item, width, margin, margin))]


def _paint(line: str, colour: bool, *, strong: bool = False, tone: str = "") -> str:
    line = line.rstrip()
    codes = (BOLD if strong else "") + TONES[tone]
    return f"{codes}{line}{PLAIN}" if colour and line and codes else line


def _table(table: Table, width: int, colour: bool) -> list[str]:
    heads = [head.split("\n") for head in table.heads]
    tall = 0 if table.bare else max(len(head) for head in heads)
    above = [Row(tuple(([""] * (tall - len(head)) + head)[k] for head in heads)) for k in range(tall)]
    rows = [*above, *full_rows(table)]
    least = [*table.widths, *[0] * len(heads)]
    columns = [max(least[k], *(len(row.cells[k]) for row in rows)) for k in range(len(heads))]
    indent = 3 if table.tree else 0
    wanted, others, gaps = columns[0] + indent, sum(columns[1:]), len(columns) - 1
    gap = 2 if wanted + others + 2 * gaps <= width else 1
    left = width - others - gap * gaps
    if left < indent:
        return _stacked(table, width, colour)
    columns[0] = min(wanted, left)
    if table.cut:
        names = _apart([row.cells[0] for row in rows], left, table.beside)
        rows = [replace(row, cells=(name, *row.cells[1:])) for row, name in zip(rows, names, strict=True)]
    lines = []
    for k, row in enumerate(rows, start=-tall):
        branch, below = "", ""
        if table.tree and 0 <= k < len(table.rows) - 1:
            branch, below = ("└─ ", "   ") if k == len(table.rows) - 2 else ("├─ ", "│  ")
        shown = _row(row, columns, table.align, gap, width, branch, below)
        lines += [_paint(line, colour, strong=row.strong or k < 0, tone=row.tone) for line in shown]
    return lines


def _apart(names: Sequence[str], width: int, beside: Sequence[str]) -> list[str]:
    """The names in at most `width` characters, each for itself alone: cut within words, else at the end, else left whole."""
    every = {name.lstrip(" >?") for name in (*names, *beside)}

    def cut(name: str) -> str:
        at_end = name if len(name) <= width else name[:width - len(CUT)].rstrip() + CUT
        ways = (shortened(name, width), shortened(name, width, keep_kind=True), at_end)
        return next((way for way in ways if sum(stands_for(way.lstrip(" >?"), each) for each in every) == 1), name)

    return [cut(name) for name in names]


def stands_for(shown: str, name: str) -> bool:
    """True where the name is what is shown, or could have been cut to it."""
    return re.fullmatch(".+".join(map(re.escape, shown.split(CUT))), name) is not None


def _row(row: Row, columns: Sequence[int], align: str, gap: int, width: int, branch: str, below: str) -> list[str]:
    """A row's lines. A name that is longer than the first column stands on lines of its own, its figures below it."""
    sides = align.ljust(len(columns), "r")
    name, *cells = (printable(cell) for cell in row.cells)
    placed = [cell.ljust(w) if side == "l" else cell.rjust(w)
              for cell, w, side in zip(cells, columns[1:], sides[1:], strict=True)]
    lines = []
    if len(branch + name) > columns[0]:
        first, *more = wrap(name, width - len(branch)) or [""]
        lines = [branch + first, *(below + line for line in more)]
        name, branch = "", below
    if any(cells) or not lines:
        name = branch + name
        lines.append((" " * gap).join([name.ljust(columns[0]) if sides[0] == "l" else name.rjust(columns[0]), *placed]))
    lead = below + "   " if branch else "    "
    return lines + [lead + line for line in wrap_arithmetic(printable(row.detail), width - len(lead))]


def _stacked(table: Table, width: int, colour: bool) -> list[str]:
    """A table whose figures are wider than the screen: each row as its name, and below it every figure with its head."""
    heads = flat_heads(table.heads)
    lines: list[str] = []
    for row in full_rows(table):
        told = "; ".join(f"{head} {cell}".strip() for head, cell in zip(heads[1:], row.cells[1:], strict=True) if cell)
        lines += [_paint(line, colour, strong=row.strong, tone=row.tone) for line in wrap(row.cells[0], width)]
        lines += [line for text in (told, row.detail) for line in wrap(text, width, "    ", "    ")]
    return lines


def wrap_arithmetic(text: str, width: int) -> list[str]:
    """Lines of a product or sum, broken before its operators; words break only where one operand is too long."""
    lines: list[str] = []
    for piece in re.split(r" (?=[x+=/-] |\()", text):
        if lines and len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += " " + piece
            continue
        lines += wrap(piece, width) if piece else []
    return lines


def full_rows(table: Table) -> list[Row]:
    """The rows, each with a cell for every head."""
    return [replace(row, cells=row.cells + ("",) * (len(table.heads) - len(row.cells))) for row in table.rows]


def flat_heads(heads: Iterable[str]) -> list[str]:
    """Heads on one line each."""
    return [head.replace("-\n", "").replace("\n/", "/").replace("\n", " ").strip() for head in heads]


def render_markdown(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown; signs that Markdown would read as its own are escaped."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Title(text):
                lines += [f"# {_plain(text)}", ""]
            case Heading(text):
                lines += [f"## {_plain(text)}", ""]
            case Paragraph(text, strong):
                lines += [f"**{_plain(text)}**" if strong else _plain(text), ""]
            case Bullets(items) | Notes(items):
                lines += [*(f"- {_plain(item)}" for item in items), ""]
            case Labelled(label, items):
                first, *others = map(_plain, items)
                lines += [f"**{label}** {first}", "", *(f"- {item}" for item in others), *([""] if others else [])]
            case Verbatim(shown):
                lines += ["```text", *(printable(line) for line in shown), "```", ""]
            case Table():
                lines += [*_markdown_table(block), ""]
    return "\n".join(lines).rstrip()


def _markdown_table(table: Table) -> list[str]:
    detailed = any(row.detail for row in table.rows)
    heads = flat_heads(table.heads)
    rule = [":--" if side == "l" else "--:" for side in table.align.ljust(len(heads), "r")]
    if detailed:
        heads, rule = [*heads, "how" if table.tree else "why"], [*rule, ":--"]
    rows = []
    for row in full_rows(table):
        cells = [_plain(cell) for cell in (*row.cells, *([row.detail] if detailed else []))]
        rows.append([f"**{cells[0]}**" if row.strong else cells[0], *cells[1:]])
    return [_line(heads), "|" + "|".join(rule) + "|", *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    for sign in "\\|*_<`[$":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())
