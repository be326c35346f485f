"""Draws: a row of the vectorised engine is the scalar engine at that row; chances; drivers."""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, case_of
from scipy.stats import spearmanr

from roi.economics.decision import draws
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.draws import Drawn, draw, percentiles, probability_best
from roi.economics.decision.drivers import find_drivers
from roi.economics.decision.evaluation import Choice, choose_plan, evaluate, read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.weighing import settle, surer_plan
from roi.economics.finance import payback, present_value
from roi.economics.lines.option_lines import answered_wrong
from roi.facts.case import Case
from roi.numerics.main_effects import MainEffects
from roi.numerics.sequence import sobol
from roi.numerics.value_of_information import gain_of_knowing
from roi.report.comparison.remarks.fleets import leading_plan
from roi.report.comparison.screen import comparison_text
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario

ROWS = 24
EVERY_KIND = (
    "quality.bar=0.0", "workload.shared_prefix_tokens=1500", "workload.cache_hit_rate={value: 0.6, low: 0.3, high: 0.9}",
    "workload.can_wait_share=0.2", "quality.kept_error_rate.gpt-6-luna={value: 0.05, low: 0.03, high: 0.08}",
    "quality.judge_usd_per_request=0.0001", "quality.escalated.qwen3-8b+lora={value: 0.1, low: 0.05, high: 0.2}",
    "apis.openai/gpt-6-luna={discount: {value: 0.1, low: 0.0, high: 0.2}, committed_usd_per_month: 2000}",
    "apis.openai/gpt-6-luna.committed_until=2027-12-31", "candidates.shorter_prompt.prefix_tokens=500",
    "candidates.less_reasoning.output_ratio={value: 0.7, low: 0.5, high: 0.9}",
    "candidates.flexible_tier={price_ratio: 0.5, share: {value: 0.3, low: 0.1, high: 0.5}}",
    "candidates.provisioned_throughput={usd_per_month: 4000, requests_per_s: {value: 2, low: 1, high: 3}, minimum_months: 12}",
)


# ---------------------------------------------------------------- vectorised = scalar


@cache
def bundled() -> tuple[Case, dict[str, Choice], list[str]]:
    """The bundled scenario and every lever, all options allowed to be costed, on their chosen plans."""
    case = resolve(load_scenario(overrides=EVERY_KIND)).case
    shared, options = read_all(case, case.values())
    planned = {id: choose_plan(shared, option, options) for id, option in options.items() if option.infeasible is None}
    choices = {id: Choice(o.plans.index(o.plan), o.replicas_fixed) for id, o in planned.items() if o.plan is not None}
    return case, choices, list(planned)


@cache
def drawn() -> Drawn:
    case, choices, ids = bundled()
    return draw(case, ids, choices, ROWS, 1)


def scalars(case: Case, row: int) -> dict[str, Any]:
    """The values of one draw as plain numbers, as if the scenario had stated them."""
    point = sobol(row, row + 1, len(case.uncertain), 1)
    return {path: float(value[0, 0]) if isinstance(value, np.ndarray) else value for path, value in case.values(point).items()}


@pytest.mark.full
@pytest.mark.parametrize("row", [0, 1, 7, 23])
def test_each_draw_is_the_scalar_engine_at_that_row_for_every_option(row: int) -> None:
    case, choices, ids = bundled()
    shared, options = read_all(case, scalars(case, row), choices)
    stay = evaluate(shared, options["stay"], options)
    assert len(ids) > 10
    for id in ids:
        done = evaluate(shared, options[id], options)
        assert meets_bar(shared, options[id], options)[0], id
        assert drawn().npv[id][row] == pytest.approx(float(stay.pv) - float(done.pv), rel=1e-9, abs=1e-4), id
        saves = float(stay.pv_without_errors) - float(done.pv_without_errors)
        assert drawn().cash[id][row] == pytest.approx(saves, rel=1e-9, abs=1e-4), id
        months = payback(float(stay.total.upfront) - float(done.total.upfront), stay.total.monthly - done.total.monthly)
        assert drawn().payback[id][row] == pytest.approx(float(months), rel=1e-6, abs=1e-6), id
        wrong = float(answered_wrong(options[id], options["stay"].error_rate))
        assert drawn().wrong[id][row] == pytest.approx(wrong, rel=1e-9), id


@pytest.mark.parametrize(("people", "life"), [({}, 12.0), ({}, {"value": 12, "low": 6, "high": 24}),
                                              ({"existing_hours_per_month": 10.0}, {"value": 12, "low": 6, "high": 24})])
def test_a_draw_that_escalates_nothing_pays_no_migration_of_the_incumbent_and_no_judge(people: Any, life: Any) -> None:
    """0.02 of the requests, 0 to 0.2: in some draws none. A cascade moves with the incumbent's model, and asks the judge of
    each request, unless it hands nothing on; the scalar engine says so of each draw."""
    escalated = {"gpt-6-luna": {"value": 0.02, "low": 0.0, "high": 0.2}}
    case = case_of(quality={"escalated": escalated, "judge_usd_per_request": 0.0001}, people=people,
                   drift={"model_life_months": life})
    found = draw(case, ["stay", CASCADE], {}, 256, 1)
    handed = found.facts["systems.gpt-6-luna.escalated_share"].reshape(-1)
    none, some = np.flatnonzero(handed == 0.0), np.flatnonzero(handed > 0.0)
    assert 5 < none.size < 200
    for row in (*none[:4], *some[:4]):
        shared, options = read_all(case, scalars(case, int(row)))
        done = {id: evaluate(shared, options[id], options) for id in ("stay", CASCADE)}
        names = {line.name for line in done[CASCADE].costs.lines}
        assert row in some or names.isdisjoint({"incumbent's model ends: migration", "judge that escalates"})
        assert found.npv[CASCADE][row] == pytest.approx(float(done["stay"].pv) - float(done[CASCADE].pv), rel=1e-9, abs=1e-4)


def test_a_draw_that_misses_the_bar_returns_minus_the_set_up_and_the_way_back() -> None:
    """gpt-6-luna's score lies between 0.80 and 0.95, the bar at 0.90. Where it misses: 40 h x $100 back, $1,500 to evaluate."""
    quality = {"bar": 0.90, "scores": {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.90, "low": 0.80, "high": 0.95}}}
    case = case_of(quality=quality, evaluation={"usd": 1500.0, "labels": 0.0})
    found = draw(case, ["stay", CHEAPER], {}, 64, 1)
    missed = found.wrong[CHEAPER] > 0.10
    assert 0 < missed.sum() < 64
    assert found.npv[CHEAPER][missed] == pytest.approx(-5500.0)
    assert found.cash[CHEAPER][missed] == pytest.approx(-5500.0)
    assert np.isinf(found.payback[CHEAPER][missed]).all()
    assert (found.npv[CHEAPER][~missed] > 0).all()


@pytest.mark.full
def test_every_option_of_the_bundled_scenario_is_drawn() -> None:
    kinds = {id.partition(":")[0] for id in bundled()[2]}
    assert kinds >= {
        "stay",
        "cheaper-api",
        "hosted-open",
        "cascade",
        "vendor-tuned",
        "hosted-adapter",
        "self-hosted-base",
        "self-hosted-adapter",
        "hybrid",
        "own-hardware",
        "shorter-prompt",
        "less-reasoning",
        "flexible-tier",
        "provisioned",
    }


@pytest.mark.full
def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the rounding of what they are differences of: of two bills of $1,000,000 it is 1e-10."""
    case, choices, ids = bundled()
    monkeypatch.setattr(draws, "CHUNK", 7)
    small = draw(case, ids, choices, ROWS, 1)
    for id in ids:
        assert small.npv[id] == pytest.approx(drawn().npv[id], rel=1e-12, abs=1e-8)


def test_in_every_draw_an_option_costs_what_its_lines_do_in_each_month() -> None:
    """A total takes shares of months only where they differ; a line's own figures take the whole product."""
    case, choices, ids = bundled()
    shared, options = read_all(case, case.values(sobol(0, 8, len(case.uncertain), 1)), choices)
    for id in ids:
        done = evaluate(shared, options[id], options)
        each = [np.broadcast_to(line.monthly, (8, shared.horizon)) for line in done.costs.lines]
        wrong = sum(usd for usd, line in zip(each, done.costs.lines, strict=True) if line.is_error)
        assert np.broadcast_to(done.total.monthly, each[0].shape) == pytest.approx(sum(each), rel=1e-9, abs=1e-6), id
        without = done.pv - present_value(0.0, wrong, shared.discount_rate)
        assert done.pv_without_errors == pytest.approx(without, rel=1e-9, abs=1e-4), id


def test_a_case_without_spreads_has_no_chances() -> None:
    case = bundled()[0]
    exact = Case(facts={p: f.model_copy(update={"low": None, "high": None}) for p, f in case.facts.items()})
    assert exact.uncertain == ()
    assert all(o.probability_best is None for o in compare(exact).options)


def test_shared_facts_are_drawn_once_for_all_options() -> None:
    """A discount with a spread is one fact for staying and for switching the cache on; so is the share that can wait."""
    case = resolve(
        check_scenario(
            {
                "as_of": "2026-11-24",
                "workload": {
                    "requests_per_day": 1000.0,
                    "input_tokens": 3000.0,
                    "output_tokens": 100.0,
                    "shared_prefix_tokens": 2000.0,
                    "cache_hit_rate": {"value": 0.8, "low": 0.5, "high": 0.9},
                    "can_wait_share": {"value": 0.3, "low": 0.1, "high": 0.5},
                },
                "incumbent": {
                    "provider": "openai",
                    "model": "gpt-5.4",
                    "discount": {"value": 0.2, "low": 0.1, "high": 0.3},
                },
            }
        )
    ).case
    assert [p for p in case.uncertain if "discount" in p] == ["options.stay.price.discount"]
    assert [p for p in case.uncertain if "batch_share" in p or "wait" in p] == ["workload.can_wait_share"]
    values = case.values(sobol(0, 8, len(case.uncertain), 1))
    _, options = read_all(case, values)
    stay, cached = options["stay"].api, options["cache-batch"].api
    assert stay is not None
    assert cached is not None
    assert np.array_equal(stay.discount, cached.discount)
    assert np.array_equal(np.asarray(cached.batch_share), np.asarray(values["workload.can_wait_share"], dtype=float))


# ---------------------------------------------------------------- what is said of them


def test_percentiles_keep_never_as_never() -> None:
    """Ten paybacks of which two never come: P50 is the sixth, P90 is never."""
    months = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.inf, np.inf])
    assert percentiles(months[::-1]) == (2.0, 6.0, math.inf)
    assert percentiles(np.arange(100.0)[::-1]) == (10.0, 50.0, 90.0)


def test_p10_is_the_bad_end_of_npv_and_the_good_end_of_payback() -> None:
    for o in compare(resolve(load_scenario(overrides=("draws=128",))).case).options:
        if o.id != "stay":
            assert o.npv_p10_p50_p90 is not None
            assert o.payback_p10_p50_p90 is not None
            assert list(o.npv_p10_p50_p90) == sorted(o.npv_p10_p50_p90)
            assert list(o.payback_p10_p50_p90) == sorted(o.payback_p10_p50_p90)


def test_the_chance_of_being_best_adds_up_over_those_that_may_be_recommended() -> None:
    """a saves most in draws 1 to 3, and in draw 3 it misses the bar; b takes the third, staying the fourth; c may not win."""
    npv = {"stay": np.zeros(4), "a": np.array([4.0, 4, -1, -1]), "b": np.array([3.0, 3, 3, -2]), "c": np.full(4, 9.0)}
    assert probability_best(npv, ["stay", "a", "b"]) == {"stay": 0.25, "a": 0.5, "b": 0.25}


def test_no_draws_leave_the_chances_unknown() -> None:
    for o in compare(resolve(load_scenario(overrides=("draws=0",))).case).options:
        assert o.probability_best is None
        assert o.npv_p10_p50_p90 is None
        assert o.expected_npv_usd == o.npv_usd


# ---------------------------------------------------------------- drivers


def test_a_fact_that_is_not_listed_has_neither_the_swing_nor_the_worth() -> None:
    """What is passed over unvalued: each fact valued by itself, those with the most pull are the ones that are listed."""
    case, choices, ids = bundled()
    option, chosen = "self-hosted-adapter:qwen3-8b+lora", ["stay", "cache-batch", "self-hosted-adapter:qwen3-8b+lora"]
    many = draw(case, ids, choices, 256, 1)
    listed = {d.path: d for d in find_drivers(case, many, option, choices, chosen, {})}
    saved = MainEffects(many.npv, many.columns)
    worth = {path: gain_of_knowing(saved, many.facts[path], chosen) for path in case.uncertain}
    assert max(worth.values()) > 0.0
    assert {path: d.worth_knowing_usd for path, d in listed.items()} == {path: worth[path] for path in listed}
    assert max(worth[path] for path in worth if path not in listed) <= min(
        max(d.swing_usd, d.worth_knowing_usd) for d in listed.values())


def test_rank_correlations_are_spearmans_and_swings_are_the_scalar_engines() -> None:
    case, choices, ids = bundled()
    option = "self-hosted-adapter:qwen3-8b+lora"
    many = draw(case, ids, choices, 256, 1)
    drivers = find_drivers(case, many, option, choices, ["stay", option], {})[:4]
    assert len(drivers) == 4
    for driver in drivers:
        expected = spearmanr(many.facts[driver.path], many.npv[option]).statistic
        assert driver.rank_correlation == pytest.approx(expected, abs=1e-9), driver.path
        ends = []
        for end in (case[driver.path].low, case[driver.path].high):
            shared, options = read_all(case, {**case.values(), driver.path: end}, choices)
            stay, own = (evaluate(shared, options[id], options) for id in ("stay", option))
            ends.append(float(stay.pv) - float(own.pv))
        assert [driver.npv_at_low_usd, driver.npv_at_high_usd] == pytest.approx(ends, rel=1e-9), driver.path
        assert driver.swing_usd == pytest.approx(abs(ends[1] - ends[0]), rel=1e-9)


@pytest.mark.full
def test_where_more_cards_lower_a_floors_mean_the_plan_that_saves_more_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all cards the floor is on RTX-4090, the cheapest at the central values; on H100 alone its mean is higher.

    Where it leads the first screen says so.
    """
    def found(*cards: str) -> tuple[Comparison, OptionResult]:
        asked = ("draws=1024", "workload.requests_per_day=150000", f"candidates.gpus=[{', '.join(cards)}]",
                 *(f"candidates.{name}=[]" for name in ("hosted_adapters", "api_models", "hosted_models", "cascade_first")))
        c = compare(resolve(load_scenario(None, asked)).case)
        return c, next(o for o in c.options if o.kind == "hybrid")

    (many, of_many), (one, of_one) = found("RTX-4090", "H100"), found("H100")
    more = of_one.expected_cash_npv_usd - of_many.expected_cash_npv_usd
    assert of_one.npv_without_errors_usd < of_many.npv_without_errors_usd
    assert one.surer_plan(of_one.id) is None
    surer = many.surer_plan(of_many.id)
    assert surer is not None
    assert (surer.plan.gpu, surer.replicas, surer.more_usd) == ("H100-80GB-SXM", 1, pytest.approx(more, rel=0.1))
    told = " ".join(comparison_text(many, (), explain=of_many.id).split())
    assert f"1 replica of 1 x H100-80GB-SXM fp8, {surer.plan.vendor} would save ${surer.more_usd:,.0f} more on average" in told
    assert leading_plan(many) == []
    monkeypatch.setattr(Comparison, "leader", of_many)
    (said,) = leading_plan(many)
    assert said.startswith(f"{of_many.label}: its plan is the cheapest at the central values; over the draws 1 replica of")


def test_no_plan_that_takes_more_cards_than_are_owned_is_said_to_save_more() -> None:
    """Two cards are there and four would carry the load: a third is not bought, however much it would save."""
    owned = ("own_hardware={cards: {RTX-PRO-6000-WS: 2}, resale_usd_per_gpu: 0}", "candidates.own_hardware=true")
    asked = (*owned, "candidates.rented=false", "draws=128", "workload.requests_per_day=2000000", "candidates.base=false",
             *(f"candidates.{name}=[]" for name in ("hosted_adapters", "api_models", "hosted_models", "cascade_first")))
    case = resolve(load_scenario(None, asked)).case
    shared, options, _ = settle(case)
    floor = options["hybrid-own:qwen3-8b+lora"]
    assert floor.replicas_fixed == 2
    assert surer_plan(case, shared, options, floor.id) is None
