"""Whether a plan's load was measured: told by `roi compare` on its first screen, by `roi size` beside the speed, or not."""

import pytest
from sizing_support import SIZED_SCENARIO, size_text
from step_simulator import Truth, simulate

from roi.answers.size import size_service
from roi.economics.decision.comparison import compare
from roi.evidence.known_runs import known_runs
from roi.report.comparison.remarks.fleets import beyond_its_profile
from roi.report.comparison.screen import comparison_text
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.store.profiles.lookup import load_profiles, save_profile

STATED = {"model": "qwen3-8b", "gpu": "L40S", "engine": "vllm", "weight_dtype": "fp8", "kv_dtype": "bf16"}


@pytest.fixture(name="measured")
def _measured(tmp_path):
    """A scenario's file, and the profile of a server of its plan."""
    file = tmp_path / "scenario.yaml"
    file.write_text(SIZED_SCENARIO, encoding="utf-8")
    save_profile(simulate(Truth(a=12e-3), **STATED), tmp_path / "profiles")
    return file, known_runs(load_profiles([tmp_path / "profiles"]))


@pytest.mark.full
def test_a_load_beyond_the_profile_is_told_with_the_command_and_one_within_it_is_not(measured):
    """Measured to 32 in flight. 4 million requests a day need more than that of each replica at the peak, 2,000 need less."""
    file, known = measured
    for volume, told in ((4_000_000, True), (2000, False)):
        asked = load_scenario(file, (f"workload.requests_per_day={volume}", "draws=128"))
        found = resolve(asked, known)
        c, sizing = compare(found.case), size_service(resolve(asked, known))
        (plan,) = (each for each in sizing.plans if each.in_flight is not None)
        assert plan.in_flight > plan.in_flight_measured == 32.0
        id = next(o.id for o in c.options if o.fleet is not None)
        texts = size_text(sizing), comparison_text(c, (), explain=id)
        sized, explained = (" ".join(text.split()) for text in texts)
        assert f"a replica at its limit holds up to {plan.in_flight:,.0f} in flight, measured to 32: beyond" in sized
        command = f"{plan.measured_by} measures it"
        assert [plan.beyond_measured, command in sized, command in explained] == [told] * 3
        assert len(beyond_its_profile(c)) == told
        assert ("(measured, and drawn out beyond)" in sized) is told
        assert all(command in remark for remark in beyond_its_profile(c))
        assert not any("drawn out beyond" in warning for warning in found.warnings)  # at the limit, and not here


@pytest.mark.full
def test_longer_requests_than_those_of_the_profile_are_told_with_the_command_at_whatever_load(measured):
    """Measured to about 2,180 tokens with the answer; 9,120 are asked, with few in flight."""
    file, known = measured
    found = resolve(load_scenario(file, ("workload.input_tokens=9000", "workload.requests_per_day=2000", "draws=128")), known)
    sizing, [told] = size_service(found), beyond_its_profile(compare(found.case))
    plan, text = sizing.plans[0], " ".join(size_text(sizing).split())
    assert (plan.beyond_measured, plan.in_flight, round(plan.tokens_measured, -1)) == (True, None, 2180)
    assert "requests of 9,120 tokens, measured to 2,178 (measured, and drawn out beyond)" in text
    assert "its requests have 9,120 tokens, measured to 2,178; beyond, its speed is drawn out: roi profile serve" in told
    assert plan.measured_by.endswith("--concurrency 1,2,4 --input-tokens 1125,9000 --output-tokens 120")
    assert f"{plan.measured_by} measures it" in told
    assert any("drawn out beyond" in warning and plan.measured_by in warning for warning in found.warnings)
