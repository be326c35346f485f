"""What the client's timestamps of one point say: TTFT, TPOT, ITL, throughput over the steady window, goodput.

TTFT is from sending (in an open loop from the due time) to the first chunk with output. TPOT is from the first chunk to the
last over the tokens after the first: the first token belongs to TTFT. ITL is from chunk to chunk; where a chunk carries
several tokens it is the time of several. E2E ends with the stream.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.numerics.arrays import Array

Seconds = Array

FEWEST: Final = 4
"""Requests that must end in a window for a rate to be read from it."""


@dataclass(frozen=True)
class Window:
    """The part of a point over which throughput is counted, seconds from its start."""

    begin_s: float
    end_s: float
    steady: bool
    """False where the point was too short: the window is then all of it, filling and draining included."""

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.end_s - self.begin_s


@dataclass(frozen=True)
class PointMetrics:
    """The figures of one point; None where no request shows them."""

    succeeded: int
    failed: int
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    tpot_p50_s: float | None
    tpot_p95_s: float | None
    itl_p50_s: float | None
    itl_p99_s: float | None
    e2e_p50_s: float | None
    e2e_p95_s: float | None
    window: Window | None
    output_tokens_per_s: float | None
    """Output tokens that arrived in the window over its length, failed requests' too: the server made them."""
    requests_per_s: float | None
    """Successes that ended in the window, over its length."""
    goodput_per_s: float | None
    """Successes that ended in the window and kept both limits, over its length."""
    good_share: float
    """Requests that kept both limits, of all that were sent; a failed one kept none."""
    tokens_per_chunk: float | None
    """Output tokens of a chunk, mean; above 1 the ITL is of chunks. None where chunks are not stamped."""
    cached_share: float
    """Share of the prompt tokens that the server found in its prefix cache."""


def ttft_s(request: ServedRequest) -> float:
    """Seconds from sending to the first chunk with output."""
    return request.chunk_s[0] - request.sent_s


def tpot_s(request: ServedRequest) -> float | None:
    """Seconds a token after the first; None where there are fewer than two tokens or chunks."""
    if request.output_tokens < 2 or len(request.chunk_s) < 2:
        return None
    return (request.chunk_s[-1] - request.chunk_s[0]) / (request.output_tokens - 1)


def e2e_s(request: ServedRequest) -> float:
    """Seconds from sending to the end of the stream (the last chunk where the end is not known)."""
    return (request.chunk_s[-1] if request.ended_s is None else request.ended_s) - request.sent_s


def itl_s(requests: Iterable[ServedRequest]) -> Seconds:
    """Seconds from chunk to chunk of all these requests."""
    gaps = [np.diff(request.chunk_s) for request in requests if len(request.chunk_s) > 1]
    return np.concatenate(gaps) if gaps else np.empty(0)


def successes(point: ServePoint) -> list[ServedRequest]:
    """The requests of the point that ended without an error."""
    return [request for request in point.requests if request.error is None and request.chunk_s]


def keeps(request: ServedRequest, most_ttft_s: float, most_tpot_s: float) -> bool:
    """True where this request succeeded within both limits."""
    if request.error is not None or not request.chunk_s:
        return False
    tpot = tpot_s(request)
    return ttft_s(request) <= most_ttft_s and (tpot is None or tpot <= most_tpot_s)


def steady_window(point: ServePoint) -> Window | None:
    """The time in which the load was what the point states; None without a success.

    Closed loop: from the first sending to the last, while as many were in flight as asked; what follows drains. Open loop:
    from one median E2E after the first arrival, when the first have been served, to the last arrival. Where fewer than
    FEWEST requests end in it, the whole point.
    """
    good = successes(point)
    if not good:
        return None
    sent = np.array([request.sent_s for request in point.requests])
    ends = np.array([request.sent_s + e2e_s(request) for request in good])
    begin, end = float(sent.min()), float(sent.max())
    if point.concurrency is None:
        begin += float(np.median([e2e_s(request) for request in good]))
    if np.count_nonzero((ends > begin) & (ends <= end)) < FEWEST or end <= begin:
        return Window(float(sent.min()), float(ends.max()), steady=False)
    return Window(begin, end, steady=True)


def point_metrics(point: ServePoint, most_ttft_s: float, most_tpot_s: float, *, ends_only: bool = False) -> PointMetrics:
    """The point's figures; a request is good that keeps both limits, in seconds.

    `ends_only`: the stamps of a request are its first and its last token, so nothing is known of those between.
    """
    good = successes(point)
    ttft = np.array([ttft_s(request) for request in good])
    tpot = np.array([value for request in good if (value := tpot_s(request)) is not None])
    e2e, itl, window = np.array([e2e_s(request) for request in good]), itl_s(() if ends_only else good), steady_window(point)
    chunks, prompts = sum(len(r.chunk_s) for r in good), sum(r.prompt_tokens for r in good)
    ended = [] if window is None else [r for r in good if window.begin_s < r.sent_s + e2e_s(r) <= window.end_s]
    kept = [request for request in point.requests if keeps(request, most_ttft_s, most_tpot_s)]
    return PointMetrics(
        succeeded=len(good), failed=len(point.requests) - len(good), ttft_p50_s=_percentile(ttft, 50),
        ttft_p95_s=_percentile(ttft, 95), tpot_p50_s=_percentile(tpot, 50), tpot_p95_s=_percentile(tpot, 95),
        itl_p50_s=_percentile(itl, 50), itl_p99_s=_percentile(itl, 99), e2e_p50_s=_percentile(e2e, 50),
        e2e_p95_s=_percentile(e2e, 95), window=window,
        output_tokens_per_s=None if window is None else _tokens_within(point, window) / window.seconds,
        requests_per_s=None if window is None else len(ended) / window.seconds,
        goodput_per_s=None if window is None else sum(keeps(r, most_ttft_s, most_tpot_s) for r in ended) / window.seconds,
        good_share=len(kept) / len(point.requests) if point.requests else 0.0,
        tokens_per_chunk=sum(r.output_tokens for r in good) / chunks if chunks and not ends_only else None,
        cached_share=sum(r.cached_tokens for r in good) / prompts if prompts else 0.0,
    )


def _percentile(values: Seconds, percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values.size else None


def _tokens_within(point: ServePoint, window: Window) -> float:
    """Output tokens that arrived in the window; a request's tokens are spread evenly over its chunks."""
    total = 0.0
    for request in point.requests:
        if request.chunk_s:
            times = np.asarray(request.chunk_s)
            inside = int(np.count_nonzero((times > window.begin_s) & (times <= window.end_s)))
            total += inside * request.output_tokens / times.size
    return total
