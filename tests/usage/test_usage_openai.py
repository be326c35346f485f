"""OpenAI's dashboard CSV, Usage API and Costs API."""

import json

import pytest
from usage_support import DATA, records, run_usage, totals, usage_answer

from roi.usage.formats.vendors.openai import OPENAI_COSTS_API, OPENAI_CSV, OPENAI_USAGE_API, UNGROUPED
from roi.usage.read.columns import MICRO
from roi.usage.read.record import EMPTY_BUCKET, NO_RATE, NO_TOKENS

ALL = (OPENAI_CSV, OPENAI_USAGE_API, OPENAI_COSTS_API)
OCT_1 = 1_790_812_800 * MICRO
"""2026-10-01T00:00Z."""
DAY = 86_400 * MICRO

TUNED = "ft:gpt-4o-mini-2024-07-18:acme:tags:Ab12Cd"

MONTH = {"uncached_input": 109_597, "cache_read": 102_504, "cache_write": 6100, "output": 13_456, "requests": 620}


def test_the_csv_counts_what_a_hand_counts(tmp_path):
    """Uncached 42897 + 50000 + 10000 + 6000 + 700 = 109597; read 98304 + 4000 + 200 = 102504; written 6000 + 100 = 6100.
    Their sum is the input, 141201 + 50000 + 20000 + 6000 + 1000 = 218201. Output 9756 + 2000 + 1000 + 600 + 100 = 13456;
    requests 470 + 100 + 30 + 12 + 8 = 620.
    """
    rows = records(tmp_path, DATA / "openai-csv.csv", formats=ALL)
    assert totals(rows) == MONTH
    assert sum(MONTH[name] for name in ("uncached_input", "cache_read", "cache_write")) == 218_201
    assert {row["source"] for row in rows} == {"openai-csv"}


def test_the_usage_api_gives_the_same_records_as_the_csv(tmp_path):
    """The second day of the pages has no `input_uncached_tokens`: 6000 - 0 - 0 = 6000 and 1000 - 200 - 100 = 700."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    csv = records(tmp_path / "a", DATA / "openai-csv.csv", formats=ALL)
    api = records(tmp_path / "b", DATA / "openai-usage-api.json", formats=ALL)
    assert totals(api) == MONTH

    def alike(rows):
        apart = [{name: value for name, value in row.items() if name != "source"} for row in rows]
        return sorted(apart, key=lambda row: (row["at_us"], row["model"] or "", row["requests"] or 0))

    assert alike(csv) == alike(api)


@pytest.mark.parametrize("file", ["openai-csv.csv", "openai-usage-api.json"])
def test_batch_flex_and_free_rows_are_told_apart(tmp_path, file):
    rows = [row for row in records(tmp_path, DATA / file, formats=ALL) if row["dropped"] is None]
    kinds = {row["requests"]: (row["model"], row["batch"], row["tier"], row["cache_write"]) for row in rows}
    assert kinds == {
        470: ("gpt-6-luna", False, None, 0), 100: ("gpt-4o-mini-2024-07-18", True, None, 0),
        30: ("gpt-6-luna", False, "flex-tier", 6000), 12: (TUNED, False, None, 0),
        8: ("gpt-6-luna", False, "incentivized-tier", 100),
    }  # fmt: skip
    assert {row["provider"] for row in rows} == {"openai"}
    assert {row["kind"] for row in rows} == {"bucket"}
    assert {row["perhaps_cached"] for row in rows} == {0}


@pytest.mark.parametrize("file", ["openai-csv.csv", "openai-usage-api.json"])
def test_an_empty_bucket_is_said_and_not_counted(tmp_path, file):
    rows = records(tmp_path, DATA / file, formats=ALL)
    assert [(row["at_us"], row["dropped"]) for row in rows if row["dropped"]] == [(OCT_1 + 2 * DAY, EMPTY_BUCKET)]
    assert {row["until_us"] - row["at_us"] for row in rows} == {DAY}


def test_usage_that_was_not_grouped_counts_once_its_model_is_said(tmp_path):
    """211201 - 102304 - 6000 = 102897 uncached: the three rows of the first day in one."""
    file = DATA / "openai-usage-api-ungrouped.json"
    assert [row["dropped"] for row in records(tmp_path, file, formats=ALL)] == [UNGROUPED]
    (said,) = records(tmp_path, file, formats=ALL, model="gpt-6-luna")
    assert (said["dropped"], said["model"], said["uncached_input"], said["requests"]) == (None, "gpt-6-luna", 102_897, 600)


def test_rows_are_grouped_by_project_unless_the_key_is_asked_for(tmp_path):
    file = DATA / "openai-csv.csv"
    assert {row["group"] for row in records(tmp_path, file, formats=ALL)} == {"proj_a", "proj_b", None}
    assert {row["group"] for row in records(tmp_path, file, formats=ALL, group_by="key")} == {"key_a", "key_b", None}


def test_more_cached_tokens_than_input_is_refused(tmp_path):
    file = tmp_path / "odd.csv"
    file.write_text(
        "start_time,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens\n"
        "1790812800,1,gpt-6-luna,100,10,101\n1790812800,1,gpt-6-luna,many,10,0\n1790812800,1,gpt-6-luna,100,10,100\n")
    rows = records(tmp_path, file, formats=ALL)
    assert sorted(row["dropped"] or "" for row in rows) == [
        "", "a token count that cannot be read", "cached tokens above the input"]
    assert totals(rows) == {"uncached_input": 0, "cache_read": 100, "cache_write": 0, "output": 10, "requests": 1}


def test_a_cost_is_stated_in_dollars_and_its_model_in_the_line_item(tmp_path):
    """0.42 + 0.08 + 0.5 + 0.05 + 0.15 + 0.05 = 1.25 dollars with a model, and 1.75 that was not grouped: 3 dollars."""
    rows = records(tmp_path, DATA / "openai-costs-api.json", formats=ALL)
    kept = [row for row in rows if row["dropped"] is None]
    assert sum(row["cost_usd"] for row in kept) == pytest.approx(3.0)
    spent = {}
    for row in kept:
        spent[row["model"]] = spent.get(row["model"], 0) + row["cost_usd"]
    assert spent == pytest.approx({"gpt-6-luna": 1.05, "gpt-image-2-2026-04-21": 0.05, TUNED: 0.15, None: 1.75})
    assert {row["kind"] for row in rows} == {"cost"}
    assert [(row["tier"], row["long_context"]) for row in kept if row["cost_usd"] == 0.5] == [("priority", True)]
    assert totals(rows) == {"uncached_input": 0, "cache_read": 0, "cache_write": 0, "output": 0, "requests": 0}


def test_a_cost_that_cannot_count_says_why(tmp_path):
    rows = records(tmp_path, DATA / "openai-costs-api.json", formats=ALL)
    assert {row["cost_usd"]: row["dropped"] for row in rows if row["dropped"]} == {
        0.25: NO_TOKENS, 0.1: NO_TOKENS, 9.99: f"an amount in EUR{NO_RATE}", None: EMPTY_BUCKET}
    assert {row["group"] for row in rows if row["dropped"] is None} == {"proj_a", "proj_b", None}


def paged(path, days, *, more):
    """A page with a bucket of ten calls on each of the days of October."""
    result = {"object": "organization.usage.completions.result", "model": "gpt-4o", "num_model_requests": 10,
              "input_tokens": 1000, "output_tokens": 100}
    day_s = 86_400
    data = [{"object": "bucket", "start_time": OCT_1 // MICRO + day * day_s, "end_time": OCT_1 // MICRO + (day + 1) * day_s,
             "results": [result]} for day in days]
    page = {"object": "page", "data": data, "has_more": more, "next_page": "page_x" if more else None}
    path.write_text(json.dumps(page), encoding="utf-8")
    return path


@pytest.mark.full
def test_a_page_that_announces_more_is_told_unless_the_next_one_is_there(tmp_path):
    """Days 0 to 2, 3 to 5 and 6 to 7: without the second the first goes on nowhere."""
    first, second, third = (paged(tmp_path / f"{k}.json", days, more=k < 2)
                            for k, days in enumerate((range(3), range(3, 6), range(6, 8))))
    told = "0.json says that there are more pages (has_more), which are not here"
    for files, lacks in (((first,), True), ((first, third), True), ((third,), False), ((first, second, third), False)):
        assert any(told in note for note in usage_answer(*files)["notes"]) == lacks


def test_a_page_without_models_offers_to_name_the_one(tmp_path):
    page = paged(tmp_path / "a.json", range(2), more=False)
    page.write_text(page.read_text(encoding="utf-8").replace('"gpt-4o"', "null"), encoding="utf-8")
    said = run_usage(page).stderr
    assert "no row counts: 2 rows for 'no model" in said
    assert "if all calls are of one model: --model NAME" in said
    assert usage_answer("--model", "gpt-4o", page)["requests"] == 20
