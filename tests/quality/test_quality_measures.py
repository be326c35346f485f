"""What an evaluation says: scores, differences, cascades, cautions, how many items settle it; by hand."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from quality_support import pair_rows, quality, write_rows
from scipy import stats

from roi.cli import main

TODAY = ("--incumbent", "today")


def ask(tmp_path: Path, rows: list[dict[str, Any]], *options: str | Path) -> Any:
    return quality(write_rows(tmp_path / "r.jsonl", rows), *TODAY, *options)


def test_scores_and_differences_by_hand(tmp_path: Path) -> None:
    """264 both, 9 today alone, 15 the other alone, 12 none: 273/300 and 279/300; difference +0.02.

    Variance of the difference (24/300 - 0.02^2) / 300: s = 0.0163, in the posterior 0.0165 or so; 2.49 s = 0.041.
    """
    found = ask(tmp_path, pair_rows(264, 9, 15, 12), "--bar", "0.9")
    today, other = found.data["scores"]
    assert (today["items"], today["value"], other["value"]) == (300, 0.91, 0.93)
    assert [other["low"], other["high"]] == pytest.approx(stats.beta.ppf([0.05, 0.95], 279.5, 21.5), abs=1e-5)
    assert other["probability_reaches_bar"] == pytest.approx(stats.beta.sf(0.9, 279.5, 21.5), abs=1e-6)
    pair = found.against("other")
    assert pair["difference"] == pytest.approx(0.02)
    assert pair["mcnemar_p"] == pytest.approx(stats.binomtest(9, 24, 0.5).pvalue)
    assert pair["smallest_difference_shown"] == pytest.approx(2.486 * 0.0165, rel=0.03)
    assert pair["high"] - pair["low"] == pytest.approx(2 * 1.645 * 0.0165, rel=0.03)
    assert pair["probability_not_worse"] == pytest.approx(stats.norm.cdf(0.04 / 0.0165), abs=0.01)
    assert found.data["warnings"] == []


def test_grades_are_shares_of_their_scale_or_right_from_one_of_them_on(tmp_path: Path) -> None:
    """Grades 5, 4, 2, 1 of 1 to 5 are 1, 0.75, 0.25 and 0: mean 0.5. From 4 on they are right: 2 of 4; from 2 on 3 of 4.

    A cell of a table that says 1 is the lowest grade here, and not the word for right.
    """
    table = tmp_path / "r.csv"
    table.write_text("id,system,score\n" + "".join(f"{k},{name},{mark}\n" for name, marks in (
        ("today", "5421"), ("other", "5551")) for k, mark in enumerate(marks)))
    assert quality(table, *TODAY, "--scale", "1..5").scores == {"today": (4, 0.5), "other": (4, 0.75)}
    assert quality(table, *TODAY, "--right-from", "4").scores == {"today": (4, 0.5), "other": (4, 0.75)}
    found = quality(table, *TODAY, "--scale", "1..5", "--right-from", "2")
    assert found.scores == {"today": (4, 0.75), "other": (4, 0.75)}
    assert found.data["metrics"] == ["score of 1 to 5, right from 2"]


def test_items_to_add_by_hand(tmp_path: Path) -> None:
    """Margin 0.02, difference 0, 30 of 300 differ: s = 0.0183, 0.02 / s = 1.09: 300 x (1.645 / 1.09)^2 = 680, 380 more.

    Against a bar of 0.9, both score 0.9333 (s = 0.0146): P = 0.99, settled. A bar of 0.93 is 0.0033 away:
    300 x (1.645 x 0.0146 / 0.0033)^2 = 15,600 and more. A margin of 0.1 is settled. At the edge itself no number is enough.
    """
    rows = pair_rows(265, 15, 15, 5)
    assert ask(tmp_path, rows).against("other")["more_items"] == pytest.approx(380, rel=0.1)
    assert ask(tmp_path, rows, "--bar", "0.9").against("other")["more_items"] == pytest.approx(380, rel=0.1)
    assert ask(tmp_path, rows, "--bar", "0.93").against("other")["more_items"] == pytest.approx(15_300, rel=0.1)
    assert ask(tmp_path, rows, "--margin", "0.1").against("other")["more_items"] == 0
    assert ask(tmp_path, rows, "--margin", "0").against("other")["more_items"] is None


def test_one_item_leaves_the_prior_in_charge(tmp_path: Path) -> None:
    """Both right on one item: the score may be anything, and so may the difference."""
    found = ask(tmp_path, pair_rows(1, 0, 0, 0), "--bar", "0.9")
    assert found.data["scores"][0]["low"] < 0.3
    assert found.data["scores"][1]["probability_reaches_bar"] == pytest.approx(stats.beta.sf(0.9, 1.5, 0.5), abs=1e-5)
    assert 0.3 < found.against("other")["probability_not_worse"] < 0.8


def test_graded_scores_are_means_and_not_right_or_wrong(tmp_path: Path) -> None:
    """Marks around 0.8 with a deviation of 0.1: the interval of 200 is 0.8 +- 1.645 x 0.1 / sqrt(200) = 0.0116, not 0.047."""
    rng = np.random.default_rng(2)
    marks = np.clip(rng.normal(0.8, 0.1, (200, 2)), 0, 1)
    rows = [{"id": k, "system": name, "score": float(mark)} for k, pair in enumerate(marks)
            for name, mark in zip(("today", "other"), pair, strict=True)]
    found = ask(tmp_path, rows)
    score = found.data["scores"][0]
    assert score["value"] == pytest.approx(marks[:, 0].mean())
    assert score["high"] - score["low"] == pytest.approx(2 * 0.0116, rel=0.15)
    pair = found.against("other")
    assert pair["high"] - pair["low"] == pytest.approx(2 * 0.0116 * 2**0.5, rel=0.2)


def test_weights_move_the_score(tmp_path: Path) -> None:
    """Right items weigh 3, wrong ones 1: 3 x 8 / (3 x 8 + 2) on today."""
    rows = [row | {"weight": 3 if row["id"] < 8 else 1} for row in pair_rows(6, 2, 1, 1)]
    found = ask(tmp_path, rows)
    assert found.scores == {"today": (10, round(24 / 26, 6)), "other": (10, round(19 / 26, 6))}
    assert found.against("other")["difference"] == pytest.approx(-5 / 26)


def test_a_weight_that_the_file_of_one_system_states_is_the_items_whole_weight(tmp_path: Path) -> None:
    """The first of three items weighs 9 in today's file, and the other's has no weights: 9 / 11, not (9 + 1) / 2 of 7."""
    (tmp_path / "today.csv").write_text("id,system,score,weight\n1,today,1,9\n2,today,0,1\n3,today,0,1\n")
    (tmp_path / "other.csv").write_text("id,system,score\n 1,other,1\n2 ,other,0\n3,other,0\n")
    found = quality(tmp_path / "today.csv", tmp_path / "other.csv", "--incumbent", "today")
    assert found.scores == {"today": (3, round(9 / 11, 6)), "other": (3, round(9 / 11, 6))}
    assert found.against("other")["pairs"] == 3


def test_means_of_runs_that_are_equal_are_neither_lost_nor_won(tmp_path: Path) -> None:
    """(0.3 + 0.2 + 0.1) / 3 and 0.2 thrice, which differ by 3e-17 as floats."""
    rows = [{"id": 1, "system": name, "run": k, "score": mark} for name, marks in
            (("today", (0.2, 0.2, 0.2)), ("other", (0.3, 0.2, 0.1))) for k, mark in enumerate(marks)]
    pair = ask(tmp_path, rows).against("other")
    assert (pair["items_lost"], pair["items_won"], pair["mcnemar_p"]) == (0, 0, 1.0)


def test_the_ratios_of_weights_alone_count(tmp_path: Path) -> None:
    """Eight items lost and none won: 2 / 2^8, in whatever unit the weights are."""
    rows = [row | {"weight": 3 if row["id"] < 8 else 1} for row in pair_rows(6, 8, 0, 1)]
    found = ask(tmp_path, rows)
    for unit in (1e-200, 2.0**-50, 1e11):
        scaled = ask(tmp_path, [row | {"weight": row["weight"] * unit} for row in rows])
        for name in ("difference", "low", "high", "mcnemar_p"):
            assert scaled.against("other")[name] == pytest.approx(found.against("other")[name])
    assert found.against("other")["mcnemar_p"] == pytest.approx(2 / 2**8)


def test_items_of_a_conversation_are_drawn_together(tmp_path: Path) -> None:
    """50 conversations of 6 turns that share their fate: 300 rows that say as much as 50. McNemar counts conversations."""
    alike = [(1, 1)] * 36 + [(1, 0)] * 4 + [(0, 1)] * 8 + [(0, 0)] * 2
    rows = [{"id": f"{c}-{t}", "system": name, "score": mark, "conversation_id": c} for c, pair in enumerate(alike)
            for t in range(6) for name, mark in zip(("today", "other"), pair, strict=True)]
    together = ask(tmp_path, rows)
    apart = ask(tmp_path, [{k: v for k, v in row.items() if k != "conversation_id"} for row in rows])
    few = ask(tmp_path, pair_rows(36, 4, 8, 2))
    assert together.data["clusters"] == 50
    for end in ("low", "high"):
        assert together.against("other")[end] == pytest.approx(few.against("other")[end], abs=0.02)
        assert together.data["scores"][0][end] == pytest.approx(few.data["scores"][0][end], abs=0.01)
    assert together.against("other")["mcnemar_p"] == few.against("other")["mcnemar_p"]
    assert apart.against("other")["mcnemar_p"] < 0.01 < together.against("other")["mcnemar_p"]
    assert together.against("other")["items_won"] == 48


def test_repeated_runs_are_one_item(tmp_path: Path) -> None:
    """Five runs of each of 60 items, all alike: as sure as 60 items, not as 300."""
    rows = [row | {"run": run} for run in range(5) for row in pair_rows(40, 5, 10, 5)]
    many, one = ask(tmp_path, rows), ask(tmp_path, pair_rows(40, 5, 10, 5))
    assert many.scores == one.scores
    assert many.against("other")["low"] == pytest.approx(one.against("other")["low"])
    assert many.data["runs"] == 5


def cascade_rows() -> list[dict[str, Any]]:
    """200 items. small: 120 kept, of which 114 right; 80 handed on, of which it had 30 right.

    today: right on 110 of what is kept, on 60 of what is handed on.
    """
    rows = []
    for k in range(200):
        handed = k >= 120
        small = k < 114 if not handed else k < 150
        today = k < 110 if not handed else k >= 140
        rows += [{"id": k, "system": "small", "score": small, "escalated": handed},
                 {"id": k, "system": "today", "score": today}]
    return rows


def test_a_cascade_end_to_end_by_hand(tmp_path: Path) -> None:
    """Handed on 80/200; wrong of what is kept 6/120, of what is handed on 20/80; right in all (114 + 60) / 200 = 0.87."""
    found = ask(tmp_path, cascade_rows())
    assert found.scores == {"today": (200, 0.85), "small": (200, 0.72), "small > today": (200, 0.87)}
    (cascade,) = found.data["cascades"]
    assert (cascade["first"], cascade["second"], cascade["without_answer"]) == ("small", "today", 0)
    assert cascade["escalated"]["value"] == pytest.approx(0.4)
    assert cascade["kept_error_rate"]["value"] == pytest.approx(0.05)
    assert cascade["escalated_error_rate"]["value"] == pytest.approx(0.25)
    assert [cascade["kept_error_rate"][end] for end in ("low", "high")] == pytest.approx(
        stats.beta.ppf([0.05, 0.95], 6.5, 114.5), abs=1e-5)
    named = ask(tmp_path, cascade_rows(), "--cascade", "small,today")
    assert named.data["cascades"] == found.data["cascades"]


def test_a_cascade_to_another_model_and_items_that_it_was_not_judged_on(tmp_path: Path) -> None:
    """`large` was judged on half of what is handed on, all right: (114 + 40) / 160."""
    rows = [*cascade_rows(), *({"id": k, "system": "large", "score": 1} for k in range(120, 160))]
    found = ask(tmp_path, rows, "--cascade", "small,large")
    assert found.scores["small > large"] == (160, 0.9625)
    assert any("40 items are handed on without a score of large" in each for each in found.data["warnings"])
    apart = [row for row in rows if row["system"] != "large"] + [{"id": "x", "system": "large", "score": 1}]
    only = [row | {"escalated": True} if row["system"] == "small" else row for row in apart]
    assert "no item that small hands on was judged for large" in ask(tmp_path, only, "--cascade", "small,large").error


def test_few_items_and_items_of_the_training_file_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("3\n4\nelsewhere\n")
    write_rows(tmp_path / "ids.jsonl", [{"item_id": 5, "text": "x"}, {"id": "elsewhere"}])
    for name, count in (("ids.txt", 2), ("ids.jsonl", 1)):
        warnings = ask(tmp_path, pair_rows(30, 5, 5, 10), "--training", tmp_path / name).data["warnings"]
        assert warnings[0].startswith(f"{count} of 50 items stand in the training file")
        assert warnings[1] == "50 items, fewer than 200: luck decides much; one is 2.0 points of a score"


def test_a_bar_or_metric_that_moves_after_results_is_told_from_then_on(tmp_path: Path) -> None:
    part, rows = tmp_path / "quality.yaml", [row | {"fluent": row["score"]} for row in pair_rows(240, 20, 20, 20)]
    assert ask(tmp_path, rows, "--bar", "0.9", "--output", part).data["warnings"] == []
    assert ask(tmp_path, rows, "--bar", "0.9", "--output", part).data["warnings"] == []
    for _ in range(2):
        (moved,) = ask(tmp_path, rows, "--bar", "0.85", "--output", part).data["warnings"]
        assert moved.startswith("the bar was 0.9 when results were first seen, and is 0.85 since ")
    (stated,) = ask(tmp_path, rows, "--bar", "0.85@2026-11-20", "--output", part).data["warnings"]
    assert "and is 0.85 since 2026-11-20 as stated, first seen on 20" in stated
    other, _ = ask(tmp_path, rows, "--bar", "0.85", "--map", "score=fluent", "--output", part).data["warnings"]
    assert other.startswith("the metric was score when results were first seen, and is fluent since ")


def test_a_bar_fixed_after_the_results_says_so(tmp_path: Path) -> None:
    """Results of 2026-11-20, as the log states."""
    for name, mark in (("today", "C"), ("other", "I")):
        log = {"eval": {"model": name, "task": "t", "created": "2026-11-20T08:00:00Z"},
               "samples": [{"id": k, "epoch": 1, "scores": {"m": {"value": mark}}} for k in range(250)]}
        (tmp_path / f"{name}.json").write_text(json.dumps(log))
    assert quality(tmp_path, *TODAY, "--bar", "0.9@2026-11-19").data["warnings"] == []
    (late,) = quality(tmp_path, *TODAY, "--bar", "0.9@2026-11-21").data["warnings"]
    assert late == ("the bar (0.9) was fixed on 2026-11-21, after results of 2026-11-20: what is chosen after the results fits"
                    " them")
    (metric,) = quality(tmp_path, *TODAY, "--metric", "m@2026-11-22").data["warnings"]
    assert metric.startswith("the metric (m) was fixed on 2026-11-22, after results of 2026-11-20")


@pytest.mark.full
def test_100_000_items_of_5_systems_take_at_most_300_mib(tmp_path: Path) -> None:
    """The largest resident set of the command's own process; its time is measured in benchmarks."""
    path = tmp_path / "big.jsonl"
    with path.open("w") as file:
        for name in ("a", "b", "c", "d", "e"):
            file.writelines(json.dumps({"id": f"item-{k}", "system": name, "score": int(k % 10 < 9), "prompt": "x" * 40}) + "\n"
                            for k in range(100_000))
    code = ("import atexit, sys; atexit.register(lambda: sys.stderr.write(open('/proc/self/status').read()));"
            " from roi.cli import main; main()")
    run = subprocess.run([sys.executable, "-c", code, "quality", str(path), "--incumbent", "a"], capture_output=True, text=True,
                         check=True)
    most = next(line for line in run.stderr.splitlines() if line.startswith("VmHWM"))
    assert float(most.split()[1]) < 300 * 1024


def test_the_head_counts_the_items_that_the_warnings_count(tmp_path: Path) -> None:
    """Item 39 of 40 has a score from no system, item 38 from one: 39 with a score, 1 more without; 3 of 80 rows left out."""
    lost = {(39, "today"), (39, "other"), (38, "other")}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": k, "system": by, "score": "" if (k, by) in lost else k % 2}) + "\n"
                            for k in range(40) for by in ("today", "other")))
    text = " ".join(CliRunner().invoke(main, ["quality", str(path), "--incumbent", "today"]).stdout.split())
    assert "39 items with a score, 1 more without, 2 systems" in text
    assert "(own rows, 77 rows); 3 of 80 rows left out." in text
    assert "today: 1 of 40 items have no score" in text
    wrong = CliRunner().invoke(main, ["quality", str(path), "--incumbent", "today", "--unscored", "wrong"]).stdout
    assert "40 items, 2 systems" in wrong


def test_items_without_a_score_are_warned_of_by_system_and_count_as_wrong_where_asked(tmp_path: Path) -> None:
    """`other` is right on 32 of 40, and 10 more have none: 80%, or 32 / 50 = 64%. Item 0 has the score of another run."""
    failed = [{"id": k, "system": "other", "score": ""} for k in range(40, 50)]
    rows = [*pair_rows(30, 2, 2, 6), *({"id": k, "system": "today", "score": 1} for k in range(40, 50)), *failed,
            {"id": 0, "system": "other", "score": None, "run": 2}]
    found = ask(tmp_path, rows)
    assert found.scores == {"today": (50, 0.84), "other": (40, 0.8)}
    assert ("other: 10 of 50 items have no score (failed calls or judges, empty ones) and are left out: 80.0%; counted as"
            " wrong, 64.0% (--unscored wrong)") in found.data["warnings"]
    assert {each["system"]: each["items_without_score"] for each in found.data["scores"]} == {"today": 0, "other": 10}
    assert sum(found.left_out.values()) == 11
    wrong = ask(tmp_path, rows, "--unscored", "wrong")
    assert wrong.scores == {"today": (50, 0.84), "other": (50, (31.5 + 0.0) / 50)}
    assert "other: calls without a score count as wrong, in 11 of 50 items (--unscored)" in wrong.data["warnings"]
    assert not wrong.left_out
