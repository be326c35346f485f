"""Cloudflare AI Gateway's logs: a page of the API, lines of it, a table that was made of them."""

import csv
import json
from pathlib import Path

import pytest
from usage_support import DATA, fresh, records, totals

PAGE = DATA / "cloudflare.json"
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
