"""Alarms: input that cannot be true gets no verdict, unless it is accepted by name."""

from typing import Any, get_args

import pytest
from gated_cascade import gate
from quiet_scenario import CHEAPER, case_of

from roi.economics.decision.alarms import RULES, read_alarms
from roi.economics.decision.comparison import compare
from roi.scenario.scenario import Scenario

SCORES = {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}}
WORK: dict[str, Any] = {"requests_per_day": 86_400.0, "input_tokens": 1000.0, "output_tokens": 100.0}


def test_all_requests_of_a_day_in_one_minute_are_the_most_that_can_be() -> None:
    """A mean day has 1,440 minutes."""
    assert [[a.name for a in read_alarms({"workload.peak_to_mean": x})] for x in (1440.0, 1441.0)] == [[], ["peak"]]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bill", {"incumbent": {"provider": "openai", "model": "gpt-5.4", "bill_usd_per_month": 31_536.0}}),  # 3 x $10,512
        ("bill", {"incumbent": {"provider": "openai", "model": "gpt-5.4", "bill_usd_per_month": 3000.0}}),  # 0.29 x
        ("growth", {"workload": {**WORK, "growth_per_year": 5.0}}),
        ("growth", {"workload": {**WORK, "growth_per_year": -0.95}}),
        ("growth", {"workload": {**WORK, "growth_per_year": 3.7}, "horizon_months": 36}),  # 104 x in three years
        ("slo", {"workload": {**WORK, "ttft_p95_s": 1000.0}}),
        ("slo", {"incumbent": {"provider": "openai", "model": "gpt-5.4", "ttft_p95_s": 3100.0}}),
        ("slo", {"apis": {"openai/gpt-6-luna": {"tpot_p95_s": 30.0}}}),
        ("peak", {"workload": {**WORK, "peak_to_mean": 9999.0}}),
        ("slo", {"workload": {**WORK, "tpot_p95_s": 50.0}}),
        ("context", {"workload": {**WORK, "output_tokens": 2_000_000.0}}),
        ("wages", {"people": {"wage_growth_per_year": 1.0}}),
        ("wages", {"people": {"wage_growth_per_year": -0.5}}),
        ("growth", {"incumbent": {"provider": "openai", "model": "gpt-5.4", "seats": {
            "users": 500, "usd_per_month": 20.0, "growth_per_year": 8.0}}}),
    ],
)
def test_what_cannot_be_true_withholds_the_verdict_until_it_is_accepted(name: str, changes: dict[str, Any]) -> None:
    quick: dict[str, Any] = {"candidates": {"cascade_first": [], "self_hosted": []}, "quality": SCORES}
    c = compare(case_of(**quick, **changes))
    assert [(a.name, a.accepted) for a in c.alarms] == [(name, False)]
    assert (c.verdict.recommended, c.verdict.decision) == (None, "withheld")
    assert f"accept: [{name}]" in c.verdict.sentence
    meant = compare(case_of(**quick, **changes, accept=[name]))
    assert [(a.name, a.accepted) for a in meant.alarms] == [(name, True)]
    assert meant.verdict.recommended == meant.verdict.leader == c.verdict.leader


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"input_tokens": 9.0, "output_tokens": 2.0}, "input_tokens"),
        ({"input_tokens": 2.0, "output_tokens": 9.0}, "output_tokens"),
        ({"input_tokens": (1.0, 9.0), "output_tokens": (1.0, 2.0)}, "lengths"),
        ({"tpot_p95_s": 50.0}, "tpot_p95_s"),
    ],
)
def test_an_alarm_names_the_field_that_is_too_large(values: dict[str, Any], field: str) -> None:
    (alarm,) = read_alarms({"incumbent.context_tokens": 10.0, **{f"workload.{name}": x for name, x in values.items()}})
    assert alarm.field == f"workload.{field}"
    assert alarm.told.startswith("the mean request of the longest cell, of 11 tokens") == (field == "lengths")


def test_wages_may_rise_and_fall_by_less_than_twofold_a_year() -> None:
    assert [[a.name for a in read_alarms({"people.wage_growth_per_year": x})] for x in (-0.49, 0.99)] == [[], []]


NONE_OF_MANY = {"kept_error_rate": {"gpt-6-luna": {"value": 0.0, "items": 1000}}}
RATES: dict[str, Any] = {
    "scores": {"gpt-6-sol": {"value": 0.94, "items": 300}, "gpt-6-luna": {"value": 0.86, "items": 300}},
    "escalated": {"gpt-6-luna": {"value": 0.2, "items": 1000}},
    "escalated_error_rate": {"gpt-6-luna": {"value": 0.2, "items": 100}},
}  # fmt: skip
"""86% right of 300: 10.9 to 17.5% wrong (P5, P95); 94%: 4.1 to 8.6%; 20% of 1,000 handed on: 18.0 to 22.1%."""


@pytest.mark.parametrize(("quality", "field", "doubted"), [
    ({"kept_error_rate": {"gpt-6-luna": {"value": 0.3, "items": 300}}}, "kept", False),  # 0.78 x 25.8% > 17.5%
    ({"kept_error_rate": {"gpt-6-luna": {"value": 0.19, "items": 300}}}, "", True),  # 0.8 x 19% > 14.1%; 0.78 x 15.5% is not
    ({"kept_error_rate": {"gpt-6-luna": {"value": 0.16, "items": 300}}}, "", True),  # as a gate that keeps the worse ones
    ({"kept_error_rate": {"gpt-6-luna": {"value": 0.05, "items": 300}}}, "", False),
    ({"kept_error_rate": {"gpt-6-luna": 0.23}}, "kept", False),  # exact, as nobody says of how many: 0.78 x 23% > 17.5%
    ({"kept_error_rate": {"gpt-6-luna": {"value": 0.23, "items": 300}}}, "", True),  # 0.78 x 19.2%
    ({"escalated_error_rate": {"gpt-6-luna": {"value": 0.6, "items": 100}}}, "escalated", False),  # 0.18 x 51.8% > 8.6%
    ({"escalated_error_rate": {"gpt-6-luna": {"value": 0.4, "items": 100}}}, "", True),  # 0.2 x 40% > 6.1%; 0.18 x 32.3% is not
    ({**NONE_OF_MANY, "escalated": {"gpt-6-luna": {"value": 0.05, "items": 1000}}}, "kept", False),
    # all of 6.2% handed on, and 0.2% of what is kept, are less than 10.9%
    ({**NONE_OF_MANY, "escalated": {"gpt-6-luna": {"value": 0.12, "items": 1000}}}, "", True),
    # all of 12%, of 13.8% at most
])  # fmt: skip
def test_rates_of_a_gate_cannot_be_true_where_no_luck_of_the_evaluation_explains_them(
    quality: dict[str, Any], field: str, *, doubted: bool,
) -> None:
    c = gate(0, **{**RATES, **quality})
    assert [(a.name, a.field) for a in c.alarms] == [("gate", f"quality.{field}_error_rate.gpt-6-luna")] * bool(field)
    assert c.verdict.decision == "withheld" if field else c.verdict.decision != "withheld"
    assert ("quality.gate_doubt" in c.case) is doubted


def test_what_hands_on_by_rates_that_cannot_be_true_is_no_candidate_until_they_are_accepted() -> None:
    """5% handed on and all of it wrong, with 0.1% of the rest, are 5.1% of 14%: it would save most."""
    rates: dict[str, Any] = {**RATES, "escalated": {"gpt-6-luna": 0.05}, "kept_error_rate": {"gpt-6-luna": 0.001}}
    c = gate(64, usd_per_error=0.0, **rates)
    assert (c.verdict.recommended, c.verdict.leader, c.verdict.candidates) == (None, "stay", ("stay",))
    cascade = next(o for o in c.options if o.kind == "cascade")
    assert (cascade.tested, cascade.probability_best, c.verdict.challenger) == (False, None, cascade.id)
    assert cascade.expected_npv_usd > 0
    meant = gate(64, usd_per_error=0.0, accept=["gate"], **rates)
    assert (meant.verdict.recommended, [a.accepted for a in meant.alarms]) == (cascade.id, [True])


def test_rates_of_a_gate_that_is_out_withhold_nothing() -> None:
    """A cascade would go on asking the model that may not stay; a score end to end takes the place of its rates."""
    def alarms(quality: dict[str, Any], **changes: Any) -> list[str]:
        rates = {"kept_error_rate": {"gpt-6-luna": 0.25}, "escalated_error_rate": {"gpt-6-luna": 0.5},
                 "scores": {**SCORES["scores"], **quality}}
        c = case_of(quality=rates, candidates={"self_hosted": []}, **changes)
        return [a.name for a in read_alarms(c.values())]

    assert alarms({}) == ["gate"]  # 1 - 10% / 25% = 60% or more are handed on by the one, 5% / 50% or less by the other
    assert alarms({}, incumbent={"provider": "openai", "model": "gpt-5.4", "may_stay": False}) == []
    assert alarms({"gpt-6-luna > gpt-5.4": 0.94}) == []


def test_steps_count_as_growth_does_in_every_month_of_the_horizon() -> None:
    """x 20 and x 50 are a thousandfold, and from month 40 on of 36 nothing. Doubling for 35 months, 7.55 x, and x 20: 151.

    Doubling for 18 months, 2.83 x, and x 50: 141 in the month before a step ends it.
    """
    def told(growth: float, *steps: tuple[float, float]) -> list[tuple[str, str]]:
        each = {f"workload.steps.{n}.{name}": x for n, step in enumerate(steps)
                for name, x in zip(("from_month", "ratio"), step, strict=True)}
        alarms = read_alarms({"horizon_months": 36.0, "workload.growth_per_year": growth, **each})
        return [(a.field, a.told[:41]) for a in alarms]

    assert told(0.0, (4.0, 20.0), (6.0, 50.0)) == [("workload.steps", "requests are 1,000 x today's in month 6; ")]
    assert told(0.0, (4.0, 20.0), (40.0, 50.0)) == told(0.0, (4.0, 100.0)) == []
    assert told(0.0, (4.0, 200.0), (6.0, 0.005)) == [("workload.steps", "requests are 200 x today's in month 4; a ")]
    assert told(1.0, (2.0, 20.0)) == [("workload.steps", "requests are 151 x today's in month 36; a")]
    assert told(1.0, (2.0, 50.0), (20.0, 0.01)) == [("workload.steps", "requests are 141 x today's in month 19; a")]


def test_a_latency_as_measured_is_an_alarm_from_where_one_that_is_asked_is_and_names_its_own_field() -> None:
    """60 s to the first token, 1 s a token; what was measured of today's API stands under incumbent."""
    def fields(**measured: float) -> list[str]:
        facts = {f"apis.{path}": x for path, x in measured.items()}
        return [a.field for a in read_alarms({"options.stay.vendor": "openai/a", **facts})]

    assert fields(**{"openai/a.ttft_p95_s": 59.0, "x/b.tpot_p95_s": 0.9}) == []
    assert fields(**{"openai/a.ttft_p95_s": 60.0}) == ["incumbent.ttft_p95_s"]
    assert fields(**{"x/b.tpot_p95_s": 1.0}) == ["apis.x/b.tpot_p95_s"]
    assert read_alarms({"apis.x/b.ttft_p95_s": 3100.0, "workload.can_wait_share": 1.0}) == ()


def test_where_staying_is_not_allowed_the_best_other_is_advised_though_it_loses_and_without_one_there_is_no_verdict() -> None:
    """Set-up hours for $30M: gpt-6-luna costs more than staying. Batch and a cascade would go on asking today's model."""
    away = {"provider": "openai", "model": "gpt-5.4", "may_stay": False}
    dear = {"options": {CHEAPER: {"setup_hours": 300_000.0}}, "workload": {**WORK, "can_wait_share": 0.5}, "quality": SCORES,
            "candidates": {"self_hosted": []}}
    assert compare(case_of(**dear)).verdict.leader != CHEAPER
    c = compare(case_of(incumbent=away, **dear))
    assert (c.verdict.recommended, c.verdict.candidates) == (CHEAPER, (CHEAPER,))
    assert c.leader.npv_usd < 0
    out = {o.id for o in c.infeasible if "(incumbent.may_stay)" in o.reason}
    assert {"cache-batch", "cascade:openai/gpt-6-luna"} <= out
    for draws in (0, 64):
        alone = compare(case_of(incumbent=away, draws=draws,
                                candidates={"api_models": [], "cascade_first": [], "self_hosted": []}))
        assert (alone.verdict.recommended, [a.name for a in alone.alarms]) == (None, ["may_stay"])
        assert "accept" not in alone.verdict.sentence
        assert {o.probability_best for o in alone.options} == {None}  # staying's was 100%


def test_where_staying_is_not_allowed_to_miss_the_bar_is_no_way_back_to_it() -> None:
    """1,000 hours a month each, $90,000 more than staying; 90 right of 100 is below 90% in about half of the draws."""
    haiku, each = "cheaper-api:anthropic/claude-haiku-5-5", {"run_hours_per_month": 1000.0}
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.9, "items": 100}, "claude-haiku-5-5": {"value": 0.99, "items": 100}}
    c = compare(case_of(
        incumbent={"provider": "openai", "model": "gpt-5.4", "may_stay": False}, quality={"bar": 0.9, "scores": scores},
        candidates={"api_models": ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"], "self_hosted": [], "cascade_first": []},
        options={CHEAPER: each, haiku: each}, draws=256))
    assert c.verdict.leader == haiku
    other = next(o for o in c.options if o.id == CHEAPER)
    assert other.probability_good_enough == pytest.approx(0.5, abs=0.1)
    assert other.expected_npv_usd == pytest.approx(c.leader.expected_npv_usd, rel=0.05)
    assert other.expected_npv_usd < c.leader.expected_npv_usd


def test_where_staying_is_not_allowed_waiting_alone_makes_no_test_worth_its_cost_and_no_later_start_better() -> None:
    """1,000 hours a month for some $100,000: each month in which the model that may not stay answers on would save as much."""
    c = compare(case_of(incumbent={"provider": "openai", "model": "gpt-5.4", "may_stay": False}, draws=64, quality=SCORES,
                        options={CHEAPER: {"run_hours_per_month": 1000.0}},
                        candidates={"self_hosted": [], "cascade_first": []}))
    assert (c.verdict.recommended, c.better_later, c.verdict.measure_first) == (CHEAPER, None, None)
    assert {e.first_net_usd + e.cost_usd for e in c.experiments} == {0.0}


def test_where_staying_is_not_allowed_nothing_is_worth_knowing_of_todays_model() -> None:
    """To stay would save most of luna's 1,000 hours a month; knowing how often today's model is wrong brings none of it."""
    scores = {"gpt-5.4": {"value": 0.93, "items": 300}, "gpt-6-luna": {"value": 0.93, "items": 300}}
    c = compare(case_of(incumbent={"provider": "openai", "model": "gpt-5.4", "may_stay": False}, draws=64,
                        quality={"bar": 0.9, "usd_per_error": 0.002, "scores": scores},
                        options={CHEAPER: {"run_hours_per_month": 1000.0}},
                        candidates={"self_hosted": [], "cascade_first": []}))
    assert [d.worth_knowing_usd for d in c.drivers if d.path.startswith("systems.gpt-5.4.")] == [0.0]


@pytest.mark.parametrize("draws", [0, 64])
def test_where_staying_is_not_allowed_the_one_candidate_leads_at_every_volume(draws: int) -> None:
    c = compare(case_of(incumbent={"provider": "openai", "model": "gpt-5.4", "may_stay": False}, draws=draws, quality=SCORES,
                        candidates={"self_hosted": [], "cascade_first": []}))
    assert c.verdict.candidates == (CHEAPER,)
    assert (c.turning_volume(up=True), c.turning_volume(up=False)) == (None, None)


def test_ordinary_input_has_no_alarm_and_what_can_wait_has_no_slo() -> None:
    assert compare(case_of()).alarms == ()
    assert compare(case_of()).verdict.recommended == CHEAPER
    assert read_alarms({"workload.can_wait_share": 1.0, "workload.ttft_p95_s": 3600.0}) == ()
    assert read_alarms({}) == ()


def test_the_scenario_accepts_every_alarm_that_exists() -> None:
    assert set(get_args(get_args(Scenario.model_fields["accept"].annotation)[0])) == set(RULES)
