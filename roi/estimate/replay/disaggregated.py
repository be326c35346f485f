"""A closed loop over replicas that compute prompts and others that decode (disaggregated serving), from event to event."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf

import numpy as np

from roi.errors import InputError
from roi.estimate.replay.engine import EngineReplica, Server, Times, step_base
from roi.estimate.replay.router import SEND_S, Replayed, Requests, jobs_of


class _Stage:
    """Replicas that do the same, behind a router that picks the one with the fewest requests."""

    def __init__(self, requests: Requests, server: Server, replicas: int) -> None:
        base = step_base(server)
        self.times = Times.unknown(requests.arrival_s.size)
        self.jobs = jobs_of(requests, requests.columns(server.kv_capacity), server, base)
        self.engines = [EngineReplica(server, base, self.jobs, self.times) for _ in range(replicas)]
        self.next_s, self.has = [inf] * replicas, [0] * replicas  # before `next_s` none of a replica's requests can end
        self.of: dict[int, int] = {}

    def take(self, number: int, at_s: float) -> None:
        """Give a request to a replica; times ascend."""
        k = self.has.index(min(self.has))
        self.of[number], self.jobs.arrival_s[number] = k, at_s
        self.engines[k].queue.append(number)
        self.has[k] += 1
        self.next_s[k] = min(self.next_s[k], at_s + self.jobs.least_s[number])

    def run(self, until_s: float) -> Iterator[tuple[int, float]]:
        """Run all replicas until then; the numbers of the requests that end, and when."""
        known = len(self.times.ended)
        self.next_s = [engine.run(until_s) if soon <= until_s else soon
                       for engine, soon in zip(self.engines, self.next_s, strict=True)]
        for number in self.times.ended[known:]:
            self.has[self.of[number]] -= 1
            yield number, self.times.ended_s[number]


def replay_apart(requests: Requests, server: Server, prefilling: int, decoding: int, concurrency: int) -> Replayed:
    """Every request's times with `concurrency` of them in flight, sent in their order; `arrival_s` is when.

    A request is computed, among other prompts, on one of the `prefilling` replicas, and then handed to one of the `decoding`
    ones, whose steps give its tokens, the first too, once there is room for its KV cache. Each replica is an EngineReplica of
    this server, and gets a request where it has the fewest. The next is sent as in `replay_closed`. Ignored: room for the KV
    cache of prompts where they are computed, and the time that it takes from there. Requests whose KV cache fits no replica are
    not sent; they stand at 0, and never end.
    """
    if concurrency < 1:
        raise InputError(f"concurrency: {concurrency} is not usable; at least 1")
    none, ones = np.zeros(requests.arrival_s.size), np.ones(requests.arrival_s.size)
    prompts = _Stage(replace(requests, output_tokens=ones, kv_start=none, kv_growth=none, kv_held=none, kv_mean=None), server,
                     prefilling)
    steps = replace(server, iteration=replace(server.iteration, prefill_token_s=0.0, host_prompt_s=0.0), prompts_alone=False)
    answers = _Stage(replace(requests, prefill_tokens=ones), steps, decoding)
    waiting, sent, last_s = iter(np.flatnonzero(requests.kv_held <= server.kv_capacity).tolist()), none.copy(), -inf

    def send(at_s: float) -> int:
        nonlocal last_s
        for number in waiting:
            sent[number] = last_s = max(at_s, last_s + SEND_S)
            prompts.take(number, last_s)
            return 1
        return 0

    left = sum(send(0.0) for _ in range(concurrency))
    while left:
        now = min(*prompts.next_s, *answers.next_s)
        for number, at_s in prompts.run(now):
            answers.take(number, at_s)
        for _, at_s in answers.run(now):
            left += send(at_s + server.request_s) - 1
    busy = [engine.busy_s for stage in (prompts, answers) for engine in stage.engines]
    return Replayed(arrival_s=sent, admitted_s=np.array(prompts.times.admitted_s), first_s=np.array(answers.times.first_s),
                    ended_s=np.array(answers.times.ended_s), output_tokens=requests.output_tokens,
                    replica=np.array([answers.of.get(k, 0) for k in range(sent.size)]), busy_s=np.array(busy),
                    request_s=server.request_s)
