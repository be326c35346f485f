"""What `roi compare` tells: every figure with its arithmetic, nothing wider than the screen, nothing left out in silence."""

import json
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from bundled_scenario import compared as answer
from bundled_scenario import resolved
from quiet_scenario import case_of

from roi.answers.saved import read_saved, replay
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.lines.line_kind import LineKind
from roi.errors import CaseError, InputError
from roi.report.comparison.answer_json import comparison_json
from roi.report.comparison.findings import break_even
from roi.report.comparison.options_table import find_option
from roi.report.comparison.scope import excluded, included
from roi.report.comparison.screen import comparison_text
from roi.report.layout.blocks import Bullets
from roi.report.layout.wording import figure

TOP = {
    "schema", "roi_version", "scenario", "case", "digest", "digests", "recommended", "verdict", "decision", "sentence",
    "next_step", "gates", "options", "break_even", "break_even_requests_per_day", "drivers", "included", "excluded",
    "warnings", "alarms", "experiments", "signposts",
    "leader", "counts", "candidates", "likely", "first_move", "second", "chance_over_second", "closest",
    "chance_over_closest", "passed_over",
    "challenger", "measure_first", "then", "wins_at_error_rate", "wins_on_items", "flips_at_usd_per_error", "flips_to",
    "flips_between_usd_per_error", "flips_to_one_of",
    "winner_changes_at_error_rate", "error_rate_of", "challenger_wins_at_error_rate", "driver_option", "reconciled_option",
    "reconciled_npv_usd", "probability_best_by_kind",
}
OPTION = {
    "id", "kind", "label", "feasible", "reason", "upfront_usd", "monthly_usd", "tco_usd", "pv_cost_usd", "npv_usd",
    "npv_without_errors_usd", "npv_vs_best_untrained_usd", "roi", "irr", "payback_months", "payback_discounted_months",
    "payback_status", "usd_per_request", "usd_per_mtok", "npv_p10_p50_p90", "payback_p10_p50_p90", "probability_best",
    "probability_npv_positive", "months_to_live", "lines", "fleet", "training", "quality",
}
PROBABILISTIC = ("npv_p10_p50_p90", "payback_p10_p50_p90", "probability_best", "probability_npv_positive")
BILL = ("incumbent.bill_usd_per_month=20000", "people.existing_hours_per_month=20", "draws=128")


def as_json(c: Comparison) -> dict:
    text = comparison_json(c, scenario={"title": "x"}, warnings=("w",))

    def never(constant: str) -> float:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=never)


def save(tmp_path: Path, c: Comparison) -> Path:
    path = tmp_path / "saved.json"
    path.write_text(comparison_json(c, scenario=None, warnings=("w",)))
    return path


@pytest.mark.full
def test_json_holds_every_promised_key() -> None:
    body = as_json(answer("draws=256"))
    assert body.keys() >= TOP
    assert body["schema"] == "roi.comparison/3"
    for option in body["options"]:
        assert option.keys() >= OPTION, option["id"]
        assert len(option["monthly_usd"]) == (36 if option["feasible"] else 0)
        for line in option["lines"]:
            assert line.keys() >= {"name", "kind", "monthly_usd", "upfront_usd", "basis", "source", "arithmetic", "cash"}
        if option["fleet"]:
            assert option["fleet"].keys() >= {"gpu", "instances", "replicas", "gpus", "utilisation_mean", "utilisation_peak"}
    for fact in body["case"].values():
        assert list(fact) == ["value", "low", "high", "unit", "basis", "source", "date"]
    for crossing in body["break_even"]:
        assert crossing.keys() >= {"option", "baseline", "basis", "counts", "first", "stays", "reason"}


def test_the_page_on_the_json_names_every_key_of_the_file_and_of_an_option_and_every_kind_of_line() -> None:
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text(encoding="utf-8")
    body = as_json(answer("draws=256"))
    keys = {*body, *(key for option in body["options"] for key in option), *LineKind,
            *body["experiments"][0], *body["signposts"][0]}
    assert {key for key in keys if f"`{key}`" not in page} == set()


@pytest.mark.full
def test_json_of_a_withheld_verdict_recommends_nothing_and_names_the_alarm() -> None:
    body = as_json(answer("draws=256", "workload.growth_per_year=9"))
    assert body["recommended"] is None
    assert body["decision"] == "withheld"
    assert [(a["name"], a["accepted"]) for a in body["alarms"]] == [("growth", False)]
    assert body["leader"] in {o["id"] for o in body["options"]}


@pytest.mark.full
def test_json_says_in_words_what_to_measure_next() -> None:
    c = answer("draws=256", "quality.usd_per_error=0.2")
    assert c.verdict.then is not None
    assert "aluate " in as_json(c)["next_step"]
    assert as_json(answer("draws=0"))["next_step"] == ""


def test_json_lists_options_in_the_order_of_the_case() -> None:
    c = answer("draws=256")
    assert [o["id"] for o in as_json(c)["options"]] == list(c.case.options)


def test_json_says_what_is_infeasible_and_why() -> None:
    barred = [o for o in as_json(answer("draws=256"))["options"] if not o["feasible"]]
    assert barred
    for option in barred:
        assert option["reason"]
        assert option["npv_usd"] is None
        assert option["lines"] == option["monthly_usd"] == []


def test_json_verdict_is_a_sentence_that_begins_with_the_decision() -> None:
    c = answer("draws=256")
    assert as_json(c)["verdict"].startswith(c.verdict.decision)
    unsure = replace(c, verdict=replace(c.verdict, decision="stay, not sure", sentence="Stay, not sure: too close."))
    assert as_json(unsure)["verdict"] == "stay, not sure: too close."


def test_json_lines_add_up_to_the_totals() -> None:
    for option in as_json(answer("draws=256"))["options"]:
        if option["feasible"]:
            months_of_lines = zip(*(line["monthly_usd"] for line in option["lines"]), strict=True)
            for total, parts in zip(option["monthly_usd"], months_of_lines, strict=True):
                assert sum(parts) == pytest.approx(total, abs=1e-6)
            assert sum(line["upfront_usd"] for line in option["lines"]) == pytest.approx(option["upfront_usd"], abs=1e-6)
            assert option["upfront_usd"] + sum(option["monthly_usd"]) == pytest.approx(option["tco_usd"], abs=1e-6)


def test_json_never_pays_back_is_null() -> None:
    c = answer("draws=256")
    o = replace(c.options[1], payback_months=math.inf, payback_p10_p50_p90=(1.0, math.inf, math.inf))
    shown = next(x for x in as_json(replace(c, options=(c.options[0], o, *c.options[2:])))["options"] if x["id"] == o.id)
    assert shown["payback_months"] is None
    assert shown["payback_p10_p50_p90"] == [1.0, None, None]


def test_json_refuses_a_nan() -> None:
    c = answer("draws=256")
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json(replace(c, options=(replace(c.options[0], npv_usd=math.nan), *c.options[1:])))


@pytest.mark.full
def test_json_without_draws_has_no_chances() -> None:
    body = as_json(answer("draws=0"))
    assert body["drivers"] == []
    for option in body["options"]:
        assert all(option[name] is None for name in PROBABILISTIC)


@pytest.mark.full
def test_a_saved_comparison_gives_the_same_figures_again(tmp_path: Path) -> None:
    c = answer(*BILL)
    saved = read_saved(save(tmp_path, c))
    assert saved is not None
    assert saved.case == c.case
    assert saved.warnings == ("w",)
    assert as_json(replay(saved)) == as_json(c)


@pytest.mark.full
def test_a_replay_takes_other_draws_and_another_seed(tmp_path: Path) -> None:
    saved = read_saved(save(tmp_path, answer("draws=256")))
    assert saved is not None
    assert replay(saved, draws=0).drivers == ()
    assert replay(saved, seed=2).options[1].expected_npv_usd != answer("draws=256").options[1].expected_npv_usd


DAMAGE = {
    "other schema": (lambda b: b.update(schema="roi.comparison/4"), "schema"),
    "no schema": (lambda b: b.pop("schema"), "schema"),
    "no case": (lambda b: b.pop("case"), "case"),
    "a case that is a list": (lambda b: b.update(case=[1]), "case"),
    "NaN": (lambda b: b["case"]["workload.requests_per_day"].update(value=math.nan), "case.workload.requests_per_day"),
    "infinity": (lambda b: b["case"]["people.usd_per_hour"].update(high=math.inf), "case.people.usd_per_hour"),
    "low above value": (lambda b: b["case"]["people.usd_per_hour"].update(low=1e6), "case.people.usd_per_hour"),
    "a text for a number": (lambda b: b["case"]["evaluation.labels"].update(value="x"), "evaluation.labels"),
    "a list for a number": (lambda b: b["case"]["quality.bar"].update(value=[1.0]), "quality.bar"),
    "null for a number": (lambda b: b["case"]["migration.hours"].update(value=None, low=None, high=None), "migration.hours"),
    "unknown basis": (lambda b: b["case"]["quality.bar"].update(basis="guess"), "case.quality.bar.basis"),
    "unknown key": (lambda b: b["case"]["quality.bar"].update(colour=1), "case.quality.bar.colour"),
    "a fact that is a number": (lambda b: b["case"].update({"quality.bar": 3}), "case.quality.bar"),
    "a path taken out": (lambda b: b["case"].pop("people.usd_per_hour"), "people.usd_per_hour"),
    "staying taken out": (lambda b: b["case"].pop("options.stay.kind"), "case"),
    "endless horizon": (lambda b: b["case"]["horizon_months"].update(value=10**9), "case.horizon_months"),
    "zero horizon": (lambda b: b["case"]["horizon_months"].update(value=0), "case.horizon_months"),
    "half a month": (lambda b: b["case"]["horizon_months"].update(value=3.5), "case.horizon_months"),
    "endless draws": (lambda b: b["case"]["draws"].update(value=10**12), "case.draws"),
    "a huge number": (lambda b: b["case"]["evaluation.labels"].update(value=1e300), "case.evaluation.labels"),
    "ragged lengths": (lambda b: b["case"]["workload.weights"].update(value=[1.0]), "case"),
    "no title": (lambda b: b["case"].pop("title"), "title"),
}


@cache
def whole() -> str:
    """The text of a comparison without draws, as it is saved."""
    return comparison_json(answer("draws=0"), scenario=None, warnings=("w",))


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_answered_with_one_sentence_that_names_the_place(tmp_path: Path, kind: str) -> None:
    path, body = tmp_path / "saved.json", json.loads(whole())
    damage, place = DAMAGE[kind]
    damage(body)
    path.write_text(json.dumps(body))
    with pytest.raises(CaseError, match=re.escape(place)) as caught:
        _read_and_replay(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [
    '{"schema": "roi.comparison/3", "case": {', '{"schema": "roi.comparison/3", "schema": "x"}', '{"case": 1e999}',
    '{"a":' * 100_000,
])
def test_a_file_that_is_cut_off_or_says_a_thing_twice_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cut.json"
    path.write_text(text)
    with pytest.raises(CaseError, match=r"cut\.json"):
        _read_and_replay(path)


@pytest.mark.parametrize("text", ["", "title: x\n", "{title: x}", '{"title": "a scenario in JSON"}', "[1]"])
def test_what_is_no_saved_comparison_is_left_to_the_scenarios_reader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(text)
    assert read_saved(path) is None


def _read_and_replay(path: Path) -> None:
    saved = read_saved(path)
    assert saved is not None
    replay(saved)


@pytest.mark.full
@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    many, few = "workload.requests_per_day=1000000000", "workload.requests_per_day=1"
    for overrides in (BILL, ("draws=0",), (many, "quality.usd_per_error=1000000000", "draws=16"), (few, "draws=16")):
        c = answer(*overrides)
        texts = [comparison_text(c, resolved(*overrides).warnings, full=True, width=width)]
        for text in texts + [comparison_text(c, (), id, width=width) for id in c.case.options]:
            assert [line for line in text.split("\n") if len(line) > width] == []


def test_the_full_report_tells_its_parts_in_order() -> None:
    text = comparison_text(answer(*BILL), ("mind this",), full=True)
    heads = ["Verdict", "DO NOW", "THEN", "NOT YET", "Gates", "Options", "Not possible", "Cost of", "What",
             "One month of delay", "Gap to the real bill", "Break-even", "What could be measured", "What moves", "Error rate",
             "Warnings", "mind this", "Included", "Excluded", "--explain"]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)


def test_the_full_report_holds_every_option_staying_first_and_then_the_highest_expected_npv() -> None:
    c = answer(*BILL)
    text = comparison_text(c, (), full=True)
    lines = text[text.index("\nOptions\n"):].split("\n")
    rows = [line for line in lines if line[:2] in {"  ", "> "} and not line.startswith("  - ")]
    order = ["stay", *(o.label for o in sorted(c.options, key=lambda o: -o.expected_npv_usd) if o.id != "stay")]
    places = [next(k for k, row in enumerate(rows) if row[2:].startswith(name)) for name in order]
    assert places == sorted(places)


@pytest.mark.full
def test_break_evens_are_told_against_staying_the_cheapest_untrained_and_the_recommended() -> None:
    """What holds against both rivals is told once, with both of them."""
    text = comparison_text(answer("draws=256"), (), full=True)
    notes = re.findall(r"- than (.+?): (.+)$", comparison_text(answer("draws=256"), (), full=True, width=400), re.MULTILINE)
    assert "cheapest untrained and recommended" in dict(notes)
    assert len({note for _, note in notes}) == len(notes)
    part = text[text.index("Break-even"):text.index("What could be measured")]
    for head in ("staying", "cheapest", "recom-"):
        assert head in part.split("costs less than")[0]
    for price, counts in ((), "on cash alone"), (("quality.usd_per_error=0.02",), "wrong answers counted"):
        told = " ".join(comparison_text(answer("draws=256", *price), (), full=True).split())
        assert f"what it costs, {counts}, at the central values" in told


def test_without_draws_nothing_goes_by_means_and_chances() -> None:
    assert "set-up included; running cost" in " ".join(comparison_text(answer("draws=0"), (), full=True).split())
    assert "UNLESS goes by means and chances" in " ".join(comparison_text(answer("draws=256"), (), full=True).split())


@pytest.mark.full
def test_what_could_be_measured_shows_cost_worth_and_net() -> None:
    c = answer("draws=256", "quality.usd_per_error=0.2")
    part = " ".join(comparison_text(c, (), full=True).split("What could be measured")[1].split())
    best = c.experiments[0]
    assert f"${best.cost_usd:,.0f} {figure(best.months)} ${best.worth_usd:,.0f} ${best.net_usd:,.0f}" in part


@pytest.mark.parametrize("overrides", [BILL, ("draws=0",)])
def test_every_cost_line_shows_its_arithmetic_and_what_it_gives(overrides: tuple[str, ...]) -> None:
    c = answer(*overrides)
    for o in c.options:
        text = " ".join(comparison_text(c, (), o.id).replace("│", " ").split())
        for line in o.lines:
            if line.upfront_usd or any(line.monthly_usd):
                assert f"{line.arithmetic} = " in text, (o.id, line.name)


@pytest.mark.parametrize(("horizon", "later"), [
    (36, "; month 18: 1 x (40 h x $104.534/h + $250 evaluation) = $4,431"), (12, " "),
])
def test_a_migration_that_falls_at_once_has_its_arithmetic_beside_that_of_a_later_one(horizon: int, later: str) -> None:
    """What ends today is migrated in month 0, once: 0 x (...) = $0 of a month in which none falls was all that was said."""
    c = answer("incumbent.ends_in_months=0", f"horizon_months={horizon}", "draws=0")
    line = next(line for line in c.options[0].lines if line.name.endswith("ends: migration"))
    text = " ".join(comparison_text(c, (), "stay").replace("│", " ").split())
    assert f"month 0: 1 x (40 h x $100/h + $250 evaluation) = $4,250{later}" in text
    assert line.upfront_usd + sum(line.monthly_usd) == pytest.approx(
        4250.0 + (250.0 + 4000.0 * 1.03**1.5 if horizon == 36 else 0.0))


def test_a_reason_of_several_options_is_written_out_once() -> None:
    c = answer("serving.engine=tensorrt-llm", "candidates.gpus=[MI300X]", "draws=0")
    why = "tensorrt-llm runs on NVIDIA GPUs alone"
    barred = [o.label for o in c.infeasible if o.reason.startswith(why)]
    told = " ".join(comparison_text(c, (), full=True).partition("Not possible")[2].split())
    assert len(barred) > 1
    assert told.count(why) == 1
    assert told.count(f"as {barred[0]}") == len(barred) - 1


def test_an_infeasible_option_is_explained_by_its_reason() -> None:
    c = answer("draws=256")
    barred = c.infeasible[0]
    text = " ".join(comparison_text(c, (), barred.id).split())
    assert f"not possible {barred.reason}" in text


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    c = answer("draws=0")
    facts = {**c.case.facts, "title": c.case["title"].model_copy(update={"value": "a\x1b[2Jb"})}
    text = comparison_text(replace(c, case=c.case.model_copy(update={"facts": facts})), ("w\x1b[2J\x07",), full=True)
    assert "\x1b" not in text
    assert "\x07" not in text


def test_markdown_holds_the_same_sections_as_the_terminal() -> None:
    c = answer(*BILL)
    heads = re.findall(r"^## (.*)$", comparison_text(c, ("w",), form="markdown", full=True), re.MULTILINE)
    text = comparison_text(c, ("w",), full=True, width=120)
    assert len(heads) > 10
    for head in heads:
        assert head.replace("\\", "") in text


def test_markdown_tables_have_as_many_cells_in_each_row_as_heads() -> None:
    for block in comparison_text(answer(*BILL), (), form="markdown", full=True).split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.split("\n")}) == 1, block


@pytest.mark.full
def test_what_is_counted_follows_from_the_lines() -> None:
    c = answer("draws=256")
    assert any("GPU rent" in words for words in included(c))
    only = replace(c, options=c.options[:1])
    assert not any("GPU rent" in words and "hour" in words for words in included(only))
    assert any("VAT" in words for words in excluded(c))
    assert not any("no draws" in words for words in excluded(c))
    assert any("no draws" in words for words in excluded(answer("draws=0")))
    assert any("wrong answers" in words for words in excluded(answer("quality.usd_per_error=0", "draws=0")))


def test_kinds_without_a_candidate_are_named() -> None:
    c = answer("candidates.own_hardware=false", "draws=0")
    assert any("own hardware" in words for words in excluded(c) if words.startswith("options without"))


@pytest.mark.parametrize(("today", "used"), [
    ({}, ""), ({"flexible_tier": {"price_ratio": 0.5, "share": 0.5}}, " (in use today)"),
])
def test_a_flexible_tier_that_todays_calls_are_in_is_told_to_be_in_use(today: dict, used: str) -> None:
    c = compare(case_of(incumbent={"provider": "openai", "model": "gpt-5.4", **today}, draws=0))
    told = next(words for words in excluded(c) if words.startswith("options without"))
    assert f"flexible tier{used}, " in f"{told}, "


@pytest.mark.parametrize(("bases", "by"), [(("pv", "run_rate"), ""), (("pv",), " over the horizon"),
                                           (("run_rate",), " by running cost")])
def test_a_break_even_says_that_todays_volume_is_in_a_gap(monkeypatch: pytest.MonkeyPatch, bases: tuple, by: str) -> None:
    c = answer("draws=0")
    luna = "cheaper-api:openai/gpt-6-luna"
    monkeypatch.setattr(type(c.thresholds), "is_gap",
                        lambda _, b: (b.option, b.baseline) == (luna, "stay") and b.basis in bases)
    told = next(block for block in break_even(c) if isinstance(block, Bullets)).items
    assert f"than staying: not at today's 100,000{by}, though at some fewer and some more (gpt-6-luna)" in told
    assert "best option of each kind by central NPV" in comparison_text(c, (), full=True).replace("\n", " ")


def test_an_option_is_found_by_id_kind_or_the_start_of_one_name() -> None:
    c = answer("draws=256")
    assert find_option(c, "stay") == "stay"
    assert find_option(c, "cascade") == "cascade:openai/gpt-6-luna"
    assert find_option(c, "casc") == "cascade:openai/gpt-6-luna"
    assert find_option(c, "gpt-6-luna") == "cheaper-api:openai/gpt-6-luna"
    assert find_option(c, "haiku") == "cheaper-api:anthropic/claude-haiku-5-5"
    with pytest.raises(InputError, match="could be cheaper-api"):
        find_option(c, "cheaper-api:")
    with pytest.raises(InputError, match="nearest: cascade"):
        find_option(c, "casade")
    with pytest.raises(InputError, match="kinds: stay"):
        find_option(c, "\U0001f4a5")


TWINS = {"own/twin": {"input_usd_per_mtok": 2, "output_usd_per_mtok": 10},
         "own/twin2": {"input_usd_per_mtok": 2, "output_usd_per_mtok": 10}}


def test_a_whole_name_wins_over_one_that_only_begins_so_and_what_runs_alike_is_told_once() -> None:
    """gpt-6-sol is 2 and 10 USD a million tokens: what is in its place runs at its price; its set-up is never earned back."""
    twins = compare(case_of(
        incumbent={"provider": "openai", "model": "gpt-6-sol"}, apis=TWINS, draws=0,
        candidates={"api_models": [*TWINS, "openrouter/openai/gpt-6-sol"], "cascade_first": [], "self_hosted": []}))
    assert [find_option(twins, name) for name in ("own/twin", "twin", "own/twin2", "twin2")] == [
        f"cheaper-api:own/{model}" for model in ("twin", "twin", "twin2", "twin2")]
    with pytest.raises(InputError, match="'own/t' could be cheaper-api:own/twin, cheaper-api:own/twin2"):
        find_option(twins, "own/t")
    same = "cheaper-api:openrouter/openai/gpt-6-sol"
    said = [words for block in break_even(twins, same) if isinstance(block, Bullets) for words in block.items]
    assert said == ["than staying and cheapest untrained: costs the same to run at every volume (gpt-6-sol @ openrouter)"]


def test_of_options_within_a_cent_the_recommended_one_is_the_best_of_its_kind() -> None:
    """Luna and haiku cost the same; of central values on cash they differ by the noise of a sum, and haiku is not tested."""
    c = answer("draws=0")
    found = find_option(c, "cheaper-api")
    luna, haiku = (o for o in c.options if o.kind == "cheaper-api")
    assert luna.expected_cash_npv_usd == pytest.approx(haiku.expected_cash_npv_usd, abs=0.001)
    assert (found, luna.tested, haiku.tested) == (c.verdict.recommended, True, False)
    untold = replace(c, verdict=replace(c.verdict, recommended=None))
    assert find_option(untold, "cheaper-api") == luna.id


def test_a_payback_beside_a_negative_npv_is_explained() -> None:
    c = answer("draws=256")
    o = replace(c.options[2], npv_usd=5.0, expected_npv_usd=-5.0)
    text = " ".join(comparison_text(replace(c, options=(*c.options[:2], o, *c.options[3:])), (), full=True).split())
    assert f"{o.label} pays back at the central values, but on average" in text


def test_a_judge_that_nobody_priced_is_named_among_what_is_left_out() -> None:
    words = "the judge that decides what a cascade escalates"
    scores = {"gpt-5.4": 0.95}
    cases = (case_of(quality={"judge_usd_per_request": usd, "scores": scores}) for usd in (0.0, 0.001))
    free, priced = (excluded(compare(case)) for case in cases)
    assert any(line.startswith(words) for line in free)
    assert not any(line.startswith(words) for line in priced)
