"""A phrase in every text field of every format never leaves its file: not into the answer in any form, nor a temporary file."""

import csv
import gzip
import io
import json
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from usage_support import CANARY, DATA, fresh, records, run_usage

from roi.usage import summary
from roi.usage.formats import FORMATS
from roi.usage.formats.generic import generic_format
from roi.usage.read.lazy_ibis import ibis
from roi.usage.read.record import FileOptions, Format

ENTRY = {
    "schemaType": "ModelInvocationLog",
    "timestamp": "2026-10-01T00:00:01Z",
    "operation": "Converse",
    "modelId": "amazon.nova-lite-v1:0",
    "input": {"inputTokenCount": 8, "inputBodyJson": CANARY},
    "output": {"outputTokenCount": 2},
}
QUOTED = json.dumps(ENTRY).replace('"', '""')
METRICS = {
    "spend": 0.5,
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "api_requests": 5,
    "successful_requests": 5,
    "failed_requests": 0,
}
WRITTEN = {
    "openai-costs.csv": "start_time,end_time,amount_value,amount_currency,line_item,user_email\n"
    f'1790812800,1790899200,2,usd,"gpt-4o, input",{CANARY}',
    "anthropic-cost.csv": "usage_date_utc,model,token_type,cost_usd,note\n2026-10-01,Claude Opus 5,output,1.5," + CANARY,
    "deepseek-cost.csv": "user_id,utc_date,model,wallet_type,cost,currency,note\n"
    f"u,2026-10-01,deepseek-chat,Paid,1.25,USD,{CANARY}",
    "completions.json": json.dumps(
        {
            "object": "list",
            "data": [
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 1790812800,
                    "model": "gpt-4o",
                    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
                }
            ],
        }
    ),
    "openrouter-daily.csv": "Date,Slug,Usage,Requests,Prompt Tokens,Completion Tokens\n"
    "2026-10-01 00:00:00,openai/gpt-4.1,1,2,300,40",
    "activity.json": json.dumps(
        {"results": [{"date": "2026-10-01", "breakdown": {"models": {"gpt-4o": {"metrics": METRICS}}}}]}
    ),
    "azure-metrics.json": json.dumps(
        {
            "interval": "PT1H",
            "timespan": "2026-10-01T00:00:00Z/2026-10-01T01:00:00Z",
            "value": [
                {
                    "name": {"value": name},
                    "timeseries": [
                        {
                            "metadatavalues": [{"name": {"value": "ModelName"}, "value": "gpt-4o"}],
                            "data": [{"timeStamp": "2026-10-01T00:00:00Z", "total": total}],
                        }
                    ],
                }
                for name, total in (("ProcessedPromptTokens", 100.0), ("GeneratedTokens", 10.0), ("AzureOpenAIRequests", 1.0))
            ],
        }
    ),
    "callbacks.jsonl": json.dumps({
        "id": "c", "call_type": "acompletion", "status": "success", "startTime": 1790812800.5, "model": "gpt-4o",
        "custom_llm_provider": "openai", "prompt_tokens": 100, "completion_tokens": 10, "response_cost": 0.5,
        "metadata": {"usage_object": {"prompt_tokens": 100}}, "messages": [{"role": "user", "content": CANARY}]}),
    "cortex-code.json": json.dumps({
        "USAGE_TIME": "2026-10-01T00:00:00Z", "REQUEST_ID": "r", "USER_NAME": "jane", "TOKENS": 110, "TOKEN_CREDITS": 0.5,
        "TOKENS_GRANULAR": {"claude-opus-4-6": {"input": 100, "output": 10}}}),
    "spend-days.json": json.dumps([{"startTime": "2026-10-01", "spend": 1, "models": {"gpt-4o": 1}, "users": {"x": 1}}]),
    "litellm-ui.csv": "Date,Team,Team ID,Spend ($),Successful Requests,Prompt Tokens,Completion Tokens\n"
    "2026-10-01,a,b,1.5,2,300,40",
    "trace.json": json.dumps(
        {
            "trace": {
                "observations": [
                    {
                        "id": "o",
                        "type": "GENERATION",
                        "startTime": "2026-10-01T00:00:00Z",
                        "model": "gpt-4o",
                        "usageDetails": {"input": 100, "output": 10},
                    }
                ]
            }
        }
    ),
    "insights.csv": f'@timestamp,@message\n2026-10-01 00:00:02.000,START\n2026-10-01 00:00:01.000,"{QUOTED}"',
    "query.csv": "@timestamp,modelId,input.inputTokenCount,output.outputTokenCount,@log\n"
    "2026-10-01 00:00:01.000,amazon.nova-lite-v1:0,8,2,x",
    "tail.log": f"2026-10-01T00:00:00+00:00 s START {CANARY}\n2026-10-01T00:00:01+00:00 s {json.dumps(ENTRY)}",
    "ai-sdk.json": json.dumps(
        [
            {
                "spanContext": {"traceId": "t", "spanId": "s"},
                "startTime": [1790812800, 0],
                "attributes": {
                    "ai.operationId": "ai.generateText.doGenerate",
                    "gen_ai.system": "openai.responses",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.usage.input_tokens": 15,
                    "gen_ai.usage.output_tokens": 12,
                },
            }
        ]
    ),
    "claude-telemetry.jsonl": json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": "1791427770000000000", "body": {"stringValue": CANARY},
        "attributes": [{"key": "event.name", "value": {"stringValue": "api_request"}},
                       {"key": "model", "value": {"stringValue": "claude-sonnet-4-6"}},
                       {"key": "user.email", "value": {"stringValue": CANARY}},
                       *({"key": key, "value": {"intValue": "5"}} for key in ("input_tokens", "output_tokens"))]}]}]}]}),
    "mooncake.jsonl": '{"timestamp": 5, "input_length": 100, "output_length": 5, "hash_ids": [1]}\n' * 2,
    "bailian.jsonl": '{"chat_id": 1, "timestamp": 5, "input_length": 100, "output_length": 5, "hash_ids": [1]}\n' * 2,
    "burstgpt.csv": "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,100,5,105,API log",
    "gcp-cost-table.csv": "Service description,SKU description,Usage start date,Usage end date,Usage amount,Usage unit,"
    "Cost ($)\n"
    'Vertex AI,Gemini 2.5 Flash GA Text Input - Predictions,2026-10-01,2026-10-01,"1,000",count,0.0003',
    "own.csv": "Time,Model,Prompt Tokens,Completion Tokens\n2026-10-01T00:00:00Z,gpt-4o,100,10",
    **{
        f"trace{k}.csv": f"{time},{given},{output}\n5,100,10"
        for k, (time, given, output) in enumerate(
            (
                ("arrival_s", "input_tokens", "output_tokens"),
                ("arrival_time_s", "input_tokens", "output_tokens"),
                ("arrived_at", "num_prefill_tokens", "num_decode_tokens"),
                ("arrival_time", "input_tokens", "output_tokens"),
            )
        )
    },
}
"""Formats without a fixture of their own."""
SENTENCE = f"Dear {CANARY}, please keep {CANARY} to yourself!"
KEPT = {
    "object", "type", "kind", "status", "schematype", "operation", "currency", "amount_currency", "billingcurrency",
    "chargecategory", "servicecategory", "token_type", "cost_type", "call_type", "gen_ai.operation.name", "key", "role",
    "openinference.span.kind", "ai.operationid", "event.name", "request_tags", "line_item", "log type", "spanid", "traceid",
    "run_type", "span_kind", "attributes.openinference.span.kind", "metric", "unit", "destination_type",
    "line_item_usage_type", "line_item_line_item_type", "line_item_product_code", "line_item_currency_code", "pricing_unit",
    "lineitem/usagetype", "lineitem/lineitemtype", "lineitem/productcode", "lineitem/currencycode", "pricing/unit",
    "product/productname", "metercategory", "metername", "unitofmeasure", "billingcurrencycode",
    "service description", "sku description", "usage unit", "cost type", "description",
    "span_id", "trace_id", "parent_id", "parentspanid", "llm.request.type", "cancelled", "event.timestamp", "interval",
}  # fmt: skip
"""Fields whose word says what a row is: with another word it would not count, and nothing of it would be seen."""
KEPT_WORDS = {"ProcessedPromptTokens", "GeneratedTokens", "AzureOpenAIRequests", "ModelName"}
"""Words that say so in a field that holds others too."""
PLAIN = re.compile(
    r"[-+$]?[0-9][0-9.,e-]*( [0-9]{1,4})?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9/]{8,10}(, [0-9:. APM]+)?|true|false||Included"
    r"|On-Demand",
    re.IGNORECASE)
"""Numbers, times and flags."""
NAMES = [*(str(path.relative_to(DATA)) for path in sorted(DATA.rglob("*")) if path.is_file()), *WRITTEN]
READ = ["langfuse_blob.csv", "langfuse_blob.jsonl", "langfuse_ui.json", "cloudflare.json", "azure_gateway.csv", "portkey.jsonl",
        "bedrock.jsonl.gz", "bedrock_cloudwatch.json", "anthropic-cost-api.json"]
"""Those of them that are read before every commit."""
seen: set[str] = set()


def content_of(name: str) -> bytes:
    return WRITTEN[name].encode() if name in WRITTEN else (DATA / name).read_bytes()


def salted(value: Any) -> Any:  # Any: JSON
    """JSON with the canary beside all that is in it."""
    if isinstance(value, list):
        return [salted(each) for each in value]
    if not isinstance(value, dict):
        return salted_text(value) if isinstance(value, str) and value.startswith(("{", "[")) else value
    return {key: salted(each) for key, each in value.items()} | {"said": CANARY, "prompt": {"content": CANARY}}


def salted_text(text: str) -> str:
    """JSON in text, as a whole or line by line; other text as it is."""
    for parse in (
        lambda: json.dumps(salted(json.loads(text))),
        lambda: "\n".join(json.dumps(salted(json.loads(x))) for x in text.splitlines()),
    ):
        try:
            return parse()
        except ValueError:
            continue
    return text


def salted_copy(name: str, content: bytes, folder: Path) -> Path:
    """The file with the canary in a further field of every object, or a further column."""
    plain = gzip.decompress(content) if name.endswith(".gz") else content
    text = plain.decode("utf-8-sig").replace("canary-project", CANARY)
    if name.removesuffix(".gz").endswith(".csv"):
        rows, out = list(csv.reader(io.StringIO(text, newline=""))), io.StringIO()
        csv.writer(out).writerows([[*row, "what was said" if k == 0 else CANARY] for k, row in enumerate(rows) if row])
        text = out.getvalue()
    else:
        text = salted_text(text)
    path = folder / re.sub(r"\.gz$", "", name)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read and added up once, and told in every form."""
    summarize = cache(summary.summarize)
    monkeypatch.setattr("roi.answers.usage.summarize", lambda question, *_: summarize(question))


def test_no_text_of_an_export_reaches_a_record_or_a_staged_file(tmp_path: Path) -> None:
    """A file of each kind of reader as it stands; pages of Parquet are compressed, so that its cells are looked at."""
    for name in READ:
        content = content_of(name)
        assert CANARY.encode() in (gzip.decompress(content) if name.endswith(".gz") else content), name
        assert CANARY not in str(records(fresh(tmp_path, Path(name).name), DATA / name, anew=True)), name
    staged = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path).parts[0] for path in staged} == {Path(name).name for name in READ}
    for file in staged:
        cells = str(pq.read_table(file).to_pylist()) if file.suffix == ".parquet" else ""
        assert CANARY not in cells + file.read_bytes().decode("latin-1"), file


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_the_canary_never_leaves(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is written in the temporary folder is looked at while it is there, inside Parquet too."""
    file = salted_copy(Path(name).name, content_of(name), tmp_path)
    assert CANARY in file.read_text(encoding="utf-8")
    add_up, looked = summary._summary_and_trace, []

    def look(question: Any, log: Any, engine: Any, *rest: Any) -> Any:  # Any: as the room hands them over
        folder = Path(engine.raw_sql("SELECT current_setting('temp_directory')").fetchall()[0][0])
        for each in folder.rglob("*"):
            if each.is_file():
                looked.append(each)
                text = str(pq.read_table(each).to_pylist()) if each.suffix == ".parquet" else ""
                assert CANARY not in text + each.read_bytes().decode("latin-1"), each
        seen.update(table.format.name for table in log.tables)
        return add_up(question, log, engine, *rest)

    monkeypatch.setattr(summary, "_summary_and_trace", look)
    for form in ("table", "json"):
        run = run_usage("--format", form, *(("--model", "gpt-4o") if "ungrouped" in name else ()), file)
        assert run.exit_code == 0, run.stderr
        assert CANARY not in run.stdout + run.stderr
    assert looked


@pytest.mark.full  # with the one before, in its process
def test_every_format_was_looked_at() -> None:
    if not seen:
        pytest.skip("the files are looked at in another process")
    own = generic_format(FileOptions(), ("time", "input_tokens", "output_tokens"))
    assert own is not None
    assert {form.name for form in FORMATS} | {own.name} <= seen


def said(value: Any, everything: bool, key: str = "") -> Any:  # Any: JSON
    """JSON whose texts are the sentence: all but numbers, times and words of KEPT; with `everything`, numbers and times too."""
    if isinstance(value, list):
        return [said(each, everything, key) for each in value]
    if isinstance(value, dict):
        if str(value.get("key", "")).lower() in KEPT and not everything:
            return value
        models = key == "models"
        return {SENTENCE if models else name: said(each, everything, name.lower()) for name, each in value.items()}
    if isinstance(value, str) and value.startswith(("{", "[")):
        with suppress(ValueError):
            return json.dumps(said(json.loads(value), everything, key))
    plain = not isinstance(value, str) or PLAIN.fullmatch(value)
    return value if key in KEPT or value in KEPT_WORDS or value is None or (plain and not everything) else SENTENCE


def said_copy(name: str, content: bytes, folder: Path, *, everything: bool) -> Path:
    """The file with the sentence in every text that is there, whether it is read or not."""
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8-sig")
    path = folder / re.sub(r"\.gz$", "", name)
    if path.suffix == ".csv":
        head, *rows = csv.reader(io.StringIO(text, newline=""))
        out = io.StringIO()
        csv.writer(out).writerows(
            [
                head,
                *(
                    [said(cell, everything, column.lower()) for column, cell in zip(head, row, strict=False)]
                    for row in rows
                    if row
                ),
            ]
        )
        text = out.getvalue()
    elif path.suffix == ".log" and "{" in text:
        text = re.sub(r"^([^{\n]*?\S+Z?) ?(\{.*\})$", lambda m: f"{m[1]} {said(m[2], everything)}", text, flags=re.MULTILINE)
    else:
        try:
            text = json.dumps(said(json.loads(text), everything))
        except ValueError:
            text = "\n".join(json.dumps(said(json.loads(line), everything)) for line in text.splitlines() if line.strip())
    path.write_text(text, encoding="utf-8")
    return path


def all_forms(file: Path, folder: Path, *words: str) -> tuple[int, str]:
    """(requests and dollars that count, rounded up; everything that the command prints or writes of a file)."""
    part, page = folder / "part.yaml", folder / "page.html"
    run = run_usage("--format", "json", "--html", page, *words, file)
    assert run.exit_code in (0, 2), run.exception
    told = run.stdout + run.stderr
    if run.exit_code:
        return 0, told
    answer = json.loads(run.stdout)
    again = run_usage("--format", "table", "--output", part, *words, file)
    told += again.stdout + again.stderr
    told += page.read_text(encoding="utf-8") + (part.read_text(encoding="utf-8") if part.exists() else "")
    return sum(each["rows"] for each in answer["sources"]), told


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_in_a_field_that_is_read_is_not_shown(tmp_path: Path, name: str) -> None:
    """Models, providers, tiers, keys, users, ids, error texts, tags: a sentence in all of them at once, and the rows still
    count; groups are shown by name where they are asked for, and here they are not.
    """
    file = said_copy(Path(name).name, content_of(name), tmp_path, everything=False)
    counted, told = all_forms(file, tmp_path, "--group-by", "model", *(("--model", "gpt-4o") if "ungrouped" in name else ()))
    assert CANARY not in told
    assert counted > 0, told


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_in_the_place_of_counts_and_times_is_not_shown(tmp_path: Path, name: str) -> None:
    file = said_copy(Path(name).name, content_of(name), tmp_path, everything=True)
    _, told = all_forms(file, tmp_path)
    assert CANARY not in told


@pytest.mark.parametrize("form", [form for form in FORMATS if "user" in form.groups], ids=lambda form: str(form.name))
def test_people_are_no_group_unless_they_are_asked_for(form: Format) -> None:
    raw = ibis.table(dict.fromkeys(form.groups.values(), "string"), name="raw")
    only = ibis.table({form.groups["user"]: "string"}, name="only")
    assert form._group(raw, FileOptions(group_by="user")) is not None
    assert form._group(only, FileOptions()) is None
