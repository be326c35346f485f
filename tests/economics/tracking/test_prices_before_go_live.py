"""The price of months in which the old model still answers moves as the old model's does, and so does its band."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tracked_years import HORIZON_DAYS, LUNA, SCENARIO, SOL_USD

from roi.answers.opening import open_case
from roi.economics.decision.weighing import settle
from roi.economics.tracking.predictive_bands import PRICES, forecast, paid_prices
from roi.scenario.file import check_scenario


def test_each_part_of_a_bill_is_at_its_own_price() -> None:
    """$60 at 1.2 times the list and $40 at 0.8 times it list $50 + $50; $60 of the first list $50; nothing: as the option's."""
    months: Any = SimpleNamespace(calls_usd=np.array([100.0, 60.0, 0.0]), waiting_usd=np.array([40.0, 0.0, 0.0]))
    assert paid_prices(months, np.full(3, 1.2), np.full(3, 0.8)) == pytest.approx([1.0, 1.2, 1.2])


def test_the_band_of_a_price_draws_how_much_of_the_gap_from_estimate_to_bill_is_price() -> None:
    """The bill is 1.44 of what the requests list: all price is 1.2 times the half that is forecast, all volume 1 / 1.2.

    December is the old model's alone: its 90% is staying's. Luck of a month, 1%, moves it by no more than to 0.99 and 1.01.
    """
    usd = 1.44 * 60000 * 365 / 12 * SOL_USD
    case = open_case(check_scenario({
        **SCENARIO, "timing": {"months_to_live": {"api": 1}, "months_in_parallel": 0},
        "incumbent": {**SCENARIO["incumbent"], "bill_usd_per_month": usd},
    })).case
    _, _, choices = settle(case)
    days = np.array(HORIZON_DAYS, dtype=float)
    moved, stay = (forecast(case, choices, id, days, 2).bands[PRICES] for id in (LUNA, "stay"))
    assert (moved.low[0], moved.high[0]) == pytest.approx((stay.low[0], stay.high[0]))
    assert 1 / 1.22 < moved.low[0] < 0.9
    assert 1.1 < moved.high[0] < 1.22
    assert (moved.low[1], moved.high[1]) == pytest.approx((0.99, 1.01), abs=0.002)
