"""Your own terms of an API, and levers on today's model: what is stated, by YAML and by --set, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet_scenario import CASCADE, CHEAPER, PER_MONTH, World, case_of, plan, quiet, world

from roi.economics.decision.feasibility import binds
from roi.economics.lines.api_bill import service
from roi.errors import InputError, ScenarioError, UnknownName
from roi.facts.fact import Basis
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario
from roi.scenario.yaml import dump_yaml

PREFIX = {"input_tokens": 2000.0, "shared_prefix_tokens": 2000.0, "cache_hit_rate": 0.5}
LUNA = "openai/gpt-6-luna"


def each(w: World, id: str) -> float:
    """USD of a request."""
    return float(np.asarray(service(w.shared, w.options[id]).cost.usd))


def test_a_candidates_cache_can_stay_off_or_have_hits_of_its_own() -> None:
    """gpt-6-luna, 2,000 in, all shared, 100 out at $0.50/M = $0.00005. Not cached 2,000 x $0.10/M = $0.0002; 80% hits at
    $0.01/M and the rest written at $0.125/M: 2,000 x $0.033/M = $0.000066; the workload's 50%: 2,000 x $0.0675/M = $0.000135.
    """
    for terms, usd in (({"uses_cache": False}, 0.0002), ({"cache_hit_rate": 0.8}, 0.000066), ({}, 0.000135)):
        w = world(workload=PREFIX, apis={LUNA: terms})
        assert each(w, CHEAPER) == each(w, CASCADE) == pytest.approx(usd + 0.00005)


def test_no_input_is_left_where_prompts_are_read_and_written_whole() -> None:
    """The parts of 345,000 and 65,000 tokens that are read, times a rate of hits, do not add up to them by themselves."""
    bins = [{"input_tokens": read + 25000.0, "output_tokens": 800.0, "share": 0.5, "cached_tokens": read,
             "cache_write_tokens": 25000.0} for read in (40000.0, 320000.0)]
    workload = {"lengths": bins, "input_tokens": None, "output_tokens": None, "shared_prefix_tokens": 345000.0,
                "cache_hit_rate": 0.864971}
    for model in ("gpt-6-sol", "gpt-6-luna"):
        w = world(workload=workload, incumbent={"model": model, "uses_cache": True})
        assert service(w.shared, w.options["stay"]).cost.input_usd == 0.0


def test_calls_of_the_incumbent_that_miss_its_cache_pay_plain_input_where_they_write_nothing() -> None:
    """gpt-6-sol, 2,000 in, half hits at $0.20/M, 100 out at $10/M = $0.001. The other half is written at $2.50/M, or pays $2/M;
    in batch, where all waits, half of each. A candidate's misses are written all the same. The list's price is not stated too.
    """
    sol = {"model": "gpt-6-sol", "uses_cache": True}
    for writes, usd in ((True, 0.0037), (False, 0.0032)):
        case = {"workload": PREFIX, "incumbent": {**sol, "writes_cache": writes}}
        w = world(**case)
        assert each(w, "stay") == pytest.approx(usd)
        assert each(w, CHEAPER) == pytest.approx(0.000135 + 0.00005)
        waits = world(**{**case, "workload": {**PREFIX, "can_wait_share": 1.0}})
        assert each(waits, "cache-batch") == pytest.approx(usd / 2)
    assert each(world(workload=PREFIX, incumbent={**sol, "uses_cache": False, "writes_cache": False}), "cache-batch") == (
        pytest.approx(0.0037))
    with pytest.raises(ScenarioError, match=r"incumbent.writes_cache: false .*cache_write_usd_per_mtok states what"):
        world(incumbent={**sol, "writes_cache": False}, apis={"openai/gpt-6-sol": {"cache_write_usd_per_mtok": 3.0}})


def test_batch_needs_no_cache() -> None:
    """Half of the requests can wait, not cached: ($0.00025 + half of it) / 2; with 20% through batch: 0.8 + 0.1 of it."""
    for terms, part in (({"uses_cache": False}, 0.75), ({"uses_cache": False, "batch_share": 0.2}, 0.9)):
        w = world(workload={**PREFIX, "can_wait_share": 0.5}, apis={LUNA: terms})
        assert each(w, CHEAPER) == pytest.approx(0.00025 * part)


def test_cache_and_batch_of_the_incumbent_are_options_of_their_own_where_both_are_new() -> None:
    """gpt-5.4, 2,000 shared tokens, half hits, half can wait. Now $0.0065. Batch: (0.0065 + 0.00325) / 2. Cache: 1,000 x
    $2.50/M + 1,000 x $0.25/M + 100 x $15/M = $0.00425. Both: half at that, half 1,000 x $1.25/M + 1,000 x $0.13/M + $0.00075.
    """
    w = world(workload={**PREFIX, "can_wait_share": 0.5})
    usd = {"stay": 0.0065, "cache-batch:batch": 0.004875, "cache-batch:cache": 0.00425,
           "cache-batch": (0.00425 + 0.00213) / 2}  # fmt: skip
    assert {id: each(w, id) for id in usd} == pytest.approx(usd)
    assert {w.options[id].label for id in usd} == {"gpt-5.4", *(f"gpt-5.4, {x}" for x in ("batch", "cache", "cache + batch"))}
    for one in ({"workload": PREFIX}, {"workload": {"can_wait_share": 0.5}}):
        assert not [id for id in case_of(**one).options if id.startswith("cache-batch:")]


@pytest.mark.full
@pytest.mark.parametrize("waits", [0.0, 0.5])
def test_a_cache_that_is_on_and_costs_more_than_it_saves_is_paid_and_switching_it_off_is_an_option(waits: float) -> None:
    """gpt-6-sol, 2,000 shared tokens, 10% hits at $0.20/M, the rest written at $2.50/M: 2,000 x $2.27/M + 100 x $10/M =
    $0.00554; off, 2,000 x $2/M + $0.001 = $0.005, in batch half of that. It pays from (2.5 - 2) / (2.5 - 0.2) = 21.7% on.
    A candidate's cache stays off where it would cost more; today's runs on in a cascade's second model and with fewer tokens.
    """
    sol = {"model": "gpt-6-sol", "uses_cache": True}
    on = {"workload": {**PREFIX, "cache_hit_rate": 0.1, "can_wait_share": waits}, "incumbent": sol}
    w = world(**on)
    assert each(w, "stay") == pytest.approx(0.00554)
    assert each(w, "cache-batch") == pytest.approx(0.005 * (1.0 - waits / 2.0))
    assert each(w, CHEAPER) == pytest.approx(0.00025 * (1.0 - waits / 2.0))
    assert w.options["cache-batch"].label == "gpt-6-sol, no cache + batch" if waits else "gpt-6-sol, no cache"
    alone = {id: each(w, f"cache-batch:{id}") for id in ("cache", "batch") if waits}
    assert alone == pytest.approx({"cache": 0.005, "batch": 0.00554 / 2 + 0.0025 / 2} if waits else {})
    (told,) = [each for each in resolve(check_scenario(quiet(on))).warnings if "cache that is on" in each]
    assert "10% of the requests find the prefix, and only from 21.7% on" in told
    enough = world(workload={**PREFIX, "cache_hit_rate": 0.22}, incumbent=sol)
    assert "its cache is on already" in str(enough.options["cache-batch"].infeasible)
    never = world(workload={**PREFIX, "cache_hit_rate": 0.0}, incumbent=sol)
    assert (each(never, "stay"), each(never, "cache-batch")) == (pytest.approx(0.006), pytest.approx(0.005))


def test_what_follows_a_tuned_model_is_told_to_be_taken_for_as_good_until_somebody_says_otherwise() -> None:
    name = "ft:gpt-4.1-mini-2025-04-14"
    says, other = {"model": name, "successor_error_ratio": 1.5}, {"model": "gpt-4.1-mini"}
    for given, times in (({"model": name}, 1), (says, 0), (other, 0)):
        warnings = resolve(check_scenario(quiet({"incumbent": given, "quality": {"scores": {given["model"]: 0.9}}}))).warnings
        assert len([x for x in warnings if x.startswith(f"{name} is tuned: ")]) == times


def test_a_discount_of_today_that_is_not_taken_for_another_model_of_the_vendor_is_told() -> None:
    off = {"incumbent": {"discount": 0.18}}
    for given, told in ((off, 1), ({**off, "apis": {LUNA: {"discount": 0.0}}}, 0), ({}, 0),
                        ({**off, "candidates": {"api_models": ["anthropic/claude-haiku-5-5"], "cascade_first": []}}, 0)):
        warnings = set(resolve(check_scenario(quiet(given))).warnings)
        assert len([x for x in warnings if "is at list price: whether today's discount of 18%" in x]) == told
    dearer = resolve(check_scenario(quiet({"incumbent": {"discount": -0.1}}))).warnings
    assert len([x for x in dearer if "is at list price: whether today's surcharge of 10% (incumbent.discount)" in x]) == 1


def test_prompts_above_an_edge_of_todays_price_list_or_near_it_are_told() -> None:
    """gpt-6-sol: $2 in and $10 out up to 272,000 input tokens, $4 and $15 above. Means hide lengths."""
    sol, name = {"incumbent": {"model": "gpt-6-sol"}}, "openai/gpt-6-sol"
    rates = "$4 in and $15 out a million tokens, not $2 and $10"
    cells = [{"input_tokens": x, "output_tokens": 100.0, "share": share} for x, share in ((1000.0, 0.88), (300_000.0, 0.12))]
    histogram = {"input_tokens": None, "output_tokens": None, "shared_prefix_tokens": 0.0}
    for work, said in (
        ({"input_tokens": 300_000.0}, f"100% of the requests have more than 272,000 input tokens, above which {name} asks"),
        ({**histogram, "lengths": cells}, "12% of the requests have more than 272,000 input tokens, above which"),
        ({"input_tokens": 200_000.0}, f"above 272,000 input tokens {name} asks {rates}; with a mean of 200,000 alone"),
        ({"input_tokens": 100_000.0}, None), ({**histogram, "lengths": [{**cells[0], "share": 1.0}]}, None),
    ):
        told = [x for x in resolve(check_scenario(quiet({**sol, "workload": work}))).warnings if "input tokens" in x]
        assert [x.startswith(said) for x in told] == [True] if said else not told


def test_a_rate_of_ones_own_in_place_of_a_price_by_length_says_so_where_prompts_are_long() -> None:
    """Of gpt-6-sol the list asks twice as much beyond 272,000 tokens; a rate that is stated is of all lengths."""
    own = {"incumbent": {"model": "gpt-6-sol"}, "apis": {"openai/gpt-6-sol": {"input_usd_per_mtok": 1.8}}}
    field = "apis.openai/gpt-6-sol.input_usd_per_mtok holds for prompts of any length; the list asks 2 x as much beyond 272,000"
    long, short, both = 300_000.0, 100_000.0, {"output_usd_per_mtok": 9.0}
    for tokens, rates, said in ((long, {}, [True]), (short, {}, []), (long, both, [True])):
        terms = {"openai/gpt-6-sol": {**own["apis"]["openai/gpt-6-sol"], **rates}}
        found = resolve(check_scenario(quiet({**own, "apis": terms, "workload": {"input_tokens": tokens}}))).warnings
        assert [x.startswith(field) for x in found if "any length" in x] == said
        assert any("prompts that stay below save twice" in x for x in found) is (tokens > 272_000 and not rates)


def test_a_commitment_to_a_candidate_is_owed_from_going_live_to_its_end() -> None:
    """$1,000 a month until 2027-02-23, 92 days with the last or 3.025 months; $394.20 is spent. Live after 0.5 months."""
    terms = {"committed_usd_per_month": 1000.0, "committed_until": "2027-02-23"}
    w = world(apis={LUNA: terms}, timing={"months_to_live": {"api": 0.5}})
    paid = w.line(CHEAPER, "own commitment not used")[1]
    assert paid[:4] == pytest.approx([500.0 - 197.10, 605.80, 605.80, 605.80 * (92 / (365 / 12) - 3)])
    assert "own commitment not used" not in w.names("stay")


def test_stated_terms_are_facts_that_all_options_with_the_api_share() -> None:
    terms = {"discount": {"value": 0.1, "low": 0.05, "high": 0.2}}
    case = case_of(apis={LUNA: terms})
    fact = case[f"apis.{LUNA}.discount"]
    assert (fact.value, fact.basis, fact.source) == (0.1, Basis.STATED, f"scenario apis.{LUNA}.discount")
    w = World(case, **{f"apis.{LUNA}.discount": 0.5})
    assert each(w, CHEAPER) == each(w, CASCADE) == pytest.approx(0.000075)
    assert each(w, "stay") == pytest.approx(0.004)


def test_an_incumbent_without_a_list_price_is_usable_with_its_own() -> None:
    """1,000 x $3/M + 100 x $12/M = $0.0042."""
    terms = {"bedrock/my-model-v1:0": {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 12.0}}
    scores = {"my-model-v1:0": 0.95}
    w = world(
        incumbent={"provider": "bedrock", "model": "my-model-v1:0"}, apis=terms, quality={"scores": scores},
    )
    assert each(w, "stay") == pytest.approx(0.0042)
    assert w.line("stay", "API output")[1][0] == pytest.approx(PER_MONTH * 0.0012)


def test_a_stated_rate_takes_the_place_of_the_lists_and_leaves_the_others() -> None:
    """gpt-6-luna's input at $0.05 in place of $0.10/M; output stays $0.50/M: 1,000 x $0.05/M + 100 x $0.50/M."""
    w = world(apis={LUNA: {"input_usd_per_mtok": 0.05}})
    assert each(w, CHEAPER) == pytest.approx(0.0001)


@pytest.mark.parametrize(("changes", "told"), [
    ({"apis": {"openai/gpt-6-lunar": {"discount": 0.1}}}, r"apis: unknown API .* nearest: openai/gpt-6-luna"),
    ({"apis": {"openai/gpt-5.4": {"discount": 0.1}}}, r"apis\.openai/gpt-5\.4\.discount: 0\.1 .* of the incumbent only prices"),
    ({"candidates": {"api_models": ["acme/one"]}}, r"needs apis\.acme/one\.input_usd_per_mtok and output_usd_per_mtok"),
    ({"candidates": {"api_models": ["acme/one"]}, "apis": {"acme/one": {"input_usd_per_mtok": 1.0}}},
     r"apis\.acme/one: .* the catalog does not hold this model"),
    ({"incumbent": {"provider": "opnai"}}, r"incumbent\.provider: unknown provider 'opnai'; nearest: openai"),
    ({"incumbent": {"model": "gpt-5.44"}}, r"incumbent\.model: unknown model at openai: 'gpt-5\.44'; nearest: .*gpt-5\.4"),
    ({"apis": {LUNA: {"committed_usd_per_month": 5.0}}}, "committed_usd_per_month needs committed_until"),
    ({"apis": {LUNA: {"batch_input_usd_per_mtok": 5.0}}}, "given together or not at all"),
    ({"candidates": {"shorter_prompt": {"prefix_tokens": 10.0}}}, r"shorter_prompt\.prefix_tokens: 10\.0 .* less than"),
    ({"candidates": {"less_reasoning": {}}}, "give output_ratio or reasoning_tokens"),
    ({"candidates": {"less_reasoning": {"reasoning_tokens": 10.0}}}, r"less than tokens\.gpt-5\.4\.reasoning_tokens, 0"),
])  # fmt: skip
def test_terms_that_cannot_be_meant_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        resolve(check_scenario(quiet(changes)))


def test_the_errors_say_what_kind_they_are() -> None:
    with pytest.raises(UnknownName):
        case_of(apis={"openai/gpt-6-lunar": {}})
    with pytest.raises(ScenarioError):
        case_of(apis={"openai/gpt-5.4": {"discount": 0.1}})


# ---------------------------------------------------------------- levers


def test_a_lever_that_changes_answers_is_evaluated_and_one_that_does_not_is_not() -> None:
    """Shorter prompt: 20 hours of its own at $100 and $400 of evaluation; a flexible tier: two hours of cache_batch alone."""
    candidates = {
        "shorter_prompt": {"prefix_tokens": 100.0, "setup_hours": 20.0}, "less_reasoning": {"output_ratio": 0.5},
        "flexible_tier": {"price_ratio": 0.5, "share": 0.2},
        "provisioned_throughput": {"usd_per_month": 1000.0, "requests_per_s": 1.0},
    }  # fmt: skip
    scores = {**quiet()["quality"]["scores"], "gpt-5.4+shorter-prompt": {"value": 0.94, "low": 0.9, "high": 0.95, "items": 120}}
    w = world(workload=PREFIX, candidates=candidates, quality={"scores": scores},
              people={"setup_hours": {"cache_batch": 2.0, "api": 40.0}})  # fmt: skip
    levers = ("shorter-prompt", "less-reasoning", "flexible-tier", "provisioned")
    hours = {id: w.line(id, "engineering, set-up")[0] for id in levers}
    assert hours == {"shorter-prompt": 2000.0, "less-reasoning": 4000.0, "flexible-tier": 200.0, "provisioned": 200.0}
    assert {id for id in hours if "evaluation before the change" in w.names(id)} == {"shorter-prompt", "less-reasoning"}
    assert {id for id in hours if w.options[id].keeps_model} == {"flexible-tier", "provisioned"}
    assert [w.options[id].evaluated for id in hours] == [True, False, True, True]
    assert (w.options["shorter-prompt"].items, w.options["stay"].items) == (120, None)
    assert w.options["shorter-prompt"].error_rate == pytest.approx(0.06)


def test_what_a_lever_leaves_alone_is_the_incumbents_own_fact() -> None:
    """Reasoning tokens of gpt-5.4: 500, drawn once for staying and for the shorter prompt; less reasoning has 200."""
    case = case_of(
        workload=PREFIX, tokens={"gpt-5.4": {"reasoning_tokens": 500.0}},
        candidates={"shorter_prompt": {"prefix_tokens": 100.0}, "less_reasoning": {"reasoning_tokens": 200.0}},
    )  # fmt: skip
    w = World(case, **{"systems.gpt-5.4.reasoning_tokens": 700.0})
    found = {id: w.options[id].tokens.reasoning_tokens for id in ("stay", "shorter-prompt", "less-reasoning")}
    assert found == {"stay": 700.0, "shorter-prompt": 700.0, "less-reasoning": 200.0}


BOTH = "shorter-prompt+less-reasoning"


def test_both_levers_at_once_are_an_option_of_a_system_of_its_own() -> None:
    """500 of 1,000 prompt tokens and 50 of 100 answered: 500 x $2.50/M + 50 x $15/M = $0.002 a request; 20 + 40 hours."""
    both = {"shorter_prompt": {"prefix_tokens": 0.0, "setup_hours": 20.0}, "less_reasoning": {"output_ratio": 0.5}}
    asked = {"workload": {"shared_prefix_tokens": 500.0}, "people": {"setup_hours": {"api": 40.0}}}
    scores = {**quiet()["quality"]["scores"], f"gpt-5.4+{BOTH}": {"value": 0.93, "items": 200}}
    w = world(candidates=both, quality={"scores": scores}, **asked)
    assert each(w, BOTH) == pytest.approx(0.002)
    assert each(w, "shorter-prompt") == pytest.approx(0.00275)
    assert w.line(BOTH, "engineering, set-up")[0] == pytest.approx(6000.0)
    assert (w.options[BOTH].items, w.options[BOTH].same_model, w.options[BOTH].keeps_model) == (200, True, False)
    unknown = world(candidates=both, **asked).options
    rates = [float(unknown[id].error_rate) / float(unknown["stay"].error_rate) for id in ("less-reasoning", BOTH)]
    assert rates == pytest.approx([1.3, 1.69])
    alone = world(candidates={"less_reasoning": both["less_reasoning"]}, **asked).options
    assert BOTH not in alone


def test_a_lever_has_the_cache_and_the_batch_price_that_another_model_would_have() -> None:
    """gpt-5.4 caches nothing today; half of what is shared is found, half can wait. Of 1,100 tokens 550 x ($2.50 + $0.25)/M +
    $0.0015; of 1,000, below the minimum of 1,024, all x $2.50/M. With half the output $0.00275 + $0.00075 at once, $0.00138 +
    $0.000375 in batch. A tier of 40% for half takes no batch: 0.7 x $0.00425. With units today all stays: 500 x $2.50/M.
    """
    def asked(left: float, **waits: float) -> World:
        return world(workload={**PREFIX, **waits}, candidates={
            "shorter_prompt": {"prefix_tokens": left}, "less_reasoning": {"output_ratio": 0.5},
            "flexible_tier": {"price_ratio": 0.4, "share": 0.5}})

    w, short, waits = asked(1100.0), asked(1000.0), asked(1100.0, can_wait_share=0.5)
    assert each(w, "stay") == pytest.approx(0.0065)
    assert each(w, "shorter-prompt") == pytest.approx(0.0015125 + 0.0015)
    assert each(short, "shorter-prompt") == pytest.approx(0.0025 + 0.0015)
    assert each(waits, "less-reasoning") == pytest.approx((0.0035 + 0.001755) / 2)
    assert each(waits, "flexible-tier") == pytest.approx(0.7 * 0.00425)
    units = world(workload=PREFIX, candidates={"shorter_prompt": {"prefix_tokens": 500.0}},
                  incumbent={"provisioned_throughput": {"units": 2, "usd_per_month": 1000.0, "requests_per_s": 5.0}})
    assert each(units, "shorter-prompt") == pytest.approx(500 * 2.5e-6 + 0.0015)


def test_a_prompt_that_is_too_short_for_a_cache_is_told() -> None:
    for left, told in ((1000.0, True), (1024.0, False), (0.0, False)):
        s = check_scenario(quiet({"workload": PREFIX, "candidates": {"shorter_prompt": {"prefix_tokens": left}}}))
        found = [each for each in resolve(s).warnings if "candidates.shorter_prompt.prefix_tokens: 1000 is below" in each]
        assert bool(found) is told


def test_the_incumbents_end_is_paid_once_by_a_lever_on_it() -> None:
    """gpt-5.4 ends after 1.2 months, while a shorter prompt goes live in parallel until month 2: one migration, as staying."""
    case = case_of(workload=PREFIX, candidates={"shorter_prompt": {"prefix_tokens": 100.0}},
                   timing={"months_to_live": {"api": 1.0}, "months_in_parallel": 1.0})  # fmt: skip
    w = World(case, **{"vendors.openai/gpt-5.4.first_end_months": 1.2})
    paid = [sum(line.monthly.sum() for line in w.costed(id).costs.lines if "model ends" in line.name)
            for id in ("stay", "shorter-prompt")]  # fmt: skip
    assert paid == [4400.0, 4400.0]


def test_a_flexible_tier_leaves_batch_alone_and_says_so_in_the_arithmetic() -> None:
    """40% goes through batch today at half price; of the rest half is on a tier of 40%: 0.6 x 0.7 x $0.004 + 0.4 x $0.002."""
    w = world(incumbent={"batch_share": 0.4}, candidates={"flexible_tier": {"price_ratio": 0.4, "share": 0.5}})
    assert each(w, "flexible-tier") == pytest.approx(0.6 * 0.7 * 0.004 + 0.4 * 0.002)
    lines = {line.name: line for line in w.costed("flexible-tier").costs.lines}
    told = lines["API output"].arithmetic
    assert callable(told)
    assert told(0) == "2,628,000 requests x 0.6 x 100.00 tok x $15/Mtok x 0.7 tier price"


@pytest.mark.parametrize(("ratio", "today", "batched"), [(0.5, 0.002, 0.002), (2.0, 0.008, 0.002), (1.0, 0.004, 0.002)])
def test_the_tier_of_todays_calls_moves_what_is_outside_batch_alone(ratio: float, today: float, batched: float) -> None:
    """$0.004 a request at the standard list, half in batch: on flex batch saves nothing, on priority three quarters.

    A flexible tier of 40% for half of the calls leaves the other half in today's. No other model is in it.
    """
    w = world(workload={"can_wait_share": 1.0}, incumbent={"tier_price_ratio": ratio},
              candidates={"flexible_tier": {"price_ratio": 0.4, "share": 0.5}})
    assert each(w, "stay") == pytest.approx(today)
    assert each(w, "cache-batch") == pytest.approx(batched)
    assert each(w, "flexible-tier") == pytest.approx(0.5 * today + 0.5 * 0.4 * 0.004)
    assert each(w, CHEAPER) == each(world(workload={"can_wait_share": 1.0}), CHEAPER)


def test_what_a_flexible_tier_answers_today_is_the_first_that_can_wait() -> None:
    """$0.004 a request, half of them at half price today: a tier of 40% for a quarter takes these, batch none of them."""
    w = world(workload={"can_wait_share": 0.5}, candidates={"flexible_tier": {"price_ratio": 0.4, "share": 0.25}},
              incumbent={"batch_share": 0.0, "flexible_tier": {"price_ratio": 0.5, "share": 0.5}})
    assert each(w, "stay") == pytest.approx(0.75 * 0.004)
    assert each(w, "flexible-tier") == pytest.approx((0.25 * 0.4 + 0.25 * 0.5 + 0.5) * 0.004)
    assert "what can wait is in its flexible tier" in str(w.options["cache-batch"].infeasible)


def test_provisioned_units_follow_the_peak_and_pay_nothing_by_the_token() -> None:
    """1 request/s, at the peak 3; a unit holds 0.7: 5 units x $1,000. The fee moves with the price of successors: x 0.5."""
    case = case_of(candidates={"provisioned_throughput": {"usd_per_month": 1000.0, "requests_per_s": 0.7}})
    w = World(case, **{"vendors.openai/gpt-5.4.first_end_months": 5.0, "drift.successor_price_ratio": 0.5})
    fee = w.line("provisioned", "API provisioned throughput")[1]
    assert (fee[0], fee[5]) == (5000.0, 2500.0)
    assert not [name for name in w.names("provisioned") if name.startswith(("API input", "API output"))]


def test_every_field_can_be_set_on_the_command_line(tmp_path: Path) -> None:
    """YAML and --set give the same scenario; names may hold dots and spaces."""
    file = tmp_path / "quiet.yaml"
    file.write_text(dump_yaml(quiet()), encoding="utf-8")
    said = load_scenario(file, (
        "apis.openai/gpt-6-luna.discount=0.1", "apis.openai/gpt-6-luna.discount.low=0.05",
        "apis.openai/gpt-6-luna.discount.high=0.2",
        "apis.openai/gpt-5.4={input_usd_per_mtok: 2}", "quality.kept_error_rate.gpt-6-luna=0.04",
        "quality.escalated_error_rate.gpt-6-luna=0.12", "quality.judge_usd_per_request=0.001",
        "quality.scores.gpt-6-luna > gpt-5.4={value: 0.93, low: 0.9, high: 0.95}",
        "quality.scores.gpt-6-luna > gpt-5.4.items=200",
        "candidates.flexible_tier={price_ratio: 0.5, share: 0.3}", "candidates.less_reasoning.output_ratio=0.7",
        "candidates.provisioned_throughput.usd_per_month=900", "candidates.provisioned_throughput.requests_per_s=2",
        "candidates.shorter_prompt.prefix_tokens=500", "training.retrain_evaluates=false",
    ))  # fmt: skip
    written = check_scenario(quiet({
        "apis": {LUNA: {"discount": {"value": 0.1, "low": 0.05, "high": 0.2}}, "openai/gpt-5.4": {"input_usd_per_mtok": 2}},
        "quality": {
            "kept_error_rate": {"gpt-6-luna": 0.04}, "escalated_error_rate": {"gpt-6-luna": 0.12},
            "judge_usd_per_request": 0.001,
            "scores": {**quiet()["quality"]["scores"],
                       "gpt-6-luna > gpt-5.4": {"value": 0.93, "low": 0.9, "high": 0.95, "items": 200}},
        },
        "candidates": {
            "flexible_tier": {"price_ratio": 0.5, "share": 0.3}, "less_reasoning": {"output_ratio": 0.7},
            "provisioned_throughput": {"usd_per_month": 900, "requests_per_s": 2}, "shorter_prompt": {"prefix_tokens": 500},
        },
        "training": {"retrain_evaluates": False},
    }))  # fmt: skip
    assert said == written


@pytest.mark.parametrize(("override", "told"), [
    ("apis.openai/gpt-6-luna.discont=0.1", r"apis\.openai/gpt-6-luna\.discont: unknown key; nearest: discount"),
    ("candidates.flexible_tier={price_ratio: 0.5, shar: 0.1}", r"flexible_tier\.shar: unknown key; nearest: share"),
])  # fmt: skip
def test_a_misspelt_key_names_the_nearest(tmp_path: Path, override: str, told: str) -> None:
    file = tmp_path / "quiet.yaml"
    file.write_text(dump_yaml(quiet()), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        load_scenario(file, (override,))


def test_a_floor_whose_spill_has_only_a_late_model_to_go_to_says_so() -> None:
    late = {"incumbent": {"provider": "openai", "model": "gpt-5.4", "ttft_p95_s": 3.0}, "workload": {"ttft_p95_s": 2.0}}
    for bar, told in ((0.93, True), (0.9, False)):
        found = resolve(check_scenario(quiet({**late, "quality": {"bar": bar}}))).warnings
        assert told is any("what spills goes to today's model, which misses the SLO: TTFT 3 s" in each for each in found)


def test_a_hybrid_spills_to_no_slower_tier() -> None:
    """The flexible tier is the cheapest API at $0.0004, but what spills cannot wait: gpt-6-luna misses the bar, so staying."""
    case = case_of(quality={"bar": 0.93}, candidates={"flexible_tier": {"price_ratio": 0.1, "share": 1.0}})
    assert World(case, **plan("hybrid:qwen3-8b")).options["hybrid:qwen3-8b"].spills_to == "stay"


def test_a_term_of_more_than_a_month_binds() -> None:
    """Units for 12 months and a candidate's commitment bind as a rented card's term does; a month or a tier does not."""
    unit = {"usd_per_month": 1000.0, "requests_per_s": 1.0}
    terms = {"committed_usd_per_month": 100.0, "committed_until": "2027-06-30"}
    w = world(apis={LUNA: terms}, candidates={"provisioned_throughput": {**unit, "minimum_months": 12},
                                              "flexible_tier": {"price_ratio": 0.5, "share": 0.1}})  # fmt: skip
    assert {id: binds(w.options[id]) for id in ("provisioned", CHEAPER, CASCADE, "flexible-tier", "stay")} == {
        "provisioned": True, CHEAPER: True, CASCADE: True, "flexible-tier": False, "stay": False
    }  # fmt: skip
    assert not binds(world(candidates={"provisioned_throughput": unit}).options["provisioned"])


def test_a_commitment_that_is_over_is_a_warning() -> None:
    terms = {"committed_usd_per_month": 1000.0, "committed_until": "2026-01-01"}
    for field, given in (("incumbent", {"incumbent": terms}), (f"apis.{LUNA}", {"apis": {LUNA: terms}})):
        assert [x for x in resolve(check_scenario(quiet(given))).warnings if "commitment" in x] == [
            f"{field}.committed_until: 2026-01-01 is before as_of, 2026-11-24: that commitment is over and costs nothing"]
