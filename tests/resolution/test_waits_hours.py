"""A deadline of what can wait: batch tiers that promise no answer by then, own servers by the hour, and what is refused."""

from typing import Any

import numpy as np
import pytest
from quiet_scenario import CHEAPER, PER_MONTH, SELF, World, case_of, plan, quiet, world

from roi.catalog.prices.gpu_offers import rented_offers
from roi.economics.lines.api_bill import service
from roi.errors import InputError
from roi.evidence.known_runs import known_runs
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.found_plans import _loads
from roi.resolution.resolution import resolve
from roi.resolution.template_facts import template_scenario
from roi.scenario.file import check_scenario
from roi.scenario.scenario import Scenario

OFFICE = [0.0] * 8 + [3.0] * 8 + [0.0] * 8
WAITS = {"can_wait_share": 1.0, "peak_to_mean": 3.0, "hourly_weights": OFFICE}
LUNA = "openai/gpt-6-luna"


def each(w: World, id: str) -> float:
    return float(np.asarray(service(w.shared, w.options[id]).cost.usd))


def check_scenario_of(**changes: Any) -> Scenario:
    return check_scenario(quiet(changes))


def quiet_with(workload: dict[str, Any], hours: float | None) -> dict[str, Any]:
    return quiet({"workload": {**workload, **({} if hours is None else {"waits_hours": hours})}})


def rent(**workload: Any) -> float:
    """USD of GPUs in a month, one request/s a replica and $2 an hour."""
    return World(case_of(workload={**WAITS, **workload}), **plan(SELF, pooling=1.0)).line(SELF, "GPU rent")[1][0]


def test_a_batch_tier_that_promises_a_day_is_out_where_eight_hours_are_asked() -> None:
    """gpt-6-luna: $0.00015 a request, half of it in batch; what can wait 8 hours pays in full, unless its vendor promises 8."""
    half = {"can_wait_share": 1.0}
    assert each(world(workload=half), CHEAPER) == pytest.approx(0.000075)
    for hours, usd in ((24.0, 0.000075), (30.0, 0.000075), (23.9, 0.00015), (8.0, 0.00015)):
        assert each(world(workload={**half, "waits_hours": hours}), CHEAPER) == pytest.approx(usd)
    promised = world(workload={**half, "waits_hours": 8.0}, apis={LUNA: {"batch_hours": 8.0}})
    assert each(promised, CHEAPER) == pytest.approx(0.000075)
    assert each(world(workload=half, apis={LUNA: {"batch_hours": 48.0}}), CHEAPER) == pytest.approx(0.00015)


def test_what_it_promises_is_a_fact_with_its_source() -> None:
    case = case_of(workload={"can_wait_share": 0.5, "waits_hours": 8.0}, apis={LUNA: {"batch_hours": 4.0}})
    assert case["workload.waits_hours"].value == 8.0
    published, stated = case["apis.openai/gpt-5.4.batch_hours"], case[f"apis.{LUNA}.batch_hours"]
    assert (published.value, published.basis, published.unit) == (24.0, Basis.PUBLISHED, "hours")
    assert "OpenAI, Azure, Anthropic and OpenRouter" in published.source
    assert (stated.value, stated.source) == (4.0, f"scenario apis.{LUNA}.batch_hours")
    assert not [path for path in case_of(workload={"can_wait_share": 0.5}).facts if path.endswith("_hours")
                and path.startswith(("apis.", "workload."))]


def test_the_incumbents_batch_is_out_with_its_reason_and_what_goes_through_it_today_stays() -> None:
    """Without a cache nothing is left to switch on; 20% in batch today is counted so, at 0.9 of $0.004, and told."""
    late = {"can_wait_share": 0.5, "waits_hours": 8.0}
    why = case_of(workload=late)["options.cache-batch.infeasible"].value
    assert why.endswith("its batch tier promises an answer within 24 hours, at most 8 (workload.waits_hours); sooner is common,"
                        " not promised")
    found = resolve(check_scenario_of(workload=late, incumbent={"batch_share": 0.2}))
    assert each(World(found.case), "stay") == pytest.approx(0.9 * 0.004)
    assert any(told.startswith("incumbent.batch_share: 0.2 goes through batch today") for told in found.warnings)
    soon = world(workload=late, incumbent={"batch_hours": 6.0})
    assert each(soon, "cache-batch") == pytest.approx(0.75 * 0.004)


def test_what_goes_through_batch_today_can_wait_where_nobody_says_what_can() -> None:
    """All of it: gpt-6-luna at half of $0.00015, and one own replica for office hours at 3/s, not three. Assumed."""
    office = {"peak_to_mean": 3.0, "hourly_weights": OFFICE}
    for batch, usd, rented in ((0.0, 0.00015, 4380.0), (1.0, 0.000075, 1460.0)):
        case = case_of(workload=office, incumbent={"batch_share": batch})
        assert each(World(case), CHEAPER) == pytest.approx(usd)
        assert World(case, **plan(SELF, pooling=1.0)).line(SELF, "GPU rent")[1][0] == rented
        assert (case["workload.can_wait_share"].value, case["workload.can_wait_share"].basis) == (batch, Basis.ASSUMED)
    spread = case_of(incumbent={"batch_share": {"value": 0.5, "low": 0.3, "high": 0.8}})
    assert spread["workload.can_wait_share.follows"].value == "options.stay.batch_share"
    stated = case_of(workload={"can_wait_share": 1.0}, incumbent={"batch_share": 0.5})["workload.can_wait_share"]
    assert (stated.value, stated.basis) == (1.0, Basis.STATED)


def test_own_servers_hold_what_the_deadline_leaves_to_be_done_by_the_hour() -> None:
    """Office hours at 3/s, 1/s a replica: by the end of the day one replica, within 8 hours 24 h of work in 16: 1.5, so two; at
    once three. $2 x 730 each.
    """
    assert [rent(waits_hours=hours) for hours in (24.0, 16.0, 8.0, 0.05)] == [1460.0, 1460.0, 2920.0, 4380.0]
    assert rent() == 1460.0
    assert rent(can_wait_share=0.0) == rent(can_wait_share=0.0, waits_hours=8.0) == 4380.0


def test_plans_are_chosen_by_the_load_that_their_fleets_hold_by_the_deadline() -> None:
    """Office hours at three times the mean of 1/s: 24 h of work in 16 h and in 10, or in the whole day."""
    sheet = FactSheet(known_runs())
    for hours, held in ((24.0, 1.0), (8.0, 1.5), (2.0, 2.4)):
        sheet.facts = dict(case_of(workload={**WAITS, "waits_hours": hours}).facts)
        assert _loads(sheet).tolist() == pytest.approx([held] * 24)


def test_servers_by_the_hour_spread_an_hours_work_over_as_many_hours_as_take_least() -> None:
    """With 8 hours to wait, over three: 1, 2, six times 3, 2, 1 of one replica each, and one in the 14 other hours, 38 in all.
    Over all eight it would be 40: 3/8, 6/8 ... 3 and down again are 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 2, 2, 2, 1, 1 and 9.
    """
    case = case_of(workload={**WAITS, "waits_hours": 8.0}, serving={"autoscale": True, "startup_hours": 0.0})
    gpus = World(case, **plan(SELF, pooling=1.0)).line(SELF, "GPU rent")[1][0] / 1460.0
    assert gpus == pytest.approx((1 + 2 + 6 * 3 + 2 + 1 + 14) / 24)


def test_a_queue_that_is_worked_off_starts_as_often_as_the_deadline_asks() -> None:
    """Three starts a day of 6 minutes, 24 hours of work by three replicas, as its busiest 8 hours ask for: 3 x (8 + 0.3)."""
    case = case_of(workload={**WAITS, "waits_hours": 8.0},
                   serving={"autoscale": True, "autoscale_floor": 0, "startup_hours": 0.1})
    assert World(case, **plan(SELF, pooling=1.0)).line(SELF, "GPU rent")[1][0] == pytest.approx(1460.0 * 3 * 8.3 / 24)


def test_a_day_is_what_spares_and_spot_instances_rest_on() -> None:
    """No spare where all can wait longer than a start takes; spot, which gives no word when it is back, for a day alone."""
    serving = {"serving": {"headroom": 0.0, "startup_hours": 0.5}}
    for hours, spares in ((None, 0), (24.0, 0), (2.0, 0), (0.4, None)):
        case = check_scenario({**quiet_with(WAITS, hours), **serving})
        found = resolve(case).case
        assert found["serving.spares"].value == (1 if spares is None else spares)
    for hours, spot in ((None, True), (24.0, True), (8.0, False)):
        s = check_scenario({**quiet_with(WAITS, hours), "candidates": {"self_hosted": ["qwen3-8b"], "spot": True}})
        assert any(offer.kind == "spot" for offer in rented_offers(s)) is spot


def test_a_flexible_tier_is_held_to_what_it_promises() -> None:
    tier = {"price_ratio": 0.5, "share": 0.5, "answers_within_hours": 6.0}
    late = case_of(workload={"waits_hours": 2.0, "can_wait_share": 0.1}, candidates={"flexible_tier": tier})
    assert late["options.flexible-tier.infeasible"].value == (
        "it promises an answer within 6 hours, at most 2 (workload.waits_hours)")
    for workload in ({}, {"waits_hours": 6.0, "can_wait_share": 0.1}):
        assert "options.flexible-tier.infeasible" not in case_of(workload=workload, candidates={"flexible_tier": tier}).facts


@pytest.mark.parametrize(("changes", "told"), [
    ({"workload": {"can_wait_share": 0.4}, "incumbent": {"batch_share": 0.5}},
     r"workload.can_wait_share: 0.4 is not usable; at least incumbent.batch_share, 0.5: what goes through batch today can"),
    ({"workload": {"waits_hours": 0.0}}, r"workload.waits_hours: 0.0 is not usable; it should be greater than 0"),
    ({"workload": {"waits_hours": 9000.0}}, r"workload.waits_hours: 9000.0 is not usable; it should be less than or equal to"),
    ({"workload": {"can_wait_share": 0.5, "waits_hours": 8.0}, "apis": {LUNA: {"batch_share": 0.4}}},
     r"apis.openai/gpt-6-luna.batch_share: 0.4 is not usable; 0: its batch tier promises an answer within 24 hours, at most 8"),
    ({"workload": {"can_wait_share": 1.0, "waits_hours": 0.2},
      "serving": {"autoscale": True, "autoscale_floor": 0, "startup_hours": 0.25}},
     r"workload.waits_hours: 0.2 is not usable; serving.autoscale_floor: 0 lets requests wait for a start: more than"),
])
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        case_of(**changes)


def test_a_deadline_where_nothing_waits_is_said_to_move_nothing() -> None:
    found = resolve(check_scenario_of(workload={"waits_hours": 8.0}))
    assert "workload.waits_hours moves nothing: no request can wait (workload.can_wait_share)" in found.warnings
    assert PER_MONTH * each(World(found.case), "stay") == pytest.approx(PER_MONTH * 0.004)


def test_what_a_template_guesses_is_no_statement_beside_a_stated_batch_share() -> None:
    given = template_scenario("extraction")
    more = given.model_copy(update={"incumbent": given.incumbent.model_copy(update={"batch_share": 0.8})})
    told = "workload.can_wait_share: 0.6 is the template's; incumbent.batch_share is 0.8"
    assert any(told in each for each in resolve(more).warnings)
