"""What was paid for GPUs in months for which the forecast has none: cash of these, beside every factor, and no more ahead."""

import numpy as np
import pytest
from tracked_years import DAYS, HORIZON_DAYS, LUNA, LUNA_USD, SCENARIO, SOL_USD

from roi.answers.opening import open_case
from roi.economics.decision.weighing import settle
from roi.economics.tracking.came import Came
from roi.economics.tracking.month_figures import GPU_BILL, GPU_HOURS, GPU_PRICE, figures
from roi.economics.tracking.seen_facts import effects, seen_lately, track
from roi.economics.tracking.way_ahead import course
from roi.scenario.file import check_scenario

SERVED = "self-hosted-base:qwen3-4b"
OWNED = "own-hardware:qwen3-4b"


@pytest.fixture(scope="module")
def owned():
    """Rented or own cards that go live after two months of 24."""
    asked = {
        **SCENARIO, "draws": 0, "timing": {"months_to_live": {"self_hosted": 2, "own_hardware": 2}, "months_in_parallel": 0},
        "own_hardware": {"usd_per_kwh": 0.2},
        "candidates": {"api_models": [], "self_hosted": ["qwen3-4b"], "base": True, "hybrid": False, "own_hardware": True},
        "quality": {"usd_per_error": 0, "scores": {"gpt-6-sol": 0.94, "qwen3-4b": 0.94}},
    }
    return settle(open_case(check_scenario(asked)).case)


def test_gpus_billed_for_an_option_that_calls_an_api_are_cash_of_their_month_and_put_payback_off():
    """$800 in December, $700 in February. A day saves 60,000 x (0.0041 - 0.0001246) = $238.524, 31 x that = $7,394.244.

    Set-up $8,000 and $1,500: December earns 6,594.244 and January 1,405.756 of its 7,394.244: 1.19011 months, as what is
    billed later is not earned back before. No month ahead pays it.
    """
    case = open_case(check_scenario(SCENARIO)).case
    shared, options, choices = settle(case)
    calls = [60000.0 * days for days in DAYS[:3]]
    came = [Came(days=days, calls=n, own_share=1.0, api_usd=n * LUNA_USD, gpu_usd=usd)
            for days, n, usd in zip(DAYS, calls, (800.0, None, 700.0), strict=False)]
    tracked = track(shared, options, LUNA, came)
    calls, billed = np.array(calls), np.array([800, 0, 700])
    assert tracked.months.cash_usd == pytest.approx(calls * LUNA_USD + billed)
    assert tracked.saving == pytest.approx(calls * (SOL_USD - LUNA_USD) - billed)
    (found,), _ = effects(shared, options, LUNA, tracked)
    assert (found.fact, found.factor, found.cash_usd, found.saving_usd) == (GPU_BILL, pytest.approx(1500), 1500, -1500)
    ahead = course(case, choices, LUNA, tracked, np.array(HORIZON_DAYS, dtype=float), ("stay", LUNA), "cash")
    assert ahead.payback[0] == pytest.approx(1 + (8000 - 6594.244) / 7394.244)
    assert ahead.earned == pytest.approx(calls.sum() * (SOL_USD - LUNA_USD) - 9500)


@pytest.mark.parametrize("id", [SERVED, OWNED])
def test_gpus_billed_before_go_live_are_an_addend_and_those_after_it_a_price(owned, id):
    """$3,000 in month 2, of which the forecast has none; then three times what it has in February, whatever that is."""
    shared, options, _ = owned
    planned = figures(shared, options[id], options)
    usd, hours = (float(np.broadcast_to(x, 24)[2]) * 28 / (365 / 12) for x in (planned.gpu_usd, planned.gpu_hours))
    assert usd > 0
    assert float(np.broadcast_to(planned.gpu_usd, 24)[1]) == 0.0
    came = [Came(days=days, gpu_usd=x, gpu_hours=h)
            for days, x, h in zip(DAYS, (None, 3000.0, 3 * usd), (None, 1000.0, hours), strict=False)]
    tracked = track(shared, options, id, came)
    assert tracked.months.gpu_usd == pytest.approx([0, 3000, 3 * usd])
    found = {each.fact: (each.factor, each.cash_usd) for each in effects(shared, options, id, tracked)[0]}
    assert found == {GPU_BILL: (pytest.approx(3000), 3000), GPU_PRICE: (pytest.approx(3), pytest.approx(2 * usd, abs=0.01))}
    ahead = seen_lately(shared, options, id, came, 3)
    assert (GPU_HOURS in ahead, GPU_BILL in ahead, float(ahead[GPU_PRICE].max())) == (False, False, pytest.approx(3))


def test_a_bill_for_gpus_that_stood_still_is_cash(owned):
    """Live in February by the forecast; no hour was used, and $500 was billed for what was reserved."""
    shared, options, _ = owned
    came = [Came(days=days, gpu_usd=x, gpu_hours=x and 0.0) for days, x in zip(DAYS, (None, None, 500.0), strict=False)]
    assert track(shared, options, SERVED, came).months.gpu_usd == pytest.approx([0, 0, 500])
