"""One bucket in several exports counts once: taken again while the day went on, by the hour and by the day, by key and in
all.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from usage_support import run_usage, usage_answer

from roi.usage.formats import FORMATS

OCTOBER_1 = 1_790_812_800
"""Midnight UTC."""
OPENAI = "start_time,end_time,project_id,num_model_requests,api_key_id,model,batch,service_tier,input_tokens,output_tokens"


def openai(start: int, hours: int, calls: int, project: str = "", model: str = "gpt-4o") -> str:
    """A row in which a call has 100 tokens in and 10 out."""
    begins = OCTOBER_1 + 3600 * start
    return f"{begins},{begins + 3600 * hours},{project},{calls},,{model},,default,{100 * calls},{10 * calls}"


def table(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def page(path: Path, *results: dict[str, object], **times: object) -> Path:
    path.write_text(
        json.dumps({"object": "page", "data": [{"object": "bucket", **times, "results": list(results)}]}), encoding="utf-8"
    )
    return path


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def activity(n: int) -> dict[str, object]:
    """Metrics of n calls of a day."""
    requests = {"api_requests": n, "successful_requests": n, "failed_requests": 0}
    return {"spend": n / 100, "prompt_tokens": 100 * n, "completion_tokens": n, **requests}


def litellm(path: Path, n: int) -> Path:
    return table(
        path,
        "date,model,custom_llm_provider,api_key,prompt_tokens,completion_tokens,spend,api_requests,"
        "successful_requests,failed_requests",
        f"2026-10-01,gpt-4o,openai,k,{100 * n},{10 * n},{n / 100},{n},{n},0",
    )


def snowflake(path: Path, n: int) -> Path:
    counts = {"input": 100 * n, "output": n}
    metrics = [{"key": {"metric": name, "unit": "tokens"}, "value": value} for name, value in counts.items()]
    cell = json.dumps(metrics).replace('"', '""')
    return table(path, "START_TIME,END_TIME,MODEL_NAME,FUNCTION_NAME,QUERY_ID,METRICS",
                 f'2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,claude-sonnet-4-5,AI_COMPLETE,q1,"{cell}"')


FOCUS = (
    "EffectiveCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ServiceCategory,"
    "ServiceName,ProviderName,SkuId"
)
BUCKETED: dict[str, tuple[str, Callable[[Path, int], Path]]] = {
    "openai-csv": ("tokens", lambda path, n: table(path, OPENAI, openai(0, 24, n), openai(0, 24, 2 * n, model="gpt-4.1"))),
    "openai-usage-api": (
        "tokens",
        lambda path, n: page(
            path,
            {
                "object": "organization.usage.completions.result",
                "model": "gpt-4o",
                "input_tokens": 100 * n,
                "output_tokens": n,
                "num_model_requests": n,
            },
            start_time=OCTOBER_1,
            end_time=OCTOBER_1 + 86400,
        ),
    ),
    "openai-costs-api": (
        "cost",
        lambda path, n: page(
            path,
            {
                "object": "organization.costs.result",
                "amount": {"value": n / 10, "currency": "usd"},
                "line_item": "gpt-4o, input",
            },
            start_time=OCTOBER_1,
            end_time=OCTOBER_1 + 86400,
        ),
    ),
    "anthropic-csv": (
        "tokens",
        lambda path, n: table(
            path,
            "usage_date_utc,model_version,api_key,workspace,usage_type,usage_input_tokens_no_cache,usage_output_tokens",
            f"2026-10-01,claude-opus-4-1,k,Default,standard,{100 * n},{n}",
        ),
    ),
    "anthropic-usage-api": (
        "tokens",
        lambda path, n: page(
            path,
            {
                "uncached_input_tokens": 100 * n,
                "cache_read_input_tokens": 0,
                "cache_creation": {},
                "output_tokens": n,
                "model": "claude-opus-4-1",
            },
            starting_at="2026-10-01T00:00:00Z",
            ending_at="2026-10-02T00:00:00Z",
        ),
    ),
    "anthropic-cost-api": (
        "cost",
        lambda path, n: page(
            path,
            {"amount": str(10.0 * n), "currency": "USD", "cost_type": "tokens", "workspace_id": None},
            starting_at="2026-10-01T00:00:00Z",
            ending_at="2026-10-02T00:00:00Z",
        ),
    ),
    "litellm-daily": ("tokens", litellm),
    "openrouter-api": (
        "tokens",
        lambda path, n: (
            Path(path).write_text(
                json.dumps(
                    {
                        "data": [
                            {
                                "date": "2026-10-01",
                                "model": "openai/gpt-4.1",
                                "model_permaslug": "openai/gpt-4.1",
                                "endpoint_id": "e",
                                "usage": n / 100,
                                "requests": n,
                                "prompt_tokens": 100 * n,
                                "completion_tokens": n,
                            }
                        ]
                    }
                )
            )
            and path
        ),
    ),
    "deepseek-csv": (
        "tokens",
        lambda path, n: table(
            path,
            "user_id,utc_date,model,api_key_name,api_key,type,price,amount",
            f"u,2026-10-01,deepseek-chat,k,s,input_cache_miss_tokens,0.1,{100 * n}",
            f"u,2026-10-01,deepseek-chat,k,s,output_tokens,1,{n}",
        ),
    ),
    "deepseek-cost-csv": (
        "cost",
        lambda path, n: table(
            path, "user_id,utc_date,model,wallet_type,cost,currency", f"u,2026-10-01,deepseek-chat,Paid,{n / 10},USD"
        ),
    ),
    "focus": (
        "cost",
        lambda path, n: table(path, FOCUS, f"{n / 10},USD,Usage,2026-10-01,2026-10-02,AI and Machine Learning,OpenAI,OpenAI,s"),
    ),
    "openai-costs-csv": (
        "cost",
        lambda path, n: table(
            path,
            "start_time,end_time,amount_value,amount_currency,line_item",
            f'{OCTOBER_1},{OCTOBER_1 + 86400},{n / 10},usd,"gpt-4o, input"',
            f'{OCTOBER_1},{OCTOBER_1 + 86400},{n / 5},usd,"gpt-4o, output"',
        ),
    ),
    "anthropic-cost-csv": (
        "cost",
        lambda path, n: table(
            path,
            "usage_date_utc,model,workspace,api_key,token_type,cost_usd,cost_type",
            f"2026-10-01,Claude Opus 5,Default,k,input_no_cache,{n / 10},token",
            f"2026-10-01,Claude Opus 5,Default,k,output,{n / 5},token",
        ),
    ),
    "openrouter-daily": (
        "tokens",
        lambda path, n: table(
            path,
            "Date,Slug,Usage,Requests,Prompt Tokens,Completion Tokens",
            f"2026-10-01 00:00:00,openai/gpt-4.1,{n},{n},{100 * n},{n}",
        ),
    ),
    "litellm-activity": (
        "tokens",
        lambda path, n: written(
            path, {"results": [{"date": "2026-10-01", "breakdown": {"models": {"openai/gpt-4o": {"metrics": activity(n)}}}}]}
        ),
    ),
    "litellm-spend-days": (
        "cost",
        lambda path, n: written(path, [{"startTime": "2026-10-01", "spend": n, "users": {}, "models": {"gpt-4o": n}}]),
    ),
    "litellm-ui": (
        "tokens",
        lambda path, n: table(
            path,
            "Date,Team,Team ID,Spend ($),Successful Requests,Prompt Tokens,Completion Tokens",
            f"2026-10-01,Search,t1,{n}.50,{n},{100 * n},{n}",
        ),
    ),
    "azure-metrics": (
        "tokens",
        lambda path, n: written(
            path,
            {
                "interval": "P1D",
                "timespan": "2026-10-01/2026-10-02",
                "value": [
                    {"name": {"value": name}, "timeseries": [{"data": [{"timeStamp": "2026-10-01T00:00:00Z", "total": total}],
                     "metadatavalues": [{"name": {"value": "modelname"}, "value": "gpt-4o"}]}]}
                    for name, total in (("ProcessedPromptTokens", 100 * n), ("GeneratedTokens", n), ("AzureOpenAIRequests", n))
                ],
            },
        ),
    ),
    "snowflake-functions": ("tokens", snowflake),
    "azure-cost": ("tokens", lambda path, n: table(
        path, "Date,MeterCategory,MeterName,UnitOfMeasure,Quantity,CostInBillingCurrency", *(
            f"10/01/2026,Azure OpenAI,gpt 4.1 {kind} glbl Tokens,1K,{count / 1000},{n}"
            for kind, count in (("Inp", 100 * n), ("Outp", n))))),
    **{name: ("tokens", lambda path, n, header=header: table(path, header, *(
        f"2026-10-01,2026-10-02,USE1-NovaLite-{kind}-tokens,{count},Tokens,AmazonBedrock,{n}"
        for kind, count in (("input", 100 * n), ("output", n))))) for name, header in (
            ("aws-cur", ("line_item_usage_start_date,line_item_usage_end_date,line_item_usage_type,line_item_usage_amount,"
             "pricing_unit,line_item_product_code,line_item_unblended_cost")),
            ("aws-cur-older", ("lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/UsageType,lineItem/UsageAmount,"
             "pricing/unit,lineItem/ProductCode,lineItem/UnblendedCost")))},
    **{name: ("tokens", lambda path, n, header=header: table(path, header, *(
        f"2026-10-01,2026-10-02,Vertex AI,Gemini 2.5 Flash GA Text {kind} - Predictions,{count},count,{n},USD"
        for kind, count in (("Input", 100 * n), ("Output", n))))) for name, header in (
            ("gcp-billing", ("usage_start_time,usage_end_time,service_description,sku_description,usage_amount,usage_unit,cost,"
             "currency")),
            ("gcp-report", "Date,Until,Service description,SKU description,Usage amount,Usage unit,Subtotal ($),Note"),
            ("gcp-cost-table", ("Usage start date,Usage end date,Service description,SKU description,Usage amount,Usage unit,"
             "Cost ($),Note")))},
    "generic": ("tokens", lambda path, n: table(
        path, "date,model,requests,input_tokens,output_tokens", f"2026-10-01,gpt-4o,{n},{100 * n},{n}")),
}
"""A day of each bucketed format, with n times the counts."""
OF_FOUR = {"openai-csv": 1200, "openai-costs-api": 0.4, "openai-costs-csv": 1.2, "anthropic-cost-api": 0.4,
           "anthropic-cost-csv": 1.2, "litellm-spend-days": 4.0, "focus": 0.4, "deepseek-cost-csv": 0.4}  # fmt: skip
"""Input tokens, or USD, of a day with n = 4; 400 where it is not said."""
TITLES = {form.name: form.title for form in FORMATS} | {"generic": "table of your own"}


def total(answer: dict[str, object], what: str) -> object:
    return answer["cost_export_usd"] if what == "cost" else (answer["tokens"], answer["requests"])


def test_every_bucketed_format_has_a_day_here() -> None:
    """A new format whose rows are buckets or costs is missing here until two exports of it are tried."""
    assert {form.name for form in FORMATS if form.grain != "call"} | {"generic"} == set(BUCKETED)


@pytest.mark.full  # a second of CPU each
@pytest.mark.parametrize("name", BUCKETED)
def test_two_exports_of_one_day_taken_twice_are_the_last_one(tmp_path: Path, name: str) -> None:
    """First 3, then 4 and once more 4: what counts is the one with 4, as if it had been given alone; strictly, none."""
    what, write = BUCKETED[name]
    ending = ".json" if name.endswith(("api", "activity", "spend-days", "metrics")) else ".csv"
    files = [write(tmp_path / f"{k}{ending}", n) for k, n in enumerate((3, 4))]
    files.append(files[1].with_name(f"2{ending}"))
    files[2].write_bytes(files[1].read_bytes())
    alone, found = usage_answer(files[1]), usage_answer(*files)
    assert [each["format"] for each in found["sources"]] == [TITLES[name]]
    assert (
        total(found, what) == pytest.approx(OF_FOUR.get(name, 400))
        if what == "cost"
        else (found["tokens"]["uncached_input"] == OF_FOUR.get(name, 400))
    )
    assert total(found, what) == total(alone, what)
    assert any("each counts once, with the larger count" in note for note in found["notes"])
    assert any("a bucket that another export holds" in each["reason"] for each in found["dropped"])
    strict = run_usage("--strict", *files[:2])
    assert (strict.exit_code, strict.stdout) == (2, "")
    assert " left out, " in strict.stderr


def test_a_day_that_went_on_between_two_exports_is_not_called_whole(tmp_path: Path) -> None:
    """300, 700 and 800 calls: 800 count, and the day may have gone on after the last."""
    files = [table(tmp_path / f"{n}.csv", OPENAI, openai(0, 24, n)) for n in (300, 700, 800)]
    found = usage_answer(*files)
    assert found["requests"] == 800
    assert found["days"]["complete"] == 0
    assert "went on between two exports" in found["days"]["left_out"][0]["reason"]


@pytest.mark.parametrize(("hours", "requests"), [(24, 24), (12, 30)])
def test_an_hourly_and_a_daily_export_of_one_day_count_once(tmp_path: Path, hours: int, requests: int) -> None:
    """24 hours of one call are the day's 24 (and tell when); 12 hours are less than the day's 30."""
    hourly = table(tmp_path / "h.csv", OPENAI, *(openai(hour, 1, 1) for hour in range(hours)))
    daily = table(tmp_path / "d.csv", OPENAI, openai(0, 24, max(requests, 24)))
    found = usage_answer(hourly, daily)
    assert found["requests"] == requests
    assert [each["rows"] for each in found["dropped"]] == [1 if hours == 24 else 12]


def test_hours_of_one_day_from_two_exports_add_up(tmp_path: Path) -> None:
    files = [
        table(tmp_path / f"{k}.csv", OPENAI, *(openai(hour, 1, 1) for hour in hours))
        for k, hours in enumerate((range(12), range(8, 24)))
    ]
    assert usage_answer(*files)["requests"] == 24


def test_exports_of_two_projects_add_up_and_one_that_is_not_split_beside_them_is_refused(tmp_path: Path) -> None:
    """3 and 4 calls of two projects are 7; an export of all, without projects, would count them again."""
    files = [table(tmp_path / f"{n}.csv", OPENAI, openai(0, 24, n, f"proj_{n}")) for n in (3, 4)]
    assert usage_answer(*files)["requests"] == 7
    run = run_usage(*files, table(tmp_path / "all.csv", OPENAI, openai(0, 24, 7)))
    assert run.exit_code == 2
    assert "both count gpt-4o on 2026-10-01, one of them split by project_id and one not" in run.stderr


def test_an_hourly_export_of_anthropics_console_counts_its_hours(tmp_path: Path) -> None:
    """Hours 9 to 11 of one day: no whole day; with 24 hours, one."""
    header = "usage_date_utc,model_version,api_key,workspace,usage_type,usage_input_tokens_no_cache,usage_output_tokens"
    rows = [f"2026-10-01 {hour:02d}:00,claude-opus-4-1,k,Default,standard,100,1" for hour in range(24)]
    part = usage_answer(table(tmp_path / "part.csv", header, *rows[9:12]))
    assert (part["days"]["complete"], part["tokens"]["uncached_input"]) == (0, 300)
    assert part["days"]["left_out"][0]["reason"] == "is covered from 09:00 to 12:00 alone"
    assert usage_answer(table(tmp_path / "whole.csv", header, *rows))["days"]["complete"] == 1


def test_exports_with_and_without_columns_to_split_by_are_read_together(tmp_path: Path) -> None:
    """Which columns split a row is a number whose width differed with the columns that a file has."""
    plain = "start_time,end_time,project_id,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens"
    table(tmp_path / "a.csv", plain, "1789948800,1790035200,p,10,gpt-6-sol,100,10,20")
    split = ("start_time,end_time,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,"
             "output_tokens,input_cached_tokens")
    table(tmp_path / "b.csv", split, "1790035200,1790121600,p,10,,k,gpt-6-sol,False,default,100,10,20")
    assert usage_answer(tmp_path)["requests"] == 20


SPEND = "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider,status"


@pytest.mark.full
def test_a_call_with_an_id_that_stands_in_its_file_before_counts_once(tmp_path: Path) -> None:
    """Three calls of 100 tokens, all of them written twice; without an id two equal calls are two."""
    rows = [f"{{}},acompletion,0.1,100,10,2026-10-01 12:00:0{k},gpt-4o,openai,success" for k in range(3)]
    named = [row.format(f"c{k}") for k, row in enumerate(rows)]
    found = usage_answer(table(tmp_path / "a.csv", SPEND, *named, *named))
    assert (found["requests"], found["tokens"]["uncached_input"]) == (3, 300)
    assert [(each["reason"], each["rows"]) for each in found["dropped"]] == [("a row that stands in its file before", 3)]
    assert usage_answer(table(tmp_path / "b.csv", SPEND, *(row.format("") for row in (*rows, *rows))))["requests"] == 6
    two = usage_answer(tmp_path / "a.csv", table(tmp_path / "c.csv", SPEND, *named[:2], named[1], named[1].replace("c1", "c9")))
    assert two["requests"] == 4


def test_a_bucket_that_stands_twice_in_its_file_counts_once(tmp_path: Path) -> None:
    """A day of 7 calls and one of 5, the first written twice; with another count, or of another project, both count."""
    rows = [openai(0, 24, 7), openai(24, 24, 5)]
    found = usage_answer(table(tmp_path / "a.csv", OPENAI, *rows, rows[0]))
    assert (found["requests"], found["dropped"][0]["rows"]) == (12, 1)
    assert found["dropped"][0]["reason"] == "a row that stands in its file before"
    assert usage_answer(table(tmp_path / "b.csv", OPENAI, *rows, openai(0, 24, 8), openai(0, 24, 7, "p")))["requests"] == 27


def test_a_call_of_ones_own_table_that_stands_twice_with_its_id_counts_once(tmp_path: Path) -> None:
    """Two exports of one table written one behind the other, which counted twice; without an id they may be two calls."""
    header, calls = "request_id,time,model,input_tokens,output_tokens", ["r1,2026-10-01,gpt-4o,9,1", "r2,2026-10-01,gpt-4o,9,1"]
    assert usage_answer(table(tmp_path / "a.csv", header, *calls, *calls))["requests"] == 2
    named = header.replace("request_id", "person")
    assert usage_answer(table(tmp_path / "b.csv", named, *calls, *calls))["requests"] == 4


@pytest.mark.parametrize("ids", [("c1", "c2"), (7, 7)])
def test_a_column_id_is_of_calls_where_no_two_rows_that_differ_share_one(tmp_path: Path, ids: tuple[object, object]) -> None:
    """Two calls written twice are two; calls of one customer, whose id stands on rows that differ, all count."""
    rows = [f"{each},2026-10-01T00:00:0{k}Z,gpt-4o,9,1" for k, each in enumerate(ids)]
    file = table(tmp_path / "a.csv", "id,time,model,input_tokens,output_tokens", *rows, *rows)
    assert usage_answer(file)["requests"] == (2 if ids[0] != ids[1] else 4)


@pytest.mark.full
def test_calls_whose_times_are_written_in_another_zone_are_the_same_calls(tmp_path: Path) -> None:
    """16:00 and 17:00 UTC, as Snowflake writes them in two zones; one's own calls without an id count unless all are there."""
    head = "START_TIME,END_TIME,MODEL_NAME,REQUEST_ID,TOKENS,TOKENS_GRANULAR"
    row = '2026-11-02 {0},2026-11-02 {0},claude-sonnet-4-5,{1},12,"{{""input"": 10, ""output"": 2}}"'
    utc, west = ("16:00:00.000 +0000", "17:00:00.000 +0000"), ("08:00:00.000 -0800", "09:00:00.000 -0800")
    exports = [table(tmp_path / f"{k}.csv", head, *map(row.format, times, "ab")) for k, times in enumerate((utc, west))]
    assert usage_answer(*exports)["requests"] == 2
    for name, again, calls in (("call_id", west, 2), ("", west, 2), ("", ("08:00:00.000 -0800", "10:00:00.000 -0800"), 4)):
        logs = [table(tmp_path / f"own{k}.csv", f"time,model,input_tokens,output_tokens,{name or 'note'}", *(
            f"2026-11-02 {time},gpt-5,10,2,{call * bool(name)}" for time, call in zip(times, "ab", strict=True)))
            for k, times in enumerate((utc, again))]
        assert usage_answer("--provider", "openai", *logs)["requests"] == calls


def test_an_answer_that_stands_twice_in_a_log_of_ones_own_counts_once_by_its_id(tmp_path: Path) -> None:
    """The ids of three vendors' answers, which lie beside their usages; an answer of embeddings has none, and may be two."""
    openai = {"id": "a", "object": "chat.completion", "created": 1793613600, "model": "gpt-5.4",
              "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    claude = {"id": "m", "model": "claude-haiku-4-5", "usage": {"input_tokens": 9, "output_tokens": 1}}
    gemini = {"responseId": "g", "modelVersion": "gemini-2.5-pro", "usageMetadata": {
        "promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10}}
    none = {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    lines = [openai, *({"timestamp": "2026-11-02T10:00:00Z", "response": each} for each in (claude, gemini, none))]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (*lines, *lines)), encoding="utf-8")
    assert usage_answer(file, "--tasks", "0")["requests"] == 5


def test_equal_buckets_of_a_table_of_ones_own_count_and_are_told(tmp_path: Path) -> None:
    """Two of the three days are alike in all that is read; what is not read may tell two keys apart. No word of others."""
    header, day = "date,model,requests,input_tokens,output_tokens", "2026-10-01,gpt-4o,7,900,10"
    found = usage_answer(table(tmp_path / "a.csv", header, day, day, day.replace("01,", "02,", 1)))
    assert found["requests"] == 21
    assert [note for note in found["notes"] if "1 row stands in a file before" in note]
    assert "in a file before" not in run_usage(table(tmp_path / "b.csv", header, day)).stdout
