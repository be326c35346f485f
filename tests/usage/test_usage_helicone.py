"""Helicone's CSV and JSON: failures, its own cache, and bodies that are never read."""

from pathlib import Path

from usage_support import DATA, records, totals

from roi.usage.formats.gateways.helicone import HELICONE_CSV, HELICONE_JSON

BOTH = (HELICONE_CSV, HELICONE_JSON)


def test_csv_rows_count_with_a_model_that_the_user_names(tmp_path: Path) -> None:
    """Input 1,000 + 200 + 30 = 1,230; output 50 + 20 + 3 = 73; the last row has no model of its own."""
    rows = records(tmp_path, DATA / "helicone.csv", formats=BOTH, provider="openai", model="gpt-4o-mini")
    assert totals(rows) == {"uncached_input": 1230, "cache_read": 0, "cache_write": 0, "output": 73, "requests": 3}
    assert [row["dropped"] for row in rows] == [None, None, "failed call", "failed call", "failed call", None]
    assert [row["model"] for row in rows if not row["dropped"]] == ["gpt-4o", "gpt-4o", "gpt-4o-mini"]
    assert {row["provider"] for row in rows} == {"openai"}


def test_a_row_without_any_model_is_dropped(tmp_path: Path) -> None:
    """Nobody named one."""
    assert records(tmp_path, DATA / "helicone.csv", formats=BOTH)[-1]["dropped"] == "no model named"


def test_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    """2026-10-01 00:00:01.250 UTC = 1,790,812,801.25 s, whatever zone the user reads other files in."""
    rows = records(tmp_path, DATA / "helicone.csv", formats=BOTH, zone="Asia/Tokyo")
    assert [row["at_us"] for row in rows[:2]] == [1_790_812_801_250_000, 1_790_812_802_000_000]


def test_json_has_cached_tokens_which_may_be_inside_the_input(tmp_path: Path) -> None:
    """1,000 - 400 read = 600 uncached, or 1,000 where the input leaves them out: 400 more."""
    first, hit, cancelled = records(tmp_path, DATA / "helicone.jsonl", formats=BOTH)
    assert (first["uncached_input"], first["cache_read"], first["perhaps_cached"]) == (600, 400, 400)
    assert (first["provider"], first["model"], first["group"]) == ("openai", "gpt-4o", "summary")
    assert (hit["dropped"], cancelled["dropped"]) == ("answered from Helicone's cache", "failed call")


def test_said_to_leave_them_out_the_input_is_whole(tmp_path: Path) -> None:
    """1,000 uncached beside 400 read."""
    first = records(tmp_path, DATA / "helicone.jsonl", formats=BOTH, includes_cache=False)[0]
    assert (first["uncached_input"], first["cache_read"], first["perhaps_cached"]) == (1000, 400, 0)
