"""Operating points of one replica under each kind of load: rate, TTFT and TPOT that agree with each other.

Throughput, TPOT and TTFT of a measured load, all from one operating point of the iteration model.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from roi.estimate.accuracy.serving_run import OperatingFigures, Replica, ServingLoad, ServingRun, ServingSystem, replica_of
from roi.estimate.serving.iteration import Efficiencies
from roi.estimate.serving.request_shape import lognormal_quantile

FIRST_WAVE_SHARE: Final = 0.1
"""Share of a closed loop's requests that all start at its first moment: load generators send 10 requests for each one in
flight (InferenceX, vLLM's serving sweeps). The more prompts, the smaller; between 0.05 and 0.2 on published recipes."""
HELD_SHARE: Final = 0.9
"""Rate at an SLO over the rate without one, median of MLPerf v4.1 Server over Offline: 0.905 H100, 0.951 H200, 0.87 L40S."""
BISECTIONS: Final = 60
"""Halvings of the interval of log B; leaves no more than rounding."""
LAST_ONE: Final = 2.33
"""Standard deviations of the longest of some hundred outputs, which a finite run waits for (P99)."""


def static_figures(load: ServingLoad, replica: Replica) -> OperatingFigures:
    """A batch that starts together: prefill of all, then O - 1 steps; in waves where the KV cache does not hold the batch.

    TTFT is that of the first wave's end of prefill, weighted with the waiting of the later ones.
    """
    batch = load.concurrency or 1.0
    latency = ttft = tpot = 0.0
    left = batch
    while left > 1e-9:
        now = min(left, max(np.floor(replica.slots), 1.0))
        first = _batch_prefill_s(load, replica, now)
        step = replica.step_s(now)
        ttft += now * (latency + first)
        tpot += now * step
        latency += first + (load.output_tokens - 1.0) * step
        left -= now
    return OperatingFigures(batch / latency, ttft / batch, tpot / batch, load.output_tokens, load.input_tokens)


def _batch_prefill_s(load: ServingLoad, replica: Replica, sequences: float) -> float:
    """Seconds to compute the prompts of a batch, step by step; each step costs its overhead too."""
    tokens = sequences * load.input_tokens
    steps = math.ceil(tokens / max(replica.step_tokens, load.input_tokens))
    every = float(replica.iteration.step_s) + float(replica.iteration.experts_s)
    return steps * every + sequences * load.input_tokens * float(replica.iteration.prefill_token_s)


def closed_figures(load: ServingLoad, replica: Replica) -> OperatingFigures:
    """A fixed number C of requests in flight: the B that decode with which rate x (TTFT + (O - 1) TPOT) = C.

    Where more are in flight than the KV cache holds, the rest waits for its first token.
    """
    held, further = load.concurrency or 1.0, _further(load)
    full = _steady(load, replica, min(replica.mean_slots, held), held)
    if _inside(load, full) <= held:
        waiting = held / full.requests_per_s - further * full.tpot_s
        return replace(full, ttft_s=waiting)
    return _last(lambda b: _steady(load, replica, b, held), 1e-4, min(replica.mean_slots, held),
                 lambda p: _inside(load, p) < held)


def disaggregated_figures(load: ServingLoad, replica: Replica, prefilling: float, decoding: float) -> OperatingFigures:
    """A closed loop over replicas that compute prompts and others that decode: no prefill between two tokens.

    Prompts queue at the first kind (M/D/1, at most all in flight), and the slower kind sets the rate. Ignored: the transfer of
    the KV cache (a few ms over NVLink or RDMA).
    """
    held, further = load.concurrency or 1.0, _further(load)
    prompt = replica.prefill_s(load.input_tokens, 1.0) + float(replica.iteration.step_s) * _chunks(load, replica)

    def at(sequences: float) -> OperatingFigures:
        step = replica.step_s(max(sequences, 1.0))
        rate = min(decoding * sequences / (further * step), 0.999 * prefilling / prompt)
        busy = rate * prompt / prefilling
        wait = min(busy * prompt / (2.0 * (1.0 - busy)), held / prefilling * prompt)
        ahead = float(replica.iteration.request_s) + float(replica.iteration.request_steps) * step
        return OperatingFigures(rate, ahead + prompt + wait, step, load.output_tokens, load.input_tokens)

    point = _last(at, 1e-4, max(min(replica.mean_slots, held / decoding), 1.0), lambda p: _inside(load, p) < held)
    return replace(point, ttft_s=max(held / point.requests_per_s - further * point.tpot_s, point.ttft_s))


def _last(
    at: Callable[[float], OperatingFigures], least: float, most: float, below: Callable[[OperatingFigures], bool],
) -> OperatingFigures:
    """The operating point of the most sequences decoding, from `least` to `most`, that is still `below` what is asked."""
    low, high = math.log(least), math.log(most)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if below(at(math.exp(middle))) else (low, middle)
    return at(math.exp(low))


def _inside(load: ServingLoad, point: OperatingFigures) -> float:
    """Requests in flight at an operating point, by Little's law."""
    return point.requests_per_s * (point.ttft_s + _further(load) * point.tpot_s)


def _further(load: ServingLoad) -> float:
    """Tokens after the first, at least one: a load of single tokens has no TPOT, and is taken as if it had."""
    return max(load.output_tokens - 1.0, 1.0)


def _chunks(load: ServingLoad, replica: Replica) -> float:
    return max(load.input_tokens / replica.step_tokens, 1.0)


def _steady(load: ServingLoad, replica: Replica, decoding: float, held: float | None) -> OperatingFigures:
    """The steady state with so many sequences decoding on average; of `held` in flight, or of an open loop (None).

    A second goes to prefill and to decode steps: rate x (prefill + (O - 1) step(B) / B) = 1, and between two tokens of a
    request lies a step and the prefill of others: TPOT = step / (1 - rate x prefill).

    TTFT = the server's own latency + the steps around the request's own + prefill, with the decode steps that share its
    chunks + the wait behind other prompts. That wait is M/D/1's, less the request itself in a closed loop, where the first
    wave of all C requests comes besides and waits for half of C prefills.
    """
    together = max(decoding, 1.0)
    step, prefill = replica.step_s(together), replica.prefill_s(load.input_tokens, together)
    further = _further(load)
    rate = 1.0 / (prefill + further * step / decoding)
    chunks = _chunks(load, replica)
    service = prefill + chunks * step
    busy = min(rate * (prefill + step * load.input_tokens / replica.step_tokens), 0.999)
    scatter = 1.0 + load.length_cv**2
    wait = busy * service * scatter / (2.0 * (1.0 - busy))
    if held is not None:
        others = max(held - 1.0, 0.0)
        wait = min(wait * others / held, others * prefill) + FIRST_WAVE_SHARE * others / 2.0 * prefill
    later = (float(replica.iteration.request_steps) - 1.0) * step
    ttft = float(replica.iteration.request_s) + later + service + wait
    return OperatingFigures(rate, ttft, step / (1.0 - rate * prefill), load.output_tokens, load.input_tokens)


def saturated_figures(load: ServingLoad, replica: Replica) -> OperatingFigures:
    """More requests than the server takes at once: every slot full; with the drain at the end where the run is finite.

    TTFT is half the run where all requests wait from its start; with an SLO it is that of a queue near its limit.
    """
    full = _full(load, replica)
    if load.held_to_slo:
        at = open_figures(replace(load, requests_per_s=HELD_SHARE * full.requests_per_s, prompts=None), replica)
        return replace(at, requests_per_s=HELD_SHARE * full.requests_per_s)
    if load.prompts is None:
        return full
    run_s = _drained_s(load, replica, full, load.prompts)
    waiting = max(load.prompts - replica.mean_slots, 0.0) ** 2 / (2.0 * load.prompts * full.requests_per_s)
    return replace(full, requests_per_s=load.prompts / run_s, ttft_s=full.ttft_s + waiting)


def _full(load: ServingLoad, replica: Replica) -> OperatingFigures:
    """Every slot in use; prompts that outrun the steps hold fewer (stable below O x step tokens / I)."""
    stable = load.output_tokens * replica.step_tokens / max(load.input_tokens, 1.0)
    slots = min(replica.mean_slots, stable, load.prompts or math.inf)
    return _steady(load, replica, max(slots, 1.0), max(slots, 1.0))


def _drained_s(load: ServingLoad, replica: Replica, full: OperatingFigures, prompts: float) -> float:
    """Seconds from the first request to the last token of a run whose requests are all there at once.

    The last batch empties: its longest output pays a step's fixed part for every token, each sequence its own part.
    """
    last = min(replica.mean_slots, prompts)
    longest = load.output_tokens * float(lognormal_quantile(load.length_cv, LAST_ONE))
    fixed = replica.step_s(1.0)
    own = max(replica.step_s(last) - fixed, 0.0) / max(last - 1.0, 1.0)
    drain = last * (replica.prefill_s(load.input_tokens, last) + load.output_tokens * own) + longest * fixed
    return (prompts - last) / full.requests_per_s + drain


def open_figures(load: ServingLoad, replica: Replica) -> OperatingFigures:
    """Requests that arrive at a rate: the server keeps up, or is full and the queue grows until the run ends.

    The wait for a slot is Sakasegawa's approximation of M/M/c, at most what a run of so many requests can pile up: its backlog,
    and chance of the order of their square root. A finite run ends when its last request does, on a server that empties.
    """
    rate = load.requests_per_s or 0.0
    full = _full(replace(load, prompts=None), replica)
    capacity = full.requests_per_s
    prompts = load.prompts
    backlog = 0.0 if prompts is None else prompts / 2.0 * max(1.0 / capacity - 1.0 / rate, 0.0)
    if rate >= capacity:
        point = full
    else:
        point = _last(lambda b: _steady(load, replica, b, None), 1e-6, max(replica.mean_slots, 1.0),
                      lambda p: p.requests_per_s < rate)
    use = min(rate / capacity, 1.0)
    service = replica.mean_slots / capacity
    queue = math.inf if use >= 1.0 else use ** (math.sqrt(2.0 * (replica.mean_slots + 1.0)) - 1.0) * service / (
        replica.mean_slots * (1.0 - use))
    most = service if prompts is None else backlog + math.sqrt(prompts) / capacity
    done = min(rate, capacity)
    if prompts is not None:
        emptying = (point.tpot_s + replica.step_s(1.0)) / 2.0
        done = prompts / (prompts / done + load.output_tokens * emptying)
    return replace(point, requests_per_s=done, ttft_s=point.ttft_s + min(queue, most))


BY_KIND: Final[dict[str, Callable[[ServingLoad, Replica], OperatingFigures]]] = {
    "static": static_figures, "closed": closed_figures, "open": open_figures, "saturated": saturated_figures,
}
"""Kind of load -> what answers it."""


def operating_figures(run: ServingRun, efficiencies: Efficiencies, speed: float = 1.0) -> OperatingFigures:
    """What the run's system does under the run's load."""
    return system_figures(run.load, run.system, replica_of(run, efficiencies, speed))


def system_figures(load: ServingLoad, system: ServingSystem, replica: Replica) -> OperatingFigures:
    """The system's figures from one replica's: the load is divided evenly, rates add, times are the replica's.

    With fewer requests in flight than replicas, each has one and the other replicas stand idle.
    """
    if system.prefill_replicas and load.kind == "closed":
        return disaggregated_figures(load, replica, system.prefill_replicas, system.replicas - system.prefill_replicas)
    n = system.replicas if load.concurrency is None else min(system.replicas, max(load.concurrency, 1.0))
    sizes = {name: getattr(load, name) for name in ("concurrency", "requests_per_s", "prompts")}
    share = replace(load, **{name: size / n for name, size in sizes.items() if size is not None})
    found = BY_KIND[load.kind](share, replica)
    return replace(found, requests_per_s=found.requests_per_s * n)


def stated_tpot(run: ServingRun, figures: OperatingFigures) -> float:
    """The predicted TPOT as the row defines it.

    end-to-end: mean of (TTFT + (O - 1) TPOT) / O over requests, where short outputs count more: O x E[1/O] is
    ln((1 + r) / (1 - r)) / 2r for lengths uniform within mean x (1 +- r), and 1 + cv^2 for lognormal ones.
    """
    o = figures.output_tokens
    if run.tpot_kind == "over-all-tokens":
        return figures.tpot_s * (o - 1.0) / o
    if run.tpot_kind == "end-to-end":
        cv = run.load.length_cv
        r = cv * math.sqrt(3.0)
        short = 1.0 if r < 1e-9 else math.log((1.0 + r) / (1.0 - r)) / (2.0 * r) if r < 1.0 else 1.0 + cv**2
        return figures.ttft_s / o * short + figures.tpot_s * (o - 1.0) / o
    return figures.tpot_s
