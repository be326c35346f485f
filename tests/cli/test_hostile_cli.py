"""What somebody may type who means harm, or is careless: one message, exit 2, and nothing that a terminal obeys."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from asked import ask

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(("override", "told"), [
    ("int=1", "roi: int: unknown key; nearest: incumbent"),
    ("Spread=1", "roi: Spread: unknown key"),
    ("a[0]=1", "roi: a[0]: unknown key"),
    ("timing.horizon_months=0", "roi: timing.horizon_months: unknown key; nearest: horizon_months at the top level\n"),
    ("incumbent.usd_per_error=1", "roi: incumbent.usd_per_error: unknown key; nearest: quality.usd_per_error\n"),
    ("candidates.gpu=L4", "roi: candidates.gpu: unknown key; nearest: gpus, training.gpu,"),
    ("literal x=2", "roi: literal x: unknown key"),
    ("quality.scores.gpt={float: 3}", "quality.scores.gpt.float: unknown key"),
    ("title=x\nseed: 9", r"'x\nseed: 9' is not usable; one value a --set"),
    ('title="a\\nb"', "title: 'a\\nb' is not usable; one line of plain text"),
    ('title="a\\u202eb"', "title: 'a\\u202eb' is not usable; one line of plain text"),
    ('"a\\eb"=1', "unknown key"),
    ("seed=.inf", "seed=.inf' is not usable; .inf is not a finite number"),
    ("as_of=24.11.2026", "as_of: '24.11.2026' is not usable; it should be a day such as 2026-11-24; write 2026-11-24\n"),
    ("title=&a x", "anchor &a"),
    ("title=*a", "alias *a"),
    ("own_hardware.pue=0.5", "own_hardware.pue: 0.5 is not usable; 0.5 must be at least 1"),
])
def test_a_set_that_cannot_be_is_one_message(override: str, told: str) -> None:
    result = ask("compare", "--draws", "0", "--set", override)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not OBEYED.search(result.stderr)


@pytest.mark.parametrize(("words", "told"), [
    (("size", "examples/tickets.yaml", "--trace"), "--trace: {}: empty\n"),
    (("quality",), "{}: empty; results are JSON lines or CSV"), (("fit",), "MODEL: {}: empty\n"),
    (("track", "examples/tickets.yaml", "--bill"), "--bill: {}: empty\n"),
    pytest.param(("track", "examples/tickets.yaml", "--opencost"), "--opencost: {}: empty\n", marks=pytest.mark.full),
    (("compare",), "{}: empty; `roi init`"), (("usage",), "nothing to read; empty: {}\n"),
    (("check", "examples/tickets.yaml"), "{}: empty; `roi schema --of policy` says"),
])
def test_an_empty_file_is_called_empty(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    (tmp_path / "e.json").touch()
    result = ask(*words, tmp_path / "e.json")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert told.format(tmp_path / "e.json") in result.stderr


@pytest.mark.full
def test_a_plain_text_behind_set_is_taken_whole() -> None:
    result = ask("compare", "--draws", "0", "--set", "title=Budget #1: the plan")
    assert result.exit_code == 0
    assert result.stdout.startswith("Budget #1: the plan: ")


@pytest.mark.parametrize("name", ["a\x1b[31mb.yaml", "a\nb.yaml", "a\u202eb.yaml", "a\u2028b.yaml"])
def test_a_name_that_a_terminal_would_obey_is_written_out(name: str, tmp_path: Path) -> None:
    name = os.fsdecode(name.encode())  # as Python takes it from a shell, whatever the locale
    for command in (["compare"], ["fit"], ["size", "--trace"], ["validate"], ["quality"]):
        result = ask(*command, tmp_path / name)
        assert result.exit_code == 2, command
        assert result.stderr.count("\n") == 1, result.stderr
        assert not OBEYED.search(result.stderr), command


@pytest.mark.full
@pytest.mark.parametrize("command", [["compare", "--draws", "0"], ["--help"]])
def test_a_closed_stream_or_a_full_disk_is_no_traceback(command: list[str]) -> None:
    line = " ".join(["exec", sys.executable, "-m", "roi", *command])
    for stream, status in ((">&-", 0), ("2>&-", 0), (">/dev/full", 1), ("2>/dev/full", 0)):
        for unbuffered in ("", "1"):  # what Python holds back it writes as it ends
            ended = subprocess.run(["/bin/sh", "-c", f"{line} {stream}"], capture_output=True, text=True, check=False,
                                   env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
            assert ended.returncode == status, (stream, ended.stderr)
            assert "Traceback" not in ended.stderr
