"""Cursor's CSV: disjoint input columns, rows that were not charged, costs that are words."""

from pathlib import Path

import pytest
from usage_support import DATA, records, totals

from roi.usage.formats.tools.cursor import CURSOR_CSV

FORMATS = (CURSOR_CSV,)


def test_the_two_input_columns_are_disjoint(tmp_path: Path) -> None:
    """First row: 9,541 written + 117,382 + 1,383,578 read + 13,232 out = 1,523,733, its Total Tokens.

    Three rows count: uncached 117,382 + 21,174 + 100 = 138,656; read 1,383,578 + 98,521 + 0 = 1,482,099; written 9,541; out
    13,232 + 3,728 + 10 = 16,970.
    """
    rows = records(tmp_path, DATA / "cursor.csv", formats=FORMATS)
    assert totals(rows) == {
        "uncached_input": 138_656, "cache_read": 1_482_099, "cache_write": 9_541, "output": 16_970, "requests": 3}
    assert rows[0]["model"] == "claude-4.6-opus-high-thinking"
    assert {row["provider"] for row in rows} == {"cursor"}


def test_rows_that_were_not_charged_or_do_not_add_up_say_why(tmp_path: Path) -> None:
    """1,200 + 1,000 + 5,000 + 300 = 7,500, not the 6,600 that its row says; nor is 1,200 + 5,000 + 300."""
    rows = records(tmp_path, DATA / "cursor.csv", formats=FORMATS)
    assert [row["dropped"] for row in rows] == [
        None, None, None, "failed or aborted call, not charged", "failed or aborted call, not charged",
        "paid with the user's own key: the provider's export has it", "no token counts",
        "Total Tokens is not the sum of the four counts"]


def test_a_cost_that_is_a_word_is_no_amount(tmp_path: Path) -> None:
    """Included and Free are words; $0.07 is seven cents."""
    rows = records(tmp_path, DATA / "cursor.csv", formats=FORMATS)
    assert [row["cost_usd"] for row in rows[:3]] == [None, pytest.approx(0.07), None]


def test_an_older_export_without_kind_and_user_is_read(tmp_path: Path) -> None:
    """200 + 30 + 1,000 + 40 = 1,270."""
    (row,) = records(tmp_path, DATA / "cursor_older.csv", formats=FORMATS)
    assert (row["cache_write"], row["uncached_input"], row["cache_read"], row["output"]) == (200, 30, 1000, 40)
    assert (row["dropped"], row["group"], row["cost_usd"]) == (None, None, 1.25)


def test_the_cost_may_be_named_with_its_currency(tmp_path: Path) -> None:
    """1,000 + 500 + 200 + 800 = 2,500. The header is that of an export of May 2026, as a reader's test has it."""
    file = tmp_path / "usage-events.csv"
    file.write_text(
        "Date,User,Kind,Max Mode,Model,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,"
        "Cost ($),Cloud Agent ID,Automation ID,Request Type,Requests\n"
        '"2026-05-09T10:00:00.000Z","me@example.com","On-Demand","No","claude-4-sonnet","1000","500","200","800","2500",'
        '"1,234.05","","","Usage","0.5"\n')
    (row,) = records(tmp_path, file, formats=FORMATS)
    assert (row["dropped"], row["cost_usd"]) == (None, 1234.05)


def test_the_total_tells_that_one_input_column_holds_the_other(tmp_path: Path) -> None:
    """159,990 + 578,207 + 2,055 = 740,252: the 150,000 that were not written are within the 159,990, and 9,990 were."""
    file = tmp_path / "usage-events.csv"
    file.write_text("Date,Model,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,Cost\n"
                    "2026-05-09T10:00:00.000Z,claude-4-sonnet,159990,150000,578207,2055,740252,0.5\n")
    (row,) = records(tmp_path, file, formats=FORMATS)
    assert (row["dropped"], row["cache_write"], row["uncached_input"], row["cache_read"], row["output"]) == (
        None, 9990, 150_000, 578_207, 2055)


def test_rows_are_grouped_by_user(tmp_path: Path) -> None:
    """Two rows are Jane's, six are Joe's."""
    rows = records(tmp_path, DATA / "cursor.csv", formats=FORMATS, group_by="user")
    assert [row["group"] for row in rows] == ["jane@example.com"] * 2 + ["joe@example.com"] * 6
