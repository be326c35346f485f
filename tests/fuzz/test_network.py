"""No command goes out that nobody sent: `profile serve URL`, `prices refresh` and `fit OWNER/NAME` alone connect."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import commands

pytestmark = pytest.mark.full
CORPUS = Path(__file__).parent / "corpus"
GUARD = """
import json, sys
from click.testing import CliRunner
from roi.cli import main

seen = []
sys.addaudithook(lambda event, args: seen.append((event, str(args[1:]))) if event in {
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"} else None)
for command in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, command)
    if result.exit_code:
        sys.exit(f"{command}: {result.output[-800:]} {result.exception!r}")
    if seen:
        sys.exit(f"{command}: {seen}")
"""
QUICK = (
    ["compare", "scenario.yaml", "--draws", "0", "--html", "a.html", "--xlsx", "a.xlsx"], ["size"],
    ["fit", "qwen3-8b", "--gpu", "L4"], ["fit", "./config.json"], ["usage", "usage.csv", "--trace", "a.parquet"],
    ["quality", "results.jsonl", "--incumbent", "gpt-6-sol", "--bar", "0.8"], ["next", "scenario.yaml", "--draws", "64"],
    ["diff", "scenario.yaml", "--as-of", "2026-11-25"], ["check", "scenario.yaml"],
    ["track", "scenario.yaml", "--draws", "100", "--bill", "bill.csv"], ["prices", "show", "H100"],
    ["prices", "add", "rent", "--gpu", "l40s", "--vendor", "x", "--usd-per-gpu-hour", "1", "--source", "x"],
    ["prices", "add", "api", "openai/x", "--input", "1", "--output", "2", "--source", "x"],
    ["prices", "add", "card", "--gpu", "l40s", "--usd", "9000", "--source", "x"],
    ["init", "a.yaml"], ["help", "title"], ["schema"], ["validate", "training.csv"], ["calibrate", "training.csv"],
    ["profile", "serve", "http://localhost:1", "--plan"],
)  # fmt: skip
SMALL = ("--device", "cpu", "--budget", "20s", "--profiles", "own")
MEASURED = (
    ["profile", "train", *SMALL, "--trainer", "trl", "--seq", "16", "--micro-batch", "1"],
    ["profile", "infer", *SMALL, "--decode", "2"],
    ["profile", "device", "--device", "cpu", "--budget", "2s", "--profiles", "own"],
    ["fit", "llama-3.2-1b", "--gpu", "L4", "--dry-run", "--profiles", "own", "--seq", "64"],
)  # fmt: skip
UNWATCHED = {("prices", "refresh"), ("profile", "probe")}
"""One is there to connect, one needs a GPU."""


def test_every_command_is_watched():
    asked = [" ".join(words) for words in (*QUICK, *MEASURED)]
    left = {words for words in commands() if not any(line.startswith(" ".join(words)) for line in asked)}
    assert left == UNWATCHED


@pytest.mark.parametrize("lines", [QUICK, pytest.param(MEASURED, marks=pytest.mark.slow)], ids=["quick", "measured"])
def test_no_command_opens_a_connection(lines, tmp_path, monkeypatch):
    shutil.copytree(CORPUS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    done = subprocess.run([sys.executable, "-c", GUARD, json.dumps(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[-1500:]) == (0, "")
