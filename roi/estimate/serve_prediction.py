"""What the replay says of a measured point: the same requests, with the times that a fitted step gives them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from roi.estimate.engine_replica import Server
from roi.estimate.replay import Replayed, Requests, replay
from roi.estimate.replay_closed import replay_closed
from roi.estimate.serve_metrics import successes
from roi.facts.serve_profile import ServedRequest, ServePoint

Array = NDArray[np.float64]


def predicted_point(point: ServePoint, server: Server, kv_of: Callable[[Array], Array] | None = None) -> ServePoint:
    """The point as the replay has it, for the same metrics as the measured one; requests that fit no replica are left out.

    `server` counts KV in tokens; `kv_of` gives what a context of so many tokens reads (windows cap it), else all of it.
    Requests that failed are left out too. Tokens come evenly between the first and the last, where the replay's steps differ
    a little.
    """
    good = sorted(successes(point), key=lambda r: r.sent_s)
    found = replay_served(good, server, point.concurrency, kv_of)
    first, last = found.first_s + found.request_s, found.ended_s + found.request_s
    requests = [
        ServedRequest(
            sent_s=float(found.arrival_s[i]), prompt_tokens=r.prompt_tokens, cached_tokens=r.cached_tokens,
            asked_tokens=r.asked_tokens, output_tokens=r.output_tokens, model=r.model, ended_s=float(last[i]),
            chunk_s=tuple(np.linspace(first[i], last[i], r.output_tokens).tolist()),
        )
        for i, r in enumerate(good) if found.served[i]
    ]  # fmt: skip
    return point.model_copy(update={"requests": tuple(requests)})


def replay_served(
    requests: Sequence[ServedRequest], server: Server, concurrency: int | None, kv_of: Callable[[Array], Array] | None = None
) -> Replayed:
    """Times of the requests (in order of sending) by the server's step; KV grows along the chord from first to last read.

    With `concurrency` in flight, as a closed loop: what was measured enters through the lengths alone. Without, at the times
    at which they were sent.
    """
    read = kv_of or (lambda tokens: tokens)
    prompt, cached, output = (
        np.array([float(getattr(r, name)) for r in requests]) for name in ("prompt_tokens", "cached_tokens", "output_tokens")
    )
    start, end = read(prompt + 1.0), read(prompt + output)
    growth = (end - start) / np.maximum(output - 1.0, 1.0)
    sent = np.array([r.sent_s for r in requests])
    load = Requests(sent, np.maximum(prompt - cached, 1.0), output, start, growth, end)
    return replay(load, server) if concurrency is None else replay_closed(load, server, concurrency)
