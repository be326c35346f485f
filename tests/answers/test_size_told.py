"""What `roi size` says beside its figures: what else would do, what it is of, and how it goes on."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from quiet_scenario import world
from sizing_support import size_text, sized, sized_scenario
from step_simulator import DESIGN, Truth, simulate

from roi.answers.size import on_trace, size_service
from roi.answers.size_ways import _api_alone
from roi.economics.decision.comparison import compare
from roi.economics.decision.weighing import settle
from roi.evidence.known_runs import known_runs
from roi.report.comparison.screen import comparison_text
from roi.report.layout.wording import figure
from roi.report.serving.size import size_json
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.store.profiles.lookup import load_profiles, save_profile
from roi.store.traces import read_trace


@pytest.fixture
def file(tmp_path):
    return sized_scenario(tmp_path)


def test_a_reason_of_several_cards_is_said_once(file):
    found = sized(file, "candidates.gpus=[L40S,mi300x-192gb]", "candidates.vendors=[]", "serving.engine=tensorrt-llm",
                  frontier=False)
    two = replace(found, left_out=(*found.left_out, "T4", "MI325X-256GB"),
                  left_out_why=(*found.left_out_why, "too small", *found.left_out_why))
    said = " ".join(size_text(two).split())
    assert "No plan on MI300X-192GB, MI325X-256GB: tensorrt-llm runs on NVIDIA GPUs alone; name another" in said
    assert "No plan on T4: too small" in said


def test_five_reasons_why_cards_have_no_plan_leave_the_screen_its_40_lines_and_stand_in_full(file):
    why = tuple(f"reason {k}, " + "which takes a good deal of room on a terminal of eighty columns, as such reasons do " * 4
                for k in range(5))
    found = replace(sized(file, "candidates.gpus=[L40S]", frontier=False), left_out=tuple("ABCDE"), left_out_why=why)
    text, whole = size_text(found), " ".join(size_text(found, full=True).split())
    assert text.count("\n") < 40
    assert re.search(r"No plan on (C, D, E|D, E|E): --full says why", " ".join(text.split()))
    assert all(f"No plan on {name}: reason {k}," in whole for k, name in enumerate("ABCDE"))


def test_of_several_plans_it_is_said_that_beaten_ones_are_not_listed(file):
    """As H100 of Modal at $3.95, which MI300X of RunPod at $3.49 beat with a larger capacity, and no line named them."""
    several = sized(file, "candidates.gpus=[]", "candidates.vendors=[]", frontier=False)
    one = replace(several, plans=several.plans[:1])
    told = "Not listed: plans that another beats in rent and capacity alike, and those that the closed form puts behind nine"
    assert [told in " ".join(size_text(each, full=True).split()) for each in (several, one)] == [True, False]


def test_an_untrained_model_in_the_place_of_its_adapter_says_why(file):
    """LoRA of 120 billion parameters fits on no A100, which RunPod rents one by one and which serves the base in 4 bits; of
    qwen3-8b the adapter is sized.
    """
    big = sized(file, "candidates.self_hosted=[gpt-oss-120b]", "candidates.methods=[lora]", "candidates.gpus=[A100-80GB-SXM]",
                "candidates.vendors=[RunPod]", "serving.weight_dtypes=[mxfp4]", frontier=False)
    assert big.system == "gpt-oss-120b"
    for full in (False, True):
        assert "gpt-oss-120b is untrained here; tuned it is out: " in size_text(big, full=full)
    assert big.untrained in " ".join(size_text(big).split())
    assert sized(file, "candidates.methods=[lora]", frontier=False).untrained is None
    assert sized(file, frontier=False).untrained is None


def test_a_trace_says_that_the_api_alone_costs_less_as_the_scenario_does(file, tmp_path):
    """A call in ten seconds with 300 tokens in and 20 out: the API's bill is the trace's rate for 730 hours, far below a GPU's
    rent; the same scenario without the trace says so too."""
    few = ("workload.requests_per_day=8640", "workload.input_tokens=300", "workload.output_tokens=20")
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n"
                                    + "".join(f"{10 * k},300,20\n" for k in range(61)), encoding="utf-8")
    traced, stated = sized(file, *few, trace=read_trace(tmp_path / "t.csv")), sized(file, *few)
    fleet, api = traced.ways
    assert (fleet.usd, api.gpus) == (traced.plans[0].fleet.usd_per_month, 0.0)
    assert api.usd / traced.mean_requests_per_s == pytest.approx(stated.ways[-2].usd / stated.mean_requests_per_s)
    for full in (False, True):
        said = " ".join(size_text(traced, full=full).split())
        assert f"The API alone costs less than every fleet here (${api.usd:,.0f} against ${fleet.usd:,.0f} a month)" in said
        assert "The API alone costs less than every way here with a GPU" in " ".join(size_text(stated, full=full).split())


def test_the_rent_says_by_how_much_that_of_compare_drifts(file):
    """Drift of 21% a year over 12 months: the mean of 1.21^(m/12), m = 0 to 11, is 1.0959; without drift nothing is said."""
    steady = "{value: 0.21, low: 0.21, high: 0.21}"
    drifting = sized(file, f"drift.gpu_rent_per_year={steady}", "horizon_months=12", frontier=False)
    assert drifting.rent_level == pytest.approx(sum(1.21 ** (m / 12) for m in range(12)) / 12)
    said = " ".join(size_text(drifting).split())
    assert f"a month (roi compare: ${drifting.compared.usd_per_month:,.0f} in a mean month, as rents drift)" in said
    flat = sized(file, "drift.gpu_rent_per_year=0", frontier=False)
    assert "rents drift" not in size_text(flat)


@pytest.mark.usefixtures("whole_days")
def test_a_fleet_that_is_needed_holds_though_a_request_is_longer_than_a_replica_holds_and_that_is_told(file):
    """Prompts of 1,000 tokens and exponential 8,000 behind them: the longest of the 600 that a replica is judged by fits an
    RTX-4090, that of 1,200 does not, and is one of those that may be slow. `compare` says so too."""
    asked = ("workload.input_tokens=9000", "workload.output_tokens=300", "workload.requests_per_day=20000",
             "workload.ttft_p95_s=3", "workload.shared_prefix_tokens=1000", "workload.cache_hit_rate=0.7",
             "workload.can_wait_share=0.4", "candidates.gpus=[RTX-4090]", "candidates.vendors=[]")
    found = sized(file, *asked)
    best = found.plans[0]
    assert 0.95 < best.fleet.load.served < 1.0
    told = [line for line in resolve(load_scenario(file, asked)).warnings if "refuses requests longer than it holds" in line]
    assert [line.split(":")[0] for line in told] == ["qwen3-8b"]
    assert all(fleet.holds for fleet in best.fleets if fleet.replicas >= best.replicas)
    for full in (False, True):
        assert f"% on 1 x RTX-4090 {best.weight_dtype}" in " ".join(size_text(found, full=full).split())
    assert "longer than a replica holds" not in size_text(sized(file, frontier=False), full=True)


@pytest.mark.full
@pytest.mark.usefixtures("whole_days")
def test_the_peak_is_told_as_it_is_and_beside_it_what_is_left_to_hold_after_what_can_wait(file):
    """200,000 a day are 2.315 a second, three times as many at the peak 6.944; 0.6 of them 4.167, and no less than the mean."""
    for share, hold in ((0.0, ""), (0.4, "4.17"), (0.9, "2.31")):
        found = sized(file, f"workload.can_wait_share={share}", frontier=False)
        assert found.peak_requests_per_s == pytest.approx(200_000 / 86_400 * 3)
        told = f", {hold} left to hold after what can wait; prompts" if hold else "; prompts"
        for full in (False, True):
            said = " ".join(size_text(found, full=full).split())
            assert f"Today's peak: 6.94 requests a second (mean 2.31){told}" in said
        assert found.day.by_hour_requests_per_s[0] <= found.hold_requests_per_s * (1 + 1e-9)
        assert ("hourly shape, what can wait in its quietest hours, " in said) == bool(hold)


def test_a_peak_from_the_hours_of_the_day_says_what_is_put_on_within_the_busiest_one(file):
    """Noon has 46 of 552, twice the mean; x 1.5 within it gives three times the mean, 6.944 a second."""
    hours = f"workload.hourly_weights={[22] * 12 + [46] + [22] * 11}"
    found = sized(file, "workload.peak_to_mean=null", hours, frontier=False)
    assert found.peak_requests_per_s == pytest.approx(200_000 / 86_400 * 3)
    told = "(mean 2.31; 3 x the mean: the busiest hour 2 x, within it x 1.5"
    for full in (False, True):
        said = " ".join(size_text(found, full=full).split())
        assert f"{told}, assumed: workload.peak_to_mean would state the whole)" in said
    assert f"{told})" in " ".join(size_text(sized(file, hours, frontier=False)).split())


def test_a_usual_peak_that_stands_in_for_what_nobody_said_is_told_as_such(file):
    """As where a log has dates alone: 3 times the mean."""
    told = "(mean 2.31; 3 x the mean, a usual peak, assumed: workload.peak_to_mean would state it)"
    for full in (False, True):
        assert told in " ".join(size_text(sized(file, "workload.peak_to_mean=null", frontier=False), full=full).split())


def test_requests_in_flight_are_told_beside_the_load(file):
    """By Little's law: the rate times the mean time until the last token."""
    found = sized(file, frontier=False)
    in_flight = figure(found.plans[0].fleet.load.in_flight)
    for full in (False, True):
        assert f"At 6.94 requests a second, {in_flight} in flight: TTFT" in " ".join(size_text(found, full=full).split())


LONG_ANSWERS = ("workload.input_tokens=2500", "workload.output_tokens=300", "workload.peak_to_mean=4",
                "workload.ttft_p95_s=1.5", "candidates.vendors=[]", "serving.spares=0", "serving.headroom=0")


def test_one_replica_that_its_capacity_holds_and_a_longer_replay_breaks_is_told(file):
    """40,000 a day peak at 1.85 a second, below the 2.05 that 600 requests hold; 1,200 have the 95th percentile at 51 ms."""
    found = sized(file, *LONG_ANSWERS, "workload.requests_per_day=40000", frontier=False)
    assert [(plan.replicas, plan.fleet.holds) for plan in found.plans] == [(1, False)]
    said = " ".join(size_text(found).split())
    assert "No plan holds in a replay of its fleet; the cheapest: 1 replica of 1 x L40S fp8" in said
    roomy = sized(file, *LONG_ANSWERS, "workload.requests_per_day=40000", "serving.headroom=0.2", frontier=False)
    assert [(plan.replicas, plan.fleet.holds) for plan in roomy.plans] == [(2, True)]


def test_a_fleet_of_the_law_that_breaks_in_its_replay_is_never_the_cheapest_that_holds(file):
    """At 90,000 a day two L40S without headroom would be cheaper than two A100; replayed, their TPOT is above 50 ms."""
    both = sized(file, *LONG_ANSWERS, "workload.requests_per_day=90000", "candidates.gpus=[L40S,A100-80GB-SXM]")
    assert {(plan.gpu, plan.fleet.holds) for plan in both.plans} == {("A100-80GB-SXM", True), ("L40S", False)}
    assert [plan.gpu for plan in (both.plans[0], both.plans[-1])] == ["A100-80GB-SXM", "L40S"]
    assert both.plans[0].fleet.usd_per_month > min(plan.fleet.usd_per_month for plan in both.plans if not plan.fleet.holds)
    alone = sized(file, *LONG_ANSWERS, "workload.requests_per_day=90000", frontier=False)
    assert "Cheapest plan that holds" in size_text(both)
    broken = replace(both.plans[-1], usd_per_month_slow=1.0)
    assert "; there " not in size_text(replace(both, plans=(*both.plans[:-1], broken))).partition("How sure")[2]
    said = " ".join(size_text(alone).split())
    assert "No plan holds in a replay of its fleet; the cheapest: 2 replicas of 1 x L40S fp8" in said
    for found, full in ((both, False), (both, True), (alone, False)):
        said = " ".join(size_text(found, full=full).split())
        assert "Broken in a replay of the whole fleet, which roi compare pays for: 2 of 1 x L40S fp8, " in said
        assert "0% kept free is too little there." in said


def test_an_input_that_cannot_be_true_is_told_before_any_fleet_as_compare_does(file):
    """A busiest minute of 2,000 x the mean would hold more than all requests of the day, which has 1,440.

    No fleet depends on wages.
    """
    peak = ("workload.requests_per_day=20", "workload.peak_to_mean=2000", "people.wage_growth_per_year=3")
    wrong, meant = sized(file, *peak, frontier=False), sized(file, *peak, "accept=[peak]", frontier=False)
    assert [alarm.name for alarm in wrong.alarms] == ["peak"]
    for full in (False, True):
        _, first, *_ = size_text(wrong, full=full).splitlines()
        assert first.startswith("CORRECT FIRST  workload.peak_to_mean: the busiest minute holds 2,000 x the mean")
        assert "write accept: [peak] into the scenario" in size_text(wrong, full=full)
        assert "CORRECT FIRST" not in size_text(meant, full=full)


@pytest.mark.full
def test_a_fleet_with_hardly_anything_free_is_told_by_size_and_by_compare_alike(file):
    """40,000 a day take 91.8% of what one L40S holds by the law; with a spare, a fifth kept free or half of the load not so."""
    tight = (*LONG_ANSWERS, "workload.requests_per_day=40000", "draws=0")

    def both(*overrides):
        """Their words, and their JSON."""
        resolved = resolve(load_scenario(file, (*tight, *overrides)))
        found, c = size_service(resolved, frontier=False), compare(resolved.case)
        lead = next(o for o in c.options if o.id == found.option)
        c = replace(c, verdict=replace(c.verdict, leader=lead.id))
        assert lead.fleet.utilisation_peak == pytest.approx(found.plans[0].utilisation_peak)
        assert json.loads(size_json(found))["plans"][0]["little_free"] == lead.fleet.little_free
        screens = size_text(found), size_text(found, full=True), comparison_text(c, form="table", warnings=())
        return lead.fleet.little_free, [" ".join(text.split()) for text in screens]

    said, texts = both()
    assert said
    assert all("Little kept free: when fullest the load takes 91.8% of what the fleet of " in text for text in texts)
    assert all(" holds within the SLO; 8.9% more breaks it (serving.headroom)" in text for text in texts)
    for roomy in ("serving.spares=1", "serving.headroom=0.2", "workload.requests_per_day=20000"):
        said, texts = both(roomy)
        assert not said
        assert not any("Little kept free" in text for text in texts)
    by_hour = ("workload.requests_per_day=60000", "serving.autoscale=true")
    said, texts = both(*by_hour)  # the peak takes 66% of two replicas, an hour below it 99% of one
    assert said
    assert all("when fullest the load takes 99.3% of what the fleet of " in text for text in texts)
    said, texts = both(*by_hour, "serving.autoscale_floor=0", "workload.can_wait_share=1")  # more only takes longer
    assert not said
    assert not any("Little kept free" in text for text in texts)


def test_a_cache_that_is_nearly_full_is_told_of_engines_that_evict(file):
    """Answers of 2,000 tokens on L4s: 28 in flight on each hold 87% of its cache; 26% where twice the fleet is faster too."""
    full = ("workload.input_tokens=100", "workload.output_tokens=2000", "workload.peak_to_mean=4", "workload.ttft_p95_s=5",
            "workload.tpot_p95_s=0.2", "candidates.gpus=[L4]", "candidates.vendors=[]", "workload.requests_per_day=24000",
            "serving.spares=0")
    for others, known, said in ((("serving.headroom=0",), 0.872, True), (("serving.headroom=0.5",), 0.264, False),
                                (("serving.headroom=0", "serving.engine=tensorrt-llm"), None, False)):
        found = sized(file, *full, *others, frontier=False)
        kv_full = json.loads(size_json(found))["plans"][0]["fleet"]["kv_full"]
        assert kv_full == (known if known is None else pytest.approx(known, rel=0.05))
        for text in (size_text(found), size_text(found, full=True)):
            words = " ".join(text.split())
            assert ("KV cache 87.2% full at the peak: what is evicted and computed again is not counted." in words) == said


def test_an_api_alone_is_told_at_todays_price_with_the_one_that_is_announced():
    """1,000 x $0.75 + 100 x $3.75 a million, a request a second for a month: $2,956.50; doubled on 2027-01-01, in 38 days."""
    flash = "google/gemini-3.8-flash"
    w = world(candidates={"api_models": [flash], "cascade_first": [], "self_hosted": []})
    way, each = _api_alone(w.shared, w.options[f"cheaper-api:{flash}"], 1.0)
    assert (way.usd, each) == (pytest.approx(2956.5), pytest.approx(0.001125))
    assert way.note == "gemini-3.8-flash; 2 x that price in 1.2 months, announced"
    assert _api_alone(w.shared, w.options["stay"], 1.0)[0].note == "gpt-5.4"


@pytest.mark.parametrize("full", [False, True])
def test_a_minimum_of_replicas_is_said_to_set_their_number_where_the_load_needs_fewer(file, full):
    """The load needs one of two: with one 20% and more is free, so no fleet is tight; the floor of the hybrid is two."""
    found = sized(file, "serving.replicas_least=2", "workload.requests_per_day=50000")
    best = found.plans[0]
    assert (best.replicas, best.replicas_unbound) == (2, 1)
    assert best.replicas_exact < 1.0
    said = " ".join(size_text(found, full=full).split())
    assert "A replica less, 1 in place of 2, would still hold the SLO (serving.replicas_least asks for more): TTFT" in said
    assert "tight" not in said
    assert "kept free: " not in said
    if full:
        assert f"The load needs {best.replicas_exact:.2f}, serving.replicas_least asks for 2." in said
    floor = next(way for way in found.ways if way.name == "floor, the rest to the API")
    assert floor.replicas == 2.0
    usual = sized(file, "workload.requests_per_day=50000")
    assert next(way for way in usual.ways if way.name == floor.name).replicas <= 1.0
    assert usual.plans[0].replicas_unbound == usual.plans[0].replicas == 1


BURSTS = (
    ("workload={requests_per_day: 600000, input_tokens: 1800, output_tokens: 40, peak_to_mean: 8, ttft_p95_s: 0.25,"
     " tpot_p95_s: 0.015}"),
    "incumbent={provider: mistral, model: codestral-2508}", "candidates.self_hosted=[qwen2.5-7b]", "candidates.methods=[lora]",
    "candidates.base=true", "candidates.gpus=[]", "candidates.vendors=[]", "quality.bar=0.3", "quality.usd_per_error=0",
    ("quality.scores={codestral-2508: {value: 0.38, items: 2000}, qwen2.5-7b: {value: 0.33, items: 2000}, qwen2.5-7b+lora:"
     " {value: 0.39, items: 2000}}"),
)
"""As of a code completion whose peak is 8 times its mean: fixed fleets are dear, a floor on one large card is not."""


@pytest.mark.full
def test_the_floor_is_on_the_plan_that_compare_chooses_for_it_whatever_plan_is_first(file):
    """The first plan's own floor would be all of its instance of 8, $8,760, and no less than its fleet."""
    found = sized(file, *BURSTS, model="qwen2.5-7b", frontier=False)
    plan = settle(resolve(load_scenario(file, BURSTS)).case)[1]["hybrid:qwen2.5-7b"].plan
    [floor] = [way for way in found.ways if way.name.startswith("floor")]
    assert floor.name == f"floor on {plan.gpus_per_replica:g} x {plan.gpu}, {plan.vendor}, the rest to the API"
    assert plan.gpu != found.plans[0].gpu
    assert floor.usd < found.plans[0].usd_per_month


@pytest.mark.full
def test_of_several_systems_the_tested_one_that_costs_least_is_sized_and_said(file):
    """Both reach the bar: the adapter's training buys nothing where a wrong answer costs nothing. Untested, it is no choice."""
    both = sized(file, *BURSTS, frontier=False)
    assert (both.system, both.in_place_of) == ("qwen2.5-7b", "qwen2.5-7b+lora")
    said = " ".join(size_text(both).split())
    assert "costs least in roi compare; --model qwen2.5-7b+lora sizes the scenario's first." in said
    higher = sized(file, *BURSTS, "quality.bar=0.35", frontier=False)  # which the base misses
    assert (higher.system, higher.in_place_of) == ("qwen2.5-7b+lora", None)
    assert sized(file, *BURSTS, model="qwen2.5-7b", frontier=False).in_place_of is None


def test_on_a_trace_too_a_minimum_of_replicas_sets_their_number(file, tmp_path):
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n"
                                    + "".join(f"{10 * k},300,20\n" for k in range(61)), encoding="utf-8")
    found = sized(file, "serving.replicas_least=3", trace=read_trace(tmp_path / "t.csv"))
    assert (found.plans[0].replicas, found.plans[0].replicas_unbound) == (3, 1)
    assert "The load needs 1, serving.replicas_least asks for 3." in " ".join(size_text(found, full=True).split())


def test_that_more_is_asked_later_than_what_the_fleet_is_sized_for_is_said(file):
    """Two steps of x 2 are four times today's load from month 5 on."""
    found = sized(file, "workload.growth_per_year=0", "workload.steps=[{from_month: 3, ratio: 2}, {from_month: 5, ratio: 2}]",
                  frontier=False)
    said = "In month 5 requests are 4 x today's (workload.steps), for which this is no fleet: --set"
    assert said in " ".join(size_text(found).split())
    assert json.loads(size_json(found))["far_volume"] == {"month": 5, "times": 4.0, "fields": ["steps"]}
    grown = sized(file, "workload.growth_per_year=1", frontier=False)
    assert "x today's (workload.growth_per_year), for which" in " ".join(size_text(grown).split())
    assert json.loads(size_json(sized(file, frontier=False)))["far_volume"] is None


def test_that_the_api_above_a_floor_misses_the_slo_as_measured_is_said(file):
    """As `roi compare` says of staying: 0.6 s where 0.5 are asked; at 0.5 s, and where nobody measured it, nothing is."""
    for measured, missed in ((0.6, {"ttft_p95_s": 0.6}), (0.5, {}), ("null", {})):
        found = sized(file, "workload.ttft_p95_s=0.5", f"incumbent.ttft_p95_s={measured}", frontier=False)
        assert found.late_api == missed
        said = "The API misses the SLO: TTFT p95 0.6 s as measured, at most 0.5. So do all of it there and what a floor leaves"
        assert (said in " ".join(size_text(found).split())) == bool(missed)


def test_what_is_too_long_is_in_no_load_and_told_with_its_bill(tmp_path):
    """A twentieth of 86,400 requests a day, one a second, is of 60,000 tokens, which qwen3-8b does not take: 0.95 a second are
    left. 86,400 x 365/12 x 0.05 x (60,000 x $2 + 200 x $10 a million = $0.122) = $16,030.80 at claude-sonnet-5-5.
    """
    path = tmp_path / "long.yaml"
    path.write_text("""
as_of: 2026-11-24
workload:
  requests_per_day: 86400
  peak_to_mean: 2
  lengths:
    - {input_tokens: 1000, output_tokens: 200, share: 0.95}
    - {input_tokens: 60000, output_tokens: 200, share: 0.05}
incumbent: {provider: anthropic, model: claude-sonnet-5-5}
candidates: {self_hosted: [qwen3-8b], methods: [], gpus: [L40S], vendors: [RunPod]}
""", encoding="utf-8")
    found = sized(path, frontier=False)
    assert (found.mean_requests_per_s, found.peak_requests_per_s) == pytest.approx((0.95, 1.9))
    assert (found.prompt_tokens, found.output_tokens) == pytest.approx((1000.0, 200.0))
    assert found.sent_on is not None
    assert (found.sent_on.to, found.sent_on.longest_tokens) == ("claude-sonnet-5-5", 40_960)
    assert found.sent_on.usd_per_month == pytest.approx(16_030.80)
    told = "5% of all requests, longer than its context, 40,960 tokens with the answer, go to claude-sonnet-5-5: $16,031 a"
    assert told in " ".join(size_text(found).split())
    alone = next(way for way in found.ways if way.name == "all of it to the API")
    assert alone.api_usd == pytest.approx(0.95 * 3600 * 730 * (1000 * 2e-6 + 200 * 10e-6))
    assert json.loads(size_json(found))["sent_on"]["share_of_requests"] == 0.05


def test_a_fleet_without_an_slo_holds_a_load_and_its_cheaper_way_says_all_that_it_takes(file):
    """serving.autoscale_floor: 0 alone moves nothing, since without serving.autoscale GPUs exist all day."""
    text = size_text(sized(file, "workload.can_wait_share=1", "candidates.gpus=[L40S]"), full=True)
    words = " ".join(text.split())
    assert "once a day; serving: {autoscale: true, autoscale_floor: 0}" in words
    assert "of the requests a second that a fleet holds are kept free" in words
    assert "that hold the SLO" not in words
    assert "  load\n" in text
    assert "  SLO\n" not in text


def test_reasoning_that_nobody_stated_of_the_model_is_told_where_todays_has_some(file):
    """Today's writes 6,000 tokens beside its answer: a fleet for the answer alone may be far too small."""
    reasons = "tokens.gpt-6-luna.reasoning_tokens=6000"
    found = sized(file, reasons, frontier=False)
    told = f"{found.system} is sized without reasoning tokens, today's model has 6,000 a request (tokens.{found.system}."
    assert told in " ".join(size_text(found).split())
    for stated in ((), (reasons, f"tokens.{found.system}.reasoning_tokens=0")):
        assert "without reasoning" not in size_text(sized(file, *stated, frontier=False))


def test_a_plan_at_a_spot_price_says_so_and_what_it_leaves_out(file):
    """Where requests come that cannot wait, spot is refused, and why is told."""
    found = sized(file, "candidates.vendors=[]", "candidates.spot=true", "workload.can_wait_share=1", frontier=False)
    said = " ".join(size_text(found).split())
    assert found.plans[0].rental == "spot"
    assert f"{found.plans[0].vendor} spot: $" in said
    assert "Not counted: interruptions of spot instances" in said
    for changes, why in ((("workload.can_wait_share=0.5",), "not all can wait (workload.can_wait_share: 1)"),
                         (("workload.can_wait_share=1", "workload.waits_hours=8"), "the work has 8 hours, not a day")):
        told = resolve(load_scenario(file, ("candidates.spot=true", *changes))).warnings
        assert any(line.startswith("candidates.spot moves nothing") and why in line for line in told)


@pytest.mark.full
def test_a_trace_beyond_its_profile_is_told_by_its_own_calls_and_is_no_slower_than_what_is_published(file, tmp_path):
    """Twenty calls at once, and nothing for a second, of a server measured to 8 in flight. By the law two replicas of 0.52 of
    the capacity are four; bursts share three. Two steps of 8 after one another for each of 16 would take seven."""
    save_profile(simulate(Truth(a=12e-3), loads=[load for load in DESIGN if (load.concurrency or 0) <= 8], model="qwen3-8b",
                          gpu="L40S", engine="vllm", weight_dtype="fp8", kv_dtype="bf16"), tmp_path / "profiles")
    resolved = resolve(load_scenario(file), known_runs(load_profiles([tmp_path / "profiles"])))
    calls, draw = [], np.random.default_rng(1)
    for prompt, answer in zip(draw.integers(300, 900, 600), draw.integers(60, 180, 600), strict=True):
        calls.append(f"{len(calls) // 20},{prompt},{answer}\n")
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + "".join(calls), encoding="utf-8")
    trace = read_trace(tmp_path / "t.csv")
    sizing = size_service(resolved, trace=trace, frontier=False)
    [found], [of_means] = sizing.plans, resolve(on_trace(resolved.scenario, trace, 1.0), resolved.known).plans[sizing.option]
    assert found.in_flight > 1.1 * of_means.evidence.unmeasured.in_flight  # which has Poisson arrivals
    assert f"up to {found.in_flight:,.0f} in flight, measured to 8" in found.evidence
    assert (found.replicas_fast, found.replicas, found.replicas_slow) == (2, 2, 3)
