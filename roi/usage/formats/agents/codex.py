"""Codex CLI: rollouts of its sessions, ~/.codex/sessions/YEAR/MONTH/DAY/rollout-*.jsonl.

The model and the project stand in lines before the counts (`session_meta`, `turn_context`). A `token_count` event holds the
last request's usage and the session's sum, and is written again where nothing was used since: an event whose sum has not
moved is no call. Without `last_token_usage` the call is what the sum grew by. Newer versions write a `token_usage_record` a
response too, which counts only where a file has no event. `input_tokens` counts cached reads and cache writes,
`output_tokens` reasoning. Not told apart: the events that a forked session copies from the one before it, which count again.
Source: captured lines in public repositories (2026-01 to 2026-10).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from roi.usage.formats.agents.names import GROUPS, named, number, word
from roi.usage.formats.json_counts import nested
from roi.usage.read.columns import count, instant, text
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import CACHED_ABOVE_INPUT, Document, Fields, FileOptions, Format

COUNTS: Final = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens")
KINDS: Final = ("session_meta", "turn_context", "event_msg", "response_item", "token_usage_record", "compacted")


def fields(table: Table, options: FileOptions) -> Fields:
    """What counted responses say."""
    total, read, written = (count(table, name) for name in COUNTS[:3])
    left = total - read - written
    return Fields(
        at_us=instant(table, "timestamp"), provider=text(table, "provider").fill_null("openai"),
        model=text(table, "model").fill_null(options.model or ""), uncached_input=left, cache_read=read, cache_write=written,
        output=count(table, "output_tokens"), reasoning=count(table, "reasoning_output_tokens"),
        reasons=(((left < 0).fill_null(False), CACHED_ABOVE_INPUT),))


def is_rollout(document: Document) -> bool:
    """True for a line of a rollout."""
    return document.get("type") in KINDS and isinstance(document.get("payload"), dict)


def session_rows(documents: Iterable[Document], *, names: bool = False) -> Iterator[Document]:
    """A row for each response of one session."""
    about: dict[str, Any] = {}
    sums: Document = {}
    records: list[Document] = []
    events = False
    for document in documents:
        kind, payload = document.get("type"), nested(document, "payload")
        about |= _about(payload, names=names) if kind in {"session_meta", "turn_context"} else {}
        if kind == "token_usage_record" and nested(payload, "usage"):
            records.append(_row(document, nested(payload, "usage"), {**about, **_about(payload, names=names)}))
        info = nested(payload, "info") if payload.get("type") == "token_count" else {}
        every, last = nested(info, "total_token_usage"), nested(info, "last_token_usage")
        if not info or (every and every == sums):
            continue
        used = last or {name: (number(every.get(name)) or 0) - (number(sums.get(name)) or 0) for name in COUNTS}
        sums, events = every, True
        if any(number(used.get(name)) for name in COUNTS):
            yield _row(document, used, {**about, **({"model": word(info.get("model"))} if info.get("model") else {})})
    yield from () if events else records


def _about(payload: Document, *, names: bool) -> dict[str, Any]:
    """What a line says of the calls after it; what it does not say is left out."""
    found = {"model": word(payload.get("model")), "provider": word(payload.get("model_provider")),
             "project": named("project", payload.get("cwd"), names=names),
             "session": named("session", payload.get("id"), names=names)}
    return {name: value for name, value in found.items() if value is not None}


def _row(document: Document, usage: Document, about: Document) -> Document:
    return {"timestamp": word(document.get("timestamp")), "model": None, "provider": None, **about,
            **{name: number(usage.get(name)) for name in COUNTS}}


CODEX_CLI: Final = Format(
    name="codex-cli", title="Codex CLI sessions", grain="call", needs=frozenset({"timestamp", "model", *COUNTS}),
    uses=("provider", *GROUPS), fields=fields, recognises=is_rollout, session=session_rows,
    markers=('"session_meta"', '"turn_context"', '"token_count"', '"token_usage_record"'), equivalent=True, groups=GROUPS)
