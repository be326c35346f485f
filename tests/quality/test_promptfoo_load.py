"""Tests of promptfoo that fail for latency or cost: whether the answer is right is asked of the other assertions."""

import json
from pathlib import Path

import pytest
from quality_support import Answer, quality

Component = dict[str, object]
LOAD_ALONE = "no assertion on the answer: latency, cost or perplexity alone"
SAMPLE = ((0, "gpt-5-mini", 0.75, "cost latency! contains llm-rubric"), (0, "gpt-5", 0.5, "cost! latency! contains llm-rubric"),
          (1, "gpt-5-mini", 2 / 3, "cost latency! llm-rubric"), (1, "gpt-5", 2 / 3, "cost latency! llm-rubric"))
"""The four results of promptfoo's test/__fixtures__/sample-export.json: test, model, score, assertions, ! where one fails."""


def told(kind: str, **more: object) -> Component:
    """A component of a result; a `!` behind its type says that it fails."""
    holds = not kind.endswith("!")
    return {"pass": holds, "score": int(holds), "reason": "why", "assertion": {"type": kind.removesuffix("!"), **more}}


def result(item: int, model: str, score: float, *parts: Component, success: bool = False, reason: str = "why",
           **test: object) -> Component:
    return {"testIdx": item, "provider": {"id": model, "label": ""}, "vars": {"id": item}, "success": success, "score": score,
            "failureReason": int(not success), "namedScores": {"speed": 0.25}, "testCase": test,
            "gradingResult": {"pass": success, "score": score, "reason": reason, "componentResults": list(parts)}}


def judged(path: Path, *results: Component, options: tuple[str, ...] = ()) -> Answer:
    """`roi quality` on these results."""
    (path / "r.json").write_text(json.dumps({"results": {"version": 3, "results": results}}))
    return quality(path / "r.json", "--incumbent", "gpt-5", *options)


def one(path: Path, *parts: Component, score: float, options: tuple[str, ...] = (), success: bool = False, reason: str = "why",
        **test: object) -> float:
    """What an answer scores beside two plain ones."""
    plain = [result(item, model, 1.0, told("contains"), success=True) for item in (0, 1) for model in ("gpt-5", "o")][:3]
    found = judged(path, *plain, result(1, "o", score, *parts, success=success, reason=reason, **test), options=options)
    return 2 * found.scores["o"][1] - (1.0 if "speed" not in options else 0.25)


def test_answers_that_were_right_and_slow_are_right(tmp_path: Path) -> None:
    """All four fail for their latency alone, one for its cost too."""
    results = [result(item, model, score, *map(told, kinds.split())) for item, model, score, kinds in SAMPLE]
    for options in ((), ("--metric", "score")):
        found = judged(tmp_path, *results, options=options)
        assert found.scores == {"gpt-5": (2, 1.0), "gpt-5-mini": (2, 1.0)}
    for name in ("gpt-5", "gpt-5-mini"):
        assert (f"{name}: 2 tests failed by assertions on latency, cost or perplexity alone, which count nowhere here: its"
                " answers are judged by the others") in found.data["warnings"]
    renamed = judged(tmp_path, *results, options=("--system", "gpt-5-mini=mini")).data["warnings"]
    assert any(each.startswith("mini: 2 tests failed") for each in renamed)


def test_a_wrong_answer_stays_wrong_and_a_fast_one_is_not_right_for_it(tmp_path: Path) -> None:
    """`score`: of cost, held, and two others of which one holds: 2/3, and 1/2 without it."""
    parts = told("contains"), told("regex!"), told("not-cost")
    assert one(tmp_path, *parts, score=2 / 3) == 0.0
    assert one(tmp_path, *parts, score=2 / 3, options=("--metric", "score")) == 0.5


@pytest.mark.parametrize(("threshold", "right"), [(0.5, 1.0), (0.6, 0.0)])
def test_a_threshold_is_held_against_the_other_assertions(threshold: float, right: float, tmp_path: Path) -> None:
    """Cost fails with a weight of 3, of two others one holds: 1 of 5, without it 1 of 2."""
    parts = told("cost!", weight=3), told("contains"), told("regex!")
    reason = f"Aggregate score 0.20 < {threshold} threshold"
    assert one(tmp_path, *parts, score=0.2, reason=reason, threshold=threshold) == right
    assert one(tmp_path, *parts, score=0.2, reason=reason) == right


def test_sets_of_assertions_are_looked_into(tmp_path: Path) -> None:
    """A set that fails by its latency alone holds; with a threshold of 0.6, 1/2 of it does not reach, the other part does."""
    slow = [told("contains"), told("latency!")]
    for reason in ("why", "Aggregate score 0.50 < 0.6 threshold"):
        within = {"pass": False, "score": 0.5, "reason": reason, "componentResults": slow}
        assert one(tmp_path, told("equals"), within, *slow, score=0.75) == 1.0
        assert one(tmp_path, told("equals!"), within, *slow, score=0.25) == 0.0
    alone = {"pass": False, "score": 0.0, "reason": "why", "componentResults": slow[1:]}
    assert one(tmp_path, told("equals"), alone, slow[1], score=0.5) == 1.0


def test_a_test_that_asks_for_speed_alone_judges_no_answer(tmp_path: Path) -> None:
    """It is no call that failed either, so that nothing makes it wrong."""
    results = [result(item, model, 1.0, told("contains"), success=True) for item in (0, 1) for model in ("gpt-5", "o")]
    found = judged(tmp_path, *results, result(2, "o", 0.5, told("latency!"), told("cost")), options=("--unscored", "wrong"))
    assert found.scores["o"] == (2, 1.0)
    assert found.left_out == {LOAD_ALONE: 1}


def test_a_test_that_checks_nothing_is_no_right_answer(tmp_path: Path) -> None:
    """promptfoo lets it pass with a score of 1, or 0 where nothing of it counts: o is right on one of two that were checked.

    A scoring function may judge by what else weighs nothing, and a named score is of its assertion whatever that weighs.
    """
    results = [result(item, model, 1.0, told("contains"), success=True) for item in (0, 1) for model in ("gpt-5", "o")]
    results[3] = result(1, "o", 0.0, told("contains!"))
    unchecked = [result(2, "o", 1.0, success=True, reason="No assertions"),
                 result(3, "o", 0.0, told("contains", weight=0), told("equals", metricOnly=True), success=True)]
    for options in ((), ("--metric", "score")):
        found = judged(tmp_path, *results, *unchecked, options=options)
        assert found.scores["o"] == (2, 0.5)
        assert found.left_out == {"no assertion: nothing was checked": 2}
    own = result(3, "o", 1.0, told("contains", weight=0), success=True, assertScoringFunction="file://own.js")
    assert judged(tmp_path, *results, own).scores["o"] == (3, round(2 / 3, 6))
    assert judged(tmp_path, *results, *unchecked, options=("--metric", "speed")).scores["o"] == (3, 0.25)
    assert "no row that counts: 1 x no assertion: nothing was checked" in judged(tmp_path, unchecked[0]).error


def test_what_other_rules_decided_stands(tmp_path: Path) -> None:
    """A scoring function, or a guardrail: the parts say another end than the file."""
    assert one(tmp_path, told("contains"), told("latency!"), score=0.1) == 0.0
    assert one(tmp_path, told("contains"), told("latency!"), score=0.5, success=True) == 1.0
    assert one(tmp_path, told("latency!", metric="speed"), score=0.0, options=("--metric", "speed")) == 0.25


def test_a_judge_that_failed_is_not_made_up_for_by_latency(tmp_path: Path) -> None:
    lost = {"pass": False, "score": 0, "reason": "x", "assertion": {"type": "llm-rubric"}, "metadata": {"graderError": True}}
    results = [result(item, model, 1.0, told("contains"), success=True) for item in (0, 1) for model in ("gpt-5", "o")]
    found = judged(tmp_path, *results, result(2, "o", 0.0, told("latency!"), lost))
    assert found.left_out == {"the judge failed: an error, no verdict on the answer": 1}
