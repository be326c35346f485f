"""What changed between two answers, cause by cause: parts that add up to the cent, and turn their sign from B to A."""

from math import isclose

import numpy as np
import pytest
from quiet_scenario import CHEAPER, SELF, case_of, quiet
from random_scenarios import scenario

from roi.economics.change.attribution import FEW, attribute, in_cents
from roi.economics.change.difference import FIGURES, Explained, explain, turned
from roi.economics.change.mixture import Mixture
from roi.economics.decision.comparison import compare
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

APIS = {"cascade_first": [], "self_hosted": []}
"""Candidates that need no replay."""
CASH, NPV = "cash_monthly_usd", "npv_usd"


def parts(found: Explained, option: str, figure: str) -> dict[tuple[str, str], float]:
    """USD by group and by what the cause is, or by its one path."""
    moved = next(m for m in found.moved if (m.option, m.figure) == (option, figure))
    return {(c.group, c.what or c.paths[0]): usd for c, usd in zip(found.causes, moved.parts_usd, strict=True) if usd}


def test_shapley_values_of_a_product_are_the_means_over_both_orders() -> None:
    """2 x 10 becomes 3 x 14: the first factor alone +10, last +14, so 12; the second +8 and +12, so 10. 12 + 10 = 22."""
    sides = ((2.0, 3.0), (10.0, 14.0))
    found = attribute([[0], [1]], lambda moved: np.array([np.prod([s[k in moved] for k, s in enumerate(sides)])]))
    assert (found.parts[:, 0].tolist(), found.method) == ([12.0, 10.0], "shapley")


def test_many_causes_are_taken_in_one_order_and_its_reverse_and_still_add_up() -> None:
    """x1 x2 ... of 300 factors from 1 to 1.01 in one group: first in order 1.01^0 x 0.01 and 1.01^299 x 0.01, half of each."""
    count = FEW // 2 + 100
    found = attribute([range(count)], lambda moved: np.array([1.01 ** len(moved)]))
    assert found.method == "ordered"
    assert found.parts[0, 0] == pytest.approx((0.01 + 0.01 * 1.01 ** (count - 1)) / 2)
    assert found.parts.sum() == pytest.approx(1.01**count - 1)


def test_cents_add_up_to_the_total_and_mirror() -> None:
    """Thirds of a dollar are 33.33: the missing cent goes to the first of equal remainders; what is nothing stays nothing."""
    third = [1 / 3, 1 / 3, 1 / 3, 0.0]
    assert in_cents(third, 100) == [34, 33, 33, 0]
    assert in_cents([-x for x in third], -100) == [-34, -33, -33, 0]
    assert in_cents([], 0) == []


def test_a_rise_of_the_price_and_of_the_volume_share_what_they_do_together() -> None:
    """Staying costs 2,628,000 requests x $0.004 = $10,512 a month; at twice that and 10% off, 10,512 x 2 x 0.9 = 18,921.60.

    Volume: alone +10,512, after the discount +9,460.80; mean 9,986.40. Price: alone -1,051.20, at twice the volume -2,102.40;
    mean -1,576.80. Together 8,409.60 = 18,921.60 - 10,512.
    """
    a = case_of(candidates=APIS)
    b = case_of(candidates=APIS, workload={"requests_per_day": 172_800.0}, incumbent={"discount": 0.1})
    found = explain(a, b, ["stay"])
    assert parts(found, "stay", CASH) == {
        ("volume", "workload.requests_per_day"): 9986.4, ("prices", "options.stay.price.discount"): -1576.8,
    }  # fmt: skip
    assert found.method == "shapley"
    assert [m.now_usd - m.was_usd for m in found.moved] == pytest.approx([0.0, 0.0, 8409.6])


def test_an_option_that_appears_is_worth_what_it_saves_and_shares_that_with_the_volume() -> None:
    """One month, not discounted: luna saves 2,628,000 x ($0.004 - $0.00015) = $10,117.80, less set-up of 4 h x $100 = $400.

    From nothing at one volume to $20,235.60 - 400 at twice that. The option: first, 10,117.80 - 400; last, 20,235.60 - 400;
    mean 14,776.70. The volume: first 0 (there is no option), last 10,117.80; mean 5,058.90. Together 19,835.60.
    """
    people = {**quiet()["people"], "setup_hours": {**quiet()["people"]["setup_hours"], "api": 4.0}}
    rest = {"horizon_months": 1, "discount_rate": 0.0, "people": people, "quality": {"usd_per_error": 0.0},
            "evaluation": {"usd": 0.0, "labels": 0.0}}  # fmt: skip
    a = case_of(**rest, candidates={"api_models": [], **APIS})
    b = case_of(**rest, workload={"requests_per_day": 172_800.0}, candidates=APIS)
    found = explain(a, b, [CHEAPER])
    assert parts(found, CHEAPER, NPV) == {("options", "there"): 14776.7, ("volume", "workload.requests_per_day"): 5058.9}
    assert turned(a, b).by == ("options",)
    assert turned(a, b).alone == {"volume": "stay", "options": CHEAPER}
    assert turned(b, a).by == ("options",)
    assert turned(a, a) is None


def test_what_only_an_option_that_is_gone_asks_for_is_no_change_of_its_own() -> None:
    """The share that a cascade escalates was told as "20% -> none" beside the cascade itself."""
    a, b = (case_of(candidates={**APIS, "cascade_first": first}) for first in ([CHEAPER.partition(":")[2]], []))
    assert "apis.openai/gpt-6-luna.escalated_share" in a.facts
    assert {cause.what for cause in Mixture(a, b).causes} == {"there"}


@pytest.mark.full
def test_rents_capacity_and_a_spread_are_causes_of_their_own() -> None:
    """A rent is a matter of prices, a capacity of evidence; a fact known better moves no central figure."""
    a = case_of()
    place = f"options.{SELF}.plans.0."
    changes = {f"{place}usd_per_gpu_hour": 3.0, f"{place}capacity_requests_per_s": 0.5}
    facts = {path: fact.model_copy(update={"value": changes.get(path, fact.value)}) for path, fact in a.facts.items()}
    volume = facts["workload.requests_per_day"]
    facts["workload.requests_per_day"] = volume.model_copy(update={"low": 80_000.0, "high": 90_000.0})
    found = explain(a, Case(facts=facts), [SELF])
    assert [(c.group, c.what, c.of) for c in found.causes] == [
        ("prices", "rent", "H100-80GB-SXM"), ("evidence", "capacity", SELF), ("evidence", "known better", ""),
    ]  # fmt: skip
    assert {group for group, _ in parts(found, SELF, NPV)} == {"prices", "evidence"}


@pytest.mark.full
def test_capacity_follows_from_longer_requests_where_the_evidence_is_the_same() -> None:
    found = Mixture(case_of(), case_of(workload={"input_tokens": 2000.0}), [SELF]).causes
    assert {(c.group, c.what) for c in found} == {("volume", "lengths"), ("volume", "capacity")}


def test_what_lengths_find_in_a_cache_is_part_of_the_lengths() -> None:
    """2,628,000 requests a month of 2,000 tokens, of which 1,500 are found in 80%: 1,200. Where lengths say 1,600, these cost
    400 x ($2.50 - $0.25) / million less each, $2,365.20 a month."""
    means = {"input_tokens": None, "output_tokens": None, "shared_prefix_tokens": 1500.0, "cache_hit_rate": 0.8}
    cell = {"input_tokens": 2000.0, "output_tokens": 10.0, "share": 0.5}
    a, b = (case_of(candidates=APIS, incumbent={"uses_cache": True}, workload={**means, "lengths": [{**cell, **own}, cell]})
            for own in ({}, {"cached_tokens": 2000.0}))
    assert parts(explain(a, b, ["stay"]), "stay", CASH) == {("volume", "lengths"): -2365.2}


def test_what_a_file_states_beside_its_facts_is_the_version_of_roi() -> None:
    a, b = case_of(candidates=APIS), case_of(candidates=APIS, workload={"requests_per_day": 172_800.0})
    own = {("stay", CASH): 10_500.0}
    moved = next(m for m in explain(a, b, ["stay"], was=own).moved if m.figure == CASH)
    assert (moved.was_usd, moved.version_usd, sum(moved.parts_usd), moved.now_usd) == (10_500.0, 12.0, 10_512.0, 21_024.0)
    back = next(m for m in explain(b, a, ["stay"], now=own).moved if m.figure == CASH)
    assert (back.now_usd, back.version_usd) == (10_500.0, -12.0)


def test_ends_of_the_attribution_are_the_figures_of_the_comparisons() -> None:
    a, b = case_of(candidates=APIS), case_of(candidates=APIS, incumbent={"discount": 0.1})
    found = explain(a, b, ["stay", CHEAPER])
    for case, end in ((a, "was_usd"), (b, "now_usd")):
        told = {o.id: o for o in compare(case, thresholds=False).options}
        assert all(isclose(getattr(m, end), getattr(told[m.option], m.figure), abs_tol=0.0051) for m in found.moved)


def test_a_fact_that_only_one_case_has_moves_with_the_rest() -> None:
    """A judge's price that A does not know is nothing there."""
    a = case_of(candidates=APIS)
    judged = Fact(value=0.001, unit="USD", basis=Basis.STATED, source="test")
    b = Case(facts={**a.facts, "quality.judge_usd_per_request": judged})
    a = Case(facts={path: fact for path, fact in a.facts.items() if path != "quality.judge_usd_per_request"})
    assert [c.paths for c in explain(a, b, [CHEAPER]).causes] == [("quality.judge_usd_per_request",)]


def random_pair(seed: int) -> tuple[Case, Case]:
    """Two random scenarios, the second of which keeps some blocks of the first."""
    rng = np.random.default_rng(seed)
    first, other = scenario(2 * seed), scenario(2 * seed + 1)
    second = {block: (other if rng.random() < 0.5 else first)[block] for block in first}
    together = (other if rng.random() < 0.5 else first)  # these name each other
    second |= {block: together[block] for block in ("apis", "candidates", "own_hardware", "quality", "workload")}
    return resolve(check_scenario(first)).case, resolve(check_scenario(second)).case


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.full if seed < 25 else pytest.mark.slow)
                                  for seed in range(50)])
def test_on_random_pairs_the_parts_add_up_to_the_cent_and_swap_sign(seed: int) -> None:
    a, b = random_pair(seed)
    ids = sorted({*a.options, *b.options})[:4]
    there, back = explain(a, b, ids), explain(b, a, ids)
    assert len(there.moved) == len(ids) * len(FIGURES)
    for m, n in zip(there.moved, back.moved, strict=True):
        cents = [round(100 * x) for x in (*m.parts_usd, m.version_usd)]
        assert sum(cents) == round(100 * m.now_usd) - round(100 * m.was_usd)
        assert n.parts_usd == tuple(-x for x in m.parts_usd)


@pytest.mark.full
def test_what_an_option_hands_requests_to_is_there_where_only_one_of_the_cases_has_it() -> None:
    """The floor's spill goes to a hosted model in A and to the incumbent in B, which has no such candidate: moved one after the
    other the floor hands on to what its own Case lacks. Parts add up to the cent."""
    quality = {"bar": 0.85, "scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.9, "openai/gpt-oss-20b": 0.9}}
    a, b = (resolve(check_scenario(quiet({"quality": quality, "candidates": {
        "self_hosted": ["qwen3-8b"], "cascade_first": [], "api_models": [], "hosted_models": hosted}}))).case
        for hosted in (["groq/openai/gpt-oss-20b"], []))
    spills = [next(f.value for path, f in case.facts.items() if path.endswith(".spills_to")) for case in (a, b)]
    assert spills[0] != spills[1]
    floor = next(id for id in a.options if id.startswith("hybrid:"))
    for moved in explain(a, b, [floor]).moved:
        assert sum(moved.parts_usd) == pytest.approx(moved.now_usd - moved.was_usd, abs=0.005)
