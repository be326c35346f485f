"""FOCUS rows: money of AI services in USD, without tax, credits and other services."""

from pathlib import Path

import pytest
from usage_support import DATA, records

from roi.usage.formats.clouds.focus import FOCUS
from roi.usage.read.record import NO_RATE

FORMATS = (FOCUS,)


def test_effective_cost_of_usage_and_purchases_counts(tmp_path: Path) -> None:
    """10.00 + 2.50 (Bedrock) + 4.00 + 0.00 (Azure: the purchase is amortised) + 1.50 (Vertex) = 18.00."""
    kept = [row for row in records(tmp_path, DATA / "focus.csv", formats=FORMATS) if row["dropped"] is None]
    assert sum(row["cost_usd"] for row in kept) == pytest.approx(18.00)
    by_provider = {name: sum(row["cost_usd"] for row in kept if row["provider"] == name) for name in ("aws", "azure", "google")}
    assert by_provider == {"aws": pytest.approx(12.5), "azure": pytest.approx(4.0), "google": pytest.approx(1.5)}
    assert {(row["kind"], row["model"], row["requests"]) for row in kept} == {("cost", None, None)}


def test_what_is_left_out_says_why(tmp_path: Path) -> None:
    """Six of eleven rows: storage, tax, a credit, an adjustment, euros, and one without an amount."""
    rows = records(tmp_path, DATA / "focus.csv", formats=FORMATS)
    assert len(rows) == 11
    assert sorted(row["dropped"] for row in rows if row["dropped"]) == sorted([
        "a service other than AI", "tax", "credit", "adjustment", f"an amount in EUR{NO_RATE}",
        "no amount that can be read"])


def test_models_sold_in_bedrock_are_paid_to_aws_whatever_their_category(tmp_path: Path) -> None:
    """The row has ServiceCategory Other and ServiceProviderName Anthropic."""
    rows = records(tmp_path, DATA / "focus.csv", formats=FORMATS)
    (sold,) = [row for row in rows if row["group"] == "Claude Sonnet 4.5 (Amazon Bedrock Edition)"]
    assert (sold["provider"], sold["cost_usd"], sold["dropped"]) == ("aws", 2.5, None)


def test_times_without_seconds_are_read(tmp_path: Path) -> None:
    """Azure writes 2026-10-02T00:00Z = 1,790,899,200 s; the row ends a day = 86,400 s later."""
    rows = records(tmp_path, DATA / "focus.csv", formats=FORMATS)
    (row,) = [row for row in rows if row["cost_usd"] == 4.0]
    assert (row["at_us"], row["until_us"]) == (1_790_899_200_000_000, 1_790_985_600_000_000)


def test_typed_parquet_counts_as_the_csv_does(tmp_path: Path) -> None:
    """The same 18.00 from Parquet with decimals and timestamps; tags stay out."""
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    table = pc.read_csv(DATA / "focus.csv")
    at = table.column_names.index("EffectiveCost")
    typed = table.set_column(at, "EffectiveCost", table["EffectiveCost"].cast(pa.float64()).cast(pa.decimal128(18, 6)))
    pq.write_table(typed, tmp_path / "focus.parquet")
    rows = records(tmp_path, tmp_path / "focus.parquet", formats=FORMATS)
    assert sum(row["cost_usd"] for row in rows if row["dropped"] is None) == pytest.approx(18.00)
    assert "CANARY-7f3a" not in str(rows)


def test_a_row_without_a_kind_of_charge_is_left_out_with_its_reason(tmp_path: Path) -> None:
    """$7 of nobody knows what beside $10 of usage."""
    head, *rows = (DATA / "focus.csv").read_text().splitlines()
    place = head.split(",").index("ChargeCategory")
    file = tmp_path / "focus.csv"
    cells = rows[0].split(",")
    assert cells[place] == "Usage"
    cells[place] = ""
    file.write_text("\n".join([head, rows[0], ",".join(cells)]) + "\n")
    found = records(tmp_path, file, formats=FORMATS)
    assert sorted(str(row["dropped"]) for row in found) == ["None", "a kind of charge other than usage or purchase"]
