"""What an API bills: one request, split as the price list bills it, and over the horizon the lines of the bill.

The price moves, and the model ends, as the facts of its vendor say.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from roi.economics.finance import accumulate
from roi.economics.inputs import Api, Array, Number, Option, Provisioned, Shared, Tokens, path_of
from roi.economics.lines.calendar import EXACT, Happened, Path, Share, incumbent_share, months, whole
from roi.economics.lines.line import (
    Line,
    any_positive,
    billed_requests,
    pick,
    requests,
    usd_of_errors,
)
from roi.economics.lines.successors import Successors, successors
from roi.units import HOURS_PER_MONTH, MTOK, SECONDS_PER_HOUR

SAME = 1e-12
"""A factor this near to 1 is not worth a word."""


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
    output: Array


def seen_tokens(shared: Shared, tokens: Tokens) -> _Seen:
    """The length bins as the option's tokenizer, prompt and verbosity make them.

    prefix = min(shared prefix, input), scaled to `prefix_tokens` where a tuned model needs fewer instructions;
    input = (input - prefix + new prefix) x ratio; output = output x ratio x output_ratio + reasoning tokens.
    """
    prefix = np.minimum(shared.prefix_tokens, shared.input_tokens)
    new = prefix
    if tokens.prefix_tokens is not None:
        kept = np.divide(tokens.prefix_tokens, np.maximum(shared.prefix_tokens, 1e-12))
        new = prefix * np.where(np.asanyarray(shared.prefix_tokens) > 0, kept, 1.0)
    total = (shared.input_tokens - prefix + new) * tokens.ratio
    output = shared.output_tokens * tokens.ratio * tokens.output_ratio + tokens.reasoning_tokens
    return _Seen(np.asanyarray(total), np.asanyarray(new * tokens.ratio), np.asanyarray(output))


def _linear(shared: Shared, tokens: Tokens, api: Api) -> bool:
    """True where cost is linear in the lengths, so that the mean request costs what the requests cost on average.

    Every call in the first tier; no bin decides otherwise than the others about cache or batch; and where tuning shortens the
    prefix, every request has all of it.
    """
    if tokens.prefix_tokens is not None and np.min(shared.input_tokens) < np.max(shared.prefix_tokens):
        return False
    if api.edges.size > 1 and np.max(shared.input_tokens) * np.max(tokens.ratio) > api.edges[1]:
        return False
    return not (api.uses_cache and api.cache_read is not None and np.max(shared.prefix_tokens) > 0)


def _pooled(shared: Shared) -> Shared:
    """The record with one bin: the mean request."""
    given, made = (np.atleast_1d(shared.weights @ x) for x in (shared.input_tokens, shared.output_tokens))
    return replace(shared, input_tokens=given, output_tokens=made, weights=np.ones(1))


def request_cost(shared: Shared, tokens: Tokens, api: Api, hit_rate: Number) -> RequestCost:
    """Cost of the mean request.

    For every length bin: plain; with the prompt cache (a hit reads the prefix at the cached price, a miss writes it at the
    write price, or pays input where writing is free; a prefix under the provider's minimum is not cached); and for the share
    that can wait, batch, with cached input only where the price list has a price for both. The cheapest per bin is taken.
    A share in a slower tier lowers the price of all that does not go through batch.
    The tier of a call is set by its input tokens: the last edge strictly below them.
    """
    linear = _linear(shared, tokens, api)
    if linear:
        shared = shared.once("pooled", partial(_pooled, shared))
    seen = seen_tokens(shared, tokens)
    tier = np.maximum(np.searchsorted(api.edges, seen.total, side="left") - 1, 0)
    scale = (1.0 - api.discount) / MTOK

    def rate(row: Array) -> Array:
        return row[tier] * scale if row.size > 1 else np.asanyarray(row[0] * scale)

    price_in, output_usd = rate(api.input), seen.output * rate(api.output)
    cached = np.zeros(np.shape(seen.total * price_in), dtype=bool)
    read_tokens = write_tokens = np.zeros(())
    read_usd = write_usd = np.zeros(())
    if api.uses_cache and api.cache_read is not None and not linear:
        write = rate(api.cache_write) if api.cache_write is not None else price_in
        saves = hit_rate * rate(api.cache_read) + (1.0 - hit_rate) * write < price_in
        cached = saves & (seen.prefix >= api.cache_minimum) & (seen.prefix > 0)
        read_tokens = np.where(cached, seen.prefix * hit_rate, 0.0)
        read_usd = read_tokens * rate(api.cache_read)
        if api.cache_write is not None:
            write_tokens = np.where(cached, seen.prefix * (1.0 - hit_rate), 0.0)
            write_usd = write_tokens * write
    input_tokens = seen.total - read_tokens - write_tokens
    input_usd = input_tokens * price_in
    input_usd, read_usd, write_usd, output_usd = (x * api.tier for x in (input_usd, read_usd, write_usd, output_usd))

    now: Number = 1.0
    batch_usd: Array = np.zeros(())
    in_batch = _usd_in_batch(seen, api, hit_rate, cached, rate)
    if in_batch is not None:
        batched = np.where(in_batch < input_usd + read_usd + write_usd + output_usd, api.batch_share, 0.0)
        now, batch_usd = 1.0 - batched, batched * in_batch

    def mean(part: Number) -> Number:
        if shared.weights.size == 1 and np.ndim(part) != 1:  # the mean request alone, of weight 1
            return np.asanyarray(part)
        weighted = np.asanyarray(part) * shared.weights
        total: Number = weighted.sum(axis=-1, keepdims=weighted.ndim > 1)
        return total

    return RequestCost(
        input_usd=mean(input_usd * now), input_tokens=mean(input_tokens * now),
        cache_read_usd=mean(read_usd * now), cache_read_tokens=mean(read_tokens * now),
        cache_write_usd=mean(write_usd * now), cache_write_tokens=mean(write_tokens * now),
        output_usd=mean(output_usd * now), output_tokens=mean(seen.output * now),
        batch_usd=mean(batch_usd), batch_tokens=mean((seen.total + seen.output) * (1.0 - now)), batched=mean(1.0 - now),
    )


def _usd_in_batch(
    seen: _Seen, api: Api, hit_rate: Number, cached: NDArray[np.bool_], rate: Callable[[Array], Array]
) -> Array | None:
    """USD of the requests of each length bin in batch; None where nothing may go that way."""
    if api.batch_input is None or api.batch_output is None or not any_positive(api.batch_share):
        return None
    usd = seen.total * rate(api.batch_input)
    if api.batch_cache_read is not None and api.uses_cache:
        rewrite = rate(api.batch_input if api.batch_cache_write is None else api.batch_cache_write)
        prefix_usd = hit_rate * rate(api.batch_cache_read) + (1.0 - hit_rate) * rewrite
        from_cache = (seen.total - seen.prefix) * rate(api.batch_input) + seen.prefix * prefix_usd
        usd = np.where(cached, np.minimum(usd, from_cache), usd)
    return usd + seen.output * rate(api.batch_output)


@dataclass(frozen=True)
class Service:
    """One vendor model in use. A list price is flat until the model ends; a successor's price is another fact."""

    option: Option
    cost: RequestCost
    factor: Number
    """The incumbent's price over its list price, from the real bill; 1 for every other model."""
    successors: Successors

    @cached_property
    def price(self) -> Array:
        """Price in each month over today's list price, `factor` included, shape (..., H)."""
        if isinstance(self.factor, float) and self.factor == 1.0:
            return self.successors.list_price
        return whole(self.successors.price(self.factor))

    @cached_property
    def errors(self) -> Array:
        """Error rate in each month over today's, shape (..., H)."""
        return whole(self.successors.errors())

    @cached_property
    def error_rate(self) -> Array:
        """Error rate of the model in each month, shape (..., H)."""
        return whole(self.successors.errors(self.option.error_rate))

    def facts(self) -> tuple[str, ...]:
        """Path of the price that its lines rest on; growth, successors' prices and volumes are drivers, not their basis."""
        return (f"options.{self.option.id}.price.input_usd_per_mtok",)

    def moves(self, month: int) -> str:
        """What else multiplies the list price in a month: the bill's price factor, and successors' prices."""
        factor = pick(self.factor, month)
        parts = [(factor, "bill over list"), (pick(self.price, month) / factor, "successor price")]
        return "".join(f" x {x:.4f} {name}" for x, name in parts if abs(x - 1.0) > SAME)


def service(shared: Shared, option: Option, hit_rate: Number | None = None) -> Service:
    """The service that `option`'s API is, with the shared hit rate unless another is given.

    The incumbent's own price factor (negotiated price, from the bill) applies to the incumbent alone.
    """
    key = (id(option), hit_rate is None)
    known = shared.memo.get(key)
    if isinstance(known, Service) and known.option is option:
        return known
    assert option.api is not None
    factor = shared.price_factor if option.same_model else 1.0
    if hit_rate is None:
        hit_rate = shared.hit_rate if option.api.hit_rate is None else option.api.hit_rate
    made = shared.memo[key] = Service(
        option=option, factor=factor, successors=successors(shared, option),
        cost=request_cost(shared, option.tokens, option.api, hit_rate),
    )
    return made


def billed_at_price(shared: Shared, api: Service) -> Path:
    """Requests billed in each month x price over today's list price, multiplied once for all lines that run along it."""

    def made() -> Path:
        billed = billed_requests(shared)
        if not isinstance(api.successors.ends, Happened):
            return np.asanyarray(billed * api.price)
        return api.successors.price(api.factor, billed)

    return shared.once_for(f"billed at price {id(api.successors)}", (api.factor,), made)


def errors_at_usd(shared: Shared, api: Service) -> Path:
    """USD of wrong answers in each month if the service gave all of them."""
    usd = usd_of_errors(shared)
    if not isinstance(api.successors.ends, Happened):
        return shared.product(usd, api.error_rate)
    return shared.once(("errors at usd", id(api)), lambda: api.successors.errors(api.option.error_rate, usd))


def api_lines(shared: Shared, api: Service, share: Share) -> list[Line]:
    """The lines of the bill, one for each way the API bills, for `share` of each month's requests."""
    c = api.cost
    now = 1.0 - c.batched
    tier = 1.0 if api.option.api is None else api.option.api.tier
    parts: tuple[tuple[str, Number, Number, Number, Number], ...] = (
        ("API input, uncached", now, c.input_usd, c.input_tokens, tier),
        ("API input, cache read", now, c.cache_read_usd, c.cache_read_tokens, tier),
        ("API input, cache write", now, c.cache_write_usd, c.cache_write_tokens, tier),
        ("API output", now, c.output_usd, c.output_tokens, tier),
        ("API batch, input and output", c.batched, c.batch_usd, c.batch_tokens, 1.0),
    )
    path = billed_at_price(shared, api)
    return [_token_line(shared, api, share, path, *part) for part in parts if np.any(np.asanyarray(part[2]) != 0.0)]


def _token_line(
    shared: Shared, api: Service, share: Share, path: Path, name: str, part: Number, usd: Number, tokens: Number, tier: Number
) -> Line:
    """The line of requests x tokens x USD/Mtok x price; `part` of the requests go this way (batch or not)."""
    id, tiered = api.option.id, np.any(np.asanyarray(tier) != 1.0)
    facts = tuple(f"options.{id}.flexible.{name}" for name in ("share", "price_ratio")) if tiered else ()

    def arithmetic(month: int) -> str:
        some = pick(part, month)
        each = pick(tokens, month) / some if some else 0.0
        rate = pick(usd, month) / some / each / pick(tier, month) * MTOK if each else 0.0
        way = pick(share.whole, month) * some
        slower = f" x {pick(tier, month):.6g} flexible tier" if tiered else ""
        return f"{_counted(shared, way, month)} x {each:,.2f} tok x ${rate:,.6g}/Mtok{slower}{api.moves(month)}"

    return Line(name=name, path=path, rate=usd, share=share, facts=(*api.facts(), *facts), arithmetic=arithmetic)


def whole_request_line(
    shared: Shared, name: str, share: Share, api: Service, extra: tuple[str, ...] = (), part: Number = 1.0
) -> Line:
    """The line of requests x part x share x USD per request x price, for requests that go to another API.

    `share` is by month and the same for many options, `part` the same in every month.
    """
    path = billed_at_price(shared, api)

    def arithmetic(month: int) -> str:
        some = pick(part, month) * pick(share.whole, month)
        return f"{_counted(shared, some, month)} x ${pick(api.cost.usd, month):.8g} each{api.moves(month)}"

    return Line(
        name=name, path=path, rate=part * api.cost.usd, share=share, facts=(*api.facts(), *extra), arithmetic=arithmetic,
    )


def _counted(shared: Shared, part: float, month: int) -> str:
    """Requests of a month, the volume that the bill adds, and the share that goes this way."""
    volume = pick(shared.volume_factor, month)
    more = "" if abs(volume - 1.0) < SAME else f" x {volume:.6g} volume by the bill"
    return f"{pick(requests(shared), month):,.0f} requests{more}" + ("" if abs(part - 1.0) < SAME else f" x {part:.8g}")


def some_draws(escalated: Number) -> Array | None:
    """1 in draws that escalate something, 0 where the option is its own model alone, shape (n, 1); None where none is that."""
    clipped = type(escalated) is np.ndarray and not escalated.all()
    return np.where(escalated > 0, 1.0, 0.0) if clipped else None


def judge_line(shared: Shared, share: Share, asked: Array | None = None) -> list[Line]:
    """What the judge costs that decides which answers are handed on: it sees `share` of each month's requests.

    `asked`: `some_draws` of the share that is handed on.
    """
    if not any_positive(shared.judge_usd):
        return []
    rate = shared.judge_usd if asked is None else shared.judge_usd * asked
    return [Line(
        name="judge that escalates", path=billed_requests(shared), rate=rate, share=share,
        facts=("quality.judge_usd_per_request",),
        arithmetic=lambda month: f"{_counted(shared, pick(share.whole, month), month)} x ${pick(shared.judge_usd):.8g} each",
    )]


def provisioned_lines(shared: Shared, option: Option, live: Share) -> list[Line]:
    """Whole units of provisioned throughput for each month's own peak, paid by the month and to the end of their commitment.

    While the first commitment runs (from go-live on), a falling load gives no unit back; what is owed beyond the horizon is
    paid in the last month. No request overflows to another price.
    """
    terms = option.provisioned
    if terms is None:
        return []
    peak = billed_requests(shared) / (HOURS_PER_MONTH * SECONDS_PER_HOUR) * shared.peak_to_mean
    units = np.where(live.whole > 0, np.maximum(np.ceil(peak / terms.requests_per_s - EXACT), 1.0), 0.0)
    bound = incumbent_share(option.months_to_live, terms.minimum_months, shared.horizon).whole > 0
    units = np.where(bound, accumulate(np.maximum, units), units)
    usd = np.asanyarray(terms.usd_per_unit * successors(shared, option).list_price)
    added = np.diff(accumulate(np.maximum, units), axis=-1, prepend=0.0)
    start = np.maximum(months(shared.horizon) - 1.0, option.months_to_live)
    owed = (added * np.maximum(terms.minimum_months - (shared.horizon - start), 0.0)).sum(axis=-1, keepdims=True)
    facts = tuple(path_of(Provisioned, name, option=option.id) for name in ("usd_per_unit", "requests_per_s"))
    lines = [Line(
        name="API provisioned throughput", path=np.asanyarray(units * live.whole * usd),
        facts=(*facts, "workload.peak_to_mean"),
        arithmetic=lambda month: (
            f"{pick(peak, month):,.6g} requests/s at the peak / {pick(terms.requests_per_s):,.6g} a unit:"
            f" {pick(units, month):,.0f} units x ${pick(usd, month):,.6g} x {pick(live.whole, month):.4g} of the month"
        ),
    )]
    if np.any(owed > 0):
        last = np.zeros(shared.horizon)
        last[-1] = 1.0
        lines.append(Line(
            name="provisioned throughput beyond the horizon", path=np.asanyarray(owed * last * usd),
            facts=(facts[0], path_of(Provisioned, "minimum_months", option=option.id)),
            arithmetic=lambda month: f"{pick(owed):,.6g} unit-months x ${pick(usd, month):,.6g}",
        ))
    return lines
