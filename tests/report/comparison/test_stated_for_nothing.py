"""What a scenario states for nothing is told on the first screen: costs, hours to wait, terms and scores of what is out."""

from typing import Any

from quiet_scenario import CHEAPER, case_of

from roi.economics.decision.comparison import Comparison, compare
from roi.report.comparison.remarks.alerts import alerts
from roi.report.comparison.remarks.stated import OWN_TERMS, RENTED, paid_out
from roi.report.comparison.screen import screen
from roi.report.layout.blocks import Labelled
from roi.scenario.scenario import OptionTerms

SCORES = {"scores": {"gpt-5.4": 0.95, "gpt-6-luna": 0.90}}
ABOUT = ("costs nothing within", "moves nothing", "is out: ", "are out, for")


def of(**changes: Any) -> Comparison:
    return compare(case_of(**{"candidates": {"cascade_first": [], "self_hosted": []}, "quality": SCORES, **changes}))


def told(**changes: Any) -> list[str]:
    texts = [item for block in alerts(of(**changes)) if isinstance(block, Labelled) for item in block.items]
    return [text for text in texts if any(words in text for words in ABOUT)]


def test_a_cost_that_begins_after_the_horizon_is_told() -> None:
    """The quiet horizon has 24 months: a cost from month 24 on is paid once, from 25 on never."""
    def cost(month: int) -> dict[str, Any]:
        return {"costs": [{"name": "seats", "option": "stay", "usd_per_month": 5.0, "from_month": month}]}

    said = "seats costs nothing within the horizon of 24 months: it begins in month 25 (costs.0.from_month)"
    assert told(**cost(25)) == [said]
    assert told(**cost(24)) == []


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


def test_a_scored_model_of_which_no_option_works_is_told_with_its_reason() -> None:
    """o4-mini ended on 2026-10-23; nobody scored gpt-6-luna, which works or not. As a cascade's first model it is out alike."""
    gone = {"api_models": ["openai/o4-mini"], "cascade_first": ["openai/o4-mini"], "self_hosted": []}
    scored = {"scores": {"gpt-5.4": 0.95, "o4-mini": 0.90}}
    (said,) = told(candidates=gone, quality=scored, as_of="2026-11-24")
    assert said == "o4-mini is out: retired on 2026-10-23"
    assert told(candidates=gone, quality={"scores": {"gpt-5.4": 0.95}}, as_of="2026-11-24") == []
    late = {"scores": {**scored["scores"], "gpt-6-luna": 0.9}}
    both = told(candidates={**gone, "api_models": ["openai/o4-mini", "openai/gpt-6-luna"]}, quality=late, as_of="2026-11-24",
                timing={"months_to_live": {"api": 40.0, "cascade": 40.0}})
    assert both[1:] == ["gpt-6-luna is out: live after 40 months, when the horizon of 24 is over"]


def test_a_score_below_the_bar_is_told_once_and_that_of_what_works_not() -> None:
    assert told(quality={**SCORES, "bar": 0.93}) == told(quality=SCORES) == []


def test_every_term_of_an_option_is_looked_for() -> None:
    assert set(OWN_TERMS) == set(OptionTerms.model_fields)
