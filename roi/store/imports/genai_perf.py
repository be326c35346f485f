"""Raw data of genai-perf (profile_export.json): requests with the time of every response, in ns.

experiments[].experiment is {mode: concurrency or request_rate, value}; a request has timestamp, response_timestamps and
response_outputs, each {"response": "data: {...}"} of the OpenAI stream. Tokens are not counted in it: prompt tokens must come
from a usage object in the stream.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.store.imports import fields
from roi.store.imports.fields import Json
from roi.store.imports.points import Imported, asked_load, made_point

DATA: Final = "data:"
"""Prefix of an event."""


def read_genai_perf(document: Json, where: str) -> Imported:
    """The experiments of one file, a point each."""
    if not document["experiments"]:
        raise ValueError("holds no experiments")
    models: list[str] = []
    points = []
    for i, experiment in enumerate(document["experiments"], 1):
        with fields.told(f"{where}: experiment {i}"):
            points.append(_point(experiment, models))
    notes = ("genai-perf: tokens by the usage object of the stream; chunks without text are left out",)
    return Imported(tool="genai-perf", served_model=models[0] if models else None, points=tuple(points), notes=notes)


def _point(experiment: Json, models: list[str]) -> ServePoint:
    requests = [_request(r, models) for r in fields.listed(experiment, "requests")]
    asked = fields.dig(experiment, "experiment")
    mode, value = fields.named(asked, ("mode",)), fields.optional(asked, "value")
    return made_point(requests, asked_load(value if mode == "request_rate" else None, value))


def _request(record: Json, models: list[str]) -> ServedRequest:
    sent = fields.number(record, "timestamp") * 1e-9
    stamps = [t * 1e-9 for t in fields.numbers(record, "response_timestamps")]
    texts, prompt, output = [], None, None
    for at, response in zip(stamps, fields.listed(record, "response_outputs"), strict=False):
        for event in _events(response):
            models += [event["model"]] if not models and isinstance(event.get("model"), str) else []
            usage = event.get("usage")
            prompt, output = fields.count(usage, "prompt_tokens") or prompt, fields.count(usage, "completion_tokens") or output
            choice = next(iter(fields.listed(event, "choices")), None)
            if fields.named(choice, ("delta", "content"), ("delta", "reasoning_content"), ("text",)):
                texts.append(at)
    if texts and (prompt is None or output is None):
        raise ValueError("counts no tokens: its stream has no usage object (include_usage); aiperf counts")
    return ServedRequest(
        sent_s=sent, prompt_tokens=prompt or 0, asked_tokens=output or 1, output_tokens=output or 0,
        chunk_s=tuple(texts), ended_s=stamps[-1] if stamps else None, error=None if texts else "no token came")


def _events(response: Json) -> Iterator[dict[str, Json]]:
    """The JSON objects of one recorded response."""
    text = response if isinstance(response, str) else fields.named(response, ("response",)) or ""
    for line in text.splitlines():
        body = line.removeprefix(DATA).strip()
        if body.startswith("{"):
            with suppress(ValueError, RecursionError):
                yield json.loads(body)
