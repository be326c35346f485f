"""What one replica serves at its SLO in closed form: the figure by which plans are ranked before a few are replayed.

In a steady state with B sequences decoding on average, a second of the server goes to prefills and to decode steps:

    rate x (prefill + output tokens x step(B) / B) = 1          TPOT = step(B) / (1 - rate x prefill)

so B = rate x output tokens x TPOT (Little's law) holds exactly. Rate, TPOT and TTFT grow with B: the capacity is the rate at
the largest B at which KV cache, sequence limit, TPOT and TTFT still hold. A few of the plans that come out best are then
replayed request by request (estimate/replay), and the replay's answer is the one that is shown.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.replica_memory import SEQUENCE_LIMIT, STEP_TOKENS, ReplicaMemory
from roi.estimate.serving.request_shape import P95_NORMAL, RequestShape, lognormal_p95
from roi.facts.model import Number
from roi.numerics.arrays import Array, Flags

SATURATED: Final = 0.9
"""Where no SLO binds and the slots in use give this share of the rate of endless slots, compute is what binds."""
LONE_BATCH: Final = 1e-6
"""Smallest mean number of decoding sequences that is looked at: a replica that is idle but for one prompt now and then."""
BISECTIONS: Final = 52
"""Halvings of the interval of log B; 52 leave no more than rounding."""
WAIT_TAIL: Final = 0.05
"""1 - 0.95: the share of requests that may wait longer than the P95."""


@dataclass(frozen=True)
class OperatingPoint:
    """A replica in steady state with a mean number of decoding sequences; the fields broadcast against each other."""

    requests_per_s: Number
    tpot_s: Number
    """Mean seconds between output tokens of a request, prefills of others included."""
    ttft_s: Number
    """P95 seconds to the first token, estimated; inf where the prefill queue grows without end."""
    prefill_s: Number
    """Seconds that the prefill of one request takes from decoding."""


@dataclass(frozen=True)
class ServingCapacity:
    """What one replica serves at the SLO; arrays of the plans' shape (numbers for one plan)."""

    requests_per_s: Number
    """Largest rate at which TTFT, TPOT and KV cache hold; 0 where nothing holds."""
    sequences: Number
    """Mean decoding sequences at requests_per_s: requests/s x output tokens x TPOT (Little); 0 where nothing holds."""
    tpot_s: Number
    """Mean TPOT at requests_per_s; at the lightest load where nothing holds."""
    ttft_s: Number
    """P95 TTFT, estimated, at requests_per_s; at the lightest load where nothing holds."""
    binding: NDArray[np.str_] | np.str_
    """KV memory, sequence limit, TPOT, TTFT, compute, or does not fit with the GiB that it needs."""


def operating_point(
    requests: RequestShape, iteration: Iteration, kv_read_bytes: Number, sequences: Number, step_tokens: Number = STEP_TOKENS,
    *, prompts_alone: bool = False,
) -> OperatingPoint:
    """The steady state with `sequences` sequences decoding on average; everything broadcasts.

    `kv_read_bytes` is what a step reads for one sequence on each GPU. Below one sequence on average, a step still holds one.
    The prefill of a request counts as one step for the experts that it touches; where prompts are computed alone, it is one.

    P95 of TTFT = the step in progress + the request's own step with its prefill, at the P95 prompt length + the P95 wait
    behind other prompts: M/G/1 (M/D/1 at prompt_cv 0) with service s = prefill + its share of steps of `step_tokens`
    tokens, P(W > t) = rho exp(-rho t / E[W]), E[W] = rate E[s^2] / 2 (1 - rho). The sum of P95s lies above the P95 of
    the sum. Arrivals are Poisson within the period that the rate is a mean of; burstier ones need headroom. No measured
    TTFT was fitted: peers are off by 49% in the median, so read it as good to a factor of 2.
    """
    in_step = np.maximum(sequences, 1.0)
    step = iteration.decode_s(in_step, kv_read_bytes * in_step)
    untouched = iteration.experts_s * (1.0 - iteration.touched(in_step))
    mixed = iteration.prefill_token_s * requests.uncached_tokens + untouched
    prefill = iteration.prompts_s(requests.uncached_tokens) if prompts_alone else mixed
    rate = 1.0 / (prefill + requests.output_tokens * step / sequences)
    shared_steps = step * requests.uncached_tokens / step_tokens
    service = prefill + shared_steps
    busy = rate * service
    tail = service * (1.0 + np.square(requests.prompt_cv)) / (2.0 * np.maximum(1.0 - busy, 1e-12))  # E[W] / rho
    wait = tail * np.log(np.maximum(busy / WAIT_TAIL, 1.0))
    own = prefill * lognormal_p95(requests.prompt_cv) + np.maximum(step, shared_steps)
    ttft = np.where(busy < 1.0, wait + step + own, np.inf)
    return OperatingPoint(requests_per_s=rate, tpot_s=step / (1.0 - rate * prefill), ttft_s=ttft, prefill_s=prefill)


def serving_capacity(
    requests: RequestShape, iteration: Iteration, memory: ReplicaMemory, *, ttft_p95_s: Number | None = None,
    tpot_s: Number | None = None, sequence_limit: Number = SEQUENCE_LIMIT, step_tokens: Number = STEP_TOKENS,
    speed: Number = 1.0, prompts_alone: bool = False,
) -> ServingCapacity:
    """The largest rate of one replica under its SLO; requests, iteration and memory broadcast, one element a plan.

    `ttft_p95_s` and `tpot_s` are limits (None: no limit); `tpot_s` holds for the mean TPOT. The number of decoding sequences is
    taken as Poisson (M/G/inf), so B + 1.645 sqrt(B) must stay within the KV cache and `sequence_limit` (vLLM's max_num_seqs):
    at P95 nobody waits for a slot. Rate, TPOT and TTFT grow with B, so the largest B that holds is found by bisection over log
    B, to rounding. `speed` multiplies the speed of the engine: unmerged LoRA adapters, or an end of the efficiencies' spread.
    Under a tight TPOT a slow engine loses more capacity than speed, so spread the speed and ask again rather than spread the
    capacity. Where weights, workspace and one long request do not fit, the capacity is 0 and `binding` says what is missing.
    """
    engine = iteration.at_speed(speed)
    fits = np.asarray(memory.kv_capacity_bytes / memory.kv_long_bytes) >= 1.0
    slots = np.maximum(np.minimum(memory.sequences, sequence_limit), 1.0)
    ttft_limit = np.inf if ttft_p95_s is None else ttft_p95_s
    tpot_limit = np.inf if tpot_s is None else tpot_s

    def at(sequences: Number) -> OperatingPoint:
        return operating_point(requests, engine, memory.kv_read_bytes, sequences, step_tokens, prompts_alone=prompts_alone)

    def limits(sequences: Number) -> tuple[Flags, ...]:
        point, crowd = at(sequences), sequences + P95_NORMAL * np.sqrt(sequences)
        checks = crowd <= slots, point.tpot_s <= tpot_limit, point.ttft_s <= ttft_limit, np.isfinite(point.ttft_s)
        return tuple(np.broadcast_to(check, shape) for check in checks)

    lone = at(1.0)
    shape = np.broadcast_shapes(*map(np.shape, (slots, fits, lone.ttft_s, lone.tpot_s, ttft_limit, tpot_limit)))
    low, high = np.full(shape, np.log(LONE_BATCH)), np.broadcast_to(np.log(slots), shape)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        ok = np.logical_and.reduce(limits(np.exp(middle)))
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    batch = np.exp(low)
    works = fits & np.logical_and.reduce(limits(batch))
    point = at(batch)
    rate = np.where(works, point.requests_per_s, 0.0)
    room, paced, prompt, _ = limits(np.exp(high))
    stable = np.minimum(slots, requests.output_tokens * step_tokens / np.maximum(requests.uncached_tokens, 1.0))
    step_of_one = engine.sequence_s - engine.saved_row_s + engine.kv_byte_s * memory.kv_read_bytes
    endless = 1.0 / (at(stable).prefill_s + requests.output_tokens * step_of_one)
    saturated = point.requests_per_s >= SATURATED * endless
    return ServingCapacity(
        requests_per_s=rate[()], sequences=np.where(works, batch, 0.0)[()],
        tpot_s=np.broadcast_to(point.tpot_s, shape)[()], ttft_s=np.broadcast_to(point.ttft_s, shape)[()],
        binding=np.select(
            [~fits, ~paced, ~prompt, saturated | room, np.broadcast_to(memory.sequences <= sequence_limit, shape)],
            [np.broadcast_to(memory.shortage(), shape), "TPOT", "TTFT", "compute", "KV memory"], "sequence limit",
        )[()],
    )


def reading_share(
    requests: RequestShape, iteration: Iteration, memory: ReplicaMemory, **at: Any,  # Any: what serving_capacity takes
) -> Array:
    """What a replica holds whose steps read adapters, over what it would if they read none: above 0 to 1, or 0.

    `at` is what `serving_capacity` takes besides. Where a limit of TTFT, which is estimated, leaves either nothing, it is
    without that limit; 0 where TPOT alone leaves it nothing while it reads. Never rises with the number of adapters.
    """
    both = iteration, replace(iteration, adapter_s=0.0, adapter_experts_s=0.0)
    limited, paced = (np.array([serving_capacity(requests, each, memory, **limits).requests_per_s for each in both])
                      for limits in (at, {**at, "ttft_p95_s": None}))
    read, unread = np.where(np.all(limited > 0.0, axis=0), limited, paced)
    share: Array = np.divide(read, unread, out=np.ones_like(read), where=unread > 0.0)
    return share
