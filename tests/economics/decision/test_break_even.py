"""From how many requests a day a server wins: by hand, on both sides of the crossing, and on a saw."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from roi.economics.decision.break_even import BreakEven, break_evens
from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.finance import discount_factors
from roi.economics.inputs import Option, Shared
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

KINDS = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
NONE = dict.fromkeys(KINDS, 0.0)
SELF, LUNA, CASCADE = "self-hosted-base:qwen3-8b", "cheaper-api:openai/gpt-6-luna", "cascade:openai/gpt-6-luna"
EACH = 0.004  # gpt-5.4: 1,000 x $2.50/M + 100 x $15/M
MONTH = 365 / 12


@cache
def quiet() -> Case:
    """Nothing moves; changing costs the evaluation of $400 alone; a replica of one GPU at $2 an hour: $1,460 a month."""
    return resolve(
        check_scenario(
            {
                "as_of": "2026-11-24",
                "horizon_months": 24,
                "draws": 0,
                "workload": {
                    "requests_per_day": 20_000.0,
                    "growth_per_year": 0.0,
                    "input_tokens": 1000.0,
                    "output_tokens": 100.0,
                    "peak_to_mean": 3.0,
                },
                "incumbent": {"provider": "openai", "model": "gpt-5.4"},
                "evaluation": {"usd": 100.0, "labels": 300.0, "usd_per_label": 1.0},
                "people": {"setup_hours": NONE, "run_hours_per_month": NONE},
                "timing": {"months_to_live": NONE, "months_in_parallel": 0.0},
                "serving": {"spares": 0, "headroom": 0.0},
                "platform": dict.fromkeys(("load_balancer", "logs", "staging", "storage", "egress", "monitoring"), 0.0),
                "drift": {"model_life_months": 1200.0, "gpu_rent_per_year": 0.0},
                "candidates": {
                    "api_models": ["openai/gpt-6-luna"],
                    "cascade_first": ["openai/gpt-6-luna"],
                    "self_hosted": ["qwen3-8b"],
                    "gpus": ["h100-sxm"],
                },
            }
        )
    ).case


def world(capacity: float, **facts: Any) -> tuple[Shared, dict[str, Option]]:
    """The self-hosted option on one plan with this capacity, requests/s a replica at the SLO."""
    own = f"options.{SELF}.plans.0."
    plan = {
        own + "usd_per_gpu_hour": 2.0,
        own + "gpus_per_instance": 1,
        own + "gpus_per_replica": 1,
        own + "minimum_months": 0.0,
        own + "capacity_requests_per_s": capacity,
        own + "pooling": 1.0,
    }
    values = {k: v for k, v in quiet().values().items() if not k.startswith(f"options.{SELF}.plans.") or ".plans.0." in k}
    return read_all(quiet(), {**values, **plan, **facts})


def crossing(capacity: float, basis: str = "run_rate", baseline: str = "stay", **facts: Any) -> BreakEven:
    shared, options = world(capacity, **facts)
    found = break_evens(shared, options, [SELF, LUNA], [LUNA, CASCADE])
    return next(b for b in found if (b.option, b.baseline, b.basis) == (SELF, baseline, basis))


def gain(capacity: float, daily: np.ndarray, basis: str = "run_rate") -> np.ndarray:
    """Savings against staying at volumes, straight from the engine: of a month, or present value."""
    shared, options = world(capacity, **{"workload.requests_per_day": np.asarray(daily, dtype=float)[:, None]})
    stay, own = (evaluate(shared, options[id], options) for id in ("stay", SELF))
    if basis == "pv":
        return np.asarray(stay.pv - own.pv).ravel()
    return np.asarray((stay.total.monthly - own.total.monthly).mean(axis=1))


def test_one_replica_breaks_even_by_hand() -> None:
    """$1,460 a month / $0.004 = 365,000 requests a month = 12,000 a day, far below what 10/s holds; more replicas of
    10/s (288,000 a day at the peak) are worth far more than they cost: one crossing.
    """
    found = crossing(10.0)
    assert found.first == pytest.approx(12_000.0, rel=1e-4)
    assert found.stays == found.first
    assert found.reason == "one crossing"


def test_present_value_also_earns_back_the_change() -> None:
    """(requests x $0.004 - $1,460) x the annuity of 24 months = $400 of evaluation."""
    annuity = float(discount_factors(0.10, 24).sum())
    by_hand = (1460.0 + 400.0 / annuity) / EACH / MONTH
    assert crossing(10.0, "pv").stays == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("basis", ["run_rate", "pv"])
@pytest.mark.parametrize("capacity", [10.0, 2.0, 0.7, 0.5])
def test_just_above_the_option_wins_and_just_below_it_loses(capacity: float, basis: str) -> None:
    found = crossing(capacity, basis)
    assert found.first is not None
    assert found.stays is not None
    above, below = gain(capacity, np.array([1.0005, 0.9995]) * found.stays, basis)
    assert above > 0 > below
    assert gain(capacity, np.array([found.first * 0.9995]), basis)[0] < 0
    assert (gain(capacity, np.geomspace(1.0, found.first * 0.9995, 500), basis) < 0).all()


@pytest.mark.parametrize("capacity", [10.0, 2.0, 0.7, 0.5, 0.51, 0.47])
def test_from_where_it_stays_it_never_loses_again(capacity: float) -> None:
    """5,000 volumes over two decades beyond the crossing; a loss of less than $1 a month is rounding."""
    found = crossing(capacity)
    assert found.stays is not None
    assert gain(capacity, np.geomspace(found.stays * 1.0005, found.stays * 100, 5000)).min() > -1.0


def test_on_a_saw_the_first_win_comes_before_the_last_loss() -> None:
    """0.5/s holds 14,400 a day at the peak, and earns its rent from 12,000: wins 12,000-14,400; two replicas 24,000-28,800;
    three 36,000-43,200; four 48,000-57,600; five from 60,000 to 72,000, and from there each next one at once.
    """
    found = crossing(0.5)
    assert found.first == pytest.approx(12_000.0, rel=1e-4)
    assert found.stays == pytest.approx(60_000.0, rel=1e-4)
    assert found.reason.startswith("a saw")


def test_where_a_full_replica_costs_more_than_the_api_no_volume_helps() -> None:
    """0.4/s holds 11,520 a day at the peak: $1,401.60 of API for $1,460 of rent."""
    for basis in ("run_rate", "pv"):
        found = crossing(0.4, basis)
        assert (found.first, found.stays) == (None, None)
        assert found.reason == "marginal GPU cost exceeds the API price"
    assert gain(0.4, np.geomspace(1.0, 1e8, 2000)).max() < 0


def test_another_api_is_a_dearer_rival_to_beat_than_staying() -> None:
    """Against gpt-6-luna ($0.00015): $1,460 / 0.00015 = 9,733,333 a month = 320,000 a day, if a replica holds that many:
    20/s holds 576,000.
    """
    found = crossing(20.0, baseline="best_untrained")
    assert found.first == pytest.approx(320_000.0, rel=1e-4)


def test_a_cheaper_api_without_set_up_wins_at_every_volume() -> None:
    shared, options = world(1.0)
    found = break_evens(shared, options, [LUNA], [LUNA, CASCADE])
    run_rate = next(b for b in found if b.baseline == "stay" and b.basis == "run_rate")
    assert (run_rate.first, run_rate.stays, run_rate.reason) == (0.0, 0.0, "cheaper at every volume")


def test_its_present_value_earns_back_the_evaluation_by_hand() -> None:
    """$400 / annuity / (0.004 - 0.00015) a request."""
    shared, options = world(1.0)
    found = break_evens(shared, options, [LUNA], [LUNA, CASCADE])
    pv = next(b for b in found if b.baseline == "stay" and b.basis == "pv")
    by_hand = 400.0 / float(discount_factors(0.10, 24).sum()) / (EACH - 0.00015) / MONTH
    assert pv.stays == pytest.approx(by_hand, rel=1e-4)
