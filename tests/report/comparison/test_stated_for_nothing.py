"""What a scenario states for nothing is told on the first screen: costs, hours to wait, terms and scores of what is out."""

import re
from typing import Any

from quiet_scenario import CHEAPER, QUIET, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.report.comparison.remarks.alerts import alerts
from roi.report.comparison.remarks.stated import OWN_TERMS, RENTED, paid_out, resale_guessed
from roi.report.comparison.screen import screen
from roi.report.comparison.thresholds import advised, undone_by
from roi.report.layout.blocks import Labelled
from roi.scenario.scenario import OptionTerms

SCORES = {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}}
ABOUT = ("nothing within", "moves nothing", "move nothing", "is out: ", "are out, for")


def of(**changes: Any) -> Comparison:
    return compare(case_of(**{"candidates": {"cascade_first": [], "self_hosted": []}, "quality": SCORES, **changes}))


def test_what_own_cards_would_fetch_is_told_as_assumed_where_it_decides(monkeypatch) -> None:
    """Nothing where it is stated, or where at $0 a card the advice is as it is."""
    cards = {"cards": {"H100-80GB-SXM": 2}}
    assumed, stated = (of(own_hardware={**cards, **more}, candidates={"self_hosted": ["qwen3-8b"]})
                       for more in ({}, {"resale_usd_per_gpu": 9000.0}))
    assert [resale_guessed(c) for c in (assumed, stated)] == [[], []]
    monkeypatch.setattr(Comparison, "leader_at", lambda self, values: "stay" if set(values.values()) == {0.0} else "")
    worth = assumed.case["own_hardware.resale_usd_per_gpu.H100-80GB-SXM"].number()
    assert resale_guessed(assumed) == [(f"Own cards are assumed to fetch ${worth:,.0f} (H100-80GB-SXM) each; at $0 the advice"
                                        " is to stay (own_hardware.resale_usd_per_gpu)")]
    assert resale_guessed(stated) == []


def told(**changes: Any) -> list[str]:
    texts = [item for block in alerts(of(**changes)) if isinstance(block, Labelled) for item in block.items]
    return [text for text in texts if any(words in text for words in ABOUT)]


COUNTED = {"gpt-5.4": {"value": 0.95, "items": 300}, "gpt-6-luna": {"value": 0.9, "items": 100}}


def first_lines(**changes: Any) -> list[str]:
    return [item for block in alerts(of(**changes))[:2] if isinstance(block, Labelled) for item in block.items]


def test_how_often_what_is_advised_misses_the_bar_is_told_before_all_else() -> None:
    """90 right of 100 leaves 88% in doubt, 95 of 100 does not: of 10,000 draws of a Beta(95.5, 5.5) 1 in 100 is below."""
    doubt = first_lines(draws=256, quality={"bar": 0.88, "scores": COUNTED})[0]
    assert re.match(r"gpt-6-luna misses the bar of 88% in 2\d% of the draws, and costs more than staying in 2\d%", doubt)
    sure = {**COUNTED, "gpt-6-luna": {"value": 0.95, "items": 100}}
    assert not any("misses the bar" in text for text in first_lines(draws=256, quality={"bar": 0.88, "scores": sure}))


def test_an_announced_price_that_moves_by_over_a_tenth_comes_before_what_is_unchecked() -> None:
    def at(ratio: float) -> list[str]:
        return first_lines(apis={"openai/gpt-5.4": {"announced": [{"from_date": "2027-03-01", "price_ratio": ratio}]}})

    assert at(0.5)[0].startswith("openai/gpt-5.4 costs 0.5 x as much from 2027-03-01 on, announced")
    assert at(0.95)[0].startswith("Bill not checked")


def test_what_is_said_of_todays_tokens_is_told_with_the_key_of_its_tuned_model() -> None:
    """The workload is in today's tokens; a vendor's tuning of today's model has a key of its own."""
    def said(candidates: dict[str, Any], **tokens: float) -> list[str]:
        texts = told(candidates={"cascade_first": [], "self_hosted": [], **candidates}, tokens={"gpt-4.1-mini": tokens},
                     incumbent={"provider": "openai", "model": "gpt-4.1-mini"}, quality={"scores": {"gpt-4.1-mini": 0.95}})
        return [text for text in texts if text.startswith("tokens.")]

    counted = "the workload is in today's tokens (workload.input_tokens, output_tokens, shared_prefix_tokens)"
    assert said({}, ratio=1.3, output_ratio=1.2) == [f"tokens.gpt-4.1-mini.ratio, output_ratio move nothing: {counted}"]
    prefix = "moves nothing: of today's model the prefix is workload.shared_prefix_tokens"
    assert said({"vendor_tuned": ["azure/gpt-4.1-mini"]}, prompt_tokens_after_tuning=50) == [
        f"tokens.gpt-4.1-mini.prompt_tokens_after_tuning {prefix}; of the tuned model: tokens.gpt-4.1-mini+tuned"]


def test_pay_of_a_year_that_is_typed_for_an_hours_is_asked_about() -> None:
    told = "People at $150,000 an hour: above what consultants bill; is it a year's pay? (people.usd_per_hour)"
    assert first_lines(people={"usd_per_hour": 150_000.0})[0] == told
    assert first_lines(people={"usd_per_hour": 1000.0})[0] != told


def test_hours_of_a_year_that_are_typed_for_a_months_are_asked_about_and_so_are_percent_for_a_share() -> None:
    """160 hours a month are a person's; 1.4 is a usual PUE, and 8% a usual drift."""
    years = "More hours a month are paid anyway than ten people work: are they a year's? (people.existing_hours_per_month)"
    assert first_lines(people={"existing_hours_per_month": 1920.0})[0] == years
    assert first_lines(people={"existing_hours_per_month": 1600.0})[0] != years
    rents = "Rents of GPUs that move by 8 a year: 0.08 is 8% (drift.gpu_rent_per_year)"
    assert first_lines(drift={"gpu_rent_per_year": 8.0})[0] == rents
    assert first_lines(drift={"gpu_rent_per_year": 1.4})[0] != rents
    card = {"candidates": {"cascade_first": [], "self_hosted": ["qwen3-8b"], "gpus": ["h100-sxm"], "own_hardware": True}}
    assert "A PUE of 140: 1.15 to 1.6 is usual (own_hardware.pue)" in first_lines(own_hardware={"pue": 140.0}, **card)


def test_tokens_of_todays_model_over_its_own_are_told_to_move_nothing() -> None:
    """Stated as 2 they doubled today's bill."""
    def at(**tokens: float) -> tuple[float, bool]:
        c = of(draws=0, tokens={"gpt-5.4": tokens})
        texts = [item for block in alerts(c) if isinstance(block, Labelled) for item in block.items]
        return c.options[0].monthly_usd[0], any(text.startswith("tokens.gpt-5.4.") for text in texts)

    plain, silent = at(ratio=1.0, output_ratio=1.0)
    assert not silent
    for field, value in (("ratio", 2.0), ("output_ratio", 2.0), ("prompt_tokens_after_tuning", 10.0)):
        assert at(**{field: value}) == (plain, True)
    assert at(reasoning_tokens=1000.0)[0] > plain


def test_staying_that_is_not_allowed_and_a_cache_that_padding_fills_are_told() -> None:
    """$0.0048 a request, padded $0.00391136, 2,628,000 a month: $2,336 less, and beside batch 0.9 of it."""
    short = {"input_tokens": 1500.0, "output_tokens": 180.0, "shared_prefix_tokens": 900.0, "cache_hit_rate": 0.7}
    sol = {"provider": "openai", "model": "gpt-6-sol", "uses_cache": True}
    assert "caches; padding it to that saves $2,335 a month" in " ".join(first_lines(workload=short, incumbent=sol))
    both = first_lines(workload={**short, "can_wait_share": 0.2}, incumbent=sol)  # batch halves a fifth of them anyway
    assert "caches; padding it to that saves $2,102 a month" in " ".join(both)
    assert first_lines(incumbent={"may_stay": False})[0].startswith("Staying is not allowed (incumbent.may_stay)")


def test_where_staying_is_not_allowed_no_volume_or_price_turns_the_advice_to_it() -> None:
    own = {"candidates": {"api_models": [], "cascade_first": [], "self_hosted": ["qwen3-8b"], "methods": [], "hybrid": False},
           "quality": {"scores": {"gpt-5.4": 0.95, "qwen3-8b": 0.95}}}
    found, (free, bound) = (5.0, "stay", "stay"), (of(**own), of(incumbent={"may_stay": False}, **own))
    assert advised(free, found, "above") == "to stay"
    assert advised(bound, found, "above") == "none, since no other option works there"
    assert ("staying" in undone_by(free), "staying" in undone_by(bound)) == (True, False)


def test_what_staying_pays_at_first_stands_beside_the_set_up() -> None:
    """What both pay is in the set-up, and not in what it takes to pay back."""
    both = screen(of(costs=[{"name": "audit", "option": "all", "upfront_usd": 500.0}]), ())
    assert "(staying's: $500)" in " ".join(both.split())
    assert "staying's" not in screen(of(), ())


def test_a_cost_that_begins_after_the_horizon_is_told() -> None:
    """The quiet horizon has 24 months: a cost from month 24 on is paid once, from 25 on never."""
    def cost(month: int) -> dict[str, Any]:
        return {"costs": [{"name": "seats", "option": "stay", "usd_per_month": 5.0, "from_month": month}]}

    said = "seats costs nothing within the horizon of 24 months: it begins in month 25 (costs.0.from_month)"
    assert told(**cost(25)) == [said]
    assert told(**cost(24)) == []


def test_a_step_of_the_volume_that_begins_after_the_horizon_is_told() -> None:
    """It stood among the warnings of --full alone."""
    def step(month: int) -> dict[str, Any]:
        return {"workload": {**QUIET["workload"], "steps": [{"from_month": month, "ratio": 2.0}]}}

    (said,) = told(**step(25))
    assert said.endswith("nothing within the horizon of 24 months: it begins in month 25 (workload.steps.0.from_month)")
    assert told(**step(24)) == []


def test_a_credit_that_is_more_than_the_bill_is_told_with_what_of_it_pays_nothing() -> None:
    """$20,000 a month on gpt-5.4's bill of $10,512: $9,488 of it. As much as the bill is no remark; all options' credit is held
    against the least bill, luna's $394.20.
    """
    def credit(usd: float, option: str = "stay") -> list[str]:
        cost = {"name": "credits", "option": option, "usd_per_month": -usd, "from_month": 3, "to_month": 8}
        return paid_out(of(costs=[cost]))

    (said,) = credit(20_000.0)
    assert said.startswith("credits: more than the bill of gpt-5.4 that it could pay, $10,512 in month 3; $9,488 of it is")
    assert said.endswith("where a vendor's credit lapses (costs.0.usd_per_month, to_month)")
    assert credit(10_512.0) == credit(9_000.0) == []
    assert "the bill of gpt-6-luna that it could pay, $394 in month 3; $606 of it" in credit(1000.0, "all")[0]
    (two,) = paid_out(of(costs=[{"name": name, "option": "stay", "usd_per_month": -6000.0} for name in ("old", "new")]))
    assert two.startswith("old and new: more than the bill of gpt-5.4 that it could pay, $10,512 in month 1; $1,488 of it is")
    costs = [{"name": "credits", "option": "stay", "usd_per_month": -20_000.0}]
    assert "$9,488 of it is counted as cash paid out" in " ".join(screen(of(costs=costs), ()).split())


def test_a_credit_for_gpus_is_held_against_their_rent() -> None:
    """A cloud's credit to the adapter pays its rent and platform, which the line names; up to that it is no remark."""
    def credit(usd: float) -> Comparison:
        return of(candidates={"cascade_first": [], "self_hosted": ["qwen3-8b"], "gpus": ["L40S"], "vendors": ["RunPod"]},
                  costs=[{"name": "credits", "option": "self-hosted-adapter", "usd_per_month": -usd, "to_month": 12}])

    c = credit(9000.0)
    (option,) = (o for o in c.options if o.kind == "self-hosted-adapter")
    months = [sum(line.monthly_usd[k] for line in option.lines if line.kind in RENTED) for k in range(12)]
    owed = [-sum(line.monthly_usd[k] for line in option.lines if line.name == "credits") for k in range(12)]
    beyond, month = max((owed[k] - months[k], -k) for k in range(12))
    (said,) = paid_out(c)
    assert 500.0 < months[-month] < 9000.0
    assert f"that it could pay, ${months[-month]:,.0f} in month {1 - month}; ${beyond:,.0f} of it" in said
    assert paid_out(credit(500.0)) == []


def test_hours_to_wait_of_requests_that_cannot_are_told() -> None:
    said = ["workload.waits_hours moves nothing: no request can wait (workload.can_wait_share)"]
    assert told(workload={"waits_hours": 8.0}) == said
    assert told(workload={"waits_hours": 24.0, "can_wait_share": 0.1}) == []


def test_an_option_with_terms_of_its_own_that_is_out_is_told_with_its_reason() -> None:
    late = {"months_to_live": 40.0}
    said = ["gpt-6-luna is out: live after 40 months, when the horizon of 24 is over"]
    assert told(options={CHEAPER: late}) == told(options={"cheaper-api": late}) == said
    assert told(options={CHEAPER: {"months_to_live": 2.0}}) == told() == []
    assert " ".join(said) in " ".join(screen(of(options={CHEAPER: late}), ()).split())


def test_one_of_several_that_is_out_by_the_terms_of_its_kind_is_no_remark() -> None:
    """Terms of a kind are told where no option of the kind works."""
    two = {"candidates": {"api_models": ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"], "cascade_first": [],
                          "self_hosted": []}}
    luna, haiku = CHEAPER, "cheaper-api:anthropic/claude-haiku-5-5"
    usual = {"cheaper-api": {"setup_hours": 3.0}}
    late = "is out: live after 40 months, when the horizon of 24 is over"
    assert told(**two, options={**usual, luna: {"months_to_live": 40.0}}) == [f"gpt-6-luna {late}"]
    assert told(**two, options={luna: {"months_to_live": 40.0}, haiku: {"months_to_live": 40.0}}) == [f"gpt-6-luna {late}"]


def test_a_named_model_of_which_no_option_works_is_told_with_its_reason() -> None:
    """o4-mini ended on 2026-10-23, scored or not. As a cascade's first model it is out alike, and told once."""
    gone = {"api_models": ["openai/o4-mini"], "cascade_first": ["openai/o4-mini"], "self_hosted": []}
    scored = {"scores": {"gpt-5.4": 0.95, "o4-mini": 0.90}}
    (said,) = told(candidates=gone, quality=scored, as_of="2026-11-24")
    assert said == "o4-mini is out: retired on 2026-10-23"
    assert told(candidates=gone, quality={"scores": {"gpt-5.4": 0.95}}, as_of="2026-11-24") == [said]
    late = {"scores": {**scored["scores"], "gpt-6-luna": 0.9}}
    both = told(candidates={**gone, "api_models": ["openai/o4-mini", "openai/gpt-6-luna"]}, quality=late, as_of="2026-11-24",
                timing={"months_to_live": {"api": 40.0, "cascade": 40.0}})
    assert both[1:] == ["gpt-6-luna is out: live after 40 months, when the horizon of 24 is over"]


def test_a_score_below_the_bar_is_told_once_and_that_of_what_works_not() -> None:
    assert told(quality={**SCORES, "bar": 0.93}) == told(quality=SCORES) == []


def test_every_term_of_an_option_is_looked_for() -> None:
    assert set(OWN_TERMS) == set(OptionTerms.model_fields)
