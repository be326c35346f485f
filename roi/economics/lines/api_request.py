"""What one request to an API costs, split as the price list bills it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from roi.economics.inputs import Array, Number, Option, Shared, Tokens
from roi.economics.lines.line import any_positive
from roi.economics.price_list import AnnouncedRates, Api
from roi.units import MTOK


def at_list(api: Api, later: AnnouncedRates) -> Api:
    """The API at the rates of an announced list, in all else as it is."""
    return replace(api, **{name: value for name, value in vars(later).items() if name != "from_months"})


@dataclass(frozen=True)
class RequestCost:
    """USD (and tokens) of the mean request, each a float or one row a draw of shape (n, 1)."""

    input_usd: Number
    cache_read_usd: Number
    cache_write_usd: Number
    output_usd: Number
    batch_usd: Number
    input_tokens: Number
    cache_read_tokens: Number
    cache_write_tokens: Number
    output_tokens: Number
    batch_tokens: Number
    batch_read_tokens: Number
    """Batch tokens that are read from a cache."""
    batched: Number
    """Share of the requests that goes through the batch price."""

    @property
    def usd(self) -> Number:
        """USD of the request: the sum of its parts."""
        return self.input_usd + self.cache_read_usd + self.cache_write_usd + self.output_usd + self.batch_usd


@dataclass(frozen=True)
class _Seen:
    """The length bins in the option's own tokens, shape (B,) or (n, B) each."""

    total: Array
    prefix: Array
    kept: Array
    """The prefix that the workload says: a provider caches it, or it is too short, however long a month's calls were."""
    output: Array


def seen_tokens(shared: Shared, tokens: Tokens) -> _Seen:
    """The length bins as the option's tokenizer, prompt and verbosity make them.

    prefix = min(shared prefix, input), scaled to `prefix_tokens` where a tuned model needs fewer instructions, or what the
    length bin says it finds (`CachedLengths`);
    input = (input - prefix + new prefix) x ratio; output = output x ratio x output_ratio + reasoning tokens. Where the calls of
    a month were `longer` or shorter, that is their input; the prefix, which is the same in every prompt, stays what it was,
    but for what was read where none was expected (`read_share`).
    """
    prefix = np.minimum(shared.prefix_tokens, shared.input_tokens)
    new = prefix
    if tokens.prefix_tokens is not None:
        kept = np.divide(tokens.prefix_tokens, np.maximum(shared.prefix_tokens, 1e-12))
        new = prefix * np.where(np.asanyarray(shared.prefix_tokens) > 0, kept, 1.0)
    held = new if shared.cached is None else shared.cached.prefix(prefix, new)
    total, kept = (shared.input_tokens - prefix + new) * (tokens.ratio * tokens.longer), held * tokens.ratio
    read = np.minimum(kept * tokens.prefix_longer, total)
    if tokens.read_share is not None:
        read = np.where(_read_anew(tokens), total * tokens.read_share, read)
    output = shared.output_tokens * tokens.ratio * tokens.output_ratio + tokens.reasoning_tokens
    return _Seen(np.asanyarray(total), np.asanyarray(read), np.asanyarray(kept), np.asanyarray(output))


def _read_anew(tokens: Tokens) -> NDArray[np.bool_]:
    """True where a share of the input was read from a cache that is not the workload's."""
    return np.asarray(tokens.read_share is not None and np.asanyarray(tokens.read_share) > 0)


def _linear(shared: Shared, tokens: Tokens, api: Api) -> bool:
    """True where cost is linear in the lengths, so that the mean request costs what the requests cost on average.

    Every call in the first tier; no bin decides otherwise than the others about cache or batch; and where tuning shortens the
    prefix, every request has all of it.
    """
    if tokens.prefix_tokens is not None and np.min(shared.input_tokens) < np.max(shared.prefix_tokens):
        return False
    if api.edges.size > 1 and np.max(shared.input_tokens) * np.max(tokens.ratio * tokens.longer) > api.edges[1]:
        return False
    found = api.uses_cache and (shared.cached is not None or np.max(shared.prefix_tokens) > 0)
    return api.cache_read is None or not (found or tokens.read_share is not None)


def mean_over_lengths(shared: Shared, x: Number) -> Number:
    """The mean over length bins of what a request of each has or costs, by their weights: a float, or a row a draw, (n, 1)."""
    if shared.weights.size == 1 and np.ndim(x) != 1:  # the mean request alone, of weight 1
        return np.asanyarray(x)
    weighted = np.asanyarray(x) * shared.weights
    total: Number = weighted.sum(axis=-1, keepdims=weighted.ndim > 1)
    return total


def long_share(shared: Shared, option: Option) -> Number:
    """Share of the requests that are too long for the option, which hands them on unseen; 0 where it takes all."""
    mask = option.too_long
    if mask is None:
        return 0.0
    return shared.once_for("share too long", (mask,), lambda: shared.weights @ mask)


def only_long(shared: Shared, option: Option) -> Shared:
    """The record with the lengths of the requests alone that are too long for the option."""
    mask = option.too_long
    return shared if mask is None else shared.once_for("those too long", (mask,), lambda: _of_bins(shared, mask))


def without_long(shared: Shared, option: Option) -> Shared:
    """The record with the lengths of the requests alone that the option takes: itself where it takes all."""
    mask = option.too_long
    return shared if mask is None else shared.once_for("those it takes", (mask,), lambda: _of_bins(shared, 1.0 - mask))


def _of_bins(shared: Shared, part: Array) -> Shared:
    """The record with this part of each length bin alone."""
    weights = shared.weights * part
    return replace(shared, weights=weights / weights.sum())


def _pooled(shared: Shared) -> Shared:
    """The record with one bin: the mean request."""
    given, made = (np.atleast_1d(shared.weights @ x) for x in (shared.input_tokens, shared.output_tokens))
    return replace(shared, input_tokens=given, output_tokens=made, weights=np.ones(1), cached=None)


def request_cost(shared: Shared, tokens: Tokens, api: Api, hit_rate: Number) -> RequestCost:
    """Cost of the mean request.

    For every length bin: plain; with the prompt cache (a hit reads the prefix at the cached price, a miss writes it at the
    write price, or pays input where writing is free; a prefix under the provider's minimum is not cached); and for the share
    that can wait, batch, with cached input only where the price list has a price for both. The cheapest per bin is taken, but
    a cache that is on today writes whatever that costs (`Api.cache_as_today`). A bin may say what it finds (`CachedLengths`).
    A share in a slower tier lowers the price of all that does not go through batch.
    The tier of a call is set by its input tokens: the last edge strictly below them.
    """
    linear = _linear(shared, tokens, api)
    if linear:
        shared = shared.once("pooled", partial(_pooled, shared))
    seen, by_length = seen_tokens(shared, tokens), shared.cached
    hit_rate = hit_rate if by_length is None else by_length.hit_rate(hit_rate, shared.hit_rate)
    tier = np.maximum(np.searchsorted(api.edges, seen.total, side="left") - 1, 0)
    scale = (1.0 - api.discount) / MTOK

    def rate(row: Array) -> Array:
        return row[tier] * scale if row.size > 1 else np.asanyarray(row[0] * scale)

    price_in, output_usd = rate(api.input), seen.output * rate(api.output)
    cached = np.zeros(np.shape(seen.total * price_in), dtype=bool)
    input_tokens = seen.total
    read_tokens = write_tokens = np.zeros(())
    read_usd = write_usd = np.zeros(())
    if api.cache_read is not None and not linear and (api.uses_cache or tokens.read_share is not None):
        write = rate(api.cache_write) if api.cache_write is not None else price_in
        cached = (seen.kept >= api.cache_minimum) & (seen.kept > 0)
        if by_length is not None:
            cached = by_length.long_enough(seen.kept, seen.total, api.cache_minimum) & (seen.kept > 0)
        if not api.cache_as_today:
            cached = (hit_rate * rate(api.cache_read) + (1.0 - hit_rate) * write < price_in) & cached
        if tokens.read_share is not None:
            anew = _read_anew(tokens)
            cached, hit_rate = (cached & api.uses_cache) | anew, np.where(anew, 1.0, hit_rate)
        read_tokens = np.where(cached, seen.prefix * hit_rate, 0.0)
        input_tokens = seen.total - read_tokens
        read_usd = read_tokens * rate(api.cache_read)
        if api.cache_write is not None:
            write_tokens = np.where(cached, seen.prefix * (1.0 - hit_rate), 0.0)
            write_usd = write_tokens * write
            input_tokens = seen.total - np.where(cached, seen.prefix, 0.0)  # exactly 0 where a cache holds all
    input_usd = input_tokens * price_in
    input_usd, read_usd, write_usd, output_usd = (x * api.tier for x in (input_usd, read_usd, write_usd, output_usd))

    now: Number = 1.0
    batch_usd: Array = np.zeros(())
    batch_read: Number = 0.0
    in_batch = _in_batch(seen, api, hit_rate, cached, rate)
    if in_batch is not None:
        batched = np.where(in_batch[0] < input_usd + read_usd + write_usd + output_usd, api.batch_share, 0.0)
        now, batch_usd, batch_read = 1.0 - batched, batched * in_batch[0], batched * in_batch[1]

    mean = partial(mean_over_lengths, shared)
    return RequestCost(
        input_usd=mean(input_usd * now), input_tokens=mean(input_tokens * now),
        cache_read_usd=mean(read_usd * now), cache_read_tokens=mean(read_tokens * now),
        cache_write_usd=mean(write_usd * now), cache_write_tokens=mean(write_tokens * now),
        output_usd=mean(output_usd * now), output_tokens=mean(seen.output * now),
        batch_usd=mean(batch_usd), batch_tokens=mean((seen.total + seen.output) * (1.0 - now)),
        batch_read_tokens=mean(batch_read), batched=mean(1.0 - now),
    )


def _in_batch(
    seen: _Seen, api: Api, hit_rate: Number, cached: NDArray[np.bool_], rate: Callable[[Array], Array]
) -> tuple[Array, Number] | None:
    """USD of the requests of each length bin in batch, and their tokens that a cache holds; None where nothing may go so."""
    if api.batch_input is None or api.batch_output is None or not any_positive(api.batch_share):
        return None
    usd, read = seen.total * rate(api.batch_input), np.zeros(())
    if api.batch_cache_read is not None and api.uses_cache:
        rewrite = rate(api.batch_input if api.batch_cache_write is None else api.batch_cache_write)
        prefix_usd = hit_rate * rate(api.batch_cache_read) + (1.0 - hit_rate) * rewrite
        from_cache = (seen.total - seen.prefix) * rate(api.batch_input) + seen.prefix * prefix_usd
        read = np.where(cached & (from_cache < usd), seen.prefix * hit_rate, 0.0)
        usd = np.where(cached, np.minimum(usd, from_cache), usd)
    return usd + seen.output * rate(api.batch_output), read
