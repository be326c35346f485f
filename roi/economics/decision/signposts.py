"""What would turn the choice between two options: a volume, a price or an error rate, each alone, at the central values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from roi.economics.decision.break_even import why_never
from roi.economics.decision.curves import LEAST, MOST, Ask, Curves, rows_of, turns
from roi.economics.decision.evaluation import evaluate, floors_of, stacked
from roi.economics.decision.verdict import error_rate_that_decides
from roi.economics.inputs import Array, Option

FACTORS = np.unique(np.concatenate([[0.0, 1.0], np.geomspace(1e-3, 1e3, 121)]))
"""Factors on a price that are tried before its threshold is narrowed."""
BAR = "what the quality bar admits"


@dataclass(frozen=True, kw_only=True)
class Signpost:
    """A threshold of one quantity, all else as today, on one side of which the option costs no more than the rival (NPV)."""

    option: str
    rival: str
    quantity: str
    """requests_per_day; usd_per_gpu_hour (rent of the GPU that `reason` names, all rents moving alike); usd_per_gpu (the same
    for purchase prices); api_price_ratio (the option's price list over today's); error_rate.
    """
    today: float
    threshold: float | None
    """The one nearest to today; None where this quantity alone turns nothing."""
    direction: str
    """Side of the threshold on which the option costs no more than the rival: above or below."""
    reason: str


def signposts(curves: Curves, id: str, rival: str, counts: str = "errors") -> tuple[Signpost, ...]:
    """What would make `id` beat `rival`, or where it beats it already, what would end that: volumes, its price, its error rate.

    By present value. `counts` says whether wrong answers cost what the scenario says (errors) or nothing (cash); on cash the
    error rate is no signpost.
    """
    found = [*_volumes(curves, id, rival, counts), *_prices(curves, id, rival, counts)]
    if counts == "errors" and not curves.options[id].keeps_model:
        found.append(_error_rate(curves, id, rival))
    return tuple(found)


def _volumes(curves: Curves, id: str, rival: str, counts: str) -> Iterator[Signpost]:
    """The nearest volumes above and below today's at which the sign changes."""
    today = float(np.max(curves.shared.requests_per_day))
    start = float(np.clip(today, LEAST, MOST))
    asks = [Ask("rival", "pv", counts, at, up) for at, up in ((start, True), (start, False), (MOST, False))]
    asks.append(Ask("rival", "run_rate", counts, MOST, up=False))
    answers = turns(curves, id, {"rival": [rival]}, asks)
    up, down, end, running = (answers[ask] for ask in asks)

    def signpost(threshold: float | None, direction: str, reason: str) -> Signpost:
        return Signpost(
            option=id, rival=rival, quantity="requests_per_day", today=today, threshold=threshold, direction=direction,
            reason=reason,
        )

    if up.after is None and down.after is None:
        never = why_never(curves.options[id], "pv", up, (running.before or 0.0) if running.wins else None)
        yield signpost(None, "above", "cheaper at every volume" if up.wins else never)
    if up.after is not None:
        for_good = "one crossing" if end.before == up.after else f"for good from {end.before or 0.0:,.0f} a day on"
        if not end.wins:
            for_good = "at large volume the rival is cheaper again"
        yield signpost(up.before, "below", "one crossing") if up.wins else signpost(up.after, "above", for_good)
    if down.after is not None:
        yield signpost(down.before, "above", "one crossing") if down.wins else signpost(down.after, "below", "one crossing")


def _prices(curves: Curves, id: str, rival: str, counts: str) -> Iterator[Signpost]:
    """The price of what the option runs on: rent, GPUs, or its price list."""
    option, other = curves.options[id], curves.options[rival]
    if option.plan is None and option.api is None:
        return
    quantity = "api_price_ratio" if option.plan is None else "usd_per_gpu" if option.hardware else "usd_per_gpu_hour"
    shared_price = (
        option.keeps_model or option.vendor == other.vendor if option.plan is None
        else other.plan is not None and bool(other.hardware) == bool(option.hardware)
    )
    today, threshold, reason = 1.0, None, "the rival pays the same price"
    if not shared_price:
        gain, priced = (_by_price_list if option.plan is None else _by_plan)(curves, option, other, counts)
        factor, wins = _nearest(gain)
        reason = "at any price" if wins else "even for nothing it costs more"
        today, where = priced(1.0 if factor is None else factor)
        if factor is not None:
            threshold, reason = factor * today, where
    elif option.plan is not None:
        today = float(option.plan.usd_per_gpu if option.hardware else option.plan.usd_per_gpu_hour)
    yield Signpost(
        option=id, rival=rival, quantity=quantity, today=today, threshold=threshold, direction="below", reason=reason,
    )


Priced = Callable[[float], tuple[float, str]]
"""From a factor to today's price of what is used at that factor, and its name."""


def _by_price_list(curves: Curves, option: Option, other: Option, counts: str) -> tuple[Callable[[Array], Array], Priced]:
    """Savings at factors on the option's price list."""
    assert option.api is not None
    api, row = option.api, rows_of("pv", counts)

    def gain(factors: Array) -> Array:
        scaled = replace(option, api=replace(api, discount=1.0 - (1.0 - api.discount) * factors[:, None]))
        options = {**curves.options, option.id: scaled}
        own, theirs = (curves.measures(evaluate(curves.shared, o, options))[row] for o in (scaled, other))
        return np.asarray(theirs - own)

    return gain, lambda factor: (1.0, f"{option.vendor}, its price list as a whole")


def _by_plan(curves: Curves, option: Option, other: Option, counts: str) -> tuple[Callable[[Array], Array], Priced]:
    """Savings at factors on the price of GPUs, on the cheapest plan (and floor) at each: a straight line each."""
    field = "usd_per_gpu" if option.hardware else "usd_per_gpu_hour"
    sizes = [floors_of(curves.shared, option, plan) if option.kind == "hybrid" else [0] for plan in option.plans]
    plans = [plan for plan, some in zip(option.plans, sizes, strict=True) for _ in some]
    columns = stacked(tuple(plans))
    tried = replace(option, plan=columns)
    if option.kind == "hybrid":
        tried = replace(tried, replicas_fixed=np.array([float(n) for some in sizes for n in some])[:, None])
    free = replace(tried, plan=replace(columns, **{field: 0.0 * getattr(columns, field)}))
    pv, at_nothing = (curves.measures(evaluate(curves.shared, o, curves.options)) for o in (tried, free))
    choose, row = rows_of("pv", "errors"), rows_of("pv", counts)
    theirs = float(curves.measures(evaluate(curves.shared, other, curves.options))[row, 0])

    def best(factors: Array) -> Array:
        return np.asarray((at_nothing[choose][:, None] + (pv - at_nothing)[choose][:, None] * factors).argmin(axis=0))

    def gain(factors: Array) -> Array:
        k = best(factors)
        return np.asarray(theirs - at_nothing[row][k] - (pv - at_nothing)[row][k] * factors)

    def priced(factor: float) -> tuple[float, str]:
        plan = plans[int(best(np.array([factor]))[0])]
        alike = "prices" if option.hardware else "rents"
        return float(getattr(plan, field)), f"{plan.gpu} ({plan.vendor}), all {alike} moving alike"

    return gain, priced


def _nearest(gain: Callable[[Array], Array]) -> tuple[float | None, bool]:
    """The largest factor with a gain (None: at none, or at any), and whether there is a gain today; gains fall with it."""
    wins = gain(FACTORS) >= 0
    today = bool(wins[np.searchsorted(FACTORS, 1.0)])
    if wins.all() or not wins.any():
        return None, today
    k = int(np.argmin(wins))
    low, high = float(FACTORS[k - 1]), float(FACTORS[k])
    for _ in range(4):
        inside = np.linspace(low, high, 33)
        found = gain(inside)
        k = int(np.clip(np.argmin(found >= 0), 1, 32))
        low, high = float(inside[k - 1]), float(inside[k])
    return low, today


def _error_rate(curves: Curves, id: str, rival: str) -> Signpost:
    """The error rate up to which the option costs no more, at most what the bar admits."""
    shared, options = curves.shared, curves.options
    central = {rival: evaluate(shared, options[rival], options)}
    threshold = error_rate_that_decides(shared, options, central, id, rival)
    at_bar = threshold == 1.0 - shared.quality_bar
    reason = "even without errors it costs more" if threshold is None else BAR if at_bar else "there the present values are equal"
    return Signpost(
        option=id, rival=rival, quantity="error_rate", today=float(options[id].error_rate), threshold=threshold,
        direction="below", reason=reason,
    )
