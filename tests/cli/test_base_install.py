"""What a plain `pip install` answers: every command either works or names the extra that it needs, without a traceback."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BARE = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

OPTIONAL = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Absent())
from roi.__main__ import main

sys.argv = ["roi", *json.loads(sys.argv[2])]
main()
"""
OPTIONAL = ("duckdb", "ibis", "pyarrow", "pandas", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "trl",
            "pynvml", "tokenizers", "jinja2", "vl_convert", "xlsxwriter", "gpuhunt", "marimo", "zipfile_zstd")  # fmt: skip
"""What extras bring; openpyxl, scipy and the like are of the development's alone."""
EXTRAS = {
    ("usage", "openai_export.csv"): "usage",
    ("usage", "openai_export.csv", "--format", "json"): "usage",
    ("usage", "openai_export.parquet"): "usage",
    ("init", "own.yaml", "--usage", "openai_export.csv"): "usage",
    ("track", "tickets.yaml", "--actual", "tracked_usage.csv"): "usage",
    ("compare", "tickets.yaml", "--draws", "0", "--html", "page.html"): "report",
    ("compare", "tickets.yaml", "--draws", "0", "--xlsx", "book.xlsx"): "report",
    ("size", "--html", "page.html"): "report",
    ("profile", "train", "--device", "cpu"): "profile",
    ("profile", "infer", "--device", "cpu"): "profile",
    ("fit", "qwen3-8b", "--gpu", "L4", "--dry-run"): "profile",
    ("prices", "refresh"): "prices",
}  # fmt: skip


def answer(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the command prints where no optional package can be imported."""
    command = [sys.executable, "-c", BARE, json.dumps(OPTIONAL), json.dumps(words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, and a file that says it is Parquet."""
    made = tmp_path_factory.mktemp("bare")
    for name in ("openai_export.csv", "tickets.yaml", "tracked_usage.csv"):
        shutil.copy(ROOT / "examples" / name, made)
    (made / "openai_export.parquet").write_bytes(b"PAR1" + bytes(64) + b"PAR1")
    return made


@pytest.mark.parametrize(("words", "extra"), EXTRAS.items(), ids=map(" ".join, EXTRAS))
def test_what_needs_an_extra_says_which(folder: Path, words: tuple[str, ...], extra: str) -> None:
    found = answer(folder, *words)
    assert "Traceback" not in found.stderr
    assert (found.returncode, f"pip install 'lora-roi[{extra}]'" in found.stderr) == (1, True), found.stderr[-500:]


@pytest.mark.parametrize("words", [
    ("compare", "--draws", "0"), ("fit", "qwen3-8b", "--gpu", "L4"), ("size",), ("prices", "show", "L4"),
    ("validate", "--help"), ("next", "tickets.yaml", "--draws", "64")], ids=" ".join)
def test_the_rest_works(folder: Path, words: tuple[str, ...]) -> None:
    found = answer(folder, *words)
    assert (found.returncode, found.stderr.count("Traceback")) == (0, 0), found.stderr[-500:]
