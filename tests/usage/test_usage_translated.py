"""The tests' own short cut: an expression that was put into SQL before is not put into it again, and any other is."""

import pytest
from translated_before import parts

from roi.usage.read.database import local_engine, rows_of
from roi.usage.read.lazy_ibis import ibis


def test_an_expression_is_known_by_all_that_its_sql_says(tmp_path) -> None:
    """-1 and -2 have one hash in Python; 1, 1.0 and true are equal."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    tables = [local_engine(tmp_path).read_csv(tmp_path / "a.csv") for _ in range(2)]
    one, other = (table.mutate(c=table.a + 1) for table in tables)
    assert parts(one.op()) == parts(other.op()), "of another engine, whose tables are called the same"
    table = tables[0]
    unlike = [*(table.mutate(c=ibis.literal(x)) for x in (-1, -2, 1, 1.0, True, "1")), table.mutate(d=ibis.literal(-1)),
              table.filter(table.a > 1), table.filter(table.a >= 1), table.filter(table.b > 1), one, table]
    assert len({parts(each.op()) for each in unlike}) == len(unlike)


@pytest.mark.parametrize("number", [-1, -2])
def test_each_gives_its_own_rows(tmp_path, number: int) -> None:
    (tmp_path / "a.csv").write_text("a\n5\n")
    engine = local_engine(tmp_path)
    table = engine.read_csv(tmp_path / "a.csv")
    assert rows_of(table.mutate(b=table.a + number), engine) == [{"a": 5, "b": 5 + number}]
