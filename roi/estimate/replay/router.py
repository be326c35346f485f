"""Continuous batching over arrivals and lengths, from event to event: when each request starts, answers and ends.

Two kinds of load go through it. In an open loop requests arrive at times of their own, whatever the server does, and a router
gives each to the replica with the fewest requests. In a closed loop a load generator keeps a fixed number of requests in
flight on one replica, and sends the next when one ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from math import inf
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from roi.errors import InputError
from roi.estimate.replay.engine import SHORTENED, EngineReplica, Jobs, Server, StepBase, Times, step_base
from roi.estimate.replay.lockstep import goes_together, run_together
from roi.numerics.arrays import Array, Flags, Places

SEND_S: Final = 1e-4
"""Least time between two requests of a client: building and writing one takes an event loop about 0.1 ms. What matters
is that it is more than nothing: the first of them finds the engine idle and starts a step, which the others wait for."""


@dataclass(frozen=True)
class Requests:
    """What arrives, in order of arrival; arrays of one length."""

    arrival_s: Array
    """Ascending, s."""
    prefill_tokens: Array
    """Prompt tokens that are computed (those found in a prefix cache left out); at least 1."""
    output_tokens: Array
    """Generated tokens; at least 1. The first comes out of the prefill, the others of one decode step each."""
    kv_start: Array
    """KV cache that a step reads for the request when it begins to decode, on each GPU; a shared prefix included."""
    kv_growth: Array
    """KV cache that each further token adds to what a step reads: constant per request (windows and states: the chord from
    first to last)."""
    kv_held: Array
    """KV cache that the request holds of its own when it ends."""
    kv_mean: Array | None = None
    """The mean of that over its answer (`mean_kv`), where KV is taken as tokens come and it is admitted when its mean fits: of
    the others, some are near their starts and some their ends. Ignored: what is evicted and computed again. None where it is
    admitted when all of it fits."""

    @property
    def kv_taken(self) -> Array:
        """KV cache that counts as the request's own from its admission to its end."""
        return self.kv_held if self.kv_mean is None else self.kv_mean

    def columns(self, capacity: float) -> tuple[Array, ...]:
        """The arrays in the order of the fields, as a cache of this capacity takes them: who never fits it is never taken."""
        taken = np.where(self.kv_held <= capacity, self.kv_taken, self.kv_held)
        return self.arrival_s, self.prefill_tokens, self.output_tokens, self.kv_start, self.kv_growth, taken

    def __post_init__(self) -> None:
        """Raise InputError where the arrays cannot be a load."""
        if not self.arrival_s.size:
            raise InputError("requests: none; a replay needs at least one")
        if np.any(np.diff(self.arrival_s) < 0.0):
            raise InputError("arrival_s: not ascending; sort the requests by arrival")
        for name in ("prefill_tokens", "output_tokens"):
            if np.min(getattr(self, name)) < 1.0:
                raise InputError(f"{name}: {float(np.min(getattr(self, name))):g} is not usable; at least 1")
        if np.any(self.output_tokens % 1.0):
            raise InputError("output_tokens: a part of a token is not usable; whole numbers")


@dataclass(frozen=True)
class Replayed:
    """When every request was served, in order of arrival; inf where it was never admitted (its KV cache fits no replica)."""

    arrival_s: Array
    admitted_s: Array
    """When its prefill began, s."""
    first_s: Array
    """When its first token came out, s."""
    ended_s: Array
    """When its last token came out, s."""
    output_tokens: Array
    replica: Places
    """Which replica served it."""
    busy_s: Array
    """Seconds in which each replica ran steps, shape (replicas,)."""
    request_s: float
    """Seconds of a request outside the engine, part of TTFT and E2E."""

    @property
    def served(self) -> Flags:
        """True for requests that were admitted."""
        return np.asarray(np.isfinite(self.ended_s))

    @property
    def ttft_s(self) -> Array:
        """Time to first token of each request, s."""
        return self.first_s - self.arrival_s + self.request_s

    @property
    def e2e_s(self) -> Array:
        """Time to the last token, s."""
        return self.ended_s - self.arrival_s + self.request_s

    @property
    def tpot_s(self) -> Array:
        """Time per output token after the first, (E2E - TTFT) / (tokens - 1), of served requests with two tokens or more, s."""
        several = self.served & (self.output_tokens > 1.0)
        return (self.ended_s[several] - self.first_s[several]) / (self.output_tokens[several] - 1.0)

    @property
    def queued_s(self) -> Array:
        """Time from arrival until the prefill began, s."""
        return self.admitted_s - self.arrival_s

    @property
    def span_s(self) -> float:
        """Time from the first arrival to the last token, s."""
        return float(np.max(self.ended_s[self.served], initial=self.arrival_s[0]) - self.arrival_s[0])

    @property
    def utilisation(self) -> float:
        """Share of the span in which replicas ran steps, mean over replicas."""
        return float(np.mean(self.busy_s)) / self.span_s if self.span_s > 0.0 else 0.0

    @property
    def mean_queue(self) -> float:
        """Mean number of requests that wait for their prefill: arrivals x wait over the span (Little)."""
        return float(np.sum(self.queued_s[self.served])) / self.span_s if self.span_s > 0.0 else 0.0


def replay(requests: Requests, server: Server, replicas: int = 1) -> Replayed:
    """Every request's times on `replicas` equal replicas behind a router that picks the one with the fewest requests.

    Ties go to the replica with the lowest number. A replica runs steps (EngineReplica): decoding sequences get one token
    each, prompts are computed first come, first served in what the step's tokens leave (or in steps of their own), and a
    request is admitted when a slot is free and the KV cache that it takes fits (`Requests.kv_taken`); one that never fits is
    refused at once. Ignored: time between router and replica, failures, priorities, speculative decoding.
    """
    count = requests.arrival_s.size
    base, columns = step_base(server), requests.columns(server.kv_capacity)
    if goes_together(requests.arrival_s, server, base, replicas):
        fleet, chosen = run_together(columns, server, base, replicas)
        return _replayed(requests, server, requests.arrival_s, fleet.times, chosen, fleet.busy)
    times, jobs = Times.unknown(count), jobs_of(requests, columns, server, base)
    engines, chosen = [EngineReplica(server, base, jobs, times) for _ in range(replicas)], [0] * count
    if replicas == 1:
        engines[0].queue.extend(np.flatnonzero(requests.kv_held <= server.kv_capacity).tolist())
    else:
        chosen = _route(jobs, engines, times.ended, server.kv_capacity)
    for engine in engines:
        engine.run(inf)
    return _replayed(requests, server, requests.arrival_s, times, chosen, [engine.busy_s for engine in engines])


def jobs_of(requests: Requests, columns: tuple[Array, ...], server: Server, base: StepBase) -> Jobs:
    """The columns as an engine reads them."""
    step, engine = max(base.device[1], base.floor[1]), server.iteration
    first = base.device[0] - float(engine.overlap) * float(engine.read_s)  # of experts' reading no more than itself is hidden
    prompts = float(engine.prefill_token_s) * requests.prefill_tokens
    least = (first + prompts + step * (requests.output_tokens - 1.0)) * SHORTENED
    last = requests.kv_start + requests.kv_growth * (requests.output_tokens - 1.0)
    return Jobs(*(column.tolist() for column in (*columns, last, least)))


def _replayed(
    requests: Requests, server: Server, arrival_s: Array, times: Sequence[ArrayLike], replica: ArrayLike, busy_s: ArrayLike,
) -> Replayed:
    """`times` are when prefills began, first and last tokens came out, as those of `Times`."""
    admitted, first, ended = (np.asarray(x, dtype=float) for x in times[:3])
    return Replayed(
        arrival_s=arrival_s, admitted_s=admitted, first_s=first, ended_s=ended, output_tokens=requests.output_tokens,
        replica=np.asarray(replica, dtype=np.intp), busy_s=np.asarray(busy_s, dtype=float), request_s=server.request_s,
    )


def _route(jobs: Jobs, engines: list[EngineReplica], over: list[int], capacity: float) -> list[int]:
    """The number of each request's replica. The engines are then behind the last arrival, with all that is theirs queued.

    Who gets a request depends on nothing but how many each replica has. So an engine runs only when one of its requests may
    have ended: `soon` has these times. Replicas that have equally many are bits of one number, whose lowest is the next to get
    one. `over` are the requests that ended (`Times`).
    """
    count = len(engines)
    ends, has, chosen = [inf] * count, [0] * count, []
    alike, least = [(1 << count) - 1] + [0] * len(jobs.arrival_s), 0
    soon, known = [(inf, 0)], 0  # more than one for a replica, of which that in `ends` holds
    runs, queues = [engine.run for engine in engines], [engine.queue for engine in engines]
    for job, (now, held, least_s) in enumerate(zip(jobs.arrival_s, jobs.kv_held, jobs.least_s, strict=True)):
        while soon[0][0] <= now:
            end_s, k = soon[0]
            if end_s != ends[k]:
                heappop(soon)
                continue
            ends[k] = end_s = runs[k](now)
            if end_s < inf:
                heapreplace(soon, (end_s, k))
            else:
                heappop(soon)
            ended = len(over) - known
            if ended:
                known += ended
                n, bit = has[k], 1 << k
                alike[n] ^= bit
                has[k] = n = n - ended
                alike[n] |= bit
                if n < least:  # noqa: PLR1730 -- a call of min() takes as long as the rest
                    least = n
        while not alike[least]:
            least += 1
        bit = alike[least] & -alike[least]
        best = bit.bit_length() - 1
        chosen.append(best)
        if held > capacity:
            continue
        queues[best].append(job)
        has[best] = n = least + 1
        alike[least] ^= bit
        alike[n] |= bit
        end_s = now + least_s
        if end_s < ends[best]:
            ends[best] = end_s
            heappush(soon, (end_s, best))
    return chosen


def replay_closed(requests: Requests, server: Server, concurrency: int) -> Replayed:
    """Every request's times on one replica with `concurrency` of them in flight, sent in their order; `arrival_s` is when.

    What a closed-loop load generator offers: `concurrency` requests at the start, and the next one as soon as the client has
    seen the end of one, `request_s` after its last step, SEND_S after the one before at the earliest. The requests' own
    `arrival_s` is not used. Requests whose KV cache fits no replica are not sent; they stand at 0, and never end.
    """
    if concurrency < 1:
        raise InputError(f"concurrency: {concurrency} is not usable; at least 1")
    count = requests.arrival_s.size
    times, base = Times.unknown(count), step_base(server)
    jobs = jobs_of(requests, requests.columns(server.kv_capacity), server, base)
    engine = EngineReplica(server, base, jobs, times)
    sent = np.zeros(count)
    waiting = iter(np.flatnonzero(requests.kv_held <= server.kv_capacity).tolist())
    last_s, next_s = -inf, inf

    def send(slots: int, at_s: float) -> int:
        nonlocal last_s, next_s
        sending = 0
        for _, number in zip(range(slots), waiting, strict=False):
            last_s = at_s = max(at_s, last_s + SEND_S)
            engine.queue.append(number)
            next_s = min(next_s, at_s + jobs.least_s[number])
            jobs.arrival_s[number] = sent[number] = at_s
            sending += 1
        return sending

    left, known = send(concurrency, 0.0), 0
    while left:
        next_s = engine.run(next_s)  # to the first end at most; all that end with it end at one time
        ended = len(times.ended) - known
        if ended:
            known += ended
            left += send(ended, times.ended_s[times.ended[-1]] + server.request_s) - ended
    return _replayed(requests, server, sent, times, np.zeros(count), [engine.busy_s])
