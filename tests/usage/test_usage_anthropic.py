"""Anthropic's console CSV, usage report and cost report."""

import json

import pytest
from usage_support import DATA, fresh, records, run_usage, totals, usage_answer

from roi.errors import InputError
from roi.usage.formats.vendors.anthropic import ANTHROPIC_COST_API, ANTHROPIC_CSV, ANTHROPIC_USAGE_API, UNGROUPED
from roi.usage.read.columns import MICRO
from roi.usage.read.record import EMPTY_BUCKET, NO_RATE, NO_TOKENS

ALL = (ANTHROPIC_CSV, ANTHROPIC_USAGE_API, ANTHROPIC_COST_API)
AUG_5 = 1_785_888_000 * MICRO
"""2026-08-05T00:00Z."""
DAY = 86_400 * MICRO

MONTH = {"uncached_input": 390_000, "cache_read": 375_000, "cache_write": 20_000, "output": 24_500, "requests": 0}


def test_the_csv_counts_what_a_hand_counts(tmp_path):
    """Uncached 46981 + 250000 + 80000 + 3019 + 10000 = 390000; read 300000 + 70000 + 5000 = 375000; written for five
    minutes 15969 + 1031 = 17000 and for an hour 1000 + 2000 = 3000, together 20000; output
    16932 + 2000 + 4000 + 1068 + 500 = 24500.
    """
    rows = records(tmp_path, DATA / "anthropic-csv.csv", formats=ALL)
    assert totals(rows) == MONTH
    assert sum(row["cache_write_1h"] for row in rows) == 3000
    assert {row["source"] for row in rows} == {"anthropic-csv"}
    assert {row["dropped"] for row in rows} == {None}


def test_the_report_gives_the_same_records_as_the_csv(tmp_path):
    """Keys and workspaces alone differ: the console names them, the API has their ids."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    csv = records(tmp_path / "a", DATA / "anthropic-csv.csv", formats=ALL)
    api = records(tmp_path / "b", DATA / "anthropic-usage-api.json", formats=ALL)
    assert totals(api) == MONTH
    apart = {"source", "group"}

    def alike(rows):
        kept = [{name: value for name, value in row.items() if name not in apart} for row in rows if row["dropped"] is None]
        return sorted(kept, key=lambda row: (row["at_us"], row["model"], row["uncached_input"]))

    assert alike(csv) == alike(api)


@pytest.mark.parametrize("file", ["anthropic-csv.csv", "anthropic-usage-api.json"])
def test_batch_priority_fast_and_long_rows_are_told_apart(tmp_path, file):
    rows = [row for row in records(tmp_path, DATA / file, formats=ALL) if row["dropped"] is None]
    kinds = {row["uncached_input"]: (row["batch"], row["tier"], row["long_context"]) for row in rows}
    assert kinds == {
        46_981: (False, None, False), 250_000: (False, None, True), 80_000: (True, None, False), 3019: (False, "fast", False),
        10_000: (False, "priority", False),
    }  # fmt: skip
    assert {row["kind"] for row in rows} == {"bucket"}
    assert {row["provider"] for row in rows} == {"anthropic"}
    assert {row["requests"] for row in rows} == {None}


def test_a_day_of_the_csv_is_utc_in_any_zone(tmp_path):
    rows = records(tmp_path, DATA / "anthropic-csv.csv", formats=ALL, zone="America/Los_Angeles")
    assert {(row["at_us"], row["until_us"]) for row in rows} == {(AUG_5, AUG_5 + DAY), (AUG_5 + DAY, AUG_5 + 2 * DAY)}


def test_typed_columns_of_parquet_read_as_the_csv_does(tmp_path):
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    table = pa_csv.read_csv(DATA / "anthropic-csv.csv")
    assert str(table.schema.field("usage_date_utc").type).startswith("date")
    pq.write_table(table, tmp_path / "usage.parquet")
    rows = records(tmp_path, tmp_path / "usage.parquet", formats=ALL)
    assert totals(rows) == MONTH
    assert rows[0]["at_us"] == AUG_5


def test_a_report_that_a_library_flattened_to_a_table_is_read(tmp_path):
    """Uncached 1, read 2, written 3 for five minutes + 4 for an hour = 7, out 5."""
    (tmp_path / "flat.csv").write_text(
        "starting_at,ending_at,uncached_input_tokens,cache_read_input_tokens,output_tokens,model,service_tier,"
        "cache_creation.ephemeral_5m_input_tokens,cache_creation.ephemeral_1h_input_tokens\n"
        "2026-08-05T00:00:00Z,2026-08-06T00:00:00Z,1,2,5,claude-opus-5,batch,3,4\n")
    (row,) = records(tmp_path, tmp_path / "flat.csv", formats=ALL)
    assert (row["source"], row["batch"], row["at_us"]) == ("anthropic-usage-api", True, AUG_5)
    assert totals([row]) == {"uncached_input": 1, "cache_read": 2, "cache_write": 7, "output": 5, "requests": 0}


def test_an_export_with_one_column_of_cache_writes_is_read(tmp_path):
    """100 + 300 read + 20 written, 40 out; the other two rows have a count and a day that cannot be read."""
    rows = records(tmp_path, DATA / "anthropic-csv-old.csv", formats=ALL)
    assert totals(rows) == {"uncached_input": 100, "cache_read": 300, "cache_write": 20, "output": 40, "requests": 0}
    assert sorted(row["dropped"] for row in rows if row["dropped"]) == [
        "a token count that cannot be read", "no time that can be read"]


@pytest.mark.full
def test_rows_are_grouped_by_key_unless_the_workspace_is_asked_for(tmp_path):
    csv, api = DATA / "anthropic-csv.csv", DATA / "anthropic-usage-api.json"
    assert {row["group"] for row in records(tmp_path, csv, formats=ALL)} == {"Closer App", "Tagger, nightly"}
    assert {row["group"] for row in records(tmp_path, csv, formats=ALL, group_by="project")} == {"Default", "Research"}
    assert {row["group"] for row in records(tmp_path, api, formats=ALL)} == {"apikey_01A", "apikey_01B", None}
    assert {row["group"] for row in records(tmp_path, csv, formats=ALL, group_by="model")} == {None}
    with pytest.raises(InputError, match="there is key, project, model"):
        records(tmp_path, csv, formats=ALL, group_by="tag")


def test_an_empty_bucket_is_said_and_not_counted(tmp_path):
    dropped = [row for row in records(tmp_path, DATA / "anthropic-usage-api.json", formats=ALL) if row["dropped"]]
    assert [(row["at_us"], row["dropped"]) for row in dropped] == [(AUG_5 + 2 * DAY, EMPTY_BUCKET)]


@pytest.mark.full
def test_a_report_that_was_not_grouped_counts_once_its_model_is_said(tmp_path):
    """Day one 376981 = 46981 + 250000 + 80000 uncached and so on: the same month in two rows."""
    file = DATA / "anthropic-usage-api-ungrouped.json"
    assert [row["dropped"] for row in records(tmp_path, file, formats=ALL)] == [UNGROUPED, UNGROUPED]
    said = records(tmp_path, file, formats=ALL, model="claude-opus-5")
    assert totals(said) == MONTH
    assert {row["model"] for row in said} == {"claude-opus-5"}


def test_buckets_without_their_page_are_read(tmp_path):
    """1 + 2 + 3 + 4 + 5: one bucket as a JSON document of one line, as `jq -c .data[]` writes it."""
    file = tmp_path / "buckets.jsonl"
    line = (
        '{"starting_at":"2026-08-05T01:00:00Z","ending_at":"2026-08-05T02:00:00Z","results":[{"model":"claude-opus-5",'
        '"uncached_input_tokens":1,"cache_read_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":3,'
        '"ephemeral_1h_input_tokens":4},"output_tokens":5}]}\n'
    )
    file.write_text(line + line.replace("T01", "T03").replace('"cache_creation":{', '"cache_creation":null,"x":{'))
    first, second = records(tmp_path, file, formats=ALL)
    assert (first["uncached_input"], first["cache_read"], first["cache_write"], first["output"]) == (1, 2, 7, 5)
    assert first["until_us"] - first["at_us"] == 3600 * MICRO
    assert second["cache_write"] == 0


def test_a_cost_is_stated_in_cents(tmp_path):
    """123.45 + 76.55 + 40.00 + 60.0 = 300 cents = 3 dollars; 9.99 in euros, 0.30 of web searches and 0.125 of code left out."""
    rows = records(tmp_path, DATA / "anthropic-cost-api.json", formats=ALL)
    kept = [row for row in rows if row["dropped"] is None]
    assert sum(row["cost_usd"] for row in kept) == pytest.approx(3.0)
    assert max(row["cost_usd"] for row in kept) == pytest.approx(1.2345)
    assert {row["kind"] for row in rows} == {"cost"}
    assert {row["model"] for row in kept} == {"claude-opus-5", "claude-haiku-4-5-20251001"}
    assert [row["cost_usd"] for row in kept if row["batch"]] == [pytest.approx(0.4)]
    assert [row["group"] for row in kept if row["long_context"]] == ["wrkspc_01R"]
    assert totals(rows) == {"uncached_input": 0, "cache_read": 0, "cache_write": 0, "output": 0, "requests": 0}


def test_a_cost_that_cannot_count_says_why(tmp_path):
    rows = records(tmp_path, DATA / "anthropic-cost-api.json", formats=ALL)
    assert sorted(row["dropped"] for row in rows if row["dropped"]) == sorted(
        [f"an amount in EUR{NO_RATE}", NO_TOKENS, NO_TOKENS, "no amount that can be read", EMPTY_BUCKET])


def test_inference_in_the_us_alone_is_told_of_since_its_price_is_not_listed(tmp_path):
    """It was priced as inference anywhere without a word: 1.1 times that from Claude Opus 4.6 on."""
    header = ("usage_date_utc,model_version,usage_type,usage_input_tokens_no_cache,usage_input_tokens_cache_read,"
              "usage_output_tokens,inference_geo")
    table = tmp_path / "a.csv"
    table.write_text(f"{header}\n2026-08-05,claude-opus-4-6,standard,1000000,0,0,us\n"
                     "2026-08-05,claude-opus-4-6,batch,10,0,0,us\n2026-08-06,claude-opus-4-6,standard,20,0,0,global\n")
    assert [row["tier"] for row in records(tmp_path, table)] == ["us-only", "us-only", None]
    notes = usage_answer(table)["notes"]
    assert any("$5.00 of $5.00 at list price: no us-only price is listed; the standard one stands" in note for note in notes)


def test_web_searches_are_told_with_their_price(tmp_path):
    """2 by hand in the month of the export, $10 a thousand; a model without such a price has none."""
    for name in ("anthropic-csv.csv", "anthropic-usage-api.json"):
        rows = records(fresh(tmp_path, name), DATA / name, formats=ALL)
        assert sum(row["web_searches"] for row in rows) == 2
        assert any("2 web searches, billed a piece: $0.02 at list price" in note for note in usage_answer(DATA / name)["notes"])
    line = {"ts": "2026-11-02T10:00:00Z", "model": "claude-haiku-4-5", "provider": "nobody", "usage": {
        "input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 7}}}
    (tmp_path / "own.jsonl").write_text(json.dumps(line))
    assert "7 web searches, billed a piece: no price is known" in usage_answer(tmp_path / "own.jsonl")["notes"]


def test_a_bill_has_web_searches_in_it_and_the_part_has_them_beside_it(tmp_path):
    """100 a day at $10 a thousand are $30.42 of 365/12 days, beside tokens of $2 a day at list, $60.83; the bill is of both."""
    head = ("usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
            "usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n")
    days = "".join(f"2026-11-{k:02d},claude-haiku-4-5,k,Default,standard,,1000000,0,200000,100\n" for k in range(1, 31))
    (tmp_path / "log.csv").write_text(head + days, encoding="utf-8")
    words = (tmp_path / "log.csv", "--requests-per-day", "1000", "--bill", "91.25", "--output", tmp_path / "part.yaml")
    found = usage_answer(*words)
    assert (found["web_searches"], found["web_searches_usd"]) == (3000, pytest.approx(30.0))
    assert found["reconciliation"]["factor"] == pytest.approx(1.0)
    part = (tmp_path / "part.yaml").read_text(encoding="utf-8")
    assert "bill_usd_per_month: 60.83" in part
    assert "costs: [{name: web searches, option: all, usd_per_month: 30.42}]" in part
    assert "$60 at list price, and $30 of web searches" in " ".join(run_usage(tmp_path / "log.csv").stdout.split())


@pytest.mark.full
def test_searches_of_one_provider_and_line_items_of_another_are_both_in_a_bill(tmp_path):
    """$30.42 of searches at Anthropic and $0.30 a day, $9.13 a month, of guardrails at AWS are $39.54 of no tokens."""
    head = ("usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
            "usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n")
    days = "".join(f"2026-11-{k:02d},claude-haiku-4-5,k,Default,standard,,1000000,0,200000,100\n" for k in range(1, 31))
    (tmp_path / "log.csv").write_text(head + days, encoding="utf-8")
    names = ("identity_line_item_id,line_item_usage_start_date,line_item_usage_end_date,line_item_line_item_type,"
             "line_item_product_code,line_item_usage_type,line_item_usage_amount,line_item_unblended_cost\n")
    guards = "".join(f"g{k},2026-11-{k:02d}T00:00:00Z,2026-11-{k:02d}T23:00:00Z,Usage,AmazonBedrock,USE1-Guardrail,1,0.3\n"
                     for k in range(1, 31))
    (tmp_path / "cur.csv").write_text(names + guards, encoding="utf-8")
    found = usage_answer(tmp_path / "log.csv", tmp_path / "cur.csv", "--requests-per-day", "1000", "--bill", "100.38",
                         "--output", tmp_path / "part.yaml")
    assert [each["usd_per_month"] for each in found["without_tokens"]] == [pytest.approx(9.125)]
    assert found["reconciliation"]["factor"] == pytest.approx(1.0, abs=1e-4)
    assert "bill_usd_per_month: 60.8" in (tmp_path / "part.yaml").read_text(encoding="utf-8")


@pytest.mark.full
def test_searches_that_a_cost_export_bills_are_told_once_and_without_a_price_too(tmp_path):
    """$1 of searches and $0.50 of sessions a day are $45; the 3,000 searches that the log counts are among them."""
    log = ("usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
           "usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n")
    cost = ("usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
            "inference_geo,speed\n")
    for k in range(1, 31):
        log += f"2026-11-{k:02d},claude-haiku-4-5,k,Default,standard,,1000000,0,200000,100\n"
        for kind, usd, of in (("output", 2, "token"), ("", 1, "web_search"), ("", 0.5, "session_usage")):
            cost += f"2026-11-{k:02d},Claude Haiku 4.5,Default,k,message,,{kind},{usd},9,{of},global,\n"
    for name, text in (("log", log), ("own", log.replace("claude-haiku-4-5", "claude-x")), ("cost", cost)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    for name, told in (("log", "$60 at list price"), ("own", "no price known")):
        screen = run_usage(tmp_path / f"{name}.csv", tmp_path / "cost.csv").stdout
        assert f"{told}, and $45 without tokens." in " ".join(screen.split())
