"""Which option is recommended: chances, the bar, the gates, the best untrained option."""

from dataclasses import replace
from typing import Any

import pytest
from quiet_scenario import ADAPTER, CHEAPER, HYBRID, SELF, case_of

from roi.economics.decision.comparison import compare
from roi.economics.decision.evaluation import evaluate, read_all
from roi.economics.decision.verdict import SURE, Verdict, decide


def sure(chance: float | None, npv: float = 50_000.0, **fields: Any) -> Verdict:
    """The verdict where the cheaper API has this chance of beating staying and everything else loses."""
    case = case_of()
    shared, options = read_all(case, case.values())
    central = {id: evaluate(shared, option, options) for id, option in options.items() if option.infeasible is None}
    results = {
        o.id: o if o.id == "stay" else replace(o, expected_npv_usd=-1.0) for o in compare(case).options if o.id in central
    }
    results[CHEAPER] = replace(results[CHEAPER], expected_npv_usd=npv, probability_npv_positive=chance, **fields)
    return decide(shared, results, options, central)


def test_below_sixty_percent_of_the_draws_the_verdict_is_stay_not_sure() -> None:
    assert SURE == 0.60
    unsure = sure(0.59)
    assert (unsure.decision, unsure.recommended, unsure.challenger) == ("stay, not sure", "stay", CHEAPER)
    assert "59%" in unsure.sentence


def test_from_sixty_percent_on_it_is_change() -> None:
    assert (sure(0.60).decision, sure(0.60).recommended) == ("change", CHEAPER)
    assert (sure(None).decision, sure(None).recommended) == ("change", CHEAPER)


def test_an_option_that_loses_on_average_is_not_recommended_however_often_it_wins() -> None:
    assert (sure(0.9, -5.0).decision, sure(0.9, -5.0).recommended) == ("stay", "stay")


def test_an_option_that_nobody_evaluated_is_never_recommended() -> None:
    """The same figures, but no score: staying, and the next step is to evaluate it."""
    assert sure(1.0, evaluated=False).recommended == "stay"
    c = compare(case_of(quality={"scores": {"gpt-5.4": 0.95}}))
    assert c.verdict.recommended == "stay"
    assert c.verdict.next_step.startswith("Evaluate ")
    assert c.verdict.challenger_wins_at_error_rate is not None


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
