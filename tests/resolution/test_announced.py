"""Lists that a vendor has announced, from the price list to the answer: gemini-3.8-flash doubles on 2027-01-01."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet_scenario import HYBRID, PER_MONTH, STAY, World, case_of, quiet

from roi.economics.change.causes import causes_of
from roi.economics.decision.comparison import compare
from roi.economics.inputs import path_of
from roi.economics.price_list import AnnouncedRates, Api
from roi.errors import InputError
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario

FLASH = "google/gemini-3.8-flash"
OPTION = f"cheaper-api:{FLASH}"
BILL = PER_MONTH * (1000 * 0.75 + 100 * 3.75) / 1e6  # a month at the list of November
AFTER = (date(2027, 1, 1) - date(2026, 11, 24)).days / (365 / 12)
API = "provider,model,input_usd_per_mtok,output_usd_per_mtok,changes_on,source,date\n"
SCORES = {"scores": {"gpt-5.4": 0.95, "gemini-3.8-flash": 0.95, "gpt-6-luna": 0.9}}
ONLY = {"api_models": [FLASH], "cascade_first": [], "self_hosted": []}


def flash(**changes: Any) -> Case:
    return case_of(**{"candidates": ONLY, "quality": SCORES, **changes})


def at(name: str, vendor: str = FLASH, step: int = 0) -> str:
    return path_of(AnnouncedRates, name, vendor=vendor, step=step)


def month(case: Case, id: str = OPTION) -> list[float]:
    lines = World(case).costed(id).costs.lines
    return sum(np.asarray(x.monthly) for x in lines if x.name.startswith("API ")).tolist()


def told_of(announced: list[dict[str, Any]], **terms: Any) -> tuple[Case, str]:
    """The case where this is announced of the candidate, and the first that is said of it."""
    apis = {FLASH: {"announced": announced, **terms}}
    found = resolve(check_scenario(quiet({"candidates": ONLY, "quality": SCORES, "apis": apis})))
    return found.case, next(x for x in found.warnings if ".announced." in x)


def prices_of_mine(folder: Path, monkeypatch: pytest.MonkeyPatch, *rows: str) -> None:
    """A file of one's own prices of APIs."""
    prices = folder / "roi" / "prices"
    prices.mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    (prices / "hosted.csv").write_text(API + "".join(f"{row}\n" for row in rows))


def test_a_candidate_that_doubles_is_compared_at_both_prices() -> None:
    """38 of 30.42 days: month 2 is paid 0.2493 of itself at $2,956.50 and the rest at twice that. $400 before, 24 months."""
    c = compare(flash())
    r = 1.1 ** (1 / 12) - 1
    paid = [BILL, BILL * (2 - (AFTER - 1)), *[2 * BILL] * 22]
    (option,) = [o for o in c.options if o.id == OPTION]
    worth = sum((STAY - usd) / (1 + r) ** t for t, usd in enumerate(paid, start=1)) - 400
    assert option.npv_usd == pytest.approx(worth, abs=0.005)
    assert option.cash_monthly_usd == pytest.approx(sum(paid) / 24)


def test_what_pays_back_at_todays_price_alone_never_does_at_the_announced_one() -> None:
    """At a discount of 53% on $10,512 staying costs $4,940.64: $2,956.50 saves in month 1, $5,913 never again."""
    stay = {"provider": "openai", "model": "gpt-5.4", "discount": 0.53}
    day_after, flat = (compare(flash(incumbent=stay, **more)) for more in (
        {}, {"apis": {FLASH: {"input_usd_per_mtok": 0.75, "output_usd_per_mtok": 3.75}}}))
    status = [next(o for o in c.options if o.id == OPTION).payback_status for c in (day_after, flat)]
    assert status == ["never", "months"]
    assert [c.verdict.leader for c in (day_after, flat)] == ["stay", OPTION]


def test_its_facts_say_day_rates_and_source() -> None:
    case = flash()
    assert case[at("from_months")].value == pytest.approx(AFTER)
    assert case[f"vendors.{FLASH}.announced.0.from"].value == "2027-01-01"
    rate = case[at("input")]
    assert (rate.value, rate.basis, rate.date) == ((1.5,), Basis.QUOTED, date(2026, 11, 10))
    assert "ai.google.dev" in rate.source
    assert not [path for path in case.facts if "announced.1" in path or f"vendors.{FLASH}.next" in path]


@pytest.mark.parametrize("changes", [
    {"as_of": "2026-11-09"}, {"horizon_months": 1},
    {"apis": {FLASH: {"input_usd_per_mtok": 0.75, "output_usd_per_mtok": 3.75}}}, {"as_of": "2027-01-01"},
], ids=["not known yet", "beyond the horizon", "stated rates", "in force"])  # fmt: skip
def test_no_step_where_it_is_not_known_or_comes_too_late_or_rates_are_stated(changes: dict[str, Any]) -> None:
    assert not [path for path in flash(**changes).facts if "announced" in path]


def test_a_stated_rate_stays_and_a_stated_discount_is_off_both() -> None:
    """Output stated at $3.75: 1,000 x $0.75 + 100 x $3.75 becomes 1,000 x $1.50 + 100 x $3.75. 20% off: of both."""
    case = flash(apis={FLASH: {"output_usd_per_mtok": 3.75}})
    assert month(case)[2] == pytest.approx(PER_MONTH * (1.5 + 0.375) / 1e3)
    assert case[at("output")].source == f"scenario apis.{FLASH}.output_usd_per_mtok"
    cheap = month(flash(apis={FLASH: {"discount": 0.2}}))
    assert (cheap[0], cheap[2]) == (pytest.approx(0.8 * BILL), pytest.approx(1.6 * BILL))


def test_a_price_to_come_that_is_stated_takes_the_place_of_what_the_list_announced() -> None:
    """$1.125 a thousand requests. Half from 2027-02-01 on, 69 days = 2.2685 months: month 3 pays 0.2685 + 0.7315 / 2 of it;
    with output alone at $7.50, 1,000 x $0.75 + 100 x $7.50 = $1.50. A price that is stated for today is what the ratio is of.
    """
    each, live = PER_MONTH * 1.125e-3, 69 / (365 / 12) - 2
    for told, times in (({"price_ratio": 0.5}, 0.5), ({"output_usd_per_mtok": 7.5}, 1.5 / 1.125)):
        case = flash(apis={FLASH: {"announced": [{"from_date": "2027-02-01", **told}]}})
        paid = month(case)
        assert paid[1:4] == pytest.approx([each, each * (live + (1 - live) * times), each * times])
        assert case[at("output")].basis is Basis.STATED
        assert case[at("output")].source == f"scenario apis.{FLASH}.announced.0.{next(iter(told))}"
        assert case[f"vendors.{FLASH}.announced.0.from"].source == f"scenario apis.{FLASH}.announced.0.from_date"
        assert at("input", step=1) not in case
    twice = [{"from_date": "2027-02-01", "price_ratio": 2.0}]
    own = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0, "announced": twice}
    assert month(flash(apis={FLASH: own}))[3] == pytest.approx(2 * PER_MONTH * 1.2e-3)


def test_what_today_s_model_will_cost_is_met_by_all_that_keep_it() -> None:
    """gpt-5.4 at twice its price from month 4 on: staying, and a shorter prompt at what it calls of it. No cost of staying says
    that, which is the same for both."""
    days = {"apis": {"openai/gpt-5.4": {"announced": [{"from_date": "2027-02-24", "price_ratio": 2.0}]}}}
    shorter = {**ONLY, "shorter_prompt": {"prefix_tokens": 100}}
    cases = [case_of(candidates=shorter, workload={"shared_prefix_tokens": 600}, **more) for more in ({}, days)]
    for id in ("stay", "shorter-prompt"):
        flat, dear = (month(case, id) for case in cases)
        assert (dear[2], dear[5]) == (pytest.approx(flat[2]), pytest.approx(2 * flat[5]))


def test_a_price_to_come_that_cannot_be_meant_is_refused_or_told() -> None:
    """A name that holds dots is still the API's where --set reaches into its list."""
    for told, why in (
        ([{"from_date": "2027-01-01"}], "give price_ratio, or rates"),
        ([{"from_date": "2027-01-01", "price_ratio": 2.0, "output_usd_per_mtok": 1.0}], "give price_ratio"),
        ([{"from_date": "2027-01-01", "price_ratio": 2.0}] * 2, "in the order of their days"),
    ):
        with pytest.raises(InputError, match=why):
            flash(apis={FLASH: {"announced": told}})
    one = "{openai/gpt-4.1: {announced: [{from_date: 2027-02-01, price_ratio: 2}]}}"
    s = load_scenario(None, (f"apis={one}", "apis.openai/gpt-4.1.announced.0.price_ratio=3"))
    assert s.apis["openai/gpt-4.1"].announced[0].price_ratio == 3.0
    late = {"apis": {FLASH: {"announced": [{"from_date": "2030-01-01", "price_ratio": 2.0}]}}}
    resolved = resolve(check_scenario(quiet({"candidates": ONLY, "quality": SCORES, **late})))
    assert any(f"apis.{FLASH}.announced.0 moves nothing" in warning for warning in resolved.warnings)
    in_part = {"apis": {FLASH: {"announced": [{"from_date": "2027-02-01", "output_usd_per_mtok": 7.5}]}}}
    for prefix, told in ((0, False), (600, True)):  # of a cache that nothing is in the rate is no question
        resolved = resolve(check_scenario(quiet({
            "candidates": ONLY, "quality": SCORES, "workload": {"shared_prefix_tokens": prefix}, **in_part})))
        assert told == any("announced.0 says nothing of input_usd_per_mtok, cache_read" in x for x in resolved.warnings)


def test_rates_whose_day_has_come_are_stated_of_today_the_later_in_the_place_of_the_earlier() -> None:
    """1,000 x $1 + 100 x $4 = $1.40 a thousand: input of the first, output of the second, a third one to come at $8."""
    told = [{"from_date": "2026-11-20", "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
            {"from_date": "2026-11-24", "output_usd_per_mtok": 4.0}, {"from_date": "2027-02-01", "output_usd_per_mtok": 8.0}]
    case, remark = told_of(told)
    assert month(case)[:1] + month(case)[4:5] == pytest.approx([PER_MONTH * 1.4e-3, PER_MONTH * 1.8e-3])
    rates = [case[path_of(Api, name, option=OPTION)] for name in ("input", "output")]
    assert [rate.source.rpartition("announced.")[2] for rate in rates] == ["0.input_usd_per_mtok", "1.output_usd_per_mtok"]
    assert {rate.basis for rate in rates} == {Basis.STATED}
    assert case[at("input")].source == f"scenario apis.{FLASH}.announced.0.input_usd_per_mtok"
    assert "announced.1 is in force since 2026-11-24: today's price is $1 in and $4 out a million tokens" in remark


def test_a_ratio_whose_day_has_come_is_of_what_is_stated_else_of_the_list_of_the_day_before() -> None:
    """$1 and $2 x 3 is $3.60 a thousand requests; twice the list of 19 November 2 x $1.125. One to come is over the same list:
    3 x $1.125, not 3 x that; and what the vendor announced of its own list from January on is not counted beside it.
    """
    told = [{"from_date": "2026-11-20", "price_ratio": 3.0}]
    case, remark = told_of(told, input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)
    assert month(case)[0] == pytest.approx(PER_MONTH * 3.6e-3)
    assert case[path_of(Api, "input", option=OPTION)].source == f"scenario apis.{FLASH}.announced.0.price_ratio"
    assert "today's price is $3 in and $6 out" in remark
    case, remark = told_of([{"from_date": "2026-11-20", "price_ratio": 2.0}, {"from_date": "2027-02-01", "price_ratio": 3.0}])
    paid = month(case)
    assert (paid[0], paid[1], paid[4]) == (pytest.approx(2 * BILL), pytest.approx(2 * BILL), pytest.approx(3 * BILL))
    assert (case[path_of(Api, "output", option=OPTION)].basis, case[at("output")].basis) == (Basis.STATED, Basis.STATED)
    assert "today's price is $1.50 in and $7.50 out a million tokens; its ratio is over the list of 2026-11-19" in remark


def test_a_list_of_the_day_or_later_holds_and_the_ratio_is_said_not_to_count(tmp_path, monkeypatch) -> None:
    """genai-prices' list is of 10 November. What is stated beside it is what the ratio is of: 1,000 x $2 + 100 x $3.75."""
    case, remark = told_of([{"from_date": "2026-11-10", "price_ratio": 2.0}])
    assert month(case)[0] == pytest.approx(BILL)
    assert "announced.0.price_ratio is not counted of the list of 2026-11-10, which is newer: $0.75 in and $3.75 out" in remark
    assert month(case)[4] == pytest.approx(2 * BILL)  # by the vendor's own announcement
    case, _ = told_of([{"from_date": "2026-11-10", "price_ratio": 2.0}], input_usd_per_mtok=1.0)
    assert month(case)[0] == pytest.approx(PER_MONTH * 2.375e-3)
    prices_of_mine(tmp_path, monkeypatch, f"{FLASH.replace('/', ',')},1.5,7.5,,s,2026-11-22")
    for terms in ({}, {"discount": 0.0}, {"discount": 0.1}):
        case, remark = told_of([{"from_date": "2026-11-20", "price_ratio": 1.99}], **terms)
        assert month(case)[0] == pytest.approx(2 * BILL * (1 - terms.get("discount", 0.0)))
        assert remark.endswith("of the list of 2026-11-22, which has it")


def test_of_a_newer_list_and_a_discount_nobody_can_say_which_has_ended() -> None:
    """Of half price that ends the list shows nothing; counted on, staying would cost half for ever."""
    half = [{"from_date": "2026-11-10", "price_ratio": 2.0}]
    with pytest.raises(InputError, match=r"announced.0.price_ratio: 2.*whether the discount of 0.5 has ended"):
        told_of(half, discount=0.5)
    incumbent = {"provider": "openai", "model": "gpt-5.4", "discount": 0.5}
    with pytest.raises(InputError, match=r"announced.0.price_ratio: 2.*whether the discount of 0.5 has ended"):
        case_of(incumbent=incumbent, apis={"openai/gpt-5.4": {"announced": half}})
    half[0]["from_date"] = "2026-11-11"
    assert month(case_of(incumbent=incumbent, apis={"openai/gpt-5.4": {"announced": half}}), "stay")[0] == pytest.approx(STAY)


def test_a_ratio_to_come_over_a_list_that_nobody_had_is_refused(tmp_path, monkeypatch) -> None:
    prices_of_mine(tmp_path, monkeypatch, "acme,theirs,1,2,,s,2026-11-20")
    told = [{"from_date": "2026-11-01", "price_ratio": 2.0}, {"from_date": "2027-02-01", "price_ratio": 3.0}]
    apis = {"acme/theirs": {"announced": told}}
    with pytest.raises(InputError, match=r"announced.1.price_ratio: 3.*no list of 2026-10-31 is known.*state the rates"):
        case_of(candidates={**ONLY, "api_models": ["acme/theirs"]}, apis=apis)


@pytest.mark.parametrize("told", [
    [{"from_date": "2026-12-24", "price_ratio": 2.0}, {"from_date": "2027-03-24", "price_ratio": 0.5}],
    [{"from_date": "2026-12-24", "input_usd_per_mtok": 3.0}, {"from_date": "2027-03-24", "output_usd_per_mtok": 1.0}],
    [{"from_date": "2026-12-24", "price_ratio": 2.0}, {"from_date": "2027-03-24", "output_usd_per_mtok": 1.0}],
], ids=["ratios", "rates", "both"])  # fmt: skip
@pytest.mark.parametrize("stated", [{}, {"input_usd_per_mtok": 2.0}, {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 9.0}],
                         ids=["listed", "stated in part", "stated"])
def test_no_day_that_passes_moves_what_a_month_costs(told: list[dict[str, Any]], stated: dict[str, float]) -> None:
    """gpt-5.4, paid today, seen from four days; months are 365/12 days, so that whole ones far from a step are compared. Half
    of its requests go through batch, whose rates are the list's.
    """
    terms: dict[str, Any] = {"apis": {"openai/gpt-5.4": {"announced": told, **stated}},
                             "incumbent": {"provider": "openai", "model": "gpt-5.4", "batch_share": 0.5}}
    days = ("2026-11-24", "2026-12-24", "2027-02-01", "2027-04-01")
    first, second, third, last = (month(case_of(as_of=day, **terms), "stay") for day in days)
    assert [second[1], third[0]] == pytest.approx([first[2]] * 2)
    assert [second[4], last[0]] == pytest.approx([first[8]] * 2)


def test_a_bill_of_before_the_price_that_is_in_force_is_asked_for_anew() -> None:
    apis = {"openai/gpt-5.4": {"announced": [{"from_date": "2026-11-20", "price_ratio": 2.0}]}}
    incumbent = {"provider": "openai", "model": "gpt-5.4", "bill_usd_per_month": 20_000}
    resolved = resolve(check_scenario(quiet({"apis": apis, "incumbent": incumbent})))
    assert any("state one of a month after 2026-11-20" in told for told in resolved.warnings)


def test_a_rate_of_batch_is_asked_for_of_the_model_whose_requests_go_through_it() -> None:
    """30% of today's model's requests go through batch, and so can wait: they would through another's batch too. Where none can
    wait, and none does, its rate is no question.
    """
    told = {"announced": [{"from_date": "2027-02-01", "output_usd_per_mtok": 7.5}]}
    for name, own, batch, asked in ((FLASH, {}, 0.0, False), (FLASH, {}, 0.3, True), (FLASH, {"batch_share": 0.2}, 0.0, True),
                                    ("openai/gpt-5.4", {}, 0.3, True), ("openai/gpt-5.4", {}, 0.0, False)):
        incumbent = {"provider": "openai", "model": "gpt-5.4", "batch_share": batch}
        found = resolve(check_scenario(quiet({
            "candidates": ONLY, "quality": SCORES, "incumbent": incumbent, "apis": {name: {**told, **own}}})))
        (said,) = [x for x in found.warnings if "announced.0 says nothing of" in x]
        assert ("batch_input_usd_per_mtok" in said) is asked


def test_the_users_own_rows_may_announce_several_steps(tmp_path, monkeypatch) -> None:
    """$1 and $2, then $2 and $4, the same again, then $0.50 and $1; a row that would go back in time ends the chain."""
    rows = ("1,2,2027-01-20,s,2026-11-20", "2,4,2027-02-24,s,2027-01-20", "2,4,2027-03-24,s,2027-02-24",
            "0.5,1,2027-01-20,s,2027-03-24")  # fmt: skip
    prices_of_mine(tmp_path, monkeypatch, *(f"openai,gpt-6-luna,{row}" for row in rows))
    resolved = resolve(check_scenario(quiet({"candidates": {**ONLY, "api_models": ["openai/gpt-6-luna"]}})))
    case, luna = resolved.case, "openai/gpt-6-luna"
    assert [case[at("input", luna, k)].value for k in (0, 1)] == [(2.0,), (0.5,)]
    assert at("input", luna, 2) not in case
    each = PER_MONTH * 1.2e-3  # 1,000 x $1 + 100 x $2
    paid = month(case, f"cheaper-api:{luna}")
    assert (paid[0], paid[2], paid[5]) == (pytest.approx(each), pytest.approx(2 * each), pytest.approx(0.5 * each))
    assert [x for x in resolved.warnings if x.startswith(luna)] == [
        f"{luna} costs 2 x today's price, cache and batch aside, from 2027-01-20 on, as announced: counted from that day",
        f"{luna} costs 0.5 x today's price, cache and batch aside, from 2027-03-24 on, as announced: counted from that day",
    ]


def test_an_announced_price_that_is_not_of_tokens_is_said_to_be_left_out(monkeypatch) -> None:
    monkeypatch.setattr("roi.resolution.vendors.list_prices.announced_price", lambda _: None)
    resolved = resolve(check_scenario(quiet({"candidates": ONLY, "quality": SCORES})))
    assert (f"{FLASH}: another price from 2027-01-01 on is announced, but not one of tokens: not counted") in resolved.warnings
    assert not [path for path in resolved.case.facts if "announced" in path]


def test_a_hybrid_spills_to_what_is_cheapest_over_the_horizon() -> None:
    """At a bar of 0.9 both pass. $1.125 a thousand requests until January, then $2.25; the other costs $1.60 throughout."""
    apis = {"openai/gpt-6-luna": {"input_usd_per_mtok": 1.1, "output_usd_per_mtok": 5.0}}
    candidates = {"api_models": [FLASH, "openai/gpt-6-luna"], "cascade_first": []}
    scores = {"scores": {**SCORES["scores"], "qwen3-8b": 0.9}, "bar": 0.9}
    for horizon, spill in ((24, "cheaper-api:openai/gpt-6-luna"), (2, OPTION)):
        case = case_of(candidates=candidates, quality=scores, apis=apis, horizon_months=horizon)
        assert case[f"options.{HYBRID}.spills_to"].value == spill


def test_passing_the_day_is_one_cause_of_prices() -> None:
    """In January the list is what was announced: price list and announcement move together, and no volume does."""
    causes = causes_of(flash().facts, flash(as_of="2027-01-02").facts)
    (cause,) = [c for c in causes if any("announced" in path for path in c.paths)]
    assert (cause.group, cause.what, cause.of) == ("prices", "list price", FLASH)
    assert f"options.{OPTION}.price.input_usd_per_mtok" in cause.paths
    assert not [c for c in causes if c.group == "volume"]
