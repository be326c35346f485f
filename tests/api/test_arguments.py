"""Errors at Python's doors name arguments, not options of commands; commands that they quote stay as one types them."""

from pathlib import Path
from typing import Any

import pytest

import roi
from roi.api.arguments import reworded
from roi.errors import InputError, RoiError, ScenarioError, UnknownName

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "examples" / "openai_export.csv"
ROWS = ROOT / "examples" / "quality_rows.jsonl"
LOG = "when,tin,tout,mdl\n" + "".join(f"2026-10-{day:02}T{hour:02}:00:00Z,100,10,gpt-6-sol\n" for day in range(1, 4)
                                      for hour in range(24))
"""Three whole days, 24 calls each, in columns of one's own."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.csv"
    file.write_text(LOG, encoding="utf-8")
    return file


@pytest.mark.parametrize(("given", "said"), [
    ({}, 'name the columns: columns={"time": "COLUMN", "input": "COLUMN", "output": "COLUMN"}'),
    ({"columns": {"time": "when"}}, 'name them, columns={"input": "COLUMN", "output": "COLUMN"}; columns that are left: tout,'),
    ({"columns": {"time": "wen"}}, "columns time: unknown column 'wen'; nearest: when"),
    ({"columns": {"tim": "when"}}, "columns: unknown kind of column 'tim'; nearest: time"),
    ({"columns": ["time=when"]}, "columns: list is not usable; a mapping of names"),
    ({"columns": {"time": 3}}, "columns: int is not usable"),
    ({"provider": "opnai"}, "provider: unknown provider 'opnai'; nearest: openai"),
    ({"requests_per_day": 0}, "requests_per_day: 0 is not usable; a number above 0"),
    ({"dates": "uk"}, "dates: 'uk' is not one of iso, us, eu"),
])
def test_what_a_table_of_ones_own_lacks_is_told_by_arguments(own: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        roi.measure_usage(own, **given)
    assert said in str(caught.value)
    assert "--" not in str(caught.value)


def test_the_arguments_that_messages_name_are_taken(own: Path) -> None:
    named = {"time": "when", "input": "tin", "output": "tout"}
    with pytest.raises(InputError, match="files: the records name no model: say which one it is, provider and model"):
        roi.measure_usage(own, columns=named)
    part = roi.measure_usage(own, columns=named, model="gpt-6-sol", provider="openai")
    assert part["workload"]["requests_per_day"]["value"] == 24.0
    assert roi.measure_usage(own, columns={**named, "model": "mdl"})["incumbent"]["provider"] == "openai"
    with pytest.raises(InputError, match=r"^requests_per_day: 5 is not needed"):
        roi.measure_usage(EXPORT, incumbent="gpt-6-sol", requests_per_day=5)
    with pytest.raises(UnknownName, match="task: unknown group or model 'proj_suport'; nearest: proj_support") as caught:
        roi.measure_usage(EXPORT, task="proj_suport")
    assert caught.value.field == "task"


def test_results_are_told_by_arguments_too(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("q,who,ok\n" + "".join(f"{k},{who},{k % 2}\n" for k in range(4) for who in ("a", "b")), encoding="utf-8")
    with pytest.raises(InputError, match=r'columns=\{"item": "COLUMN", "score": "COLUMN", "system": "COLUMN"\}') as caught:
        roi.measure_quality(rows, incumbent="a")
    assert "--" not in str(caught.value)
    named = {"item": "q", "system": "who", "score": "ok"}
    assert sorted(roi.measure_quality(rows, incumbent="a", columns=named)["scores"]) == ["a", "b"]
    assert "gpt-6-sol" in roi.measure_quality(rows, incumbent="gpt-6-sol", columns=named, systems={"a": "gpt-6-sol"})["scores"]
    with pytest.raises(InputError, match=r"^incumbent: no system 'x' in the files"):
        roi.measure_quality(ROWS, incumbent="x")


def test_a_scenario_is_told_by_arguments() -> None:
    with pytest.raises(ScenarioError, match=r"^overrides: 'draws' is not usable") as caught:
        roi.load_scenario(overrides=["draws"])
    assert caught.value.field == "overrides"
    with pytest.raises(InputError, match=r"^part: .*is no part written by roi usage --output, but a scenario: roi compare"):
        roi.load_scenario(part=ROOT / "examples" / "tickets.yaml")
    with pytest.raises(InputError, match=r"^quality: .*is no part written by roi quality --output, but another part: roi"):
        roi.load_scenario(quality=ROOT / "examples" / "part.yaml")
    to = ["/nowhere/at/all"]
    for ask in (lambda: roi.open_runs(to), lambda: roi.resolve(None, profiles=to), lambda: roi.compare(profiles=to)):
        with pytest.raises(RoiError, match=r"^profiles: no folder"):
            ask()
    told: list[str] = []
    roi.load_scenario(ROOT / "examples" / "tickets.yaml", {"incumbent.bill_usd_per_month": 5, "workload.requests_per_day": 9},
                      tell=told.append)
    assert [line for line in told if "--" in line] == []


def test_a_command_that_a_message_quotes_keeps_its_options() -> None:
    arguments = {"--set": "overrides", "--dates": "dates", "--input-includes-cache": "input_includes_cache"}
    said = "roi usage --requests-per-day NUMBER, or --set workload.requests_per_day=NUMBER"
    assert reworded(said, arguments) == (
        'roi usage --requests-per-day NUMBER, or overrides=["workload.requests_per_day=NUMBER"]')
    assert reworded("--dates us reads month/day/year; --input-includes-cache no", arguments) == (
        'dates="us" reads month/day/year; input_includes_cache=False')
    assert reworded("FILES: no row counts; a rate that --exchange-rate states", arguments, "roi usage") == (
        "files: no row counts; a rate that --exchange-rate states (--exchange-rate: of roi usage, whose --output load_scenario"
        " takes)")
