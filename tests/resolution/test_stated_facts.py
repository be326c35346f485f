"""What the user knows of GPUs, training and serving stands in for what the catalog says, and is told as stated."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet_scenario import ADAPTER, HYBRID, OWN, SELF, World, quiet

from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.economics.decision.comparison import compare
from roi.errors import InputError, ScenarioError, UnknownName
from roi.facts.case import Case, quantile
from roi.facts.fact import Basis
from roi.resolution.resolution import Resolved, resolve
from roi.scenario.file import check_scenario, load_scenario
from roi.scenario.quantity import Spread
from roi.scenario.yaml import parse_yaml

RENT = {"gpu": "h100-sxm", "vendor": "CoreWeave", "usd_per_gpu_hour": 1.25}
H100 = "H100-80GB-SXM"


def resolved(**changes: Any) -> Resolved:
    return resolve(check_scenario(quiet(changes)))


def plans(case: Case, id: str) -> list[dict[str, Any]]:
    """The values of each plan of an option."""
    found: list[dict[str, Any]] = []
    while f"options.{id}.plans.{len(found)}.gpu" in case:
        own = f"options.{id}.plans.{len(found)}."
        found.append({path.removeprefix(own): fact.value for path, fact in case.facts.items() if path.startswith(own)})
    return found


def test_what_may_be_left_out_has_its_unit_too_so_that_no_draw_of_a_share_is_above_one() -> None:
    """A hit rate of 0.9 (0.7 to 0.98): drawn in the log, one draw in a hundred would be above 1.01."""
    luna, hit = "openai/gpt-6-luna", {"value": 0.9, "low": 0.7, "high": 0.98}
    again = {"retrain_every_months": 6.0}
    case = resolved(apis={luna: {"cache_hit_rate": hit}}, platform={"total": 500.0}, training=again).case
    paths = (f"apis.{luna}.cache_hit_rate", "platform.total_usd_per_month", "training.retrain_every_months")
    assert [case[path].unit for path in paths] == ["share", "USD/month", "months"]
    assert float(quantile(np.array([0.99]), 0.7, 0.9, 0.98, case[paths[0]].unit)[0]) <= 1.0


def test_both_limits_of_latency_are_facts_of_the_case() -> None:
    case = resolved(workload={"ttft_p95_s": 0.7, "tpot_p95_s": 0.03}).case
    assert [(case[f"workload.{name}"].value, case[f"workload.{name}"].unit) for name in ("ttft_p95_s", "tpot_p95_s")] == [
        (0.7, "s"), (0.03, "s")]


# ---------------------------------------------------------------- rents


def test_a_stated_rent_takes_the_place_of_the_catalogs_of_that_card_and_vendor() -> None:
    """The one plan is $1.25 at CoreWeave, one fact for all options, as stated; the arithmetic shows it."""
    case = resolved(gpu_rents=[RENT], candidates={"vendors": ["CoreWeave"]}).case
    assert {p["vendor"] for p in plans(case, SELF)} == {"CoreWeave"}
    assert all(p["rent"] == "gpu_rents.0.usd_per_gpu_hour" and "usd_per_gpu_hour" not in p for p in plans(case, SELF))
    assert case["gpu_rents.0.usd_per_gpu_hour"].basis is Basis.STATED
    line = next(x for x in World(case).costed(SELF).costs.lines if x.name == "GPU rent")
    assert not isinstance(line.arithmetic, str)
    assert "x $1.25/GPU-h x 730 h" in line.arithmetic(0)
    assert "gpu_rents.0.usd_per_gpu_hour" in line.facts


def test_a_run_on_one_gpu_pays_for_the_whole_instance_that_is_rented() -> None:
    """Eight GPUs an instance: eight times the GPU-hours of the same run."""
    rents = [{**RENT, "vendor": "Colo", "gpus_per_instance": n} for n in (1, 8)]
    one, eight = (resolved(gpu_rents=[rent], candidates={"vendors": ["Colo"]}).case for rent in rents)
    path = f"options.{ADAPTER}.training.gpu_hours_per_run"
    assert eight[path].number() == pytest.approx(8.0 * one[path].number())


def test_a_vendor_that_the_catalog_does_not_know_may_rent() -> None:
    case = resolved(gpu_rents=[{**RENT, "vendor": "Colo & Sons"}], candidates={"vendors": ["Colo & Sons"]}).case
    assert plans(case, SELF)[0]["vendor"] == "Colo & Sons"


def test_a_commitment_and_its_end_are_stated_with_the_rent() -> None:
    """Taken although the candidates leave reserved instances out: it is the user's own."""
    rent = {**RENT, "minimum_months": 36, "cancel_usd": 700.0}
    case = resolved(gpu_rents=[rent], candidates={"vendors": ["CoreWeave"], "reserved": False}).case
    assert [(p["minimum_months"], p["cancel_usd"], p["rental"]) for p in plans(case, SELF)][:1] == [(36.0, 700.0, "reserved")]


def test_a_rent_has_one_spread_for_all_options() -> None:
    spread = {"value": 1.25, "low": 1.0, "high": 1.6, "source": "offer of 2026-11-20"}
    case = resolved(gpu_rents=[{**RENT, "usd_per_gpu_hour": spread}]).case
    fact = case["gpu_rents.0.usd_per_gpu_hour"]
    assert (fact.low, fact.high, fact.source) == (1.0, 1.6, "offer of 2026-11-20")
    assert [path for path in case.uncertain if "usd_per_gpu_hour" in path] == ["gpu_rents.0.usd_per_gpu_hour"]


def test_a_discount_lowers_every_rent_of_its_vendor() -> None:
    """A quarter off RunPod's."""
    stated = ({}, {"gpu_discounts": {"runpod": 0.25}})
    before, after = (resolved(candidates={"vendors": ["RunPod"]}, **more).case for more in stated)
    pairs = list(zip(plans(before, SELF), plans(after, SELF), strict=True))
    assert all(b["usd_per_gpu_hour"] == pytest.approx(0.75 * a["usd_per_gpu_hour"]) for a, b in pairs)
    fact = after[f"options.{SELF}.plans.0.usd_per_gpu_hour"]
    assert fact.basis is Basis.STATED
    assert "less 0.25 of it (scenario gpu_discounts.RunPod)" in fact.source
    with pytest.raises(UnknownName, match=r"gpu_discounts: unknown GPU vendor of the catalog 'Runpot'; nearest: RunPod"):
        resolved(gpu_discounts={"Runpot": 0.25})


def test_training_rents_at_the_stated_price_too() -> None:
    """Also at one with a commitment, which is the user's own."""
    for rent in (RENT, {**RENT, "minimum_months": 12}):
        fact = resolved(gpu_rents=[rent]).case[f"options.{ADAPTER}.training.usd_per_gpu_hour"]
        assert (fact.value, fact.basis) == (1.25, Basis.STATED)


def test_a_rent_that_the_candidates_leave_out_is_told() -> None:
    found = resolved(gpu_rents=[{**RENT, "gpu": "a100-80gb-sxm"}])
    assert [w for w in found.warnings if "gpu_rents.0 is not used" in w]


def test_a_wrong_card_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"gpu_rents\.0\.gpu: unknown GPU 'h10-sxm'; nearest: .*H100"):
        resolved(gpu_rents=[{**RENT, "gpu": "h10-sxm"}])


def test_lists_and_vendors_are_set_from_the_command_line() -> None:
    rent = "gpu_rents=[{gpu: h100-sxm, vendor: CoreWeave, usd_per_gpu_hour: 2.1}]"
    s = load_scenario(None, (rent, "gpu_discounts.Fly.io=0.1", "own_hardware.cards.A100-80GB-SXM=8"))
    assert (s.gpu_rents[0].usd_per_gpu_hour, s.gpu_discounts) == (2.1, {"Fly.io": 0.1})
    assert s.own_hardware.cards == {"A100-80GB-SXM": 8}
    again = load_scenario(None, (rent, "gpu_rents.0.usd_per_gpu_hour=1.9", "gpu_rents.0.usd_per_gpu_hour.low=1.5",
                                 "gpu_rents.0.usd_per_gpu_hour.high=2.5", "gpu_rents.0.minimum_months=12"))
    fee = again.gpu_rents[0].usd_per_gpu_hour
    assert isinstance(fee, Spread)
    assert (fee.value, fee.low, fee.high, again.gpu_rents[0].minimum_months) == (1.9, 1.5, 2.5, 12)
    for item in ("1", "first"):
        with pytest.raises(ScenarioError, match=r"this list has 1 items; name one by its number, the first is 0"):
            load_scenario(None, (rent, f"gpu_rents.{item}.usd_per_gpu_hour=1.9"))


# ---------------------------------------------------------------- owned cards


def owned(count: int = 4, **more: Any) -> Resolved:
    return resolved(own_hardware={"cards": {"a100-80gb-sxm": count}, "resale_usd_per_gpu": 5000.0, **more})


def test_owned_cards_are_plans_of_their_own_with_their_number_and_what_they_would_fetch() -> None:
    case = owned().case
    assert {(p["gpu"], p["gpus_owned"], p["vendor"]) for p in plans(case, OWN)} == {("A100-80GB-SXM", 4, "own")}
    assert case["own_hardware.resale_usd_per_gpu.A100-80GB-SXM"].value == 5000.0
    assert plans(case, "hybrid-own:qwen3-8b")[0]["gpu"] == "A100-80GB-SXM"
    assert f"options.{HYBRID}.plans.0.gpus_owned" not in case


def test_owned_cards_wait_for_no_delivery_and_need_no_installation() -> None:
    case = owned().case
    assert case[f"options.{OWN}.group"].value == "self_hosted"
    assert case["own_hardware.install_share"].value == case["own_hardware.host_usd_per_gpu"].value == 0.0
    assert f"options.{OWN}.plans.0.usd_per_gpu_hour" not in case


def test_cards_whose_worth_nobody_states_are_taken_as_two_years_old() -> None:
    """$15,000 new x 0.65 x 0.65 = $6,337.50; ends of price and of what is kept together."""
    fact = owned(resale_usd_per_gpu=None).case["own_hardware.resale_usd_per_gpu.A100-80GB-SXM"]
    assert (fact.value, fact.basis) == (pytest.approx(6337.5), Basis.ASSUMED)
    assert fact.low is not None
    assert fact.high is not None
    assert 3000 < fact.low < 4000  # exp(-sqrt(ln(0.7)^2 + (2 ln(0.5 / 0.65))^2)) = 0.53
    assert 9000 < fact.high < 12_000
    with pytest.raises(ScenarioError, match=r"own_hardware\.cards: 'L4'.*own_hardware\.resale_usd_per_gpu=\{L4: USD\}"):
        resolved(own_hardware={"cards": {"l4": 2}})


def test_each_card_may_have_its_own_worth() -> None:
    case = owned(cards={"l4": 2, "a100-80gb-sxm": 4}, resale_usd_per_gpu={"L4": 1500.0}).case
    worth = {path.rpartition(".")[2]: f.value for path, f in case.facts.items() if path.startswith("own_hardware.resale")}
    assert worth == {"L4": 1500.0, "A100-80GB-SXM": pytest.approx(6337.5)}
    with pytest.raises(UnknownName, match=r"own_hardware\.resale_usd_per_gpu: unknown card .*'T4'"):
        owned(resale_usd_per_gpu={"t4": 100.0})
    with pytest.raises(ScenarioError, match=r"own_hardware\.resale_usd_per_gpu: 5000\.0 .* in own_hardware\.cards"):
        owned(cards={})
    with pytest.raises(UnknownName, match=r"own_hardware\.cards: unknown GPU 'a10-80gb-sxm'; nearest: "):
        owned(cards={"a10-80gb-sxm": 4})


def test_too_few_cards_are_a_reason_and_a_hybrid_uses_what_is_there() -> None:
    """One card of 20 requests/s where the peak is 30: not possible; a floor of one, the rest to the API."""
    capacity = [{"model": "qwen3-8b", "gpu": "a100-80gb-sxm", "requests_per_s": 20.0}]
    found = resolved(own_hardware={"cards": {"a100-80gb-sxm": 1}}, workload={"requests_per_day": 864_000.0},
                     serving={"capacities": capacity})
    c = compare(found.case)
    reasons = {o.id: o.reason for o in c.infeasible}
    assert reasons[OWN].startswith("needs 2 x A100-80GB-SXM at the peak; owned: 1. ")
    hybrid = next(o for o in c.options if o.id == "hybrid-own:qwen3-8b")
    assert hybrid.fleet is not None
    assert (hybrid.fleet.replicas, hybrid.fleet.gpus) == (1.0, 1.0)
    c = compare(resolved(own_hardware={"cards": {"a100-80gb-sxm": 1}}, workload={"requests_per_day": 864_000.0},
                         serving={"capacities": capacity, "replicas_least": 2}).case)
    reasons = {o.id: o.reason for o in c.infeasible}
    assert reasons["hybrid-own:qwen3-8b"] == "needs 2 replicas (serving.replicas_least); the cards that are owned hold 1"


def test_a_replica_that_needs_more_cards_than_are_owned_or_than_a_server_has_says_which() -> None:
    """70B in 16 bit, 140 GB, holds no replica on one A100 of 80 GB, and on two no SLO of these."""
    def why(owned: dict[str, Any]) -> str:
        found = resolved(own_hardware=owned, candidates={"self_hosted": ["llama-3.3-70b"], "own_hardware": True},
                         serving={"weight_dtypes": ["bf16"]})
        return str(found.case["options.own-hardware:llama-3.3-70b.infeasible"].value)

    cards = {"cards": {"A100-80GB-SXM": 1}}
    assert re.fullmatch(r"a replica needs [248] x A100-80GB-SXM in one server; you own 1", why(cards))
    several = {"cards": {"A100-80GB-SXM": 8}, "gpus_per_server": 1}
    assert re.fullmatch(r"a replica needs [248] x A100-80GB-SXM in one server; own_hardware.gpus_per_server is 1", why(several))


def test_where_one_card_holds_the_model_and_is_too_slow_the_limit_is_named() -> None:
    """8B fits on one L4 and reads 4,000 tokens in more than half a second; where only pairs are asked for, not."""
    def why(**serving: Any) -> str:
        found = resolved(candidates={"self_hosted": ["llama-3.1-8b"], "gpus": ["L4"], "vendors": ["GCP"]}, serving=serving,
                         workload={"input_tokens": 4000.0, "output_tokens": 150.0, "ttft_p95_s": 0.5, "tpot_p95_s": 1.0})
        return str(found.case["options.self-hosted-base:llama-3.1-8b.infeasible"].value)

    short = "a replica needs 2 x L4 in one instance; the largest that these vendors rent has 1"
    assert why() == f"{short}, too slow for workload.ttft_p95_s"
    assert why(tensor_parallel=[2]) == short


def test_an_option_on_own_cards_trains_on_them_for_no_rent() -> None:
    """The rented option rents for it; where the card that trains is stated and not owned, all rent it."""
    path, adapter = "options.{}:qwen3-8b+lora.training.", "own-hardware"
    case = owned().case
    assert case[path.format(adapter) + "usd_per_gpu_hour"].value == 0.0
    assert case[path.format(adapter) + "gpu"].value == "A100-80GB-SXM"
    assert case[path.format("self-hosted-adapter") + "usd_per_gpu_hour"].number() > 0
    stated = resolved(own_hardware={"cards": {"a100-80gb-sxm": 4}}, training={"gpu": "h100-sxm"}).case
    assert stated[path.format(adapter) + "usd_per_gpu_hour"].number() > 0


# ---------------------------------------------------------------- capacity and spill


CAPACITY = {"model": "qwen3-8b", "gpu": "h100-sxm", "gpus": 2, "requests_per_s": {"value": 8.0, "low": 6.0, "high": 10.0}}


def test_a_stated_capacity_is_not_replayed_and_restricts_the_card_to_its_replica() -> None:
    case = resolved(serving={"capacities": [CAPACITY]}).case
    for id in (SELF, ADAPTER, HYBRID):
        assert {(p["gpu"], p["gpus_per_replica"], p["capacity_requests_per_s"], p["pooling"]) for p in plans(case, id)} == {
            (H100, 2, 8.0, 1.0)
        }
    fact = case[f"options.{SELF}.plans.0.capacity_requests_per_s"]
    assert fact.basis is Basis.STATED
    assert fact.source == "scenario serving.capacities.0: stated, not replayed; the SLO is not checked"
    told = "serving.capacities.0: 8 requests/s of qwen3-8b on 2 x h100-sxm are taken as stated; the SLO is not checked"
    assert told in resolved(serving={"capacities": [CAPACITY]}).warnings


def test_a_replayed_capacity_has_the_date_of_the_speed_that_it_rests_on() -> None:
    case = resolved().case
    held = [path for path in case if ".plans." in path and path.endswith(("requests_per_s", "pooling"))]
    assert len(held) > 2
    for path in held:
        speed = case[case[f"{path.rpartition('.')[0]}.speed"].value]
        assert case[path].date == speed.date
        assert speed.date is not None


def test_its_spread_is_that_of_the_capacity() -> None:
    """6 to 10 requests/s around 8: 0.75 to 1.25 of it, straight in between."""
    case = resolved(serving={"capacities": [CAPACITY]}).case
    path = "serving.capacities.0.speed"
    assert (case[path].low, case[path].high) == (0.75, 1.25)
    for speed in (0.75, 0.9, 1.25):
        assert float(World(case, **{path: speed}).options[SELF].plans[0].capacity) == pytest.approx(8.0 * speed)


def test_a_row_of_the_adapter_goes_before_that_of_its_base() -> None:
    rows = [{**CAPACITY, "requests_per_s": 8.0}, {**CAPACITY, "model": "Qwen3-8B+lora", "gpus": 1, "requests_per_s": 3.0}]
    case = resolved(serving={"capacities": rows}).case
    assert {p["capacity_requests_per_s"] for p in plans(case, SELF)} == {8.0}
    assert {(p["gpus_per_replica"], p["capacity_requests_per_s"]) for p in plans(case, ADAPTER)} == {(1, 3.0)}


@pytest.mark.parametrize(("change", "message"), [
    ({"model": "gpt-6-luna"}, r"serving\.capacities\.0\.model: unknown model .*'gpt-6-luna'"),
    ({"model": "qwen3-9b"}, r"serving\.capacities\.0\.model: unknown model .*'qwen3-9b'; nearest: .*qwen3-8b"),
    ({"gpu": "h200"}, r"serving\.capacities\.0\.gpu: unknown card .*'H200-141GB-SXM'; nearest: H100-80GB-SXM"),
])  # fmt: skip
def test_a_capacity_of_no_candidate_names_the_nearest(change: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        resolved(serving={"capacities": [{**CAPACITY, **change}]})


def test_a_replica_that_no_instance_holds_says_so() -> None:
    why = resolved(serving={"capacities": [{**CAPACITY, "gpus": 16}]}).case[f"options.{SELF}.infeasible"].value
    assert why == "no instance of these offers is as large as a replica of serving.capacities"


def test_a_stated_spill_is_what_a_hybrid_spills() -> None:
    case = resolved(serving={"capacities": [CAPACITY], "spill_share": 0.25}).case
    assert case["serving.spill_share"].basis is Basis.STATED
    costed = World(case)
    assert costed.options[HYBRID].spill_share == 0.25


# ---------------------------------------------------------------- training, people


def test_stated_hours_are_those_of_a_run_with_their_spread() -> None:
    case = resolved(training={"gpu_hours": {"value": 6.0, "low": 4.5, "high": 9.0}, "gpu": "h100-sxm"}).case
    fact, factor = case[f"options.{ADAPTER}.training.gpu_hours_per_run"], case["training.hours_factor"]
    assert (fact.value, fact.basis, factor.low, factor.high) == (6.0, Basis.STATED, 0.75, 1.5)
    assert case[f"options.{ADAPTER}.training.gpu"].value == H100


def test_hours_that_nobody_states_carry_the_day_of_the_fit_that_they_rest_on() -> None:
    case, fitted = resolved().case, training_efficiencies().overall.date
    paths = (f"options.{ADAPTER}.training.gpu_hours_per_run", "training.hours_factor.lora")
    assert {case[path].date for path in paths} == {fitted}


def test_a_method_of_wide_hours_widens_no_other_methods() -> None:
    """ia3's speed is of other methods' runs and wider; a line names its own method's fact; a Case of one fact for all loads."""
    model, methods = ADAPTER.rpartition(":")[2].partition("+")[0], ("lora", "ia3")
    alone = resolved().case
    case = resolved(candidates={"self_hosted": [model], "methods": list(methods)}).case
    lora, ia3 = (case[f"training.hours_factor.{method}"] for method in methods)
    assert lora == alone["training.hours_factor.lora"]
    assert ia3.spread()[0] < lora.spread()[0]
    assert lora.spread()[1] < ia3.spread()[1]
    costed = World(case)
    told = [costed.options[f"{ADAPTER.removesuffix('lora')}{method}"].training for method in methods]
    assert [each.hours_fact for each in told if each] == [f"training.hours_factor.{method}" for method in methods]
    old = Case(facts={("training.hours_factor" if path.startswith("training.hours_factor.") else path): fact
                      for path, fact in alone.facts.items()})
    before, after = (World(each).options[ADAPTER].training for each in (alone, old))
    assert before
    assert after
    assert after.hours_fact == "training.hours_factor"
    assert after.gpu_hours == before.gpu_hours


def test_hours_and_card_stated_need_no_memory_that_fits() -> None:
    """Sequences of 40,000 tokens fit on no H100; who says that it took 90 GPU-hours of several is believed."""
    reason = f"options.{ADAPTER}.infeasible"
    for hours in ({}, {"gpu_hours": 90.0}):
        case = resolved(training={"longest_tokens": 40_000, **hours}).case
        assert "fits on no single rented GPU" in str(case[reason].value)
    case = resolved(training={"longest_tokens": 40_000, "gpu_hours": 90.0, "gpu": "h100-sxm"}).case
    assert reason not in case
    assert case[f"options.{ADAPTER}.training.gpu_hours_per_run"].value == 90.0
    with pytest.raises(UnknownName, match=r"training\.gpu: unknown GPU 'h10-sxm'; nearest: "):
        resolved(training={"gpu": "h10-sxm"})


@pytest.mark.full
def test_the_default_of_the_longest_sequence_makes_no_adapter_infeasible() -> None:
    """Prompts of 6,800 tokens: 4 x 6,900 = 27,600 fit on no H100; the longest that fit are taken, and told.

    A longer one that is stated is sharded over several.
    """
    found = resolved(workload={"input_tokens": 6800.0})
    (told,) = [w for w in found.warnings if "the longest that fit on one GPU, 27,600 were taken" in w]
    fits = int(told.removeprefix("lora of qwen3-8b: sequences of ").partition(" ")[0].replace(",", ""))
    sharded = {}
    for longest in (fits, fits + 128):
        case = resolved(workload={"input_tokens": 6800.0}, training={"longest_tokens": longest}).case
        sharded[longest] = f"options.{ADAPTER}.training.gpus" in case
        assert f"options.{ADAPTER}.infeasible" not in case
    assert sharded == {fits: False, fits + 128: True}


def test_lengths_that_are_known_bound_the_longest_sequence() -> None:
    """One cell of 6,900 tokens: at most twice that, 13,800, which fits."""
    cell = [{"input_tokens": 6800.0, "output_tokens": 100.0, "share": 1.0}]
    data = quiet({"workload": {"lengths": cell}})
    del data["workload"]["input_tokens"], data["workload"]["output_tokens"]
    found = resolve(check_scenario(data))
    assert not [w for w in found.warnings if "longest" in w]
    assert f"options.{ADAPTER}.infeasible" not in found.case


@pytest.mark.parametrize(("override", "message"), [
    ("own_hardware.resale_usd_per_gpu={A100-80GB-SXM: abc}", r"own_hardware\.resale_usd_per_gpu\.A100-80GB-SXM: 'abc' is not"),
    ("own_hardware.resale_usd_per_gpu=abc", r"own_hardware\.resale_usd_per_gpu: 'abc' is not usable; it should be"),
    ("own_hardware.cards={A100-80GB-SXM: 0}", r"own_hardware\.cards\.A100-80GB-SXM: 0 is not usable"),
    ("gpu_rents=[{gpu: h100-sxm, usd_per_gpu_hour: 2}]", r"gpu_rents\.0\.vendor: needed and not given"),
    ("gpu_rents=[{gpu: h100-sxm, vendor: X, usd_per_gpu_hour: -2}]", r"gpu_rents\.0\.usd_per_gpu_hour: -2 is not usable"),
    ("gpu_discounts={RunPod: 1.2}", r"gpu_discounts\.RunPod: 1\.2 is not usable; it should be less than 1"),
    ("serving.spill_share=1.3", r"serving\.spill_share: 1\.3 is not usable; 1\.3 must be at least 0 and at most 1"),
])  # fmt: skip
def test_a_mistake_names_its_place(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_scenario(None, (override,))


def test_an_encoder_is_an_api_without_a_price_that_costs_what_is_stated_and_no_vendor_ends() -> None:
    """The guide's: $1,034 and 8 hours of $100 a month once live, $1,500 and 80 hours before; no migration, no token."""
    text = (Path(__file__).parents[2] / "docs" / "start.md").read_text()
    block = next(each for each in text.split("```yaml\n") if "own/modernbert" in each.partition("```")[0])
    data = parse_yaml(block.partition("```")[0], "docs/start.md")
    people = {"usd_per_hour": 100, "wage_growth_per_year": 0}
    case = resolve(check_scenario({
        "as_of": "2026-11-24", "incumbent": {"provider": "openai", "model": "gpt-6-sol"}, "people": people, "draws": 0,
        "workload": {"requests_per_day": 60_000, "input_tokens": 900, "output_tokens": 8}, **data})).case
    o = next(o for o in compare(case).options if o.id == "cheaper-api:own/modernbert")
    assert o.cash_monthly_usd == pytest.approx(1_034 + 8 * 100)
    assert o.upfront_usd == pytest.approx(1_500 + 80 * 100 + 100 + 300 * 0.5)
    assert o.tested


def test_where_none_is_rented_cards_are_bought_or_there_and_what_rents_says_why_it_is_out() -> None:
    """A body that may buy and not rent: the adapter on own GPUs is as it was, floors and rented fleets are out."""
    def kinds(**changes: Any) -> dict[str, Any]:
        case = resolved(candidates={"methods": ["lora"], "rented": False, **changes}).case
        return {id: case[f"options.{id}.infeasible"].value for id in (SELF, ADAPTER, HYBRID)}

    why = "no GPU is rented (candidates.rented: false)"
    assert kinds(own_hardware=True) == dict.fromkeys((SELF, ADAPTER, HYBRID), why)
    bought = [resolved(candidates={"own_hardware": True, "rented": rented}).case for rented in (True, False)]
    assert plans(bought[0], OWN) == plans(bought[1], OWN) != []
    with pytest.raises(ScenarioError, match=r"candidates.rented: .*write candidates.own_hardware: true, or own_hardware.cards"):
        resolved(candidates={"rented": False})
