"""How much mean NPV is lost since plans are chosen at the central values and not by the mean over the draws.

    python lab/plans_by_mean.py [SCENARIOS [own]]        60 random ones unless given; two seconds each

Of each option on GPUs every plan, and of a floor the best size and an instance more, is weighed on 256 draws; the plan with the
highest mean there and the chosen one are then held against each other on 2,048 others. `own`: no cheaper API is a candidate.
"""

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from roi.economics.decision.draws import draw
from roi.economics.decision.evaluation import Choice, choices_of, choose_plan
from roi.economics.decision.recommendation import value
from roi.economics.decision.weighing import weigh
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

INCUMBENTS = ("openai/gpt-6-sol", "openai/gpt-5.4", "anthropic/claude-haiku-5-5", "openai/gpt-4.1")
MODELS = ("qwen3-4b", "qwen3-8b", "llama-3.1-8b", "qwen3-14b", "qwen3-32b", "llama-3.3-70b")


def scenario(rng: np.random.Generator, *, own: bool) -> dict[str, Any]:
    """20,000 to 4 million requests a day of 300 to 8,000 tokens and 6 to 800, wrong ones of up to 3 cents."""
    provider, incumbent = str(rng.choice(INCUMBENTS)).split("/")
    model, best = str(rng.choice(MODELS)), float(rng.uniform(0.88, 0.97))

    def score(low: float, high: float) -> dict[str, float]:
        return {"value": round(min(best + rng.uniform(low, high), 0.99), 3), "items": int(rng.integers(150, 1200))}

    scores = {incumbent: {"value": round(best, 3), "items": 400}, model: score(-0.06, 0.0)}
    scores[f"{model}+lora"] = score(-0.03, 0.015)
    if not own:
        scores["gpt-6-luna"] = score(-0.05, 0.0)
    return {
        "as_of": "2026-11-24", "horizon_months": int(rng.choice([24, 36, 48])), "draws": 512,
        "workload": {
            "requests_per_day": round(10 ** rng.uniform(4.3, 6.6)), "input_tokens": round(10 ** rng.uniform(2.5, 3.9)),
            "output_tokens": round(10 ** rng.uniform(0.8, 2.9)), "peak_to_mean": round(rng.uniform(1.5, 6.0), 2),
            "growth_per_year": {"value": round(rng.uniform(-0.1, 0.5), 2), "low": -0.3, "high": 0.9},
            "can_wait_share": float(rng.choice([0.0, 0.0, 0.5])), "ttft_p95_s": float(rng.choice([1.0, 2.0, 5.0])),
            "tpot_p95_s": float(rng.choice([0.03, 0.05, 0.1]))},
        "incumbent": {"provider": provider, "model": incumbent},
        "quality": {"usd_per_error": float(10 ** rng.uniform(-4.0, -1.5)), "scores": scores},
        "candidates": {"api_models": [] if own else ["openai/gpt-6-luna"], "self_hosted": [model]}}


def weighed(asked: dict[str, Any]) -> tuple[str, float, dict[str, tuple[float, float]]]:
    """The recommended option and its mean NPV; of each on GPUs the mean on its plan, and on the one with the highest mean."""
    w = weigh(case := resolve(check_scenario(asked)).case)
    settled, found = choices_of(w.options), dict[str, tuple[float, float]]()
    for id, option in w.options.items():
        if option.infeasible is not None or option.plan is None:
            continue
        tried = {settled[id]}
        for number, plan in enumerate(option.plans):
            there = choose_plan(w.shared, replace(option, plans=(plan,)), w.options)
            floor, more = there.replicas_fixed, max(int(plan.gpus_per_instance // plan.gpus_per_replica), 1)
            if there.infeasible is None:
                tried |= {Choice(number, each) for each in ([None] if floor is None else [floor, floor + more])}

        def mean(choice: Choice, seed: int, draws: int, id: str = id) -> float:
            drawn = draw(case, ("stay", id), {**settled, id: choice}, draws, seed)
            return float(drawn.saved(w.shared.counts)[id].mean())

        surest = max(tried, key=lambda choice: mean(choice, 1, 256))
        found[id] = mean(settled[id], 7, 2048), mean(surest, 7, 2048)
    return w.chosen.leader, value(w.results[w.chosen.leader], w.chosen.counts), found


def main(count: int, *, own: bool) -> None:
    """Print a line a scenario and the sums."""
    rng, chosen, surest, moved = np.random.default_rng(20261201), 0.0, 0.0, 0
    for k in range(count):
        leader, npv, options = weighed(scenario(rng, own=own))
        there = npv if leader not in options else options[leader][0]
        best = max([there, *(after for _, after in options.values())])
        chosen, surest, moved = chosen + there, surest + best, moved + (best > 1.005 * there)
        print(f"{k}: {leader}, mean NPV ${there:,.0f}; on plans by mean the best has ${best:,.0f}", flush=True)
    print(f"lost: {(surest - chosen) / chosen:.2%} of ${chosen:,.0f}; more than half a percent in {moved} of {count}")


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["60"])[0]), own="own" in sys.argv[2:])
