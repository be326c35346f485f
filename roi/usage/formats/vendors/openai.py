"""OpenAI: the dashboard's CSV and the Usage API's pages, which have the same columns, and pages of the Costs API.

Usage. `input_tokens` counts cached reads and cache writes too; `input_uncached_tokens`, where it is there, is what is left. A
bucket holds several rows, one for each combination of what the export was grouped by. Empty buckets have only their times.
Times are UTC. The service tier "incentivized-tier" is free.

Costs, in dollars, of the API or as the dashboard's CSV. The model stands nowhere but in the text of the line item, where the
page was grouped by it: "gpt-6-luna, cached input", with "priority | " before it or ", long context" after it, and the
modality after a model that has several ("gpt-image-2 text, input"). Line items of tools ("web search tool calls") and of
seconds ("whisper") are dropped with their reason, since no token count explains them; a page that was not grouped holds them
inside its one sum. `quantity` is not read: the usage export counts tokens.

Sources: OpenAI's API reference, Usage, completions, and Costs (2026-11-24); line items as published readers of it saw them in
2026.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from roi.usage.formats.json_counts import buckets, nested, result_rows
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


def usage_fields(table: Table, options: FileOptions) -> Fields:
    """What rows of the dashboard's CSV and results of the Usage API say."""
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


def cost_fields(table: Table, _: FileOptions) -> Fields:
    """What rows of the dashboard's cost CSV and results of the Costs API say."""
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


OPENAI_CSV: Final = Format(
    name="openai-csv", title="OpenAI dashboard CSV", grain="bucket",
    needs=frozenset({"start_time", "num_model_requests", "input_tokens", "model"}), uses=USES, fields=usage_fields, parts=KEYS,
    split_by=(*KEYS, "batch", "service_tier"), groups={"project": "project_id", "key": "api_key_id", "user": "user_id"})
OPENAI_USAGE_API: Final = replace(
    OPENAI_CSV, name="openai-usage-api", title="OpenAI Usage API", needs=OPENAI_CSV.needs | {"object"}, flatten=usage_rows,
    recognises=lambda page: page.get("object") == "page" and "organization.usage.completions.result" in _kinds(page))
OPENAI_COSTS_CSV: Final = Format(
    name="openai-costs-csv", title="OpenAI cost CSV", grain="cost",
    needs=frozenset({"start_time", "amount_value", "amount_currency"}), uses=COST_USES, fields=cost_fields,
    parts=(*KEYS, "line_item"), split_by=(*KEYS, "line_item"), groups={"project": "project_id", "key": "api_key_id"})
OPENAI_COSTS_API: Final = replace(
    OPENAI_COSTS_CSV, name="openai-costs-api", title="OpenAI Costs API", needs=OPENAI_COSTS_CSV.needs | {"object"},
    flatten=cost_rows, recognises=lambda document: "organization.costs.result" in _kinds(document))
