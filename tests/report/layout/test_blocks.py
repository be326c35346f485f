"""Blocks on a terminal and as Markdown: nothing wider than the screen, nothing left out."""

import pytest

from roi.report.layout.blocks import (
    Bullets,
    Gap,
    Heading,
    Notes,
    Paragraph,
    Row,
    Table,
    Title,
    Verbatim,
    render,
    render_markdown,
    render_text,
    wrap_arithmetic,
)
from roi.report.layout.html_blocks import render_html


def test_markdown_signs_in_names_are_escaped() -> None:
    table = Table(("a", "b"), (Row(("x|y", "*1*")),))
    assert render_markdown([table]).split("\n")[-1] == r"| x\|y | \*1\* |"


def test_a_name_too_long_for_its_column_stands_on_its_own_line() -> None:
    """Three figures of 6 and 3 gaps leave 20 - 9 = 11 < 16 columns for a name of 24: it goes above its figures."""
    table = Table(("name", "figure"), (Row(("n" * 24, "123456")), Row(("short", "7"))))
    assert render_text([table], width=24, colour=False).split("\n") == [
        "name              figure", "n" * 24, "                  123456", "short                  7"]


def test_arithmetic_breaks_before_its_operators() -> None:
    assert wrap_arithmetic("1,000 requests x 20 tok x $2/Mtok = $4", 26) == ["1,000 requests x 20 tok", "x $2/Mtok = $4"]


def test_columns_are_as_wide_as_their_widest_cell_and_figures_stand_right():
    table = Table(("name", "kind", "figure"), (Row(("a", "x", "1")), Row(("bb", "long", "1,000"))), align="ll")
    assert render([table]).split("\n") == [
        "name  kind  figure",
        "a     x          1",
        "bb    long   1,000"]


def test_a_column_may_have_a_least_width_and_a_table_no_heads():
    table = Table(("GiB", "name"), (Row(("1.5", "x")),), align="rl", widths=(8,), bare=True)
    assert render([table]) == "     1.5  x"
    assert render([table], "markdown") == "| GiB | name |\n|--:|:--|\n| 1.5 | x |"


@pytest.mark.parametrize("digits", [1, 7, 8, 20, 90])
@pytest.mark.parametrize("tree", [False, True])
def test_no_line_is_wider_than_the_screen_whatever_the_figures(digits, tree):
    """Nine figures of 8 digits and a name are wider than 80 columns with gaps of 1: each figure then stands beside its head."""
    figures = tuple(str(k) * digits for k in range(1, 10))
    rows = tuple(Row((name, *figures), detail="1 x 2 = 2") for name in ("first", "n" * 200, "last"))
    text = render([Table(("name", *(f"head {k}\nunit" for k in range(1, 10))), rows, tree=tree)])
    assert max(map(len, text.split("\n"))) <= 80
    plain = "".join(text.replace("│", "").split())
    assert all(plain.count(figure) >= 3 for figure in figures)
    assert plain.count("1x2=2") == 3


def test_every_block_but_a_verbatim_one_wraps():
    long = "word " * 50
    blocks = (Title(long), Heading(long), Paragraph(long), Bullets((long,)), Notes((long, "x" * 200)))
    assert max(map(len, render(blocks).split("\n"))) <= 80
    assert render([Verbatim(("x" * 200,))]) == "x" * 200


def test_the_later_lines_of_a_note_are_indented():
    assert render_text([Notes(("one two three", "four"))], width=9, colour=False).split("\n") == ["one two", "  three", "four"]


@pytest.mark.parametrize("width", range(24, 40))
def test_no_line_ends_or_begins_with_an_arrow(width):
    """The longest, "(-149,795.36 -> -149,812.11;", takes 28 of the columns: where a line has fewer, it breaks as other text."""
    text = "Cash $15,589 (month 1: $13,306) -> $903 a month; on 12 GPUs -> 8 GPUs (-149,795.36 -> -149,812.11; 5 -> 6 -> 7"
    lines = render_text([Notes((text,))], width=width, colour=False).split("\n")
    arrows = [line.strip() for line in lines if "->" in line]
    assert " ".join(line.strip() for line in lines) == text
    assert max(map(len, lines)) <= width
    if width >= 30:
        assert not [line for line in arrows if line.startswith("->") or line.endswith("->")]
        assert any("12 GPUs -> 8 GPUs" in line for line in arrows)


def test_an_arrow_stays_with_its_values_in_html_but_not_in_markdown():
    blocks = [Notes(("5 -> 6 a day",)), Table(("a",), (Row(("x 1 -> 2",)),)), Paragraph(f"{'a' * 30} -> {'b' * 30}")]
    html = render_html(blocks)
    assert "5\u00a0-&gt;\u00a06 a day" in html
    assert "x 1\u00a0-&gt;\u00a02" in html
    assert f"{'a' * 30} -&gt; b" in html
    assert "\u00a0" not in render(blocks, "markdown") + render(blocks)


def test_the_parts_of_a_report_stand_in_markdown_too():
    blocks = (Title("t"), Gap(), Notes(("n",)), Verbatim(("  a|b",)), Paragraph("p", strong=True))
    assert render(blocks, "markdown") == "# t\n\n- n\n\n```text\n  a|b\n```\n\n**p**"


def test_control_characters_become_spaces_in_every_block():
    dirty = "a\x1b[2Jb"
    blocks = (Title(dirty), Heading(dirty), Paragraph(dirty), Bullets((dirty,)), Notes((dirty,)), Verbatim((dirty,)),
              Table((dirty,), (Row((dirty,), detail=dirty),)))
    assert "\x1b" not in render(blocks)
