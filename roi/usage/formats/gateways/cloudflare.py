"""Cloudflare AI Gateway: its logs as the API lists them, a call an object, alone, in a page or a line each; or a table of them.

`cached` says that the gateway answered from its own cache, which was not paid. `usage_metadata` tells what was read from the
provider's cache and written to it: `tokens_in` counts it or leaves it out, as the provider's own answers do, and Anthropic's do
not, Claude's on Vertex AI among them. Thinking lies beside `tokens_out` where `total_tokens` has it besides (Gemini's). Older
logs tell of neither. `cost` is Cloudflare's estimate, in dollars, without that thinking. Metadata and bodies are never read.
Source: Cloudflare's API reference of AI Gateway's logs and its types (2025-11 to 2026-05), and entries of a live account in
getlago/lago-agent-sdk-js, tests/unit/gateway/adapters/fixtures/cloudflare_gateway (2026-08).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import amount, count_cell, documents_of, pruned, scalars, with_counts
from roi.usage.read.columns import YES, instant, real, text, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import Document, Fields, FileOptions, Format

NEEDS: Final = frozenset({"created_at", "provider", "model", "tokens_in", "tokens_out", "cached", "success"})
NAMES: Final = frozenset({"id", "created_at", "provider", "model", "cached", "success"})
DETAILS: Final = {
    "n_read": (("input_cached_tokens",),), "n_write": (("input_cache_creation_tokens",),),
    "n_reasoning": (("reasoningTokens",),), "n_total": (("total_tokens",),)}
LEFT_OUT: Final = ("anthropic", "aws-bedrock")
"""Providers whose counts of an input leave out what was read from a cache and written to it."""
VERTEX: Final = "google-vertex-ai"


def calls_of(document: Document) -> list[Document]:
    """The calls of a page of the API, or the document itself."""
    return documents_of(document, "result") or [document]


def call_rows(document: Document) -> Iterator[Document]:
    """A row for each call: counts, names, time."""
    for call in calls_of(document):
        yield scalars(call, NAMES) | {
            "tokens_in": count_cell(call.get("tokens_in")), "tokens_out": count_cell(call.get("tokens_out")),
            "cost": amount(call.get("cost")),
            "usage_metadata": pruned(call.get("usage_metadata"), DETAILS)}


def _fields(table: Table, _: FileOptions) -> Fields:
    given, output = whole(table, "tokens_in"), whole(table, "tokens_out")
    read, written, provider = table["n_read"], table["n_write"], text(table, "provider").lower()
    claude = (provider == VERTEX) & text(table, "model").lower().contains("claude")
    beside = provider.isin(LEFT_OUT) | claude | (read + written > given)
    thought = (table["n_total"] == given + output + table["n_reasoning"]).ifelse(table["n_reasoning"], 0)
    hit = text(table, "cached").lower().isin(YES)
    failed = ~text(table, "success").lower().isin(YES).fill_null(True) & (output.fill_null(0) == 0)
    return Fields(
        at_us=instant(table, "created_at"), provider=provider, model=text(table, "model"),
        uncached_input=beside.ifelse(given, given - read - written), cache_read=read, cache_write=written,
        output=output + thought, reasoning=table["n_reasoning"],
        cost_usd=(thought > 0).ifelse(ibis.null("float64"), real(table, "cost")), costs=("cost",),
        reasons=((hit, "answered from Cloudflare's cache"), (failed, "failed call")))


CLOUDFLARE: Final = Format(
    name="cloudflare-gateway", title="Cloudflare AI Gateway logs", grain="call", needs=NEEDS,
    uses=("id", "cost", "usage_metadata"), fields=_fields, prepare=lambda raw: with_counts(raw, ("usage_metadata",), DETAILS),
    flatten=call_rows, may_lack_cached=True, once=("id", "tokens_out"),
    recognises=lambda document: any(call.keys() >= NEEDS for call in calls_of(document)))
