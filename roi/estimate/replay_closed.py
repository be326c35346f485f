"""A closed loop through the replay: a fixed number of requests in flight, each replaced when it ends."""

from typing import Final

import numpy as np

from roi.errors import InputError
from roi.estimate.engine_replica import EngineReplica, Job, Server, Times, decode_base
from roi.estimate.replay import Replayed, Requests

SEND_S: Final = 1e-4
"""Least time between two requests of a client: building and writing one takes an event loop about 0.1 ms. What matters
is that it is more than nothing: the first of them finds the engine idle and starts a step, which the others wait for."""


def replay_closed(requests: Requests, server: Server, concurrency: int) -> Replayed:
    """Every request's times on one replica with `concurrency` of them in flight, sent in their order; `arrival_s` is when.

    What a closed-loop load generator offers: `concurrency` requests at the start, and the next one as soon as the client has
    seen the end of one, `request_s` after its last step, SEND_S after the one before at the earliest. The requests' own
    `arrival_s` is not used. Requests whose KV cache fits no replica are not sent.
    """
    if concurrency < 1:
        raise InputError(f"concurrency: {concurrency} is not usable; at least 1")
    count = requests.arrival_s.size
    times = Times.unknown(count)
    engine = EngineReplica(server, decode_base(server), times)
    sent = np.full(count, np.inf)
    waiting = iter(np.flatnonzero(requests.kv_held <= server.kv_capacity).tolist())
    columns = (requests.prefill_tokens, requests.output_tokens, requests.kv_start, requests.kv_growth, requests.kv_held)
    rows = [column.tolist() for column in columns]
    flying: set[int] = set()
    last_s = -np.inf

    def send(slots: int, at_s: float) -> None:
        nonlocal last_s
        for _, number in zip(range(slots), waiting, strict=False):
            last_s = at_s = max(at_s, last_s + SEND_S)
            job: Job = (at_s, rows[0][number], rows[1][number], rows[2][number], rows[3][number], rows[4][number], number)
            engine.take(job)
            sent[number] = at_s
            flying.add(number)

    send(concurrency, 0.0)
    while flying:
        engine.run(engine.next_s)  # one event; all that end with it end at one time
        over = {number for number in flying if times.ended_s[number] < np.inf}
        if over:
            flying -= over
            send(len(over), times.ended_s[over.pop()] + server.request_s)
    replica = np.zeros(count, dtype=np.intp)
    admitted, first, ended = (np.array(column) for column in times)
    busy = np.array([engine.busy_s])
    return Replayed(sent, admitted, first, ended, requests.output_tokens, replica, busy, server.request_s)
