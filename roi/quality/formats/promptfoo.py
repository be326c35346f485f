"""promptfoo's results: `promptfoo eval --output results.json`, or .jsonl with one result a line.

A result names its provider (label, else id), its test's variables and whether all assertions held. Captured ones, in
promptfoo/promptfoo, examples/redteam-sql-injection-agent/redteam.metrics.results.json, have the results under
results.results, `failureReason` 2 where the call failed, and a `promptId` that is a hash. An item is known by a hash of its
variables, since a repetition of a test has a `testIdx` of its own; a variable or a metadata field that is an id comes first.

Where the judge failed, by an error or with no verdict in its words, there is no score: promptfoo writes such an assertion as
one that does not hold. From 2026 on its metadata says `graderError` (src/matchers/shared.ts); before, its reason alone tells,
in words of promptfoo's own (src/matchers/rubric.ts), and `not-` turned it into one that holds. Components are flat: behind a
set of assertions stand copies of those in it. What crashed in a function of the user's is no judge: it fails where the answer
is no JSON too.

A test without assertions passes with a score of 1, and promptfoo counts it among those that passed (AssertionsResult.
noAssertsResult, the reason is "No assertions"); nothing was checked, so that it is left out. So is `success` or `score` of one
whose assertions all weigh nothing or are metrics alone: these cannot fail (src/assertions/index.ts).

Assertions on time, cost or how likely the model took its own words to be say nothing of whether the answer is right. A test
counts as it would end without them, by promptfoo's own rule (src/assertions/assertionsResult.ts): all others hold, or their
weighted mean reaches the threshold; where that rule with them does not end as the file says (a scoring function, a guardrail),
the test stands as it is. test/__fixtures__/sample-export.json there has four right answers that all fail for their latency.
"""

import json
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

from roi.quality.formats.own_rows import NAMES
from roi.quality.result_rows import FAILED, NO_SCORE, Asked, Document, Format, Notes, Row, Source, block, one_of, share

IDS = tuple(name for name in NAMES["item"] if name.endswith("id"))
CLUSTERS = ("conversationId", *(name for name in NAMES["cluster"] if name.endswith("id") or name == "cluster"))
"""conversationId is promptfoo's own: tests of one conversation share it."""
ERROR = 2
"""failureReason of a call that gave no answer."""
UNJUDGED = "the judge failed: an error, no verdict on the answer"
TOLD: Final = re.compile(r"Could not extract JSON from [\w :.-]+ response|[\w :.-]+ produced malformed response|No output$"
                         r"|Could not perform remote grading|API (call |response )?error: "
                         r"|LLM-proposed evaluation (steps|result) (are|is) not in JSON format")  # fmt: skip
"""Beginnings of reasons of versions without the mark."""
JUDGES: Final = ("llm-rubric", "model-graded-", "factuality", "g-eval", "search-rubric", "agent-rubric", "answer-relevance",
                 "context-", "conversation-relevance", "trajectory:", "promptfoo:redteam:")  # fmt: skip
"""Beginnings of the types of assertions that ask a model; what a failed judge leaves may name no type."""
LOAD: Final = frozenset({"latency", "cost", "perplexity", "perplexity-score", "trace-span-duration"})
"""Types of assertions, also behind `not-`, that no quality of the answer meets or misses."""
NO_QUALITY: Final = "no assertion on the answer: latency, cost or perplexity alone"
NO_ASSERTION: Final = "no assertion: nothing was checked"
NONE_MADE: Final = "No assertions"
"""promptfoo's reason of a test without assertions."""
ADDED_UP: Final = re.compile(r"Aggregate score -?[\d.]+ \S+ (-?[\d.]+) threshold")
"""Reason of a test or a set that has a threshold."""
NEARLY: Final = 1e-6
"""Parts of a score by which one that is computed again may differ from the one in the file."""
DEEPEST: Final = 8
"""Sets of assertions inside each other that are looked into; promptfoo has one."""


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    prompts: dict[str, list[object]] = {}
    for place, found in source.documents:
        failed = found.get("failureReason") == ERROR
        whole = failed or (asked.metric or "success") not in {"success", "score"} - block(found.get("namedScores")).keys()
        if not failed and _unchecked(found, named=whole):
            notes.drop(NO_ASSERTION, place)
            continue
        result = found if whole else _without_load(found)
        if result is None:
            notes.drop(NO_QUALITY, place)
            continue
        mark = None if failed else _mark(result, asked, notes, place)
        lost = mark is not None and _unjudged(result, asked.metric or "success", mark)
        provider = result.get("provider")
        name = block(provider).get("label") or block(provider).get("id") or provider
        seen = prompts.setdefault(str(name), [])
        prompt = result.get("promptId", result.get("promptIdx"))
        if prompt not in seen:
            seen.append(prompt)
        if (k := seen.index(prompt) + 1) > 1:
            notes.tried[f"several prompts of {str(name)[:80]}"] = None
            name = f"{name} (prompt {k})"
        if result.get("success") and not found.get("success") and not lost:
            notes.load_alone[str(name)] = notes.load_alone.get(str(name), 0) + 1
        yield place, Row(_item(result), name, None if lost else mark, _cluster(result), run=result.get("testIdx"),
                         lacks=FAILED if failed else UNJUDGED if lost else NO_SCORE)
    if isinstance(date := source.head.get("results.timestamp"), str):
        notes.dates.append(date[:10])


def _unchecked(result: Document, *, named: bool) -> bool:
    """True where no assertion was made, or none on which more than a named score rests."""
    grading = block(result.get("gradingResult"))
    parts = list(_components(grading))
    if not parts:
        return grading.get("reason") == NONE_MADE
    own = block(result.get("testCase")).get("assertScoringFunction") is not None
    return not (named or own or any(map(_counts, parts)))


def _without_load(result: Document) -> Document | None:
    """The test as it would end without assertions of LOAD; itself where it has none, None where it has no others."""
    grading, threshold = block(result.get("gradingResult")), block(result.get("testCase")).get("threshold")
    kept = _of_quality({**grading, "pass": result.get("success"), "score": result.get("score")}, threshold)
    return kept and result | {"gradingResult": kept, "success": kept["pass"], "score": kept["score"]}


def _of_quality(graded: Document, threshold: object = None, deep: int = DEEPEST) -> Document | None:
    """A test or a set without assertions of LOAD; None where it has no others, as it stands where its end is another."""
    found = graded.get("componentResults")
    if not isinstance(found, list) or not any(map(_is_load, map(block, found))):
        return graded
    told = ADDED_UP.match(str(graded.get("reason")))
    least = float(told[1]) if told else threshold if isinstance(threshold, (int, float)) else None
    parts = list(_components(graded))
    if not _same_end(graded, *_end(parts, least)):
        return graded
    left = [each if not deep else _of_quality(each, deep=deep - 1) for each in parts if not _is_load(each)]
    kept = [each for each in left if each is not None]
    if not any(map(_counts, kept)):
        return None
    holds, score = _end(kept, least)
    copied = [part for each in kept for part in (each, *(each.get("componentResults") or ()))]
    return {**graded, "componentResults": copied, "pass": holds, "score": score}


def _end(parts: Sequence[Document], least: float | None) -> tuple[bool, float]:
    """Whether assertions and sets hold together, each or on average `least`, and their mean score."""
    counted = [each for each in parts if not block(each.get("assertion")).get("metricOnly")]
    weights = [_number(block(each.get("assertion")).get("weight", block(block(each.get("metadata")).get("assertionSet")).get(
        "weight", 1))) for each in counted]
    total = sum(weights)
    score = sum(w * _number(each.get("score")) for w, each in zip(weights, counted, strict=True)) / total if total else 0.0
    return all(each.get("pass") for each in counted) if least is None else score >= least, score


def _same_end(graded: Document, holds: bool, score: float) -> bool:
    return (graded.get("pass") is True) == holds and abs(_number(graded.get("score")) - score) < NEARLY


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _is_load(component: Document) -> bool:
    return str(block(component.get("assertion")).get("type", "")).removeprefix("not-") in LOAD


def _mark(result: Document, asked: Asked, notes: Notes, place: str) -> float | None:
    """Whether all assertions held; with --metric score the weighted mean of the assertions, or one by its name."""
    named = block(result.get("namedScores"))
    metric = one_of(["success", "score", *named], asked.metric or "success", "--metric", place)
    notes.metrics[metric] = None
    return share(named[metric] if metric in named else result.get(metric), place, asked)


def _item(result: Document) -> object:
    test = block(result.get("testCase"))
    values = result.get("vars") or test.get("vars")
    for told in (block(values), block(test.get("metadata"))):
        if (id := next((each for name in IDS if isinstance(each := told.get(name), (str, int))), None)) is not None:
            return id
    if not values:
        return result.get("testIdx")
    return blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=8).hexdigest()


def _cluster(result: Document) -> object:
    """The conversation, customer or template that a test's metadata names by an id."""
    told = block(block(result.get("testCase")).get("metadata"))
    return next((each for name in CLUSTERS if isinstance(each := told.get(name), (str, int))), None)


def _unjudged(result: Document, metric: str, mark: object) -> bool:
    """True where the mark of this metric rests on a judge that failed.

    `success` is certain where a threshold was reached without that judge, and where another assertion fails that no threshold
    makes up for. `score` is a mean over all. A named score is of the assertions that bear its name; of one that none bears, as
    it is derived from others, nothing is certain.
    """
    grading = block(result.get("gradingResult"))
    components = list(_components(grading))
    if not any(_failed(each) for each in components):
        return _marked(grading)
    if metric not in {"success", "score"}:
        named = [each for each in components if metric in _names(each)]
        return any(_failed(each) for each in named) if named else True
    counted = [each for each in components if _counts(each)]
    if metric == "score" or not any(_failed(each) for each in counted):
        return any(_failed(each) for each in counted)
    test = block(result.get("testCase"))
    added_up = any(test.get(name) is not None for name in ("threshold", "assertScoringFunction"))
    return _uncertain(counted, holds=mark == 1.0, added_up=added_up)


def _uncertain(components: Sequence[Document], *, holds: bool, added_up: bool, deep: int = DEEPEST) -> bool:
    """True where what these assertions come to may be otherwise with the verdicts that are lost; `added_up` to a threshold."""
    if holds:
        return any(each.get("pass") and _failed(each, deep) and _unsure(each, deep) for each in components)
    fails = (each for each in components if not each.get("pass"))
    return added_up or all(_failed(each, deep) and _unsure(each, deep) for each in fails)


def _unsure(component: Document, deep: int) -> bool:
    """True where a component of which a judge failed may come to another end: an assertion may, a set as its parts say."""
    within = list(_components(component)) if deep else []
    if not within:
        return True
    added_up = str(component.get("reason")).startswith("Aggregate score ")
    return _uncertain(within, holds=bool(component.get("pass")), added_up=added_up, deep=deep - 1)


def _components(graded: Document) -> Iterator[Document]:
    """The assertions and sets of assertions of a test or a set, without the copies of what is in inner sets."""
    found, copies = graded.get("componentResults"), 0
    for each in found if isinstance(found, list) else ():
        if copies:
            copies -= 1
            continue
        within = block(each).get("componentResults")
        copies = len(within) if isinstance(within, list) else 0
        yield block(each)


def _failed(component: Document, deep: int = DEEPEST) -> bool:
    """True where its judge failed, or that of one in it."""
    if deep and any(_failed(each, deep - 1) for each in _components(component)):
        return True
    kind, reason = str(block(component.get("assertion")).get("type", "")).removeprefix("not-"), component.get("reason")
    told = isinstance(reason, str) and TOLD.match(reason) is not None
    return _marked(component) or (told and (not kind or kind.startswith(JUDGES)))


def _marked(graded: Document) -> bool:
    return block(graded.get("metadata")).get("graderError") is True


def _counts(component: Document) -> bool:
    """True where the test's success and score rest on it."""
    of = block(component.get("assertion"))
    return not of.get("metricOnly") and of.get("weight") != 0


def _names(component: Document) -> set[str]:
    """The named scores that it is part of."""
    bearers = (block(component.get("assertion")), block(block(component.get("metadata")).get("assertionSet")))
    return {str(name) for name in (*(each.get("metric") for each in bearers), *block(component.get("namedScores"))) if name}


PROMPTFOO = Format(
    title="promptfoo", columns=("provider", "success", "vars"), rows=_rows,
    recognises=lambda _, first: {"provider", "success"} <= first.keys() and not first.keys().isdisjoint(
        {"testIdx", "testCase", "vars"}))
