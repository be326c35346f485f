"""Thresholds that were kept with a decision, held against a later answer."""

from dataclasses import replace

import pytest
from quiet_scenario import CHEAPER, OWN, SELF, case_of

from roi.answers.check import _price_of_wrong
from roi.answers.held_signposts import held_against
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.turning.signposts import Signpost
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml


def post(
    quantity: str, today: float, threshold: float, direction: str = "below", option: str = CHEAPER, reason: str = "",
) -> Signpost:
    return Signpost(option=option, rival="stay", quantity=quantity, today=today, threshold=threshold, direction=direction,
                    reason=reason)  # fmt: skip


def later(case: Case) -> Comparison:
    return compare(case, thresholds=False)


APIS = {"cascade_first": [], "self_hosted": []}


def test_a_volume_holds_until_it_crosses_and_either_side_may_be_the_one() -> None:
    """86,400 a day. Above 90,000 it would win: it does not, and did not at 80,000; it did at 100,000."""
    now = later(case_of(candidates=APIS))
    kept = [post("requests_per_day", today, 90_000.0, "above") for today in (80_000.0, 100_000.0)]
    found = held_against([*kept, Signpost(**{**vars(kept[0]), "threshold": None})], now.case, now, CHEAPER)
    assert [(each.stands, each.holds) for each in found] == [(86_400.0, True), (86_400.0, False)]


def test_a_threshold_beyond_which_what_was_decided_is_only_better_undoes_nothing() -> None:
    """Above 90,000 a day it costs no more than staying. Who moved at 100,000 is undone below that, who stayed there is not.

    At 80,000 it is the other way round: staying is undone above, and who moved too early is only right then.
    """
    now = later(case_of(candidates=APIS))
    kept = [post("requests_per_day", today, 90_000.0, "above") for today in (80_000.0, 100_000.0)]
    undoes = {decided: [each.undoes for each in held_against(kept, now.case, now, decided)] for decided in (CHEAPER, "stay")}
    assert undoes == {CHEAPER: [False, True], "stay": [True, False]}


def test_a_price_of_a_wrong_answer_beyond_a_stretch_in_which_another_leads_breaks_no_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Own cards lead from 1.50 to 1.57 cents alone. At 1.4 it holds, and at 3, where staying leads again; at 1.53 not."""
    kept = later(case_of(candidates=APIS, quality={"usd_per_error": 0.01}))
    kept = replace(kept, verdict=replace(kept.verdict, flips_between_usd_per_error=(0.015, 0.015)))
    monkeypatch.setattr(Comparison, "stands_at_price", lambda _, usd: not 0.015 < usd < 0.0157)
    for usd, holds in ((0.014, True), (0.0153, False), (0.03, True)):
        now = later(case_of(candidates=APIS, quality={"usd_per_error": usd}))
        [rule] = _price_of_wrong(now, kept, unchanged=False)
        assert (rule.holds, rule.limit, rule.over) == (holds, 0.015, None if holds else pytest.approx(usd - 0.015))


def test_what_is_advised_at_a_price_of_a_wrong_answer_is_what_a_comparison_at_it_says() -> None:
    """gpt-6-luna, 10% wrong, against 5% at ten times the price: it is advised up to 7.7 cents a wrong answer."""
    scores = {"gpt-5.4": 0.95, "gpt-6-luna": 0.9}
    c, *others = (later(case_of(candidates=APIS, quality={"scores": scores, "usd_per_error": usd}))
                  for usd in (0.01, 0.0, 0.07, 0.08, 1.0))
    for usd, there in zip((0.0, 0.07, 0.08, 1.0), others, strict=True):
        assert c.stands_at_price(usd) is (there.verdict.leader == c.verdict.leader == CHEAPER)
        assert c.stands_at_price(usd) is (usd < 0.077)


def test_a_price_list_is_held_against_the_one_that_was_kept() -> None:
    """1,000 x $0.10 + 100 x $0.50 a million = $0.00015; a fifth off is 0.8 of it; an input price of $0.25, 0.0003, twice."""
    kept = case_of(candidates=APIS)
    for terms, ratio in (({"discount": 0.2}, 0.8), ({"input_usd_per_mtok": 0.25, "output_usd_per_mtok": 0.5}, 2.0)):
        now = later(case_of(candidates=APIS, apis={"openai/gpt-6-luna": terms}))
        (found,) = held_against([post("api_price_ratio", 1.0, 1.5)], kept, now, CHEAPER)
        assert found.stands == pytest.approx(ratio)
        assert found.holds is (ratio <= 1.5)


def test_hours_of_on_call_hold_until_they_cross() -> None:
    """30 hours a month were assumed, and up to 40 it costs no more: 35 hold, 50 do not."""
    for hours, holds in ((35.0, True), (50.0, False)):
        now = later(case_of(people={"run_hours_per_month": {"self_hosted": hours}}))
        kept = post("run_hours_per_month", 30.0, 40.0, option=SELF)
        (found,) = held_against([kept], now.case, now, SELF)
        assert (found.stands, found.holds) == (hours, holds)


def test_where_both_cost_the_same_each_rival_is_to_stay_where_what_was_decided_costs_no_more() -> None:
    """Both at today's price: dearer than that the decided option no longer wins, and cheaper than that its rival does."""
    kept = case_of(candidates=APIS)
    for discount, own, rival in ((0.2, True, False), (0.0, True, True), (-0.2, False, True)):
        dearer = {"input_usd_per_mtok": 0.1 * (1 - discount), "output_usd_per_mtok": 0.5 * (1 - discount)}
        now = later(case_of(candidates=APIS, apis={"openai/gpt-6-luna": dearer}))
        tie = post("api_price_ratio", 1.0, 1.0 + 1e-12)
        for decided, side, holds in ((CHEAPER, "below", own), ("stay", "above", rival)):
            (found,) = held_against([tie], kept, now, decided)
            assert (found.side, found.holds) == (side, holds)


def test_a_price_that_was_announced_and_has_come_is_no_change() -> None:
    """gemini-3.8-flash doubles on 2027-01-01. A threshold of November counts that: in January its prices stand at 1, not 2."""
    flash = "google/gemini-3.8-flash"
    kept = case_of(candidates={**APIS, "api_models": [flash]})
    for day, ratio, terms in (("2026-12-20", 1.0, {}), ("2027-01-02", 1.0, {}), ("2027-01-02", 0.8, {"discount": 0.2})):
        now = later(case_of(candidates={**APIS, "api_models": [flash]}, as_of=day, apis={flash: terms}))
        (found,) = held_against([post("api_price_ratio", 1.0, 1.5, option=f"cheaper-api:{flash}")], kept, now, CHEAPER)
        assert found.stands == pytest.approx(ratio)


def test_an_error_rate_and_an_option_that_is_gone() -> None:
    """The score is 0.90. Where nobody offers the option nothing tells."""
    now = later(case_of(candidates=APIS))
    rate, gone = held_against([post("error_rate", 0.1, 0.12), post("error_rate", 0.1, 0.12, option="cheaper-api:x/y")],
                              now.case, now, CHEAPER)  # fmt: skip
    assert (rate.stands, rate.holds) == (pytest.approx(0.1), True)
    assert (gone.stands, gone.holds) == (None, False)


@pytest.mark.full
def test_a_rent_is_that_of_the_cheapest_plan_on_the_same_gpu() -> None:
    now = later(case_of())
    rents = [fact.number() for path, fact in now.case.facts.items() if path.startswith(f"options.{SELF}.plans.")
             and path.endswith(".usd_per_gpu_hour")]  # fmt: skip
    least = min(rents)
    reasons = ("H100-80GB-SXM at Vendor, all rents moving alike", "L4 at Vendor, all rents moving alike")
    same, other = held_against([post("usd_per_gpu_hour", least, 2 * least, option=SELF, reason=reason) for reason in reasons],
                               now.case, now, CHEAPER)  # fmt: skip
    assert (same.stands, same.holds, other.stands) == (least, True, None)


def test_a_rent_is_that_of_the_terms_on_which_the_card_was_had() -> None:
    """One of a vendor's cards at $4 an hour, where eight at once cost $1 each: at $3 the option would win, and it does not."""
    rents = [{"gpu": "h100-sxm", "vendor": name, "usd_per_gpu_hour": usd, "gpus_per_instance": size}
             for name, usd, size in (("ours", 4.0, 1), ("theirs", 1.0, 8))]
    now = later(case_of(gpu_rents=rents, candidates={**APIS, "self_hosted": ["qwen3-8b"], "gpus": ["h100-sxm"],
                                                    "vendors": ["ours", "theirs"]}))
    kept = post("usd_per_gpu_hour", 4.0, 3.0, option=SELF, reason="H100-80GB-SXM at ours, all rents moving alike")
    (found,) = held_against([kept], now.case, now, "stay")
    assert (found.side, found.stands, found.holds) == ("above", 4.0, True)


def test_the_price_of_a_card_that_is_owned_is_what_it_would_sell_for() -> None:
    cards = {"cards": {"h100-sxm": 8}, "resale_usd_per_gpu": {"h100-sxm": 9000}}
    now = later(case_of(own_hardware=cards, candidates={**APIS, "self_hosted": ["qwen3-8b"], "own_hardware": True}))
    kept = post("usd_per_gpu", 9000.0, 20_000.0, option=OWN, reason="resale of H100-80GB-SXM, all prices moving alike")
    (found,) = held_against([kept], now.case, now, CHEAPER)
    assert (found.stands, found.holds) == (9000.0, True)


@pytest.mark.full
@pytest.mark.parametrize("name", ["own-gpus", "bundled", "classification", "generation", "agent"])
def test_no_signpost_is_passed_in_the_answer_that_it_was_kept_with(name: str) -> None:
    """Each stands where it stood; of cards that are owned, at what they would sell for."""
    now = compare(resolve(check_scenario({**parse_yaml(template(name), name), "draws": 0})).case)
    posts = (*now.signposts, *now.signposts_once_in_use)
    found = held_against(posts, now.case, now, now.verdict.leader)
    assert [each.stands for each in found] == [pytest.approx(s.today) for s in posts if s.threshold is not None]
    assert [each.signpost for each in found if not each.holds] == []
