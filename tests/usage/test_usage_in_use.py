"""Of a model that was called in a part of the log alone, the workload is that of its days."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from usage_support import run_usage, usage_answer

from roi.scenario.yaml import parse_yaml

FIRST = date(2026, 9, 7)
SOL, LUNA = "gpt-6-sol", "gpt-6-luna"


def log(path: Path, calls: Mapping[str, Iterable[int]], *, group: str = "") -> Path:
    """A table of days: 1,000 requests of each model on each of its days, counted from a Monday on; all of it for one group."""
    lines = [f"date,provider,model,requests,input_tokens,output_tokens{',group' * bool(group)}"]
    for model, days in calls.items():
        lines += [f"{FIRST + timedelta(day)},openai,{model},1000,900000,8000{f',{group}' * bool(group)}" for day in days]
    path.write_text("\n".join(lines) + "\n")
    return path


def tasks_of(*words: Path | str) -> list[dict[str, Any]]:
    """The groups that are compared."""
    found = usage_answer(*words, "--tasks", "5")["tasks"]
    assert isinstance(found, list)
    return found


def a_day(path: Path, model: str) -> float:
    """Requests a day of the workload."""
    found = usage_answer(path, "--incumbent", f"openai/{model}")["workload"]["requests_per_day"]
    assert isinstance(found, float)
    return found


@pytest.mark.full
def test_a_model_that_takes_over_has_the_volume_of_its_own_days(tmp_path: Path) -> None:
    """60 days of one, then 30 of the other, a thousand calls each day: a thousand a day of both, not 667 and 333."""
    path = log(tmp_path / "a.csv", {SOL: range(60), LUNA: range(60, 90)})
    workload, tasks = usage_answer(path, "--incumbent", f"openai/{LUNA}")["workload"], {
        task["model"]: task for task in tasks_of(path, "--incumbent", f"openai/{LUNA}")}
    assert workload["requests_per_day"] == 1000.0
    assert workload["requests_per_day_of_log"] == pytest.approx(30_000 / 90)
    assert workload["days"] == {"first": "2026-11-06", "last": "2026-12-05", "complete": 30}
    assert workload["growth_per_year"] is None
    assert {task["requests_per_day"] for task in tasks.values()} == {1000.0}
    assert tasks[SOL]["days"] == {"first": "2026-09-07", "last": "2026-11-05", "complete": 60}
    assert a_day(path, SOL) == 1000.0
    said = " ".join(run_usage(path, "--incumbent", f"openai/{LUNA}", "--tasks", "5").stdout.split())
    assert said.count("began within the log: of its 30 whole days, 2026-11-06 to 2026-12-05; 333 over all 90") == 2
    assert said.count("ended within the log: of its 60 whole days, 2026-09-07 to 2026-11-05; 667 over all 90") == 1


@pytest.mark.full
def test_the_money_of_a_month_is_that_of_its_own_days_too(tmp_path: Path) -> None:
    """As much as of a log of those days alone; of a bill, as its mean day's list price over the log's mean day."""
    path = log(tmp_path / "a.csv", {LUNA: range(60), SOL: range(60, 90)})
    alone = log(tmp_path / "b.csv", {SOL: range(30)})
    months = [next(task["usd_per_month"] for task in tasks_of(each) if task["model"] == SOL)
              for each in (path, alone)]
    assert months[0] == pytest.approx(months[1])
    listed = {each["model"]: each["total_usd"] for each in usage_answer(path)["by_model"]}
    of_bill = {task["model"]: task["usd_per_month"] for task in tasks_of(path, "--bill", "900")}
    mean = (listed[SOL] + listed[LUNA]) / 90
    assert of_bill[SOL] == pytest.approx(900 * listed[SOL] / 30 / mean, abs=0.01)


def test_each_model_has_its_own_factor_over_the_list_and_tokens_add_up(tmp_path: Path) -> None:
    """Luna at 1.3 times its list, sol at it: pooled it is neither's; 2,124 Mtok are 2,100 of input and 24 of output."""
    lines = ["date,provider,model,requests,input_tokens,output_tokens,cost_usd"]
    for day in range(30):
        lines += [f"{FIRST + timedelta(day)},openai,{SOL},50000,35000000,400000,{70 + 4:.4f}",
                  f"{FIRST + timedelta(day)},openai,{LUNA},50000,35000000,400000,{1.3 * 3.7:.4f}"]
    path = tmp_path / "costs.csv"
    path.write_text("\n".join(lines) + "\n")
    said = " ".join(run_usage(path).stdout.split())
    assert "gpt-6-sol x 1.000, gpt-6-luna x 1.300" in said
    assert "3,000,000 requests; 2,124 Mtok" in said
    assert "total 3,000,000 2,100 0% 24" in said
    assert "a bucket does not tell" not in said


def test_the_part_of_a_scenario_says_its_days(tmp_path: Path) -> None:
    run_usage(log(tmp_path / "a.csv", {SOL: range(60), LUNA: range(60, 90)}), "--incumbent", f"openai/{LUNA}",
              "--output", tmp_path / "part.yaml")
    text = (tmp_path / "part.yaml").read_text()
    assert parse_yaml(text, "part")["workload"]["requests_per_day"] == {
        "value": 1000.0, "source": "usage: 30 whole days, 2026-11-06 to 2026-12-05"}
    assert "333 requests a day over all 90" in text


@pytest.mark.full
def test_only_a_model_that_began_or_ended_has_days_of_its_own(tmp_path: Path) -> None:
    """Beside one that is called on every day: a thousand on each day of a model, over its days, a seventh of each weekday's."""
    every = range(90)
    over_days = {
        SOL: (every, every), "gpt-4o": (every, every),  # in parallel all the time
        LUNA: (range(4, 90), every),  # a few days' delay tells nothing
        "gpt-4.1": (range(0, 90, 7), every),  # a job of every Monday
        "gpt-4.1-mini": (range(60, 90, 7), range(60, 90)),  # one that began in November
        "gpt-5": ([40], every), "gpt-5-mini": ([40, 60], every),  # a job of single days
        "gpt-5-nano": ([*range(14), *range(40, 50)], every),  # seen again after a long while, and perhaps once more
    }
    path = log(tmp_path / "a.csv", {model: days for model, (days, _) in over_days.items()})
    found = {task["model"]: task["requests_per_day"] for task in usage_answer(path, "--tasks", "8")["tasks"]}
    assert found == pytest.approx({
        model: 1000.0 / 7 * sum(sum(day % 7 == k for day in days) / sum(day % 7 == k for day in over) for k in range(7))
        for model, (days, over) in over_days.items()})
    assert found["gpt-4.1"] == pytest.approx(1000 / 7)
    for model in (LUNA, "gpt-4.1-mini"):
        assert a_day(path, model) == pytest.approx(found[model])


@pytest.mark.full
def test_calls_that_begin_within_a_day_leave_it_out(tmp_path: Path) -> None:
    """Calls every half hour, of the second model from a day's noon on: 48 a day over its whole days, that day aside."""
    lines = ["time,provider,model,input_tokens,output_tokens"]
    lines += [f"{FIRST + timedelta(half // 48)}T{half % 48 // 2:02d}:{half % 2 * 30 + 5:02d}:00Z,openai,"
              f"{LUNA if half >= 20 * 48 + 24 else SOL},900,8" for half in range(40 * 48)]
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(lines) + "\n")
    found = usage_answer(path, "--incumbent", f"openai/{LUNA}")["workload"]
    assert found["days"] == {"first": "2026-09-28", "last": "2026-10-16", "complete": 19}
    assert found["requests_per_day"] == pytest.approx(48.0)
    assert found["load"]["requests_per_minute"] == pytest.approx(48 / 1440)
    assert [task["requests_per_day"] for task in tasks_of(path)] == pytest.approx([48.0, 48.0])


def test_groups_are_over_the_days_of_their_model(tmp_path: Path) -> None:
    path = log(tmp_path / "a.csv", {SOL: range(60), LUNA: range(60, 90)}, group="triage")
    tasks = tasks_of(path, "--map", "group=group", "--group-by", "group")
    assert {(task["group"], task["requests_per_day"]) for task in tasks} == {("triage", 1000.0)}
    of_it = usage_answer(path, "--map", "group=group", "--group-by", "group", "--task", "triage",
                         "--incumbent", f"openai/{LUNA}")
    assert of_it["workload"]["requests_per_day"] == 1000.0


def two_exports(folder: Path, days: int = 3, start: date = date(2026, 11, 20)) -> tuple[Path, Path]:
    """OpenAI's dashboard of July, 4,000 requests a day, and OpenRouter's calls from a later day on, one a minute."""
    stamp = [int((date(2026, 7, 1) + timedelta(k) - date(1970, 1, 1)).total_seconds()) for k in range(32)]
    buckets = [f"{a},{b},{LUNA},4000,3600000,400000,0" for a, b in pairwise(stamp)]
    first, second = folder / "openai.csv", folder / "openrouter.csv"
    first.write_text("\n".join([
        "start_time,end_time,model,num_model_requests,input_tokens,output_tokens,input_cached_tokens", *buckets, ""]))
    calls = [f"gen-{day}-{k},{start + timedelta(day)} {k // 60:02d}:{k % 60:02d}:00.500,0.0021,1000,100,0,openai/gpt-4.1,false,"
             "OpenAI" for day in range(days) for k in range(1440)]
    second.write_text("\n".join([
        "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_cached,model_permaslug,cancelled,provider_name",
        *calls, ""]))
    return first, second


def test_days_between_two_exports_count_in_no_mean_and_each_model_has_the_days_of_its_export(tmp_path: Path) -> None:
    """July has 4,000 a day, the three days of November 1,440, and of the 111 days between nobody knows."""
    files = two_exports(tmp_path)
    found = usage_answer(*files, "--tasks", "5")
    assert {task["model"]: task["requests_per_day"] for task in found["tasks"]} == {LUNA: 4000.0, "openai/gpt-4.1": 1440.0}
    days = found["days"]
    assert (days["complete"], len(days["in_no_file"]), days["silent"], days["without"]) == (34, 111, [], [])
    assert (days["in_no_file"][0], days["in_no_file"][-1]) == ("2026-08-01", "2026-11-19")
    (note,) = (each for each in found["notes"] if "111 days (2026-08-01 to 2026-11-19) are of no file" in each)
    assert note.endswith("OpenAI dashboard CSV, 2026-07-01 to 2026-07-31; OpenRouter activity CSV, 2026-11-20 to 2026-11-22")
    said = " ".join(run_usage(*files, "--incumbent", f"openai/{LUNA}", "--output", tmp_path / "part.yaml").stdout.split())
    assert "34 of 145 days whole, 111 in no file" in said
    assert "USD a day, 2026-07-01 to 2026-11-22, 2.3 days a column, 111 days in no file" in said
    billed = " ".join(run_usage(*files, "--bill", "60").stdout.split())
    assert "--bill is held against a mean day of all files, whose times lie apart: give those of its month alone" in billed
    assert "is in some of the files alone: of its 31 whole days, 2026-07-01 to 2026-07-31" in said
    assert parse_yaml((tmp_path / "part.yaml").read_text(), "part")["workload"]["requests_per_day"] == {
        "value": 4000.0, "source": "usage: 31 whole days, 2026-07-01 to 2026-07-31"}


def test_exports_that_follow_each_other_within_a_week_are_one_log(tmp_path: Path) -> None:
    """Six days between are quiet ones of the log; seven are of no file."""
    within, beyond = (usage_answer(*two_exports(tmp_path, start=date(2026, 8, day)))["days"] for day in (7, 8))
    assert (within["complete"], within["in_no_file"]) == (40, [])
    assert (beyond["complete"], len(beyond["in_no_file"])) == (34, 7)


def test_days_of_no_file_may_be_left_out_once_more_and_a_file_on_both_sides_keeps_them(tmp_path: Path) -> None:
    """--without of days between changes nothing; a table that goes over all of it makes them days of the log again."""
    files = two_exports(tmp_path)
    again = usage_answer(*files, "--without", "2026-07-31..2026-08-15")["days"]
    assert (again["complete"], again["without"], len(again["in_no_file"])) == (33, ["2026-07-31"], 111)
    over = log(tmp_path / "own.csv", {SOL: range(-60, 70, 7)})
    assert usage_answer(*files, over)["days"]["in_no_file"] == []


def hours(path: Path, days: Iterable[int]) -> Path:
    """A log of calls, one every hour of each of its days, counted from a Monday on."""
    lines = ["id,time,provider,model,input_tokens,output_tokens"]
    lines += [f"{day}-{k},{FIRST + timedelta(day)}T{k:02d}:05:00Z,openai,{SOL},900,8" for day in days for k in range(24)]
    path.write_text("\n".join(lines) + "\n")
    return path


def sums(path: Path, days: Iterable[int]) -> Path:
    """A table of days, 1,000 requests each."""
    return log(path, {SOL: days})


EARLY, LATE = range(14), range(42, 56)


@pytest.mark.parametrize(("write", "a_day"), [(sums, 1000.0), (hours, 24.0)])
def test_days_between_two_files_of_one_format_are_of_no_file_but_those_missing_in_a_file_are_of_zero(
    tmp_path: Path, write: Callable[[Path, Iterable[int]], Path], a_day: float,
) -> None:
    """Two weeks, four of nothing, and two: each weekday has calls on four of its eight dates."""
    apart = write(tmp_path / "a.csv", EARLY), write(tmp_path / "b.csv", LATE)
    found, whole = (usage_answer(*files) for files in (apart, [write(tmp_path / "one.csv", [*EARLY, *LATE])]))
    assert [each["workload"]["requests_per_day"] for each in (found, whole)] == [a_day, a_day / 2]
    assert [(each["days"]["complete"], len(each["days"]["in_no_file"])) for each in (found, whole)] == [(28, 28), (56, 0)]
    (note,) = (each for each in found["notes"] if "28 days (2026-09-21 to 2026-10-18) are of no file" in each)
    assert "if nothing was called between them, one export over all of it makes those days count as days of zero load" in note
    (tmp_path / "empty.csv").touch()
    assert usage_answer(*apart, tmp_path / "empty.csv")["days"]["in_no_file"] == []  # it may be the export of those days


def test_rows_that_count_in_another_file_still_tell_which_days_their_file_spans(tmp_path: Path) -> None:
    """The second week stands in both files: the later one goes from it to the eighth week, and lacks four weeks within it."""
    files = hours(tmp_path / "a.csv", EARLY), hours(tmp_path / "b.csv", [*EARLY[7:], *LATE])
    assert usage_answer(*files)["workload"]["requests_per_day"] == 12.0
    twice = files[0], hours(tmp_path / "c.csv", EARLY[7:]), hours(tmp_path / "d.csv", LATE)
    found = usage_answer(*twice)
    assert (found["workload"]["requests_per_day"], len(found["days"]["in_no_file"])) == (24.0, 28)


def test_a_log_with_a_file_for_each_day_had_no_calls_on_days_without_a_file(tmp_path: Path) -> None:
    """Seven files, none for a week, and seven: of each weekday's three dates two have 24 calls."""
    files = [hours(tmp_path / f"{day}.csv", [day]) for day in (*range(7), *range(14, 21))]
    found = usage_answer(*files)
    assert found["workload"]["requests_per_day"] == pytest.approx(16.0)
    assert (len(found["days"]["silent"]), found["days"]["in_no_file"]) == (7, [])
