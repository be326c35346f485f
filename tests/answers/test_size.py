"""`roi size`: the fleet that keeps the SLO, never smaller for more load or a tighter SLO, and how it is told."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from asked import ask
from sizing_support import size_text, sized, sized_scenario
from step_simulator import Truth, simulate

from roi.answers.size import on_trace, size_file, size_service
from roi.errors import InputError
from roi.evidence.known_runs import known_runs
from roi.facts.fact import Basis
from roi.report.layout.wording import figure, percent
from roi.report.serving.size import frontier
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario
from roi.store.profiles.lookup import load_profiles, save_profile
from roi.store.traces import read_trace


@pytest.fixture
def file(tmp_path):
    return sized_scenario(tmp_path)


@pytest.mark.full
@pytest.mark.usefixtures("whole_days")
def test_the_screen_needs_no_fleets_but_the_one_that_holds_and_one_with_a_replica_less(file):
    whole, short = sized(file), sized(file, frontier=False)
    assert size_text(short) == size_text(whole)
    for plan, all_of_it in zip(short.plans, whole.plans, strict=True):
        assert {fleet.replicas for fleet in plan.fleets} == {plan.replicas, max(plan.replicas - 1, 1)}
        assert set(plan.fleets) < set(all_of_it.fleets)


def test_the_fleet_holds_the_slo_at_the_peak_and_is_what_compare_pays(file):
    """Peak 200,000 / 86,400 x 3 = 6.94 requests/s; GPUs = replicas + 1 spare; rent = GPUs x price x 730."""
    found = sized(file)
    plan = found.plans[0]
    assert found.peak_requests_per_s == pytest.approx(6.944, rel=1e-3)
    assert plan.fleet.holds
    assert plan.fleet.gpus == plan.replicas + 1
    assert plan.fleet.usd_per_month == pytest.approx(plan.fleet.gpus * plan.usd_per_gpu_hour * 730)
    assert plan.replicas_fast <= plan.replicas <= (plan.replicas_slow or 10**9)
    assert found.ways[0].gpus == plan.fleet.gpus
    assert found.ways[0].rent_usd == pytest.approx(plan.fleet.usd_per_month)


def test_replicas_never_fall_when_the_load_grows(file):
    volumes = (1_000, 50_000, 200_000, 400_000, 1_500_000)
    needed = [sized(file, f"workload.requests_per_day={n}").plans[0].replicas for n in volumes]
    assert needed == sorted(needed)
    assert needed[-1] > needed[0]


@pytest.mark.parametrize(("field", "limits"), [
    ("tpot_p95_s", (0.2, 0.12, 0.08, 0.05, 0.035, 0.03)),
    pytest.param("ttft_p95_s", (5.0, 2.0, 1.0, 0.4, 0.25), marks=pytest.mark.full),
])
def test_replicas_never_fall_when_the_slo_tightens(file, field, limits):
    """At the central speed and at both of its ends."""
    plans = [sized(file, f"workload.{field}={x}", "workload.requests_per_day=1000000").plans[0] for x in limits]
    for name in ("replicas", "replicas_fast", "replicas_slow"):
        needed = [getattr(plan, name) or 10**9 for plan in plans]
        assert needed == sorted(needed), name


def test_replicas_of_a_trace_never_fall_when_it_runs_faster(file, tmp_path):
    rows = "".join(f"{k * k / 40:.3f},{200 + 37 * (k % 9)},{20 + 11 * (k % 7)}\n" for k in range(400))
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    trace = read_trace(tmp_path / "t.csv")
    needed = [sized(file, trace=trace, times=x).plans[0].replicas for x in (1.0, 30.0, 100.0, 300.0)]
    assert needed == sorted(needed)
    assert needed[-1] > needed[0]


def test_a_trace_is_replayed_by_the_server_and_not_by_a_capacity_that_is_stated(file, tmp_path):
    """At 0.5 requests/s a replica it takes as many, in the same interval, as without; only the scenario's peak takes more."""
    rows = "".join(f"{k / 10:.1f},600,60\n" for k in range(200))
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    stated = "serving.capacities=[{model: qwen3-8b, gpu: L40S, requests_per_s: 0.5}]"
    own, other = (sized(file, *more, "candidates.gpus=[L40S]", trace=read_trace(tmp_path / "t.csv")).plans[0]
                  for more in ((), (stated,)))
    assert [(p.replicas, p.replicas_fast, p.replicas_slow, p.basis) for p in (own, other)] == [
        (own.replicas, own.replicas_fast, own.replicas_slow, own.basis)] * 2
    assert other.basis != "stated"
    assert other.evidence == f"{own.evidence}; serving.capacities.0.requests_per_s is not taken: a trace is replayed"
    assert "as stated" not in other.source


def test_each_fleet_of_the_frontier_is_dearer_and_faster_than_the_one_before(file):
    fleets = [fleet for _, fleet in frontier(sized(file, "candidates.gpus=[L40S,H100-80GB-SXM]"))]
    assert len(fleets) > 1
    assert all(a.usd_per_month < b.usd_per_month for a, b in pairwise(fleets))
    assert all(a.load.e2e_p95_s > b.load.e2e_p95_s for a, b in pairwise(fleets))


def test_waiting_and_following_the_day_never_cost_more_than_the_peak_all_day(file):
    found = {w.name: w.usd for w in sized(file, "workload.requests_per_day=2000000").ways}
    peak = found.pop("for the peak, all day")
    assert all(usd <= peak for name, usd in found.items() if "API" not in name)


def test_a_floor_where_everything_waits_is_no_larger_than_the_fleet_for_the_peak(file):
    """Everything waits, so the mean is all that either must hold: the floor runs without the spare, and spills nothing.

    The API costs $10 a thousand requests, so that a floor is worth its rent up to where it spills nothing.
    """
    dear = ("incumbent.model=gpt-6-sol", "workload.input_tokens=4000", "workload.requests_per_day=2000000", "serving.spares=1")
    found = {w.name: w for w in sized(file, "workload.can_wait_share=1", *dear).ways}
    peak, floor = found["for the peak, all day"], found["floor, the rest to the API"]
    assert floor.gpus == peak.gpus - 1
    assert floor.spilled == pytest.approx(0.0, abs=1e-12)


def test_where_everything_waits_a_cheaper_way_is_told_at_the_top_and_no_spare_is_paid(file):
    """GPUs for the hours of work alone: they stood among the other ways below the table, beside a first plan of twice that."""
    found = sized(file, "workload.can_wait_share=1", frontier=False)
    way = next(w for w in found.ways if w.name == "for the hours of work alone")
    assert found.plans[0].spares == 0
    assert way.usd < found.plans[0].usd_per_month
    told = f"Cheaper, since everything can wait: for the hours of work alone, ${way.usd:,.0f} a month (15 min to start once a"
    assert told in " ".join(size_text(found).split())
    assert "Cheaper, since" not in size_text(sized(file, frontier=False))


@pytest.mark.usefixtures("whole_days")
def test_the_table_fits_80_columns_and_says_what_it_rests_on(file):
    text = size_text(sized(file), full=True)
    assert max(map(len, text.splitlines())) <= 80
    assert "replay of qwen3-8b fp8 on 1 x L40S" in text
    assert "(SLO 1.00), TPOT p95" in " ".join(text.split())
    sections = ("Plans, cheapest first", "Ways to run", "Cost against latency", "What this rests on")
    assert [text.find(section) for section in sections] == sorted(text.find(section) for section in sections)
    assert all(section in text for section in sections)


@pytest.mark.full
@pytest.mark.usefixtures("whole_days")
@pytest.mark.parametrize("fields", [
    (), ("workload.requests_per_day=5000000",), ("workload.can_wait_share=1",),
    ("workload.requests_per_day=90000000", "candidates.gpus=[]", "candidates.vendors=[]"),
    ("serving.adapters=shared", "serving.adapters_on_base=4", "candidates.methods=[lora]", "candidates.vendors=[]",
     "candidates.gpus=[L4,L40S,H200-SXM,MI300X,T4,A10G]", "serving.tensor_parallel=[1,2,4]", f"title={60 * 'ab '}"),
])
def test_the_answer_stands_first_in_at_most_40_lines_of_80_columns(file, fields):
    """The cheapest plan with its spares and USD a month; then the load that it holds, TTFT, TPOT and how busy it is."""
    found = sized(file, *fields)
    lines, best = size_text(found).splitlines(), found.plans[0]
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    head = " ".join(" ".join(lines[1:12]).split())
    assert f"Cheapest plan that holds: {best.replicas} replica" in head
    spare = f" and {best.spares} spare" if best.spares else ""
    plan = f"{best.tensor_parallel} x {best.gpu} {best.weight_dtype}, {best.vendor}"
    assert f"replica{'s' * (best.replicas != 1)}{spare} of {plan}" in head
    assert f": ${best.fleet.usd_per_month:,.0f} a month" in head
    in_flight = figure(found.plans[0].fleet.load.in_flight)
    assert f"{figure(found.hold_requests_per_s)} requests a second, {in_flight} in flight: TTFT p95" in head
    assert f"busy {percent(best.fleet.load.utilisation)}" in head
    assert sum(" x " in line and line[0].isdigit() for line in lines) <= 5 + 2


def test_plans_give_way_to_what_is_left_out(file):
    found = sized(file, "candidates.gpus=[L4,L40S,H200-SXM,RTX-4090,H100-SXM]", "candidates.vendors=[]")
    names = ("T4", "P4", "P100", "V100", "A2")
    why = tuple(f"{name} needs a format that nobody has on it, and an engine of its own besides" for name in names)
    crowded = size_text(replace(found, left_out=names, left_out_why=why))
    assert len(crowded.splitlines()) <= 40 < len(size_text(found).splitlines()) + 2 * len(names)
    assert all(each in " ".join(crowded.split()) for each in why)


@pytest.mark.full
def test_how_sure_names_the_rent_at_both_ends_of_the_speed_and_who_is_cheapest_at_the_slow_one(file):
    """GPUs x price x 730 at both ends; at a TTFT of 0.4 s the cheapest card does not hold where it is slow, one H100 does."""
    found = sized(file)
    best, told = found.plans[0], " ".join(size_text(found).split())
    month = best.usd_per_gpu_hour * 730
    assert best.usd_per_month_fast == pytest.approx((best.replicas_fast + 1) * month)
    assert best.usd_per_month_slow == pytest.approx((best.replicas_slow + 1) * month)
    assert f"How sure: ${best.usd_per_month_fast:,.0f} a month where the engine is fast (P95), " in told
    assert f"${best.usd_per_month_slow:,.0f} where it is slow (P5)" in told
    short = size_service(resolve(load_scenario(None, ("workload.ttft_p95_s=0.4",))))
    assert short.plans[0].usd_per_month_slow is None
    told = " ".join(size_text(short).split())
    assert "and no fleet holds where it is slow (P5); there 1 of 1 x H100-80GB-SXM fp8, Modal cost least" in told


def test_prices_older_than_90_days_are_said_of_the_plans_shown_and_with_full_of_all():
    found = size_service(resolve(load_scenario(None)))
    for text, plans in ((size_text(found), found.plans[:5]), (size_text(found, full=True), found.plans)):
        told = re.search(r"[Oo]ld prices: ((?:[^(]*\(\d+ days\)(?:, )?)+)", " ".join(text.split()))
        old = {f"{plan.vendor} {plan.gpu} ({plan.price_days} days)" for plan in plans if plan.price_days > 90}
        assert set(told[1].split(", ") if told else ()) == old
    assert old


def test_a_card_that_is_named_and_has_no_plan_is_said(file):
    found = sized(file, "candidates.gpus=[L40S,h100,L4]")
    assert set(found.left_out) == {"L40S", "H100-80GB-SXM", "L4"} - {plan.gpu for plan in found.plans}
    assert found.left_out
    assert set(found.left_out_why) == {"no vendor of the scenario rents it"}
    assert f"No plan on {found.left_out[0]}: no vendor of the scenario rents it" in size_text(found)


def test_each_card_without_a_plan_has_its_own_reason(file):
    """TensorRT-LLM is written in CUDA alone; fp8 weights need Ampere (Marlin), and T4 is of the generation before."""
    found = sized(file, "candidates.gpus=[L40S,mi300x-192gb,T4]", "candidates.vendors=[]", "serving.engine=tensorrt-llm",
                  "serving.weight_dtypes=[fp8]")
    why = dict(zip(found.left_out, found.left_out_why, strict=True))
    assert why == {"MI300X-192GB": "tensorrt-llm runs on NVIDIA GPUs alone; name another serving.engine or such a GPU",
                   "T4": "tensorrt-llm runs qwen3-8b in fp8 on none of T4; it runs there in fp16, int8, int4"
                         " (serving.weight_dtypes)"}


@pytest.mark.parametrize(("engine", "limits"), [
    ("tensorrt-llm", "8,192 tokens a step and 2,048 sequences at most (TensorRT-LLM's defaults"),
    ("sglang", "8,192 tokens a step and 1,024 sequences at most (SGLang's defaults"), ("vllm", "(vLLM's defaults"),
    ("other", "(vLLM's defaults"),
])
def test_limits_of_a_step_are_called_those_of_the_engine(file, engine, limits):
    assert limits in " ".join(size_text(sized(file, f"serving.engine={engine}"), full=True).split())


@pytest.mark.usefixtures("whole_days")
def test_the_command_writes_json(file):
    done = ask("size", file, "--format", "json")
    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout)
    assert body["schema"] == "roi.sizing/1"
    assert body["plans"][0]["fleet"]["load"]["ttft_p95_s"] <= body["slo"]["ttft_p95_s"]


def test_an_slo_is_null_in_json_where_everything_can_wait(file):
    done = ask("size", file, "--format", "json", "--set", "workload.can_wait_share=1")
    assert json.loads(done.stdout)["slo"] == {"ttft_p95_s": None, "tpot_p95_s": None}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "qwen4"], "--model: unknown self-hosted system of the scenario 'qwen4'; nearest: qwen3-8b"),
        (["--times", "2"], "--times speeds up a trace"),
        (["--trace", "none.csv"], "--trace: none.csv: cannot be read"),
        (["--set", "candidates.self_hosted=[]"], "candidates.self_hosted: names no model"),
        (["--set", "workload.tpot_p95_s=0.001"], "qwen3-8b: no plan holds"),
    ],
)
def test_bad_input_is_answered_in_one_line(file, options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = ask("size", file, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_plans_the_reason_is_the_options(file):
    """It names what the nearest plan reaches, rounded up: with that in place of the SLO it holds."""
    with pytest.raises(InputError, match="no plan holds") as told:
        sized(file, "workload.ttft_p95_s=0.001")
    reached = re.search(r"would under hardly any load at workload.ttft_p95_s ([\d.]+) s \(asked 0.001\)", str(told.value))
    assert reached is not None
    assert sized(file, f"workload.ttft_p95_s={reached[1]}", "workload.requests_per_day=100").plans


def test_a_model_whose_context_the_requests_exceed_is_not_sized(file, tmp_path):
    """600 + 120 tokens fit the 40,960 of qwen3-8b; 60,000 + 120 do not, as a mean or as each call of a trace."""
    with pytest.raises(InputError, match=r"qwen3-8b: a mean request of 60,120 tokens does not fit .* 40,960 tokens"):
        sized(file, "workload.input_tokens=60000")
    trace = tmp_path / "long.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{k},60000,120\n" for k in range(40)), "utf-8")
    with pytest.raises(InputError, match=r"--trace: 100% of the calls do not fit the context of qwen3-8b, 40,960 tokens"):
        sized(file, trace=read_trace(trace))


@pytest.mark.full
def test_a_profile_of_the_server_replaces_the_published_speed(file, tmp_path):
    """A server with steps of 20 ms + 0.1 ms a sequence: its capacity is measured, with the spread of the hold-out alone."""
    folder = tmp_path / "profiles"
    stated = {"model": "qwen3-8b", "gpu": "L40S", "engine": "vllm", "weight_dtype": "fp8", "kv_dtype": "bf16"}
    save_profile(simulate(Truth(a=20e-3), **stated), folder)
    opened = resolve(load_scenario(file), known_runs(load_profiles([folder])))
    case = opened.case
    path = str(case["options.self-hosted-base:qwen3-8b.plans.0.speed"].value)
    assert case[path].basis == Basis.MEASURED
    assert case[path].high / case[path].low < 1.3
    found = size_service(opened).plans[0]
    assert found.basis == "measured"
    assert "profile L40S/qwen3-8b/serve-" in found.source
    assert found.replicas_slow - found.replicas_fast <= 1
    published = sized(file).plans[0]
    assert published.alone_requests_per_s != pytest.approx(found.alone_requests_per_s, rel=0.05)


@pytest.mark.full
def test_the_engine_of_the_scenario_is_the_one_whose_speed_is_taken(file, tmp_path):
    """A profile of vLLM does not speak for SGLang, whose published runs are its own, nor for TGI, which has none."""
    folder = tmp_path / "profiles"
    stated = {"model": "qwen3-8b", "gpu": "L40S", "engine": "vllm", "weight_dtype": "fp8", "kv_dtype": "bf16"}
    save_profile(simulate(Truth(a=20e-3), **stated), folder)
    known = known_runs(load_profiles([folder]))
    for engine, said in (("vllm", "profile L40S/qwen3-8b"), ("sglang", "fitted efficiencies (sglang; nearest:"),
                         ("tgi", "fitted efficiencies (several engines; nearest:")):
        scenario = load_scenario(file, (f"serving.engine={engine}",))
        assert said in size_service(resolve(scenario, known)).plans[0].source


def test_an_engine_written_in_cuda_has_no_plan_on_amd(file):
    with pytest.raises(InputError, match="tensorrt-llm runs on NVIDIA GPUs alone; name another"):
        sized(file, "serving.engine=tensorrt-llm", "candidates.gpus=[MI300X]", "candidates.vendors=[]")


def test_a_trace_is_sized_by_the_fewest_replicas_that_hold_it(file, tmp_path):
    """Bursts are shared by all replicas: the fleet found holds with headroom, and it is no more than the fleet law asks for."""
    rows = "".join(f"{30 * (k // 60) + (k % 60) / 30:.3f},{400 + 97 * (k % 9)},{30 + 11 * (k % 7)}\n" for k in range(600))
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    found = sized(file, trace=read_trace(tmp_path / "t.csv"), times=6.0).plans[0]
    assert found.replicas_exact is None
    assert found.fleet.holds
    smaller = [fleet for fleet in found.fleets if fleet.replicas < found.replicas]
    assert all(fleet.load.tpot_p95_s >= found.fleet.load.tpot_p95_s for fleet in smaller)


def test_plans_are_sought_by_the_trace_where_no_plan_holds_the_scenarios_lengths(file, tmp_path):
    """Prompts of 30,000 tokens miss a TTFT of 0.5 s; the trace's of 300 do not, whatever the scenario says."""
    long = ("workload.input_tokens=30000", "workload.ttft_p95_s=0.5", "training.tokens_per_example=700")
    with pytest.raises(InputError, match=r"no plan holds; the nearest, .*ttft_p95_s [\d.]+ s \(asked 0\.5\)"):
        sized(file, *long)
    rows = "".join(f"{k / 4:.2f},{250 + 25 * (k % 5)},{20 + k % 3}\n" for k in range(400))
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    trace = read_trace(tmp_path / "t.csv")
    found = sized(file, *long, trace=trace)
    assert found.plans[0].fleet.holds
    assert (found.mean_requests_per_s, found.prompt_tokens) == pytest.approx((400 / 99.75, 300.0))
    laid = on_trace(load_scenario(file, long), trace, 3.0)
    assert laid == on_trace(laid, trace, 3.0)
    assert sum(b.share * b.input_tokens for b in laid.workload.lengths) == pytest.approx(300.0)
    assert laid.workload.requests_per_day == pytest.approx(3 * 86_400 * 400 / 99.75)
    assert laid.training.tokens_per_example == 700


def test_the_stated_prefix_is_found_as_often_as_the_trace_says(file, tmp_path):
    """60 cached tokens a call: all calls find a prefix of 60, three in ten one of 200. One of 40 or 600 is not the trace's."""
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens,cached_tokens\n0,400,9,120\n1,300,9,0\n", "utf-8")
    trace = read_trace(tmp_path / "t.csv")
    for stated, prefix, hit in ((0, 60.0, 1.0), (200, 200.0, 0.3), (40, 60.0, 1.0), (600, 60.0, 1.0)):
        w = on_trace(load_scenario(file, (f"workload.shared_prefix_tokens={stated}",)), trace, 1.0).workload
        assert (w.shared_prefix_tokens, w.cache_hit_rate) == pytest.approx((prefix, hit))


def test_a_call_longer_than_any_scenario_s_is_told(file, tmp_path):
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n0,400,9\n1,20000000,9\n", "utf-8")
    with pytest.raises(InputError, match=r"--trace: input_tokens 20,000,000 is not usable; at most 10,000,000"):
        sized(file, trace=read_trace(tmp_path / "t.csv"))


def test_cached_tokens_are_no_more_than_the_prompt(file, tmp_path):
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens,cached_tokens\n0,400,9,900\n1,200,9,100\n", "utf-8")
    w = on_trace(load_scenario(file, ("workload.shared_prefix_tokens=0",)), read_trace(tmp_path / "t.csv"), 1.0).workload
    assert (w.shared_prefix_tokens, w.cache_hit_rate) == ((400 + 100) / 2, 1.0)


def test_a_card_without_bf16_serves_no_bf16(file):
    with pytest.raises(InputError, match=r"in bf16 on none of T4; it runs there in fp16, int8, int4 \(serving"):
        sized(file, "candidates.gpus=[T4]", "candidates.vendors=[]", "serving.weight_dtypes=[bf16]")


def test_a_saved_comparison_is_no_scenario():
    with pytest.raises(InputError, match=r"comparison-751bca8\.json is a saved comparison; size takes a scenario"):
        size_file(Path(__file__).parents[1] / "data" / "comparison-751bca8.json")


def test_a_fleet_that_holds_without_the_headroom_is_tight_and_volume_by_the_bill_is_said(file):
    """A bill twice the estimate is twice the requests where all of the gap is volume; a plan's smaller fleets that hold at the
    peak without what is kept free are not what the plan needs."""
    found = sized(file)
    assert "by the bill" not in size_text(found)
    assert found.volume_factor == 1.0
    doubled = sized(file, "incumbent.bill_usd_per_month=100000", "incumbent.bill_is_volume_share=1", frontier=False)
    assert doubled.mean_requests_per_s == pytest.approx(found.mean_requests_per_s * doubled.volume_factor)
    assert f"x {figure(doubled.volume_factor)} volume by the bill in both" in " ".join(size_text(doubled).split())
    words = {(True, True): "holds", (True, False): "tight", (False, True): "broken", (False, False): "broken"}
    more = replace(found, plans=tuple(replace(
        plan, replicas=plan.replicas + 1, replicas_unbound=plan.replicas + 1) for plan in found.plans))
    for each in (found, more):
        text = size_text(each, full=True)
        rows = [line.split()[-1] for line in text.splitlines() if re.match(r"\d+ of \d x ", line)]
        assert rows == [words[fleet.holds, fleet.replicas >= plan.replicas] for plan, fleet in frontier(each)]
        assert ("tight" in rows) is (each is more) is ("tight: holds, with less than" in " ".join(text.split()))
