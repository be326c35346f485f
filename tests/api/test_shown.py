"""How a comparison shows itself: a short line, the one screen as text and as HTML, its options, its frames."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from small_scenario import SMALL

import roi
from roi.errors import InputError, MissingExtra, UnknownName
from roi.report.comparison.screen import screen
from roi.report.comparison.tables import TABLES


@pytest.fixture(scope="module")
def comparison():
    return roi.compare(SMALL, draws=64)


class Text(HTMLParser):
    """The words of a page, and its tags; an unknown or unclosed tag shows in the counts."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self.ended = [], [], []

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, _):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        self.ended.append(tag)


def read(html):
    text = Text()
    text.feed(html)
    text.close()
    assert sorted(tag for tag in text.tags if tag != "br") == sorted(text.ended)
    return text


def test_the_line_of_a_comparison_and_of_its_parts_is_short(comparison):
    assert repr(comparison).startswith("Comparison(5 options: Change to gpt-6-luna")
    assert len(repr(comparison)) < 250
    assert all(len(repr(comparison.option(o.id))) < 250 for o in comparison.options)
    assert "\n" not in repr(comparison)


def test_printed_it_is_the_screen(comparison):
    assert str(comparison) == screen(comparison, comparison.warnings)


def test_as_html_it_says_what_the_screen_says(comparison):
    html = read(comparison._repr_html_())
    words = " ".join(" ".join(html.words).split())
    for row in comparison.options[:1]:
        assert row.label in words
    assert [label for label in ("DO NOW", "NOT YET", "best of all") if label not in words] == []
    figures = set(re.findall(r"\$[\d,.]+\d", str(comparison)))
    assert figures
    assert {figure for figure in figures if figure not in words} == set()


def test_names_with_html_are_escaped_and_nothing_in_it_runs(comparison):
    bad = '<script>alert("1")</script><img src=x onerror=alert(1)>&amp;'
    title = comparison.case["title"].model_copy(update={"value": bad})
    options = tuple(replace(o, label=bad) for o in comparison.options)
    shown = replace(comparison, options=options, warnings=(bad,), case=comparison.case.model_copy(
        update={"facts": {**comparison.case.facts, "title": title}}))
    for html in (shown._repr_html_(), shown.option("stay")._repr_html_()):
        found = read(html)
        assert not {"script", "img"} & set(found.tags)
        assert 'alert("1")' in " ".join(found.words)  # shown as it stands


def test_an_option_is_found_by_id_kind_or_part_and_shows_its_cost_tree(comparison):
    option = comparison.option("stay")
    assert option == comparison.option("stay")
    assert comparison.option("cheaper-api").kind == "cheaper-api"
    assert comparison.option("gpt-6-luna > ").kind == "cascade"
    assert [text for text in (str(option), option._repr_html_()) if "API output" not in text] == []
    with pytest.raises(InputError, match="option: unknown option 'zzz'; kinds: stay"):
        comparison.option("zzz")
    with pytest.raises(InputError, match="option: unknown option 'lunar'; nearest: gpt-6-luna"):
        comparison.option("lunar")
    with pytest.raises(InputError, match="option: 'luna' could be"):
        comparison.option("luna")


def test_an_option_that_cannot_work_says_why():
    found = roi.compare({
        **SMALL, "candidates": {"vendor_tuned": ["openai/gpt-4.1"]}, "gates": {"learnable_from_examples": "no"},
    })  # fmt: skip
    barred = found.infeasible[0]
    assert found.option(barred.id) is barred
    assert barred.reason


def test_frames_have_the_rows_of_the_tables(comparison):
    frame = comparison.to_frame()
    assert list(frame.index) == list(comparison.case.options)
    assert list(frame.loc[frame["feasible"], "npv_usd"]) == [o.npv_usd for o in comparison.options]
    assert {name: len(comparison.to_frame(name)) > 0 for name in TABLES} == dict.fromkeys(TABLES, True)
    months = comparison.to_frame("months").groupby("option")["cost_usd"].sum()
    assert months["stay"] == pytest.approx(comparison.option("stay").tco_usd)
    with pytest.raises(UnknownName, match="unknown table 'fcts'; nearest: facts"):
        comparison.to_frame("fcts")


def test_without_pandas_the_extra_is_named(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if it were not installed
    with pytest.raises(MissingExtra, match=r"this needs pandas: pip install 'lora-roi\[frames\]'"):
        comparison.to_frame()


def test_markdown_is_that_of_the_command(comparison):
    assert comparison.to_markdown() == screen(comparison, comparison.warnings, "markdown")
    assert "## Included" in comparison.to_markdown(full=True)
