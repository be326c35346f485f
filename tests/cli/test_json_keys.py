"""Every key of a command's JSON stands in docs/json.md."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from sizing_support import sized_scenario

from roi.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TICKETS = str(EXAMPLES / "tickets.yaml")
BESIDE = {"size": ("plans",), "fit": ("gpus",), "compare": ("options",)}
"""Lists whose objects have a table of their own."""


@pytest.mark.full
@pytest.mark.parametrize("words", [
    ("size",), ("fit", "qwen3-8b", "--gpu", "L4"), ("compare", "--draws", "128"), ("next", "--draws", "128"),
    ("usage", str(EXAMPLES / "tracked_usage.csv"), "--tasks", "0"),
    ("quality", str(EXAMPLES / "quality_rows.jsonl"), "--incumbent", "qwen3-8b"),
    ("check", TICKETS, str(EXAMPLES / "policy.yaml")), ("diff", TICKETS, str(EXAMPLES / "tickets_december.yaml")),
    ("prices", "gpt-6-sol"),
], ids=lambda words: words[0])
def test_every_key_stands_in_the_docs(tmp_path, words):
    words = (*words, str(sized_scenario(tmp_path))) if words == ("size",) else words
    found = CliRunner().invoke(main, [*words, "--format", "json"], prog_name="roi", catch_exceptions=False)
    assert found.exit_code in {0, 3}, (found.output, found.exception)
    body = json.loads(found.stdout)
    _, _, section = (ROOT / "docs" / "json.md").read_text(encoding="utf-8").partition(f"# The JSON of `roi {words[0]}`\n")
    told = set(re.findall(r"`(\w+)`", section.partition("\n# ")[0]))
    assert set(body) - told == set()
    for name in BESIDE.get(words[0], ()):
        assert set(body[name][0]) - told == set()
