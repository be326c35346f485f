"""The parts of a report as HTML, for a notebook: a fragment without scripts and style sheets, in the colours of what is around.

All text is escaped. Marks are tints behind text of the surrounding colour, so that it reads on light and on dark ground.
"""

from collections.abc import Iterable
from html import escape
from typing import Final

from roi.report.layout.blocks import (
    Block,
    Bullets,
    Heading,
    Labelled,
    Notes,
    Paragraph,
    Row,
    Table,
    Title,
    Verbatim,
    flat_heads,
    full_rows,
    printable,
    unbroken,
)

TINTS: Final = {"good": "rgba(46,160,67,.16)", "doubt": "rgba(210,153,34,.16)", "alarm": "rgba(248,81,73,.18)"}
FRAME: Final = "line-height:1.45;max-width:60em"
TEXT: Final = "margin:.4em 0;padding:.2em .5em;border-radius:.3em"
CELL: Final = "padding:.15em .4em;border-bottom:1px solid rgba(128,128,128,.3)"
LOOKS: Final = {"left": "text-align:left", "right": "text-align:right;white-space:nowrap"}
"""A name breaks, a figure does not."""
NAME: Final = "min-width:9.5em;overflow-wrap:anywhere"
"""CSS of the cells of the first column."""
TABLE: Final = "border-collapse:collapse;margin:0;font-size:.92em;line-height:1.3;font-variant-numeric:tabular-nums"


def render_html(blocks: Iterable[Block]) -> str:
    """The blocks in one `<div>`."""
    return f'<div style="{FRAME}">{"".join(map(_html, blocks))}</div>'


def _html(block: Block) -> str:
    html = ""  # a Gap: HTML parts its blocks by itself
    match block:
        case Title(text) | Heading(text):
            level = "h3" if isinstance(block, Title) else "h4"
            html = f"<{level}>{_text(text)}</{level}>"
        case Paragraph(text, strong):
            html = f'<p style="{TEXT}">{_strong(_text(text)) if strong else _text(text)}</p>'
        case Bullets(items) | Notes(items):
            html = f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
        case Labelled(label, items, tone):
            html = f'<p style="{TEXT};{_tint(tone)}">{_strong(_text(label))} {"<br>".join(map(_text, items))}</p>'
        case Verbatim(lines):
            html = f"<pre>{escape(chr(10).join(map(printable, lines)))}</pre>"
        case Table():
            html = _table(block)
    return html


def _table(table: Table) -> str:
    sides = ["left" if side == "l" else "right" for side in table.align.ljust(len(table.heads), "r")]
    heads = "".join(f'<th scope="col" style="{CELL};text-align:{side}">{_text(head)}</th>'
                    for head, side in zip(flat_heads(table.heads), sides, strict=True))
    rows = "".join(_row(row, sides) for row in full_rows(table))
    return f'<div style="overflow-x:auto"><table style="{TABLE}"><tr>{heads}</tr>{rows}</table></div>'


def _row(row: Row, sides: list[str]) -> str:
    shown = [_strong(_text(cell)) if row.strong else _text(cell) for cell in row.cells]
    looks = [f"{CELL};{LOOKS[side]}{f';{NAME}' if k == 0 else ''}" for k, side in enumerate(sides)]
    cells = "".join(f'<td style="{look}">{cell}</td>' for cell, look in zip(shown, looks, strict=True))
    detail = f'<tr><td colspan="{len(sides)}" style="padding-left:2em">{_text(row.detail)}</td></tr>' if row.detail else ""
    return f'<tr style="{_tint(row.tone)}">{cells}</tr>{detail}'


def _tint(tone: str) -> str:
    return f"background:{TINTS[tone]}" if tone in TINTS else ""


def _strong(html: str) -> str:
    return f"<strong>{html}</strong>"


def _text(text: str) -> str:
    return escape(unbroken(" ".join(printable(text).split())))
