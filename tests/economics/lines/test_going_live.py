"""Going live takes time, models end, levels move: by hand on one request a second."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, LUNA, NONE, PER_MONTH, QUIET, SELF, STAY, World, case_of, plan, world

from roi.economics.decision.comparison import compare
from roi.economics.decision.feasibility import binds, rule_out
from roi.economics.reading import read_option


def test_until_live_the_incumbent_is_paid_and_in_parallel_both() -> None:
    """Live after 1.5 months, 0.5 in parallel: the incumbent for 2 months; the option for half of month 2."""
    w = world(timing={"months_to_live": {**NONE, "api": 1.5}, "months_in_parallel": 0.5})
    kept = w.line(CHEAPER, "incumbent, until live and in parallel")[1]
    own = np.add(w.line(CHEAPER, "API input, uncached")[1], w.line(CHEAPER, "API output")[1])
    assert kept[:4] == pytest.approx([STAY, STAY, 0.0, 0.0])
    assert own[:4] == pytest.approx([0.0, LUNA / 2, LUNA, LUNA])


def test_what_goes_live_at_the_end_of_the_horizon_is_out() -> None:
    """24 months: live after 23.5 serves for half a month of them, after 24 for none."""
    w = world()
    for months, why in ((23.5, None), (24.0, "live after 24 months, when the horizon of 24 is over")):
        late = {CHEAPER: replace(w.options[CHEAPER], months_to_live=months)}
        assert rule_out(w.shared, {**w.options, **late}, ())[CHEAPER].infeasible == why


@pytest.mark.parametrize(("term", "bound"), [(0.0, False), (1.0, False), (2.0, True)])
def test_a_term_of_more_than_a_month_binds(term: float, bound: bool) -> None:
    """Of a rent, and of a commitment with a vendor: a month's is undone by a configuration."""
    w = world()
    rented, base = w.options[SELF], w.options[CHEAPER]
    assert rented.plan is not None
    assert binds(replace(rented, plan=replace(rented.plan, minimum_months=term))) == bound
    assert binds(replace(base, commitment_months=term)) == bound


def test_a_month_of_delay_costs_the_saving_of_a_month() -> None:
    """At 0% a month later loses 10,512 - 394.20."""
    c = compare(case_of(discount_rate=0.0, quality={"usd_per_error": 0.0}))
    option = next(o for o in c.options if o.id == CHEAPER)
    assert option.delay_usd == pytest.approx(STAY - LUNA)


@pytest.mark.full
def test_a_change_of_model_pays_hours_and_evaluation() -> None:
    """20 h x $100, and $100 + 300 labels x $1. Switching the cache on changes no model."""
    w = world(
        people={"setup_hours": {**NONE, "api": 20.0}},
        workload={"shared_prefix_tokens": 1000.0, "input_tokens": 2000.0, "cache_hit_rate": 0.5, "can_wait_share": 0.5},
    )
    assert w.line(CHEAPER, "engineering, set-up")[0] == 2000.0
    assert w.line(CHEAPER, "evaluation before the change")[0] == 400.0
    assert "evaluation before the change" not in w.names("cache-batch")


def test_an_announced_end_forces_a_migration_and_so_does_each_life_after_it() -> None:
    """gpt-4.1 ends 51 days (1.68 months) after 2026-11-24, its successors after 10 each: paid at month ends 1, 11, 21:
    40 h x $100 + $400. From the month after, the price is 0.5 of what it was: $0.0028 -> 0.0014 -> 0.0007 -> 0.00035.
    """
    w = world(
        incumbent={"model": "gpt-4.1"},
        quality={"scores": {"gpt-4.1": 0.95}},
        drift={"model_life_months": 10.0, "successor_price_ratio": 0.5},
    )
    paid = w.line("stay", "incumbent's model ends: migration")[1]
    assert {t + 1: usd for t, usd in enumerate(paid) if usd} == {1: 4400.0, 11: 4400.0, 21: 4400.0}
    bill = np.add(w.line("stay", "API input, uncached")[1], w.line("stay", "API output")[1])
    each = PER_MONTH * 0.0028
    assert bill[[0, 1, 10, 11, 20, 21]] == pytest.approx(each * np.array([1, 0.5, 0.5, 0.25, 0.25, 0.125]))


def ending(**changes: Any) -> World:
    """gpt-4.1 ends 51 days (1.68 months) on: 40 h x $100 + $400; gpt-6-luna, which its vendor suggests, and a rival."""
    timing = changes.pop("whole_timing", {"months_to_live": {**NONE, "api": 1.0}, "months_in_parallel": 1.0})
    rival = "anthropic/claude-haiku-5-5"
    today = {"model": "gpt-4.1", **changes.pop("incumbent", {})}
    return world(incumbent=today, timing=timing, quality={"scores": {"gpt-4.1": 0.95}},
                 candidates={"api_models": ["openai/gpt-6-luna", rival], "cascade_first": [rival]}, **changes)


RIVAL, MOVED = "cheaper-api:anthropic/claude-haiku-5-5", "incumbent's model ends: migration"


def test_both_are_paid_no_longer_than_todays_model_lives_and_nobody_moves_on_for_days() -> None:
    """Live after 1 month, 1 in parallel: the incumbent is paid for 51 / (365/12) = 1.677 months and not 2, and not ported.

    $0.0028 a request. A cascade goes on with it, and keeps it in parallel for all of its time.
    """
    w, end = ending(), 51 / (365 / 12)
    kept = w.line(RIVAL, "incumbent, until live and in parallel")[1]
    assert kept[:3] == pytest.approx([PER_MONTH * 0.0028, PER_MONTH * 0.0028 * (end - 1.0), 0.0])
    assert MOVED not in w.names(RIVAL)
    assert float(w.options[RIVAL].months_kept) == pytest.approx(end)
    cascade = w.options["cascade:anthropic/claude-haiku-5-5"]
    assert cascade.months_kept == cascade.months_to_live + 1.0
    assert MOVED in w.names(cascade.id)
    seats = ending(incumbent={"seats": {"users": 10, "usd_per_month": 30}})
    assert seats.options[RIVAL].months_kept == 2.0


def test_another_api_is_live_when_todays_model_ends_unless_its_time_is_stated() -> None:
    """gpt-4.1 ends after half a month, the default of a change is a month: half a month of it, and nobody moves on. Shorter
    defaults, stated times, and cascades, which go on with it, stay. In draws each by its own end.
    """
    left_out = {kind: months for kind, months in NONE.items() if kind != "api"}
    timing = {"months_to_live": left_out, "months_in_parallel": 1.0}
    soon = ending(incumbent={"ends_in_months": 0.5}, whole_timing=timing)
    assert float(soon.options[RIVAL].months_to_live) == 0.5
    assert soon.line(RIVAL, "incumbent, until live and in parallel")[1][:2] == pytest.approx([PER_MONTH * 0.0028 / 2, 0.0])
    assert MOVED not in soon.names(RIVAL)
    assert soon.options["cascade:anthropic/claude-haiku-5-5"].months_to_live == 0.0
    assert ending(incumbent={"ends_in_months": 3.0}, whole_timing=timing).options[RIVAL].months_to_live == 1.0
    own = ending(incumbent={"ends_in_months": 0.5}, whole_timing=timing, options={RIVAL: {"months_to_live": 1.0}})
    assert own.options[RIVAL].months_to_live == 1.0
    assert own.line(RIVAL, MOVED)[0] == pytest.approx(4400.0)
    values = {"changes.api.months_to_live": np.array([[0.4], [1.0], [2.0]]),
              "vendors.openai/gpt-4.1.first_end_months": np.array([[0.5], [0.5], [5.0]])}
    drawn = read_option({**soon.values, **values}, RIVAL, soon.shared)
    assert np.reshape(drawn.months_to_live, -1) == pytest.approx([0.4, 0.5, 2.0])


def test_in_draws_the_overlap_ends_with_the_life_of_each() -> None:
    """Ends after 0.5 months, and every 10 from there, 1, 1.2 and 5: an end before go-live is the successor's 10 later."""
    w = ending()
    lives = np.array([[0.5], [1.0], [1.2], [5.0]])
    drawn = replace(w.options[RIVAL], todays_end=lives, todays_life=10.0)
    assert np.reshape(drawn.months_kept, -1) == pytest.approx([2.0, 1.0, 1.2, 2.0])
    for life, kept in zip(lives[:, 0], np.reshape(drawn.months_kept, -1), strict=True):
        assert replace(drawn, todays_end=float(life)).months_kept == pytest.approx(kept)
    assert replace(drawn, todays_end=lives[3:]).months_kept == 2.0


def test_a_move_to_what_the_vendor_suggests_is_the_migration_and_is_paid_once() -> None:
    """gpt-4.1 ends after half a month, either API is live after 1: its rival pays for the move to the successor besides."""
    w = ending(incumbent={"ends_in_months": 0.5})
    for id, upfront, kept in ((CHEAPER, 0.0, 1.0), (RIVAL, 4400.0, 2.0)):
        assert w.line(id, MOVED)[0] == pytest.approx(upfront)
        assert w.options[id].months_kept == kept
        assert w.line(id, "evaluation before the change")[0] == 400.0


def test_a_model_without_announced_end_has_an_assumed_life_staying_included() -> None:
    """Life 9 months: ends at 9 and 18 of 24; the new model of an option likewise. Errors x 1.5 after each."""
    w = world(drift={"model_life_months": 9.0, "successor_error_ratio": 1.5}, quality={"usd_per_error": 0.01})
    for id, name in (("stay", "incumbent's model ends: migration"), (CHEAPER, "vendor's model ends: migration")):
        assert [t + 1 for t, usd in enumerate(w.line(id, name)[1]) if usd] == [9, 18]
    wrong = w.line("stay", "wrong answers")[1]
    assert np.array(wrong)[[8, 9, 18]] == pytest.approx(PER_MONTH * 0.05 * 0.01 * np.array([1.0, 1.5, 2.25]))


def test_an_end_before_go_live_is_paid_where_todays_model_goes_on_answering() -> None:
    """Life 9 months, all live after 10: today's model is moved at 9 and 18 with its cache on as without; another starts on the
    successor.
    """
    w = world(drift={"model_life_months": 9.0}, timing={"months_to_live": dict.fromkeys(NONE, 10.0)}, workload={
        "input_tokens": 2000.0, "shared_prefix_tokens": 1000.0, "cache_hit_rate": 0.5})
    for id, ends in (("cache-batch", [9, 18]), (CHEAPER, [18])):
        assert [t + 1 for t, usd in enumerate(w.line(id, "vendor's model ends: migration")[1]) if usd] == ends


def test_what_is_stated_of_the_first_successor_holds_for_that_one_alone() -> None:
    """gpt-6-luna ends at 3 of 24 months, with twice the errors, 10% -> 20%; the next end, 9 months on, multiplies by 1.5."""
    w = world(drift={"model_life_months": 9.0, "successor_error_ratio": 1.5}, quality={"usd_per_error": 0.01},
              apis={"openai/gpt-6-luna": {"ends_in_months": 3, "successor_error_ratio": 2.0}})
    wrong = w.line(CHEAPER, "wrong answers")[1]
    assert np.array(wrong)[[2, 3, 11, 12]] == pytest.approx(PER_MONTH * 0.01 * np.array([0.1, 0.2, 0.2, 0.3]))


def test_the_incumbent_is_not_migrated_once_nobody_uses_it() -> None:
    """Its model ends after 9 months; an option that is live after 1 leaves it before, a cascade still escalates to it."""
    w = world(drift={"model_life_months": 9.0}, timing={"months_to_live": {**NONE, "api": 1.0, "cascade": 1.0}})
    assert "incumbent's model ends: migration" not in w.names(CHEAPER)
    assert "incumbent's model ends: migration" in w.names(CASCADE)


def test_an_end_just_before_go_live_is_owed_beside_the_evaluation_of_the_change() -> None:
    """Live after 3 months: the successor of a model that ends after 2.5 answers until then, and is neither model that was
    evaluated: 40 hours x $100 + $400, once, at month end 2. Of an end after 3.5 nothing is owed.
    """
    for end, paid in ((2.5, [2]), (3.5, [])):
        w = world(incumbent={"ends_in_months": end}, timing={"months_to_live": dict.fromkeys(NONE, 3.0)})
        assert w.line(CHEAPER, "evaluation before the change")[0] == 400.0
        found = [w.line(CHEAPER, name)[1] for name in w.names(CHEAPER) if "migration" in name]
        assert [(t + 1, usd) for months in found for t, usd in enumerate(months) if usd] == [(t, 4400.0) for t in paid]


def test_a_model_retired_on_the_day_is_infeasible_with_its_date() -> None:
    c = compare(case_of(candidates={**QUIET["candidates"], "api_models": ["openai/gpt-6-luna", "openai/o4-mini"]}))
    reasons = {o.id: o.reason for o in c.infeasible}
    assert reasons["cheaper-api:openai/o4-mini"] == "retired on 2026-10-23"


def test_growth_wages_and_rent_are_effective_annual() -> None:
    """21% growth: month 13 at 1.21; wages 10%: on-call of month 13 at 1.1; rent +44%: month 13 at 1.44."""
    case = case_of(
        workload={"growth_per_year": 0.21},
        people={"wage_growth_per_year": 0.10, "run_hours_per_month": {**NONE, "self_hosted": 10.0}},
        drift={"gpu_rent_per_year": 0.44},
        serving={"spares": 0, "replicas_least": 9},
    )
    w = World(case, **plan(SELF))
    stay = w.line("stay", "API output")[1]
    assert stay[12] / stay[0] == pytest.approx(1.21)
    assert np.array(w.line(SELF, "on-call and operation")[1])[[0, 12]] == pytest.approx([1000.0, 1100.0])
    rent = w.line(SELF, "GPU rent")[1]
    assert rent[0] == pytest.approx(9 * 2 * 730)
    assert rent[12] / rent[0] == pytest.approx(1.44)


@pytest.mark.parametrize("central", [0.0, -0.1])
def test_the_central_level_of_rents_can_be_redone_from_what_its_line_says(central: float) -> None:
    """The mean of (1 + g)^(4/12) over that of the central drift, by a sum over the triangle (in the logarithm) whose ends are
    told, is the oracle.
    """
    spread = {"value": central, "low": -0.3, "high": 0.4}
    w = World(case_of(drift={"gpu_rent_per_year": spread}, serving={"spares": 0}), **plan(SELF))
    (line,) = [each for each in w.costed(SELF).costs.lines if each.name == "GPU rent"]
    assert callable(line.told)
    found = re.search(r"x ([\d.]+) \(([\d.]+) at the central drift / ([\d.]+), the mean over that where rents drift (-[\d.]+)%"
                      r" to \+([\d.]+)% a year\)", line.told(4))
    assert found is not None
    level, grown, mean, least, most = map(float, found.groups())
    mode, low, high = np.log1p([central, least / 100.0, most / 100.0])
    x = np.linspace(low, high, 100_001)
    weight = np.where(x < mode, (x - low) / (mode - low), (high - x) / (high - mode))
    assert mean == pytest.approx(float(weight @ np.exp(4 / 12 * (x - mode)) / weight.sum()), abs=2e-4)
    assert grown == pytest.approx((1.0 + central) ** (4 / 12), abs=1e-4)
    assert level == pytest.approx(grown / mean, abs=2e-4)
    assert float(line.monthly[4]) == pytest.approx(float(line.monthly[0]) * level, rel=1e-4)
