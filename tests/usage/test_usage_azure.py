"""Azure: API Management's log of language models, several rows a call; and the metrics of an Azure OpenAI resource."""

import json
from pathlib import Path

import pytest
from usage_support import CANARY, DATA, fresh, records, run_usage, totals, usage_answer

from roi.usage.formats.clouds.azure import A_PART

LOG = DATA / "azure_gateway.csv"
TIME, MICROS = "2026-11-20T10:00:01.123Z", 1_795_168_801_123_000
CALL = {"ModelName": "gpt-4.1", "DeploymentName": "triage", "PromptTokens": 812, "CompletionTokens": 120, "SequenceNumber": 0}
COUNTS = {"uncached_input": 812, "cache_read": 0, "cache_write": 0, "output": 120, "requests": 1}


def test_parts_of_prompts_and_answers_are_no_calls(tmp_path: Path) -> None:
    """812 + 600 and 120 + 80 tokens of two calls; the portal's times are UTC, month first, and 11:30 PM is half past 23."""
    rows = sorted(records(tmp_path, LOG), key=lambda row: row["at_us"])
    assert totals(rows) == {"uncached_input": 1412, "cache_read": 0, "cache_write": 0, "output": 200, "requests": 2}
    assert [row["dropped"] for row in rows] == [None, None, A_PART]
    assert [row["at_us"] for row in rows[:2]] == [1_795_168_801_000_000, 1_795_217_400_000_000]
    assert [(row["source"], row["provider"], row["model"], row["group"]) for row in rows[:2]] == [
        ("azure-gateway", None, "gpt-4.1-2025-04-14", "triage"), ("azure-gateway", None, "gpt-4.1-2025-04-14", "search")]


def test_json_of_a_query_and_lines_of_a_storage_account_are_the_same(tmp_path: Path) -> None:
    """`az monitor log-analytics query` writes every value as text; a storage account has the columns under `properties`."""
    query = [{"TimeGenerated": TIME, "CorrelationId": "c-1", **{name: str(value) for name, value in CALL.items()}}]
    stored = {"time": TIME, "category": "GatewayLlmLogs", "operationName": "Microsoft.ApiManagement/GatewayLogs",
              "resourceId": "/X", "correlationId": "c-1",
              "properties": {name[0].lower() + name[1:]: value for name, value in CALL.items()}}
    part = stored | {"properties": {"sequenceNumber": 1, "requestMessages": CANARY, "promptTokens": None}}
    for name, text in (("query.json", json.dumps(query)), ("stored.jsonl", f"{json.dumps(stored)}\n{json.dumps(part)}\n")):
        (tmp_path / name).write_text(text)
        rows = records(fresh(tmp_path, name.split(".")[0]), tmp_path / name)
        assert totals(rows) == COUNTS
        assert [(row["source"], row["at_us"], row["group"]) for row in rows] == [("azure-gateway", MICROS, "triage")]


@pytest.mark.full
def test_a_call_whose_tokens_stand_twice_counts_once_whichever_row_has_them(tmp_path: Path) -> None:
    """Exported twice, repeated in the row of its answer, or there alone."""
    call = {"TimeGenerated": TIME, "CorrelationId": "c-1", **CALL}
    other, bare = call | {"SequenceNumber": 2}, call | {"PromptTokens": None, "CompletionTokens": None}
    for k, rows in enumerate(([call, call], [call, other], [other, call], [bare, other])):
        (tmp_path / f"{k}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        assert totals(records(fresh(tmp_path, f"{k}"), tmp_path / f"{k}.jsonl")) == COUNTS


def test_a_table_made_of_the_log_needs_no_map(tmp_path: Path) -> None:
    """`project TimeGenerated, ModelName, PromptTokens, CompletionTokens` leaves the call's id out."""
    (tmp_path / "own.csv").write_text(f"TimeGenerated,ModelName,PromptTokens,CompletionTokens\n{TIME},gpt-4.1,812,120\n")
    rows = records(tmp_path, tmp_path / "own.csv")
    assert totals(rows) == COUNTS
    assert (rows[0]["source"], rows[0]["model"]) == ("generic", "gpt-4.1")


def metric(name: str, **totals_of: int) -> dict[str, object]:
    """A metric as `az monitor metrics list` gives it: two hours with a total, one without, and one of zero, by model."""
    return {"name": {"value": name}, "timeseries": [{
        "metadatavalues": [{"name": {"value": "modelname"}, "value": model.replace("_", "-")}],
        "data": [{"timeStamp": f"2026-11-20T0{hour}:00:00Z", "total": float(total)} for hour in (8, 9)]
        + [{"timeStamp": "2026-11-20T10:00:00Z"}, {"timeStamp": "2026-11-20T11:00:00Z", "total": 0.0}],
    } for model, total in totals_of.items()]}  # fmt: skip


def test_metrics_of_a_resource_are_counts_of_an_interval(tmp_path: Path) -> None:
    """Two hours of 100,000 and 10,000 tokens in 100 calls of a model, of 5,000 and 700 in 5 of another: at 0.15 / 0.60 and 2.50
    / 10.00 they cost 0.030 + 0.012 + 0.025 + 0.014 = 0.081. Tokens in total, and Foundry's name of the input, count no more.
    """
    answer = {"interval": "PT1H", "timespan": "2026-11-20T08:00:00Z/2026-11-20T12:00:00Z", "value": [
        metric("ProcessedPromptTokens", gpt_4o_mini=100_000, gpt_4o=5_000), metric("InputTokens", gpt_4o_mini=100_000),
        metric("GeneratedTokens", gpt_4o_mini=10_000, gpt_4o=700), metric("AzureOpenAIRequests", gpt_4o_mini=100, gpt_4o=5),
        metric("TokenTransaction", gpt_4o_mini=110_000, gpt_4o=5_700)]}
    (tmp_path / "metrics.json").write_text(json.dumps(answer))
    rows = [row for row in records(tmp_path, tmp_path / "metrics.json") if row["dropped"] is None]
    assert totals(rows) == {"uncached_input": 210_000, "cache_read": 0, "cache_write": 0, "output": 21_400, "requests": 210}
    assert {(row["source"], row["provider"], row["until_us"] - row["at_us"]) for row in rows} == {
        ("azure-metrics", "azure", 3_600_000_000)}
    assert usage_answer(tmp_path / "metrics.json")["list_usd"] == pytest.approx(0.081)


def test_a_metric_that_nobody_exported_is_told_and_no_zero_in_silence(tmp_path: Path) -> None:
    """Beside a file of it nothing is missing: each metric may have one of its own."""
    files = []
    for name, count in (("ProcessedPromptTokens", 1000), ("GeneratedTokens", 100), ("AzureOpenAIRequests", 10)):
        hours = {"interval": "PT1H", "timespan": "2026-11-20T08:00:00Z/2026-11-20T12:00:00Z"}
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({**hours, "value": [metric(name, gpt_4o=count)]}))
    told = " ".join(run_usage(files[0]).stdout.split())
    assert "no total of GeneratedTokens and of AzureOpenAIRequests is in these files: counted as 0" in told
    assert "no total of" not in " ".join(run_usage(*files).stdout.split())
