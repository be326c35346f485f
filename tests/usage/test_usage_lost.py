"""Rows whose money, requests or tokens cannot be read are named; nothing is added up of them, and their day is not whole."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from usage_support import CANARY, run_usage, usage_answer

HEAD = "date,provider,model,requests,input_tokens,output_tokens,cost,currency"


def table(path: Path, *cells: tuple[str, str, str]) -> Path:
    """Days of (requests, cost, currency) from 2026-10-01 on, 1,000 tokens in each."""
    rows = (f"2026-10-{day:02d},openai,gpt-6-sol,{requests},1000,0,{cost},{currency}"
            for day, (requests, cost, currency) in enumerate(cells, start=1))
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


NO_AMOUNTS = (
    (("10", "0.5", CANARY), "an amount that is not stated in USD"),
    (("nan", "0.5", "USD"), "a number of requests that cannot be read"),
    (("1.5", "0.5", "USD"), "a number of requests that cannot be read"),
    (("-10", "0.5", "USD"), "a negative number of requests"),
    (("10", "-7", "USD"), "a negative cost"),
    (("10", "nan", "USD"), "a cost that is no number with a decimal point"),
)


def test_money_and_requests_that_are_none_drop_their_row_with_its_line(tmp_path: Path) -> None:
    """The rows around them, of 0.5 USD and 10 requests each, stay: 7 of 13. Two have one reason, told at the first."""
    rows = [("10", "0.5", "usd")] + [row for cells, _ in NO_AMOUNTS for row in (cells, ("10", "0.5", "USD"))]
    file = table(tmp_path / "a.csv", *rows)
    found = usage_answer(file)
    lines = {reason: 3 + 2 * k for k, (_, reason) in reversed(list(enumerate(NO_AMOUNTS)))}
    assert {gone["reason"]: (gone["rows"], gone["where"]) for gone in found["dropped"]} == {
        reason: (sum(reason == each for _, each in NO_AMOUNTS), f"{file}, line {line}") for reason, line in lines.items()}
    assert (found["by_model"][0]["reported_usd"], found["by_model"][0]["requests"]) == (3.5, 70)
    assert CANARY not in run_usage(file).stdout


@pytest.mark.full
@pytest.mark.parametrize(("cells", "reason"), NO_AMOUNTS)
def test_one_such_row_alone_is_left_out(tmp_path: Path, cells, reason) -> None:
    """Of three rows of 0.5 USD the second is left out: 1 USD, 20 requests."""
    file = table(tmp_path / "a.csv", ("10", "0.5", "usd"), cells, ("10", "0.5", "USD"))
    found = usage_answer(file)
    assert [(gone["rows"], gone["reason"], gone["where"]) for gone in found["dropped"]] == [(1, reason, f"{file}, line 3")]
    assert (found["by_model"][0]["reported_usd"], found["by_model"][0]["requests"]) == (1.0, 20)


def test_a_currency_without_a_cost_and_a_cell_that_is_empty_are_no_fault(tmp_path: Path) -> None:
    found = usage_answer(table(tmp_path / "a.csv", ("10", "", "EUR"), ("10", "null", "")))
    assert (found["dropped"], found["by_model"][0]["requests"]) == ([], 20)


@pytest.mark.parametrize(("currency", "said"), [("EUR", 2), ("eur", 2), ("\u20ac", 2), ("", 0)])
def test_calls_paid_in_another_currency_keep_their_tokens_and_lose_their_cost(tmp_path: Path, currency: str, said: int) -> None:
    """Two rows of 1,000 tokens and a cost of 0.5, then one of 0.5 USD; an empty cell is USD, as without the column."""
    found = usage_answer(table(tmp_path / "a.csv", *[("10", "0.5", currency)] * 2, ("10", "0.5", "USD")))
    only = found["by_model"][0]
    assert (found["dropped"], only["requests"], only["tokens"]["uncached_input"]) == ([], 30, 3000)
    assert only["reported_usd"] == pytest.approx(0.5 if said else 1.5)
    notes = [note for note in found["notes"] if "not in USD" in note]
    told = "2 rows with a cost that is not in USD: the tokens count, at list price in place of that cost;"
    told += " --exchange-rate EUR=1.08@2026-10-31, with its currency and rate, counts it"
    assert notes == [told] * bool(said)


def test_a_log_in_another_currency_alone_is_measured(tmp_path: Path) -> None:
    found = usage_answer(table(tmp_path / "a.csv", *[("10", "0.5", "EUR")] * 3))
    assert (found["workload"]["requests_per_day"], found["by_model"][0]["reported_usd"]) == (10.0, None)


def log(path: Path, days: int, bad: dict[int, int], *, calls: int = 0) -> Path:
    """Days from 2026-08-01 on: 24 buckets of 10 requests, or so many calls, `bad` of a day's rows at noon unread."""
    a_day = calls or 24
    noon, requests = a_day // 2, "" if calls else "10,"
    rows = [f"{date(2026, 8, 1) + timedelta(days=day)}T{24 * k // a_day:02d}:{1440 * k // a_day % 60:02d}:00Z,gpt-4o,openai,"
            f"{requests}{'many' if 0 <= k - noon < bad.get(day, 0) else 1000},10" for day in range(days) for k in range(a_day)]
    head = f"timestamp,model,provider,{'' if calls else 'requests,'}input_tokens,output_tokens"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def told(file: Path) -> tuple[int, float]:
    """Whole days, and requests a day."""
    found = usage_answer(file)
    return found["days"]["complete"], found["workload"]["requests_per_day"]


@pytest.mark.full
def test_a_day_of_which_a_bucket_is_left_out_is_not_whole(tmp_path: Path) -> None:
    """240 requests on each of ten days, 10 of the sixth unread: 240 a day of nine, where ten would tell 239."""
    file = log(tmp_path / "a.csv", 10, {5: 1})
    assert told(file) == (9, 240.0)
    assert "9 of 10 days whole; 2026-08-06 has rows left out;" in " ".join(run_usage(file).stdout.split())
    assert usage_answer(file)["days"]["left_out"] == [{"day": "2026-08-06", "reason": "has rows left out"}]


@pytest.mark.full
def test_a_hundredth_of_a_days_calls_may_be_missing(tmp_path: Path) -> None:
    """200 calls on each of three days; 2 unread of the second are a hundredth, 3 are more."""
    assert told(log(tmp_path / "a.csv", 3, {1: 2}, calls=200)) == (3, pytest.approx(598 / 3))
    assert told(log(tmp_path / "b.csv", 3, {1: 3}, calls=200)) == (2, 200.0)


@pytest.mark.full
def test_a_hundredth_of_a_days_tokens_may_be_missing_where_rows_are_buckets(tmp_path: Path) -> None:
    """Ten buckets of 1,000 tokens a day, and one without a model on the second: of 100 tokens a hundredth, of 200 two."""
    head = "timestamp,model,provider,requests,input_tokens,output_tokens"
    rows = [f"2026-08-{day:02d}T{hour:02d}:00:00Z,gpt-4o,openai,10,1000,0" for day in (1, 2, 3) for hour in (0, *range(15, 24))]
    file = tmp_path / "a.csv"
    for tokens, whole in ((100, 3), (200, 2), (0, 2)):
        file.write_text("\n".join([head, *rows, f"2026-08-02T12:00:00Z,,openai,10,{tokens},0"]) + "\n", encoding="utf-8")
        assert told(file)[0] == whole


@pytest.mark.full
def test_where_every_day_loses_rows_those_that_lose_more_than_twice_as_many_are_not_whole(tmp_path: Path) -> None:
    """A call in ten unread on every day, three in ten on the last: 180 are told of each day but that."""
    assert told(log(tmp_path / "a.csv", 5, {**dict.fromkeys(range(4), 20), 4: 60}, calls=200)) == (4, 180.0)
    assert told(log(tmp_path / "b.csv", 1, {0: 1})) == (1, 230.0)
    note = "a usual day lacks 10% of its usage, in rows left out"
    assert any(each.startswith(note) for each in usage_answer(tmp_path / "a.csv")["notes"])
    assert not any("a usual day" in each for each in usage_answer(log(tmp_path / "c.csv", 5, {2: 60}, calls=200))["notes"])


def test_a_row_that_is_no_usage_leaves_its_day_whole(tmp_path: Path) -> None:
    """A failed call was not paid: nothing is lost."""
    file = tmp_path / "a.csv"
    head = "response_id,response_status,request_created_at,model,prompt_tokens,completion_tokens"
    rows = [f"{k},{500 if k == 3 else 200},2026-08-01T{k:02d}:10:00Z,gpt-4o,1000,10" for k in range(24)]
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    assert told(file) == (1, 23.0)


def test_the_trend_passes_over_a_week_with_such_a_day(tmp_path: Path) -> None:
    """Ten weeks of a steady load; a day of the fifth is not whole: nine weeks, no growth, where a low week would bend it."""
    growth = usage_answer(log(tmp_path / "a.csv", 70, {30: 3}))["workload"]["growth_per_year"]
    assert growth["weeks"] == 9
    assert growth["value"] == pytest.approx(0.0, abs=1e-9)
