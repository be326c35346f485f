"""Lines of what is paid by the unit and month in place of tokens: units of throughput that an option buys, and today's."""

from collections.abc import Sequence

import numpy as np

from roi.economics.finance import accumulate
from roi.economics.inputs import Array, Number, Option, Shared, path_of
from roi.economics.lines.api_bill import service
from roi.economics.lines.calendar import EXACT, Share, committed_share, growth_path, incumbent_share, last_month, months
from roi.economics.lines.line import Line, any_positive, billed_requests, mean_load, pick, requests
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.successors import successors
from roi.economics.paid_units import Provisioned
from roi.estimate.replay.fleet import burst_from_peak, spill_share
from roi.units import SECONDS_PER_DAY, dollars


def unit_holds(shared: Shared, terms: Provisioned) -> Number:
    """Requests/s of this workload that one unit holds; inf of seats.

    Today's units hold today's peak, unless they spill over: what is stated of one is at least the peak over their number. Where
    the share of them is stated that the peak takes, one holds the peak over that share of their number, however high it is.
    """
    if terms.seats:
        return np.inf
    if not any_positive(terms.units):
        assert terms.requests_per_s is not None
        return terms.requests_per_s
    full = terms.of_requests_per_day / SECONDS_PER_DAY * shared.peak_to_mean / terms.units
    if terms.utilization is not None:
        return full / terms.utilization
    assert terms.requests_per_s is not None
    return terms.requests_per_s if terms.spills else np.maximum(terms.requests_per_s, full)


def units_needed(shared: Shared, terms: Provisioned, part: Number = 1.0) -> Array:
    """Whole units of throughput that hold the peak of each month, shape (..., H); a request takes `part` of today's."""
    peak = mean_load(shared) * shared.peak_to_mean
    return np.asanyarray(np.ceil(peak / unit_holds(shared, terms) * part - EXACT))


def units_kept(shared: Shared, terms: Provisioned, part: Number | None = None) -> Array:
    """Units of today's terms in each month, shape (..., H): no fewer than today, more as the peak, or the users, ask.

    Where today's model is asked for less, so that a request takes `part` of what it does today, as many as each month's peak
    takes, at least one: who changes that keeps no idle ones. None: as today. Units that spill over are as many as today;
    `units_at_least_cost` has those of options with fewer.
    """
    if terms.seats:
        if terms.growth is None:
            asked = requests(shared)
            return np.asanyarray(np.ceil(terms.units * (asked / asked[..., :1]) - EXACT))
        return np.asanyarray(np.ceil(terms.units * growth_path(terms.growth, shared.horizon) - EXACT))
    least, part = (terms.units, 1.0) if part is None else (1.0, part)
    if terms.spills:
        return np.asanyarray(np.ceil(terms.units - EXACT) + np.zeros(shared.horizon))
    return np.asanyarray(np.maximum(units_needed(shared, terms, part), least))


def units_at_least_cost(shared: Shared, option: Option, stay: Option, part: Number) -> Array:
    """How many of today's units cost least with what spills over from them, shape (..., H): one to as many as today.

    A request takes `part` of what it does today. Units that are owed cost the same whether they are kept or not. What spills is
    convex in what is held, so that the least is where one unit more first costs more than it saves.
    """
    terms = stay.provisioned
    assert terms is not None
    usd, api, owed = unit_usd(shared, stay, terms), service(shared, option), terms.units * _runs(shared, terms)
    by_token = billed_requests(shared) * api.cost.usd * api.level

    def cost(units: Array) -> Array:
        return np.asanyarray(np.maximum(units, owed) * usd + by_token * over_units(shared, terms, part, units))

    least = np.ones_like(cost(np.ones(shared.horizon)))
    most = np.maximum(np.ceil(terms.units - EXACT), 1.0) * least
    while np.any(least < most):
        middle = np.floor((least + most) / 2.0)
        more = (least < most) & (cost(middle + 1.0) < cost(middle))
        least, most = np.where(more, middle + 1.0, least), np.where(more, most, middle)
    return least


def over_units(shared: Shared, terms: Provisioned, part: Number = 1.0, units: Number | None = None) -> Number:
    """Share of each month's requests above what so many units hold, today's where left out, by the load curve; 0 of seats."""
    if terms.seats:
        return 0.0
    held = (np.ceil(terms.units - EXACT) if units is None else units) * unit_holds(shared, terms) / part
    return spill_share(shared.load_curve, burst_from_peak(shared.peak_to_mean, shared.load_curve), held / mean_load(shared))


def spilled_share(shared: Shared, option: Option, stay: Option, share: Share) -> Share:
    """The part of `share` of each month's requests that an option's API bills by the token.

    All of them where nothing is paid by the unit, and else what spills over from today's units, or from those that are kept.
    """
    terms = option.provisioned
    if terms is None:
        return share
    over: Number = 0.0
    if terms.spills:
        part = part_of_today(shared, option, stay)
        kept = None if option is stay else units_at_least_cost(shared, option, stay, part)
        over = over_units(shared, terms, part, kept)
    return Share(np.asanyarray(over * share.whole), 0.0, shared.horizon)


def part_of_today(shared: Shared, option: Option, stay: Option) -> Number:
    """What a request takes of a unit, over what it takes of one today: as its cost by the token.

    From GPT-4.1 on Azure weighs output against input for its units as it prices them (learn.microsoft.com, provisioned
    throughput onboarding, 2025); that it counts no cached token at all there is not taken into account.
    """
    if option is stay or option.api is None or stay.api is None:
        return 1.0
    before = np.asanyarray(service(shared, stay).cost.usd)
    return np.where(before > 0, service(shared, option).cost.usd / np.where(before > 0, before, 1.0), 1.0)


def unit_usd(shared: Shared, option: Option, terms: Provisioned) -> Array:
    """USD of a unit in each month, shape (..., H)."""
    level = np.ones(shared.horizon) if terms.seats else successors(shared, option).list_price
    return np.asanyarray(terms.usd_per_unit * level)


def unit_lines(shared: Shared, option: Option, stay: Option, share: Share, kind: LineKind = LineKind.PROVISIONED) -> list[Line]:
    """What an option's units cost in its `share` of the months: those that it would buy, or today's; none without."""
    terms = option.provisioned
    if terms is None:
        return []
    if not any_positive(terms.units) or (terms.gives_back and not terms.spills):
        return provisioned_lines(shared, option, share)
    part = part_of_today(shared, option, stay)
    units, usd = units_kept(shared, terms, None if option is stay else part), unit_usd(shared, stay, terms)
    if terms.spills and option is not stay:
        units = units_at_least_cost(shared, option, stay, part)
    what = "seats" if terms.seats else "units"

    def arithmetic(month: int) -> str:
        more = ""
        if not (terms.seats or terms.spills) and pick(units, month) != pick(terms.units):
            peak = pick(mean_load(shared), month) * pick(shared.peak_to_mean, month)
            more = f"{peak:,.6g} requests/s at the peak / {pick(unit_holds(shared, terms)) / pick(part):,.6g} a unit: "
        paid = f"{pick(units, month):,.0f} {what} x {dollars(pick(usd, month))}"
        return f"{more}{paid} x {pick(share.whole, month):.4g} of the month"

    name = "seats" if terms.seats else "API provisioned throughput"
    if kind is LineKind.INCUMBENT:
        name = f"incumbent's {what}, until live and in parallel"
    facts = tuple(path_of(Provisioned, each, option=stay.id) for each in ("usd_per_unit", "units", "requests_per_s"))
    return [Line(name=name, kind=kind, path=np.asanyarray(units * usd), share=share, facts=facts, arithmetic=arithmetic,
                 by_unit=True)]


def owed_units(shared: Shared, stay: Option, kept: Share, own: Sequence[Line]) -> list[Line]:
    """What today's units ask to the end of their commitment from those who no longer use them, less what `own` units cost.

    `kept` is the share of the months in which the incumbent serves, which pays them itself.
    """
    terms = stay.provisioned
    if terms is None or not any_positive(terms.committed_months):
        return []
    usd = unit_usd(shared, stay, terms) * terms.units
    left = np.maximum(_runs(shared, terms) - kept.whole, 0.0)
    used = np.asanyarray(sum((line.monthly for line in own if line.kind is LineKind.PROVISIONED), np.zeros(1)))

    def arithmetic(month: int) -> str:
        less = f" - ${pick(used, month):,.2f} paid for units, at least 0" if pick(used, month) else ""
        units = f"{pick(terms.units):,.0f} {'seats' if terms.seats else 'units'}"
        return f"{units} x {dollars(pick(usd, month) / pick(terms.units))} x {pick(left, month):.4g} of the month{less}"

    facts = tuple(path_of(Provisioned, each, option=stay.id) for each in ("usd_per_unit", "units", "committed_months"))
    name = f"today's {'seats' if terms.seats else 'units'}, owed and not used"
    return [Line(name=name, kind=LineKind.COMMITMENT, facts=facts, arithmetic=arithmetic,
                 path=np.asanyarray(np.maximum(usd * left - used, 0.0)))]


def _runs(shared: Shared, terms: Provisioned) -> Array:
    """Share of each month in which today's units are owed, shape (..., H)."""
    return incumbent_share(terms.committed_months, 0.0, shared.horizon).whole


def paid_by_token(shared: Shared, to: Option, share: Share) -> Share:
    """The part of what is handed on to an API that it bills by the token: not what today's units hold that are owed anyway."""
    terms = to.provisioned
    if terms is None or not any_positive(terms.committed_months):
        return share
    free = _runs(shared, terms) * (1.0 - over_units(shared, terms))
    return Share(np.asanyarray(share.whole * (1.0 - free)), 0.0, shared.horizon)


def provisioned_lines(shared: Shared, option: Option, live: Share) -> list[Line]:
    """Whole units of provisioned throughput for each month's own peak, paid by the month and to the end of their commitment.

    While the first commitment runs (from go-live on), a falling load gives no unit back, and in the month in which it ends for
    its share of that; what is owed beyond the horizon is paid in the last month. No request overflows to another price.
    """
    terms = option.provisioned
    if terms is None:
        return []
    peak, each = mean_load(shared) * shared.peak_to_mean, unit_holds(shared, terms)
    units = np.where(live.whole > 0, np.maximum(units_needed(shared, terms), 1.0), 0.0)
    bound = committed_share(option.months_to_live, terms.minimum_months, shared.horizon)
    units = np.asanyarray(bound * accumulate(np.maximum, units) + (1.0 - bound) * units)
    usd = np.asanyarray(terms.usd_per_unit * successors(shared, option).list_price)
    added = np.diff(accumulate(np.maximum, units), axis=-1, prepend=0.0)
    start = np.maximum(months(shared.horizon) - 1.0, option.months_to_live)
    owed = (added * np.maximum(terms.minimum_months - (shared.horizon - start), 0.0)).sum(axis=-1, keepdims=True)
    facts = tuple(path_of(Provisioned, name, option=option.id) for name in ("usd_per_unit", "requests_per_s"))
    lines = [Line(
        name="API provisioned throughput", kind=LineKind.PROVISIONED, path=np.asanyarray(units * live.whole * usd),
        facts=(*facts, "workload.peak_to_mean"), by_unit=True,
        arithmetic=lambda month: (
            f"{pick(peak, month):,.6g} requests/s at the peak / {pick(each):,.6g} a unit:"
            f" {pick(units, month):,.6g} units x {dollars(pick(usd, month))} x {pick(live.whole, month):.4g} of the month"
        ),
    )]
    if np.any(owed > 0):
        lines.append(Line(
            name="provisioned throughput beyond the horizon", kind=LineKind.PROVISIONED_LEFT,
            path=np.asanyarray(owed * last_month(shared.horizon) * usd),
            facts=(facts[0], path_of(Provisioned, "minimum_months", option=option.id)),
            arithmetic=lambda month: f"{pick(owed):,.6g} unit-months x {dollars(pick(usd, month))}",
        ))
    return lines
