"""What importers make of a tool's file: points from its requests, with the load that it was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import numpy as np

from roi.facts.serve_profile import ServedRequest, ServePoint

FULL: Final = 0.9
"""Mean over largest number in flight from which a load of unknown kind is a closed loop: one that starts and drains."""


@dataclass(frozen=True)
class Stated:
    """What the user says of the server, since benchmark files do not."""

    model: str | None = None
    """Catalog name of the shape; the served name where None."""
    gpu: str | None = None
    gpus: int = 1
    engine: str | None = None
    weight_dtype: str | None = None
    kv_dtype: str | None = None
    kv_capacity_tokens: float | None = None


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The points that one file holds, and what it says of them."""

    tool: str
    served_model: str | None
    points: tuple[ServePoint, ...]
    started: datetime | None = None
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complete: bool = True
    """False where requests that loaded the server are missing, so that nothing may be fitted."""


@dataclass(frozen=True)
class Load:
    """The load that a tool was asked for, as far as its file says."""

    concurrency: int | None = None
    requests_per_s: float | None = None
    arrivals: Literal["closed", "poisson", "trace"] = "closed"


def asked_load(rate: float | None, concurrency: float | None, *, poisson: bool) -> Load:
    """The open loop at this rate, where there is one, else the closed loop of so many requests in flight."""
    if rate:
        return Load(requests_per_s=rate, arrivals="poisson" if poisson else "trace")
    return Load(concurrency=int(concurrency) if concurrency and concurrency >= 1.0 else None)


def made_point(requests: Sequence[ServedRequest], load: Load, *, complete: bool = True) -> ServePoint:
    """The point that these requests are, its clock beginning with the first of them; lengths aimed at are the medians."""
    if not requests:
        raise ValueError("holds no requests")
    begin = min(r.sent_s for r in requests)
    shifted = [_earlier(r, begin) for r in sorted(requests, key=lambda r: r.sent_s)]
    good = [r for r in requests if r.error is None] or list(requests)
    load = load if load != Load() else _seen(requests)
    return ServePoint(
        input_tokens=max(round(float(np.median([r.prompt_tokens for r in good]))), 1),
        output_tokens=max(round(float(np.median([r.output_tokens for r in good]))), 1),
        concurrency=load.concurrency if load.requests_per_s is None else None, requests_per_s=load.requests_per_s,
        arrivals="closed" if load.requests_per_s is None else load.arrivals, requests=tuple(shifted), complete=complete)


def _seen(requests: Sequence[ServedRequest]) -> Load:
    """The load as the stamps show it: closed where as many as ever were in flight while requests were sent, else open."""
    most = most_in_flight(requests)
    begin, end = min(r.sent_s for r in requests), max(r.sent_s for r in requests)
    if end <= begin:
        return Load(concurrency=most)
    inside = sum(min(end if r.ended_s is None else r.ended_s, end) - r.sent_s for r in requests) / (end - begin)
    if inside >= FULL * most:
        return Load(concurrency=most)
    return Load(requests_per_s=(len(requests) - 1) / (end - begin), arrivals="trace")


def most_in_flight(requests: Sequence[ServedRequest]) -> int:
    """Largest number of requests in flight at a time."""
    events = sorted([(r.sent_s, 1) for r in requests] + [(r.ended_s, -1) for r in requests if r.ended_s is not None])
    now, most = 0, 1
    for _, change in events:
        now += change
        most = max(most, now)
    return most


def _earlier(r: ServedRequest, begin: float) -> ServedRequest:
    """The request with its times counted from `begin`, s."""
    ended = None if r.ended_s is None else r.ended_s - begin
    return r.model_copy(update={"sent_s": r.sent_s - begin, "chunk_s": tuple(t - begin for t in r.chunk_s), "ended_s": ended})
