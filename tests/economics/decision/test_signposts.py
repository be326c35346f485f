"""What would turn a choice: volumes, prices and error rates worked out by hand, and put back into the Case."""

from functools import cache
from typing import Any

import pytest
from quiet_scenario import CASCADE, CHEAPER, LUNA, OWN, SELF, STAY, case_of, plan

from roi.economics.decision.comparison import compare
from roi.economics.decision.evaluation import choose_plan, evaluate, read_all
from roi.economics.decision.turning.curves import Curves
from roi.economics.decision.turning.signposts import BAR, Signpost, signposts
from roi.economics.finance import discount_factors
from roi.facts.case import Case

ANNUITY = float(discount_factors(0.10, 24).sum())
CHANGE = 400.0 / ANNUITY  # the evaluation of $400, a month


@cache
def case() -> Case:
    return case_of(candidates={"own_hardware": True, "base": True})


def curves(**facts: Any) -> Curves:
    """The quiet scenario, every fleet on its first plan alone: one GPU a replica, 1 request/s, $2 an hour."""
    values = {k: v for k, v in case().values().items() if ".plans." not in k or ".plans.0." in k}
    values |= plan(SELF, pooling=1.0) | plan(OWN, pooling=1.0) | facts
    shared, options = read_all(case(), values)
    return Curves(shared, {id: choose_plan(shared, o, options) for id, o in options.items()})


def post(world: Curves, id: str, rival: str, quantity: str, counts: str = "errors") -> Signpost:
    (found,) = (p for p in signposts(world, id, rival, counts) if p.quantity == quantity)
    return found


def test_the_volume_from_which_an_option_beats_staying() -> None:
    """1,000 requests a day are too few for three replicas' $4,380 a month; one holds 28,800 a day at the peak and costs
    $1,460, that is (1,460 + 400 / annuity) / 0.004 requests a month.
    """
    found = post(curves(**{"workload.requests_per_day": 1000.0}), SELF, "stay", "requests_per_day")
    assert found.threshold == pytest.approx((1460.0 + CHANGE) / 0.004 / (365 / 12), rel=1e-5)
    assert (found.today, found.direction, found.reason) == (1000.0, "above", "one crossing")


def test_the_volume_below_which_a_winner_no_longer_wins_is_the_same() -> None:
    found = post(curves(), SELF, "stay", "requests_per_day")
    assert found.threshold == pytest.approx((1460.0 + CHANGE) / 0.004 / (365 / 12), rel=1e-5)
    assert (found.today, found.direction) == (86_400.0, "above")


def test_on_a_saw_the_nearest_volumes_count_and_the_last_is_told() -> None:
    """0.5/s holds 14,400 a day. At 15,000 the second replica is not earned: less than 14,400 would do, or what pays two; for
    good from where six are earned, (6 x $1,460 + 400 / annuity) / 0.004 a month, since five hold 72,000 a day.
    """
    world = curves(**plan(SELF, capacity_requests_per_s=0.5, pooling=1.0), **{"workload.requests_per_day": 15_000.0})
    above, below = (p for p in signposts(world, SELF, "stay") if p.quantity == "requests_per_day")
    assert (above.direction, below.direction) == ("above", "below")
    assert above.threshold == pytest.approx((2 * 1460.0 + CHANGE) / 0.004 / (365 / 12), rel=1e-5)
    assert above.reason == f"for good from {(6 * 1460.0 + CHANGE) / 0.004 / (365 / 12):,.0f} a day on"
    assert below.threshold == pytest.approx(14_400.0, rel=1e-5)


def test_the_rent_at_which_it_ends() -> None:
    """Three replicas: 3 x 730 h x rent + 400 / annuity = $10,512 a month."""
    found = post(curves(), SELF, "stay", "usd_per_gpu_hour")
    assert found.threshold == pytest.approx((STAY - CHANGE) / 2190.0, rel=1e-6)
    assert (found.today, found.direction) == (2.0, "below")
    assert found.reason.endswith("all rents moving alike")


def test_the_price_list_at_which_another_api_ends_to_win() -> None:
    """$394.20 a month x ratio + 400 / annuity = $10,512."""
    found = post(curves(), CHEAPER, "stay", "api_price_ratio")
    assert found.threshold == pytest.approx((STAY - CHANGE) / LUNA, rel=1e-6)
    assert (found.today, found.direction) == (1.0, "below")


def test_the_error_rate_follows_from_the_cost_of_one() -> None:
    """$0.10 an error: 10,512 - 394.20 - 400 / annuity a month pay for errors above the incumbent's 5%."""
    found = post(curves(**{"quality.usd_per_error": 0.1}), CHEAPER, "stay", "error_rate")
    assert found.threshold == pytest.approx(0.05 + (STAY - LUNA - CHANGE) / (2_628_000.0 * 0.1), rel=1e-6)
    assert found.today == pytest.approx(0.10)
    assert post(curves(), CHEAPER, "stay", "error_rate").reason == BAR
    assert not [p for p in signposts(curves(), CHEAPER, "stay", "cash") if p.quantity == "error_rate"]


def test_the_hours_a_month_that_running_gpus_may_take() -> None:
    """Three replicas, $4,380 a month, + hours x $100 + 400 / annuity = $10,512: 80 hours a month are too many, 10 are not."""
    enough = (STAY - 4380.0 - CHANGE) / 100.0
    for hours in (10.0, 80.0):
        world = curves(**{"changes.self_hosted.run_hours_per_month": hours})
        found = post(world, SELF, "stay", "run_hours_per_month")
        assert found.threshold == pytest.approx(enough, rel=1e-6)
        assert (found.today, found.direction) == (hours, "below")
    assert 10.0 < enough < 80.0


def test_no_hours_turn_what_costs_more_without_any_nor_what_the_rival_needs_too() -> None:
    """$20,000 of logs a month are dearer than $10,512; another API takes no hours, and rented and owned cards the same."""
    hours = {"changes.self_hosted.run_hours_per_month": 30.0}
    dear = post(curves(**hours, **{"platform.logs_usd_per_month": 20_000.0}), SELF, "stay", "run_hours_per_month")
    assert (dear.threshold, dear.reason) == (None, "even for nothing it costs more")
    for pair in ((CHEAPER, "stay"), (SELF, OWN)):
        assert not [p for p in signposts(curves(**hours), *pair) if p.quantity == "run_hours_per_month"]


def test_wrong_answers_count_or_not() -> None:
    """$0.01 for each of 5% more wrong answers is $0.0005 a request, $1,314 a month."""
    dear = curves(**{"quality.usd_per_error": 0.01})
    assert post(dear, CHEAPER, "stay", "api_price_ratio").threshold == pytest.approx((STAY - 1314.0 - CHANGE) / LUNA, rel=1e-6)
    assert post(dear, CHEAPER, "stay", "api_price_ratio", "cash").threshold == pytest.approx((STAY - CHANGE) / LUNA, rel=1e-6)


def test_no_price_turns_what_both_pay_or_what_costs_more_for_nothing() -> None:
    """A cascade pays gpt-6-luna too; a platform of $20,000 a month is dearer than $10,512 of API, whatever a server costs."""
    both = post(curves(), CASCADE, CHEAPER, "api_price_ratio")
    assert (both.threshold, both.reason) == (None, "the rival pays the same price")
    dear = post(curves(**{"platform.logs_usd_per_month": 20_000.0}), SELF, "stay", "usd_per_gpu_hour")
    assert (dear.threshold, dear.reason) == (None, "even for nothing it costs more")


def test_the_price_of_a_card_put_back_makes_the_two_equal() -> None:
    world = curves()
    found = post(world, OWN, "stay", "usd_per_gpu")
    assert found.threshold is not None
    gpu = case()[f"options.{OWN}.plans.0.gpu"].value
    assert found.today == case()[f"purchase.{gpu}.usd_per_gpu"].value
    there = curves(**{f"purchase.{gpu}.usd_per_gpu": found.threshold})
    own, stay = (float(evaluate(there.shared, there.options[id], there.options).pv) for id in (OWN, "stay"))
    assert own == pytest.approx(stay, rel=1e-9)


def test_the_price_is_that_of_the_card_today_and_another_that_is_cheaper_there_is_named() -> None:
    """A card for a quarter of the price that draws 12 kW is dearer at $180 a kW and month, and the cheaper at several times all
    prices; put back, both prices times that factor make the two options equal.
    """
    own, facts = f"options.{OWN}.plans.", case().values()
    card = {k.removeprefix(own + "0."): v for k, v in facts.items() if k.startswith(own + "0.")}
    card |= {k.removeprefix(own + "0."): v for k, v in plan(OWN, pooling=1.0).items()}
    cold, hot = (f"purchase.{gpu}.usd_per_gpu" for gpu in (card["gpu"], "HOT"))
    card |= {"gpu": "HOT", "price": hot, "watts": 12_000.0}

    def world(times: float) -> Curves:
        return curves(**{f"{own}1.{k}": v for k, v in card.items()},
                      **{cold: facts[cold] * times, hot: facts[cold] / 4 * times})

    found = post(world(1.0), OWN, "stay", "usd_per_gpu")
    assert (found.today, found.reason) == (facts[cold], f"{facts[own + '0.gpu']}, all prices moving alike, then HOT")
    assert found.threshold is not None
    there = world(found.threshold / found.today)
    assert there.options[OWN].plan.gpu == "HOT"
    gains = [float(evaluate(there.shared, there.options[id], there.options).pv) for id in (OWN, "stay")]
    assert gains[0] == pytest.approx(gains[1], rel=1e-9)


def test_a_card_in_use_fetches_no_more_than_a_new_one_costs() -> None:
    """Eight H100 that fetch $9,000 each save so much that they would pay at many times that: more than a new one costs."""
    own = {"cards": {"h100-sxm": 8}, "resale_usd_per_gpu": {"h100-sxm": 9000}}
    serve = {"api_models": [], "cascade_first": [], "self_hosted": ["qwen3-8b"], "own_hardware": True}
    case = case_of(candidates=serve, quality={"scores": {"gpt-5.4": 0.9, "qwen3-8b": 0.9}}, own_hardware=own)
    unbound = Case(facts={path: fact for path, fact in case.facts.items() if not path.endswith(".usd_per_new_gpu")})
    found = [next(s for s in compare(each).signposts if (s.option, s.rival, s.quantity) == (OWN, "stay", "usd_per_gpu"))
             for each in (case, unbound)]
    assert (found[0].threshold, found[0].reason) == (None, "at any price up to that of a new card")
    assert found[1].threshold is not None
    assert found[1].threshold > 31_600.0  # the catalog's price of a new one, which an older file does not hold
