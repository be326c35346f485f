"""What files do not say: words that are no score, systems on other items, runs that were cut short, options without effect."""

import json
from pathlib import Path
from typing import Any

import pytest
from quality_support import pair_rows, quality, write_rows

import roi

TODAY = ("--incumbent", "today")


def worded(tmp_path: Path, *marks: str) -> Path:
    """Each of the marks ten times, of both systems."""
    return write_rows(tmp_path / "r.jsonl", [{"id": f"{mark} {k}", "system": name, "verdict": mark}
                                             for name in ("today", "other") for mark in marks for k in range(10)])


def test_words_that_are_no_score_are_told_and_count_what_is_said(tmp_path: Path) -> None:
    """10 right, 10 wrong and 10 half right: 15 of 30; without the last 10 of 20."""
    path = worded(tmp_path, "correct", "incorrect", "partially correct")
    left = quality(path, *TODAY)
    assert left.scores["other"] == (20, 0.5)
    assert left.data["warnings"][0] == (
        "words that say neither right nor wrong are left out: 20 x 'partially correct'; say what each counts, once for each:"
        " --word 'partially correct=0.5'")
    found = quality(path, *TODAY, "--word", "Partially correct=0.25")
    assert found.scores["other"] == (30, 0.416667)
    assert found.data["metrics"] == ["verdict (Partially correct 0.25)"]
    assert roi.measure_quality(path, incumbent="today", words={"partially correct": 1})["scores"]["other"]["value"] == 0.666667
    assert quality(path, *TODAY, "--word", "partially correct=2").error == (
        "roi: --word: partially correct=2 is not usable; a score from 0 to 1")
    assert "--word: 'x' stands for no number" in quality(path, *TODAY, "--word", "x=half").error
    assert quality(path, *TODAY, "--word", "partialy correct=0.5").error == (
        "roi: --word: unknown word of a score in the files: 'partialy correct'; nearest: partially correct")


@pytest.mark.parametrize(("word", "told"), [
    ("no-response", "--word no-response=0, or --unscored wrong for all that have no score"),
    ("Timeout", "--word Timeout=0, or --unscored wrong for all that have no score"),
    ("ja", "--word ja=1 where it is right, ja=0 where it is wrong"),
    ("half right", "--word 'half right=0.5'"),
])
def test_what_a_word_counts_is_suggested_as_it_can_be_told(word: str, told: str, tmp_path: Path) -> None:
    """Silence is wrong, and neither it nor a yes of another language is half right."""
    warnings = quality(worded(tmp_path, "correct", "incorrect", word), *TODAY).data["warnings"]
    assert warnings[0] == (f"words that say neither right nor wrong are left out: 20 x {word!r}; say what each counts, once for"
                           f" each: {told}")


@pytest.mark.parametrize(("options", "half", "silent"), [
    (("--scale", "1..5"), "half=3", "none=1"), (("--scale", "-1..1"), "half=0", "none=-1"),
    (("--right-from", "4"), "half=4 where it is right, half=0 where it is wrong", "none=0"),
])
def test_a_word_is_suggested_as_the_files_write_scores_and_read_so(
    options: tuple[str, ...], half: str, silent: str, tmp_path: Path,
) -> None:
    """A half of 1 to 5 is 3; 0.5 was told, and then refused."""
    for word, told in (("half", half), ("none", silent)):
        path = worded(tmp_path, "0.5" if options[1] == "-1..1" else "5", word)
        warning = quality(path, *TODAY, *options).data["warnings"][0]
        assert f"once for each: --word {told}" in warning
        assert quality(path, *TODAY, *options, "--word", told.split()[0]).code == 0


def test_a_word_off_the_scale_is_refused_with_what_may_be_meant(tmp_path: Path) -> None:
    """Half of the way from 1 to 5 is 3, none of it 1."""
    path = worded(tmp_path, "5", "half")
    begins = "roi: --word: half={} is not usable; a score from 1 to 5, as the files write it (--scale); {}"
    for value, meant in (("0.5", "0.5 of the way is 3"), ("0", "0 of the way is 1"), ("6", "nearest: 5")):
        found = quality(path, *TODAY, "--scale", "1..5", "--word", f"half={value}")
        assert (found.code, found.error) == (2, begins.format(value, meant))
    assert quality(path, *TODAY, "--scale", "1..5", "--word", "half=3").scores["today"] == (20, 0.75)


def test_a_system_without_any_score_is_told(tmp_path: Path) -> None:
    """As one with 12 of 13 missing is: `mute` never answered, and counted as wrong it has 0 of 20."""
    rows = [{"id": k, "system": name, "score": mark} for name, mark in (("today", 1), ("other", 1), ("mute", "no-response"))
            for k in range(20)]
    path = write_rows(tmp_path / "r.jsonl", [*rows, {"id": 20, "system": "today", "score": 1}])
    found = quality(path, *TODAY)
    assert found.scores == {"today": (21, 1.0), "other": (20, 1.0)}
    assert found.data["without_score"] == [{"system": "mute", "items": 20}]
    assert ("mute: none of its 20 items has a score (failed calls or judges, empty ones, words), so that it is in no figure"
            " here; counted as wrong, 0.0% (--unscored wrong)") in found.data["warnings"]
    assert quality(path, "--incumbent", "mute").error == (
        "roi: --incumbent: 'mute' has 20 items in the files and a score on none; 20 x 'no-response'; say what each counts, once"
        " for each: --word no-response=0, or --unscored wrong for all that have no score")
    assert quality(path, *TODAY, "--unscored", "wrong").scores["mute"] == (20, 0.0)


def test_the_system_with_the_fewest_items_and_a_renamed_one_are_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "r.jsonl", [*pair_rows(5, 0, 0, 0), {"id": "x", "system": "today", "score": 1}])
    assert "5 items of other, fewer than 200: luck decides much; one is 20.0 points of a score" in (
        quality(path, *TODAY).data["warnings"])
    assert quality(path, *TODAY, "--system", "today=now").error == (
        "roi: --incumbent: no system 'today' in the files; --system calls it now")


def test_grades_by_letter_are_asked_for_and_c_is_no_right_answer_among_them(tmp_path: Path) -> None:
    """Inspect's C is correct, and a school's C is not: A 4, B 3, C 2 of 0 to 4 are a mean of 0.75."""
    path = worded(tmp_path, "A", "B", "C")
    assert quality(path, *TODAY).error == (
        "roi: FILES: grades by letter: 20 x 'A', 20 x 'B'; say what each counts, once for each: --word A=4"
        " --scale 0..4, as a school's A may")
    told = ("--word", "A=4", "--word", "B=3", "--scale", "0..4")
    assert quality(path, *TODAY, *told).scores["other"] == (20, 0.875)
    assert quality(path, *TODAY, *told, "--word", "C=2").scores["other"] == (30, 0.75)


@pytest.mark.parametrize("marks", [("CANARY-7f3a",), ("a whole sentence of an answer, which nobody should see",),
                                   ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")])
def test_texts_in_the_place_of_a_score_are_not_shown(tmp_path: Path, marks: tuple[str, ...]) -> None:
    found = quality(worded(tmp_path, "correct", "incorrect", *marks), *TODAY)
    assert not any(mark in json.dumps(found.data) for mark in marks)


def test_a_system_on_other_items_is_told_and_the_others_stand(tmp_path: Path) -> None:
    """1.0 is no 1, and "0001" neither: the ids are shown."""
    rows = pair_rows(150, 20, 20, 10)
    third = [{"id": f"{row['id']:04d}", "system": "third", "score": 1} for row in rows if row["system"] == "today"]
    found = quality(write_rows(tmp_path / "r.jsonl", rows + third), *TODAY)
    told = "0 of 200 items of third pair with the 200 of today: their ids differ ('0000' there, '0' here)"
    assert [each["system"] for each in found.data["differences"]] == ["other"]
    assert found.scores["third"] == (200, 1.0)
    assert f"{told}; its score stands by itself, without a difference" in found.data["warnings"]
    assert f"--strict: {told}" in quality(tmp_path / "r.jsonl", *TODAY, "--strict").error
    alone = write_rows(tmp_path / "two.jsonl", [row for row in rows + third if row["system"] != "other"])
    assert quality(alone, *TODAY).error == f"roi: FILES: {told}"


def langfuse(tmp_path: Path, **more: Any) -> Path:
    rows = [{"traceId": f"{run}{k}", "name": name, "value": 1, "dataType": "NUMERIC", "datasetRunName": run,
             **{key: f"{value}{k}" for key, value in more.items()}}
            for run in ("today", "other") for k in range(5) for name in ("tone", "form", "length")]
    return write_rows(tmp_path / "scores.jsonl", rows)


def test_scores_of_an_experiment_of_langfuse_say_how_they_pair(tmp_path: Path) -> None:
    """A trace for each run and item."""
    assert "several (tone, form, length); choose one with --metric" in quality(langfuse(tmp_path), *TODAY).error
    refused = quality(langfuse(tmp_path), *TODAY, "--metric", "tone").error
    assert "their ids differ ('other0' there, 'today0' here); an experiment of Langfuse makes a trace for each" in refused
    assert "add a column dataset_item_id" in refused
    for column in ("dataset_item_id", "experimentItemId"):
        assert quality(langfuse(tmp_path, **{column: "i"}), *TODAY, "--metric", "tone").scores["other"] == (5, 1.0)


def test_a_log_of_inspect_that_was_cut_short_is_told(tmp_path: Path) -> None:
    """Two of three items, in two epochs: 4 of 6 samples."""
    for name, status in (("today", "success"), ("other", "error"), ("third", "error")):
        samples = [{"id": k, "epoch": e, "scores": {"m": {"value": "C"}}} for k in (1, 2) for e in (1, 2)]
        about = {"model": name, "task": "t", "dataset": {"samples": 3 if name == "other" else "3"}, "config": {"epochs": 2}}
        (tmp_path / f"{name}.json").write_text(json.dumps({
            "version": 2, "status": status, "eval": about, "samples": samples}))
    told, unsaid = (each for each in quality(tmp_path, *TODAY).data["warnings"] if "ended" in each)
    assert "with status error, with 4 of 4 samples" in unsaid
    assert told == (f"{tmp_path / 'other.json'}: the run ended with status error, with 4 of 6 samples; those that are missing"
                    " may be the hard ones")


def test_options_that_do_nothing_and_bars_and_items_that_are_not_found_say_what_would(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "r.jsonl", pair_rows(5, 0, 0, 0))
    assert quality(path, *TODAY, "--filter", "x").error == (
        "roi: --filter: 'x' is without effect; lm-evaluation-harness samples alone have filters")
    asked = quality(path, *TODAY, "--scale", "0..10", "--bar", "7.5").error
    assert asked.endswith("a share of right answers, 0 to 1; as a share of the way from 0 to 10: 0.75")
    table = tmp_path / "t.csv"
    table.write_text("ticket,model,helpful\n1,today,1\n1,other,1\n")
    assert quality(table, *TODAY, "--map", "score=helpful").error.endswith(
        "; --map item=COLUMN names the item: ticket, model, helpful")
