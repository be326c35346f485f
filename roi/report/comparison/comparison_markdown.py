"""The comparison as GitHub Markdown: the same blocks as on the terminal."""

from collections.abc import Iterable, Sequence

from roi.economics.decision.comparison import Comparison
from roi.report.comparison.story import tell
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title


def comparison_markdown(c: Comparison, warnings: Sequence[str], explain: str | None = None, *,
                        all_options: bool = False) -> str:
    """The report as Markdown tables."""
    return render_markdown(tell(c, warnings, explain, all_options=all_options))


def render_markdown(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Title(text):
                lines += [f"# {_plain(text)}", ""]
            case Heading(text):
                lines += [f"## {_plain(text)}", ""]
            case Paragraph(text, strong):
                lines += [f"**{_plain(text)}**" if strong else _plain(text), ""]
            case Bullets(items):
                lines += [*(f"- {_plain(item)}" for item in items), ""]
            case Table():
                lines += [*_table(block), ""]
    return "\n".join(lines).rstrip()


def _table(table: Table) -> list[str]:
    detailed = any(row.detail for row in table.rows)
    heads = [head.replace("-\n", "").replace("\n/", "/").replace("\n", " ").strip() for head in table.heads]
    rule = [":--"] * table.left + ["--:"] * (len(heads) - table.left)
    if detailed:
        heads, rule = [*heads, "how" if table.tree else "why"], [*rule, ":--"]
    return [_line(heads), "|" + "|".join(rule) + "|", *(_row(row, detailed) for row in table.rows)]


def _row(row: Row, detailed: bool) -> str:
    cells = [_plain(cell) for cell in row.cells]
    if row.strong:
        cells[0] = f"**{cells[0]}**"
    return _line([*cells, _plain(row.detail)] if detailed else cells)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text whose signs Markdown would read as its own."""
    for sign in "\\|*_<`[$":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())
