"""What the screen tells of a cascade whose gate nobody measured, or whose rates cannot be true together."""

import json
import re

import pytest
from gated_cascade import UNMEASURED, gate

from roi.answers.next import NextAnswer
from roi.economics.decision.comparison import Comparison
from roi.report.comparison.screen import screen
from roi.report.layout.blocks import render
from roi.report.next import next_blocks, next_json


def words(c: Comparison) -> str:
    return " ".join(screen(c, (), width=10_000).split())


@pytest.mark.full
def test_staying_is_not_the_end_where_a_gate_that_nobody_measured_could_bring_more() -> None:
    """0.8 x 0.14 + 0.2 x 0.06 = 12.4% wrong as a blind gate, which misses the bar of 90%; measured it is as it is."""
    c = gate(128)
    assert c.verdict.leader == "stay"
    told = words(c)
    assert ("! Nobody measured the gate of gpt-6-luna > gpt-6-sol, and it counts as blind: 12.4% wrong. The best gate that"
            " hands on 20% leaves 1.2%, NPV at most $159k at the central values (quality.kept_error_rate.gpt-6-luna)") in told
    assert "stop here" not in told
    measured = gate(128, kept_error_rate={"gpt-6-luna": 0.14}, escalated_error_rate={"gpt-6-luna": 0.06})
    assert "blind" not in words(measured)
    assert "blind" not in words(gate(128, scores={"gpt-6-sol": 0.94}))  # what the first model gets wrong is not known either


def test_rates_of_a_gate_that_cannot_be_true_leave_only_what_to_correct_unless_a_score_overrides_them() -> None:
    """0.8 x 20% = 16% of all requests would be wrong at a model that gets 14% wrong, 0.2 x 40% = 8% at one that gets 6%."""
    rates = {"kept_error_rate": {"gpt-6-luna": 0.2}, "escalated_error_rate": {"gpt-6-luna": 0.4}}
    kept = "quality.kept_error_rate.gpt-6-luna: 0.2 of a share of 0.8 is more than all errors of gpt-6-luna, 0.14"
    both = (f"{kept} of all requests;"
            " quality.escalated_error_rate.gpt-6-luna: 0.4 of a share of 0.2 is more than all errors of gpt-6-sol")
    told = words(gate(0, **rates))
    assert f"CORRECT FIRST {both}" in told
    assert told.count(kept) == 1
    assert "DO NOW" not in told
    whole = {"scores": {**UNMEASURED["scores"], "gpt-6-luna > gpt-6-sol": 0.93}}
    for sound in (whole, {"kept_error_rate": {"gpt-6-luna": 0.13}, "escalated_error_rate": {"gpt-6-luna": 0.3}}):
        told = words(gate(0, **{**rates, **sound}))
        assert "CORRECT FIRST" not in told
        assert "quality.kept_error_rate.gpt-6-luna" not in told


def test_rates_of_a_gate_that_luck_explains_are_a_remark() -> None:
    """0.8 x 18% are more than 14%; of 100 items 12.3 to 25% (P5, P95) may be wrong. What 20% of 14% keeps is the worse part."""
    for kept, why in (({"value": 0.18, "items": 100}, "0.18 of a share of 0.8 is more than all errors of gpt-6-luna, 0.14"),
                      (0.15, "0.15 is above its overall error rate of 0.14: a gate that keeps the worse answers")):
        c = gate(0, kept_error_rate={"gpt-6-luna": kept}, escalated_error_rate={"gpt-6-luna": 0.1})
        assert c.alarms == ()
        assert f"! quality.kept_error_rate.gpt-6-luna: {why}" in words(c)


def test_a_gate_that_would_leave_more_than_all_of_what_it_hands_on_wrong_cannot_be() -> None:
    """(14% - 95% x 0.1%) / 5% = 278% of what is handed on; of 20% it is 70%, which can be."""
    rates = {"kept_error_rate": {"gpt-6-luna": 0.001}, "escalated_error_rate": {"gpt-6-luna": 0.3}}
    told = "278% of what is handed on would be, at an overall error rate of 0.14; that cannot be"
    assert told in words(gate(0, **rates, escalated={"gpt-6-luna": 0.05}))
    assert "that cannot be" not in words(gate(0, **rates))


@pytest.mark.full
def test_what_to_measure_next_has_the_best_gate_as_the_most_that_measuring_it_is_worth() -> None:
    """$158,775 by hand (test_best_gate.py) over staying, where the evaluation counts the gate as blind and is worth nothing."""
    asked = NextAnswer(comparison=gate(128), warnings=(), note="")
    told = render(next_blocks(asked, full=False))
    assert asked.best_gates == pytest.approx({"cascade:openai/gpt-6-luna": 158_775.0}, abs=1.0)
    assert json.loads(next_json(asked))["best_gates"] == dict(asked.best_gates)
    assert re.search(r"evaluate gpt-6-luna > gpt-6-sol +25 +12 +8 d +158,775 +0 ", told)
    assert ("THEN: with its gate counted as blind no test is worth more than it costs. Measuring the gate of gpt-6-luna >"
            " gpt-6-sol, which nobody did, is worth at most $159k") in " ".join(told.split())
    rates = {"kept_error_rate": {"gpt-6-luna": 0.14}, "escalated_error_rate": {"gpt-6-luna": 0.06}}
    measured = NextAnswer(comparison=gate(128, **rates), warnings=(), note="")
    assert measured.best_gates == {}
    assert "gate" not in render(next_blocks(measured, full=True))
