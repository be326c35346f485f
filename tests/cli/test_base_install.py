"""What a plain `pip install` answers: every command either works or names the extra that it needs, without a traceback."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sizing_support import sized_scenario

ROOT = Path(__file__).parents[2]
BARE = """
import json, os, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

OPTIONAL, ALL_WORDS = map(json.loads, sys.argv[1:])
sys.meta_path.insert(0, Absent())
from roi.__main__ import main
from roi.answers import compare, fit

ended = []
for number, words in enumerate(ALL_WORDS):
    if (child := os.fork()) == 0:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{number}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        sys.argv = ["roi", *words]
        main()
        break
    ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print(json.dumps(ended))
"""
"""Runs every command in a process of its own, a copy of one that has loaded what commands have in common."""
OPTIONAL = ("duckdb", "ibis", "pyarrow", "pandas", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "trl",
            "pynvml", "tokenizers", "jinja2", "vl_convert", "xlsxwriter", "gpuhunt", "marimo", "zipfile_zstd")  # fmt: skip
"""What extras bring; openpyxl, scipy and the like are of the development's alone."""
EXTRAS = {
    ("usage", "openai_export.csv"): "usage",
    ("usage", "openai_export.parquet"): "usage",
    ("init", "own.yaml", "--usage", "openai_export.csv"): "usage",
    ("compare", "tickets.yaml", "--draws", "0", "--html", "page.html"): "report",
    ("profile", "train", "--device", "cpu"): "profile",
    ("profile", "infer", "--device", "cpu"): "profile",
    ("fit", "qwen3-8b", "--gpu", "L4", "--dry-run"): "profile",
    ("prices", "refresh"): "prices",
}  # fmt: skip
WORKS = [
    ("fit", "qwen3-8b", "--gpu", "L4"), ("prices", "show", "L4"), ("validate", "--help"),
    ("next", "tickets.yaml", "--draws", "64"),
]  # fmt: skip
EXTRAS_LATE = {
    ("usage", "openai_export.csv", "--format", "json"): "usage",
    ("compare", "tickets.yaml", "--draws", "0", "--xlsx", "book.xlsx"): "report",
    ("track", "tickets.yaml", "--actual", "tracked_usage.csv", "--draws", "128"): "usage",
    ("size", "sizing.yaml", "--html", "page.html"): "report",
}  # fmt: skip
WORKS_LONG = [("compare", "--draws", "0"), ("size",)]
"""What computes for a second or more, before it misses its extra or to the end."""
Answers = dict[tuple[str, ...], tuple[int, str]]


def answers_to(asked: list[tuple[str, ...]], folder: Path) -> Answers:
    """Words -> (exit code, standard error) where no optional package can be imported, beside the examples."""
    for name in ("openai_export.csv", "tickets.yaml", "tracked_usage.csv"):
        shutil.copy(ROOT / "examples" / name, folder)
    (folder / "openai_export.parquet").write_bytes(b"PAR1" + bytes(64) + b"PAR1")
    sized_scenario(folder)
    command = [sys.executable, "-c", BARE, json.dumps(OPTIONAL), json.dumps(asked)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    said = ((folder / f"{number}.err").read_text(encoding="utf-8") for number in range(len(asked)))
    return dict(zip(asked, zip(json.loads(done.stdout), said, strict=True), strict=True))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return answers_to([*EXTRAS, *WORKS], tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def late_answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return answers_to([*EXTRAS_LATE, *WORKS_LONG], tmp_path_factory.mktemp("bare_late"))


@pytest.mark.parametrize(("words", "extra"), EXTRAS.items(), ids=map(" ".join, EXTRAS))
def test_what_needs_an_extra_says_which(answers: Answers, words: tuple[str, ...], extra: str) -> None:
    ended, said = answers[words]
    assert "Traceback" not in said
    assert (ended, f"pip install 'lora-roi[{extra}]'" in said) == (2, True), said[-500:]


@pytest.mark.parametrize("words", WORKS, ids=" ".join)
def test_the_rest_works(answers: Answers, words: tuple[str, ...]) -> None:
    ended, said = answers[words]
    assert (ended, said.count("Traceback")) == (0, 0), said[-500:]


@pytest.mark.full
@pytest.mark.parametrize(("words", "extra"), EXTRAS_LATE.items(), ids=map(" ".join, EXTRAS_LATE))
def test_what_computes_before_it_needs_an_extra_says_which(late_answers: Answers, words: tuple[str, ...], extra: str) -> None:
    ended, said = late_answers[words]
    assert "Traceback" not in said
    assert (ended, f"pip install 'lora-roi[{extra}]'" in said) == (2, True), said[-500:]


@pytest.mark.full
@pytest.mark.parametrize("words", WORKS_LONG, ids=" ".join)
def test_what_computes_for_long_works(late_answers: Answers, words: tuple[str, ...]) -> None:
    ended, said = late_answers[words]
    assert (ended, said.count("Traceback")) == (0, 0), said[-500:]
