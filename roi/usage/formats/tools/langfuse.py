"""Langfuse: observations as the blob export writes them (snake_case), and as UI and API do (camelCase), alone or in a trace.

`usage_details` is a map whose keys the integration chose. Langfuse itself takes cached and reasoning tokens out of `input`
and `output` where OpenAI's usage is sent whole; other integrations leave them in. A row settles it where its `total` equals
input + output (in) or input + cached + output (out), or its cached tokens exceed its input (out); else the user says.
Reasoning and audio tokens are added to their side where `total` has room for them. Only generations count: spans above them
repeat their tokens. Times are UTC. A cost of 0 is that of a model without a price, so it is no cost. Source: langfuse.com,
export fields; langfuse/langfuse, ingestion types (2026-10). The API calls calculatedTotalCost deprecated in favour of
costDetails, whose `total` is taken where the other is not there (js.reference.langfuse.com, ObservationsView).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial, reduce
from operator import or_
from typing import Final

from roi.usage.formats.json_counts import has_keys, items_of, json_of, largest, nested, pruned, scalars, with_counts
from roi.usage.read.columns import real, text, utc
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import CACHED_ABOVE_INPUT, UNREADABLE_COUNT, Document, Fields, FileOptions, Format

COUNTS: Final = {
    "input": ("input", "input_tokens", "prompt_tokens", "promptTokens"),
    "output": ("output", "output_tokens", "completion_tokens", "completionTokens"),
    "total": ("total", "total_tokens", "totalTokens"),
    "read": ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "input_cache_read_tokens",
             "input_cached", "cached_tokens", "input_cached_content_tokens"),
    "write": ("cache_creation_input_tokens", "input_cache_creation", "cache_write_input_tokens", "input_cache_write",
              "input_cache_creation_tokens"),
    "write_5m": ("input_cache_creation_5m",),
    "write_1h": ("input_cache_creation_1h",),
    "reasoning": ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens", "reasoning"),
    "input_audio": ("input_audio_tokens", "input_audio"),
    "output_audio": ("output_audio_tokens", "output_audio"),
}  # fmt: skip
"""What a key of usage_details counts, and the keys that integrations give it."""
PATHS: Final = {f"n_{what}": tuple((key,) for key in keys) for what, keys in COUNTS.items()}
TOTAL: Final = {"total": (("total",),)}
"""Columns of counts, and the one of the costs, with their places in a map."""
COSTS: Final = ("total_cost", "calculatedtotalcost", "totalcost", "details_cost")


def prepare(raw: Table) -> Table:
    """The observations with a column for each count of usage_details."""
    cost = json_of(raw, "cost_details", "costdetails")
    total = ibis.null("string") if cost is None else cost["total"].cast("string").replace('"', "")
    return with_counts(raw.mutate(details_cost=total), ("usage_details", "usagedetails"), PATHS)


def fields(table: Table, options: FileOptions) -> Fields:
    """What observations say; a JSON document gives all columns of one meaning, and the first that holds something counts."""
    n = {what: table[f"n_{what}"] for what in COUNTS}
    read, written = n["read"], largest(n["write"], n["write_5m"] + n["write_1h"])
    cached = read + written
    rest = n["total"] - n["input"] - n["output"]
    inside = (rest == 0) & (n["total"] > 0)
    more = n["reasoning"] + n["input_audio"] + n["output_audio"]
    added = (cached > 0) & ((rest == cached) | (rest == cached + more))
    outside = added | ((cached > n["input"]) & ~inside)
    beside = rest - added.ifelse(cached, 0) >= more
    uncached = n["input"] + beside.ifelse(n["input_audio"], 0)
    counts_cache = inside if options.includes_cache is False else ~outside
    kind = text(table, "type").upper().fill_null("")
    empty = n["input"] + n["output"] + cached + n["total"] == 0
    failed = text(table, "level").upper() == "ERROR"
    return Fields(
        at_us=utc(table, "start_time", "starttime"),
        model=ibis.coalesce(*(text(table, name) for name in ("provided_model_name", "providedmodelname", "model"))),
        uncached_input=counts_cache.ifelse(uncached - cached, uncached), cache_read=read, cache_write=written,
        cache_write_1h=n["write_1h"], output=n["output"] + beside.ifelse(n["reasoning"] + n["output_audio"], 0),
        reasoning=n["reasoning"],
        perhaps_cached=0 if options.includes_cache is not None else (inside | outside).ifelse(0, cached),
        cost_usd=ibis.coalesce(*(real(table, name) for name in COSTS)).nullif(0.0), costs=COSTS,
        reasons=((kind == "EMBEDDING", "an embedding, no completion"),
                 (kind != "GENERATION", "no call of a model (a span, event, tool or the like)"),
                 (failed & empty, "a failed call"), (empty, "no token counts"),
                 (reduce(or_, (each.isnull() for each in n.values())), UNREADABLE_COUNT),
                 (inside & (cached > n["input"]), CACHED_ABOVE_INPUT)))


def observations(document: Document) -> Iterator[Document]:
    """The objects of a page or a document, and for a trace those that it holds, as the API and the UI write it."""
    for item in items_of(document):
        held = item.get("observations") or nested(item, "trace").get("observations")
        yield from (each for each in held if isinstance(each, dict)) if isinstance(held, list) else (item,)


def _is_ui(document: Document) -> bool:
    """True where the first observation has the UI's keys, or the older `usage` in the place of usageDetails."""
    first = next(observations(document), {})
    own = {key.lower() for key in first}
    return own >= UI_NEEDS or (own >= UI_NEEDS - {"usagedetails"} and isinstance(first.get("usage"), dict))


def observation_rows(document: Document) -> Iterator[Document]:
    """Rows of a document, a trace's observations among them, usage_details cut down to its counts."""
    for item in observations(document):
        row = scalars(item, LANGFUSE.columns | LANGFUSE_UI.columns)
        for names, counts in ((("usage_details", "usageDetails"), PATHS), (("cost_details", "costDetails"), TOTAL)):
            row |= {name: pruned(item[name], counts) for name in names if name in item}
        if not row.get("usage_details") and not row.get("usageDetails") and "usage" in item:  # of older APIs
            row["usageDetails"] = pruned(item["usage"], PATHS)
        yield row


NEEDS: Final = frozenset({"type", "start_time", "usage_details"})
USES: Final = ("id", "provided_model_name", "model", "level", "total_cost", "cost_details", "prompt_name", "environment",
               "user_id", "project_id", "session_id")  # fmt: skip
GROUPS: Final = {"prompt": "prompt_name", "tag": "environment", "session": "session_id", "user": "user_id",
                 "project": "project_id"}  # fmt: skip
LANGFUSE: Final = Format(
    name="langfuse", title="Langfuse observations", grain="call", needs=NEEDS, uses=USES, fields=fields, prepare=prepare,
    recognises=partial(has_keys, NEEDS), flatten=observation_rows, groups=GROUPS)


def _of_ui(name: str) -> str:
    """The UI's and the newer API's name of a column, startTime for start_time, in lower case."""
    return name.replace("_", "")


UI_NEEDS: Final = frozenset(map(_of_ui, NEEDS))
LANGFUSE_UI: Final = replace(
    LANGFUSE, name="langfuse-ui", title="Langfuse observations of the UI or API", needs=UI_NEEDS, recognises=_is_ui,
    uses=("calculatedtotalcost", *map(_of_ui, USES)), groups={kind: _of_ui(name) for kind, name in GROUPS.items()})
