"""`--html`: a report beside the answer; a file that is there stays, whatever goes wrong."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roi.cli import main
from roi.report.page import page as page_file


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that draws takes seconds to make; tests/report/page has the real one."""
    monkeypatch.setattr(page_file, "drawing_script", lambda cache: "0;")


SMALL = """\
title: Triage
as_of: 2026-11-24
draws: 0
workload: {requests_per_day: 40000, input_tokens: 1800, output_tokens: 60}
incumbent: {provider: openai, model: gpt-4.1}
quality: {usd_per_error: 0.02, scores: {gpt-4.1: 0.95, gpt-6-luna: 0.94}}
candidates: {api_models: [openai/gpt-6-luna]}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "scenario" / "small.yaml"
    path.parent.mkdir()
    path.write_text(SMALL)
    return path


def ask(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args], prog_name="roi")


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().split("\n")) == 1, result.stderr
    return result.stderr


def test_a_report_is_written_beside_the_answer(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    result = ask("compare", small, "--html", target)
    assert result.exit_code == 0, result.output
    assert result.stdout == ask("compare", small).stdout
    assert f"wrote {target}" in result.stderr
    html = target.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "Triage" in html
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "scenario"]
    for place in (str(small.parent), str(tmp_path), str(Path.cwd()), str(Path.home())):
        assert place not in html


def test_a_file_that_is_there_stays_without_force(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("mine")
    assert "--force" in refused(ask("compare", small, "--html", target))
    assert target.read_text() == "mine"
    assert ask("compare", small, "--html", target, "--force").exit_code == 0
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(("target", "told"), [
    ("no-such-folder/report.html", "no folder"), (".", "is a directory"), ("scenario.yaml/report.html", "no folder"),
])
def test_a_target_that_cannot_be_written_is_refused_before_the_work(target: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("x")
    assert told in refused(ask("compare", "--html", tmp_path / target))


def test_force_does_not_let_a_report_take_the_place_of_the_scenario(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("title: mine\n")
    assert "is what the command reads" in refused(ask("compare", scenario, "--html", scenario, "--force"))
    assert scenario.read_text() == "title: mine\n"


def test_redact_without_a_report_is_refused() -> None:
    assert "--html" in refused(ask("compare", "--redact"))


def test_without_the_extra_one_sentence_says_what_to_install(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = ask("compare", small, "--html", tmp_path / "report.html")
    assert result.exit_code == 1
    assert "this needs Jinja2: pip install 'lora-roi[report]'" in result.stderr
    assert not (tmp_path / "report.html").exists()


def test_a_file_that_came_meanwhile_stays(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"

    def late(_: Path) -> str:
        target.write_text("came meanwhile")
        return "0;"

    monkeypatch.setattr(page_file, "drawing_script", late)
    assert "is there already" in ask("compare", small, "--html", target).stderr
    assert target.read_text() == "came meanwhile"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "scenario"]


@pytest.mark.parametrize(("more", "told"), [
    (["--redact", "--xlsx", "m.xlsx"], "--redact: what it hides in the page would stand in --xlsx"),
    (["--redact", "--csv", "out"], "--redact: what it hides in the page would stand in --csv"),
    (["--html", "r", "--xlsx", "r"], "--xlsx: r is what --html writes"),
])
def test_two_forms_do_not_tell_what_one_hides_nor_share_a_name(tmp_path, monkeypatch, more, told):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["compare", "--html", "r.html", *more])
    assert result.exit_code == 2
    assert told in result.stderr
    assert not list(tmp_path.iterdir())
