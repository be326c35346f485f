"""One HTML page: text stays text, the policy names exactly what runs, and no path, account or machine stands in it."""

import base64
import json
import re
from hashlib import sha256
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from long_tables import every_row

from roi.errors import MissingExtra
from roi.report.layout.blocks import Bullets, Heading, Labelled, Paragraph, Row, Table, Verbatim
from roi.report.page import page as page_file
from roi.report.page.hidden_places import without_places
from roi.report.page.page import page_html
from roi.report.page.parts import MOST_ROWS, Copied, Page, Part, Picture, Section, Unfolded, changed, limited
from roi.report.redaction import redaction

HOSTILE = '<img src=x onerror="alert(1)"> </script><script>alert(2)</script> \x1b[31m=HYPERLINK("http://x")\x00 \u202e'
SPEC = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "title": "t", "description": "d", "mark": "line"}


def page_of(*parts: Part, title: str = "A title") -> Page:
    return Page(title=title, facts=("today",), sections=(Section("One", parts, lead=True),), foot="foot")


def everything(text: str) -> Page:
    table = Table((text, text), (Row((text, text), detail=text),))
    spec = {**SPEC, "title": text, "description": text, "data": {"values": [{"name": text}]}}
    return page_of(
        Heading(text), Paragraph(text), Bullets((text,)), Labelled(text, (text,), "good"), Verbatim((text,)), table,
        Picture(spec, text, table), Unfolded(text, (Paragraph(text), Copied(text))), title=text,
    )


def test_what_a_name_holds_stays_text_in_every_part() -> None:
    html = page_html(everything(HOSTILE), "0;")
    assert "<img" not in html
    assert "alert(2)</script>" not in html
    assert "\x1b" not in html
    assert "\x00" not in html
    assert html.count("<script") == 4  # a picture, the ranges, the drawing script, the page's own
    data = re.findall(r'<script type="application/json">(.*?)</script>', html)
    assert json.loads(data[0])["data"]["values"][0]["name"].startswith("<img")
    assert "&lt;img" in html


def test_the_policy_names_every_script_and_style_and_nothing_else() -> None:
    html = page_html(everything("x"), "window.drawing = '<!-- no comment -->'.length;")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    told = policy[1].replace("&#39;", "'")
    rules = dict(part.strip().partition(" ")[::2] for part in told.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in told
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digests = [base64.b64encode(sha256(body.encode()).digest()).decode() for body in bodies]
        assert rules[kind].split() == [f"'sha256-{digest}'" for digest in digests]
    assert not re.search(r"\son\w+\s*=", re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL))
    assert not re.search(r'\sstyle\s*="', html)
    assert not re.search(r'<(?:link|iframe|object|embed|base|img)\b|\b(?:src|srcset)\s*=\s*"', html)


def test_headings_tables_and_pictures_say_what_they_are() -> None:
    table = Table(("option", "cash\nUSD"), (Row(("a", "1"), strong=True),))
    html = page_html(page_of(Picture(SPEC, "how to read it", table)), "0;")
    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1
    assert '<th scope="col">option</th><th scope="col" class="r">cash USD</th>' in html
    assert '<th scope="row">a</th><td class="r">1</td>' in html
    assert 'role="img" aria-label="d"' in html
    assert "<noscript>" in html


def test_a_row_of_a_table_that_a_phone_cannot_hold_is_its_name_and_every_figure_with_its_head() -> None:
    """42 characters less 1.6 a column: a name of 15 and four figures of 4 need 39, of 5 they need 43; a long text breaks."""
    def table(figure: str, word: str = "x") -> Table:
        return Table(("option", *"abcd"), (Row((word, *[figure] * 4)),))

    narrow, wide = (page_html(page_of(table(figure)), "0;") for figure in ("1,00", "1,000"))
    assert 'class="wide"' not in narrow
    assert "data-head=" not in narrow
    assert '<table class="wide">' in wide
    assert '<td data-head="d" class="r">1,000</td>' in wide
    assert 'class="wide"' not in page_html(page_of(table("1,00", "words " * 20)), "0;")
    assert 'class="wide"' not in page_html(page_of(Table(("option", "why"), (Row(("x", "words " * 20)),), align="ll")), "0;")


@every_row("text, kept", [
    ("dry run /home/ada/profiles/a100/run-1.json, read", "dry run run-1.json, read"),
    ("~/cases/x.yaml and ./part.yaml", "x.yaml and part.yaml"),
    (r"C:\Users\ada\roi.yaml", "roi.yaml"),
    (r"\\server\share\folder", "…"),
    ("file:///home/ada/x.html", "x.html"),
    ("ada@gpu-box.lan:/data", "…"),
    ("http://gpu-box-7:8000/v1 and http://10.0.0.3/v1", "http://…/v1 and http://…/v1"),
    ("any/qwen3-8b/dry-run-2026-11-25.json", "dry-run-2026-11-25.json"),
    ("in /srv/models/secret, and", "in …, and"),
    ("https://www.anthropic.com/pricing#api", None), ("openai/gpt-6-luna at $2/Mtok", None), ("USD/month, 3 req/s", None),
    ("modal.com/pricing", None), ("0.5 to 2 hours/month", None), ("cash\nUSD\n/month", None), ("1.5", None), ("a/b/c", None),
    ("answers.wrong", None), ("genai-prices 0.2.3, https://console.groq.com/docs/models", None),
])
def test_a_place_is_left_out_and_what_only_looks_like_one_stays(text: str, kept: str | None) -> None:
    page = without_places(page_of(Paragraph(text), Picture({**SPEC, "data": {"values": [{"name": text}]}}, text)))
    paragraph, picture = page.sections[0].parts
    expected = text if kept is None else kept
    assert paragraph == Paragraph(expected)
    assert isinstance(picture, Picture)
    assert picture.spec["data"]["values"] == [{"name": expected}]
    assert picture.spec["$schema"] == SPEC["$schema"]


def test_the_own_account_and_machine_are_left_out_and_common_names_are_not() -> None:
    page = without_places(page_of(Paragraph("by lovelace on box17, a root of it")), ["lovelace", "box17", "root", "/h"])
    assert page.sections[0].parts == (Paragraph("by … on …, a root of it"),)


def test_names_and_rates_are_told_by_what_stands_for_them() -> None:
    told = "gpt-x at $2/Mtok, $5 to $9/hour; wrong answers at $0.5 each; cash $700/month; gpt-x-mini;"
    told += " gpt-x's GPU hour above $7.6 (today $3.99, L4)"
    change = redaction({"gpt-x": "model 1"}, ["price of a card $900"])
    page = changed(page_of(Paragraph(told), Paragraph("price of a card $900")), change)
    assert page.sections[0].parts == (
        Paragraph("model 1 at $…/Mtok, $…/hour; wrong answers at $… each; cash $700/month; gpt-x-mini;"
                  " model 1's GPU hour above $…, L4)"),
        Paragraph("price of a card …"),
    )


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = tuple(Row((str(k),)) for k in range(MOST_ROWS + 7))
    page = limited(page_of(Table(("k",), rows), Unfolded("more", (Bullets(tuple("x" for _ in rows)),))))
    table, said, more = page.sections[0].parts
    assert isinstance(table, Table)
    assert len(table.rows) == MOST_ROWS
    assert said == Paragraph("7 more are left out here; --format json holds all 157.")
    assert isinstance(more, Unfolded)
    assert len(more.parts) == 2


def test_the_drawing_script_is_kept_by_version_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_file, "version", lambda package: "9.9")
    kept = tmp_path / "roi" / f"vega-lite-{page_file.VEGA_LITE}-9.9.js"
    page_file._keep(kept, "drawn();")
    assert page_file.drawing_script(tmp_path / "roi") == "drawn();"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_nothing_in_the_drawing_script_ends_its_tag() -> None:
    assert page_file._inline("a='</script>';b='<!--'") == "(()=>{a='<\\/script>';b='<\\!--'\n})();"


def test_without_vl_convert_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(page_file, "version", missing)
    with pytest.raises(MissingExtra, match=r"lora-roi\[report\]"):
        page_file.drawing_script(tmp_path)
