"""No prompt and no answer leaves `roi usage`: not in what it prints or writes, nor in its temporary folder."""

import gzip
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from usage_support import CANARY, DATA

from roi.cli import main
from roi.usage.read import database as engine
from roi.usage.read import raw

BODIES = ("input", "output", "request_body", "response_body", "messages", "prompt", "response", "completion", "inputBodyJson",
          "gen_ai.prompt", "gen_ai.input.messages", "text", "user_message")  # fmt: skip
"""Columns and keys that hold what people and models say."""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of all that lay in temporary folders when they were deleted."""
    inside, copies = tmp_path / "temporary", tmp_path / "kept"
    inside.mkdir()
    copies.mkdir()
    monkeypatch.setenv("TMPDIR", str(inside))
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    clean = tempfile.TemporaryDirectory.cleanup
    leave = tempfile.TemporaryDirectory.__exit__

    def copy(folder: "tempfile.TemporaryDirectory[str]") -> None:
        if Path(folder.name).exists():
            shutil.copytree(folder.name, copies / Path(folder.name).name, dirs_exist_ok=True)

    def copy_and_clean(self: "tempfile.TemporaryDirectory[str]") -> None:
        copy(self)
        clean(self)

    def copy_and_leave(self: "tempfile.TemporaryDirectory[str]", *error: Any) -> None:  # Any: as Python hands it over
        copy(self)
        leave(self, *error)

    monkeypatch.setattr(tempfile.TemporaryDirectory, "cleanup", copy_and_clean)
    monkeypatch.setattr(tempfile.TemporaryDirectory, "__exit__", copy_and_leave)
    return copies


def holds_canary(file: Path) -> bool:
    """True where it is in the bytes, or in a cell or a column's name of Parquet, whose pages are compressed."""
    if CANARY.encode() in file.read_bytes():
        return True
    if file.suffix != ".parquet":
        return False
    found = pq.read_table(file)
    return CANARY in str(found.column_names) + str(found.to_pylist())


def check_private(tmp_path: Path, kept: Path, *arguments: Path | str, code: int = 0) -> str:
    """Run with every output there is, and look for the canary in all of it; returns stdout and stderr."""
    written = (tmp_path / "part.yaml", tmp_path / "trace.parquet")
    said = ""
    for form in ("table", "json"):
        more = ["--trace", str(written[1]), "--output", str(written[0]), "--provider", "openai", "--force"] if not code else []
        run = CliRunner().invoke(main, ["usage", "--tasks", "0", "--format", form, *more, *map(str, arguments)])
        assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
        assert run.exit_code == code, run.stderr
        said += run.stdout + run.stderr
    assert CANARY not in said
    temporary = [file for file in kept.rglob("*") if file.is_file()]
    assert temporary or code or str(arguments[0]).endswith(".parquet")  # which is read where it lies
    for file in (*temporary, *(file for file in written if file.exists())):
        assert not holds_canary(file), file
    assert not list((tmp_path / "temporary").iterdir())
    return said


def call(second: int) -> dict[str, object]:
    return {"timestamp": f"2026-09-01T00:00:{second:02d}Z", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 10,
            **dict.fromkeys(BODIES, f'{CANARY} "said", at length')}  # fmt: skip


def as_csv(path: Path, encoding: str = "utf-8") -> None:
    """With a line of too few cells, one of too many, one with an open quote, and a count that is a prompt."""
    names = list(call(0))
    rows = [",".join('"' + str(value).replace('"', '""') + '"' for value in call(k).values()) for k in range(5)]
    bad = [CANARY, rows[0] + f",{CANARY}",
           f'2026-09-01T00:00:09Z,gpt-4o,{CANARY},1' + ",x" * len(BODIES), f'{CANARY},"{CANARY}']  # noqa: Q000 -- a quote
    path.write_text("\n".join([",".join(names), *rows, *bad]) + "\n", encoding=encoding)


def as_lines(path: Path) -> None:
    bad = [CANARY, f'{{"prompt": "{CANARY}', f'["{CANARY}"]', json.dumps(call(6) | {"input_tokens": CANARY}),
           json.dumps(call(7) | {"output_tokens": {"a": CANARY}})]
    path.write_text("\n".join([*(json.dumps(call(k)) for k in range(5)), *bad]))


def as_document(path: Path) -> None:
    path.write_text(json.dumps([call(k) for k in range(5)]))


def as_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([call(k) for k in range(5)]), path)


@pytest.mark.full
@pytest.mark.parametrize(("name", "write"), [
    ("a.csv", as_csv), ("a.jsonl", as_lines), ("a.json", as_document), ("a.parquet", as_parquet)])
def test_bodies_are_in_nothing_that_is_printed_or_written(
        tmp_path: Path, kept: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    assert CANARY.encode() in (tmp_path / name).read_bytes()
    assert "5 requests" in check_private(tmp_path, kept, tmp_path / name)


@pytest.mark.full
@pytest.mark.parametrize("how", ["utf-16", "latin-1", "gzip", "a cut gzip", "rejected beyond what is noted"])
def test_bodies_of_tables_read_in_python_stay_out_too(
        tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    file = tmp_path / "a.csv"
    as_csv(file, how if "-1" in how else "utf-8")
    if how == "rejected beyond what is noted":
        monkeypatch.setattr(raw, "MOST_REJECTS", 1)
    if "gzip" in how:
        packed = gzip.compress(file.read_bytes())
        file.write_bytes(packed if how == "gzip" else packed[:-9])
    check_private(tmp_path, kept, file)


@pytest.mark.parametrize(("kind", "encoding"), [
    ("csv", "utf-16"), ("jsonl", "utf-8"), *(
        pytest.param(*each, marks=pytest.mark.full) for each in (("csv", "utf-8"), ("jsonl", "utf-16")))])
def test_text_inside_metadata_stays_out(tmp_path: Path, kept: Path, encoding: str, kind: str) -> None:
    """LiteLLM's metadata hold counts and whatever the caller put there."""
    source = (DATA / f"litellm_spendlogs.{kind}").read_text()
    assert CANARY in source
    (tmp_path / f"a.{kind}").write_text(source, encoding=encoding)
    run = CliRunner().invoke(main, ["usage", "--tasks", "0", "--format", "json", str(tmp_path / f"a.{kind}")])
    assert run.exit_code == 0, run.stderr
    files = [file for file in kept.rglob("*") if file.is_file()]
    assert files
    assert CANARY not in run.stdout + run.stderr
    assert not [file for file in files if holds_canary(file)]


@pytest.mark.parametrize("content", [
    f"{CANARY} dear model, how are you, my friend\nmore\n", f"{CANARY}\n", f'"{CANARY}"', f'{{"{CANARY}": 1}}',
    f'[["{CANARY}"]]',
    f'{{"prompt": "{CANARY}', f"2026-09-01,gpt-4o,5,5,{CANARY}\n2026-09-01,gpt-4o,5,5,x\n", f'{{"prompt": "{CANARY}"}}',
    f'{{"messages": [{{"content": "{CANARY}"}}]}}\n{{"messages": []}}\n'])
def test_a_refusal_shows_nothing_of_the_text(tmp_path: Path, kept: Path, content: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    check_private(tmp_path, kept, tmp_path / "a.txt", code=2)


@pytest.mark.full
def test_bodies_are_not_spilled_where_memory_is_short(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 MB of bodies in two files that are compared, with 100 MB for a reader whose buffers are 4 MB."""
    monkeypatch.setattr(engine, "MEMORY_LIMIT", "100MB")
    monkeypatch.setattr(raw, "LONGEST_ROW", 1 << 22)
    header = "timestamp,model,input_tokens,output_tokens,prompt"
    for k in range(2):
        rows = [f"2026-09-{k + 1:02d}T00:00:{i % 60:02d}Z,gpt-4o,{i},1,{CANARY}{'x' * 2000}" for i in range(10_000)]
        (tmp_path / f"{k}.csv.gz").write_bytes(gzip.compress("\n".join([header, *rows]).encode(), 1))
    check_private(tmp_path, kept, tmp_path / "0.csv.gz", tmp_path / "1.csv.gz")
