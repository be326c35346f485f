"""A template's values that nobody changed are guesses; and a changed incumbent leaves a file that still runs."""

import re
from typing import Any

import pytest

from roi.errors import UnknownName
from roi.facts.case import template_values
from roi.facts.fact import Basis
from roi.resolution.resolution import Resolved, resolve
from roi.resolution.template_facts import GUESSES, template_scenario
from roi.scenario import TEMPLATES
from roi.scenario.file import check_scenario, load_scenario
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml


def resolved(*overrides: str, name: str = "classification") -> Resolved:
    """The template resolved, fields changed as --set does."""
    data = parse_yaml(template(name), name)
    for override in overrides:
        path, _, value = override.partition("=")
        *blocks, last = path.split(".", 2)
        place: Any = data
        for block in blocks:
            place = place[block]
        place[last] = parse_yaml(f"x: {value}", "x")["x"]
    return resolve(check_scenario(data))


@pytest.mark.full
def test_every_guess_of_a_template_is_marked_and_what_was_changed_is_not():
    untouched = template_values(resolved().case)
    assert untouched == [
        "workload.requests_per_day", "workload.growth_per_year", "workload.can_wait_share", "workload.cache_hit_rate",
        "quality.usd_per_error", "evaluation.usd_per_label", "training.examples", "systems.gpt-6-sol.error_rate",
    ]  # fmt: skip
    exact = {path: fact.value for path, fact in resolved().case.facts.items() if fact.basis is Basis.TEMPLATE}
    assert (exact["workload.input_tokens"], exact["quality.bar"]) == ((900.0,), 0.9)
    changed = template_values(resolved("workload.requests_per_day=60000", "quality.scores.gpt-6-sol=0.95").case)
    assert set(untouched) - set(changed) == {"workload.requests_per_day", "systems.gpt-6-sol.error_rate"}


@pytest.mark.full
def test_what_is_laid_over_a_file_is_stated_even_where_it_is_what_the_template_says(tmp_path):
    """All values below are the template's own; a source alone makes one stated too, and a bare number in the file does not."""
    path = tmp_path / "mine.yaml"
    path.write_text(template("classification"), encoding="utf-8")
    laid = ("workload.requests_per_day=20000", "quality={bar: 0.9, usd_per_error: 0.05, scores: {gpt-6-sol: 0.94}}",
            "training.examples={value: 1000, source: finance}")
    case = resolve(load_scenario(path, laid)).case
    for fact in ("workload.requests_per_day", "quality.usd_per_error", "quality.bar", "training.examples"):
        assert (case[fact].basis, case[fact].low) == (Basis.STATED, None), fact
    assert case["systems.gpt-6-sol.error_rate"].basis is not Basis.TEMPLATE
    assert case["workload.can_wait_share"].basis is Basis.TEMPLATE
    assert resolve(load_scenario(path)).case["quality.usd_per_error"].basis is Basis.TEMPLATE
    part = tmp_path / "part.yaml"
    part.write_text("schema: roi.usage-part/1\nworkload: {requests_per_day: 20000}\n", encoding="utf-8")
    assert resolve(load_scenario(path, (), part)).case["workload.requests_per_day"].basis is Basis.STATED


def test_a_value_with_ends_of_its_own_keeps_them():
    growth = resolved().case["workload.growth_per_year"]
    assert (growth.basis, growth.low, growth.high) == (Basis.TEMPLATE, -0.2, 0.5)


@pytest.mark.full
def test_a_share_stays_below_one():
    """0.9 x 1.2 = 1.08, so 1."""
    assert resolved(name="agent").case["workload.cache_hit_rate"].spread() == (pytest.approx(0.45), 1.0)


def test_without_the_name_of_a_template_everything_is_as_stated():
    data = parse_yaml(template("classification"), "x")
    del data["template"]
    assert template_values(resolve(check_scenario(data)).case) == []


def test_an_unknown_template_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="template: unknown template 'clasification'; nearest: classification"):
        resolved("template=clasification")


def test_the_bundled_scenario_marks_what_its_comments_call_assumed():
    """Lengths and peak are the trace's; volume, growth, scores and the cost of an error are guesses."""
    case = resolve(load_scenario()).case
    assert template_values(case) == [
        "workload.requests_per_day", "workload.growth_per_year", "quality.usd_per_error", "training.examples",
        *(f"systems.{system}.error_rate" for system in ("gpt-6-sol", "gpt-6-luna", "qwen3-8b", "qwen3-8b+lora")),
    ]  # fmt: skip
    assert {case[f"workload.{name}"].basis for name in ("input_tokens", "peak_to_mean")} == {Basis.STATED}


def test_a_model_that_the_template_calls_not_evaluated_keeps_its_wide_prior():
    """Its spread is that of what nobody measured, not that of a small evaluation set around a guess."""
    fact = resolve(load_scenario(None)).case["systems.claude-haiku-5-5.error_rate"]
    assert fact.basis is Basis.ASSUMED
    assert fact.high / fact.low > 3


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_number_of_a_template_is_a_guess_with_a_reason_or_a_choice(name):
    """A new field in a template must be put into GUESSES, or here."""
    choices = {"own_hardware.cards", "own_hardware.usd_per_kwh", "training.longest_tokens"}
    given = template_scenario(name)
    stated = {f"{block}.{field}" for block in ("workload", "quality", "training", "evaluation", "people", "own_hardware")
              for field in getattr(given, block).model_fields_set}
    assert stated - set(GUESSES) - {"quality.scores"} <= choices


def test_a_changed_incumbent_takes_the_templates_score_and_says_so():
    found = resolved("incumbent.provider=anthropic", "incumbent.model=claude-sonnet-5-5")
    rate = found.case["systems.claude-sonnet-5-5.error_rate"]
    assert (rate.basis, rate.value, *rate.spread()) == (Basis.TEMPLATE, *map(pytest.approx, (0.06, 0.03, 0.09)))
    assert not found.case["systems.claude-sonnet-5-5.evaluated"].value
    told = " ".join(found.warnings)
    assert "quality.scores.gpt-6-sol: not used" in told
    assert "write quality.scores.claude-sonnet-5-5: 0.94" in told


MINE: dict[str, Any] = {
    "as_of": "2026-11-24", "workload": {"requests_per_day": 1000.0, "input_tokens": 1000.0, "output_tokens": 100.0},
    "incumbent": {"provider": "openai", "model": "gpt-6-sol"},
    "candidates": {"api_models": ["openai/gpt-6-luna"]},
}


def quality(scores: dict[str, float], **rest: Any) -> Resolved:
    return resolve(check_scenario({**MINE, "quality": {"usd_per_error": 0.01, "scores": scores}, **rest}))


def test_an_incumbent_that_nobody_scored_is_assumed_and_warned_of():
    """0.95 (0.80 to 0.99): 5% wrong, 1% to 20%."""
    found = quality({"gpt-6-luna": 0.9})
    assert found.case["systems.gpt-6-sol.error_rate"].spread() == (0.01, 0.2)
    assert "write quality.scores.gpt-6-sol: 0.95" in " ".join(found.warnings)


@pytest.mark.parametrize("name", ["gpt-4.1", "claude-haiku-5-5", "qwen3-8b+lora", "gpt-4.1 > gpt-6-sol", "Qwen/Qwen3-8B"])
def test_scores_of_models_that_are_no_longer_named_are_left_out_with_a_warning(name):
    assert f"quality.scores.{name}: not used" in " ".join(quality({"gpt-6-sol": 0.9, name: 0.8}).warnings)
    tokens = quality({"gpt-6-sol": 0.9}, tokens={name: {"ratio": 1.1}})
    assert f"tokens.{name}: not used" in " ".join(tokens.warnings)


BOTH = ("gpt-6-sol", "gpt-6-luna")


def evaluated(*systems: str, **rest: Any) -> Resolved:
    """An evaluation of these systems, as `roi quality` writes it."""
    scores = {name: {"value": 0.9, "items": 200, "source": "roi quality, score"} for name in systems}
    return resolve(check_scenario({**MINE, "quality": {"usd_per_error": 0.01, "scores": scores, **rest}}))


@pytest.mark.parametrize("name", ["z-ai-glm-4.5-air", "our own v3", "openai-gpt-6-luna", "z-ai-glm > gpt-6-sol"])
def test_systems_of_an_evaluation_that_the_scenario_does_not_weigh_are_set_aside_whatever_their_name(name: str) -> None:
    """Both that it weighs have a score, so that none of these is meant for one; what is warned of them is set aside too."""
    found = evaluated(*BOTH, name, cautions=[{"says": "3 of 200 items", "about": each} for each in (name, "gpt-6-luna")])
    assert f"quality.scores.{name}: not used" in " ".join(found.warnings)
    assert [each for each in found.warnings if "3 of 200" in each] == ["gpt-6-luna: 3 of 200 items"]


@pytest.mark.parametrize(("systems", "name"), [
    (("gpt-6-sol", "openai-gpt-6-luna"), "openai-gpt-6-luna"), (("gpt-6-sol", "gpt 6 luna"), "gpt 6 luna"),
    (("gpt-6-luna", "our own v3"), "our own v3"), (("gpt-6-luna", "gpt-6-sol+lora"), "gpt-6-sol+lora"),
])
def test_a_name_of_an_evaluation_is_refused_where_it_may_be_of_a_system_without_a_score(
    systems: tuple[str, ...], name: str,
) -> None:
    """A vendor before it, another spelling, or any name where today's model has none."""
    with pytest.raises(UnknownName, match=rf"quality.scores: unknown system .* '{re.escape(name)}'.*roi quality --system"):
        evaluated(*systems)


def test_many_systems_that_are_set_aside_are_counted() -> None:
    told = " ".join(evaluated(*BOTH, *(f"other {k}" for k in range(30))).warnings)
    assert "quality.scores.other 7 and 22 more: not used" in told


@pytest.mark.parametrize(("name", "near"), [("gpt-6-lunaa", "gpt-6-luna"), ("gpt6-sol", "gpt-6-sol"), ("my-own", "")])
def test_a_score_under_a_name_with_a_typing_error_is_refused(name, near):
    with pytest.raises(UnknownName, match=rf"quality.scores: unknown system .* '{name}'; (nearest|known): .*{near}"):
        quality({"gpt-6-sol": 0.9, name: 0.8})
