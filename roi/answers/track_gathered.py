"""The months of a question in order: what is kept in a folder, and what exports, invoices and a cluster tell now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from pathlib import Path
from typing import Final

import numpy as np

from roi.answers.track_hours import opencost_months
from roi.answers.track_months import MonthSums, bill_months, check_span, told_by, usage_months
from roi.answers.track_record import Decision, TrackedMonth
from roi.answers.track_roles import Models
from roi.economics.decision.evaluation import evaluate
from roi.economics.inputs import Array, Option, Shared
from roi.economics.lines.api_bill import service
from roi.economics.lines.line import any_positive
from roi.economics.tracking.came import Came
from roi.economics.tracking.commitments import with_owed
from roi.economics.tracking.month_figures import figures
from roi.errors import InputError
from roi.units import DAYS_PER_MONTH
from roi.usage.read.record import FileOptions

TIERS_MOVED: Final = 0.0005
"""Share by which batch and tiers may move list prices without a word."""


@dataclass(frozen=True, kw_only=True)
class TrackQuestion:
    """What came, and where it is told."""

    actual: tuple[str, ...] = ()
    """Usage exports, as `roi usage` reads them."""
    options: FileOptions = field(default_factory=FileOptions)
    named: str | None = None
    zone: str = "UTC"
    """Time zone of times without an offset in the exports."""
    bill: Path | None = None
    opencost: Path | None = None
    setup_usd: float | None = None
    """What month 0 cost; None: as forecast."""
    quality: Path | None = None
    """What an evaluation settles (roi quality --output)."""
    since: str | None = None
    """Month 1 of the comparison; None: the first whole month after its as-of date."""
    option: str | None = None
    """Id of the option that was chosen; None: the one that the comparison recommends."""
    folder: Path | None = None
    revise: bool = False
    limits: Mapping[str, float] | None = None
    today: Date | None = None
    """Day by which a month is over; None: nobody asks."""


def tracked_months(
    question: TrackQuestion, decision: Decision, kept: Mapping[str, TrackedMonth], shared: Shared,
    options: Mapping[str, Option], notes: list[str],
) -> tuple[TrackedMonth, ...]:
    """The months that are `kept` and those that are told now, in order and without a gap."""
    for name, month in kept.items():
        if month.decision != decision:
            was = f"{month.decision.option} as of {month.decision.as_of}, month 1 {month.decision.first_month}"
            raise InputError(f"--folder: {question.folder}: {name} belongs to another decision ({month.decision.title}: {was});"
                             " a folder for each")
    usage: dict[str, MonthSums] = {}
    rates, paid_in, of_bill = question.options.rates, set[str](), list[str]()
    bill = {} if question.bill is None else bill_months(question.bill, of_bill, question.today, rates, paid_in=paid_in)
    if question.actual:
        usage = usage_months(question.actual, _models(options, decision.option), notes, options=question.options,
                             named=question.named, zone=question.zone, as_of=decision.as_of, billed_in=frozenset(paid_in))
    notes += of_bill
    sums = told_by(usage, bill, question.bill, notes, kept, decision.first_month, shared.horizon)
    hours = {} if question.opencost is None else opencost_months(question.opencost, notes)
    if options[decision.option].hardware is not None and any(gpus.usd for gpus in hours.values()):
        notes.append(f"--opencost: ${sum(gpus.usd or 0.0 for gpus in hours.values()):,.2f} that is charged for own cards is no"
                     " cash: what their power and space cost is as --bill's gpu_usd tells it, else as forecast")
        hours = {name: replace(gpus, usd=None) for name, gpus in hours.items()}
    alone = not question.actual and question.bill is None
    sums |= {name: MonthSums() for name in hours if name not in sums and (alone or name in kept)}
    for name in sums.keys() & hours:
        sums[name].gpu_hours = _once(name, "gpu_hours", sums[name].gpu_hours, hours[name].hours)
        sums[name].gpu_usd = _once(name, "gpu_usd", sums[name].gpu_usd, hours[name].usd)
        sums[name].sources.append("OpenCost")
    if beside := sorted(hours.keys() - sums):
        where = "--actual" if question.actual else "--bill"
        notes.append(f"--opencost: what it says of {', '.join(beside)} is left out: {where} has no such month")
    told = {name: _filled(_tracked(name, each, decision), kept.get(name)) for name, each in sums.items()}
    merged = {**kept, **told}
    names = sorted(merged)
    given = ("--actual", question.actual), ("--bill", question.bill), ("--opencost", question.opencost)
    where = next((name for name, files in given if files), "--folder")
    check_span(names, decision.first_month, shared.horizon, where, notes, since=question.since is not None)
    return tuple(merged[name] for name in names)


def _once(month: str, figure: str, billed: float | None, told: float | None) -> float | None:
    """The figure from the one that tells it; InputError where the invoice and the cluster both do."""
    if told is None:
        return billed
    if billed is not None:
        raise InputError(f"--bill: {month}: {figure} is told by OpenCost too; leave it out of one of them")
    return told


def _models(options: Mapping[str, Option], id: str) -> Models:
    """The models that the option calls: its own, and the incumbent's, what it escalates, spills or is too long goes to."""
    option, stay = options[id], options["stay"]
    others = [stay.vendor, options[option.escalates_to].vendor]
    others += [options[to].vendor for to in (option.spills_to, option.long_to) if to is not None]
    own = option.vendor if option.api is not None and not option.trains else None  # an adapter has a name of its own
    by_unit = any(each.provisioned is not None and not each.provisioned.seats for each in (option, stay))
    called = tuple(dict.fromkeys(name for name in others if name and name != own))
    return Models(own, called, by_unit, option.system.partition("+")[0], served=option.api is None)


def _tracked(month: str, sums: MonthSums, decision: Decision) -> TrackedMonth:
    """The record of a month."""
    figures = vars(sums) | {"sources": tuple(dict.fromkeys(sums.sources))}
    if sums.input_tokens + sums.output_tokens <= 0:
        figures |= dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens"))
    return TrackedMonth(month=month, decision=decision, **figures)


def _filled(month: TrackedMonth, kept: TrackedMonth | None) -> TrackedMonth:
    """The month with what was kept of it in place of what nothing tells now."""
    if kept is None:
        return month
    more = {name: x for name, x in kept.figures().items() if getattr(month, name) is None and x is not None}
    sources = tuple(dict.fromkeys((*kept.sources, *month.sources)))
    return month.model_copy(update={**more, "sources": sources}) if more else month


def _of_a_call(month: TrackedMonth, billed: float | None) -> float | None:
    """What a call of the other models cost by the export itself, in proportion to what was billed for all calls."""
    if billed is None or not month.calls_usd or month.own_usd is None or month.calls is None or month.own_calls is None:
        return None
    calls, usd = month.calls - month.own_calls, month.calls_usd - month.own_usd
    return max(usd, 0.0) * billed / month.calls_usd / calls if calls > 0 else None


def _tiers(
    month: TrackedMonth, shared: Shared, options: Mapping[str, Option], id: str, notes: list[str]
) -> tuple[float, float]:
    """What batch and tiers make of the list price of the own model's calls and of the others', over the forecast's.

    1 where the export tells neither of a model's calls.
    """
    found = []
    for ratio, option in ((month.own_tier_ratio, options[id]), (month.other_tier_ratio, options["stay"])):
        found.append(1.0 if ratio is None else ratio / _planned_tiers(shared, option))
    moved = [f"x{x:.3f}" for x in dict.fromkeys(found) if abs(x - 1.0) > TIERS_MOVED]
    if moved:
        notes.append(f"--actual: {month.month}: tokens without a cost are at the forecast's prices, {' and '.join(moved)} as"
                     " the list's prices of their batch and service tiers say; --bill says what is paid")
    return found[0], found[1]


def _more(usd: float | None, by: float) -> float | None:
    return None if usd is None else usd + by


def _planned_tiers(shared: Shared, option: Option) -> float:
    """The list price of the option's mean request with its batch and tier, over the same at once in the standard one."""
    if option.api is None:
        return 1.0
    plain = replace(option, api=replace(option.api, batch_share=0.0, tier=1.0))
    now, standard = (float(np.mean(service(shared, each).cost.usd)) for each in (option, plain))
    return now / standard if standard > 0 else 1.0


def came_of(
    months: Sequence[TrackedMonth], shared: Shared, options: Mapping[str, Option], id: str, days: Array, notes: list[str]
) -> tuple[Came, ...]:
    """The months for the engine. Where an export counts no requests, as many calls as the forecast's length gives.

    Tokens without a cost are at the forecast's prices, as many times as the list says of their batch and tiers. Where no bill
    says what was paid, what commitments ask beyond the export's calls is paid too, and what was paid in a month of units or
    seats is not known where the export bills none, or not what the tokens cost: `notes` hear of all three. What it bills for
    units beyond the fees that the forecast has is owed and no price, but of staying, whose own units they are.
    """
    lines = evaluate(shared, options[id], options).costs.lines
    fees = np.broadcast_to(sum((line.monthly for line in lines if line.by_unit), np.zeros(1)), (shared.horizon,))
    fees = fees[: len(months)] * days / DAYS_PER_MONTH
    units = [month.units_usd or 0.0 if month.api_usd_from == "reported" else 0.0 for month in months]
    fee = [not units[k] and (fees[k] > 0 or bool(month.units_usd)) and month.api_usd_from not in {None, "bill"}
           for k, month in enumerate(months)]
    listed = [month.api_usd_from == "list price" for month in months]
    if untold := [month.month for month, unknown in zip(months, fee, strict=True) if unknown]:
        notes.append(f"no fee of units or seats is taken from an export: what was paid in {', '.join(untold)} is not known"
                     " without --bill")
    planned = figures(shared, options[id], options).in_days(days)
    fleet = np.broadcast_to(planned.gpu_hours, days.shape)
    if free := [m for m, x in zip(months, fleet, strict=True) if m.gpu_hours and m.gpu_usd is None and x <= 0]:
        hours = sum(month.gpu_hours or 0.0 for month in free)
        notes.append(f"{hours:,.0f} GPU hours of {', '.join(month.month for month in free)} are in no cash: the forecast has no"
                     " GPU there, and nothing says what they cost: gpu_usd of --bill does")
    tiers = [_tiers(month, shared, options, id, notes) if each else (1.0, 1.0)
             for month, each in zip(months, listed, strict=True)]
    length = np.broadcast_to(planned.input_tokens + planned.output_tokens, days.shape)
    found = []
    for k, month in enumerate(months):
        calls, given, made = month.calls, month.input_tokens, month.output_tokens
        if calls is None and given is not None and made is not None:
            calls = (given + made) / float(length[k])
        per = month.calls or 0.0
        found.append(
            Came(
                days=float(days[k]), calls=calls, input_tokens=given / per if given is not None and per else None,
                output_tokens=made / per if made is not None and per else None,
                cached_share=(month.cache_read_tokens or 0.0) / given if given else None,
                own_share=month.own_calls / per if month.own_calls is not None and per else None,
                second_calls=month.second_calls, least_second_calls=month.least_second_calls, handed_on=month.handed_on,
                api_usd=None if fee[k] or listed[k] or month.api_usd is None else month.api_usd + units[k],
                listed=listed[k] and not fee[k], tiers=tiers[k], gpu_hours=month.gpu_hours, gpu_usd=month.gpu_usd,
            )
        )
    bills = [month.api_usd_from == "bill" or usd > 0 for month, usd in zip(months, units, strict=True)]
    costs = [(None, None) if each.api_usd is None else
             (_more(month.own_usd, usd), _more(month.calls_usd, usd) if bill else month.api_usd)
             for month, bill, each, usd in zip(months, bills, found, units, strict=True)]
    paid = with_owed(shared, options, id, found, costs, bills)
    if id != "stay":  # where nothing else was paid, the price of its calls cannot be told
        owed = [max(usd - float(own), 0.0) for usd, own in zip(units, fees, strict=True)]
        paid = tuple(replace(each, unused_usd=more if (each.api_usd or 0.0) > more else None) if usd else each
                     for each, usd, more in zip(paid, units, owed, strict=True))
    told = [f"${usd:,.0f} in {month.month}" for month, a, b in zip(months, found, paid, strict=True)
            if (usd := (b.api_usd or 0.0) - (a.api_usd or 0.0)) > 0]
    if told:
        notes.append("no bill says what was paid: what commitments ask beyond the export's calls is counted as paid,"
                     f" {', '.join(told)}; --bill says otherwise")
    if (options[id].spills_to, options[id].long_to) != (None, None) or any_positive(options[id].escalated):
        return paid  # what is handed on are other requests than the rest
    return tuple(replace(each, waiting_usd=_of_a_call(month, each.calls_usd)) for month, each in zip(months, paid, strict=True))
