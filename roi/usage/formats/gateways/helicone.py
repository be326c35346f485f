"""Helicone: calls as its export tool (@helicone/export) writes them, as CSV or as JSON.

The CSV has no cached tokens: all of prompt_tokens counts as uncached input, too dear where a provider's cache was used. It
has no provider, and its `model` is empty where the tool asked for a column that the API does not send: name both
(--provider, --model). The JSON has provider, request_model and the cached tokens; whether prompt_tokens counts those
depends on the provider and on Helicone's version, so that it is ambiguous. A status that is no HTTP success (above 399, or
negative: pending, cancelled) is a failed call; an answer from Helicone's own cache was not paid. Times are UTC; cost is in
dollars. Bodies are never read. Source: Helicone/helicone, examples/export/typescript and jawn's request store.
"""

from dataclasses import replace
from typing import Final

from roi.usage.read.columns import count, find, instant, real, text, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import Fields, FileOptions, Format, ambiguous_input

NEEDS: Final = frozenset({"response_id", "response_status", "request_created_at", "prompt_tokens", "completion_tokens"})
USES: Final = ("model", "request_user_id", "cost", "cost_usd")
JSON_USES: Final = ("request_model", "response_model", "model_override", "provider", "prompt_cache_read_tokens",
                    "prompt_cache_write_tokens", "reasoning_tokens", "cache_reference_id", "prompt_id")  # fmt: skip
NO_CACHE_ID: Final = "00000000-0000-0000-0000-000000000000"
"""The cache reference of an answer that came from the provider."""
MODELS: Final = ("response_model", "model_override", "request_model", "model")


def _fields(table: Table, options: FileOptions) -> Fields:
    given = ambiguous_input(whole(table, "prompt_tokens"), count(table, "prompt_cache_read_tokens"),
                            count(table, "prompt_cache_write_tokens"), options)
    status = whole(table, "response_status")
    own_answer = ~text(table, "cache_reference_id").isin((NO_CACHE_ID,)).fill_null(True)
    failed = status.isnull() | (status < 0) | (status >= 400)
    return Fields(
        at_us=instant(table, "request_created_at"), provider=text(table, "provider").lower(),
        model=ibis.coalesce(*(text(table, name) for name in MODELS)),
        output=whole(table, "completion_tokens"), reasoning=count(table, "reasoning_tokens"),
        cost_usd=ibis.coalesce(real(table, "cost_usd"), real(table, "cost")), costs=("cost_usd", "cost"),
        **{**given, "reasons": ((failed, "failed call"), (own_answer, "answered from Helicone's cache"), *given["reasons"])})


def in_utc(table: Table) -> Table:
    """The table, with a Z behind times without a zone: ClickHouse writes UTC without saying so."""
    name = find(table, "request_created_at")
    if name is None or not table[name].type().is_string():
        return table
    words = text(table, name)
    return table.mutate(**{name: ibis.ifelse(words.re_search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$"), words, words + "Z")})


HELICONE_CSV: Final = Format(
    name="helicone-csv", title="Helicone CSV", grain="call", needs=NEEDS, uses=USES, fields=_fields, prepare=in_utc,
    may_lack_cached=True, groups={"user": "request_user_id"})
HELICONE_JSON: Final = replace(
    HELICONE_CSV, name="helicone-json", title="Helicone JSON", needs=NEEDS | {"request_model"}, uses=(*USES, *JSON_USES),
    may_lack_cached=False,
    recognises=lambda document: document.keys() >= {*NEEDS, "request_model"},
    groups={"prompt": "prompt_id", "user": "request_user_id"})
