"""LangSmith's runs in JSON: model calls alone, their metadata, cached tokens inside the prompt."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from usage_support import CANARY, DATA, records, totals

LOG = DATA / "langsmith_runs.jsonl"


@pytest.mark.parametrize("wrap", [None, list, lambda runs: {"runs": list(runs), "cursors": {}}])
def test_model_calls_count_and_the_runs_around_them_do_not(wrap: Callable[[Any], Any] | None, tmp_path: Path) -> None:
    """(419 - 12) + (200 - 150) = 457; 12 + 100 read, 50 written, 87 + 20 out. The chain has 619 and 107."""
    log = LOG
    if wrap is not None:
        log = tmp_path / "runs.json"
        log.write_text(json.dumps(wrap(map(json.loads, LOG.read_text().splitlines()))))
    rows = records(tmp_path, log)
    assert totals(rows) == {"uncached_input": 457, "cache_read": 112, "cache_write": 50, "output": 107, "requests": 2}
    other = "a chain, tool or other run, which repeats the counts of its calls"
    assert [row["dropped"] for row in rows] == [other, None, other, None, "embeddings", "failed call"]
    assert [(row["provider"], row["model"], row["cost_usd"]) for row in rows if row["dropped"] is None] == [
        ("openai", "gpt-4o-mini", 0.000115), ("aws", "us.anthropic.claude-haiku-4-5-20251001-v1:0", None)]
    assert (rows[1]["reasoning"], rows[1]["source"], rows[1]["at_us"]) == (5, "langsmith", 1_790_812_801_000_000)
    assert CANARY not in str(rows)
