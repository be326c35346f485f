"""Requests to replay: seeded arrivals and lengths, the same on every machine, so that two servers see one traffic.

Arrivals are a Poisson process, or one whose rate follows the hours of a day. Lengths are drawn from the joint histogram of
prompt and output tokens. Draws come from a counter (splitmix64), not from a library's generator, whose stream may change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from roi.estimate.replay.router import Requests
from roi.estimate.serving.iteration import kv_bytes_per_gpu
from roi.estimate.serving.weight_formats import SIXTEEN_BIT
from roi.facts.model import ModelShape
from roi.numerics.arrays import Array
from roi.units import SECONDS_PER_HOUR

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
"""Weyl increment of splitmix64 (Steele, Lea, Flood 2014): 2^64 over the golden ratio."""
MOST_KEPT: Final = 8192
"""Numbers of one draw that is kept, 64 KiB."""


@dataclass(frozen=True)
class Lengths:
    """Tokens of each request, arrays of one length."""

    uncached_tokens: Array
    """Prompt tokens that are computed, at least 1."""
    output_tokens: Array
    """Generated tokens, whole, at least 1."""
    cached_tokens: Array
    """Prompt tokens found in the prefix cache."""
    common_tokens: float = np.inf
    """The most of them that other requests find too. What is beyond, the history of a conversation, each holds for itself."""


def uniforms(count: int, seed: int) -> Array:
    """`count` independent numbers in (0, 1): splitmix64, 53 bits each. Another seed gives another stream."""
    with np.errstate(over="ignore"):
        start = np.uint64(seed % 2**63) * np.uint64(0xD1342543DE82EF95)
        z = start + GOLDEN * np.arange(1, count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.asarray(((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def poisson_arrivals(count: int, seed: int) -> Array:
    """Arrival times of a Poisson process that brings `count` requests in `count` seconds, ascending.

    Divide by a rate for that rate. Given their number, the times are independent and uniform; without that condition 600
    requests come 4% too fast or too slow, and capacity would be off by as much.
    """
    return _one_a_second(-np.log(uniforms(count + 1, seed)))


def bursty_arrivals(count: int, cv: float, seed: int) -> Array:
    """Arrival times, as `poisson_arrivals`, with gamma gaps of this standard deviation over mean, above 0: 1 is Poisson.

    Load generators draw bursts so (vLLM's --burstiness is 1 / cv^2). Draws are Marsaglia and Tsang's (2000), with one more in
    the shape than asked, which a power of a uniform number takes away.
    """
    shape, tries = cv**-2.0, 2 * count + 64  # of which at least 95% are kept
    d = shape + 2.0 / 3.0
    first, turn, kept, power = (uniforms(tries, seed + k) for k in range(4))
    x = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * turn)
    v = np.maximum(1.0 + x / np.sqrt(9.0 * d), 1e-9) ** 3
    good = np.flatnonzero(np.log(kept) < x**2 / 2.0 + d * (1.0 - v + np.log(v)))[:count + 1]
    return _one_a_second(v[good] * power[good] ** (1.0 / shape))


def _one_a_second(gaps: Array) -> Array:
    """Arrival times with these gaps, the last of which ends with the seconds, as many as there are arrivals."""
    return np.asarray(np.cumsum(gaps)[:-1] * ((gaps.size - 1) / np.sum(gaps)))


def day_arrivals(count: int, hourly: Array, seed: int) -> Array:
    """Arrival times of `count` requests over 24 hours, s: Poisson at each hour's share, `hourly` being 24 weights."""
    edges = np.concatenate([[0.0], np.cumsum(hourly)]) / np.sum(hourly)
    return np.asarray(np.interp(poisson_arrivals(count, seed) / count, edges, SECONDS_PER_HOUR * np.arange(edges.size)))


def spread_evenly(count: int, seed: int) -> Array:
    """`count` numbers in (0, 1), one in each of `count` equal slices, in random order: shares come out as they should.

    Not to be written to: as many as a fleet's replay takes are kept, since each model's lengths are drawn with the same ones.
    """
    return _spread_evenly(count, seed) if count <= MOST_KEPT else _spread_evenly.__wrapped__(count, seed)


@lru_cache(maxsize=128)
def _spread_evenly(count: int, seed: int) -> Array:
    order = np.argsort(uniforms(count, seed), kind="stable")
    found = np.asarray((order + uniforms(count, seed + 1)) / count)
    found.setflags(write=False)
    return found


def histogram_lengths(
    count: int, input_tokens: Array, output_tokens: Array, weights: Array, *, prefix_tokens: Array | float = 0.0,
    hit_rate: Array | float = 0.0, seed: int = 1,
) -> Lengths:
    """Lengths drawn from a joint histogram (bins' means and shares), each bin as often as its share says.

    `prefix_tokens` (of each bin) begin the prompt and are found cached by `hit_rate` (of all, or each) of the requests. One bin
    is a mean without a spread. What follows the prefix and the output are then exponential, independent of each other: without
    a prefix, standard deviation over mean is 1, against 0.96 and 2.1 in the Azure code trace of 2023; equal lengths would cut
    every tail. A prefix of the whole mean prompt is that of conversations, which find all of a prompt however long: that one is
    exponential. A mean output of one token, which every answer has at least, is that of all: none has a second.
    """
    if input_tokens.size == 1:
        follows, output = (-np.log(spread_evenly(count, seed + 4 * k)) for k in (2, 3))
        output = output_tokens[0] * (output / np.mean(output) if output_tokens[0] > 1.0 else np.ones(count))
        part = prefix_tokens < input_tokens
        fixed = np.where(part, prefix_tokens, 0.0)
        prompt = fixed + (input_tokens - fixed) * (follows / np.mean(follows))
        prefix = np.where(part, fixed, prompt)
    else:
        edges = np.cumsum(weights) / np.sum(weights)
        bins = np.minimum(np.searchsorted(edges, spread_evenly(count, seed), side="right"), weights.size - 1)
        prompt, output = input_tokens[bins], output_tokens[bins]
        prefix, hit_rate = (np.broadcast_to(each, input_tokens.shape)[bins] for each in (prefix_tokens, hit_rate))
    cached = np.where(spread_evenly(count, seed + 100) < hit_rate, prefix, 0.0)
    return Lengths(np.maximum(np.rint(prompt - cached), 1.0), np.maximum(np.rint(output), 1.0), np.rint(cached))


def as_requests(
    lengths: Lengths, arrival_s: Array, shape: ModelShape | None, tensor_parallel: float = 1.0,
    kv_element_bytes: float = SIXTEEN_BIT, *, attention_parallel: bool = False, reserved: bool = True,
) -> Requests:
    """The lengths as a load on a model: KV in bytes on each GPU; in tokens where no shape is known.

    A prefix found in the cache is read by each request and held once for all of them, but a conversation's by its own.
    """

    def kv(tokens: Array) -> Array:
        if shape is None:
            return tokens
        return np.asarray(kv_bytes_per_gpu(shape, tokens, tensor_parallel, kv_element_bytes,
                                           attention_parallel=attention_parallel))

    prompt = lengths.cached_tokens + lengths.uncached_tokens
    start, end = kv(prompt + 1.0), kv(prompt + lengths.output_tokens)
    growth = (end - start) / np.maximum(lengths.output_tokens - 1.0, 1.0)
    common = np.minimum(lengths.cached_tokens, lengths.common_tokens)
    shared = np.where(common > 0.0, kv(common), 0.0)
    return Requests(
        arrival_s=arrival_s, prefill_tokens=lengths.uncached_tokens, output_tokens=lengths.output_tokens, kv_start=start,
        kv_growth=growth, kv_held=np.maximum(end - shared, 0.0),
        kv_mean=None if reserved else np.maximum(mean_kv(kv, prompt, lengths.output_tokens, shape) - shared, 0.0),
    )


def mean_kv(kv: Callable[[Array], Array], prompt_tokens: Array, output_tokens: Array, shape: ModelShape | None) -> Array:
    """KV that each request holds in the mean over its answer; `kv` gives what so many tokens hold, in its unit.

    By trapezoids between where the shape's windows fill: what is held grows evenly but there.
    """
    first, last = prompt_tokens + 1.0, prompt_tokens + output_tokens
    windows = {float(a.window) for a in shape.attention if a.window} if shape is not None else ()
    at = np.stack([first, *(np.clip(full, first, last) for full in sorted(windows)), last])
    share, held = np.diff(at, axis=0) / np.maximum(last - first, 1.0), kv(at)
    return np.asarray(np.where(last > first, np.sum(share * (held[:-1] + held[1:]), axis=0) / 2.0, held[0]))
