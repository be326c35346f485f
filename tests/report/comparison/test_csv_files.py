"""The long tables as CSV: read back they say what the tables say, and no text of theirs is a formula."""

import csv
import io

import pytest
from small_scenario import SMALL

from roi.economics.decision.comparison import compare
from roi.report.comparison.tables import TABLES, cell, csv_files, table
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario


def test_each_table_is_a_file_with_its_columns_and_rows() -> None:
    c = compare(resolve(check_scenario({**SMALL, "horizon_months": 6})).case)
    files = {name: "".join(parts) for name, parts in csv_files(c).items()}
    assert list(files) == [f"{name}.csv" for name in TABLES]
    for name in TABLES:
        head, *rows = csv.reader(io.StringIO(files[f"{name}.csv"], newline=""))
        found = table(c, name)
        assert head == list(found.columns)
        assert rows == [["" if x is None else str(cell(x)) for x in row] for row in found.rows]


@pytest.mark.parametrize(
    ("value", "written"),
    [('=HYPERLINK("x")', '\'=HYPERLINK("x")'), ("+1", "'+1"), ("-1 x", "'-1 x"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "' =1"),
     ("a=1", "a=1"), ("two\nlines\x1b[31m", "two lines [31m"), (-1.5, -1.5), (None, None), (True, "TRUE"),
     ((1.0, 2.0), "[1.0, 2.0]"), (float("inf"), float("inf"))],
)  # fmt: skip
def test_texts_are_no_formulas_and_numbers_stay_numbers(value: object, written: object) -> None:
    assert cell(value) == written
