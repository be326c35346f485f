"""LiteLLM: what a row of spend logs and of the daily table counts."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_support import CANARY, DATA, fresh, records, totals

from roi.usage.formats.gateways.litellm import LITELLM_DAILY, LITELLM_SPENDLOGS

FORMS = (LITELLM_SPENDLOGS, LITELLM_DAILY)
CALLS = DATA / "litellm_spendlogs.csv"
HOUR_US = 3_600_000_000
START_US = 1_788_220_800_000_000  # 2026-09-01 00:00 UTC


@pytest.fixture(scope="module", params=["csv", "jsonl", "typed parquet"])
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same calls as three kinds of file; the Parquet has times, numbers and a struct as a database would."""
    if request.param != "typed parquet":
        return DATA / f"litellm_spendlogs.{request.param}"
    rows = [json.loads(line) for line in (DATA / "litellm_spendlogs.jsonl").read_text().splitlines()]
    table = pa.table({
        "startTime": pa.array([row["startTime"] for row in rows]).cast(pa.timestamp("us")),
        "metadata": [json.loads(row["metadata"]) if isinstance(row["metadata"], str) else row["metadata"] for row in rows],
        **{name: [row[name] for row in rows] for name in (
            "call_type", "spend", "prompt_tokens", "completion_tokens", "model", "custom_llm_provider", "cache_hit",
            "status", "api_key", "user", "end_user", "team_id")},
        "request_tags": pa.array([json.dumps(row["request_tags"]) for row in rows]),
    })  # fmt: skip
    pq.write_table(table, found := tmp_path_factory.mktemp("litellm") / "typed_source.parquet")
    return found


def test_cache_reads_and_writes_are_taken_out_of_prompt_tokens_whatever_the_file_is(calls: Path, tmp_path: Path) -> None:
    """Uncached: (1000 - 600) + (5000 - 3000 - 1500) + (400 - 100) + 300 = 1500. Read: 600 + 3000 + 100 = 3700.
    Written: 1500, of which 500 for an hour. Output: 100 + 200 + 10 + 30 = 340. Four calls count.
    """
    rows = records(tmp_path, calls, formats=FORMS)
    assert totals(rows) == {"uncached_input": 1500, "cache_read": 3700, "cache_write": 1500, "output": 340, "requests": 4}
    assert [row["cache_write_1h"] for row in rows[:4]] == [0, 500, 0, 0]
    assert rows[0]["reasoning"] == 40


def test_rows_that_are_no_paid_completion_are_dropped_with_their_reason(calls: Path, tmp_path: Path) -> None:
    rows = records(tmp_path, calls, formats=FORMS)
    assert [row["dropped"] for row in rows] == [
        None, None, None, None, "answered by the gateway's own cache", "a failed call", "a failed call",
        "no completion (an embedding, image, batch job or the like)", "cached tokens above the input",
    ]  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_times_without_an_offset_are_utc_in_every_zone(zone: str, calls: Path, tmp_path: Path) -> None:
    rows = records(tmp_path, calls, formats=FORMS, zone=zone)
    assert [row["at_us"] for row in rows] == [START_US + k * HOUR_US for k in range(9)]


def test_models_lose_the_prefix_of_their_provider_and_providers_get_their_usual_name(tmp_path: Path) -> None:
    rows = records(tmp_path, CALLS, formats=FORMS)
    assert [(row["provider"], row["model"]) for row in rows[:3]] == [
        ("openai", "gpt-4.1"), ("anthropic", "claude-sonnet-4-5"), ("aws", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0")]


def test_a_spend_of_zero_is_unknown(tmp_path: Path) -> None:
    assert [row["cost_usd"] for row in records(tmp_path, CALLS, formats=FORMS)[:4]] == [0.01, 0.01, None, 0.01]


@pytest.mark.full
@pytest.mark.parametrize(("kind", "groups"), [
    (None, ["search", None]), ("key", ["hash1", "hash1"]), ("user", ["e1", "u1"]), ("project", ["t1", "t1"])])  # fmt: skip
def test_groups_are_the_first_tag_of_ones_own_the_key_the_end_user_or_the_team(
        kind: str | None, groups: list[str | None], calls: Path, tmp_path: Path) -> None:
    assert [row["group"] for row in records(tmp_path, calls, formats=FORMS, group_by=kind)[:2]] == groups


def test_a_page_of_spend_logs_is_read_like_its_rows(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (DATA / "litellm_spendlogs.jsonl").read_text().splitlines()]
    page = tmp_path / "page.json"
    page.write_text(json.dumps({"data": rows, "total": 9}))
    assert totals(records(tmp_path, page, formats=FORMS))["cache_read"] == 3700


def test_a_day_counts_what_its_calls_count(tmp_path: Path) -> None:
    """Uncached: (10000 - 6000 - 1000) + 4000 + 2000 = 9000. Output: 900 + 300 + 100 = 1300. Requests: 10 + 5 + 4 = 19,
    the two that failed left out.
    """
    rows = records(tmp_path, DATA / "litellm_daily.csv", formats=FORMS)
    assert totals(rows) == {"uncached_input": 9000, "cache_read": 6000, "cache_write": 1000, "output": 1300, "requests": 19}
    assert rows[0]["until_us"] - rows[0]["at_us"] == 24 * HOUR_US


def test_days_without_a_served_call_are_dropped_with_their_reason(tmp_path: Path) -> None:
    rows = records(tmp_path, DATA / "litellm_daily.csv", formats=FORMS)
    assert {(row["model"] or "", row["dropped"]) for row in rows if row["dropped"]} == {
        ("gpt-4.1", "failed calls"), ("", "calls of a tool, not of a model"), ("gpt-4.1", "empty bucket")}
    assert {(row["provider"], row["model"], row["cost_usd"]) for row in rows if not row["dropped"]} == {
        ("anthropic", "claude-sonnet-4-5", 0.5), ("openai", "gpt-4.1", 0.02), ("azure", "gpt-4o", None)}


def test_the_table_of_tags_does_not_count(tmp_path: Path) -> None:
    source = (DATA / "litellm_daily.csv").read_text().splitlines()
    tagged = [source[0] + ",tag", *(line + ",nightly" for line in source[1:])]
    (tmp_path / "tags.csv").write_text("\n".join(tagged) + "\n")
    rows = records(tmp_path, tmp_path / "tags.csv", formats=FORMS)
    assert all("once for each of its tags" in row["dropped"] for row in rows)


def test_what_a_callback_logs_has_the_counts_of_its_usage(tmp_path: Path) -> None:
    """StandardLoggingPayloads: 2,000 - 1,024 twice, once with the usage in `response` alone; a failure, a cached answer."""
    usage = {"prompt_tokens": 2000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 1024}}
    plain = {"call_type": "acompletion", "status": "success", "cache_hit": False, "custom_llm_provider": "openai",
             "model": "openai/gpt-5-mini", "response_cost": 0.0004, "prompt_tokens": 2000, "completion_tokens": 50,
             "messages": [{"role": "user", "content": CANARY}]}
    calls = [plain | {"metadata": {"usage_object": usage}},
             plain | {"metadata": {"usage_object": None}, "response": {"usage": usage}},
             plain | {"metadata": {}, "status": "failure"}, plain | {"metadata": {}, "cache_hit": True}]
    (tmp_path / "calls.jsonl").write_text("".join(
        json.dumps(call | {"id": f"c{k}", "startTime": 1_790_812_800.12 + k}) + "\n" for k, call in enumerate(calls)))
    rows = records(fresh(tmp_path, "calls"), tmp_path / "calls.jsonl")
    assert totals(rows) == {"uncached_input": 1952, "cache_read": 2048, "cache_write": 0, "output": 100, "requests": 2}
    assert {(row["source"], row["model"], row["cost_usd"]) for row in rows if not row["dropped"]} == {
        ("litellm-logs", "gpt-5-mini", 0.0004)}


@pytest.mark.full
def test_a_callback_s_log_tells_whose_a_call_is_and_which(tmp_path: Path) -> None:
    """The names of SpendLogs stand in `metadata`, and `id` is its request_id: the call that stands twice counts once."""
    call = {"id": "c1", "trace_id": "s1", "call_type": "acompletion", "model": "gpt-5-mini", "response_cost": 0.0004,
            "custom_llm_provider": "openai", "prompt_tokens": 2000, "completion_tokens": 50, "startTime": 1_790_812_800.12,
            "metadata": {"user_api_key_hash": "k1", "user_api_key_team_id": "t1", "user_api_key_user_id": "u1"}}
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, (call, call, call | {"id": "c2"}))))
    for kind, group in (("key", "k1"), ("project", "t1"), ("user", "u1"), ("session", "s1")):
        rows = records(fresh(tmp_path, kind), tmp_path / "calls.jsonl", group_by=kind)
        assert ({row["group"] for row in rows}, totals(rows)["requests"]) == ({group}, 2)
