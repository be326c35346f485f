"""What a scenario says for nothing, or twice: a warning or an error names the field and what to write."""

from typing import Any

import pytest
from quiet_scenario import CASCADE, CHEAPER, HYBRID, SELF, quiet, world

from roi.economics.decision.comparison import compare
from roi.economics.lines.api_bill import service
from roi.errors import ScenarioError, UnknownName
from roi.estimate.replay.load_curve import Slo
from roi.report.comparison.remarks.stated import for_nothing
from roi.resolution.plan_capacity import slo_of
from roi.resolution.resolution import Resolved, resolve
from roi.scenario.file import check_scenario

PLAIN = {"api_models": ["openai/gpt-6-luna"], "cascade_first": [], "self_hosted": []}
"""One cheaper API, no cascade."""


def resolved(**changes: Any) -> Resolved:
    return resolve(check_scenario(quiet(changes)))


def test_a_share_that_a_plain_api_hands_on_says_where_to_write_the_cascade() -> None:
    found = resolved(candidates=PLAIN, quality={"escalated": {"gpt-6-luna": 0.5}}).warnings
    assert any(w.startswith("quality.escalated.gpt-6-luna moves nothing: gpt-6-luna hands nothing on")
               and w.endswith("write candidates.cascade_first: [openai/gpt-6-luna]") for w in found)
    for share, candidates in ((0.5, {}), (0.0, PLAIN)):
        told = resolved(candidates=candidates, quality={"escalated": {"gpt-6-luna": share}}).warnings
        assert not any("moves nothing" in w for w in told)


def test_what_embeds_hands_nothing_on() -> None:
    """Vectors of two models do not mix. A share of 0 is what is so anyway."""
    embeds = {"output_tokens": 0}
    resolved(workload=embeds, quality={"escalated": {"qwen3-8b": 0.0}})
    with pytest.raises(ScenarioError, match=r"quality\.escalated\.qwen3-8b: 0\.2 is not usable; leave it out: vectors of two"):
        resolved(workload=embeds, quality={"escalated": {"qwen3-8b": 0.2}})


def test_a_rate_of_what_a_plain_api_keeps_says_that_it_hands_nothing_on() -> None:
    found = resolved(candidates=PLAIN, quality={"kept_error_rate": {"gpt-6-luna": 0.05, "gpt-5.4": 0.05}}).warnings
    told = "gpt-6-luna hands nothing on, it is first in no cascade (candidates.cascade_first)"
    assert f"quality.kept_error_rate.gpt-6-luna moves nothing: {told}" in found
    assert "quality.kept_error_rate.gpt-5.4 moves nothing: gpt-5.4 hands nothing on, it is the incumbent" in found
    assert not any("kept_error_rate" in w for w in found if "names no such incumbent" in w)
    served = resolved(quality={"kept_error_rate": {"qwen3-8b": 0.05}}).warnings
    told = "qwen3-8b hands nothing on, for its share in quality.escalated is not stated"
    assert f"quality.kept_error_rate.qwen3-8b moves nothing: {told}" in served


def test_a_share_and_rates_of_a_gate_that_no_option_has_stand_on_the_screen() -> None:
    """Both as one remark, in the order in which they are found; they were told in --full alone."""
    rates = {"escalated": {"gpt-6-luna": 0.2}, "kept_error_rate": {"gpt-5.4": 0.05}}
    (told,) = for_nothing(compare(resolved(candidates=PLAIN, quality=rates).case))
    assert told.startswith("quality.kept_error_rate.gpt-5.4 moves nothing: gpt-5.4 hands nothing on, it is the incumbent;"
                           " quality.escalated.gpt-6-luna moves nothing: gpt-6-luna hands nothing on")


def test_a_rate_of_an_unknown_name_offers_the_systems_there_are() -> None:
    with pytest.raises(UnknownName, match=r"quality.kept_error_rate: .*'nonsense'; known: gpt-5.4, gpt-6-luna"):
        resolved(candidates=PLAIN, quality={"kept_error_rate": {"nonsense": 0.05}})


def test_a_capacity_of_an_unknown_model_lists_the_few_that_are_served() -> None:
    with pytest.raises(UnknownName, match=r"serving.capacities.0.model: .*'llama'; known: .*qwen3-8b"):
        resolved(serving={"capacities": [{**HOLDS, "model": "llama"}]})


@pytest.mark.parametrize("field", ["api_models", "hosted_models", "cascade_first"])
def test_the_incumbent_as_its_own_candidate_is_left_out_with_a_warning(field: str) -> None:
    found = resolved(candidates={**PLAIN, field: ["openai/gpt-5.4"]})
    told = "openai/gpt-5.4 is left out: it is the incumbent, which is compared as staying"
    assert f"candidates.{field}: {told}" in found.warnings
    assert not any(id.endswith("gpt-5.4") for id in found.case.options)


@pytest.mark.parametrize("tokens", [0.0, 1.0, 8.0])
def test_answers_without_a_second_token_are_held_to_no_time_per_token(tokens: float) -> None:
    """Neither servers nor an API whose TPOT was measured above the limit, which stays written for nothing, and is told so."""
    found = resolved(candidates=PLAIN, apis={"openai/gpt-6-luna": {"tpot_p95_s": 0.2}},
                     workload={"output_tokens": tokens, "tpot_p95_s": 0.05, "ttft_p95_s": 2.0})
    paced = tokens > 1.0
    told = "workload.tpot_p95_s moves nothing: no answer has a second token (workload.output_tokens)"
    assert (told in found.warnings) is not paced
    assert ("workload.tpot_p95_s" in found.case) is paced
    assert slo_of(found.scenario) == (Slo(2.0, 0.05) if paced else Slo(2.0))
    assert (f"options.{CHEAPER}.infeasible" in found.case) is paced


RENT = {"gpu": "h100-sxm", "vendor": "ours", "usd_per_gpu_hour": 2.0}
HOLDS = {"model": "qwen3-8b", "gpu": "h100-sxm", "requests_per_s": 5.0}


@pytest.mark.parametrize(("changes", "told"), [
    ({"gpu_rents": [RENT, {**RENT, "gpu": "H100-SXM", "vendor": "Ours", "usd_per_gpu_hour": 3.0}]},
     r"gpu_rents.1: .* gpu_rents.0 has the same gpu, vendor, gpus_per_instance, minimum_months"),
    ({"serving": {"capacities": [HOLDS, {**HOLDS, "requests_per_s": 6.0}]}},
     r"serving.capacities.1: .* serving.capacities.0 has the same model, gpu, gpus"),
])
def test_two_rows_about_the_same_thing_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        resolved(**changes)


def test_rents_of_other_terms_stand_side_by_side() -> None:
    facts = resolved(gpu_rents=[RENT, {**RENT, "minimum_months": 12, "usd_per_gpu_hour": 1.5}]).case.facts
    assert [facts[f"gpu_rents.{k}.usd_per_gpu_hour"].value for k in (0, 1)] == [2.0, 1.5]
    assert {facts[f"options.{SELF}.plans.{k}.minimum_months"].value for k in (0, 1)} == {0.0, 12.0}


@pytest.mark.parametrize(
    ("work", "uses", "why"),
    [
        ({"shared_prefix_tokens": 800.0, "cache_hit_rate": 0.8}, True, "800 tokens is below openai's cache minimum of 1024"),
        ({"shared_prefix_tokens": 1024.0, "cache_hit_rate": 0.8}, True, "its cache is on already; no more can wait"),
        ({"shared_prefix_tokens": 0.0}, False, "no shared prefix is found in a cache"),
        ({"shared_prefix_tokens": 1024.0, "cache_hit_rate": 0.8}, False, None),
    ],
)
def test_no_cache_to_switch_on_has_the_reason_that_holds(work: dict[str, Any], uses: bool, why: str | None) -> None:
    lengths = {"requests_per_day": 86_400.0, "input_tokens": 2000.0, "output_tokens": 100.0}
    found = resolved(candidates=PLAIN, workload={**lengths, **work},
                     incumbent={"provider": "openai", "model": "gpt-5.4", "uses_cache": uses})
    told = found.case.facts.get("options.cache-batch.infeasible")
    assert (told is None) if why is None else told is not None and why in str(told.value)


SHORT = {"input_tokens": 1500.0, "output_tokens": 180.0, "shared_prefix_tokens": 900.0, "cache_hit_rate": 0.7}
SOL = {"model": "gpt-6-sol", "uses_cache": True}


def test_a_prefix_that_is_too_short_for_the_cache_may_be_padded_to_its_minimum() -> None:
    """1,024 x (0.7 x $0.2 + 0.3 x $2.5)/M = $0.00091136 in the place of 900 x $2/M; the other 600 and 180 out at $10/M stay.

    From 456 tokens on, 1,024 x 0.89 / 2; none where another minimum is stated that the prefix has.
    """
    w = world(workload=SHORT, incumbent=SOL)
    paid = {id: float(service(w.shared, w.options[id]).cost.usd) for id in ("stay", "cache-batch:padded")}
    assert paid == pytest.approx({"stay": 0.0048, "cache-batch:padded": 0.00091136 + 0.0012 + 0.0018})
    for prefix, today, there in ((455.0, SOL, False), (456.0, SOL, True), (900.0, {**SOL, "cache_minimum_tokens": 900}, False)):
        found = resolved(workload={**SHORT, "shared_prefix_tokens": prefix}, incumbent=today).case
        assert ("cache-batch:padded" in found.options) is there


def test_a_candidate_whose_cache_takes_no_prefix_so_short_says_what_padding_would_save() -> None:
    """900 x $0.1 - 1,024 x (0.7 x $0.01 + 0.3 x $0.125) = $44.43 a million, of 1,500 x $0.1 + 180 x $0.5 = $240: 19%."""
    told = ("gpt-6-luna: the shared prefix is below the 1,024 tokens that openai caches; padded to that its bill would be about"
            " 19% lower, which no figure counts")
    for prefix, said in ((900.0, [told]), (600.0, []), (1024.0, [])):  # of 600 it would be 6%
        found = resolved(workload={**SHORT, "shared_prefix_tokens": prefix}, incumbent=SOL).warnings
        assert [each for each in found if "the shared prefix is below" in each and "padded" in each] == said


def test_requests_without_output_are_shared_out_between_two_models_by_no_option() -> None:
    """Where the API above the floor serves the same weights, the vectors are the same."""
    facts = resolved(workload={"output_tokens": 0.0}).case.facts
    for id in (CASCADE, HYBRID, f"{HYBRID}+lora"):
        assert "vectors of two models do not mix" in str(facts[f"options.{id}.infeasible"].value)
    assert not {f"options.{id}.infeasible" for id in (CHEAPER, SELF)} & facts.keys()
    assert f"options.{HYBRID}.infeasible" not in resolved(workload={"output_tokens": 1.0}).case.facts


def test_a_rent_or_a_price_in_another_unit_is_asked_about() -> None:
    """$800 is a month's rent; $0.0000001 is asked a token, $0.1 a million."""
    terms = {"openai/gpt-6-luna": {"input_usd_per_mtok": 1e-7, "output_usd_per_mtok": 4e-7}}
    odd = resolved(gpu_rents=[{**RENT, "usd_per_gpu_hour": 800.0}], apis=terms).case.facts["prices.unusual"].value
    assert odd == ("Rent of $800 a GPU and hour (gpu_rents.0.usd_per_gpu_hour): $0.15 to $12 is usual; Price of $0.0000001"
                   " a million tokens (apis.openai/gpt-6-luna.input_usd_per_mtok): $0.003 to $600 is usual")
    free = {"openai/gpt-6-luna": {"input_usd_per_mtok": 0.0, "output_usd_per_mtok": 0.001}}
    assert "prices.unusual" not in resolved(gpu_rents=[RENT], apis=free).case.facts


def test_cards_that_are_there_are_left_out_where_own_hardware_is_refused() -> None:
    """They count where nothing is said of them, as where it is true; none is bought in their place."""
    cards, no = {"cards": {"L40S": 8}}, "own_hardware.cards are left out of the options: candidates.own_hardware: false"
    for stated, there in (({}, True), ({"own_hardware": True}, True), ({"own_hardware": False}, False)):
        found = resolved(own_hardware=cards, candidates=stated)
        assert any(path.startswith("options.own-hardware:") for path in found.case.facts) is there
        assert any(path.endswith(".owned") for path in found.case.facts) is there
        assert (no in found.warnings) is not there
    with pytest.raises(ScenarioError, match=r"candidates.rented: 'false' is not usable; nothing is left to serve"):
        resolved(own_hardware=cards, candidates={"own_hardware": False, "rented": False})


def test_hours_of_bought_cards_move_nothing_where_cards_are_there_already() -> None:
    """They are served by people who take the hours of self_hosted."""
    hours = {"run_hours_per_month": {"own_hardware": 100.0}}
    found = resolved(people=hours, own_hardware={"cards": {"L40S": 8}}).warnings
    (told,) = [w for w in found if w.startswith("people.run_hours")]
    assert told == ("people.run_hours_per_month.own_hardware moves nothing: cards that are there already take those of"
                    " self_hosted and self_hosted_adapter")
    bought = resolved(people=hours, candidates={"own_hardware": True, "gpus": ["l40s"]}).warnings
    assert not [w for w in bought if w.startswith("people.")]


def test_an_empty_list_of_vendors_says_that_it_counts_as_all_of_them() -> None:
    told = "candidates.vendors: [] names none, and counts as left out"
    assert any(w.startswith(told) for w in resolved(candidates={"vendors": []}).warnings)
    assert not any(w.startswith(told) for w in resolved().warnings)


def test_a_model_that_writes_takes_the_place_of_one_that_embeds_only_where_it_is_scored() -> None:
    """Of an API that bills output, and of a model on GPUs; not of another that bills none, nor where today's model writes."""
    luna, small = "cheaper-api:openai/gpt-6-luna", "cheaper-api:own/small"
    def infeasible(output_usd: float, **scores: float) -> set[str]:
        apis = {"openai/gpt-5.4": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": output_usd},
                "own/small": {"input_usd_per_mtok": 0.02, "output_usd_per_mtok": 0}}
        facts = resolve(check_scenario({
            **quiet({"candidates": {"api_models": ["openai/gpt-6-luna", "own/small"], "cascade_first": [], "hybrid": False},
                     "apis": apis, "workload": {"output_tokens": 0}}),
            "quality": {"scores": {"gpt-5.4": 0.95, **scores}}})).case
        return {id for id in (luna, small, SELF) if "it writes, and no request has output" in str(
            facts.facts[f"options.{id}.infeasible"].value if f"options.{id}.infeasible" in facts else "")}

    assert infeasible(0.0) == {luna, SELF}
    assert infeasible(0.0, **{"qwen3-8b": 0.9}) == {luna}
    assert infeasible(15.0) == set()
