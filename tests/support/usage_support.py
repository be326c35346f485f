"""Records of usage files, as plain dicts, for the tests of the formats."""

import json
import math
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from roi.cli import main
from roi.usage.formats import FORMATS
from roi.usage.log import read_log
from roi.usage.measure.aggregate import GUARD, NONE
from roi.usage.read.database import local_engine, rows_of
from roi.usage.read.files import find_files
from roi.usage.read.record import TOKENS, FileOptions, Format

DATA = Path(__file__).parents[1] / "data" / "usage"
CANARY = "CANARY-7f3a"
"""Stands in every fixture where a prompt or an answer would."""
READ: dict[str, tuple[tuple[Format, ...], list[dict[str, Any]]]] = {}
"""What `records` was asked, with the formats whose number is part of the question, and what it found."""


def fresh(tmp_path: Path, name: str) -> Path:
    """A folder for one more reading."""
    (tmp_path / name).mkdir()
    return tmp_path / name


def records(tmp_path: Path, *files: Path | str, formats: tuple[Format, ...] = FORMATS, zone: str = "UTC", anew: bool = False,
            **said: Any) -> list[dict[str, Any]]:
    """Records in the order of time; `said` are fields of FileOptions.

    Files of which the same was asked before are not read again; with `anew` they are, and lie in `tmp_path` as they are staged.
    """
    contents = [Path(file).read_bytes() if Path(file).is_file() else None for file in files]
    key = repr((files, contents, [id(form) for form in formats], zone, sorted(said.items())))
    if anew or None in contents or key not in READ:
        engine = local_engine(tmp_path, zone)
        log = read_log(find_files([str(file) for file in files]), formats, FileOptions(**said), engine, tmp_path)
        rows = rows_of(log.records, engine)
        READ[key] = formats, sorted(rows, key=lambda row: (row["at_us"] or 0, row["model"] or ""))
    return [dict(row) for row in READ[key][1]]


def totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Sums of the disjoint counts and of requests over the rows that count."""
    kept = [row for row in rows if row["dropped"] is None]
    return {name: sum(row[name] or 0 for row in kept) for name in (*TOKENS, "requests")}


def bin_of_count(count: int) -> int:
    """The log-bin of one token count, floor(8 log2 count): what `bin_of` asks a backend for."""
    return NONE if count <= 0 else math.floor(8 * math.log2(count) + GUARD)


def run_usage(*words: Path | str) -> Result:
    """`roi usage` with these words, and no comparison of tasks."""
    return CliRunner().invoke(main, ["usage", "--tasks", "0", *map(str, words)], prog_name="roi")


def usage_answer(*words: Path | str) -> dict[str, Any]:
    """What it says as JSON."""
    run = run_usage("--format", "json", *words)
    assert run.exit_code == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer
