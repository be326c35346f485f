"""What a comparison counts and what it leaves out, so that nothing is left out in silence."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import FAILED
from roi.economics.decision.option_result import OptionResult
from roi.economics.lines.api_bill import WAYS
from roi.economics.lines.line_kind import LineKind
from roi.economics.option_kinds import KEEPS_MODEL
from roi.economics.reading import PLAIN
from roi.errors import first_of
from roi.facts.fact import Basis
from roi.report.comparison.option_figures import mean_npv, npv_of, option_of, own_path
from roi.report.comparison.second_look import self_hosting_of
from roi.report.layout.wording import (
    KINDS,
    case_number,
    few_slots,
    figure,
    number_of,
    percent,
    quantity,
    short_usd,
    usd,
)
from roi.scenario.scenario import OptionTerms

PROVISIONED = "provisioned throughput: whole units at their monthly fee, to the end of their commitment"
MOVES = "forced migrations when a vendor ends a model, announced or assumed"
COMMITTED = "committed spend that is not used, today's and a candidate's"
BILLS: Final = frozenset({LineKind.INCUMBENT, LineKind.INCUMBENT_MIGRATION, LineKind.SPILLED, LineKind.ESCALATED})
"""Lines that go to an API beside the option."""
SLO: Final = {"workload.ttft_p95_s": "TTFT", "workload.tpot_p95_s": "TPOT"}
SLOTS: Final = re.compile(r"([\d,]+) slots? for ([\d,]+) adapters?")
"""How the source of a plan's adapter_bytes_per_gpu begins."""
TOO_MANY_SLOTS: Final = " (serving.adapter_slots)"
"""How the reason ends of an option that slots for adapters leave no room."""
COUNTED: Final[Mapping[LineKind, str]] = {
    LineKind.API: "API tokens at the price list of the as-of date: input, cache reads and writes, output, batch",
    LineKind.PROVISIONED: PROVISIONED,
    LineKind.PROVISIONED_LEFT: PROVISIONED,
    LineKind.INCUMBENT: "the incumbent's bill until a change is live, and both bills in parallel",
    LineKind.SET_UP: "engineer hours and an evaluation before a change; porting is part of the hours",
    LineKind.TRAINING: "training: the run that is kept, runs that are not, labels",
    LineKind.RETRAINING:
        "retraining: runs, hours, fresh labels, and a new evaluation unless training.retrain_evaluates is false",
    LineKind.RENT: "GPU rent for every hour that an instance exists, busy or idle; spares; whole instances",
    LineKind.RENT_LEFT: "rent of a GPU commitment to its end, beyond the horizon too",
    LineKind.HOSTING: "vendors' monthly fees for hosting a tuned model",
    LineKind.PLATFORM: "platform: load balancer, logs, staging, storage, egress, monitoring",
    LineKind.HARDWARE: "own hardware: price, installation, power, space, replacement, resale",
    LineKind.OPERATION: "on-call and operation, hours a month",
    LineKind.ESCALATED: "escalated requests, which pay the first model and the incumbent",
    LineKind.JUDGE: "the judge that decides what is escalated, for every request that the first model answers",
    LineKind.SPILLED: "requests above the floor's capacity, at the API's price and error rate",
    LineKind.MIGRATION: MOVES,
    LineKind.INCUMBENT_MIGRATION: MOVES,
    LineKind.COMMITMENT: COMMITTED,
    LineKind.OWN_COMMITMENT: COMMITTED,
}
"""What the list says where some option has a line of this kind; costs of one's own and wrong answers say their figures."""


def included(c: Comparison) -> list[str]:
    """What the comparison counts, one sentence each."""
    kinds = {line.kind for o in c.options for line in o.lines}
    found = list(dict.fromkeys(words for kind, words in COUNTED.items() if kind in kinds))
    if any(path.endswith(".announced.0.from") for path in c.case.facts):
        found.append("list prices that a vendor has announced, each from its day on; successors' prices are over them")
    if (errors := case_number(c.case, "quality.usd_per_error")) > 0:
        beside = "; the verdict leaves them out, since that price is the template's guess" * (c.verdict.counts == "cash")
        found.append(f"wrong answers at {usd(errors)} each, for every option and for staying{beside}")
    own = [str(fact.value) for path, fact in c.case.facts.items() if path.startswith("costs.") and path.endswith(".name")]
    found += [f"costs of your own: {', '.join(own)}"] if own else []
    factor = case_number(c.case, "reconciliation.factor", 1.0)
    if factor != 1.0:
        found.append(f"the real bill: {figure(factor)} x the estimate at the scenario's prices, split into volume and price")
    rate = percent(case_number(c.case, "discount_rate_per_year"))
    found.append(f"discounting at {rate} a year; growth of requests and wages, drift of GPU rent")
    draws = case_number(c.case, "draws")
    if draws > 0 and c.case.uncertain:
        found.append(f"uncertainty: {len(c.case.uncertain)} facts with a spread, {draws:,.0f} draws, the same for all options")
    return found


def one_of_several(c: Comparison) -> list[str]:
    """What of the leading option's fleet others pay, and what of its work is done for each of several adapters."""
    told, lead = [], c.leader
    share, workloads = (case_number(c.case, f"serving.{name}", 1.0) for name in ("fleet_share", "workloads_on_base"))
    if workloads > 1.0 and any(o.fleet is not None for o in c.options):
        told.append(f"{workloads:,.0f} workloads share the fleet, at their peaks together: {percent(share)} of its GPUs,"
                    " platform and serving hours is counted, all of training, labels, evaluation (serving.adapters_on_base)"
                    f"{_hours_of_its_own(c, workloads)}")
    elif share < 1.0 and lead.fleet is not None:  # as older Cases have it
        told.append(f"{percent(share)} of the rent is counted: other workloads pay the rest (serving.adapters_on_base)")
    if lead.training is not None and lead.training.adapters > 1.0:
        told.append(f"{lead.training.adapters:,.0f} adapters, each trained, labelled and evaluated; months until live, hours a"
                    " month and the score are of all together (training.adapters)")
    return told


def adapters_at_once(c: Comparison) -> list[str]:
    """Where options that lead, follow or are named have fewer slots than adapters; which option stated slots leave no room."""
    out = [f"{o.label} is out: {o.reason}" for o in c.infeasible if o.reason.endswith(TOO_MANY_SLOTS)]
    return [told for told in (slots_of(c, _named(c)), *out[:1]) if told]


def _named(c: Comparison) -> list[OptionResult]:
    """The options that lead, follow or are named beside the table, the leading one first."""
    v, hosted = c.verdict, self_hosting_of(c)
    measured = v.measure_first or v.then
    ids = (v.leader, v.first_move, v.second, hosted and hosted.id, v.challenger, measured and measured.option,
           *(passed.option for passed in v.passed_over))
    return [o for id in dict.fromkeys(ids) for o in c.options if o.id == id]


def slots_of(c: Comparison, options: Iterable[OptionResult]) -> str:
    """How many adapters fit at once on the cards of these options; empty where all do, or none is applied at run time."""
    held = dict[str, tuple[float, float]]()
    for o in options:
        plans = f"options.{o.id}.plans."
        for path, fact in c.case.facts.items():
            head, _, name = path.rpartition(".")
            found = SLOTS.match(fact.source) if path.startswith(plans) and name == "adapter_bytes_per_gpu" else None
            if o.fleet is None or found is None or (o.fleet.gpu, o.fleet.vendor, o.fleet.weight_dtype) != tuple(
                    c.case[f"{head}.{each}"].value for each in ("gpu", "vendor", "weight_dtype")):
                continue
            slots, adapters = (float(each.replace(",", "")) for each in found.groups())
            system, gpus = c.case[f"options.{o.id}.system"].value, case_number(c.case, f"{head}.gpus_per_replica", 1.0)
            held.setdefault(f"{gpus:.0f} x {o.fleet.gpu} ({system})", (slots, adapters))
    return few_slots(held)


def _hours_of_its_own(c: Comparison, workloads: float) -> str:
    """What hours the workload has for itself, where set-up and on-call cost most of its own, and who would have them once."""
    o, sums = c.leader, defaultdict[LineKind, float](float)
    for line in o.lines:
        if line.cash and line.kind not in BILLS:
            sums[line.kind] += line.upfront_usd + sum(line.monthly_usd)
    hours_usd = sums.pop(LineKind.SET_UP, 0.0) + sums.pop(LineKind.OPERATION, 0.0)
    if o.fleet is None or hours_usd <= max(sums.values(), default=0.0):
        return ""
    hours = [case_number(c.case, own_path(c, o, name)) * (1.0 - case_number(c.case, own_path(c, o, shared), 0.0))
             for name, shared in (("setup_hours", "setup_hours_shared"), ("run_hours", "run_hours_shared"))]
    until, month = map(figure, hours)
    return (f"; {until} hours until live and {month} a month are its own, most of its cost: one company with"
            f" {workloads:,.0f} adapters has them once (training.adapters)")


def staying_late(c: Comparison) -> list[str]:
    """That today's model misses the SLO, as was measured, and which option is known to keep it."""
    missed = missed_slo(c, "stay")
    if not missed:
        return []
    told = " and ".join(f"{SLO[path]} {quantity(found, 's')} as measured, at most {figure(case_number(c.case, path))} ({path})"
                        for path, found in missed.items())
    alike = c.leader.kind in KEEPS_MODEL and c.leader.id != "stay"
    who = f"Staying does not keep the SLO{f', nor does {c.leader.label}, the same model' if alike else ''}"
    keeping = [o for o in c.options if _known_to_keep(c, o, missed)]
    if not keeping:
        return [f"{who}: {told}; no option is known to (apis.NAME)"]
    best = max(keeping, key=lambda o: (o.tested, npv_of(c, o)[0]))
    untested = "" if best.tested else ", not tested"
    npv = f"{mean_npv(c)} {short_usd(npv_of(c, best)[0])}{untested}"
    others = [o for o in c.options if o.kind in PLAIN and o.kind not in KEEPS_MODEL and not missed_slo(c, o.id)]
    cheaper = max((o for o in others if npv_of(c, o)[0] > npv_of(c, best)[0]), key=lambda o: npv_of(c, o)[0], default=None)
    unknown = "" if cheaper is None else f"; nobody measured {cheaper.label}'s, which costs less (apis)"
    return [f"{who}: {told}. Of what is known to, {best.label} does best: {npv}{unknown}"]


def _known_to_keep(c: Comparison, o: OptionResult, limits: Iterable[str]) -> bool:
    """True where an option's fleet holds all of its load and was replayed at the SLO, or its API was measured within limits."""
    if o.fleet is not None:
        plans, rate = f"options.{o.id}.plans.", ".capacity_requests_per_s"
        held = [fact for path, fact in c.case.facts.items() if path.startswith(plans) and path.endswith(rate)]
        return o.kind != "hybrid" and not any(fact.basis is Basis.STATED for fact in held)
    return o.kind in PLAIN and all(0.0 < _measured(c, o.id, path) <= case_number(c.case, path) for path in limits)


def missed_slo(c: Comparison, id: str) -> dict[str, float]:
    """The limits that an option's API misses as measured, and what was measured; none where everything can wait."""
    held = case_number(c.case, "workload.can_wait_share", 0.0) < 1.0
    return {path: found for path in SLO if held and (found := _measured(c, id, path)) > case_number(c.case, path)}


def _measured(c: Comparison, id: str, path: str) -> float:
    """What was measured of an option's API against the limit at the path, s; 0 where nobody did."""
    vendor = c.case[f"options.{id}.vendor"].value if f"options.{id}.vendor" in c.case else ""
    return case_number(c.case, path.replace("workload.", f"apis.{vendor}."), 0.0)


def late_batch(c: Comparison) -> list[str]:
    """Batch tiers that are out, since what can wait must be answered before they promise it."""
    waits, ending = case_number(c.case, "workload.waits_hours", 24.0), ".batch_hours"
    late = {path.removeprefix("apis.").removesuffix(ending): case_number(c.case, path) for path in c.case.facts
            if path.endswith(ending) and case_number(c.case, path) > waits}
    if not late or case_number(c.case, "workload.can_wait_share", 0.0) <= 0.0:
        return []
    hours = " or ".join(figure(each) for each in sorted(set(late.values())))
    tier, today = "tier" if len(late) == 1 else "tiers", case_number(c.case, "options.stay.batch_share", 0.0)
    told = (f"Left out, the batch {tier} of {first_of(list(late), 2)}: promised within {hours} hours, the work has"
            f" {figure(waits)}")
    paid = today > 0.0 and str(c.case["options.stay.vendor"].value) in late
    held = f"; today's bill still holds {percent(today)} at it (incumbent.batch_share)" if paid else ""
    return [f"{told} (workload.waits_hours); sooner is common, not promised{held}"]


def batch_words(c: Comparison, o: OptionResult) -> str:
    """How long the batch tier may take where it is switched on, or that another API model's is used; empty for neither."""
    if o.kind == "cache-batch" and case_number(c.case, "workload.can_wait_share", 0.0) > 0:
        hours = case_number(c.case, f"apis.{c.case[f'options.{o.id}.vendor'].value}.batch_hours", 24.0)
        return f"; what can wait may take the vendor {'a day' if hours == 24.0 else f'{figure(hours)} hours'}"
    now, then = (any(line.name == WAYS["batch"] for line in each.lines) for each in (option_of(c, "stay"), o))
    return "; what can wait at its batch price" if o.kind in PLAIN and then and not now else ""


def unstated_reasoning(c: Comparison) -> list[str]:
    """That the leading option has no reasoning tokens only because nobody stated them, while today's model is stated to have.

    Where it runs no GPUs, whose speed would be another, what is advised if it has as many.
    """
    systems = [str(c.case[f"options.{id}.system"].value) for id in (c.verdict.leader, "stay")]
    own, today = (f"systems.{system}.reasoning_tokens" for system in systems)
    each = case_number(c.case, today, 0.0)
    if own == today or each <= 0 or own not in c.case or c.case[own].basis is not Basis.ASSUMED:
        return []
    told = (f"{systems[0]} is counted without reasoning tokens, {systems[1]} with {figure(each)} a request"
            f" (tokens.{systems[0]}.reasoning_tokens)")
    if c.leader.fleet is not None:
        return [told]
    then = c.leader_at({own: each})
    label = next(o.label for o in c.options if o.id == then)
    change = "to stay" if then == "stay" else f"to change to {label}"
    return [f"{told}; with as many the advice {'holds' if then == c.verdict.leader else f'is {change}'}"]


def excluded(c: Comparison) -> list[str]:
    """What the comparison leaves out, one sentence each."""
    kinds = {str(c.case[f"options.{id}.kind"].value) for id in c.case.options}
    found = []
    if case_number(c.case, "quality.usd_per_error") <= 0:
        found.append("the cost of wrong answers: quality.usd_per_error is 0, so that options differ in price alone")
    if case_number(c.case, "reconciliation.factor", 1.0) == 1.0:
        found.append("the real bill: incumbent.bill_usd_per_month is not given, so list prices and token counts are unchecked")
    if "cascade" in kinds and case_number(c.case, "quality.judge_usd_per_request", 0.0) <= 0:
        found.append("the judge that decides what a cascade escalates: quality.judge_usd_per_request is 0, as where the first"
                     " model's own confidence decides")
    if case_number(c.case, "draws") <= 0 or not c.case.uncertain:
        found.append("uncertainty: no draws, central values only")
    found += [
        "VAT and sales tax, income tax, depreciation, financing",
        "currencies other than USD; inflation other than wages",
        "any value of adapters and training data at the end of the horizon",
        "list prices that change before a model ends, unless announced; price changes enter with its successor",
        "legal, privacy and security review, data residency, certification, exit costs of contracts",
        "API rate limits and outages; latency beyond the SLO; quality other than right or wrong",
    ]
    silent = [p for p, f in c.case.facts.items() if p.endswith(".reasoning_tokens") and f.basis is Basis.ASSUMED]
    if silent:
        found.append("reasoning tokens where tokens.MODEL.reasoning_tokens does not state them; they are billed as output")
    if kinds & {"self-hosted-base", "self-hosted-adapter", "hybrid", "own-hardware"}:
        found.append("waiting for GPU capacity and quotas; networks between the GPUs of several instances; region surcharges")
    if "own-hardware" in kinds:
        found.append("own hardware: insurance, disposal, network and shell of a data centre")
    missing = [words for kind, words in KINDS.items() if kind not in kinds]
    if missing:
        found.append(f"options without a candidate in the scenario: {', '.join(missing)}")
    return found


def for_nothing(c: Comparison) -> list[str]:
    """What is stated for nothing: a cost after the horizon, hours of what can wait where nothing can, terms of what is out."""
    facts, waits, horizon = c.case.facts, "workload.waits_hours", case_number(c.case, "horizon_months")
    begins = {path: case_number(c.case, path) for path in facts if path.startswith("costs.") and path.endswith(".from_month")}
    told = [f"{facts[path.replace('.from_month', '.name')].value} costs nothing within the horizon of {figure(horizon)} months:"
            f" it begins in month {figure(month)} ({path})" for path, month in begins.items() if month > horizon]
    if waits in facts and case_number(c.case, "workload.can_wait_share", 0.0) <= 0.0:
        told.append(f"{waits} moves nothing: no request can wait (workload.can_wait_share)")
    works = {o.kind for o in c.options}
    out = [o for o in c.infeasible if o.score is None and not o.reason.startswith(FAILED) and any(
        f"options.{o.id}.{name}" in facts or (f"kinds.{o.kind}.{name}" in facts and o.kind not in works)
        for name in OptionTerms.model_fields)]
    more = f"; and {number_of(len(out) - 1, 'other option')} that options names" if len(out) > 1 else ""
    return [*told, *(f"{o.label} has terms of its own (options) and is out: {o.reason.partition('. ')[0]}{more}"
                     for o in out[:1])]
