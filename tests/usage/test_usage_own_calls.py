"""A table of one's own: what it says of thinking, of calls that failed, and of runs around the calls."""

import csv
import json
from pathlib import Path

import pytest
from usage_support import fresh, records, run_usage, totals, usage_answer

from roi.usage.read.database import rows_of
from roi.usage.read.lazy_ibis import Table

GEMINI = "timestamp,modelVersion,promptTokenCount,cachedContentTokenCount,candidatesTokenCount,thoughtsTokenCount"
SNAKE = "timestamp,model_version,prompt_token_count,cached_content_token_count,candidates_token_count,thoughts_token_count"
PLAIN = "timestamp,model,input_tokens,output_tokens"


def table(folder: Path, header: str, *rows: str) -> Path:
    """A CSV with these rows, each an hour after the one before."""
    path = folder / "calls.csv"
    path.write_text("\n".join([header, *(f"2026-11-02 {k:02d}:00:00,{row}" for k, row in enumerate(rows))]) + "\n")
    return path


@pytest.mark.full
@pytest.mark.parametrize("header", [GEMINI, SNAKE])
def test_geminis_names_say_that_thoughts_stand_beside_the_answer_and_cached_tokens_inside_the_prompt(
    header: str, tmp_path: Path,
) -> None:
    """Uncached (1,000 - 600) + 500; output (100 + 900) + 40. At 0.30, 0.03 and 2.50: 270 + 18 + 2,600 millionths of a dollar.

    The thoughts were left out in silence, and with them most of the bill.
    """
    calls = table(tmp_path, header, "gemini-2.5-flash,1000,600,100,900", "gemini-2.5-flash,500,,40,")
    rows = records(tmp_path, calls, provider="google")
    assert totals(rows) == {"uncached_input": 900, "cache_read": 600, "cache_write": 0, "output": 1040, "requests": 2}
    assert [(row["reasoning"], row["perhaps_cached"]) for row in rows] == [(900, 0), (0, 0)]
    assert usage_answer("--provider", "google", calls)["list_usd"] == pytest.approx(2888e-6)


@pytest.mark.full
def test_reasoning_is_part_of_the_output_unless_a_row_has_more_of_it(tmp_path: Path) -> None:
    """100 + 80 where it may be a part; (100 + 60) + (80 + 90) where the second row shows that it is none."""
    header = f"{PLAIN},reasoning_tokens"
    inside = table(tmp_path, header, "gpt-6-luna,10,100,60", "gpt-6-luna,10,80,30")
    assert totals(records(tmp_path, inside, provider="openai"))["output"] == 180
    told = " ".join(run_usage("--provider", "openai", inside).stdout.split())
    assert "reasoning_tokens is taken as part of output_tokens" in told
    beside = table(tmp_path, header, "gemini-2.5-flash,10,100,60", "gemini-2.5-flash,10,80,90")
    assert totals(records(tmp_path, beside, provider="google"))["output"] == 330


def test_a_column_that_is_mapped_to_thinking_stands_beside_the_output(tmp_path: Path) -> None:
    """100 + 60."""
    calls = table(tmp_path, f"{PLAIN},thoughts_made", "gemini-2.5-flash,10,100,60")
    assert totals(records(tmp_path, calls, provider="google", columns=(("thinking", "thoughts_made"),)))["output"] == 160
    assert totals(records(tmp_path, calls, provider="google"))["output"] == 100


@pytest.mark.full
def test_a_call_that_failed_without_an_answer_does_not_count_and_one_that_was_cut_does(tmp_path: Path) -> None:
    """A 500 had its prompt counted, a 429 without tokens was usage that is lost; a stream that broke off gave 7 tokens."""
    calls = table(tmp_path, f"{PLAIN},status", "gpt-6-luna,100,10,200", "gpt-6-luna,100,0,500", "gpt-6-luna,,,429",
                  "gpt-6-luna,100,0,Error", "gpt-6-luna,100,7,499")
    rows = records(tmp_path, calls, provider="openai")
    assert [row["dropped"] for row in rows] == [None, "failed call", "failed call", "failed call", None]
    assert totals(rows)["output"] == 17
    assert "a usual day lacks" not in run_usage("--provider", "openai", calls).stdout


def test_a_failed_call_that_cost_something_counts(tmp_path: Path) -> None:
    calls = table(tmp_path, f"{PLAIN},status,cost", "gpt-6-luna,100,0,500,0.01", "gpt-6-luna,100,0,500,0")
    assert [row["dropped"] for row in records(tmp_path, calls, provider="openai")] == [None, "failed call"]


def test_runs_around_model_calls_repeat_their_counts_and_are_left_out(tmp_path: Path) -> None:
    """LangSmith's runs: a chain has the sum of its two model calls, which counted twice. A run's times are a call's."""
    header = ("start_time,end_time,id,parent_run_id,run_type,ls_provider,ls_model_name,prompt_tokens,completion_tokens,"
              "total_cost")
    calls = table(tmp_path, header, "2026-11-02 00:00:09,a,,chain,,,300,30,0.03",
                  "2026-11-02 01:00:05,b,a,llm,openai,gpt-6-sol,100,10,0.01", "2026-11-02 02:00:03,c,a,tool,,,0,0,0",
                  "2026-11-02 03:00:09,d,a,llm,openai,gpt-6-sol,200,20,0.02")
    rows = records(tmp_path, calls)
    assert totals(rows) == {"uncached_input": 300, "cache_read": 0, "cache_write": 0, "output": 30, "requests": 2}
    assert sum(row["cost_usd"] for row in rows if row["dropped"] is None) == pytest.approx(0.03)
    assert [row["kind"] for row in rows] == ["call"] * 4


@pytest.mark.parametrize(("more", "kind", "requests"), [
    ("", "bucket", None), (",id", "bucket", None), (",request_id", "call", 1)])
def test_a_row_with_an_end_is_a_bucket_unless_it_names_a_request(
    more: str, kind: str, requests: int | None, tmp_path: Path,
) -> None:
    header = f"start_time,end_time,input_tokens,output_tokens{more}"
    rows = records(tmp_path, table(tmp_path, header, f"2026-11-03 00:00:00,1,1{',x' if more else ''}"), model="m")
    assert [(row["kind"], row["requests"]) for row in rows] == [(kind, requests)]


def test_a_table_with_an_id_keeps_its_requests_costs_and_cached_tokens(tmp_path: Path) -> None:
    """Two rows of 100 requests at $3.30 each; it was taken for answers of OpenAI's, which have none of these columns."""
    header = "timestamp,id,model,input_tokens,output_tokens,cost_usd,requests,cache_read_tokens"
    calls = table(tmp_path, header, "m1,gpt-5.4,500000,10000,3.3,100,200000", "m2,gpt-5.4,500000,10000,3.3,100,200000")
    found = usage_answer("--input-includes-cache", "yes", "--tasks", "0", calls)
    assert (found["requests"], found["reported_usd"], found["tokens"]["cache_read"]) == (200, pytest.approx(6.6), 400_000)


def test_a_call_without_a_token_and_a_cost_is_none(tmp_path: Path) -> None:
    """Zeros were requests, and made the mean prompt of the others shorter."""
    calls = table(tmp_path, f"{PLAIN},cost", *(f"gpt-6-luna,{each}" for each in ("100,10,0.1", "0,0,0", "0,0,", "0,0,0.1")))
    rows = records(tmp_path, calls, provider="openai")
    none = "no token and no cost: no call"
    assert [row["dropped"] for row in rows] == [None, none, none, None]


@pytest.mark.full
def test_a_table_without_cached_tokens_says_that_its_input_may_be_too_dear(tmp_path: Path) -> None:
    """Where it has such a column, or says itself what it cost, nothing is left open."""
    note = "tells of cached tokens: where some were read from a cache, they count as uncached input"
    without = table(tmp_path, PLAIN, "gpt-6-luna,100,10")
    assert note in " ".join(run_usage("--provider", "openai", without).stdout.split())
    for more, cell in (("cached_tokens", "20"), ("cost", "0.1")):
        told = table(tmp_path, f"{PLAIN},{more}", f"gpt-6-luna,100,10,{cell}")
        assert note not in " ".join(run_usage("--provider", "openai", told).stdout.split())


def test_a_column_by_which_calls_may_belong_together_is_named_where_none_does(tmp_path: Path) -> None:
    """An agency's calls by client were one group, and nothing said that they need not be."""
    path = table(tmp_path, f"{PLAIN},client", *("gpt-6-luna,100,10,a", "gpt-6-luna,100,10,b") * 3)
    note = "calls are not told apart by client: --map group=client does"
    assert note in " ".join(run_usage("--provider", "openai", path).stdout.split())
    told = run_usage("--provider", "openai", "--map", "group=client", path).stdout
    assert "By group" in told
    assert note not in " ".join(told.split())


@pytest.mark.full
def test_a_table_that_tells_what_was_read_from_a_cache_and_not_what_was_written_says_so(tmp_path: Path) -> None:
    """gpt-6-luna bills writes at 1.25 times its input; gemini-2.5-flash has no price of writes."""
    note = "tells of tokens that were written to a cache, which are dearer than uncached input"
    for provider, model, more, cells, said in (
        ("openai", "gpt-6-luna", "cached_tokens", "20", True),
        ("openai", "gpt-6-luna", "cached_tokens,cache_write_tokens", "20,5", False),
        ("google", "gemini-2.5-flash", "cached_tokens", "20", False),
    ):
        calls = table(tmp_path, f"{PLAIN},{more}", f"{model},100,10,{cells}")
        assert (note in " ".join(run_usage("--provider", provider, calls).stdout.split())) == said


@pytest.mark.parametrize("kind", ["lines", "cells"])
def test_a_count_that_comes_late_in_a_log_is_read_and_a_prompt_with_its_name_is_none(kind: str, tmp_path: Path) -> None:
    """3,000 calls of 10 tokens, the last of which had 6 of them in a cache: 29,994 + 6; a prompt speaks of cached_tokens."""
    usages = [{"prompt_tokens": 10, "completion_tokens": 1} for _ in range(3000)]
    usages[-1]["prompt_tokens_details"] = {"cached_tokens": 6}
    calls = [{"timestamp": "2026-11-02T00:00:00Z", "model": "gpt-6-luna", "prompt": "cached_tokens" if k == 2500 else "",
              "usage": usage} for k, usage in enumerate(usages)]
    path = tmp_path / ("calls.jsonl" if kind == "lines" else "calls.csv")
    if kind == "lines":
        path.write_text("".join(f"{json.dumps(call)}\n" for call in calls))
    else:
        with path.open("w", newline="") as file:
            rows = csv.DictWriter(file, ["timestamp", "model", "prompt", "usage"])
            rows.writeheader()
            rows.writerows({**call, "usage": json.dumps(call["usage"])} for call in calls)
    found = totals(records(tmp_path, path, provider="openai"))
    assert (found["uncached_input"], found["cache_read"]) == (29_994, 6)


@pytest.mark.full
@pytest.mark.parametrize(("time", "known"), [
    ("11-{day:02d}", "dates"), ("11-{day:02d} {hour:02d}:00", "whole hours"),
    ("11-{day:02d} {hour:02d}:{minute:02d}", "quarters of an hour")])
def test_times_of_whole_hours_or_dates_tell_no_peak_within_them(time: str, known: str, tmp_path: Path) -> None:
    """Eight days of 30 calls each hour: the busiest minute would have 60 or 1,440 times the mean. Nor do they make a trace."""
    path = tmp_path / "calls.csv"
    at = [(day, hour, 15 * (k % 4)) for day in range(2, 10) for hour in range(24) for k in range(30)]
    rows = [f"2026-{time.format(day=day, hour=hour, minute=minute)},gpt-5-mini,1000,50" for day, hour, minute in at]
    path.write_text("\n".join([PLAIN, *rows]) + "\n")
    load = usage_answer(path)["workload"]["load"]
    assert (load["peak_to_mean"], load["minute_peak_to_mean"], load["busiest_minute"]) == (None, None, None)
    assert (load["hourly_weights"] is None) == (known == "dates")
    assert f"peak_to_mean: times are {known}" in " ".join(run_usage(path).stdout.split())
    run = run_usage(path, "--trace", str(tmp_path / "trace.csv"))
    assert (run.exit_code, f"times are {known}" in run.stderr) == (2, True)


def test_a_log_of_few_calls_is_asked_for_its_times_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,199 rows at whole hours are all looked at; of 1,200 there may be more, and each of their times is asked for."""
    asked: list[Table] = []
    monkeypatch.setattr("roi.usage.sums.rows_of", lambda table, engine: asked.append(table) or rows_of(table, engine))
    for calls, times in ((1199, 1), (1200, 2)):
        (tmp_path / f"{calls}.csv").write_text("\n".join([PLAIN, *["2026-11-02 10:00,gpt-5-mini,1000,50"] * calls]) + "\n")
        assert len(records(fresh(tmp_path, f"{calls}"), tmp_path / f"{calls}.csv")) == calls
        assert len(asked) == times
        asked.clear()


@pytest.mark.parametrize(("first", "known"), [
    ("", "times of some days are dates"), ("T{hour:02d}:00:00Z", "times of some days are whole hours"),
    ("T{hour:02d}:00:00+05:30", "times of some days are whole hours"), ("T09:00:00Z", "")])
def test_days_of_whole_hours_or_dates_among_others_tell_no_peak(first: str, known: str, tmp_path: Path) -> None:
    """Four days of 10 calls each hour, five of one each 6 minutes: the first would have a peak of 60 or more; a job has."""
    path = tmp_path / "calls.csv"
    rows = [f"2026-11-0{day}{first.format(hour=hour)}" for day in range(2, 6) for hour in range(24) for _ in range(10)]
    rows += [f"2026-11-{day:02d}T{at // 10:02d}:{at % 10 * 6 + 1:02d}:13Z" for day in range(6, 11) for at in range(240)]
    path.write_text("\n".join([PLAIN, *(f"{row},gpt-5-mini,1000,50" for row in rows)]) + "\n")
    workload = usage_answer(path)["workload"]
    assert (workload["load"]["peak_to_mean"] is None) == bool(known)
    assert known in " ".join(each["reason"] for each in workload["missing"])


@pytest.mark.parametrize(("rounded", "known"), [
    ("{day}T{hour:02d}:00:00Z", "whole hours"), ("{day}T{hour:02d}:{minute:02d}:00Z", "quarters of an hour"),
    ("{day}", "dates"), ("{day}T09:00:00Z", ""), ("{day}T{hour:02d}:00:0{k}Z", "")])
@pytest.mark.parametrize("exact", [
    "{day}T{hour:02d}:{minute:02d}:13Z", pytest.param("{day}T{hour:02d}:{minute:02d}:00Z", marks=pytest.mark.full)])
def test_rounded_times_among_exact_ones_of_a_day_tell_no_peak(exact: str, rounded: str, known: str, tmp_path: Path) -> None:
    """Two calls each minute, which make a peak of 1, and 8 more each hour, all at one moment; jobs are no rounding."""
    if exact.endswith("00Z") and rounded.endswith("{k}Z"):
        rounded = "{day}T{hour:02d}:0{k}:00Z"  # of times exact to a minute a job goes on for minutes
    path, days = tmp_path / "calls.csv", [f"2026-11-{day:02d}" for day in range(2, 10)]
    rows = [exact.format(day=day, hour=hour, minute=minute) for day in days for hour in range(24) for minute in range(60)]
    rows += [rounded.format(day=day, hour=hour, minute=15 * k, k=k) for day in days for hour in range(24) for k in range(4)]
    path.write_text("\n".join([PLAIN, *(f"{row},gpt-5-mini,1000,50" for row in 2 * rows)]) + "\n")
    workload = usage_answer(path)["workload"]
    assert (workload["load"]["peak_to_mean"] is None) == bool(known)
    reasons = " ".join(each["reason"] for each in workload["missing"])
    assert ("times of some calls are" in reasons, known in reasons) == (bool(known), True)


def test_dates_of_one_day_among_exact_times_tell_no_peak(tmp_path: Path) -> None:
    """Nine days of a call each minute; the last has 60 more that tell its date alone: its first minute would have 61."""
    path = tmp_path / "calls.csv"
    rows = [f"2026-11-{day:02d}T{minute // 60:02d}:{minute % 60:02d}:13Z" for day in range(1, 10) for minute in range(1440)]
    path.write_text("\n".join([PLAIN, *(f"{row},gpt-5-mini,1000,50" for row in [*rows, *["2026-11-09"] * 60])]) + "\n")
    load = usage_answer(path)["workload"]["load"]
    assert (load["minutes_told"], load["peak_to_mean"], load["hourly_weights"]) == (1440, None, None)


@pytest.mark.parametrize("exact", [0, 5])
def test_midnights_of_a_place_are_dates(exact: int, tmp_path: Path) -> None:
    """30 calls a day at 0:00 in Berlin, 22:00 or 23:00 UTC (October's last Sunday is the 25th): no hour has them all."""
    path = tmp_path / "calls.csv"
    rows = [f"2026-10-{day} 00:00:00,gpt-5-mini,1000,50" for day in range(20, 30) for _ in range(30)]
    rows += [f"2026-11-{day:02d} {hour:02d}:07:13,gpt-5-mini,1000,50" for day in range(2, 2 + exact) for hour in range(24)]
    path.write_text("\n".join([PLAIN, *rows]) + "\n")
    load = usage_answer(path, "--timezone", "Europe/Berlin")["workload"]["load"]
    assert (load["minutes_told"], load["hour_peak_to_mean"], load["hourly_weights"]) == (1440, None, None)


def test_hours_of_a_place_may_begin_at_half_past(tmp_path: Path) -> None:
    """30 calls each hour at +05:30: the busiest minute would have 60 times the mean."""
    path = tmp_path / "calls.csv"
    rows = [f"2026-11-{day:02d}T{hour:02d}:00:00+05:30,gpt-5-mini,1000,50" for day in range(2, 10) for hour in range(24)]
    path.write_text("\n".join([PLAIN, *(row for row in rows for _ in range(30))]) + "\n")
    load = usage_answer(path)["workload"]["load"]
    assert (load["minutes_told"], load["peak_to_mean"]) == (60, None)


def test_an_offset_that_stands_apart_from_its_clock_is_read(tmp_path: Path) -> None:
    """Snowflake's and Go's ways to write a time, Go's with a zone that may have no name: 9:00 at -07:00 is 16:00 UTC."""
    clocks = ("09:00:00.000 -0700", "16:00:00 +0000 UTC", "08:00:00 -0800 PST", "13:00:00 -0300 -03")
    path = tmp_path / "calls.csv"
    path.write_text("\n".join([PLAIN, *(f"2026-11-02 {clock},m,10,2" for clock in clocks)]))
    assert [row["at_us"] for row in records(tmp_path, path)] == [1_793_635_200_000_000] * 4


@pytest.mark.parametrize(("read", "written"), [
    ("native_tokens_cached", "native_tokens_cache_creation"), ("prompt_cache_read_tokens", "prompt_cache_write_tokens")])
def test_what_gateways_call_tokens_of_a_cache_is_read(read: str, written: str, tmp_path: Path) -> None:
    """Names of Vercel's gateway and of others, which an input of OpenAI's kind counts: 1,000 - 600 - 100."""
    (tmp_path / "calls.jsonl").write_text(json.dumps({
        "created_at": "2026-11-02T00:00:00Z", "model": "m", "native_tokens_prompt": 1000, "native_tokens_completion": 9,
        "is_byok": False, read: 600, written: 100}) + "\n")
    (row,) = records(tmp_path, tmp_path / "calls.jsonl")
    assert (row["uncached_input"], row["cache_read"], row["cache_write"]) == (300, 600, 100)


def test_a_call_a_day_on_the_hour_is_a_job_and_makes_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("\n".join([PLAIN, *(f"2026-11-{day:02d} 08:00:00,gpt-5-mini,1000,50" for day in range(2, 10))]) + "\n")
    assert run_usage(path, "--trace", str(tmp_path / "trace.csv")).exit_code == 0
