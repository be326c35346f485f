"""Portkey: the export of its logs, a call a line of JSON, or as a table that was made of it.

`cost` is in cents, not in dollars. `req_units` and `res_units` are the tokens of the request and of the response; what was read
from a provider's cache, or written to one, stands in the response's own usage, where the response was exported, and whether the
request counts it is ambiguous, as it depends on the provider; where it is more than the request, it plainly does not. An answer
of Portkey's own cache was not paid. Fields are those that were asked for, so that most may be missing. Requests, responses and
metadata are cut down to counts before anything is kept. Source: Portkey's documentation, logs export (2025-10 and 2026-08), and
rows as tests of a public importer write them.
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import amount, count_cell, items_of, nested, object_of
from roi.usage.formats.tools.otel import PROVIDERS
from roi.usage.read.columns import count, instant, real, text, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import OVER, Document, Fields, FileOptions, Format

NEEDS: Final = frozenset({"created_at", "ai_org", "ai_model", "req_units", "res_units"})
TAKEN: Final = ("id", "created_at", "ai_org", "ai_model", "cost_currency", "is_success", "cache_status", "prompt_slug",
                "response_status_code")  # fmt: skip
WORDS: Final = {**PROVIDERS, "bedrock": "aws", "vertex-ai": "google", "azure-openai": "azure", "mistral-ai": "mistral",
                "together-ai": "together", "fireworks-ai": "fireworks"}  # fmt: skip
"""Portkey's words for providers."""
HITS: Final = ("hit", "semantic hit")
READ: Final = (("prompt_tokens_details", "cached_tokens"), ("input_tokens_details", "cached_tokens"),
               ("cache_read_input_tokens",))  # fmt: skip
WRITTEN: Final = ("cache_creation_input_tokens",)
CENTS: Final = 100.0
"""Of a dollar."""


def call_rows(document: Document) -> Iterator[Document]:
    """A row for each call: counts, names, times."""
    for call in items_of(document):
        response = object_of(call.get("response.body", call.get("response")))
        held = nested(response, "body") or response if isinstance(response, dict) else {}
        usage = nested(held, "usage")
        yield {name: value for name in TAKEN if not isinstance(value := call.get(name), dict | list)} | {
            "req_units": count_cell(call.get("req_units")), "res_units": count_cell(call.get("res_units")),
            "cost": amount(call.get("cost")),
            "read": next((cell for path in READ if (cell := count_cell(_at(usage, path))) is not None), None),
            "written": count_cell(usage.get(WRITTEN[0])),
        }  # fmt: skip


def _at(usage: Document, path: tuple[str, ...]) -> object:
    return nested(usage, path[0]).get(path[1]) if len(path) > 1 else usage.get(path[0])


def fields(table: Table, options: FileOptions) -> Fields:
    """What calls say."""
    total, read, written = whole(table, "req_units"), count(table, "read"), count(table, "written")
    left = total - read - written
    over = ((left < 0) & (read + written > 0)).fill_null(False)  # plainly beside the input, as Anthropic has them
    apart = over if options.includes_cache is None else ibis.literal(options.includes_cache is False)
    status, output = real(table, "response_status_code"), whole(table, "res_units")
    failed = (status >= 400).fill_null(False) | text(table, "is_success").lower().isin(("0", "false")).fill_null(False)
    hit = text(table, "cache_status").lower().isin(HITS).fill_null(False)
    provider = text(table, "ai_org").lower().substitute(WORDS)
    return Fields(
        at_us=instant(table, "created_at"), provider=provider.fill_null(options.provider or "").nullif(""),
        model=text(table, "ai_model").fill_null(options.model or ""), uncached_input=ibis.ifelse(apart, total, left),
        cache_read=read, cache_write=written, output=output, cost_usd=real(table, "cost") / CENTS, costs=("cost",),
        perhaps_cached=ibis.ifelse(over, 0, read + written) if options.includes_cache is None else 0,
        currency=text(table, "cost_currency"),
        reasons=((failed & (output.fill_null(0) == 0), "failed call"), (hit, "answered from Portkey's cache"),
                 (over if options.includes_cache else ibis.literal(False), OVER)))


PORTKEY: Final = Format(
    name="portkey", title="Portkey logs", grain="call", needs=NEEDS,
    uses=(*TAKEN, "cost", "read", "written"), fields=fields, flatten=call_rows, may_lack_cached=True, may_lack_written=True,
    recognises=lambda document: any(call.keys() >= NEEDS for call in items_of(document)),
    groups={"prompt": "prompt_slug"})
