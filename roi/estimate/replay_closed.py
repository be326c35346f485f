"""A closed loop through the replay: a fixed number of requests in flight, each replaced when it ends."""

import numpy as np

from roi.errors import InputError
from roi.estimate.engine_replica import EngineReplica, Job, Server
from roi.estimate.replay import Replayed, Requests


def replay_closed(requests: Requests, server: Server, concurrency: int) -> Replayed:
    """Every request's times on one replica with `concurrency` of them in flight, sent in their order; `arrival_s` is when.

    What a closed-loop load generator offers: `concurrency` requests at time 0, and the next one as soon as the client has
    seen the end of one, `request_s` after its last step. The requests' own `arrival_s` is not used. Requests whose KV cache
    fits no replica are not sent. Ignored: the client's own time between an end and the next request.
    """
    if concurrency < 1:
        raise InputError(f"concurrency: {concurrency} is not usable; at least 1")
    count = requests.arrival_s.size
    engine = EngineReplica(server, count)
    sent = np.full(count, np.inf)
    waiting = iter(np.flatnonzero(requests.kv_held <= server.kv_capacity).tolist())
    columns = (requests.prefill_tokens, requests.output_tokens, requests.kv_start, requests.kv_growth, requests.kv_held)
    rows = [column.tolist() for column in columns]
    flying: set[int] = set()

    def send(slots: int, now_s: float) -> None:
        for _, number in zip(range(slots), waiting, strict=False):
            job: Job = (now_s, rows[0][number], rows[1][number], rows[2][number], rows[3][number], rows[4][number], number)
            engine.take(job)
            sent[number] = now_s
            flying.add(number)

    send(concurrency, 0.0)
    while flying:
        engine.run(engine.next_s)  # one event; all that end with it end at one time
        over = {number for number in flying if engine.ended_s[number] < np.inf}
        if over:
            flying -= over
            send(len(over), engine.ended_s[over.pop()] + server.request_s)
    replica = np.zeros(count, dtype=np.intp)
    first, ended, admitted = (np.asarray(x) for x in (engine.first_s, engine.ended_s, engine.admitted_s))
    busy = np.array([engine.busy_s])
    return Replayed(sent, admitted, first, ended, requests.output_tokens, replica, busy, server.request_s)
