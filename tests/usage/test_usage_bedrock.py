"""Bedrock's invocation log: counts beside bodies, ARNs, failures, CloudWatch's wrapping."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
import yaml
from usage_support import CANARY, DATA, fresh, records, run_usage, totals, usage_answer

from roi.usage.formats.clouds.bedrock import BEDROCK_LOG

FORMATS = (BEDROCK_LOG,)


def test_the_input_count_leaves_cached_tokens_out(tmp_path: Path) -> None:
    """Uncached 812 + 100 + 50 + 7 = 969; read 4,096; written 2,000; out 207 + 10 + 5 + 1 = 223."""
    rows = records(tmp_path, DATA / "bedrock.jsonl.gz", formats=FORMATS)
    assert totals(rows) == {"uncached_input": 969, "cache_read": 4096, "cache_write": 2000, "output": 223, "requests": 4}
    assert {(row["provider"], row["perhaps_cached"], row["batch"]) for row in rows} == {("aws", 0, False)}
    assert rows[0]["at_us"] == 1_790_812_801_000_000


def test_an_arn_is_cut_and_a_region_prefix_stays(tmp_path: Path) -> None:
    """The prefix has a price of its own; an application inference profile names no model."""
    rows = records(tmp_path, DATA / "bedrock.jsonl.gz", formats=FORMATS)
    assert [row["model"] for row in rows[:4]] == [
        "us.anthropic.claude-haiku-4-5-20251001-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0",
        "abc123xyz"]


def test_failures_and_other_kinds_of_models_say_why(tmp_path: Path) -> None:
    """Two embedding models, a throttled call, an image model."""
    rows = records(tmp_path, DATA / "bedrock.jsonl.gz", formats=FORMATS)
    assert [row["dropped"] for row in rows[4:]] == [
        "an embedding model", "an embedding model", "failed call", "an image, video, speech or rerank model"]


def test_the_caller_is_a_role_without_its_session(tmp_path: Path) -> None:
    """The session of the role is a person's address."""
    rows = records(tmp_path, DATA / "bedrock.jsonl.gz", formats=FORMATS)
    assert {row["group"] for row in rows} == {"checkout-role"}
    accounts = records(fresh(tmp_path, "again"), DATA / "bedrock.jsonl.gz", formats=FORMATS, group_by="project")
    assert {row["group"] for row in accounts} == {"111122223333"}


def test_cloudwatch_events_hold_entries_as_text(tmp_path: Path) -> None:
    """Two of three events are entries: uncached 812 + 50 = 862, out 207 + 5 = 212."""
    rows = records(tmp_path, DATA / "bedrock_cloudwatch.json", formats=FORMATS)
    assert totals(rows) == {"uncached_input": 862, "cache_read": 4096, "cache_write": 0, "output": 212, "requests": 2}


@pytest.mark.full
def test_an_event_a_line_and_logs_insights_are_read_too(tmp_path: Path) -> None:
    """The same two entries, one event a line, and as Logs Insights saves its results."""
    events = json.loads((DATA / "bedrock_cloudwatch.json").read_text())["events"]
    lines = tmp_path / "events.jsonl"
    lines.write_text("".join(json.dumps(event) + "\n" for event in events))
    insights = tmp_path / "insights.json"
    insights.write_text(json.dumps([{"@timestamp": "x", "@message": json.loads(events[k]["message"])} for k in (0, 2)]))
    for k, file in enumerate((lines, insights)):
        assert totals(records(fresh(tmp_path, str(k)), file, formats=FORMATS))["uncached_input"] == 862


def test_a_folder_as_s3_holds_it_is_read_at_every_depth(tmp_path: Path) -> None:
    """Two hours with 4 calls each, the second a minute later in each timestamp."""
    hours = tmp_path / "logs" / "AWSLogs" / "1" / "BedrockModelInvocationLogs" / "us-east-1" / "2026" / "10" / "01"
    for hour in ("00", "01"):
        (hours / hour).mkdir(parents=True)
    shutil.copy(DATA / "bedrock.jsonl.gz", hours / "00" / "20261001T000000000Z_a.json.gz")
    text = gzip.decompress((DATA / "bedrock.jsonl.gz").read_bytes()).decode().replace("T00:00:", "T01:00:")
    (hours / "01" / "20261001T010000000Z_b.json.gz").write_bytes(gzip.compress(text.encode()))
    assert totals(records(fresh(tmp_path, "out"), tmp_path / "logs", formats=FORMATS))["requests"] == 8


@pytest.mark.full
@pytest.mark.parametrize("body", [
    {"usage": {"cacheDetails": [{"ttl": "1h", "inputTokens": 600}, {"ttl": "5m", "inputTokens": 400}]}},
    {"usage": {"cache_creation": {"ephemeral_1h_input_tokens": 600, "ephemeral_5m_input_tokens": 400}}},
    [{"type": "message_start", "message": {
        "content": [CANARY], "usage": {"cache_creation": {"ephemeral_1h_input_tokens": 600}}}}],
    [{"contentBlockDelta": {"delta": {"text": CANARY}}}, {"metadata": {"usage": {"cacheDetails": [
        {"ttl": "1h", "inputTokens": 600}]}}}],
])
def test_an_answers_usage_tells_what_is_kept_an_hour(body: object, tmp_path: Path) -> None:
    """100 x 3.30 + 400 x 4.125 + 600 x 6.60 + 10 x 16.50 millionths; no word of the body is read. All writes counted as kept
    five minutes.
    """
    log = entry(tmp_path, {"outputBodyJson": body})
    row, = records(fresh(tmp_path, "read"), log, formats=FORMATS)
    assert (row["cache_write"], row["cache_write_1h"]) == (1000, 600)
    assert CANARY not in "".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "read").rglob("*.parquet"))
    answer = usage_answer(log)
    assert answer["list_usd"] == pytest.approx((100 * 3.30 + 400 * 4.125 + 600 * 6.60 + 10 * 16.50) / 1e6)
    assert not any("kept the shorter time" in note for note in answer["notes"])


def test_without_a_body_writes_count_as_kept_the_shorter_time_and_a_note_tells_what_an_hour_costs_more(tmp_path: Path) -> None:
    """Two million written, at 6.60 - 4.125 dollars each million."""
    notes = usage_answer(entry(tmp_path, {}, written=2_000_000))["notes"]
    assert any("2,000,000 tokens that were written" in note and "they cost $4.95 more" in note for note in notes)
    told = {"outputBodyJson": {"usage": {"cacheDetails": [{"ttl": "5m", "inputTokens": 2_000_000}]}}}
    assert not any("kept the shorter time" in note for note in usage_answer(entry(tmp_path, told, written=2_000_000))["notes"])


@pytest.mark.parametrize("hours", [0, 600])
def test_the_bill_of_writes_that_are_kept_an_hour_stands_in_the_part(hours: int, tmp_path: Path) -> None:
    """No field of a scenario says how long; the day of one call costs its list price a day, 365 / 12 days a month."""
    body = {"outputBodyJson": {"usage": {"cacheDetails": [{"ttl": "1h", "inputTokens": hours}]}}}
    lines = [entry(tmp_path, body, at=f"2026-10-0{day}T00:00:0{day}Z", read=day % 2).read_text() for day in (1, 2, 3)]
    log = tmp_path / "days.jsonl"
    log.write_text("\n".join(lines))
    assert run_usage(log, "--output", tmp_path / "part.yaml").exit_code == 0
    part = yaml.safe_load((tmp_path / "part.yaml").read_text())
    assert ("bill_usd_per_month" in part["incumbent"]) == (hours > 0)


def test_an_inference_profile_of_ones_own_is_told_how_it_gets_a_price(tmp_path: Path) -> None:
    """Its id names no model: the nearest names of the list were no help."""
    log = entry(tmp_path, {})
    profile = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/x1y2z3a4b5c6"
    log.write_text(log.read_text().replace("us.anthropic.claude-sonnet-4-5-20250929-v1:0", profile))
    assert "roi prices add api aws/x1y2z3a4b5c6 --input USD --output USD --source WHERE" in " ".join(usage_answer(log)["notes"])


def entry(
    folder: Path, output: dict[str, object], *, written: int = 1000, at: str = "2026-10-01T00:00:01Z", read: int = 0,
) -> Path:
    """A log of one call of Sonnet 4.5 in the United States."""
    counts = {"inputTokenCount": 100, "cacheReadInputTokenCount": read * 1000, "cacheWriteInputTokenCount": written}
    log = folder / "entry.jsonl"
    log.write_text(json.dumps({
        "schemaType": "ModelInvocationLog", "timestamp": at, "operation": "ConverseStream", "requestId": at,
        "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "input": counts,
        "output": {"outputTokenCount": 10, **output},
    }))
    return log
