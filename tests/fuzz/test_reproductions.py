"""Every input that was found hostile is reproduced: by a row of the corpus, which runs, or by a test, which is there."""

import ast
import json
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
TESTS = Path(__file__).parents[1]


def rows(name: str) -> list[dict[str, object]]:
    """The rows of a file of the corpus."""
    return [json.loads(line) for line in (CORPUS / name).read_text(encoding="utf-8").splitlines()]


NAMED = rows("reproductions.jsonl")


@pytest.mark.parametrize("name", ["commands.jsonl", "servers.jsonl"])
def test_every_row_of_the_corpus_is_one_that_its_test_runs(name: str) -> None:
    runner = {"commands.jsonl": "test_corpus.py", "servers.jsonl": "test_fuzz_serve.py"}[name]
    text = (Path(__file__).parent / runner).read_text(encoding="utf-8")
    assert f'(CORPUS / "{name}").read_text' in text
    assert '@pytest.mark.parametrize("row", ROWS' in text
    assert all(row["what"] and row["exit"] in {0, 1, 2, 3} for row in rows(name))


@pytest.mark.full
@pytest.mark.parametrize("named", NAMED, ids=lambda named: ascii(named["reproduction"])[1:-1])
def test_what_was_found_is_reproduced(named: dict[str, str]) -> None:
    """`at` is FILE::what a row of the corpus is called (::a word of its command line), or FILE::test."""
    file, what, *word = named["at"].split("::")
    if file.endswith(".jsonl"):
        assert [row for row in rows(file) if row["what"] == what and all(each in row["run"] for each in word)]
        return
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert what in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_nothing_is_named_twice() -> None:
    assert len({named["reproduction"] for named in NAMED}) == len(NAMED)
