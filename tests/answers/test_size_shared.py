"""`roi size` of a fleet that several workloads share, and of several adapters of one workload."""

from dataclasses import replace

import numpy as np
import pytest
from sizing_support import size_text, sized_scenario

from roi.answers.size import Sizing, size_service
from roi.errors import InputError
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.store.traces import read_trace

SHARED = ("serving.adapters=shared", "candidates.methods=[lora]")


@pytest.fixture
def size(tmp_path):
    file = sized_scenario(tmp_path)
    return lambda *overrides: size_service(resolve(load_scenario(file, (*SHARED, *overrides))))


def usd(sizing: Sizing) -> list[float]:
    """What each plan and each way costs, fleets included."""
    plans = [x for p in sizing.plans for x in (p.usd_per_month, p.usd_per_month_fast, *(f.usd_per_month for f in p.fleets))]
    return [*plans, *(way.usd for way in sizing.ways)]


@pytest.mark.full
def test_each_of_eight_workloads_pays_an_eighth_of_what_one_with_all_of_their_load_pays(size):
    """200,000 a day each and 1,600,000 in all; both apply eight adapters. What it rests on and the fleet are the same."""
    one = size("serving.adapters_on_base=8")
    company = size("workload.requests_per_day=1600000", "training.adapters=8")
    assert (one.workloads, company.workloads, one.fleet_share) == (8.0, 1.0, 0.125)
    assert one.peak_requests_per_s == pytest.approx(company.peak_requests_per_s)
    assert [(p.gpu, p.replicas, p.fleet.gpus, p.evidence) for p in one.plans] == [
        (p.gpu, p.replicas, p.fleet.gpus, p.evidence) for p in company.plans]
    assert np.array(usd(one)) * 8 == pytest.approx(usd(company))
    text = " ".join(size_text(one).split())
    best = one.plans[0]
    assert (f"${best.usd_per_month:,.0f} a month, this workload's part of ${best.usd_per_month * 8:,.0f} for all 8"
            " (serving.adapters_on_base)") in text
    assert "Today's peak of 8 workloads together: " in text
    assert "USD: this workload's; busy:" in text
    whole = size_text(company) + size_text(company, full=True)
    assert not any(word in whole for word in ("workloads", "adapters_on_base"))
    assert max(map(len, size_text(one, full=True).splitlines())) <= 80


@pytest.mark.full
def test_cards_that_are_owned_hold_the_load_of_all_and_cost_this_one_its_part(size):
    owned = ("own_hardware.cards={A100-80GB-SXM: 64}", "own_hardware.usd_per_kwh=0.15")
    found = size(*owned, "serving.adapters_on_base=8")
    own = next(plan for plan in found.plans if plan.owned is not None)
    assert own.usd_per_month == pytest.approx(own.fleet.gpus * 42.924 / 8)
    assert " of power and space, this workload's part of $" in " ".join(size_text(found).split())


@pytest.mark.full
def test_a_trace_of_one_workload_says_nothing_of_the_others(tmp_path):
    trace = tmp_path / "t.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{k},600,120\n" for k in range(40)), "utf-8")
    resolved = resolve(load_scenario(sized_scenario(tmp_path), (*SHARED, "serving.adapters_on_base=8")))
    told = r"--trace holds the calls of one workload, and serving.adapters_on_base puts 8 on the fleet.*training.adapters: 8$"
    with pytest.raises(InputError, match=told):
        size_service(resolved, trace=read_trace(trace))
    alone = resolved.scenario.serving.model_copy(update={"adapters_on_base": 1})
    resolved = replace(resolved, scenario=resolved.scenario.model_copy(update={"serving": alone}))
    assert size_service(resolved, trace=read_trace(trace)).trace is not None


MANY = ("training.adapters=500", "candidates.gpus=[RTX-4090]")


def flat(sizing: Sizing, **options) -> str:
    return " ".join(size_text(sizing, **options).split())


@pytest.mark.parametrize("slots", ["1", "500", None])
def test_adapters_that_do_not_all_fit_at_once_are_told_where_the_fleet_is(size, slots):
    """One slot of 500 as stated, or as many as sequences fit beside them; of 8 with 8 slots nothing is told."""
    stated = () if slots is None else (f"serving.adapter_slots={slots}",)
    if slots == "500":
        found = size("training.adapters=8", "serving.adapter_slots=8")
        assert "fit at once" not in size_text(found) + size_text(found, full=True)
        return
    found = size(*MANY, *stated)
    best = found.plans[0]
    assert best.adapters == 500
    assert best.adapter_slots == 1 if slots else 1 < best.adapter_slots < 500
    told = (f"! Adapters that fit at once: {best.adapter_slots:.0f} of 500 on 1 x RTX-4090 fp8; requests for others"
            " wait, all asked alike (serving.adapter_slots)")
    assert [told in flat(found, full=full) for full in (False, True)] == [True, True]


def test_slots_that_leave_no_room_are_an_error_and_not_the_fleet_of_the_untrained_base(tmp_path):
    """500 slots of rank 16 are more than a card of 24 GB has; who asks for the base by its name has its fleet."""
    resolved = resolve(load_scenario(sized_scenario(tmp_path), (*SHARED, *MANY, "serving.adapter_slots=500")))
    told = r"^qwen3-8b, tuned: .*\(serving.adapter_slots\); --model qwen3-8b sizes it untrained$"
    with pytest.raises(InputError, match=told):
        size_service(resolved, frontier=False)
    assert size_service(resolved, "qwen3-8b", frontier=False).system == "qwen3-8b"
