"""`roi compare --html --xlsx --csv`: files beside the answer, whole or not at all, and never over another without --force."""

import csv
import sys
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from roi.cli import main
from roi.disk import replace_files, replace_in_folder
from roi.errors import RoiError
from roi.report.comparison.tables import TABLES
from roi.report.page import page as page_file

ROOT = Path(__file__).parents[2]
GOOD = """\
title: Triage
as_of: 2026-11-24
draws: 0
horizon_months: 6
workload: {requests_per_day: 40000, input_tokens: 1800, output_tokens: 60}
incumbent: {provider: openai, model: gpt-4.1}
quality: {usd_per_error: 0.02, scores: {gpt-4.1: 0.95, gpt-6-luna: 0.94}}
candidates: {api_models: [openai/gpt-6-luna]}
"""


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that draws takes seconds to make; tests/report/page has the real one."""
    monkeypatch.setattr(page_file, "drawing_script", lambda cache: "0;")


def ask(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *(str(a) for a in args)], prog_name="roi")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_the_files_stand_beside_the_answer_which_stays_as_it_is(good: Path, tmp_path: Path) -> None:
    page, book = tmp_path / "report.html", tmp_path / "model.xlsx"
    plain, found = ask(good), ask(good, "--xlsx", book, "--csv", tmp_path / "a" / "tables", "--html", page)
    assert found.exit_code == 0, found.output
    assert found.stdout == plain.stdout
    assert all(f"wrote {path}" in found.stderr for path in (page, book))
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "Triage" in html
    assert not any(str(place) in html for place in (tmp_path, Path.cwd(), Path.home()))
    assert openpyxl.load_workbook(book).sheetnames[0] == "Summary"
    files = sorted((tmp_path / "a" / "tables").iterdir())
    assert [f.name for f in files] == sorted(f"{name}.csv" for name in TABLES)
    with (tmp_path / "a" / "tables" / "options.csv").open(encoding="utf-8", newline="") as file:
        assert next(row["id"] for row in csv.DictReader(file)) == "stay"


@pytest.mark.full
def test_a_mixture_that_is_served_is_told_in_every_form(good: Path, tmp_path: Path) -> None:
    """Its speeds are facts of their own, `serving.speed.mixture-...`."""
    found = ask(good, "--full", "--set", "candidates={self_hosted: [qwen3-30b-a3b], gpus: [l40s]}", *(
        f"--{form}={tmp_path / form}" for form in ("html", "xlsx", "csv")))
    assert found.exit_code == 0, found.output
    for path in (tmp_path / "html", tmp_path / "csv" / "facts.csv"):
        assert "serving speed of a mixture, unmeasured GPU" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("option", "name"), [("--xlsx", "model.xlsx"), ("--csv", "lines.csv"), ("--html", "report.html")])
def test_what_is_there_is_kept_without_force(good: Path, tmp_path: Path, option: str, name: str) -> None:
    there = tmp_path / name
    place = tmp_path if option == "--csv" else there
    there.write_text("mine", encoding="utf-8")
    found = ask(good, option, place)
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"{option}: {there} is there already; give another name, or --force" in found.stderr
    assert there.read_text(encoding="utf-8") == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({"good.yaml", there.name})
    assert ask(good, option, place, "--force").exit_code == 0
    assert there.read_bytes() != b"mine"


@pytest.mark.parametrize("name", ["answer.md", "answer.json", "answer.txt"])
def test_an_answer_takes_the_place_of_one_of_its_kind_and_says_so(good: Path, tmp_path: Path, name: str) -> None:
    """The second is of another title, volume and model; an empty file is nobody's."""
    place = tmp_path / name
    place.write_text("", encoding="utf-8")
    other = ("--set", "title=Other", "--set", "workload.requests_per_day=7", "--set", "incumbent.model=gpt-4.1-mini")
    for words, told in ((), ""), (other, ", in place of the one that was there"):
        before = place.read_text(encoding="utf-8")
        found = ask(good, "--output", place, *words)
        assert (found.exit_code, found.stdout) == (0, "")
        assert f"roi: wrote {place}{told}\n" in found.stderr
        assert place.read_text(encoding="utf-8") != before


@pytest.mark.parametrize(("name", "there"), [
    ("notes.md", "# Triage\n\nAsk Ada.\n"), ("mine.yaml", f"schema: roi.scenario/1\n{GOOD}"), ("old.yaml", GOOD),
    ("mine.json", '{\n "schema": "roi.scenario/1",\n "title": "Triage"}\n'), ("other.json", '{"a": 1}\n'),
    ("track.json", '{\n "schema": "roi.track/1"\n}\n'), ("lines.json", '{"file": "a.yaml", "schema": "roi.comparison/3"}\n'),
])  # fmt: skip
def test_an_answer_takes_the_place_of_nothing_else_without_force(good: Path, tmp_path: Path, name: str, there: str) -> None:
    place = tmp_path / name
    place.write_text(there, encoding="utf-8")
    page = tmp_path / "page.html"
    found = ask(good, "--output", place, "--html", page)
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"--output: {place} is there already, and no such answer as this one; give another name, or --force" in found.stderr
    assert place.read_text(encoding="utf-8") == there
    assert not page.exists()
    assert ask(good, "--output", place, "--force").exit_code == 0
    assert place.read_text(encoding="utf-8") != there


def test_a_folders_lines_take_the_place_of_lines_alone(good: Path, tmp_path: Path) -> None:
    place, folder = tmp_path / "all.jsonl", tmp_path / "of"
    folder.mkdir()
    good.rename(folder / "good.yaml")
    assert ask(folder, "--format", "jsonl", "--output", place).exit_code == 0
    assert ask(folder, "--format", "jsonl", "--output", place).exit_code == 0
    place.write_text("mine", encoding="utf-8")
    assert ask(folder, "--format", "jsonl", "--output", place).exit_code == 2
    assert place.read_text(encoding="utf-8") == "mine"


@pytest.mark.full
@pytest.mark.parametrize("command", [
    ("usage", ROOT / "examples" / "openai_export.csv", "--tasks", "0"),
    ("quality", ROOT / "examples" / "quality_rows.jsonl", "--incumbent", "qwen3-8b"),
])  # fmt: skip
def test_a_part_takes_the_place_of_its_like_and_of_no_scenario(good: Path, tmp_path: Path, command: tuple) -> None:
    def written(place: Path, *more: str) -> Result:
        return CliRunner().invoke(main, [*map(str, command), "--output", str(place), *more], prog_name="roi")

    part = tmp_path / "part.yaml"
    for _ in range(2):
        assert written(part).exit_code == 0
    found = written(good)
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"--output: {good} is there already" in found.stderr
    assert good.read_text(encoding="utf-8") == GOOD
    assert written(good, "--force").exit_code == 0
    assert good.read_text(encoding="utf-8") != GOOD


@pytest.mark.parametrize(("words", "said"), [
    (["--xlsx", "no/m.xlsx"], "--xlsx: no folder"), (["--html", "no/r.html"], "--html: no folder"),
    (["--output", "no/where.json"], "--output: no folder"), (["--xlsx", "."], "is a directory; give a file name"),
    (["--html", "."], "is a directory"), (["--output", "."], "is a directory"), (["--csv", "good.yaml"], "it is a file"),
    *(([option, "good.yaml", "--force"], "is what the command reads; give another name")
      for option in ("--xlsx", "--html", "--output")),
    (["--output", "a.html"], "--output: a.html would hold text; write --html a.html"),
    (["--output", "a.xlsx"], "--output: a.xlsx would hold text; write --xlsx a.xlsx"),
    (["--output", "a.pdf"], "--output: a.pdf would hold text; write --output a.md; --html FILE.html writes a page"),
    (["--output", "a.docx", "--format", "markdown"], "--output: a.docx would hold text; write --output a.md"),
    (["--redact"], "--redact: without effect here"),
    (["--html", "r.html", "--redact", "--xlsx", "m.xlsx"], "--redact: what it hides in the page would stand in --xlsx"),
    (["--html", "r.html", "--redact", "--csv", "out"], "--redact: what it hides in the page would stand in --csv"),
    (["--html", "r", "--xlsx", "r"], "--xlsx: r is what --html writes"),
])
def test_targets_that_cannot_be_written_are_refused_in_one_line(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = ask("good.yaml", *words)
    assert (found.exit_code, found.stdout, found.stderr.count("\n")) == (2, "", 1), found.output
    assert said in found.stderr
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [(good.name, GOOD)]


def test_of_several_files_none_takes_its_name_where_one_fails(tmp_path: Path) -> None:
    def fails():
        yield "begun"
        raise OSError(28, "No space left on device")

    (tmp_path / "a.csv").write_text("old", encoding="utf-8")
    with pytest.raises(RoiError, match=r"--csv: writing .*b.csv failed, what was there is unchanged: No space left"):
        replace_files({tmp_path / "a.csv": "new", tmp_path / "b.csv": fails()}, "--csv")
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [("a.csv", "old")]
    with pytest.raises(RoiError):
        replace_in_folder(tmp_path / "made", {"b.csv": fails()}, "--csv")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("module", "words", "extra"), [
    ("xlsxwriter", ("--xlsx", "m.xlsx"), "XlsxWriter"), ("jinja2", ("--html", "m.html"), "this needs Jinja2"),
])
def test_without_the_extra_one_sentence_says_how_to_get_it_before_the_work_is_done(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, words: tuple[str, str], extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = ask(good, words[0], tmp_path / words[1])
    assert found.exit_code == 2
    assert f"{extra}: pip install 'lora-roi[report]'" in found.stderr
    assert found.stdout == ""
    assert not (tmp_path / words[1]).exists()


def test_a_file_that_came_meanwhile_stays(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"

    def late(_: Path) -> str:
        target.write_text("came meanwhile")
        return "0;"

    monkeypatch.setattr(page_file, "drawing_script", late)
    assert "is there already" in ask(good, "--html", target).stderr
    assert target.read_text() == "came meanwhile"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.yaml", "report.html"]


def test_a_redacted_page_says_that_a_wage_follows_from_hours_that_roi_prints(good: Path, tmp_path: Path) -> None:
    """Set-up of $5,730 is 40 h x $137 + $250, both from `roi help`; hours of one's own, or a default wage, tell none."""
    page, wage, own = tmp_path / "r.html", ("--set", "people.usd_per_hour=137"), (
        "--set", "people.setup_hours.api=31", "--set", "people.setup_hours.cache_batch=12",
        "--set", "people.migration_hours=22")
    assert "the hours of set-up, of a forced migration are the defaults" in ask(good, *wage, "--html", page, "--redact").stderr
    for words in ((*wage, *own), ()):
        found = ask(good, *words, "--html", page, "--redact", "--force")
        assert found.exit_code == 0, found.stderr
        assert "wage" not in found.stderr
    assert "--redact" not in ask(good, *wage, "--html", page, "--force").stderr
