"""OpenAI: the dashboard's CSV and the Usage API's pages, which have the same columns, pages of the Costs API, and answers.

Usage. `input_tokens` counts cached reads and cache writes too; `input_uncached_tokens`, where it is there, is what is left. A
bucket holds several rows, one for each combination of what the export was grouped by. Empty buckets have only their times.
Times are UTC. The service tier "incentivized-tier" is free.

Costs, in dollars, of the API or as the dashboard's CSV. The model stands nowhere but in the text of the line item, where the
page was grouped by it: "gpt-6-luna, cached input", with "priority | " before it or ", long context" after it, and the
modality after a model that has several ("gpt-image-2 text, input"). Line items of tools ("web search tool calls") and of
seconds ("whisper") are dropped with their reason, since no token count explains them; a page that was not grouped holds them
inside its one sum. `quantity` is not read: the usage export counts tokens.

Answers: chat completions and responses as the API, or a server that speaks it, gives them. They stand alone, in a list, one a
line, or in the lines of a batch's output, under `response.body`. `prompt_tokens` (of a response `input_tokens`) counts what was
read from the cache, and `completion_tokens` the reasoning. A request that has no answer, and one that failed, count nothing. Of
a streamed answer's chunks, which repeat its id, the one with the most output counts: usage stands in the last, or grows in
each.

Sources: OpenAI's API reference, Usage, completions, and Costs (2026-11-24), Chat completions, Responses and Batch (2026-11-26);
line items as published readers of it saw them in 2026.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from roi.usage.formats.json_counts import buckets, items_of, nested, result_rows
from roi.usage.read.columns import count, find, flag, instant, real, service, text, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import (
    CACHED_ABOVE_INPUT,
    EMPTY_BUCKET,
    NO_TOKENS,
    UNREADABLE_COUNT,
    Document,
    Fields,
    FileOptions,
    Format,
)

STANDARD: Final = ("default", "standard", "auto")
"""Tiers at the list price."""
WRITES: Final = ("input_cache_write_tokens", "input_cache_write_30m_tokens", "input_cache_write_12h_tokens")
"""Tokens written to the cache: in all, and by how long they are kept."""
TIMES: Final = ("start_time", "end_time")
USES: Final = (
    "output_tokens", "input_cached_tokens", "input_uncached_tokens", *WRITES, "num_model_requests", "end_time", "batch",
    "service_tier", "project_id", "user_id", "api_key_id")
KEYS: Final = ("project_id", "user_id", "api_key_id")
COST_USES: Final = ("end_time", "line_item", "quantity_unit", *KEYS)
ITEM: Final = (r"(?i)^\s*(?:([\w-]+) \| )?([^\s,|]+)(?: (?:text|audio|image|video))?"
               r", (?:(?:cached )?input|output|cache writes?)(?:[ _]tokens)?\b")
"""A line item of a model's tokens: tier, then model."""
TOOL: Final = r"(?i)^[a-z0-9 ._-]{1,40} (tool calls|storage|sessions?)$"
"""A line item of a tool, which has words where a name has none."""
UNGROUPED: Final = "no model: the export was not grouped by model"
ANSWERS: Final = ("chat.completion", "response", "text_completion", "chat.completion.chunk")
"""What `object` says of an answer, or a part of one that is streamed."""


def _usage_fields(table: Table, options: FileOptions) -> Fields:
    total, read, model = count(table, "input_tokens"), count(table, "input_cached_tokens"), text(table, "model")
    parts = count(table, WRITES[1]) + count(table, WRITES[2])
    written = text(table, WRITES[0]).isnull().ifelse(parts, count(table, WRITES[0]))
    left = total - read - written
    uncached = left
    if find(table, "input_uncached_tokens"):
        uncached = text(table, "input_uncached_tokens").isnull().ifelse(left, whole(table, "input_uncached_tokens"))
    empty = text(table, "input_tokens").isnull() & text(table, "num_model_requests").isnull()
    tier = text(table, "service_tier").lower()
    return Fields(
        at_us=instant(table, "start_time"), until_us=instant(table, "end_time"), provider="openai",
        model=model, uncached_input=uncached, cache_read=read, cache_write=written, output=count(table, "output_tokens"),
        requests=whole(table, "num_model_requests"), counts=("num_model_requests",),
        **service(tier, STANDARD, flag(table, "batch")),
        reasons=((empty, EMPTY_BUCKET), (left < 0, CACHED_ABOVE_INPUT), (left.isnull(), UNREADABLE_COUNT),
                 (empty if options.model else model.isnull(), UNGROUPED)))


def _cost_fields(table: Table, _: FileOptions) -> Fields:
    item, currency, unit = (text(table, name) for name in ("line_item", "amount_currency", "quantity_unit"))
    of_tokens = item.re_search(ITEM).fill_null(False)
    other = ibis.cases((unit.notnull(), unit.lower() != "tokens"), (item.notnull(), ~of_tokens), else_=False)
    empty = currency.isnull() & text(table, "amount_value").isnull()
    return Fields(
        at_us=instant(table, "start_time"), until_us=instant(table, "end_time"), provider="openai",
        model=ibis.cases((of_tokens, item.re_extract(ITEM, 2)), (item.re_search(TOOL), item.replace(" ", "_")), else_=item),
        **service(ibis.ifelse(of_tokens, item.re_extract(ITEM, 1).lower().nullif(""), None), ()),
        long_context=item.lower().contains("long context").fill_null(False), cost_usd=real(table, "amount_value"),
        currency=currency, reasons=((empty, EMPTY_BUCKET), (other, NO_TOKENS)))


def _kinds(document: Document) -> list[object]:
    """Kinds of the results of a page, or of one bucket of it."""
    return [result.get("object") for _, results in buckets(document, *TIMES) for result in results]


def usage_rows(document: Document) -> Iterator[Document]:
    """A row for each result of the Usage API, with its bucket's times."""
    for times, result in result_rows(document, *TIMES):
        yield {**{name: result[name] for name in ("model", "input_tokens", *USES) if name in result}, **times}


def cost_rows(document: Document) -> Iterator[Document]:
    """A row for each result of the Costs API, with its bucket's times."""
    for times, result in result_rows(document, *TIMES):
        amount = nested(result, "amount")
        yield {**times, "amount_value": amount.get("value"), "amount_currency": amount.get("currency"),
               **{name: result.get(name) for name in COST_USES[1:]}}


def _answer(item: Document) -> tuple[Document, bool]:
    """(answer, True where it is a line of a batch's output)."""
    body = nested(nested(item, "response"), "body")
    return (body, True) if body and "custom_id" in item else (item, False)


def _has_answers(document: Document) -> bool:
    answer, _ = _answer(next(items_of(document), {}))
    return answer.get("object") in ANSWERS and "model" in answer


def answers(document: Document) -> Iterator[Document]:
    """A row for each answer of a page, or the document itself."""
    for item in items_of(document):
        answer, batch = _answer(item)
        usage = nested(answer, "usage")
        given = nested(usage, "prompt_tokens_details") or nested(usage, "input_tokens_details")
        made = nested(usage, "completion_tokens_details") or nested(usage, "output_tokens_details")
        yield {
            "id": answer.get("id"), "object": answer.get("object"), "model": answer.get("model"),
            "timestamp": answer.get("created", answer.get("created_at")),
            "service_tier": answer.get("service_tier"), "batch": batch,
            "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
            "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
            "cached_tokens": given.get("cached_tokens"), "reasoning_tokens": made.get("reasoning_tokens"),
        }  # fmt: skip


def call_fields(table: Table, _: FileOptions) -> Fields:
    """What answers say; who is paid is the user's word, or the model's maker."""
    tier = text(table, "service_tier").lower()
    return Fields(
        at_us=instant(table, "timestamp"), model=text(table, "model"), input=whole(table, "input_tokens"),
        cache_read=count(table, "cached_tokens"), output=whole(table, "output_tokens"),
        reasoning=count(table, "reasoning_tokens"), **service(tier, STANDARD, flag(table, "batch")),
        reasons=((text(table, "input_tokens").isnull(), "an answer without its usage"),))


OPENAI_CSV: Final = Format(
    name="openai-csv", title="OpenAI dashboard CSV", grain="bucket",
    needs=frozenset({"start_time", "num_model_requests", "input_tokens", "model"}), uses=USES, fields=_usage_fields, parts=KEYS,
    split_by=(*KEYS, "batch", "service_tier"), groups={"project": "project_id", "key": "api_key_id", "user": "user_id"})
OPENAI_USAGE_API: Final = replace(
    OPENAI_CSV, name="openai-usage-api", title="OpenAI Usage API", needs=OPENAI_CSV.needs | {"object"}, flatten=usage_rows,
    recognises=lambda page: page.get("object") == "page" and "organization.usage.completions.result" in _kinds(page))
OPENAI_COSTS_CSV: Final = Format(
    name="openai-costs-csv", title="OpenAI cost CSV", grain="cost",
    needs=frozenset({"start_time", "amount_value", "amount_currency"}), uses=COST_USES, fields=_cost_fields,
    parts=(*KEYS, "line_item"), split_by=(*KEYS, "line_item"), groups={"project": "project_id", "key": "api_key_id"})
OPENAI_COSTS_API: Final = replace(
    OPENAI_COSTS_CSV, name="openai-costs-api", title="OpenAI Costs API", needs=OPENAI_COSTS_CSV.needs | {"object"},
    flatten=cost_rows, recognises=lambda document: "organization.costs.result" in _kinds(document))
OPENAI_CALLS: Final = Format(
    name="openai-calls", title="chat completions and responses", grain="call",
    needs=frozenset({"object", "id", "timestamp", "model", "input_tokens", "output_tokens"}),
    uses=("service_tier", "batch", "cached_tokens", "reasoning_tokens"), fields=call_fields, recognises=_has_answers,
    flatten=answers, once=("id", "output_tokens"))
