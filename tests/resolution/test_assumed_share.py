"""The share that a cascade hands on where nobody states it: what its gate's rates and the scores leave of the default."""

import re
from typing import Any

import numpy as np
import pytest
from quiet_scenario import CASCADE, World, case_of

from roi.economics.decision.alarms import read_alarms
from roi.facts.case import Case, triangle
from roi.numerics.sequence import sobol
from roi.resolution.resolution import resolve
from roi.resolution.scores.escalations import agreeing_shares
from roi.scenario.file import check_scenario

FIRST, SECOND, SHARE = "gpt-6-luna", "gpt-5.4", "apis.openai/gpt-6-luna.escalated_share"
DOUBT = "quality.gate_doubt"
Rate = float | dict[str, float]


def gated(q1: Rate, q: Rate, k: Rate | None = None, r: Rate | None = None, **more: Any) -> Case:
    """A cascade whose first model is wrong on q1 of all and k of what it keeps, the second on q of all and r of the rest."""
    rates = {name: {FIRST: x} for name, x in (("kept_error_rate", k), ("escalated_error_rate", r)) if x is not None}
    wrong = {FIRST: q1, SECOND: q}
    scores = {name: {**x, "value": 1.0 - x["value"]} if isinstance(x, dict) else 1.0 - x for name, x in wrong.items()}
    return case_of(draws=512, quality={"scores": scores, **rates, **more},
                   candidates={"api_models": [], "self_hosted": [], "cascade_first": [f"openai/{FIRST}"]})


def agrees(e: np.ndarray, q1: float, q: float, k: float, r: float) -> np.ndarray:
    """What a share e leaves of all errors for the other model lies between none and all of what that one answers."""
    left, other = q1 - (1 - e) * k, q - e * r
    near = 1e-9
    return (left >= -near) & (left <= e + near) & (other >= -near) & (other <= 1 - e + near)


def drawn(case: Case) -> np.ndarray:
    return np.asarray(case.values(sobol(0, 512, len(case.uncertain), 1))[SHARE])


@pytest.mark.parametrize(("rates", "least", "most"), [
    ({"first": 0.4, "kept": 0.1}, 1 / 3, 1.0),  # (0.4 - 0.1) / 0.9: all of what is handed on was wrong
    ({"first": 0.1, "kept": 0.2}, 0.5, 1.0),  # half of all at 20% wrong are all errors
    ({"second": 0.05, "handed_on": 0.5}, 0.0, 0.1),  # a tenth at 50% wrong are all errors
    ({"second": 0.5, "handed_on": 0.2}, 0.0, 0.625),  # all of the rest wrong: 0.625 x 20% + 37.5% = 50%
    ({"first": 0.1, "kept": 0.1, "second": 0.0, "handed_on": 0.0}, 0.0, 1.0),
    ({}, 0.0, 1.0),
])  # fmt: skip
def test_the_shares_that_agree_have_a_closed_form(rates: dict[str, float], least: float, most: float) -> None:
    assert agreeing_shares(**rates) == pytest.approx((least, most))


def test_the_closed_form_is_what_the_four_inequalities_leave() -> None:
    grid, rng = np.linspace(0, 1, 2001), np.random.default_rng(7)
    for q1, q, k, r in rng.uniform(0.01, 0.99, (400, 4)):
        least, most = agreeing_shares(q1, q, k, r)
        assert agrees(grid, q1, q, k, r).tolist() == ((grid >= least - 1e-8) & (grid <= most + 1e-8)).tolist()


def test_a_share_that_nobody_states_is_no_alarm_where_some_share_agrees_and_in_every_draw_it_does() -> None:
    """Rates of all sorts; what is taken is the share that agrees which is nearest to 20%, but for a twentieth of the range."""
    rng, none = np.random.default_rng(3), 0
    for q1, q, k, r in np.concatenate([rng.uniform(0.01, 0.5, (12, 4)), rng.uniform(0.02, 0.98, (12, 4))]):
        case, (least, most) = gated(q1, q, k, r), agreeing_shares(q1, q, k, r)
        none += least > most
        assert [a.name for a in read_alarms(case.values())] == ["gate"] * int(least > most)
        if least <= most:
            assert agrees(drawn(case), q1, q, k, r).all()
            assert case[SHARE].value == pytest.approx(np.clip(0.2, least, most), abs=0.0501 * (most - least))
    assert 0 < none < 24


def test_what_rests_on_the_share_is_worked_out_with_one_that_agrees() -> None:
    """(45% - 2%) / 98% = 43.9% at least; up to 61.7% + 23.9 points, the default's end as far off. It was 20% in no such case.
    The mode lies a twentieth of the range from its end: 43.9% + 0.05 x 41.7 = 46%, and P95 at sqrt(0.05 x 0.95) from the other.
    """
    case = gated(0.45, 0.06, 0.02, 0.06)
    least, usual_end = 0.43 / 0.98, triangle(0.05, 0.2, 0.5)[1]
    width = usual_end - 0.2
    assert case[SHARE].value == case[SHARE].low == pytest.approx(least + 0.05 * width)
    assert case[SHARE].high == pytest.approx(least + width * (1 - np.sqrt(0.05 * 0.95)))
    assert World(case).options[CASCADE].escalated == case[SHARE].value
    assert DOUBT in case
    field = "quality.kept_error_rate.gpt-6-luna of 0.02, with 0.45 of all of gpt-6-luna wrong, needs 0.439 or more"
    assert case[DOUBT].value == f"quality.escalated.gpt-6-luna is not stated; 0.46 (0.46 to 0.765) is assumed: {field}"
    assert str(case[SHARE].source).endswith(field)


def test_a_share_that_is_stated_or_not_contradicted_stays_as_it_is() -> None:
    usual, unknown = (0.2, 0.05, 0.5), {FIRST: "not evaluated", SECOND: "not evaluated"}
    for case in (gated(0.1, 0.05), gated(0.1, 0.05, 0.1, 0.05), gated(0.1, 0.05, 0.3, 0.5, scores=unknown)):
        assert (case[SHARE].value, *case[SHARE].spread()) == usual
        assert DOUBT not in case
    stated = gated(0.45, 0.06, 0.02, 0.08, cascade_escalated_share=0.2)
    assert stated[SHARE].value == 0.2
    assert "217% of what is handed on would be" in str(stated["quality.gate_impossible"].value)


def test_a_share_that_is_only_cut_is_told_with_all_the_rest() -> None:
    """5% kept wrong of 14%: 9.5% at least, below the default of 20%, which stays; its lower end does not."""
    scenario = {"quality": {"scores": {FIRST: 0.86, SECOND: 0.94}, "kept_error_rate": {FIRST: 0.05}}, "as_of": "2026-11-24",
                "workload": {"requests_per_day": 80000, "input_tokens": 1500, "output_tokens": 250},
                "incumbent": {"provider": "openai", "model": SECOND}, "candidates": {"cascade_first": [f"openai/{FIRST}"]}}
    found = resolve(check_scenario(scenario))
    fact = found.case[SHARE]
    assert (fact.value, DOUBT in found.case) == (0.2, False)
    least, usual_end = triangle(fact.low or 0.0, 0.2, fact.high or 0.0)
    assert (least, usual_end) == pytest.approx((0.09 / 0.95, triangle(0.05, 0.2, 0.5)[1]))
    assert any("is not stated; 0.2 (" in each and "needs 0.0947 or more" in each for each in found.warnings)


def test_luck_of_the_evaluation_widens_what_agrees_and_no_share_at_its_values_is_a_remark() -> None:
    """30% wrong of what is kept and 10% of all: 1 - 1/3 or more; 60% of what is handed on and 6% of all: a tenth or less.

    Of ten items each the scores count as 1.5 / 11 = 13.6% and 1.1 / 11 = 10% wrong, and at their ends some share agrees.
    """
    sure, luck = gated(0.1, 0.06, 0.3, 0.6), gated(
        {"value": 0.1, "items": 10}, {"value": 0.06, "items": 10}, {"value": 0.3, "items": 10}, {"value": 0.6, "items": 10})
    assert [a.name for a in read_alarms(sure.values())] == ["gate"]
    assert read_alarms(luck.values()) == ()
    told = "quality.kept_error_rate.gpt-6-luna: no share handed on agrees: .* needs {} or more and .* needs {} or less"
    assert re.search(told.format(0.545, 0.167), str(luck[DOUBT].value))
    assert re.search(told.format(0.667, 0.1), str(sure["quality.gate_impossible"].value))


def test_a_cascades_first_model_elsewhere_hands_nothing_on() -> None:
    """Served by oneself it answers alone, and is as tested as its score; it was GATE UNTESTED beside a cascade of it."""
    case = case_of(candidates={"api_models": [], "self_hosted": ["qwen3-8b"], "cascade_first": ["deepinfra/qwen3-8b"]},
                   apis={"deepinfra/qwen3-8b": {"input_usd_per_mtok": 0.05, "output_usd_per_mtok": 0.1}})
    assert "options.cascade:deepinfra/qwen3-8b.test_note" in case
    assert "options.self-hosted-base:qwen3-8b.test_note" not in case
