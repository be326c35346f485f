"""LiteLLM: the table of calls, LiteLLM_SpendLogs, as CSV, JSON, Parquet or in its database.

`prompt_tokens` counts cache reads and writes too, Anthropic's as well. Their counts are in `metadata` alone, under
usage_object or additional_usage_values; where both are absent, the split is unknown and all input counts as uncached. Times
are UTC. A spend of 0 is that of a model without a price in LiteLLM, so it is no cost. What LiteLLM answers out of its own
cache, failed calls, and calls that are no completion do not count. Source: BerriAI/litellm, proxy/spend_tracking (2026-10).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, cast

from roi.catalog.prices.api_prices import ALIASES
from roi.usage.formats.json_counts import Path, has_keys, items_of, json_of, largest_of, object_of, pruned, scalars, utc
from roi.usage.read.columns import count, find, flag, has, real, text, whole
from roi.usage.read.format import Document, Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

NEEDS: Final = frozenset({"starttime", "prompt_tokens", "completion_tokens", "model", "spend"})

USES: Final = (
    "request_id", "call_type", "custom_llm_provider", "metadata", "cache_hit", "status", "request_tags", "api_key", "end_user",
    "user", "team_id",
)  # fmt: skip

HOLDERS: Final = ("usage_object", "additional_usage_values")


def _both(*paths: Path) -> tuple[Path, ...]:
    return tuple((holder, *path) for holder in HOLDERS for path in paths)


READ: Final = _both(("cache_read_input_tokens",), ("prompt_tokens_details", "cached_tokens"))
WRITE: Final = _both(("cache_creation_input_tokens",), ("prompt_tokens_details", "cache_creation_tokens"))
WRITE_1H: Final = _both(("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"))
REASONING: Final = _both(("completion_tokens_details", "reasoning_tokens"))

FAILED: Final = "failure"

OTHER_CALLS: Final = "embedding|image|transcription|speech|moderation|rerank|ocr|search|video|vector_store|mcp|file|batch"
"""Words of call types that are no completion. A batch job's row holds many calls and comes again with each look at the job."""

PROVIDERS: Final = ALIASES | {
    "text-completion-openai": "openai", "custom_openai": "openai", "cohere_chat": "cohere", "codestral": "mistral",
}  # fmt: skip
FAMILIES: Final = {"bedrock": "aws", "azure": "azure", "vertex_ai": "google"}
"""Beginnings of provider names (bedrock_converse, azure_ai, vertex_ai-anthropic_models) and who is paid."""


def litellm_provider(table: "ir.Table", asked: Asked) -> "ir.Value":
    """Who is paid, from custom_llm_provider; where that is empty, what the user said."""
    import ibis

    own = text(table, "custom_llm_provider").lower()
    named = [(own.startswith(start), ibis.literal(paid)) for start, paid in FAMILIES.items()]
    known = [(own == name, ibis.literal(paid)) for name, paid in PROVIDERS.items()]
    return ibis.cases(*named, *known, else_=own).fill_null(asked.provider or "").nullif("")


def litellm_model(table: "ir.Table", asked: Asked) -> "ir.Value":
    """The model without its provider's name before it."""
    model = text(table, "model")
    prefix = text(table, "custom_llm_provider").concat("/").fill_null("")
    return model.startswith(prefix).ifelse(model.substr(prefix.length()), model).fill_null(asked.model or "")


def records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Records of the table of calls."""
    import ibis

    table = _named(table)
    metadata = json_of(table, "metadata")
    read, written = largest_of(metadata, READ), largest_of(metadata, WRITE)
    left = whole(table, "prompt_tokens") - read - written
    status = text(table, "status")
    if metadata is not None:
        status = ibis.coalesce(status, metadata["status"].str)
    return record(table, LITELLM_SPENDLOGS.name, Fields(
        at_us=utc(table, "starttime"), provider=litellm_provider(table, asked), model=litellm_model(table, asked),
        uncached_input=left, cache_read=read, cache_write=written, cache_write_1h=largest_of(metadata, WRITE_1H),
        output=count(table, "completion_tokens"), reasoning=largest_of(metadata, REASONING),
        cost_usd=real(table, "spend").nullif(0.0), group=group_column(LITELLM_SPENDLOGS, table, asked),
        reasons=(((status.lower() == FAILED).fill_null(False), "a failed call"),
                 (flag(table, "cache_hit"), "answered by the gateway's own cache"),
                 (text(table, "call_type").lower().re_search(OTHER_CALLS).fill_null(False),
                  "no completion (an embedding, image, batch job or the like)"),
                 ((left < 0).fill_null(False), "cached tokens above the input")),
    ))  # fmt: skip


def _named(table: "ir.Table") -> "ir.Table":
    """The table with the first tag for the list of tags, and the end user for the user. LiteLLM adds tags of its own."""
    import ibis

    changed: dict[str, ir.Value] = {}
    tags = json_of(table, "request_tags")
    if tags is not None:
        first = tags[0].str
        own = first.startswith("User-Agent:") | first.startswith("Credential:")
        changed[cast("str", find(table, ["request_tags"]))] = own.ifelse(ibis.null("string"), first)
    if has(table, "end_user") and has(table, "user"):
        changed[cast("str", find(table, ["user"]))] = ibis.coalesce(text(table, "end_user"), text(table, "user"))
    return table.mutate(**changed)


def is_spend_log(document: Document) -> bool:
    """True for a row of the table, or a page of /spend/logs."""
    return has_keys(document, NEEDS)


def spend_log_rows(document: Document) -> Iterator[Document]:
    """Rows of a document, `metadata` cut down to its counts and status, the tags to the first."""
    for item in items_of(document):
        row, metadata = scalars(item, LITELLM_SPENDLOGS.columns), item.get("metadata")
        row["metadata"] = pruned(metadata, (*READ, *WRITE, *WRITE_1H, *REASONING))
        if failed_by(metadata):
            row["metadata"]["status"] = FAILED
        row["request_tags"] = first_tag(item.get("request_tags"))
        yield row


def failed_by(metadata: object) -> bool:
    """True where the metadata, an object or its JSON, say that the call failed."""
    words = object_of(metadata)
    return isinstance(words, dict) and words.get("status") == FAILED


def first_tag(tags: object) -> list[str]:
    """The first of a list of tags, or of its JSON."""
    listed = object_of(tags)
    return [str(tag) for tag in listed[:1]] if isinstance(listed, list) else []


LITELLM_SPENDLOGS = Format(
    name="litellm-spendlogs", title="LiteLLM spend logs", grain="call", needs=NEEDS, uses=USES, records=records,
    recognises=is_spend_log, flatten=spend_log_rows,
    groups={"tag": "request_tags", "key": "api_key", "user": "user", "project": "team_id"},
)  # fmt: skip
