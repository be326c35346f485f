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

from roi.usage.formats.json_counts import amount, count_at, count_cell, items_of, nested, object_of
from roi.usage.read.columns import count, instant, real, text, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format, ambiguous_input

NEEDS: Final = frozenset({"created_at", "ai_org", "ai_model", "req_units", "res_units"})
TAKEN: Final = ("id", "created_at", "ai_org", "ai_model", "cost_currency", "is_success", "cache_status", "prompt_slug",
                "response_status_code")  # fmt: skip
HITS: Final = ("hit", "semantic hit")
READ: Final = (("prompt_tokens_details", "cached_tokens"), ("input_tokens_details", "cached_tokens"),
               ("cache_read_input_tokens",))  # fmt: skip
CENTS: Final = 100.0
"""Cents of a dollar."""


def call_rows(document: Document) -> Iterator[Document]:
    """A row for each call: counts, names, times."""
    for call in items_of(document):
        response = object_of(call.get("response.body", call.get("response")))
        held = nested(response, "body") or response if isinstance(response, dict) else {}
        usage = nested(held, "usage")
        yield {name: value for name in TAKEN if not isinstance(value := call.get(name), dict | list)} | {
            "req_units": count_cell(call.get("req_units")), "res_units": count_cell(call.get("res_units")),
            "cost": amount(call.get("cost")),
            "read": next((cell for path in READ if (cell := count_at(usage, path)) is not None), None),
            "written": count_cell(usage.get("cache_creation_input_tokens")),
        }  # fmt: skip


def _fields(table: Table, options: FileOptions) -> Fields:
    given = ambiguous_input(whole(table, "req_units"), count(table, "read"), count(table, "written"), options, shows=True)
    status, output = real(table, "response_status_code"), whole(table, "res_units")
    failed = (status >= 400) | text(table, "is_success").lower().isin(("0", "false"))
    hit = text(table, "cache_status").lower().isin(HITS)
    reasons = (failed & (output.fill_null(0) == 0), "failed call"), (hit, "answered from Portkey's cache")
    return Fields(
        at_us=instant(table, "created_at"), provider=text(table, "ai_org").lower(),
        model=text(table, "ai_model"), output=output, cost_usd=real(table, "cost") / CENTS, costs=("cost",),
        currency=text(table, "cost_currency"), **{**given, "reasons": (*reasons, *given["reasons"])})


PORTKEY: Final = Format(
    name="portkey", title="Portkey logs", grain="call", needs=NEEDS,
    uses=(*TAKEN, "cost", "read", "written"), fields=_fields, flatten=call_rows, may_lack_cached=True, may_lack_written=True,
    recognises=lambda document: any(call.keys() >= NEEDS for call in items_of(document)),
    groups={"prompt": "prompt_slug"})
