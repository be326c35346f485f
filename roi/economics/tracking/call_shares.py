"""Who answered the calls of each month: when an option went live, how long the old model ran beside it, what it handed on."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from roi.economics.inputs import Array, Option
from roi.economics.tracking.came import Came
from roi.economics.tracking.month_figures import LIVE, PARALLEL, PRICE, ROUTING, STAY_PRICE, shares_price

SHARE_SAME: Final = 0.005
"""Share of the calls below which a difference of who answers is no news: a few calls of the other model."""
SHARE_MIXED: Final = 0.0005
"""Such a share in a month of both models: what is left is told as the price of one that may cost a tenth of the other."""


def routing(options: Mapping[str, Option], id: str, came: Sequence[Came]) -> dict[str, Array]:
    """The facts that nothing but the calls themselves tells, shape (k, 1) each; without those that are as the forecast says.

    Months until the option was live, and the share that it escalated, as the calls of each month say, and of the month in which
    it went live by the days' calls; the months in parallel
    where the days' calls leave no room for them, or show more of them, over the forecast's; and the prices, as batch and tiers
    move them.
    """
    option, tiers = options[id], np.array([each.tiers for each in came])
    prices = (PRICE,) if shares_price(option, options) else (PRICE, STAY_PRICE)
    moved = {name: tiers[:, [k]] for k, name in enumerate(prices) if np.any(tiers[:, k] != 1.0)}
    shares = [each.own_share for each in came]
    handing = option.spills_to is not None or option.long_to is not None
    if option.kind == "stay" or option.same_model or handing or all(s is None for s in shares):
        return moved
    to_live, parallel = (float(np.mean(x)) for x in (option.months_to_live, option.months_kept - option.months_to_live))
    handed = float(np.mean(option.escalated))
    planned_parallel, alone_from = parallel, to_live + parallel
    told, found, beside = (np.full(len(came), x) for x in (handed, to_live, parallel))
    for k, share in enumerate(shares):
        month = k + 1.0
        if share is None:
            continue
        whole = handed > 0 and came[k].handed_on is None and k >= alone_from and share > SHARE_SAME
        told[k] = _escalated((1.0 - share) / share if whole else came[k].handed_on, handed)
        if whole:
            found[k] = min(to_live, month - 1.0 - parallel)  # longer in parallel before: none of this month is
            continue
        mixed = SHARE_SAME < share < 1.0 - SHARE_SAME
        least, most = came[k].both_told(handing=handed > 0) if mixed else (None, None)
        both = _both(_live_from(share, parallel, month, to_live, told[k]), parallel, month)
        if most is not None and both > most + SHARE_SAME:
            parallel, beside[k:] = most, most
        elif least is not None and both < least - SHARE_SAME and planned_parallel > 0:  # 0: each request is called once
            parallel, beside[k:] = least, least
        planned_share = _own_share(to_live, parallel, month, told[k])
        mixed = mixed and SHARE_SAME < planned_share < 1.0 - SHARE_SAME
        if abs(planned_share - share) > (SHARE_MIXED if mixed else SHARE_SAME):
            found[k] = _live_from(share, parallel, month, to_live, told[k])
    seen = {ROUTING: told, LIVE: found} if handed > 0 else {ROUTING: found}
    planned = {ROUTING: handed, LIVE: to_live} if handed > 0 else {ROUTING: to_live}
    if np.any(beside != beside[0]) or parallel != planned_parallel:
        moved[PARALLEL] = (beside / float(np.mean(option.months_in_parallel)))[:, None]
    return moved | {name: x[:, None] for name, x in seen.items() if np.any(x != planned[name])}


def _escalated(seen: float | None, planned: float) -> float:
    """The share that is escalated: as planned where nothing tells it, or the calls of who answers first are nearly the same."""
    if seen is None or planned <= 0 or abs(1.0 / (1.0 + seen) - 1.0 / (1.0 + planned)) <= SHARE_SAME:
        return planned
    return seen


def _both(to_live: float, parallel: float, month: float) -> float:
    """The share of a month in which both models are called."""
    live, kept = (min(max(x, 0.0), 1.0) for x in (month - to_live, to_live + parallel - (month - 1.0)))
    return max(live + kept - 1.0, 0.0)


def _own_share(to_live: float, parallel: float, month: float, handed: float) -> float:
    """Share of a month's calls that the option's own model answers; where it serves alone it hands on the share `handed`."""
    live = min(max(month - to_live, 0.0), 1.0)
    kept = min(max(to_live + parallel - (month - 1.0), 0.0), 1.0)
    made = live + kept + handed * (1.0 - kept)
    return live / made if made > 0 else 0.0


def _live_from(share: float, parallel: float, month: float, planned: float, handed: float) -> float:
    """The months until live that give the option this share of the calls of a month; it falls the later that is.

    Less than 0 where it was live before month 1, so that less of that month, or none, is left in parallel.
    """
    low, high = -parallel, month
    if share >= 1.0 - SHARE_SAME:
        return min(planned, month - 1.0 - parallel)
    if share <= SHARE_SAME:
        return max(planned, month)
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _own_share(middle, parallel, month, handed) > share else (low, middle)
    return (low + high) / 2.0
