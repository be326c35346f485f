"""Tests of promptfoo whose judge failed: they have no score, unless what else was asserted settles it."""

import json
from pathlib import Path

import pytest
from quality_support import CANARY, quality

FLAG = {"metadata": {"graderError": True}}
NO_JSON = "Could not extract JSON from llm-rubric response"
LEFT_OUT = "the judge failed: an error, no verdict on the answer"
Component = dict[str, object]


def lost(reason: str = NO_JSON, kind: str | None = "llm-rubric", *, holds: bool = False, **more: object) -> Component:
    """As promptfoo's graderFail writes it: no hold, a score of 0, in older versions without a mark and a type."""
    assertion = {} if kind is None else {"assertion": {"type": kind, **more}}
    return {"pass": holds, "score": int(holds), "reason": reason, "tokensUsed": {"total": 0}, **assertion}


def told(*, holds: bool, kind: str = "contains", **more: object) -> Component:
    """An assertion with a verdict."""
    return {"pass": holds, "score": int(holds), "reason": f"{CANARY} why", "assertion": {"type": kind, **more}}


def together(holds: bool, *parts: Component, reason: str = "not all", metric: str | None = None) -> list[Component]:
    """A set of assertions, and behind it the copies of what it holds."""
    named = {} if metric is None else {"metadata": {"assertionSet": {"metric": metric}}}
    return [{"pass": holds, "score": 0.5, "reason": reason, "componentResults": list(parts), **named}, *parts]


def run(path: Path, *options: str, components: list[Component], success: bool = False, test: Component | None = None,
        score: float = 0.0, named: dict[str, float] | None = None) -> dict[str, int]:
    """What is left out of 20 tests of `a` and `b`, where the last of b came out like this."""
    plain = {"componentResults": [told(holds=True)], "pass": True, "score": 1}
    results = [{"testIdx": k, "success": True, "score": 1, "provider": {"id": name}, "vars": {"id": k}, "failureReason": 0,
                "namedScores": {"tone": 1, "sum": 1}, "gradingResult": plain} for k in range(20) for name in ("a", "b")]
    results[-1] |= {"success": success, "score": score, "failureReason": int(not success), "testCase": test or {},
                    "namedScores": named or {"tone": 0, "sum": 0}, "error": f"{CANARY} reason",
                    "gradingResult": {"pass": success, "score": score, "componentResults": components}}
    (path / "r.json").write_text(json.dumps({"results": {"version": 3, "results": results}}))
    found = quality(path / "r.json", "--incumbent", "a", *options)
    share = (19 + score) / 20 if not found.left_out else 1.0
    assert found.scores == {"a": (20, 1.0), "b": (19 if found.left_out else 20, pytest.approx(share))}
    return found.left_out


@pytest.mark.parametrize("component", [
    lost() | FLAG, lost("fetch failed") | FLAG, lost("anything", "javascript") | FLAG, lost(), lost(kind=None),
    lost("No output"),
    lost("llm-rubric produced malformed response: SyntaxError\n\nwhat it said"), lost("API error: 429 Too Many Requests"),
    lost("API call error: Error: Request failed after 4 retries", "model-graded-closedqa"),
    lost("Could not perform remote grading: timeout"), lost("Could not extract JSON from g-eval response", "not-g-eval"),
    lost("LLM-proposed evaluation result is not in JSON format: Sorry", "g-eval"),
])  # fmt: skip
def test_an_answer_whose_judge_failed_has_no_score(component: Component, tmp_path: Path) -> None:
    """By the mark of versions of 2026, or by promptfoo's own words; b is right on the 19 others."""
    assert run(tmp_path, components=[told(holds=True), component]) == {LEFT_OUT: 1}


@pytest.mark.parametrize("component", [
    told(holds=False, kind="llm-rubric"), lost("No output", "javascript"), lost("API error: 500 is what it says", "python"),
    lost("Custom function threw error: Unexpected token", "javascript"), lost("No output was needed, yet it wrote some"),
    lost("Expected output to contain JSON", "is-json"),
])  # fmt: skip
def test_what_a_judge_or_a_function_says_is_a_verdict(component: Component, tmp_path: Path) -> None:
    assert run(tmp_path, components=[told(holds=True), component]) == {}


def test_another_assertion_that_fails_settles_it_but_for_a_threshold(tmp_path: Path) -> None:
    components = [told(holds=False), lost() | FLAG]
    assert run(tmp_path, components=components) == {}
    assert run(tmp_path, components=components, test={"threshold": 0.5}) == {LEFT_OUT: 1}
    assert run(tmp_path, components=components, test={"assertScoringFunction": "file://own.js"}) == {LEFT_OUT: 1}


def test_a_threshold_that_was_reached_without_the_judge_settles_it_too(tmp_path: Path) -> None:
    three = [told(holds=True), told(holds=True), lost() | FLAG]
    assert run(tmp_path, components=three, success=True, score=1.0, test={"threshold": 0.5}) == {}


def test_a_not_that_older_versions_turned_into_a_hold_is_none(tmp_path: Path) -> None:
    assert run(tmp_path, components=[lost(kind="not-llm-rubric", holds=True)], success=True, score=1.0) == {LEFT_OUT: 1}


def test_assertions_that_do_not_count_settle_nothing_and_lose_nothing(tmp_path: Path) -> None:
    for more in ({"weight": 0}, {"metricOnly": True}):
        idle = lost(holds=True, **more) | FLAG  # type: ignore[arg-type]
        assert run(tmp_path, components=[told(holds=True), idle], success=True, score=1.0) == {}
        assert run(tmp_path, components=[told(holds=False), idle]) == {}
        assert run(tmp_path, components=[told(holds=False, **more), lost()]) == {LEFT_OUT: 1}  # type: ignore[arg-type]


def test_sets_of_assertions_are_looked_into_once(tmp_path: Path) -> None:
    """A set whose threshold was reached holds; one that fails by an assertion of its own fails, but not against a threshold."""
    fails, holds, judge = told(holds=False), told(holds=True), lost() | FLAG
    assert run(tmp_path, components=[holds, *together(False, holds, judge)]) == {LEFT_OUT: 1}
    assert run(tmp_path, components=[holds, *together(False, fails, judge)]) == {}
    added_up = together(False, fails, judge, reason="Aggregate score 0.00 < 0.6 threshold")
    assert run(tmp_path, components=added_up) == {LEFT_OUT: 1}
    assert run(tmp_path, components=[fails, *together(True, holds, judge)]) == {}
    assert run(tmp_path, components=[holds, *together(True, holds, fails, judge)], success=True, score=1.0) == {}
    assert run(tmp_path, components=[*together(True, holds, fails), judge]) == {LEFT_OUT: 1}


def test_sets_in_sets_without_end_are_no_trouble(tmp_path: Path) -> None:
    """As deep as JSON is read at all."""
    inner = [lost()]
    for _ in range(400):
        inner = [{"pass": False, "score": 0, "reason": "not all", "componentResults": inner}]
    assert run(tmp_path, components=inner) == {}


def test_named_scores_are_lost_where_the_judge_was_theirs(tmp_path: Path) -> None:
    """`tone` is the judge's, `form` another's; `sum`, which no assertion bears, may rest on any."""
    components = [told(holds=True, metric="form"), lost(metric="tone") | FLAG]
    named = {"tone": 0.0, "form": 1.0, "sum": 0.5}
    results = {name: run(tmp_path, "--metric", name, components=components, named=named, score=score)
               for name, score in (("tone", 0.0), ("sum", 0.5), ("score", 0.5))}
    assert results == {name: {LEFT_OUT: 1} for name in ("tone", "sum", "score")}
    kept = [told(holds=True, metric="tone"), lost(metric="form") | FLAG]
    assert run(tmp_path, "--metric", "tone", components=kept, named={"tone": 1.0}, score=1.0) == {}
    within = together(False, told(holds=True), lost() | FLAG, metric="tone")
    assert run(tmp_path, "--metric", "tone", components=within) == {LEFT_OUT: 1}


def test_counted_as_wrong_where_asked(tmp_path: Path) -> None:
    """19 of 20 then, and a warning either way."""
    assert run(tmp_path, components=[lost()]) == {LEFT_OUT: 1}
    left = quality(tmp_path / "r.json", "--incumbent", "a")
    assert any(each.startswith("b: 1 of 20 items have no score (failed calls or judges,") for each in left.data["warnings"])
    assert quality(tmp_path / "r.json", "--incumbent", "a", "--unscored", "wrong").scores == {"a": (20, 1.0), "b": (20, 0.95)}
