"""Days left out of a log: they are no days of zero; and days without a call, which are."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from usage_support import run_usage, usage_answer

import roi
from roi.cli import main
from roi.scenario.yaml import parse_yaml

HEAD = "time,input_tokens,output_tokens,model,provider"
MONDAY = np.datetime64("2026-09-07")
WEEKS = 10


def drawn(path: Path, days: Sequence[int], *, job: int | None = None) -> Path:
    """Calls drawn at random for ten weeks from a Monday on, of these days; some 60 a day, 20 at week-ends, rising by 2% a week.

    `job`: the day with 600 calls more, in ten minutes of its night, longer ones. A day is drawn alike in every log.
    """
    lines = [HEAD]
    for day in days:
        random = np.random.default_rng(day)
        count = random.poisson((20 if day % 7 > 4 else 60) * 1.02 ** (day / 7))
        at = np.sort(np.concatenate([[60, 86_340], random.integers(0, 86_400, count)]))  # the first and the last hour have one
        for second in at.tolist():
            when = MONDAY + np.timedelta64(day, "D") + np.timedelta64(second, "s")
            lines.append(f"{when}Z,{900 + second % 200},50,gpt-6-sol,openai")
        if day == job:
            lines += [f"{MONDAY + np.timedelta64(day, 'D') + np.timedelta64(7_200 + k, 's')}Z,5000,9,gpt-6-sol,openai"
                      for k in range(600)]
    path.write_text("\n".join(lines) + "\n")
    return path


def told(*words: Path | str) -> str:
    """The screen in one line."""
    run = run_usage(*words)
    assert run.exit_code == 0, run.stderr
    return " ".join(run.stdout.split())


EVERY = range(7 * WEEKS)


@pytest.mark.full
@pytest.mark.parametrize(("gone", "word", "others"), [
    ([69], "2026-11-15", range(69)), ([0], "2026-09-07", range(1, 70)), (range(60, 70), "2026-11-06..2026-11-15", range(60)),
])
def test_a_log_without_its_last_days_is_the_log_that_ends_before_them(
    tmp_path: Path, gone: Sequence[int], word: str, others: Sequence[int],
) -> None:
    """A log that begins later or ends sooner counts those days neither as there nor as zero: every figure is the same."""
    whole = usage_answer(drawn(tmp_path / "a.csv", EVERY, job=gone[0]), "--without", word)
    short = usage_answer(drawn(tmp_path / "b.csv", others))
    assert whole["days"].pop("without") == [str(MONDAY + np.timedelta64(day, "D")) for day in gone]
    assert short["days"].pop("without") == []
    assert whole["days"]["complete"] == short["days"]["complete"] == len(others)
    for name in ("total_usd", "requests", "tokens", "by_model", "by_day", "workload"):
        assert whole[name] == short[name], name


def test_a_day_left_out_of_the_middle_is_neither_counted_nor_zero(tmp_path: Path) -> None:
    """The tenth Wednesday before the last, day 37, with its job: by hand from the calls of the other days.

    69 days are counted; Wednesdays are nine; the week of day 37 is no whole week, so that nine tell the growth.
    """
    file = drawn(tmp_path / "a.csv", EVERY, job=37)
    found, job = usage_answer(file, "--without", "2026-10-14"), usage_answer(file)
    by_day = {each["day"]: each["requests"] for each in job["by_day"]}
    gone = by_day.pop("2026-10-14")
    assert gone > 600
    calls = sum(by_day.values())
    workload = found["workload"]
    assert (found["requests"], found["without"]["requests"]) == (calls, gone)
    assert found["total_usd"] + found["without"]["total_usd"] == pytest.approx(job["total_usd"])
    assert found["days"] == {"first": "2026-09-07", "last": "2026-11-15", "complete": 69, "left_out": [], "silent": [],
                             "without": ["2026-10-14"], "in_no_file": []}
    assert workload["growth_per_year"]["weeks"] == 9
    assert "2026-10-14" not in {each["day"] for each in found["by_day"]}
    weekly = np.array([[by_day.get(str(MONDAY + np.timedelta64(7 * week + day, "D")), np.nan) for day in range(7)]
                       for week in range(WEEKS)])
    a_day = np.nanmean(weekly, axis=0).mean()  # a seventh of each weekday's mean, Wednesday's over nine
    assert workload["requests_per_day"] == pytest.approx(a_day) == pytest.approx(calls / 69, rel=0.01)
    means = np.nanmean(weekly, axis=0) / a_day
    assert workload["load"]["weekday_weights"] == pytest.approx(means.tolist(), abs=0.05)  # drawn towards 1 by chance's share
    whole = [week for week in range(WEEKS) if week != 5]
    slope = np.polyfit(whole, np.log(weekly[whole].sum(axis=1)), 1)[0]
    assert workload["growth_per_year"]["value"] == pytest.approx(np.expm1(slope * 365 / 7), rel=1e-6)
    assert workload["input_tokens"] == pytest.approx(found["tokens"]["uncached_input"] / calls)
    assert workload["input_tokens"] < 1100 < job["workload"]["input_tokens"]
    assert max(each["input_tokens"] for each in workload["lengths"]["histogram"]) < 1200
    assert workload["load"]["peak_of_one_day"] is None
    assert workload["load"]["calendar_minutes"] == 69 * 1440


@pytest.mark.full
def test_the_day_that_makes_the_peak_is_told_with_the_way_to_leave_it_out(tmp_path: Path) -> None:
    file = drawn(tmp_path / "a.csv", range(14), job=8)
    assert "2026-09-15 makes it: " in told(file)
    assert "--without 2026-09-15 leaves it out of all that stands here, and of --output" in told(file)
    without = told(file, "--without", "2026-09-15")
    assert "makes it" not in without
    assert "13 of 14 days whole; 2026-09-15 is left out of all else (--without), with 6" in without
    assert "USD a day, 2026-09-07 to 2026-09-20, without 2026-09-15" in without
    many = told(file, "--without", "2026-09-15", "--without", "2026-09-08..2026-09-10")
    assert "2026-09-08 to 2026-09-10, 2026-09-15 are left out of all else (--without)" in many


@pytest.mark.full
def test_the_part_says_which_days_it_is_without_and_compare_takes_it(tmp_path: Path) -> None:
    file, part = drawn(tmp_path / "a.csv", range(14), job=8), tmp_path / "part.yaml"
    assert run_usage(file, "--without", "2026-09-15", "--output", part).exit_code == 0
    text = part.read_text()
    assert "# 2026-09-07 to 2026-09-20, 13 whole days, without 2026-09-15 (--without); hours are UTC" in text
    said = parse_yaml(text, "part")["workload"]["requests_per_day"]
    over = "13 whole days, 2026-09-07 to 2026-09-20, without 2026-09-15 (--without)"
    assert said["source"] == f"usage: {over}, by how its days vary"
    a_day = usage_answer(file, "--without", "2026-09-15")["workload"]["requests_per_day"]
    assert said["value"] == pytest.approx(a_day, abs=1e-3)
    run = CliRunner().invoke(main, ["compare", "--usage", str(part), "--draws", "0", "--format", "json"])
    assert run.exit_code == 0, run.stderr
    fact = json.loads(run.stdout)["case"]["workload.requests_per_day"]
    assert (fact["value"], fact["source"]) == (said["value"], said["source"])
    assert (fact["low"], fact["high"], fact["basis"]) == (said["low"], said["high"], "measured")


def test_python_leaves_days_out_by_dates_and_texts(tmp_path: Path) -> None:
    file = drawn(tmp_path / "a.csv", range(14), job=8)
    by_text = roi.measure_usage(file, without=["2026-09-15", "2026-09-19..2026-09-20"])
    assert roi.measure_usage(file, without=[date(2026, 9, 15), date(2026, 9, 19), date(2026, 9, 20)]) == by_text
    assert "without 2026-09-15, 2026-09-19 to 2026-09-20" in by_text["workload"]["requests_per_day"]["source"]
    with pytest.raises(roi.InputError, match=r"^without: '2026-9-15' is no day; write a day as 2026-11-09"):
        roi.measure_usage(file, without=["2026-9-15"])
    with pytest.raises(roi.InputError, match=r"^without: 2025-09-15 is outside these files, which go from 2026-09-07"):
        roi.measure_usage(file, without=[date(2025, 9, 15)])
    bad: Any = 15
    with pytest.raises(roi.InputError, match=r"^without: int is not usable; a list of dates"):
        roi.measure_usage(file, without=bad)


@pytest.mark.parametrize(("words", "said"), [
    (["2026-09-31"], "--without: '2026-09-31' is no day; write a day as 2026-11-09, several as 2026-12-24..2027-01-01"),
    (["yesterday"], "--without: 'yesterday' is no day"),
    (["2026-09-15.."], "--without: '2026-09-15..' is no day"),
    (["2026-09-16..2026-09-15"], "--without: '2026-09-16..2026-09-15' ends before it begins"),
    (["2026-10-15"], "--without: 2026-10-15 is outside these files, which go from 2026-09-07 to 2026-09-20 (UTC)"),
    (["2026-10-15..2026-10-16"], "--without: 2026-10-15..2026-10-16 is outside these files"),
    (["2026-09-01..2026-09-30"], "--without: no day is left of 2026-09-07 to 2026-09-20"),
])
def test_what_cannot_be_left_out_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    run = run_usage(drawn(tmp_path / "a.csv", range(14)), *(each for word in words for each in ("--without", word)))
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr.startswith(f"roi: {said}")


def test_a_range_that_reaches_beyond_the_log_leaves_out_what_is_in_it(tmp_path: Path) -> None:
    found = usage_answer(drawn(tmp_path / "a.csv", range(14)), "--without", "2026-09-18..2026-12-31")
    assert found["days"]["without"] == ["2026-09-18", "2026-09-19", "2026-09-20"]
    assert found["days"]["complete"] == 11


def test_a_sum_over_days_that_are_left_out_and_others_is_refused(tmp_path: Path) -> None:
    """Weeks as buckets: 100 calls of seven days, of which one is to be left out."""
    weeks = tmp_path / "weeks.csv"
    rows = [f"2026-09-{7 * k:02}T00:00:00Z,2026-09-{7 * k + 7:02}T00:00:00Z,9000,500,100,gpt-6-sol,openai" for k in (1, 2, 3)]
    weeks.write_text("\n".join(["time,until,input_tokens,output_tokens,requests,model,provider", *rows]) + "\n")
    run = run_usage(weeks, "--without", "2026-09-15")
    assert run.exit_code == 2
    assert "rows of 2026-09-14 to 2026-09-20 (table of your own) are sums over days that are left out and others" in run.stderr
    whole = usage_answer(weeks, "--without", "2026-09-14..2026-09-20")
    assert (whole["requests"], whole["days"]["complete"]) == (200, 14)
    assert whole["workload"]["requests_per_day"] == pytest.approx(200 / 14)


def test_a_bill_is_said_to_hold_the_days_that_are_left_out(tmp_path: Path) -> None:
    file = drawn(tmp_path / "a.csv", range(14), job=8)
    notes = usage_answer(file, "--without", "2026-09-15", "--bill", "10")["notes"]
    assert ("--bill is held against the other days: where it is of the month of 2026-09-15, take off what was billed on them"
            in notes)
    assert not [note for note in usage_answer(file, "--bill", "10")["notes"] if note.startswith("--bill")]


@pytest.mark.full
def test_a_day_without_a_call_on_a_weekday_that_has_some_is_told(tmp_path: Path) -> None:
    """Three weeks; the second Thursday has no call: it counts as zero, and the note says how to leave it out."""
    file = drawn(tmp_path / "a.csv", [day for day in range(21) if day != 10])
    found = usage_answer(file)
    note = ("no call on 2026-09-17, a Thursday, although that weekday has calls otherwise: it counts as a day of zero load;"
            " where the export lacks it, --without 2026-09-17 leaves it out")
    assert note in found["notes"]
    assert (found["days"]["complete"], found["days"]["silent"]) == (21, ["2026-09-17"])
    assert "21 of 21 days whole; no call on 2026-09-17, see Notes; " in told(file)
    assert found["workload"]["requests_per_day"] == pytest.approx(found["requests"] / 21)
    part = tmp_path / "part.yaml"
    assert run_usage(file, "--output", part).exit_code == 0
    assert note in " ".join(part.read_text().replace("\n#", "").split())
    without = usage_answer(file, "--without", "2026-09-17")
    calls = {each["day"]: each["requests"] for each in without["by_day"]}
    weekdays = [[calls[name] for day in range(k, 21, 7) if (name := str(MONDAY + np.timedelta64(day, "D"))) in calls]
                for k in range(7)]
    assert without["workload"]["requests_per_day"] == pytest.approx(np.mean([np.mean(each) for each in weekdays]))
    assert (without["days"]["silent"], [each for each in without["notes"] if each.startswith("no call")]) == ([], [])
    assert without["without"]["requests"] is None or without["without"]["requests"] == 0
    several = usage_answer(drawn(tmp_path / "b.csv", [day for day in range(28) if day not in (9, 10, 22)]))
    assert next(each for each in several["notes"] if each.startswith("no call")).startswith(
        "no call on 3 days (2026-09-16 to 2026-09-17, 2026-09-29), although those weekdays have calls otherwise: they count as")


def test_quiet_weekends_and_logs_of_few_calls_have_no_such_note(tmp_path: Path) -> None:
    """No week-end has a call; or a day has five, so that one without any is no surprise."""
    workdays = usage_answer(drawn(tmp_path / "a.csv", [day for day in range(26) if day % 7 < 5]))
    assert workdays["days"]["silent"] == []
    few = tmp_path / "few.csv"
    few.write_text("\n".join([HEAD, *(f"2026-09-{day:02}T{hour:02}:30:00Z,100,10,gpt-6-sol,openai"
                                      for day in range(1, 15) if day != 9 for hour in (0, 6, 12, 18, 23))]) + "\n")
    assert usage_answer(few)["days"]["silent"] == []
