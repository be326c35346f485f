"""The words of `roi size` for a plan, its fleet, what that costs, what `roi compare` pays for it, and what was replayed."""

from collections.abc import Iterable
from typing import Final

from roi.answers.size import Sizing
from roi.answers.size_hours import ALL_DAY, FOR_THE_WORK
from roi.answers.size_plan import SizedPlan
from roi.estimate.replay.fleet import HOURS
from roi.facts.price import RentalKind
from roi.report.layout.wording import UNCOUNTED_SPOT, figure, number_of, span, usd
from roi.store.traces import FEW_CALLS, LEAST_S

ALIKE: Final = 0.005
"""Part of a month's rent below which `roi compare` differs by the drift of rents alone."""


def plan_name(plan: SizedPlan) -> str:
    """The words for a plan: 1 x L40S fp8, RunPod; with spot where its price is of that."""
    whose = f"{plan.vendor}{' spot' * (plan.rental == RentalKind.SPOT)}" if plan.owned is None else "yours"
    return f"{plan.tensor_parallel} x {plan.gpu} {plan.weight_dtype}, {whose}"


def speed_words(plan: SizedPlan) -> str:
    """What a plan's speed rests on, and where its load is beyond what was measured the command that measures it."""
    if not plan.beyond_measured:
        return f"{plan.evidence} ({plan.basis})."
    return f"{plan.evidence} ({plan.basis}, and drawn out beyond). {plan.measured_by} measures it."


def of_yours(plan: SizedPlan) -> str:
    """What limits the fleets of this plan beside the SLO: the number of cards that are owned."""
    return "" if plan.owned is None else f" of your {number_of(plan.owned, 'card')}"


def fleet_words(sizing: Sizing, best: SizedPlan) -> str:
    """The replicas, spares and instances, when they run, and what they cost."""
    spare = f" and {number_of(best.spares, 'spare')}" if best.spares else ""
    paid = "" if sizing.workloads == 1.0 else (
        f", this workload's part of {usd(best.usd_per_month * sizing.workloads)} for all {sizing.workloads:,.0f}"
        " (serving.adapters_on_base)")
    held = _instances(best)
    instances = "" if held == best.working + best.spares else f" on {number_of(held, 'instance')}"
    followed = "" if best.runs == ALL_DAY else f", {best.runs}"
    used = "" if best.owned is None else (
        f"; {best.fleet.gpus} of {number_of(best.owned, 'card')} {'is' if best.fleet.gpus == 1 else 'are'} used")
    spot = f" Not counted: {UNCOUNTED_SPOT}." * (best.rental == RentalKind.SPOT)
    return (f"{number_of(best.working, 'replica')}{spare} of {plan_name(best)}{instances}{followed}:"
            f" {usd(best.usd_per_month)} a month{'' if best.owned is None else ' of power and space'}{paid}"
            f"{used}"
            f"{_compared(sizing, best)}.{_all_day(best)}{spot}")


def hours_of_work(sizing: Sizing, best: SizedPlan) -> str:
    """What becomes of a day's requests where the fleet exists for the hours of work alone."""
    hours = HOURS * best.gpus_paid / (_instances(best) * best.gpus_per_instance)
    starts = HOURS / min(sizing.waits_hours, HOURS)
    often = "one start" if starts == 1.0 else f"{figure(starts)} starts"
    waits = "" if starts == 1.0 else f" for {figure(sizing.waits_hours)} hours (workload.waits_hours)"
    return f"A day's requests take {figure(hours)} hours of this fleet, {often} included. No SLO: everything can wait{waits}."


def too_few_words(plan: SizedPlan) -> str:
    """How many cards of one's own this plan needs, how many there are, and whether those are enough without a spare."""
    spares, owned = ", spares included" if plan.spares else "", plan.owned or 0
    bare = ", enough without a spare (serving.spares: 0)" if plan.replicas * plan.tensor_parallel <= owned else ""
    return f"{plan.fleet.gpus} x {plan.gpu} are needed{spares}, {owned} are yours{bare}"


def unsaid_reasoning(sizing: Sizing) -> Iterable[str]:
    """That the system has no reasoning tokens only because nobody stated them, while today's model has."""
    if each := sizing.unstated_reasoning_tokens:
        yield (f"{sizing.system} is sized without reasoning tokens, today's model has {figure(each)} a request"
               f" (tokens.{sizing.system}.reasoning_tokens).")


def late_api(sizing: Sizing) -> Iterable[str]:
    """Says that the API of a floor, or alone, misses the SLO as it was measured."""
    missed = [f"{name.split('_')[0].upper()} p95 {figure(found)} s as measured, at most {figure(getattr(sizing.slo, name))}"
              for name, found in sizing.late_api.items()]
    if missed:
        yield f"The API misses the SLO: {' and '.join(missed)}. So do all of it there and what a floor leaves to it."


def later_load(sizing: Sizing) -> str:
    """Says that growth and steps bring another load than today's, for which the fleets are; empty where they hardly do."""
    if (far := sizing.far_volume) is None:
        return ""
    return (f" In month {far.month} requests are {figure(far.times)} x today's (workload.{', '.join(far.fields)}), for which"
            " this is no fleet: --set workload.requests_per_day sizes for them.")


def means(best: SizedPlan) -> str:
    """Over what GPUs and USD are means, in words, where the fleet does not run all day; else empty."""
    if best.runs == ALL_DAY:
        return ""
    held = _instances(best) * best.gpus_per_instance
    hours = f"{figure(HOURS * best.gpus_paid / held)} of {HOURS:.0f} hours"
    here = f"; the first's {figure(best.gpus_paid)} are {number_of(held, 'GPU')} for {hours}" * (best.runs == FOR_THE_WORK)
    return f"; both are means over all hours, of a fleet that is committed all day's{here}"


def whose_usd(sizing: Sizing) -> str:
    """Whose the USD are, where other workloads share the fleet; replicas and GPUs are those of all."""
    return "" if sizing.workloads == 1.0 else "; USD: this workload's"


def busy(best: SizedPlan) -> str:
    """What stands under busy, and of what load where the fleet works a day's off in some hours."""
    spread = "; TTFT, TPOT and busy: were the day's requests spread over it" if best.runs == FOR_THE_WORK else ""
    return f"busy: share of the time that replicas run, however full{spread}"


def _all_day(best: SizedPlan) -> str:
    """What the fleet would cost all day, where it does not run all day."""
    many = number_of(best.replicas, "replica") + (f" and {number_of(best.spares, 'spare')}" if best.spares else "")
    they = "they" if best.working == best.replicas else f"the {many} that the load needs"
    return "" if best.runs == ALL_DAY else f" Paid all day and all month {they} cost {usd(best.fleet.usd_per_month)}."


def _instances(best: SizedPlan) -> int:
    """Instances that run at the same time."""
    if best.working == best.replicas:
        return best.fleet.instances
    return -(-(best.working + best.spares) // (best.gpus_per_instance // best.tensor_parallel))


def _compared(sizing: Sizing, best: SizedPlan) -> str:
    """In what the rent that `roi compare` counts differs, in brackets; nothing of cards that are owned."""
    if best.owned is not None:
        return ""
    level, rent = figure(sizing.rent_level), sizing.compared
    drift = "" if level == "1" else f"lets rent drift: centrally {level} of it, mean of all months"
    if rent is None:
        return f" (roi compare {drift})" if drift else ""
    months = f"{usd(rent.usd_per_month)} in a mean month"
    if sizing.plans[rent.plan] is not best:
        return f" (over its months roi compare finds {plan_name(sizing.plans[rent.plan])} cheaper: {months})"
    if abs(rent.usd_per_month - rent.drifted_usd_per_month) <= ALIKE * rent.drifted_usd_per_month:
        return f" (roi compare: {months}, as rents drift)" if drift else ""
    return f" (roi compare: {months}, as {'volume changes' if level == '1' else 'volume and rent change'})"


def no_plan(sizing: Sizing, most: int | None = None) -> Iterable[str]:
    """Which cards have no plan, and why: at most so many reasons, and all without a number."""
    reasons = list(dict.fromkeys(sizing.left_out_why))
    named, told = list(zip(sizing.left_out, sizing.left_out_why, strict=True)), reasons[:most]
    for why in told:
        yield f"No plan on {', '.join(name for name, of in named if of == why)}: {why}"
    if left := [name for name, of in named if of not in told]:
        yield f"No plan on {', '.join(left)}: --full says why"


def arrivals(sizing: Sizing) -> str:
    """When the requests that were replayed come, and how long they are."""
    if sizing.trace:
        calls, span_s, times = sizing.trace.calls, sizing.trace.span_s, sizing.trace.times
        faster = "" if times == 1.0 else f", {times:g} times as fast"
        few = f" So few that a 95th percentile rests on {max(calls // 20, 1)} of them." if calls < FEW_CALLS else ""
        again = " repeated until they last half a minute;" if span_s / times < LEAST_S else ""
        return (f"arrivals and lengths: {calls:,} calls in {span(span_s)} as recorded{faster};{again} in this model's tokens."
                f" Percentiles over all of them.{few}")
    return ("arrivals: Poisson at the peak; bursts within seconds are in the SLO, slower ones in the peak. Lengths: the"
            " scenario's histogram, or exponential around its means, prompts behind what they share.")
