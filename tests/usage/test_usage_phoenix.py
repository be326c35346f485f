"""Phoenix's frame of spans, saved as CSV or Parquet: the innermost calls, counts of attributes, no content."""

from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from usage_support import CANARY, DATA, records, totals

LOG = DATA / "phoenix_spans.csv"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_calls_count_and_what_stands_around_or_beside_them_does_not(ending: str, tmp_path: Path) -> None:
    """(100 - 60) + 200 uncached, 60 read, 10 + 30 out: the chain around them has the sum of both, 300 and 40."""
    log = LOG
    if ending == "parquet":
        log = tmp_path / "spans.parquet"
        pq.write_table(pc.read_csv(LOG), log)
    rows = records(tmp_path, log)
    assert totals(rows) == {"uncached_input": 240, "cache_read": 60, "cache_write": 0, "output": 40, "requests": 2}
    other = "an agent, tool or other span, which repeats the counts of its calls"
    assert [row["dropped"] for row in rows] == [other, None, other, None, "embeddings", "failed call"]
    assert [(row["provider"], row["model"], row["reasoning"]) for row in rows if row["dropped"] is None] == [
        ("openai", "gpt-5.4", 4), ("openai", "gpt-5.4", 0)]
    assert {row["source"] for row in rows} == {"phoenix"}
    assert rows[1]["at_us"] == 1_790_812_801_000_000
    assert CANARY not in str(rows)


def test_sessions_are_groups_where_asked(tmp_path: Path) -> None:
    rows = records(tmp_path, LOG, group_by="session")
    assert [row["group"] for row in rows if row["dropped"] is None] == ["c1", "c1"]
