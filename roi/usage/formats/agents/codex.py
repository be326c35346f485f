"""Codex CLI: rollouts of its sessions, ~/.codex/sessions/YEAR/MONTH/DAY/rollout-*.jsonl.

The model and the project stand in lines before the counts (`session_meta`, `turn_context`). A `token_count` event holds the
last request's usage and the session's sum, and is written again where nothing was used since: an event whose sum has not moved
is no call. Without `last_token_usage` the call is what the sum grew by; a part of the sum that cannot be read, or is not
there, is the one before and the request's own, so that no later call grows by all of it. Newer versions write a
`token_usage_record` a response too, which counts only where a file has no event. `input_tokens` counts cached reads and cache
writes, `output_tokens` reasoning.

A fork, and a sub-agent that is given its parent's history, begins with a copy of the parent's lines, its `session_meta` among
them, all with the time of the fork. The sums in the copies are the parent's, so that a call is known by the first session of
the line of forks and the session's sum after it; it counts once, at its earliest time, and also where the parent's file is
gone. Source: captured lines in public repositories, and what their authors say of forks (2026-01 to 2026-10).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from roi.usage.formats.agents.names import GROUPS, named, number, word
from roi.usage.formats.json_counts import count_cell, nested
from roi.usage.read.columns import count, instant, text
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens")
KINDS: Final = ("session_meta", "turn_context", "event_msg", "response_item", "token_usage_record", "compacted")


def _fields(table: Table, _: FileOptions) -> Fields:
    total, read, written = (count(table, name) for name in COUNTS[:3])
    return Fields(
        at_us=instant(table, "timestamp"), provider=text(table, "provider").fill_null("openai"),
        model=text(table, "model"), input=total, cache_read=read, cache_write=written,
        output=count(table, "output_tokens"), reasoning=count(table, "reasoning_output_tokens"))


def session_rows(documents: Iterable[Document], *, names: bool = False) -> Iterator[Document]:
    """A row for each response of one session, its copies of a parent's among them, which are called like the parent's own."""
    about: dict[str, Any] = {}
    sums: Document = {}
    records: list[Document] = []
    events: list[Document] = []
    origin: object = None
    forked = False
    for document in documents:
        kind, payload = document.get("type"), nested(document, "payload")
        if kind == "session_meta":
            origin = _parent(payload) or payload.get("id") or origin  # the last one is the first session's
            forked = forked or _parent(payload) is not None
        if kind in ("session_meta", "turn_context"):
            about |= _about(payload, names=names) | ({"session": about["session"]} if "session" in about else {})
        if kind == "token_usage_record" and nested(payload, "usage"):
            row = _row(document, nested(payload, "usage"), {**about, **_about(payload, names=names)})
            records.append(row | {"call": word(payload.get("response_id"))})
        info = nested(payload, "info") if payload.get("type") == "token_count" else {}
        every, last = nested(info, "total_token_usage"), nested(info, "last_token_usage")
        if not info:
            continue
        before, spoiled = sums, [name for name in COUNTS if name in every and number(every[name]) is None]
        sums = {name: every[name] if name in every and name not in spoiled
                else before.get(name, 0) + (number(last.get(name)) or 0) for name in COUNTS}
        if every and not spoiled and sums == before:
            continue
        if not last and not before and forked:  # the parent's sum, where its lines are left out
            continue
        used = last or {name: every[name] if name in spoiled else sums[name] - before.get(name, 0) for name in COUNTS}
        if any(used.get(name) for name in COUNTS):
            row = _row(document, used, {**about, **({"model": word(info.get("model"))} if info.get("model") else {})})
            whole = every and not spoiled
            events.append(row | {"call": "|".join(str(sums[name]) for name in COUNTS) if whole else None})
    whose = named("session", origin, names=False)
    for row in events:
        yield row | {"call": f"{whose}|{row['call']}" if whose and row["call"] else None}
    yield from () if events else records


def _parent(payload: Document) -> object:
    """The session whose lines this one begins with, where it says so."""
    spawned = nested(nested(nested(payload, "source"), "subagent"), "thread_spawn")
    return payload.get("forked_from_id") or payload.get("parent_thread_id") or spawned.get("parent_thread_id")


def _about(payload: Document, *, names: bool) -> dict[str, Any]:
    """What a line says of the calls after it; what it does not say is left out."""
    found = {"model": word(payload.get("model")), "provider": word(payload.get("model_provider")),
             "project": named("project", payload.get("cwd"), names=names),
             "session": named("session", payload.get("id"), names=names)}
    return {name: value for name, value in found.items() if value is not None}


def _row(document: Document, usage: Document, about: Document) -> Document:
    return {"timestamp": word(document.get("timestamp")), "model": None, "provider": None, **about,
            **{name: count_cell(usage.get(name)) for name in COUNTS}}


CODEX_CLI: Final = Format(
    name="codex-cli", title="Codex CLI sessions", grain="call", needs=frozenset({"timestamp", "model", "call", *COUNTS}),
    uses=("provider", *GROUPS), fields=_fields, session=session_rows, once=("call", "output_tokens"),
    recognises=lambda document: document.get("type") in KINDS and isinstance(document.get("payload"), dict),
    markers=('"session_meta"', '"turn_context"', '"token_count"', '"token_usage_record"'), mark='"payload"',
    equivalent=True, groups=GROUPS)
