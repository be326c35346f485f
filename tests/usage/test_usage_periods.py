"""Sums of months, quarters, weeks and days: named by what they are of, or by the day on which they begin."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_support import run_usage, usage_answer


def table(path: Path, *rows: str, head: str) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.full
def test_months_without_a_day_are_told_how_a_sum_of_one_is_written(tmp_path: Path) -> None:
    run = run_usage(table(tmp_path / "a.csv", "May,gpt-6-sol,30,9000,90",
                          head="time,model,requests,input_tokens,output_tokens"))
    assert "Oct-26; also 2026-Q3, 2026-W40), or its first day, and the next month's in a column until\n" in run.stderr
    said = table(tmp_path / "b.csv", "2026-05-01,2026-06-01,gpt-6-sol,310,9000,90",
                 head="time,until,model,requests,input_tokens,output_tokens")
    assert usage_answer(said)["workload"]["requests_per_day"] == 10.0


@pytest.mark.parametrize(("sums", "zone", "a_day", "called"), [
    ({"2026-08-01": 310, "2026-09-01": 300, "2026-10-01": 310}, "UTC", 10, "month"),
    ({"2026-09-01": 300, "2026-10-01": 310}, "Europe/Berlin", 10, "month"),
    ({"2026-10-05": 70, "2026-10-12": 70, "2026-10-19": 70}, "UTC", 10, "week"),
    ({"2026-10-05": 40, "2026-10-12": 40}, "UTC", 40 / 7, ""),  # two Mondays, not two weeks
    ({"2026-08-01": 310, "2026-10-01": 310}, "UTC", 10, ""),  # September is missing: two of 62 days
])  # fmt: skip
def test_sums_that_begin_one_after_the_other_by_week_or_month_need_no_column_until(
    sums: dict[str, int], zone: str, a_day: float, called: str, tmp_path: Path,
) -> None:
    """August to October have 92 days; the last sum was taken for that of its first day, of 62 in all: 9.84 a day.

    A date names a day in every zone: Berlin's months are not cut on the evening before in UTC.
    """
    rows = [f"{day},gpt-6-sol,{requests},{requests * 100},90" for day, requests in sums.items()]
    answer = usage_answer(table(tmp_path / "a.csv", *rows, head="time,model,requests,input_tokens,output_tokens"),
                          "--timezone", zone)
    assert answer["workload"]["requests_per_day"] == pytest.approx(a_day, rel=0.02)
    assert any(f"each is the sum of its {called or 'own day'}" in note for note in answer["notes"])


@pytest.mark.parametrize(("times", "first", "last", "whole"), [
    (("2026-02", "3/2026"), "2026-02-01", "2026-03-31", 59),
    *(pytest.param(*case, marks=pytest.mark.full) for case in (
        (("2026-Q1", "q2 2026"), "2026-01-01", "2026-06-30", 181),
        (("Feb 2026", "March-2026"), "2026-02-01", "2026-03-31", 59),
        (("Sept. 2026",), "2026-09-01", "2026-09-30", 30), (("2026W53", "2027-W01"), "2026-12-28", "2027-01-10", 14),
        (("2024/02", "202403"), "2024-02-01", "2024-03-31", 60), (("2026-11",), "2026-11-01", "2026-11-24", 24),
        (("Aug-26", "Sep-26"), "2026-08-01", "2026-09-30", 61), (("10.2026", "2026.11"), "2026-10-01", "2026-11-30", 61))),
])  # fmt: skip
def test_names_of_months_quarters_and_weeks_are_periods_of_their_own_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: tuple[str, ...], first: str, last: str, whole: int,
) -> None:
    """2026 begins on a Thursday and so has a 53rd week, from 28 December; the month of today, the 24th, ends with it.

    With and without a column of requests, whose sum over the days is a mean day; none is ever a call.
    """
    monkeypatch.setattr("roi.usage.read.columns.today", lambda: date(2026, 11, 24) if "2026-11" in times else date(2027, 2, 1))
    for requests in ("60,", ""):
        head = f"month,model,{'requests,' if requests else ''}input_tokens,output_tokens"
        file = table(tmp_path / f"a{requests}.csv", *(f"{each},gpt-4o,{requests}6000,600" for each in times), head=head)
        found = usage_answer(file, "--tasks", "0", "--timezone", "UTC" if requests else "Asia/Kolkata")
        if requests:
            assert (found["days"]["first"], found["days"]["last"], len(times) * 60) == (first, last, found["requests"])
            assert found["workload"]["requests_per_day"] == pytest.approx(60 * len(times) / whole)
        else:
            assert found["requests"] is None
            assert any("each row is the sum of its month, quarter or week; --req" in note for note in found["notes"])


@pytest.mark.parametrize("cell", [
    "2026-13", "2025-W53", *(pytest.param(cell, marks=pytest.mark.full) for cell in (
        "Oct-99", "Sep-25,Sep-26", "0/2026", "2026-Q5", "2026-W54", "26-Oct", "Oct 26", "Octo 2026", "Q3", "202613", "Oct-19",
        "Jul-25,Aug-21")),
])  # fmt: skip
def test_what_names_no_period_is_none_and_its_column_and_cell_are_told(tmp_path: Path, cell: str) -> None:
    """Of two days of September, or two that four years would lie between, neither is a month."""
    head = "time,model,requests,input_tokens,output_tokens"
    run = run_usage(table(tmp_path / "a.csv", *(f"{each},gpt-4o,60,6000,600" for each in cell.split(",")), head=head))
    assert run.exit_code == 2
    shown = "" if cell == "Octo 2026" else f": {(cell[:6] if ',' in cell else cell)!r}"
    assert f"a.csv, line 2, column time{shown}); times are ISO 8601" in run.stderr
    assert "10/2026, 10.2026, Oct 2026, Oct-26" in run.stderr


@pytest.mark.full
@pytest.mark.parametrize(("kind", "cells"), [("varchar", ("2026-09", "Oct-26")), ("bigint", (202609, 202610))])
def test_parquet_and_tables_of_a_database_name_periods_as_tables_of_text_do(
    tmp_path: Path, kind: str, cells: Sequence[object],
) -> None:
    """September and October, 61 days, 120 requests; and a cell that names nothing is told with its row."""
    file, stored = tmp_path / "log.parquet", tmp_path / "log.ddb"
    with duckdb.connect(stored) as base:
        base.execute(f"create table log (month {kind}, model varchar, requests int, input_tokens int, output_tokens int)")
        base.executemany("insert into log values (?, 'gpt-4o', 60, 6000, 600)", [[cell] for cell in cells])
        base.execute(f"copy log to '{file}'")
    for words in ((file,), ("log", "--backend", f"duckdb://{stored}")):
        found = usage_answer(*words, "--tasks", "0")
        assert (found["days"]["first"], found["days"]["last"], found["requests"]) == ("2026-09-01", "2026-10-31", 120)
    other = pq.read_table(file).set_column(0, "month", pa.array(["2026-09", "Oct-99"]))
    pq.write_table(other, file)
    assert "log.parquet, row 2, column month: 'Oct-99'); times are ISO 8601" in run_usage(file).stderr


@pytest.mark.full
def test_sums_without_a_column_of_requests_are_no_calls_and_take_the_requests_that_the_user_says(tmp_path: Path) -> None:
    """Months' invoices: (310 + 300 + 310) Mtok in 92 days are 10 a day, 1,000 tokens of each of 10,000 requests; paid 3,220.

    Days that may be calls are, with a note, until the user says how many they are, or one has more than any prompt; hours too.
    """
    months = [(f"2026-{month:02d}-01", days) for month, days in ((8, 31), (9, 30), (10, 31))]
    rows = [f"{first},gpt-4o,openai,{days}0000000,{days}000000,{35 * days}" for first, days in months]
    sums = table(tmp_path / "a.csv", *rows, head="month,model,provider,input_tokens,output_tokens,cost_usd")
    bare, said = usage_answer(sums, "--tasks", "0"), usage_answer(sums, "--tasks", "0", "--requests-per-day", "10000")
    assert (bare["requests"], bare["total_usd"], bare["workload"]["requests_per_day"]) == (None, 3220.0, None)
    assert any("each row is the sum of its month; --requests-per-day N" in note for note in bare["notes"])
    assert [said["workload"][name] for name in ("requests_per_day", "input_tokens", "output_tokens")] == [10_000, 1000.0, 100.0]

    head = "date,model,provider,input_tokens,output_tokens"
    days = [f"2026-10-{day:02d},gpt-4o,openai,{{}},100000" for day in range(1, 29)]
    daily = table(tmp_path / "b.csv", *(row.format(10**6) for row in days), head=head)
    calls, told = usage_answer(daily, "--tasks", "0"), usage_answer(daily, "--tasks", "0", "--requests-per-day", "1000")
    assert calls["requests"] == 28
    assert any("each row is one call: if they are sums of a day, --requests-per-day N" in note for note in calls["notes"])
    assert (told["workload"]["requests_per_day"], told["workload"]["input_tokens"]) == (1000, 1000.0)
    beyond = table(tmp_path / "c.csv", *(row.format(10**6 if k else 10**7 + 1) for k, row in enumerate(days)), head=head)
    assert usage_answer(beyond, "--tasks", "0")["requests"] is None
    several = table(tmp_path / "d.csv", *(row.format(1000) for row in days * 2), head=head)
    assert not any("sums of a day" in note for note in usage_answer(several, "--tasks", "0")["notes"])

    hours = [f"2026-10-0{k // 24 + 1}T{k % 24:02d}:00:00Z,gpt-4o,openai,24000,2400" for k in range(48)]
    hourly = usage_answer(table(tmp_path / "e.csv", *hours, head=head), "--tasks", "0", "--requests-per-day", "240")
    assert (hourly["workload"]["input_tokens"], hourly["days"]["complete"]) == (2400.0, 2)
    run = run_usage(table(tmp_path / "f.csv", *(row.replace(":00:00Z", ":00:07Z") for row in hours), head=head),
                    "--requests-per-day", "240")
    assert run.stderr == "roi: --requests-per-day: 240 is not needed; these records count 24 a day\n"


def test_sums_that_may_be_of_a_month_are_told_for_what_they_count(tmp_path: Path) -> None:
    """One row is the sum of its day; rows a month apart are sums of months where no column counts requests either."""
    one = usage_answer(table(tmp_path / "a.csv", "2026-10-01,gpt-6-sol,310,31000,90",
                             head="time,model,requests,input_tokens,output_tokens"))
    assert one["workload"]["requests_per_day"] == 310
    assert any("each is the sum of its own day, 2026-10-01; if they are sums of longer times" in note for note in one["notes"])
    calls = usage_answer(table(tmp_path / "b.csv", *(f"2026-0{month}-01,gpt-6-sol,31000,90" for month in (7, 8, 9)),
                               head="time,model,input_tokens,output_tokens"))
    assert any("each row is the sum of its month; --requests-per-day N" in note for note in calls["notes"])


def test_sums_of_months_are_drawn_over_their_days_and_tell_no_week(tmp_path: Path) -> None:
    """Three months of as many tokens a day: bars of one height, where the sum stood on the first day of each before."""
    rows = [f"2026-0{month}-01,2026-0{month + 1}-01,gpt-6-sol,{310 if month != 6 else 300},{days * 3000000},90"
            for month, days in ((5, 31), (6, 30), (7, 31))]
    file = table(tmp_path / "a.csv", *rows, head="time,until,model,requests,input_tokens,output_tokens")
    chart = [line.partition("|")[2] for line in run_usage(file).stdout.splitlines() if " |" in line]
    assert [set(line.strip()) for line in chart] == [{"█"}] * 5
    assert [len(line) for line in chart] == [64] * 5
    missing = {each["field"]: each["reason"] for each in usage_answer(file)["workload"]["missing"]}
    assert missing["growth_per_year"].startswith("13 whole weeks; but sums over more than a week, which do not say what")
