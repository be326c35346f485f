"""promptfoo's results: `promptfoo eval --output results.json`, or .jsonl with one result a line.

A result names its provider (label, else id), its test's variables and whether all assertions held. Captured ones, in
promptfoo/promptfoo, examples/redteam-sql-injection-agent/redteam.metrics.results.json, have the results under
results.results, `failureReason` 2 where the call failed, and a `promptId` that is a hash. An item is known by a hash of its
variables, since a repetition of a test has a `testIdx` of its own; a variable or a metadata field that is an id comes first.
"""

import json
from collections.abc import Iterator
from hashlib import blake2b

from roi.quality.formats.own_rows import NAMES
from roi.quality.result_rows import FAILED, NO_SCORE, Asked, Document, Format, Notes, Row, Source, one_of, share

IDS = tuple(name for name in NAMES["item"] if name.endswith("id"))
ERROR = 2
"""failureReason of a call that gave no answer."""


def _recognises(head: Document, first: Document) -> bool:  # noqa: ARG001 -- every format is asked alike
    return {"provider", "success"} <= first.keys() and bool({"testIdx", "testCase", "vars"} & first.keys())


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    if isinstance(date := source.head.get("results.timestamp"), str):
        notes.dates.append(date[:10])
    prompts: dict[str, list[object]] = {}
    for place, result in source.documents:
        if result.get("failureReason") == ERROR:
            notes.drop(FAILED, place)
            continue
        mark = _mark(result, asked, notes, place)
        if mark is None:
            notes.drop(NO_SCORE, place)
            continue
        provider = result.get("provider")
        name = provider.get("label") or provider.get("id") if isinstance(provider, dict) else provider
        seen = prompts.setdefault(str(name), [])
        prompt = result.get("promptId", result.get("promptIdx"))
        if prompt not in seen:
            seen.append(prompt)
        if (k := seen.index(prompt) + 1) > 1:
            notes.tried[f"several prompts of {str(name)[:80]}"] = None
            name = f"{name} (prompt {k})"
        yield place, Row(_item(result), name, mark, run=result.get("testIdx"))


def _mark(result: Document, asked: Asked, notes: Notes, place: str) -> float | None:
    """Whether all assertions held; with --metric score the weighted mean of the assertions, or one by its name."""
    named = result.get("namedScores") or {}
    metric = one_of(["success", "score", *named], asked.metric or "success", "--metric", place)
    notes.metrics[metric] = None
    return share(named[metric] if metric in named else result.get(metric), place)


def _item(result: Document) -> object:
    test = result.get("testCase") or {}
    values = result.get("vars") or test.get("vars")
    for block in (values, test.get("metadata")):
        found = (block.get(name) for name in IDS) if isinstance(block, dict) else ()
        if (id := next((each for each in found if isinstance(each, (str, int))), None)) is not None:
            return id
    if not values:
        return result.get("testIdx")
    return blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=8).hexdigest()


PROMPTFOO = Format(title="promptfoo", recognises=_recognises, rows=_rows)
