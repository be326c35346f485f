"""What docs/ says of the tables' columns is what the code checks."""

import json

import pytest
from asked import ask
from render_tables import DOCS, EXAMPLES, KINDS, PAGE, page

from roi.answers.validate import open_table


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python lab/render_tables.py`"


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_in_docs_is_the_schema_of_the_code_and_what_the_command_prints(kind):
    published = json.loads((DOCS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert published == KINDS[kind].model_json_schema()
    assert json.loads(ask("schema", "--of", kind).stdout) == published


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_says_what_it_means(kind):
    columns = KINDS[kind].model_json_schema()["properties"]
    assert [name for name, field in columns.items() if not field.get("description")] == []


def test_the_scenario_stays_what_schema_prints_unless_another_is_asked_for():
    assert json.loads(ask("schema").stdout)["title"] == "Scenario"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_page_s_small_tables_are_read(kind, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(EXAMPLES[kind], encoding="utf-8")
    table = open_table(path, strict=True)
    assert [run.id for run in table.runs] == ["a"]
