"""Reports of guidellm (benchmarks.json): a point for each benchmark, first and last token of every request.

Two schemas: to 0.3 a request has start_time, first_token_time, last_token_time, end_time; from 0.4 info.timings with
request_start, first_token_iteration, last_token_iteration, request_end. All are Unix seconds. guidellm's
time_per_output_token divides by all tokens (from 0.4 with TTFT inside): nothing is taken from its metrics.
"""

from datetime import UTC, datetime

from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.store.imports import fields
from roi.store.imports.fields import Json
from roi.store.imports.points import Imported, Load, asked_load, made_point

STATES = ("successful", "incomplete", "errored")
"""Lists of requests in a benchmark; incomplete ones were cut off when its time was up."""
NOTE = (
    "guidellm keeps a request's first and last token only: those between are taken as even, and TPOT is (last - first) /"
    " (output tokens - 1), not its time_per_output_token, which divides by all tokens"
)


def read_guidellm(document: Json, where: str) -> Imported:
    """The benchmarks of one report, a point each."""
    benchmarks = document["benchmarks"]
    if not benchmarks:
        raise ValueError("holds no benchmarks")
    found = []
    for i, benchmark in enumerate(benchmarks, 1):
        with fields.told(f"{where}: benchmark {i}"):
            found.append(_point(benchmark))
    notes = [NOTE, *(f"benchmark {i}: {why}" for i, (_, _, why) in enumerate(found, 1) if why)]
    first = benchmarks[0]
    places = ("config", "backend", "model"), ("worker", "backend_model"), ("benchmarker", "backend", "model")
    model = fields.named(first, *places) or fields.named(document, ("args", "model"), ("args", "backend_kwargs", "model"))
    version = fields.named(document, ("metadata", "guidellm_version"))
    return Imported(
        tool="guidellm", served_model=model, points=tuple(point for point, _, _ in found),
        started=datetime.fromtimestamp(found[0][1], UTC), versions={"guidellm": version} if version else {},
        notes=tuple(notes), complete=not any(why for _, _, why in found))


def _point(benchmark: Json) -> tuple[ServePoint, float, str]:
    """(point, Unix time of its first request, why requests are missing or "")."""
    lists = fields.dig(benchmark, "requests")
    failed = fields.listed(lists, "errored")
    if failed and not fields.listed(lists, "successful"):
        raise ValueError(f"none of its {len(failed):,} requests succeeded; the first: {_error(failed[0])}")
    if not fields.listed(lists, "successful"):
        raise ValueError("holds no requests: run guidellm with --output-path FILE.json and all requests kept")
    pairs = [(state, record) for state in STATES for record in fields.listed(lists, state)]
    requests = [r for state, record in pairs if (r := _request(record, state)) is not None]
    load = _load(fields.dig(benchmark, "config", "strategy") or fields.dig(benchmark, "args", "strategy"))
    missing = _missing(benchmark, len(pairs))
    return made_point(requests, load, complete=not missing), min(r.sent_s for r in requests), missing


def _request(record: Json, state: str) -> ServedRequest | None:
    """One request; None where it never left the queue."""
    times = fields.dig(record, "info", "timings")
    new = isinstance(times, dict)
    keys = ("request_start", "first_token_iteration", "last_token_iteration", "request_end") if new else (
        "start_time", "first_token_time", "last_token_time", "end_time")
    sent, first, last, ended = (fields.optional(times if new else record, key) for key in keys)
    if sent is None:
        if state == "successful":
            raise ValueError(f"a successful request has no {keys[0]}")
        return None
    prompt, output = fields.count(record, "prompt_tokens"), fields.count(record, "output_tokens")
    output = output if output is not None else fields.count(times, "token_iterations") or 0
    failed = None if state == "successful" else "cut off" if state == "incomplete" else _error(record)
    if failed is None and first is None:
        failed = "no token came"
    stamps = () if first is None else (first,) if last is None or output < 2 else (first, max(last, first))
    if failed is None and prompt is None:
        raise ValueError("a request has no prompt_tokens")
    return ServedRequest(
        sent_s=sent, prompt_tokens=prompt or 0, cached_tokens=fields.count(record, "cached_tokens") or 0,
        asked_tokens=max(output, 1), output_tokens=output, chunk_s=stamps,
        ended_s=None if ended is None else max(ended, *stamps, sent), error=failed)


def _error(record: Json) -> str:
    return fields.last_line(fields.named(record, ("error",), ("info", "error")) or "failed")


def _load(strategy: Json) -> Load:
    """The load of a strategy: synchronous, concurrent, throughput (as many as it may), constant or poisson."""
    kind, rate = fields.named(strategy, ("type_",)), fields.optional(strategy, "rate")
    if kind == "synchronous":
        return Load(concurrency=1)
    streams = fields.optional(strategy, "streams") if kind == "concurrent" else None
    return asked_load(rate if kind in {"poisson", "constant", "async"} else None, streams, poisson=kind == "poisson")


def _missing(benchmark: Json, kept: int) -> str:
    """Why the file does not hold every request that loaded the server; empty where it does."""
    state = fields.dig(benchmark, "scheduler_state")
    counts = [fields.count(state, f"{name}_requests") or 0 for name in ("successful", "errored", "cancelled")]
    total = fields.count(fields.dig(benchmark, "request_totals"), "total") or sum(counts)
    if total <= kept:
        return ""
    return (f"{total - kept:,} of {total:,} requests are not in the file (warm-up, cool-down or --sample-requests), so"
            " what ran together is unknown: leave those options out")
