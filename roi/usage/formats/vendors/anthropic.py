"""Anthropic: the Claude Console's usage CSV, and pages of the usage report and the cost report.

Usage. The four input columns are disjoint: one leaves out what was read from the cache and what was written to it, for five
minutes or an hour (in the report cache writes lie one level deeper). Output counts thinking too. A row of the CSV is one UTC
day (or hour, where the console showed hours) of a model, a key, a workspace and a kind of use. Calls are not counted.
Priority and fast rows are kept with that word as their tier. What the report was not grouped by is null: without the model
nothing can be priced, and without the service tier batch calls cannot be told from others. A bucket without use has no
results. Inference in the US alone (`inference_geo` us) is a tier of that name: from Claude Opus 4.6 on it costs 1.1 times the
list, which no price list at hand has, so that a note says of how much money. Web searches are billed a piece: a note tells
their number and price.

Costs. `amount` is a decimal number in text and counts cents, whatever its digits look like: "123.45" is 1.23 dollars. The
model is stated where the report was grouped by description, for tokens alone. Web searches, code execution and sessions are
billed too; no token count explains them, so they are dropped with that reason (an ungrouped report holds them inside its one
sum). Priority Tier is never in this report.

Sources: Anthropic's API reference, Get Messages Usage Report and Get Cost Report (2026-11-24); the CSV's column names as in
exports that users published between March and September 2026.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from roi.usage.formats.json_counts import buckets, nested, result_rows
from roi.usage.read.columns import DAY_US, count, faster_or_inside, instant, real, service, text, utc, whole
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, FILE, NO_TOKENS, Document, Fields, FileOptions, Format

STANDARD: Final = ("standard", "batch", "message", "api")
"""Kinds of use that are no tier: batch is a column of its own."""
CSV_READ: Final = "usage_input_tokens_cache_read"
CSV_WRITE_5M: Final = "usage_input_tokens_cache_write_5m"
CSV_WRITE_1H: Final = "usage_input_tokens_cache_write_1h"
CSV_WRITE: Final = "usage_input_tokens_cache_write"
"""Cache writes in exports from before there were two lives."""
WRITE_5M: Final = "cache_creation.ephemeral_5m_input_tokens"
SEARCHES: Final = "server_tool_use.web_search_requests"
WRITE_1H: Final = "cache_creation.ephemeral_1h_input_tokens"
"""Names with a dot: where a library has flattened the page to a table, it writes them so."""
UNGROUPED: Final = "no model: the report was not grouped by model"
TIMES: Final = ("starting_at", "ending_at")
USAGE: Final = (
    "uncached_input_tokens", "cache_read_input_tokens", "output_tokens", "model", "service_tier", "context_window", "speed",
    "inference_geo", "api_key_id", "workspace_id", "account_id")
"""Values of a result of the usage report that are taken as they are."""
KEYS: Final = ("api_key_id", "workspace_id", "account_id")
COSTS: Final = ("amount", "currency", "cost_type", "model", "service_tier", "context_window", "workspace_id")
"""Values of a result of the cost report that are read; its description and token type are not."""


def _csv_fields(table: Table, _: FileOptions) -> Fields:
    start, written_1h = utc(table, "usage_date_utc"), count(table, CSV_WRITE_1H)
    return Fields(
        at_us=start, until_us=start + _width_us(table, start), provider="anthropic",
        model=text(table, "model_version"), uncached_input=whole(table, "usage_input_tokens_no_cache"),
        cache_read=count(table, CSV_READ),
        cache_write=count(table, CSV_WRITE_5M) + written_1h + count(table, CSV_WRITE), cache_write_1h=written_1h,
        output=whole(table, "usage_output_tokens"), requests=None, web_searches=count(table, "web_search_count"),
        **kind_of_use(table, "usage_type"))


def _width_us(table: Table, start: Column) -> Column:
    """A day where all rows of the export begin at midnight or are dates alone, else an hour."""
    of_hours = (start % DAY_US != 0).fill_null(False)
    any_hour = of_hours.max().over(group_by=FILE) if FILE in table.columns else of_hours.max().over()
    return ibis.ifelse(any_hour, DAY_US // 24, DAY_US)


def _usage_fields(table: Table, options: FileOptions) -> Fields:
    written_1h, model = count(table, WRITE_1H), text(table, "model")
    empty = text(table, "uncached_input_tokens").isnull() & text(table, "output_tokens").isnull()
    return Fields(
        at_us=instant(table, "starting_at"), until_us=instant(table, "ending_at"), provider="anthropic",
        model=model, uncached_input=whole(table, "uncached_input_tokens"), cache_read=count(table, "cache_read_input_tokens"),
        cache_write=count(table, WRITE_5M) + written_1h, cache_write_1h=written_1h, output=whole(table, "output_tokens"),
        requests=None, web_searches=count(table, SEARCHES), **kind_of_use(table, "service_tier"),
        reasons=((empty, EMPTY_BUCKET), *(() if options.model else ((model.isnull(), UNGROUPED),))))


def cost_fields(table: Table, _: FileOptions) -> Fields:
    """What results of the cost report say, in dollars."""
    kind = text(table, "cost_type").fill_null("tokens")
    of_tokens = kind == "tokens"
    empty = text(table, "amount").isnull() & text(table, "currency").isnull()
    return Fields(
        at_us=instant(table, "starting_at"), until_us=instant(table, "ending_at"), provider="anthropic",
        model=ibis.ifelse(of_tokens, text(table, "model"), kind), **kind_of_use(table, "service_tier"),
        cost_usd=real(table, "amount") / 100.0,  # cents
        currency=text(table, "currency"), reasons=((empty, EMPTY_BUCKET), (~of_tokens, NO_TOKENS)))


def cost_csv_fields(table: Table, _: FileOptions) -> Fields:
    """What rows of the console's cost CSV say, in dollars; its model is a name for people."""
    start, kind = utc(table, "usage_date_utc"), text(table, "cost_type").lower().fill_null("token")
    return Fields(
        at_us=start, until_us=start + _width_us(table, start), provider="anthropic",
        model=ibis.ifelse(kind.startswith("token"), text(table, "model"), kind.replace(" ", "_")),
        **kind_of_use(table, "usage_type"), cost_usd=real(table, "cost_usd"), reasons=((~kind.startswith("token"), NO_TOKENS),))


def kind_of_use(table: Table, column: str) -> dict[str, Any]:  # Any: values of Fields
    """The Fields that change the price: batch, the tier of a row that is not at the list price, and a long context.

    The window above 200,000 tokens is `200k-1M` in the API; the console writes ≤ and >.
    """
    kind, window = text(table, column).lower(), text(table, "context_window").lower()
    ran = service(kind, STANDARD)
    return {
        "batch": ran["batch"],
        "tier": faster_or_inside(ran["tier"], text(table, "speed"), text(table, "inference_geo")),
        "long_context": window.contains("1m") | window.startswith(">"),
    }


def _has_results(*keys: str) -> Callable[[Document], bool]:
    """Whether a document is a page of a report, or one bucket of it, with a result that has these keys."""
    return lambda document: any(result.keys() >= {*keys} for _, results in buckets(document, *TIMES) for result in results)


def usage_rows(document: Document) -> Iterator[Document]:
    """A row for each result of the usage report, with its bucket's times."""
    for times, result in result_rows(document, *TIMES):
        creation = nested(result, "cache_creation")
        yield {**times, **{name: result.get(name) for name in USAGE},
               WRITE_5M: creation.get("ephemeral_5m_input_tokens"), WRITE_1H: creation.get("ephemeral_1h_input_tokens"),
               SEARCHES: nested(result, "server_tool_use").get("web_search_requests")}


def cost_rows(document: Document) -> Iterator[Document]:
    """A row for each result of the cost report, with its bucket's times."""
    for times, result in result_rows(document, *TIMES):
        yield {**times, **{name: result.get(name) for name in COSTS}}


ANTHROPIC_CSV: Final = Format(
    name="anthropic-csv", title="Anthropic console CSV", grain="bucket",
    needs=frozenset({"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"}),
    uses=(CSV_READ, CSV_WRITE_5M, CSV_WRITE_1H, CSV_WRITE, "usage_type", "context_window", "speed", "api_key", "workspace",
          "inference_geo", "web_search_count"),
    fields=_csv_fields, parts=("api_key", "workspace", "inference_geo"), groups={"key": "api_key", "project": "workspace"})
ANTHROPIC_USAGE_API: Final = Format(
    name="anthropic-usage-api", title="Anthropic usage report", grain="bucket",
    needs=frozenset({"starting_at", "uncached_input_tokens", "cache_read_input_tokens", "output_tokens", WRITE_5M, WRITE_1H}),
    uses=("ending_at", SEARCHES, *USAGE), fields=_usage_fields, recognises=_has_results("uncached_input_tokens"),
    flatten=usage_rows, parts=(*KEYS, "inference_geo"),
    split_by=(*KEYS, "service_tier", "context_window", "speed", "inference_geo"),
    groups={"key": "api_key_id", "project": "workspace_id", "user": "account_id"})
ANTHROPIC_COST_API: Final = Format(
    name="anthropic-cost-api", title="Anthropic cost report", grain="cost",
    needs=frozenset({"starting_at", "ending_at", "amount", "currency", "cost_type", "workspace_id"}),
    uses=COSTS, fields=cost_fields, recognises=_has_results("amount", "currency"), flatten=cost_rows,
    parts=("workspace_id", "cost_type"), split_by=("workspace_id", "model"), groups={"project": "workspace_id"})
ANTHROPIC_COST_CSV: Final = Format(
    name="anthropic-cost-csv", title="Anthropic cost CSV", grain="cost",
    needs=frozenset({"usage_date_utc", "model", "token_type", "cost_usd"}),
    uses=("cost_type", "usage_type", "context_window", "speed", "api_key", "workspace", "inference_geo"),
    fields=cost_csv_fields,
    parts=("api_key", "workspace", "usage_type", "token_type", "cost_type", "context_window", "inference_geo"),
    groups={"key": "api_key", "project": "workspace"})
