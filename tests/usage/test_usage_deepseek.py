"""DeepSeek: rows of one count each add up to their bucket."""

from pathlib import Path

import pytest
from usage_support import DATA, records, totals

from roi.usage.formats.vendors.deepseek import DEEPSEEK_CSV

FORMS = (DEEPSEEK_CSV,)
AMOUNT = DATA / "deepseek_amount.csv"
START_US = 1_788_220_800_000_000  # 2026-09-01 00:00 UTC
HOUR_US = 3_600_000_000


def test_rows_of_one_count_each_add_up(tmp_path: Path) -> None:
    """Misses: 4000 + 500. Hits: 6000. Output: 1500 + 50. Requests: 20 + 2."""
    rows = records(tmp_path, AMOUNT, formats=FORMS)
    assert totals(rows) == {"uncached_input": 4500, "cache_read": 6000, "cache_write": 0, "output": 1550, "requests": 22}
    assert {(row["provider"], row["model"], row["cost_usd"]) for row in rows} == {("deepseek", "deepseek-chat", None)}


def test_other_types_empty_and_unreadable_counts_are_dropped_with_their_reason(tmp_path: Path) -> None:
    dropped = sorted(row["dropped"] for row in records(tmp_path, AMOUNT, formats=FORMS) if row["dropped"])
    assert dropped == ["a count that cannot be read", "a type of row that is no known count", "empty bucket"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_bucket_is_a_day_of_the_offset_that_it_names(zone: str, tmp_path: Path) -> None:
    """Midnight at +08:00 is 16:00 UTC of the day before."""
    first = records(tmp_path, AMOUNT, formats=FORMS, zone=zone)[0]
    assert (first["at_us"], first["until_us"]) == (START_US - 8 * HOUR_US, START_US + 16 * HOUR_US)


def test_exports_with_a_utc_date_are_read_too(tmp_path: Path) -> None:
    rows = records(tmp_path, DATA / "deepseek_amount_2026_06.csv", formats=FORMS)
    assert totals(rows) == {"uncached_input": 300, "cache_read": 0, "cache_write": 0, "output": 900, "requests": 3}
    assert rows[0]["at_us"] == 1_780_272_000_000_000  # 2026-06-01 00:00 UTC
    assert rows[0]["until_us"] - rows[0]["at_us"] == 24 * HOUR_US


@pytest.mark.parametrize(("kind", "groups"), [(None, {"prod", "dev"}), ("user", {"u1"})])
def test_groups_are_the_keys_name_or_the_user(kind: str | None, groups: set[str], tmp_path: Path) -> None:
    assert {row["group"] for row in records(tmp_path, AMOUNT, formats=FORMS, group_by=kind)} == groups


def cost_csv(path: Path, *costs: str, currency: str = "USD") -> Path:
    """A cost CSV with a row a day, as published parsers of the export read it."""
    rows = [f"u1,2026-05-0{day},deepseek-chat,Paid,{cost},{currency}" for day, cost in enumerate(costs, start=1)]
    path.write_text("user_id,utc_date,model,wallet_type,cost,currency\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(("costs", "paid"), [
    (("1.25", "0.5"), [1.25, 0.5]), (("-1.44", "-0.72"), [1.44, 0.72]), (("3", "-1"), [3.0, -1.0])])
def test_costs_are_what_was_spent_whatever_their_sign(costs: tuple[str, ...], paid: list[float], tmp_path: Path) -> None:
    """Older exports have what was spent below 0; a credit beside a larger cost stays one."""
    rows = records(tmp_path, cost_csv(tmp_path / "cost.csv", *costs))
    assert [row["cost_usd"] for row in rows] == pytest.approx(paid)
    assert {(row["source"], row["kind"], row["model"], row["group"], row["dropped"]) for row in rows} == {
        ("deepseek-cost-csv", "cost", "deepseek-chat", "Paid", None)}


def test_an_older_and_a_newer_export_are_turned_each_by_itself(tmp_path: Path) -> None:
    """$1.44 of an older export, below 0 there, and $5 of a newer one."""
    older, newer = cost_csv(tmp_path / "older.csv", "-1.44"), cost_csv(tmp_path / "newer.csv", "5")
    newer.write_text(newer.read_text().replace("2026-05", "2026-08"))
    assert [row["cost_usd"] for row in records(tmp_path, older, newer)] == pytest.approx([1.44, 5.0])


def test_costs_in_yuan_ask_for_a_rate(tmp_path: Path) -> None:
    rows = records(tmp_path, cost_csv(tmp_path / "cost.csv", "7.2", currency="CNY"))
    assert rows[0]["dropped"].startswith("an amount in CNY")
