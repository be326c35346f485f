"""A comparison that was saved before a fact existed keeps its old meaning: what its Case lacks is as it was then."""

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, World, case_of, quiet

from roi.economics.decision.comparison import compare
from roi.economics.lines.api_bill import service
from roi.economics.reading import read_shared
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact

SCORE = {"value": 0.9, "low": 0.85, "high": 0.95}
NEW = (
    "quality.evaluation_noise.", "drift.successor_price_ratio.", "quality.judge_usd_per_request", "training.retrain_evaluates",
    "apis.",
)  # fmt: skip
NEW_OF_OPTIONS = (".evaluated", ".test_note", ".escalates_to_cached", ".batch_as_today")


def older() -> Case:
    """What a Case of the same scenario held: one luck for all scores, one price ratio, a cascade as tested as its models."""
    case = case_of(
        draws=64, quality={"scores": {"gpt-5.4": SCORE, "gpt-6-luna": SCORE, "qwen3-8b": 0.9, "qwen3-8b+lora": 0.94}},
        drift={**quiet()["drift"], "successor_price_ratio": {"value": 1.0, "low": 0.4, "high": 1.6}},
    )
    facts = {path: fact for path, fact in case.facts.items()
             if not path.startswith(NEW) and not (path.startswith("options.") and path.endswith(NEW_OF_OPTIONS))}  # fmt: skip
    luck = Fact(value=0.0, low=-1.0, high=1.0, basis=Basis.ASSUMED, source="one evaluation set for all")
    share = Fact(value=0.2, unit="share", basis=Basis.ASSUMED, source="default")
    return Case(facts={**facts, "quality.evaluation_noise": luck, f"options.{CASCADE}.escalated_share": share})


def test_it_computes_and_scores_move_together() -> None:
    c = compare(older())
    assert {o.id for o in c.options} >= {"stay", CHEAPER, CASCADE}
    w = World(older(), **{"quality.evaluation_noise": 1.0})
    assert [w.options[id].error_rate for id in ("stay", CHEAPER)] == pytest.approx([0.05, 0.05])


def test_a_cascade_is_as_tested_as_its_models_and_has_their_overall_rates() -> None:
    cascade = World(older()).options[CASCADE]
    assert (cascade.evaluated, cascade.test_note, cascade.escalated) == (True, None, 0.2)
    assert World(older()).shared.judge_usd == 0.0


def test_the_one_price_ratio_repeats() -> None:
    """Ends every 5 months at half the price: 1, 0.5, 0.25, 0.125."""
    w = World(older(), **{"drift.successor_price_ratio": 0.5, "vendors.openai/gpt-6-luna.first_end_months": 5.0,
                          "vendors.openai/gpt-6-luna.life_months": 5.0})  # fmt: skip
    assert service(w.shared, w.options[CHEAPER]).price[[0, 5, 10, 15]] == pytest.approx([1.0, 0.5, 0.25, 0.125])


@pytest.mark.full
def test_each_successor_has_a_ratio_of_its_own_as_far_as_the_horizon_reaches() -> None:
    """24 months and lives of 10 at least: ends at 0+, 10 and 20 months, three ratios; lives of 1,200: one; exact: one."""
    spread = {"value": 1.0, "low": 0.4, "high": 1.6}
    lives = {"value": 18.0, "low": 10.0, "high": 32.0}
    for life, ratio, later in ((lives, spread, 2), (1200.0, spread, 0), (lives, 1.0, 0), (1.5, spread, 5)):
        drift = {**quiet()["drift"], "model_life_months": life, "successor_price_ratio": ratio}
        assert len(read_shared(case_of(drift=drift).values()).later_price_ratios) == later


def test_scores_of_systems_that_were_evaluated_apart_are_drawn_apart() -> None:
    """The luck of two systems with the same interval: uncorrelated over the draws."""
    scores = {"gpt-5.4": SCORE, "gpt-6-luna": SCORE, "qwen3-8b": 0.9, "qwen3-8b+lora": 0.9}
    case = case_of(draws=512, quality={"scores": scores})
    rows = np.random.default_rng(1).uniform(size=(512, len(case.uncertain)))
    w = World(case, **dict(case.values(rows)))
    own, stay = (np.asarray(w.options[id].error_rate)[:, 0] for id in (CHEAPER, "stay"))
    assert abs(np.corrcoef(own, stay)[0, 1]) < 0.15
