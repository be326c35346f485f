"""One replica of an engine that batches continuously, step by step; steps between which nothing changes are one event.

In each step every decoding sequence gets one token, and prompts are computed first come, first served in what the step's
tokens leave. Engines that do not mix (`Server.prompts_alone`) compute all prompts that wait in a step of their own, and decode
when none waits: nobody gets a token meanwhile. Without prompts n sequences that read K of KV cache, which grows by G a step,
take

    k steps = k (A + c K) + c G k (k - 1) / 2          A = a + experts x touched(n) + b n

so k steps up to the next end of a sequence, or to the step in which an admissible request arrives, are computed at once.
"""

# ruff: noqa: FURB136 -- a call of min() or max() takes as long as the arithmetic of a step
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields
from functools import lru_cache
from heapq import heappop, heappush
from math import ceil, inf, nextafter, sqrt
from typing import Final, NamedTuple, Self

import numpy as np

from roi.errors import InputError
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.replica_memory import SEQUENCE_LIMIT, STEP_TOKENS
from roi.estimate.serving.routing import Routing

ROUNDING: Final = 1e-9
"""Share of a step by which an arrival may seem to miss its end through rounding."""
SHORTENED: Final = 1.0 - 1e-9
"""What a least time is multiplied by, so that rounding puts none after its end."""
BEYOND: Final = 1.0 + 1e-6
"""Who comes after this much of the seconds of some decode steps comes after them, however those are rounded."""


@dataclass(frozen=True)
class Server:
    """What decides how long a step takes and what fits into it; KV in any one unit (bytes on each GPU, or tokens)."""

    iteration: Iteration
    """Numbers, not arrays; `kv_byte_s` is per unit of KV."""
    kv_capacity: float
    """KV cache of a replica, in that unit; inf = no limit."""
    sequence_limit: float = SEQUENCE_LIMIT
    """Requests that a replica prefills and decodes at a time, at least 1."""
    step_tokens: float = STEP_TOKENS
    """Tokens of the largest step, decoding ones included; more than `sequence_limit`."""
    request_s: float = 0.0
    """Seconds of a request outside the steps (network, HTTP, tokenizer)."""
    prompts_alone: bool = False
    """True where a step computes prompts, all that wait and fit, or decodes, and never both; prompts go first."""

    def __post_init__(self) -> None:
        """Raise InputError where no step could ever hold a prompt."""
        if self.sequence_limit < 1.0:
            raise InputError(f"sequence_limit: {self.sequence_limit:g} is not usable; at least 1")
        if self.step_tokens <= self.sequence_limit - 1.0:
            least = f"at least sequence_limit {self.sequence_limit:g}"
            raise InputError(f"step_tokens: {self.step_tokens:g} is not usable; {least}")
        if float(self.iteration.decode_s(1.0, 0.0)) <= 0.0:
            raise InputError("iteration: a decode step takes no time; step_s or sequence_s must be above 0")


class Jobs(NamedTuple):
    """What an engine knows of each request, by its number: those that arrive first have the least."""

    arrival_s: list[float]
    prefill: list[float]
    """Prompt tokens to compute."""
    output: list[float]
    kv_start: list[float]
    kv_growth: list[float]
    """KV that a token adds."""
    kv_held: list[float]
    """KV held until the end."""
    kv_read: list[float]
    """KV that its last step reads."""
    least_s: list[float]
    """Least seconds from arrival to the end."""


class Times(NamedTuple):
    """When each request's prefill began, and when its first and its last token came out, s, by its number; inf until then."""

    admitted_s: list[float]
    first_s: list[float]
    ended_s: list[float]
    ended: list[int]
    """Numbers of the requests that ended, in that order."""

    @classmethod
    def unknown(cls, count: int) -> Self:
        """The times of `count` requests to which nothing has happened yet: all inf."""
        return cls([inf] * count, [inf] * count, [inf] * count, [])


class StepBase(NamedTuple):
    """Seconds of a step with 0, 1, 2 ... decoding sequences."""

    device: list[float]
    """Seconds that the device takes, by number of sequences, the reading of their KV cache left out."""
    floor: list[float]
    """Seconds that the host takes, by number of sequences; no step without prompts is shorter."""
    shorter: list[float]
    """The shorter of their products and of reading the weights, seconds, by number of sequences: `overlap` of it is hidden."""


class EngineReplica:
    """The state of a replica between two steps; `run` takes further steps. Times in s.

    A step with n decoding sequences that read K of KV, and p prompt tokens (n and K are 0 where prompts are alone), takes

        step_s + experts_s x touched(n + p) + sequence_s x n + kv_byte_s x K + prefill_token_s x p - hidden(n, p)

    or, where that is more, what the host needs, host_s + host_sequence_s x n + (p > 0) host_prompt_s,
    and gives each decoding sequence one token and each prompt that is now complete its first.
    """

    __slots__ = ("busy_s", "queue", "run")

    def __init__(self, server: Server, base: StepBase, jobs: Jobs, times: Times) -> None:
        """`base` is step_base(server); several replicas share jobs and times, and each writes the times of its own requests."""
        self.queue: deque[int] = deque()
        """Numbers of the requests that wait, in order of arrival; those that never fit the KV cache are not put there."""
        self.busy_s = 0.0
        """Seconds in which it ran steps; known once it has nothing left to do."""
        steps = self._engine(server, base, jobs, times)
        next(steps)
        self.run: Callable[[float], float] = steps.send
        """Take every step that ends by this time; requests that arrive by then are all queued. Answers a later time before
        which none of the requests that it has can end: nobody who asks only who has ended need call it until then."""

    def _engine(self, server: Server, base: StepBase, jobs: Jobs, times: Times) -> Generator[float, float, None]:  # noqa: C901, PLR0912, PLR0915 -- one loop: 0.3 us a call would double its time
        """The engine between two calls of `run`, a generator so that its state stays in local names.

        Each round ends what the event before has brought to its end, plans decode steps until a prompt is due, and takes a step
        with prompts when it begins, since nobody who comes later has a part in it: `t` may then be ahead of `until_s`.
        """
        engine = server.iteration
        capacity, limit, budget_tokens = server.kv_capacity, ceil(server.sequence_limit), server.step_tokens
        mixed = not server.prompts_alone  # decode steps in one with prompts
        per_kv, per_prompt = float(engine.kv_byte_s), float(engine.prefill_token_s)
        experts, (rate, power) = float(engine.experts_s), Routing.of(engine.expert_share)
        (device, floor, shorter), host_prompt = base, float(engine.host_prompt_s)
        overlap, read, per_product = float(engine.overlap), float(engine.read_s), float(engine.product_s)
        queue, (admitted, first, ended, over) = self.queue, times
        popleft = queue.popleft
        arrival, prefill, output, start, grows, holds, reads, least = jobs
        heap: list[tuple[float, int]] = []  # sequences that decode, by the step of their last token
        soonest = inf  # the first of these steps
        partial: int | None = None  # the request whose prompt is computed in part, `left` tokens of it to come
        complete: list[int] = []  # those whose prompts the last step completed
        shortest = shortest_prompts_s(server, base)
        t, steps, left, busy, n = -inf, 0.0, 0.0, 0.0, 0
        kv, growth, held = 0.0, 0.0, 0.0  # KV that a step reads, its growth a step, KV held
        head, waits = 0, False  # the first of the queue, and whether there is a slot and room for it
        until_s = yield inf
        while True:
            while soonest <= steps:
                job = heappop(heap)[1]
                soonest = heap[0][0] if heap else inf
                n -= 1
                ended[job] = t
                over.append(job)
                held -= holds[job]
                growth -= grows[job]
                kv -= reads[job]
            if complete:
                for job in complete:
                    first[job] = t
                    tokens = output[job]
                    if tokens <= 1.0:
                        while until_s < t:  # who has ended is told no sooner
                            until_s = yield t
                        ended[job] = t
                        over.append(job)
                        held -= holds[job]
                    else:
                        last = steps + tokens - 1.0
                        heappush(heap, (last, job))
                        soonest = last if last < soonest else soonest
                        n += 1
                        kv += start[job]
                        growth += grows[job]
                complete = []
            waits = False
            if queue:
                head = queue[0]
                waits = n < limit and held + holds[head] <= capacity
            if partial is None and not (waits and arrival[head] <= t):
                if not n:
                    if not queue or arrival[head] > until_s:
                        self.busy_s = busy
                        until_s = yield arrival[head] if queue else inf
                    else:
                        t, kv, growth, held = max(t, arrival[head]), 0.0, 0.0, 0.0
                    continue
                step, faster = device[n] + per_kv * kv, per_kv * growth
                count = most = soonest - steps
                if step < floor[n]:
                    if faster:  # until the device is the slower
                        until = float(ceil((floor[n] - step) / faster))
                        count = until if until < count else count
                    step, faster = floor[n], 0.0
                spent = count * step + faster * count * (count - 1.0) / 2.0
                then, cut = t + spent, False
                while not queue and then > until_s:
                    until_s = yield then + (most - count) * step
                    if queue:
                        head = queue[0]
                        waits = n < limit and held + holds[head] <= capacity
                if waits and (wait := arrival[head] - t) < spent * BEYOND:
                    if wait <= 0.0:
                        continue
                    slope = step - faster / 2.0
                    until = float(ceil(2.0 * wait / (slope + sqrt(slope * slope + 2.0 * faster * wait)) - ROUNDING))
                    if until <= count:
                        count, cut = until if until > 1.0 else 1.0, True
                        spent = count * step + faster * count * (count - 1.0) / 2.0
                        then = t + spent
                if then > until_s:
                    ends = then + (most - count) * step
                    if cut:  # those that wait may be done sooner than those that decode
                        ends = max(min([ends, *[arrival[job] + least[job] for job in queue]]), then)
                    until_s = yield ends
                    continue
                t = then
                busy += spent
                steps += count
                kv += growth * count
                if not cut:
                    continue
                t = max(t, arrival[head])  # rounding must not put the step's end before the arrival
                if soonest <= steps:
                    continue
            if until_s <= t:  # somebody may come until then
                until_s = yield max(t + shortest, nextafter(until_s, inf))
                continue
            decoding = n if mixed else 0
            budget = tokens = budget_tokens - decoding
            if partial is not None:
                if left > budget:
                    left -= budget
                    budget = 0.0
                else:
                    budget -= left
                    complete.append(partial)
                    partial = None
                    waits = waits and n + 1 < limit
            while waits and budget > 0.0 and arrival[head] <= t:
                popleft()
                admitted[head] = t
                held += holds[head]
                need = prefill[head]
                if need > budget:
                    partial, left, budget = head, need - budget, 0.0
                    break
                budget -= need
                complete.append(head)
                if not queue:
                    break
                head = queue[0]
                waits = n + len(complete) < limit and held + holds[head] <= capacity
            tokens -= budget
            work = per_prompt * tokens
            spent = device[decoding] + per_kv * (kv if mixed else 0.0) + work
            both = read
            if experts:
                before, after = (1.0 + rate * decoding) ** -power, (1.0 + rate * (decoding + tokens)) ** -power
                spent += experts * (before - after)
                both += experts * (1.0 - after)
            if overlap:  # more than the sequences alone hid
                products = per_product * decoding + work
                spent += overlap * (shorter[decoding] - (products if products < both else both))
            if spent < (host := floor[decoding] + host_prompt):
                spent = host
            t += spent
            busy += spent
            if mixed:
                steps += 1.0
                kv += growth
            while until_s < t and soonest <= steps:  # who has ended is told no sooner
                until_s = yield t


def step_base(server: Server) -> StepBase:
    """Seconds of a step by the number of its sequences, as many as there may be."""
    coefficients = tuple(float(getattr(server.iteration, field.name)) for field in fields(Iteration))
    return _step_base(coefficients, ceil(min(server.sequence_limit, server.step_tokens)))


@lru_cache(maxsize=16)
def _step_base(coefficients: tuple[float, ...], most: int) -> StepBase:
    """Steps of a server (`step_base`) with an Iteration of these fields; kept, as a load curve asks at each of its rates."""
    engine, sequences = Iteration(*coefficients), np.arange(most + 1.0)
    shorter = np.minimum(engine.product_s * sequences, engine.read_s + engine.experts_s * engine.touched(sequences))
    columns = engine.device_s(sequences, 0.0), engine.floor_s(sequences), shorter
    return StepBase(*(np.asarray(column, dtype=float).tolist() for column in columns))


def shortest_prompts_s(server: Server, base: StepBase) -> float:
    """Seconds that no step with prompts is shorter than."""
    engine = server.iteration
    hidden, host = float(engine.overlap) * float(engine.read_s), base.floor[0] + float(engine.host_prompt_s)
    return SHORTENED * max(base.device[0] - hidden, host)
