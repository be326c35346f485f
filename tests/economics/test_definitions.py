"""Every numbered definition of docs/economics.md, held to a figure worked by hand. A test's docstring cites the number first.

Most tests build the records of the engine themselves: 1,000,000 requests a month of 1,000 tokens in and 100 out at $2 and $10 a
million tokens are $0.003 each, $3,000 a month. Where a definition lives in the comparison as a whole, a resolved Case is given
those prices, with a candidate at half of them.
"""

import ast
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from all_crossings import break_evens

from roi.catalog.models.shapes import find_model
from roi.economics.cached_lengths import CachedLengths
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.draws import draw, percentiles, probability_best
from roi.economics.decision.evaluation import choose_plan, evaluate, once_moved, read_all
from roi.economics.decision.feasibility import meets_bar, read_gates, rule_out
from roi.economics.decision.feasibility import tested as is_tested
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.turning.break_even import BreakEven
from roi.economics.decision.turning.curves import Curves
from roi.economics.decision.turning.signposts import signposts
from roi.economics.finance import (
    discount_factors,
    internal_rate,
    payback,
    payback_status,
    present_value,
    return_on_investment,
)
from roi.economics.inputs import Hardware, Option, OwnCost, Plan, Shared, Tokens, Training
from roi.economics.lines.api_bill import api_lines, service, service_of_long
from roi.economics.lines.api_request import long_share, request_cost, seen_tokens
from roi.economics.lines.calendar import events, growth_path, incumbent_share, live_share
from roi.economics.lines.commitment_lines import commitment_line, own_commitment_line
from roi.economics.lines.hardware import hardware_lines, purchases
from roi.economics.lines.line import Along, Line, always, billed_requests, rent_level, requests, usd_of_errors
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import (
    answered_wrong,
    cost_lines,
    error_line,
    migration_line,
    tuned_again,
)
from roi.economics.lines.people import (
    evaluation_cost,
    for_each_adapter,
    hours_of_more,
    retraining_line,
    run_cost,
    run_lines,
    setup_lines,
)
from roi.economics.lines.self_hosting import fleet_lines, fleet_months
from roi.economics.lines.shared_fleet import fleet_load, hours_paid, part_of_fleet
from roi.economics.lines.unit_lines import owed_units, provisioned_lines, unit_lines
from roi.economics.paid_units import Provisioned
from roi.economics.price_list import Api
from roi.economics.reading import read_shared
from roi.estimate.replay.fleet import (
    demand_to_hold,
    fleet_capacity,
    size_fleet,
    spill_share,
)
from roi.estimate.replay.hourly_fleet import size_autoscaled_fleet, size_queue_fleet
from roi.estimate.serving.adapter_memory import AdapterSlots, adapter_bytes
from roi.facts.case import Case, quantile
from roi.facts.fact import Basis, Fact
from roi.numerics.main_effects import MainEffects
from roi.numerics.sequence import sobol
from roi.numerics.spreads import joint_high, joint_low
from roi.numerics.value_of_information import gain_of_knowing
from roi.resolution.request_lengths import SystemLengths, does_not_fit
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml
from roi.units import DAYS_PER_MONTH, HOURS_PER_MONTH

DOCS = Path(__file__).parents[2] / "docs"
MILLION = 1_000_000.0
A_DAY = MILLION / DAYS_PER_MONTH
A_SECOND = MILLION / HOURS_PER_MONTH / 3600
THOUSAND_A_MONTH = 1000.0 / HOURS_PER_MONTH
"""USD an hour that make $1,000 a month."""


def shared(**changes: Any) -> Shared:
    """A million requests a month over 24 months in which nothing moves; evaluating a model costs $100 + 300 labels x $1."""
    facts: dict[str, Any] = {
        "horizon": 24, "discount_rate": 0.0, "requests_per_day": A_DAY, "growth": 0.0, "volume_factor": 1.0,
        "price_factor": 1.0, "can_wait": 0.0, "input_tokens": np.array([1000.0]), "output_tokens": np.array([100.0]),
        "weights": np.ones(1),
        "prefix_tokens": 0.0, "hit_rate": 0.0, "escalated_hit_rate": 0.0, "peak_to_mean": 1.0, "load_curve": np.ones(24),
        "usd_per_error": 0.0, "quality_bar": 0.0, "usd_per_hour": 100.0, "wage_growth": 0.0,
        "rent_drift": 0.0, "successor_price_ratio": 1.0,
        "successor_error_ratio": 1.0, "migration_hours": 40.0, "evaluation_usd": 100.0, "evaluation_labels": 300.0,
        "usd_per_label": 1.0, "commitment_usd": 0.0, "commitment_months": 0.0,
    }  # fmt: skip
    return Shared(**{**facts, **changes})


def api(scale: float = 1.0, **changes: Any) -> Api:
    """$2 in and $10 out a million tokens, times `scale`; no cache and no batch unless given."""
    rates: dict[str, Any] = dict.fromkeys(
        ("cache_read", "cache_write", "batch_input", "batch_output", "batch_cache_read", "batch_cache_write")
    )
    facts = {
        "edges": np.zeros(1), "input": np.array([2.0 * scale]), "output": np.array([10.0 * scale]), **rates,
        "cache_minimum": 0.0, "discount": 0.0, "uses_cache": False, "batch_share": 0.0,
    }  # fmt: skip
    return Api(**{**facts, **changes})


def option(kind: str, **changes: Any) -> Option:
    """An option that is live from the first day and costs nothing but what is given."""
    facts: dict[str, Any] = {
        "id": kind, "kind": kind, "label": kind, "system": kind, "group": "api", "vendor": None, "infeasible": None,
        "trains": False, "months_to_live": 0.0, "months_in_parallel": 0.0, "tokens": Tokens(), "error_rate": 0.0,
        "evaluated": True, "setup_hours": 0.0, "run_hours": 0.0, "platform_usd": 0.0, "hosting_usd": 0.0,
    }  # fmt: skip
    return Option(**{**facts, **changes})


def plan(**changes: Any) -> Plan:
    """One GPU a replica at $1,000 a month; a replica holds a million requests a month."""
    facts: dict[str, Any] = {
        "path": "", "speed": "", "adapter_speed": None, "gpu": "H100-80GB-SXM", "weight_dtype": "bf16", "vendor": "any",
        "usd_per_gpu_hour": THOUSAND_A_MONTH, "gpus_per_instance": 1.0, "gpus_per_replica": 1.0, "capacity": A_SECOND,
        "minimum_months": 0.0, "watts": 1000.0, "usd_per_gpu": 9000.0,
    }  # fmt: skip
    return Plan(**{**facts, **changes})


def hosted(p: Plan, **changes: Any) -> Option:
    return option("self-hosted-base", plan=p, plans=(p,), **changes)


STAY = option("stay", api=api(), vendor="openai/a", error_rate=0.05)
CHEAPER = option("cheaper-api", api=api(0.5), vendor="other/b", error_rate=0.10)


def named(lines: list[Line] | tuple[Line, ...], name: str) -> tuple[float, list[float]]:
    """USD upfront, and by month, of the lines with this name."""
    found = [line for line in lines if line.name == name]
    monthly = sum((line.monthly for line in found), np.zeros(24))
    return sum(float(np.asarray(line.upfront)) for line in found), np.asarray(monthly).tolist()


def of(s: Shared, o: Option, *others: Option) -> tuple[Line, ...]:
    """Every cost line of an option beside staying."""
    return cost_lines(s, o, {each.id: each for each in (STAY, o, *others)}).lines


def fleet_of(s: Shared, o: Option) -> list[Line]:
    live = live_share(o.months_to_live, s.horizon)
    return fleet_lines(s, o, fleet_months(s, o, live), live)


# ---------------------------------------------------------------- a whole comparison

KINDS = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
NONE = dict.fromkeys(KINDS, 0.0)
LUNA = "cheaper-api:openai/gpt-6-luna"


@cache
def resolved() -> Case:
    """Ten months at 0%: staying costs $3,000 a month, gpt-6-luna $1,500, its evaluation $1,500. No fact has a spread."""
    case = resolve(check_scenario({
        "as_of": "2026-11-24", "horizon_months": 10, "discount_rate": 0.0, "draws": 0,
        "workload": {"requests_per_day": A_DAY, "growth_per_year": 0.0, "input_tokens": 1000.0, "output_tokens": 100.0,
                     "peak_to_mean": 1.0},
        "incumbent": {"provider": "openai", "model": "gpt-5.4"},
        "quality": {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}},
        "evaluation": {"usd": 1500.0, "labels": 0.0},
        "people": {"usd_per_hour": 100.0, "wage_growth_per_year": 0.0, "setup_hours": NONE, "run_hours_per_month": NONE},
        "timing": {"months_to_live": NONE, "months_in_parallel": 0.0},
        "drift": {"model_life_months": 1200.0},
        "candidates": {"api_models": ["openai/gpt-6-luna"]},
    })).case  # fmt: skip
    facts = {path: fact.model_copy(update={"low": None, "high": None}) for path, fact in case.facts.items()}
    for id, scale in (("stay", 1.0), (LUNA, 0.5)):
        for name, value in (("edges_tokens", 0.0), ("input_usd_per_mtok", 2.0 * scale), ("output_usd_per_mtok", 10.0 * scale)):
            path = f"options.{id}.price.{name}"
            facts[path] = facts[path].model_copy(update={"value": (value,)})
    return Case(facts=facts)


def case_with(changes: dict[str, Any] | None = None, **spread: tuple[float, float]) -> Case:
    """The case with values changed, and with requests a day (`volume`) or other shares given a low and a high."""
    facts = dict(resolved().facts)
    for path, value in (changes or {}).items():
        facts[path] = facts[path].model_copy(update={"value": value})
    if "volume" in spread:
        low, high = spread["volume"]
        path = "workload.requests_per_day"
        facts[path] = facts[path].model_copy(update={"low": A_DAY * low, "high": A_DAY * high})
    if "rent" in spread:
        path = "drift.gpu_rent_per_year"
        facts[path] = facts[path].model_copy(update=dict(zip(("low", "high"), spread["rent"], strict=True)))
    return Case(facts=facts)


def answer(changes: dict[str, Any] | None = None, **spread: tuple[float, float]) -> Comparison:
    return compare(case_with(changes, **spread))


def luna(c: Comparison) -> OptionResult:
    return next(o for o in c.options if o.id == LUNA)


# ---------------------------------------------------------------- 1 Time and money


def test_a_month_has_730_hours_and_a_twelfth_of_365_days() -> None:
    """docs/economics.md, 1.1. 730 h x 12 = 8,760 h = 365 days."""
    hours, days = HOURS_PER_MONTH * 12, DAYS_PER_MONTH * 12
    assert (hours, days) == (8760, pytest.approx(365.0))


def test_a_dollar_after_a_year_at_25_percent_is_worth_80_cents() -> None:
    """docs/economics.md, 1.2. 1 / 1.25 = 0.80 after 12 months, 0.64 after 24; twelve monthly rates make the year's."""
    assert discount_factors(0.25, 24)[[11, 23]] == pytest.approx([0.80, 0.64])


def test_set_up_is_not_discounted_and_months_are() -> None:
    """docs/economics.md, 1.3. 100 now and 125 in 12 months at 25%: 100 + 125 / 1.25 = 200."""
    assert present_value(100.0, np.array([0.0] * 11 + [125.0]), 0.25) == pytest.approx(200.0)


def test_month_one_is_as_today_and_month_thirteen_a_year_above_it() -> None:
    """docs/economics.md, 1.4. 44% a year: 1, 1.2 half a year later, 1.44 a year later."""
    assert growth_path(0.44, 13)[[0, 6, 12]] == pytest.approx([1.0, 1.2, 1.44])


def test_requests_are_answered_once_and_billed_with_the_volume_of_the_bill() -> None:
    """docs/economics.md, 1.5. A million a month, 21% growth: 1,210,000 in month 13; a volume factor of 2 bills twice that. A
    customer with half as much again joins in month 13, and another with that in month 14: 1.5 and 2.25 times.
    """
    s = shared(growth=0.21, volume_factor=2.0)
    assert requests(s)[[0, 12]] == pytest.approx([MILLION, 1.21 * MILLION])
    assert billed_requests(s)[12] == pytest.approx(2.42 * MILLION)
    steps = ((13.0, 1.5), (14.0, 1.5))
    assert requests(shared(steps=steps))[11:14] == pytest.approx([MILLION, 1.5 * MILLION, 2.25 * MILLION])


def test_tco_is_set_up_and_all_months_and_the_lines_add_up_to_it() -> None:
    """docs/economics.md, 1.6. $1,500 + 10 x $1,500 = $16,500; at 0% its present value is the same."""
    o = luna(answer())
    assert o.tco_usd == pytest.approx(16_500.0)
    assert o.pv_cost_usd == pytest.approx(16_500.0)
    assert sum(line.upfront_usd + sum(line.monthly_usd) for line in o.lines) == pytest.approx(o.tco_usd, abs=1e-6)


def test_npv_is_what_staying_costs_less_what_the_option_costs() -> None:
    """docs/economics.md, 1.7. 30,000 - 16,500 = 13,500; wrong answers at $0.01: (10% - 5%) x 1M x $0.01 x 10 = 5,000 less."""
    assert luna(answer()).npv_usd == pytest.approx(13_500.0)
    o = luna(answer({"quality.usd_per_error": 0.01}))
    assert (o.npv_usd, o.npv_without_errors_usd) == (pytest.approx(8500.0), pytest.approx(13_500.0))


def test_the_cheapest_untrained_option_has_nothing_above_itself() -> None:
    """docs/economics.md, 1.8. gpt-6-luna costs 16,500, staying 30,000: 0 and -13,500 against the best untrained option."""
    c = answer()
    assert luna(c).npv_vs_best_untrained_usd == pytest.approx(0.0)
    assert c.options[0].npv_vs_best_untrained_usd == pytest.approx(-13_500.0)


def test_a_request_costs_present_value_over_present_value() -> None:
    """docs/economics.md, 1.9. 30,000 / 10 million requests = $0.003; / 1,100 tokens = $2.727 a million, at any rate."""
    for rate in (0.0, 0.25):
        stay = answer({"discount_rate_per_year": rate}).options[0]
        assert stay.usd_per_request == pytest.approx(0.003)
        assert stay.usd_per_mtok == pytest.approx(3000 / 1100)


def test_the_mean_month_begins_when_the_option_serves_alone() -> None:
    """docs/economics.md, 1.10. Live after 1.5 months, 0.5 in parallel: months 3 to 10 at $1,500, set-up not in it."""
    o = luna(answer({"changes.api.months_to_live": 1.5, "changes.api.months_in_parallel": 0.5}))
    assert o.mean_monthly_usd == pytest.approx(1500.0)
    assert o.monthly_usd[:2] == pytest.approx((3000.0, 3750.0))


def test_payback_is_when_the_savings_stay_above_zero() -> None:
    """docs/economics.md, 1.11. -100, -60, -20, +20: half way into month 3. Up at +100, down to -50, up for good: 2.5 too."""
    assert float(payback(-100.0, np.full(5, 40.0))) == 2.5
    assert float(payback(-100.0, np.array([200.0, -150.0, 100.0, 0.0]))) == 2.5
    assert [payback_status(float(payback(-100.0, np.full(5, x)))) for x in (40.0, 10.0)] == ["months", "never"]
    assert payback_status(float(payback(0.0, np.ones(3)))) == "immediate"
    assert luna(answer()).payback_months == pytest.approx(1.0)  # $1,500 at $1,500 a month


def test_return_on_investment_is_savings_over_set_up() -> None:
    """docs/economics.md, 1.12. (10 x 1,500 - 1,500) / 1,500 = 9; null without set-up."""
    assert luna(answer()).roi == pytest.approx(9.0)
    assert return_on_investment(0.0, np.ones(3)) is None


def test_the_internal_rate_makes_the_flows_worth_nothing() -> None:
    """docs/economics.md, 1.13. -100 now and +125 after 12 months: 25%. 10% and 20% a month both fit the second: null."""
    assert internal_rate(-100.0, np.array([0.0] * 11 + [125.0])) == pytest.approx(0.25)
    assert internal_rate(-100.0, np.array([230.0, -132.0])) is None


def test_a_month_of_delay_loses_a_month_of_savings() -> None:
    """docs/economics.md, 1.14. 3,000 - 1,500."""
    assert luna(answer()).delay_usd == pytest.approx(1500.0)


# ---------------------------------------------------------------- 2 Going live


def test_the_month_of_going_live_counts_in_part() -> None:
    """docs/economics.md, 2.1. Live after 1.25 months: 0, 75%, 100%."""
    assert live_share(1.25, 3).whole.tolist() == [0.0, 0.75, 1.0]


def test_the_incumbent_is_paid_until_live_and_in_parallel_both_are() -> None:
    """docs/economics.md, 2.2. Live after 1 month, 1 in parallel: $3,000, then $3,000 + $1,500, then $1,500."""
    assert incumbent_share(1.25, 0.0, 3).whole.tolist() == [1.0, 0.25, 0.0]
    lines = of(shared(), replace(CHEAPER, months_to_live=1.0, months_in_parallel=1.0))
    kept = named(lines, "incumbent, until live and in parallel")[1]
    own = np.add(named(lines, "API input, uncached")[1], named(lines, "API output")[1])
    assert kept[:3] == pytest.approx([3000.0, 3000.0, 0.0])
    assert own[:3] == pytest.approx([0.0, 1500.0, 1500.0])


def test_a_change_pays_hours_and_where_the_model_changes_an_evaluation() -> None:
    """docs/economics.md, 2.3. 20 h x $100; $100 + 300 labels x $1 = $400, which cache and batch do not need."""
    s = shared()
    lines = setup_lines(s, replace(CHEAPER, setup_hours=20.0))
    assert named(lines, "engineering, set-up")[0] == 2000.0
    assert evaluation_cost(s) == named(lines, "evaluation before the change")[0] == 400.0
    assert setup_lines(s, option("cache-batch")) == []
    own = replace(CHEAPER, evaluation_usd=50.0, evaluation_labels=10.0)
    assert evaluation_cost(s, own) == named(setup_lines(s, own), "evaluation before the change")[0] == 60.0


def test_an_event_is_paid_at_the_start_of_what_it_serves_and_none_at_the_end() -> None:
    """docs/economics.md, 2.4. First after 1.5, then every 12: month ends 1 and 13. Every 12 of 24: 12 alone."""
    assert np.flatnonzero(events(1.5, 12.0, 24)).tolist() == [1, 13]
    assert np.flatnonzero(events(12.0, 12.0, 24)).tolist() == [12]


TRAINING = Training(
    gpu_hours=5.0, usd_per_gpu_hour=4.0, vendor_usd=0.0, runs=3.0, labels=1000.0, fresh_labels=1000.0,
    every_months=6.0, retrain_runs=2.0, retrain_hours=10.0, relabel_share=0.2,
)  # fmt: skip
TUNED = option("vendor-tuned", api=api(0.5), training=TRAINING, trains=True)


def test_training_pays_the_run_that_is_kept_those_that_are_not_and_labels() -> None:
    """docs/economics.md, 2.5. 5 GPU-hours x $4 = $20; two more runs are $40; 1,000 labels x $1."""
    lines = setup_lines(shared(), TUNED)
    assert run_cost(TRAINING) == 20.0
    names = ("training, the run that is kept", "training, runs that are not", "training data, labels")
    assert [named(lines, name)[0] for name in names] == [20.0, 40.0, 1000.0]


def test_retraining_pays_runs_hours_labels_and_an_evaluation() -> None:
    """docs/economics.md, 2.6. 2 x $20 + 10 h x $100 + 0.2 x 1,000 x $1 + $400 = $1,640 at month ends 6, 12, 18; $1,240 where
    it buys no evaluation.
    """
    for evaluates, usd in ((True, 1640.0), (False, 1240.0)):
        (line,) = retraining_line(shared(), replace(TUNED, training=replace(TRAINING, retrain_evaluates=evaluates)))
        paid = {t + 1: usd for t, usd in enumerate(line.monthly.tolist()) if usd}
        assert paid == pytest.approx({6: usd, 12: usd, 18: usd})


def test_operation_costs_hours_at_the_wage_of_the_month() -> None:
    """docs/economics.md, 2.7. 10 h x $100, a year later x $110; half of the month in which it goes live."""
    (line,) = run_lines(shared(wage_growth=0.10), replace(CHEAPER, run_hours=10.0, months_to_live=0.5))
    assert line.monthly[[0, 12]] == pytest.approx([500.0, 1100.0])


def test_hours_that_are_paid_anyway_cost_no_cash() -> None:
    """docs/economics.md, 2.8. Live after 1 month, 8 h a month at hand: 20 - 8 h of set-up x $100; 9 x 1,500 - 1,500 - 1,200 =
    10,800, and 10,000 with a price on all 20 h. 15 h at hand, 10 on call: retraining pays 10 - 5 h, $1,140 in place of $1,640.
    Where they are there for on-call alone, set-up pays all 20 h, and retraining $1,640.
    """
    hours = {"changes.api.setup_hours": 20.0, "changes.api.months_to_live": 1.0, "people.existing_hours_per_month": 8.0}
    o = luna(answer(hours))
    assert (o.npv_usd, o.npv_all_hours_usd) == (pytest.approx(10_800.0), pytest.approx(10_000.0))
    lines = of(shared(existing_hours=15.0), replace(TUNED, run_hours=10.0))
    assert sum(named(lines, "on-call and operation")[1]) == 0.0
    assert named(lines, "retraining")[1][5] == pytest.approx(1140.0)
    o = luna(answer(hours | {"people.existing_hours_on_call_only": True}))
    assert (o.npv_usd, o.npv_all_hours_usd) == (pytest.approx(10_000.0), pytest.approx(10_000.0))
    lines = of(shared(existing_hours=15.0, existing_on_call_only=True), replace(TUNED, run_hours=10.0))
    assert (sum(named(lines, "on-call and operation")[1]), named(lines, "retraining")[1][5]) == (0.0, pytest.approx(1640.0))


def test_costs_of_your_own_are_paid_from_go_live_or_between_two_months() -> None:
    """docs/economics.md, 2.9. $500 now and $40 a month, live after 1.5 months: half of month 2. $100 back in months 3 and 4.
    With $0.001 for each of 2 million requests billed: $2,040.
    """
    facts = {"path": "costs.0", "name": "licence", "option": "all", "from_month": None, "to_month": np.inf}
    licence = OwnCost(**facts, upfront_usd=500.0, usd_per_month=40.0)
    credit = replace(licence, name="credit", upfront_usd=0.0, usd_per_month=-100.0, from_month=3.0, to_month=4.0)
    o = replace(CHEAPER, months_to_live=1.5, costs=(licence, credit))
    upfront, monthly = named(of(shared(), o), "licence")
    assert (upfront, monthly[:3], monthly[-1]) == (500.0, pytest.approx([0.0, 20.0, 40.0]), 40.0)
    assert named(of(shared(), o), "credit")[1][:5] == [0.0, 0.0, -100.0, -100.0, 0.0]
    assert named(of(shared(), replace(STAY, costs=(licence,))), "licence")[1][0] == 40.0
    checked = replace(o, costs=(replace(licence, usd_per_request=0.001),))
    assert named(of(shared(volume_factor=2.0), checked), "licence")[1][:3] == pytest.approx([0.0, 1020.0, 2040.0])
    told = next(line.told for line in of(shared(volume_factor=2.0), checked) if line.name == "licence")
    assert [told(month) for month in (1, 2)] == [
        "($40 + 2,000,000 requests x $0.001) x 0.5 of the month", "$40 + 2,000,000 requests x $0.001"]
    once = replace(o, costs=(replace(licence, usd_per_month=0.0),))
    assert next(line.told for line in of(shared(), once) if line.name == "licence") == "$500"


def test_a_cost_of_staying_is_paid_while_todays_model_is_used() -> None:
    """Seats of $40, live after 1.5 months and half a month in parallel: $40, $40, then nothing; borne by the option too, $40
    each month, once. What staying pays in month 0 is not paid by who leaves.
    """
    facts = {"path": "costs.0", "name": "seats", "option": "stay", "from_month": None, "to_month": np.inf}
    seats = OwnCost(**facts, upfront_usd=500.0, usd_per_month=40.0)
    stay = replace(STAY, costs=(seats, replace(seats, path="costs.1", name="later", from_month=2.0)))
    o = replace(CHEAPER, months_to_live=1.5, months_in_parallel=0.5)
    assert named(of(shared(), o, stay), "seats, while today's model is used") == (0.0, pytest.approx([40.0, 40.0] + 22 * [0.0]))
    assert named(of(shared(), o, stay), "later, while today's model is used")[1][:3] == pytest.approx([0.0, 40.0, 0.0])
    both = named(of(shared(), replace(o, costs=(seats,)), stay), "seats")
    assert both == (500.0, pytest.approx(24 * [40.0]))
    assert "seats, while today's model is used" not in [line.name for line in of(shared(), replace(o, costs=(seats,)), stay)]
    credit = replace(STAY, costs=(replace(seats, name="credit", upfront_usd=0.0, usd_per_month=-40.0, to_month=8.0),))
    left, kept = (named(of(shared(), each, credit), "credit, while today's model is used")[1]
                  for each in (o, replace(o, kind="cache-batch", system=STAY.system)))
    assert (left[:3], kept[7:9]) == (pytest.approx([-40.0, -40.0, 0.0]), [-40.0, 0.0])


def test_a_cost_of_staying_is_paid_to_the_end_by_what_keeps_or_hands_on_to_todays_model() -> None:
    """Of 2.9. Seats of $40: caching or a shorter prompt changes nothing of them, nor a cascade or a floor that hands requests
    to today's model; a first model alone, in the draw that escalates none, leaves them after 2 months.
    """
    seats = OwnCost(path="costs.0", name="seats", option="stay", from_month=None, to_month=np.inf, upfront_usd=0.0,
                    usd_per_month=40.0)
    stay, name, p = replace(STAY, costs=(seats,)), "seats, while today's model is used", plan()
    moved = replace(CHEAPER, months_to_live=1.5, months_in_parallel=0.5)
    cascade = replace(moved, id="cascade", kind="cascade", escalated=0.2)
    floor = option("hybrid", plan=p, plans=(p,), spills_to="stay", months_to_live=1.5, months_in_parallel=0.5)
    for o in (replace(moved, kind="cache-batch"), replace(moved, kind="shorter-prompt"), cascade, floor):
        assert named(of(shared(peak_to_mean=3.0), o, stay), name)[1] == pytest.approx(24 * [40.0]), o.kind
    drawn = replace(cascade, escalated=np.array([[0.2], [0.0]]))
    (line,) = (each for each in of(shared(), drawn, stay) if each.name == name)
    assert line.monthly.sum(axis=-1).tolist() == pytest.approx([24 * 40.0, 80.0])


def test_each_adapter_of_a_workload_is_trained_labelled_and_evaluated() -> None:
    """docs/economics.md, 2.10. Three: 3 x ($20 + 2 x $20 + $1,000 + $400) = $4,380 and 2 x 5 h x $100 more; again at each
    retraining 3 x ($40 + $200 + $400) = $1,920 + (10 + 10) h x $100; a hosting fee of $50 three times.
    """
    t = replace(TRAINING, adapters=3.0, further_hours=5.0)
    assert for_each_adapter(t, 400.0) == 1200.0
    assert (hours_of_more(t), hours_of_more(TRAINING), hours_of_more(None)) == (10.0, 0.0, 0.0)
    one, three = (replace(TUNED, setup_hours=20.0, hosting_usd=50.0, training=each) for each in (TRAINING, t))
    once = [sum(float(line.upfront) for line in setup_lines(shared(), o)) for o in (one, three)]
    assert once == pytest.approx([2000.0 + 1460.0, 2000.0 + 1000.0 + 4380.0])
    (again,) = retraining_line(shared(), three)
    assert again.monthly[5] == pytest.approx(3920.0)
    assert [named(of(shared(), o), "vendor hosting fee")[1][0] for o in (one, three)] == [50.0, 150.0]


# ---------------------------------------------------------------- 3 Vendors end models


def catalog_case(**blocks: Any) -> Case:
    """A case of the catalog's own prices as of 2026-11-24, with blocks of the scenario changed."""
    data: dict[str, Any] = {
        "as_of": "2026-11-24", "draws": 0,
        "workload": {"requests_per_day": A_DAY, "input_tokens": 1000.0, "output_tokens": 100.0},
        "incumbent": {"provider": "openai", "model": "gpt-5.4"},
    }  # fmt: skip
    return resolve(check_scenario({**data, **blocks})).case


def test_a_retired_candidate_is_infeasible_with_its_date() -> None:
    """docs/economics.md, 3.1. o4-mini ended on 2026-10-23, a month before the as-of date."""
    case = catalog_case(candidates={"api_models": ["openai/o4-mini"]})
    assert "2026-10-23" in str(case["options.cheaper-api:openai/o4-mini.infeasible"].value)


def test_a_model_ends_on_its_announced_day_or_after_an_assumed_life() -> None:
    """docs/economics.md, 3.2. gpt-4.1 has 51 days left; gpt-5.4 has no date and an assumed life, which repeats."""
    case = catalog_case(candidates={"api_models": ["openai/gpt-4.1"]})
    assert case["vendors.openai/gpt-4.1.first_end_months"].value == pytest.approx(51 / DAYS_PER_MONTH)
    first, life = case["vendors.openai/gpt-5.4.first_end_months"], case["vendors.openai/gpt-5.4.life_months"]
    assert (first.value, first.basis, first.uncertain) == (life.value, Basis.ASSUMED, True)


def test_each_end_while_in_use_costs_a_migration() -> None:
    """docs/economics.md, 3.3. Ends after 9 and 18 of 24 months: 40 h x $100 + $400. Live after 10: the first is free."""
    ends = replace(CHEAPER, life_first=9.0, life_every=9.0)
    (line,) = migration_line(shared(), ends)
    assert {t + 1: usd for t, usd in enumerate(line.monthly.tolist()) if usd} == {9: 4400.0, 18: 4400.0}
    (later,) = migration_line(shared(), ends, since=10.0)
    assert np.flatnonzero(later.monthly).tolist() == [17]


def test_a_tuned_model_is_trained_again_on_the_successor() -> None:
    """docs/economics.md, 3.4. 3 runs x $20 = $60 besides 40 h x $100 + $400."""
    assert tuned_again(TUNED) == 60.0
    (line,) = migration_line(shared(), replace(TUNED, life_first=9.0, life_every=99.0), tuned_again(TUNED))
    assert line.monthly[8] == 4460.0


def test_a_list_price_is_flat_until_the_model_ends() -> None:
    """docs/economics.md, 3.5. Ends every 5 months, half the price each time: 1, 0.5, 0.25; a stated first ratio 0.8: 0.8, 0.4.
    Ratios of their own, 0.5, then 3, which repeats: 0.5, 1.5, 4.5; with a vendor's 0.8: 0.4, 0.4 x 2.4 = 0.96, 2.304; a stated
    first of 0.8: 0.8, then x 2.4 = 1.92. Error rates x 2: 10%, 20%, 40%, and never above 1.
    """
    s = shared(successor_price_ratio=0.5, successor_error_ratio=2.0)
    ends = replace(CHEAPER, life_first=5.0, life_every=5.0)
    path = service(s, ends)
    assert path.price[[0, 4, 5, 10]] == pytest.approx([1.0, 1.0, 0.5, 0.25])
    assert path.error_rate[[0, 5, 10, 20]] == pytest.approx([0.1, 0.2, 0.4, 1.0])
    assert service(s, replace(ends, first_price_ratio=0.8)).price[[0, 5, 10]] == pytest.approx([1.0, 0.8, 0.4])
    s = replace(s, later_price_ratios=(3.0,))
    assert service(s, ends).price[[0, 5, 10, 15]] == pytest.approx([1.0, 0.5, 1.5, 4.5])
    dearer = replace(ends, own_price_ratio=0.8)
    assert service(s, dearer).price[[5, 10, 15]] == pytest.approx([0.4, 0.96, 2.304])
    assert service(s, replace(dearer, first_price_ratio=0.8)).price[[5, 10]] == pytest.approx([0.8, 1.92])


def test_rent_drifts_from_todays_level() -> None:
    """docs/economics.md, 3.6. An exact 44% a year: $1,000 in month 1, $1,440 in month 13. With log(1 + g) symmetric on +-1
    about 0, E[e^y] = (side(-1) + side(1)) / 2 = (2 / e + 2 (e - 2)) / 2 = e + 1/e - 2 = 1.0862: month 13 costs 1 / 1.0862 of
    today's at g = 0. Over draws of a wide drift the mean level is 1 in every month.
    """
    rent = named(fleet_of(shared(rent_drift=0.44), hosted(plan())), "GPU rent")[1]
    assert [rent[0], rent[12]] == pytest.approx([1000.0, 1440.0])
    level = rent_level(shared(rent_spread=(1.0, 1.0)))
    assert [level[0], level[12]] == pytest.approx([1.0, 1 / (np.e + 1 / np.e - 2)])
    case = case_with(rent=(-0.35, 0.55))
    drawn, _ = read_all(case, case.values(sobol(0, 4096, 1, 1)))
    assert rent_level(drawn).mean(axis=0) == pytest.approx(np.ones(10), abs=5e-4)


# ---------------------------------------------------------------- 4 What a request costs


def test_tokens_follow_tokenizer_prompt_and_verbosity() -> None:
    """docs/economics.md, 4.1. 400 of 1,000 are prefix, 100 stay after tuning: (1,000 - 400 + 100) x 2 = 1,400; out
    100 x 2 x 1.5 + 50 = 350; prefix 100 x 2.
    """
    seen = seen_tokens(shared(prefix_tokens=400.0), Tokens(2.0, 100.0, 1.5, 50.0))
    assert [seen.total.tolist(), seen.prefix.tolist(), seen.output.tolist()] == [[1400.0], [200.0], [350.0]]


def test_the_whole_call_pays_the_tier_that_its_input_is_in() -> None:
    """docs/economics.md, 4.2. Edge at 1,000: 1,000 tokens pay $2 and $10, 1,001 pay $4 and $20; 50% off halves both."""
    tiered = api(edges=np.array([0.0, 1000.0]), input=np.array([2.0, 4.0]), output=np.array([10.0, 20.0]))
    for tokens, usd in ((1000.0, 0.003), (1001.0, 1001 * 4e-6 + 100 * 20e-6)):
        s = shared(input_tokens=np.array([tokens]))
        assert request_cost(s, Tokens(), tiered, 0.0).usd == pytest.approx(usd)
        assert request_cost(s, Tokens(), replace(tiered, discount=0.5), 0.0).usd == pytest.approx(usd / 2)


def test_hits_read_the_prefix_and_misses_write_it() -> None:
    """docs/economics.md, 4.3. 500 of 1,000 shared, 80% hits: 400 x $0.20/M + 100 x $2.50/M + 500 x $2/M = $0.00133. A minimum
    of 600 caches nothing, nor does a hit rate at which it costs more: 10%: 0.1 x 0.2 + 0.9 x 2.5 > 2.
    """
    cached = api(cache_read=np.array([0.2]), cache_write=np.array([2.5]), uses_cache=True)
    s = shared(prefix_tokens=500.0)
    cost = request_cost(s, Tokens(), cached, 0.8)
    assert cost.cache_read_usd == pytest.approx(80e-6)
    assert cost.cache_write_usd == pytest.approx(250e-6)
    assert cost.input_usd == pytest.approx(1000e-6)
    assert request_cost(s, Tokens(), replace(cached, cache_minimum=600.0), 0.8).usd == pytest.approx(0.003)
    assert request_cost(s, Tokens(), cached, 0.1).usd == pytest.approx(0.003)


def test_bins_that_say_what_they_find_read_and_write_that_in_their_tier() -> None:
    """The second half of 4.3. 1,000 tokens, 200 read and 100 written, and 3,000, 2,400 and 300; the edge at 2,000 doubles all:
    700 x $2 + 200 x $0.2 + 100 x $2.5 and 300 x $4 + 2,400 x $0.4 + 300 x $5 a million, $0.00169 and $0.00366. At half of the
    workload's hit rate half of it is read, and as much more written. A third bin with the shared prefix of 500, found at 80%.
    """
    tiered = api(edges=np.array([0.0, 2000.0]), input=np.array([2.0, 4.0]), output=np.array([0.0, 0.0]), uses_cache=True,
                 cache_read=np.array([0.2, 0.4]), cache_write=np.array([2.5, 5.0]), cache_as_today=True)
    cached = CachedLengths(stated=np.ones(2), read_tokens=np.array([200.0, 2400.0]), write_tokens=np.array([100.0, 300.0]),
                           minimum=1024.0)
    s = shared(input_tokens=np.array([1000.0, 3000.0]), output_tokens=np.zeros(2), weights=np.full(2, 0.5), hit_rate=0.8,
               prefix_tokens=500.0, cached=cached)
    assert request_cost(s, Tokens(), tiered, 0.8).usd == pytest.approx((0.00169 + 0.00366) / 2)
    halved = request_cost(s, Tokens(), tiered, 0.4)
    assert [halved.cache_read_tokens, halved.cache_write_tokens] == pytest.approx([(100 + 1200) / 2, (200 + 1500) / 2])
    assert request_cost(s, Tokens(), replace(tiered, cache_minimum=1024.0), 0.8).cache_read_tokens == pytest.approx(1300.0)
    higher = request_cost(s, Tokens(), replace(tiered, cache_minimum=1025.0), 0.8)  # the prompts of 1,000 are too short for it
    assert [higher.cache_read_tokens, higher.cache_write_tokens] == pytest.approx([1200.0, 150.0])
    third = replace(s, input_tokens=np.array([1000.0, 3000.0, 1000.0]), output_tokens=np.zeros(3), weights=np.full(3, 1 / 3),
                    cached=CachedLengths(stated=np.array([1.0, 1.0, 0.0]), read_tokens=np.array([200.0, 2400.0, 0.0]),
                                         write_tokens=np.array([100.0, 300.0, 0.0])))
    assert request_cost(third, Tokens(), tiered, 0.8).usd == pytest.approx((0.00169 + 0.00366 + 0.00133) / 3)
    tuned = seen_tokens(s, Tokens(2.0, 400.0))  # 100 of the 500 go, of the prompt and of what is cached
    assert [tuned.total.tolist(), tuned.prefix.tolist()] == [[1800.0, 5800.0], [400.0, 5200.0]]


def test_what_can_wait_pays_batch_where_that_is_cheaper() -> None:
    """docs/economics.md, 4.4. Half waits at half price: ($0.003 + $0.0015) / 2; at twice the price none does."""
    for scale, usd in ((0.5, 0.00225), (2.0, 0.003)):
        batch = api(batch_input=np.array([2.0 * scale]), batch_output=np.array([10.0 * scale]), batch_share=0.5)
        assert request_cost(shared(), Tokens(), batch, 0.0).usd == pytest.approx(usd)


def test_a_bill_is_requests_times_tokens_times_price() -> None:
    """docs/economics.md, 4.5. A million x 1,000 x $2/M = $2,000 in; x 100 x $10/M = $1,000 out; a volume factor of 2: twice."""
    for factor in (1.0, 2.0):
        s = shared(volume_factor=factor)
        lines = api_lines(s, service(s, STAY), always(s))
        assert {line.name: line.monthly[0] for line in lines} == pytest.approx(
            {"API input, uncached": 2000.0 * factor, "API output": 1000.0 * factor}
        )


def test_wrong_answers_cost_requests_times_rate_times_usd() -> None:
    """docs/economics.md, 4.6. A million x 5% x $0.01 = $500, however many are billed. Until live, the incumbent's rate."""
    s = shared(usd_per_error=0.01, volume_factor=2.0)
    line = error_line(s, lambda: np.full(24, 0.05), (), along=[Along(usd_of_errors(s), 0.05)])
    assert line.monthly[0] == pytest.approx(500.0)
    apart = "(without volume by the bill: retries and missing tokens are no answers)"
    assert callable(line.arithmetic)
    assert line.arithmetic(0) == f"1,000,000 requests {apart} x 0.05 wrong x $0.01 each"
    assert named(of(s, replace(CHEAPER, months_to_live=1.0)), "wrong answers")[1][:2] == pytest.approx([500.0, 1000.0])


def test_in_a_cascade_all_pay_the_first_model_and_the_escalated_pay_both() -> None:
    """docs/economics.md, 4.7. 20% of a million at $0.003 are $600 on top of $1,500, a judge of $0.0001 is $100. Unmeasured
    errors 0.8 x 10% + 0.2 x 5% = 9%; kept 7% alone: 0.8 x 7% + 0.2 x 5% x 5^0.5 = 7.836%; not harder 6.6%, all of them 0.8 x 7%
    + 5%; escalated 15%: 8.6%; end to end: 6%.
    """
    cascade = replace(CHEAPER, id="cascade", kind="cascade", escalated=0.2)
    lines = of(shared(judge_usd=0.0001), cascade)
    assert named(lines, "API input, uncached")[1][0] + named(lines, "API output")[1][0] == pytest.approx(1500.0)
    assert named(lines, "escalated to stay")[1][0] == pytest.approx(600.0)
    assert named(lines, "judge that escalates")[1][0] == pytest.approx(100.0)
    kept = replace(cascade, kept_error=0.07, escalated_harder=0.5)
    rates = (
        (cascade, 0.09), (kept, 0.056 + 0.01 * 5**0.5), (replace(kept, escalated_harder=0.0), 0.066),
        (replace(kept, escalated_harder=1.0), 0.106), (replace(kept, escalated_error=0.15), 0.086),
        (replace(kept, escalated_error=0.15, end_to_end_error=0.06), 0.06),
    )
    s = shared(usd_per_error=0.01, quality_bar=0.93)
    for o, rate in rates:
        assert answered_wrong(o, STAY.error_rate) == pytest.approx(rate)
        assert named(of(s, o), "wrong answers")[1][0] == pytest.approx(MILLION * rate * 0.01)
        assert meets_bar(s, o, {"stay": STAY}).all() == (rate <= 0.07)


def test_leaving_saves_nothing_below_a_commitment() -> None:
    """docs/economics.md, 4.8. $5,000 for 1.5 months, $3,000 spent: $2,000 unused, then half of that, then none. A candidate's
    from 0.5 to 2.5 months, $1,500 spent in each: 2,500 - 1,500 where it goes live, a whole month, half of one. One of 0.25
    to 0.75 months: 2/3 of what is spent in the 0.75 months live falls in it, (3,750 - 1,500) x 2/3.
    """
    (line,) = commitment_line(shared(commitment_usd=5000.0, commitment_months=1.5), np.full(24, 3000.0))
    assert line.monthly[:3].tolist() == [2000.0, 1000.0, 0.0]
    (gone,) = commitment_line(shared(commitment_usd=5000.0, commitment_months=1.5), np.zeros(24))
    assert gone.monthly[:3].tolist() == [5000.0, 2500.0, 0.0]
    own = replace(CHEAPER, commitment_usd=5000.0, commitment_months=2.5, months_to_live=0.5)
    (line,) = own_commitment_line(shared(), own, np.full(24, 1500.0))
    assert line.monthly[:4].tolist() == [1000.0, 3500.0, 1750.0, 0.0]
    rows = replace(own, commitment_months=np.array([[2.5], [0.75]]), months_to_live=np.array([[0.5], [0.25]]))
    (drawn,) = own_commitment_line(shared(), rows, np.full(24, 1500.0))
    assert drawn.monthly[0].tolist() == line.monthly.tolist()
    assert drawn.monthly[1, :2] == pytest.approx([1500.0, 0.0])


def test_the_gap_to_the_bill_is_split_into_volume_and_price() -> None:
    """docs/economics.md, 4.9. gpt-5.4: a million x (1,000 x $2.50/M + 100 x $15/M) = $4,000; a bill of $16,000 is 4 times that.
    Half of it volume: 4^0.5 = 2 times the requests for all, twice the price for the incumbent.
    """
    incumbent = {"provider": "openai", "model": "gpt-5.4", "bill_usd_per_month": 16_000.0, "bill_is_volume_share": 0.5}
    case = catalog_case(incumbent=incumbent)
    assert case["reconciliation.factor"].value == pytest.approx(4.0)
    s = read_shared(case.values())
    assert [s.volume_factor, s.price_factor] == pytest.approx([2.0, 2.0])


def test_a_bill_that_is_the_commitment_is_no_gap() -> None:
    """Of 4.9. Requests for $4,000 and $10,000 committed until May: a bill of $10,000 is $6,000 owed unused, and staying costs
    $4,000 after May. One of $12,000 is 3 times the requests' price, as is any once the commitment is over; as is $8,000, twice.
    """
    committed = {"provider": "openai", "model": "gpt-5.4", "committed_usd_per_month": 10_000.0, "committed_until": "2027-05-31"}
    for bill, until, factor in ((10_000.0, "2027-05-31", 1.0), (10_150.0, "2027-05-31", 1.0), (12_000.0, "2027-05-31", 3.0),
                                (8_000.0, "2027-05-31", 2.0), (10_000.0, "2026-01-31", 2.5)):
        case = catalog_case(incumbent={**committed, "committed_until": until, "bill_usd_per_month": bill})
        assert case["reconciliation.factor"].value == pytest.approx(factor), bill
        assert ("reconciliation.told" in case) is (factor == 1.0)


def test_the_bar_holds_what_was_evaluated_and_changes_the_model() -> None:
    """docs/economics.md, 4.10. 90% right meets a bar of 0.90 and misses 0.91; staying is free, the unmeasured feasible."""
    everyone = {"stay": STAY}
    for bar, passes in ((0.90, True), (0.91, False)):
        assert meets_bar(shared(quality_bar=bar), CHEAPER, everyone).all() == passes
    assert meets_bar(shared(quality_bar=0.99), STAY, everyone).all()
    unmeasured = {"a": replace(CHEAPER, evaluated=False), "stay": STAY}
    assert rule_out(shared(quality_bar=0.99), unmeasured, ())["a"].infeasible is None


def test_a_floor_reaches_the_bar_with_the_answers_of_the_api_above_it_too() -> None:
    """Of 4.10. Own answers 5% wrong, the API's 12%; at a bar of 0.90 half of each, 8.5%, reach it, a floor that spills 80%,
    10.6%, does not. To today's model it may spill what it likes; an API that is perfect mends no floor below the bar.
    """
    floor, perfect = option("hybrid", error_rate=0.05, spills_to="api"), replace(CHEAPER, id="api", error_rate=0.0)
    options = {"stay": STAY, "api": replace(perfect, error_rate=0.12)}
    s = shared(quality_bar=0.90)
    assert [meets_bar(s, floor, options, spill).item() for spill in (0.0, 0.5, 0.8)] == [True, True, False]
    assert meets_bar(s, floor, options, np.array([[0.5], [0.8]])).tolist() == [True, False]
    assert meets_bar(s, replace(floor, spills_to="stay"), {"stay": replace(STAY, error_rate=0.5)}, 0.9).all()
    assert not meets_bar(s, replace(floor, error_rate=0.11), {**options, "api": perfect}, 0.9).any()


def test_an_unmeasured_system_is_as_others_of_its_class_with_a_wide_spread() -> None:
    """docs/economics.md, 4.11. gpt-5.4 10% wrong. gpt-6-luna costs $0.00015 of its $0.004, below an eighth: x 1.3, 0.5 to 2.1.
    llama-3.1-8b-instant: x 2.7, 1.4 to 3.6. A ratio that the scenario states holds for all.
    """
    names = {"api_models": ["openai/gpt-6-luna"], "hosted_models": ["groq/llama-3.1-8b-instant"]}
    for ratio, luna_is, llama_is in (
        (None, [0.13, 0.05, 0.21], [0.27, 0.14, 0.36]),
        ({"value": 1.0, "low": 0.7, "high": 2.5}, [0.10, 0.07, 0.25], [0.10, 0.07, 0.25]),
    ):
        quality = {"scores": {"gpt-5.4": 0.9}, "not_evaluated_error_ratio": ratio}
        case = catalog_case(quality=quality, candidates=names)
        found = [case[f"systems.{name}.error_rate"] for name in ("gpt-6-luna", "llama-3.1-8b-instant")]
        assert [[f.value, f.low, f.high] for f in found] == [pytest.approx(luna_is), pytest.approx(llama_is)]
    assert case["systems.gpt-6-luna.evaluated"].value is False
    over_open = {"incumbent": {"provider": "groq", "model": "llama-3.3-70b-versatile"},
                 "quality": {"scores": {"llama-3.3-70b-versatile": 0.9}}}
    case = catalog_case(**over_open, candidates={"hosted_models": ["groq/llama-3.1-8b-instant"], "self_hosted": ["qwen2.5-72b"],
                                                 "methods": [], "gpus": ["h100"]})
    assert [case[f"systems.{name}.error_rate"].value for name in ("llama-3.1-8b-instant", "qwen2.5-72b")] == [
        pytest.approx(0.163), pytest.approx(0.1)]


def test_the_same_weights_at_another_host_have_the_rate_that_was_measured() -> None:
    """As 4.11 says. 10% wrong at one host, 10% x 1.0 at another and self-hosted; at a host's worst end x 1.51."""
    case = catalog_case(incumbent={"provider": "groq", "model": "llama-3.3-70b-versatile"},
                        quality={"scores": {"llama-3.3-70b-versatile": {"value": 0.9, "items": 99}}},
                        candidates={"hosted_models": ["avian/Meta-Llama-3.3-70B-Instruct"]})
    s, options = read_all(case, {**case.values(), "systems.Meta-Llama-3.3-70B-Instruct.error_rate_ratio": 1.51})
    o = options["hosted-open:avian/Meta-Llama-3.3-70B-Instruct"]
    assert [case[f"systems.{o.system}.error_rate"].value, float(o.error_rate)] == pytest.approx([0.104, 0.15704])
    assert (o.evaluated, o.items, is_tested(s, o)) == (True, 99, False)  # a hundred items are a test


def test_your_own_terms_take_the_place_of_the_list() -> None:
    """docs/economics.md, 4.12. gpt-6-luna at 20% off $0.08 and $0.40/M: 0.8 x (1,000 x $0.08/M + 100 x $0.40/M) = $0.000096; a
    model without a list price at $1 and $2/M: $0.0012; gpt-5.4 itself at $2 and $10/M: $0.003.
    """
    case = catalog_case(
        candidates={"api_models": ["openai/gpt-6-luna", "bedrock/some-model"]},
        apis={
            "openai/gpt-6-luna": {"input_usd_per_mtok": 0.08, "output_usd_per_mtok": 0.40, "discount": 0.2},
            "bedrock/some-model": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
            "openai/gpt-5.4": {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 10.0},
        },
    )
    s, options = read_all(case, case.values())
    each = {id: float(np.asarray(service(s, o).cost.usd)) for id, o in options.items()}
    assert each[LUNA] == pytest.approx(0.000096)
    assert each["cheaper-api:bedrock/some-model"] == pytest.approx(0.0012)
    assert each["stay"] == pytest.approx(0.003)
    assert case[f"options.{LUNA}.price.input_usd_per_mtok"].basis is Basis.STATED


def test_a_lever_asks_the_same_model_for_less() -> None:
    """docs/economics.md, 4.13. gpt-5.4, 400 of 1,000 tokens shared, 100 left: 700 x $2.50/M + 100 x $15/M = $0.00325; 60% of
    the output: $0.0025 + 60 x $15/M = $0.0034; both $0.00265. Half price by the bill for both, as for staying.
    """
    case = catalog_case(
        workload={"requests_per_day": A_DAY, "input_tokens": 1000.0, "output_tokens": 100.0, "shared_prefix_tokens": 400.0},
        incumbent={"provider": "openai", "model": "gpt-5.4", "bill_usd_per_month": 2000.0, "bill_is_volume_share": 0.0},
        candidates={"shorter_prompt": {"prefix_tokens": 100.0}, "less_reasoning": {"output_ratio": 0.6}},
    )
    s, options = read_all(case, case.values())
    found = {id: service(s, o) for id, o in options.items() if id != "cache-batch"}
    assert {id: float(np.asarray(each.cost.usd)) for id, each in found.items()} == pytest.approx(
        {"stay": 0.004, "shorter-prompt": 0.00325, "less-reasoning": 0.0034, "shorter-prompt+less-reasoning": 0.00265}
    )
    assert [each.price[0] for each in found.values()] == pytest.approx([0.5] * 4)
    assert [options[id].evaluated for id in ("shorter-prompt", "less-reasoning")] == [False, False]


def test_a_flexible_tier_lowers_the_price_of_the_share_that_takes_it() -> None:
    """docs/economics.md, 4.14. Half of the requests at 40% of $0.003: (1 - 0.5 x 0.6) x 0.003 = $0.0021."""
    assert request_cost(shared(), Tokens(), api(tier=1 - 0.5 * (1 - 0.4)), 0.0).usd == pytest.approx(0.0021)
    case = catalog_case(candidates={"flexible_tier": {"price_ratio": 0.4, "share": 0.5}})
    s, options = read_all(case, case.values())
    assert service(s, options["flexible-tier"]).cost.usd == pytest.approx(0.7 * 0.004)


def test_provisioned_units_are_whole_and_paid_to_the_end_of_their_commitment() -> None:
    """docs/economics.md, 4.15. A peak of 3 million a month, a unit holds one: 3 x $700. Load -75% a year: 3 until month 12,
    for which the first are bound, then the peak of 0.75 million needs 1. Bound for 36 months of 24: 12 x 3 x $700 at the end.
    """
    s = shared(peak_to_mean=3.0, growth=-0.75)
    for bound, beyond in ((12.0, 0.0), (36.0, 25_200.0)):
        terms = Provisioned(usd_per_unit=700.0, requests_per_s=A_SECOND, minimum_months=bound)
        lines = provisioned_lines(s, option("provisioned", provisioned=terms), always(s))
        assert named(lines, "API provisioned throughput")[1][:12] == pytest.approx([2100.0] * 12)
        assert named(lines, "API provisioned throughput")[1][12] == pytest.approx(700.0 if bound == 12 else 2100.0)
        assert named(lines, "provisioned throughput beyond the horizon")[1][-1] == pytest.approx(beyond)


def test_a_model_whose_context_the_p95_of_the_requests_exceeds_cannot_take_them() -> None:
    """docs/economics.md, 4.16. A mean of 900 + 200 tokens against 1,000 and 1,100. Of 3% and of 10% that are longer, more than
    5% are too many.
    """
    mean = lengths([900.0], [200.0], [1.0])
    assert does_not_fit(mean, "m", 1000) == (
        "a mean request of 1,100 tokens does not fit the context of m, 1,000 tokens with the answer; shorten"
        " workload.input_tokens")
    assert does_not_fit(mean, "m", 1100) is None
    assert does_not_fit(lengths([100.0, 990.0], [20.0, 20.0], [0.97, 0.03]), "m", 1000) is None
    assert does_not_fit(lengths([100.0, 990.0], [20.0, 20.0], [0.9, 0.1]), "m+lora", 1000) == (
        "10% of the requests do not fit the context of m, 1,000 tokens with the answer; shorten workload.lengths, or"
        " compare those that fit in a scenario of their own")


def test_what_is_too_long_is_paid_at_its_own_lengths_and_counts_towards_the_bar() -> None:
    """As 4.16 says. Of two kinds of requests, 75% of 1,000 tokens and 25% of 9,000, at $1 a million: a quarter is too
    long, and costs $0.009 each, the others $0.001. 90% right of its own, 70% of the other API's: 0.75 x 90 + 0.25 x 70 = 85%.
    """
    mask, flat = np.array([0.0, 1.0]), replace(api(), edges=np.zeros(1), input=np.ones(1), output=np.ones(1))
    s = shared(input_tokens=np.array([1000.0, 9000.0]), output_tokens=np.zeros(2), weights=np.array([0.75, 0.25]))
    to = option("cheaper-api", api=flat, error_rate=0.3)
    own = option("hosted-open", api=flat, error_rate=0.1, too_long=mask, long_to=to.id)
    assert long_share(s, own) == 0.25
    assert service_of_long(s, own, to).cost.usd == pytest.approx(0.009)
    assert service(s, own).cost.usd == pytest.approx(0.001)
    assert service(s, to).cost.usd == pytest.approx(0.003)
    options = {"stay": option("stay", api=flat), own.id: own, to.id: to}
    assert [bool(meets_bar(replace(s, quality_bar=bar), own, options).all()) for bar in (0.85, 0.86)] == [True, False]
    better = {**options, to.id: replace(to, error_rate=0.0)}  # 0.75 x 90 + 25 = 92.5%, and 90% of its own
    assert [bool(meets_bar(replace(s, quality_bar=bar), own, better).all()) for bar in (0.9, 0.91)] == [True, False]


def lengths(prompts: list[float], answers: list[float], weights: list[float]) -> SystemLengths:
    return SystemLengths(prompt_tokens=np.array(prompts), prefix_tokens=np.zeros(len(prompts)), output_tokens=np.array(answers),
                         weights=np.array(weights), hit_rate=0.0)


# ---------------------------------------------------------------- 5 What a fleet costs


def test_todays_units_cost_their_fee_more_as_the_peak_asks_and_are_owed_to_their_last_day() -> None:
    """docs/economics.md, 4.17. Two units at $700, each for a million a month; a peak of 1.5 million that doubles in a year
    takes two, three from month 6 on (1.5 x 2^(5/12) = 2.002). Who left at once owes 2 x $700 for 3.5 months.
    """
    s = shared(peak_to_mean=1.5, growth=1.0)
    today = option("stay", provisioned=Provisioned(
        usd_per_unit=700.0, requests_per_s=A_SECOND, units=2.0, committed_months=3.5))
    paid = named(unit_lines(s, today, today, always(s)), "API provisioned throughput")[1]
    assert [paid[month - 1] for month in (1, 5, 6, 13)] == pytest.approx([1400.0, 1400.0, 2100.0, 2100.0])
    owed = owed_units(s, today, incumbent_share(0.0, 0.0, 24), [])
    assert named(owed, "today's units, owed and not used")[1][:5] == pytest.approx([1400.0] * 3 + [700.0, 0.0])


def test_what_can_wait_fills_the_valleys() -> None:
    """docs/economics.md, 5.1. Peak 4/s, mean 1/s: half waits: 2/s; nearly all waits: the mean."""
    assert [float(demand_to_hold(4.0, 1.0, wait)) for wait in (0.0, 0.5, 0.9)] == [4.0, 2.0, 1.0]


def test_replicas_behind_a_router_hold_more_than_their_sum() -> None:
    """docs/economics.md, 5.2. p = 1.5: one holds 1; four hold 2 x 4 - 1 x 2 = 6 = 1.5 each; eight hold 12."""
    assert [float(fleet_capacity(r, 1.0, 1.5)) for r in (1.0, 4.0, 8.0)] == pytest.approx([1.0, 6.0, 12.0])


def test_replicas_and_instances_are_whole() -> None:
    """docs/economics.md, 5.3. 3/s with a quarter free: 4 replicas and a spare; two fit into 4 GPUs: 3 instances, 12 GPUs."""
    fleet = size_fleet(3.0, 1.0, 1.0, headroom=0.25, spares=1, gpus_per_replica=2, gpus_per_instance=4)
    assert [float(x) for x in (fleet.replicas, fleet.instances, fleet.gpus)] == [5.0, 3.0, 12.0]


def test_rent_is_paid_for_every_hour_however_busy() -> None:
    """docs/economics.md, 5.4. A peak of 3 million a month needs 3 GPUs: $3,000, and $1,000 for a spare. Half the load on as
    many replicas costs the same; a quarter share of the base a quarter.
    """
    s, o = shared(peak_to_mean=3.0), hosted(plan(), spares=1)
    lines = fleet_of(s, o)
    assert (named(lines, "GPU rent")[1][0], named(lines, "GPU rent, redundancy")[1][0]) == pytest.approx((3000.0, 1000.0))
    idle = fleet_of(shared(requests_per_day=A_DAY / 2), replace(o, replicas_least=3))
    assert named(idle, "GPU rent")[1][0] + named(idle, "GPU rent, redundancy")[1][0] == pytest.approx(4000.0)
    assert named(fleet_of(s, replace(o, fleet_share=0.25)), "GPU rent")[1][0] == pytest.approx(750.0)


def test_a_commitment_is_paid_to_its_end() -> None:
    """docs/economics.md, 5.5. Load -75% a year: 3 GPUs until month 12, then the peak of 0.75 million needs 1. Bound for 36
    months of 24: 12 months x 3 GPUs x $1,000 in the last month; $5,000 a GPU end it for $15,000. Load that doubles in a year
    needs a GPU more in months 2, 14 and 21; bound for 12, two are owed 1 + 8 months, or nothing where not bound.
    """
    s = shared(peak_to_mean=3.0, growth=-0.75)
    rent = named(fleet_of(s, hosted(plan(minimum_months=12.0))), "GPU rent")[1]
    assert [rent[0], rent[11], rent[12]] == pytest.approx([3000.0, 3000.0, 1000.0])
    beyond = named(fleet_of(s, hosted(plan(minimum_months=36.0))), "GPU commitment beyond the horizon")[1]
    assert (sum(beyond), beyond[-1]) == pytest.approx((36_000.0, 36_000.0))
    ended = named(fleet_of(s, hosted(plan(minimum_months=36.0, cancel_usd=5000.0))), "GPU commitment beyond the horizon")[1]
    assert ended[-1] == pytest.approx(15_000.0)
    for later, owed in ((1.0, 9_000.0), (0.0, 0.0)):
        p = plan(minimum_months=12.0, later_bound=later)
        beyond = named(fleet_of(shared(growth=1.0), hosted(p)), "GPU commitment beyond the horizon")[1]
        assert beyond[-1] == pytest.approx(owed)


def test_a_fleet_that_follows_the_day_pays_the_mean_of_its_hours() -> None:
    """docs/economics.md, 5.6. Twelve hours at 2/s need two replicas, twelve empty ones the floor of one: 1.5 in the mean.

    Where half waits these hours are as many as the work takes, 24: one in the mean. Where all waits and the floor is 0, a load
    of 1.5 replicas is two for 18 hours, one to start: 38 GPU-hours; with a spare sqrt(36) and it for 6 + 1: 49.
    """
    curve = np.repeat([0.0, 2.0], 12)
    fleet = size_autoscaled_fleet(np.array([1.0]), 1.0, curve, startup_s=0.0, spares=0.0)
    assert float(np.asarray(fleet.gpus)[0]) == pytest.approx(1.5)
    half = size_autoscaled_fleet(np.array([1.0]), 1.0, curve, startup_s=0.0, spares=0.0, can_wait=0.5)
    assert float(np.asarray(half.gpus)[0]) == pytest.approx(1.0)
    for spares, hours in ((0.0, 38.0), (1.0, 49.0)):
        assert float(size_queue_fleet(1.5, 1.0, startup_s=3600.0, spares=spares).gpus) == pytest.approx(hours / 24)


def test_what_lies_above_the_floor_spills_and_pays_the_api_once() -> None:
    """docs/economics.md, 5.7. Even hours with bursts of twice the mean: a floor of the mean spills (2 - 1) / 2, $1,500.
    A fifth where that is stated, $600; at twice the load the floor holds only half: half of $6,000.

    Where all can wait it spills nothing, and a floor of 0.6 of the mean 1 - 0.6.
    """
    assert float(spill_share(np.ones(24), 2.0, 1.0)) == pytest.approx(0.5)
    assert [float(spill_share(np.ones(24), 2.0, c, 1.0)) for c in (1.0, 0.6)] == pytest.approx([0.0, 0.4])
    p = plan()
    floor = option("hybrid", plan=p, plans=(p,), replicas_fixed=1, spills_to="stay", spares=3)
    lines = of(shared(peak_to_mean=2.0), floor)
    assert named(lines, "spilled to stay")[1][0] == pytest.approx(1500.0)
    assert named(lines, "GPU rent")[1][0] == pytest.approx(1000.0)
    for stated, spilt in ((0.2, 600.0), (0.0, 0.0)):
        lines = of(shared(peak_to_mean=2.0), replace(floor, spill_share=stated))
        assert named(lines, "spilled to stay")[1][0] == pytest.approx(spilt)
    lines = of(shared(peak_to_mean=2.0, requests_per_day=2 * A_DAY), replace(floor, spill_share=0.2))
    assert named(lines, "spilled to stay")[1][0] == pytest.approx(3000.0)


def test_the_platform_is_paid_while_live() -> None:
    """docs/economics.md, 5.8. $60 a month, half of it in the month of going live."""
    line = named(fleet_of(shared(), hosted(plan(), platform_usd=60.0, months_to_live=0.5)), "platform")
    assert line[1][:2] == pytest.approx([30.0, 60.0])


TERMS = Hardware(
    host_usd=1000.0, install_share=0.1, pue=2.0, usd_per_kwh=0.10, power_share=0.5, colocation_usd_per_kw=100.0,
    spare_share=0.0, life_months=48, kept_per_year=0.5,
)  # fmt: skip


def owned(**terms: Any) -> list[Line]:
    """Three cards of $9,000 and $1,000 of host each, 1 kW."""
    return hardware_lines(shared(), hosted(plan()), replace(TERMS, **terms), np.full(24, 3.0), always(shared()))


def test_cards_are_bought_before_they_serve_and_replaced_when_worn_out() -> None:
    """docs/economics.md, 5.9. 3 x $10,000 in month 0, 10% of it for installation; half more with spares; life 12: twice."""
    assert named(owned(), "hardware, purchase and replacement")[0] == 30_000.0
    assert named(owned(), "hardware, installation")[0] == pytest.approx(3000.0)
    assert named(owned(spare_share=0.5), "hardware, purchase and replacement")[0] == 45_000.0
    assert named(owned(life_months=12), "hardware, purchase and replacement")[1][11] == 30_000.0
    assert purchases(np.array([2.0, 2, 3, 3]), 48).tolist() == [2.0, 0.0, 1.0, 0.0]
    grows = np.repeat([2.0, 3.0], 12)
    for whole, now, later in ((False, 20_000.0, 10_000.0), (True, 30_000.0, 0.0)):
        lines = hardware_lines(shared(), hosted(plan()), replace(TERMS, as_a_whole=whole), grows, always(shared()))
        bought = named(lines, "hardware, purchase and replacement")
        assert (bought[0], bought[1][11]) == (now, later)
        assert named(lines, "colocation")[1][0] == (300.0 if whole else 200.0)


def test_power_and_space_follow_the_kilowatts() -> None:
    """docs/economics.md, 5.10. 3 kW x 0.5 x PUE 2 x 730 h x $0.10 = $219; 3 kW x $100."""
    assert named(owned(), "electricity")[1][0] == pytest.approx(219.0)
    assert named(owned(), "colocation")[1][0] == pytest.approx(300.0)


def test_cards_fetch_less_each_year() -> None:
    """docs/economics.md, 5.11. Half is kept each year: after two, a quarter of $30,000. Of two draws on one fleet half and a
    quarter are kept, of cards that live for a year.
    Three of four own cards that would fetch $4,000: $12,000 not got, nothing installed, a quarter of it at the end. Kept as a
    whole, all four are: $16,000, and 4 kW of space.
    """
    resale = named(owned(), "hardware, resale")[1]
    assert (sum(resale[:-1]), resale[-1]) == (0.0, pytest.approx(-7500.0))
    drawn = named(owned(kept_per_year=np.array([[0.5], [0.25]]), life_months=12), "hardware, resale")[1]
    assert [{k + 1: float(usd) for k, usd in enumerate(row) if usd} for row in drawn] == [
        {12: -15_000.0, 24: -15_000.0}, {12: -7500.0, 24: -7500.0}]
    mine = plan(gpus_owned=4.0, usd_per_gpu=4000.0)
    lines = hardware_lines(shared(), hosted(mine), replace(TERMS, host_usd=0.0), np.full(24, 3.0), always(shared()))
    assert [named(lines, name)[0] for name in ("own cards, not sold (no cash)", "hardware, installation")] == [12_000.0, 0.0]
    assert named(lines, "own cards, resale (no cash)")[1][-1] == pytest.approx(-3000.0)
    terms = replace(TERMS, host_usd=0.0, as_a_whole=True)
    whole = hardware_lines(shared(), hosted(mine), terms, np.full(24, 3.0), always(shared()))
    assert named(whole, "own cards, not sold (no cash)")[0] == 16_000.0
    assert named(whole, "colocation")[1][0] == pytest.approx(400.0)


def test_an_option_takes_its_cheapest_plan() -> None:
    """docs/economics.md, 5.12. A peak of 3 million: three small cards at $1,000, or one at $2,000 that holds 4 million."""
    small, large = plan(), plan(gpu="B200", capacity=4 * A_SECOND, usd_per_gpu_hour=2 * THOUSAND_A_MONTH)
    o = option("self-hosted-base", plans=(small, large), plan=small)
    assert choose_plan(shared(peak_to_mean=3.0), o, {"stay": STAY, o.id: o}).plan == large


def floor_at(rent: float, headroom: float = 0.0, peak: float = 2.0) -> tuple[int, float]:
    """Replicas of the floor, and USD of a month, where a GPU costs `rent` a month and a wrong answer $0.04."""
    p = plan(usd_per_gpu_hour=rent / HOURS_PER_MONTH)
    o = option("hybrid", plan=p, plans=(p,), spills_to="stay", error_rate=0.10, headroom=headroom)
    s, options = shared(peak_to_mean=peak, usd_per_error=0.04), {"stay": STAY, o.id: o}
    chosen = choose_plan(s, o, options)
    assert chosen.replicas_fixed is not None
    return chosen.replicas_fixed, sum(float(line.monthly[1]) for line in cost_lines(s, chosen, options).lines)


def test_a_floor_is_chosen_with_its_wrong_answers_so_that_a_dearer_gpu_never_helps() -> None:
    """Of 5.12. Its own answers cost $4,000 a month in errors, the API's $2,000 and $3,000 of bill. One replica
    serves half: rent + 1,500 + 3,000; two serve all: 2 rents + 4,000. Two are cheaper below $500 a month. With half of each
    kept free, four serve all.
    """
    costs = [floor_at(rent) for rent in (400.0, 1000.0, 1400.0, 1600.0)]
    assert costs == [(2, pytest.approx(4800.0)), *((1, pytest.approx(x)) for x in (5500.0, 5900.0, 6100.0))]
    assert floor_at(100.0, headroom=0.5) == (4, pytest.approx(4400.0))
    assert floor_at(400.0, peak=1.0)[0] == 1  # no other size is left to try


def test_owned_cards_are_a_limit() -> None:
    """Of 5.12. A peak of 3 million needs 3 cards; 2 are there: not possible, and a hybrid's floor is at most 2."""
    p = plan(gpus_owned=2.0)
    o = option("own-hardware", plan=p, plans=(p,), hardware=TERMS)
    s, options = shared(peak_to_mean=3.0), {"stay": STAY, o.id: o}
    assert str(choose_plan(s, o, options).infeasible).startswith("needs 3 x H100-80GB-SXM at the peak; owned: 2. ")
    assert choose_plan(s, replace(o, plans=(replace(p, gpus_owned=3.0),)), options).infeasible is None
    grown = str(choose_plan(replace(s, growth=1.0), o, options).infeasible)  # 3 x 2^(23/12) = 11.3
    assert grown.startswith("needs 12 x H100-80GB-SXM at the peak of month 24, when the load has grown (3 at go-live)")
    less = shared(peak_to_mean=2.0), replace(o, spares=1), options  # two serve, one is spare
    assert str(choose_plan(*less).infeasible).startswith(
        "needs 3 x H100-80GB-SXM at the peak, spares included; owned: 2, enough without a spare (serving.spares: 0). ")
    assert "enough" not in str(choose_plan(s, *less[1:]).infeasible)
    free = replace(TERMS, colocation_usd_per_kw=0.0, usd_per_kwh=0.0, kept_per_year=1.0)
    hybrid = option("hybrid", plan=p, plans=(p,), hardware=free, spills_to="stay")
    assert choose_plan(s, hybrid, {"stay": STAY, hybrid.id: hybrid}).replicas_fixed == 2


def test_workloads_on_one_fleet_share_what_all_of_them_need() -> None:
    """docs/economics.md, 5.13. 0.3 million a month each at the mean: one needs 1 GPU, $1,000, and $90 of platform; ten need 3,
    $300 and $9 each. 35 h of on-call, 30 of them the fleet's: 5 + 30 / 10 = 8.
    """
    s, alone = shared(requests_per_day=0.3 * A_DAY), hosted(plan(), platform_usd=90.0)
    ten = replace(alone, workloads=10.0, fleet_share=0.1)
    assert fleet_load(s, ten)[0] == pytest.approx(3.0 * A_SECOND)
    for o, rent, platform in ((alone, 1000.0, 90.0), (ten, 300.0, 9.0)):
        lines = fleet_of(s, o)
        assert (named(lines, "GPU rent")[1][0], named(lines, "platform")[1][0]) == pytest.approx((rent, platform))
    assert hours_paid(ten, 35.0, 30 / 35) == pytest.approx(8.0)
    assert hours_paid(alone, 35.0, 30 / 35) == 35.0
    bought = Line(name="cards", kind=LineKind.HARDWARE, path=np.full(24, 5.0), rate=2.0, upfront=100.0, facts=(),
                  arithmetic=lambda _: "5 x $2")
    shared_line = part_of_fleet(bought, ten)
    assert (shared_line.upfront, shared_line.monthly[0], part_of_fleet(bought, alone)) == (10.0, 1.0, bought)
    assert callable(shared_line.told)
    assert shared_line.told(0) == "5 x $2 x 0.1 of the fleet"


def test_an_adapter_takes_two_bytes_a_parameter_and_a_slot_for_each_sequence_that_fits_beside_it() -> None:
    """docs/economics.md, 5.14. Llama-3.1-8B: 81,920 inputs and outputs a layer x 32 x rank 16 x 2 bytes = 84 MB. In 9.68 GB
    with 400 MB a sequence: 20 slots of 84 MB; of 8 adapters 8; of 60, stated, 60.
    """
    each = float(adapter_bytes(find_model("llama-3.1-8b"), 16))
    assert each == 81_920 * 32 * 16 * 2
    slots = AdapterSlots(each, 60.0), AdapterSlots(each, 8.0), AdapterSlots(each, 60.0, stated=True)
    assert [one.held(9.68e9, 4e8, 8e8) for one in slots] == [20, 8, 60]


# ---------------------------------------------------------------- 6 Break-even


def crossing(
    capacity: float, baseline: str = "stay", basis: str = "run_rate", to_live: float = 0.0, counts: str = "errors"
) -> BreakEven:
    """One GPU a replica at $3,000 a month, holding `capacity` million requests; the API costs $3,000 a million."""
    curves, id = race(capacity, to_live)
    found = break_evens(curves, [id], [CHEAPER.id], CHEAPER.id)
    return next(b for b in found if (b.baseline, b.basis, b.counts) == (baseline, basis, counts))


def race(capacity: float, to_live: float = 0.0) -> tuple[Curves, str]:
    p = plan(capacity=capacity * A_SECOND, usd_per_gpu_hour=3 * THOUSAND_A_MONTH)
    o = hosted(p, months_to_live=to_live)
    return Curves(shared(), {"stay": STAY, o.id: o, CHEAPER.id: CHEAPER}), o.id


def in_millions(a_day: float | None) -> float:
    assert a_day is not None
    return a_day * DAYS_PER_MONTH / MILLION


def test_the_run_rate_leaves_set_up_out_and_present_value_does_not() -> None:
    """docs/economics.md, 6.1. $3,000 of rent / $0.003 = a million a month, however long it takes to go live; present value also
    earns $400 of evaluation back in 24 months. On cash the same: nothing is paid for a wrong answer here.
    """
    for to_live in (0.0, 12.0):
        assert in_millions(crossing(10.0, to_live=to_live).first) == pytest.approx(1.0, rel=1e-4)
    for counts in ("errors", "cash"):
        found = crossing(10.0, basis="pv", counts=counts)
        assert in_millions(found.first) == pytest.approx((3000 + 400 / 24) / 3000, rel=1e-4)


def test_on_a_saw_the_first_win_is_not_for_good() -> None:
    """docs/economics.md, 6.2. A replica holds 1.2 million and earns its rent from 1.0: n of them win from n to 1.2 n million,
    which meets the next tooth from 5 on.
    """
    found = crossing(1.2)
    assert in_millions(found.first) == pytest.approx(1.0, rel=1e-4)
    assert in_millions(found.stays) == pytest.approx(5.0, rel=1e-4)


def test_the_cheapest_untrained_option_is_the_harder_baseline() -> None:
    """docs/economics.md, 6.3. Against the API at $0.0015, untrained and here recommended: $3,000 / 0.0015 = 2 million."""
    for baseline in ("best_untrained", "recommended"):
        assert in_millions(crossing(10.0, baseline=baseline).first) == pytest.approx(2.0, rel=1e-4)


def test_never_has_a_reason() -> None:
    """docs/economics.md, 6.4. A full replica of 0.5 million costs $3,000 and saves $1,500."""
    found = crossing(0.5)
    assert (found.first, found.stays, found.reason) == (None, None, "marginal GPU cost exceeds the API price")


def test_signposts_say_what_would_turn_the_choice() -> None:
    """docs/economics.md, 6.5. At a million a month the API's $3,000 pay $3,000 of rent less $400 / 24 of evaluation, or from
    $3,000 + $400 / 24 on at $0.003.
    """
    curves, id = race(10.0)
    posts = {p.quantity: p for p in signposts(curves, id, "stay")}
    assert posts["usd_per_gpu_hour"].threshold == pytest.approx((3000 - 400 / 24) / HOURS_PER_MONTH)
    assert in_millions(posts["requests_per_day"].threshold) == pytest.approx((3000 + 400 / 24) / 3000, rel=1e-5)


def test_the_advice_turns_where_the_chance_does_and_not_where_the_mean_does() -> None:
    """docs/economics.md, 6.6. gpt-6-luna saves $15,000 at today's volume, $1,500 aside: nothing at a tenth of it. 60% of the
    draws are above their 40th percentile, which must be that tenth.
    """
    c = compare(case_with({"draws": 1024}, volume=(0.5, 2.0)), thresholds=False)
    tenth = float(quantile(np.array([0.4]), 0.5, 1.0, 2.0, "requests/day")[0])
    found, then, _ = c.turning_volume(up=False)
    assert (c.verdict.leader, then, c.turning_volume(up=True)) == (LUNA, "stay", None)
    assert found / A_DAY == pytest.approx(0.1 / tenth, rel=0.02)


# ---------------------------------------------------------------- 7 How sure


def test_low_and_high_are_the_fifth_and_ninety_fifth_percentile() -> None:
    """docs/economics.md, 7.1. At probabilities 0.05 and 0.95 the draw is 1 and 100."""
    assert quantile(np.array([0.05, 0.95]), 1.0, 10.0, 100.0, "USD") == pytest.approx([1.0, 100.0])


def test_the_scale_follows_the_quantity() -> None:
    """docs/economics.md, 7.2. 1 to 100 about 10, and halving to doubling about 0, are symmetric in the log: medians 10 and 0.
    A share between 0 and 1 stays there.
    """
    middle = np.array([0.5])
    assert quantile(middle, 1.0, 10.0, 100.0, "USD") == pytest.approx([10.0])
    assert quantile(middle, -0.5, 0.0, 1.0, "1/year") == pytest.approx([0.0], abs=1e-9)
    assert quantile(np.array([1e-9, 1 - 1e-9]), 0.0, 0.5, 1.0, "share").tolist() == [0.0, 1.0]


def test_independent_factors_add_their_squared_logarithms() -> None:
    """docs/economics.md, 7.3. e^0.3 and e^0.4 make e^0.5, both ways (3, 4, 5)."""
    assert float(joint_high(np.exp([0.3, 0.4]))) == pytest.approx(np.exp(0.5))
    assert float(joint_low(np.exp([-0.3, -0.4]))) == pytest.approx(np.exp(-0.5))


def test_one_draw_serves_every_option() -> None:
    """docs/economics.md, 7.4. Only the volume is drawn: gpt-6-luna saves $1,500 a month at 1,000,000 requests, $1,500 aside."""
    drawn = draw(case_with(volume=(0.5, 2.0)), ["stay", LUNA], {}, 8, 1)
    (volume,) = drawn.facts.values()
    assert np.unique(volume).size == 8
    assert drawn.npv[LUNA] + 1500.0 == pytest.approx(15_000.0 * volume / A_DAY)
    assert (sobol(0, 8, 3, 1) == sobol(0, 8, 3, 1)).all()


def test_each_score_moves_along_a_noise_of_its_own() -> None:
    """docs/economics.md, 7.5. 90% right between 80% and 95%: +1 makes 5% wrong, -1 makes 20%, half way up 7.5%; the other
    system stays. In a comparison saved with one noise for all, both move. Paired on 100 items, 95 right and 92: (5 + 1/2) / 101
    and (8 + 1/2) / 101 wrong, correlation (90 x 3 - 5.5 x 2.5) / sqrt(95.5 x 5.5 x 92.5 x 8.5). A comparison saved with shares
    of what the incumbent gets right and wrong keeps them: 1 - (95.5/101 x 90.5/96 + 5.5/101 x 2.5/6).
    """
    paired = {"both_right": 90, "only_incumbent": 5, "only_this": 2, "both_wrong": 3}
    both_scores = {"gpt-5.4": {"value": 0.95, "items": 100}, "gpt-6-luna": {"value": 0.92, "paired": paired}}
    counted = catalog_case(quality={"scores": both_scores}, candidates={"api_models": ["openai/gpt-6-luna"]})
    _, options = read_all(counted, counted.values())
    assert [float(options[id].error_rate) for id in ("stay", LUNA)] == pytest.approx([5.5 / 101, 8.5 / 101])
    together = counted["systems.gpt-6-luna.error_rate.correlation"].value
    assert together == pytest.approx((90 * 3 - 5.5 * 2.5) / (95.5 * 5.5 * 92.5 * 8.5) ** 0.5, abs=1e-9)
    shares = {"systems.gpt-6-luna.right_where_right": 90.5 / 96, "systems.gpt-6-luna.right_where_wrong": 2.5 / 6}
    _, options = read_all(counted, {**counted.values(), **shares})
    assert float(options[LUNA].error_rate) == pytest.approx(1.0 - (95.5 / 101 * 90.5 / 96 + 5.5 / 101 * 2.5 / 6))
    score = {"value": 0.9, "low": 0.8, "high": 0.95}
    scores = {"gpt-5.4": score, "gpt-6-luna": score}
    case = catalog_case(quality={"scores": scores}, candidates={"api_models": ["openai/gpt-6-luna"]})
    apart = "quality.evaluation_noise.gpt-6-luna"
    assert {f"quality.evaluation_noise.{name}" for name in scores} <= set(case.uncertain)
    saved = {path: value for path, value in case.values().items() if not path.startswith("quality.evaluation_noise")}
    for noise, wrong in ((-1.0, 0.20), (0.5, 0.075), (1.0, 0.05)):
        _, options = read_all(case, {**case.values(), apart: noise})
        assert [float(options[id].error_rate) for id in (LUNA, "stay")] == pytest.approx([wrong, 0.10])
        _, options = read_all(case, {**saved, "quality.evaluation_noise": noise})
        assert [float(options[id].error_rate) for id in (LUNA, "stay")] == pytest.approx([wrong, wrong])


def test_percentiles_are_sample_points() -> None:
    """docs/economics.md, 7.6. Ten paybacks, two of them never: P10 the second, P50 the sixth, P90 never."""
    assert percentiles(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.inf, np.inf])) == (2.0, 6.0, np.inf)


def test_a_draw_in_which_the_bar_is_missed_cannot_be_won() -> None:
    """docs/economics.md, 7.7. Of four draws the option saves most in three and misses the bar, minus $5, in one of them."""
    npv = {"stay": np.zeros(4), "a": np.array([4.0, 4, -5, -1]), "untested": np.full(4, 9.0)}
    assert probability_best(npv, ["stay", "a"]) == {"stay": 0.5, "a": 0.5}


def test_the_chance_to_beat_staying_is_a_share_of_draws() -> None:
    """docs/economics.md, 7.8. Set-up eats the central saving of $15,000, and the volume halves or doubles: half the draws."""
    o = luna(answer({"evaluation.usd": 15_000.0, "draws": 256}, volume=(0.5, 2.0)))
    assert (o.probability_npv_positive, o.probability_beats_best_untrained) == (0.5, 0.5)


def test_a_swing_is_the_distance_between_both_ends_of_one_fact() -> None:
    """docs/economics.md, 7.9. Half and twice the volume: 7,500 - 1,500 and 30,000 - 1,500, 22,500 apart; NPV rises with it."""
    (driver,) = answer({"draws": 64}, volume=(0.5, 2.0)).drivers
    assert [driver.npv_at_low_usd, driver.npv_at_high_usd, driver.swing_usd] == pytest.approx([6000.0, 28_500.0, 22_500.0])
    assert driver.rank_correlation == pytest.approx(1.0)


def test_knowing_a_fact_is_worth_what_it_lets_one_avoid() -> None:
    """docs/economics.md, 7.10. +10 while x is low, -6 while it is high: 2 on average, 5 with the choice: worth 3."""
    x = np.repeat([0.0, 1.0], 32)
    gain = {"stay": np.zeros(64), "a": np.where(x == 0, 10.0, -6.0)}
    assert gain_of_knowing(MainEffects(gain), x, ["stay", "a"]) == pytest.approx(3.0)


def test_a_line_is_as_good_as_its_weakest_fact() -> None:
    """docs/economics.md, 7.11. The API's line is quoted; an evaluation whose label price is a default is assumed."""
    assert [basis.value for basis in Basis] == ["measured", "calibrated", "dry run", "quoted", "stated", "published", "assumed",
                                             "template"]
    lines = {line.name: line.basis for line in luna(answer()).lines}
    assert (lines["API output"], lines["evaluation before the change"]) == ("quoted", "assumed")


def test_what_a_template_guessed_and_nobody_changed_is_marked_and_uncertain() -> None:
    """docs/economics.md, 7.12. Classification: USD 0.05 an error, 0.015 to 0.15; score 0.94, so 6% wrong, 3% to 9%."""
    data = parse_yaml(template("classification"), "classification")
    case = resolve(check_scenario(data)).case
    cost, wrong = case["quality.usd_per_error"], "systems.gpt-6-sol.error_rate"
    assert (cost.basis.value, cost.value, *cost.spread()) == ("template", 0.05, pytest.approx(0.015), pytest.approx(0.15))
    assert [case[f"{wrong}{end}"].value for end in ("", "_low", "_high")] == pytest.approx([0.06, 0.03, 0.09])
    data["quality"]["usd_per_error"] = 0.04
    mine = resolve(check_scenario(data)).case["quality.usd_per_error"]
    assert (mine.basis.value, mine.uncertain) == ("stated", False)


# ---------------------------------------------------------------- 8 The verdict


def test_a_gate_that_fails_rules_out_training_and_the_legal_one_only_for_the_vendors_labels() -> None:
    """docs/economics.md, 8.1. "no" blocks, "unknown" does not; the vendor's terms do not matter where people label."""
    blocks = {g.name: g.blocks for g in read_gates({"gates.one_task_type": "no", "gates.evaluation_set": "unknown"})}
    assert (blocks["one_task_type"], blocks["evaluation_set"]) == (True, False)
    legal = "vendor_allows_training_on_outputs"
    for labels, barred in (("people", False), ("incumbent", True)):
        gates = read_gates({f"gates.{legal}": "no", "training.labels_from": labels})
        assert next(g.blocks for g in gates if g.name == legal) == barred


def test_only_what_was_evaluated_is_a_candidate() -> None:
    """docs/economics.md, 8.2. The same savings without a score are not recommended."""
    assert answer().verdict.candidates == ("stay", LUNA)
    found = answer({"systems.gpt-6-luna.evaluated": False}).verdict
    assert (found.candidates, found.recommended) == (("stay",), "stay")


def test_the_highest_expected_npv_wins_where_it_is_sure_enough() -> None:
    """docs/economics.md, 8.3. $13,500 and sure: change. A mean above zero in half of the draws: stay, and name it."""
    assert (answer().verdict.recommended, answer().verdict.decision) == (LUNA, "change")
    unsure = answer({"evaluation.usd": 15_000.0, "draws": 256}, volume=(0.5, 2.0))
    assert luna(unsure).expected_npv_usd > 0
    assert (unsure.verdict.recommended, unsure.verdict.likely) == ("stay", ("stay",))
    (over,) = unsure.verdict.passed_over
    assert (over.option, over.reason, over.chance, over.chance_needed) == (LUNA, "not likely", 0.5, 0.6)


def test_the_winner_changes_at_the_error_rate_that_costs_what_it_saves() -> None:
    """docs/economics.md, 8.4. Staying 30,000 + 10 x $500; gpt-6-luna 16,500 + 100,000 e: equal at 18.5%; a bar of 0.85: 15%."""
    error = {"quality.usd_per_error": 0.01}
    assert answer(error).verdict.winner_changes_at_error_rate == pytest.approx(0.185)
    assert answer({**error, "quality.bar": 0.85}).verdict.winner_changes_at_error_rate == pytest.approx(0.15)


def test_what_to_measure_next_is_worth_more_than_it_costs() -> None:
    """docs/economics.md, 8.5. Luna's $15,000 are locked until somebody tests it for $1,500, which the change then saves, and on
    the least number of items that is a test: 100 x $0.50, because nothing is uncertain about its answers.
    """
    untested = {"systems.gpt-6-luna.evaluated": False, "draws": 256, "evaluation.months": 0.0}
    found = answer({**untested, "quality.bar": 0.5}, volume=(0.5, 2.0))
    then = found.verdict.then
    assert then is not None
    assert (then.kind, then.option, then.cost_usd) == ("evaluate", LUNA, 1550.0)
    assert then.worth_usd == pytest.approx(luna(found).expected_npv_usd + 1500.0)
    assert then.net_usd == pytest.approx(then.worth_usd - 1550.0)
    assert answer({"draws": 256}, volume=(0.5, 2.0)).verdict.then is None
    # with neither a bar nor a price of errors no test could fail it, and none is offered
    assert "evaluate" not in {e.kind for e in answer(untested, volume=(0.5, 2.0)).experiments}
    assert answer({**untested, "quality.usd_per_error": 0.001}, volume=(0.5, 2.0)).verdict.then is not None


def test_what_cannot_be_true_gets_no_verdict() -> None:
    """docs/economics.md, 8.6. Six times the requests every year: no verdict; accepted by name: the same figures, and one."""
    found = answer({"workload.growth_per_year": 5.0}).verdict
    assert (found.recommended, found.decision, found.leader) == (None, "withheld", LUNA)
    facts = case_with({"workload.growth_per_year": 5.0}).facts
    meant = Case(facts={**facts, "accept": Fact(value="growth", basis=Basis.STATED, source="scenario accept")})
    assert compare(meant).verdict.recommended == LUNA


def test_once_an_api_is_in_use_staying_is_staying_on_it() -> None:
    """docs/economics.md, 8.7. Luna's set-up is spent, its bill is $1,500 a month, and no move follows without GPUs.

    tests/economics/decision/test_second_move.py has one that does, by hand.
    """
    found = answer()
    shared, options = once_moved(*read_all(found.case, found.case.values()), LUNA)
    stay = evaluate(shared, options["stay"], options)
    assert float(np.asarray(stay.total.upfront)) == 0.0
    assert stay.total.monthly == pytest.approx(1500.0)
    assert found.second_move is None


# ---------------------------------------------------------------- the page itself


def headings() -> list[str]:
    """Numbers of the definitions, in the order of the page."""
    return re.findall(r"^### (\d+\.\d+) ", (DOCS / "economics.md").read_text(encoding="utf-8"), re.MULTILINE)


def cited() -> list[str]:
    """Numbers that the docstrings of this file's tests cite first."""
    tests = [node for node in ast.parse(Path(__file__).read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    texts = [ast.get_docstring(test) or "" for test in tests if test.name.startswith("test_")]
    return [found[1] for text in texts if (found := re.match(r"docs/economics\.md, (\d+\.\d+)\. ", text))]


def test_every_definition_has_a_test_and_every_number_that_is_cited_exists() -> None:
    assert cited() == headings()
    assert len(set(headings())) == len(headings())


def test_every_function_that_the_page_names_stands_where_it_says() -> None:
    """`name` ... in `roi/folder/`: a function, class or constant of that name in some file of the folder."""
    root, missing = DOCS.parent, []
    for section in (DOCS / "economics.md").read_text(encoding="utf-8").split("\n### ")[1:]:
        found = re.findall(r"((?:`\w+`(?:, | and )?)+) in `(roi/[\w/.]+)`", " ".join(section.split()))
        assert found, section
        for names, place in found:
            files = [root / place] if place.endswith(".py") else sorted((root / place).glob("*.py"))
            source = "\n".join(file.read_text(encoding="utf-8") for file in files)
            defined = [name for name in re.findall(r"`(\w+)`", names)
                       if re.search(rf"^(?:def|class) {name}\b|^{name}\b.* = ", source, re.MULTILINE)]
            missing += [f"{name} in {place}" for name in re.findall(r"`(\w+)`", names) if name not in defined]
    assert missing == []
