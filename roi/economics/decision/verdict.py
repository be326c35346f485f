"""The verdict: which option, how sure, why, and the next cheap step that can be undone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from roi.economics.decision.evaluation import Evaluated, evaluate
from roi.economics.decision.option_result import OptionResult
from roi.economics.inputs import Option, Shared
from roi.economics.lines.option_lines import with_error_rate
from roi.economics.lines.people import evaluation_cost

SURE = 0.60
"""Share of draws in which the recommended option must beat staying (docs/economics.md, 8.3)."""


@dataclass(frozen=True)
class Verdict:
    """What to do, how sure that is, and what to do first."""

    recommended: str
    """Option id."""
    decision: str
    """One of: stay; change; stay, not sure."""
    sentence: str
    """The headline: verdict and reason."""
    next_step: str
    """The next cheap step that can be undone."""
    challenger: str | None
    """The best option besides the recommended one."""
    candidates: tuple[str, ...]
    """Options that may be recommended: feasible, at the bar, evaluated."""
    winner_changes_at_error_rate: float | None
    """Error rate of `error_rate_of` at which the winner changes: it loses on cost, or misses the bar. None = at no rate."""
    error_rate_of: str | None
    """The winner; where the winner is staying, the challenger."""
    challenger_wins_at_error_rate: float | None
    """Error rate up to which the challenger would be recommended instead; None = at no rate, or there is no challenger."""


def decide(
    shared: Shared, results: Mapping[str, OptionResult], options: Mapping[str, Option], central: Mapping[str, Evaluated]
) -> Verdict:
    """The verdict: the highest expected NPV, errors included, among the candidates; below 60% sure, stay."""

    def best(ids: Iterable[str]) -> str | None:
        return max(ids, key=lambda id: results[id].expected_npv_usd, default=None)

    candidates = tuple(id for id, r in results.items() if r.evaluated or options[id].keeps_model)
    top = best(id for id in candidates if results[id].expected_npv_usd > 0) or "stay"
    chance = results[top].probability_npv_positive
    unsure = top != "stay" and chance is not None and chance < SURE
    recommended = "stay" if unsure else top
    challenger = top if unsure else best(id for id in results if id not in {recommended, "stay"})
    wins_at = _error_rate_that_decides(shared, options, central, challenger, recommended) if challenger is not None else None
    if recommended == "stay":
        subject, at = challenger, wins_at
    elif options[recommended].keeps_model:
        subject, at = None, None  # the same model answers: no error rate of its own
    else:
        subject, runner_up = recommended, best(id for id in candidates if id != recommended) or "stay"
        at = _error_rate_that_decides(shared, options, central, subject, runner_up)
    decision = "stay, not sure" if unsure else ("stay" if recommended == "stay" else "change")
    return Verdict(
        recommended=recommended, decision=decision, challenger=challenger, candidates=candidates,
        sentence=_sentence(results, recommended, challenger, unsure, chance) + _endings(options, recommended),
        next_step=next_step(shared, results, options, recommended, challenger, wins_at),
        winner_changes_at_error_rate=at, error_rate_of=subject, challenger_wins_at_error_rate=wins_at,
    )


def _error_rate_that_decides(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], subject: str, rival: str
) -> float | None:
    """Error rate of what `subject` answers at which its present value equals the rival's, at most what the bar admits.

    Cost is linear in the rate. None where it costs more than the rival at any rate. Where a wrong answer costs nothing, the
    bar alone decides.
    """

    def cost(error_rate: float) -> float:
        option = with_error_rate(options[subject], error_rate)
        return float(evaluate(shared, option, {**options, subject: option}).pv)

    at_bar, right = 1.0 - shared.quality_bar, cost(0.0)
    slope = (cost(0.02) - right) / 0.02
    room = float(central[rival].pv) - right
    if room < 0:
        return None
    return min(room / slope, at_bar) if slope > 0 else at_bar


def _sentence(
    results: Mapping[str, OptionResult], recommended: str, challenger: str | None, unsure: bool, chance: float | None
) -> str:
    winner = results[recommended]
    if unsure and challenger is not None and chance is not None:
        r = results[challenger]
        return (
            f"Stay, not sure: {r.label} has the highest expected NPV ({_usd(r.expected_npv_usd)}) but beats staying in only"
            f" {chance:.0%} of the draws (60% needed)."
        )
    if recommended == "stay":
        if challenger is None:
            return "Stay: no other option is feasible."
        r = results[challenger]
        if r.expected_npv_usd <= 0:
            return f"Stay: the nearest alternative, {r.label}, has an expected NPV of {_usd(r.expected_npv_usd)}."
        return (
            f"Stay for now: {r.label} would have an expected NPV of {_usd(r.expected_npv_usd)}, but nobody has evaluated"
            " its quality on this task."
        )
    odds = f" in {chance:.0%} of the draws" if chance is not None else ""
    words = {"immediate": "at once", "never": "not within the horizon"}
    paid = words.get(winner.payback_status, f"after {winner.payback_months:.1f} months")
    return (
        f"Change to {winner.label}: expected NPV {_usd(winner.expected_npv_usd)} against staying, pays back {paid},"
        f" beats staying{odds}."
    )


def _endings(options: Mapping[str, Option], recommended: str) -> str:
    """A reminder that the present model, or the recommended one, has an announced end."""
    named = dict.fromkeys(o.vendor for o in (options["stay"], options[recommended]) if o.retires_on is not None)
    ends = {o.vendor: o.retires_on for o in options.values()}
    return "".join(f" {vendor} ends on {ends[vendor]}, so a move is due in any case." for vendor in named)


PROFILE_HOURS = 2.0
"""GPU hours of a load test of one server: half an hour of load, the rest for starting and loading weights."""

def _usd(x: float) -> str:
    """Whole dollars, for sentences."""
    return f"-${-x:,.0f}" if x < 0 else f"${x:,.0f}"


def next_step(
    shared: Shared, results: Mapping[str, OptionResult], options: Mapping[str, Option], recommended: str,
    challenger: str | None, at: float | None,
) -> str:
    """The cheapest reversible step towards the best option that is not settled yet."""
    cache = results.get("cache-batch")
    best = results[challenger] if challenger is not None else None
    if options[recommended].kind == "cache-batch":
        what = results[recommended].label.rpartition(", ")[2]
        first = f"Switch {what} on for one endpoint and compare a week's bill; it can be switched off again."
        if best is None or best.evaluated or best.expected_npv_usd <= results[recommended].expected_npv_usd:
            return first
        return f"{first} Then: {_evaluate(shared, best, results[recommended])}"
    if cache is not None and recommended == "stay" and cache.expected_npv_usd > 0:
        return (
            f"Switch {cache.label.rpartition(', ')[2]} on at the present API: expected NPV {_usd(cache.expected_npv_usd)},"
            " undone by a configuration change."
        )
    target = recommended if recommended != "stay" else challenger
    if best is not None and not best.evaluated and best.expected_npv_usd > results[recommended].expected_npv_usd:
        target = challenger
    if target is None:
        return "None: no other option is feasible."
    if results[target].evaluated:
        return _try(results[target], options[target])
    limit = f" It wins if its error rate is at most {at:.1%}." if at is not None and target == challenger else ""
    return _evaluate(shared, results[target], results[recommended]) + limit


def _evaluate(shared: Shared, r: OptionResult, now: OptionResult) -> str:
    gain = r.expected_npv_usd - now.expected_npv_usd
    more = f" (expected NPV {_usd(gain)} above {now.label})" if gain > 0 else ""
    return f"Evaluate {r.label} on your evaluation set, about {_usd(float(np.asarray(evaluation_cost(shared))))}{more}."


def _try(r: OptionResult, option: Option) -> str:
    """A trial of an option whose quality is known."""
    plan = option.plan
    if not option.self_hosted or plan is None:
        return f"Send 5% of the traffic to {r.label} for a week and compare answers and bill; it can be undone at once."
    if not np.any(np.asarray(plan.usd_per_gpu_hour) > 0):
        return f"Rent {plan.gpu} for a day and load-test {r.label} before buying any."
    cost = PROFILE_HOURS * float(plan.usd_per_gpu_hour) * float(plan.gpus_per_replica)
    return (
        f"Profile {r.label} on {int(plan.gpus_per_replica)} x {plan.gpu} for {PROFILE_HOURS:.0f} hours, about {_usd(cost)}"
        " (`roi profile serve`): its capacity is replayed on an estimated engine so far."
    )
