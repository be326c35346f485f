"""A table in memory answers as the file of its rows does, is called by its number, and leaves no file behind."""

import pickle
import re
from pathlib import Path

import pandas as pd
import pytest

import roi
from roi.errors import InputError

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPORT = EXAMPLES / "openai_export.csv"
ROWS = [{"id": item, "model": model, "score": (item * factor) % 3 != 0}
        for item in range(200) for model, factor in (("gpt-6-sol", 1), ("qwen3-8b", 5))]


def frames(table):
    """The same as pandas, Arrow and Ibis have it."""
    ibis, arrow = pytest.importorskip("ibis"), pytest.importorskip("pyarrow")
    held = arrow.Table.from_pandas(table, preserve_index=False)
    return table, held, ibis.memtable(held)


def test_usage_in_a_table_is_that_of_its_file():
    asked = {"incumbent": "gpt-6-sol", "as_of": "2026-11-24"}
    found = roi.measure_usage(EXPORT, **asked)
    for table in frames(pd.read_csv(EXPORT)):
        same = roi.measure_usage(table, **asked)
        assert same == found
        assert same.warnings == found.warnings
    assert "(frame-1.parquet, 189 rows)" in " ".join(str(same).split())
    assert "roi-frames" not in str(same) + same._repr_html_()
    assert pickle.loads(pickle.dumps(same)) == found  # noqa: S301 -- what this test wrote


def test_results_in_a_table_are_those_of_its_file(tmp_path):
    asked, table = {"incumbent": "gpt-6-sol", "bar": 0.5}, pd.DataFrame(ROWS)
    table.to_csv(tmp_path / "rows.csv", index=False)
    found = roi.measure_quality(tmp_path / "rows.csv", **asked)
    for each in frames(table):
        assert roi.measure_quality(each, **asked) == found
    wide = table.pivot_table(index="id", columns="model", values="score").reset_index()
    columns = {"item": "id", "score": ["gpt-6-sol", "qwen3-8b"]}
    assert roi.measure_quality(wide, columns=columns, **asked)["scores"] == found["scores"]


def test_an_error_calls_a_table_by_its_number():
    table = pd.DataFrame({"moment": ["2026-11-01"], "sent": [4], "came": [2]})
    with pytest.raises(InputError, match=r'^frame-1\.parquet: no known export has its 3 columns.*columns=\{"time"'):
        roi.measure_usage(table)
    beside = roi.measure_usage(EXPORT, table, incumbent="gpt-6-sol").warnings[0]
    assert beside.startswith("frame-2.parquet is left out: no known export has its 3 columns")
    assert "--map" not in beside
    with pytest.raises(InputError, match=r"^files: frame-1, a DataFrame, cannot be read: "):
        roi.measure_usage(pd.DataFrame({"a": [object()]}))
    with pytest.raises(InputError, match=r"^files: list is not usable; a path, or a table of pandas, polars, Arrow or Ibis"):
        roi.measure_usage([EXPORT])


@pytest.mark.full
def test_usage_says_what_its_records_do_not_tell(tmp_path):
    """As `roi usage` prints it: what is not told, the rows left out, and the notes."""
    part = roi.measure_usage(EXPORT, incumbent="gpt-6-sol")
    assert any(told.startswith("not told: lengths: rows are buckets") for told in part.warnings)
    assert any(told.startswith("no row counts tokens written to a cache") for told in part.warnings)
    assert not any(told.startswith(("read: ", "What usage records")) for told in part.warnings)
    assert "What these records do not tell" in str(part)
    lines = EXPORT.read_text(encoding="utf-8").splitlines()
    broken = tmp_path / "broken.csv"
    lines.append(re.sub(",gpt-6-(sol|luna),", ",,", lines[-1]))
    broken.write_text("\n".join(lines), encoding="utf-8")
    part = roi.measure_usage(broken, incumbent="gpt-6-sol")
    assert any(" left out: " in told for told in part.warnings)


@pytest.mark.parametrize("day", ["24.11.2026", "2026-13-01", ""])
def test_a_day_that_is_none_is_refused(day):
    with pytest.raises(InputError, match=r"^as_of: .* is not usable; a day such as 2026-11-24"):
        roi.measure_usage(EXPORT, as_of=day)
