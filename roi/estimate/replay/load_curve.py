"""How the latency of replicas rises with the load, and the largest rate at which the SLO still holds.

The same requests are replayed at a ladder of rates, each RUNG times the next below; another rate brings them closer together
in time. A search climbs from a rung that holds the SLO to the first that breaks it, looks at FINE rates inside that rung, and
takes the crossing on a straight line between the logarithms of rate and of the percentile over its limit.
"""

from dataclasses import dataclass, replace
from math import exp, inf, isinf, log, sqrt
from typing import Final

import numpy as np

from roi.estimate.replay.engine import Server
from roi.estimate.replay.router import Replayed, Requests, replay
from roi.numerics.arrays import Array

WARM_UP, COOL_DOWN = 0.15, 0.1
"""Shares of the requests that find the replicas emptier than they will be, or leave them emptying; left out of percentiles."""
TOP: Final = 1.1
"""Highest rung over the rate of an endless queue, which means of the requests give within some 10%."""
RUNG: Final = 1.25
"""Ratio of the ladder's rates."""
FINE: Final = 2
"""Rates inside the rung in which the SLO breaks: 1.25^(1/2), 12% apart, a straight line between them."""
FIRST_RUNG: Final = 1
"""Where the search begins: 0.88 of the saturated rate, which seven SLOs in ten hold; whoever begins lower replays more."""
DESCENT: Final = 3
"""Rungs down at a time while the SLO does not hold: half the rate."""
LOWEST: Final = 0.01
"""Where not even this share of the saturated rate holds the SLO, no rate does."""
REPLAYED: Final = 600
"""Requests of one replica's replay: some minutes of a peak, not a stationary hour. With 5,000 of them the capacity is 9% lower
(median of 30 plans, lengths and SLOs; benchmarks/replay_speed.py), since queues have longer to build up."""
GENERATIONS: Final = 10
"""Requests of a replay over those in flight, at least: it then fills in a tenth of its time and empties in another."""
MOST: Final = 4000
"""Requests of one replica's replay at most."""
UNJUDGED: Final = 0.05
"""Share of requests that a 95th percentile leaves out, however slow they are, or refused."""


def more_replayed(in_flight: float) -> int | None:
    """Requests that a replica's replay takes where so many are in flight; None where REPLAYED are enough."""
    wanted = in_flight * GENERATIONS
    return int(min(wanted, MOST)) if wanted > REPLAYED else None


@dataclass(frozen=True)
class Slo:
    """95th percentiles that must hold, s; inf = none."""

    ttft_p95_s: float = inf
    tpot_p95_s: float = inf


@dataclass(frozen=True)
class LoadPoint:
    """How replicas do under one rate of requests.

    A request that no replica can hold is refused, and counts among the slowest: the 95th percentiles are of all requests.
    Where more than UNJUDGED are refused there is none, and the figures are of those that were served.
    """

    requests_per_s: float
    """Offered to all replicas in sum."""
    ttft_p50_s: float
    ttft_p95_s: float
    tpot_p50_s: float
    tpot_p95_s: float
    """0 where no request has a second token."""
    e2e_p50_s: float
    e2e_p95_s: float
    utilisation: float
    """Share of the time in which replicas run steps."""
    in_flight: float
    """Mean number of requests between arrival and end, summed over the replicas (Little's law)."""
    mean_queue: float
    """Mean number of requests that wait for their prefill, summed over the replicas."""
    served: float
    """Share of the requests that some replica could hold."""

    def holds(self, slo: Slo) -> bool:
        """True where both 95th percentiles of all requests are within the SLO."""
        return self.strain(slo) <= 1.0

    def strain(self, slo: Slo) -> float:
        """The larger of the two percentiles over its limit; above 1 the SLO is broken."""
        refused = inf if self.served < 1.0 - UNJUDGED else 0.0
        return max(self.ttft_p95_s / slo.ttft_p95_s, self.tpot_p95_s / slo.tpot_p95_s, refused)


@dataclass(frozen=True)
class Capacity:
    """The largest rate that holds an SLO."""

    requests_per_s: float
    """Requests a second of all replicas together; 0 where no rate holds."""
    binding: str
    """TTFT, TPOT, KV memory (requests fit no replica), or saturation where the SLO never breaks."""
    rung: int = 0
    """The highest rung that holds; a looser SLO's search may begin there."""
    in_flight: float = 0.0
    """Mean number of requests between arrival and end at the highest rate that was replayed and holds."""


@dataclass(frozen=True)
class PlanCapacity:
    """What a plan holds at the SLO, requests/s, with the engine at its central speed and at the ends of its spread."""

    alone: Capacity
    slow: Capacity
    fast: Capacity
    pooling: float
    """What each of four replicas behind a router holds over one alone, at least 1 (`fleet_capacity`)."""
    pooling_slow: float
    """`pooling` with the engine at the slow end of its speed."""
    pooling_fast: float
    rooms: tuple[float, float] | None = None
    """Less and more room for KV on each GPU, bytes, of which what it holds has joined the ends; None where it does not bind."""


class LoadCurve:
    """Replicas of one server at a ladder of rates, each replayed when it is first asked for and then kept."""

    def __init__(self, requests: Requests, server: Server, replicas: int = 1, rungs_of: Server | None = None) -> None:
        """Keep requests that arrive at a mean rate of 1 a second; other rates bring the same ones closer together.

        The ladder is that of `rungs_of`, another server, where one is given: two servers are then compared at the same rates.
        """
        self._requests, self._server, self._replicas = requests, server, replicas
        self._points: dict[float, LoadPoint] = {}
        self.saturated_requests_per_s = replicas * saturated_rate(requests, server)
        """Requests a second with an endless queue, summed over the replicas; 0 where no request fits."""
        self._top = TOP * replicas * saturated_rate(requests, rungs_of) if rungs_of else TOP * self.saturated_requests_per_s

    def at(self, requests_per_s: float) -> LoadPoint:
        """How the replicas do under this rate."""
        if requests_per_s not in self._points:
            faster = replace(self._requests, arrival_s=self._requests.arrival_s / requests_per_s)
            found = replay(faster, self._server, self._replicas)
            self._points[requests_per_s] = load_point(found, requests_per_s)
        return self._points[requests_per_s]

    def rung(self, number: float) -> LoadPoint:
        """How the replicas do under the rate of a rung: saturated x TOP / RUNG^number, whatever the SLO."""
        return self.at(self._top / RUNG**number)

    def shortest(self) -> LoadPoint:
        """How the replicas do under hardly any load, where the search for a rate that holds the SLO gives up."""
        number = FIRST_RUNG
        while RUNG**-number >= LOWEST:
            number += DESCENT
        return self.rung(number)

    @property
    def all_fit(self) -> bool:
        """True where a replica can hold every one of the requests."""
        return float(np.max(self._requests.kv_held)) <= self._server.kv_capacity

    def kv_full(self, point: LoadPoint) -> float | None:
        """Share of the KV cache that those under way at a point hold in the mean; None where the engine evicts nothing.

        Under way are those in flight that do not wait for their prefill; long answers stay longer, so that tokens weigh.
        """
        if self._requests.kv_mean is None:
            return None
        each = float(np.average(self._requests.kv_mean, weights=self._requests.output_tokens))
        return min((point.in_flight - point.mean_queue) / self._replicas * each / self._server.kv_capacity, 1.0)

    def near_room(self, in_flight: float, unsure: float) -> tuple[float, float] | None:
        """KV capacities of a replica that has `unsure` less, or more; None where so many in flight come near neither.

        Near: the mean and two deviations, in flight like Poisson arrivals, where tokens weigh, since long answers stay longer.
        No less than what the longest request holds, for which a server would be given more of its card.
        """
        mean = float(np.average(self._requests.kv_taken, weights=self._requests.output_tokens))
        room = self._server.kv_capacity
        each = in_flight / self._replicas
        under_way = min(each + 2.0 * sqrt(each), self._server.sequence_limit)
        less, longest = room - unsure, float(np.max(self._requests.kv_held))
        near = min(under_way, unsure) > 0.0 and max(under_way * mean, longest) > less
        return (max(less, min(longest, room)), room + unsure) if near else None

    def capacity(self, slo: Slo, speed: float = 1.0, rung: int | None = None) -> Capacity:
        """The largest rate that holds the SLO with the engine at `speed` times its speed.

        Since the search goes upwards, a tighter SLO never has more capacity, scatter or not. Another speed is another clock:
        all times divided by it, so the same replays answer with the SLO and the rate rescaled. `rung` is where to begin, one
        that is thought to hold.
        """
        found = self._capacity(Slo(slo.ttft_p95_s * speed, slo.tpot_p95_s * speed), FIRST_RUNG if rung is None else rung)
        return replace(found, requests_per_s=found.requests_per_s * speed)

    def _capacity(self, slo: Slo, number: int) -> Capacity:
        """The largest rate that holds the SLO at the server's own speed; the search begins at rung `number`."""
        full = self.saturated_requests_per_s
        if full <= 0.0:
            return Capacity(0.0, "KV memory")
        while not self.rung(number).holds(slo):
            if RUNG**-number < LOWEST:
                return Capacity(0.0, _binding(self.rung(number), slo), number)
            number += DESCENT
        while number > 0 and self.rung(number - 1).holds(slo):
            number -= 1
        if number == 0:
            return Capacity(full, "saturation", 0, self.rung(0).in_flight)
        low = self.rung(number)
        for part in range(1, FINE + 1):
            high = self.rung(number - part / FINE)
            if not high.holds(slo):
                return Capacity(min(_crossing(low, high, slo), full), _binding(high, slo), number, low.in_flight)
            low = high
        raise AssertionError(number)


def load_point(found: Replayed, requests_per_s: float) -> LoadPoint:
    """The percentiles of a replay at this rate; the first WARM_UP and the last COOL_DOWN of its requests are left out."""
    place = (np.arange(found.arrival_s.size) + 0.5) / found.arrival_s.size
    ok = found.served & (place > WARM_UP) & (place < 1.0 - COOL_DOWN)
    several = ok & (found.output_tokens > 1.0)
    served = float(np.mean(found.served))
    high = (1.0 - UNJUDGED) / (served if served >= 1.0 - UNJUDGED else 1.0)
    ttft, e2e = found.ttft_s[ok], found.e2e_s[ok]
    tpot = (found.ended_s[several] - found.first_s[several]) / (found.output_tokens[several] - 1.0)
    (ttft_50, ttft_95), (tpot_50, tpot_95), (e2e_50, e2e_95) = (_percentiles(x, high) for x in (ttft, tpot, e2e))
    return LoadPoint(
        requests_per_s=requests_per_s, ttft_p50_s=ttft_50, ttft_p95_s=ttft_95, tpot_p50_s=tpot_50, tpot_p95_s=tpot_95,
        e2e_p50_s=e2e_50, e2e_p95_s=e2e_95, utilisation=found.utilisation,
        in_flight=requests_per_s * float(np.mean(e2e)) if e2e.size else 0.0, mean_queue=found.mean_queue,
        served=served,
    )


def goodput_share(found: Replayed, slo: Slo) -> float:
    """Share of the requests that were served within both limits of the SLO, each by itself."""
    good = found.served & (found.ttft_s <= slo.ttft_p95_s)
    good[found.served & (found.output_tokens > 1.0)] &= found.tpot_s <= slo.tpot_p95_s
    return float(np.mean(good))


def saturated_rate(requests: Requests, server: Server) -> float:
    """Requests/s of one replica with an endless queue of these requests, at their means; 0 where none fits.

        1 / (d P + steps a request x step(B) + apart),  steps = max((O - 1) / B, P / (S - B))

    where `apart` is what waits for the host add and what products hide takes away (`Iteration.apart_s`),
    with S tokens a step and B decoding sequences: as many as there are slots, as the KV cache takes (`kv_taken`), or, where
    prompts fill the steps, S (O - 1) / (P + O - 1), which is where both kinds of steps are equal. Long answers stay longer, so
    that those in flight hold E[KV x tokens] / E[tokens]. A replay of a finite queue would fill and empty for much of its time;
    the middle of 8,000 requests gives 0.97 to 1.04 of this (14 loads), 0.90 where the cache holds four: one waits for room.

    Where prompts are computed alone, B fill whatever prompts take, each decode step ends B / (O - 1) requests, and as many
    prompts, one at least, make up a step of their own, or several of S tokens.
    """
    fits = requests.kv_held <= server.kv_capacity
    if not np.any(fits):
        return 0.0
    tokens = requests.output_tokens[fits]
    prompt, output = float(np.mean(requests.prefill_tokens[fits])), float(np.mean(tokens))
    read = requests.kv_start[fits] + requests.kv_growth[fits] * tokens / 2.0
    read_each, held = (float(np.average(x, weights=tokens)) for x in (read, requests.kv_taken[fits]))
    room = server.kv_capacity / held if held > 0.0 else inf
    fed = server.step_tokens * (output - 1.0) / (prompt + output - 1.0)
    slots = max(min(server.sequence_limit, room, inf if server.prompts_alone else fed), 1.0)
    engine, kv = server.iteration, slots * read_each
    if server.prompts_alone:
        own = max(min((output - 1.0) / slots, 1.0), prompt / server.step_tokens)
        return 1.0 / float((output - 1.0) / slots * engine.decode_s(slots, kv) + own * engine.prompts_s(prompt / own))
    steps = max((output - 1.0) / slots, prompt / (server.step_tokens - slots + 1.0))
    apart = engine.apart_s(steps, min(steps, max(prompt / server.step_tokens, 1.0)), slots, kv, prompt)
    return 1.0 / float(engine.prefill_token_s * prompt + steps * engine.terms_s(slots, kv) + apart)


def _percentiles(x: Array, high: float) -> tuple[float, float]:
    """The median and the quantile `high`; 0 where there is nothing."""
    if not x.size:
        return 0.0, 0.0
    ordered = np.sort(x)
    return _quantile(ordered, 0.5), _quantile(ordered, high)


def _quantile(ordered: Array, share: float) -> float:
    """What np.percentile gives, to the bit; it takes thirty times as long to find out what it was given."""
    place = share * (ordered.size - 1)
    before = int(place)
    part, low, high = place - before, float(ordered[before]), float(ordered[min(before + 1, ordered.size - 1)])
    return high - (high - low) * (1.0 - part) if part >= 0.5 else low + (high - low) * part


def _crossing(low: LoadPoint, high: LoadPoint, slo: Slo) -> float:
    """The rate at which the strain passes 1 between a load that holds and one that does not: straight in the logs of both."""
    below, above = max(low.strain(slo), 1e-9), high.strain(slo)
    if isinf(above):
        return low.requests_per_s
    share = log(1.0 / below) / log(above / below)
    return low.requests_per_s * exp(share * log(high.requests_per_s / low.requests_per_s))


def _binding(point: LoadPoint, slo: Slo) -> str:
    """The limit that a load breaks that does not hold the SLO."""
    if point.served < 1.0 - UNJUDGED:
        return "KV memory"
    return "TTFT" if point.ttft_p95_s / slo.ttft_p95_s >= point.tpot_p95_s / slo.tpot_p95_s else "TPOT"
