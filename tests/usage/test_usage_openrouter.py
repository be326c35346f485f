"""OpenRouter: what a row of the activity CSV and of the Activity API counts."""

from pathlib import Path

import pytest
from usage_support import DATA, records, run_usage, totals, usage_answer

from roi.usage.formats.gateways.openrouter import OPENROUTER_API, OPENROUTER_CSV

FORMS = (OPENROUTER_CSV, OPENROUTER_API)
CSV = DATA / "openrouter_activity.csv"
API = DATA / "openrouter_activity.json"
START_US = 1_788_220_800_000_000  # 2026-09-01 00:00 UTC
HOUR_US = 3_600_000_000


def test_cached_tokens_are_part_of_the_prompt_and_reasoning_of_the_completion(tmp_path: Path) -> None:
    """Uncached: (1000 - 600) + 2000 + 300 + 500 = 3200. Output: 100 + 200 + 30 + 12 = 342. Four generations count, the
    cancelled one that was billed among them.
    """
    rows = records(tmp_path, CSV, formats=FORMS)
    assert totals(rows) == {"uncached_input": 3200, "cache_read": 600, "cache_write": 0, "output": 342, "requests": 4}
    assert rows[0]["reasoning"] == 40
    assert {row["provider"] for row in rows} == {"openrouter"}


def test_generations_that_gave_and_cost_nothing_are_dropped_with_their_reason(tmp_path: Path) -> None:
    assert [row["dropped"] for row in records(tmp_path, CSV, formats=FORMS)] == [
        None, None, None, None, "cancelled before any output, unbilled", "a failed call", "a token count that cannot be read"]


def test_calls_with_ones_own_key_cost_the_fee_and_what_the_provider_bills(tmp_path: Path) -> None:
    """0.0005 to OpenRouter and 0.01 to the provider; a free variant costs nothing."""
    rows = records(tmp_path, CSV, formats=FORMS)
    assert [row["cost_usd"] for row in rows[:4]] == pytest.approx([0.012, 0.0105, 0.0, 0.004])


def test_a_variant_with_its_own_price_is_part_of_the_models_name(tmp_path: Path) -> None:
    models = [row["model"] for row in records(tmp_path, CSV, formats=FORMS)]
    assert models[0] == "openai/gpt-4.1-2025-04-14"
    assert models[2] == "deepseek/deepseek-r1:free"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_are_utc_in_every_zone(zone: str, tmp_path: Path) -> None:
    rows = records(tmp_path, CSV, formats=FORMS, zone=zone)
    assert [row["at_us"] for row in rows] == [START_US + k * HOUR_US + 500_000 for k in range(7)]
    assert {row["at_us"] for row in records(tmp_path, API, formats=FORMS, zone=zone)[:2]} == {START_US}


@pytest.mark.parametrize(("kind", "groups"), [(None, ["prod", "own"]), ("tag", ["Desk", "Desk"])])
def test_groups_are_the_key_or_the_app(kind: str | None, groups: list[str], tmp_path: Path) -> None:
    assert [row["group"] for row in records(tmp_path, CSV, formats=FORMS, group_by=kind)[:2]] == groups


def test_an_endpoints_day_counts_all_its_input_as_uncached(tmp_path: Path) -> None:
    """Input: 5000 + 700. Output: 125 + 75, the 25 of reasoning inside. Requests: 5 + 2. The day without a call is dropped."""
    rows = records(tmp_path, API, formats=FORMS)
    assert totals(rows) == {"uncached_input": 5700, "cache_read": 0, "cache_write": 0, "output": 200, "requests": 7}
    assert [(row["model"], row["cost_usd"], row["dropped"]) for row in rows] == [
        ("anthropic/claude-sonnet-4.5", 0.021, None), ("openai/gpt-4.1", 0.015, None), ("openai/gpt-4.1", 0.0, "empty bucket")]
    assert rows[0]["until_us"] == START_US + 24 * HOUR_US


@pytest.mark.full
@pytest.mark.parametrize("column", ["cost_total", "byok_usage_inference"])
def test_a_cost_that_is_no_number_leaves_its_row_out_and_says_so(tmp_path: Path, column: str) -> None:
    """It was passed over in silence: the row counted at list price, or without what the provider bills."""
    header, first, *rest = CSV.read_text(encoding="utf-8-sig").splitlines()
    cells = first.split(",")
    cells[header.split(",").index(column)] = "n/a"
    log = tmp_path / "spoiled.csv"
    log.write_text("\n".join([header, ",".join(cells), *rest]), encoding="utf-8")
    assert usage_answer(log)["requests"] == 3
    assert "1: a cost that is no number with a decimal point" in " ".join(run_usage(log).stdout.split())
    assert run_usage("--strict", log).exit_code == 2


def test_a_day_without_a_model_is_of_the_one_that_is_said(tmp_path: Path) -> None:
    """--model names the model of every format's calls that name none; it was without effect here."""
    day = tmp_path / "day.csv"
    day.write_text("date,slug,usage,requests,prompt tokens,completion tokens\n2026-09-01,,0.5,2,1000,100\n")
    assert [row["dropped"] for row in records(tmp_path, day)] == ["no model named"]
    (tmp_path / "said").mkdir()
    assert [(row["model"], row["dropped"]) for row in records(tmp_path / "said", day, model="openai/gpt-6-luna")] == [
        ("openai/gpt-6-luna", None)]
