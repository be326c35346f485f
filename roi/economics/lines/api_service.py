"""An API as it is paid over the horizon: the cost of a request, how its price moves, and when its model ends."""

from dataclasses import dataclass

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.api_cost import RequestCost, request_cost
from roi.economics.lines.calendar import events_so_far, powers


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


def service(shared: Shared, option: Option, hit_rate: Number | None = None) -> Service:
    """The service that `option`'s API is, with the shared hit rate unless another is given.

    The incumbent's own price factor (negotiated price, from the bill) applies to the incumbent alone.
    """
    key = (id(option), hit_rate is None)
    known = shared.memo.get(key)
    if isinstance(known, Service) and known.option is option:
        return known
    assert option.api is not None
    cost = request_cost(shared, option.tokens, option.api, shared.hit_rate if hit_rate is None else hit_rate)
    done = _ended(shared, option)
    factor = shared.price_factor if option.kind in {"stay", "cache-batch"} else 1.0
    price = _path(shared.successor_price_ratio * option.own_price_ratio, option.first_price_ratio, done)
    errors = np.minimum(option.error_rate * _path(shared.successor_error_ratio, option.first_error_ratio, done), 1.0)
    made = Service(option, cost, factor, np.asarray(factor * price), np.asarray(errors))
    shared.memo[key] = made
    return made


def _path(ratio: Number, first: Number | None, done: Array) -> Array:
    """What `done` migrations make of a price or an error rate: ratio ** done, or first x ratio ** (done - 1) where stated."""
    if first is None:
        return powers(ratio, done)
    return np.asarray(np.where(done > 0, first * powers(ratio, np.maximum(done - 1.0, 0.0)), 1.0))


def _ended(shared: Shared, option: Option) -> Array:
    """How often the option's vendor model has ended before each month: the announced (or assumed) end, then one a life."""
    if option.life_first is None or option.life_every is None:
        return np.zeros(shared.horizon)
    return events_so_far(option.life_first, option.life_every, shared.horizon)[..., :-1]
