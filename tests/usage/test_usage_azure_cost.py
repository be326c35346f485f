"""Azure's cost and usage details: meters as its price list has them, some quantities and costs of one live bill."""

import csv
from pathlib import Path
from typing import Any

import pytest
from usage_support import DATA, fresh, records, run_usage, totals

from roi.usage.read.record import NO_TOKENS, OTHER_MODEL

EXPORT = DATA / "azure_cost.csv"
OTHER_SERVICE = "a service other than models by the token"


def written(folder: Path, *rows: dict[str, str], names: dict[str, str] | None = None) -> Path:
    """The export with its first row changed in so many ways, some columns under other names; an empty name leaves it out."""
    with EXPORT.open(newline="") as file:
        first = next(csv.DictReader(file))
    names = {name: name for name in first} | {name: name for row in rows for name in row} | (names or {})
    with (folder / "azure.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(own for own in names.values() if own)
        out.writerows([(first | row).get(name, "") for name, own in names.items() if own] for row in rows)
    return folder / "azure.csv"


def test_a_quantity_counts_thousands_or_millions_and_costs_what_it_costs(tmp_path: Path) -> None:
    """72.100917 of 1M are 72,100,917 tokens, 180.25 USD at 2.50 a million; 77,469.256 of 1K are 77,469,256.

    Input 72,100,917 + 20,000,000 + 77,469,256 = 169,570,173; read 104,360,960; written 500,000; output 3,250,000 + 2,731,107 +
    1,000,000 + 2,337,559 + 400,000 = 9,718,666. Money 180.2522925 + 26.09024 + 48.75 + 44 + 24.0337416 + 11.6203884 + 0.3 +
    4.675118 + 0.125 + 0.672 = 340.5187805, beside 25.15 without tokens.
    """
    rows = records(tmp_path, EXPORT)
    assert totals(rows) == {"uncached_input": 169_570_173, "cache_read": 104_360_960, "cache_write": 500_000,
                            "output": 9_718_666, "requests": 0}
    assert sum(row["cost_usd"] for row in rows if row["dropped"] is None) == pytest.approx(340.5187805, abs=1e-9)
    assert {row["model"]: row["cost_usd"] for row in rows if row["dropped"] == NO_TOKENS} == {
        "provisioned-managed-global-unit": 15.0, "code-interpreter-global-session": 0.15,
        "gpt-4.1-mini-dev-ft-training-glbl": 10.0}
    assert sorted(row["dropped"] for row in rows if row["dropped"] not in (None, NO_TOKENS)) == [
        OTHER_MODEL, OTHER_SERVICE, "what a reservation costs; the amortized export has it where it is used"]


def test_the_screen_sets_cost_beside_list_price() -> None:
    """A region's gpt-4.1 is a tenth dearer than the list: 44 + 24.03 = 68.03 against 40 + 21.85 = 61.85."""
    told = " ".join(run_usage(EXPORT).stdout.split())
    assert "requests not counted by this export; 284 Mtok; $341 as reported, and $25 without tokens" in told
    assert "azure/gpt-4.1 - 20 0% 2.73 61.85 68.03" in told
    assert "gpt-5.4 x 1.000, gpt-4.1 x 1.100" in told


METERS = (
    ("5.4 longco batch cd inp Dz 1M Tokens", "gpt-5.4", "cache_read", True, None, True),
    ("5.6 terra ShortCo Cd Inp PP Gl 1M Tokens", "gpt-5.6-terra", "cache_read", False, "priority", False),
    ("56luna LoCo Cd Wr Fl Gl 1M Tokens", "gpt-5.6-luna", "cache_write", False, "flex", True),
    ("5 mini pp Inp Gl 1M Tokens", "gpt-5-mini", "uncached_input", False, "priority", None),
    ("GPT 5 Nano Batch Inpt cchd Dzone 1M Tokens", "gpt-5-nano", "cache_read", True, None, None),
    ("GPT 5.1 chat opt Gl 1M Tokens", "gpt-5.1-chat", "output", False, None, None),
    ("gpt-5-codex-ccchd-inp-glbl Tokens", "gpt-5-codex", "cache_read", False, None, None),
    ("gpt 5 pro out glbl Tokens", "gpt-5-pro", "output", False, None, None),
    ("gpt 4o 0806 Inp Data Zone Tokens", "gpt-4o-2024-08-06", "uncached_input", False, None, None),
    ("gpt 4o 0513 Output regional Tokens", "gpt-4o-2024-05-13", "output", False, None, None),
    ("gpt 4o mini0718 BatchOutp DataZone Tokens", "gpt-4o-mini-2024-07-18", "output", True, None, None),
    ("4o cchd Inp regnl 1M Tokens", "gpt-4o", "cache_read", False, None, None),
    ("o1 1217 cached Inp glbl Tokens", "o1-2024-12-17", "cache_read", False, None, None),
    ("o3 mini 0131 cached input glbl Tokens", "o3-mini-2025-01-31", "cache_read", False, None, None),
    ("o4-mini 0416 cached Inp DataZone Tokens", "o4-mini-2025-04-16", "cache_read", False, None, None),
    ("gpt-35-turbo16K-0125 Inp-glbl Tokens", "gpt-3.5-turbo-0125", "uncached_input", False, None, None),
    ("gpt-oss-120B Outp glbl Tokens", "gpt-oss-120b", "output", False, None, None),
    ("gpt 4.1 mini dev ft inpt glbl Tokens", "gpt-4.1-mini-dev-ft", "uncached_input", False, None, None),
)
"""A meter, and what it says: the model, the count, batch, tier and whether prompts are above the first price edge."""
OF_MAKERS = (("V4 Flash 0731 cached glbl Tokens", "Azure Deepseek Models", "deepseek-v4-flash-0731", "cache_read"),
             ("4.3 Inp Glbl Tokens", "Azure Grok Models", "grok-4.3", "uncached_input"),
             ("Large 3 Outp glbl Tokens", "Azure Mistral Models", "mistral-large-3", "output"),
             ("Llama 3.3 70B Inp Dzone Tokens", "Azure Llama Models", "llama-3.3-70b", "uncached_input"),
             ("Phi-4-Output Tokens", "Azure Phi Models", "phi-4", "output"))


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The records of one export with a row a day for each of the meters."""
    folder = tmp_path_factory.mktemp("named")
    cells = [{"MeterName": meter} for meter, *_ in METERS] + [
        {"MeterName": meter, "MeterSubCategory": sold, "ProductName": sold} for meter, sold, *_ in OF_MAKERS]
    return records(folder, written(folder, *({**each, "Date": f"10/{day:02}/2026"} for day, each in enumerate(cells, start=1))))


@pytest.mark.parametrize("day", range(len(METERS) + len(OF_MAKERS)))
def test_a_meter_names_model_count_and_service(day: int, named: list[dict[str, Any]]) -> None:
    row = named[day]
    if day < len(METERS):
        _, model, which, batch, tier, long = METERS[day]
        assert (row["batch"], row["tier"], row["long_context"]) == (batch, tier, long)
    else:
        _, _, model, which = OF_MAKERS[day - len(METERS)]
    assert (row["model"], row["dropped"], row[which]) == (model, None, 72_100_917)


@pytest.mark.parametrize("meter", ["gpt-4o-rt-aud-0603 cchd Inp DZn Tokens", "gpt4omini-aud1217-txt Outp glbl Tokens",
                                   "gpt-image-1-inp-cached-txt-glbl Tokens", "Image 2.6 Text Input Glbl 1M Tokens"])
def test_what_is_no_language_model_is_left_out(meter: str, tmp_path: Path) -> None:
    (row,) = records(tmp_path, written(tmp_path, {"MeterName": meter}))
    assert row["dropped"] == OTHER_MODEL


def test_a_quantity_of_tokens_is_known_by_its_price(tmp_path: Path) -> None:
    """72,100,917 at 2.50 a million would cost 180 million as millions; it costs 180.25, so it counts tokens, and so does a row
    of the file that costs nothing. A discount of 40% changes nothing: 72.100917 millions for 108.15.
    """
    as_tokens = {"Quantity": "72100917"}
    of_tokens = written(fresh(tmp_path, "tokens"), as_tokens, {"Quantity": "5000", "CostInBillingCurrency": "0",
                                                              "Date": "10/02/2026"})
    assert [row["uncached_input"] for row in records(tmp_path, of_tokens)] == [72_100_917, 5000]
    discounted = written(fresh(tmp_path, "less"), {"CostInBillingCurrency": "108.15"})
    assert [row["uncached_input"] for row in records(tmp_path, discounted)] == [72_100_917]


def test_an_export_of_customers_has_other_columns_and_states_usd_beside_what_is_billed(tmp_path: Path) -> None:
    """Billed 165.83 EUR at 0.92; the price list and its column are in USD, 180.2522925."""
    row = {"CostInBillingCurrency": "165.83", "BillingCurrencyCode": "EUR", "costInUsd": "180.2522925",
           "costInPricingCurrency": "180.2522925"}
    names = {"ResourceGroup": "resourceGroupName", "BillingCurrencyCode": "billingCurrency", "Date": "date",
             "MeterName": "meterName", "CostInBillingCurrency": "costInBillingCurrency", "ProductName": "product"}
    (found,) = records(tmp_path, written(tmp_path, row, names=names))
    assert (found["cost_usd"], found["uncached_input"], found["group"], found["dropped"]) == (
        180.2522925, 72_100_917, "rg-chat", None)


def test_a_unit_that_is_no_number_of_tokens_is_told_and_an_export_without_quantities_has_no_tokens(tmp_path: Path) -> None:
    (row,) = records(tmp_path, written(fresh(tmp_path, "hours"), {"UnitOfMeasure": "1 Hour"}))
    assert row["dropped"] == "a count that cannot be read: UnitOfMeasure is none of tokens"
    found = run_usage(written(fresh(tmp_path, "sums"), {}, names={"Quantity": ""}))
    assert found.exit_code == 2
    assert "Azure's cost export without" in " ".join(found.output.split())
