"""What one replica serves: the largest request rate whose TTFT, TPOT and KV cache still hold."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.iteration import Iteration
from roi.estimate.memory_serving import ReplicaMemory
from roi.facts.model import Number

P95_NORMAL: Final = 1.645
"""Standard deviations from the mean to the 95th percentile of a normal variable."""

SATURATED: Final = 0.9
"""A limit on sequences that leaves at least this share of the rate of endless sequences is called compute."""

LONE_BATCH: Final = 1 / 64
"""Smallest mean number of decoding sequences that is looked at: a replica that is idle 98% of the time."""

BISECTIONS: Final = 48
"""Halvings of the batch interval; 48 leave less than 1e-12 of it."""


@dataclass(frozen=True)
class RequestShape:
    """Tokens of the requests; each broadcasts."""

    uncached_tokens: Number
    """Mean prompt tokens that are computed."""
    output_tokens: Number
    """Mean generated tokens, reasoning included; at least 1."""
    cached_tokens: Number = 0.0
    """Mean prefix tokens found in the prefix cache: not computed, held once for all sequences, read by each."""
    prompt_cv: Number = 0.0
    """Standard deviation over mean of the computed prompt tokens."""
    output_cv: Number = 0.0
    """Standard deviation over mean of the generated tokens."""

    @property
    def prefill_context(self) -> Number:
        """Mean tokens before a computed prompt token: the prefix and half the rest, longer prompts counting more."""
        return self.cached_tokens + self.uncached_tokens * (1.0 + np.square(self.prompt_cv)) / 2.0

    @property
    def own_tokens(self) -> Number:
        """Mean tokens that a decoding sequence holds of its own at a random moment.

        The prompt, and E[o^2] / 2 E[o] of output: a long output is seen more often (renewal theory). With equal outputs
        this is half. Ignored: long prompts that go with long outputs.
        """
        return self.uncached_tokens + self.output_tokens * (1.0 + np.square(self.output_cv)) / 2.0

    @property
    def long_tokens(self) -> Number:
        """Own tokens of a long request at its end: P95 of prompt and of output, each taken as lognormal."""
        prompt = self.uncached_tokens * lognormal_p95(self.prompt_cv)
        return prompt + self.output_tokens * lognormal_p95(self.output_cv)


def lognormal_p95(cv: Number) -> Number:
    """95th percentile over mean of a lognormal variable with this coefficient of variation; 1 at 0."""
    variance = np.log1p(np.square(cv))
    return np.exp(P95_NORMAL * np.sqrt(variance) - variance / 2.0)


@dataclass(frozen=True)
class OperatingPoint:
    """A replica in steady state with a mean number of decoding sequences; arrays broadcast together."""

    requests_per_s: Number
    tpot_s: Number
    """Mean seconds between output tokens of a request, prefills of others included."""
    ttft_s: Number
    """P95 seconds to the first token, estimated; inf where the prefill queue grows without end."""
    decode_step_s: Number
    """Seconds of a step that only decodes."""
    prefill_s: Number
    """Seconds that the prefill of one request takes from decoding."""


@dataclass(frozen=True)
class ServingCapacity:
    """What one replica serves at the SLO; arrays of the plans' shape (numbers for one plan)."""

    requests_per_s: Number
    """Largest rate at which TTFT, TPOT and KV cache hold; 0 where nothing holds."""
    saturated_requests_per_s: Number
    """Rate with every slot full and no SLO; 0 where the model does not fit."""
    sequences: Number
    """Mean decoding sequences at requests_per_s (Little: requests/s x output tokens x TPOT)."""
    tpot_s: Number
    """Mean TPOT at requests_per_s (at the lightest load where nothing holds)."""
    ttft_s: Number
    """P95 TTFT, estimated, at requests_per_s (at the lightest load where nothing holds)."""
    tokens_per_s: Number
    """Output tokens a second at requests_per_s."""
    kv_limited_sequences: Number
    """Sequences whose KV cache fits at their mean length."""
    kv_limited_long_sequences: Number
    """Sequences whose KV cache fits at the P95 length."""
    binding: NDArray[np.str_] | np.str_
    """KV memory, sequence limit, TPOT, TTFT, compute, or does not fit with the bytes that it needs."""


def operating_point(
    requests: RequestShape, iteration: Iteration, kv_bytes_per_sequence: Number, sequences: Number,
    step_tokens: Number = 8192.0,
) -> OperatingPoint:
    """The steady state with `sequences` sequences decoding on average; everything broadcasts.

    The server's second is spent on prefills and decode steps, B sequences a step and O outputs a request:

        rate x (prefill + O x step(B) / B) = 1        TPOT = step(B) / (1 - rate x prefill)

    so Little's law B = rate x O x TPOT holds exactly. P95 of TTFT adds the step in progress, the prompt's own step with
    its prefill at the P95 prompt length, and the P95 wait in a queue of prompts: M/G/1 with service s = prefill + its
    share of a step of `step_tokens` tokens (vLLM max_num_batched_tokens, 8192 by default on data-centre cards),
    P(W > t) = rho exp(-rho t / E[W]), E[W] = rate E[s^2] / 2 (1 - rho). The sum of P95s is a little above the P95 of
    the sum. Below one sequence on average, a step still holds one. Prefill of one request is taken as one step for
    the experts it touches. Arrivals are Poisson within the period that the rate is the mean of: burstier ones need
    headroom. Not checked against measured TTFT: treat it as good to a factor of 2.
    """
    together = np.maximum(sequences, 1.0)
    step = iteration.decode_s(together, kv_bytes_per_sequence * together)
    untouched = 1.0 - iteration.touched(together)
    prefill = iteration.prefill_token_s * requests.uncached_tokens + iteration.experts_s * untouched
    rate = 1.0 / (prefill + requests.output_tokens * step / sequences)
    prompts_step = step * requests.uncached_tokens / step_tokens
    service = prefill + prompts_step
    busy = rate * service
    moment = np.square(service) * (1.0 + np.square(requests.prompt_cv))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_wait = rate * moment / (2.0 * (1.0 - busy))
        wait = np.where(busy > 0.05, mean_wait / busy * np.log(np.maximum(busy, 0.05) / 0.05), 0.0)
    own = prefill * lognormal_p95(requests.prompt_cv) + np.maximum(step, prompts_step)
    ttft = np.where(busy < 1.0, wait + step + own, np.inf)
    return OperatingPoint(rate, step / (1.0 - rate * prefill), ttft, step, prefill)


def serving_capacity(
    requests: RequestShape, iteration: Iteration, memory: ReplicaMemory, *, ttft_p95_s: Number | None = None,
    tpot_s: Number | None = None, sequence_limit: Number = 1024.0, step_tokens: Number = 8192.0,
    adapter_throughput: Number = 1.0,
) -> ServingCapacity:
    """The largest rate of one replica under its SLO; requests, iteration and memory broadcast, one element a plan.

    `ttft_p95_s` and `tpot_s` are limits (None: no limit); `tpot_s` holds for the mean TPOT. The number of decoding
    sequences is taken as Poisson (M/G/inf), so B + 1.645 sqrt(B) must stay within the KV cache and `sequence_limit`
    (vLLM max_num_seqs; 256 to 1024 by default): at P95 nobody waits for a slot. Rate, TPOT and TTFT grow with B, so the
    largest B that holds is found by bisection. `adapter_throughput` multiplies the engine's speed (unmerged LoRA).
    """
    engine = iteration.slowed(adapter_throughput)
    kv_read, kv_held, kv_long = memory.kv_bytes(requests)
    slots_kv, slots_long = memory.slots(kv_held), memory.slots(kv_long)
    slots = np.minimum(slots_kv, sequence_limit)
    fits = np.asarray(slots_long >= 1.0)
    ttft_limit = np.inf if ttft_p95_s is None else ttft_p95_s
    tpot_limit = np.inf if tpot_s is None else tpot_s

    def at(sequences: Number) -> OperatingPoint:
        return operating_point(requests, engine, kv_read, sequences, step_tokens)

    def holds(sequences: Number) -> tuple[Number, Number, Number]:
        point = at(sequences)
        crowd = sequences + P95_NORMAL * np.sqrt(sequences)
        return crowd <= np.maximum(slots, 1.0), point.tpot_s <= tpot_limit, point.ttft_s <= ttft_limit

    def all_hold(sequences: Number) -> Number:
        room, paced, prompt = holds(sequences)
        return room & paced & prompt & np.isfinite(at(sequences).ttft_s)  # type: ignore[operator]

    shape = np.broadcast_shapes(*(np.shape(x) for x in (slots, at(1.0).ttft_s, ttft_limit, tpot_limit)))
    low, high = np.full(shape, np.log(LONE_BATCH)), np.broadcast_to(np.log(np.maximum(sequence_limit, 1.0)), shape)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        ok = all_hold(np.exp(middle))
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    batch = np.exp(low)
    works = fits & all_hold(batch)
    point, full = at(batch), at(np.maximum(slots, 1.0))
    rate = np.where(works, point.requests_per_s, 0.0)
    room, paced, prompt = holds(np.exp(high))
    endless = 1.0 / (full.prefill_s + requests.output_tokens * (engine.sequence_s + engine.kv_byte_s * kv_read))
    binding = np.select(
        [~fits, ~paced, ~prompt, point.requests_per_s >= SATURATED * endless, ~room & (slots_kv <= sequence_limit), ~room],
        [memory.shortage(kv_long), "TPOT", "TTFT", "compute", "KV memory", "sequence limit"],
        "compute",
    )
    return ServingCapacity(
        requests_per_s=rate[()],
        saturated_requests_per_s=np.where(fits, full.requests_per_s, 0.0)[()],
        sequences=np.where(works, batch, 0.0)[()],
        tpot_s=np.broadcast_to(point.tpot_s, shape)[()],
        ttft_s=np.broadcast_to(point.ttft_s, shape)[()],
        tokens_per_s=(rate * requests.output_tokens)[()],
        kv_limited_sequences=np.broadcast_to(slots_kv, shape)[()],
        kv_limited_long_sequences=np.broadcast_to(slots_long, shape)[()],
        binding=binding[()],
    )
