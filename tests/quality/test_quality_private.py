"""No prompt and no answer leaves `roi quality`: not in what it prints or writes, nor in a temporary file."""

import json
import tempfile
from pathlib import Path

import pytest
from asked import ask
from quality_support import CANARY, DATA, pair_rows, write_rows

from roi.quality.evaluation_set import read_evaluation
from roi.quality.result_rows import Asked

INCUMBENT = ("--incumbent", "gpt-6-sol")
FIXTURES = [
    ("promptfoo.json", ()), ("promptfoo_two_prompts.jsonl", ()), ("langfuse_scores.json", ()),
    ("langfuse_scores.csv", ("--metric", "correct")), ("inspect/*.json", ("--system", "mockllm/gpt-6-sol=gpt-6-sol")),
    ("inspect/*.eval", ("--system", "mockllm/gpt-6-sol=gpt-6-sol")),
    ("harness", ("--filter", "strict-match", "--system", "acme/gpt-6-sol=gpt-6-sol")),
]  # fmt: skip


@pytest.fixture
def no_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for temporary files, which stays so."""
    inside = tmp_path / "temporary"
    inside.mkdir()
    monkeypatch.setenv("TMPDIR", str(inside))
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    return inside


@pytest.mark.parametrize("form", ["table", "json", "markdown"])
@pytest.mark.parametrize(("name", "options"), FIXTURES)
def test_bodies_are_in_nothing_that_is_printed_or_written(
        tmp_path: Path, no_temporary_files: Path, name: str, options: tuple[str, ...], form: str) -> None:
    part = tmp_path / "part.yaml"
    run = ask("quality", DATA / name, *INCUMBENT, *options, "--format", form, "--output", part)
    assert run.exit_code == 0, run.stderr
    assert CANARY not in run.stdout + run.stderr + part.read_text()
    assert list(no_temporary_files.iterdir()) == []


@pytest.mark.parametrize("name", ["promptfoo.json", "promptfoo_two_prompts.jsonl"])
def test_no_column_holds_a_text(name: str) -> None:
    """Items of promptfoo are known by a hash of their variables."""
    found = read_evaluation([str(DATA / name)], Asked())
    assert CANARY in (DATA / name).read_text()
    assert CANARY not in repr((found.items, found.systems, found.notes))


def test_columns_of_text_beside_the_ids_stay_where_they_are(tmp_path: Path, no_temporary_files: Path) -> None:
    rows = [row | {"prompt": CANARY, "answer": CANARY, "label_reason": CANARY} for row in pair_rows(3, 1, 1, 1)]
    path = write_rows(tmp_path / "r.jsonl", [*rows, {"id": 9, "system": "other", "score": CANARY}])
    run = ask("quality", path, "--incumbent", "today", "--format", "json")
    assert json.loads(run.stdout)["left_out"][0]["rows"] == 1
    assert CANARY not in run.stdout + run.stderr
    assert list(no_temporary_files.iterdir()) == []


@pytest.mark.parametrize("content", [
    f"{CANARY} dear model, how are you\nmore\n", json.dumps(CANARY), json.dumps({CANARY: 1}), json.dumps([[CANARY]]),
    json.dumps({"prompt": CANARY})[:-2], json.dumps([{"id": 1, "score": 1, "system": "a", "prompt": CANARY}])[:-1],
    json.dumps({"messages": [{"content": CANARY}]}), json.dumps({"id": 1, "system": "a", "score": CANARY}),
    f"id,score,{CANARY}\n1,1,{CANARY}\n", json.dumps({"id": CANARY * 30, "system": "a", "score": 1}),
    json.dumps({"id": 1, "system": CANARY * 30, "score": 1}),
    json.dumps({"id": 1, "system": "a", "score": 7, "prompt": CANARY}),
])
def test_a_refusal_shows_nothing_of_the_text(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    run = ask("quality", tmp_path / "a.json", *INCUMBENT)
    assert run.exit_code == 2, run.output
    assert CANARY not in run.output
