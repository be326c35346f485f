"""The one screen of `roi compare`: within 40 lines of 80 columns, and every figure on it that of the comparison."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bundled_scenario import compared
from quiet_scenario import ADAPTER, SELF, case_of

from roi.answers.next import NextAnswer
from roi.economics.decision.alarms import Alarm
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.recommendation import value
from roi.economics.decision.turning import signposts
from roi.economics.decision.turning.break_even import UNSTATED, BreakEven
from roi.economics.decision.turning.signposts import SAME_PRICE, Signpost
from roi.economics.decision.verdict import PassedOver
from roi.economics.option_kinds import SELF_HOSTED
from roi.economics.outlook import look_ahead
from roi.facts.case import Case
from roi.report.comparison.findings import returns, then
from roi.report.comparison.option_figures import alone_from, option_of, quality
from roi.report.comparison.option_words import what_it_is
from roi.report.comparison.options_table import cost_tree, find_option
from roi.report.comparison.remarks.alerts import alerts, remarks
from roi.report.comparison.remarks.latency import latency_known
from roi.report.comparison.scope import excluded, included
from roi.report.comparison.screen import _last, best_rows, comparison_text, moving_along, screen_blocks
from roi.report.comparison.second_look import look_again, self_hosting_of
from roi.report.comparison.thresholds import at_rent, flips_along, flips_at, today, wins_from, with_handed_on
from roi.report.layout.blocks import Labelled, Row, Table, render, shortened
from roi.report.layout.wording import chance as share
from roi.report.layout.wording import percent, requests, short_usd, told_apart, usd
from roi.report.next import step_sentence
from roi.resolution.resolution import resolve
from roi.scenario import TEMPLATES
from roi.scenario.file import check_scenario
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml, read_yaml

CASES = sorted((Path(__file__).parents[2] / "answers" / "cases").glob("*.yaml"))
NOTHING = tuple(f"candidates.{name}=[]" for name in
                ("api_models", "hosted_models", "cascade_first", "vendor_tuned", "hosted_adapters", "self_hosted"))
LUNA = "cheaper-api:openai/gpt-6-luna"


@cache
def answer(*overrides: str) -> Comparison:
    """The bundled scenario as if the user had stated it, and timed gpt-6-luna, on the card that trains: plans are dear."""
    return bundled("template=null", "apis={openai/gpt-6-luna: {ttft_p95_s: 1.2, tpot_p95_s: 0.03}}",
                   "candidates.gpus=[A100-80GB-SXM]", *overrides)


@cache
def apis(*overrides: str) -> Comparison:
    """The same without a model that one serves oneself, whose plans are most of the work."""
    return answer("candidates.self_hosted=[]", *overrides)


def bundled(*overrides: str) -> Comparison:
    return compared("draws=256", *overrides)


@cache
def of_file(path: Path) -> Comparison:
    data = read_yaml(path)
    data.pop("expect")
    return compare(resolve(check_scenario({**data, "draws": 128})).case)


@cache
def of_template(name: str) -> Comparison:
    return compare(resolve(check_scenario({**parse_yaml(template(name), name), "draws": 128})).case)


def shown(c: Comparison, **how: object) -> str:
    return comparison_text(c, ("one thing to know",), **how)  # type: ignore[arg-type]


ALONG = ", its spread moving along"
"""Beside a volume, and a price of wrong answers where that costs no line."""


def flat(c: Comparison) -> str:
    """The screen on one line."""
    return " ".join(shown(c).split())


def rows(text: str) -> list[str]:
    """The rows of the table: between its heads and the legend."""
    lines = text.split("\n")
    start = next(k for k, line in enumerate(lines) if line.startswith("option "))
    return lines[start + 1:next(k for k, line in enumerate(lines) if line.startswith("cash: "))]


def random_overrides() -> Iterator[tuple[str, ...]]:
    """Scenarios whose volume, prices of errors, growth, bill and scores are drawn over many orders of magnitude."""
    draw = np.random.default_rng(11)
    for _ in range(6):
        scores = draw.uniform(0.8, 0.99, 3)
        yield (
            f"workload.requests_per_day={float(10 ** draw.uniform(0, 9)):.6g}",
            f"quality.usd_per_error={float(10 ** draw.uniform(-5, 3)):.6g}",
            f"workload.growth_per_year={draw.uniform(-0.95, 8):.4g}",
            f"incumbent.bill_usd_per_month={float(10 ** draw.uniform(2, 7)):.6g}",
            f"quality.scores={{gpt-6-sol: {scores[0]:.3f}, gpt-6-luna: {scores[1]:.3f}, qwen3-8b+lora: {scores[2]:.3f}}}",
            "draws=32", f"horizon_months={draw.integers(1, 120)}", f"title={'A long title ' * int(draw.integers(1, 15))}",
        )


SITUATIONS = (
    (), ("draws=0",), NOTHING, ("quality.usd_per_error=0.2",), ("workload.requests_per_day=100",),
    ("incumbent.bill_usd_per_month=400000", "workload.growth_per_year=9", "workload.ttft_p95_s=600"), *random_overrides(),
)


ANSWERS = [*((answer, overrides) for overrides in SITUATIONS), *((of_file, (path,)) for path in CASES),
           *((of_template, (name,)) for name in TEMPLATES)]


@pytest.mark.full
@pytest.mark.parametrize(("of", "asked"), ANSWERS)
def test_the_answer_takes_at_most_40_lines_of_80_columns(of: Callable[..., Comparison], asked: tuple[Any, ...]) -> None:
    """Of odd situations, of every business case and of every template."""
    lines = shown(of(*asked)).split("\n")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80


@pytest.mark.full
def test_so_does_that_of_two_moves_with_much_to_say_of_each() -> None:
    """A first move that may miss its bar, a second, a test worth taking, both kinds of UNLESS, scores that were counted."""
    yes = dict.fromkeys(("one_task_type", "learnable_from_examples", "evaluation_set", "facts_are_stable",
                         "prompt_engineering_tried", "vendor_allows_training_on_outputs"), "yes")
    scores = {name: {"value": value, "items": items}
              for name, value, items in (("gpt-6-sol", 0.95, 500), ("gpt-6-luna", 0.91, 300), ("qwen3-8b+lora", 0.93, 300))}
    c = compare(resolve(check_scenario({
        "as_of": "2026-11-24", "title": "RAG with a shared prefix", "gates": yes,
        "workload": {"requests_per_day": 300_000, "input_tokens": 6000, "output_tokens": 100, "shared_prefix_tokens": 5500,
                     "cache_hit_rate": 0.9, "growth_per_year": 0, "peak_to_mean": 3},
        "incumbent": {"provider": "openai", "model": "gpt-6-sol", "uses_cache": True},
        "quality": {"usd_per_error": 0.002, "bar": 0.9, "scores": scores},
        "candidates": {"api_models": ["openai/gpt-6-luna"], "self_hosted": ["qwen3-8b"]},
    })).case)
    assert "Highest mean NPV of those not shown" not in shown(c)
    assert len(shown(c).split("\n")) <= 40


@pytest.mark.full
def test_a_first_move_that_may_miss_its_bar_says_how_often_and_what_is_lost_then() -> None:
    """91% right of 150 items reach 90% in about two draws of three, so that an adapter follows it, on cheap GPUs."""
    scores = {name: {"value": value, "items": items}
              for name, value, items in (("gpt-5.4", 0.93, 400), ("gpt-6-luna", 0.91, 150), ("qwen3-8b+lora", 0.925, 800))}
    c = compare(resolve(check_scenario({
        "as_of": "2026-11-24", "quality": {"bar": 0.9, "usd_per_error": 0.001, "scores": scores},
        "workload": {"requests_per_day": 2_000_000, "input_tokens": 1500, "output_tokens": 300, "peak_to_mean": 3},
        "incumbent": {"provider": "openai", "model": "gpt-5.4"},
        "candidates": {"api_models": ["openai/gpt-6-luna"], "self_hosted": ["qwen3-8b"], "base": False, "gpus": ["l40s"],
                       "vendors": ["ours"]},
        "gpu_rents": [{"gpu": "l40s", "vendor": "ours", "usd_per_gpu_hour": 0.3}],
    })).case)
    assert c.verdict.first_move == LUNA
    good = option_of(c, LUNA).probability_good_enough
    assert good == pytest.approx(0.65, abs=0.1)
    assert f"It reaches the bar (90%) in {share(good)} of the draws." in flat(c)
    assert "In a draw below the bar of 90%, set-up and way back are lost." in comparison_text(c, (), form="markdown")


@pytest.mark.full
def test_where_everything_needs_saying_rows_go_before_lines_are_too_many() -> None:
    c = answer()
    long = tuple(Alarm(f"alarm{k}", "field", "what is wrong with it " * 12, accepted=False) for k in range(4))
    text = shown(replace(c, alarms=long, verdict=replace(c.verdict, recommended=None)))
    assert text.count("\n") < 40
    assert 2 <= len(rows(text)) < 6
    assert any(row.strip().startswith("stay") for row in rows(text))


def test_the_parts_stand_in_order_and_do_now_holds_the_figures_of_the_comparison() -> None:
    c = answer()
    text = flat(c)
    parts = ["100,000 requests a day on gpt-6-sol", "2026-11-24 | 36 months | discounted at 10% a year", "! Bill not checked",
             "DO NOW", "THEN", "NOT YET", "option", "cash: mean month", "--full"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    stay, luna = c.options[0], next(o for o in c.options if o.id == LUNA)
    errors = next(line for line in stay.lines if line.name == "wrong answers")
    before = sum(stay.monthly_usd[2:]) - sum(errors.monthly_usd[2:])  # luna serves alone from month 3 on
    now = stay.monthly_usd[0] - errors.monthly_usd[0]
    cash = f"Cash ${before / 34:,.0f} (month 1: ${now:,.0f}) -> ${luna.cash_monthly_usd:,.0f} a month"
    assert f"{cash}; set-up $4,250; payback 1.7 months from today, on cash" in text
    low, high = luna.npv_p10_p50_p90[0], luna.npv_p10_p50_p90[2]
    assert f"mean ${luna.expected_npv_usd / 1e3:.0f}k, bad case ${low / 1e3:.0f}k, good case ${high / 1e3:.0f}k" in text


def test_wrong_answers_are_told_apart_from_cash_and_counted_by_hand() -> None:
    """8% to 10% wrong: each dearer month of wrong answers over $0.002 each is so many more of them."""
    c = answer()
    stay, luna = c.options[0], next(o for o in c.options if o.id == LUNA)
    errors = next(line for line in stay.lines if line.name == "wrong answers")
    dearer = luna.errors_monthly_usd - sum(errors.monthly_usd[2:]) / 34
    found = re.search(r"Wrong answers 8% -> 10%: about ([\d,]+) more a month, counted at \$(\d+)", flat(c))
    assert found is not None
    assert float(found[1].replace(",", "")) == pytest.approx(dearer / 0.002, rel=0.005)
    assert float(found[2]) == pytest.approx(dearer, abs=0.5)


def test_equal_scores_on_few_items_say_that_either_may_be_better() -> None:
    """108 of 120 right each, 8 lost and 8 won: the difference has a deviation of about sqrt(16) / 120 = 3.3 points, so that P10
    and P90 lie some 4.3 points either way, and by half an item each way a little higher. 40 times as many items leave a sixth
    of that; nothing is told where one is surely better, or where no items were counted.
    """
    def told(times: float, lost: float = 8.0) -> str | None:
        counts = {"both_right": 100 * times, "only_incumbent": lost * times, "only_this": 8 * times, "both_wrong": 4 * times}
        score = f"{{value: {108 / (112 + lost):.4f}, items: {(112 + lost) * times:.0f}, paired: {counts}}}".replace("'", "")
        today = f"{(100 + lost) / (112 + lost):.4f}"
        c = apis(f"quality.scores={{gpt-6-sol: {today}, gpt-6-luna: {score}}}", "quality.bar=0.5")
        found = re.search(r"Wrong answers [^(]*\(of 100, P10 ([\d.]+) fewer, P90 ([\d.]+) more\)", flat(c))
        return None if found is None else found.groups()

    few, many = told(1.0), told(40.0)
    assert few is not None
    assert many is not None
    assert [float(x) for x in few] == pytest.approx([4.3, 4.3], abs=0.7)
    assert [float(x) for x in many] == pytest.approx([0.68, 0.68], abs=0.15)
    assert told(40.0, lost=30.0) is None
    assert "of 100, P10" not in flat(answer())


def test_both_paybacks_are_told_where_wrong_answers_change_it() -> None:
    c = answer()
    options = tuple(replace(o, payback_cash_months=2.0, payback_months=9.0) if o.id == LUNA else o for o in c.options)
    assert "payback 2.0 months from today, on cash (9.0 with wrong answers counted)" in flat(replace(c, options=options))


@pytest.mark.full
def test_the_table_has_the_leader_first_staying_in_it_and_at_most_six_rows_by_npv() -> None:
    c = answer("workload.can_wait_share=1", "quality.bar=0.8")  # no SLO and nobody below the bar, whose lines take the sixth's
    found = rows(shown(c))
    assert len(found) == 6
    assert found[0].startswith("> gpt-6-luna")
    assert sum(row.startswith("  stay ") for row in found) == 1
    others = [o.label for o in sorted(c.options, key=lambda o: -o.expected_npv_usd) if o.id not in {LUNA, "stay"}]
    assert found[1][2:].startswith(others[0])
    assert all("TESTED" in row for row in found if row.startswith("?"))


def test_what_cannot_be_recommended_has_no_chance_to_be_best() -> None:
    untested = next(row for row in rows(shown(answer())) if row.startswith("?"))
    assert untested.split()[-3:] == ["-", "NOT", "TESTED"]


@pytest.mark.full
def test_an_input_that_cannot_be_true_withholds_the_verdict_and_says_what_to_write() -> None:
    c = answer("incumbent.bill_usd_per_month=400000")
    text = flat(c)
    assert c.verdict.recommended is None
    assert "CORRECT FIRST incumbent.bill_usd_per_month: the bill is" in text
    assert "write accept: [bill] into the scenario" in text
    assert "DO NOW" not in text
    assert "THEN" not in text
    assert not any(row.startswith(">") for row in rows(shown(c)))


@pytest.mark.full
def test_an_accepted_alarm_is_recorded() -> None:
    text = " ".join(shown(answer("incumbent.bill_usd_per_month=400000", "accept=[bill]"), full=True).split())
    assert "! Accepted although unlikely: bill (incumbent.bill_usd_per_month)" in text
    assert "DO NOW" in text


def test_what_is_worth_measuring_before_a_change_comes_first() -> None:
    c = answer()
    first = Experiment(kind="evaluate", option="hosted-open:groq/openai/gpt-oss-20b", cost_usd=250.0, months=0.25,
                       worth_usd=9e3, net_usd=8e3, first_net_usd=12e3, evppi_usd=1e4, error_usd=1e2, items=300)
    text = flat(replace(c, verdict=replace(c.verdict, measure_first=first, wins_at_error_rate=0.075, wins_on_items=300)))
    assert "MEASURE FIRST Evaluate gpt-oss-20b @ groq on your evaluation set, 300 items: about $250 and 8 days." in text
    assert "Worth $12,000 on average net of cost and delay" in text
    assert "wins if at most 22 of its answers to 300 items are wrong, 7.5% (assumed: 16%)" in text
    assert text.index("MEASURE FIRST") < text.index("ELSE Change to gpt-6-luna")
    assert "THEN" not in text


@pytest.mark.full
def test_where_the_recommendation_trains_the_best_option_that_can_be_undone_comes_first() -> None:
    c = of_file(next(path for path in CASES if path.stem.startswith("6_")))
    assert c.verdict.first_move == "cache-batch"
    text = flat(c)
    at, then = text.index("First claude-sonnet-5-5, batch (can be undone within a month)"), text.index("Then qwen3-8b+lora")
    assert at < then < text.index("prepared meanwhile, live in 3 months: train an adapter")
    assert "UNLESS Below about" in text
    assert "the advice is claude-sonnet-5-5, batch (the second step then saves from" in text
    assert "with the option's GPU hour above $" in text
    first = option_of(c, "cache-batch")
    move = c.second_move
    assert (move.option, move.after) == (c.verdict.leader, "cache-batch")
    assert f"Over {first.label}: mean NPV +{short_usd(move.npv_usd)}, bad case {short_usd(move.npv_p10_p50_p90[0])}" in text
    assert f"more in {share(move.chance)} of the draws" in text
    unsure = replace(c, options=tuple(replace(o, probability_good_enough=0.9) if o is first else o for o in c.options))
    assert f"Over {first.label}, where that reaches the bar: mean NPV +" in flat(unsure)
    seldom = flat(replace(unsure, second_move=replace(move, chance=0.51, likely=False)))
    assert "more in only 51% of the draws (80% is asked)" in seldom
    assert f"Both, wrong answers at $0: mean {short_usd(move.both_npv_usd)}" in text
    assert f"Without the first: NPV, wrong answers at $0: mean {short_usd(c.leader.expected_npv_usd)}" in text
    more = c.leader.expected_npv_usd - first.expected_npv_usd
    lost = flat(replace(c, second_move=None))
    assert f"it saves {short_usd(more)} more, more in {share(c.verdict.chance_over_first)} of the draws" in lost
    assert c.verdict.second == "cache-batch"
    assert "to beat the second best" not in text, "told as the chance over the first move"
    other = next(o.id for o in c.options if o.id not in {"stay", "cache-batch", c.verdict.leader})
    assert "to beat the second best" in flat(replace(c, verdict=replace(c.verdict, second=other)))


@pytest.mark.full
def test_what_follows_own_gpus_is_told_with_what_both_save_or_as_what_adds_too_seldom() -> None:
    """An adapter of which 7% are wrong, or 8%, each 2% to 3% more or fewer, after its base of which 10% are."""
    models = "qwen3-8b", "qwen3-8b+lora"
    served = [{"model": model, "gpu": "h100-sxm", "gpus": 1, "requests_per_s": 100.0} for model in models]

    def at(right: float, low: float) -> Comparison:
        scores = {"gpt-5.4": 0.95, "qwen3-8b": 0.9, "qwen3-8b+lora": {"value": right, "low": low, "high": 0.95}}
        return compare(case_of(
            draws=128, workload={"requests_per_day": 8_640_000.0},
            quality={"usd_per_error": 1e-4, "bar": 0.8, "scores": scores},
            serving={"spares": 0, "headroom": 0.0, "capacities": served}, training={"retrain_every_months": None},
            candidates={"api_models": [], "cascade_first": [], "methods": ["lora"], "hybrid": False},
            timing={"months_to_live": {"cache_batch": 0.0, "self_hosted": 1.0, "self_hosted_adapter": 1.001}}))

    c = at(0.93, 0.91)
    text, move, by_id = flat(c), c.second_move, {o.id: o for o in c.options}
    assert c.verdict.steps == (SELF, ADAPTER)
    assert f"Over {by_id[SELF].label}: mean NPV +{short_usd(move.npv_usd)}" in text
    assert f"set-up {usd(by_id[ADAPTER].upfront_usd)}" in text
    assert f"Both, wrong answers counted: mean {short_usd(move.both_npv_usd)}" in text
    c = at(0.92, 0.89)
    assert c.verdict.steps == (SELF,)
    text = flat(c)
    assert "Then" not in text
    assert f"Higher mean NPV but adds to {by_id[SELF].label} too seldom: {by_id[ADAPTER].label}" in text


def test_a_value_of_today_is_told_once_of_all_that_would_undo_the_advice() -> None:
    text = flat(of_file(next(path for path in CASES if path.stem.startswith("12_"))))
    undone = text[text.index("UNLESS"):text.index("cash $ wrong")]
    assert "At the central values claude-sonnet-4-5, batch, once in use, is cheaper with the option's GPU hour above" in undone
    assert "With more than 3.5% of its answers wrong (here 2.2%) it misses the bar." in undone
    for told in ("(today 40,000)", "(today $0.79, L40S at Quote)"):
        assert undone.count(told) == 1
    assert "NOT YET" not in text


@pytest.mark.full
def test_cash_a_month_of_bought_cards_says_what_they_fetch_at_the_end() -> None:
    """It is taken off the last month, and so is part of the mean month: in DO NOW and below the table."""
    c = answer(*NOTHING, "candidates.self_hosted=[qwen3-8b]", "candidates.own_hardware=true", "candidates.hybrid=false",
               "workload.requests_per_day=3000000", "draws=64", "quality.scores={gpt-6-sol: 0.92, qwen3-8b+lora: 0.92}")
    own, rented = (next(o for o in c.options if o.id.startswith(kind) and o.tested) for kind in ("own-hard", "self-hosted-ad"))
    (sold,) = (line for line in own.lines if line.name == "hardware, resale")
    each = -sum(sold.monthly_usd) / (36 - alone_from(own))
    assert each > 1.0
    bought, rents = (flat(replace(c, verdict=replace(c.verdict, leader=o.id, recommended=o.id, first_move=None)))
                     for o in (own, rented))
    assert f"(${each:,.0f} that the cards fetch at the end taken off" in bought
    assert "that the cards fetch" not in rents
    legend = "what bought cards fetch at the end taken off, central values."
    assert legend in bought


def test_what_own_cards_would_fetch_is_in_no_figure_of_cash() -> None:
    """Case 10: $10,830.70 of set-up, 33 months at $1,575 and two retrainings at $4,803.80, three months of staying at
    $15,208.33; neither $24,000 not got nor $8,232 at the end. What is saved by month passes zero at 3.79 months."""
    c = of_file(next(path for path in CASES if path.stem.startswith("10_")))
    o = next(o for o in c.options if o.id == "own-hardware:qwen3-8b+lora")
    in_all = 10_830.70 + 33 * 1575.0 + 2 * 4803.80 + 3 * 15_208.33
    assert sum(line.upfront_usd + sum(line.monthly_usd) for line in o.lines if line.cash) == pytest.approx(in_all, abs=1.0)
    assert o.tco_usd == pytest.approx(in_all + 24_000 - 8232, abs=1.0)
    text = " ".join(comparison_text(c, (), explain=o.id).split())
    assert f"of it cash: ${o.cash_monthly_usd:,.0f} a month, ${in_all:,.0f} in all" in text
    assert "at the central values, without wrong answers, the npv" not in text.lower()  # there are none to leave out
    saved = look_ahead(c.case, [o.id], "cash").central[o.id]
    assert (saved[0], saved[3] < 0 < saved[4]) == (pytest.approx(-10_830.70, abs=0.01), True)
    assert o.payback_cash_months == pytest.approx(3 + saved[3] / (saved[3] - saved[4]))


@pytest.mark.full
@pytest.mark.parametrize(("words", "why"), [
    (("own_hardware.cards={T4: 2}", "own_hardware.resale_usd_per_gpu=500"),
     "vllm runs qwen3-8b in bf16, fp8 on none of T4; it runs there in fp16, int8, int4 .serving.weight_dtypes."),
    (("own_hardware.cards={A100-80GB-SXM: 8}", "workload.ttft_p95_s=0.05"),
     "no plan holds; the nearest, 8 x A100-80GB-SXM fp8, would under hardly any load at workload.ttft_p95_s 0.13 s"),
    (("own_hardware.cards={A100-80GB-SXM: 1}", "workload.requests_per_day=20000000", "candidates.hybrid=false"),
     r"needs \d+ x A100-80GB-SXM at the peak of month 36, when the load has grown \(\d+ at .*; owned: 1 "),
])
def test_cards_that_are_owned_and_have_no_row_are_named_with_their_reason(words: tuple[str, ...], why: str) -> None:
    """Whatever the reason, in the screen's forty lines; where an option on them has a row, nothing is said."""
    c = bundled(*words)
    assert re.search(f"own GPUs is out: {why}", flat(c))
    assert shown(c).count("\n") < 40
    assert "is out: " not in flat(bundled("own_hardware.cards={A100-80GB-SXM: 8}")) + flat(bundled())


def test_a_source_is_cut_between_its_parts_or_words() -> None:
    """The note of a price list was cut in the midst of its second part."""
    c, path = apis(*CACHED, *UNLISTED, "draws=0"), "options.stay.price.input_usd_per_mtok"
    for source, told in (("genai-prices 0.2.3, https://mistral.ai/pricing/api; deprecated since 2026, prices as of then",
                          "genai-prices 0.2.3, https://mistral.ai/pricing/api"), ("word " * 20, "word " * 11 + "...")):
        facts = {**c.case.facts, path: c.case[path].model_copy(update={"source": source})}
        assert f"counted in full, by the rates of {told}. State what" in flat(replace(c, case=Case(facts=facts)))


def test_an_slo_that_nothing_keeps_says_once_which_limit_binds_and_from_where_on_it_would_not() -> None:
    """No reason stands twice; the limit is that of the field, and what the nearest plan reaches holds in its place."""
    tight = answer("draws=0", "workload.ttft_p95_s=0.01", "candidates.gpus=[L40S]", "candidates.self_hosted=[qwen3-8b]",
                   "candidates.api_models=[openai/gpt-6-luna]", *NOTHING[1:-1], "candidates.own_hardware=false")
    text = flat(tight)
    (limit,) = re.findall(r"no plan holds; the nearest, \d x L40S \w+, would under hardly any load at"
                          r" workload.ttft_p95_s ([\d.]+) s \(asked 0.01\)", text)
    assert float(limit) > 0.01
    assert text.count("gpt-6-luna is out: TTFT 1.2 s as measured, at most 0.01 (workload.ttft_p95_s)") == 1
    assert re.search(r"No other option can work: gpt-6-luna and \S+ \S+ \(see above\)\.", text)
    assert re.search(r"NOT YET Self-hosting, none: qwen3-8b\S* self-hosted \(see above\)\.", text)


@pytest.mark.full
def test_an_option_without_a_row_that_is_often_best_is_named() -> None:
    """Two rows; of the draws the third saves most in 43%, though less often than what leads."""
    c = answer("draws=64")
    hidden = next(o for o in c.options if o.id not in {each.id for each in best_rows(c, 2)})

    def last_lines(often: float) -> str:
        told = {hidden.id: often, c.leader.id: 0.56}
        options = tuple(replace(o, probability_best=told.get(o.id, 0.0)) for o in c.options)
        return render(_last(replace(c, options=options), (), 2, terse=True), "markdown")

    assert f"Best in 43% of the draws, not shown: {hidden.label}." in last_lines(0.43)
    assert "not shown" not in last_lines(0.05)


@pytest.mark.full
def test_gpus_at_spot_prices_and_those_that_come_later_are_told_as_such() -> None:
    """All can wait, so that spot is admitted; at 435% a year two cards become more. Neither was on the screen."""
    alone = ("draws=0", "candidates.api_models=[]", "candidates.hosted_models=[]", "candidates.cascade_first=[]",
             "candidates.hosted_adapters=[]", "candidates.hybrid=false", "quality.scores={gpt-6-sol: 0.92, qwen3-8b: 0.91}")
    c = answer(*alone, "workload.can_wait_share=1", "candidates.spot=true", "workload.requests_per_day=1000000")
    fleet = c.leader.fleet
    assert fleet is not None
    assert (fleet.rental, fleet.minimum_months) == ("spot", 0.0)
    assert f"x {fleet.gpu} spot" in flat(c)
    assert any("interruptions of spot" in words for words in excluded(c))
    assert f"{c.leader.label} is on spot; not counted: interruptions of spot instances" in flat(c)
    grown = answer(*alone, "workload.growth_per_year=4.35", "horizon_months=24")
    fleet = grown.leader.fleet
    assert fleet is not None
    assert fleet.gpus_most > fleet.gpus
    assert f"{fleet.gpus:.0f} x {fleet.gpu}, later up to {fleet.gpus_most:.0f}" in flat(grown)


def test_an_advised_model_without_stated_reasoning_tokens_is_told_beside_one_that_has_them() -> None:
    """2,000 tokens a request are 20 times the answer. With as many the price list that is a twentieth still wins; where it is
    dearer than today's only as many tokens would lose."""
    asked = ("tokens.gpt-6-sol={reasoning_tokens: 2000}", "draws=0")
    c = apis(*asked)
    told = "gpt-6-luna is counted without reasoning tokens, gpt-6-sol with 2,000 a request (tokens.gpt-6-luna.reasoning_tokens)"
    assert f"{told}; with as many the advice holds" in flat(c)
    price = {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 12.0}
    dear = apis(*asked, f"apis.openai/gpt-6-luna={price}", "candidates.api_models=[openai/gpt-6-luna]",
                "candidates.hosted_models=[]", "candidates.cascade_first=[]", "quality.usd_per_error=0.1")
    assert f"{told}; with as many the advice is to " in flat(dear)
    stated = apis(*asked, "tokens.gpt-6-luna={reasoning_tokens: 0}")
    assert "counted without reasoning" not in flat(stated) + flat(apis("draws=0"))


def test_hours_of_set_up_that_nobody_stated_are_told_where_fewer_would_turn_the_advice() -> None:
    """40 hours at $100 and $250 of evaluation against what 400 requests a day save; hours that are stated are no guess."""
    few = ("workload.requests_per_day=400", "candidates.api_models=[openai/gpt-6-luna]", "candidates.hosted_models=[]",
           "candidates.cascade_first=[]", "quality.usd_per_error=0", "draws=0",
           "quality.scores={gpt-6-sol: 0.9, gpt-6-luna: 0.9}")
    c = apis(*few)
    o = option_of(c, LUNA)
    found = re.search(r"with gpt-6-luna's set-up below ([\d.]+) hours \(here 40, assumed\)", flat(c))
    assert c.verdict.leader == "stay"
    assert found is not None
    assert float(found[1]) == pytest.approx(40.0 + o.npv_usd / 100.0, rel=0.01)
    turned = apis(*few, f"people.setup_hours.api={float(found[1]) * 0.97}")
    assert turned.verdict.leader == LUNA
    assert "set-up below" not in flat(apis(*few, "people.setup_hours.api=40"))


@pytest.mark.full
def test_one_request_a_day_is_told_as_one() -> None:
    """"today any requests a day" it was."""
    c = answer("workload.requests_per_day=1")
    assert "(today 1 request a day)" in flat(c)
    assert "today any" not in " ".join((flat(c), comparison_text(c, (), full=True)))


@pytest.mark.full
def test_an_option_that_is_live_after_the_horizon_is_told_to_be_so() -> None:
    """It had a row with the cash of staying, all that it would cost within the horizon."""
    text = flat(answer("horizon_months=1", "draws=0"))
    told = "when the horizon of 1 is over; 0 under timing.months_to_live where a job that is done once waits for it"
    assert f"! gpt-6-luna is out: live after 1 month, {told}" in text
    assert re.search(r"No other option can work: gpt-6-luna and .*? \(see above\)\.", text)
    late = flat(answer("horizon_months=3", "draws=0", "timing={months_in_parallel: 1}", "quality.bar=0.8"))
    assert "at no volume (3 months are over before it serves alone)" in late
    assert "from 0 a day on" not in late


def test_cards_that_are_owned_are_no_cash() -> None:
    c = of_file(next(path for path in CASES if path.stem.startswith("10_")))
    o = next(o for o in c.options if o.id == c.verdict.leader)
    cash = o.upfront_usd - o.upfront_no_cash_usd
    assert f"set-up ${cash:,.0f} and ${o.upfront_no_cash_usd:,.0f} that 4 of your own cards would sell for" in flat(c)
    assert "serve on the GPUs that you own" in flat(c)
    assert " weights, owned; one alone" in " ".join(comparison_text(c, (), explain=o.id).split())


@pytest.mark.full
def test_what_is_mostly_assumed_of_a_self_hosted_options_cash_is_told() -> None:
    """35 hours of on-call at $100.99 and rising wages, of the bundled floor; nothing once they are stated."""
    c = bundled()
    o = max((o for o in c.options if o.kind in SELF_HOSTED), key=lambda o: value(o, c.verdict.counts))
    (line,) = [line for line in o.lines if line.name == "on-call and operation"]
    each = np.mean(line.monthly_usd[alone_from(o):])
    assert f"; ${each:,.0f} of ${o.cash_monthly_usd:,.0f} a month on-call, assumed)" in flat(c)
    hours = f"options={{{o.id.partition(':')[0]}: {{run_hours_per_month: 35}}}}"
    assert "a month on-call, assumed" in flat(bundled(hours)), "the wage is still"
    assert "on-call" not in flat(bundled(hours, "people.usd_per_hour=100"))


def test_assumed_rent_is_told_with_its_spares_and_no_bar_that_all_wrong_answers_reach() -> None:
    """Rent of the replicas that the load needs and of two spares are one rent."""
    c = compare(resolve(check_scenario({
        "as_of": "2026-11-24", "incumbent": {"provider": "openai", "model": "gpt-6-sol"}, "draws": 0,
        "workload": {"requests_per_day": 3e6, "input_tokens": 1900, "output_tokens": 200}, "serving": {"spares": 2},
        "quality": {"scores": {name: {"value": 0.94, "items": 300} for name in ("gpt-6-sol", "qwen3-8b")}},
        "candidates": {"self_hosted": ["qwen3-8b"], "methods": [], "api_models": [], "hybrid": False, "gpus": ["L40S"]},
    })).case)
    needed, spare = (np.mean(line.monthly_usd[alone_from(c.leader):]) for line in c.leader.lines if "GPU rent" in line.name)
    assert spare > 500
    assert f"${needed + spare:,.0f} of it GPU rent, assumed" in flat(c)
    assert "misses the bar" not in flat(c)


@pytest.mark.full
def test_staying_names_the_volume_at_which_to_look_again() -> None:
    c = of_file(next(path for path in CASES if path.stem.startswith("1_")))
    ends = {b.option: b.first for b in c.break_even
            if (b.baseline, b.basis, b.counts) == ("stay", "pv", "errors") and b.first is not None and b.first > 500}
    at, advised, _ = c.turning_volume(up=True)
    assert option_of(c, advised).tested
    assert at == pytest.approx(ends[advised], rel=0.03), "nearly nothing in it is uncertain"
    ends |= {o.id: c.thresholds.decisive(o.id, "stay").first for o in c.options if not o.tested}
    other = min((id for id in ends if not option_of(c, id).tested), key=ends.get)
    assert "Stay on gpt-5.4-mini: stop here." in flat(c)
    assert (f"Look again above about {requests(at)} requests a day, where the advice, a test before it aside, is"
            f" {option_of(c, advised).label}, or at"
            f" the central values above {requests(ends[other])} requests a day ({option_of(c, other).label}, not tested)."
            ) in flat(c)


@pytest.mark.full
def test_a_screen_looks_for_no_break_even_that_it_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells one option's, against staying and the recommended one; where it never beats that, of the other self-hosted ones
    whether they do: over the horizon, as the verdict counts. Those that are looked for among all are the same."""
    asked, look = [], signposts.crossings
    monkeypatch.setattr(signposts, "crossings", lambda curves, id, baseline, rivals, counts: asked.append(
        (id, baseline, counts)) or look(curves, id, baseline, rivals, counts))
    c = compare(bundled().case)
    text, counts = shown(c), c.verdict.counts
    nearest, *others = dict.fromkeys(id for id, *_ in asked)
    assert set(asked) == {(nearest, "stay", (counts,)), *((id, "recommended", (counts,)) for id in (nearest, *others))}
    assert all(option_of(c, id).kind in SELF_HOSTED for id in (nearest, *others))
    told = {(id, baseline): c.thresholds.decisive(id, baseline) for id, baseline, _ in asked}
    assert len({b.option for b in c.break_even}) > 4
    among_all = {(b.option, b.baseline): b for b in c.break_even if (b.basis, b.counts) == ("pv", counts)}
    for pair, alone in told.items():
        ends = [[-1.0 if end is None else end for end in (b.first, b.stays, b.until)] for b in (alone, among_all[pair])]
        assert ends[0] == pytest.approx(ends[1], rel=1e-9)
        assert alone.reason == among_all[pair].reason
    assert shown(c) == text


def test_staying_says_from_which_price_another_api_wins() -> None:
    c = of_file(next(path for path in CASES if path.stem.startswith("7_")))
    at = next(s.threshold for s in c.signposts if s.quantity == "api_price_ratio" and s.threshold is not None)
    assert f"list prices below {at:.3g} times today's" in flat(c)


def test_staying_tells_its_migrations_and_its_first_month_apart_from_the_mean_month() -> None:
    """One request a day: nearly all that staying costs is the move to a successor."""
    c = answer("workload.requests_per_day=1", *NOTHING)
    lines = {line.name: line.monthly_usd for line in option_of(c, "stay").lines if line.cash}
    (moves,) = (sum(usd) for name, usd in lines.items() if name.endswith(": migration"))
    first = sum(usd[0] for usd in lines.values())
    words = r"Cash \$(\d+) a month \(\$(\d+) of it forced migrations, 40 h each, assumed; month 1: \$([0-9.]+)\)"
    told = re.search(words, flat(c))
    assert told is not None
    stated = flat(answer("workload.requests_per_day=1", "people.migration_hours=30", *NOTHING))
    assert "of it forced migrations, 30 h each; month 1" in stated
    assert float(told[1]) == pytest.approx(sum(map(sum, lines.values())) / 36, abs=0.5)
    assert float(told[2]) == pytest.approx(moves / 36, abs=0.5)
    assert float(told[3]) == pytest.approx(first, rel=0.01)
    assert "1 request a day on" in flat(c)


def test_staying_says_that_a_change_costs_more_than_it_could_save() -> None:
    """A request a day costs cents a month; the nearest option loses little more or less than its set-up, which is told."""
    c = apis("workload.requests_per_day=1")
    nearest = option_of(c, c.verdict.challenger)
    assert nearest.upfront_usd > -0.5 * nearest.npv_usd > 0
    assert nearest.expected_npv_usd < nearest.npv_usd
    assert (f"The nearest other option, {nearest.label}, loses {short_usd(-nearest.npv_usd)} at the central values (on average"
            f" {short_usd(nearest.expected_npv_usd)}; bad case ") in flat(c), "told by what it is chosen by"
    assert f"; its set-up is {short_usd(nearest.upfront_usd)}." in flat(c)


@pytest.mark.parametrize("name", ["API gateway", "commitment not used", "incumbent's model ends: migration", "training course"])
def test_what_a_cost_of_ones_own_is_called_moves_no_figure(name: str) -> None:
    def figures(name: str) -> list[str]:
        cost = f'costs=[{{name: "{name}", option: all, upfront_usd: 3000, usd_per_month: 150000}}]'
        return re.findall(r"\d[\d,.]*", flat(c := apis(cost)) + comparison_text(c, (), full=True))

    assert figures(name) == figures("licence")


@pytest.mark.full
def test_a_cost_of_ones_own_called_api_is_told_beside_the_apis_bill() -> None:
    def told(*costs: str) -> str:
        found = re.search(r"Staying costs [^:]*: ([^:]*)\.", " ".join(comparison_text(apis(*costs), (), full=True).split()))
        assert found is not None
        return found[1]

    assert set(told("costs=[{name: API, option: all, usd_per_month: 150000}]").split(" + ")) == {
        *told().split(" + "), "$150,000 API"}


@pytest.mark.full
def test_staying_names_the_price_of_an_error_and_the_tested_option_that_it_keeps_from_winning() -> None:
    c = answer("quality.usd_per_error=0.17", "draws=1024")
    v, text = c.verdict, flat(c)
    assert v.leader == "stay"
    assert v.flips_between_usd_per_error == pytest.approx((0.1622, 0.1407), abs=1e-4)  # to two digits 0.17, which is paid
    assert "Look again at another price of a wrong answer: between $0.14 and $0.163 each the advice turns to gpt-6-luna" in text
    over = next(p for p in v.passed_over if p.option == LUNA)
    assert "gpt-6-luna would save $" in text
    assert f"beats staying in only {over.chance:.1%} of the draws, needs 60%" in text


def test_staying_costs_the_same_a_month_wherever_it_stands_beside_the_recommendation() -> None:
    c = answer()
    month = re.search(r"Cash (\$[\d,]+) \(month 1", flat(c))
    assert month is not None
    assert f"of it cash: {month[1]} a month" in comparison_text(c, (), "stay")
    assert month[1] == f"${c.leader.staying_cash_monthly_usd:,.0f}"  # JSON, frames
    stay = next(o for o in c.options if o.id == "stay")
    paid = np.sum([line.monthly_usd for line in stay.lines if line.cash], axis=0)
    assert c.leader.staying_cash_monthly_usd == pytest.approx(paid[2:].mean())
    assert stay.cash_monthly_usd == stay.staying_cash_monthly_usd == pytest.approx(paid.mean())
    assert "mean of months 3 to 36, when gpt-6-luna serves alone" in " ".join(comparison_text(c, (), "stay").split())
    assert "Trains on A100-80GB-SXM, Verda spot (roi fit: on-demand" in " ".join(
        comparison_text(c, (), "self-hosted-adapter:qwen3-8b+lora").split())


@pytest.mark.parametrize(("long", "by_length", "about", "told"), [
    (0.02, True, "what is too long", ("2% of the requests, 34.6% of the tokens, are too long for gpt-3.5-turbo (longer than its"
     " context, 16,385 tokens with the answer): to gpt-5, $2,920 a month (candidates.by_length)")),
    (0.001, True, "some that is too long", ("0.1% of the requests, 2.5% of the tokens, are too long for gpt-3.5-turbo (longer"
     " than its context, 16,385 tokens with the answer): to gpt-5, $146 a month (candidates.by_length)")),
    (0.02, False, "what is too long", ("gpt-3.5-turbo: 2.0% of requests, 34.6% of tokens, are longer than its context, 16,385"
     " tokens with the answer; they are counted as if answered (candidates.by_length)"))])
def test_what_is_too_long_for_the_leader_is_told_and_first_where_it_is_dear(
    long: float, by_length: bool, about: str, told: str,
) -> None:
    """60,000 a day x 365/12 x 2% x (60,000 x $1.25 + 500 x $10 a million) = $2,920; 60,500 x 0.02 is 34.6% of 3,493 tokens
    of the mean request. A cascade, which sees all, is warned of by its own name.
    """
    bins = ((1200, 150, 0.6 * (1.0 - long)), (3500, 300, 0.4 * (1.0 - long)), (60_000, 500, long))
    found = resolve(check_scenario({
        "as_of": "2026-11-24", "draws": 64, "title": "t", "incumbent": {"provider": "openai", "model": "gpt-5"},
        "workload": {"requests_per_day": 60_000, "growth_per_year": 0, "peak_to_mean": 3, "lengths": [
            {"input_tokens": given, "output_tokens": made, "share": share} for given, made, share in bins]},
        "quality": {"bar": 0.85, "usd_per_error": 0.02, "scores": {
            "gpt-5": {"value": 0.93, "items": 500}, "gpt-3.5-turbo": {"value": 0.88, "items": 500}}},
        "candidates": {"api_models": ["openai/gpt-3.5-turbo"], "cascade_first": ["openai/gpt-3.5-turbo"],
                       "by_length": by_length}}))
    c = compare(found.case)
    assert c.leader.id == "cheaper-api:openai/gpt-3.5-turbo"
    order = [each for each, _ in remarks(c)]
    assert [each for each in order if each.endswith("too long")] == [about]
    assert order.index(about) == order.index("known ends") + 1
    assert told in flat(c)
    assert any(warning.startswith("gpt-3.5-turbo > gpt-5: ") and "than the context of gpt-3.5-turbo" in warning
               for warning in found.warnings)


@pytest.mark.full
def test_training_over_several_owned_cards_says_how_many_and_what_a_retraining_takes_from_serving() -> None:
    """70B in bf16 takes three cards of 80 GB to train and all four to serve."""
    id = "hybrid-own:llama-3.3-70b+lora"
    c = compare(resolve(check_scenario({
        "schema": "roi.scenario/1", "title": "x", "as_of": "2026-11-24", "draws": 64, "serving": {"spares": 0},
        "verdict": {"min_chance": 0.7},
        "workload": {"requests_per_day": 100000, "input_tokens": 1000, "output_tokens": 200},
        "incumbent": {"provider": "openai", "model": "gpt-5.4"},
        "quality": {"scores": {"gpt-5.4": 0.95, "llama-3.3-70b+lora": {"value": 0.94, "items": 300}}, "bar": 0.9},
        "own_hardware": {"cards": {"A100-80GB-SXM": 4}, "resale_usd_per_gpu": 7000, "usd_per_kwh": 0.12},
        "training": {"examples": 5000, "longest_tokens": 2750},
        "candidates": {"self_hosted": ["llama-3.3-70b"], "methods": ["lora"], "base": False, "gpus": ["a100-80gb-sxm"]},
    })).case)
    assert "(4 x A100-80GB-SXM, the API for the rest, trained over 3 x A100-80GB-SXM)" in flat(c)
    told = " ".join(comparison_text(c, (), id).split())
    assert "Trains on 3 x A100-80GB-SXM, yours (a run at 2,750 tokens fits on no single card of yours: FSDP over 3" in told
    assert "roi fit --gpus 3 --sharding fsdp" in told
    assert "A retraining takes cards that serve, whose requests meanwhile are not counted." in told


def test_staying_beside_a_test_worth_making_is_for_now() -> None:
    c = apis("quality.usd_per_error=0.2")
    assert c.verdict.leader == "stay"
    assert c.verdict.then is not None
    text = flat(c)
    assert "Stay on gpt-6-sol for now, and measure." in text
    assert "stop here" not in text
    assert "nobody has tested it" in text


def test_rows_that_lost_with_a_higher_mean_say_why() -> None:
    c = answer()
    passed = (PassedOver("hosted-open:groq/openai/gpt-oss-20b", "not tested", 0.7, 0.6),
              PassedOver("hybrid:qwen3-8b+lora", "not likely", 0.547, 0.8))
    found = replace(c, verdict=replace(c.verdict, passed_over=passed))
    means = [option_of(c, p.option).expected_npv_usd / 1000.0 for p in passed]
    assert "not tested:" not in flat(found), "its row says it"
    text = " ".join(render(screen_blocks(found, (), 2)).split())
    assert f"Higher mean NPV but not tested: gpt-oss-20b @ groq (${means[0]:.0f}k)." in text
    assert f"beats staying too seldom: qwen3-8b+lora floor + spill (${means[1]:.0f}k, 54.7%, needs 80%)" in text


@pytest.mark.full
def test_volumes_told_are_those_where_the_advice_turns_and_not_where_the_means_do() -> None:
    """A change that a configuration undoes names the volume within three times of today's; a self-hosted one always does.

    By means cache and batch win from fewer requests on than in 60% of the draws; what wins from far fewer on has no line.
    """
    near = compare(resolve(check_scenario(parse_yaml(template("generation"), "generation"))).case)
    at, to, _ = near.turning_volume(up=False)
    assert (to, 1 / 3 < at / 5_000 < 1) == ("stay", True)
    assert near.verdict.flips_between_usd_per_error is None, "the same model's answers cost the same, whatever one costs"
    turns = f"Below about {requests(at)} requests a day (today 5,000, its spread moving along) the advice is to stay."
    assert turns in flat(near)
    data = parse_yaml(template("generation"), "generation")
    data["workload"]["requests_per_day"] = {"value": at * 0.99, "low": at * 0.99 / 2, "high": at * 0.99 * 2}
    assert compare(resolve(check_scenario(data)).case).verdict.leader == "stay", "as whoever tries it finds"
    far = answer()
    assert far.turning_volume(up=False)[0] < far.case["workload.requests_per_day"].number() / 3
    assert "the advice is to stay" not in flat(far)
    hosted = of_file(next(path for path in CASES if path.stem.startswith("10_")))
    (low, stay, _), (high, rented, _) = hosted.turning_volume(up=False), hosted.turning_volume(up=True)
    assert (stay, rented) == ("stay", "self-hosted-adapter:qwen3-8b+lora"), "beyond the cards that are owned"
    assert (f"UNLESS Below about {requests(low)} requests a day (today 100,000) the advice is to stay, above about"
            f" {requests(high)} the advice is {option_of(hosted, rented).label}.") in flat(hosted)


def test_staying_says_what_was_looked_at_and_denies_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of which no volume, price or error rate helps; one that is ahead but for the mean of the draws, or its chance;
    one that nobody tested and that wins up to a volume below today's."""
    c, today = answer(), 20_000.0
    monkeypatch.setattr(Comparison, "turning_volume", lambda c, **asked: None)
    o, untested = option_of(c, LUNA), option_of(c, "hosted-open:groq/openai/gpt-oss-20b")
    never = BreakEven(option=LUNA, baseline="stay", basis="pv", first=None, stays=None, reason="", counts="cash")
    own = Signpost(option=LUNA, rival="stay", quantity="api_price_ratio", today=1.0, threshold=None, direction="below",
                   reason="")
    wrong, same = replace(own, quantity="error_rate"), replace(own, reason=SAME_PRICE)

    def told(b: BreakEven, *signs: Signpost, passed: tuple[PassedOver, ...] = (), bar: float = 0.8, known: bool = True) -> str:
        found = SimpleNamespace(ids=[b.option], all_signposts=signs, cards=lambda id: 1,
                                curves=c.thresholds.curves if known else SimpleNamespace(unstated={"stay"}),
                                decisive=lambda id, _: b if id == b.option else None)
        case = Case(facts={**c.case.facts, "workload.requests_per_day": c.case["workload.requests_per_day"].model_copy(
            update={"value": today, "low": None, "high": None}), "quality.bar": c.case["quality.bar"].model_copy(
                update={"value": bar})})
        verdict = replace(c.verdict, counts="cash", passed_over=passed)
        return look_again(replace(c, case=case, thresholds=found, verdict=verdict))[0]

    holds = "At the central values that holds at every volume"
    assert told(never, own, wrong) == f"{holds}, any price or error rate of {o.label}."
    assert told(never, same) == f"{holds}."
    assert told(replace(never, first=100.0, stays=100.0)) == (
        f"At the central values {o.label} is ahead today, but not in the mean of the draws; from which price or error"
        " rate on it would be is not worked out.")
    assert told(never, passed=(PassedOver(LUNA, "not likely", 0.4, 0.6),)) == (
        "No volume up to 1,000,000,000 requests a day would make it likely enough; from which price or error rate on it"
        " would be is not worked out.")
    assert o.npv_without_errors_usd > 0, "ahead at the central values, whatever volumes are known"
    ahead, seldom = replace(wrong, today=o.quality.wrong_rate, threshold=0.2), (PassedOver(LUNA, "not likely", 0.4, 0.6),)
    assert told(replace(never, reason=UNSTATED), ahead, own, passed=seldom, known=False) == (
        f"At the central values {o.label} is ahead today, and still would be with at most 20% of its answers wrong (here 10%);"
        " from which price or error rate on it would be likely enough is not worked out.")
    below = replace(never, option=untested.id, first=0.0, until=5_000.0)
    assert told(below) == f"Look again at the central values below 5,000 requests a day ({untested.label}, not tested)."
    assert told(below, bar=0.85) == f"{holds}.", "it is assumed to miss the bar: 16% wrong"
    far = replace(never, first=4_000_000.0, stays=4_000_000.0)
    assert told(far, own) == f"{holds} below 4,000,000 requests a day ({o.label}), any price of {o.label}."


@pytest.mark.full
def test_assumed_hours_of_on_call_that_turn_the_advice_are_told_and_a_rent_that_others_share() -> None:
    """8,350 a day x $0.0165 is $4,191 a month; two cards at $0.2, $292. On-call of 35 hours is assumed, 10 to 80."""
    adapter = "self-hosted-adapter:mistral-7b-v0.3+lora"

    def asked(hours: float | None, **serving: object) -> Comparison:
        people = {} if hours is None else {"run_hours_per_month": {"self_hosted_adapter": hours}}
        return compare(resolve(check_scenario({
            "as_of": "2026-11-24", "draws": 128, "people": people, "serving": serving,
            "workload": {"requests_per_day": 8350, "input_tokens": 1500, "output_tokens": 50},
            "incumbent": {"provider": "openai", "model": "gpt-4o"},
            "apis": {"openai/gpt-4o": {"input_usd_per_mtok": 10, "output_usd_per_mtok": 30}},
            "quality": {"bar": 0.9, "scores": {"gpt-4o": {"value": 0.91, "items": 300},
                                               "mistral-7b-v0.3+lora": {"value": 0.94, "items": 300}}},
            "training": {"examples": 3000, "labels_owned": True},
            "gpu_rents": [{"gpu": "a10", "vendor": "ours", "usd_per_gpu_hour": 0.2}],
            "candidates": {"self_hosted": ["mistral-7b-v0.3"], "gpus": ["a10"], "vendors": ["ours"], "base": False,
                           "hybrid": False},
        })).case)

    hours = r"with mistral-7b-v0\.3\+lora self-hosted's on-call below ([0-9.]+) hours a month \(here 35\)"
    found = re.search(hours, flat(asked(None)))
    assert found is not None
    at = float(found[1])
    saved = [option_of(asked(times * at), adapter).npv_without_errors_usd for times in (0.99, 1.01)]
    assert saved[0] > 0 > saved[1], "at the central values, before wrong answers"
    assert "on-call below" not in flat(asked(35.0))
    shared = flat(asked(1.0, adapters="shared", adapters_on_base=40))
    assert ("! 40 workloads share the fleet, at their peaks together: 2.5% of its GPUs, platform and serving hours is counted,"
            " all of training, labels, evaluation (serving.adapters_on_base)") in shared
    assert "share the fleet" not in flat(asked(1.0, adapters="shared"))


def test_the_options_that_the_screen_names_are_rows_before_better_ones() -> None:
    """The worst option as the second best, the next as one passed over: both stand in a table of four."""
    c = answer()
    others = [o for o in c.options if o.id not in {"stay", c.verdict.leader}]
    *_, other, worst = sorted(others, key=lambda o: -o.expected_npv_usd)
    v = replace(c.verdict, second=worst.id, first_move=None, passed_over=(PassedOver(other.id, "not tested", 0.7, 0.6),))
    found = [o.id for o in best_rows(replace(c, verdict=v), 4)]
    assert set(found) == {c.verdict.leader, "stay", other.id, worst.id}
    assert [o.id for o in best_rows(replace(c, verdict=v), 3)] == [c.verdict.leader, *(
        o.id for o in sorted((worst, option_of(c, "stay")), key=lambda o: -o.expected_npv_usd))]


@pytest.mark.parametrize("name", [TEMPLATES[0], *(pytest.param(name, marks=pytest.mark.full) for name in TEMPLATES[1:])])
def test_every_option_that_a_template_s_screen_names_keeps_its_row(name: str) -> None:
    """Where they are more than the room of the screen, what is not to be done yet is told in fewer words: its row has them."""
    c, v = of_template(name), of_template(name).verdict
    text = comparison_text(c, ())
    measured, rented = v.measure_first or v.then, [o for o in c.options if o.kind in SELF_HOSTED]
    ids = {"stay", v.leader, v.second, measured and measured.option, *(p.option for p in v.passed_over[:3]),
           max(rented, key=lambda o: value(o, v.counts)).id} & {o.id for o in c.options}
    assert text.count("\n") < 40
    table = text.partition("\noption")[2].partition("\ncash:")[0]
    told_below = name == "own-gpus"  # the third of those that nobody tested, for which no line is left
    assert table.count("\n") >= min(len(ids), 6) - told_below, "the second line of the heads, then a line for each"
    assert "Wrong answers are not counted" in text
    not_yet = " ".join(text.partition("\nNOT YET")[2].partition("\n\n")[0].split())
    assert ("; not tested" in not_yet) == (not max(rented, key=lambda o: value(o, v.counts)).tested)


@pytest.mark.full
def test_without_draws_no_mean_no_chance_and_no_percentile_is_told() -> None:
    """The central values are all there is; a mean month is one of months, not of draws."""
    for c in (apis("draws=0"), compare(resolve(check_scenario({**parse_yaml(template("agent"), "agent"), "draws": 0})).case)):
        text = " ".join(comparison_text(c, ()).replace("mean month", "month").split())
        for word in ("mean", "average", "P10", "P90", "beats stay", "best of all", "in a draw", "chance"):
            assert word not in text.replace(" beats staying", ""), (word, text)
        assert "central" in text
        assert "central NPV" in c.verdict.sentence


def test_the_highest_mean_is_named_where_its_row_is_cut() -> None:
    """Three rows: the advised option, staying and a second of lower mean. It has a row of its own where there is room; where
    no advice is given none is passed over, and the sentence stands for it."""
    c = answer()
    *_, worst, best = sorted((o for o in c.options if o.id not in {"stay", c.verdict.leader}), key=lambda o: o.expected_npv_usd)
    told = f"Highest mean NPV of those not shown: {best.label} ({short_usd(best.expected_npv_usd)})."
    passed = (PassedOver(best.id, "not tested", 0.7, 0.6),)
    for recommended, over, most, said in ((c.leader.id, (), 3, True), (None, passed, 3, True), (c.leader.id, passed, 3, False),
                                          (c.leader.id, (), 4, False)):
        v = replace(c.verdict, second=worst.id, first_move=None, passed_over=over, recommended=recommended)
        text = " ".join(render(screen_blocks(replace(c, verdict=v), (), most)).split())
        assert (told in text) == said
        assert best.label in text


def test_another_view_of_the_hours_that_decides_otherwise_is_told() -> None:
    c = answer()
    told = "With a price on the hours of people who are paid anyway, staying would lead."
    assert told not in flat(c)
    assert told in flat(replace(c, verdict=replace(c.verdict, if_all_hours_are_paid="stay")))


def test_self_hosting_is_placed_against_staying_and_against_the_recommendation() -> None:
    text = flat(answer())
    found = re.search(r"NOT YET (.*?) option", text)
    assert found is not None
    told = r"it saves from [\d,]+ a day on as a step after gpt-6-luna, in its place never; beats staying from"
    assert re.search(told, found[1])


@pytest.mark.parametrize(("times", "told"), [(1.9, "beats gpt-6-luna from "), (2.1, "saves from "), (None, "saves from ")])
def test_an_option_that_saves_much_earlier_as_a_step_is_not_told_by_the_volume_in_place_alone(
        times: float | None, told: str) -> None:
    """In place it must win back what the leading API saves until GPUs are live, which grows with the volume as well."""
    c = answer()
    o = self_hosting_of(c)
    assert o is not None
    step = c.thresholds.second(o.id).stays
    found = c.thresholds.decisive(o.id, "recommended")
    at = None if times is None else times * step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(c.thresholds), "decisive", lambda *_: replace(found, first=at, stays=at, until=None))
        said = wins_from(c, o).split(";")[0]
    assert said.startswith(told)
    if told == "saves from ":
        in_place = "never" if at is None else f"from {requests(at)}"
        assert said == f"saves from {requests(step)} a day on as a step after gpt-6-luna, in its place {in_place}"


@pytest.mark.parametrize(("share", "told"), [(2.0, "beat gpt-6-luna."), (0.5, "beat gpt-6-luna in its place.")])
def test_free_gpus_that_do_not_win_in_place_may_still_save_as_a_step(share: float, told: str) -> None:
    """A step that saves from half of today's volume on is ahead today: no rent is too high for that."""
    c = answer()
    o = self_hosting_of(c)
    assert o is not None
    step = c.thresholds.second(o.id)
    at = share * c.case["workload.requests_per_day"].number()
    never = SimpleNamespace(quantity="usd_per_gpu_hour", threshold=None, reason="even at no price")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roi.report.comparison.thresholds.is_ahead", lambda _: False)
        patch.setattr(type(c.thresholds), "signposts", lambda *_: (never,))
        patch.setattr(type(c.thresholds), "second", lambda *_: replace(step, first=at, stays=at, until=None))
        assert at_rent(c, o, "") == f" At today's volume even free GPUs would not make it {told}"


@pytest.mark.full
def test_gpus_that_save_once_an_api_is_in_use_are_the_next_move_and_not_told_to_be_of_no_use() -> None:
    """20,000,000 requests a day: the cheaper API leads, since today's model is paid until GPUs are live. "It beats gpt-6-luna
    at no volume" was told of GPUs that would save most of its bill."""
    c = answer("workload.requests_per_day=20000000", "draws=512", "candidates.gpus=[A100-80GB-SXM, L40S, H100-SXM]")
    text, move = flat(c), c.second_move
    assert c.verdict.leader == LUNA
    assert move is not None
    assert move.likely
    o = option_of(c, move.option)
    assert f"NEXT Once {c.leader.label} answers, move on to {o.label}, prepared meanwhile" in text
    step = step_sentence(NextAnswer(comparison=c, warnings=(), note=""))
    assert step.startswith(f"DO NOW: change to {c.leader.label}, then to {o.label}. THEN:")
    assert move.npv_p10_p50_p90 is not None
    bad = short_usd(move.npv_p10_p50_p90[0])
    assert (f"Over gpt-6-luna: mean NPV +{short_usd(move.npv_usd)}, bad case {bad}, more in {share(move.chance)} of the draws"
            in text)
    assert f"payback {move.payback_cash_months:.1f} months from today, on cash" in text.split("NEXT ")[1]
    assert move.second is not None
    assert f"(than {option_of(c, move.second).label}, the second best, in {share(move.chance_over_second)})" in text
    assert "NOT YET" not in text
    assert "today's model is paid until it is live." in " ".join(render(screen_blocks(c, ()), width=10_000).split())
    assert any(row.split("  ")[1].startswith(o.label[:4]) for row in rows(shown(c)))


@pytest.mark.full
def test_cards_that_are_owned_are_not_told_as_rented() -> None:
    """Of what they would fetch nothing is said, or that it is nothing: the vendor is one's own all the same."""
    c = answer("own_hardware.cards={A100-80GB-SXM: 2}", "own_hardware.resale_usd_per_gpu=0", "candidates.own_hardware=true",
               "draws=0", "quality.scores={gpt-6-sol: 0.92, qwen3-8b: 0.91}", "candidates.api_models=[]",
               "candidates.hosted_models=[]", "candidates.cascade_first=[]", "candidates.hosted_adapters=[]")
    assert "own GPUs" in c.leader.label
    assert "that you own" in flat(c)
    assert "rented GPUs" not in flat(c)


@pytest.mark.full
@pytest.mark.parametrize(("mean", "odds", "told"), [
    (1000.0, 0.71, ": ahead today, but in only 71% of the draws; 80% is asked"),
    (1000.0, 0.80, ": ahead today"),
    (-1000.0, 0.71, ": ahead today, but not in the mean of the draws"),
])
def test_a_volume_that_today_is_past_is_said_to_be_with_what_is_missing(mean: float, odds: float, told: str) -> None:
    """33,800 requests a day of 100,000; self-hosting binds, and is asked for 80%. What is said there is not said before it."""
    c = answer("candidates.api_models=[]", "candidates.hosted_models=[]", "candidates.cascade_first=[]")
    own = next(o for o in c.options if o.id == "self-hosted-adapter:qwen3-8b+lora")
    o = replace(own, expected_npv_usd=mean, expected_cash_npv_usd=mean, probability_npv_positive=odds,
                probability_cash_positive=odds)
    v = replace(c.verdict, leader="stay", recommended="stay", passed_over=(PassedOver(o.id, "not likely", odds, 0.8),))
    others = [replace(x, expected_npv_usd=x.expected_npv_usd - 1e9, expected_cash_npv_usd=x.expected_cash_npv_usd - 1e9)
              for x in c.options if x.id not in {"stay", o.id}]
    c = replace(c, verdict=v, options=(option_of(c, "stay"), o, *others))
    found = next(b for b in c.thresholds.crossings(o.id, "stay") if b.basis == "pv")
    for now, said in ((33_800.0, told), (200_000.0, "")):
        won = replace(found, first=now, stays=now, until=None, counts=v.counts)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(c.thresholds), "decisive", lambda *_, won=won: won)
            assert wins_from(c, o) == f"beats staying from {now:,.0f} a day on{said}"
            assert flat(c).split("NOT YET")[1].count("% of the draws") == (mean > 0.0 and (odds < 0.8 or not said))


def test_a_volume_beside_a_bill_says_that_the_bill_moves_with_it() -> None:
    c = answer()
    factor = c.case["reconciliation.factor"]
    billed = replace(c, case=Case(facts={**c.case.facts, "reconciliation.factor": factor.model_copy(update={"value": 1.2})}))
    assert (factor.value, today(billed)) == (1.0, f"{today(c)}, the bill moving with them")


@pytest.mark.parametrize(("npv", "told"), [(1000.0, ": ahead today"), (-1000.0, ", but not today")])
def test_where_todays_volume_lies_in_a_gap_between_those_at_which_an_option_wins_it_is_not_ahead(npv: float, told: str) -> None:
    """A saw: it wins at 10 requests a day and at 200,000, but not at all of those between."""
    c = answer()
    o = replace(option_of(c, LUNA), npv_usd=npv, npv_without_errors_usd=npv, expected_npv_usd=1000.0,
                expected_cash_npv_usd=1000.0, probability_npv_positive=0.9, probability_cash_positive=0.9)
    won = replace(next(b for b in c.thresholds.crossings(LUNA, "stay") if b.basis == "pv"), first=10.0, stays=None,
                  until=200_000.0, counts="errors", reason="wins only in between: at large volume the baseline is cheaper")
    c = replace(c, verdict=replace(c.verdict, leader="stay", counts="errors"), options=(option_of(c, "stay"), o))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(c.thresholds), "decisive", lambda *_: won)
        assert wins_from(c, o) == f"beats staying from 10 a day on, up to 200,000{told}"


def with_bar(name: str, bar: float, **more: Any) -> dict[str, Any]:
    """A template with another bar."""
    made = parse_yaml(template(name), name)
    return {**made, **more, "quality": {**made["quality"], "bar": bar}}


@pytest.mark.parametrize(("name", "bar"), [
    ("classification", 0.9),
    *(pytest.param(*case, marks=pytest.mark.full) for case in (("extraction", 0.92), ("generation", 0.85)))])
def test_not_yet_names_an_option_of_ones_own_that_is_assumed_to_reach_the_bar(name: str, bar: float) -> None:
    """The base models are assumed 13.5% to 27% wrong, and cost less cash for want of training; the adapters are as today's."""
    c = compare(resolve(check_scenario({**with_bar(name, bar), "draws": 0})).case)
    cheapest = max((o for o in c.options if o.kind in SELF_HOSTED), key=lambda o: value(o, "cash"))
    named = self_hosting_of(c)
    assert named is not None
    assert cheapest.quality.error_rate > 1.0 - bar >= named.quality.error_rate
    assert self_hosting_of(replace(c, thresholds=None)) == named, "whatever is looked for"
    assert wins_from(c, named)
    assert f"NOT YET {named.label} (" in flat(c)
    assert "below the bar" not in flat(c)


def test_not_yet_says_so_where_no_option_of_ones_own_is_assumed_to_reach_the_bar() -> None:
    """Nothing may be trained: the base model is left, with 16.2% wrong where 10% are let pass."""
    gates = {"one_task_type": "yes", "learnable_from_examples": "no"}
    c = compare(resolve(check_scenario({**with_bar("classification", 0.9, gates=gates), "draws": 0})).case)
    assert "not tested, assumed 16.2% wrong: below the bar)" in flat(c)


@pytest.mark.parametrize("name", ["classification", pytest.param("generation", marks=pytest.mark.full)])
def test_the_nearest_own_option_says_its_volumes_where_a_guessed_price_of_errors_would_name_another(name: str) -> None:
    """On cash the base model leads its kind, with the template's price of a wrong answer the adapter; cash is what decides.

    The bar is low enough for the base model.
    """
    c = compare(resolve(check_scenario({**with_bar(name, 0.5), "draws": 0})).case)
    o = max((o for o in c.options if o.kind in SELF_HOSTED), key=lambda o: value(o, "cash"))
    assert c.verdict.counts == "cash"
    assert o.id != max((x for x in c.options if x.kind == o.kind), key=lambda x: value(x, "errors")).id
    assert wins_from(c, o)
    assert f"At the central values ({today(c)}) it {wins_from(c, o)}." in flat(c)


def test_an_option_that_is_ahead_at_every_volume_says_what_is_missing_alone() -> None:
    c = answer()
    o = replace(option_of(c, LUNA), binds=False, probability_npv_positive=0.5, probability_cash_positive=0.5)
    won = next(b for b in c.thresholds.crossings(LUNA, "stay") if b.basis == "pv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(c.thresholds), "decisive", lambda *_: replace(won, first=0.0, stays=0.0, until=None))
        assert wins_from(c, o).endswith("beats staying at every volume, but in only 50% of the draws; 60% is asked")


def test_what_counts_wrong_answers_says_so_where_the_verdict_leaves_them_out() -> None:
    """The list of what is included, and the facts' swings; where the price is one's own both say what they said."""
    guess, own = (" ".join(shown(bundled("candidates.self_hosted=[]", *words), full=True).split())
                  for words in ((), ("quality.usd_per_error=0.002",)))
    told = "wrong answers at $0.002 each, for every option and for staying"
    assert f"{told}; the verdict leaves them out, since that price is the template's guess" in guess
    assert "the others central, wrong answers counted. Rank corr." in guess
    assert told in own
    assert "the verdict leaves them out" not in own
    assert "the others central. Rank corr." in own


def test_the_marks_of_a_cost_tree_are_explained_beneath_it() -> None:
    text = " ".join(comparison_text(bundled("draws=0"), (), "stay").split())
    assert "Basis of each line's weakest fact: q quoted, * assumed, t template." in text


def test_a_tree_of_millions_is_in_usd_so_that_its_small_lines_add_up() -> None:
    """A set-up of $4,000 was 4 beside lines of 0 in kUSD, where wrong answers come to tens of millions."""
    c = bundled("draws=0", "quality.usd_per_error=4")
    o = option_of(c, "cheaper-api:openai/gpt-6-luna")
    assert o.tco_usd > 1e7
    text = render(cost_tree(c, o.id))
    assert "kUSD" not in text
    assert all(f"{line.upfront_usd:,.0f}" in text for line in o.lines if line.upfront_usd)
    assert max(map(len, text.splitlines())) <= 80


def test_a_template_price_of_errors_leaves_the_verdict_to_cash_and_says_where_it_would_flip() -> None:
    c = bundled()
    assert c.verdict.counts == "cash"
    text = flat(c)
    assert "! The template's guesses: growth of requests +10.0% a year" in text
    assert "! Wrong answers are not counted: their price (quality.usd_per_error) is a guess" in text
    assert "Change to gpt-6-luna while a wrong answer costs less than about $0.12: another API model." in text
    assert "not counted in USD (between $0.12 and $0.17 each the advice turns to staying: NPV < 0)." in text
    assert text.count("the advice turns to staying") == 1
    assert "NPV, on cash alone: mean" in text
    assert "Assumed" not in text
    assert shown(c).count("\n") < 40


def test_a_guess_of_a_template_that_turns_the_advice_says_what_it_is_at_the_end_of_its_range() -> None:
    """A cache that is on leaves the batch price: without requests that may wait it saves nothing, and its set-up is lost.

    Stated as none may wait, the same scenario's advice is the one that was told. No guess of the bundled one turns its advice.
    """
    data = {**parse_yaml(template("classification"), "a"), "draws": 256}
    data["candidates"] = {}
    data["incumbent"] = {**data["incumbent"], "uses_cache": True}
    data["workload"] = {**data["workload"], "shared_prefix_tokens": 0.0}
    c = compare(resolve(check_scenario(data)).case)
    assert c.leader.id == "cache-batch"
    assert re.search(r"guesses: share that can wait 30% \(moves the NPV by \$[\d,]+; at 0% the advice is to stay\), ", flat(c))
    stated = {**data["workload"], "can_wait_share": {"value": 0.0, "source": "us"}}
    assert compare(resolve(check_scenario({**data, "workload": stated})).case).verdict.leader == "stay"
    assert "the advice is to" not in flat(bundled())


@pytest.mark.full
def test_a_price_of_errors_is_told_to_move_with_its_spread_where_that_costs_no_line_and_in_full_and_explain_anyhow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A point is another question: in --full beside the price itself, in --explain with how it is asked."""
    c = bundled("quality.usd_per_error={value: 0.002, low: 0.001, high: 0.004}")
    told = flips_along(c)
    assert told == flips_at(c).replace(" each the advice", f" each{ALONG}, the advice") != flips_at(c)
    point = f"The price of a wrong answer: {told}. One that is set without a spread (--set quality.usd_per_error=...) may"
    for more in ({"full": True}, {"explain": c.verdict.leader}):
        text = " ".join(comparison_text(c, (), **more).split())
        assert point in text
        assert (f"({told})" in text) == ("full" in more)
    assert point not in " ".join(comparison_text(c, (), explain="stay").split()), "of what is advised alone"
    above = [Labelled("DO NOW", (f"Wrong answers ({flips_at(c)}).",))]
    assert moving_along(c, above) == [Labelled("DO NOW", (f"Wrong answers ({told}).",))]
    assert told in comparison_text(c, (), form="markdown").replace("\\", ""), "whose paragraphs are a line each"
    lines = comparison_text(c, ()).count("\n")
    monkeypatch.setattr("roi.report.comparison.screen.moving_along", lambda _, blocks: list(blocks))
    assert comparison_text(c, ()).count("\n") == lines
    assert flips_along(bundled("quality.usd_per_error=0.002")) == ""


def test_a_price_of_errors_that_nobody_states_is_told_like_a_guessed_one() -> None:
    c = apis("quality.usd_per_error=0")
    text = flat(c)
    assert "! Wrong answers are not counted: their price (quality.usd_per_error) is $0 !" in text
    assert f"not counted in USD ({flips_at(c)})." in text
    assert flips_at(c).endswith("each the advice turns to staying")
    assert "per wrong answer" not in text


def test_with_neither_bar_nor_price_of_errors_no_test_is_offered() -> None:
    nothing = ("quality.bar=0", "quality.usd_per_error=0", "quality.scores={gpt-6-sol: 0.95}")
    told = ("No test can fail an option: neither quality.bar nor quality.usd_per_error says what is too bad. Write one, such as"
            " quality: {bar: 0.9}.")
    text = flat(apis(*nothing))
    assert f"! {told}" in text
    assert text.count(told) == 1
    assert "THEN Nothing is worth measuring until a test can fail." in text
    assert "DO NOW Stay on gpt-6-sol for now. Cash" in text
    now = sum(line.monthly_usd[0] for line in option_of(apis(*nothing), "stay").lines if line.cash)
    assert f" (month 1: ${now:,.0f})" in text.partition("DO NOW")[2].partition(" a month")[2][:40]
    assert "of its answers are wrong" not in text
    assert told not in flat(apis(nothing[0].replace("=0", "=0.9"), *nothing[1:]))


def test_error_rates_before_and_after_are_told_apart() -> None:
    """5.96% and 6.04% both print as 6%; a month has 365 / 12 days."""
    c = apis("quality.scores={gpt-6-sol: 0.9404, gpt-6-luna: 0.9396}", "quality.usd_per_error=0.0001")
    assert c.verdict.leader == LUNA
    assert "Wrong answers 5.96% -> 6.04%: about" in flat(c)


def test_an_error_rate_in_use_that_nobody_measured_is_marked() -> None:
    text = shown(apis("quality.scores={gpt-6-luna: 0.93}"))
    assert "of gpt-6-sol's answers wrong (quality.scores)" in " ".join(text.split())
    assert next(row for row in rows(text) if row.strip().startswith("stay")).split()[2] == "5?"
    stated = shown(apis("quality.scores={gpt-6-sol: 0.95, gpt-6-luna: 0.93}"))
    assert next(row for row in rows(stated) if row.strip().startswith("stay")).split()[2] == "5"


def test_a_rate_of_its_own_beside_one_with_what_is_handed_on_says_which_it_is() -> None:
    o = answer().leader
    assert with_handed_on(o, o.quality.wrong_rate) == ("", "")
    assert with_handed_on(replace(o, quality=replace(o.quality, wrong_rate=0.102)), 0.1005) == (
        " own", "; 10.2% with what it hands on")


def test_two_rates_that_are_compared_are_told_apart() -> None:
    c = answer()
    e = next(e for e in c.experiments if e.kind == "evaluate" and e.option != c.verdict.leader)
    rate = next(o.quality.error_rate for o in c.options if o.id == e.option)
    v = replace(c.verdict, measure_first=None, then=e, wins_at_error_rate=rate - 0.00004, wins_on_items=e.items)
    at, found = told_apart(percent, rate - 0.00004, rate)
    assert at != found
    assert f"items are wrong, {at} (" in flat(replace(c, verdict=v))
    assert f": {found})." in flat(replace(c, verdict=v))
    with_stay = replace(c, verdict=replace(v, then=replace(e, option="stay"), wins_at_error_rate=None, wins_on_items=None))
    stay = " ".join(render(screen_blocks(with_stay, ()), width=10_000).split())
    told = stay[stay.index("THEN"):stay.index("NOT YET")]
    assert "on average after DO NOW. Also, valued alone: " in told, "today's model wins at no rate of its own"
    assert ("On the same items, whose labels are paid once, it adds about $" in told) == (
        told.count("on your evaluation set") == 2)


def test_where_a_test_may_be_worth_its_cost_the_draws_are_said_to_be_too_few() -> None:
    c = replace(bundled(), experiments=(replace(bundled().experiments[0], net_usd=1.0, error_usd=2.0),))
    told = " ".join(render(then(c)).split())
    assert told == "THEN Nothing is worth measuring: no test is worth more than it costs, by more than these draws can tell."


def test_what_is_also_worth_testing_costs_what_the_first_test_has_not_paid_and_is_not_inside_it() -> None:
    """300 items at $2 a label for one, 200 for the other: of its cost $400 are paid already. Today's model is judged beside."""
    c = apis("evaluation.usd_per_label=2")
    one, *others = [e for e in c.experiments if e.kind == "evaluate" and e.option != "stay"][:2]
    first = replace(one, net_usd=1e6, paired=True, items=300)
    second = replace(others[0], net_usd=9e5, items=200, cost_usd=523.0)
    today = replace(second, option="stay", net_usd=9.5e5)
    verdict = replace(c.verdict, measure_first=None, then=first)
    told = " ".join(render(then(replace(c, experiments=(first, today, second), verdict=verdict))).split())
    assert "On the same items, whose labels are paid once, it adds about $123." in told
    assert told.count("Also, valued alone: ") == 1
    assert option_of(c, second.option).label in told[told.index("Also, valued alone: "):told.index("it adds about")]


def test_stating_the_price_of_an_error_turns_the_advice_where_the_guess_said() -> None:
    """The same draws of all else: a thousandth below the threshold the advice stands, a thousandth above it is the other."""
    at = bundled().verdict.flips_at_usd_per_error
    assert at is not None
    below, above = (bundled(f"quality.usd_per_error={at * k}").verdict for k in (0.999, 1.001))
    assert (below.counts, below.leader, above.leader) == ("errors", LUNA, "stay")
    assert (below.flips_at_usd_per_error, above.flips_at_usd_per_error) == pytest.approx((at, at), rel=1e-9)


@pytest.mark.full
def test_a_threshold_that_the_draws_do_not_place_is_a_range_and_names_both_of_two_options() -> None:
    """With 14% wrong staying leads from $0.060 on, where gpt-6-luna's chance is 60%, just what it needs.

    The adapter passes its mean at $0.041, and adds to it in 52% of the draws at $0.042, in 70% at $0.058: it is held back
    until gpt-6-luna is hardly likely any more.
    """
    c = bundled("quality.scores.gpt-6-luna=0.86")
    near, far = c.verdict.flips_between_usd_per_error
    assert near == pytest.approx(0.056, rel=0.02)
    assert far > 0.060
    for price, leads in ((0.050, LUNA), (0.058, LUNA), (0.07, "stay")):
        assert bundled("quality.scores.gpt-6-luna=0.86", f"quality.usd_per_error={price}").verdict.leader == leads
    both = {"stay", "self-hosted-adapter:qwen3-8b+lora"}
    assert set(c.verdict.flips_to_one_of) == both
    told = rf" \(between \$0.0\d+ and \$0.0\d+ each({ALONG},)? the advice turns"
    assert re.search(rf"{told} to (qwen3-8b\+lora self-hosted or staying|staying or qwen3-8b\+lora self-hosted)\)\.", flat(c))
    third = replace(c.verdict, flips_to_one_of=(*c.verdict.flips_to_one_of, "hybrid:qwen3-8b+lora"))
    assert re.search(rf"{told}\)\.", flat(replace(c, verdict=third)))


@pytest.mark.full
def test_a_dearer_answer_that_turns_to_staying_though_fewer_are_wrong_says_that_it_is_for_the_chance() -> None:
    """Of 120 items each, 112 right against 110: better on average, worse in many draws, which a dear answer multiplies."""
    scores = {"gpt-6-sol": {"value": 0.92, "items": 120}, "qwen3-4b+lora": {"value": 0.93, "items": 120}}
    c = compare(resolve(check_scenario({
        "as_of": "2026-11-24", "workload": {"requests_per_day": 300_000, "input_tokens": 900, "output_tokens": 8},
        "incumbent": {"provider": "openai", "model": "gpt-6-sol"},
        "candidates": {"self_hosted": ["qwen3-4b"], "hybrid": False},
        "quality": {"bar": 0.85, "usd_per_error": 0.002, "scores": scores},
    })).case)
    assert c.leader.trains
    assert c.leader.quality.wrong_rate < option_of(c, "stay").quality.wrong_rate
    assert flips_at(c).endswith("each the advice turns to staying: chance <80%")


def test_a_dearer_answer_that_turns_to_staying_says_whether_the_mean_or_the_chance_does() -> None:
    """Stated, the mean is positive up to $0.155 and the chance is 60% at $0.150; a template's price has a spread of its own."""
    c = answer()
    saved, slope = c.leader.expected_cash_npv_usd, (c.leader.expected_npv_usd - c.leader.expected_cash_npv_usd) / 0.002
    near, far = c.verdict.flips_between_usd_per_error
    assert near < far < -saved / slope
    assert flips_at(c).endswith("the advice turns to staying: chance <60%")
    sure = replace(c.verdict, flips_between_usd_per_error=(near, -1.1 * saved / slope))
    assert flips_at(replace(c, verdict=sure)).endswith("the advice turns to staying: NPV < 0")
    open_ended = replace(c.verdict, flips_between_usd_per_error=(near, None))
    assert flips_at(replace(c, verdict=open_ended)).endswith("the advice turns to staying")


def test_where_the_advice_turns_to_an_option_that_saves_less_it_says_that_it_is_for_the_chance() -> None:
    """Saved as one line each: $100 - $1,000 x the price and $80 - $500 x the price cross at $0.04; the prices are made up."""
    c, adapter = answer(), "self-hosted-adapter:qwen3-8b+lora"
    first, other = (replace(option_of(c, id), expected_cash_npv_usd=cash, expected_npv_usd=cash - 0.002 * slope)
                    for id, cash, slope in ((c.verdict.leader, 100.0, 1000.0), (adapter, 80.0, 500.0)))
    assert not first.binds
    c = replace(c, options=tuple({first.id: first, other.id: other}.get(o.id, o) for o in c.options))
    for ends, told in (((0.02, 0.03), ": chance <60%"), ((0.04, 0.04), ""), ((0.05, 0.06), "")):
        found = replace(c.verdict, flips_at_usd_per_error=ends[0], flips_between_usd_per_error=ends, flips_to_one_of=(adapter,))
        assert flips_at(replace(c, verdict=found)).endswith(f"qwen3-8b+lora self-hosted{told}")


@pytest.mark.parametrize(("ends", "told", "below"), [
    ((0.1506, 0.1512), "between $0.15 and $0.152 each the advice turns to staying", "$0.15"),
    ((0.1364, 0.139), "between $0.136 and $0.139 each the advice turns to staying", "$0.136"),
    ((9.9972, 9.9983), "between $9.997 and $9.999 each the advice turns to staying", "$9.997"),
    ((12.31, 12.44), "between $12.30 and $12.50 each the advice turns to staying", "$12.30"),
    ((0.15, 0.15), "from about $0.15 each the advice is to stay", "$0.15"),
    ((0.149, 0.1512), "between $0.14 and $0.16 each the advice turns to staying", "$0.14"),
    ((0.1506, None), "from about $0.15 each, if at any price, the advice turns to staying", ""),
    ((0.0, None), "the draws do not tell at which price, if at any, the advice turns to staying", ""),
    ((0.0, 0.06), "between $0 and $0.06 each the advice turns to staying", ""),
])
def test_a_threshold_is_rounded_away_from_today(ends: tuple[float, float | None], told: str, below: str) -> None:
    """From $0.1506 to $0.1512: at $0.15 the advice has not changed, at $0.152 it has; one figure would hide where. From nothing
    to no price is all that there is. What is advised names the price up to which it holds, where the draws place one."""
    c = bundled()
    holds = None if ends[1] is None else ends[0] or None
    found = replace(c.verdict, flips_at_usd_per_error=ends[0], flips_between_usd_per_error=ends, flips_to_one_of=("stay",),
                    stands_below_usd_per_error=holds)
    text = flat(replace(c, verdict=found))
    told = re.escape(told).replace(r"each\ the", rf"each({ALONG},)?\ the").replace(r"price,\ the", rf"price({ALONG})?,\ the")
    assert re.search(rf" \({told}(: NPV < 0|: chance <60%)?\)\.", text)
    assert f"Change to gpt-6-luna{f' while a wrong answer costs less than about {below}' if below else ''}: another" in text


@pytest.mark.full
def test_a_stated_slo_says_what_the_latency_of_the_advised_option_rests_on() -> None:
    c = bundled("workload.ttft_p95_s=1.5", "workload.requests_per_day=100000")  # exact: fewer words elsewhere on the screen
    [e] = [e for e in c.experiments if e.kind == "time-api"]
    first = (r"MEASURE FIRST Time gpt-6-luna on prompts like yours, SLO \(TTFT 1.5 s\): about \$400 and 1 day. Worth it where"
             r" the chance of a miss, which costs \$8,250 \(set-up, way back\), is at least (\d+)%"
             r" \(apis.openai/gpt-6-luna.ttft_p95_s; roi profile serve URL\). ELSE Change to gpt-6-luna .* THEN Nothing")
    found = re.search(first, flat(c))
    assert found
    assert e.pays_between_chances is not None
    assert 0.0 <= int(found[1]) / 100 - e.pays_between_chances[0] < 0.01  # rounded to the side on which it pays
    assert "nobody measured" not in flat(c)
    unmeasured = ("! SLO (TTFT 1.5 s): nobody measured gpt-6-luna's latency (apis.openai/gpt-6-luna.ttft_p95_s; roi profile"
                  f" serve URL): about $400 and 1 day, worth it first where the chance that it misses is at least {found[1]}%")
    c = replace(c, verdict=replace(c.verdict, measure_first=None))  # as where another test comes first, or a floor leads
    assert unmeasured in flat(c)
    asked = "workload.ttft_p95_s=1.5", "workload.requests_per_day=100000"
    measured = bundled(*asked, "apis={openai/gpt-6-luna: {ttft_p95_s: 1.2}}")
    assert measured.verdict.leader == LUNA
    assert "SLO (" not in flat(measured)
    slow = bundled(*asked, "apis={openai/gpt-6-luna: {ttft_p95_s: 1.6}}")
    assert next(o.reason for o in slow.infeasible if o.id == LUNA) == (
        "TTFT 1.6 s as measured, at most 1.5 (workload.ttft_p95_s)")
    assert "! gpt-6-luna is out: TTFT 1.6 s as measured, at most 1.5 (workload.ttft_p95_s)" in flat(slow)
    waits = bundled("workload.ttft_p95_s=1.5", "workload.can_wait_share=1", "apis={openai/gpt-6-luna: {ttft_p95_s: 1.6}}")
    assert LUNA in {o.id for o in waits.options}
    own, spill = (replace(c, verdict=replace(c.verdict, leader=f"{kind}:qwen3-8b+lora"))
                  for kind in ("self-hosted-adapter", "hybrid"))
    assert "the latency of qwen3-8b+lora self-hosted is replayed, its speed published ! More in --full" in flat(own)
    assert unmeasured in flat(spill)  # to which it spills
    assert any("+ spill is replayed, its speed published" in told for told in latency_known(spill))  # where there is room
    for quiet in (bundled(), bundled("workload.ttft_p95_s=1.5", "workload.can_wait_share=1"),
                  replace(c, verdict=replace(c.verdict, leader="stay"))):
        assert "SLO (" not in flat(quiet)


@pytest.mark.full
def test_prices_older_than_they_should_be_are_told_of_what_is_paid_and_of_what_is_advised(monkeypatch) -> None:
    """2026-11-10 to 2027-06-01 are 203 days; 90 is the most."""
    monkeypatch.setattr("roi.clock.today", lambda: date(2027, 6, 1))
    assert "! Old prices: gpt-6-sol (203 days), gpt-6-luna (203 days)" in flat(bundled("as_of=2027-06-01"))
    assert "Old prices" not in flat(bundled())


def test_a_price_that_is_announced_is_told_with_what_it_adds_to_a_month() -> None:
    """gemini-4-argon doubles on 2026-12-01. A day too early, and of stated rates, none is; a successor's list is over it."""
    words = ("as_of=2026-11-24", "incumbent.provider=google", "incumbent.model=gemini-4-argon", *NOTHING, "draws=0")
    rates = "{input_usd_per_mtok: 2, output_usd_per_mtok: 10, cache_read_usd_per_mtok: 0.2}"
    stated = f"apis={{google/gemini-4-argon: {rates}}}"
    c, flat_price = bundled(*words), bundled(*words, stated)
    more = option_of(c, "stay").cash_monthly_usd - option_of(flat_price, "stay").cash_monthly_usd
    assert (f"! google/gemini-4-argon costs 2 x as much from 2026-12-01 on, announced: counted, in its successors' prices too,"
            f" ${more:,.0f} a month more on average") in flat(c)
    assert "list prices that a vendor has announced, each from its day on; successors' prices are over them" in included(c)
    own = "apis={google/gemini-4-argon: {announced: [{from_date: 2027-03-01, price_ratio: 2}]}}"
    assert [told.partition(",")[0] for told in included(bundled(*words, own)) if "each from its day on" in told] == [
        "prices to come that the scenario states (apis)"]
    come = bundled(*words, own.replace("2027-03-01", "2026-11-20"))
    told = "Today's price is the announced one, apis.google/gemini-4-argon.announced.0."
    assert told in " ".join(render(cost_tree(come, "stay")).split())
    tree = " ".join(render(cost_tree(c, "stay")).split())
    assert told not in tree
    assert "costs 2 x as much from 2026-12-01 on, announced: counted in /month and in all." in tree
    for other in ("as_of=2026-11-09", stated):
        assert "announced:" not in flat(bundled(*words, other))
    assert "announced: counted, in its successors' prices too, $" in flat(bundled(*words, "incumbent.ends_in_months=0.2"))


EMBEDDED = ("workload.lengths=null", "workload.input_tokens=500", "workload.shared_prefix_tokens=0")
OWED = ("as_of=2026-11-24", "incumbent.committed_usd_per_month=30000")
BARE = "quality.scores={gpt-6-sol: 0.92, gpt-6-luna: 0.9}"
CACHED = (*NOTHING, "template=null", "incumbent.provider=openai", "workload.shared_prefix_tokens=1500",
          "workload.cache_hit_rate=0.9", "incumbent.uses_cache=true")
UNLISTED = ("incumbent.model=own", "apis={openai/own: {input_usd_per_mtok: 1.6, output_usd_per_mtok: 8}}")
OF_READS = UNLISTED[1].replace("}}", ", cache_read_usd_per_mtok: 0.16}}")
REMARKS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "No request has output, as of embeddings (workload.output_tokens: 0): only a model that embeds takes their place, alone":
        ((*EMBEDDED, "workload.output_tokens=0"), ((*EMBEDDED, "workload.output_tokens=1"),)),
    "! A commitment is over by as_of and costs nothing: incumbent.committed_until":
        ((*OWED, "incumbent.committed_until=2026-01-01"), ((*OWED, "incumbent.committed_until=2026-11-24"),)),
    "! gpt-6-sol itself misses the bar: 92% right, 99% asked (quality.bar); what keeps it is not held":
        (("quality.bar=0.99",), ((),)),
    "The prompt cache that is on has no price: all input of openai/own is counted in full, by the rates of":
        ((*CACHED, *UNLISTED), ((*CACHED, *UNLISTED, "incumbent.uses_cache=false"), (*CACHED, UNLISTED[0], OF_READS),
                                 (*CACHED, *UNLISTED, "workload.cache_hit_rate=0"), CACHED)),
    "! The bill is 0.376 x what these requests cost at the scenario's prices: taken as other requests":
        (("incumbent.bill_usd_per_month=5000", "incumbent.bill_is_volume_share=1"),
         (("incumbent.bill_usd_per_month=7000", "incumbent.bill_is_volume_share=1"),)),
    "The prompt cache that is on holds nothing: the shared prefix of 1,023 tokens is below the 1,024 that its vendor caches;":
        ((*CACHED, "workload.shared_prefix_tokens=1023"),
         ((*CACHED, "workload.shared_prefix_tokens=1024"), (*CACHED, "workload.shared_prefix_tokens=0"),
          (*CACHED, "workload.shared_prefix_tokens=1023", "incumbent.cache_minimum_tokens=512"))),
    "No other model is named: write candidates.api_models, hosted_models or self_hosted.": (NOTHING, ((),)),
    "NOT YET Self-hosting, none: no open model is named (candidates.self_hosted).": (NOTHING, ()),
    "! Power at $18 a kWh: 0.06 to 0.20 is usual":
        (("own_hardware.usd_per_kwh=18",), (("own_hardware.usd_per_kwh=1",),)),
    "! People at $0.50 an hour: below most minimum wages (people.usd_per_hour)":
        (("people.usd_per_hour=0.5",), (("people.usd_per_hour=5",),)),
    "! A busiest minute of 500 x the mean: as if all of a day came within an hour":
        (("workload.peak_to_mean=500",), (("workload.peak_to_mean=24",),)),
    "! Today's model is counted at 10% above its list price (incumbent.discount)":
        (("incumbent.discount=-0.1",), (("incumbent.discount=0.1",),)),
    "! Today's model is counted at 100% below its list price":
        (("incumbent.discount=1",), (("incumbent.discount=0.9",),)),
    "! Training examples: 1; vendors refuse fewer than 10":
        (("training.examples=1",), (("training.examples=10",),)),
    "! Items of an evaluation: 1; a score of fewer than 100 counts as not tested":
        (("evaluation.labels=1",), (("evaluation.labels=100",),)),
}
"""What is said, of which scenario, and of which others it is not: the limit itself is let pass."""


@pytest.mark.parametrize("told", REMARKS)
def test_a_remark_is_told_of_what_it_is_about_alone(told: str) -> None:
    """24 times the mean is a day's requests within an hour."""
    words, others = REMARKS[told]
    assert told in flat(apis(*words, "draws=0"))
    for quiet in others:
        assert told[:40] not in flat(apis(*quiet, "draws=0"))


@pytest.mark.parametrize(("judged", "more"), [
    ("quality.scores={gpt-6-sol: {value: 0.93, items: 500}, 'own > gpt-6-sol': {value: 0.925, items: 500}}", "(of 100, P10"),
    ("quality.kept_error_rate={own: {value: 0.05, items: 350}}", ""),
])
def test_a_cascade_that_was_judged_is_tested_though_its_first_model_alone_was_not(judged: str, more: str) -> None:
    """An answer of the user's own device first, which escalates 30%; nobody scored it alone, so that its rate is assumed."""
    c = apis("candidates.api_models=[]", "candidates.hosted_models=[]", "candidates.cascade_first=[own/own]",
             "apis={own/own: {input_usd_per_mtok: 0, output_usd_per_mtok: 0}}", "quality.escalated={own: 0.3}",
             "quality.scores={gpt-6-sol: {value: 0.93, items: 500}}",
             "quality.escalated_error_rate={own: {value: 0.12, items: 150}}", judged)
    assert c.verdict.leader == "cascade:own/own"
    assert "Assumed: scores" not in flat(c)
    assert quality(c, option_of(c, c.verdict.leader)) == "tested"
    assert more in flat(c)


def test_draws_that_are_too_few_and_scores_that_count_as_exact_are_said() -> None:
    """Exact are two of one's own; with items, an assumed source, or where no draw is taken, nothing is said."""
    few = "! Too few draws for a chance or a percentile: 99; at least 100, better 4096 (--draws)"
    exact = "scores count as exact: say on how many items they rest, quality.scores.NAME: {value: 0.9, items: 300}"
    items = "quality.scores={gpt-6-sol: {value: 0.92, items: 300}, gpt-6-luna: {value: 0.9, items: 300}}"
    assert few in flat(apis("draws=99"))
    assert f"2 {exact}" in flat(apis(BARE))
    quiet = flat(apis("draws=100")) + flat(apis("draws=0")) + flat(apis(items)) + flat(apis(BARE, "draws=0")) + flat(apis())
    assert "Too few draws" not in quiet
    assert exact not in quiet


def test_where_today_s_model_misses_the_bar_and_is_advised_what_reaching_it_takes_is_told() -> None:
    """gpt-6-luna, 90% right where 93% is asked, is a twentieth of gpt-6-sol's price; at $1 an error the latter is advised."""
    today = ("apis={}", "incumbent.model=gpt-6-luna", "quality.bar=0.93", "candidates.api_models=[openai/gpt-6-sol]",
             "quality.scores={gpt-6-luna: {value: 0.9, items: 500}, gpt-6-sol: {value: 0.95, items: 500}}")
    found = [apis(*today, f"quality.usd_per_error={usd}") for usd in (0, 1)]
    assert [c.verdict.leader for c in found] == ["stay", "cheaper-api:openai/gpt-6-sol"]
    told = [flat(c).partition("what keeps it is not held to it")[2] for c in found]
    assert re.match(r"\. Of what reaches it, gpt-6-sol does best: mean NPV -\$\d+", told[0])
    assert not told[1].startswith(". Of what")


@pytest.mark.full
def test_a_commitment_and_a_price_of_errors_far_beyond_the_bill_are_remarked() -> None:
    """3.1 times what staying bills in month 1, and 2.9; wrong answers that cost 1,100 times a mean month's bill, and 900."""
    until = ("incumbent.committed_until=2029-11-24", "draws=0")
    lines = [line.monthly_usd for line in option_of(apis("draws=0"), "stay").lines if line.name.startswith("API ")]
    first, mean = sum(usd[0] for usd in lines), sum(map(np.mean, lines))
    each = mean / option_of(apis("quality.usd_per_error=1", "draws=0"), "stay").errors_monthly_usd
    for times, errors, said in ((3.1, 1100.0, True), (2.9, 900.0, False)):
        owed = flat(apis(*until, f"incumbent.committed_usd_per_month={times * first:.0f}"))
        assert (f"! A commitment of ${times * first:,.0f} a month on a bill of ${first:,.0f}" in owed) is said
        wrong = flat(apis(f"quality.usd_per_error={errors * each:.4f}", "draws=0"))
        assert ("a month on staying, 1,100 x the API's bill (quality.usd_per_error, USD of one wrong answer)" in wrong) is said


def test_a_bill_that_is_far_off_is_told_where_no_figure_hangs_on_why() -> None:
    """Cache and batch save the same whether the gap is price or volume: the bill is then told from a quarter off on."""
    words = (*NOTHING, "template=null", "workload.can_wait_share=0.5", "draws=0", "workload.requests_per_day=20000")
    computed = re.search(r"computed \$([\d,]+) in month 1", flat(bundled(*words)))
    assert computed is not None
    estimate = float(computed[1].replace(",", ""))
    far, near = (flat(bundled(*words, f"incumbent.bill_usd_per_month={estimate * times}")) for times in (0.5, 1.1))
    assert "! The bill is 0.5 x what these requests cost at the scenario's prices: is it of this volume?" in far
    assert "The bill is" not in near


def test_the_bill_to_be_checked_is_at_todays_list_as_a_stated_one_is_held_against_it() -> None:
    """gemini-4-argon doubles seven days into month 1: a bill of what is computed there is no gap, and brings no remark."""
    words = ("as_of=2026-11-24", "incumbent.provider=google", "incumbent.model=gemini-4-argon", *NOTHING, "draws=0")
    found = re.search(r"computed \$([0-9,]+) in month 1 at today's list", flat(bundled(*words)))
    assert found is not None
    bill = float(found[1].replace(",", ""))
    stated = bundled(*words, f"incumbent.bill_usd_per_month={bill}")
    assert stated.case["reconciliation.factor"].value == pytest.approx(1.0, abs=1e-3)
    month_1 = sum(line.monthly_usd[0] for line in option_of(stated, "stay").lines if line.name.startswith("API "))
    assert month_1 == pytest.approx(bill * (1 + (1 - 7 / (365 / 12))), rel=1e-3)  # growth within month 1 is none


def test_a_fleet_that_rests_on_moving_what_can_wait_says_so() -> None:
    words = ("workload.can_wait_share=1", "candidates.api_models=[]", "candidates.hosted_models=[]", "quality.usd_per_error=0")
    waits = answer(*words, "candidates.cascade_first=[]", "workload.requests_per_day=3000000")
    assert waits.leader.fleet is not None
    told = f"100% of the requests can wait: {waits.leader.label} is sized for them at any hour of the day"
    assert told in " ".join(render(alerts(waits)).split()).replace(" ! ", " ")
    assert "requests can wait" not in flat(answer())


def test_the_ratio_is_that_of_the_options_own_request() -> None:
    """Of 1,000 tokens in and 100 out at $2 and $10: stated input leaves 2 + 2 of 2 + 1; a stated cache read leaves both."""
    words = ("as_of=2026-11-24", "incumbent.provider=google", "incumbent.model=gemini-4-argon", *NOTHING, "draws=0",
             "workload.lengths=null", "workload.input_tokens=1000", "workload.output_tokens=100",
             "workload.shared_prefix_tokens=0")
    for rate, told in (("cache_read", "2"), ("input", "1.33")):
        c = bundled(*words, f"apis={{google/gemini-4-argon: {{{rate}_usd_per_mtok: 2}}}}")
        assert f"google/gemini-4-argon costs {told} x as much from 2026-12-01 on" in flat(c)


def test_the_count_of_wrong_answers_times_their_price_is_what_the_line_says() -> None:
    told = re.search(r"about ([\d,]+) more a month, counted at \$([\d,]+) ", flat(apis("quality.usd_per_error=0.02")))
    assert told is not None
    count, usd = (float(text.replace(",", "")) for text in told.groups())
    assert count * 0.02 == pytest.approx(usd, abs=0.51)


def test_the_load_of_a_fleet_is_told_over_its_capacity_and_the_peak_over_the_mean() -> None:
    """Noon has 46 of 552, twice the mean; 1.5 within it."""
    hours = f"workload.hourly_weights={[22] * 12 + [46] + [22] * 11}"
    c = bundled("workload.peak_to_mean=null", hours)
    text = " ".join(comparison_text(c, (), explain=find_option(c, "self-hosted-adapter")).split())
    found = re.search(r"of which the load takes ([\d.]+)% on average and ([\d.]+)% at the peak \(3 x the mean: the busiest hour"
                      r" 2 x, within it x 1.5, assumed: workload.peak_to_mean would state the whole\)\.", text)
    assert found is not None
    assert float(found[2]) == pytest.approx(3.0 * float(found[1]), rel=0.02)


def test_a_bill_apart_from_the_estimate_shows_both_readings() -> None:
    c = apis("incumbent.bill_usd_per_month=20000")
    assert c.reconciled_npv_usd is not None
    text = flat(c)
    assert "! The bill is 1.5 x what these requests cost at the scenario's prices. Unsplit: at the central values NPV" in text
    assert "Bill not checked" not in flat(c)


@pytest.mark.full
def test_a_gate_answered_no_says_what_it_drops_or_on_what_the_adapter_stands_in_spite_of_it() -> None:
    told = shown(answer("gates.vendor_allows_training_on_outputs=no"))
    assert "\n! Legal gate is no: training stands only if people label (training.labels_from)\n" in told
    own = flat(answer("gates.vendor_allows_training_on_outputs=no", "training.labels_from=incumbent"))
    assert "! Gate vendor allows training on outputs is no: it drops " in own
    assert "qwen3-8b+lora" in flat(answer("gates.one_task_type=no")).partition("! Gate one task type is no: it drops ")[2][:60]
    assert " gate is no" not in flat(answer("gates.vendor_allows_training_on_outputs=yes")).lower()


@pytest.mark.full
def test_without_draws_nothing_is_called_sure() -> None:
    text = flat(answer("draws=0"))
    assert "no draws: nothing says how sure" in text
    assert "Without draws nothing says what a test is worth" in text
    assert "Chance to beat" not in text


def test_colour_marks_the_winner_what_is_not_tested_and_alarms() -> None:
    c = apis("incumbent.bill_usd_per_month=400000")
    assert "\x1b[31mCORRECT FIRST" in shown(c, colour=True)
    text = shown(answer(), colour=True)
    assert "\x1b[1m\x1b[32m> gpt-6-luna" in text
    assert re.search(r"\x1b\[33m\? .*NOT TESTED", text)
    assert "\x1b[33m! Bill not checked" in text
    assert re.sub(r"\x1b\[\d+m", "", text) == shown(answer())


def test_a_wide_terminal_shows_whole_names() -> None:
    assert "qwen3-8b+lora floor + spill" in "\n".join(rows(shown(answer(), width=120)))
    assert max(map(len, shown(answer(), width=120).split("\n"))) > 80


@pytest.mark.full
def test_the_name_that_explain_is_given_finds_the_leading_option() -> None:
    for c in (answer(), *map(of_file, CASES)):
        name = re.search(r"Why: --explain ([^ ]+)\.", flat(c))
        assert name is not None
        assert find_option(c, name[1]) == c.verdict.leader


def test_markdown_holds_the_same_advice_and_whole_names() -> None:
    text = shown(answer(), form="markdown")
    assert text.startswith("# Code assistant")
    for part in ("**!** Bill not checked", "**DO NOW** Change to gpt-6-luna", "**THEN** Evaluate", "**NOT YET** qwen3-8b"):
        assert part in text
    table = [line for line in text.split("\n") if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert len(table) == 8


def test_a_name_is_cut_where_its_longest_word_ends() -> None:
    """27 characters, 24 wanted: the first word of 13 gives 6, of which three are dots."""
    assert shortened("qwen3-8b+lora floor + spill", 24) == "qwen3-8... floor + spill"
    assert shortened("qwen3-8b+lora floor + spill", 24, keep_kind=True) == "qw...+lora floor + spill"
    table = Table(("option",), (Row(("> qwen3-8b+lora floor + spill",)),), cut=True)
    for beside, said in (((), "> qwen3-8... floor + spill"), (("qwen3-8b floor + spill",), "> qw...+lora floor + spill")):
        assert said in render([replace(table, beside=beside)], width=26)
    assert shortened("qwen3-8b+lora", 6, keep_kind=True) == "qwe..."
    assert shortened("qwen3-4b+lora floor + spill", 16) == "...floor + spill"
    assert shortened("qwen3-4b+lora self-hosted", 18) == "qwe... self-hosted"
    alike = tuple(Row((f"llama-3.3-70b{kind} own GPUs", "1")) for kind in ("", "+lora"))
    assert "llama...+lora own GPUs 1" in " ".join(render([Table(("option", "n"), alike, cut=True)], width=24).split())
    same = tuple(Row((f"? qwen3-{size} floor + spill", "1")) for size in ("4b", "8b"))
    for width, told in ((22, ["? qwen3-4b floor... 1", "? qwen3-8b floor... 1"]), (10, ["? qwen3-4b", "? qwen3-8b"])):
        lines = render([Table(("option", "n"), same, cut=True)], width=width).splitlines()
        assert [" ".join(line.split()) for line in lines if "qwen" in line] == told, "never one name for two rows"
    assert shortened("short", 24) == "short"
    assert len(shortened("a b c d e f g h i j k l m n", 10)) <= 10


ENDING = ("template=null", "as_of=2026-11-27", "candidates.api_models=[openai/gpt-4o-mini]", "candidates.cascade_first=[]",
          "candidates.self_hosted=[]", "candidates.hosted_models=[]", "candidates.vendor_tuned=[]",
          "candidates.hosted_adapters=[]",
          "quality.scores={gpt-6-sol: 0.91, gpt-4o-mini: 0.90}", "quality.usd_per_error=0.001")


def test_a_recommended_model_that_ends_tells_when_what_that_costs_and_who_follows() -> None:
    """gpt-4o-mini ends on 2027-01-14, 48 days on: in month 2, so that the move is paid at the end of month 1. 40 h x $100, a
    month's rise of wages, and an evaluation of $250.
    """
    c = bundled(*ENDING)
    assert c.verdict.leader == "cheaper-api:openai/gpt-4o-mini"
    (line,) = [each for each in c.leader.lines if each.name == "vendor's model ends: migration"]
    assert np.flatnonzero(line.monthly_usd)[0] == 0
    assert line.monthly_usd[0] == pytest.approx(4000.0 + 250.0, rel=0.01)
    told = (f"! openai/gpt-4o-mini ends on 2027-01-14: a second move, ${line.monthly_usd[0]:,.0f} counted at the end of month"
            " 1; its vendor suggests gpt-6-luna")
    assert told in flat(c)
    assert "a move is due in any case" not in flat(c)
    assert c.verdict.sentence.endswith("openai/gpt-4o-mini ends on 2027-01-14, so a second move is due by then.")
    free = bundled(*ENDING, "people.migration_hours=0", "evaluation.usd=0", "evaluation.labels=0")
    assert "! openai/gpt-4o-mini ends on 2027-01-14: a second move, at no cost; its vendor suggests gpt-6-luna" in flat(free)


@pytest.mark.parametrize(("tested", "told"), [
    (", gpt-6-sol: 0.91", "A move is due by then: of other models that are tested gpt-6-sol costs least, cash $15,589 a month"),
    ("", "No other model is tested that lasts half a year longer"),
    (", gpt-4o-mini: 0.91", "No other model is tested that lasts half a year longer"),
])
def test_staying_on_a_model_that_ends_says_what_it_could_be_moved_to(tested: str, told: str) -> None:
    """gpt-5-mini ends on 2026-12-11. "Stay on gpt-5-mini: stop here" said nothing of that. gpt-4o-mini ends a month later."""
    c = bundled(*ENDING, "incumbent.model=gpt-5-mini", "candidates.api_models=[openai/gpt-6-sol, openai/gpt-4o-mini]",
                f"quality.scores={{gpt-5-mini: 0.91{tested}}}", "quality.usd_per_error=1", "timing.months_to_live.api=1")
    assert c.verdict.leader == "stay"
    text = flat(c)
    assert "openai/gpt-5-mini ends on 2026-12-11: from then on this is the same on its successor, counted at 1 x its" in text
    assert told in text
    assert "stop here" not in text


def test_a_change_that_must_be_made_sooner_than_is_usual_is_told() -> None:
    """gpt-5-mini ends 14 days on, another API takes a month by default: it is counted as live by then. A stated month holds."""
    of = (*ENDING, "incumbent.model=gpt-5-mini", "candidates.api_models=[openai/gpt-6-luna]")
    told = "a move is due in any case, and another API is counted as live by then, not in 1 month"
    assert told in flat(bundled(*of))
    assert "counted as live" not in flat(bundled(*of, "timing.months_to_live.api=1"))


def test_what_stays_on_a_model_that_ends_says_when_and_what_it_is_then() -> None:
    """gpt-5-mini ends on 2026-12-11, 14 days on; what is switched on goes on to its successor, at drift's 0.9 of its price.

    Where that takes half a month, 15 days, the model is gone before it is live, and none of its ways is possible.
    """
    of = (*ENDING, "incumbent.model=gpt-5-mini", "candidates.api_models=[]", "workload.can_wait_share=0.9",
          "incumbent.uses_cache=false", "quality.scores={gpt-5-mini: 0.91}", "drift.successor_price_ratio=0.9",
          "drift.successor_price_ratio_own=1")
    c = bundled(*of, "timing.months_to_live.cache_batch=0.4")
    assert c.verdict.leader == "cache-batch"
    told = "openai/gpt-5-mini ends on 2026-12-11: from then on this is the same on its successor, counted at 0.9 x its price"
    assert f"{told} today" in flat(c)
    late = bundled(*of)
    why = "ends on 2026-12-11, before it could be live (month 0.5)"
    assert {o.reason for o in late.infeasible if o.kind == "cache-batch"} == {why}
    assert f"! {next(o.label for o in late.infeasible if o.id == 'cache-batch')} is out: {why}" in flat(late)
    stated = bundled(*of, "incumbent.ends_in_months=0.3")
    why = "ends in 0.3 months, before it could be live (month 0.5)"
    assert {o.reason for o in stated.infeasible if o.kind == "cache-batch"} == {why}


@pytest.mark.full
def test_cash_says_what_of_it_is_a_commitment_still_owed() -> None:
    """$5,000 a month committed to gpt-6-sol's vendor, towards which the bill of its gpt-6-luna counts."""
    c = answer("incumbent.committed_usd_per_month=5000", "incumbent.committed_until=2029-11-24")
    (line,) = [each for each in c.leader.lines if each.name == "commitment not used"]
    owed = np.mean(line.monthly_usd[alone_from(c.leader):])
    assert owed > 1000.0
    told = f"(${owed:,.0f} of it commitment still owed until 2029-11-24) a month"
    assert f" -> ${c.leader.cash_monthly_usd:,.0f} {told}" in flat(c)
    assert "still owed" not in flat(answer())
    c = answer("apis={openai/gpt-6-luna: {committed_usd_per_month: 900, committed_until: 2029-11-24}}")
    (line,) = [each for each in c.leader.lines if each.name == "own commitment not used"]
    unused = np.mean(line.monthly_usd[alone_from(c.leader):])
    assert f"(${unused:,.0f} of it committed to its vendor beyond the bill) a month" in flat(c)
    assert "still owed" not in flat(c)


@pytest.mark.full
def test_a_floor_that_takes_a_small_part_of_the_requests_says_so() -> None:
    """Nine tenths are stated to spill; by default the floor takes most, and nothing is said."""
    few, usual = (option_of(answer(*words), "hybrid:qwen3-8b+lora") for words in (("serving.spill_share=0.9",), ()))
    assert few.fleet is not None
    assert usual.fleet is not None
    assert few.fleet.share_of_requests == pytest.approx(0.1)
    assert usual.fleet.share_of_requests > 0.5
    assert all(o.fleet.share_of_requests == 1.0 for o in answer().options if o.fleet is not None and o.kind != "hybrid")
    c = answer()
    small = tuple(replace(few, expected_npv_usd=o.expected_npv_usd) if o.id == few.id else o for o in c.options)
    assert "take 10% of requests, the API for the rest" in flat(replace(c, options=small)).replace("takes", "take")
    assert "of requests, the API" not in flat(c)
    full = replace(usual, fleet=replace(usual.fleet, share_of_requests=1.0))
    assert "carry the load, an API stands by" in what_it_is(c, full)
    assert "carry the steady load, an API the peaks" in what_it_is(c, usual)


@pytest.mark.full
def test_a_move_that_is_worth_more_after_months_of_a_commitment_says_so() -> None:
    """Moving leaves 5.6 months of a commitment unused; the NPV of gpt-6-luna live in 1, 2, ... months is the oracle."""
    words = ("incumbent.committed_usd_per_month=20000", "incumbent.committed_until=2027-05-15", "as_of=2026-11-27", "draws=0")
    c = apis(*words)
    start = c.leader.months_to_live
    npvs = [option_of(apis(*words, f"options.{LUNA}.months_to_live={start + k}"), LUNA).npv_usd for k in range(7)]
    best = int(np.argmax(npvs))
    assert (c.verdict.leader, best > 0) == (LUNA, True)
    assert c.better_later == (best, pytest.approx(npvs[best] - npvs[0]))
    assert f"central NPV +${npvs[best] - npvs[0]:,.0f}; commitment until 2027-05-15." in flat(c)
    first = Experiment(kind="evaluate", option=LUNA, cost_usd=250.0, months=0.25, worth_usd=9e3, net_usd=8e3,
                       first_net_usd=12e3, evppi_usd=1e4, error_usd=1e2, items=300)
    measured = flat(replace(c, verdict=replace(c.verdict, measure_first=first)))
    assert "2027-05-15. The figures are of it live at once." in measured
    assert "The figures are of it" not in flat(c)
    later = f"Better live in {start + best:g} months: "
    assert flat(c).index("Change to gpt-6-luna") < flat(c).index(later)
    much = flat(replace(c, better_later=(best, 0.06 * npvs[0])))  # more than 5% of what it brings
    assert much.index(later) < much.index("Change to gpt-6-luna")
    assert "Change to gpt-6-luna, live in" not in flat(c)  # its figures are those of month 1
    assert "Change to gpt-6-luna, live in 2.5 months" in flat(apis("timing.months_to_live.api=2.5"))
    assert apis().better_later is None
    assert "Better live in" not in flat(apis())


@pytest.mark.full
def test_set_up_hours_that_are_paid_anyway_are_named_where_they_make_waiting_worth_while() -> None:
    """Of 200 h of set-up at $100 waiting a month leaves 30 h more to people who are paid anyway: $3,000.

    Today's model costs more in the meantime, so without these hours a month of delay costs.
    """
    incumbent = {"provider": "openai", "model": "gpt-6-sol", "ends_in_months": 48}
    scores = {"gpt-6-sol": {"value": 0.93, "items": 400}, "qwen3-4b+lora": {"value": 0.925, "items": 400}}

    def waited(**people: object) -> Comparison:
        return compare(resolve(check_scenario({
            "as_of": "2026-12-01", "draws": 0, "incumbent": incumbent, "training": {"examples": 3000}, "people": people,
            "workload": {"requests_per_day": 36_720, "growth_per_year": 0, "input_tokens": 1500, "output_tokens": 60,
                         "peak_to_mean": 3, "ttft_p95_s": 2.0},
            "quality": {"bar": 0.88, "usd_per_error": 0.01, "scores": scores},
            "own_hardware": {"cards": {"RTX-4090": 2}, "usd_per_kwh": 0.25},
            "candidates": {"self_hosted": ["qwen3-4b"], "own_hardware": True},
        })).case)

    c = waited(existing_hours_per_month=30)
    none = option_of(waited(existing_hours_per_month=30, setup_hours={"self_hosted_adapter": 0}), c.verdict.leader)
    why = "people who are paid anyway then do more of the set-up."
    assert c.better_later is not None
    assert f"central NPV +{short_usd(c.better_later[1])}; {why}" in flat(c)
    assert none.delay_usd > 0.0
    assert c.leader.delay_usd == pytest.approx(none.delay_usd - 3000.0)
    saves = f"One month of delay saves ${-c.leader.delay_usd:,.0f} of NPV; {why}"
    assert saves in render(returns(c, c.verdict.leader), "table", width=200)


@pytest.mark.full
def test_the_volume_to_look_again_at_is_the_least_from_which_an_untested_option_saves() -> None:
    """The best of its kind today misses the bar; another floor saves from 15,800 a day on, no other option before it."""
    def at(volume: float) -> Comparison:
        data = parse_yaml(template("agent"), "agent")
        return compare(resolve(check_scenario({
            **data, "as_of": "2026-12-01", "draws": 0, "workload": {**data["workload"], "requests_per_day": volume}})).case)

    c = at(5000.0)
    (told,) = look_again(c)
    found = re.search(r"above ([\d,]+) requests a day \((.+), not tested\)", told)
    assert found is not None
    volume = float(found[1].replace(",", ""))
    under, over = ({o.label: o.npv_without_errors_usd for o in at(volume * times).options} for times in (0.98, 1.02))
    assert under[found[2]] < 0 < over[found[2]]


def test_a_move_of_the_incumbent_is_not_told_as_that_of_the_model_which_is_recommended() -> None:
    """gpt-5 ends before the change is live, gpt-5.4-nano on 2027-04-01, beyond the three months that are compared."""
    c = bundled(*ENDING, "incumbent.model=gpt-5", "candidates.api_models=[openai/gpt-5.4-nano]", "horizon_months=3",
                "quality.scores={gpt-5: 0.91, gpt-5.4-nano: 0.90}", "quality.usd_per_error=0", "timing.months_to_live.api=1")
    assert "gpt-5.4-nano" in c.leader.label
    assert any(line.name == "incumbent's model ends: migration" for line in c.leader.lines)
    assert "a second move" not in flat(c)


@pytest.mark.full
def test_a_price_of_errors_that_may_be_zero_or_not_is_counted_in_the_draws() -> None:
    c = bundled("quality.usd_per_error={value: 0, low: 0, high: 0.5}", "quality.bar=0")
    assert c.can_fail
    assert c.verdict.counts == "errors"
    assert (c.verdict.leader, c.verdict.flips_at_usd_per_error) == ("stay", None)
    assert "Wrong answers are not counted" not in flat(c)
    assert "No test can fail" not in flat(c)
    assert any(e.kind == "evaluate" for e in c.experiments)


def test_the_months_that_are_compared_are_those_of_the_options_own_time_in_parallel() -> None:
    """1 month to live and 5 in parallel, where others have 1: alone from the seventh month."""
    c = bundled("options={cheaper-api: {months_in_parallel: 5}}")
    luna = next(o for o in c.options if o.id == LUNA)
    assert alone_from(luna) == 6
    assert luna.mean_monthly_usd == pytest.approx(np.mean(luna.monthly_usd[6:]))


def test_an_option_that_wins_only_in_between_names_its_largest_volume() -> None:
    c = answer()
    found = next(b for b in c.thresholds.crossings(LUNA, "stay") if b.basis == "pv")
    won = replace(found, first=100.0, stays=None, until=2000.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(c.thresholds), "decisive", lambda *_: won)
        alike = "beats gpt-6-luna from 100 a day on, up to 2,000; beats staying from 100 a day on, up to as many"
        assert wins_from(c, option_of(c, LUNA)) == alike
        won = replace(won, first=0.0)
        assert wins_from(c, option_of(c, LUNA)).endswith("beats staying up to 2,000 a day")


def test_a_gate_that_is_no_and_a_known_end_stand_on_every_screen() -> None:
    """Where lines are few, thresholds go before them: the first screen must not hide why what trains may not stand."""
    data = read_yaml(next(path for path in CASES if path.stem.startswith("13_")))
    data.pop("expect")
    c = compare(resolve(check_scenario({**data, "draws": 128, "gates": {"vendor_allows_training_on_outputs": "no"}})).case)
    text = shown(c)
    assert len(text.split("\n")) <= 40
    assert "Legal gate is no: training stands only if people label" in text
    assert "openai/gpt-5.4 ends in 12 months: from then on this is the same on its successor" in " ".join(text.split())
    first, then = option_of(c, c.verdict.first_move), c.leader
    assert first.payback_months < then.months_to_live == 4.0
    at_once, both = (usd(sum(sum(line.monthly_usd[k:]) for line in first.lines if line.cash) / (36 - k)) for k in (1, 5))
    assert at_once == usd(first.cash_monthly_usd) != both  # its model ends meanwhile: the arrows are of the same months
    words = " ".join(text.split())
    assert f"Cash {usd(first.staying_cash_monthly_usd)} (month 1: $24,967) -> {at_once} a month (from month 2);" in words
    assert f"cash {both} -> {usd(then.cash_monthly_usd)} a month;" in words
    assert "gpt-6-luna is cheaper with more than 5.6% of the option's answers wrong (here 4.4%)" in words


def test_a_candidate_below_the_bar_is_named_with_its_score_as_it_was_measured() -> None:
    """864 of 1,000 right against 0.865 is out; against 0.864 it is in."""
    words = "quality.scores.gpt-6-luna={value: 0.864, items: 1000}", "candidates.api_models=[openai/gpt-6-luna]"
    out, within = (" ".join(render(screen_blocks(apis(f"quality.bar={bar}", *words), ()), width=10_000).split())
                   for bar in (0.865, 0.864))
    assert "! Out, below the bar of 86.5% (quality.bar): gpt-6-luna (86.4% right)" in out
    assert "gpt-6-luna (86.4% right)" not in within


def test_a_candidate_below_the_bar_on_few_of_the_items_is_told_with_its_chance_and_what_settles_it() -> None:
    """85.5% on the 200 of 400 items that pair, of which staying has 87.5% right, and of all as many."""
    some = "{both_right: 163, only_incumbent: 12, only_this: 8, both_wrong: 17}"
    scores = f"{{gpt-6-sol: {{value: 0.875, items: 400}}, gpt-6-luna: {{value: 0.855, items: 200, paired: {some}}}}}"
    c = apis("quality.bar=0.86", f"quality.scores={scores}", "candidates.api_models=[openai/gpt-6-luna]")
    luna = next(o for o in c.infeasible if o.score is not None)
    assert luna.probability_good_enough == pytest.approx(0.4, abs=0.05)
    out = " ".join(render(screen_blocks(c, ()), width=10_000).split())
    assert (f"gpt-6-luna (85.5% right by 200 of gpt-6-sol's 400 items, {luna.probability_good_enough:.0%} to reach it: judge it"
            " on the other 200, which have their labels)") in out
    few = scores.replace("0.855", "0.05").replace("163", "6").replace("12,", "169,").replace("8,", "4,").replace("17}", "21}")
    c = apis("quality.bar=0.86", f"quality.scores={few}", "candidates.api_models=[openai/gpt-6-luna]")
    out = " ".join(render(screen_blocks(c, ()), width=10_000).split())
    assert "gpt-6-luna (5.2% right)" in out  # in no draw at the bar: nothing is left to be settled


GROWING = {
    "as_of": "2026-11-29", "draws": 0, "incumbent": {"provider": "openai", "model": "gpt-6-sol"},
    "workload": {"requests_per_day": 5000, "growth_per_year": 3.0, "input_tokens": 1200, "output_tokens": 100},
    "quality": {"bar": 0.85, "usd_per_error": 0.2, "scores": {"gpt-6-sol": 0.95, "qwen3-8b+lora": 0.945}},
    "training": {"examples": 3000, "labels_owned": True}, "candidates": {"self_hosted": ["qwen3-8b"], "hybrid": False},
}


@pytest.mark.parametrize(("months", "told"), [(1, False), (2, True)])
def test_an_assumed_growth_is_no_doubt_of_a_job_of_one_month(months: int, *, told: bool) -> None:
    """Month 1 is as today, whatever the growth."""
    workload = {"requests_per_day": 5000, "input_tokens": 1200, "output_tokens": 100}
    case = {**GROWING, "horizon_months": months, "workload": workload, "candidates": {"api_models": ["openai/gpt-6-luna"]}}
    assert ("Assumed: growth" in flat(compare(resolve(check_scenario(case)).case))) == told


@pytest.mark.full
def test_staying_says_when_a_growing_volume_makes_another_option_save() -> None:
    """4 times as much a year: the central NPV of the adapter live in month 4, 5, ... is the oracle. 5,000 x 4^(months / 12)."""
    option = "self-hosted-adapter:qwen3-8b+lora"

    def live_in(months: float | None) -> Comparison:
        own = {} if months is None else {"options": {option: {"months_to_live": months}}}
        return compare(resolve(check_scenario({**GROWING, **own})).case)

    c = live_in(None)
    first = option_of(c, option).months_to_live
    npvs = [option_of(live_in(first + k), option).npv_usd for k in range(0, 30, 3)]
    assert c.verdict.leader == "stay"
    assert c.start is not None
    assert c.start.npv_usd >= max(npvs) > 0.0 > npvs[0]
    assert c.start.npv_usd == pytest.approx(option_of(live_in(first + c.start.months), option).npv_usd)
    assert c.start.requests_per_day == pytest.approx(5000 * 4 ** ((first + c.start.months) / 12), rel=0.13)
    assert f"Live in {first + c.start.months:.0f} months, at " in flat(c)
    steady = compare(resolve(check_scenario({**GROWING, "workload": {**GROWING["workload"], "growth_per_year": 0.0}})).case)
    assert (steady.verdict.leader, steady.start) == ("stay", None)


@pytest.mark.full
@pytest.mark.parametrize(("low", "high", "waits_longer"), [(1.0, 6.0, True), (2.9, 10.0, False)])
def test_over_the_draws_a_start_three_months_earlier_or_later_saves_less_on_average(
    low: float, high: float, *, waits_longer: bool
) -> None:
    """The mean NPV of the adapter live so many months later, drawn alike, is the oracle; its growth is unsure.

    It may fall short: that speaks for waiting longer than the central values do; or be far higher: then for less.
    """
    option, growth = "self-hosted-adapter:qwen3-8b+lora", {"value": 3.0, "low": low, "high": high}
    unsure = {**GROWING, "draws": 512, "workload": {**GROWING["workload"], "growth_per_year": growth}}

    def live_in(months: float | None) -> Comparison:
        own = {} if months is None else {"options": {option: {"months_to_live": months}}}
        return compare(resolve(check_scenario({**unsure, **own})).case, thresholds=months is None)

    c = live_in(None)
    assert c.verdict.leader == "stay"
    assert c.start is not None
    assert c.start.months > 3
    first = option_of(c, option).months_to_live
    sooner, then, later = (option_of(live_in(first + c.start.months + k), option) for k in (-3, 0, 3))
    assert c.start.npv_usd == pytest.approx(then.expected_npv_usd)
    assert c.start.chance == pytest.approx(then.probability_npv_positive)
    assert c.start.npv_usd > max(sooner.expected_npv_usd, later.expected_npv_usd)
    central = compare(resolve(check_scenario(GROWING)).case).start
    assert central is not None
    assert (c.start.months >= central.months) == waits_longer


@pytest.mark.full
def test_cash_on_rented_gpus_is_told_at_the_mean_of_rents_too_where_that_is_another() -> None:
    """Central rents lie below their mean, which is today's: without a spread of their drift the cash is that mean."""
    words = ("workload.requests_per_day=20000000", "candidates.api_models=[]", "candidates.hosted_models=[]", "draws=256")
    c, exact = bundled(*words), bundled(*words, "drift.gpu_rent_per_year=0")
    assert c.leader.fleet is not None
    mean = c.cash_at_mean_rents(c.leader.id)
    assert mean == pytest.approx(option_of(exact, c.leader.id).cash_monthly_usd, rel=1e-9)
    assert f"(at today's rents ${mean:,.0f}" in flat(c)
    assert "at today's rents" not in flat(exact)
    assert exact.cash_at_mean_rents("stay") is None


@pytest.mark.full
def test_a_volume_that_is_soon_another_is_told_where_volumes_are_told_and_its_steps_are_among_what_counts() -> None:
    """100,000 a day x 2 x 2 from month 7 on; a fall of 30% a year leaves 0.7^(35/12) = 35.3% in month 36; x 1.5 is not far."""
    steps, none = "workload.steps=[{from_month: 4, ratio: 2}, {from_month: 7, ratio: 2}]", "workload.growth_per_year=0"
    said = "! 400,000 requests a day in month 7, 4 x today's (workload.steps); volumes below are today's, and change as much"
    assert said in flat(apis(none, steps))
    assert "steps of the volume, besides growth: x 2 from month 4, x 2 from month 7" in included(apis(none, steps))
    fall = apis("workload.growth_per_year=-0.3")
    assert "! 35,300 requests a day in month 36, 0.353 x today's (growth_per_year); volumes below" in flat(fall)
    rise = apis("workload.growth_per_year=3", "accept=[growth]")  # 4^(35/12) = 57
    assert "57 x today's (growth_per_year); growth that ends sooner is workload.steps; volumes below are" in flat(rise)
    less = apis(none, "workload.steps=[{from_month: 2, ratio: 1.5}]")
    assert "x today's (" not in flat(less)
    assert any("x 1.5 from month 2" in told for told in included(less))


@pytest.mark.full
def test_a_closer_rival_than_the_second_best_is_named_with_its_chance() -> None:
    """The second best by mean is beaten in most draws; the option that is beaten in the fewest may be another."""
    c = apis("quality.scores={gpt-6-sol: 0.95, gpt-6-luna: 0.93}")
    other = next(o.id for o in c.options if o.id not in {"stay", c.verdict.leader})
    v = replace(c.verdict, second=other, chance_over_second=0.71, closest=c.verdict.leader, chance_over_closest=0.37)
    names = [option_of(c, id).label for id in (c.verdict.leader, other)]
    told = f"to beat {names[0]} 37%, to beat the second best by mean NPV ({names[1]}) 71%"
    assert told in flat(replace(c, verdict=v))
    near = flat(replace(c, verdict=replace(v, chance_over_closest=0.70)))
    assert f"to beat the second best ({names[1]}) 71%" in near


def test_scores_that_were_stated_apart_are_first_paired_for_nothing() -> None:
    """Both of 400 items, perhaps of the same: roi quality pairs them. Where they are paired nothing is left to do first."""
    pairs = "{both_right: 360, only_incumbent: 20, only_this: 12, both_wrong: 8}"
    scores = "quality.scores={{gpt-6-sol: {{value: 0.95, items: 400}}, gpt-6-luna: {{value: 0.93, items: 400{}}}}}"
    for more, told in (("", True), (f", paired: {pairs}", False)):
        c = apis(scores.format(more), "draws=0")
        e = Experiment(kind="evaluate", option=LUNA, paired=True, cost_usd=250.0, months=0.25, worth_usd=9e3, net_usd=8e3,
                       first_net_usd=0.0, evppi_usd=1e4, error_usd=1e2, items=300, delay_saves_usd=7e2)
        text = flat(replace(c, verdict=replace(c.verdict, then=e)))
        assert ("First, free: pair the results at hand, if they are of the same items (roi quality)." in text) == told
        assert "First, free" not in flat(replace(c, verdict=replace(c.verdict, then=replace(e, paired=False))))
        first = flat(replace(c, verdict=replace(c.verdict, measure_first=e)))
        assert "net of cost and delay (waiting alone brings $700 besides);" in first


OWN_CARDS = """
as_of: 2026-12-02
draws: 1024
title: Startup with eight A100 that are paid
workload:
  {requests_per_day: 600000, growth_per_year: {value: 0.2, low: 0, high: 0.5}, input_tokens: 1200, output_tokens: 120,
   ttft_p95_s: 1.5}
incumbent: {provider: openai, model: gpt-4.1-mini, bill_usd_per_month: 12500}
quality:
  bar: 0.85
  usd_per_error: 0.0172
  scores: {gpt-4.1-mini: {value: 0.9, items: 600}, gpt-6-luna: {value: 0.89, items: 600},
           qwen3-8b+lora: {value: 0.9, items: 600}}
training: {examples: 3000}
own_hardware: {cards: {A100-80GB-SXM: 8}, resale_usd_per_gpu: 0, usd_per_kwh: 0.12}
candidates: {api_models: [openai/gpt-6-luna], self_hosted: [qwen3-8b], own_hardware: true}
people: {existing_hours_per_month: 60}
"""


@pytest.mark.full
def test_a_held_back_move_that_is_best_in_most_draws_fits_the_screen_and_is_named_with_its_share() -> None:
    """An API to be timed first, an end with a suggestion, own cards that add too seldom: 44 lines, were all told twice."""
    c = compare(resolve(check_scenario(parse_yaml(OWN_CARDS, "a"))).case)
    best = max(c.options, key=lambda o: o.probability_best or 0.0)
    assert (c.verdict.leader, best.kind) == ("cheaper-api:openai/gpt-6-luna", "own-hardware")
    text = shown(c)
    assert len(text.split("\n")) <= 40
    named = f"Best in {share(best.probability_best)} of the draws, not shown: {best.label}."
    for told in (text, render(screen_blocks(c, (), 2))):
        assert named in " ".join(told.split())
    assert "draws, not shown" not in render(screen_blocks(c, (), len(c.options))), "all have a row"


IDLE_H100 = """
as_of: 2026-12-01
draws: 512
title: Content classification, 2M a day, own H100s
workload:
  {requests_per_day: {value: 2000000, low: 1700000, high: 2300000}, growth_per_year: {value: 0.15, low: 0, high: 0.3},
   input_tokens: 700,
   output_tokens: 5, shared_prefix_tokens: 450, cache_hit_rate: 0.95, can_wait_share: 0.4, peak_to_mean: 2.2, ttft_p95_s: 0.8}
incumbent: {provider: openai, model: gpt-5.4-nano, uses_cache: true, batch_share: 0, bill_usd_per_month: 9300}
quality:
  bar: 0.92
  usd_per_error: {value: 0.004, low: 0.002, high: 0.01}
  scores: {gpt-5.4-nano: {value: 0.95, items: 2000}, gpt-6-luna: {value: 0.955, items: 2000},
           qwen3-4b+lora: {value: 0.953, items: 2000}}
training: {examples: 8000, labels_from: people}
own_hardware: {cards: {H100-80GB-SXM: 8}, usd_per_kwh: 0.14}
candidates: {api_models: [openai/gpt-6-luna], self_hosted: [qwen3-4b], own_hardware: true}
"""


@pytest.mark.full
def test_hours_of_on_call_that_bring_own_cards_before_the_advice_stand_on_a_full_screen() -> None:
    """They are assumed, and decide; what the price of a card would have to be is left to --full where lines are few."""
    c = compare(resolve(check_scenario(parse_yaml(IDLE_H100, "a"))).case)
    text, own = shown(c), self_hosting_of(c)
    hours = next(s for s in c.signposts if (s.option, s.rival, s.quantity) == (own.id, c.verdict.leader, "run_hours_per_month"))
    assert " At central values it beats" in " ".join(text.split()), "told in few words"
    assert f"Or with its on-call below {hours.threshold:.1f} hours a month (here 35)." in " ".join(text.split())
    assert len(text.split("\n")) <= 40
