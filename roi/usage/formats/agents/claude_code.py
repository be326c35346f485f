"""Claude Code: transcripts of its sessions, ~/.claude/projects/PROJECT/SESSION.jsonl, sub-agents' among them; its telemetry.

A line with message.usage holds what one request had used when the line was written: the blocks of one answer are lines of
their own, with the same message id and request id, and a resumed session has old lines in a new file. So a call is known by
both ids, and its line with the most output counts. The four counts are Anthropic's, disjoint; writes kept an hour cost twice
the input price. The model `<synthetic>` is the client's own word and no call. A suffix such as [1m] is the client's too.
Ignored: `costUSD` of old versions, `iterations` within one request.

Telemetry. Events `api_request` as OTLP logs hold the same four counts, and not how long a cache keeps what was written;
`cost_usd` in them is the client's own estimate. Sessions and telemetry of one time hold the same calls. Source: captured
lines in public repositories (2025-07 to 2026-09).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from roi.usage.formats.agents.names import GROUPS, named, word
from roi.usage.formats.json_counts import count_cell, nested
from roi.usage.formats.tools.otel import events_of
from roi.usage.read.columns import count, faster_or_inside, instant, text
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
SEARCHES: Final = "web_search_requests"
WRITE_1H: Final = "ephemeral_1h_input_tokens"
SYNTHETIC: Final = "<synthetic>"
EVENTS: Final = ("api_request", "claude_code.api_request")
IN_EVENTS: Final = ("input_tokens", "cache_read_tokens", "cache_creation_tokens", "output_tokens")
"""Names of requests' events, and of COUNTS in them."""
OTHER_LINES: Final = (
    "summary", "file-history-snapshot", "queue-operation", "custom-title", "agent-name", "last-prompt", "cost-state",
    "attachment")
"""Kinds of lines that may stand at the beginning of a transcript, or be all of it."""


def _fields(table: Table, _: FileOptions) -> Fields:
    read, written, kept = (count(table, name) for name in (*COUNTS[1:3], WRITE_1H))
    return Fields(
        at_us=instant(table, "timestamp"), provider="anthropic", model=text(table, "model"),
        uncached_input=count(table, "input_tokens"), cache_read=read, cache_write=written, cache_write_1h=kept,
        output=count(table, "output_tokens"), batch=(text(table, "service_tier") == "batch").fill_null(False),
        tier=faster_or_inside(None, text(table, "speed"), text(table, "inference_geo")), web_searches=count(table, SEARCHES))


def is_transcript(document: Document) -> bool:
    """True for a line of a transcript, whatever it says."""
    if document.get("type") in OTHER_LINES and not isinstance(document.get("payload"), dict):
        return True
    inside = isinstance(document.get("message"), dict)
    return inside and ("parentUuid" in document or "sessionId" in document or "requestId" in document)


def line_rows(document: Document, *, names: bool = False) -> Iterator[Document]:
    """The row of a line that holds a call's usage; no content is touched."""
    message = nested(document, "message")
    usage, model = nested(message, "usage"), word(message.get("model"))
    if not usage or model == SYNTHETIC:
        return
    ids = [word(message.get("id")), word(document.get("requestId"))]
    yield {
        **{name: count_cell(usage.get(name)) for name in COUNTS},
        WRITE_1H: count_cell(nested(usage, "cache_creation").get(WRITE_1H)),
        SEARCHES: count_cell(nested(usage, "server_tool_use").get(SEARCHES)),
        "timestamp": word(document.get("timestamp")), "model": model and model.partition("[")[0],
        **{name: word(usage.get(name)) for name in ("service_tier", "speed", "inference_geo")},
        "call": "|".join(each or "" for each in ids) if any(ids) else word(document.get("uuid")),
        "project": named("project", document.get("cwd"), names=names),
        "session": named("session", document.get("sessionId"), names=names)}  # fmt: skip


def event_rows(document: Document, *, names: bool = False) -> Iterator[Document]:
    """A row for each request that an event, or OTLP logs, tell of."""
    for event, time in events_of(document):
        if event.get("event.name") in EVENTS and "input_tokens" in event:
            model = word(event.get("model"))
            yield {"timestamp": word(event.get("event.timestamp")) or time, "model": model and model.partition("[")[0],
                   "project": None, "session": named("session", event.get("session.id"), names=names),
                   "call": word(event.get("request_id")), "speed": word(event.get("speed")),
                   **{name: count_cell(event.get(own)) for name, own in zip(COUNTS, IN_EVENTS, strict=True)}}


CLAUDE_CODE: Final = Format(
    name="claude-code", title="Claude Code sessions", grain="call", needs=frozenset({"timestamp", "model", "call", *COUNTS}),
    uses=(WRITE_1H, SEARCHES, "service_tier", "speed", "inference_geo", *GROUPS), fields=_fields,
    recognises=is_transcript, flatten=line_rows,
    once=("call", "output_tokens"), markers=('"usage"',), mark='"sessionId"', equivalent=True, groups=GROUPS)
CLAUDE_TELEMETRY: Final = replace(
    CLAUDE_CODE, name="claude-code-telemetry", title="Claude Code telemetry", flatten=event_rows, may_lack_hour=True,
    recognises=lambda document: any(True for _ in event_rows(document)), markers=("api_request",), mark='"resourceLogs"')
