"""A file in the place of another is called what it is, with the command that reads it, at every place that takes a file."""

import gzip
import json
from pathlib import Path
from shutil import copy

import pytest
from asked import ask

from roi.scenario.other_files import EVALUATION, MODEL, SAVED, SCENARIO, USAGE, known_by_keys, what_it_is

EXAMPLES = Path(__file__).parents[2] / "examples"
SAVED_JSON = json.dumps({"schema": "roi.comparison/3", "case": {}})
WHAT = {"tickets.yaml": "a scenario", "part.yaml": "another part", "quality.yaml": "another part", "policy.yaml": "a policy",
        "saved.json": "a saved comparison", "openai_export.csv": "records of usage",
        "quality_rows.jsonl": "results of an evaluation", "quality_promptfoo.json": "results of an evaluation"}
"""Files of the examples, and what each is; `saved.json` is made here."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WHAT.keys() - {"saved.json"}:
        copy(EXAMPLES / name, tmp_path / name)
    (tmp_path / "saved.json").write_text(SAVED_JSON)
    for schema, name in (("usage", "answer"), ("fit", "fit"), ("profile", "profile")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"schema": f"roi.{schema}/1", "workload": {"input_tokens": 1}}))
    for name, content in {"empty.csv": b"", "bytes.csv": bytes(range(256)), "packed.yaml": gzip.compress(b"a: 1\n"),
                          "schema.json": b'{"$defs": {}, "properties": {}, "title": "a\\nb"}',
                          "page.html": b"<!DOCTYPE html>\n<html lang=en>", "calls.csv.gz": gzip.compress(b"model,tokens\n"),
                          "tickets.yaml.gz": gzip.compress((EXAMPLES / "tickets.yaml").read_bytes()),
                          "saved.json.gz": gzip.compress(SAVED_JSON.encode()),
                          "calls.db": b"SQLite format 3\0", "sheet.yaml": b"PK\x03\x04", "numbers.json": b"[1, 2]",
                          "excel.csv": "date,model,tokens in\n".encode("utf-16")}.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)


def refused(*words: str) -> str:
    run = ask(*words)
    assert (run.exit_code, run.stdout, run.stderr.count("\n")) == (2, "", 1), run.output
    return run.stderr


@pytest.mark.parametrize(("option", "own"), [("--usage", "part.yaml"), ("--quality", "quality.yaml")])
def test_what_is_no_part_of_that_kind_is_named_with_the_command_that_reads_it(option: str, own: str) -> None:
    reads = {"tickets.yaml": "roi compare tickets.yaml", "policy.yaml": "roi check tickets.yaml policy.yaml",
             "saved.json": "roi compare saved.json", "part.yaml": "roi compare tickets.yaml --usage part.yaml",
             "quality.yaml": "roi compare tickets.yaml --quality quality.yaml",
             "openai_export.csv": "roi usage openai_export.csv --output part.yaml",
             "quality_rows.jsonl": "roi quality quality_rows.jsonl --incumbent SYSTEM",
             "quality_promptfoo.json": "roi quality quality_promptfoo.json --incumbent SYSTEM"}
    for name, command in reads.items():
        if name != own:
            said = refused("compare", "tickets.yaml", option, name)
            assert said.startswith(f"roi: {option}: {name}"), said
            assert WHAT[name] in said, said
            assert command in said, said


@pytest.mark.parametrize(("words", "said"), [
    (("compare", "quality_promptfoo.json"), "results of an evaluation and no scenario; how good: roi quality"),
    (("help", "usd_per_error", "saved.json"), "saved.json: a saved comparison and no scenario; roi compare saved.json"),
    (("check", "tickets.yaml", "openai_export.csv"), "records of usage and no policy: roi usage openai_export.csv"),
    (("check", "tickets.yaml", "quality_rows.jsonl"), "results of an evaluation and no policy: roi quality quality_rows.jsonl"),
    (("check", "tickets.yaml", "policy.yaml", "--saved", "tickets.yaml"),
     "--saved: tickets.yaml is no saved comparison, but a scenario; save one with `roi compare tickets.yaml --format json`"),
    (("check", "tickets.yaml", "policy.yaml", "--saved", "policy.yaml"), "but a policy; save one with `roi compare SCENARIO"),
    (("usage", "saved.json"), "a saved comparison and no usage export: roi compare saved.json"),
    (("usage", "quality_promptfoo.json"), "results of an evaluation and no usage export: roi quality quality_promptfoo.json"),
    (("quality", "tickets.yaml"), "a scenario and no results of an evaluation; roi compare tickets.yaml"),
    (("quality", "saved.json"), "a saved comparison and no results of an evaluation; roi compare saved.json"),
    (("quality", "policy.yaml"), "a policy and no results of an evaluation; roi check SCENARIO policy.yaml"),
    (("usage", "answer.json"), "an answer of roi usage and no usage export: roi usage FILES --output part.yaml writes what is"),
    (("compare", "answer.json"), "answer.json: an answer of roi usage and no scenario; roi usage FILES --output part.yaml"),
    (("compare", "fit.json"), "fit.json: what another command of roi wrote and no scenario; no command reads it"),
    (("compare", "tickets.yaml", "--quality", "profile.json"), "but a profile: roi compare tickets.yaml --profiles FOLDER"),
    (("compare", "tickets.yaml", "--usage", "empty.csv"), "empty.csv: empty; `roi usage FILES --output` writes one"),
    (("compare", "tickets.yaml", "--quality", "empty.csv"), "empty.csv: empty; `roi quality FILES --output` writes one"),
    (("compare", "tickets.yaml", "--quality", "bytes.csv"), "--quality: bytes.csv: a zero byte; this is not a text file"),
    (("compare", "excel.csv"), "records of usage and no scenario; what was spent: roi usage excel.csv --output part.yaml"),
    (("compare", "packed.yaml"), "packed.yaml: a gzip, to be unpacked first, no text"),
    (("compare", "tickets.yaml.gz"), "tickets.yaml.gz: packed with gzip and no scenario; gunzip -k tickets.yaml.gz"),
    (("compare", "saved.json.gz"), "saved.json.gz: packed with gzip and no scenario; gunzip -k saved.json.gz"),
    (("compare", "tickets.yaml", "--usage", "tickets.yaml.gz"), "packed with gzip and no part of a scenario; gunzip -k"),
    (("compare", "calls.csv.gz"), "calls.csv.gz: records of usage and no scenario; what was spent: roi usage calls.csv.gz"),
    (("compare", "schema.json"), "schema.json: a JSON Schema and no scenario; editors read it; roi init writes a scenario"),
    (("check", "tickets.yaml", "page.html"), "page.html: a page for a browser and no policy: commands read the"),
    (("compare", "page.html"), "page.html: a page for a browser and no scenario; commands read the scenario behind it"),
    (("fit", "page.html"), "MODEL: page.html: a page for a browser and no config.json of a model; commands read the"),
    (("validate", "page.html"), "TABLE: page.html: a page for a browser and no table of runs; commands read the scenario"),
    (("compare", "calls.db"), "calls.db: a database of SQLite and no scenario; roi usage reads OpenCode's, and of another a"),
    (("validate", "calls.db"), "calls.db: a database of SQLite and no table of runs; roi usage reads OpenCode's"),
    (("usage", "tickets.yaml.gz"), "tickets.yaml.gz: packed with gzip and no records of usage; gunzip -k tickets.yaml.gz"),
    (("fit", "saved.json"), "what roi wrote (roi.comparison/3) and no config.json of a model; roi compare saved.json"),
    (("fit", "profile.json"), "profile.json: what roi wrote (roi.profile/1) and no config.json of a model; MODEL is a name or"),
    (("check", "tickets.yaml", "sheet.yaml"), "sheet.yaml: a ZIP, or a workbook whose sheet can be saved as CSV, no text"),
    (("compare", "numbers.json"), "numbers.json:1: it should be a mapping of names to values, not a list"),
    (("validate", "tickets.yaml"), "no table; one is a CSV with a row a run; a scenario: roi compare tickets.yaml"),
    (("validate", "openai_export.csv"), "TABLE: openai_export.csv: records of usage and no table of runs; roi usage"),
    (("validate", "quality_rows.jsonl"), "TABLE: quality_rows.jsonl: results of an evaluation and no table of runs; roi"),
    (("size", "tickets.yaml", "--trace", "tickets.yaml"), "--trace: tickets.yaml: a scenario and no trace; roi compare"),
    (("size", "tickets.yaml", "--trace", "openai_export.csv"), "roi usage openai_export.csv --trace OUT.csv makes a"),
    (("init", "--usage", "tickets.yaml"), "is no part written by roi usage --output, but a scenario: roi compare tickets"),
    (("track", "tickets.yaml", "--bill", "openai_export.csv"), "records of usage and no invoice by month; --actual openai_ex"),
    (("track", "tickets.yaml", "--opencost", "saved.json"), "a saved comparison and no answer of /allocation; roi compare"),
    (("track", "tickets.yaml", "--opencost", "openai_export.csv"), "no answer of /allocation; --actual openai_export.csv"),
])
def test_a_file_in_the_place_of_another_is_named(words: tuple[str, ...], said: str) -> None:
    assert said in refused(*words)


def test_a_file_is_known_by_what_it_holds(tmp_path: Path) -> None:
    for name, text, what in (
        ("a.json", '{"model_type": "qwen3"}', MODEL), ("b.json", '[{"id": 1, "score": 0.5}]', EVALUATION),
        ("c.json", '[{"input_tokens": 1, "score": 0.5}]', USAGE), ("d.json", SAVED_JSON, SAVED), ("e.json", "{", None),
        ("f.yaml", "as_of: 2026-11-24\nworkload: {}\n", SCENARIO), ("g.yaml", "workload: {}\n", None), ("h.csv", "a,b\n", None),
    ):
        (tmp_path / name).write_text(text)
        assert what_it_is(tmp_path / name) == what, name
    assert what_it_is(tmp_path) is None
    assert what_it_is(tmp_path / "none.yaml") is None
    assert known_by_keys({"config": 1, "model_type": "x"}) == MODEL
