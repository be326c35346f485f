"""OpenAI: the dashboard's CSV and the Usage API's pages, which have the same columns.

`input_tokens` counts cached reads and cache writes too; `input_uncached_tokens`, where it is there, is what is left. A bucket
holds several rows, one for each combination of what the export was grouped by. Empty buckets have only their times. Times are
UTC. The service tier "incentivized-tier" is free. Source: OpenAI's API reference, Usage, completions (2026-11-24).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roi.usage.read.columns import count, flag, has, instant, text, whole
from roi.usage.read.format import Document, Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

STANDARD = ("default", "standard", "auto")
"""Tiers at the list price."""

WRITES = ("input_cache_write_tokens", "input_cache_write_30m_tokens", "input_cache_write_12h_tokens")
"""Tokens written to the cache: in all, and by how long they are kept."""

USES = (
    "output_tokens", "input_cached_tokens", "input_uncached_tokens", *WRITES, "num_model_requests", "end_time", "batch",
    "service_tier", "project_id", "user_id", "api_key_id",
)  # fmt: skip

GROUPS = {"project": "project_id", "key": "api_key_id", "user": "user_id"}


def _records(table: "ir.Table", asked: Asked, form: Format) -> "ir.Table":
    total, read = count(table, "input_tokens"), count(table, "input_cached_tokens")
    parts = count(table, WRITES[1]) + count(table, WRITES[2])
    written = text(table, WRITES[0]).isnull().ifelse(parts, count(table, WRITES[0]))
    left = total - read - written
    uncached = left
    if has(table, "input_uncached_tokens"):
        uncached = text(table, "input_uncached_tokens").isnull().ifelse(left, whole(table, "input_uncached_tokens"))
    empty = text(table, "input_tokens").isnull() & text(table, "num_model_requests").isnull()
    tier = text(table, "service_tier").lower()
    return record(table, form.name, Fields(
        kind="bucket", at_us=instant(table, "start_time"), until_us=instant(table, "end_time"), provider="openai",
        model=text(table, "model").fill_null(asked.model) if asked.model else text(table, "model"),
        uncached_input=uncached, cache_read=read, cache_write=written, output=count(table, "output_tokens"),
        requests=whole(table, "num_model_requests"), batch=flag(table, "batch"),
        tier=tier.isin(STANDARD).ifelse(None, tier), group=group_column(form, table, asked),
        reasons=((empty, EMPTY), ((left < 0).fill_null(False), "cached tokens above the input"),
                 (left.isnull(), "a token count that cannot be read"),
                 (text(table, "model").isnull() if not asked.model else empty, UNGROUPED)),
    ))  # fmt: skip


EMPTY = "empty bucket"
UNGROUPED = "no model: the export was not grouped by model"


def csv_records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Records of the dashboard's CSV."""
    return _records(table, asked, OPENAI_CSV)


def api_records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Records of Usage API pages."""
    return _records(table, asked, OPENAI_USAGE_API)


def is_page(document: Document) -> bool:
    """True for a page of /v1/organization/usage/completions."""
    results = [result for bucket in _buckets(document) for result in bucket.get("results") or ()]
    return any(isinstance(result, dict) and result.get("object") == "organization.usage.completions.result"
               for result in results)


def page_rows(document: Document) -> Iterator[Document]:
    """A row for each result, with its bucket's times; a bucket without results as an empty one."""
    taken = ("model", "input_tokens", *USES)
    for bucket in _buckets(document):
        times = {"start_time": bucket.get("start_time"), "end_time": bucket.get("end_time")}
        results: list[Document] = bucket.get("results") or [{}]
        for result in results:
            yield {**{name: result.get(name) for name in taken if name in result}, **times}


def _buckets(document: Document) -> list[Document]:
    data = document.get("data")
    if document.get("object") != "page" or not isinstance(data, list):
        return []
    return [bucket for bucket in data if isinstance(bucket, dict) and bucket.get("object") == "bucket"]


OPENAI_CSV = Format(
    name="openai-csv", title="OpenAI dashboard CSV", grain="bucket",
    needs=frozenset({"start_time", "num_model_requests", "input_tokens", "model"}), uses=USES, records=csv_records,
    groups=GROUPS,
)  # fmt: skip

OPENAI_USAGE_API = Format(
    name="openai-usage-api", title="OpenAI Usage API", grain="bucket",
    needs=frozenset({"start_time", "num_model_requests", "input_tokens", "model", "object"}), uses=USES, records=api_records,
    recognises=is_page, flatten=page_rows, groups=GROUPS,
)  # fmt: skip
