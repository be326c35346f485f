"""AWS's Cost and Usage Report: rows as AWS's public price file of September 2026 prices them, and one of a live report."""

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from usage_support import DATA, fresh, records, run_usage, totals, usage_answer

from roi.catalog.prices.token_rates import price_or_reason
from roi.usage.formats.clouds.aws_cur import ITEM
from roi.usage.measure.pricing import day_of
from roi.usage.read.columns import DAY_US
from roi.usage.read.record import HOUR_US, NO_NAME, NO_TOKENS, TOKENS

REPORT = DATA / "aws_cur.csv"
NOT_USED = "what a plan or a reservation costs"
USD_PER_MTOK = {
    "anthropic.claude-3-5-sonnet-20240620-v1:0": (3.0,),
    "us.anthropic.claude-haiku-4-5-20251001-v1:0": (1.1, 5.5, 0.11, 1.375, 2.2),
    "global.anthropic.claude-haiku-4-5-20251001-v1:0": (1.0, 5.0, 0.1, 1.25, 2.0),
    "anthropic.claude-opus-5-5": (4.4, 22.0),
    "global.anthropic.claude-opus-5-5": (4.0, 20.0),
    "openai.gpt-6-astra": (11.0, 55.0, 22.0, 82.5),
    "amazon.nova-lite": (0.06, 0.24, 0.03),
    "nvidia.nemotron-super-3-120b": (0.15, 0.325),
}
"""Of the price file, by the model as it is called here: input, output, read, written, written for an hour, or as they come."""

OLDER = ("bill/BillingEntity,identity/LineItemId,lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/LineItemType,"
         "lineItem/ProductCode,lineItem/UsageType,lineItem/Operation,lineItem/ResourceId,lineItem/UsageAccountId,"
         "lineItem/UsageAmount,lineItem/CurrencyCode,lineItem/UnblendedCost,lineItem/NetUnblendedCost,"
         "lineItem/LineItemDescription,pricing/unit,product/ProductName,product/region,resourceTags/user:note")


def written(folder: Path, *rows: dict[str, str], without: tuple[str, ...] = ()) -> Path:
    """The report with its first row changed in so many ways, and without some columns."""
    with REPORT.open(newline="") as file:
        first = next(csv.DictReader(file))
    with (folder / "cur.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, [name for name in first if name not in without], extrasaction="ignore")
        out.writeheader()
        out.writerows(first | row for row in rows)
    return folder / "cur.csv"


def test_each_row_costs_what_the_price_file_says_of_so_many_tokens(tmp_path: Path) -> None:
    """A wrong unit is a thousand times off: 0.02645 "Units" are 26,450 tokens, 41,000 of "1K tokens" are 41 million."""
    kept = [row for row in records(tmp_path, REPORT) if row["dropped"] is None]
    found = {model: [1e6 * row["cost_usd"] / sum(row[name] for name in TOKENS) for row in kept if row["model"] == model]
             for model in USD_PER_MTOK}
    assert found == {model: [pytest.approx(x) for x in prices] for model, prices in USD_PER_MTOK.items()}
    assert len(kept) == sum(map(len, USD_PER_MTOK.values()))
    assert [row["cache_write_1h"] for row in kept if row["cache_write_1h"]] == [200_000, 200_000]
    assert [(row["model"], row["batch"], row["tier"]) for row in kept if row["batch"] or row["tier"]] == [
        ("amazon.nova-lite", True, None), ("nvidia.nemotron-super-3-120b", False, "flex")]
    assert [row["cost_usd"] for row in kept if row["long_context"]] == [11.0, 1.65]


def test_the_list_has_the_same_price_for_all_but_batch_and_flex(tmp_path: Path) -> None:
    """The catalog's prices are of another source than the report's."""
    for row in records(tmp_path, REPORT):
        if row["dropped"] is None and not row["batch"] and row["tier"] is None:
            rates = price_or_reason("aws", row["model"], day_of(row["at_us"] // DAY_US), batch=False, tier=None)
            assert not isinstance(rates, str), rates
            counts = {name: float(row[name]) for name in (*TOKENS, "cache_write_1h")}
            assert rates.usd(int(row["long_context"]), **counts) == pytest.approx(row["cost_usd"])


@pytest.mark.full
def test_other_services_and_taxes_are_left_out_with_a_count(tmp_path: Path) -> None:
    assert {row["dropped"] for row in records(tmp_path, REPORT)} == {
        None, "a service other than Bedrock", "tax", NO_TOKENS}
    told = " ".join(run_usage(REPORT).stdout.split())
    assert "3 of 27 rows left out" in told
    assert "requests not counted by this export; 85.2 Mtok; $66 as reported" in told


@pytest.mark.parametrize(("row", "without", "tokens"), [
    ({"pricing_unit": "1K tokens"}, (), 26),
    ({"pricing_unit": "Tokens", "line_item_usage_amount": "26450"}, (), 26_450),
    ({"pricing_unit": ""}, (), 26_450),
    ({}, ("pricing_unit", "line_item_line_item_description"), 26_450),
    ({"line_item_usage_type": "USW2-Claude3.5Sonnet-input-tokens"}, ("pricing_unit", "line_item_line_item_description"), None),
], ids=["thousands", "tokens", "by the description", "a marketplace's units are millions", "nothing says"])
def test_what_the_amount_is_in_is_read_or_the_row_is_lost(
    row: dict[str, str], without: tuple[str, ...], tokens: int | None, tmp_path: Path,
) -> None:
    (found,) = records(tmp_path, written(fresh(tmp_path, "made"), row, without=without))
    assert (found["uncached_input"] if tokens else found["dropped"]) == (
        tokens or "a count that cannot be read: nothing says what its amount is in (pricing_unit)")


CALLED = (
    ("", "Claude Opus 4.6 (Amazon Bedrock Edition)", "USW2-MP:USW2_InputTokenCount_Global-Units",
     "global.anthropic.claude-opus-4-6"),
    ("arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12cd34ef56", "", "USE1-Claude4.6Opus-input-tokens",
     "anthropic.claude-opus-4-6"),
    ("", "", "USE1-Claude3Sonnet-input-tokens", "anthropic.claude-3-sonnet"),
    ("", "Amazon Bedrock", "EUC1-Nova2.0Lite-cache-read-input-token-count-cross-region-global", "global.amazon.nova-2-lite"),
    ("", "", "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard", "global.anthropic.claude-opus-4-8"),
    ("", "Claude 4.6 Sonnet (Amazon Bedrock Edition)", "USW2-MP:USW2_InputTokenCount-Units", "anthropic.claude-sonnet-4-6"),
    ("", "OpenAI GPT-5.6 Sol (Amazon Bedrock Edition)", "USW2-MP:USW2_input_tokens_standard-Units", "openai.gpt-5.6-sol"),
    ("", "Palmyra X5 (Amazon Bedrock Edition)", "USW2-MP:USW2_InputTokenCount-Units", "writer.palmyra-x5"),
    ("", "", "USE1-Claude3-5Haiku-input-tokens-latency-optimized", "anthropic.claude-3-5-haiku"),
    ("", "", "USE1-Llama3-3-70B-output-tokens-latency-optimized", "meta.llama3-3-70b-instruct"),
    ("", "", "USE1-Llama3-1-70B-LatencyOptimized-input-tokens", "meta.llama3-1-70b-instruct"),
    ("", "", "USE1-Llama4-Maverick-17B-input-tokens-batch", "meta.llama4-maverick-17b-instruct"),
    ("", "", "USE1-MistralSmall-input-tokens-batch", "mistral.mistral-small"),
    ("", "", "USE1-PixtralLarge2502-input-tokens", "mistral.pixtral-large-2502"),
    ("", "", "USW2-Mistral-Large-3-675b-Instruct-output-tokens", "mistral.mistral-large-3-675b-instruct"),
    ("", "", "USE1-Gemma-3-4B-IT-input-tokens-flex", "google.gemma-3-4b-it"),
    ("", "", "USE1-openai.gpt-oss-120b-mantle-input-tokens-standard", "openai.gpt-oss-120b-1"),
)
"""ARN, product and usage type, and what Bedrock calls the model."""


def at_hour(hour: int) -> dict[str, str]:
    """The cells of a row of that hour, so that the records of a report are in the order of its rows."""
    return {"line_item_usage_start_date": f"2026-10-01T{hour:02}:00:00.000Z", "identity_line_item_id": f"row{hour}"}


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The records of one report with a row an hour for each of them."""
    folder = tmp_path_factory.mktemp("called")
    return records(folder, written(folder, *(
        {"line_item_resource_id": arn, "product_product_name": product, "line_item_usage_type": usage,
         "line_item_product_code": "AmazonBedrock", "pricing_unit": "1K tokens", **at_hour(hour)}
        for hour, (arn, product, usage, _) in enumerate(CALLED))))


@pytest.mark.parametrize("hour", range(len(CALLED)), ids=[model for *_, model in CALLED])
def test_a_model_is_called_as_bedrock_calls_it(hour: int, called: list[dict[str, Any]]) -> None:
    row, (*_, usage, model) = called[hour], CALLED[hour]
    assert row["at_us"] == (20_727 * 24 + hour) * HOUR_US  # 2026-10-01 is 20,727 days after 1970
    assert (row["model"], row["dropped"]) == (model, None)
    assert row["tier"] == ("latency-optimized" if "latency" in usage.lower() else "flex" if "flex" in usage else None)
    rates = price_or_reason("aws", row["model"], date(2026, 10, 1), batch=row["batch"], tier=row["tier"])
    assert not isinstance(rates, str), rates


def test_a_usage_type_says_what_was_counted_and_of_which_prompts(tmp_path: Path) -> None:
    cases = (
        ("USW2-MP:USW2_InputTokenCount_LCtx_Global-Units", "uncached_input", True),
        ("USE1-MP:USE1_cache_read_tokens_long_ctx_standard-Units", "cache_read", True),
        ("USE1-Claude4Sonnet-output-tokens-long-context-cross-region-global", "output", True),
        ("USE1-MP:USE1_cached_input_tokens_standard-Units", "cache_read", False),
        ("APN1-MP:APN1_MillionBatchInputTokens-Units", "uncached_input", False),
    )
    made = written(fresh(tmp_path, "made"), *({"line_item_usage_type": usage, "pricing_unit": "1M tokens", **at_hour(hour)}
                                              for hour, (usage, *_) in enumerate(cases)))
    for (usage, count, long), row in zip(cases, records(tmp_path, made), strict=True):
        assert (row[count], row["long_context"], row["batch"]) == (26_450, long, "Batch" in usage), usage


@pytest.mark.full
def test_rows_alike_but_for_their_id_are_several_and_one_id_counts_once(tmp_path: Path) -> None:
    """26,450 tokens each: x0 stands twice, x1 has another tag. Another report of the month has other ids, and counts once."""
    own, again = ({"identity_line_item_id": name} for name in ("x0", "x1"))
    made = written(fresh(tmp_path, "made"), own, own, again)
    assert totals(records(tmp_path, made))["uncached_input"] == 2 * 26_450
    later = written(fresh(tmp_path, "later"), {"identity_line_item_id": "y0"}, {"identity_line_item_id": "y1"})
    assert totals(records(tmp_path, made, later))["uncached_input"] == 2 * 26_450
    assert totals(records(tmp_path, written(fresh(tmp_path, "none"), {}, {}, without=("identity_line_item_id",))))[
        "uncached_input"] == 26_450


@pytest.mark.full
def test_what_is_billed_without_tokens_counts_once_by_the_rules_of_tokens(tmp_path: Path) -> None:
    """$96 of units a row: x0 twice in its file is one, x1 another; a CSV and its Parquet, and later ids, are the same again.

    A later export in which its money grew counts in place of the earlier one: 100 for x0 and 96 for x1.
    """
    units = {"line_item_usage_type": "USW2-MP:USW2_ProvisionedThroughput_ModelUnits-Units",
             "line_item_unblended_cost": "96", "line_item_net_unblended_cost": "96"}
    tokens, (own, other, again, settled) = {"identity_line_item_id": "t"}, (
        {**units, "identity_line_item_id": name, "line_item_net_unblended_cost": usd}
        for name, usd in (("x0", "96"), ("x1", "96"), ("y0", "96"), ("z0", "100")))
    made = written(fresh(tmp_path, "made"), tokens, own, own, other)
    duckdb.read_csv(str(made), all_varchar=True).write_parquet(str(tmp_path / "made.parquet"))
    later = written(fresh(tmp_path, "later"), tokens, again, {**other, "identity_line_item_id": "y1"})
    grown = written(fresh(tmp_path, "grown"), tokens, settled, other)
    for files, usd in (((made,), 192.0), ((made, tmp_path / "made.parquet"), 192.0), ((made, later), 192.0),
                       ((made, grown), 196.0)):
        found = usage_answer(*files, "--tasks", "0")
        assert [each["usd"] for each in found["without_tokens"]] == [usd]
        assert found["tokens"]["uncached_input"] == 26_450


@pytest.mark.full
def test_what_is_billed_without_tokens_is_told_with_its_dollars_and_line_item(tmp_path: Path) -> None:
    """$96 of model units and $1 of guardrails a day are 2,920 and 30.42 a month of 365/12 days; 0.07935 of tokens a day.

    The part says so in a sentence that compare tells, its bill is of tokens alone, and --bill of all is held against both. Its
    last lines are the units with the bill that has their fee in it: 2,920 more, so all of --bill but the guardrails.
    """
    one = {f"line_item_usage_{end}_date": f"2026-10-{{{end}:02}}T00:00:00Z" for end in ("start", "end")}
    units = {"line_item_usage_type": "USW2-MP:USW2_ProvisionedThroughput_1MonthCommit_ModelUnits_Usage-Units",
             "pricing_unit": "hour", "line_item_unblended_cost": "96", "line_item_net_unblended_cost": "96"}
    guard = {"line_item_usage_type": "USW2-Guardrail-ContentPolicyUnitsConsumed", "product_product_name": "Amazon Bedrock",
             "line_item_unblended_cost": "1", "line_item_net_unblended_cost": "1"}
    euros = {**guard, "line_item_usage_type": "USW2-Flows", "line_item_currency_code": "EUR"}
    rows = [{**row, **{name: when.format(start=day, end=day + 1) for name, when in one.items()},
             "identity_line_item_id": f"{k}-{day}"}
            for k, row in enumerate(({}, units, guard, euros)) for day in range(1, 31)]
    made = written(tmp_path, *rows)
    part = tmp_path / "part.yaml"
    answer = run_usage(made, "--requests-per-day", "10", "--output", part, "--bill", "2953.36", "--format", "json")
    assert answer.exit_code == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [(each["name"], each["usd"], round(each["usd_per_month"], 2)) for each in found["without_tokens"]] == [
        ("claude-3.5-sonnet/ProvisionedThroughput_1MonthCommit_ModelUnits_Usage", 2880.0, 2920.0),
        ("Guardrail-ContentPolicyUnitsConsumed", 30.0, 30.42)]
    bill = found["reconciliation"]["all"][-1]
    assert (bill["basis"], bill["factor"]) == ("bill", pytest.approx(2953.36 / (2950.4167 + 0.07935 * 365 / 12)))
    written_part = yaml.safe_load(part.read_text(encoding="utf-8"))
    assert written_part["incumbent"]["bill_usd_per_month"] == pytest.approx(2953.36 - 2950.4167, abs=0.01)
    *_, with_units, with_their_bill, _ = part.read_text(encoding="utf-8").splitlines()
    stated = yaml.safe_load("\n".join(line.removeprefix("# ") for line in (with_units, with_their_bill)))
    assert stated["provisioned_throughput"]["usd_per_month"] == 2920.0
    assert stated["bill_usd_per_month"] == pytest.approx(2953.36 - 30.42, abs=0.01)
    told = written_part["workload"]["unsure"]
    assert told.startswith("$2,950 a month is billed without tokens ($2,920 claude-3.5-sonnet/ProvisionedThroughput_1Month")
    assert "incumbent.provisioned_throughput" in told
    screen = " ".join(run_usage(made).stdout.split())
    assert "and $2,910 without tokens" in screen
    assert "Billed without tokens USD line item USD /month" in screen
    less = run_usage(made, "--requests-per-day", "10", "--output", part, "--force", "--bill", "3", "--tasks", "0").stdout
    assert "--bill: $3 is less than the $2,950 a month that is billed without tokens" in " ".join(less.split())
    assert yaml.safe_load(part.read_text(encoding="utf-8"))["incumbent"]["bill_usd_per_month"] == 3.0
    alone = run_usage(written(fresh(tmp_path, "alone"), units))
    assert "no row counts: 1 row of $96.00 for 'a cost of something else than tokens'" in alone.stderr


TYPES = (
    ("Usage", {}, 26_450, 0.07935, None),
    ("DiscountedUsage", {"reservation_effective_cost": "0.05"}, 26_450, 0.05, None),
    ("SavingsPlanCoveredUsage", {}, 26_450, None, None),
    ("SavingsPlanNegation", {"line_item_net_unblended_cost": "-0.07935"}, 0, -0.07935, NOT_USED),
    ("Fee", {}, 0, 0.07935, NO_TOKENS),
    ("DiscountedUsage", {}, 26_450, 0.07935, None),
    ("SavingsPlanCoveredUsage", {"savings_plan_savings_plan_effective_cost": "0.06"}, 26_450, 0.06, None),
    ("RIFee", {}, 0, 0.07935, NOT_USED),
    ("SavingsPlanRecurringFee", {"line_item_product_code": "ComputeSavingsPlans", "line_item_resource_id": "",
                                 "product_product_name": "Savings Plans for AWS Compute usage"}, 0, 0.07935, NOT_USED),
    ("Refund", {"line_item_net_unblended_cost": "-0.05"}, 0, -0.05, NO_TOKENS),
    ("Credit", {"line_item_net_unblended_cost": "-0.05"}, 0, -0.05, "a credit, which pays for usage"),
    ("EdpDiscount", {}, 0, 0.07935, "a discount, which costs are after"),
    ("EdpDiscount", {"line_item_net_unblended_cost": ""}, 0, 0.07935, NO_TOKENS),
    ("Tax", {}, 0, 0.07935, "tax"),
)
"""Type of a line item, what else its row says, and the tokens, USD and reason of its record."""
NET = "line_item_net_unblended_cost"
REPORTS = {"": "none of these", NET: "no net cost", "reservation_effective_cost": "reservations",
           "savings_plan_savings_plan_effective_cost": "plans"}  # fmt: skip
"""Columns that a report has where its account has reservations or plans, and one that is empty without a discount."""


def report_of(columns: dict[str, str]) -> str:
    """Which of these columns sets the row's report apart from the others."""
    return next((name for name in columns if name in REPORTS and (name != NET or not columns[name])), "")


@pytest.mark.parametrize("report", REPORTS, ids=REPORTS.values())
def test_each_type_of_line_item_counts_as_aws_documents_it(report: str, tmp_path: Path) -> None:
    """AWS's dictionary of line_item_line_item_type. Tokens that a reservation or a plan covers were lost, and so was a fee.

    A plan's usage stands at its on-demand cost, which a negation takes back: what it cost is its effective cost alone.
    """
    cases = [case for case in TYPES if report_of(case[1]) == report]
    assert cases
    with REPORT.open(newline="") as file:
        first = next(csv.DictReader(file))
    with (tmp_path / "cur.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, list(dict.fromkeys((*first, *filter(None, [report])))))
        out.writeheader()
        out.writerows(first | {"line_item_line_item_type": kind} | at_hour(hour) | columns
                      for hour, (kind, columns, *_) in enumerate(cases))
    found = [(row["uncached_input"], row["cost_usd"], row["dropped"]) for row in records(tmp_path, tmp_path / "cur.csv")]
    assert found == [case[2:] for case in cases]


@pytest.mark.full
def test_fees_and_refunds_are_told_by_their_line_item_and_a_discount_where_no_column_is_after_it(tmp_path: Path) -> None:
    """$100 of a fee less $30 given back, less a discount of $7 where no column of net costs has it."""
    fee, back, less = ({"line_item_line_item_type": kind, "line_item_usage_type": usage, "line_item_unblended_cost": usd,
                        "line_item_net_unblended_cost": usd, "product_product_name": "Amazon Bedrock"}
                       for kind, usage, usd in (("Fee", "", "100"), ("Refund", "USW2-Flows", "-30"),
                                                ("EdpDiscount", "USW2-Flows", "-7")))
    for without, items in (((), [("fee", 100.0), ("refund/Flows", -30.0)]),
                           (("line_item_net_unblended_cost",), [("fee", 100.0), ("discount/Flows", -7.0),
                                                                ("refund/Flows", -30.0)])):
        made = written(fresh(tmp_path, f"made{len(items)}"), {}, fee, back, less, without=without)
        found = usage_answer(made, "--tasks", "0")
        assert [(each["name"], each["usd"]) for each in found["without_tokens"]] == items


def lasting(begin: int, end: int) -> dict[str, str]:
    """The edges of a row from one day of October 2026, 1 the first, until another."""
    return {f"line_item_usage_{edge}_date": f"{date(2026, 10, 1) + timedelta(day - 1)}T00:00:00Z"
            for edge, day in (("start", begin), ("end", end))}


@pytest.mark.full
@pytest.mark.parametrize(("first", "days", "begins", "ends", "a_month"), [
    (1, 28, 1, 32, 120.0), (1, 30, 1, 2, 120.0), (5, 14, 1, 32, 120.0), (1, 10, 3, 4, 120.0), (1, 30, -272, 93, 10.0),
    (1, 7, 1, 2, 120.0 * 365 / 12 / 7)], ids=["a month", "one day of it", "before the log", "ten days", "a year", "a week"])
def test_a_fee_that_is_posted_once_is_a_months_amount(
    first: int, days: int, begins: int, ends: int, a_month: float, tmp_path: Path,
) -> None:
    """$120 were 104, 130, 261 or 0 a month, by which weekdays the log has. In a week nobody knows what is posted again.

    Its rows reach into days that are left out, which is no reason to refuse those.
    """
    fee = {"line_item_line_item_type": "Fee", "line_item_usage_type": "", "line_item_net_unblended_cost": "120",
           "identity_line_item_id": "fee", **lasting(begins, ends)}
    made = written(tmp_path, fee, *({"identity_line_item_id": f"t{day}", **lasting(day, day + 1)}
                                    for day in range(first, first + days)))
    for words in ((), ("--without", "2026-10-06")):
        (found,) = usage_answer(made, "--tasks", "0", *words)["without_tokens"]
        assert found["usd_per_month"] == pytest.approx(a_month if days > 7 or not words else 120.0 * 365 / 12 / 6)


@pytest.mark.full
@pytest.mark.parametrize(("refunds", "a_month"), [((5,), -30.0), ((5, 36), -60.0)])
def test_a_refund_is_the_mean_of_the_logs_months(refunds: tuple[int, ...], a_month: float, tmp_path: Path) -> None:
    """$60 once in October and November, or in both; by the months that have one the first was $60 a month too."""
    back = {"line_item_line_item_type": "Refund", "line_item_usage_type": "", "line_item_net_unblended_cost": "-60"}
    made = written(tmp_path, *({**back, ITEM: f"r{day}", **lasting(day, day + 1)} for day in refunds),
                   *({ITEM: f"t{day}", **lasting(day, day + 1)} for day in range(1, 62)))
    (found,) = usage_answer(made, "--tasks", "0")["without_tokens"]
    assert found["usd_per_month"] == pytest.approx(a_month)


@pytest.mark.full
@pytest.mark.parametrize(("sold", "owner"), [("Claude 3.5 Sonnet (Amazon Bedrock Edition)", "anthropic.claude-3-5-sonnet"),
                                             ("Amazon Bedrock", "amazon.nova-lite")])
def test_the_lines_of_units_stand_in_the_part_of_one_model(sold: str, owner: str, tmp_path: Path) -> None:
    """That of the model which the bill names, else of the one that costs more: in each part, the fee was paid twice.

    What is given back of them is less of the same: of $96 a day $16.
    """
    units = {"line_item_usage_type": "USW2-MP:USW2_ProvisionedThroughput_ModelUnits-Units", "product_product_name": sold,
             "line_item_unblended_cost": "96", "line_item_net_unblended_cost": "96"}
    dear = {"line_item_usage_type": "USW2-NovaLite-input-tokens", "line_item_resource_id": "", "pricing_unit": "1M tokens",
            "product_product_name": "Amazon Bedrock", "line_item_net_unblended_cost": "6", "line_item_usage_amount": "100"}
    whole = {"line_item_usage_start_date": "2026-10-01T00:00:00Z", "line_item_usage_end_date": "2026-10-02T00:00:00Z"}
    back = {**units, "line_item_line_item_type": "Refund", "line_item_unblended_cost": "-16",
            "line_item_net_unblended_cost": "-16"}
    made = written(tmp_path, *({**row, **whole} for row in ({}, dear, units, back)))
    for model in ("anthropic.claude-3-5-sonnet-20240620-v1:0", "amazon.nova-lite"):
        part = tmp_path / "part.yaml"
        asked = run_usage(made, "--requests-per-day", "10", "--incumbent", f"aws/{model}", "--output", part, "--force",
                          "--tasks", "0")
        assert asked.exit_code == 0, asked.stderr
        assert ("provisioned_throughput: {" in part.read_text(encoding="utf-8")) == model.startswith(owner)
        assert (f"usd_per_month: {80 * 365 / 12:.2f}, requests_per_s" in part.read_text("utf-8")) == model.startswith(owner)


def test_a_report_with_the_older_names_of_its_columns_says_the_same(tmp_path: Path) -> None:
    """lineItem/UsageType and the like, in CSV as AWS delivers it."""
    _, _, rows = REPORT.read_text(encoding="utf-8").partition("\n")
    (tmp_path / "older.csv").write_text(f"{OLDER}\n{rows}", encoding="utf-8")
    old, new = (records(fresh(tmp_path, name), path) for name, path in (("a", tmp_path / "older.csv"), ("b", REPORT)))
    assert [row | {"source": ""} for row in old] == [row | {"source": ""} for row in new]
    assert {row["source"] for row in old} == {"aws-cur-older"}


@pytest.mark.full
def test_the_map_of_cur_2_names_the_product_too(tmp_path: Path) -> None:
    """26,450 tokens of a product code that names no service: in CSV a JSON, in Parquet a map. Without a name they are lost."""
    made = written(fresh(tmp_path, "made"), {
        "line_item_resource_id": "", "product_region": '{"product_name":"Claude Opus 5.5 (Amazon Bedrock Edition)","x":"y"}'},
        without=("product_product_name",))
    made.write_text(made.read_text().replace("product_region", "product"))
    rows = records(tmp_path, made)
    assert ([row["model"] for row in rows], totals(rows)["uncached_input"]) == (["anthropic.claude-opus-5-5"], 26_450)
    table = duckdb.read_csv(str(made), all_varchar=True)
    for name, entry in (("map", "product_name"), ("none", "other")):
        table.project(f"* replace (map{{'{entry}': 'Claude Opus 5.5 (Amazon Bedrock Edition)'}} as product,"
                      " 'AmazonBedrock' as line_item_product_code)").write_parquet(str(tmp_path / f"{name}.parquet"))
    ((held,), (bare,)) = (records(fresh(tmp_path, name), tmp_path / f"{name}.parquet") for name in ("map", "none"))
    assert (held["model"], held["uncached_input"], bare["dropped"]) == ("anthropic.claude-opus-5-5", 26_450, NO_NAME)


@pytest.mark.parametrize(("column", "cell"), [
    ("resource_tags_user_task", "{0}"), ("resource_tags", '{{"user_subtask":"x","user_task":"{0}"}}'),
    ("resourceTags/user:task", "{0}")])
def test_a_tag_that_is_asked_for_by_its_column_tells_tasks_apart(column: str, cell: str, tmp_path: Path) -> None:
    """Two tasks of one model in one hour, three rows of $0.07935, of which one row has no tag."""
    rows = [{ITEM: name, "resource_tags_user_note": cell.format(name) if name else ""} for name in ("draft", "route", "")]
    made = written(tmp_path, *rows)
    made.write_text(made.read_text().replace("resource_tags_user_note", column))
    if "/" in column:
        made.write_text(f"{OLDER.replace('user:note', 'user:task')}\n{made.read_text().partition(chr(10))[2]}")
    asked = column if "/" in column else "resource_tags_user_task"
    found = {row["group"]: row["reported_usd"] for row in usage_answer(made, "--group-by", asked)["by_group"]}
    assert found == {name: pytest.approx(0.07935) for name in ("draft", "route", None)}
    if column != "resource_tags":
        assert run_usage(made, "--group-by", "resource_tags_user_other").exit_code == 2


def test_a_tag_of_a_map_is_read_whole_and_from_no_other_tags_words(tmp_path: Path) -> None:
    """"tickets, EU" and "tickets, US" were one task, "tickets"; of the last a note told it."""
    maps = ('{"user_task":"tickets, EU"}', '{"user_task":"tickets, US"}', "{user_task='bob\\'s, all', user_n=3}",
            "{user_task=plain, user_n=3}", '{"user_note":"see user_task=7","user_task":"say \\"hi\\""}')
    made = written(tmp_path, *({ITEM: f"{n}", "resource_tags_user_note": each} for n, each in enumerate(maps)))
    made.write_text(made.read_text().replace("resource_tags_user_note", "resource_tags"))
    found = {row["group"] for row in usage_answer(made, "--group-by", "resource_tags_user_task")["by_group"]}
    assert found == {"tickets, EU", "tickets, US", "bob's, all", "plain", 'say "hi"'}
    assert run_usage(made, "--group-by", "resource_tags_").exit_code == 2
    nobodys = " ".join(run_usage(made, "--group-by", "resource_tags_user_tusk").stdout.split())
    assert "--group-by resource_tags_user_tusk: no row that counts has one" in nobodys


def test_what_was_paid_is_after_discounts_where_the_report_says_so(tmp_path: Path) -> None:
    made = written(fresh(tmp_path, "made"), {"line_item_net_unblended_cost": "0.07"})
    assert [row["cost_usd"] for row in records(tmp_path, made)] == [0.07]
    made = written(fresh(tmp_path, "gross"), {}, without=("line_item_net_unblended_cost",))
    assert [row["cost_usd"] for row in records(fresh(tmp_path, "again"), made)] == [0.07935]
