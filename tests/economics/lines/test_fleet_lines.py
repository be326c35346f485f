"""What a fleet of one's own costs, hybrids included: by hand on one request a second."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quiet_scenario import (
    CHEAPER,
    HYBRID,
    LUNA_EACH,
    PER_MONTH,
    PLATFORM,
    SELF,
    STAY_EACH,
    World,
    case_of,
    plan,
    quiet,
    world,
)

from roi.economics.decision.evaluation import evaluate
from roi.economics.lines.line import always
from roi.economics.lines.self_hosting import fleet_months
from roi.errors import ScenarioError
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario


def test_a_fleet_is_sized_at_its_peak_and_paid_for_every_hour() -> None:
    """Mean 1/s, peak 3/s, 1/s a replica: 3 replicas, one spare: 3 x $2 x 730 = $4,380 and $1,460 of redundancy."""
    w = World(case_of(serving={"spares": 1, "headroom": 0.0}), **plan(SELF))
    assert w.line(SELF, "GPU rent")[1] == pytest.approx([4380.0] * 24)
    assert w.line(SELF, "GPU rent, redundancy")[1] == pytest.approx([1460.0] * 24)


@pytest.mark.parametrize(("changes", "spares"), [
    ({"workload": {"can_wait_share": 1.0}}, 0), ({"workload": {"can_wait_share": 0.99}}, 1), ({}, 1),
    ({"workload": {"can_wait_share": {"value": 1.0, "low": 0.9, "high": 1.0}}}, 1),
    ({"workload": {"can_wait_share": 1.0}, "serving": {"spares": 2}}, 2),
    ({"workload": {"can_wait_share": 1.0}, "serving": {"lets_wait": False}}, 1),
])
def test_a_batch_that_may_wait_for_a_replica_that_failed_pays_no_spare_that_nobody_asked_for(
    changes: dict[str, Any], spares: int
) -> None:
    """Mean 1/s, 1/s a replica: one replica holds what all waits, $1,460 a month; the spare was as much again."""
    case = resolve(check_scenario({**quiet(changes), "serving": {"headroom": 0.0, **changes.get("serving", {})}})).case
    redundancy = World(case, **plan(SELF)).line(SELF, "GPU rent, redundancy")[1]
    assert case["serving.spares"].value == spares
    assert redundancy == pytest.approx([spares * 1460.0] * 24)


def test_a_queue_pays_for_its_hours_of_work_and_one_start_a_day() -> None:
    """1/s of which a replica holds 4: 6 hours of the day and a quarter to start: 6.25 / 24 x $2 x 730 = $380.21. With a spare
    five and it are the cheapest, 6 x (6 / 5 + 1/4) = 8.7 hours, 2.45 more. A share that waits which is drawn below
    1 follows the hours, with one replica at least: $1,460.
    """
    serving = {"autoscale": True, "autoscale_floor": 0, "startup_hours": 0.25, "spares": 1, "headroom": 0.0}
    case = case_of(serving=serving, workload={"can_wait_share": 1.0})
    four = plan(SELF, capacity_requests_per_s=4.0, pooling=1.0)
    w = World(case, **four)
    assert w.line(SELF, "GPU rent")[1] == pytest.approx([6.25 / 24 * 1460.0] * 24)
    assert w.line(SELF, "GPU rent, redundancy")[1] == pytest.approx([2.45 / 24 * 1460.0] * 24)
    some = World(case, **four, **{"workload.can_wait_share": 0.9})
    assert some.line(SELF, "GPU rent")[1] == pytest.approx([1460.0] * 24)
    both = World(case, **four, **{"workload.can_wait_share": np.array([[1.0], [0.9]])})
    lines = [line for line in both.costed(SELF).costs.lines if line.name == "GPU rent"]
    assert np.asarray(lines[0].monthly)[:, 0] == pytest.approx([6.25 / 24 * 1460.0, 1460.0])


def test_a_queue_is_billed_in_whole_steps_where_its_vendor_has_such() -> None:
    """6.25 hours are 7 started ones, or a started day; by the second without the field, which a fleet all day does not need."""
    serving = {"autoscale": True, "autoscale_floor": 0, "startup_hours": 0.25, "spares": 0, "headroom": 0.0}
    for billed, hours in ((None, 6.25), (1.0, 7.0), (0.5, 6.5), (24.0, 24.0)):
        more = {} if billed is None else {"billing_hours": billed}
        case = case_of(serving={**serving, **more}, workload={"can_wait_share": 1.0})
        w = World(case, **plan(SELF, capacity_requests_per_s=4.0, pooling=1.0))
        assert w.line(SELF, "GPU rent")[1] == pytest.approx([hours / 24 * 1460.0] * 24)


def test_no_replica_exists_in_hours_that_have_no_calls() -> None:
    """1/s in ten hours of the day, of which a replica holds 4: one and a spare for ten hours and the one before, in which they
    start, at $2 x 730 = $1,460 all day. With a floor of one they are there all day. An hour with few calls is none: 15 and one.
    """
    hours, nearly = ([0.0] * 8 + [1.0] * 10 + [least] * 6 for least in (0.0, 1e-6))
    hold = plan(SELF, capacity_requests_per_s=4.0, pooling=1.0)
    for floor, weights, share in ((0, hours, 11 / 24), (1, hours, 1.0), (0, [*nearly[:-1], 0.0], 16 / 24)):
        serving = {"autoscale": True, "autoscale_floor": floor, "startup_hours": 0.25, "spares": 1, "headroom": 0.0}
        w = World(case_of(serving=serving, workload={"hourly_weights": weights}), **hold)
        for line in ("GPU rent", "GPU rent, redundancy"):
            assert w.line(SELF, line)[1] == pytest.approx([share * 1460.0] * 24)
    with pytest.raises(ScenarioError, match=r"or hours without any, a 0 in workload.hourly_weights"):
        case_of(serving={"autoscale": True, "autoscale_floor": 0}, workload={"hourly_weights": [1.0] * 24})


def test_months_that_are_alike_have_the_fleet_of_months_that_hardly_differ() -> None:
    """They are worked out once, not month by month."""
    serving = {"autoscale": True, "startup_hours": 0.25, "spares": 1, "headroom": 0.1}
    case = case_of(serving=serving, workload={"can_wait_share": 0.5, "waits_hours": 9.0, "peak_to_mean": 3.0})
    hold = plan(SELF, capacity_requests_per_s=0.37, pooling=1.2)
    alike, each = (World(case, **hold, **{"workload.growth_per_year": growth}) for growth in (0.0, 1e-12))
    for line in ("GPU rent", "GPU rent, redundancy"):
        assert alike.line(SELF, line)[1] == pytest.approx(each.line(SELF, line)[1])
    fleets = [fleet_months(w.shared, w.options[SELF], always(w.shared)).fleet for w in (alike, each)]
    for name, figure in vars(fleets[0]).items():
        assert figure == pytest.approx(np.full(24, getattr(fleets[1], name))), name


def test_a_commitment_is_paid_whether_there_is_work_or_not() -> None:
    serving = {"autoscale": True, "autoscale_floor": 0, "spares": 0, "headroom": 0.0}
    case = case_of(serving=serving, workload={"can_wait_share": 1.0})
    w = World(case, **plan(SELF, capacity_requests_per_s=4.0, minimum_months=12.0))
    assert w.line(SELF, "GPU rent")[1] == pytest.approx([1460.0] * 24)


@pytest.mark.parametrize(("serving", "waits"), [
    ({"autoscale": False}, 1.0), ({"lets_wait": False}, 1.0), ({}, 0.9), ({}, {"value": 1.0, "low": 0.8, "high": 1.0}),
])
def test_no_replica_at_all_needs_requests_that_all_wait(serving: dict[str, Any], waits: Any) -> None:
    with pytest.raises(ScenarioError, match=r"serving.autoscale_floor: 0 .*needs serving.autoscale: true and requests"):
        case_of(serving={"autoscale": True, "autoscale_floor": 0, **serving}, workload={"can_wait_share": waits})


def test_halving_the_load_at_fixed_replicas_changes_no_rent() -> None:
    """Six replicas at least: 86,400 and 43,200 a day rent the same; staying halves."""
    full, half = (
        World(
            case_of(serving={"spares": 1, "replicas_least": 6}),
            **{**plan(SELF), "workload.requests_per_day": daily},
        )
        for daily in (86_400.0, 43_200.0)
    )
    assert full.line(SELF, "GPU rent") == half.line(SELF, "GPU rent")
    assert full.line(SELF, "GPU rent")[1][0] == 6 * 2 * 730
    assert float(full.costed("stay").pv) == pytest.approx(2 * float(half.costed("stay").pv))


@pytest.mark.full
@given(st.lists(st.floats(1.0, 1e7), min_size=2, max_size=20), st.floats(0.05, 50.0), st.integers(1, 8), st.booleans())
def test_more_volume_never_lowers_the_fleet(daily: list[float], capacity: float, instance: int, follow: bool) -> None:
    """Replicas, GPUs and rent rise with volume or stay, whatever the capacity and the instance size."""
    case = autoscaled() if follow else steady()
    facts = plan(SELF, capacity_requests_per_s=capacity, gpus_per_instance=instance)
    volumes = np.sort(np.array(daily))[:, None]
    w = World(case, **{**facts, "workload.requests_per_day": volumes})
    fleet = fleet_months(w.shared, w.options[SELF], always(w.shared))
    assert (np.diff(np.asarray(fleet.gpus), axis=0) >= 0).all()
    assert (np.diff(np.asarray(fleet.fleet.replicas), axis=0) >= 0).all()


@cache
def steady() -> Case:
    return case_of()


@cache
def autoscaled() -> Case:
    return case_of(serving={"spares": 1, "autoscale": True})


def test_a_rental_commitment_is_paid_to_its_end_beyond_the_horizon() -> None:
    """Live from the first day, 36 months bound, 24 compared: 12 months more of 3 x $2 x 730, in the last month."""
    w = World(case_of(), **plan(SELF, minimum_months=36.0))
    beyond = w.line(SELF, "GPU commitment beyond the horizon")[1]
    assert beyond[-1] == pytest.approx(12 * 4380.0)
    assert sum(beyond[:-1]) == 0.0


def test_a_rental_commitment_holds_while_the_load_falls() -> None:
    """Load -75% a year, bound for 12 months: 3 GPUs through month 12, then what the peak of 3 x 0.25 = 0.75/s needs: 1."""
    case = case_of(workload={"growth_per_year": -0.75})
    free, bound = (World(case, **plan(SELF, minimum_months=m)) for m in (0.0, 12.0))
    assert free.line(SELF, "GPU rent")[1][11] == pytest.approx(1460.0)
    assert sum(bound.line(SELF, "GPU rent")[1][:12]) == pytest.approx(12 * 4380.0)
    assert bound.line(SELF, "GPU rent")[1][12] == pytest.approx(1460.0)


def test_a_commitment_fixes_the_rent_while_it_runs() -> None:
    """Rents fall by 75% a year: bound for 12 months $4,380 each, then a quarter; with no commitment half after six months."""
    facts = {"drift.gpu_rent_per_year": -0.75}
    free, bound = (World(case_of(), **plan(SELF, minimum_months=m), **facts).line(SELF, "GPU rent")[1] for m in (0.0, 12.0))
    assert [free[0], free[6], free[12]] == pytest.approx([4380.0, 2190.0, 1095.0])
    assert [bound[0], bound[11], bound[12]] == pytest.approx([4380.0, 4380.0, 1095.0])


@pytest.mark.parametrize(("bound", "part"), [(12.0, 0.0), (12.25, 0.25), (12.5, 0.5), (13.0, 1.0)])
def test_the_month_in_which_a_rental_commitment_ends_counts_by_its_share(bound: float, part: float) -> None:
    """3 GPUs at $4,380 while it runs; of the rest of month 13 the one that a load of a quarter needs, at a quarter of the rent.

    It counted whole: $4,380 from the first day on. With a spare there are 4 x $1,460 beside 2 x $365.
    """
    falling, facts = {"workload": {"growth_per_year": -0.75}}, {"drift.gpu_rent_per_year": -0.75}
    for serving, held, later in (({}, 4380.0, 365.0), ({"spares": 1}, 5840.0, 730.0)):
        w = World(case_of(**falling, serving={"headroom": 0.0, **serving}), **plan(SELF, minimum_months=bound), **facts)
        rents = [line for line in w.costed(SELF).costs.lines if line.name.startswith("GPU rent")]
        assert len(rents) == 1 + len(serving)
        assert [float(sum(line.monthly[month] for line in rents)) for month in (11, 12, 13)] == pytest.approx(
            [held, part * held + (1 - part) * later, later * 0.25 ** (1 / 12)])
    told = rents[0].arithmetic(12)
    assert told.startswith({0.0: "1 GPU", 0.25: "1.5 GPU", 0.5: "2 GPU", 1.0: "3 GPU"}[part])
    assert (f"at the agreed one for {part:g} of the month" in told) is (0.0 < part < 1.0)


def test_a_commitment_from_the_middle_of_a_month_ends_in_the_middle_of_one() -> None:
    """Live after half a month, bound for 12: of month 13 the first half is at the agreed rent, all of it is paid."""
    w = World(case_of(), **plan(SELF, minimum_months=12.0), **{"drift.gpu_rent_per_year": -0.75})
    late = replace(w.options[SELF], months_to_live=0.5)
    (rent,) = (line for line in evaluate(w.shared, late, w.options).costs.lines if line.name == "GPU rent")
    assert [float(rent.monthly[month]) for month in (0, 11, 12)] == pytest.approx([2190.0, 4380.0, 2190.0 + 0.5 * 1095.0])


def test_the_month_in_which_a_commitment_of_units_ends_counts_by_its_share() -> None:
    """3 units of 1/s at the peak of 3/s; a year on a quarter of the load needs one. Live after half a month, bound for 12."""
    unit = {"usd_per_month": 1000.0, "requests_per_s": 1.0, "minimum_months": 12}
    for live, paid in ((0.0, 1000.0), (0.5, 2000.0), (0.999999, 3000.0)):
        w = world(candidates={"provisioned_throughput": unit}, workload={"growth_per_year": -0.75})
        late = replace(w.options["provisioned"], months_to_live=live)
        lines = evaluate(w.shared, late, w.options).costs.lines
        (units,) = (line for line in lines if line.name == "API provisioned throughput")
        assert [float(units.monthly[month]) for month in (11, 12, 13)] == pytest.approx([3000.0, paid, 1000.0], rel=1e-4)


def test_platform_is_a_line_of_its_own() -> None:
    w = World(case_of(platform={**PLATFORM, "logs": 50.0, "egress": 10.0}), **plan(SELF))
    assert w.line(SELF, "platform")[1] == [60.0] * 24


def hybrid(replicas: int, **changes: Any) -> World:
    w = World(case_of(**changes), **plan(HYBRID))
    w.options[HYBRID] = replace(w.options[HYBRID], replicas_fixed=replicas)
    return w


def test_a_hybrid_that_goes_live_after_the_horizon_rents_and_owes_nothing() -> None:
    """Bound for 12 months: live after 20 of 24, 8 are left beyond the horizon; after 30 the contract only begins there."""
    floor = World(case_of(), **plan(HYBRID, minimum_months=12.0))
    for live, owed in ((20.0, 8 * 1460.0), (24.0, 0.0), (30.0, 0.0)):
        o = replace(floor.options[HYBRID], replicas_fixed=1, months_to_live=live)
        lines = evaluate(floor.shared, o, floor.options).costs.lines
        paid = {line.name: float(line.monthly.sum()) for line in lines if line.name.startswith("GPU ")}
        assert paid.get("GPU commitment beyond the horizon", 0.0) == pytest.approx(owed), live
        assert paid["GPU rent"] == pytest.approx(max(24.0 - live, 0.0) * 1460.0)


def test_what_a_hybrid_serves_and_spills_is_everything() -> None:
    """One replica of 1/s at mean 1/s and peak 3/s: served + spilled = 1/s; the spill pays the API, once."""
    w = hybrid(1)
    done = w.costed(HYBRID)
    assert done.costs.fleet is not None
    spill = float(done.costs.fleet.spill[0])
    assert 0.1 < spill < 0.9
    assert float(np.asarray(done.costs.fleet.fleet.utilisation_mean)[0]) == pytest.approx(1.0 - spill)
    name = next(n for n in w.names(HYBRID) if n.startswith("spilled to "))
    each = LUNA_EACH if "luna" in name else STAY_EACH
    assert w.line(HYBRID, name)[1][0] == pytest.approx(PER_MONTH * spill * each)
    assert w.line(HYBRID, "GPU rent")[1][0] == pytest.approx(1460.0)


def test_a_hybrid_has_no_spare_and_spills_nothing_above_its_peak() -> None:
    """Three replicas hold the peak of 3/s: no spill, no spare even where one is asked for."""
    w = hybrid(3, serving={"spares": 1, "headroom": 0.0})
    assert w.line(HYBRID, "GPU rent")[1][0] == pytest.approx(3 * 1460.0)
    assert "GPU rent, redundancy" not in w.names(HYBRID)
    done = w.costed(HYBRID)
    assert done.costs.fleet is not None
    assert float(done.costs.fleet.spill.max()) == 0.0


def test_a_hybrid_runs_no_fewer_replicas_than_are_asked_for() -> None:
    """Two for two regions: 2 x $1,460 and the spill of two, also of a floor of one; three stay three."""
    least = {"serving": {"spares": 0, "headroom": 0.0, "replicas_least": 2}}
    one, two, three = (hybrid(n, **least) for n in (1, 2, 3))
    assert [w.line(HYBRID, "GPU rent")[1][0] for w in (one, two, three)] == pytest.approx([2920.0, 2920.0, 4380.0])
    spills = [w.costed(HYBRID).costs.fleet.spill[0] for w in (one, two)]
    assert spills[0] == spills[1] < hybrid(1, serving={"spares": 0, "headroom": 0.0}).costed(HYBRID).costs.fleet.spill[0]


def test_a_hybrid_spills_to_the_cheapest_api_that_passes_the_bar() -> None:
    """gpt-6-luna at 90% passes a bar of 0.9; at 0.92 only the incumbent is left."""
    assert hybrid(1, quality={"bar": 0.90}).options[HYBRID].spills_to == CHEAPER
    assert hybrid(1, quality={"bar": 0.92}).options[HYBRID].spills_to == "stay"
    unknown = {"gpt-5.4": 0.95, "qwen3-8b": 0.9}
    assert hybrid(1, quality={"scores": unknown}).options[HYBRID].spills_to == "stay"


def test_a_hybrid_spills_to_no_api_that_misses_the_slo_as_measured_where_another_may() -> None:
    """Today's model at $0.004 a request, 3 s of 2: what spills goes to gpt-6-luna at $0.005, unless that was not evaluated."""
    late = {"provider": "openai", "model": "gpt-5.4", "ttft_p95_s": 3.0}
    dear = {"openai/gpt-6-luna": {"input_usd_per_mtok": 4.0, "output_usd_per_mtok": 10.0}}
    scores = {"bar": 0.9, "scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.9}}
    for incumbent, quality, to in (({**late, "ttft_p95_s": 2.0}, {"bar": 0.9}, "stay"), (late, {"bar": 0.9}, CHEAPER),
                                   (late, scores, "stay")):
        w = hybrid(1, quality=quality, incumbent=incumbent, apis=dear, workload={"ttft_p95_s": 2.0})
        assert w.options[HYBRID].spills_to == to


def test_the_spill_makes_the_errors_of_its_api() -> None:
    """(1 - s) x 10% + s x 5% where the spill goes to the incumbent."""
    w = hybrid(1, quality={"usd_per_error": 0.01, "scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.9}})
    fleet = w.costed(HYBRID).costs.fleet
    assert fleet is not None
    spill = float(fleet.spill[0])
    wrong = w.line(HYBRID, "wrong answers")[1][0]
    assert wrong == pytest.approx(PER_MONTH * 0.01 * (0.1 * (1 - spill) + 0.05 * spill))


def test_a_spilled_request_is_not_escalated_as_well() -> None:
    """The model that escalates 20% never saw what was spilled: 0.2 x (1 - s) of the requests are escalated."""
    w = hybrid(1, quality={"escalated": {"qwen3-8b": 0.2}})
    fleet = w.costed(HYBRID).costs.fleet
    assert fleet is not None
    expected = PER_MONTH * STAY_EACH * 0.2 * (1.0 - float(fleet.spill[0]))
    assert w.line(HYBRID, "escalated to gpt-5.4")[1][0] == pytest.approx(expected)
