"""What docs/ says of the tables' columns is what the code checks."""

import pytest
from render_tables import EXAMPLES, PAGE, page

from roi.answers.validate import open_table


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python lab/render_tables.py`"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_page_s_small_tables_are_read(kind, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(EXAMPLES[kind], encoding="utf-8")
    table = open_table(path, strict=True)
    assert [run.id for run in table.runs] == ["a"]
