"""The porch: what importing a question loads, and what an opened case holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from asked import ask
from random_scenarios import scenario as random_scenario
from small_scenario import SMALL

from roi.answers import opening
from roi.answers.opening import open_case
from roi.resolution.plan_capacity import plan_capacity
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario


def loaded_by(module: str) -> set[str]:
    """Modules that a fresh interpreter holds after importing this one: rooms of roi as roi.room, others by their first name."""
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = [name.split(".") for name in json.loads(done.stdout)]
    return {".".join(name[:2]) if name[0] == "roi" else name[0] for name in names}


@pytest.mark.parametrize("question", ["compare", "size", "saved"])
def test_a_question_about_a_scenario_loads_no_lab_no_device_no_logs_and_no_frames(question):
    left = {"lab", "roi.profiling", "roi.usage", "roi.report", "pandas", "torch"}
    assert loaded_by(f"roi.answers.{question}") & left == set()


def test_the_fit_loads_what_runs_a_model_only_when_it_is_asked_to():
    assert loaded_by("roi.answers.fit") & {"lab", "roi.profiling", "roi.usage", "pandas", "torch"} == set()


def test_what_was_spent_is_asked_without_a_device_or_frames():
    assert loaded_by("roi.answers.usage") & {"lab", "roi.profiling", "pandas", "torch"} == set()


def test_a_file_that_cannot_be_used_is_told_of_once_with_its_reason(tmp_path: Path):
    profile, calibration = tmp_path / "bad.json", tmp_path / "bad.calibration"
    profile.write_text('{"schema": "roi.profile/1", "kind": "serve"}', encoding="utf-8")
    calibration.write_text("{}", encoding="utf-8")
    told: list[str] = []
    open_case(load_scenario(), [tmp_path], told.append)
    assert [line.partition(" is left out: ")[0] for line in told] == [str(profile), str(calibration)]
    assert all(line.partition(" is left out: ")[2] for line in told)
    assert [line.count(str(tmp_path)) for line in told] == [1, 1]


def test_an_opened_case_is_of_its_scenario():
    scenario = load_scenario(None, ("title=Mine",))
    opened = resolve(scenario)
    assert opened.scenario is scenario
    assert opened.case["title"].value == "Mine"
    assert set(opened.plans) <= set(opened.case.options)


@pytest.mark.full
@pytest.mark.parametrize("seed", [3, 5, 8])
def test_what_was_replayed_before_changes_no_fact(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("roi.resolution.plans.plan_capacity", plan_capacity)  # the session's own kept ones put aside
    asked = check_scenario(random_scenario(seed))
    anew, first, again = (open_case(asked, cache=cache).case for cache in (False, True, True))
    assert list((tmp_path / "roi" / "replays").iterdir())
    assert anew == first == again


@pytest.mark.full
@pytest.mark.parametrize("words", [
    ["compare", "a.yaml"], ["size", "b.yaml"], ["diff", "a.yaml", "c.yaml"], ["check", "a.yaml"],
    ["next", "a.yaml", "--draws", "100"], ["track", "a.yaml", "--bill", "bill.csv", "--draws", "100"],
    ["help", "requests_per_day", "a.yaml"],
], ids=lambda words: words[0])
def test_with_no_cache_nothing_is_read_or_kept_on_disk(words, tmp_path, monkeypatch):
    """Every command that opens a scenario; without the option each looks into the cache folder."""
    made, real = [], opening.KeptReplays

    def kept(folder):
        made.append(folder)
        return real(tmp_path / "replays")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no Case of another test
    monkeypatch.setattr(opening, "KeptReplays", kept)
    monkeypatch.chdir(tmp_path)
    for name, own in (("a", {}), ("b", {"candidates": {"self_hosted": ["qwen3-8b"]}}), ("c", {"horizon_months": 12})):
        Path(f"{name}.yaml").write_text(json.dumps({**SMALL, **own}), encoding="utf-8")
    Path("bill.csv").write_text("month,usd\n2026-12,100\n", encoding="utf-8")
    for option, looked in (("--no-cache", False), ("", True)):
        made.clear()
        done = ask(*words, *([option] if option else []))
        assert done.exit_code in {0, 3}, done.output
        assert bool(made) is looked
    assert words[0] == "size" or not (tmp_path / "replays").exists()
