"""Adapters applied at run time: their published effect, the one that a profile shows, and both in the comparison."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sizing_support import sized_scenario
from step_simulator import DESIGN, Truth, simulate

from roi.catalog.models.shapes import find_model
from roi.economics.reading import read_option, read_shared
from roi.estimate.replay.held_out import AdapterSpeed
from roi.evidence.known_runs import known_runs
from roi.evidence.measured_servers import find_served, measured_servers
from roi.evidence.serving_speed import adapter_effect, published_speed
from roi.facts.fact import Basis
from roi.numerics.spreads import joint_high, joint_low
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.store.profiles.lookup import load_profiles, save_profile

HALF = AdapterSpeed(4, 0.5, 0.45, 0.56, 6)


def test_independent_spreads_add_as_squares_of_logarithms() -> None:
    """Factors of e^-0.3 and e^-0.4 at P5: e^-0.5 together; 0.03 and 0.04 up: e^0.05."""
    assert float(joint_low([np.exp(-0.3), np.exp(-0.4)])) == pytest.approx(np.exp(-0.5))
    assert float(joint_high([np.exp(0.03), np.exp(0.04)])) == pytest.approx(np.exp(0.05))
    assert float(joint_low([0.8, 1.2])) == pytest.approx(0.8)


def test_without_a_profile_the_effect_is_the_published_one() -> None:
    """One adapter: 0.90 of merged, 0.66 to 0.96."""
    found = adapter_effect(1, (), "")
    assert (found.speed, published_speed(1), found.known) == (0.9, 0.9, 0)
    assert (found.spread.low, found.spread.high) == (pytest.approx(0.66 / 0.9), pytest.approx(0.96 / 0.9))
    assert found.spread.basis == Basis.PUBLISHED


def test_a_measured_number_of_adapters_is_taken_as_measured() -> None:
    found = adapter_effect(4, (replace(HALF, adapters=1, speed=0.9, low=0.8, high=0.95), HALF), "p")
    assert found.speed == 0.5
    assert (found.spread.low, found.spread.high) == (pytest.approx(0.9), pytest.approx(1.12))
    assert found.spread.basis == Basis.MEASURED


def test_another_number_is_brought_there_by_published_runs_and_is_less_sure() -> None:
    """100 adapters at 0.87 of merged where 4 are at 0.9: 0.5 x 0.87 / 0.9."""
    found = adapter_effect(100, (HALF,), "p")
    assert found.speed == pytest.approx(0.5 * 0.87 / 0.9)
    assert found.spread.low < 0.62 / 0.87
    assert [adapter_effect(n, (HALF,), "p").known for n in (1, 4, 100)] == [4, 4, 4]
    assert found.spread.basis == Basis.CALIBRATED


STATED = {"model": "qwen3-8b", "gpu": "L40S", "engine": "vllm", "weight_dtype": "fp8", "kv_dtype": "bf16"}
SLOW = tuple(replace(load, adapter="unmerged", speed=0.6) for load in DESIGN)


def test_a_profile_of_unmerged_adapters_alone_says_nothing_of_the_base(tmp_path) -> None:
    save_profile(simulate(loads=SLOW, **STATED), tmp_path)
    servers, [(_, why)] = measured_servers(load_profiles([tmp_path]), "L40S")
    assert servers == ()
    assert why == "it holds unmerged adapters alone, and not the base beside them"


@pytest.mark.full
def test_the_adapters_of_one_profile_stand_in_for_another_on_the_card(tmp_path) -> None:
    """A newer profile without adapters has the base's step; the older one knows what adapters take."""
    both = simulate(Truth(a=12e-3), loads=(*DESIGN, *SLOW), **STATED, started=datetime(2026, 11, 1, tzinfo=UTC))
    save_profile(both, tmp_path)
    save_profile(simulate(Truth(a=15e-3), **STATED, started=datetime(2026, 11, 9, tzinfo=UTC)), tmp_path)
    servers, _ = measured_servers(load_profiles([tmp_path]), "L40S")
    served = find_served(servers, find_model("qwen3-8b"), 1, "fp8", prefill_context=500.0)
    assert served.iteration.step_s == pytest.approx(15e-3, rel=0.02)
    assert served.adapters[0].speed == pytest.approx(0.6, rel=0.02)
    assert "2026-11-01" in served.adapters_of


@pytest.mark.full
def test_the_comparison_takes_the_measured_effect_with_its_spread(tmp_path) -> None:
    """Adapters at 0.6 of the speed, 0.9 published: fewer requests a second, and a spread of their own in every draw."""
    file = sized_scenario(tmp_path)
    save_profile(simulate(Truth(a=12e-3), loads=(*DESIGN, *SLOW), **STATED), tmp_path)
    shared = load_scenario(file, ("candidates.methods=[lora]", "serving.adapters=shared", "serving.adapters_on_base=1"))
    merged = load_scenario(file, ("candidates.methods=[lora]",))
    known = known_runs(load_profiles([tmp_path]))
    case = resolve(shared, known).case
    id = next(id for id in case.options if id.startswith("self-hosted-adapter"))
    path = f"options.{id}.plans.0."
    spread = case[str(case[path + "adapter_speed"].value)]
    assert spread.basis == Basis.MEASURED
    assert "1 adapter at run time at 0.60 of its speed" in case[path + "capacity_requests_per_s"].source
    values = case.values()
    values[str(case[path + "adapter_speed"].value)] = np.array([spread.low, 1.0, spread.high])
    drawn = read_option(values, id, read_shared(values)).plans[0].capacity
    assert drawn[0] < drawn[1] < drawn[2]
    assert drawn[1] == pytest.approx(case[path + "capacity_requests_per_s"].value)
    least = resolve(merged, known).case[path + "capacity_requests_per_s"].value
    assert case[path + "capacity_requests_per_s"].value < 0.7 * least
