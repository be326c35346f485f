"""The comparison as a whole: sums, units, repeatability, and where a figure comes from."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet_scenario import ADAPTER, CHEAPER, LUNA_EACH, NONE, QUIET, SELF, STAY, case_of, world

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.decision.starts import better_later, last_start, live_later, spared_by_waiting
from roi.economics.decision.weighing import settle
from roi.economics.inputs import Option, Shared
from roi.economics.lines.line_kind import LineKind
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml


@cache
def bundled() -> Comparison:
    return compare(resolve(load_scenario(overrides=("draws=256",))).case)


def test_lines_add_up_to_totals() -> None:
    """Each month and upfront to 1e-6 USD; TCO = upfront + months; NPV = PV(stay) - PV(option)."""
    c = bundled()
    stay = c.options[0]
    assert stay.id == "stay"
    for o in c.options:
        months = np.sum([line.monthly_usd for line in o.lines], axis=0)
        assert np.abs(months - np.array(o.monthly_usd)).max() < 1e-6, o.id
        assert sum(line.upfront_usd for line in o.lines) == pytest.approx(o.upfront_usd, abs=1e-6)
        assert o.tco_usd == pytest.approx(o.upfront_usd + sum(o.monthly_usd), abs=1e-6)
        assert o.npv_usd == pytest.approx(stay.pv_cost_usd - o.pv_cost_usd, abs=1e-6)


def test_only_a_residual_value_is_negative() -> None:
    for o in bundled().options:
        for line in o.lines:
            assert line.upfront_usd >= 0, (o.id, line.name)
            assert min(line.monthly_usd) >= 0 or line.name == "hardware, resale", (o.id, line.name)


def test_a_case_survives_json_and_gives_the_same_answer_to_the_cent() -> None:
    c = bundled()
    again = Case.of(json.loads(json.dumps(c.case.plain())))
    assert again == c.case
    assert compare(again) == c


def test_what_a_template_guesses_of_a_wrong_answer_moves_no_cash_figure() -> None:
    """It chose the floor of a hybrid, which was then judged on cash: $15,324 a month where $5,970 would do."""
    case = resolve(check_scenario({**parse_yaml(template("agent"), "agent"), "draws": 0})).case
    path = "quality.usd_per_error"
    assert case[path].basis is Basis.TEMPLATE
    dear = compare(Case(facts={**case.facts, path: case[path].model_copy(update={"value": 100.0 * case[path].number()})}))
    for one, other in zip(compare(case).options, dear.options, strict=True):
        assert one.cash_monthly_usd == pytest.approx(other.cash_monthly_usd), one.id
        assert one.expected_cash_npv_usd == pytest.approx(other.expected_cash_npv_usd), one.id


def test_compare_gives_the_same_answer_twice() -> None:
    case = case_of()
    assert compare(case) == compare(case)


def test_month_zero_is_undiscounted_and_months_fall_at_their_end() -> None:
    """$10,512 x 24 months; PV = 10,512 x sum of 1.1^(-t/12)."""
    found = world().costed("stay")
    assert float(found.total.monthly.sum()) == pytest.approx(24 * STAY)
    assert float(found.pv) == pytest.approx(STAY * sum(1.1 ** (-t / 12) for t in range(1, 25)))


def test_usd_per_request_and_per_mtok_are_pv_over_pv() -> None:
    """Nothing but the API: $0.004 a request, and 0.004 / 1,100 tokens = $3.636 per million of the incumbent's tokens."""
    stay = compare(case_of(quality={"usd_per_error": 0.0})).options[0]
    assert stay.usd_per_request == pytest.approx(0.004)
    assert stay.usd_per_mtok == pytest.approx(0.004 / 1100 * 1e6)


def test_another_tokenizer_is_reported_in_the_incumbents_tokens() -> None:
    """Twice the tokens cost twice, over the same 1,100 tokens of the incumbent: 0.0003 / 1,100."""
    w = compare(case_of(tokens={"gpt-6-luna": {"ratio": 2.0}}, evaluation={"usd": 0.0, "labels": 0.0}))
    option = next(o for o in w.options if o.id == CHEAPER)
    assert option.usd_per_mtok == pytest.approx(2 * LUNA_EACH / 1100 * 1e6)


def test_a_line_names_the_source_of_the_plan_that_was_chosen() -> None:
    """Plan 0 made dear: another plan is chosen, and the rent line rests on that plan's facts."""
    case = case_of()
    dear = case["options." + SELF + ".plans.0.usd_per_gpu_hour"].model_copy(update={"value": 500.0})
    case = Case(facts={**case.facts, f"options.{SELF}.plans.0.usd_per_gpu_hour": dear})
    shared, options = read_all(case, case.values())
    chosen = replace(options[SELF], plan=options[SELF].plans[1])
    rent = next(line for line in evaluate(shared, chosen, options).costs.lines if line.name == "GPU rent")
    assert f"options.{SELF}.plans.1.usd_per_gpu_hour" in rent.facts


def costs_of(shared: Shared, option: Option, options: dict[str, Option]) -> float:
    return float(evaluate(shared, option, options).pv)


def test_an_option_is_put_on_its_cheapest_plan() -> None:
    """No other plan of the self-hosted option costs less over the horizon."""
    case = case_of(candidates={**QUIET["candidates"], "gpus": []})
    shared, options = read_all(case, case.values())
    best = min(costs_of(shared, replace(options[SELF], plan=p), options) for p in options[SELF].plans)
    found = next(o for o in compare(case).options if o.id == SELF)
    assert found.pv_cost_usd == pytest.approx(best)


@pytest.mark.full
def test_the_volume_at_which_the_advice_turns_is_where_whole_comparisons_say_so() -> None:
    """Cache and batch lead from about 640 requests a day on; on either side of what is found it is compared anew."""
    scenario = parse_yaml(template("extraction"), "extraction")
    c = compare(resolve(check_scenario({**scenario, "draws": 256})).case, thresholds=False)
    path = "workload.requests_per_day"
    today = c.case[path]
    assert (c.verdict.leader, c.turning_volume(up=True)) == ("cache-batch", None)
    found, then, _ = c.turning_volume(up=False)
    assert (then, found < 0.1 * today.number()) == ("stay", True)

    def leader(volume: float) -> str:
        ends = {end: at * volume / today.number() for end in ("value", "low", "high")
                if (at := getattr(today, end)) is not None}
        facts = {**c.case.facts, path: today.model_copy(update=ends)}
        return compare(Case(facts=facts), thresholds=False).verdict.leader

    assert [leader(volume) for volume in (found, found * 1.02, today.number())] == ["stay", "cache-batch", "cache-batch"]


VOLUME = "workload.requests_per_day"
TICKETS = str(Path(__file__).parents[3] / "examples" / "tickets.yaml")
WITHOUT_APIS = ("candidates.api_models=[]", "candidates.hosted_models=[]", "candidates.cascade_first=[]")


@pytest.mark.parametrize("volume", [1, 1000])
def test_the_volume_at_which_the_advice_turns_is_found_however_small_todays_is(volume: int) -> None:
    """From about 4,290 requests a day on gpt-6-luna earns its set-up. At 1 a day that was beyond what was tried, 100 times."""
    c = compare(resolve(load_scenario(Path(TICKETS), (f"workload.requests_per_day={volume}",))).case, thresholds=False)
    found = c.turning_volume(up=True)
    assert found is not None
    assert found[0] == pytest.approx(4290.0, rel=0.04)
    assert found[1:] == (CHEAPER, CHEAPER)


@pytest.mark.full
@pytest.mark.parametrize(("file", "overrides", "up"), [
    (TICKETS, ("workload.requests_per_day=1",), True),
    (TICKETS, ("workload.requests_per_day=60000",), False),
    (TICKETS, ("workload.requests_per_day=10", "candidates.api_models=[]"), True),
    (None, ("workload.requests_per_day=5",), True),
    (None, ("workload.requests_per_day=100000",), False),
    (None, ("workload.requests_per_day=100", *WITHOUT_APIS,
            "quality.scores={gpt-6-sol: 0.92, qwen3-8b: 0.91, qwen3-8b+lora: 0.92}"), True),
])
def test_no_volume_on_the_way_turns_the_advice(file: str | None, overrides: tuple[str, ...], up: bool) -> None:
    """Eight volumes a decade between today's and the one that is found, or the end."""
    c = compare(resolve(load_scenario(file and Path(file), overrides)).case, thresholds=False)
    today, found = c.case["workload.requests_per_day"].number(), c.turning_volume(up=up)
    end = found[0] if found is not None else 1e9 if up else 1.0
    steps = np.arange(1, 80)
    tried = today * 10.0 ** ((steps if up else -steps) / 8.0)
    tried = tried[tried < 0.97 * end] if up else tried[tried > 1.03 * end]
    leaders = {c._other_leaders.leader_at([VOLUME], volume / today) for volume in tried}
    assert leaders <= {c.verdict.leader}
    if found is not None:
        assert c._other_leaders.leader_at([VOLUME], end / today) == found[1] != c.verdict.leader


def one_h100(requests_per_day: float) -> Comparison:
    """An H100 at $17 an hour, which holds 100 requests a second at their peak, against gpt-6-luna."""
    holds = {"model": "qwen3-8b", "gpu": "h100-sxm", "gpus": 1, "requests_per_s": 100.0, "pooling": 1.0}
    return compare(case_of(
        serving={"spares": 0, "headroom": 0.0, "capacities": [holds]}, workload={"requests_per_day": requests_per_day},
        gpu_rents=[{"gpu": "h100-sxm", "vendor": "ours", "usd_per_gpu_hour": 17.0}], quality={"usd_per_error": 0.0},
        candidates={"vendors": ["ours"], "hybrid": False, "cascade_first": [], "base": True, "methods": []},
    ))


def test_the_rent_at_which_the_advice_turns_is_where_both_cost_the_same() -> None:
    """One H100, $12,410 a month, answers 2,850,000 requests a day, for which gpt-6-luna asks $13,003: 1.048 x as much."""
    c = one_h100(2_850_000.0)
    assert c.verdict.leader == SELF
    assert c.turning_rent is not None
    assert c.turning_rent[0] == pytest.approx(13_140.0 * 2.85 / 2.88 / 12_410.0, rel=0.005)
    assert c.turning_rent[1:] == (CHEAPER, CHEAPER)
    assert one_h100(700_000.0).turning_rent is None, "what leads rents nothing"


def test_a_band_of_volumes_between_two_that_are_tried_is_found() -> None:
    """One H100 at $17 an hour, $12,410 a month, holds 2,880,000 requests a day, which gpt-6-luna answers for $13,140: from
    2,720,000 on it is cheaper. Two hold 5,760,000, and so on: at 3 and 10 times today's, gpt-6-luna is cheaper.
    """
    c = one_h100(700_000.0)
    found = c.turning_volume(up=True)
    assert c.verdict.leader == CHEAPER
    assert [c._other_leaders.leader_at([VOLUME], times) for times in (3.0, 10.0)] == [CHEAPER, CHEAPER]
    assert found is not None
    assert found[1] == SELF
    assert found[0] == pytest.approx(12_410.0 / 13_140.0 * 2_880_000.0, rel=0.03)


@pytest.mark.full
def test_a_turn_is_found_where_the_chance_beyond_it_is_hardly_above_its_bar() -> None:
    """The chance to beat staying is 59.9% at 37,000 requests a day, 60% is asked, and 61% are reached at three times that."""
    overrides = ("quality.usd_per_error=0.15", "workload.requests_per_day=37000")
    c = compare(resolve(load_scenario(None, overrides)).case, thresholds=False)
    assert c.verdict.leader == "stay"
    found = c.turning_volume(up=True)
    assert found is not None
    assert 37_000 < found[0] < 1.1 * 37_000, "a first look with few draws took 111,000 for staying"


def test_no_volume_turns_the_advice_to_what_is_not_tested_or_misses_the_bar() -> None:
    """A score at the bar misses it in half of the draws, however many requests there are."""
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.9, "low": 0.85, "high": 0.95, "items": 200}}
    at_the_bar = compare(case_of(quality={"bar": 0.9, "scores": scores}, draws=256,
                                 candidates={"cascade_first": [], "self_hosted": []}))
    assert [p.reason for p in at_the_bar.verdict.passed_over] == ["not likely"]
    assert at_the_bar.turning_volume(up=True) is None


def test_the_most_gpus_of_a_fleet_are_those_from_go_live_on() -> None:
    """A tenth of the requests from month 2 on, live after two months or more: nobody pays for what month 1 would take."""
    work = {**QUIET["workload"], "requests_per_day": 10_000_000.0, "steps": [{"from_month": 2, "ratio": 0.1}]}
    live = {"months_to_live": {"self_hosted": 2.0}, "months_in_parallel": 0.0}
    own = next(o.fleet for o in compare(case_of(workload=work, timing=live, draws=0)).options if o.kind == "self-hosted-base")
    assert own is not None
    assert own.gpus_most == own.gpus


@pytest.mark.parametrize(("live", "parallel", "last"), [(3.0, 1.0, 19), (2.5, 0.0, 20), (2.5, 0.5, 20), (30.0, 1.0, 0)])
def test_the_last_start_leaves_a_month_in_which_the_option_serves_alone(live: float, parallel: float, last: int) -> None:
    """Of 24 months: live after 3 and one in parallel it serves alone from the fifth on, and so begins 19 later in the 24th."""
    shared, options, _ = settle(case_of())
    option = replace(options[SELF], months_to_live=live, months_in_parallel=parallel)
    assert last_start(shared, option) == last


def test_what_a_later_start_leaves_as_it_is_is_started_at_once() -> None:
    """Today's own model costs the same whenever it is called another option."""
    shared, options, _ = settle(case_of())
    same = replace(options["stay"], id="same", kind="cheaper-api", costs=())
    assert better_later(shared, {**options, "same": same}, evaluate(shared, same, options)) is None


LIVE = {"months_to_live": {**NONE, "self_hosted": 2.0, "self_hosted_adapter": 2.0}, "months_in_parallel": 0.0}
FEW = {"requests_per_day": 10_000.0}
"""For which today's model bills 10,000 x 365/12 x $0.004 = $1,217 a month, and a GPU at about $2.9k is dearer."""


@pytest.mark.parametrize(("id", "changes", "spared"), [
    (SELF, {"timing": LIVE, "workload": FEW}, LineKind.INCUMBENT),
    (SELF, {"timing": LIVE, "people": {"setup_hours": {**NONE, "self_hosted": 500.0}, "existing_hours_per_month": 100.0}},
     LineKind.SET_UP),
    (SELF, {"timing": LIVE, "people": {"setup_hours": {**NONE, "self_hosted": 500.0}, "existing_hours_per_month": 100.0,
                                       "run_hours_per_month": {**NONE, "self_hosted": 300.0}}}, LineKind.INCUMBENT),
    (ADAPTER, {"timing": LIVE, "training": {"retrain_every_months": 21.5, "retrain_hours": 400.0, "examples": 1000}},
     LineKind.RETRAINING),
    (CHEAPER, {"incumbent": {"provider": "openai", "model": "gpt-5.4", "committed_usd_per_month": 20_000,
                             "committed_until": "2027-05-15"}}, LineKind.COMMITMENT),
])
def test_what_a_later_start_spares_is_told_by_the_lines(id: str, changes: dict[str, Any], spared: LineKind) -> None:
    """$10,512 a month of today's model against a GPU at about $2,883, unless volume or on-call turns that.

    100 h of set-up a month waited, $10,000, are paid anyway; with 300 h of on-call ($30,000, of which $10,000 are paid anyway)
    running it is what waiting spares. One retraining of $40,000 falls into month 24 or out of the horizon. A commitment of
    $20,000 is owed whoever answers.
    """
    shared, options, _ = settle(case_of(**changes))
    now, later = (float(live_later(shared, options, id, months).pv) for months in (0, 1))
    assert later < now or spared is LineKind.COMMITMENT
    assert spared_by_waiting(shared, options, id, 1, "errors") is spared
