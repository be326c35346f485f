"""How a server wants to be asked for tokens, and what its stream says: OpenAI completions, or chat where there are none."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from roi.facts.serve_profile import ServedRequest
from roi.profiling.server.http_client import Answer
from roi.profiling.server.server_json import block, blocks, count, json_object

COMPLETIONS: Final = "/v1/completions"
CHAT: Final = "/v1/chat/completions"
EXTRAS: Final = ("ignore_eos", "min_tokens", "stream_options")
"""Fields that not every server accepts. Without the first two an answer may end early, without the third nobody counts."""
LOOKED_AT: Final = 4096
"""Bytes (or characters) of a message that are searched for its first line: a server may say megabytes."""
BROKEN: Final = re.compile(rb'^data: ?(\{"error".*)$', re.MULTILINE)
"""An event that tells of an error, after the answer began well."""


@dataclass(frozen=True)
class Dialect:
    """The endpoint and the fields of requests that one server accepts."""

    path: str = COMPLETIONS
    extras: tuple[str, ...] = EXTRAS
    limit: str = "max_tokens"
    """Name of the field with the output tokens; some want max_completion_tokens for chat."""

    @property
    def keeps_length(self) -> bool:
        """True where an answer can be made as long as asked."""
        return not {"ignore_eos", "min_tokens"}.isdisjoint(self.extras)

    def body(self, model: str, prompt: str, output_tokens: int, *, stream: bool = True) -> bytes:
        """The body of a request, JSON."""
        asked: dict[str, Any] = {"model": model, self.limit: output_tokens, "temperature": 0}  # Any: JSON
        asked |= {"messages": [{"role": "user", "content": prompt}]} if self.path == CHAT else {"prompt": prompt}
        if stream:
            asked["stream"] = True
        values = {"ignore_eos": True, "min_tokens": output_tokens, "stream_options": {"include_usage": True}}
        asked |= {name: values[name] for name in self.extras if stream or name != "stream_options"}
        return json.dumps(asked, separators=(",", ":")).encode()


class Usage(NamedTuple):
    """Tokens of one request as the server counted them."""

    prompt: int
    cached: int
    output: int


class Reading(NamedTuple):
    """The chunks, the usage, the text and the error of one answer."""

    chunk_s: tuple[float, ...]
    """Clock of every chunk that carried output."""
    usage: Usage | None
    text: str
    error: str | None


def read_answer(answer: Answer, hide: Callable[[str], str]) -> Reading:
    """The chunks of a stream, its usage and its text; `error` where it is no whole stream with output.

    Output are chunks with text. A server that sends one a token, also where the text of a token is not complete yet
    (half a letter), counts as many tokens as it sends chunks with a choice: these are taken then, the empty ones too.
    """
    error = failure(answer, hide)
    if error is not None and not _is_stream(answer):
        return Reading((), None, "", error)
    filled: list[float] = []
    every: list[float] = []
    texts: list[str] = []
    usage: Usage | None = None
    for at_s, event in _events(answer):
        if event is None:
            error = error or "a chunk that is no JSON"
            continue
        if event.get("error"):
            error = error or f"error in the stream: {message(event, hide)}"
            continue
        usage = _usage(event) or usage
        for choice in blocks(event.get("choices")):
            text = _text(choice)
            if text:
                filled.append(at_s)
                texts.append(text)
            if text or (choice.get("finish_reason") is None and "role" not in block(choice.get("delta"))):
                every.append(at_s)  # a chunk with a role opens a chat, and is no token
            break
    one_a_token = usage is not None and len(every) == usage.output > len(filled)
    chunks = every if one_a_token else filled
    if not chunks:
        error = error or "the stream carried no output"
    elif usage is not None and not (usage.prompt and usage.output):
        error = error or f"the server counts {usage.prompt} prompt tokens and {usage.output} of output, which cannot be"
    return Reading(tuple(chunks), usage, "".join(texts), error)


def failure(answer: Answer, hide: Callable[[str], str]) -> str | None:
    """Why an answer is no whole stream, as far as its head and its end tell; None where they say nothing.

    `hide` takes the key out of what the server quotes, before it is cut.
    """
    if answer.status is not None and answer.status >= 300:
        if answer.status < 400:
            elsewhere = _short(hide(answer.headers.get("location", "elsewhere")))
            return f"HTTP {answer.status}: a redirect to {elsewhere}, which is not followed"
        return f"HTTP {answer.status}: {message(bytes(answer.body), hide)}"
    if answer.problem is not None:
        return f"in mid-stream: {answer.problem}" if answer.body else answer.problem
    if answer.ended_s is None:
        return "cut off"
    if not _is_stream(answer):
        kind = answer.headers.get("content-type", "text without a type").split(";")[0]
        return f"no stream of events but {_short(hide(kind))[:40]}: {message(bytes(answer.body), hide)}"
    found = BROKEN.search(answer.body)
    return None if found is None else f"error in the stream: {message(bytes(found[1]), hide)}"


def told_limit(said: str) -> str:
    """What a server said was wrong, with the way out where it refuses requests for their number."""
    limited = "; the server limits requests: lift its limit, or send fewer at a time (--concurrency)"
    return said + limited if "HTTP 429" in said else said


def quick_usage(answer: Answer) -> Usage | None:
    """The usage in the last events of a stream, without reading all of it."""
    tail = bytes(answer.body[-4000:])
    for line in reversed(tail.split(b"\n")):
        if line.startswith(b"data:") and b'"usage"' in line:
            event = json_object(line[5:])
            if found := _usage(event or {}):
                return found
    return None


def unstreamed_usage(answer: Answer) -> Usage | None:
    """The usage of an answer that was not streamed."""
    return _usage(json_object(bytes(answer.body)) or {})


def served_request(answer: Answer, reading: Reading, *, origin_s: float, sent_s: float, asked: int, prompt_tokens: int,
                   output_tokens: int | None = None, model: str | None = None) -> ServedRequest:
    """One request as the profile keeps it: seconds from the point's start. `prompt_tokens` stands where nobody counted."""
    def since(at_s: float) -> float:  # to the microsecond: a socket and a loop take tens of them
        return round(max(at_s - origin_s, 0.0), 6)

    usage = reading.usage
    counted = output_tokens if output_tokens is not None else len(reading.chunk_s)
    return ServedRequest(sent_s=since(sent_s), prompt_tokens=usage.prompt if usage else prompt_tokens,
                         cached_tokens=min(usage.cached, usage.prompt) if usage else 0, asked_tokens=asked,
                         output_tokens=usage.output if usage else counted,
                         chunk_s=tuple(since(at_s) for at_s in reading.chunk_s),
                         ended_s=None if answer.ended_s is None else since(answer.ended_s), model=model, error=reading.error)


def message(body: bytes | dict[str, Any], hide: Callable[[str], str]) -> str:  # Any: JSON
    """What a server said was wrong, in one short line, the key taken out by `hide`."""
    found = json_object(body) if isinstance(body, bytes) else body
    if found is None:
        raw = body[:LOOKED_AT].decode("utf-8", errors="replace") if isinstance(body, bytes) else ""
        return _short(hide(re.sub(r"<[^>]*>", " ", raw))) or "nothing said"
    inner = found.get("error") or found.get("detail") or found.get("message") or found
    if isinstance(inner, dict):
        inner = inner.get("message") or inner
    return _short(hide((inner if isinstance(inner, str) else json.dumps(inner))[:LOOKED_AT]))


def _short(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 160 else plain[:157] + "..."


def _is_stream(answer: Answer) -> bool:
    return answer.status == 200 and answer.headers.get("content-type", "").lower().startswith("text/event-stream")


def _events(answer: Answer) -> Iterator[tuple[float, dict[str, Any] | None]]:  # Any: JSON
    """(clock, JSON) of every event; None for the JSON where it is none."""
    start = 0
    body = bytes(answer.body)
    while (end := body.find(b"\n", start)) >= 0:
        line, start = body[start:end].strip(), end + 1
        data = line[5:].strip() if line.startswith(b"data:") else b""
        if data and data != b"[DONE]":
            yield answer.seconds_at(end + 1), json_object(data)


def _text(choice: dict[str, Any]) -> str:  # Any: JSON
    """Text of a choice: of a completion, of a chat, and of its reasoning."""
    delta = block(choice.get("delta"))
    found = choice.get("text") or delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning")
    return found if isinstance(found, str) else ""


def _usage(event: dict[str, Any]) -> Usage | None:  # Any: JSON
    found = block(event.get("usage"))
    prompt, output = count(found.get("prompt_tokens")), count(found.get("completion_tokens"))
    if prompt is None or output is None:
        return None
    return Usage(prompt, count(block(found.get("prompt_tokens_details")).get("cached_tokens")) or 0, output)
