"""Hundreds of replicas behind the router: an array operation takes the next event of every replica that has one.

The engine is EngineReplica's, event by event, and so are its numbers. What lets replicas go together is that no step is shorter
than some time. In a window of that length no replica ends more than one step, and whatever arrives in the window has no part in
that step; so all ends in it are known before its arrivals are routed, and its events are taken afterwards, side by side.
"""

from bisect import bisect_left
from math import ceil, inf
from typing import Final

import numpy as np

from roi.estimate.replay.engine import ROUNDING, SHORTENED, Server, StepBase, shortest_prompts_s
from roi.estimate.serving.routing import Routing
from roi.numerics.arrays import Array, Flags, Ints

Columns = tuple[Array, ...]

LEAST_REPLICAS: Final = 100
"""Replicas from which they are replayed together: fewer are sooner done one after the other, even in a burst (150: 1.1, 200:
1.4 times as fast together)."""
LEAST_ARRIVALS: Final = 40.0
"""Arrivals in a window from which on it pays (39 with 400 replicas: 0.9 times as fast, 30 with 1,000: 1.1, 60: 1.5 to 1.8)."""
EMPTY: Final = np.iinfo(np.int64).max
"""A slot without a sequence: its last token is after every other's."""


class Fleet:
    """The state of equal replicas between two events, an element each, and the event that each plans. Times in s.

    A replica's event is a step with prompts, or decode steps up to the first end of a sequence or the step in which an
    admissible request arrives. `end_s` is when it is over (inf: nothing to do). Requests are given by number; the number after
    the last one stands for none.
    """

    def __init__(self, columns: Columns, server: Server, base: StepBase, replicas: int) -> None:
        """`columns` are the requests' (`Requests.columns`), `base` is step_base(server)."""
        none = columns[0].size
        self.server, self.none, self.bits = server, none, none.bit_length()
        self.sequence_limit = ceil(server.sequence_limit)
        self.arrival, self.prefill, self.output, self.kv_start, self.kv_growth, self.kv_held = (
            np.append(column, inf) for column in columns)
        self.kv_read = self.kv_start + self.kv_growth * (self.output - 1.0)  # by its last step
        self.device, self.floor, self.shorter = np.array(base.device), np.array(base.floor), np.array(base.shorter)
        self.t, self.end_s, self.after_s = np.full(replicas, -inf), np.full(replicas, inf), np.full(replicas, inf)
        self.steps, self.kv, self.growth, self.held, self.left, self.busy, self.spent, self.count = np.zeros((8, replicas))
        self.n, self.at, self.complete_at, self.complete = np.zeros((4, replicas), dtype=np.int64)
        self.prompts, self.given = np.zeros(replicas, dtype=bool), np.zeros(replicas, dtype=np.int64)
        self.queue = np.full((replicas, 64), none)  # every request that a replica was given; from `at` on they wait
        self.keys = np.full((16, replicas), EMPTY)  # sequences that decode: step of the last token, then number, in one integer
        self.soonest = np.full(replicas, EMPTY)  # the least of them
        self.slot = np.zeros(none + 1, dtype=np.int64)
        self.admitted, self.first, self.ended = np.full((3, none + 1), inf)

    @property
    def times(self) -> tuple[Array, Array, Array]:
        """When each request's prefill began, and when its first and its last token came out, s; inf until then."""
        return self.admitted[:-1], self.first[:-1], self.ended[:-1]

    def give(self, who: Ints, numbers: Ints, due: Ints) -> Ints:
        """Queue requests at their replicas; returns the replicas whose next event that may change, and those that are `due`."""
        order = who.argsort(kind="stable")
        who = who[order]
        places = self.given[who] + _rank(who)
        self.given[who] = places + 1  # of equal ones the last holds
        while places.size and places.max() + 1 >= self.queue.shape[1]:
            self.queue = np.concatenate([self.queue, np.full_like(self.queue, self.none)], axis=1)
        self.queue[who, places] = numbers[order]
        changed = np.zeros(self.n.size, dtype=bool)
        changed[who] = True
        changed &= ~self.prompts  # nobody who comes has a part in a step with prompts that has begun
        changed[due] = True
        return changed.nonzero()[0]

    def take(self, i: Ints) -> list[tuple[Array, Ints]]:
        """Take the planned event of the replicas `i`; when requests ended by it, and at which replicas."""
        now, count = self.after_s[i], self.count[i]
        steps = self.steps[i] + count
        self.t[i], self.steps[i] = now, steps
        self.busy[i] += self.spent[i]
        self.kv[i] += self.growth[i] * count
        over, soonest = [], self.soonest[i]
        beyond = (steps + 1.0).astype(np.int64) << self.bits  # keys of later steps
        k = (soonest < beyond).nonzero()[0]
        while k.size:
            r, job = i[k], soonest[k] & ((1 << self.bits) - 1)
            over.append((self.end_s[r], r))
            self.ended[job] = now[k]
            self.held[r] -= self.kv_held[job]
            self.growth[r] -= self.kv_growth[job]
            self.kv[r] -= self.kv_read[job]
            last = self.n[r] - 1
            moved, slot = self.keys[last, r], self.slot[job]
            self.n[r], self.keys[slot, r], self.slot[moved & ((1 << self.bits) - 1)] = last, moved, slot
            self.keys[last, r] = EMPTY
            soonest[k] = self.soonest[r] = self.keys[:int(last.max()) + 1].take(r, axis=1).min(axis=0)
            k = k[soonest[k] < beyond[k]]
        p = self.prompts[i].nonzero()[0]
        if p.size:
            over += self._begin(i[p], now[p])
        return over

    def _begin(self, i: Ints, now: Array) -> list[tuple[Array, Ints]]:
        """The prompts of the step are complete: their requests decode, or have ended with their first token."""
        of = np.arange(i.size).repeat(self.complete[i])
        r, t, rank = i[of], now[of], _rank(of)
        job = self.queue[r, self.complete_at[r] + rank]
        self.first[job] = t
        further, over = self.output[job] - 1.0, []
        one = further <= 0.0
        if np.count_nonzero(one):
            short, rest = job[one], ~one
            self.ended[short] = t[one]
            np.subtract.at(self.held, r[one], self.kv_held[short])
            over.append((t[one], r[one]))
            r, job, further = r[rest], job[rest], further[rest]
            rank = _rank(r)
        slot, key = self.n[r] + rank, ((self.steps[r] + further).astype(np.int64) << self.bits) | job
        while slot.size and slot.max() >= self.keys.shape[0]:
            self.keys = np.concatenate([self.keys, np.full_like(self.keys, EMPTY)])
        self.slot[job], self.keys[slot, r], self.n[r] = slot, key, slot + 1  # of equal ones the last holds
        np.minimum.at(self.soonest, r, key)
        np.add.at(self.kv, r, self.kv_start[job])
        np.add.at(self.growth, r, self.kv_growth[job])
        return over

    def plan(self, i: Ints, known_s: float) -> None:
        """Plan the next event of the replicas `i`, none of which is in a step with prompts.

        All arrivals before `known_s` are queued. Decode steps that a request cuts before then are taken at once.
        """
        t, n, left, held, head = self.t[i], self.n[i], self.left[i], self.held[i], self.queue[i, self.at[i]]
        arrives = self.arrival[head]
        partial = left > 0.0
        waits = (head != self.none) & (n + partial < self.sequence_limit)
        waits &= held + self.kv_held[head] <= self.server.kv_capacity
        prompts = partial | (waits & (arrives <= t))
        free, has = ~prompts, n > 0
        k, idle = (free & has).nonzero()[0], (free > has).nonzero()[0]
        if idle.size:
            self.end_s[i[idle]], self.prompts[i[idle]] = inf, False
            come = idle[head[idle] != self.none]
            r, prompts[come] = i[come], True
            self.t[r] = np.maximum(t[come], arrives[come])
            self.kv[r] = self.growth[r] = self.held[r] = 0.0
        if k.size:
            cut = self._decode(i[k], waits[k], arrives[k], known_s)
            prompts[k[cut]] = True
        k = prompts.nonzero()[0]
        if k.size:
            self._compute_prompts(i[k])

    def _decode(self, i: Ints, waits: Flags, arrives: Array, known_s: float) -> Ints:
        """Plan decode steps; which of them are over before `known_s` because a request arrives, and are taken."""
        t, n, per_kv = self.t[i], self.n[i], float(self.server.iteration.kv_byte_s)
        step, faster, floor = self.device[n] + per_kv * self.kv[i], per_kv * self.growth[i], self.floor[n]
        count = (self.soonest[i] >> self.bits) - self.steps[i]
        host = (step < floor).nonzero()[0]
        if host.size:  # until the device is the slower
            with np.errstate(divide="ignore"):
                until = np.where(faster[host] > 0.0, np.ceil((floor[host] - step[host]) / faster[host]), inf)
            count[host], step[host], faster[host] = np.minimum(until, count[host]), floor[host], 0.0
        k = waits.nonzero()[0]
        if k.size:
            wait, first, more = arrives[k] - t[k], step[k], faster[k]
            slope = first - more / 2.0
            until = np.ceil(2.0 * wait / (slope + np.sqrt(slope * slope + 2.0 * more * wait)) - ROUNDING)
            cut = (until <= count[k]).nonzero()[0]
            k = k[cut]
            count[k] = np.maximum(until[cut], 1.0)
        spent = count * step + faster * count * (count - 1.0) / 2.0
        self.end_s[i] = after = t + spent
        over = k[after[k] < known_s]
        after[k] = np.maximum(after[k], arrives[k])  # rounding must not put the step's end before the arrival
        self.after_s[i], self.spent[i], self.count[i], self.prompts[i] = after, spent, count, False
        if over.size:
            r, taken = i[over], count[over]
            self.t[r] = after[over]
            self.busy[r] += spent[over]
            self.steps[r] += taken
            self.kv[r] += self.growth[r] * taken
        return over

    def _compute_prompts(self, i: Ints) -> None:
        """Plan a step with prompts. Nothing changes it any more, so its requests leave the queue."""
        server, engine = self.server, self.server.iteration
        t, n, at, held, left = self.t[i], self.n[i], self.at[i], self.held[i], self.left[i]
        decode = np.zeros_like(n) if server.prompts_alone else n  # those that get a token in this step
        most = server.step_tokens - decode
        budget, complete = most.copy(), np.zeros(i.size, dtype=np.int64)
        if np.count_nonzero(left):
            complete += (left > 0.0) & (left <= budget)
            left, budget = np.maximum(left - budget, 0.0), np.maximum(budget - left, 0.0)
        first, k = at - complete, budget.nonzero()[0]
        while k.size:
            job = self.queue[i[k], at[k]]
            come = (self.arrival[job] <= t[k]).nonzero()[0]
            if not come.size:
                break
            k, job = k[come], job[come]
            joins = held[k] + self.kv_held[job]
            fits = ((n[k] + complete[k] < self.sequence_limit) & (joins <= server.kv_capacity)).nonzero()[0]
            k, job = k[fits], job[fits]
            self.admitted[job], held[k] = t[k], joins[fits]
            room, need = budget[k], self.prefill[job]
            at[k] += 1
            complete[k] += need <= room
            left[k], budget[k] = np.maximum(need - room, 0.0), np.maximum(room - need, 0.0)
            k = k[(need < room) & (at[k] < self.given[i[k]])]
        tokens = most - budget
        kv, work = 0.0 if server.prompts_alone else self.kv[i], float(engine.prefill_token_s) * tokens
        spent = self.device[decode] + float(engine.kv_byte_s) * kv + work
        both = np.asarray(engine.read_s, dtype=float)
        if engine.experts_s:
            experts, (rate, power) = float(engine.experts_s), Routing.of(engine.expert_share)
            before, after = (1.0 + rate * decode) ** -power, (1.0 + rate * (decode + tokens)) ** -power
            spent += experts * (before - after)
            both = both + experts * (1.0 - after)
        if engine.overlap:
            products = float(engine.product_s) * decode + work
            spent += float(engine.overlap) * (self.shorter[decode] - np.minimum(products, both))
        spent = np.maximum(spent, self.floor[decode] + float(engine.host_prompt_s))
        self.end_s[i] = self.after_s[i] = t + spent
        self.spent[i], self.count[i], self.prompts[i] = spent, float(not server.prompts_alone), True
        self.at[i], self.held[i], self.left[i], self.complete_at[i], self.complete[i] = at, held, left, first, complete


def _rank(who: Ints) -> Ints:
    """How many equal ones stand before each, of ascending numbers."""
    return np.asarray(np.arange(who.size) - who.searchsorted(who))


def shortest_step_s(server: Server, base: StepBase) -> float:
    """Seconds that no step is shorter than."""
    return min(shortest_prompts_s(server, base), SHORTENED * min(map(max, base.device[1:], base.floor[1:])))


def goes_together(arrival_s: Array, server: Server, base: StepBase, replicas: int) -> bool:
    """True where operations on arrays of replicas take less time than one replica after the other."""
    if replicas < LEAST_REPLICAS:
        return False
    window_s = shortest_step_s(server, base)
    return window_s > 0.0 and bool(arrival_s.size * window_s >= LEAST_ARRIVALS * (arrival_s[-1] - arrival_s[0]))


class Choice:
    """Which replica gets a request: of those with the fewest the first."""

    def __init__(self, replicas: int) -> None:
        """All are empty."""
        self.has, self.bits = [0] * replicas, [1 << k for k in range(replicas)]
        self.alike, self.least = [(1 << replicas) - 1, 0], 0  # those that have equally many are bits of one number
        self.ends, self.whose, self.seen = [inf], [0], 0  # ends that are known, in order, and at which replicas

    def ended(self, times: Array, who: Ints) -> None:
        """Take note of requests that end at the replicas `who` at `times`, all later than those that were told before."""
        order = times.argsort()
        self.ends[-1:], self.whose[-1:] = [*times[order].tolist(), inf], [*who[order].tolist(), 0]

    def route(self, arrivals: list[float], fits: list[bool]) -> list[int]:
        """The replica of each request; one that fits none is given to it all the same, and counts for nothing.

        The emptiest is looked for as in router.py, in place: a call for each request costs a tenth of the replay.
        """
        has, bits, alike, ends, seen, least = self.has, self.bits, self.alike, self.ends, self.seen, self.least
        chosen, whose = list[int](), self.whose
        for now, stays in zip(arrivals, fits, strict=True):
            while ends[seen] <= now:
                k = whose[seen]
                seen += 1
                n, bit = has[k], bits[k]
                alike[n] ^= bit
                has[k] = n = n - 1
                alike[n] |= bit
                if n < least:  # noqa: PLR1730 -- a call of min() takes as long as the rest
                    least = n
            while not alike[least]:
                least += 1
            bit = alike[least] & -alike[least]
            best = bit.bit_length() - 1
            chosen.append(best)
            if stays:
                alike[least] ^= bit
                has[best] = n = least + 1
                if n == len(alike):
                    alike.append(0)
                alike[n] |= bit
        self.seen, self.least = seen, least
        return chosen


def run_together(columns: Columns, server: Server, base: StepBase, replicas: int) -> tuple[Fleet, list[int]]:
    """The replicas after everything, and the number of each request's replica, chosen as the other router does."""
    fleet, choice, window_s = Fleet(columns, server, base, replicas), Choice(replicas), shortest_step_s(server, base)
    chosen, held = list[int](), columns[-1] <= server.kv_capacity
    arrivals, fits = columns[0].tolist(), held.tolist()
    start_s, stop = -inf, 0
    while stop < len(arrivals):
        at, over = stop, []
        if arrivals[at] > start_s + window_s:
            start_s = arrivals[at]
            while (due := (fleet.end_s < start_s).nonzero()[0]).size:
                over += fleet.take(due)
                fleet.plan(due, start_s)
        until_s = start_s + window_s
        due, stop = (fleet.end_s < until_s).nonzero()[0], bisect_left(arrivals, until_s, at)
        over += fleet.take(due)
        if over:
            choice.ended(*(np.concatenate(x) for x in zip(*over, strict=True)))
        chosen += choice.route(arrivals[at:stop], fits[at:stop])
        come = held[at:stop].nonzero()[0]
        fleet.plan(fleet.give(np.array(chosen[at:stop], dtype=np.int64)[come], at + come, due), until_s)
        start_s = until_s
    while (due := (fleet.end_s < inf).nonzero()[0]).size:
        fleet.take(due)
        fleet.plan(due, inf)
    return fleet, chosen
