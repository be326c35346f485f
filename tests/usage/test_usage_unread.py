"""Files of known tools that hold no usage: refused with what they are, and with what of the same tool is read."""

import json
from pathlib import Path

import pytest
from usage_support import CANARY, run_usage, usage_answer

BATCH = {"custom_id": "a", "result": {"type": "succeeded", "message": {"model": "claude-sonnet-4-5", "content": CANARY,
                                                                      "usage": {"input_tokens": 11, "output_tokens": 36}}}}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": CANARY,
           "stop_reason": "end_turn", "usage": {"input_tokens": 11, "output_tokens": 36}}
EMBEDDINGS = {"id": "b", "custom_id": "a", "error": None, "response": {"status_code": 200, "body": {
    "object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 24}}}}
DIAGNOSTIC = {"time": "2026-10-01T00:00:00Z", "resourceId": "/SUBSCRIPTIONS/S", "category": "RequestResponse",
              "operationName": "ChatCompletions_Create", "DurationMs": 800, "properties": {"modelName": "gpt-4o"}}
WEAVE = {"id": "1", "project_id": "e/p", "op_name": "weave:///e/p/op/predict:1", "trace_id": "t",
         "started_at": "2026-10-01T00:00:00Z", "inputs": {"q": CANARY},
         "summary": {"usage": {"gpt-4o": {"requests": 1, "prompt_tokens": 100, "completion_tokens": 10}}}}


@pytest.mark.parametrize(("document", "said"), [
    (BATCH, "results of Anthropic's message batches, which hold no time; the console's usage export (anthropic-csv)"),
    (MESSAGE, "messages of Anthropic's API, which hold no time; the console's usage export (anthropic-csv) counts them"),
    (EMBEDDINGS, "a batch's output without a completion; openai-calls reads those"),
    (DIAGNOSTIC, "Azure's diagnostic logs, which hold no tokens of a call; spans of your code do (otel-genai)"),
    ({"date": "2026-10-01T00:00:00Z", "actor": {}, "model_breakdown": [{"tokens": {"input": 1}}]},
     "Claude Code's analytics, a day of a person; the usage report (anthropic-usage-api) counts the same tokens"),
    (WEAVE, "calls of Weave, each of which repeats what the calls inside it used; a line for each of the innermost ones"),
])  # fmt: skip
def test_json_of_a_known_tool_without_usage_says_what_has_it(document: dict[str, object], said: str, tmp_path: Path) -> None:
    for name, whole in (("a.jsonl", f"{json.dumps(document)}\n" * 2), ("b.json", json.dumps([document]))):
        (tmp_path / name).write_text(whole)
        run = run_usage(tmp_path / name)
        assert (run.exit_code, said in run.stderr, CANARY in run.stderr) == (2, True, False)


@pytest.mark.parametrize(("text", "said"), [
    ("Date,MeterCategory,MeterName,Quantity,CostInBillingCurrency\n10/01/2026,Foundry Models,gpt-4o Inp Tokens,1200,3\n",
     "Azure's cost export without Date, Quantity and UnitOfMeasure; with them it is read (azure-cost)"),
    ("line_item_usage_start_date,line_item_usage_type,line_item_unblended_cost\n2026-10-01,USE1-Claude4.5Haiku-input-tokens,1\n",
     "AWS's cost and usage report without line_item_usage_start_date and line_item_usage_amount; with them it is read"),
    ("lineItem/UsageStartDate,lineItem/UsageType,lineItem/UnblendedCost\n2026-10-01,USE1-x,1\n",
     "AWS's cost and usage report without lineItem/UsageStartDate and lineItem/UsageAmount; with them it is read"),
    ("Service description,SKU description,Usage start date,Cost ($)\nVertex AI,Gemini 2.5 Flash Text Input,2026-10-01,0.3\n",
     "Google Cloud's bill without a day, a usage amount and its unit; with them it is read"),
    (f"INFO 10-01 00:00:00 [logger.py:43] Received request c-1: prompt: '{CANARY}', params: None\nINFO: 200 OK\n",
     "a server's log in words, which tells no tokens of a call; vLLM's spans do (--otlp-traces-endpoint), with --model"),
    (f"(APIServer pid=7) INFO 10-01 00:00:00 [logger.py:43] {CANARY}\nINFO: 200 OK\n", "a server's log in words"),
    (f"INFO:     127.0.0.1:1 - {CANARY}, POST, 200 OK\nINFO: x\n", "a server's log in words"),
])  # fmt: skip
def test_text_of_a_known_tool_without_usage_says_what_has_it(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    run = run_usage(tmp_path / "a.csv")
    assert (run.exit_code, said in run.stderr, CANARY in run.stderr) == (2, True, False)


@pytest.mark.full
@pytest.mark.parametrize(("first", "end"), [
    ('"sep=;"', "\n"), ("\ufeffsep=;", "\r\n"),
    *(pytest.param(*case, marks=pytest.mark.full) for case in (
        ("sep=;", "\n"), ("sep=;", "\r\n"), ('"sep=;"', "\r\n"), ("SEP=;", "\n"), ("SEP=;", "\r\n"), ("\ufeffsep=;", "\n")))])
def test_a_first_line_for_excel_names_what_stands_between_cells(first: str, end: str, tmp_path: Path) -> None:
    """Two calls of 1,000 and 10 tokens; without it the semicolons would be guessed of `sep=;` and no column found."""
    call = "2026-10-01 00:00;gpt-4o;1000;10"
    lines = (first, "time;model;input_tokens;output_tokens", call, call.replace("-01 ", "-02 "))
    (tmp_path / "a.csv").write_bytes((end.join(lines) + end).encode())
    assert usage_answer(tmp_path / "a.csv")["tokens"]["uncached_input"] == 2000
    (tmp_path / "b.csv").write_bytes((end.join(lines[:2]) + end).encode())
    assert "nothing to read; empty" in run_usage(tmp_path / "b.csv").stderr
    bad = (*lines[:3], "not a time;gpt-4o;1000;10")
    (tmp_path / "c.csv").write_bytes((end.join(bad) + end).encode())
    assert "c.csv, line 4" in run_usage(tmp_path / "c.csv", "--strict").stderr
