"""`roi size` of a fleet that does not run all day: what it leads with is what `roi compare` pays for the same plan."""

from pathlib import Path

import pytest
from sizing_support import size_text, sized_scenario

from roi.answers.size import size_service
from roi.answers.size_hours import ALL_DAY, BY_THE_HOUR, FOR_THE_WORK
from roi.economics.decision.comparison import compare
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.store.traces import read_trace

BATCH = ("workload.can_wait_share=1", "serving.autoscale=true", "serving.autoscale_floor=0", "workload.requests_per_day=216000",
         "workload.peak_to_mean=1", "serving.headroom=0", "serving.spares=1")
"""2.5 requests a second that all wait, and a spare all the same."""
L40S = "serving.capacities=[{model: qwen3-8b, gpu: L40S, requests_per_s: 5}]"
CAPACITY = f"{L40S[:-1]}, {{model: qwen3-8b, gpu: L4, requests_per_s: 2.5}}]"
RENTS = ("gpu_rents=[{gpu: L40S, vendor: RunPod, usd_per_gpu_hour: 1.6}, {gpu: L4, vendor: RunPod, usd_per_gpu_hour: 1.0}]",
         "candidates.gpus=[L4, L40S]")
STEADY = ("workload.growth_per_year=0", "drift.gpu_rent_per_year=0")


@pytest.fixture
def file(tmp_path):
    return sized_scenario(tmp_path)


def resolved(file, *overrides):
    return resolve(load_scenario(file, overrides))


def compared_rent(found, id):
    """Rent of the option and the card that it is on, USD in the last month, as `compare` has them."""
    option = next(each for each in compare(found.case).options if each.id == id)
    return sum(line.monthly_usd[-1] for line in option.lines if line.kind == "rent"), option.fleet.gpu


def test_a_fleet_for_the_hours_of_work_leads_with_what_compare_pays_on_the_same_card(file):
    """2.5/s of the 5 that an L40S holds: 12 hours of one, and a quarter to start. Seven and a spare are the cheapest, 8 x
    (12 / 7 + 1/4) = 15.71 hours a day at $1.6: $764.76. All day the L4 is cheaper, 2 x $1.0 x 730 = $1,460 against $2,336; six
    and a spare work 7 x (24 / 6 + 1/4) = 29.75 hours, $904.90.
    """
    case = resolved(file, *BATCH, CAPACITY, *RENTS, *STEADY)
    found = size_service(case, frontier=False)
    best, other = found.plans
    assert (best.gpu, best.runs, other.gpu) == ("L40S", FOR_THE_WORK, "L4")
    assert best.usd_per_month == pytest.approx(8 * (12 / 7 + 0.25) / 24 * 1.6 * 730)
    assert (best.gpus_paid, best.fleet.usd_per_month) == (pytest.approx(8 * (12 / 7 + 0.25) / 24), pytest.approx(2336.0))
    assert (best.replicas, best.working) == (1, 7)
    assert other.usd_per_month == pytest.approx(min((b + 1) * (24 / b + 0.25) for b in range(1, 40)) / 24 * 730.0)
    assert compared_rent(case, found.option) == (pytest.approx(best.usd_per_month), "L40S")
    assert (found.ways[0].name, found.ways[0].usd) == (FOR_THE_WORK, pytest.approx(best.usd_per_month))
    for full in (False, True):
        said = " ".join(size_text(found, full=full).split())
        assert ("7 replicas and 1 spare of 1 x L40S fp8, RunPod, for the hours of work alone: $765 a month. Paid all day and"
                " all month the 1 replica and 1 spare that the load needs cost $2,336.") in said
        assert "; the first's 0.655 are 8 GPUs for 1.96 of 24 hours" in said  # 8 x 1.96 / 24
    assert "A day's requests take 1.96 hours of this fleet" in " ".join(size_text(found).split())


def test_size_rounds_to_the_steps_of_a_bill_as_compare_does_and_says_where_there_are_none_to_round(file):
    """Seven L40S and a spare for two started hours: 12 hours of work are 1.71 of seven, and a quarter to start."""
    case = resolved(file, *BATCH, CAPACITY, *RENTS, *STEADY, "serving.billing_hours=1")
    found = size_service(case, frontier=False)
    best = found.plans[0]
    assert best.usd_per_month == pytest.approx(8 * 2 / 24 * 1.6 * 730)
    assert compared_rent(case, found.option)[0] == pytest.approx(best.usd_per_month)
    said = resolved(file, "serving.billing_hours=1").warnings
    assert any(line.startswith("serving.billing_hours moves nothing") for line in said)
    said = resolved(file, "serving.autoscale_floor=3").warnings
    assert any(line.startswith("serving.autoscale_floor moves nothing") for line in said)


def test_a_fleet_that_follows_the_hours_leads_with_their_mean_as_compare_pays_it(file):
    case = resolved(file, "serving.autoscale=true", "workload.requests_per_day=2000000", *STEADY)
    found = size_service(case, frontier=False)
    best = found.plans[0]
    assert best.runs == BY_THE_HOUR
    assert best.usd_per_month < best.fleet.usd_per_month
    assert best.usd_per_month_fast <= best.usd_per_month <= best.usd_per_month_slow
    assert compared_rent(case, found.option)[0] == pytest.approx(best.usd_per_month)
    said = " ".join(size_text(found).split())
    assert f", autoscaled by the hour: ${best.usd_per_month:,.0f} a month. Paid all day" in said
    assert "Other ways than the first plan autoscaled by the hour, USD a month at today's volume: for the peak, all day" in said


def test_what_is_committed_runs_all_day_whatever_follows_the_hours(file):
    rent = "gpu_rents=[{gpu: L40S, vendor: RunPod, usd_per_gpu_hour: 1.6, minimum_months: 36}]"
    case = resolved(file, *BATCH, L40S, rent, *STEADY)
    best = size_service(case, frontier=False).plans[0]
    assert (best.runs, best.usd_per_month) == (ALL_DAY, best.fleet.usd_per_month)


def test_the_rent_of_compare_is_told_where_more_than_drift_parts_it_from_today_s(file):
    """With 44% a year the L40S holds the peak with one replica more from some month on: the drift alone does not say that."""
    grown = size_service(resolved(file, "workload.growth_per_year=0.44"), frontier=False)
    rent = grown.compared
    assert rent.usd_per_month > 1.01 * rent.drifted_usd_per_month
    said = " ".join(size_text(grown).split())
    assert f"(roi compare: ${rent.usd_per_month:,.0f} in a mean month, as volume and rent change)" in said
    assert "as rents drift" not in said
    steady = size_service(resolved(file, "workload.growth_per_year=0.44", "drift.gpu_rent_per_year=0"), frontier=False)
    assert "in a mean month, as volume changes)" in " ".join(size_text(steady).split())
    flat = size_service(resolved(file, "workload.growth_per_year=0"), frontier=False)
    assert flat.compared.usd_per_month == pytest.approx(flat.compared.drifted_usd_per_month)
    assert f"a month (roi compare: ${flat.compared.usd_per_month:,.0f} in a mean month, as rents drift)" in " ".join(
        size_text(flat).split())


def test_another_plan_of_compare_s_is_named(file):
    """Today 2.5/s are one L4 all day, $730, and an L40S costs $1,168. With 44% a year two L4 are needed at once, three from the
    14th month on and more from the 33rd, and the L40S is enough for 24 months: compare takes that."""
    asked = ("workload.peak_to_mean=1", "workload.requests_per_day=216000", "serving.headroom=0", "serving.spares=0",
             "workload.growth_per_year=0.44", "drift.gpu_rent_per_year=0", "workload.ttft_p95_s=20", "workload.tpot_p95_s=1")
    found = size_service(resolved(file, *asked, CAPACITY, *RENTS), frontier=False)
    assert (found.plans[0].gpu, found.plans[found.compared.plan].gpu) == ("L4", "L40S")
    said = " ".join(size_text(found).split())
    assert f"(over its months roi compare finds 1 x L40S fp8, RunPod cheaper: ${found.compared.usd_per_month:,.0f} in a" in said


def test_a_trace_of_work_that_waits_is_paid_for_its_hours(file, tmp_path):
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n"
                                    + "".join(f"{10 * k},300,20\n" for k in range(61)), encoding="utf-8")
    found = size_service(resolved(file, *BATCH), trace=read_trace(tmp_path / "t.csv"), frontier=False)
    best = found.plans[0]
    assert (best.runs, found.ways[0].name, found.compared) == (FOR_THE_WORK, FOR_THE_WORK, None)
    assert found.ways[0].usd == best.usd_per_month < 0.1 * best.fleet.usd_per_month


def test_where_everything_waits_a_fleet_must_answer_as_much_as_is_asked(file):
    """1.3 times what one replica answers: two do, one would let the queue grow for good, however long any of it may wait."""
    alone = size_service(resolved(file, *BATCH), frontier=False).plans[0].alone_requests_per_s
    found = size_service(resolved(file, *BATCH, f"workload.requests_per_day={1.3 * 86_400 * alone:.0f}"), frontier=False)
    best = found.plans[0]
    assert [(fleet.replicas, fleet.holds) for fleet in best.fleets] == [(1, False), (2, True)]
    assert "A replica less, 1 in place of 2, would not answer as much as is asked: TTFT" in " ".join(size_text(found).split())


@pytest.mark.parametrize(("a_day", "waits", "usd"), [
    (200, 0.25, 115), (14_400, 0.25, 161), (200, 1.0, 29), (14_400, 1.0, 76)])
def test_a_gpu_by_the_second_costs_its_starts_and_the_work_as_docs_size_says(file, a_day, waits, usd):
    """Starts of 0.02 hours, 24 / waits, and requests / 5 seconds, at $1.95: 96 x 0.02 + 40 / 3600 = 1.93 hours, $114.54."""
    stated = ("gpu_rents=[{gpu: L40S, vendor: serverless, usd_per_gpu_hour: 1.95}]", "candidates.vendors=[serverless]",
              "candidates.gpus=[L40S]", "serving.autoscale=true", "serving.autoscale_floor=0", "serving.startup_hours=0.02",
              "workload.can_wait_share=1", f"workload.waits_hours={waits}", f"workload.requests_per_day={a_day}",
              "serving.headroom=0", L40S, *STEADY)
    found = size_service(resolved(file, *stated), frontier=False)
    best, hours = found.plans[0], 24 / waits * 0.02 + a_day / 5 / 3600
    assert (best.runs, best.spares, best.vendor) == (FOR_THE_WORK, 0, "serverless")
    assert best.usd_per_month == pytest.approx(hours * 1.95 * 365 / 12)
    assert round(best.usd_per_month) == usd
    assert f"${usd}" in (Path(__file__).parents[2] / "docs/size.md").read_text(encoding="utf-8")
