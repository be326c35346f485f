"""The part that `roi quality --output` writes, laid over a scenario by `roi compare --quality`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from quality_support import pair_rows, quality, write_rows

from roi.cli import main
from roi.scenario.file import load_scenario, overlay_quality, read_part
from roi.scenario.yaml import read_yaml

SCENARIO = """\
title: Triage
as_of: 2026-11-24
draws: 256
workload: {requests_per_day: 40000, input_tokens: 1800, output_tokens: 60}
incumbent: {provider: openai, model: gpt-4.1}
quality:
  usd_per_error: 0.02
  bar: 0.8
  scores: {gpt-4.1: 0.95, gpt-6-luna: 0.5, gpt-6-sol: 0.7}
candidates:
  api_models: [openai/gpt-6-luna, openai/gpt-6-sol]
"""


def ask(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args], prog_name="roi")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """264 both, 9 today alone, 15 gpt-6-luna alone, 12 none: 0.91 and 0.93 on 300 items."""
    rows = write_rows(tmp_path / "r.jsonl", pair_rows(264, 9, 15, 12))
    path = tmp_path / "quality.yaml"
    found = quality(rows, "--incumbent", "gpt-4.1", "--bar", "0.9", "--output", path, "--system", "today=gpt-4.1",
                    "--system", "other=gpt-6-luna")
    assert found.code == 0, found.error
    return path


def test_the_part_holds_scores_and_what_pairs_them(part: Path) -> None:
    data = read_yaml(part)
    assert data["schema"] == "roi.quality-part/1"
    assert data["quality"]["bar"] == 0.9
    luna = data["quality"]["scores"]["gpt-6-luna"]
    assert (luna["value"], luna["items"], luna["source"]) == (0.93, 300, "roi quality, score")
    assert luna["low"] == pytest.approx(0.9027, abs=2e-3)
    assert data["record"]["agreement"] == {"gpt-6-luna": {"n11": 264.0, "n10": 9.0, "n01": 15.0, "n00": 12.0}}
    assert (data["record"]["incumbent"], data["record"]["right"], data["record"]["wrong"]) == ("gpt-4.1", 273.0, 27.0)
    assert data["record"]["fixed"]["bar"]["value"] == 0.9


def test_it_is_laid_over_by_system_and_set_comes_last(scenario: Path, part: Path) -> None:
    read = load_scenario(scenario, ("quality.bar=0.85",), quality=part).quality
    assert read.bar == 0.85
    assert read.usd_per_error == 0.02
    assert read.scores["gpt-6-sol"] == 0.7
    assert read.scores["gpt-6-luna"].value == 0.93  # type: ignore[union-attr]
    assert read.scores["gpt-6-luna"].items == 300  # type: ignore[union-attr]
    assert load_scenario(scenario, quality=part).quality.bar == 0.9


def test_compare_takes_the_scores_and_says_so(scenario: Path, part: Path) -> None:
    """At a bar of 0.9 the scenario's 0.5 rules gpt-6-luna out; 0.93 on 300 items does not."""
    before = json.loads(ask("compare", scenario, "--format", "json").stdout)
    result = ask("compare", scenario, "--quality", part, "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert f"scores as {part} states them" in result.stderr
    after = json.loads(result.stdout)
    chosen = [next(each for each in data["options"] if "gpt-6-luna" in each["id"]) for data in (before, after)]
    assert [each["feasible"] for each in chosen] == [False, True]


def test_rates_of_a_cascade_are_part_of_it(tmp_path: Path) -> None:
    """100 items, 20 handed on, small wrong on 4 of 80 that it keeps, today on 5 of 20."""
    rows = [{"id": k, "system": "small", "score": k >= 4, "escalated": k >= 80} for k in range(100)]
    rows += [{"id": k, "system": "today", "score": k < 95} for k in range(100)]
    path = tmp_path / "quality.yaml"
    assert quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", "today", "--output", path).code == 0
    found = read_part(path, "--quality")["quality"]
    assert found["escalated"]["small"]["value"] == 0.2
    assert found["kept_error_rate"]["small"]["value"] == 0.05
    assert found["escalated_error_rate"]["small"]["value"] == 0.25
    assert found["scores"]["small > today"]["value"] == 0.91
    data = {"quality": {"scores": {"other": 0.5, "small": 0.1}, "kept_error_rate": {"other": 0.2}}}
    overlay_quality(data, {"quality": found})
    assert set(data["quality"]["scores"]) == {"other", "small", "today", "small > today"}
    assert set(data["quality"]["kept_error_rate"]) == {"other", "small"}


def test_without_a_scenario_the_bundled_scores_give_way(part: Path) -> None:
    done = ask("compare", "--quality", part)
    assert done.exit_code == 0
    assert "quality.scores.gpt-4.1: not used" in done.stderr


@pytest.mark.parametrize(("text", "message"), [
    ("title: x\n", "is no part written by roi quality --output; schema: roi.quality-part/1 is missing"),
    ("schema: roi.usage-part/1\n", "is no part written by roi quality --output"),
    ("schema: roi.quality-part/1\nquality: 3\n", "quality: 3 is not usable; it should be a block of keys"),
    ("schema: roi.quality-part/1\nscores: {}\n", "scores is not part of roi.quality-part/1; allowed: quality, record"),
    ("schema: roi.quality-part/1\nquality: {scores: {gpt-6-luna: {value: 2, low: 0, high: 1}}}\n", "quality.scores.gpt-6-luna"),
])
def test_another_file_is_refused_in_one_sentence(scenario: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q.yaml").write_text(text)
    result = ask("compare", scenario, "--quality", tmp_path / "q.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_saved_comparison_takes_no_part(scenario: Path, part: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    assert ask("compare", scenario, "--format", "json", "--output", saved).exit_code == 0
    assert "--quality changes a scenario" in ask("compare", saved, "--quality", part).stderr


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_report_names_systems_figures_and_what_is_next(tmp_path: Path, form: str) -> None:
    rows = write_rows(tmp_path / "r.jsonl", pair_rows(264, 9, 15, 12))
    run = ask("quality", rows, "--incumbent", "today", "--bar", "0.9", "--format", form)
    assert run.exit_code == 0, run.stderr
    for words in ("Is it good enough", "300 items, 2 systems", "93%", "9 / 15", "+2.0", "Against today, on the same items"):
        assert words in run.stdout
    if form == "table":
        assert max(map(len, run.stdout.splitlines())) <= 80
