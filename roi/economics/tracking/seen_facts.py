"""What came in the months after a decision, and which facts would have made it so: factors on what the forecast says.

Each month is a row of its own, as a draw is one: evaluated with that month's facts, and read in that month.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.economics.change.attribution import attribute, in_cents
from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.option_lines import month_shares
from roi.economics.tracking.call_shares import routing
from roi.economics.tracking.came import Came
from roi.economics.tracking.month_figures import (
    CACHE,
    COMMITMENTS,
    FACTS,
    GPU_BILL,
    GPU_HOURS,
    GPU_PRICE,
    INPUT,
    LIVE,
    OUTPUT,
    PARALLEL,
    PRICE,
    READ,
    ROUTING,
    STAY_PRICE,
    VOLUME,
    Figures,
    billed,
    committed,
    over_months,
    paid,
    shares_price,
    with_seen,
)
from roi.units import DAYS_PER_MONTH

ORDER: Final = (
    (VOLUME, "calls", False),
    (INPUT, "input_tokens", False),
    (OUTPUT, "output_tokens", False),
    (READ, "cached_share", False),
    (CACHE, "cached_share", False),
    (STAY_PRICE, "calls_usd", True),
    (PRICE, "calls_usd", True),
    (COMMITMENTS, "api_usd", True),
    (GPU_HOURS, "gpu_hours", False),
    (GPU_PRICE, "gpu_usd", True),
)
"""Each fact, the figure that tells it, whether its newest value is the one that goes on; in the order they are found."""
ROUNDS: Final = 4
"""Rounds in which the facts of a hybrid are found, whose spill bends with the volume."""
LEAST: Final = 1e-9
"""The least factor on calls and tokens: a month without any still has a length of call."""
MOVED: Final = 1e-9
"""A factor this near to 1 is one."""
OR_VOLUME: Final = "or volume"
"""Behind the name of a price that is told by a bill alone."""
PRICES: Final = frozenset({PRICE, COMMITMENTS, GPU_HOURS, GPU_PRICE})
"""Facts that are factors on lines, so that nothing has to be evaluated for them; of a price, where nothing is committed."""


@dataclass(frozen=True)
class Tracked:
    """Months 1..k as they came, each of their facts over the forecast's, and what that makes of the cash, shape (k,) each."""

    came: tuple[Came, ...]
    seen: Mapping[str, Array]
    """Facts by their names, shape (k, 1) each, as `with_seen` and `billed` take them; one that nothing tells is left out."""
    months: Figures
    """The option's figures with these facts; what was billed is what came."""
    price: Array
    """What was billed, over what the forecast's prices make of the same calls and tokens."""
    saving: Array
    """Cash that staying would have cost with these facts, less what came."""
    planned_share: Array
    """Share of each month's calls that the option's own model answers as forecast."""


@dataclass(frozen=True)
class Effect:
    """What one fact did to the tracked months."""

    fact: str
    factor: float
    """Over the forecast, a price by what was paid at it, else on the mean of the months; of the share of calls: the months to
    live, or the share escalated; of what the forecast has none of: the cached share, the USD that GPUs cost."""
    cash_usd: float
    """What it adds to the cash of these months; all effects add up to what came less the forecast."""
    saving_usd: float
    """What it adds to the savings against staying."""


def track(shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came]) -> Tracked:
    """The facts that make the option's central figures what came in each month."""
    seen = seen_in_rows(shared, options, id, came)
    months, stay = in_rows(shared, options, id, came, seen)
    unmoved = {name: x for name, x in seen.items() if name not in {STAY_PRICE, PRICE}}
    planned = in_rows(shared, options, id, came, unmoved)[0].calls_usd
    price = np.where(planned > 0, months.calls_usd / np.where(planned > 0, planned, 1.0), 1.0)
    share = in_rows(shared, options, id, came, {})[0].own_share
    return Tracked(came=tuple(came), seen=seen, months=months, price=price,
                   saving=np.asanyarray(stay.cash_usd - months.cash_usd), planned_share=share)


def in_rows(
    shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], seen: Mapping[str, Number]
) -> tuple[Figures, Figures]:
    """Figures of the option and of staying in months 1..k, with the facts of each month, in days as it has them."""
    with_facts, known = with_seen(shared, options, id, seen)
    own = paid(with_facts, known, id, seen)
    stay = own if id == "stay" else paid(with_facts, known, "stay", _of_both(options, id, seen))
    return _by_month(own, came, shared.horizon), _by_month(stay, came, shared.horizon)


def _of_both(options: Mapping[str, Option], id: str, seen: Mapping[str, Number]) -> dict[str, Number]:
    """The price, where it is that of staying too."""
    return {PRICE: seen[PRICE]} if PRICE in seen and shares_price(options[id], options) else {}


def _by_month(x: Figures, came: Sequence[Came], horizon: int) -> Figures:
    """Row k read in month k, shape (k,), in its own days."""
    count = len(came)
    read = x.each(lambda a: np.array(np.broadcast_to(a, (count, horizon)).diagonal()))
    return read.in_days(np.array([each.days for each in came]))


def overlap(shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], seen: Mapping[str, Number]) -> Array:
    """Share of each of months 1..k in which the option and the old model are both called, with these facts, shape (k,)."""
    if id == "stay":
        return np.zeros(len(came))
    with_facts, known = with_seen(shared, options, id, seen)
    live, kept = month_shares(with_facts, known[id])
    both = np.broadcast_to(np.maximum(live.whole + kept.whole - 1.0, 0.0), (len(came), shared.horizon)).diagonal()
    return np.asanyarray(both * np.array([each.calls is not None for each in came]))


def seen_in_rows(shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came]) -> dict[str, Array]:
    """The facts of each month over the forecast's, shape (k, 1)."""

    def found(seen: Mapping[str, Number]) -> Figures:
        return in_rows(shared, options, id, came, seen)[0].each(lambda x: x[:, None])

    stay_price = None if shares_price(options[id], options) else lambda now: _stay_price(now, came)
    told = _columns(came, rows=True)
    seen = _seen(found, told, lambda x: x, routing(options, id, came), _rounds(options[id]), stay_price)
    return seen | _gpu_bill(found(seen), came) if any(each.gpu_usd for each in came) else seen


def _gpu_bill(now: Figures, came: Sequence[Came]) -> dict[str, Array]:
    """What was paid for GPUs in months in which those of `now` pay for none, USD of a month of 365/12 days; empty without any.

    Such as before go-live, or for an option that calls an API: no factor on nothing makes it so.
    """
    usd = np.array([[(each.gpu_usd or 0.0) * DAYS_PER_MONTH / each.days] for each in came])
    usd = np.where(now.gpu_usd > 0, 0.0, usd)
    return {GPU_BILL: usd} if np.any(usd > 0) else {}


def _stay_price(now: Figures, came: Sequence[Came]) -> Array:
    """The incumbent's price in each month over that of `now`, shape (k, 1).

    Told by its own calls, and by the bill of a month in which it answers all; it holds until another is told. Where a month's
    bill is not told apart, both models' prices are off by what it leaves.
    """
    usd, waiting, calls = (x[:, 0] for x in (now.calls_usd, now.waiting_usd, now.calls * (1.0 - now.own_share)))
    found, last = np.ones(len(came)), 1.0
    for k, (each, tells) in enumerate(zip(came, tells_stay_price(usd, waiting, came), strict=True)):
        found[k] = last
        if waiting[k] <= 0:
            continue
        if each.waiting_usd is not None and calls[k] > 0:
            found[k] = each.waiting_usd / (waiting[k] / calls[k])
        elif each.calls_usd is not None:
            found[k] *= max(each.calls_usd / (waiting[k] * last + usd[k] - waiting[k]), LEAST)
        if tells:
            last = found[k]
    return found[:, None]


def tells_stay_price(usd: Array, waiting: Array, came: Sequence[Came]) -> list[bool]:
    """For each month whether it tells the incumbent's price, by what its calls and the incumbent's of them come to, (k,) each.

    Its own calls tell it, or the bill of a month that it answers alone; a month at list prices, or of both models, does not.
    """
    return [bool(own > 0 and (each.waiting_usd is not None or (
                own >= whole * (1.0 - MOVED) and each.calls_usd is not None and each.calls_usd > 0)))
            for whole, own, each in zip(usd, waiting, came, strict=True)]


def seen_lately(
    shared: Shared,
    options: Mapping[str, Option],
    id: str,
    came: Sequence[Came],
    window: int,
    stay_price: Number | None = None,
) -> dict[str, Number]:
    """The facts of the last `window` months over those of these values, one factor a row, shape (1, 1) or (n, 1).

    Prices are those of the last month with its own calls and tokens, since they move at once and for good; the incumbent's is
    `stay_price`. What commitments ask ahead is agreed.
    """
    mean, newest = (_seen_together(shared, options, id, came, months, stay_price) for months in (window, 1))
    prices = {name for name, _, last in ORDER if last}
    return {name: x for some, own in ((mean, False), (newest, True)) for name, x in some.items()
            if name != COMMITMENTS and (name in prices) is own}


def _seen_together(
    shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], window: int, stay_price: Number | None
) -> dict[str, Array]:
    """The facts of the last `window` months taken together."""
    k, days = len(came), np.array([each.days for each in came])
    first = max(k - window, 0)

    def found(seen: Mapping[str, Number]) -> Figures:
        with_facts, known = with_seen(shared, options, id, seen)
        months = paid(with_facts, known, id, seen).in_days(days)
        return months.each(lambda a: np.atleast_2d(np.broadcast_to(a, (*a.shape[:-1], k))[..., first:]))

    told = _columns(came[first:], rows=False)
    lately = {name: x[-1:] for name, x in routing(options, id, came).items()}
    if stay_price is not None:
        lately[STAY_PRICE] = np.asanyarray(stay_price)
    return _seen(found, told, lambda x: x[..., -1:], lately, _rounds(options[id]))


Told = Mapping[str, tuple[Array, Array]]
"""By name of the figure: what came, and where it is known (1 or 0); shape (k, 1) or (1, k)."""


def _columns(came: Sequence[Came], *, rows: bool) -> Told:
    """What came, by name; a figure that no month tells is left out."""
    told = {}
    for name in dict.fromkeys(figure for _, figure, _ in ORDER):
        values = [getattr(month, name) for month in came]
        if any(x is not None for x in values):
            x, known = np.array([x or 0.0 for x in values]), np.array([float(x is not None) for x in values])
            told[name] = (x[:, None], known[:, None]) if rows else (x[None], known[None])
    return told


def _seen(
    found: Callable[[Mapping[str, Number]], Figures],
    told: Told,
    last: Callable[[Array], Array],
    routing: Mapping[str, Array],
    rounds: int,
    stay_price: Callable[[Figures], Array] | None = None,
) -> dict[str, Array]:
    """The facts one after the other, each over what the figures are with those before it.

    Every figure is in proportion to its fact, but for what a floor of a hybrid spills, which takes more `rounds`.
    """
    seen: dict[str, Array] = dict(routing)
    months: Figures | None = None
    for name, figure, newest in ORDER * rounds:
        if figure not in told or (name == STAY_PRICE and stay_price is None):
            continue
        months = found(seen) if months is None else months
        (came, known), now = told[figure], getattr(months, figure)
        if name == READ:
            seen, months = (seen | x, None) if (x := _read_anew(came, known, now)) and name not in seen else (seen, months)
            continue
        if name in {CACHE, GPU_HOURS}:  # hours before there are any by the forecast are no factor on those ahead
            known = known * (now > 0 if name == GPU_HOURS else seen.get(READ, np.zeros(1)) <= 0)
        if name == PRICE:
            rest, came = now - months.waiting_usd, came - months.waiting_usd
            now = np.where(rest > now * MOVED, rest, 0.0)
        if newest:
            came, known, now = last(came), last(known), last(now)
        there = (now * known).sum(axis=-1, keepdims=True)
        ratio = np.where(there > 0, (came * known).sum(axis=-1, keepdims=True) / np.where(there > 0, there, 1.0), 1.0)
        if name == STAY_PRICE and stay_price is not None:
            ratio = stay_price(months)
        if name in {VOLUME, INPUT, OUTPUT, PRICE, STAY_PRICE}:
            ratio = np.maximum(ratio, LEAST)
        if np.any(np.abs(ratio - 1.0) > MOVED):
            seen[name], months = seen.get(name, np.ones(1)) * ratio, None
    return seen


def _read_anew(came: Array, known: Array, now: Array) -> dict[str, Array]:
    """The share of the input that was read from a cache in months in which the forecast has none; empty where none was."""
    none = known * (now <= 0)
    share = (came * none).sum(axis=-1, keepdims=True) / np.maximum(none.sum(axis=-1, keepdims=True), 1.0)
    return {READ: share} if np.any(share > 0) else {}


def _rounds(option: Option) -> int:
    return 1 if option.spills_to is None else ROUNDS


def effects(shared: Shared, options: Mapping[str, Option], id: str, tracked: Tracked) -> tuple[tuple[Effect, ...], str]:
    """What each fact did to the cash of the months and to what they saved, the largest first, and how that was shared out.

    In whole cents that add up to what came less the forecast; what comes to none is left out. Each fact is a cause of its own
    (`attribution`). A price is "... or volume" where the bill of a month came alone.
    """
    came, names = tracked.came, [name for name in FACTS if name in tracked.seen]
    factors = PRICES - {PRICE} if committed(shared, options) else PRICES
    evaluated: dict[frozenset[str], tuple[Figures, Figures]] = {}

    def sums(moved: frozenset[int]) -> Array:
        """Cash and savings of all months with these facts as they came, the others as forecast."""
        some = frozenset(names[k] for k in moved)
        engine = some - factors
        if engine not in evaluated:
            evaluated[engine] = in_rows(shared, options, id, came, {name: tracked.seen[name] for name in engine})
        own, stay = evaluated[engine]
        prices = {name: tracked.seen[name][:, 0] for name in some & factors}
        cash = billed(own, prices).cash_usd
        saved = np.zeros_like(cash) if id == "stay" else billed(stay, _of_both(options, id, prices)).cash_usd - cash
        return np.array([cash.sum(), saved.sum()])

    shared_out = attribute([(k,) for k in range(len(names))], sums)
    whole = sums(frozenset(range(len(names)))) - sums(frozenset())
    cash, saved = (in_cents(shared_out.parts[:, k].tolist(), round(100.0 * float(whole[k]))) for k in (0, 1))
    found = []
    for k, name in enumerate(names):
        if not (cash[k] or saved[k]):
            continue
        seen = tracked.seen[name][:, 0]
        factor = seen[-1] if name in {ROUTING, LIVE, PARALLEL} else over_months(name, tracked.seen, tracked.months)
        fact = f"{name} {OR_VOLUME}" if name in {PRICE, STAY_PRICE} and any(each.bill_alone for each in came) else name
        found.append(Effect(fact, float(factor), cash[k] / 100, saved[k] / 100))
    return tuple(sorted(found, key=lambda each: -abs(each.cash_usd))), shared_out.method
