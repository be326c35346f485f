"""A folder of scenarios: a line each, in order, whatever becomes of one of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from asked import ask
from small_scenario import SMALL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scenarios, a bad one between them, and what is none."""
    made = tmp_path / "scenarios"
    (made / "more.yaml").mkdir(parents=True)
    for name, volume in (("b.yaml", 4000), ("a.yml", 40_000), ("d.json", 400)):
        text = json.dumps({**SMALL, "workload": {**SMALL["workload"], "requests_per_day": volume}})
        (made / name).write_text(text, encoding="utf-8")
    (made / "c.yaml").write_text("workload: {requests_per_day: -1}\n", encoding="utf-8")
    (made / "notes.txt").write_text("nothing", encoding="utf-8")
    return made


def run(*words: object) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, lines and what stderr said."""
    done = ask("compare", *words)
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_lines_come_in_the_order_of_the_names_and_one_bad_file_stops_no_other(folder: Path) -> None:
    code, lines, told = run(folder, "--format", "jsonl")
    assert [line["file"] for line in lines] == ["a.yml", "b.yaml", "c.yaml", "d.json"]
    assert code == 2
    assert "requests_per_day" in str(lines[2]["error"])
    assert "c.yaml could not be compared" in told
    assert [line["schema"] for line in lines if "error" not in line] == ["roi.comparison/3"] * 3


def test_a_line_holds_what_json_of_the_file_alone_holds(folder: Path) -> None:
    _, lines, _ = run(folder, "--format", "jsonl", "--draws", 64)
    alone = ask("compare", folder / "b.yaml", "--format", "json", "--draws", "64")
    assert lines[1] == {"file": "b.yaml", **json.loads(alone.stdout)}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (lambda folder: [folder], "a directory; give a file, or --format jsonl"),
        (lambda folder: [folder / "b.yaml", "--format", "jsonl"], "--format jsonl: is for a folder of scenarios"),
        (lambda folder: [folder, "--format", "jsonl", "--full"], "--full: shows one comparison"),
        (lambda folder: [folder / "more.yaml", "--format", "jsonl"], "holds no scenario"),
    ],
)
def test_what_fits_no_folder_is_refused(folder: Path, words: Callable[[Path], list[object]], told: str) -> None:
    code, lines, said = run(*words(folder))
    assert (code, lines) == (2, [])
    assert told in said
