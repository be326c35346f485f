"""Records of aiperf (profile_export.jsonl): one request a line, with its chunks' gaps; load and model from the summary.

A line has metadata (request_start_ns, request_end_ns in Unix ns, benchmark_phase, was_cancelled), metrics with a value and a
unit each (time_to_first_token and request_latency in ms, inter_chunk_latency a list in ms, input_sequence_length,
output_sequence_length; usage_prompt_tokens and usage_completion_tokens where the server said so) and error. Written with
--export-level records, which is the default. The real export under tests is of 0.13.
"""

from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

from roi.facts.serve_profile import ServedRequest
from roi.store.imports import fields
from roi.store.imports.fields import Json
from roi.store.imports.points import Imported, Load, asked_load, made_point

COMPLETION: Final = "usage_completion_tokens"
PROMPT: Final = "usage_prompt_tokens"
"""Metrics that hold the tokens which the server's usage object counted."""
SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0}
"""Seconds of one unit, by the names that aiperf writes."""


def read_aiperf(records: list[Json], summary: Json, where: str) -> Imported:
    """The requests of one run as a point; `summary` is profile_export_aiperf.json, or None."""
    lines, requests = [], []
    for i, record in enumerate(records, 1):
        with fields.told(f"{where}: line {i}"):
            if fields.dig(record, "metadata", "benchmark_phase") in (None, "profiling"):
                lines.append(record)
                requests.append(_request(record))
    config = fields.dig(summary, "input_config")
    model = fields.named(config, ("endpoint", "model_name")) or _first(fields.dig(config, "endpoint", "model_names"))
    model = model or _first([fields.named(item, ("name",)) for item in fields.listed(fields.dig(config, "models"), "items")])
    load = _load(fields.dig(config, "loadgen"), fields.dig(config, "phases"))
    notes = [_counted(sum(_usage(record) for record in lines), len(lines))]
    if load == Load():
        notes.append("the load is not in the file: taken as the stamps show it")
    version = fields.named(summary, ("aiperf_version",))
    point = made_point(requests, load)
    started = datetime.fromtimestamp(min(r.sent_s for r in requests), UTC)
    versions = {"aiperf": version} if version else {}
    return Imported(tool="aiperf", served_model=model, points=(point,), started=started, versions=versions, notes=tuple(notes))


def _request(record: Json) -> ServedRequest:
    meta, metrics = fields.dig(record, "metadata"), fields.dig(record, "metrics")
    sent = fields.number(fields.dig(meta, "request_start_ns"), "request_start_ns") * 1e-9
    ended = fields.optional(meta, "request_end_ns")
    error = _error(record)
    first, gaps = fields.dig(metrics, "time_to_first_token"), fields.dig(metrics, "inter_chunk_latency")
    ttft = fields.optional(metrics, "time_to_first_token", "value")
    if error is None and ttft is None:
        raise ValueError("no time_to_first_token: run aiperf with --streaming")
    first_unit, unit = _unit_s(first), _unit_s(gaps)
    between = {"inter_chunk_latency": fields.dig(gaps, "value") or []}
    steps = [gap * unit for gap in fields.numbers(between, "inter_chunk_latency")]
    times = () if ttft is None else tuple(accumulate([ttft * first_unit, *steps], initial=sent))[1:]
    usage = _usage(record)
    output = _count(metrics, COMPLETION) if usage else _count(metrics, "output_sequence_length") or _count(
        metrics, "output_token_count")
    if error is None and not output:
        raise ValueError("no output_sequence_length")
    prompt = _count(metrics, PROMPT) if usage else _count(metrics, "input_sequence_length") or _count(metrics, "error_isl")
    return ServedRequest(
        sent_s=sent, prompt_tokens=prompt, asked_tokens=max(output, 1), output_tokens=output, chunk_s=times,
        ended_s=None if ended is None else max(ended * 1e-9, *times, sent), error=error)


def _unit_s(metric: Json) -> float:
    """Seconds of the metric's unit; ms where it states none."""
    unit = fields.dig(metric, "unit")
    if unit is not None and str(unit) not in SECONDS:
        raise ValueError(f"unit: {str(unit)[:40]!r} is not one of {', '.join(SECONDS)}")
    return SECONDS["ms" if unit is None else unit]


def _error(record: Json) -> str | None:
    error = record.get("error")
    if error:
        text = fields.named(error, ("message",), ("error_message",)) if isinstance(error, dict) else str(error)
        return fields.last_line(text or "failed")
    return "cancelled" if fields.dig(record, "metadata", "was_cancelled") else None


def _count(metrics: Json, key: str) -> int:
    return fields.count(metrics, key, "value") or 0


def _usage(record: Json) -> bool:
    """True where the server counted both kinds of tokens: its own count, where the tool's tokenizer may be another's."""
    metrics = fields.dig(record, "metrics")
    return bool(_count(metrics, COMPLETION) and _count(metrics, PROMPT))


def _counted(told: int, requests: int) -> str:
    if told in {0, requests}:
        return "aiperf: tokens by the server's usage" if told else "aiperf: tokens by its tokenizer"
    return f"aiperf: tokens of {told:,} of {requests:,} requests by the server's usage, of the others by its tokenizer"


def _load(loadgen: Json, phases: Json) -> Load:
    """The load of --request-rate (Poisson unless --request-rate-mode or --arrival-pattern says otherwise), else --concurrency.

    From 0.13 on it stands in phases: the type of the one that profiles is concurrency, or how arrivals are spaced.
    """
    phase = next((p for p in phases if fields.dig(p, "kind") == "profiling"), None) if isinstance(phases, list) else None
    how, rate = fields.named(phase, ("type",)), "rate"
    if phase is None:
        phase, rate = loadgen, "request_rate"
        how = fields.named(loadgen, ("request_rate_mode",), ("arrival_pattern",)) or "poisson"
    return asked_load(fields.optional(phase, rate), fields.optional(phase, "concurrency"), poisson=how == "poisson")


def _first(names: Json) -> str | None:
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
