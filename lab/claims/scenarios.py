"""The small scenarios behind the two business claims; every other field keeps its default."""

from functools import cache
from typing import Any

from claims.claim import AS_OF
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.option_result import OptionResult
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario
from roi.units import DAYS_PER_MONTH

DRAWS = 512
ADAPTER = "self-hosted-adapter:llama-3.1-8b+lora"
APIS = ("openai/gpt-6-luna", "anthropic/claude-haiku-5-5")
RIVALS = ("gpt-6-luna", "claude-haiku-5-5", "llama-3.1-8b-instant")

LENIENT: dict[str, Any] = {  # plain YAML data
    "serving": {"spares": 0},
    "people": {"usd_per_hour": 100.0, "setup_hours": {"self_hosted_adapter": 20.0, "api": 20.0},
               "run_hours_per_month": {"self_hosted_adapter": 0.0}},
    "timing": {"months_to_live": {"self_hosted_adapter": 0.0, "api": 0.0}, "months_in_parallel": 0.0},
    "training": {"labels_owned": True, "runs_until_good": 1.0, "retrain_every_months": None},
}
"""One replica (more only where the load asks), nobody paid to run it, a $2,000 project, labels owned, first run good, live at
once; the API options get the same 20 hours and no delay."""
LEAN: dict[str, Any] = {  # plain YAML data
    "serving": {"spares": 1},
    "people": {"usd_per_hour": 100.0, "setup_hours": {"self_hosted_adapter": 80.0},
               "run_hours_per_month": {"self_hosted_adapter": 16.0}},
    "timing": {"months_to_live": {"self_hosted_adapter": 1.0}},
}
"""A spare replica, 0.1 of an engineer, 80 hours of project, live after a month."""
STAFFED: dict[str, Any] = {  # plain YAML data
    "serving": {"spares": 1},
    "people": {"usd_per_hour": 100.0, "setup_hours": {"self_hosted_adapter": 200.0},
               "run_hours_per_month": {"self_hosted_adapter": 48.0}},
}
"""A spare replica, 0.3 of an engineer, 200 hours of project, live after three months (default)."""
CASES = {"one replica, no staff": LENIENT, "spare + 0.1 FTE": LEAN, "spare + 0.3 FTE": STAFFED}


@cache
def solve(case: str, incumbent: str, requests_per_day: float, mix: tuple[float, float], gpu: str | None = None,
          successor_ratio: float | None = None) -> Comparison:
    """`compare` on one scenario. With `successor_ratio` the announced successor costs that share of the incumbent."""
    candidates = {
        "api_models": [name for name in APIS if name.partition("/")[2] != incumbent],
        "hosted_models": ["groq/llama-3.1-8b-instant"], "self_hosted": ["llama-3.1-8b"], "base": False, "hybrid": False,
        "reserved": False, "gpus": [gpu] if gpu else [],
    }
    data: dict[str, Any] = {  # plain YAML data
        "as_of": AS_OF.isoformat(), "draws": DRAWS,
        "workload": {"requests_per_day": requests_per_day, "growth_per_year": 0.0, "input_tokens": mix[0],
                     "output_tokens": mix[1]},
        "incumbent": {"provider": "openai", "model": incumbent},
        "quality": {"scores": dict.fromkeys((incumbent, "llama-3.1-8b+lora", *RIVALS), 0.9)},
        "tokens": {"llama-3.1-8b+lora": {"ratio": 1.0}},
        "candidates": candidates, **CASES[case],
    }
    if successor_ratio is not None:
        data["incumbent"]["successor_price_ratio"] = successor_ratio
    return compare(resolve(check_scenario(data)).case)


def option(answer: Comparison, id: str) -> OptionResult:
    """One option of the answer."""
    return next(o for o in answer.options if o.id == id)


def best_untrained(answer: Comparison) -> OptionResult:
    """The option without training that costs least over the horizon, staying included."""
    return min((o for o in answer.options if not o.trains), key=lambda o: o.pv_cost_usd)


def requests_for(usd_per_month: float, usd_per_mtok: float, mix: tuple[float, float]) -> float:
    """Requests a day whose list price adds up to this spend."""
    return usd_per_month / (usd_per_mtok * sum(mix) / 1e6) / DAYS_PER_MONTH


def months(x: float) -> str:
    """Months to one digit, or never."""
    return "never" if x == float("inf") else f"{x:.1f}"
