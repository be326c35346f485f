"""What an option calls, bills and rents in each month: the figures that a usage export, an invoice and a cluster can show.

Line by line as the comparison costs them, before and after some facts are what was seen of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from roi.economics.decision.evaluation import Evaluated, evaluate
from roi.economics.inputs import Array, Number, Option, Shared, Tokens
from roi.economics.lines.api_bill import service
from roi.economics.lines.api_request import (
    RequestCost,
    long_share,
    mean_over_lengths,
    only_long,
    request_cost,
    seen_tokens,
    without_long,
)
from roi.economics.lines.line import Line, any_positive, billed_requests
from roi.economics.lines.line_kind import UNUSED, LineKind
from roi.economics.lines.option_lines import month_shares
from roi.economics.paid_units import Provisioned
from roi.units import DAYS_PER_MONTH, HOURS_PER_MONTH

(VOLUME, INPUT, OUTPUT, CACHE, READ, ROUTING, LIVE, PARALLEL, STAY_PRICE, PRICE, COMMITMENTS, GPU_HOURS, GPU_PRICE,
 GPU_BILL) = FACTS = (
    "volume",
    "input tokens",
    "output tokens",
    "cache rate",
    "cached share",
    "share of calls",
    "share of calls, by go-live",
    "months in parallel",
    "incumbent's price",
    "price",
    "commitments",
    "GPU hours",
    "GPU price",
    "GPU bill, forecast none",
)
"""What may be off, each a factor on what the forecast says.

volume: calls. input and output tokens: of a call. cache rate: of input tokens that are read from a cache; cached share: the
same in place of a factor, where the forecast has none. share of calls: those that the option's own model answers, of all that
were made for it; by go-live: where it also escalates. months in parallel: with the incumbent called beside it. price: what the
API billed for these tokens over what the forecast's prices make of them; of a model other than the incumbent's, without what
the incumbent is paid until that is live and in parallel, whose price is one of its own: staying has it too. commitments: what
was paid over what these tokens cost at that price, and what commitments ask beyond it. GPU hours: over those that the
forecast's fleet takes at this volume. GPU price: of an hour. GPU bill: USD of a month of 365/12 days in which the forecast pays
for no GPU, in place of a factor.
"""
BY_DAYS: Final = ("calls", "api_usd", "calls_usd", "waiting_usd", "gpu_hours", "gpu_usd")
"""Figures that grow with the days of a month."""
BILLED: Final = UNUSED | {
    LineKind.API,
    LineKind.PROVISIONED,
    LineKind.PROVISIONED_LEFT,
    LineKind.ESCALATED,
    LineKind.SPILLED,
    LineKind.LONG,
    LineKind.INCUMBENT,
    LineKind.HOSTING,
}
"""What an API's invoice holds."""


@dataclass(frozen=True)
class Figures:
    """What an option does and costs by month, at one set of values: shape (H,), (n, H) or broadcasting to it. USD are cash."""

    calls: Array
    """Calls of every model that is called for it: escalated and parallel requests count twice."""
    input_tokens: Array
    """Input tokens of a mean call, cached ones included."""
    output_tokens: Array
    cached_share: Array
    """Share of the input tokens that is read from a cache."""
    own_share: Array
    """Share of the calls that the option's own model answers."""
    api_usd: Array
    calls_usd: Array
    """The part of `api_usd` that is not owed for a commitment alone."""
    waiting_usd: Array
    """The part of `calls_usd` that the incumbent's model costs until another is live, and in parallel."""
    gpu_hours: Array
    gpu_usd: Array
    """Rent; of own cards power and space, a fee by the month by its days too: 8% less in 28 days, 0 over a year."""
    other_usd: Array
    """Cash that no usage export shows: people, platform, retraining, migrations."""
    wrong: Array
    """Share of the answers that are wrong."""
    upfront_usd: Number
    """Cash in month 0."""

    @property
    def cash_usd(self) -> Array:
        """All cash of each month, USD."""
        return np.asanyarray(self.api_usd + self.gpu_usd + self.other_usd)

    def each(self, read: Callable[[Array], Array]) -> "Figures":
        """The figures with each month's made what `read` gives."""
        return replace(self, **{x.name: read(getattr(self, x.name)) for x in fields(self) if x.name != "upfront_usd"})

    def in_days(self, days: Array) -> "Figures":
        """The figures of the first months, which have so many days in place of 365/12; shape (..., months) or (..., 1)."""
        first = self.each(lambda x: x[..., : days.size] if x.shape[-1] > 1 else x)
        return replace(first, **{name: getattr(first, name) * (days / DAYS_PER_MONTH) for name in BY_DAYS})


def in_calendar(shared: Shared, options: dict[str, Option], days: Array) -> tuple[Shared, dict[str, Option]]:
    """The records whose commitments and units ask the same of each of the H months, as an invoice does, of however many `days`.

    What calls cost grows with the days, so that a commitment is over the days here and `Figures.in_days` gives them back: in
    months of 365/12 days it is 2% less in 31 and 9% more in 28, 0.1% over a year.
    """
    if not committed(shared, options) and all(option.provisioned is None for option in options.values()):
        return shared, options
    less = DAYS_PER_MONTH / days
    return (replace(shared, commitment_usd=shared.commitment_usd * less),
            {id: replace(option, commitment_usd=option.commitment_usd * less, provisioned=_units_at(option.provisioned, less))
             for id, option in options.items()})


def _units_at(terms: Provisioned | None, by: Number) -> Provisioned | None:
    """Units at so many times their fee."""
    return None if terms is None else replace(terms, usd_per_unit=terms.usd_per_unit * by)


@dataclass(frozen=True)
class _Party:
    """Calls of one model, over the requests of a month."""

    calls: Array
    option: Option
    cost: RequestCost | None
    own: bool
    lengths: Shared
    """The record with the lengths of these calls."""


def figures(shared: Shared, option: Option, options: Mapping[str, Option]) -> Figures:
    """The figures of `option` in every month."""
    done = evaluate(shared, option, options)
    parties = list(_parties(shared, option, options, done))
    calls = np.asanyarray(sum(p.calls for p in parties))
    safe = np.where(calls > 0, calls, 1.0)
    given, made, read, own = (np.zeros(1) for _ in range(4))
    for p in parties:
        seen, part = seen_tokens(p.lengths, p.option.tokens), p.calls / safe
        given = given + part * mean_over_lengths(p.lengths, seen.total)
        made = made + part * mean_over_lengths(p.lengths, seen.output)
        read = read + part * (0.0 if p.cost is None else p.cost.cache_read_tokens + p.cost.batch_read_tokens)
        own = own + (part if p.own else 0.0)
    lines, fleet = done.costs.lines, done.costs.fleet
    billed = [x for x in lines if x.kind in BILLED]
    waiting = [x.monthly for x in lines if x.kind is LineKind.INCUMBENT and not shares_price(option, options)]
    live = month_shares(shared, option)[0].whole
    flat = np.zeros(shared.horizon)
    return Figures(
        calls=np.asanyarray(billed_requests(shared) * calls),
        input_tokens=np.asanyarray(given),
        output_tokens=np.asanyarray(made),
        cached_share=np.asanyarray(read / np.where(given > 0, given, 1.0)),
        own_share=np.asanyarray(own),
        wrong=done.costs.wrong,
        gpu_hours=flat if fleet is None else np.asanyarray(fleet.gpus * live * HOURS_PER_MONTH * option.fleet_share),
        api_usd=np.asanyarray(sum((x.monthly for x in billed), flat)),
        calls_usd=np.asanyarray(sum((x.monthly for x in billed if x.kind not in UNUSED), flat)),
        waiting_usd=np.asanyarray(sum(waiting, flat)),
        gpu_usd=np.asanyarray(sum((x.monthly for x in lines if _of_gpus(x)), flat)),
        other_usd=np.asanyarray(sum((x.monthly for x in lines if _other(x)), flat)),
        upfront_usd=sum((x.upfront for x in lines if not (x.is_error or x.no_cash)), 0.0),
    )


def _other(line: Line) -> bool:
    return not (line.is_error or line.no_cash or line.kind in BILLED or _of_gpus(line))


def _of_gpus(line: Line) -> bool:
    """True for what is paid for GPUs while they run, which is what has a share of the month: no purchase and no resale."""
    return line.kind is LineKind.RENT or (line.kind is LineKind.HARDWARE and line.share is not None)


def _parties(shared: Shared, option: Option, options: Mapping[str, Option], done: Evaluated) -> Iterator[_Party]:
    """Whose model is called how often, over the requests of a month: the option's, the incumbent's, and what it hands on to."""
    stay = options["stay"]
    if option.id == stay.id:
        yield _party(shared, option, np.ones(shared.horizon), own=True)
        return
    shares = month_shares(shared, option)
    live, kept, alone = (each.whole for each in (*shares, shares[1].rest))
    fleet = done.costs.fleet
    spill, long, taken = np.zeros(1) if fleet is None else fleet.spill, long_share(shared, option), without_long(shared, option)
    yield _party(taken, option, live * (1.0 - spill) * (1.0 - long), own=True)
    if np.any(kept > 0):
        yield _party(shared, stay, kept, own=False)
    if option.long_to is not None:
        yield _party(only_long(shared, option), options[option.long_to], np.asanyarray(long * alone), own=False)
    alone = alone * (1.0 - long)
    if option.spills_to is not None and fleet is not None:
        yield _party(taken, options[option.spills_to], np.asanyarray(spill * alone), own=False)
    if np.any(np.asanyarray(option.escalated) > 0):
        seen = alone * (1.0 - spill)
        target = options[option.escalates_to]
        if option.escalates_to_cached and target.api is not None:
            target = replace(target, api=replace(target.api, uses_cache=True))
        cost = service(taken, target, shared.escalated_hit_rate).cost
        yield _Party(np.asanyarray(option.escalated * seen), target, cost, own=False, lengths=taken)


def _party(shared: Shared, option: Option, calls: Array, *, own: bool) -> _Party:
    return _Party(calls, option, None if option.api is None else service(shared, option).cost, own, shared)


def input_parts(shared: Shared, option: Option) -> tuple[Number, Number, Number]:
    """Share of input, and of output, in the cost of a request at the option's API, and how that moves with the cache rate.

    The last is the change of the cost, over the cost, for a cache rate that doubles; it is linear in the rate. At today's list:
    one that is announced moves these shares only where its rates move apart.
    """
    if option.api is None:
        return 1.0, 0.0, 0.0
    cost = service(shared, option).cost
    whole = np.maximum(cost.usd, 1e-300)
    made = cost.output_usd + cost.batch_usd * cost.output_usd / np.maximum(cost.usd - cost.batch_usd, 1e-300)
    hit = shared.hit_rate if option.api.hit_rate is None else option.api.hit_rate
    less = request_cost(without_long(shared, option), option.tokens, option.api, hit * 0.5)
    return (whole - made) / whole, made / whole, (cost.usd - less.usd) * 2.0 / whole


def with_seen(
    shared: Shared, options: Mapping[str, Option], id: str, seen: Mapping[str, Number]
) -> tuple[Shared, dict[str, Option]]:
    """The records as they would have been, had the facts in `seen` been so many times what they are.

    The volume and the tokens of a request are the workload's, so they hold for every option. A cache rate is the workload's
    too, unless the option's API has its own; what is read beyond the whole prefix says that it is longer. A cached share is the
    option's own, or of those that its servers hand on to. The incumbent's price holds wherever its model is called. Share of
    calls is, in place of a factor, the months until the option is live, or the share that it escalates; the months until it is
    live are then a fact of their own. Other prices are factors on lines, and stand in `billed`.
    """
    known, shared = dict(options), replace(shared)  # what was worked out from other options is forgotten
    if VOLUME in seen:
        shared = replace(shared, requests_per_day=shared.requests_per_day * seen[VOLUME])
    shared, known = _with_cached(shared, known, id, seen)
    option = known[id]
    if ROUTING in seen:
        handing = bool(np.any(np.asanyarray(option.escalated) > 0))
        known[id] = option = replace(option, **{"escalated" if handing else "months_to_live": seen[ROUTING]})  # type: ignore[arg-type]
    if PARALLEL in seen:
        known[id] = option = replace(option, months_in_parallel=option.months_in_parallel * seen[PARALLEL])
    if LIVE in seen:
        known[id] = option = replace(option, months_to_live=seen[LIVE])
    if INPUT in seen or OUTPUT in seen:
        given, made = seen.get(INPUT, 1.0), seen.get(OUTPUT, 1.0)
        known = {k: replace(o, tokens=replace(t := o.tokens, longer=t.longer * given, output_ratio=t.output_ratio * made,
                                              reasoning_tokens=t.reasoning_tokens * made)) for k, o in known.items()}
    if STAY_PRICE in seen:
        known = {k: dearer(o, seen[STAY_PRICE]) if shares_price(o, known) else o for k, o in known.items()}
    return shared, known


def _with_cached(
    shared: Shared, options: Mapping[str, Option], id: str, seen: Mapping[str, Number]
) -> tuple[Shared, dict[str, Option]]:
    """The records with what was read from a cache: of a workload whose bins say what they find, these say it of all options."""
    known, option = dict(options), options[id]
    most = np.inf if shared.cached is None else 1.0
    if CACHE in seen:
        if option.api is not None and option.api.hit_rate is not None:
            rate = option.api.hit_rate * seen[CACHE]
            api = replace(option.api, hit_rate=np.clip(rate, 0.0, 1.0))
            known[id] = replace(option, api=api, tokens=_read_on(option.tokens, rate, most))
        else:
            rate, escalated = shared.hit_rate * seen[CACHE], shared.escalated_hit_rate * seen[CACHE]
            shared = replace(shared, hit_rate=np.clip(rate, 0.0, 1.0), escalated_hit_rate=np.clip(escalated, 0.0, 1.0),
                             cached=None if shared.cached is None else shared.cached.times(seen[CACHE]))
            known = {k: o if o.api is None or o.api.hit_rate is not None else replace(o, tokens=_read_on(o.tokens, rate, most))
                     for k, o in known.items()}
    if READ in seen:
        for each in (id,) if option.api is not None else filter(None, (option.spills_to, option.long_to)):
            known[each] = replace(known[each], tokens=replace(known[each].tokens, read_share=seen[READ]))
    return shared, known


def shares_price(option: Option, options: Mapping[str, Option]) -> bool:
    """True where the option's model is the incumbent's, so that a price that moved is what staying would have paid too."""
    return option.vendor is not None and option.vendor == options["stay"].vendor


def _read_on(tokens: Tokens, rate: Number, most: Number) -> Tokens:
    """Tokens of a request whose prefix is found at this rate: above 1, as many times the prefix is found, up to `most`."""
    return replace(tokens, prefix_longer=tokens.prefix_longer * np.clip(rate, 1.0, most))


def paid(shared: Shared, options: Mapping[str, Option], id: str, seen: Mapping[str, Number]) -> Figures:
    """The figures of option `id` of records that `with_seen` made, at the prices that were seen.

    At p times the prices, max(C - p x spent, 0) is short of a commitment C: p x max(C / p - spent, 0). The incumbent, while it
    waits, costs what it did: 1 / p of it, at p times.
    """
    if PRICE not in seen or not committed(shared, options):
        return billed(figures(shared, options[id], options), seen)
    price, option, stay = np.maximum(seen[PRICE], 1e-9), options[id], options["stay"]
    shared = replace(shared, commitment_usd=shared.commitment_usd / price)
    known = {k: replace(o, commitment_usd=o.commitment_usd / price) for k, o in options.items()}
    if shares_price(option, options):
        return billed(figures(shared, known[id], known), seen)
    known |= {"stay": dearer(known["stay"], 1.0 / price), "stay, handed on to": stay}
    handing = ("escalates_to", "spills_to", "long_to")
    to = {name: "stay, handed on to" for name in handing if getattr(option, name) == "stay"}
    found = figures(shared, replace(known[id], **to), known)  # type: ignore[arg-type]  # names of options
    return replace(billed(replace(found, waiting_usd=np.zeros(1)), seen), waiting_usd=np.asanyarray(found.waiting_usd * price))


def committed(shared: Shared, options: Mapping[str, Option]) -> bool:
    """True where a commitment with an API's provider, or to today's units, may ask for something."""
    units = options["stay"].provisioned
    owed = (o.commitment_usd for o in options.values())
    return any(any_positive(x) for x in (shared.commitment_usd, *owed, 0.0 if units is None else units.committed_months))


def billed(found: Figures, seen: Mapping[str, Number]) -> Figures:
    """The figures at so many times the prices, and the GPU hours, of the forecast, and what GPUs cost of which it has none."""
    hours, price = seen.get(GPU_HOURS, 1.0), seen.get(PRICE, 1.0)
    api, calls = ((x - found.waiting_usd) * price + found.waiting_usd for x in (found.api_usd, found.calls_usd))
    return replace(
        found,
        api_usd=np.asanyarray(api * seen.get(COMMITMENTS, 1.0)),
        calls_usd=np.asanyarray(calls),
        gpu_hours=np.asanyarray(found.gpu_hours * hours),
        gpu_usd=np.asanyarray(found.gpu_usd * hours * seen.get(GPU_PRICE, 1.0) + seen.get(GPU_BILL, 0.0)),
    )


def price_level(shared: Shared, option: Option) -> Array:
    """The price of the option's API in each month over its list's today, shape (..., H).

    What the vendor has announced, successors, discounts, tiers.
    """
    assert option.api is not None
    return np.asanyarray(service(shared, option).level * (1.0 - option.api.discount) * option.api.tier)


def dearer(option: Option, by: Number) -> Option:
    """The option at so many times its API's price, by the token and the unit."""
    if option.api is None:
        return option
    return replace(option, api=replace(option.api, discount=1.0 - (1.0 - option.api.discount) * by),
                   provisioned=_units_at(option.provisioned, by))


def over_months(name: str, seen: Mapping[str, Array], months: Figures) -> float:
    """A fact over the forecast's in all months, from that of each, shape (k, 1): a price by what was paid at it.

    A month in which nothing was paid at a price, such as one before the option is live, tells nothing of it; GPU hours, by the
    hours, alike. Other facts count alike in each month. A bill of which the forecast has none: its sum.
    """
    x, at = seen[name][:, 0], paid_at(name, seen, months)
    if name == GPU_BILL:
        return float(months.gpu_usd[x > 0].sum())
    return float(x.mean() if at is None or at.sum() <= 0 else at.sum() / (at / x).sum())


def paid_at(name: str, seen: Mapping[str, Array], months: Figures) -> Array | None:
    """What was paid in each month at a price, USD, or the GPU hours; None for facts that count alike in each month."""
    own = np.maximum(months.calls_usd - months.waiting_usd, 0.0)
    own = own if own.sum() > 0 else months.calls_usd
    rent = np.where(seen[GPU_BILL][:, 0] > 0, 0.0, months.gpu_usd) if GPU_BILL in seen else months.gpu_usd
    return {PRICE: own, STAY_PRICE: months.waiting_usd, GPU_HOURS: months.gpu_hours, GPU_PRICE: rent}.get(name)
