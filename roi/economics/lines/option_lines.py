"""The cost lines of one option, in the order in which the report tells it.

Those that follow from vendors and from mistakes (forced migrations, commitments, wrong answers) are made here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared, path_of
from roi.economics.lines.api_bill import (
    SAME,
    Service,
    api_lines,
    errors_at_usd,
    judge_line,
    service,
    service_of_long,
    some_draws,
    whole_request_line,
)
from roi.economics.lines.api_request import long_share, without_long
from roi.economics.lines.calendar import Share, incumbent_share, whole
from roi.economics.lines.commitment_lines import bill_of, incumbent_commitment, own_commitment_line
from roi.economics.lines.line import Along, Line, always, any_positive, each_month, live_months, pick, requests, usd_of_errors
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.people import (
    each_told,
    evaluation_cost,
    fact_of,
    for_each_adapter,
    hours_of_more,
    leave_out_paid_anyway,
    one_adapter,
    own_cost_lines,
    recurring_line,
    retraining_line,
    run_cost,
    run_lines,
    setup_lines,
)
from roi.economics.lines.self_hosting import FleetMonths, fleet_lines, fleet_months
from roi.economics.lines.successors import Moved, successors
from roi.economics.lines.unit_lines import owed_units, paid_by_token, spilled_share, unit_lines
from roi.units import dollars

LEAST_ESCALATED = 1e-9
"""A share below this escalates nothing; it only keeps 1 / share finite."""


@dataclass(frozen=True)
class Costs:
    """The lines of one option, and the fleet that they rest on."""

    lines: tuple[Line, ...]
    fleet: FleetMonths | None
    wrong_rate: Callable[[], Array]
    """Makes `wrong`, which no cost follows from."""

    @cached_property
    def wrong(self) -> Array:
        """Share of the answers that are wrong, by month, shape (H,) or (n, H)."""
        return self.wrong_rate()


def cost_lines(shared: Shared, option: Option, options: Mapping[str, Option]) -> Costs:
    """Every line of `option`, shape (H,) or (n, H) each.

    Until live the incumbent serves everything; in parallel both do, and the incumbent's answers are used; then the option
    serves, except what it escalates (paid twice) and what its fleet spills or cannot take, too long (paid once, to the API).
    """
    stay = service(shared, options["stay"])
    if option.kind == "stay":
        billed = _model_lines(shared, option, option, always(shared))
        errors = error_line(shared, lambda: stay.error_rate, (f"systems.{option.system}.error_rate",),
                            along=[Along(errors_at_usd(shared, stay))])
        lines = [*own_cost_lines(shared, option, option, 1.0), *billed, *migration_line(shared, option),
                 *incumbent_commitment(shared, billed), errors]
        return Costs(leave_out_paid_anyway(shared, option, lines), None, lambda: stay.error_rate)
    live, kept = month_shares(shared, option)
    fleet = fleet_months(shared, option, live) if option.plan is not None else None
    own = _own_lines(shared, option, stay.option, fleet, live)
    later = kept.rest
    handed = list(_handed_on(shared, option, options, fleet, later))
    left = _left_after(shared, option, handed)
    used = 1.0 if left is None or not stay.option.costs else np.where(left < np.inf, kept.whole, 1.0)
    lines = [*setup_lines(shared, option), *own_cost_lines(shared, option, stay.option, used), *own, *run_lines(shared, option),
             *retraining_line(shared, option)]
    for h in handed:
        lines.append(h.line)
        if h.escalated:
            lines += judge_line(shared, _seen(shared, option, live, fleet), some_draws(h.fraction))
    for to in {h.to.option.id: h.to.option for h in handed if not h.to_incumbent}.values():
        lines += migration_line(shared, to, since=option.months_to_live)
    lines += _incumbent_lines(shared, option, stay, kept, handed, left, own)

    def rate() -> Array:
        return np.asanyarray(kept.whole * stay.error_rate + later.whole * _error_rate(shared, option, handed))

    told = _rates_told(option, options[option.escalates_to].error_rate)
    if option.api is not None and not handed:
        own_errors = Along(errors_at_usd(shared, service(shared, option)), 1.0, later)
    else:
        own_errors = Along(usd_of_errors(shared), _error_rate(shared, option, handed), later)
    along = [Along(errors_at_usd(shared, stay), 1.0, kept), own_errors]
    lines.append(error_line(shared, rate, _error_facts(option), told, along=along))
    return Costs(leave_out_paid_anyway(shared, option, lines), fleet, rate)


def _error_rate(shared: Shared, option: Option, handed: Sequence["_Handed"]) -> Number:
    """Error rate of what the option answers while it serves alone, by month where a vendor's successors move it."""
    wrong: Number = np.minimum(option.error_rate, 1.0)
    if option.api is not None:
        wrong = service(shared, option).error_rate
    elif _sold(option):
        wrong = whole(successors(shared, option).errors(option.error_rate))
    for h in handed:
        if h.escalated:
            own_moved = successors(shared, option).moved_errors if _sold(option) else as_today
            wrong = answered_wrong(option, h.to.option.error_rate, own_moved, h.to.successors.moved_errors)
        else:
            wrong = wrong + h.fraction * (h.to.error_rate - wrong)
    return wrong


def as_today(of: Callable[[Number], Number]) -> Number:
    """What `of` makes of an error rate over today's, while no successor has moved it."""
    return of(1.0)


def answered_wrong(option: Option, second: Number, own: Moved = as_today, other: Moved = as_today) -> Number:
    """Error rate of what the option answers, as it is or by month: `own` and `other` say how errors of both models move.

    Without an escalation its own. Else the rate measured end to end, which moves with both models, each by its share; else
    (1 - e) x the rate of what it keeps + e x the rate of the second model on what is escalated, e the share escalated. What is
    kept: as measured, else its overall rate. What is escalated: as measured, else the second model's overall rate q, x
    (1 / e)^h where what is kept was measured (h = 0: not harder than the rest, h = 1: all its errors lie there).
    """
    e = option.escalated
    if not any_positive(e):
        return own(lambda moved: np.minimum(option.error_rate * moved, 1.0))
    if option.end_to_end_error is not None:
        whole = option.end_to_end_error
        return np.minimum(own(lambda moved: whole * (1.0 - e) * moved) + other(lambda moved: whole * e * moved), 1.0)
    kept, harder = _two_rates(option, second)
    return (own(lambda moved: (1.0 - e) * np.minimum(kept * moved, 1.0))
            + other(lambda moved: e * np.minimum(harder * moved, 1.0)))


def _two_rates(option: Option, second: Number) -> tuple[Number, Number]:
    """Error rate of what an option keeps, and of the second model on what is escalated."""
    kept = option.error_rate if option.kept_error is None else option.kept_error
    if option.escalated_error is not None:
        return kept, option.escalated_error
    if option.escalated_harder is None:
        return kept, second
    return kept, np.minimum(second * np.maximum(option.escalated, LEAST_ESCALATED) ** -option.escalated_harder, 1.0)


def _rates_told(option: Option, second: Number) -> str:
    """How the error rate of an option that escalates is made up today, for the arithmetic."""
    e = pick(option.escalated)
    if e <= 0:
        return ""
    if option.end_to_end_error is not None:
        return " (measured end to end)"
    kept, harder = _two_rates(option, second)
    return f" (today {1.0 - e:.4g} kept x {pick(kept):.4g} + {e:.4g} escalated x {pick(harder):.4g})"


def with_error_rate(option: Option, rate: float) -> Option:
    """The option if `rate` of what it answers were wrong, whoever of its models does."""
    return replace(option, error_rate=rate, end_to_end_error=rate)


def _error_facts(option: Option) -> tuple[str, ...]:
    """Paths of the error rates behind the option's wrong answers; those that the Case lacks are passed over."""
    own = f"systems.{option.system}."
    if not any_positive(option.escalated):
        return (own + "error_rate",)
    if option.end_to_end_error is not None:
        return (f"systems.{option.end_to_end}.error_rate",)
    return tuple(own + name for name in ("error_rate" if option.kept_error is None else "kept_error_rate",
                                         "escalated_error_rate", "escalated_harder"))


def month_shares(shared: Shared, option: Option) -> tuple[Share, Share]:
    """Share of each month in which the option runs, and in which the incumbent is paid.

    Options of a group go live in the same months, so each is worked out once.
    """
    live, until = option.months_to_live, _kept(shared, option)
    return live_months(shared, live), shared.once_for("kept", (until,), lambda: incumbent_share(until, 0.0, shared.horizon))


def _kept(shared: Shared, option: Option) -> Number:
    """`Option.months_kept`, worked out once for all options that are live and leave the incumbent alike."""
    when = option.months_to_live, option.months_in_parallel, option.todays_end, option.todays_life
    return shared.once_for(f"kept until, {option.asks_today}, {option.is_successor}", when, lambda: option.months_kept)


def _sold(option: Option) -> bool:
    """True where a vendor runs the option's own model, and may end it."""
    return option.api is not None or option.provisioned is not None


@dataclass(frozen=True)
class _Handed:
    """Requests that the option passes on to another API."""

    line: Line
    fraction: Number
    """Share of what the option serves."""
    to: Service
    to_incumbent: bool
    """True where the incumbent's model answers them."""
    escalated: bool = False
    """True where the option answered first."""


def _model_lines(shared: Shared, option: Option, stay: Option, share: Share) -> list[Line]:
    """What the option's own model costs in its share of the months, by the token, by the unit, or by both."""
    priced = option.api is not None and (option.provisioned is None or option.provisioned.spills)
    taken = spilled_share(shared, option, stay, _seen(shared, option, share))
    return (api_lines(shared, service(shared, option), taken) if priced else []) + unit_lines(shared, option, stay, share)


def _own_lines(shared: Shared, option: Option, stay: Option, fleet: FleetMonths | None, live: Share) -> list[Line]:
    """What serving costs, by fleet, by the token or by the unit."""
    lines = fleet_lines(shared, option, fleet, live) if fleet is not None else []
    lines += _model_lines(shared, option, stay, live)
    if any_positive(option.hosting_usd):
        t = option.training
        lines.append(Line(
            name="vendor hosting fee", kind=LineKind.HOSTING, path=each_month(shared), share=live,
            rate=for_each_adapter(t, option.hosting_usd), facts=(f"options.{option.id}.hosting_usd_per_month",),
            arithmetic=lambda _: each_told(t, f"{dollars(pick(option.hosting_usd))} a month"),
        ))
    if any_positive(option.commitment_usd):
        lines += own_commitment_line(shared, option, bill_of(lines))
    first_use = 0.0 if option.same_model else option.months_to_live  # the incumbent's model is in use already
    return lines + migration_line(shared, option, tuned_again(option), first_use)


def _same_provider(option: Option, stay: Option) -> bool:
    """True where the option's API bills count towards a commitment with the incumbent's provider."""
    return option.vendor is not None and option.vendor.partition("/")[0] == (stay.vendor or "").partition("/")[0]


def _handed_on(
    shared: Shared, option: Option, options: Mapping[str, Option], fleet: FleetMonths | None, alone: Share
) -> Iterator[_Handed]:
    """What the option escalates (it answered first, so both models are paid), what lies above a floor, and what is too long.

    Each while it serves alone, `alone`. What is too long is handed on unseen, so the others are parts of the rest.
    """
    if not any_positive(option.escalated) and option.spills_to is None and option.long_to is None:
        return
    if any_positive(option.escalated):
        target = options[option.escalates_to]
        if option.escalates_to_cached:
            target = shared.once(("cached", target.id), partial(_cached, target))
        to = service(without_long(shared, option), target, shared.escalated_hit_rate)
        places = (f"options.{option.id}", f"apis.{option.vendor}", f"systems.{option.system}")
        facts = tuple(f"{place}.escalated_share" for place in places)
        paid = paid_by_token(shared, target, _seen(shared, option, alone, fleet))
        line = whole_request_line(shared, f"escalated to {target.label}", paid, to, facts, option.escalated,
                                  kind=LineKind.ESCALATED)
        yield _Handed(line, option.escalated, to, target.same_model, escalated=True)
    if option.spills_to is not None and fleet is not None:
        target = options[option.spills_to]
        to, reaching = service(without_long(shared, option), target), _seen(shared, option, alone)
        share = Share(np.asanyarray(fleet.spill * reaching.whole), 0.0, shared.horizon)
        facts = (f"{option.plan.path if option.plan else ''}capacity_requests_per_s", "workload.peak_to_mean")
        paid = paid_by_token(shared, target, share)
        line = whole_request_line(shared, f"spilled to {target.label}", paid, to, facts, kind=LineKind.SPILLED)
        yield _Handed(line, fleet.spill, to, target.same_model)
    if option.long_to is not None:
        target, long = options[option.long_to], long_share(shared, option)
        to = service_of_long(shared, option, target)
        paid = paid_by_token(shared, target, Share(np.asanyarray(long * alone.whole), 0.0, shared.horizon))
        facts = (path_of(Option, "too_long", option=option.id), "workload.weights")
        line = whole_request_line(shared, f"too long, to {target.label}", paid, to, facts, kind=LineKind.LONG)
        yield _Handed(line, long, to, target.same_model)


def _seen(shared: Shared, option: Option, share: Share, fleet: FleetMonths | None = None) -> Share:
    """What reaches an option of `share` of the months' requests: not what is too long for it, nor what its fleet spills."""
    if fleet is None and option.too_long is None:
        return share
    seen = share.whole if fleet is None else share.whole * (1.0 - fleet.spill)
    return Share(np.asanyarray(seen * (1.0 - long_share(shared, option))), 0.0, share.horizon)


def _cached(option: Option) -> Option:
    """The option with its prompt cache switched on."""
    assert option.api is not None
    return replace(option, api=replace(option.api, uses_cache=True))


def _incumbent_lines(
    shared: Shared, option: Option, stay: Service, kept: Share, handed: list[_Handed], left: Number | None, own: list[Line]
) -> list[Line]:
    """The incumbent's bill while it is needed, its migrations, and what a commitment with it costs beyond that.

    `own` are the option's own lines, which count towards that commitment where its API is the same provider's.
    """
    lines, units = list[Line](), stay.option.provisioned
    if any_positive(option.months_to_live + option.months_in_parallel):
        facts = tuple(fact_of(option, name) for name in ("months_to_live", "months_in_parallel"))
        if units is None or units.spills:
            spilled = spilled_share(shared, stay.option, stay.option, kept)
            lines.append(whole_request_line(
                shared, "incumbent, until live and in parallel", spilled, stay, facts, kind=LineKind.INCUMBENT))
        lines += unit_lines(shared, stay.option, stay.option, kept, LineKind.INCUMBENT)
    lines += owed_units(shared, stay.option, kept, own if option.same_model else [])
    also_billed = [*lines, *(h.line for h in handed if _same_provider(h.to.option, stay.option))]
    if left is not None and (option.asks_today or not option.is_successor):
        lines += migration_line(shared, stay.option, until=left)
    return lines + incumbent_commitment(shared, own if _same_provider(option, stay.option) else [], also_billed)


def _left_after(shared: Shared, option: Option, handed: Sequence[_Handed]) -> Number | None:
    """Months after which today's model is no longer used, infinite where some go to it; None where it answers all."""
    if option.same_model:
        return None
    left = _kept(shared, option)
    for h in (each for each in handed if each.to_incumbent):  # in draws that escalate nothing it is not kept
        some = some_draws(h.fraction) if h.escalated else None
        left = np.inf if some is None else np.where(some, np.inf, left)
    return left


def migration_line(
    shared: Shared, option: Option, extra_usd: Number = 0.0, since: Number = 0.0, until: Number = np.inf
) -> list[Line]:
    """Porting hours and a new evaluation each time the vendor ends the model while it is used, from `since` to `until` months.

    A model that ends before an option goes live costs it nothing more: the option starts on the successor, at its price.
    Seats are of a product whose vendor puts another model behind it.
    `extra_usd` is what a tuned model pays besides: training again on the successor, of which each adapter is evaluated.
    """
    first, every = option.life_first, option.life_every
    if first is None or every is None or (option.provisioned is not None and option.provisioned.seats):
        return []
    if not (isinstance(until, float) and until == np.inf) and (np.all(first >= until) or np.all(since >= until)):
        return []

    t = option.training
    hours = shared.migration_hours if one_adapter(t) else shared.migration_hours + hours_of_more(t)

    def told(people: str) -> str:
        again = f" + {dollars(pick(extra_usd))} to train again" if any_positive(extra_usd) else ""
        return f"{people} + {each_told(t, dollars(pick(evaluation_cost(shared))))} evaluation{again}"

    own = f"vendors.{option.vendor}."
    incumbent = option.kind == "stay"
    line = recurring_line(
        shared, f"{'incumbent' if incumbent else 'vendor'}'s model ends: migration",
        (own + "first_end_months", own + "life_months", "migration.hours"), told, (first, every, since, until),
        hours=hours, usd=for_each_adapter(t, evaluation_cost(shared)) + extra_usd,
        kind=LineKind.INCUMBENT_MIGRATION if incumbent else LineKind.MIGRATION,
    )
    return [line] if line.hours is None or line.hours.often().any() else []


def tuned_again(option: Option) -> Number:
    """USD of training a vendor-tuned model again on its successor, one set of runs for each adapter."""
    t = option.training
    return 0.0 if t is None else for_each_adapter(t, t.runs * run_cost(t))


def error_line(
    shared: Shared, rate: Callable[[], Array], facts: tuple[str, ...], told: str = "", *, along: Sequence[Along],
) -> Line:
    """The cost of wrong answers, for every option and for staying: requests x error rate x USD per error.

    `rate` makes the error rate by month; `along` are the paths that it makes the line run along.
    `told` says in the arithmetic how the rate is made up.
    """

    def arithmetic(month: int) -> str:
        same = abs(pick(shared.volume_factor, month) - 1.0) < SAME
        apart = "" if same else " (without volume by the bill: retries and missing tokens are no answers)"
        wrong = f"{pick(requests(shared), month):,.0f} requests{apart} x {pick(rate(), month):.5g} wrong{told}"
        return f"{wrong} x {dollars(pick(shared.usd_per_error))} each"

    first, *others = along
    return Line(
        name="wrong answers", kind=LineKind.ERRORS, path=first.path, rate=first.rate, share=first.share, also=tuple(others),
        facts=("quality.usd_per_error", *facts), arithmetic=arithmetic,
    )
