"""Gemini CLI: its sessions (~/.gemini/tmp/PROJECT/chats/session-*.json or .jsonl), and its telemetry log.

Sessions. One JSON object with `messages`, or a line for each: a message is written again when it changes, and `$set` may hold
messages too, so that an id counts once, with the most output. `tokens`: input is the API's promptTokenCount, cached tokens in
it; thoughts and tool prompts are beside output and input, as the API counts them.

Telemetry. Events gemini_cli.api_response, one JSON object after another, or OTLP logs: the same counts under other names.
Sessions and telemetry of one time hold the same calls. Source: captured rows in public repositories (2026-02 to 2026-10).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from roi.usage.formats.agents.names import GROUPS, named, word
from roi.usage.formats.json_counts import count_cell, documents_of, nested
from roi.usage.formats.tools.otel import events_of
from roi.usage.read.columns import count, instant, text
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = ("input", "cached", "output", "thoughts", "tool")
EVENT: Final = "gemini_cli.api_response"
TELEMETRY: Final = {
    "input": "input_token_count", "cached": "cached_content_token_count", "output": "output_token_count",
    "thoughts": "thoughts_token_count", "tool": "tool_token_count",
}  # fmt: skip


def _fields(table: Table, _: FileOptions) -> Fields:
    given, read, output, thoughts, tool = (count(table, name) for name in COUNTS)
    return Fields(
        at_us=instant(table, "timestamp"), provider="google", model=text(table, "model"),
        input=given + tool, cache_read=read, output=output + thoughts, reasoning=thoughts)


def session_rows(documents: Iterable[Document], *, names: bool = False) -> Iterator[Document]:
    """A row for each message with counts; a message without a model has that of the one before."""
    about: dict[str, Any] = {"project": None, "session": None, "model": None}
    for document in documents:
        if "sessionId" in document:
            about |= {"session": named("session", document["sessionId"], names=names),
                      "project": named("project", document.get("projectHash"), names=names)}
        for message in (document, *documents_of(document, "messages"), *documents_of(nested(document, "$set"), "messages")):
            tokens = nested(message, "tokens")
            if tokens:
                about["model"] = word(message.get("model")) or about["model"]
                yield {**about, "timestamp": word(message.get("timestamp")), "call": word(message.get("id")),
                       **{name: count_cell(tokens.get(name)) for name in COUNTS}}


def event_rows(document: Document, *, names: bool = False) -> Iterator[Document]:
    """A row for each answer of the API in an event, or in OTLP logs."""
    for event, time in events_of(document):
        if event.get("event.name") == EVENT:
            yield {"timestamp": word(event.get("event.timestamp")) or time, "model": word(event.get("model")), "project": None,
                   "session": named("session", event.get("session.id"), names=names), "call": None,
                   **{name: count_cell(event.get(own)) for name, own in TELEMETRY.items()}}


GEMINI_CLI: Final = Format(
    name="gemini-cli", title="Gemini CLI sessions", grain="call", needs=frozenset({"timestamp", "model", "call", *COUNTS}),
    uses=tuple(GROUPS), fields=_fields, session=session_rows, once=("call", "output"),
    recognises=lambda line: {"sessionId", "projectHash"} <= line.keys() or (
        line.get("type") == "gemini" and isinstance(line.get("tokens"), dict)),
    markers=('"sessionId"', '"tokens"'), equivalent=True, groups=GROUPS)
GEMINI_TELEMETRY: Final = replace(
    GEMINI_CLI, name="gemini-cli-telemetry", title="Gemini CLI telemetry", session=None, flatten=event_rows,
    recognises=lambda log: any(str(each.get("event.name", "")).startswith("gemini_cli.") for each, _ in events_of(log)),
    once=None, markers=(EVENT,))
