"""Staying on a model that ends: which move is due, on what it is counted, and no order that another line rules out."""

from functools import cache

from ending_model import ENDING

from roi.answers.next import NextAnswer
from roi.economics.decision.comparison import Comparison, compare
from roi.report.comparison.screen import comparison_text
from roi.report.layout.wording import percent, short_usd
from roi.report.next import step_sentence
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, parse_yaml

SHOP = """
as_of: 2026-12-01
draws: 1024
workload: {requests_per_day: 500, input_tokens: 1500, output_tokens: 350, growth_per_year: {value: 0.2, low: 0, high: 0.6}}
incumbent: {provider: openai, model: gpt-5-mini}
quality: {bar: 0.9, usd_per_error: 0.5, scores: {gpt-5-mini: {value: 0.95, items: 200}}}
candidates: {api_models: [openai/gpt-6-luna], self_hosted: [qwen3-8b]}
training: {examples: 1000}
"""


@cache
def told(text: str) -> tuple[Comparison, str]:
    """The comparison, and its screen on one line."""
    c = compare(resolve(check_scenario(parse_yaml(text, "a"))).case)
    assert c.verdict.leader == "stay"
    screen = comparison_text(c, ())
    assert screen.count("\n") < 40
    return c, " ".join(screen.split())


def test_a_verdict_to_stay_until_the_end_names_the_move_that_is_due_then() -> None:
    """gpt-6-luna beats staying too seldom, yet after 11 December there is nothing to stay on: what it is, is assumed."""
    _, text = told(ENDING)
    assert "Stay on gpt-5-mini until it ends." in text
    assert ("counted at 1 x its price today and 0.85 to 1.1 x its wrong answers, assumed, since nobody named one"
            " (incumbent.successor_price_ratio, successor_error_ratio).") in text
    assert "A move is due by then: of other models that are tested gpt-6-luna costs least, cash $109,638 a month;" in text
    assert "; incumbent.may_stay: false asks for the best of the moves." in text
    named = told(ENDING.replace("gpt-5-mini}", "gpt-5-mini, successor_price_ratio: 0.7}", 1))[1]
    assert "counted at 0.7 x its price today; no successor is known." in named


def test_no_test_is_ordered_that_another_line_says_is_not_worth_its_cost() -> None:
    """Ten days, and nothing at 500 requests a day is worth a test: one order, to go on with the successor."""
    c, text = told(SHOP)
    assert c.verdict.then is None
    assert "Nothing is worth measuring" in text
    assert "evaluate one" not in text
    assert "and no test of one is worth its cost: the move that is due then is to its successor." in text
    step = step_sentence(NextAnswer(comparison=c, warnings=(), note=""))
    assert step.startswith("DO NOW: stay until it ends. THEN: nothing is worth")


def test_a_test_that_ends_after_todays_model_says_so() -> None:
    """Seven weeks of training and evaluation, of which the model that ends in ten days has seen the first."""
    c, text = told(SHOP.replace("day: 500", "day: 20000"))
    e = c.verdict.then
    assert e is not None
    assert e.months > 1.0
    assert "Stay on gpt-5-mini until it ends, and measure." in text
    assert ", nor would be by then: the move that is due then is to its successor." in text
    assert "weeks, longer than openai/gpt-5-mini lasts (ends on 2026-12-11); worth" in text
    step = step_sentence(NextAnswer(comparison=c, warnings=(), note=""))
    assert step.endswith("; it takes longer than openai/gpt-5-mini lasts (ends on 2026-12-11).")


def test_what_misses_the_bar_saves_at_the_central_values_only_if_it_passed() -> None:
    """An assumed 14% wrong at a bar of 90%: the draws lose set-up and way back, the central NPV is of one that passes."""
    c, text = told(SHOP.replace("usd_per_error: 0.5, ", "").replace("api_models: [openai/gpt-6-luna], self_hosted: [qwen3-8b]",
                                                                    "hosted_models: [groq/llama-3.1-8b-instant]"))
    o = next(o for o in c.options if o.id == c.verdict.challenger)
    assert o.npv_usd > 0.0 > o.expected_npv_usd
    wrong = percent(o.quality.error_rate)
    said = f"would save {short_usd(o.npv_usd)} at the central values if it passed the bar"
    assert f"{said}, {wrong} of its own answers wrong here (on" in text
    assert "if it passed" not in told(SHOP)[1]
