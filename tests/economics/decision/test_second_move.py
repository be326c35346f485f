"""What follows an advised change of API: the same question with that API in use, worked out by hand.

86,400 requests a day x 100: today's model costs $1,051,200 a month, gpt-6-luna $39,420 after one month, three H100 of 100
requests/s each 3 x 730 h x $2 after six. In place of the API they pay today's model for five months more; after it they save.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from quiet_scenario import ADAPTER, CASCADE, CHEAPER, LUNA, NONE, OWN, SELF, STAY, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.draws import draw
from roi.economics.decision.evaluation import can_be_in_use, once_moved
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.recommendation import Added, choose, find_first_move, hold_back
from roi.economics.decision.second_move import SecondMove, choose_first, left_to, once_in_use
from roi.economics.decision.weighing import settle, weigh
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
    """Prepared meanwhile and live after six months: months 7 to 24 save $39,420 - $4,380, less $400 of evaluation; at once
    they lose five months of $1,051,200 less $39,420, and the API is what is advised.
    """
    c = moved()
    assert c.verdict.leader == CHEAPER
    by_id = {o.id: o for o in c.options}
    assert by_id[CHEAPER].npv_usd - by_id[SELF].npv_usd == pytest.approx(
        100 * (STAY - LUNA) * FACTORS[1:6].sum() - (100 * LUNA - GPUS) * FACTORS[6:].sum(), rel=1e-9)
    assert c.second_move is not None
    assert (c.second_move.option, c.second_move.chance, c.second_move.likely) == (SELF, None, True)
    assert c.second_move.npv_usd == pytest.approx((100 * LUNA - GPUS) * FACTORS[6:].sum() - 400.0, rel=1e-9)


def test_the_move_that_follows_pays_back_when_its_set_up_is_earned_after_it_is_live() -> None:
    """$400 of evaluation at once; live after six months, it saves $35,040 in the seventh: 6 + 400 / 35,040. Without wrong
    answers that is cash. Without draws there is no bad case.
    """
    move = moved().second_move
    assert move is not None
    assert move.payback_cash_months == pytest.approx(6.0 + 400.0 / (100 * LUNA - GPUS), rel=1e-9)
    assert (move.payback_months, move.npv_p10_p50_p90) == (move.payback_cash_months, None)


HAIKU = "cheaper-api:anthropic/claude-haiku-5-5"


@cache
def untested(usd_per_error: float, *, rent: float = 2.0) -> Comparison:
    """A second API, as cheap, that nobody tested; nothing else is uncertain."""
    served: dict[str, Any] = SERVED["candidates"] | {"api_models": ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"]}
    return compare(case_of(
        **{**LATER, **SERVED, "draws": 4096, "quality": {"usd_per_error": usd_per_error}, "evaluation": {"months": 1.2},
           "gpu_rents": [SERVED["gpu_rents"][0] | {"usd_per_gpu_hour": rent}], "candidates": served}), thresholds=False)


def the_evaluation(c: Comparison) -> Experiment:
    return next(e for e in c.experiments if (e.kind, e.option) == ("evaluate", HAIKU))


def test_a_test_is_worth_nothing_where_even_without_an_error_the_next_move_saves_more() -> None:
    """262.8M requests a month, 10% of them wrong at $0.001: an API without errors saves $26,280 a month, the GPUs $35,040. The
    test was told to be worth what it is where no GPUs follow.
    """
    c = untested(0.001)
    assert c.verdict.leader == CHEAPER
    assert c.second_move is not None
    assert (c.second_move.option, c.second_move.likely) == (SELF, True)
    alone = untested(0.001, rent=50.0)
    assert alone.second_move is None
    assert the_evaluation(alone).worth_usd > 150_000.0
    assert the_evaluation(c).worth_usd == the_evaluation(c).evppi_usd == 0.0
    assert c.verdict.then is None


@pytest.mark.parametrize("usd_per_error", [0.002, 0.01])
def test_a_test_is_worth_what_it_adds_to_the_better_of_the_plans_with_the_next_move(usd_per_error: float) -> None:
    """Knowing the rate: by it, in which savings are linear, the better of the GPUs and the other API, both from then on. With g
    what the GPUs add, $400 the set-up of each, of which the test has paid the other API's, and L the share of the horizon until
    the result: the GPUs wait for it and lose (g + 400) L, or they run meanwhile and their $400 are spent. The better is told.
    Of what an API saves over months 2 to 24 the first ones are more than L, by k: the two APIs differ in what they save then.
    """
    c = untested(usd_per_error)
    e, move, (shared, _, choices) = the_evaluation(c), c.second_move, settle(c.case)
    assert move is not None
    drawn = draw(c.case, ["stay", CHEAPER, HAIKU], choices, 4096, int(c.case["seed"].number()))
    luna, lost = drawn.npv[CHEAPER].mean(), e.months / shared.horizon
    haiku = np.polyval(np.polyfit(drawn.wrong[HAIKU], drawn.npv[HAIKU], 1), drawn.wrong[HAIKU])
    gpus, by_id = (1 - lost) * (luna + move.npv_usd), {o.id: o for o in c.options}
    k = np.interp(e.months, range(24), np.cumsum([0.0, *FACTORS[1:]])) / FACTORS[1:].sum() - lost
    haiku = haiku + k * (by_id[CHEAPER].npv_usd - by_id[HAIKU].npv_usd) / (1 - lost)
    wait = np.maximum(gpus - 400 * lost, (1 - lost) * (haiku + 400) - 400).mean() - (luna + move.npv_usd - luna * lost)
    run = np.maximum(gpus, (1 - lost) * (haiku + 800) - 800).mean() - gpus
    assert e.evppi_usd == pytest.approx(max(wait, run), rel=0.03)
    assert 0.0 < e.worth_usd < e.evppi_usd
    assert c.verdict.then == e
    assert e.evppi_usd < 0.8 * the_evaluation(untested(usd_per_error, rent=50.0)).evppi_usd


def test_the_result_with_which_a_test_wins_is_that_of_the_rule_whatever_follows() -> None:
    """The other API costs as much as gpt-6-luna, whose 10% are wrong: it is advised with fewer, half an item added each way."""
    for rent in (2.0, 50.0):
        v = untested(0.01, rent=rent).verdict
        assert v.wins_on_items is not None
        assert v.wins_at_error_rate == pytest.approx(0.10 - 0.4 / v.wins_on_items, abs=1.0 / v.wins_on_items)


def test_where_gpus_save_nothing_after_it_no_move_follows() -> None:
    """At a tenth of that one GPU at $1,460 saves $2,482 of $3,942 a month; at a hundredth $394.20 pay none."""
    few = moved(86_400.0)
    assert few.verdict.leader == CHEAPER
    assert few.second_move is None


def test_the_volume_from_which_it_follows_is_where_its_rent_is_earned() -> None:
    """One GPU holds 100 requests/s at the peak, 2,880,000 a day: $1,460 a month and $400 over months 7 to 24."""
    assert moved().thresholds is not None
    found = moved().thresholds.second(SELF)
    assert found is not None
    each = LUNA / 86_400.0  # a month, of a request a day
    assert found.first == pytest.approx((GPUS / 3 + 400.0 / FACTORS[6:].sum()) / each, rel=1e-5)
    assert moved().thresholds.crossings(SELF, "recommended")[1].first is None


def staged(draws: int = 0, *, growth: bool = True, quality: dict[str, Any] | None = None) -> Comparison:
    """GPUs for six months at least, live 0.1 months after the API: they lead, and the API, which can be undone, comes first."""
    months = {"api": 1.0, "self_hosted": 1.1, "cache_batch": 0.0, "cascade": 0.0}
    grown = {"growth_per_year": {"value": 0.0, "low": -0.2, "high": 0.4}} if draws and growth else {}
    return compare(case_of(**{
        **LATER, **SERVED, "timing": {"months_to_live": months}, "draws": draws, "workload": {**LATER["workload"], **grown},
        "gpu_rents": [SERVED["gpu_rents"][0] | {"minimum_months": 6}], "quality": quality or LATER["quality"]}))


def test_what_leads_is_valued_from_its_first_move_and_prepared_meanwhile() -> None:
    """From 1.1 months on it saves $39,420 - $4,380 a month, less $400 of evaluation: nine tenths of month 2, then all."""
    c = staged()
    assert (c.verdict.leader, c.verdict.first_move) == (SELF, CHEAPER)
    move, by_id = c.second_move, {o.id: o for o in c.options}
    assert move is not None
    assert (move.option, move.after) == (SELF, CHEAPER)
    saved = 100 * LUNA - GPUS
    assert move.npv_usd == pytest.approx(saved * (0.9 * FACTORS[1] + FACTORS[2:].sum()) - 400.0, rel=1e-9)
    assert move.payback_months == pytest.approx(1.0 + 400.0 / (0.9 * saved), rel=1e-9)
    assert move.both_npv_usd == pytest.approx(by_id[CHEAPER].npv_usd + move.npv_usd, rel=1e-12)
    first_alone = 0.1 * 100 * (STAY - LUNA) * FACTORS[1] - 400.0
    assert move.both_npv_usd - by_id[SELF].npv_usd == pytest.approx(first_alone, rel=1e-9), "what the first saves before"


RENT = {"value": 14.0, "low": 8.0, "high": 22.0}


@cache
def dear(volume: float = 0.9) -> Comparison:
    """As `staged`, at an uncertain rent of GPUs and at so many times the requests: at once them three GPUs are full."""
    return compare(case_of(**{
        **LATER, **SERVED, "draws": 512, "workload": {"requests_per_day": 8_640_000.0 * volume},
        "timing": {"months_to_live": {"api": 1.0, "self_hosted": 1.1, "cache_batch": 0.0, "cascade": 0.0}},
        "gpu_rents": [SERVED["gpu_rents"][0] | {"minimum_months": 6, "usd_per_gpu_hour": RENT}]}))


def test_what_adds_too_seldom_to_its_first_move_is_passed_over_and_the_first_leads_alone() -> None:
    """It saves on 0.9 x $39,420 a month where a rent is below that / (3 x 730 h) = $16.20, less $400,
    and a bill that the uncertain tokens of the API make higher or lower: in fewer draws than 80%.

    Alone it saves in every draw, and on average more than the API, whose set-up comes on top of what both save.
    """
    c = dear()
    by_id, move, v = {o.id: o for o in c.options}, c.second_move, c.verdict
    assert by_id[SELF].expected_npv_usd > by_id[CHEAPER].expected_npv_usd
    assert by_id[SELF].probability_npv_positive == 1.0
    w = weigh(c.case)
    assert w.chosen.leader == SELF
    assert w.drawn is not None
    rents, tokens = (w.drawn.facts[path] for path in ("gpu_rents.0.usd_per_gpu_hour", "systems.gpt-6-luna.token_ratio"))
    earned = 400.0 / (0.9 * FACTORS[1] + FACTORS[2:].sum())
    odds = float(np.mean(3 * 730 * rents < 0.9 * 100 * LUNA * tokens - earned))
    assert 0.6 < odds < 0.8
    assert (v.recommended, v.first_move, v.steps) == (CHEAPER, None, (CHEAPER,))
    assert move is not None
    assert (move.option, move.likely, move.chance) == (SELF, False, pytest.approx(odds))
    assert [(p.option, p.reason, p.chance, p.chance_needed) for p in v.passed_over] == [
        (SELF, "not likely to add", pytest.approx(odds), 0.8)]


def test_what_an_api_saves_once_gpus_are_live_is_what_they_add_less_to_it() -> None:
    """In every draw, to the cent: so the rule is asked at other volumes and prices without a second draw of GPUs."""
    w = weigh(dear().case)
    assert w.drawn is not None
    found = once_in_use(dear().case, w, CHEAPER, (SELF,))
    assert found is not None
    left = left_to(dear().case, w.choices, w.drawn.n, w.drawn.seed, id=SELF, to=CHEAPER)
    np.testing.assert_allclose(w.drawn.npv[SELF] - left.npv[CHEAPER], found.added(SELF), atol=0.01)


def test_the_volume_at_which_what_is_held_back_is_likely_to_add_is_where_it_leads() -> None:
    """More requests on the same GPUs raise the rent that they earn, up to $18; on either side it is compared anew."""
    turn = dear().turning_volume(up=True)
    assert turn is not None
    times = turn[0] / 8_640_000.0
    assert (dear(times * 0.99).verdict.steps, dear(times * 1.01).verdict.steps) == ((CHEAPER,), (CHEAPER, SELF))


@pytest.mark.parametrize("volume", [0.5, 0.9, 1.0, 2.0])
def test_a_second_step_adds_on_average_and_as_often_as_is_asked(volume: float) -> None:
    """Wherever two steps are advised."""
    c = dear(volume)
    if len(c.verdict.steps) > 1:
        assert c.second_move is not None
        assert c.second_move.npv_usd > 0.0
        assert (c.second_move.chance or 0.0) >= 0.8


def test_both_moves_are_valued_in_the_same_draws() -> None:
    """Only the growth is uncertain: in every draw both save what the first does and what the second adds."""
    c = staged(draws=256)
    assert c.second_move is not None
    first = next(o for o in c.options if o.id == CHEAPER)
    assert c.second_move.both_npv_usd == pytest.approx(first.expected_npv_usd + c.second_move.npv_usd, rel=1e-9)


def test_where_the_first_move_misses_the_bar_the_second_is_live_in_the_place_of_staying() -> None:
    """Both save what the first does, and what the second adds where that reaches the bar, else what it saves alone, each alike.

    So both are worth what the second is alone, and what the first saves until then in the draws in which it does.
    """
    score = {"value": 0.90, "low": 0.86, "high": 0.94}
    c = staged(draws=512, growth=False, quality={
        "bar": 0.88, "usd_per_error": 0.0, "scores": {"gpt-5.4": 0.95, "gpt-6-luna": score, "qwen3-8b": 0.9}})
    first, move = next(o for o in c.options if o.id == CHEAPER), c.second_move
    assert first.probability_good_enough is not None
    assert move is not None
    assert move.after == CHEAPER
    assert 0.5 < first.probability_good_enough < 0.95
    second, reached = next(o for o in c.options if o.id == SELF), first.probability_good_enough
    both = first.expected_npv_usd + reached * move.npv_usd + (1.0 - reached) * second.expected_npv_usd
    assert move.both_npv_usd == pytest.approx(both, rel=1e-9)
    spent = 400.0 + 0.1 * 100 * (STAY - LUNA) * FACTORS[1]
    assert abs(move.both_npv_usd - second.expected_npv_usd) < spent


def test_what_would_keep_the_first_move_is_looked_for_from_there() -> None:
    """The rent at which what both save is what the first saves: (100 x LUNA) of months 1.1 on, less $400, over three GPUs."""
    c = staged()
    sign = next(s for s in c.thresholds.moving_on if s.quantity == "usd_per_gpu_hour")
    assert (sign.option, sign.rival) == (SELF, CHEAPER)
    months = 0.9 * FACTORS[1] + FACTORS[2:].sum()
    assert sign.threshold == pytest.approx((100 * LUNA - 400.0 / months) / (3 * 730), rel=1e-6)


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
    _, found = once_moved(moved().thresholds.curves.shared, options, CHEAPER)
    assert (found["stay"].vendor, found["stay"].months_to_live, found[SELF].months_to_live) == ("openai/gpt-6-luna", 0.0, 6.0)


@pytest.mark.parametrize(("to", "factor"), [(CHEAPER, 1.0), ("cache-batch", 2.0)])
def test_a_commitment_is_owed_whatever_follows_and_the_bills_price_stays_with_todays_model(to: str, factor: float) -> None:
    assert moved().thresholds is not None
    curves = moved().thresholds.curves
    owed = replace(curves.shared, commitment_usd=5000.0, price_factor=2.0)
    shared, _ = once_moved(owed, curves.options, to)
    assert (shared.commitment_usd, shared.price_factor) == (0.0, factor)


def test_what_leads_in_the_place_of_one_held_back_is_the_best_of_the_others() -> None:
    """An API that pays back too late to come first saves more than the one that comes first: it is likely, and leads."""
    w = weigh(case_of(draws=0, candidates={"cascade_first": [], "self_hosted": []}))
    one = w.results[CHEAPER]
    results = {"stay": w.results["stay"], **{
        id: replace(one, id=id, binds=id == "own", expected_npv_usd=usd, payback_months=paid, months_to_live=3.0)
        for id, usd, paid in (("own", 100.0, 9.0), ("late", 90.0, 8.0), ("first", 80.0, 2.0))}}
    shared = replace(w.shared, may_stay=False)
    chosen = choose(shared, results, "errors")
    assert (chosen.leader, find_first_move(results, chosen)) == ("own", "first")
    held = hold_back(shared, results, results, chosen, lambda id, to: Added(np.repeat([9.0, -1.0], [57, 43])))
    assert (held.leader, held.likely, held.held) == ("late", ("late", "first"), {"own": 0.57})
    assert hold_back(shared, results, results, chosen, lambda id, to: Added(np.repeat([9.0, -1.0], [90, 10]))) == chosen


BOTH_SERVED = {"serving": {"spares": 0, "headroom": 0.0, "capacities": [
    {"model": model, "gpu": "h100-sxm", "gpus": 1, "requests_per_s": 100.0, "pooling": 1.0}
    for model in ("qwen3-8b", "qwen3-8b+lora")]}, "training": {"retrain_every_months": None}}
WRONG = 100 * 2_628_000 * 0.02  # USD a month, were all answers wrong


def after(to: str, id: str, **changes: Any) -> tuple[float, Any]:
    """What `id`, live after six months and half a month in parallel, adds to `to`, live after one; with the options."""
    months = {"api": 1.0, "cascade": 1.0, "self_hosted": 1.0, "own_hardware": 1.0, "self_hosted_adapter": 6.0}
    case = case_of(**{
        **SERVED, **BOTH_SERVED, "workload": LATER["workload"], "quality": {"usd_per_error": 0.02, "bar": 0.85},
        "timing": {"months_to_live": months, "months_in_parallel": 0.5}, "own_hardware": {"cards": {"H100-SXM": 8}},
        "candidates": {**SERVED["candidates"], "methods": ["lora"], "cascade_first": ["openai/gpt-6-luna"],
                       "own_hardware": to == OWN}, **changes})
    w = weigh(case)
    found = once_in_use(case, w, to, (id,))
    assert found is not None
    added = found.adds(id)
    assert added is not None
    return added.mean_usd, w


@pytest.mark.parametrize("to", [CHEAPER, SELF, CASCADE])
def test_what_is_added_is_what_the_first_move_costs_from_when_it_is_left_less_the_second_and_its_set_up(to: str) -> None:
    """The first is paid for another half month beside the second, and its answers are used: from 6.5 months on it is spared.

    Today's model is left by then either way. gpt-6-luna costs $39,420 a month and 10% are wrong, as of the three H100 at
    $4,380; of a cascade the last month tells. The adapter on three H100 too: 6% are wrong.
    """
    added, w = after(to, ADAPTER)
    alone = 0.5 * FACTORS[6] + FACTORS[7:].sum()
    spared = {CHEAPER: 100 * LUNA + 0.1 * WRONG, SELF: GPUS + 0.1 * WRONG, CASCADE: w.central[CASCADE].total.monthly[-1]}[to]
    paid = float(w.central[ADAPTER].total.upfront) + GPUS * FACTORS[6:].sum() + 0.06 * WRONG * alone
    assert added == pytest.approx(spared * alone - paid, rel=1e-9)


def test_cards_that_the_second_move_needs_no_more_are_sold_when_it_has_left_the_first() -> None:
    """Three cards of one's own, $13,351 each today, keep 65% of that a year: sold after 6.5 months, and not after 24."""
    added, w = after(OWN, ADAPTER)
    alone, years = 0.5 * FACTORS[6] + FACTORS[7:].sum(), 6.5 / 12
    lines = {line.name: line for line in w.central[OWN].costs.lines}
    cards = float(lines["own cards, not sold (no cash)"].upfront)
    sold = cards * ((0.65 / 1.1) ** years - (0.65 / 1.1) ** 2)
    spared = float(lines["colocation"].monthly[-1]) + 0.1 * WRONG
    paid = float(w.central[ADAPTER].total.upfront) + GPUS * FACTORS[6:].sum() + 0.06 * WRONG * alone
    assert added == pytest.approx(spared * alone + sold - paid, rel=1e-9)


def test_a_second_move_on_the_same_cards_of_ones_own_sells_and_buys_none() -> None:
    """What the three would fetch is the same whether the adapter follows or not: as if they fetched nothing."""
    adapter = "own-hardware:qwen3-8b+lora"
    free = {"own_hardware": {"cards": {"H100-SXM": 8}, "resale_usd_per_gpu": 0.0}}
    assert after(OWN, adapter)[0] == pytest.approx(after(OWN, adapter, **free)[0], abs=1e-6)


@pytest.mark.parametrize(("to", "hours"), [(SELF, 30 + 10), (CHEAPER, 0)])
def test_hours_that_are_paid_anyway_are_not_had_twice(to: str, hours: float) -> None:
    """80 hours a month for six months; 60 set the first up, 50 a month run it for five: 170 are left of the 200 of the second.

    While both run, for half a month, they ask for 100 of 80. An API takes 60 alone. All else is as where nobody's hours count.
    """
    people = {"existing_hours_per_month": 80.0,
              "setup_hours": {**NONE, "api": 60.0, "self_hosted": 60.0, "self_hosted_adapter": 200.0},
              "run_hours_per_month": {**NONE, "self_hosted": 50.0, "self_hosted_adapter": 50.0}}
    assert after(to, ADAPTER)[0] - after(to, ADAPTER, people=people)[0] == pytest.approx(hours * 100.0, abs=1e-6)


@pytest.mark.parametrize(("hours", "short"), [(420.0, 0.0), (450.0, 30.0)])
def test_hours_that_set_up_an_api_are_none_of_the_gpus_that_follow(hours: float, short: float) -> None:
    """Of 480 hours in six months, paid anyway, the API takes 60; besides, an evaluation costs $400."""
    def followed(taken: float) -> SecondMove:
        people = {"existing_hours_per_month": 80.0, "setup_hours": {**NONE, "api": taken, "self_hosted": hours}}
        move = compare(case_of(**{**LATER, **SERVED, "people": people}), thresholds=False).second_move
        assert move is not None
        return move

    assert followed(0.0).npv_usd - followed(60.0).npv_usd == pytest.approx(short * 100.0, abs=1e-6)
    assert (followed(0.0).upfront_usd, followed(60.0).upfront_usd) == (400.0, pytest.approx(400.0 + short * 100.0))


SELDOM, OFTEN = ({"value": value, "low": low, "high": 0.95} for value, low in ((0.92, 0.89), (0.93, 0.91)))


@cache
def tuned(often: bool, usd_per_error: float = 1e-4, volume: float = 1.0) -> Comparison:
    """An adapter that is live an hour after its base, both on three GPUs: it saves more if fewer of its answers are wrong."""
    months = {"api": 1.0, "cascade": 1.0, "cache_batch": 0.0, "self_hosted": 1.0, "self_hosted_adapter": 1.001}
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.85, "qwen3-8b": 0.90, "qwen3-8b+lora": OFTEN if often else SELDOM}
    return compare(case_of(**{
        **SERVED, **BOTH_SERVED, "draws": 512, "workload": {"requests_per_day": 8_640_000.0 * volume},
        "timing": {"months_to_live": months}, "quality": {"bar": 0.8, "usd_per_error": usd_per_error, "scores": scores},
        "candidates": {**SERVED["candidates"], "methods": ["lora"], "api_models": []}}))


def gained(c: Comparison) -> np.ndarray[Any, Any]:
    """By hand what the adapter adds in each draw: 10% are wrong of its base, and their rents are the same."""
    w = weigh(c.case)
    assert w.drawn is not None
    paid = float(w.central[ADAPTER].total.upfront)
    return 100 * 2_628_000 * 1e-4 * (0.10 - w.drawn.wrong[ADAPTER]) * (0.999 * FACTORS[1] + FACTORS[2:].sum()) - paid


def test_what_adds_too_seldom_to_own_gpus_is_passed_over() -> None:
    """It leads by its mean and beats staying in each draw; it adds to its base in seven of ten."""
    c = tuned(often=False)
    by_id, odds = {o.id: o for o in c.options}, float(np.mean(gained(c) > 0))
    assert by_id[ADAPTER].expected_npv_usd > by_id[SELF].expected_npv_usd
    assert 0.6 < odds < 0.79
    assert (c.verdict.steps, c.verdict.first_move) == ((SELF,), None)
    assert [(p.option, p.reason, p.chance, p.chance_needed) for p in c.verdict.passed_over] == [
        (ADAPTER, "not likely to add", pytest.approx(odds, abs=2 / 512), 0.8)]
    assert c.second_move is not None
    assert (c.second_move.option, c.second_move.after, c.second_move.likely) == (ADAPTER, SELF, False)
    assert choose_first(c.case, weigh(c.case)).leader == SELF, "as two comparisons are held against each other"


def test_what_adds_often_to_own_gpus_follows_them_and_what_both_save_is_told() -> None:
    c = tuned(often=True)
    by_id, move, adds = {o.id: o for o in c.options}, c.second_move, gained(c)
    assert c.verdict.steps == (SELF, ADAPTER)
    assert move is not None
    assert (move.after, move.likely, move.chance) == (SELF, True, pytest.approx(float(np.mean(adds > 0)), abs=2 / 512))
    assert move.npv_usd == pytest.approx(adds.mean(), rel=2e-3)  # of a run that fails some cost more, $2 each
    assert move.both_npv_usd == pytest.approx(by_id[SELF].expected_npv_usd + move.npv_usd, rel=1e-9)
    assert move.upfront_usd == pytest.approx(by_id[ADAPTER].upfront_usd)
    paid, a_month = float(by_id[ADAPTER].upfront_usd), 100 * 2_628_000 * 1e-4 * (0.10 - 0.07)
    assert move.payback_months == pytest.approx(1.001 + paid / a_month, rel=1e-3)
    assert move.payback_cash_months == np.inf


def test_other_volumes_and_prices_hold_what_follows_own_gpus_to_the_same_rule() -> None:
    """Both where it is held back today and where it follows: compared anew on either side of where that turns."""
    seldom, often = tuned(often=False), tuned(often=True)
    up, down = seldom.turning_volume(up=True), often.turning_volume(up=False)
    assert up is not None
    assert down is not None
    for is_often, (volume, *_) in ((False, up), (True, down)):
        times = volume / 8_640_000.0
        led = [tuned(often=is_often, volume=times * each).verdict.steps for each in (0.99, 1.01)]
        assert led == [(SELF,), (SELF, ADAPTER)]
    for is_often, price in ((False, seldom.verdict.flips_at_usd_per_error), (True, often.verdict.flips_at_usd_per_error)):
        assert price is not None
        led = [tuned(often=is_often, usd_per_error=price * each).verdict.steps for each in (0.99, 1.01)]
        assert led == [(SELF,), (SELF, ADAPTER)]
