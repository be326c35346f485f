"""What a comparison counts and what it leaves out, so that nothing is left out in silence."""

from collections.abc import Mapping
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.lines.line_kind import LineKind
from roi.economics.option_kinds import OWN_HARDWARE, SELF_HOSTED
from roi.economics.outlook import announced_days
from roi.facts.fact import Basis
from roi.report.comparison.remarks.todays_units import TODAY, paid_by_unit
from roi.report.comparison.remarks.volume import steps
from roi.report.layout.wording import UNCOUNTED_SPOT, case_number, figure, kind_names, percent, served, usd

PROVISIONED = "provisioned throughput: whole units at their monthly fee, to the end of their commitment; seats likewise"
MOVES = "forced migrations when a vendor ends a model, announced or assumed"
COMMITTED = "committed spend, units and seats that are not used, today's and a candidate's"
MADE: Final = ("by-token", "shorter-prompt+less-reasoning")
"""Kinds that no candidate names: they are there where others, or what is paid today, make them."""
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
    LineKind.LONG: "requests too long for an option's own model, at the price and error rate of the API that takes them",
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
    to_come = [day for days in announced_days(c.case).values() for day in days]
    found += [f"{words}, each from its day on; successors' prices are over them"
              for words, stated in (("list prices that a vendor has announced", False),
                                    ("prices to come that the scenario states (apis)", True))
              if any(day.source.startswith("scenario ") is stated for day in to_come)]
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
    found += [f"steps of the volume, besides growth: {', '.join(told)}"] if (told := steps(c)) else []
    draws = case_number(c.case, "draws")
    if draws > 0 and c.case.uncertain:
        found.append(f"uncertainty: {len(c.case.uncertain)} facts with a spread, {draws:,.0f} draws, the same for all options")
    return found


def excluded(c: Comparison) -> list[str]:
    """What the comparison leaves out, one sentence each."""
    kinds = {str(c.case[f"options.{id}.kind"].value) for id in c.case.options}
    found = []
    if case_number(c.case, "quality.usd_per_error") <= 0:
        found.append("the cost of wrong answers: quality.usd_per_error is 0, so that options differ in price alone")
    if served(c.case):
        found.append("whether today's servers cost what costs says: no vendor bills them")
    elif case_number(c.case, "reconciliation.factor", 1.0) == 1.0 and not paid_by_unit(c):
        found.append("the real bill: incumbent.bill_usd_per_month is not given, so list prices and token counts are unchecked")
    found += _never_fewer_units(c)
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
    if any(path.endswith(".training.usd_per_gpu_hour") and " spot: " in fact.source for path, fact in c.case.facts.items()):
        found.append("interruptions of training on spot instances: steps done again, waiting")
    found += _of_servers(c) if kinds & SELF_HOSTED else []
    if OWN_HARDWARE in kinds:
        found.append("own hardware: insurance, disposal, network and shell of a data centre")
    used = {"flexible-tier": case_number(c.case, f"vendors.{c.case['options.stay.vendor'].value}.flexible.share") > 0.0,
            "provisioned": paid_by_unit(c) and f"{TODAY}seats" not in c.case}
    missing = [words + " (in use today)" * used.get(kind, False)
               for kind, words in kind_names().items() if kind not in kinds and kind not in MADE]
    if missing:
        found.append(f"options without a candidate in the scenario: {', '.join(missing)}")
    return found


def _of_servers(c: Comparison) -> list[str]:
    """What serving a model of one's own may cost besides."""
    spot = any(o.fleet is not None and o.fleet.rental == "spot" for o in c.options)
    return ["engineer hours that grow with the fleet: people.run_hours_per_month are the same for any",
            "waiting for GPU capacity and quotas; networks between the GPUs of several instances; region surcharges",
            *[UNCOUNTED_SPOT] * spot]


def _never_fewer_units(c: Comparison) -> list[str]:
    """How what a cascade hands on to today's model is billed, where that is paid by the unit."""
    handed = paid_by_unit(c) and any(line.kind is LineKind.ESCALATED for o in c.options for line in o.lines)
    billed = "once they are no longer owed it is billed by the token"
    return [f"fewer of today's units for what is handed on to today's model: {billed}"] if handed else []
