"""Lines of one's own log that hold an answer's usage as its API gave it, inside of others or in the cell of a table."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_support import CANARY, fresh, records, run_usage, totals, usage_answer

OPENAI = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400},
          "completion_tokens_details": {"reasoning_tokens": 60}}
RESPONSES = {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 400}, "output_tokens": 100}
ANTHROPIC = {"input_tokens": 200, "cache_read_input_tokens": 3000, "cache_creation_input_tokens": 1000,
             "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}, "output_tokens": 100}
CONVERSE = {"inputTokens": 200, "outputTokens": 100, "cacheReadInputTokens": 3000, "cacheWriteInputTokens": 50}
AI_SDK = {"inputTokens": 1000, "inputTokenDetails": {"noCacheTokens": 600, "cacheReadTokens": 400, "cacheWriteTokens": 0},
          "outputTokens": 100, "outputTokenDetails": {"reasoningTokens": 60}}
LANGCHAIN = {"input_tokens": 1000, "output_tokens": 100, "input_token_details": {"cache_read": 400, "cache_creation": 0}}
GEMINI = {"promptTokenCount": 1000, "cachedContentTokenCount": 400, "candidatesTokenCount": 60, "thoughtsTokenCount": 40}
BRAINTRUST = {"created": "2026-11-02T10:00:00Z", "root_span_id": "r", "span_id": "s", "span_attributes": {"type": "llm"},
              "metadata": {"model": "gpt-6-luna"}, "input": CANARY, "output": CANARY,
              "metrics": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_cached_tokens": 400}}
DATADOG = {"id": "x", "type": "span", "attributes": {
    "span_kind": "llm", "model_name": "gpt-6-luna", "start_ns": 1793613600 * 10**9,
    "metrics": {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 400, "estimated_total_cost": 180000}}}

POSTHOG = {"event": "$ai_generation", "timestamp": "2026-11-02T10:00:00Z", "properties": {
    "$ai_provider": "openai", "$ai_model": "gpt-6-luna", "$ai_input_tokens": 200, "$ai_output_tokens": 100, "$ai_input": CANARY,
    "$ai_cache_read_input_tokens": 3000, "$ai_cache_creation_input_tokens": 50, "$ai_cache_reporting_exclusive": True,
    "$ai_span_name": "triage"}}
GENERATION = {"data": {
    "id": "gen-a", "created_at": "2026-11-02T10:00:00Z", "model": "gpt-6-luna", "tokens_prompt": 18100,
    "tokens_completion": 115, "native_tokens_prompt": 18054, "native_tokens_cached": 18041, "native_tokens_completion": 120}}


def line(usage: dict[str, Any]) -> dict[str, Any]:
    """A line of a log around a usage, with its prompt."""
    return {"timestamp": "2026-11-02T10:00:00Z", "request": {"messages": [{"content": CANARY}], "task": CANARY},
            "response": {"model": "gpt-6-luna", "provider": "somebody who serves", "usage": usage}}


SHAPES = {
    "OpenAI's chat": (line(OPENAI), (600, 400, 0, 100), 0), "OpenAI's responses": (line(RESPONSES), (600, 400, 0, 100), 0),
    "Anthropic's": (line(ANTHROPIC), (200, 3000, 1000, 100), 0), "Bedrock's": (line(CONVERSE), (200, 3000, 50, 100), 0),
    "the AI SDK's": (line(AI_SDK), (600, 400, 0, 100), 0), "LangChain's": (line(LANGCHAIN), (600, 400, 0, 100), 0),
    "OpenAI's chat, laid flat": ({"timestamp": "2026-11-02T10:00:00Z", "model": "gpt-6-luna", "prompt": CANARY, **OPENAI},
                                 (600, 400, 0, 100), 0),
    "Anthropic's, laid flat": ({"timestamp": "2026-11-02T10:00:00Z", "model": "gpt-6-luna", **ANTHROPIC, "input_tokens": 5000},
                               (1000, 3000, 1000, 100), 4000),
    "Braintrust's spans": (BRAINTRUST, (600, 400, 0, 100), 400), "Datadog's spans": (DATADOG, (600, 400, 0, 100), 400),
    "PostHog's events": (POSTHOG, (200, 3000, 50, 100), 0), "a generation of OpenRouter": (GENERATION, (13, 18041, 0, 120), 0),
}
"""A line; uncached input, cache reads, cache writes and output by hand; what is open, where no name tells it."""


@pytest.mark.parametrize("shape", [
    *list(SHAPES)[::2], *(pytest.param(each, marks=pytest.mark.full) for each in list(SHAPES)[1::2])])
def test_a_usage_inside_a_line_is_counted_as_its_api_counts(shape: str, tmp_path: Path) -> None:
    """Every one was refused, with a line of jq, though it is what most people's own logs look like."""
    document, counts, open_tokens = SHAPES[shape]
    file = tmp_path / "calls.jsonl"
    file.write_text(f"{json.dumps(document)}\n", encoding="utf-8")
    rows = records(tmp_path, file, provider="openai")
    assert tuple(totals(rows)[name] for name in ("uncached_input", "cache_read", "cache_write", "output")) == counts
    assert [row["perhaps_cached"] for row in rows] == [open_tokens]
    assert [row["cache_write_1h"] for row in rows] == [600 * shape.startswith("Anthropic")]
    assert [row["model"] for row in rows] == ["gpt-6-luna"]
    assert CANARY not in str(rows)


def test_what_anthropic_keeps_an_hour_is_priced_so(tmp_path: Path) -> None:
    """Haiku 4.5 at 1 / 0.10 / 1.25 / 2 / 5: 200 + 300 + 400 x 1.25 + 600 x 2 + 500 = 2,700 millionths of a dollar."""
    file = tmp_path / "calls.jsonl"
    file.write_text(json.dumps({"ts": "2026-11-02T10:00:00Z", "model": "claude-haiku-4-5", "usage": ANTHROPIC}) + "\n")
    assert usage_answer("--provider", "anthropic", file)["list_usd"] == pytest.approx(2700e-6)


@pytest.mark.parametrize("write", [json.dumps, str], ids=["JSON", "as pandas writes objects"])
def test_a_usage_in_the_cell_of_a_table_is_read(write: Any, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["", "created_at", "model", "prompt", "usage"])
        rows.writerows([k, f"2026-11-0{k}T10:00:00Z", "gpt-6-luna", f'{CANARY}, "so"', write({**OPENAI, "x": None})]
                       for k in (1, 2, 3))
    found = records(tmp_path, file, provider="openai")
    assert totals(found) == {"uncached_input": 1800, "cache_read": 1200, "cache_write": 0, "output": 300, "requests": 3}
    assert CANARY not in str(found)


def test_spans_whose_attributes_are_a_cell_are_spans(tmp_path: Path) -> None:
    """As Logfire's and ClickHouse's tables of spans are saved."""
    file = tmp_path / "spans.csv"
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-6-luna",
                  "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
                  "gen_ai.usage.details.cache_read_tokens": 400}
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["start_timestamp", "trace_id", "span_id", "parent_span_id", "attributes"])
        rows.writerow(["2026-11-02T10:00:00Z", "t", "a", "", json.dumps({"gen_ai.operation.name": "invoke_agent"})])
        rows.writerow(["2026-11-02T10:00:01Z", "t", "b", "a", json.dumps(attributes)])
    found = [row for row in records(tmp_path, file) if row["dropped"] is None]
    assert [(row["uncached_input"], row["cache_read"], row["output"]) for row in found] == [(600, 400, 100)]


def test_a_count_that_the_first_line_lacks_is_read_in_the_others(tmp_path: Path) -> None:
    """Columns were those of the first line, so that 800 cached tokens of the second were billed as plain input."""
    file = tmp_path / "calls.jsonl"
    plain = {"timestamp": "2026-11-02T10:00:00Z", "model": "gpt-6-luna", "input_tokens": 1000, "output_tokens": 100}
    file.write_text("".join(json.dumps(each) + "\n" for each in (plain, {**plain, "cached_tokens": 800, "output_tokens": 101})))
    found = totals(records(tmp_path, file, provider="openai", includes_cache=True))
    assert (found["uncached_input"], found["cache_read"]) == (1200, 800)


def test_a_path_names_a_value_within_another(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text('{"when": 1793613600, "llm": {"name": "gpt-6-luna", "tok": {"in": 1000, "out": 100}}}\n')
    named = ("--map", "time=when", "--map", "output=llm.tok.out", "--map", "model=llm.name")
    assert usage_answer("--provider", "openai", *named, "--map", "input=llm.tok.in", file)["tokens"]["uncached_input"] == 1000
    wrong = run_usage("--provider", "openai", *named, "--map", "input=llm.tok.inn", file)
    assert wrong.exit_code == 2
    assert "--map input: unknown column 'llm.tok.inn'; nearest: llm.tok.in" in wrong.stderr


def test_a_line_without_its_usage_is_a_call_that_failed(tmp_path: Path) -> None:
    """And loses its day no usage."""
    file = tmp_path / "calls.jsonl"
    failed = {"timestamp": "2026-11-02T09:00:00Z", "error": {"message": CANARY}}
    file.write_text(f"{json.dumps(failed)}\n{json.dumps(line(OPENAI))}\n")
    found = run_usage("--provider", "openai", file)
    assert "a line without a usage, as of a call that failed" in " ".join(found.stdout.split())
    assert CANARY not in found.stdout + found.stderr


def test_of_several_usages_in_a_line_that_of_usage_counts_and_none_of_one_a_model(tmp_path: Path) -> None:
    """Else the first model's tokens would stand for all."""
    both = {"timestamp": "2026-11-02T10:00:00Z", "model": "gpt-6-luna", "usage": OPENAI, "raw": {"prompt_tokens": 7}}
    (tmp_path / "a.jsonl").write_text(json.dumps(both) + "\n")
    assert totals(records(tmp_path, tmp_path / "a.jsonl", provider="openai"))["uncached_input"] == 600
    by_model = {"date": "2026-11-02", "usage": {"gpt-6-luna": OPENAI, "gpt-6-sol": OPENAI}}
    (tmp_path / "b.jsonl").write_text(json.dumps(by_model) + "\n")
    assert "no known export has these keys: date, usage; for your own" in run_usage(tmp_path / "b.jsonl").stderr


def test_the_chunks_of_a_streamed_answer_are_one_call(tmp_path: Path) -> None:
    """Usage that grows from chunk to chunk, as vLLM's continuous_usage_stats has it, and of another call in the last alone."""
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1793613600, "model": "gpt-6-luna"}
    grows = [{**chunk, "usage": {"prompt_tokens": 1000, "completion_tokens": k}} for k in (10, 20, 40)]
    last = [{**chunk, "id": "b"}, {**chunk, "id": "b", "usage": {"prompt_tokens": 500, "completion_tokens": 7}}]
    file = tmp_path / "chunks.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (*grows, *last)))
    found = totals(records(tmp_path, file, provider="openai"))
    assert (found["uncached_input"], found["output"], found["requests"]) == (1500, 47, 2)


def written(documents: list[dict[str, Any]], how: str, folder: Path) -> Path:
    """The lines of a log as JSON lines, as one list, with usages in cells, as json_normalize's columns, and as structs."""
    path = folder / {"lines": "calls.jsonl", "a list": "calls.json", "structs": "calls.parquet"}.get(how, "calls.csv")
    if how == "lines":
        path.write_text("".join(f"{json.dumps(each)}\n" for each in documents), encoding="utf-8")
    elif how == "a list":
        path.write_text(json.dumps(documents), encoding="utf-8")
    elif how == "structs":
        pq.write_table(pa.Table.from_pylist(documents), path)
    elif how == "columns":
        pd.json_normalize(documents).to_csv(path, index=False)
    else:
        pd.DataFrame(documents).assign(response=[json.dumps(each["response"]) for each in documents]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("how", [
    "lines", "columns", *(pytest.param(how, marks=pytest.mark.full) for how in ("structs", "a list", "cells"))])
def test_each_line_of_a_log_of_several_vendors_is_read_by_its_own_names(how: str, tmp_path: Path) -> None:
    """Uncached 600 + 200 + 600 + 600, read 400 + 3,000 + 400 + 400, written 1,000, output 4 x 100 with Gemini's thoughts.

    Such a log was refused, or one vendor's cached tokens were lost where two have one name for the input, or all other
    lines, without a word, where one answer of Gemini's made it a file of Gemini's answers.
    """
    answers = [(OPENAI, "gpt-6-luna"), (ANTHROPIC, "claude-haiku-4-5"), (RESPONSES, "gpt-6-sol"), (GEMINI, "gemini-2.5-flash")]
    named = [{"model": model, "usageMetadata" if usage is GEMINI else "usage": usage} for usage, model in answers]
    documents = [{"ts": "2026-11-02T10:00:00Z", "task": "support", "response": each} for each in named]
    rows = records(tmp_path, file := written(documents, how, tmp_path))
    assert totals(rows) == {"uncached_input": 2000, "cache_read": 4200, "cache_write": 1000, "output": 400, "requests": 4}
    assert [row["perhaps_cached"] for row in rows] == [0, 0, 0, 0]
    assert {row["model"] for row in rows} == {model for _, model in answers}
    told = usage_answer(file)["notes"]
    assert any("usages of 4 kinds" in each and "1 with input_tokens, of which cached tokens are not" in each for each in told)


@pytest.mark.full
def test_a_kind_of_usage_that_comes_late_is_read_and_a_word_of_the_user_settles_what_no_name_does(tmp_path: Path) -> None:
    """2,500 lines of OpenAI's, then LiteLLM's words for an answer of Anthropic's, which adds its three up; and a plain one.

    4,200 - 3,000 - 1,000 = 200 uncached whatever the user says of lines that do not say it: of these 1,000 - 400 or 1,000.
    """
    both = {"prompt_tokens": 4200, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 3000},
            "cache_read_input_tokens": 3000, "cache_creation_input_tokens": 1000}
    plain = {"prompt_tokens": 1000, "completion_tokens": 100, "cached_tokens": 400}
    file = written([*(line(OPENAI) for _ in range(2500)), line(both), line(plain)], "lines", tmp_path)
    for said, uncached, perhaps in ((None, 600, 400), (True, 600, 0), (False, 1000, 0)):
        (tmp_path / f"{said}").mkdir()
        rows = records(tmp_path / f"{said}", file, provider="openai", includes_cache=said)
        assert totals(rows)["uncached_input"] == 2500 * 600 + 200 + uncached
        assert sum(row["perhaps_cached"] for row in rows) == perhaps


def test_a_line_with_two_usages_counts_none_and_is_told(tmp_path: Path) -> None:
    two = {"timestamp": "2026-11-02T11:00:00Z", "model": "gpt-6-luna", "draft": {"usage": OPENAI}, "final": {"usage": OPENAI}}
    rows = records(tmp_path, written([line(OPENAI), two], "lines", tmp_path), provider="openai")
    assert [row["dropped"] for row in rows] == [None, "a line with several usages, none of which is told to be the call's"]


@pytest.mark.parametrize(("exclusive", "uncached"), [
    pytest.param(True, 200, marks=pytest.mark.full), (False, 200 - 50)])
def test_an_event_of_posthog_says_itself_whether_its_input_counts_what_was_cached(
    exclusive: bool, uncached: int, tmp_path: Path,
) -> None:
    """Beside it a trace around it, which is no call, and an embedding, which has no output; in lines, a cell, and columns."""
    told = {**POSTHOG["properties"], "$ai_cache_reporting_exclusive": exclusive, "$ai_cache_read_input_tokens": 0}
    events = [{**POSTHOG, "properties": told}, {**POSTHOG, "event": "$ai_trace", "properties": told},
              {**POSTHOG, "event": "$ai_embedding", "properties": {**told, "$ai_output_tokens": None}}]
    table = pd.DataFrame(events).assign(properties=[json.dumps(each["properties"]) for each in events])
    table.to_csv(tmp_path / "events.csv", index=False)
    flat = [{f"properties.{name}": value for name, value in each["properties"].items()} for each in events]
    columns = pd.DataFrame(flat).assign(event=table["event"], timestamp=table["timestamp"])
    columns.to_csv(tmp_path / "columns.csv", index=False)
    columns.rename(columns=lambda name: name.removeprefix("properties.")).to_csv(tmp_path / "short.csv", index=False)
    for k, file in enumerate((written(events, "lines", tmp_path), *map(tmp_path.joinpath, ("events.csv", "columns.csv",
                                                                                          "short.csv")))):
        rows = records(fresh(tmp_path, f"{k}"), file)
        assert totals(rows) == {
            "uncached_input": 2 * uncached, "cache_read": 0, "cache_write": 100, "output": 100, "requests": 2}
        assert [(row["provider"], row["group"]) for row in rows if row["dropped"] is None] == [("openai", "triage")] * 2
        assert CANARY not in str(rows)


ANSWER = {"id": "a", "object": "chat.completion", "created": 1793613600, "model": "gpt-6-luna", "usage": OPENAI}
CLAUDE = {"type": "assistant", "timestamp": "2026-11-02T10:00:00Z", "sessionId": "s", "requestId": "r",
          "message": {"id": "m", "model": "claude-haiku-4-5", "usage": ANTHROPIC}}
BEDROCK = {"schemaType": "ModelInvocationLog", "timestamp": "2026-11-02T11:00:00Z", "modelId": "anthropic.claude-haiku-4-5",
           "requestId": "b", "input": {"inputTokenCount": 100}, "output": {"outputTokenCount": 10}}
OBSERVATION = {"type": "GENERATION", "start_time": "2026-11-02T10:00:00Z", "model": "gpt-6-luna", "usage_details": {"input": 9,
               "output": 9}}  # fmt: skip
KNOWN = {"claude-code": CLAUDE, "bedrock-log": BEDROCK, "openai-calls": ANSWER, "langfuse": OBSERVATION}
"""A line of a known format each, and a kind that no name of a table of one's own tells."""


@pytest.mark.full
@pytest.mark.parametrize("own", KNOWN)
@pytest.mark.parametrize("how", ["lines", "a list"])
def test_no_usage_of_another_kind_is_lost_without_a_word(own: str, how: str, tmp_path: Path) -> None:
    """Beside 1,200 lines of one format, one of each other, and one of one's own: each is counted, with its place and its name.

    They were left out in silence, or read as if their counts were the format's; --strict refuses them.
    """
    others = [each for name, each in KNOWN.items() if name != own]
    lines = [{**KNOWN[own], "filler": k} for k in range(1200)]
    file = written([*lines, *others, line({"prompt_tokens": 5, "completion_tokens": 5})], how, tmp_path)
    dropped = [each for each in usage_answer(file)["dropped"] if each["reason"].startswith("a usage of another kind")]
    assert sum(each["rows"] for each in dropped) == 4
    assert all("file's (" in each["reason"] and each["where"].rpartition(" ")[2] >= "1201" for each in dropped)
    assert "--strict: " in run_usage("--strict", file).stderr


def test_the_tier_that_a_call_ran_in_is_read_from_a_column_and_from_its_answer(tmp_path: Path) -> None:
    """gpt-5.4, 100,000 tokens at 2.50: 0.25, in flex half of that, in priority twice; what was asked for is not what ran."""
    tiers = {"flex": 0.125, "priority": 0.5, "default": 0.25, "batch": 0.125, "gold": 0.25, "ON_DEMAND_FLEX": 0.125}
    rows = [f"2026-11-02T10:00:00Z,gpt-5.4,openai,100000,0,{tier}" for tier in tiers]
    head = "time,model,provider,input_tokens,output_tokens,service_tier,tier"
    flat = tmp_path / "a.csv"
    flat.write_text("\n".join([head, *(f"{row},priority" for row in rows)]) + "\n", encoding="utf-8")
    found = usage_answer(flat, "--tasks", "0")
    assert found["list_usd"] == pytest.approx(sum(tiers.values()))
    assert any("no gold price is listed; the standard one stands" in note for note in found["notes"])
    assert usage_answer(flat, "--tasks", "0", "--map", "tier=tier")["list_usd"] == pytest.approx(6 * 0.5)
    usage = {"prompt_tokens": 100_000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}
    lines = [{"time": "2026-11-02T10:00:00Z", "provider": "openai", "request": {"service_tier": "auto"},
              "response": {"model": "gpt-5.4", "service_tier": tier, "usage": usage}} for tier in tiers]
    nested = tmp_path / "a.jsonl"
    nested.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    assert usage_answer(nested, "--tasks", "0")["list_usd"] == pytest.approx(sum(tiers.values()))


def test_anthropics_speed_and_place_of_an_answer_are_the_tier_that_it_ran_in(tmp_path: Path) -> None:
    """100,000 tokens of claude-opus-5-5 at 4 USD a million: 0.4, fast twice that; in the US alone no list has the price. A
    column of one's own that is called speed is none."""
    ran = ({"speed": "standard", "inference_geo": "global"}, {"speed": "fast", "inference_geo": "us"}, {"inference_geo": "us"})
    lines = [{"time": "2026-11-02T10:00:00Z", "speed": "fast", "response": {
        "model": "claude-opus-5-5", "usage": {"input_tokens": 100_000, "output_tokens": 0, "service_tier": "standard", **how}}}
        for how in ran]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    assert sorted(row["tier"] or "" for row in records(tmp_path, file)) == ["", "fast", "us-only"]
    found = usage_answer(file, "--tasks", "0")
    assert found["list_usd"] == pytest.approx(0.4 + 0.8 + 0.4)
    assert any("no us-only price is listed; the standard one stands" in note for note in found["notes"])


BATCHED = {
    "openai-calls": {**ANSWER, "service_tier": "batch"},
    "gemini-calls": {
        "responseId": "g", "createTime": "2026-11-02T10:00:00Z", "modelVersion": "gemini-2.5-pro",
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18, "serviceTier": "BATCH"}},
    "otel": {"span_id": "s", "trace_id": "t", "name": "chat", "start_time": "2026-11-02T10:00:00Z", "attributes": {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5.4",
        "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 9, "openai.response.service_tier": "batch"}},
}  # fmt: skip


@pytest.mark.parametrize("own", BATCHED)
def test_batch_as_the_word_for_a_tier_is_batch_and_no_tier(own: str, tmp_path: Path) -> None:
    """It was priced as the standard tier, at twice the price, with a note that none is listed."""
    rows = records(tmp_path, written([BATCHED[own]], "lines", tmp_path))
    assert [(row["dropped"], row["batch"], row["tier"]) for row in rows] == [(None, True, None)]


def test_embeddings_count_by_the_sum_that_their_answers_have_and_cost_their_input(tmp_path: Path) -> None:
    """OpenAI's answer of embeddings tells prompt_tokens and total_tokens: 2 x 1,000,000 at $0.02 are $0.04; of a chat the sum
    is what both counts come to, and takes the place of neither."""
    made = {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}
    chat = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    lines = [{"time": f"2026-11-02T1{n}:00:00Z", "response": {"model": model, "usage": usage}}
             for n, (model, usage) in enumerate([("text-embedding-3-small", made)] * 2 + [("gpt-5.4", chat)])]
    nested = tmp_path / "a.jsonl"
    nested.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    found = usage_answer(nested, "--tasks", "0", "--provider", "openai")
    assert (found["requests"], found["tokens"]["output"]) == (3, 100)
    assert found["list_usd"] == pytest.approx(0.04 + 0.0025 + 0.0015)
    alone = tmp_path / "a.csv"
    rows = "2026-11-02T10:00:00Z,gemini-embedding-001,1000,1000\n2026-11-02T11:00:00Z,gemini-embedding-001,1000,999\n"
    alone.write_text(f"time,model,prompt_tokens,total_tokens\n{rows}", encoding="utf-8")
    found = usage_answer(alone, "--tasks", "0")
    assert (found["tokens"]["output"], found["list_usd"]) == (0, pytest.approx(0.15e-3))
    assert [each["reason"] for each in found["dropped"]] == ["a token count that cannot be read"]
