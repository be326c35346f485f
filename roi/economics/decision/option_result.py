"""One option of the answer, in the units that are printed; money is in USD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from roi.economics.decision.draws import Drawn, percentiles
from roi.economics.decision.evaluation import Evaluated, SentOn, alone_from, cash_flows, mean_cash, mean_errors, sent_on
from roi.economics.decision.feasibility import FAILED, binding_field, binds, tested
from roi.economics.finance import discount_factors, internal_rate, payback, payback_status, return_on_investment
from roi.economics.inputs import Option, Shared
from roi.economics.lines.api_request import long_share
from roi.economics.lines.line import Line, is_zero, requests
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import answered_wrong
from roi.economics.lines.people import run_cost
from roi.estimate.replay.fleet import LITTLE_FREE, fleet_capacity
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.units import MTOK

CENT = 0.01
"""USD; savings that differ by less are the same."""
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class LineResult:
    """One cost line at the central values; costs are positive."""

    name: str
    monthly_usd: tuple[float, ...]
    upfront_usd: float
    basis: str
    """The weakest basis among its facts."""
    source: str
    """Where the fact with the weakest basis comes from."""
    arithmetic: str
    """The product behind the figure, and the month it is shown for."""
    arithmetic_upfront: str | None
    """The product behind month 0, where something is paid then and `arithmetic` is that of a later month; else None."""
    cash: bool
    """False for wrong answers, and for what is given up and not paid."""
    kind: LineKind
    """What the line pays for."""


@dataclass(frozen=True)
class FleetResult:
    """The fleet in its first full month, `month`; `gpus_most` from the month on in which it goes live."""

    month: int
    plan: str
    """Where the Case has the facts of the plan that it is on: options.X.plans.2."""
    gpu: str
    weight_dtype: str
    vendor: str
    instances: float
    replicas: float
    gpus: float
    gpus_most: float
    utilisation_mean: float
    utilisation_peak: float
    """Share of capacity in use at the peak, or in the fullest hour where the fleet follows the load."""
    usd_per_gpu_hour: float
    rental: str | None
    """on-demand, spot or reserved; owned where the cards are bought or there already; None in Cases that do not say."""
    minimum_months: float
    """Months for which the rent is owed at least."""
    capacity_requests_per_s: float
    """Requests a second that one replica alone holds at the SLO."""
    fleet_requests_per_s: float
    """Requests a second that all replicas behind one router hold at the SLO, spares included."""
    share_of_requests: float
    """Share of requests that it answers itself; below 1 where an API takes the rest: above a floor, or too long for it."""
    little_free: bool
    """True where less than LITTLE_FREE of what it holds is free then, and neither an API nor a longer day takes more."""


@dataclass(frozen=True)
class TrainingResult:
    """What training the option's model or adapter takes, and how often it is done again."""

    gpu_hours_per_run: float
    usd_per_run: float
    runs: float
    labels_to_buy: float
    retrain_every_months: float | None
    adapters: float = 1.0
    """How many adapters are trained, each in `runs` runs; `labels_to_buy` are those of all."""


@dataclass(frozen=True)
class QualityResult:
    """How often the option answers wrong, and whether anyone measured that."""

    status: str
    """One of: evaluated; not evaluated."""
    error_rate: float
    """Share wrong among what the option answers, and what it hands on where it answered first."""
    share_escalated: float
    wrong_rate: float
    """Share wrong among all requests once it serves alone: what it answers, hands on and spills; the mean over its months."""
    more_wrong_p10_p50_p90: Triple | None
    """Its share of wrong answers less staying's of the same draw; None without draws, and where today's model is kept."""
    note: str | None = None
    """What was not tested, where its models were."""


@dataclass(frozen=True)
class InfeasibleOption:
    """An option that cannot work: which limit binds and what would have to change. It has no money figures."""

    id: str
    """What it is named by everywhere: its kind, a colon, and its model."""
    kind: str
    """The kind of option, as of those that work."""
    label: str
    """What reports call the option."""
    reason: str
    """Which limit binds, and what would have to change, in words."""
    score: float | None
    """Share of its answers that is right, as it was measured, where that misses the bar and nothing else binds; else None."""
    probability_good_enough: float | None
    """Share of the draws in which it reaches that bar all the same; None without draws, and of an exact score."""
    trains: bool
    """True where a model or an adapter would be trained for it."""
    months_to_live: float
    """Months until it would serve."""
    quality: QualityResult
    """How often it would answer wrong, and whether that was measured."""

    @property
    def binding_field(self) -> str | None:
        """Path of the scenario's field that binds, where the reason names one."""
        return binding_field(self.reason)

    @property
    def fails_gate(self) -> bool:
        """True where a gate rules it out, whatever else would."""
        return self.reason.startswith(FAILED)


@dataclass(frozen=True)
class OptionResult:
    """A feasible option; money in USD, None where a figure does not apply."""

    id: str
    """What it is named by everywhere: its kind, a colon, and its model."""
    kind: str
    """stay, cheaper-api, cascade, hosted-open, vendor-tuned, hosted-adapter, self-hosted-adapter, hybrid ..."""
    label: str
    """What reports call the option."""
    trains: bool
    """True where a model or an adapter is trained for it."""
    evaluated: bool
    """True where a score of its answers is stated, for however few items."""
    tested: bool
    """True where it was evaluated on enough items, or keeps the incumbent's model."""
    binds: bool
    """True where it trains, buys cards or commits: no configuration undoes it within a month."""
    upfront_usd: float
    """What is paid in month 0, before anything is live, USD."""
    upfront_no_cash_usd: float
    """The part of it that is given up and not paid: what cards that are owned would fetch."""
    monthly_usd: tuple[float, ...]
    """What each month costs from month 1 to the horizon, wrong answers included, USD; the incumbent until live."""
    mean_monthly_usd: float
    """Mean after go-live, retraining and wrong answers included."""
    cash_monthly_usd: float
    """Cash in a mean month after go-live, USD, retraining included: without wrong answers, and without what is no cash."""
    errors_monthly_usd: float
    """What wrong answers cost in a mean month after go-live, USD."""
    staying_cash_monthly_usd: float
    """Cash of staying in the mean of the same months, so that both are of the same requests and prices."""
    staying_errors_monthly_usd: float
    """What wrong answers of staying cost in the mean of these months, USD."""
    tco_usd: float
    """Total cost of ownership: set-up and all months, not discounted, USD."""
    pv_cost_usd: float
    """Present value of the total cost: set-up, and each month discounted to month 0, USD."""
    npv_usd: float
    """Net present value against staying at the central values: what staying costs less what this costs, USD; positive saves."""
    npv_without_errors_usd: float
    """NPV against staying without wrong answers, USD; what is given up and not paid stays in it."""
    npv_all_hours_usd: float
    """NPV with a price on every hour, also on those of people who are paid anyway, which `npv_usd` leaves out."""
    npv_vs_best_untrained_usd: float
    """NPV against the cheapest option that trains nothing and is tested, USD; 0 for that one."""
    expected_npv_usd: float
    """Mean of `npv_usd` over the draws, USD; the central value without draws."""
    expected_cash_npv_usd: float
    """Mean over the draws of `npv_without_errors_usd`, USD; the central value without draws."""
    roi: float | None
    """Return on investment, a ratio: savings less set-up, over set-up, not discounted; None for staying, or without set-up."""
    irr: float | None
    """Internal rate of return a year, as a share (0.5 is 50%); None for staying, and where no rate or several fit."""
    payback_months: float
    """Months from today after which what was saved stays at or above what was spent; inf where it never does."""
    payback_discounted_months: float
    """Months to payback as in `payback_months`, with each month discounted to today; inf where it never pays back."""
    payback_status: str
    """How the payback came out: immediate, months, never, or not_applicable (staying itself)."""
    payback_cash_months: float
    """Payback on cash alone: without wrong answers, and without what is no cash."""
    usd_per_request: float
    """Present value of the cost over that of the requests, USD a request."""
    usd_per_mtok: float
    """Present value of the cost over that of the tokens, USD a million tokens, in the incumbent's tokens."""
    delay_usd: float
    """What one month of delay costs at present value, USD."""
    months_to_live: float
    """Months until it serves; the incumbent is paid until then."""
    months_in_parallel: float
    """Months for which both are paid after that: as stated, but no longer than today's model lives."""
    npv_p10_p50_p90: Triple | None
    """NPV against staying that 10%, 50% and 90% of the draws stay below, USD: bad, middle and good end; None without draws."""
    cash_npv_p10_p50_p90: Triple | None
    """NPV without the cost of wrong answers that 10%, 50% and 90% of the draws stay below, USD; None without draws."""
    payback_p10_p50_p90: Triple | None
    """Payback in months that 10%, 50% and 90% of the draws stay below: good, middle and bad end; None without draws."""
    probability_best: float | None
    """Share of the draws (0 to 1) in which it saves most of those that may be recommended; None without draws."""
    probability_npv_positive: float | None
    """Share of the draws in which it beats staying, wrong answers counted."""
    probability_cash_positive: float | None
    """Share of the draws in which it beats staying without the cost of wrong answers; cards that could be sold count."""
    probability_beats_best_untrained: float | None
    """Share of the draws in which it costs no more than every option that trains nothing and is tested."""
    probability_good_enough: float | None
    """Chance to reach the quality bar; None where nothing is held to it."""
    lines: tuple[LineResult, ...]
    """Its cost lines, which add up to the totals."""
    fleet: FleetResult | None
    """Its GPUs once it serves alone; None where it runs none."""
    training: TrainingResult | None
    """What training takes; None where it trains nothing."""
    quality: QualityResult
    """How often it answers wrong, and whether that was measured."""
    sent_on: SentOn | None = None
    """What is too long for it; None where it takes all requests."""

    @property
    def wrong_share(self) -> float:
        """Share of the option's answers that are wrong once it serves alone, at the central values."""
        return self.quality.wrong_rate


class Standing(NamedTuple):
    """What of an option's result decides whether it is recommended, where the rest is not asked for."""

    tested: bool
    binds: bool
    expected_npv_usd: float
    expected_cash_npv_usd: float
    probability_npv_positive: float | None
    probability_cash_positive: float | None
    wrong_share: float
    """Share of its answers that are wrong, as in an option's result or in the mean of the draws."""


def standing(shared: Shared, option: Option, drawn: Drawn) -> Standing:
    """How the option stands in these draws."""
    npvs, cash = drawn.npv[option.id], drawn.cash[option.id]
    return Standing(
        tested=tested(shared, option), binds=binds(option), expected_npv_usd=float(npvs.mean()),
        expected_cash_npv_usd=float(cash.mean()), probability_npv_positive=float(np.mean(npvs > 0)),
        probability_cash_positive=float(np.mean(cash > 0)), wrong_share=float(np.mean(drawn.wrong[option.id])),
    )


def option_result(
    case: Case, shared: Shared, central: Mapping[str, Evaluated], id: str, untrained: Sequence[str], *, drawn: Drawn | None,
    chance: float | None, delay_usd: float,
) -> OptionResult:
    """The result of a feasible option; `chance` is how probable it is to be best."""
    done, stay = central[id], central["stay"]
    option, monthly, upfront = done.option, done.total.monthly, float(done.total.upfront)
    saving, first = stay.total.monthly - monthly, float(stay.total.upfront) - upfront
    pv, npv = float(done.pv), float(stay.pv) - float(done.pv)
    factors = discount_factors(shared.discount_rate, shared.horizon)
    served = float((requests(shared) * factors).sum())
    months = float(payback(first, saving))
    is_stay = id == "stay"
    start = alone_from(option, shared.horizon)

    without_errors = float(stay.pv_without_errors) - float(done.pv_without_errors)
    # best untrained: the cheapest untrained option, itself included, so an untrained winner shows zero
    rival = min((float(central[u].pv) for u in untrained), default=float(stay.pv))
    npvs, cash, beats, paid, positive, in_cash = None, None, None, None, None, None
    if drawn is not None:
        npvs, cash = drawn.npv[id], drawn.cash[id]
        beats = float(np.mean(npvs >= np.max([drawn.npv[u] for u in untrained], axis=0) - CENT))
        if not is_stay:
            paid, positive, in_cash = percentiles(drawn.payback[id]), float(np.mean(npvs > 0)), float(np.mean(cash > 0))
    cash_first, cash_saving = (a - b for a, b in zip(cash_flows(stay), cash_flows(done), strict=True))
    given_up = float(sum(float(line.upfront) for line in done.costs.lines if line.no_cash))
    return OptionResult(
        id=id, kind=option.kind, label=option.label, trains=option.trains, evaluated=option.evaluated,
        tested=tested(shared, option), binds=binds(option),
        upfront_usd=upfront, upfront_no_cash_usd=given_up,
        monthly_usd=tuple(float(x) for x in monthly), mean_monthly_usd=float(monthly[start:].mean()),
        cash_monthly_usd=mean_cash(done, start), errors_monthly_usd=mean_errors(done, start),
        staying_cash_monthly_usd=mean_cash(stay, start), staying_errors_monthly_usd=mean_errors(stay, start),
        tco_usd=upfront + float(monthly.sum()), pv_cost_usd=pv, npv_usd=npv,
        npv_without_errors_usd=without_errors,
        npv_all_hours_usd=float(stay.pv_all_hours) - float(done.pv_all_hours),
        npv_vs_best_untrained_usd=rival - pv, expected_npv_usd=float(npvs.mean()) if npvs is not None else npv,
        expected_cash_npv_usd=float(cash.mean()) if cash is not None else without_errors,
        roi=None if is_stay else return_on_investment(-first, saving), irr=None if is_stay else internal_rate(first, saving),
        payback_months=months, payback_discounted_months=float(payback(first, saving * factors)),
        payback_status="not_applicable" if is_stay else payback_status(months),
        payback_cash_months=float(payback(float(cash_first), cash_saving)),
        usd_per_request=pv / served, usd_per_mtok=pv / (served * shared.mean_tokens) * MTOK,
        delay_usd=delay_usd, months_to_live=float(option.months_to_live),
        months_in_parallel=float(option.months_kept - option.months_to_live),
        npv_p10_p50_p90=percentiles(npvs) if npvs is not None else None,
        cash_npv_p10_p50_p90=percentiles(cash) if cash is not None else None, payback_p10_p50_p90=paid,
        probability_best=chance, probability_npv_positive=positive, probability_cash_positive=in_cash,
        probability_beats_best_untrained=beats,
        probability_good_enough=None if drawn is None or shared.quality_bar <= 0 or option.keeps_model
        else float(np.mean(drawn.meets[id])),
        lines=tuple(_line(line, case, start) for line in done.costs.lines),
        fleet=_fleet(case, done, start), training=_training(option),
        quality=_quality(option, stay.option, float(np.mean(done.costs.wrong[start:])), drawn),
        sent_on=sent_on(case, done, start),
    )


def infeasible_result(option: Option, stay: Option, score: float | None, drawn: Drawn | None) -> InfeasibleOption:
    """The result of an option that cannot work, with the limit that binds."""
    reached = None if score is None or drawn is None else drawn.meets.get(option.id)
    return InfeasibleOption(
        id=option.id, kind=option.kind, label=option.label, reason=option.infeasible or "",
        score=score, probability_good_enough=None if reached is None else float(np.mean(reached)),
        trains=option.trains, months_to_live=float(option.months_to_live),
        quality=_quality(option, stay, None, None),
    )


def _line(line: Line, case: Case, start: int) -> LineResult:
    """The line, its arithmetic shown for the first month in which the option serves alone, or in which the line is not zero."""
    weakest = max((case[path] for path in line.facts if path in case), key=lambda f: f.basis.rank, default=None)
    upfront, first, told = float(np.asarray(line.upfront)), None, line.told
    if not isinstance(told, str):
        busy = np.flatnonzero(np.abs(line.monthly) > 0)
        first = f"month 0: {told(-1)}" if upfront else None
        month = start if start in busy or not busy.size else int(busy[0])
        told, first = (first, None) if first and not busy.size else (f"month {month + 1}: {told(month)}", first)
    return LineResult(
        name=line.name, monthly_usd=tuple(float(x) for x in line.monthly), upfront_usd=upfront,
        basis=weakest.basis if weakest else Basis.ASSUMED, source=weakest.source if weakest else "", arithmetic=told,
        arithmetic_upfront=first, cash=not (line.is_error or line.no_cash), kind=line.kind,
    )


def _fleet(case: Case, done: Evaluated, start: int) -> FleetResult | None:
    months, plan = done.costs.fleet, done.option.plan
    if months is None or plan is None:
        return None

    def at(x: object) -> float:
        row = np.asarray(x, dtype=np.float64)
        return float(row[start]) if row.ndim else float(row)

    f, rental = months.fleet, f"{plan.path}rental"
    for_work = done.option.autoscale_floor == 0 and done.option.hardware is None and is_zero(plan.minimum_months)
    return FleetResult(
        month=start + 1, plan=plan.path.removesuffix("."), gpu=plan.gpu, weight_dtype=plan.weight_dtype, vendor=plan.vendor,
        instances=at(f.instances), replicas=at(f.replicas), gpus=at(f.gpus), gpus_most=float(np.max(months.gpus)),
        utilisation_mean=at(f.utilisation_mean), utilisation_peak=at(f.utilisation_peak),
        usd_per_gpu_hour=float(plan.usd_per_gpu_hour), rental=str(case[rental].value) if rental in case else None,
        minimum_months=float(plan.minimum_months), capacity_requests_per_s=float(plan.capacity),
        fleet_requests_per_s=float(fleet_capacity(at(f.replicas), float(plan.capacity), float(plan.pooling))),
        share_of_requests=(1.0 - at(months.spill)) * (1.0 - float(long_share(done.shared, done.option))),
        little_free=done.option.replicas_fixed is None and not for_work and at(f.utilisation_peak) > 1.0 - LITTLE_FREE,
    )


def _training(option: Option) -> TrainingResult | None:
    t = option.training
    if t is None:
        return None
    return TrainingResult(
        gpu_hours_per_run=float(t.gpu_hours), usd_per_run=float(run_cost(t)), runs=float(t.runs),
        labels_to_buy=float(t.labels * t.adapters), adapters=float(t.adapters),
        retrain_every_months=None if t.every_months is None else float(t.every_months),
    )


def _quality(option: Option, stay: Option, wrong_rate: float | None, drawn: Drawn | None) -> QualityResult:
    answered = float(np.asarray(answered_wrong(option, stay.error_rate)))
    more = None if drawn is None or option.keeps_model else percentiles(drawn.wrong[option.id] - drawn.wrong["stay"])
    return QualityResult(status="evaluated" if option.evaluated else "not evaluated", error_rate=answered,
                         share_escalated=float(option.escalated), wrong_rate=answered if wrong_rate is None else wrong_rate,
                         more_wrong_p10_p50_p90=more, note=option.test_note)
