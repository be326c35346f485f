"""Python's questions: a scenario from a path, a dict or keywords, and its comparison in one step, as the command answers it."""

import pickle
import re
from datetime import date

import numpy as np
import pytest
from small_scenario import SMALL, written

import roi
from roi.answers.compare import compare_file
from roi.errors import InputError, ScenarioError
from roi.evidence.known_runs import KnownRuns
from roi.scenario.file import scenario_data
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml


@pytest.fixture
def file(tmp_path):
    return written(tmp_path)


def test_a_path_a_text_a_dict_and_a_scenario_give_the_same_scenario(file):
    found = [roi.load_scenario(source) for source in (file, str(file), SMALL)]
    assert scenario_data(found[0]) == scenario_data(found[1]) == scenario_data(found[2])
    assert scenario_data(roi.load_scenario(found[0])) == scenario_data(found[0])


def test_keywords_are_laid_over_block_by_block_and_overrides_come_last():
    workload = {"output_tokens": 60, "requests_per_day": 9}
    s = roi.load_scenario(SMALL, {"workload.requests_per_day": 7}, workload=workload, draws=8)
    assert (s.workload.requests_per_day, s.workload.output_tokens, s.workload.input_tokens, s.draws) == (7, 60, 800, 8)
    assert SMALL["workload"]["requests_per_day"] == 4000  # what was given is not changed


def test_numpy_numbers_tuples_and_dates_are_taken_as_a_file_would_hold_them():
    s = roi.load_scenario(SMALL, as_of=date(2026, 11, 20), workload={"requests_per_day": np.float64(5.0)},
                          candidates={"gpus": ("l4",)}, draws=np.int64(4))
    assert (s.as_of, s.workload.requests_per_day, s.candidates.gpus, s.draws) == (date(2026, 11, 20), 5.0, ("l4",), 4)


@pytest.mark.parametrize(("laid", "share", "said"), [
    ({"requests_per_day": 1000}, 0.25, "$400 of 4,000 requests a day, is taken as $100.00 of 1,000"),
    ({"input_tokens": 500}, 0.7, "$400 of 800 input tokens, is taken as $280.00 of 500"),
    ({"requests_per_day": 1000, "input_tokens": 500}, 0.175,
     "$400 of 4,000 requests a day and 800 input tokens, is taken as $70.00 of 1,000 and 500"),
])
def test_a_stated_bill_moves_with_requests_and_tokens_and_both_doors_say_so(laid, share, said, tmp_path):
    """At $2 and $8 a million, 800 + 50 tokens cost $0.0020 and 500 + 50 $0.0014: 0.7 of it; the gap is what it was."""
    own = {"apis": {"openai/gpt-6-sol": {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 8.0}}}
    billed = SMALL | own | {"incumbent": SMALL["incumbent"] | {"bill_usd_per_month": 400}}
    path = written(tmp_path, billed)
    found = roi.compare(path, workload=laid)
    assert len([each for each in found.warnings if said in each]) == 1
    assert said in " ".join(str(found).split())
    over = {f"workload.{name}": value for name, value in laid.items()}
    steps = roi.compare(roi.resolve(roi.load_scenario(billed, over)))
    asked = compare_file(path, overrides=tuple(f"{name}={value}" for name, value in over.items()), cache=False)
    again = roi.compare(parse_yaml(found.to_yaml(), "again"))
    for other in (steps, asked.comparison, again):
        assert other.options == found.options
    assert asked.warnings == steps.warnings == found.warnings
    assert asked.note == ""  # said once, on the screen
    stated = roi.compare(billed, workload=laid, incumbent={"bill_usd_per_month": 400 * share})
    factor = "reconciliation.factor"
    assert stated.case[factor].number() == pytest.approx(found.case[factor].number(), rel=1e-12)
    assert found.case[factor].number() == pytest.approx(400 / (4000 * 365 / 12 * 0.002), rel=1e-12)


def test_what_keywords_lay_over_a_template_is_stated():
    given = parse_yaml(template("classification"), "template") | {"candidates": {}}
    volume = {"requests_per_day": given["workload"]["requests_per_day"]}
    assert roi.resolve(given).case["workload.requests_per_day"].basis == "template"
    assert roi.resolve(roi.load_scenario(given, workload=volume)).case["workload.requests_per_day"].basis == "stated"


@pytest.mark.parametrize(("given", "said"), [
    ({"workload": {"requests_per_day": -1}}, r"workload.requests_per_day: -1.*must be"),
    ({"workload": {"request_per_day": 1}}, r"workload.request_per_day: unknown key; nearest: requests_per_day"),
    ({"wrkload": {}}, r"wrkload: unknown key; nearest: workload"),
    ({"draws": object()}, r"draws: <object object at .*is not usable; a number, a text"),
    ({"workload": {3: 1}}, r"workload\.3: 3 is not usable; keys are text"),
    ({"workload": {"requests_per_day": float("nan")}}, "workload.requests_per_day: nan is not usable; a finite number"),
    ({"quality": {"scores": {"gpt-6-sol": {"value": np.inf}}}}, "quality.scores.gpt-6-sol.value: inf is not usable"),
    ({"workload.requests_per_day": 5000},
     r'overrides=\{"workload.requests_per_day": 5000\}, or workload=\{"requests_per_day": 5000\}'),
    ({"quality.scores.gpt-6-sol": 0.9}, r'overrides=\{"quality.scores.gpt-6-sol": 0.9\}$'),
])  # fmt: skip
def test_a_wrong_keyword_is_named_with_what_is_allowed(given, said):
    with pytest.raises(InputError, match=said):
        roi.load_scenario(SMALL, **given)


def test_overrides_part_and_quality_are_laid_over_what_is_compared():
    found = roi.compare(SMALL, overrides={"workload.requests_per_day": 7}, draws=8)
    assert found.options == roi.compare(SMALL, workload={"requests_per_day": 7}, draws=8).options
    part = {"incumbent": {"provider": "openai", "model": "gpt-6-luna"}}
    assert any("puts gpt-6-luna in the place of" in told for told in roi.compare(SMALL, part=part, draws=0).warnings)
    assert roi.compare(SMALL, quality={"bar": 0.5}, draws=0).case["quality.bar"].value == 0.5
    with pytest.raises(InputError, match="overrides: a Case is what a scenario was resolved to"):
        roi.compare(found.case, overrides={"draws": 0})


@pytest.mark.parametrize("made", [roi.open_runs, lambda: roi.resolve(SMALL)], ids=["runs", "resolved"])
def test_what_is_kept_between_calls_goes_to_another_process(made):
    kept = made()
    again = pickle.loads(pickle.dumps(kept))  # noqa: S301 -- what this test wrote
    assert type(again) is type(kept)
    here, there = (roi.resolve(SMALL, each) if isinstance(each, KnownRuns) else each for each in (kept, again))
    assert there.case == here.case
    assert roi.compare(there, thresholds=False).options == roi.compare(here, thresholds=False).options


def test_a_source_that_is_no_scenario_is_refused():
    with pytest.raises(InputError, match="source: int is not usable; a path, a dict, a Scenario or None"):
        roi.load_scenario(7)
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        roi.compare("nowhere.yaml")


def test_one_step_gives_what_the_command_gives(file):
    asked = compare_file(file)
    for source in (file, str(file), SMALL, roi.load_scenario(file), roi.resolve(file), roi.resolve(file).case):
        found = roi.compare(source)
        assert found.verdict == asked.comparison.verdict
        assert found.options == asked.comparison.options
        assert found.break_even == asked.comparison.break_even
    assert roi.compare(file).warnings == asked.warnings


def test_the_names_of_before_still_give_the_answer(file):
    assert roi.compare(roi.resolve(roi.load_scenario(file)).case).options == compare_file(file).comparison.options


@pytest.mark.full
def test_known_runs_are_kept_between_calls_and_change_nothing():
    runs = roi.open_runs()
    first = roi.compare(draws=0, runs=runs, thresholds=False)
    replayed = len(runs.replayed)
    more = roi.compare(draws=0, runs=runs, thresholds=False, workload={"requests_per_day": 50_000})
    assert len(runs.replayed) == replayed > 0  # the volume changes no replica
    assert more.options != first.options
    assert more.options == roi.compare(draws=0, thresholds=False, workload={"requests_per_day": 50_000}).options


def test_without_thresholds_all_else_is_the_same():
    scenario = roi.load_scenario(SMALL, draws=64)
    full, quick = roi.compare(scenario), roi.compare(scenario, thresholds=False)
    assert (quick.verdict, quick.options, quick.drivers, quick.experiments) == (
        full.verdict, full.options, full.drivers, full.experiments)
    assert full.break_even
    assert quick.break_even == quick.signposts == ()
    assert not re.search("Look again|No volume|At the central values", str(quick))


def test_a_saved_comparison_is_replayed_and_takes_no_fields(tmp_path):
    path, found = tmp_path / "kept.json", roi.compare(SMALL)
    path.write_text(found.to_json(), encoding="utf-8")
    assert roi.compare(path).options == found.options
    assert roi.compare(path, draws=16).case["draws"].value == 16
    with pytest.raises(InputError, match=r"workload: .*kept.json is a saved comparison, whose facts stand"):
        roi.compare(path, workload={"requests_per_day": 1})


def test_a_case_takes_no_fields_either():
    with pytest.raises(InputError, match="draws: a Case is what a scenario was resolved to"):
        roi.compare(roi.resolve(SMALL), draws=5)


def test_a_profile_that_cannot_be_used_is_among_the_warnings(tmp_path):
    (tmp_path / "bad.json").write_text('{"schema": "roi.profile/1", "kind": "serve"}', encoding="utf-8")
    assert any("bad.json is left out" in told for told in roi.compare(SMALL, profiles=[tmp_path]).warnings)


def test_the_yaml_of_a_comparison_gives_it_again(tmp_path):
    found = roi.compare(SMALL, workload={"requests_per_day": 1234.5})
    path = tmp_path / "again.yaml"
    path.write_text(found.to_yaml(), encoding="utf-8")
    assert compare_file(path).comparison.options == found.options
    with pytest.raises(InputError, match="made from a Case, which keeps none"):
        roi.compare(roi.resolve(SMALL).case).to_yaml()


def test_what_was_stated_stays_stated_in_another_scenario_and_in_its_file(tmp_path):
    """A wrong answer that costs what the template guesses: as a guess it decides nothing, as a statement it counts."""
    given = parse_yaml(template("classification"), "template") | {"candidates": {}, "draws": 0}
    said = roi.load_scenario(given, quality={"usd_per_error": given["quality"]["usd_per_error"]})
    assert roi.compare(given).verdict.counts == "cash"
    assert roi.compare(said).verdict.counts == "errors"
    assert roi.compare(said, draws=4).verdict.counts == "errors"
    path = tmp_path / "kept.yaml"
    path.write_text(roi.compare(said).to_yaml(), encoding="utf-8")
    assert compare_file(path).comparison.verdict.counts == "errors"
    whole = {name: block for name, block in given.items() if name != "quality"}
    for laid in (roi.load_scenario(whole, quality=given["quality"]), roi.load_scenario(given, {"quality": given["quality"]})):
        path.write_text(roi.compare(laid).to_yaml(), encoding="utf-8")
        assert compare_file(path).comparison.verdict.counts == "errors", "a block laid whole is stated, number by number"


def test_a_wrong_field_is_a_scenario_error_with_its_path():
    with pytest.raises(ScenarioError) as caught:
        roi.load_scenario(SMALL, quality={"scores": {"gpt-6-sol": {1, 2}}})
    assert caught.value.field == "quality.scores.gpt-6-sol"
