"""What replicas do under a measured load, by replay: the figures that load generators state.

The load's requests are drawn (traffic), and replayed on the replica (router): a batch or a burst is there at time 0, an open
loop arrives as a Poisson process or in clumps, a closed one keeps its number in flight, and what an SLO holds is the load
curve's capacity.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Literal

import numpy as np

from roi.estimate.replay.disaggregated import replay_apart
from roi.estimate.replay.engine import Server
from roi.estimate.replay.load_curve import REPLAYED, LoadCurve, Slo, more_replayed, saturated_rate
from roi.estimate.replay.replica_plan import ReplicaPlan, at_speed
from roi.estimate.replay.router import Replayed, Requests, replay, replay_closed
from roi.estimate.replay.traffic import Lengths, bursty_arrivals, poisson_arrivals, spread_evenly
from roi.estimate.serving.request_shape import RequestShape
from roi.numerics.arrays import Array

LoadKind = Literal["static", "closed", "open", "saturated"]
"""static: a batch that starts together and ends together. closed: a fixed number of requests in flight. open: requests
arrive at a rate. saturated: more requests than the server can take at once, all there from the start or endless."""
GENERATIONS: Final = 10
"""Requests of a closed loop for each one in flight, where none is stated: what load generators send (InferenceX, vLLM's serving
sweeps)."""
LEAST_CLOSED: Final = 24
"""Requests of a closed loop's replay at least, where the run does not say how many it sent."""
LENGTH_SCATTER: Final = 0.06
"""Standard deviation over mean of lengths in closed loops that state none: InferenceX draws them from 0.8 to 1.0 of the
nominal, and equal ones would keep all requests in step, which no server does."""
GOLDEN: Final = (5.0**0.5 - 1.0) / 2.0
"""The golden ratio less 1: its multiples, less their whole parts, fill 0 to 1 evenly in any number and in no order."""
DEFAULT_BURST: Final = 1000
"""Requests of a saturated load that does not say how many: TTFT and TPOT are of so many at once."""
SLO: Final = Slo(2.0, 0.2)
"""Limits of a load that keeps an SLO and does not state it: MLPerf Inference, Llama-2-70B, Server (rules since v4.0)."""
SEED: Final = 11


@dataclass(frozen=True)
class ServingLoad:
    """What a system of one or more equal replicas is asked for."""

    kind: LoadKind
    input_tokens: float
    """Mean prompt tokens."""
    output_tokens: float
    """Mean generated tokens, at least 1."""
    cached_tokens: float = 0.0
    """Mean prompt tokens found in the prefix cache: read and not computed, and held once for all."""
    length_cv: float = 0.0
    """Standard deviation over mean of both lengths."""
    concurrency: float | None = None
    """Requests in flight or in the batch, over all replicas; None for open and saturated loads."""
    requests_per_s: float | None = None
    """Offered rate over all replicas, open loads."""
    arrival_cv: float = 1.0
    """Standard deviation over mean of the gaps between arrivals, open loads: 1 is a Poisson process."""
    prompts: float | None = None
    """Requests of the whole run, over all replicas; None where it is endless or not stated."""
    slo: Slo | None = None
    """saturated: the most that keeps this SLO, below what the server can do (MLPerf Server, Interactive)."""
    adapters: int = 0
    """Unmerged LoRA adapters that share the batch; 0 without."""

    @property
    def requests(self) -> RequestShape:
        """Means and spreads of the lengths."""
        return RequestShape(self.computed_tokens, self.output_tokens, self.cached_tokens, self.length_cv, self.length_cv)

    @property
    def computed_tokens(self) -> float:
        """Mean prompt tokens that are computed."""
        return self.input_tokens - self.cached_tokens

    def looped(self, busy: float) -> int:
        """Requests that each of `busy` replicas answers of a closed loop: of the run's, else GENERATIONS for each in flight.

        The first are sent at once: TTFT is a mean over all, that burst too, which is the more of a run the shorter it is.
        """
        each = max(round((self.concurrency or 1.0) / busy), 1)
        return max(GENERATIONS * each, LEAST_CLOSED) if self.prompts is None else max(round(self.prompts / busy), 1)

    def drawn(self, count: int, scatter: float = 0.0) -> Lengths:
        """`count` requests: lengths uniform around the mean, or gamma where they spread further than that can be."""
        cv = self.length_cv or scatter
        prompt, output = (mean * _spread(cv, count, seed) for mean, seed in (
            (self.computed_tokens, SEED), (self.output_tokens, SEED + 1000)))
        return Lengths(np.maximum(np.rint(prompt), 1.0), np.maximum(np.rint(output), 1.0), np.full(count, self.cached_tokens))


def _spread(cv: float, count: int, seed: int) -> Array:
    """`count` numbers of mean 1 and this standard deviation, at least 0.

    An answer that may end at every token has a length of exponential distribution, which is gamma with a deviation of 1; its
    longest, on which hangs how a burst drains, is shorter than a lognormal's: 6 and 7.3 means of 200. Quantiles are Wilson and
    Hilferty's (1931), by the cube root.
    """
    if cv == 0.0 or count == 1:
        return np.ones(count)
    shares, half = spread_evenly(count, seed), cv * 3.0**0.5
    if half < 1.0:
        return np.asarray(1.0 + half * (2.0 * shares - 1.0))
    normal = np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])
    drawn = np.maximum(1.0 - cv**2 / 9.0 + normal * cv / 3.0, 0.0) ** 3
    return np.asarray(drawn / np.mean(drawn))


@dataclass(frozen=True)
class OperatingFigures:
    """What a system does under a load, SI units."""

    requests_per_s: float
    ttft_s: float
    """Mean TTFT."""
    tpot_s: float
    """Mean TPOT, between tokens."""
    output_tokens: float
    input_tokens: float

    @property
    def output_tokens_per_s(self) -> float:
        """Generated tokens a second."""
        return self.requests_per_s * self.output_tokens

    @property
    def total_tokens_per_s(self) -> float:
        """Prompt and generated tokens a second."""
        return self.requests_per_s * (self.output_tokens + self.input_tokens)

    def times(self, replicas: float) -> "OperatingFigures":
        """The figures of so many such replicas: rates add."""
        return replace(self, requests_per_s=self.requests_per_s * replicas)


AtSpeed = Callable[[float], OperatingFigures]
"""Figures with the engine at a speed."""


def load_figures(
    load: ServingLoad, plan: ReplicaPlan, server: Server, replicas: float = 1.0, prefill_replicas: float = 0.0,
) -> AtSpeed:
    """What the system does under the load, with the server at any speed; each replica gets its share.

    `prefill_replicas` of them compute prompts and nothing else. Where the pace of arrivals is no matter, a speed is another
    clock: one replay answers for all of them.
    """
    busy = min(replicas * plan.stages, load.concurrency or np.inf)
    server = replace(server, iteration=plan.loaded(server.iteration, load.computed_tokens, busy / replicas))
    if load.kind == "open":
        return lambda speed: _open(load, plan, at_speed(server, speed), max(round(replicas * plan.stages), 1))
    if load.kind == "saturated" and load.slo is not None:
        return _held(load, plan, server, replicas * plan.stages, load.slo)
    if prefill_replicas and load.kind == "closed":
        found = _disaggregated(load, plan, server, prefill_replicas, replicas - prefill_replicas)
    else:
        found = (_closed if load.kind == "closed" else _burst)(load, plan, server, replicas * plan.stages)
    return lambda speed: replace(found, requests_per_s=found.requests_per_s * speed, ttft_s=found.ttft_s / speed,
                                 tpot_s=found.tpot_s / speed)


def _figures(load: ServingLoad, found: Replayed, requests_per_s: float) -> OperatingFigures:
    """The means of a replay; a load of single tokens has no TPOT."""
    tpot = found.tpot_s
    return OperatingFigures(
        requests_per_s, float(np.mean(found.ttft_s[found.served])), float(np.mean(tpot)) if tpot.size else 0.0,
        load.output_tokens, load.input_tokens)


def _burst(load: ServingLoad, plan: ReplicaPlan, server: Server, replicas: float) -> OperatingFigures:
    """Requests that are all there at once: prefill of all, then steps; in waves where the cache does not hold them all."""
    whole = (load.concurrency or 1.0) if load.kind == "static" else (load.prompts or DEFAULT_BURST)
    busy = min(replicas, whole)
    count = max(round(whole / busy), 1)
    requests = plan.requests(load.drawn(count), np.zeros(count))
    found = replay(requests, server)
    rate = count / (found.span_s + server.request_s)
    if load.kind == "saturated" and load.prompts is None:
        rate = saturated_rate(requests, server)
    return _figures(load, found, rate).times(busy)


def _closed(load: ServingLoad, plan: ReplicaPlan, server: Server, replicas: float) -> OperatingFigures:
    """Figures with so many in flight: by Little's law the rate is their number over the mean time from sending to the end."""
    flying = load.concurrency or 1.0
    busy = min(replicas, flying)
    each = max(round(flying / busy), 1)
    count = load.looped(busy)
    e2e_s, ttft_s, tpot_s = loop_means(plan.requests(load.drawn(count, LENGTH_SCATTER), np.zeros(count)), server, each)
    return OperatingFigures(flying / busy / e2e_s, ttft_s, tpot_s, load.output_tokens, load.input_tokens).times(busy)


def loop_means(requests: Requests, server: Server, flying: int) -> tuple[float, float, float]:
    """Mean (E2E, TTFT, TPOT) of a closed loop's requests, s; TPOT is 0 where all are single tokens.

    Where prompts are computed alone, answers of nearly equal lengths would end at once, and the loop stay in step for ever.
    There the first `flying`, sent at once, are given parts of their answers, to end one after the other as those of a loop that
    has run for long. Load generators average TTFT over all requests, that burst too; the other means are of the later ones.
    """
    first, tokens = flying if server.prompts_alone else 0, requests.output_tokens.copy()
    tokens[:first] = np.ceil(tokens[:first] * (GOLDEN * np.arange(1.0, tokens[:first].size + 1.0) % 1.0))
    found = replay_closed(replace(requests, output_tokens=tokens), server, flying)
    later = found.served & (np.arange(tokens.size) >= min(first, tokens.size - 1))
    several = later & (tokens > 1.0)
    tpot_s = (found.ended_s[several] - found.first_s[several]) / (tokens[several] - 1.0)
    return (float(np.mean(found.e2e_s[later])), float(np.mean(found.ttft_s[found.served])),
            float(np.mean(tpot_s)) if tpot_s.size else 0.0)


def _open(load: ServingLoad, plan: ReplicaPlan, server: Server, replicas: int) -> OperatingFigures:
    """Requests that arrive at a rate, behind one router; a finite run ends when its last request does."""
    rate, count = load.requests_per_s or 1.0, round(load.prompts or DEFAULT_BURST)
    times = poisson_arrivals(count, SEED) if load.arrival_cv == 1.0 else bursty_arrivals(count, load.arrival_cv, SEED)
    requests = plan.requests(load.drawn(count), times / rate)
    found = replay(requests, server, replicas)
    done = count / (count / rate + float(np.max(found.ended_s[found.served])) - float(requests.arrival_s[-1]))
    return _figures(load, found, done)


def _held(load: ServingLoad, plan: ReplicaPlan, server: Server, replicas: float, slo: Slo) -> AtSpeed:
    """The most that holds the SLO, as `size` finds it for a plan."""
    def curve(count: int) -> LoadCurve:
        return LoadCurve(plan.requests(load.drawn(count), poisson_arrivals(count, SEED)), server)

    first = curve(REPLAYED)
    more = more_replayed(first.capacity(slo).in_flight)
    found = first if more is None else curve(more)

    def at(speed: float) -> OperatingFigures:
        held = found.capacity(slo, speed)
        point = found.at(max(held.requests_per_s / speed, 1e-9))
        return OperatingFigures(held.requests_per_s, point.ttft_p50_s / speed, point.tpot_p50_s / speed, load.output_tokens,
                                load.input_tokens).times(replicas)

    return at


def _disaggregated(
    load: ServingLoad, plan: ReplicaPlan, server: Server, prefilling: float, decoding: float,
) -> OperatingFigures:
    """A closed loop over replicas that compute prompts and others that decode: no prompt between two tokens.

    Of a run of so many requests the rate is theirs over its whole length, its end too, when fewer are in flight: of 500 with
    128 in flight that takes up to a tenth of it. Ignored: the transfer of the KV cache, a few ms over NVLink or RDMA.
    """
    flying = load.concurrency or 1.0
    count = round(load.prompts or max(GENERATIONS * flying, LEAST_CLOSED))
    requests = plan.requests(load.drawn(count, LENGTH_SCATTER), np.zeros(count))
    found = replay_apart(requests, server, max(round(prefilling), 1), max(round(decoding), 1), max(round(flying), 1))
    done = np.count_nonzero(found.served)
    rate = done / (found.span_s + server.request_s) if load.prompts else flying / float(np.mean(found.e2e_s[found.served]))
    return _figures(load, found, rate)
