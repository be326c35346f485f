"""Whether to time an API first that nobody measured against a stated SLO: by hand, and by what each measurement makes of it."""

from typing import Any

import pytest
from quiet_scenario import CHEAPER, LUNA, NONE, STAY, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.measuring.worth import TIME_API, Experiment

SAVED = 36_500.0  # a month, so that a day is worth $1,200
WORKLOAD = {"requests_per_day": 86_400.0 * SAVED / (STAY - LUNA), "ttft_p95_s": 1.0}


def cheaper(**changes: Any) -> Comparison:
    """gpt-6-luna saves $36,500 a month, of two years $876,000 less what it takes to move: 56 h, 300 labels at $1 and $100."""
    workload = {**WORKLOAD, **changes.pop("workload", {})}
    people = {"setup_hours": {**NONE, "api": 56.0}, **changes.pop("people", {})}
    only = {"cascade_first": [], "self_hosted": []}
    return compare(case_of(**{"discount_rate": 0.0, "candidates": only, "workload": workload, "people": people, **changes}),
                   thresholds=False)


def timed(c: Comparison) -> list[Experiment]:
    return [e for e in c.experiments if e.kind == TIME_API]


def test_an_api_is_timed_first_from_a_chance_of_a_miss_on_that_follows_from_four_printed_figures() -> None:
    """Lost where it misses: $6,000 of set-up and 40 h back, $10,000. Timing it: 4 h, 400 requests of 0.015 cents, $400.06.

    A day later: $1,200. From (400 + 1,200) / (10,000 + 1,200) = 1/7 on; what it saves over staying, $870,000, is the upper end.
    At even odds (10,000 - 1,200) / 2 - 400 = $4,000.
    """
    c = cheaper()
    [e] = timed(c)
    assert (e.option, e.months * 365 / 12) == (CHEAPER, pytest.approx(1.0))
    assert (e.cost_usd, e.lost_if_missed_usd) == (pytest.approx(400.06), pytest.approx(10_000.0))
    assert e.pays_between_chances == pytest.approx((1 / 7, 1.0 - 400.06 / 868_800.0), rel=1e-4)
    assert (e.first_net_usd, e.worth_usd, e.net_usd) == (pytest.approx(3999.94, abs=0.01), 0.0, -e.cost_usd)
    assert (c.verdict.measure_first, c.verdict.leader, c.verdict.then) == (e, CHEAPER, None)


def test_at_the_ends_of_the_chances_timing_costs_what_it_spares() -> None:
    """Worked out as what each way brings on average: move at once, time it first, or keep to today's model at once."""
    [e] = timed(cheaper())
    moved, day = 24 * SAVED - 6000.0, SAVED * 12 / 365
    low, high = e.pays_between_chances or (0.0, 0.0)

    def at_once(p: float) -> float:
        return (1.0 - p) * moved - p * 10_000.0

    def timed_first(p: float) -> float:
        return (1.0 - p) * (moved - day) - e.cost_usd

    assert timed_first(low) == pytest.approx(at_once(low))
    assert timed_first(high) == pytest.approx(0.0, abs=1e-6)
    for p in (0.2, 0.5, 0.9):
        assert timed_first(p) > max(at_once(p), 0.0)
    assert timed_first(0.5) - at_once(0.5) == pytest.approx(e.first_net_usd)


def test_what_is_hardly_lost_is_not_timed_first() -> None:
    """7 h in all are lost, $700, half of which is less than the test costs: nothing is measured first; the chance is told."""
    c = cheaper(people={"setup_hours": {**NONE, "api": 3.0}, "migration_hours": 0.0})
    [e] = timed(c)
    assert e.lost_if_missed_usd == pytest.approx(700.0)
    assert e.pays_between_chances is not None
    assert e.pays_between_chances[0] == pytest.approx(1600.06 / 1900.0)
    assert (c.verdict.measure_first, e.first_net_usd < 0) == (None, True)


def test_a_measured_latency_ends_the_question_whatever_the_slo_and_a_looser_one_never_saves_less() -> None:
    """At 1.2 s as measured, limits of 0.5 and 1 s rule it out, 1.2 and 2 s keep it; unmeasured it is timed at all of them."""
    limits, saved = (0.5, 1.0, 1.2, 2.0), list[float]()
    for most in limits:
        c = cheaper(workload={"ttft_p95_s": most}, apis={"openai/gpt-6-luna": {"ttft_p95_s": 1.2}})
        assert timed(c) == []
        saved.append(c.led_usd)
    assert saved == [0.0, 0.0, pytest.approx(870_000.0), pytest.approx(870_000.0)]
    chances = [e.pays_between_chances for most in limits for e in timed(cheaper(workload={"ttft_p95_s": most}))]
    assert len(chances) == len(limits)
    assert len(set(chances)) == 1


def test_no_api_is_timed_where_no_slo_holds_it_or_it_is_not_advised() -> None:
    """All requests can wait, nobody stated an SLO, or nobody tested the API and staying is advised."""
    waits, untested = cheaper(workload={"can_wait_share": 1.0}), cheaper(quality={"scores": {"gpt-5.4": 0.95}})
    assert (waits.verdict.leader, untested.verdict.leader) == (CHEAPER, "stay")
    unstated = compare(case_of(candidates={"cascade_first": [], "self_hosted": []}), thresholds=False)
    assert unstated.verdict.leader == CHEAPER
    assert [timed(c) for c in (waits, untested, unstated)] == [[], [], []]


def test_the_rival_that_is_known_to_keep_the_slo_bounds_the_chances_from_above() -> None:
    """claude-haiku-5-5, measured, saves nearly as much: where a miss is likely, it is taken at once, and nothing is timed."""
    rates = {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.9}
    only = {"api_models": ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"], "cascade_first": [], "self_hosted": []}
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.9, "claude-haiku-5-5": 0.9}
    c = cheaper(candidates=only, quality={"scores": scores}, apis={"anthropic/claude-haiku-5-5": {**rates, "ttft_p95_s": 0.5}})
    [e] = timed(c)
    more = c.led_usd - max(o.npv_usd for o in c.options if o.id != CHEAPER)
    assert 0.0 < more < 2e4
    low, high = e.pays_between_chances or (0.0, 0.0)
    assert high == pytest.approx(1.0 - e.cost_usd / (more - 1200.0))
    assert low == pytest.approx(1 / 7, rel=1e-4)
