"""`roi compare`, `roi init`, `roi schema`: the answer on stdout, talk on stderr, bad input in one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from asked import ask
from click.testing import Result

import roi
from roi.economics.decision.comparison import compare
from roi.scenario.yaml import parse_yaml

GOOD = """\
title: Triage
as_of: 2026-11-24
draws: 32
workload: {requests_per_day: 40000, input_tokens: 1800, output_tokens: 60}
incumbent: {provider: openai, model: gpt-4.1}
quality:
  usd_per_error: 0.02
  scores: {gpt-4.1: 0.95, gpt-6-luna: 0.94}
candidates:
  api_models: [openai/gpt-6-luna]
  self_hosted: [qwen3-8b]
  gpus: [l40s]
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def refused(result: Result) -> str:
    """The one message of a refusal, after the checks that hold for each of them."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.strip().split("\n") if not line.startswith(("Usage:", "Try "))]
    lines = [line for line in lines if line]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_without_a_file_the_bundled_scenario_runs_and_says_so_on_stderr() -> None:
    result = ask("compare", "--draws", "16")
    assert result.exit_code == 0
    assert "bundled scenario" in result.stderr
    assert result.stdout.startswith("Code assistant")
    assert [line for line in result.stdout.split("\n") if len(line) > 80] == []
    assert result.stdout.count("\n") <= 40


def test_json_on_stdout_is_one_object_and_nothing_else(good: Path) -> None:
    result = ask("compare", good, "--format", "json")
    assert result.exit_code == 0
    assert result.stderr == ""
    body = json.loads(result.stdout)
    assert body["schema"] == "roi.comparison/3"
    assert body["roi_version"] == roi.__version__
    assert body["scenario"]["title"] == "Triage"


def test_two_runs_print_the_same(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roi.answers.compare.compare", compare)  # each compares: the worker's answers are put aside
    assert ask("compare", good, "--format", "json").stdout == ask("compare", good, "--format", "json").stdout


def test_set_draws_and_seed_override_the_file(good: Path) -> None:
    result = ask("compare", good, "--format", "json", "--set", "title=Other", "--set", "people.usd_per_hour=80", "--draws", "0",
                 "--seed", "7")
    case = json.loads(result.stdout)["case"]
    assert [case[path]["value"] for path in ("title", "people.usd_per_hour", "draws", "seed")] == ["Other", 80.0, 0, 7]


def test_explain_shows_one_option_and_full_shows_all(good: Path) -> None:
    explained = ask("compare", good, "--explain", "self-hosted-base").stdout
    assert "Cost of qwen3-8b self-hosted" in explained
    assert "DO NOW" not in explained
    assert ask("compare", good, "--explain", "stay: gpt-4.1").stdout == ask("compare", good, "--explain", "stay").stdout
    full = ask("compare", good, "--full").stdout
    assert "stay: gpt-4.1" in full
    assert "Break-even in requests a day" in full
    assert "Cost of qwen3-8b self-hosted" in ask("compare", good, "--full", "--explain", "self-hosted-base").stdout


def test_a_withheld_verdict_is_no_failure(good: Path) -> None:
    result = ask("compare", good, "--set", "workload.growth_per_year=10")
    assert result.exit_code == 0
    assert "CORRECT FIRST" in result.stdout
    assert "DO NOW" in ask("compare", good, "--set", "workload.growth_per_year=10", "--set", "accept=[growth]").stdout


def test_markdown_begins_with_the_title(good: Path) -> None:
    assert ask("compare", good, "--format", "markdown").stdout.startswith("# Triage: 40,000 requests a day on gpt-4.1\n")


def test_a_saved_comparison_is_replayed_to_the_cent_whatever_the_catalog_says(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "saved.json"
    assert ask("compare", good, "--format", "json", "--output", path).exit_code == 0

    def gone(*_: object, **__: object) -> None:
        raise AssertionError("the catalog was asked")

    monkeypatch.setattr("roi.answers.opening.resolve", gone)
    monkeypatch.setattr("roi.resolution.vendors.api_options.find_api_price", gone)
    monkeypatch.setattr("roi.catalog.rows.read_rows", gone)
    result = ask("compare", path, "--format", "json")
    assert result.exit_code == 0, result.output
    assert "replaying" in result.stderr
    assert json.loads(result.stdout) == json.loads(path.read_text())


@pytest.mark.full
def test_a_saved_comparison_is_known_by_its_schema_not_its_name(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "saved.txt"
    ask("compare", good, "--format", "json", "--output", path)
    assert "replaying" in ask("compare", path).stderr


def test_a_saved_comparison_takes_no_set(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    ask("compare", good, "--format", "json", "--output", path)
    assert "--set" in refused(ask("compare", path, "--set", "title=x"))


def test_a_scenario_may_be_written_in_json(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(parse_yaml(GOOD, "good")))
    assert ask("compare", path).exit_code == 0


BAD = {
    "unknown key": ("title: Triage", "titel: Triage", ("titel", "title")),
    "unknown key inside": ("output_tokens: 60", "output_token: 60", ("output_token", "output_tokens")),
    "wrong type": ("requests_per_day: 40000", "requests_per_day: many", ("requests_per_day", "many")),
    "yes for a number": ("requests_per_day: 40000", "requests_per_day: true", ("requests_per_day",)),
    "negative": ("requests_per_day: 40000", "requests_per_day: -5", ("requests_per_day", "-5")),
    "NaN": ("requests_per_day: 40000", "requests_per_day: .nan", ("requests_per_day", ".nan")),
    "infinite": ("requests_per_day: 40000", "requests_per_day: .inf", ("requests_per_day", ".inf")),
    "beyond a double": ("requests_per_day: 40000", "requests_per_day: 1e999", ("requests_per_day", "1e999")),
    "10^12 requests": ("requests_per_day: 40000", "requests_per_day: 1e12", ("requests_per_day", "1e+12")),
    "zero horizon": ("draws: 32", "horizon_months: 0", ("horizon_months", "0")),
    "long horizon": ("draws: 32", "horizon_months: 1000000000", ("horizon_months",)),
    "a date before any price": ("as_of: 2026-11-24", "as_of: 1999-01-01", ("as_of", "1999-01-01")),
    "no date": ("as_of: 2026-11-24", "as_of: soon", ("as_of", "soon")),
    "duplicate key": ("draws: 32", "draws: 32\ndraws: 64", ("draws", "twice")),
    "unknown model": ("model: gpt-4.1}", "model: gpt-4.l}", ("gpt-4.l", "gpt-4.1")),
    "unknown provider": ("provider: openai", "provider: openia", ("openia", "openai")),
    "unknown open model": ("self_hosted: [qwen3-8b]", "self_hosted: [qwen3-8x]", ("qwen3-8x", "qwen3-8b")),
    "unknown candidate": ("openai/gpt-6-luna]", "openai/gpt-6-lunar]", ("gpt-6-lunar", "gpt-6-luna")),
    "unknown GPU": ("gpus: [l40s]", "gpus: [H10]", ("H10", "H100")),
    "unknown GPU vendor": ("  self_hosted: [qwen3-8b]", "  self_hosted: [qwen3-8b]\n  vendors: [Runpodd]",
                           ("Runpodd", "nearest: RunPod", "Nebius", "gpu_rents")),
    "unknown method": ("  self_hosted: [qwen3-8b]", "  self_hosted: [qwen3-8b]\n  methods: [lara]", ("lara", "lora")),
    "alias": ("title: Triage", "title: &a Triage\nx: *a", ("anchor",)),
    "low above value": ("requests_per_day: 40000", "requests_per_day: {value: 1, low: 2, high: 3}", ("requests_per_day",)),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_answered_with_field_value_and_the_nearest_choice(tmp_path: Path, kind: str) -> None:
    old, new, words = BAD[kind]
    assert old in GOOD
    path, output = tmp_path / "bad.yaml", tmp_path / "answer.json"
    path.write_text(GOOD.replace(old, new))
    message = refused(ask("compare", path, "--format", "json", "--output", output))
    for word in words:
        assert word in message
    assert not output.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.yaml"]


def test_files_that_are_no_text_are_refused_by_name(tmp_path: Path) -> None:
    files = {
        "empty.yaml": b"", "spaces.yaml": b" \n\n", "binary.yaml": bytes(range(256)),
        "latin.yaml": "title: caf\xe9".encode("latin-1"),
        "brace.json": b"{\x00}", "list.json": b"[1, 2]", "word.json": b"hello", "utf16.yaml": "title: x".encode("utf-16"),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert name in refused(ask("compare", path)), name


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert "directory" in refused(ask("compare", tmp_path))
    assert "missing.yaml" in refused(ask("compare", tmp_path / "missing.yaml"))


@pytest.mark.parametrize(("name", "first"), [("huge.yaml", b"title: x\n"), ("huge.json", b'{"schema": "roi.comparison/1",')])
def test_a_file_of_100_megabytes_is_refused_unread(tmp_path: Path, name: str, first: bytes) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(first)
        file.truncate(100 * 2**20)
    assert "bytes" in refused(ask("compare", path))


OPTIONS = {
    "--draws": ("-1", "x", "1048577", "1e3"),
    "--seed": ("-1", "x"),
    "--format": ("xml",),
    "--set": ("nonsense", "=3", "horizon_months=0", "workload.requests_per_day=nan_", "titel=x", "people.usd_per_hour=.inf",
              "title=[1"),
    "--explain": ("nonsense",),
}


@pytest.mark.parametrize(("option", "value"), [(o, v) for o, values in OPTIONS.items() for v in values])
def test_bad_options_are_refused(good: Path, option: str, value: str) -> None:
    assert refused(ask("compare", good, option, value))


@pytest.mark.parametrize(("name", "words", "form"), [
    ("a.json", (), "json"), ("a.MD", (), "markdown"), ("a.txt", (), "table"), ("a.json", ("--format", "table"), "table"),
])
def test_the_name_of_the_file_tells_the_form_where_none_is_asked_for(
    good: Path, tmp_path: Path, name: str, words: tuple[str, ...], form: str
) -> None:
    out = tmp_path / name
    assert ask("compare", good, "--output", out, *words).stdout == ""
    assert out.read_text() == ask("compare", good, "--format", form).stdout


def test_a_refusal_leaves_the_old_output_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "old.json"
    output.write_text("old")
    refused(ask("compare", tmp_path / "missing.yaml", "--output", output))
    assert output.read_text() == "old"


def test_init_refuses_an_unknown_template() -> None:
    assert "extraction" in refused(ask("init", "--template", "extracton"))


@pytest.mark.full
def test_an_ascii_terminal_gets_ascii_branches(good: Path) -> None:
    root = Path(roi.__file__).parents[1]
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(root), "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "roi", "compare", str(good), "--full"]
    done = subprocess.run(command, capture_output=True, env=env, check=True)
    text = done.stdout.decode("ascii")
    assert "|- " in text
    assert "?-" not in text
