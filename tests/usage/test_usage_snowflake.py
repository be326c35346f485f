"""Snowflake's views of Cortex: rows of a live account."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from usage_support import DATA, fresh, records, run_usage, totals

from roi.usage.read.record import EMPTY_CALL, UNREADABLE_COUNT

REST = DATA / "snowflake_rest.jsonl"
FUNCTIONS = DATA / "snowflake_functions.jsonl"


def test_the_input_leaves_out_what_was_read_and_written(tmp_path: Path) -> None:
    """8 + 4,684 read + 6 = the 4,698 of TOKENS; of the second call 4,684 were written. 8 + 8 + 60 + 9; 6 + 6 + 262 + 12."""
    rows = records(tmp_path, REST)
    sums = {"uncached_input": 85, "cache_read": 4684, "cache_write": 4684, "output": 286, "requests": 4}
    assert totals(rows) == sums
    assert sum(sums.values()) - 4 == sum(int(json.loads(line)["TOKENS"]) for line in REST.read_text().splitlines())
    assert datetime.fromtimestamp(rows[0]["at_us"] / 1e6, UTC) == datetime(2026, 8, 19, 18, tzinfo=UTC)


def test_a_table_with_snowflake_s_own_times_is_the_same(tmp_path: Path) -> None:
    """TIMESTAMP_TZ_OUTPUT_FORMAT's default is YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM: an offset that stands apart."""
    rows = [json.loads(line) for line in REST.read_text().splitlines()]
    for row in rows:
        begins = datetime.fromtimestamp(float(row["START_TIME"].split()[0]) - 7 * 3600, UTC)
        row["START_TIME"] = f"{begins:%Y-%m-%d %H:%M:%S}.000 -0700"
    with (tmp_path / "rest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    table = records(fresh(tmp_path, "table"), tmp_path / "rest.csv")
    assert totals(table) == totals(records(tmp_path, REST))
    assert [row["at_us"] for row in table] == [row["at_us"] for row in records(tmp_path, REST)]


def test_times_are_hours_so_that_no_minute_makes_a_peak() -> None:
    assert "not told: times are whole hours" in run_usage(REST).stdout


def test_in_a_database_its_counts_are_not_opened(tmp_path: Path) -> None:
    """Without TOKENS_GRANULAR each request would have no token, and be no call."""
    with duckdb.connect(tmp_path / "log.ddb") as base:
        base.read_json(str(REST)).create("rest")
    run = run_usage("rest", "--backend", f"duckdb://{tmp_path / 'log.ddb'}")
    assert (run.exit_code, "export the table first" in run.stderr) == (2, True)


def test_counts_by_model_are_a_row_each(tmp_path: Path) -> None:
    (tmp_path / "code.json").write_text(json.dumps({
        "USAGE_TIME": "2026-09-17T21:31:43Z", "TOKENS": 130, "TOKEN_CREDITS": 0.1, "REQUEST_ID": "r", "TOKENS_GRANULAR": {
            "claude-opus-4-6": {"input": 7, "cache_read_input": 80, "cache_write_input": 3, "output": 10},
            "claude-haiku-4-5": {"input": 20, "output": 10}}}))
    rows = records(fresh(tmp_path, "code"), tmp_path / "code.json")
    assert [(row["model"], row["uncached_input"], row["cache_read"], row["cache_write"], row["output"]) for row in rows] == [
        ("claude-haiku-4-5", 20, 0, 0, 10), ("claude-opus-4-6", 7, 80, 3, 10)]


def test_queries_of_functions_are_sums_of_calls_that_nobody_counted(tmp_path: Path) -> None:
    """13 + 4,815 and 5 + 4; AI_CLASSIFY has 195 tokens in all, which nobody splits."""
    rows = records(tmp_path, FUNCTIONS)
    assert totals(rows) == {"uncached_input": 4828, "cache_read": 0, "cache_write": 0, "output": 9, "requests": 0}
    assert {row["kind"] for row in rows} == {"bucket"}
    assert [row["dropped"] for row in rows if row["dropped"]] == [
        "tokens of a function that does not tell its input from its output"]


@pytest.mark.parametrize("granular", [None, "{}", "oops", '{"audio": 4698}'])
def test_tokens_whose_counts_cannot_be_read_are_no_empty_call(granular: str | None, tmp_path: Path) -> None:
    """TOKENS says 4,698, TOKENS_GRANULAR not of what; a request of 0 tokens is no call."""
    row = json.loads(REST.read_text().splitlines()[0])
    calls = [row, {**row, "REQUEST_ID": "a", "TOKENS_GRANULAR": granular},
             {**row, "REQUEST_ID": "b", "TOKENS": "0", "TOKENS_GRANULAR": granular}]
    (tmp_path / "rest.jsonl").write_text("\n".join(map(json.dumps, calls)))
    assert {row["dropped"] for row in records(fresh(tmp_path, "lost"), tmp_path / "rest.jsonl")} == {
        None, UNREADABLE_COUNT, EMPTY_CALL}


def test_functions_without_tokens_are_no_sums_of_none(tmp_path: Path) -> None:
    row = json.loads(FUNCTIONS.read_text().splitlines()[0])
    pages = json.dumps([{"key": {"metric": "pages", "unit": "pages"}, "value": 13}])
    calls = [{**row, "QUERY_ID": str(k), "METRICS": metrics} for k, metrics in enumerate((row["METRICS"], pages, None, "oops"))]
    (tmp_path / "functions.jsonl").write_text("\n".join(map(json.dumps, calls)))
    rows = records(fresh(tmp_path, "pages"), tmp_path / "functions.jsonl")
    assert sorted(row["dropped"] or "" for row in rows) == [
        "", "a function of which no tokens are counted, but pages or the like", UNREADABLE_COUNT, UNREADABLE_COUNT]


def test_two_functions_of_a_query_are_two_sums_with_equal_counts(tmp_path: Path) -> None:
    """AI_COMPLETE and COMPLETE of one query, 13 + 5 tokens each."""
    row = json.loads(FUNCTIONS.read_text().splitlines()[0])
    (tmp_path / "functions.jsonl").write_text("\n".join(
        json.dumps({**row, "FUNCTION_NAME": name}) for name in ("AI_COMPLETE", "COMPLETE")))
    rows = records(fresh(tmp_path, "two"), tmp_path / "functions.jsonl", group_by="user")
    assert totals(rows)["uncached_input"] == 26
