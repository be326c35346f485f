"""The next cheap step that can be undone: it comes with every verdict."""

from collections.abc import Mapping

import numpy as np

from roi.economics.inputs import Option, Shared
from roi.economics.option_result import OptionResult
from roi.economics.people_lines import evaluation_cost

PROFILE_HOURS = 2.0
"""GPU hours of a load test of one server: half an hour of load, the rest for starting and loading weights."""


def usd(x: float) -> str:
    """Whole dollars, for sentences."""
    return f"-${-x:,.0f}" if x < 0 else f"${x:,.0f}"


def next_step(
    shared: Shared,
    results: Mapping[str, OptionResult],
    options: Mapping[str, Option],
    recommended: str,
    challenger: str | None,
    at: float | None,
) -> str:
    """The cheapest reversible step towards the best option that is not settled yet."""
    cache = results.get("cache-batch")
    best = results[challenger] if challenger is not None else None
    if recommended == "cache-batch":
        what = results[recommended].label.rpartition(", ")[2]
        first = f"Switch {what} on for one endpoint and compare a week's bill; it can be switched off again."
        if best is None or best.evaluated or best.expected_npv_usd <= results[recommended].expected_npv_usd:
            return first
        return f"{first} Then: {_evaluate(shared, best, results[recommended])}"
    if cache is not None and recommended == "stay" and cache.expected_npv_usd > 0:
        return (
            f"Switch {cache.label.rpartition(', ')[2]} on at the present API: expected NPV {usd(cache.expected_npv_usd)},"
            " undone by a configuration change."
        )
    target = recommended if recommended != "stay" else challenger
    if (
        challenger is not None
        and not results[challenger].evaluated
        and results[challenger].expected_npv_usd > results[recommended].expected_npv_usd
    ):
        target = challenger
    if target is None:
        return "None: no other option is feasible."
    if results[target].evaluated:
        return _try(results[target], options[target])
    limit = f" It wins if its error rate is at most {at:.1%}." if at is not None and target == challenger else ""
    return _evaluate(shared, results[target], results[recommended]) + limit


def _evaluate(shared: Shared, r: OptionResult, now: OptionResult) -> str:
    gain = r.expected_npv_usd - now.expected_npv_usd
    more = f" (expected NPV {usd(gain)} above {now.label})" if gain > 0 else ""
    return f"Evaluate {r.label} on your evaluation set, about {usd(float(np.asarray(evaluation_cost(shared))))}{more}."


def _try(r: OptionResult, option: Option) -> str:
    """A trial of an option whose quality is known."""
    plan = option.plan
    if not option.self_hosted or plan is None:
        return f"Send 5% of the traffic to {r.label} for a week and compare answers and bill; it can be undone at once."
    if not np.any(np.asarray(plan.usd_per_gpu_hour) > 0):
        return f"Rent {plan.gpu} for a day and load-test {r.label} before buying any."
    cost = PROFILE_HOURS * float(plan.usd_per_gpu_hour) * float(plan.gpus_per_replica)
    return (
        f"Profile {r.label} on {int(plan.gpus_per_replica)} x {plan.gpu} for {PROFILE_HOURS:.0f} hours, about {usd(cost)}"
        " (`roi profile serve`): its capacity is replayed on an estimated engine so far."
    )
