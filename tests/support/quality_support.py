"""Results of evaluations for the tests of `roi quality`: fixtures, small files, and the command as JSON."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from roi.cli import main

DATA = Path(__file__).parents[1] / "data" / "quality"
CANARY = "CANARY-7f3a"
"""Stands in every fixture where a prompt or an answer would."""


class Answer(NamedTuple):
    code: int
    data: dict[str, Any]
    """The JSON answer; empty where the run was refused."""
    error: str

    @property
    def scores(self) -> dict[str, tuple[int, float]]:
        """Items and score by system."""
        return {each["system"]: (each["items"], round(each["value"], 6)) for each in self.data["scores"]}

    @property
    def left_out(self) -> dict[str, int]:
        return {each["reason"]: each["rows"] for each in self.data["left_out"]}

    def against(self, system: str) -> dict[str, Any]:
        """The difference of a system to the incumbent."""
        return next(each for each in self.data["differences"] if each["system"] == system)


def quality(*arguments: Path | str) -> Answer:
    """`roi quality` as JSON; a refusal is one line on stderr and an empty stdout."""
    run = CliRunner().invoke(main, ["quality", "--format", "json", *map(str, arguments)])
    if run.exit_code:
        assert run.stdout == "", run.stdout
        assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
        assert run.stderr.startswith("roi: "), run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        return Answer(run.exit_code, {}, run.stderr.strip())
    return Answer(0, json.loads(run.stdout), run.stderr)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pair_rows(n11: int, n10: int, n01: int, n00: int) -> list[dict[str, Any]]:
    """Rows of `today` and `other` on items of which so many are right on both, on `today` alone, on `other` alone, on none."""
    marks = [(1, 1)] * n11 + [(1, 0)] * n10 + [(0, 1)] * n01 + [(0, 0)] * n00
    return [{"id": k, "system": name, "score": mark}
            for k, pair in enumerate(marks) for name, mark in zip(("today", "other"), pair, strict=True)]
