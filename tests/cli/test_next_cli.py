"""`roi next`: what to measure next on one screen, as `roi compare` says; bad input in one sentence."""

import json
from pathlib import Path

import pytest
from asked import ask

MODELS = """\
title: Triage
as_of: 2026-11-24
draws: 1024
workload: {{requests_per_day: 40000, input_tokens: 1800, output_tokens: 60}}
incumbent: {{provider: openai, model: gpt-5.4}}
quality:
  usd_per_error: {usd}
  scores: {{gpt-5.4: {{value: 0.95, items: 300}}, gpt-5.2: 0.95}}
candidates:
  api_models: [openai/gpt-5.2, openai/gpt-6-luna]
  self_hosted: [qwen3-8b]
"""
BAR = """\
as_of: 2026-11-24
draws: 1024
workload: {requests_per_day: 60000, input_tokens: 900, output_tokens: 8}
incumbent: {provider: openai, model: gpt-6-sol}
quality:
  bar: 0.93
  usd_per_error: 0.02
  scores: {gpt-6-sol: {value: 0.94, items: 300}, gpt-6-luna: {value: 0.93, items: 300}}
candidates: {api_models: [openai/gpt-6-luna, anthropic/claude-haiku-5-5]}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(MODELS.format(usd=0.05))
    return path


def test_the_answer_is_one_screen_that_begins_with_the_first_step(scenario: Path) -> None:
    result = ask("next", scenario)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Triage"
    assert lines[1].startswith(("DO NOW: ", "MEASURE FIRST: "))
    told = " ".join(result.stdout.split())
    assert "What could be measured" in told
    assert "How much of it: " in told
    assert "Fewer than 100 items in all are no test (verdict.min_items)" in told  # 25 are listed, and worth nothing
    assert "its cost alone, below 0, where nobody would wait for it" in told
    assert "Stop " in told


def test_items_of_todays_model_that_a_candidate_lacks_cost_no_label(scenario: Path) -> None:
    """Luna on 100 of gpt-5.4's 800 items: $100 for the answers to 700 more, beyond these $1 a label and $100 for gpt-5.4's."""
    luna = "{value: 0.93, items: 100, paired: {both_right: 90, only_incumbent: 5, only_this: 3, both_wrong: 2}}"
    more = ("--set", "quality.scores={gpt-5.4: {value: 0.95, items: 800}, gpt-6-luna: " + luna + "}", "--set", "draws=256",
            "--set", "quality.usd_per_error=0.2", "--set", "evaluation.usd_per_label=1",
            "--set", "candidates={api_models: [openai/gpt-6-luna]}")
    found = json.loads(ask("next", scenario, *more, "--format", "json").stdout)
    e = next(each for each in found["experiments"] if each["kind"] == "evaluate" and each["option"].endswith("luna"))
    cost = {items: worth - net for items, worth, net, _ in e["curve"]}
    assert {n: cost[n] for n in (25, 700, 800)} == pytest.approx({25: 100.0, 700: 100.0, 800: 300.0})
    assert e["labelled"] == min(e["items"], 700)
    told = f"on {e['items']:,} items ({'700 of these ' if e['items'] > 700 else ''}gpt-5.4's, labelled already)"
    assert told in " ".join(ask("next", scenario, *more).stdout.split())


def test_the_screen_tells_what_the_evaluation_warns_of(scenario: Path) -> None:
    """100 pairs of 800 items were told with --full alone, as was that staying is not allowed."""
    luna = "{value: 0.93, items: 100, paired: {both_right: 90, only_incumbent: 5, only_this: 3, both_wrong: 2}}"
    scores = "quality.scores={gpt-5.4: {value: 0.95, items: 800}, gpt-6-luna: " + luna + "}"
    words = [word for each in (scores, "draws=256", "incumbent.may_stay=false") for word in ("--set", each)]
    told = " ".join(ask("next", scenario, *words).stdout.split())
    assert "! gpt-6-luna: judged on 100 of gpt-5.4's 800 items" in told
    assert "! Staying is not allowed (incumbent.may_stay)" in told


def test_a_candidate_that_nobody_judged_is_judged_on_todays_items_without_labels(scenario: Path) -> None:
    """Luna on the 300 of gpt-5.4: $100 for the answers, and $1 for each label beyond these, as gpt-5.4's 25 more do."""
    more = ("--set", "quality.scores={gpt-5.4: {value: 0.95, items: 300}}", "--set", "draws=256",
            "--set", "quality.usd_per_error=0.2", "--set", "evaluation.usd_per_label=1")
    found = json.loads(ask("next", scenario, *more, "--format", "json").stdout)["experiments"]
    cost = {each["option"].rpartition(":")[2].rpartition("/")[2]: {items: worth - net for items, worth, net, _ in each["curve"]}
            for each in found if each["kind"] == "evaluate"}
    assert {n: cost["gpt-6-luna"][n] for n in (25, 300, 400)} == pytest.approx({25: 100.0, 300: 100.0, 400: 200.0})
    assert cost["stay"][25] == pytest.approx(125.0)


@pytest.mark.full
@pytest.mark.parametrize("usd", [0.0, 0.02, 0.05, 0.2, 2.0])
def test_it_agrees_with_compare(scenario: Path, usd: float) -> None:
    """The experiment of MEASURE FIRST or THEN, its size and its figures."""
    scenario.write_text(MODELS.format(usd=usd))
    found = json.loads(ask("next", scenario, "--format", "json").stdout)
    compared = json.loads(ask("compare", scenario, "--format", "json").stdout)
    assert found["schema"] == "roi.next/1"
    assert found["recommended"] == compared["recommended"]
    assert found["experiment"] == (compared["measure_first"] or compared["then"])
    assert found["experiments"] == compared["experiments"]
    assert found["step"] == ("MEASURE FIRST" if compared["measure_first"] else "DO NOW")
    if found["experiment"] is None:
        assert ("nothing is worth measuring" if usd else "No test can fail an option") in found["sentence"]
    elif found["experiment"]["items"] is not None:
        assert f"on {found['experiment']['items']:,} items" in found["sentence"]


def test_json_holds_the_curve_and_where_to_stop(scenario: Path) -> None:
    e = json.loads(ask("next", scenario, "--format", "json").stdout)["experiment"]
    items, worth, net, _ = zip(*e["curve"], strict=True)
    assert list(items) == sorted(items)
    assert e["items"] in items
    low, high = e["stop"]
    assert low <= e["items"] <= high
    assert e["evppi_usd"] >= max(worth)
    assert all(a >= b for a, b in zip(worth, net, strict=True))
    assert e["error_usd"] > 0


@pytest.mark.full
def test_full_lists_every_experiment_and_every_size(scenario: Path) -> None:
    found = json.loads(ask("next", scenario, "--format", "json").stdout)
    text = ask("next", scenario, "--full", "--format", "markdown").stdout
    listed = text.partition("## What could be measured")[2].partition("\n## ")[0]
    assert listed.count("\n|") == 2 + len(found["experiments"])
    assert len(found["experiment"]["curve"]) == sum(text.count(f"\n| {n:,} |") + text.count(f"\n| **{n:,}** |")
                                                   for n, *_ in found["experiment"]["curve"])


@pytest.mark.full
def test_a_guessed_cost_of_wrong_answers_is_said_not_to_count() -> None:
    """The bundled scenario's USD per wrong answer is its template's; once stated, it counts."""
    lines = ask("next").stdout
    assert len(lines.splitlines()) <= 40
    assert "Wrong answers are not counted: what one costs is a template's guess" in " ".join(lines.split())
    assert "Wrong answers are not counted" not in ask("next", "--set", "quality.usd_per_error=0.02").stdout


def test_an_alarm_is_to_be_corrected_first(scenario: Path) -> None:
    assert ask("next", scenario, "--set", "workload.growth_per_year=9").stdout.splitlines()[1].startswith("CORRECT FIRST: ")


@pytest.mark.parametrize(("args", "named"), [
    (("--draws", "0"), "draws: 0 do not say what a measurement is worth; at least 64"),
    (("--set", "quality.bar=2"), "quality.bar"),
    (("--quality", "missing.yaml"), "missing.yaml"),
])
def test_bad_input_is_one_sentence(scenario: Path, args: tuple[str, ...], named: str) -> None:
    result = ask("next", scenario, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.full
def test_a_saved_comparison_says_the_same(scenario: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    assert ask("compare", scenario, "--format", "json", "--output", saved).exit_code == 0
    first, again = (json.loads(ask("next", path, "--format", "json").stdout) for path in (scenario, saved))
    assert first["experiments"] == again["experiments"]


@pytest.mark.full
def test_the_test_that_settles_a_chance_is_told_beside_the_one_of_most_worth(tmp_path: Path) -> None:
    """gpt-6-luna has the highest mean of what is tested, and reaches the bar half the time; claude is worth most by means."""
    path = tmp_path / "bar.yaml"
    path.write_text(BAR)
    found = json.loads(ask("next", path, "--format", "json").stdout)
    assert (found["recommended"], found["experiment"]["option"]) == ("stay", "cheaper-api:anthropic/claude-haiku-5-5")
    settled = {each["option"]: each for each in found["settling"]}
    luna = settled["cheaper-api:openai/gpt-6-luna"]
    assert (luna["kind"], luna["about"], luna["chance_needed"]) == ("evaluate", luna["option"], 0.6)
    assert luna["chance"] < 0.6
    text = " ".join(ask("next", path).stdout.split())
    assert (f"gpt-6-luna beats staying in {luna['chance']:.1%} of the draws, 60% is asked: evaluate gpt-6-luna on"
            f" {luna['items']:,} items (${luna['cost_usd']:,.0f}, ") in text
    likely, usd = luna["likely_after"], luna["net_usd"]
    assert f"After {likely:.1%} of the results it would be recommended: ${usd:,.0f} on average" in text
    assert "that of the higher net value here changes more of what you would do" in text
    assert "claude-haiku-5-5 is not tested: evaluate" in " ".join(ask("next", path, "--full").stdout.split())


def test_what_the_vendor_suggests_after_a_model_that_ends_is_valued_though_nobody_named_it(tmp_path: Path) -> None:
    """As were it named: the same step and sentence as with --set, which the line writes out. Named, nothing is left to say."""
    path = tmp_path / "ends.yaml"
    path.write_text("""\
as_of: 2026-12-02
draws: 512
workload: {requests_per_day: 50000, input_tokens: 1100, output_tokens: 90}
incumbent: {provider: openai, model: gpt-4.1-mini}
quality: {bar: 0.9, usd_per_error: 0.004, scores: {gpt-4.1-mini: {value: 0.93, items: 500}}}
candidates: {api_models: [openai/gpt-5.4-nano]}
""")
    found = json.loads(ask("next", path, "--format", "json").stdout)
    named = found["successor"]
    assert named["set"] == "candidates.api_models=[openai/gpt-5.4-nano, openai/gpt-6-luna]"
    with_it = json.loads(ask("next", path, "--set", named["set"], "--format", "json").stdout)
    assert with_it["successor"] is None
    assert {each: with_it[each] for each in ("step", "sentence", "experiment")} == {
        each: named[each] for each in ("step", "sentence", "experiment")}
    assert named["experiment"]["option"] == "cheaper-api:openai/gpt-6-luna"
    told = " ".join(ask("next", path).stdout.split())
    assert f"is no candidate and in no figure below. Named, --set '{named['set']}': {named['sentence']}" in told
    assert "no test of what is named is worth its cost" in told or found["experiment"] is not None
