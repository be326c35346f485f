"""roi quality on bad input: one message and exit 2, or rows left out by reason; never a silent drop."""

import json
import os
import random
import zipfile
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from asked import ask
from quality_support import DATA, pair_rows, quality, write_rows

TODAY = ("--incumbent", "today")


def rows_with(tmp_path: Path, *more: dict[str, object]) -> Path:
    return write_rows(tmp_path / "r.jsonl", [*pair_rows(6, 2, 2, 2), *more])


@pytest.mark.parametrize(("text", "message"), [
    ("", ": empty; results are JSON lines or CSV with id, system, score"),
    ("\n \n", "no row of an item in it"),
    ("id,system,score\n", "no row of an item in it"),
    ('{"evalId": "e", "results": {"results": [{"testIdx": 0, "succ', "the JSON is cut short"),
    ('[{"id": 1, "system": "a", "score": 1}', "the JSON is cut short"),
    ('[{"id": 1 "system"', "the JSON is cut short"),
    ('{"id": 1, "sys', "the JSON is cut short"),
    ('[{"id": 1, "system": "a", "score": 1}}]', "no JSON that can be read"),
    ("[" * 100_000, "nested too deeply"),
    ('{"question": "a", "model": "b", "score": 1}\n', "nearest: own rows, without id (or item, item_id, example_id,"),
    ("name,points\na,1\nb,2\n", "without id (or item, item_id, example_id, question_id ...) and system (or model"),
    ('{"a": 1}', "no known format by its columns"),
    ("id,question,a,b\n1,x,1,0\n2,y,1,1\n", "of a table with a column for each system: --map score=COLUMN for each of these"),
    ("model,accuracy,n\na,0.9,500\nb,0.8,500\n", "; a score of each system as a whole is written into the scenario"),
    ("1 2 3", "no row of an item in it"),
    ('{"id": 1, "system": "a", "score": 1}\n{"id": 2, "sys', "line 2: the JSON is cut short; write the file again, whole"),
    ('{"results": {"results": [{"provider": "a", "vars": {"q": 1}, "ok": true}]}}', "nearest: promptfoo, without success;"),
    ('{"trace_id": "t", "name": "n", "value": 1}', "nearest: Langfuse scores, without datatype;"),
])
def test_a_file_that_holds_no_results_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f.json").write_text(text)
    found = quality(tmp_path / "f.json", *TODAY)
    assert found.code == 2
    assert message in found.error
    assert str(tmp_path / "f.json") in found.error


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[]")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.bin").write_bytes(b"\xff\x00\xfe\x01" * 10)
    (tmp_path / "u16.csv").write_text("id,system,score\n", encoding="utf-16")
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 no archive")
    for name, member in (("b.zip", "x.json"), ("b.xlsx", "[Content_Types].xml")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "{}")
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    for name, message in (("result.json", "is not there; nearest:"), ("empty", "is a folder without .csv"),
                          ("a.bin", "neither text in UTF-8"), ("u16.csv", "UTF-16, not UTF-8 text"),
                          ("a.zip", "the archive is damaged or cut short"),
                          ("b.zip", "an archive, but none of Inspect: header.json is missing"),
                          ("b.xlsx", "missing; a workbook's sheet is saved as CSV UTF-8"), ("a.gz", "damaged or cut short")):
        found = quality(tmp_path / name, *TODAY)
        assert (found.code, message in found.error) == (2, True), found.error
    assert "FILES: none given" in quality(*TODAY).error


def test_an_archive_that_needs_a_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roi.quality.result_files.hasattr", lambda *_: False, raising=False)  # Python before 3.14
    monkeypatch.setitem(__import__("sys").modules, "zipfile_zstd", None)
    found = quality(DATA / "inspect" / "gpt-6-sol.eval", *TODAY)
    assert (found.code, found.error) == (2, "roi: this needs zipfile-zstd: pip install 'lora-roi[quality]'")


@pytest.mark.parametrize(("score", "message"), [
    (93, "line 25: a score of 93; a score is a share of right, 0 to 1; percent? --scale 0..100"),
    ("87.5", "a score of 87.5; a score is a share of right, 0 to 1; percent? --scale 0..100"),
    ("93%", "line 25: a score of 93%; a score is a share of right, 0 to 1; percent? --scale 0..100"),
    (4, "a score of 4; a score is a share of right, 0 to 1; --scale 1..5 says from where to where it goes, --right-from 4"),
    (-0.25, "a score of -0.25; a score is a share of right, 0 to 1"), (1e9, "a score of 1e+09"), ("inf", "a score of inf"),
])
def test_a_score_outside_0_to_1_is_refused_with_its_line(tmp_path: Path, score: object, message: str) -> None:
    found = quality(rows_with(tmp_path, {"id": 99, "system": "other", "score": score}), *TODAY)
    assert found.code == 2
    assert message in found.error


def test_a_row_of_a_json_document_is_named_by_its_number_from_1(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*pair_rows(2, 0, 0, 0), {"id": 9, "system": "other", "score": 93}]))
    found = quality(path, *TODAY)
    assert "rows.json, row 5: a score of 93" in found.error


def test_a_lowest_right_score_that_none_reaches_is_refused(tmp_path: Path) -> None:
    """Of scores of 0 and 1 all were wrong from 4 on, of both systems, and the other was "good enough"."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(pair_rows(2, 1, 1, 0)))
    said = quality(path, *TODAY, "--right-from", "4").error
    assert "--right-from: 4 is not usable; no score of these files reaches it" in said


@pytest.mark.parametrize(("options", "message"), [
    (("--scale", "1-5"), "--scale: '1-5' is not usable; write the lowest and the highest score, such as 1..5"),
    (("--scale", "5..1"), "--scale: '5..1' is not usable"), (("--scale", "1..5"), "a score of 7; --scale says 1 to 5"),
    (("--scale", "1..5", "--right-from", "4"), "a score of 7; --scale says 1 to 5"),
    (("--scale", "1..5", "--right-from", "9"), "--right-from: 9 is not usable; above 1 and at most 5 (--scale)"),
    (("--scale", "1..5", "--right-from", "1"), "--right-from: 1 is not usable"),
])
def test_a_scale_that_is_none_or_does_not_hold_a_score_is_refused(
    tmp_path: Path, options: tuple[str, ...], message: str,
) -> None:
    found = quality(write_rows(tmp_path / "r.jsonl", [{"id": 1, "system": "today", "score": 7}]), *TODAY, *options)
    assert (found.code, message in found.error) == (2, True), found.error


def test_preferences_are_told_from_scores(tmp_path: Path) -> None:
    found = quality(write_rows(tmp_path / "r.jsonl", [{"id": 1, "model_a": "x", "model_b": "y", "winner": "tie"}]), *TODAY)
    assert "preferences, which say whose answer is better and not how good either is" in found.error


def test_rows_that_cannot_count_are_counted_by_reason_and_strict_refuses_them(tmp_path: Path) -> None:
    bad = [{"id": None, "system": "other", "score": 1}, {"id": "x" * 201, "system": "other", "score": 1},
           {"id": ["a"], "system": "other", "score": 1}, {"id": 50, "system": None, "score": 1},
           {"id": 51, "system": "other"}, {"id": 52, "system": "other", "score": 1, "weight": 0},
           {"id": 53, "system": "other", "score": 1, "weight": "heavy"},
           {"id": 0, "system": "other", "score": 1, "weight": 1e300}, {"id": 0, "system": "today", "score": 1}]
    path = rows_with(tmp_path, *bad)
    path.write_text(path.read_text() + 'no JSON at all\n[1]\n{"id": 54, "system": "other", "score": 0, "score": 1}\n')
    found = quality(path, *TODAY)
    assert found.left_out == {
        "no id of an item, or one of more than 200 characters": 3, "no system, or a name of more than 200 characters": 1,
        "no score: empty, or a text that says neither right nor wrong": 1,
        "a weight that is no number above 0, at most 1e12": 3, "a line that is no JSON object": 2,
        "a copy of another row: the same system, item, run and score": 1,
        "a line that gives a key twice": 1}  # fmt: skip
    assert found.scores["today"] == (12, round(8 / 12, 6))
    strict = quality(path, *TODAY, "--strict")
    assert strict.code == 2
    assert "--strict: " in strict.error
    assert "; 1 x no score: empty" in strict.error


def test_a_copy_is_left_out_of_the_rows_that_its_file_is_said_to_have(tmp_path: Path) -> None:
    """Files of 3 rows and of 2: one row of the second is a copy of one of the first, so that 3 and 1 count, of 5 in all."""
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("id,system,score\n1,today,1\n1,other,1\n2,today,0\n")
    two.write_text("id,system,score\n1,today,1\n2,other,1\n")
    found = quality(one, two, *TODAY)
    assert [each["rows"] for each in found.data["sources"]] == [3, 1]
    assert [each["rows"] for each in found.data["left_out"]] == [1]
    shown = " ".join(ask("quality", one, two, *TODAY).stdout.split())
    assert "(own rows, 1 row); 1 of 5 rows left out." in shown


def test_an_item_twice_with_different_scores_is_refused_unless_it_is_a_repeated_run(tmp_path: Path) -> None:
    """Item 0 of `other`: 1 and 0. With --repeats its mean is 0.5: (0.5 + 5 + 2) / 12."""
    path = rows_with(tmp_path, {"id": 0, "system": "other", "score": 0})
    found = quality(path, *TODAY)
    assert found.code == 2
    told = "item '0' of other occurs with scores 1 and 0 (1 such rows); repeated runs, and several judges, need a column run"
    assert told in found.error
    assert "; of several metrics keep the rows of one, of several dates those of the last: a model may have" in found.error
    repeated = quality(path, *TODAY, "--repeats")
    assert repeated.scores["other"] == (12, 0.625)
    assert repeated.data["runs"] == 2
    marked = rows_with(tmp_path, {"id": 0, "system": "other", "score": 0, "run": 2})
    assert quality(marked, *TODAY).scores["other"] == (12, 0.625)


def test_an_incumbent_that_is_not_there_and_rows_without_a_score(tmp_path: Path) -> None:
    gone = [{"id": k, "system": "other", "score": score} for k, score in enumerate(("", "nan", None))]
    rows = [row for row in pair_rows(1, 1, 1, 1) if row["system"] == "today"]
    dropped = quality(write_rows(tmp_path / "dropped.jsonl", [*rows, *gone]), *TODAY)
    assert (dropped.scores, sum(dropped.left_out.values())) == ({"today": (4, 0.5)}, 3)
    assert any(each.startswith("other: none of its 3 items has a score") for each in dropped.data["warnings"])
    assert "'other' has 3 items in the files and a score on none" in quality(
        tmp_path / "dropped.jsonl", "--incumbent", "other").error
    assert quality(tmp_path / "dropped.jsonl", "--incumbent", "gpt").error == (
        "roi: --incumbent: no system 'gpt' in the files, which hold today alone; give results of both on the same items, or"
        " leave the option out for that one's score")
    some = write_rows(tmp_path / "some.jsonl", [*pair_rows(1, 1, 1, 1), *({**row, "id": f"x{row['id']}"} for row in gone)])
    assert sum(quality(some, *TODAY).left_out.values()) == len(gone)
    path = rows_with(tmp_path)
    assert "--incumbent: needed and not given; which of today, other is paid today?" in quality(path).error
    assert "--incumbent: no system 'toda' in the files; nearest: today" in quality(path, "--incumbent", "toda").error


def test_control_characters_of_names_stay_out_of_messages(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "r.jsonl", [{"id": "1\x1b[31m\n", "system": "a\x1b[31m\nb", "score": k} for k in (0, 1)])
    assert "which hold a [31m b alone" in quality(path, *TODAY, "--repeats").error
    assert r"item '1\x1b[31m' of a [31m b occurs with scores 0 and 1" in quality(path, *TODAY).error


def test_a_column_of_ids_taken_for_the_system_is_found_out(tmp_path: Path) -> None:
    rows = [{"id": k, "system": f"s{k}", "score": 1} for k in range(300)]
    assert "more than 200 systems" in quality(write_rows(tmp_path / "r.jsonl", rows), *TODAY).error


def test_ids_that_do_not_match_say_how_many_pair(tmp_path: Path) -> None:
    rows = [{"id": f"a{k}", "system": "today", "score": 1} for k in range(30)]
    apart = write_rows(tmp_path / "r.jsonl", [*rows, *({"id": f"b{k}", "system": "other", "score": 1} for k in range(20))])
    assert "FILES: 0 of 20 items of other pair with the 30 of today: their ids differ" in quality(apart, *TODAY).error
    others = [{"id": f"a{k + 20}", "system": "other", "score": 1} for k in range(20)]
    partly = write_rows(tmp_path / "p.jsonl", [*rows, *others])
    found = quality(partly, *TODAY)
    assert found.against("other")["pairs"] == 10
    assert "other: the difference rests on 10 pairs; it was judged on 20 items, today on 30" in found.data["warnings"]
    assert "--strict: other: 10 of 40 items pair" in quality(partly, *TODAY, "--strict").error


def test_an_item_in_two_clusters_is_refused(tmp_path: Path) -> None:
    rows = [row | {"cluster": row["system"] if row["id"] == 3 else "c"} for row in pair_rows(2, 1, 1, 1)]
    assert "item '3' is in two clusters" in quality(write_rows(tmp_path / "r.jsonl", rows), *TODAY).error


@pytest.mark.parametrize(("options", "message"), [
    (("--bar", "90"), "--bar: '90' is not usable; a share of right answers, 0 to 1; percent? divide it by 100"),
    (("--bar", "90%"), "--bar: '90%' is not usable; a share of right answers, 0 to 1; percent? divide it by 100"),
    (("--margin", "2"), "--margin: 2.0 is not usable; a number from 0 to 1"),
    (("--margin", "nan"), "--margin: nan is not usable; a number from 0 to 1"),
    (("--metric", ""), "--metric: '' names no score"),
    (("--bar", "0.9@20260101"), "--bar: '20260101' is no day; write it as 2026-11-24"),
    (("--bar", "high"), "--bar: 'high' is not usable"), (("--bar", "nan"), "--bar: 'nan' is not usable"),
    (("--bar", "0.9@tuesday"), "--bar: 'tuesday' is no day; write it as 2026-11-24"),
    (("--bar", "0.9@2999-05-01"), "--bar: 2999-05-01 is after today, "),
    (("--metric", "score@2999-05-01"), "give the day on which it was fixed"),
    (("--map", "scores=score"), "--map: 'scores' is not read; there is item, system, score, cluster, weight, run, escalated"),
    (("--map", "weight=TYPO"), "--map: unknown column (or one that tells no row's weight) 'TYPO'; known: id, system, score"),
    (("--map", "cluster=idd"), "no row's cluster) 'idd'; nearest: id"), (("--map", "run=x"), "no row's run) 'x'"),
    (("--map", "escalated=x"), "no row's escalated) 'x'"), (("--map", "system=foo"), "has no column 'foo'; nearest: system"),
    (("--map", "score=scor"), "has no column 'scor'; nearest: score"), (("--map", "score"), "write it as item=COLUMN"),
    (("--cascade", "other"), "write it as FIRST,SECOND"),
    (("--cascade", "other,today"), "no row of other says whether it was escalated"),
    (("--cascade", "othr,today"), "--cascade: no system 'othr' in the files; nearest: other"),
    (("--training", "nowhere.txt"), "--training: nowhere.txt cannot be read"),
])
def test_options_that_cannot_be_used(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    found = quality(rows_with(tmp_path), *TODAY, *options)
    assert found.code == 2
    assert message in found.error


def test_training_ids_must_be_some(tmp_path: Path) -> None:
    path = rows_with(tmp_path)
    (tmp_path / "none.txt").write_text("\n")
    (tmp_path / "bad.jsonl").write_text('{"id": ')
    assert "holds no id" in quality(path, *TODAY, "--training", tmp_path / "none.txt").error
    assert "neither ids, one a line, nor JSON lines" in quality(path, *TODAY, "--training", tmp_path / "bad.jsonl").error


def test_the_output_is_not_put_over_another_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("title: my scenario\n")
    found = quality(rows_with(tmp_path), *TODAY, "--output", tmp_path / "mine.yaml")
    assert "mine.yaml is there already, and no such answer as this one" in found.error
    assert (tmp_path / "mine.yaml").read_text() == "title: my scenario\n"


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of everything inside."""
    for key in range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


@pytest.mark.full
@pytest.mark.parametrize("name", ["promptfoo.json", "langfuse_scores.json", "inspect/gpt-6-sol.json"])
def test_whatever_stands_where_a_value_should_is_read_counted_or_refused(tmp_path: Path, name: str) -> None:
    """A hundred and twenty times one to three values of a fixture are replaced: never a traceback, `quality` sees to that."""
    draw = random.Random(name)  # noqa: S311 -- the same values at every run
    odd = (None, True, 0, -1, 2.5, 10**30, "", "x", "correct", [], [1], {}, {"a": 1})
    for _ in range(120):
        document = json.loads((DATA / name).read_text())
        for _ in range(draw.choice((1, 2, 3))):
            *parents, last = draw.choice(list(places(document)))
            reduce(getitem, parents, document)[last] = draw.choice(odd)
        (tmp_path / "f.json").write_text(json.dumps(document))
        assert quality(tmp_path / "f.json", "--incumbent", "gpt-6-sol").code in {0, 2}


def test_unknown_json_is_refused_without_reading_it_as_rows(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"runs": [{"id": 1, "system": "a", "score": 1}]}, indent=1))
    assert "no row of an item in it" in quality(tmp_path / "f.json", *TODAY).error


def test_a_system_that_the_files_do_not_name_cannot_be_renamed(tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("id,system,score\n1,gpt-6-sol,1\n1,gpt-6-luna,0\n")
    code, _, said = quality(file, "--incumbent", "gpt-6-sol", "--system", "gpt-6-lunar=luna")
    assert (code, said) == (2, "roi: --system: unknown system of the files: 'gpt-6-lunar'; nearest: gpt-6-luna, gpt-6-sol")
    assert quality(file, "--incumbent", "gpt-6-sol", "--system", "gpt-6-luna=luna")[0] == 0


def test_a_folder_that_is_gone_while_another_is_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where others come and go."""
    (tmp_path / "gone").mkdir()
    write_rows(tmp_path / "r.jsonl", pair_rows(5, 0, 0, 0))
    scandir = os.scandir

    def gone(path: Any) -> Any:
        if str(path).endswith("gone"):
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert quality(tmp_path, "--incumbent", "today").code == 0
