"""Whatever surrounds a command, its answer is the same byte for byte: locale, folders, terminal, warnings, streams."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import commands

pytestmark = pytest.mark.full
CORPUS = Path(__file__).parent / "corpus"
HERE = str(CORPUS / "bill.csv")
COMMANDS = (("compare", "scenario.yaml", "--draws", "0"), ("usage", "usage.csv", "--tasks", "0"))
ODD = {
    "an ASCII locale and no width": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii",
                                     "COLUMNS": "0", "TERM": "\x1b[31m", "FORCE_COLOR": "1"},
    "no home, another zone and other hashes": {"HOME": None, "XDG_DATA_HOME": None, "XDG_CACHE_HOME": None, "USER": None,
                                               "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7", "PATH": ""},
    "a device as home and a width without end": {"HOME": "/dev/null", "XDG_DATA_HOME": None, "XDG_CACHE_HOME": None,
                                                 "COLUMNS": "1000000000", "LINES": "-1", "TERM": ""},
    "files as folders": {"XDG_DATA_HOME": HERE, "XDG_CACHE_HOME": f"{HERE}/x"},
    "folders that nobody may write": {"XDG_DATA_HOME": "/proc", "XDG_CACHE_HOME": "/proc/self", "TMPDIR": "/nowhere"},
    "a name too long": {"XDG_CACHE_HOME": "/x" * 3000},
    "warnings as errors": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
}


def run(words: tuple[str, ...], odd: dict[str, str | None], **more: object) -> subprocess.CompletedProcess[bytes]:
    surroundings = {name: value for name, value in (os.environ | odd).items() if value is not None}
    return subprocess.run([sys.executable, "-m", "roi", *words], cwd=CORPUS, env=surroundings, capture_output=True, check=False,
                          timeout=300, **more)


@pytest.fixture(scope="module")
def quiet() -> dict[tuple[str, ...], bytes]:
    """What each command answers where nothing is odd."""
    return {words: run(words, {}).stdout for words in COMMANDS}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_is_the_same_in_odd_surroundings(name: str, quiet: dict[tuple[str, ...], bytes]) -> None:
    words = COMMANDS[list(ODD).index(name) % 2] if name != "warnings as errors" else COMMANDS[1]
    done = run(words, ODD[name])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == quiet[words]


def test_without_streams_an_answer_goes_where_it_was_sent(quiet: dict[tuple[str, ...], bytes], tmp_path: Path) -> None:
    target = tmp_path / "answer"
    line = f"exec {sys.executable} -m roi {' '.join(COMMANDS[0])} --output {target} <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", line], cwd=CORPUS, check=False).returncode == 0
    assert target.read_bytes() == quiet[COMMANDS[0]]


CLOSED = """
import json, os, sys
for stream in (1, 2):
    os.close(stream)
from roi.cli import main
for words in json.loads(sys.argv[1]):
    sys.stdout = sys.stderr = None  # as Python starts where they are closed
    try:
        main(words, prog_name="roi")
    except SystemExit as error:
        open("ended.txt", "a").write(f"{words[0]} {error.code or 0}\\n")
"""
STARTED = {("profile", "train"), ("profile", "infer"), ("profile", "device"), ("profile", "probe"), ("prices", "refresh")}
"""Commands that measure, or connect."""


def test_every_command_may_find_its_streams_closed(tmp_path: Path) -> None:
    """All in one process, each as it starts where both are closed; those without a file say that one is missing: exit 2."""
    shutil.copytree(CORPUS, tmp_path, dirs_exist_ok=True)
    given = {"compare": ["scenario.yaml", "--draws", "0"], "usage": ["usage.csv", "--tasks", "0"], "fit": ["./config.json"],
             "quality": ["results.jsonl", "--incumbent", "gpt-6-sol"], "validate": ["training.csv"],
             "diff": ["scenario.yaml", "scenario.yaml"], "calibrate": ["training.csv"], "help": ["title"],
             "check": ["scenario.yaml"], "next": ["scenario.yaml", "--draws", "64"],
             "track": ["scenario.yaml", "--bill", "bill.csv", "--draws", "100"]}  # fmt: skip
    every = sorted(commands().keys() - STARTED)
    lines = [*([*words, *given.get(words[0], [])] for words in every), ["--help"], ["compare", "--help"]]
    done = subprocess.run([sys.executable, "-c", CLOSED, json.dumps(lines)], cwd=tmp_path, check=False, timeout=300,
                          env=os.environ | {"XDG_DATA_HOME": str(tmp_path / "data")})
    ended = [line.split() for line in (tmp_path / "ended.txt").read_text(encoding="utf-8").splitlines()]
    assert (done.returncode, [name for name, _ in ended]) == (0, [line[0] for line in lines])
    assert [name for name, code in ended if name in given and code != "0"] == []
    assert {code for _, code in ended} == {"0", "2"}


def test_a_price_that_cannot_be_kept_is_one_message() -> None:
    price = ("prices", "add", "rent", "--gpu", "l40s", "--vendor", "x", "--usd-per-gpu-hour", "1", "--source", "x")
    done = run(price, {"XDG_DATA_HOME": HERE})
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.splitlines()[-1].endswith(b"Not a directory")
    done = run(price, {"XDG_DATA_HOME": "/proc/nobody/knows"})
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"your prices: cannot make the folder /proc/nobody/knows/roi/prices: " in done.stderr
