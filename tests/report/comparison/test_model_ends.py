"""Ends of vendors' models on the screen: what follows, who else ends it, and what is advised at the price that is suggested."""

import json
import re
from dataclasses import asdict, replace
from functools import cache

import pytest
from ending_model import ENDING

from roi.answers.check import _following
from roi.answers.next import NextAnswer
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.measuring.worth import Experiment
from roi.errors import ScenarioError, UnknownName
from roi.report.comparison.answer_json import comparison_json
from roi.report.comparison.screen import comparison_text
from roi.report.layout.blocks import render
from roi.report.layout.wording import short_usd
from roi.report.next import next_blocks, step_sentence
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, parse_yaml
from roi.units import to_digits, whole_percent

VENDOR = """
as_of: 2026-11-29
draws: 256
workload: {requests_per_day: 150000, input_tokens: 1500, output_tokens: 200}
incumbent: {provider: openai, model: gpt-4.1}
quality:
  bar: 0.88
  usd_per_error: 0.01
  scores: {gpt-4.1: {value: 0.92, items: 600}, gpt-4.1-mini+tuned: {value: 0.93, items: 600}}
candidates: {vendor_tuned: [azure/gpt-4.1-mini]}
"""
TUNED = "vendor-tuned:azure/gpt-4.1-mini"


@cache
def told(*changes: tuple[str, str]) -> tuple[Comparison, str]:
    """The comparison, and its screen on one line."""
    text = VENDOR
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    c = compare(resolve(check_scenario(parse_yaml(text, "a"))).case)
    return c, " ".join(comparison_text(c, ()).split())


def test_the_advice_at_the_price_of_what_the_vendor_suggests_stands_beside_its_end() -> None:
    """gpt-6-luna asks $0.1 and $0.5 where gpt-4.1 asks $2 and $8: 1,500 and 200 tokens cost 0.054 x as much."""
    c, text = told()
    assert c.verdict.leader == TUNED
    assert c.case["vendors.openai/gpt-4.1.suggested_price_ratio"].number() == pytest.approx(
        (1500 * 0.1 + 200 * 0.5) / (1500 * 2 + 200 * 8), rel=0.01)
    line = re.search(r"! openai/gpt-4\.1 ends on 2027-01-14: a move is due in any case\. Its vendor suggests gpt-6-luna: were"
                     r" staying to go on with that at 0\.0543 x the price \(incumbent\.successor_price_ratio\),"
                     r" gpt-4\.1-mini tuned @ azure has a mean NPV of (-\$[\d,]+k) and beats staying in (\S+) of the draws, and"
                     r" the advice is to stay until then; name openai/gpt-6-luna in candidates\.api_models to compare it", text)
    assert line is not None
    assert "candidates.api_models" not in told(("candidates: {", "candidates: {api_models: [openai/gpt-6-luna], "))[1]
    ratio = c.case["vendors.openai/gpt-4.1.suggested_price_ratio"].number()
    followed, after = told(("model: gpt-4.1}", f"model: gpt-4.1, successor_price_ratio: {ratio}}}"))
    option = next(o for o in followed.options if o.id == TUNED)
    assert (line[1], line[2]) == (short_usd(option.expected_npv_usd), whole_percent(option.probability_npv_positive or 0.0))
    assert followed.verdict.leader == "stay"
    assert "counted at 0.0543 x its price today; its vendor suggests gpt-6-luna" in after
    assert "the advice is" not in after.partition("DO NOW")[0]


def test_what_the_vendor_suggests_is_told_beside_a_move_that_keeps_the_model_too() -> None:
    """Batch of gpt-4.1 ends with it: that gpt-6-luna comes then is told as long as nobody compares it, and the end does."""
    batch = (("200}", "200, can_wait_share: 0.9}"), ("candidates: {vendor_tuned: [azure/gpt-4.1-mini]}", "candidates: {}"))
    c, text = told(*batch)
    assert c.verdict.leader == "cache-batch"
    above = text.partition("DO NOW")[0]
    assert re.search(r"Its vendor suggests gpt-6-luna: were staying .*, gpt-4\.1, batch has a mean NPV of \$[\d,k]+ and beats"
                     r" staying in .* of the draws, and the advice is the same; name openai/gpt-6-luna in", above)
    named = told(batch[0], (batch[1][0], "candidates: {api_models: [openai/gpt-6-luna]}"))[1]
    stated = told(*batch, ("model: gpt-4.1}", "model: gpt-4.1, successor_price_ratio: 0.5}"))[1]
    later = told(*batch, ("draws: 256", "draws: 256\nhorizon_months: 1"))[1]
    assert not any("a move is due in any case" in each for each in (named, stated, later))
    assert "2027-01-14" not in later  # 1.5 months ahead of a horizon of one: no month of it is on a successor


def test_what_the_vendor_suggests_errs_there_as_often_as_it_was_scored_here() -> None:
    """Of 600 items 8% and 11.5% wrong, half an item added each way: 69.5 of 48.5 = 1.43 times. The advice is that of the
    scenario that states both.
    """
    compared = "candidates: {", "candidates: {api_models: [openai/gpt-6-luna], "
    scored = ("scores: {", "scores: {gpt-6-luna: {value: 0.885, items: 600}, "), compared
    c, text = told(*scored)
    found = re.search(r"were staying to go on with that at ([\d.]+) x the price and ([\d.]+) x the wrong answers .*the"
                      r" advice is (to stay until then|the same)", text)
    assert found is not None
    assert float(found[2]) == pytest.approx(69.5 / 48.5, rel=0.005)
    both = f"successor_price_ratio: {found[1]}, successor_error_ratio: {found[2]}"
    leader = told(*scored, ("model: gpt-4.1}", f"model: gpt-4.1, {both}}}"))[0].verdict.leader
    assert (leader == c.verdict.leader) is (found[3] == "the same")


def test_an_end_that_is_stated_in_the_place_of_an_announced_one_is_told() -> None:
    c, text = told(("model: gpt-4.1}", "model: gpt-4.1, ends_in_months: 30}"))
    assert c.case["vendors.openai/gpt-4.1.announced_end"].value == "2027-01-14"
    assert "! openai/gpt-4.1 ends on 2027-01-14 as its vendor says; here counts the end that is stated !" in text
    assert "its vendor says" not in told()[1]
    assert "ends in 30 months: a move is due in any case. Its vendor suggests gpt-6-luna: were staying" in text
    assert "no successor is known" not in text


def test_a_model_that_its_maker_ends_and_another_serves_is_a_doubt_until_its_end_is_stated() -> None:
    c, text = told()
    assert c.case["vendors.azure/gpt-4.1-mini fine-tunes.ends_elsewhere"].value == "openai on 2027-01-14"
    assert re.search(r"! azure/gpt-4.1-mini fine-tunes: no end is announced, 18 months assumed; the same one ends at openai on"
                     r" 2027-01-14 \(apis.azure/gpt-4.1-mini.ends_in_months\)", text)
    own = "apis: {azure/gpt-4.1-mini: {ends_in_months: 4, successor_price_ratio: 1.2}}"
    known, after = told(("draws: 256", f"draws: 256\n{own}"))
    assert known.case["vendors.azure/gpt-4.1-mini fine-tunes.first_end_months"].number() == 4.0
    assert known.case["vendors.azure/gpt-4.1-mini fine-tunes.first_successor_price_ratio"].number() == 1.2
    assert "no end is announced" not in after
    assert "! azure/gpt-4.1-mini fine-tunes ends in 4 months: a second move" in after


@pytest.mark.parametrize(("months", "lasts"), [(1, False), (13, True)])
def test_what_takes_the_place_of_a_model_that_ends_lasts_longer_itself(months: int, lasts: bool) -> None:
    """gpt-4.1 ends in 1.5 months; at 20,000 requests a day it stays until then, and the tuned model is tested."""
    end = ("draws: 256", f"draws: 256\napis: {{azure/gpt-4.1-mini: {{ends_in_months: {months}}}}}")
    c, text = told(end, ("150000", "10000"))
    assert c.verdict.leader == "stay"
    assert ("of other models that are tested gpt-4.1-mini tuned @ azure costs least" in text) == lasts
    assert ("No other model is tested that lasts half a year longer" in text) == (not lasts)


def test_a_score_under_an_ending_that_a_closed_model_cannot_have_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"quality\.scores: .*'gpt-4\.1-mini\+lora'; nearest: gpt-4\.1-mini\+tuned"):
        told(("gpt-4.1-mini+tuned:", "gpt-4.1-mini+lora:"))


def test_rates_of_a_model_that_a_vendor_tunes_stand_under_its_own_name() -> None:
    said = r"apis\.azure/gpt-4\.1-mini\.discount.*tunes ends_in_months, successor_error.*under apis\.azure/gpt-4\.1-mini\+tuned"
    with pytest.raises(ScenarioError, match=said):
        told(("draws: 256", "draws: 256\napis: {azure/gpt-4.1-mini: {discount: 0.2}}"))


@cache
def ending_soon(incumbent: str = "", **changes: object) -> Comparison:
    asked = parse_yaml(ENDING.replace("gpt-5-mini}", f"gpt-5-mini{incumbent}}}"), "a")
    return compare(resolve(check_scenario({**asked, **changes})).case)


def test_the_price_of_a_successor_that_nobody_named_at_which_the_answer_turns_is_found_and_comes_first() -> None:
    """Stated a little below it the answer is that of today, and a little above it the other; once it is stated nothing is open.

    Far ends name nothing: what follows in 20 months is not out.
    """
    c = ending_soon()
    (turn,) = c.successor_turns
    assert (c.verdict.leader, turn.direction, turn.option) == ("stay", "above", "cheaper-api:openai/gpt-6-luna")
    for times, leads in ((0.998, "stay"), (1.002, turn.option)):
        known = ending_soon(f", successor_price_ratio: {turn.price_ratio * times}")
        assert (known.verdict.leader, known.successor_turns) == (leads, ())
    at = to_digits(turn.price_ratio, 2, up=True)
    first = ("First, free: find out what follows openai/gpt-5-mini and its price (incumbent.successor_price_ratio, assumed 0.4"
             f" to 1.6): above about {at:g} x today's the advice is gpt-6-luna.")
    text = " ".join(comparison_text(c, ()).split())
    assert f"THEN {first} Nothing else is worth measuring: no test" in text
    said = " ".join(render(next_blocks(NextAnswer(comparison=c, warnings=(), note=""), full=False)).split())
    assert f"until it ends. THEN: f{first[1:]} Nothing else is worth measuring, no test" in said
    assert said.count("find out what follows") == 1
    e = Experiment(kind="usage-log", option="stay", cost_usd=10.0, months=0.0, worth_usd=50.0, net_usd=40.0, first_net_usd=40.0,
                   evppi_usd=60.0, error_usd=1.0)
    tested = NextAnswer(comparison=replace(c, verdict=replace(c.verdict, then=e)), warnings=(), note="")
    assert f"THEN: f{first[1:]} After that: " in step_sentence(tested)
    assert json.loads(comparison_json(c, scenario=None, warnings=()))["successor_turns"] == [asdict(turn)]
    far = ending_soon(", ends_in_months: 20")
    assert far.successor_turns
    assert "First, free" not in comparison_text(far, ())
    assert compare(c.case, thresholds=False).successor_turns == ()


def test_a_check_breaks_where_the_successor_asks_what_turns_the_answer_that_was_kept() -> None:
    kept = ending_soon()
    (turn,) = kept.successor_turns
    for ratio, broken in ((0.5, []), (1.0, [turn.price_ratio])):
        now = ending_soon(f", successor_price_ratio: {ratio}")
        assert [rule.limit for rule in _following(now, kept, unchanged=False)] == broken
    assert not [*_following(ending_soon(), kept, unchanged=True)], "nobody knows it yet"
