"""Lists that a vendor has announced, from the price list to the answer: gemini-3.8-flash doubles on 2027-01-01."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from quiet_scenario import HYBRID, PER_MONTH, STAY, World, case_of, quiet

from roi.economics.change.causes import causes_of
from roi.economics.decision.comparison import compare
from roi.economics.inputs import AnnouncedRates, path_of
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
        ([{"from_date": "2026-11-24", "price_ratio": 2.0}], "from_date: '2026-11-24' .* holds on 2026-11-24 already"),
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


def test_the_users_own_rows_may_announce_several_steps(tmp_path, monkeypatch) -> None:
    """$1 and $2, then $2 and $4, the same again, then $0.50 and $1; a row that would go back in time ends the chain."""
    folder = tmp_path / "roi" / "prices"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    rows = ("1,2,2027-01-20,s,2026-11-20", "2,4,2027-02-24,s,2027-01-20", "2,4,2027-03-24,s,2027-02-24",
            "0.5,1,2027-01-20,s,2027-03-24")  # fmt: skip
    (folder / "hosted.csv").write_text(API + "".join(f"openai,gpt-6-luna,{row}\n" for row in rows))
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
    monkeypatch.setattr("roi.resolution.vendors.api_options.announced_price", lambda _: None)
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
