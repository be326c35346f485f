"""Raw data of genai-perf (profile_export.json): requests with the time of every response, in ns.

experiments[].experiment is {mode: concurrency or request_rate, value}; a request has timestamp, response_timestamps and
response_outputs, each {"response": "data: {...}"} of the OpenAI stream. Tokens are not counted in it: prompt tokens must come
from a usage object in the stream.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from roi.errors import InputError
from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.store.imports.points import Imported, Json, asked_load, dig, made_point, named, number, numbers, optional

DATA: Final = "data:"
"""Prefix of an event."""


def read_genai_perf(document: Json, where: str) -> Imported:
    """The experiments of one file, a point each."""
    if not document["experiments"]:
        raise InputError(f"{where}: holds no experiments")
    models: list[str] = []
    points = tuple(_point(e, f"{where}: experiment {i}", models) for i, e in enumerate(document["experiments"], 1))
    notes = ("genai-perf: tokens by the usage object of the stream; chunks without text are left out",)
    return Imported(tool="genai-perf", served_model=models[0] if models else None, points=points, notes=notes)


def _point(experiment: Json, where: str, models: list[str]) -> ServePoint:
    requests = [_request(r, where, models) for r in dig(experiment, "requests") or []]
    mode, value = named(experiment, ("experiment", "mode")), optional(dig(experiment, "experiment"), "value")
    return made_point(requests, asked_load(value if mode == "request_rate" else None, value), where)


def _request(record: Json, where: str, models: list[str]) -> ServedRequest:
    sent = number(record, "timestamp", where) * 1e-9
    stamps = [t * 1e-9 for t in numbers(record, "response_timestamps", where)]
    texts, prompt, output = [], None, None
    for at, response in zip(stamps, record.get("response_outputs") or [], strict=False):
        for event in _events(response):
            models += [event["model"]] if not models and isinstance(event.get("model"), str) else []
            usage = event.get("usage")
            prompt, output = optional(usage, "prompt_tokens") or prompt, optional(usage, "completion_tokens") or output
            choice = (event.get("choices") or [None])[0]
            if named(choice, ("delta", "content"), ("delta", "reasoning_content"), ("text",)):
                texts.append(at)
    if texts and (prompt is None or output is None):
        raise InputError(f"{where}: counts no tokens: its stream has no usage object (include_usage); aiperf counts")
    return ServedRequest(
        sent_s=sent, prompt_tokens=int(prompt or 0), asked_tokens=max(int(output or 1), 1), output_tokens=int(output or 0),
        chunk_s=tuple(texts), ended_s=stamps[-1] if stamps else None, error=None if texts else "no token came")


def _events(response: Json) -> Iterator[dict[str, Json]]:
    """The JSON objects of one recorded response."""
    text = response if isinstance(response, str) else named(response, ("response",)) or ""
    for line in text.splitlines():
        body = line.removeprefix(DATA).strip()
        if body.startswith("{"):
            with suppress(ValueError, RecursionError):
                yield json.loads(body)
