"""The models that take the place of one that its vendor ends: when, at what price, how often wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.line import events_so_far


@dataclass(frozen=True)
class Successors:
    """The models that take the place of one: what each of its ends makes of its price and its error rate."""

    ends: Array
    """How many fell up to the beginning of each month, shape (..., H)."""
    price_ratios: Sequence[Number]
    """Of the first end, the second, ...; the last repeats."""
    error_ratios: Sequence[Number]

    @cached_property
    def list_price(self) -> Array:
        """Price in each month over today's, shape (..., H)."""
        return self._by_month(lambda ratio: ratio, self.price_ratios)

    def price(self, factor: Number) -> Array:
        """The same times `factor`."""
        return self._by_month(lambda ratio: factor * ratio, self.price_ratios)

    def errors(self, today: Number | None = None) -> Array:
        """Error rate in each month, at most 1, where it is `today`; without that, over today's. Shape (..., H)."""
        def moved(ratio: Array) -> Array:
            return ratio if today is None else np.minimum(today * ratio, 1.0)

        return self._by_month(moved, self.error_ratios)

    def _by_month(self, moved: Callable[[Array], Array], ratios: Sequence[Number]) -> Array:
        """What the product of the ratios of all ends so far makes of something, by month.

        With rows of months it is worked out once a row for 0, 1, ... ends and looked up: an exponential for each month costs
        more than all else of a bill.
        """
        if self.ends.ndim < 2:
            return np.asanyarray(moved(_product(self.ends, ratios)))
        places, most = self._places
        table = np.ones((most + 1, len(self.ends)))
        for k in range(most):
            np.multiply(table[k], np.reshape(ratios[min(k, len(ratios) - 1)], -1), out=table[k + 1])
        return np.broadcast_to(moved(table.T), table.T.shape).T.reshape(-1).take(places.T).T

    @cached_property
    def _places(self) -> tuple[NDArray[np.intp], int]:
        """Where each month stands in a table of numbers of ends x rows, flat; and the most ends."""
        rows, places = len(self.ends), self.ends.astype(np.intp)
        most = int(places.max())
        places *= rows
        places += np.arange(rows)[:, None]
        return places, most


def successors(shared: Shared, option: Option) -> Successors:
    """The successors of `option`'s model. Every end has a price ratio of its own; that of errors repeats.

    A stated ratio takes the place of the first.
    """
    first, every = option.life_first, option.life_every
    if first is None or every is None:
        return shared.once("no successor", lambda: Successors(np.zeros(shared.horizon), [1.0], [1.0]))

    def made() -> Successors:
        own = option.own_price_ratio
        prices = [r * own for r in (shared.successor_price_ratio, *shared.later_price_ratios)]
        errors: list[Number] = [shared.successor_error_ratio]
        if option.first_price_ratio is not None:
            prices = [option.first_price_ratio, *(prices[1:] or prices)]
        if option.first_error_ratio is not None:
            errors = [option.first_error_ratio, *errors]
        return Successors(ends_so_far(shared, first, every)[..., :-1], prices, errors)

    moved = (first, every, option.own_price_ratio, option.first_price_ratio, option.first_error_ratio)
    return shared.once_for("successors", moved, made)


def ends_so_far(shared: Shared, first: Number, every: Number) -> Array:
    """How many ends of a model fell up to each month end 0..H, worked out once for all options that its vendor serves."""
    return shared.once_for("ends", (first, every), lambda: events_so_far(first, every, shared.horizon))


def _product(done: Array, ratios: Sequence[Number]) -> Array:
    """The product of the first `done` ratios, the last of which repeats."""
    logs = np.zeros(1)
    for n, ratio in enumerate(ratios):
        most = np.inf if n == len(ratios) - 1 else 1.0
        logs = logs + np.log(ratio) * np.clip(done - n, 0.0, most)
    return np.exp(logs)
