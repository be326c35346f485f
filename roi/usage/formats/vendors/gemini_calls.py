"""Gemini's answers (generateContent), as its API and Vertex AI give them, whole or streamed.

They stand alone, in a list, one a line, in the lines of a batch's output, in Vertex's table of requests and responses, or under
`response` beside a time of one's own. `promptTokenCount` counts what was read from the cache; what tools gave back is input
beside it. Thoughts cost what the answer does and stand beside `candidatesTokenCount`, unless the total shows that they are in
it. Times: `createTime` of Vertex, else that of what holds the answer; the Gemini API gives none. A streamed answer repeats its
id with counts that grow, and counts once. Ignored: the hours for which a cache is stored, which no answer tells, and audio,
whose price is another. Source: the API reference, UsageMetadata, and answers as captured in public repositories (2025 to
2026-11); openinference PR 3178 on thoughts inside the candidates.
"""

from collections.abc import Iterator
from typing import Any, Final

from roi.usage.formats.json_counts import count_cell, items_of, nested, object_of
from roi.usage.read.columns import count, flag, service, text, utc, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

HOLDERS: Final = ("response", "full_response", "fullResponse")
"""What holds an answer beside other things: a batch's line, a row of Vertex's table, a log of one's own."""
TIMES: Final = ("createTime", "create_time", "processed_time", "logging_time", "timestamp", "time", "created_at")
COUNTS: Final = {
    "prompt": ("promptTokenCount", "prompt_token_count"), "candidates": ("candidatesTokenCount", "candidates_token_count"),
    "total": ("totalTokenCount", "total_token_count"), "thoughts": ("thoughtsTokenCount", "thoughts_token_count"),
    "cached": ("cachedContentTokenCount", "cached_content_token_count"),
    "tools": ("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
}  # fmt: skip
"""Counts of an answer's usage, as JSON and as Python's client spell them."""
USUAL: Final = ("standard", "on_demand", "traffic_type_unspecified")
"""Tiers, and kinds of traffic, that cost the standard price."""


def _answers(item: Document) -> Iterator[tuple[Document, Document]]:
    """(answer, what holds it) of the document itself, or under one of HOLDERS."""
    for held in (item, *(object_of(item.get(name)) for name in HOLDERS)):
        if isinstance(held, dict) and _usage(held):
            yield held, item


def _usage(answer: Document) -> Document:
    return nested(answer, "usageMetadata") or nested(answer, "usage_metadata")


def _recognises(document: Document) -> bool:
    first = next(_answers(next(items_of(document), {})), None)
    return first is not None and any(name in _usage(first[0]) for name in COUNTS["prompt"])


def answers(document: Document) -> Iterator[Document]:
    """A row for each answer of a page, or the document itself."""
    for item in items_of(document):
        for answer, holder in _answers(item):
            usage = _usage(answer)
            told = {name: count_cell(next((usage[own] for own in spelled if own in usage), None))
                    for name, spelled in COUNTS.items()}
            yield {
                "id": _first(answer, "responseId", "response_id"),
                "timestamp": _first(answer, *TIMES) or _first(holder, *TIMES),
                "model": _first(answer, "modelVersion", "model_version") or _first(holder, "model", "model_version"),
                "tier": _first(usage, "serviceTier", "service_tier", "trafficType", "traffic_type"),
                "batch": "processed_time" in holder, "prompt_tokens": told["prompt"], "cached_tokens": told["cached"],
                "tool_tokens": told["tools"], "candidates_tokens": told["candidates"], "thoughts_tokens": told["thoughts"],
                "total_tokens": told["total"],
            }  # fmt: skip


def _first(holder: Document, *names: str) -> Any:  # Any: JSON as it was parsed
    return next((holder[name] for name in names if isinstance(holder.get(name), str | int | float)), None)


def _fields(table: Table, options: FileOptions) -> Fields:
    given = whole(table, "prompt_tokens") + count(table, "tool_tokens")
    made, thoughts = count(table, "candidates_tokens"), count(table, "thoughts_tokens")
    inside = given + made == whole(table, "total_tokens")
    tier = text(table, "tier").lower().re_replace("^on_demand_", "")
    return Fields(
        at_us=utc(table, "timestamp"), provider=options.provider or "google", model=text(table, "model").re_replace("^.*/", ""),
        input=given, cache_read=count(table, "cached_tokens"), output=inside.ifelse(made, made + thoughts), reasoning=thoughts,
        **service(tier, USUAL, flag(table, "batch")))


GEMINI_CALLS: Final = Format(
    name="gemini-calls", title="Gemini answers", grain="call",
    needs=frozenset({"id", "timestamp", "model", "prompt_tokens", "candidates_tokens", "total_tokens"}),
    uses=("tier", "batch", "cached_tokens", "tool_tokens", "thoughts_tokens"), fields=_fields, recognises=_recognises,
    flatten=answers, once=("id", "candidates_tokens"))
