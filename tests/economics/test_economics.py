"""The money of each kind of option by hand: 86,400 requests a day are 1/s and 2,628,000 a month (730 h)."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.evaluation import Evaluated, evaluate, read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.decision.verdict import SURE, Verdict, decide
from roi.economics.inputs import Option, Shared
from roi.economics.lines.owned_hardware import purchases
from roi.economics.lines.self_hosting import fleet_months
from roi.errors import ScenarioError
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario

PER_MONTH = 2_628_000.0
STAY_EACH = 0.004  # gpt-5.4: 1,000 x $2.50/M + 100 x $15/M
LUNA_EACH = 0.00015  # gpt-6-luna: 1,000 x $0.10/M + 100 x $0.50/M
STAY = PER_MONTH * STAY_EACH  # $10,512
LUNA = PER_MONTH * LUNA_EACH  # $394.20
KINDS = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
NONE = dict.fromkeys(KINDS, 0.0)
PLATFORM = dict.fromkeys(("load_balancer", "logs", "staging", "storage", "egress", "monitoring"), 0.0)
SELF, HYBRID, OWN = "self-hosted-base:qwen3-8b", "hybrid:qwen3-8b", "own-hardware:qwen3-8b"
CHEAPER, CASCADE = "cheaper-api:openai/gpt-6-luna", "cascade:openai/gpt-6-luna"

QUIET: dict[str, Any] = {
    "as_of": "2026-11-24",
    "horizon_months": 24,
    "discount_rate": 0.10,
    "draws": 0,
    "workload": {
        "requests_per_day": 86_400.0,
        "growth_per_year": 0.0,
        "input_tokens": 1000.0,
        "output_tokens": 100.0,
        "peak_to_mean": 3.0,
    },
    "incumbent": {"provider": "openai", "model": "gpt-5.4"},
    "quality": {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90, "qwen3-8b": 0.90, "qwen3-8b+lora": 0.94}},
    "evaluation": {"usd": 100.0, "labels": 300.0, "usd_per_label": 1.0},
    "people": {
        "usd_per_hour": 100.0,
        "wage_growth_per_year": 0.0,
        "setup_hours": NONE,
        "run_hours_per_month": NONE,
        "migration_hours": 40.0,
    },
    "timing": {"months_to_live": NONE, "months_in_parallel": 0.0},
    "serving": {"spares": 0, "headroom": 0.0},
    "platform": PLATFORM,
    "drift": {
        "gpu_rent_per_year": 0.0,
        "successor_price_ratio": 1.0,
        "successor_price_ratio_own": 1.0,
        "successor_error_ratio": 1.0,
        "model_life_months": 1200.0,
    },
    "candidates": {
        "api_models": ["openai/gpt-6-luna"],
        "cascade_first": ["openai/gpt-6-luna"],
        "self_hosted": ["qwen3-8b"],
        "gpus": ["h100-sxm"],
    },
}


def quiet(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The scenario in which nothing moves, with blocks changed field by field."""
    return {**QUIET, **{k: {**QUIET.get(k, {}), **v} if isinstance(v, dict) else v for k, v in (changes or {}).items()}}


def case_of(**changes: Any) -> Case:
    return resolve(check_scenario(quiet(changes))).case


class World:
    """Every option of a case on its first plan, with some facts overwritten."""

    def __init__(self, case: Case, **facts: Any) -> None:
        values = {**case.values(), **facts}
        self.shared, self.options = read_all(case, values)

    def costed(self, id: str) -> Evaluated:
        return evaluate(self.shared, self.options[id], self.options)

    def line(self, id: str, name: str) -> tuple[float, list[float]]:
        """USD upfront, and by month, of the lines with this name."""
        found = [line for line in self.costed(id).costs.lines if line.name == name]
        monthly = sum((line.monthly for line in found), np.zeros(self.shared.horizon))
        return sum(float(np.asarray(line.upfront)) for line in found), monthly.tolist()

    def names(self, id: str) -> list[str]:
        return [line.name for line in self.costed(id).costs.lines]


def world(**changes: Any) -> World:
    return World(case_of(**changes))


def plan(id: str, **values: float) -> dict[str, float]:
    """Facts of an option's first plan: one GPU a replica, 1 request/s at the SLO, $2 an hour, unless given."""
    rented = {"usd_per_gpu_hour": 2.0} if not id.startswith("own") else {"watts": 1000.0}
    facts = {"gpus_per_instance": 1, "gpus_per_replica": 1, "minimum_months": 0.0, "capacity_requests_per_s": 1.0}
    return {f"options.{id}.plans.0.{name}": value for name, value in {**facts, **rented, **values}.items()}


# ---------------------------------------------------------------- the whole


@cache
def bundled() -> Comparison:
    return compare(resolve(load_scenario(overrides=("draws=256",))).case)


def test_lines_add_up_to_totals() -> None:
    """Each month and upfront to 1e-6 USD; TCO = upfront + months; NPV = PV(stay) - PV(option)."""
    c = bundled()
    stay = c.options[0]
    assert stay.id == "stay"
    for o in c.options:
        months = np.sum([line.monthly_usd for line in o.lines], axis=0)
        assert np.abs(months - np.array(o.monthly_usd)).max() < 1e-6, o.id
        assert sum(line.upfront_usd for line in o.lines) == pytest.approx(o.upfront_usd, abs=1e-6)
        assert o.tco_usd == pytest.approx(o.upfront_usd + sum(o.monthly_usd), abs=1e-6)
        assert o.npv_usd == pytest.approx(stay.pv_cost_usd - o.pv_cost_usd, abs=1e-6)


def test_only_a_residual_value_is_negative() -> None:
    for o in bundled().options:
        for line in o.lines:
            assert line.upfront_usd >= 0, (o.id, line.name)
            assert min(line.monthly_usd) >= 0 or line.name == "hardware, resale", (o.id, line.name)


def test_a_case_survives_json_and_gives_the_same_answer_to_the_cent() -> None:
    c = bundled()
    again = Case.model_validate_json(c.case.model_dump_json())
    assert again == c.case
    assert compare(again) == c


def test_compare_gives_the_same_answer_twice() -> None:
    case = case_of()
    assert compare(case) == compare(case)


def test_month_zero_is_undiscounted_and_months_fall_at_their_end() -> None:
    """$10,512 x 24 months; PV = 10,512 x sum of 1.1^(-t/12)."""
    found = world().costed("stay")
    assert float(found.total.monthly.sum()) == pytest.approx(24 * STAY)
    assert float(found.pv) == pytest.approx(STAY * sum(1.1 ** (-t / 12) for t in range(1, 25)))


def test_usd_per_request_and_per_mtok_are_pv_over_pv() -> None:
    """Nothing but the API: $0.004 a request, and 0.004 / 1,100 tokens = $3.636 per million of the incumbent's tokens."""
    stay = compare(case_of(quality={"usd_per_error": 0.0})).options[0]
    assert stay.usd_per_request == pytest.approx(0.004)
    assert stay.usd_per_mtok == pytest.approx(0.004 / 1100 * 1e6)


def test_another_tokenizer_is_reported_in_the_incumbents_tokens() -> None:
    """Twice the tokens cost twice, over the same 1,100 tokens of the incumbent: 0.0003 / 1,100."""
    w = compare(case_of(tokens={"gpt-6-luna": {"ratio": 2.0}}, evaluation={"usd": 0.0, "labels": 0.0}))
    option = next(o for o in w.options if o.id == CHEAPER)
    assert option.usd_per_mtok == pytest.approx(2 * LUNA_EACH / 1100 * 1e6)


# ---------------------------------------------------------------- going live, and change


def test_until_live_the_incumbent_is_paid_and_in_parallel_both() -> None:
    """Live after 1.5 months, 0.5 in parallel: the incumbent for 2 months; the option for half of month 2."""
    w = world(timing={"months_to_live": {**NONE, "api": 1.5}, "months_in_parallel": 0.5})
    kept = w.line(CHEAPER, "incumbent, until live and in parallel")[1]
    own = np.add(w.line(CHEAPER, "API input, uncached")[1], w.line(CHEAPER, "API output")[1])
    assert kept[:4] == pytest.approx([STAY, STAY, 0.0, 0.0])
    assert own[:4] == pytest.approx([0.0, LUNA / 2, LUNA, LUNA])


def test_a_month_of_delay_costs_the_saving_of_a_month() -> None:
    """At 0% a month later loses 10,512 - 394.20."""
    c = compare(case_of(discount_rate=0.0, quality={"usd_per_error": 0.0}))
    option = next(o for o in c.options if o.id == CHEAPER)
    assert option.delay_usd == pytest.approx(STAY - LUNA)


def test_a_change_of_model_pays_hours_and_evaluation() -> None:
    """20 h x $100, and $100 + 300 labels x $1. Switching the cache on changes no model."""
    w = world(
        people={"setup_hours": {**NONE, "api": 20.0}},
        workload={"shared_prefix_tokens": 1000.0, "input_tokens": 2000.0, "cache_hit_rate": 0.5, "can_wait_share": 0.5},
    )
    assert w.line(CHEAPER, "engineering, set-up")[0] == 2000.0
    assert w.line(CHEAPER, "evaluation before the change")[0] == 400.0
    assert "evaluation before the change" not in w.names("cache-batch")


def test_an_announced_end_forces_a_migration_and_so_does_each_life_after_it() -> None:
    """gpt-4.1 ends 51 days (1.68 months) after 2026-11-24, its successors after 10 each: paid at month ends 1, 11, 21:
    40 h x $100 + $400. From the month after, the price is 0.5 of what it was: $0.0028 -> 0.0014 -> 0.0007 -> 0.00035.
    """
    w = world(
        incumbent={"model": "gpt-4.1"},
        quality={"scores": {"gpt-4.1": 0.95}},
        drift={"model_life_months": 10.0, "successor_price_ratio": 0.5},
    )
    paid = w.line("stay", "incumbent's model ends: migration")[1]
    assert {t + 1: usd for t, usd in enumerate(paid) if usd} == {1: 4400.0, 11: 4400.0, 21: 4400.0}
    bill = np.add(w.line("stay", "API input, uncached")[1], w.line("stay", "API output")[1])
    each = PER_MONTH * 0.0028
    assert bill[[0, 1, 10, 11, 20, 21]] == pytest.approx(each * np.array([1, 0.5, 0.5, 0.25, 0.25, 0.125]))


def test_a_model_without_announced_end_has_an_assumed_life_staying_included() -> None:
    """Life 9 months: ends at 9 and 18 of 24; the new model of an option likewise. Errors x 1.5 after each."""
    w = world(drift={"model_life_months": 9.0, "successor_error_ratio": 1.5}, quality={"usd_per_error": 0.01})
    for id, name in (("stay", "incumbent's model ends: migration"), (CHEAPER, "vendor's model ends: migration")):
        assert [t + 1 for t, usd in enumerate(w.line(id, name)[1]) if usd] == [9, 18]
    wrong = w.line("stay", "wrong answers")[1]
    assert np.array(wrong)[[8, 9, 18]] == pytest.approx(PER_MONTH * 0.05 * 0.01 * np.array([1.0, 1.5, 2.25]))


def test_the_incumbent_is_not_migrated_once_nobody_uses_it() -> None:
    """Its model ends after 9 months; an option that is live after 1 leaves it before, a cascade still escalates to it."""
    w = world(drift={"model_life_months": 9.0}, timing={"months_to_live": {**NONE, "api": 1.0, "cascade": 1.0}})
    assert "incumbent's model ends: migration" not in w.names(CHEAPER)
    assert "incumbent's model ends: migration" in w.names(CASCADE)


def test_a_model_retired_on_the_day_is_infeasible_with_its_date() -> None:
    c = compare(case_of(candidates={**QUIET["candidates"], "api_models": ["openai/gpt-6-luna", "openai/o4-mini"]}))
    reasons = {o.id: o.reason for o in c.infeasible}
    assert reasons["cheaper-api:openai/o4-mini"] == "retired on 2026-10-23"


def test_growth_wages_and_rent_are_effective_annual() -> None:
    """21% growth: month 13 at 1.21; wages 10%: on-call of month 13 at 1.1; rent +44%: month 13 at 1.44."""
    case = case_of(
        workload={"growth_per_year": 0.21},
        people={"wage_growth_per_year": 0.10, "run_hours_per_month": {**NONE, "self_hosted": 10.0}},
        drift={"gpu_rent_per_year": 0.44},
        serving={"spares": 0, "replicas_least": 9},
    )
    w = World(case, **plan(SELF))
    stay = w.line("stay", "API output")[1]
    assert stay[12] / stay[0] == pytest.approx(1.21)
    assert np.array(w.line(SELF, "on-call and operation")[1])[[0, 12]] == pytest.approx([1000.0, 1100.0])
    rent = w.line(SELF, "GPU rent")[1]
    assert rent[0] == pytest.approx(9 * 2 * 730)
    assert rent[12] / rent[0] == pytest.approx(1.44)


# ---------------------------------------------------------------- errors and people


def test_wrong_answers_cost_requests_times_rate_times_usd() -> None:
    """2,628,000 x 5% x $0.01 = $1,314 for staying; 10% for the cheaper model; until live the incumbent's rate."""
    w = world(quality={"usd_per_error": 0.01}, timing={"months_to_live": {**NONE, "api": 1.0}})
    assert w.line("stay", "wrong answers")[1][0] == pytest.approx(1314.0)
    assert w.line(CHEAPER, "wrong answers")[1][:2] == pytest.approx([1314.0, 2628.0])


def test_npv_is_given_with_and_without_wrong_answers() -> None:
    """They differ by the PV of the difference in wrong answers: 24 x (2,628 - 1,314) at 0%."""
    c = compare(case_of(discount_rate=0.0, quality={"usd_per_error": 0.01}))
    option = next(o for o in c.options if o.id == CHEAPER)
    assert option.npv_without_errors_usd == pytest.approx(24 * (STAY - LUNA) - 400.0)
    assert option.npv_usd == pytest.approx(24 * (STAY - LUNA) - 400.0 - 24 * 1314.0)


@pytest.mark.parametrize(("setup", "run", "left_out"), [(False, False, 0), (True, False, 2000), (False, True, 24_000)])
def test_npv_is_given_without_people_who_are_paid_anyway(setup: bool, run: bool, left_out: float) -> None:
    """20 h of set-up x $100 = $2,000; 10 h a month x $100 x 24 = $24,000, left out where the people are there anyway."""
    people = {
        "setup_hours": {**NONE, "api": 20.0},
        "run_hours_per_month": {**NONE, "api": 10.0},
        "setup_hours_existing": setup,
        "run_hours_existing": run,
    }
    c = compare(case_of(discount_rate=0.0, people=people))
    option = next(o for o in c.options if o.id == CHEAPER)
    assert option.npv_incremental_people_usd - option.npv_usd == pytest.approx(left_out, abs=1e-6)


# ---------------------------------------------------------------- cascades


def test_in_a_cascade_every_request_pays_the_first_model_and_the_escalated_also_the_second() -> None:
    """25% escalated: 394.20 for all, 0.25 x 10,512 besides; errors 0.75 x 10% + 0.25 x 5% = 8.75%."""
    w = world(quality={"cascade_escalated_share": 0.25, "usd_per_error": 0.01})
    first = w.line(CASCADE, "API input, uncached")[1][0] + w.line(CASCADE, "API output")[1][0]
    assert first == pytest.approx(LUNA)
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][0] == pytest.approx(0.25 * STAY)
    assert w.line(CASCADE, "wrong answers")[1][0] == pytest.approx(PER_MONTH * 0.0875 * 0.01)


def test_escalated_requests_find_the_cache_at_their_own_rate() -> None:
    """2,000 in, all shared; the incumbent caches: half of its own calls hit, none of the escalated ones.
    Escalated call at gpt-5.4: 2,000 x $2.50/M + 100 x $15/M = $0.0065; staying: half at $0.25/M: $0.00425.
    """
    w = world(
        workload={
            "input_tokens": 2000.0,
            "shared_prefix_tokens": 2000.0,
            "cache_hit_rate": 0.5,
            "escalated_cache_hit_rate": 0.0,
        },
        incumbent={"uses_cache": True},
        quality={"cascade_escalated_share": 0.1},
    )
    assert w.line(CASCADE, "escalated to gpt-5.4")[1][0] == pytest.approx(PER_MONTH * 0.1 * 0.0065)
    assert float(w.costed("stay").total.monthly[0]) == pytest.approx(PER_MONTH * 0.00425)


def test_a_cascade_is_held_to_the_bar_with_the_errors_of_both_models() -> None:
    """(1 - e) x 10% + e x 5%: 9% wrong at e = 0.2, 8.75% at e = 0.25. A bar of 0.912 lets the second pass alone."""
    for share, passes in ((0.2, False), (0.25, True)):
        w = world(quality={"bar": 0.912, "cascade_escalated_share": share})
        assert meets_bar(w.shared, w.options[CASCADE], w.options).all() == passes


# ---------------------------------------------------------------- fleets


def test_a_fleet_is_sized_at_its_peak_and_paid_for_every_hour() -> None:
    """Mean 1/s, peak 3/s, 1/s a replica: 3 replicas, one spare: 3 x $2 x 730 = $4,380 and $1,460 of redundancy."""
    w = World(case_of(serving={"spares": 1, "headroom": 0.0}), **plan(SELF))
    assert w.line(SELF, "GPU rent")[1] == pytest.approx([4380.0] * 24)
    assert w.line(SELF, "GPU rent, redundancy")[1] == pytest.approx([1460.0] * 24)


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


@given(st.lists(st.floats(1.0, 1e7), min_size=2, max_size=20), st.floats(0.05, 50.0), st.integers(1, 8), st.booleans())
def test_more_volume_never_lowers_the_fleet(daily: list[float], capacity: float, instance: int, follow: bool) -> None:
    """Replicas, GPUs and rent rise with volume or stay, whatever the capacity and the instance size."""
    case = autoscaled() if follow else steady()
    facts = plan(SELF, capacity_requests_per_s=capacity, gpus_per_instance=instance)
    volumes = np.sort(np.array(daily))[:, None]
    w = World(case, **{**facts, "workload.requests_per_day": volumes})
    fleet = fleet_months(w.shared, w.options[SELF], np.ones(24))
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


def test_a_shared_base_pays_its_share_of_the_fleet() -> None:
    """Four adapters on one base: a quarter of 3 x $2 x 730."""
    w = World(case_of(serving={"spares": 0, "headroom": 0.0, "adapters": "shared", "adapters_on_base": 4}), **plan(SELF))
    assert w.line(SELF, "GPU rent")[1][0] == pytest.approx(4380.0 / 4)


def test_platform_is_a_line_of_its_own() -> None:
    w = World(case_of(platform={**PLATFORM, "logs": 50.0, "egress": 10.0}), **plan(SELF))
    assert w.line(SELF, "platform")[1] == [60.0] * 24


# ---------------------------------------------------------------- hybrids


def hybrid(replicas: int, **changes: Any) -> World:
    w = World(case_of(**changes), **plan(HYBRID))
    w.options[HYBRID] = replace(w.options[HYBRID], replicas_fixed=replicas)
    return w


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


def test_a_hybrid_spills_to_the_cheapest_api_that_passes_the_bar() -> None:
    """gpt-6-luna at 90% passes a bar of 0.9; at 0.92 only the incumbent is left."""
    assert hybrid(1, quality={"bar": 0.90}).options[HYBRID].spills_to == CHEAPER
    assert hybrid(1, quality={"bar": 0.92}).options[HYBRID].spills_to == "stay"
    unknown = {"gpt-5.4": 0.95, "qwen3-8b": 0.9}
    assert hybrid(1, quality={"scores": unknown}).options[HYBRID].spills_to == "stay"


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


# ---------------------------------------------------------------- commitments and the bill


def test_leaving_saves_nothing_below_a_commitment_before_its_end() -> None:
    """$20,000 a month owed until 2027-05-24 (181 days, 5.95 months). Staying spends 10,512, so 9,488 goes unused; another
    model of the same provider spends 394.20 of it. 0.95 of month 6: 0.95 x 20,000 are owed. Leaving saves nothing.
    """
    w = world(incumbent={"committed_usd_per_month": 20_000.0, "committed_until": "2027-05-24"})
    stay, gone = w.line("stay", "commitment not used")[1], w.line(CHEAPER, "commitment not used")[1]
    part = 181 / (365 / 12) - 5
    assert stay[:7] == pytest.approx([20_000 - STAY] * 5 + [part * 20_000 - STAY, 0.0])
    assert gone[:7] == pytest.approx([20_000.0 - LUNA] * 5 + [part * 20_000 - LUNA, 0.0])
    for t in range(5):
        saved = float(w.costed("stay").total.monthly[t]) - float(w.costed(CHEAPER).total.monthly[t])
        assert saved == pytest.approx(0.0, abs=1e-6)


def test_what_is_still_sent_to_the_incumbent_counts_towards_the_commitment() -> None:
    """A cascade that escalates 25% spends 2,628 and its own 394.20 of 5,000; staying spends more than it owes."""
    w = world(
        incumbent={"committed_usd_per_month": 5000.0, "committed_until": "2030-01-01"},
        quality={"cascade_escalated_share": 0.25},
    )
    assert sum(w.line("stay", "commitment not used")[1]) == 0.0
    assert w.line(CASCADE, "commitment not used")[1][0] == pytest.approx(5000.0 - 0.25 * STAY - LUNA)


def test_a_bill_of_twice_the_estimate_is_volume_for_all_or_price_for_the_incumbent() -> None:
    """Bill $21,024 against $10,512: factor 2. All volume: everybody pays for twice the requests. All price: the incumbent
    costs twice, the others what they did. Half of each: sqrt 2 of both.
    """
    bill = {"bill_usd_per_month": 2 * STAY}
    for share, stay, other in ((1.0, 2.0, 2.0), (0.0, 2.0, 1.0), (0.5, 2.0, 2.0**0.5)):
        w = world(incumbent={**bill, "bill_is_volume_share": share})
        assert float(w.costed("stay").total.monthly[0]) == pytest.approx(stay * STAY)
        assert float(w.costed(CHEAPER).total.monthly[0]) == pytest.approx(other * LUNA)


def test_an_unsplit_bill_shows_both_bounds() -> None:
    """At 0%: all price saves 24 x (21,024 - 394.20), all volume 24 x (21,024 - 788.40), less $400 of evaluation."""
    c = compare(case_of(discount_rate=0.0, incumbent={"bill_usd_per_month": 2 * STAY}))
    assert c.verdict.recommended == CHEAPER
    assert c.reconciled_npv_usd == pytest.approx((24 * (2 * STAY - LUNA) - 400, 24 * (2 * STAY - 2 * LUNA) - 400))


def test_a_bill_for_what_costs_nothing_by_the_list_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"incumbent\.bill_usd_per_month: 500\.0 is not usable"):
        case_of(incumbent={"discount": 1.0, "bill_usd_per_month": 500.0})


# ---------------------------------------------------------------- own hardware


HARDWARE = {
    "host_usd_per_gpu": 2000.0,
    "install_share": 0.1,
    "pue": 1.5,
    "usd_per_kwh": 0.10,
    "power_share": 0.5,
    "colocation_usd_per_kw_month": 100.0,
    "spare_share": 0.0,
    "life_months": 48,
    "value_kept_per_year": 0.5,
}


def owned(**hardware: Any) -> World:
    case = case_of(
        candidates={**QUIET["candidates"], "own_hardware": True}, own_hardware={**HARDWARE, **hardware}, discount_rate=0.0
    )
    prices = {path: 28_000.0 for path in case.facts if path.startswith("purchase.")}
    return World(case, **plan(OWN), **prices)


def test_own_gpus_cost_purchase_installation_power_and_space_and_fetch_a_price_at_the_end() -> None:
    """3 GPUs of $28,000, $2,000 of host each, 1 kW: $90,000, 10% installation; 3 kW x 0.5 x 1.5 x 730 h x $0.10 = $164.25;
    3 x $100; after two years half of half is left: -$22,500.
    """
    w = owned()
    assert w.line(OWN, "hardware, purchase and replacement") == (90_000.0, [0.0] * 24)
    assert w.line(OWN, "hardware, installation") == (9000.0, [0.0] * 24)
    assert w.line(OWN, "electricity")[1] == pytest.approx([164.25] * 24)
    assert w.line(OWN, "colocation")[1] == [300.0] * 24
    resale = w.line(OWN, "hardware, resale")[1]
    assert sum(resale[:-1]) == 0.0
    assert resale[-1] == pytest.approx(-22_500.0)


def test_gpus_whose_life_ends_inside_the_horizon_are_sold_and_replaced() -> None:
    """Life 12 of 24 months: bought at 0 and at month end 12, sold at 12 and at 24 for half: -$45,000 each time."""
    w = owned(life_months=12)
    upfront, later = w.line(OWN, "hardware, purchase and replacement")
    assert (upfront, {t + 1: usd for t, usd in enumerate(later) if usd}) == (90_000.0, {12: 90_000.0})
    resale = {t + 1: usd for t, usd in enumerate(w.line(OWN, "hardware, resale")[1]) if usd}
    assert resale == pytest.approx({12: -45_000.0, 24: -45_000.0})


def test_spare_cards_are_bought_too() -> None:
    assert owned(spare_share=0.5).line(OWN, "hardware, purchase and replacement")[0] == 135_000.0


def test_purchases_follow_growth_and_replacement() -> None:
    """2 GPUs, a third from month 3, life 4: 2 at month end 0, 1 at 2, 2 again at 4, 1 again at 6."""
    assert purchases(np.array([2.0, 2, 3, 3, 3, 3, 3, 3]), 4).tolist() == [2.0, 0, 1, 0, 2, 0, 1, 0]
    assert purchases(np.array([0.0, 2, 1, 1]), 48).tolist() == [0.0, 2, 0, 0]


# ---------------------------------------------------------------- training


ADAPTER = "self-hosted-adapter:qwen3-8b+lora"
TRAINED: dict[str, Any] = {
    "examples": 1000.0,
    "tokens_per_example": 1000.0,
    "runs_until_good": 3.0,
    "retrain_every_months": 6.0,
    "retrain_runs": 2.0,
    "retrain_hours": 10.0,
    "relabel_share": 0.2,
}


def trained(facts: dict[str, Any] | None = None, **training: Any) -> World:
    case = case_of(training={**TRAINED, **training}, timing={"months_to_live": {**NONE, "self_hosted_adapter": 2.0}})
    own = f"options.{ADAPTER}.training."
    return World(case, **plan(ADAPTER), **{own + "gpu_hours_per_run": 5.0, own + "usd_per_gpu_hour": 4.0}, **(facts or {}))


def test_training_pays_good_and_bad_runs_and_labels() -> None:
    """5 GPU-hours x $4 = $20 kept, two runs more that are not, 1,000 labels x $1."""
    w = trained()
    assert w.line(ADAPTER, "training, the run that is kept")[0] == pytest.approx(20.0)
    assert w.line(ADAPTER, "training, runs that are not")[0] == pytest.approx(40.0)
    assert w.line(ADAPTER, "training data, labels")[0] == pytest.approx(1000.0)


def test_retraining_pays_runs_hours_labels_and_evaluation_at_the_start_of_its_period() -> None:
    """Live after 2, every 6: month ends 8, 14, 20: 2 x $20 + 10 h x $100 + 0.2 x 1,000 x $1 + $400 = $1,640."""
    paid = trained().line(ADAPTER, "retraining")[1]
    assert {t + 1: usd for t, usd in enumerate(paid) if usd} == pytest.approx({8: 1640.0, 14: 1640.0, 20: 1640.0})


def test_labels_that_are_owned_cost_nothing() -> None:
    """Bought once and of no other use: their resale value is 0."""
    assert trained(labels_owned=True).line(ADAPTER, "training data, labels")[0] == 0.0


def test_training_rents_from_the_vendors_that_the_scenario_names() -> None:
    """RunPod alone: $2.69 on its community cloud; Azure's $2.27 is not to be had."""
    case = case_of(candidates={"vendors": ["RunPod"]})
    hourly = case[f"options.{ADAPTER}.training.usd_per_gpu_hour"]
    assert (hourly.value, hourly.source.partition(" ")[0]) == (2.69, "RunPod")


# ---------------------------------------------------------------- the verdict


def sure(chance: float | None, npv: float = 50_000.0, **fields: Any) -> Verdict:
    """The verdict where the cheaper API has this chance of beating staying and everything else loses."""
    case = case_of()
    shared, options = read_all(case, case.values())
    central = {id: evaluate(shared, option, options) for id, option in options.items() if option.infeasible is None}
    results = {
        o.id: o if o.id == "stay" else replace(o, expected_npv_usd=-1.0) for o in compare(case).options if o.id in central
    }
    results[CHEAPER] = replace(results[CHEAPER], expected_npv_usd=npv, probability_npv_positive=chance, **fields)
    return decide(shared, results, options, central)


def test_below_sixty_percent_of_the_draws_the_verdict_is_stay_not_sure() -> None:
    assert SURE == 0.60
    unsure = sure(0.59)
    assert (unsure.decision, unsure.recommended, unsure.challenger) == ("stay, not sure", "stay", CHEAPER)
    assert "59%" in unsure.sentence


def test_from_sixty_percent_on_it_is_change() -> None:
    assert (sure(0.60).decision, sure(0.60).recommended) == ("change", CHEAPER)
    assert (sure(None).decision, sure(None).recommended) == ("change", CHEAPER)


def test_an_option_that_loses_on_average_is_not_recommended_however_often_it_wins() -> None:
    assert (sure(0.9, -5.0).decision, sure(0.9, -5.0).recommended) == ("stay", "stay")


def test_an_option_that_nobody_evaluated_is_never_recommended() -> None:
    """The same figures, but no score: staying, and the next step is to evaluate it."""
    assert sure(1.0, evaluated=False).recommended == "stay"
    c = compare(case_of(quality={"scores": {"gpt-5.4": 0.95}}))
    assert c.verdict.recommended == "stay"
    assert c.verdict.next_step.startswith("Evaluate ")
    assert c.verdict.challenger_wins_at_error_rate is not None


def test_an_option_below_the_bar_is_infeasible_and_the_incumbent_is_not_held_to_it() -> None:
    """Bar 0.96: above the incumbent's 0.95 too, which stays possible."""
    c = compare(case_of(quality={"bar": 0.96}))
    assert [o.id for o in c.options] == ["stay"]
    reasons = {o.id: o.reason for o in c.infeasible}
    assert reasons[CHEAPER] == "quality 0.900 is below the bar of 0.960"
    assert c.verdict.recommended == "stay"


def test_a_score_at_the_bar_passes() -> None:
    assert CHEAPER in {o.id for o in compare(case_of(quality={"bar": 0.90})).options}


def test_a_failed_gate_bars_what_trains_and_nothing_else() -> None:
    c = compare(case_of(gates={"learnable_from_examples": "no"}))
    assert {o.id for o in c.options if o.trains} == set()
    assert {SELF, HYBRID, CHEAPER} <= {o.id for o in c.options}
    assert next(o for o in c.infeasible if o.id == ADAPTER).reason.startswith("gate failed: learnable from examples")


def test_unknown_gates_are_listed_and_do_not_block() -> None:
    c = compare(case_of())
    assert {g.status for g in c.gates} == {"unknown"}
    assert not any(g.blocks for g in c.gates)
    assert any(o.trains for o in c.options)


def test_the_legal_gate_matters_where_the_labels_are_the_vendors_outputs() -> None:
    gates = {"vendor_allows_training_on_outputs": "no"}
    assert any(o.trains for o in compare(case_of(gates=gates)).options)
    assert not any(o.trains for o in compare(case_of(gates=gates, training={"labels_from": "incumbent"})).options)


def test_the_best_untrained_option_may_be_staying() -> None:
    """Where every other untrained option costs more, NPV against the best untrained one is NPV against staying."""
    dearer = {"api_models": ["anthropic/claude-opus-5-5"], "cascade_first": ["anthropic/claude-opus-5-5"], "base": False}
    c = compare(case_of(candidates=dearer, quality={"scores": {"gpt-5.4": 0.95, "qwen3-8b+lora": 0.94}}))
    assert max(o.npv_usd for o in c.options if not o.trains) == 0.0
    adapter = next(o for o in c.options if o.id == ADAPTER)
    assert adapter.npv_vs_best_untrained_usd == pytest.approx(adapter.npv_usd)


def test_switching_the_cache_on_needs_no_evaluation() -> None:
    """The same model answers: it may be recommended though nobody measured it."""
    c = compare(
        case_of(
            quality={"scores": {}},
            workload={"input_tokens": 3000.0, "shared_prefix_tokens": 2500.0, "cache_hit_rate": 0.9},
            candidates={"api_models": [], "cascade_first": [], "self_hosted": []},
        )
    )
    assert c.verdict.recommended == "cache-batch"


def test_a_comparison_without_any_candidate_says_stay() -> None:
    nothing: dict[str, Any] = {"api_models": [], "cascade_first": [], "self_hosted": []}
    c = compare(case_of(candidates=nothing, quality={"scores": {}}))
    assert (c.verdict.recommended, c.break_even, c.break_even_requests_per_day) == ("stay", (), None)


def test_a_comparison_with_one_candidate_has_staying_as_best_untrained() -> None:
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}
    c = compare(case_of(candidates={"cascade_first": [], "self_hosted": []}, quality={"scores": scores}))
    found = next(b for b in c.break_even if b.baseline == "best_untrained" and b.basis == "pv")
    against_stay = next(b for b in c.break_even if b.baseline == "stay" and b.basis == "pv")
    assert (found.first, found.stays) == (against_stay.first, against_stay.stays)


# ---------------------------------------------------------------- where a figure comes from


def test_a_line_names_the_source_of_the_plan_that_was_chosen() -> None:
    """Plan 0 made dear: another plan is chosen, and the rent line rests on that plan's facts."""
    case = case_of()
    dear = case["options." + SELF + ".plans.0.usd_per_gpu_hour"].model_copy(update={"value": 500.0})
    case = Case(facts={**case.facts, f"options.{SELF}.plans.0.usd_per_gpu_hour": dear})
    shared, options = read_all(case, case.values())
    chosen = replace(options[SELF], plan=options[SELF].plans[1])
    rent = next(line for line in evaluate(shared, chosen, options).costs.lines if line.name == "GPU rent")
    assert f"options.{SELF}.plans.1.usd_per_gpu_hour" in rent.facts


def costs_of(shared: Shared, option: Option, options: dict[str, Option]) -> float:
    return float(evaluate(shared, option, options).pv)


def test_an_option_is_put_on_its_cheapest_plan() -> None:
    """No other plan of the self-hosted option costs less over the horizon."""
    case = case_of(candidates={**QUIET["candidates"], "gpus": []})
    shared, options = read_all(case, case.values())
    best = min(costs_of(shared, replace(options[SELF], plan=p), options) for p in options[SELF].plans)
    found = next(o for o in compare(case).options if o.id == SELF)
    assert found.pv_cost_usd == pytest.approx(best)
