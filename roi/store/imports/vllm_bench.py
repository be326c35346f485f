"""Results of `vllm bench serve --save-result --save-detailed` and of `sglang.bench_serving --output-details`.

One JSON object a run, or one a line. Arrays of one length, one element a request: input_lens, output_lens, ttfts and
start_times in s, itls a list of gaps in s, errors. Versions without start_times (benchmark_serving.py, SGLang's) send in order,
each request of a closed loop when a slot of `max_concurrency` is free. Sources: vllm/benchmarks/serve.py and
sglang/bench_serving.py, both of which hold a semaphore of so many, first come, first served.
"""

from datetime import UTC, datetime
from heapq import heapreplace
from itertools import accumulate
from typing import Final

from roi.estimate.serving.plausibility import breaks_tokens
from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.store.imports import fields
from roi.store.imports.fields import Json
from roi.store.imports.points import Imported, Load, asked_load, made_point

DETAILS: Final = ("input_lens", "output_lens", "ttfts", "itls")
"""Kept with --save-detailed (vLLM) or --output-details (SGLang) only."""
NEXT_S: Final = 1e-6
"""Seconds after which a slot that came free is taken: the request before has ended when the next is sent."""
OF_SGLANG: Final = "total_output_tokens_retokenized"
"""A figure that SGLang's tool has alone."""


def read_vllm(documents: list[Json], where: str) -> Imported:
    """The runs of one file of vllm bench serve, benchmark_serving.py or sglang.bench_serving, a point each."""
    notes: list[str] = []
    points: list[ServePoint] = []
    for i, document in enumerate(documents, 1):
        with fields.told(where if len(documents) == 1 else f"{where}: run {i}"):
            point = _point(document, notes)
            if all(r.error for r in point.requests):
                lost = f"none of its {len(point.requests):,} requests succeeded; the first: {point.requests[0].error}"
                if not points and i == len(documents):
                    raise ValueError(lost)
                notes.append(f"run {i} is left out: {lost}")
            else:
                points.append(point)
    first = documents[0]
    served = fields.named(first, ("model_id",), ("server_info", "model_path"))
    return Imported(tool="sglang.bench_serving" if OF_SGLANG in first else "vllm bench serve", served_model=served,
                    points=tuple(points), started=_started(first), notes=tuple(dict.fromkeys(notes)))


def _point(document: Json, notes: list[str]) -> ServePoint:
    lacks = [key for key in DETAILS if fields.dig(document, key) is None]
    if lacks and fields.optional(document, "completed") == 0.0:
        raise ValueError("none of its requests succeeded")
    if lacks:
        again = ("sglang.bench_serving with --output-details" if OF_SGLANG in document
                 else "vllm bench serve with --save-detailed")
        raise ValueError(f"holds only the summary (no {lacks[0]}): run {again}{_as_row(document)}")
    inputs, outputs = ([fields.whole(n, key) for n in fields.numbers(document, key)] for key in DETAILS[:2])
    ttfts = fields.numbers(document, "ttfts")
    gaps, errors = fields.listed(document, "itls"), fields.listed(document, "errors") or [""] * len(inputs)
    if not len(inputs) == len(outputs) == len(ttfts) == len(gaps) == len(errors):
        raise ValueError("input_lens, output_lens, ttfts, itls and errors differ in length")
    # closed where all are sent as fast as --max-concurrency lets them; Poisson arrivals at burstiness 1, SGLang's always
    rate = None if str(fields.dig(document, "request_rate")) == "inf" else fields.optional(document, "request_rate")
    poisson = OF_SGLANG in document or fields.optional(document, "burstiness") == 1.0
    load = asked_load(rate, fields.optional(document, "max_concurrency"), poisson=poisson)
    stamps = [[ttft, *fields.numbers({"itls": gap}, "itls")] if not error and ttft > 0.0 else []
              for ttft, gap, error in zip(ttfts, gaps, errors, strict=True)]
    latencies = _latencies(document, len(inputs))
    if "start_times" in document:
        starts = fields.numbers(document, "start_times")
        if len(starts) != len(inputs):
            raise ValueError("input_lens and start_times differ in length")
    else:
        starts = _as_slots_come_free(stamps, latencies, load)
        notes.append("the file has no start_times: of a closed loop each request is taken as sent when a slot came free")
    rows = zip(starts, inputs, outputs, stamps, errors, latencies, strict=True)
    requests = [_request(*row) for row in rows]
    done = [r for r in requests if r.error is None]
    stated, served = fields.optional(document, "output_throughput"), fields.optional(document, "request_throughput")
    if done and stated and served:
        wrong = breaks_tokens(stated, served, sum(r.output_tokens for r in done) / len(done))
        if wrong:
            raise ValueError(wrong)
    notes.append("tokens by the server's usage, where the tool took it (of prompts: newer versions), else its tokenizer")
    return made_point(requests, load)


def _as_row(document: Json) -> str:
    """The words that hand the summary of a closed loop on to `roi calibrate --add`, its row written out; of others none."""
    done, loop = fields.optional(document, "completed"), fields.optional(document, "max_concurrency")
    tokens = [fields.optional(document, name) for name in ("total_input_tokens", "total_output_tokens")]
    if not done or not loop or None in tokens or str(fields.dig(document, "request_rate")) != "inf":
        return ""
    isl, osl = ((total or 0.0) / done for total in tokens)
    figures = {
        "model": fields.named(document, ("model_id",), ("server_info", "model_path")) or "MODEL", "gpu": "GPU",
        "engine": "sglang" if OF_SGLANG in document else "vllm", "weight_dtype": "FORMAT", "tp": "GPUS", "load": "closed",
        "isl": isl, "osl": osl, "concurrency": loop,
        "prompts": done, "output_tok_per_s": fields.optional(document, "output_throughput"),
        "ttft_ms": fields.optional(document, "mean_ttft_ms"), "tpot_ms": fields.optional(document, "mean_tpot_ms")}
    known = {name: f"{it:.6g}" if isinstance(it, float) else it for name, it in figures.items() if it is not None}
    return ("; or roi calibrate --add TABLE.csv takes it as a row, with your GPU, FORMAT of weights and GPUS filled in:"
            f" {','.join(known)} | {','.join(known.values())}")


def _request(start: float, prompt: int, output: int, stamps: list[float], error: Json,
             latency: float | None) -> ServedRequest:
    times = tuple(accumulate(stamps, initial=start))[1:]
    failed = fields.last_line(str(error)) if error else None if times else "no token came"
    ended = start + latency if latency else times[-1] if times and not failed else None
    return ServedRequest(
        sent_s=start, prompt_tokens=prompt, asked_tokens=max(output, 1), output_tokens=output, chunk_s=times,
        ended_s=None if ended is None else max(ended, *times, start), error=failed)


def _latencies(document: Json, count: int) -> list[float | None]:
    """Seconds to the end of each stream, where the version keeps them."""
    found = document.get("latencies")
    if not isinstance(found, list) or len(found) != count:
        return [None] * count
    return [fields.optional({"latency": value}, "latency") for value in found]


def _as_slots_come_free(stamps: list[list[float]], latencies: list[float | None], load: Load) -> list[float]:
    """Seconds at which the requests of a closed loop were sent; one that failed has no end, and holds no slot.

    Others hold theirs to the end of their stream, which may come after the last token, where that is told.
    """
    if load.concurrency is None:
        raise ValueError("has no start_times and was no closed loop, so which requests ran together is unknown: use a newer"
                         " vllm bench serve, or --max-concurrency N without a rate")
    free = [0.0] * load.concurrency
    return [_start_in(free, max(sum(gaps), latency or 0.0) if gaps else 0.0)
            for gaps, latency in zip(stamps, latencies, strict=True)]


def _start_in(free: list[float], seconds: float) -> float:
    start = free[0]
    heapreplace(free, start + seconds + NEXT_S)
    return start


def _started(document: Json) -> datetime | None:
    try:
        return datetime.strptime(str(document.get("date")), "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
