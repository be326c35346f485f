"""Lines of people and data: porting, evaluation, labels, training runs, retraining, on-call."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from roi.economics.inputs import Array, Number, Option, OwnCost, Shared, Training
from roi.economics.lines.calendar import EXACT, Falls, by_month, events, happened, months, powers, split
from roi.economics.lines.line import (
    Along,
    Hours,
    Line,
    Words,
    any_positive,
    billed_requests,
    live_months,
    nothing_monthly,
    pick,
    wages,
)
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.shared_fleet import hours_paid, hours_told
from roi.units import MONTHS_PER_YEAR, dollars

FURTHER: Final = ("training.further_adapter_hours",)
"""The fact behind the hours of several adapters, which the Case of one alone lacks."""


def evaluation_cost(shared: Shared, option: Option | None = None) -> Number:
    """USD of judging an option, or a vendor's successor, once: running the evaluation set and buying its labels."""
    usd, labels = judging(shared, option)
    return usd + labels * shared.usd_per_label


def judging(shared: Shared, option: Option | None = None) -> tuple[Number, Number]:
    """USD of running the evaluation, and its labels: the option's own where it has them."""
    usd, labels = (None, None) if option is None else (option.evaluation_usd, option.evaluation_labels)
    return shared.evaluation_usd if usd is None else usd, shared.evaluation_labels if labels is None else labels


def fact_of(option: Option, name: str, common: str = "") -> str:
    """The path of a fact that may be the option's own; else as for its kind of change, or where `common` says."""
    return option.own_facts.get(name, common or f"changes.{option.group}.{name}")


def run_cost(training: Training) -> Number:
    """USD of one training run: GPU hours x rent, or what the vendor bills."""
    return training.gpu_hours * training.usd_per_gpu_hour + training.vendor_usd


def one_adapter(t: Training | None) -> bool:
    """True where one adapter answers the whole workload, or nothing is trained; never of a workbook's cell."""
    return t is None or (isinstance(t.adapters, float) and t.adapters == 1.0)


def hours_of_more(t: Training | None) -> Number:
    """Engineer hours of all adapters beyond the first, each time that they are made."""
    return 0.0 if t is None or one_adapter(t) else (t.adapters - 1.0) * t.further_hours


def for_each_adapter(training: Training | None, usd: Number) -> Number:
    """USD of all the adapters of a workload, `usd` each; of an option that trains nothing, or one adapter, once."""
    return usd if training is None or one_adapter(training) else usd * training.adapters


def each_told(t: Training | None, text: str) -> str:
    """How arithmetic says what is paid for each adapter."""
    bracketed = f"({text})" if " " in text else text
    return text if t is None or one_adapter(t) else f"{pick(t.adapters):,.6g} adapters x {bracketed}"


def _with_more(hours: str, t: Training | None) -> str:
    """How arithmetic says engineer hours with those of the adapters beyond the first."""
    if t is None or one_adapter(t):
        return hours
    return f"({hours} + {pick(t.adapters) - 1.0:,.6g} further adapters x {pick(t.further_hours):,.6g} h)"


def setup_hours_paid(option: Option) -> Number:
    """Engineer hours of the option until it is live, of all its adapters."""
    paid, t = hours_paid(option, option.setup_hours, option.setup_hours_shared), option.training
    return paid if one_adapter(t) else paid + hours_of_more(t)


def setup_lines(shared: Shared, option: Option) -> list[Line]:
    """The lines of what is paid once, in month 0."""
    lines, nothing = [], nothing_monthly(shared)
    if any_positive(option.setup_hours):
        paid, t = setup_hours_paid(option), option.training
        lines.append(Line(
            name="engineering, set-up", kind=LineKind.SET_UP, path=nothing, rate=0.0, upfront=paid * shared.usd_per_hour,
            facts=(fact_of(option, "setup_hours"), *FURTHER, "people.usd_per_hour"),
            hours=Hours("set-up", lambda: np.ones(1), paid, shared.usd_per_hour),
            arithmetic=Words(lambda: _with_more(hours_told(option, pick(option.setup_hours), option.setup_hours_shared), t)
                             + f" x {dollars(pick(shared.usd_per_hour))}/h"),
        ))
    if not option.keeps_model:
        lines.append(Line(
            name="evaluation before the change", kind=LineKind.SET_UP, path=nothing, rate=0.0,
            upfront=for_each_adapter(option.training, evaluation_cost(shared, option)),
            facts=(*(fact_of(option, f"evaluation_{name}", f"evaluation.{name}") for name in ("usd", "labels")),
                   "evaluation.usd_per_label"),
            arithmetic=Words(lambda: each_told(option.training, _evaluation_text(shared, option))),
        ))
    if option.training is not None:
        lines += _training_lines(shared, option.training, f"options.{option.id}.training.")
    return lines


def _evaluation_text(shared: Shared, option: Option) -> str:
    run, labels = (pick(each) for each in judging(shared, option))
    usd = pick(shared.usd_per_label)
    return f"{dollars(run)} + {labels:,.6g} labels x {dollars(usd)}"


def _run_text(t: Training) -> str:
    if vendor := pick(t.vendor_usd):
        return f"{dollars(vendor)} a run"
    return f"{pick(t.gpu_hours):,.6g} GPU-h x {dollars(pick(t.usd_per_gpu_hour))}/GPU-h"


def _training_lines(shared: Shared, t: Training, own: str) -> list[Line]:
    facts = (
        *(own + n for n in ("gpu_hours_per_run", "usd_per_gpu_hour", "vendor_usd_per_run")), t.hours_fact,
        "training.runs_until_good",
    )
    each, nothing = for_each_adapter(t, run_cost(t)), nothing_monthly(shared)
    failed = np.maximum(t.runs - 1.0, 0.0)
    return [
        Line(name="training, the run that is kept", kind=LineKind.TRAINING, path=nothing, rate=0.0, upfront=each, facts=facts,
             arithmetic=Words(lambda: each_told(t, _run_text(t)))),
        Line(
            name="training, runs that are not", kind=LineKind.TRAINING, path=nothing, rate=0.0, upfront=each * failed,
            facts=facts,
            arithmetic=Words(lambda: each_told(t, f"{pick(failed):,.6g} x {_run_text(t)}")),
        ),
        Line(
            name="training data, labels", kind=LineKind.TRAINING, path=nothing, rate=0.0,
            upfront=for_each_adapter(t, t.labels * shared.usd_per_label),
            facts=("training.examples", "evaluation.usd_per_label"),
            arithmetic=Words(lambda: each_told(t, f"{pick(t.labels):,.6g} labels x {dollars(pick(shared.usd_per_label))}")),
        ),
    ]


def retraining_line(shared: Shared, option: Option) -> list[Line]:
    """Runs, hours, fresh labels and, unless left out, a new evaluation, every so many months after going live."""
    t = option.training
    if t is None or t.every_months is None:
        return []
    fixed = t.retrain_runs * run_cost(t) + t.relabel_share * t.fresh_labels * shared.usd_per_label
    if t.retrain_evaluates:
        fixed = fixed + evaluation_cost(shared, option)

    def told(people: str) -> str:
        runs = f"{pick(t.retrain_runs):,.6g} x {_run_text(t)}"
        bought = (f"{pick(t.relabel_share):,.6g} x {pick(t.fresh_labels):,.6g} labels x {dollars(pick(shared.usd_per_label))}"
                  f"{f' + {_evaluation_text(shared, option)}' if t.retrain_evaluates else ''}")
        return f"{runs} + {people} + {bought}" if one_adapter(t) else f"{people} + {each_told(t, f'{runs} + {bought}')}"

    names = ("retrain_every_months", "retrain_runs", "retrain_hours", "relabel_share")
    facts = (*(f"training.{n}" for n in names), *FURTHER, f"options.{option.id}.training.gpu_hours_per_run")
    when = option.months_to_live + t.every_months, t.every_months, 0.0, np.inf
    hours = t.retrain_hours if one_adapter(t) else t.retrain_hours + hours_of_more(t)
    return [recurring_line(shared, "retraining", facts, told, when, hours=hours, usd=for_each_adapter(t, fixed),
                           kind=LineKind.RETRAINING)]


def recurring_line(
    shared: Shared, name: str, facts: tuple[str, ...], told: Callable[[str], str],
    when: tuple[Number, Number, Number, Number], *, hours: Number, usd: Number, kind: LineKind,
) -> Line:
    """The line of hours and USD that each of the `events` of `when` (first, every, since, until) costs.

    `told` says what one of them costs, around the words for its hours. Of many draws the events are kept one by one, unless
    some of their hours may be paid anyway, which is settled month by month.
    """
    first, every, since, until = when

    def counts() -> Array:
        return shared.once_for("events", when, lambda: events(first, every, shared.horizon, since, until))

    def wage() -> Array:
        level = np.arange(shared.horizon + 1) / MONTHS_PER_YEAR
        return shared.once("wages at month ends", lambda: by_month(
            np.multiply, shared.usd_per_hour, powers(1.0 + shared.wage_growth, level)))

    def arithmetic(month: int) -> str:
        people = f"{pick(hours):,.6g} h x {dollars(pick(wage(), month + 1))}/h"
        return f"{pick(counts(), month + 1):.0f} x ({told(people)})"

    one_by_one = None if any_positive(shared.existing_hours) else happened(shared, first, every)
    if one_by_one is None:
        upfront, monthly = split(np.asanyarray(counts() * (usd + hours * wage())))
        return Line(name=name, kind=kind, path=monthly, upfront=upfront, facts=facts, arithmetic=arithmetic,
                    hours=Hours("event", lambda: counts()[..., :-1], hours, wage()[..., :-1]))
    ends = one_by_one.ends
    wages_then = shared.once(("wages at", id(one_by_one)), lambda: np.reshape(shared.usd_per_hour, -1) * np.exp(
        np.log(1.0 + np.reshape(shared.wage_growth, -1)) * (ends / MONTHS_PER_YEAR)))
    each = np.reshape(hours, -1) * wages_then + np.reshape(usd, -1)
    falls = Falls(one_by_one, each, one_by_one.counted(since, until))
    return Line(name=name, kind=kind, path=nothing_monthly(shared), rate=0.0, upfront=falls.upfront, falls=falls, facts=facts,
                arithmetic=arithmetic)


def run_lines(shared: Shared, option: Option) -> list[Line]:
    """Hours of on-call and operation in every month that the option is live."""
    if not any_positive(option.run_hours):
        return []
    live, wage = live_months(shared, option.months_to_live), wages(shared)
    hours = hours_paid(option, option.run_hours, option.run_hours_shared)
    along = Along(wage, hours, live)
    if any_positive(shared.existing_hours):  # multiplied as what is left out of it, so that nothing remains of all
        along = Along(np.asanyarray(live.whole * hours * wage))

    def told(month: int) -> str:
        return hours_told(option, pick(live.whole, month) * pick(option.run_hours), option.run_hours_shared)

    return [Line(
        name="on-call and operation", kind=LineKind.OPERATION, **along._asdict(),
        hours=Hours("running", lambda: live.whole, hours, wage),
        facts=(fact_of(option, "run_hours_per_month"), "people.usd_per_hour"),
        arithmetic=lambda month: f"{told(month)} x {dollars(pick(wage, month))}/h",
    )]


def own_cost_lines(shared: Shared, option: Option, stay: Option, used: Number) -> list[Line]:
    """The costs that the user states: in month 0, and each month from go-live or from a month on, without growth.

    What staying bears too is paid from today on. What staying alone bears is paid by the month while today's model is used,
    `used` of each month.
    """
    live, own = live_months(shared, option.months_to_live), {cost.path for cost in option.costs}
    also = {cost.path for cost in stay.costs}
    lines = [_own_cost_line(shared, cost, live.whole if cost.from_month is None and cost.path not in also else 1.0)
             for cost in option.costs]
    until = [replace(cost, name=f"{cost.name}, while today's model is used", upfront_usd=0.0)
             for cost in stay.costs if cost.path not in own]
    return lines + [_own_cost_line(shared, cost, used) for cost in until
                    if any_positive(used) and _runs(cost)]


def _runs(cost: OwnCost) -> bool:
    """True where a stated cost is paid month by month, or a credit received."""
    return any(bool(np.any(np.asanyarray(x) != 0.0)) for x in (cost.usd_per_month, cost.each_usd))


def _own_cost_line(shared: Shared, cost: OwnCost, share: Number) -> Line:
    """The line of a stated cost that is paid for this share of the months from `from_month` to `to_month`."""
    number = months(shared.horizon)
    begun = 1.0 if cost.from_month is None else number >= cost.from_month
    part: Array = np.asanyarray(share * begun * (number <= cost.to_month) * 1.0)

    def sign(usd: float) -> str:
        return "-" if usd < 0 else ""

    def arithmetic(month: int) -> str:
        if month < 0:
            return f"{sign(pick(cost.upfront_usd))}{dollars(abs(pick(cost.upfront_usd)))}"
        by_month, each, here = pick(cost.usd_per_month), pick(cost.each_usd), pick(part, month)
        terms = [f"{sign(by_month)}{dollars(abs(by_month))}"] if by_month or not each else []
        terms += [f"{pick(billed_requests(shared), month):,.0f} requests x {sign(each)}{dollars(abs(each), 8)}"] if each else []
        told = " + ".join(terms)
        return told if here == 1.0 else f"{f'({told})' if terms[1:] else told} x {here:.4g} of the month"

    return Line(
        name=cost.name, kind=LineKind.OWN, upfront=cost.upfront_usd, no_cash=cost.no_cash,
        arithmetic=arithmetic if _runs(cost) else Words(lambda: arithmetic(-1)),
        path=np.asanyarray((cost.usd_per_month + cost.each_usd * billed_requests(shared)) * part),
        facts=tuple(f"{cost.path}.{each}" for each in ("upfront_usd", "usd_per_month", "usd_per_request")),
    )


def leave_out_paid_anyway(shared: Shared, option: Option, lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines without the engineer hours that are paid anyway, `existing_hours` a month; each says what it leaves out.

    Until live, set-up takes them, spread evenly over those months, the ones beyond the horizon too; from then on, on-call hours
    do. What they leave in a month goes to retraining and migrations that fall in it, in the order of the lines; an event at a
    month end falls in the month that begins there. Where they are there for on-call alone, nothing else has them.
    """
    existing = shared.existing_hours
    if not any_positive(existing):
        return tuple(lines)
    live = live_months(shared, option.months_to_live).whole
    free = np.asanyarray(existing * np.ones(shared.horizon))
    done = list(lines)
    for k, line in sorted(enumerate(lines), key=lambda each: each[1].hours is not None and each[1].hours.when == "event"):
        if line.hours is None or (shared.existing_on_call_only and line.hours.when != "running"):
            continue
        hours = np.asanyarray(line.hours.often() * line.hours.each)
        if line.hours.when == "set-up":
            at_hand = existing * option.months_to_live
            covered = np.minimum(hours, at_hand)
            free = free - existing * (1.0 - live) * (covered / np.maximum(at_hand, EXACT))
        elif line.hours.when == "running":
            covered = np.minimum(hours, existing * live)
            free = free - covered
        else:
            covered = np.minimum(hours, free)
            free = free - covered
        done[k] = _without(line, line.hours, covered)
    return tuple(done)


def _at_ends(amounts: Array, when: str, horizon: int) -> Array:
    """Amounts at the month ends at which a line's hours are paid, as amounts at all of them, 0..H."""
    zeros = np.zeros((*amounts.shape[:-1], horizon + 1 - amounts.shape[-1]))
    return np.concatenate([zeros, amounts] if when == "running" else [amounts, zeros], axis=-1)


def _without(line: Line, hours: Hours, covered: Array) -> Line:
    """The line less the USD of the covered hours."""
    horizon = line.monthly.shape[-1]
    each = np.asanyarray(hours.usd_each * np.ones(covered.shape[-1]))
    usd_at_ends = _at_ends(covered * each, hours.when, horizon)
    upfront, monthly = split(usd_at_ends)

    def arithmetic(month: int) -> str:
        end = 0 if hours.when == "set-up" else month + 1
        told = line.told if isinstance(line.told, str) else line.told(month)
        out = pick(_at_ends(covered, hours.when, horizon), end)
        return told if out == 0 else f"{told} - {out:,.6g} h paid anyway x {dollars(pick(usd_at_ends, end) / out)}/h"

    return replace(
        line, path=line.monthly - monthly, rate=1.0, share=None, also=(), upfront=line.upfront - upfront,
        paid_anyway=(upfront, monthly),
        facts=(*line.facts, "people.existing_hours_per_month"),
        arithmetic=Words(lambda: arithmetic(0) if isinstance(line.told, str) else arithmetic),
    )
