"""docs/api.md is what the docstrings say now, and its examples hold."""

import doctest
import itertools
import re
import textwrap
from importlib import import_module

import pytest
from render_api import INTRO, ORDER, PAGE, page

import roi
from roi.scenario.template import template


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make api`"


def test_every_public_name_is_on_the_page_and_says_what_it_is():
    text = PAGE.read_text(encoding="utf-8")
    names = [name for name in roi.__all__ if not name.startswith("_")]
    assert [name for name in names if f"\n## {name}\n" not in text and f"\n- `{name}`: " not in text] == []
    assert [name for name in ORDER if name not in names] == []


@pytest.mark.full
@pytest.mark.parametrize("module", ["asking", "measured_parts", "plots", "questions", "shown"])
def test_the_examples_of_the_docstrings_hold(module):
    found = doctest.testmod(import_module(f"roi.api.{module}"), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("text", [INTRO, pytest.param(roi.__doc__, marks=pytest.mark.full)], ids=["page", "help"])
def test_the_first_lines_to_type_run_as_they_stand(text, tmp_path, monkeypatch):
    (tmp_path / "my.yaml").write_text(template("bundled") + "\ndraws: 64\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = itertools.dropwhile(lambda line: line != "    from roi import compare", text.splitlines())
    code = "\n".join(itertools.takewhile(lambda line: not line or line.startswith("    "), lines))
    assert 'compare("my.yaml")' in code
    exec(textwrap.dedent(code), {})  # noqa: S102 -- the page's own text


def test_every_field_of_an_option_says_what_it_is():
    option = PAGE.read_text(encoding="utf-8").partition("\n## Option\n")[2].partition("\n## Chart\n")[0]
    assert re.findall(r"^- `\w+`$", option, re.MULTILINE) == []


def test_a_number_keeps_what_stands_before_its_point():
    assert "    margin: float = 0.02,\n" in page()
