"""resolve(scenario) -> Case: the facts of the scenario's date, each with its source and spread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.economics.decision.alarms import OVER_UNITS
from roi.economics.decision.evaluation import read_all
from roi.economics.decision.feasibility import QUESTIONS
from roi.economics.inputs import Option, Shared, Training, path_of
from roi.economics.lines.api_bill import service
from roi.economics.option_kinds import PADDED
from roi.economics.outlook import bill_at_todays_list
from roi.economics.worked_out import BillFacts
from roi.errors import ScenarioError
from roi.estimate.replay.fleet import load_curve_from_peak
from roi.evidence.known_runs import KnownRuns, known_runs
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.own_terms import add_option_terms, cautions_of, check_options, tell_spot_in_vain
from roi.resolution.plan_capacity import FleetPlan
from roi.resolution.request_lengths import CACHED, length_rows
from roi.resolution.scores.escalations import add_escalations
from roi.resolution.scores.paired_scores import tell_caution
from roi.resolution.template_facts import mark_template
from roi.resolution.vendors.api_options import add_api_options
from roi.resolution.vendors.hosted_options import add_hosted_options
from roi.resolution.vendors.list_prices import months_to_last_day
from roi.scenario.bill import bill_moved, workload_billed
from roi.scenario.quantity import SMALLEST, Spread, as_spread, value_of
from roi.scenario.scenario import Scenario
from roi.scenario.sections.apis import ApiTerms
from roi.scenario.sections.demand import BURST_WITHIN_HOUR, Incumbent, Workload
from roi.scenario.sections.supply import KINDS_OF_CHANGE
from roi.units import DAYS_PER_MONTH, dollars

PEAK_DEFAULT = Spread(
    value=3.0, low=2.0, high=5.0,
    source="busiest minutes over mean: 1.5 to 3.9 in one hour, 1.9 to 3.3 over 14 days (Azure 2023, ServeGen)",
)
FAR_OFF = 2.0
CHECK_FIRST = "; so far off, check requests_per_day, the lengths and the model before believing anything here"
SUCCESSORS = 6
"""Successors of one model with a price ratio of their own, four of them within 36 months; each adds a dimension to the draws,
and where a horizon holds more than six the last repeats."""
GAP_WORTH_SAYING = 0.10
"""A bill further from the estimate than this gets a warning."""
UNITS_ARE_THE_BILL = "units or seats are paid: their number and fee are what is billed, whatever is asked"
ROUNDED = 0.03
"""Share by which a bill may differ from the commitment that it is: hours of a month of 30 days are 1.4% fewer than 730, those
of one of 31 are 1.9% more."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A scenario with its Case, and what was found on the way to it: what a question about a scenario is answered from."""

    scenario: Scenario
    case: Case
    plans: Mapping[str, tuple[FleetPlan, ...]]
    """The plans of each option that runs GPUs, as the Case numbers them, by the option's id."""
    known: KnownRuns
    """What the Case was resolved with."""
    warnings: tuple[str, ...]
    """What a reader should know about how the Case was made."""
    places: Mapping[str, Sequence[str]]
    """Paths of the facts that come from each field of the scenario."""


def resolve(scenario: Scenario, runs: KnownRuns | None = None) -> Resolved:
    """The scenario with its Case. Raises ScenarioError or UnknownName for what the catalog does not hold.

    `runs` are profiles and calibrations whose evidence replaces formulas; without them the published ones do.
    """
    sheet = FactSheet(runs or known_runs())
    _add_frame(sheet, scenario)
    _add_workload(sheet, scenario)
    _add_quality(sheet, scenario)
    _add_people(sheet, scenario)
    _add_training(sheet, scenario)
    _add_serving(sheet, scenario)
    add_option_terms(sheet, scenario)
    add_api_options(sheet, scenario)
    add_hosted_options(sheet, scenario)
    tell_spot_in_vain(sheet, scenario)
    add_escalations(sheet, scenario)
    check_options(sheet, scenario)
    _add_reconciliation(sheet, scenario)
    mark_template(sheet, scenario)
    warnings = tuple(dict.fromkeys(sheet.warnings))
    return Resolved(scenario=scenario, case=sheet.case(), plans=sheet.plans, known=sheet.known, warnings=warnings,
                    places=sheet.places)


def _add_frame(sheet: FactSheet, s: Scenario) -> None:
    sheet.state("title", s.title)
    sheet.state("as_of", s.as_of.isoformat())
    for name in ("horizon_months", "draws", "seed"):
        sheet.add(name, getattr(s, name), basis=_basis(name in s.model_fields_set), source=f"scenario {name}")
    rate = _basis("discount_rate" in s.model_fields_set)
    sheet.add("discount_rate_per_year", s.discount_rate, "1/year", basis=rate, source="scenario discount_rate")
    for name in type(s.verdict).model_fields:
        stated = _basis(name in s.verdict.model_fields_set)
        sheet.add(f"verdict.{name}", float(getattr(s.verdict, name)), basis=stated, source=f"scenario verdict.{name}")
    if not s.incumbent.may_stay:
        sheet.state(path_of(Shared, "may_stay"), False, "scenario incumbent.may_stay")
    if s.accept:
        sheet.state("accept", ",".join(s.accept), "scenario accept")
    for gate in QUESTIONS:
        sheet.state(f"gates.{gate}", getattr(s.gates, gate), f"scenario gates.{gate}")
    sheet.fields("drift", s.drift, "gpu_rent_per_year", "successor_price_ratio", "successor_error_ratio")
    life = as_spread(s.drift.model_life_months)
    ends = int(s.horizon_months / (life.value if life.low is None else life.low)) + 1  # the first may be announced for tomorrow
    if sheet.facts["drift.successor_price_ratio"].uncertain:
        for n in range(2, min(ends, SUCCESSORS) + 1):
            sheet.field(f"drift.successor_price_ratio.{n}", s.drift, "successor_price_ratio", "drift")


def _basis(stated: bool) -> Basis:
    return Basis.STATED if stated else Basis.ASSUMED


def _add_workload(sheet: FactSheet, s: Scenario) -> None:
    w = s.workload
    sheet.warnings += [f"workload.{name} moves nothing: no answer has a second token (workload.output_tokens)"
                       for name in w.model_fields_set & {"tpot_p95_s"} - w.slo_s.keys()]
    sheet.fields("workload", w, "requests_per_day", "growth_per_year", "can_wait_share")
    if w.unsure is not None:
        sheet.state("workload.unsure", w.unsure, "scenario workload.unsure")
    sheet.fields("workload", w, "shared_prefix_tokens", "cache_hit_rate")
    if w.waits_hours is not None:
        sheet.state(path_of(Shared, "waits_hours"), w.waits_hours, "scenario workload.waits_hours", "hours")
        if value_of(w.can_wait_share) <= 0:
            sheet.warnings.append("workload.waits_hours moves nothing: no request can wait (workload.can_wait_share)")
    for n, step in enumerate(w.steps):
        sheet.fields(f"workload.steps.{n}", step, "from_month", "ratio")
    if w.escalated_cache_hit_rate is not None:
        path = "workload.escalated_cache_hit_rate"
        sheet.quantity(path, w.escalated_cache_hit_rate, "share", stated=True, source=f"scenario {path}")
    for path, row in length_rows(w).items():
        sheet.state(path, row, "scenario workload.lengths" if w.lengths else f"scenario {path}")
    if w.lengths is None and any(as_spread(x or 0.0).low is not None for x in (w.input_tokens, w.output_tokens)):
        told = "workload.input_tokens and output_tokens: low and high are not drawn; mean lengths are taken as exact"
        sheet.warnings.append(told)
    peak = PEAK_DEFAULT if w.peak_to_mean is None else w.peak_to_mean
    why = "scenario workload.peak_to_mean"
    if w.hourly_weights is not None:
        weights = np.asarray(w.hourly_weights)
        curve = weights / weights.mean()
        if w.peak_to_mean is None:
            b, busiest, why = BURST_WITHIN_HOUR, float(curve.max()), ""
            peak = Spread(value=busiest * b.value, low=busiest * (b.low or 1), high=busiest * (b.high or 1),
                          source=f"busiest hour {busiest:.2f} x {b.source}")
    else:
        curve = load_curve_from_peak(value_of(peak))
    sheet.quantity("workload.peak_to_mean", peak, "ratio", stated=w.peak_to_mean is not None, source=why)
    sheet.add("workload.load_curve", tuple(float(x) for x in curve), "ratio", basis=_basis(w.hourly_weights is not None),
              source="scenario workload.hourly_weights" if w.hourly_weights else "straight line in the log up to peak_to_mean")
    sheet.fields("workload", w, *w.slo_s)
    i = s.incumbent
    sheet.field("commitment.usd_per_month", i, "committed_usd_per_month", "incumbent")
    sheet.state("commitment.months", months_to_last_day(i, s.as_of) or 0.0, "scenario incumbent.committed_until", "months")
    blocks: dict[str, Incumbent | ApiTerms] = {"incumbent": i, **{f"apis.{name}": own for name, own in s.apis.items()}}
    sheet.warnings += [f"{field}.committed_until: {x.committed_until} is before as_of, {s.as_of}: that commitment is over"
                       " and costs nothing" for field, x in blocks.items() if x.committed_until is not None
                       and x.committed_until < s.as_of and value_of(x.committed_usd_per_month) > 0]


def _add_quality(sheet: FactSheet, s: Scenario) -> None:
    stated = _basis("bar" in s.quality.model_fields_set)
    sheet.add("quality.bar", s.quality.bar, "share", basis=stated, source="scenario quality.bar")
    sheet.fields("quality", s.quality, "usd_per_error", "judge_usd_per_request")
    for each in cautions_of(s):
        tell_caution(sheet, each.says, each.about)


def _add_people(sheet: FactSheet, s: Scenario) -> None:
    p = s.people
    sheet.fields("people", p, "usd_per_hour", "wage_growth_per_year", "existing_hours_per_month")
    sheet.state("people.existing_hours_on_call_only", p.existing_hours_on_call_only)
    sheet.field("migration.hours", p, "migration_hours", "people")
    sheet.fields("evaluation", s.evaluation, "usd", "labels", "usd_per_label", "months")
    for name in ("setup_hours", "run_hours_per_month", "months_to_live", "months_in_parallel"):
        sheet.state(f"changes.none.{name}", 0.0, "staying changes nothing", "hours" if "hours" in name else "months")
    for group in KINDS_OF_CHANGE:
        own = f"changes.{group}"
        sheet.field(f"{own}.setup_hours", p.setup_hours, group, "people.setup_hours")
        sheet.field(f"{own}.run_hours_per_month", p.run_hours_per_month, group, "people.run_hours_per_month")
        sheet.field(f"{own}.months_to_live", s.timing.months_to_live, group, "timing.months_to_live")
        if group == "api" and group not in s.timing.months_to_live.model_fields_set:
            sheet.state(f"{own}.in_time", True, "timing.months_to_live.api is left out")
        if group == "cache_batch":
            sheet.state(f"{own}.months_in_parallel", 0.0, "the same API", "months")
        else:
            sheet.field(f"{own}.months_in_parallel", s.timing, "months_in_parallel", "timing")
    parts = [name for name in type(s.platform).model_fields if name != "total"]
    if s.platform.total is not None:
        sheet.field("platform.total_usd_per_month", s.platform, "total", "platform")
        for name in parts:
            sheet.state(f"platform.{name}_usd_per_month", 0.0, "in platform.total", "USD/month")
    for name in parts:
        sheet.field(f"platform.{name}_usd_per_month", s.platform, name, "platform")


def _add_training(sheet: FactSheet, s: Scenario) -> None:
    t = s.training
    sheet.fields("training", t, "runs_until_good", "retrain_runs", "retrain_hours", "relabel_share")
    sheet.state("training.retrain_evaluates", t.retrain_evaluates, "scenario training.retrain_evaluates")
    if t.retrain_every_months is not None:
        sheet.fields("training", t, "retrain_every_months")
    sheet.state(path := "training.labels_from", t.labels_from, "scenario" + f" {path}" * ("labels_from" in t.model_fields_set))
    sheet.fields("training", t, "examples")
    why = "examples that the hours and vendor prices of a run stand for; they scale with training.examples"
    sheet.state("training.examples_costed", value_of(t.examples), why, "examples")
    if t.adapters > 1:
        sheet.state(path_of(Training, "adapters"), t.adapters, "scenario training.adapters", "adapters")
        sheet.field(path_of(Training, "further_hours"), t, "further_adapter_hours", "training")
        sheet.warnings.append(f"training.adapters: {t.adapters:,} are trained on {value_of(t.examples):,.0f} examples each,"
                              " labelled, evaluated and trained again; hours a month, months until live and the score are those"
                              " of all together")
    free = "already paid for" if t.labels_owned else "the incumbent's logged outputs" if t.labels_from == "incumbent" else ""
    bought = 0.0 if free else 1.0
    sheet.state("training.labels_bought_share", bought, free or "scenario training.labels_from: people", "share")
    if t.labels_owned and t.labels_from == "people":
        sheet.state("training.fresh_labels_bought_share", 1.0, "those that are owned are not fresh at a retraining", "share")


def _add_serving(sheet: FactSheet, s: Scenario) -> None:
    v = s.serving
    sheet.fields("serving", v, "headroom")
    sheet.state(path_of(Option, "fleet_share"), 1.0 / v.adapters_on_base, "scenario serving.adapters_on_base", "share")
    if v.adapters_on_base > 1:
        sheet.state(path_of(Option, "workloads"), v.adapters_on_base, "scenario serving.adapters_on_base", "workloads")
        sheet.warnings.append(f"serving.adapters_on_base: {v.adapters_on_base:,} workloads like this one are on the fleet,"
                              " their peaks in the same minutes; this one pays one part of GPUs, platform and the hours of"
                              " serving, all of its training, labels and evaluation")
    elif v.adapters == "shared" and s.training.adapters == 1:
        sheet.warnings.append("serving.adapters: shared applies one adapter at run time, slower than merged: where the workload"
                              " has several, one for each customer, training.adapters says how many; where other workloads are"
                              " on the base, serving.adapters_on_base")
    if _outlasts_a_start(s) and "spares" not in v.model_fields_set:
        why = "every request can wait, also for a replica that failed (serving.spares)"
        sheet.add("serving.spares", 0, basis=Basis.ASSUMED, source=why)
    for name in ("spares", "replicas_least", "autoscale_floor", "startup_hours"):
        sheet.add(f"serving.{name}", getattr(v, name), basis=_basis(name in v.model_fields_set), source=f"serving.{name}")
    _add_hours_of_work(sheet, s)
    sheet.state("serving.autoscale", v.autoscale)
    sheet.state("serving.lets_wait", v.lets_wait)
    if v.spill_share is not None:
        sheet.fields("serving", v, "spill_share")
    _add_prefix_hits(sheet, s)
    own = s.own_hardware
    left_out = "own_hardware.cards are left out of the options: candidates.own_hardware: false"
    sheet.warnings += [left_out] * bool(own.cards and not s.cards)
    if s.candidates.own_hardware or s.cards:
        if value_of(own.usd_per_kwh) > 0 and "colocation_usd_per_kw_month" not in own.model_fields_set:
            why = "own premises: scenario own_hardware.usd_per_kwh"
            sheet.state("own_hardware.colocation_usd_per_kw_month", 0.0, why, "USD/kW/month")
        if own.cards:
            sheet.state("own_hardware.host_usd_per_gpu", 0.0, "in own_hardware.resale_usd_per_gpu", "USD")
            sheet.state("own_hardware.install_share", 0.0, "the cards stand already", "share")
        elif s.candidates.gpus and all(find_gpu(name).apple for name in s.candidates.gpus) and (
                "host_usd_per_gpu" not in own.model_fields_set):
            sheet.state("own_hardware.host_usd_per_gpu", 0.0, "a Mac is a whole computer", "USD")
        sheet.state("own_hardware.as_a_whole", own.as_a_whole)
        apart = {"cards", "resale_usd_per_gpu", "purchase_usd_per_gpu", "watts_per_gpu", "as_a_whole"}
        sheet.fields("own_hardware", own, *(n for n in type(own).model_fields if n not in apart))


def _all_wait(s: Scenario) -> bool:
    """True where every request can wait, in every draw, and servers of one's own let it."""
    waits = as_spread(s.workload.can_wait_share)
    return s.serving.lets_wait and waits.value == 1.0 and waits.low in {None, 1.0}


def _outlasts_a_start(s: Scenario) -> bool:
    """True where every request can wait until a server has started."""
    return _all_wait(s) and (s.workload.waits_hours is None or s.workload.waits_hours > s.serving.startup_hours)


def _add_prefix_hits(sheet: FactSheet, s: Scenario) -> None:
    """How often own servers find the shared prefix, where that is stated; a warning where it moves nothing, or would."""
    v, w = s.serving, s.workload
    prefix, hits = w.longest_prefix, value_of(w.cache_hit_rate)
    if v.prefix_hit_rate is not None:
        sheet.fields("serving", v, "prefix_hit_rate")
        if prefix <= 0 or not s.candidates.self_hosted:
            left = "workload.shared_prefix_tokens: 0" if prefix <= 0 else "candidates.self_hosted: none"
            sheet.warnings.append(f"serving.prefix_hit_rate moves nothing: {left}")
    elif prefix > 0 and hits <= 0 and s.candidates.self_hosted:
        sheet.warnings.append(f"workload.cache_hit_rate is {hits:g}, so own servers are taken to compute the shared prefix of"
                              f" {prefix:,.0f} tokens anew for every call; engines keep one that all share:"
                              " serving.prefix_hit_rate says how often they find it")


def _add_hours_of_work(sheet: FactSheet, s: Scenario) -> None:
    """What GPUs that run for the hours of work alone need and are billed by; and where they could."""
    v = s.serving
    if v.billing_hours:
        sheet.state("serving.billing_hours", v.billing_hours, "scenario serving.billing_hours", "hours")
        if not v.autoscale:
            sheet.warnings.append("serving.billing_hours moves nothing: GPUs run all day without serving.autoscale: true")
        elif v.autoscale_floor > 0 and v.billing_hours <= 1.0:
            sheet.warnings.append("serving.billing_hours moves nothing: a fleet that follows the hours of the day"
                                  " (serving.autoscale_floor above 0) pays whole hours anyway")
    if v.autoscale_floor == 0 and _all_wait(s) and not _outlasts_a_start(s):
        raise ScenarioError("workload.waits_hours", s.workload.waits_hours, "serving.autoscale_floor: 0 lets requests wait for"
                            f" a start: more than serving.startup_hours, {v.startup_hours:g}")
    empty_hours = 0.0 in (s.workload.hourly_weights or ())
    if v.autoscale_floor == 0 and not (v.autoscale and (_all_wait(s) or empty_hours)):
        waits = value_of(s.workload.can_wait_share)
        raise ScenarioError("serving.autoscale_floor", 0, "0 needs serving.autoscale: true and requests that all can wait,"
                            f" workload.can_wait_share: 1 (here {str(v.autoscale).lower()} and {waits:g}"
                            f"{'' if v.lets_wait else ', with serving.lets_wait: false'}), or hours without"
                            " any, a 0 in workload.hourly_weights; where some come at once, a host that bills an adapter by the"
                            " token is apis.VENDOR/MODEL+tuned")
    if "autoscale_floor" in v.model_fields_set and not v.autoscale:
        sheet.warnings.append("serving.autoscale_floor moves nothing: it is the least of a fleet that follows the hours of the"
                              " day (serving.autoscale: true)")
    if _all_wait(s) and s.candidates.self_hosted and not v.autoscale:
        sheet.warnings.append("every request can wait, and rented GPUs are paid day and night all the same: serving.autoscale:"
                              " true with autoscale_floor: 0 rents them for the hours of work alone")


def _check_units(sheet: FactSheet, i: Incumbent, bill: float) -> None:
    """Say where a stated bill is not what today's units or seats cost: it moves nothing, since they are what is paid."""
    computed = bill_at_todays_list(sheet.case())
    sheet.state(OVER_UNITS, bill / computed, "scenario incumbent.bill_usd_per_month", "ratio")
    if abs(bill / computed - 1.0) > GAP_WORTH_SAYING:
        field = "seats" if i.seats is not None else "provisioned_throughput"
        told = (f"The bill, ${bill:,.0f}, is {bill / computed:.2f} x what incumbent.{field} and its overflow come to,"
                f" ${computed:,.0f}; it moves nothing: correct their number or fee")
        sheet.state("reconciliation.told", told)
        sheet.warnings.append(told)


def _owed_told(i: Incumbent, as_of: date, bill: float, estimate: float) -> str | None:
    """Says that the bill is what is committed, USD a month, of which the requests use `estimate`; None where it is not."""
    committed = value_of(i.committed_usd_per_month) if months_to_last_day(i, as_of) else 0.0
    if estimate >= committed or abs(bill / committed - 1) >= ROUNDED:
        return None
    return (f"The bill is what is committed, {dollars(committed, 10)} a month; these requests use ${estimate:,.0f} of it at the"
            f" scenario's prices, and cost that after {i.committed_until}")


def _add_reconciliation(sheet: FactSheet, s: Scenario) -> None:
    """Add bill / (requests a month x list cost of a request, discount included) as a factor; 1 without a bill.

    A bill of what is committed, of which the requests use less, is no gap: it says that the rest is owed unused.
    """
    i = s.incumbent
    factor, share = path_of(BillFacts, "factor"), path_of(BillFacts, "volume_share")
    sheet.field(share, i, "bill_is_volume_share", "incumbent")
    if i.bill_usd_per_month is None or i.paid_by is not None:
        sheet.facts[share] = sheet.facts[share].model_copy(update={"low": None, "high": None})
        why = "no bill given: the estimate is not reconciled" if i.paid_by is None else UNITS_ARE_THE_BILL
        sheet.add(factor, 1.0, "ratio", basis=Basis.ASSUMED, source=why)
        if s.bill_told is not None and (i.paid_by is not None or i.served):
            sheet.state("reconciliation.told", s.bill_told)
            sheet.warnings.append(s.bill_told)
        elif i.paid_by is not None and i.bill_usd_per_month is not None:
            _check_units(sheet, i, value_of(i.bill_usd_per_month))
        return
    billed, bill = workload_billed(i, s.workload), value_of(i.bill_usd_per_month)
    estimate, a_request, options = _estimate(sheet, billed)
    if estimate < SMALLEST:
        raise ScenarioError("incumbent.bill_usd_per_month", bill, f"leave it out: the estimate is ${estimate:.2g} a month")
    owed = _owed_told(i, s.as_of, bill, estimate)
    gap = 1.0 if owed else bill / estimate
    moved = owed if owed or i.bill_of is None else bill_moved(i, s.workload, gap * _estimate(sheet, s.workload)[0])
    if said := "; ".join(filter(None, (s.bill_told, moved))):
        sheet.state("reconciliation.told", said)
        sheet.warnings.append(said)
    told = f"bill ${bill:,.2f} / estimate ${estimate:,.2f} a month (scenario incumbent.bill_usd_per_month)"
    sheet.state(factor, gap, told, "ratio")
    for o in options.values():  # what the incumbent would cost with its cache or batch price on
        cheaper = a_request(o) / a_request(options["stay"]) if o.keeps_model and o.api is not None else 1.0
        near = max(gap, cheaper) < 1 - GAP_WORTH_SAYING and abs(gap / cheaper - 1) < GAP_WORTH_SAYING
        if near and o.infeasible is None and o.id != PADDED:
            sheet.state("reconciliation.as_with", o.label, f"{told}; {o.label} would cost {cheaper:.3g} x")
    if abs(gap - 1) > GAP_WORTH_SAYING:
        sheet.warnings.append(f"the bill is {gap:.2f} x the estimate at the scenario's prices (${bill:,.0f} against"
                              f" ${estimate:,.0f} a month): missing tokens, retries, or a negotiated price"
                              + (CHECK_FIRST if not 1 / FAR_OFF < gap < FAR_OFF else ""))


def _estimate(sheet: FactSheet, w: Workload) -> tuple[float, Callable[[Option], float], Mapping[str, Option]]:
    """What the requests of a workload cost a month at today's prices, USD; what one costs with an option; all options."""
    own = {f"workload.{name}": value_of(getattr(w, name)) for name in ("shared_prefix_tokens", "cache_hit_rate")}
    values = {**sheet.case().values(), path_of(BillFacts, "factor"): 1.0, **own, **dict.fromkeys(CACHED), **length_rows(w)}
    shared, options = read_all(sheet.case(), values)

    def a_request(o: Option) -> float:
        return float(np.asarray(service(shared, o).cost.usd))

    return value_of(w.requests_per_day) * DAYS_PER_MONTH * a_request(options["stay"]), a_request, options
