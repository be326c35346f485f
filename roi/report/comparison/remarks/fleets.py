"""Remarks on fleets: what workloads share of one, how many adapters fit on a card at once, the engineers of a large one."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.lines.line_kind import LineKind
from roi.facts.fact import OWN_VENDOR, guessed
from roi.report.comparison.option_figures import gpu_count, own_path
from roi.report.comparison.second_look import self_hosting_of
from roi.report.layout.wording import UNCOUNTED_SPOT, case_number, few_slots, figure, number_of, percent, short_usd

BILLS: Final = frozenset({LineKind.INCUMBENT, LineKind.INCUMBENT_MIGRATION, LineKind.SPILLED, LineKind.LONG,
                          LineKind.ESCALATED})
"""Lines that go to an API beside the option."""
FAILS_A_MONTH: Final = 419 / 16_384 / 54 * (365 / 12)
"""Unexpected interruptions of a GPU a month: 419 of 16,384 H100 in 54 days (Llama 3, arXiv 2407.21783, section 3.3.4), 1.4%."""
FAILURES: Final = 0.5
"""A month, from which on a fleet takes somebody's time beyond what one server does: every second month a GPU fails."""


def one_of_several(c: Comparison) -> list[str]:
    """What of the leading option's fleet others pay, and what of its work is done for each of several adapters."""
    told, lead = [], c.leader
    share, workloads = (case_number(c.case, f"serving.{name}", 1.0) for name in ("fleet_share", "workloads_on_base"))
    if workloads > 1.0 and any(o.fleet is not None for o in c.options):
        told.append(f"{workloads:,.0f} workloads share the fleet, at their peaks together: {percent(share)} of its GPUs,"
                    " platform and serving hours is counted, all of training, labels, evaluation (serving.adapters_on_base)"
                    f"{_hours_of_its_own(c, workloads)}")
    if lead.training is not None and lead.training.adapters > 1.0:
        told.append(f"{lead.training.adapters:,.0f} adapters, each trained, labelled and evaluated; months until live, hours a"
                    " month and the score are of all together (training.adapters)")
    return told


def surer_plan(c: Comparison, o: OptionResult) -> str:
    """What an option's plan is where it would save more on average on another; empty where on none."""
    if o.fleet is None or (found := c.surer_plan(o.id)) is None:
        return ""
    plan = found.plan
    keys = "gpus" if plan.gpu != o.fleet.gpu else "vendors, serving.tensor_parallel, serving.weight_dtypes"
    at = "" if plan.vendor == OWN_VENDOR else f", {plan.vendor}"
    floor = "replicas" if found.replicas is None else number_of(found.replicas, "replica")
    return (f"the cheapest at the central values; over the draws {floor} of {gpu_count(float(plan.gpus_per_replica))} x"
            f" {plan.gpu} {plan.weight_dtype}{at} would save {short_usd(found.more_usd)} more on average"
            f" (candidates.{keys}, serving.replicas_least)")


def leading_plan(c: Comparison) -> list[str]:
    """What is not counted of a leading option at spot prices, and that it would save more on average on another plan."""
    lead = c.leader
    spot = [f"{lead.label} is on spot; not counted: {UNCOUNTED_SPOT}"] * (
        lead.fleet is not None and lead.fleet.rental == "spot")
    return [*spot, *([f"{lead.label}: its plan is {told}"] if (told := surer_plan(c, lead)) else [])]


def unmeasured_load(c: Comparison, o: OptionResult) -> str:
    """Says that an option's fleet has longer requests, or more in flight at the peak, than its server was measured with.

    Empty where it has not. A replica has no more of what it holds at its limit than its share of the load there, since queues
    grow faster than load.
    """
    path = "" if o.fleet is None else o.fleet.plan
    if o.fleet is None or f"{path}.measured_by" not in c.case:
        return ""
    most, known, tokens, longest = (case_number(c.case, f"{path}.{name}", 0.0) for name in (
        "in_flight", "in_flight_measured", "tokens", "tokens_measured"))
    told = [f"its requests have {tokens:,.0f} tokens, measured to {longest:,.0f}"] * (tokens > longest)
    if most * o.fleet.utilisation_peak > known:
        told.append(f"a replica at its limit holds up to {most:,.0f} in flight, measured to {known:,.0f}")
    command = c.case[f"{path}.measured_by"].value
    return f"{o.label}: {', and '.join(told)}; beyond, its speed is drawn out: {command} measures it" if told else ""


def beyond_its_profile(c: Comparison) -> list[str]:
    """Says so of the leading option, or else of the best one on GPUs."""
    options = (c.leader, self_hosting_of(c))
    return [told for o in options if o is not None and (told := unmeasured_load(c, o))][:1]


def adapters_at_once(c: Comparison) -> list[str]:
    """Where options that lead, follow or are named have fewer slots than adapters."""
    return [told] if (told := slots_of(c, _named(c))) else []


def _named(c: Comparison) -> list[OptionResult]:
    """The options that lead, follow or are named beside the table, the leading one first."""
    v, hosted = c.verdict, self_hosting_of(c)
    measured = v.measure_first or v.then
    ids = (v.leader, v.first_move, v.second, hosted and hosted.id, v.challenger, measured and measured.option,
           *(passed.option for passed in v.passed_over))
    return [o for id in dict.fromkeys(ids) for o in c.options if o.id == id]


def slots_of(c: Comparison, options: Iterable[OptionResult]) -> str:
    """How many adapters fit at once on the cards of these options; empty where all do, or none is applied at run time."""
    adapters = case_number(c.case, "training.adapters", 1.0) * case_number(c.case, "serving.workloads_on_base", 1.0)
    held = dict[str, tuple[float, float]]()
    for o in options:
        if o.fleet is not None and (slots := f"{o.fleet.plan}.adapter_slots") in c.case:
            system, gpus = c.case[f"options.{o.id}.system"].value, case_number(c.case, f"{o.fleet.plan}.gpus_per_replica")
            held[f"{gpus:.0f} x {o.fleet.gpu} ({system})"] = case_number(c.case, slots), adapters
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


def hours_of_a_fleet(c: Comparison) -> list[str]:
    """Says that a large fleet of the leading option is run in as many hours as one server, where nobody stated how many."""
    o = c.leader
    if o.fleet is None or o.fleet.gpus_most * FAILS_A_MONTH < FAILURES or not guessed(c.case[own_path(c, o, "run_hours")]):
        return []
    gpus, hours = o.fleet.gpus_most, case_number(c.case, own_path(c, o, "run_hours"))
    return [(f"{figure(hours)} engineer hours a month run up to {gpu_count(gpus)} GPUs as they would one: assumed, and the same"
             f" for any fleet; of so many {figure(gpus * FAILS_A_MONTH)} fail a month (people.run_hours_per_month)")]
