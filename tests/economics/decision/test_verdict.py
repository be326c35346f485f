"""Which option is recommended: chances, the bar, the gates, the best untrained option."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from quiet_scenario import ADAPTER, CASCADE, CHEAPER, HYBRID, NONE, SELF, case_of, world

from roi.economics.decision.comparison import compare
from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.option_result import Standing
from roi.economics.decision.recommendation import choose
from roi.economics.decision.turning.error_price import Row
from roi.economics.decision.verdict import TurningPrice, Verdict, answer_alike, decide, error_rate_that_decides
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario


def sure(
    chance: float | None, npv: float = 50_000.0, rule: Any = None, measured: Sequence[Experiment] = (), **fields: Any
) -> Verdict:
    """The verdict where the cheaper API has this chance of beating staying and everything else loses."""
    case = case_of(verdict=rule or {})
    shared, options = read_all(case, case.values())
    central = {id: evaluate(shared, option, options) for id, option in options.items() if option.infeasible is None}
    results = {
        o.id: o if o.id == "stay" else replace(o, expected_npv_usd=-1.0) for o in compare(case).options if o.id in central
    }
    results[CHEAPER] = replace(results[CHEAPER], expected_npv_usd=npv, probability_npv_positive=chance, **fields)
    chosen = choose(shared, results, "errors")
    return decide(shared, results, options, central, chosen=chosen, drawn=None, measured=measured, alarms=(),
                  turning=TurningPrice(None, None, ()))


@pytest.mark.full
def test_what_a_configuration_undoes_is_likely_from_sixty_percent_on() -> None:
    unsure = sure(0.59)
    assert (unsure.decision, unsure.recommended, unsure.challenger) == ("stay", "stay", CHEAPER)
    assert "59%" in unsure.sentence
    (over,) = unsure.passed_over
    assert (over.option, over.reason, over.chance, over.chance_needed) == (CHEAPER, "not likely", 0.59, 0.6)
    assert (sure(0.60).decision, sure(0.60).recommended, sure(0.60).passed_over) == ("change", CHEAPER, ())
    assert (sure(None).decision, sure(None).recommended) == ("change", CHEAPER)


def test_what_trains_buys_or_commits_is_likely_from_eighty_percent_on() -> None:
    assert sure(0.79, binds=True).recommended == "stay"
    assert sure(0.80, binds=True).recommended == CHEAPER
    assert sure(0.70, binds=True, rule={"min_chance": 0.7}).recommended == CHEAPER


def test_an_option_that_loses_on_average_is_not_recommended_however_often_it_wins() -> None:
    assert (sure(0.9, -5.0).decision, sure(0.9, -5.0).recommended) == ("stay", "stay")


def test_a_test_whose_net_worth_lies_within_its_monte_carlo_error_is_not_recommended() -> None:
    noise = Experiment(kind="evaluate", option=CHEAPER, cost_usd=100.0, months=0.0, worth_usd=180.0, net_usd=80.0,
                       first_net_usd=-100.0, evppi_usd=180.0, error_usd=80.0)
    seen = replace(noise, option=CASCADE, net_usd=70.0, error_usd=60.0)
    assert sure(0.9, measured=(noise,)).then is None
    assert sure(0.9, measured=(noise, seen)).then == seen


def test_the_same_answers_come_from_the_same_model_or_pair_of_models() -> None:
    case = case_of()
    _, options = read_all(case, case.values())
    assert answer_alike(options["stay"], options["cache-batch"])
    assert not answer_alike(options[CHEAPER], options[CASCADE]), "of one first model"
    assert options[CHEAPER].system == options[CASCADE].system


def results_of(paid: float = 0.0, **chances: tuple[float, float, bool]) -> Verdict:
    """The verdict where options have (expected NPV, chance to beat staying, whether it binds).

    All are live in 3 months and paid back after `paid` months.
    """
    names = {"cheaper": CHEAPER, "cascade": CASCADE, "adapter": ADAPTER}
    case = case_of()
    shared, options = read_all(case, case.values())
    central = {id: evaluate(shared, option, options) for id, option in options.items() if option.infeasible is None}
    results = {o.id: replace(o, expected_npv_usd=-1.0 if o.id != "stay" else 0.0) for o in compare(case).options}
    for name, (npv, chance, binds) in chances.items():
        id = names[name]
        results[id] = replace(results[id], expected_npv_usd=npv, probability_npv_positive=chance, tested=True, binds=binds,
                              payback_months=paid, months_to_live=3.0)
    chosen = choose(shared, results, "errors")
    return decide(shared, results, options, central, chosen=chosen, drawn=None, measured=(), alarms=(),
                  turning=TurningPrice(None, None, ()))


def test_where_the_best_is_not_likely_the_likely_second_is_recommended_and_not_staying() -> None:
    found = results_of(adapter=(90_000.0, 0.55, True), cheaper=(40_000.0, 0.95, False))
    assert (found.recommended, found.decision) == (CHEAPER, "change")
    assert [o.option for o in found.passed_over] == [ADAPTER]
    assert found.second == "stay"


def test_before_what_trains_the_best_likely_option_that_does_not_is_named() -> None:
    found = results_of(adapter=(90_000.0, 0.85, True), cheaper=(40_000.0, 0.95, False), cascade=(50_000.0, 0.50, False))
    assert (found.recommended, found.first_move, found.second) == (ADAPTER, CHEAPER, CHEAPER)
    assert found.sentence.startswith("Change to gpt-6-luna, then to qwen3-8b+lora self-hosted: at once expected NPV"
                                     " $90,000 against staying, beats staying in 85% of the draws; the first pays back on cash")


@pytest.mark.parametrize(("leads", "other", "first"), [(True, False, CHEAPER), (False, False, None), (True, True, None)])
def test_a_first_move_can_be_undone_and_comes_before_what_cannot(leads: bool, other: bool, first: str | None) -> None:
    """Between two that a configuration undoes the better one is taken at once."""
    found = results_of(adapter=(90_000.0, 0.85, leads), cheaper=(40_000.0, 0.95, other))
    assert (found.recommended, found.first_move) == (ADAPTER, first)


@pytest.mark.parametrize(("paid", "first"), [(3.0, CHEAPER), (3.1, None)])
def test_what_has_not_paid_back_when_the_second_move_is_live_is_no_first_move(paid: float, first: str | None) -> None:
    found = results_of(paid, adapter=(90_000.0, 0.85, True), cheaper=(40_000.0, 0.95, False))
    assert (found.recommended, found.first_move, found.second) == (ADAPTER, first, CHEAPER)


def test_of_equal_savings_the_fewest_wrong_answers_lead_then_what_comes_first() -> None:
    """Equal to the cent on cash: 2% wrong before 5%, whichever stands first; the same answers go to the first of the two. A
    cent more is more.
    """
    shared, _ = read_all(case := case_of(), case.values())

    def led(*options: tuple[float, float]) -> str:
        rows = {f"{k}": Standing(tested=True, binds=False, expected_npv_usd=usd, expected_cash_npv_usd=usd, wrong_share=wrong,
                                 probability_npv_positive=None, probability_cash_positive=None)
                for k, (usd, wrong) in enumerate(options)}
        return choose(shared, rows, "cash").leader

    assert led((900.0, 0.05), (900.004, 0.02), (900.004, 0.03)) == "1"
    assert led((900.0, 0.02), (900.004, 0.05)) == "0"
    assert led((900.0, 0.05), (900.0, 0.05)) == "0"
    assert led((900.0, 0.02), (900.02, 0.05)) == "1"


def test_an_option_that_nobody_tested_is_never_recommended() -> None:
    """The same figures, but no score: staying, and what to measure is that option."""
    assert sure(1.0, tested=False).recommended == "stay"
    assert sure(1.0, tested=False).passed_over[0].reason == "not tested"
    c = compare(case_of(quality={"scores": {"gpt-5.4": 0.95}}))
    assert c.verdict.recommended == "stay"
    assert c.verdict.challenger_wins_at_error_rate is not None


def test_a_score_on_too_few_items_is_no_test() -> None:
    """60 of the 100 items that are asked for; with 60 asked for it is one."""
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.9, "low": 0.85, "high": 0.95, "items": 60}}
    only = {"cascade_first": [], "self_hosted": []}
    few = compare(case_of(quality={"scores": scores}, candidates=only))
    assert (few.verdict.candidates, few.verdict.recommended) == (("stay",), "stay")
    enough = compare(case_of(quality={"scores": scores}, candidates=only, verdict={"min_items": 60}))
    assert enough.verdict.recommended == CHEAPER


def test_a_template_value_of_a_wrong_answer_decides_nothing() -> None:
    """$1 an error would make the cheaper API (10% wrong against 5%) lose; untouched in a template, cash alone decides."""
    quality = {"usd_per_error": 1.0, "scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.9}}
    case = case_of(quality=quality, candidates={"cascade_first": [], "self_hosted": []})
    assert compare(case).verdict.recommended == "stay"
    of_a_template = case["quality.usd_per_error"].model_copy(update={"basis": Basis.TEMPLATE})
    found = compare(Case(facts={**case.facts, "quality.usd_per_error": of_a_template})).verdict
    assert (found.leader, found.counts) == (CHEAPER, "cash")
    # 2,628,000 requests a month save $10,117.80 and bring 131,400 more wrong answers: 7.7 cents each, set-up aside
    assert found.flips_at_usd_per_error == pytest.approx(10_117.80 / 131_400, rel=0.01)
    assert found.flips_to == "stay"
    unpriced = compare(case_of(quality={**quality, "usd_per_error": 0.0}, candidates={"cascade_first": [], "self_hosted": []}))
    assert (unpriced.verdict.recommended, unpriced.verdict.counts) == (CHEAPER, "errors")
    assert unpriced.verdict.flips_at_usd_per_error == pytest.approx(found.flips_at_usd_per_error, rel=1e-9)


@pytest.mark.parametrize("requests_per_day", [864.0, 86_400.0])
def test_from_both_sides_of_the_price_of_an_error_it_is_the_same(requests_per_day: float) -> None:
    """At it both cost the same to the cent, where the one with fewer wrong answers leads: beyond it by more, the other."""
    terms = {"workload": {"requests_per_day": requests_per_day}, "candidates": {"cascade_first": [], "self_hosted": []}}
    dear, cheap = (compare(case_of(quality={"usd_per_error": x}, **terms)).verdict for x in (1.0, 0.01))
    assert (dear.leader, dear.flips_to, cheap.leader, cheap.flips_to) == ("stay", CHEAPER, CHEAPER, "stay")
    assert dear.flips_at_usd_per_error == pytest.approx(cheap.flips_at_usd_per_error, rel=1e-9)


@pytest.mark.parametrize("usd", [0.0, 0.01, 0.11])
def test_the_price_of_an_error_at_which_the_verdict_turns_is_where_it_does(usd: float) -> None:
    """Nine draws in ten are asked for: the chance is too low before the means cross. Either side is compared anew.

    Where no price is stated the same is told, from the draws at $1 each.
    """
    def at(x: float, bar: float = 0.9) -> Verdict:
        scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.9, "low": 0.8, "high": 0.93, "items": 200}}
        case = case_of(quality={"usd_per_error": x, "scores": scores}, draws=1024, verdict={"min_chance_reversible": bar},
                       candidates={"cascade_first": [], "self_hosted": []})
        return compare(case).verdict

    v = at(usd)
    assert v.flips_at_usd_per_error is not None
    assert {v.recommended, v.flips_to} == {"stay", CHEAPER}
    below, above = (at(v.flips_at_usd_per_error * k) for k in (0.999, 1.001))
    assert (below.recommended, above.recommended) == (CHEAPER, "stay")
    assert above.passed_over[0].reason == "not likely"  # its mean is still the higher one
    error = math.sqrt(0.9 * 0.1 / 1024)  # the ends are what bars two of them lower and higher say
    low, high = (at(usd, 0.9 + 2.0 * k * error).flips_at_usd_per_error for k in (1, -1))
    assert sorted(v.flips_between_usd_per_error or ()) == pytest.approx([low, high], rel=1e-12)
    assert low < v.flips_at_usd_per_error < high
    assert v.flips_to_one_of == (v.flips_to,)


def test_the_price_of_an_error_is_asked_with_every_hybrid_on_its_floor_there() -> None:
    """3 million requests a day, 8 times that at the peak: dearer errors make the floor smaller, and the API answers more."""
    def at(x: float) -> Verdict:
        return compare(case_of(
            workload={"requests_per_day": 3e6, "peak_to_mean": 8.0, "growth_per_year": 0.5},
            quality={"usd_per_error": x, "scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.9}},
            candidates={"api_models": [], "cascade_first": []},
        ), thresholds=False).verdict

    v = at(0.05)
    assert v.leader == SELF
    assert v.flips_at_usd_per_error is not None
    assert v.flips_to == HYBRID, "on today's floor staying would have led, at a price a half higher"
    assert at(v.flips_at_usd_per_error * 0.999).leader == SELF
    assert at(v.flips_at_usd_per_error * 1.001).leader == HYBRID


def test_what_costs_the_same_to_the_cent_costs_no_more_at_any_rate_that_the_bar_admits() -> None:
    """On cash no error rate moves it: rounding of sums is neither a difference nor a slope."""
    w = world(quality={"bar": 0.85})
    central = {id: w.costed(id) for id in (CHEAPER, "stay")}
    at = error_rate_that_decides(w.shared, w.options, central, CHEAPER, CHEAPER, "cash")
    assert at == pytest.approx(0.15)


def test_an_option_below_the_bar_is_infeasible_and_the_incumbent_is_not_held_to_it() -> None:
    """Bar 0.96: above the incumbent's 0.95 too, which stays possible."""
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.90, "gpt-6-luna > gpt-5.4": 0.93, "qwen3-8b": 0.90, "qwen3-8b+lora": 0.94}
    c = compare(case_of(quality={"bar": 0.96, "scores": scores}))
    assert [o.id for o in c.options] == ["stay"]
    reasons = {o.id: o.reason for o in c.infeasible}
    assert reasons[CHEAPER] == "quality 0.900 is below the bar of 0.960"
    assert c.verdict.recommended == "stay"


def test_a_score_at_the_bar_passes() -> None:
    assert CHEAPER in {o.id for o in compare(case_of(quality={"bar": 0.90})).options}


def test_a_failed_gate_bars_what_trains_and_nothing_else() -> None:
    c = compare(case_of(gates={"learnable_from_examples": "no"}))
    assert {o.id for o in c.options if o.trains} == set()
    assert {SELF, HYBRID, CHEAPER} <= {o.id for o in c.options}
    assert next(o for o in c.infeasible if o.id == ADAPTER).reason.startswith("gate failed: learnable from examples")


def test_unknown_gates_are_listed_and_do_not_block() -> None:
    c = compare(case_of())
    assert {g.status for g in c.gates} == {"unknown"}
    assert not any(g.blocks for g in c.gates)
    assert any(o.trains for o in c.options)


def test_the_legal_gate_matters_where_the_labels_are_the_vendors_outputs() -> None:
    gates = {"vendor_allows_training_on_outputs": "no"}
    assert any(o.trains for o in compare(case_of(gates=gates)).options)
    assert not any(o.trains for o in compare(case_of(gates=gates, training={"labels_from": "incumbent"})).options)


def test_the_best_untrained_option_may_be_staying() -> None:
    """Where every other untrained option costs more, NPV against the best untrained one is NPV against staying."""
    dearer = {"api_models": ["anthropic/claude-opus-5-5"], "cascade_first": ["anthropic/claude-opus-5-5"], "base": False}
    c = compare(case_of(candidates=dearer, quality={"scores": {"gpt-5.4": 0.95, "qwen3-8b+lora": 0.94}}))
    assert max(o.npv_usd for o in c.options if not o.trains) == 0.0
    adapter = next(o for o in c.options if o.id == ADAPTER)
    assert adapter.npv_vs_best_untrained_usd == pytest.approx(adapter.npv_usd)


def test_switching_the_cache_on_needs_no_evaluation() -> None:
    """The same model answers: it may be recommended though nobody measured it."""
    c = compare(
        case_of(
            quality={"scores": {}},
            workload={"input_tokens": 3000.0, "shared_prefix_tokens": 2500.0, "cache_hit_rate": 0.9},
            candidates={"api_models": [], "cascade_first": [], "self_hosted": []},
        )
    )
    assert c.verdict.recommended == "cache-batch"


def test_a_comparison_without_any_candidate_says_stay() -> None:
    nothing: dict[str, Any] = {"api_models": [], "cascade_first": [], "self_hosted": []}
    c = compare(case_of(candidates=nothing, quality={"scores": {}}))
    assert (c.verdict.recommended, c.break_even, c.break_even_requests_per_day) == ("stay", (), None)


def test_a_comparison_with_one_candidate_has_staying_as_best_untrained() -> None:
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}
    c = compare(case_of(candidates={"cascade_first": [], "self_hosted": []}, quality={"scores": scores}))
    found = next(b for b in c.break_even if b.baseline == "best_untrained" and b.basis == "pv")
    against_stay = next(b for b in c.break_even if b.baseline == "stay" and b.basis == "pv")
    assert (found.first, found.stays) == (against_stay.first, against_stay.stays)


def test_where_hours_that_are_paid_anyway_decide_the_other_view_is_named() -> None:
    """4,000 h x $100 of set-up are covered by the payroll; with a price on them the change no longer pays."""
    people = {"usd_per_hour": 100.0, "setup_hours": {**NONE, "api": 4000.0}, "existing_hours_per_month": 4000.0,
              "run_hours_per_month": NONE, "migration_hours": 40.0, "wage_growth_per_year": 0.0}  # fmt: skip
    months = {"months_to_live": {**NONE, "api": 1.0}, "months_in_parallel": 0.0}
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.9}
    only = {"cascade_first": [], "self_hosted": []}
    c = compare(case_of(people=people, timing=months, quality={"scores": scores}, candidates=only))
    assert (c.verdict.recommended, c.verdict.if_all_hours_are_paid) == (CHEAPER, "stay")
    without = compare(case_of(quality={"scores": scores}, candidates=only))
    assert (without.verdict.recommended, without.verdict.if_all_hours_are_paid) == (CHEAPER, None)


def test_an_option_that_a_test_may_stop_is_no_nearer_to_be_worth_it_than_one_that_costs_less() -> None:
    """At $0.00033 a request a 70B on four cards loses, with an adapter that nobody tested and without. The mean of the untested
    one is the higher, since in half of the draws a test ends it; the tested one costs less, and breaks even first.
    "Look again above 3,160,000 requests a day" named the untested one, where the tested one did from 2,540,000 on.
    """
    sure = {"value": 0.9, "items": 500}
    scenario = {
        "as_of": "2026-11-24", "draws": 256, "serving": {"tensor_parallel": [4]},
        "workload": {"requests_per_day": 100_000, "growth_per_year": 0, "input_tokens": 1000, "output_tokens": 300,
                     "can_wait_share": 0, "ttft_p95_s": 2},
        "incumbent": {"provider": "deepseek", "model": "deepseek-v4-flash"},
        "quality": {"bar": 0.85, "scores": dict.fromkeys(("deepseek-v4-flash", "llama-3.3-70b"), sure)},
        "candidates": {"self_hosted": ["llama-3.3-70b"], "base": True, "gpus": ["MI300X-192GB"]},
    }
    c = compare(resolve(check_scenario(scenario)).case)
    by_id = {o.id: o for o in c.options}
    base, adapter = by_id["hybrid:llama-3.3-70b"], by_id["hybrid:llama-3.3-70b+lora"]
    assert adapter.expected_npv_usd > base.expected_npv_usd
    assert adapter.npv_usd < base.npv_usd < 0
    assert c.verdict.leader == "stay"
    assert c.verdict.challenger is not None
    assert by_id[c.verdict.challenger].tested
    assert c.thresholds is not None
    assert base.id in c.thresholds.ids
    assert adapter.id not in c.thresholds.ids


def test_a_chance_passes_what_is_needed_where_counting_the_draws_says_so() -> None:
    """Of 7 draws 3 save something up to $1, 4 to $2, 3 to $3, then 4: a draw that saves $0 does so at once, or never."""
    without, slope = np.array([-3.0, -1.0, 0.0, 0.0, 0.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0, -1.0, 0.0, -1.0, 1.0])
    assert [float(np.mean(without + x * slope > 0)) for x in (0.5, 1.5, 2.5, 3.5)] == [3 / 7, 4 / 7, 3 / 7, 4 / 7]
    row = Row(cast(Any, None), without, slope)
    assert row.chance_passes(0.5).tolist() == [1.0, 2.0, 3.0]
    assert row.chance_passes(4 / 7).tolist() == [1.0, 2.0, 3.0]
    assert row.chance_passes(0.6).tolist() == []
