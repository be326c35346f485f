"""One's own table: JSON lines, a JSON list or a delimited table with a column each for item, system and score.

Usual names are known (NAMES), others are given with --map, values inside of others as a path with dots: scores.Factuality,
metricsData.0.score. Cluster, weight, run and escalated may be there. Every other column stays where it is.

Where several columns of scores are named, each is of a system: a row is an item, and a column's name the system's.

`epoch` is a repeat of the item in tables that Inspect makes (samples_df: eval_id, sample_id, id, epoch), and a pass of training
in tables of checkpoints, whose rows are of different systems. Beside Inspect's columns it is the former; else a system with
more than one is refused until somebody says which.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Any, Final

from roi.errors import InputError, nearest
from roi.quality.result_rows import Asked, Document, Format, Notes, Row, Source, share

NAMES: Final = {
    "item": ("id", "item", "item_id", "example_id", "question_id", "sample_id", "case_id", "test_id", "doc_id", "idx", "index"),
    "system": ("system", "model", "model_name", "model_id", "provider", "engine", "candidate", "variant"),
    "score": ("score", "correct", "is_correct", "passed", "pass", "success", "right", "grade", "accuracy", "label",
              "value", "verdict", "outcome", "judgment", "judgement"),
    "cluster": ("cluster", "cluster_id", "conversation_id", "conversation", "customer_id", "customer", "template"),
    "weight": ("weight", "weights"),
    "run": ("run", "repeat", "repetition", "epoch", "trial", "attempt"),
    "escalated": ("escalated", "is_escalated", "handed_on", "deferred"),
}  # fmt: skip
"""What is read, and the names that columns of it usually have, the likeliest first."""
ANSWERS: Final = frozenset({
    "prediction", "predicted", "predicted_label", "pred", "pred_label", "output", "answer", "response", "completion",
    "expected", "target", "gold", "gold_label", "true_label", "reference", "ground_truth"})
"""Columns of answers: beside one, a column `label` may be the right answer, not whether the given one is right."""
EPOCH: Final = "epoch"
OF_INSPECT: Final = (frozenset({"eval_id"}), frozenset({"sample_id", "id"}), frozenset({"sample_uuid"}))
"""Columns beside which an epoch is a repeat: of Inspect's table of samples."""
LOOKED_AT: Final = 100
"""Rows among which one is looked for that has the columns which are mapped."""
ABSENT: Final = object()
"""What stands where there is no value; null is one."""


def columns_of(first: Document, asked: Asked) -> dict[str, str]:
    """The file's own column of each thing that is read, as the first row, --metric (of the score) or --map has it."""
    own = {name.lower().replace(" ", "_").replace("-", "_"): name for name in first}
    found = {what: next((own[name] for name in names if name in own), names[0]) for what, names in NAMES.items()}
    if asked.metric is not None:
        found["score"] = asked.metric
    for what, column in asked.columns:
        if what not in NAMES:
            raise InputError(f"--map: {what[:40]!r} is not read; there is {', '.join(NAMES)}")
        found[what] = column
    return found


def _recognises(head: Document, first: Document) -> bool:
    own = {name.lower().replace(" ", "_").replace("-", "_") for name in first}
    return not head.keys() - {"status"} and all(own & set(NAMES[what]) for what in ("item", "score"))


def _begun(source: Source, asked: Asked) -> Source:
    """The source, with the first of its first rows that has all mapped columns for its first: a log may begin with a head."""
    wanted = [column for _, column in asked.columns]
    seen = list(islice(source.documents, LOOKED_AT))
    first = next((row for _, row in seen if all(_at(row, name) is not ABSENT for name in wanted)), source.first)
    return replace(source, first=first, documents=chain(seen, source.documents))


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    source = _begun(source, asked)
    names = columns_of(source.first, asked)
    given = [("--map", *each) for each in asked.columns] + ([("--metric", "score", asked.metric)] if asked.metric else [])
    for option, what, column in given:
        if _at(source.first, column) is ABSENT and what in {"item", "system", "score"}:
            there = [*source.first, *_paths(source.first)]
            near = [name[:40] for name in nearest(column, there, 1) or nearest(what, there, 1)]
            raise InputError(f"{option}: {source.path} has no column {column[:40]!r}{f'; nearest: {near[0]}' if near else ''}")
    item, system, score, cluster, weight, run, escalated = (names[what] for what in NAMES)
    wide = [column for what, column in asked.columns if what == "score"]
    if len(wide) > 1:
        yield from _wide_rows(source, asked, notes, names, wide)
        return
    _refuse_gold(source, score, told=bool(asked.metric) or any(what == "score" for what, _ in asked.columns))
    inside = any("." in name and name not in source.first for name in names.values())
    alone = asked.system_of_file(source.path) if _at(source.first, system) is ABSENT else None
    if _at(source.first, system) is ABSENT and alone is None:
        raise InputError(f"{source.path}: no column for the system (model); --map system=COLUMN, or --system"
                         f" {source.path.rpartition('/')[2]}=NAME where the file is of one system")
    notes.metrics[score] = None
    epochs: dict[str, object] | None = {} if _may_be_training(source.first, run, asked) else None
    for place, document in source.documents:
        get = partial(_at, document, absent=None) if inside else document.get
        mark, by = share(get(score), place, asked), alone or get(system)
        if mark is None:
            notes.unread(get(score))
        rest = get(cluster), get(weight), get(run), get(escalated)
        if epochs is not None and epochs.setdefault(str(by), get(run)) != get(run):
            raise InputError(f"{place}: {run!r} may be a repeat of the item (--map run={run}, whose mean counts), or a pass of"
                             " training, whose checkpoints are systems: keep the rows of one, or --map system=COLUMN that"
                             " tells them apart")
        yield place, Row(get(item), by, mark, *rest)


def _wide_rows(
    source: Source, asked: Asked, notes: Notes, names: dict[str, str], wide: list[str],
) -> Iterator[tuple[str, Row]]:
    """Rows of a table with a row for each item and a column for each system; InputError where it has one of systems too."""
    if len(set(wide)) < len(wide):
        raise InputError(f"--map: score={next(name for name in wide if wide.count(name) > 1)[:40]} is given twice")
    if any(what == "system" for what, _ in asked.columns) or _at(source.first, names["system"]) is not ABSENT:
        raise InputError(f"{source.path}: a column for the system, and several of scores (--map score=), each of which is a"
                         " system's where it is alone; name one score, or rename the column of the system")
    notes.metrics["score"] = None
    rest = [names[what] for what in ("cluster", "weight", "run", "escalated")]
    for place, document in source.documents:
        get = partial(_at, document, absent=None)
        for name in wide:
            if (mark := share(get(name), place, asked)) is None:
                notes.unread(get(name))
            yield place, Row(get(names["item"]), name, mark, *map(get, rest))


def _may_be_training(first: Document, run: str, asked: Asked) -> bool:
    """True where repeats are told by a column `epoch` that nobody named, and none of Inspect's columns is beside it."""
    own = {name.lower().replace(" ", "_").replace("-", "_") for name in first}
    named = asked.repeats or any(what == "run" for what, _ in asked.columns)
    return run in first and run.lower() == EPOCH and not named and not any(beside <= own for beside in OF_INSPECT)


def _refuse_gold(source: Source, score: str, *, told: bool) -> None:
    """InputError where the score is a column `label` that nobody named, beside answers: 0 and 1 may be the classes."""
    beside = next((name for name in source.first if name.lower().replace(" ", "_").replace("-", "_") in ANSWERS), None)
    if score.lower() == "label" and not told and beside is not None:
        raise InputError(f"{source.path}: {score!r} beside {beside!r} may be the right answer, not whether the model gave it;"
                         f" --map score=COLUMN names what was right (1) or wrong (0), --map score={score} if this does")


def _at(document: Document, name: str, absent: object = ABSENT) -> Any:  # Any: a value of JSON
    """The value of a column, or of a path with dots into one; `absent` where there is none."""
    if name in document:
        return document[name]
    value: Any = document
    for key in name.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return absent
    return value


def _paths(document: Document) -> Iterator[str]:
    """Paths of the values one level inside."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from (f"{name}.{each}" for each in value)


OWN = Format(title="own rows", columns=("id", "system", "score"), recognises=_recognises, rows=_rows)
