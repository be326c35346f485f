"""The models that take the place of one that its vendor ends: when, at what price, how often wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.calendar import Happened, Path, Stepped, events_so_far, happened, whole

Moved = Callable[[Callable[[Number], Number]], Number]
"""What a function makes of an error rate over today's, in each month."""


@dataclass(frozen=True)
class Successors:
    """The models that take the place of one: what each of its ends makes of its price and its error rate."""

    ends: Array | Happened
    """How many fell up to the beginning of each month, shape (..., H); of many draws one by one."""
    price_ratios: Sequence[Number]
    """What the first end, the second, ... multiplies the price by; the last repeats."""
    error_ratios: Sequence[Number]

    @cached_property
    def list_price(self) -> Array:
        """Price in each month over the first model's own list, shape (..., H)."""
        return whole(self._by_month(lambda ratio: ratio, self.price_ratios))

    def price(self, factor: Number, times: Array | None = None) -> Path:
        """Price in each month: `factor` times that over the first model's own list, times the months of `times`."""
        return self._by_month(lambda ratio: factor * ratio, self.price_ratios, times)

    def errors(self, today: Number | None = None, times: Array | None = None) -> Path:
        """Error rate in each month, at most 1, where it is `today`; without that, over today's. Times the months of `times`."""
        def error(ratio: Number) -> Number:
            return ratio if today is None else np.minimum(today * ratio, 1.0)

        return self._by_month(error, self.error_ratios, times)

    def moved_errors(self, of: Callable[[Number], Number]) -> Array:
        """What `of` makes of the error rate in each month over today's, shape (..., H)."""
        return whole(self._by_month(of, self.error_ratios))

    def _by_month(self, moved: Callable[[Number], Number], ratios: Sequence[Number], times: Array | None = None) -> Path:
        """What the product of the ratios of all ends so far makes of something, by month.

        Of many draws it is worked out once a draw for 0, 1, ... ends and looked up: an exponential for each month costs more
        than all else of a bill.
        """
        if not isinstance(self.ends, Happened):
            found = np.asanyarray(moved(_product(self.ends, ratios)))
            return found if times is None else times * found
        most, rows = self.ends.ends.shape
        table = np.ones((most + 1, rows))
        for k in range(most):
            np.multiply(table[k], np.reshape(ratios[min(k, len(ratios) - 1)], -1), out=table[k + 1])
        return Stepped(self.ends, np.broadcast_to(moved(table.T), table.T.shape).T, times)


def successors(shared: Shared, option: Option) -> Successors:
    """The successors of `option`'s model. Every end has a price ratio of its own; that of errors repeats.

    A stated ratio takes the place of the first. A price ratio is over the list that the model which ended would have in that
    month, what its vendor has announced included.
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
        ends = happened(shared, first, every)
        return Successors(events_so_far(first, every, shared.horizon)[..., :-1] if ends is None else ends, prices, errors)

    moved = (first, every, option.own_price_ratio, option.first_price_ratio, option.first_error_ratio)
    return shared.once_for("successors", moved, made)


def _product(done: Array, ratios: Sequence[Number]) -> Array:
    """The product of the first `done` ratios, the last of which repeats."""
    logs = np.zeros(1)
    for n, ratio in enumerate(ratios):
        most = np.inf if n == len(ratios) - 1 else 1.0
        logs = logs + np.log(ratio) * np.clip(done - n, 0.0, most)
    return np.exp(logs)
