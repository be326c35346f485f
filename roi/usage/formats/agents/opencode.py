"""OpenCode: its messages, ~/.local/share/opencode/storage/message/SESSION/*.json, or the table `message` of opencode.db.

An assistant's message is one call. Its counts are disjoint: input leaves cached tokens out, reasoning stands beside output
and is billed as output. `cost` is what OpenCode reckons from its own price list, 0 under a subscription, which is no cost.
Times are milliseconds. Source: captured messages in public repositories (2025-06 to 2026-10).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.agents.names import GROUPS, named, number, word
from roi.usage.formats.json_counts import count_cell, nested
from roi.usage.read.columns import count, instant, real, text
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = ("input", "output", "reasoning", "read", "write")


def _fields(table: Table, _: FileOptions) -> Fields:
    given, output, reasoning, read, written = (count(table, name) for name in COUNTS)
    return Fields(
        at_us=instant(table, "created"), provider=text(table, "providerid").lower(),
        model=text(table, "modelid"), uncached_input=given, cache_read=read, cache_write=written,
        output=output + reasoning, reasoning=reasoning, cost_usd=real(table, "cost").nullif(0.0), costs=("cost",),
        reasons=((given + output + reasoning + read + written == 0, "a message without token counts"),))


def is_message(document: Document) -> bool:
    """True for a message, whoever wrote it, or an exported one with its parts."""
    message = document.get("info") if isinstance(document.get("info"), dict) else document
    return isinstance(message, dict) and "role" in message and ("sessionID" in message or "providerID" in message)


def message_rows(document: Document, *, names: bool = False) -> Iterator[Document]:
    """The row of an assistant's message; no part of it is touched."""
    message = document["info"] if isinstance(document.get("info"), dict) else document
    tokens = nested(message, "tokens")
    if message.get("role") != "assistant" or not tokens:
        return
    cost, cache = message.get("cost"), nested(tokens, "cache")
    path = nested(message, "path")
    yield {
        "created": number(nested(message, "time").get("created")), "call": word(message.get("id")),
        "modelID": word(message.get("modelID")),
        "providerID": word(message.get("providerID")), "cost": count_cell(cost),
        **{name: count_cell(held.get(name)) for held, of in ((tokens, COUNTS[:3]), (cache, COUNTS[3:])) for name in of},
        "project": named("project", path.get("root") or path.get("cwd"), names=names),
        "session": named("session", message.get("sessionID"), names=names)}  # fmt: skip


OPENCODE: Final = Format(
    name="opencode", title="OpenCode messages", grain="call", needs=frozenset({"created", "modelid", "call", *COUNTS}),
    uses=("providerid", "cost", *GROUPS), fields=_fields, recognises=is_message, flatten=message_rows,
    once=("call", "output"), markers=('"tokens"',), mark='"sessionID"', equivalent=True, groups=GROUPS)
