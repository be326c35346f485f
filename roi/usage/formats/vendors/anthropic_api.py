"""Anthropic: pages of the usage report, /v1/organizations/usage_report/messages.

The input counts are disjoint, as in the console's CSV; cache writes lie one level deeper, by how long they are kept. What the
report was not grouped by is null: without the model nothing can be priced, and without the service tier batch calls cannot be
told from others. Calls are not counted. A bucket without use has no results. Source: Anthropic's API reference, Get Messages
Usage Report (2026-11-24).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roi.usage.formats.vendors.anthropic_csv import above_edge, is_batch, tier
from roi.usage.read.columns import count, instant, text, whole
from roi.usage.read.format import Document, Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

WRITE_5M = "cache_creation.ephemeral_5m_input_tokens"
WRITE_1H = "cache_creation.ephemeral_1h_input_tokens"
"""Names with a dot: where a library has flattened the page to a table, it writes them so."""

PLAIN = (
    "uncached_input_tokens", "cache_read_input_tokens", "output_tokens", "model", "service_tier", "context_window", "speed",
    "api_key_id", "workspace_id", "account_id",
)  # fmt: skip
"""Values of a result that are taken as they are."""

EMPTY = "empty bucket"
UNGROUPED = "no model: the report was not grouped by model"


def records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Records of usage report pages."""
    written_1h, model = count(table, WRITE_1H), text(table, "model")
    empty = text(table, "uncached_input_tokens").isnull() & text(table, "output_tokens").isnull()
    return record(table, ANTHROPIC_USAGE_API.name, Fields(
        kind="bucket", at_us=instant(table, "starting_at"), until_us=instant(table, "ending_at"), provider="anthropic",
        model=model.fill_null(asked.model) if asked.model else model,
        uncached_input=whole(table, "uncached_input_tokens"), cache_read=count(table, "cache_read_input_tokens"),
        cache_write=count(table, WRITE_5M) + written_1h, cache_write_1h=written_1h, output=whole(table, "output_tokens"),
        requests=None, batch=is_batch(table, "service_tier"), tier=tier(table, "service_tier"),
        long_context=above_edge(table), group=group_column(ANTHROPIC_USAGE_API, table, asked),
        reasons=((empty, EMPTY), *(() if asked.model else ((model.isnull(), UNGROUPED),))),
    ))  # fmt: skip


def is_page(document: Document) -> bool:
    """True for a page of the usage report, or one bucket of it, in which something was used."""
    return any("uncached_input_tokens" in result for _, results in buckets(document) for result in results)


def page_rows(document: Document) -> Iterator[Document]:
    """A row for each result, with its bucket's times; a bucket without results as an empty one."""
    for times, results in buckets(document):
        for result in results or [{}]:
            creation = nested(result, "cache_creation")
            yield {**times, **{name: result.get(name) for name in PLAIN},
                   WRITE_5M: creation.get("ephemeral_5m_input_tokens"), WRITE_1H: creation.get("ephemeral_1h_input_tokens")}


def nested(result: Document, name: str) -> Document:
    """The object inside a result; an empty one where it is something else."""
    inner = result.get(name)
    return inner if isinstance(inner, dict) else {}


def buckets(document: Document) -> Iterator[tuple[Document, list[Document]]]:
    """(times, results) of each bucket of a report's page; also of a bucket alone, as pages joined by hand have it."""
    data = document.get("data", [document])
    for bucket in data if isinstance(data, list) else ():
        if isinstance(bucket, dict) and "starting_at" in bucket and isinstance(bucket.get("results"), list):
            times = {name: bucket.get(name) for name in ("starting_at", "ending_at")}
            yield times, [result for result in bucket["results"] if isinstance(result, dict)]


ANTHROPIC_USAGE_API = Format(
    name="anthropic-usage-api", title="Anthropic usage report", grain="bucket",
    needs=frozenset({"starting_at", "uncached_input_tokens", "cache_read_input_tokens", "output_tokens", WRITE_5M, WRITE_1H}),
    uses=("ending_at", *PLAIN), records=records, recognises=is_page, flatten=page_rows,
    groups={"key": "api_key_id", "project": "workspace_id", "user": "account_id"},
)  # fmt: skip
