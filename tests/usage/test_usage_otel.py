"""GenAI spans: innermost calls alone, two readings of cached input, older attribute names, no messages."""

import json
from pathlib import Path
from typing import Any

import pytest
from usage_support import CANARY, DATA, fresh, records, totals

from roi.usage.formats.tools.otel import OTEL_GENAI
from roi.usage.read.record import OVER, FileOptions
from roi.usage.summary import Question, summarize

FORMATS = (OTEL_GENAI,)


def test_only_the_innermost_call_counts(tmp_path: Path) -> None:
    """Agent, tool, HTTP, embeddings, a framework's chat around a client's, a 429 and a call without usage stay out."""
    rows = records(tmp_path, DATA / "otel_otlp.jsonl", formats=FORMATS)
    assert [row["dropped"] for row in rows] == [
        "an agent, tool or other span, which repeats the counts of its calls", None,
        "an agent, tool or other span, which repeats the counts of its calls", None, "a span of no model",
        "a span around another span of the same call", None, "embeddings", "failed call", None, "a call without token counts"]


def test_input_is_taken_to_count_cached_tokens_and_the_doubt_is_kept(tmp_path: Path) -> None:
    """1,000 - 600 read = 400, perhaps 600 more; 2,000 - 100 - 900 = 1,000, perhaps 1,000 more.

    50 with 4,000 read and 10 written plainly leaves them out: 50 and no doubt. 11 without cache. In all 400 + 1,000 + 50 + 11 =
    1,461; read 600 + 100 + 4,000 = 4,700; written 900 + 10 = 910; out 200 + 30 + 5 + 2 = 237.
    """
    rows = records(tmp_path, DATA / "otel_otlp.jsonl", formats=FORMATS)
    assert totals(rows) == {"uncached_input": 1461, "cache_read": 4700, "cache_write": 910, "output": 237, "requests": 4}
    assert [row["perhaps_cached"] for row in rows if row["dropped"] is None] == [600, 1000, 0, 0]
    assert rows[1]["reasoning"] == 150


def test_said_to_leave_cached_tokens_out_the_input_is_whole(tmp_path: Path) -> None:
    """1,000 + 2,000 + 50 + 11 = 3,061."""
    rows = records(tmp_path, DATA / "otel_otlp.jsonl", formats=FORMATS, includes_cache=False)
    assert totals(rows)["uncached_input"] == 3061
    assert sum(row["perhaps_cached"] for row in rows) == 0


def test_said_to_count_them_an_input_below_them_is_dropped(tmp_path: Path) -> None:
    """50 tokens cannot hold 4,010; the rest is 400 + 1,000 + 11 = 1,411."""
    rows = records(tmp_path, DATA / "otel_otlp.jsonl", formats=FORMATS, includes_cache=True)
    assert totals(rows)["uncached_input"] == 1411
    assert [row["dropped"] for row in rows].count(OVER) == 1


def test_the_model_is_the_one_that_answered_and_at_aws_the_one_asked_for(tmp_path: Path) -> None:
    """Azure's request names a deployment; AWS's answer lacks the region's prefix."""
    rows = [row for row in records(tmp_path, DATA / "otel_otlp.jsonl", formats=FORMATS) if row["dropped"] is None]
    assert [(row["provider"], row["model"]) for row in rows] == [
        ("openai", "gpt-5-2025-08-07"), ("anthropic", "claude-sonnet-4-5"),
        ("aws", "us.anthropic.claude-haiku-4-5-20251001-v1:0"), ("azure", "gpt-4o-2024-08-06")]
    assert [row["group"] for row in rows] == ["shop", "shop", "checkout", "checkout"]
    assert rows[0]["at_us"] == 1_790_812_801_000_000
    assert rows[0]["tier"] is None


def test_flat_spans_and_older_attributes_are_read(tmp_path: Path) -> None:
    """300 + 40 = 340 in, 20 + 4 = 24 out; an agent's sum without a model stays out."""
    rows = records(tmp_path, DATA / "otel_flat.jsonl", formats=FORMATS)
    assert totals(rows) == {"uncached_input": 340, "cache_read": 0, "cache_write": 0, "output": 24, "requests": 2}
    assert [row["dropped"] for row in rows] == ["a span of no model", None, None, "a span of no model", "failed call"]
    assert [row["at_us"] - 1_790_812_800_000_000 for row in rows] == [0, 1_500_000, 2_250_000, 3_000_000, 4_000_000]
    assert [(row["provider"], row["group"]) for row in rows[1:3]] == [("openai", "old"), ("mistral", None)]
    assert rows[4]["provider"] == "x-ai"


@pytest.mark.full
def test_spans_are_grouped_by_agent_where_asked(tmp_path: Path) -> None:
    """One call names its agent."""
    rows = records(tmp_path, DATA / "otel_otlp.jsonl", formats=FORMATS, group_by="tag")
    assert [row["group"] for row in rows if row["dropped"] is None] == ["closer", None, None, None]


def spans(path: Path, *attributes: dict[str, object]) -> Path:
    """A flat span with these attributes a line, one minute after the other."""
    path.write_text("\n".join(json.dumps({
        "name": "call_llm", "traceId": "aa", "spanId": f"{k:02d}", "start_time": f"2026-10-01T00:{k:02d}:00Z",
        "attributes": each,
    }) for k, each in enumerate(attributes)))
    return path


def test_spans_of_googles_agent_kit_leave_thinking_out_of_the_output_for_as_long_as_they_call_it_experimental(
    tmp_path: Path,
) -> None:
    """29 + 700 as it wrote them to 2.2, under a provider's name of its own; 50 with 20 inside since."""
    system, model = {"gen_ai.system": "gcp.vertex.agent"}, {"gen_ai.request.model": "gemini-2.5-flash"}
    old = {"input_tokens": 289, "output_tokens": 29, "experimental.reasoning_tokens": 700}
    new = {"input_tokens": 100, "output_tokens": 50, "reasoning.output_tokens": 20}
    log = spans(tmp_path / "adk.jsonl", *(
        {**system, **model, **{f"gen_ai.usage.{name}": count for name, count in each.items()}} for each in (old, new)))
    rows = records(tmp_path, log, formats=FORMATS)
    assert [(row["provider"], row["output"], row["reasoning"]) for row in rows] == [("google", 729, 700), ("google", 50, 20)]


@pytest.mark.full
def test_reasoning_above_the_output_of_a_span_is_added_in_all_spans_of_its_model(tmp_path: Path) -> None:
    """5 + 9 and 30 + 3 of the one; 30 of the other, whose 3 may be inside."""
    def span(model: str, output: int, thinking: int) -> dict[str, object]:
        return {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": output, "gen_ai.usage.reasoning_tokens": thinking}

    log = spans(tmp_path / "log.jsonl", span("gemini-2.5-pro", 5, 9), span("gemini-2.5-pro", 30, 3), span("gpt-5", 30, 3))
    assert [row["output"] for row in records(tmp_path, log, formats=FORMATS)] == [14, 33, 30]


GEMINI = "openinference.instrumentation.google_genai"


def spans_of_gemini(path: Path, shape: str, *written: tuple[str | None, tuple[tuple[int, int], ...]]) -> Path:
    """Spans of OpenInference's google-genai: of each version its (input, cached), each with 5 tokens of output."""
    lines, scopes, number = list[str](), list[dict[str, Any]](), 0
    for version, counts in written:
        spans = [made_span(number + k, given, cached) for k, (given, cached) in enumerate(counts)]
        number += len(spans)
        if shape == "otlp":
            for span in spans:
                span["attributes"] = [{"key": key, "value": {"stringValue" if isinstance(value, str) else "intValue": value}}
                                      for key, value in span["attributes"].items()]
            scopes.append({**({} if version is None else {"scope": {"name": GEMINI, "version": version}}), "spans": spans})
            continue
        more = {"flat": {"instrumentationScope": {"name": GEMINI, "version": version}}, "table": {
            "ScopeName": GEMINI, "ScopeVersion": version}, "attribute": {}}[shape] if version else {}
        for span in spans:
            if shape == "attribute" and version:
                span["attributes"] |= {"otel.scope.name": GEMINI, "otel.scope.version": version}
        lines += [json.dumps(span | more) for span in spans]
    path.write_text("\n".join(lines) + "\n" if lines else json.dumps({"resourceSpans": [{"scopeSpans": scopes}]}))
    return path


def made_span(number: int, given: int, cached: int) -> dict[str, Any]:
    own = {"openinference.span.kind": "LLM", "llm.provider": "google", "llm.model_name": "gemini-2.5-pro",
           "llm.token_count.completion": 5}
    return {"spanId": f"{number:016x}", "traceId": "aa" * 16, "startTimeUnixNano": str(1790812801000000000 + 1000 * number),
            "status": {}, "attributes": {**own, "llm.token_count.prompt": given,
                                         "llm.token_count.prompt_details.cache_read": cached}}


TWICE = ((1_800, 800), (1_800, 0))
ONCE_AGAIN = {"0.1.11": 2_800, "0.1.12": 2_000, "0.1.15": 2_000, "0.1.16": 2_800, "1.4.1": 2_800}
"""Uncached tokens of the two by the version that wrote them."""


@pytest.mark.parametrize("shape", [
    "otlp", "table", *(pytest.param(shape, marks=pytest.mark.full) for shape in ("flat", "attribute"))])
def test_google_genai_of_openinference_counted_cached_tokens_twice_for_four_versions(shape: str, tmp_path: Path) -> None:
    """1,800 of which 800 cached, and 1,800 without: 1,000 + 1,800; twice in the input, 1,000 of 1,800 are the API's: 200."""
    path = spans_of_gemini(tmp_path / "spans.json", shape, *((version, TWICE) for version in ONCE_AGAIN))
    rows = records(tmp_path, path, formats=FORMATS)
    pairs = [totals(rows[k:k + 2]) for k in range(0, len(rows), 2)]
    assert [(pair["uncached_input"], pair["cache_read"]) for pair in pairs] == [(each, 800) for each in ONCE_AGAIN.values()]
    assert sum(row["perhaps_cached"] for row in rows) == 0


@pytest.mark.parametrize(("version", "uncached"), [("0.1.11", 2_800), ("0.1.12", 2_000)])
def test_so_it_did_in_a_log_of_one_version(version: str, uncached: int, tmp_path: Path) -> None:
    rows = records(tmp_path, spans_of_gemini(tmp_path / "spans.json", "otlp", (version, TWICE)), formats=FORMATS)
    assert (totals(rows)["uncached_input"], totals(rows)["cache_read"]) == (uncached, 800)
    assert sum(row["perhaps_cached"] for row in rows) == 0


@pytest.mark.full
def test_spans_without_a_version_are_told_of_where_they_may_be_of_those(tmp_path: Path) -> None:
    """900 of 1,000 cached cannot be 900 twice."""
    told = "800 cached tokens may be twice in the input, and so many uncached ones too many, if OpenInference's google-genai"
    found = summarize(Question(files=(str(spans_of_gemini(tmp_path / "a.json", "otlp", (None, ((1_800, 800),)))),),
                               options=FileOptions()))
    assert any(note.startswith(f"{told} 0.1.12 to 0.1.15 wrote these") for note in found.notes)
    others = (("0.1.14", ((1_800, 800),)), (None, ((1_000, 900),)), (None, ((1_000, 0),)))
    found = summarize(Question(files=(str(spans_of_gemini(tmp_path / "b.json", "otlp", *others)),), options=FileOptions()))
    assert not found.dropped
    assert not any("twice in the input" in note for note in found.notes)


def test_requests_that_vllm_tells_are_calls_of_the_model_that_the_user_names(tmp_path: Path) -> None:
    """Its spans name no model (vllm/v1/engine/output_processor.py); beside a client's span of the same trace they repeat it."""
    def span(number: int, trace: str, **attributes: object) -> str:
        return json.dumps({"spanId": f"{number}", "traceId": trace, "startTimeUnixNano": f"17908128{number:02d}000000000",
                           "name": "llm_request", "attributes": attributes}) + "\n"

    served: dict[str, object] = {"gen_ai.latency.e2e": 0.8, "gen_ai.request.id": "chatcmpl-1", "gen_ai.usage.prompt_tokens": 44,
                                 "gen_ai.usage.completion_tokens": 11}
    client: dict[str, object] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "qwen3-8b",
                                 "gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 3}
    (tmp_path / "s.jsonl").write_text(span(1, "a", **served) + span(2, "b", **client) + span(3, "b", **served))
    rows = records(tmp_path, tmp_path / "s.jsonl", formats=FORMATS, model="qwen3-8b")
    assert [row["dropped"] for row in rows] == [None, None, "a span of no model"]
    assert (totals(rows)["uncached_input"], totals(rows)["output"]) == (74, 14)
    assert records(fresh(tmp_path, "n"), tmp_path / "s.jsonl", formats=FORMATS)[0]["dropped"] == "no model named"


def test_spans_of_mlflow_whose_values_are_json_as_text_count_their_model_calls(tmp_path: Path) -> None:
    """A trace as its API writes it, captured of an agent (27 in, 641 out of GPT-4.1), with the span around it and a call that
    failed; and a row of its table of traces, whose input of 100 may count the 40 that were read.
    """
    def span(own: str, kind: str, parent: str | None = None, code: str = "OK", **usage: int) -> dict[str, Any]:
        held = {"mlflow.spanType": f'"{kind}"', "mlflow.spanInputs": f'"{CANARY}"', "model": '"gpt-4.1-2025-04-14"'}
        held |= {"mlflow.chat.tokenUsage": json.dumps(usage)} if usage else {}
        return {"trace_id": "t", "span_id": own, "parent_span_id": parent, "start_time_unix_nano": 1764694340819104621,
                "status": {"code": f"STATUS_CODE_{code}"}, "attributes": held}

    spans = [span("a", "AGENT"), span("b", "CHAT_MODEL", "a", input_tokens=27, output_tokens=641),
             span("c", "CHAT_MODEL", "a", "ERROR")]
    sums = {"mlflow.trace.tokenUsage": '{"input_tokens": 27, "output_tokens": 641}'}
    trace = {"info": {"trace_metadata": sums}, "data": {"spans": spans}}
    row = {"trace_id": "u", "spans": [span("d", "LLM", input_tokens=100, output_tokens=10, cache_read_input_tokens=40)]}
    (tmp_path / "traces.jsonl").write_text(f"{json.dumps(trace)}\n{json.dumps(row)}\n", encoding="utf-8")
    rows = records(tmp_path, tmp_path / "traces.jsonl")
    assert totals(rows) == {"uncached_input": 87, "cache_read": 40, "cache_write": 0, "output": 651, "requests": 2}
    assert {row["model"] for row in rows if row["dropped"] is None} == {"gpt-4.1-2025-04-14"}
    assert sum(row["perhaps_cached"] for row in rows) == 40
    assert CANARY not in str(rows)
