"""A scenario in which nothing moves, its options with facts overwritten: 86,400 requests a day, 2,628,000 a month (730 h)."""

from typing import Any

import numpy as np

from roi.economics.decision.evaluation import Evaluated, evaluate, read_all
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

PER_MONTH = 2_628_000.0
STAY_EACH = 0.004  # gpt-5.4: 1,000 x $2.50/M + 100 x $15/M
LUNA_EACH = 0.00015  # gpt-6-luna: 1,000 x $0.10/M + 100 x $0.50/M
STAY = PER_MONTH * STAY_EACH  # $10,512
LUNA = PER_MONTH * LUNA_EACH  # $394.20
KINDS = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
NONE = dict.fromkeys(KINDS, 0.0)
PLATFORM = dict.fromkeys(("load_balancer", "logs", "staging", "storage", "egress", "monitoring"), 0.0)
SELF, HYBRID, OWN = "self-hosted-base:qwen3-8b", "hybrid:qwen3-8b", "own-hardware:qwen3-8b"
CHEAPER, CASCADE = "cheaper-api:openai/gpt-6-luna", "cascade:openai/gpt-6-luna"
ADAPTER = "self-hosted-adapter:qwen3-8b+lora"

QUIET: dict[str, Any] = {
    "as_of": "2026-11-24",
    "horizon_months": 24,
    "discount_rate": 0.10,
    "draws": 0,
    "workload": {
        "requests_per_day": 86_400.0,
        "growth_per_year": 0.0,
        "input_tokens": 1000.0,
        "output_tokens": 100.0,
        "peak_to_mean": 3.0,
    },
    "incumbent": {"provider": "openai", "model": "gpt-5.4"},
    "quality": {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90, "qwen3-8b": 0.90, "qwen3-8b+lora": 0.94}},
    "evaluation": {"usd": 100.0, "labels": 300.0, "usd_per_label": 1.0},
    "people": {
        "usd_per_hour": 100.0,
        "wage_growth_per_year": 0.0,
        "setup_hours": NONE,
        "run_hours_per_month": NONE,
        "migration_hours": 40.0,
    },
    "timing": {"months_to_live": NONE, "months_in_parallel": 0.0},
    "serving": {"spares": 0, "headroom": 0.0},
    "platform": PLATFORM,
    "drift": {
        "gpu_rent_per_year": 0.0,
        "successor_price_ratio": 1.0,
        "successor_price_ratio_own": 1.0,
        "successor_error_ratio": 1.0,
        "model_life_months": 1200.0,
    },
    "candidates": {
        "api_models": ["openai/gpt-6-luna"],
        "cascade_first": ["openai/gpt-6-luna"],
        "self_hosted": ["qwen3-8b"],
        "gpus": ["h100-sxm"],
    },
}


def quiet(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The scenario in which nothing moves, with blocks changed field by field."""
    return {**QUIET, **{k: {**QUIET.get(k, {}), **v} if isinstance(v, dict) else v for k, v in (changes or {}).items()}}


def case_of(**changes: Any) -> Case:
    return resolve(check_scenario(quiet(changes))).case


class World:
    """Every option of a case on its first plan, with some facts overwritten."""

    def __init__(self, case: Case, **facts: Any) -> None:
        self.values = {**case.values(), **facts}
        self.shared, self.options = read_all(case, self.values)

    def costed(self, id: str) -> Evaluated:
        return evaluate(self.shared, self.options[id], self.options)

    def line(self, id: str, name: str) -> tuple[float, list[float]]:
        """USD upfront, and by month, of the lines with this name."""
        found = [line for line in self.costed(id).costs.lines if line.name == name]
        monthly = sum((line.monthly for line in found), np.zeros(self.shared.horizon))
        return sum(float(np.asarray(line.upfront)) for line in found), monthly.tolist()

    def names(self, id: str) -> list[str]:
        return [line.name for line in self.costed(id).costs.lines]


def world(**changes: Any) -> World:
    return World(case_of(**changes))


def plan(id: str, **values: float) -> dict[str, float]:
    """Facts of an option's first plan: one GPU a replica, 1 request/s at the SLO, $2 an hour, unless given."""
    rented = {"usd_per_gpu_hour": 2.0} if not id.startswith("own") else {"watts": 1000.0}
    facts = {"gpus_per_instance": 1, "gpus_per_replica": 1, "minimum_months": 0.0, "capacity_requests_per_s": 1.0}
    return {f"options.{id}.plans.0.{name}": value for name, value in {**facts, **rented, **values}.items()}
