"""One's own table: JSON lines, a JSON list or a delimited table with a column each for item, system and score.

Usual names are known (NAMES), others are given with --map. Cluster, weight, run and escalated may be there. Every other column
stays where it is.
"""

from collections.abc import Iterator
from typing import Final

from roi.errors import InputError, nearest
from roi.quality.result_rows import NO_SCORE, Asked, Document, Format, Notes, Row, Source, share

NAMES: Final = {
    "item": ("id", "item", "item_id", "example_id", "question_id", "sample_id", "case_id", "test_id", "doc_id", "idx", "index"),
    "system": ("system", "model", "model_name", "model_id", "provider", "engine", "candidate", "variant"),
    "score": ("score", "correct", "is_correct", "passed", "pass", "success", "right", "grade", "accuracy", "label", "value"),
    "cluster": ("cluster", "cluster_id", "conversation_id", "conversation", "customer_id", "customer", "template"),
    "weight": ("weight", "weights"),
    "run": ("run", "repeat", "repetition", "epoch", "trial", "attempt"),
    "escalated": ("escalated", "is_escalated", "handed_on", "deferred"),
}  # fmt: skip
"""What is read, and the names that columns of it usually have, the likeliest first."""


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
    return not head and all(own & set(NAMES[what]) for what in ("item", "score"))


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    names = columns_of(source.first, asked)
    given = [("--map", *each) for each in asked.columns] + ([("--metric", "score", asked.metric)] if asked.metric else [])
    for option, what, column in given:
        if column not in source.first and what in {"item", "system", "score"}:
            near = [name[:40] for name in nearest(column, source.first, 1)]
            raise InputError(f"{option}: {source.path} has no column {column[:40]!r}{f'; nearest: {near[0]}' if near else ''}")
    item, system, score, cluster, weight, run, escalated = (names[what] for what in NAMES)
    alone = None if system in source.first else asked.system_of_file(source.path)
    if system not in source.first and alone is None:
        raise InputError(f"{source.path}: no column for the system (model); --map system=COLUMN, or --system"
                         f" {source.path.rpartition('/')[2]}=NAME where the file is of one system")
    notes.metrics[score] = None
    for place, document in source.documents:
        get = document.get
        mark = share(get(score), place)
        if mark is None:
            notes.drop(NO_SCORE, place)
            continue
        yield place, Row(get(item), alone or get(system), mark, get(cluster), get(weight), get(run), get(escalated))


OWN = Format(title="own rows", columns=("id", "system", "score"), recognises=_recognises, rows=_rows)
