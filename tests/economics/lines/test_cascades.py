"""A cascade pays both models and makes the errors of both: by hand on one request a second."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, LUNA, PER_MONTH, SELF, STAY, World, case_of, plan, quiet, world
from scipy import stats

from roi.economics.decision.comparison import compare
from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.decision.feasibility import as_measured, meets_bar
from roi.economics.decision.feasibility import tested as is_tested
from roi.economics.lines.option_lines import answered_wrong, with_error_rate
from roi.errors import InputError, UnknownName
from roi.numerics.sequence import sobol
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario


def test_in_a_cascade_every_request_pays_the_first_model_and_the_escalated_also_the_second() -> None:
    """25% escalated: 394.20 for all, 0.25 x 10,512 besides; errors 0.75 x 10% + 0.25 x 5% = 8.75%."""
    w = world(quality={"cascade_escalated_share": 0.25, "usd_per_error": 0.01})
    first = w.line(CASCADE, "API input, uncached")[1][0] + w.line(CASCADE, "API output")[1][0]
    assert first == pytest.approx(LUNA)
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][0] == pytest.approx(0.25 * STAY)
    assert w.line(CASCADE, "wrong answers")[1][0] == pytest.approx(PER_MONTH * 0.0875 * 0.01)


def test_escalated_requests_find_the_cache_at_their_own_rate() -> None:
    """2,000 in, all shared; the incumbent caches: half of its own calls hit, none of the escalated ones.
    Escalated call at gpt-5.4: 2,000 x $2.50/M + 100 x $15/M = $0.0065; staying: half at $0.25/M: $0.00425.
    """
    w = world(
        workload={
            "input_tokens": 2000.0,
            "shared_prefix_tokens": 2000.0,
            "cache_hit_rate": 0.5,
            "escalated_cache_hit_rate": 0.0,
        },
        incumbent={"uses_cache": True},
        quality={"cascade_escalated_share": 0.1},
    )
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][0] == pytest.approx(PER_MONTH * 0.1 * 0.0065)
    assert float(w.costed("stay").total.monthly[0]) == pytest.approx(PER_MONTH * 0.00425)


def test_a_cascade_is_held_to_the_bar_with_the_errors_of_both_models() -> None:
    """(1 - e) x 8% kept + e x 5%: 7.4% wrong at e = 0.2, 7.25% at e = 0.25. A bar of 0.927 lets the second pass alone."""
    for share, passes in ((0.2, False), (0.25, True)):
        rates = {"kept_error_rate": {"gpt-6-luna": 0.08}, "escalated_error_rate": {"gpt-6-luna": 0.05}}
        w = world(quality={"bar": 0.927, "cascade_escalated_share": share, **rates})
        assert meets_bar(w.shared, w.options[CASCADE], w.options).all() == passes



@pytest.mark.parametrize(("own", "second", "wrong"), [
    (1.0, 1.0, 0.75 * 0.6 + 0.25 * 0.7), (2.0, 1.0, 0.75 + 0.25 * 0.7), (1.0, 2.0, 0.75 * 0.6 + 0.25), (2.0, 2.0, 1.0)])
def test_successors_make_no_more_answers_wrong_than_each_model_gives(own: float, second: float, wrong: float) -> None:
    """75% kept at 60% wrong, 25% escalated at 70%; twice either is all that the model answers, and no more."""
    option = replace(world().options[CASCADE], escalated=0.25, kept_error=0.6, escalated_error=0.7)
    assert answered_wrong(option, 0.5, lambda of: of(own), lambda of: of(second)) == pytest.approx(wrong)


CACHED = f"{CASCADE}+cache"
A_FIFTH = {"cascade_escalated_share": 0.2}
PREFIX = {"input_tokens": 2000.0, "shared_prefix_tokens": 2000.0, "cache_hit_rate": 0.8, "escalated_cache_hit_rate": 0.5}


@pytest.mark.full
def test_where_the_cache_is_off_the_cascade_with_a_cached_second_model_is_an_option_of_its_own() -> None:
    """2,000 in, all shared, gpt-5.4 not cached: an escalated call is $0.0065; half of them hits: $0.00425, as no write is paid.
    Everything else is the same, and both draw the same share escalated.
    """
    w = world(workload=PREFIX, quality={"cascade_escalated_share": 0.1})
    for id, each in ((CASCADE, 0.0065), (CACHED, 0.00425)):
        assert w.line(id, "escalated to gpt-5.4")[1][0] == pytest.approx(PER_MONTH * 0.1 * each)
    own = [w.line(id, "API output")[1][0] + w.line(id, "API input, cache read")[1][0] for id in (CASCADE, CACHED)]
    assert own[0] == own[1]
    assert sum(path.endswith("gpt-6-luna.escalated_share") for path in case_of(workload=PREFIX).uncertain) == 1


@pytest.mark.parametrize(("workload", "incumbent"), [
    ({"escalated_cache_hit_rate": 0.0}, {}),  # no hits
    ({"shared_prefix_tokens": 0.0}, {}),  # nothing to cache
    ({"shared_prefix_tokens": 1000.0}, {}),  # below the provider's minimum of 1,024
    ({}, {"uses_cache": True}),  # cached already, so the plain cascade is
])  # fmt: skip
def test_there_is_no_such_option_where_it_would_be_the_plain_cascade(
    workload: dict[str, float], incumbent: dict[str, bool]
) -> None:
    found = case_of(workload={**PREFIX, **workload}, incumbent=incumbent).options
    assert CASCADE in found
    assert CACHED not in found


def test_the_judge_sees_every_request_that_the_first_model_answers() -> None:
    """$0.0001 x 2,628,000, in parallel months too, and not before going live."""
    w = world(quality={"judge_usd_per_request": 0.0001}, timing={"months_to_live": {"cascade": 1.0}, "months_in_parallel": 1.0})
    assert w.line(CASCADE, "judge that escalates")[1][:3] == pytest.approx([0.0, 262.8, 262.8])
    assert "judge that escalates" not in w.names(CHEAPER)
    assert "judge that escalates" not in world().names(CASCADE)


def test_a_gate_that_nobody_measured_is_not_tested_though_both_models_were() -> None:
    def told(**quality: Any) -> tuple[bool, str | None]:
        o = world(quality=quality).options[CASCADE]
        return o.evaluated, o.test_note

    scores = quiet()["quality"]["scores"]
    assert told() == (False, "gate untested")
    assert told(escalated_error_rate={"gpt-6-luna": 0.1}) == (False, "gate untested")
    assert told(kept_error_rate={"gpt-6-luna": 0.05}) == (True, None)
    assert told(scores={**scores, "gpt-6-luna > gpt-5.4": "not evaluated"}) == (False, "gate untested")
    assert told(scores={**scores, "gpt-6-luna > gpt-5.4": 0.93}) == (True, None)


def test_a_score_end_to_end_overrides_both_rates_and_has_items_and_luck_of_its_own() -> None:
    """92% to 96% around 94%: 6% wrong, 4% with all the luck; 2,628,000 x 6% x $0.01."""
    quality: dict[str, Any] = {
        "usd_per_error": 0.01, "kept_error_rate": {"gpt-6-luna": 0.5},
        "scores": {**quiet()["quality"]["scores"],
                   "gpt-6-luna > gpt-5.4": {"value": 0.94, "low": 0.92, "high": 0.96, "items": 250}},
    }  # fmt: skip
    found = resolve(check_scenario(quiet({"quality": quality})))
    assert any("overrides them" in warning for warning in found.warnings)
    w, luck = World(found.case), "quality.evaluation_noise.gpt-6-luna > gpt-5.4"
    assert w.options[CASCADE].items == 250
    assert w.line(CASCADE, "wrong answers")[1][0] == pytest.approx(PER_MONTH * 0.06 * 0.01)
    assert World(found.case, **{luck: 1.0}).line(CASCADE, "wrong answers")[1][0] == pytest.approx(PER_MONTH * 0.04 * 0.01)


def test_a_server_that_hands_requests_on_follows_the_same_rule() -> None:
    """qwen3-8b keeps 80% at 6% wrong; on the rest gpt-5.4 is 12% wrong: 0.8 x 6% + 0.2 x 12% = 7.2%. The judge sees all."""
    rates = {"kept_error_rate": {"qwen3-8b": 0.06}, "escalated_error_rate": {"qwen3-8b": 0.12}}
    case = case_of(quality={"usd_per_error": 0.01, "escalated": {"qwen3-8b": 0.2}, "judge_usd_per_request": 0.0001, **rates})
    w = World(case, **plan(SELF, capacity_requests_per_s=10.0))
    assert w.options[SELF].evaluated
    assert w.line(SELF, "wrong answers")[1][0] == pytest.approx(PER_MONTH * 0.072 * 0.01)
    assert w.line(SELF, "judge that escalates")[1][0] == pytest.approx(262.8)
    assert world(quality={"escalated": {"qwen3-8b": 0.2}}).options[SELF].test_note == "gate untested"


def test_what_is_kept_moves_with_the_first_models_successors_and_what_is_escalated_with_the_seconds() -> None:
    """First ends after 5 months, second after 10, errors x 1.5 at each end, kept 4%, escalated 8%, a quarter escalated:
    3% + 2%, then 4.5% + 2%, then (both ended) 4.5% + 3%. End to end 6%: x 1, x (0.75 x 1.5 + 0.25), x 1.5.
    """
    rates = {"kept_error_rate": {"gpt-6-luna": 0.04}, "escalated_error_rate": {"gpt-6-luna": 0.08}}
    ends = {"vendors.openai/gpt-6-luna.first_end_months": 5.0, "vendors.openai/gpt-5.4.first_end_months": 10.0,
            "drift.successor_error_ratio": 1.5}  # fmt: skip
    scores = {**quiet()["quality"]["scores"], "gpt-6-luna > gpt-5.4": 0.94}
    for quality, wrong in ((rates, (0.05, 0.065, 0.075)), ({"scores": scores}, (0.06, 0.0825, 0.09))):
        case = case_of(quality={"usd_per_error": 0.01, "cascade_escalated_share": 0.25, **quality})
        found = World(case, **ends).line(CASCADE, "wrong answers")[1]
        assert [found[t] for t in (0, 5, 10)] == pytest.approx([PER_MONTH * x * 0.01 for x in wrong])


def test_the_rate_that_decides_is_that_of_all_the_cascade_answers() -> None:
    """Over 24 months at 10%: what a cascade may be wrong at most so that it costs what staying does, put in end to end."""
    rates = {"kept_error_rate": {"gpt-6-luna": 0.04}, "escalated_error_rate": {"gpt-6-luna": 0.08}}
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}
    case = case_of(quality={"usd_per_error": 0.01, "scores": scores, **rates}, candidates={"api_models": [], "self_hosted": []})
    verdict = compare(case).verdict
    assert (verdict.recommended, verdict.error_rate_of) == (CASCADE, CASCADE)
    at = verdict.winner_changes_at_error_rate
    assert at is not None
    w = World(case)
    cascade = with_error_rate(w.options[CASCADE], at)
    cost = evaluate(w.shared, cascade, {**w.options, CASCADE: cascade}).pv
    assert float(cost) == pytest.approx(float(w.costed("stay").pv))


@pytest.mark.full
@pytest.mark.parametrize(("changes", "told"), [
    ({"workload": {**PREFIX}, "candidates": {"cascade_first": []}}, "moves nothing: no option hands requests on"),
    ({"workload": {"escalated_cache_hit_rate": 0.5}}, "moves nothing: no shared prefix"),
    ({"workload": {**PREFIX, "shared_prefix_tokens": 1000.0}}, "moves nothing: the shared prefix of 1000 tokens is below"),
    ({"workload": PREFIX, "quality": {"escalated": {"qwen3-8b": 0.1}}}, "what qwen3-8b hands on is not cached"),
    ({"quality": {"kept_error_rate": {"gpt-6-luna": 0.11}}}, "0.11 is above its overall error rate of 0.1"),
    ({"quality": {"kept_error_rate": {"gpt-6-luna": 0.2}, **A_FIFTH}},
     "0.2 of a share of 0.8 is more than all errors of gpt-6-luna, 0.1"),
    ({"quality": {"escalated_error_rate": {"gpt-6-luna": 0.01}}}, "0.01 is below gpt-5.4's overall error rate of 0.05"),
    ({"quality": {"escalated_error_rate": {"gpt-6-luna": 0.5}, **A_FIFTH}},
     "0.5 of a share of 0.2 is more than all errors of gpt-5.4"),
])  # fmt: skip
def test_what_moves_nothing_or_does_not_go_together_is_said(changes: dict[str, Any], told: str) -> None:
    warnings = resolve(check_scenario(quiet(changes))).warnings
    assert any(told in warning for warning in warnings), warnings


def test_a_rate_of_a_system_that_hands_nothing_on_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"unknown system that hands requests on 'gpt-6-lun'; nearest: gpt-6-luna"):
        case_of(quality={"kept_error_rate": {"gpt-6-lun": 0.1}})


def test_a_system_that_hands_on_nothing_is_as_tested_as_it_is_alone() -> None:
    o = world(quality={"escalated": {"qwen3-8b": 0.0}}).options[SELF]
    assert (o.evaluated, o.test_note, o.escalated) == (True, None, 0.0)


def test_the_arithmetic_of_wrong_answers_says_how_the_rate_is_made_up() -> None:
    """0.8 x 4% + 0.2 x 12% = 5.6%."""
    rates = {"kept_error_rate": {"gpt-6-luna": 0.04}, "escalated_error_rate": {"gpt-6-luna": 0.12}}
    scores = {**quiet()["quality"]["scores"], "gpt-6-luna > gpt-5.4": 0.94}
    told = {
        "2,628,000 requests x 0.056 wrong (today 0.8 kept x 0.04 + 0.2 escalated x 0.12) x $0.01 each": rates,
        "2,628,000 requests x 0.06 wrong (measured end to end) x $0.01 each": {"scores": scores},
    }
    for words, quality in told.items():
        lines = world(quality={"usd_per_error": 0.01, **quality}).costed(CASCADE).costs.lines
        arithmetic = next(line.arithmetic for line in lines if line.name == "wrong answers")
        assert callable(arithmetic)
        assert arithmetic(0) == words


COUNTED = {"kept_error_rate": {"gpt-6-luna": {"value": 0.05, "items": 400}},
           "escalated_error_rate": {"gpt-6-luna": {"value": 0.12, "items": 100}}}  # fmt: skip


def test_rates_of_a_gate_that_were_counted_are_as_sure_as_their_items_make_them() -> None:
    """20 wrong of 400 kept: Beta(20.5, 380.5), 5.11% on average; 12 of 100 handed on: Beta(12.5, 88.5), 12.4%. They were exact.
    0.8 x 20.5 / 401 + 0.2 x 12.5 / 101 = 6.57%, which in the draws varies by
    sqrt(0.8^2 x 0.0511 x 0.9489 / 402 + 0.2^2 x 0.1238 x 0.8762 / 102) = 1.09 points.
    """
    case = case_of(draws=4096, quality=COUNTED)
    for name, wrong, items in (("kept", 20, 400), ("escalated", 12, 100)):
        fact, beta = case[f"systems.gpt-6-luna.{name}_error_rate"], stats.beta(wrong + 0.5, items - wrong + 0.5)
        assert [fact.value, fact.low, fact.high] == pytest.approx([beta.mean(), beta.ppf(0.05), beta.ppf(0.95)], abs=1e-5)
    values = {**case.values(sobol(0, 4096, len(case.uncertain), 1)), f"options.{CASCADE}.escalated_share": 0.2}
    _, options = read_all(case, {**values, "apis.openai/gpt-6-luna.escalated_share": 0.2})
    wrong = np.asarray(answered_wrong(options[CASCADE], options["stay"].error_rate))
    assert [wrong.mean(), wrong.std()] == pytest.approx([0.0657, 0.0109], rel=0.02)


def test_a_share_that_is_handed_on_is_as_sure_as_its_items_make_it_and_tests_nothing() -> None:
    """25 of 100: (25 + 1/2) / 101, the 5th and 95th percentile of Beta(25.5, 75.5). A bare share is exact, 0 a choice."""
    path, counted = "systems.gpt-6-luna.escalated_share", {"value": 0.25, "items": 100}
    case = case_of(quality={"escalated": {"gpt-6-luna": counted}})
    fact, beta = case[path], stats.beta(25.5, 75.5)
    assert (fact.value, fact.low, fact.high) == pytest.approx((25.5 / 101, beta.ppf(0.05), beta.ppf(0.95)), rel=1e-6)
    assert World(case).options[CASCADE].items is None
    assert World(case).options[CASCADE].escalated == pytest.approx(25.5 / 101)
    bare = case_of(quality={"escalated": {"gpt-6-luna": 0.25}})[path]
    assert (bare.value, bare.low) == (0.25, None)
    none = case_of(quality={"escalated": {"gpt-6-luna": {"value": 0.0, "items": 300}}})
    assert none[path].value == 0.0


def test_a_gate_is_tested_on_the_items_of_both_of_its_rates() -> None:
    """400 + 100 are; 60 + 30 are fewer than the 100 that a test takes; rates with ends of their own keep them."""
    few = {"kept_error_rate": {"gpt-6-luna": {"value": 0.05, "items": 60}},
           "escalated_error_rate": {"gpt-6-luna": {"value": 0.1, "low": 0.05, "high": 0.2, "items": 30}}}  # fmt: skip
    for quality, items, enough in ((COUNTED, 500, True), (few, 90, False)):
        w = world(quality=quality)
        assert (w.options[CASCADE].items, is_tested(w.shared, w.options[CASCADE])) == (items, enough)
        assert w.options[CHEAPER].items is None
    fact = case_of(quality=few)["systems.gpt-6-luna.escalated_error_rate"]
    assert (fact.value, fact.low, fact.high) == (0.1, 0.05, 0.2)


@pytest.mark.parametrize(("bar", "reached"), [(0.936, True), (0.9361, False)])
def test_the_bar_holds_the_rates_of_a_gate_that_were_counted(bar: float, reached: bool) -> None:
    """0.8 x 5% + 0.2 x 12% = 6.4% as counted, where the means of what the counts leave are 6.57%."""
    w = world(quality={**COUNTED, "bar": bar, "cascade_escalated_share": 0.2})
    assert bool(meets_bar(w.shared, as_measured(w.options[CASCADE]), w.options).all()) is reached


def test_a_gates_rate_beside_scores_with_items_says_that_it_counts_as_exact() -> None:
    scores = {**quiet()["quality"]["scores"], "gpt-6-luna": {"value": 0.9, "items": 300}}
    told = resolve(check_scenario(quiet({"quality": {"scores": scores, "kept_error_rate": {"gpt-6-luna": 0.05}}}))).warnings
    assert ("quality.kept_error_rate.gpt-6-luna counts as exact: say on how many items it rests, {value: 0.05, items: 300}"
            in told)
    counted = resolve(check_scenario(quiet({"quality": {"scores": scores, **COUNTED}}))).warnings
    assert not any("counts as exact" in each for each in counted)


@pytest.mark.parametrize(("rate", "named"), [
    ({"value": 0.05, "item": 3}, "kept_error_rate.gpt-6-luna"), ({"value": 0.05, "items": 0}, "kept_error_rate.gpt-6-luna"),
    ({"value": 1.5, "items": 3}, "1.5 must be at least 0 and at most 1"),
])  # fmt: skip
def test_a_rate_that_cannot_be_is_named(rate: dict[str, float], named: str) -> None:
    with pytest.raises(InputError, match=re.escape(named)):
        case_of(quality={"kept_error_rate": {"gpt-6-luna": rate}})
