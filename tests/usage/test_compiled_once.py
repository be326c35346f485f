"""tests/support/compiled_once.py: SQL that is kept is the SQL that Ibis would compile, and what differs is compiled apart."""

import ibis
import pandas as pd
import pytest
from compiled_once import compiled_once, structure_of

from roi.usage.read.database import local_engine


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("ROI_TESTS_SHARED", str(tmp_path / "shared"))
    pd.DataFrame({"day": [1, 1, 2], "name": ["a", "b", "b"]}).to_parquet(tmp_path / "log.parquet")
    return local_engine(tmp_path)


def queries(table):
    """Of one table, each differs from the others in one thing."""
    other = table.view()
    joined = table.join(other, table.day == other.day).select(day=table.day, other=other["name"])
    return [
        table.group_by("day").agg(rows=table.count()), table.group_by("name").agg(rows=table.count()), joined,
        *(table.filter(table.day == day) for day in (1, 2, 1.0)), table.filter(table["name"] == "1"),
        *(table.mutate(cast=table.day.cast(kind)) for kind in ("int32", "string")), table.order_by(ibis.desc("day")),
        table.order_by("day"), ibis.union(table, table), ibis.union(table, table, distinct=True),
        *(table.limit(rows) for rows in (1, 2)),
    ]


def test_the_second_time_it_is_read_and_equal_but_for_the_name_of_the_table(engine, tmp_path):
    """Each is compiled once, and what is told of another file's table is what Ibis compiles for it."""
    anew, asked = engine.compile, []
    engine.compile = lambda query, **words: asked.append(query) or anew(query, **words)
    kept = compiled_once(engine)
    first, second = (queries(engine.read_parquet(tmp_path / "log.parquet")) for _ in range(2))
    assert [kept.compile(query) for query in first] == list(map(anew, first))
    assert len(asked) == len({structure_of(query.op())[0] for query in first}) == len(first)
    assert [kept.compile(query) for query in second] == list(map(anew, second))
    assert len(asked) == len(first)
    assert kept.to_pyarrow(second[0]).num_rows == 2


def test_what_is_asked_besides_is_compiled_as_ever(engine, tmp_path):
    table, kept = engine.read_parquet(tmp_path / "log.parquet"), compiled_once(local_engine(tmp_path))
    assert kept.compile(table, limit=1) != kept.compile(table)
    assert kept.compile(table, limit=1) == engine.compile(table, limit=1)
