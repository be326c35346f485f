"""What an API bills over the horizon: how its price moves, when its model ends, and the lines of its bill."""

from dataclasses import dataclass

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.api_cost import RequestCost, request_cost
from roi.economics.lines.calendar import billed_requests, events_so_far, powers, requests
from roi.economics.lines.line import Line, pick
from roi.units import MTOK

SAME = 1e-12
"""A factor this near to 1 is not worth a word."""


@dataclass(frozen=True)
class Service:
    """One vendor model in use. A list price is flat until the model ends; a successor's price is another fact."""

    option: Option
    cost: RequestCost
    factor: Number
    """The incumbent's price over its list price, from the real bill; 1 for every other model."""
    price: Array
    """Price in each month over today's list price, `factor` included, shape (..., H)."""
    error_rate: Array
    """Error rate in each month, shape (..., H)."""

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
    done: Array = np.zeros(shared.horizon)  # how often the model has ended before each month: first as announced or assumed
    if option.life_first is not None and option.life_every is not None:
        done = events_so_far(option.life_first, option.life_every, shared.horizon)[..., :-1]
    factor = shared.price_factor if option.kind in {"stay", "cache-batch"} else 1.0
    price = _after(done, shared.successor_price_ratio * option.own_price_ratio, option.first_price_ratio)
    errors = option.error_rate * _after(done, shared.successor_error_ratio, option.first_error_ratio)
    made = shared.memo[key] = Service(
        option=option, factor=factor, price=np.asarray(factor * price), error_rate=np.asarray(np.minimum(errors, 1.0)),
        cost=request_cost(shared, option.tokens, option.api, shared.hit_rate if hit_rate is None else hit_rate),
    )
    return made


def _after(done: Array, ratio: Number, first: Number | None) -> Array:
    """What `done` migrations make of a price or an error rate: ratio ** done, or first x ratio ** (done - 1) where stated."""
    if first is None:
        return powers(ratio, done)
    return np.asarray(np.where(done > 0, first * powers(ratio, np.maximum(done - 1.0, 0.0)), 1.0))


def api_lines(shared: Shared, api: Service, share: Array) -> list[Line]:
    """The lines of the bill, one for each way the API bills, for `share` of each month's requests, shape (..., H)."""
    c = api.cost
    now = 1.0 - c.batched
    parts: tuple[tuple[str, Number, Number, Number], ...] = (
        ("API input, uncached", now, c.input_usd, c.input_tokens),
        ("API input, cache read", now, c.cache_read_usd, c.cache_read_tokens),
        ("API input, cache write", now, c.cache_write_usd, c.cache_write_tokens),
        ("API output", now, c.output_usd, c.output_tokens),
        ("API batch, input and output", c.batched, c.batch_usd, c.batch_tokens),
    )
    return [_token_line(shared, api, share, *part) for part in parts if np.any(np.asarray(part[2]) != 0.0)]


def _token_line(shared: Shared, api: Service, share: Array, name: str, part: Number, usd: Number, tokens: Number) -> Line:
    """The line of requests x tokens x USD/Mtok x price path; `part` of the requests go this way (batch or not)."""

    def arithmetic(month: int) -> str:
        some = pick(part, month)
        each = pick(tokens, month) / some if some else 0.0
        rate = pick(usd, month) / some / each * MTOK if each else 0.0
        way = pick(share, month) * some
        return f"{_counted(shared, way, month)} x {each:,.2f} tok x ${rate:,.6g}/Mtok{api.moves(month)}"

    monthly = billed_requests(shared) * share * usd * api.price
    return Line(name=name, monthly=np.asarray(monthly), facts=api.facts(), arithmetic=arithmetic)


def whole_request_line(shared: Shared, name: str, share: Array, api: Service, extra: tuple[str, ...] = ()) -> Line:
    """The line of requests x share x USD per request x price path, for requests that go to another API.

    `api` comes from `service`, which keeps it as long as `shared`, so that its identity names its bill.
    """
    monthly = share * shared.once(("bill", id(api)), lambda: billed_requests(shared) * api.cost.usd * api.price)

    def arithmetic(month: int) -> str:
        return f"{_counted(shared, share, month)} x ${pick(api.cost.usd, month):.8g} each{api.moves(month)}"

    return Line(name=name, monthly=np.asarray(monthly), facts=(*api.facts(), *extra), arithmetic=arithmetic)


def _counted(shared: Shared, share: Array | Number, month: int) -> str:
    """Requests of a month, the volume that the bill adds, and the share that goes this way."""
    volume, part = pick(shared.volume_factor, month), pick(share, month)
    more = "" if abs(volume - 1.0) < SAME else f" x {volume:.6g} volume by the bill"
    return f"{pick(requests(shared), month):,.0f} requests{more}" + ("" if abs(part - 1.0) < SAME else f" x {part:.8g}")
