"""Cloudflare AI Gateway's logs: a page of the API, lines of it, a table that was made of them."""

import csv
import json
from pathlib import Path

import pytest
from usage_support import DATA, fresh, records, run_usage, totals

PAGE = DATA / "cloudflare.json"
LIVE = DATA / "cloudflare_live.jsonl"
SUMS = {"uncached_input": 1312, "cache_read": 0, "cache_write": 0, "output": 160, "requests": 2}


def test_answers_of_the_gateway_s_cache_were_not_paid(tmp_path: Path) -> None:
    """812 + 500 and 120 + 40 tokens of two calls; another was answered from the cache, one met a 429."""
    rows = sorted(records(tmp_path, PAGE), key=lambda row: row["at_us"])
    assert totals(rows) == SUMS
    assert [row["dropped"] for row in rows] == [None, "answered from Cloudflare's cache", "failed call", None]
    assert [row["provider"] for row in rows] == ["openai", "openai", "google", "google"]
    assert [row["cost_usd"] for row in rows[::3]] == pytest.approx([0.0005, 0.00025])


def test_lines_and_a_table_are_the_same(tmp_path: Path) -> None:
    """A call that stands in two pages, since others came between the requests, counts once."""
    calls = json.loads(PAGE.read_text())["result"]
    (tmp_path / "logs.jsonl").write_text("\n".join(json.dumps(call) for call in (*calls, calls[0])))
    assert totals(records(fresh(tmp_path, "lines"), tmp_path / "logs.jsonl")) == SUMS
    with (tmp_path / "logs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(calls[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(calls)
    rows = records(fresh(tmp_path, "table"), tmp_path / "logs.csv")
    assert totals(rows) == SUMS
    assert {row["source"] for row in rows} == {"cloudflare-gateway"}


def test_what_a_provider_s_cache_gave_and_what_was_thought_count(tmp_path: Path) -> None:
    """Entries of a live gateway. Claude's 10 and 9 tokens stand beside 3,429 read, then written; Gemini's 21 beside 852 more.

    10 x $3 + 3,429 x $0.30 + 4 x $15 a million are the $0.0011187 of the gateway's own estimate, 9 x $3 + 3,429 x $3.75 +
    5 x $15 its $0.01296075. That of Gemini leaves the thinking out, and is no cost.
    """
    rows = {(row["model"], row["cache_read"]): row for row in records(tmp_path, LIVE) if row["dropped"] is None}
    read, written = rows["claude-sonnet-4-5-20250929", 3429], rows["claude-sonnet-4-5-20250929", 0]
    assert (read["uncached_input"], read["cache_write"], read["output"], read["cost_usd"]) == (10, 0, 4, 0.0011187)
    assert (written["uncached_input"], written["cache_write"], written["output"]) == (9, 3429, 5)
    thought = rows["gemini-2.5-flash", 0]
    assert (thought["uncached_input"], thought["output"], thought["reasoning"], thought["cost_usd"]) == (9, 873, 852, None)
    assert "anthropic, rows that report their cost: $0.0141 against $0.0141 at list price, x 1.000" in " ".join(
        run_usage(LIVE).stdout.split())


def test_an_input_of_claude_leaves_its_cache_out_on_vertex_too(tmp_path: Path) -> None:
    """5,000 tokens beside 3,429 that were read; Gemini's 5,000 count them. Older entries tell no cache."""
    call = json.loads(LIVE.read_text().splitlines()[0]) | {"provider": "google-vertex-ai", "tokens_in": 5000}
    calls = [call, call | {"id": "b", "model": "google/gemini-2.5-flash"}, call | {"id": "c", "usage_metadata": None}]
    calls = [calls[0] | {"model": "anthropic/claude-sonnet-4-5"}, *calls[1:]]
    (tmp_path / "vertex.jsonl").write_text("\n".join(map(json.dumps, calls)))
    rows = records(fresh(tmp_path, "vertex"), tmp_path / "vertex.jsonl")
    assert sorted(row["uncached_input"] for row in rows) == [1571, 5000, 5000]
