"""`roi compare --xlsx --csv`: files beside the answer, whole or not at all, and never over another file without --force."""

import csv
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from roi.cli import main
from roi.disk import replace_files, replace_in_folder
from roi.errors import RoiError
from roi.report.comparison.tables import TABLES
from roi.report.page import page as page_file

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


def ask(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *(str(a) for a in args)], prog_name="roi")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_the_files_stand_beside_the_answer_which_stays_as_it_is(good: Path, tmp_path: Path) -> None:
    plain, found = ask(good), ask(good, "--xlsx", tmp_path / "model.xlsx", "--csv", tmp_path / "a" / "tables")
    assert found.exit_code == 0, found.output
    assert found.stdout == plain.stdout
    assert f"wrote {tmp_path / 'model.xlsx'}" in found.stderr
    assert openpyxl.load_workbook(tmp_path / "model.xlsx").sheetnames[0] == "Summary"
    files = sorted((tmp_path / "a" / "tables").iterdir())
    assert [f.name for f in files] == sorted(f"{name}.csv" for name in TABLES)
    with (tmp_path / "a" / "tables" / "options.csv").open(encoding="utf-8", newline="") as file:
        assert next(row["id"] for row in csv.DictReader(file)) == "stay"


def test_a_mixture_that_is_served_is_told_in_every_form(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its speeds are facts of their own, `serving.speed.mixture-...`."""
    monkeypatch.setattr(page_file, "drawing_script", lambda cache: "0;")
    found = ask(good, "--full", "--set", "candidates={self_hosted: [qwen3-30b-a3b], gpus: [l40s]}", *(
        f"--{form}={tmp_path / form}" for form in ("html", "xlsx", "csv")))
    assert found.exit_code == 0, found.output
    for path in (tmp_path / "html", tmp_path / "csv" / "facts.csv"):
        assert "serving speed of a mixture, unmeasured GPU" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--xlsx", "--csv"])
def test_what_is_there_is_kept_without_force(good: Path, tmp_path: Path, option: str) -> None:
    place = tmp_path / "model.xlsx" if option == "--xlsx" else tmp_path
    there = tmp_path / ("model.xlsx" if option == "--xlsx" else "lines.csv")
    there.write_text("mine", encoding="utf-8")
    found = ask(good, option, place)
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"{option}: {there} is there already; give another name, or --force" in found.stderr
    assert there.read_text(encoding="utf-8") == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({"good.yaml", there.name})
    assert ask(good, option, place, "--force").exit_code == 0
    assert there.read_bytes() != b"mine"


def test_targets_that_cannot_be_written_are_refused_in_one_line(good: Path, tmp_path: Path) -> None:
    for args, said in (
        (("--xlsx", tmp_path / "no" / "m.xlsx"), "--xlsx: no folder"),
        (("--xlsx", tmp_path), "is a directory; give a file name"),
        (("--csv", good), "it is a file"), (("--xlsx", good, "--force"), "is what the command reads"),
    ):  # fmt: skip
        found = ask(good, *args)
        assert (found.exit_code, found.stdout) == (2, ""), args
        assert said in found.stderr
        assert "Traceback" not in found.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["good.yaml"]


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


def test_without_the_extra_one_sentence_says_how_to_get_it(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    found = ask(good, "--xlsx", tmp_path / "m.xlsx")
    assert found.exit_code == 1
    assert "XlsxWriter: pip install 'lora-roi[report]'" in found.stderr
    assert not (tmp_path / "m.xlsx").exists()
