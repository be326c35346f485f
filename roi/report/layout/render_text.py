"""Blocks as text for a terminal: aligned columns, no line longer than the width, colour only where asked."""

import re
from collections.abc import Iterable
from textwrap import TextWrapper
from typing import NamedTuple

from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
LEAST_NAME = 16
"""Narrowest first column; longer names stand on a line of their own."""


def wrap(text: str, width: int, initial_indent: str = "", subsequent_indent: str = "") -> list[str]:
    """Lines of at most `width`, broken between words; names with hyphens stay whole."""
    return TextWrapper(width, initial_indent, subsequent_indent, break_on_hyphens=False).wrap(text)


def render_text(blocks: Iterable[Block], *, width: int, colour: bool) -> str:
    """The blocks below each other."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Title(text):
                lines += [_bold(line, colour) for line in wrap(printable(text), width)]
            case Heading(text):
                lines += ["", *(_bold(line, colour) for line in wrap(printable(text), width))]
            case Paragraph(text, strong):
                lines += [_bold(line, colour and strong) for line in wrap(printable(text), width)]
            case Bullets(items):
                lines += [line for item in items
                          for line in wrap(printable(item), width, initial_indent="  - ", subsequent_indent="    ")]
            case Table():
                lines += _table(block, width, colour)
    return "\n".join(line.rstrip() for line in lines)


def printable(text: str) -> str:
    """The text on one line, without the control characters that a saved file may hold."""
    return "".join(ch if ch.isprintable() else " " for ch in text)


def _bold(line: str, colour: bool) -> str:
    line = line.rstrip()
    return f"{BOLD}{line}{PLAIN}" if colour and line else line


def _table(table: Table, width: int, colour: bool) -> list[str]:
    heads = [tuple(head.split("\n")) for head in table.heads]
    tall = max(len(head) for head in heads)
    above = [Row(tuple(((("",) * (tall - len(head))) + head)[k] for head in heads)) for k in range(tall)]
    rows = [*above, *table.rows]
    columns = [max(len(row.cells[k]) for row in rows) for k in range(len(heads))]
    indent = 3 if table.tree else 0
    wanted, others = columns[0] + indent, sum(columns[1:])
    gap = 2 if wanted + others + 2 * (len(columns) - 1) <= width else 1
    columns[0] = min(wanted, max(width - others - gap * (len(columns) - 1), LEAST_NAME))
    lines = []
    for k, row in enumerate(rows):
        body = k - tall
        branch, below = "", ""
        if table.tree and 0 <= body < len(table.rows) - 1:
            last = body == len(table.rows) - 2
            branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
        shown = _row(row, _Layout(columns, table.left, gap, width), branch, below)
        lines += [_bold(line, colour and (row.strong or body < 0)) for line in shown]
    return lines


class _Layout(NamedTuple):
    """How wide a table's columns are, and how many are aligned left."""

    columns: list[int]
    left: int
    gap: int
    width: int


def _row(row: Row, layout: _Layout, branch: str, below: str) -> list[str]:
    columns, left, gap, width = layout
    name, *cells = (printable(cell) for cell in row.cells)
    sized = enumerate(zip(cells, columns[1:], strict=True), start=1)
    figures = (" " * gap).join(cell.ljust(w) if k < left else cell.rjust(w) for k, (cell, w) in sized)
    lines = []
    if len(branch + name) > columns[0]:
        first, *more = wrap(name, width - len(branch)) or [""]
        lines = [branch + first, *(below + line for line in more)]
        name, branch = "", below
    if any(cells) or not lines:
        lines.append((branch + name).ljust(columns[0]) + " " * gap + figures)
    lead = below + "   " if branch else "    "
    lines += [lead + line for line in wrap_arithmetic(printable(row.detail), width - len(lead))]
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
