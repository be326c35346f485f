"""Tokens without a price are never hidden under a priced headline, and money without tokens is never lost."""

import json
from pathlib import Path

import pandas as pd
import pytest
from usage_support import run_usage, usage_answer

HEAD = "timestamp,model,input_tokens,output_tokens\n"
DAY = 86_400
OCTOBER_1 = 1_790_812_800


def own(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_model_that_several_providers_sell_has_its_makers_price_and_a_note(tmp_path: Path) -> None:
    """3 Mtok of claude-opus-4 at Anthropic's 15 USD are 45 USD, and the note says what was taken for granted."""
    found = usage_answer(own(tmp_path / "a.csv", "2026-10-01T00:00:00Z,claude-opus-4,3000000,0"))
    assert found["total_usd"] == pytest.approx(45.0)
    assert (found["by_model"][0]["provider"], found["by_model"][0]["unpriced_tokens"]) == ("anthropic", 0)
    assert any("the records do not say who is paid; at the list price of anthropic" in note for note in found["notes"])


def test_embeddings_of_openai_that_azure_sells_too_have_openais_price(tmp_path: Path) -> None:
    """3 Mtok at 0.02 USD; nobody was taken to be their maker, and they had no price."""
    found = usage_answer(own(tmp_path / "a.csv", "2026-11-01T00:00:00Z,text-embedding-3-small,3000000,0"))
    assert (found["total_usd"], found["by_model"][0]["provider"]) == (pytest.approx(0.06), "openai")


@pytest.mark.full
def test_observations_and_spans_that_name_no_provider_have_the_makers_price_too(tmp_path: Path) -> None:
    """3 Mtok of claude-opus-4 each, 90 USD in all, and none of it is without a price."""
    observation = {"id": "o", "type": "GENERATION", "startTime": "2026-10-01T00:00:00Z", "model": "claude-opus-4"}
    usage = {"input": 3_000_000, "output": 0, "total": 3_000_000}
    attributes = {"openinference.span.kind": "LLM", "llm.model_name": "claude-opus-4"}
    tokens = {"llm.token_count.prompt": 3_000_000, "llm.token_count.completion": 0}
    context = {"spanContext": {"traceId": "t", "spanId": "1"}, "startTime": [OCTOBER_1 + DAY, 0]}
    for name, row in (
        ("observations.json", observation | {"usageDetails": usage}),
        ("spans.json", {**context, "attributes": attributes | tokens}),
    ):
        (tmp_path / name).write_text(json.dumps([row]), encoding="utf-8")
    found = usage_answer(tmp_path / "observations.json", tmp_path / "spans.json")
    assert found["total_usd"] == pytest.approx(90.0)
    assert [(each["provider"], each["unpriced_tokens"]) for each in found["by_model"]] == [("anthropic", 0)]


def test_what_has_no_price_stands_in_the_headline(tmp_path: Path) -> None:
    """2 of 5 Mtok are of a model that nobody lists."""
    file = own(tmp_path / "a.csv", "2026-10-01T00:00:00Z,claude-opus-4,3000000,0", "2026-10-01T01:00:00Z,mystery-9,2000000,0")
    first = " ".join(run_usage(file).stdout.split("By model")[0].split())
    assert "$45 at list price, and 2 of 5 Mtok have no price" in first


def test_the_named_provider_is_that_of_the_models_that_it_sells_where_the_records_name_none(tmp_path: Path) -> None:
    """openai sells no Claude: gpt-4o is openai's, claude-opus-4 its maker's, and the row that says azure stays azure's."""
    head = "timestamp,model,provider,input_tokens,output_tokens\n"
    file = own(
        tmp_path / "a.csv",
        "2026-10-01T00:00:00Z,claude-opus-4,,3000000,0",
        "2026-10-01T01:00:00Z,gpt-4o,,1000000,0",
        "2026-10-01T02:00:00Z,gpt-4o,azure,1000000,0",
        head=head,
    )
    found = usage_answer(file, "--provider", "openai")
    assert {(each["provider"], each["model"]) for each in found["by_model"]} == {
        ("anthropic", "claude-opus-4"),
        ("openai", "gpt-4o"),
        ("azure", "gpt-4o"),
    }


@pytest.mark.parametrize("name", ["anthropic/claude-opus-4", "claude-opus-4", "openai/gpt-4o"])
def test_an_incumbent_may_be_named_with_its_maker(tmp_path: Path, name: str) -> None:
    file = own(tmp_path / "a.csv", "2026-10-01T00:00:00Z,claude-opus-4,3000000,0", "2026-10-01T01:00:00Z,gpt-4o,2000000,0")
    out = tmp_path / "part.yaml"
    assert run_usage(file, "--incumbent", name, "--output", out).exit_code == 0
    assert f"model: {name.rpartition('/')[2]}" in out.read_text(encoding="utf-8")


def test_a_part_of_records_without_a_model_says_what_to_name(tmp_path: Path) -> None:
    file = own(tmp_path / "a.csv", "2026-10-01T00:00:00Z,3000,10", head="timestamp,input_tokens,output_tokens\n")
    run = run_usage(file, "--output", tmp_path / "part.yaml")
    assert run.exit_code == 2
    assert "--output: the records name no model: say which one it is, --provider and --model" in run.stderr


def costs(path: Path, *days: tuple[int, float]) -> Path:
    path.write_text(
        json.dumps(
            {
                "object": "page",
                "data": [
                    {
                        "object": "bucket",
                        "start_time": OCTOBER_1 + day * DAY,
                        "end_time": OCTOBER_1 + (day + 1) * DAY,
                        "results": [
                            {
                                "object": "organization.costs.result",
                                "amount": {"value": usd, "currency": "usd"},
                                "line_item": None,
                            }
                        ],
                    }
                    for day, usd in days
                ],
            }
        ),
        encoding="utf-8",
    )
    return path


@pytest.mark.full
def test_days_that_were_billed_and_have_no_usage_are_reconciled_and_said(tmp_path: Path) -> None:
    """gpt-4o, 1 Mtok in at 2.50 USD on days 1 and 3; billed are 2.50, 0.5456, 2.50 and, after the last, 1.00: 5.5456 against
    5.00 on three days, and 1.5456 on two days without usage.
    """
    head = "start_time,end_time,num_model_requests,model,input_tokens,output_tokens\n"
    used = own(
        tmp_path / "usage.csv",
        *(f"{OCTOBER_1 + day * DAY},{OCTOBER_1 + (day + 1) * DAY},1,gpt-4o,1000000,0" for day in (0, 2)),
        head=head,
    )
    bill = costs(tmp_path / "costs.json", (0, 2.5), (1, 0.5456), (2, 2.5), (5, 1.0))
    one = usage_answer(used, bill)["reconciliation"]
    assert (one["list_usd"], one["actual_usd"], one["days"]) == (pytest.approx(5.0), pytest.approx(5.5456), 3)
    assert (one["unused_days"], one["unused_usd"]) == (2, pytest.approx(1.5456))
    said = " ".join(run_usage(used, bill).stdout.split())
    assert "x 1.109, 3 days; all price" in said
    assert "$1.55 was billed on 2 days without any usage" in said


def test_a_single_day_is_one_day_in_every_line_of_the_report(tmp_path: Path) -> None:
    used = own(tmp_path / "usage.csv", f"{OCTOBER_1},{OCTOBER_1 + DAY},1,gpt-4o,1000000,0",
               head="start_time,end_time,num_model_requests,model,input_tokens,output_tokens\n")
    said = " ".join(run_usage(used, costs(tmp_path / "costs.json", (0, 2.5), (5, 1.0))).stdout.split())
    assert said.partition("x 1.000")[2].startswith(", 1 day; ")
    assert "was billed on 1 day without" in said
    assert "1 days" not in said


def test_a_list_of_models_is_no_call_of_one(tmp_path: Path) -> None:
    """Two calls and a ListModels beside them in a Bedrock log."""
    entry = {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-10-01T00:00:03Z",
        "modelId": "amazon.nova-pro-v1:0",
        "input": {"inputTokenCount": 100},
        "output": {"outputTokenCount": 10},
    }
    rows = [
        entry | {"operation": name, "requestId": name} for name in ("Converse", "InvokeModelWithResponseStream", "ListModels")
    ]
    file = own(tmp_path / "log.jsonl", *map(json.dumps, rows), head="")
    found = usage_answer(file)
    assert found["requests"] == 2
    assert found["dropped"][0]["reason"] == "an operation that calls no model"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_who_is_paid_has_one_name_whatever_a_tool_calls_it(kind: str, tmp_path: Path) -> None:
    """LangChain's, LiteLLM's and AWS's word are one provider with one workload, in text and where a table lies."""
    rows = [f"2026-10-0{k}T00:00:00Z,claude-haiku-4-5,{paid},1000,10" for k, paid in enumerate(
        ("amazon_bedrock", "bedrock", "aws"), start=1)]
    file = own(tmp_path / "log.csv", *rows, head=HEAD.replace("model,", "model,provider,"))
    if kind == "parquet":
        pd.read_csv(file, parse_dates=["timestamp"]).to_parquet(file := tmp_path / "log.parquet")
    found = usage_answer(file)
    assert [(each["provider"], each["requests"]) for each in found["by_model"]] == [("aws", 3)]
    assert (found["workload"]["provider"], found["workload"]["requests"]) == ("aws", 3)
