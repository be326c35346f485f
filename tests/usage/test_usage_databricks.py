"""Databricks' table of its AI gateway: rows of a live workspace."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from usage_support import DATA, fresh, records, run_usage, totals

from roi.usage.read.record import UNREADABLE_COUNT

ROWS = DATA / "databricks_gateway.jsonl"
SUMS = {"uncached_input": 9 + 9 + 37 + 3 + 31 + 13 + 11, "cache_read": 1642 + 3022, "cache_write": 1642,
        "output": 4 + 4 + 200 + 4 + 220 + 4, "requests": 7}


def test_the_input_counts_what_was_read_and_written(tmp_path: Path) -> None:
    """1,651 - 1,642 = 9, what Anthropic's own answers said of both calls; 3,025 - 3,022 = 3. Embeddings have no output."""
    rows = records(tmp_path, ROWS)
    assert totals(rows) == SUMS
    assert {row["source"] for row in rows} == {"databricks-gateway"}
    assert sorted(row["dropped"] for row in rows if row["dropped"]) == ["failed call", "failed call"]


def test_who_serves_is_databricks_or_whose_key_it_was(tmp_path: Path) -> None:
    rows = records(tmp_path, ROWS)
    assert {(row["provider"], row["model"]) for row in rows if not row["dropped"]} == {
        ("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5.6"), ("openai", "o4-mini"),
        ("databricks", "databricks-llama-4-maverick"), ("databricks", "databricks-qwen35-122b-a10b"),
        ("databricks", "databricks-qwen3-embedding-0-6b")}
    assert " have no price" not in run_usage(ROWS).stdout
    assert {row["reasoning"] for row in rows if row["model"] == "o4-mini"} == {220}


def test_databricks_own_interface_names_no_vendor(tmp_path: Path) -> None:
    """mlflow/v1/chat/completions reaches a model under any vendor's key: its maker is paid, not "mlflow"."""
    row = json.loads(ROWS.read_text().splitlines()[0])
    (tmp_path / "usage.jsonl").write_text(json.dumps({**row, "api_type": "mlflow/v1/chat/completions"}))
    (call,) = records(fresh(tmp_path, "own"), tmp_path / "usage.jsonl")
    assert (call["provider"], call["model"]) == (None, "claude-sonnet-4-5")
    assert "mlflow" not in run_usage(tmp_path / "usage.jsonl").stdout


def test_calls_of_a_model_without_counts_are_lost_and_those_of_a_tool_are_none(tmp_path: Path) -> None:
    rows = [json.loads(ROWS.read_text().splitlines()[0]) | {"request_id": api, "api_type": api, "input_tokens": None}
            for api in ("mlflow/v1/chat/completions", "mcp")]
    (tmp_path / "usage.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert {row["dropped"] for row in records(fresh(tmp_path, "lost"), tmp_path / "usage.jsonl")} == {
        UNREADABLE_COUNT, "no tokens are counted, as of calls of a tool"}


@pytest.mark.parametrize("written", [str, lambda cell: str(json.loads(cell))])
def test_a_table_with_json_in_its_cells_is_the_same(written: Callable[[str], str], tmp_path: Path) -> None:
    """As Databricks writes an object, and as pandas does."""
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
    rows = [row | {"token_details": written(row["token_details"])} for row in rows]
    (tmp_path / "usage.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert totals(records(fresh(tmp_path, "lines"), tmp_path / "usage.jsonl")) == SUMS
    with (tmp_path / "usage.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert totals(records(fresh(tmp_path, "table"), tmp_path / "usage.csv")) == SUMS


def test_its_older_table_names_the_model_by_what_is_served(tmp_path: Path) -> None:
    """system.serving.endpoint_usage joined to served_entities: a table of one's own, in which a call may stand twice."""
    (tmp_path / "usage.csv").write_text(
        "databricks_request_id,status_code,request_time,input_token_count,output_token_count,served_entity_name\n"
        "r1,200,2026-09-29T09:00:00.123Z,3100,220,databricks-claude-sonnet-4-5\n"
        "r1,200,2026-09-29T09:00:00.123Z,3100,220,databricks-claude-sonnet-4-5\n"
        "r2,429,2026-09-29T09:02:00.123Z,0,0,databricks-claude-sonnet-4-5\n")
    found = records(fresh(tmp_path, "older"), tmp_path / "usage.csv")
    (row,) = [row for row in found if not row["dropped"]]
    assert (row["model"], row["uncached_input"], row["output"]) == ("databricks-claude-sonnet-4-5", 3100, 220)


def test_a_model_without_a_price_and_most_of_the_tokens_is_not_left_out_of_a_part(tmp_path: Path) -> None:
    """Nine calls of Databricks' own to one of Anthropic's: what was spent tells of the one alone."""
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
    own, other = (next(row for row in rows if row["destination_model"] == name) for name in (
        "llama-4-maverick", "claude-sonnet-4-5"))
    own |= {"destination_name": "system.ai.ours", "input_tokens": "1651"}
    calls = [own | {"request_id": f"r{k}"} for k in range(9)] + [other]
    (tmp_path / "usage.jsonl").write_text("".join(json.dumps(row) + "\n" for row in calls))
    run = run_usage(tmp_path / "usage.jsonl", "--output", tmp_path / "part.yaml")
    assert (run.exit_code, (tmp_path / "part.yaml").exists()) == (2, False)
    assert "databricks-ours has no price and 90% of the tokens" in run.stderr
