"""Cloudflare AI Gateway: its logs as the API lists them, a call an object, alone, in a page or a line each; or a table of them.

`cached` says that the gateway answered from its own cache, which was not paid. Whether `tokens_in` counts what was read from
the provider's cache depends on the provider, and how much that was is not said. `cost` is Cloudflare's estimate, in dollars.
Metadata and bodies are never read. Source: Cloudflare's API reference of AI Gateway's logs and its types (2025-11 to 2026-05).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import amount, count_cell, documents_of, scalars
from roi.usage.read.columns import YES, instant, real, text, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

NEEDS: Final = frozenset({"created_at", "provider", "model", "tokens_in", "tokens_out", "cached", "success"})
NAMES: Final = frozenset({"id", "created_at", "provider", "model", "cached", "success"})


def calls_of(document: Document) -> list[Document]:
    """The calls of a page of the API, or the document itself."""
    return documents_of(document, "result") or [document]


def call_rows(document: Document) -> Iterator[Document]:
    """A row for each call: counts, names, time."""
    for call in calls_of(document):
        yield scalars(call, NAMES) | {
            "tokens_in": count_cell(call.get("tokens_in")), "tokens_out": count_cell(call.get("tokens_out")),
            "cost": amount(call.get("cost"))}  # fmt: skip


def fields(table: Table, _: FileOptions) -> Fields:
    """What calls say."""
    given, output = whole(table, "tokens_in"), whole(table, "tokens_out")
    hit = text(table, "cached").lower().isin(YES).fill_null(False)
    failed = ~text(table, "success").lower().isin(YES).fill_null(True) & (output.fill_null(0) == 0)
    return Fields(
        at_us=instant(table, "created_at"), provider=text(table, "provider").lower(),
        model=text(table, "model"), uncached_input=given, output=output,
        cost_usd=real(table, "cost"), costs=("cost",),
        reasons=((hit, "answered from Cloudflare's cache"), (failed, "failed call")))


CLOUDFLARE: Final = Format(
    name="cloudflare-gateway", title="Cloudflare AI Gateway logs", grain="call", needs=NEEDS, uses=("id", "cost"),
    fields=fields, flatten=call_rows, may_lack_cached=True, once=("id", "tokens_out"),
    recognises=lambda document: any(call.keys() >= NEEDS for call in calls_of(document)))
