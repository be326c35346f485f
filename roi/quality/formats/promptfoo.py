"""promptfoo's results: `promptfoo eval --output results.json`, or .jsonl with one result a line.

A result names its provider (label, else id), its test's variables and whether all assertions held. Captured ones, in
promptfoo/promptfoo, examples/redteam-sql-injection-agent/redteam.metrics.results.json, have the results under
results.results, `failureReason` 2 where the call failed, and a `promptId` that is a hash. An item is known by a hash of its
variables, since a repetition of a test has a `testIdx` of its own; a variable or a metadata field that is an id comes first.
Where the judge failed there is no score (`failed_judges`).
"""

import json
from collections.abc import Iterator
from hashlib import blake2b

from roi.quality.formats.failed_judges import unjudged
from roi.quality.formats.own_rows import NAMES
from roi.quality.result_rows import FAILED, NO_SCORE, Asked, Document, Format, Notes, Row, Source, block, one_of, share

IDS = tuple(name for name in NAMES["item"] if name.endswith("id"))
CLUSTERS = ("conversationId", *(name for name in NAMES["cluster"] if name.endswith("id") or name == "cluster"))
"""conversationId is promptfoo's own: tests of one conversation share it."""
ERROR = 2
"""failureReason of a call that gave no answer."""
UNJUDGED = "the judge failed: an error, no verdict on the answer"


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    prompts: dict[str, list[object]] = {}
    for place, result in source.documents:
        failed = result.get("failureReason") == ERROR
        mark = None if failed else _mark(result, asked, notes, place)
        lost = mark is not None and unjudged(result, asked.metric or "success", mark)
        provider = result.get("provider")
        name = block(provider).get("label") or block(provider).get("id") or provider
        seen = prompts.setdefault(str(name), [])
        prompt = result.get("promptId", result.get("promptIdx"))
        if prompt not in seen:
            seen.append(prompt)
        if (k := seen.index(prompt) + 1) > 1:
            notes.tried[f"several prompts of {str(name)[:80]}"] = None
            name = f"{name} (prompt {k})"
        yield place, Row(_item(result), name, None if lost else mark, _cluster(result), run=result.get("testIdx"),
                         lacks=FAILED if failed else UNJUDGED if lost else NO_SCORE)
    if isinstance(date := source.head.get("results.timestamp"), str):
        notes.dates.append(date[:10])


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


PROMPTFOO = Format(
    title="promptfoo", columns=("provider", "success", "vars"), rows=_rows,
    recognises=lambda _, first: {"provider", "success"} <= first.keys() and not first.keys().isdisjoint(
        {"testIdx", "testCase", "vars"}))
