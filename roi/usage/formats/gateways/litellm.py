"""LiteLLM: its tables of calls and of days, what its callbacks log of calls, what its UI exports and its endpoints answer.

Calls: LiteLLM_SpendLogs, as CSV, JSON, Parquet or in its database. `prompt_tokens` counts cache reads and writes too,
Anthropic's as well. Their counts are in `metadata` alone, under usage_object or additional_usage_values; where both are absent,
the split is unknown and all input counts as uncached. Times are UTC. A spend of 0 is that of a model without a price in
LiteLLM, so it is no cost. What LiteLLM answers out of its own cache, failed calls, and calls that are no completion do not
count.

Days: LiteLLM_DailyUserSpend (or those of teams, organizations and end users, which hold the same). `prompt_tokens` is the sum
over the calls of SpendLogs, so it counts cache reads and writes too. `cache_read_input_tokens` is summed from Anthropic's
field alone: OpenAI's cached reads, which LiteLLM keeps elsewhere, count as uncached input here; the table of calls has them.
Calls answered by LiteLLM's own cache are in the sums and cannot be told apart. Days are UTC. The table of tags does not
count: it counts a call once for each of its tags.

Logs: what its callbacks write to S3, GCS or a file, a StandardLoggingPayload a call, which has the fields of SpendLogs but
under other names (OF_PAYLOAD, and `response_cost`); older ones have their usage in `response` alone.

Reports: sums of these tables. /daily/activity (of users, teams, tags or all) breaks a day down by model: the counts are those
of the table of days, without who is paid but for a name before the model. /spend/logs answers with days when it is asked for a
span of dates: money by model alone, so a cost. The UI's CSV has days of a team (or tag, key, user) without models, its amounts
with commas; its other CSV, "daily with models", gives every model of a team all that the team spent (2026-07) and has no split
of tokens, so that it is not read.

Source: BerriAI/litellm, proxy/spend_tracking, proxy/db and types/utils.py (2026-10); ui/litellm-dashboard EntityUsageExport and
common_daily_activity (2026-07), rows as in its tests.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from roi.catalog.prices.api_prices import ALIASES
from roi.usage.formats.json_counts import amount, has_keys, items_of, json_of, nested, object_of, pruned, scalars, with_counts
from roi.usage.read.columns import DAY_US, bounded, count, find, flag, real, text, utc, whole
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.names_alone import NO_MODEL
from roi.usage.read.record import EMPTY_BUCKET, Document, Fields, FileOptions, Format

CALL_NEEDS: Final = frozenset({"starttime", "prompt_tokens", "completion_tokens", "model", "spend"})
PAYLOAD_NEEDS: Final = CALL_NEEDS - {"spend"} | {"response_cost", "call_type"}
CALL_USES: Final = (
    "request_id", "call_type", "custom_llm_provider", "metadata", "cache_hit", "status", "request_tags", "api_key", "end_user",
    "user", "team_id", "session_id")
DAY_USES: Final = (
    "custom_llm_provider", "api_key", "cache_read_input_tokens", "cache_creation_input_tokens", "successful_requests",
    "failed_requests", "mcp_namespaced_tool_name", "user_id", "end_user_id", "team_id", "organization_id", "tag")
DAY_PARTS: Final = ("api_key", "user_id", "end_user_id", "team_id", "organization_id", "tag", "mcp_namespaced_tool_name")
COUNTS: Final = {
    name: tuple((holder, *path) for holder in ("usage_object", "additional_usage_values") for path in paths)
    for name, paths in {
        "n_read": (("cache_read_input_tokens",), ("prompt_tokens_details", "cached_tokens")),
        "n_write": (("cache_creation_input_tokens",), ("prompt_tokens_details", "cache_creation_tokens")),
        "n_write_1h": (("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"),),
        "n_reasoning": (("completion_tokens_details", "reasoning_tokens"),),
    }.items()
}
"""Counts in `metadata`, and where they may stand."""
OF_PAYLOAD: Final = {"api_key": "user_api_key_hash", "user": "user_api_key_user_id", "team_id": "user_api_key_team_id"}
"""What SpendLogs calls whose a call is, and where a payload has it in `metadata`."""
FAILED: Final = "failure"
TAGGED: Final = "the table of tags, which counts a call once for each of its tags; export LiteLLM_DailyUserSpend"
OTHER_CALLS: Final = "embedding|image|transcription|speech|moderation|rerank|ocr|search|video|vector_store|mcp|file|batch"
"""Words of call types that are no completion. A batch job's row holds many calls and comes again with each look at the job."""
FAMILIES: Final = {"bedrock": "aws", "azure": "azure", "vertex_ai": "google"}
"""Beginnings of provider names (bedrock_converse, azure_ai, vertex_ai-anthropic_models) and who is paid."""
METRICS: Final = ("spend", "prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
                  "api_requests", "successful_requests", "failed_requests")  # fmt: skip
UI_COUNTS: Final = ("prompt tokens", "completion tokens", "cache read tokens", "cache creation tokens")
ENTITIES: Final = ("team", "tag", "user", "organization", "customer", "agent")
"""What the UI's rows may be of."""


def _provider(table: Table) -> Column:
    """Who is paid, from custom_llm_provider."""
    own = text(table, "custom_llm_provider").lower()
    named = [(own.startswith(start), ibis.literal(paid)) for start, paid in FAMILIES.items()]
    return ibis.cases(*named, else_=own)


def _model(table: Table) -> Column:
    """The model without its provider's name before it."""
    model = text(table, "model")
    prefix = text(table, "custom_llm_provider").concat("/").fill_null("")
    return model.startswith(prefix).ifelse(model.substr(prefix.length()), model)


def _call_fields(table: Table, _: FileOptions) -> Fields:
    status, metadata = text(table, "status"), json_of(table, "metadata")
    if metadata is not None:
        status = ibis.coalesce(status, metadata["status"].str)
    return Fields(
        at_us=utc(table, "starttime"), provider=_provider(table), model=_model(table),
        input=whole(table, "prompt_tokens"), cache_read=table["n_read"], cache_write=table["n_write"],
        cache_write_1h=table["n_write_1h"], output=count(table, "completion_tokens"), reasoning=table["n_reasoning"],
        cost_usd=real(table, "spend").nullif(0.0), costs=("spend",),
        reasons=((status.lower() == FAILED, "a failed call"),
                 (flag(table, "cache_hit"), "answered by the gateway's own cache"),
                 (text(table, "call_type").lower().re_search(OTHER_CALLS),
                  "no completion (an embedding, image, batch job or the like)")))


def _day_fields(table: Table, _: FileOptions) -> Fields:
    total, output = whole(table, "prompt_tokens"), count(table, "completion_tokens")
    served = ibis.coalesce(whole(table, "successful_requests"), whole(table, "api_requests"))
    start = utc(table, "date")
    tool = text(table, "mcp_namespaced_tool_name").notnull() & text(table, "model").isnull()
    failed = (served == 0) & (total + output == 0)
    return Fields(
        at_us=start, until_us=start + DAY_US, provider=_provider(table), model=_model(table),
        input=total, cache_read=count(table, "cache_read_input_tokens"), output=output, requests=served,
        cache_write=count(table, "cache_creation_input_tokens"), counts=("successful_requests", "api_requests"),
        cost_usd=real(table, "spend").nullif(0.0), costs=("spend",),
        reasons=((text(table, "tag").notnull(), TAGGED), (tool, "calls of a tool, not of a model"),
                 (failed & (count(table, "failed_requests") > 0), "failed calls"),
                 (failed, EMPTY_BUCKET)))


def prepare_calls(table: Table) -> Table:
    """The calls with their counts, the first tag for the list of tags (LiteLLM adds its own), the end user for the user."""
    changed: dict[str, Column] = {}
    tags, name = json_of(table, "request_tags"), find(table, "request_tags")
    if tags is not None and name is not None:
        first = tags[0].str
        own = first.startswith("User-Agent:") | first.startswith("Credential:")
        changed[name] = own.ifelse(ibis.null("string"), first)
    user = find(table, "user")
    if user is not None and find(table, "end_user"):
        changed[user] = ibis.coalesce(text(table, "end_user"), text(table, "user"))
    return with_counts(table.mutate(**changed), ("metadata",), COUNTS)


def spend_log_rows(document: Document) -> Iterator[Document]:
    """Rows of a row, or of a page of /spend/logs: `metadata` cut down to its counts and status, the tags to the first."""
    for item in items_of(document):
        row, metadata = scalars(item, LITELLM_SPENDLOGS.columns), item.get("metadata")
        row["metadata"] = pruned(metadata, COUNTS)
        words, tags = object_of(metadata), object_of(item.get("request_tags"))
        if isinstance(words, dict) and words.get("status") == FAILED:
            row["metadata"]["status"] = FAILED
        row["request_tags"] = [str(tag) for tag in tags[:1]] if isinstance(tags, list) else []
        yield row


def payload_rows(document: Document) -> Iterator[Document]:
    """Rows of what a callback logs, as `spend_log_rows` gives those of /spend/logs."""
    for item in items_of(document):
        metadata, response = object_of(item.get("metadata")), object_of(item.get("response"))
        told = {name: value for name, value in metadata.items() if value} if isinstance(metadata, dict) else {}
        usage = response.get("usage") if isinstance(response, dict) else None
        own = {"request_id": item.get("id"), "session_id": item.get("trace_id"), "spend": item.get("response_cost")}
        own |= {name: told.get(path) for name, path in OF_PAYLOAD.items()}
        yield from spend_log_rows(item | own | {"metadata": {"usage_object": usage} | told})


def _by_model(document: Document) -> Iterator[tuple[object, str, Document]]:
    """(day, model, metrics) of an answer of /daily/activity, or one day of it."""
    results = document.get("results", [document])
    for day in results if isinstance(results, list) else ():
        for model, held in nested(nested(day, "breakdown") if isinstance(day, dict) else {}, "models").items():
            if isinstance(held, dict):
                yield day.get("date"), model, nested(held, "metrics") or held


def activity_rows(document: Document) -> Iterator[Document]:
    """A row for each model of each day."""
    for day, model, metrics in _by_model(document):
        head, _, rest = model.partition("/")
        paid = head in ALIASES or head.startswith(tuple(FAMILIES)) or head in {"openai", "anthropic", "groq", "openrouter"}
        yield {
            **{name: amount(metrics.get(name)) for name in METRICS},
            "date": day,
            "model": rest if paid and rest else model,
            "custom_llm_provider": head if paid and rest else None,
        }


def spend_rows(document: Document) -> Iterator[Document]:
    """A row for each model of the day."""
    for model, spend in document["models"].items():
        yield {"starttime": document.get("startTime"), "model": model, "spend": amount(spend), "spend by day": True}


def _spend_fields(table: Table, _: FileOptions) -> Fields:
    start = utc(table, "starttime")
    return Fields(
        at_us=start, until_us=start + DAY_US, provider="litellm", model=text(table, "model"), cost_usd=real(table, "spend"))


def _ui_fields(table: Table, options: FileOptions) -> Fields:
    start, total, served = utc(table, "date"), whole(table, "prompt tokens"), whole(table, "successful requests")
    output = count(table, "completion tokens")
    spend = bounded(text(table, "spend ($)").replace(",", "").replace("$", "").try_cast("float64"))
    return Fields(
        at_us=start, until_us=start + DAY_US, model=options.model or NO_MODEL, input=total,
        cache_read=count(table, "cache read tokens"), cache_write=count(table, "cache creation tokens"), output=output,
        requests=served, counts=("successful requests",), cost_usd=spend.nullif(0.0),
        reasons=(((served == 0) & (total + output == 0), EMPTY_BUCKET),))


LITELLM_SPENDLOGS: Final = Format(
    name="litellm-spendlogs", title="LiteLLM spend logs", grain="call", needs=CALL_NEEDS, uses=CALL_USES, fields=_call_fields,
    prepare=prepare_calls, recognises=partial(has_keys, CALL_NEEDS), flatten=spend_log_rows,
    groups={"tag": "request_tags", "key": "api_key", "user": "user", "project": "team_id", "session": "session_id"})
LITELLM_LOGS: Final = replace(
    LITELLM_SPENDLOGS, name="litellm-logs", title="LiteLLM logs of calls", needs=PAYLOAD_NEEDS, uses=("spend", *CALL_USES),
    recognises=partial(has_keys, PAYLOAD_NEEDS), flatten=payload_rows, table_by_document=True)
LITELLM_DAILY: Final = Format(
    name="litellm-daily", title="LiteLLM daily spend", grain="bucket",
    needs=frozenset({"date", "model", "prompt_tokens", "completion_tokens", "spend", "api_requests"}), uses=DAY_USES,
    fields=_day_fields, parts=DAY_PARTS, groups={"key": "api_key", "user": "user_id", "project": "team_id"})
LITELLM_ACTIVITY: Final = replace(
    LITELLM_DAILY, name="litellm-activity", title="LiteLLM daily activity", flatten=activity_rows,
    recognises=lambda document: next(_by_model(document), None) is not None)
LITELLM_SPEND_DAYS: Final = Format(
    name="litellm-spend-days", title="LiteLLM spend by day", grain="cost",
    needs=frozenset({"starttime", "model", "spend", "spend by day"}), uses=(), fields=_spend_fields,
    recognises=lambda day: {"startTime", "spend", "models"} <= day.keys() and isinstance(day["models"], dict),
    flatten=spend_rows)
LITELLM_UI: Final = Format(
    name="litellm-ui", title="LiteLLM UI CSV", grain="bucket",
    needs=frozenset({"date", "spend ($)", "successful requests", "prompt tokens", "completion tokens"}),
    uses=(*UI_COUNTS, *ENTITIES, *(f"{name} id" for name in ENTITIES)), fields=_ui_fields,
    parts=(*ENTITIES, *(f"{name} id" for name in ENTITIES)), groups={"project": "team", "tag": "tag", "user": "user"})
