"""Is a system good enough: yes, no or not known yet, on the screen, in JSON and in Python; chances by hand."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from quality_support import pair_rows, quality, write_rows

import roi
from roi.cli import main
from roi.scenario.yaml import read_yaml

TODAY = ("--incumbent", "today")


def ask(tmp_path: Path, rows: list[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
    """What is said of each system, in order."""
    found = quality(write_rows(tmp_path / "r.jsonl", rows), *TODAY, *options)
    assert found.code == 0, found.error
    answers: list[dict[str, Any]] = found.data["answers"]
    return answers


def screen(tmp_path: Path, rows: list[dict[str, Any]], *options: str) -> str:
    """The report, in one line."""
    path = write_rows(tmp_path / "r.jsonl", rows)
    run = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["quality", str(path), *TODAY, *options])
    assert run.exit_code == 0, run.output
    return " ".join(run.stdout.split())


def test_yes_where_margin_and_bar_are_both_95_percent_likely(tmp_path: Path) -> None:
    """0.91 and 0.93 on 300: 4 points of 1.65 above the margin, P = 0.99; 0.93 against a bar of 0.85: P > 0.99."""
    rows = pair_rows(264, 9, 15, 12)
    (answer,) = ask(tmp_path, rows, "--bar", "0.85")
    assert (answer["system"], answer["good_enough"], answer["more_items"]) == ("other", "yes", 0)
    assert answer["sentence"].startswith(
        "other is good enough: chance 99% to be at most 2 points worse than today (found +2.0, 90%")
    assert "300 pairs), >99% to reach the bar of 85% (found 93%, 90%" in answer["sentence"]
    assert "YES other is good enough" in screen(tmp_path, rows, "--bar", "0.85")


def test_unknown_says_how_many_items_settle_it(tmp_path: Path) -> None:
    """Margin 0.02, difference 0, s = 0.0183: 380 items to add (of test_items_to_add_by_hand); P = Phi(0.02 / 0.0185) = 0.86."""
    rows = pair_rows(265, 15, 15, 5)
    (answer,) = ask(tmp_path, rows)
    assert answer["good_enough"] == "unknown"
    assert answer["more_items"] == pytest.approx(380, rel=0.1)
    assert f"To know: add {answer['more_items']} items, if the means stay." in answer["sentence"]
    assert "UNKNOWN other: not known yet; chance 86% to be" in screen(tmp_path, rows)


def test_a_margin_that_is_missed_settles_it_however_near_the_bar_lies(tmp_path: Path) -> None:
    """14 of 397 worse, 1.53 points beyond the margin, 58 differ: s^2 = (58 + 1) / 398^2 - 0.0353^2 / 398, s = 0.0192.

    397 x (1.645 x 0.0192 / 0.0153)^2 = 1,700 in all. The bar of 85%, which 85.9% reaches, would take thousands.
    """
    (answer,) = ask(tmp_path, pair_rows(319, 36, 22, 20), "--bar", "0.85")
    assert answer["more_items"] == pytest.approx(1304, rel=0.02)
    (alone,) = ask(tmp_path, pair_rows(319, 36, 22, 20))
    assert alone["more_items"] == answer["more_items"]
    found = quality(tmp_path / "r.jsonl", *TODAY, "--bar", "0.95")  # 85.9%: a no, which no item is needed for
    assert (found.data["answers"][0]["good_enough"], found.against("other")["more_items"]) == ("no", 0)


def test_few_items_are_told_once_and_no_chance_is_none(tmp_path: Path) -> None:
    """One item that is lost: one more such would settle it, and a test takes 99; each is said with its meaning.

    120 of 400 worse: no draw is within 2 points.
    """
    (answer,) = ask(tmp_path, pair_rows(0, 1, 0, 0))
    assert answer["sentence"].endswith("To know: add 1 item, if the means stay. roi compare takes fewer than 100 items for no"
                                       " test (verdict.min_items): for that add 99.")
    assert (answer["more_items"], answer["items_until_tested"]) == (1, 99)
    told = screen(tmp_path, pair_rows(0, 1, 0, 0))
    assert "1 item, fewer than 200: luck decides much" in told
    assert "chance <1% to be at most 2 points worse" in screen(tmp_path, pair_rows(240, 140, 20, 0))
    assert " 0%" not in screen(tmp_path, pair_rows(240, 140, 20, 0), "--bar", "0.9")


def test_an_incumbent_that_may_reach_the_bar_is_not_said_to_miss_it(tmp_path: Path) -> None:
    """82% of 300 against 84%: s = 0.022, P = Phi(-0.02 / 0.022) = 0.18; the other is at 70%."""
    (answer,) = ask(tmp_path, pair_rows(200, 46, 10, 44), "--bar", "0.84")
    assert "Nor is today likely to reach that bar, which is paid today: chance 1" in answer["sentence"]


def test_no_where_either_is_at_most_5_percent_likely_however_sure_the_other(tmp_path: Path) -> None:
    """0.91 and 0.93 again: within the margin (0.99), but 0.93 reaches a bar of 0.97 hardly ever, and today no more."""
    (answer,) = ask(tmp_path, pair_rows(264, 9, 15, 12), "--bar", "0.97")
    assert (answer["good_enough"], answer["more_items"]) == ("no", 0)
    assert "Nor does today reach that bar, which is paid today: chance <1%." in answer["sentence"]
    (worse,) = ask(tmp_path, pair_rows(230, 60, 4, 6), "--bar", "0.5")  # 18.7 points worse, yet above the bar
    assert (worse["good_enough"], worse["more_items"]) == ("no", 0)
    assert "Nor does" not in worse["sentence"]


def test_a_mean_all_but_on_the_edge_is_told_instead_of_a_set_that_nobody_judges(tmp_path: Path) -> None:
    """Six of 300 worse: exactly the margin. What is 95% sure is the low end of the 90% interval."""
    rows = pair_rows(264, 15, 9, 12)
    found = quality(write_rows(tmp_path / "r.jsonl", rows), *TODAY)
    (answer,), low = found.data["answers"], found.against("other")["low"]
    assert answer["good_enough"] == "unknown"
    assert "it lies all but on the margin" in answer["sentence"]
    assert f"95% sure is at most {-100 * low:.1f} points worse; is another --margin yours?" in answer["sentence"]
    (by_bar,) = ask(tmp_path, pair_rows(265, 15, 15, 5), "--bar", "0.9333", "--margin", "0.1")  # 280 of 300
    assert "it lies all but on the bar" in by_bar["sentence"]


def test_the_bar_alone_where_the_margin_is_everything(tmp_path: Path) -> None:
    """18.7 points worse than today, and 78% against a bar of 70%: with a margin of 1 only the bar counts."""
    (answer,) = ask(tmp_path, pair_rows(230, 60, 4, 6), "--bar", "0.7", "--margin", "1")
    assert answer["good_enough"] == "yes"


def test_answers_that_nobody_judged_make_no_yes(tmp_path: Path) -> None:
    """95% on 240 items of both, and 60 that timed out: counted as wrong 0.95 x 240 / 300 = 76%, under the bar of 85%."""
    rows = pair_rows(220, 8, 8, 4) + [{"id": f"t{k}", "system": "other", "score": None} for k in range(60)]
    assert [each["good_enough"] for each in ask(tmp_path, rows[:480], "--bar", "0.85", "--margin", "0.05")] == ["yes"]
    (answer,) = ask(tmp_path, rows, "--bar", "0.85", "--margin", "0.05")
    assert (answer["good_enough"], answer["more_items"]) == ("unknown", None)
    assert "counted as wrong, its score is 76%: judge them, or say --unscored wrong" in answer["sentence"]
    (wrong,) = ask(tmp_path, rows, "--bar", "0.85", "--margin", "0.05", "--unscored", "wrong")
    assert wrong["good_enough"] == "no"  # 76% on 300 against 85%
    few = rows[:480] + rows[-3:]  # 95% x 240 / 243 = 93.8%: both hold even so
    assert [each["good_enough"] for each in ask(tmp_path, few, "--bar", "0.85", "--margin", "0.05")] == ["yes"]


def test_a_yes_on_few_items_says_that_a_comparison_takes_it_for_untested(tmp_path: Path) -> None:
    """All 60 right on both: within 10 points for sure; roi compare asks for 100."""
    (answer,) = ask(tmp_path, pair_rows(60, 0, 0, 0), "--margin", "0.1")
    assert (answer["good_enough"], answer["items_until_tested"]) == ("yes", 40)
    assert "fewer than 100 items for no test (verdict.min_items): for that add 40" in answer["sentence"]


def test_who_was_judged_on_what_the_incumbent_gets_wrong_alone_is_not_known(tmp_path: Path) -> None:
    """70 of 78 that today's model got wrong are right; it got 522 others right, of which no more than 120 may be lost."""
    rows = pair_rows(522, 0, 70, 8)
    some = [row for row in rows if row["system"] == "today" or row["id"] >= 522]
    (answer,) = ask(tmp_path, some, "--margin", "0.2", "--bar", "0.7")
    assert answer["good_enough"] == "unknown"
    assert "First judge it on the other 522 items" in answer["sentence"]


def test_a_system_alone_has_a_score_and_what_to_judge_next(tmp_path: Path) -> None:
    """90 of 100 right: Beta(90.5, 10.5), whose 5% and 95% are 84.2% and 94.1% and deviation 0.0302 (scipy.stats.beta).

    A bar of 92% lies 0.02 off: 100 x (1.645 x 0.0302 / 0.02)^2 = 617 items in all.
    """
    part = tmp_path / "part.yaml"
    write_rows(tmp_path / "one.jsonl", [{"id": k, "system": "sol", "score": int(k < 90)} for k in range(100)])
    found = quality(tmp_path / "one.jsonl", "--bar", "0.92", "--output", part)
    assert (found.scores, found.data["answers"], found.data["differences"]) == ({"sol": (100, 0.9)}, [], [])
    alone = found.data["alone"]
    assert (found.data["incumbent"], alone["system"]) == (None, "sol")
    assert alone["more_items"] == pytest.approx(517, rel=0.01)
    more = f"To know whether it reaches the bar: add {alone['more_items']} items, if the mean stays. Next: judge another system"
    assert more in alone["sentence"]
    assert set(read_yaml(part)["quality"]["scores"]) == {"sol"}
    assert read_yaml(part)["record"]["incumbent"] is None
    told = screen(tmp_path, [{"id": k, "system": "today", "score": int(k < 90)} for k in range(100)])
    assert "today alone: score 90% (90% 84.2% to 94.1%) on 100 items. Next: judge a candidate on the same 100 items" in told
    assert not any(word in told for word in ("Against", "None", "Good enough:", "lost / won", "UNKNOWN"))
    assert roi.measure_quality(tmp_path / "one.jsonl").answers == ()
    assert quality(tmp_path / "one.jsonl", "--incumbent", "sol").data["alone"]["more_items"] is None
    assert quality(write_rows(tmp_path / "two.jsonl", pair_rows(5, 1, 1, 1)), *TODAY).data["alone"] is None


def test_what_own_items_alone_keep_open_takes_no_new_ones(tmp_path: Path) -> None:
    """285 of 300 pairs right, both: 95% against a bar of 92%. With 50 of its own, 17 wrong, 90.9%: it said "add 0 items"."""
    own = [{"id": f"x{k}", "system": "other", "score": int(k % 3 > 0)} for k in range(50)]
    (answer,) = ask(tmp_path, [*pair_rows(285, 0, 0, 15), *own], "--bar", "0.92")
    assert (answer["good_enough"], answer["more_items"]) == ("unknown", 0)
    assert answer["sentence"].endswith(
        "To know: judge today too on the 50 items that other alone was judged on, which speak against it.")


def test_items_to_add_are_new_clusters_and_no_more_runs(tmp_path: Path) -> None:
    rows = [{**row, "cluster": f"c{row['id'] // 3}"} for row in pair_rows(265, 15, 15, 5)]
    assert " items in clusters of their own, if the means stay." in ask(tmp_path, rows)[0]["sentence"]
    twice = [{**row, "run": run} for row in pair_rows(265, 15, 15, 5) for run in (1, 2)]
    assert " items, not runs of the same, if the means stay." in ask(tmp_path, twice)[0]["sentence"]


def test_a_cascade_is_judged_like_a_system(tmp_path: Path) -> None:
    """The other hands on what it gets wrong: the two together are right on 264 + 9 + 15 of 300, 5 points above today."""
    rows = [row if row["system"] == "today" else {**row, "escalated": row["score"] == 0} for row in pair_rows(264, 9, 15, 12)]
    answers = {each["system"]: each["good_enough"] for each in ask(tmp_path, rows, "--bar", "0.9")}
    assert answers == {"other": "yes", "other > today": "yes"}


def test_the_good_ones_come_first_and_the_best_of_several_is_no_proof(tmp_path: Path) -> None:
    """Nine systems beside today, the first 18 points worse, the others as good as it: six are told, three are counted."""
    rows = pair_rows(230, 60, 4, 6)
    rows += [{**row, "system": f"s{n}"} for n in range(8) for row in rows if row["system"] == "today"]
    answers = ask(tmp_path, rows)
    assert [each["good_enough"] for each in answers] == ["yes"] * 8 + ["no"]
    told = screen(tmp_path, rows)
    assert told.count("YES s") == 6
    assert "3 more systems: 2 good enough, 1 not good enough; --format json says it of each." in told
    assert "Each of the 9 systems is judged by itself: the best of several looks better than it is" in told
    assert "best of several" not in screen(tmp_path, pair_rows(230, 60, 4, 6))


def test_without_a_bar_the_report_says_that_the_margin_alone_counts(tmp_path: Path) -> None:
    told = screen(tmp_path, pair_rows(264, 9, 15, 12), "--margin", "0")
    assert "chance 88% to be no worse than today" in told or "chance 89% to be no worse than today" in told
    assert "within the margin (--margin 0); no --bar is given; not: at most 5% of it" in told


def test_python_gets_the_block_and_the_answers(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "r.jsonl", pair_rows(265, 15, 15, 5))
    found = roi.measure_quality(path, incumbent="today", margin=0.1)
    assert [each["good_enough"] for each in found.answers] == ["yes"]
    assert set(found) == {"scores"}
    assert "YES     other is good enough" in str(found)
    assert "other is good enough" in found._repr_html_()
    assert roi.measure_quality(path, incumbent="today").answers[0]["good_enough"] == "unknown"
    with pytest.raises(roi.InputError, match=r"^margin: 2 is not usable; a share of right answers, 0 to 1"):
        roi.measure_quality(path, incumbent="today", margin=2)


def test_what_weighted_items_are_worth_is_told_and_of_plain_ones_nothing(tmp_path: Path) -> None:
    """Kish: (60 x 1 + 60 x 3)^2 / (60 x 1 + 60 x 9) = 96 of 120, where marks know nothing of weights."""
    rows = pair_rows(90, 10, 10, 10)
    assert "Weights, grades and clusters" not in screen(tmp_path, rows)
    told = screen(tmp_path, [row | {"weight": 1 + 2 * (row["id"] % 2)} for row in rows])
    assert "the items of a system say as much as 9" in told
    assert "lost / won, below, are of items whatever they weigh, and McNemar's p too." in told
    apart = screen(tmp_path, [row | {"cluster": row["id"] // 3} for row in rows])
    assert "are of items whatever they weigh; McNemar's p is of clusters, each by its sign." in apart
