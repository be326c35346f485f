"""Google Cloud's bill: rows as invoices and exports have them, and what SKUs say, as they and the public catalog spell them."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from usage_support import DATA, fresh, records, run_usage, totals, usage_answer

from roi.catalog.prices.token_rates import price_or_reason
from roi.usage.formats.clouds.google_cloud import ELSEWHERE, NO_SKU, sku_of
from roi.usage.read.record import NO_TOKENS, OTHER_MODEL, PAYS

EXPORT, REPORT = DATA / "gcp_billing.jsonl", DATA / "gcp_report.csv"
ABOVE = ("Invoice number,1234567890,", "Invoice date,2026-09-30,", "Due date,2026-10-30,", "Billing ID,0000-0000-0000,",
         "Billing account ID,000000-000000-000000,", "Currency,{currency},", "Currency exchange rate,1.3905,",
         'Total amount due,"$1,005.72",')
TABLE = ("Billing account name,Billing account ID,Project name,Project ID,Project hierarchy,Service description,Service ID,"
         "SKU description,SKU ID,Consumption model description,Credit type,Cost type,Usage start date,Usage end date,"
         "Usage amount,Usage unit,Unrounded Cost ($),Cost ($)")


def exported() -> list[dict[str, Any]]:
    return [json.loads(line) for line in EXPORT.read_text(encoding="utf-8").splitlines()]


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def cost_table(path: Path, *rows: tuple[str, str, str], currency: str = "USD") -> Path:
    """A cost table of September 2026 with these rows: (SKU, credit type, cost) of 1,000 tokens each, and its totals."""
    whose, month = "A,0,p,project-1,example.com,Gemini API", '2026-09-01,2026-09-30,"1,000",count'
    lines = (f"{whose},S,{sku},K,Default,{credit},Usage,{month},{usd},0" for sku, credit, usd in rows)
    ends = (f"{',' * 11}{name},,,,,-0.003441,-0.00" for name in ("Rounding error", "Total"))
    above = (line.format(currency=currency) for line in ABOVE)
    path.write_text("\n".join((*above, TABLE, *lines, *ends)) + "\n", encoding="utf-8")
    return path


def test_the_export_of_bigquery_is_tokens_by_model_and_money_after_what_lowers_the_price(tmp_path: Path) -> None:
    """Tokens of a live day (2026-08-05, of which a zloty's bill came to these prices), and of the catalog's SKUs of Claude.

    Uncached: 1,065,040 + 283,548 + 1,000,000 of Gemini Pro and as many of Claude. Written: 1,000,000; read: 2,000,000. Output:
    62,906 of thoughts, 7,632, 12,485 and 1,000,000. Money: 0.319512 + 0.157265 + 0.0283548 + 0.01908 + 0.004994 + 0.03, which a
    trial paid but for the last, 2.5 less 0.5 of a contract, and 5 + 0.5 + 6.25 + 25: 39.3092058.
    """
    rows = records(tmp_path, EXPORT)
    assert totals(rows) == {"uncached_input": 3_348_588, "cache_read": 2_000_000, "cache_write": 1_000_000,
                            "output": 1_083_023, "requests": 0}
    kept = [row for row in rows if row["dropped"] is None]
    assert sum(row["cost_usd"] for row in kept) == pytest.approx(39.3092058)
    assert [row["reasoning"] for row in kept if row["reasoning"]] == [62_906]
    assert [row["model"] for row in kept if row["long_context"]] == ["gemini-2.5-pro"]
    assert {row["until_us"] - row["at_us"] for row in rows} == {3_600_000_000}
    assert [(row["dropped"], row["model"]) for row in rows if row["dropped"]] == [
        (ELSEWHERE, None), (ELSEWHERE, None), (NO_SKU, None), (NO_TOKENS, "gemini-3-flash-text-input-caching-storage")]


def flat(row: dict[str, Any], between: str) -> dict[str, Any]:
    """The row with its records as columns of their own, and the list of credits as JSON, as a query writes it."""
    told: dict[str, Any] = {}
    for name, value in row.items():
        inner = {f"{name}{between}{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        told |= {key: json.dumps(each) if isinstance(each, list | dict) else each for key, each in inner.items()}
    return told


@pytest.mark.parametrize("form", [
    ".", "_", "json", *(pytest.param(each, marks=pytest.mark.full) for each in ("nested CSV", "parquet", "flat parquet"))])
def test_the_export_says_the_same_however_it_is_written(form: str, tmp_path: Path) -> None:
    """Columns with dots or underscores, a list of one document, cells of JSON, and Parquet with and without its records."""
    path = tmp_path / f"export.{'json' if form == 'json' else 'csv'}"
    if form == "json":
        path.write_text(json.dumps(exported()), encoding="utf-8")
    elif form == "parquet":
        path = tmp_path / "export.parquet"
        duckdb.sql(f"COPY (FROM read_json('{EXPORT}')) TO '{path}'")
    else:
        rows = [flat(row, "_" if "parquet" in form else form) for row in exported()]
        if form == "nested CSV":
            rows = [{name: json.dumps(each) if isinstance(each, list | dict) else each for name, each in row.items()}
                    for row in exported()]
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, list(rows[0]))
            out.writeheader()
            out.writerows(rows)
        if form == "flat parquet":
            duckdb.read_csv(str(path)).write_parquet(str(tmp_path / "export.parquet"))
            path = tmp_path / "export.parquet"
    same = [{name: value for name, value in row.items() if not name.startswith("roi ")} for row in records(tmp_path, path)]
    assert same == [{name: value for name, value in row.items() if not name.startswith("roi ")}
                    for row in records(tmp_path, EXPORT)]


def test_the_report_of_the_console_is_money_before_what_pays_for_it(tmp_path: Path) -> None:
    """522,851,069 tokens of a cache for $26.142553, of which a credit paid 26.14; amounts with commas; images are left out.

    20,122,880 + 522,851,069 read, 46,546 given, 622,403 + 46,705 + 2,762,140 made.
    """
    rows = records(tmp_path, REPORT)
    assert totals(rows) == {"uncached_input": 46_546, "cache_read": 542_973_949, "cache_write": 0, "output": 3_431_248,
                            "requests": 0}
    paid = {(row["model"], row["cache_read"]): row["cost_usd"] for row in rows if row["dropped"] is None}
    assert paid["gemini-3-flash-preview", 522_851_069] == pytest.approx(26.142553)
    assert {(row["model"], row["tier"], row["batch"]) for row in rows if row["dropped"] is None} == {
        ("gemini-2.5-flash", None, False), ("gemini-3-flash-preview", None, False), ("gemini-3-flash-preview", None, True),
        ("gemini-3.7-flash", None, False), ("gemini-3.7-flash", "flex", False)}
    assert sum(row["dropped"] == OTHER_MODEL for row in rows) == 2
    found = usage_answer(REPORT)
    assert [each["name"] for each in found["without_tokens"]] == [
        "generate-content-cached-text-storage-token-hours-for-gemini-3-flash", "grounding-with-google-search-on-gemini-3"]
    assert any("($) are taken to be US dollars" in note for note in found["notes"])


def test_the_cost_table_is_read_below_its_lines_of_names(tmp_path: Path) -> None:
    """Of 1,000 tokens: a promotion pays and is none of the price, a discount lowers it; totals are no row. It is 30 days."""
    sku = "Generate_content image input token count for gemini 3 flash"
    rows = records(tmp_path, cost_table(tmp_path / "a.csv", (sku, "", "0.0005"), (sku, "Promotional credit", "-0.0005"),
                                        (sku, "Committed use discount", "-0.0001")))
    told = [(row["dropped"] or "", row["uncached_input"], row["cost_usd"]) for row in rows if row["dropped"] != NO_SKU]
    assert sorted(told) == [
        ("", 1_000, 0.0005), (NO_TOKENS, 0, -0.0001), (PAYS, 0, -0.0005)]
    assert sum(row["dropped"] == NO_SKU for row in rows) == 2
    kept = next(row for row in rows if row["dropped"] is None)
    assert (kept["until_us"] - kept["at_us"]) / 86_400e6 == 30


def test_dollars_of_another_country_are_told_above_the_cost_table(tmp_path: Path) -> None:
    """An invoice in Australian dollars has ($) too: at 0.72 US dollars for each, 1.25 are 90 cents."""
    made = cost_table(tmp_path / "a.csv", ("Generate content output token count gemini 3.7 flash text", "", "1.25"),
                      currency="AUD")
    (row,) = (row for row in records(fresh(tmp_path, "bare"), made) if row["dropped"] is None)
    assert (row["cost_usd"], row["other_money"]) == (None, 1)
    told = run_usage("--exchange-rate", "AUD=0.72@2026-09-01", made).stdout
    assert "$0.90 as reported" in " ".join(told.split())


@pytest.mark.parametrize(("amount", "unit", "sku", "why"), [
    (5.0, "hour", "Gemini 2.5 Flash GA Text Input - Predictions", "a count that cannot be read: nothing says what its amount"),
    (5.0, "", "Gemini 2.5 Flash GA Text Input - Predictions", "a count that cannot be read: nothing says what its amount"),
    ("x", "count", "Gemini 2.5 Flash GA Text Input - Predictions", "a count that cannot be read: nothing says what its amount"),
    (5.0, "count", "Gemini 1.5 Flash Text Input - Predictions", "a count that cannot be read: Vertex AI billed Gemini 1"),
    (0.0, "count", "Gemini 2.5 Flash GA Text Input - Predictions", "empty bucket"),
])
def test_an_amount_whose_unit_is_not_read_is_lost_by_name(
    amount: object, unit: str, sku: str, why: str, tmp_path: Path,
) -> None:
    row = exported()[0]
    made = written(tmp_path / "a.jsonl", row | {"sku": {"description": sku}, "usage": {"amount": amount, "unit": unit}})
    (found,) = records(tmp_path, made)
    assert found["dropped"].startswith(why)


def test_rows_alike_but_for_their_labels_are_several_and_another_export_of_them_is_none(tmp_path: Path) -> None:
    """An hour of one SKU stands in a row for each label; 1,065,040 tokens each."""
    row = exported()[0]
    rows = [row, row, row | {"labels": [{"key": "team", "value": "b"}]}]
    once = [written(tmp_path / f"{k}.jsonl", *rows) for k in range(2)]
    assert totals(records(tmp_path, *once))["uncached_input"] == 2 * 1_065_040


@pytest.mark.parametrize(("name", "answer"), [
    ("gcp_billing.jsonl", "7.43 Mtok; $39 as reported, and $0.001 without tokens"),
    ("gcp_report.csv", "546 Mtok; $33 as reported, and $0.0844 without tokens")])
def test_the_screen_tells_tokens_and_money(name: str, answer: str) -> None:
    assert answer in " ".join(run_usage(DATA / name).stdout.split())


INVOICED = (
    ("Generate_content image input token count for gemini 3 flash", 222_710_287, 111.35),
    ("Generate_content text output token count for gemini 3 flash", 5_176_266, 15.53),
    ("Generate_content cached image input token count for gemini 3 flash", 111_022_844, 5.55),
    ("Generate_content image input token count for gemini 3 pro short", 3_841_107, 7.68),
    ("Generate_content_cached_input_token_count_gemini_3_pro_short_image", 18_710_455, 3.74),
    ("Generate content output token count gemini 3.1 flash lite preview text", 939_438, 1.41),
    ("Generate content output token count gemini 2.5 flash short input text", 454_796, 1.14),
    ("Generate content cached input token count gemini 3.7 flash image", 918_049_873, 68.85),
)
"""SKU, tokens and dollars of invoices of 2025-12 to 2026-09, taken from Australian dollars to the cent."""


@pytest.mark.parametrize(("description", "tokens", "usd"), INVOICED)
def test_an_invoice_costs_what_the_list_says_of_the_model_and_the_count(description: str, tokens: int, usd: float) -> None:
    sku = sku_of(description)
    rates = price_or_reason("google", sku.model, date(2026, 11, 10), batch=False, tier=None)
    assert not isinstance(rates, str), rates
    counts = {"uncached_input": 0.0, "cache_read": 0.0, "cache_write": 0.0, "output": 0.0, "cache_write_1h": 0.0}
    assert sku.which is not None
    assert rates.usd(0, **counts | {sku.which: float(tokens)}) == pytest.approx(usd, rel=0.004)


SKUS = (
    ("Gemini 2.5 Flash GA Thinking Text Output - Predictions", "gemini-2.5-flash", "output", {"thinking"}),
    ("Gemini 2.5 Flash GA Text Output (Thinking On) - Predictions", "gemini-2.5-flash", "output", set()),
    (" Gemini 2.5 Flash Lite Input Text Caching", "gemini-2.5-flash-lite", "cache_read", set()),
    ("Gemini 2.5 Flash GA Audio Input (Long) - Predictions", "gemini-2.5-flash", "uncached_input", {"long"}),
    ("Gemini 2.5 Pro Thinking Text Output (Long & Standard) - Predictions", "gemini-2.5-pro", "output", {"long", "thinking"}),
    ("Gemini 2.5 Flash Text Input - Batch Predictions", "gemini-2.5-flash", "uncached_input", {"batch"}),
    ("Gemini 3.0 Pro Text Input Caching (Long)", "gemini-3-pro-preview", "cache_read", {"long"}),
    ("Gemini 3 Flash Text Input Flex - Predictions", "gemini-3-flash-preview", "uncached_input", {"flex"}),
    ("Gemini 3 Flash Image Input Caching Priority", "gemini-3-flash-preview", "cache_read", {"priority"}),
    ("Gemini 3.1 Flash Lite Global Text Input - Predictions", "gemini-3.1-flash-lite", "uncached_input", set()),
    ("Generate content output token count gemini 2.5 flash short input text", "gemini-2.5-flash", "output", set()),
    ("Generate content output token count gemini 2.5 flash lite short output text non-thinking", "gemini-2.5-flash-lite",
     "output", set()),
    ("Generate content input token count gemini 2.5 flash long input text", "gemini-2.5-flash", "uncached_input", {"long"}),
    ("Generate content cached input token count gemini 2.5 flash input short text", "gemini-2.5-flash", "cache_read", set()),
    ("Generate content cached input token count gemini 2.5 pro short input", "gemini-2.5-pro", "cache_read", set()),
    ("GenerateContent image input token count for Gemini 2.0 Flash", "gemini-2.0-flash", "uncached_input", set()),
    ("Generate_content image input token count for gemini 3 flash batch", "gemini-3-flash-preview", "uncached_input",
     {"batch"}),
    ("Generate content input token count gemini 3 pro short text flex", "gemini-3-pro-preview", "uncached_input", {"flex"}),
    ("Generate content input token count gemini 3.7 flash image flex caching", "gemini-3.7-flash", "cache_read", {"flex"}),
    ("AI Dev Tools: Claude Opus 4.8 Input Cache Write Tokens (Long and TTL 300 seconds)", "claude-opus-4-8", "cache_write",
     {"long"}),
    ("AI Dev Tools: Claude Opus 4.8 Input Cache Write Tokens (TTL 3600 seconds)", "claude-opus-4-8", "cache_write",
     {"an_hour"}),
    ("Cloud Vertex AI Model Garden Model as a Service DeepSeek-V3.1 Cached Text Input Token", "deepseek-v3.1", "cache_read",
     set()),
    ("Cloud Vertex AI Model Garden Model as a Service Llama 4 Maverick Batch Input Token", "llama-4-maverick", "uncached_input",
     {"batch"}),
    ("Cloud Vertex AI Model Garden Model as a Service GLM-5.2 Input", "glm-5.2", "uncached_input", set()),
)


@pytest.mark.parametrize(("description", "model", "which", "more"), SKUS)
def test_a_sku_says_its_model_its_count_and_of_what(description: str, model: str, which: str, more: set[str]) -> None:
    sku = sku_of(description)
    flags = {name for name in ("thinking", "an_hour", "batch", "long") if getattr(sku, name)} | {sku.tier} - {None}
    assert (sku.model, sku.which, flags, sku.why) == (model, which, more, None)


@pytest.mark.parametrize(("description", "why"), [
    *((each, None) for each in (
        "Gemini 3 Flash Text Input Caching Storage", "Generate content cached content storage token hours gemini 3.7 flash",
        "LLM Grounding with Google Search tool - Predictions", "Number of queries with search grounding",
        "Veo Generation 720p with Audio", "Lyria 3 Audio Ouptut - Predictions", "Vertex AI: Provisioned Throughput 1 month",
        "Large Text Embedding Model - Predictions", "Translation LLM Input Characters")),
    *((each, OTHER_MODEL) for each in (
        "EmbedContent input token count for gemini-embedding-001", "Gemini 3.1 Flash Image Text Input - Predictions",
        "Gemini 3.0 Pro Image Output - Predictions", "Generate_content audio input token count for Gemini 3.5 Live Translate",
        "Generate content input token count gemini 3.8 flash lite tts text batch")),
])
def test_what_has_no_tokens_of_a_language_model_is_none(description: str, why: str | None) -> None:
    sku = sku_of(description)
    assert (sku.why, sku.which is None) == (why, why is None)
