"""Portkey's logs: cents, caches of two kinds, and bodies that are never read."""

import csv
import json
from pathlib import Path

import pytest
from usage_support import DATA, fresh, records, totals

from roi.usage.read.record import OVER

LOGS = DATA / "portkey.jsonl"


def test_costs_are_cents_and_calls_count_once_paid(tmp_path: Path) -> None:
    """Input: 2,000 - 1,024 read = 976; 500 beside 3,000 read and 40 written, which it cannot hold; 300. An answer of Portkey's
    cache and a 429 do not count. $0.0056, $0.002 and $0.001 for 0.56, 0.2 and 0.1 cents.
    """
    rows = records(tmp_path, LOGS)
    assert [row["dropped"] for row in rows] == [None, None, None, "answered from Portkey's cache", "failed call"]
    assert totals(rows) == {"uncached_input": 1776, "cache_read": 4024, "cache_write": 40, "output": 350, "requests": 3}
    assert [row["perhaps_cached"] for row in rows[:3]] == [1024, 0, 0]
    assert [row["cost_usd"] for row in rows[:3]] == pytest.approx([0.0056, 0.002, 0.001])
    assert [(row["provider"], row["model"], row["group"]) for row in rows[:3]] == [
        ("openai", "gpt-4.1", "triage"), ("anthropic", "claude-haiku-4-5", None), ("azure", "gpt-4.1", None)]
    said = records(fresh(tmp_path, "said"), LOGS, includes_cache=True)
    assert said[1]["dropped"] == OVER
    apart = records(fresh(tmp_path, "apart"), LOGS, includes_cache=False)
    assert totals(apart) == {"uncached_input": 2800, "cache_read": 4024, "cache_write": 40, "output": 350, "requests": 3}


def test_a_table_that_was_made_of_the_lines_is_the_same(tmp_path: Path) -> None:
    """Without responses: nothing is known to be cached."""
    lines = [json.loads(line) for line in LOGS.read_text().splitlines()]
    flat = [{name: value for name, value in line.items() if not isinstance(value, dict)} for line in lines]
    names = list(dict.fromkeys(name for line in flat for name in line if not name.startswith("response.")))
    with (tmp_path / "logs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(flat)
    rows = records(fresh(tmp_path, "table"), tmp_path / "logs.csv")
    assert totals(rows) == {"uncached_input": 2800, "cache_read": 0, "cache_write": 0, "output": 350, "requests": 3}
    assert [row["cost_usd"] for row in rows if not row["dropped"]] == pytest.approx([0.0056, 0.002, 0.001])
    assert {row["source"] for row in rows} == {"portkey"}


def test_cents_are_no_dollars_to_who_maps_the_columns_either(tmp_path: Path) -> None:
    """They are left out, as long as nobody says that they are the cost."""
    (tmp_path / "a.csv").write_text("created_at,model,req_units,res_units,cost\n2026-10-01,gpt-4.1,2000,200,0.56\n")
    mapped = (("input", "req_units"), ("output", "res_units"))
    assert records(tmp_path, tmp_path / "a.csv", columns=mapped)[0]["cost_usd"] is None
    said = records(fresh(tmp_path, "said"), tmp_path / "a.csv", columns=(*mapped, ("cost", "cost")))
    assert said[0]["cost_usd"] == pytest.approx(0.56)
