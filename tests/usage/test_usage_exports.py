"""Exports as people really have them: money by day, reports of gateways, logs with other lines, spans of other conventions."""

import json
import zipfile
from pathlib import Path

import pytest
from usage_support import CANARY, fresh, run_usage, totals, usage_answer
from usage_support import records as read

ENTRY = {
    "schemaType": "ModelInvocationLog",
    "timestamp": "2026-10-01T00:00:01Z",
    "operation": "Converse",
    "requestId": "r1",
    "accountId": "111122223333",
    "modelId": "amazon.nova-lite-v1:0",
    "input": {"inputTokenCount": 812, "inputBodyJson": {"messages": CANARY}},
    "output": {"outputTokenCount": 207},
}


def text(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def counts(**given: int) -> dict[str, int]:
    return {"uncached_input": 0, "cache_read": 0, "cache_write": 0, "output": 0, "requests": 1} | given


def test_openais_cost_csv_names_the_model_in_its_line_item(tmp_path: Path) -> None:
    """0.5 + 0.25 + 0.003 of tokens; a web search is billed a piece, the empty day has no currency."""
    head = (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,user_id,"
        "api_key_id,project_id,organization_id,project_name,organization_name,user_email,api_source"
    )
    day = "1790812800,1790899200,2026-10-01T00:00:00,2026-10-02T00:00:00"
    rest = f",,key_1,proj_a,org,{CANARY},{CANARY},{CANARY}@example.com,"
    file = text(
        tmp_path / "cost.csv",
        head,
        "1790726400,1790812800,x,y,,,,,,,,,,,,,",
        f'{day},0.5,usd,1000,tokens,"gpt-6-luna, input"{rest}',
        f'{day},0.25,usd,10,tokens,"priority | gpt-6-sol, cached input, long context"{rest}',
        f"{day},0.003,usd,,,{rest}",
        f"{day},0.01,usd,1,calls,web search tool calls{rest}",
    )
    rows = read(tmp_path, file)
    kept = [(row["model"], row["tier"], row["long_context"], row["cost_usd"]) for row in rows if row["dropped"] is None]
    assert sorted(kept, key=str) == [
        ("gpt-6-luna", None, False, 0.5),
        ("gpt-6-sol", "priority", True, 0.25),
        (None, None, False, 0.003),
    ]
    assert sorted(row["dropped"] for row in rows if row["dropped"]) == ["a cost of something else than tokens", "empty bucket"]


def test_anthropics_cost_csv_is_in_dollars_a_token_type_a_row(tmp_path: Path) -> None:
    """0.19 + 0.03 = 0.22 USD; the web search does not count."""
    head = (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
        "inference_geo,speed"
    )
    rows = [
        f"2026-08-15,Claude Haiku 4.5,Default,k,message,≤ 200k,{kind},{usd},9,{cost},global,"
        for kind, usd, cost in (("input_no_cache", 0.19, "token"), ("output", 0.03, "token"), ("", 0.5, "web_search"))
    ]
    found = usage_answer(text(tmp_path / "cost.csv", head, *rows))
    assert found["cost_export_usd"] == pytest.approx(0.22)
    assert [(each["reason"], each["usd"]) for each in found["dropped"]] == [("a cost of something else than tokens", 0.5)]
    assert found["without_tokens"] == [{"provider": "anthropic", "name": "web_search", "usd": 0.5, "usd_per_month": None}]


def test_cost_csvs_beside_usage_csvs_are_the_bill(tmp_path: Path) -> None:
    """1 Mtok of gpt-4o at 2.50 USD, billed at 2.00: a factor of 0.8."""
    usage = text(
        tmp_path / "usage.csv",
        "start_time,end_time,num_model_requests,model,input_tokens,output_tokens",
        "1790812800,1790899200,1,gpt-4o,1000000,0",
    )
    cost = text(
        tmp_path / "cost.csv",
        "start_time,end_time,amount_value,amount_currency,line_item",
        '1790812800,1790899200,2.0,usd,"gpt-4o, input"',
    )
    assert usage_answer(usage, cost)["reconciliation"]["factor"] == pytest.approx(0.8)


def test_openrouters_csv_by_day(tmp_path: Path) -> None:
    """430.07 of credits and 1.93 to the user's own provider are 432 USD for 4,115 calls."""
    file = text(
        tmp_path / "a.csv",
        "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens",
        '"2026-05-12 00:00:00","anthropic/claude-opus-4.7","430.07","1.93","4115","70965665","3009973","12"',
    )
    rows = read(tmp_path, file)
    assert totals(rows) == counts(uncached_input=70_965_665, output=3_009_973, requests=4115)
    assert (rows[0]["cost_usd"], rows[0]["reasoning"], rows[0]["provider"]) == (pytest.approx(432.0), 12, "openrouter")


def test_litellms_reports(tmp_path: Path) -> None:
    """/daily/activity: 1,000 - 200 read - 100 written; the UI: 900 in all and 1,234.5 USD; days of /spend/logs are money
    alone.
    """
    metrics = {
        "spend": 0.5,
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 100,
        "api_requests": 5,
        "successful_requests": 4,
        "failed_requests": 1,
    }
    day = {
        "date": "2026-10-01",
        "metrics": metrics,
        "breakdown": {"models": {"anthropic/claude-opus-4-1": {"metrics": metrics}}},
    }
    (tmp_path / "a.json").write_text(json.dumps({"results": [day], "metadata": {"total_spend": 0.5}}), encoding="utf-8")
    rows = read(fresh(tmp_path, "1"), tmp_path / "a.json")
    assert totals(rows) == counts(uncached_input=700, cache_read=200, cache_write=100, output=50, requests=4)
    assert (rows[0]["provider"], rows[0]["model"]) == ("anthropic", "claude-opus-4-1")

    ui = text(
        tmp_path / "ui.csv",
        "Date,Team,Team ID,Spend ($),Requests,Successful Requests,Failed Requests,Total Tokens,Prompt Tokens,Completion Tokens",
        '2026-10-01,Search,t1,"1,234.5000",9,8,1,1000,900,100',
    )
    [row] = read(fresh(tmp_path, "2"), ui)
    assert (row["uncached_input"], row["output"], row["requests"], row["cost_usd"], row["group"]) == (
        900,
        100,
        8,
        1234.5,
        "Search",
    )

    (tmp_path / "s.json").write_text(
        json.dumps(
            [{"startTime": "2026-10-01", "spend": 0.75, "users": {CANARY: 1}, "models": {"gpt-4o": 0.5, "gpt-4.1": 0.25}}]
        ),
        encoding="utf-8",
    )
    assert usage_answer(tmp_path / "s.json")["cost_export_usd"] == pytest.approx(0.75)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_langfuse_trace_holds_its_observations(tmp_path: Path, wrapped: bool) -> None:
    """100 + 7 in, 10 + 3 out: a generation with usageDetails, an older one with usage; the span repeats them."""
    observation = {
        "id": "o",
        "type": "GENERATION",
        "startTime": "2026-10-01T00:00:00Z",
        "model": "gpt-4o",
        "input": CANARY,
        "sessionId": "s",
    }
    trace = {
        "id": "t",
        "name": CANARY,
        "timestamp": "2026-10-01T00:00:00Z",
        "input": CANARY,
        "observations": [
            observation | {"usageDetails": {"input": 100, "output": 10, "total": 110}},
            observation | {"id": "p", "usage": {"input": 7, "output": 3, "total": 10, "unit": "TOKENS"}},
            observation | {"id": "q", "type": "SPAN", "usageDetails": {"input": 107, "output": 13, "total": 120}},
        ],
    }
    (tmp_path / "t.json").write_text(json.dumps({"trace": trace} if wrapped else trace), encoding="utf-8")
    assert totals(read(tmp_path, tmp_path / "t.json")) == counts(uncached_input=107, output=13, requests=2)


def test_logs_insights_as_csv_and_the_tail_of_a_log_group(tmp_path: Path) -> None:
    """One call, however it was saved: the whole entry, the fields of a query, behind a time and a stream after a line of
    text.
    """
    message = json.dumps(ENTRY).replace('"', '""')
    whole = text(
        tmp_path / "a.csv",
        "@timestamp,@message,@logStream",
        f"2026-10-01 00:00:02.000,START {CANARY},s",
        f'2026-10-01 00:00:01.000,"{message}",s',
    )
    query = text(
        tmp_path / "b.csv",
        "@timestamp,modelId,input.inputTokenCount,output.outputTokenCount",
        "2026-10-01 00:00:01.000,amazon.nova-lite-v1:0,812,207",
    )
    tail = text(
        tmp_path / "c.log",
        f"2026-10-01T00:00:00.500000+00:00 stream/1 START {CANARY}",
        f"2026-10-01T00:00:01.123000+00:00 stream/1 {json.dumps(ENTRY)}",
        f"2026-10-01T00:00:02+00:00 stream/1 END {CANARY}",
    )
    for k, file in enumerate((whole, query, tail)):
        rows = read(fresh(tmp_path, str(k)), file)
        assert totals(rows) == counts(uncached_input=812, output=207), file
        assert rows[0]["at_us"] == 1_790_812_801_000_000


def span(**attributes: object) -> dict[str, object]:
    return {
        "name": "x",
        "spanContext": {"traceId": "t", "spanId": str(len(attributes))},
        "startTime": [1790812800, 500_000_000],
        "status": {"code": 0},
        "attributes": {name.replace("__", "."): value for name, value in attributes.items()},
    }


SYSTEMS = (
    ("openai.responses", "gpt-4o-mini", "openai"),
    ("anthropic.messages", "claude-sonnet-4-5", "anthropic"),
    ("google.generative-ai", "gemini-2.5-pro", "google"),
    ("google.vertex.chat", "gemini-2.5-flash", "google"),
    ("amazon-bedrock", "amazon.nova-lite-v1:0", "aws"),
    ("xai.chat", "grok-4", "x-ai"),
)
"""What the AI SDK calls a provider: (its word, a model, whose it is)."""


def test_spans_of_the_ai_sdk_count_its_steps(tmp_path: Path) -> None:
    """15 in of which 5 are cached, 112 out: the outer span repeats the step, an embedding is none."""
    usage = {"ai__usage__inputTokens": 15, "ai__usage__outputTokens": 112}
    spans = list[dict[str, object]]()
    for trace, (system, model, _) in enumerate(SYSTEMS):
        step = {
            "ai__operationId": "ai.streamText.doStream",
            "gen_ai__system": system,
            "gen_ai__request__model": model,
            "gen_ai__usage__input_tokens": 15,
            "gen_ai__usage__output_tokens": 112,
            "ai__usage__cachedInputTokens": 5,
            "ai__prompt__messages": CANARY,
        }
        outer = {"ai__operationId": "ai.streamText", "ai__model__provider": system, "ai__model__id": model,
                 "ai__prompt": CANARY}
        spans += [each | {"spanContext": {"traceId": f"t{trace}", "spanId": f"{trace}{k}"}} for k, each in enumerate((
            span(**step), span(**outer, **usage),
            span(ai__operationId="ai.embed.doEmbed", gen_ai__system=system, ai__usage__tokens=9)))]
    (tmp_path / "s.json").write_text(json.dumps(spans), encoding="utf-8")
    kept = [row for row in read(tmp_path, tmp_path / "s.json") if row["dropped"] is None]
    assert {(row["model"], row["provider"]) for row in kept} == {(model, provider) for _, model, provider in SYSTEMS}
    for row in kept:
        assert totals([row]) == counts(uncached_input=10, cache_read=5, output=112)
        assert row["at_us"] == 1_790_812_800_500_000
    assert len(kept) == len(SYSTEMS)


@pytest.mark.parametrize("nested", [False, True])
def test_spans_of_openinference_count_where_their_kind_is_llm(tmp_path: Path, nested: bool) -> None:
    """80 in of which 40 are read and 20 written, 15 out; the chain around it repeats them."""
    flat: dict[str, object] = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.system": "openai",
        "llm.token_count.prompt": 80,
        "llm.token_count.completion": 15,
        "llm.token_count.prompt_details.cache_read": 40,
        "llm.token_count.prompt_details.cache_write": 20,
        "input.value": CANARY,
    }
    deep = {
        "openinference": {"span": {"kind": "LLM"}},
        "input": {"value": CANARY},
        "llm": {
            "model_name": "gpt-4o",
            "system": "openai",
            "token_count": {"prompt": 80, "completion": 15, "prompt_details": {"cache_read": 40, "cache_write": 20}},
        },
    }
    call = {"context": {"trace_id": "t", "span_id": "b"}, "parent_id": "a", "start_time": "2026-10-01T00:00:00Z"}
    chain = {**call, "context": {"trace_id": "t", "span_id": "a"}, "attributes": flat | {"openinference.span.kind": "CHAIN"}}
    (tmp_path / "s.json").write_text(json.dumps([chain, {**call, "attributes": deep if nested else flat}]), encoding="utf-8")
    assert totals(read(tmp_path, tmp_path / "s.json")) == counts(uncached_input=20, cache_read=40, cache_write=20, output=15)


def test_a_format_is_told_from_the_first_line_that_has_one(tmp_path: Path) -> None:
    lines = [json.dumps({"resourceMetrics": [{"scopeMetrics": []}]}), json.dumps({"title": CANARY}), json.dumps(ENTRY)]
    found = usage_answer("--strict", text(tmp_path / "a.jsonl", *lines))
    assert (found["requests"], found["tokens"]["uncached_input"]) == (1, 812)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda row: {"result": [row]},
        lambda row: {"data": [row]},
        lambda row: [{"results": [row]}, {"results": [row | {"id": "2"}]}],
    ],
)
def test_rows_are_unwrapped(tmp_path: Path, wrap: object) -> None:
    row = {"id": "1", "timestamp": "2026-10-01T00:00:00Z", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 10}
    (tmp_path / "a.json").write_text(json.dumps(wrap(row), indent=1), encoding="utf-8")  # type: ignore[operator]
    found = usage_answer(tmp_path / "a.json")
    assert found["tokens"]["output"] == 10 * found["requests"]


def test_documents_one_after_the_other_are_read(tmp_path: Path) -> None:
    row = json.dumps(
        {"timestamp": "2026-10-01T00:00:00Z", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 10}, indent=1
    )
    assert usage_answer(text(tmp_path / "a.json", row, row, row))["requests"] == 3


def test_a_zip_is_read_as_a_stream(tmp_path: Path) -> None:
    """Two exports in it count; a file of another kind and the archive's own leavings do not."""
    head = "start_time,end_time,num_model_requests,model,input_tokens,output_tokens"
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for day in range(2):
            start = 1_790_812_800 + day * 86_400
            archive.writestr(f"usage/{day}.csv", f"{head}\n{start},{start + 86_400},{day + 1},gpt-4o,100,10\n")
        archive.writestr("read me.csv", f"hello\n{CANARY}\n")
        archive.writestr("__MACOSX/x.csv", CANARY)
    found = usage_answer(tmp_path / "export.zip")
    assert found["requests"] == 3
    assert not list(tmp_path.glob("*.csv"))


def test_a_zip_that_says_it_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from roi.usage.read import files

    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "0" * 5000)
    monkeypatch.setattr(files, "LARGEST_ZIP", 4000)
    run = run_usage(tmp_path / "a.zip")
    assert run.exit_code == 2
    assert "a ZIP of 1 files" in run.stderr
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04nothing")
    assert "a damaged ZIP" in run_usage(tmp_path / "b.zip").stderr


@pytest.mark.full
def test_names_with_spaces_and_dates_of_the_united_states(tmp_path: Path) -> None:
    """5 October at noon and at 13:45; read as ISO they are no times."""
    file = text(
        tmp_path / "a.csv",
        "Time,Model,Prompt Tokens,Completion Tokens",
        "10/5/2026 12:00:00 PM,gpt-4o,100,10",
        "10/05/2026 13:45,gpt-4o,200,20",
        "10/05/2026,gpt-4o,1,1",
    )
    found = usage_answer(file, "--dates", "us")
    assert (found["days"]["first"], found["tokens"]["uncached_input"]) == ("2026-10-05", 301)
    assert [row["at_us"] % 86_400_000_000 // 60_000_000 for row in read(tmp_path, file, dates="us")] == [
        0,
        12 * 60,
        13 * 60 + 45,
    ]
    assert "--dates us" in run_usage(file).stderr


MOONCAKE = [
    json.dumps({"timestamp": ms, "input_length": 100 + ms // 1000, "output_length": 5, "hash_ids": [1, 2]})
    for ms in (0, 500, 2000)
]
TRACES = {
    "mooncake": ("jsonl", MOONCAKE),
    "bailian": (
        "jsonl",
        [
            json.dumps(
                {
                    "chat_id": 1,
                    "timestamp": s,
                    "input_length": 100 + int(s),
                    "output_length": 5,
                    "type": "text",
                    "turn": 1,
                    "hash_ids": [1],
                }
            )
            for s in (0.0, 0.5, 2.0)
        ],
    ),
    "burstgpt": (
        "csv",
        [
            "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
            "0,ChatGPT,100,5,105,Conversation log",
            "0.5,ChatGPT,100,5,105,API log",
            "1,GPT-4,9,0,9,API log",
            "2,ChatGPT,102,5,107,API log",
        ],
    ),
    "named": ("csv", ["arrival_s,input_tokens,output_tokens", "0,100,5", "0.5,100,5", "2,102,5"]),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_of_relative_times_is_written_for_a_replay_without_a_price(tmp_path: Path, name: str) -> None:
    """Arrivals at 0, 0.5 and 2 s, 100, 100 and 102 tokens in; what failed is left out, and no day is taken for one of a
    calendar.
    """
    import pyarrow.parquet as pq

    ending, lines = TRACES[name]
    file, out = text(tmp_path / f"a.{ending}", *lines), tmp_path / "trace.parquet"
    run = run_usage(file, "--trace", out)
    assert run.exit_code == 0, run.stderr
    assert "times count from the trace's beginning" in " ".join(run.stdout.split())
    rows = pq.read_table(out).to_pylist()
    assert [(row["arrival_s"], row["input_tokens"], row["output_tokens"]) for row in rows] == [
        (0.0, 100, 5),
        (0.5, 100, 5),
        (2.0, 102, 5),
    ]


def completion(number: int, **more: object) -> dict[str, object]:
    """A chat completion of 100 tokens in, of which 40 are cached, and 10 out."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1790812800 + number,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": CANARY}}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        **more,
    }


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1790812801,
    "model": "gpt-4o-2024-08-06",
    "usage": {"input_tokens": 100, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 40}},
}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([completion(1), completion(2), completion(2)]),
        json.dumps({"object": "list", "data": [completion(1), RESPONSE], "has_more": False}, indent=1),
        "\n".join(json.dumps(each) for each in (completion(1), RESPONSE)),
        json.dumps([completion(1)]) + json.dumps([RESPONSE]),
    ],
    ids=["list", "page", "lines", "lists one after the other"],
)
def test_bare_chat_completions_are_calls(tmp_path: Path, content: str) -> None:
    """Two calls: 2 x (100 - 40) in, 2 x 40 read, 2 x 10 out; one written twice counts once."""
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    rows = read(tmp_path, tmp_path / "a.json")
    assert totals(rows) == counts(uncached_input=120, cache_read=80, output=20, requests=2)
    assert rows[0]["at_us"] == 1_790_812_801_000_000
    assert not any(row["batch"] for row in rows)


def test_a_batchs_output_costs_half(tmp_path: Path) -> None:
    """One line of two is an answer: gpt-6-sol at half of 2, 0.2 and 10 USD, 60 x 1 + 40 x 0.1 + 10 x 5 = 114 millionths."""
    body = completion(1, model="gpt-6-sol", created=1_792_454_400)
    lines = [
        {"id": "b1", "custom_id": "1", "response": {"status_code": 200, "body": body}, "error": None},
        {"id": "b2", "custom_id": "2", "response": {"status_code": 400, "body": {"error": {"message": CANARY}}}},
    ]
    file = text(tmp_path / "out.jsonl", *map(json.dumps, lines))
    rows = read(tmp_path, file)
    assert totals(rows) == counts(uncached_input=60, cache_read=40, output=10)
    assert [row["batch"] for row in rows if row["dropped"] is None] == [True]
    assert [row["dropped"] for row in rows if row["dropped"]] == ["an answer without its usage"]
    assert usage_answer(file)["total_usd"] == pytest.approx(114e-6)


@pytest.mark.parametrize("name", ["a.json", "a.log"])
def test_a_first_line_of_words_hides_no_documents(tmp_path: Path, name: str) -> None:
    """AWS writes such a line once, when it may write; it is one row left out, named by its line, and is not shown."""
    file = text(tmp_path / name, f"Permissions are correctly set for Amazon Bedrock logs, {CANARY}.", json.dumps(ENTRY))
    run = run_usage("--format", "json", file)
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["tokens"]["uncached_input"] == 812
    assert CANARY not in run.stdout + run.stderr


@pytest.mark.full
def test_dates_of_the_united_states_end_a_bucket_too(tmp_path: Path) -> None:
    """Two hours from 9:00 are covered to 11:00; by the hour of the day they are two groups, and a day's row has none."""
    head = "Start Time,End Time,Requests,Prompt Tokens,Completion Tokens,Model"
    hours = [f"10/5/2026 {h}:00 AM,10/5/2026 {h + 1}:00 AM,3,100,10,gpt-4o" for h in (9, 10)]
    found = usage_answer(text(tmp_path / "a.csv", head, *hours), "--dates", "us")
    assert found["days"]["left_out"][0]["reason"] == "is covered from 09:00 to 11:00 alone"
    file = text(tmp_path / "b.csv", head, *hours, "10/6/2026,10/7/2026,3,100,10,gpt-4o")
    found = usage_answer(file, "--dates", "us", "--group-by", "hour")
    assert sorted(each["group"] for each in found["by_group"]) == ["(longer than an hour)", "09:00", "10:00"]


@pytest.mark.parametrize(("form", "day"), [("us", "11/30/2026"), ("eu", "30.11.2026"), ("iso", "2026-11-30")])
def test_local_times_are_of_the_zone_in_each_form_of_dates(form: str, day: str, tmp_path: Path) -> None:
    """A date names a day, whose sums begin with it, in every zone; 19:00 in New York is midnight UTC of the next one."""
    file = text(tmp_path / "a.csv", "time,model,input,output", f"{day},gpt-4o,1,1", f"{day} 19:00,gpt-4o,1,1")
    rows = read(tmp_path, file, dates=form, zone="America/New_York")
    assert [row["at_us"] % 86_400_000_000 // 3_600_000_000 for row in rows] == [0, 0]


def test_usage_tables_of_warehouses_are_read_or_told_what_they_lack(tmp_path: Path) -> None:
    """Databricks' system.serving.endpoint_usage has the tokens of each call and no model; Snowflake's has their sum alone.

    1,200 tokens in at 2.5 and 300 out at 10 a million: 0.003 + 0.003 = 0.006; the refused call is none.
    """
    rows = ("200,2026-05-01T10:00:00.000Z,1200,300", "429,2026-05-01T10:01:00.000Z,0,0")
    databricks = text(tmp_path / "databricks.csv", "status_code,request_time,input_token_count,output_token_count", *rows)
    found = usage_answer(databricks, "--model", "gpt-4o", "--provider", "openai", "--tasks", "0")
    assert (found["requests"], found["list_usd"]) == (1, pytest.approx(0.006))
    head = "START_TIME,END_TIME,FUNCTION_NAME,MODEL_NAME,TOKENS,TOKEN_CREDITS"
    hour = "2026-05-01 10:00:00.000 -0700,2026-05-01 11:00:00.000 -0700"
    snowflake = text(tmp_path / "snowflake.csv", head, f"{hour},COMPLETE,claude-4-sonnet,120000,0.306")
    assert "tokens in total tell no price" in run_usage(snowflake).stderr
