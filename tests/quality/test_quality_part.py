"""The part that `roi quality --output` writes, laid over a scenario by `roi compare --quality`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked import ask
from quality_support import pair_rows, quality, write_rows
from quiet_scenario import CHEAPER, quiet
from scipy import stats

from roi.catalog.models.same_weights import one_model
from roi.scenario.file import load_scenario, read_part
from roi.scenario.overlaid_scores import overlay_quality
from roi.scenario.yaml import dump_yaml, read_yaml

SCENARIO = """\
title: Triage
as_of: 2026-11-24
draws: 256
workload: {requests_per_day: 40000, input_tokens: 1800, output_tokens: 60}
incumbent: {provider: openai, model: gpt-4.1}
quality:
  usd_per_error: 0.02
  bar: 0.8
  scores: {gpt-4.1: 0.95, gpt-6-luna: 0.5, gpt-6-sol: 0.7}
candidates:
  api_models: [openai/gpt-6-luna, openai/gpt-6-sol]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """264 both, 9 today alone, 15 gpt-6-luna alone, 12 none: 0.91 and 0.93 on 300 items."""
    rows = write_rows(tmp_path / "r.jsonl", pair_rows(264, 9, 15, 12))
    path = tmp_path / "quality.yaml"
    found = quality(rows, "--incumbent", "gpt-4.1", "--bar", "0.9", "--output", path, "--system", "today=gpt-4.1",
                    "--system", "other=gpt-6-luna")
    assert found.code == 0, found.error
    return path


def test_the_part_holds_scores_and_what_pairs_them(part: Path) -> None:
    data = read_yaml(part)
    assert data["schema"] == "roi.quality-part/1"
    assert data["quality"]["bar"] == 0.9
    luna = data["quality"]["scores"]["gpt-6-luna"]
    assert (luna["value"], luna["items"], luna["source"]) == (0.93, 300, "roi quality, score")
    assert "low" not in luna  # 300 items, counted: a Beta, which an interval would replace by a triangle
    assert data["record"]["agreement"] == {"gpt-6-luna": {"n11": 264.0, "n10": 9.0, "n01": 15.0, "n00": 12.0}}
    assert (data["record"]["incumbent"], data["record"]["right"], data["record"]["wrong"]) == ("gpt-4.1", 273.0, 27.0)
    assert data["record"]["fixed"]["bar"]["value"] == 0.9


def test_another_score_in_compare_than_on_the_screen_of_quality_has_its_reason_beside_both(part: Path, scenario: Path) -> None:
    """273 of 300 right are 91% seen, and (273 + 1/2) / 301 = 90.9%, 9.1% wrong, as what the truth may be. 9 of 90 are 10%; 9.5
    of 91 are 10.4%."""
    rows = write_rows(part.parent / "r.jsonl", pair_rows(264, 9, 15, 12))
    found = " ".join(ask("quality", rows, "--incumbent", "today").stdout.split())
    assert ("Score: of the items seen. roi compare adds half an item each way, as the mean of what the truth may be: today 91%"
            " here, 90.9% there.") in found
    told = ask("compare", scenario, "--quality", part, "--draws", "0").stdout
    clause = "wrong: of the items counted, half an item added each way (roi quality adds none)."
    assert clause in " ".join(told.split())
    (stay,) = (line.split() for line in told.splitlines() if line.startswith(("  stay ", "> stay ")))
    assert "9.1" in stay
    assert clause not in " ".join(ask("compare", scenario, "--draws", "0").stdout.split())


def test_a_name_of_the_files_that_the_scenario_has_not_is_answered_with_the_option_that_changes_it(tmp_path: Path) -> None:
    """People call a model GPT-6 Luna; the scenario's own scores are answered without that option."""
    rows = [{"id": k, "system": name, "score": int(k % 9 > 0)} for k in range(100) for name in ("gpt-6-sol", "GPT-6 Luna")]
    part, scenario = tmp_path / "quality.yaml", tmp_path / "mine.yaml"
    own = {"as_of": "2026-11-24", "draws": 0, "workload": {"requests_per_day": 400, "input_tokens": 800, "output_tokens": 50},
           "incumbent": {"provider": "openai", "model": "gpt-6-sol"}, "candidates": {"api_models": ["openai/gpt-6-luna"]}}
    scenario.write_text(json.dumps(own), encoding="utf-8")
    assert quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", "gpt-6-sol", "--output", part).code == 0
    found = ask("compare", scenario, "--quality", part)
    assert found.exit_code == 2
    assert "'GPT-6 Luna'; nearest: gpt-6-luna" in found.stderr
    assert found.stderr.endswith("; roi quality --system 'GPT-6 Luna'=NAME calls it as the scenario does (a name unlike any of"
                                 " its leaves it out)\n")
    scenario.write_text(json.dumps({**own, "quality": {"scores": {"GPT-6 Luna": 0.9}}}), encoding="utf-8")
    assert "--system" not in ask("compare", scenario).stderr


def test_graded_items_are_worth_more_than_right_and_wrong_ones(tmp_path: Path) -> None:
    """Marks of 0.4 and 0.9 in turn: a variance of 0.25^2 beside 0.65 x 0.35 = 3.64 times; the number does not say how sure."""
    rows = [{"id": k, "system": name, "score": 0.4 + 0.5 * (k % 2)} for k in range(100) for name in ("today", "other")]
    path = tmp_path / "quality.yaml"
    assert quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", "today", "--output", path).code == 0
    scores = read_yaml(path)["quality"]["scores"]
    assert (scores["today"]["value"], scores["today"]["items"]) == (0.65, 100)
    assert 340 < scores["today"]["effective_items"] < 365
    assert scores["other"]["paired"]["correlation"] == pytest.approx(1 - 1 / (2 * 100 * 0.0674), abs=3e-3)  # equal marks


@pytest.mark.parametrize("kind", ["right or wrong", "five grades", "clusters", "half of the items"])
def test_compare_reaches_the_bar_as_often_as_quality_says(kind: str, tmp_path: Path, scenario: Path) -> None:
    """One joint posterior: graded pairs reached it in 89% there and in more than 99% here. Error of 4,096 draws: 1 point."""
    rng, n, bar = np.random.default_rng(2), 240, 0.85
    common = rng.normal(size=n)
    grades = [common * 0.9 + rng.normal(size=n) * 0.4 for _ in range(2)]
    marks = [np.clip(np.round(4 * (0.9 + 0.2 * x)) / 4, 0, 1) if kind == "five grades" else (x > -1.15) * 1.0 for x in grades]
    rows = [{"id": k, "system": name, "score": float(x)} | ({"cluster": k // 4} if kind == "clusters" else {})
            for name, each in zip(("gpt-4.1", "gpt-6-luna"), marks, strict=True) for k, x in enumerate(each)
            if kind != "half of the items" or name == "gpt-4.1" or k % 2]
    path = tmp_path / "quality.yaml"
    told = quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", "gpt-4.1", "--bar", str(bar), "--output", path)
    here = next(x for x in told.data["scores"] if x["system"] == "gpt-6-luna")["probability_reaches_bar"]
    c = json.loads(ask("compare", scenario, "--quality", path, "--draws", "4096", "--format", "json").stdout)
    there = next(o for o in c["options"] if o["id"] == CHEAPER)["probability_good_enough"]
    assert 0.03 < here < 0.97
    assert there == pytest.approx(here, abs=0.012)


def test_it_is_laid_over_by_system_and_set_comes_last(scenario: Path, part: Path) -> None:
    read = load_scenario(scenario, ("quality.bar=0.85",), quality=part).quality
    assert read.bar == 0.85
    assert read.usd_per_error == 0.02
    assert read.scores["gpt-6-sol"] == 0.7
    assert read.scores["gpt-6-luna"].value == 0.93  # type: ignore[union-attr]
    assert read.scores["gpt-6-luna"].items == 300  # type: ignore[union-attr]
    assert load_scenario(scenario, quality=part).quality.bar == 0.9


def test_compare_takes_the_scores_and_says_so(scenario: Path, part: Path) -> None:
    """At a bar of 0.9 the scenario's 0.5 rules gpt-6-luna out; 0.93 on 300 items does not."""
    before = json.loads(ask("compare", scenario, "--format", "json").stdout)
    result = ask("compare", scenario, "--quality", part, "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert f"scores as {part} states them, the bar 90%" in result.stderr
    for bar, told in (("0.925", "the bar 92.5%"), ("0", "no bar (quality.bar)")):
        asked = ask("compare", scenario, "--quality", part, "--set", f"quality.bar={bar}", "--draws", "0")
        assert f"states them, {told}" in asked.stderr
    after = json.loads(result.stdout)
    chosen = [next(each for each in data["options"] if "gpt-6-luna" in each["id"]) for data in (before, after)]
    assert [each["feasible"] for each in chosen] == [False, True]


def chances_of(tmp_path: Path, counts: tuple[int, int, int, int] | None) -> dict[str, Any]:
    """What the two-option scenario says of gpt-6-luna; with an evaluation of gpt-5.4 and luna on the same items laid over."""
    scenario, part = tmp_path / "two.yaml", tmp_path / "part.yaml"
    scenario.write_text(dump_yaml(quiet({
        "draws": 4096, "candidates": {"cascade_first": [], "self_hosted": []},
        "evaluation": {"usd": 0.0, "labels": 0.0, "usd_per_label": 0.0}, "verdict": {"min_items": 1},
        "quality": {"scores": {"gpt-5.4": 0.93, "gpt-6-luna": 0.91}, "usd_per_error": 0.09625, "bar": 0.5}})))
    laid: list[str | Path] = []
    if counts is not None:
        rows = write_rows(tmp_path / "r.jsonl", pair_rows(*counts))
        named = ("--system", "today=gpt-5.4", "--system", "other=gpt-6-luna")
        assert quality(rows, "--incumbent", "gpt-5.4", "--output", part, *named).code == 0
        laid = ["--quality", part]
    done = ask("compare", scenario, *laid, "--format", "json")
    assert done.exit_code == 0, done.stderr
    return next(o for o in json.loads(done.stdout)["options"] if o["id"] == CHEAPER)


def test_quality_moves_the_chance_to_be_best_as_the_items_say(tmp_path: Path) -> None:
    """Luna saves $10,512 - $394.20 = $10,117.80 a month; of 2,628,000 requests each point more that is wrong costs 26,280 x
    $0.09625 = $2,529.45: luna is best where it is wrong on fewer than 10,117.80 / 2,529.45 = 4.00 points more.

    Typed scores of 93% and 91% are exact: always. Of 300 items 264 are right on both, 15 on gpt-5.4 alone, 9 on luna alone, 12
    on none. Each rate with half an item each way: gpt-5.4 is right on 279.5/301, luna on 273.5/301, 1.99 points less, give or
    take sqrt((25/301 - 0.0199^2) / 302) = 1.65: (4.00 - 1.99) / 1.65 = 1.22, 88.8%. The two scores apart would give 81.7%.
    """
    assert chances_of(tmp_path, None)["probability_best"] == 1.0
    luna = chances_of(tmp_path, (264, 15, 9, 12))
    assert luna["probability_best"] == pytest.approx(0.888, abs=0.012)
    assert luna["probability_good_enough"] == 1.0


def test_with_sets_of_one_item_the_prior_rules(tmp_path: Path) -> None:
    """Both right on the one item: each Beta(1.5, 0.5), of variance 0.75 x 0.25 / 3 = 1/16. Half an item on each cell in which
    they differ, of 2, leaves a difference of variance (1/4 + 1/4) / 3 = 1/6: correlation (1/8 - 1/6) / (1/8) = -1/3.

    Luna is best where its score is not 4.00 points lower and reaches the bar of 0.5: both by 200,000 draws of scipy's Beta.
    """
    normal = np.random.default_rng(1).multivariate_normal([0, 0], [[1, -1 / 3], [-1 / 3, 1]], 200_000)
    today, other = stats.beta(1.5, 0.5).ppf(stats.norm.cdf(normal)).T
    luna = chances_of(tmp_path, (1, 0, 0, 0))
    assert luna["probability_good_enough"] == pytest.approx((other >= 0.5).mean(), abs=0.01)
    assert luna["probability_best"] == pytest.approx(((other >= 0.5) & (other - today > -0.04)).mean(), abs=0.01)
    assert 0.3 < luna["probability_best"] < 0.6


def test_pairs_with_another_incumbent_are_set_aside_and_the_user_is_told(scenario: Path, part: Path) -> None:
    """The part pairs gpt-6-luna with gpt-4.1. Where gpt-6-sol is paid, luna's 21 wrong of 300 count by themselves."""
    other = ("--set", "incumbent.model=gpt-6-sol")
    asked = ask("compare", scenario, "--quality", part, *other, "--format", "json")
    assert "pairs systems with gpt-4.1, and what is paid here is gpt-6-sol: each score is drawn by itself" in asked.stderr
    assert "roi quality --incumbent gpt-6-sol" in asked.stderr
    facts = json.loads(asked.stdout)["case"]
    assert "systems.gpt-6-luna.error_rate.follows" not in facts
    assert facts["systems.gpt-6-luna.error_rate"]["value"] == pytest.approx(21.5 / 301)
    same = ask("compare", scenario, "--quality", part, "--format", "json")
    assert "pairs systems" not in same.stderr
    assert json.loads(same.stdout)["case"]["systems.gpt-6-luna.error_rate.follows"]["value"] == "systems.gpt-4.1.error_rate"


@pytest.mark.parametrize(("today", "other"), [
    ("openai/gpt-4.1", "openai/gpt-6-luna"), ("azure/gpt-4.1", "azure/gpt-6-luna"),
    ("gpt-4.1-2025-04-14", "gpt-6-luna-2026-09-22")])
def test_names_of_one_model_are_one_for_its_pairs(today: str, other: str, scenario: Path, tmp_path: Path) -> None:
    """Vendors' names before the models that the scenario pays and asks for, or the days of their releases after them: the pairs
    are drawn as with the plain ones. What is judged under another name is tested; "same model" is today's alone.
    """
    scenario.write_text(SCENARIO.replace("  scores: {gpt-4.1: 0.95, gpt-6-luna: 0.5, gpt-6-sol: 0.7}\n", ""))
    path = tmp_path / "quality.yaml"
    rows = [{**row, "system": {"today": today, "other": other}[row["system"]]} for row in pair_rows(264, 9, 15, 12)]
    assert quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", today, "--output", path).code == 0
    asked = ask("compare", scenario, "--quality", path, "--format", "json")
    assert "pairs systems" not in asked.stderr
    facts = json.loads(asked.stdout)["case"]
    together = [fact["value"] for at, fact in facts.items() if at.endswith("error_rate.correlation")]
    assert together == [pytest.approx(0.449, abs=1e-3)]
    told = [line for line in ask("compare", scenario, "--quality", path).stdout.splitlines() if " gpt-6-luna  " in line]
    assert all(line.endswith("tested") for line in told)
    assert told


def unpaired(path: Path, hard: int = 60) -> Path:
    """240 easy items for both, of which luna gets 4 fewer, and hard ones for today's alone, half wrong; 3 calls that failed."""
    names = {"today": "gpt-4.1", "other": "gpt-6-luna"}
    rows = [{**row, "system": names[row["system"]]} for row in pair_rows(225, 9, 5, 1)]
    rows += [{"id": f"h{k}", "system": "gpt-4.1", "score": k % 2} for k in range(hard)]
    return write_rows(path, [*rows, *({"id": f"h{k}", "system": "gpt-6-luna", "error": "timeout"} for k in range(3))])


def test_what_an_evaluation_warns_of_reaches_the_comparison(scenario: Path, tmp_path: Path) -> None:
    """Calls without a score are of luna, which is recommended; a bar that moved is of all. 264 of 300 are right, and of 240
    luna's are 4 fewer, of the easier ones: 84.3%, as `roi quality` says beside its score on its own items.
    """
    path, rows = tmp_path / "quality.yaml", unpaired(tmp_path / "r.jsonl")
    for bar in ("0.7", "0.75"):
        told = quality(rows, "--incumbent", "gpt-4.1", "--bar", bar, "--output", path)
    part = read_yaml(path)["quality"]
    says = "3 of 243 items have no score (failed calls or judges, empty ones) and are left out: 95.8%; counted as wrong, 94.7%"
    assert [each.get("about") for each in part["cautions"]] == [None, "gpt-6-luna"]
    assert part["cautions"][1]["says"].startswith(says)
    luna = next(each for each in told.data["scores"] if each["system"] == "gpt-6-luna")
    assert luna["value"] == pytest.approx(230 / 240)
    assert luna["compared_as"]["value"] == pytest.approx(0.843, abs=1e-3)
    shown = " ".join(ask("compare", scenario, "--quality", path).stdout.split())
    assumed = "judged on 240 of gpt-4.1's 300 items, 1.7 points worse, and by the same odds on the rest"
    for line in ("! the bar was 0.7 when results were first seen", f"! gpt-6-luna: {says}", f"! gpt-6-luna: {assumed}"):
        assert line in shown


def test_a_warning_of_a_system_that_is_not_advised_is_told_among_the_warnings_alone(scenario: Path) -> None:
    one = {"says": "3 of 40 items have no score", "about": "gpt-6-sol"}
    asked = ask("compare", scenario, "--set", f"quality.cautions=[{json.dumps(one)}]", "--format", "json")
    assert "gpt-6-sol: 3 of 40 items have no score" in json.loads(asked.stdout)["warnings"]
    assert "3 of 40" not in ask("compare", scenario, "--set", f"quality.cautions=[{json.dumps(one)}]").stdout
    four = json.dumps([{"says": f"of all, {k}"} for k in range(4)])
    shown = ask("compare", scenario, "--set", f"quality.cautions={four}").stdout
    assert "! The evaluation warns of 1 other thing: --full" in shown


def test_rates_of_a_cascade_are_part_of_it(tmp_path: Path) -> None:
    """100 items, 20 handed on, small wrong on 4 of 80 that it keeps, today on 5 of 20."""
    rows = [{"id": k, "system": "small", "score": k >= 4, "escalated": k >= 80} for k in range(100)]
    rows += [{"id": k, "system": "today", "score": k < 95} for k in range(100)]
    path = tmp_path / "quality.yaml"
    assert quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", "today", "--output", path).code == 0
    found = read_part(path, "--quality")["quality"]
    assert found["escalated"]["small"]["value"] == 0.2
    assert found["kept_error_rate"]["small"]["value"] == 0.05
    assert found["escalated_error_rate"]["small"]["value"] == 0.25
    assert found["scores"]["small > today"]["value"] == 0.91
    together = (91 * 4 - 5.5 * 0.5) / (96.5 * 4.5 * 91.5 * 9.5) ** 0.5  # small alone is right on 5, the cascade on none
    assert found["scores"]["small > today"]["paired"]["with_first"] == pytest.approx(together, abs=1e-4)
    data = {"quality": {"scores": {"other": 0.5, "small": 0.1}, "kept_error_rate": {"other": 0.2}}}
    overlay_quality(data, {"quality": found})
    assert set(data["quality"]["scores"]) == {"other", "small", "today", "small > today"}
    assert set(data["quality"]["kept_error_rate"]) == {"other", "small"}


def test_a_score_under_another_name_of_the_model_takes_the_place_of_what_is_stated() -> None:
    """It told nothing: 85% of 60 items, as stated under the alias, stood beside 95% of 400 under the dated name. Of two of the
    model's names there, neither is taken for it, nor is one that the evaluation has too."""
    told = list[str]()
    found = {"quality": {"scores": {"gpt-6-sol-2026-09-30": 0.95, "big": 0.9}}}
    for stated, after in (
        ({"gpt-6-sol": 0.85}, {"gpt-6-sol": 0.95, "big": 0.9}),
        ({"gpt-6-sol-2026-09-30": 0.85}, {"gpt-6-sol-2026-09-30": 0.95, "big": 0.9}),
        (two := {"gpt-6-sol": 0.8, "openai/gpt-6-sol": 0.7}, {**two, **found["quality"]["scores"]}),
    ):
        data = {"quality": {"scores": stated}}
        overlay_quality(data, found, one_model, told.append)
        assert data["quality"]["scores"] == after
    assert told == [
        "the evaluation's score of gpt-6-sol-2026-09-30 takes the place of that stated of gpt-6-sol: they are one model"]


@pytest.mark.full
def test_without_a_scenario_the_bundled_scores_give_way(part: Path) -> None:
    done = ask("compare", "--quality", part)
    assert done.exit_code == 0
    assert "quality.scores.gpt-4.1: not used" in done.stderr


@pytest.mark.parametrize(("text", "message"), [
    ("title: x\n", "is no part written by roi quality --output; schema: roi.quality-part/1 is missing"),
    ("schema: roi.usage-part/1\n", "is no part written by roi quality --output"),
    ("schema: roi.quality-part/1\nquality: 3\n", "quality: 3 is not usable; it should be a block of keys"),
    ("schema: roi.quality-part/1\nscores: {}\n", "scores is not part of roi.quality-part/1; allowed: quality, record"),
    ("schema: roi.quality-part/1\nquality: {scores: {gpt-6-luna: {value: 2, low: 0, high: 1}}}\n", "quality.scores.gpt-6-luna"),
])
def test_another_file_is_refused_in_one_sentence(scenario: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q.yaml").write_text(text)
    result = ask("compare", scenario, "--quality", tmp_path / "q.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_saved_comparison_takes_no_part(scenario: Path, part: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    assert ask("compare", scenario, "--format", "json", "--output", saved).exit_code == 0
    assert "--quality changes a scenario" in ask("compare", saved, "--quality", part).stderr


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_report_names_systems_figures_and_what_is_next(tmp_path: Path, form: str) -> None:
    rows = write_rows(tmp_path / "r.jsonl", pair_rows(264, 9, 15, 12))
    run = ask("quality", rows, "--incumbent", "today", "--bar", "0.9", "--format", form)
    assert run.exit_code == 0, run.stderr
    for words in ("Is it good enough", "300 items, 2 systems", "93%", "9 / 15", "+2.0", "Against today, on the same items"):
        assert words in run.stdout
    if form == "table":
        assert max(map(len, run.stdout.splitlines())) <= 80


def test_the_margin_is_held_against_the_difference_on_all_items(tmp_path: Path) -> None:
    """On 300 easy items of 600 today has 298 right and the other 296, on the rest today 242: the same ratio of odds is more
    points there, and nothing tells what becomes of today's 58 wrong ones."""
    alone = [{"id": f"alone {k}", "system": "today", "score": int(k < 242)} for k in range(300)]
    rows = write_rows(tmp_path / "r.jsonl", pair_rows(296, 2, 0, 2) + alone)
    luna = quality(rows, "--incumbent", "today").against("other")
    assert luna["difference"] == pytest.approx(-2 / 300)
    assert luna["on_all"]["value"] < -0.03
    assert luna["on_all"]["low"] < luna["low"]
    assert luna["probability_not_worse"] < 0.5
    told = ask("quality", rows, "--incumbent", "today").stdout
    assert "First judge it on the other 300 items of today, which are labelled already" in " ".join(told.split())


def test_pairs_that_hold_all_that_today_got_wrong_are_told_as_such(tmp_path: Path) -> None:
    """540 of 600 right, 240 of the 300 that pair: 10 points fewer, of which luck takes 0.1 off (0.09 / 600 / 0.1)."""
    alone = [{"id": f"alone {k}", "system": "today", "score": 1} for k in range(300)]
    chosen = write_rows(tmp_path / "chosen.jsonl", pair_rows(230, 10, 32, 28) + alone)
    told = " ".join(ask("quality", chosen, "--incumbent", "today").stdout.split())
    assert ("9.9 points worse on the items of both than on all, p < 0.001: less sure; they hold all that it got wrong: if"
            " chosen by that, judge others too)") in told
    by_chance = [{**each, "score": int(k % 9 > 0)} for k, each in enumerate(alone)]
    told = " ".join(ask("quality", write_rows(tmp_path / "some.jsonl", pair_rows(262, 10, 8, 20) + by_chance)).stdout.split())
    assert "on the items of both than on all" not in told
