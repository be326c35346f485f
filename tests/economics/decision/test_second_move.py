"""What follows an advised change of API: the same question with that API in use, worked out by hand.

86,400 requests a day x 100: today's model costs $1,051,200 a month, gpt-6-luna $39,420 after one month, three H100 of 100
requests/s each 3 x 730 h x $2 after six. In place of the API they pay today's model for five months more; after it they save.
"""

from functools import cache
from typing import Any

import pytest
from quiet_scenario import CHEAPER, LUNA, SELF, STAY, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.evaluation import can_be_in_use, once_moved
from roi.economics.finance import discount_factors

GPUS = 3 * 730 * 2.0
FACTORS = discount_factors(0.10, 24)
LATER = {"quality": {"usd_per_error": 0.0}, "workload": {"requests_per_day": 8_640_000.0}}
SERVED: dict[str, Any] = {
    "serving": {"spares": 0, "headroom": 0.0,
                "capacities": [{"model": "qwen3-8b", "gpu": "h100-sxm", "gpus": 1, "requests_per_s": 100.0, "pooling": 1.0}]},
    "gpu_rents": [{"gpu": "h100-sxm", "vendor": "ours", "usd_per_gpu_hour": 2.0}],
    "timing": {"months_to_live": {"api": 1.0, "self_hosted": 6.0, "cache_batch": 0.0, "cascade": 0.0}},
    "candidates": {"vendors": ["ours"], "hybrid": False, "cascade_first": [], "base": True, "methods": []},
}


@cache
def moved(requests_per_day: float = 8_640_000.0, bill: float | None = None) -> Comparison:
    changes = {**LATER, **SERVED, "workload": {"requests_per_day": requests_per_day}}
    if bill is not None:
        changes["incumbent"] = {"bill_usd_per_month": bill, "bill_is_volume_share": 0.0}
    return compare(case_of(**changes))


def test_gpus_that_lose_in_the_place_of_an_api_are_told_where_they_save_after_it() -> None:
    """Live a month after the API's six: months 8 to 24 save $39,420 - $4,380, less $400 of evaluation; at once they lose five
    months of $1,051,200 less $39,420, and the API is what is advised.
    """
    c = moved()
    assert c.verdict.leader == CHEAPER
    by_id = {o.id: o for o in c.options}
    assert by_id[CHEAPER].npv_usd - by_id[SELF].npv_usd == pytest.approx(
        100 * (STAY - LUNA) * FACTORS[1:6].sum() - (100 * LUNA - GPUS) * FACTORS[6:].sum(), rel=1e-9)
    assert c.second_move is not None
    assert (c.second_move.option, c.second_move.chance, c.second_move.likely) == (SELF, None, True)
    assert c.second_move.npv_usd == pytest.approx((100 * LUNA - GPUS) * FACTORS[7:].sum() - 400.0, rel=1e-9)


def test_where_gpus_save_nothing_after_it_no_move_follows() -> None:
    """At a tenth of that one GPU at $1,460 saves $2,482 of $3,942 a month; at a hundredth $394.20 pay none."""
    few = moved(86_400.0)
    assert few.verdict.leader == CHEAPER
    assert few.second_move is None


def test_the_volume_from_which_it_follows_is_where_its_rent_is_earned() -> None:
    """One GPU holds 100 requests/s at the peak, 2,880,000 a day: $1,460 a month and $400 over months 8 to 24."""
    assert moved().thresholds is not None
    found = moved().thresholds.second(SELF)
    assert found is not None
    each = LUNA / 86_400.0  # a month, of a request a day
    assert found.first == pytest.approx((GPUS / 3 + 400.0 / FACTORS[7:].sum()) / each, rel=1e-5)
    assert moved().thresholds.crossings(SELF, "recommended")[1].first is None


def test_what_the_bill_says_of_the_incumbents_price_is_not_said_of_the_api_moved_to() -> None:
    """Twice the list price for today's model, all of the gap price: the move that follows saves as much as without a bill."""
    plain, billed = moved().second_move, moved(bill=200 * STAY).second_move
    assert plain is not None
    assert billed is not None
    assert billed.npv_usd == pytest.approx(plain.npv_usd, rel=1e-9)


def test_what_is_no_mere_api_is_followed_by_nothing() -> None:
    """Of what runs GPUs, hands on, or is what is in use already, nothing is said here."""
    assert moved().thresholds is not None
    options = moved().thresholds.curves.options
    assert {id: can_be_in_use(o) for id, o in options.items() if id in {"stay", SELF, CHEAPER}} == {
        "stay": False, SELF: False, CHEAPER: True}
    shared, found = once_moved(moved().thresholds.curves.shared, options, CHEAPER)
    assert (found["stay"].vendor, found["stay"].months_to_live, found[SELF].months_to_live) == ("openai/gpt-6-luna", 0.0, 7.0)
    assert shared.commitment_usd == 0.0
